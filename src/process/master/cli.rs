//! The master's command line (`-S`): its own few commands, and the way to those of the workers (`@1 show info`).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::{Event, Outcome, Request, Target};
use crate::ctl::runner::{Accepting, Bound, Stream};
use crate::ctl::words;
use crate::ir::global::Level;

/// Most sessions at a time.
const SESSIONS: usize = 64;
/// Longest line, and longest payload, bytes.
const MAX_LINE: u64 = 16 * 1024;
const MAX_PAYLOAD: usize = 1024 * 1024;

const HELP: &str = "\
The following commands are valid at this level:
  @<relative pid>                         : send a command to the <relative pid> process
  @!<pid>                                 : send a command to the <pid> process
  @master                                 : send a command to the master process
  hard-reload                             : reload, and end the sessions of the process before
  reload                                  : reload; the process before finishes its sessions
  show cli level                          : the level of this session
  show proc                               : the processes
  show startup-logs                       : what was said at the last start
  show version                            : version of the program
  operator                                : go down to level operator
  user                                    : go down to level user
  expert-mode [on|off]                    : commands for experts, for workers
  experimental-mode [on|off]              : commands that may change, for workers
  help                                    : this list
  prompt [n|i|p]                          : toggle the interactive mode
  quit                                    : disconnect
";

/// Serves the sockets for as long as the runtime runs.
pub(super) fn serve(
    sockets: Vec<Bound>,
    events: &mpsc::UnboundedSender<Event>,
    patience: Duration,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(SESSIONS));
    for socket in sockets {
        let (level, places, events) = (socket.level(), places.clone(), events.clone());
        let listener = Accepting::new(socket)?;
        tokio::spawn(async move {
            loop {
                // The semaphore is never closed.
                let Ok(place) = places.clone().acquire_owned().await else { return };
                let Ok(stream) = listener.accept().await else {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let session = Session::new(stream, level, events.clone(), patience);
                tokio::spawn(async move {
                    // An error is a client that went away.
                    let _ = session.run().await;
                    drop(place);
                });
            }
        });
    }
    Ok(())
}

/// What comes after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    Close,
}

struct Session {
    stream: BufReader<Box<dyn Stream>>,
    events: mpsc::UnboundedSender<Event>,
    patience: Duration,
    level: Level,
    /// Whom commands without a prefix are for; `None`: the master.
    context: Option<Target>,
    interactive: bool,
    prompt: bool,
    expert: bool,
    experimental: bool,
}

impl Session {
    fn new(
        stream: Box<dyn Stream>,
        level: Level,
        events: mpsc::UnboundedSender<Event>,
        patience: Duration,
    ) -> Self {
        Self {
            stream: BufReader::new(stream),
            events,
            patience,
            level,
            context: None,
            interactive: false,
            prompt: false,
            expert: false,
            experimental: false,
        }
    }

    async fn run(mut self) -> io::Result<()> {
        while let Some(line) = self.line().await? {
            let (line, payload) = match words::payload_mark(&line) {
                Some((before, end)) => {
                    let Some(payload) = self.payload(end).await? else { return Ok(()) };
                    (before.to_owned(), Some((end.to_owned(), payload)))
                }
                None => (line, None),
            };
            if self.commands(&line, payload.as_ref()).await? == Next::Close || !self.interactive {
                break;
            }
            if self.prompt {
                let prompt = self.prompt_text().await;
                self.say(&prompt).await?;
            }
        }
        let _ = timeout(self.patience, self.stream.get_mut().shutdown()).await;
        Ok(())
    }

