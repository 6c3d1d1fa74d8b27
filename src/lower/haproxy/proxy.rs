//! `defaults`, `frontend`, `backend` and `listen`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tandem_parser::diagnostic::{Diagnostic, Reason, Severity};
use tandem_parser::haproxy::{Modifier, Section, Statement, Tree, Value, section};
use tandem_parser::span::Span;
use tandem_parser::value::{Address, Port};

use super::context::{Context, span_at};
use super::draft::Draft;
use super::http_errors::Pages;
use super::log::{self, LogLine};
use super::names::{self, Names};
use super::verify::{self, Facts};
use super::{
    balance, bandwidth, bind, dynamic_bases, errors, forms, healthcheck, ids, inherit, log_profile, option,
    origin, rules, server, server_formats, server_values, stats,
};
use crate::ir::proxy::{Mode, StateFile};
use crate::ir::{Caps, Config, ProxyIdx, Server, ServerAddr, Timeouts};

/// HAProxy numbers proxies from 2.
const FIRST_ID: u32 = 2;

/// Lowers every proxy into `config`, resolves names and verifies.
pub(super) fn lower(context: &mut Context<'_>, tree: &Tree, pages: &Pages, config: &mut Config) {
    let sections: Vec<&Section> =
        tree.sections.iter().filter(|section| names::caps(section).is_some()).collect();
    let names = Names::new(context, &sections);
    let mut bases = Defaults::default();
    let mut facts = Vec::new();
    let mut pending = Vec::new();
    // Thousands of proxies: a draft is large, and no more than one is needed at a time.
    let proxies = tree.sections.iter().filter(|section| names::caps(section).is_some()).count();
    config.proxies.reserve_exact(proxies);
    for section in &tree.sections {
        if section.kind.bit == section::DEFAULTS {
            inherit::anonymous(context, section);
            let draft = bases.start(context, section);
            let draft = apply_all(context, section, draft, pages, config);
            bases.add(section, draft);
        } else if names::caps(section).is_some() {
            let draft = bases.start(context, section);
            let draft = apply_all(context, section, draft, pages, config);
            let (fact, rules) = finish(context, section, draft, &names, config);
            facts.push(fact);
            pending.push(rules);
        }
    }
    ids::number(config.proxies.iter_mut().map(|proxy| &mut Arc::make_mut(proxy).id), FIRST_ID);
    rules::log_profiles(context, tree, &names, pages, config);
    for ((index, lines), fact) in (0..).map(ProxyIdx).zip(pending).zip(&facts) {
        let lines = rules::Lines { rules: &lines, format: fact.format_line, section: fact.section.span };
        rules::lower(context, &names, pages, config, index, &lines);
    }
    if config.global.purge_default_servers {
        for half in config.proxies.iter_mut().filter_map(|proxy| Arc::make_mut(proxy).backend.as_mut()) {
            half.default_server = None;
            half.default_servers.clear();
        }
    }
    rules::global_vars(context, tree, &names, pages, config);
    healthcheck::lower(context, tree, &names, pages, config);
    verify::verify(context, config, &facts);
    dynamic_bases::lower(context, &bases, &names, pages, config);
    for frontend in config.proxies.iter_mut().filter_map(|proxy| Arc::make_mut(proxy).frontend.as_mut()) {
        let conds = frontend.use_backends.iter().map(|rule| rule.cond.as_ref());
        frontend.switching = crate::expr::chain::compile(conds);
    }
}

/// The `defaults` sections so far.
#[derive(Default)]
pub(super) struct Defaults<'t> {
    pub(super) sections: Vec<(&'t Section, Draft<'t>)>,
    pub(super) rules: inherit::Users,
    /// Whether a section was named by `from`, and whether one was started from without.
    referenced: HashMap<Span, (bool, bool)>,
}

impl<'t> Defaults<'t> {
    fn add(&mut self, section: &'t Section, draft: Draft<'t>) {
        self.sections.push((section, draft));
    }

