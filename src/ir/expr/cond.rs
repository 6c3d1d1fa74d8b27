//! Expressions, ACLs and conditions.

use std::sync::Arc;

use super::super::pattern::PatternSet;
use super::{Conv, Fetch, SampleType};

/// A sample expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// Where the sample comes from.
    pub fetch: Fetch,
    /// What is done to it, in order.
    pub convs: Vec<Conv>,
    /// Type of the result.
    pub out: SampleType,
    /// As written.
    pub text: Box<str>,
}

/// One `acl` line, or the inside of `{ }`.
#[derive(Clone, Debug)]
pub struct AclTest {
    /// What is looked at.
    pub expr: Expr,
    /// What it must match.
    pub patterns: PatternSet,
}

/// A named ACL: any of its lines makes it true.
#[derive(Clone, Debug)]
pub struct Acl {
    /// Name; empty for `{ }`.
    pub name: Box<str>,
    /// Its lines, in order.
    pub tests: Vec<AclTest>,
    /// The result, where no line depends on the request.
    pub constant: Option<bool>,
}

/// One term of a condition.
#[derive(Clone, Debug)]
pub struct Term {
    /// `!`.
    pub negated: bool,
    /// The ACL.
    pub acl: Arc<Acl>,
}

impl PartialEq for Term {
    fn eq(&self, other: &Self) -> bool {
        self.negated == other.negated && Arc::ptr_eq(&self.acl, &other.acl)
    }
}

/// `if`/`unless` over ACLs: terms of a group are joined by "and", groups by `or`.
#[derive(Clone, Debug, Default)]
pub struct Cond {
    /// `unless`.
    pub unless: bool,
    /// Groups; constants have been folded away.
    pub any: Vec<Vec<Term>>,
    /// The result (before `unless`... already applied), where it is known at load.
    pub constant: Option<bool>,
    /// As written, without `if`/`unless`.
    pub text: Box<str>,
}
