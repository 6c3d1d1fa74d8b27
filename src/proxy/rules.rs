//! Where the engine asks `expr`: rule lists, conditions, log lines.

use std::sync::Arc;

use super::failure::{Failure, Phase, Who};
use super::txn::Txn;
use crate::expr::eval_cond;
use crate::expr::{Ctx, Session, Verdict, chain, logformat, rules};
use crate::ir;
use crate::ir::expr::Dir;
use crate::ir::log::{LogFormatKind, LogStep};
use crate::ir::proxy::{PersistRule, UseBackendTarget};
use crate::live::{Proxy, Server};

/// Append the log line of the proxy's format.
pub(super) fn render_log(proxy: &ir::Proxy, ctx: &Ctx<'_>, out: &mut Vec<u8>) {
    match logformat::of_kind(&proxy.log_format) {
        Some(format) => logformat::render(format, ctx, out),
        None => logformat::write_connect(ctx, out),
    }
}

/// Is the proxy's line the short one that is written at the beginning?
pub(super) fn logs_connect(proxy: &ir::Proxy) -> bool {
    matches!(proxy.log_format, LogFormatKind::Default)
}

/// `tcp-request connection`: what the socket says.
pub(super) fn connection(txn: &mut Txn) -> Verdict {
    let fe = txn.door.fe.clone();
    txn.rules_step = LogStep::TcpConnection;
    let outcome = early(txn, |txn| rules::tcp_connection(&fe.ir.tcp_request_connection, txn));
    txn.settle_connection();
    outcome
}

/// `tcp-request session`: what a PROXY header said too.
pub(super) fn session(txn: &mut Txn) -> Verdict {
    let fe = txn.door.fe.clone();
    txn.rules_step = LogStep::TcpSession;
    early(txn, |txn| rules::tcp_connection(&fe.ir.tcp_request_session, txn))
}

/// What rules write before there is a stream has the code of one that was refused.
fn early(txn: &mut Txn, rules: impl FnOnce(&mut Txn) -> Verdict) -> Verdict {
    let refused = Failure { who: Who::Proxy, phase: Phase::Request, ..Failure::default() };
    let before = std::mem::replace(&mut txn.failure, refused);
    let outcome = rules(txn);
    txn.failure = before;
    outcome
}

/// `tcp-request content` of `proxy` from rule `from` on.
pub(super) fn tcp_content(txn: &mut Txn, proxy: &Arc<Proxy>, from: usize) -> Verdict {
    txn.rules_step = LogStep::TcpContent;
    txn.waiting = None;
    let outcome = rules::tcp_content(&proxy.ir.tcp_request_content, from, Dir::Req, txn);
    txn.settle_captures();
    outcome
}

/// `tcp-response content` of the backend from rule `from` on.
pub(super) fn tcp_response(txn: &mut Txn, from: usize) -> Verdict {
    let be = txn.be().clone();
    txn.rules_step = LogStep::TcpResponse;
    txn.vars.answer();
    txn.waiting = None;
    rules::tcp_content(&be.ir.tcp_response_content, from, Dir::Res, txn)
}

/// `use_backend`, then `default_backend`.
pub(super) fn choose_backend(txn: &Txn) -> Option<Arc<Proxy>> {
    let half = txn.door.fe.ir.frontend.as_ref()?;
    if !half.use_backends.is_empty() {
        let ctx = txn.ctx();
        let mut at = chain::first(&half.switching, &ctx);
        while let Some(rule) = at.and_then(|at| half.use_backends.get(at)) {
            let proxy = match &rule.target {
                UseBackendTarget::Static(idx) => txn.door.live().proxy(*idx),
                UseBackendTarget::Dynamic(format) => {
                    let name = logformat::to_vec(format, &ctx);
                    std::str::from_utf8(&name).ok().and_then(|n| txn.door.live().backend_named(n))
                }
            };
            match proxy {
                Some(proxy) if may_switch_to(txn, &proxy) => return Some(proxy),
                // Rules behind it have their turn.
                Some(_) => {
                    let applies = |rule: &ir::proxy::UseBackend| {
                        rule.cond.as_ref().is_none_or(|cond| eval_cond(cond, &ctx))
                    };
                    let next = at.map_or(0, |at| at + 1);
                    at = half.use_backends[next..].iter().position(applies).map(|skipped| next + skipped);
                }
                // A name nobody has falls through to the default backend, as the manual says.
                None => break,
            }
        }
    }
    let default = half.default_backend.and_then(|idx| txn.door.live().proxy(idx));
    // Or the session stays where it is.
    default
        .filter(|proxy| may_switch_to(txn, proxy))
        .or_else(|| txn.door.fe.backend.is_some().then(|| txn.door.fe.clone()))
}

