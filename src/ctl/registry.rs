//! The table of commands, and the way from words to an answer.

use super::Control;
use super::cmd;
use super::reply::Reply;
use super::session::Settings;
use crate::ir::global::Level;

/// What a handler gets.
pub struct Call<'a> {
    /// What commands work on.
    pub control: &'a Control,
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
        return Reply::error(unknown(words));
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
            let mut reply = run(&mut Call { control, session, args, payload });
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

fn help_line(command: &Command) -> String {
    let mark = if matches!(command.handler, Handler::NotYet(_)) { " (not done yet)" } else { "" };
    format!("  {:<40}: {}{mark}\n", command.usage, command.help)
}

/// `help [WORDS]`.
pub(super) fn help(words: &[String]) -> String {
    let mut out = String::from("The following commands are valid at this level:\n");
    out.extend(similar(words).map(help_line));
    out
}

fn unknown(words: &[String]) -> String {
    let mut out = String::new();
    let alike = similar(words).count();
    if words.is_empty() || alike == cmd::session::ALWAYS.len() || alike == commands().count() {
        out.push_str("Unknown command. Please enter one of the following commands only:\n");
        out.extend(commands().map(help_line));
    } else {
        out.push_str("Unknown command, but maybe one of the following ones is a better match:\n");
        out.extend(similar(words).map(help_line));
    }
    out
}

/// The commands that `words` may have meant, and those that always work. No words: all.
fn similar(words: &[String]) -> impl Iterator<Item = &'static Command> {
    let first = words.first().map(String::as_str);
    let first = first.filter(|f| commands().any(|c| c.words[0] == *f));
    commands().filter(move |c| {
        let fits = |(given, own): (&String, &&str)| {
            own.starts_with(given.as_str()) || given.starts_with(*own) || distance(given, own) <= 2
        };
        let family = first.is_none_or(|f| c.words[0] == f);
        let always = cmd::session::ALWAYS.iter().any(|a| a.words == c.words);
        always || family && words.iter().zip(c.words).all(fits)
    })
}

/// Edit distance, cut off at 3.
fn distance(a: &str, b: &str) -> usize {
    if a.len().abs_diff(b.len()) > 2 || a.len() > 40 {
        return 3;
    }
    let b = b.as_bytes();
    let mut row = (0..=b.len()).collect::<Vec<_>>();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()].min(3)
}