    /// The next line; `None`: no more, or none in time, or one that is too long.
    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(MAX_LINE);
        let Ok(read) = timeout(self.patience, limited.read_until(b'\n', &mut line)).await else {
            return Ok(None);
        };
        read?;
        if line.last() != Some(&b'\n') {
            if line.len() as u64 == MAX_LINE {
                self.say("The line is too long.\n\n").await?;
            } else if !line.is_empty() {
                self.say("The line has no end. Nothing was done.\n\n").await?;
            }
            return Ok(None);
        }
        Ok(Some(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned()))
    }

    async fn payload(&mut self, end: &str) -> io::Result<Option<String>> {
        let mut payload = String::new();
        while let Some(line) = self.line().await? {
            if line == end {
                return Ok(Some(payload));
            }
            if payload.len() + line.len() > MAX_PAYLOAD {
                self.say("The payload is too long. Nothing was done.\n\n").await?;
                return Ok(None);
            }
            payload.push_str(&line);
            payload.push('\n');
        }
        Ok(None)
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        let written = timeout(self.patience, self.stream.get_mut().write_all(text.as_bytes())).await;
        written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn prompt_text(&self) -> String {
        let flags = [(self.experimental, 'x'), (self.expert, 'e')];
        let flags: String = flags.iter().filter(|(on, _)| *on).map(|(_, letter)| *letter).collect();
        let flags = if flags.is_empty() { flags } else { format!("({flags})") };
        match self.context {
            Some(Target::Relative(number)) => format!("{number}{flags}> "),
            Some(Target::Process(pid)) => format!("{pid}{flags}> "),
            None => {
                let (reply, answer) = oneshot::channel();
                let last = self.ask(Request::LastStart(reply), answer).await;
                let failed = last.is_some_and(|last| !last.success && !last.logs.is_empty());
                format!("master{}{flags}> ", if failed { "[ReloadFailed]" } else { "" })
            }
        }
    }

    async fn ask<T>(&self, request: Request, answer: oneshot::Receiver<T>) -> Option<T> {
        self.events.send(Event::Request(request)).ok()?;
        answer.await.ok()
    }

    /// The commands of a line; a payload belongs to the last one.
    async fn commands(&mut self, line: &str, payload: Option<&(String, String)>) -> io::Result<Next> {
        let commands = words::commands(line);
        let last = commands.len() - 1;
        let mut at = 0;
        for (i, command) in commands.iter().enumerate() {
            let start = at;
            at += command.len() + 1;
            let text = command.trim();
            let payload = payload.filter(|_| i == last);
            if let Some(whole) = text.strip_prefix("@@") {
                let (target, _) = split(whole);
                // All the rest of the line goes there as it is.
                let rest = line[start..].trim_start().trim_start_matches("@@");
                let rest = rest[target.len()..].trim();
                return self.bridge(target, rest).await;
            }
            let (target, command) = match text.strip_prefix('@') {
                None => (self.context, text),
                Some(prefixed) => {
                    let (word, rest) = split(prefixed);
                    let Ok(target) = parse_target(word) else {
                        self.say(NO_TARGET).await?;
                        return Ok(Next::Close);
                    };
                    if rest.is_empty() {
                        self.context = target;
                        self.say("\n").await?;
                        continue;
                    }
                    (target, rest)
                }
            };
            if command.is_empty() && commands.len() > 1 {
                continue;
            }
            let next = match target {
                Some(target) if !self.is_own(command) => self.forward(target, command, payload).await?,
                _ => self.own(command).await?,
            };
            if next == Next::Close {
                return Ok(next);
            }
        }
        Ok(Next::GoOn)
    }

    /// Commands about the session itself are the master's whatever the context.
    fn is_own(&self, command: &str) -> bool {
        let (word, _) = split(command);
        matches!(word, "expert-mode" | "experimental-mode" | "prompt" | "quit" | "operator" | "user")
    }

    async fn own(&mut self, command: &str) -> io::Result<Next> {
        let words = words::words(command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let text = match words.as_slice() {
            ["show", "proc", ..] => {
                let (reply, answer) = oneshot::channel();
                self.ask(Request::Processes(reply), answer).await.unwrap_or_default()
            }
            ["show", "startup-logs"] => {
                let (reply, answer) = oneshot::channel();
                self.ask(Request::LastStart(reply), answer).await.unwrap_or_default().logs
            }
            ["show", "version"] => format!("{}\n", crate::HAPROXY_VERSION),
            ["show", "cli", "level"] => format!("{}\n", format!("{:?}", self.level).to_lowercase()),
            [word @ ("reload" | "hard-reload")] => {
                if self.level < Level::Operator {
                    "Permission denied\n".to_owned()
                } else {
                    return self.reload(*word == "hard-reload").await;
                }
            }
            ["operator"] if self.level >= Level::Operator => {
                self.level = Level::Operator;
                String::new()
            }
            ["user"] => {
                self.level = Level::User;
                String::new()
            }
            ["operator"] => "Permission denied\n".to_owned(),
            [name @ ("expert-mode" | "experimental-mode"), rest @ ..] => {
                let flag = if *name == "expert-mode" { &mut self.expert } else { &mut self.experimental };
                match rest {
                    [] => format!("{name} is {}\n", if *flag { "ON" } else { "OFF" }),
                    _ => {
                        *flag = rest == ["on"];
                        String::new()
                    }
                }
            }
            ["prompt", modes @ ..] => {
                self.set_prompt(modes);
                String::new()
            }
            ["quit"] => return Ok(Next::Close),
            ["help", ..] => HELP.to_owned(),
            [] => return Ok(Next::GoOn),
            _ => format!("Unknown command. {}", HELP.replace("The following", "The following other")),
        };
        self.say(&format!("{text}\n")).await?;
        Ok(Next::GoOn)
    }

    fn set_prompt(&mut self, modes: &[&str]) {
        if modes.is_empty() {
            self.prompt = !self.prompt;
            self.interactive = self.prompt;
        }
        for mode in modes {
            (self.interactive, self.prompt) = match *mode {
                "n" => (false, false),
                "i" => (true, false),
                _ => (true, true),
            };
        }
    }

    async fn reload(&mut self, hard: bool) -> io::Result<Next> {
        let (outcome, answer) = oneshot::channel();
        let answered = self.ask(Request::Reload { hard, outcome }, answer).await;
        let Outcome { success, logs } = answered.unwrap_or_default();
        self.say(&format!("Success={}\n--\n{logs}\n", u8::from(success))).await?;
        Ok(Next::Close)
    }

    async fn connect(&mut self, target: Target) -> io::Result<Option<UnixStream>> {
        let (stream, answer) = oneshot::channel();
        let request = Request::Connect { target, level: self.level, stream };
        let Some(Some(stream)) = self.ask(request, answer).await else {
            self.say(NO_TARGET).await?;
            return Ok(None);
        };
        stream.set_nonblocking(true)?;
        UnixStream::from_std(stream).map(Some)
    }

    /// Has a worker run one command.
    async fn forward(
        &mut self,
        target: Target,
        command: &str,
        payload: Option<&(String, String)>,
    ) -> io::Result<Next> {
        let Some(mut worker) = self.connect(target).await? else { return Ok(Next::Close) };
        let mut text = String::new();
        let modes = [(self.expert, "expert-mode"), (self.experimental, "experimental-mode")];
        let modes: Vec<&str> = modes.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
        // Their answers, an empty line each, are not the command's.
        let mut surplus = modes.len();
        for mode in modes {
            text.push_str(&format!("{mode} on;"));
        }
        text.push_str(command);
        if let Some((end, payload)) = payload {
            text.push_str(&format!(" <<{end}\n{payload}{end}"));
        }
        text.push('\n');
        worker.write_all(text.as_bytes()).await?;
        worker.shutdown().await?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            // A worker may take its time (`wait`); the client's patience counts for writing only.
            let length = worker.read(&mut buffer).await?;
            if length == 0 {
                return Ok(Next::GoOn);
            }
            let skip = surplus.min(length);
            surplus -= skip;
            let written = self.stream.get_mut().write_all(&buffer[skip..length]);
            match timeout(self.patience, written).await {
                Ok(result) => result?,
                Err(_) => return Ok(Next::Close),
            }
        }
    }

    /// Connects the client with a worker until either ends; without a command, for a whole session.
    async fn bridge(&mut self, target: &str, command: &str) -> io::Result<Next> {
        let Ok(Some(target)) = parse_target(target) else {
            self.say(NO_TARGET).await?;
            return Ok(Next::Close);
        };
        let Some(mut worker) = self.connect(target).await? else { return Ok(Next::Close) };
        if command.is_empty() {
            let mode = if self.prompt { "prompt p" } else { "prompt i" };
            worker.write_all(format!("{mode}\n").as_bytes()).await?;
        } else {
            worker.write_all(format!("{command}\n").as_bytes()).await?;
        }
        tokio::io::copy_bidirectional(&mut self.stream, &mut worker).await?;
        Ok(Next::Close)
    }
}

const NO_TARGET: &str = "Can't find the target PID matching the prefix.\n\n";

/// The first word and the rest.
fn split(text: &str) -> (&str, &str) {
    match text.split_once([' ', '\t']) {
        Some((word, rest)) => (word, rest.trim()),
        None => (text, ""),
    }
}

/// `1`, `!1234`; empty or `master`: the master, `None`.
fn parse_target(word: &str) -> Result<Option<Target>, ()> {
    match word.strip_prefix('!') {
        Some(pid) => pid.parse().map(|pid| Some(Target::Process(pid))).map_err(|_| ()),
        None if word.is_empty() || word == "master" => Ok(None),
        None => word.parse().map(|number| Some(Target::Relative(number))).map_err(|_| ()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_name_the_master_or_a_worker() {
        assert_eq!(parse_target(""), Ok(None));
        assert_eq!(parse_target("master"), Ok(None));
        assert_eq!(parse_target("1"), Ok(Some(Target::Relative(1))));
        assert_eq!(parse_target("!77"), Ok(Some(Target::Process(77))));
        assert_eq!(parse_target("x"), Err(()));
        assert_eq!(split("1 show  info"), ("1", "show  info"));
    }
}
