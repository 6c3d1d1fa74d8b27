//! Sessions and sockets. Answers were recorded from HAProxy 2.6.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use super::registry::commands;
use super::session::{Output, Session};
use super::*;
use crate::ir::global::{Level, StatsAddr, StatsSocket};
use crate::stats::tests::{live, live_with};

fn control() -> Arc<Control> {
    let program = Program { version: "1.2.3".into(), hard_maxconn: 2000, ..Program::default() };
    Control::new(live(), program, "started".into())
}

fn ask_at(control: &Control, level: Level, input: &str) -> String {
    let mut session = Session::new(level, Duration::from_secs(10));
    let mut text = String::new();
    let mut output = session.feed(control, input.as_bytes());
    loop {
        text.push_str(&output.text);
        output = match output {
            Output { more: true, .. } => session.resume(control),
            Output { close: true, .. } => return text,
            _ => session.finish(control),
        };
    }
}

#[test]
fn long_answers_come_in_pieces_and_whole() {
    let control = control();
    let line = format!("{};show version\n", vec!["show stat json"; 40].join(";"));
    let mut session = Session::new(Level::Admin, Duration::from_secs(10));
    let first = session.feed(&control, line.as_bytes());
    assert!(first.more && !first.close && first.text.len() < 256 * 1024, "{} bytes", first.text.len());
    let all = ask_at(&control, Level::Admin, &line);
    assert!(all.len() > first.text.len() && all.starts_with(&first.text[..1000]));
    let arrays = all.strip_suffix("\n1.2.3\n\n").unwrap();
    assert_eq!(arrays.matches("]]\n\n").count() + 1, 40, "the last one's newline is the version's");
}

fn ask(control: &Control, command: &str) -> String {
    ask_at(control, Level::Admin, &format!("{command}\n"))
}

#[test]
fn answers_are_haproxys() {
    let control = control();
    for (command, answer) in [
        ("show version", "1.2.3\n\n"),
        ("show version;show version", "1.2.3\n\n1.2.3\n\n"),
        ("show cli level", "admin\n\n"),
        ("operator;show cli level", "\noperator\n\n"),
        ("user;operator", "\nPermission denied\n\n"),
        ("show backend", "# name\nbe\n\n"),
        ("show startup-logs", "started\n\n"),
        ("show env NO_SUCH_VARIABLE", "Variable not found\n\n"),
        ("show stat domain foo", "Invalid statistics domain.\n\n"),
        ("show stat nope -1 -1", "No such proxy.\n\n"),
        ("show servers state nope", "Can't find backend.\n\n"),
        ("get weight be/checked", "20 (initial 20)\n\n"),
        ("get weight be", "Require 'backend/server'.\n\n"),
        ("get weight nope/x", "No such backend.\n\n"),
        ("get weight be/x", "No such server.\n\n"),
        ("set weight be/checked", "Require <weight> or <weight%>.\n\n"),
        ("set weight be/checked 300", "Absolute weight can only be between 0 and 256 inclusive.\n\n"),
        ("set weight be/checked 50%;get weight be/checked", "\n10 (initial 20)\n\n"),
        ("set server be/checked state", "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n\n"),
        (
            "set server be/checked health x",
            "'set server <srv> health' expects 'up', 'stopping', or 'down'.\n\n",
        ),
        ("set server be/checked addr foo", "Invalid addr 'foo'\n\n"),
        (
            "set server be/checked addr ::1 port 80",
            "IP changed from '127.0.0.1' to '::1', port changed from '23991' to '80' by 'stats socket command'\n\n",
        ),
        (
            "set server be/plain addr 127.0.0.1 port 23991",
            "no need to change the addr, no need to change the port by 'stats socket command'\n\n",
        ),
        ("set server be/plain check-port 5", "health checks are not enabled on this server\n\n"),
        ("set server be/plain ssl on", "server ssl setting not supported.\n\n"),
        ("set maxconn frontend", "A frontend name is expected.\n\n"),
        ("set maxconn frontend nope 5", "No such frontend.\n\n"),
        ("set maxconn frontend fe -1", "Value out of range.\n\n"),
        ("set maxconn server be/plain", "Require <maxconn>.\n\n"),
        ("set maxconn global 5000", "Value out of range.\n\n"),
        ("disable frontend fe;disable frontend fe", "\nAll sockets are already disabled.\n\n"),
        ("enable frontend fe;enable frontend fe", "\nAll sockets are already enabled.\n\n"),
        ("set timeout", "'set timeout' only supports 'cli'.\n\n"),
        ("set timeout cli x", "Invalid timeout value.\n\n"),
        ("set severity-output bar", "one of 'none', 'number', 'string' is a required argument\n\n"),
        ("set severity-output string;get weight be/nope", "\n[err]: No such server.\n\n"),
        (
            "set severity-output number;set weight be/plain 500",
            "\n[3]: Absolute weight can only be between 0 and \
         256 inclusive.\n\n",
        ),
    ] {
        assert_eq!(ask(&control, command), answer, "{command}");
    }
}

