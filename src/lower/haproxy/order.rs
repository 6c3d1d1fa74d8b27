//! Rules that stand in another order than they act in, and rules behind one that ends everything.

use tandem_parser::diagnostic::{Diagnostic, Head, Reason};
use tandem_parser::haproxy::section::PROXIES;
use tandem_parser::haproxy::{Section, Statement, Tree};
use tandem_parser::lex::Word;

use super::context::Context;

/// Rules of requests in the order in which they act.
const REQUEST: &[&str] = &[
    "tcp-request connection",
    "tcp-request session",
    "tcp-request content",
    "monitor fail",
    "http-request",
    "redirect",
    "use_backend",
    "use-server",
];

/// Rules of responses in that order.
const RESPONSE: &[&str] = &["tcp-response content", "http-response"];

/// Those of which HAProxy says nothing when they come late.
const NEVER_LATE: &[&str] = &["use_backend", "use-server", "http-response"];

/// Actions of HTTP rules after which no other rule of the list is looked at.
const FINAL: &[&str] = &["allow", "deny", "tarpit", "auth", "redirect", "return"];

/// Reports both, section by section.
pub(super) fn check(context: &mut Context<'_>, tree: &Tree) {
    for section in tree.sections.iter().filter(|section| section.kind.bit & PROXIES != 0) {
        for order in [REQUEST, RESPONSE] {
            late(context, section, order);
        }
        for keyword in ["http-request", "http-response", "http-after-response"] {
            unreached(context, section, keyword);
        }
    }
}

/// Rules behind others that act later.
fn late(context: &mut Context<'_>, section: &Section, order: &[&str]) {
    let mut seen = vec![false; order.len()];
    // Rules of older files acted in an order of their own.
    for line in section.statements.iter().filter(|line| line.old.is_none()) {
        let Some(turn) = order.iter().position(|name| *name == line.name()) else { continue };
        seen[turn] = true;
        if NEVER_LATE.contains(&line.name()) {
            continue;
        }
        let Some(before) = (turn + 1..order.len()).find(|later| seen[*later]) else { continue };
        let (name, other) = (line.name(), order[before]);
        let article = if other.starts_with("http-") { "an" } else { "a" };
        let message =
            format!("a '{name}' rule placed after {article} '{other}' rule will still be processed before.");
        context.say(
            Diagnostic::warning(Reason::Conflict, line.span, message).help(format!(
                "write it before the first '{other}' line: that is the order in which they act"
            )),
        );
    }
}

/// Rules behind one that ends the list and always applies.
fn unreached(context: &mut Context<'_>, section: &Section, keyword: &str) {
    let mut last: Option<&Statement> = None;
    for line in section.statements.iter().filter(|line| line.name() == keyword) {
        if let Some(before) = last.filter(|before| ends(before)) {
            let message = format!(
                "previous '{keyword}' action is final and has no condition attached, further entries are NOOP."
            );
            let place = context.spot(before.span);
            context.say(
                Diagnostic::warning(Reason::Conflict, line.span, message)
                    .head(Head::Close)
                    .help(format!("'{}' at {place} answers or lets pass whatever comes", action(before))),
            );
        }
        last = Some(line);
    }
}

fn action(line: &Statement) -> &str {
    line.words(0).first().map_or("", |word| word.text())
}

/// Is it final, and without a condition?
fn ends(line: &Statement) -> bool {
    // A redirection may be left out where its location is empty.
    let conditional = |word: &Word| matches!(word.text(), "if" | "unless" | "ignore-empty");
    FINAL.contains(&action(line)) && !line.words(0).iter().any(conditional)
}
