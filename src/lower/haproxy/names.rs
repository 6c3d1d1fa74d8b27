//! Which proxies there are, before any of them is read.

use std::collections::HashMap;

use tandem_parser::diagnostic::{Diagnostic, Head, Reason};
use tandem_parser::haproxy::{Section, section};
use tandem_parser::span::Span;

use super::context::Context;
use crate::ir::{Caps, ProxyIdx};

/// Where a name leads: the client side and the server side may be different sections.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    frontend: Option<(ProxyIdx, Span)>,
    backend: Option<(ProxyIdx, Span)>,
}

/// Names of proxies.
#[derive(Debug, Default)]
pub(in crate::lower) struct Names<'t> {
    by_name: HashMap<&'t str, Entry>,
}

/// Which halves a section has.
pub(super) fn caps(section: &Section) -> Option<Caps> {
    match section.kind.bit {
        section::FRONTEND => Some(Caps::Frontend),
        section::BACKEND => Some(Caps::Backend),
        section::LISTEN => Some(Caps::Listen),
        _ => None,
    }
}

impl<'t> Names<'t> {
    /// Collects the names of all proxies; two may share one only if one is a frontend, the other a backend.
    pub(super) fn new(context: &mut Context<'_>, proxies: &[&'t Section]) -> Self {
        let mut names = Self::default();
        for (index, section) in (0..).map(ProxyIdx).zip(proxies) {
            let (Some(caps), Some(name)) = (caps(section), &section.name) else { continue };
            let entry = names.by_name.entry(name.text()).or_default();
            let here = Some((index, section.span));
            let clash = match caps {
                Caps::Frontend => entry.frontend,
                Caps::Backend => entry.backend,
                Caps::Listen => entry.frontend.or(entry.backend),
            };
            if let Some((other, span)) = clash {
                let kind = proxies[other.0 as usize].kind.name;
                let message = format!(
                    "{} '{name}' has the same name as {kind} '{name}' declared at {}.",
                    section.kind.name,
                    context.spot(span)
                );
                context.say(Diagnostic::alert(Reason::Duplicate, name.span, message).head(Head::Format));
                continue;
            }
            if let Some((other, span)) = entry.frontend.or(entry.backend) {
                let kind = proxies[other.0 as usize].kind.name;
                let message = format!(
                    "{} '{name}' has the same name as {kind} '{name}' declared at {}.",
                    section.kind.name,
                    context.spot(span)
                );
                let told = Diagnostic::notice(Reason::Duplicate, name.span, message);
                context.say(told.help("HAProxy 3.3 and later refuse it: give one of them another name"));
            }
            match caps {
                Caps::Frontend => entry.frontend = here,
                Caps::Backend => entry.backend = here,
                Caps::Listen => (entry.frontend, entry.backend) = (here, here),
            }
        }
        names
    }

    /// The `backend` or `listen` of that name.
    pub(in crate::lower) fn backend(&self, name: &str) -> Option<ProxyIdx> {
        self.by_name.get(name)?.backend.map(|(index, _)| index)
    }

    /// The `frontend` or `listen` of that name.
    pub(in crate::lower) fn frontend(&self, name: &str) -> Option<ProxyIdx> {
        self.by_name.get(name)?.frontend.map(|(index, _)| index)
    }

    /// Names of all backends, to suggest one.
    pub(in crate::lower) fn backends(&self) -> impl Iterator<Item = &'t str> + '_ {
        let mut names: Vec<_> =
            self.by_name.iter().filter(|(_, entry)| entry.backend.is_some()).map(|(name, _)| *name).collect();
        names.sort_unstable();
        names.into_iter()
    }
}
