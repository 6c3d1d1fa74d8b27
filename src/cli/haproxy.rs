//! `haproxy`: its command line, its messages, its exit codes.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use tandem_parser::render::render;

use super::options::{self, Options, Refusal};
use super::{keywords, master, print, version};
use crate::app::run::{self, End, Settings};
use crate::ir::Config;
use crate::ir::resolvers::Families;
use crate::log::console::{self, Kind};
use crate::lower::{self, Loaded, Source, System};
use crate::process::limits;
use crate::process::master::Link;
use crate::sys::{clock, file};

/// Exit code of a configuration without errors that listens nowhere.
const NO_LISTENER: u8 = 2;

/// Runs the command line.
pub(super) fn main(called: &OsStr, args: Vec<OsString>) -> ExitCode {
    let started = clock::now();
    let options = match options::parse(args.clone()) {
        Ok(options) => options,
        Err(refusal) => {
            if let Refusal::Missing(option) = refusal {
                console::say(Kind::Alert, &format!("{option} needs a value."));
            }
            eprint!("{}{}", version::short(), options::USAGE);
            return ExitCode::FAILURE;
        }
    };
    match options.version {
        0 => {}
        1 => {
            print(&version::short());
            return ExitCode::SUCCESS;
        }
        _ => {
            print(&version::long());
            return ExitCode::SUCCESS;
        }
    }
    if let Some(condition) = &options.condition {
        return judge(condition);
    }
    if let (Some(classes), true) = (&options.keywords, options.files.is_empty()) {
        print(&keywords::dump(classes));
        return ExitCode::SUCCESS;
    }
    if options.files.is_empty() {
        eprint!("{}{}", version::short(), options::USAGE);
        return ExitCode::FAILURE;
    }
    if options.quiet && !options.verbose {
        console::set_quiet(true);
    }
    let mut link = Link::inherited();
    if link.is_some() {
        console::keep();
    }
    let outcome = serve(&options, called, &args, started, &mut link);
    if let Some(link) = link {
        // It did not come to serving: the master is to know why.
        link.tell_logs(&console::kept());
    }
    match outcome {
        Ok(code) | Err(code) => code,
    }
}

/// `link`: to the master, if there is one; taken once the process is about to serve.
fn serve(
    options: &Options,
    called: &OsStr,
    args: &[OsString],
    started: std::time::Instant,
    link: &mut Option<Link>,
) -> Result<ExitCode, ExitCode> {
    for option in &options.without_effect {
        console::say(Kind::Warning, &format!("option '{option}' has no effect in Tandem yet."));
    }
    if let Some(dir) = &options.chdir {
        std::env::set_current_dir(dir).map_err(|e| {
            console::say(Kind::Alert, &format!("Could not change to directory {} : {e}.", dir.display()));
            ExitCode::FAILURE
        })?;
    }
    let sources = read(&options.files)?;
    let loaded = lower::load(sources, &System { offline: false });
    let (_, warnings, _) = loaded.counts();
    let asked = |config: &Config| options.master_worker || config.global.master_worker;
    let is_master = link.is_none() && !options.check && loaded.config.as_ref().is_some_and(asked);
    // The first worker says it all again.
    let startup_logs = if is_master { String::new() } else { tell(&loaded, called) };
    let Some(mut config) = loaded.config else {
        let files: Vec<String> = options.files.iter().map(|f| f.display().to_string()).collect();
        console::say(
            Kind::Alert,
            &format!("config : Error(s) found in configuration file : {}", files.join(" ")),
        );
        console::say(Kind::Alert, "config : Fatal errors found in configuration.");
        return Err(ExitCode::FAILURE);
    };
    if warnings > 0 && (options.warnings_are_fatal || config.global.zero_warning) {
        console::say(Kind::Alert, "Some warnings were found and 'zero-warning' is set. Aborting.");
        return Err(ExitCode::FAILURE);
    }
    if is_master {
        return Ok(master::run(options, &config, called, args));
    }
    apply(options, &mut config);
    let listens = config
        .proxies
        .iter()
        .any(|p| !p.disabled && p.frontend.as_ref().is_some_and(|f| !f.binds.is_empty()))
        || !config.global.stats_sockets.is_empty();
    let settings = Settings {
        files: options.files.iter().map(|file| file.display().to_string()).collect(),
        daemon: (options.daemon || config.global.daemon) && !options.foreground,
        pidfile: options.pidfile.clone(),
        maxconn: options.maxconn,
        ignore_resolution: options.ignore_resolution,
        quiet: options.quiet,
        notify_systemd: options.notify_systemd,
        finish: options.finish.clone(),
        terminate: options.terminate.clone(),
        take_from: options.take_from.clone(),
        startup_logs,
        warnings: warnings as u32,
        started: Some(started),
    };
    if options.check {
        run::check(config, &settings).map_err(|_| ExitCode::FAILURE)?;
        if let Some(classes) = &options.keywords {
            print(&keywords::dump(classes));
        }
        return Ok(checked(options, listens));
    }
    let live = run::prepare(config, &settings).map_err(|_| ExitCode::FAILURE)?;
    if let Some(classes) = &options.keywords {
        print(&keywords::dump(classes));
    }
    if let Some(megabytes) = options.memory_mb
        && let Err(error) = limits::limit_memory(megabytes)
    {
        console::say(
            Kind::Warning,
            &format!("[haproxy.main()] Cannot fix MEM limit to {megabytes} megs: {error}."),
        );
    }
    match run::run(&live, &settings, link) {
        Ok(End::Done) => Ok(ExitCode::SUCCESS),
        Ok(End::Signal(signal)) => {
            crate::sys::signal::die_of(signal);
            Ok(ExitCode::FAILURE)
        }
        Err(run::Said) => Err(ExitCode::FAILURE),
    }
}

