//! Health checks of a backend: `option *chk`, `http-check`, `tcp-check`.

use regex::bytes::Regex;

use tandem_parser::Word;
use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::haproxy::Statement;
use tandem_parser::span::Span;

use super::context::{Context, span_at};
use crate::ir::check::{Check, CheckKind, Expect, HttpCheck, Matcher, TcpStep};

/// What the lines of a section say so far.
#[derive(Clone, Debug, Default)]
pub(super) struct CheckDraft {
    kind: Option<Kind>,
    http: Option<HttpCheck>,
    /// `http-check send` over the request line of the option.
    send: Vec<Send>,
    http_rules: Rules<Expect>,
    tcp_rules: Rules<TcpStep>,
    disable_on_404: bool,
    send_state: bool,
    pub(super) log_all: bool,
    /// A `http-check` or `tcp-check` rule, for the warning that it is not used.
    http_used: bool,
    tcp_used: bool,
}

/// Rules of a section replace those of its `defaults` as a whole.
#[derive(Clone, Debug)]
struct Rules<T> {
    rules: Vec<T>,
    inherited: bool,
}

impl<T> Default for Rules<T> {
    fn default() -> Self {
        Self { rules: Vec::new(), inherited: false }
    }
}

impl<T> Rules<T> {
    fn push(&mut self, rule: T) {
        if std::mem::take(&mut self.inherited) {
            self.rules.clear();
        }
        self.rules.push(rule);
    }
}

#[derive(Clone, Debug)]
enum Kind {
    Http,
    TcpScript,
    Other(CheckKind),
}

#[derive(Clone, Debug)]
enum Send {
    Method(String),
    Uri(String),
    Version(String),
    Header(String, String),
    Body(Vec<u8>),
}

impl CheckDraft {
    /// A copy for a section that starts from this `defaults`.
    pub(super) fn inherited(&self) -> Self {
        let mut copy = self.clone();
        copy.http_rules.inherited = true;
        copy.tcp_rules.inherited = true;
        copy.http_used = false;
        copy.tcp_used = false;
        copy
    }

    /// Applies one line.
    pub(super) fn apply(&mut self, context: &mut Context<'_>, line: &Statement) -> bool {
        match line.name() {
            "option httpchk" => {
                self.kind = Some(Kind::Http);
                self.http = Some(request(line));
            }
            "option tcp-check" => self.kind = Some(Kind::TcpScript),
            "option pgsql-check" => {
                let user = user(line);
                if user.is_none() {
                    let message = "'pgsql-check' requires 'user <username>'.";
                    context.alert(Reason::MissingArgument, line.span, message);
                }
                self.other(CheckKind::Pgsql { user: user.unwrap_or_default() });
            }
            "option mysql-check" => {
                // Protocol 4.1 is what a user implies unless `pre-41` is written.
                let pre_41 = line.settings(0).iter().any(|setting| setting.name() == "pre-41");
                self.other(CheckKind::Mysql { user: user(line), post_41: !pre_41 });
            }
            "option redis-check" => self.other(CheckKind::Redis),
            "option ldap-check" => self.other(CheckKind::Ldap),
            "option ssl-hello-chk" => self.other(CheckKind::SslHello),
            "option smtpchk" => {
                let hello = match (line.text(0), line.text(1)) {
                    (Some(verb @ ("HELO" | "EHLO")), Some(domain)) => format!("{verb} {domain}"),
                    _ => "HELO localhost".to_owned(),
                };
                self.other(CheckKind::Smtp { hello });
            }
            "option external-check" | "option spop-check" => self.other(CheckKind::Tcp),
            "option log-health-checks" => self.log_all = line.modifier == Default::default(),
            "http-check disable-on-404" => self.disable_on_404 = true,
            "http-check send-state" => self.send_state = true,
            "http-check send" => {
                self.http_used = true;
                self.send.extend(line.settings(0).iter().filter_map(send));
            }
            "http-check expect" => {
                self.http_used = true;
                if let Some(expect) = expect(context, line, true) {
                    self.http_rules.push(expect);
                }
            }
            "tcp-check connect" => {
                self.tcp_used = true;
                let settings = line.settings(0);
                let port = settings.iter().find(|setting| setting.name() == "port");
                self.tcp_rules.push(TcpStep::Connect { port: port.and_then(|port| port.number(0)) });
            }
            "tcp-check send" => {
                self.tcp_used = true;
                if let Some(text) = line.word(0) {
                    self.tcp_rules.push(TcpStep::Send(text.bytes().to_vec()));
                }
            }
            "tcp-check send-binary" => {
                self.tcp_used = true;
                let digits = line.text(0).unwrap_or_default();
                match hex(digits) {
                    Some(bytes) => self.tcp_rules.push(TcpStep::Send(bytes)),
                    None => {
                        let message = format!("'tcp-check send-binary' : invalid hexadecimal '{digits}'.");
                        context.alert(Reason::InvalidValue, span_at(line, 0), message);
                    }
                }
            }
            "tcp-check expect" => {
                self.tcp_used = true;
                if let Some(expect) = expect(context, line, false) {
                    self.tcp_rules.push(TcpStep::Expect(expect));
                }
            }
            _ => return false,
        }
        true
    }

