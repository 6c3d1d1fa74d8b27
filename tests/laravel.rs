//! Four web servers with PHP: routing by path, sticky cookies, headers, and 2,000 users while servers restart.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::lab::{
    Behaviour, Config, Connection, Dns, Host, Lab, Network, Nginx, Part, PhpFpm, Process, Response, Stats,
    crowd, eventually, get,
};

const SECOND: Duration = Duration::from_secs(1);
const FRONT: &str = "10.30.0.10:80";
const STATS: &str = "10.30.0.10:8404";

/// What HAProxy needs changed: fewer open files than its `maxconn` asks for, and a last newline.
const CHANGES: &[(&str, &str)] = &[
    ("maxconn 10000", "maxconn 6000"),
    ("maxconn 20000", "maxconn 6000"),
    ("maxconn 8000", "maxconn 6000"),
    ("maxconn 200 init-addr none", "maxconn 200 init-addr none\n"),
];

struct System {
    proxy: Process,
    webs: Vec<(Host, Nginx)>,
    client: Host,
    _dns: Dns,
    _php: Vec<PhpFpm>,
    lb: Host,
    _net: Network,
    _lab: Lab,
}

impl System {
    fn start(lab: Lab, file: &str, php: bool) -> Self {
        let net = lab.network("net", "10.30.0.1/24");
        let lb = lab.host("lb");
        net.plug(&lb, "eth0", "10.30.0.10/24");
        let dns = Dns::start(&lb, "127.0.0.11:53", Behaviour::Answers);
        let client = lab.host("client");
        net.plug(&client, "eth0", "10.30.0.50/24");
        let mut scripts = Vec::new();
        let webs = (1..=4)
            .map(|number| {
                let host = lab.host(&format!("nginx_{number}"));
                let address = format!("10.30.0.2{number}");
                net.plug(&host, "eth0", &format!("{address}/24"));
                lb.knows(host.name(), &address);
                dns.set(host.name(), &address);
                if php {
                    scripts.push(PhpFpm::start(&host, SCRIPT));
                }
                let nginx = Nginx::with(&host, 80, &locations(&host, php));
                (host, nginx)
            })
            .collect();
        let proxy = lb.haproxy_lenient(&Config::system("laravel", file), CHANGES);
        let system = Self { proxy, webs, client, _dns: dns, _php: scripts, lb, _net: net, _lab: lab };
        eventually("every server UP", 25 * SECOND, || {
            system.lb.reaches("127.0.0.1:8404") && {
                let stats = system.stats();
                BACKENDS.iter().all(|backend| {
                    (1..=4).all(|number| {
                        let server = format!("nginx_{number}");
                        stats.status(backend, &server) == "UP"
                            && stats.cell(backend, &server, "check_status") == "L7OK"
                    })
                })
            }
        });
        system
    }

    fn stats(&self) -> Stats {
        Stats::parse(&get(&self.client, STATS, "/stats;csv").unwrap().text())
    }

    fn ask(&self, path: &str, cookie: &str) -> Response {
        let crumb = if cookie.is_empty() { String::new() } else { format!("Cookie: {cookie}\r\n") };
        Connection::open(&self.client, FRONT)
            .unwrap()
            .exchange(format!(
                "GET {path} HTTP/1.1\r\nHost: shop.example\r\n{crumb}Connection: close\r\n\r\n"
            ))
            .unwrap()
    }
}

const BACKENDS: [&str; 4] = ["laravel_backend", "api_backend", "static_backend", "admin_backend"];

/// Says what the application was told, as PHP sees it.
const SCRIPT: &str = r#"<?php
header('Content-Type: text/plain');
header('ETag: "1"');
echo gethostname(), '|', $_SERVER['REQUEST_URI'], '|', $_SERVER['HTTP_X_FORWARDED_FOR'] ?? '', '|',
    $_SERVER['HTTP_COOKIE'] ?? '';
"#;

fn locations(host: &Host, php: bool) -> String {
    let name = host.name();
    let root = host.dir().display();
    let application = if php {
        format!(
            "include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME {root}/index.php; \
             fastcgi_pass unix:{};",
            PhpFpm::SOCKET
        )
    } else {
        format!("return 200 '{name}\\n';")
    };
    format!("location = /health {{ return 200 'healthy\\n'; }} location / {{ {application} }}")
}

