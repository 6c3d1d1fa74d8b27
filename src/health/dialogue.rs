//! One run of a script, without sockets: the shell connects, sends and receives as told and reports back.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use super::proto::{agent, http};
use super::scene::Scene;
use super::script::{Flavour, Say, Script, Step, Test, Want};
use super::{Status, Verdict, proto};
use crate::expr::{Ctx, Vars, ctx::Buffered, logformat};
use crate::ir::check::{Connect, Payload, Port, Target};
use crate::ir::expr::{Expr, LogFormat, Value};

/// Most bytes of an answer that are looked at, as many as HAProxy's buffer holds.
pub(super) const MAX_INPUT: usize = 16384;

/// What the shell does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Connect (closing an earlier connection), then [`Dialogue::connected`] or [`Dialogue::failed`].
    Connect(Way),
    /// Send these bytes, then [`Dialogue::sent`].
    Send(Vec<u8>),
    /// Read, then [`Dialogue::received`] or [`Dialogue::closed`].
    Receive,
    /// Over.
    Finish(Verdict),
}

/// How and where to connect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// Elsewhere than the check goes.
    pub addr: Option<Target>,
    /// To another port than the check's.
    pub port: Option<u16>,
    /// Close with FIN rather than RST.
    pub linger: bool,
    /// Through the relay of the server.
    pub via_socks4: bool,
    /// Send a PROXY line.
    pub send_proxy: bool,
    /// With the options of the server's check.
    pub as_server: bool,
    /// Nothing is expected before something is sent or the connection closed.
    pub speaks_first: bool,
}

/// What a run needs to know about its server.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// The server is not down: `disable-on-404` may spare it.
    pub is_up: bool,
    /// Value of `X-Haproxy-Server-State`, with `http-check send-state`.
    pub state_header: Option<String>,
    /// Time of day, which a hello contains.
    pub wall_clock: Option<SystemTime>,
}

/// Where the connection stands, which decides what an error is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Established,
}

/// What an expectation came to.
pub(super) enum Judgement {
    Pass,
    Fail(Status, u16, Cow<'static, [u8]>),
    /// Passed as the last word of the whole check.
    Final(u16, Vec<u8>),
    NeedMore,
}

/// A run.
pub struct Dialogue<S> {
    pub(super) script: Arc<Script>,
    pub(super) subject: Subject,
    scene: S,
    vars: Vars,
    pub(super) step: usize,
    /// The last step that was more than a variable; verdicts are about it.
    current: usize,
    /// First of the expectations in a row that share the input.
    first_expect: usize,
    phase: Phase,
    pub(super) input: Vec<u8>,
    pub(super) closed: bool,
    pub(super) code: u16,
    /// Detail a built-in protocol found.
    info: Option<Vec<u8>>,
    pub(super) not_found: bool,
    /// Answers have no body: `HEAD`.
    pub(super) bodiless: bool,
    /// What an agent said.
    pub(super) agent: Option<agent::Reply>,
}

impl<S: Scene> Dialogue<S> {
    /// What its expressions may look at.
    pub fn scene(&self) -> &S {
        &self.scene
    }

    /// A run at its first step.
    #[must_use]
    pub fn new(script: Arc<Script>, subject: Subject, scene: S) -> Self {
        Self {
            script,
            subject,
            scene,
            vars: Vars::of_check(),
            step: 0,
            current: 0,
            first_expect: 0,
            phase: Phase::Connecting,
            input: Vec::new(),
            closed: false,
            code: 0,
            info: None,
            not_found: false,
            bodiless: false,
            agent: None,
        }
    }

    /// What an agent said, if it was one and said something.
    pub fn take_agent_reply(&mut self) -> Option<agent::Reply> {
        self.agent.take()
    }

    /// What to do now.
    pub fn action(&mut self) -> Action {
        let script = self.script.clone();
        loop {
            let Some(step) = script.steps.get(self.step) else { return Action::Finish(self.passed()) };
            if !step.is_silent() {
                self.current = self.step;
            }
            match step {
                Step::Connect { how, .. } => {
                    self.phase = Phase::Connecting;
                    self.closed = false;
                    self.input.clear();
                    return Action::Connect(self.way(how));
                }
                Step::Send(payload) => match self.payload(payload) {
                    Ok(bytes) => return self.send(bytes),
                    Err(why) => return Action::Finish(Verdict::new(Status::L7Rsp, 0, why.as_bytes())),
                },
                Step::SendHttp(request) => {
                    self.bodiless = request.method == "HEAD";
                    let state = self.subject.state_header.clone();
                    let bytes = http::request(request, state.as_deref(), &|format| self.render(format));
                    return self.send(bytes);
                }
                Step::SendHello => {
                    return self.send(proto::ssl_hello::hello(self.subject.wall_clock));
                }
                Step::SetVar(name, expr) => {
                    let value = self.value(expr);
                    match value {
                        Some(value) => self.vars.set(name, value),
                        None => self.vars.unset(name),
                    }
                    self.pass();
                }
                Step::SetVarFormat(name, format) => {
                    let text = self.render(format);
                    self.vars.set(name, Value::Str(text.into()));
                    self.pass();
                }
                Step::UnsetVar(name) => {
                    self.vars.unset(name);
                    self.pass();
                }
                Step::Expect(want) => match self.judge(want) {
                    Judgement::Pass => self.step += 1,
                    Judgement::Final(code, info) => {
                        (self.code, self.info) = (code, Some(info));
                        self.step += 1;
                    }
                    Judgement::Fail(status, code, info) => {
                        return Action::Finish(self.fail(want, status, code, &info));
                    }
                    Judgement::NeedMore => {
                        self.step = self.first_expect;
                        return Action::Receive;
                    }
                },
            }
        }
    }

