//! `cpu-map`: the processors that threads run on.

use std::collections::BTreeSet;

use tandem_parser::diagnostic::Reason;
use tandem_parser::haproxy::Statement;

use super::context::Context;
use crate::ir::cpus::CpuLine;

/// Greatest number of a processor.
const LAST_CPU: u32 = 1023;

/// Greatest number of a group of threads, or of a thread in it.
const MOST: u32 = u64::BITS;

/// The same, for a range without end.
const LAST: &str = "64";

/// `cpu-map [auto:]GROUPS[/THREADS] CPUS...`
pub(super) fn cpu_map(context: &mut Context<'_>, line: &Statement) -> Option<CpuLine> {
    let [which, cpus @ ..] = line.words(0) else { return None };
    if cpus.is_empty() {
        let message = "cpu-map expects a process number ('all', 'odd', 'even', a number or a range), followed by a \
                       list of CPU ranges.";
        context.alert(Reason::MissingArgument, line.span, message);
        return None;
    }
    let told = which.strip_prefix("auto:").unwrap_or(which);
    let (groups, threads) = told.split_once('/').unwrap_or((told, "all"));
    let (groups, threads) = match (numbers(groups), numbers(threads)) {
        (Ok(groups), Ok(threads)) => (groups, threads),
        (Err(message), _) | (_, Err(message)) => {
            context.alert(Reason::InvalidValue, which.span, format!("cpu-map : {message}"));
            return None;
        }
    };
    let mut set = BTreeSet::new();
    for word in cpus {
        match processors(word, &mut set) {
            Ok(true) => {}
            Ok(false) => break,
            Err(message) => {
                context.alert(Reason::InvalidValue, word.span, format!("cpu-map : {message}"));
                return None;
            }
        }
    }
    let one_each = which.starts_with("auto:");
    if one_each && [groups, threads].into_iter().all(|named| named.count_ones() as usize != set.len()) {
        let message =
            "cpu-map : TGROUP/THREAD range and CPU sets must have the same size to be automatically bound";
        context.alert(Reason::Conflict, which.span, message);
        return None;
    }
    Some(CpuLine { groups, threads, cpus: set, one_each })
}

/// `all`, `odd`, `even`, `N`, `N-` or `N-M`, as bits: the lowest for 1.
fn numbers(text: &str) -> Result<u64, String> {
    const ODD: u64 = u64::MAX / 3;
    match text {
        "all" => return Ok(u64::MAX),
        "odd" => return Ok(ODD),
        "even" => return Ok(ODD << 1),
        _ => {}
    }
    let (one, other) = match text.split_once('-') {
        None => (text, text),
        Some((one, "")) => (one, LAST),
        Some(both) => both,
    };
    if [one, other].iter().any(|number| !number.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(format!("'{text}' is not a valid number/range."));
    }
    let number = |text: &str| text.parse().ok().filter(|number| (1..=MOST).contains(number));
    let (Some(one), Some(other)) = (number(one), number(other)) else {
        return Err(format!("'{text}' is not a valid number/range. It supports numbers from 1 to {MOST}."));
    };
    let (low, high) = (one.min(other), one.max(other));
    Ok(u64::MAX >> (MOST - (high - low + 1)) << (low - 1))
}

/// Puts the processors of a word such as `0-3,8` into `set`. It has to begin with a digit; of the rest HAProxy reads
/// what it can. After a comma at the end it reads no further words: whether there are more to read is returned.
fn processors(word: &str, set: &mut BTreeSet<u32>) -> Result<bool, String> {
    if !word.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("'{word}' is not a CPU range."));
    }
    let number = |text: &str| {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        if digits == 0 { 0 } else { text[..digits].parse().unwrap_or(u32::MAX) }
    };
    let mut parts = word.split(',').peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        if last && part.is_empty() {
            return Ok(false);
        }
        let (one, other) = match part.split_once('-') {
            None => (number(part), number(part)),
            Some((from, "")) if last => (number(from), LAST_CPU),
            Some((from, to)) => (number(from), number(to)),
        };
        if one.max(other) > LAST_CPU {
            return Err(format!("supports CPU numbers from 0 to {LAST_CPU}."));
        }
        set.extend(one.min(other)..=one.max(other));
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_threads_are_bits() {
        for (text, bits) in [
            ("all", u64::MAX),
            ("odd", 0x5555_5555_5555_5555),
            ("even", 0xaaaa_aaaa_aaaa_aaaa),
            ("1", 1),
            ("64", 1 << 63),
            ("2-4", 0b1110),
            ("4-2", 0b1110),
            ("1-64", u64::MAX),
            ("63-", 3 << 62),
        ] {
            assert_eq!(numbers(text), Ok(bits), "{text}");
        }
        for text in ["", "0", "65", "1-65", "-4"] {
            let said = format!("'{text}' is not a valid number/range. It supports numbers from 1 to 64.");
            assert_eq!(numbers(text), Err(said));
        }
        for text in ["x", "1,2", "1-2-3", "1/2", "+1"] {
            assert_eq!(numbers(text), Err(format!("'{text}' is not a valid number/range.")));
        }
    }

    #[test]
    fn processors_are_read_as_haproxy_reads_them() {
        let read = |word| {
            let mut set = BTreeSet::new();
            processors(word, &mut set).map(|more| (set.into_iter().collect::<Vec<_>>(), more))
        };
        assert_eq!(read("3"), Ok((vec![3], true)));
        assert_eq!(read("0-2,7,5"), Ok((vec![0, 1, 2, 5, 7], true)));
        assert_eq!(read("3-1"), Ok((vec![1, 2, 3], true)));
        assert_eq!(read("1020-"), Ok((vec![1020, 1021, 1022, 1023], true)));
        assert_eq!(read("1,"), Ok((vec![1], false)));
        assert_eq!(read("2-,1"), Ok((vec![0, 1, 2], true)));
        assert_eq!(read("2-,2-"), Ok(((0..=1023).collect(), true)));
        assert_eq!(read("1,,2"), Ok((vec![0, 1, 2], true)));
        assert_eq!(read("1,x"), Ok((vec![0, 1], true)));
        assert_eq!(read("x"), Err("'x' is not a CPU range.".to_owned()));
        assert_eq!(read("0,1024"), Err("supports CPU numbers from 0 to 1023.".to_owned()));
    }
}
