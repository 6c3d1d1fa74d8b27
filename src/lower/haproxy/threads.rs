//! `thread` of a listener, `thread-group`, `cpu-set`: threads and groups of them, by number.

use std::collections::BTreeSet;
use std::ops::Range;

use tandem_parser::diagnostic::{Reason, Severity};
use tandem_parser::haproxy::Statement;

use super::context::{Context, span_at};

/// Most threads, groups of threads, and threads of a group that HAProxy can be built with.
const THREADS: u32 = 1024;
const GROUPS: u32 = 32;
const PER_GROUP: u32 = 64;

/// What a `thread` setting names.
#[derive(Debug, Default, PartialEq, Eq)]
struct Set {
    /// The groups it names; none where threads are counted through all groups.
    groups: Vec<u32>,
    /// The lowest of the threads.
    lowest: Option<u32>,
}

/// `all`, `odd`, `even`, numbers and ranges; with a group in front of them, numbers are those within the group: `2/1-4`.
fn read(text: &str) -> Result<Set, String> {
    let leading = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let relative = text[leading..].starts_with('/');
    let most = if relative { PER_GROUP } else { THREADS };
    let mut set = Set::default();
    for part in text.split(',') {
        let within = match part.split_once('/') {
            Some((group, within)) if relative => {
                let known = group.parse().ok().filter(|group| (1..=GROUPS).contains(group));
                let Some(group) = known else {
                    return Err(format!(
                        "invalid thread group number '{group}', permitted range is 1..{GROUPS} in '{part}'."
                    ));
                };
                set.groups.push(group);
                within
            }
            Some(_) => {
                return Err(format!(
                    "group-relative thread specification '{part}' is not permitted after a absolute thread range."
                ));
            }
            None if relative => {
                return Err(format!(
                    "absolute thread specification '{part}' is not permitted after a group-relative thread range."
                ));
            }
            None => part,
        };
        let lowest = range(within, most)?;
        set.lowest = Some(set.lowest.map_or(lowest, |other| other.min(lowest)));
    }
    Ok(set)
}

/// The lowest thread of `all`, `odd`, `even`, `N`, `N-`, `N-M` or nothing at all.
fn range(text: &str, most: u32) -> Result<u32, String> {
    if matches!(text, "" | "all" | "odd" | "even") {
        return Ok(1);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, ""));
    let number = |text: &str| text.parse::<u32>().ok().filter(|number| (1..=most).contains(number));
    let Some(first) = number(first) else {
        return Err(format!(
            "invalid first thread number '{text}', permitted range is 1..{most}, or 'all', 'odd', 'even'."
        ));
    };
    match number(last) {
        Some(last) if last < first => Ok(last),
        None if !last.is_empty() => {
            Err(format!("invalid last thread number '{last}', permitted range is 1..{most}."))
        }
        _ => Ok(first),
    }
}

/// `thread`, or `process` of older files: what is wrong with it, if anything.
pub(super) fn check(setting: &Statement) -> Option<String> {
    let text = setting.text(0).unwrap_or_default();
    if setting.name() == "thread" {
        return read(text).err();
    }
    let (processes, threads) = text.split_once('/').unwrap_or((text, "all"));
    let wrong = |set: &&str| set.is_empty() || range(set, PER_GROUP).is_err();
    let wrong = [processes, threads].into_iter().find(wrong)?;
    Some(format!(
        "'process' : '{wrong}' is not a valid number/range. It supports numbers from 1 to {PER_GROUP}."
    ))
}

/// Whether a `thread` setting of a `bind` line names threads that there are.
pub(super) fn exist(context: &mut Context<'_>, line: &Statement) {
    let Some(setting) = line.settings(1).iter().rfind(|setting| setting.name() == "thread") else { return };
    let Ok(set) = read(setting.text(0).unwrap_or_default()) else { return };
    // How many there are otherwise depends on the machine.
    let (threads, groups) = (context.switches.threads, context.switches.thread_groups);
    let most = threads.unwrap_or(PER_GROUP * groups.unwrap_or(1));
    let absent = match set.groups.iter().find(|group| **group > groups.unwrap_or(GROUPS)) {
        Some(group) => format!("'thread' directive references non-existing thread group {group}"),
        None if set.groups.is_empty() && set.lowest.is_some_and(|lowest| lowest > most) => {
            "'thread' directive only references non-existing threads".to_owned()
        }
        None => return,
    };
    let (proxy, written, spot) = (&context.proxy, line.text(0).unwrap_or_default(), context.spot(line.span));
    let message = format!("Proxy '{proxy}': {absent} in 'bind {written}' at [{spot}].");
    context.about(Severity::Alert, Reason::OutOfRange, span_at(setting, 0), message);
}

