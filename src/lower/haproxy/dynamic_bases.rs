//! What backends start from that are added while running: `add backend NAME from DEFAULTS`.

use tandem_parser::haproxy::{Section, section};
use tandem_parser::span::Span;

use super::context::Context;
use super::http_errors::Pages;
use super::names::Names;
use super::proxy::{Defaults, finish};
use super::rules;
use crate::ir::proxy::Base;
use crate::ir::{Config, ProxyIdx};

/// Makes a backend of every named `defaults` section. What is wrong with it is told to who asks for one.
pub(super) fn lower(
    context: &mut Context<'_>,
    defaults: &Defaults<'_>,
    names: &Names<'_>,
    pages: &Pages,
    config: &mut Config,
) {
    if context.env.offline() || context.has_alerts() || config.global.purge_defaults {
        return;
    }
    let Some(kind) = section::KINDS.iter().find(|kind| kind.bit == section::BACKEND) else { return };
    for (base, draft) in &defaults.sections {
        let Some(name) = &base.name else { continue };
        let refusal = if draft.log_mode {
            Some(format!(
                "Dynamic backends only support TCP or HTTP mode, whereas default proxy '{name}' uses 'mode log'."
            ))
        } else {
            let refusal = defaults.rules.refuses_backend(context, base);
            refusal.map(|why| format!("Error during backend creation : {why}"))
        };
        let backend = match refusal {
            Some(refusal) => Err(refusal),
            None => {
                let place = Section {
                    kind,
                    name: None,
                    from: None,
                    addresses: None,
                    span: base.span,
                    statements: Vec::new(),
                };
                let mut made = None;
                let said = context.unheard(|context| {
                    let index = ProxyIdx(u32::try_from(config.proxies.len()).unwrap_or(u32::MAX));
                    let (fact, lines) = finish(context, &place, draft.inherited(), names, config);
                    // Every line stands in `defaults`: behind them the section would begin.
                    let section = Span { start: u32::MAX, ..base.span };
                    let lines = rules::Lines { rules: &lines, format: fact.format_line, section };
                    rules::lower(context, names, pages, config, index, &lines);
                    made = config.proxies.pop();
                });
                match (said, made) {
                    (None, Some(made)) => Ok(made),
                    (said, _) => Err(format!("Error during backend creation : {}", said.unwrap_or_default())),
                }
            }
        };
        config.bases.push(Base { name: name.text().to_owned(), has_mode: draft.has_mode, backend });
    }
}
