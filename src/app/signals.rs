//! The signals of a proxy process, and its end.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::signal::unix::{self, SignalKind, signal};

use crate::ctl::Control;
use crate::ir::log::Severity;
use crate::live::{FrontendState, Live};
use crate::log::console::{self, Kind};
use crate::log::level;
use crate::proxy::Engine;
use crate::sys::clock;

use super::run::End;

/// Those that mean something to a proxy process. One that comes before this exists ends the process.
pub(super) struct Signals {
    term: unix::Signal,
    int: unix::Signal,
    finish: unix::Signal,
    pause: unix::Signal,
    resume: unix::Signal,
    dump: unix::Signal,
    flush: unix::Signal,
    reload: unix::Signal,
}

impl Signals {
    /// From now on they are noted. To be called within a runtime.
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            finish: signal(SignalKind::user_defined1())?,
            pause: signal(SignalKind::from_raw(Signal::SIGTTOU as i32))?,
            resume: signal(SignalKind::from_raw(Signal::SIGTTIN as i32))?,
            dump: signal(SignalKind::hangup())?,
            flush: signal(SignalKind::quit())?,
            reload: signal(SignalKind::user_defined2())?,
        })
    }
}

/// Answers signals until one of them or a soft stop ends the process.
pub(super) async fn watch(
    signals: &mut Signals,
    live: &Arc<Live>,
    engine: &Engine,
    control: &Control,
) -> End {
    let Signals { term, int, finish, pause, resume, dump, flush, reload } = signals;
    let mut deadline: Option<Instant> = None;
    let stop_now = || {
        soft_stop(live);
        control.stop();
        engine.finish();
        live.config.global.hard_stop_after.map(|after| clock::now() + after)
    };
    let grace = live.config.global.grace.filter(|time| !time.is_zero());
    // When a stop that was announced begins.
    let mut begins: Option<Instant> = None;
    loop {
        let its_time = async {
            match begins {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = term.recv() => return End::Signal(Signal::SIGTERM),
            _ = int.recv() => return End::Signal(Signal::SIGINT),
            // Once: the next ones change nothing.
            _ = finish.recv(), if !live.stop.is_announced() => match grace {
                Some(grace) => {
                    live.stop.announce();
                    let text = format!("A soft stop begins in {} ms (grace).", grace.as_millis());
                    console::say(Kind::Notice, &text);
                    begins = Some(clock::now() + grace);
                }
                None => deadline = stop_now(),
            },
            () = its_time => {
                begins = None;
                deadline = stop_now();
            }
            _ = pause.recv() => set_frontends(live, FrontendState::Paused),
            _ = resume.recv() => set_frontends(live, FrontendState::Open),
            _ = dump.recv() => dump_servers(live),
            // HAProxy flushes its memory pools on this one; memory here goes back by itself.
            _ = flush.recv() => {}
            // For masters only; here it does nothing rather than end the process.
            _ = reload.recv() => {}
            () = control.orphaned() => {
                console::say(Kind::Alert, "The master is gone, exiting.");
                return End::Done;
            }
            () = tokio::time::sleep(Duration::from_millis(20)), if live.is_stopping() => {
                if engine.is_over() {
                    return End::Done;
                }
                if deadline.is_some_and(|at| clock::now() >= at) {
                    console::say(Kind::Warning, "soft-stop running for too long, performing a hard-stop.");
                    engine.quit();
                    deadline = None;
                }
            }
        }
    }
}

fn soft_stop(live: &Live) {
    for proxy in live.proxies().iter().filter(|p| !p.ir.disabled) {
        let front = proxy.frontend.as_ref().map_or(0, |f| f.counters.conn_tot.get());
        let back = proxy.backend.as_ref().map_or(0, |b| b.counters.stot.get());
        let text = format!("Proxy {} stopped (cumulated conns: FE: {front}, BE: {back}).", proxy.ir.name);
        console::say(Kind::Warning, &text);
        proxy.log(level::WARNING, text.as_bytes());
    }
}

fn set_frontends(live: &Live, state: FrontendState) {
    for frontend in live.proxies().iter().filter_map(|p| p.frontend.as_ref()) {
        if frontend.state() != FrontendState::Stopped {
            frontend.set_state(state);
        }
    }
}

/// SIGHUP: the state of every server into its proxy's log.
fn dump_servers(live: &Live) {
    console::say(Kind::Warning, "SIGHUP received, dumping servers states.");
    for proxy in live.proxies() {
        let Some(backend) = &proxy.backend else { continue };
        for server in backend.servers() {
            let up = if server.is_usable() { "UP" } else { "DOWN" };
            let text = format!(
                "SIGHUP: Server {}/{} is {up}. Conn: {} act, {} pend, {} tot.",
                proxy.ir.name,
                server.name(),
                server.counters.sessions.get(),
                server.queue.len(),
                server.counters.stot.get(),
            );
            console::say(Kind::Warning, &text);
            proxy.log(Severity(5), text.as_bytes());
        }
    }
}
