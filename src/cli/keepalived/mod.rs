//! `keepalived`: its command line, its messages, its exit codes.

mod options;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};
use tandem_parser::Severity;

use crate::ir::vrrp::Config;
use crate::lower::keepalived::{Loaded, System, load_file, render};
use crate::process::supervisor::{self, Plan, exit};
use crate::process::vrrp;
use crate::sys::shared::Slots;
use crate::sys::{fork, netns};
use crate::vrrp::runner::{self, Journal, places};

use self::options::{Options, Stop, USAGE};

/// How long children may take to stop when the file does not say (`child_wait_time`).
const CHILD_WAIT: Duration = Duration::from_secs(5);

/// Runs the command line.
pub(super) fn main(called: &std::ffi::OsStr, args: Vec<OsString>) -> ExitCode {
    let args: Vec<String> = args.into_iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let options = match options::parse(args.clone()) {
        Ok(options) => options,
        Err(Stop::Version) => {
            say(&version());
            return ExitCode::SUCCESS;
        }
        Err(Stop::Help) => {
            let name = Path::new(called).file_name().unwrap_or(called).to_string_lossy();
            say(&format!("Usage: {name} [OPTION...]\n{USAGE}"));
            return ExitCode::SUCCESS;
        }
        Err(Stop::Signal(number)) => {
            super::print(&format!("{number}\n"));
            return ExitCode::SUCCESS;
        }
        Err(Stop::Wrong(text)) => {
            say(&format!("{text}\n"));
            return ExitCode::FAILURE;
        }
    };
    if let Some(target) = &options.config_test {
        return ExitCode::from(test(&options, target.as_deref()));
    }
    ExitCode::from(run(&options, called, &args))
}

/// keepalived says these things on stderr.
fn say(text: &str) {
    // Nobody is left to tell that stderr is gone.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Other tools read the first line; the second says what this really is.
fn version() -> String {
    let own = env!("CARGO_PKG_VERSION");
    format!(
        "Keepalived v2.2.7 (01/16,2022)\n\nThis is Tandem {own}, a compatible program; not keepalived.\n\
         Running on {}\n\nConfig options:  VRRP VRRP_AUTH OLD_CHKSUM_COMPAT\n",
        kernel()
    )
}

fn kernel() -> String {
    let read = |name: &str| {
        std::fs::read_to_string(format!("/proc/sys/kernel/{name}"))
            .map_or_else(|_| "?".into(), |t| t.trim().to_owned())
    };
    format!("{} {} {}", read("ostype"), read("osrelease"), read("version"))
}

fn load(options: &Options, config_test: bool) -> Loaded {
    let system = System::new(options.config_id.clone(), config_test).every_include(options.all_config);
    load_file(&options.config.to_string_lossy(), &system)
}

/// The network namespace that the command line or the file names.
fn namespace(options: &Options, loaded: &Loaded) -> Option<String> {
    options.namespace.clone().or_else(|| loaded.config.net_namespace.clone())
}

/// What the command line says of the namespace counts more than what the file says.
fn name_namespace(options: &Options, config: &mut Config) {
    if options.namespace.is_some() {
        config.net_namespace.clone_from(&options.namespace);
    }
}

/// What of the new configuration a process that runs already cannot take, in keepalived's words.
fn settled(old: &Config, new: &Config) -> Option<&'static str> {
    if old.net_namespace != new.net_namespace {
        return Some("network namespace");
    }
    (old.instance_name != new.instance_name).then_some("instance name")
}

/// Reads the file, in the network namespace it wants: its interfaces are those there.
fn load_inside(options: &Options, config_test: bool) -> Result<Loaded, String> {
    let loaded = load(options, config_test);
    let Some(name) = namespace(options, &loaded) else { return Ok(loaded) };
    netns::enter(&name).map_err(|e| format!("Unable to set network namespace {name} - exiting: {e}"))?;
    Ok(load(options, config_test))
}

/// `--config-test`: says everything there is to say, and nothing when all is well.
fn test(options: &Options, target: Option<&Path>) -> u8 {
    let loaded = match load_inside(options, true) {
        Ok(loaded) => loaded,
        Err(why) => {
            // keepalived has nothing against the file then.
            say(&format!("{why}\n"));
            return exit::OK;
        }
    };
    let text: String = loaded.diagnostics.iter().map(|d| render(d, &loaded.sources)).collect();
    match target {
        None => say(&text),
        Some(file) => {
            if let Err(e) = std::fs::write(file, text) {
                say(&format!("Unable to open config-test log file {} - {e}\n", file.display()));
                return exit::FATAL;
            }
        }
    }
    loaded.verdict.exit_code
}

