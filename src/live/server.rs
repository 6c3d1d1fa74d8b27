//! A server that runs.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, OnceLock, Weak};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::Proxy;
use super::queue::Queue;
use crate::ir;
use crate::ir::server::AGENT_RISE;
use crate::metrics::{Gauge, ServerCounters};
use crate::server::{Admin, Op, ServerState, dynamic_limit};
use crate::sys;

/// Where a server is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Its name has not been resolved.
    Unknown,
    /// TCP.
    Ip(SocketAddr),
    /// A unix stream socket.
    Unix(PathBuf),
    /// Whoever reads at the other end of an inherited unix socket.
    SockPair(i32),
}

impl Address {
    /// It leaves the address or the port to the client's connection.
    fn is_open(&self) -> bool {
        matches!(self, Self::Ip(addr) if addr.ip().is_unspecified() || addr.port() == 0)
    }
}

/// Why the sessions of a server are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// `shutdown sessions server`.
    Command,
    /// `on-marked-down shutdown-sessions`.
    Down,
    /// `on-marked-up shutdown-backup-sessions`.
    Up,
}

static KILLED: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::Sender::new(0));

/// Changes when the sessions of any server have to end.
#[must_use]
pub fn any_killed() -> watch::Receiver<u64> {
    KILLED.subscribe()
}

/// What the last check said; the columns `check_*` and `last_chk` of `show stat`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Short status: `L7OK`. Empty: no check has ended yet (`INI`).
    pub status: &'static str,
    /// Long description: `Layer7 check passed`.
    pub description: &'static str,
    /// Status code, of layer 7; -1: a program that a signal ended.
    pub code: Option<i32>,
    /// How long it took.
    pub duration: Option<Duration>,
    /// Detail (`last_chk`): `OK`, `Connection refused`.
    pub info: String,
    /// 0 to rise + fall - 1; up from rise.
    pub health: u32,
    /// A check is running now (`* ` in front of the status).
    pub in_progress: bool,
}

/// Where checks go; what `set server` may change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probing {
    /// `addr`, `check-addr`; `None`: where the traffic goes.
    pub check_addr: Option<IpAddr>,
    /// `port`, `check-port`; `None`: where the traffic goes.
    pub check_port: Option<u16>,
    /// `agent-addr`; `None`: where the traffic goes.
    pub agent_addr: Option<IpAddr>,
    /// `agent-port`.
    pub agent_port: u16,
    /// `agent-send`.
    pub agent_send: Vec<u8>,
}

/// How many connections the sessions of a server need at a time, estimated: what is more need not be kept.
#[derive(Debug, Default)]
pub struct Need {
    highest: AtomicU32,
    estimate: AtomicU32,
}

impl Need {
    /// So many are in use.
    pub fn note(&self, used: u32) {
        if used > self.highest.load(Relaxed) {
            self.highest.store(used, Relaxed);
        }
        if used > self.estimate.load(Relaxed) {
            self.estimate.store(used, Relaxed);
        }
    }

    /// Time has passed: what was needed before that counts half. `used`: now.
    pub fn settle(&self, used: u32) {
        let highest = self.highest.swap(used, Relaxed);
        let before = self.estimate.load(Relaxed);
        self.estimate.store(highest.max(before.midpoint(highest)), Relaxed);
    }

    /// The estimate.
    #[must_use]
    pub fn get(&self) -> u32 {
        self.estimate.load(Relaxed)
    }
}

/// A server that follows another: its backend and its number there.
pub(super) type Tracker = (Weak<Proxy>, usize);

