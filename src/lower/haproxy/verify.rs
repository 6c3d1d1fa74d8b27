//! Checks that need the whole configuration, in HAProxy's words.

use std::sync::Arc;

use tandem_parser::diagnostic::{Diagnostic, Head, Reason, Severity};
use tandem_parser::haproxy::{Section, Statement, Value};
use tandem_parser::span::Span;

use super::context::{Context, span_at};
use super::log_backends::{self, Fault};
use super::muxes;
use super::twins;
use crate::ir::log::LogFormatKind;
use crate::ir::proxy::{Balance, LogBalance, Mode, UseBackendTarget};
use crate::ir::rules::TcpAction;
use crate::ir::server::InitState;
use crate::ir::{Caps, CheckKind, Config, Proxy, Server, ServerAddr};

/// What is known of a proxy's text and no longer seen in the configuration.
pub(super) struct Facts<'t> {
    pub(super) section: &'t Section,
    pub(super) default_backend: Option<Span>,
    pub(super) format_line: Option<&'t Statement>,
    /// Check rules that no option makes use of, and that option.
    pub(super) unused_rules: Option<(&'static str, &'static str)>,
    pub(super) check_names_port: bool,
}

/// `http frontend`, as messages about modes write it.
fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Tcp => "tcp",
        Mode::Http => "http",
    }
}

pub(super) fn kind(proxy: &Proxy) -> &'static str {
    match proxy.caps {
        Caps::Frontend => "frontend",
        Caps::Backend => "backend",
        Caps::Listen => "proxy",
    }
}

/// `FILE:LINE` of a proxy.
pub(super) fn spot(proxy: &Proxy) -> String {
    format!("{}:{}", proxy.place.file, proxy.place.line)
}

/// Verifies everything, and undoes what a warning says is ignored.
pub(super) fn verify(context: &mut Context<'_>, config: &mut Config, facts: &[Facts<'_>]) {
    // Where lines could not be read, only what is surely wrong is worth saying.
    let complete = !context.has_alerts();
    twins::ids(context, config, facts);
    twins::guids(context, config, facts);
    for (index, fact) in facts.iter().enumerate() {
        let proxy = &config.proxies[index];
        if proxy.disabled {
            continue;
        }
        let becomes_http = becomes_http(config, proxy);
        Arc::make_mut(&mut config.proxies[index]).becomes_http = becomes_http;
        let proxy = &config.proxies[index];
        muxes::check(context, proxy, fact.section);
        Subject { context, config, proxy, fact, complete }.check();
        http_only(context, Arc::make_mut(&mut config.proxies[index]), fact, complete);
    }
}

/// Can connections of a TCP frontend become HTTP?
fn becomes_http(config: &Config, proxy: &Proxy) -> bool {
    let Some(frontend) = proxy.frontend.as_ref().filter(|_| proxy.mode == Mode::Tcp) else { return false };
    let rules = frontend.use_backends.iter().filter_map(|rule| match rule.target {
        UseBackendTarget::Static(index) => Some(index),
        UseBackendTarget::Dynamic(_) => None,
    });
    let is_http = |index| config.proxy(index).mode == Mode::Http;
    proxy.tcp_request_content.iter().any(|rule| matches!(rule.action, TcpAction::SwitchModeHttp))
        || frontend.default_backend.into_iter().chain(rules).any(is_http)
}

/// One proxy under examination.
struct Subject<'c, 'a, 't> {
    context: &'c mut Context<'a>,
    config: &'c Config,
    proxy: &'c Proxy,
    fact: &'c Facts<'t>,
    /// No line of the configuration was left out.
    complete: bool,
}

