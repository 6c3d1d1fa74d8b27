//! `server` lines, after `default-server` and `defaults` were applied.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::expr::LogFormat;
use super::{Place, ProxyIdx};

/// Address of a server as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerAddr {
    /// An address literal. Port 0 means: the port the client connected to.
    Ip(SocketAddr),
    /// A name, resolved at start by `init_addr` and followed through `resolvers`.
    Name {
        /// As written.
        host: String,
        /// Port.
        port: u16,
    },
    /// A unix stream socket; a path that begins with a zero byte is a name in the abstract namespace.
    Unix(PathBuf),
    /// `sockpair@N`: whoever reads at the other end of an inherited unix socket.
    SockPair(i32),
}

/// One method of `init-addr`, tried in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitAddr {
    /// The state file.
    Last,
    /// The system's resolver.
    Libc,
    /// Start without an address.
    None,
    /// This address.
    Ip(IpAddr),
}

/// The PROXY header that connections to a server begin with, and what one of version 2 carries beside addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendProxy {
    /// `send-proxy`.
    pub v1: bool,
    /// `send-proxy-v2` and relatives; the other one gives way.
    pub v2: bool,
    /// `crc32c`: a checksum.
    pub crc32c: bool,
    /// `unique-id`.
    pub unique_id: bool,
    /// `authority`: the name that the client's own header had.
    pub authority: bool,
    /// `ssl` and everything else that is told of TLS: that there is none.
    pub ssl: bool,
}

impl SendProxy {
    /// Is there a header?
    #[must_use]
    pub fn is_on(self) -> bool {
        self.v1 || self.v2
    }
}

/// How the source of connections to servers is chosen, beside the address of `source`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceFrom {
    /// `usesrc`: the server sees this address, which need not be the proxy's.
    pub usesrc: Option<UseSrc>,
    /// `interface`.
    pub interface: Option<String>,
    /// Ports to take in turn, first and last.
    pub ports: Option<(u16, u16)>,
}

/// `usesrc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UseSrc {
    /// `client`: the client's address and port.
    Client,
    /// `clientip`: the client's address.
    ClientIp,
    /// An address, and perhaps a port.
    Addr(SocketAddr),
    /// `hdr_ip(NAME[,OCCURRENCE])`: the address in a header; -1 is the last one.
    Header(String, i32),
}

/// An extension of a version 2 header.
#[derive(Clone, Debug)]
pub struct ProxyTlv {
    /// Its type.
    pub kind: u8,
    /// Its value; `None`: empty.
    pub format: Option<LogFormat>,
}

impl PartialEq for ProxyTlv {
    fn eq(&self, other: &Self) -> bool {
        let text = |tlv: &Self| tlv.format.as_ref().map(|format| format.text.clone());
        self.kind == other.kind && text(self) == text(other)
    }
}

/// `on-marked-down`, `on-marked-up`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMark {
    /// Nothing.
    #[default]
    None,
    /// `shutdown-sessions` / `shutdown-backup-sessions`.
    ShutdownSessions,
}

/// `hash-key`: what the places of a server on the ring of consistent hashes are made of. What is not known gives way
/// to the id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HashKey {
    /// `id` (the default).
    #[default]
    Id,
    /// `id32`: all its bits.
    Id32,
    /// `guid`.
    Guid,
    /// `addr`.
    Addr,
    /// `addr-port`.
    AddrPort,
}

/// How the name of a server is looked up. Servers that have it from one `default-server` share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// `resolvers`.
    pub resolvers: Option<String>,
    /// `resolve-prefer ipv4`.
    pub resolve_prefer_ipv4: bool,
    /// `resolve-net`: networks whose addresses are preferred.
    pub resolve_net: Vec<ipnet::IpNet>,
    /// `resolve-opts ignore-weight`: weights of SRV records are nothing to it.
    pub ignore_dns_weight: bool,
    /// No two servers of a backend that follow the same name get the same address: the default;
    /// `resolve-opts allow-dup-ip` turns it off.
    pub prevent_dup_ip: bool,
    /// `init-addr`; empty means HAProxy's default `last,libc` (failure to resolve is an error at start).
    pub init_addr: Vec<InitAddr>,
}

impl Default for Lookup {
    fn default() -> Self {
        Self {
            resolvers: None,
            resolve_prefer_ipv4: false,
            resolve_net: Vec::new(),
            ignore_dns_weight: false,
            prevent_dup_ip: true,
            init_addr: Vec::new(),
        }
    }
}

