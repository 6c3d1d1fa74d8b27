//! Backends and servers that come and go while running: made from `defaults` and `default-server`, published, deleted.

use std::time::Duration;

use crate::lab::{Config, Connection, Host, Lab, Part, Process, proxy, wait_for};

const SOCKET: &str = "/run/backends.sock";

const CONFIG: &str = "\
global
    stats socket /run/backends.sock level admin
defaults
    mode http
    timeout connect 500ms
    timeout client 5s
    timeout server 5s
frontend origin
    bind 127.0.0.1:8002
    http-request return status 200 hdr x-rule %[req.hdr(x-rule)]
frontend fe
    bind 127.0.0.1:8001
    force-be-switch if { req.hdr(x-try) -m found }
    use_backend named if { path /named }
    use_backend %[req.hdr(x-be)]
    http-request set-var(txn.up) nbsrv(counted)
backend named
backend counted
backend spare
    default-server weight 10
    default-server name other weight 7
    server fixed 127.0.0.1:8002 from srv:other
    server bare 127.0.0.1:8002 from none
backend lines
    mode log
    server l udp@127.0.0.1:8003
defaults plain
    timeout server 5s
defaults web
    mode http
    timeout connect 500ms
    timeout server 5s
    http-request set-header x-rule from-defaults
defaults front
    mode http
    tcp-request connection accept
";

struct Side {
    _proxy: Process,
    host: Host,
}

impl Side {
    fn start(lab: &Lab) -> Self {
        let host = lab.host("ours");
        let proxy = host.haproxy(&proxy(), &Config::written(&host, "backends.cfg", CONFIG));
        let side = Self { _proxy: proxy, host };
        side.host.wait_told(SOCKET);
        side
    }

    fn ask(&self, command: &str) -> String {
        self.host.tell(SOCKET, command).trim_end().to_owned()
    }

    /// Status of a request to a backend, and what its rules did.
    fn get(&self, backend: &str, more: &str) -> (u16, Option<String>) {
        let request =
            format!("GET / HTTP/1.1\r\nHost: x\r\nx-be: {backend}\r\n{more}Connection: close\r\n\r\n");
        let mut connection = Connection::open(&self.host, "127.0.0.1:8001").unwrap();
        let answer = connection.exchange(request).unwrap();
        (answer.status, answer.header("x-rule").map(str::to_owned))
    }

    fn weight(&self, server: &str) -> String {
        self.ask(&format!("get weight {server}"))
    }
}