impl Subject<'_, '_, '_> {
    fn say(&mut self, severity: Severity, reason: Reason, span: Span, message: String) {
        self.context.about(severity, reason, span, message);
    }

    fn warn(&mut self, reason: Reason, message: String) {
        if !self.complete {
            return;
        }
        self.say(Severity::Warning, reason, self.fact.section.span, message);
    }

    /// `filter-sequence` names filters of its proxy.
    fn filters(&mut self) {
        let lines = &self.fact.section.statements;
        let known: Vec<&str> = lines.iter().filter_map(|line| line.name().strip_prefix("filter ")).collect();
        let mut missing = Vec::new();
        for line in lines.iter().filter(|line| line.name() == "filter-sequence") {
            let list = line.text(1).unwrap_or_default();
            let compresses =
                |name: &str| matches!(name, "comp-req" | "comp-res") && known.contains(&"compression");
            let strange = |name: &&str| !(known.contains(name) || compresses(name));
            missing.extend(list.split(',').find(strange).map(|name| (line, name)));
        }
        for (line, name) in missing {
            let (proxy, direction) = (&self.proxy.name, line.text(0).unwrap_or_default());
            let message = format!(
                "{proxy}: error while postparsing {direction} filter-sequence '{name}' : invalid filter name: \
                 '{name}' is not defined on the proxy"
            );
            self.say(Severity::Alert, Reason::UnknownReference, span_at(line, 1), message);
        }
    }

    fn check(&mut self) {
        self.filters();
        self.external_check();
        self.listeners();
        self.backends();
        self.formats();
        self.balancing();
        self.checks();
        self.servers();
        self.timeouts();
        self.logs();
    }

    fn listeners(&mut self) {
        let Some(frontend) = &self.proxy.frontend else { return };
        if frontend.binds.is_empty() {
            let (kind, name) = (kind(self.proxy), &self.proxy.name);
            self.warn(
                Reason::Incomplete,
                format!(
                    "{kind} '{name}' has no 'bind' directive. Please declare it as a backend if this was \
                     intended."
                ),
            );
        }
    }

    /// Frontends lead to backends of their own mode; connections of TCP frontends may become HTTP on the way.
    fn backends(&mut self) {
        let Some(frontend) = &self.proxy.frontend else { return };
        let section = self.fact.section.span;
        let default = frontend.default_backend.map(|index| {
            (index, self.fact.default_backend.unwrap_or(section), "as its default backend (see 'mode')")
        });
        let switching = frontend.use_backends.iter().filter_map(|rule| match rule.target {
            UseBackendTarget::Static(index) => Some((index, section, "in a 'use_backend' rule (see 'mode')")),
            UseBackendTarget::Dynamic(_) => None,
        });
        let targets: Vec<_> = default.into_iter().chain(switching).collect();
        for (index, span, how) in targets {
            let target = self.config.proxy(index);
            if target.mode == self.proxy.mode {
                continue;
            }
            if target.mode == Mode::Http {
                continue;
            }
            let message = format!(
                "{} {} '{}' ({}) tries to use incompatible {} {} '{}' ({}) {how}.",
                mode_name(self.proxy.mode),
                kind(self.proxy),
                self.proxy.name,
                spot(self.proxy),
                mode_name(target.mode),
                kind(target),
                target.name,
                spot(target)
            );
            self.say(Severity::Alert, Reason::Conflict, span, message);
        }
        let own = self.proxy.backend.as_ref().is_some_and(|backend| !backend.servers.is_empty());
        if own && let Some(span) = self.fact.default_backend {
            let message = format!(
                "In proxy '{}', the 'default_backend' rule always has precedence over the servers, which will \
                 never be used.",
                self.proxy.name
            );
            self.say(Severity::Warning, Reason::Conflict, span, message);
        }
    }

    fn formats(&mut self) {
        if self.proxy.mode == Mode::Http || self.proxy.becomes_http || self.proxy.frontend.is_none() {
            return;
        }
        let option = match self.proxy.log_format {
            LogFormatKind::Http => "httplog",
            LogFormatKind::Clf => "httplog clf",
            LogFormatKind::Https => "httpslog",
            _ => return,
        };
        let span = self.fact.format_line.map_or(self.fact.section.span, |line| line.span);
        let message = format!(
            "'option {option}' not usable with {} '{}' (needs 'mode http'). Falling back to 'option tcplog'.",
            kind(self.proxy),
            self.proxy.name
        );
        self.context.warn(Reason::Conflict, span, message);
    }

    fn balancing(&mut self) {
        let Some(backend) = &self.proxy.backend else { return };
        let (kind, name) = (kind(self.proxy), &self.proxy.name);
        if !backend.takes_logs && matches!(backend.log_balance, LogBalance::Sticky | LogBalance::Hash) {
            let message = format!(
                "Unusable balance algorithm for {kind} '{name}' (needs 'mode log'). Falling back to round robin."
            );
            self.warn(Reason::Conflict, message);
        }
        if self.proxy.mode == Mode::Http {
            return;
        }
        if backend.cookie.is_some() {
            let message = format!("cookie will be ignored for {kind} '{name}' (needs 'mode http').");
            self.warn(Reason::Conflict, message);
        }
        if matches!(backend.balance, Balance::Uri { .. } | Balance::UrlParam(_) | Balance::Hdr { .. }) {
            let message = format!(
                "Layer 7 hash not possible for {kind} '{name}' (needs 'mode http'). Falling back to round robin."
            );
            self.warn(Reason::Conflict, message);
        }
    }

    fn checks(&mut self) {
        let Some(backend) = &self.proxy.backend else { return };
        let (kind, name) = (kind(self.proxy), &self.proxy.name);
        if let Some((rules, option)) = self.fact.unused_rules {
            let message =
                format!("{kind} '{name}' uses {rules} rules without '{option}', so the rules are ignored.");
            self.warn(Reason::Conflict, message);
        }
        self.check_sections();
        self.log_backend();
        let needs_port = |server: &&Server| {
            let check = server.check.as_ref();
            let section = check.and_then(|check| self.config.healthchecks.get(check.section.as_ref()?));
            if section.is_some_and(|check| matches!(check.kind, CheckKind::TcpScript)) {
                return false;
            }
            let own = match &server.addr {
                _ if check.is_some_and(|check| check.socket.is_some()) => true,
                // `:` is nowhere until a command says where it is.
                ServerAddr::Ip(addr) => addr.port() != 0 || addr.ip().is_unspecified(),
                // The port of a service is told with its place.
                ServerAddr::Name { host, port } => {
                    *port != 0 || server.lookup.resolvers.is_some() && host.starts_with('_')
                }
                // Only an address of the check's own has a port.
                ServerAddr::Unix(_) | ServerAddr::SockPair(_) => {
                    check.is_none_or(|check| check.addr.is_none())
                }
            };
            check.is_some_and(|check| check.port.is_none()) && !own && server.track.is_none()
        };
        let portless: Vec<&Server> = backend.servers.iter().filter(needs_port).collect();
        if self.fact.check_names_port || matches!(backend.check.kind, CheckKind::External(_)) {
            return;
        }
        for server in portless {
            let message = format!(
                "config: {kind} '{name}': server '{}' has neither service port nor check port nor tcp_check rule \
                 'connect' with port information.",
                server.name
            );
            let span = self.server_span(server);
            // HAProxy looks at addresses only; a name it could not resolve passes.
            let literal = !matches!(server.addr, ServerAddr::Name { .. });
            let severity = if literal { Severity::Alert } else { Severity::Warning };
            self.say(severity, Reason::Incomplete, span, message);
        }
    }

    /// Lines go to all servers of a backend in the same way.
    fn log_backend(&mut self) {
        let Some(backend) = self.proxy.backend.as_ref().filter(|backend| backend.takes_logs) else { return };
        for fault in log_backends::faults(&self.proxy.name, backend) {
            let (span, message) = match fault {
                Fault::Server(server, message) => (self.server_span(server), message),
                Fault::Line(name, message) => {
                    let line = self.fact.section.statements.iter().rfind(|line| line.name() == name);
                    (line.map_or(self.fact.section.span, |line| line.span), message)
                }
            };
            self.say(Severity::Alert, Reason::InvalidValue, span, message);
        }
    }

    /// Sections whose rules servers are checked by, where they are checked.
    fn check_sections(&mut self) {
        let lines = self.fact.section.statements.iter();
        let settings = lines.filter(|line| line.name().contains("server")).flat_map(|line| &line.args);
        let named = settings.flat_map(Value::settings).filter(|setting| setting.name() == "healthcheck");
        let strange = |name: &str| !self.config.healthchecks.contains_key(name);
        let missing: Vec<_> = named
            .filter_map(|setting| Some((span_at(setting, 0), setting.text(0).filter(|name| strange(name))?)))
            .map(|(span, name)| (span, format!("healthcheck section '{name}' not found.")))
            .collect();
        for (span, text) in missing {
            self.say(Severity::Alert, Reason::UnknownReference, span, text);
        }
    }

    /// What programs that check need.
    fn external_check(&mut self) {
        let name = &self.proxy.name;
        let line = |wanted: &str| self.fact.section.statements.iter().find(|line| line.name() == wanted);
        let own = line("option external-check").or_else(|| line("external-check command"));
        let span = own.map_or(self.fact.section.span, |line| line.span);
        let external = self.proxy.backend.as_ref().and_then(|backend| match &backend.check.kind {
            CheckKind::External(external) => Some(external),
            _ => None,
        });
        let mut wrong = Vec::new();
        let asked = external.is_some() || line("option external-check").is_some();
        if asked && self.config.global.external_check.is_none() {
            wrong.push(format!(
                "Proxy '{name}' : 'option external-check' unable to find required 'global.external-check'."
            ));
        }
        if external.is_some_and(|external| external.command.is_empty()) {
            wrong.push(format!(
                "Proxy '{name}' : 'option external-check' unable to find required 'external-check command'."
            ));
        }
        // A command without its option is judged, too.
        let own = line("external-check command").and_then(|line| line.text(0));
        let own = own.map(|command| (command, line("external-check path").is_some()));
        let command = external.map(|external| (external.command.as_str(), external.path.is_some())).or(own);
        if command.is_some_and(|(command, found)| !command.is_empty() && !command.starts_with('/') && !found)
        {
            wrong.push(format!(
                "Proxy '{name}': 'external-check command' does not have a leading '/' and 'external-check path' \
                 is not set."
            ));
        }
        for message in wrong {
            self.say(Severity::Alert, Reason::Incomplete, span, message);
        }
    }

    fn servers(&mut self) {
        let Some(backend) = &self.proxy.backend else { return };
        for server in &backend.servers {
            if server.agent.as_ref().is_some_and(|agent| agent.port == 0) {
                let span = self.server_span(server);
                let (proxy, name) = (&self.proxy.name, &server.name);
                let message = format!(
                    "'server {proxy}/{name}' : server {name} does not have agent port. Agent check has been disabled."
                );
                self.context.say(Diagnostic::alert(Reason::Incomplete, span, message).head(Head::At));
            }
            let Some((proxy, tracked)) = &server.track else { continue };
            let span = self.server_span(server);
            let id = format!("'server {}/{}'", self.proxy.name, server.name);
            let named = |other: &&Arc<Proxy>| other.name == *proxy && other.backend.is_some();
            let found = self.config.proxies.iter().find(named);
            let message = match found.and_then(|proxy| proxy.backend.as_ref()) {
                None => format!("{id} : unable to find required proxy '{proxy}' for tracking."),
                Some(_) if *proxy == self.proxy.name && *tracked == server.name => format!(
                    "{id} : unable to track {proxy}/{tracked} as it belongs to a tracking chain looping back to \
                     {proxy}/{tracked}."
                ),
                Some(backend) => match backend.servers.iter().find(|other| other.name == *tracked) {
                    None => format!("{id} : unable to find required server '{tracked}' for tracking."),
                    Some(other)
                        if other.check.is_none() && other.agent.is_none() && other.track.is_none() =>
                    {
                        format!(
                            "{id} : unable to use {proxy}/{tracked} for tracking as it does not have any check nor \
                             agent enabled."
                        )
                    }
                    Some(_) if server.check.is_some() => {
                        format!("{id} : unable to enable checks and tracking at the same time!")
                    }
                    Some(_) if server.init_state != InitState::None => {
                        format!("{id} : unable to set init-state and tracking at the same time!")
                    }
                    Some(_) => continue,
                },
            };
            let reason = Reason::UnknownReference;
            self.context.say(Diagnostic::alert(reason, span, message).head(Head::At));
        }
        for rule in &backend.use_servers {
            if rule.computed.is_none() && backend.servers.iter().all(|server| server.name != rule.server) {
                let message = format!(
                    "{} '{}' : unable to find server '{}' referenced in a 'use-server' rule.",
                    kind(self.proxy),
                    self.proxy.name,
                    rule.server
                );
                let mut lines =
                    self.fact.section.statements.iter().filter(|line| line.name() == "use-server");
                let line = lines.find(|line| line.text(0) == Some(rule.server.as_str()));
                let span = line.map_or(self.fact.section.span, |line| span_at(line, 0));
                self.say(Severity::Alert, Reason::UnknownReference, span, message);
            }
        }
    }

    /// The line of a server, by its place.
    fn server_span(&self, server: &Server) -> Span {
        let lines = self.fact.section.statements.iter().filter(|line| line.name() == "server");
        let mut lines = lines.filter(|line| line.text(0) == Some(server.name.as_str()));
        let mut templates = self.fact.section.statements.iter().filter(|line| {
            line.name() == "server-template" && line.text(0).is_some_and(|name| server.name.starts_with(name))
        });
        lines.next().or_else(|| templates.next()).map_or(self.fact.section.span, |line| span_at(line, 0))
    }

    fn timeouts(&mut self) {
        if self.proxy.backend.as_ref().is_some_and(|backend| backend.takes_logs) {
            return;
        }
        let timeouts = &self.proxy.timeouts;
        let client = self.proxy.frontend.is_some() && timeouts.client.is_none();
        let serving = self.proxy.backend.as_ref().is_some_and(|backend| !backend.servers.is_empty());
        let no_server =
            timeouts.server.is_none() && (self.proxy.mode == Mode::Http || timeouts.tunnel.is_none());
        if client || (serving && (timeouts.connect.is_none() || no_server)) {
            self.warn(
                Reason::Incomplete,
                format!(
                    "missing timeouts for {} '{}'.\n   \
                     | While not properly invalid, you will certainly encounter various problems\n   \
                     | with such a configuration. To fix this, please ensure that all following\n   \
                     | timeouts are set to a non-zero value: 'client', 'connect', 'server'.",
                    kind(self.proxy),
                    self.proxy.name
                ),
            );
        }
    }

    fn logs(&mut self) {
        let formatted = !matches!(self.proxy.log_format, LogFormatKind::Default);
        if self.proxy.frontend.is_some() && formatted && self.proxy.logs.is_empty() {
            let (kind, name) = (kind(self.proxy), &self.proxy.name);
            let message = format!("log format ignored for {kind} '{name}' since it has no log address.");
            self.warn(Reason::Conflict, message);
        }
    }
}

