//! `map` and its relatives: files are read when the configuration is.

use std::collections::HashMap;
use std::sync::Arc;

use tandem_parser::lex::{bytes_of, text_of};

use super::args::Args;
use super::criterion::first_error;
use super::names::{Build, ConvRow};
use super::pattern::{self, Operator, Spelling};
use super::reference::{Make, Nowhere};
use super::{Language, Read};
use crate::expr::pattern as index;
use crate::expr::pattern::ordered;
use crate::expr::pattern::regexes::listed;
use crate::expr::pattern::table::{self, Prefer};
use crate::expr::sample::{leading_int, text_ip};
use crate::ir::expr::{Conv, Map, MapKeys, SampleType, Value};
use crate::ir::pattern::MatchMethod as M;
use crate::ir::regex::Regex;

/// What a map yields.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    Text,
    Int,
    Ip,
    /// The key that matched, as it is written.
    Key,
}

const fn row(name: &'static str, build: Build<Conv>) -> ConvRow {
    ConvRow { name, usage: "(<map_file>[,<default_value>])", count: (1, 2), build }
}

pub(super) const ROWS: &[ConvRow] = &[
    row("map", |l, a| map(l, a, M::Str, Output::Text, false)),
    row("map_str", |l, a| map(l, a, M::Str, Output::Text, false)),
    row("map_str_key", |l, a| map(l, a, M::Str, Output::Key, false)),
    row("map_str_int", |l, a| map(l, a, M::Str, Output::Int, false)),
    row("map_str_ip", |l, a| map(l, a, M::Str, Output::Ip, false)),
    row("map_beg", |l, a| map(l, a, M::Beg, Output::Text, false)),
    row("map_beg_key", |l, a| map(l, a, M::Beg, Output::Key, false)),
    row("map_beg_int", |l, a| map(l, a, M::Beg, Output::Int, false)),
    row("map_beg_ip", |l, a| map(l, a, M::Beg, Output::Ip, false)),
    row("map_end", |l, a| map(l, a, M::End, Output::Text, false)),
    row("map_end_key", |l, a| map(l, a, M::End, Output::Key, false)),
    row("map_end_int", |l, a| map(l, a, M::End, Output::Int, false)),
    row("map_end_ip", |l, a| map(l, a, M::End, Output::Ip, false)),
    row("map_sub", |l, a| map(l, a, M::Sub, Output::Text, false)),
    row("map_sub_key", |l, a| map(l, a, M::Sub, Output::Key, false)),
    row("map_sub_int", |l, a| map(l, a, M::Sub, Output::Int, false)),
    row("map_sub_ip", |l, a| map(l, a, M::Sub, Output::Ip, false)),
    row("map_dir", |l, a| map(l, a, M::Dir, Output::Text, false)),
    row("map_dir_key", |l, a| map(l, a, M::Dir, Output::Key, false)),
    row("map_dir_int", |l, a| map(l, a, M::Dir, Output::Int, false)),
    row("map_dir_ip", |l, a| map(l, a, M::Dir, Output::Ip, false)),
    row("map_dom", |l, a| map(l, a, M::Dom, Output::Text, false)),
    row("map_dom_key", |l, a| map(l, a, M::Dom, Output::Key, false)),
    row("map_dom_int", |l, a| map(l, a, M::Dom, Output::Int, false)),
    row("map_dom_ip", |l, a| map(l, a, M::Dom, Output::Ip, false)),
    row("map_reg", |l, a| map(l, a, M::Reg, Output::Text, false)),
    row("map_reg_key", |l, a| map(l, a, M::Reg, Output::Key, false)),
    row("map_reg_int", |l, a| map(l, a, M::Reg, Output::Int, false)),
    row("map_reg_ip", |l, a| map(l, a, M::Reg, Output::Ip, false)),
    row("map_regm", |l, a| map(l, a, M::Reg, Output::Text, true)),
    row("map_int", |l, a| map(l, a, M::Int, Output::Text, false)),
    row("map_int_key", |l, a| map(l, a, M::Int, Output::Key, false)),
    row("map_int_int", |l, a| map(l, a, M::Int, Output::Int, false)),
    row("map_int_ip", |l, a| map(l, a, M::Int, Output::Ip, false)),
    row("map_ip", |l, a| map(l, a, M::Ip, Output::Text, false)),
    row("map_ip_key", |l, a| map(l, a, M::Ip, Output::Key, false)),
    row("map_ip_int", |l, a| map(l, a, M::Ip, Output::Int, false)),
    row("map_ip_ip", |l, a| map(l, a, M::Ip, Output::Ip, false)),
];

fn value(text: &str, output: Output) -> Option<Value> {
    match output {
        Output::Text | Output::Key => Some(Value::Str(bytes_of(text).into())),
        // Without digits it is 0.
        Output::Int => {
            let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
            let is_whole = digits.bytes().all(|byte| byte.is_ascii_digit());
            is_whole.then(|| Value::Int(leading_int(text.as_bytes())))
        }
        Output::Ip => text_ip(text.as_bytes()).map(Value::from),
    }
}

impl Output {
    fn kind(self) -> SampleType {
        match self {
            Output::Text | Output::Key => SampleType::Str,
            Output::Int => SampleType::Int,
            Output::Ip => SampleType::Addr,
        }
    }