/// May rules lead to this backend? Not while it is disabled or unpublished, unless `force-be-switch` says so.
fn may_switch_to(txn: &Txn, proxy: &Arc<Proxy>) -> bool {
    let eligible = proxy.backend.as_ref().is_none_or(|be| be.is_published()) && !proxy.ir.disabled;
    eligible || any(txn, txn.door.fe.ir.frontend.as_ref().map_or(&[], |f| &f.force_be_switch))
}

/// `use-server`: the first rule that applies and whose server can be used.
pub(super) fn use_server(txn: &Txn) -> Option<Arc<Server>> {
    let half = txn.be().ir.backend.as_ref()?;
    if half.use_servers.is_empty() {
        return None;
    }
    let ctx = txn.ctx();
    let backend = txn.be().backend.as_ref()?;
    half.use_servers.iter().filter(|rule| rule.cond.as_ref().is_none_or(|c| eval_cond(c, &ctx))).find_map(
        |rule| {
            let server = match &rule.computed {
                None => backend.server_named(&rule.server),
                Some(format) => {
                    backend.server_named(std::str::from_utf8(&logformat::to_vec(format, &ctx)).ok()?)
                }
            };
            server.filter(|server| server.is_usable())
        },
    )
}

/// What the backend's rules say of the client's bond to a server.
pub(super) fn persistence(txn: &Txn) -> Option<PersistRule> {
    let rules = txn.be().ir.backend.as_ref().map_or(&[][..], |b| &b.persist_rules);
    if rules.is_empty() {
        return None;
    }
    let ctx = txn.ctx();
    rules.iter().find(|(_, cond)| eval_cond(cond, &ctx)).map(|(rule, _)| *rule)
}

fn any(txn: &Txn, conds: &[ir::expr::Cond]) -> bool {
    !conds.is_empty() && {
        let ctx = txn.ctx();
        conds.iter().any(|c| eval_cond(c, &ctx))
    }
}

/// `http-request` of `proxy` from rule `from` on.
pub(super) fn http_request(txn: &mut Txn, proxy: &Arc<Proxy>, from: usize) -> Verdict {
    txn.rules_step = LogStep::HttpRequest;
    txn.waiting = None;
    let outcome = rules::http_request(&proxy.ir.http_request, from, txn);
    txn.settle_captures();
    outcome
}

/// `http-response` of the backend, then of the frontend, from where `at` stands: (section, rule). When the outcome
/// is to wait, `at` is where to go on.
pub(super) fn http_response(txn: &mut Txn, at: &mut (usize, usize)) -> Verdict {
    txn.vars.answer();
    txn.rules_step = LogStep::HttpResponse;
    txn.waiting = None;
    for (section, proxy) in both(txn, |ir| !ir.http_response.is_empty()).into_iter().enumerate().skip(at.0) {
        let from = std::mem::take(&mut at.1);
        at.0 = section;
        let Some(proxy) = proxy else { continue };
        let verdict = rules::http_response(&proxy.ir.http_response, from, txn);
        txn.settle_captures();
        match verdict {
            Verdict::Continue | Verdict::Wait { .. } => {}
            other => {
                if let Verdict::WaitForBody { rule, .. } | Verdict::Pause { rule, .. } = other {
                    at.1 = rule;
                }
                return other;
            }
        }
    }
    Verdict::Continue
}

/// `http-after-response` of both proxies. It can edit, but not stop a response.
pub(super) fn after_response(txn: &mut Txn) {
    txn.rules_step = LogStep::HttpAfterResponse;
    txn.vars.answer();
    for proxy in both(txn, |ir| !ir.http_after_response.is_empty()).into_iter().flatten() {
        rules::http_after_response(&proxy.ir.http_after_response, txn);
    }
}

/// Is there a rule of either proxy that could change a request?
pub(super) fn edit_requests(txn: &Txn) -> bool {
    [txn.be(), &txn.door.fe].iter().any(|proxy| !proxy.ir.http_request.is_empty())
}

/// Is there a rule of either proxy that could look at a response?
pub(super) fn see_responses(txn: &Txn) -> bool {
    [txn.be(), &txn.door.fe]
        .iter()
        .any(|proxy| !proxy.ir.http_response.is_empty() || !proxy.ir.http_after_response.is_empty())
}

/// Backend and frontend, once if they are the same, each only if it `matters`: most have no such rules, and every
/// copy of an `Arc` costs.
fn both(txn: &Txn, matters: impl Fn(&ir::Proxy) -> bool) -> [Option<Arc<Proxy>>; 2] {
    let be = Some(txn.be()).filter(|be| !Arc::ptr_eq(be, &txn.door.fe));
    [be, Some(&txn.door.fe)].map(|proxy| proxy.filter(|proxy| matters(&proxy.ir)).cloned())
}

/// `monitor fail`.
pub(super) fn monitor_fails(txn: &Txn) -> bool {
    any(txn, txn.door.fe.ir.frontend.as_ref().map_or(&[], |f| &f.monitor_fail))
}