/// In `mode tcp` what belongs to HTTP is ignored, with a warning for what a reader would expect to work.
fn http_only(context: &mut Context<'_>, proxy: &mut Proxy, fact: &Facts<'_>, complete: bool) {
    if proxy.mode == Mode::Http || proxy.becomes_http {
        return;
    }
    let (kind, name) = (kind(proxy), proxy.name.clone());
    let ignored = [
        ("'stats' statement", "it requires", proxy.stats.is_some()),
        ("'http-request' rules", "they require", !proxy.http_request.is_empty()),
        ("'http-response' rules", "they require", !proxy.http_response.is_empty()),
        ("'http-after-response' rules", "they require", !proxy.http_after_response.is_empty()),
        ("'option forwardfor'", "it requires", proxy.forwardfor.is_some()),
        ("'option originalto'", "it requires", proxy.originalto.is_some()),
        ("'option forwarded'", "it requires", proxy.forwarded.is_some()),
    ];
    for (what, why, _) in ignored.iter().filter(|(.., there)| *there && complete) {
        let message = format!("{what} ignored for {kind} '{name}' as {why} HTTP mode.");
        context.about(Severity::Warning, Reason::Conflict, fact.section.span, message);
    }
    proxy.stats = None;
    proxy.http_request.clear();
    proxy.http_response.clear();
    proxy.http_after_response.clear();
    proxy.forwardfor = None;
    proxy.originalto = None;
    proxy.forwarded = None;
    if matches!(proxy.log_format, LogFormatKind::Http | LogFormatKind::Clf | LogFormatKind::Https) {
        proxy.log_format = LogFormatKind::Tcp;
    }
    if let Some(frontend) = &mut proxy.frontend {
        frontend.monitor_uri = None;
    }
    if let Some(backend) = &mut proxy.backend {
        backend.cookie = None;
        if matches!(backend.balance, Balance::Uri { .. } | Balance::UrlParam(_) | Balance::Hdr { .. }) {
            backend.balance = Balance::RoundRobin;
        }
    }
}
