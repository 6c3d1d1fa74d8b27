//! `frontend`, `backend` and `listen` sections after `defaults` were merged in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::bandwidth::BandwidthLimit;
use super::bind::Bind;
use super::check::Check;
pub use super::forwarded::{Forwarded, ForwardedNode, ForwardedValue, OriginalTo};

use super::expr::{Cond, Expr, LogFormat};
use super::log::{LogFormatKind, LogStep, LogTarget};
use super::rules::{HttpRule, Reply, TcpRule};
use super::server::{Server, ServerSettings};
use super::{Place, ProxyIdx};

pub use super::routing::{Cookie, CookieMode, PersistRule, UseBackend, UseBackendTarget, UseServer};
pub use super::stats_page::StatsPage;
pub use super::timeouts::Timeouts;

pub use super::balance::{Balance, HashAffinity, HashFunction, HashMethod, HashType, LogBalance};

/// `mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// `tcp` (the default).
    #[default]
    Tcp,
    /// `http`.
    Http,
}

/// Which halves a proxy has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caps {
    /// `frontend`.
    Frontend,
    /// `backend`.
    Backend,
    /// `listen`: both.
    Listen,
}

/// How a proxy ends HTTP exchanges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpConnMode {
    /// Neither side closes (`option http-keep-alive`, the default).
    #[default]
    KeepAlive,
    /// `option http-server-close`.
    ServerClose,
    /// `option httpclose`.
    Close,
}

/// `option forwardfor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardFor {
    /// `header`, default `X-Forwarded-For`.
    pub header: String,
    /// `except`: sources for which nothing is added.
    pub except: Vec<ipnet::IpNet>,
    /// `if-none`.
    pub if_none: bool,
}

/// `http-reuse`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpReuse {
    /// `never`.
    Never,
    /// `safe` (the default).
    #[default]
    Safe,
    /// `aggressive`.
    Aggressive,
    /// `always`.
    Always,
}

/// How the kernel probes silent connections; `None`: its own values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence before the first probe.
    pub idle: Option<Duration>,
    /// Time between probes.
    pub interval: Option<Duration>,
    /// Unanswered probes before the connection is given up.
    pub count: Option<u32>,
}

/// What happens to request headers whose names have other characters than letters, digits and `-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestrictNames {
    /// `delete`: they are taken out.
    Delete,
    /// `reject`: the request is refused with 403.
    Reject,
}

/// `retry-on` as flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryOn {
    /// `conn-failure` (the default).
    pub conn_failure: bool,
    /// `empty-response`.
    pub empty_response: bool,
    /// `junk-response`.
    pub junk_response: bool,
    /// `response-timeout`.
    pub response_timeout: bool,
    /// Status codes.
    pub statuses: Vec<u16>,
}

impl RetryOn {
    /// A request over a kept connection that proves closed is tried again whatever shows that, so that any request may go
    /// over one.
    pub fn makes_up_for_stale(&self) -> bool {
        self.conn_failure && self.empty_response && self.response_timeout
    }
}

impl Default for RetryOn {
    fn default() -> Self {
        Self {
            conn_failure: true,
            empty_response: false,
            junk_response: false,
            response_timeout: false,
            statuses: Vec::new(),
        }
    }
}

