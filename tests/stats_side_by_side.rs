//! The stats socket and the page beside HAProxy's: the same configuration, the same traffic, the same commands.

use std::time::Duration;

use crate::lab::{
    Config, Connection, Host, Lab, Nginx, Part, Process, Program, before_3_1, get, proxy, wait_for,
};

const SOCKET: &str = "/run/side.sock";

/// One of each kind of row and of most states.
const CONFIG: &str = "\
global
    stats socket /run/side.sock level admin
    stats socket /run/user.sock level user
    maxconn 2000
    nbthread 1
defaults
    mode http
    timeout connect 500ms
    timeout client 5s
    timeout server 5s
frontend fe
    bind 127.0.0.1:8001 name one
    bind 127.0.0.1:8002
    option socket-stats
    maxconn 500
    http-request deny if { path /deny }
    http-request redirect location /x if { path /redirect }
    use_backend empty if { path_beg /nobody }
    default_backend be
backend be
    balance roundrobin
    cookie SRV insert
    option httpchk GET /
    server up1 127.0.0.1:8091 check inter 1s fastinter 200ms cookie c1 weight 10
    server up2 127.0.0.1:8091 check inter 1s fastinter 200ms weight 20 maxconn 50 maxqueue 5
    server down 127.0.0.1:8099 check inter 1s fastinter 200ms fall 2
    server maint 127.0.0.1:8091 check disabled
    server drain 127.0.0.1:8091 check weight 0 inter 1s fastinter 200ms
    server plain 127.0.0.1:8091
    server spare 127.0.0.1:8091 check backup inter 1s fastinter 200ms
    server follows 127.0.0.1:8091 track be/down
backend empty
    balance leastconn
    retries 1
    option redispatch
    server gone 127.0.0.1:8099
listen raw
    mode tcp
    bind 127.0.0.1:8003
    server t1 127.0.0.1:8091 check inter 1s fastinter 200ms
listen page
    bind 127.0.0.1:8004
    stats uri /stats
    stats show-legends
    stats auth admin:secret
    stats admin if TRUE
";

/// Columns that are not compared, and why.
const APART: &[(&str, &str)] = &[
    ("bin bout", "2.6 counts its inner form of messages, not the bytes on the wire"),
    ("rate rate_max req_rate req_rate_max conn_rate conn_rate_max", "depend on the second the clock is in"),
    ("lastchg downtime lastsess check_duration", "depend on when the two programs started"),
    ("qtime ctime rtime ttime qtime_max ctime_max rtime_max ttime_max", "depend on the machine"),
    ("srv_icur idle_conn_cur safe_conn_cur need_conn_est", "another policy of keeping idle connections"),
    ("smax", "one connection may not have ended when the next begins"),
    ("conn_tot", "of listeners: since 3.0 only"),
    ("cli_abrt", "2.6 takes the end of a connection to the page for a broken-off transfer"),
];

/// One program with its own machine around it.
struct Side {
    _proxy: Process,
    _nginx: Nginx,
    host: Host,
}

impl Side {
    fn start(lab: &Lab, name: &str, program: &Program) -> Self {
        let host = lab.host(name);
        let pages = "location / { return 200 'hello\\n'; } location /missing { return 404; } \
                     location /broken { return 503; }";
        let nginx = Nginx::with(&host, 8091, pages);
        let proxy = host.haproxy(program, &Config::written(&host, "side.cfg", CONFIG));
        let side = Self { _proxy: proxy, _nginx: nginx, host };
        wait_for("the socket and all checks", Duration::from_secs(20), || {
            let asked = side.host.try_sh(&format!("echo 'show stat' | socat stdio {SOCKET}"));
            let text = String::from_utf8_lossy(&asked.stdout).into_owned();
            (text.contains("be,down,") && text.contains("L4CON") && !text.contains("INI")).then_some(())
        });
        side
    }

    fn ask_at(&self, socket: &str, commands: &str) -> String {
        self.host.tell(socket, commands)
    }

    fn ask(&self, commands: &str) -> String {
        self.ask_at(SOCKET, commands)
    }

    fn traffic(&self) {
        for path in ["/", "/", "/", "/", "/", "/deny", "/redirect", "/missing", "/broken", "/nobody"] {
            get(&self.host, "127.0.0.1:8001", path).unwrap();
        }
        get(&self.host, "127.0.0.1:8002", "/").unwrap();
        get(&self.host, "127.0.0.1:8003", "/").unwrap();
        let mut kept = Connection::open(&self.host, "127.0.0.1:8001").unwrap();
        for _ in 0..3 {
            kept.get("/").unwrap();
        }
        drop(kept);
        let _ = Connection::open(&self.host, "127.0.0.1:8001").unwrap().exchange("GARBAGE\r\n\r\n");
    }

    /// What counts of each row: `proxy/server column` and value.
    fn cells(&self) -> Vec<(String, String)> {
        let text = self.ask("show stat");
        let mut lines = text.lines().filter(|line| !line.is_empty());
        let header = lines.next().unwrap().trim_start_matches("# ").split(',').collect::<Vec<_>>();
        let apart = |name: &str| APART.iter().any(|(names, _)| names.split(' ').any(|n| n == name));
        let mut cells = Vec::new();
        for line in lines {
            let values = line.split(',').collect::<Vec<_>>();
            // Beyond these are columns that 2.6 does not have.
            for (name, value) in header.iter().zip(&values).take(103).filter(|(name, _)| !apart(name)) {
                // A check that is running this moment.
                let value = value.trim_start_matches("* ");
                cells.push((format!("{}/{} {name}", values[0], values[1]), before_3_1(value)));
            }
        }
        cells
    }
}

