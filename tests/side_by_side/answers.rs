//! Answers that the proxy makes itself, and what becomes of the client's connection after them: pages from files, requests
//! whose body is here already, early hints, targets that cannot be normalised.

use crate::lab::{Config, Lab, Part, Program, beside, proxy};

use super::cases::{Case, get};
use super::watch::Bench;

const CONFIG: &str = r#"
global
    log stdout format raw local0
    nbthread 1
    expose-experimental-directives

defaults
    mode http
    log global
    option httplog
    retries 0
    timeout connect 3s
    timeout client 4s
    timeout server 3s
    timeout http-request 1s
    timeout http-keep-alive 900ms

http-errors some
    errorfile 403 FOLDER/old.http

frontend pages
    bind 127.0.0.1:8000
    errorfile 404 FOLDER/no-length.http
    errorfile 403 FOLDER/old.http
    errorfile 410 FOLDER/bare.http
    errorfile 405 FOLDER/kept.http
    errorfile 413 FOLDER/closing.http
    errorfile 429 FOLDER/whole.http
    errorfile 408 /dev/null
    errorloc303 502 /elsewhere
    errorloc 504 http://lab/later
    http-request deny deny_status 404 if { path_end /404 }
    http-request deny deny_status 403 if { path_end /403 }
    http-request deny deny_status 410 if { path_end /410 }
    http-request deny deny_status 405 if { path_end /405 }
    http-request deny deny_status 413 if { path_end /413 }
    http-request deny deny_status 500 errorfiles some if { path_end /500 }
    http-request deny deny_status 429 if { path_end /429 }
    http-request deny deny_status 502 if { path_end /502 }
    http-request deny deny_status 504 if { path_end /504 }
    http-request early-hint Link "</a.css>; rel=preload" if { path_end /hints }
    http-request early-hint Link "</b.css>; rel=preload" if { path_end /hints }
    http-request early-hint X-Joined one if { path_end /joined }
    http-request early-hint X-Always two
    http-request set-header x-after hints
    use_backend nobody if { path_end /nobody }
    use_backend denied if { path_end /denied }
    use_backend replaced if { path_end /replaced }
    use_backend strict if { path_sub %zz }
    use_backend dots if { path_sub .. }
    use_backend sorted if { path_end /sorted }
    use_backend unready if { path_end /unready }
    default_backend origin

frontend soon
    bind 127.0.0.1:8001
    option logasap
    default_backend origin

backend origin
    server one 127.0.0.1:9000

backend nobody

backend denied
    http-response deny
    server one 127.0.0.1:9000

backend replaced
    http-response return status 202
    server one 127.0.0.1:9000

backend strict
    http-request normalize-uri percent-to-uppercase strict
    server one 127.0.0.1:9000

backend dots
    http-request normalize-uri path-strip-dotdot
    server one 127.0.0.1:9000

backend sorted
    http-request normalize-uri query-sort-by-name
    server one 127.0.0.1:9000

backend unready
    http-request wait-for-body time 200ms
    server one 127.0.0.1:9000
"#;

const FILES: [(&str, &str); 6] = [
    ("no-length.http", "HTTP/1.1 404 Nope\r\nContent-Type: text/plain\r\n\r\nbody"),
    ("old.http", "HTTP/1.0 403 Nope\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody"),
    ("kept.http", "HTTP/1.0 405 Nope\r\nContent-Length: 4\r\n\r\nbody"),
    ("closing.http", "HTTP/1.1 413 Nope\r\nContent-Length: 4\r\nConnection: x-a, close\r\n\r\nbody"),
    ("bare.http", "HTTP/1.1 410 Nope\r\n\r\n"),
    ("whole.http", "HTTP/1.1 429 Slow\r\nContent-Length: 4\r\n\r\nbody"),
];

