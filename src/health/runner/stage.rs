//! What the expressions of a check see of the process and its server.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use jiff::tz::TimeZone;

use crate::expr::ctx::{Buffered, Captures, Client, Clock, Ctx, Process, Progress, ProxyView, ServerView};
use crate::expr::{self, Vars, logformat};
use crate::health::scene::Scene;
use crate::ir::ProxyIdx;
use crate::ir::expr::{ProcessNumber, ProxyNumber, ServerNumber, TimeoutName, Value, VarName};
use crate::ir::proxy::Mode;
use crate::live::{Live, Proxy, Server};
use crate::sys;

/// The name that HAProxy gives to the client side of checks.
const FRONTEND: &str = "CHECKS-FE";

/// The surroundings of one server's check.
pub(super) struct Stage {
    pub(super) live: Arc<Live>,
    pub(super) proxy: Arc<Proxy>,
    pub(super) server: Arc<Server>,
    pub(super) node: Arc<str>,
    /// The unique id of this run, once something asked for it.
    pub(super) unique_id: OnceLock<Option<Vec<u8>>>,
}

impl Scene for Stage {
    fn show(&self, look: &mut dyn FnMut(&Ctx<'_>)) {
        static ZONE: OnceLock<TimeZone> = OnceLock::new();
        let since = sys::clock::wall().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let now_us = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        let http = self.proxy.ir.mode == Mode::Http;
        let ctx = Ctx {
            clock: Clock { now_us, zone: ZONE.get_or_init(TimeZone::system) },
            process: Process { hostname: &self.node, pid: std::process::id(), thread: 0 },
            client: Client::default(),
            // Answers are messages or payload by the kind of check, whatever the mode of the proxy.
            frontend: ProxyView { name: FRONTEND, ..ProxyView::default() },
            backend: ProxyView {
                idx: self.proxy.idx,
                id: self.proxy.ir.id,
                name: &self.proxy.ir.name,
                http,
                ..ProxyView::default()
            },
            server: Some(ServerView {
                name: self.server.name(),
                id: self.server.ir.id,
                index: self.server.index as u32,
                ..ServerView::default()
            }),
            no_server: "<NOSRV>",
            request: None,
            response: None,
            request_data: Buffered::default(),
            response_data: Buffered::default(),
            vars: &Vars::default(),
            captures: &Captures::default(),
            progress: Progress::default(),
            live: self,
            is_final: true,
            not_http: false,
        };
        let format = self.proxy.ir.backend.as_ref().and_then(|half| half.unique_id_format.as_ref());
        let Some(format) = format else { return look(&ctx) };
        let unique_id = self.unique_id.get_or_init(|| Some(logformat::to_vec(format, &ctx)));
        let progress = Progress { unique_id: unique_id.as_deref(), ..Progress::default() };
        look(&Ctx { progress, ..ctx });
    }
}

impl expr::Live for Stage {
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
        0
    }

    fn proxy_by_name(&self, name: &[u8]) -> Option<ProxyIdx> {
        let name = std::str::from_utf8(name).ok()?;
        self.live.backend_named(name).map(|proxy| proxy.idx)
    }

    fn proc_var(&self, _name: &VarName) -> Option<Value> {
        None
    }

    fn is_local(&self, addr: IpAddr) -> bool {
        addr.is_loopback()
    }

    fn random(&self) -> u64 {
        rand::random()
    }

    fn timeout(&self, name: TimeoutName) -> Option<i64> {
        let timeouts = &self.proxy.ir.timeouts;
        let value = match name {
            TimeoutName::BeServer | TimeoutName::CurServer => timeouts.server,
            TimeoutName::BeTunnel | TimeoutName::CurTunnel => timeouts.tunnel,
            TimeoutName::BeConnect | TimeoutName::CurConnect => timeouts.connect,
            TimeoutName::BeQueue | TimeoutName::CurQueue => timeouts.queue,
            TimeoutName::BeTarpit | TimeoutName::CurTarpit => timeouts.tarpit,
            TimeoutName::FeClient | TimeoutName::FeTarpit | TimeoutName::CurClient => None,
        };
        value.and_then(|time| i64::try_from(time.as_millis()).ok())
    }
}
