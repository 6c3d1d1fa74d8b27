//! A proxy process from its configuration: addresses, limits, sockets, background, threads.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::ctl::{Control, Exported};
use crate::dns::runner as resolution;
use crate::health::runner as checks;
use crate::ir::proxy::StateFile;
use crate::ir::{self, Backend, Config, ServerAddr};
use crate::live::{Live, Proxy, restore};
use crate::log::console::{self, Kind};
use crate::log::{self, Identity, Logger, forward};
use crate::process::daemon::{self, PidFile};
use crate::process::limits::{self, Capacity};
use crate::process::master::Link;
use crate::proxy::{self, Engine, Service};
use crate::stats::file;
use crate::stats::info::Program;
use crate::stats::page::Page;
use crate::sys::home::Home;
use crate::sys::rights::{self, Handed};
use crate::sys::{self, clock};
use crate::{HAPROXY_VERSION, RELEASE_DATE, ctl};

use super::signals::{Signals, watch};
use super::tell;

/// Files that are open besides connections and listeners: pollers and event descriptors of each thread.
const FILES_PER_THREAD: u64 = 4;

/// What the command line adds to the configuration.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Configuration files, as they were named.
    pub files: Vec<String>,
    /// Go to the background.
    pub daemon: bool,
    /// Where the process id is written.
    pub pidfile: Option<PathBuf>,
    /// `-n`.
    pub maxconn: Option<u32>,
    /// Names that do not resolve are no reason to stay down (`-dr`).
    pub ignore_resolution: bool,
    /// Keep quiet.
    pub quiet: bool,
    /// Say when ready, to systemd.
    pub notify_systemd: bool,
    /// Old processes that finish their sessions once this one listens.
    pub finish: Vec<i32>,
    /// Old processes that stop at once.
    pub terminate: Vec<i32>,
    /// Stats socket of the old process that hands its listening sockets over (`-x`).
    pub take_from: Option<PathBuf>,
    /// What was said while the configuration was read.
    pub startup_logs: String,
    /// How many warnings there were.
    pub warnings: u32,
    /// When the program was started.
    pub started: Option<Instant>,
}

/// What went wrong was written to standard error already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// After its last session.
    Done,
    /// By this signal: the process is to end by it too, so that its parent sees it.
    Signal(Signal),
}

/// What `-c` checks beyond the text: the files that servers continue from, and the names that must have addresses now.
/// Without these no object is made.
///
/// # Errors
/// A server's name does not resolve; it was said.
pub fn check(config: Config, settings: &Settings) -> Result<(), Said> {
    let global = &config.global;
    let looks_outside = |backend: &Backend| {
        let named = |server: &ir::Server| matches!(server.addr, ServerAddr::Name { .. });
        backend.state_file != StateFile::None || backend.servers.iter().any(named)
    };
    let backends = || config.proxies.iter().filter_map(|proxy| proxy.backend.as_deref());
    if global.stats_file.is_some() || global.server_state_file.is_some() || backends().any(looks_outside) {
        return prepare(config, settings).map(|_| ());
    }
    Ok(())
}

/// Objects for a configuration with the addresses of its servers.
///
/// # Errors
/// A server's name does not resolve; it was said.
pub fn prepare(config: Config, settings: &Settings) -> Result<Arc<Live>, Said> {
    let global = &config.global;
    let hostname =
        global.log_send_hostname.clone().map(|name| if name.is_empty() { host_name() } else { name });
    let identity = Identity { hostname, tag: global.log_tag.clone(), pid: std::process::id() };
    let logger = Arc::new(Logger::new(identity));
    let live = Live::new(Arc::new(config), logger, 0);
    let restored = restore::restore(&live, &|path| sys::file::read(path));
    for (kind, text) in &restored.messages {
        console::say(*kind, text);
    }
    if let Some(path) = &live.config.global.stats_file {
        let name = path.display().to_string();
        let said = match std::fs::read(path) {
            Ok(text) => file::preload(&live, &name, &text),
            Err(_) => vec![format!("config: Can't load stats-file '{name}': cannot open file.")],
        };
        for text in &said {
            console::say(Kind::Warning, text);
        }
    }
    let last = |backend: &str, server: &str| {
        restored.places.get(&(backend.to_owned(), server.to_owned())).copied().unwrap_or_default()
    };
    let outcome = resolution::init_addresses(&live, &last);
    for message in &outcome.messages {
        console::say(message.kind, &message.text);
    }
    if outcome.failed && !settings.ignore_resolution {
        console::say(Kind::Alert, "config : Failed to initialize server(s) addr.");
        return Err(Said);
    }
    Ok(live)
}

