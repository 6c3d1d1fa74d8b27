//! Traces and rings: what happens, told while it happens.

use std::fmt::Write as _;
use std::sync::Arc;

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use crate::ir::global::Level;
use crate::log::Ring;
use crate::log::trace::{self, LEVELS, SINKS, Source};

pub(super) const COMMANDS: &[Command] = &[
    command(&["show", "trace"], Level::Operator, "show trace [<module>]", "show live tracing state", show),
    command(
        &["trace"],
        Level::Admin,
        "trace [<module>|0] [cmd [args...]]",
        "manage live tracing (empty to list, 0 to stop all)",
        manage,
    ),
    command(
        &["show", "events"],
        Level::Operator,
        "show events [<sink>] [-w] [-n] [-0]",
        "rings, or the lines that one holds",
        show_events,
    ),
];

const INTRODUCTION: &str = "Supported trace sources and states (.=stopped, w=waiting, R=running) :\n";

fn mark(source: &Source) -> char {
    if source.is_running() { 'R' } else { '.' }
}

fn named(name: &str) -> Result<&'static Source, Reply> {
    let found = trace::sources().into_iter().find(|source| source.name == name);
    found.ok_or_else(|| {
        let known = trace::sources().map(|source| source.name).join(", ");
        Reply::error(format!("No such trace source '{name}' (there are {known})\n"))
    })
}

fn show(call: &mut Call<'_>) -> Reply {
    if !call.arg(0).is_empty() {
        return match named(call.arg(0)) {
            Ok(source) => Reply::list(status(source)),
            Err(refusal) => refusal,
        };
    }
    let mut out = INTRODUCTION.to_owned();
    for source in trace::sources() {
        let (sink, _) = SINKS[source.sink()];
        // Writing into a String cannot fail.
        let _ = writeln!(
            out,
            " [{}] {:<10} -> {sink} [drp {}]  [{}]",
            mark(source),
            source.name,
            source.lost(),
            source.what
        );
    }
    Reply::list(out)
}

fn status(source: &Source) -> String {
    let (sink, _) = SINKS[source.sink()];
    let mut out =
        format!("Trace status for {}:\n  - sink: {sink} [{} dropped]\n", source.name, source.lost());
    out.push_str("  - event name   :     report    start    stop    pause\n");
    for (number, event) in source.events.iter().enumerate() {
        let report = if source.is_enabled(number) { '+' } else { '-' };
        let _ = writeln!(out, "    {:<12} :        {report}        -        -       -", event.name);
    }
    out
}

fn manage(call: &mut Call<'_>) -> Reply {
    match call.arg(0) {
        "" => {
            let mut out =
                format!("{INTRODUCTION} [.] 0          : not a source, will immediately stop all traces\n");
            out.push_str(" [.] all        : all sources below, only for 'sink' and 'level'\n");
            for source in trace::sources() {
                let _ = writeln!(out, " [{}] {:<10} : {}", mark(source), source.name, source.what);
            }
            Reply::list(out)
        }
        "0" => {
            trace::sources().iter().for_each(|source| source.run(false));
            Reply::info("All traces now stopped\n")
        }
        "all" => {
            let allowed = |word: &str| matches!(word, "sink" | "level");
            if call.args[1..].iter().step_by(2).any(|word| !allowed(word)) {
                return Reply::error("Source 'all' takes 'sink' and 'level' only.\n");
            }
            let all = trace::sources().into_iter();
            let replies = all.map(|source| steer(source, &call.args[1..]));
            replies.fold(Reply::done(), |kept, reply| if kept.text.is_empty() { reply } else { kept })
        }
        name => match named(name) {
            Ok(source) => steer(source, &call.args[1..]),
            Err(refusal) => refusal,
        },
    }
}

/// One pair of words after the other. One without its second word lists what that may be.
fn steer(source: &Source, args: &[String]) -> Reply {
    if args.is_empty() {
        return Reply::list(
            "Supported commands:\n  event     : list/enable/disable source-specific event reporting\n\
             \x20 level     : list/set trace reporting level\n  sink      : list/set event sinks\n\
             \x20 start     : start now\n  stop      : stop now\n",
        );
    }
    for pair in args.chunks(2) {
        let value = pair.get(1).map(String::as_str);
        let done = match (pair[0].as_str(), value) {
            ("sink", None) => Err(Reply::list(choices("sinks", source, &SINKS, source.sink()))),
            ("sink", Some(name)) => choose("sink", name, &SINKS).map(|index| source.set_sink(index)),
            ("level", None) => Err(Reply::list(choices("levels", source, &LEVELS, source.level()))),
            ("level", Some(name)) => choose("level", name, &LEVELS).map(|index| source.set_level(index)),
            ("event", None) => Err(Reply::list(events(source))),
            ("event", Some(name)) => enable(source, name),
            ("start", Some("now")) => {
                source.run(true);
                Ok(())
            }
            ("stop", Some("now")) => {
                source.run(false);
                Ok(())
            }
            ("start" | "stop", _) => {
                Err(Reply::error("Expects 'now': no event starts or stops a trace here.\n"))
            }
            ("lock" | "follow" | "pause" | "verbosity", _) => Err(Reply::error(format!(
                "'trace {} {}' is not done yet: every event of the source is told, in one form.\n",
                source.name, pair[0]
            ))),
            (word, _) => Err(Reply::error(format!("Unknown trace keyword '{word}'\n"))),
        };
        if let Err(reply) = done {
            return reply;
        }
    }
    Reply::done()
}