/// How connections to a server are made. Servers that have it from one `default-server` share it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    /// `send-proxy*`, `proxy-v2-options`.
    pub send_proxy: SendProxy,
    /// `socks4`: connections are made through this relay.
    pub socks4: Option<SocketAddr>,
    /// `namespace`.
    pub namespace: Option<String>,
    /// `set-proxy-v2-tlv-fmt`.
    pub proxy_tlvs: Vec<ProxyTlv>,
    /// `tcp-ut`: how long sent data may stay unacknowledged.
    pub user_timeout: Option<Duration>,
    /// `cc`: name of the congestion control.
    pub congestion: Option<Box<str>>,
    /// `tcp-md5sig`: segments are signed with this password.
    pub password: Option<Box<str>>,
    /// `tfo`: the first data goes with the first packet, to a server that was connected to before (RFC 7413).
    pub fast_open: bool,
    /// `source`.
    pub source: Option<SocketAddr>,
    /// What else `source` says.
    pub source_from: Option<Box<SourceFrom>>,
}

/// One server. Most of thousands say little: what is rarely said is kept apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Name.
    pub name: String,
    /// `id` (numbered from 1 where not given).
    pub id: u32,
    /// Address.
    pub addr: ServerAddr,
    /// `udp@`: lines go to it as datagrams (`mode log`).
    pub datagrams: bool,
    /// Port is an offset to the client's port (`server s ADDR:+N`); the address' port is 0 then.
    pub port_offset: Option<i32>,
    /// `weight`, 0..256, default 1.
    pub weight: u16,
    /// `backup`.
    pub backup: bool,
    /// `disabled`: starts in maintenance.
    pub disabled: bool,
    /// `maxconn`; 0: none.
    pub maxconn: u32,
    /// `minconn`; 0: none.
    pub minconn: u32,
    /// `maxqueue`; 0: none.
    pub maxqueue: u32,
    /// `hash-key`.
    pub hash_key: HashKey,
    /// `guid`.
    pub guid: Option<String>,
    /// `cookie`.
    pub cookie: Option<String>,
    /// `check`, with its intervals; `None`: not checked.
    pub check: Option<ServerCheck>,
    /// `rise`, of a server that is not checked, too.
    pub rise: u32,
    /// `agent-check`; `None`: there is no agent.
    pub agent: Option<Box<Agent>>,
    /// `track BACKEND/SERVER` as (backend name, server name).
    pub track: Option<(String, String)>,
    /// How its name is looked up.
    pub lookup: Arc<Lookup>,
    /// `slowstart`.
    pub slowstart: Option<Duration>,
    /// `init-state`.
    pub init_state: InitState,
    /// How connections to it are made.
    pub link: Arc<Link>,
    /// `strict-maxconn`: idle connections count for `maxconn`.
    pub strict_maxconn: bool,
    /// `redir PREFIX`.
    pub redir: Option<String>,
    /// `observe`/`on-error`/`error-limit`.
    pub observe: Option<Observe>,
    /// `on-marked-down`.
    pub on_marked_down: OnMark,
    /// `on-marked-up`.
    pub on_marked_up: OnMark,
    /// `pool-max-conn`; `None`: unlimited; `Some(0)`: none outlives its request.
    pub pool_max_conn: Option<u32>,
    /// `pool-low-conn`: with fewer idle connections threads take none of each other's.
    pub pool_low_conn: u32,
    /// `pool-purge-delay`, default 5 s.
    pub pool_purge_delay: Duration,
    /// Where it was written.
    pub place: Place,
}

/// Layer of `observe`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObserveLayer {
    /// Connections.
    Layer4,
    /// Responses.
    Layer7,
}

/// What to do when `error-limit` is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// `fastinter`.
    FastInter,
    /// `fail-check` (the default).
    FailCheck,
    /// `sudden-death`.
    SuddenDeath,
    /// `mark-down`.
    MarkDown,
}

/// Passive checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observe {
    /// Layer.
    pub layer: ObserveLayer,
    /// Action.
    pub on_error: OnError,
    /// `error-limit`, default 10.
    pub error_limit: u32,
}

