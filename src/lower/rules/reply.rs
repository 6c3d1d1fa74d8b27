//! Arguments of `deny`, `tarpit` and `return`.

use std::sync::Arc;

use tandem_parser::diagnostic::{Diagnostic, Reason, Severity};
use tandem_parser::lex::Word;
use tandem_parser::span::Span;

use super::super::expr::{Language, LfUse, Read, Site};
use super::cursor::Cursor;
use crate::ir::rules::{Reply, ReplyBody};

/// Statuses that have an error page.
const PAGES: [u16; 21] =
    [200, 400, 401, 403, 404, 405, 407, 408, 410, 413, 414, 421, 422, 425, 429, 431, 500, 501, 502, 503, 504];

/// `deny`: an error page if nothing is said but perhaps `deny_status`; with any other word it is a `return`.
pub(super) fn deny(language: &mut Language<'_>, cursor: &mut Cursor<'_>, status: u16) -> Read<Reply> {
    read(language, cursor, status, true)
}

impl Language<'_> {
    /// The words after `http-error`.
    pub fn http_error(&mut self, words: &[Word], line: Span) -> Read<Reply> {
        let keyword = Word::verbatim("http-error", line);
        let all: Vec<Word> = std::iter::once(keyword).chain(words.iter().cloned()).collect();
        let mut cursor = Cursor::new(self, "http-error", &all, line, Site::HttpError)?;
        let reply = read(self, &mut cursor, 0, false)?;
        if !PAGES.contains(&reply.status) {
            let message = match reply.status {
                0 => "'http-error' expects at least a <status> as arguments.".to_owned(),
                status => format!("'http-error' : status code '{status}' not handled."),
            };
            return self.alert(Reason::InvalidValue, line, message);
        }
        Some(reply)
    }
}

/// `return`: nothing unless something is said.
pub(super) fn give(language: &mut Language<'_>, cursor: &mut Cursor<'_>) -> Read<Reply> {
    read(language, cursor, 200, false)
}