    /// What a section starts from: the `defaults` it names, or the last one before it. A `defaults` itself
    /// starts from nothing unless it names another.
    fn start(&mut self, context: &mut Context<'_>, section: &Section) -> Draft<'t> {
        let Some(from) = &section.from else {
            let last = self.sections.last().filter(|_| section.kind.bit != section::DEFAULTS);
            let Some((base, draft)) = last else { return Draft::starting(context) };
            self.rules.check(context, section, base);
            let uses = self.referenced.entry(base.span).or_default();
            uses.1 = true;
            inherit::mixed(context, section, base, *uses);
            return inherited(context, section, draft);
        };
        let named: Vec<_> =
            self.sections.iter().filter(|(base, _)| base.name.as_deref() == Some(from.text())).collect();
        let id = section.name.as_ref().map(|name| name.text()).unwrap_or_default();
        let kind = section.kind.name;
        match named.as_slice() {
            [] => {
                let message = format!("defaults section '{from}' not found for {kind} '{id}'.");
                context.alert(Reason::UnknownReference, from.span, message);
            }
            [_] => {}
            [.., (first, _), (second, _)] => {
                let message = format!(
                    "ambiguous defaults section name '{from}' referenced by {kind} '{id}' exists at least at {} \
                     and {}.",
                    context.spot(first.span),
                    context.spot(second.span)
                );
                context.alert(Reason::Duplicate, from.span, message);
            }
        }
        let Some((base, draft)) = named.last() else { return Draft::new() };
        self.rules.check(context, section, base);
        let uses = self.referenced.entry(base.span).or_default();
        uses.0 = true;
        inherit::mixed(context, section, base, *uses);
        inherited(context, section, draft)
    }
}

/// What a section starts from: its `defaults`, but for the rules if that were too many.
fn inherited<'t>(context: &mut Context<'_>, section: &Section, base: &Draft<'t>) -> Draft<'t> {
    let mut draft = base.inherited();
    if !context.inherit(draft.rules.len(), section.span) {
        draft.rules.clear();
    }
    draft
}

fn apply_all<'t>(
    context: &mut Context<'_>,
    section: &'t Section,
    mut draft: Draft<'t>,
    pages: &Pages,
    config: &Config,
) -> Draft<'t> {
    if let Some(mode) = section.statements.iter().rev().find(|line| line.name() == "mode") {
        draft.log_mode = mode.text(0) == Some("log");
    }
    context.log_mode = draft.log_mode;
    context.unverified.clear();
    context.has_certificates = false;
    for line in section.statements.iter().filter(|line| line.name() == "ssl-f-use") {
        context.has_certificates = true;
        if !line.settings(0).iter().any(|setting| setting.name() == "crt") {
            let message = "Trying to load a certificate but no 'crt' keyword specified.";
            context.alert(Reason::Incomplete, line.span, message);
        }
    }
    context.proxy = section.name.as_ref().map(|name| name.text()).unwrap_or_default().to_owned();
    // What belongs to one section alone.
    draft.common.id = 0;
    draft.has_mode = false;
    draft.common.description = None;
    draft.common.guid = None;
    if let Some(Value::Settings(binds)) = section.addresses.as_deref() {
        for line in binds {
            draft.frontend.binds.extend(bind::lower(context, line));
        }
    }
    for line in &section.statements {
        errors::forget_replies(line, &mut draft.rules);
        if line.name() == "balance" {
            // The last one counts, and may have an expression.
            draft.rules.retain(|rule| rule.name() != "balance");
            draft.rules.push(line);
        }
        let known = option::apply(context, line, &mut draft)
            || draft.check.apply(context, line)
            || stats::apply(context, line, &mut draft)
            || timeout(line, &mut draft.common.timeouts)
            || balance::apply(context, line, &mut draft.backend)
            || errors::apply(context, line, pages, &mut draft.common)
            || bandwidth::apply(context, line, &mut draft.common.bandwidth_limits);
        if !known {
            apply(context, line, &mut draft, config);
        }
    }
    if section.kind.bit != section::DEFAULTS && draft.check.speaks_tls() {
        for (name, span) in std::mem::take(&mut context.unverified) {
            server::unverified(context, &name, span);
        }
    }
    draft
}

/// `timeout`. Zero is "none".
fn timeout(line: &Statement, timeouts: &mut Arc<Timeouts>) -> bool {
    if !line.name().starts_with("timeout ") {
        return false;
    }
    let timeouts = Arc::make_mut(timeouts);
    let field: &mut Option<Duration> = match line.name() {
        "timeout client" => &mut timeouts.client,
        "timeout server" => &mut timeouts.server,
        "timeout connect" => &mut timeouts.connect,
        "timeout check" => &mut timeouts.check,
        "timeout queue" => &mut timeouts.queue,
        "timeout http-request" => &mut timeouts.http_request,
        "timeout http-keep-alive" => &mut timeouts.http_keep_alive,
        "timeout tunnel" => &mut timeouts.tunnel,
        "timeout client-fin" => &mut timeouts.client_fin,
        "timeout client-hs" => &mut timeouts.client_hs,
        "timeout server-fin" => &mut timeouts.server_fin,
        "timeout tarpit" => &mut timeouts.tarpit,
        _ => return false,
    };
    *field = line.time(0).filter(|time| !time.is_zero());
    true
}

