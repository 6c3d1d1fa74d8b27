//! Values of settings of `server` lines that are more than a word.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use tandem_parser::diagnostic::{Diagnostic, Head, Reason, Severity};
use tandem_parser::haproxy::Statement;
use tandem_parser::span::Span;
use tandem_parser::value::{self, Address, Port, Transport};

use super::context::{Context, span_at};
use crate::ir::check::Target;
use crate::ir::server::{InitAddr, SendProxy, Server, SourceFrom, UseSrc};

pub(super) fn alert(context: &mut Context<'_>, span: Span, message: String) {
    context.say(Diagnostic::alert(Reason::InvalidValue, span, message).head(Head::At));
}

/// A setting that means nothing: HAProxy's words, behind the name of the server, if it is one's own.
pub(super) fn wrong(context: &mut Context<'_>, setting: &Statement, cause: &str) {
    let server = context.server.as_ref().map_or_else(String::new, |name| format!("'server {name}' : "));
    alert(context, span_at(setting, 0), format!("{server}{cause}"));
}

/// `socks4`: an address with one port.
pub(super) fn relay(context: &mut Context<'_>, setting: &Statement) -> Option<std::net::SocketAddr> {
    let (span, written) = (span_at(setting, 0), setting.text(0).unwrap_or_default());
    let address = context.resolved(setting.addresses(0).first()?, span)?;
    let why = match &address {
        Address::Inet { port: Port::One(_), .. } => return address.socket(0),
        Address::Inet { port: Port::Range(..), .. } => "port range not permitted here in",
        Address::Inet { .. } => "missing port specification in",
        _ => "no address of IP:",
    };
    alert(context, span, format!("'socks4 {written}' : {why} '{written}'."));
    None
}

/// `[proxy/]server`; an empty proxy is the server's own.
pub(super) fn track(text: &str) -> (String, String) {
    let (proxy, server) = text.split_once('/').unwrap_or(("", text));
    (proxy.to_owned(), server.to_owned())
}

/// `source` of a server or of a backend.
pub(super) fn source(context: &mut Context<'_>, line: &Statement) -> Option<std::net::SocketAddr> {
    let written = line.text(0).unwrap_or_default();
    let of_server = line.keyword.sections == 0;
    let found = origin(context, line.addresses(0).first()?, written).and_then(|address| match &address {
        // Which of the ports is settled for each connection.
        Address::Inet { host, port: Port::Range(..), .. } if of_server => {
            Ok(host.ip().map(|ip| (ip, 0).into()))
        }
        Address::Unix { .. } | Address::Abstract(_) => {
            without_effect(context, line);
            Ok(Some((Ipv4Addr::UNSPECIFIED, 0).into()))
        }
        _ => address.socket(0).map(Some).ok_or_else(|| Misplaced::At(misplaced(&address, written))),
    });
    found.unwrap_or_else(|why| {
        misread(context, line, line, &why);
        None
    })
}

/// What comes from a socket of the file system cannot be told where to come from, and nothing else comes from there.
fn without_effect(context: &mut Context<'_>, setting: &Statement) {
    let (name, written) = (setting.name(), setting.text(0).unwrap_or_default());
    let message =
        format!("'{name} {written}' has no effect: no connection to a server comes from a unix socket.");
    context.warn(Reason::InvalidValue, span_at(setting, 0), message);
}

/// `addr`: where checks go.
pub(super) fn check_target(context: &mut Context<'_>, setting: &Statement) -> Option<Target> {
    let written = setting.text(0).unwrap_or_default();
    let found = origin(context, setting.addresses(0).first()?, written).and_then(|address| match &address {
        Address::Unix { path, .. } => Ok(Target::Unix(path.into())),
        Address::Abstract(name) => Ok(Target::Unix(abstract_path(name))),
        _ => address.socket(0).map(Target::from).ok_or_else(|| Misplaced::At(misplaced(&address, written))),
    });
    found.map_err(|why| said(context, setting, Head::At, &why, |cause| format!("'addr' : {cause}."))).ok()
}

/// A path that begins with a zero is a name in the abstract namespace.
pub(super) fn abstract_path(name: &str) -> PathBuf {
    PathBuf::from(format!("\0{name}"))
}

/// `agent-addr`: a plain address or a name. No port follows, so that all of `::1` is the address.
pub(super) fn agent_address(context: &mut Context<'_>, setting: &Statement) -> Option<IpAddr> {
    let written = setting.text(0)?;
    let found = match (written.parse(), value::address(written)) {
        (Ok(ip), _) => Ok(ip),
        (_, Ok(read)) if !written.contains('@') && !written.ends_with(':') => plain(context, &read),
        _ => Err(Misplaced::At(String::new())),
    };
    let words = |_: &str| format!("parsing agent-addr failed. Check if '{written}' is correct address..");
    found.map_err(|why| said(context, setting, Head::At, &why, words)).ok()
}

