//! `log-forward` sections: lines that come in over UDP and TCP go out to log targets.
//!
//! Over TCP lines are framed as RFC 6587 says: by their length or by line feeds.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::{Logger, Targets, received};
use crate::ir::log::LogForward;
use crate::sys::{self, home::Home};

/// How soon it is noticed that the process stops.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Longest line.
const LONGEST: usize = 65_536;
/// Pause after a failure to accept, which is most often a lack of descriptors.
const REST: Duration = Duration::from_millis(100);

/// A section and its sockets.
#[derive(Debug)]
pub struct Bound {
    section: LogForward,
    streams: Vec<std::net::TcpListener>,
    datagrams: Vec<std::net::UdpSocket>,
}

/// A section at work.
struct Section {
    conf: LogForward,
    logger: Arc<Logger>,
    targets: Targets,
    /// Connections now.
    connections: AtomicU32,
}

/// Opens the sockets of all sections.
///
/// # Errors
/// The address that could not be bound, and why.
pub fn bind(sections: &[LogForward]) -> Result<Vec<Bound>, (SocketAddr, io::Error)> {
    sections
        .iter()
        .map(|section| {
            let stream = |addr: &SocketAddr| {
                let backlog = section.backlog.or(section.maxconn).unwrap_or(10);
                let options = sys::tcp::ListenOptions {
                    addr: *addr,
                    backlog: i32::try_from(backlog).unwrap_or(i32::MAX),
                    reuse_port: true,
                    v6only: None,
                    transparent: false,
                    interface: None,
                    tcp: Default::default(),
                };
                sys::tcp::listen(&options).map(Into::into).map_err(|error| (*addr, error))
            };
            let datagram = |addr: &SocketAddr| sys::tcp::datagrams(*addr).map_err(|error| (*addr, error));
            Ok(Bound {
                section: section.clone(),
                streams: section.streams.iter().map(stream).collect::<Result<_, _>>()?,
                datagrams: section.datagrams.iter().map(datagram).collect::<Result<_, _>>()?,
            })
        })
        .collect()
}

/// Forwards until `is_stopping`. Without sections nothing is started.
///
/// # Errors
/// No thread, no runtime, or a socket that it does not take.
pub fn spawn(
    bound: Vec<Bound>,
    logger: &Arc<Logger>,
    home: Home,
    is_stopping: impl Fn() -> bool + Send + 'static,
) -> io::Result<()> {
    if bound.is_empty() {
        return Ok(());
    }
    let logger = logger.clone();
    home.run("log-forward", || {
        let mut doors = Vec::new();
        for Bound { section, streams, datagrams } in bound {
            let targets = logger.open(&section.targets);
            let section = Arc::new(Section {
                conf: section,
                logger: logger.clone(),
                targets,
                connections: AtomicU32::new(0),
            });
            for socket in datagrams {
                doors.push(tokio::spawn(receive(section.clone(), UdpSocket::from_std(socket)?)));
            }
            for listener in streams {
                doors.push(tokio::spawn(accept(section.clone(), TcpListener::from_std(listener)?)));
            }
        }
        Ok(async move {
            while !is_stopping() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            // Connections go on until their senders close them or the process ends.
            doors.iter().for_each(tokio::task::JoinHandle::abort);
            std::future::pending().await
        })
    })
}

async fn receive(section: Arc<Section>, socket: UdpSocket) {
    let mut buffer = vec![0; LONGEST];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((n, from)) => section.pass(&buffer[..n], Some(from.ip().to_canonical())),
            Err(_) => tokio::time::sleep(REST).await,
        }
    }
}

async fn accept(section: Arc<Section>, listener: TcpListener) {
    let most = section.conf.maxconn.unwrap_or(10).max(1);
    loop {
        // Others wait in the kernel.
        while section.connections.load(Relaxed) >= most {
            tokio::time::sleep(REST).await;
        }
        match listener.accept().await {
            Ok((stream, from)) => {
                section.connections.fetch_add(1, Relaxed);
                let section = section.clone();
                tokio::spawn(async move {
                    section.serve(stream, from.ip().to_canonical()).await;
                    section.connections.fetch_sub(1, Relaxed);
                });
            }
            Err(_) => tokio::time::sleep(REST).await,
        }
    }
}

/// A frame at the front of what came in.
#[derive(Debug, PartialEq, Eq)]
enum Frame {
    /// A line, from here to there, and how much it takes in all.
    Line(std::ops::Range<usize>, usize),
    More,
    /// Neither of the framings.
    Wrong,
}

/// RFC 6587 section 3.4.
fn frame(input: &[u8], only_line_feeds: bool) -> Frame {
    let Some(first) = input.first() else { return Frame::More };
    if only_line_feeds || *first == b'<' {
        return match memchr::memchr(b'\n', input) {
            Some(end) => Frame::Line(0..end, end + 1),
            None if input.len() >= LONGEST => Frame::Wrong,
            None => Frame::More,
        };
    }
    let digits = input.iter().take_while(|c| c.is_ascii_digit()).count();
    if digits == 0 || digits > 5 {
        return Frame::Wrong;
    }
    match input.get(digits) {
        None => Frame::More,
        Some(b' ') => {
            let length = input[..digits].iter().fold(0, |n, c| n * 10 + usize::from(*c - b'0'));
            let end = digits + 1 + length;
            if length == 0 || length > LONGEST {
                Frame::Wrong
            } else if input.len() < end {
                Frame::More
            } else {
                Frame::Line(digits + 1..end, end)
            }
        }
        Some(_) => Frame::Wrong,
    }
}

impl Section {
    /// Reads lines from a connection until it ends, is silent for too long or makes no sense.
    async fn serve(&self, mut stream: TcpStream, from: IpAddr) {
        let mut input = Vec::new();
        loop {
            let mut done = 0;
            loop {
                match frame(&input[done..], self.conf.line_feeds) {
                    Frame::Line(line, used) => {
                        self.pass(&input[done + line.start..done + line.end], Some(from));
                        done += used;
                    }
                    Frame::More => break,
                    Frame::Wrong => return,
                }
            }
            input.drain(..done);
            let read = stream.read_buf(&mut input);
            let read = match self.conf.timeout_client {
                Some(limit) => tokio::time::timeout(limit, read).await.unwrap_or(Ok(0)),
                None => read.await,
            };
            if !matches!(read, Ok(1..)) {
                return;
            }
        }
    }

    fn pass(&self, line: &[u8], from: Option<IpAddr>) {
        let end = line.iter().rposition(|c| !matches!(c, b'\n' | b'\0')).map_or(0, |last| last + 1);
        let line = &line[..end];
        let line = if self.conf.parse { received::parse(line) } else { received::whole(line) };
        self.logger.forward(&self.targets, &line, (self.conf.host, from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_framed_by_length_or_by_line_feeds() {
        assert_eq!(frame(b"<1>a\n<1>b\n", false), Frame::Line(0..4, 5));
        assert_eq!(frame(b"4 <1>a4 <1>b", false), Frame::Line(2..6, 6));
        assert_eq!(frame(b"4 <1>", false), Frame::More);
        assert_eq!(frame(b"1", false), Frame::More);
        assert_eq!(frame(b"<1>a", false), Frame::More);
        assert_eq!(frame(b"", false), Frame::More);
        for wrong in [&b"x"[..], b"12x", b"123456 a", b"0 ", b"99999 a"] {
            assert_eq!(frame(wrong, false), Frame::Wrong, "{wrong:?}");
        }
        assert_eq!(frame(b"12 x\n", true), Frame::Line(0..4, 5));
    }
}
