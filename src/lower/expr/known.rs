//! Every fetch and converter there is: its arguments, its types, and for fetches the phases in which they have a value.
//!
//! The two tables beside this file have one line per name. Arguments are letters: `s` text, `i` integer, `t` table,
//! `b` backend, `f` frontend, `v` server, `u` userlist, `r` regular expression, `4`/`6` addresses, `m`/`M` masks, `p` the
//! number of a protobuf field; what follows `?` may be missing. Phases are the bits of [`super::check::phase`].
//!
//! A name that this build evaluates has a row with a builder as well (`fetch`, `conv`). For one that it does not, these
//! tables are what makes a configuration be judged all the same.

use std::collections::HashMap;
use std::sync::LazyLock;

use tandem_parser::diagnostic::Reason;

use super::args::Args;
use super::{Language, Read};
use crate::ir::expr::SampleType;

/// A fetch.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownFetch {
    pub(super) args: &'static str,
    pub(super) out: SampleType,
    pub(super) phases: u32,
}

/// A converter.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownConv {
    pub(super) args: &'static str,
    pub(super) input: SampleType,
    /// `None`: what comes in.
    pub(super) out: Option<SampleType>,
}

static FETCHES: LazyLock<HashMap<&'static str, KnownFetch>> = LazyLock::new(|| {
    let rows = include_str!("known/fetches.tsv").lines().filter_map(|line| {
        let mut cells = line.split('\t');
        let (name, args, out, phases) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
        let phases = u32::from_str_radix(phases, 16).ok()?;
        Some((name, KnownFetch { args: args.trim_start_matches('-'), out: kind(out)?, phases }))
    });
    rows.collect()
});

static CONVS: LazyLock<HashMap<&'static str, KnownConv>> = LazyLock::new(|| {
    let rows = include_str!("known/converters.tsv").lines().filter_map(|line| {
        let mut cells = line.split('\t');
        let (name, args, input, out) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
        Some((name, KnownConv { args: args.trim_start_matches('-'), input: kind(input)?, out: kind(out) }))
    });
    rows.collect()
});

fn kind(name: &str) -> Option<SampleType> {
    Some(match name {
        "any" => SampleType::Any,
        "bool" => SampleType::Bool,
        "sint" => SampleType::Int,
        "addr" => SampleType::Addr,
        "ipv4" => SampleType::Ipv4,
        "ipv6" => SampleType::Ipv6,
        "str" => SampleType::Str,
        "bin" => SampleType::Bin,
        "meth" => SampleType::Meth,
        // `same`: what comes in.
        _ => return None,
    })
}

/// The fetch of that name.
pub(super) fn fetch(name: &str) -> Option<KnownFetch> {
    FETCHES.get(name).copied()
}

/// The converter of that name.
pub(super) fn conv(name: &str) -> Option<KnownConv> {
    CONVS.get(name).copied()
}

/// Names of all fetches.
pub(super) fn fetch_names() -> impl Iterator<Item = &'static str> {
    FETCHES.keys().copied()
}

/// Names of all converters.
pub(super) fn conv_names() -> impl Iterator<Item = &'static str> {
    CONVS.keys().copied()
}

/// Arguments as the manual would write them.
pub(super) fn usage(args: &str) -> String {
    if args.is_empty() {
        return String::new();
    }
    let (must, may) = args.split_once('?').unwrap_or((args, ""));
    let nouns =
        |letters: &str| letters.chars().map(|c| format!("<{}>", noun(c))).collect::<Vec<_>>().join(",");
    match (must, may) {
        (must, "") => format!("({})", nouns(must)),
        ("", may) => format!("([{}])", nouns(may)),
        (must, may) => format!("({}[,{}])", nouns(must), nouns(may)),
    }
}

fn noun(letter: char) -> &'static str {
    match letter {
        'i' => "integer",
        't' => "table",
        'b' => "backend",
        'f' => "frontend",
        'v' => "server",
        'u' => "userlist",
        'r' => "regex",
        '4' | '6' => "address",
        'm' | 'M' => "mask",
        'p' => "field",
        _ => "string",
    }
}

/// Checks the arguments of a call that is not evaluated: their number, their types, and that what they name exists.
pub(super) fn check(l: &mut Language<'_>, a: &Args<'_>, args: &str) -> Read<()> {
    let (must, may) = args.split_once('?').unwrap_or((args, ""));
    // A proxy may be left out: it is the one whose line this is.
    let needed = if must.len() == 1 && must.starts_with(['t', 'b', 'f', 'v']) { 0 } else { must.len() };
    a.count(l, needed, must.len() + may.len())?;
    for (nth, letter) in must.chars().chain(may.chars()).enumerate() {
        let Some(text) = a.filled(nth) else { continue };
        match letter {
            'i' => {
                a.int(l, nth)?;
            }
            't' if !l.world.table(text) => {
                let message = format!(
                    "unable to find table '{text}' referenced in arg {} of '{}'.",
                    nth + 1,
                    a.call.name
                );
                return l.alert(Reason::UnknownReference, a.span(nth), message);
            }
            _ => {}
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_tables_is_read() {
        assert_eq!(FETCHES.len(), include_str!("known/fetches.tsv").lines().count());
        assert_eq!(CONVS.len(), include_str!("known/converters.tsv").lines().count());
        assert_eq!(usage("s?ii"), "(<string>[,<integer>,<integer>])");
    }
}
