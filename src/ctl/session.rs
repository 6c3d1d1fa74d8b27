//! One connection to the stats socket: bytes in, bytes out.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::cmd::anon::Anon;
use super::registry;
use super::reply::{LOOK_EVERY, Reply, Rest, SeverityOutput, Waiting};
use super::{Control, words};
use crate::ir::global::Level;
use crate::ir::text::text_of;
use crate::sys::clock;

/// Longest line, bytes: the size of HAProxy's buffer less what it keeps free.
const MAX_LINE: usize = 16 * 1024;
/// Longest payload, bytes.
const MAX_PAYLOAD: usize = 1024 * 1024;
/// Bytes of output after which it is to be taken before anything else is answered: so long sessions on the same thread wait.
const ENOUGH: usize = 16 * 1024;

/// How answers are ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// One line of commands, then the connection ends.
    #[default]
    Once,
    /// Any number of lines, no prompt (`prompt i`).
    Interactive,
    /// Any number of lines, with `> ` (`prompt`).
    Prompt,
}

/// What commands can change about their session.
#[derive(Debug)]
pub struct Settings {
    /// What it may do.
    pub level: Level,
    /// How answers are ended.
    pub mode: Mode,
    /// The prompt has the uptime in it (`prompt timed`).
    pub timed: bool,
    /// Time without input or progress of output after which it ends.
    pub timeout: Duration,
    /// Severity in front of messages.
    pub severity: SeverityOutput,
    /// `expert-mode on`.
    pub expert: bool,
    /// `experimental-mode on`.
    pub experimental: bool,
    /// `set anon on`.
    pub anon: Anon,
}

/// A command that was read and waits for those before it.
#[derive(Debug)]
struct Command {
    text: String,
    payload: Option<String>,
}

/// A line whose payload is still coming.
#[derive(Debug)]
struct Pending {
    line: String,
    end: String,
    payload: String,
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    input: Vec<u8>,
    /// Bytes at the front of `input` without a newline in them.
    searched: usize,
    pending: Option<Pending>,
    /// The rest of the line.
    queue: VecDeque<Command>,
    /// What the last command waits for.
    waiting: Option<Waiting>,
    /// What the last command has still to say.
    rest: Option<Rest>,
    /// It was [`Output::more`]: something was answered already.
    interrupted: bool,
    /// The client sends no more.
    ended: bool,
    /// When a command that goes on telling last had something to tell, or somebody to tell it to.
    last_news: Instant,
}

/// What is to be sent, and whether to end then.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Bytes to send.
    pub text: String,
    /// Close afterwards.
    pub close: bool,
    /// Call [`Session::resume`] then.
    pub resume_at: Option<Instant>,
    /// Call [`Session::resume`] once this has been taken, and read nothing before.
    pub more: bool,
}

impl Session {
    /// A session at this level.
    #[must_use]
    pub fn new(level: Level, timeout: Duration) -> Self {
        let settings = Settings {
            level,
            mode: Mode::Once,
            timed: false,
            timeout,
            severity: SeverityOutput::None,
            expert: false,
            experimental: false,
            anon: Anon::default(),
        };
        Self {
            settings,
            input: Vec::new(),
            searched: 0,
            pending: None,
            queue: VecDeque::new(),
            waiting: None,
            rest: None,
            interrupted: false,
            ended: false,
            last_news: clock::now(),
        }
    }

    /// How long to wait for input, or for output to be taken.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// Takes input in and answers every line that is complete.
    pub fn feed(&mut self, control: &Control, bytes: &[u8]) -> Output {
        self.input.extend_from_slice(bytes);
        self.go_on(control)
    }

    /// The time that [`Output::resume_at`] named has come, or what was before [`Output::more`] is taken.
    pub fn resume(&mut self, control: &Control) -> Output {
        self.go_on(control)
    }

    /// The client sends no more. What was read before is still answered.
    pub fn finish(&mut self, control: &Control) -> Output {
        self.ended = true;
        self.go_on(control)
    }

    fn go_on(&mut self, control: &Control) -> Output {
        let mut out = Output::default();
        let mut answered = self.waiting.is_some() || std::mem::take(&mut self.interrupted);
        if let Some(mut waiting) = self.waiting.take() {
            if let Some(news) = waiting.news() {
                if self.tell(news, &mut out) {
                    self.waiting = Some(waiting);
                    return out;
                }
                // What it typed to end it is nothing else.
                self.input.clear();
                self.searched = 0;
                waiting = Waiting::over();
            }
            match waiting.look(control, clock::now()) {
                Ok(reply) => self.answer(control, reply, &mut out),
                Err((waiting, at)) => {
                    self.waiting = Some(waiting);
                    out.resume_at = Some(at);
                    if self.input.len() > MAX_LINE + MAX_PAYLOAD {
                        return self.refuse(out, "The line is too long.\n");
                    }
                    return out;
                }
            }
        }
        while !out.close {
            if out.text.len() >= ENOUGH {
                self.interrupted = answered;
                out.more = true;
                return out;
            }
            if let Some(rest) = &mut self.rest {
                answered = true;
                match rest.next() {
                    Some(piece) => out.text.push_str(&piece),
                    None => {
                        self.rest = None;
                        out.text.push('\n');
                        self.prompt(control, &mut out);
                    }
                }
                continue;
            }
            if let Some(command) = self.queue.pop_front() {
                answered = true;
                self.run(control, &command, &mut out);
                if out.resume_at.is_some() {
                    return out;
                }
                continue;
            }
            let Some(length) = memchr::memchr(b'\n', &self.input[self.searched..]) else {
                self.searched = self.input.len();
                break;
            };
            let rest = self.input.split_off(self.searched + length + 1);
            let mut line = std::mem::replace(&mut self.input, rest);
            self.searched = 0;
            line.pop();
            if line.len() > MAX_LINE {
                return self.refuse(out, "The line is too long.\n");
            }
            answered = true;
            let line = text_of(&line);
            self.line(control, line.trim_end_matches('\r'), &mut out);
        }
        if self.input.len() > MAX_LINE {
            return self.refuse(out, "The line is too long.\n");
        }
        if self.ended && !out.close {
            out.close = true;
            if self.pending.is_some() {
                out.text.push_str(&self.message(Reply::error("The payload has no end. Nothing was done.\n")));
            } else if !self.input.is_empty() {
                out.text.push_str(&self.message(Reply::error("The line has no end. Nothing was done.\n")));
            }
        }
        if answered && self.pending.is_none() && self.settings.mode == Mode::Once {
            out.close = true;
        }
        out
    }

