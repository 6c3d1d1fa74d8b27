//! A crowd of users, each with a connection of its own that stays open between requests.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::host::Host;
use super::load::read_answer;

/// What the crowd saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// How long each good answer took.
    pub(crate) times: Vec<Duration>,
    /// What went wrong, each time it did.
    pub(crate) failures: Vec<String>,
    /// Answers from another server than the user's cookie names.
    pub(crate) strays: usize,
    /// Requests sent again, on a new connection, because the kept one ended without a byte of an answer: browsers
    /// must do that (RFC 9112, section 9.3.1), and proxies count on it.
    pub(crate) retried: usize,
    /// The most users connected at one moment.
    pub(crate) most: usize,
    connected: usize,
}

impl Tally {
    /// The time within which this share (in percent) of the good answers came.
    pub(crate) fn percentile(&mut self, percent: usize) -> Duration {
        self.times.sort();
        let rank = (self.times.len() * percent / 100).min(self.times.len().saturating_sub(1));
        self.times.get(rank).copied().unwrap_or_default()
    }
}

/// Sends `users` at once to `address` for `time`; each pauses for `pause` between its requests for `path`.
pub(crate) fn crowd(
    host: &Host,
    address: &str,
    path: &'static str,
    users: u32,
    time: Duration,
    pause: Duration,
) -> JoinHandle<Tally> {
    let target: SocketAddr = address.parse().unwrap();
    // A connection for each user, on top of what the tests themselves have open.
    let (_, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    host.thread(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let tally = Arc::new(Mutex::new(Tally::default()));
        let shared = Arc::clone(&tally);
        let crowd = async move {
            let end = Instant::now() + time;
            let mut running = tokio::task::JoinSet::new();
            for number in 0..users {
                let tally = Arc::clone(&shared);
                // They arrive over the first pause, not in one blow.
                let arrival = pause * number / users;
                running.spawn_local(async move {
                    tokio::time::sleep(arrival).await;
                    user(target, path, end, pause, &tally).await;
                });
            }
            while running.join_next().await.is_some() {}
        };
        tokio::task::LocalSet::new().block_on(&runtime, crowd);
        tally.lock().unwrap().clone()
    })
}

/// One user's visit, reconnecting when the other side ends a connection between requests.
async fn user(target: SocketAddr, path: &str, end: Instant, pause: Duration, tally: &Mutex<Tally>) {
    let mut cookie = None;
    while Instant::now() < end {
        match TcpStream::connect(target).await {
            Ok(stream) => {
                {
                    let mut tally = tally.lock().unwrap();
                    tally.connected += 1;
                    tally.most = tally.most.max(tally.connected);
                }
                visit(stream, path, end, pause, &mut cookie, tally).await;
                tally.lock().unwrap().connected -= 1;
            }
            Err(error) => {
                tally.lock().unwrap().failures.push(format!("connecting: {error}"));
                tokio::time::sleep(pause).await;
            }
        }
    }
}

async fn visit(
    mut stream: TcpStream,
    path: &str,
    end: Instant,
    pause: Duration,
    cookie: &mut Option<(String, String)>,
    tally: &Mutex<Tally>,
) {
    let mut buffer = Vec::new();
    let mut kept = false;
    while Instant::now() < end {
        let crumb = cookie.as_ref().map(|(crumb, _)| format!("Cookie: {crumb}\r\n")).unwrap_or_default();
        let request = format!("GET {path} HTTP/1.1\r\nHost: lab\r\n{crumb}\r\n");
        let start = Instant::now();
        let answer = match stream.write_all(request.as_bytes()).await {
            Ok(()) => read_answer(&mut stream, &mut buffer).await,
            Err(error) => Err(error),
        };
        let close = match answer {
            Ok(answer) if answer.status == 200 => {
                let mut tally = tally.lock().unwrap();
                tally.times.push(start.elapsed());
                let server = answer.text();
                if let Some(crumb) = answer.header("set-cookie").and_then(|value| value.split(';').next()) {
                    *cookie = Some((crumb.to_owned(), server));
                } else if cookie.as_ref().is_some_and(|(_, known)| *known != server) {
                    tally.strays += 1;
                }
                answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
            }
            Ok(answer) => {
                tally.lock().unwrap().failures.push(format!("status {}", answer.status));
                true
            }
            Err(_) if kept && buffer.is_empty() => {
                tally.lock().unwrap().retried += 1;
                return;
            }
            Err(error) => {
                tally.lock().unwrap().failures.push(error.to_string());
                true
            }
        };
        kept = true;
        tokio::time::sleep(pause).await;
        if close {
            return;
        }
    }
}
