//! Numbers that rules ask for while sessions run, and the variables of the process.

use std::net::IpAddr;

use super::txn::Txn;
use crate::ir::ProxyIdx;
use crate::ir::expr::{ProcessNumber, ProxyNumber, ServerNumber, TimeoutName, Value, VarName};

impl crate::expr::Live for Txn {
    fn proxy(&self, proxy: ProxyIdx, number: ProxyNumber) -> i64 {
        self.live.proxy_number(proxy, number)
    }

    fn server(&self, backend: ProxyIdx, index: u32, number: ServerNumber) -> i64 {
        self.live.server_number(backend, index, number)
    }

    fn process(&self, number: ProcessNumber) -> i64 {
        self.live.process_number(number)
    }

    fn listener_connections(&self) -> i64 {
        i64::from(self.listener.counters.sessions.get())
    }

    fn proxy_by_name(&self, name: &[u8]) -> Option<ProxyIdx> {
        let name = std::str::from_utf8(name).ok()?;
        self.live.backend_named(name).map(|p| p.idx)
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
