//! The sockets under the sessions.

use std::io;
use std::net::TcpListener as StdTcpListener;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener as StdUnixListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Control;
use super::session::Session;
use crate::ir::StatsSocket;
use crate::ir::global::{Level, StatsAddr};
use crate::sys;

/// A stats socket that is bound, made before privileges are dropped.
#[derive(Debug)]
pub struct Bound {
    listener: Listener,
    level: Level,
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
    Ok(Bound { listener, level: socket.level })
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

/// Serves all sockets until the future is dropped.
///
/// # Errors
/// A socket that the runtime does not take.
pub async fn serve(control: Arc<Control>, sockets: Vec<Bound>) -> io::Result<()> {
    let global = &control.live.config.global;
    let places = Arc::new(Semaphore::new(global.stats_maxconn.max(1) as usize));
    let mut loops = tokio::task::JoinSet::new();
    for Bound { listener, level } in sockets {
        let (control, places) = (control.clone(), places.clone());
        let listener = match listener {
            Listener::Unix(listener) => Accepting::Unix(UnixListener::from_std(listener)?),
            Listener::Tcp(listener) => Accepting::Tcp(TcpListener::from_std(listener)?),
        };
        loops.spawn(async move {
            loop {
                // The semaphore is never closed.
                let Ok(place) = places.clone().acquire_owned().await else { return };
                match listener.accept().await {
                    Ok(stream) => {
                        let control = control.clone();
                        tokio::spawn(async move {
                            converse(&control, level, stream).await;
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
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

#[derive(Debug)]
enum Accepting {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Accepting {
    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Unix(listener) => Box::new(listener.accept().await?.0),
            Self::Tcp(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

/// Out of files or memory: waiting is all that helps.
async fn accept_failed(error: &io::Error) {
    tracing::warn!(%error, "stats socket: accept failed");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// Serves one connection to its end.
async fn converse(control: &Control, level: Level, mut stream: Box<dyn Stream>) {
    let mut session = Session::new(level, control.live.config.global.stats_timeout);
    let mut buffer = vec![0; 16 * 1024];
    let mut reading = true;
    let mut resume_at: Option<std::time::Instant> = None;
    loop {
        let output = match resume_at {
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
        for chunk in output.text.as_bytes().chunks(64 * 1024) {
            // Each piece has the whole time: a slow reader is served, one that never reads is not.
            match timeout(session.timeout(), stream.write_all(chunk)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return,
            }
        }
        if output.close {
            break;
        }
        resume_at = output.resume_at;
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