/// The address without a port that is written, or that a name has.
fn plain(context: &Context<'_>, read: &Address) -> Result<IpAddr, Misplaced> {
    match context.looked_up(read).map_err(|name| Misplaced::Unknown(name.to_owned()))? {
        Address::Inet { host, port: Port::None, .. } => host.ip(),
        _ => None,
    }
    .ok_or(Misplaced::At(String::new()))
}

/// Why no connection comes from what is written, or goes there.
enum Misplaced {
    /// It is no place for one.
    At(String),
    /// This machine does not know the name.
    Unknown(String),
    /// It is looked for too far back in a header.
    TooFarBack,
}

/// The address that connections are to come from, its name resolved.
fn origin(context: &Context<'_>, address: &Address, written: &str) -> Result<Address, Misplaced> {
    match address {
        Address::Inet { transport: Some(Transport::Quic), .. } => {
            Err(Misplaced::At(format!("QUIC is not spoken to servers in '{written}'")))
        }
        Address::Inet { transport: Some(Transport::Datagram), .. }
        | Address::Unix { transport: Some(Transport::Datagram), .. } => {
            Err(Misplaced::At(format!("dgram-type address not acceptable in '{written}'")))
        }
        Address::Fd(_) => {
            Err(Misplaced::At(format!("a file descriptor is not acceptable here in '{written}'")))
        }
        _ => context
            .looked_up(address)
            .map_err(|name| Misplaced::Unknown(format!("invalid address: '{name}' in '{written}'"))),
    }
}

/// Why an address is none to come from, or to go to.
fn misplaced(address: &Address, written: &str) -> String {
    match address {
        Address::Inet { port: Port::Offset(_), .. } => {
            format!("port offset not permitted here in '{written}'")
        }
        Address::Inet { port: Port::Range(..), .. } => {
            format!("port range not permitted here in '{written}'")
        }
        _ => format!("an address of this kind is not acceptable here in '{written}'"),
    }
}

/// What `setting` of a line, or the line itself, names cannot be used.
fn misread(context: &mut Context<'_>, line: &Statement, setting: &Statement, why: &Misplaced) {
    let of_server = line.keyword.sections == 0;
    let (name, written) = (setting.name(), setting.text(0).unwrap_or_default());
    let end = if of_server && name == "source" { "." } else { "" };
    let head = if of_server { Head::At } else { Head::Parsing };
    said(context, setting, head, why, |cause| format!("'{name} {written}' : {cause}{end}"));
}

/// The same in the words of the setting.
fn said(
    context: &mut Context<'_>,
    setting: &Statement,
    head: Head,
    why: &Misplaced,
    words: impl FnOnce(&str) -> String,
) {
    let cause = match why {
        Misplaced::At(cause) | Misplaced::Unknown(cause) => words(cause),
        Misplaced::TooFarBack => {
            "usesrc hdr_ip(name,num) does not support negative occurrences values smaller than 10.".into()
        }
    };
    let server = context.server.as_ref().map_or_else(String::new, |name| format!("'server {name}' : "));
    let (severity, reason) = match why {
        Misplaced::Unknown(_) => (context.severity_of_lack(), Reason::Environment),
        _ => (Severity::Alert, Reason::InvalidValue),
    };
    let message = format!("{server}{cause}");
    context.say(Diagnostic::new(severity, reason, span_at(setting, 0), message).head(head));
}

/// `usesrc` and `interface` of such a line.
pub(super) fn source_from(context: &mut Context<'_>, line: &Statement) -> SourceFrom {
    let mut out = SourceFrom::default();
    if let Some(Address::Inet { port: Port::Range(first, last), .. }) = line.addresses(0).first() {
        out.ports = Some((*first, *last));
    }
    for setting in line.settings(1) {
        let text = setting.text(0).unwrap_or_default();
        match setting.name() {
            "interface" => out.interface = Some(text.to_owned()),
            "usesrc" => {
                out.usesrc = match usesrc(context, setting) {
                    Ok(from) => from,
                    Err(why) => {
                        misread(context, line, setting, &why);
                        None
                    }
                };
            }
            _ => {}
        }
    }
    out
}

/// What `usesrc` names, or why it is nothing.
fn usesrc(context: &mut Context<'_>, setting: &Statement) -> Result<Option<UseSrc>, Misplaced> {
    let text = setting.text(0).unwrap_or_default();
    match text {
        "client" => return Ok(Some(UseSrc::Client)),
        "clientip" => return Ok(Some(UseSrc::ClientIp)),
        _ => {}
    }
    if let Some(inside) = text.strip_prefix("hdr_ip(") {
        return header(context, setting, inside).map(Some);
    }
    let address = value::address(text).map_err(|error| Misplaced::At(error.cause()))?;
    let address = origin(context, &address, text)?;
    if let Address::Unix { .. } | Address::Abstract(_) = address {
        without_effect(context, setting);
        return Ok(None);
    }
    let socket = address.socket(0).ok_or_else(|| Misplaced::At(misplaced(&address, text)))?;
    Ok(Some(UseSrc::Addr(socket)))
}