    /// Gives out what has come, and whether to go on: not once the client typed something, or has been gone for long.
    fn tell(&mut self, news: String, out: &mut Output) -> bool {
        let now = clock::now();
        if !news.is_empty() || !self.ended {
            self.last_news = now;
        }
        out.text.push_str(&news);
        let stop =
            !self.input.is_empty() || now.saturating_duration_since(self.last_news) >= self.settings.timeout;
        out.resume_at = (!stop).then_some(now + LOOK_EVERY);
        !stop
    }

    fn refuse(&mut self, mut out: Output, why: &str) -> Output {
        self.input = Vec::new();
        self.searched = 0;
        self.pending = None;
        self.queue.clear();
        self.waiting = None;
        self.rest = None;
        out.text.push_str(&self.message(Reply::error(why)));
        out.close = true;
        out
    }

    fn message(&self, reply: Reply) -> String {
        let mut text = reply.rendered(self.settings.severity);
        text.push('\n');
        text
    }

    fn line(&mut self, control: &Control, line: &str, out: &mut Output) {
        if let Some(pending) = &mut self.pending {
            if line != pending.end {
                if pending.payload.len() + line.len() > MAX_PAYLOAD {
                    *out = self.refuse(std::mem::take(out), "The payload is too long. Nothing was done.\n");
                    return;
                }
                pending.payload.push_str(line);
                pending.payload.push('\n');
                return self.prompt_payload(out);
            }
        } else if let Some((before, end)) = words::payload_mark(line) {
            self.pending = Some(Pending { line: before.into(), end: end.into(), payload: String::new() });
            return self.prompt_payload(out);
        }
        match self.pending.take() {
            Some(pending) => self.enqueue(control, &pending.line, Some(pending.payload), out),
            None => self.enqueue(control, line, None, out),
        }
    }

    fn prompt_payload(&self, out: &mut Output) {
        if self.settings.mode == Mode::Prompt {
            out.text.push_str("+ ");
        }
    }

    /// Takes the commands of a line up; a payload belongs to the last one.
    fn enqueue(&mut self, control: &Control, line: &str, payload: Option<String>, out: &mut Output) {
        let mut commands = words::commands(line);
        if commands.len() > 1 || self.settings.mode != Mode::Once {
            commands.retain(|command| !command.trim().is_empty());
        }
        if commands.is_empty() {
            out.text.push('\n');
            return self.prompt(control, out);
        }
        let commands = commands.into_iter().map(|text| Command { text: text.to_owned(), payload: None });
        self.queue.extend(commands);
        if let Some(last) = self.queue.back_mut() {
            last.payload = payload;
        }
    }

    fn run(&mut self, control: &Control, command: &Command, out: &mut Output) {
        let words = words::words(&command.text);
        // Whoever was answered finds it in the numbers.
        control.live.steps.settle();
        let reply = registry::run(control, &mut self.settings, &words, command.payload.as_deref());
        self.answer(control, reply, out);
    }

    fn answer(&mut self, control: &Control, mut reply: Reply, out: &mut Output) {
        if let Some(waiting) = reply.waiting.take() {
            match waiting.look(control, clock::now()) {
                Ok(done) => reply = done,
                Err((waiting, at)) => {
                    self.waiting = Some(waiting);
                    out.resume_at = Some(at);
                    return;
                }
            }
        }
        out.close |= reply.close;
        if reply.close {
            return;
        }
        self.rest = reply.rest.take();
        out.text.push_str(&reply.rendered(self.settings.severity));
        if self.rest.is_none() {
            out.text.push('\n');
            self.prompt(control, out);
        }
    }

    fn prompt(&self, control: &Control, out: &mut Output) {
        if self.settings.mode != Mode::Prompt {
            return;
        }
        if self.settings.timed {
            let up = clock::now().saturating_duration_since(control.live.started).as_secs();
            let (days, hours, minutes) = (up / 86400, up % 86400 / 3600, up % 3600 / 60);
            out.text.push_str(&format!("[{days}:{hours:02}:{minutes:02}:{:02}]", up % 60));
        }
        out.text.push_str("> ");
    }
}