    /// Goes on behind a step that only changed variables. An expectation after it starts a new row.
    fn pass(&mut self) {
        self.step += 1;
        self.first_expect = self.step;
    }

    fn way(&self, how: &Connect) -> Way {
        let port = how.port.as_ref().map(|port| match port {
            Port::Fixed(port) => *port,
            // What is no port fails as one that was not given.
            Port::Computed(expr) => self.number(expr).and_then(|n| u16::try_from(n).ok()).unwrap_or_default(),
        });
        let says_nothing = |s: &Step| matches!(s, Step::Send(Payload::Bytes(bytes)) if bytes.is_empty());
        let mut rest = self.script.steps.iter().skip(self.step + 1);
        let next = rest.find(|step| !step.is_silent() && !says_nothing(step));
        Way {
            addr: how.addr.clone(),
            port,
            linger: how.linger,
            via_socks4: how.via_socks4,
            send_proxy: how.send_proxy,
            as_server: how.as_server,
            speaks_first: !matches!(next, Some(Step::Expect(_))),
        }
    }

    fn payload(&self, payload: &Payload) -> Result<Vec<u8>, String> {
        let number = self.script.step_number(self.step);
        let rendered = |format| {
            let text = self.render(format);
            let why = format!("tcp-check send : failed to build log-format string at step {number}");
            if text.is_empty() { Err(why) } else { Ok(text) }
        };
        match payload {
            Payload::Bytes(bytes) => Ok(bytes.clone()),
            Payload::Text(format) => rendered(format),
            Payload::Hex(format) => proto::unhex(&rendered(format)?).ok_or_else(|| {
                format!("tcp-check send : failed to build log-format string at step {number}")
            }),
        }
    }

    fn send(&mut self, bytes: Vec<u8>) -> Action {
        self.input.clear();
        Action::Send(bytes)
    }

    fn advance(&mut self) {
        self.step += 1;
        self.first_expect = self.step;
    }

    /// The connection stands, but who took it has yet to connect further.
    pub fn reached(&mut self) {
        self.phase = Phase::Established;
    }

    /// The connection stands.
    pub fn connected(&mut self) {
        self.phase = Phase::Established;
        self.advance();
    }

    /// Everything was sent.
    pub fn sent(&mut self) {
        self.advance();
    }

