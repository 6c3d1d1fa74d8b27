//! The `global` section.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::cpus::CpuMap;
use super::log::LogTarget;
use super::resolvers::Families;

/// Names of headers in lower case, and their spellings (`h1-case-adjust`); both have one length.
pub type Spellings = HashMap<Box<[u8]>, Box<[u8]>>;

/// Process-wide settings. Defaults are HAProxy's.
#[derive(Clone, Debug, PartialEq)]
pub struct Global {
    /// `daemon`: go to the background.
    pub daemon: bool,
    /// `zero-warning`: a warning is an error.
    pub zero_warning: bool,
    /// `maxconn`; `None`: computed from the open-files limit.
    pub maxconn: Option<u32>,
    /// `maxconnrate`: connections per second; 0: no limit.
    pub maxconnrate: u32,
    /// `maxsessrate`: sessions per second; 0: no limit.
    pub maxsessrate: u32,
    /// `nbthread`; `None`: one per usable core.
    pub nbthread: Option<u16>,
    /// `cpu-map`: the processors of each.
    pub cpu_map: CpuMap,
    /// `user`/`uid`, resolved to a number if known on this machine.
    pub uid: Option<u32>,
    /// `group`/`gid`.
    pub gid: Option<u32>,
    /// `chroot`.
    pub chroot: Option<PathBuf>,
    /// `pidfile` (`-p` overrides).
    pub pidfile: Option<PathBuf>,
    /// `ulimit-n`.
    pub ulimit_n: Option<u64>,
    /// `fd-hard-limit`: open files at the most, whatever else is asked for; 0: as many as there can be.
    pub fd_hard_limit: Option<u64>,
    /// `hard-stop-after`.
    pub hard_stop_after: Option<Duration>,
    /// `grace`: from being told to stop softly until it begins.
    pub grace: Option<Duration>,
    /// `close-spread-time`.
    pub close_spread: CloseSpread,
    /// `log` lines of the global section.
    pub logs: Vec<LogTarget>,
    /// `log-tag`, default `haproxy`.
    pub log_tag: String,
    /// `log-send-hostname`: `Some("")` means the machine's own name.
    pub log_send_hostname: Option<String>,
    /// `master-worker`: run under a master.
    pub master_worker: bool,
    /// `master-worker no-exit-on-failure`: a worker that dies is started again by the master.
    pub no_exit_on_failure: bool,
    /// `mworker-max-reloads`: reloads that a worker outlives at most.
    pub max_reloads: Option<u32>,
    /// `node`; `None`: host name.
    pub node: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `stats socket` lines.
    pub stats_sockets: Vec<StatsSocket>,
    /// `stats timeout`, default 10 s.
    pub stats_timeout: Duration,
    /// `stats maxconn`, default 10.
    pub stats_maxconn: u32,
    /// `tune.bufsize`, bytes, default 16384.
    pub bufsize: usize,
    /// `tune.maxrewrite`, bytes, default 1024.
    pub maxrewrite: usize,
    /// `pp2-never-send-local`: checks say their addresses in PROXY headers of version 2.
    pub pp2_never_local: bool,
    /// `nosplice`, `-dS`: bytes are copied, never moved through pipes.
    pub nosplice: bool,
    /// `maxpipes`; `None`: as many as are good for it.
    pub maxpipes: Option<u32>,
    /// `dns-accept-family`, `-4`: what every section of resolvers asks for.
    pub dns_families: Families,
    /// `harden.reject-privileged-ports.tcp`: no client's port is below 1024 (RFC 6335, section 6).
    pub reject_privileged_ports: bool,
    /// `noreuseport`, `-dR`: threads share each listening socket.
    pub noreuseport: bool,
    /// `tune.defaults.purge` names `proxies`: no backend is added from a `defaults` section.
    pub purge_defaults: bool,
    /// `tune.defaults.purge` names `servers`: no server is added from a `default-server`.
    pub purge_default_servers: bool,
    /// `tune.runqueue-depth`: steps of sessions between two looks at the network; `None`: by the number of threads.
    pub runqueue_depth: Option<u32>,
    /// `h1-case-adjust`: header names in lower case and their spellings, of one length.
    pub header_spellings: Arc<Spellings>,
    /// `tune.http.maxhdr`, default 101.
    pub maxhdr: usize,
    /// `tune.http.logurilen`, default 1024: a logged request line is one byte shorter at most.
    pub log_uri_len: usize,
    /// `spread-checks`, percent 0..50.
    pub spread_checks_percent: u8,
    /// `max-spread-checks`.
    pub max_spread_checks: Option<Duration>,
    /// `external-check`: programs may check.
    pub external_check: Option<ExternalCheck>,
    /// `stats-file`: counters to start from.
    pub stats_file: Option<PathBuf>,
    /// `server-state-file`, below [`Self::server_state_base`] unless it is absolute.
    pub server_state_file: Option<PathBuf>,
    /// `server-state-base`.
    pub server_state_base: Option<PathBuf>,
    /// `localpeer`.
    pub localpeer: Option<String>,
}

