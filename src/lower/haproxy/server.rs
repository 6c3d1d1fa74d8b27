//! `server`, `server-template` and `default-server`.

use std::path::PathBuf;
use std::sync::Arc;

use tandem_parser::diagnostic::{Diagnostic, Head, Reason, Severity};
use tandem_parser::haproxy::Statement;
use tandem_parser::span::Span;
use tandem_parser::value::{Address, Host, Port, Transport};

use super::context::{Context, span_at};
use super::origin;
use super::server_formats::TLV_FORMAT;
use super::server_values::{
    abstract_path, agent_address, alert, check_target, init_addr, proxy_v2, relay, resolve_net, resolve_opts,
    send_proxy, source, source_from, track,
};
use crate::ir::check::Target;
use crate::ir::resolvers::Resolvers;
use crate::ir::server::{
    AgentSettings, HashKey, InitState, ObserveLayer, OnError, OnMark, Server, ServerAddr, ServerSettings,
};

/// Settings of servers to be, and what else lines say that matters until they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Template {
    /// Shared with those that start from it, until they change it.
    settings: Arc<ServerSettings>,
    /// Some setting was written.
    written: bool,
    resolvers_at: Option<Span>,
    /// Formats in its settings are read with the rules.
    has_formats: bool,
    tls: Tls,
}

/// What is said of TLS: enough to know whether the server could be verified.
#[derive(Clone, Copy, Debug, Default)]
struct Tls {
    on: bool,
    checked: bool,
    verify: Option<bool>,
    authority: bool,
}

impl Template {
    /// `default-server` and the settings of a `server`.
    pub(super) fn apply(&mut self, context: &mut Context<'_>, settings: &[Statement]) {
        for setting in settings {
            self.setting(context, setting);
        }
    }

    /// One that starts from these settings.
    pub(super) fn starting_from(settings: Arc<ServerSettings>) -> Self {
        Self { settings, written: true, ..Self::default() }
    }

    /// What it says.
    pub(super) fn settings(&self) -> Arc<ServerSettings> {
        self.settings.clone()
    }

    /// Those that start from it have names of their own.
    pub(super) fn forget_guid(&mut self) {
        if self.settings.server.guid.is_some() {
            Arc::make_mut(&mut self.settings).server.guid = None;
        }
    }

    /// Lines of the section have settings that are read with the rules.
    pub(super) fn notice_formats(&mut self, formats: bool) {
        self.has_formats |= formats;
    }

    /// What it says, if it says anything.
    pub(super) fn written(&self) -> Option<Arc<ServerSettings>> {
        self.written.then(|| self.settings.clone())
    }

    /// Has it settings that are read with the rules?
    pub(super) fn has_formats(&self) -> bool {
        self.has_formats
    }

