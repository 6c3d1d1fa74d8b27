//! Health checks of a backend.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::expr::{Expr, LogFormat, VarName};
use super::regex::Regex;

/// How a check logs in to MySQL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MysqlLogin {
    /// As clients before 4.1 did.
    Pre41,
    /// As clients from 4.1 on do.
    #[default]
    Post41,
    /// As clients from 8.0 on do, with the name of the way they authenticate.
    Post80,
}

/// What is sent and expected once the connection stands.
#[derive(Clone, Debug, Default)]
pub enum CheckKind {
    /// Connect only.
    #[default]
    Tcp,
    /// `option httpchk`, by [`Check::rules`].
    Http,
    /// `option pgsql-check user NAME`.
    Pgsql {
        /// User of the start-up packet.
        user: String,
    },
    /// `option redis-check`.
    Redis,
    /// `option smtpchk [HELO|EHLO DOMAIN]`.
    Smtp {
        /// `HELO localhost` unless configured.
        hello: String,
    },
    /// `option mysql-check [user NAME [post-41|pre-41|post-80]]`.
    Mysql {
        /// Without a user only the greeting is read.
        user: Option<String>,
        /// How it logs in.
        login: MysqlLogin,
    },
    /// `option ldap-check`.
    Ldap,
    /// `option ssl-hello-chk`.
    SslHello,
    /// `option spop-check`.
    Spop,
    /// `option external-check`.
    External(External),
    /// `option tcp-check`, by [`Check::rules`].
    TcpScript,
}

/// A program that checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct External {
    /// `external-check command`.
    pub command: String,
    /// `external-check path`: its `PATH`.
    pub path: Option<String>,
    /// `external-check preserve-env` of `global`.
    pub preserve_env: bool,
}

/// One `http-check` or `tcp-check` rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its number as messages have it, from 1; comments count.
    pub number: u32,
    /// `comment`, of its own or of the line before.
    pub comment: Option<Box<str>>,
    /// What to do.
    pub step: Step,
}

/// What a rule does.
#[derive(Clone, Debug)]
pub enum Step {
    /// `connect`.
    Connect(Box<Connect>),
    /// `tcp-check send*`.
    Send(Payload),
    /// `http-check send`, or the request of `option httpchk`.
    SendHttp(Box<HttpRequest>),
    /// `expect`.
    Expect(Box<Expect>),
    /// `set-var`.
    SetVar(VarName, Box<Expr>),
    /// `set-var-fmt`.
    SetVarFormat(VarName, LogFormat),
    /// `unset-var`.
    UnsetVar(VarName),
}

/// `connect`.
#[derive(Clone, Debug, Default)]
pub struct Connect {
    /// `port`.
    pub port: Option<Port>,
    /// `addr`, its port 0 where none was written.
    pub addr: Option<Target>,
    /// `send-proxy`.
    pub send_proxy: bool,
    /// `via-socks4`: through the relay of the server, if it has one.
    pub via_socks4: bool,
    /// `linger`: closed with FIN rather than RST.
    pub linger: bool,
    /// `default`: with the options of the server's check.
    pub as_server: bool,
}

/// Where a rule connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An address.
    Ip(IpAddr, Option<u16>),
    /// A unix socket.
    Unix(PathBuf),
}

impl From<SocketAddr> for Target {
    fn from(addr: SocketAddr) -> Self {
        Self::Ip(addr.ip(), Some(addr.port()).filter(|port| *port != 0))
    }
}

/// Port of a `connect`.
#[derive(Clone, Debug)]
pub enum Port {
    /// A number.
    Fixed(u16),
    /// What an expression says.
    Computed(Box<Expr>),
}

/// Bytes to send.
#[derive(Clone, Debug)]
pub enum Payload {
    /// `send`, `send-binary`.
    Bytes(Vec<u8>),
    /// `send-lf`.
    Text(LogFormat),
    /// `send-binary-lf`: hexadecimal digits.
    Hex(LogFormat),
}

/// A part of a request: as written, or a log-format.
#[derive(Clone, Debug)]
pub enum Text {
    /// As written.
    Plain(Vec<u8>),
    /// `uri-lf`, `body-lf`.
    Format(LogFormat),
}