/// What both halves share, and the halves.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Name.
    pub name: String,
    /// The `defaults` section that it was made from by command; `None`: it is in the configuration.
    pub added_from: Option<String>,
    /// `id` (numbered from 1... as HAProxy does; it is `iid` in statistics).
    pub id: u32,
    /// Kind of section.
    pub caps: Caps,
    /// `mode`.
    pub mode: Mode,
    /// `disabled`.
    pub disabled: bool,
    /// `description`.
    pub description: Option<String>,
    /// `guid`.
    pub guid: Option<String>,
    /// `timeout`. Proxies that have them from one `defaults` share them.
    pub timeouts: Arc<Timeouts>,
    /// `log`, with `log global` expanded.
    pub logs: Vec<LogTarget>,
    /// `log-tag`.
    pub log_tag: Option<String>,
    /// An expression or log line looks at the connection to the server (`bc_src`, `%sp`...).
    pub reads_server_addresses: bool,
    /// Line format.
    pub log_format: LogFormatKind,
    /// `log-format-sd`: structured data of RFC 5424 lines.
    pub log_format_sd: Option<Box<LogFormat>>,
    /// `error-log-format`: of lines about what never became a session.
    pub error_log_format: Option<Box<LogFormat>>,
    /// `log-steps`; empty: one line per session.
    pub log_steps: Vec<LogStep>,
    /// `option dontlognull`.
    pub dontlognull: bool,
    /// `option dontlog-normal`.
    pub dontlog_normal: bool,
    /// `option logasap`.
    pub logasap: bool,
    /// When the line can be written ([`Proxy::complete_at`]).
    pub log_at: LogStep,
    /// `option log-separate-errors`.
    pub log_separate_errors: bool,
    /// `option http-*close`.
    pub http_conn_mode: HttpConnMode,
    /// `option forwardfor`.
    pub forwardfor: Option<Arc<ForwardFor>>,
    /// `option originalto`.
    pub originalto: Option<Arc<OriginalTo>>,
    /// `option forwarded`.
    pub forwarded: Option<Box<Forwarded>>,
    /// `option http-pretend-keepalive`.
    pub http_pretend_keepalive: bool,
    /// `option clitcpka` (`tcpka` sets both).
    pub clitcpka: bool,
    /// `option srvtcpka`.
    pub srvtcpka: bool,
    /// `clitcpka-idle`, `-intvl`, `-cnt`.
    pub client_keepalive: Arc<Keepalive>,
    /// `srvtcpka-idle`, `-intvl`, `-cnt`.
    pub server_keepalive: Arc<Keepalive>,
    /// `option nolinger`.
    pub nolinger: bool,
    /// `option abortonclose`.
    pub abortonclose: bool,
    /// `option http-ignore-probes`.
    pub http_ignore_probes: bool,
    /// `option http-use-proxy-header`: who sends requests as to a proxy says who he is with `Proxy-Authorization`.
    pub use_proxy_header: bool,
    /// Connections of `mode tcp` may go on as HTTP: a rule says so, or the mode of a backend it leads to.
    pub becomes_http: bool,
    /// `option http-drop-request-trailers`.
    pub drop_request_trailers: bool,
    /// `option http-drop-response-trailers`.
    pub drop_response_trailers: bool,
    /// `option idle-close-on-response`: when the process stops, connections that wait for a request stay until they
    /// have had a response that says so.
    pub idle_close_on_response: bool,
    /// `max-session-srv-conns`: idle connections to servers that one client may keep for itself.
    pub max_session_conns: u32,
    /// `option http-restrict-req-hdr-names`; `None`: any name passes.
    pub restrict_names: Option<RestrictNames>,
    /// `option http-buffer-request`: rules run once the body, or a full buffer of it, is here.
    pub http_buffer_request: bool,
    /// `option accept-unsafe-violations-in-http-request` (and its older name).
    pub accept_unsafe_request: bool,
    /// The response side of the same.
    pub accept_unsafe_response: bool,
    /// `errorfile CODE FILE`: whole contents, by status.
    pub errorfiles: Vec<(u16, Arc<[u8]>)>,
    /// `errorloc*`: (status, redirect code, location).
    pub errorlocs: Vec<(u16, u16, String)>,
    /// `http-error`; of several with one status the last counts, before every `errorfile`.
    pub http_errors: Vec<Reply>,
    /// `tcp-request connection`.
    pub tcp_request_connection: Vec<TcpRule>,
    /// `tcp-request session`.
    pub tcp_request_session: Vec<TcpRule>,
    /// `tcp-request content`.
    pub tcp_request_content: Vec<TcpRule>,
    /// `tcp-request inspect-delay`.
    pub tcp_request_inspect_delay: Option<Duration>,
    /// `tcp-response content`; those of the backend count.
    pub tcp_response_content: Vec<TcpRule>,
    /// `tcp-response inspect-delay`.
    pub tcp_response_inspect_delay: Option<Duration>,
    /// `http-request` (and `redirect` lines, and the old `reqadd` and relatives).
    pub http_request: Vec<HttpRule>,
    /// `http-response`.
    pub http_response: Vec<HttpRule>,
    /// `http-after-response`.
    pub http_after_response: Vec<HttpRule>,
    /// `filter bwlim-in`, `filter bwlim-out`.
    pub bandwidth_limits: Vec<BandwidthLimit>,
    /// The statistics page.
    pub stats: Option<Box<StatsPage>>,
    /// Frontend half.
    pub frontend: Option<Box<Frontend>>,
    /// Backend half.
    pub backend: Option<Box<Backend>>,
    /// Where the section starts.
    pub place: Place,
}