/// `-cc`: 0 the condition holds, 1 it does not, 2 it makes no sense.
fn judge(condition: &str) -> ExitCode {
    match lower::condition(condition) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(cause) => {
            console::say(Kind::Alert, &format!("config : Failed to evaluate condition: {cause}"));
            ExitCode::from(2)
        }
    }
}

/// The closing word of `-c`.
fn checked(options: &Options, listens: bool) -> ExitCode {
    let quiet = options.quiet && !options.verbose;
    if !listens {
        if !quiet {
            print("Configuration file has no error but will not start (no listener) => exit(2).\n");
        }
        return ExitCode::from(NO_LISTENER);
    }
    if !quiet {
        print("Configuration file is valid\n");
    }
    ExitCode::SUCCESS
}

/// What the command line says over the file.
fn apply(options: &Options, config: &mut Config) {
    if let Some(name) = &options.local_peer {
        config.global.localpeer = Some(name.clone());
    }
    config.global.nosplice |= options.no_splice;
    config.global.noreuseport |= options.no_reuse_port;
    if options.only_ipv4 {
        config.global.dns_families = Families::V4;
    }
    if let Some(limit) = options.proxy_maxconn {
        for frontend in config.proxies.iter_mut().filter_map(|p| Arc::make_mut(p).frontend.as_mut()) {
            frontend.maxconn.get_or_insert(limit);
        }
    }
}

/// Says everything about the configuration on standard error and returns it.
fn tell(loaded: &Loaded, called: &OsStr) -> String {
    let pid = std::process::id();
    let texts: Vec<String> = loaded.diagnostics.iter().map(|d| render(d, &loaded.sources, pid)).collect();
    let text = texts.concat();
    if !text.is_empty() {
        introduce(called);
        console::raw(&text);
    }
    text
}

/// The two lines HAProxy puts before its first message.
fn introduce(called: &OsStr) {
    let path = std::env::current_exe().unwrap_or_else(|_| called.into());
    console::say(Kind::Notice, &format!("haproxy version is {}", crate::HAPROXY_VERSION));
    console::say(Kind::Notice, &format!("path to executable is {}", path.display()));
}

/// Reads files; of a directory, all `*.cfg` in it, in the order of their names as bytes.
fn read(paths: &[PathBuf]) -> Result<Vec<Source>, ExitCode> {
    let mut sources = Vec::new();
    for path in paths {
        let found = expand(path).and_then(|files| {
            files.into_iter().map(|f| file::read(&f).map(|text| (f, text))).collect::<Result<Vec<_>, _>>()
        });
        match found {
            Ok(files) => sources.extend(
                files.into_iter().map(|(file, text)| Source { name: file.display().to_string(), text }),
            ),
            Err(error) => {
                let why = nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(0)).desc();
                let text =
                    format!("config : Cannot open configuration file/directory {} : {why}", path.display());
                console::say(Kind::Alert, &text);
                return Err(ExitCode::FAILURE);
            }
        }
    }
    Ok(sources)
}

fn expand(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir(path)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|p| p.extension().is_some_and(|e| e == "cfg") && p.is_file())
        .filter(|p| p.file_name().is_some_and(|n| !n.as_encoded_bytes().starts_with(b".")))
        .collect();
    files.sort();
    Ok(files)
}
