//! The worker's end of the connection between master and worker.
//!
//! The worker says how its start went: messages of a letter, a length and a text; `L` what it wrote while starting, `R`
//! that it serves. The master sends connections of its command line: a letter for the level, and the descriptor. The
//! end of the connection means that the other process is gone.

use std::io::{self, Read, Write as _};
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;

use tokio::io::Interest;
use tokio::sync::mpsc;

use crate::ctl::runner::Passed;
use crate::ir::global::Level;
use crate::sys::rights;

/// Environment variable with the number of the worker's end.
pub(super) const CHANNEL: &str = "TANDEM_MASTER_CHANNEL";
/// Environment variable with the number of a stream to the stats socket of the worker before this one.
pub(super) const PREDECESSOR: &str = "TANDEM_PREDECESSOR";

/// Kinds of messages from the worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// What it wrote while starting.
    Logs(String),
    /// It serves.
    Ready,
}

/// The worker's end.
#[derive(Debug)]
pub struct Link {
    stream: UnixStream,
    predecessor: Option<UnixStream>,
}

fn inherited(name: &str) -> Option<UnixStream> {
    let fd: RawFd = std::env::var(name).ok()?.parse().ok()?;
    rights::inherited_stream(fd).ok()
}

impl Link {
    /// The end that this process was given; `None`: it has no master. Call it once.
    #[must_use]
    pub fn inherited() -> Option<Self> {
        let predecessor = inherited(PREDECESSOR);
        inherited(CHANNEL).map(|stream| Self { stream, predecessor })
    }

    /// A stream to the process that serves until this one does; its sockets can be had there.
    pub fn predecessor(&mut self) -> Option<UnixStream> {
        self.predecessor.take()
    }

    /// Tells the master what was written while starting.
    pub fn tell_logs(&self, text: &str) {
        self.tell(b'L', text.as_bytes());
    }

    /// Tells the master that this process serves.
    pub fn tell_ready(&self) {
        self.tell(b'R', b"");
    }

    fn tell(&self, kind: u8, text: &[u8]) {
        let mut message = vec![kind];
        message.extend_from_slice(&(text.len() as u32).to_ne_bytes());
        message.extend_from_slice(text);
        // A master that is gone shows as the end of the stream.
        let _ = (&self.stream).write_all(&message);
    }

    /// Connections from the master, until it is gone. To be called within a runtime.
    ///
    /// # Errors
    /// The runtime does not take the socket.
    pub fn connections(self) -> io::Result<Passed> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.stream.set_nonblocking(true)?;
        let stream = tokio::net::UnixStream::from_std(self.stream)?;
        tokio::spawn(async move {
            let mut letter = [0];
            loop {
                let received = stream.async_io(Interest::READABLE, || rights::receive(&stream, &mut letter));
                match received.await {
                    Ok((1, mut fds)) if fds.len() == 1 => {
                        let Some(fd) = fds.pop() else { return };
                        if sender.send((fd.into(), level_of(letter[0]))).is_err() {
                            return;
                        }
                    }
                    Ok((0, _)) => return,
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => return,
                }
            }
        });
        Ok(receiver)
    }
}

fn level_of(letter: u8) -> Level {
    match letter {
        b'a' => Level::Admin,
        b'o' => Level::Operator,
        _ => Level::User,
    }
}

/// The letter of a level.
pub(super) fn letter_of(level: Level) -> u8 {
    match level {
        Level::Admin => b'a',
        Level::Operator => b'o',
        Level::User => b'u',
    }
}

/// Reads one message of a worker; `None`: it is gone.
pub(super) fn read_said(mut stream: impl Read) -> Option<Said> {
    let mut head = [0; 5];
    stream.read_exact(&mut head).ok()?;
    let length = u32::from_ne_bytes([head[1], head[2], head[3], head[4]]);
    let mut text = Vec::new();
    stream.take(u64::from(length)).read_to_end(&mut text).ok()?;
    Some(match head[0] {
        b'R' => Said::Ready,
        _ => Said::Logs(String::from_utf8_lossy(&text).into_owned()),
    })
}