/// Frontend half.
#[derive(Clone, Debug, Default)]
pub struct Frontend {
    /// `bind`.
    pub binds: Vec<Bind>,
    /// `maxconn`; `None`: the global limit.
    pub maxconn: Option<u32>,
    /// `backlog`.
    pub backlog: Option<u32>,
    /// `default_backend`; for `listen` it is itself unless set.
    pub default_backend: Option<ProxyIdx>,
    /// `use_backend`, in order.
    pub use_backends: Vec<UseBackend>,
    /// `force-be-switch`: who may use backends that are disabled or not published.
    pub force_be_switch: Vec<Cond>,
    /// Their conditions, compiled: yields the position of the first rule that applies.
    pub switching: super::chain::Chain,
    /// `capture request header NAME len N`; without a name: `declare capture`, filled by rules.
    pub capture_request: Vec<(String, usize)>,
    /// `capture response header NAME len N`; without a name: `declare capture`, filled by rules.
    pub capture_response: Vec<(String, usize)>,
    /// Greatest length of every request capture slot: the declared headers, then those of `capture` rules.
    pub request_slots: Vec<usize>,
    /// The same for the response.
    pub response_slots: Vec<usize>,
    /// `capture cookie NAME len N`.
    pub capture_cookie: Option<(String, usize)>,
    /// `monitor-uri`.
    pub monitor_uri: Option<String>,
    /// `monitor fail`.
    pub monitor_fail: Vec<Cond>,
    /// `rate-limit sessions`, per second.
    pub rate_limit_sessions: Option<u32>,
    /// `option socket-stats`.
    pub socket_stats: bool,
    /// `option tcp-smart-accept`; `None`: in HTTP mode.
    pub smart_accept: Option<bool>,
    /// `option h1-case-adjust-bogus-client`.
    pub adjust_case: bool,
    /// `unique-id-format`.
    pub unique_id_format: Option<LogFormat>,
    /// `unique-id-header`.
    pub unique_id_header: Option<String>,
}

/// `load-server-state-from-file`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StateFile {
    /// `none`.
    #[default]
    None,
    /// `global`: the file that `global` names.
    Global,
    /// `local`: one of its own, called `server-state-file-name`; `None`: like the backend.
    Local(Option<String>),
}

/// Backend half.
#[derive(Clone, Debug, Default)]
pub struct Backend {
    /// `server`.
    pub servers: Vec<Server>,
    /// `balance`.
    pub balance: Balance,
    /// `hash-type`.
    pub hash_type: HashType,
    /// `hash-balance-factor`, percent; 0: off.
    pub hash_balance_factor: u32,
    /// `hash-preserve-affinity`.
    pub hash_affinity: HashAffinity,
    /// What `balance hash` hashes.
    pub hash_expr: Option<Box<Expr>>,
    /// `cookie`.
    pub cookie: Option<Cookie>,
    /// `retries`, default 3.
    pub retries: u32,
    /// `option redispatch`: `None` off; `Some(n)`: on, interval n (1 is plain `option redispatch`... -1 last try only).
    pub redispatch: Option<i32>,
    /// `retry-on`.
    pub retry_on: RetryOn,
    /// Which state file its servers continue from.
    pub state_file: StateFile,
    /// `mode log`: its servers take log lines, and nothing else.
    pub takes_logs: bool,
    /// `balance` of such a backend.
    pub log_balance: LogBalance,
    /// `fullconn`.
    pub fullconn: Option<u32>,
    /// `http-reuse`.
    pub http_reuse: HttpReuse,
    /// `default-server`, if it says anything: what servers start from that are added with `from be:`.
    pub default_server: Option<Arc<ServerSettings>>,
    /// `default-server name`, by name.
    pub default_servers: BTreeMap<String, Arc<ServerSettings>>,
    /// Checks of its servers.
    pub check: Check,
    /// `option allbackups`.
    pub allbackups: bool,
    /// `option persist`.
    pub persist: bool,
    /// `persist rdp-cookie`: the name of the cookie.
    pub persist_rdp_cookie: Option<String>,
    /// `dynamic-cookie-key`.
    pub dynamic_cookie_key: Option<String>,
    /// `option checkcache`: responses whose cookies a cache could keep are blocked.
    pub checkcache: bool,
    /// `http-send-name-header`: header that tells the server its name.
    pub send_name_header: Option<String>,
    /// `option h1-case-adjust-bogus-server`.
    pub adjust_case: bool,
    /// `max-keep-alive-queue`: who waits behind more than so many does not stay with its last server; `None`: no limit.
    pub max_keep_alive_queue: Option<u32>,
    /// `option tcp-smart-connect`.
    pub smart_connect: bool,
    /// `option prefer-last-server`.
    pub prefer_last_server: bool,
    /// `use-server`.
    pub use_servers: Vec<UseServer>,
    /// `force-persist` and `ignore-persist` in order: the first that applies counts.
    pub persist_rules: Vec<(PersistRule, Cond)>,
    /// `unique-id-format` of the requests that checks send.
    pub unique_id_format: Option<Box<LogFormat>>,
    /// `be-unpublished`: at the start, no rule of another section leads here.
    pub unpublished: bool,
    /// `dispatch ADDR` (`option transparent` is 0.0.0.0:0); without servers it is lowered to one of that name.
    pub dispatch: Option<std::net::SocketAddr>,
    /// `source` of the backend.
    pub source: Option<std::net::SocketAddr>,
    /// What else `source` says.
    pub source_from: Option<Box<super::server::SourceFrom>>,
}