fn read(language: &mut Language<'_>, cursor: &mut Cursor<'_>, status: u16, deny: bool) -> Read<Reply> {
    let mut reply = Reply { status, body: ReplyBody::Empty, content_type: None, headers: Vec::new() };
    // Nothing but perhaps a leading `deny_status` was said.
    let mut bare = deny;
    let mut first = true;
    let mut payload: Option<&Word> = None;
    let mut section: Option<&Word> = None;
    while let Some(word) = cursor.take() {
        let text = word.text();
        if matches!(
            text,
            "default-errorfiles" | "errorfile" | "errorfiles" | "file" | "lf-file" | "string" | "lf-string"
        ) {
            if let Some(other) = payload {
                let message = format!("'{text}' and '{other}' exclude each other in '{}'.", cursor.action());
                return language.alert(Reason::Conflict, word.span, message);
            }
            payload = Some(word);
        }
        let leads = std::mem::take(&mut first);
        bare &= leads && text == "deny_status";
        match text {
            "status" => reply.status = code(language, cursor)?,
            "deny_status" if deny && leads => reply.status = code(language, cursor)?,
            "content-type" => {
                reply.content_type = Some(cursor.next(language, "a content type")?.text().into());
            }
            "default-errorfiles" => reply.body = ReplyBody::ErrorPage,
            "errorfiles" => section = Some(cursor.next(language, "the name of an http-errors section")?),
            "errorfile" => {
                let path = cursor.next(language, "a file")?;
                reply.body = ReplyBody::Raw(bytes(language, path)?);
            }
            "file" => {
                let path = cursor.next(language, "a file")?;
                reply.body = ReplyBody::Fixed(bytes(language, path)?);
            }
            "string" => {
                let text = cursor.next(language, "a string")?;
                reply.body = ReplyBody::Fixed(text.bytes().into());
            }
            "lf-file" => {
                let path = cursor.next(language, "a file")?;
                let content = bytes(language, path)?;
                let word = Word::resolved(&content, path.span, false);
                reply.body = ReplyBody::Format(language.log_format(&word, LfUse::Plain, cursor.site)?);
            }
            "lf-string" => reply.body = ReplyBody::Format(cursor.format(language, LfUse::Plain)?),
            "hdr" => {
                let name = cursor.next(language, "a header name")?;
                let value = cursor.format(language, LfUse::Http)?;
                let own = ["content-length", "transfer-encoding", "content-type"];
                if own.iter().any(|own| name.eq_ignore_ascii_case(own)) {
                    let message = format!("header '{name}' is always ignored here.");
                    language.say(Diagnostic::warning(Reason::NoEffect, name.span, message));
                } else {
                    reply.headers.push((name.text().into(), value));
                }
            }
            _ => {
                let help = "there are: status, content-type, errorfile, errorfiles, default-errorfiles, file, \
                            lf-file, string, lf-string, hdr";
                return cursor.left_over(language, word, word.span, help);
            }
        }
    }
    if bare {
        reply.body = ReplyBody::ErrorPage;
    }
    if let Some(section) = section {
        if !PAGES.contains(&reply.status) {
            let message =
                format!("status code '{}' not handled by default with 'errorfiles' argument..", reply.status);
            return language.alert(Reason::InvalidValue, section.span, message);
        }
        match language.world.error_page(section, reply.status) {
            Some(page) => reply.body = ReplyBody::Raw(page),
            None => {
                let message =
                    format!("http-errors section '{section}' has no page for status {}.", reply.status);
                // As the reference: the answer has no page then, not the proxy's own either.
                if !language.world.error_section(section) {
                    return language.alert(Reason::UnknownReference, section.span, message);
                }
                language.say(Diagnostic::warning(Reason::UnknownReference, section.span, message));
                reply.body = ReplyBody::Empty;
            }
        }
    }
    let page = matches!(reply.body, ReplyBody::ErrorPage | ReplyBody::Raw(_));
    if page && payload.is_some() && !reply.headers.is_empty() {
        let span = cursor.action().span;
        let message = "'hdr' parameters are ignored when used with an errorfile.";
        language.say(Diagnostic::warning(Reason::NoEffect, span, message));
        reply.headers.clear();
    }
    let has_text = match &reply.body {
        ReplyBody::Fixed(bytes) => !bytes.is_empty(),
        ReplyBody::Format(_) => true,
        _ => false,
    };
    if has_text && matches!(reply.status, 204 | 304) {
        let span = cursor.action().span;
        let message = format!("No body expected for {} responses.", reply.status);
        return language.alert(Reason::Conflict, span, message);
    }
    if matches!(reply.body, ReplyBody::ErrorPage) && !PAGES.contains(&reply.status) {
        let span = cursor.action().span;
        let message = format!("status code '{}' has no default page; one must be given.", reply.status);
        return language.alert(Reason::InvalidValue, span, message);
    }
    // An empty file needs no type.
    if matches!(&reply.body, ReplyBody::Fixed(bytes) if bytes.is_empty()) {
        reply.body = ReplyBody::Empty;
    }
    let has_body = matches!(reply.body, ReplyBody::Fixed(_) | ReplyBody::Format(_));
    if has_body && reply.content_type.is_none() {
        let span = cursor.action().span;
        let message = "a content type must be defined when non-empty payload is configured.";
        return language.alert(Reason::MissingArgument, span, message);
    }
    if !has_body && reply.content_type.is_some() {
        let span = cursor.action().span;
        let message = "'content-type' has no effect without a payload.";
        language.say(Diagnostic::warning(Reason::NoEffect, span, message));
        reply.content_type = None;
    }
    Some(reply)
}

fn code(language: &mut Language<'_>, cursor: &mut Cursor<'_>) -> Read<u16> {
    let word = cursor.next(language, "a status code")?;
    match word.parse() {
        Ok(code @ 200..=599) => Some(code),
        _ => {
            let message = format!("Unexpected status code '{word}'.");
            let diagnostic = Diagnostic::alert(Reason::OutOfRange, word.span, message);
            language.say(diagnostic.help("a status code is between 200 and 599"));
            None
        }
    }
}

fn bytes(language: &mut Language<'_>, path: &Word) -> Read<Arc<[u8]>> {
    match language.world.read(path, path.span) {
        Ok(bytes) => Some(bytes.into()),
        Err(error) => {
            let offline = language.world.offline();
            let severity = if offline { Severity::Notice } else { Severity::Alert };
            let message = format!("error opening file '{path}'.");
            let d = Diagnostic::new(severity, Reason::Environment, path.span, message);
            language.say(d.label(error.to_string()));
            offline.then(|| Arc::from([]))
        }
    }
}
