//! What must hold for a request before it is routed, and what it says about its connection.

use super::body::Body;
use super::head::{Head, Version};
use super::token::{decimal, list, list_has, list_without, raw_list, trim};

/// Why a well-formed head is refused; the status HAProxy answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 400.
    BadRequest,
    /// 413: a body on GET, HEAD or DELETE of HTTP/1.0, which servers disagree about.
    PayloadTooLarge,
    /// 422: a transfer coding other than `chunked`.
    UnprocessableContent,
}

impl Refusal {
    /// Status code of the answer.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Refusal::BadRequest => 400,
            Refusal::PayloadTooLarge => 413,
            Refusal::UnprocessableContent => 422,
        }
    }
}

/// What the head said, after the parts that concern this hop were taken out of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Delimiting of the body.
    pub body: Body,
    /// The client lets the connection live on.
    pub keep_alive: bool,
    /// `Connection: upgrade` with an `Upgrade` header.
    pub upgrade: bool,
    /// The upgrade asks for `websocket`.
    pub websocket: bool,
    /// `Expect: 100-continue`.
    pub expect_continue: bool,
    /// Method HEAD.
    pub is_head: bool,
    /// Method CONNECT.
    pub is_connect: bool,
    /// Chunks where there can be none: whoever comes next is not asked to go on behind it.
    pub odd_framing: bool,
}

/// Outcome of looking at `Transfer-Encoding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Absent,
    Chunked,
    /// `chunked` comes last but is not alone.
    Mixed,
    Bad,
}

pub(super) fn transfer_coding(head: &Head) -> Coding {
    let mut seen = Coding::Absent;
    let mut other = false;
    for value in head.values(b"transfer-encoding") {
        for item in list(value) {
            if item.is_empty() {
                return Coding::Bad;
            }
            // Whatever follows `chunked`, even a second one, is an error (RFC 9112 section 6.1).
            if seen == Coding::Chunked {
                return Coding::Bad;
            }
            if item.eq_ignore_ascii_case(b"chunked") {
                seen = Coding::Chunked;
            } else {
                other = true;
            }
        }
    }
    match (seen, other) {
        (Coding::Chunked, true) => Coding::Mixed,
        (Coding::Chunked, false) => Coding::Chunked,
        (_, true) => Coding::Bad,
        _ => Coding::Absent,
    }
}

/// The one length all `Content-Length` headers agree on; more than one header becomes one.
pub(super) fn content_length(head: &mut Head) -> Result<Option<u64>, ()> {
    let only = {
        let mut values = head.values(b"content-length");
        values.next().filter(|_| values.next().is_none())
    };
    // One, and plainly written, as nearly everybody does.
    if let Some(only) = only
        && !only.starts_with(b"0")
        && let Some(n) = decimal(only)
    {
        return Ok(Some(n));
    }
    let mut length = None;
    let mut copies = 0;
    let mut single: Vec<u8> = Vec::new();
    let mut padded = false;
    for value in head.values(b"content-length") {
        for item in value.split(|&c| c == b',') {
            let n = decimal(trim(item)).ok_or(())?;
            if length.is_some_and(|l| l != n) {
                return Err(());
            }
            length = Some(n);
            copies += 1;
            // Others may take a number with zeroes in front for an octal one.
            padded |= trim(item).len() > 1 && trim(item)[0] == b'0';
            if single.is_empty() && (copies == 2 || padded) {
                single = n.to_string().into_bytes();
            }
        }
    }
    if copies > 1 || padded {
        let mut first = true;
        head.edit(b"content-length", true, |_| {
            Some(if std::mem::take(&mut first) { single.clone() } else { Vec::new() })
        });
    }
    Ok(length)
}

/// What the `Connection` headers asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) close: bool,
    pub(super) keep_alive: bool,
    pub(super) upgrade: bool,
}

