//! One check on the wire.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

use super::external::{self, Call};
use super::stage::Stage;
use crate::health::Verdict;
use crate::health::dialogue::{Action, Dialogue, Subject, Way};
use crate::health::proto::agent::Reply;
use crate::health::script::{Flavour, Script};
use crate::ir::check;
use crate::ir::server::SendProxy;

/// Most bytes read at once.
const READ_SIZE: usize = 4096;

/// Header of the PROXY protocol, version 2, of a connection the proxy made for itself (`LOCAL`).
const PROXY_V2_LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// Where a check goes.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Ip(SocketAddr),
    Unix(PathBuf),
    /// There is no address, or no port: a configuration that only fails when tried.
    Nowhere,
}

/// How a check goes there.
pub(super) struct Plan {
    pub(super) script: Arc<Script>,
    pub(super) stage: Stage,
    /// The program to run instead.
    pub(super) call: Option<Call>,
    pub(super) target: Target,
    pub(super) source: Option<SocketAddr>,
    pub(super) send_proxy: Option<SendProxy>,
    /// `inter`: how long all may take, unless `timeout check` says otherwise.
    pub(super) inter: Duration,
    pub(super) timeout_connect: Option<Duration>,
    pub(super) timeout_check: Option<Duration>,
}

impl Target {
    /// Where a rule's own address leads; its port is the check's unless it has one.
    fn elsewhere(&self, addr: &check::Target) -> Self {
        match addr {
            check::Target::Unix(path) => Self::Unix(path.clone()),
            check::Target::Ip(ip, port) => {
                let here = match self {
                    Self::Ip(addr) => addr.port(),
                    Self::Unix(_) | Self::Nowhere => 0,
                };
                Self::Ip((*ip, port.unwrap_or(here)).into())
            }
        }
    }
}

impl Plan {
    /// Version of the PROXY header that a connection begins with.
    fn proxy_version(&self, way: &Way) -> Option<SendProxy> {
        if way.send_proxy {
            return Some(self.send_proxy.unwrap_or(SendProxy::V1));
        }
        self.send_proxy.filter(|_| way.as_server)
    }

    /// Time to connect: `inter`, or `timeout connect` if that is shorter and `timeout check` takes care of the rest.
    fn connect_time(&self) -> Duration {
        match (self.timeout_check, self.timeout_connect) {
            (Some(_), Some(connect)) => connect.min(self.inter),
            _ => self.inter,
        }
    }
}

