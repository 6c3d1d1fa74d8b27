//! Lines with expressions, conditions and formats: which they are, and where their names lead.

use std::collections::HashMap;
use std::sync::Arc;

use tandem_parser::Word;
use tandem_parser::diagnostic::{Diagnostic, Head, Reason};
use tandem_parser::haproxy::{Modifier, Statement, Tree, section};
use tandem_parser::span::Span;
use tandem_parser::suggest::nearest;

use super::super::expr::{Language, LfUse, Owner, Site};
use super::super::rules::RuleSet;
use super::check_rules::CheckRules;
use super::connection::connection_names;
use super::context::Context;
use super::extensions::Extensions;
use super::http_errors::Pages;
use super::introduction;
use super::log_profile;
use super::names::Names;
use super::server_formats;
use super::surroundings::Surroundings;
use crate::ir::check::Check;
use crate::ir::expr::{Cond, Expr, LfAlias, LfItem, LfNode, LogFormat, Scope};
use crate::ir::global::{GlobalVar, VarSource};
use crate::ir::log::LogFormatKind;
use crate::ir::proxy::{Forwarded, Mode, PersistRule, UseBackend, UseBackendTarget, UseServer};
use crate::ir::rules::{HttpRule, Reply, TcpRule};
use crate::ir::{Config, Proxy, ProxyIdx};

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

/// Where the rules of a proxy go once they are read.
#[derive(Default)]
struct Lists {
    tcp_connection: Vec<TcpRule>,
    tcp_session: Vec<TcpRule>,
    tcp_content: Vec<TcpRule>,
    tcp_response: Vec<TcpRule>,
    unique_id: Option<LogFormat>,
    /// With their turn, see [`turn`].
    http_request: Vec<(u8, HttpRule)>,
    http_response: Vec<(u8, HttpRule)>,
    http_after_response: Vec<HttpRule>,
    use_backends: Vec<UseBackend>,
    use_servers: Vec<UseServer>,
    force_be_switch: Vec<Cond>,
    extensions: Extensions,
    /// `sni` and `pool-conn-name` of `default-server`.
    default_names: HashMap<String, Word>,
    persist_rules: Vec<(PersistRule, Cond)>,
    monitor_fail: Vec<Cond>,
    stats_admin: Vec<Cond>,
    stats_http_request: Vec<HttpRule>,
    log_format: Option<LogFormat>,
    check: CheckRules,
    forwarded: Option<Forwarded>,
    http_errors: Vec<Reply>,
    hash_expr: Option<Expr>,
    log_format_sd: Option<LogFormat>,
    error_log_format: Option<LogFormat>,
}