/// Take `close` and `keep-alive` out of `Connection`; other words stay as they are written, an empty one at the end and a
/// header left empty go.
pub(crate) fn connection(head: &mut Head) -> Wishes {
    let mut wishes = Wishes::default();
    head.edit(b"connection", true, |value| {
        // One word, as nearly everybody says it.
        let (keep_alive, close) = (value == b"keep-alive", value == b"close");
        if keep_alive || close {
            wishes.keep_alive |= keep_alive;
            wishes.close |= close;
            return Some(Vec::new());
        }
        let mut edited: Option<Vec<u8>> = None;
        // What is written from the beginning on may stay.
        let mut kept = 0;
        let mut end = 0;
        for raw in raw_list(value) {
            let start = std::mem::replace(&mut end, raw.end);
            let word = trim(&value[raw]);
            if word.is_empty() && end == value.len() {
                break;
            }
            let ours = if word.eq_ignore_ascii_case(b"close") {
                wishes.close = true;
                true
            } else if word.eq_ignore_ascii_case(b"keep-alive") {
                wishes.keep_alive = true;
                true
            } else {
                wishes.upgrade |= word.eq_ignore_ascii_case(b"upgrade");
                false
            };
            if ours {
                edited.get_or_insert_with(|| value[..start].to_vec());
            } else if let Some(out) = &mut edited {
                if !out.is_empty() {
                    out.push(b',');
                }
                out.extend_from_slice(word);
            } else {
                kept = end;
            }
        }
        edited.or_else(|| (kept < value.len() || kept == 0).then(|| value[..kept].to_vec()))
    });
    wishes
}

/// Check a parsed request and normalise it for forwarding.
///
/// # Errors
/// The request is refused with the status of the [`Refusal`].
pub fn prepare(head: &mut Head) -> Result<Facts, Refusal> {
    prepare_as(head, false)
}

/// The same; `relaxed` (`option accept-unsafe-violations-in-http-request`) leaves it to the server what to make of a
/// host that is not the target's.
///
/// # Errors
/// As for [`prepare`].
pub fn prepare_as(head: &mut Head, relaxed: bool) -> Result<Facts, Refusal> {
    let mut facts = Facts::default();
    match head.method() {
        b"HEAD" => facts.is_head = true,
        b"CONNECT" => facts.is_connect = true,
        _ => {}
    }
    // One pass over the names finds which of the rarer checks this head needs.
    let (mut has_te, mut has_cl, mut hosts, mut has_conn, mut has_upgrade) = (false, 0, 0, false, false);
    for (name, value) in head.headers() {
        match name {
            b"host" => hosts += 1,
            b"content-length" => has_cl += 1,
            b"transfer-encoding" => has_te = true,
            b"connection" => has_conn = true,
            b"upgrade" => has_upgrade = true,
            b"expect" => facts.expect_continue = value.eq_ignore_ascii_case(b"100-continue"),
            _ => {}
        }
    }
    target(head, hosts, relaxed)?;

    let wishes = if has_conn { connection(head) } else { Wishes::default() };
    facts.keep_alive =
        if head.version() == Version::Http11 { !wishes.close } else { wishes.keep_alive && !wishes.close };

    let bodiless = head.version() != Version::Http11 && matches!(head.method(), b"GET" | b"HEAD" | b"DELETE");
    if has_te {
        match transfer_coding(head) {
            Coding::Absent => {}
            Coding::Chunked => {
                facts.body = Body::Chunked;
                // One spelling for all.
                head.edit(b"transfer-encoding", true, |v| (v != b"chunked").then(|| b"chunked".to_vec()));
            }
            Coding::Mixed if bodiless => return Err(Refusal::PayloadTooLarge),
            Coding::Mixed => return Err(Refusal::UnprocessableContent),
            Coding::Bad => return Err(Refusal::BadRequest),
        }
        // Both framings, or a coding HTTP/1.0 does not have: someone before us may have seen another message
        // end, so nothing may follow on this connection (RFC 9112 section 6.1).
        if has_cl > 0 || head.version() != Version::Http11 {
            content_length(head).map_err(|()| Refusal::BadRequest)?;
            head.remove(b"content-length");
            facts.keep_alive = false;
        }
    } else if has_cl > 0 {
        facts.body = match content_length(head) {
            Ok(Some(n)) => Body::Length(n),
            Ok(None) => Body::None,
            Err(()) => return Err(Refusal::BadRequest),
        };
    }
    if facts.is_connect && (has_cl > 0 || has_te) {
        // What follows is not HTTP.
        head.remove(b"content-length");
        head.remove(b"transfer-encoding");
        facts.body = Body::None;
        facts.odd_framing = has_te;
    }
    if !facts.body.is_empty() && bodiless {
        return Err(Refusal::PayloadTooLarge);
    }
    if has_upgrade || wishes.upgrade {
        upgrade(head, wishes, &mut facts)?;
    }
    Ok(facts)
}

