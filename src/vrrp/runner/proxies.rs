//! `track_proxy`: finds the proxies of this network, asks them, and hears of their changes and of their end at once.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Weak;
use std::time::{Duration, Instant};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use socket2::Socket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use crate::ir::vrrp::TrackProxy;
use crate::sys::clock;
use crate::sys::doors::Doors;
use crate::vrrp::proxy::{HEARTBEAT, Question, Report, failure, names};

use super::core::Core;

/// Between two looks for proxies that were started.
const PAUSE: Duration = Duration::from_millis(200);
/// A proxy that says nothing for so many heartbeats does not run.
const SILENCE: u32 = 8;
/// Longest report, bytes.
const LONGEST: usize = 4 << 20;

/// A connection to a proxy.
#[derive(Debug)]
struct Connection {
    heard: Heard,
    task: JoinHandle<()>,
}

/// What a proxy said last.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing yet.
    Nothing,
    /// This.
    Report(Report),
    /// Nothing for too long.
    Silence,
}

/// The proxies of this network.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    core: Weak<RefCell<Core>>,
    wanted: Vec<TrackProxy>,
    question: String,
    doors: Option<Doors>,
    /// By position of their name.
    connections: BTreeMap<usize, Connection>,
    /// Users whose processes have a name of a proxy and are not believed; said once.
    refused: BTreeSet<u32>,
    look: Option<JoinHandle<()>>,
}

impl Proxies {
    /// Asks for what these need from now on.
    pub(super) fn start(&mut self, core: &Weak<RefCell<Core>>, wanted: &[TrackProxy]) {
        self.stop();
        self.core = Weak::clone(core);
        self.wanted = wanted.to_vec();
        if wanted.is_empty() {
            return;
        }
        let Ok(question) = serde_json::to_string(&Question::of(wanted)) else { return };
        self.question = question + "\n";
        self.doors = Doors::new(names()).ok();
        let core = Weak::clone(core);
        self.look = Some(tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(PAUSE).await;
                let Some(core) = core.upgrade() else { return };
                core.borrow_mut().look_for_proxies(false, None);
            }
        }));
    }

    /// Ends it.
    pub(super) fn stop(&mut self) {
        if let Some(look) = self.look.take() {
            look.abort();
        }
        for (_, connection) in std::mem::take(&mut self.connections) {
            connection.task.abort();
        }
    }

    /// Connects to proxies that were not there before, but not by the name at `except`; `all`: even to those that no proxy
    /// would have now. Users who are not believed come back.
    fn look(&mut self, all: bool, except: Option<usize>) -> Vec<u32> {
        let mut refused = Vec::new();
        if self.wanted.is_empty() {
            return refused;
        }
        let Self { doors, connections, .. } = self;
        let known = |at: usize| connections.contains_key(&at) || except == Some(at);
        let found = doors.as_mut().map(|doors| doors.knock(all, known)).unwrap_or_default();
        for (at, socket) in found {
            match believed(socket) {
                Ok(stream) => {
                    let (core, question) = (Weak::clone(&self.core), self.question.clone());
                    let task = tokio::task::spawn_local(listen(core, at, stream, question));
                    self.connections.insert(at, Connection { heard: Heard::Nothing, task });
                }
                Err(Some(user)) => refused.extend(self.refused.insert(user).then_some(user)),
                Err(None) => {}
            }
        }
        refused
    }

    fn heard(&mut self, at: usize, heard: Heard) {
        if let Some(connection) = self.connections.get_mut(&at) {
            connection.heard = heard;
        }
    }

    /// What is wrong with each of the wanted; `None`: that is not known yet.
    fn failures(&self) -> Vec<Option<Option<String>>> {
        let heard = || self.connections.values().map(|connection| &connection.heard);
        let reports: Vec<&Report> = heard()
            .filter_map(|heard| if let Heard::Report(report) = heard { Some(report) } else { None })
            .collect();
        let pending = heard().any(|heard| *heard == Heard::Nothing);
        let silent = heard().any(|heard| *heard == Heard::Silence);
        let one = |wanted: &TrackProxy| match failure(wanted, &reports) {
            Some(_) if pending => None,
            Some(_) if silent && reports.is_empty() => Some(Some("the proxy does not answer".to_owned())),
            failure => Some(failure),
        };
        self.wanted.iter().map(one).collect()
    }
}

