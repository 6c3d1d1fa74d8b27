//! One attempt to connect to a server: the socket, the handshake, a relay, the PROXY header.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use super::board;
use super::failure::{Failure, Phase, Who};
use super::outbound::{Watch, note_addresses};
use super::route::{Target, on_some_port, proxy_header, source, source_from, target};
use super::stream::Stream;
use super::txn::Txn;
use super::worker::Conn;
use crate::expr::ctx::{ConnectError, Peer};
use crate::handshake::socks4;
use crate::ir::proxy::Mode;
use crate::live::{Proxy, Server};
use crate::log::level;
use crate::sys::{self, clock};

/// Why an attempt failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Missed {
    pub(super) failure: Failure,
    /// It never began: the kernel refused it there and then, and no session counts for the server.
    pub(super) at_once: bool,
}

impl From<Failure> for Missed {
    fn from(failure: Failure) -> Self {
        Self { failure, at_once: false }
    }
}

/// One attempt.
pub(super) async fn connect(conn: &mut Conn, txn: &mut Txn, server: &Arc<Server>) -> Result<Stream, Missed> {
    let refused = Failure::new(Who::Server, Phase::Connect);
    let at_once = |failure| Missed { failure, at_once: true };
    txn.server_connection = None;
    let Some(target) = target(txn, server) else { return Err(refused.into()) };
    conn.deadline.set(txn.limits.connect.map(|d| clock::now() + d));
    let mut io = match target {
        Target::Tcp(addr) => {
            txn.server_addr = Some(Peer::Ip(addr));
            let addr = server.ir.link.socks4.unwrap_or(addr);
            let Some(source) = source(txn, server) else {
                return Err(Failure::new(Who::Internal, Phase::Connect).status(500).into());
            };
            let be_ir = &txn.be().ir;
            let keepalive = be_ir.srvtcpka.then_some(&*be_ir.server_keepalive);
            let of_client = txn.client_namespace();
            let in_messages = be_ir.mode == Mode::Http;
            let ports =
                source_from(txn, server).and_then(|from| from.ports).filter(|_| source.addr.is_some());
            let (mut has_source, foreign) = (source.addr.is_none(), source.foreign);
            let mut begin = |port: Option<u16>| -> io::Result<Socket> {
                let mut source = source;
                if let (Some(addr), Some(port)) = (&mut source.addr, port) {
                    addr.set_port(port);
                }
                let namespace = match server.ir.link.namespace.as_deref() {
                    Some("*") => of_client.as_deref(),
                    other => other,
                };
                let socket = sys::netns::within(namespace, || sys::tcp::outgoing(addr, source, keepalive))?;
                has_source = true;
                if in_messages {
                    // Who closes first keeps the port from use for a minute; a reset keeps none. Tunnels end politely.
                    socket.set_linger(Some(Duration::ZERO))?;
                }
                if server.ir.link.user_timeout.is_some() {
                    socket.set_tcp_user_timeout(server.ir.link.user_timeout)?;
                }
                if let Some(name) = &server.ir.link.congestion {
                    // Without the module, the kernel's own.
                    let _ = sys::tcp::set_congestion(&socket, name);
                }
                if let Some(password) = &server.ir.link.password {
                    sys::signed::with_peer(&socket, addr, password.as_bytes())?;
                }
                let has_data = in_messages || txn.payload.is_some();
                if has_data && be_ir.backend.as_ref().is_some_and(|half| half.smart_connect) {
                    let _ = sys::tcp::quick_acks(&socket, false);
                }
                // A refusal shows when the data is sent, too late for another attempt to connect.
                if server.ir.link.fast_open && txn.retries == 0 && has_data {
                    let _ = sys::tcp::fast_open(&socket);
                }
                sys::tcp::tag(&socket, txn.tags.server.0, txn.tags.server.1);
                match socket.connect(&addr.into()) {
                    Err(e) if e.raw_os_error() != Some(libc::EINPROGRESS) => Err(e),
                    _ => Ok(socket),
                }
            };
            let socket = match ports {
                None => begin(None),
                Some(ports) => on_some_port(ports, |port| begin(Some(port))),
            };
            let socket = match socket {
                Ok(socket) => socket,
                Err(e) => {
                    let error = if has_source { ConnectError::of(&e) } else { ConnectError::CannotBind };
                    txn.server_connection = Some(error);
                    if !has_source {
                        say_unbound(txn.be(), foreign);
                    }
                    let is_refused = e.kind() == io::ErrorKind::ConnectionRefused;
                    return Err(at_once(if is_refused { refused } else { local_trouble(&e) }));
                }
            };
            let mut stream = Stream::connecting(socket.into());
            // Servers on this machine have answered already.
            if stream.peer_addr().is_none() {
                let ends = Ends::new(txn, server);
                let connected = wait_connected(conn, &mut stream, &ends, &mut txn.server_connection).await;
                if let Err(failure) = connected {
                    note_addresses(txn, server, &stream);
                    return Err(failure.into());
                }
            }
            stream
        }
        // What a relay cannot reach is not reached around it.
        Target::Unix(_) | Target::SockPair(_) if server.ir.link.socks4.is_some() => {
            return Err(refused.into());
        }
        Target::Unix(path) => {
            (txn.server_src, txn.server_addr) = (None, Some(Peer::Unix));
            connect_unix(path).map_err(|_| {
                txn.server_connection = Some(ConnectError::Socket);
                at_once(refused)
            })?
        }
        Target::SockPair(fd) => {
            (txn.server_src, txn.server_addr) = (None, Some(Peer::Pair));
            sys::sockpair::connect(fd).and_then(Stream::unix).map_err(|_| {
                txn.server_connection = Some(ConnectError::Socket);
                at_once(refused)
            })?
        }
    };
    txn.server_connection = Some(ConnectError::None);
    if server.ir.link.socks4.is_some() {
        through_relay(conn, txn.server_addr.and_then(Peer::ip), &Ends::new(txn, server), &mut io).await?;
    }
    if server.ir.link.send_proxy.is_on() {
        let header = proxy_header(txn, server);
        // A fresh socket takes this few bytes at once.
        let sent = poll_fn(|cx| io.poll_write(cx, &header)).await;
        if !matches!(sent, Ok(n) if n == header.len()) {
            return Err(refused.into());
        }
    }
    Ok(io)
}