#[test]
fn a_server_is_called_otherwise_once_it_is_in_maintenance() {
    let control = control();
    let rename = |server: &str, name: &str| ask(&control, &format!("set server be/{server} name {name}"));
    let must_rest = "Server must be in maintenance mode to be renamed (set server <b>/<s> state maint).\n\n";
    assert_eq!(rename("plain", "blue"), must_rest);
    ask(&control, "disable server be/plain");
    assert_eq!(rename("plain", ""), "set server <b>/<s> name requires a new name.\n\n");
    assert_eq!(rename("plain", "a/b"), "Server name contains invalid characters.\n\n");
    assert_eq!(rename("plain", "checked"), "A server with the same name already exists in this backend.\n\n");
    assert_eq!(rename("plain", "plain"), "Server name updated.\n\n");
    assert_eq!(rename("plain", "blue"), "Server name updated.\n\n");
    assert_eq!(rename("plain", "green"), "No such server.\n\n");
    assert_eq!(rename("blue", "green"), "Server name updated.\n\n");
    for listing in ["show stat", "show servers state", "show servers conn", "show latency"] {
        let out = ask(&control, listing);
        assert!(out.contains("green") && !out.contains("plain") && !out.contains("blue"), "{listing}: {out}");
    }
    assert_eq!(ask(&control, "enable server be/green"), "\n");
    assert_eq!(rename("green", "x"), must_rest);
}

#[test]
fn maintenance_and_drain_show_in_the_state_column() {
    let control = control();
    let status = |name: &str| {
        let out = ask(&control, "show stat be 4 -1");
        let line = out.lines().find(|l| l.starts_with(&format!("be,{name},"))).unwrap().to_owned();
        line.split(',').nth(17).unwrap().to_owned()
    };
    for (command, state) in [
        ("disable server be/plain", "MAINT"),
        ("enable server be/plain", "no check"),
        ("set server be/plain state drain", "DRAIN"),
        ("set server be/plain state ready", "no check"),
        ("set server be/plain health down", "DOWN"),
        ("set server be/plain health up", "no check"),
    ] {
        assert_eq!(ask(&control, command), "\n", "{command}");
        assert_eq!(status("plain"), state, "after {command}");
    }
}

#[test]
fn suspended_checks_leave_the_columns_empty_until_they_go_on() {
    let control = control();
    let field = |number: usize| {
        let out = ask(&control, "show stat be 4 -1");
        let line = out.lines().find(|l| l.starts_with("be,checked,")).unwrap().to_owned();
        line.split(',').nth(number).unwrap().to_owned()
    };
    assert_eq!((field(17), field(36)), ("UP 1/3".into(), "INI".into()));
    assert_eq!(ask(&control, "disable health be/checked"), "\n");
    assert_eq!((field(17), field(36)), ("no check".into(), String::new()));
    assert_eq!(ask(&control, "enable health be/checked"), "\n");
    assert_eq!((field(17), field(36)), ("UP 1/3".into(), "INI".into()));
    let answer = "Health check was not configured on this server, cannot enable.\n\n";
    assert_eq!(ask(&control, "enable health be/plain"), answer);
}

#[test]
fn levels_hold() {
    let control = control();
    let denied =
        |level, command: &str| ask_at(&control, level, &format!("{command}\n")) == "Permission denied\n\n";
    for command in ["show env", "show startup-logs", "clear counters", "set server be/plain state ready"] {
        assert!(denied(Level::User, command), "{command}");
    }
    for command in
        ["clear counters all", "disable frontend fe", "set maxconn global 5", "disable server be/plain"]
    {
        assert!(denied(Level::Operator, command), "{command}");
    }
    assert!(!denied(Level::Operator, "clear counters") && !denied(Level::User, "get weight be/plain"));
}

#[test]
fn addresses_are_for_operators() {
    let control = control();
    let has = |level| ask_at(&control, level, "show stat\n").contains("127.0.0.1:23991");
    assert!(has(Level::Operator) && !has(Level::User));
}