/// The configuration if it can be run; else everything is logged and the exit code returned.
fn to_run(loaded: Loaded, journal: &Journal) -> Result<Config, u8> {
    for diagnostic in &loaded.diagnostics {
        let text = render(diagnostic, &loaded.sources);
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        if diagnostic.severity == Severity::Notice {
            journal.info(first)
        } else {
            journal.warn(first)
        }
        lines.for_each(|line| journal.info(line));
    }
    if loaded.verdict.runs {
        return Ok(loaded.config);
    }
    Err(match loaded.verdict.exit_code {
        exit::NO_CONFIG => exit::NO_CONFIG,
        _ if loaded.sources.iter().next().is_none() => exit::NO_CONFIG,
        _ => exit::CONFIG,
    })
}

fn run(options: &Options, called: &std::ffi::OsStr, args: &[String]) -> u8 {
    let mut log = options.log.clone();
    // A daemon has no console.
    log.console &= options.dont_fork;
    let log_file = log.file.take();
    log.file = log_file.as_deref().map(|name| places::log_file(name, None, None));
    let journal = Journal::new(log.clone(), "Keepalived");
    journal.info(format!("Starting Tandem {} as Keepalived v2.2.7", env!("CARGO_PKG_VERSION")));
    journal.info(format!("Running on {}", kernel()));
    let words: Vec<String> =
        std::iter::once(called.to_string_lossy().into_owned()).chain(args.iter().cloned()).collect();
    journal.info(format!("Command line: '{}'", words.join("' '")));
    for option in &options.idle {
        journal.detail(format!("option --{option} has no effect here"));
    }
    log.file = log_file;
    let status = start(options, &journal, log);
    journal.info("Stopped Keepalived");
    status
}

fn start(options: &Options, journal: &Journal, log: runner::LogOptions) -> u8 {
    journal.info(format!("Configuration file {}", options.config.display()));
    if options.checkers_only {
        journal.warn("the health checkers (--check) are not part of this program: nothing to run");
        return exit::CONFIG;
    }
    let loaded = match load_inside(options, false) {
        Ok(loaded) => loaded,
        Err(why) => {
            journal.warn(why);
            return exit::FATAL;
        }
    };
    let mut config = match to_run(loaded, journal) {
        Ok(config) => config,
        Err(status) => return status,
    };
    name_namespace(options, &mut config);
    if options.core_dump
        && let Err(e) = setrlimit(Resource::RLIMIT_CORE, RLIM_INFINITY, RLIM_INFINITY)
    {
        journal.info(format!("Failed to set core file size: {e}"));
    }
    if let Some(mask) = options.umask.or(config.global.umask) {
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(mask));
    }
    let (pid_file, vrrp_pid_file) = pid_files(options, &config);
    for dir in [&pid_file, &vrrp_pid_file].into_iter().filter_map(|file| file.parent()) {
        // What cannot be made shows when the file is written.
        let _ = std::fs::create_dir_all(dir);
    }
    if running(&pid_file) {
        journal.info("daemon is already running");
        return exit::OK;
    }
    let started = make_absolute(options).and_then(|options| {
        if !options.dont_fork {
            fork::daemonise()?;
        }
        Ok((options, Arc::new(Slots::new()?)))
    });
    let (options, shared) = match started {
        Ok(started) => started,
        Err(e) => {
            journal.warn(format!("cannot start: {e}"));
            return exit::FATAL;
        }
    };
    let plan = Plan {
        pid_file,
        vrrp_pid_file,
        dont_respawn: options.dont_respawn,
        child_wait: config.child_wait_time.unwrap_or(CHILD_WAIT),
        shared: Arc::clone(&shared),
    };
    let reload_options = options.clone();
    // The parent and its child each keep track of the file; the child reads last.
    let place = pid_reload(&plan.pid_file);
    let reading = Arc::new(Mutex::new(reload_file(&config, &place)));
    let (child_reading, child_place) = (Arc::clone(&reading), place.clone());
    let again: vrrp::Load = Arc::new(move || {
        let mut loaded = load(&reload_options, false);
        name_namespace(&reload_options, &mut loaded.config);
        let next = if loaded.verdict.runs { reload_file(&loaded.config, &child_place) } else { None };
        end_reading(&child_reading, loaded.verdict.runs.then_some(next));
        if loaded.verdict.runs {
            return Ok(loaded.config);
        }
        let first = loaded.diagnostics.iter().find(|d| d.severity == Severity::Alert);
        Err(first.map_or_else(|| "it cannot be run".to_owned(), |d| d.message.clone()))
    });
    let child = |config: &Config| {
        let run = runner::Options {
            dont_release: options.dont_release,
            report_addresses: options.report_addresses,
            dump_config: options.dump_config,
            shared: Some(Arc::clone(&shared)),
        };
        let file = log.file.as_deref().map(|name| places::log_file(name, Some("vrrp"), Some(config)));
        vrrp::run(config.clone(), run, runner::LogOptions { file, ..log.clone() }, &again)
    };
    let parent_reload = |old: &Config| {
        let file = reading.lock().ok().and_then(|file| file.clone());
        if let Some(file) = &file
            && let Err(e) = std::fs::write(file, "")
        {
            journal.info(format!("Failed to create reload file ({}) {e}", file.display()));
        }
        let mut loaded = to_run(load(&options, false), journal).ok();
        if let Some(new) = &mut loaded {
            name_namespace(&options, new);
            if let Some(what) = settled(old, new) {
                journal.warn(format!("Cannot change {what} at a reload - please restart keepalived"));
                loaded = None;
            }
        }
        match &loaded {
            Some(config) => {
                if let Ok(mut reading) = reading.lock() {
                    *reading = reload_file(config, &place);
                }
            }
            None => end_reading(&reading, None),
        }
        loaded
    };
    match supervisor::supervise(&plan, journal, config, &parent_reload, &child) {
        Ok(status) => status,
        Err(e) => {
            journal.warn(format!("cannot start: {e}"));
            if e.kind() == std::io::ErrorKind::PermissionDenied { exit::PERMISSION } else { exit::FATAL }
        }
    }
}

