//! `~SEQ(VAR, [START, [STEP,]] END) TEXT` and `~LST(VARS, VALUES...) TEXT`: a line repeated.

use std::collections::VecDeque;

/// A line and the definitions it is repeated with.
#[derive(Clone, Debug)]
pub(super) struct Repeat {
    pub(super) names: Vec<String>,
    pub(super) text: String,
    pub(super) values: Values,
}

/// The values that remain.
#[derive(Clone, Debug)]
pub(super) enum Values {
    Range { next: i64, step: i64, last: i64, hex: bool },
    List(VecDeque<Vec<String>>),
}

impl Iterator for Values {
    type Item = Vec<String>;

    fn next(&mut self) -> Option<Vec<String>> {
        match self {
            Self::Range { next, step, last, hex } => {
                if (*step > 0 && *next > *last) || (*step < 0 && *next < *last) {
                    return None;
                }
                let text = if *hex { format!("{next:x}") } else { next.to_string() };
                *next = next.saturating_add(*step);
                Some(vec![text])
            }
            Self::List(rows) => rows.pop_front(),
        }
    }
}

/// Why the line is no repetition: keepalived's sentence.
pub(super) type Problem = String;

fn blank(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

fn number(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => i64::from_str_radix(hex, 16).ok()?,
        None if digits.len() > 1 && digits.starts_with('0') => i64::from_str_radix(digits, 8).ok()?,
        None if digits.is_empty() => 0,
        None => digits.parse().ok()?,
    };
    Some(sign * value)
}

/// Parses a line that starts with `~SEQ`; `expand` replaces definitions in its numbers.
pub(super) fn sequence(line: &str, expand: impl FnOnce(&str) -> String) -> Result<Repeat, Problem> {
    let invalid = || format!("Invalid ~SEQ definition '{line}'");
    let rest = line.strip_prefix("~SEQ").ok_or_else(invalid)?;
    let (rest, hex) = rest.strip_prefix('x').map_or((rest, false), |rest| (rest, true));
    let rest = blank(rest).strip_prefix('(').ok_or_else(|| format!("Invalid ~SEQ specification '{line}'"))?;
    let (inside, text) = rest.split_once(')').ok_or_else(invalid)?;
    let (name, numbers) = inside.split_once(',').ok_or_else(invalid)?;
    let name = name.trim();
    if name.is_empty() {
        return Err(invalid());
    }
    let numbers = expand(numbers);
    let numbers: Option<Vec<i64>> = numbers.split(',').map(number).collect();
    let (next, step, last) = match numbers.ok_or_else(invalid)?.as_slice() {
        [last] => (if *last < 0 { -1 } else { 1 }, if *last < 1 { -1 } else { 1 }, *last),
        [first, last] => (*first, if first <= last { 1 } else { -1 }, *last),
        [first, step, last] => (*first, *step, *last),
        _ => return Err(invalid()),
    };
    if step == 0 || (next < last && step < 0) || (next > last && step > 0) {
        return Err(format!("Invalid ~SEQ values '{line}'"));
    }
    if hex && (next < 0 || last < 0) {
        return Err(format!("~SEQx is only valid for positive numbers '{line}'"));
    }
    Ok(Repeat {
        names: vec![name.to_owned()],
        text: blank(text).to_owned(),
        values: Values::Range { next, step, last, hex },
    })
}

/// `{a, b}` or `a`, and what follows.
fn group(text: &str) -> Option<(Vec<String>, &str)> {
    let text = blank(text);
    let split = |inner: &str| inner.split(',').map(|word| word.trim().to_owned()).collect();
    if let Some(inner) = text.strip_prefix('{') {
        let (inner, rest) = inner.split_once('}')?;
        return Some((split(inner), blank(rest)));
    }
    let end = text.find([',', ')'])?;
    Some((split(&text[..end]), blank(&text[end..])))
}

/// Parses a line that starts with `~LST`.
pub(super) fn list(line: &str) -> Result<Repeat, Problem> {
    let invalid = || format!("Invalid ~LST specification '{line}'");
    let rest = line.strip_prefix("~LST").ok_or_else(invalid)?;
    let rest = blank(rest).strip_prefix('(').ok_or_else(invalid)?;
    let (names, mut rest) = group(rest).ok_or_else(invalid)?;
    let mut rows = VecDeque::new();
    while let Some(more) = rest.strip_prefix(',') {
        let (mut row, after) = group(more).ok_or_else(invalid)?;
        if row.len() > names.len() {
            return Err(format!("~LST specification has too many values '{line}'"));
        }
        row.resize(names.len(), String::new());
        rows.push_back(row);
        rest = after;
    }
    let text = rest.strip_prefix(')').ok_or_else(invalid)?;
    if rows.is_empty() {
        return Err(invalid());
    }
    Ok(Repeat { names, text: blank(text).to_owned(), values: Values::List(rows) })
}
