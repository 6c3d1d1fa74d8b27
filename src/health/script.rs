//! Checks as scripts: connect, send, expect.

use super::{Status, proto};
use crate::ir::check::{
    self, Check, CheckKind, Connect, Expect, HeaderMatcher, HttpRequest, Matcher, Payload, Rule,
};
use crate::ir::expr::{Expr, LogFormat, VarName};
use crate::ir::regex::Regex;

/// A check, ready to run.
#[derive(Clone, Debug)]
pub struct Script {
    /// What kind, as far as messages differ.
    pub flavour: Flavour,
    /// The steps; a [`Step::Connect`] comes before all that speak.
    pub steps: Vec<Step>,
    /// `disable-on-404`.
    pub disable_on_404: bool,
    /// `send-state`.
    pub send_state: bool,
    /// The program of `option external-check`; there are no steps then.
    pub external: Option<check::External>,
    /// What messages say of each step.
    marks: Vec<Mark>,
}

#[derive(Clone, Debug, Default)]
struct Mark {
    number: u32,
    comment: Option<Box<str>>,
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
        /// How and where to.
        how: Box<Connect>,
        /// Written in the configuration (or part of a protocol) rather than implied.
        explicit: bool,
    },
    /// Send bytes.
    Send(Payload),
    /// Send an HTTP request.
    SendHttp(Box<HttpRequest>),
    /// Send the SSLv3 hello, which holds the time of day.
    SendHello,
    /// Wait for an answer and judge it.
    Expect(Box<Want>),
    /// Set a variable.
    SetVar(VarName, Box<Expr>),
    /// Set a variable.
    SetVarFormat(VarName, LogFormat),
    /// Forget a variable.
    UnsetVar(VarName),
}

impl Step {
    /// The first step of a protocol whose servers log resets.
    #[must_use]
    pub fn lingering_connect() -> Self {
        let how = Connect { linger: true, as_server: true, ..Connect::default() };
        Self::Connect { how: Box::new(how), explicit: true }
    }

    /// Sends bytes.
    #[must_use]
    pub fn send(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Send(Payload::Bytes(bytes.into()))
    }

    /// Expects something.
    #[must_use]
    pub fn expect(want: Want) -> Self {
        Self::Expect(Box::new(want))
    }

    /// It changes variables only: no step in the sense of a running check.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        matches!(self, Self::SetVar(..) | Self::SetVarFormat(..) | Self::UnsetVar(_))
    }
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
    /// Status if it fails; `None`: what is usual for the test.
    pub error: Option<Status>,
    /// Status if time runs out.
    pub timeout: Status,
    /// Detail if it was the last step and passed.
    pub on_ok: Say,
    /// Detail if it fails.
    pub on_error: Say,
    /// The first three bytes are the code.
    pub code_in_front: bool,
    /// Where the code comes from otherwise.
    pub code: Option<Box<Expr>>,
}

impl Default for Want {
    fn default() -> Self {
        Self {
            test: Test::Text(Vec::new()),
            negate: false,
            min_bytes: None,
            ok: Status::L7Ok,
            error: None,
            timeout: Status::L7Tout,
            on_ok: Say::Default,
            on_error: Say::Default,
            code_in_front: false,
            code: None,
        }
    }
}

/// How an answer is tested.
#[derive(Clone, Debug)]
pub enum Test {
    /// Contains these bytes.
    Text(Vec<u8>),
    /// Contains what this says.
    TextFormat(LogFormat),
    /// Contains these bytes, written in hexadecimal in the configuration.
    Binary(Vec<u8>),
    /// Contains the bytes that this says in hexadecimal.
    BinaryFormat(LogFormat),
    /// Matches.
    Regex(Regex),
    /// Matches, in hexadecimal.
    BinaryRegex(Regex),
    /// By code; the function of the built-in protocols.
    Custom(Custom),
    /// HTTP status within one of these inclusive ranges.
    HttpStatus(Vec<(u16, u16)>),
    /// HTTP status, as text, matches.
    HttpStatusRegex(Regex),
    /// A header.
    HttpHeader(Box<HeaderMatcher>),
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
    /// The hello of an SPOP agent.
    SpopHello,
}

/// Where the detail of a verdict comes from.
#[derive(Clone, Debug)]
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
    /// `on-success`, `on-error`.
    Format(LogFormat),
}

