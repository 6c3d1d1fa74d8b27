//! `vrrp_track_process`: which processes run. Their end is seen through their descriptors; new ones come from the
//! kernel's process connector, or where it does not speak to us (a network or process id namespace) from looking at
//! all of them once a second.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Weak;
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::task::JoinHandle;

use crate::ir::vrrp::{Config, ParamMatch, TrackProcess};
use crate::sys::clock;
use crate::sys::connector::{ProcessEvent, ProcessEvents};
use crate::sys::process::{self, Process, ProcessFd};

use super::Core;
use super::journal::Journal;

/// Between two looks at all processes where the kernel does not tell.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Living {
    /// Positions of what it counts for.
    counts_for: Vec<usize>,
    end: JoinHandle<()>,
}

/// The processes that count.
#[derive(Debug, Default)]
pub(super) struct Processes {
    wanted: Vec<TrackProcess>,
    living: BTreeMap<i32, Living>,
    feed: Option<JoinHandle<()>>,
    core: Weak<RefCell<Core>>,
}

impl Processes {
    /// Follows these from now on. False: new ones are found by looking.
    pub(super) fn start(&mut self, core: &Weak<RefCell<Core>>, config: &Config, journal: &Journal) -> bool {
        let (wanted, buffer) = (&config.track_processes[..], config.global.process_monitor);
        self.stop();
        self.core = Weak::clone(core);
        self.wanted = wanted.to_vec();
        if wanted.is_empty() {
            return true;
        }
        // First listen, then look.
        let events = ProcessEvents::open();
        if let Ok(events) = &events
            && buffer.size > 0
            && let Err(e) = events.set_buffer(buffer.size, buffer.force)
        {
            let force = if buffer.force { "FORCE" } else { "" };
            journal.warn(format!("Cannot set process monitor SO_RCVBUF{force} option. ({e})"));
        }
        let events = events.and_then(ProcessEvents::watch).ok();
        let told = events.is_some();
        self.feed = Some(match events {
            Some(events) => tokio::task::spawn_local(hear(Weak::clone(core), events)),
            None => tokio::task::spawn_local(look(Weak::clone(core), wanted.to_vec())),
        });
        self.set_all(process::all().map(|found| (found.pid, matching(wanted, &found))).collect());
        told
    }

    /// Ends it.
    pub(super) fn stop(&mut self) {
        if let Some(feed) = self.feed.take() {
            feed.abort();
        }
        for (_, living) in std::mem::take(&mut self.living) {
            living.end.abort();
        }
    }

