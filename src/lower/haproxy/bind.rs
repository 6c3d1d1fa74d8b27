//! `bind` lines: one listener per address and port.

use std::net::SocketAddr;
use std::path::PathBuf;

use tandem_parser::diagnostic::{Reason, Severity};
use tandem_parser::haproxy::Statement;
use tandem_parser::value::{Address, Port, Transport};

use super::context::{Context, span_at};
use super::threads;
use crate::ir::bind::TcpSettings;
use crate::ir::global::Level;
use crate::ir::{Bind, BindAddr};
use crate::sys::signed::LONGEST;

/// Settings that `bind` and `stats socket` share.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) name: Option<String>,
    pub(super) level: Level,
    pub(super) mode: Option<u32>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) expose_fd: bool,
    id: u32,
    guid_prefix: Option<String>,
    maxconn: Option<u32>,
    backlog: Option<u32>,
    transparent: bool,
    interface: Option<String>,
    namespace: Option<String>,
    accept_proxy: bool,
    netscaler: Option<u32>,
    nice: i32,
    v6only: Option<bool>,
    tcp: TcpSettings,
}

/// `unix-bind`: what unix sockets have where their line says nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct UnixDefaults {
    prefix: String,
    mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
}

/// Reads a `unix-bind` line.
pub(super) fn unix_defaults(context: &mut Context<'_>, line: &Statement) -> UnixDefaults {
    let prefix = line.settings(0).iter().find(|setting| setting.name() == "prefix");
    let prefix = prefix.and_then(|setting| setting.text(0)).unwrap_or_default().to_owned();
    let settings = settings(context, line.settings(0));
    UnixDefaults { prefix, mode: settings.mode, uid: settings.uid, gid: settings.gid }
}

/// Reads the settings of a line.
pub(super) fn settings(context: &mut Context<'_>, settings: &[Statement]) -> Settings {
    let UnixDefaults { mode: default_mode, uid, gid, .. } = context.unix;
    let mut out = Settings { mode: default_mode, uid, gid, ..Settings::default() };
    for setting in settings {
        let text = setting.text(0);
        let owned = || text.map(str::to_owned);
        let span = span_at(setting, 0);
        match setting.name() {
            "name" => out.name = owned(),
            "guid-prefix" => out.guid_prefix = owned(),
            "id" => out.id = setting.number(0).unwrap_or(0),
            // Zero is no limit.
            "maxconn" => out.maxconn = setting.number(0).filter(|limit| *limit > 0),
            "backlog" => out.backlog = setting.number(0).filter(|limit| *limit > 0),
            "transparent" => out.transparent = true,
            "interface" => out.interface = owned(),
            "namespace" => out.namespace = owned(),
            "accept-proxy" => out.accept_proxy = true,
            "accept-netscaler-cip" => out.netscaler = setting.number(0),
            // `v6only` is the stronger of both.
            "v4v6" => out.v6only = Some(out.v6only == Some(true)),
            "v6only" => out.v6only = Some(true),
            "defer-accept" => out.tcp.defer_accept = true,
            "nice" => {
                out.nice = setting.number(0).unwrap_or(0);
                if out.nice < 0 {
                    let message =
                        "'nice' with a negative value has no effect: no session goes before others.";
                    context.warn(Reason::NoEffect, span, message);
                }
            }
            "tcp-ut" => out.tcp.user_timeout = setting.time(0).filter(|time| !time.is_zero()),
            "mode" => out.mode = mode(context, setting),
            "user" => out.uid = text.and_then(|name| context.user(name, span)),
            "group" => out.gid = text.and_then(|name| context.group(name, span)),
            "uid" => out.uid = setting.number(0),
            "gid" => out.gid = setting.number(0),
            "level" => {
                out.level = match text {
                    Some("admin") => Level::Admin,
                    Some("user") => Level::User,
                    _ => Level::Operator,
                }
            }
            "expose-fd" => out.expose_fd = true,
            "process" | "thread" => {
                if let Some(message) = threads::check(setting) {
                    context.alert(Reason::InvalidValue, span, message);
                }
            }
            "shards" if !shards(context, setting) => {
                let message = format!(
                    "'shards' : invalid value '{}', allowed range is 1..1024 or 'by-thread'",
                    text.unwrap_or_default()
                );
                context.alert(Reason::InvalidValue, span, message);
            }
            "mss" if setting.number(0) == Some(0_i64) => {
                let message = "'mss' : expects an MSS with and absolute value between 1 and 65535";
                context.alert(Reason::OutOfRange, span, message);
            }
            "mss" => out.tcp.max_segment = setting.number(0),
            "tfo" => out.tcp.fast_open = true,
            "cc" => out.tcp.congestion = owned(),
            "tcp-md5sig" => match password(setting) {
                Ok(password) => out.tcp.password = password.map(str::to_owned),
                Err(cause) => context.alert(Reason::OutOfRange, span, cause),
            },
            "tcp-ss" => out.tcp.save_syn = saved_syn(context, setting),
            "proto" => protocol(context, setting),
            _ => {}
        }
    }
    out
}

