//! A transaction as rules and formats see it, and what they do to it.

use std::net::SocketAddr;
use std::sync::LazyLock;

use super::super::lines;
use super::super::worker::with;
use super::Txn;
use crate::buf::Buf;
use crate::expr::ctx::{
    Captures, Client, Clock, ConnectError, Links, Peer, Process, Progress, ProxyView, ServerView,
};
use crate::expr::{Ctx, EditHead, Effect, Session, Vars};
use crate::ir::BindAddr;
use crate::ir::expr::Dir;
use crate::ir::log::LogStep;
use crate::ir::proxy::Mode;
use crate::ir::rules::TimeoutKind;
use crate::live::Proxy;
use crate::sys::clock;

/// What stays the same while the process runs.
struct Host {
    zone: jiff::tz::TimeZone,
    name: String,
    pid: u32,
}

static HOST: LazyLock<Host> = LazyLock::new(|| Host {
    zone: jiff::tz::TimeZone::system(),
    name: nix::unistd::gethostname().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
    // Asked once: it is a system call, and workers start when all forking is over.
    pid: std::process::id(),
});

fn view(proxy: &Proxy) -> ProxyView<'_> {
    let half = proxy.ir.frontend.as_ref();
    ProxyView {
        idx: proxy.idx,
        id: proxy.ir.id,
        name: &proxy.ir.name,
        http: proxy.ir.mode == Mode::Http,
        default_backend: None,
        captures: half.map_or((0, 0), |f| {
            let request = f.request_slots.len().max(f.capture_request.len());
            (request, f.response_slots.len().max(f.capture_response.len()))
        }),
    }
}