#[test]
fn the_prompt_keeps_the_connection_and_stands_after_every_answer() {
    let control = control();
    assert_eq!(ask(&control, "prompt\nshow version;show cli level"), "\n> 1.2.3\n\n> admin\n\n> ");
    let mut session = Session::new(Level::Admin, Duration::from_secs(10));
    let first = session.feed(&control, b"prompt\n");
    assert_eq!((first.text.as_str(), first.close), ("\n> ", false));
    assert_eq!(session.feed(&control, b"\n").text, "\n> ");
    let last = session.feed(&control, b"quit;show version\n");
    assert_eq!((last.text.as_str(), last.close), ("", true));
}

#[test]
fn the_prompt_is_what_was_asked_for() {
    let control = control();
    let mut session = Session::new(Level::Admin, Duration::from_secs(10));
    let mut say = |line: &str| {
        let out = session.feed(&control, format!("{line}\n").as_bytes());
        (out.text, out.close)
    };
    let is_timed = |(text, close): (String, bool)| {
        text.starts_with("\n[0:00:00:") && text.ends_with("]> ") && text.len() == 15 && !close
    };
    assert!(is_timed(say("prompt timed")));
    assert_eq!(say("prompt i"), ("\n".to_owned(), false));
    // Whether it is timed is kept while there is none.
    assert!(is_timed(say("prompt")));
    assert_eq!(say("prompt timed"), ("\n> ".to_owned(), false));
    assert_eq!(say("prompt i timed"), ("\n".to_owned(), false));
    assert!(is_timed(say("prompt p")));
    say("set severity-output number");
    assert!(say("prompt help").0.starts_with("[6]: Usage: prompt "));
    assert!(say("prompt n x").0.starts_with("[3]: Usage: prompt "), "and nothing is changed");
    assert_eq!(say("prompt n"), ("\n".to_owned(), true));
    assert!(ask(&control, "prompt x").starts_with("Usage: prompt "));
}

#[test]
fn payloads_end_at_an_empty_line_or_at_their_own_word() {
    let control = control();
    let usage = ask(&control, "set server be/plain foo");
    assert!(usage.starts_with("usage: set server "), "{usage}");
    assert_eq!(
        ask(&control, "set server be/plain foo <<\nline1\n\nshow version"),
        format!("{usage}1.2.3\n\n")
    );
    assert_eq!(
        ask(&control, "set server be/plain foo <<%E%\na\n\n%E%\nshow version"),
        format!("{usage}1.2.3\n\n")
    );
    assert_eq!(ask(&control, "prompt\nset server be/plain foo <<\na\n"), format!("\n> + + {usage}> "));
}

#[test]
fn unfinished_and_endless_input_does_nothing_and_says_so() {
    let control = control();
    assert_eq!(
        ask_at(&control, Level::Admin, "disable server be/plain"),
        "The line has no end. Nothing was done.\n\n"
    );
    assert_eq!(
        ask_at(&control, Level::Admin, "disable server be/plain <<\nx\n"),
        "The payload has no end. Nothing was done.\n\n"
    );
    let mut session = Session::new(Level::Admin, Duration::from_secs(10));
    let out = session.feed(&control, &vec![b'a'; 1_000_000]);
    assert_eq!((out.text.as_str(), out.close), ("The line is too long.\n\n", true));
    let out = session.feed(&control, b"show version <<\n");
    assert!(!out.close);
    let big = vec![b'\n'; 1].into_iter().chain(vec![b'x'; 10_000]).collect::<Vec<_>>();
    let mut last = session.feed(&control, b"x");
    for _ in 0..200 {
        last = session.feed(&control, &big);
        if last.close {
            break;
        }
    }
    assert_eq!(last.text, "The payload is too long. Nothing was done.\n\n");
    assert!(!ask(&control, "show servers state").contains(" plain 127.0.0.1 0 "));
}

#[test]
fn unknown_commands_get_the_likely_ones() {
    let control = control();
    let out = ask(&control, "show inf");
    assert!(
        out.starts_with("Unknown command: 'show', but maybe one of the following ones is a better match:\n"),
        "{out}"
    );
    assert!(out.contains("  show info [desc|json|typed|float]*      : "), "{out}");
    assert!(!out.contains("set server"), "{out}");
    let out = ask(&control, "xyzzy");
    assert!(out.starts_with("Unknown command: 'xyzzy', but maybe one of the following ones"), "{out}");
    let out = ask(&control, "help");
    assert!(out.starts_with("The following commands are valid at this level:\n"), "{out}");
    assert!(out.contains("  quit                                    : disconnect\n\n"), "{out}");
}

