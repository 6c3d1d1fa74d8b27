//! Rows filled from the running objects.

use std::net::SocketAddr;
use std::sync::Arc;

use super::columns::Col;
use super::field::{Nature, Origin, Scope, Tags};
use super::row::{Kind, Row};
use crate::ir::{self, BindAddr, Mode, proxy::Balance};
use crate::live::{Address, Backend, CheckReport, Frontend, FrontendState, Live, Proxy, Server};
use crate::metrics::{HttpClasses, TimeAverages};
use crate::server::{Admin, Op, Standing, status_word};
use crate::sys::clock;

/// Which rows, and how much of them.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only the proxy with this number.
    pub iid: Option<u32>,
    /// Bits of [`Kind::bit`]; 0: every kind.
    pub kinds: u32,
    /// Only the server or listener with this number.
    pub sid: Option<u32>,
    /// Leave out servers in maintenance.
    pub no_maint: bool,
    /// Leave out servers that are down or in maintenance.
    pub up: bool,
    /// Show addresses, cookies and algorithms.
    pub legends: bool,
    /// Only proxies with one of these names; empty: all.
    pub scope: Vec<String>,
    /// Only proxies whose name contains this.
    pub name_part: String,
}

impl Selection {
    fn wants(&self, kind: Kind) -> bool {
        self.kinds == 0 || self.kinds & kind.bit() != 0
    }

    fn wants_sid(&self, sid: u32) -> bool {
        self.sid.is_none_or(|wanted| wanted == sid)
    }

    /// Whether the rows of `proxy` are among those wanted.
    #[must_use]
    pub fn wants_proxy(&self, proxy: &Proxy) -> bool {
        !proxy.ir.disabled
            && self.iid.is_none_or(|iid| iid == proxy.ir.id)
            && (self.scope.is_empty() || self.scope.contains(&proxy.ir.name))
            && proxy.ir.name.contains(&self.name_part)
    }

    fn wants_server(&self, server: &Server) -> bool {
        let (maint, down) = server.with_state(|s| (s.admin().any(Admin::MAINT), s.op() == Op::Stopped));
        self.wants_sid(server.ir.id) && !(maint && (self.no_maint || self.up)) && !(down && self.up)
    }
}

/// The rows that `selection` asks for, in the order of the configuration.
#[must_use]
pub fn all(live: &Live, selection: &Selection) -> Vec<Row> {
    live.proxies()
        .iter()
        .filter(|p| selection.wants_proxy(p))
        .flat_map(|p| of_proxy(live, p, selection))
        .collect()
}

/// The rows of one proxy: frontend, listeners, servers, backend.
#[must_use]
pub fn of_proxy(live: &Live, proxy: &Arc<Proxy>, selection: &Selection) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(half) = &proxy.frontend {
        if selection.wants(Kind::Frontend) {
            rows.push(frontend(proxy, half));
        }
        let socket_stats = proxy.ir.frontend.as_ref().is_some_and(|f| f.socket_stats);
        if socket_stats && selection.wants(Kind::Listener) {
            let wanted = (0..half.listeners.len()).filter(|&i| selection.wants_sid(half.listeners[i].ir.id));
            rows.extend(wanted.map(|i| listener(proxy, half, i, selection.legends)));
        }
    }
    if let Some(half) = &proxy.backend {
        if selection.wants(Kind::Server) {
            let servers = half.servers();
            let wanted = servers.iter().filter(|s| selection.wants_server(s));
            rows.extend(wanted.map(|s| server(live, proxy, s, selection.legends)));
        }
        if selection.wants(Kind::Backend) {
            rows.push(backend(proxy, half, selection));
        }
    }
    rows
}

/// The word for a frontend's state.
#[must_use]
pub fn frontend_status(half: &Frontend) -> &'static str {
    match half.state() {
        FrontendState::Open => "OPEN",
        FrontendState::Paused => "PAUSED",
        FrontendState::Stopped => "STOP",
    }
}

fn is_http(proxy: &Proxy) -> bool {
    proxy.ir.mode == Mode::Http
}

fn mode_name(proxy: &Proxy) -> &'static str {
    match &proxy.ir.backend {
        _ if is_http(proxy) => "http",
        Some(half) if half.takes_logs => "syslog",
        _ => "tcp",
    }
}

