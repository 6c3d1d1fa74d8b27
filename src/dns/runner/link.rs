//! The way to one nameserver: a UDP socket, or TCP connections as needed.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::ir::resolvers::Nameserver;

/// A message and the number of the nameserver it came from.
pub(super) type Incoming = (usize, Vec<u8>);

/// Largest UDP message.
const MAX_MESSAGE: usize = 65536;

/// How long a TCP nameserver may take for one exchange.
const TCP_PATIENCE: Duration = Duration::from_secs(5);

/// Questions that wait for a TCP nameserver at most; it is slow, not we.
const TCP_BACKLOG: usize = 64;

/// Errors of a socket in a row after which its reader rests for a moment.
const REST_AFTER: u32 = 16;

/// A way to a nameserver.
pub(super) enum Link {
    Udp { socket: std::net::UdpSocket, reader: JoinHandle<()> },
    Tcp { questions: mpsc::Sender<Vec<u8>>, task: JoinHandle<()> },
}

impl Drop for Link {
    fn drop(&mut self) {
        match self {
            Self::Udp { reader: task, .. } | Self::Tcp { task, .. } => task.abort(),
        }
    }
}

impl Link {
    /// Opens the way to nameserver `number`; what comes from it goes to `incoming`. To be called on a runtime.
    pub(super) fn open(number: usize, ns: &Nameserver, incoming: mpsc::Sender<Incoming>) -> io::Result<Self> {
        if ns.tcp {
            let (questions, queue) = mpsc::channel(TCP_BACKLOG);
            let task = tokio::spawn(serve_tcp(number, ns.addr, queue, incoming));
            return Ok(Self::Tcp { questions, task });
        }
        let any: SocketAddr =
            if ns.addr.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
        let socket = std::net::UdpSocket::bind(any)?;
        socket.set_nonblocking(true)?;
        // Connected: the kernel drops what others send.
        socket.connect(ns.addr)?;
        let reader = tokio::spawn(read_udp(number, UdpSocket::from_std(socket.try_clone()?)?, incoming));
        Ok(Self::Udp { socket, reader })
    }

    /// Sends without waiting.
    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            // A connected socket reports the ICMP answer to an earlier question once, in place of sending.
            Self::Udp { socket, .. } => socket.send(bytes).or_else(|_| socket.send(bytes)).map(|_| ()),
            Self::Tcp { questions, .. } => {
                questions.try_send(bytes.to_vec()).map_err(|_| io::ErrorKind::WouldBlock.into())
            }
        }
    }
}

/// The ways to all nameservers of a section.
#[derive(Default)]
pub(super) struct Links {
    nameservers: Vec<Nameserver>,
    links: Vec<Option<Link>>,
    incoming: Option<mpsc::Sender<Incoming>>,
}

impl Links {
    /// From now on questions go to `nameservers` and answers to `incoming`.
    pub(super) fn start(&mut self, nameservers: &[Nameserver], incoming: mpsc::Sender<Incoming>) {
        self.nameservers = nameservers.to_vec();
        self.links = nameservers.iter().map(|_| None).collect();
        self.incoming = Some(incoming);
    }

    /// Sends to a nameserver, on a new socket if the old one does not take it: the network may have changed under it.
    /// `false`: it could not be sent, which is how an unreachable nameserver is counted.
    pub(super) fn send(&mut self, nameserver: usize, bytes: &[u8]) -> bool {
        if self.links[nameserver].as_ref().is_some_and(|link| link.send(bytes).is_ok()) {
            return true;
        }
        let Some(incoming) = &self.incoming else { return false };
        self.links[nameserver] = Link::open(nameserver, &self.nameservers[nameserver], incoming.clone()).ok();
        self.links[nameserver].as_ref().is_some_and(|link| link.send(bytes).is_ok())
    }

    /// Nobody answered: the next questions go out on new sockets. A connected socket keeps the source address it
    /// chose at the start, and answers to it get lost once that address has moved to another host.
    pub(super) fn renew(&mut self) {
        self.links.iter_mut().for_each(|link| *link = None);
    }
}

async fn read_udp(number: usize, socket: UdpSocket, incoming: mpsc::Sender<Incoming>) {
    let mut buffer = vec![0; MAX_MESSAGE];
    let mut errors = 0;
    loop {
        match socket.recv(&mut buffer).await {
            Ok(n) => {
                errors = 0;
                if incoming.send((number, buffer[..n].to_vec())).await.is_err() {
                    return;
                }
            }
            // "Connection refused" by ICMP: the question will time out.
            Err(_) => {
                errors += 1;
                if errors % REST_AFTER == 0 {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

async fn serve_tcp(
    number: usize,
    addr: SocketAddr,
    mut queue: mpsc::Receiver<Vec<u8>>,
    incoming: mpsc::Sender<Incoming>,
) {
    let mut idle = None;
    while let Some(question) = queue.recv().await {
        // Without an answer the question will time out.
        if let Ok(Ok((stream, answer))) = timeout(TCP_PATIENCE, exchange(idle.take(), addr, &question)).await
        {
            idle = Some(stream);
            if incoming.send((number, answer)).await.is_err() {
                return;
            }
        }
    }
}

/// One question and its answer (RFC 7766 section 8), on the connection of the last one if that still lives.
async fn exchange(
    idle: Option<TcpStream>,
    addr: SocketAddr,
    question: &[u8],
) -> io::Result<(TcpStream, Vec<u8>)> {
    if let Some(stream) = idle
        && let Ok(done) = ask(stream, question).await
    {
        return Ok(done);
    }
    ask(TcpStream::connect(addr).await?, question).await
}

async fn ask(mut stream: TcpStream, question: &[u8]) -> io::Result<(TcpStream, Vec<u8>)> {
    let mut framed = (question.len() as u16).to_be_bytes().to_vec();
    framed.extend_from_slice(question);
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    Ok((stream, answer))
}
