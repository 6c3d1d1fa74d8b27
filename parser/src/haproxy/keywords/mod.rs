//! Every keyword, one row each, one file per family.

mod bind;
mod checks;
mod common;
mod global;
mod log;
mod options;
mod other;
mod proxy;
mod retired;
mod rules;
mod sections;
mod server;
mod stats;
mod timeouts;
mod tune;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::grammar::Keyword;
use super::section::{PROXIES, Sections};
use crate::lex::Word;

pub use bind::BIND;
pub use log::{FACILITIES, LEVELS};
pub use server::SERVER;

/// The families.
pub const FAMILIES: &[&[Keyword]] = &[
    global::KEYWORDS,
    tune::KEYWORDS,
    log::KEYWORDS,
    proxy::KEYWORDS,
    timeouts::KEYWORDS,
    options::KEYWORDS,
    stats::KEYWORDS,
    checks::KEYWORDS,
    rules::KEYWORDS,
    bind::KEYWORDS,
    server::KEYWORDS,
    other::KEYWORDS,
    retired::KEYWORDS,
    sections::KEYWORDS,
];

/// All rows.
pub fn all() -> impl Iterator<Item = &'static Keyword> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

/// A row with the words of its name after the first.
struct Indexed {
    more: Box<[&'static str]>,
    row: &'static Keyword,
}

/// Rows by first word, longest names first.
static INDEX: LazyLock<HashMap<&'static str, Vec<Indexed>>> = LazyLock::new(|| {
    let mut index: HashMap<_, Vec<_>> = HashMap::new();
    for row in all() {
        let more = row.name.split(' ').skip(1).collect();
        index.entry(first_word(row.name)).or_default().push(Indexed { more, row });
    }
    for rows in index.values_mut() {
        rows.sort_by_key(|indexed| std::cmp::Reverse(indexed.more.len()));
    }
    index
});

fn first_word(name: &'static str) -> &'static str {
    name.split(' ').next().unwrap_or(name)
}

/// Number of words in a name.
#[must_use]
pub fn word_count(name: &str) -> usize {
    name.split(' ').count()
}

/// What a line's first words are.
#[derive(Clone, Copy, Debug)]
pub enum Lookup {
    /// This keyword.
    Found(&'static Keyword),
    /// This keyword, which may not stand in this section.
    Elsewhere(&'static Keyword),
    /// The first word begins keywords of this section, but with other second words.
    Family,
    /// Nothing known.
    Unknown,
}

/// Looks up the keyword that `words` begin with.
#[must_use]
pub fn lookup(words: &[Word], section: Sections) -> Lookup {
    let Some(rows) = words.first().and_then(|word| INDEX.get(word.text())) else { return Lookup::Unknown };
    let matches = |indexed: &&Indexed| {
        let mut words = words[1..].iter();
        indexed.more.iter().all(|part| words.next().is_some_and(|word| is_called(word, part)))
    };
    let here = |indexed: &&Indexed| indexed.row.sections & section != 0;
    if let Some(found) = rows.iter().filter(here).find(matches) {
        return Lookup::Found(found.row);
    }
    // Proxies know the whole name of what belongs to their other half: `option allbackups` in a frontend.
    let proxy = section & PROXIES;
    let sibling = rows.iter().filter(matches).find(|found| proxy != 0 && found.row.sections & PROXIES != 0);
    if let Some(sibling) = sibling {
        return Lookup::Elsewhere(sibling.row);
    }
    if rows.iter().filter(here).any(|indexed| !indexed.more.is_empty()) {
        return Lookup::Family;
    }
    rows.iter().find(matches).map_or(Lookup::Unknown, |found| Lookup::Elsewhere(found.row))
}

/// Whether a word is this part of a keyword; the names of check actions have their variable behind them:
/// `set-var(check.port)`.
fn is_called(word: &str, part: &str) -> bool {
    word == part
        || (part.ends_with("set-var") || matches!(part, "set-var-fmt" | "rdp-cookie"))
            && word.strip_prefix(part).is_some_and(|rest| rest.starts_with('('))
}

/// The row of that name in these sections.
#[must_use]
pub fn row(name: &str, sections: Sections) -> Option<&'static Keyword> {
    INDEX
        .get(name.split(' ').next()?)?
        .iter()
        .map(|indexed| indexed.row)
        .find(|row| row.name == name && row.sections & sections != 0)
}

/// The second words that keywords beginning with `first` have in a section.
pub fn second_words(first: &str, section: Sections) -> Vec<&'static str> {
    let rows = INDEX.get(first).map(Vec::as_slice).unwrap_or_default();
    let seconds = rows.iter().filter(|indexed| indexed.row.sections & section != 0);
    let mut words: Vec<_> = seconds.filter_map(|indexed| indexed.more.first().copied()).collect();
    words.dedup();
    words
}

/// The first words of all keywords of a section.
pub fn first_words(section: Sections) -> Vec<&'static str> {
    let mut words: Vec<_> =
        all().filter(|row| row.sections & section != 0).map(|row| first_word(row.name)).collect();
    words.sort_unstable();
    words.dedup();
    words
}
