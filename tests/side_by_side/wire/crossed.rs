//! Forms that are crossed with each other: what each means alone says little about both at once.

use std::sync::LazyLock;

/// What a message is made of, and its bytes.
pub(super) type Message = (String, Vec<u8>);

/// Requests; `@` stands for the number of the case.
pub(super) fn requests() -> Vec<Message> {
    let mut all = Vec::new();
    let mut add = |name: String, text: String| all.push((name, text.into_bytes()));
    for (version, connection) in cross(VERSIONS, CONNECTIONS) {
        for (method, (framing, header, body)) in cross(&["GET", "POST", "HEAD", "OPTIONS"], FRAMINGS) {
            let head = format!("{method} /@/plain {version}\r\nHost: a\r\n{connection}{header}\r\n");
            add(format!("{method} {version} {} {framing}", bracketed(connection)), head + body + NEXT);
        }
    }
    for (target, host) in cross(TARGETS, HOSTS) {
        for method in ["GET", "OPTIONS", "BREW"] {
            let head = format!("{method} {target} HTTP/1.1\r\nx-n: @/plain\r\n{host}\r\n");
            // A star stands for anything in the list of differences.
            add(format!("{method} {} {}", target.replace('*', "star"), bracketed(host)), head + NEXT);
        }
    }
    for (target, host) in cross(&["a:80", "a:443", "a:8080", "[::1]:80", "a", "a:"], HOSTS) {
        let head = format!("CONNECT {target} HTTP/1.1\r\nx-n: @/plain\r\n{host}\r\n");
        add(format!("CONNECT {target} {}", bracketed(host)), head);
    }
    for ((size, digits), (end, bytes)) in cross(SIZES, ENDS) {
        for (last, trailers) in LASTS {
            let head = "POST /@/plain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
            add(format!("{size}, {end}, {last}"), format!("{head}{digits}{bytes}hello\r\n{trailers}{NEXT}"));
        }
    }
    for (name, head, body) in ASKING {
        let asking = |wish: &str| head.replace("WISH", wish) + body + NEXT;
        for (at, (response, _)) in RESPONSES.iter().enumerate() {
            add(format!("{response} to {name}"), asking(&format!("x-{at}")));
        }
        for wish in ["first", "first-refuses", "first-closes"] {
            add(format!("{wish} to {name}"), asking(wish));
        }
    }
    all
}

/// Responses.
pub(super) static RESPONSES: LazyLock<Vec<Message>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for (version, status) in cross(&["HTTP/1.1", "HTTP/1.0"], STATUSES) {
        for (connection, (framing, header, body)) in cross(ANSWERED, ANSWERS) {
            let after = if status < 200 && status != 101 { FINAL } else { "" };
            let text = format!("{version} {status} Reason\r\n{connection}{header}\r\n{body}{after}");
            all.push((format!("{version} {status} {} {framing}", bracketed(connection)), text.into_bytes()));
        }
    }
    all
});

fn bracketed(header: &str) -> String {
    format!("[{}]", header.trim().replace("\r\n", "|"))
}

fn cross<A: Copy, B: Copy>(a: &[A], b: &[B]) -> Vec<(A, B)> {
    a.iter().flat_map(|a| b.iter().map(|b| (*a, *b))).collect()
}

/// A request behind another one.
const NEXT: &str = "GET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n";
/// What comes behind an interim response.
const FINAL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const VERSIONS: &[&str] = &["HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/1.2", "HTTP/2.0"];
const CONNECTIONS: &[&str] = &[
    "",
    "Connection: close\r\n",
    "Connection: Keep-Alive\r\n",
    "Connection: keep-alive, close\r\n",
    "Connection: x, ,y,\r\n",
    "Connection: ,\r\n",
    "Connection: close\r\nConnection: keep-alive\r\n",
    "Connection: TE, x\r\nTE: gzip, trailers\r\n",
];
/// Name, header and body.
const FRAMINGS: &[(&str, &str, &str)] = &[
    ("no body", "", ""),
    ("length", "Content-Length: 5\r\n", "hello"),
    ("chunks", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    ("both", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
];
const TARGETS: &[&str] = &[
    "/p",
    "*",
    "http://a",
    "http://a:80/p",
    "https://a:443/p",
    "http://a:443/p",
    "http://u@a/p",
    "http://[::1]:80/p",
    "http://A/p",
    "http://a:/p",
    "http://a?q",
    "ftp://a/p",
];
const HOSTS: &[&str] = &[
    "",
    "Host: a\r\n",
    "Host: A\r\n",
    "Host: a:80\r\n",
    "Host: a:443\r\n",
    "Host: b\r\n",
    "Host: a\r\nHost: A\r\n",
    "Host: [::1]\r\n",
];
const SIZES: &[(&str, &str)] = &[
    ("size", "5"),
    ("size with zeros", "0005"),
    ("size and blank", "5 "),
    ("extension", "5;x"),
    ("quoted extension", "5;x=\"y\""),
    ("open quote", "5;x=\"y"),
    ("backslash", "5;x\\"),
    ("great size", "10000000000005"),
    ("no size", "5x"),
    ("empty size", ""),
];
const ENDS: &[(&str, &str)] =
    &[("its end", "\r\n"), ("line feed", "\n"), ("two returns", "\r\r\n"), ("blank", " \r\n")];
const LASTS: &[(&str, &str)] = &[
    ("end", "0\r\n\r\n"),
    ("end with extension", "00;x\r\n\r\n"),
    ("trailer", "0\r\nX-T: 1\r\n\r\n"),
    ("folded trailer", "0\r\nX-T: 1\r\n y\r\n\n"),
    ("bad trailer", "0\r\nX T: 1\r\n\r\n"),
];
const STATUSES: &[u16] = &[100, 101, 103, 200, 204, 205, 304, 404, 599, 999];
const ANSWERED: &[&str] =
    &["", "Connection: close\r\n", "Connection: keep-alive\r\n", "Connection: upgrade\r\nUpgrade: x\r\n"];
/// Name, header and body.
const ANSWERS: &[(&str, &str, &str)] = &[
    ("of no length", "", ""),
    ("empty", "Content-Length: 0\r\n", ""),
    ("length", "Content-Length: 2\r\n", "ok"),
    ("chunks", "Transfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\nX-T: 1\r\n\r\n"),
    ("both", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\n\r\n"),
];
/// Requests for a response: name, head and body.
const ASKING: &[(&str, &str, &str)] = &[
    ("GET", "GET /@/WISH HTTP/1.1\r\nHost: a\r\n\r\n", ""),
    ("GET of 1.0", "GET /@/WISH HTTP/1.0\r\n\r\n", ""),
    ("HEAD", "HEAD /@/WISH HTTP/1.1\r\nHost: a\r\n\r\n", ""),
    ("an upgrade", "GET /@/WISH HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", ""),
    ("POST", "POST /@/WISH HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "hello"),
    (
        "chunks",
        "POST /@/WISH HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
    ),
    ("CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\nx-n: @/WISH\r\n\r\n", ""),
];
