//! Lines with expressions, conditions and formats: which they are, and where their names lead.

use std::sync::Arc;

use tandem_parser::diagnostic::{Diagnostic, Head, Reason};
use tandem_parser::haproxy::{Statement, Tree, section};
use tandem_parser::span::Span;
use tandem_parser::suggest::nearest;

use super::super::expr::{Language, LfUse, Owner, Site};
use super::check_rules::CheckRules;
use super::context::Context;
use super::http_errors::Pages;
use super::log_profile;
use super::names::Names;
use super::rule_lines::{Reader, store};
use super::surroundings::Surroundings;
use crate::ir::check::Check;
use crate::ir::expr::Scope;
use crate::ir::global::{GlobalVar, VarSource};
use crate::ir::proxy::Mode;
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
    "tcp-response content",
    "unique-id-format",
    "force-be-switch",
    "force-persist",
    "ignore-persist",
    "monitor fail",
    "log-format",
    "log-format-sd",
    "error-log-format",
    "option forwarded",
    "http-error",
    "capture request header",
    "capture response header",
    "declare capture",
    "stick on",
    "stick match",
    "stick store-request",
    "stick store-response",
    "quic-initial",
];

pub(super) fn is_rule(name: &str) -> bool {
    RULES.contains(&name)
}

/// What there is to lower of one proxy.
pub(super) struct Lines<'t> {
    /// The rules, those of its `defaults` first.
    pub(super) rules: &'t [&'t Statement],
    /// The line that chose its log format.
    pub(super) format: Option<&'t Statement>,
    /// Where its section begins.
    pub(super) section: Span,
}

/// Lowers the rules of one proxy.
pub(super) fn lower(
    context: &mut Context<'_>,
    names: &Names<'_>,
    pages: &Pages,
    config: &mut Config,
    index: ProxyIdx,
    lines: &Lines<'_>,
) {
    let (lists, slots, unknown, reads, said) = {
        let world = Surroundings { context, names, config, pages };
        let proxy = config.proxy(index);
        let owner = Owner {
            name: proxy.name.clone(),
            http: proxy.mode == Mode::Http || lines.rules.iter().any(|line| switches_mode(line)),
            idx: Some(index),
            frontend: proxy.frontend.is_some(),
            backend: proxy.backend.is_some(),
            inherited: false,
        };
        let language = Language::new(&world, owner, Default::default());
        let mut reader = Reader::new(language, &config.proxies, lines.rules);
        let section = lines.section;
        for line in lines.rules {
            // What stands before the section is of its `defaults`.
            reader.language.owner.inherited =
                (line.span.file, line.span.start) < (section.file, section.start);
            reader.line(line, names, lines.format);
        }
        let slots = reader.captures;
        let language = &reader.language;
        let reads = (language.reads_server_addresses, language.reads_request_line, language.reads_unique_id);
        (reader.lists, slots, reader.unknown, reads, reader.language.finish())
    };
    said.into_iter().for_each(|diagnostic| context.say(diagnostic));
    config.reads_request_line |= reads.1;
    config.reads_unique_id |= reads.2;
    let proxy = Arc::make_mut(&mut config.proxies[index.0 as usize]);
    let owner = proxy.name.clone();
    proxy.reads_server_addresses = reads.0;
    store(proxy, lists, slots);
    for (name, span) in unknown {
        unknown_backend(context, names, &owner, "use_backend", &name, span);
    }
}

/// `log-profile` sections.
pub(super) fn log_profiles(
    context: &mut Context<'_>,
    tree: &Tree,
    names: &Names<'_>,
    pages: &Pages,
    config: &mut Config,
) {
    let (profiles, said) = {
        let world = Surroundings { context, names, config, pages };
        let owner = Owner { frontend: true, backend: true, http: true, ..Owner::default() };
        let mut language = Language::new(&world, owner, Default::default());
        let sections = tree.sections.iter().filter(|section| section.kind.bit == section::LOG_PROFILE);
        let profiles: Vec<_> =
            sections.filter_map(|section| log_profile::read(&mut language, section)).collect();
        (profiles, language.finish())
    };
    said.into_iter().for_each(|diagnostic| context.say(diagnostic));
    config.log_profiles = profiles;
}

/// `set-var` and `set-var-fmt` of the global section.
pub(super) fn global_vars(
    context: &mut Context<'_>,
    tree: &Tree,
    names: &Names<'_>,
    pages: &Pages,
    config: &mut Config,
) {
    let lines = tree.sections.iter().filter(|section| section.kind.bit == section::GLOBAL);
    let lines = lines.flat_map(|section| &section.statements);
    let lines: Vec<_> = lines.filter(|line| matches!(line.name(), "set-var" | "set-var-fmt")).collect();
    let (vars, said) = {
        let world = Surroundings { context, names, config, pages };
        let owner = Owner { frontend: true, backend: true, http: true, ..Owner::default() };
        let mut language = Language::new(&world, owner, Default::default());
        let vars: Vec<_> = lines.into_iter().filter_map(|line| global_var(&mut language, line)).collect();
        (vars, language.finish())
    };
    said.into_iter().for_each(|diagnostic| context.say(diagnostic));
    config.set_vars = vars;
}

/// Reads the rules of a check that is no proxy's.
pub(super) fn check(
    context: &mut Context<'_>,
    names: &Names<'_>,
    pages: &Pages,
    config: &Config,
    lines: &[&Statement],
    check: &mut Check,
) {
    let (rules, said) = {
        let world = Surroundings { context, names, config, pages };
        let owner = Owner { backend: true, http: true, ..Owner::default() };
        let mut language = Language::new(&world, owner, Default::default());
        let mut rules = CheckRules::default();
        lines.iter().for_each(|line| rules.line(&mut language, line));
        (rules, language.finish())
    };
    said.into_iter().for_each(|diagnostic| context.say(diagnostic));
    rules.store(check);
}

/// Is it `tcp-request content switch-mode`?
fn switches_mode(line: &Statement) -> bool {
    line.name() == "tcp-request content" && line.text(0) == Some("switch-mode")
}

fn global_var(language: &mut Language<'_>, line: &Statement) -> Option<GlobalVar> {
    let name = line.word(0)?;
    let var = language.var_name(name, name.span)?;
    if var.scope != Scope::Proc {
        let message = format!("'{}': variable '{name}' is not of scope 'proc'.", line.name());
        return language.alert(Reason::InvalidValue, name.span, message);
    }
    let words = line.words(1);
    let source = if line.name() == "set-var" {
        let (expr, used) = language.expr(words, Site::Parser)?;
        if let Some(extra) = words.get(used) {
            return language.alert(
                Reason::TooManyArguments,
                extra.span,
                format!("unexpected argument '{extra}'."),
            );
        }
        VarSource::Expr(expr)
    } else {
        VarSource::Format(language.log_format(words.first()?, LfUse::Plain, Site::Parser)?)
    };
    Some(GlobalVar { name: var, source })
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