/// Waits until both sides show the same; fails with what differs.
fn assert_same(when: &str, reference: &Side, ours: &Side) {
    let mut differing = Vec::new();
    for _ in 0..40 {
        let (a, b) = (reference.cells(), ours.cells());
        assert_eq!(a.len(), b.len(), "{when}: as many rows");
        differing = a
            .into_iter()
            .zip(b)
            .filter(|(a, b)| a != b)
            .map(|((what, a), (_, b))| format!("{what}: HAProxy {a:?}, ours {b:?}"))
            .collect();
        if differing.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    panic!("{when}:\n{}", differing.join("\n"));
}

#[test]
fn every_column_and_answer_equals_haproxys() {
    let Some(lab) = Lab::open(&[Part::Program("nginx"), Part::Program("haproxy"), Part::Program("socat")])
    else {
        return;
    };
    let reference = Side::start(&lab, "theirs", &Program::reference("haproxy"));
    let ours = Side::start(&lab, "ours", &proxy());
    let header = |side: &Side| {
        let text = side.ask("show stat");
        text.lines().next().unwrap().split(',').take(103).collect::<Vec<_>>().join(",")
    };
    assert_eq!(header(&reference), header(&ours));
    assert_same("without traffic", &reference, &ours);
    reference.traffic();
    ours.traffic();
    assert_same("after traffic", &reference, &ours);
    // What newer versions answer otherwise is compared where the answers are made.
    for command in [
        "get weight be/up1",
        "set weight be/up1 300",
        "set weight be/up1 50%;get weight be/up1",
        "set weight be/nope 1",
        "set weight nope/x 1",
        "set server be/up1 state foo",
        "set server be/follows health up",
        "set server be/plain addr 127.0.0.1 port 8091",
        "set maxconn frontend fe",
        "set maxconn global 999999",
        "set maxconn server be/up2 7",
        "set server be/up2 state drain",
        "set server be/drain state maint",
        "set server be/down state maint",
        "show env HAPROXY_CLI",
        "disable server be/plain",
        "disable health be/spare",
        "enable health be/plain",
        "disable frontend raw;disable frontend raw",
        "enable frontend nope",
        "shutdown sessions server be/nope",
        "show backend",
        "show env NO_SUCH_VARIABLE",
        "show servers state nope",
        "show stat nope -1 -1",
        "prompt\nshow cli level",
        "operator;show cli level;disable server be/up1",
        "set severity-output number;get weight be/nope",
        "set timeout cli x",
    ] {
        assert_eq!(reference.ask(command), ours.ask(command), "{command}");
    }
    for command in ["show env", "clear counters", "disable server be/up1", "show cli level"] {
        let (theirs, own) =
            (reference.ask_at("/run/user.sock", command), ours.ask_at("/run/user.sock", command));
        assert_eq!(theirs, own, "{command} as user");
    }
    assert_same("after commands", &reference, &ours);
    reference.ask("clear counters all");
    ours.ask("clear counters all");
    assert_same("after the counters were cleared", &reference, &ours);
}

#[test]
fn the_page_takes_the_same_forms_as_haproxys() {
    let Some(lab) = Lab::open(&[Part::Program("nginx"), Part::Program("haproxy"), Part::Program("socat")])
    else {
        return;
    };
    let sides =
        [Side::start(&lab, "theirs", &Program::reference("haproxy")), Side::start(&lab, "ours", &proxy())];
    let post = |side: &Side, body: &str| {
        let mut connection = Connection::open(&side.host, "127.0.0.1:8004").unwrap();
        let request = format!(
            "POST /stats HTTP/1.1\r\nHost: lab\r\nAuthorization: Basic YWRtaW46c2VjcmV0\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = connection.exchange(request).unwrap();
        (answer.status, answer.header("location").map(str::to_owned))
    };
    let refused = sides.each_ref().map(|side| {
        let answer = get(&side.host, "127.0.0.1:8004", "/stats").unwrap();
        (answer.status, answer.header("www-authenticate").map(str::to_owned))
    });
    assert_eq!(refused[0], refused[1]);
    assert_eq!(refused[1].0, 401);
    for body in [
        "s=up1&action=maint&b=%233",
        "s=up1&s=plain&action=drain&b=be",
        "s=plain&action=ready&b=be",
        "s=nope&action=ready&b=be",
        "s=up1&s=nope&action=ready&b=be",
        "s=up1&action=foo&b=be",
        "s=up1&action=ready&b=nope",
        "action=ready&b=be",
        "s=spare&action=dhlth&b=be",
        "s=up2&action=shutdown&b=be",
        "s=plain&action=dhlth&b=be",
        "s=follows&s=up1&action=hdown&b=be",
        "s=up1&action=hrunn&b=be",
        "s=up1",
        "s=up1&b=be",
        "s=up1&action=ready",
        "b=be&action=maint&s=up1",
        // As forms of old were.
        "s=up1&action=enable&b=be",
        "s=up1&action=enable&b=be",
        "s=up1&s=plain&action=disable&b=be",
        "s=up1&s=nope&action=disable&b=be",
        "s=up1&s=plain&action=enable&b=be",
        "s=up1&s=plain&action=stop&b=be",
        "s=plain&action=start&b=be",
        "s=up1&s=plain&action=start&b=be",
    ] {
        assert_eq!(post(&sides[0], body), post(&sides[1], body), "{body}");
    }
    assert_same("after the forms", &sides[0], &sides[1]);
}