impl Session for Txn {
    fn ctx(&self) -> Ctx<'_> {
        let host = &*HOST;
        let now = clock::now();
        let (now_us, thread, accept_us) = with(|w| (w.wall_us(now), w.index as u32, w.wall_us(self.started)));
        let listener = &self.door.listener.ir;
        let unnamed = (!matches!(listener.addr, BindAddr::SockPair(_))).then_some(Peer::Unix);
        let src = |addr: Option<SocketAddr>| Some(addr.map_or(Peer::Unix, Peer::Ip));
        let dst = |addr: Option<SocketAddr>| addr.map(Peer::Ip).or(unnamed);
        let frontend = ProxyView {
            default_backend: self
                .door
                .fe
                .ir
                .frontend
                .as_ref()
                .and_then(|f| f.default_backend)
                .map(|idx| self.door.live().config.proxy(idx).name.as_str()),
            ..view(&self.door.fe)
        };
        // Where there never was a session there is no status that it could have.
        let refused = self.client_connection.is_some();
        let is_greeting = listener.accept_proxy && !self.received_proxy
            || self.client_connection.is_some_and(|why| why != ConnectError::None);
        Ctx {
            clock: Clock { now_us, zone: &host.zone },
            process: Process { hostname: &host.name, pid: host.pid, thread },
            client: Client {
                src: src(self.src),
                dst: dst(self.dst),
                fc_src: src(self.fc_src),
                fc_dst: dst(self.fc_dst),
                listener_name: listener.name.as_deref(),
                listener_id: listener.id,
                accept_us,
                received_proxy: (!is_greeting).then_some(self.received_proxy),
                tlvs: self.tlvs(),
                tls: false,
                first_request: self.first_request,
            },
            frontend,
            backend: view(self.be()),
            server: self.server.as_ref().or(self.awaited.as_ref()).map(|s| ServerView {
                name: s.name(),
                id: s.ir.id,
                index: s.index as u32,
                bc_src: self.server_src,
                bc_dst: self.server_addr,
            }),
            no_server: self.no_server,
            request: self.is_http.then_some(&self.req as &dyn crate::expr::Head),
            response: self.response_shown().map(|h| h as &dyn crate::expr::Head),
            request_data: self.buffered(),
            response_data: super::seen(self.resp_payload.as_ref(), &self.resp_body, self.resp_complete),
            vars: &self.vars,
            captures: &self.captures,
            progress: Progress {
                timers: self.timers_at(now),
                status: match (self.status, &self.resp) {
                    (0, Some(resp)) => resp.status().into(),
                    (0, None) if !refused && self.server_status != Some(0) => -1,
                    (sent, _) => sent.into(),
                },
                bytes_in: self.bytes_in,
                bytes_out: self.bytes_out,
                term: self.term(),
                retries: self.retries,
                redispatched: self.redispatched,
                server_queue: self.server_queue,
                backend_queue: self.backend_queue,
                request_line: self.request_line.as_deref(),
                request_cookie: self.request_cookie.as_deref(),
                response_cookie: self.response_cookie.as_deref(),
                unique_id: self.unique_id.as_deref(),
                reused: self.server_reused,
                max_retries: self.max_retries(),
                request_counter: self.request_number,
                log_counter: self.door.fe.frontend.as_ref().map_or(0, |fe| fe.counters.lines.get()),
                last_rule: self.last_rule.as_deref(),
                waiting: self.waiting.as_deref(),
                server_status: self.server_status.unwrap_or(0),
                server_connection: self.server_connection,
                client_connection: self.client_connection,
                as_proxy: self.as_proxy,
                priority: self.priority,
                links: Links {
                    over: self.ended.is_some(),
                    request_gone: self.resp.is_some() || self.times.data.is_some(),
                    answered: self.server_status.is_some(),
                    server_stays: self.server_reusable,
                    ..self.links
                },
                origin: LogStep::Close.origin(),
                early: self.door.fe.ir.logasap,
            },
            live: self,
            is_final: self.is_final,
            not_http: self.not_http,
        }
    }

    fn request(&mut self) -> Option<&mut dyn EditHead> {
        Some(&mut self.req)
    }

    fn response(&mut self) -> Option<&mut dyn EditHead> {
        self.resp.as_mut().map(|h| h as &mut dyn EditHead)
    }

    fn vars(&mut self) -> &mut Vars {
        &mut self.vars
    }

    fn captures(&mut self) -> &mut Captures {
        &mut self.captures
    }

    fn has_room(&self, dir: Dir, bytes: usize) -> bool {
        let (head, body) = match dir {
            Dir::Req => (Some(&self.req), &self.payload),
            Dir::Res => (self.resp.as_ref(), &self.resp_payload),
        };
        let Some(head) = head else { return true };
        let body = body.as_ref().map_or(0, Buf::len);
        let global = &self.door.live().config.global;
        let kept = global.bufsize.saturating_sub(global.maxrewrite);
        // Few come near the limit.
        if head.held() + head.overhead() + body + bytes <= kept {
            return true;
        }
        // What did not fit when it came would have waited outside.
        let body = body.min(kept.saturating_sub(head.received() + head.overhead()));
        head.weight() + body + bytes <= global.bufsize
    }

    fn is_strict(&self, dir: Dir) -> bool {
        if dir == Dir::Req { self.strict.0 } else { self.strict.1 }
    }

    fn effect(&mut self, effect: Effect<'_>) {
        let any = |v6: bool| SocketAddr::new(if v6 { [0u16; 8].into() } else { [0u8; 4].into() }, 0);
        match effect {
            Effect::LogLevel(level) => self.log_level = level,
            Effect::Src(ip) => self.src = Some(SocketAddr::new(ip, self.src.map_or(0, |a| a.port()))),
            Effect::Dst(ip) => self.dst = Some(SocketAddr::new(ip, self.dst.map_or(0, |a| a.port()))),
            Effect::SrcPort(port) => self.src.get_or_insert_with(|| any(false)).set_port(port),
            Effect::DstPort(port) => self.dst.get_or_insert_with(|| any(false)).set_port(port),
            Effect::Timeout(kind, value) => {
                *match kind {
                    TimeoutKind::Client => &mut self.limits.client,
                    TimeoutKind::Server => &mut self.limits.server,
                    TimeoutKind::Tunnel => &mut self.limits.tunnel,
                    TimeoutKind::Connect => &mut self.limits.connect,
                    TimeoutKind::Queue => &mut self.limits.queue,
                    TimeoutKind::Tarpit => &mut self.limits.tarpit,
                } = value;
            }
            Effect::DisableL7Retry => self.retry_allowed = false,
            Effect::EarlyHint { name, value, last } => {
                if self.early_hints.is_empty() || self.early_hints.ends_with(b"\r\n\r\n") {
                    self.early_hints.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\n");
                }
                self.early_hints.extend(name.bytes().map(|b| b.to_ascii_lowercase()));
                self.early_hints.extend_from_slice(b": ");
                self.early_hints.extend_from_slice(value);
                self.early_hints.extend_from_slice(if last { b"\r\n\r\n" } else { b"\r\n" });
            }
            // The others are hints about sockets and queues that
            // the loader refuses or warns about until they exist here.
            Effect::ProcVar(name, value) => crate::live::vars::set(name, value),
            Effect::BandwidthLimit(filter, bytes, period) => {
                self.shape.get_or_insert_default().set(filter, bytes, period);
            }
            Effect::Log(profile) => lines::by_rule(self, profile),
            // A value that an expression cannot use changes nothing, as in HAProxy.
            Effect::Patterns(list, key, deed) => drop(list.get().apply(key, deed)),
            Effect::PriorityClass(class) => self.priority.0 = class,
            Effect::PriorityOffset(offset) => self.priority.1 = offset,
            Effect::LastRule(place) => self.last_rule = Some(Box::new(place.clone())),
            Effect::Waiting(place) => self.waiting = Some(Box::new(place.clone())),
            Effect::Tos(tos) => self.tags.client.0 = Some(tos),
            Effect::Mark(mark) => self.tags.client.1 = Some(mark),
            Effect::ServerTos(tos) => self.tags.server.0 = Some(tos),
            Effect::ServerMark(mark) => self.tags.server.1 = Some(mark),
            Effect::Retries(n) => self.max_retries = Some(n),
            Effect::ExpectProxy => self.expects.proxy = true,
            Effect::ExpectNetScaler => self.expects.netscaler = true,
            Effect::Strict(Dir::Req, strict) => self.strict.0 = strict,
            Effect::Strict(Dir::Res, strict) => self.strict.1 = strict,
            Effect::RewriteFailed => {
                if let Some(fe) = &self.door.fe.frontend {
                    fe.counters.wrew.inc();
                }
                if let Some(be) = self.be().backend.as_ref().filter(|_| self.entered) {
                    be.counters.wrew.inc();
                }
                if let Some(server) = &self.server {
                    server.counters.wrew.inc();
                }
            }
            Effect::SwitchModeHttp => self.becomes_http = true,
            Effect::Nice(nice) => self.nice = nice,
        }
    }
}
