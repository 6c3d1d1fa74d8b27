//! The table: what is sent, and the status it must be answered with.
//!
//! `@` in a request stands for the number of the case, by which the server knows what reached it.

/// One exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    send: Bytes,
    /// The frontend.
    pub(super) port: u16,
    /// The status of the first answer; nothing when the connection is to end without one.
    pub(super) status: Option<u16>,
    /// Whether the client ends its direction after sending.
    pub(super) half_close: bool,
    /// Whether it leaves a log line.
    pub(super) logged: bool,
}

#[derive(Clone, Copy, Debug)]
enum Bytes {
    Text(&'static str),
    Raw(&'static [u8]),
    /// A request whose head is padded with this many bytes of header.
    Padded(usize),
    /// A request whose URI is padded with this many bytes.
    LongUri(usize),
    /// A request with this many headers.
    Headers(usize),
}

impl Case {
    /// A request that nothing is wrong with.
    pub(super) const SOUND: Self =
        get("sound", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n", 200);

    /// What to send as the case of this number.
    pub(super) fn bytes(&self, number: usize) -> Vec<u8> {
        match self.send {
            Bytes::Text(text) => text.replace('@', &number.to_string()).into_bytes(),
            Bytes::Raw(bytes) => bytes.to_vec(),
            Bytes::Padded(count) => {
                format!("GET /{number}/p HTTP/1.1\r\nHost: lab\r\nX-Pad: {}\r\n\r\n", "p".repeat(count))
                    .into_bytes()
            }
            Bytes::LongUri(count) => {
                format!("GET /{number}/p?{} HTTP/1.1\r\nHost: lab\r\n\r\n", "q".repeat(count)).into_bytes()
            }
            Bytes::Headers(count) => {
                let headers: String = (0..count).map(|at| format!("X-{at}: {at}\r\n")).collect();
                format!("GET /{number}/p HTTP/1.1\r\nHost: lab\r\n{headers}\r\n").into_bytes()
            }
        }
    }

    pub(super) const fn on(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    const fn half(mut self) -> Self {
        self.half_close = true;
        self
    }

    const fn unlogged(mut self) -> Self {
        self.logged = false;
        self
    }
}

const fn case(name: &'static str, send: Bytes, status: u16) -> Case {
    let status = if status == 0 { None } else { Some(status) };
    Case { name, send, port: 8000, status, half_close: false, logged: true }
}

pub(super) const fn get(name: &'static str, text: &'static str, status: u16) -> Case {
    case(name, Bytes::Text(text), status)
}

/// The frontend with options and rules.
const DRESSED: u16 = 8001;
/// The statistics page.
const COUNTERS: u16 = 8002;

pub(super) const CASES: &[Case] = &[
    // Sound requests of every shape.
    Case::SOUND,
    get("get", "GET /@/plain HTTP/1.1\r\nHost: lab\r\n\r\n", 200),
    get("http/1.0", "GET /@/plain HTTP/1.0\r\n\r\n", 200),
    get("http/1.0 keep-alive", "GET /@/plain HTTP/1.0\r\nHost: lab\r\nConnection: keep-alive\r\n\r\n", 200),
    get("head", "HEAD /@/plain HTTP/1.1\r\nHost: lab\r\n\r\n", 200),
    get("post", "POST /@/plain HTTP/1.1\r\nHost: lab\r\nContent-Length: 5\r\n\r\nhello", 200),
    get(
        "post chunked",
        "POST /@/plain HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        200,
    ),
    get(
        "chunk extension",
        "POST /@/plain HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
        200,
    ),
    get(
        "pipeline",
        "GET /@/plain HTTP/1.1\r\nHost: lab\r\n\r\nGET /@/none HTTP/1.1\r\nHost: lab\r\n\r\n",
        200,
    ),
    get("options *", "OPTIONS * HTTP/1.1\r\nHost: lab\r\n\r\n", 200),
    get("absolute form", "GET http://lab/@/plain HTTP/1.1\r\nHost: lab\r\n\r\n", 200),
    get(
        "header case",
        "GET /@/headers HTTP/1.1\r\nHOST: Lab\r\nX-MiXeD: VaLuE\r\nAccept:*/*\r\nX-Space:   a  \r\n\r\n",
        200,
    ),
    get("leading empty lines", "\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: lab\r\n\r\n", 200),
    get("odd method", "BREW /@/plain HTTP/1.1\r\nHost: lab\r\n\r\n", 200),
    get("client half closes", "GET /@/plain HTTP/1.1\r\nHost: lab\r\n\r\n", 200).half(),
    get("big body", "GET /@/big HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n", 200),
    get("no host", "GET /@/plain HTTP/1.1\r\n\r\n", 200),
    get(
        "same content-length twice",
        "POST /@/plain HTTP/1.1\r\nHost: lab\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        200,
    ),
    get(
        "expect continue",
        "POST /@/continue HTTP/1.1\r\nHost: lab\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
        100,
    ),
    get("line feeds alone", "GET /@/plain HTTP/1.1\nHost: lab\n\n", 200),
    // Bad requests. Where HAProxy takes one as it is meant, so do we: the status is HAProxy's.
    case("garbage", Bytes::Raw(b"\x00\x01\x02\x03garbage\r\n\r\n"), 400),
    case("tls hello", Bytes::Raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcdefgh"), 400),
    get("no version", "GET /@/plain\r\n\r\n", 400),
    get("version 9", "GET /@/plain HTTP/9.9\r\nHost: lab\r\n\r\n", 200),
    get("version text", "GET /@/plain HTTQ/1.1\r\nHost: lab\r\n\r\n", 400),
    get("two spaces", "GET  /@/plain HTTP/1.1\r\nHost: lab\r\n\r\n", 200),
    get("space in name", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX Bad: a\r\n\r\n", 400),
    get("space before colon", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Bad : a\r\n\r\n", 400),
    get("no colon", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nXBad\r\n\r\n", 400),
    get("empty name", "GET /@/plain HTTP/1.1\r\nHost: lab\r\n: a\r\n\r\n", 400),
    case("nul in value", Bytes::Raw(b"GET /x HTTP/1.1\r\nHost: lab\r\nX: a\x00b\r\n\r\n"), 200),
    case("control in uri", Bytes::Raw(b"GET /x\x01y HTTP/1.1\r\nHost: lab\r\n\r\n"), 400),
    case("high byte in uri", Bytes::Raw(b"GET /x\xe9y HTTP/1.1\r\nHost: lab\r\n\r\n"), 400),
    get(
        "content-lengths that differ",
        "POST /@/plain HTTP/1.1\r\nHost: lab\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        400,
    ),
    get(
        "content-length list",
        "POST /@/plain HTTP/1.1\r\nHost: lab\r\nContent-Length: 5, 6\r\n\r\nhello",
        400,
    ),
    get(
        "content-length negative",
        "POST /@/plain HTTP/1.1\r\nHost: lab\r\nContent-Length: -1\r\n\r\nhello",
        400,
    ),
    get("content-length plus", "POST /@/plain HTTP/1.1\r\nHost: lab\r\nContent-Length: +5\r\n\r\nhello", 400),
    get(
        "content-length huge",
        "POST /@/plain HTTP/1.1\r\nHost: lab\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
        400,
    ),
    get("content-length empty", "POST /@/plain HTTP/1.1\r\nHost: lab\r\nContent-Length: \r\n\r\nhello", 400),
    get(
        "smuggling: length and chunked",
        "POST /@/plain HTTP/1.1\r\nHost: lab\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /@/none HTTP/1.1\r\nHost: lab\r\n\r\n",
        200,
    ),
    get(
        "smuggling: unknown coding",
        "POST /@/plain HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    get(
        "smuggling: chunked not last",
        "POST /@/plain HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        400,
    ),
    get(
        "smuggling: chunked twice",
        "POST /@/plain HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    get(
        "smuggling: chunked on 1.0",
        "POST /@/plain HTTP/1.0\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        200,
    ),
    get("smuggling: folded header", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Long: a\r\n b\r\n\r\n", 200),
    get("two hosts", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nHost: other\r\n\r\n", 400),
    get("hosts that differ", "GET http://one/@/plain HTTP/1.1\r\nHost: two\r\n\r\n", 400),
    get(
        "bad chunk size",
        "POST /@/plain HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        400,
    ),
    get(
        "chunk size too long",
        "POST /@/plain HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n",
        400,
    ),
    get(
        "chunk without its end",
        "POST /@/plain HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
        400,
    ),
    case("head too large", Bytes::Padded(17_000), 400),
    case("head that just fits", Bytes::Padded(14_000), 200),
    case("uri too long", Bytes::LongUri(17_000), 400),
    case("long uri", Bytes::LongUri(12_000), 200),
    case("many headers", Bytes::Headers(99), 200),
    case("too many headers", Bytes::Headers(110), 400),
    get("truncated head", "GET /@/plain HTTP/1.1\r\nHost: l", 408),
    get("truncated head and closed", "GET /@/plain HTTP/1.1\r\nHost: l", 400).half(),
    get("truncated body", "POST /@/plain HTTP/1.1\r\nHost: lab\r\nContent-Length: 50\r\n\r\nhello", 504),
    get("nothing", "", 408),
    get("nothing and closed", "", 400).half(),
    // Servers that do not behave.
    get("server: garbage", "GET /@/garbage HTTP/1.1\r\nHost: lab\r\n\r\n", 502),
    get("server: closes", "GET /@/closes HTTP/1.1\r\nHost: lab\r\n\r\n", 502),
    get("server: half a head", "GET /@/half-head HTTP/1.1\r\nHost: lab\r\n\r\n", 502),
    get("server: half a body", "GET /@/half-body HTTP/1.1\r\nHost: lab\r\n\r\n", 200),
    get("server: silent", "GET /@/silent HTTP/1.1\r\nHost: lab\r\n\r\n", 504),
    get("server: bad chunk", "GET /@/bad-chunk HTTP/1.1\r\nHost: lab\r\n\r\n", 502),
    get("server: lengths differ", "GET /@/two-lengths HTTP/1.1\r\nHost: lab\r\n\r\n", 502),
    get("server: bad length", "GET /@/bad-length HTTP/1.1\r\nHost: lab\r\n\r\n", 502),
    get("server: huge head", "GET /@/huge-head HTTP/1.1\r\nHost: lab\r\n\r\n", 502),
    get("server: bad name", "GET /@/bad-name HTTP/1.1\r\nHost: lab\r\n\r\n", 502),
    get("server: space before colon", "GET /@/space-colon HTTP/1.1\r\nHost: lab\r\n\r\n", 502),
    get("server: version", "GET /@/version HTTP/1.1\r\nHost: lab\r\n\r\n", 200),
    // Servers that behave in unusual ways.
    get("server: same lengths", "GET /@/same-lengths HTTP/1.1\r\nHost: lab\r\n\r\n", 200),
    get("server: length and chunked", "GET /@/both HTTP/1.1\r\nHost: lab\r\n\r\n", 200),
    get("server: no length", "GET /@/no-length HTTP/1.1\r\nHost: lab\r\n\r\n", 200),
    get("server: http/1.0", "GET /@/old HTTP/1.1\r\nHost: lab\r\n\r\n", 200),
    get("server: chunked", "GET /@/chunked HTTP/1.1\r\nHost: lab\r\n\r\n", 200),
    get("server: chunked for http/1.0", "GET /@/chunked HTTP/1.0\r\nHost: lab\r\n\r\n", 200),
    get("server: trailer", "GET /@/trailer HTTP/1.1\r\nHost: lab\r\n\r\n", 200),
    get("server: continue", "GET /@/continue HTTP/1.1\r\nHost: lab\r\n\r\n", 100),
    get("server: early hints", "GET /@/hints HTTP/1.1\r\nHost: lab\r\n\r\n", 103),
    get("server: no content", "GET /@/none HTTP/1.1\r\nHost: lab\r\n\r\n", 204),
    get("server: not modified", "GET /@/same HTTP/1.1\r\nHost: lab\r\n\r\n", 304),
    get("server: closes after", "GET /@/close HTTP/1.1\r\nHost: lab\r\n\r\n", 200),
    get("server: odd reason", "GET /@/reason HTTP/1.1\r\nHost: lab\r\n\r\n", 299),
    get("server: no reason", "GET /@/bare HTTP/1.1\r\nHost: lab\r\n\r\n", 200),
    get("server: line feeds alone", "GET /@/lf HTTP/1.1\r\nHost: lab\r\n\r\n", 200),
    get("server: folded header", "GET /@/fold HTTP/1.1\r\nHost: lab\r\n\r\n", 200),
    get("server: error", "GET /@/error HTTP/1.1\r\nHost: lab\r\n\r\n", 500),
    get(
        "server: switches",
        "GET /@/upgrade HTTP/1.1\r\nHost: lab\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
        101,
    ),
    // Options and rules.
    get("dressed", "GET /@/headers HTTP/1.1\r\nHost: lab\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n", 200)
        .on(DRESSED),
    get("dressed post", "POST /@/plain HTTP/1.1\r\nHost: lab\r\nContent-Length: 3\r\n\r\nabc", 200)
        .on(DRESSED),
    get("dressed http/1.0", "GET /@/plain HTTP/1.0\r\n\r\n", 200).on(DRESSED),
    get("cookie inserted", "GET /api/@/plain HTTP/1.1\r\nHost: lab\r\nCookie: A=1\r\n\r\n", 200).on(DRESSED),
    get("cookie known", "GET /api/@/plain HTTP/1.1\r\nHost: lab\r\nCookie: A=1; WHO=a; B=2\r\n\r\n", 200)
        .on(DRESSED),
    get("cookie unknown", "GET /api/@/plain HTTP/1.1\r\nHost: lab\r\nCookie: WHO=zzz\r\n\r\n", 200)
        .on(DRESSED),
    get("nobody there", "GET /@/app.css HTTP/1.1\r\nHost: lab\r\n\r\n", 503).on(DRESSED),
    get("bad request when dressed", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX Bad: a\r\n\r\n", 400)
        .on(DRESSED),
    get("nothing when dressed", "", 400).on(DRESSED).half().unlogged(),
    get("no such backend", "GET /@/plain HTTP/1.1\r\nHost: lab\r\n\r\n", 503).on(COUNTERS),
    get("page without password", "GET /stats HTTP/1.1\r\nHost: lab\r\n\r\n", 401).on(COUNTERS),
    get(
        "page with a wrong password",
        "GET /stats HTTP/1.1\r\nHost: lab\r\nAuthorization: Basic YWRtaW46eHh4\r\n\r\n",
        401,
    )
    .on(COUNTERS),
];