/// The usual place of `reload_file`: beside the pid file.
fn pid_reload(pid_file: &Path) -> PathBuf {
    pid_file.with_extension("reload")
}

/// The file that exists while a reload reads the configuration.
fn reload_file(config: &Config, usual: &Path) -> Option<PathBuf> {
    config.global.reload_file.clone().map(|file| file.unwrap_or_else(|| usual.to_owned()))
}

/// The files were read: whoever waits for that may change them again. `next`: what a new configuration says.
fn end_reading(file: &Mutex<Option<PathBuf>>, next: Option<Option<PathBuf>>) {
    let Ok(mut file) = file.lock() else { return };
    if let Some(path) = &*file {
        // The one who waits may have removed it.
        let _ = std::fs::remove_file(path);
    }
    if let Some(next) = next {
        *file = next;
    }
}

/// The background process works in `/`: paths from the command line must not depend on where it began.
fn make_absolute(options: &Options) -> std::io::Result<Options> {
    let mut options = options.clone();
    options.config = std::path::absolute(&options.config)?;
    Ok(options)
}

/// keepalived's places, with the names of `instance` and `use_pid_dir`.
fn pid_files(options: &Options, config: &Config) -> (PathBuf, PathBuf) {
    let place = |given: &Option<PathBuf>, name: &str| {
        let absolute = given.as_ref().and_then(|path| std::path::absolute(path).ok());
        absolute.unwrap_or_else(|| {
            let own = config.use_pid_dir || config.instance_name.is_some() || config.net_namespace.is_some();
            let mut dir = PathBuf::from(if own { "/run/keepalived" } else { "/run" });
            // Where keepalived's come to lie, seen from outside of the namespace of mounts that it makes for itself.
            dir.extend(&config.net_namespace);
            match &config.instance_name {
                Some(instance) => dir.join(format!("{name}_{instance}.pid")),
                None => dir.join(format!("{name}.pid")),
            }
        })
    };
    (place(&options.pid_file, "keepalived"), place(&options.vrrp_pid_file, "vrrp"))
}

/// Does the pid file name a living process?
fn running(pid_file: &Path) -> bool {
    let pid = std::fs::read_to_string(pid_file).ok().and_then(|text| text.trim().parse::<i32>().ok());
    pid.is_some_and(|pid| {
        pid > 0
            && u32::try_from(pid) != Ok(std::process::id())
            && nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_ok()
    })
}
