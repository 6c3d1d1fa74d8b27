//! Lists of patterns that commands may change: how the expressions that use them make their indexes anew.

mod acl;
mod map;
mod read;

use std::borrow::Cow;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use tandem_parser::lex::bytes_of;
use tandem_parser::span::Span;

use super::pattern::{METHODS, Operator, Spelling, method};
use super::{Language, World};
use crate::expr::Sample;
use crate::expr::pattern::regexes::listed;
use crate::expr::pattern::{Pattern, single};
use crate::expr::sample::{Bytes, leading_int, text_ip};
use crate::ir::entries::{Entries, Entry, Meant};
use crate::ir::pattern::MatchMethod;
use crate::ir::{Place, ProxyIdx, Userlist};

pub(super) use acl::{Written, as_one_word};
pub(super) use map::Make;

/// So many patterns or keys may differ from an index before that is made anew.
const MOST_CHANGED: usize = 512;

/// The world of patterns that come while running: they name nothing.
pub(super) struct Nowhere;

impl World for Nowhere {
    fn read(&self, _: &str, _: Span) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
    fn var(&self, _: &str) -> Option<String> {
        None
    }
    fn hostname(&self) -> String {
        String::new()
    }
    fn resolve(&self, _: &str) -> Option<IpAddr> {
        None
    }
    fn offline(&self) -> bool {
        false
    }
    fn frontend(&self, _: &str) -> Option<ProxyIdx> {
        None
    }
    fn backend(&self, _: &str) -> Option<ProxyIdx> {
        None
    }
    fn server(&self, _: ProxyIdx, _: &str) -> Option<u32> {
        None
    }
    fn userlist(&self, _: &str) -> Option<Arc<Userlist>> {
        None
    }
    fn place(&self, _: Span) -> Place {
        Place::default()
    }
}

/// How the keys of a list are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) method: MatchMethod,
    pub(super) ignore_case: bool,
    pub(super) dotted: bool,
}

impl Kind {
    /// The pattern of a key that was read before.
    fn pattern(&self, key: &str) -> Result<Pattern, String> {
        let spelling = Spelling { method: self.method, dotted: self.dotted, no_dns: true, world: &Nowhere };
        spelling.read(key, Operator::Eq)
    }

    fn read(&self, key: &str) -> Result<Pattern, String> {
        let pattern = self.pattern(key)?;
        if self.method == MatchMethod::Reg {
            listed(key, self.ignore_case, false)?;
        }
        Ok(pattern)
    }

