//! Sections that other lines name: each once, and there.
//!
//! These are the sections of what this build has not yet: the text is judged all the same.

use std::collections::HashMap;

use tandem_parser::diagnostic::{Diagnostic, Head, Reason};
use tandem_parser::haproxy::section::{BACKEND, CACHE, FRONTEND, LISTEN, MAILERS, PEERS};
use tandem_parser::haproxy::{Sections, Statement, Tree};
use tandem_parser::lex::Word;
use tandem_parser::span::Span;

use super::context::Context;

/// Reports sections of one name, and names without a section.
pub(super) fn check(context: &mut Context<'_>, tree: &Tree) {
    let mut named: HashMap<(Sections, &str), Span> = HashMap::new();
    for section in tree.sections.iter().filter(|section| section.kind.bit & (CACHE | MAILERS | PEERS) != 0) {
        let Some(name) = &section.name else { continue };
        let Some(first) = named.insert((section.kind.bit, name.text()), section.span) else { continue };
        let message = match section.kind.bit {
            CACHE => format!("Duplicate cache name '{name}'."),
            _ => {
                let (kind, spot) = (section.kind.name, context.spot(first));
                format!(
                    "{kind} section '{name}' has the same name as another {kind} section declared at {spot}."
                )
            }
        };
        context.alert(Reason::Duplicate, name.span, message);
    }
    for section in &tree.sections {
        let Some(proxy) =
            section.name.as_ref().filter(|_| section.kind.bit & (FRONTEND | BACKEND | LISTEN) != 0)
        else {
            continue;
        };
        for line in &section.statements {
            let Some((what, bit, name, span)) = reference(line, proxy) else { continue };
            let there = match bit {
                Some(bit) => named.contains_key(&(bit, name)),
                None => context.tables.contains(name),
            };
            if !there {
                let message = match bit {
                    Some(CACHE) => format!(
                        "config: {} '{proxy}': unable to find the cache '{name}' referenced by the filter 'cache'.",
                        section.kind.name
                    ),
                    _ => format!("Proxy '{proxy}': unable to find {what} '{name}'."),
                };
                context.say(Diagnostic::alert(Reason::UnknownReference, span, message).head(Head::Plain));
            }
        }
    }
}

/// What a line names: what it is, its kind of section (none: a stick table), its name and where that stands.
fn reference<'t>(
    line: &'t Statement,
    proxy: &'t Word,
) -> Option<(&'static str, Option<Sections>, &'t str, Span)> {
    let at = |word: &'t Word| (word.text(), word.span);
    match line.name() {
        "email-alert mailers" => {
            let (name, span) = at(line.word(0)?);
            Some(("mailers", Some(MAILERS), name, span))
        }
        "stick-table" => {
            let peers = line.settings(0).iter().find(|setting| setting.name() == "peers")?;
            let (name, span) = at(peers.word(0)?);
            Some(("sync peers", Some(PEERS), name, span))
        }
        "stick on" | "stick match" | "stick store-request" | "stick store-response" => {
            let words = line.words(0);
            let named = words.iter().position(|word| word == "table").and_then(|at| words.get(at + 1));
            let (name, span) = named.map_or((proxy.text(), line.span), at);
            Some(("stick-table", None, name, span))
        }
        "http-request" | "http-response" | "filter cache" => {
            let name = match (line.name(), line.words(0)) {
                ("filter cache", [name, ..]) => name,
                (_, [action, name, ..]) if action == "cache-use" || action == "cache-store" => name,
                _ => return None,
            };
            Some(("cache", Some(CACHE), name.text(), name.span))
        }
        _ => None,
    }
}