    /// How many there are of each.
    pub(super) fn counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.wanted.len()];
        for at in self.living.values().flat_map(|living| &living.counts_for) {
            counts[*at] += 1;
        }
        counts
    }

    /// A process ended.
    pub(super) fn ended(&mut self, pid: i32) {
        self.living.remove(&pid);
    }

    /// Something happened to processes.
    pub(super) fn event(&mut self, event: ProcessEvent) {
        let look_at = |pid: i32| match Process::read(pid) {
            Some(found) => matching(&self.wanted, &found),
            None => Vec::new(),
        };
        match event {
            ProcessEvent::Forked { parent, child } => {
                // It is what its parent is until it runs something else.
                if self.living.contains_key(&parent) {
                    self.set(child, look_at(child));
                }
            }
            ProcessEvent::Changed(pid) => self.set(pid, look_at(pid)),
            ProcessEvent::Lost => {
                self.set_all(process::all().map(|p| (p.pid, matching(&self.wanted, &p))).collect());
            }
        }
    }

    /// These are all there are.
    fn set_all(&mut self, found: BTreeMap<i32, Vec<usize>>) {
        let gone: Vec<i32> = self.living.keys().filter(|pid| !found.contains_key(pid)).copied().collect();
        for pid in gone {
            self.set(pid, Vec::new());
        }
        for (pid, counts_for) in found {
            self.set(pid, counts_for);
        }
    }

    fn set(&mut self, pid: i32, counts_for: Vec<usize>) {
        if counts_for.is_empty() {
            if let Some(living) = self.living.remove(&pid) {
                living.end.abort();
            }
            return;
        }
        if let Some(living) = self.living.get_mut(&pid) {
            living.counts_for = counts_for;
            return;
        }
        // Gone in the meantime: nothing to count.
        let Ok(fd) = ProcessFd::open(pid) else { return };
        let core = Weak::clone(&self.core);
        let end = tokio::task::spawn_local(async move {
            if fd.ended().await.is_ok()
                && let Some(core) = core.upgrade()
            {
                core.borrow_mut().process_ended(pid, clock::now());
            }
        });
        self.living.insert(pid, Living { counts_for, end });
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn hear(core: Weak<RefCell<Core>>, events: AsyncFd<ProcessEvents>) {
    while let Ok(mut ready) = events.readable().await {
        loop {
            match events.get_ref().receive() {
                Ok(Some(event)) => {
                    let Some(core) = core.upgrade() else { return };
                    core.borrow_mut().process_event(event, clock::now());
                }
                Ok(None) => {}
                Err(_) => break,
            }
        }
        ready.clear_ready();
    }
}

async fn look(core: Weak<RefCell<Core>>, wanted: Vec<TrackProcess>) {
    let wanted = std::sync::Arc::new(wanted);
    loop {
        tokio::time::sleep(PAUSE).await;
        let wanted = std::sync::Arc::clone(&wanted);
        // Another thread has the time; the ends, which matter most, are not seen this way.
        let found = tokio::task::spawn_blocking(move || {
            process::all().map(|found| (found.pid, matching(&wanted, &found))).collect::<BTreeMap<_, _>>()
        });
        let Ok(found) = found.await else { return };
        let Some(core) = core.upgrade() else { return };
        core.borrow_mut().processes_found(found, clock::now());
    }
}

impl Processes {
    /// What another thread saw a moment ago. A process that ended meanwhile cannot be opened any more.
    pub(super) fn found(&mut self, found: BTreeMap<i32, Vec<usize>>) {
        self.set_all(found);
    }
}

/// What a process counts for.
fn matching(wanted: &[TrackProcess], found: &Process) -> Vec<usize> {
    let mut line = None;
    let mut at = Vec::new();
    for (index, process) in wanted.iter().enumerate() {
        let counts = if process.full_command {
            runs(process, line.get_or_insert_with(|| found.command_line()))
        } else {
            let name = process.argv[0].as_bytes();
            found.comm == name[..name.len().min(process::COMM_LEN)]
        };
        if counts {
            at.push(index);
        }
    }
    at
}

/// Compares a command line (words ended by NUL bytes) as `param_match` says.
fn runs(process: &TrackProcess, line: &[u8]) -> bool {
    let joined =
        |words: &[String]| words.iter().flat_map(|w| [w.as_bytes(), b"\0"].concat()).collect::<Vec<u8>>();
    let Some(rest) = line.strip_prefix(&joined(&process.argv[..1])[..]) else { return false };
    let wanted = joined(&process.argv[1..]);
    match process.param_match {
        ParamMatch::None => true,
        ParamMatch::Exact => rest == wanted,
        ParamMatch::Partial => rest.starts_with(&wanted),
        ParamMatch::Initial => rest.starts_with(&wanted[..wanted.len().saturating_sub(1)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_compared_as_configured() {
        let process = |line: &str, param_match| TrackProcess {
            name: "p".into(),
            argv: line.split(' ').map(str::to_owned).collect(),
            param_match,
            full_command: true,
            weight: 0,
            reverse: false,
            quorum: 1,
            quorum_max: None,
            fork_delay: Duration::ZERO,
            terminate_delay: Duration::ZERO,
            place: Default::default(),
        };
        let line = b"/bin/x\0-f\0/etc/x.conf\0";
        for (wanted, param_match, expected) in [
            ("/bin/x", ParamMatch::None, true),
            ("x", ParamMatch::None, false),
            ("/bin/x -f /etc/x.conf", ParamMatch::Exact, true),
            ("/bin/x -f", ParamMatch::Exact, false),
            ("/bin/x", ParamMatch::Exact, false),
            ("/bin/x -f", ParamMatch::Partial, true),
            ("/bin/x -f /etc", ParamMatch::Partial, false),
            ("/bin/x -f /etc", ParamMatch::Initial, true),
            ("/bin/x -g", ParamMatch::Initial, false),
            ("/bin/x", ParamMatch::Initial, true),
        ] {
            assert_eq!(runs(&process(wanted, param_match), line), expected, "{wanted} {param_match:?}");
        }
    }
}