/// `stick` rules are only judged: an expression, a table that is looked for elsewhere, a condition.
fn stick(language: &mut Language<'_>, words: &[Word], site: Site) {
    language.judged(|language| {
        let Some((_, used)) = language.expr(words, site) else { return };
        let mut rest = &words[used..];
        if let [table, _, after @ ..] = rest
            && table == "table"
        {
            rest = after;
        }
        language.cond(rest, site);
    });
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
        let mut reader = Reader {
            proxies: &config.proxies,
            language: Language::new(&world, owner, Default::default()),
            lists: Lists::default(),
            unknown: Vec::new(),
            captures: Default::default(),
        };
        reader.language.capture_totals = capture_totals(lines.rules);
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

/// Name and length of every capture slot; those of rules have no name.
type Captures = Vec<(String, usize)>;

/// How many slots the lines make, request and response.
fn capture_totals(lines: &[&Statement]) -> (usize, usize) {
    let made = |line: &&&Statement| {
        let words = line.words(0);
        let makes =
            words.first().is_some_and(|word| word == "capture") && words.iter().any(|word| word == "len");
        makes && matches!(line.name(), "http-request" | "tcp-request content")
    };
    let request = |line: &&&Statement| match line.name() {
        "capture request header" => true,
        "declare capture" => line.text(0) == Some("request"),
        _ => made(line),
    };
    let response = |line: &&&Statement| match line.name() {
        "capture response header" => true,
        "declare capture" => line.text(0) != Some("request"),
        _ => false,
    };
    (lines.iter().filter(request).count(), lines.iter().filter(response).count())
}

fn store(proxy: &mut Proxy, mut lists: Lists, (request, response): (Captures, Captures)) {
    proxy.tcp_request_connection = lists.tcp_connection;
    proxy.tcp_request_session = lists.tcp_session;
    proxy.tcp_request_content = lists.tcp_content;
    proxy.tcp_response_content = lists.tcp_response;
    proxy.http_request = in_turn(lists.http_request);
    proxy.http_response = in_turn(lists.http_response);
    proxy.http_after_response = lists.http_after_response;
    proxy.forwarded = lists.forwarded.map(Box::new);
    proxy.http_errors = lists.http_errors;
    proxy.log_format_sd = lists.log_format_sd.map(Box::new);
    proxy.error_log_format = lists.error_log_format.map(Box::new);
    if let Some(format) = lists.log_format {
        // One that writes nothing is none.
        let says = |node: &LfNode| !matches!(node.item, LfItem::Alias(LfAlias::Nothing));
        let kind = format.nodes.iter().any(says).then_some(LogFormatKind::Custom(format));
        proxy.log_format = kind.unwrap_or_default();
    }
    if let Some(backend) = &mut proxy.backend {
        backend.unique_id_format = lists.unique_id.clone().map(Box::new);
    }
    if let Some(stats) = &mut proxy.stats {
        stats.admin = lists.stats_admin;
        stats.http_request = lists.stats_http_request;
    }
    if let Some(frontend) = &mut proxy.frontend {
        lists.use_backends.shrink_to_fit();
        frontend.use_backends = lists.use_backends;
        frontend.force_be_switch = lists.force_be_switch;
        frontend.monitor_fail = lists.monitor_fail;
        frontend.unique_id_format = lists.unique_id;
        frontend.request_slots = request.iter().map(|(_, len)| *len).collect();
        frontend.response_slots = response.iter().map(|(_, len)| *len).collect();
        (frontend.capture_request, frontend.capture_response) = (request, response);
    }
    proxy.log_at = proxy.complete_at();
    if let Some(backend) = &mut proxy.backend {
        lists.check.store(&mut backend.check);
        lists.extensions.store(backend);
        backend.use_servers = lists.use_servers;
        backend.hash_expr = lists.hash_expr.map(Box::new);
        backend.persist_rules = lists.persist_rules;
    }
}

/// When a rule has its turn, wherever it stands among the others: `block`, then today's rules, then those of old that
/// searched lines, then those that added headers, `redirect` last.
fn turn(line: &Statement) -> u8 {
    match (line.name(), line.old) {
        ("redirect", _) => 4,
        (_, Some("block")) => 0,
        (_, Some("reqadd" | "rspadd")) => 3,
        (_, Some(_)) => 2,
        _ => 1,
    }
}

fn in_turn(mut rules: Vec<(u8, HttpRule)>) -> Vec<HttpRule> {
    rules.sort_by_key(|(turn, _)| *turn);
    rules.into_iter().map(|(_, rule)| rule).collect()
}

/// What `balance hash EXPR` and `balance log-hash CONVERTERS` hash.
fn hash_expr(language: &mut Language<'_>, line: &Statement) -> Option<Expr> {
    let (first, rest) = (line.word(0)?, line.words(1));
    if first == "hash" {
        let (expr, used) = language.expr(rest, Site::UseServer)?;
        if let Some(extra) = rest.get(used) {
            let message = format!("'balance hash' cannot handle unexpected argument '{extra}'.");
            return language.alert(Reason::TooManyArguments, extra.span, message);
        }
        return Some(expr);
    }
    if first == "log-hash" {
        // Converters, applied to the line: the fetch before them is never asked. It is none that has its value now.
        let list = rest.first().map_or("", |word| word.text());
        let text = if list.is_empty() { "src".to_owned() } else { format!("src,{list}") };
        let word = Word::resolved(text.as_bytes(), rest.first().unwrap_or(first).span, false);
        return language.expr(std::slice::from_ref(&word), Site::UseServer).map(|(expr, _)| expr);
    }
    None
}

/// The condition of a line. Outer `None`: it is wrong.
fn condition(language: &mut Language<'_>, line: &Statement, site: Site) -> Option<Option<Cond>> {
    match line.condition() {
        None => Some(None),
        Some(cond) => language.terms(cond.unless, &cond.words, cond.span, site).map(Some),
    }
}

struct Reader<'w> {
    language: Language<'w>,
    /// All of the configuration; those that stand above have their rules.
    proxies: &'w [Arc<Proxy>],
    lists: Lists,
    /// Backends that do not exist.
    unknown: Vec<(String, Span)>,
    /// Capture slots, request and response.
    captures: (Captures, Captures),
}

