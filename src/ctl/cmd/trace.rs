//! Traces and rings: what happens, told while it happens.

use std::fmt::Write as _;
use std::sync::Arc;

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use crate::ir::global::Level;
use crate::log::Ring;
use crate::log::trace::{self, LEVELS, Lock, SINKS, SOURCES, Source, State, Turn, VERBOSITIES};

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
    match source.state() {
        State::Stopped => '.',
        State::Waiting => 'w',
        State::Running => 'R',
    }
}

fn named(name: &str) -> Result<&'static Source, Reply> {
    let found = SOURCES.into_iter().find(|source| source.name == name);
    found.ok_or_else(|| Reply::error(format!("No such trace source '{name}'\n")))
}

fn show(call: &mut Call<'_>) -> Reply {
    if !call.arg(0).is_empty() {
        return match named(call.arg(0)) {
            Ok(source) => Reply::list(status(source)),
            Err(refusal) => refusal,
        };
    }
    let mut out = INTRODUCTION.to_owned();
    for source in SOURCES {
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
        let mark = |turn| if source.turns(turn, number) { '+' } else { '-' };
        let [report, start, stop, pause] = [Turn::Report, Turn::Start, Turn::Stop, Turn::Pause].map(mark);
        let _ = writeln!(
            out,
            "    {:<12} :        {report}        {start}        {stop}       {pause}",
            event.name
        );
    }
    out
}

fn manage(call: &mut Call<'_>) -> Reply {
    match call.arg(0) {
        "" => {
            let mut out =
                format!("{INTRODUCTION} [.] 0          : not a source, will immediately stop all traces\n");
            out.push_str(" [.] all        : all sources below, only for 'sink', 'level' and 'follow'\n");
            out.push_str(&menu());
            Reply::list(out)
        }
        "0" => {
            SOURCES.iter().for_each(|source| source.set_state(State::Stopped));
            Reply::info("All traces now stopped\n")
        }
        "all" => {
            let words = &call.args[1..];
            if let Some(word) =
                words.iter().step_by(2).find(|word| !matches!(word.as_str(), "sink" | "level" | "follow"))
            {
                return Reply::error(format!("'{word}' not applicable to meta-source 'all'\n"));
            }
            // A source does not follow itself.
            let itself = |source: &Source| {
                words.chunks(2).any(|pair| pair[0] == "follow" && pair[1..] == [source.name])
            };
            let replies =
                SOURCES.into_iter().filter(|source| !itself(source)).map(|source| steer(source, words));
            replies.fold(Reply::done(), |kept, reply| if kept.text.is_empty() { reply } else { kept })
        }
        name => match named(name) {
            Ok(source) => steer(source, &call.args[1..]),
            Err(refusal) => refusal,
        },
    }
}

/// Every source with its state.
fn menu() -> String {
    SOURCES.iter().map(|s| format!(" [{}] {:<10} : {}\n", mark(s), s.name, s.what)).collect()
}

const SUBCOMMANDS: &str = "Supported commands:\n\
     \x20 event     : list/enable/disable source-specific event reporting\n\
     \x20 level     : list/set trace reporting level\n\
     \x20 lock      : automatic lock on thread/connection/stream/...\n\
     \x20 follow    : passively follow another source's locked pointer (e.g. session)\n\
     \x20 pause     : pause and automatically restart after a specific event\n\
     \x20 sink      : list/set event sinks\n\
     \x20 start     : start immediately or after a specific event\n\
     \x20 stop      : stop immediately or after a specific event\n\
     \x20 verbosity : list/set trace output verbosity\n";

/// One pair of words after the other. One without its second word lists what that may be.
fn steer(source: &Source, args: &[String]) -> Reply {
    if args.is_empty() {
        return Reply::list(SUBCOMMANDS);
    }
    for pair in args.chunks(2) {
        let value = pair.get(1).map(String::as_str);
        let done = match (pair[0].as_str(), value) {
            ("sink", None) => Err(Reply::list(choices("sinks", source, &SINKS, source.sink()))),
            ("sink", Some(name)) => place(name, &SINKS)
                .map(|index| source.set_sink(index))
                .ok_or_else(|| Reply::error(format!("No such trace sink '{name}'\n"))),
            ("level", None) => Err(Reply::list(choices("levels", source, &LEVELS, source.level()))),
            ("level", Some(name)) => {
                place(name, &LEVELS).map(|index| source.set_level(index)).ok_or_else(|| {
                    let known = choices("levels", source, &LEVELS, source.level());
                    Reply::error(format!("No such trace level '{name}'. {known}"))
                })
            }
            ("verbosity", None) => {
                Err(Reply::list(choices("verbosities", source, &VERBOSITIES, source.verbosity())))
            }
            ("verbosity", Some(name)) => {
                place(name, &VERBOSITIES).map(|index| source.set_verbosity(index)).ok_or_else(|| {
                    let known = choices("verbosities", source, &VERBOSITIES, source.verbosity());
                    Reply::error(format!("No such verbosity level '{name}'. {known}"))
                })
            }
            ("lock", None) => Err(Reply::list(locks(source))),
            ("lock", Some(name)) => match source.locks.iter().find(|lock| lock.name() == name) {
                Some(lock) => {
                    source.set_lock(*lock);
                    Ok(())
                }
                None => Err(Reply::error(format!("Unsupported lock-on criterion '{name}'\n"))),
            },
            ("follow", None) => Err(Reply::list(followed(source))),
            ("follow", Some("none")) => {
                source.set_follow(None);
                Ok(())
            }
            ("follow", Some(name)) => named(name).map(|other| source.set_follow(Some(other))),
            (word, value) => match turn(word) {
                Some(turn) => enable(source, turn, value.unwrap_or_default()),
                None => Err(Reply::error(format!("Unknown trace keyword '{word}'\n"))),
            },
        };
        if let Err(reply) = done {
            return reply;
        }
    }
    Reply::done()
}

