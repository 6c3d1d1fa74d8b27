//! Persistence cookies: every way to configure them with every state a client's cookie can be in, on our proxy and on a
//! real HAProxy: the answer, what the server saw, the server that was chosen, what was captured and the flags of the log
//! must be the same.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use regex::Regex;

use super::PATIENCE;
use crate::lab::{Config, Host, Lab, Part, Process, Program, beside, eventually, proxy};

/// What follows `cookie SRV`. The other combinations are refused.
const OPTIONS: &[&str] = &[
    "",
    "indirect",
    "nocache",
    "postonly",
    "insert",
    "insert indirect",
    "insert nocache",
    "insert indirect nocache",
    "insert postonly",
    "insert indirect postonly nocache",
    "insert preserve",
    "insert indirect preserve",
    "insert preserve nocache indirect",
    "insert httponly",
    "insert httponly secure",
    "insert domain a.org",
    "insert domain .a.org domain b.org",
    "insert maxidle 1h",
    "insert maxlife 1h",
    "insert maxidle 1h maxlife 2h",
    "insert indirect maxidle 1h",
    "insert indirect nocache maxidle 1h maxlife 2h postonly",
    "insert maxidle 1h preserve",
    "insert dynamic",
    "insert indirect dynamic",
    "insert attr SameSite=None",
    "insert indirect attr SameSite=Strict attr a=b secure maxidle 1h",
    "rewrite",
    "rewrite nocache",
    "rewrite httponly secure domain a.org attr x=y",
    "rewrite postonly",
    "rewrite maxidle 1h",
    "rewrite maxlife 1h",
    "rewrite dynamic",
    "prefix",
    "prefix nocache",
    "prefix indirect",
    "prefix postonly secure",
    "prefix maxidle 1h",
    "prefix dynamic",
];

/// Cookie headers of clients, several separated by bars of their own (`||`); `-`: none. `{n}` is a date `n` seconds away.
const CLIENTS: &[&str] = &[
    "-",
    "SRV=s1",
    "SRV=s2",
    "SRV=s3",
    "SRV=zz",
    "SRV=",
    "SRV",
    "a=b; SRV=s2; c=d",
    "a=b; SRV=s2",
    "a=b;SRV=s2",
    "SRV=s2; c=d",
    "SRV=s2;c=d",
    "SRV=s2;",
    "SRV=s2;;a=b",
    "SRV=s2; SRV=s1",
    "SRV=s3; SRV=s2",
    "SRV=zz; SRV=s2",
    "SRV = s2",
    "  SRV=s2  ; x",
    "SRV= s2 ; a = b",
    "SRV=s 2",
    "\"SRV\"=s2",
    "SRV=\"s2\"",
    "SRV=s2,x=y",
    "a,SRV=s2",
    "$Version=1; SRV=s2; $Path=/; a=b",
    "SRV=s2~abc",
    "SRV=s3~abc",
    "SRV=zz~abc; a=b",
    "SRV=~abc",
    "SRV=s2~",
    "SRV=s2~a~b",
    "SRV=s2~\"x\"; SRV=s1~y",
    "SRV=s2|{-60}",
    "SRV=s2|{-14400}",
    "SRV=s2|{259200}",
    "SRV=s2|{-60}|{-600}",
    "SRV=s2|{-60}|{-86400}",
    "SRV=s2|{-60}|{259200}",
    "SRV=s2|",
    "SRV=s2||",
    "SRV=s2|AB",
    "SRV=s2|!!!!!",
    "SRV=s2|{-60}|",
    "SRV=s2||{-60}",
    "SRV=s3|{-60}",
    "SRV=zz|{-60}",
    "SRV=s2|{-14400}; SRV=s1|{-60}",
    "srv=s2",
    "XSRV=s2; SRVX=s1",
    "SRV=S2",
    "SRV=s",
    ";SRV=s2",
    "=;SRV=s2",
    "SRV=s2\tx",
    "a=b||SRV=s2",
    "SRV=s2||SRV=s1",
    "SRV=zz||SRV=s2; d=e",
    // The second server's, where they are computed.
    "SRV=53efee061317afe0; d=e",
];

/// What the server sets, by the last part of the path.
const SERVERS: &[(&str, &[&str])] = &[
    ("none", &[]),
    ("set", &["SRV=val; path=/"]),
    ("more", &["a=b", "SRV=val", "SRV=val2; Path=/x"]),
    ("own", &["SRV=s2"]),
    ("deletes", &["SRV=; Max-Age=0"]),
    ("odd", &["SRV", "SRV = val ; x", "srv=val", "a=b, SRV=val"]),
    ("judged", &["SRV=val"]),
    ("denied", &["SRV=val"]),
    ("replaced", &["SRV=val"]),
];

/// What the request asks of the rules, in `X-Do`.
const RULES: &[&str] = &[
    "deny",
    "return",
    "redirect",
    "tarpit",
    "cookie",
    "force",
    "ignore",
    "force ignore",
    "ignore late",
    "use-two",
    "use-off",
];

