//! Rows of the fetches, by layer.

mod message;

use std::net::{Ipv4Addr, Ipv6Addr};

use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::expr::Call;
use tandem_parser::lex::{Word, bytes_of};
use tandem_parser::suggest;

use super::args::Args;
use super::check::Valid::{self, Any, Backend, End, Message, Server, Status, Transaction};
use super::check::phase;
use super::known;
use super::names::{self, Build, FetchRow};
use super::{Language, Read};
use crate::ir::ProxyIdx;
use crate::ir::expr::{
    CostNumber as C, Dir, Endpoint as E, ErrorForm, Fetch as F, HtxBlock, HtxNumber, HtxPart, LastRule,
    ProcessNumber as P, ProxyNumber as N, ProxyRef, SampleType, Scope, ServerNumber as S, ServerRef,
    TcpNumber, Term, TimeoutName as T, Timer, Value,
};
pub(super) use message::turn_to_response;

/// All rows.
pub(super) const ROWS: &[&[FetchRow]] =
    &[INTERNAL, CONNECTION, message::PAYLOAD, message::HTTP, message::MESSAGES, TRANSACTION];

const fn row(
    name: &'static str,
    usage: &'static str,
    count: (usize, usize),
    valid: Valid,
    build: Build<F>,
) -> FetchRow {
    FetchRow { name, usage, count, valid, build }
}

/// A fetch without arguments.
const fn plain(name: &'static str, valid: Valid, build: Build<F>) -> FetchRow {
    row(name, "", (0, 0), valid, build)
}