fn turn(word: &str) -> Option<Turn> {
    Some(match word {
        "event" => Turn::Report,
        "start" => Turn::Start,
        "pause" => Turn::Pause,
        "stop" => Turn::Stop,
        _ => return None,
    })
}

fn locks(source: &Source) -> String {
    let mut out = format!("Supported lock-on criteria for source {}:\n", source.name);
    for lock in source.locks {
        let words = match lock {
            Lock::Nothing => "do not lock on anything".to_owned(),
            lock => format!("lock on the {} that started the trace", lock.name()),
        };
        let current = if *lock == source.lock() { '*' } else { ' ' };
        let _ = writeln!(out, "  {current} {:<10} : {words}", lock.name());
    }
    out
}

fn followed(source: &Source) -> String {
    let current = match source.follows() {
        Some(other) => format!("Currently following source '{}'.\n", other.name),
        None => "Not currently following any other source.\n".to_owned(),
    };
    format!(
        "{current}Please specify another source to follow, among the following ones:\n \
         [.] none       : follow no other source\n{}",
        menu()
    )
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

fn place(name: &str, all: &[(&str, &str)]) -> Option<usize> {
    all.iter().position(|(own, _)| *own == name)
}

fn events(source: &Source, turn: Turn) -> String {
    let mut out = format!("Supported events for source {} (+=enabled, -=disabled):\n", source.name);
    if turn != Turn::Report {
        out.push_str("  - now          : don't wait for events, immediately change the state\n");
    }
    out.push_str("  - none         : disable all event types\n  - any          : enable all event types\n");
    for (number, event) in source.events.iter().enumerate() {
        let report = if source.turns(turn, number) { '+' } else { '-' };
        let _ = writeln!(out, "  {report} {:<12} : {}", event.name, event.what);
    }
    out
}

fn enable(source: &Source, turn: Turn, written: &str) -> Result<(), Reply> {
    let name = written.trim_start_matches(['-', '!', '+']);
    let on = written[..written.len() - name.len()].chars().last().is_none_or(|sign| sign == '+');
    let at_once = match turn {
        Turn::Report => None,
        Turn::Start => Some(State::Running),
        Turn::Pause => Some(State::Waiting),
        Turn::Stop => Some(State::Stopped),
    };
    match (name, source.events.iter().position(|event| event.name == name)) {
        ("", _) => return Err(Reply::list(events(source, turn))),
        ("now", _) if let Some(state) = at_once => source.set_state(state),
        ("none", _) => source.set_turn(turn, None, false),
        ("any", _) => source.set_turn(turn, None, true),
        (_, Some(number)) => source.set_turn(turn, Some(number), on),
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
            let lost = ring.lost();
            let _ = writeln!(out, "    {:<10} : type=buffer, {lost} dropped, {description}", conf.name);
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
    use crate::log::trace::About;

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
        source.tell(0, About::default, |_| unreachable!("nobody wants this one"));
        source.tell(1, About::default, |_| "fe=x\nforged".to_owned());
        let lines = trace::BUFFER.lines();
        let line = String::from_utf8_lossy(lines.last().expect("a line")).into_owned();
        assert!(line.starts_with("<0>") && line.ends_with(" [session|sess_end] fe=x.forged"), "{line}");
        assert_eq!(said("stop now event any level user sink none"), "");
        source.tell(1, About::default, |_| unreachable!("it is stopped"));
        assert!(said("sink nowhere").contains("No such trace sink 'nowhere'"));
        assert!(said("event strm_new").contains("No such trace event 'strm_new'"));
        assert!(said("verbosity").contains("  * clean      : "), "{}", said("verbosity"));
        assert!(
            said("verbosity no").starts_with("No such verbosity level 'no'. Supported trace verbosities for")
        );
        assert!(said("lock").contains("  * nothing    : do not lock on anything\n"));
        assert_eq!(said("lock server"), "Unsupported lock-on criterion 'server'\n");
        assert!(said("follow").starts_with("Not currently following any other source.\n"));
        assert_eq!(said("follow h1 lock session start sess_new pause sess_end verbosity quiet"), "");
        assert!(said("follow").starts_with("Currently following source 'h1'.\n"));
        assert!(said("start").contains("  + sess_new ") && said("pause").contains("  - now  "));
        assert_eq!(source.state(), State::Waiting);
        assert!(status(source).contains("    sess_new     :        +        +        -       -\n"));
        assert_eq!(said("follow none lock nothing start -sess_new pause none stop now verbosity clean"), "");
        assert!(said("dance now").contains("Unknown trace keyword 'dance'"));
    }
}
