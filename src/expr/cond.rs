//! Conditions and ACLs.

use std::ops::ControlFlow;

use crate::ir::expr::{Acl, AclTest, Cond, Term};
use crate::ir::pattern::{MatchMethod, PatternSet};
use crate::ir::reference::Newer;

use super::ctx::Ctx;
use super::fetch::{self, Missing};
use super::sample::Sample;
use super::{conv, pattern};

/// What is known of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It holds.
    True,
    /// It does not.
    False,
    /// More data may decide it.
    NotYet,
}

impl Decision {
    fn not(self) -> Self {
        match self {
            Decision::True => Decision::False,
            Decision::False => Decision::True,
            Decision::NotYet => Decision::NotYet,
        }
    }
}

impl From<bool> for Decision {
    fn from(value: bool) -> Self {
        if value { Decision::True } else { Decision::False }
    }
}

/// Is the condition true? What more data could still decide counts as false.
#[must_use]
pub fn eval_cond(cond: &Cond, ctx: &Ctx<'_>) -> bool {
    decide(cond, ctx) == Decision::True
}

/// What is known of the condition now.
#[must_use]
pub fn decide(cond: &Cond, ctx: &Ctx<'_>) -> Decision {
    if let Some(constant) = cond.constant {
        return constant.into();
    }
    let mut result = Decision::False;
    for group in &cond.any {
        match all(group, ctx) {
            Decision::True => {
                result = Decision::True;
                break;
            }
            Decision::NotYet => result = Decision::NotYet,
            Decision::False => {}
        }
    }
    if cond.unless { result.not() } else { result }
}

fn all(terms: &[Term], ctx: &Ctx<'_>) -> Decision {
    let mut result = Decision::True;
    for term in terms {
        let value = acl(&term.acl, ctx);
        match if term.negated { value.not() } else { value } {
            Decision::False => return Decision::False,
            Decision::NotYet => result = Decision::NotYet,
            Decision::True => {}
        }
    }
    result
}

/// Is one of the ACL's lines true?
#[must_use]
pub fn acl(acl: &Acl, ctx: &Ctx<'_>) -> Decision {
    if let Some(constant) = acl.constant {
        return constant.into();
    }
    let mut result = Decision::False;
    for line in &acl.tests {
        match test(line, ctx) {
            Decision::True => return Decision::True,
            Decision::NotYet => result = Decision::NotYet,
            Decision::False => {}
        }
    }
    result
}

fn test(test: &AclTest, ctx: &Ctx<'_>) -> Decision {
    let (mut found, mut waits) = (false, false);
    let outcome = fetch::each(&test.expr.fetch, ctx, &mut |sample| {
        let value = conv::chain(&test.expr.convs, sample, ctx);
        waits |= value == Err(Missing::NotYet);
        found = value.is_ok_and(|value| matches(&test.patterns, &value));
        if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match outcome {
        Ok(()) if found => Decision::True,
        Ok(()) if waits && !ctx.is_final => Decision::NotYet,
        Ok(()) if conv::settles(&test.expr.convs) => Decision::False,
        Ok(()) if fetch::may_change(&test.expr.fetch, ctx) => Decision::NotYet,
        Err(Missing::NotYet) if !ctx.is_final => Decision::NotYet,
        _ => Decision::False,
    }
}

fn matches(patterns: &PatternSet, value: &Sample<'_>) -> bool {
    let newer = patterns.newer.as_deref().and_then(Newer::get);
    let patterns = newer.as_ref().and_then(|newer| newer.as_deref()).unwrap_or(patterns);
    // An integer from an empty text does not exist, so not even `found` holds for other types of it.
    patterns.method == MatchMethod::Found || pattern::matches(patterns, value)
}