#[test]
fn what_is_not_done_yet_says_so_instead_of_pretending() {
    let control = control();
    let out = ask(&control, "show table t");
    assert_eq!(out, "'show table' is not done yet: there are no stick tables\n\n");
    assert!(ask(&control, "help show table").contains("(not done yet)"));
}

#[test]
fn nameservers_are_listed_with_their_counters() {
    let live = live_with(|config| {
        let mut section = crate::ir::Resolvers::new("dns1".into());
        let addr = ([127, 0, 0, 1], 53).into();
        section.nameservers.push(crate::ir::resolvers::Nameserver { name: "ns1".into(), addr, tcp: false });
        config.resolvers.push(section);
    });
    live.resolvers[0].nameservers[0].counters.valid.add(3);
    let control = Control::new(live, Program::default(), String::new());
    let out = ask(&control, "show resolvers dns1");
    let start =
        "Resolvers section dns1\n nameserver ns1:\n  sent:        0\n  snd_error:   0\n  valid:       3\n";
    assert!(out.starts_with(start) && out.ends_with("  outdated:    0\n\n"), "{out}");
    assert_eq!(ask(&control, "show resolvers x"), "Can't find that resolvers section\n\n");
    let csv = ask(&control, "show stat domain resolvers");
    assert!(csv.starts_with("# id,pid,sent,send_error,valid,"), "{csv}");
    assert!(csv.ends_with("\nns1,dns1,0,0,3,0,0,0,0,0,0,0,0,0,0,0,0,\n\n"), "{csv}");
    let typed = ask(&control, "show stat domain resolvers typed");
    assert!(
        typed.starts_with("N.0.id:CGPV:str:ns1\nN.1.pid:CGPV:str:dns1\nN.2.sent:MGPV:u64:0\n"),
        "{typed}"
    );
    assert!(typed.ends_with("N.16.outdated:MGPV:u64:0\n\n"), "{typed}");
    let json: serde_json::Value =
        serde_json::from_str(&ask(&control, "show stat domain resolvers json")).unwrap();
    let valid = serde_json::json!({
        "field": {"pos": 4, "name": "valid"},
        "tags": {"origin": "Metric", "nature": "Gauge", "scope": "Process"},
        "value": {"type": "u64", "value": 3},
    });
    assert_eq!(json[0][4], valid);
}

#[test]
fn no_two_commands_have_the_same_words() {
    let all = commands().map(|c| c.words).collect::<Vec<_>>();
    for (i, words) in all.iter().enumerate() {
        assert!(!all[..i].contains(words), "{words:?}");
    }
}

/// Asks over a real socket as `socat` does: send, close the sending half, read to the end.
fn ask_socket(path: &std::path::Path, input: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).expect("connect");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("timeout");
    stream.write_all(input).expect("send");
    stream.shutdown(std::net::Shutdown::Write).expect("half-close");
    let mut out = String::new();
    stream.read_to_string(&mut out).expect("an answer, then the end");
    out
}

#[tokio::test]
async fn a_real_socket_serves_clients_that_close_their_half_at_once() {
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("s");
    let socket = StatsSocket {
        addr: StatsAddr::Unix(path.clone()),
        level: Level::Admin,
        mode: Some(0o600),
        uid: None,
        gid: None,
        expose_fd_listeners: false,
        name: None,
    };
    let bound = vec![runner::bind(&socket).expect("bind"), runner::bind(&socket).expect("bind again")];
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).expect("there").permissions());
    assert_eq!(mode & 0o777, 0o600);
    let live = live_with(|config| config.global.stats_maxconn = 3);
    let control =
        Control::new(live, Program { version: "1.2.3".into(), ..Program::default() }, String::new());
    let server = tokio::spawn(runner::serve(control, bound, None));
    let asking = tokio::task::spawn_blocking(move || {
        assert_eq!(ask_socket(&path, b"show version\n"), "1.2.3\n\n");
        let stat = ask_socket(&path, b"show stat\n");
        assert!(stat.starts_with("# pxname,svname,") && stat.ends_with(",\n\n"), "{stat}");
        let mut long = vec![b'a'; 1_000_000];
        long.push(b'\n');
        assert_eq!(ask_socket(&path, &long), "The line is too long.\n\n");
        // More clients than places, one of which never reads: all others are served.
        let lazy = UnixStream::connect(&path).expect("connect");
        let asking = |_| {
            let path = path.clone();
            std::thread::spawn(move || ask_socket(&path, b"show version\n"))
        };
        let all = (0..20).map(asking).collect::<Vec<_>>();
        for one in all {
            assert_eq!(one.join().expect("served"), "1.2.3\n\n");
        }
        drop(lazy);
    });
    asking.await.expect("all answers");
    server.abort();
}