/// Occurrences of a header are counted from its end so far at most.
const MOST_BACK: i32 = 10;

/// The header's name and which of its values, as far as they can be read: HAProxy does not look at what follows.
fn header(context: &mut Context<'_>, setting: &Statement, inside: &str) -> Result<UseSrc, Misplaced> {
    let ends = |c: char| c.is_whitespace() || matches!(c, ',' | ')');
    let inside = inside.trim_start();
    let (name, rest) = inside.split_at(inside.find(ends).unwrap_or(inside.len()));
    let rest = rest.trim_start();
    let (nth, end) = match rest.strip_prefix(',') {
        None => (-1, rest),
        Some(rest) => {
            let sign = usize::from(rest.starts_with('-'));
            let digits = rest[sign..].bytes().take_while(u8::is_ascii_digit).count();
            let (number, end) = rest.split_at(sign + digits);
            (number.parse().unwrap_or(0), end)
        }
    };
    if nth < -MOST_BACK {
        return Err(Misplaced::TooFarBack);
    }
    if end != ")" {
        let read = format!("'{}' is read as 'hdr_ip({name},{nth})'.", setting.text(0).unwrap_or_default());
        context.warn(Reason::InvalidValue, span_at(setting, 0), read);
    }
    Ok(UseSrc::Header(name.to_ascii_lowercase(), nth))
}

/// `send-proxy` and relatives, and what takes them back: each what it names.
pub(super) fn send_proxy(header: &mut SendProxy, name: &str) {
    let (on, name) = name.strip_prefix("no-").map_or((true, name), |name| (false, name));
    if name == "send-proxy" {
        header.v1 = on;
        return;
    }
    header.v2 = on;
    if name != "send-proxy-v2" {
        header.ssl = on;
    }
}

/// `proxy-v2-options`, added to those that were given before. Of what only an encrypted connection could tell, the header
/// of a plain one says no more than that.
pub(super) fn proxy_v2(context: &mut Context<'_>, setting: &Statement, header: &mut SendProxy) {
    for option in setting.text(0).unwrap_or_default().split(',') {
        match option {
            "crc32c" => header.crc32c = true,
            "unique-id" => header.unique_id = true,
            "authority" => header.authority = true,
            "ssl" | "cert-cn" | "ssl-cipher" | "cert-sig" | "cert-key" => header.ssl = true,
            _ => wrong(context, setting, &format!("'{option}' : proxy v2 option not implemented.")),
        }
    }
}

pub(super) fn resolve_opts(context: &mut Context<'_>, setting: &Statement, server: &mut Server) {
    for option in setting.text(0).unwrap_or_default().split(',') {
        match option {
            "prevent-dup-ip" => server.lookup_mut().prevent_dup_ip = true,
            "allow-dup-ip" => server.lookup_mut().prevent_dup_ip = false,
            "ignore-weight" => server.lookup_mut().ignore_dns_weight = true,
            _ => {
                let cause = format!(
                    "'resolve-opts' : unknown resolve-opts option '{option}', supported methods are 'allow-dup-ip', \
                     'ignore-weight', and 'prevent-dup-ip'.."
                );
                wrong(context, setting, &cause);
            }
        }
    }
}

/// `resolve-net NETWORK[,NETWORK...]`; without a length a network is one address.
pub(super) fn resolve_net(context: &mut Context<'_>, setting: &Statement, server: &mut Server) {
    for word in setting.text(0).unwrap_or_default().split(',') {
        let one = || word.parse::<std::net::IpAddr>().ok().map(ipnet::IpNet::from);
        match word.parse().ok().or_else(one) {
            Some(network) => server.lookup_mut().resolve_net.push(network),
            None => {
                wrong(context, setting, &format!("'resolve-net' invalid network '{word}'.."));
            }
        }
    }
}

pub(super) fn init_addr(context: &mut Context<'_>, setting: &Statement) -> Vec<InitAddr> {
    let mut methods: Vec<InitAddr> = Vec::new();
    for word in setting.text(0).unwrap_or_default().split(',').filter(|word| !word.is_empty()) {
        let method = match word {
            "last" => Ok(InitAddr::Last),
            "libc" => Ok(InitAddr::Libc),
            "none" => Ok(InitAddr::None),
            _ => match word.parse() {
                Ok(_) if methods.iter().any(|method| matches!(method, InitAddr::Ip(_))) => {
                    Err(format!("'init-addr' : initial address already specified, cannot add '{word}'.."))
                }
                Ok(ip) => Ok(InitAddr::Ip(ip)),
                Err(_) => Err(format!(
                    "'init-addr' : unknown init-addr method '{word}', supported methods are 'libc', 'last', 'none'.."
                )),
            },
        };
        match method {
            Ok(method) => methods.push(method),
            Err(cause) => wrong(context, setting, &cause),
        }
    }
    methods
}