fn classes(row: &mut Row, hrsp: &HttpClasses) {
    let columns = [Col::Hrsp1xx, Col::Hrsp2xx, Col::Hrsp3xx, Col::Hrsp4xx, Col::Hrsp5xx, Col::HrspOther];
    for (column, count) in columns.into_iter().zip(hrsp.get()) {
        row.u64(column, count);
    }
}

fn times(row: &mut Row, times: &TimeAverages, events: u64) {
    row.u32(Col::Qtime, times.qtime.get(events) as u32);
    row.u32(Col::Ctime, times.ctime.get(events) as u32);
    row.u32(Col::Rtime, times.rtime.get(events) as u32);
    row.u32(Col::Ttime, times.ttime.get(events) as u32);
    row.u32(Col::QtimeMax, times.qtime_max.get() as u32);
    row.u32(Col::CtimeMax, times.ctime_max.get() as u32);
    row.u32(Col::RtimeMax, times.rtime_max.get() as u32);
    row.u32(Col::TtimeMax, times.ttime_max.get() as u32);
}

/// Seconds since the last session, from its second plus one; -1: none yet.
fn last_session(stamp: u64, now_ms: u64) -> i32 {
    match stamp.checked_sub(1) {
        Some(second) => (now_ms / 1000).saturating_sub(second) as i32,
        None => -1,
    }
}

/// Bytes of either direction, under the older and the newer name.
fn bytes(row: &mut Row, bin: u64, bout: u64) {
    row.u64(Col::Bin, bin);
    row.u64(Col::Bout, bout);
    row.u64(Col::ReqBin, bin);
    row.u64(Col::ResBin, bout);
}

pub(super) fn frontend(proxy: &Proxy, half: &Frontend) -> Row {
    let c = &half.counters;
    let now_ms = clock::now_ms();
    let mut row = Row::new(Kind::Frontend, &proxy.ir.name, "FRONTEND", proxy.ir.id, 0);
    row.text(Col::Mode, mode_name(proxy));
    row.u32(Col::Scur, c.sessions.get());
    row.u32(Col::Smax, c.sessions.peak());
    row.u32(Col::Slim, half.maxconn());
    row.u64(Col::Stot, c.stot.get());
    bytes(&mut row, c.bin.get(), c.bout.get());
    row.u64(Col::Dreq, c.dreq.get());
    row.u64(Col::Dresp, c.dresp.get());
    row.u64(Col::Ereq, c.ereq.get());
    row.text(Col::Status, frontend_status(half));
    row.u32(Col::Rate, c.rate.rate(now_ms));
    row.u32(Col::RateLim, proxy.ir.frontend.as_ref().and_then(|f| f.rate_limit_sessions).unwrap_or(0));
    row.u32(Col::RateMax, c.rate.max());
    row.u64(Col::ReqTot, c.req_tot.get());
    row.u32(Col::ReqRate, c.req_rate.rate(now_ms));
    row.u32(Col::ReqRateMax, c.req_rate.max());
    row.u32(Col::ConnRate, c.conn_rate.rate(now_ms));
    row.u32(Col::ConnRateMax, c.conn_rate.max());
    row.u64(Col::ConnTot, c.conn_tot.get());
    row.u64(Col::Dcon, c.dcon.get());
    row.u64(Col::Dses, c.dses.get());
    row.u64(Col::Wrew, c.wrew.get());
    row.u64(Col::Eint, c.eint.get());
    no_compression(&mut row);
    let http = is_http(proxy);
    if http {
        classes(&mut row, &c.hrsp);
        row.u64(Col::Intercepted, c.intercepted.get());
        no_cache(&mut row);
    }
    row.u64(Col::SessOther, if http { 0 } else { c.stot.get() });
    row.u64(Col::H1Sess, if http { c.stot.get() } else { 0 });
    row.u64(Col::H1Req, if http { c.req_tot.get() } else { 0 });
    for none in [Col::H2Sess, Col::H3Sess, Col::ReqOther, Col::H2Req, Col::H3Req] {
        row.u64(none, 0);
    }
    row.u64(Col::H1OpenConnections, c.h1_open_connections.get().into());
    row.u64(Col::H1OpenStreams, c.h1_open_streams.get().into());
    row.u64(Col::H1TotalConnections, c.h1_total_connections.get());
    row.u64(Col::H1TotalStreams, c.h1_total_streams.get());
    row.u64(Col::H1BytesIn, if http { c.bin.get() } else { 0 });
    row.u64(Col::H1BytesOut, if http { c.bout.get() } else { 0 });
    row.u64(Col::H1SplicedIn, c.spliced_in.get());
    row.u64(Col::H1SplicedOut, c.spliced_out.get());
    row
}

