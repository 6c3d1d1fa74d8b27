//! `log` lines.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Where log lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogDest {
    /// `stdout`.
    Stdout,
    /// `stderr`.
    Stderr,
    /// `fd@N`.
    Fd(i32),
    /// Datagrams to an address (default port 514).
    Udp(SocketAddr),
    /// A unix datagram socket such as `/dev/log`.
    Unix(PathBuf),
}

/// `format` of a log line on the transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFraming {
    /// `local`: `<PRI>Mmm dd hh:mm:ss tag[pid]: `, the default; `log-send-hostname` turns it into `rfc3164`.
    #[default]
    Local,
    /// `rfc3164`: `local` with the host name.
    Rfc3164,
    /// `rfc5424`.
    Rfc5424,
    /// `priority`: `<PRI>` only.
    Priority,
    /// `short`: `<LEVEL>` only, for systemd.
    Short,
    /// `timed`: `<LEVEL>` and time.
    Timed,
    /// `iso`: ISO date in front.
    Iso,
    /// `raw`: the message alone.
    Raw,
}

/// Syslog facility code, 0 (`kern`) to 23 (`local7`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(pub u8);

/// Syslog severity, 0 (`emerg`) to 7 (`debug`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Severity(pub u8);

/// One `log` line, resolved (`log global` is expanded into the global section's targets).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTarget {
    /// Where to.
    pub dest: LogDest,
    /// `format`.
    pub framing: LogFraming,
    /// `len`, default 1024.
    pub max_len: usize,
    /// Facility.
    pub facility: Facility,
    /// Lines less severe than this are not sent (default debug).
    pub max_level: Severity,
    /// Lines are never announced as more severe than this (default emerg).
    pub min_level: Severity,
}

/// Which line a proxy writes per session.
#[derive(Clone, Debug, Default)]
pub enum LogFormatKind {
    /// No `option httplog`/`tcplog`: the short connect line.
    #[default]
    Default,
    /// `option tcplog`.
    Tcp,
    /// `option httplog`.
    Http,
    /// `option httplog clf`.
    Clf,
    /// `option httpslog`.
    Https,
    /// `log-format`.
    Custom(super::expr::LogFormat),
}
