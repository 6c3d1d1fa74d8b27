//! Numbers that rules ask for while sessions run, and the variables of the process.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::board::Cost;
use super::txn::Txn;
use super::worker::with;
use crate::ir::ProxyIdx;
use crate::ir::expr::{
    CostNumber, Dir, ProcessNumber, ProxyNumber, ServerNumber, TcpNumber, TimeoutName, Value, VarName,
};

impl crate::expr::Live for Txn {
    fn proxy(&self, proxy: ProxyIdx, number: ProxyNumber) -> i64 {
        self.door.live().proxy_number(proxy, number)
    }

    fn server(&self, backend: ProxyIdx, index: u32, number: ServerNumber) -> i64 {
        self.door.live().server_number(backend, index, number)
    }

    fn process(&self, number: ProcessNumber) -> i64 {
        match number {
            ProcessNumber::ThreadUsage => with(|w| w.usage()),
            other => self.door.live().process_number(other),
        }
    }

    fn cost(&self, number: CostNumber) -> i64 {
        let Cost { calls, cpu, latency } = super::board::cost();
        let ns = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        let calls = i64::try_from(calls).unwrap_or(i64::MAX);
        match number {
            CostNumber::Calls => calls,
            CostNumber::Cpu => ns(cpu),
            CostNumber::CpuPerCall => ns(cpu) / calls.max(1),
            CostNumber::Latency => ns(latency),
            CostNumber::LatencyPerCall => ns(latency) / calls.max(1),
        }
    }

    fn proc_vars(&self) -> Vec<(Arc<str>, Value)> {
        crate::live::vars::all()
    }

    fn buffer_size(&self) -> usize {
        self.door.live().config.global.bufsize
    }

    fn listener_connections(&self) -> i64 {
        i64::from(self.door.listener.counters.sessions.get())
    }

    fn proxy_by_name(&self, name: &[u8]) -> Option<ProxyIdx> {
        let name = std::str::from_utf8(name).ok()?;
        self.door.live().backend_named(name).map(|p| p.idx)
    }

    fn server_by_name(&self, backend: Option<&[u8]>, name: &[u8]) -> Option<(ProxyIdx, u32)> {
        let name = std::str::from_utf8(name).ok()?;
        let proxy = match backend {
            Some(backend) => self.door.live().backend_named(std::str::from_utf8(backend).ok()?)?,
            None => self.be().clone(),
        };
        let server = proxy.backend.as_ref()?.server_named(name)?;
        Some((proxy.idx, u32::try_from(server.index).ok()?))
    }

    fn has_frontend(&self, name: &[u8]) -> bool {
        std::str::from_utf8(name).is_ok_and(|name| self.door.live().frontend_named(name).is_some())
    }

    fn tcp(&self, side: Dir, number: TcpNumber) -> Option<i64> {
        let socket = if side == Dir::Req { Some(self.sockets.0) } else { self.sockets.1 };
        let info = crate::sys::tcp::info(socket?)?;
        Some(
            match number {
                TcpNumber::Rtt => info.rtt,
                TcpNumber::RttVar => info.rttvar,
                TcpNumber::Unacked => info.unacked,
                TcpNumber::Sacked => info.sacked,
                TcpNumber::Lost => info.lost,
                TcpNumber::Retrans => info.retrans,
                TcpNumber::Fackets => info.fackets,
                TcpNumber::Reordering => info.reordering,
            }
            .into(),
        )
    }

    fn saved_syn(&self) -> Option<Vec<u8>> {
        crate::sys::tcp::saved_syn(self.sockets.0)
    }

    fn proc_var(&self, name: &VarName) -> Option<Value> {
        crate::live::vars::get(name)
    }

    fn set_proc_var(&self, name: &VarName, value: Option<Value>) {
        crate::live::vars::set(name, value);
    }

    fn is_local(&self, addr: IpAddr) -> bool {
        // An address is ours if a socket can be bound to it.
        addr.is_loopback() || std::net::UdpSocket::bind((addr, 0)).is_ok()
    }

    fn random(&self) -> u64 {
        rand::random()
    }

    fn timeout(&self, name: TimeoutName) -> Option<i64> {
        let (fe, be) = (&self.door.fe.ir.timeouts, &self.be().ir.timeouts);
        // One that is not set by a rule counts from when there is a server.
        let is_set = |now, usual| self.server.is_some() || now != usual;
        // What a frontend gets from its defaults are timeouts of clients.
        let is_backend = self.be().ir.backend.is_some();
        let value = match name {
            TimeoutName::BeServer => be.server.filter(|_| is_backend),
            TimeoutName::BeTunnel => be.tunnel.filter(|_| is_backend),
            TimeoutName::FeClient => fe.client,
            TimeoutName::FeTarpit => fe.tarpit,
            TimeoutName::CurServer => self.limits.server.filter(|now| is_set(Some(*now), be.server)),
            TimeoutName::CurTunnel => self.limits.tunnel.filter(|now| is_set(Some(*now), be.tunnel)),
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