fn no_compression(row: &mut Row) {
    for none in [Col::CompIn, Col::CompOut, Col::CompByp, Col::CompRsp] {
        row.u64(none, 0);
    }
}

fn no_cache(row: &mut Row) {
    for none in [Col::CacheLookups, Col::CacheHits, Col::CacheHintHits] {
        row.u64(none, 0);
    }
}

/// Name of a listener: its own, or its number.
#[must_use]
pub fn listener_name(bind: &ir::Bind) -> String {
    bind.name.clone().unwrap_or_else(|| format!("sock-{}", bind.id))
}

pub(super) fn listener(proxy: &Proxy, half: &Frontend, index: usize, legends: bool) -> Row {
    let listener = &half.listeners[index];
    let (bind, c) = (&listener.ir, &listener.counters);
    let mut row = Row::new(Kind::Listener, &proxy.ir.name, &listener_name(bind), proxy.ir.id, bind.id);
    row.text(Col::Mode, mode_name(proxy));
    row.u32(Col::Scur, c.sessions.get());
    row.u32(Col::Smax, c.sessions.peak());
    row.u32(Col::Slim, bind.maxconn.unwrap_or(0));
    row.u64(Col::Stot, c.stot.get());
    row.u64(Col::ConnTot, c.conn_tot.get());
    bytes(&mut row, c.bin.get(), c.bout.get());
    row.u64(Col::Dreq, c.dreq.get());
    row.u64(Col::Dresp, c.dresp.get());
    row.u64(Col::Ereq, c.ereq.get());
    row.u64(Col::Dcon, c.dcon.get());
    row.u64(Col::Dses, c.dses.get());
    row.u64(Col::Wrew, 0);
    row.u64(Col::Eint, 0);
    let full = bind.maxconn.is_some_and(|max| max > 0 && c.sessions.get() >= max);
    row.text(
        Col::Status,
        match half.state() {
            FrontendState::Open if full => "FULL",
            FrontendState::Open => "OPEN",
            FrontendState::Paused => "WAITING",
            FrontendState::Stopped => "STOP",
        },
    );
    let (addr, proto) = match &bind.addr {
        BindAddr::Tcp(addr @ SocketAddr::V4(_)) => (addr.to_string(), "tcpv4"),
        BindAddr::Tcp(addr @ SocketAddr::V6(_)) => (addr.to_string(), "tcpv6"),
        BindAddr::Unix(_) => ("unix".into(), "unix_stream"),
        BindAddr::Abstract(_) => ("unix".into(), "abns_stream"),
        BindAddr::Fd(fd) => (format!("fd@{fd}"), "fd"),
        BindAddr::SockPair(_) => (String::new(), "sockpair"),
    };
    if legends && !addr.is_empty() {
        row.text(Col::Addr, addr);
    }
    row.text(Col::Proto, proto);
    row
}

/// Where the server that decides about `server`'s state is: itself, or the end of its chain of `track`.
#[must_use]
pub fn deciding(live: &Live, server: &Arc<Server>) -> Arc<Server> {
    let mut at = server.clone();
    // Longer than any sensible chain; a circle is refused when the file is read.
    for _ in 0..64 {
        let Some((backend, name)) = &at.ir.track else { break };
        let Some(proxy) = live.backend_named(backend) else { break };
        let Some(next) = proxy.backend.as_ref().and_then(|b| b.server_named(name)) else { break };
        at = next;
    }
    at
}

