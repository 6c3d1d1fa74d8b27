//! `option` lines other than checks.

use tandem_parser::diagnostic::Reason;
use tandem_parser::haproxy::{Modifier, Statement};

use super::context::{Context, span_at};
use super::draft::Draft;
use crate::ir::log::LogFormatKind;
use crate::ir::proxy::{ForwardFor, Frontend, HttpConnMode, OriginalTo, RestrictNames};
use crate::ir::{Backend, Proxy};

/// Options that are one flag.
enum Flag {
    Common(fn(&mut Proxy) -> &mut bool),
    Frontend(fn(&mut Frontend) -> &mut bool),
    Backend(fn(&mut Backend) -> &mut bool),
}

const FLAGS: &[(&str, Flag)] = &[
    ("dontlognull", Flag::Common(|p| &mut p.dontlognull)),
    ("dontlog-normal", Flag::Common(|p| &mut p.dontlog_normal)),
    ("logasap", Flag::Common(|p| &mut p.logasap)),
    ("log-separate-errors", Flag::Common(|p| &mut p.log_separate_errors)),
    ("http-pretend-keepalive", Flag::Common(|p| &mut p.http_pretend_keepalive)),
    ("http-ignore-probes", Flag::Common(|p| &mut p.http_ignore_probes)),
    ("http-drop-request-trailers", Flag::Common(|p| &mut p.drop_request_trailers)),
    ("http-drop-response-trailers", Flag::Common(|p| &mut p.drop_response_trailers)),
    ("idle-close-on-response", Flag::Common(|p| &mut p.idle_close_on_response)),
    ("http-use-proxy-header", Flag::Common(|p| &mut p.use_proxy_header)),
    ("http-buffer-request", Flag::Common(|p| &mut p.http_buffer_request)),
    ("clitcpka", Flag::Common(|p| &mut p.clitcpka)),
    ("srvtcpka", Flag::Common(|p| &mut p.srvtcpka)),
    ("nolinger", Flag::Common(|p| &mut p.nolinger)),
    ("abortonclose", Flag::Common(|p| &mut p.abortonclose)),
    ("accept-unsafe-violations-in-http-request", Flag::Common(|p| &mut p.accept_unsafe_request)),
    ("accept-unsafe-violations-in-http-response", Flag::Common(|p| &mut p.accept_unsafe_response)),
    ("h1-case-adjust-bogus-client", Flag::Frontend(|f| &mut f.adjust_case)),
    ("h1-case-adjust-bogus-server", Flag::Backend(|b| &mut b.adjust_case)),
    ("checkcache", Flag::Backend(|b| &mut b.checkcache)),
    ("socket-stats", Flag::Frontend(|f| &mut f.socket_stats)),
    ("allbackups", Flag::Backend(|b| &mut b.allbackups)),
    ("tcp-smart-connect", Flag::Backend(|b| &mut b.smart_connect)),
    ("persist", Flag::Backend(|b| &mut b.persist)),
    ("prefer-last-server", Flag::Backend(|b| &mut b.prefer_last_server)),
];

/// Applies one line.
pub(super) fn apply<'t>(context: &mut Context<'_>, line: &'t Statement, draft: &mut Draft<'t>) -> bool {
    let Some(name) = line.name().strip_prefix("option ") else { return false };
    let on = line.modifier == Modifier::None;
    if let Some((_, flag)) = FLAGS.iter().find(|(known, _)| *known == name) {
        *match flag {
            Flag::Common(field) => field(&mut draft.common),
            Flag::Frontend(field) => field(&mut draft.frontend),
            Flag::Backend(field) => field(&mut draft.backend),
        } = on;
        return true;
    }
    match name {
        "tcpka" => (draft.common.clitcpka, draft.common.srvtcpka) = (on, on),
        "httplog" => {
            let clf = line.text(0) == Some("clf");
            let kind = if clf { LogFormatKind::Clf } else { LogFormatKind::Http };
            draft.log_format(on, kind, line);
        }
        "httpslog" => draft.log_format(on, LogFormatKind::Https, line),
        "tcplog" => {
            let clf = line.text(0) == Some("clf");
            let kind = if clf { LogFormatKind::TcpClf } else { LogFormatKind::Tcp };
            draft.log_format(on, kind, line);
        }
        "tcp-smart-accept" => draft.frontend.smart_accept = Some(on),
        "http-server-close" => conn_mode(draft, on, HttpConnMode::ServerClose),
        "http-keep-alive" => conn_mode(draft, on, HttpConnMode::KeepAlive),
        "httpclose" => conn_mode(draft, on, HttpConnMode::Close),
        "forwardfor" => draft.common.forwardfor = on.then(|| forwardfor(context, line).into()),
        "originalto" => draft.common.originalto = on.then(|| originalto(context, line).into()),
        "http-restrict-req-hdr-names" => {
            draft.common.restrict_names = match line.text(0).filter(|_| on) {
                Some("delete") => Some(RestrictNames::Delete),
                Some("reject") => Some(RestrictNames::Reject),
                _ => None,
            };
        }
        // Without an interval only the last try goes to another server.
        "redispatch" => draft.backend.redispatch = on.then(|| line.number(0).unwrap_or(-1)),
        "transparent" => {
            let original = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
            draft.backend.dispatch = on.then_some(original);
        }
        _ => return false,
    }
    true
}

/// One of three; switching off what is not on changes nothing.
fn conn_mode(draft: &mut Draft<'_>, on: bool, mode: HttpConnMode) {
    if on {
        draft.common.http_conn_mode = mode;
    } else if draft.common.http_conn_mode == mode {
        draft.common.http_conn_mode = HttpConnMode::KeepAlive;
    }
}

fn forwardfor(context: &mut Context<'_>, line: &Statement) -> ForwardFor {
    let mut out = ForwardFor { header: "X-Forwarded-For".to_owned(), except: Vec::new(), if_none: false };
    for setting in line.settings(0) {
        match setting.name() {
            "header" => setting.text(0).unwrap_or_default().clone_into(&mut out.header),
            "if-none" => out.if_none = true,
            _ => out.except.extend(except(context, setting, "forwardfor")),
        }
    }
    out
}

fn originalto(context: &mut Context<'_>, line: &Statement) -> OriginalTo {
    let mut out = OriginalTo { header: "X-Original-To".to_owned(), except: Vec::new() };
    for setting in line.settings(0) {
        match setting.name() {
            "header" => setting.text(0).unwrap_or_default().clone_into(&mut out.header),
            _ => out.except.extend(except(context, setting, "originalto")),
        }
    }
    out
}

fn except(context: &mut Context<'_>, setting: &Statement, option: &str) -> Option<ipnet::IpNet> {
    let text = setting.text(0).unwrap_or_default();
    let net = network(text);
    if net.is_none() {
        let message = format!("'{option}' expects a network after 'except' (got '{text}').");
        context.alert(Reason::InvalidValue, span_at(setting, 0), message);
    }
    net
}

/// `10.0.0.0/8`, `10.0.0.0/255.0.0.0` or an address.
fn network(text: &str) -> Option<ipnet::IpNet> {
    if let Ok(net) = text.parse::<ipnet::IpNet>() {
        return Some(net.trunc());
    }
    if let Some((ip, mask)) = text.split_once('/') {
        let (ip, mask) = (ip.parse().ok()?, mask.parse().ok()?);
        return ipnet::IpNet::with_netmask(ip, mask).ok().map(|net| net.trunc());
    }
    text.parse::<std::net::IpAddr>().ok().map(ipnet::IpNet::from)
}