fn choices(what: &str, source: &Source, all: &[(&str, &str)], current: usize) -> String {
    let mut out = if what == "sinks" {
        format!("Supported sinks for source {} (*=current):\n", source.name)
    } else {
        format!("Supported trace {what} for source {}:\n", source.name)
    };
    for (index, (name, words)) in all.iter().enumerate() {
        let _ = writeln!(out, "  {} {name:<10} : {words}", if index == current { '*' } else { ' ' });
    }
    out
}

fn choose(what: &str, name: &str, all: &[(&str, &str)]) -> Result<usize, Reply> {
    let found = all.iter().position(|(own, _)| *own == name);
    found.ok_or_else(|| Reply::error(format!("No such trace {what} '{name}'\n")))
}

fn events(source: &Source) -> String {
    let mut out = format!("Supported events for source {} (+=enabled, -=disabled):\n", source.name);
    out.push_str("  - none         : disable all event types\n  - any          : enable all event types\n");
    for (number, event) in source.events.iter().enumerate() {
        let report = if source.is_enabled(number) { '+' } else { '-' };
        let _ = writeln!(out, "  {report} {:<12} : {}", event.name, event.what);
    }
    out
}

fn enable(source: &Source, written: &str) -> Result<(), Reply> {
    let (name, on) = match written.strip_prefix(['-', '!']) {
        Some(name) => (name, false),
        None => (written.strip_prefix('+').unwrap_or(written), true),
    };
    match (name, source.events.iter().position(|event| event.name == name)) {
        ("none", _) => source.enable(None, false),
        ("any", _) => source.enable(None, on),
        (_, Some(number)) => source.enable(Some(number), on),
        (_, None) => return Err(Reply::error(format!("No such trace event '{name}'\n"))),
    }
    Ok(())
}

/// Rings, or what one of them holds and gets.
fn show_events(call: &mut Call<'_>) -> Reply {
    let mut rings: Vec<Arc<Ring>> = vec![trace::BUFFER.clone()];
    rings.extend(call.control.live.logger.rings());
    let name = call.arg(0);
    if name.is_empty() {
        let mut out =
            "Supported events sinks are listed below. Add -0(zero), -w(wait), -n(new). Any key to stop.\n"
                .to_owned();
        for (name, words) in &SINKS[1..3] {
            let _ = writeln!(out, "    {name:<10} : type=fd, 0 dropped, {words}");
        }
        for ring in rings {
            let conf = ring.conf();
            let description = conf.description.as_ref().unwrap_or(&conf.name);
            let _ = writeln!(out, "    {:<10} : type=buffer, 0 dropped, {description}", conf.name);
        }
        return Reply::list(out);
    }
    let Some(ring) = rings.into_iter().find(|ring| ring.conf().name == name) else {
        let is_fd = SINKS[1..3].iter().any(|(own, _)| *own == name);
        return Reply::error(if is_fd {
            "Nothing to report for this sink\n"
        } else {
            "No such event sink\n"
        });
    };
    let (mut end, mut only_new, mut wait) = ('\n', false, false);
    for option in &call.args[1..] {
        match option.as_str() {
            "-w" => wait = true,
            "-n" => only_new = true,
            "-wn" | "-nw" => (wait, only_new) = (true, true),
            "-0" => end = '\0',
            _ => return Reply::error("unknown option\n"),
        }
    }
    let mut next = if only_new { ring.end() } else { 0 };
    let mut news = move || {
        let (lines, upto) = ring.lines_from(next);
        next = upto;
        let mut out = String::new();
        for line in lines {
            out.push_str(&String::from_utf8_lossy(&line));
            out.push(end);
        }
        out
    };
    if wait { Reply::follow(news) } else { Reply::list(news()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_steered_by_pairs_of_words() {
        let source = &trace::SESSION;
        let said = |text: &str| {
            let words: Vec<String> = text.split_ascii_whitespace().map(str::to_owned).collect();
            steer(source, &words).text
        };
        assert!(said("").contains("  sink      : list/set event sinks\n"));
        assert!(said("sink").contains("  * none       : no sink\n"));
        assert_eq!(said("sink buf0 level state event none event +sess_end start now"), "");
        assert!(said("sink").contains("  * buf0 ") && said("level").contains("  * state "));
        assert!(status(source).contains("    sess_new     :        -        -        -       -\n"));
        source.tell(0, || unreachable!("nobody wants this one"));
        source.tell(1, || "fe=x\nforged".to_owned());
        let lines = trace::BUFFER.lines();
        let line = String::from_utf8_lossy(lines.last().expect("a line")).into_owned();
        assert!(line.starts_with("<0>") && line.ends_with(" [session|sess_end] fe=x.forged"), "{line}");
        assert_eq!(said("stop now event any level user sink none"), "");
        source.tell(1, || unreachable!("it is stopped"));
        assert!(said("sink nowhere").contains("No such trace sink 'nowhere'"));
        assert!(said("event strm_new").contains("No such trace event 'strm_new'"));
        assert!(said("verbosity complete").contains("not done yet"));
        assert!(said("dance now").contains("Unknown trace keyword 'dance'"));
    }
}
