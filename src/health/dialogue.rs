//! One run of a script, without sockets: the shell connects, sends and receives as told and reports back.

use std::borrow::Cow;
use std::time::SystemTime;

use super::proto::{agent, http};
use super::script::{Flavour, Say, Script, Step, Test, Want};
use super::{Status, Verdict, proto};

/// Most bytes of an answer that are looked at, as many as HAProxy's buffer holds.
const MAX_INPUT: usize = 16384;

/// What the shell does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Connect (closing an earlier connection), then [`Dialogue::connected`] or [`Dialogue::failed`].
    Connect {
        /// To another port than the check's.
        port: Option<u16>,
        /// Close with FIN rather than RST.
        linger: bool,
    },
    /// Send these bytes, then [`Dialogue::sent`].
    Send(Vec<u8>),
    /// Read, then [`Dialogue::received`] or [`Dialogue::closed`].
    Receive,
    /// Over.
    Finish(Verdict),
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
enum Judgement {
    Pass,
    Fail(Status, u16, Cow<'static, [u8]>),
    /// Passed as the last word of the whole check.
    Final(u16, Vec<u8>),
    NeedMore,
}

/// A run.
#[derive(Debug)]
pub struct Dialogue<'a> {
    script: &'a Script,
    subject: Subject,
    step: usize,
    /// First of the expectations in a row that share the input.
    first_expect: usize,
    phase: Phase,
    input: Vec<u8>,
    closed: bool,
    code: u16,
    /// Detail a built-in protocol found.
    info: Option<Vec<u8>>,
    not_found: bool,
    disable_on_404: bool,
    /// Answers have no body: `HEAD`.
    bodiless: bool,
    /// What an agent said.
    agent: Option<agent::Reply>,
}

impl<'a> Dialogue<'a> {
    /// A run at its first step.
    #[must_use]
    pub fn new(script: &'a Script, subject: Subject) -> Self {
        let request = script.steps.iter().find_map(|s| match s {
            Step::SendHttp(request) => Some(request),
            _ => None,
        });
        Self {
            script,
            subject,
            step: 0,
            first_expect: 0,
            phase: Phase::Connecting,
            input: Vec::new(),
            closed: false,
            code: 0,
            info: None,
            not_found: false,
            disable_on_404: request.is_some_and(|r| r.disable_on_404),
            bodiless: request.is_some_and(|r| r.method == "HEAD"),
            agent: None,
        }
    }

    /// What an agent said, if it was one and said something.
    pub fn take_agent_reply(&mut self) -> Option<agent::Reply> {
        self.agent.take()
    }

