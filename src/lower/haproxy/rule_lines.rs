//! The lines of one proxy with expressions, conditions and formats, read one by one, and where in the proxy they go.

use std::collections::HashMap;
use std::sync::Arc;

use tandem_parser::Word;
use tandem_parser::diagnostic::{Diagnostic, Head, Reason};
use tandem_parser::haproxy::{Modifier, Statement};
use tandem_parser::span::Span;

use super::super::expr::{Language, LfUse, Site};
use super::super::rules::RuleSet;
use super::check_rules::CheckRules;
use super::connection::connection_names;
use super::extensions::Extensions;
use super::introduction;
use super::names::Names;
use super::server_formats;
use crate::ir::Proxy;
use crate::ir::expr::{Cond, Expr, LfAlias, LfItem, LfNode, LogFormat};
use crate::ir::log::LogFormatKind;
use crate::ir::proxy::{
    Balance, Forwarded, LogBalance, PersistRule, UseBackend, UseBackendTarget, UseServer,
};
use crate::ir::rules::{HttpRule, Reply, TcpRule};

/// Where the rules of a proxy go once they are read.
#[derive(Default)]
pub(super) struct Lists {
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

/// Name and length of every capture slot; those of rules have no name.
pub(super) type Captures = Vec<(String, usize)>;

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

/// Reads the lines of one proxy.
pub(super) struct Reader<'w> {
    pub(super) language: Language<'w>,
    /// All of the configuration; those that stand above have their rules.
    proxies: &'w [Arc<Proxy>],
    pub(super) lists: Lists,
    /// Backends that do not exist.
    pub(super) unknown: Vec<(String, Span)>,
    /// Capture slots, request and response.
    pub(super) captures: (Captures, Captures),
}

impl<'w> Reader<'w> {
    /// Of a proxy with these lines.
    pub(super) fn new(mut language: Language<'w>, proxies: &'w [Arc<Proxy>], lines: &[&Statement]) -> Self {
        language.capture_totals = capture_totals(lines);
        let (lists, captures) = Default::default();
        Self { language, proxies, lists, unknown: Vec::new(), captures }
    }

    /// Reads a line. `format_line`: the one that chose the proxy's log format.
    pub(super) fn line(&mut self, line: &Statement, names: &Names<'_>, format_line: Option<&Statement>) {
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
            "balance" => lists.hash_expr = hash_expr(language, line, proxies),
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

/// What was read goes into the proxy.
pub(super) fn store(proxy: &mut Proxy, mut lists: Lists, (request, response): (Captures, Captures)) {
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
        if backend.takes_logs && backend.log_balance == LogBalance::Hash {
            backend.balance = Balance::Hash;
        }
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
fn hash_expr(language: &mut Language<'_>, line: &Statement, proxies: &[Arc<Proxy>]) -> Option<Expr> {
    let (first, rest) = (line.word(0)?, line.words(1));
    if first == "hash" {
        let (expr, used) = language.expr(rest, Site::UseServer)?;
        if let Some(extra) = rest.get(used) {
            let message = format!("balance hash takes no other argument (got '{extra}').");
            return language.alert(Reason::TooManyArguments, extra.span, message);
        }
        return Some(expr);
    }
    let owner = language.owner.idx.and_then(|idx| proxies.get(idx.0 as usize)?.backend.as_ref());
    if first == "log-hash" && owner.is_some_and(|backend| backend.takes_logs) {
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
