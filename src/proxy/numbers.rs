//! Numbers that rules ask for while sessions run, and the variables of the process.

use std::net::IpAddr;

use super::txn::Txn;
use crate::ir::ProxyIdx;
use crate::ir::expr::{ProcessNumber, ProxyNumber, ServerNumber, TimeoutName, Value, VarName};
use crate::sys::clock;

/// Variables of scope `proc`.
pub(super) mod proc_vars {
    use crate::ir::expr::{Value, VarName};
    use parking_lot::Mutex;

    static VARS: Mutex<Vec<(u64, Value)>> = Mutex::new(Vec::new());

    pub(in crate::proxy) fn get(name: &VarName) -> Option<Value> {
        VARS.lock().iter().find(|(id, _)| *id == name.id).map(|(_, v)| v.clone())
    }

    pub(in crate::proxy) fn set(name: &VarName, value: Option<Value>) {
        let mut vars = VARS.lock();
        vars.retain(|(id, _)| *id != name.id);
        if let Some(value) = value {
            vars.push((name.id, value));
        }
    }
}

impl crate::expr::Live for Txn {
    fn proxy(&self, proxy: ProxyIdx, number: ProxyNumber) -> i64 {
        let proxy = self.live.proxy(proxy);
        let now = clock::now_ms();
        let (fe, be) = (proxy.frontend.as_ref(), proxy.backend.as_ref());
        let usable = || {
            be.map_or(0, |b| {
                let (a, s) = b.usable();
                i64::from(if a > 0 { a } else { s })
            })
        };
        let queued = || be.map_or(0, |b| i64::from(b.counters.queued.get()));
        let free = |with_queues: bool| {
            let Some(be) = be else { return 0 };
            let mut sum = 0;
            for s in be.servers().iter().filter(|s| s.is_usable()) {
                if s.maxconn() == 0 || (with_queues && s.ir.maxqueue == 0) {
                    return -1;
                }
                sum += i64::from(s.maxconn()) - i64::from(s.served.get());
                if with_queues {
                    sum += i64::from(s.ir.maxqueue) - i64::from(s.counters.queued.get());
                }
            }
            sum.max(0)
        };
        match number {
            ProxyNumber::UsableServers => usable(),
            ProxyNumber::BackendConnections => be.map_or(0, |b| i64::from(b.counters.sessions.get())),
            ProxyNumber::BackendConnectionsFree => free(false),
            ProxyNumber::ConnectionSlots => free(true),
            ProxyNumber::BackendSessionRate => be.map_or(0, |b| i64::from(b.counters.rate.rate(now))),
            ProxyNumber::FrontendConnections => fe.map_or(0, |f| i64::from(f.counters.sessions.get())),
            ProxyNumber::FrontendSessionRate => fe.map_or(0, |f| i64::from(f.counters.rate.rate(now))),
            ProxyNumber::FrontendRequestRate => fe.map_or(0, |f| i64::from(f.counters.req_rate.rate(now))),
            ProxyNumber::Queue => queued(),
            ProxyNumber::AverageQueue => {
                let n = usable();
                if n > 0 { (queued() + n - 1) / n } else { queued() }
            }
        }
    }

    fn server(&self, backend: ProxyIdx, index: u32, number: ServerNumber) -> i64 {
        let Some(server) = self.live.proxy(backend).backend.as_ref().and_then(|b| b.server(index as usize))
        else {
            return 0;
        };
        match number {
            ServerNumber::IsUp => i64::from(server.is_usable()),
            ServerNumber::Connections => i64::from(server.counters.sessions.get()),
            ServerNumber::ConnectionsFree if server.maxconn() == 0 => -1,
            ServerNumber::ConnectionsFree => {
                (i64::from(server.maxconn()) - i64::from(server.served.get())).max(0)
            }
            ServerNumber::Queue => i64::from(server.counters.queued.get()),
            ServerNumber::SessionRate => i64::from(server.counters.rate.rate(clock::now_ms())),
            ServerNumber::Weight => {
                i64::from(server.with_state(|s| s.weight()).div_ceil(crate::balance::WEIGHT_SCALE))
            }
            ServerNumber::InitialWeight => i64::from(server.ir.weight),
            ServerNumber::UserWeight => {
                i64::from(server.with_state(|s| s.weight()).div_ceil(crate::balance::WEIGHT_SCALE))
            }
        }
    }

    fn process(&self, number: ProcessNumber) -> i64 {
        match number {
            ProcessNumber::Connections => i64::from(self.live.process.connections.get()),
            ProcessNumber::Stopping => i64::from(self.live.is_stopping()),
            ProcessNumber::Uptime => clock::now().duration_since(self.live.started).as_secs() as i64,
        }
    }

    fn listener_connections(&self) -> i64 {
        i64::from(self.listener.counters.sessions.get())
    }

    fn proxy_by_name(&self, name: &[u8]) -> Option<ProxyIdx> {
        let name = std::str::from_utf8(name).ok()?;
        self.live.backend_named(name).map(|p| p.idx)
    }

    fn proc_var(&self, name: &VarName) -> Option<Value> {
        proc_vars::get(name)
    }

    fn is_local(&self, addr: IpAddr) -> bool {
        // An address is ours if a socket can be bound to it.
        addr.is_loopback() || std::net::UdpSocket::bind((addr, 0)).is_ok()
    }

    fn random(&self) -> u64 {
        rand::random()
    }

    fn timeout(&self, name: TimeoutName) -> Option<i64> {
        let (fe, be) = (&self.fe.ir.timeouts, &self.be.ir.timeouts);
        let value = match name {
            TimeoutName::BeServer => be.server,
            TimeoutName::BeTunnel => be.tunnel,
            TimeoutName::FeClient => fe.client,
            TimeoutName::CurServer => self.limits.server,
            TimeoutName::CurTunnel => self.limits.tunnel,
            TimeoutName::BeConnect => be.connect,
            TimeoutName::BeQueue => be.queue,
            TimeoutName::BeTarpit => be.tarpit,
            TimeoutName::CurClient => self.limits.client,
            TimeoutName::CurConnect => self.limits.connect,
            TimeoutName::CurQueue => self.limits.queue,
            TimeoutName::CurTarpit => self.limits.tarpit,
        };
        value.map(|d| d.as_millis() as i64)
    }
}
