//! The connections of a ring to its servers: a task for each.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep_until, timeout};

use super::{Batch, Ring};
use crate::ir::log::RingAddr;
use crate::sys::home::Home;

/// A server is asked for a connection no more often than this.
const EVERY: Duration = Duration::from_secs(1);

/// Starts them.
pub(super) fn start(ring: &Arc<Ring>, home: Home) -> io::Result<()> {
    let ring = ring.clone();
    home.run("ring", move || {
        for index in 0..ring.conf.servers.len() {
            tokio::spawn(pass_on(ring.clone(), index));
        }
        Ok(std::future::pending())
    })
}

/// Passes lines on to one server, for ever.
async fn pass_on(ring: Arc<Ring>, index: usize) {
    loop {
        let again = Instant::now() + EVERY;
        match &ring.conf.servers[index].addr {
            RingAddr::Tcp(addr) => serve(&ring, index, TcpStream::connect(addr)).await,
            RingAddr::Unix(path) => serve(&ring, index, UnixStream::connect(path)).await,
        }
        sleep_until(again).await;
    }
}

/// Connects and passes lines on until the connection breaks.
async fn serve<S: AsyncRead + AsyncWrite>(
    ring: &Ring,
    index: usize,
    connect: impl Future<Output = io::Result<S>>,
) {
    let Ok(Ok(stream)) = timeout(ring.conf.timeout_connect, connect).await else { return };
    let (mut from, mut to) = tokio::io::split(stream);
    tokio::select! {
        () = ended(&mut from) => {}
        () = write_all(ring, index, &mut to) => {}
    }
}

/// Reads away what the server says; its end is the end.
async fn ended(from: &mut (impl AsyncRead + Unpin)) {
    let mut scrap = [0; 512];
    while matches!(from.read(&mut scrap).await, Ok(1..)) {}
}

/// Writes what the ring has and will have. What the kernel took is not sent again.
async fn write_all(ring: &Ring, index: usize, to: &mut (impl AsyncWrite + Unpin)) {
    let mut batch = Batch::default();
    loop {
        ring.fill(index, &mut batch).await;
        let mut written = 0;
        while written < batch.bytes.len() {
            let write = to.write(&batch.bytes[written..]);
            let took = match ring.conf.timeout_server {
                Some(limit) => timeout(limit, write).await.unwrap_or(Ok(0)),
                None => write.await,
            };
            match took {
                Ok(took @ 1..) => written += took,
                _ => return,
            }
            ring.took(index, &batch, written);
        }
    }
}
