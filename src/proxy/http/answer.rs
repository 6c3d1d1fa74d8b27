//! Answers the proxy gives by itself.

use std::future::poll_fn;
use std::task::Poll;

use super::{Next, room};
use crate::expr::rules::reply as expr_reply;
use crate::expr::{Answer, AnswerBody, Session as _};
use crate::http::case;
use crate::http::request::connection;
use crate::http::{Head, Parser, Progress, Version, error_page, response};
use crate::ir;
use crate::ir::rules::ReplyBody;
use crate::proxy::deadline::earlier;
use crate::proxy::rules;
use crate::proxy::txn::Txn;
use crate::proxy::worker::{Conn, with};
use crate::sys::clock;

/// Bodies up to this length, bytes, are copied behind the head and sent with it.
const COPIED: usize = 16 * 1024;

/// Send an answer. The client's connection lives on if `keep_alive` and nothing failed.
pub(super) async fn send(conn: &mut Conn, txn: &mut Txn, head: Head, body: &[u8], keep_alive: bool) -> Next {
    let status = head.status();
    send_as(status, conn, txn, head, body, keep_alive).await
}

/// The same of a page that counts and is logged as another `status` than it may have.
pub(super) async fn send_as(
    status: u16,
    conn: &mut Conn,
    txn: &mut Txn,
    mut head: Head,
    body: &[u8],
    keep_alive: bool,
) -> Next {
    let is_head = txn.req.method() == b"HEAD";
    let written = head.status();
    txn.status = status;
    // An empty error file: close without a word.
    if is_silence(&head) {
        return Next::Close;
    }
    txn.resp = Some(std::mem::take(&mut head));
    rules::after_response(txn);
    let Some(mut head) = txn.resp.take() else { return Next::Close };
    if head.status() != written {
        txn.status = head.status();
    }
    // A page from a file goes out as it is written: one that says no length ends with its connection.
    let has_end = head.status() == 204 || head.get(b"content-length").is_some();
    let keep_alive = !connection(&mut head).close && keep_alive && has_end;
    response::finish(&mut head, client_version(txn), keep_alive);
    let mut out = with(crate::proxy::worker::Worker::take_scratch);
    head.write_to(&mut out);
    respell(txn, &mut out);
    let apart = !is_head && body.len() > COPIED;
    if !is_head && !apart {
        out.extend_from_slice(body);
    }
    txn.resp = Some(head);
    // Nothing but the end of the connection follows then, and takes the last bytes along.
    let closes = !keep_alive && !conn.door.fe.ir.nolinger;
    let ok = push(conn, txn, &out, false, closes && !apart).await
        && (!apart || push(conn, txn, body, body.len() >= room::LONG, closes).await);
    with(|w| w.give_scratch(out));
    if keep_alive && ok { Next::KeepAlive } else { Next::Close }
}

/// `option h1-case-adjust-bogus-client`.
pub(super) fn respell(txn: &Txn, head: &mut [u8]) {
    if txn.door.fe.ir.frontend.as_ref().is_some_and(|f| f.adjust_case) {
        case::respell(head, &txn.door.live().config.global.header_spellings);
    }
}

/// Send bytes as they are.
pub(super) async fn write(conn: &mut Conn, txn: &mut Txn, bytes: &[u8]) -> bool {
    push(conn, txn, bytes, false, false).await
}

/// The same. `yields`: a client that takes nothing may have to give way to others whose long answers there is no room for.
/// `closes`: the connection is shut down behind them.
async fn push(conn: &mut Conn, txn: &mut Txn, bytes: &[u8], yields: bool, closes: bool) -> bool {
    // Who left in its request is told nothing.
    if txn.is_cut {
        return false;
    }
    let limit = txn.limits.client;
    let mut sent = 0;
    let mut last = clock::now();
    // Since the client last took something.
    let mut ends = limit.map(|d| last + d);
    let looks = |ends, after| if yields { earlier(ends, Some(clock::now() + after)) } else { ends };
    conn.deadline.set(looks(ends, room::PATIENCE));
    let mut stalled: Option<room::Stalled> = None;
    let ok = poll_fn(|cx| {
        while sent < bytes.len() {
            match conn.io.poll_send(cx, &bytes[sent..], closes) {
                Poll::Ready(Ok(n)) => {
                    sent += n;
                    stalled = None;
                    last = clock::now();
                    ends = limit.map(|d| last + d);
                    conn.deadline.set(looks(ends, room::PATIENCE));
                }
                Poll::Ready(Err(_)) => return Poll::Ready(false),
                Poll::Pending => loop {
                    if conn.deadline.poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    let now = clock::now();
                    let late = ends.is_some_and(|ends| ends <= now);
                    // Before its time only where the process ends.
                    let early = conn.deadline.at().is_some_and(|at| at > now);
                    let mut gives_way =
                        || stalled.get_or_insert_with(|| room::Stalled::since(last)).gives_way();
                    if !yields || late || early || gives_way() {
                        return Poll::Ready(false);
                    }
                    conn.deadline.set(looks(ends, room::GLANCE));
                },
            }
        }
        Poll::Ready(true)
    })
    .await;
    txn.bytes_out += sent as u64;
    ok
}