/// Everything the configuration promises about one request.
fn requests_are_routed_marked_and_sticky(file: &str) {
    let needs = [Part::Program("nginx"), Part::PhpFpm];
    let Some(lab) = Lab::open(&needs) else { return };
    let system = System::start(lab, file, true);
    let total = |backend: &str| system.stats().number(backend, "BACKEND", "stot");
    let paths = [
        ("/", "laravel_backend"),
        ("/api/users?page=2", "api_backend"),
        ("/app.css", "static_backend"),
        ("/api/logo.png", "static_backend"),
        ("/admin/", "admin_backend"),
        ("/apiary", "laravel_backend"),
    ];
    for (path, backend) in paths {
        let before = BACKENDS.map(total);
        let answer = system.ask(path, "");
        assert_eq!(answer.status, 200, "{path}");
        let after = BACKENDS.map(total);
        let grown: Vec<&str> = BACKENDS
            .iter()
            .zip(before.iter().zip(after))
            .filter(|(_, (old, new))| *old < new)
            .map(|(name, _)| *name)
            .collect();
        assert_eq!(grown, [backend], "{path}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-xss-protection"), Some("1; mode=block"));
        assert_eq!(answer.header("set-cookie").is_some(), backend == "laravel_backend", "{path}");
        assert!(answer.text().contains(&format!("|{path}|10.30.0.50|")), "{path}: {}", answer.text());
    }
    let mut seen = BTreeSet::new();
    for _ in 0..4 {
        let first = system.ask("/", "");
        let set = first.header("set-cookie").unwrap().to_owned();
        assert!(set.starts_with("LARAVEL_STICKY=app") && set.ends_with("; path=/"), "{set}");
        // An answer that a cache could keep (it has a validator) must not be shared with the cookie in it.
        assert_eq!(first.header("cache-control"), Some("private"), "{}", first.head);
        let crumb = set.split(';').next().unwrap();
        let number = crumb.trim_start_matches("LARAVEL_STICKY=app");
        for _ in 0..4 {
            let next = system.ask("/", &format!("session=1; {crumb}"));
            let text = next.text();
            assert!(text.starts_with(&format!("nginx_{number}|")), "{crumb} went to {text}");
            assert!(text.ends_with("|session=1"), "the server is shown the proxy's own cookie: {text}");
            assert_eq!(next.header("set-cookie"), None, "a good cookie is not set again");
        }
        seen.insert(number.to_owned());
    }
    assert_eq!(seen.len(), 4, "new visitors go to each server in turn: {seen:?}");
    let unknown = system.ask("/", "LARAVEL_STICKY=app9");
    assert!(unknown.header("set-cookie").is_some(), "an unknown cookie is replaced");
}

#[test]
fn minimal_file() {
    requests_are_routed_marked_and_sticky("haproxy-minimal.cfg");
}

#[test]
fn file_without_a_last_newline_that_follows_dns() {
    requests_are_routed_marked_and_sticky("haproxy-simple.cfg");
}

#[test]
fn file_for_high_load() {
    requests_are_routed_marked_and_sticky("haproxy-with-nginx.cfg");
}

#[test]
fn a_server_leaves_and_its_visitors_move_on() {
    let Some(lab) = Lab::open(&[Part::Program("nginx")]) else { return };
    let mut system = System::start(lab, "haproxy-minimal.cfg", false);
    let first = system.ask("/", "LARAVEL_STICKY=app2");
    assert_eq!(first.text(), "nginx_2");
    system.webs[1].1.stop();
    // Before the checks have noticed: refused, tried again, then sent elsewhere with a new cookie.
    let moved = system.ask("/", "LARAVEL_STICKY=app2");
    assert_eq!(moved.status, 200);
    assert_ne!(moved.text(), "nginx_2");
    assert!(moved.header("set-cookie").is_some_and(|set| !set.contains("app2")));
    eventually("nginx_2 DOWN", 12 * SECOND, || system.stats().status("laravel_backend", "nginx_2") == "DOWN");
    let start = Instant::now();
    assert_eq!(system.ask("/", "LARAVEL_STICKY=app2").status, 200);
    assert!(start.elapsed() < SECOND, "a server known to be down was tried");
    assert!(system.stats().number("laravel_backend", "nginx_2", "wredis") > 0, "redispatches are counted");
    let (host, nginx) = &mut system.webs[1];
    *nginx = Nginx::with(host, 80, &locations(host, false));
    eventually("nginx_2 UP", 10 * SECOND, || system.stats().status("laravel_backend", "nginx_2") == "UP");
    assert_eq!(system.ask("/", "LARAVEL_STICKY=app2").text(), "nginx_2");
    assert!(system.proxy.running());
}

#[test]
fn two_thousand_users_see_no_restart() {
    const USERS: u32 = 2000;
    let Some(lab) = Lab::open_alone(&[Part::Program("nginx")]) else { return };
    let mut system = System::start(lab, "haproxy-minimal.cfg", false);
    let start = Instant::now();
    let users = crowd(&system.client, FRONT, "/", USERS, 20 * SECOND, 2 * SECOND);
    for number in 0..4 {
        // One every four seconds, so that each is back and checked before the next goes.
        eventually("the next restart", 30 * SECOND, || start.elapsed() > 4 * SECOND * (number + 1));
        let (host, nginx) = &mut system.webs[number as usize];
        nginx.stop();
        *nginx = Nginx::with(host, 80, &locations(host, false));
    }
    let mut tally = users.join().unwrap();
    let [p50, p95, p99, slowest] = [50, 95, 99, 100].map(|percent| tally.percentile(percent));
    // Its guide promises a p95 below 1.5 s; on a busy machine that says nothing of the proxy, so it is printed only.
    println!(
        "{} users at once, {} requests, {} failed, p50 {p50:?}, p95 {p95:?}, p99 {p99:?}, slowest {slowest:?}, {} strays, {} retried",
        tally.most,
        tally.times.len(),
        tally.failures.len(),
        tally.strays,
        tally.retried
    );
    // A listener that closes resets what still waits in its accept queue: the connection stood, the request was on its way, and only
    // `retry-on empty-response` would allow to send it twice. The reference answers 502 there as well; more than one a restart is ours.
    let explained = tally.failures.len() <= 4 && tally.failures.iter().all(|failure| failure == "status 502");
    assert!(explained, "{:?}", &tally.failures[..tally.failures.len().min(10)]);
    assert!(tally.most >= USERS as usize, "only {} were connected at once", tally.most);
    assert!(tally.times.len() > USERS as usize * 5, "too few requests: {}", tally.times.len());
    assert_eq!(tally.strays, 0, "a cookie led to another server");
}
