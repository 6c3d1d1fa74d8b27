//! What the parent runs before its child begins and after it ended (`startup_script`, `shutdown_script`).

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::supervisor::wait;
use crate::ir::vrrp::{Config, ExecMode, NotifyScript};
use crate::sys::clock;
use crate::sys::fork::Signals;
use crate::vrrp::runner::Journal;

/// Seconds a script may take when the file does not say.
const LIMIT: Duration = Duration::from_secs(10);

/// Runs `startup_script` to its end. False: told to stop meanwhile.
pub(super) fn startup(config: &Config, journal: &Journal, signals: &Signals) -> io::Result<bool> {
    let global = &config.global;
    match &global.startup_script {
        Some(script) => run("startup", script, global.startup_script_timeout, journal, signals),
        None => Ok(true),
    }
}

/// Runs `shutdown_script` to its end.
pub(super) fn shutdown(config: &Config, journal: &Journal, signals: &Signals) -> io::Result<()> {
    let global = &config.global;
    if let Some(script) = &global.shutdown_script {
        run("shutdown", script, global.shutdown_script_timeout, journal, signals)?;
    }
    Ok(())
}

/// Waits on the signal descriptor, as the parent always does; a failure is logged and changes nothing.
fn run(
    what: &str,
    script: &NotifyScript,
    limit: Option<Duration>,
    journal: &Journal,
    signals: &Signals,
) -> io::Result<bool> {
    let mut command = match script.mode {
        ExecMode::Direct => {
            let mut words = script.argv.iter();
            let mut command = Command::new(words.next().map_or("", String::as_str));
            command.args(words);
            if let Some(name) = &script.called {
                command.arg0(name);
            }
            command
        }
        ExecMode::Shell => {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", &script.line]);
            command
        }
    };
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let (user, group) = (script.user.uid, script.user.gid);
    if (user, group) != (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw()) {
        command.uid(user).gid(group);
    }
    journal.detail(format!("Running {what} script {}", script.line));
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(e) => {
            journal.info(format!("Call of {what} script {} failed: {e}", script.line));
            return Ok(true);
        }
    };
    let until = clock::now() + limit.unwrap_or(LIMIT);
    let mut go_on = true;
    let mut forced = false;
    loop {
        if let Some(status) = child.try_wait()? {
            match (status.code(), status.signal()) {
                (Some(0), _) => journal.detail(format!("{what} script succeeded")),
                (Some(code), _) => journal.info(format!("{what} script failed, status {code}")),
                (None, signal) => {
                    journal.info(format!("{what} script was ended by signal {}", signal.unwrap_or_default()))
                }
            }
            return Ok(go_on);
        }
        if clock::now() >= until && !forced {
            journal.info(format!("{what} script timed out"));
            forced = true;
            // Gone already is as good as killed.
            let group = i32::try_from(child.id()).map(Pid::from_raw);
            let _ = group.map(|group| killpg(group, Signal::SIGKILL));
        }
        wait(signals, (!forced).then_some(until))?;
        while let Some(signal) = signals.next() {
            go_on &= !matches!(signal, libc::SIGTERM | libc::SIGINT);
        }
    }
}