    fn setting(&mut self, context: &mut Context<'_>, setting: &Statement) {
        let text = setting.text(0);
        let owned = || text.map(str::to_owned);
        self.written = true;
        let settings = Arc::make_mut(&mut self.settings);
        let (server, check, agent) = (&mut settings.server, &mut settings.check, &mut settings.agent);
        match setting.name() {
            // Before all other settings they are taken for what they are, see `origin`.
            "from" | "name" => {
                let message = format!("unknown keyword '{}'.", setting.name());
                alert(context, setting.span, message);
            }
            "healthcheck" => check.section = owned(),
            "id" => server.id = setting.number(0).unwrap_or(0),
            "weight" => server.weight = setting.number(0).unwrap_or(1),
            "backup" => server.backup = true,
            "no-backup" => server.backup = false,
            "disabled" => server.disabled = true,
            "enabled" => server.disabled = false,
            "maxconn" => server.maxconn = setting.number(0).unwrap_or(0),
            "minconn" => server.minconn = setting.number(0).unwrap_or(0),
            "maxqueue" => server.maxqueue = setting.number(0).unwrap_or(0),
            "slowstart" => server.slowstart = setting.time(0).filter(|time| !time.is_zero()),
            "hash-key" => server.hash_key = hash_key(setting),
            "guid" => server.guid = owned(),
            "cookie" => server.cookie = owned(),
            "redir" => server.redir = owned(),
            "ssl" => self.tls.on = true,
            "no-ssl" => self.tls.on = false,
            "check-ssl" => self.tls.checked = true,
            "no-check-ssl" => self.tls.checked = false,
            "verify" => self.tls.verify = Some(text == Some("required")),
            "ca-file" => self.tls.authority = true,
            "check" => settings.checked = true,
            "no-check" => settings.checked = false,
            "inter" => check.inter = setting.time(0).unwrap_or(check.inter),
            "fastinter" => check.fastinter = setting.time(0),
            "downinter" => check.downinter = setting.time(0),
            "rise" => check.rise = setting.number(0).unwrap_or(check.rise),
            "fall" => check.fall = setting.number(0).unwrap_or(check.fall),
            "port" => check.port = setting.number(0).filter(|port| *port != 0),
            "addr" => self.check_addr(context, setting),
            "agent-check" => agent.asked = true,
            "no-agent-check" => *agent = AgentSettings::default(),
            "agent-inter" => agent.inter = setting.time(0).filter(|time| !time.is_zero()),
            "agent-port" => agent.port = setting.number(0),
            "agent-send" => {
                agent.send = setting.word(0).map_or_else(Vec::new, |word| word.bytes().into_owned());
            }
            "agent-addr" => self.agent_addr(context, setting),
            "check-send-proxy" => check.send_proxy = true,
            "no-check-send-proxy" => check.send_proxy = false,
            "check-via-socks4" => check.via_socks4 = true,
            "track" => server.track = text.map(track),
            "observe" => {
                settings.observe = match text {
                    Some("layer4") => Some(ObserveLayer::Layer4),
                    Some("layer7") => Some(ObserveLayer::Layer7),
                    _ => None,
                }
            }
            "on-error" => {
                settings.on_error = match text {
                    Some("fastinter") => OnError::FastInter,
                    Some("sudden-death") => OnError::SuddenDeath,
                    Some("mark-down") => OnError::MarkDown,
                    _ => OnError::FailCheck,
                }
            }
            "error-limit" => settings.error_limit = setting.number(0).unwrap_or(settings.error_limit),
            "on-marked-down" => server.on_marked_down = OnMark::ShutdownSessions,
            "on-marked-up" => server.on_marked_up = OnMark::ShutdownSessions,
            "resolvers" => {
                server.lookup_mut().resolvers = owned();
                self.resolvers_at = Some(span_at(setting, 0));
            }
            "resolve-prefer" => server.lookup_mut().resolve_prefer_ipv4 = text == Some("ipv4"),
            "resolve-opts" => resolve_opts(context, setting, server),
            "resolve-net" => resolve_net(context, setting, server),
            "init-state" => {
                server.init_state = match text {
                    Some("fully-up") => InitState::FullyUp,
                    Some("up") => InitState::Up,
                    Some("down") => InitState::Down,
                    Some("fully-down") => InitState::FullyDown,
                    _ => InitState::None,
                }
            }
            "init-addr" => server.lookup_mut().init_addr = init_addr(context, setting),
            name if name.trim_start_matches("no-").starts_with("send-proxy") => {
                send_proxy(&mut server.link_mut().send_proxy, name);
            }
            "tcp-ut" => server.link_mut().user_timeout = setting.time(0).filter(|time| !time.is_zero()),
            "cc" => server.link_mut().congestion = setting.text(0).map(Into::into),
            "tcp-md5sig" => match super::bind::password(setting) {
                Ok(password) => server.link_mut().password = password.map(Into::into),
                Err(cause) => alert(context, span_at(setting, 0), cause),
            },
            "tfo" => server.link_mut().fast_open = true,
            "no-tfo" if server.link.fast_open => server.link_mut().fast_open = false,
            "strict-maxconn" => server.strict_maxconn = true,
            "proxy-v2-options" => proxy_v2(context, setting, &mut server.link_mut().send_proxy),
            TLV_FORMAT | "sni" | "pool-conn-name" => self.has_formats = true,
            "namespace" => server.link_mut().namespace = owned(),
            "socks4" => server.link_mut().socks4 = relay(context, setting),
            "proto" | "check-proto" => super::bind::protocol(context, setting),
            "source" => {
                server.link_mut().source = source(context, setting);
                server.link_mut().source_from = Some(Box::new(source_from(context, setting)));
            }
            "pool-max-conn" => server.pool_max_conn = setting.number(0),
            "pool-low-conn" => server.pool_low_conn = setting.number(0).unwrap_or_default(),
            "pool-purge-delay" => {
                server.pool_purge_delay = setting.time(0).unwrap_or(server.pool_purge_delay)
            }
            _ => {}
        }
    }