/// Servers that became usable so far.
static TURNS: AtomicU64 = AtomicU64::new(1);

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    /// What it was made from.
    pub ir: Arc<ir::Server>,
    /// Its name, and after `set server ... name` the next one.
    name: Name,
    /// Address and settings as `add server` had them; `None`: it is in the configuration.
    pub added: Option<String>,
    /// Its number in the backend; after it was deleted another may get it.
    pub index: usize,
    /// Counters.
    pub counters: ServerCounters,
    /// Those who wait for this server.
    pub queue: Queue,
    /// Requests it works on.
    pub served: Gauge,
    /// How many connections are worth keeping.
    pub need: Need,
    /// State; change it through [`Proxy::change_server`].
    pub(super) state: Mutex<ServerState>,
    address: RwLock<Address>,
    /// It leaves address or port to the client's connection.
    open_address: AtomicBool,
    ports_follow: AtomicBool,
    maxconn: AtomicU32,
    /// Errors in a row, with `observe`.
    pub(super) errors: AtomicU32,
    /// Mirrors of the state that requests look at without the lock.
    usable: AtomicBool,
    /// When it became usable the last time, as a number that grows.
    turn: AtomicU64,
    persistent: AtomicBool,
    warming: AtomicBool,
    /// Pools drop connections that are of an older generation than this.
    generation: AtomicU64,
    /// How often that happened, and why the last time: for sessions that are woken by others.
    kills: AtomicU64,
    /// Checks were suspended by command.
    check_suspended: AtomicBool,
    agent_suspended: AtomicBool,
    /// What the last check said.
    pub check: RwLock<CheckReport>,
    /// What the agent's last check said.
    pub agent: RwLock<CheckReport>,
    /// Where checks go and what the agent is asked, as last set by command.
    pub probing: RwLock<Probing>,
    /// Its name in the DNS; `None`: it has none, or none yet.
    fqdn: RwLock<Option<String>>,
    /// When the address last changed or was confirmed by a resolution.
    pub resolved_at: Mutex<Option<SystemTime>>,
    /// Servers that do as this one does.
    pub(super) trackers: Mutex<Vec<Tracker>>,
}

/// A name, and those that came after it. They stay, so that whoever looks at one needs no lock.
#[derive(Debug)]
struct Name {
    text: String,
    next: OnceLock<Box<Name>>,
}

impl Name {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned(), next: OnceLock::new() }
    }

    fn last(&self) -> &str {
        let mut name = self;
        while let Some(next) = name.next.get() {
            name = next;
        }
        &name.text
    }

    fn push(&self, text: &str) {
        let mut last = self;
        let mut new = Box::new(Self::new(text));
        loop {
            match last.next.set(new) {
                Ok(()) => return,
                // Another one was faster: behind that, then.
                Err(back) => new = back,
            }
            let Some(next) = last.next.get() else { return };
            last = next;
        }
    }
}

/// A name of a service begins with an underscore (RFC 2782); only resolvers know what to do with it.
fn names_service(ir: &ir::Server, host: &str) -> bool {
    ir.lookup.resolvers.is_some() && host.starts_with('_')
}

