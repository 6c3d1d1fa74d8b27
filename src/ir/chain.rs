//! Lists of conditions of which the first that holds counts, compiled.
//!
//! Data only; [`crate::expr::chain`] builds and walks it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::expr::{Cond, Expr};

/// A compiled list. Positions are those of the list it was made from.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// Steps in order.
    pub steps: Vec<Step>,
}

/// A part of a [`Chain`].
#[derive(Clone, Debug)]
pub enum Step {
    /// A condition of its own; `None`: it always holds.
    One(usize, Option<Cond>),
    /// Neighbours that hold the same expression against strings: one lookup in their place.
    Lookup(Lookup),
}

/// Strings and the first position that each of them belongs to.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// What is looked up.
    pub expr: Expr,
    /// Where in the value.
    pub place: Place,
    /// Keys are in lower case, and so is the value when it is compared.
    pub ignore_case: bool,
    /// Keys.
    pub index: HashMap<Box<[u8]>, usize>,
    /// Lengths of the keys, each once, ascending.
    pub lengths: Vec<usize>,
    /// Some of the strings were changed while running: the conditions themselves have to be asked.
    pub outdated: Arc<AtomicBool>,
    /// The conditions, the first of which stands at position `first`.
    pub conds: Vec<Cond>,
    /// See there.
    pub first: usize,
}

/// Which part of a value has to equal a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// All of it.
    Whole,
    /// Its start.
    Start,
    /// Its end.
    End,
}