impl Drop for Proxies {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The connection, if it leads to a proxy that is to be believed. `Err(Some)`: a process of this user is there, and not
/// believed: anybody can take a name.
fn believed(socket: Socket) -> Result<UnixStream, Option<u32>> {
    let peer = getsockopt(&socket, PeerCredentials).map_err(|_| None)?;
    if peer.uid() != 0 && peer.uid() != nix::unistd::geteuid().as_raw() {
        return Err(Some(peer.uid()));
    }
    UnixStream::from_std(std::os::unix::net::UnixStream::from(std::os::fd::OwnedFd::from(socket)))
        .map_err(|_| None)
}

/// Asks a proxy and tells what it answers, until it is gone.
async fn listen(core: Weak<RefCell<Core>>, at: usize, mut stream: UnixStream, question: String) {
    let said = |heard| {
        let core = core.upgrade()?;
        core.borrow_mut().proxy_said(at, heard, clock::now());
        Some(())
    };
    let mut text = Vec::new();
    let mut silence = 0;
    let asked = tokio::time::timeout(HEARTBEAT * SILENCE, stream.write_all(question.as_bytes())).await;
    if matches!(asked, Ok(Ok(()))) {
        loop {
            // Beats are counted rather than time: a machine that stood still is no silence of the proxy's.
            match tokio::time::timeout(HEARTBEAT, stream.read_buf(&mut text)).await {
                Ok(Ok(0) | Err(_)) => break,
                Ok(Ok(_)) => silence = 0,
                Err(_) => {
                    silence += 1;
                    if silence == SILENCE && said(Heard::Silence).is_none() {
                        return;
                    }
                    continue;
                }
            }
            // The last line is the news.
            let Some(end) = text.iter().rposition(|byte| *byte == b'\n') else {
                if text.len() > LONGEST {
                    break;
                }
                continue;
            };
            let begin = text[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |before| before + 1);
            let Ok(report) = serde_json::from_slice::<Report>(&text[begin..end]) else { break };
            text.drain(..=end);
            if said(Heard::Report(report)).is_none() {
                return;
            }
        }
    }
    if let Some(core) = core.upgrade() {
        core.borrow_mut().proxy_gone(at, clock::now());
    }
}

impl Core {
    /// Follows what the configuration asks for from now on; before the engine starts, it is told what is known.
    pub(super) fn ask_proxies(&mut self, wanted: &[TrackProxy], now: Instant) {
        self.proxies.start(&self.me(), wanted);
        self.look_for_proxies(true, None);
        self.judge_proxies(now);
    }

    fn look_for_proxies(&mut self, all: bool, except: Option<usize>) {
        for user in self.proxies.look(all, except) {
            self.journal().warn(format!(
                "a process of user {user} has the name of a proxy and is not believed: start the proxy as root, it may \
                 drop its rights then"
            ));
        }
    }

    fn proxy_said(&mut self, at: usize, heard: Heard, now: Instant) {
        if matches!(&heard, Heard::Report(report) if report.leaving) {
            // Whoever takes over serves already.
            self.look_for_proxies(true, Some(at));
        }
        self.proxies.heard(at, heard);
        self.judge_proxies(now);
    }

    fn proxy_gone(&mut self, at: usize, now: Instant) {
        self.proxies.connections.remove(&at);
        self.look_for_proxies(true, Some(at));
        self.judge_proxies(now);
    }

    fn judge_proxies(&mut self, now: Instant) {
        for (at, failing) in self.proxies.failures().into_iter().enumerate() {
            if let Some(failing) = failing {
                self.proxy_is(at, failing, now);
            }
        }
    }
}
