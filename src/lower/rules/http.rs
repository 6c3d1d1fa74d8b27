//! `http-request`, `http-response`, `http-after-response`.

use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::lex::Word;
use tandem_parser::span::Span;
use tandem_parser::suggest;

use super::super::expr::{Language, LfUse, Read, Site};
use super::cursor::Cursor;
use super::{RuleSet, names, no_such_action, redirect, reply, shared};
use crate::ir::expr::LogFormat;
use crate::ir::rules::{
    HttpAction as H, HttpRule, HttpService, IntSource, MakeMatch, NameMatch, NormalizeUri, TimeoutKind,
};

impl Language<'_> {
    /// One rule: the words after the keyword.
    pub fn http_rule(&mut self, set: RuleSet, words: &[Word], line: Span) -> Read<HttpRule> {
        let site = match set {
            RuleSet::HttpRequest => Site::HttpRequest,
            _ => Site::HttpResponse,
        };
        let mut cursor = Cursor::new(self, set.keyword(), words, line, site)?;
        let action = self.http_action(set, &mut cursor);
        // The condition is read even if the action is wrong, to say everything at once.
        let cond = cursor.cond_after(action.is_some(), self);
        Some(HttpRule { action: action?, cond: cond?, place: self.world.place(line) })
    }

    fn http_action(&mut self, set: RuleSet, cursor: &mut Cursor<'_>) -> Read<H> {
        let (name, _) = cursor.action_parts();
        if !names::known_in(name, set) {
            return no_such_action(self, cursor, set);
        }
        if let Some(common) = shared::read(self, cursor) {
            return common.map(H::Common);
        }
        let response = set != RuleSet::HttpRequest;
        Some(match name {
            "allow" => H::Allow,
            "deny" => H::Deny(reply::deny(self, cursor, if response { 502 } else { 403 })?),
            "tarpit" => H::Tarpit(reply::deny(self, cursor, 500)?),
            "return" => H::Return(reply::give(self, cursor)?),
            "reject" => H::Reject,
            "silent-drop" => H::SilentDrop(silent_drop(self, cursor)?),
            "auth" => {
                let realm =
                    if cursor.eat("realm") { Some(cursor.next(self, "a realm")?.text()) } else { None };
                H::Auth { realm: Some(realm.unwrap_or(&self.owner.name).into()) }
            }
            "redirect" => H::Redirect(redirect::read(self, cursor, true)?),
            "add-header" => self.header(cursor).map(|(name, value)| H::AddHeader(name, value))?,
            "set-header" => self.header(cursor).map(|(name, value)| H::SetHeader(name, value))?,
            "early-hint" => self.header(cursor).map(|(name, value)| H::EarlyHint(name, value))?,
            "del-header" => H::DelHeader(self.header_names(cursor)?),
            "add-headers-bin" | "set-headers-bin" => {
                let list = cursor.expr(self)?;
                let prefix = if cursor.eat("prefix") {
                    cursor.next(self, "a prefix")?.bytes().into()
                } else {
                    Box::default()
                };
                H::PushHeaders { list, prefix, replace: name == "set-headers-bin" }
            }
            "del-headers-bin" => H::DelHeaders(cursor.expr(self)?, self.name_method(cursor)?),
            "replace-header" => {
                let name = self.header_name(cursor)?.to_ascii_lowercase().into_bytes().into();
                H::ReplaceHeader(name, cursor.regex(self)?, cursor.format(self, LfUse::Http)?)
            }
            "replace-value" => {
                let name = self.header_name(cursor)?.to_ascii_lowercase().into_bytes().into();
                H::ReplaceValue(name, cursor.regex(self)?, cursor.format(self, LfUse::Http)?)
            }
            "set-method" => H::SetMethod(cursor.format(self, LfUse::Http)?),
            "set-path" => H::SetPath(cursor.format(self, LfUse::Http)?),
            "set-pathq" => H::SetPathQ(cursor.format(self, LfUse::Http)?),
            "set-query" => H::SetQuery(cursor.format(self, LfUse::Http)?),
            "set-uri" => H::SetUri(cursor.format(self, LfUse::Http)?),
            "replace-path" => H::ReplacePath(cursor.regex(self)?, cursor.format(self, LfUse::Http)?),
            "replace-pathq" => H::ReplacePathQ(cursor.regex(self)?, cursor.format(self, LfUse::Http)?),
            "replace-uri" => H::ReplaceUri(cursor.regex(self)?, cursor.format(self, LfUse::Http)?),
            "normalize-uri" => H::NormalizeUri(normalize(self, cursor)?),
            "set-status" => self.status(cursor)?,
            "capture" => {
                let (expr, slot, len) = shared::capture(self, cursor, response)?;
                H::Capture { expr, slot, len }
            }
            "set-timeout" => self.timeout(cursor)?,
            "disable-l7-retry" => H::DisableL7Retry,
            "strict-mode" => match cursor.next(self, "'on' or 'off'")? {
                word if word.text() == "on" => H::StrictMode(true),
                word if word.text() == "off" => H::StrictMode(false),
                word => {
                    let message = format!("'strict-mode' expects 'on' or 'off', got '{word}'.");
                    return self.alert(Reason::InvalidValue, word.span, message);
                }
            },
            "pause" => H::Pause(shared::duration(self, cursor)?),
            "do-resolve" => H::Resolve(shared::resolve(self, cursor)?),
            "use-service" => self.service(cursor)?,
            "wait-for-body" => self.wait_for_body(cursor)?,
            _ => return no_such_action(self, cursor, set),
        })
    }

    fn header_name<'w>(&mut self, cursor: &mut Cursor<'w>) -> Read<&'w str> {
        let word = cursor.next(self, "a header name")?;
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if !word.bytes().iter().copied().all(token) {
            let message = format!("'{}' : '{word}' is no valid header name.", cursor.action());
            self.say(Diagnostic::warning(Reason::InvalidValue, word.span, message));
        }
        Some(word.text())
    }

    fn header(&mut self, cursor: &mut Cursor<'_>) -> Read<(Box<str>, LogFormat)> {
        // `reqadd` wrote the whole line as one word.
        let line = cursor.peek().and_then(|word| word.text().split_once(':'));
        if let Some((name, value)) = line.filter(|_| cursor.is_last()) {
            cursor.take();
            return Some((name.into(), Language::literal(value.trim())));
        }
        let name = self.header_name(cursor)?;
        Some((name.into(), cursor.format(self, LfUse::Http)?))
    }

    /// `-m METHOD` of `del-headers-bin`.
    fn name_method(&mut self, cursor: &mut Cursor<'_>) -> Read<MakeMatch> {
        if !cursor.eat("-m") {
            return Some(NameMatch::Exact);
        }
        let method = cursor.next(self, "a matching method")?;
        match method.text() {
            "str" => Some(NameMatch::Exact),
            "beg" => Some(NameMatch::Prefix),
            "end" => Some(NameMatch::Suffix),
            "sub" => Some(NameMatch::Contains),
            "reg" => {
                let message = "-m reg is unsupported with del-headers-bin due to performance reasons";
                self.alert(Reason::InvalidValue, method.span, message)
            }
            other => {
                let message = format!("-m with unsupported matching method '{other}'");
                self.alert(Reason::InvalidValue, method.span, message)
            }
        }
    }

    fn header_names(&mut self, cursor: &mut Cursor<'_>) -> Read<NameMatch> {
        let word = cursor.next(self, "a header name")?;
        let lower = || word.to_ascii_lowercase().into_bytes().into();
        if !cursor.eat("-m") {
            return Some(NameMatch::Exact(lower()));
        }
        let method = cursor.next(self, "a matching method")?;
        match method.text() {
            "str" => Some(NameMatch::Exact(lower())),
            "beg" => Some(NameMatch::Prefix(lower())),
            "end" => Some(NameMatch::Suffix(lower())),
            "sub" => Some(NameMatch::Contains(lower())),
            "reg" => match crate::expr::pattern::regex(word, true) {
                Ok(regex) => Some(NameMatch::Regex(regex)),
                Err(error) => {
                    let message = format!("{error}.");
                    self.alert(super::super::expr::regex_reason(&error), word.span, message)
                }
            },
            other => {
                let message =
                    format!("'del-header' only supports beg, end, str, sub and reg, got '{other}'.");
                self.alert(Reason::InvalidValue, method.span, message)
            }
        }
    }

    fn status(&mut self, cursor: &mut Cursor<'_>) -> Read<H> {
        let word = cursor.next(self, "a status code")?;
        let Some(status) = word.parse().ok().filter(|code| (100..=999).contains(code)) else {
            let message = format!("'set-status' expects an integer between 100 and 999, got '{word}'.");
            return self.alert(Reason::OutOfRange, word.span, message);
        };
        let reason =
            if cursor.eat("reason") { Some(cursor.next(self, "a reason")?.text().into()) } else { None };
        Some(H::SetStatus(status, reason))
    }

    fn timeout(&mut self, cursor: &mut Cursor<'_>) -> Read<H> {
        let word = cursor.next(self, "the name of a timeout")?;
        let kind = match word.text() {
            "client" => TimeoutKind::Client,
            "server" => TimeoutKind::Server,
            "tunnel" => TimeoutKind::Tunnel,
            "connect" => TimeoutKind::Connect,
            "queue" => TimeoutKind::Queue,
            "tarpit" => TimeoutKind::Tarpit,
            other => {
                let d = Diagnostic::alert(
                    Reason::InvalidValue,
                    word.span,
                    format!("'set-timeout' : '{other}' is no timeout that can be set."),
                );
                self.say(d.help("there are: client, server, tunnel, connect, queue, tarpit"));
                return None;
            }
        };
        let (half, has) = match kind {
            TimeoutKind::Client => ("frontend", self.owner.frontend),
            TimeoutKind::Server | TimeoutKind::Tunnel | TimeoutKind::Connect => {
                ("backend", self.owner.backend)
            }
            _ => ("", true),
        };
        if !has {
            let message = format!("proxy '{}' has no {half} capability.", self.owner.name);
            return self.alert(Reason::NotAllowedHere, word.span, message);
        }
        let time = shared::duration(self, cursor)?;
        if matches!(time, IntSource::Const(0)) {
            let message = format!("null value is not valid for a 'set-timeout {word}' rule.");
            return self.alert(Reason::InvalidValue, word.span, message);
        }
        Some(H::SetTimeout(kind, time))
    }

    fn service(&mut self, cursor: &mut Cursor<'_>) -> Read<H> {
        let word = cursor.next(self, "the name of a service")?;
        match word.text() {
            "prometheus-exporter" => Some(H::UseService(HttpService::Prometheus)),
            lua if lua.starts_with("lua.") && self.world.lua() => {
                let message = format!("'use-service {lua}' cannot be used : Lua is not implemented yet.");
                self.alert(Reason::Refused, word.span, message)
            }
            other => {
                let message = format!("'use-service' : there is no service '{other}'.");
                let d = Diagnostic::alert(Reason::InvalidValue, word.span, message);
                self.say(d.help("there is: prometheus-exporter"));
                None
            }
        }
    }

    fn wait_for_body(&mut self, cursor: &mut Cursor<'_>) -> Read<H> {
        let (mut time, mut at_least) = (None, 0);
        while let Some(word) = cursor.take() {
            match word.text() {
                "time" => time = Some(cursor.time(self)?),
                "at-least" => {
                    let word = cursor.next(self, "a number of bytes")?;
                    let Ok(bytes) = tandem_parser::value::size(word) else {
                        let message = format!("'wait-for-body' expects a number of bytes, got '{word}'.");
                        return self.alert(Reason::InvalidValue, word.span, message);
                    };
                    at_least = bytes;
                }
                _ => return cursor.left_over(self, word, word.span, "there are: time, at-least"),
            }
        }
        match time {
            Some(time) => Some(H::WaitForBody { time, at_least }),
            None => {
                let span = cursor.action().span;
                self.alert(Reason::MissingArgument, span, "'wait-for-body' expects 'time' and a time.")
            }
        }
    }
}