const INTERNAL: &[FetchRow] = &[
    plain("always_true", Any, |_, _| Some(F::Const(Value::Bool(true)))),
    plain("always_false", Any, |_, _| Some(F::Const(Value::Bool(false)))),
    row("bool", "(<bool>)", (1, 1), Any, |l, a| match a.opt(0) {
        Some("1" | "true") => Some(F::Const(Value::Bool(true))),
        Some("0" | "false") => Some(F::Const(Value::Bool(false))),
        _ => a.invalid(l, 0, "Expects 'true', 'false', '0' or '1'"),
    }),
    row("int", "(<integer>)", (1, 1), Any, |l, a| Some(F::Const(Value::Int(a.int(l, 0)?)))),
    row("str", "(<string>)", (1, 1), Any, |_, a| Some(F::Const(Value::Str(a.bytes(0))))),
    row("bin", "(<hexa>)", (1, 1), Any, |l, a| match super::pattern::hex(a.opt(0).unwrap_or_default()) {
        Ok(bytes) if !bytes.is_empty() => Some(F::Const(Value::Bin(bytes))),
        Ok(_) => a.invalid(l, 0, "an even number of hex digit is expected"),
        Err(cause) => a.invalid(l, 0, cause),
    }),
    row("meth", "(<method>)", (1, 1), Any, |_, a| Some(F::Const(Value::Meth(a.bytes(0))))),
    row("ipv4", "(<ipv4>)", (1, 1), Any, |l, a| match a.opt(0).unwrap_or_default().parse::<Ipv4Addr>() {
        Ok(ip) => Some(F::Const(Value::Ipv4(ip))),
        Err(_) => a.unread(l, 0, "IPv4 address"),
    }),
    row("ipv6", "(<ipv6>)", (1, 1), Any, |l, a| match a.opt(0).unwrap_or_default().parse::<Ipv6Addr>() {
        Ok(ip) => Some(F::Const(Value::Ipv6(ip))),
        Err(_) => a.unread(l, 0, "IPv6 address"),
    }),
    // As the files leave the environment.
    row("env", "(<name>)", (1, 1), Any, |l, a| {
        let value = l.world.var(a.opt(0).unwrap_or_default());
        Some(value.map_or(F::Absent, |value| F::Const(Value::Str(value.into_bytes().into()))))
    }),
    plain("quic_enabled", Any, |_, _| Some(F::Const(Value::Bool(false)))),
    row("acl", "([!]<name>[,...])", (1, 12), Any, |l, a| {
        let mut terms = Vec::new();
        for nth in 0..a.call.args.len() {
            let text = a.opt(nth).unwrap_or_default();
            let (negated, name) = text.strip_prefix('!').map_or((false, text), |name| (true, name));
            terms.push(Term { negated, acl: l.acl_by_name(name, a.span(nth))? });
        }
        Some(F::Acls(terms))
    }),
    plain("hostname", Any, |l, _| Some(F::Const(Value::Str(l.world.hostname().into_bytes().into())))),
    plain("nbproc", Any, |_, _| Some(F::Const(Value::Int(1)))),
    plain("proc", Any, |_, _| Some(F::Const(Value::Int(1)))),
    plain("tgroup", Any, |_, _| Some(F::Const(Value::Int(0)))),
    plain("thread", Any, |_, _| Some(F::Thread)),
    plain("pid", Any, |_, _| Some(F::Pid)),
    plain("stopping", Any, |_, _| Some(F::Process(P::Stopping))),
    plain("uptime", Any, |_, _| Some(F::Process(P::Uptime))),
    plain("act_conn", Any, |_, _| Some(F::Process(P::Connections))),
    row("date", "([<offset>[,<unit>]])", (0, 2), Any, |l, a| {
        Some(F::Date(a.opt_int(l, 0)?.unwrap_or(0), a.unit(l, 1)?))
    }),
    plain("date_us", Any, |_, _| Some(F::DateMicros)),
    row("accept_date", "([<unit>])", (0, 1), Any, |l, a| Some(F::AcceptDate(a.unit(l, 0)?))),
    row("request_date", "([<unit>])", (0, 1), Transaction, |l, a| Some(F::RequestDate(a.unit(l, 0)?))),
    row("rand", "([<range>])", (0, 1), Any, |l, a| match a.opt_int(l, 0)?.map(u32::try_from) {
        None => Some(F::Rand(None)),
        Some(Ok(range)) => Some(F::Rand(Some(range))),
        // Of a longer number, the low 32 bits.
        Some(Err(_)) => {
            a.odd(l, 0, "the range must be between 0 and 4294967295".to_owned());
            Some(F::Rand(None))
        }
    }),
    row("uuid", "([<version>])", (0, 1), Any, |l, a| match a.opt_int(l, 0)? {
        None | Some(4) => Some(F::Uuid),
        Some(7) => Some(F::Uuid7),
        Some(other) => a.invalid(l, 0, format!("Unsupported UUID version: '{other}'")),
    }),
    row("var", "(<var-name>[,<default>])", (1, 2), Any, |l, a| {
        let default = a.opt(1).map(|text| Value::Str(bytes_of(text).into()));
        Some(F::Var(a.var(l, 0)?, default))
    }),
    row("dump_all_vars", "([<scope>][,<prefix>][,<delimiter>])", (0, 3), Any, |l, a| {
        let scope = match a.filled(0) {
            // As HAProxy 3.5, which means all of them only where there are parentheses.
            None if !a.call.parenthesised => Some(Scope::Txn),
            None => None,
            Some(name) => match super::scope(name) {
                Some(scope) if scope != Scope::Parent => Some(scope),
                _ => {
                    let cause = format!("invalid scope '{name}', must be one of: sess, txn, req, res, proc");
                    return a.invalid(l, 0, cause);
                }
            },
        };
        let text = |nth: usize, default: &str| a.opt(nth).unwrap_or(default).into();
        Some(F::DumpVars { scope, prefix: text(1, ""), delimiter: text(2, ", ") })
    }),
    plain("cpu_usage_thr", Any, |_, _| Some(F::Process(P::ThreadUsage))),
    // There is one group of threads.
    plain("cpu_usage_grp", Any, |_, _| Some(F::Process(P::Usage))),
    plain("cpu_usage_proc", Any, |_, _| Some(F::Process(P::Usage))),
    plain("cpu_calls", Any, |_, _| Some(F::Cost(C::Calls))),
    plain("cpu_ns_tot", Any, |_, _| Some(F::Cost(C::Cpu))),
    plain("cpu_ns_avg", Any, |_, _| Some(F::Cost(C::CpuPerCall))),
    plain("lat_ns_tot", Any, |_, _| Some(F::Cost(C::Latency))),
    plain("lat_ns_avg", Any, |_, _| Some(F::Cost(C::LatencyPerCall))),
    row("avg_queue", "([<backend>])", (0, 1), Any, |l, a| backend(l, a, N::AverageQueue)),
    row("be_conn", "([<backend>])", (0, 1), Any, |l, a| backend(l, a, N::BackendConnections)),
    row("be_conn_free", "([<backend>])", (0, 1), Any, |l, a| backend(l, a, N::BackendConnectionsFree)),
    row("be_sess_rate", "([<backend>])", (0, 1), Any, |l, a| backend(l, a, N::BackendSessionRate)),
    row("connslots", "([<backend>])", (0, 1), Any, |l, a| backend(l, a, N::ConnectionSlots)),
    row("nbsrv", "([<backend>])", (0, 1), Any, |l, a| backend(l, a, N::UsableServers)),
    row("queue", "([<backend>])", (0, 1), Any, |l, a| backend(l, a, N::Queue)),
    row("fe_conn", "([<frontend>])", (0, 1), Any, |l, a| frontend(l, a, N::FrontendConnections)),
    row("fe_req_rate", "([<frontend>])", (0, 1), Any, |l, a| frontend(l, a, N::FrontendRequestRate)),
    row("fe_sess_rate", "([<frontend>])", (0, 1), Any, |l, a| frontend(l, a, N::FrontendSessionRate)),
    row("srv_is_up", "([<backend>/]<server>)", (1, 1), Any, |l, a| server(l, a, S::IsUp)),
    row("srv_conn", "([<backend>/]<server>)", (1, 1), Any, |l, a| server(l, a, S::Connections)),
    row("srv_conn_free", "([<backend>/]<server>)", (1, 1), Any, |l, a| server(l, a, S::ConnectionsFree)),
    row("srv_queue", "([<backend>/]<server>)", (1, 1), Any, |l, a| server(l, a, S::Queue)),
    row("srv_sess_rate", "([<backend>/]<server>)", (1, 1), Any, |l, a| server(l, a, S::SessionRate)),
    row("srv_weight", "([<backend>/]<server>)", (1, 1), Any, |l, a| server(l, a, S::Weight)),
    row("srv_iweight", "([<backend>/]<server>)", (1, 1), Any, |l, a| server(l, a, S::InitialWeight)),
    row("srv_uweight", "([<backend>/]<server>)", (1, 1), Any, |l, a| server(l, a, S::UserWeight)),
];