/// It fails at once or not at all: no connection to a unix socket is ever under way.
fn connect_unix(path: impl AsRef<std::path::Path>) -> io::Result<Stream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    socket.connect(&SockAddr::unix(path)?)?;
    Stream::unix(socket)
}

/// Tells of a source address that is not to be had.
fn say_unbound(be: &Proxy, foreign: bool) {
    let kind = if foreign { "tproxy " } else { "" };
    let text = format!("Cannot bind to {kind}source address before connect() for backend {}.", be.ir.name);
    be.log(level::EMERG, text.as_bytes());
}

/// Have the relay at the other end of `stream` connect to the server.
async fn through_relay(
    conn: &mut Conn,
    server: Option<SocketAddr>,
    ends: &Ends,
    stream: &mut Stream,
) -> Result<(), Failure> {
    let refused = Failure::new(Who::Server, Phase::Connect);
    let request = server.and_then(socks4::request).ok_or(refused)?;
    // A fresh socket takes this few bytes at once.
    let sent = poll_fn(|cx| stream.poll_write(cx, &request)).await;
    if !matches!(sent, Ok(n) if n == request.len()) {
        return Err(refused);
    }
    let (mut reply, mut got) = ([0; socks4::REPLY], 0);
    while got < reply.len() {
        // Not a byte more: what follows is the server's.
        got += poll_fn(|cx| match stream.poll_read(cx, &mut reply[got..]) {
            Poll::Ready(Ok(n)) if n > 0 => Poll::Ready(Ok(n)),
            Poll::Ready(_) => Poll::Ready(Err(refused)),
            Poll::Pending => ends.poll(conn, cx).map(Err),
        })
        .await?;
    }
    socks4::judge(reply).map_err(|_| refused)
}

/// What ends the wait for a connection from outside: the client, what becomes of the server, or time.
struct Ends {
    server: Arc<Server>,
    /// [`Server::kills`] when it began.
    kills: u64,
    watch: Watch,
}

impl Ends {
    fn new(txn: &Txn, server: &Arc<Server>) -> Self {
        Self { server: server.clone(), kills: server.kills(), watch: Watch::of(txn) }
    }

    fn poll(&self, conn: &mut Conn, cx: &mut std::task::Context<'_>) -> Poll<Failure> {
        if self.watch.left(conn, cx) {
            return Poll::Ready(Failure::new(Who::Client, Phase::Connect));
        }
        if self.server.kills() != self.kills {
            return Poll::Ready(Failure::new(Who::by(self.server.kill_cause()), Phase::Connect));
        }
        let late = board::blame(Who::ServerTimeout);
        conn.deadline.poll(cx).map(|()| Failure::new(late, Phase::Connect))
    }
}

/// Wait until the handshake is over; `error` is told why it was not.
async fn wait_connected(
    conn: &mut Conn,
    stream: &mut Stream,
    ends: &Ends,
    error: &mut Option<ConnectError>,
) -> Result<(), Failure> {
    let refused = Failure::new(Who::Server, Phase::Connect);
    poll_fn(|cx| match stream.poll_connected(cx) {
        Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
        Poll::Ready(Err(e)) => {
            *error = Some(ConnectError::of(&e));
            Poll::Ready(Err(refused))
        }
        Poll::Pending => ends.poll(conn, cx).map(Err),
    })
    .await
}

/// Out of descriptors or memory is our trouble; anything else counts as the server's, an address or a port that is not
/// to be had too.
fn local_trouble(e: &io::Error) -> Failure {
    let ours = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
    let who =
        if e.raw_os_error().is_some_and(|code| ours.contains(&code)) { Who::Resource } else { Who::Server };
    Failure::new(who, Phase::Connect)
}
