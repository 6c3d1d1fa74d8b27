//! Where the VRRP process writes its lines: the system log, and with `-l` the console.

use std::fmt::Display;
use std::fs::File;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::sys::{clock, sched};

/// What the command line says about logging.
#[derive(Clone, Debug)]
pub struct Options {
    /// `-l`: also to stderr, with the time in front.
    pub console: bool,
    /// `-D`: detail lines too.
    pub detail: bool,
    /// Not `-G`: to the system log.
    pub syslog: bool,
    /// `-S`: facility number, default 3 (daemon).
    pub facility: u8,
    /// `-g`: also to this file, with the time in front.
    pub file: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { console: false, detail: false, syslog: true, facility: 3, file: None }
    }
}

/// Severities of the system log that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// 3.
    Error,
    /// 4.
    Warning,
    /// 6.
    Info,
}

/// Writes lines. Never blocks on the system log: a line it cannot take is lost.
#[derive(Debug)]
pub struct Journal {
    options: Options,
    ident: &'static str,
    syslog: Option<UnixDatagram>,
    file: Option<File>,
    zone: TimeZone,
}

impl Journal {
    /// Opens the system log if asked to. `ident` is `Keepalived` or `Keepalived_vrrp`.
    #[must_use]
    pub fn new(options: Options, ident: &'static str) -> Self {
        let syslog = options.syslog.then(connect).flatten();
        let open = |path: &PathBuf| File::options().create(true).append(true).open(path);
        let (file, refused) = match options.file.as_ref().map(open).transpose() {
            Ok(file) => (file, None),
            Err(e) => (None, Some(e)),
        };
        let journal = Self { options, ident, syslog, file, zone: TimeZone::system() };
        if let (Some(e), Some(path)) = (refused, &journal.options.file) {
            journal.warn(format!("cannot write to the log file {}: {e}", path.display()));
        }
        journal
    }

    /// Are detail lines written?
    #[must_use]
    pub fn detail_wanted(&self) -> bool {
        self.options.detail
    }

    /// Gives the calling process, which logs here, the name that `ps` and `killall` know; `None`: the usual one.
    pub fn name_process(&self, name: Option<&str>) {
        let name = name.unwrap_or("keepalived");
        if let Err(e) = sched::set_name(name) {
            self.info(format!("Failed to set process name '{name}' ({e})"));
        }
    }

    /// A line for everybody.
    pub fn info(&self, line: impl Display) {
        self.write(Severity::Info, &line.to_string());
    }

    /// A line that names something wrong.
    pub fn warn(&self, line: impl Display) {
        self.write(Severity::Warning, &line.to_string());
    }

    /// A line for `-D` only.
    pub fn detail(&self, line: impl Display) {
        if self.options.detail {
            self.write(Severity::Info, &line.to_string());
        }
    }

    /// Writes `line` as it is.
    pub fn write(&self, severity: Severity, line: &str) {
        let wall = clock::wall();
        let time = Timestamp::try_from(wall).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(self.zone.clone());
        if self.options.console {
            let text = format!("{}: {line}\n", time.strftime("%a %b %e %H:%M:%S %Y"));
            // Nobody is left to tell that stderr is gone.
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
        if let Some(mut file) = self.file.as_ref() {
            let text = format!("{}: {line}\n", time.strftime("%a %b %d %H:%M:%S.%9f %Y"));
            // A full disk must not end the daemon.
            let _ = file.write_all(text.as_bytes());
        }
        if let Some(socket) = &self.syslog {
            let level = match severity {
                Severity::Error => 3,
                Severity::Warning => 4,
                Severity::Info => 6,
            };
            let priority = self.options.facility * 8 + level;
            let stamp = time.strftime("%b %e %H:%M:%S");
            let text = format!("<{priority}>{stamp} {}[{}]: {line}", self.ident, std::process::id());
            let _ = socket.send(text.as_bytes());
        }
    }
}

fn connect() -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.connect("/dev/log").ok()?;
    Some(socket)
}