const CONNECTION: &[FetchRow] = &[
    plain("src", Any, |_, _| Some(F::Addr(E::Src))),
    plain("src_port", Any, |_, _| Some(F::Port(E::Src))),
    plain("src_is_local", Any, |_, _| Some(F::IsLocal(E::Src))),
    plain("dst", Any, |_, _| Some(F::Addr(E::Dst))),
    plain("dst_port", Any, |_, _| Some(F::Port(E::Dst))),
    plain("dst_is_local", Any, |_, _| Some(F::IsLocal(E::Dst))),
    plain("dst_conn", Any, |_, _| Some(F::ListenerConnections)),
    plain("fc_src", Any, |_, _| Some(F::Addr(E::FcSrc))),
    plain("fc_src_port", Any, |_, _| Some(F::Port(E::FcSrc))),
    plain("fc_src_is_local", Any, |_, _| Some(F::IsLocal(E::FcSrc))),
    plain("fc_dst", Any, |_, _| Some(F::Addr(E::FcDst))),
    plain("fc_dst_port", Any, |_, _| Some(F::Port(E::FcDst))),
    plain("fc_dst_is_local", Any, |_, _| Some(F::IsLocal(E::FcDst))),
    plain("bc_src", Server, |_, _| Some(F::Addr(E::BcSrc))),
    plain("bc_src_port", Server, |_, _| Some(F::Port(E::BcSrc))),
    plain("bc_dst", Server, |_, _| Some(F::Addr(E::BcDst))),
    plain("bc_dst_port", Server, |_, _| Some(F::Port(E::BcDst))),
    plain("fc_rcvd_proxy", Any, |_, _| Some(F::ReceivedProxy)),
    plain("bc_reused", Server, |_, _| Some(F::ServerReused)),
    plain("be_max_retries", Backend, |_, _| Some(F::MaxRetries(false))),
    plain("cur_max_retries", Backend, |_, _| Some(F::MaxRetries(true))),
    plain("fc_pp_authority", Any, |_, _| Some(F::ProxyTlv(2))),
    plain("fc_pp_unique_id", Any, |_, _| Some(F::ProxyTlv(5))),
    row("fc_pp_tlv", "(<type>)", (1, 1), Any, |l, a| match tlv_type(a.opt(0).unwrap_or_default()) {
        Some(kind) => Some(F::ProxyTlv(kind)),
        None => a.invalid(l, 0, "expects the type of an extension, such as 0xE1 or AUTHORITY"),
    }),
    row("fc_rtt", "([<unit>])", (0, 1), Any, |l, a| round_trip(l, a, Dir::Req, TcpNumber::Rtt)),
    row("fc_rttvar", "([<unit>])", (0, 1), Any, |l, a| round_trip(l, a, Dir::Req, TcpNumber::RttVar)),
    row("bc_rtt", "([<unit>])", (0, 1), Server, |l, a| round_trip(l, a, Dir::Res, TcpNumber::Rtt)),
    row("bc_rttvar", "([<unit>])", (0, 1), Server, |l, a| round_trip(l, a, Dir::Res, TcpNumber::RttVar)),
    plain("fc_saved_syn", Any, |_, _| Some(F::SavedSyn)),
    row("fc_unacked", "", (0, 1), Any, |_, _| Some(counted(TcpNumber::Unacked))),
    row("fc_sacked", "", (0, 1), Any, |_, _| Some(counted(TcpNumber::Sacked))),
    row("fc_lost", "", (0, 1), Any, |_, _| Some(counted(TcpNumber::Lost))),
    row("fc_retrans", "", (0, 1), Any, |_, _| Some(counted(TcpNumber::Retrans))),
    row("fc_fackets", "", (0, 1), Any, |_, _| Some(counted(TcpNumber::Fackets))),
    row("fc_reordering", "", (0, 1), Any, |_, _| Some(counted(TcpNumber::Reordering))),
    plain("fc_err", Any, |_, _| Some(F::ClientError(ErrorForm::Number))),
    plain("fc_err_str", Any, |_, _| Some(F::ClientError(ErrorForm::Text))),
    plain("fc_err_name", Any, |_, _| Some(F::ClientError(ErrorForm::Name))),
    // HTTP/1 carries one message at a time.
    plain("fc_nb_streams", Any, |_, _| Some(F::Const(Value::Int(1)))),
    plain("bc_nb_streams", Server, |_, _| Some(F::Const(Value::Int(1)))),
    plain("fc_settings_streams_limit", Any, |_, _| Some(F::Const(Value::Int(1)))),
    plain("bc_settings_streams_limit", Server, |_, _| Some(F::Const(Value::Int(1)))),
    plain("fc_glitches", Any, |_, _| Some(F::Const(Value::Int(0)))),
    plain("bc_glitches", Server, |_, _| Some(F::Const(Value::Int(0)))),
    plain("bc_be_queue", Server, |_, _| Some(F::QueuedBefore(false))),
    plain("bc_srv_queue", Server, |_, _| Some(F::QueuedBefore(true))),
    plain("fc_http_major", Any, |_, _| Some(F::FrontHttpMajor)),
    plain("bc_http_major", Server, |_, _| Some(F::BackHttpMajor)),
    plain("fe_name", Any, |_, _| Some(F::FrontendName)),
    plain("fe_id", Any, |_, _| Some(F::FrontendId)),
    plain("fe_defbe", Any, |_, _| Some(F::FrontendDefaultBackend)),
    plain("be_name", Backend, |_, _| Some(F::BackendName)),
    plain("be_id", Backend, |_, _| Some(F::BackendId)),
    plain("srv_name", Server, |_, _| Some(F::ServerName)),
    plain("srv_id", Server, |_, _| Some(F::ServerId)),
    plain("so_name", Any, |_, _| Some(F::ListenerName)),
    plain("so_id", Any, |_, _| Some(F::ListenerId)),
    plain("ssl_fc", Any, |_, _| Some(F::IsTls(Dir::Req))),
    plain("ssl_bc", Server, |_, _| Some(F::IsTls(Dir::Res))),
    plain("be_server_timeout", Backend, |_, _| Some(F::Timeout(T::BeServer))),
    plain("be_tunnel_timeout", Backend, |_, _| Some(F::Timeout(T::BeTunnel))),
    plain("be_connect_timeout", Backend, |_, _| Some(F::Timeout(T::BeConnect))),
    plain("be_queue_timeout", Backend, |_, _| Some(F::Timeout(T::BeQueue))),
    plain("be_tarpit_timeout", Backend, |_, _| Some(F::Timeout(T::BeTarpit))),
    plain("cur_server_timeout", Backend, |_, _| Some(F::Timeout(T::CurServer))),
    plain("cur_tunnel_timeout", Backend, |_, _| Some(F::Timeout(T::CurTunnel))),
    plain("cur_client_timeout", Any, |_, _| Some(F::Timeout(T::CurClient))),
    plain("cur_connect_timeout", Backend, |_, _| Some(F::Timeout(T::CurConnect))),
    plain("cur_queue_timeout", Backend, |_, _| Some(F::Timeout(T::CurQueue))),
    plain("cur_tarpit_timeout", Any, |_, _| Some(F::Timeout(T::CurTarpit))),
    plain("fe_tarpit_timeout", Any, |_, _| Some(F::Timeout(T::FeTarpit))),
    plain("fe_client_timeout", Any, |_, _| Some(F::Timeout(T::FeClient))),
];