/// The word for a server's state.
#[must_use]
pub fn server_status(live: &Live, server: &Arc<Server>) -> String {
    let reference = deciding(live, server);
    let agent = reference.has_agent().then(|| Standing {
        health: reference.agent.read().health,
        rise: ir::server::AGENT_RISE,
        fall: ir::server::AGENT_FALL,
    });
    let standing = reference.ir.check.as_ref().filter(|_| reference.is_checked()).map(|check| Standing {
        health: reference.check.read().health,
        rise: check.rise,
        fall: check.fall,
    });
    let reference_op = (!Arc::ptr_eq(server, &reference)).then(|| reference.with_state(|state| state.op()));
    server.with_state(|state| status_word(state, standing, agent, reference_op))
}

/// An address as the `addr` column has it.
#[must_use]
pub fn server_address(server: &Server) -> String {
    match server.address() {
        Address::Ip(addr) => addr.to_string(),
        Address::Unix(_) => "unix".into(),
        Address::SockPair(fd) => format!("sockpair@{fd}"),
        Address::Unknown => {
            let port = match &server.ir.addr {
                ir::ServerAddr::Name { port, .. } => *port,
                _ => 0,
            };
            format!("0.0.0.0:{port}")
        }
    }
}

pub(super) fn server(live: &Live, proxy: &Proxy, server: &Arc<Server>, legends: bool) -> Row {
    let (c, ir) = (&server.counters, &server.ir);
    let (now, now_ms) = (clock::now(), clock::now_ms());
    let mut row = Row::new(Kind::Server, &proxy.ir.name, server.name(), proxy.ir.id, ir.id);
    row.text(Col::Mode, mode_name(proxy));
    row.u32(Col::Qcur, c.queued.get());
    row.u32(Col::Qmax, c.queued.peak());
    row.u32(Col::Scur, c.sessions.get());
    row.u32(Col::Smax, c.sessions.peak());
    if server.maxconn() > 0 {
        row.u32(Col::Slim, server.maxconn());
    }
    row.u64(Col::Stot, c.stot.get());
    bytes(&mut row, c.bin.get(), c.bout.get());
    row.u64(Col::Dresp, c.dresp.get());
    row.u64(Col::Econ, c.econ.get());
    row.u64(Col::Eresp, c.eresp.get());
    row.u64(Col::Wretr, c.wretr.get());
    row.u64(Col::Wredis, c.wredis.get());
    row.text(Col::Status, server_status(live, server));
    row.u32(Col::Act, u32::from(!ir.backup));
    row.u32(Col::Bck, u32::from(ir.backup));
    let role = Tags::new(Origin::Status, Nature::Gauge, Scope::Process);
    row.retag(Col::Act, role);
    row.retag(Col::Bck, role);
    let paused = server.with_state(|state| {
        row.u32(Col::Weight, state.shown_weight());
        row.u32(Col::Uweight, state.user_weight().into());
        row.u32(Col::LastChg, now.saturating_duration_since(state.last_change()).as_secs() as u32);
        if server.is_checked() {
            row.u32(Col::Downtime, state.down_time(now).as_secs() as u32);
            row.u64(Col::ChkFail, c.chkfail.get());
            row.u64(Col::ChkDown, c.chkdown.get());
        }
        if let Some(percent) = state.throttle(now).filter(|_| state.op() == Op::Starting) {
            row.u32(Col::Throttle, percent);
        }
        state.admin().any(Admin::MAINT)
    });
    if ir.maxqueue > 0 {
        row.u32(Col::Qlimit, ir.maxqueue);
    }
    row.u64(Col::LbTot, c.lbtot.get());
    if let Some((backend, name)) = &ir.track {
        row.text(Col::Tracked, format!("{backend}/{name}"));
    }
    row.u32(Col::Rate, c.rate.rate(now_ms));
    row.u32(Col::RateMax, c.rate.max());
    let reference = deciding(live, server);
    if reference.ir.observe.is_some() {
        row.u64(Col::HanaFail, c.hanafail.get());
    }
    if let Some(settings) = ir.check.as_ref().filter(|_| server.is_checked() && !paused) {
        let columns = [
            Col::CheckStatus,
            Col::CheckCode,
            Col::CheckDuration,
            Col::CheckDesc,
            Col::LastChk,
            Col::CheckRise,
            Col::CheckFall,
            Col::CheckHealth,
        ];
        check(&mut row, columns, &server.check.read(), settings.rise, settings.fall);
    }
    if server.has_agent() {
        let columns = [
            Col::AgentStatus,
            Col::AgentCode,
            Col::AgentDuration,
            Col::AgentDesc,
            Col::LastAgt,
            Col::AgentRise,
            Col::AgentFall,
            Col::AgentHealth,
        ];
        let (rise, fall) = (ir::server::AGENT_RISE, ir::server::AGENT_FALL);
        check(&mut row, columns, &server.agent.read(), rise, fall);
    }
    let http = is_http(proxy);
    if http {
        classes(&mut row, &c.hrsp);
        row.u64(Col::ReqTot, c.req_tot.get());
    }
    row.u64(Col::CliAbrt, c.cli_abrt.get());
    row.u64(Col::SrvAbrt, c.srv_abrt.get());
    row.s32(Col::LastSess, last_session(c.last_session.get(), now_ms));
    times(&mut row, &c.times, if http { c.req_tot.get() } else { c.lbtot.get() });
    row.u64(Col::Wrew, c.wrew.get());
    row.u64(Col::Eint, c.eint.get());
    row.u64(Col::Connect, c.connect.get());
    row.u64(Col::Reuse, c.reuse.get());
    row.u32(Col::SrvIcur, c.idle.get());
    if let Some(limit) = ir.pool_max_conn {
        row.u32(Col::SrcIlim, limit);
    }
    row.u32(Col::IdleConnCur, c.idle.get());
    row.u32(Col::SafeConnCur, 0);
    row.u32(Col::UsedConnCur, c.used.get());
    row.u32(Col::NeedConnEst, server.need.get());
    row.u32(Col::PrivIdleCur, c.private.get());
    row.u32(Col::Srid, 0);
    if legends {
        if !matches!(server.address(), Address::SockPair(_)) {
            row.text(Col::Addr, server_address(server));
        }
        if let Some(cookie) = &ir.cookie {
            row.text(Col::Cookie, cookie.as_str());
        }
    }
    row
}