/// Check parameters of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerCheck {
    /// `inter`, default 2 s.
    pub inter: Duration,
    /// `fastinter`: while in transition.
    pub fastinter: Option<Duration>,
    /// `downinter`: while down.
    pub downinter: Option<Duration>,
    /// `rise`, default 2.
    pub rise: u32,
    /// `fall`, default 3.
    pub fall: u32,
    /// `port`: other port.
    pub port: Option<u16>,
    /// `addr`: other address.
    pub addr: Option<IpAddr>,
    /// `addr` of a unix socket, in place of an address.
    pub socket: Option<PathBuf>,
    /// `check-send-proxy`.
    pub send_proxy: bool,
    /// `check-via-socks4`: through the relay of `socks4`, if there is one.
    pub via_socks4: bool,
    /// `healthcheck`: the section whose rules take the place of the backend's.
    pub section: Option<String>,
}

/// `init-state`: how good a server is taken to be at the start and whenever it leaves maintenance. One that nobody checks
/// stays so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InitState {
    /// `none`: up, one failure from down; from maintenance it comes back by `slowstart` and not against its agent.
    #[default]
    None,
    /// `up`: up, and one failure from down.
    Up,
    /// `fully-up`: up, and it takes all failures.
    FullyUp,
    /// `down`: down, and one success from up.
    Down,
    /// `fully-down`: down, and it takes all successes.
    FullyDown,
}

impl InitState {
    /// Level of health, if it is one that was asked for.
    #[must_use]
    pub fn health(self, rise: u32, fall: u32) -> Option<u32> {
        match self {
            Self::None => None,
            Self::Up => Some(rise),
            Self::FullyUp => Some(rise + fall - 1),
            Self::Down => Some(rise.saturating_sub(1)),
            Self::FullyDown => Some(0),
        }
    }

    /// Whether it is up, if that was asked for.
    #[must_use]
    pub fn is_up(self) -> Option<bool> {
        match self {
            Self::None => None,
            Self::Up | Self::FullyUp => Some(true),
            Self::Down | Self::FullyDown => Some(false),
        }
    }
}

/// `agent-check`: an agent that is asked for the server's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// `agent-inter`, default 2 s.
    pub inter: Duration,
    /// `agent-addr`, else `addr`; `None`: the server's address.
    pub addr: Option<IpAddr>,
    /// `addr` of a unix socket, without `agent-addr`.
    pub socket: Option<PathBuf>,
    /// `agent-port`, else `port`.
    pub port: u16,
    /// `agent-send`: what it is asked; empty: nothing.
    pub send: Vec<u8>,
}

/// `rise` of an agent: one word is enough.
pub const AGENT_RISE: u32 = 1;

/// `fall` of an agent.
pub const AGENT_FALL: u32 = 1;

impl Default for ServerCheck {
    fn default() -> Self {
        Self {
            inter: Duration::from_secs(2),
            fastinter: None,
            downinter: None,
            rise: 2,
            fall: 3,
            port: None,
            addr: None,
            socket: None,
            send_proxy: false,
            via_socks4: false,
            section: None,
        }
    }
}

/// Settings of servers to be: `default-server`, and what stands on a `server` line so far. The parameters of checks are
/// here whether there is a check or not.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// What is a server's own.
    pub server: Server,
    /// Parameters of its check.
    pub check: ServerCheck,
    /// `check`
    pub checked: bool,
    /// What `agent-*` says.
    pub agent: AgentSettings,
    /// `observe`
    pub observe: Option<ObserveLayer>,
    /// `on-error`
    pub on_error: OnError,
    /// `error-limit`
    pub error_limit: u32,
}

/// What `agent-*` says so far.
#[derive(Clone, Debug, Default)]
pub struct AgentSettings {
    /// `agent-check`
    pub asked: bool,
    /// `agent-inter`
    pub inter: Option<Duration>,
    /// `agent-addr`
    pub addr: Option<IpAddr>,
    /// `agent-port`
    pub port: Option<u16>,
    /// `agent-send`
    pub send: Vec<u8>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        let nowhere = ServerAddr::Ip(SocketAddr::from(([0, 0, 0, 0], 0)));
        Self {
            server: Server::new("", nowhere),
            check: ServerCheck::default(),
            checked: false,
            agent: AgentSettings::default(),
            observe: None,
            on_error: OnError::FailCheck,
            error_limit: 10,
        }
    }
}