/// With these every rule is tried.
const WITH_RULES: &[&str] = &["-", "SRV=s2", "SRV=s3", "SRV=zz", "SRV=s3; SRV=s2", "a=b"];

fn config() -> String {
    let mut text = "\
global
    log stdout format raw local0
    nbthread 1
    maxconn 400
defaults
    mode http
    log global
    log-format \"%hr %s %ST %CC %CS %tsc %ID\"
    unique-id-format id-%ci
    unique-id-header x-id
    timeout connect 5s
    timeout client 20s
    timeout server 20s
    timeout tarpit 1ms
    retries 0
"
    .to_owned();
    for (at, options) in OPTIONS.iter().enumerate() {
        // Values are computed where none are written.
        let dynamic = options.contains("dynamic");
        let key = if dynamic { "dynamic-cookie-key key" } else { "" };
        let id = |own: &str| if dynamic { String::new() } else { format!("cookie {own}") };
        let (one, two, off) = (id("s1"), id("s2"), id("s3"));
        write!(
            text,
            "listen l{at}
    bind 127.0.0.1:{}
    capture request header x-n len 20
    capture cookie SRV len 40
    balance first
    cookie SRV {options}
    {key}
    http-request deny if {{ hdr(x-do) deny }}
    http-request return status 200 if {{ hdr(x-do) return }}
    http-request redirect location / if {{ hdr(x-do) redirect }}
    http-request tarpit if {{ hdr(x-do) tarpit }}
    http-request set-header cookie SRV=s2 if {{ hdr(x-do) cookie }}
    http-response set-header set-cookie SRV=new if {{ res.hdr(x-wish) judged }}
    http-response deny if {{ res.hdr(x-wish) denied }}
    http-response return status 200 if {{ res.hdr(x-wish) replaced }}
    force-persist if {{ hdr(x-do) -m sub force }}
    ignore-persist if {{ hdr(x-do) -m sub ignore }}
    force-persist if {{ hdr(x-do) -m sub late }}
    use-server two if {{ hdr(x-do) use-two }}
    use-server off if {{ hdr(x-do) use-off }}
    server one 127.0.0.1:9000 {one}
    server two 127.0.0.2:9000 {two}
    server off 127.0.0.3:9000 {off} disabled
    server bare 127.0.0.4:9000
",
            port(at)
        )
        .unwrap();
    }
    text
}

fn port(at: usize) -> u16 {
    8200 + u16::try_from(at).unwrap()
}

/// One request: its method, what the server is to do, the client's cookies and what rules are to do.
type Case = (&'static str, &'static str, &'static str, &'static str);

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for client in CLIENTS {
        cases.extend(["none", "set"].map(|server| ("GET", server, *client, "")));
    }
    for client in WITH_RULES {
        cases.extend(SERVERS[2..].iter().map(|(server, _)| ("GET", *server, *client, "")));
        cases.extend(["none", "set"].map(|server| ("POST", server, *client, "")));
        cases.extend(
            RULES.iter().flat_map(|rule| ["none", "set"].map(|server| ("GET", server, *client, *rule))),
        );
    }
    cases
}

/// A date as it stands in a cookie, `away` seconds from `now`.
fn date(now: i64, away: i64) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let value = (now + away) >> 2;
    (0..5).rev().map(|digit| char::from(DIGITS[(value >> (6 * digit) & 63) as usize])).collect()
}

fn with_dates(text: &str, now: i64) -> String {
    static AWAY: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{(-?\d+)\}").unwrap());
    AWAY.replace_all(text, |found: &regex::Captures<'_>| date(now, found[1].parse().unwrap())).into_owned()
}

/// Answers with the cookies that reached it.
fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut pending = Vec::new();
    while let Some(head) = read_head(&mut stream, &mut pending)? {
        let wish = head.split([' ', '?']).nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
        let sets = SERVERS.iter().find(|(name, _)| *name == wish).map_or(&[][..], |(_, sets)| sets);
        let mut answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n".to_owned();
        sets.iter().for_each(|line| write!(answer, "Set-Cookie: {line}\r\n").unwrap());
        let seen = head.lines().filter(|line| line.starts_with("cookie:") || line.starts_with("x-id:"));
        write!(answer, "X-Wish: {wish}\r\nX-Seen: {}\r\n\r\n", seen.collect::<Vec<_>>().join("|")).unwrap();
        stream.write_all(answer.as_bytes())?;
    }
    Ok(())
}

/// The next head; `None`: the other side closed.
fn read_head(stream: &mut TcpStream, pending: &mut Vec<u8>) -> std::io::Result<Option<String>> {
    loop {
        if let Some(at) = pending.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = pending.drain(..at + 4).collect::<Vec<_>>();
            return Ok(Some(String::from_utf8_lossy(&head).into_owned()));
        }
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Ok(None);
        }
        pending.extend_from_slice(&piece[..read]);
    }
}

