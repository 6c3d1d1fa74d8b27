//! The VRRP process: the engine on its own thread, and the signals it answers.

use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::ir::vrrp::Config;
use crate::process::supervisor::exit;
use crate::sys::{fork, sched};
use crate::vrrp::runner::{self, Command, Journal, LogOptions, Options};

/// Real-time priority when the configuration names none: above ordinary processes, below everything that
/// was given a priority on purpose.
const DEFAULT_PRIORITY: i32 = 1;
/// A real-time thread that computes this long without a pause is broken; the kernel ends it, and the
/// parent takes the addresses down.
const RUNAWAY: Duration = Duration::from_secs(2);

/// Reads the configuration again: the new one, or what is wrong with it.
pub type Load = Arc<dyn Fn() -> Result<Config, String> + Send + Sync>;

/// Runs the engine until SIGTERM; the exit status of the process.
#[must_use]
pub fn run(config: Config, options: Options, log: LogOptions, load: &Load) -> u8 {
    let journal = Journal::new(log, "Keepalived_vrrp");
    if let Some(name) = &config.global.process_names.vrrp {
        journal.name_process(Some(name));
    }
    prioritise(&config, &journal);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            journal.warn(format!("cannot start: {e}"));
            return exit::FATAL;
        }
    };
    let (commands, receiver) = mpsc::unbounded_channel();
    let ended = LocalSet::new().block_on(&runtime, async {
        answer_signals(&commands, load)?;
        drop(commands);
        runner::run_local(config, options, journal, receiver).await
    });
    match ended {
        Ok(()) => exit::OK,
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => exit::PERMISSION,
        Err(_) => exit::FATAL,
    }
}

/// The thread must not be late, and must not be swapped out.
fn prioritise(config: &Config, journal: &Journal) {
    let tuning = &config.global.vrrp_tuning;
    let limit = tuning.rlimit_rttime.unwrap_or(RUNAWAY.as_micros() as u64);
    if let Err(e) = setrlimit(Resource::RLIMIT_RTTIME, limit, limit) {
        journal.detail(format!("cannot limit real-time computing: {e}"));
        return;
    }
    if let Some(nice) = tuning.nice
        && let Err(e) = sched::set_nice(i32::from(nice))
    {
        journal.warn(format!("cannot set the process priority: {e}"));
    }
    if !tuning.cpus.is_empty()
        && let Err(e) = sched::set_cpus(&tuning.cpus)
    {
        journal.warn(format!("cannot choose processors: {e}"));
    }
    let priority = tuning.rt_priority.map_or(DEFAULT_PRIORITY, i32::from);
    if let Err(e) = sched::set_realtime(priority) {
        journal.detail(format!("running without real-time priority: {e}"));
    }
    // Wanted in any case, and asked for with `vrrp_no_swap`.
    if let Err(e) = sched::lock_memory() {
        let text = format!("cannot lock memory: {e}");
        if tuning.no_swap { journal.warn(text) } else { journal.detail(text) }
    }
}

fn answer_signals(commands: &mpsc::UnboundedSender<Command>, load: &Load) -> std::io::Result<()> {
    type Answer = Box<dyn Fn(&mpsc::UnboundedSender<Command>)>;
    let send = |commands: &mpsc::UnboundedSender<Command>, command: Command| {
        // The engine has ended: there is nobody to tell.
        let _ = commands.send(command);
    };
    let load = Arc::clone(load);
    let answers: [(SignalKind, Answer); 7] = [
        (SignalKind::terminate(), Box::new(move |c| send(c, Command::Stop))),
        (SignalKind::interrupt(), Box::new(|_| {})),
        (SignalKind::user_defined1(), Box::new(move |c| send(c, Command::WriteData))),
        (SignalKind::user_defined2(), Box::new(move |c| send(c, Command::WriteStats { clear: false }))),
        (
            SignalKind::from_raw(fork::stats_clear_signal()),
            Box::new(move |c| send(c, Command::WriteStats { clear: true })),
        ),
        (SignalKind::from_raw(fork::json_signal()), Box::new(move |c| send(c, Command::WriteJson))),
        (SignalKind::hangup(), Box::new(move |c| reload(c.clone(), Arc::clone(&load)))),
    ];
    for (kind, answer) in answers {
        let mut stream = signal(kind)?;
        let commands = commands.clone();
        tokio::task::spawn_local(async move {
            while stream.recv().await.is_some() {
                answer(&commands);
            }
        });
    }
    Ok(())
}

/// Reads the files on a thread of its own: they may be many, and adverts must go out meanwhile.
fn reload(
    commands: mpsc::UnboundedSender<Command>,
    load: Arc<dyn Fn() -> Result<Config, String> + Send + Sync>,
) {
    std::thread::spawn(move || {
        let command = match load() {
            Ok(config) => Command::Reload(Box::new(config)),
            Err(why) => Command::Say(format!("Reload refused, nothing is changed: {why}")),
        };
        // The engine has ended: there is nobody to tell.
        let _ = commands.send(command);
    });
}
