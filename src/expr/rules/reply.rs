//! Answers: `deny`, `return`, `auth`, `redirect`.

use crate::ir::expr::LogFormat;
use crate::ir::rules::{Redirect, RedirectTarget, Reply, ReplyBody};

use super::super::ctx::{Buffered, Ctx};
use super::super::fetch::header_values;
use super::super::{logformat, uri};
use super::{Answer, AnswerBody};

/// What a reply says in this session. It takes the place of the server's response, whose parts it cannot speak of.
#[must_use]
pub fn answer(reply: &Reply, ctx: &Ctx<'_>) -> Answer {
    let ctx = &Ctx { response: None, response_data: Buffered::default(), ..*ctx };
    let mut headers: Vec<(Box<str>, Box<[u8]>)> = Vec::new();
    for (name, format) in &reply.headers {
        // A header without a value is not sent.
        let value = logformat::to_vec(format, ctx);
        if !value.is_empty() {
            headers.push((name.clone(), value.into()));
        }
    }
    let body = match &reply.body {
        ReplyBody::ErrorPage => AnswerBody::ErrorPage,
        ReplyBody::Raw(message) => AnswerBody::Raw(message.clone()),
        ReplyBody::Empty => AnswerBody::Empty,
        ReplyBody::Fixed(bytes) => AnswerBody::Fixed(bytes.clone()),
        ReplyBody::Format(format) => match logformat::to_vec(format, ctx) {
            text if text.is_empty() => AnswerBody::Empty,
            text => AnswerBody::Built(text),
        },
    };
    // What turned out empty has no type.
    if let Some(kind) = reply.content_type.as_ref().filter(|_| !matches!(body, AnswerBody::Empty)) {
        headers.push(("content-type".into(), kind.as_bytes().into()));
    }
    Answer { status: reply.status, headers, body }
}

/// RFC 7617: who are you? The page is the proxy's own for 401 or 407.
pub(super) fn auth(realm: Option<&str>, ctx: &Ctx<'_>) -> Answer {
    let realm = realm.unwrap_or(ctx.backend.name);
    let challenge = format!("Basic realm=\"{realm}\"");
    let (status, header) =
        if ctx.progress.as_proxy { (407, "Proxy-Authenticate") } else { (401, "WWW-Authenticate") };
    Answer {
        status,
        headers: vec![(header.into(), challenge.into_bytes().into())],
        body: AnswerBody::ErrorPage,
    }
}

/// `None`: the location is empty and `ignore-empty` is set.
pub(super) fn redirect(rule: &Redirect, ctx: &Ctx<'_>) -> Option<Answer> {
    let mut location = Vec::with_capacity(128);
    let write = |format: &LogFormat, out: &mut Vec<u8>| logformat::render(format, ctx, out);
    let target = ctx.request.map_or(&b""[..], |head| head.uri());
    let mut path = uri::path_and_query(target).unwrap_or(b"/");
    if rule.drop_query {
        path = uri::until(path, b'?');
    }
    match &rule.target {
        RedirectTarget::Location(format) => {
            write(format, &mut location);
            if location.is_empty() && rule.ignore_empty {
                return None;
            }
            if rule.keep_query
                && let Some(query) = uri::query(target)
            {
                location.push(if location.contains(&b'?') { b'&' } else { b'?' });
                location.extend_from_slice(query);
            }
        }
        RedirectTarget::Prefix(format) => {
            write(format, &mut location);
            location.extend_from_slice(path);
        }
        RedirectTarget::Scheme(format) => {
            write(format, &mut location);
            location.extend_from_slice(b"://");
            let host = ctx.request.and_then(|head| header_values(head, Some(b"host"), false).next());
            location.extend_from_slice(host.unwrap_or_default());
            location.extend_from_slice(path);
        }
    }
    let takes_slash = !matches!(rule.target, RedirectTarget::Location(_));
    if takes_slash && rule.append_slash && !location.ends_with(b"/") {
        location.push(b'/');
    }
    let mut headers: Vec<(Box<str>, Box<[u8]>)> =
        vec![("content-length".into(), (*b"0").into()), ("location".into(), location.into())];
    // Those that caches could otherwise keep.
    if matches!(rule.code, 302 | 303 | 307) {
        headers.push(("cache-control".into(), (*b"no-cache").into()));
    }
    if let Some(cookie) = &rule.set_cookie {
        headers.push(("set-cookie".into(), cookie.as_bytes().into()));
    }
    Some(Answer { status: rule.code, headers, body: AnswerBody::Empty })
}
