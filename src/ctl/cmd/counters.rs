//! `clear counters`, `dump stats-file`.

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use super::servers;
use crate::ir::global::Level;
use crate::stats::file;

pub(super) const COMMANDS: &[Command] = &[
    command(
        &["clear", "counters"],
        Level::Operator,
        "clear counters [all|server <bk>/<srv> [force]]",
        "set maxima (or all counters, or those of a server) back to zero",
        clear,
    ),
    command(
        &["clear", "counters", "server"],
        Level::Admin,
        "clear counters server <bk>/<srv> [force]",
        "set the counters of a server back to zero",
        |call| match servers::find(call) {
            Ok((_, server)) => {
                server.counters.clear();
                Reply::info("Server counters cleared.\n")
            }
            Err(refusal) => refusal,
        },
    ),
    command(
        &["dump", "stats-file"],
        Level::User,
        "dump stats-file",
        "counters of objects with a guid, for stats-file",
        dump,
    ),
];

fn dump(call: &mut Call<'_>) -> Reply {
    Reply::list(file::dump(&call.control.live))
}

fn clear(call: &mut Call<'_>) -> Reply {
    let all = call.arg(0) == "all";
    // Losing all history needs more than the right to read.
    if all && call.session.level < Level::Admin {
        return Reply::error("Permission denied\n");
    }
    call.control.live.clear_counters(all);
    if all {
        call.control.live.process.clear();
    } else {
        call.control.live.process.clear_maxima();
    }
    Reply::done()
}