/// Version the client is answered in terms of; a request that could not be read counts as 1.1.
pub(super) fn client_version(txn: &Txn) -> Version {
    txn.req.version()
}

/// The answer with `status` that the proxies are configured for: `errorloc`, `errorfile`, or the default page.
pub(super) fn error(txn: &Txn, status: u16) -> (Head, Vec<u8>) {
    configured(txn, &txn.be().ir, status)
        .or_else(|| configured(txn, &txn.door.fe.ir, status))
        .unwrap_or_else(|| error_page::response(status))
}

/// Is there an error page of the administrator's for `status`?
pub(super) fn has_configured(txn: &Txn, status: u16) -> bool {
    [&txn.be().ir, &txn.door.fe.ir].iter().any(|ir| {
        ir.http_errors.iter().any(|reply| reply.status == status)
            || ir.errorfiles.iter().any(|(s, _)| *s == status)
            || ir.errorlocs.iter().any(|(s, ..)| *s == status)
    })
}

fn configured(txn: &Txn, ir: &ir::Proxy, status: u16) -> Option<(Head, Vec<u8>)> {
    if let Some(reply) = ir.http_errors.iter().rev().find(|reply| reply.status == status) {
        return Some(match reply.body {
            ReplyBody::ErrorPage => error_page::response(status),
            _ => from_rule(txn, &expr_reply(reply, &txn.ctx())),
        });
    }
    if let Some((_, code, location)) = ir.errorlocs.iter().find(|(s, ..)| *s == status) {
        let mut head = Head::response(*code, error_page::reason(*code).as_bytes());
        head.add(b"cache-control", b"no-cache");
        head.add(b"content-length", b"0");
        head.add(b"location", location.as_bytes());
        return Some((head, Vec::new()));
    }
    let (_, file) = ir.errorfiles.iter().find(|(s, _)| *s == status)?;
    raw(status, file)
}

/// Is this the head of an empty page?
pub(super) fn is_silence(head: &Head) -> bool {
    head.is_empty() && head.reason().is_empty()
}

/// Take a whole message from a file apart. An empty one becomes a head without a reason and without fields.
fn raw(status: u16, message: &[u8]) -> Option<(Head, Vec<u8>)> {
    if message.is_empty() {
        return Some((Head::response(status, b""), Vec::new()));
    }
    let mut head = Head::new();
    let Ok(Progress::Complete(n)) = Parser::new().response(message, &mut head, usize::MAX) else {
        return None;
    };
    Some((head, message[n..].to_vec()))
}

/// Send what a rule answers.
pub(super) async fn send_by_rule(conn: &mut Conn, txn: &mut Txn, answer: &Answer, keep_alive: bool) -> Next {
    let (head, body) = from_rule(txn, answer);
    // The status that the rule says, though its page may be a redirection, or a file with a status of its own.
    let is_page = matches!(answer.body, AnswerBody::ErrorPage | AnswerBody::Raw(_));
    let status = if is_page { answer.status } else { head.status() };
    send_as(status, conn, txn, head, &body, keep_alive).await
}

/// Head and body of a rule's answer.
fn from_rule(txn: &Txn, answer: &Answer) -> (Head, Vec<u8>) {
    let (mut head, body) = match &answer.body {
        AnswerBody::ErrorPage => error(txn, answer.status),
        AnswerBody::Raw(message) => raw(answer.status, message).unwrap_or_else(|| error(txn, answer.status)),
        AnswerBody::Empty => return (written(answer, 0), Vec::new()),
        AnswerBody::Fixed(bytes) => return (written(answer, bytes.len()), bytes.to_vec()),
        AnswerBody::Built(bytes) => return (written(answer, bytes.len()), bytes.clone()),
    };
    for (name, value) in &answer.headers {
        head.add(name.as_bytes(), value);
    }
    (head, body)
}

/// The head of an answer made of nothing but a rule: its own fields, the length unless it is among them, the type.
fn written(answer: &Answer, len: usize) -> Head {
    let mut head = Head::response(answer.status, error_page::reason(answer.status).as_bytes());
    let (last, first): (Vec<_>, Vec<_>) =
        answer.headers.iter().partition(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    first.iter().for_each(|(name, value)| head.add(name.as_bytes(), value));
    // There is no body whose length it could be (RFC 9110 section 8.6).
    if answer.status != 204 && head.get(b"content-length").is_none() {
        head.add(b"content-length", len.to_string().as_bytes());
    }
    last.iter().for_each(|(name, value)| head.add(name.as_bytes(), value));
    head
}
