//! What is sent: families of requests that a proxy and the server behind it could read in two ways, each on every
//! frontend that treats it in its own manner.
//!
//! `@` stands for the number of the case, by which the server knows what reached it.

use super::crossed;
use super::responses::RESPONSES;

/// One connection of a client.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// Frontend, family and form: unique.
    pub(super) name: String,
    pub(super) port: u16,
    send: Vec<u8>,
}

impl Case {
    /// What to send as the case of this number.
    pub(super) fn bytes(&self, number: usize) -> Vec<u8> {
        let digits = number.to_string();
        let mut out = Vec::with_capacity(self.send.len() + digits.len());
        for &byte in &self.send {
            match byte {
                b'@' => out.extend_from_slice(digits.as_bytes()),
                _ => out.push(byte),
            }
        }
        out
    }
}

/// A request behind another one: whoever disagrees about the first one's end shows it here.
const NEXT: &[u8] = b"GET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n";
const POST: &[u8] = b"POST /@/plain HTTP/1.1\r\nHost: a\r\n";
const HELLO: &[u8] = b"5\r\nhello\r\n0\r\n\r\n";

/// Every request, of every family.
fn requests() -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut add = |family: &str, name: &str, parts: &[&[u8]]| {
        all.push((format!("{family} {name}"), parts.concat()));
    };
    for (name, coding) in CODINGS {
        let head = [POST, b"Transfer-Encoding:", coding, b"\r\n\r\n", HELLO].concat();
        add("coding", name, &[&head]);
        add("coding", &format!("{name}, then another"), &[&head, NEXT]);
    }
    let zeros = [b" ".as_slice(), "0".repeat(40).as_bytes(), b"5"].concat();
    for (name, length) in LENGTHS.iter().copied().chain([("many zeros", zeros.as_slice())]) {
        add("length", name, &[POST, b"Content-Length:", length, b"\r\n\r\nhello", NEXT]);
    }
    let long_extension = format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(300));
    let long_trailer = format!("5\r\nhello\r\n0\r\nX: {}\r\n\r\n", "v".repeat(9000));
    let long = [("long extension", long_extension.as_bytes()), ("long trailer", long_trailer.as_bytes())];
    for (name, chunks) in CHUNKS.iter().copied().chain(long) {
        add("chunk", name, &[POST, b"Transfer-Encoding: chunked\r\n\r\n", chunks, NEXT]);
    }
    for (name, request) in FRAMED {
        add("framed", name, &[request]);
    }
    for (name, request) in REQUESTS {
        add("form", name, &[request]);
    }
    add("form", "long method", &["M".repeat(200).as_bytes(), b" /@/plain HTTP/1.1\r\nHost: a\r\n\r\n"]);
    for (at, (name, _)) in RESPONSES.iter().enumerate() {
        for (how, letter) in [("", 'r'), (", piece by piece", 'd')] {
            let request = format!("GET /@/{letter}-{at} HTTP/1.1\r\nHost: a\r\n\r\n");
            add("response", &format!("{name}{how}"), &[request.as_bytes(), NEXT]);
        }
        let head = format!("HEAD /@/r-{at} HTTP/1.1\r\nHost: a\r\n\r\n");
        add("response", &format!("{name} to HEAD"), &[head.as_bytes(), NEXT]);
    }
    all
}

/// Everything that is about how long a connection lives or where a body ends.
fn is_about_ends(name: &str) -> bool {
    let forms = ["conn", "ka10", "upgrade", "expect", "pipeline"];
    let of_form =
        name.strip_prefix("form ").is_some_and(|form| forms.iter().any(|start| form.starts_with(start)));
    of_form
        || ["coding ", "length ", "framed ", "chunk ext", "chunk trailer"]
            .iter()
            .any(|start| name.starts_with(start))
}

/// Everything that rules can see a part of.
fn is_about_parts(name: &str) -> bool {
    let words = ["abs", "host", "xff", "star", "frag", "noslash", "expect"];
    let of_form = name.strip_prefix("form ").is_some_and(|form| words.iter().any(|word| form.contains(word)));
    of_form || name.starts_with("chunk ") || matches!(name, "coding chunked" | "length ok")
}

