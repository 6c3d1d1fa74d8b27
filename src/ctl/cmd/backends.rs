//! Backends: whether rules of other sections may lead to them.

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use crate::ir::global::Level;

pub(super) const COMMANDS: &[Command] = &[
    command(
        &["publish", "backend"],
        Level::Admin,
        "publish backend <backend>",
        "let 'use_backend' and 'default_backend' lead to a backend",
        |call| publish(call, true),
    ),
    command(
        &["unpublish", "backend"],
        Level::Admin,
        "unpublish backend <backend>",
        "let no rule lead to a backend but for 'force-be-switch'",
        |call| publish(call, false),
    ),
];

fn publish(call: &mut Call<'_>, published: bool) -> Reply {
    let name = call.arg(0);
    let Some(proxy) = call.control.live.backend_named(name) else {
        return Reply::error("No such backend.\n");
    };
    if proxy.ir.disabled {
        return Reply::error("No effect on a disabled backend.\n");
    }
    if let Some(backend) = &proxy.backend {
        backend.publish(published);
    }
    Reply::info(if published { "Backend published.\n" } else { "Backend unpublished.\n" })
}
