//! Commands about the session itself.

use std::time::Duration;

use super::super::help;
use super::super::registry::{Call, Command, command};
use super::super::reply::{Reply, SeverityOutput};
use super::super::session::Mode;
use crate::ir::global::{Level, StatsAddr};
use crate::live::Live;
use crate::sys;

pub(super) const COMMANDS: &[Command] = &[
    command(&["operator"], Level::Operator, "operator", "go down to level operator", |call| {
        lower(call, Level::Operator)
    }),
    command(&["user"], Level::User, "user", "go down to level user", |call| lower(call, Level::User)),
    command(
        &["set", "severity-output"],
        Level::User,
        "set severity-output [none|number|string]",
        "put the severity in front of messages",
        set_severity_output,
    ),
    command(
        &["set", "timeout"],
        Level::User,
        "set timeout [cli] <delay>",
        "time without input after which this session ends",
        set_timeout,
    ),
    command(&["show", "cli", "level"], Level::User, "show cli level", "the level of this session", |call| {
        Reply::info(format!("{}\n", level_name(call.session.level)))
    }),
    command(
        &["show", "cli", "sockets"],
        Level::User,
        "show cli sockets",
        "the sockets that take these commands",
        |call| Reply::list(sockets(&call.control.live)),
    ),
];

/// Commands that end every list.
pub(crate) const ALWAYS: &[Command] = &[
    command(&["help"], Level::User, "help [<command>]", "list matching or all commands", |call| {
        Reply::list(help::listing(call.args, call.session.expert))
    }),
    command(
        &["prompt"],
        Level::User,
        "prompt [help | n | i | p | timed ]*",
        "toggle interactive mode with prompt",
        prompt,
    ),
    command(&["quit"], Level::User, "quit", "disconnect", |_| Reply::close()),
];

fn level_name(level: Level) -> &'static str {
    match level {
        Level::User => "user",
        Level::Operator => "operator",
        Level::Admin => "admin",
    }
}

fn lower(call: &mut Call<'_>, level: Level) -> Reply {
    call.session.level = level;
    Reply::done()
}

const PROMPT_USAGE: &str = "\
Usage: prompt [help | n | i | p | timed]*
  help    this help
  n       one line of commands, then disconnect
  i       any number of lines, no prompt
  p       any number of lines, with a prompt
  timed   toggle the uptime in the prompt, p unless said otherwise
Without an argument it goes from n and i to p, and from p to n.
";

fn prompt(call: &mut Call<'_>) -> Reply {
    let (mut mode, mut timed) = (None, false);
    for arg in call.args {
        match arg.as_str() {
            "n" => mode = Some(Mode::Once),
            "i" => mode = Some(Mode::Interactive),
            "p" => mode = Some(Mode::Prompt),
            "timed" => timed = true,
            "help" => return Reply::info(PROMPT_USAGE),
            _ => return Reply::error(PROMPT_USAGE),
        }
    }
    let session = &mut call.session;
    session.timed ^= timed;
    session.mode = mode.unwrap_or(match session.mode {
        Mode::Prompt if !timed => Mode::Once,
        _ => Mode::Prompt,
    });
    Reply::done()
}

fn set_severity_output(call: &mut Call<'_>) -> Reply {
    call.session.severity = match call.arg(0) {
        "none" => SeverityOutput::None,
        "number" => SeverityOutput::Number,
        "string" => SeverityOutput::Name,
        _ => return Reply::error("one of 'none', 'number', 'string' is a required argument\n"),
    };
    Reply::done()
}

fn set_timeout(call: &mut Call<'_>) -> Reply {
    if call.arg(0) != "cli" {
        return Reply::error("'set timeout' only supports 'cli'.\n");
    }
    if call.arg(1).is_empty() {
        return Reply::error("Expects an integer value.\n");
    }
    match duration(call.arg(1)).filter(|d| !d.is_zero()) {
        Some(timeout) => {
            call.session.timeout = timeout;
            Reply::done()
        }
        None => Reply::error("Invalid timeout value.\n"),
    }
}

/// A time of the configuration language; seconds if no unit is given.
fn duration(text: &str) -> Option<Duration> {
    let bare = text.bytes().all(|c| c.is_ascii_digit());
    if bare { duration_ms(&format!("{text}s")) } else { duration_ms(text) }
}

/// A time of the configuration language; milliseconds if no unit is given.
pub(super) fn duration_ms(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number = text[..digits].parse::<u64>().ok().filter(|n| *n <= u64::from(u32::MAX))?;
    Some(match &text[digits..] {
        "us" => Duration::from_micros(number),
        "" | "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number * 60),
        "h" => Duration::from_secs(number * 3600),
        "d" => Duration::from_secs(number * 86400),
        _ => return None,
    })
}

/// The address of a socket as `stats socket` lines have it.
fn address(addr: &StatsAddr) -> String {
    match addr {
        StatsAddr::Unix(path) => format!("unix@{}", path.display()),
        StatsAddr::Abstract(name) => format!("abns@{}", name.trim_end_matches('\0')),
        StatsAddr::Tcp(addr) if addr.is_ipv4() => format!("ipv4@{addr}"),
        StatsAddr::Tcp(addr) => format!("ipv6@{addr}"),
        StatsAddr::Fd(fd) => inherited(*fd).map_or_else(|| format!("fd@{fd}"), |addr| address(&addr)),
    }
}

/// Where an inherited socket listens.
fn inherited(fd: i32) -> Option<StatsAddr> {
    let fd = sys::fd::duplicate(fd).ok()?;
    let addr = socket2::SockRef::from(&fd).local_addr().ok()?;
    let tcp = addr.as_socket().map(StatsAddr::Tcp);
    tcp.or_else(|| Some(StatsAddr::Unix(addr.as_pathname()?.to_owned())))
}

fn sockets(live: &Live) -> String {
    let mut out = String::from("# socket lvl processes\n");
    for socket in &live.config.global.stats_sockets {
        out.push_str(&format!("{} {} all\n", address(&socket.addr), level_name(socket.level)));
    }
    out
}

/// What `HAPROXY_CLI` holds: the sockets, for programs that are started from here.
#[must_use]
pub(super) fn sockets_variable(live: &Live) -> String {
    live.config.global.stats_sockets.iter().map(|s| address(&s.addr)).collect::<Vec<_>>().join(";")
}
