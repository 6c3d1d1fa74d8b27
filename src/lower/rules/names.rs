//! Names of all actions: where they may stand, and why some cannot be used yet.

use super::RuleSet::{self, HttpAfterResponse, HttpRequest, HttpResponse};
use super::RuleSet::{TcpConnection, TcpContent, TcpResponse, TcpSession};

/// Why an action is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// Leaving it out is harmless: a warning says so.
    Idle(&'static str),
    /// Leaving it out could let someone in or send data elsewhere: it is refused.
    Unsafe(&'static str),
}

/// An action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionRow {
    /// Name.
    pub name: &'static str,
    /// Lists that know it.
    pub sets: &'static [RuleSet],
    /// Why it cannot be used yet; `None`: it can.
    pub missing: Option<&'static str>,
    /// Whether using it is an error then, and not only said.
    pub refused: bool,
    /// What it does.
    pub doc: &'static str,
}

const HTTP: &[RuleSet] = &[HttpRequest, HttpResponse, HttpAfterResponse];
const REQ: &[RuleSet] = &[HttpRequest];
const RES: &[RuleSet] = &[HttpResponse, HttpAfterResponse];
const BOTH: &[RuleSet] = &[HttpRequest, HttpResponse];
const ALL: &[RuleSet] =
    &[HttpRequest, HttpResponse, HttpAfterResponse, TcpConnection, TcpSession, TcpContent, TcpResponse];
const TCP: &[RuleSet] = &[TcpConnection, TcpSession, TcpContent, TcpResponse];
const ADDRESS: &[RuleSet] = &[HttpRequest, TcpConnection, TcpSession, TcpContent];
const SOCKET: &[RuleSet] = &[HttpRequest, HttpResponse, TcpConnection, TcpSession, TcpContent, TcpResponse];
const TRACK: &[RuleSet] = &[HttpRequest, HttpResponse, TcpConnection, TcpSession, TcpContent];
const LEVEL: &[RuleSet] = &[HttpRequest, HttpResponse, HttpAfterResponse, TcpContent, TcpResponse];

const DONE: &[(&str, &[RuleSet], &str)] = &[
    ("add-acl", HTTP, "add a pattern to a list of patterns"),
    ("add-header", HTTP, "append a header"),
    ("add-headers-bin", HTTP, "append headers from a packed list"),
    ("allow", HTTP, "end the rules and let the message pass"),
    ("auth", REQ, "ask the client for a password"),
    ("capture", &[HttpRequest, HttpResponse, HttpAfterResponse, TcpContent], "keep a sample for the log"),
    ("del-acl", HTTP, "remove a pattern from a list of patterns"),
    ("del-header", HTTP, "remove headers of a name"),
    ("del-headers-bin", HTTP, "remove the headers of a packed list"),
    ("del-map", HTTP, "remove an entry from a map"),
    ("deny", BOTH, "refuse the message with an error"),
    ("disable-l7-retry", REQ, "do not try this request a second time"),
    ("do-log", ALL, "write a line of the log now"),
    ("do-resolve", &[HttpRequest, TcpContent], "ask nameservers for an address"),
    ("early-hint", REQ, "announce headers with 103 before the response"),
    ("normalize-uri", REQ, "bring the URI into a common form"),
    ("pause", BOTH, "wait before going on"),
    ("redirect", BOTH, "send the client to another URI"),
    (
        "reject",
        &[HttpRequest, TcpConnection, TcpSession, TcpContent, TcpResponse],
        "close the connection without an answer",
    ),
    ("replace-header", HTTP, "rewrite a header as a whole by a regular expression"),
    ("replace-path", REQ, "rewrite the path by a regular expression"),
    ("replace-pathq", REQ, "rewrite path and query by a regular expression"),
    ("replace-uri", REQ, "rewrite the URI by a regular expression"),
    ("replace-value", HTTP, "rewrite each value of a header by a regular expression"),
    ("return", BOTH, "answer at once"),
    ("set-bandwidth-limit", SPOE, "apply a limit of bandwidth"),
    ("set-dst", ADDRESS, "replace the destination's address"),
    ("set-dst-port", ADDRESS, "replace the destination's port"),
    ("set-bc-mark", &[HttpRequest, TcpContent], "mark packets to the server"),
    ("set-bc-tos", &[HttpRequest, TcpContent], "set the type of service of packets to the server"),
    ("set-fc-mark", SOCKET, "mark packets to the client"),
    ("set-fc-tos", SOCKET, "set the type of service of packets to the client"),
    ("set-header", HTTP, "replace a header, or add it"),
    ("set-headers-bin", HTTP, "replace headers by those of a packed list"),
    ("set-log-level", LEVEL, "level of the log line"),
    ("set-map", HTTP, "add an entry to a map, or replace it"),
    ("set-mark", SOCKET, "older name of set-fc-mark"),
    ("set-method", REQ, "replace the method"),
    ("set-nice", &[HttpRequest, HttpResponse, TcpContent, TcpResponse], "let others go first, or not"),
    ("set-path", REQ, "replace the path"),
    ("set-pathq", REQ, "replace path and query"),
    ("set-priority-class", &[HttpRequest, TcpContent], "class in the server's queue"),
    ("set-priority-offset", &[HttpRequest, TcpContent], "place in the server's queue, in time"),
    ("set-query", REQ, "replace the query"),
    ("set-retries", &[HttpRequest, TcpContent], "how often the connection is tried"),
    ("set-src", ADDRESS, "replace the source's address"),
    ("set-src-port", ADDRESS, "replace the source's port"),
    ("set-status", RES, "replace the status"),
    ("set-timeout", BOTH, "replace a timeout for this message"),
    ("set-tos", SOCKET, "older name of set-fc-tos"),
    ("set-uri", REQ, "replace the URI"),
    ("set-var", ALL, "set a variable to a sample"),
    ("set-var-fmt", ALL, "set a variable to a formatted text"),
    ("silent-drop", SOCKET, "forget the connection without telling the client"),
    ("strict-mode", HTTP, "whether a rule that fails is an error"),
    ("tarpit", REQ, "refuse the request after a while"),
    ("unset-var", ALL, "remove a variable"),
    ("use-service", REQ, "let a service answer"),
    ("wait-for-body", BOTH, "go on when the body, or some of it, is there"),
    ("accept", TCP, "end the rules and let the connection pass"),
    ("close", &[TcpResponse], "close the connection to the server"),
    ("expect-proxy", &[TcpConnection], "expect a PROXY header"),
    ("expect-netscaler-cip", &[TcpConnection], "expect a NetScaler header"),
    ("switch-mode", &[TcpContent], "go on as HTTP"),
];

