//! What must hold for a response before it is forwarded, and what it says about its connection.

use super::body::Body;
use super::head::{Head, Version};
use super::request::{self, Coding, is_h2};
use super::token::list_without;

/// What the head of a response said, after the parts that concern this hop were taken out of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Delimiting of the body.
    pub body: Body,
    /// The server's connection lives on after this message.
    pub keep_alive: bool,
    /// 1xx other than 101: another head follows.
    pub interim: bool,
    /// The head speaks of chunks, whether or not a body follows.
    pub chunked: bool,
    /// Chunks announced by HTTP/1.0, which has none: whoever comes next may see another end, so nothing may follow.
    pub odd_framing: bool,
}

/// A response nobody may see: 502.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadResponse {
    /// It makes no sense.
    Junk,
    /// 101 where no change of protocols was asked for or is agreed to: sound, and counted as an answer.
    Unasked,
}

/// Check a parsed response to `request` and normalise it for forwarding.
///
/// # Errors
/// The response is to be replaced by 502.
pub fn prepare(head: &mut Head, req: &request::Facts) -> Result<Facts, BadResponse> {
    let status = head.status();
    let mut facts = Facts::default();
    let (mut has_cl, mut has_te, mut has_conn, mut has_upgrade) = (false, false, false, false);
    for (name, _) in head.headers() {
        match name {
            b"content-length" => has_cl = true,
            b"transfer-encoding" => has_te = true,
            b"connection" => has_conn = true,
            b"upgrade" => has_upgrade = true,
            _ => {}
        }
    }
    let wishes = if has_conn { request::connection(head) } else { request::Wishes::default() };
    facts.keep_alive =
        if head.version() == Version::Http11 { !wishes.close } else { wishes.keep_alive && !wishes.close };

    if status == 101 {
        let websocket = head.values(b"upgrade").any(|v| super::token::list_has(v, b"websocket"));
        if websocket && wishes.upgrade && head.get(b"sec-websocket-accept").is_none() {
            return Err(BadResponse::Junk);
        }
        if !req.upgrade || !wishes.upgrade {
            return Err(BadResponse::Unasked);
        }
        head.remove(b"content-length");
        head.remove(b"transfer-encoding");
        facts.body = Body::Tunnel;
        return Ok(facts);
    }
    if has_upgrade {
        // An offer of HTTP/2 that the client must not take up behind this proxy's back.
        head.edit(b"upgrade", true, |value| list_without(value, is_h2, b", "));
    }
    if (100..200).contains(&status) {
        // It has no body, whatever it says.
        head.remove(b"content-length");
        head.remove(b"transfer-encoding");
        facts.interim = true;
        return Ok(facts);
    }
    if req.is_connect && (200..300).contains(&status) {
        // What follows is not HTTP.
        head.remove(b"content-length");
        head.remove(b"transfer-encoding");
        facts.body = Body::Tunnel;
        return Ok(facts);
    }
    let coding = if has_te { request::transfer_coding(head) } else { Coding::Absent };
    if matches!(coding, Coding::Bad | Coding::Mixed) {
        return Err(BadResponse::Junk);
    }
    let length = if has_cl { request::content_length(head).map_err(|()| BadResponse::Junk)? } else { None };
    if status == 204 {
        head.remove(b"content-length");
        head.remove(b"transfer-encoding");
        return Ok(facts);
    }
    facts.chunked = coding == Coding::Chunked;
    if facts.chunked {
        if length.is_some() {
            head.remove(b"content-length");
            facts.keep_alive = false;
        }
        facts.odd_framing = head.version() != Version::Http11;
        facts.keep_alive &= !facts.odd_framing;
    }
    facts.body = if req.is_head || status == 304 {
        Body::None
    } else if coding == Coding::Chunked {
        Body::Chunked
    } else if let Some(n) = length {
        Body::Length(n)
    } else {
        facts.keep_alive = false;
        Body::UntilClose
    };
    Ok(facts)
}

/// Mend the framing where a rule gave the response a status of another kind: `true` if the body that comes may not be
/// sent (RFC 9110, sections 15.3.5 and 15.4.5). One that was promised to nobody is announced as empty.
pub fn reframe(head: &mut Head, facts: &Facts, to_head: bool) -> bool {
    match head.status() {
        204 => {
            head.remove(b"content-length");
            head.remove(b"transfer-encoding");
            !facts.body.is_empty()
        }
        304 => !facts.body.is_empty(),
        _ => {
            if facts.body == Body::None && !to_head {
                head.remove(b"transfer-encoding");
                head.set(b"content-length", b"0");
            }
            false
        }
    }
}

/// Say on the response what this proxy does with the client's connection; one that speaks of an upgrade says so itself.
pub fn finish(head: &mut Head, client: Version, keep_alive: bool) {
    request::te(head);
    if head.has_token(b"connection", b"upgrade") {
        return;
    }
    if keep_alive {
        if client != Version::Http11 || head.version() != Version::Http11 {
            head.add(b"connection", b"keep-alive");
        }
    } else if head.version() == Version::Http11 {
        head.add(b"connection", b"close");
    }
}
