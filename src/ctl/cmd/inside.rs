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
use crate::lower::haproxy::feature_list;
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
    command(&["show", "threads"], Level::Operator, "show threads", "state of each thread", show_threads),
    command(&["show", "dev"], Level::Operator, "show dev", "the machine and the program", show_dev),
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
    id: i32,
    name: String,
    /// `R` runs, `S` sleeps.
    state: char,
    /// Nanoseconds on a processor, and waiting for one.
    ran: u64,
    waited: u64,
    voluntary: u64,
    forced: u64,
}

fn threads() -> Vec<Thread> {
    let read = |entry: std::fs::DirEntry| {
        let read = |file: &str| std::fs::read_to_string(entry.path().join(file)).ok();
        let (status, times) = (read("status")?, read("schedstat").unwrap_or_default());
        let mut times = times.split_ascii_whitespace().filter_map(|n| n.parse().ok());
        let text = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            Some(line.trim())
        };
        let count = |name: &str| text(name)?.parse().ok();
        Some(Thread {
            id: entry.file_name().to_str()?.parse().ok()?,
            name: text("Name")?.to_owned(),
            state: text("State")?.chars().next()?,
            ran: times.next().unwrap_or_default(),
            waited: times.next().unwrap_or_default(),
            voluntary: count("voluntary_ctxt_switches")?,
            forced: count("nonvoluntary_ctxt_switches")?,
        })
    };
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let mut all: Vec<Thread> = tasks.filter_map(read).collect();
    all.sort_unstable_by_key(|thread| thread.id);
    all
}

/// Each thread; the star marks the one that answers.
fn show_threads(_: &mut Call<'_>) -> Reply {
    let own = nix::unistd::gettid().as_raw();
    let mut out = String::new();
    for (number, thread) in (1..).zip(threads()) {
        let star = if thread.id == own { '*' } else { ' ' };
        // Writing into a String cannot fail.
        let _ = writeln!(
            out,
            "{star} Thread {number:<2}: id={} act={} name={} state={} ctxsw={}\n             cpu_ns: now={} wait={}",
            thread.id,
            u8::from(thread.state == 'R'),
            thread.name,
            thread.state,
            thread.voluntary + thread.forced,
            thread.ran,
            thread.waited,
        );
    }
    Reply::list(out)
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
    let uptime = clock::now().saturating_duration_since(control.live.started);
    let mut out = format!(
        "thread_id: 1 (1..{})\ndate_now: {}.{:06}\nuptime_now: {}.{:06}\nthread_names: {names}\n",
        threads.len(),
        now.as_secs(),
        now.subsec_micros(),
        uptime.as_secs(),
        uptime.subsec_micros(),
    );
    out.push_str(&row("ctxsw", |t| t.voluntary + t.forced));
    out.push_str(&row("ctxsw_forced", |t| t.forced));
    out.push_str(&row("cpu_ms", |t| t.ran / 1_000_000));
    out.push_str(&row("cpust_ms_tot", |t| t.waited / 1_000_000));
    let share = |t: &Thread| (u128::from(t.ran) * 100 / uptime.as_nanos().max(1)).to_string();
    let shares: Vec<String> = threads.iter().map(share).collect();
    let cpu = threads.iter().map(|t| u128::from(t.ran)).sum::<u128>() * 100 / uptime.as_nanos().max(1);
    // Writing into a String cannot fail.
    let _ = writeln!(out, "avg_cpu_pct: {cpu} [ {} ]", shares.join(" "));
    let _ = writeln!(out, "accepted: {}", process.cum_conns.get());
    let _ = writeln!(out, "connections: {}", process.connections.get());
    Reply::list(out)
}

/// Memory as the system counts it: there is one allocator, no pool by type of object.
fn show_pools(call: &mut Call<'_>) -> Reply {
    const WORDS: [&str; 5] = ["byname", "bysize", "byusage", "match", "detailed"];
    let known = |word: &str| word.is_empty() || WORDS.contains(&word) || word.parse::<u32>().is_ok();
    if !known(call.arg(0)) {
        return Reply::error(
            "Expects either 'byname', 'bysize', 'byusage', 'match <pfx>', 'detailed', or a max number of output \
             lines.\n",
        );
    }
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

/// The program, the machine and the process, in HAProxy's form as far as there is anything to tell.
fn show_dev(call: &mut Call<'_>) -> Reply {
    let program = &call.control.program;
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let kernel = |what: &str| read(&format!("/proc/sys/kernel/{what}"));
    let features = feature_list();
    let mut out = format!("HAProxy version {}\nFeatures:\n  {features}\nPlatform info:\n", program.version);
    let processors = read("/proc/cpuinfo");
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    for (name, value) in [
        ("machine vendor", read("/sys/class/dmi/id/sys_vendor")),
        ("machine family", read("/sys/class/dmi/id/product_family")),
        ("cpu model", model.map_or_else(String::new, |(_, model)| model.to_owned())),
        ("OS name", kernel("ostype")),
        ("OS release", kernel("osrelease")),
        ("OS version", kernel("version")),
        ("OS architecture", std::env::consts::ARCH.to_owned()),
    ] {
        if !value.is_empty() {
            // Writing into a String cannot fail.
            let _ = writeln!(out, "  {name}: {value}");
        }
    }
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    let uptime = clock::now().saturating_duration_since(call.control.live.started).as_secs();
    let _ = writeln!(
        out,
        "Process info:\n  pid: {}\n  uid: {uid}\n  gid: {gid}\n  threads: {}\n  uptime: {uptime}s",
        program.pid, program.threads
    );
    let limits = read("/proc/self/limits");
    let of = |name: &str| limits.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    for (name, limit) in [("fd limit", of("Max open files")), ("ram limit", of("Max data size"))] {
        let mut words = limit.split_ascii_whitespace();
        let (soft, hard) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let _ = writeln!(out, "  {name} (soft): {soft}\n  {name} (hard): {hard}");
    }
    Reply::list(out)
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