    fn name(&self) -> &'static str {
        METHODS.iter().find(|name| method(name) == Some(self.method)).copied().unwrap_or("str")
    }

    /// The pattern of a key if some sample matches both; `None`: that cannot be told.
    fn meeting(&self, pattern: &Pattern, key: &str) -> Option<Option<Pattern>> {
        if let Pattern::Text(text) = pattern
            && self.reads_as_written(key)
            && !single::texts_meet(self.method, self.ignore_case, text, key.as_bytes())?
        {
            return Some(None);
        }
        let other = self.pattern(key).ok()?;
        single::meet(self.method, self.ignore_case, pattern, &other).map(|meet| meet.then_some(other))
    }

    fn sample<'t>(&self, text: &'t str) -> Option<Sample<'t>> {
        Some(match self.method {
            MatchMethod::Int => Sample::Int(leading_int(text.as_bytes())),
            MatchMethod::Ip => Sample::ip(text_ip(text.as_bytes())?),
            _ => match bytes_of(text) {
                Cow::Borrowed(text) => Sample::text(text),
                Cow::Owned(text) => Sample::Str(Bytes::Own(text.into())),
            },
        })
    }

    /// The entry that `text` finds: among those that match the longest of addresses, and prefixes, else the
    /// first.
    fn find(&self, entries: &mut Entries, text: &str) -> Option<usize> {
        if self.ignore_case || !text.is_ascii() || self.method != MatchMethod::Str && !entries.is_quick() {
            return self.search(entries, text);
        }
        // What of the text can be a key of its own is looked for as such.
        let mut first = |key: &str| entries.positions(Meant::Key(key)).first().copied();
        let lengths = 0..=text.len();
        match self.method {
            MatchMethod::Str => first(text),
            MatchMethod::Beg => lengths.rev().find_map(|end| first(&text[..end])),
            MatchMethod::End => lengths.filter_map(|start| first(&text[start..])).min(),
            _ => self.search(entries, text),
        }
    }

    /// The same, entry by entry.
    fn search(&self, entries: &[Entry], text: &str) -> Option<usize> {
        let sample = self.sample(text)?;
        let rank = |entry: &Entry| {
            if let Sample::Str(text) = &sample
                && self.reads_as_written(&entry.key)
                && !single::text_fits(self.method, self.ignore_case, entry.key.as_bytes(), text)
            {
                return None;
            }
            let pattern = self.pattern(&entry.key).ok()?;
            let fits = single::fits(self.method, self.ignore_case, &pattern, &sample);
            fits.then(|| self.rank(&pattern, &sample))
        };
        let matching = entries.iter().enumerate().filter_map(|(at, entry)| Some((at, rank(entry)?)));
        // The first of equals.
        matching.min_by_key(|(_, rank)| std::cmp::Reverse(*rank)).map(|(at, _)| at)
    }

    /// Whether the pattern of this key is the text of the key.
    fn reads_as_written(&self, key: &str) -> bool {
        use MatchMethod::{Beg, Dir, Dom, End, Reg, Str, Sub};
        matches!(self.method, Str | Beg | End | Sub | Dir | Dom | Reg) && key.is_ascii()
    }

    /// Of patterns that match, the one with the highest rank counts.
    fn rank(&self, pattern: &Pattern, sample: &Sample<'_>) -> usize {
        match (self.method, pattern) {
            (MatchMethod::Ip, _) => network_rank(pattern, sample),
            // Letter case is disregarded entry by entry, in their order.
            (MatchMethod::Beg, Pattern::Text(text)) if !self.ignore_case => text.len(),
            _ => 0,
        }
    }
}

/// Networks of the address's own family come first, then those of the other, the longest of each; then masks with holes.
fn network_rank(pattern: &Pattern, sample: &Sample<'_>) -> usize {
    let is_v4 = matches!(sample, Sample::Ipv4(_));
    let class = match pattern {
        Pattern::Net4(_, mask) if mask.leading_ones() + mask.trailing_zeros() < 32 => return 0,
        Pattern::Net4(..) => 1 + usize::from(is_v4),
        _ => 1 + usize::from(!is_v4),
    };
    class * 256 + super::map::specificity(pattern) as usize
}

type Pairs<'t> = Box<dyn Iterator<Item = (&'t str, &'t str)> + 't>;

fn pairs(text: &str) -> Pairs<'_> {
    Box::new(super::pattern::entries(text))
}

fn keys(text: &str) -> Pairs<'_> {
    Box::new(super::pattern::lines(text).map(|key| (key, "")))
}

/// The words of an ACL line, each with a zero byte behind it, which no word has.
fn words_of_line(text: &str) -> Pairs<'_> {
    Box::new(text.split_terminator('\0').map(|word| (word, "")))
}

impl Language<'_> {
    /// Whether the lines of this file are read as ever: with values behind the keys, or without. What is wrong, otherwise.
    pub(super) fn has_columns(&self, file: &str, values: bool) -> Result<(), String> {
        let known = self.world.references().and_then(|all| all.has_values(file));
        let (known, wanted) = match known {
            Some(known) if known != values => {
                if known {
                    ("two", "one")
                } else {
                    ("one", "two")
                }
            }
            _ => return Ok(()),
        };
        Err(format!(
            "The file \"{file}\" is already used as {known} column file and cannot be used by as {wanted} column file."
        ))
    }
}

#[cfg(test)]
mod tests;