const TABLES: &str = "stick tables are not implemented yet";

const SPOE: &[RuleSet] = &[HttpRequest, HttpResponse, TcpContent, TcpResponse];

const LATER: &[(&str, &[RuleSet], Missing, &str)] = &[
    (
        "attach-srv",
        &[TcpSession],
        Missing::Unsafe("reverse connections are not implemented yet"),
        "use the connection for a server",
    ),
    ("cache-use", REQ, Missing::Idle("nothing is cached"), "answer from a cache"),
    ("cache-store", &[HttpResponse], Missing::Idle("nothing is cached"), "keep the response in a cache"),
    ("sc-add-gpc", ALL, Missing::Idle(TABLES), "add to a counter of a tracked key"),
    ("sc-inc-gpc", ALL, Missing::Idle(TABLES), "count up a counter of a tracked key"),
    ("sc-inc-gpc0", ALL, Missing::Idle(TABLES), "count up the first counter of a tracked key"),
    ("sc-inc-gpc1", ALL, Missing::Idle(TABLES), "count up the second counter of a tracked key"),
    ("sc-set-gpt", ALL, Missing::Idle(TABLES), "set a tag of a tracked key"),
    ("sc-set-gpt0", ALL, Missing::Idle(TABLES), "set the first tag of a tracked key"),
    ("track-sc0", TRACK, Missing::Idle(TABLES), "track a key in a table with the first counters"),
    ("track-sc1", TRACK, Missing::Idle(TABLES), "track a key in a table with the second counters"),
    ("track-sc2", TRACK, Missing::Idle(TABLES), "track a key in a table with the third counters"),
    (
        "send-spoe-group",
        SPOE,
        Missing::Unsafe("SPOE agents are not asked yet, and they may deny"),
        "ask agents about the message",
    ),
    (
        "use-service",
        &[TcpContent],
        Missing::Unsafe("no service speaks anything but HTTP"),
        "let a service answer",
    ),
    (
        "wait-for-handshake",
        REQ,
        Missing::Idle("no request is read before its handshake is over"),
        "go on when the TLS handshake is over",
    ),
];

/// Why the action is not done; `None`: there is no such action.
pub(super) fn missing(name: &str, set: RuleSet) -> Option<Missing> {
    if name.starts_with("lua.") {
        return Some(Missing::Unsafe("Lua is not implemented yet"));
    }
    let name = if name.starts_with("track-sc") { "track-sc0" } else { name };
    LATER.iter().find(|(known, sets, ..)| *known == name && sets.contains(&set)).map(|(_, _, why, _)| *why)
}

/// Every action, used or not.
pub fn actions() -> impl Iterator<Item = ActionRow> {
    let done =
        DONE.iter().map(|(name, sets, doc)| ActionRow { name, sets, missing: None, refused: false, doc });
    let later = LATER.iter().map(|(name, sets, why, doc)| {
        let refused = matches!(why, Missing::Unsafe(_));
        let (Missing::Idle(why) | Missing::Unsafe(why)) = why;
        ActionRow { name, sets, missing: Some(why), refused, doc }
    });
    done.chain(later)
}

/// May the action stand in this list?
pub(super) fn known_in(name: &str, set: RuleSet) -> bool {
    DONE.iter().any(|(known, sets, _)| *known == name && sets.contains(&set))
}
