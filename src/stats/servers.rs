//! `show servers state`, which is also the format of the server state file, and `show servers conn`.

use std::fmt::Write;
use std::sync::Arc;

use crate::ir;
use crate::live::{Address, Proxy, Server};
use crate::server::Admin;
use crate::sys::clock;

/// Version of the format, and its columns.
const STATE_HEADER: &str = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight \
     srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state \
     srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port \
     srv_check_addr srv_agent_addr srv_agent_port\n";

/// Check statuses by their number in the state file, with the number of the result each stands for
/// (0 unknown, 1 neutral, 2 failed, 3 passed, 4 passed with a condition).
const CHECK_STATUSES: [(&str, u8, u8); 20] = [
    ("UNK", 0, 0),
    ("INI", 1, 0),
    ("CHECKED", 3, 1),
    ("HANA", 4, 2),
    ("SOCKERR", 5, 2),
    ("L4OK", 6, 3),
    ("L4TOUT", 7, 2),
    ("L4CON", 8, 2),
    ("L6OK", 9, 3),
    ("L6TOUT", 10, 2),
    ("L6RSP", 11, 2),
    ("L7TOUT", 12, 2),
    ("L7RSP", 13, 2),
    ("L7OK", 15, 3),
    ("L7OKC", 16, 4),
    ("L7STS", 17, 2),
    ("PROCERR", 18, 2),
    ("PROCTOUT", 19, 2),
    ("PROCOK", 20, 3),
    ("", 1, 0),
];

/// Bits of the check state column.
mod check_state {
    pub(super) const IN_PROGRESS: u8 = 0x01;
    pub(super) const CONFIGURED: u8 = 0x02;
    pub(super) const ENABLED: u8 = 0x04;
    pub(super) const PAUSED: u8 = 0x08;
    pub(super) const AGENT: u8 = 0x10;
}

/// How names and addresses are shown.
pub trait Shown {
    /// A name.
    fn name(&self, name: &str) -> String;
    /// An address without a port.
    fn address(&self, address: &str) -> String;
}

/// As they are.
impl Shown for () {
    fn name(&self, name: &str) -> String {
        name.to_owned()
    }

    fn address(&self, address: &str) -> String {
        address.to_owned()
    }
}

/// The state of the servers of these backends.
#[must_use]
pub fn state<'a>(backends: impl Iterator<Item = &'a Arc<Proxy>>, shown: &dyn Shown) -> String {
    let mut out = String::from(STATE_HEADER);
    for proxy in backends {
        for server in proxy.backend.iter().flat_map(|b| b.servers()) {
            push_state(&mut out, proxy, &server, shown);
        }
    }
    out
}

fn push_state(out: &mut String, proxy: &Proxy, server: &Server, shown: &dyn Shown) {
    let ir = &server.ir;
    let (addr, port) = address(server);
    let report = server.check.read();
    let (_, status, result) =
        CHECK_STATUSES.iter().find(|(name, ..)| *name == report.status).copied().unwrap_or(("", 0, 0));
    let (health, mut check_bits) = match &ir.check {
        Some(_) if server.is_checked() => (report.health, check_state::CONFIGURED | check_state::ENABLED),
        Some(_) => (report.health, check_state::CONFIGURED),
        // `disabled` pauses checks that there are none of, and nothing takes them up again.
        None if ir.disabled => (report.health, check_state::PAUSED),
        None => (report.health, 0),
    };
    let state = server.with_state(|state| {
        if ir.check.is_some() && state.admin().any(Admin::MAINT) {
            check_bits |= check_state::PAUSED;
        }
        let since = clock::now().saturating_duration_since(state.last_change()).as_secs();
        format!(
            "{} {} {} {} {since}",
            state.op() as u8,
            state.admin().0,
            state.user_weight(),
            state.initial_weight()
        )
    });
    if report.in_progress {
        check_bits |= check_state::IN_PROGRESS;
    }
    let fqdn = server.fqdn().map_or_else(|| "-".to_owned(), |fqdn| shown.name(&fqdn));
    let addr = shown.address(&addr);
    let service = match &ir.addr {
        ir::ServerAddr::Name { host, .. } if server.follows_service() => host.as_str(),
        _ => "-",
    };
    let agent_bits = match &ir.agent {
        Some(_) => {
            let mut bits = check_state::CONFIGURED | check_state::AGENT;
            if server.has_agent() {
                bits |= check_state::ENABLED;
            }
            if server.agent.read().in_progress {
                bits |= check_state::IN_PROGRESS;
            }
            bits
        }
        None => 0,
    };
    let probing = server.probing.read();
    let text = |ip: Option<std::net::IpAddr>| ip.map_or_else(|| "-".into(), |ip| ip.to_string());
    let (check_addr, check_port) = (text(probing.check_addr), probing.check_port.unwrap_or(0));
    let (agent_addr, agent_port) = (text(probing.agent_addr), probing.agent_port);
    // Writing into a String cannot fail.
    let _ = writeln!(
        out,
        "{} {} {} {} {addr} {state} {status} {result} {health} {check_bits} {agent_bits} 0 0 {fqdn} {port} {service} 0 \
         {check_port} {check_addr} {agent_addr} {agent_port}",
        proxy.ir.id,
        shown.name(&proxy.ir.name),
        ir.id,
        shown.name(server.name()),
    );
}

/// Address and port, or `-` and 0.
fn address(server: &Server) -> (String, u16) {
    match server.address() {
        Address::Ip(addr) => (addr.ip().to_string(), addr.port()),
        Address::Unix(_) | Address::SockPair(_) => ("-".into(), 0),
        Address::Unknown => match &server.ir.addr {
            ir::ServerAddr::Name { port, .. } => ("-".into(), *port),
            _ => ("-".into(), 0),
        },
    }
}

/// The connections of the servers of these backends.
#[must_use]
pub fn conn<'a>(backends: impl Iterator<Item = &'a Arc<Proxy>>, shown: &dyn Shown) -> String {
    let mut out = String::from(
        "# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb safe_nb idle_lim \
         idle_cur idle_per_thr[1]\n",
    );
    for proxy in backends {
        for server in proxy.backend.iter().flat_map(|b| b.servers()) {
            let (c, ir) = (&server.counters, &server.ir);
            let (addr, port) = address(&server);
            let addr = shown.address(&addr);
            let limit = ir.pool_max_conn.map_or_else(|| "-1".into(), |limit| limit.to_string());
            let idle = c.idle.get();
            let _ = writeln!(
                out,
                "{}/{} {}/{} {addr} {port} - {} {} {} {} {idle} 0 {limit} {idle} {idle}",
                shown.name(&proxy.ir.name),
                shown.name(server.name()),
                proxy.ir.id,
                ir.id,
                ir.pool_purge_delay.as_millis(),
                c.used.get(),
                c.used.peak(),
                server.need.get(),
            );
        }
    }
    out
}