/// `tcp-md5sig` of a listener or a server, or what is wrong with it.
pub(super) fn password(setting: &Statement) -> Result<Option<&str>, String> {
    let text = setting.text(0);
    if text.is_some_and(|password| password.len() > LONGEST) {
        return Err(format!("'tcp-md5sig' : password too long (at most {LONGEST} characters expected)"));
    }
    Ok(text)
}

/// `tcp-ss`: 0, 1 or 2.
fn saved_syn(context: &mut Context<'_>, setting: &Statement) -> u8 {
    let mode = leading(context, setting).and_then(|mode| u8::try_from(mode).ok()).filter(|mode| *mode <= 2);
    if mode.is_none() {
        let message = "'tcp-ss' : TCP Save SYN option expects an integer argument from 0 to 2";
        context.alert(Reason::OutOfRange, span_at(setting, 0), message);
    }
    mode.unwrap_or(0)
}

fn shards(context: &mut Context<'_>, setting: &Statement) -> bool {
    matches!(setting.text(0), Some("by-thread" | "by-group"))
        || leading(context, setting).is_some_and(|number| (1..=1024).contains(&number))
}

/// The number that a word begins with: what follows it is not looked at, as HAProxy does not.
fn leading(context: &mut Context<'_>, setting: &Statement) -> Option<u32> {
    let text = setting.text(0).unwrap_or_default();
    let (digits, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number = digits.parse().ok()?;
    if !rest.is_empty() {
        let message = format!("'{}' reads '{text}' as {number}.", setting.name());
        context.warn(Reason::InvalidValue, span_at(setting, 0), message);
    }
    Some(number)
}

/// `proto` of a listener or a server: HTTP/1 is what is spoken.
pub(super) fn protocol(context: &mut Context<'_>, setting: &Statement) {
    let text = setting.text(0).unwrap_or_default();
    if matches!(text, "h1" | "none") {
        return;
    }
    let known = matches!(text, "h2" | "fcgi" | "quic" | "spop" | "qmux");
    if known {
        let message = format!("'proto {text}' has no effect : Tandem speaks HTTP/1 only yet.");
        context.warn(Reason::NoEffect, span_at(setting, 0), message);
    } else {
        let message = format!("'proto' : unknown MUX protocol '{text}'");
        context.alert(Reason::InvalidValue, span_at(setting, 0), message);
    }
}

fn mode(context: &mut Context<'_>, setting: &Statement) -> Option<u32> {
    let text = setting.text(0).unwrap_or_default();
    // What is above the permissions of a file is not looked at.
    let mode = i64::from_str_radix(text, 8).ok().map(|mode| (mode & 0o7777) as u32);
    if mode.is_none() {
        let message = format!("'mode' : missing or invalid mode '{text}' (octal integer expected)");
        context.alert(Reason::InvalidValue, span_at(setting, 0), message);
    }
    mode
}

/// Lowers one line; listeners without an id get 0.
pub(super) fn lower(context: &mut Context<'_>, line: &Statement) -> Vec<Bind> {
    certificate(context, line);
    verification(context, line);
    let settings = settings(context, line.settings(1));
    threads::exist(context, line);
    let reverse = line.addresses(0).iter().any(|address| matches!(address, Address::ReverseHttp(_)));
    if let Some(setting) = line.settings(1).iter().find(|setting| setting.name() == "nbconn" && !reverse) {
        let message = "'nbconn' : only valid for reverse HTTP listeners.";
        context.alert(Reason::Conflict, setting.span, message);
    }
    let span = span_at(line, 0);
    let mut binds = Vec::new();
    for address in line.addresses(0) {
        for addr in listeners(context, line, address) {
            binds.push(Bind {
                addr,
                name: settings.name.clone(),
                id: settings.id,
                guid: settings.guid_prefix.as_ref().map(|prefix| format!("{prefix}-{}", binds.len())),
                maxconn: settings.maxconn,
                backlog: settings.backlog,
                transparent: settings.transparent,
                interface: settings.interface.clone(),
                namespace: settings.namespace.clone(),
                accept_proxy: settings.accept_proxy,
                netscaler: settings.netscaler,
                nice: settings.nice,
                v6only: settings.v6only,
                tcp: settings.tcp.clone(),
                mode: settings.mode,
                uid: settings.uid,
                gid: settings.gid,
                level: settings.level,
                place: context.place(line.span),
            });
        }
    }
    if line.settings(1).iter().filter(|setting| setting.name() == "id").count() > 1 {
        let message = format!("'id' : custom id {} is the second one of this line", settings.id);
        context.alert(Reason::Duplicate, span, message);
    }
    if settings.id != 0 && binds.len() > 1 {
        let message = "'bind' : 'id' can be only used with a single socket";
        context.alert(Reason::Conflict, span, message);
    }
    binds
}

/// Names of settings that bring a certificate.
const CERTIFICATES: &[&str] = &["crt", "crt-list", "default-crt", "ca-sign-file", "generate-certificates"];

/// A listener with TLS has a certificate.
fn certificate(context: &mut Context<'_>, line: &Statement) {
    let has = |names: &[&str]| line.settings(1).iter().any(|setting| names.contains(&setting.name()));
    if !has(&["ssl"]) || has(CERTIFICATES) || context.has_certificates {
        return;
    }
    let written = line.text(0).unwrap_or_default();
    let (proxy, spot) = (&context.proxy, context.spot(line.span));
    let message = format!(
        "Proxy '{proxy}': no SSL certificate specified for bind '{written}' at [{spot}] (use 'crt')."
    );
    context.about(Severity::Alert, Reason::Incomplete, line.span, message);
}

/// A listener that asks clients for certificates knows who may have signed them.
fn verification(context: &mut Context<'_>, line: &Statement) {
    let has = |names: &[&str]| line.settings(1).iter().any(|setting| names.contains(&setting.name()));
    // The lines of a list say it for their certificates.
    if !has(&["ssl"]) || has(&["crt-list"]) {
        return;
    }
    let (written, proxy) = (line.text(0).unwrap_or_default(), &context.proxy);
    let spot = context.spot(line.span);
    let asks = line.settings(1).iter().rfind(|setting| setting.name() == "verify");
    let asks = asks.is_some_and(|setting| setting.text(0) != Some("none"));
    let message = if asks && !has(&["ca-file", "ca-verify-file"]) {
        format!(
            "Proxy '{proxy}': verify is enabled but no CA file specified for bind '{written}' at [{spot}]."
        )
    } else if has(&["generate-certificates"]) && !has(&["ca-sign-file"]) {
        format!(
            "Proxy '{proxy}': cannot enable certificate generation, no CA certificate File configured at [{spot}]."
        )
    } else {
        return;
    };
    context.about(Severity::Alert, Reason::Incomplete, line.span, message);
}

/// Whether a line's listeners take connections or datagrams.
fn takes_datagrams(line: &Statement) -> bool {
    line.name() == "dgram-bind"
}

fn listeners(context: &mut Context<'_>, line: &Statement, address: &Address) -> Vec<BindAddr> {
    let span = span_at(line, 0);
    let written = line.text(0).unwrap_or_default();
    if matches!(address, Address::Inet { port: Port::None, .. }) {
        let message = format!("'bind' : missing port specification in '{written}'");
        context.alert(Reason::InvalidValue, span, message);
        return Vec::new();
    }
    let Some(address) = context.resolved(address, span) else { return Vec::new() };
    let transport = match &address {
        Address::Unix { transport, .. } | Address::Inet { transport, .. } => *transport,
        _ => None,
    };
    let datagrams = takes_datagrams(line);
    let cause = match &address {
        _ if transport.is_some_and(|it| datagrams != (it == Transport::Datagram)) => {
            let kind = if datagrams { "stream" } else { "dgram" };
            format!("{kind}-type address not acceptable in '{written}'")
        }
        Address::Unix { path, .. } => {
            return vec![BindAddr::Unix(PathBuf::from(format!("{}{path}", context.unix.prefix)))];
        }
        Address::Abstract(name) => return vec![BindAddr::Abstract(name.clone())],
        Address::Fd(fd) | Address::SockPair(fd) => match context.socket_trouble(*fd) {
            Some(cause) => cause.trim_end_matches('.').to_owned(),
            None if matches!(address, Address::Fd(_)) => return vec![BindAddr::Fd(*fd)],
            None => return vec![BindAddr::SockPair(*fd)],
        },
        Address::Inet { transport: Some(Transport::Quic), .. } => {
            let message = "'bind' on 'quic' addresses is accepted but has no effect in Tandem yet.";
            context.warn(Reason::NoEffect, span, message);
            return Vec::new();
        }
        Address::Inet { host, port, .. } => {
            let range = match port {
                Port::One(port @ 1..) => Some((*port, *port)),
                Port::Range(first @ 1.., last) => Some((*first, *last)),
                _ => None,
            };
            match (host.ip(), range) {
                (Some(ip), Some((first, last))) => {
                    if !context.make(usize::from(last - first) + 1, span) {
                        return Vec::new();
                    }
                    return (first..=last).map(|port| BindAddr::Tcp(SocketAddr::new(ip, port))).collect();
                }
                _ => match port {
                    Port::Offset(_) => format!("port offset not permitted here in '{written}'"),
                    _ => "invalid port '0'".to_owned(),
                },
            }
        }
        Address::ReverseHttp(_) if !context.switches.experimental => format!(
            "Address '{written}' is experimental, must be allowed via a global 'expose-experimental-directives'"
        ),
        Address::ReverseHttp(_) => {
            let message = format!("'bind' on '{written}' is known, but Tandem cannot do it yet.");
            context.alert(Reason::Refused, span, message);
            return Vec::new();
        }
    };
    context.alert(Reason::InvalidValue, span, format!("'bind' : {cause}"));
    Vec::new()
}