impl Server {
    pub(super) fn new(proxy: &ir::Proxy, ir: &ir::Server, index: usize, dynamic: bool) -> Self {
        let address = match &ir.addr {
            ir::ServerAddr::Ip(addr) => {
                let mut addr = *addr;
                if let Some(offset) = ir.port_offset {
                    addr.set_port(offset as u16);
                }
                Address::Ip(addr)
            }
            ir::ServerAddr::Name { .. } => Address::Unknown,
            ir::ServerAddr::Unix(path) => Address::Unix(path.clone()),
            ir::ServerAddr::SockPair(fd) => Address::SockPair(*fd),
        };
        let server = Self {
            name: Name::new(&ir.name),
            index,
            added: None,
            counters: ServerCounters::default(),
            need: Need::default(),
            queue: Queue::default(),
            served: Gauge::default(),
            state: Mutex::new(ServerState::new(&proxy.name, ir, dynamic, sys::clock::now())),
            ports_follow: AtomicBool::new(
                ir.port_offset.is_some() || matches!(&address, Address::Ip(addr) if addr.port() == 0),
            ),
            open_address: AtomicBool::new(address.is_open()),
            address: RwLock::new(address),
            maxconn: AtomicU32::new(ir.maxconn),
            errors: AtomicU32::new(0),
            usable: AtomicBool::new(false),
            turn: AtomicU64::new(0),
            persistent: AtomicBool::new(false),
            warming: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            kills: AtomicU64::new(0),
            check_suspended: AtomicBool::new(false),
            agent_suspended: AtomicBool::new(false),
            agent: RwLock::new(CheckReport { health: AGENT_RISE, ..CheckReport::default() }),
            probing: RwLock::new(Probing {
                check_addr: ir.check.as_ref().and_then(|c| c.addr),
                check_port: ir.check.as_ref().and_then(|c| c.port),
                agent_addr: ir.agent.as_ref().and_then(|a| a.addr),
                agent_port: ir.agent.as_ref().map_or(0, |a| a.port),
                agent_send: ir.agent.as_ref().map_or_else(Vec::new, |a| a.send.clone()),
            }),
            check: RwLock::new(CheckReport {
                // Unless told otherwise it starts one failure away from down, as HAProxy's does.
                health: match &ir.check {
                    None if ir.disabled => 0,
                    check => {
                        let (rise, fall) =
                            check.as_ref().map_or((ir.rise, 3), |check| (check.rise, check.fall));
                        ir.init_state.health(rise, fall).unwrap_or(rise)
                    }
                },
                ..CheckReport::default()
            }),
            fqdn: RwLock::new(match &ir.addr {
                ir::ServerAddr::Name { host, .. } if !names_service(ir, host) => Some(host.clone()),
                _ => None,
            }),
            resolved_at: Mutex::new(None),
            trackers: Mutex::default(),
            ir: Arc::new(ir.clone()),
        };
        server.mirror(&server.state.lock());
        server
    }

    /// Copies what requests look at out of the state.
    pub(super) fn mirror(&self, state: &ServerState) {
        let usable = state.is_usable();
        self.usable.store(usable, Relaxed);
        if !usable || state.weight() == 0 {
            self.turn.store(0, Relaxed);
        } else if self.turn.load(Relaxed) == 0 {
            self.turn.store(TURNS.fetch_add(1, Relaxed), Relaxed);
        }
        self.persistent.store(state.op() != Op::Stopped && !state.admin().any(Admin::MAINT), Relaxed);
        self.warming.store(state.op() == Op::Starting, Relaxed);
    }

    /// When it last began to take its share: greater than for those that did so before; 0 while it takes none.
    #[must_use]
    pub(super) fn turn(&self) -> u64 {
        self.turn.load(Relaxed)
    }

    /// What the balancer is told: effective weight and usability.
    pub(super) fn balance_view(&self) -> (u32, bool) {
        let state = self.state.lock();
        (state.weight(), state.is_usable())
    }

