//! What a `defaults` section with rules may be a base of.

use std::collections::HashMap;

use tandem_parser::Span;
use tandem_parser::diagnostic::{Diagnostic, Head, Reason};
use tandem_parser::haproxy::section::Sections;
use tandem_parser::haproxy::{Section, section};

use super::context::Context;

/// Rules that need a named section.
const RULES: &[&str] = &[
    "acl",
    "http-request",
    "http-response",
    "http-after-response",
    "tcp-request connection",
    "tcp-request session",
    "tcp-request content",
    "tcp-request inspect-delay",
    "tcp-response content",
    "tcp-response inspect-delay",
];

fn is_rule(name: &str) -> bool {
    name != "acl" && !name.ends_with("inspect-delay") && RULES.contains(&name)
}

/// Rules in a `defaults` without a name are errors.
pub(super) fn anonymous(context: &mut Context<'_>, section: &Section) {
    if section.name.is_some() {
        return;
    }
    for line in section.statements.iter().filter(|line| RULES.contains(&line.name())) {
        let name = line.name();
        let message = match name.split_once(' ') {
            Some(_) => format!("{name} is not allowed in anonymous 'defaults' sections"),
            None => format!("'{name}' not allowed in anonymous 'defaults' section."),
        };
        context.alert(Reason::NotAllowedHere, line.span, message);
    }
}

/// HAProxy refused this from 2.4 on and warns since 3.4.
pub(super) fn mixed(context: &mut Context<'_>, section: &Section, base: &Section, uses: (bool, bool)) {
    if uses != (true, true) {
        return;
    }
    let name = base.name.as_ref().map(|name| name.text()).unwrap_or_default();
    let message = format!(
        "defaults section '{name}' (declared at {}) is explicitly referenced by another proxy and implicitly used \
         here. To avoid any ambiguity don't mix both usage. Add a last defaults section not explicitly used or \
         always use explicit references.",
        context.spot(base.span)
    );
    context.warn(Reason::Conflict, section.span, message);
}

/// Which kind of section uses a `defaults` with rules: they must all be of one kind.
#[derive(Debug, Default)]
pub(super) struct Users {
    kinds: HashMap<Span, u32>,
}

impl Users {
    /// Whether `section` may start from `base`.
    pub(super) fn check(&mut self, context: &mut Context<'_>, section: &Section, base: &Section) {
        let has_rules = base.statements.iter().any(|line| is_rule(line.name()));
        let kind = section.kind.bit;
        let first = if has_rules { *self.kinds.entry(base.span).or_insert(kind) } else { kind };
        if let Some(message) = refusal(context, kind, first, base) {
            context.say(Diagnostic::alert(Reason::NotAllowedHere, section.span, message).head(Head::Close));
        }
    }

    /// Why a backend that is added while running cannot start from `base`.
    pub(super) fn refuses_backend(&self, context: &Context<'_>, base: &Section) -> Option<String> {
        let first = self.kinds.get(&base.span).copied().unwrap_or(section::BACKEND);
        refusal(context, section::BACKEND, first, base)
    }
}

/// Why a section of one kind cannot start from `base`, which those of the kind `first` started from before it.
fn refusal(context: &Context<'_>, kind: Sections, first: Sections, base: &Section) -> Option<String> {
    let has = |wanted: &dyn Fn(&str) -> bool| base.statements.iter().any(|line| wanted(line.name()));
    if !has(&is_rule) {
        return None;
    }
    let at = context.spot(base.span);
    Some(if kind == section::DEFAULTS {
        format!(
            "a defaults section cannot inherit from a defaults section defining TCP/HTTP rules (defaults section at \
             {at})."
        )
    } else if kind == section::LISTEN {
        "a listen section cannot inherit from a defaults section defining TCP/HTTP rules.".to_owned()
    } else if first != kind {
        format!(
            "frontends and backends cannot inherit from the same defaults section if it defines TCP/HTTP rules \
             (defaults section at {at})."
        )
    } else if kind == section::BACKEND
        && has(&|name| matches!(name, "tcp-request connection" | "tcp-request session"))
    {
        format!(
            "a backend section cannot inherit from a defaults section defining 'tcp-request connection' or \
             'tcp-request session' rules (defaults section at {at})."
        )
    } else if kind == section::FRONTEND && has(&|name| name == "tcp-response content") {
        format!(
            "a frontend section cannot inherit from a defaults section defining 'tcp-response content' rules \
             (defaults section at {at})."
        )
    } else {
        return None;
    })
}
