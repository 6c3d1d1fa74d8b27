//! A plain HTTP/1 client: raw bytes out, a parsed answer back, nothing done behind the test's back.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::host::Host;

/// How long an answer may take unless a test says otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// An HTTP answer as it came.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    /// The status code.
    pub(crate) status: u16,
    /// Header names as written, with their values.
    pub(crate) headers: Vec<(String, String)>,
    /// The body with its framing taken off.
    pub(crate) body: Vec<u8>,
    /// The status line and the headers, byte for byte.
    pub(crate) head: String,
}

impl Response {
    /// The first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text, without the space around it.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim().to_owned()
    }

    /// Takes one answer from the front of `buffer`; none yet when more bytes are needed.
    ///
    /// `ended` says that no more bytes will come, which is how an answer without a length ends.
    pub(crate) fn take(buffer: &mut Vec<u8>, ended: bool) -> Result<Option<Self>> {
        let mut slots = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Response::new(&mut slots);
        let status = parsed.parse(buffer).map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
        let httparse::Status::Complete(start) = status else { return incomplete(buffer, ended) };
        let mut answer = Self {
            status: parsed.code.unwrap_or_default(),
            headers: parsed
                .headers
                .iter()
                .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
                .collect(),
            body: Vec::new(),
            head: String::from_utf8_lossy(&buffer[..start]).into_owned(),
        };
        let chunked =
            answer.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        let length = answer.header("content-length").and_then(|value| value.parse::<usize>().ok());
        let rest = &buffer[start..];
        let used = if answer.status < 200 || matches!(answer.status, 204 | 304) {
            Some(0)
        } else if chunked {
            unchunk(rest, &mut answer.body)?
        } else if let Some(length) = length {
            (rest.len() >= length).then(|| {
                answer.body.extend_from_slice(&rest[..length]);
                length
            })
        } else {
            ended.then(|| {
                answer.body.extend_from_slice(rest);
                rest.len()
            })
        };
        let Some(used) = used else { return incomplete(buffer, ended) };
        buffer.drain(..start + used);
        Ok(Some(answer))
    }
}

fn incomplete<T>(buffer: &[u8], ended: bool) -> Result<Option<T>> {
    if ended {
        let what = format!("closed after {} bytes of an answer", buffer.len());
        return Err(Error::new(ErrorKind::UnexpectedEof, what));
    }
    Ok(None)
}

/// Decodes a chunked body; gives the bytes it took, or nothing when it is not all there.
fn unchunk(mut rest: &[u8], body: &mut Vec<u8>) -> Result<Option<usize>> {
    let whole = rest.len();
    loop {
        let bad = || Error::new(ErrorKind::InvalidData, "bad chunk size");
        let httparse::Status::Complete((start, size)) =
            httparse::parse_chunk_size(rest).map_err(|_| bad())?
        else {
            return Ok(None);
        };
        let size = usize::try_from(size).map_err(|_| bad())?;
        if rest.len() < start + size + 2 {
            return Ok(None);
        }
        body.extend_from_slice(&rest[start..start + size]);
        rest = &rest[start + size + 2..];
        if size == 0 {
            // Peers in the lab send no trailers: the line after the last chunk is empty.
            return Ok(Some(whole - rest.len()));
        }
    }
}

/// A connection that stays open between requests.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects from `host`.
    pub(crate) fn open(host: &Host, address: &str) -> Result<Self> {
        Self::open_within(host, address, PATIENCE)
    }

    /// Connects from `host`; the connection and every answer may take `patience`.
    pub(crate) fn open_within(host: &Host, address: &str, patience: Duration) -> Result<Self> {
        let address: SocketAddr =
            address.parse().map_err(|error| Error::new(ErrorKind::InvalidInput, error))?;
        let stream = host.run(|| TcpStream::connect_timeout(&address, patience))?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Reads one answer.
    pub(crate) fn receive(&mut self) -> Result<Response> {
        let mut ended = false;
        loop {
            if let Some(answer) = Response::take(&mut self.buffer, ended)? {
                return Ok(answer);
            }
            ended = self.fill()? == 0;
        }
    }

    /// Sends bytes and reads one answer.
    pub(crate) fn exchange(&mut self, bytes: impl AsRef<[u8]>) -> Result<Response> {
        self.send(bytes)?;
        self.receive()
    }

    /// Asks for `path` in the plainest way that keeps the connection.
    pub(crate) fn get(&mut self, path: &str) -> Result<Response> {
        self.exchange(format!("GET {path} HTTP/1.1\r\nHost: lab\r\n\r\n"))
    }

    fn fill(&mut self) -> Result<usize> {
        let mut piece = [0; 16384];
        let read = self.stream.read(&mut piece)?;
        self.buffer.extend_from_slice(&piece[..read]);
        Ok(read)
    }
}

/// Asks for `path` at `address` from `host`, on a connection of its own.
pub(crate) fn get(host: &Host, address: &str, path: &str) -> Result<Response> {
    Connection::open(host, address)?
        .exchange(format!("GET {path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"))
}

/// Reads a message up to the end of its head, and nothing of what follows.
pub(crate) fn read_head(stream: &mut TcpStream) -> Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
