//! `http-check` and `tcp-check` rules, and the request of `option httpchk`.

use tandem_parser::Word;
use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::haproxy::Statement;
use tandem_parser::span::Span;
use tandem_parser::value::{self, Address, Host};

use super::super::expr::{Language, LfUse, Site};
use super::context::span_at;
use crate::ir::check::{Check, CheckKind, Connect, HttpRequest, Payload, Port, Rule, Step, Target, Text};
use crate::ir::expr::LogFormat;
use crate::ir::regex::Regex;

/// The rules of one section in the making.
#[derive(Default)]
pub(super) struct CheckRules {
    http: List,
    tcp: List,
}

/// Rules in order; comments are held until a rule takes them.
#[derive(Default)]
struct List {
    rules: Vec<Rule>,
    count: u32,
    comment: Option<Box<str>>,
    /// No rule has taken it yet.
    fresh: bool,
    /// The request of `option httpchk`, until an `http-check send` takes its place.
    implied: Option<HttpRequest>,
}

impl List {
    fn push(&mut self, step: Step, comment: Option<Box<str>>) {
        let same = |a: &Step, b: &Step| std::mem::discriminant(a) == std::mem::discriminant(b);
        // A comment goes for rules of one kind in a row.
        if !self.fresh && self.rules.last().is_some_and(|last| !same(&last.step, &step)) {
            self.comment = None;
        }
        self.fresh = false;
        self.count += 1;
        let takes = !matches!(step, Step::SetVar(..) | Step::SetVarFormat(..) | Step::UnsetVar(_));
        let comment = if takes { comment.or_else(|| self.comment.clone()) } else { None };
        if matches!(step, Step::Connect(_)) || !takes {
            self.comment = None;
        }
        self.rules.push(Rule { number: self.count, comment, step });
    }

    fn last(&self) -> Option<&Step> {
        let speaks = |rule: &&Rule| {
            !matches!(rule.step, Step::SetVar(..) | Step::SetVarFormat(..) | Step::UnsetVar(_))
        };
        self.rules.iter().rev().find(speaks).map(|rule| &rule.step)
    }
}

impl CheckRules {
    /// Reads a line, if it is one of these.
    pub(super) fn line(&mut self, language: &mut Language<'_>, line: &Statement) {
        if matches!(line.name(), "option httpchk" | "type httpchk") {
            self.http.implied = Some(request(line));
            return;
        }
        let (list, what, http) = match line.name().split_once(' ') {
            Some(("http-check", what)) => (&mut self.http, what, true),
            Some(("tcp-check", what)) => (&mut self.tcp, what, false),
            _ => return,
        };
        // Actions have their name and variable in one word.
        if what == "comment" {
            list.count += 1;
            list.comment = line.text(0).map(Into::into);
            list.fresh = true;
            return;
        }
        let read = match what {
            "connect" => connect(language, line),
            "send" if http => return list.send_http(language, line),
            "send" | "send-lf" | "send-binary" | "send-binary-lf" => payload(language, line, what),
            "expect" => super::check_expect::read(language, line, http),
            _ => action(language, line, what),
        };
        let Some((step, comment)) = read else { return };
        if http && matches!(step, Step::Expect(_)) {
            let last = list.last();
            let misplaced = match last {
                None => false,
                Some(last) => !matches!(last, Step::SendHttp(_) | Step::Expect(_)) && list.implied.is_none(),
            };
            if misplaced {
                let message = format!(
                    "'http-check expect' : unable to add http-check expect rule at step {} (missing send rule).",
                    list.count + 1
                );
                let _: Option<()> = language.alert(Reason::NotAllowedHere, line.span, message);
                return;
            }
        }
        let connects = |rule: &Rule| matches!(rule.step, Step::Connect(_));
        if matches!(step, Step::Connect(_)) && list.last().is_some() && !list.rules.iter().any(connects) {
            let name = line.name();
            let message = format!(
                "'{name}' : first step MUST also be a 'connect', optionally preceded by a 'set-var', an \
                 'unset-var' or a 'comment', when there is a 'connect' step in the tcp-check ruleset."
            );
            let _: Option<()> = language.alert(Reason::NotAllowedHere, line.span, message);
            return;
        }
        list.push(step, comment);
    }

