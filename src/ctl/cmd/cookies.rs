//! Cookies derived from the addresses of servers (`cookie ... dynamic`), switched while running.

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use crate::ir::global::Level;
use crate::live::Backend;

pub(super) const COMMANDS: &[Command] = &[
    command(
        &["set", "dynamic-cookie-key", "backend"],
        Level::Admin,
        "set dynamic-cookie-key backend <bk> <k>",
        "change a backend secret key for dynamic cookies",
        |call| {
            let key = call.arg(1).to_owned();
            with_backend(call, |backend| {
                if key.is_empty() {
                    return Reply::error("String value expected.\n");
                }
                backend.dynamic_cookies.write().key = Some(key);
                Reply::done()
            })
        },
    ),
    command(
        &["enable", "dynamic-cookie", "backend"],
        Level::Admin,
        "enable dynamic-cookie backend <bk>",
        "enable dynamic cookies on a specific backend",
        |call| switch(call, true),
    ),
    command(
        &["disable", "dynamic-cookie", "backend"],
        Level::Admin,
        "disable dynamic-cookie backend <bk>",
        "disable dynamic cookies on a specific backend",
        |call| switch(call, false),
    ),
];

fn switch(call: &mut Call<'_>, on: bool) -> Reply {
    with_backend(call, |backend| {
        backend.dynamic_cookies.write().enabled = on;
        Reply::done()
    })
}

fn with_backend(call: &mut Call<'_>, change: impl FnOnce(&Backend) -> Reply) -> Reply {
    let name = call.arg(0);
    if name.is_empty() {
        return Reply::error("A backend name is expected.\n");
    }
    let named = call.control.live.backend_named(name);
    match named.as_ref().and_then(|proxy| proxy.backend.as_ref()) {
        Some(backend) => change(backend),
        None => Reply::error("No such backend.\n"),
    }
}
