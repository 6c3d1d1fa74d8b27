//! Log lines of sessions: when they are written, and which.

use super::txn::Txn;
use super::worker::with;
use crate::expr::{Session as _, logformat};
use crate::ir;
use crate::ir::log::Severity;

/// `option logasap`: the line is written as soon as the response's head, or the server's connection, is there.
pub(super) fn log_early(txn: &mut Txn) {
    if !txn.fe.ir.logasap || super::rules::logs_connect(&txn.fe.ir) {
        return;
    }
    txn.ended = txn.times.data.or(txn.times.connect);
    txn.early = true;
    log(txn);
    (txn.ended, txn.early) = (None, false);
    // There is one line.
    txn.log_level = None;
}

/// Log line of a finished transaction, if it is to be written.
pub(super) fn log(txn: &Txn) {
    let proxy = &txn.fe;
    if proxy.logs.is_empty() {
        return;
    }
    let Some(level) = txn.log_level else { return };
    let failed =
        txn.failure.code()[0] != b'-' && txn.failure.code()[0] != b'L' || txn.retries > 0 && txn.redispatched;
    if proxy.ir.dontlog_normal && !failed && txn.status < 500 {
        return;
    }
    let level =
        if proxy.ir.log_separate_errors && (failed || txn.status >= 500) { Severity(3) } else { level };
    let ctx = txn.ctx();
    let mut line = with(super::worker::Worker::take_scratch);
    super::rules::render_log(&proxy.ir, &ctx, &mut line);
    let data = proxy.ir.log_format_sd.as_ref().map(|format| logformat::to_vec(format, &ctx));
    let (tag, data) = (proxy.ir.log_tag.as_deref(), data.unwrap_or_default());
    txn.live.logger.send_with(&proxy.logs, level, tag, &data, &line);
    with(|w| w.give_scratch(line));
}

/// Whether a captured request line is needed for the log.
pub(super) fn logs_requests(proxy: &ir::Proxy) -> bool {
    !proxy.logs.is_empty()
}