    fn other(&mut self, kind: CheckKind) {
        self.kind = Some(Kind::Other(kind));
    }

    /// Whether a script of this draft names the port of its first connection.
    pub(super) fn names_port(&self) -> bool {
        matches!(self.kind, Some(Kind::TcpScript))
            && matches!(self.tcp_rules.rules.first(), Some(TcpStep::Connect { port: Some(_) }))
    }

    /// Name of the option whose rules stand here without it.
    pub(super) fn unused_rules(&self) -> Option<(&'static str, &'static str)> {
        if self.http_used && !matches!(self.kind, Some(Kind::Http)) {
            return Some(("http-check", "option httpchk"));
        }
        (self.tcp_used && !matches!(self.kind, Some(Kind::TcpScript)))
            .then_some(("tcp-check", "option tcp-check"))
    }

    /// The check.
    pub(super) fn finish(self) -> Check {
        let log_all = self.log_all;
        match self.kind {
            None => Check { kind: CheckKind::Tcp, expect: Vec::new(), log_all },
            Some(Kind::Other(kind)) => Check { kind, expect: Vec::new(), log_all },
            Some(Kind::TcpScript) if self.tcp_rules.rules.is_empty() => {
                Check { kind: CheckKind::Tcp, expect: Vec::new(), log_all }
            }
            Some(Kind::TcpScript) => {
                Check { kind: CheckKind::TcpScript(self.tcp_rules.rules), expect: Vec::new(), log_all }
            }
            Some(Kind::Http) => {
                let mut http = self.http.unwrap_or_else(default_request);
                for part in self.send {
                    match part {
                        Send::Method(method) => http.method = method,
                        Send::Uri(uri) => http.uri = uri,
                        Send::Version(version) => http.version = version,
                        Send::Header(name, value) => http.headers.push((name, value)),
                        Send::Body(body) => http.body = body,
                    }
                }
                http.disable_on_404 = self.disable_on_404;
                http.send_state = self.send_state;
                Check { kind: CheckKind::Http(http), expect: self.http_rules.rules, log_all }
            }
        }
    }
}

fn user(line: &Statement) -> Option<String> {
    let settings = line.settings(0);
    settings.iter().find(|setting| setting.name() == "user")?.text(0).map(str::to_owned)
}

fn default_request() -> HttpCheck {
    HttpCheck {
        method: "OPTIONS".into(),
        uri: "/".into(),
        version: "HTTP/1.0".into(),
        headers: Vec::new(),
        body: Vec::new(),
        disable_on_404: false,
        send_state: false,
    }
}

/// `option httpchk [[METHOD] URI [VERSION]]`. Old files hide headers behind the version: `HTTP/1.1\r\nHost:\ x`.
fn request(line: &Statement) -> HttpCheck {
    let mut http = default_request();
    match (line.text(0), line.text(1)) {
        (Some(uri), None) => uri.clone_into(&mut http.uri),
        (Some(method), Some(uri)) => {
            method.clone_into(&mut http.method);
            uri.clone_into(&mut http.uri);
        }
        _ => {}
    }
    let tail = super::stats::joined(line.words(2));
    if tail.is_empty() {
        return http;
    }
    let (head, body) = tail.split_once("\r\n\r\n").unwrap_or((&tail, ""));
    let mut lines = head.split("\r\n");
    if let Some(version) = lines.next().map(str::trim).filter(|version| !version.is_empty()) {
        version.clone_into(&mut http.version);
    }
    let headers = lines.filter_map(|line| line.split_once(':'));
    http.headers = headers.map(|(name, value)| (name.trim().into(), value.trim().into())).collect();
    http.body = body.as_bytes().to_vec();
    http
}

fn send(setting: &Statement) -> Option<Send> {
    let text = setting.text(0)?.to_owned();
    match setting.name() {
        "meth" => Some(Send::Method(text)),
        "uri" | "uri-lf" => Some(Send::Uri(text)),
        "ver" => Some(Send::Version(text)),
        "hdr" => Some(Send::Header(text, setting.text(1)?.to_owned())),
        "body" | "body-lf" => Some(Send::Body(setting.word(0)?.bytes().to_vec())),
        _ => None,
    }
}

