//! `healthcheck`: a check that servers name.

use tandem_parser::diagnostic::Reason;
use tandem_parser::haproxy::{Statement, Tree, section};

use super::check::CheckDraft;
use super::context::Context;
use super::http_errors::Pages;
use super::names::Names;
use super::rules;
use crate::ir::Config;

pub(super) fn lower(
    context: &mut Context<'_>,
    tree: &Tree,
    names: &Names<'_>,
    pages: &Pages,
    config: &mut Config,
) {
    for section in tree.sections.iter().filter(|section| section.kind.bit == section::HEALTHCHECK) {
        let Some(name) = &section.name else { continue };
        if config.healthchecks.contains_key(name.text()) {
            let message = format!("healthcheck section '{name}' already defined.");
            context.alert(Reason::Duplicate, name.span, message);
            continue;
        }
        let mut draft = CheckDraft::default();
        let mut chosen: Option<&Statement> = None;
        for line in &section.statements {
            if line.name().starts_with("type ") && chosen.replace(line).is_some() {
                context.alert(Reason::Duplicate, line.span, "healthcheck type already defined.");
                continue;
            }
            if !draft.apply(context, line) {
                context.untaken(line);
            }
        }
        if let Some((rules, option)) = draft.unused_rules() {
            let kind = option.trim_start_matches("option ");
            let message = format!(
                "healthcheck section '{name}' : {rules} rules without 'type {kind}', so the rules are ignored."
            );
            context.warn(Reason::Conflict, section.span, message);
        }
        let (mut check, lines) = draft.finish(false);
        rules::check(context, names, pages, config, &lines, &mut check);
        config.healthchecks.insert(name.text().to_owned(), check);
    }
}