    /// As the stats socket calls it.
    fn name(self) -> &'static str {
        match self {
            Output::Text | Output::Key => "str",
            Output::Int => "sint",
            Output::Ip => "ip",
        }
    }

    fn is_value(self) -> fn(&str) -> bool {
        match self {
            Output::Text | Output::Key => |_| true,
            Output::Int => |text| value(text, Output::Int).is_some(),
            Output::Ip => |text| value(text, Output::Ip).is_some(),
        }
    }
}

/// What stays of a map when its entries change.
#[derive(Clone)]
pub(super) struct Kind {
    pub(super) file: Box<str>,
    pub(super) method: M,
    pub(super) output: Output,
    pub(super) substitute: bool,
    pub(super) default: Option<Value>,
}

fn map(l: &mut Language<'_>, a: &Args<'_>, method: M, output: Output, substitute: bool) -> Read<Conv> {
    let file = a.opt(0).unwrap_or_default();
    let default = match (a.opt(1), output) {
        (None, _) => None,
        (Some(_), Output::Int) => a.opt_int(l, 1)?.map(Value::Int),
        (Some(text), _) => match value(text, output) {
            Some(value) => Some(value),
            None => return a.invalid(l, 1, format!("map: cannot parse default ip <{text}>.")),
        },
    };
    let text = l.read_text(file, a.span(0))?.unwrap_or_default();
    if let Err(cause) = l.has_columns(file, true) {
        return a.invalid(l, 0, cause);
    }
    let entries: Vec<(&str, &str)> = pattern::entries(&text).collect();
    let kind = Kind { file: file.into(), method, output, substitute, default };
    match make(&kind, &entries, &|_| None) {
        Ok(mut map) => {
            let make: Make = Box::new(move |entries, known| make(&kind, entries, known));
            l.follow_map(&mut map, a.span(0), output.name(), &text, output.is_value(), make);
            Some(Conv::Map(map))
        }
        Err(message) => match first_error(&entries, |entry| make(&kind, &[*entry], &|_| None).map(drop)) {
            Some((at, message)) => a.invalid(l, 0, format!("{message} {}", pattern::place(&text, at, file))),
            None => a.invalid(l, 0, message),
        },
    }
}

/// Makes a map of these lines; `known_regex` has regular expressions that need not be made again.
pub(super) fn make(
    kind: &Kind,
    lines: &[(&str, &str)],
    known_regex: &dyn Fn(&str) -> Option<Regex>,
) -> Result<Map, String> {
    let Kind { file, method, output, substitute, default } = kind.clone();
    let spelling = Spelling { method, dotted: false, no_dns: true, world: &Nowhere };
    let mut entries: Vec<(index::Pattern, &str, Value)> = Vec::with_capacity(lines.len());
    for (key, result) in lines {
        let result = if output == Output::Key { key } else { result };
        let Some(result) = value(result, output) else {
            return Err(format!("unable to parse '{result}'"));
        };
        entries.push((spelling.read(key, Operator::Eq)?, key, result));
    }
    let mut values: Vec<Value> = Vec::new();
    let mut known = HashMap::new();
    let mut rows: Vec<(index::Pattern, &str, u32)> = Vec::with_capacity(entries.len());
    for (pattern, key, value) in entries {
        let position = *known.entry(value.clone()).or_insert_with(|| {
            values.push(value);
            values.len() as u32 - 1
        });
        rows.push((pattern, key, position));
    }
    let exact: Vec<_> = rows.iter().map(|(_, key, at)| (bytes_of(key), *at)).collect();
    let texts = || -> Vec<(&[u8], u32)> { exact.iter().map(|(key, at)| (&**key, *at)).collect() };
    let keys = match method {
        M::Str => MapKeys::Exact(Arc::new(table::exact(&texts()))),
        M::Beg => MapKeys::Prefix(Arc::new(table::prefixes(&texts(), Prefer::Longest))),
        M::End => MapKeys::Suffix(Arc::new(table::suffixes(&texts(), Prefer::First))),
        M::Ip => {
            let nets: Vec<_> = rows.iter().map(|(pattern, _, at)| (pattern.clone(), *at)).collect();
            MapKeys::Nets(Arc::new(table::networks(&nets)))
        }
        _ => {
            let patterns = rows.iter().map(|(pattern, ..)| pattern.clone());
            let rows: Vec<_> =
                texts().into_iter().zip(patterns).map(|((key, at), pattern)| (key, pattern, at)).collect();
            let compile = |key: &[u8]| {
                let key = text_of(key);
                known_regex(&key).map_or_else(|| listed(&key, false, substitute), Ok)
            };
            MapKeys::Ordered(Arc::new(ordered::ordered(method, &rows, compile)?))
        }
    };
    let out = output.kind();
    Ok(Map {
        file,
        keys,
        values: values.into(),
        default,
        substitute,
        method,
        out,
        changed: None,
        newer: None,
    })
}

/// Bits that a network fixes.
pub(super) fn specificity(pattern: &index::Pattern) -> u32 {
    match pattern {
        index::Pattern::Net4(_, mask) => mask.count_ones(),
        index::Pattern::Net6(_, len) => (*len).into(),
        _ => 0,
    }
}
