//! Requests in a steady rhythm, each one recorded: what a system's users see while parts of it fail.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::host::Host;
use super::http::Response;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// When it was begun.
    pub(crate) at: Instant,
    /// How long the answer took.
    pub(crate) took: Duration,
    /// The status and the body, or why there was none.
    pub(crate) outcome: std::result::Result<(u16, String), String>,
}

impl Sample {
    /// Whether the user got what was asked for.
    pub(crate) fn good(&self) -> bool {
        matches!(self.outcome, Ok((200, _)))
    }
}

/// A stream of requests, running until it is finished.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    samples: Arc<Mutex<Vec<Sample>>>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    /// Begins a request every `period`, whether or not the earlier ones have been answered.
    pub(crate) fn every(period: Duration, host: &Host, address: &str, patience: Duration) -> Self {
        Self::start(host, address, move |target, stop, samples| async move {
            let mut beat = tokio::time::interval(period);
            let mut running = tokio::task::JoinSet::new();
            while !stop.load(Ordering::Relaxed) {
                beat.tick().await;
                let samples = Arc::clone(&samples);
                running.spawn_local(async move {
                    let sample = once(target, patience).await;
                    samples.lock().unwrap().push(sample);
                });
            }
            while running.join_next().await.is_some() {}
        })
    }

    /// Asks, waits for the answer, pauses, asks again: `while curl -m PATIENCE ...; do sleep PAUSE; done`.
    pub(crate) fn one_by_one(pause: Duration, host: &Host, address: &str, patience: Duration) -> Self {
        Self::start(host, address, move |target, stop, samples| async move {
            while !stop.load(Ordering::Relaxed) {
                let sample = once(target, patience).await;
                samples.lock().unwrap().push(sample);
                tokio::time::sleep(pause).await;
            }
        })
    }

    fn start<W: Future<Output = ()>>(
        host: &Host,
        address: &str,
        work: impl FnOnce(SocketAddr, Arc<AtomicBool>, Arc<Mutex<Vec<Sample>>>) -> W + Send + 'static,
    ) -> Self {
        let target = address.parse().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let samples = Arc::new(Mutex::new(Vec::new()));
        let job = (Arc::clone(&stop), Arc::clone(&samples));
        let thread = host.thread(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            tokio::task::LocalSet::new().block_on(&runtime, work(target, job.0, job.1));
        });
        Self { stop, samples, thread: Some(thread) }
    }

    /// What has been answered so far.
    pub(crate) fn so_far(&self) -> Report {
        let mut samples = self.samples.lock().unwrap().clone();
        samples.sort_by_key(|sample| sample.at);
        Report { samples }
    }

    /// Stops asking, waits for the answers on their way, and gives the record.
    pub(crate) fn finish(mut self) -> Report {
        self.end();
        self.so_far()
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end();
    }
}

/// The record of a load.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// Every request in the order they were begun.
    pub(crate) samples: Vec<Sample>,
}

impl Report {
    /// The part begun after `moment`.
    pub(crate) fn since(&self, moment: Instant) -> Self {
        Self { samples: self.samples.iter().filter(|sample| sample.at >= moment).cloned().collect() }
    }

    /// The requests that failed.
    pub(crate) fn lost(&self) -> Vec<&Sample> {
        self.samples.iter().filter(|sample| !sample.good()).collect()
    }

    /// How many good answers said exactly this.
    pub(crate) fn said(&self, body: &str) -> usize {
        self.samples
            .iter()
            .filter(|sample| matches!(&sample.outcome, Ok((200, text)) if text == body))
            .count()
    }

    /// The time within which this share of the good answers came.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        let mut times: Vec<Duration> =
            self.samples.iter().filter(|sample| sample.good()).map(|sample| sample.took).collect();
        times.sort();
        #[expect(
            clippy::cast_sign_loss,
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "a rank"
        )]
        let rank = (times.len() as f64 * share) as usize;
        times.get(rank.min(times.len().saturating_sub(1))).copied().unwrap_or_default()
    }

    /// One line for people.
    pub(crate) fn summary(&self) -> String {
        let lost = self.lost();
        let slowest = self.percentile(1.0);
        let mut line = format!(
            "{} requests, {} lost, p95 {:?}, slowest {slowest:?}",
            self.samples.len(),
            lost.len(),
            self.percentile(0.95)
        );
        if let Some(start) = self.samples.first().map(|sample| sample.at) {
            for sample in lost.iter().take(12) {
                line +=
                    &format!("\n  at {:?}: {:?} after {:?}", sample.at - start, sample.outcome, sample.took);
            }
        }
        line
    }
}

async fn once(target: SocketAddr, patience: Duration) -> Sample {
    let at = Instant::now();
    let outcome = match tokio::time::timeout(patience, ask(target)).await {
        Ok(Ok(answer)) => Ok((answer.status, answer.text())),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer in time".to_owned()),
    };
    Sample { at, took: at.elapsed(), outcome }
}

async fn ask(target: SocketAddr) -> Result<Response> {
    let mut stream = TcpStream::connect(target).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n").await?;
    read_answer(&mut stream, &mut Vec::new()).await
}

/// Reads one answer; what follows it stays in `buffer`.
pub(crate) async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<Response> {
    let mut ended = false;
    loop {
        if !buffer.is_empty()
            && let Some(answer) = Response::take(buffer, ended)?
        {
            return Ok(answer);
        }
        if ended {
            return Err(Error::new(ErrorKind::UnexpectedEof, "closed without an answer"));
        }
        ended = stream.read_buf(buffer).await? == 0;
    }
}
