//! Variables of a session.

use smallvec::SmallVec;

use crate::ir::expr::{Scope, Value, VarName};

/// The id of a name: 64-bit FNV-1a. Names are compared by it alone; two of the few names of a configuration
/// colliding is far less likely than a memory error.
#[must_use]
pub fn id(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// Variables of every scope of one session. Few, so a linear search wins.
#[derive(Clone, Debug, Default)]
pub struct Vars {
    entries: SmallVec<[(Scope, u64, Value); 4]>,
}

impl Vars {
    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &VarName) -> Option<&Value> {
        self.entries.iter().find(|(scope, id, _)| *id == name.id && *scope == name.scope).map(|(.., v)| v)
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &VarName, value: Value) {
        match self.entries.iter_mut().find(|(scope, id, _)| *id == name.id && *scope == name.scope) {
            Some((.., old)) => *old = value,
            None => self.entries.push((name.scope, name.id, value)),
        }
    }

    /// Forgets a variable.
    pub fn unset(&mut self, name: &VarName) {
        self.entries.retain(|(scope, id, _)| *id != name.id || *scope != name.scope);
    }

    /// Forgets a whole scope: `Req` when the request was sent, `Res` and `Txn` when the response was.
    pub fn clear(&mut self, scope: Scope) {
        self.entries.retain(|(s, ..)| *s != scope);
    }

    /// Nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