fn counted(number: TcpNumber) -> F {
    F::Tcp { side: Dir::Req, number, micros: false }
}

/// A time that the kernel measures, in milliseconds unless microseconds are asked for.
fn round_trip(l: &mut Language<'_>, a: &Args<'_>, side: Dir, number: TcpNumber) -> Read<F> {
    let micros = match a.filled(0) {
        None | Some("ms") => false,
        Some("us") => true,
        Some(other) => return a.invalid(l, 0, format!("expects 'us' or 'ms', got '{other}'")),
    };
    Some(F::Tcp { side, number, micros })
}

/// Type of an extension of the PROXY protocol, as a number (also octal and hexadecimal) or a name.
pub(in crate::lower) fn tlv_type(text: &str) -> Option<u8> {
    const NAMED: &[(&str, u8)] = &[
        ("alpn", 0x01),
        ("authority", 0x02),
        ("crc32c", 0x03),
        ("noop", 0x04),
        ("unique_id", 0x05),
        ("ssl", 0x20),
        ("ssl_version", 0x21),
        ("ssl_cn", 0x22),
        ("ssl_cipher", 0x23),
        ("ssl_sig_alg", 0x24),
        ("ssl_key_alg", 0x25),
        ("netns", 0x30),
    ];
    if let Some((_, kind)) = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Some(*kind);
    }
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u8::from_str_radix(digits, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u8::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    }
}