/// What a check said, into its columns: status, code, duration, description, detail, rise, fall, health.
fn check(row: &mut Row, columns: [Col; 8], report: &CheckReport, rise: u32, fall: u32) {
    let [status, code, duration, description, detail, rise_col, fall_col, health] = columns;
    let word = if report.status.is_empty() { "INI" } else { report.status };
    row.text(status, if report.in_progress { format!("* {word}") } else { word.into() });
    if let Some(number) = report.code {
        // The column has no sign: what HAProxy makes of -1 is 4294967295.
        row.u32(code, number.cast_unsigned());
    }
    if let Some(took) = report.duration {
        row.u64(duration, took.as_millis() as u64);
    }
    row.text(description, if report.status.is_empty() { "Initializing" } else { report.description });
    row.text(detail, report.info.as_str());
    row.u32(rise_col, rise);
    row.u32(fall_col, fall);
    row.u32(health, report.health);
}

/// Name of a balancing algorithm as the `algo` column has it.
fn algorithm(balance: &Balance) -> &'static str {
    match balance {
        Balance::RoundRobin => "roundrobin",
        Balance::StaticRr => "static-rr",
        Balance::LeastConn => "leastconn",
        Balance::First => "first",
        Balance::Source => "source",
        Balance::Uri { .. } => "uri",
        Balance::UrlParam(_) => "url_param",
        Balance::Hdr { .. } => "hdr",
        Balance::Random(_) => "random",
        Balance::RdpCookie(_) => "rdp-cookie",
        Balance::Hash => "hash",
    }
}