/// Every case, on every frontend it says something about.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, send) in requests() {
        let mut on = |frontend: &str, port: u16| {
            cases.push(Case { name: format!("{frontend}: {name}"), port, send: send.clone() });
        };
        on("plain", 8001);
        on("relaxed", 8002);
        if is_about_ends(&name) {
            on("close", 8003);
            on("buffered", 8004);
            on("server-close", 8005);
        }
        if is_about_parts(&name) {
            on("rules", 8006);
        }
    }
    // Crossed forms are many: each is tried on one of the frontends.
    let frontends = [
        ("plain", 8001),
        ("relaxed", 8002),
        ("close", 8003),
        ("buffered", 8004),
        ("server-close", 8005),
        ("rules", 8006),
    ];
    for ((name, send), (frontend, port)) in crossed::requests().into_iter().zip(frontends.into_iter().cycle())
    {
        cases.push(Case { name: format!("{frontend}: {CROSSED}{name}"), port, send });
    }
    cases
}

/// Stands in the names of crossed forms.
pub(super) const CROSSED: &str = "crossed ";

/// What may follow `Transfer-Encoding:` in a request whose body is in chunks.
const CODINGS: &[(&str, &[u8])] = &[
    ("chunked", b" chunked"),
    ("upper", b" Chunked"),
    ("upper2", b" CHUNKED"),
    ("tab", b"\tchunked"),
    ("vt", b" \x0bchunked"),
    ("trailing space", b" chunked "),
    ("trailing tab", b" chunked\t"),
    ("comma", b" chunked,"),
    ("lead comma", b" ,chunked"),
    ("empty", b" "),
    ("identity", b" identity"),
    ("gzip chunked", b" gzip, chunked"),
    ("chunked gzip", b" chunked, gzip"),
    ("chunked chunked", b" chunked, chunked"),
    ("quoted", b" \"chunked\""),
    ("semicolon", b" chunked;q=1"),
    ("nul", b" chunked\x00"),
    ("ident chunked", b" identity, chunked"),
    ("xchunked", b" xchunked"),
    ("gz ch nospace", b" gzip,chunked"),
    ("trailers", b" trailers, chunked"),
    ("cr", b" chunked\r"),
];

/// What may follow `Content-Length:` in a request whose body is `hello`.
const LENGTHS: &[(&str, &[u8])] = &[
    ("ok", b" 5"),
    ("zeros", b" 0005"),
    ("plus", b" +5"),
    ("minus", b" -5"),
    ("hex", b" 0x5"),
    ("dec", b" 5.0"),
    ("exp", b" 5e0"),
    ("space in", b" 5 5"),
    ("comma", b" 5,5"),
    ("comma sp", b" 5, 5"),
    ("comma diff", b" 5, 6"),
    ("comma trail", b" 5,"),
    ("lead comma", b" ,5"),
    ("empty", b""),
    ("only space", b"  "),
    ("tab", b"\t5"),
    ("trailing", b" 5 "),
    ("trailing tab", b" 5\t"),
    ("trail vt", b" 5\x0b"),
    ("max", b" 18446744073709551615"),
    ("over", b" 18446744073709551616"),
    ("i64", b" 9223372036854775807"),
    ("i64o", b" 9223372036854775808"),
    ("alpha", b" 5a"),
    ("utf8", b" \xd9\xa5"),
    ("nul", b" 5\x00"),
];