impl Cursor<'_> {
    /// The condition; of a wrong action only what follows `if` or `unless`.
    pub(super) fn cond_after(
        &mut self,
        whole: bool,
        language: &mut Language<'_>,
    ) -> Read<Option<crate::ir::expr::Cond>> {
        if !whole {
            while self.take().is_some() {}
        }
        self.cond(language)
    }
}

/// `silent-drop [rst-ttl N]`.
pub(super) fn silent_drop(language: &mut Language<'_>, cursor: &mut Cursor<'_>) -> Read<Option<u8>> {
    if !cursor.eat("rst-ttl") {
        return Some(None);
    }
    let span = cursor.peek().map_or(cursor.line, |w| w.span);
    let hops = cursor.int(language, "a TTL")?;
    match u8::try_from(hops) {
        Ok(hops @ 1..) => Some(Some(hops)),
        _ => language.alert(
            Reason::OutOfRange,
            span,
            format!("'rst-ttl' expects a TTL from 1 to 255, got '{hops}'."),
        ),
    }
}

fn normalize(language: &mut Language<'_>, cursor: &mut Cursor<'_>) -> Read<NormalizeUri> {
    const KINDS: [&str; 8] = [
        "fragment-encode",
        "fragment-strip",
        "path-merge-slashes",
        "path-strip-dot",
        "path-strip-dotdot",
        "percent-decode-unreserved",
        "percent-to-uppercase",
        "query-sort-by-name",
    ];
    if !language.world.experimental() {
        let span = cursor.action().span;
        let message = "'normalize-uri' action is experimental, must be allowed via a global \
                       'expose-experimental-directives'";
        return language.alert(Reason::NotAllowedHere, span, message);
    }
    let word = cursor.next(language, "a normalizer")?;
    Some(match word.text() {
        "fragment-encode" => NormalizeUri::FragmentEncode,
        "fragment-strip" => NormalizeUri::FragmentStrip,
        "path-merge-slashes" => NormalizeUri::PathMergeSlashes,
        "path-strip-dot" => NormalizeUri::PathStripDot,
        "path-strip-dotdot" => NormalizeUri::PathStripDotDot { full: cursor.eat("full") },
        "percent-decode-unreserved" => NormalizeUri::PercentDecodeUnreserved { strict: cursor.eat("strict") },
        "percent-to-uppercase" => NormalizeUri::PercentToUppercase { strict: cursor.eat("strict") },
        "query-sort-by-name" => NormalizeUri::QuerySortByName,
        other => {
            let message = format!("unknown normalizer '{other}'.");
            let d = Diagnostic::alert(Reason::UnknownKeyword, word.span, message);
            let help = match suggest::nearest(other, KINDS) {
                Some(near) => format!("did you mean '{near}'?"),
                None => format!("there are: {}", KINDS.join(", ")),
            };
            language.say(d.help(help));
            return None;
        }
    })
}