/// A named `defaults` section, for backends that are added while running.
#[derive(Clone, Debug)]
pub struct Base {
    /// Its name.
    pub name: String,
    /// It says which mode its proxies have.
    pub has_mode: bool,
    /// A backend made from it, still without a name; or why there can be none.
    pub backend: Result<Arc<Proxy>, String>,
}

impl Proxy {
    /// When the line of a session can be written: as soon as all that its format says is known. What is captured is part
    /// of what an HTTP line waits for.
    #[must_use]
    pub fn complete_at(&self) -> LogStep {
        let captures = |half: &Frontend| {
            half.capture_cookie.is_some()
                || [&half.request_slots, &half.response_slots].iter().any(|slots| !slots.is_empty())
                || [&half.capture_request, &half.capture_response].iter().any(|names| !names.is_empty())
        };
        match self.log_format.complete_at() {
            LogStep::Request if self.frontend.as_deref().is_some_and(captures) => LogStep::Response,
            step => step,
        }
    }

    /// An empty section with HAProxy's defaults and the halves that `caps` names.
    #[must_use]
    pub fn new(name: &str, caps: Caps) -> Self {
        let backend = Backend { retries: 3, ..Backend::default() };
        Self {
            name: name.to_owned(),
            added_from: None,
            id: 0,
            caps,
            mode: Mode::Tcp,
            disabled: false,
            description: None,
            guid: None,
            timeouts: Arc::default(),
            logs: Vec::new(),
            log_tag: None,
            reads_server_addresses: false,
            log_format: LogFormatKind::Default,
            log_format_sd: None,
            error_log_format: None,
            log_steps: Vec::new(),
            dontlognull: false,
            dontlog_normal: false,
            logasap: false,
            log_at: LogStep::Close,
            log_separate_errors: false,
            http_conn_mode: HttpConnMode::KeepAlive,
            forwardfor: None,
            originalto: None,
            forwarded: None,
            http_pretend_keepalive: false,
            clitcpka: false,
            srvtcpka: false,
            client_keepalive: Arc::default(),
            server_keepalive: Arc::default(),
            nolinger: false,
            abortonclose: false,
            http_ignore_probes: false,
            use_proxy_header: false,
            becomes_http: false,
            drop_request_trailers: false,
            drop_response_trailers: false,
            idle_close_on_response: false,
            max_session_conns: 5,
            restrict_names: None,
            http_buffer_request: false,
            accept_unsafe_request: false,
            accept_unsafe_response: false,
            errorfiles: Vec::new(),
            errorlocs: Vec::new(),
            http_errors: Vec::new(),
            tcp_request_connection: Vec::new(),
            tcp_request_session: Vec::new(),
            tcp_request_content: Vec::new(),
            tcp_request_inspect_delay: None,
            tcp_response_content: Vec::new(),
            tcp_response_inspect_delay: None,
            http_request: Vec::new(),
            http_response: Vec::new(),
            http_after_response: Vec::new(),
            bandwidth_limits: Vec::new(),
            stats: None,
            frontend: (caps != Caps::Backend).then(Box::default),
            backend: (caps != Caps::Frontend).then_some(Box::new(backend)),
            place: Place::default(),
        }
    }
}