/// Bodies behind `Transfer-Encoding: chunked`.
const CHUNKS: &[(&str, &[u8])] = &[
    ("ext", b"5;a=b\r\nhello\r\n0\r\n\r\n"),
    ("ext q", b"5;a=\"b\\\"c\"\r\nhello\r\n0\r\n\r\n"),
    ("ext lf", b"5;a=b\nhello\r\n0\r\n\r\n"),
    ("ext cr", b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    ("ext sp", b"5 ; a\r\nhello\r\n0\r\n\r\n"),
    ("sp", b"5 \r\nhello\r\n0\r\n\r\n"),
    ("tab", b"5\t\r\nhello\r\n0\r\n\r\n"),
    ("lead sp", b" 5\r\nhello\r\n0\r\n\r\n"),
    ("lf", b"5\nhello\n0\n\n"),
    ("lf size", b"5\nhello\r\n0\r\n\r\n"),
    ("lf data", b"5\r\nhello\n0\r\n\r\n"),
    ("cr size", b"5\rhello\r\n0\r\n\r\n"),
    ("hex0x", b"0x5\r\nhello\r\n0\r\n\r\n"),
    ("plus", b"+5\r\nhello\r\n0\r\n\r\n"),
    ("minus", b"-5\r\nhello\r\n0\r\n\r\n"),
    ("upper", b"A\r\n0123456789\r\n0\r\n\r\n"),
    ("lower", b"a\r\n0123456789\r\n0\r\n\r\n"),
    ("zeros", b"0000000000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("over", b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    ("over2", b"10000000000000000\r\nhello\r\n0\r\n\r\n"),
    ("big7", b"7fffffffffffffff\r\nhello\r\n"),
    ("u32", b"100000005\r\nhello\r\n0\r\n\r\n"),
    ("empty", b"\r\nhello\r\n0\r\n\r\n"),
    ("short", b"4\r\nhello\r\n0\r\n\r\n"),
    ("long", b"6\r\nhello\r\n0\r\n\r\n"),
    ("nodata crlf", b"5\r\nhello0\r\n\r\n"),
    ("zero00", b"5\r\nhello\r\n000\r\n\r\n"),
    ("zeroext", b"5\r\nhello\r\n0;x\r\n\r\n"),
    ("noend", b"5\r\nhello\r\n0\r\n"),
    ("trailer", b"5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n"),
    ("trailer cl", b"5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n"),
    ("trailer te", b"5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("trailer host", b"5\r\nhello\r\n0\r\nHost: b\r\n\r\n"),
    ("trailer conn", b"5\r\nhello\r\n0\r\nConnection: close\r\n\r\n"),
    ("trailer nocolon", b"5\r\nhello\r\n0\r\nfoo\r\n\r\n"),
    ("trailer sp", b"5\r\nhello\r\n0\r\nX T: 1\r\n\r\n"),
    ("trailer spcolon", b"5\r\nhello\r\n0\r\nX : 1\r\n\r\n"),
    ("trailer lf", b"5\r\nhello\r\n0\r\nX: 1\n\n"),
    ("trailer fold", b"5\r\nhello\r\n0\r\nX: 1\r\n 2\r\n\r\n"),
    ("trailer two", b"5\r\nhello\r\n0\r\nA: 1\r\nB: 2\r\n\r\n"),
    ("trailer case", b"5\r\nhello\r\n0\r\nX-CasE: VaL\r\n\r\n"),
    ("trailer empty name", b"5\r\nhello\r\n0\r\n: 1\r\n\r\n"),
    ("trailer nul", b"5\r\nhello\r\n0\r\nX: a\x00b\r\n\r\n"),
];

/// Whole requests about framing.
const FRAMED: &[(&str, &[u8])] = &[
    ("te two headers gzip chunked", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("te two headers chunked gzip", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("te two headers chunked empty", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding:\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("te space before colon", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("te leading space", b"POST /@/plain HTTP/1.1\r\nHost: a\r\n Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("te folded", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("te folded behind", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nX: y\r\n Transfer-Encoding: chunked\r\n\r\n"),
    ("te on get", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("te on head", b"HEAD /@/plain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("te on delete", b"DELETE /@/plain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("te 1.0", b"POST /@/plain HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("te 1.0 keep-alive", b"POST /@/plain HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("te 1.0 with cl", b"POST /@/plain HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("te 1.0 gzip chunked", b"POST /@/plain HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("te cl", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("cl te order", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("te cl ka", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("te cl huge", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("te cl bad", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("te cl dup differs", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("cl dup same", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhelloGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("cl dup same zeros", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 05\r\n\r\nhelloGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("cl dup diff", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhelloGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("cl three", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhelloGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("cl dup list", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\nContent-Length: 5\r\n\r\nhelloGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("cl space before colon", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhelloGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("cl on get", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("cl on head", b"HEAD /@/plain HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("cl 0 on post", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("post without cl", b"POST /@/plain HTTP/1.1\r\nHost: a\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("cl 1.0", b"POST /@/plain HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("cl case", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nCONTENT-LENGTH: 5\r\n\r\nhelloGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
];

/// Whole requests about everything else.
const REQUESTS: &[(&str, &[u8])] = &[
    ("lf all", b"GET /@/plain HTTP/1.1\nHost: a\nX: y\n\n"),
    ("lf line", b"GET /@/plain HTTP/1.1\nHost: a\r\n\r\n"),
    ("lf end", b"GET /@/plain HTTP/1.1\r\nHost: a\r\n\n"),
    ("cr only", b"GET /@/plain HTTP/1.1\rHost: a\r\r"),
    ("cr in value", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"),
    ("cr cr lf", b"GET /@/plain HTTP/1.1\r\nHost: a\r\r\n\r\n"),
    ("nul value", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n"),
    ("nul name", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nX\x00: a\r\n\r\n"),
    ("fold sp", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"),
    ("fold tab", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n"),
    ("fold empty", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nX: a\r\n \r\n\r\n"),
    ("fold three", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\t c\r\nY: z\r\n\r\n"),
    ("fold first", b"GET /@/plain HTTP/1.1\r\n Host: a\r\n\r\n"),
    ("fold host", b"GET /@/plain HTTP/1.1\r\nHost: a\r\n b\r\n\r\n"),
    ("fold lf", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nX: a\n b\r\n\r\n"),
    ("sp colon", b"GET /@/plain HTTP/1.1\r\nHost : a\r\n\r\n"),
    ("tab colon", b"GET /@/plain HTTP/1.1\r\nHost\t: a\r\n\r\n"),
    ("no colon", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nfoo\r\n\r\n"),
    ("colon only", b"GET /@/plain HTTP/1.1\r\nHost: a\r\n:\r\n\r\n"),
    ("at name", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nX@Y: 1\r\n\r\n"),
    ("paren name", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nX(Y): 1\r\n\r\n"),
    ("utf8 name", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nX\xe9: 1\r\n\r\n"),
    ("utf8 value", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nX: \xe9\r\n\r\n"),
    ("del value", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n"),
    ("ctl value", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n"),
    ("underscore", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nX_Y: 1\r\n\r\n"),
    ("emptyval", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n"),
    ("nospace", b"GET /@/plain HTTP/1.1\r\nHost:a\r\nX:b\r\n\r\n"),
    ("manyspace", b"GET /@/plain HTTP/1.1\r\nHost:   a   \r\nX: \t b\t \r\n\r\n"),
    ("hostlist", b"GET /@/plain HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    ("host2", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    ("host2diff", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    ("hostempty", b"GET /@/plain HTTP/1.1\r\nHost:\r\n\r\n"),
    ("hostport", b"GET /@/plain HTTP/1.1\r\nHost: a:80\r\n\r\n"),
    ("hostuser", b"GET /@/plain HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    ("hostslash", b"GET /@/plain HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    ("hostbad", b"GET /@/plain HTTP/1.1\r\nHost: a b\r\n\r\n"),
    ("hostctl", b"GET /@/plain HTTP/1.1\r\nHost: a\x01b\r\n\r\n"),
    ("abs", b"GET http://a/@/plain HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("abs mismatch", b"GET http://b/@/plain HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("abs nohost", b"GET http://b/@/plain HTTP/1.1\r\n\r\n"),
    ("abs port", b"GET http://a:80/@/plain HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("abs port2", b"GET http://a/@/plain HTTP/1.1\r\nHost: a:80\r\n\r\n"),
    ("abs port3", b"GET http://a:8080/@/plain HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("abs https", b"GET https://a:443/@/plain HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("abs user", b"GET http://u:p@a/@/plain HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("abs case", b"GET HTTP://A/@/plain HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("abs nopath", b"GET http://a HTTP/1.1\r\nHost: a\r\nx-n: @/plain\r\n\r\n"),
    ("abs query", b"GET http://a?x=1 HTTP/1.1\r\nHost: a\r\nx-n: @/plain\r\n\r\n"),
    ("abs empty", b"GET http:///@/plain HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("abs ftp", b"GET ftp://a/@/plain HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("abs 10", b"GET http://b/@/plain HTTP/1.0\r\nHost: a\r\n\r\n"),
    ("nohost", b"GET /@/plain HTTP/1.1\r\n\r\n"),
    ("star", b"OPTIONS * HTTP/1.1\r\nHost: a\r\nx-n: @/plain\r\n\r\n"),
    ("star get", b"GET * HTTP/1.1\r\nHost: a\r\nx-n: @/plain\r\n\r\n"),
    ("noslash", b"GET @/plain HTTP/1.1\r\nHost: a\r\nx-n: @/plain\r\n\r\n"),
    ("authority get", b"GET a:80 HTTP/1.1\r\nHost: a\r\nx-n: @/plain\r\n\r\n"),
    ("frag", b"GET /@/plain#x HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("space uri", b"GET /@/pl ain HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("tab uri", b"GET\t/@/plain\tHTTP/1.1\r\nHost: a\r\n\r\n"),
    ("quote uri", b"GET /@/plain?\"<>\\^`{|} HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("pct00", b"GET /@/plain%00 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("pctbad", b"GET /@/plain%zz HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("dots", b"GET /@/plain/../../x HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("dslash", b"GET //@/plain HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("v09", b"GET /@/plain\r\n"),
    ("v10", b"GET /@/plain HTTP/1.0\r\n\r\n"),
    ("v12", b"GET /@/plain HTTP/1.2\r\nHost: a\r\n\r\n"),
    ("v20", b"GET /@/plain HTTP/2.0\r\nHost: a\r\n\r\n"),
    ("v11x", b"GET /@/plain HTTP/1.1x\r\nHost: a\r\n\r\n"),
    ("v011", b"GET /@/plain HTTP/01.1\r\nHost: a\r\n\r\n"),
    ("v lower", b"GET /@/plain http/1.1\r\nHost: a\r\n\r\n"),
    ("v sp", b"GET /@/plain HTTP/1.1 \r\nHost: a\r\n\r\n"),
    ("lowmethod", b"get /@/plain HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("badmethod", b"G@T /@/plain HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("colonmethod", b"G:T /@/plain HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("lead space", b" GET /@/plain HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("lead lf", b"\n\nGET /@/plain HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("lead crlf3", b"\r\n\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("lead cr", b"\rGET /@/plain HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("conn close", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("conn both", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nConnection: close, keep-alive\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("conn names", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nConnection: X-Foo, keep-alive\r\nX-Foo: 1\r\nKeep-Alive: 3\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("conn two", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nConnection: X-Foo\r\nConnection: close\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("conn upper", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nConnection: CLOSE\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("conn te", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nTE: trailers\r\n\r\n"),
    ("te gzip", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nTE: gzip, trailers\r\nConnection: TE\r\n\r\n"),
    ("proxyconn", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nProxy-Connection: keep-alive\r\n\r\n"),
    ("ka10", b"GET /@/plain HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("expect", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhelloGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("expect bad", b"POST /@/plain HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 5\r\n\r\nhelloGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("expect10", b"POST /@/plain HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello"),
    ("upgrade", b"GET /@/tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nTUNNEL"),
    ("upgrade cl", b"GET /@/tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\nContent-Length: 5\r\n\r\nhelloTUNNEL"),
    ("upgrade te", b"GET /@/tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nTUNNEL"),
    ("upgrade 200", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("upgrade h2c", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("upgrade noconn", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("upgrade 10", b"GET /@/tunnel HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"),
    ("upgrade ws", b"GET /@/tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
    ("connect", b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nx-n: @/tunnel\r\n\r\nTUNNEL"),
    ("connect cl", b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nx-n: @/plain\r\nContent-Length: 5\r\n\r\nhello"),
    ("connect te", b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nx-n: @/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("connect path", b"CONNECT /x HTTP/1.1\r\nHost: a\r\nx-n: @/plain\r\n\r\n"),
    ("connect noport", b"CONNECT a HTTP/1.1\r\nHost: a\r\nx-n: @/plain\r\n\r\n"),
    ("connect mismatch", b"CONNECT b:443 HTTP/1.1\r\nHost: a:443\r\nx-n: @/plain\r\n\r\n"),
    ("connect 10", b"CONNECT a:443 HTTP/1.0\r\nHost: a:443\r\nx-n: @/plain\r\n\r\n"),
    ("trace", b"TRACE /@/plain HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("cookie2", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n"),
    ("xff", b"GET /@/plain HTTP/1.1\r\nHost: a\r\nX-A: 1,2\r\nX-A: 3\r\n\r\n"),
    ("pipeline3", b"GET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
    ("pipeline junk", b"GET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\njunk\r\n\r\n"),
    ("pipeline crlf", b"GET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n\r\nGET /@/plain HTTP/1.1\r\nHost: n\r\nX-Second: 1\r\n\r\n"),
];
