//! Variables of a session.

use smallvec::SmallVec;

use std::cell::RefCell;
use std::sync::Arc;

use crate::ir::expr::{Scope, Value, VarCond, VarName};

use super::sample::Sample;

/// The id of a name: 64-bit FNV-1a. Names are compared by it alone; two of the few names of a configuration
/// colliding is far less likely than a memory error.
#[must_use]
pub fn id(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// A variable that has a value.
#[derive(Clone, Debug)]
struct Entry {
    scope: Scope,
    id: u64,
    name: Arc<str>,
    value: Value,
}

impl Entry {
    fn is(&self, name: &VarName) -> bool {
        self.id == name.id && self.scope == name.scope
    }
}

/// Variables of every scope of one session. Few, so a linear search wins.
#[derive(Clone, Debug, Default)]
pub struct Vars {
    entries: SmallVec<[Entry; 4]>,
    /// What converters set while the session was only lent to them; done at the next change.
    deferred: RefCell<Vec<(VarName, Option<Value>)>>,
    of_check: bool,
    /// The request is done with: variables of the response have taken the place of its own.
    answering: bool,
}

impl Vars {
    /// Those of a health check.
    #[must_use]
    pub fn of_check() -> Self {
        Self { of_check: true, ..Self::default() }
    }

    /// Whether there is this scope here; what is set in another is lost.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        match scope {
            Scope::Proc | Scope::Sess => true,
            Scope::Check => self.of_check,
            Scope::Txn => !self.of_check,
            Scope::Req => !self.of_check && !self.answering,
            Scope::Res => !self.of_check && self.answering,
            Scope::Parent => false,
        }
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &VarName) -> Option<&Value> {
        self.entries.iter().find(|entry| entry.is(name)).map(|entry| &entry.value)
    }

    /// Names and values of a scope, in the order in which they were first set.
    pub fn of(&self, scope: Scope) -> impl Iterator<Item = (&str, &Value)> {
        self.entries
            .iter()
            .filter(move |entry| entry.scope == scope)
            .map(|entry| (&*entry.name, &entry.value))
    }

    /// Sets (or, with `None`, forgets) a variable in the middle of an evaluation.
    pub fn defer(&self, name: &VarName, value: Option<Value>) {
        self.deferred.borrow_mut().push((name.clone(), value));
    }

    /// What a converter has just set. `None`: nothing; `Some(None)`: it was forgotten.
    #[must_use]
    pub fn just_set(&self, name: &VarName) -> Option<Option<Value>> {
        let deferred = self.deferred.borrow();
        deferred.iter().rev().find(|(n, _)| n.id == name.id && n.scope == name.scope).map(|(_, v)| v.clone())
    }

    /// Does what converters asked for.
    fn settle(&mut self) {
        for (name, value) in std::mem::take(self.deferred.get_mut()) {
            match value {
                Some(value) => self.put(&name, value),
                None => self.entries.retain(|entry| !entry.is(&name)),
            }
        }
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &VarName, value: Value) {
        self.settle();
        self.put(name, value);
    }

    fn put(&mut self, name: &VarName, value: Value) {
        let is_kept = self.has(name.scope);
        match self.entries.iter_mut().find(|entry| entry.is(name)) {
            Some(entry) => entry.value = value,
            None if !is_kept => {}
            None => {
                self.entries.push(Entry { scope: name.scope, id: name.id, name: name.name.clone(), value });
            }
        }
    }

    /// Forgets a variable.
    pub fn unset(&mut self, name: &VarName) {
        self.settle();
        self.entries.retain(|entry| !entry.is(name));
    }

    /// The request is done with, and its variables are forgotten: those of the response are there from now on.
    pub fn answer(&mut self) {
        if !self.answering && !self.is_empty() {
            self.forget(&[Scope::Req]);
        }
        self.answering = true;
    }

    /// The response is done with: what is left is for the next request of the session.
    pub fn start_over(&mut self) {
        self.forget(&[Scope::Txn, Scope::Req, Scope::Res]);
        self.answering = false;
    }

    fn forget(&mut self, scopes: &[Scope]) {
        self.settle();
        self.entries.retain(|entry| !scopes.contains(&entry.scope));
    }

    /// Nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.deferred.borrow().is_empty()
    }
}

/// Do the conditions of `set-var` let `value` in, in the place of `old`?
#[must_use]
pub fn allows(conds: &[VarCond], name: &VarName, value: &Value, old: Option<&Sample<'_>>) -> bool {
    // A variable of the process that a rule names exists from the start, without a value.
    let exists = old.is_some() || name.scope == Scope::Proc;
    let empty = match value {
        Value::Str(text) | Value::Bin(text) | Value::Meth(text) => text.is_empty(),
        _ => false,
    };
    let numbers = match (old, value) {
        (Some(Sample::Int(old)), Value::Int(new)) => Some((*old, *new)),
        _ => None,
    };
    conds.iter().all(|cond| match cond {
        VarCond::Exists => exists,
        VarCond::NotExists => !exists,
        VarCond::Set => old.is_some(),
        VarCond::NotSet => old.is_none(),
        VarCond::Empty => empty,
        VarCond::NotEmpty => !empty,
        // Between other types than integers there is no order, and nothing is forbidden.
        VarCond::Greater => numbers.is_none_or(|(old, new)| old > new),
        VarCond::Less => numbers.is_none_or(|(old, new)| old < new),
    })
}