impl ServerSettings {
    /// Those of a server that stands (`from srv:NAME`). What it had said of checks that it has not is forgotten.
    #[must_use]
    pub fn of(server: &Server) -> Self {
        let base = Self::default();
        let agent = server.agent.as_ref().map(|agent| AgentSettings {
            asked: true,
            inter: Some(agent.inter),
            addr: agent.addr,
            port: Some(agent.port),
            send: agent.send.clone(),
        });
        Self {
            check: server.check.clone().unwrap_or(ServerCheck { rise: server.rise, ..base.check }),
            checked: server.check.is_some(),
            agent: agent.unwrap_or_default(),
            observe: server.observe.as_ref().map(|observe| observe.layer),
            on_error: server.observe.as_ref().map_or(base.on_error, |observe| observe.on_error),
            error_limit: server.observe.as_ref().map_or(base.error_limit, |observe| observe.error_limit),
            // Who it is does not pass on.
            server: Server {
                name: String::new(),
                id: 0,
                guid: None,
                addr: base.server.addr,
                port_offset: None,
                ..server.clone()
            },
        }
    }

    /// The server with these settings.
    #[must_use]
    pub fn finish(self, name: &str, addr: ServerAddr) -> Server {
        let mut server = self.server;
        name.clone_into(&mut server.name);
        server.addr = addr;
        if self.agent.asked {
            server.agent = Some(Box::new(Agent {
                inter: self.agent.inter.unwrap_or(ServerCheck::default().inter),
                addr: self.agent.addr.or(self.check.addr),
                socket: self.check.socket.clone().filter(|_| self.agent.addr.is_none()),
                port: self.agent.port.or(self.check.port).unwrap_or(0),
                send: self.agent.send,
            }));
        }
        server.rise = self.check.rise;
        server.check = self.checked.then_some(self.check);
        server.observe = self.observe.map(|layer| Observe {
            layer,
            on_error: self.on_error,
            error_limit: self.error_limit,
        });
        server
    }
}

/// Proxies and servers that expressions name, and that have to stay what they are: noted while expressions are read.
#[derive(Clone, Debug, Default)]
pub struct Named(Arc<Mutex<Names>>);

#[derive(Debug, Default)]
struct Names {
    proxies: HashSet<ProxyIdx>,
    servers: HashSet<(ProxyIdx, usize)>,
}

impl Named {
    /// An expression names this server, by its place among those that are written.
    pub fn note(&self, backend: ProxyIdx, index: usize) {
        self.0.lock().servers.insert((backend, index));
    }

    /// An expression names this proxy.
    pub fn note_proxy(&self, proxy: ProxyIdx) {
        self.0.lock().proxies.insert(proxy);
    }

    /// Whether one names the server.
    #[must_use]
    pub fn contains(&self, backend: ProxyIdx, index: usize) -> bool {
        self.0.lock().servers.contains(&(backend, index))
    }

    /// Whether one names the proxy.
    #[must_use]
    pub fn contains_proxy(&self, proxy: ProxyIdx) -> bool {
        self.0.lock().proxies.contains(&proxy)
    }
}

impl Server {
    /// How connections to it are made, to be changed for this server alone.
    pub fn link_mut(&mut self) -> &mut Link {
        Arc::make_mut(&mut self.link)
    }

    /// How its name is looked up, to be changed for this server alone.
    pub fn lookup_mut(&mut self) -> &mut Lookup {
        Arc::make_mut(&mut self.lookup)
    }

    /// A server with HAProxy's defaults: weight 1, not checked.
    #[must_use]
    pub fn new(name: &str, addr: ServerAddr) -> Self {
        Self {
            name: name.to_owned(),
            id: 0,
            addr,
            port_offset: None,
            weight: 1,
            backup: false,
            disabled: false,
            maxconn: 0,
            minconn: 0,
            maxqueue: 0,
            hash_key: HashKey::Id,
            guid: None,
            cookie: None,
            check: None,
            rise: 2,
            agent: None,
            track: None,
            lookup: Arc::default(),
            slowstart: None,
            init_state: InitState::None,
            link: Arc::default(),
            strict_maxconn: false,
            datagrams: false,
            redir: None,
            observe: None,
            on_marked_down: OnMark::None,
            on_marked_up: OnMark::None,
            pool_max_conn: None,
            pool_low_conn: 0,
            pool_purge_delay: Duration::from_secs(5),
            place: Place::default(),
        }
    }
}