/// `thread-group NUMBER [THREADS]...`: the group and its threads, both counted from 0.
pub(super) fn group(context: &mut Context<'_>, line: &Statement) -> Option<(usize, Range<usize>)> {
    let (word, ranges) = line.words(0).split_first()?;
    let Some(group) = numbered(word, GROUPS) else {
        let message =
            format!("'thread-group' thread-group number must be between 1 and {GROUPS} (was {word})");
        context.alert(Reason::OutOfRange, word.span, message);
        return None;
    };
    let mut threads = BTreeSet::new();
    for word in ranges {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let (Some(first), Some(last)) = (numbered(first, THREADS), numbered(last, THREADS)) else {
            let message = format!(
                "'thread-group {group}' passed an unparsable or invalid thread number '{word}' (valid range is 1 to \
                 {THREADS})"
            );
            context.alert(Reason::OutOfRange, word.span, message);
            return None;
        };
        threads.extend(first - 1..last);
    }
    let all = threads.first().map_or(0..0, |first| *first..first + threads.len());
    if threads.last().is_some_and(|last| !all.contains(last)) {
        let message = format!("'thread-group {group}' assigned sparse threads, only contiguous supported");
        context.alert(Reason::Conflict, line.span, message);
        return None;
    }
    Some((group - 1, all))
}

/// A number from 1 to `most`.
fn numbered(text: &str, most: u32) -> Option<usize> {
    let number = text.parse().ok().filter(|number| (1..=most).contains(number))?;
    usize::try_from(number).ok()
}

/// What `cpu-set` may be told.
const CPU_SETS: &[&str] = &[
    "reset",
    "only-cpu",
    "drop-cpu",
    "only-node",
    "drop-node",
    "only-cluster",
    "drop-cluster",
    "only-core",
    "drop-core",
    "only-thread",
    "drop-thread",
];

/// `cpu-set DIRECTIVE [SET]...`
pub(super) fn cpu_set(context: &mut Context<'_>, line: &Statement) {
    let mut words = line.words(0).iter();
    while let Some(word) = words.next() {
        if !CPU_SETS.contains(&word.text()) {
            let message = format!(
                "'cpu-set' passed an unknown directive '{word}' (only {} supported).",
                CPU_SETS.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
            );
            return context.alert(Reason::InvalidValue, word.span, message);
        }
        if word != "reset" && words.next().is_none() {
            let message = format!("missing CPU set after '{word}'");
            return context.alert(Reason::MissingArgument, word.span, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_as_haproxy_reads_them() {
        let set = |groups: &[u32], lowest| Ok(Set { groups: groups.to_vec(), lowest: Some(lowest) });
        assert_eq!(read("all"), set(&[], 1));
        assert_eq!(read("7,3-5"), set(&[], 3));
        assert_eq!(read("9-4"), set(&[], 4));
        assert_eq!(read("5-"), set(&[], 5));
        assert_eq!(read("1/odd,2/7-9"), set(&[1, 2], 1));
        for (wrong, why) in [
            ("1/65", "invalid first thread number '65', permitted range is 1..64"),
            ("33/1", "invalid thread group number '33', permitted range is 1..32"),
            ("1,2/1", "group-relative thread specification '2/1' is not permitted"),
            ("2/7,9", "absolute thread specification '9' is not permitted"),
            ("foo", "invalid first thread number 'foo'"),
            ("0", "invalid first thread number '0'"),
            ("1-2000", "invalid last thread number '2000', permitted range is 1..1024."),
        ] {
            let said = read(wrong).unwrap_err();
            assert!(said.starts_with(why), "{wrong}: {said}");
        }
    }
}