/// Takes out of the upgrades that are offered what cannot be: HTTP/2 in clear, which a server must not accept behind
/// this proxy's back, and everything where only one of `Connection` and `Upgrade` speaks of it.
fn offers(head: &mut Head, wishes: Wishes) {
    head.edit(b"upgrade", true, |value| {
        if !wishes.upgrade {
            return Some(Vec::new());
        }
        list_without(value, is_h2, b",")
    });
    if wishes.upgrade && head.get(b"upgrade").is_none() {
        head.edit(b"connection", true, |value| {
            list_without(value, |word| word.eq_ignore_ascii_case(b"upgrade"), b", ")
        });
    }
}

/// A name of HTTP/2 in `Upgrade`.
pub(super) fn is_h2(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"h2c") || word.eq_ignore_ascii_case(b"h2")
}

fn upgrade(head: &mut Head, wishes: Wishes, facts: &mut Facts) -> Result<(), Refusal> {
    offers(head, wishes);
    if !wishes.upgrade || head.get(b"upgrade").is_none() {
        return Ok(());
    }
    facts.upgrade = true;
    facts.websocket = head.values(b"upgrade").any(|v| list_has(v, b"websocket"));
    if facts.websocket && head.get(b"sec-websocket-key").is_none() {
        return Err(Refusal::BadRequest);
    }
    Ok(())
}

/// Check the request target and the `Host` headers against each other and bring them into one form: a default port
/// goes, and an absolute target without a path gets one (RFC 9110 section 4.2, RFC 9112 section 3.2).
fn target(head: &mut Head, hosts: usize, relaxed: bool) -> Result<(), Refusal> {
    if hosts > 0 && !head.values(b"host").all(is_authority) {
        return Err(Refusal::BadRequest);
    }
    let uri = head.uri();
    let method = head.method();
    let connect = method == b"CONNECT";
    match uri.first() {
        // The beginning of HTTP/2's preface: no server of HTTP/1 is to see that.
        _ if method == b"PRI" => return Err(Refusal::BadRequest),
        Some(b'/') if !connect => return one_host(head, hosts),
        // Of the server as a whole only OPTIONS can ask; what methods of others mean by it is theirs.
        Some(b'*') if uri.len() == 1 => {
            let known = [&b"GET"[..], b"HEAD", b"POST", b"PUT", b"DELETE", b"TRACE", b"CONNECT"];
            return if known.contains(&method) { Err(Refusal::BadRequest) } else { one_host(head, hosts) };
        }
        _ => {}
    }
    one_host(head, hosts)?;
    let uri = head.uri();
    let host = head.get(b"host").map(<[u8]>::to_vec);
    let host_parts = host.as_deref().map(split_port);
    let mismatch = if relaxed { Ok(()) } else { Err(Refusal::BadRequest) };
    if connect {
        if memchr::memchr2(b'/', b'?', uri).is_some() {
            return Err(Refusal::BadRequest);
        }
        let (name, port) = split_port(uri);
        let Some(port) = port.filter(|p| !p.is_empty()) else { return mismatch };
        let default = is_default_port(None, port);
        if let Some((host, host_port)) = host_parts {
            let port_fits = match host_port.filter(|p| !p.is_empty()) {
                Some(other) => other == port,
                None => default,
            };
            if !port_fits || !host.eq_ignore_ascii_case(name) {
                return mismatch;
            }
            if default && host_port.is_some_and(|p| !p.is_empty()) {
                set_host(head, host);
            }
        }
        return Ok(());
    }
    let Some(colon) = memchr::memmem::find(uri, b"://") else { return Err(Refusal::BadRequest) };
    let scheme = &uri[..colon];
    let valid = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.'));
    if !valid {
        return Err(Refusal::BadRequest);
    }
    let start = colon + 3;
    let end =
        uri[start..].iter().position(|c| matches!(c, b'/' | b'?' | b'#')).map_or(uri.len(), |n| start + n);
    let authority = &uri[start..end];
    let authority = authority.rsplit(|c| *c == b'@').next().unwrap_or(authority);
    let (name, port) = split_port(authority);
    let is_default = |port: Option<&[u8]>| port.is_none_or(|p| is_default_port(Some(scheme), p));
    if let Some((other, other_port)) = host_parts
        && !host.as_deref().is_some_and(|h| h.eq_ignore_ascii_case(authority))
        && !(other.eq_ignore_ascii_case(name) && is_default(port) && is_default(other_port))
    {
        mismatch?;
    }
    let strip = port.filter(|p| is_default_port(Some(scheme), p)).map_or(0, |p| p.len() + 1);
    // OPTIONS without a path is about the server as a whole.
    let pathless = end == uri.len() && head.method() != b"OPTIONS";
    if strip > 0 || pathless {
        let name = authority[..authority.len() - strip].to_vec();
        let path = if pathless { b"/" } else { &uri[end..] };
        let new = [&uri[..end - strip], path].concat();
        head.set_uri(&new);
        // Every host header there is says what the target says.
        set_host(head, &name);
    }
    Ok(())
}