    /// The rules that a check of this kind looks at.
    pub(super) fn store(mut self, check: &mut Check) {
        match &check.kind {
            CheckKind::Http => {
                if let Some(request) = self.http.implied.take() {
                    self.http.place(request);
                }
                self.http.rules.shrink_to_fit();
                check.rules = self.http.rules;
            }
            // Without rules it is a connection.
            CheckKind::TcpScript if self.tcp.rules.is_empty() => check.kind = CheckKind::Tcp,
            CheckKind::TcpScript => check.rules = self.tcp.rules,
            _ => {}
        }
    }
}

impl List {
    /// The request of the option goes first, or behind the first connection if that is all that comes before.
    fn place(&mut self, request: HttpRequest) {
        let speaks =
            |rule: &Rule| !matches!(rule.step, Step::SetVar(..) | Step::SetVarFormat(..) | Step::UnsetVar(_));
        let first = self.rules.iter().position(speaks);
        let at = match first {
            Some(at) if matches!(self.rules[at].step, Step::Connect(_)) => at + 1,
            _ => 0,
        };
        let number = at.checked_sub(1).map_or(1, |before| self.rules[before].number + 1);
        let rule = Rule { number, comment: None, step: Step::SendHttp(Box::new(request)) };
        if at == 0 {
            // It counts as the first rule.
            self.rules.iter_mut().for_each(|rule| rule.number += 1);
        }
        self.rules.insert(at, rule);
    }

    fn send_http(&mut self, language: &mut Language<'_>, line: &Statement) {
        let first = self.implied.is_some();
        let last_is_connect = matches!(self.last(), None | Some(Step::Connect(_)));
        if !first && !last_is_connect {
            let message = format!(
                "'http-check send' : unable to add http-check send rule at step {} (missing connect rule).",
                self.count + 1
            );
            let _: Option<()> = language.alert(Reason::NotAllowedHere, line.span, message);
            return;
        }
        let mut request = self.implied.take().unwrap_or_default();
        let mut headers = Vec::new();
        let mut comment = None;
        for setting in line.settings(0) {
            let Some(word) = setting.word(0) else { continue };
            let mut format = |used, word| language.log_format(word, used, Site::Check);
            match setting.name() {
                "meth" => word.text().clone_into(&mut request.method),
                "uri" => request.uri = Text::Plain(word.bytes().into_owned()),
                "uri-lf" => request.uri = format(LfUse::Http, word).map_or(request.uri, Text::Format),
                "ver" => word.text().clone_into(&mut request.version),
                "hdr" => {
                    if let Some(value) = setting.word(1)
                        && let Some(value) = format(LfUse::Http, value)
                    {
                        headers.push((word.text().to_owned(), value));
                    }
                }
                "body" => request.body = Text::Plain(word.bytes().into_owned()),
                "body-lf" => request.body = format(LfUse::Plain, word).map_or(request.body, Text::Format),
                _ => comment = Some(word.text().into()),
            }
        }
        if !headers.is_empty() {
            request.headers = headers;
        }
        self.push(Step::SendHttp(Box::new(request)), comment);
    }
}

