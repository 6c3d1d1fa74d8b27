//! One check on the wire.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

use super::external::{self, Call};
use super::stage::Stage;
use crate::handshake::{proxy_protocol, socks4};
use crate::health::dialogue::{Action, Dialogue, Subject, Way};
use crate::health::proto::agent::Reply;
use crate::health::script::{Flavour, Script};
use crate::health::{Status, Verdict};
use crate::ir::check;
use crate::ir::server::SendProxy;

/// Most bytes read at once.
const READ_SIZE: usize = 4096;

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
    /// The SOCKS4 relay of the server.
    pub(super) relay: Option<SocketAddr>,
    /// Checks go through it unless their rules say otherwise.
    pub(super) via_relay: bool,
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

    /// The relay that a connection is made through.
    fn relay(&self, way: &Way) -> Option<SocketAddr> {
        self.relay.filter(|_| way.via_socks4 || way.as_server && self.via_relay)
    }

    /// Where a check goes that is nothing but a connection to an address.
    pub(super) fn plain_target(&self) -> Option<SocketAddr> {
        let Target::Ip(addr) = self.target else { return None };
        let plain = self.script.flavour == Flavour::Connect && self.call.is_none();
        let direct = self.send_proxy.is_none() && !(self.via_relay && self.relay.is_some());
        (plain && direct && addr.port() != 0).then_some(addr)
    }

    /// A socket for a check that is nothing but a connection.
    pub(super) fn socket(&self, addr: SocketAddr) -> Result<TcpSocket, Failure> {
        let way = Way { as_server: true, ..Way::default() };
        self.socket_for(addr, &way)
    }

    fn socket_for(&self, addr: SocketAddr, way: &Way) -> Result<TcpSocket, Failure> {
        let namespace = self.stage.server.ir.namespace.as_deref();
        crate::sys::netns::within(namespace, || socket(self, addr, way))
            .map_err(|e| Failure::NoSocket(reason(&e)))
    }

    /// Time to connect: `inter`, or `timeout connect` if that is shorter and `timeout check` takes care of the rest.
    pub(super) fn connect_time(&self) -> Duration {
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
        return Ending::of(verdict);
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

impl Ending {
    /// That of a plain connection.
    pub(super) fn of(verdict: Verdict) -> Self {
        Self { verdict, reply: None, stream: None }
    }
}

async fn talk(plan: &Plan, dialogue: &mut Dialogue<'_>, stream: &mut Option<Stream>) -> Verdict {
    let mut deadline = Instant::now() + plan.connect_time();
    loop {
        match dialogue.action() {
            Action::Finish(verdict) => return verdict,
            Action::Connect(way) => {
                drop(stream.take());
                deadline = Instant::now() + plan.connect_time();
                let mut connected = match timeout_at(deadline, connect(plan, &way)).await {
                    Err(_) => return dialogue.timed_out(),
                    Ok(Err(Failure::NoSocket(text))) => return dialogue.no_socket(&text),
                    Ok(Err(Failure::Connect(error))) => return dialogue.failed(&reason(&error)),
                    Ok(Ok(connected)) => connected,
                };
                if let Some(timeout) = plan.timeout_check {
                    deadline = Instant::now() + timeout;
                }
                if plan.relay(&way).is_some() {
                    dialogue.reached();
                    match timeout_at(deadline, through_relay(plan.destination(&way), &mut connected)).await {
                        Err(_) => return dialogue.timed_out(),
                        Ok(Err(trouble)) => return dialogue.no_socket(trouble.words()),
                        Ok(Ok(())) => {}
                    }
                }
                if let Some(header) = proxy_header(plan.proxy_version(&way), &connected)
                    && let Err(error) = connected.write_all(&header).await
                {
                    return dialogue.failed(&reason(&error));
                }
                *stream = Some(connected);
                dialogue.connected();
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

/// Why there is no connection.
pub(super) enum Failure {
    NoSocket(String),
    Connect(io::Error),
}

impl Failure {
    /// What it is to a check that is nothing but a connection.
    pub(super) fn into_verdict(self) -> Verdict {
        match self {
            Self::NoSocket(text) => Verdict::new(Status::SockErr, 0, text.as_bytes()),
            Self::Connect(error) => Verdict::new(Status::L4Con, 0, reason(&error).as_bytes()),
        }
    }
}

impl Plan {
    /// Where a connection leads, on whatever way.
    fn destination(&self, way: &Way) -> Target {
        let target =
            way.addr.as_ref().map_or_else(|| self.target.clone(), |addr| self.target.elsewhere(addr));
        match (target, way.port) {
            (Target::Ip(addr), Some(port)) => Target::Ip((addr.ip(), port).into()),
            (target, _) => target,
        }
    }
}

async fn connect(plan: &Plan, way: &Way) -> Result<Stream, Failure> {
    let relay = plan.relay(way);
    match plan.destination(way) {
        Target::Unix(path) if relay.is_none() => {
            // It fails at once or not at all: no connection was ever under way.
            let stream = UnixStream::connect(path).await.map_err(|e| Failure::NoSocket(reason(&e)))?;
            Ok(Stream::Unix(stream))
        }
        Target::Ip(addr) if addr.port() != 0 => {
            if relay.is_some() && socks4::request(addr).is_none() {
                return Err(Failure::Connect(io::Error::from_raw_os_error(nix::libc::EINVAL)));
            }
            let addr = relay.unwrap_or(addr);
            let socket = plan.socket_for(addr, way)?;
            Ok(Stream::Tcp(socket.connect(addr).await.map_err(Failure::Connect)?))
        }
        Target::Ip(_) | Target::Unix(_) | Target::Nowhere => Err(Failure::NoSocket(String::new())),
    }
}

/// Has the relay at the other end of `stream` connect further.
async fn through_relay(target: Target, stream: &mut Stream) -> Result<(), socks4::Trouble> {
    let (Stream::Tcp(stream), Target::Ip(addr)) = (stream, target) else { return Err(socks4::Trouble::Send) };
    let request = socks4::request(addr).ok_or(socks4::Trouble::Send)?;
    stream.write_all(&request).await.map_err(|_| socks4::Trouble::Send)?;
    let mut reply = [0; socks4::REPLY];
    stream.read_exact(&mut reply).await.map_err(|_| socks4::Trouble::Receive)?;
    socks4::judge(reply)
}

fn socket(plan: &Plan, addr: SocketAddr, way: &Way) -> io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    let options = socket2::SockRef::from(&socket);
    if !way.linger {
        // A reset frees the port at once; thousands of checks would leave thousands in TIME-WAIT.
        options.set_linger(Some(Duration::ZERO))?;
    }
    let silent = plan.proxy_version(way).is_none() && plan.relay(way).is_none();
    if plan.script.flavour == Flavour::Connect && silent {
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
    Some(match version? {
        SendProxy::V2 => proxy_protocol::v2(None),
        SendProxy::V1 => {
            let ends = match stream {
                Stream::Tcp(s) => s.local_addr().ok().zip(s.peer_addr().ok()),
                Stream::Unix(_) => None,
            };
            proxy_protocol::v1(ends)
        }
    })
}
