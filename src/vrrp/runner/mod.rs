//! The shell around the engine: sockets, addresses, timers, scripts, mail.
//!
//! Everything runs on one thread with a current-thread runtime. [`Core`] is plain synchronous state; small
//! tasks wait for packets, timers, kernel events and script results and call into it. Nothing in it waits,
//! so a slow script or mail server never delays an advertisement.

mod addresses;
mod core;
mod dump;
mod exec;
mod fifo;
mod files;
mod journal;
mod mail;
mod orphans;
pub mod places;
mod processes;
mod proxies;
mod sockets;
mod state_file;
mod window;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::sync::{Notify, mpsc};
use tokio::task::LocalSet;

use crate::ir::vrrp::Config;
use crate::sys::clock;
use crate::sys::netlink::Monitor;
use crate::sys::shared::Slots;

pub use self::core::Core;
pub use journal::Options as LogOptions;
pub use journal::{Journal, Severity};
pub use orphans::release_orphans;
pub use state_file::parent_text;

/// What the running engine can be told.
#[derive(Debug)]
pub enum Command {
    /// Give the addresses up and end.
    Stop,
    /// Take a new configuration.
    Reload(Box<Config>),
    /// Write the state file (SIGUSR1).
    WriteData,
    /// Write the counter file (SIGUSR2).
    WriteStats {
        /// And set them to zero.
        clear: bool,
    },
    /// Write the state and counters as JSON.
    WriteJson,
    /// Log a line in order with the engine's own.
    Say(String),
}

/// Everything about a run that is not in the configuration file.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `-V`: leave the addresses when the process ends.
    pub dont_release: bool,
    /// `-a`: a log line for every address that comes or goes.
    pub report_addresses: bool,
    /// `-d`: the state file goes to the log at the start.
    pub dump_config: bool,
    /// State shared with the supervising parent.
    pub shared: Option<Arc<Slots>>,
}

/// Stop scripts get this long before the process ends regardless, as keepalived gives them.
const STOP_SCRIPT_TIME: Duration = Duration::from_secs(1);

/// Runs the engine on the calling thread until [`Command::Stop`].
///
/// # Errors
/// When netlink or the runtime cannot be opened; a socket that cannot be opened is only an instance in
/// FAULT.
pub fn run(
    config: Config,
    options: Options,
    journal: Journal,
    commands: mpsc::UnboundedReceiver<Command>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, run_local(config, options, journal, commands))
}

/// As [`run`], inside a runtime and [`LocalSet`] of the caller.
///
/// # Errors
/// When netlink cannot be opened.
pub async fn run_local(
    config: Config,
    options: Options,
    journal: Journal,
    mut commands: mpsc::UnboundedReceiver<Command>,
) -> io::Result<()> {
    // First listen, then read: a change in between is heard twice rather than not at all.
    let monitor = Rc::new(Monitor::open()?.watch()?);
    journal.info("Registering Kernel netlink reflector");
    let wake = Rc::new(Notify::new());
    let core =
        Rc::new(RefCell::new(Core::open(config, options, journal, Rc::clone(&wake), Rc::clone(&monitor))?));
    core.borrow_mut().attach(&core);
    core.borrow_mut().start(clock::now());
    let monitor = tokio::task::spawn_local(watch_kernel(Rc::clone(&core), monitor));
    let timers = tokio::task::spawn_local(run_timers(Rc::clone(&core), wake));
    let window = match window::open() {
        Ok(listener) => Some(tokio::task::spawn_local(window::serve(Rc::clone(&core), listener))),
        Err(e) => {
            core.borrow().journal().detail(format!("cannot tell others of the state: {e}"));
            None
        }
    };
    while let Some(command) = commands.recv().await {
        match command {
            Command::Stop => break,
            Command::Reload(config) => core.borrow_mut().reload(*config, clock::now()),
            Command::WriteData => core.borrow_mut().write_data(),
            Command::WriteStats { clear } => core.borrow_mut().write_stats(clear),
            Command::WriteJson => core.borrow_mut().write_json(),
            Command::Say(line) => core.borrow().journal().info(line),
        }
    }
    let running = core.borrow_mut().stop(clock::now());
    let _ = tokio::time::timeout(STOP_SCRIPT_TIME, running.finished()).await;
    monitor.abort();
    timers.abort();
    if let Some(window) = window {
        window.abort();
    }
    core.borrow_mut().close();
    Ok(())
}

/// Hears of links and addresses for as long as the engine runs.
async fn watch_kernel(core: Rc<RefCell<Core>>, monitor: Rc<AsyncFd<Monitor>>) {
    let mut changes = Vec::new();
    while let Ok(mut ready) = monitor.readable().await {
        loop {
            match monitor.get_ref().receive(&mut changes) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => break,
            }
        }
        ready.clear_ready();
        let now = clock::now();
        for change in changes.drain(..) {
            core.borrow_mut().kernel_changed(&change, now);
        }
        core.borrow_mut().changes_seen();
    }
}

/// Fires what is due and sleeps until the next deadline; `wake` says that it moved.
async fn run_timers(core: Rc<RefCell<Core>>, wake: Rc<Notify>) {
    loop {
        let next = core.borrow_mut().fire_due(clock::now());
        match next {
            Some(at) => {
                tokio::select! {
                    () = tokio::time::sleep_until(at.into()) => {}
                    () = wake.notified() => {}
                }
            }
            None => wake.notified().await,
        }
    }
}