/// Everything that is in no family of its own.
fn apply<'t>(context: &mut Context<'_>, line: &'t Statement, draft: &mut Draft<'t>, config: &Config) {
    let text = line.text(0);
    // Zero is no limit.
    let limit = || line.number(0).filter(|limit: &u32| *limit > 0);
    let capture = || Some((text?.to_owned(), line.number(2)?));
    let (common, frontend, backend) = (&mut draft.common, &mut draft.frontend, &mut draft.backend);
    match line.name() {
        "mode" => {
            mode(context, line, &mut common.mode);
            backend.takes_logs = text == Some("log");
            draft.has_mode = true;
        }
        "id" => common.id = line.number(0).unwrap_or(0),
        "guid" => {
            common.guid = text.map(str::to_owned);
            if let Some(why) = text.and_then(forms::guid) {
                context.alert(Reason::InvalidValue, span_at(line, 0), format!("'guid': {why}"));
            }
        }
        "description" => common.description = Some(stats::joined(line.words(0))),
        "disabled" => common.disabled = true,
        "enabled" => common.disabled = false,
        "log" if line.modifier != Modifier::None => draft.logs.clear(),
        "log" => draft.logs.extend(log::line(context, line, &config.rings, false)),
        "log-steps" => common.log_steps = log_profile::steps(context, line),
        "log-tag" => common.log_tag = text.map(str::to_owned),
        "bind" => frontend.binds.extend(bind::lower(context, line)),
        "maxconn" => frontend.maxconn = limit(),
        "backlog" => frontend.backlog = limit(),
        "max-session-srv-conns" => common.max_session_conns = line.number(0).unwrap_or(0),
        "rate-limit sessions" => frontend.rate_limit_sessions = limit(),
        "monitor-uri" => frontend.monitor_uri = text.map(str::to_owned),
        "capture cookie" => frontend.capture_cookie = capture(),
        "default_backend" => {
            draft.default_backend = text.map(|name| (name.to_owned(), span_at(line, 0)));
        }
        "load-server-state-from-file" => {
            backend.state_file = match text {
                Some("global") => StateFile::Global,
                Some("local") => StateFile::Local(None),
                _ => StateFile::None,
            };
        }
        "server-state-file-name" => draft.state_file_name = text.map(str::to_owned),
        "fullconn" => backend.fullconn = limit(),
        // -1 is no limit.
        "max-keep-alive-queue" => backend.max_keep_alive_queue = line.number(0),
        "retries" => backend.retries = line.number(0).unwrap_or(backend.retries),
        "clitcpka-idle" => Arc::make_mut(&mut common.client_keepalive).idle = line.time(0),
        "clitcpka-intvl" => Arc::make_mut(&mut common.client_keepalive).interval = line.time(0),
        "clitcpka-cnt" => Arc::make_mut(&mut common.client_keepalive).count = line.number(0),
        "srvtcpka-idle" => Arc::make_mut(&mut common.server_keepalive).idle = line.time(0),
        "srvtcpka-intvl" => Arc::make_mut(&mut common.server_keepalive).interval = line.time(0),
        "srvtcpka-cnt" => Arc::make_mut(&mut common.server_keepalive).count = line.number(0),
        "persist rdp-cookie" => backend.persist_rdp_cookie = Some(rdp_cookie(line)),
        "dynamic-cookie-key" => backend.dynamic_cookie_key = text.map(str::to_owned),
        "http-send-name-header" => backend.send_name_header = text.map(str::to_owned),
        "dispatch" => backend.dispatch = dispatch(context, line),
        "source" => {
            backend.source = server_values::source(context, line);
            backend.source_from = Some(Box::new(server_values::source_from(context, line)));
        }
        "default-server" => {
            origin::default_server(context, line.settings(0), draft, config);
            draft.rules.extend(draft.template.has_formats().then_some(line));
        }
        "be-unpublished" => backend.unpublished = true,
        "server" | "server-template" => {
            let own = line.args.last().is_some_and(server_formats::has_formats);
            let settings = line.args.last().map_or(&[][..], Value::settings);
            let template = origin::of_server(context, settings, draft, config);
            draft.rules.extend((own || template.has_formats()).then_some(line));
            draft.backend.servers.extend(server::lower(context, line, &template, &config.resolvers));
        }
        "tcp-request inspect-delay" => common.tcp_request_inspect_delay = line.time(0),
        "tcp-response inspect-delay" => common.tcp_response_inspect_delay = line.time(0),
        "unique-id-header" => frontend.unique_id_header = text.map(str::to_owned),
        name if rules::is_rule(name) => {
            if name == "log-format" {
                draft.format_line = Some(line);
            }
            draft.rules.push(line);
        }
        _ => context.untaken(line),
    }
}