impl Reader<'_> {
    fn line(&mut self, line: &Statement, names: &Names<'_>, format_line: Option<&Statement>) {
        let from = self.language.said_so_far();
        self.read(line, names, format_line);
        let owner = self.language.owner.clone();
        self.language.introduce(
            from,
            |in_condition| introduction::of(line, &owner, in_condition),
            |in_condition, keyword| introduction::used(line, &owner, in_condition, keyword),
        );
        // What the line captures by a rule.
        let (request, response) = self.language.capture_lengths();
        let add = |slots: &mut Captures, lengths: &[usize]| {
            slots.extend(lengths[slots.len()..].iter().map(|len| (String::new(), *len)));
        };
        add(&mut self.captures.0, request);
        add(&mut self.captures.1, response);
    }

    /// A slot that a line declares.
    fn slot(&mut self, line: &Statement, request: bool, name: &str) {
        let Some(len) = line.number::<usize>(2) else { return };
        let slots = if request { &mut self.captures.0 } else { &mut self.captures.1 };
        slots.push((name.to_owned(), len));
        let lengths = if request { &mut self.language.captures.0 } else { &mut self.language.captures.1 };
        lengths.push(len);
    }

    fn read(&mut self, line: &Statement, names: &Names<'_>, format_line: Option<&Statement>) {
        match (line.name(), line.text(0)) {
            ("capture request header", Some(name)) => return self.slot(line, true, name),
            ("capture response header", Some(name)) => return self.slot(line, false, name),
            // A slot without a header: rules fill it.
            ("declare capture", kind) => return self.slot(line, kind == Some("request"), ""),
            _ => {}
        }
        let words = line.words(0);
        let span = line.span;
        let Self { language, lists, proxies, .. } = self;
        match line.name() {
            "acl" => {
                let all: Vec<_> = line.word(0).into_iter().chain(line.words(1)).cloned().collect();
                language.acl(&all, span);
            }
            "http-request" => {
                let rule = language.http_rule(RuleSet::HttpRequest, words, span);
                lists.http_request.extend(rule.map(|rule| (turn(line), rule)));
            }
            "redirect" => {
                let rule = language.redirect(words, span);
                lists.http_request.extend(rule.map(|rule| (turn(line), rule)));
            }
            "http-response" => {
                let rule = language.http_rule(RuleSet::HttpResponse, words, span);
                lists.http_response.extend(rule.map(|rule| (turn(line), rule)));
            }
            "http-after-response" => {
                let rule = language.http_rule(RuleSet::HttpAfterResponse, words, span);
                lists.http_after_response.extend(rule);
            }
            "stats http-request" => {
                lists.stats_http_request.extend(language.http_rule(RuleSet::HttpRequest, words, span));
            }
            "tcp-request connection" => {
                lists.tcp_connection.extend(language.tcp_rule(RuleSet::TcpConnection, words, span));
            }
            "tcp-request session" => {
                lists.tcp_session.extend(language.tcp_rule(RuleSet::TcpSession, words, span));
            }
            "tcp-request content" => {
                lists.tcp_content.extend(language.tcp_rule(RuleSet::TcpContent, words, span));
            }
            "tcp-response content" => {
                lists.tcp_response.extend(language.tcp_rule(RuleSet::TcpResponse, words, span));
            }
            // The last one counts.
            "unique-id-format" => {
                if let Some(word) = line.word(0) {
                    lists.unique_id = language.log_format(word, LfUse::UniqueId, Site::HttpRequest);
                }
            }
            // QUIC is not spoken: the rule is only judged.
            "quic-initial" => {
                condition(language, line, Site::TcpConnection);
            }
            "force-be-switch" => {
                lists.force_be_switch.extend(condition(language, line, Site::UseBackend).flatten());
            }
            "default-server" | "server" | "server-template" => {
                if line.name() == "default-server" {
                    for (setting, word) in server_formats::names(line) {
                        lists.default_names.insert(setting.to_owned(), word.clone());
                    }
                } else {
                    connection_names(language, line, &lists.default_names);
                }
                lists.extensions.read(language, line, proxies);
            }
            word @ ("force-persist" | "ignore-persist") => {
                let rule = if word == "force-persist" { PersistRule::Force } else { PersistRule::Ignore };
                let cond = condition(language, line, Site::UseServer).flatten();
                lists.persist_rules.extend(cond.map(|cond| (rule, cond)));
            }
            "monitor fail" => {
                lists.monitor_fail.extend(condition(language, line, Site::HttpRequest).flatten())
            }
            "stats admin" => lists.stats_admin.extend(condition(language, line, Site::HttpRequest).flatten()),
            // The last one counts. A section without a server side is told so by its keyword's row.
            "option forwarded" => {
                let on = line.modifier == Modifier::None && language.owner.backend;
                lists.forwarded = on.then(|| language.forwarded(words, span)).flatten();
            }
            "error-log-format" => {
                if let Some(word) = line.word(0) {
                    lists.error_log_format = language.log_format(word, LfUse::Log, Site::Log);
                }
            }
            "log-format-sd" => {
                if let Some(word) = line.word(0) {
                    lists.log_format_sd = language.log_format(word, LfUse::Log, Site::Log);
                }
            }
            "balance" => lists.hash_expr = hash_expr(language, line),
            "http-error" => lists.http_errors.extend(language.http_error(words, span)),
            "use_backend" => self.use_backend(line, names),
            "stick on" | "stick match" | "stick store-request" => stick(language, words, Site::UseServer),
            "stick store-response" => stick(language, words, Site::StickStore),
            "use-server" => {
                let Some(cond) = condition(language, line, Site::UseServer) else { return };
                let Some(word) = line.word(0) else { return };
                let computed = if word.contains('%') {
                    match language.log_format(word, LfUse::Plain, Site::UseServer) {
                        Some(format) => Some(format),
                        None => return,
                    }
                } else {
                    None
                };
                let server = if computed.is_some() { String::new() } else { word.text().to_owned() };
                if computed.is_none() && !language.owner.backend {
                    let owner = &language.owner.name;
                    let message = format!(
                        "frontend '{owner}' : unable to find server '{server}' referenced in a 'use-server' rule."
                    );
                    let d = Diagnostic::alert(Reason::UnknownReference, word.span, message);
                    language.say(d.head(Head::Plain));
                }
                lists.use_servers.push(UseServer { server, computed, cond });
            }
            "log-format" if format_line.is_none_or(|chosen| std::ptr::eq(chosen, line)) => {
                if let Some(word) = line.word(0) {
                    lists.log_format = language.log_format(word, LfUse::Log, Site::Log);
                }
            }
            _ => lists.check.line(language, line),
        }
    }

    fn use_backend(&mut self, line: &Statement, names: &Names<'_>) {
        let Some(word) = line.word(0) else { return };
        let cond = condition(&mut self.language, line, Site::UseBackend);
        let target = match names.backend(word) {
            Some(index) => {
                if self.language.owner.idx == Some(index) {
                    let message = format!(
                        "Proxy '{}': loop detected for use_backend: '{word}'.",
                        self.language.owner.name
                    );
                    let d = Diagnostic::alert(Reason::Conflict, word.span, message).head(Head::Plain);
                    self.language.say(d);
                }
                Some(UseBackendTarget::Static(index))
            }
            None if word.contains('%') => {
                self.language.log_format(word, LfUse::Plain, Site::UseBackend).map(UseBackendTarget::Dynamic)
            }
            None => {
                self.unknown.push((word.text().to_owned(), word.span));
                None
            }
        };
        let place = self.language.place(line.span);
        if let (Some(target), Some(cond)) = (target, cond) {
            self.lists.use_backends.push(UseBackend { target, cond, place });
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