/// A request behind which another one stands.
macro_rules! followed {
    ($path:literal) => {
        concat!(
            "POST /@/",
            $path,
            " HTTP/1.1\r\nHost: lab\r\nContent-Length: 3\r\n\r\nabcGET /@/plain HTTP/1.1\r\nHost: lab\r\n",
            "Connection: close\r\n\r\n"
        )
    };
}

/// The same without a body.
macro_rules! again {
    ($path:literal) => {
        concat!(
            "GET /@/",
            $path,
            " HTTP/1.1\r\nHost: lab\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"
        )
    };
}

/// The same with chunks.
macro_rules! chunked {
    ($path:literal) => {
        concat!(
            "POST /@/",
            $path,
            " HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "GET /@/plain HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"
        )
    };
}

/// A request whose body is not all here.
macro_rules! cut {
    ($path:literal) => {
        concat!("POST /@/", $path, " HTTP/1.1\r\nHost: lab\r\nContent-Length: 9\r\n\r\nabc")
    };
}

/// The only request of its connection.
macro_rules! only {
    ($target:literal) => {
        concat!("GET /@/", $target, " HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
    };
}

/// What no rule ends gets the hint that is for all, first.
const CASES: &[Case] = &[
    get("a page without length", followed!("404"), 404),
    get("a page of HTTP/1.0", followed!("403"), 403),
    get("a page of HTTP/1.0 with a length", again!("405"), 405),
    get("a page of HTTP/1.0, for one who closes", only!("405"), 405),
    get("a page that closes", again!("413"), 413),
    get("a page that its section has not", again!("500"), 500),
    get("a page without body", followed!("410"), 410),
    get("a page with a length", followed!("429"), 429),
    get("a page with a length, and chunks", chunked!("429"), 429),
    get("a page before the body is here", cut!("429"), 429),
    get("a page elsewhere", followed!("502"), 303),
    get("a page elsewhere, later", only!("504"), 302),
    get("an empty page", "GET /@/plain HTTP/1.1\r\nHo", 0),
    get("nobody to ask", followed!("nobody"), 103),
    get("nobody to ask about chunks", chunked!("nobody"), 103),
    get("a response that is denied", followed!("denied"), 103),
    get("a response that is denied, after chunks", chunked!("denied"), 103),
    get("a response that is replaced", followed!("replaced"), 103),
    get("a response that is replaced, after chunks", chunked!("replaced"), 103),
    get("hints one by one", only!("hints"), 103),
    get("hints that belong together", only!("joined"), 103),
    get("a hint alone", only!("plain"), 103),
    get("percent signs of nothing", only!("%zz"), 103),
    get("dots above the root", "GET /.. HTTP/1.1\r\nHost: lab\r\nX-N: @\r\nConnection: close\r\n\r\n", 103),
    get("parameters behind the last", only!("sorted?b&a&"), 103),
    get("a body that does not come", cut!("unready"), 103),
    get("a line before the end", only!("plain"), 200).on(8001),
];

#[test]
fn the_same_pages_as_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let observe = |name: &str, program: &Program| {
        let host = lab.host(name);
        for (file, text) in FILES {
            host.file(file, text);
        }
        let text = CONFIG.replace("FOLDER", &host.dir().to_string_lossy());
        let config = Config::written(&host, "haproxy.cfg", &text);
        Bench::start(host, program, &config, &["8000", "8001"]).run(CASES)
    };
    let (ours, theirs) = beside(&proxy(), "haproxy", observe);
    let wrong = CASES.iter().filter(|case| theirs[case.name].status() != case.status);
    let wrong: Vec<_> = wrong.map(|case| (case.name, theirs[case.name].status())).collect();
    assert!(wrong.is_empty(), "the reference does not answer as the table says: {wrong:?}");
    let text: Vec<String> =
        CASES.iter().filter_map(|case| ours[case.name].differs(&theirs[case.name], case.name)).collect();
    assert!(text.is_empty(), "{} of {} differ\n{}", text.len(), CASES.len(), text.join("\n"));
}