pub(super) fn backend(proxy: &Proxy, half: &Backend, selection: &Selection) -> Row {
    let c = &half.counters;
    let now_ms = clock::now_ms();
    let mut row = Row::new(Kind::Backend, &proxy.ir.name, "BACKEND", proxy.ir.id, 0);
    row.text(Col::Mode, mode_name(proxy));
    row.u32(Col::Qcur, c.queued.get());
    row.u32(Col::Qmax, c.queued.peak());
    row.u32(Col::Scur, c.sessions.get());
    row.u32(Col::Smax, c.sessions.peak());
    row.u32(Col::Slim, half.fullconn());
    row.u64(Col::Stot, c.stot.get());
    bytes(&mut row, c.bin.get(), c.bout.get());
    row.u64(Col::Dreq, c.dreq.get());
    row.u64(Col::Dresp, c.dresp.get());
    row.u64(Col::Econ, c.econ.get());
    row.u64(Col::Eresp, c.eresp.get());
    row.u64(Col::Wretr, c.wretr.get());
    row.u64(Col::Wredis, c.wredis.get());
    row.u64(Col::ChkDown, c.chkdown.get());
    row.u32(Col::LastChg, (now_ms.saturating_sub(half.changed_ms()) / 1000) as u32);
    if !half.servers().is_empty() {
        row.u32(Col::Downtime, (half.downtime_ms(now_ms) / 1000) as u32);
    }
    let (active, backup) = half.usable();
    row.u32(Col::Act, active);
    row.u32(Col::Bck, backup);
    row.u32(Col::Weight, half.total_weight());
    let (running, user_weight) = running(half, active);
    row.u32(Col::Uweight, user_weight);
    let mut status = String::from(if half.is_up() { "UP" } else { "DOWN" });
    if selection.up || selection.no_maint {
        status.push_str(&format!(" ({running}/{})", half.servers().len()));
    }
    row.text(Col::Status, status);
    row.u64(Col::LbTot, c.lbtot.get());
    row.u32(Col::Rate, c.rate.rate(now_ms));
    row.u32(Col::RateMax, c.rate.max());
    row.renature(Col::RateMax, Nature::Gauge);
    no_compression(&mut row);
    let http = is_http(proxy);
    if http {
        classes(&mut row, &c.hrsp);
        row.u64(Col::ReqTot, c.req_tot.get());
        no_cache(&mut row);
    }
    row.u64(Col::CliAbrt, c.cli_abrt.get());
    row.u64(Col::SrvAbrt, c.srv_abrt.get());
    row.s32(Col::LastSess, last_session(c.last_session.get(), now_ms));
    times(&mut row, &c.times, if http { c.req_tot.get() } else { c.lbtot.get() });
    row.u64(Col::Wrew, c.wrew.get());
    row.u64(Col::Eint, c.eint.get());
    row.u64(Col::Connect, c.connect.get());
    row.u64(Col::Reuse, c.reuse.get());
    if http {
        let used = half.servers().iter().map(|s| u64::from(s.counters.used.get())).sum::<u64>();
        let idle = half.servers().iter().map(|s| u64::from(s.counters.idle.get())).sum::<u64>();
        row.u64(Col::H1OpenConnections, used + idle);
        row.u64(Col::H1OpenStreams, used);
        row.u64(Col::H1TotalConnections, c.connect.get());
        row.u64(Col::H1TotalStreams, c.connect.get() + c.reuse.get());
        row.u64(Col::H1BytesIn, c.bout.get());
        row.u64(Col::H1BytesOut, c.bin.get());
        row.u64(Col::H1SplicedIn, c.spliced_in.get());
        row.u64(Col::H1SplicedOut, c.spliced_out.get());
    }
    for gauge in [Col::AggServerStatus, Col::AggServerCheckStatus, Col::AggCheckStatus] {
        row.u32(gauge, 0);
    }
    if let Some(ir) = proxy.ir.backend.as_ref().filter(|_| selection.legends) {
        if let Some(cookie) = &ir.cookie {
            row.text(Col::Cookie, cookie.name.as_str());
        }
        row.text(Col::Algo, algorithm(&ir.balance));
    }
    row
}

/// Servers that are not down, and the user weights of those in use (active ones, or backups if no active one is).
fn running(half: &Backend, active: u32) -> (usize, u32) {
    let (mut running, mut weight) = (0, 0);
    for server in half.servers() {
        let (up, user_weight) = server.with_state(|s| (s.op() != Op::Stopped, s.user_weight()));
        if up {
            running += 1;
            if server.is_usable() && server.ir.backup == (active == 0) {
                weight += u32::from(user_weight);
            }
        }
    }
    (running, weight)
}
