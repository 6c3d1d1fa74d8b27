//! The request loop: one request every few milliseconds on a connection of its own, each with its outcome.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::sys::clock;

/// Time between two requests.
const EVERY: Duration = Duration::from_millis(20);
/// A request that takes longer is lost.
const PATIENCE: Duration = Duration::from_secs(1);

/// What happened since the last look.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) sent: u64,
    pub(super) lost: u64,
    pub(super) by_origin: BTreeMap<String, u64>,
    /// Longest time between two answers.
    pub(super) longest_gap: Duration,
}

impl Tally {
    /// `origin1 34, origin2 33, origin3 33`.
    pub(super) fn origins(&self) -> String {
        let parts: Vec<String> = self.by_origin.iter().map(|(name, n)| format!("{name} {n}")).collect();
        parts.join(", ")
    }
}

#[derive(Debug)]
struct State {
    tally: Tally,
    last_answer: Option<Instant>,
    /// Number of the tally: requests of an earlier one that are still under way count no more.
    round: u64,
}

/// The loop's results.
#[derive(Clone, Debug)]
pub(super) struct Load(Arc<Mutex<State>>);

impl Load {
    /// Starts asking `target` until the runtime ends.
    pub(super) fn start(target: SocketAddr) -> Self {
        let state = Arc::new(Mutex::new(State { tally: Tally::default(), last_answer: None, round: 0 }));
        let results = state.clone();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(EVERY);
            loop {
                ticks.tick().await;
                let results = results.clone();
                let round = results.lock().round;
                tokio::spawn(async move {
                    let outcome = timeout(PATIENCE, ask(target)).await;
                    record(&results, round, outcome.ok().and_then(Result::ok).flatten());
                });
            }
        });
        Self(state)
    }

    /// What happened since the last call.
    pub(super) fn take(&self) -> Tally {
        let mut state = self.0.lock();
        // A gap that is still open counts as far as it has come.
        if let Some(gap) = state.last_answer.map(|at| clock::now().duration_since(at)) {
            state.tally.longest_gap = state.tally.longest_gap.max(gap);
        }
        state.round += 1;
        std::mem::take(&mut state.tally)
    }

    /// Answers since the last [`Self::take`].
    pub(super) fn answered(&self) -> u64 {
        let state = self.0.lock();
        state.tally.sent - state.tally.lost
    }
}

fn record(state: &Mutex<State>, round: u64, origin: Option<String>) {
    let mut state = state.lock();
    if round != state.round {
        return;
    }
    state.tally.sent += 1;
    match origin {
        None => state.tally.lost += 1,
        Some(origin) => {
            let now = clock::now();
            if let Some(last) = state.last_answer {
                state.tally.longest_gap = state.tally.longest_gap.max(now.saturating_duration_since(last));
            }
            state.last_answer = Some(now);
            *state.tally.by_origin.entry(origin).or_default() += 1;
        }
    }
}

/// One request; the origin's name if the answer was 200.
async fn ask(target: SocketAddr) -> std::io::Result<Option<String>> {
    let mut stream = TcpStream::connect(target).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n").await?;
    let mut answer = Vec::with_capacity(512);
    stream.read_to_end(&mut answer).await?;
    let text = String::from_utf8_lossy(&answer);
    if !text.starts_with("HTTP/1.1 200") {
        return Ok(None);
    }
    let name =
        text.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("x-origin: ").map(str::to_owned));
    Ok(name)
}
