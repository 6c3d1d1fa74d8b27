//! Checks as scripts: connect, send, expect.

use regex::bytes::Regex;

use super::{Status, proto};
use crate::ir::check::{Check, CheckKind, Expect, HttpCheck, Matcher, TcpStep};

/// A check, ready to run.
#[derive(Clone, Debug)]
pub struct Script {
    /// What kind, as far as messages differ.
    pub flavour: Flavour,
    /// The steps; the first is a [`Step::Connect`].
    pub steps: Vec<Step>,
}

/// Whose rules the steps are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// A connection and nothing else.
    Connect,
    /// `option tcp-check` with rules: messages name the step.
    TcpCheck,
    /// `option httpchk`.
    Http,
    /// One of the built-in protocols.
    Protocol,
}

/// One step.
#[derive(Clone, Debug)]
pub enum Step {
    /// Connect.
    Connect {
        /// To another port than the check's.
        port: Option<u16>,
        /// Written in the configuration rather than implied.
        explicit: bool,
        /// Close with FIN rather than RST, for servers that log resets.
        linger: bool,
    },
    /// Send these bytes.
    Send(Vec<u8>),
    /// Send an HTTP request, complete but for what varies (see [`proto::http::request`]).
    SendHttp(HttpCheck),
    /// Send the SSLv3 hello, which holds the time of day.
    SendHello,
    /// Wait for an answer and judge it.
    Expect(Want),
}

/// An expectation and what becomes of it.
#[derive(Clone, Debug)]
pub struct Want {
    /// What to look for.
    pub test: Test,
    /// The test must fail.
    pub negate: bool,
    /// Judge only from so many bytes on; `None`: wait on until it matches or the peer closes.
    pub min_bytes: Option<usize>,
    /// Status if this was the last step and it passed.
    pub ok: Status,
    /// Status if it fails.
    pub error: Status,
    /// Status if time runs out.
    pub timeout: Status,
    /// Detail if it was the last step and passed.
    pub on_ok: Say,
    /// Detail if it fails.
    pub on_error: Say,
    /// The first three bytes are the code.
    pub code_in_front: bool,
}

impl Default for Want {
    fn default() -> Self {
        Self {
            test: Test::Text(Vec::new()),
            negate: false,
            min_bytes: None,
            ok: Status::L7Ok,
            error: Status::L7Rsp,
            timeout: Status::L7Tout,
            on_ok: Say::Default,
            on_error: Say::Default,
            code_in_front: false,
        }
    }
}

/// How an answer is tested.
#[derive(Clone, Debug)]
pub enum Test {
    /// Contains these bytes.
    Text(Vec<u8>),
    /// Contains these bytes, written in hexadecimal in the configuration.
    Binary(Vec<u8>),
    /// Matches.
    Regex(Regex),
    /// By code; the function of the built-in protocols.
    Custom(Custom),
    /// HTTP status within one of these inclusive ranges.
    HttpStatus(Vec<(u16, u16)>),
    /// HTTP status, as text, matches.
    HttpStatusRegex(Regex),
    /// The body contains these bytes.
    HttpBody(Vec<u8>),
    /// The body matches.
    HttpBodyRegex(Regex),
}

/// Tests of built-in protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Custom {
    /// Not a PostgreSQL `ErrorResponse`.
    PgsqlNoError,
    /// A PostgreSQL authentication request (or OK) of a known kind.
    PgsqlAuth,
    /// Three digits and a space (or the end of the line).
    SmtpReply,
    /// A reply of class 2.
    SmtpGreetingOk,
    /// A reply of class 2, maybe of several lines.
    SmtpHelloOk,
    /// The MySQL greeting.
    MysqlGreeting,
    /// MySQL's answer to the login.
    MysqlLogin,
    /// A BER sequence.
    LdapSequence,
    /// A successful bind response.
    LdapBind,
    /// A TLS record of type alert or handshake.
    SslHello,
    /// What an agent said; see [`proto::agent`].
    AgentLine,
}

/// Where the detail of a verdict comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// The words usual for the flavour, or none.
    Default,
    /// These words.
    Text(&'static str),
    /// The first line of the answer.
    FirstLine,
    /// The first line from the fourth byte on, after spaces: the text of an SMTP reply.
    AfterCode,
    /// Everything from that byte on.
    From(usize),
}

impl Script {
    /// The script of a backend's check.
    #[must_use]
    pub fn new(check: &Check) -> Self {
        let (flavour, steps) = match &check.kind {
            CheckKind::Tcp => (Flavour::Connect, Vec::new()),
            CheckKind::TcpScript(rules) => (Flavour::TcpCheck, rules.iter().map(tcp_step).collect()),
            CheckKind::Http(http) => (Flavour::Http, proto::http::steps(http, &check.expect)),
            CheckKind::Pgsql { user } => (Flavour::Protocol, proto::pgsql::steps(user)),
            CheckKind::Redis => (Flavour::Protocol, proto::redis::steps()),
            CheckKind::Smtp { hello } => (Flavour::Protocol, proto::smtp::steps(hello)),
            CheckKind::Mysql { user, post_41 } => {
                (Flavour::Protocol, proto::mysql::steps(user.as_deref(), *post_41))
            }
            CheckKind::Ldap => (Flavour::Protocol, proto::ldap::steps()),
            CheckKind::SslHello => (Flavour::Protocol, proto::ssl_hello::steps()),
        };
        let mut script = Self { flavour, steps };
        if !matches!(script.steps.first(), Some(Step::Connect { .. })) {
            script.steps.insert(0, Step::Connect { port: None, explicit: false, linger: false });
        }
        script
    }

    /// Number of a step as messages have it: from 1, an implied connection is 0.
    #[must_use]
    pub fn step_number(&self, index: usize) -> usize {
        let implied = matches!(self.steps.first(), Some(Step::Connect { explicit: false, .. }));
        index + usize::from(!implied)
    }
}

fn tcp_step(rule: &TcpStep) -> Step {
    match rule {
        TcpStep::Connect { port } => Step::Connect { port: *port, explicit: true, linger: false },
        TcpStep::Send(bytes) => Step::Send(bytes.clone()),
        TcpStep::Expect(expect) => Step::Expect(tcp_want(expect)),
    }
}

fn tcp_want(expect: &Expect) -> Want {
    let test = match &expect.matcher {
        Matcher::Text(bytes) => Test::Text(bytes.clone()),
        Matcher::Binary(bytes) => Test::Binary(bytes.clone()),
        Matcher::Regex(regex) => Test::Regex(regex.clone()),
        // Refused by `lower` outside of `http-check`.
        Matcher::Status(ranges) => Test::HttpStatus(ranges.clone()),
        Matcher::StatusRegex(regex) => Test::HttpStatusRegex(regex.clone()),
    };
    Want { test, negate: expect.negate, ..Want::default() }
}