/// The listening sockets of the process before this one.
fn taken_over(settings: &Settings, link: Option<&mut Link>) -> Result<Vec<Handed>, Said> {
    if let Some(stream) = link.and_then(Link::predecessor) {
        return rights::take_over(&stream).or_else(|error| {
            // Ports can be shared meanwhile; only connections that wait to be accepted may be lost.
            let text = format!("Cannot take the sockets of the process before over: {error}.");
            console::say(Kind::Warning, &text);
            Ok(Vec::new())
        });
    }
    let Some(path) = settings.take_from.as_deref().filter(|path| *path != Path::new("/dev/null")) else {
        return Ok(Vec::new());
    };
    UnixStream::connect(path).and_then(|stream| rights::take_over(&stream)).map_err(|error| {
        console::say(
            Kind::Warning,
            &format!("Failed to connect to the old process socket '{}': {error}", path.display()),
        );
        console::say(Kind::Alert, "[haproxy.main()] Failed to get the sockets from the old process!");
        Said
    })
}

/// Says what keeps the process from starting.
fn alert(text: impl AsRef<str>) -> Said {
    console::say(Kind::Alert, text.as_ref());
    Said
}

/// Everything the process listens on.
struct Sockets {
    bound: Vec<proxy::Bound>,
    forwards: Vec<forward::Bound>,
    control: Vec<ctl::runner::Bound>,
    /// Where VRRP engines ask.
    told: Option<std::os::unix::net::UnixListener>,
}

/// Binds all listeners, with the sockets of the process before where there are any.
fn listen(live: &Live, threads: usize, mut handed: Vec<Handed>) -> Result<Sockets, Said> {
    let refused = || alert("[haproxy.main()] Some protocols failed to start their listeners! Exiting.");
    let missing = proxy::missing_namespaces(live);
    if !missing.is_empty() {
        for text in missing {
            alert(text);
        }
        return Err(refused());
    }
    let bound = proxy::bind_all(live, threads, &mut handed).map_err(|errors| {
        for error in errors {
            let place = &error.listener.ir.place;
            alert(format!("Binding [{}:{}] for {}: {error}", place.file, place.line, title(&error.proxy)));
        }
        refused()
    })?;
    // What nobody listens on any more is closed.
    drop(handed);
    let forwards = forward::bind(&live.config.log_forwards).map_err(|(addr, error)| {
        alert(format!("Binding log-forward: cannot bind {addr}: {error}"));
        refused()
    })?;
    let bind_control = |socket| {
        ctl::runner::bind(socket).map_err(|error| {
            let addr = &socket.addr;
            alert(format!("Binding for proxy GLOBAL: cannot bind UNIX socket ({error}) for {addr:?}"));
            refused()
        })
    };
    let control = live.config.global.stats_sockets.iter().map(bind_control).collect::<Result<_, _>>()?;
    let told = tell::bind().inspect_err(|error| {
        console::say(
            Kind::Warning,
            &format!("No VRRP engine can follow this proxy (track_proxy): no name for its socket: {error}."),
        );
    });
    Ok(Sockets { bound, forwards, control, told: told.ok() })
}

/// Goes to the background if asked to, and writes the pid file: it is opened before privileges go, and written by
/// whoever knows the final process id.
fn settle(settings: &Settings, pidfile: Option<&Path>) -> Result<Option<PidFile>, Said> {
    let written = if settings.daemon {
        let detached = sys::detach::detach(|child| {
            if let Some(path) = pidfile {
                PidFile::write(path, child.as_raw().cast_unsigned()).map(PidFile::leave)?;
            }
            Ok(())
        });
        detached.map(|()| pidfile.map(PidFile::adopt))
    } else {
        pidfile.map(|path| PidFile::write(path, std::process::id())).transpose()
    };
    written.map_err(|error| {
        let name = pidfile.map(|p| p.display().to_string()).unwrap_or_default();
        alert(format!("[haproxy.main()] Cannot create pidfile {name}: {error}"))
    })
}

/// What this process says of itself.
fn program(live: &Live, settings: &Settings, threads: usize, capacity: &Capacity) -> Program {
    Program {
        name: "HAProxy".into(),
        version: HAPROXY_VERSION.into(),
        release_date: RELEASE_DATE.into(),
        build: format!("Tandem {}", env!("CARGO_PKG_VERSION")),
        node: live.config.global.node.clone().unwrap_or_else(host_name),
        threads: threads as u32,
        pid: std::process::id(),
        files: settings.files.clone(),
        ulimit_n: capacity.files.min(u64::from(u32::MAX)) as u32,
        hard_maxconn: capacity.maxconn,
        warnings: settings.warnings,
        boot_ms: settings.started.map_or(0, |at| clock::now().duration_since(at).as_millis() as u32),
    }
}