impl Script {
    /// The script of a backend's check.
    #[must_use]
    pub fn new(check: &Check) -> Self {
        let by_rules = |flavour| Self::of_rules(flavour, &check.rules);
        let mut script = match &check.kind {
            CheckKind::Tcp => Self::of_steps(Flavour::Connect, Vec::new()),
            CheckKind::TcpScript => by_rules(Flavour::TcpCheck),
            CheckKind::Http => by_rules(Flavour::Http),
            CheckKind::Pgsql { user } => Self::protocol(proto::pgsql::steps(user)),
            CheckKind::Redis => Self::protocol(proto::redis::steps()),
            CheckKind::Smtp { hello } => Self::protocol(proto::smtp::steps(hello)),
            CheckKind::Mysql { user, login } => Self::protocol(proto::mysql::steps(user.as_deref(), *login)),
            CheckKind::Ldap => Self::protocol(proto::ldap::steps()),
            CheckKind::SslHello => Self::protocol(proto::ssl_hello::steps()),
            CheckKind::Spop => Self::protocol(proto::spop::steps()),
            CheckKind::External(external) => {
                Self { external: Some(external.clone()), ..Self::of_steps(Flavour::Protocol, Vec::new()) }
            }
        };
        script.disable_on_404 = check.disable_on_404;
        script.send_state = check.send_state;
        script
    }

    /// A script of a built-in protocol.
    #[must_use]
    pub fn protocol(steps: Vec<Step>) -> Self {
        Self::of_steps(Flavour::Protocol, steps)
    }

    fn of_steps(flavour: Flavour, steps: Vec<Step>) -> Self {
        let marks = (1..).take(steps.len()).map(|number| Mark { number, comment: None }).collect();
        Self::begin(flavour, steps, marks)
    }

    fn of_rules(flavour: Flavour, rules: &[Rule]) -> Self {
        let mut steps: Vec<Step> = rules.iter().map(|rule| step(&rule.step)).collect();
        let mut marks: Vec<Mark> =
            rules.iter().map(|r| Mark { number: r.number, comment: r.comment.clone() }).collect();
        let last = steps.iter().rposition(|step| !step.is_silent());
        if flavour == Flavour::Http
            && let Some(at) = last.filter(|at| matches!(steps[*at], Step::SendHttp(_)))
        {
            // A request without an expectation: any 2xx or 3xx.
            let want = Want { test: Test::HttpStatus(vec![(200, 399)]), ..Want::default() };
            let number = marks[at].number + 1;
            steps.push(Step::expect(want));
            marks.push(Mark { number, comment: None });
        }
        Self::begin(flavour, steps, marks)
    }

    /// Puts a connection before steps that lack one.
    fn begin(flavour: Flavour, mut steps: Vec<Step>, mut marks: Vec<Mark>) -> Self {
        let first = steps.iter().find(|step| !step.is_silent());
        if !matches!(first, Some(Step::Connect { .. })) {
            let how = Connect { as_server: true, ..Connect::default() };
            steps.insert(0, Step::Connect { how: Box::new(how), explicit: false });
            marks.insert(0, Mark::default());
        }
        Self { flavour, steps, disable_on_404: false, send_state: false, external: None, marks }
    }

    /// Number of a step as messages have it: from 1, an implied connection is 0.
    #[must_use]
    pub fn step_number(&self, index: usize) -> u32 {
        self.marks.get(index).map_or(0, |mark| mark.number)
    }

    /// The comment of a step.
    #[must_use]
    pub fn comment(&self, index: usize) -> Option<&str> {
        self.marks.get(index)?.comment.as_deref()
    }
}

fn step(step: &check::Step) -> Step {
    match step {
        check::Step::Connect(how) => Step::Connect { how: how.clone(), explicit: true },
        check::Step::Send(payload) => Step::Send(payload.clone()),
        check::Step::SendHttp(request) => Step::SendHttp(request.clone()),
        check::Step::Expect(expect) => Step::expect(want(expect)),
        check::Step::SetVar(name, expr) => Step::SetVar(name.clone(), expr.clone()),
        check::Step::SetVarFormat(name, format) => Step::SetVarFormat(name.clone(), format.clone()),
        check::Step::UnsetVar(name) => Step::UnsetVar(name.clone()),
    }
}

fn want(expect: &Expect) -> Want {
    let test = match &expect.matcher {
        Matcher::Text(bytes) => Test::Text(bytes.clone()),
        Matcher::TextFormat(format) => Test::TextFormat(format.clone()),
        Matcher::Binary(bytes) => Test::Binary(bytes.clone()),
        Matcher::BinaryFormat(format) => Test::BinaryFormat(format.clone()),
        Matcher::Regex(regex) => Test::Regex(regex.clone()),
        Matcher::BinaryRegex(regex) => Test::BinaryRegex(regex.clone()),
        Matcher::Status(ranges) => Test::HttpStatus(ranges.clone()),
        Matcher::StatusRegex(regex) => Test::HttpStatusRegex(regex.clone()),
        Matcher::Header(header) => Test::HttpHeader(header.clone()),
    };
    let say = |format: &Option<LogFormat>| format.clone().map_or(Say::Default, Say::Format);
    Want {
        test,
        negate: expect.negate,
        min_bytes: expect.min_recv,
        ok: expect.ok_status.map_or(Status::L7Ok, Status::from),
        error: expect.error_status.map(Status::from),
        timeout: expect.timeout_status.map_or(Status::L7Tout, Status::from),
        on_ok: say(&expect.on_success),
        on_error: say(&expect.on_error),
        code_in_front: false,
        code: expect.status_code.clone(),
    }
}