/// Sends every case to one section, each on a connection of its own where rules end it; the heads of the answers.
fn drive(at: usize, cases: &[Case], now: i64) -> Vec<String> {
    let open = || {
        let stream = TcpStream::connect(("127.0.0.1", port(at))).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    };
    let mut kept = open();
    cases
        .iter()
        .enumerate()
        .map(|(number, (method, server, client, rule))| {
            let mut own = (!rule.is_empty() || *server == "denied" || *server == "replaced").then(open);
            let stream = own.as_mut().unwrap_or(&mut kept);
            let mut request = format!("{method} /{server} HTTP/1.1\r\nhost: lab\r\nx-n: {at}.{number}\r\n");
            if *method == "POST" {
                request += "content-length: 0\r\n";
            }
            if !rule.is_empty() {
                write!(request, "x-do: {rule}\r\n").unwrap();
            }
            for line in with_dates(client, now).split("||").filter(|line| *line != "-") {
                write!(request, "cookie: {line}\r\n").unwrap();
            }
            stream.write_all((request + "\r\n").as_bytes()).unwrap();
            read_head(stream, &mut Vec::new()).unwrap().unwrap_or_default()
        })
        .collect()
}

/// Dates that did not come from the client are those of the moment.
fn settle(text: &str, sent: &str) -> String {
    static DATES: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\|[A-Za-z0-9+/]{5}").unwrap());
    DATES
        .replace_all(
            text,
            |found: &regex::Captures<'_>| {
                if sent.contains(&found[0]) { found[0].to_owned() } else { "|now".to_owned() }
            },
        )
        .into_owned()
}

struct Bench {
    host: Host,
    proxy: Process,
}

impl Bench {
    fn start(lab: &Lab, name: &str, program: &Program) -> Self {
        let host = lab.host(name);
        let listener = host.run(|| TcpListener::bind("0.0.0.0:9000")).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || serve(stream));
            }
        });
        let proxy = host.haproxy(program, &Config::written(&host, "haproxy.cfg", &config()));
        let last = format!("127.0.0.1:{}", port(OPTIONS.len() - 1));
        eventually("the proxy to listen", Duration::from_secs(20), || host.reaches(&last));
        Self { host, proxy }
    }

    /// Answers and log lines, by section and case.
    fn run(&self, cases: &[Case], now: i64) -> Vec<Vec<(String, String)>> {
        let mut seen: Vec<Vec<(String, String)>> = self.host.run(|| {
            std::thread::scope(|scope| {
                let sections: Vec<_> =
                    (0..OPTIONS.len()).map(|at| scope.spawn(move || drive(at, cases, now))).collect();
                let answers = sections.into_iter().map(|section| section.join().unwrap());
                answers.map(|list| list.into_iter().map(|head| (head, String::new())).collect()).collect()
            })
        });
        // Lines that nobody takes at once are dropped: they may never come.
        let all = OPTIONS.len() * cases.len();
        let last = std::time::Instant::now();
        while self.proxy.log().len() < all && last.elapsed() < Duration::from_secs(2) {
            std::thread::sleep(Duration::from_millis(50));
        }
        for line in self.proxy.log() {
            let Some((number, rest)) = line.strip_prefix('{').and_then(|line| line.split_once("} ")) else {
                continue;
            };
            let Some((at, case)) = number.split_once('.') else { continue };
            let (Ok(at), Ok(case)) = (at.parse::<usize>(), case.parse::<usize>()) else { continue };
            seen[at][case].1 = rest.to_owned();
        }
        for list in &mut seen {
            for ((answer, line), case) in list.iter_mut().zip(cases) {
                let sent = with_dates(case.2, now);
                (*answer, *line) = (settle(answer, &sent), settle(line, &sent));
            }
        }
        seen
    }
}

#[test]
fn cookies_bind_clients_as_haproxys_do() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let cases = cases();
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let (ours, theirs) =
        beside(&proxy(), "haproxy", |name, program| Bench::start(&lab, name, program).run(&cases, now));
    let mut wrong = Vec::new();
    let mut flags: [BTreeSet<char>; 2] = Default::default();
    let mut logged = 0;
    for ((options, ours), theirs) in OPTIONS.iter().zip(&ours).zip(&theirs) {
        for ((case, ours), theirs) in cases.iter().zip(ours).zip(theirs) {
            // On a busy machine a line is dropped rather than waited for.
            let unlogged = ours.1.is_empty() || theirs.1.is_empty();
            let same = ours.0 == theirs.0 && (ours.1 == theirs.1 || unlogged);
            if !same {
                wrong.push(format!("cookie SRV {options}: {case:?}\n  ours   {ours:?}\n  theirs {theirs:?}"));
            }
            logged += usize::from(!unlogged);
            if let Some(code) = theirs.1.rsplit(' ').nth(1) {
                for (set, flag) in flags.iter_mut().zip(code.chars().skip(2)) {
                    set.insert(flag);
                }
            }
        }
    }
    let all = OPTIONS.len() * cases.len();
    assert!(wrong.is_empty(), "{} of {all} differ\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
    // Whatever a cookie can be came up.
    let flags = flags.map(|set| set.into_iter().collect::<String>());
    assert_eq!(flags, ["-DEINOUV", "-DINPRU"], "{logged} of {all} lines");
    assert!(logged > all / 2, "{} of {all} lines were dropped", all - logged);
}