    /// Bytes arrived.
    pub fn received(&mut self, bytes: &[u8]) {
        let room = MAX_INPUT - self.input.len();
        self.input.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The peer will send no more.
    pub fn closed(&mut self) {
        self.closed = true;
    }

    /// The connection broke or was never made; `error` is the system's word for it.
    #[must_use]
    pub fn failed(&mut self, error: &str) -> Verdict {
        // A reset right behind the answer does not spoil the answer.
        if self.phase == Phase::Established && !self.input.is_empty() && !self.closed {
            self.closed = true;
            if let Action::Finish(verdict) = self.action() {
                return verdict;
            }
        }
        let status = match self.phase {
            Phase::Connecting => Status::L4Con,
            Phase::Established => Status::SockErr,
        };
        Verdict::new(status, 0, format!("{error}{}", self.whereabouts()).as_bytes())
    }

    /// No socket could be had.
    #[must_use]
    pub fn no_socket(&self, error: &str) -> Verdict {
        Verdict::new(Status::SockErr, 0, format!("{error}{}", self.whereabouts()).as_bytes())
    }

    /// Time is up.
    #[must_use]
    pub fn timed_out(&self) -> Verdict {
        let status = match (self.phase, self.script.steps.get(self.step)) {
            (Phase::Connecting, _) => Status::L4Tout,
            (Phase::Established, Some(Step::Expect(want))) => want.timeout,
            (Phase::Established, _) => Status::L7Tout,
        };
        Verdict::new(status, 0, self.whereabouts().as_bytes())
    }

    /// The step a `tcp-check` stopped at, in words that follow the error's.
    fn whereabouts(&self) -> String {
        if self.script.flavour != Flavour::TcpCheck {
            return String::new();
        }
        let number = self.script.step_number(self.step);
        if number == 0 {
            return " at initial connection step of tcp-check".into();
        }
        let what = match self.script.steps.get(self.step) {
            Some(Step::Connect { how, .. }) => match how.port {
                Some(Port::Fixed(port)) => format!(" (connect port {port})"),
                _ => " (connect)".into(),
            },
            Some(Step::Send(_) | Step::SendHttp(_) | Step::SendHello) => " (send)".into(),
            Some(Step::Expect(want)) => match &want.test {
                Test::Text(text) => format!(" (expect string '{}')", String::from_utf8_lossy(text)),
                Test::Binary(bytes) => format!(" (expect binary '{}')", proto::hex(bytes)),
                Test::Regex(_) => " (expect regex)".into(),
                Test::BinaryRegex(_) => " (expect binary regex)".into(),
                Test::TextFormat(_) => " (expect log-format string)".into(),
                Test::BinaryFormat(_) => " (expect log-format binary)".into(),
                Test::Custom(_) | Test::HttpStatus(_) | Test::HttpStatusRegex(_) | Test::HttpHeader(_) => {
                    String::new()
                }
            },
            _ => String::new(),
        };
        let comment = self.script.comment(self.step).map(|text| format!(" comment: '{text}'"));
        format!(" at step {number} of tcp-check{what}{}", comment.unwrap_or_default())
    }

    fn passed(&mut self) -> Verdict {
        let tcp_check = self.script.flavour == Flavour::TcpCheck;
        let usual: &[u8] = if tcp_check { b"(tcp-check)" } else { b"" };
        let script = self.script.clone();
        match script.steps.get(self.current) {
            Some(Step::Connect { explicit, .. }) => {
                Verdict::new(Status::L4Ok, 0, if *explicit { usual } else { b"" })
            }
            Some(Step::Expect(want)) => {
                if self.not_found {
                    return Verdict::new(Status::L7Okc, 404, b"");
                }
                let said = self.say(&want.on_ok);
                let info = self.info.as_deref().or(said.as_deref()).unwrap_or(usual);
                let code = self.code_of(want).unwrap_or(self.code);
                Verdict::new(want.ok, code, info)
            }
            _ => Verdict::new(Status::L7Ok, 0, usual),
        }
    }

    /// The verdict about an expectation that failed, with its comment.
    fn fail(&self, want: &Want, status: Status, code: u16, info: &[u8]) -> Verdict {
        let mut info = info.to_vec();
        if let Some(comment) = self.script.comment(self.step) {
            info.extend_from_slice(b" comment: ");
            info.extend_from_slice(comment.as_bytes());
        }
        let code = want.code.as_ref().and_then(|_| self.code_of(want)).unwrap_or(code);
        Verdict::new(status, code, &info)
    }

    /// The code that an expectation prescribes.
    pub(super) fn code_of(&self, want: &Want) -> Option<u16> {
        if want.code_in_front {
            return Some(self.leading_code());
        }
        let number = self.number(want.code.as_deref()?)?;
        u16::try_from(number).ok()
    }

    /// The words for an outcome, if they are prescribed.
    pub(super) fn say(&self, say: &Say) -> Option<Cow<'static, [u8]>> {
        let line_from = |start: usize| {
            let rest = self.input.get(start..).unwrap_or_default();
            let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            rest[..end].to_vec()
        };
        match say {
            Say::Default => None,
            Say::Text(text) => Some(Cow::Borrowed(text.as_bytes())),
            Say::FirstLine => Some(Cow::Owned(line_from(0))),
            Say::AfterCode => Some(Cow::Owned(line_from(4).trim_ascii_start().to_vec())),
            Say::From(start) => Some(Cow::Owned(self.input.get(*start..).unwrap_or_default().to_vec())),
            Say::Format(format) => Some(Cow::Owned(self.render(format))),
        }
    }

    pub(super) fn leading_code(&self) -> u16 {
        let digits = self.input.get(..3).unwrap_or_default();
        std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok()).unwrap_or(0)
    }

    /// Lends the scene with the answer so far and the variables in it.
    fn look<R: Default>(&self, look: impl Fn(&Ctx<'_>) -> R) -> R {
        let http = self.script.flavour == Flavour::Http && !self.input.is_empty();
        let answer = match http.then(|| http::parse(&self.input, self.closed, self.bodiless)) {
            Some(http::Parsed::Answer(answer)) => Some(answer),
            _ => None,
        };
        let mut out = R::default();
        self.scene.show(&mut |base| {
            let base: Ctx<'_> = *base;
            let data = answer.as_ref().map_or(self.input.as_slice(), |answer| &*answer.body);
            let complete = self.closed || answer.as_ref().is_some_and(|answer| answer.complete);
            out = look(&Ctx {
                vars: &self.vars,
                response: answer.as_ref().map(|answer| answer as _),
                response_data: Buffered { data, complete, ..Buffered::default() },
                is_final: true,
                ..base
            });
        });
        out
    }

    pub(super) fn render(&self, format: &LogFormat) -> Vec<u8> {
        self.look(|ctx| logformat::to_vec(format, ctx))
    }

    fn value(&self, expr: &Expr) -> Option<Value> {
        self.look(|ctx| crate::expr::eval(expr, ctx).ok().map(|sample| sample.to_value()))
    }

    fn number(&self, expr: &Expr) -> Option<i64> {
        self.look(|ctx| {
            let sample = crate::expr::eval(expr, ctx).ok()?;
            sample.cast(crate::ir::expr::SampleType::Int)?.as_int()
        })
    }
}
