//! `haproxy -W`: from the command line to a master.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::options::{self, Options};
use crate::ctl;
use crate::ir::{Config, StatsSocket};
use crate::log::console::{self, Kind};
use crate::lower::{self, Source, System};
use crate::process::daemon::PidFile;
use crate::process::master::{self, Plan};
use crate::sys;

/// Runs as master of workers that are called with `args`. The configuration was found to be valid.
pub(super) fn run(options: &Options, config: &Config, called: &OsStr, args: &[OsString]) -> ExitCode {
    match start(options, config, called, args) {
        Ok(code) => ExitCode::from(code),
        Err(why) => {
            console::say(Kind::Alert, &format!("[haproxy.main()] {why}"));
            ExitCode::FAILURE
        }
    }
}

fn start(options: &Options, config: &Config, called: &OsStr, args: &[OsString]) -> Result<u8, String> {
    let global = &config.global;
    let mut sockets = Vec::new();
    for spec in &options.master_sockets {
        let socket = socket(spec)?;
        let bound = ctl::runner::bind(&socket)
            .map_err(|error| format!("Cannot bind the master's socket '{spec}': {error}."))?;
        sockets.push(bound);
    }
    let (program, name) = program(called).map_err(|error| format!("Cannot find this program: {error}."))?;
    let (mut every, first_args) = options::for_worker(args);
    // Called as `tandem haproxy`, the worker is too.
    if Path::new(&name).file_name() != Some(OsStr::new("haproxy")) {
        every.insert(0, "haproxy".into());
    }
    let pidfile = options.pidfile.as_deref().or(global.pidfile.as_deref());
    let written = if (options.daemon || global.daemon) && !options.foreground {
        let detached = sys::detach::detach(|child| {
            if let Some(path) = pidfile {
                PidFile::write(path, child.as_raw().cast_unsigned()).map(PidFile::leave)?;
            }
            Ok(())
        });
        console::set_quiet(true);
        detached.map(|()| pidfile.map(PidFile::adopt))
    } else {
        pidfile.map(|path| PidFile::write(path, std::process::id())).transpose()
    };
    let _pidfile = written.map_err(|error| {
        let name = pidfile.map(|p| p.display().to_string()).unwrap_or_default();
        format!("Cannot create pidfile {name}: {error}")
    })?;
    let plan = Plan {
        program,
        name,
        args: every,
        first_args,
        notify_systemd: options.notify_systemd,
        exit_on_failure: !global.no_exit_on_failure,
        max_reloads: global.max_reloads,
        timeout: global.stats_timeout,
    };
    master::run(plan, sockets).map_err(|error| format!("The master cannot run: {error}."))
}

/// Reads a `-S` argument: an address and settings as on a `stats socket` line, with commas between them.
fn socket(spec: &str) -> Result<StatsSocket, String> {
    let line = spec.replace(',', " ");
    let (address, settings) = line.split_once(' ').unwrap_or((&line, ""));
    let text = format!("global\n stats socket {address} level admin {settings}\n");
    let loaded =
        lower::load(vec![Source { name: "-S".into(), text: text.into_bytes() }], &System { offline: false });
    let said = loaded.diagnostics.iter().map(|d| d.message.clone()).collect::<Vec<_>>().join(" ");
    let socket = loaded.config.and_then(|mut config| config.global.stats_sockets.pop());
    socket.ok_or_else(|| format!("'-S {spec}' : {said}"))
}

/// The file to start workers from, and the name to call them by. A path as called is kept, so that a reload starts
/// what stands there then.
fn program(called: &OsStr) -> std::io::Result<(PathBuf, OsString)> {
    let path = Path::new(called);
    let found = if path.components().count() > 1 {
        std::path::absolute(path).ok()
    } else {
        let dirs = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&dirs).map(|dir| dir.join(path)).find(|file| file.is_file())
    };
    let program = found.filter(|file| file.is_file()).map_or_else(std::env::current_exe, Ok)?;
    Ok((program, called.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::global::{Level, StatsAddr};

    #[test]
    fn a_socket_is_read_with_its_settings() {
        let one = socket("/run/m.sock,mode,600,level,operator").unwrap();
        assert_eq!(one.addr, StatsAddr::Unix("/run/m.sock".into()));
        assert_eq!((one.level, one.mode), (Level::Operator, Some(0o600)));
        let plain = socket("127.0.0.1:9999").unwrap();
        assert_eq!((plain.addr, plain.level), (StatsAddr::Tcp(([127, 0, 0, 1], 9999).into()), Level::Admin));
        assert!(socket("/run/m.sock,levle,admin").is_err());
    }
}