/// A request.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// Method, default `OPTIONS`.
    pub method: String,
    /// URI, default `/`.
    pub uri: Text,
    /// Version as sent, default `HTTP/1.0`.
    pub version: String,
    /// Headers in order; their values are log-formats.
    pub headers: Vec<(String, LogFormat)>,
    /// Body.
    pub body: Text,
}

impl Default for HttpRequest {
    fn default() -> Self {
        Self {
            method: "OPTIONS".into(),
            uri: Text::Plain(b"/".to_vec()),
            version: "HTTP/1.0".into(),
            headers: Vec::new(),
            body: Text::Plain(Vec::new()),
        }
    }
}

/// `expect`.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// `!`.
    pub negate: bool,
    /// What must match.
    pub matcher: Matcher,
    /// `min-recv`; `None` (-1): wait on until it matches or the peer closes.
    pub min_recv: Option<usize>,
    /// `ok-status`.
    pub ok_status: Option<StatusName>,
    /// `error-status`.
    pub error_status: Option<StatusName>,
    /// `tout-status`.
    pub timeout_status: Option<StatusName>,
    /// `on-success`.
    pub on_success: Option<LogFormat>,
    /// `on-error`.
    pub on_error: Option<LogFormat>,
    /// `status-code`.
    pub status_code: Option<Box<Expr>>,
}

/// A status that a rule may prescribe; [`crate::health::Status`] says what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are the names of the manual")]
pub enum StatusName {
    L4Ok,
    L4Con,
    L4Tout,
    L6Ok,
    L6Rsp,
    L6Tout,
    L7Ok,
    L7Okc,
    L7Rsp,
    L7Sts,
    L7Tout,
}

/// Matchers of an expectation.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// `status 200,204,300-399`: inclusive ranges.
    Status(Vec<(u16, u16)>),
    /// `rstatus`.
    StatusRegex(Regex),
    /// `string`.
    Text(Vec<u8>),
    /// `rstring`.
    Regex(Regex),
    /// `string-lf`.
    TextFormat(LogFormat),
    /// `binary`.
    Binary(Vec<u8>),
    /// `rbinary`: of the bytes in hexadecimal.
    BinaryRegex(Regex),
    /// `binary-lf`: hexadecimal digits.
    BinaryFormat(LogFormat),
    /// `hdr`, `fhdr`.
    Header(Box<HeaderMatcher>),
}

impl Default for Matcher {
    fn default() -> Self {
        Self::Text(Vec::new())
    }
}

/// `hdr`, `fhdr`.
#[derive(Clone, Debug)]
pub struct HeaderMatcher {
    /// `fhdr`: the whole line rather than its parts between commas.
    pub full: bool,
    /// Of the name.
    pub name: Pattern,
    /// Of the value; `None`: being there is enough.
    pub value: Option<Pattern>,
}

/// A pattern for a name or a value.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// `-m str|beg|end|sub`.
    Text(Method, Text),
    /// `-m reg`.
    Regex(Regex),
}

/// How a pattern is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// All of it.
    Exact,
    /// Its beginning.
    Beginning,
    /// Its end.
    End,
    /// A part of it.
    Part,
}

/// The check of a backend's servers.
#[derive(Clone, Debug, Default)]
pub struct Check {
    /// Kind.
    pub kind: CheckKind,
    /// Rules of `http-check` or `tcp-check`, whichever the kind looks at.
    pub rules: Vec<Rule>,
    /// `http-check disable-on-404`.
    pub disable_on_404: bool,
    /// `http-check send-state`.
    pub send_state: bool,
    /// `option log-health-checks`.
    pub log_all: bool,
}

impl Check {
    /// A check of a kind that has no rules.
    #[must_use]
    pub fn of(kind: CheckKind) -> Self {
        Self { kind, ..Self::default() }
    }

    /// A check by these steps.
    #[must_use]
    pub fn by_steps(kind: CheckKind, steps: impl IntoIterator<Item = Step>) -> Self {
        let rules = (1..).zip(steps).map(|(number, step)| Rule { number, comment: None, step }).collect();
        Self { rules, ..Self::of(kind) }
    }
}
