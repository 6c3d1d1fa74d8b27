//! What there is: one row per fetch and converter, and the names that are known but not evaluated yet.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::args::Args;
use super::check::Valid;
use super::{Language, Read, conv, fetch, known};
use crate::ir::expr::{Conv, Fetch};

/// Makes a fetch or converter of its arguments.
pub(super) type Build<T> = fn(&mut Language<'_>, &Args<'_>) -> Read<T>;

/// A fetch.
pub(super) struct FetchRow {
    pub(super) name: &'static str,
    /// Arguments as the manual writes them.
    pub(super) usage: &'static str,
    /// Least and greatest number of arguments.
    pub(super) count: (usize, usize),
    pub(super) valid: Valid,
    pub(super) build: Build<Fetch>,
}

/// A converter.
pub(super) struct ConvRow {
    pub(super) name: &'static str,
    pub(super) usage: &'static str,
    pub(super) count: (usize, usize),
    pub(super) build: Build<Conv>,
}

/// A name of the expression language, for `tandem keywords` and `-dK`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `fetch` or `converter`.
    pub kind: &'static str,
    /// Name.
    pub name: &'static str,
    /// Arguments as the manual writes them.
    pub usage: String,
    /// Why it cannot be used yet; `None`: it can.
    pub missing: Option<&'static str>,
}

const TABLES: &str = "stick tables are not implemented yet";
const TLS: &str = "TLS is not implemented yet";
const BUILD: &str = "it belongs to a library that this program does not contain";
pub(super) const LATER: &str = "it is not implemented yet";
const INTERNAL: &str = "it shows HAProxy's own internals";
const CACHE: &str = "the cache and compression are not implemented yet";

/// Fetches that are known and not evaluated.
const FETCHES_LATER: &[(&str, &str)] = &[
    ("fcgi.docroot", LATER),
    ("fcgi.index", LATER),
    ("res.cache_hit", CACHE),
    ("res.cache_name", CACHE),
    ("res.comp", CACHE),
    ("res.comp_algo", CACHE),
    ("term_events", INTERNAL),
    ("bs.id", INTERNAL),
    ("fs.id", INTERNAL),
    ("51d.all", BUILD),
    ("wurfl-get", BUILD),
    ("device-atlas", BUILD),
];

/// Converters that are known and not evaluated.
const CONVS_LATER: &[(&str, &str)] =
    &[("in_table", TABLES), ("x509_v_err_str", TLS), ("51d.single", BUILD), ("da-csv-conv", BUILD)];

/// Families of names, by how they start.
const FETCH_FAMILIES: &[(&str, &str)] = &[
    ("sc_", TABLES),
    ("sc0_", TABLES),
    ("sc1_", TABLES),
    ("sc2_", TABLES),
    ("src_", TABLES),
    ("table_", TABLES),
    ("ssl_", TLS),
    ("internal.", INTERNAL),
    ("spoe.", LATER),
    ("lua.", "Lua is not implemented yet"),
];

const CONV_FAMILIES: &[(&str, &str)] =
    &[("table_", TABLES), ("jwt_", TLS), ("lua.", "Lua is not implemented yet")];

fn later(
    name: &str,
    list: &[(&str, &'static str)],
    families: &[(&str, &'static str)],
) -> Option<&'static str> {
    list.iter()
        .find(|(known, _)| *known == name)
        .or_else(|| families.iter().find(|(start, _)| name.starts_with(start)))
        .map(|(_, reason)| *reason)
}

/// Why a fetch that has no row cannot be used; `None`: there is no such fetch.
pub(super) fn fetch_later(name: &str) -> Option<&'static str> {
    later(name, FETCHES_LATER, FETCH_FAMILIES)
}

/// Why a converter that has no row cannot be used; `None`: there is no such converter.
pub(super) fn conv_later(name: &str) -> Option<&'static str> {
    later(name, CONVS_LATER, CONV_FAMILIES)
}

static FETCHES: LazyLock<HashMap<&'static str, &'static FetchRow>> =
    LazyLock::new(|| fetch::ROWS.iter().flat_map(|rows| rows.iter()).map(|row| (row.name, row)).collect());

static CONVS: LazyLock<HashMap<&'static str, &'static ConvRow>> =
    LazyLock::new(|| conv::ROWS.iter().flat_map(|rows| rows.iter()).map(|row| (row.name, row)).collect());

pub(super) fn fetch_row(name: &str) -> Option<&'static FetchRow> {
    FETCHES.get(name).copied()
}

pub(super) fn conv_row(name: &str) -> Option<&'static ConvRow> {
    CONVS.get(name).copied()
}

/// How a fetch or converter is written.
pub(super) fn usage(name: &str) -> String {
    let usage = fetch_row(name).map(|row| row.usage).or_else(|| conv_row(name).map(|row| row.usage));
    let known = known::fetch(name).map(|row| row.args).or_else(|| known::conv(name).map(|row| row.args));
    let usage = usage.map_or_else(|| known.map(known::usage).unwrap_or_default(), str::to_owned);
    format!("usage: {name}{usage}")
}

/// Every fetch and converter, used or not.
pub fn rows() -> impl Iterator<Item = Row> {
    let done = |kind, name, usage: &str| Row { kind, name, usage: usage.to_owned(), missing: None };
    let fetches =
        fetch::ROWS.iter().flat_map(|rows| rows.iter()).map(move |r| done("fetch", r.name, r.usage));
    let convs = conv::ROWS.iter().flat_map(|rows| rows.iter());
    let convs = convs.map(move |r| done("converter", r.name, r.usage));
    let fetches_later = known::fetch_names().filter(|name| fetch_row(name).is_none()).map(|name| Row {
        kind: "fetch",
        name,
        usage: known::fetch(name).map(|row| known::usage(row.args)).unwrap_or_default(),
        missing: Some(fetch_later(name).unwrap_or(LATER)),
    });
    let convs_later = known::conv_names().filter(|name| conv_row(name).is_none()).map(|name| Row {
        kind: "converter",
        name,
        usage: known::conv(name).map(|row| known::usage(row.args)).unwrap_or_default(),
        missing: Some(conv_later(name).unwrap_or(LATER)),
    });
    fetches.chain(fetches_later).chain(convs).chain(convs_later)
}