const TRANSACTION: &[FetchRow] = &[
    row("capture.req.hdr", "(<idx>)", (1, 1), Transaction, |l, a| capture(l, a, Dir::Req)),
    row("capture.res.hdr", "(<idx>)", (1, 1), Transaction, |l, a| capture(l, a, Dir::Res)),
    plain("capture.req.method", Transaction, |_, _| Some(F::CaptureMethod)),
    plain("capture.req.uri", Transaction, |_, _| Some(F::CaptureUri)),
    plain("capture.req.ver", Transaction, |_, _| Some(F::CaptureVersion(Dir::Req))),
    plain("capture.res.ver", Transaction, |_, _| Some(F::CaptureVersion(Dir::Res))),
    plain("last_rule_file", Any, |_, _| Some(F::LastRule(LastRule::File))),
    plain("last_entity", Any, |_, _| Some(F::LastRule(LastRule::Both))),
    plain("last_rule_line", Any, |_, _| Some(F::LastRule(LastRule::Line))),
    plain("waiting_entity", Any, |_, _| Some(F::LastRule(LastRule::Waiting))),
    plain("server_status", Server, |_, _| Some(F::ServerStatus)),
    plain("bc_err", Server, |_, _| Some(F::ServerError(ErrorForm::Number))),
    plain("bc_err_name", Server, |_, _| Some(F::ServerError(ErrorForm::Name))),
    plain("bc_err_str", Server, |_, _| Some(F::ServerError(ErrorForm::Text))),
    // Streams are aborted, with a code, in HTTP/2 and 3; in HTTP/1 they end with their connection.
    plain("fs.aborted", Transaction, |_, _| Some(F::Const(Value::Bool(false)))),
    plain("bs.aborted", Server, |_, _| Some(F::Const(Value::Bool(false)))),
    plain("fs.rst_code", Transaction, |_, _| Some(F::Never)),
    plain("bs.rst_code", Server, |_, _| Some(F::Never)),
    plain("fs.id", Any, |_, _| Some(F::StreamId(Dir::Req))),
    plain("bs.id", Server, |_, _| Some(F::StreamId(Dir::Res))),
    row("fs.debug_str", "([<bitmap>])", (0, 1), Any, |l, a| {
        Some(F::DebugStr(Dir::Req, a.opt_int(l, 0)?.unwrap_or(0)))
    }),
    row("bs.debug_str", "([<bitmap>])", (0, 1), Server, |l, a| {
        Some(F::DebugStr(Dir::Res, a.opt_int(l, 0)?.unwrap_or(0)))
    }),
    plain("term_events", Any, |_, _| Some(F::TermEvents)),
    plain("internal.strm.is_htx", Any, |_, _| Some(F::IsHtx)),
    plain("internal.htx.nbblks", Message, |_, _| Some(F::Htx(Dir::Req, HtxNumber::Blocks))),
    plain("internal.htx.size", Message, |_, _| Some(F::Htx(Dir::Req, HtxNumber::Size))),
    plain("internal.htx.data", Message, |_, _| Some(F::Htx(Dir::Req, HtxNumber::Data))),
    plain("internal.htx.used", Message, |_, _| Some(F::Htx(Dir::Req, HtxNumber::Used))),
    plain("internal.htx.free", Message, |_, _| Some(F::Htx(Dir::Req, HtxNumber::Free))),
    plain("internal.htx.free_data", Message, |_, _| Some(F::Htx(Dir::Req, HtxNumber::FreeData))),
    plain("internal.htx.has_eom", Message, |_, _| Some(F::HtxEom(Dir::Req))),
    row("internal.htx_blk.type", "(<idx>)", (1, 1), Message, |l, a| block(l, a, HtxPart::Type)),
    row("internal.htx_blk.size", "(<idx>)", (1, 1), Message, |l, a| block(l, a, HtxPart::Size)),
    row("internal.htx_blk.start_line", "(<idx>)", (1, 1), Message, |l, a| block(l, a, HtxPart::StartLine)),
    row("internal.htx_blk.hdrname", "(<idx>)", (1, 1), Message, |l, a| block(l, a, HtxPart::HeaderName)),
    row("internal.htx_blk.hdrval", "(<idx>)", (1, 1), Message, |l, a| block(l, a, HtxPart::HeaderValue)),
    row("internal.htx_blk.data", "(<idx>)", (1, 1), Message, |l, a| block(l, a, HtxPart::Data)),
    plain("txn.id32", Transaction, |_, _| Some(F::TransactionId)),
    plain("prio_class", Transaction, |_, _| Some(F::PriorityClass)),
    plain("prio_offset", Transaction, |_, _| Some(F::PriorityOffset)),
    plain("unique-id", Any, |_, _| Some(F::UniqueId)),
    plain("txn.conn_retries", Server, |_, _| Some(F::Retries)),
    plain("txn.redispatched", Server, |_, _| Some(F::Redispatched)),
    plain("txn.sess_term_state", End, |_, _| Some(F::TermState)),
    plain("bytes_in", Transaction, |_, _| Some(F::Bytes(Dir::Req))),
    plain("bytes_out", Transaction, |_, _| Some(F::Bytes(Dir::Res))),
    plain("req.bytes_in", Transaction, |_, _| Some(F::Bytes(Dir::Req))),
    plain("res.bytes_in", Transaction, |_, _| Some(F::Bytes(Dir::Res))),
    plain("req.bytes_out", Transaction, |_, _| Some(F::Bytes(Dir::Req))),
    plain("res.bytes_out", Transaction, |_, _| Some(F::Bytes(Dir::Res))),
    plain("bc.timer.connect", Status, |_, _| Some(F::Timer(Timer::Connect))),
    plain("fc.timer.handshake", Any, |_, _| Some(F::Timer(Timer::Handshake))),
    plain("fc.timer.total", End, |_, _| Some(F::Timer(Timer::Total))),
    plain("req.timer.idle", Transaction, |_, _| Some(F::Timer(Timer::Idle))),
    plain("req.timer.tq", Transaction, |_, _| Some(F::Timer(Timer::Query))),
    plain("req.timer.hdr", Transaction, |_, _| Some(F::Timer(Timer::Request))),
    plain("req.timer.queue", Server, |_, _| Some(F::Timer(Timer::Wait))),
    plain("res.timer.hdr", Status, |_, _| Some(F::Timer(Timer::Response))),
    plain("res.timer.data", End, |_, _| Some(F::Timer(Timer::Data))),
    plain("res.timer.user", End, |_, _| Some(F::Timer(Timer::User))),
    plain("txn.timer.user", End, |_, _| Some(F::Timer(Timer::User))),
    plain("txn.timer.total", End, |_, _| Some(F::Timer(Timer::Active))),
];

