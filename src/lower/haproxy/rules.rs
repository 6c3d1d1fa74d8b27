//! Lines with expressions, conditions and formats: which they are, and where their names lead.

use tandem_parser::diagnostic::{Diagnostic, Head, Reason};
use tandem_parser::haproxy::Statement;
use tandem_parser::span::Span;
use tandem_parser::suggest::nearest;

use super::context::{Context, span_at};
use super::names::Names;
use crate::ir::proxy::{UseBackend, UseBackendTarget};
use crate::ir::{Config, ProxyIdx};

/// Lines that wait until all proxies stand, because their expressions may speak of any of them.
const RULES: &[&str] = &[
    "acl",
    "use_backend",
    "use-server",
    "redirect",
    "http-request",
    "http-response",
    "http-after-response",
    "tcp-request connection",
    "tcp-request session",
    "tcp-request content",
    "force-persist",
    "ignore-persist",
    "monitor fail",
    "log-format",
];

pub(super) fn is_rule(name: &str) -> bool {
    RULES.contains(&name)
}

/// Lowers the rules of one proxy.
pub(super) fn lower(
    context: &mut Context<'_>,
    names: &Names<'_>,
    config: &mut Config,
    index: ProxyIdx,
    lines: &[&Statement],
) {
    for line in lines {
        match (line.name(), line.condition()) {
            ("use_backend", None) => {
                let Some(name) = line.text(0) else { continue };
                let owner = config.proxy(index).name.clone();
                let Some(target) = names.backend(name) else {
                    unknown_backend(context, names, &owner, "use_backend", name, span_at(line, 0));
                    continue;
                };
                let place = context.place(line.span);
                if let Some(frontend) = &mut config.proxies[index.0 as usize].frontend {
                    let target = UseBackendTarget::Static(target);
                    frontend.use_backends.push(UseBackend { target, cond: None, place });
                }
            }
            ("acl", _) => {}
            (name, _) => {
                let message = format!("'{name}' is known, but Tandem cannot do it yet.");
                context.alert(Reason::Refused, line.span, message);
            }
        }
    }
}

/// A backend that does not exist.
pub(in crate::lower) fn unknown_backend(
    context: &mut Context<'_>,
    names: &Names<'_>,
    proxy: &str,
    keyword: &str,
    name: &str,
    span: Span,
) {
    let message = format!("Proxy '{proxy}': unable to find required {keyword}: '{name}'.");
    let mut diagnostic = Diagnostic::alert(Reason::UnknownReference, span, message).head(Head::Plain);
    if let Some(near) = nearest(name, names.backends()) {
        diagnostic = diagnostic.help(format!("did you mean '{near}'?")).edit(span, near);
    }
    context.say(diagnostic);
}