#[test]
fn backends_come_and_go() {
    let Some(lab) = Lab::open(&[Part::Program("socat")]) else { return };
    let side = Side::start(&lab);
    for (command, answer) in [
        ("show defaults", "plain\nweb\nfront"),
        ("add backend", "Require backend name."),
        ("add backend a/b from web", "Invalid character '/' in backend name."),
        ("add backend new", "Usage: add backend <name> from <defproxy>."),
        ("add backend new from nobody", "Cannot find default proxy 'nobody'."),
        (
            "add backend new from plain",
            "Mode is required as 'plain' default proxy does not explicitly defines it.",
        ),
        ("add backend new from web mode x", "Unknown proxy mode."),
        ("add backend new from web mode log", "Dynamic backends are compatible with only TCP or HTTP mode."),
        (
            "add backend named from web",
            "Error during backend creation : name is already used by other proxy 'backend named'.",
        ),
        (
            "add backend web from web",
            "Error during backend creation : name is already used by other proxy 'defaults web'.",
        ),
        ("del backend new", "No such backend."),
        (
            "del backend named",
            "This proxy cannot be removed at runtime due to other configuration elements pointing to it.",
        ),
        (
            "del backend counted",
            "This proxy cannot be removed at runtime due to other configuration elements pointing to it.",
        ),
        ("add backend new from web guid new-one", "New backend registered."),
        (
            "add backend newer from web guid new-one",
            "Error during backend creation : GUID insertion : duplicate entry with backend new.",
        ),
        ("add backend plain1 from plain mode tcp", "New backend registered."),
        ("add server new/s1 127.0.0.1:8002", "New server registered."),
        ("enable server new/s1", ""),
        (
            "add server lines/x 127.0.0.1:8003",
            "Backend does not support dynamic servers : backend 'lines' uses mode log.",
        ),
        (
            "add server spare/x 127.0.0.1:8002 check track spare/bare",
            "unable to enable checks and tracking at the same time!",
        ),
        ("add server spare/k 127.0.0.1:8002 cookie k", "New server registered."),
        ("debug counters", ""),
        (
            "show pools x",
            "Expects either 'byname', 'bysize', 'byusage', 'match <pfx>', 'detailed', or a max number of output \
             lines.",
        ),
    ] {
        assert_eq!(side.ask(command), answer, "{command}");
    }
    let refused = side.ask("add backend other from front");
    assert!(
        refused.starts_with("Error during backend creation : a backend section cannot inherit"),
        "{refused}"
    );
    // Nothing leads there until it is published, but for those who may.
    assert_eq!(side.get("new", ""), (503, None));
    assert_eq!(side.get("new", "x-try: 1\r\n"), (200, Some("from-defaults".into())));
    assert_eq!(side.ask("publish backend new"), "Backend published.");
    assert_eq!(side.get("new", ""), (200, Some("from-defaults".into())));
    let stat = side.ask("show stat new 6 -1");
    assert!(stat.contains("\nnew,s1,") && stat.contains("\nnew,BACKEND,"), "{stat}");
    assert!(side.ask("show backend").ends_with("spare\nlines\nnew\nplain1"));
    for (command, answer) in [
        ("del backend new", "Backend must be unpublished prior to its deletion."),
        ("unpublish backend new", "Backend unpublished."),
        ("del backend new", "Only a backend without server can be deleted."),
        ("wait 5s be-removable new", "Failed. Only a backend without server can be deleted."),
        ("set server new/s1 state maint", ""),
        ("wait 5s srv-removable new/s1", "Done."),
        ("del server new/s1", "Server deleted."),
        ("wait 5s be-removable new", "Done."),
        ("del backend new", "Backend deleted."),
        ("show stat new 2 -1", "No such proxy."),
        ("unpublish backend plain1;del backend plain1", "Backend unpublished.\n\nBackend deleted."),
    ] {
        assert_eq!(side.ask(command), answer, "{command}");
    }
    assert_eq!(side.get("new", "x-try: 1\r\n"), (503, None));
    // Its number is used again, and nothing of the one before is left.
    for (command, answer) in [
        ("add backend again from web", "New backend registered."),
        ("add server again/s1 127.0.0.1:8002 check inter 100ms", "New server registered."),
        ("enable health again/s1", ""),
        ("enable server again/s1", ""),
        ("publish backend again", "Backend published."),
    ] {
        assert_eq!(side.ask(command), answer, "{command}");
    }
    wait_for("the check", Duration::from_secs(20), || (side.get("again", "").0 == 200).then_some(()));
    let stat = side.ask("show stat again 4 -1");
    assert!(stat.contains("L4OK"), "{stat}");
}

#[test]
fn servers_start_from_others() {
    let Some(lab) = Lab::open(&[Part::Program("socat")]) else { return };
    let side = Side::start(&lab);
    assert_eq!(side.ask("show default-server"), "* spare\n  spare/other");
    assert_eq!(side.ask("show default-server named"), "");
    assert_eq!(side.ask("show default-server nobody"), "Can't find backend.");
    assert_eq!(side.weight("spare/fixed"), "7 (initial 7)");
    assert_eq!(side.weight("spare/bare"), "1 (initial 1)");
    for (from, weight) in [
        ("", 1),
        ("from none", 1),
        ("from be:", 10),
        ("from be:spare", 10),
        ("from srv:other", 7),
        ("from srv:spare/fixed", 7),
        ("from be: weight 3", 3),
    ] {
        assert_eq!(side.ask(&format!("add server spare/x 127.0.0.1:8002 {from}")), "New server registered.");
        assert_eq!(side.weight("spare/x"), format!("{weight} (initial {weight})"), "{from}");
        assert_eq!(side.ask("del server spare/x"), "Server deleted.", "{from}");
    }
    for (from, answer) in [
        ("from", "from: missing value."),
        ("from x", "invalid 'x' value for 'from' keyword."),
        ("from be:nobody", "from: unknown backend instance 'nobody'."),
        ("from srv:nobody", "from: unknown server 'nobody' in backend 'spare'."),
        ("from srv:no/body", "from: unknown backend 'no'."),
        ("from none from none", "'from' keyword can only be specified once."),
        ("weight 3 from none", "unknown keyword 'from'."),
    ] {
        let told = side.ask(&format!("add server spare/x 127.0.0.1:8002 {from}"));
        assert!(told.starts_with(answer), "{from}: {told}");
    }
}
