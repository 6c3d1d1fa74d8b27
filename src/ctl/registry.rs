//! The table of commands, and the way from words to an answer.

use super::cmd;
use super::reply::Reply;
use super::session::Settings;
use super::{Control, help};
use crate::ir::global::Level;
use crate::sys::profile::{Work, measured};

/// What a handler gets.
pub struct Call<'a> {
    /// What commands work on.
    pub control: &'a Control,
    /// The command's own words.
    pub words: &'static [&'static str],
    /// The session that called.
    pub session: &'a mut Settings,
    /// The words after the command's own.
    pub args: &'a [String],
    /// What came after `<<`.
    pub payload: Option<&'a str>,
}

impl Call<'_> {
    /// Argument `n`; empty if it is missing.
    #[must_use]
    pub fn arg(&self, n: usize) -> &str {
        self.args.get(n).map_or("", String::as_str)
    }

    /// Whether any argument is this word.
    #[must_use]
    pub fn has(&self, word: &str) -> bool {
        self.args.iter().any(|a| a == word)
    }
}

/// What a command does.
#[derive(Clone, Copy)]
pub enum Handler {
    /// This.
    Run(fn(&mut Call<'_>) -> Reply),
    /// HAProxy has it; here it is not done yet, for this reason.
    NotYet(&'static str),
}

/// One command.
#[derive(Clone, Copy)]
pub struct Command {
    /// Its words.
    pub words: &'static [&'static str],
    /// Who may use it.
    pub level: Level,
    /// Words and arguments, for `help`.
    pub usage: &'static str,
    /// What it does, for `help`.
    pub help: &'static str,
    /// What it does.
    pub handler: Handler,
}

/// A command that works.
pub(super) const fn command(
    words: &'static [&'static str],
    level: Level,
    usage: &'static str,
    help: &'static str,
    run: fn(&mut Call<'_>) -> Reply,
) -> Command {
    Command { words, level, usage, help, handler: Handler::Run(run) }
}

/// Every command, those that end the list in `help` last.
pub fn commands() -> impl Iterator<Item = &'static Command> {
    cmd::FAMILIES.iter().copied().flatten().chain(cmd::session::ALWAYS)
}

/// Runs a command.
pub fn run(control: &Control, session: &mut Settings, words: &[String], payload: Option<&str>) -> Reply {
    let matching =
        commands().filter(|c| words.len() >= c.words.len() && c.words.iter().zip(words).all(|(a, b)| a == b));
    let Some(command) = matching.max_by_key(|c| c.words.len()) else {
        return Reply::error(help::unknown(words, session.expert));
    };
    if session.level < command.level {
        return Reply::error("Permission denied\n");
    }
    match command.handler {
        Handler::Run(run) => {
            let mut args = &words[command.words.len()..];
            let json = args.last().is_some_and(|last| last == "json");
            let translated = json && command.words[0] == "show" && !cmd::has_own_json(command);
            if translated {
                args = &args[..args.len() - 1];
            }
            let mut call = Call { control, words: command.words, session, args, payload };
            let mut reply = measured(Work::Commands, || run(&mut call));
            reply.as_json = translated;
            if let Some(waiting) = &mut reply.waiting {
                waiting.as_json = translated;
            }
            reply
        }
        Handler::NotYet(why) => {
            Reply::error(format!("'{}' is not done yet: {why}\n", command.words.join(" ")))
        }
    }
}
