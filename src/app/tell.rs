//! Tells the VRRP engines of this machine how the proxy is, for `track_proxy`; [`crate::vrrp::proxy`] has the protocol.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::live::{Backend, Frontend, FrontendState, Live};
use crate::vrrp::proxy::{HEARTBEAT, Listening, Question, Report, Servers, names};

/// Who does not ask, or does not read, within this time is not told.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two reports: many servers that change at once are one change.
const BREATH: Duration = Duration::from_millis(5);
/// Longest question, bytes.
const LONGEST: u64 = 1 << 20;
/// Of others than root and this user, so many are told at once: nobody may keep the engine from asking.
const MOST: usize = 8;

/// Takes the first name that is free. Call it before rights are dropped: engines believe root, and their own user.
///
/// # Errors
/// There is no name left, or the system has no such names.
pub fn bind() -> io::Result<StdListener> {
    let mut last = io::ErrorKind::AddrInUse.into();
    for name in names() {
        match StdListener::bind_addr(&SocketAddr::from_abstract_name(name.as_bytes())?) {
            Ok(listener) => {
                listener.set_nonblocking(true)?;
                return Ok(listener);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Answers engines until the proxy stops taking connections; then the name is free for another.
pub async fn serve(listener: StdListener, live: Arc<Live>) {
    let Ok(listener) = UnixListener::from_std(listener) else { return };
    let places = Arc::new(tokio::sync::Semaphore::new(MOST));
    loop {
        let changed = live.changed.notified();
        if live.is_stopping() {
            return;
        }
        tokio::select! {
            client = listener.accept() => {
                let Ok((client, _)) = client else {
                    // No descriptors: there may be some again.
                    tokio::time::sleep(HEARTBEAT).await;
                    continue;
                };
                let own = nix::unistd::geteuid().as_raw();
                let trusted = client.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own);
                let place = places.clone().try_acquire_owned().ok();
                if place.is_none() && !trusted {
                    continue;
                }
                let place = place.filter(|_| !trusted);
                let live = live.clone();
                tokio::spawn(async move {
                    tell(client, &live).await;
                    drop(place);
                });
            }
            () = changed => {}
        }
    }
}

async fn tell(client: UnixStream, live: &Live) {
    let (read, mut write) = client.into_split();
    let mut read = BufReader::new(read.take(LONGEST));
    let mut question = String::new();
    match tokio::time::timeout(PATIENCE, read.read_line(&mut question)).await {
        Ok(Ok(_)) => {}
        Ok(Err(_)) | Err(_) => return,
    }
    let Ok(question) = serde_json::from_str::<Question>(&question) else { return };
    let mut told = None;
    let mut beat = tokio::time::interval(HEARTBEAT);
    loop {
        // From here on no change is missed.
        let changed = live.changed.notified();
        let report = report(live, &question);
        let leaving = report.leaving;
        if told.as_ref() != Some(&report) {
            let Ok(mut text) = serde_json::to_string(&report) else { return };
            text.push('\n');
            if !matches!(tokio::time::timeout(PATIENCE, write.write_all(text.as_bytes())).await, Ok(Ok(()))) {
                return;
            }
            told = Some(report);
        }
        if leaving {
            return;
        }
        let mut more = [0];
        tokio::select! {
            () = changed => tokio::time::sleep(BREATH).await,
            // Said again, so that silence means something.
            _ = beat.tick() => told = None,
            // Nothing more is asked: the end of the connection.
            _ = read.read(&mut more) => return,
        }
    }
}

/// How everything that was asked for is now.
fn report(live: &Live, question: &Question) -> Report {
    let mut report = Report { leaving: live.is_stopping(), ..Report::default() };
    for proxy in live.proxies() {
        let name = &proxy.ir.name;
        if let Some(frontend) = &proxy.frontend
            && (question.frontends.contains(name)
                || (question.every_frontend && !frontend.listeners.is_empty() && !proxy.ir.disabled))
        {
            report.frontends.insert(name.clone(), listening(frontend));
        }
        if let Some(backend) = &proxy.backend
            && question.backends.contains(name)
        {
            report.backends.insert(name.clone(), servers(backend));
        }
    }
    report
}

fn listening(frontend: &Frontend) -> Listening {
    match frontend.state() {
        FrontendState::Open => Listening::Open,
        FrontendState::Paused => Listening::Paused,
        FrontendState::Stopped => Listening::Stopped,
    }
}

fn servers(backend: &Backend) -> Servers {
    let all = backend.servers().iter().count() as u32;
    if all == 0 {
        // It answers by itself (redirects, pages): there is nothing that could fail.
        return Servers { usable: u32::from(backend.is_up()), all };
    }
    let (active, backup) = backend.usable();
    Servers { usable: if active > 0 { active } else { backup }, all }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::log::{Identity, Logger};
    use crate::lower::{Source, System, load};
    use crate::server::AdminRequest;

    fn live(text: &str) -> Arc<Live> {
        let sources = vec![Source { name: "t.cfg".into(), text: text.into() }];
        let config = load(sources, &System { offline: true }).config.expect("valid");
        let identity = Identity { hostname: None, tag: "t".into(), pid: 1 };
        Live::new(Arc::new(config), Arc::new(Logger::new(identity)), 100)
    }

    const TEXT: &str = "defaults\n mode http\n timeout client 1s\n timeout connect 1s\n timeout server 1s\n\
         frontend www\n bind 127.0.0.1:1\n default_backend app\n\
         frontend off\n bind 127.0.0.1:2\n disabled\n\
         backend app\n server one 127.0.0.1:3\n server two 127.0.0.1:4 backup\n\
         backend pages\n http-request return status 200\n";

    fn ask(live: &Live, every: bool, frontends: &[&str], backends: &[&str]) -> Report {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let question =
            Question { frontends: list(frontends), every_frontend: every, backends: list(backends) };
        report(live, &question)
    }

    #[test]
    fn what_was_asked_for_is_told_and_nothing_else() {
        let live = live(TEXT);
        let all = ask(&live, true, &[], &[]);
        assert_eq!(all.frontends, BTreeMap::from([("www".to_owned(), Listening::Open)]));
        assert!(all.backends.is_empty() && !all.leaving);
        let some = ask(&live, false, &["off", "gone"], &["app", "pages"]);
        assert_eq!(some.frontends, BTreeMap::from([("off".to_owned(), Listening::Stopped)]));
        assert_eq!(some.backends["app"], Servers { usable: 1, all: 2 });
        assert_eq!(some.backends["pages"], Servers { usable: 1, all: 0 });
    }

    #[test]
    fn states_are_followed_and_backups_count_when_they_serve() {
        let live = live(TEXT);
        live.proxies()[0].frontend.as_ref().expect("www").set_state(FrontendState::Paused);
        let app = live.backend_named("app").expect("app");
        let servers = |live: &Live| ask(live, false, &[], &["app"]).backends["app"];
        for (name, left) in [("one", 1), ("two", 0)] {
            let server = app.backend.as_ref().and_then(|b| b.server_named(name)).expect("a server");
            app.change_server(&server, |state, now| state.request(AdminRequest::Maint, now));
            assert_eq!(servers(&live), Servers { usable: left, all: 2 }, "{name}");
        }
        live.stop();
        let all = ask(&live, true, &[], &[]);
        assert_eq!((all.leaving, all.frontends["www"]), (true, Listening::Paused));
    }
}
