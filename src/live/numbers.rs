//! Numbers that change while sessions run, as expressions ask for them.

use std::sync::Arc;

use super::{Live, Server};
use crate::ir::ProxyIdx;
use crate::ir::expr::{ProcessNumber, ProxyNumber, ServerNumber};
use crate::sys::{clock, profile};

impl Live {
    /// A number of a proxy; -1 where it has no limit.
    #[must_use]
    pub fn proxy_number(&self, proxy: ProxyIdx, number: ProxyNumber) -> i64 {
        let Some(proxy) = self.proxy(proxy) else { return 0 };
        let now = clock::now_ms();
        let (fe, be) = (proxy.frontend.as_ref(), proxy.backend.as_ref());
        let usable = || {
            be.map_or(0, |b| {
                let (a, s) = b.usable();
                i64::from(if a > 0 { a } else { s })
            })
        };
        let queued = || {
            be.map_or(0, |b| {
                let own = |server: &Arc<Server>| i64::from(server.counters.queued.get());
                i64::from(b.counters.queued.get()) + b.servers().iter().map(own).sum::<i64>()
            })
        };
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

    /// A number of the server at `index` of a backend.
    #[must_use]
    pub fn server_number(&self, backend: ProxyIdx, index: u32, number: ServerNumber) -> i64 {
        let proxy = self.proxy(backend);
        let backend = proxy.as_ref().and_then(|proxy| proxy.backend.as_ref());
        let Some(server) = backend.and_then(|b| b.server(index as usize)) else { return 0 };
        match number {
            ServerNumber::IsUp => i64::from(server.is_usable()),
            ServerNumber::Connections => i64::from(server.counters.sessions.get()),
            ServerNumber::ConnectionsFree if server.maxconn() == 0 => -1,
            ServerNumber::ConnectionsFree => {
                (i64::from(server.maxconn()) - i64::from(server.served.get())).max(0)
            }
            ServerNumber::Queue => i64::from(server.counters.queued.get()),
            ServerNumber::SessionRate => i64::from(server.counters.rate.rate(clock::now_ms())),
            ServerNumber::Weight | ServerNumber::UserWeight => {
                i64::from(server.with_state(|s| s.weight()).div_ceil(crate::balance::WEIGHT_SCALE))
            }
            ServerNumber::InitialWeight => i64::from(server.ir.weight),
        }
    }

    /// A number of the process.
    #[must_use]
    pub fn process_number(&self, number: ProcessNumber) -> i64 {
        match number {
            ProcessNumber::Connections => i64::from(self.process.connections.get()),
            ProcessNumber::Stopping => i64::from(self.stop.is_announced()),
            // Of one thread only whoever runs in it can speak.
            ProcessNumber::Usage | ProcessNumber::ThreadUsage => profile::usage(),
            ProcessNumber::Uptime => clock::now().duration_since(self.started).as_secs() as i64,
        }
    }
}