/// What may stand anywhere in a host and its port (RFC 3986 section 3.2). No comma, which some take for a list.
const PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut c = 0x21;
    while c < 0x7f {
        table[c as usize] = !matches!(c, b',' | b'#' | b'/' | b'?' | b'@' | b'[' | b'\\' | b']');
        c += 1;
    }
    table
};

/// Has it only what a host and its port may have?
fn is_authority(value: &[u8]) -> bool {
    let is_plain = |bytes: &[u8]| bytes.iter().all(|c| PLAIN[*c as usize]);
    let Some(literal) = value.strip_prefix(b"[") else { return is_plain(value) };
    let Some(end) = memchr::memchr(b']', literal) else { return false };
    let (address, port) = (&literal[..end], &literal[end + 1..]);
    is_plain(address) && matches!(port, [] | [b':', ..]) && is_plain(port)
}

/// Several `Host` headers must say the same; one stays.
fn one_host(head: &mut Head, hosts: usize) -> Result<(), Refusal> {
    if hosts < 2 {
        return Ok(());
    }
    let first = head.get(b"host").unwrap_or(b"").to_vec();
    if head.values(b"host").any(|h| !h.eq_ignore_ascii_case(&first)) {
        return Err(Refusal::BadRequest);
    }
    let mut keep = true;
    head.remove_if(|n, _| n == b"host" && !std::mem::take(&mut keep));
    Ok(())
}

fn set_host(head: &mut Head, host: &[u8]) {
    head.edit(b"host", false, |_| Some(host.to_vec()));
}

/// `host:port` in two; the port may be empty. The colons of an IPv6 address in brackets separate nothing.
fn split_port(authority: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memrchr(b':', authority) {
        Some(colon) if authority[colon + 1..].iter().all(u8::is_ascii_digit) => {
            (&authority[..colon], Some(&authority[colon + 1..]))
        }
        _ => (authority, None),
    }
}

/// Does it mean what no port means? Without a scheme both ports of HTTP do.
fn is_default_port(scheme: Option<&[u8]>, port: &[u8]) -> bool {
    let is = |name: &[u8]| scheme.is_none_or(|s| s.eq_ignore_ascii_case(name));
    port.is_empty() || (port == b"80" && is(b"http")) || (port == b"443" && is(b"https"))
}

/// What of `TE` concerns the next hop: `trailers` (RFC 9110 section 10.1.4).
pub fn te(head: &mut Head) {
    head.edit(b"te", true, |value| {
        let at = memchr::memmem::find(value, b"trailers");
        let stays = at.is_some_and(|at| value.get(at + 8).is_none_or(|next| *next == b','));
        Some(if stays { b"trailers".to_vec() } else { Vec::new() })
    });
}

/// Say on the request what this proxy does with the server's connection.
pub fn finish(head: &mut Head, keep_alive: bool) {
    match (head.version(), keep_alive) {
        (Version::Http11, false) => head.add(b"connection", b"close"),
        (Version::Http10, true) => head.add(b"connection", b"keep-alive"),
        _ => {}
    }
}
