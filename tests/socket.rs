//! The stats socket: sessions seen and ended, broken messages kept, JSON of everything, and input that is no use.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use crate::lab::{Config, Connection, Host, Lab, Part, Process, Stats, get, proxy, wait_for};

const CONFIG: &str = "\
global
    stats socket SOCKET level admin
    stats socket SOCKET.user level user
    stats timeout 2s
    stats maxconn 20
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
frontend fe
    bind 127.0.0.1:8001
    http-request return status 200 hdr x-v %[var(proc.tone)]
listen raw
    mode tcp
    bind 127.0.0.1:8003
    server itself 127.0.0.1:8001
";

/// A running program and the path of its socket, which is seen from outside its machine.
struct Side {
    _proxy: Process,
    host: Host,
    socket: PathBuf,
}

impl Side {
    fn start(lab: &Lab) -> Self {
        let host = lab.host("ours");
        let socket = host.file("anchor", "").with_file_name("s");
        let config = CONFIG.replace("SOCKET", &socket.display().to_string());
        let proxy = host.haproxy(&proxy(), &Config::written(&host, "socket.cfg", &config));
        let side = Self { _proxy: proxy, host, socket };
        wait_for("the socket", Duration::from_secs(20), || {
            UnixStream::connect(&side.socket).is_ok().then_some(())
        });
        side
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    fn ask(&self, command: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(format!("{command}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

#[test]
fn a_session_is_seen_and_ended() {
    let Some(lab) = Lab::open(&[]) else { return };
    let side = Side::start(&lab);
    assert_eq!(side.ask("show sess"), "\n");
    let mut connection = Connection::open(&side.host, "127.0.0.1:8003").unwrap();
    connection.get("/").unwrap();
    let seen = wait_for("the session", Duration::from_secs(10), || {
        let all = side.ask("show sess");
        all.lines().find(|line| line.contains("fe=raw be=raw srv=itself")).map(str::to_owned)
    });
    assert!(seen.contains("proto=tcpv4 src=127.0.0.1:"), "{seen}");
    let id = seen.split(':').next().unwrap();
    assert!(seen.contains(" age=") && seen.ends_with("exp= rc=0 c_exp="), "{seen}");
    for (filter, found) in [("frontend raw", true), ("server raw/itself", true), ("backend fe", false)] {
        let seen = side.ask(&format!("show sess {filter}"));
        assert_eq!(seen.contains("srv=itself"), found, "{filter}: {seen}");
    }
    let details = side.ask(&format!("show sess {id}"));
    assert!(details.contains("server=itself (id=1)"), "{details}");
    assert_eq!(side.ask("show sess older 1h"), "\n");
    let json: serde_json::Value = serde_json::from_str(side.ask("show sess json").trim()).unwrap();
    assert_eq!(json.as_object().unwrap().len(), 1, "{json}");
    assert_eq!(side.ask("shutdown session 0xffffff"), "No such session (use 'show sess').\n\n");
    assert_eq!(side.ask(&format!("shutdown session {id}")), "\n");
    assert!(connection.get("/").is_err(), "the connection is gone");
    wait_for("no session", Duration::from_secs(10), || (side.ask("show sess") == "\n").then_some(()));
    wait_for("the counters", Duration::from_secs(10), || {
        let stat = side.ask("show stat");
        let row = stat.lines().find(|line| line.starts_with("raw,itself,")).unwrap();
        (row.split(',').nth(4) == Some("0")).then_some(())
    });
}

#[test]
fn broken_requests_are_kept_and_variables_are_set() {
    let Some(lab) = Lab::open(&[]) else { return };
    let side = Side::start(&lab);
    let mut connection = Connection::open(&side.host, "127.0.0.1:8001").unwrap();
    let _ = connection.exchange("GET /\x01here HTTP/1.1\r\nHost: lab\r\n\r\n");
    let errors = side.ask("show errors");
    assert!(errors.starts_with("Total events captured on ["), "{errors}");
    for part in [
        "] : 1\n",
        "frontend fe (#2): invalid request",
        "error at position 5",
        "GET /\\x01here HTTP/1.1\\r\\n",
    ] {
        assert!(errors.contains(part), "{part}: {errors}");
    }
    assert!(!side.ask("show errors fe response").contains("invalid"));
    assert_eq!(side.ask("show errors nope"), "No such proxy.\n\n");

    assert_eq!(side.ask("get var proc.tone"), "Variable not found.\n\n");
    assert!(
        side.ask("set var proc.tone str(a)").starts_with("This command is restricted to experimental mode")
    );
    let set = "experimental-mode on;set var proc.tone str(high);get var proc.tone";
    assert_eq!(side.ask(set), "\n\nproc.tone: type=str value=<high>\n\n");
    let answer = Connection::open(&side.host, "127.0.0.1:8001").unwrap().get("/").unwrap();
    assert_eq!(answer.header("x-v"), Some("high"));
}

#[test]
fn what_happens_is_traced_and_followed() {
    let Some(lab) = Lab::open(&[]) else { return };
    let side = Side::start(&lab);
    assert!(side.ask("show trace").contains(" [.] stream     -> none [drp 0]  [Applicative stream]\n"));
    assert_eq!(side.ask("trace session sink buf0 start now;trace stream sink buf0 start now"), "\n\n");
    get(&side.host, "127.0.0.1:8001", "/before").unwrap();
    let told = wait_for("the trace", Duration::from_secs(20), || {
        let told = side.ask("show events buf0");
        (told.contains("target=/before") && told.contains("[session|sess_end] fe=fe")).then_some(told)
    });
    let order = ["[session|sess_new] fe=fe src=127.0.0.1:", "[stream|strm_request] ", "[stream|strm_end] "];
    let at = order.map(|part| told.find(part).unwrap_or_else(|| panic!("{part}: {told}")));
    assert!(at.is_sorted(), "{told}");
    let end = told.lines().find(|line| line.contains("strm_end")).unwrap();
    assert!(end.contains(" method=GET target=/before status=200 "), "{end}");
    // What levels above are for is not told.
    assert!(!told.contains("strm_accept"), "{told}");

    // Who follows sees what comes, and nothing of before, until he types.
    let mut stream = side.connect();
    stream.write_all(b"show events buf0 -nw\n").unwrap();
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    wait_for("news", Duration::from_secs(20), || {
        // Again until it is known that he is there.
        get(&side.host, "127.0.0.1:8001", "/after").unwrap();
        let n = stream.read(&mut buffer).ok()?;
        assert!(n > 0, "it ended: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
        seen.contains("target=/after").then_some(())
    });
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert!(!seen.contains("/before"), "{seen}");
    stream.write_all(b"x").unwrap();
    stream.read_to_string(&mut seen).unwrap();
    assert!(!seen.contains("Unknown"), "{seen}");

    assert_eq!(side.ask("trace 0"), "All traces now stopped\n\n");
    get(&side.host, "127.0.0.1:8001", "/silent").unwrap();
    assert!(!side.ask("show events buf0").contains("/silent"));
    assert!(side.ask("trace h7").starts_with("No such trace source 'h7'"));
}

#[test]
fn every_show_has_a_json_form() {
    let Some(lab) = Lab::open(&[]) else { return };
    let side = Side::start(&lab);
    let help = side.ask("help");
    let shows = help.lines().filter(|line| line.starts_with("  show ") && !line.contains("(not done yet)"));
    let mut count = 0;
    for line in shows {
        let usage = line.split(" : ").next().unwrap().split(':').next().unwrap();
        let words: Vec<&str> = usage
            .split_ascii_whitespace()
            .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
            .collect();
        let command = format!("{} json", words.join(" ").trim_end_matches(" json"));
        let answer = side.ask(&command);
        let read = serde_json::from_str::<serde_json::Value>(answer.trim());
        assert!(read.is_ok(), "{command}: {answer}");
        count += 1;
    }
    assert!(count > 25, "only {count} commands");
}

#[test]
fn input_of_no_use_does_no_harm() {
    let Some(lab) = Lab::open(&[]) else { return };
    let side = Side::start(&lab);
    let works = |when: &str| {
        let answer = wait_for(when, Duration::from_secs(30), || {
            let mut stream = UnixStream::connect(&side.socket).ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
            stream.write_all(b"show version\n").ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).ok().filter(|n| *n > 0)?;
            Some(answer)
        });
        assert!(answer.contains("tandem"), "{when}: {answer}");
    };

    // A line of a megabyte, with and without an end.
    for end in ["\n", ""] {
        let mut stream = side.connect();
        // The answer may come before all was sent.
        let _ = stream.write_all(format!("show {}{end}", "x".repeat(1 << 20)).as_bytes());
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert!(answer.contains("too long"), "{answer:.200}");
        works("after a long line");
    }

    // Half a payload: nothing is done.
    let mut stream = side.connect();
    stream.write_all(b"set severity-output number;add map nope <<\nkey val").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(!answer.contains("Unknown map"), "{answer}");
    works("after half a payload");

    // A thousand at once, fifty times as many as are served.
    let crowd: Vec<UnixStream> = (0..1000)
        .map_while(|_| {
            let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).ok()?;
            socket.set_nonblocking(true).ok()?;
            // Those that find the line full are refused by the kernel.
            let _ = socket.connect(&socket2::SockAddr::unix(&side.socket).ok()?);
            Some(socket.into())
        })
        .collect();
    assert_eq!(crowd.len(), 1000);
    drop(crowd);
    works("after a crowd");

    // Somebody asks for very much and never reads.
    let mut deaf = side.connect();
    deaf.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    for _ in 0..2000 {
        if deaf.write_all("show stat;".repeat(100).as_bytes()).and_then(|()| deaf.write_all(b"\n")).is_err() {
            break;
        }
    }
    works("beside a client that does not read");
    drop(deaf);

    // A level that is too low, for every command of the next one.
    let mut user = UnixStream::connect(side.socket.with_extension("user")).unwrap();
    user.write_all(
        b"disable frontend fe;show env;clear counters all;shutdown session 0x1;set map a b c;operator\n",
    )
    .unwrap();
    let mut answer = String::new();
    user.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "Permission denied\n\n".repeat(6));
    works("at the end");
}

const COUNTED: &str = "\
global
    stats socket SOCKET level admin
    stats-file FILE
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend fe
    guid the-fe
    option socket-stats
    bind 127.0.0.1:8011 guid-prefix the-door
    default_backend be
backend be
    guid the-be
    server s1 127.0.0.1:8012 guid the-server
    server s2 127.0.0.1:8012
listen origin
    bind 127.0.0.1:8012
    http-request return status 200
";

#[test]
fn counters_outlive_the_process_by_a_stats_file() {
    let Some(lab) = Lab::open(&[]) else { return };
    let host = lab.host("ours");
    let file = host.file("counters", "");
    let socket = file.with_file_name("s");
    let text =
        COUNTED.replace("SOCKET", &socket.display().to_string()).replace("FILE", &file.display().to_string());
    let config = Config::written(&host, "counted.cfg", &text);
    let first = host.haproxy(&proxy(), &config);
    let mut side = Side { _proxy: first, host, socket };
    let serves = |side: &Side| {
        wait_for("the socket", Duration::from_secs(20), || {
            UnixStream::connect(&side.socket).is_ok().then_some(())
        });
    };
    serves(&side);
    for _ in 0..4 {
        // Round robin: two of four for each server.
        Connection::open(&side.host, "127.0.0.1:8011").unwrap().get("/").unwrap();
    }
    wait_for("the counters", Duration::from_secs(10), || {
        let stat = Stats::parse(&side.ask("show stat"));
        let settled = stat.cell("fe", "FRONTEND", "scur") == "0" && stat.cell("be", "BACKEND", "scur") == "0";
        (settled && stat.number("fe", "FRONTEND", "stot") == 4 && stat.number("be", "s1", "hrsp_2xx") == 2)
            .then_some(())
    });
    let before = Stats::parse(&side.ask("show stat"));
    let dumped = side.ask("dump stats-file");
    assert!(dumped.starts_with("#fe guid,stot,"), "{dumped}");
    for guid in ["the-fe,4,", "the-door-0,4,", "the-be,4,", "the-server,2,"] {
        assert!(dumped.lines().any(|line| line.starts_with(guid)), "{guid}: {dumped}");
    }
    assert_eq!(dumped.lines().filter(|line| line.contains(',')).count(), 6, "{dumped}");

    std::fs::write(&file, dumped).unwrap();
    side._proxy.stop();
    side._proxy = side.host.haproxy(&proxy(), &config);
    serves(&side);
    let after = Stats::parse(&side.ask("show stat"));
    for (proxy, name) in [("fe", "FRONTEND"), ("fe", "sock-1"), ("be", "BACKEND"), ("be", "s1")] {
        for column in ["stot", "bin", "bout", "hrsp_2xx", "lbtot", "req_tot", "conn_tot", "connect"] {
            let cell = |stat: &Stats| stat.cell(proxy, name, column).to_owned();
            assert_eq!(cell(&before), cell(&after), "{proxy}/{name} {column}");
        }
    }
    assert_eq!(after.cell("be", "s2", "stot"), "0", "it has no guid");
    Connection::open(&side.host, "127.0.0.1:8011").unwrap().get("/").unwrap();
    wait_for("one more", Duration::from_secs(10), || {
        (Stats::parse(&side.ask("show stat")).number("fe", "FRONTEND", "stot") == 5).then_some(())
    });

    // Lines that make no sense are told of and do no harm.
    let wrong = "#fe guid,stot,\nthe-fe,7,\nthe-fe,many,\n?,1,\nthe-server,1,\n#other guid,x,\nthe-fe,9,\n";
    std::fs::write(&file, wrong).unwrap();
    side._proxy.stop();
    side._proxy = side.host.haproxy(&proxy(), &config);
    serves(&side);
    assert_eq!(Stats::parse(&side.ask("show stat")).cell("fe", "FRONTEND", "stot"), "7");
    let log = side._proxy.log().join("\n");
    assert!(
        log.contains("Ignored stats-file line 4 in file") && log.contains("stats-file line 5 in"),
        "{log}"
    );
}

const LOOKED_AT: &str = "\
global
    stats socket SOCKET level admin
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    timeout check 60s
frontend fe
    bind 127.0.0.1:8021
    default_backend be
backend be
    cookie SRV insert dynamic
    dynamic-cookie-key one
    server s1 127.0.0.1:8022
backend checked
    option tcp-check
    tcp-check expect string never
    default-server check inter 60s rise 3 fall 2
    server a 127.0.0.1:8022 init-state fully-up
    server b 127.0.0.1:8022 init-state up
    server c 127.0.0.1:8022 init-state down
    server d 127.0.0.1:8022 init-state fully-down
    server e 127.0.0.1:8022
ring kept
    description \"lines for those who ask\"
    size 4096
listen origin
    bind 127.0.0.1:8022
    log ring@kept local0
    http-request return status 200
listen page
    bind 127.0.0.1:8023
    stats uri /
    stats admin if TRUE
backend agents
    server x 127.0.0.1:8022 agent-check agent-port 8022 agent-inter 60s
";

/// What exporters read by number: column and name.
const BY_NUMBER: &[(usize, &str)] = &[
    (2, "qcur"),
    (4, "scur"),
    (5, "smax"),
    (6, "slim"),
    (7, "stot"),
    (8, "bin"),
    (9, "bout"),
    (10, "dreq"),
    (12, "ereq"),
    (13, "econ"),
    (14, "eresp"),
    (15, "wretr"),
    (16, "wredis"),
    (17, "status"),
    (18, "weight"),
    (21, "chkfail"),
    (22, "chkdown"),
    (24, "downtime"),
    (32, "type"),
    (33, "rate"),
    (35, "rate_max"),
    (38, "check_duration"),
    (39, "hrsp_1xx"),
    (44, "hrsp_other"),
    (48, "req_tot"),
    (49, "cli_abrt"),
    (58, "qtime"),
    (61, "ttime"),
    (79, "conn_tot"),
    (99, "uweight"),
];

#[test]
fn states_at_start_cookies_hidden_names_and_columns_by_number() {
    let Some(lab) = Lab::open(&[Part::Program("nc")]) else { return };
    let host = lab.host("ours");
    let socket = host.file("anchor", "").with_file_name("s");
    let config = LOOKED_AT.replace("SOCKET", &socket.display().to_string());
    let proxy = host.haproxy(&proxy(), &Config::written(&host, "looked.cfg", &config));
    let side = Side { _proxy: proxy, host, socket };
    wait_for("the socket", Duration::from_secs(20), || {
        UnixStream::connect(&side.socket).is_ok().then_some(())
    });
    let stat = side.ask("show stat");
    let read = Stats::parse(&stat);
    let at_start = ["a", "b", "c", "d", "e"].map(|server| read.status("checked", server));
    assert_eq!(at_start, ["UP", "UP 1/2", "DOWN 2/3", "DOWN", "UP 1/2"]);

    // As the exporter reads it, which knows no names.
    let header: Vec<&str> = stat.lines().next().unwrap().trim_start_matches("# ").split(',').collect();
    for (number, name) in BY_NUMBER {
        assert_eq!(header[*number], *name, "column {number}");
    }
    for line in stat.lines().skip(1).filter(|line| !line.is_empty()) {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), header.len(), "{line}");
        assert!(["0", "1", "2", "3"].contains(&cells[32]), "{line}");
        let counters = [4, 7, 8, 9].map(|number| cells[number].parse::<u64>());
        assert!(counters.iter().all(Result::is_ok), "{line}");
    }
    // And as people ask without socat.
    let asked = side.host.sh(&format!("echo 'show stat' | nc -U {}", side.socket.display()));
    assert!(asked.starts_with("# pxname,svname,"), "{asked:.80}");

    let cookie = || {
        let answer = Connection::open(&side.host, "127.0.0.1:8021").unwrap().get("/").unwrap();
        answer.header("set-cookie").map(str::to_owned)
    };
    let first = cookie().expect("a cookie");
    assert_eq!(side.ask("set dynamic-cookie-key backend be two"), "\n");
    let second = cookie().expect("a cookie");
    assert_ne!(first, second, "another secret, another value");
    side.ask("disable dynamic-cookie backend be");
    // A server without a cookie takes the client's away.
    assert!(cookie().is_some_and(|line| line.starts_with("SRV=; Expires=")), "none");
    side.ask("enable dynamic-cookie backend be;set dynamic-cookie-key backend be one");
    assert_eq!(cookie(), Some(first));
    assert_eq!(side.ask("enable dynamic-cookie backend nope"), "No such backend.\n\n");

    let rings = side.ask("show events");
    assert!(rings.contains("kept       : type=buffer, 0 dropped, lines for those who ask"), "{rings}");
    let lines = side.ask("show events kept");
    assert!(lines.lines().any(|line| line.contains("origin")), "{lines}");
    assert_eq!(side.ask("show events nope").trim_end(), "No such event sink");

    let hidden = side.ask("set anon on 9;show servers state;show anon");
    assert!(!hidden.contains(" checked ") && hidden.contains("Key : 9"), "{hidden}");
    assert_eq!(hidden.lines().filter(|line| line.split(' ').count() == 25).count(), 7, "{hidden}");
    assert!(side.ask("show servers state").contains(" checked "), "the next session sees names");

    // The agent by the page's form.
    let post = |action: &str| {
        let body = format!("s=x&action={action}&b=agents");
        let head = "POST / HTTP/1.1\r\nHost: lab\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        let answer = Connection::open(&side.host, "127.0.0.1:8023").unwrap().exchange(request).unwrap();
        assert_eq!(answer.header("location"), Some("/;st=DONE"), "{action}");
    };
    // The lowest bit says that a check is on its way, which is so now and then.
    let agent = || -> u32 {
        let state = side.ask("show servers state agents");
        state.lines().nth(2).unwrap().split(' ').nth(14).unwrap().parse::<u32>().unwrap() & !1
    };
    let enabled = agent();
    post("dagent");
    assert_ne!(agent(), enabled, "suspended");
    post("eagent");
    wait_for("the agent's check", Duration::from_secs(10), || (agent() == enabled).then_some(()));
    post("adown");
    let status = || Stats::parse(&side.ask("show stat")).status("agents", "x").to_owned();
    wait_for("down by the agent", Duration::from_secs(10), || status().starts_with("DOWN").then_some(()));
    post("arunn");
    wait_for("up by the agent", Duration::from_secs(10), || (!status().starts_with("DOWN")).then_some(()));
}

/// With comments and a layout of its own.
const WRITTEN: &str = "\
# The edge.
global
    stats socket SOCKET level admin   # for the operator
    maxconn 500

defaults
\tmode    http
\ttimeout connect 1s
\ttimeout client  5s
\ttimeout server  5s

frontend fe            # the way in
\tbind 127.0.0.1:8001
\tuse_backend other if { path -f LIST }
\tdefault_backend be

backend be
\t# Two of three are enough.
\tserver  a  127.0.0.1:8091  weight 10   # old machine
\tserver  b  127.0.0.1:8092 disabled
\tserver  c  127.0.0.1:8093 maxconn 10 check
\tserver-template t 2 127.0.0.1:9100
backend other
\tserver  d  127.0.0.1:8094
defaults web   # for what comes later
\tmode tcp
";

#[test]
fn what_was_changed_is_written_back() {
    let Some(lab) = Lab::open(&[]) else { return };
    let host = lab.host("ours");
    let list = host.file("LIST", "# paths\n/one\n\n/two\n");
    let socket = host.file("anchor", "").with_file_name("s");
    let text =
        WRITTEN.replace("SOCKET", &socket.display().to_string()).replace("LIST", &list.display().to_string());
    let path = host.dir().join("written.cfg");
    let proxy = host.haproxy(&proxy(), &Config::written(&host, "written.cfg", &text));
    let side = Side { _proxy: proxy, host, socket };
    wait_for("the socket", Duration::from_secs(20), || {
        UnixStream::connect(&side.socket).is_ok().then_some(())
    });
    assert_eq!(side.ask("show config running"), format!("{text}\n"));
    assert_eq!(side.ask("commit config"), "Nothing was changed.\n\n");
    let changes = format!(
        "set weight be/a 20;set server be/a addr 127.0.0.2 port 8099;set server be/b state ready;\
         set maxconn server be/c 7;set server be/c state maint;set maxconn frontend fe 77;set maxconn global 400;\
         add server other/e 127.0.0.1:8095 weight 3;add acl {0} /three;del acl {0} /two",
        list.display()
    );
    side.ask(&changes);
    let expected = text
        .replace("a  127.0.0.1:8091  weight 10 ", "a  127.0.0.2:8099  weight 20 ")
        .replace("8092 disabled", "8092")
        .replace("maxconn 10 check", "maxconn 7 check disabled")
        .replace("# the way in\n", "# the way in\n\tmaxconn 77\n")
        .replace("maxconn 500", "maxconn 400")
        .replace("d  127.0.0.1:8094\n", "d  127.0.0.1:8094\n\tserver e 127.0.0.1:8095 weight 3 disabled\n");
    let patterns = "# paths\n/one\n\n/three\n";
    assert_eq!(side.ask("show config running"), format!("{expected}{patterns}\n"));
    let told = side.ask("commit config");
    for part in ["written.cfg:19\n- \tserver  a  127.0.0.1:8091", "+ \tserver  a  127.0.0.2:8099", "- /two\n"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    assert_eq!(std::fs::read_to_string(&list).unwrap(), patterns);
    assert_eq!(side.ask("commit config"), "Nothing was changed.\n\n");
    // Another change, found although lines have moved.
    side.ask("set weight other/d 9;enable server other/e;set server be/c name third");
    side.ask("commit config");
    let expected = expected.replace("8094\n", "8094 weight 9\n").replace("weight 3 disabled", "weight 3");
    let expected = expected.replace("server  c  127", "server  third  127");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    // Backends that came and went.
    side.ask(
        "add backend late from web;add server late/x 127.0.0.1:8096 weight 4;add server be/y 127.0.0.1:8097",
    );
    side.ask("commit config");
    let with_both = expected.replace(
        "maxconn 7 check disabled\n",
        "maxconn 7 check disabled\n\tserver y 127.0.0.1:8097 disabled\n",
    ) + "\nbackend late from web\n    mode tcp\n    server x 127.0.0.1:8096 weight 4 disabled\n";
    assert_eq!(std::fs::read_to_string(&path).unwrap(), with_both);
    assert_eq!(side.ask("commit config"), "Nothing was changed.\n\n");
    side.ask("enable server late/x;del server be/y;commit config");
    let with_one =
        expected.clone() + "\nbackend late from web\n    mode tcp\n    server x 127.0.0.1:8096 weight 4\n";
    assert_eq!(std::fs::read_to_string(&path).unwrap(), with_one);
    side.ask("disable server late/x;del server late/x;del backend late;commit config");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{expected}\n"));
    side.ask("disable server other/d;disable server other/e;del server other/e;commit config");
    let expected = expected
        .replace("weight 9\n", "weight 9 disabled\n")
        .replace("\tserver e 127.0.0.1:8095 weight 3\n", "")
        + "\n";
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    // A line is found by its new name, and what no line can say is said.
    side.ask("set weight be/t1 5;set server be/a state drain;disable health be/third;set weight be/third 6");
    let told = side.ask("commit config");
    let expected = expected.replace("maxconn 7 check", "maxconn 7 check weight 6");
    for part in ["be/t1 was changed", "be/a is drained", "be/third is not checked"] {
        assert!(told.contains(&format!("\nnot written: {part}")), "{part}: {told}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    // What somebody else wrote is not lost.
    let later = std::time::SystemTime::now() + Duration::from_secs(10);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    side.ask("set weight other/d 8");
    assert!(side.ask("commit config").contains("was changed after it was read"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
}