    fn check_addr(&mut self, context: &mut Context<'_>, setting: &Statement) {
        let Some(target) = check_target(context, setting) else { return };
        let check = &mut Arc::make_mut(&mut self.settings).check;
        (check.addr, check.socket) = (None, None);
        match target {
            Target::Ip(ip, port) => {
                check.addr = Some(ip);
                check.port = port.or(check.port);
            }
            Target::Unix(path) => check.socket = Some(path),
        }
    }

    fn agent_addr(&mut self, context: &mut Context<'_>, setting: &Statement) {
        Arc::make_mut(&mut self.settings).agent.addr = agent_address(context, setting);
    }
}

/// Lowers a `server` or `server-template` line; ids are 0 where not given.
pub(super) fn lower(
    context: &mut Context<'_>,
    line: &Statement,
    template: &Template,
    resolvers: &[Resolvers],
) -> Vec<Server> {
    let is_template = line.name() == "server-template";
    let (at, settings) = if is_template { (2, 3) } else { (1, 2) };
    let Some(name) = line.word(0) else { return Vec::new() };
    if let Some(c) = name.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '.' | ':' | '_' | '-'))
    {
        let message = format!("character '{c}' is not permitted in server name '{name}'.");
        alert(context, name.span, message);
    }
    let mut template = template.clone();
    let server = &mut Arc::make_mut(&mut template.settings).server;
    server.id = 0;
    server.place = context.place(line.span);
    let Some(addr) = address(context, line, at, &mut template) else { return Vec::new() };
    context.server = Some(format!("{}/{name}", context.proxy));
    template.apply(context, origin::rest(line.settings(settings)));
    context.server = None;
    let server = &mut Arc::make_mut(&mut template.settings).server;
    // `minconn` alone, or beyond `maxconn`, is what counts for both.
    server.maxconn = server.maxconn.max(server.minconn);
    if let (Some(wanted), Some(span)) = (&template.settings.server.lookup.resolvers, template.resolvers_at)
        && !resolvers.iter().any(|section| section.name == *wanted)
    {
        let proxy = &context.proxy;
        let message =
            format!("backend '{proxy}', server '{name}': unable to find required resolvers '{wanted}'");
        context.about(Severity::Alert, Reason::UnknownReference, span, message);
    }
    let Tls { on, checked, verify, authority } = template.tls;
    if !authority && verify.unwrap_or(!context.switches.no_server_verify) {
        if on || checked {
            unverified(context, name, line.span);
        } else {
            context.unverified.push((name.text().to_owned(), line.span));
        }
    }
    if let (None, ServerAddr::Name { host, .. }) = (&template.settings.server.lookup.resolvers, &addr)
        && host.starts_with('_')
    {
        let proxy = &context.proxy;
        let message = format!("'server {proxy}/{name}' : no method found to resolve address '{host}'.");
        alert(context, span_at(line, at), message);
    }
    if let (Some(_), ServerAddr::Name { host, .. }) = (&template.settings.server.lookup.resolvers, &addr) {
        followed(context, line, at, host);
    }
    if !is_template {
        return vec![Arc::unwrap_or_clone(template.settings).finish(name, addr)];
    }
    let range = line.word(1).map(|word| (word, numbers(word)));
    let Some((word, range)) = range else { return Vec::new() };
    let Some((first, last)) = range else {
        alert(context, word.span, format!("Wrong server-template number or range arg '{word}'."));
        return Vec::new();
    };
    if !context.make((last - first) as usize + 1, word.span) {
        return Vec::new();
    }
    let own_id = template.settings.server.id;
    let servers = (first..=last).zip(0..).map(|(number, nth)| {
        let mut one = template.clone();
        Arc::make_mut(&mut one.settings).server.id = if own_id == 0 { 0 } else { own_id + nth };
        if nth > 0 {
            one.forget_guid();
        }
        Arc::unwrap_or_clone(one.settings).finish(&format!("{name}{number}"), addr.clone())
    });
    servers.collect()
}

