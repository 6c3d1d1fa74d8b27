//! `set profiling`, `show profiling`: what kinds of work cost (management guide, `show profiling`).

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use crate::ir::global::Level;
use crate::sys::clock;
use crate::sys::profile::{self, Cost};

pub(super) const COMMANDS: &[Command] = &[
    command(
        &["set", "profiling"],
        Level::Admin,
        "set profiling <what> {auto|on|off}",
        "enable/disable resource profiling (tasks,memory)",
        set,
    ),
    command(
        &["show", "profiling"],
        Level::Admin,
        "show profiling [<what>|<#lines>|<opts>]*",
        "show profiling state (all,status,tasks,memory)",
        show,
    ),
];

/// When measuring began and when it ended.
static SPAN: Mutex<Option<(Instant, Option<Instant>)>> = Mutex::new(None);

fn set(call: &mut Call<'_>) -> Reply {
    match (call.arg(0), call.arg(1)) {
        ("tasks", "on") => {
            profile::switch(true);
            *SPAN.lock() = Some((clock::now(), None));
            Reply::done()
        }
        ("tasks", "off") => {
            profile::switch(false);
            if let Some((_, end)) = &mut *SPAN.lock() {
                end.get_or_insert_with(clock::now);
            }
            Reply::done()
        }
        ("tasks", "auto") => Reply::error(
            "'auto' is refused: it follows the delays of a scheduler, and this one does not tell them. Use 'on'.\n",
        ),
        ("tasks", "lock" | "no-lock" | "memory" | "no-memory") => {
            Reply::error("Neither waits for locks nor memory are told apart by task here.\n")
        }
        ("tasks", _) => Reply::error("Expects 'on', 'auto', or 'off'.\n"),
        ("memory", _) => Reply::error("Memory profiling not compiled in.\n"),
        _ => Reply::error("Expects either 'tasks' or 'memory'.\n"),
    }
}

/// A time in four digits with its unit, or a dash, as the tables of HAProxy have it.
fn short(time: Duration) -> String {
    let ns = time.as_nanos() as f64;
    let (value, unit) = match ns {
        ns if ns < 1.0 => return "  -     ".to_owned(),
        ns if ns < 1e3 => (ns, "ns"),
        ns if ns < 1e6 => (ns / 1e3, "us"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    let digits = match value {
        value if value < 10.0 => 3,
        value if value < 100.0 => 2,
        _ => 1,
    };
    format!("{value:.digits$}{unit}")
}

fn show(call: &mut Call<'_>) -> Reply {
    let (mut status, mut tasks, mut memory) = (true, true, true);
    let (mut most, mut by_time, mut by_name) = (usize::MAX, false, false);
    for word in call.args {
        match word.as_str() {
            "all" => (status, tasks, memory) = (true, true, true),
            "status" => (status, tasks, memory) = (true, false, false),
            "tasks" => (status, tasks, memory) = (false, true, false),
            "memory" => (status, tasks, memory) = (false, false, true),
            "bytime" => by_time = true,
            "byaddr" | "byctx" => by_name = true,
            // There is one line for each kind of work anyway.
            "aggr" => {}
            number => match number.parse() {
                Ok(lines) => most = lines,
                Err(_) => {
                    return Reply::error(
                        "Expects either 'all', 'status', 'tasks', 'memory', 'byaddr', 'bytime', 'byctx', 'aggr' or \
                         a max number of output lines.\n",
                    );
                }
            },
        }
    }
    let mut out = String::new();
    if status {
        let state = if profile::is_on() { "on" } else { "off" };
        // Writing into a String cannot fail.
        let _ = write!(
            out,
            "Per-task CPU profiling              : {state:<14}# set profiling tasks {{on|auto|off}}\n\
             Memory usage profiling              : {:<14}# set profiling memory {{on|off}}\n",
            "off"
        );
    }
    if tasks {
        let mut costs: Vec<Cost> = profile::costs().filter(|cost| cost.calls > 0).collect();
        if by_time {
            costs.sort_by_key(|cost| std::cmp::Reverse(cost.cpu));
        } else if by_name {
            costs.sort_by_key(|cost| cost.name);
        } else {
            costs.sort_by_key(|cost| std::cmp::Reverse(cost.calls));
        }
        costs.truncate(most);
        table(&mut out, &costs);
    }
    if memory && !status {
        return Reply::error("Memory profiling not compiled in.\n");
    }
    Reply::list(out)
}

fn table(out: &mut String, costs: &[Cost]) {
    let now = clock::now();
    let seconds = |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs_f64();
    let (span, ago) = SPAN.lock().map_or((0.0, 0.0), |(begin, end)| {
        let end = end.unwrap_or(now);
        (seconds(begin, end), seconds(end, now))
    });
    // Writing into a String cannot fail.
    let _ = write!(
        out,
        "Tasks activity over {span:.3} sec till {ago:.3} sec ago:\n  function                      calls   cpu_tot   \
         cpu_avg   lkw_avg   lkd_avg   mem_avg   lat_avg\n"
    );
    for cost in costs {
        let average = cost.cpu / u32::try_from(cost.calls).unwrap_or(u32::MAX);
        let _ =
            write!(out, "  {:<22}{:>13}{:>10}{:>10}", cost.name, cost.calls, short(cost.cpu), short(average));
        out.push_str("      -         -         -         -\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_four_digits() {
        let shown =
            [0, 781, 1_563, 16_590, 121_587, 1_250_000, 2_000_000_000].map(Duration::from_nanos).map(short);
        assert_eq!(shown, ["  -     ", "781.0ns", "1.563us", "16.59us", "121.6us", "1.250ms", "2.000s"]);
    }

    #[test]
    fn kinds_of_work_are_lines_below_haproxys_header() {
        let mut out = String::new();
        table(&mut out, &[Cost { name: "session", calls: 4, cpu: Duration::from_micros(10) }]);
        let lines: Vec<&str> = out.lines().collect();
        assert!(lines[0].starts_with("Tasks activity over ") && lines[1].starts_with("  function  "));
        assert!(lines[2].starts_with("  session                           4   10.00us   2.500us      -  "));
        assert_eq!(lines[1].find("cpu_tot").map(|at| at + 7), lines[2].find("10.00us").map(|at| at + 7));
    }
}
