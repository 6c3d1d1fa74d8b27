//! The way to one nameserver: a UDP socket, or TCP connections as needed.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
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
    Udp { socket: Arc<UdpSocket>, reader: JoinHandle<()> },
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
    /// Opens the way to nameserver `number`; what comes from it goes to `incoming`.
    pub(super) async fn open(
        number: usize,
        ns: &Nameserver,
        incoming: mpsc::Sender<Incoming>,
    ) -> io::Result<Self> {
        if ns.tcp {
            let (questions, queue) = mpsc::channel(TCP_BACKLOG);
            let task = tokio::spawn(serve_tcp(number, ns.addr, queue, incoming));
            return Ok(Self::Tcp { questions, task });
        }
        let any: SocketAddr =
            if ns.addr.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
        let socket = UdpSocket::bind(any).await?;
        // Connected: the kernel drops what others send.
        socket.connect(ns.addr).await?;
        // From now on it can be sent to without waiting.
        socket.writable().await?;
        let socket = Arc::new(socket);
        let reader = tokio::spawn(read_udp(number, socket.clone(), incoming));
        Ok(Self::Udp { socket, reader })
    }

    /// Sends without waiting.
    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Udp { socket, .. } => socket.try_send(bytes).map(|_| ()),
            Self::Tcp { questions, .. } => {
                questions.try_send(bytes.to_vec()).map_err(|_| io::ErrorKind::WouldBlock.into())
            }
        }
    }
}

async fn read_udp(number: usize, socket: Arc<UdpSocket>, incoming: mpsc::Sender<Incoming>) {
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