/// Runs until a signal or the last session ends it. `link`: to the master, if there is
/// one; it is left if the process did not come to serving.
///
/// # Errors
/// It could not start; what kept it was said, and nothing of it is left.
pub fn run(live: &Arc<Live>, settings: &Settings, link: &mut Option<Link>) -> Result<End, Said> {
    let global = &live.config.global;
    let threads = usize::from(global.nbthread.unwrap_or_else(default_threads)).max(1);
    let listeners: usize =
        live.proxies().iter().filter_map(|p| p.frontend.as_ref()).map(|f| f.listeners.len()).sum();
    if listeners == 0 && global.stats_sockets.is_empty() && live.config.log_forwards.is_empty() {
        return Err(alert(
            "[haproxy.main()] No enabled listener found (check for 'bind' directives) ! Exiting.",
        ));
    }
    let others = (listeners * threads) as u64 + FILES_PER_THREAD * threads as u64;
    let capacity =
        limits::apply(settings.maxconn.or(global.maxconn), global.ulimit_n, global.fd_hard_limit, others);
    if let Some(text) = &capacity.shortfall {
        console::say(Kind::Warning, text);
    }
    live.limit_connections(capacity.maxconn);

    let handed = taken_over(settings, link.as_mut())?;
    let sockets = listen(live, threads, handed)?;
    let _pidfile = settle(settings, settings.pidfile.as_deref().or(global.pidfile.as_deref()))?;
    if settings.daemon {
        live.logger.set_pid(std::process::id());
        console::set_quiet(true);
    }
    let cannot = |error| alert(format!("[haproxy.main()] Cannot start: {error}."));
    // Lines of sessions wait until there is nothing to do, also those that the end of the runtime brings.
    let home = Home::beside(threads);
    let _held = (home == Home::Together).then(log::hold);
    let runtime = proxy::runtime().map_err(cannot)?;
    let inside = runtime.enter();
    // Before anybody is served or told who this is.
    let mut signals = Signals::catch().map_err(cannot)?;
    daemon::relieve(&settings.finish, &settings.terminate);
    daemon::drop_privileges(global.chroot.as_deref(), global.gid, global.uid).map_err(alert)?;

    let program = program(live, settings, threads, &capacity);
    let control = ctl::Control::new(live.clone(), program, settings.startup_logs.clone());
    control.offer(exported(&sockets.bound));
    let engine = start(live, &control, sockets.bound, sockets.forwards, threads, home)
        .map_err(|error| alert(format!("[haproxy.main()] Cannot start threads: {error}.")))?;
    if settings.notify_systemd {
        daemon::notify_systemd("READY=1\nSTATUS=Ready.\n");
    }
    let passed = match link.take() {
        Some(link) => {
            link.tell_logs(&console::kept());
            link.tell_ready();
            Some(link.connections().map_err(cannot)?)
        }
        None => None,
    };
    drop(inside);
    let end = runtime.block_on(async {
        tokio::spawn(control.watch.clone().run(live.clone()));
        if let Some(listener) = sockets.told {
            tokio::spawn(tell::serve(listener, live.clone()));
        }
        tokio::select! {
            end = watch(&mut signals, live, &engine, &control) => end,
            error = serve(control.clone(), sockets.control, passed) => {
                alert(format!("The stats socket is lost: {error}."));
                watch(&mut signals, live, &engine, &control).await
            }
        }
    });
    if let End::Signal(_) = end {
        // Ends like that of sessions on other threads: by the end of the process, and without their lines.
        std::mem::forget(runtime);
    }
    Ok(end)
}

/// Starts what works: sessions, checks, names, rings, received logs.
fn start(
    live: &Arc<Live>,
    control: &Control,
    bound: Vec<proxy::Bound>,
    forwards: Vec<forward::Bound>,
    threads: usize,
    home: Home,
) -> std::io::Result<Engine> {
    let page = Page::new(live.clone(), control.program.clone(), control.watch.clone());
    let service: Arc<dyn Service> = Arc::new(page);
    let engine = Engine::start(live.clone(), bound, service, threads, home)?;
    // What this thread and those that follow do is work of the same threads in HAProxy: it stays where those do. Each of
    // those has said what it cannot have.
    let cpus = live.config.global.cpu_map.together(threads);
    if !cpus.is_empty() {
        let _ = sys::sched::set_cpus(&cpus);
    }
    checks::spawn(live, home)?;
    resolution::spawn(live, home)?;
    live.logger.start_rings(home)?;
    let watched = live.clone();
    forward::spawn(forwards, &live.logger, home, move || watched.is_stopping())?;
    Ok(engine)
}

/// Serves the stats sockets; ends with an error only.
async fn serve(
    control: Arc<Control>,
    sockets: Vec<ctl::runner::Bound>,
    passed: Option<ctl::runner::Passed>,
) -> std::io::Error {
    match ctl::runner::serve(control, sockets, passed).await {
        Ok(()) => std::future::pending().await,
        Err(error) => error,
    }
}

/// Handles of the listening sockets, for the process that takes over. Those that cannot be had are bound anew there.
fn exported(bound: &[proxy::Bound]) -> Vec<Exported> {
    let of = |one: &proxy::Bound| {
        let proxy = one.proxy.idx;
        let handles = one.export().unwrap_or_default();
        handles.into_iter().map(move |handed| Exported { proxy, handed }).collect::<Vec<_>>()
    };
    bound.iter().flat_map(of).collect()
}

fn title(proxy: &Proxy) -> String {
    let kind = if proxy.ir.caps == crate::ir::Caps::Frontend { "frontend" } else { "proxy" };
    format!("{kind} {}", proxy.ir.name)
}

fn default_threads() -> u16 {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(64) as u16)
}

fn host_name() -> String {
    nix::unistd::gethostname().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}