    /// What to do now.
    pub fn action(&mut self) -> Action {
        loop {
            let Some(step) = self.script.steps.get(self.step) else { return Action::Finish(self.passed()) };
            match step {
                Step::Connect { port, linger, .. } => {
                    self.phase = Phase::Connecting;
                    self.closed = false;
                    return Action::Connect { port: *port, linger: *linger };
                }
                Step::Send(bytes) => return self.send(bytes.clone()),
                Step::SendHttp(check) => {
                    return self.send(http::request(check, self.subject.state_header.as_deref()));
                }
                Step::SendHello => {
                    return self.send(proto::ssl_hello::hello(self.subject.wall_clock));
                }
                Step::Expect(want) => match self.judge(want) {
                    Judgement::Pass => self.step += 1,
                    Judgement::Final(code, info) => {
                        (self.code, self.info) = (code, Some(info));
                        self.step += 1;
                    }
                    Judgement::Fail(status, code, info) => {
                        return Action::Finish(Verdict::new(status, code, &info));
                    }
                    Judgement::NeedMore => {
                        self.step = self.first_expect;
                        return Action::Receive;
                    }
                },
            }
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
        let what = match self.script.steps.get(self.step) {
            _ if number == 0 => return " at initial connection step of tcp-check".into(),
            Some(Step::Connect { port: Some(port), .. }) => format!(" (connect port {port})"),
            Some(Step::Connect { .. }) => " (connect)".into(),
            Some(Step::Send(_) | Step::SendHttp(_) | Step::SendHello) => " (send)".into(),
            Some(Step::Expect(want)) => match &want.test {
                Test::Text(text) => format!(" (expect string '{}')", String::from_utf8_lossy(text)),
                Test::Binary(bytes) => format!(" (expect binary '{}')", String::from_utf8_lossy(bytes)),
                Test::Regex(_) => " (expect regex)".into(),
                _ => String::new(),
            },
            None => String::new(),
        };
        format!(" at step {number} of tcp-check{what}")
    }

    fn passed(&self) -> Verdict {
        let tcp_check = self.script.flavour == Flavour::TcpCheck;
        let usual: &[u8] = if tcp_check { b"(tcp-check)" } else { b"" };
        match self.script.steps.last() {
            Some(Step::Connect { explicit, .. }) => {
                Verdict::new(Status::L4Ok, 0, if *explicit { usual } else { b"" })
            }
            Some(Step::Expect(want)) => {
                if self.not_found {
                    return Verdict::new(Status::L7Okc, 404, b"");
                }
                let said = self.say(want.on_ok);
                let info = self.info.as_deref().or(said.as_deref()).unwrap_or(usual);
                let code = if want.code_in_front { self.leading_code() } else { self.code };
                Verdict::new(want.ok, code, info)
            }
            Some(Step::Send(_) | Step::SendHttp(_) | Step::SendHello) | None => {
                Verdict::new(Status::L7Ok, 0, usual)
            }
        }
    }

    /// The words for an outcome, if they are prescribed.
    fn say(&self, say: Say) -> Option<Cow<'static, [u8]>> {
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
            Say::From(start) => Some(Cow::Owned(self.input.get(start..).unwrap_or_default().to_vec())),
        }
    }

    fn leading_code(&self) -> u16 {
        let digits = self.input.get(..3).unwrap_or_default();
        std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok()).unwrap_or(0)
    }

    fn judge(&mut self, want: &Want) -> Judgement {
        if self.input.is_empty() {
            if !self.closed {
                return Judgement::NeedMore;
            }
            if self.script.flavour == Flavour::Http {
                return Judgement::Fail(Status::L7Rsp, 0, Cow::Borrowed(b""));
            }
            let number = self.script.step_number(self.step);
            let info = format!("TCPCHK got an empty response at step {number}");
            return Judgement::Fail(want.error, 0, Cow::Owned(info.into_bytes()));
        }
        let complete = self.closed || self.input.len() >= MAX_INPUT;
        if self.script.flavour == Flavour::Http {
            return self.judge_http(want, complete);
        }
        let input = &self.input;
        if !complete && want.min_bytes.is_some_and(|min| input.len() < min) {
            return Judgement::NeedMore;
        }
        let matched = match &want.test {
            Test::Text(text) | Test::Binary(text) => {
                if !complete && input.len() < text.len() {
                    return Judgement::NeedMore;
                }
                memchr::memmem::find(input, text).is_some()
            }
            Test::Regex(regex) => regex.is_match(input),
            Test::Custom(custom) => match proto::custom(*custom, input, complete) {
                proto::Found::Match => true,
                proto::Found::NoMatch => false,
                proto::Found::NeedMore => return Judgement::NeedMore,
                proto::Found::Agent(line) => {
                    self.agent = Some(agent::Reply::parse(&line));
                    return Judgement::Final(0, Vec::new());
                }
                proto::Found::Ok(code, info) => return Judgement::Final(code, info),
                proto::Found::Error(status, code, info) => {
                    return Judgement::Fail(status, code, Cow::Owned(info));
                }
            },
            Test::HttpStatus(_) | Test::HttpStatusRegex(_) | Test::HttpBody(_) | Test::HttpBodyRegex(_) => {
                false
            }
        };
        // A mismatch is not final while more may come, unless a minimum says what is enough.
        if !matched && !complete && want.min_bytes.is_none() {
            return Judgement::NeedMore;
        }
        if matched != want.negate {
            return Judgement::Pass;
        }
        let code = if want.code_in_front { self.leading_code() } else { 0 };
        let info = self.say(want.on_error).unwrap_or_else(|| Cow::Owned(self.mismatch(want, matched)));
        Judgement::Fail(want.error, code, info)
    }

    /// What a `tcp-check` says about a failed expectation.
    fn mismatch(&self, want: &Want, matched: bool) -> Vec<u8> {
        if self.script.flavour != Flavour::TcpCheck {
            return Vec::new();
        }
        let mut out: Vec<u8> = if matched {
            b"TCPCHK matched unwanted content".to_vec()
        } else {
            b"TCPCHK did not match content".to_vec()
        };
        match &want.test {
            Test::Text(text) => {
                out.extend_from_slice(b" '");
                out.extend_from_slice(text);
                out.push(b'\'');
            }
            Test::Binary(_) => out.extend_from_slice(b" (binary)"),
            Test::Regex(_) => out.extend_from_slice(b" (regex)"),
            Test::Custom(_) => out.extend_from_slice(b" (custom function)"),
            Test::HttpStatus(_) | Test::HttpStatusRegex(_) | Test::HttpBody(_) | Test::HttpBodyRegex(_) => {}
        }
        out.extend_from_slice(format!(" at step {}", self.script.step_number(self.step)).as_bytes());
        out
    }

    fn judge_http(&mut self, want: &Want, complete: bool) -> Judgement {
        let answer = match http::parse(&self.input, self.closed, self.bodiless) {
            http::Parsed::Answer(answer) => answer,
            http::Parsed::Partial if !complete => return Judgement::NeedMore,
            http::Parsed::Partial | http::Parsed::Invalid => {
                return Judgement::Fail(Status::L7Rsp, 0, Cow::Borrowed(b""));
            }
        };
        self.code = answer.status;
        if self.disable_on_404 && self.subject.is_up && answer.status == 404 {
            self.not_found = true;
            return Judgement::Pass;
        }
        let done = complete || answer.complete;
        let by_status = |matched: bool| {
            if matched != want.negate {
                return Judgement::Pass;
            }
            let reason = Cow::Owned(answer.reason.as_bytes().to_vec());
            Judgement::Fail(Status::L7Sts, answer.status, reason)
        };
        let matched = match &want.test {
            Test::HttpStatus(ranges) => {
                return by_status(ranges.iter().any(|(low, high)| (*low..=*high).contains(&answer.status)));
            }
            Test::HttpStatusRegex(regex) => {
                return by_status(regex.is_match(answer.status.to_string().as_bytes()));
            }
            _ if answer.body.is_empty() => {
                if !done {
                    return Judgement::NeedMore;
                }
                let info = b"HTTP content check could not find a response body";
                return Judgement::Fail(Status::L7Rsp, answer.status, Cow::Borrowed(info));
            }
            Test::HttpBody(text) => memchr::memmem::find(&answer.body, text).is_some(),
            Test::HttpBodyRegex(regex) => regex.is_match(&answer.body),
            Test::Text(_) | Test::Binary(_) | Test::Regex(_) | Test::Custom(_) => false,
        };
        if !matched && !done {
            return Judgement::NeedMore;
        }
        if matched != want.negate {
            return Judgement::Pass;
        }
        let info: &[u8] = if want.negate {
            b"HTTP check matched unwanted content"
        } else {
            b"HTTP content check did not match"
        };
        Judgement::Fail(Status::L7Rsp, answer.status, Cow::Borrowed(info))
    }
}
