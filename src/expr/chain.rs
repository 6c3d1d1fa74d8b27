//! First match over a list of conditions.
//!
//! Configurations with many sites have hundreds of lines `use_backend X if { hdr(host) -i a }`. Tried one after
//! the other they cost as many evaluations of the same header; here neighbours that test the same expression for
//! strings become one hash lookup (one per length of prefixes or suffixes). The order still counts: of all
//! positions whose strings match, the first wins, and a run never reaches across a condition of another kind.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ir::chain::{Chain, Lookup, Place, Step};
use crate::ir::expr::{AclTest, Cond, Fetch};
use crate::ir::pattern::MatchMethod;

use super::cond::eval_cond;
use super::ctx::Ctx;
use super::pattern::lowered;
use super::sample::Sample;
use super::{conv, fetch};

/// Shorter runs are tried one by one.
const MIN_RUN: usize = 4;

/// Compiles a list; `None` always holds.
#[must_use]
pub fn compile<'c>(conds: impl Iterator<Item = Option<&'c Cond>>) -> Chain {
    let conds: Vec<_> = conds.collect();
    let mut steps = Vec::new();
    let mut at = 0;
    while at < conds.len() {
        let run = run_length(&conds[at..]);
        let folded = (run >= MIN_RUN).then(|| lookup(&conds[at..at + run], at)).flatten();
        at += if folded.is_some() { run } else { 1 };
        steps.push(folded.map_or_else(|| Step::One(at - 1, conds[at - 1].cloned()), Step::Lookup));
    }
    Chain { steps }
}

/// The first position that holds.
#[must_use]
pub fn first(chain: &Chain, ctx: &Ctx<'_>) -> Option<usize> {
    chain.steps.iter().find_map(|step| match step {
        Step::One(at, cond) => cond.as_ref().is_none_or(|cond| eval_cond(cond, ctx)).then_some(*at),
        Step::Lookup(lookup) => find(lookup, ctx),
    })
}

fn find(lookup: &Lookup, ctx: &Ctx<'_>) -> Option<usize> {
    if lookup.outdated.load(Ordering::Acquire) {
        return lookup.conds.iter().position(|cond| eval_cond(cond, ctx)).map(|at| lookup.first + at);
    }
    let mut best: Option<usize> = None;
    // A value that does not exist matches nothing.
    let _ = fetch::each(&lookup.expr.fetch, ctx, &mut |sample| {
        let value = conv::chain(&lookup.expr.convs, sample, ctx);
        if let Ok(Sample::Str(text) | Sample::Bin(text) | Sample::Meth(text)) = value {
            let here = lowered(&text, lookup.ignore_case, |text| position(lookup, text));
            best = best.into_iter().chain(here).min();
        }
        ControlFlow::Continue(())
    });
    best
}

fn position(lookup: &Lookup, text: &[u8]) -> Option<usize> {
    if lookup.place == Place::Whole {
        return lookup.index.get(text).copied();
    }
    let fitting = lookup.lengths.iter().take_while(|length| **length <= text.len());
    fitting
        .filter_map(|length| {
            let part = match lookup.place {
                Place::End => &text[text.len() - length..],
                Place::Whole | Place::Start => &text[..*length],
            };
            lookup.index.get(part).copied()
        })
        .min()
}

/// The lines of a condition that is nothing but one ACL over strings.
fn strings(cond: Option<&Cond>) -> Option<&[AclTest]> {
    let cond = cond.filter(|cond| !cond.unless && cond.constant.is_none())?;
    let [group] = cond.any.as_slice() else { return None };
    let [term] = group.as_slice() else { return None };
    let tests = term.acl.tests.as_slice();
    let first = tests.first()?;
    let alike = !term.negated && term.acl.constant.is_none() && place(first).is_some();
    (alike && tests.iter().all(|test| same(first, test))).then_some(tests)
}

fn place(test: &AclTest) -> Option<Place> {
    let steady = matches!(
        test.expr.fetch,
        Fetch::Hdr(..)
            | Fetch::FullHdr(..)
            | Fetch::Cook(..)
            | Fetch::UrlParam { .. }
            | Fetch::Path
            | Fetch::PathQ
            | Fetch::Query
            | Fetch::Url
            | Fetch::Base
            | Fetch::BaseQ
            | Fetch::Method
            | Fetch::TlsHelloSni
            | Fetch::ServerName
            | Fetch::Var(..)
    );
    // Values that are not text would have to be written out first.
    let textual = !matches!(test.expr.fetch, Fetch::Var(..)) || !test.expr.convs.is_empty();
    match test.patterns.method {
        _ if !steady || !textual || !is_text(test) => None,
        MatchMethod::Str => Some(Place::Whole),
        MatchMethod::Beg => Some(Place::Start),
        MatchMethod::End => Some(Place::End),
        _ => None,
    }
}

fn is_text(test: &AclTest) -> bool {
    use crate::ir::expr::SampleType;
    matches!(test.expr.out, SampleType::Str | SampleType::Meth)
}

/// Do two lines look at the same thing in the same way?
fn same(a: &AclTest, b: &AclTest) -> bool {
    let (x, y) = (&a.expr, &b.expr);
    let convs = (x.convs.is_empty() && y.convs.is_empty()) || x.text == y.text;
    a.patterns.method == b.patterns.method
        && a.patterns.ignore_case == b.patterns.ignore_case
        && x.fetch == y.fetch
        && convs
}

fn run_length(conds: &[Option<&Cond>]) -> usize {
    let Some(first) = conds.first().and_then(|cond| strings(*cond)).and_then(<[_]>::first) else { return 0 };
    conds.iter().take_while(|cond| strings(**cond).is_some_and(|tests| same(first, &tests[0]))).count()
}

fn lookup(conds: &[Option<&Cond>], offset: usize) -> Option<Lookup> {
    let mut index: HashMap<Box<[u8]>, usize> = HashMap::new();
    let mut lengths = Vec::new();
    let mut model = None;
    let outdated = Arc::new(AtomicBool::new(false));
    for (i, cond) in conds.iter().enumerate() {
        for test in strings(*cond).unwrap_or_default() {
            model.get_or_insert(test);
            if let Some(newer) = &test.patterns.newer {
                newer.tell(outdated.clone());
            }
            for pattern in test.patterns.written.iter() {
                let key = if test.patterns.ignore_case {
                    pattern.to_ascii_lowercase().into_bytes()
                } else {
                    pattern.as_bytes().to_vec()
                };
                lengths.push(key.len());
                index.entry(key.into()).or_insert(offset + i);
            }
        }
    }
    lengths.sort_unstable();
    lengths.dedup();
    let model = model?;
    Some(Lookup {
        expr: model.expr.clone(),
        place: place(model)?,
        ignore_case: model.patterns.ignore_case,
        index,
        lengths,
        outdated,
        conds: conds.iter().filter_map(|cond| cond.cloned()).collect(),
        first: offset,
    })
}