/// A connection to a server.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(s) => s.write_all(bytes).await,
            Self::Unix(s) => s.write_all(bytes).await,
        }
    }

    /// Reads what has come into `dialogue`. The buffer is there for no longer than the reading takes.
    async fn read(&self, dialogue: &mut Dialogue<'_>) -> io::Result<()> {
        loop {
            match self {
                Self::Tcp(s) => s.readable().await?,
                Self::Unix(s) => s.readable().await?,
            }
            let mut buffer = [0; READ_SIZE];
            let read = match self {
                Self::Tcp(s) => s.try_read(&mut buffer),
                Self::Unix(s) => s.try_read(&mut buffer),
            };
            match read {
                Ok(0) => dialogue.closed(),
                Ok(n) => dialogue.received(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }
}

/// The system's words for an error, without the number that `io::Error` adds.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.find(" (os error").map_or_else(|| text.clone(), |at| text[..at].to_owned())
}

/// An error as HAProxy has it since 3.1: what kind of error, and the system's words.
pub(super) fn reason(error: &io::Error) -> String {
    use nix::libc::{
        EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, ECONNREFUSED, ECONNRESET, EHOSTUNREACH, EMFILE, ENFILE,
        ENOBUFS, ENOMEM, EPIPE, EPROTONOSUPPORT,
    };
    let kind = match error.raw_os_error() {
        Some(ECONNREFUSED) => "ECONNREFUSED returned by OS",
        Some(ECONNRESET) => "ECONNRESET returned by OS",
        Some(EPIPE) => "EPIPE returned by OS",
        // A router said so; that there is no route here is known before anything is sent.
        Some(EHOSTUNREACH) => "ENETUNREACH returned by OS",
        Some(EADDRINUSE) => "Local source address already in use",
        Some(EADDRNOTAVAIL) => "Out of local source ports on the system",
        Some(EMFILE) => "Too many sockets on the process",
        Some(ENFILE) => "Too many sockets on the system",
        Some(ENOBUFS | ENOMEM) => "Out of system buffers",
        Some(EAFNOSUPPORT | EPROTONOSUPPORT) => "Protocol or address family not supported",
        _ => "General socket error",
    };
    format!("{kind} ({})", words(error))
}

/// Runs a check to its verdict, and to what an agent said.
pub(super) async fn run(plan: Plan, subject: Subject) -> Ending {
    let script = plan.script.clone();
    if let Some(call) = &plan.call {
        let verdict = external::run(call, plan.connect_time()).await;
        return Ending { verdict, reply: None, stream: None };
    }
    let mut dialogue = Dialogue::new(&script, subject, &plan.stage);
    let mut stream = None;
    let verdict = talk(&plan, &mut dialogue, &mut stream).await;
    Ending { verdict, reply: dialogue.take_agent_reply(), stream }
}

/// What a check came to.
pub(super) struct Ending {
    pub(super) verdict: Verdict,
    /// What an agent said.
    pub(super) reply: Option<Reply>,
    /// Whoever sees the connection end may look what has come of it: it is closed when that has happened.
    pub(super) stream: Option<Stream>,
}

async fn talk(plan: &Plan, dialogue: &mut Dialogue<'_>, stream: &mut Option<Stream>) -> Verdict {
    let mut deadline = Instant::now() + plan.connect_time();
    loop {
        match dialogue.action() {
            Action::Finish(verdict) => return verdict,
            Action::Connect(way) => {
                drop(stream.take());
                deadline = Instant::now() + plan.connect_time();
                match timeout_at(deadline, connect(plan, &way)).await {
                    Err(_) => return dialogue.timed_out(),
                    Ok(Err(Failure::NoSocket(text))) => return dialogue.no_socket(&text),
                    Ok(Err(Failure::Connect(error))) => return dialogue.failed(&reason(&error)),
                    Ok(Ok(connected)) => *stream = Some(connected),
                }
                dialogue.connected();
                if let Some(timeout) = plan.timeout_check {
                    deadline = Instant::now() + timeout;
                }
            }
            Action::Send(bytes) if bytes.is_empty() => dialogue.sent(),
            Action::Send(bytes) => {
                let Some(stream) = stream.as_mut() else { return dialogue.no_socket("") };
                match timeout_at(deadline, stream.write_all(&bytes)).await {
                    Err(_) => return dialogue.timed_out(),
                    Ok(Err(error)) => return dialogue.failed(&reason(&error)),
                    Ok(Ok(())) => dialogue.sent(),
                }
            }
            Action::Receive => {
                let Some(stream) = stream.as_mut() else { return dialogue.no_socket("") };
                match timeout_at(deadline, stream.read(dialogue)).await {
                    Err(_) => return dialogue.timed_out(),
                    Ok(Err(error)) => return dialogue.failed(&reason(&error)),
                    Ok(Ok(())) => {}
                }
            }
        }
    }
}

enum Failure {
    NoSocket(String),
    Connect(io::Error),
}

async fn connect(plan: &Plan, way: &Way) -> Result<Stream, Failure> {
    let target = way.addr.as_ref().map_or_else(|| plan.target.clone(), |addr| plan.target.elsewhere(addr));
    let mut stream = match &target {
        Target::Nowhere => return Err(Failure::NoSocket(String::new())),
        Target::Unix(path) => {
            // It fails at once or not at all: no connection was ever under way.
            let stream = UnixStream::connect(path).await.map_err(|e| Failure::NoSocket(reason(&e)))?;
            Stream::Unix(stream)
        }
        Target::Ip(addr) => {
            let addr = SocketAddr::new(addr.ip(), way.port.unwrap_or_else(|| addr.port()));
            if addr.port() == 0 {
                return Err(Failure::NoSocket(String::new()));
            }
            let namespace = plan.stage.server.ir.namespace.as_deref();
            let socket = crate::sys::netns::within(namespace, || socket(plan, addr, way))
                .map_err(|e| Failure::NoSocket(reason(&e)))?;
            Stream::Tcp(socket.connect(addr).await.map_err(Failure::Connect)?)
        }
    };
    if let Some(header) = proxy_header(plan.proxy_version(way), &stream) {
        stream.write_all(&header).await.map_err(Failure::Connect)?;
    }
    Ok(stream)
}

fn socket(plan: &Plan, addr: SocketAddr, way: &Way) -> io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    let options = socket2::SockRef::from(&socket);
    if !way.linger {
        // A reset frees the port at once; thousands of checks would leave thousands in TIME-WAIT.
        options.set_linger(Some(Duration::ZERO))?;
    }
    if plan.script.flavour == Flavour::Connect && plan.proxy_version(way).is_none() {
        // The handshake's last ACK may go with the reset: one packet less for both.
        options.set_tcp_quickack(false)?;
    } else {
        options.set_tcp_nodelay(true)?;
    }
    if let Some(source) = plan.source.filter(|s| s.is_ipv4() == addr.is_ipv4()) {
        if source.port() != 0 {
            socket.set_reuseaddr(true)?;
        }
        socket.bind(source)?;
    }
    Ok(socket)
}

fn proxy_header(version: Option<SendProxy>, stream: &Stream) -> Option<Vec<u8>> {
    match version? {
        SendProxy::V2 => Some(PROXY_V2_LOCAL.to_vec()),
        SendProxy::V1 => {
            let ends = match stream {
                Stream::Tcp(s) => s.local_addr().ok().zip(s.peer_addr().ok()),
                Stream::Unix(_) => None,
            };
            let line = ends.map_or_else(
                || "PROXY UNKNOWN\r\n".to_owned(),
                |(from, to)| {
                    let family = if from.is_ipv4() { "TCP4" } else { "TCP6" };
                    format!("PROXY {family} {} {} {} {}\r\n", from.ip(), to.ip(), from.port(), to.port())
                },
            );
            Some(line.into_bytes())
        }
    }
}