/// Modifiers that stand before a matcher and take one word.
const MODIFIERS: &[&str] = &[
    "min-recv",
    "comment",
    "ok-status",
    "error-status",
    "tout-status",
    "on-success",
    "on-error",
    "status-code",
];

/// The rest of an `expect` line.
fn expect(context: &mut Context<'_>, line: &Statement, http: bool) -> Option<Expect> {
    let keyword = line.name();
    let mut words = line.words(0);
    while let [modifier, _, rest @ ..] = words
        && MODIFIERS.contains(&modifier.text())
    {
        if modifier != "comment" {
            let message = format!("'{modifier}' of '{keyword}' is accepted but has no effect in Tandem yet.");
            context.warn(Reason::NoEffect, modifier.span, message);
        }
        words = rest;
    }
    let (first, mut rest) = words.split_first()?;
    let bangs = first.len() - first.trim_start_matches('!').len();
    let negate = bangs % 2 == 1;
    let mut matcher = &first[bangs..];
    let mut at = first.span;
    if matcher.is_empty()
        && let Some((second, after)) = rest.split_first()
    {
        (matcher, at, rest) = (second.text(), second.span, after);
    }
    let pattern = rest.first();
    let matcher = match (matcher, pattern, http) {
        ("status", Some(pattern), true) => statuses(context, keyword, pattern)?,
        ("rstatus", Some(pattern), true) => Matcher::StatusRegex(regex(context, keyword, pattern)?),
        ("string", Some(pattern), _) => Matcher::Text(pattern.bytes().to_vec()),
        ("rstring", Some(pattern), _) => Matcher::Regex(regex(context, keyword, pattern)?),
        ("binary", Some(pattern), false) => {
            let Some(bytes) = hex(pattern) else {
                let message = format!("'{keyword}' : invalid hexadecimal '{pattern}'.");
                context.alert(Reason::InvalidValue, pattern.span, message);
                return None;
            };
            Matcher::Binary(bytes)
        }
        ("hdr" | "fhdr" | "string-lf", Some(_), true)
        | ("rbinary" | "string-lf" | "binary-lf", Some(_), false) => {
            let message = format!("'{keyword} {matcher}' is accepted but has no effect in Tandem yet.");
            let help = "the rule is left out: servers that fail it are not seen as down by it";
            context.say(Diagnostic::warning(Reason::NoEffect, at, message).help(help));
            return None;
        }
        (_, None, _) => {
            let message = format!("'{keyword}' : '{matcher}' expects a pattern as an argument.");
            context.alert(Reason::MissingArgument, at, message);
            return None;
        }
        _ => {
            unknown_matcher(context, keyword, matcher, at, http);
            return None;
        }
    };
    Some(Expect { negate, matcher })
}

fn unknown_matcher(context: &mut Context<'_>, keyword: &str, matcher: &str, at: Span, http: bool) {
    let known = if http {
        "min-recv, [!]string, [!]rstring, [!]string-lf, [!]status, [!]rstatus, [!]hdr, [!]fhdr or comment"
    } else {
        "min-recv, [!]binary, [!]rbinary, [!]binary-lf, [!]string, [!]rstring, [!]string-lf or comment"
    };
    let message = format!("'{keyword}' : 'only supports {known} but got '{matcher}' as argument.");
    context.alert(Reason::UnknownKeyword, at, message);
}

/// `200,204,300-399`
fn statuses(context: &mut Context<'_>, keyword: &str, pattern: &Word) -> Option<Matcher> {
    let range = |text: &str| {
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        let (low, high) = (low.trim().parse::<u16>().ok()?, high.trim().parse::<u16>().ok()?);
        (low <= high).then_some((low, high))
    };
    let ranges: Option<Vec<_>> = pattern.split(',').map(range).collect();
    if ranges.is_none() {
        let message = format!("'{keyword} status' : invalid status codes '{pattern}'.");
        context.say(
            Diagnostic::alert(Reason::InvalidValue, pattern.span, message)
                .help("codes and ranges are separated by commas: 200,204,300-399"),
        );
    }
    ranges.map(Matcher::Status)
}

fn regex(context: &mut Context<'_>, keyword: &str, pattern: &Word) -> Option<Regex> {
    match Regex::new(pattern.text()) {
        Ok(regex) => Some(regex),
        Err(error) => {
            let message = format!("'{keyword}' : bad regular expression '{pattern}'.");
            let cause = error.to_string().lines().last().unwrap_or_default().to_owned();
            context.say(Diagnostic::alert(Reason::InvalidValue, pattern.span, message).label(cause));
            None
        }
    }
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Vec<u8> = digits.as_bytes().iter().map(digit).collect::<Option<_>>()?;
    (digits.len().is_multiple_of(2)).then(|| digits.chunks(2).map(|pair| (pair[0] << 4) | pair[1]).collect())
}
