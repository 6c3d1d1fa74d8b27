//! What the server behind both proxies answers: forms that a proxy and its client could read in two ways.

use super::crossed;

/// The response that `r-NUMBER` asks for; `d-NUMBER` asks for it byte by byte, and `x-NUMBER` for a crossed one.
pub(in crate::side_by_side) fn wished(wish: &str) -> Option<(&'static [u8], bool)> {
    let (how, number) = wish.split_once('-')?;
    let number = number.parse::<usize>().ok()?;
    if how == "x" {
        return crossed::RESPONSES.get(number).map(|(_, response)| (&**response, false));
    }
    let (_, response) = RESPONSES.get(number)?;
    matches!(how, "r" | "d").then_some((response, how == "d"))
}

/// Name and bytes. The server closes its connection behind each one that `Connection: close` or the lack of a length
/// calls for; behind the others it waits for the next request.
pub(super) const RESPONSES: &[(&str, &[u8])] = &[
    ("length", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ("length 0", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ("no length", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok"),
    ("no length of 1.0", b"HTTP/1.0 200 OK\r\n\r\nok"),
    ("kept of 1.0", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"),
    ("longer than said", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
    ("shorter than said", b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\nok"),
    ("same lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"),
    ("listed lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok"),
    ("other lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"),
    ("length with zeros", b"HTTP/1.1 200 OK\r\nContent-Length: 002\r\n\r\nok"),
    ("length with a sign", b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok"),
    ("negative length", b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok"),
    ("empty length", b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok"),
    ("length too great", b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\nok"),
    ("chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    ("chunks with extension", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\n"),
    ("chunks with trailer", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n"),
    ("chunks with a length as trailer", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nContent-Length: 2\r\n\r\n"),
    ("chunks cut", b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"),
    ("chunk too great", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\nok\r\n0\r\n\r\n"),
    ("chunk of no number", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n"),
    ("chunk longer than said", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n"),
    ("chunk with line feeds", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nok\n0\n\n"),
    ("chunks and length", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    ("length and chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    ("chunks of 1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    ("gzip", b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: gzip\r\n\r\nok"),
    ("gzip in chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    ("chunks in gzip", b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked, gzip\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    ("chunks twice", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    ("chunks in two lines", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    ("no coding", b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding:\r\n\r\nok"),
    ("coding of another name", b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: xchunked\r\n\r\nok"),
    ("204 with a length", b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n"),
    ("204 in chunks", b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("204 with a body", b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\nok"),
    ("304 with a length", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n"),
    ("304 in chunks", b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("205", b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"),
    ("100 first", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ("102 and 103 first", b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ("100 with a length", b"HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ("101 unasked", b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nbytes"),
    ("199", b"HTTP/1.1 199 Odd\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ("status 000", b"HTTP/1.1 000 Odd\r\nContent-Length: 2\r\n\r\nok"),
    ("status 0", b"HTTP/1.1 0 Odd\r\nConnection: close\r\n\r\nok"),
    ("status 001", b"HTTP/1.1 001 Odd\r\nContent-Length: 2\r\n\r\nok"),
    ("status 99", b"HTTP/1.1 99 Low\r\nContent-Length: 2\r\n\r\nok"),
    ("status 1000", b"HTTP/1.1 1000 High\r\nContent-Length: 2\r\n\r\nok"),
    ("status 999", b"HTTP/1.1 999 Top\r\nContent-Length: 2\r\n\r\nok"),
    ("status of letters", b"HTTP/1.1 2xx OK\r\nContent-Length: 2\r\n\r\nok"),
    ("no reason", b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok"),
    ("no space and no reason", b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok"),
    ("two spaces", b"HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ("version 1.2", b"HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ("version 2.0", b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ("another protocol", b"RTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ("line feeds", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
    ("line feed at the end", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nok"),
    ("folded", b"HTTP/1.1 200 OK\r\nX-Long: a\r\n  b\r\nContent-Length: 2\r\n\r\nok"),
    ("folded length", b"HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nok"),
    ("blank before the colon", b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok"),
    ("blank in a name", b"HTTP/1.1 200 OK\r\nX Y: 1\r\nContent-Length: 2\r\n\r\nok"),
    ("no colon", b"HTTP/1.1 200 OK\r\nodd\r\nContent-Length: 2\r\n\r\nok"),
    ("NUL in a value", b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\nok"),
    ("return in a value", b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nok"),
    ("bytes above 127", b"HTTP/1.1 200 OK\r\nX: \xe9\r\nContent-Length: 2\r\n\r\nok"),
    ("close and keep-alive", b"HTTP/1.1 200 OK\r\nConnection: keep-alive, close\r\nContent-Length: 2\r\n\r\nok"),
    ("names of its hop", b"HTTP/1.1 200 OK\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=3\r\nContent-Length: 2\r\n\r\nok"),
    ("proxy connection", b"HTTP/1.1 200 OK\r\nProxy-Connection: keep-alive\r\nContent-Length: 2\r\n\r\nok"),
    ("upgrade offered", b"HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nok"),
    ("case of names", b"HTTP/1.1 200 OK\r\nX-UPPER: One\r\nx-upper: Two\r\nCONTENT-LENGTH: 2\r\n\r\nok"),
    ("empty lines first", b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ("nothing of HTTP", b"hello\r\n\r\n"),
    ("two responses", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
];
