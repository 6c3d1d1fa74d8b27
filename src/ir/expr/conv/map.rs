//! `map*`: keys and results.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::super::pattern::MatchMethod;
use super::super::super::reference::Newer;
use super::super::super::table::{ExactTable, NetTable, OrderedTable, PrefixTable};
use super::super::{SampleType, Value};

/// Key, result and search of a map converter.
#[derive(Clone, Debug)]
pub struct Map {
    /// File name as written (its identity on the stats socket).
    pub file: Box<str>,
    /// Keys; they yield positions in `values`.
    pub keys: MapKeys,
    /// The different results.
    pub values: Arc<[Value]>,
    /// Result when nothing matches.
    pub default: Option<Value>,
    /// `map_regm`: the result has references to groups (`\1`).
    pub substitute: bool,
    /// How keys are matched.
    pub method: MatchMethod,
    /// Type of the results.
    pub out: SampleType,
    /// What commands changed since `keys` was made.
    pub changed: Option<Arc<Changed>>,
    /// What took its place while running.
    pub newer: Option<Arc<Newer<Map>>>,
}

/// What is different from the index of a [`Map`].
#[derive(Clone, Debug, Default)]
pub struct Changed {
    /// `str`: what these keys yield now (`None`: nothing).
    pub keys: HashMap<Box<[u8]>, Option<Value>>,
    /// Of every other kind: what the keys with these numbers yield now (`None`: they are gone).
    pub numbers: HashMap<u32, Option<Value>>,
    /// And the keys that came later, behind all of the others.
    pub later: Option<Arc<Map>>,
}

/// Index of a map's keys.
#[derive(Clone, Debug)]
pub enum MapKeys {
    /// `str`: the first of equal keys.
    Exact(Arc<ExactTable>),
    /// `beg`: the longest key.
    Prefix(Arc<PrefixTable>),
    /// `end`: the first key in the file that matches.
    Suffix(Arc<PrefixTable>),
    /// `ip`: the smallest network.
    Nets(Arc<NetTable>),
    /// Every other match kind: the first key that fits.
    Ordered(Arc<OrderedTable>),
}