/// A block of the message, by its place or the name of one.
fn block(l: &mut Language<'_>, a: &Args<'_>, part: HtxPart) -> Read<F> {
    let which = match a.opt(0).unwrap_or_default() {
        "" => return a.invalid(l, 0, known::BLOCK),
        "head" => HtxBlock::Head,
        "tail" => HtxBlock::Tail,
        "first" => HtxBlock::First,
        place => match place.parse::<u32>() {
            Ok(place) => HtxBlock::At(place as usize),
            Err(_) => return a.invalid(l, 0, "invalid block position"),
        },
    };
    Some(F::HtxBlock(Dir::Req, part, which))
}

fn capture(l: &mut Language<'_>, a: &Args<'_>, dir: Dir) -> Read<F> {
    Some(F::Capture(dir, a.position(l, 0)?))
}

/// A name that nothing has; `end` follows the place that names it.
fn unknown<T>(l: &mut Language<'_>, a: &Args<'_>, what: &str, end: &str) -> Read<T> {
    let message = format!("{what} in arg 1 of '{}'{end}.", a.call.name);
    l.alert(Reason::UnknownReference, a.span(0), message)
}

fn userlist(l: &mut Language<'_>, a: &Args<'_>) -> Read<std::sync::Arc<crate::ir::Userlist>> {
    let name = a.opt(0).unwrap_or_default();
    match l.world.userlist(name) {
        Some(list) => Some(list),
        None if name.is_empty() => unknown(l, a, "missing userlist name", ""),
        None => unknown(l, a, &format!("unable to find userlist '{name}' referenced"), ""),
    }
}

