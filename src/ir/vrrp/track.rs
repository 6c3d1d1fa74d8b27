//! Scripts and everything an instance or sync group can track.

use std::path::PathBuf;
use std::time::Duration;

use super::super::Place;

/// Index of a script in [`super::Config::scripts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScriptIdx(pub u32);

/// Index of a file in [`super::Config::track_files`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackFileIdx(pub u32);

/// Index of a process in [`super::Config::track_processes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackProcessIdx(pub u32);

/// Index of a tracked proxy in [`super::Config::track_proxies`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackProxyIdx(pub u32);

/// Who a script runs as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunAs {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// How a command is started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExecMode {
    /// The first word is an executable file: `execve` with the words.
    #[default]
    Direct,
    /// The line is shell language (`<`, `|`, `&&`, a builtin): `/bin/sh -c LINE`.
    Shell,
}

/// A command with its words, as `notify_*` and FIFO scripts use it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotifyScript {
    /// Words; the first is the program, with its path resolved where the machine could tell.
    pub argv: Vec<String>,
    /// What the file calls the program, where its path was resolved to another: programs of several names (`pidof`) see it.
    pub called: Option<String>,
    /// The command as one line, for messages and for [`ExecMode::Shell`].
    pub line: String,
    /// How it is started.
    pub mode: ExecMode,
    /// Who it runs as.
    pub user: RunAs,
}

/// How a check script finds the process it looks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameMatch {
    /// `killall -0 NAME`, `pgrep -x NAME`: the name the kernel keeps, of which 15 bytes count.
    #[default]
    Exact,
    /// `pgrep NAME`: the name anywhere in the one the kernel keeps.
    Part,
    /// `pidof NAME`: the kernel's name, or the file name of the program as it was called.
    Program,
}

/// The process a check script merely looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedProcess {
    /// Name.
    pub name: String,
    /// How it is compared.
    pub by: NameMatch,
}

/// `vrrp_script NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Name.
    pub name: String,
    /// `script "..."` and `user USER [GROUP]`.
    pub command: NotifyScript,
    /// `interval`, seconds (fractions since 2.3), default 1 s.
    pub interval: Duration,
    /// `timeout`: a run that takes longer is killed and counts as failed; `None`: the interval.
    pub timeout: Option<Duration>,
    /// `weight`, -253..253, default 0. 0: failure means FAULT; positive: added while good; negative: taken off while bad.
    pub weight: i32,
    /// `weight N reverse`: the weight counts the other way round.
    pub reverse: bool,
    /// `rise`: good runs in a row to become good, default 1.
    pub rise: u32,
    /// `fall`: bad runs in a row to become bad, default 1.
    pub fall: u32,
    /// `init_fail`: bad until the first runs say otherwise.
    pub init_fail: bool,
    /// The program of a `killall -0 NAME` / `pidof NAME` / `pgrep` line, so that the engine may watch the process itself.
    pub watches_process: Option<WatchedProcess>,
    /// Where it stands.
    pub place: Place,
}

/// `track_script { NAME [weight N [reverse]] }` of an instance or group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackedScript {
    /// Which.
    pub script: ScriptIdx,
    /// Weight, -253..253; the script's own unless given here.
    pub weight: i32,
    /// `reverse`.
    pub reverse: bool,
}

/// `track_interface { NAME [weight N [reverse]] }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackInterface {
    /// Interface name.
    pub name: String,
    /// -253..253; 0: down means FAULT.
    pub weight: i32,
    /// `reverse`.
    pub reverse: bool,
}

/// `track_file NAME` (`vrrp_track_file` until 2.0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackFile {
    /// Name.
    pub name: String,
    /// `file PATH`: its first number is multiplied with the weight.
    pub path: PathBuf,
    /// `weight`, -254..254, default 1.
    pub weight: i32,
    /// `weight N reverse`.
    pub reverse: bool,
    /// `init_file [VALUE [overwrite]]`: the file is made when missing (or always, with `overwrite`).
    pub init: Option<(i32, bool)>,
    /// Where it stands.
    pub place: Place,
}

/// `track_file { NAME [weight N [reverse]] }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackedFile {
    /// Which.
    pub file: TrackFileIdx,
    /// -254..254.
    pub weight: i32,
    /// `reverse`.
    pub reverse: bool,
}

/// How arguments of a tracked process are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ParamMatch {
    /// Arguments are not compared.
    #[default]
    None,
    /// All arguments are equal.
    Exact,
    /// Further arguments may follow.
    Partial,
    /// As `Partial`, and the last configured argument may be the start of the real one.
    Initial,
}

/// `vrrp_track_process NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackProcess {
    /// Name.
    pub name: String,
    /// `process NAME ARG ...`: program, then arguments.
    pub argv: Vec<String>,
    /// `param_match`.
    pub param_match: ParamMatch,
    /// `full_command`: compare the whole command line rather than the 15 byte name.
    pub full_command: bool,
    /// `weight`, -254..254, default 0.
    pub weight: i32,
    /// `weight N reverse`.
    pub reverse: bool,
    /// `quorum`: at least this many, default 1.
    pub quorum: u32,
    /// `quorum_max`: at most this many; `None`: no limit.
    pub quorum_max: Option<u32>,
    /// `fork_delay` / `delay`: a gained quorum counts after this.
    pub fork_delay: Duration,
    /// `terminate_delay` / `delay`: a lost quorum counts after this.
    pub terminate_delay: Duration,
    /// Where it stands.
    pub place: Place,
}

/// `track_process { NAME [weight N [reverse]] }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackedProcess {
    /// Which.
    pub process: TrackProcessIdx,
    /// -254..254.
    pub weight: i32,
    /// `reverse`.
    pub reverse: bool,
}

/// `track_proxy NAME`, which keepalived does not know: what the proxy on this machine must be able to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackProxy {
    /// Name.
    pub name: String,
    /// `frontend NAME...`: these take connections. Without any, and without a backend, all that listen do.
    pub frontends: Vec<String>,
    /// `backend NAME [min_servers N]`.
    pub backends: Vec<TrackedBackend>,
    /// `weight`, -253..253, default 0.
    pub weight: i32,
    /// `weight N reverse`.
    pub reverse: bool,
    /// Where it stands.
    pub place: Place,
}

/// A backend of a [`TrackProxy`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackedBackend {
    /// Name.
    pub name: String,
    /// `min_servers`: so many servers take requests, default 1.
    pub min_servers: u32,
}

/// `track_proxy { NAME [weight N [reverse]] }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackedProxy {
    /// Which.
    pub proxy: TrackProxyIdx,
    /// -253..253.
    pub weight: i32,
    /// `reverse`.
    pub reverse: bool,
}

/// `bfd_instance NAME`; known, not run yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BfdInstance {
    /// Name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
}

/// `track_bfd { NAME [weight N [reverse]] }`; known, not run yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackBfd {
    /// Name of the `bfd_instance`.
    pub name: String,
    /// -253..253.
    pub weight: i32,
    /// `reverse`.
    pub reverse: bool,
}