/// `persist rdp-cookie` or `persist rdp-cookie(NAME)`.
fn rdp_cookie(line: &Statement) -> String {
    let inside = |text: &str| text.split_once('(').map(|(_, rest)| rest.trim_end_matches(')').to_owned());
    line.words(0)
        .iter()
        .find_map(|word| inside(word.text()).or_else(|| Some(word.text().to_owned())))
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "msts".to_owned())
}

fn mode(context: &mut Context<'_>, line: &Statement, mode: &mut Mode) {
    let span = span_at(line, 0);
    match line.text(0) {
        Some("tcp") => *mode = Mode::Tcp,
        Some("http") => *mode = Mode::Http,
        Some("health") => {
            let message = "mode 'health' doesn't exist anymore.";
            context.say(
                Diagnostic::alert(Reason::Retired, span, message)
                    .help("use 'http-request return status 200' instead"),
            );
        }
        Some("log") => *mode = Mode::Tcp,
        Some(other) => {
            let message = format!("'mode {other}' is known, but Tandem cannot do it yet.");
            context.alert(Reason::Refused, span, message);
        }
        None => {}
    }
}

fn dispatch(context: &mut Context<'_>, line: &Statement) -> Option<std::net::SocketAddr> {
    let span = span_at(line, 0);
    let written = line.text(0).unwrap_or_default();
    let address = line.addresses(0).first()?;
    if matches!(address, Address::Inet { port: Port::None, .. }) {
        let message = format!("'dispatch' : missing port specification in '{written}'");
        context.alert(Reason::InvalidValue, span, message);
        return None;
    }
    let addr = context.resolved(address, span)?.socket(0).filter(|addr| addr.port() != 0);
    match addr {
        Some(_) => {
            let message = "the 'dispatch' directive is not supported anymore since HAProxy 3.5.";
            context.say(
                Diagnostic::warning(Reason::Retired, line.span, message)
                    .help(format!("write: server dispatch {written}"))
                    .edit(line.span, format!("server dispatch {written}")),
            );
        }
        None => {
            let message = format!("'dispatch' : missing port specification in '{written}'");
            context.alert(Reason::InvalidValue, span, message);
        }
    }
    addr
}