/// The backend that an argument names, or the own one.
fn backend(l: &mut Language<'_>, a: &Args<'_>, number: N) -> Read<F> {
    let named = |l: &Language<'_>, name: &str| l.world.backend(name);
    proxy(l, a, number, ("backend", l.owner.backend, ProxyRef::CurrentBackend), named)
}

/// The frontend that an argument names, or the own one.
fn frontend(l: &mut Language<'_>, a: &Args<'_>, number: N) -> Read<F> {
    let named = |l: &Language<'_>, name: &str| l.world.frontend(name);
    proxy(l, a, number, ("frontend", l.owner.frontend, ProxyRef::CurrentFrontend), named)
}

/// A number of a proxy's side: its name, whether the own proxy has it, and what is meant then.
fn proxy(
    l: &mut Language<'_>,
    a: &Args<'_>,
    number: N,
    (side, has, own): (&str, bool, ProxyRef),
    named: impl Fn(&Language<'_>, &str) -> Option<ProxyIdx>,
) -> Read<F> {
    let Some(name) = a.filled(0) else {
        if !has {
            let own = format!("proxy '{}', referenced", l.owner.name);
            return unknown(l, a, &own, &format!(", has not {side} capability"));
        }
        return Some(F::Proxy(own, number));
    };
    match named(l, name) {
        Some(idx) => Some(F::Proxy(ProxyRef::Named(idx), number)),
        None => unknown(l, a, &format!("unable to find {side} '{name}' referenced"), ""),
    }
}

fn server(l: &mut Language<'_>, a: &Args<'_>, number: S) -> Read<F> {
    let written = a.opt(0).unwrap_or_default();
    let (proxy, name, of) = match written.split_once('/') {
        Some((proxy, name)) => match l.world.backend(proxy) {
            Some(idx) => (Some(idx), name, proxy),
            None => return unknown(l, a, &format!("unable to find proxy '{proxy}' referenced"), ""),
        },
        None if written.is_empty() => return unknown(l, a, "missing server name", ""),
        None if l.owner.inherited => {
            let message =
                format!("backend name must be set in arg 1 of sample fetch keyword '{}'.", a.call.name);
            return l.alert(Reason::Incomplete, a.span(0), message);
        }
        None => (l.owner.idx.filter(|_| l.owner.backend), written, l.owner.name.as_str()),
    };
    match proxy.and_then(|proxy| Some((proxy, l.world.server(proxy, name)?))) {
        Some((proxy, index)) => {
            let server = ServerRef { proxy: ProxyRef::Named(proxy), index, name: name.into() };
            Some(F::Server(server, number))
        }
        None => {
            let what = format!("unable to find server '{name}' in proxy '{of}', referenced");
            unknown(l, a, &what, "")
        }
    }
}

/// Is this the name of a fetch?
pub(super) fn is_known(name: &str) -> bool {
    names::fetch_row(name).is_some() || known::fetch(name).is_some()
}

/// A fetch with its type and the phases in which it has a value. Of one that this build has not, the type alone is
/// real; that it is missing has been said.
pub(super) struct Found {
    pub(super) fetch: F,
    pub(super) out: SampleType,
    pub(super) phases: u32,
    /// It means the response where a response is looked at.
    pub(super) either: bool,
}

impl Language<'_> {
    /// A fetch and where it has a value.
    pub(super) fn fetch(&mut self, call: &Call, word: &Word) -> Read<Found> {
        let args = Args::of_fetch(call, word);
        let name = &call.name;
        let known = known::fetch(name);
        if let Some(row) = names::fetch_row(name) {
            args.count(self, row.count.0, row.count.1)?;
            let fetch = (row.build)(self, &args)?;
            self.reads_request_line |=
                matches!(fetch, F::CaptureMethod | F::CaptureUri | F::CaptureVersion(Dir::Req));
            self.reads_unique_id |= matches!(fetch, F::UniqueId);
            self.reads_server_addresses |=
                matches!(fetch, F::Addr(E::BcSrc | E::BcDst) | F::Port(E::BcSrc | E::BcDst));
            let out = crate::expr::fetch::type_of(&fetch);
            let phases = known.map_or_else(|| row.valid.phases(), |known| known.phases);
            return Some(Found { fetch, out, phases, either: row.valid == Message });
        }
        let scripted = name.starts_with("lua.") && self.world.lua();
        if known.is_some() || scripted {
            let (out, phases) =
                known.map_or((SampleType::Str, phase::ALL), |known| (known.out, known.phases));
            known::check(self, &args, known.map_or("?sssssssssss", |known| known.args))?;
            let why = names::fetch_later(name).unwrap_or(names::LATER);
            let message = format!("sample fetch '{name}' cannot be used : {why}.");
            let d = Diagnostic::alert(Reason::Refused, args.name_span(), message);
            self.say(d.help(
                "nothing is evaluated in its place, because a condition that never holds may open a door",
            ));
            return Some(Found { fetch: F::Pid, out, phases, either: false });
        }
        let near = suggest::nearest(name, known::fetch_names());
        self.unknown_fetch(call, word, "", near)
    }

    /// Is there a fetch of that name?
    pub(super) fn is_fetch(&self, name: &str) -> bool {
        names::fetch_row(name).is_some()
            || known::fetch(name).is_some()
            || name.starts_with("lua.") && self.world.lua()
    }

    /// Says that there is none, `where_` it is named, and what may be meant.
    pub(super) fn unknown_fetch<T>(
        &mut self,
        call: &Call,
        word: &Word,
        where_: &str,
        near: Option<&str>,
    ) -> Read<T> {
        let span = Args::of_fetch(call, word).name_span();
        let message = format!("unknown fetch method '{}'{where_}.", call.name);
        let d = Diagnostic::alert(Reason::UnknownKeyword, span, message);
        self.say(near.into_iter().fold(d, |d, near| d.help(format!("did you mean '{near}'?"))));
        None
    }
}
