//! The sockets under the sessions.

use std::io;
use std::net::TcpListener as StdTcpListener;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{
    SocketAddr as UnixAddr, UnixListener as StdUnixListener, UnixStream as StdUnixStream,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::Control;
use super::session::Session;
use crate::ir::StatsSocket;
use crate::ir::global::{Level, StatsAddr};
use crate::ir::text::bytes_of;
use crate::sys::{self, rights, steer};

/// A stats socket that is bound, made before privileges are dropped.
#[derive(Debug)]
pub struct Bound {
    listener: Listener,
    level: Level,
    /// `expose-fd listeners`.
    exposes: bool,
}

impl Bound {
    /// What its sessions may do.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }
}

#[derive(Debug)]
enum Listener {
    Unix(StdUnixListener),
    Tcp(StdTcpListener),
}

/// Binds a stats socket.
///
/// A socket in the file system takes the place of an older one at once: there is no moment without one.
///
/// # Errors
/// What the kernel says.
pub fn bind(socket: &StatsSocket) -> io::Result<Bound> {
    let listener = match &socket.addr {
        StatsAddr::Unix(path) => Listener::Unix(bind_path(path, socket)?),
        StatsAddr::Abstract(name) => {
            Listener::Unix(StdUnixListener::bind_addr(&UnixAddr::from_abstract_name(name)?)?)
        }
        StatsAddr::Tcp(addr) => Listener::Tcp(bind_tcp(*addr)?),
        StatsAddr::Fd(fd) => {
            let fd: OwnedFd = sys::fd::duplicate(*fd)?;
            let domain = socket2::SockRef::from(&fd).local_addr()?.domain();
            if domain == socket2::Domain::UNIX { Listener::Unix(fd.into()) } else { Listener::Tcp(fd.into()) }
        }
    };
    match &listener {
        Listener::Unix(l) => l.set_nonblocking(true)?,
        Listener::Tcp(l) => l.set_nonblocking(true)?,
    }
    Ok(Bound { listener, level: socket.level, exposes: socket.expose_fd_listeners })
}

fn bind_tcp(addr: std::net::SocketAddr) -> io::Result<StdTcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(addr), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    // A reloaded process binds while the one before still listens.
    socket.set_reuse_port(true)?;
    socket.bind(&addr.into())?;
    socket.listen(128)?;
    Ok(socket.into())
}

fn bind_path(path: &Path, socket: &StatsSocket) -> io::Result<StdUnixListener> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(name);
    if let Err(e) = std::fs::remove_file(&temporary)
        && e.kind() != io::ErrorKind::NotFound
    {
        return Err(e);
    }
    let listener = StdUnixListener::bind(&temporary)?;
    let finish = || {
        if let Some(mode) = socket.mode {
            std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(mode))?;
        }
        if socket.uid.is_some() || socket.gid.is_some() {
            std::os::unix::fs::chown(&temporary, socket.uid, socket.gid)?;
        }
        std::fs::rename(&temporary, path)
    };
    finish().inspect_err(|_| {
        // The error to tell is the one that led here.
        let _ = std::fs::remove_file(&temporary);
    })?;
    Ok(listener)
}

/// Sessions that a master passes on.
pub type Passed = mpsc::UnboundedReceiver<(StdUnixStream, Level)>;

/// Serves all sockets until the process takes no more connections, and the sessions that a master passes on until the
/// future is dropped.
///
/// # Errors
/// A socket that the runtime does not take.
pub async fn serve(control: Arc<Control>, sockets: Vec<Bound>, passed: Option<Passed>) -> io::Result<()> {
    let global = &control.live.config.global;
    let places = Arc::new(Semaphore::new(global.stats_maxconn.max(1) as usize));
    let mut loops = tokio::task::JoinSet::new();
    if let Some(mut passed) = passed {
        let control = control.clone();
        loops.spawn(async move {
            while let Some((stream, level)) = passed.recv().await {
                let control = control.clone();
                let stream = stream.set_nonblocking(true).and_then(|()| UnixStream::from_std(stream));
                let Ok(stream) = stream else { continue };
                tokio::spawn(async move { greet(control, level, true, Accepted::Unix(stream)).await });
            }
            control.orphaned.send_replace(true);
        });
    }
    for bound in sockets {
        let (control, places) = (control.clone(), places.clone());
        let (level, exposes) = (bound.level, bound.exposes);
        let listener = Accepting::new(bound)?;
        loops.spawn(async move {
            let mut stopping = control.stopping.subscribe();
            loop {
                // Whoever came waits for a place, not the socket: it would keep the place while nobody comes.
                let admitted = async {
                    let accepted = listener.accept_one().await;
                    let place =
                        if accepted.is_ok() { places.clone().acquire_owned().await.ok() } else { None };
                    (accepted, place)
                };
                let (accepted, place) = tokio::select! {
                    admitted = admitted => admitted,
                    // The process after this one listens there.
                    _ = stopping.wait_for(|stopping| *stopping) => return,
                };
                match accepted {
                    Ok(accepted) => {
                        let control = control.clone();
                        control.live.process.cum_conns.inc();
                        control.live.process.cum_req.inc();
                        tokio::spawn(async move {
                            greet(control, level, exposes, accepted).await;
                            drop(place);
                        });
                    }
                    Err(e) => accept_failed(&e).await,
                }
            }
        });
    }
    while loops.join_next().await.is_some() {}
    Ok(())
}

/// A connection of either kind.
pub trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// A socket that is polled.
#[derive(Debug)]
pub struct Accepting(Polled);