    /// Its name now.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.last()
    }

    /// Gives it another name, which has to be free.
    pub(super) fn call(&self, name: &str) {
        self.name.push(name);
        self.state.lock().call(name);
    }

    /// A look at the state.
    pub fn with_state<R>(&self, look: impl FnOnce(&ServerState) -> R) -> R {
        look(&self.state.lock())
    }

    /// New requests may go here.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.usable.load(Relaxed)
    }

    /// Requests that belong here by their cookie may go here (drained servers serve them too).
    #[must_use]
    pub fn takes_persistent(&self) -> bool {
        self.persistent.load(Relaxed)
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address.read().clone()
    }

    /// Its name in the DNS; `None`: it has none, or none yet.
    #[must_use]
    pub fn fqdn(&self) -> Option<String> {
        self.fqdn.read().clone()
    }

    /// Names it; who resolves the name has to be told, see [`Proxy::rename_server`].
    pub fn set_fqdn(&self, fqdn: Option<String>) {
        *self.fqdn.write() = fqdn;
    }

    /// It stands for a place of a service, which SRV records name.
    #[must_use]
    pub fn follows_service(&self) -> bool {
        matches!(&self.ir.addr, ir::ServerAddr::Name { host, .. } if names_service(&self.ir, host))
    }

    /// Whether the port of its address is added to that of the client's connection (modulo 65536), instead of being its own.
    #[must_use]
    pub fn ports_follow(&self) -> bool {
        self.ports_follow.load(Relaxed)
    }

    /// Where connections go depends on where the client's went.
    #[must_use]
    pub fn follows_client(&self) -> bool {
        self.open_address.load(Relaxed) || self.ports_follow()
    }

    /// `set server ... addr ... port`, with or without a sign. Call it before [`Self::set_address`].
    pub fn set_ports_follow(&self, follow: bool) {
        self.ports_follow.store(follow, Relaxed);
    }

    /// Moves it: idle connections to the old address are closed.
    pub fn set_address(&self, address: Address) {
        let mut place = self.address.write();
        self.open_address.store(address.is_open(), Relaxed);
        *place = address;
        drop(place);
        self.drop_idle();
    }

    /// `maxconn`; 0: none.
    #[must_use]
    pub fn maxconn(&self) -> u32 {
        self.maxconn.load(Relaxed)
    }

    /// `set maxconn server`. Call [`Proxy::serve_queue`] after raising it.
    pub fn set_maxconn(&self, maxconn: u32) {
        self.maxconn.store(maxconn, Relaxed);
    }

    pub(super) fn limit(&self, fullconn: u32, backend_sessions: u32) -> u32 {
        let max = self.maxconn();
        if max == 0 {
            return 0;
        }
        let warming = self.warming.load(Relaxed);
        let throttle = if warming { self.state.lock().throttle(sys::clock::now()) } else { None };
        // A server that was configured with one limit keeps one, whatever a command makes of it.
        let minconn = if self.ir.minconn == self.ir.maxconn { max } else { self.ir.minconn };
        dynamic_limit(max, minconn, fullconn, backend_sessions, throttle)
    }

    /// Idle connections made before this number went up are closed instead of used.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    /// Closes idle connections.
    pub fn drop_idle(&self) {
        self.generation.fetch_add(1, Relaxed);
    }

    /// It has a check, and no command suspended it.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        self.ir.check.is_some() && !self.check_suspended.load(Relaxed)
    }

    /// `disable health` and `enable health`; use [`Proxy::enable_check`], which tells the runner too.
    pub(super) fn set_check_suspended(&self, suspended: bool) {
        self.check_suspended.store(suspended, Relaxed);
    }

    /// It has an agent, and no command suspended that.
    #[must_use]
    pub fn has_agent(&self) -> bool {
        self.ir.agent.is_some() && !self.agent_suspended.load(Relaxed)
    }

    /// `disable agent` and `enable agent`; use [`Proxy::enable_agent`], which tells the runner too.
    pub(super) fn set_agent_suspended(&self, suspended: bool) {
        self.agent_suspended.store(suspended, Relaxed);
    }

    /// Ends all sessions on this server (`shutdown sessions server`, `on-marked-down`).
    pub fn shutdown_sessions(&self, cause: Shutdown) {
        let next = (self.kills.load(Relaxed) / 4 + 1) * 4 + cause as u64;
        self.kills.store(next, Relaxed);
        KILLED.send_modify(|n| *n += 1);
    }

    /// A number that changes with [`Self::shutdown_sessions`].
    #[must_use]
    pub fn kills(&self) -> u64 {
        self.kills.load(Relaxed)
    }

    /// Why the sessions were ended last.
    #[must_use]
    pub fn kill_cause(&self) -> Shutdown {
        match self.kills.load(Relaxed) % 4 {
            1 => Shutdown::Down,
            2 => Shutdown::Up,
            _ => Shutdown::Command,
        }
    }

    /// Of its check, or what they are without one.
    #[must_use]
    pub fn rise_and_fall(&self) -> (u32, u32) {
        self.ir.check.as_ref().map_or((self.ir.rise, 3), |check| (check.rise, check.fall))
    }

    /// Downtime so far.
    #[must_use]
    pub fn downtime(&self, now: Instant) -> Duration {
        self.state.lock().down_time(now)
    }
}
