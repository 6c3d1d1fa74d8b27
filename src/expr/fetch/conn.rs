//! Layer 4 and the session: addresses, names, counters, timers.

use std::net::IpAddr;

use crate::ir::expr::{Dir, Endpoint, ErrorForm, Fetch, LastRule, TcpNumber};

use super::super::ctx::{ConnectError, Ctx, Peer, Progress};
use super::super::sample::{Bytes, Sample, push_display};
use super::{ABSENT, Fetched};

pub(super) fn one<'a>(fetch: &'a Fetch, ctx: &Ctx<'a>) -> Fetched<'a> {
    let text = |s: &'a str| Ok(Sample::text(s.as_bytes()));
    match fetch {
        Fetch::Addr(end) => ip(*end, ctx).map(Sample::ip).ok_or(ABSENT),
        Fetch::Port(end) => {
            let peer = peer(*end, ctx).ok_or(ABSENT)?;
            // Headers of the PROXY protocol may leave it out.
            let port = peer.ip().map(|addr| addr.port()).filter(|port| *port != 0);
            port.map(|port| Sample::Int(port.into())).ok_or(ABSENT)
        }
        Fetch::IsLocal(end) => ip(*end, ctx).map(|ip| Sample::Bool(ctx.live.is_local(ip))).ok_or(ABSENT),
        Fetch::ListenerConnections => Ok(Sample::Int(ctx.live.listener_connections())),
        Fetch::FrontendName => text(ctx.frontend.name),
        Fetch::FrontendId => Ok(Sample::Int(ctx.frontend.id.into())),
        Fetch::FrontendDefaultBackend => text(ctx.frontend.default_backend.ok_or(ABSENT)?),
        Fetch::BackendName => text(ctx.backend.name),
        Fetch::BackendId => Ok(Sample::Int(ctx.backend.id.into())),
        Fetch::ServerName => text(ctx.server.ok_or(ABSENT)?.name),
        Fetch::ServerId => Ok(Sample::Int(ctx.server.ok_or(ABSENT)?.id.into())),
        Fetch::ListenerName => text(ctx.client.listener_name.ok_or(ABSENT)?),
        Fetch::ListenerId => Ok(Sample::Int(ctx.client.listener_id.into())),
        Fetch::ReceivedProxy => ctx.client.received_proxy.map(Sample::Bool).ok_or(ABSENT),
        Fetch::ServerReused => ctx.server.map(|_| Sample::Bool(ctx.progress.reused)).ok_or(ABSENT),
        Fetch::MaxRetries(current) => {
            let (of_backend, now) = ctx.progress.max_retries;
            Ok(Sample::Int(if *current { now } else { of_backend }.into()))
        }
        Fetch::ProxyTlv(kind) => {
            let found = ctx.client.tlvs.iter().find(|(k, _)| k == kind).ok_or(ABSENT)?;
            Ok(Sample::text(&found.1))
        }
        Fetch::Tcp { side, number, micros } => {
            let value = ctx.live.tcp(*side, *number).ok_or(ABSENT)?;
            let is_time = matches!(number, TcpNumber::Rtt | TcpNumber::RttVar);
            Ok(Sample::Int(if is_time && !micros { (value + 500) / 1000 } else { value }))
        }
        Fetch::SavedSyn => {
            let packet = ctx.live.saved_syn().ok_or(ABSENT)?;
            Ok(Sample::Bin(Bytes::Own(packet.into())))
        }
        Fetch::QueuedBefore(in_server) => {
            let Progress { server_queue, backend_queue, .. } = ctx.progress;
            Ok(Sample::Int(if *in_server { server_queue } else { backend_queue }.into()))
        }
        // Both sides speak HTTP/1 where they speak HTTP at all.
        Fetch::FrontHttpMajor => Ok(Sample::Int(1)),
        Fetch::BackHttpMajor => ctx.server.map(|_| Sample::Int(1)).ok_or(ABSENT),
        Fetch::Timeout(name) => Ok(Sample::Int(ctx.live.timeout(*name).unwrap_or(0))),
        Fetch::IsTls(Dir::Req) => Ok(Sample::Bool(ctx.client.tls)),
        Fetch::IsTls(Dir::Res) => Ok(Sample::Bool(false)),
        Fetch::Retries => Ok(Sample::Int(ctx.progress.retries.into())),
        Fetch::Redispatched => Ok(Sample::Bool(ctx.progress.redispatched)),
        Fetch::Bytes(dir) => {
            let bytes = match dir {
                Dir::Req => ctx.progress.bytes_in,
                Dir::Res => ctx.progress.bytes_out,
            };
            Ok(Sample::Int(i64::try_from(bytes).unwrap_or(i64::MAX)))
        }
        Fetch::TermState => Ok(Sample::Str(Bytes::copy(&ctx.progress.term[..2]))),
        Fetch::Timer(timer) => match ctx.progress.timers.get(*timer, ctx.backend.http) {
            ms if ms < 0 => Err(ABSENT),
            ms => Ok(Sample::Int(ms)),
        },
        Fetch::LastRule(what) => {
            let waits = *what == LastRule::Waiting;
            let place = if waits { ctx.progress.waiting } else { ctx.progress.last_rule }.ok_or(ABSENT)?;
            match what {
                LastRule::File => text(&place.file),
                LastRule::Line => Ok(Sample::Int(place.line.into())),
                LastRule::Both | LastRule::Waiting => {
                    let mut out = Bytes::Own(smallvec::SmallVec::new());
                    push_display(out.to_mut(), format_args!("{}:{}", place.file, place.line));
                    Ok(Sample::Str(out))
                }
            }
        }
        Fetch::ServerStatus => Ok(Sample::Int(ctx.progress.server_status.into())),
        Fetch::TransactionStatus => match ctx.progress.status {
            status @ 1.. => Ok(Sample::Int(status.into())),
            _ => Err(ABSENT),
        },
        Fetch::ClientError(form) => {
            Ok(error(ctx.progress.client_connection.unwrap_or(ConnectError::None), *form))
        }
        Fetch::ServerError(form) => Ok(error(ctx.progress.server_connection.ok_or(ABSENT)?, *form)),
        Fetch::TransactionId => Ok(Sample::Int((ctx.progress.request_counter & 0xffff_ffff).cast_signed())),
        Fetch::PriorityClass => Ok(Sample::Int(ctx.progress.priority.0.into())),
        Fetch::PriorityOffset => Ok(Sample::Int(ctx.progress.priority.1.into())),
        Fetch::UniqueId => ctx.progress.unique_id.map(Sample::text).ok_or(ABSENT),
        _ => Err(ABSENT),
    }
}

fn error(error: ConnectError, form: ErrorForm) -> Sample<'static> {
    let (number, name, words) = error.described();
    match form {
        ErrorForm::Number => Sample::Int(number),
        ErrorForm::Name => Sample::text(name.as_bytes()),
        ErrorForm::Text => Sample::text(words.as_bytes()),
    }
}

fn peer(end: Endpoint, ctx: &Ctx<'_>) -> Option<Peer> {
    match end {
        Endpoint::Src => ctx.client.src,
        Endpoint::Dst => ctx.client.dst,
        Endpoint::FcSrc => ctx.client.fc_src,
        Endpoint::FcDst => ctx.client.fc_dst,
        Endpoint::BcSrc => ctx.server?.bc_src,
        Endpoint::BcDst => ctx.server?.bc_dst,
    }
}

fn ip(end: Endpoint, ctx: &Ctx<'_>) -> Option<IpAddr> {
    peer(end, ctx)?.ip().map(|addr| addr.ip())
}