/// `external-check` of `global`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExternalCheck {
    /// `preserve-env`: programs inherit the environment.
    pub preserve_env: bool,
}

/// When a soft stop closes the connections of clients that wait or are through with an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseSpread {
    /// As soon as it begins.
    AtOnce,
    /// One after the other, so that all are closed after this time.
    Over(Duration),
    /// When their timeouts end them.
    Never,
}

impl Default for Global {
    fn default() -> Self {
        Self {
            pp2_never_local: false,
            daemon: false,
            zero_warning: false,
            maxconn: None,
            maxconnrate: 0,
            maxsessrate: 0,
            nbthread: None,
            cpu_map: CpuMap::default(),
            uid: None,
            gid: None,
            chroot: None,
            pidfile: None,
            ulimit_n: None,
            fd_hard_limit: None,
            hard_stop_after: None,
            grace: None,
            close_spread: CloseSpread::AtOnce,
            logs: Vec::new(),
            log_tag: "haproxy".into(),
            log_send_hostname: None,
            master_worker: false,
            no_exit_on_failure: false,
            max_reloads: None,
            node: None,
            description: None,
            stats_sockets: Vec::new(),
            stats_timeout: Duration::from_secs(10),
            stats_maxconn: 10,
            bufsize: 16384,
            maxrewrite: 1024,
            nosplice: false,
            maxpipes: None,
            dns_families: Families::default(),
            reject_privileged_ports: false,
            noreuseport: false,
            purge_defaults: false,
            purge_default_servers: false,
            runqueue_depth: None,
            header_spellings: Arc::default(),
            maxhdr: 101,
            log_uri_len: 1024,
            spread_checks_percent: 0,
            max_spread_checks: None,
            external_check: None,
            stats_file: None,
            server_state_file: None,
            server_state_base: None,
            localpeer: None,
        }
    }
}

/// `set-var` and `set-var-fmt` of the global section.
#[derive(Clone, Debug)]
pub struct GlobalVar {
    /// Name, of scope `proc`.
    pub name: super::expr::VarName,
    /// Value.
    pub source: VarSource,
}

/// Where the value of a variable comes from.
#[derive(Clone, Debug)]
pub enum VarSource {
    /// `set-var`.
    Expr(super::expr::Expr),
    /// `set-var-fmt`.
    Format(super::expr::LogFormat),
}

/// What a stats socket client may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Read what reveals nothing sensitive.
    User,
    /// The default: read everything, change nothing that matters.
    #[default]
    Operator,
    /// Everything.
    Admin,
}

/// Where a stats socket listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatsAddr {
    /// A path in the file system.
    Unix(PathBuf),
    /// An abstract unix name.
    Abstract(String),
    /// TCP.
    Tcp(SocketAddr),
    /// An inherited descriptor.
    Fd(i32),
}

/// One `stats socket` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsSocket {
    /// Where.
    pub addr: StatsAddr,
    /// `level`.
    pub level: Level,
    /// `mode`, octal permission bits.
    pub mode: Option<u32>,
    /// `user`/`uid`.
    pub uid: Option<u32>,
    /// `group`/`gid`.
    pub gid: Option<u32>,
    /// `expose-fd listeners`.
    pub expose_fd_listeners: bool,
    /// `name`.
    pub name: Option<String>,
}