/// `option httpchk [[METHOD] URI [VERSION]]`. Old files hide headers behind the version: `HTTP/1.1\r\nHost:\ x`.
fn request(line: &Statement) -> HttpRequest {
    let mut http = HttpRequest::default();
    let plain = |text: &str| Text::Plain(text.as_bytes().to_vec());
    match (line.text(0), line.text(1)) {
        (Some(uri), None) => http.uri = plain(uri),
        (Some(method), Some(uri)) => {
            method.clone_into(&mut http.method);
            http.uri = plain(uri);
        }
        _ => {}
    }
    // Since 3.2 the host may follow as a word of its own.
    let (tail, host) = match line.words(2) {
        [version, host] => (version.text().to_owned(), Some(host)),
        words => (super::stats::joined(words), None),
    };
    if tail.is_empty() {
        return http;
    }
    let (head, body) = tail.split_once("\r\n\r\n").unwrap_or((&tail, ""));
    let mut lines = head.split("\r\n");
    if let Some(version) = lines.next().map(str::trim).filter(|version| !version.is_empty()) {
        version.clone_into(&mut http.version);
    }
    let headers = lines.filter_map(|line| line.split_once(':'));
    http.headers =
        headers.map(|(name, value)| (name.trim().into(), Language::literal(value.trim()))).collect();
    http.headers.extend(host.map(|host| ("host".into(), Language::literal(host.text()))));
    http.body = plain(body);
    http
}

type Read = Option<(Step, Option<Box<str>>)>;

fn connect(language: &mut Language<'_>, line: &Statement) -> Read {
    let mut how = Connect::default();
    let mut comment = None;
    for setting in line.settings(0) {
        match setting.name() {
            "default" => how.as_server = true,
            "send-proxy" => how.send_proxy = true,
            "via-socks4" => how.via_socks4 = true,
            "linger" => how.linger = true,
            "comment" => comment = setting.text(0).map(Into::into),
            "addr" => {
                let addr = setting.addresses(0).first();
                how.addr = addr.and_then(|addr| target(language, line.name(), addr, setting));
            }
            // A check over HTTP goes on with HTTP/1, which is told where it stands.
            "proto" if line.name().starts_with("tcp") && setting.text(0) != Some("none") => {
                let word = setting.word(0)?;
                let message =
                    format!("'{}' : 'proto' : invalid MUX protocol '{word}' for tcp-check.", line.name());
                return language.alert(Reason::InvalidValue, word.span, message);
            }
            "port" => how.port = Some(port(language, line.name(), setting.word(0)?)?),
            // The others are reported where they stand.
            _ => {}
        }
    }
    Some((Step::Connect(Box::new(how)), comment))
}

fn port(language: &mut Language<'_>, keyword: &str, word: &Word) -> Option<Port> {
    if word.bytes().iter().all(u8::is_ascii_digit) {
        let Some(port) = word.parse().ok().filter(|port| *port > 0) else {
            let message = format!(
                "'{keyword}' : expects a valid TCP port (from range 1 to 65535) or a sample expression, got {word}."
            );
            return language.alert(Reason::OutOfRange, word.span, message);
        };
        return Some(Port::Fixed(port));
    }
    let (expr, _) = language.expr(std::slice::from_ref(word), Site::Check)?;
    Some(Port::Computed(Box::new(expr)))
}

fn target(language: &mut Language<'_>, keyword: &str, addr: &Address, setting: &Statement) -> Option<Target> {
    if let Some(socket) = addr.socket(0) {
        return Some(socket.into());
    }
    let port = match addr {
        Address::Inet { port: value::Port::None, .. } => None,
        Address::Inet { port: value::Port::One(port), .. } => Some(*port).filter(|port| *port != 0),
        Address::Inet { port: several, .. } => {
            let what = if matches!(several, value::Port::Offset(_)) { "offset" } else { "range" };
            let written = setting.text(0).unwrap_or_default();
            let message = format!("'{keyword}' : 'addr' : port {what} not permitted here in '{written}'.");
            return language.alert(Reason::InvalidValue, span_at(setting, 0), message);
        }
        _ => None,
    };
    match addr {
        Address::Unix { path, .. } => Some(Target::Unix(path.into())),
        Address::Inet { host: Host::Name(name), .. } => {
            let Some(ip) = language.world.resolve(name) else {
                let message = format!("'addr' : could not resolve address '{name}'.");
                let severity = if language.world.offline() {
                    tandem_parser::diagnostic::Severity::Notice
                } else {
                    tandem_parser::diagnostic::Severity::Alert
                };
                language.say(Diagnostic::new(severity, Reason::Environment, span_at(setting, 0), message));
                return None;
            };
            Some(Target::Ip(ip, port))
        }
        _ => None,
    }
}

