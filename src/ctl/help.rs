//! `help`, and what is said to words that are no command: which commands may have been meant.

use super::cmd;
use super::registry::{Command, Handler, commands};

/// Most commands that are proposed.
const PROPOSALS: usize = 5;

/// Most words of a command.
const WORDS: usize = 5;

/// `help [WORDS]`.
pub(super) fn listing(words: &[String], expert: bool) -> String {
    format!("The following commands are valid at this level:\n{}", matching(words, expert))
}

/// The answer to words that are no command.
pub(super) fn unknown(words: &[String], expert: bool) -> String {
    let first = words.first().map_or("", String::as_str);
    let then = if first.is_empty() {
        ". Please enter one of the following commands only:"
    } else {
        ", but maybe one of the following ones is a better match:"
    };
    format!("Unknown command: '{first}'{then}\n{}", matching(words, expert))
}

fn line(command: &Command) -> String {
    let mark = if matches!(command.handler, Handler::NotYet(_)) { " (not done yet)" } else { "" };
    format!("  {:<40}: {}{mark}\n", command.usage, command.help)
}

/// The commands that are most like `words`, sorted, and those that end every list. What the first words name exactly
/// counts; the rest is compared by the pairs of characters in it, as HAProxy does. Nothing is like it: all that begin so.
fn matching(words: &[String], expert: bool) -> String {
    let always = |c: &&Command| cmd::session::ALWAYS.iter().any(|a| a.words == c.words);
    let visible = || commands().filter(|c| expert || !cmd::is_for_experts(c));
    let common = |c: &Command| c.words.iter().zip(words).take_while(|(own, given)| own == given).count();
    let exact = visible().map(common).max().unwrap_or(0);
    let family = || visible().filter(|c| common(c) == exact && !always(c));
    let mut chosen: Vec<&Command> = match words.get(exact).filter(|word| !word.is_empty()) {
        Some(_) => alike(family(), &words[exact..words.len().min(WORDS)], exact),
        None => Vec::new(),
    };
    if chosen.is_empty() {
        chosen = family().collect();
    }
    chosen.sort_by_key(|c| c.words);
    chosen.into_iter().chain(cmd::session::ALWAYS).map(line).collect()
}

/// Those whose words behind the first `exact` are like `rest`.
fn alike<'c>(all: impl Iterator<Item = &'c Command>, rest: &[String], exact: usize) -> Vec<&'c Command> {
    let given = Print::of(rest.iter().map(String::as_str));
    let mut near: Vec<(u32, &Command)> = all
        .filter_map(|c| {
            let own = Print::of(c.words[exact..].iter().copied());
            let distance = given.distance(&own);
            // With nothing in common it is about two and a half for each character.
            (distance < 5 * (given.length + own.length) / 2).then_some((distance, c))
        })
        .collect();
    near.sort_by_key(|(distance, _)| *distance);
    near.truncate(PROPOSALS);
    let best = near.first().map_or(0, |(distance, _)| *distance);
    near.into_iter().take_while(|(distance, _)| *distance <= 5 * best / 2).map(|(_, c)| c).collect()
}

/// How often which character follows which in some words, and which characters there are.
struct Print {
    counts: Vec<u8>,
    /// Characters in all.
    length: u32,
}

impl Print {
    /// Classes of characters: letters, digits, all others with begin and end; row 0 marks those that are there.
    const CLASSES: usize = 32;
    const OTHER: usize = 28;

    fn of<'w>(words: impl Iterator<Item = &'w str>) -> Self {
        let mut counts = vec![0u8; Self::CLASSES * Self::CLASSES];
        let mut length = 0;
        for word in words {
            length += word.len() as u32;
            let mut from = Self::OTHER;
            for byte in word.bytes() {
                let to = match byte.to_ascii_lowercase() {
                    letter @ b'a'..=b'z' => usize::from(letter - b'a') + 1,
                    b'0'..=b'9' => 27,
                    _ => Self::OTHER,
                };
                counts[to] = 1;
                let pair = &mut counts[Self::CLASSES * from + to];
                *pair = pair.saturating_add(1);
                from = to;
            }
            let end = &mut counts[Self::CLASSES * from + Self::OTHER];
            *end = end.saturating_add(1);
        }
        Self { counts, length }
    }

    fn distance(&self, other: &Self) -> u32 {
        self.counts.iter().zip(&other.counts).map(|(a, b)| u32::from(a.abs_diff(*b))).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&str> {
        text.lines().skip(1).map(|line| line[2..].split(':').next().unwrap_or_default().trim_end()).collect()
    }

    #[test]
    fn what_is_like_a_command_is_proposed_and_sorted() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let said = unknown(&words("show srvers state"), false);
        assert!(said.starts_with(
            "Unknown command: 'show', but maybe one of the following ones is a better match:\n"
        ));
        assert!(names(&said).contains(&"show servers state [<backend>]"), "{said}");
        let said = unknown(&words("shutdown sesion"), false);
        assert!(names(&said).contains(&"shutdown session [id]"), "{said}");
        // Nothing behind the first word: all that begin with it.
        let said = unknown(&words("set maxconn"), false);
        assert_eq!(names(&said).len(), 3 + cmd::session::ALWAYS.len(), "{said}");
        let all = listing(&[], false);
        let mut sorted = names(&all);
        sorted.truncate(sorted.len() - cmd::session::ALWAYS.len());
        assert!(sorted.is_sorted(), "{sorted:?}");
        assert!(!all.contains("debug dev write") && listing(&[], true).contains("debug dev write"));
        assert!(
            unknown(&[], false)
                .starts_with("Unknown command: ''. Please enter one of the following commands only:\n")
        );
        // Any length of rubbish is compared.
        assert!(unknown(&["a".repeat(100_000)], false).lines().count() > cmd::session::ALWAYS.len());
    }
}
