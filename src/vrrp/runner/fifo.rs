//! Pipes that hear every state change (`notify_fifo`, `vrrp_notify_fifo`).

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, chown, mkfifo};

use crate::ir::vrrp::{GlobalDefs, NotifyFifo};

use super::exec::Running;
use super::journal::Journal;

#[derive(Debug)]
struct Fifo {
    path: PathBuf,
    pipe: File,
    /// It was not there before, so it goes with us.
    made: bool,
}

/// The open pipes.
#[derive(Debug, Default)]
pub(super) struct Fifos {
    open: Vec<Fifo>,
    configured: Vec<NotifyFifo>,
}

impl Fifos {
    /// Opens what the configuration names, keeping what is open already, and starts their scripts.
    pub(super) fn update(&mut self, global: &GlobalDefs, running: &mut Running, journal: &Rc<Journal>) {
        let configured: Vec<NotifyFifo> =
            global.notify_fifo.iter().chain(&global.vrrp_notify_fifo).cloned().collect();
        if configured == self.configured {
            return;
        }
        self.close();
        for fifo in &configured {
            let Some(path) = &fifo.path else { continue };
            match open(path, fifo) {
                Ok(opened) => self.open.push(opened),
                Err(e) => {
                    journal.warn(format!("Unable to open notify fifo {}: {e}", path.display()));
                    continue;
                }
            }
            if let Some(script) = &fifo.script {
                running.start(script, &[&path.to_string_lossy()], journal);
            }
        }
        self.configured = configured;
    }

    /// Writes one line. A reader that is not there or too slow misses it.
    pub(super) fn say(&mut self, line: &str) {
        for fifo in &mut self.open {
            let _ = fifo.pipe.write(line.as_bytes());
        }
    }

    /// Closes the pipes and removes those made here.
    pub(super) fn close(&mut self) {
        for fifo in self.open.drain(..).filter(|f| f.made) {
            // Somebody may have removed it before.
            let _ = std::fs::remove_file(&fifo.path);
        }
        self.configured.clear();
    }
}

fn open(path: &Path, fifo: &NotifyFifo) -> io::Result<Fifo> {
    let made = match mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR) {
        Ok(()) => true,
        Err(nix::Error::EEXIST) => false,
        Err(e) => return Err(e.into()),
    };
    if let Some(owner) = fifo.owner.filter(|_| made) {
        chown(path, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))?;
    }
    // Read and write: writing must neither wait for a reader nor end with one.
    let pipe =
        std::fs::OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    Ok(Fifo { path: path.to_owned(), pipe, made })
}