/// A server that TLS would be spoken with, and nothing to verify it by.
pub(super) fn unverified(context: &mut Context<'_>, name: &str, span: Span) {
    let proxy = &context.proxy;
    let message = format!(
        "'server {proxy}/{name}' : verify is enabled by default but no CA file specified. If you're running on a LAN \
         where you're certain to trust the server's certificate, please set an explicit 'verify none' statement on \
         the 'server' line, or use 'ssl-server-verify none' in the global section to disable server-side \
         verifications by default."
    );
    let diagnostic = Diagnostic::alert(Reason::Incomplete, span, message).head(Head::At);
    context.say(diagnostic.help("or name the authority: ca-file <file>"));
}

fn hash_key(setting: &Statement) -> HashKey {
    match setting.text(0) {
        Some("id32") => HashKey::Id32,
        Some("guid") => HashKey::Guid,
        Some("addr") => HashKey::Addr,
        Some("addr-port") => HashKey::AddrPort,
        _ => HashKey::Id,
    }
}

/// Refuses what a `resolvers` section could never find an address for.
fn followed(context: &mut Context<'_>, line: &Statement, at: usize, host: &str) {
    let server = line.text(0).unwrap_or_default();
    if crate::dns::wire::name(host).is_err() {
        let message = format!("'server {server}' : Can't create DNS resolution for server '{server}'");
        alert(context, span_at(line, at), message);
    }
}

/// `3` is 1 to 3, `5-7` is itself.
fn numbers(text: &str) -> Option<(u32, u32)> {
    let (first, last) = text.split_once('-').unwrap_or(("1", text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && last - first < 65536).then_some((first, last))
}

fn address(
    context: &mut Context<'_>,
    line: &Statement,
    nth: usize,
    template: &mut Template,
) -> Option<ServerAddr> {
    let written = line.text(nth).unwrap_or_default();
    let cause = match line.addresses(nth).first()? {
        Address::Inet { transport: Some(Transport::Datagram), host, port, .. } if context.log_mode => {
            Arc::make_mut(&mut template.settings).server.datagrams = true;
            let port = if let Port::One(port) = port { *port } else { 514 };
            return host.ip().map(|ip| ServerAddr::Ip(std::net::SocketAddr::new(ip, port)));
        }
        Address::Inet { transport: Some(Transport::Quic), .. } => {
            let message = format!("servers at '{written}' are known, but Tandem cannot reach them yet.");
            context.say(Diagnostic::alert(Reason::Refused, span_at(line, nth), message).head(Head::At));
            return None;
        }
        Address::Inet { transport: Some(Transport::Datagram), .. } => {
            format!("dgram-type address not acceptable in '{written}'")
        }
        Address::Inet { host, port, .. } => {
            let port = match port {
                Port::None => Ok(0),
                Port::One(port) => Ok(*port),
                Port::Offset(offset) => {
                    Arc::make_mut(&mut template.settings).server.port_offset = Some(*offset);
                    Ok(0)
                }
                Port::Range(..) => Err(format!("port range not permitted here in '{written}'")),
            };
            match (port, host) {
                (Ok(port), Host::Name(name)) => return Some(ServerAddr::Name { host: name.clone(), port }),
                (Ok(port), host) => {
                    return host.ip().map(|ip| ServerAddr::Ip(std::net::SocketAddr::new(ip, port)));
                }
                (Err(cause), _) => cause,
            }
        }
        Address::Unix { path, .. } => return Some(ServerAddr::Unix(PathBuf::from(path))),
        Address::Abstract(name) => return Some(ServerAddr::Unix(abstract_path(name))),
        Address::SockPair(fd) if !context.log_mode => match context.socket_trouble(*fd) {
            Some(cause) => cause,
            None => return Some(ServerAddr::SockPair(*fd)),
        },
        Address::SockPair(_) | Address::ReverseHttp(_) => {
            let message = format!("servers at '{written}' are known, but Tandem cannot reach them yet.");
            context.say(Diagnostic::alert(Reason::Refused, span_at(line, nth), message).head(Head::At));
            return None;
        }
        Address::Fd(_) => format!("a file descriptor is not acceptable here in '{written}'"),
    };
    let message = format!("'server {}/{}' : {cause}", context.proxy, line.text(0).unwrap_or_default());
    alert(context, span_at(line, nth), message);
    None
}
