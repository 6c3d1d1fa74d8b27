//! Websockets: a chat service that answers with its name, and a client (RFC 6455, text frames up to 125 bytes).

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use base64::Engine;
use sha1::{Digest, Sha1};
use socket2::{Domain, Protocol, Socket, Type};

use super::host::Host;
use super::http::read_head;

/// What the accept header's hash is salted with (RFC 6455, section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The key every client of the lab sends.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const TEXT: u8 = 0x81;
const MASKED: u8 = 0x80;
const PATIENCE: Duration = Duration::from_secs(10);

/// A chat service: plain requests get its name, websockets get their messages back after its name.
pub(crate) struct Chat {
    // Threads end with the host's network; the listener is what keeps the port.
    _listener: TcpListener,
}

impl Chat {
    /// Serves on `port` of `host`.
    pub(crate) fn start(host: &Host, port: u16) -> Self {
        let listener = host.run(|| TcpListener::bind(("0.0.0.0", port))).unwrap();
        let accepting = listener.try_clone().unwrap();
        let name = host.name().to_owned();
        std::thread::spawn(move || {
            for stream in accepting.incoming().flatten() {
                let name = name.clone();
                std::thread::spawn(move || serve(stream, &name));
            }
        });
        Self { _listener: listener }
    }
}

fn serve(mut stream: TcpStream, name: &str) -> Result<()> {
    loop {
        let head = read_head(&mut stream)?;
        let header = |wanted: &str| {
            head.lines()
                .filter_map(|line| line.split_once(':'))
                .find_map(|(key, value)| key.eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned()))
        };
        let Some(key) = header("sec-websocket-key") else {
            let body = format!("{name} for {}\n", header("x-forwarded-for").unwrap_or_default());
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
            continue;
        };
        let hash = Sha1::digest(format!("{key}{GUID}"));
        let accept = base64::engine::general_purpose::STANDARD.encode(hash);
        write!(
            stream,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        )?;
        loop {
            let message = read_frame(&mut stream)?;
            write_frame(&mut stream, &format!("{name}: {message}"), false)?;
        }
    }
}

/// A client's websocket.
pub(crate) struct WebSocket {
    stream: TcpStream,
}

impl WebSocket {
    /// Connects from one of the host's addresses and upgrades.
    pub(crate) fn open(host: &Host, from: &str, to: &str) -> Result<Self> {
        let from: IpAddr = from.parse().unwrap();
        let to: SocketAddr = to.parse().unwrap();
        let mut stream: TcpStream = host.run(|| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
            socket.bind(&SocketAddr::new(from, 0).into())?;
            socket.connect_timeout(&to.into(), PATIENCE)?;
            Ok::<TcpStream, Error>(socket.into())
        })?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "GET /chat HTTP/1.1\r\nHost: ws.lab\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        )?;
        let head = read_head(&mut stream)?;
        // The answer to this key is in RFC 6455, section 1.3.
        let accepted = head.starts_with("HTTP/1.1 101 ") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        accepted.then_some(Self { stream }).ok_or_else(|| Error::new(ErrorKind::InvalidData, head))
    }

    /// Says something and gives what comes back.
    pub(crate) fn say(&mut self, message: &str) -> Result<String> {
        write_frame(&mut self.stream, message, true)?;
        read_frame(&mut self.stream)
    }

    /// Whether neither side has closed it.
    pub(crate) fn alive(&self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).unwrap();
        matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
    }
}

fn read_frame(stream: &mut TcpStream) -> Result<String> {
    let mut start = [0; 2];
    stream.read_exact(&mut start)?;
    let length = usize::from(start[1] & !MASKED);
    if start[0] != TEXT || length > 125 {
        return Err(Error::new(ErrorKind::InvalidData, format!("frame {start:?}")));
    }
    let mut mask = [0; 4];
    if start[1] & MASKED != 0 {
        stream.read_exact(&mut mask)?;
    }
    let mut text = vec![0; length];
    stream.read_exact(&mut text)?;
    text.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn write_frame(stream: &mut TcpStream, text: &str, masked: bool) -> Result<()> {
    let length = u8::try_from(text.len()).map_err(|error| Error::new(ErrorKind::InvalidInput, error))?;
    let mask: &[u8] = if masked { &[1, 2, 3, 4] } else { &[] };
    let mut frame = vec![TEXT, length | if masked { MASKED } else { 0 }];
    frame.extend_from_slice(mask);
    frame.extend(text.bytes().enumerate().map(|(at, byte)| if masked { byte ^ mask[at % 4] } else { byte }));
    stream.write_all(&frame)
}
