//! Commands that HAProxy has and that are not done here yet. Each says why when it is called.

use super::super::registry::{Command, Handler};
use crate::ir::global::Level;

const fn later(
    words: &'static [&'static str],
    level: Level,
    usage: &'static str,
    help: &'static str,
    why: &'static str,
) -> Command {
    Command { words, level, usage, help, handler: Handler::NotYet(why) }
}

pub(super) const COMMANDS: &[Command] = &[
    later(
        &["show", "table"],
        Level::Operator,
        "show table <table> [<filter>]*",
        "entries of stick tables",
        "there are no stick tables",
    ),
    later(
        &["set", "table"],
        Level::Admin,
        "set table <table> key <k> [data.* <v>]*",
        "change an entry of a stick table",
        "there are no stick tables",
    ),
    later(
        &["clear", "table"],
        Level::Admin,
        "clear table <table> [<filter>]*",
        "take entries out of a stick table",
        "there are no stick tables",
    ),
    later(
        &["show", "peers"],
        Level::Operator,
        "show peers [dict|-] [section]",
        "peers",
        "there are no peers",
    ),
    later(&["show", "cache"], Level::User, "show cache", "responses in caches", "there is no cache"),
    later(&["show", "ssl"], Level::Operator, "show ssl <what> [<file>]", "certificates", "there is no TLS"),
    later(
        &["set", "ssl"],
        Level::Admin,
        "set ssl <what> <file> <payload>",
        "change a certificate",
        "there is no TLS",
    ),
    later(
        &["new", "ssl"],
        Level::Admin,
        "new ssl <what> <file>",
        "make a new certificate entry",
        "there is no TLS",
    ),
    later(
        &["add", "ssl"],
        Level::Admin,
        "add ssl <what> <file> <payload>",
        "add to a certificate file",
        "there is no TLS",
    ),
    later(
        &["del", "ssl"],
        Level::Admin,
        "del ssl <what> <file>",
        "take a certificate out",
        "there is no TLS",
    ),
    later(
        &["commit", "ssl"],
        Level::Admin,
        "commit ssl <what> <file>",
        "use a changed certificate",
        "there is no TLS",
    ),
    later(
        &["abort", "ssl"],
        Level::Admin,
        "abort ssl <what> <file>",
        "drop a changed certificate",
        "there is no TLS",
    ),
    later(
        &["show", "tls-keys"],
        Level::Operator,
        "show tls-keys [id|*]",
        "session ticket keys",
        "there is no TLS",
    ),
];