/// Turns a draft into the proxy at the end of `config`; its rules wait until all proxies stand.
pub(super) fn finish<'t>(
    context: &mut Context<'_>,
    section: &'t Section,
    draft: Draft<'t>,
    names: &Names<'_>,
    config: &mut Config,
) -> (Facts<'t>, Vec<&'t Statement>) {
    let caps = names::caps(section).unwrap_or(Caps::Listen);
    let own = ProxyIdx(u32::try_from(config.proxies.len()).unwrap_or(u32::MAX));
    let facts = Facts {
        section,
        default_backend: draft.default_backend.as_ref().map(|(_, span)| *span),
        format_line: draft.format_line,
        unused_rules: draft.check.unused_rules(),
        check_names_port: draft.check.names_port(),
    };
    let mut pending = draft.rules;
    let mut proxy = draft.common;
    proxy.name = section.name.as_ref().map(|name| name.text()).unwrap_or_default().to_owned();
    proxy.caps = caps;
    proxy.place = context.place(section.span);
    proxy.logs = Vec::new();
    for line in draft.logs {
        match line {
            LogLine::Global => proxy.logs.extend(config.global.logs.iter().cloned()),
            LogLine::Target(target) => proxy.logs.push(target),
        }
    }
    if let Some(stats) = &mut proxy.stats {
        for name in stats.scope.iter_mut().filter(|name| *name == ".") {
            proxy.name.clone_into(name);
        }
    }
    // The name must lead somewhere even where it is ignored, but for one that a backend has from its `defaults`.
    let begin = (section.span.file, section.span.start);
    let ignored = |span: &Span| caps == Caps::Backend && (span.file, span.start) < begin;
    let default = match draft.default_backend.as_ref().filter(|(_, span)| !ignored(span)) {
        Some((name, span)) => {
            let found = names.backend(name);
            match found {
                Some(index) if index == own => {
                    let message =
                        format!("Proxy '{}': loop detected for default_backend: '{name}'.", proxy.name);
                    context.about(Severity::Alert, Reason::Conflict, *span, message);
                }
                Some(_) => {}
                None => rules::unknown_backend(context, names, &proxy.name, "default_backend", name, *span),
            }
            found
        }
        None => None,
    };
    if caps != Caps::Backend {
        let mut frontend = draft.frontend;
        ids::number(frontend.binds.iter_mut().map(|bind| &mut bind.id), 1);
        let delays_acks = frontend.smart_accept.unwrap_or(proxy.mode == Mode::Http);
        frontend.binds.iter_mut().for_each(|bind| bind.tcp.delays_acks = delays_acks);
        frontend.default_backend = default.or_else(|| (caps == Caps::Listen).then_some(own));
        proxy.frontend = Some(frontend);
    }
    if caps == Caps::Frontend {
        // They do nothing here, and are read all the same.
        let (_, lines) = draft.check.finish(false);
        let own = |line: &&Statement| begin <= (line.span.file, line.span.start);
        pending.extend(lines.into_iter().filter(own));
    } else {
        let mut backend = draft.backend;
        duplicate_servers(context, section, &mut backend.servers);
        // `dispatch` and `option transparent` are one unchecked server.
        if let (Some(addr), []) = (backend.dispatch, backend.servers.as_slice()) {
            let mut server = Server::new("dispatch", ServerAddr::Ip(addr));
            server.place = proxy.place.clone();
            backend.servers.push(server);
        }
        for (tracked, _) in backend.servers.iter_mut().filter_map(|server| server.track.as_mut()) {
            if tracked.is_empty() {
                proxy.name.clone_into(tracked);
            }
        }
        backend.servers.shrink_to_fit();
        ids::number(backend.servers.iter_mut().map(|server| &mut server.id), 1);
        let preserve_env = config.global.external_check.is_some_and(|external| external.preserve_env);
        let (check, mut lines) = draft.check.finish(preserve_env);
        backend.check = check;
        pending.append(&mut lines);
        if let StateFile::Local(name) = &mut backend.state_file {
            *name = draft.state_file_name.filter(|name| name != "use-backend-name");
        }
        proxy.backend = Some(backend);
    }
    config.proxies.push(Arc::new(proxy));
    (facts, pending)
}

/// Two servers of one number or of one name are an error.
fn duplicate_servers(context: &mut Context<'_>, section: &Section, servers: &mut [Server]) {
    let mut ids = HashMap::new();
    let mut names = HashMap::new();
    let id = section.name.as_ref().map(|name| name.text()).unwrap_or_default();
    for server in servers.iter().filter(|server| server.id != 0) {
        if let Some(line) = ids.insert(server.id, server.place.line) {
            let span = line_of(context, section, server);
            let message = format!(
                "'server {id}/{}' : 'id' : custom id {} already used at line {line}.",
                server.name, server.id
            );
            context.alert(Reason::Duplicate, span, message);
        }
    }
    for server in servers.iter() {
        if let Some(line) = names.insert(server.name.as_str(), server.place.line) {
            let message = format!(
                "{} '{id}', another server named '{}' was already defined at line {line}, please use distinct \
                 names.",
                section.kind.name, server.name
            );
            context.alert(Reason::Duplicate, line_of(context, section, server), message);
        }
    }
}

/// The line that defines a server.
fn line_of(context: &Context<'_>, section: &Section, server: &Server) -> Span {
    let mut lines = section.statements.iter().filter(|line| line.name() == "server");
    let line =
        lines.rfind(|line| line.text(0) == Some(&server.name) && context.place(line.span) == server.place);
    line.map_or(section.span, |line| span_at(line, 0))
}
