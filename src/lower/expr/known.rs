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
use super::check::phase;
use super::{Language, Read, scoped};
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

/// A fetch or converter as `-dK` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Types of its arguments in parentheses, or nothing.
    pub args: String,
    /// What goes in; empty for a fetch.
    pub input: &'static str,
    /// What comes out.
    pub out: &'static str,
    /// Phases in which a fetch has a value, one bit each; 0 for a converter.
    pub phases: u32,
}

impl Signature {
    /// What it yields, from what or when, in a few words.
    #[must_use]
    pub fn in_words(&self) -> String {
        if !self.input.is_empty() {
            return format!("{} from {}", spelled(self.out), spelled(self.input));
        }
        let any = |bits: u32| self.phases & bits != 0;
        let request = phase::REQUEST_FE | phase::REQUEST_BE | phase::CONTENT_FE | phase::CONTENT_BE;
        let response = phase::RESPONSE_FE | phase::RESPONSE_BE | phase::ANSWER_FE | phase::ANSWER_BE;
        let when = match (any(phase::CONNECTION), any(request), any(response)) {
            (true, _, true) => "at any time",
            (true, ..) => "until the request is sent",
            (_, true, true) => "from the request on",
            (_, true, false) => "of a request",
            (_, false, true) => "of a response",
            _ if any(phase::CHECK) => "in checks",
            _ if any(phase::LOG) => "in the log",
            _ => "nowhere yet",
        };
        format!("{}, {when}", spelled(self.out))
    }
}

/// The type of a sample as a person would name it.
fn spelled(name: &'static str) -> &'static str {
    match name {
        "sint" => "a number",
        "str" => "a text",
        "bin" => "bytes",
        "bool" => "yes or no",
        "addr" => "an address",
        "ipv4" => "an IPv4 address",
        "ipv6" => "an IPv6 address",
        "meth" => "a method",
        "any" => "anything",
        "same" => "the same type",
        other => other,
    }
}

/// The signature of a `fetch` or `converter`.
#[must_use]
pub fn signature(class: &str, name: &str) -> Option<Signature> {
    if class == "fetch" {
        let known = fetch(name)?;
        let args = types(known.args);
        return Some(Signature { args, input: "", out: type_name(known.out), phases: known.phases });
    }
    let known = conv(name)?;
    let (input, out) = (type_name(known.input), known.out.map_or("same", type_name));
    Some(Signature { args: types(known.args), input, out, phases: 0 })
}

fn type_name(kind: SampleType) -> &'static str {
    match kind {
        SampleType::Any => "any",
        SampleType::Bool => "bool",
        SampleType::Int => "sint",
        SampleType::Addr => "addr",
        SampleType::Ipv4 => "ipv4",
        SampleType::Ipv6 => "ipv6",
        SampleType::Str => "str",
        SampleType::Bin => "bin",
        SampleType::Meth => "meth",
    }
}

/// The type of an argument of a fetch or a converter.
pub(super) fn type_at(name: &str, converter: bool, nth: usize) -> &'static str {
    let args =
        if converter { conv(name).map(|known| known.args) } else { fetch(name).map(|known| known.args) };
    type_of(args.unwrap_or_default().chars().filter(|letter| *letter != '?').nth(nth).unwrap_or('s'))
}

/// The type of an argument as HAProxy names it.
fn type_of(letter: char) -> &'static str {
    match letter {
        'i' => "integer",
        't' => "table",
        'b' => "backend",
        'f' => "frontend",
        'v' => "server",
        'u' => "user list",
        'r' => "regex",
        '4' => "IPv4 address",
        '6' => "IPv6 address",
        'm' => "IPv4 mask",
        'M' => "IPv6 mask",
        'p' => "Protocol buffers field number",
        _ => "string",
    }
}

/// Types of arguments as HAProxy names them.
fn types(args: &str) -> String {
    let name = type_of;
    if args.is_empty() {
        return String::new();
    }
    let (must, may) = args.split_once('?').unwrap_or((args, ""));
    let list = |letters: &str| letters.chars().map(name).collect::<Vec<_>>().join(",");
    match (must, may) {
        (must, "") => format!("({})", list(must)),
        ("", may) => format!("([{}])", list(may)),
        (must, may) => format!("({}[,{}])", list(must), list(may)),
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
        let own = (letter == 't' && nth < must.len()).then(|| l.own_table());
        let Some(text) = a.filled(nth).map(str::to_owned).or(own) else {
            if nth < must.len() && matches!(letter, 'i' | 'r' | '4' | '6' | 'm' | 'M' | 'p') {
                let kind = type_of(letter);
                let cause = format!("expected type '{kind}' at position {}, but got nothing", nth + 1);
                return a.mistyped(l, nth, &cause);
            }
            continue;
        };
        match letter {
            'i' => {
                a.int(l, nth)?;
            }
            't' if !l.world.table(&text) => {
                let message = format!(
                    "unable to find table '{text}' referenced in arg {} of '{}'.",
                    nth + 1,
                    a.call.name
                );
                return l.alert(Reason::UnknownReference, a.span(nth), message);
            }
            _ => {}
        }
        if let Some(why) = wrong_value(&a.call.name, nth, &text) {
            return a.invalid(l, nth, why.to_owned());
        }
    }
    let certificate = a.filled(0).unwrap_or_default();
    if a.call.name == "jwt_decrypt_cert" && !is_variable(certificate) && !l.world.certificates() {
        return a.invalid(l, 0, format!("unknown certificate {certificate}"));
    }
    if a.filled(0).is_none() && a.call.name.starts_with("internal.htx_blk.") {
        return a.invalid(l, 0, BLOCK.to_owned());
    }
    Some(())
}

pub(super) const BLOCK: &str =
    "a block position is expected (> 0) or a special block name (head, tail, first)";

/// What else HAProxy asks of an argument, where its type does not say it.
fn wrong_value(name: &str, nth: usize, text: &str) -> Option<&'static str> {
    let is_variable = || is_variable(text);
    match (name, nth) {
        (name, 0) if name.starts_with("internal.htx_blk.") => {
            let known = matches!(text, "head" | "tail" | "first") || text.parse::<u32>().is_ok();
            (!known).then_some("invalid block position")
        }
        (name, 2) if name.starts_with("ssl_") && name.ends_with("_dn") => (text != "rfc2253")
            .then_some("only rfc2253 or a blank value are currently supported as the format argument"),
        ("jwt_decrypt_secret", 0) => {
            let digit = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
            let encoded = text.len().is_multiple_of(4) && text.trim_end_matches('=').bytes().all(digit);
            (!encoded && !is_variable()).then_some("the secret has to be base64 encoded, or a variable")
        }
        ("jwt_decrypt_jwk", 0) => (!text.contains("kty") && !is_variable())
            .then_some("missing key type (expected 'oct', 'RSA' or 'EC')"),
        _ => None,
    }
}

/// Is it the name of a variable?
fn is_variable(text: &str) -> bool {
    scoped(text).is_some()
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
