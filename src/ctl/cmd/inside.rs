//! Looks at the program's own inside, and the variables of the process.
//!
//! HAProxy's developers read its scheduler, pools and traces there. This program is built in another way, so each of
//! these says what is true here in the same form, and what does not exist is refused by name.

use std::fmt::Write as _;

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use crate::expr::vars::id;
use crate::ir::expr::{Scope, Value, VarName};
use crate::ir::global::Level;
use crate::live::vars;
use crate::lower::expr::command;
use crate::sys::clock;

pub(super) const COMMANDS: &[Command] = &[
    command(
        &["show", "activity"],
        Level::Operator,
        "show activity",
        "show per-thread activity stats (for support/developers)",
        show_activity,
    ),
    command(
        &["show", "pools"],
        Level::User,
        "show pools",
        "report information about the memory pools usage",
        show_pools,
    ),
    command(&["show", "tasks"], Level::Operator, "show tasks", "show running tasks", show_tasks),
    command(
        &["get", "var"],
        Level::User,
        "get var <name>",
        "retrieve contents of a process-wide variable",
        get_var,
    ),
    command(
        &["set", "var"],
        Level::Admin,
        "set var <name> [fmt|expr] {<fmt>|<expr>}",
        "set variable from an expression or a format",
        set_var,
    ),
];

/// A thread of the process, as the system counts it.
struct Thread {
    name: String,
    /// User and system time, in clock ticks.
    ticks: u64,
    voluntary: u64,
    forced: u64,
}

fn threads() -> Vec<Thread> {
    let read = |entry: std::fs::DirEntry| {
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let status = std::fs::read_to_string(entry.path().join("status")).ok()?;
        // The name stands in parentheses and may hold anything.
        let (head, tail) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = tail.split_ascii_whitespace().collect();
        let number = |at: usize| fields.get(at).and_then(|n| n.parse::<u64>().ok());
        let count = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim_start_matches(':').trim().parse().ok()
        };
        let thread = Thread {
            name: head.split_once('(')?.1.to_owned(),
            ticks: number(11)? + number(12)?,
            voluntary: count("voluntary_ctxt_switches")?,
            forced: count("nonvoluntary_ctxt_switches")?,
        };
        Some((id, thread))
    };
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let mut all: Vec<(u32, Thread)> = tasks.filter_map(read).collect();
    all.sort_unstable_by_key(|(id, _)| *id);
    all.into_iter().map(|(_, thread)| thread).collect()
}

fn show_activity(call: &mut Call<'_>) -> Reply {
    let control = call.control;
    let process = &control.live.process;
    let threads = threads();
    let row = |name: &str, value: fn(&Thread) -> u64| {
        let all: Vec<u64> = threads.iter().map(value).collect();
        let each = all.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
        format!("{name}: {} [ {each} ]\n", all.iter().sum::<u64>())
    };
    let now = clock::wall().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let names = threads.iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(" ");
    let mut out = format!(
        "thread_id: 1 (1..{})\ndate_now: {}.{:06}\nthread_names: {names}\n",
        threads.len(),
        now.as_secs(),
        now.subsec_micros(),
    );
    out.push_str(&row("ctxsw", |t| t.voluntary + t.forced));
    out.push_str(&row("ctxsw_forced", |t| t.forced));
    // The kernel's clock of such counts is 100 Hz on every Linux.
    out.push_str(&row("cpu_ms", |t| t.ticks * 10));
    // Writing into a String cannot fail.
    let _ = writeln!(out, "accepted: {}", process.cum_conns.get());
    let _ = writeln!(out, "connections: {}", process.connections.get());
    Reply::list(out)
}

/// Memory as the system counts it: there is one allocator, no pool by type of object.
fn show_pools(_: &mut Call<'_>) -> Reply {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0)
    };
    let (data, resident) = (kilobytes("VmData") * 1024, kilobytes("VmRSS") * 1024);
    Reply::list(format!(
        "Dumping pools usage.\n  - Pool process (1 bytes) : {data} allocated ({data} bytes), {resident} used, \
         needed_avg {resident}, 0 failures, 1 users\n\
         Total: 1 pools, {data} bytes allocated, {resident} used.\n"
    ))
}

fn show_tasks(call: &mut Call<'_>) -> Reply {
    let control = call.control;
    let usage = control.usage();
    let line = |name: &str, count: u64| format!("  {name:<29}{count:>6}\n");
    let checks = control.live.proxies();
    let checks = checks.iter().filter_map(|p| p.backend.as_ref());
    let checks =
        checks.flat_map(|b| b.servers().iter().map(|s| u64::from(s.ir.check.is_some())).collect::<Vec<_>>());
    let mut out = format!(
        "Running tasks: {} ({} threads)\n  function                     places\n",
        u64::from(usage.tasks),
        control.program.threads
    );
    out.push_str(&line("connections", u64::from(control.live.process.connections.get())));
    out.push_str(&line("streams", usage.streams));
    out.push_str(&line("health checks", checks.sum()));
    Reply::list(out)
}

/// A name of scope `proc`.
fn process_wide(name: &str) -> Option<VarName> {
    let rest = name.strip_prefix("proc.").filter(|rest| !rest.is_empty())?;
    Some(VarName { scope: Scope::Proc, id: id(rest), name: rest.into() })
}

fn get_var(call: &mut Call<'_>) -> Reply {
    let name = call.arg(0);
    if name.is_empty() {
        return Reply::error("Missing process-wide variable identifier.\n");
    }
    let Some(value) = process_wide(name).and_then(|name| vars::get(&name)) else {
        return Reply::error("Variable not found.\n");
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (kind, value) = match &value {
        Value::Bool(b) => ("bool", u8::from(*b).to_string()),
        Value::Int(i) => ("sint", i.to_string()),
        Value::Ipv4(a) => ("ipv4", a.to_string()),
        Value::Ipv6(a) => ("ipv6", a.to_string()),
        Value::Str(s) => ("str", text(s)),
        Value::Meth(s) => ("meth", text(s)),
        Value::Bin(b) => ("bin", b.iter().map(|b| format!("{b:02X}")).collect()),
    };
    Reply::list(format!("{name}: type={kind} value=<{value}>\n"))
}

/// Takes what has a value without a session.
fn set_var(call: &mut Call<'_>) -> Reply {
    if !call.session.experimental {
        return Reply::error("This command is restricted to experimental mode only.\n");
    }
    let name = call.arg(0);
    let scopes = ["sess.", "txn.", "req.", "res.", "check."];
    if scopes.iter().any(|scope| name.starts_with(scope)) {
        return Reply::error(format!(
            "'set var': cannot set variable '{name}', only scope 'proc' is permitted here.\n"
        ));
    }
    let Some(variable) = process_wide(name) else {
        return Reply::error(format!(
            "invalid variable name '{name}'. A variable name must be start by its scope. The scope can be 'proc', \
             'sess', 'txn', 'req', 'res' or 'check'\n"
        ));
    };
    let value = match (call.arg(1), call.args.get(2..)) {
        ("fmt", Some([])) | ("expr", Some([])) | ("", _) => {
            return Reply::error("Missing either 'expr', 'fmt' or expression.\n");
        }
        ("fmt", Some(words)) => command::read(words, true),
        ("expr", Some(words)) => command::read(words, false),
        (_, _) => command::read(&call.args[1..], false),
    };
    match value.map(|source| vars::evaluate(&source)) {
        Ok(Some(value)) => {
            vars::set(&variable, Some(value));
            Reply::done()
        }
        Ok(None) => Reply::error("the expression has no value here.\n"),
        Err(why) => Reply::error(format!("{why}\n")),
    }
}