fn payload(language: &mut Language<'_>, line: &Statement, what: &str) -> Read {
    let words = line.words(0);
    let word = words.first()?;
    let comment = match words.get(1..) {
        Some([keyword, note, ..]) if keyword.text() == "comment" => Some(note.text().into()),
        Some([other, ..]) => {
            let message = format!("'{}' : expects 'comment' but got '{other}' as argument.", line.name());
            return language.alert(Reason::TooManyArguments, other.span, message);
        }
        _ => None,
    };
    let payload = match what {
        "send" => Payload::Bytes(word.bytes().into_owned()),
        "send-lf" => Payload::Text(language.log_format(word, LfUse::Plain, Site::Check)?),
        "send-binary-lf" => Payload::Hex(language.log_format(word, LfUse::Plain, Site::Check)?),
        _ => Payload::Bytes(hex(language, line.name(), word)?),
    };
    Some((Step::Send(payload), comment))
}

fn action(language: &mut Language<'_>, line: &Statement, what: &str) -> Read {
    let words = line.words(0);
    let first = words.first()?;
    // The parser split the word at its parenthesis or left it whole.
    let inside = first.split_once('(').map_or(first.text(), |(_, inside)| inside);
    let inside = inside.strip_suffix(')').unwrap_or(inside);
    let name = language.var_name(inside, first.span)?;
    let step = match what {
        "unset-var" => Step::UnsetVar(name),
        "set-var-fmt" => {
            Step::SetVarFormat(name, language.log_format(words.get(1)?, LfUse::Plain, Site::Check)?)
        }
        _ => Step::SetVar(name, Box::new(language.expr(words.get(1..)?, Site::Check)?.0)),
    };
    Some((step, None))
}

/// Bytes from hexadecimal digits.
pub(super) fn hex(language: &mut Language<'_>, keyword: &str, word: &Word) -> Option<Vec<u8>> {
    let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Option<Vec<u8>> = word.bytes().iter().map(digit).collect();
    match digits.filter(|digits| digits.len().is_multiple_of(2)) {
        Some(digits) => Some(digits.chunks(2).map(|pair| (pair[0] << 4) | pair[1]).collect()),
        None => {
            let odd = word.chars().find(|c| !c.is_ascii_hexdigit());
            let cause = match odd {
                Some(c) => format!("an hex digit is expected (found '{c}')"),
                None => "an even number of hex digit is expected".to_owned(),
            };
            let message = format!("'{keyword}' : '{word}' invalid binary string ({cause}).");
            language.alert(Reason::InvalidValue, word.span, message)
        }
    }
}

/// A format in a rule.
pub(super) fn format(language: &mut Language<'_>, word: &Word) -> Option<LogFormat> {
    language.log_format(word, LfUse::Plain, Site::Check)
}

/// A regular expression; names of headers match in any case.
pub(super) fn regex(
    language: &mut Language<'_>,
    keyword: &str,
    pattern: &Word,
    any_case: bool,
) -> Option<Regex> {
    match crate::expr::pattern::regex(pattern, any_case) {
        Ok(regex) => Some(regex),
        Err(error) => {
            let reason = super::super::expr::regex_reason(&error);
            language.alert(reason, pattern.span, format!("'{keyword}' : {error}."))
        }
    }
}

/// Says that something is wrong; to end a reading with.
pub(super) fn wrong<T>(
    language: &mut Language<'_>,
    reason: Reason,
    span: Span,
    message: String,
) -> Option<T> {
    language.alert(reason, span, message)
}
