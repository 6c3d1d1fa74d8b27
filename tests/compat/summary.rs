//! A configuration in a few lines, for expectations that people can read.

use std::fmt::{Debug, Write};
use std::time::Duration;

use tandem::ir::proxy::UseBackendTarget;
use tandem::ir::{Config, Global, Proxy, Server};

/// Writes what differs from the defaults.
pub(super) fn summary(config: &Config) -> String {
    let mut out = String::new();
    global(&mut out, &config.global);
    for list in &config.userlists {
        line(&mut out, 0, format!("userlist {}", list.name));
        for user in &list.users {
            line(&mut out, 1, format!("{} {:?} groups {:?}", user.name, user.password, user.groups));
        }
    }
    // What is there without being written depends on the machine.
    for resolvers in config.resolvers.iter().filter(|section| !section.implied) {
        line(&mut out, 0, format!("resolvers {}", resolvers.name));
        for server in &resolvers.nameservers {
            line(&mut out, 1, format!("{} {} tcp {}", server.name, server.addr, server.tcp));
        }
        line(
            &mut out,
            1,
            format!("retries {} hold valid {:?}", resolvers.resolve_retries, resolvers.hold_valid),
        );
    }
    for one in &config.proxies {
        proxy(&mut out, config, one);
    }
    out
}

fn line(out: &mut String, depth: usize, text: impl AsRef<str>) {
    let _ = writeln!(out, "{}{}", "  ".repeat(depth), text.as_ref());
}

/// ` name value` if there is a value.
fn some<T: Debug>(out: &mut String, name: &str, value: Option<&T>) {
    if let Some(value) = value {
        let _ = write!(out, " {name} {value:?}");
    }
}

fn flag(out: &mut String, name: &str, on: bool) {
    if on {
        let _ = write!(out, " {name}");
    }
}

fn global(out: &mut String, global: &Global) {
    let mut text = "global".to_owned();
    some(&mut text, "maxconn", global.maxconn.as_ref());
    some(&mut text, "nbthread", global.nbthread.as_ref());
    flag(&mut text, "daemon", global.daemon);
    let _ = write!(text, " bufsize {}", global.bufsize);
    line(out, 0, text);
    for log in &global.logs {
        line(out, 1, format!("log {:?} {:?} {:?} {:?}", log.dest, log.framing, log.facility, log.max_level));
    }
    for socket in &global.stats_sockets {
        line(
            out,
            1,
            format!("socket {:?} {:?} mode {:o}", socket.addr, socket.level, socket.mode.unwrap_or(0)),
        );
    }
}

fn proxy(out: &mut String, config: &Config, proxy: &Proxy) {
    let mut text = format!("{:?} {} id {} {:?}", proxy.caps, proxy.name, proxy.id, proxy.mode);
    let times = &proxy.timeouts;
    let timeouts: [(&str, Option<Duration>); 8] = [
        ("client", times.client),
        ("server", times.server),
        ("connect", times.connect),
        ("check", times.check),
        ("queue", times.queue),
        ("http-request", times.http_request),
        ("http-keep-alive", times.http_keep_alive),
        ("tunnel", times.tunnel),
    ];
    for (name, time) in timeouts {
        some(&mut text, name, time.as_ref());
    }
    line(out, 0, text);
    line(out, 1, format!("logs {} {:?}", proxy.logs.len(), proxy.log_format));
    let mut options = format!("options {:?}", proxy.http_conn_mode);
    flag(&mut options, "dontlognull", proxy.dontlognull);
    flag(&mut options, "clitcpka", proxy.clitcpka);
    flag(&mut options, "srvtcpka", proxy.srvtcpka);
    some(&mut options, "forwardfor", proxy.forwardfor.as_ref());
    line(out, 1, options);
    for (code, page) in &proxy.errorfiles {
        line(out, 1, format!("page {code} of {} bytes", page.len()));
    }
    for location in &proxy.errorlocs {
        line(out, 1, format!("location {location:?}"));
    }
    let rules = (proxy.http_request.len(), proxy.http_response.len(), proxy.tcp_request_content.len());
    line(out, 1, format!("rules http-request {} http-response {} tcp {}", rules.0, rules.1, rules.2));
    if let Some(stats) = &proxy.stats {
        let mut text = format!("stats {} realm {:?} auth {}", stats.uri, stats.realm, stats.auth.len());
        some(&mut text, "refresh", stats.refresh.as_ref());
        flag(&mut text, "legends", stats.show_legends);
        let _ = write!(text, " admin {}", stats.admin.len());
        line(out, 1, text);
    }
    if let Some(frontend) = &proxy.frontend {
        for bind in &frontend.binds {
            let mut text = format!("bind {} {:?}", bind.id, bind.addr);
            some(&mut text, "name", bind.name.as_ref());
            some(&mut text, "v6only", bind.v6only.as_ref());
            flag(&mut text, "transparent", bind.transparent);
            flag(&mut text, "accept-proxy", bind.accept_proxy);
            line(out, 1, text);
        }
        for rule in &frontend.use_backends {
            let target = match &rule.target {
                UseBackendTarget::Static(index) => config.proxy(*index).name.as_str(),
                UseBackendTarget::Dynamic(_) => "(computed)",
            };
            line(out, 1, format!("use {target} if {}", rule.cond.is_some()));
        }
        if let Some(index) = frontend.default_backend {
            line(out, 1, format!("default {}", config.proxy(index).name));
        }
    }
    if let Some(backend) = &proxy.backend {
        line(out, 1, format!("balance {:?} {:?}", backend.balance, backend.hash_type));
        line(
            out,
            1,
            format!("retries {} redispatch {:?} {:?}", backend.retries, backend.redispatch, backend.retry_on),
        );
        if let Some(cookie) = &backend.cookie {
            line(out, 1, format!("{cookie:?}"));
        }
        line(out, 1, format!("check {:?}", backend.check.kind));
        for rule in &backend.check.rules {
            line(out, 2, format!("{} {:?} {:?}", rule.number, rule.comment, rule.step));
        }
        for one in &backend.servers {
            server(out, one);
        }
    }
}

fn server(out: &mut String, server: &Server) {
    let mut text = format!("server {} {} {:?} weight {}", server.id, server.name, server.addr, server.weight);
    some(&mut text, "offset", server.port_offset.as_ref());
    some(&mut text, "cookie", server.cookie.as_ref());
    some(&mut text, "slowstart", server.slowstart.as_ref());
    some(&mut text, "resolvers", server.lookup.resolvers.as_ref());
    some(&mut text, "track", server.track.as_ref());
    some(&mut text, "observe", server.observe.as_ref());
    let header = server.link.send_proxy;
    flag(&mut text, "proxy V1", header.v1 && !header.v2);
    flag(&mut text, "proxy V2", header.v2);
    flag(&mut text, "backup", server.backup);
    flag(&mut text, "disabled", server.disabled);
    if !server.lookup.init_addr.is_empty() {
        let _ = write!(text, " init {:?}", server.lookup.init_addr);
    }
    if server.maxconn + server.maxqueue > 0 {
        let _ = write!(text, " maxconn {} maxqueue {}", server.maxconn, server.maxqueue);
    }
    if let Some(check) = &server.check {
        let _ = write!(text, " check {:?} rise {} fall {}", check.inter, check.rise, check.fall);
        some(&mut text, "port", check.port.as_ref());
    }
    line(out, 1, text);
}