#[derive(Debug)]
enum Polled {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// A connection, by kind.
#[derive(Debug)]
enum Accepted {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Accepting {
    /// Takes a socket to the runtime of the caller.
    ///
    /// # Errors
    /// The runtime does not take it.
    pub fn new(bound: Bound) -> io::Result<Self> {
        Ok(Self(match bound.listener {
            Listener::Unix(listener) => Polled::Unix(UnixListener::from_std(listener)?),
            Listener::Tcp(listener) => Polled::Tcp(TcpListener::from_std(listener)?),
        }))
    }

    /// The next connection.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self.accept_one().await? {
            Accepted::Unix(stream) => Box::new(stream),
            Accepted::Tcp(stream) => Box::new(stream),
        })
    }

    async fn accept_one(&self) -> io::Result<Accepted> {
        Ok(match &self.0 {
            Polled::Unix(listener) => Accepted::Unix(listener.accept().await?.0),
            Polled::Tcp(listener) => Accepted::Tcp(listener.accept().await?.0),
        })
    }
}

/// What the process that takes over sends.
const ASKS_FOR_SOCKETS: &[u8] = b"_getsocks\n";

/// So long may a process that has the listening sockets take to begin.
const TAKEOVER: Duration = Duration::from_secs(60);

/// Serves one connection: a session, or a process that takes the listening sockets over.
async fn greet(control: Arc<Control>, level: Level, exposes: bool, accepted: Accepted) {
    let mut stream = match accepted {
        Accepted::Unix(stream) => stream,
        Accepted::Tcp(stream) => return converse(&control, level, Box::new(stream), &[]).await,
    };
    let mut buffer = vec![0; 16 * 1024];
    let patience = control.live.config.global.stats_timeout;
    let Ok(Ok(length)) = timeout(patience, stream.read(&mut buffer)).await else { return };
    if &buffer[..length] != ASKS_FOR_SOCKETS {
        buffer.truncate(length);
        return converse(&control, level, Box::new(stream), &buffer).await;
    }
    let Some(stream) = stream.into_std().ok().filter(|_| exposes) else { return };
    let kept = control.clone();
    // Waits for acknowledgements, though never long.
    let outcome = tokio::task::spawn_blocking(move || {
        let exported = control.handed.lock();
        // Of those that share a port HAProxy goes on with the one that comes last and closes the others, and who waits in
        // one that is closed is lost: nobody new does, and it is the first that comes last.
        let handed: Vec<_> = exported.iter().rev().map(|e| &e.handed).collect();
        for one in &handed {
            // What shares its port with nobody says that it cannot.
            let _ = steer::to_the_first(&one.fd);
        }
        rights::hand_over(&stream, &handed)
    });
    if let Ok(Err(error)) = outcome.await {
        tracing::warn!(%error, "the listening sockets could not be handed over");
    }
    // Nobody took over after all: every thread is to have its share.
    tokio::spawn(async move {
        tokio::time::sleep(TAKEOVER).await;
        for one in &*kept.handed.lock() {
            let _ = steer::to_all(&one.handed.fd);
        }
    });
}

/// Out of files or memory: waiting is all that helps.
async fn accept_failed(error: &io::Error) {
    tracing::warn!(%error, "stats socket: accept failed");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// Serves one connection to its end.
async fn converse(control: &Control, level: Level, mut stream: Box<dyn Stream>, first: &[u8]) {
    let mut session = Session::new(level, control.live.config.global.stats_timeout);
    let mut first = Some(first).filter(|first| !first.is_empty());
    let mut buffer = vec![0; 16 * 1024];
    let mut reading = true;
    let mut resume_at: Option<std::time::Instant> = None;
    let mut more = false;
    loop {
        let output = match resume_at {
            _ if more => session.resume(control),
            // A command waits: input is taken meanwhile, up to a measure, and silence is no reason to end.
            Some(at) => tokio::select! {
                () = tokio::time::sleep_until(at.into()) => session.resume(control),
                read = stream.read(&mut buffer), if reading => match read {
                    Ok(0) => {
                        reading = false;
                        session.finish(control)
                    }
                    Ok(n) => session.feed(control, &buffer[..n]),
                    Err(_) => return,
                },
            },
            None if !reading => session.finish(control),
            None if first.is_some() => session.feed(control, first.take().unwrap_or_default()),
            None => match timeout(session.timeout(), stream.read(&mut buffer)).await {
                Ok(Ok(0)) => {
                    reading = false;
                    session.finish(control)
                }
                Ok(Ok(n)) => session.feed(control, &buffer[..n]),
                // Broken or silent: there is nobody to tell.
                Ok(Err(_)) | Err(_) => return,
            },
        };
        for chunk in bytes_of(&output.text).chunks(64 * 1024) {
            // Each piece has the whole time: a slow reader is served, one that never reads is not.
            match timeout(session.timeout(), stream.write_all(chunk)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return,
            }
        }
        if output.close {
            break;
        }
        (resume_at, more) = (output.resume_at, output.more);
        if more {
            // Sessions may run on the same thread.
            tokio::task::yield_now().await;
        }
    }
    linger(&mut *stream, &mut buffer).await;
}

/// Takes what the client still sends, or the kernel would throw the answer away with it.
async fn linger(stream: &mut dyn Stream, buffer: &mut [u8]) {
    const MOST: usize = 16 * 1024 * 1024;
    const LONGEST: Duration = Duration::from_secs(1);
    if stream.shutdown().await.is_err() {
        return;
    }
    let drain = async {
        let mut taken = 0;
        while taken < MOST {
            match stream.read(buffer).await {
                Ok(0) | Err(_) => return,
                Ok(n) => taken += n,
            }
        }
    };
    // Longer than that and the client is told by a reset.
    let _ = timeout(LONGEST, drain).await;
}
