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

const DONE: &[(&str, &[RuleSet])] = &[
    ("add-acl", HTTP),
    ("add-header", HTTP),
    ("add-headers-bin", HTTP),
    ("allow", HTTP),
    ("auth", REQ),
    ("capture", &[HttpRequest, HttpResponse, HttpAfterResponse, TcpContent]),
    ("del-acl", HTTP),
    ("del-header", HTTP),
    ("del-headers-bin", HTTP),
    ("del-map", HTTP),
    ("deny", BOTH),
    ("disable-l7-retry", REQ),
    ("do-log", ALL),
    ("do-resolve", &[HttpRequest, TcpContent]),
    ("early-hint", REQ),
    ("normalize-uri", REQ),
    ("pause", BOTH),
    ("redirect", BOTH),
    ("reject", &[HttpRequest, TcpConnection, TcpSession, TcpContent, TcpResponse]),
    ("replace-header", HTTP),
    ("replace-path", REQ),
    ("replace-pathq", REQ),
    ("replace-uri", REQ),
    ("replace-value", HTTP),
    ("return", BOTH),
    ("set-bandwidth-limit", SPOE),
    ("set-dst", ADDRESS),
    ("set-dst-port", ADDRESS),
    ("set-bc-mark", &[HttpRequest, TcpContent]),
    ("set-bc-tos", &[HttpRequest, TcpContent]),
    ("set-fc-mark", SOCKET),
    ("set-fc-tos", SOCKET),
    ("set-header", HTTP),
    ("set-headers-bin", HTTP),
    ("set-log-level", LEVEL),
    ("set-map", HTTP),
    ("set-mark", SOCKET),
    ("set-method", REQ),
    ("set-nice", &[HttpRequest, HttpResponse, TcpContent, TcpResponse]),
    ("set-path", REQ),
    ("set-pathq", REQ),
    ("set-priority-class", &[HttpRequest, TcpContent]),
    ("set-priority-offset", &[HttpRequest, TcpContent]),
    ("set-query", REQ),
    ("set-retries", &[HttpRequest, TcpContent]),
    ("set-src", ADDRESS),
    ("set-src-port", ADDRESS),
    ("set-status", RES),
    ("set-timeout", BOTH),
    ("set-tos", SOCKET),
    ("set-uri", REQ),
    ("set-var", ALL),
    ("set-var-fmt", ALL),
    ("silent-drop", SOCKET),
    ("strict-mode", HTTP),
    ("tarpit", REQ),
    ("unset-var", ALL),
    ("use-service", REQ),
    ("wait-for-body", BOTH),
    ("accept", TCP),
    ("close", &[TcpResponse]),
    ("expect-proxy", &[TcpConnection]),
    ("switch-mode", &[TcpContent]),
];

const TABLES: &str = "stick tables are not implemented yet";

const SPOE: &[RuleSet] = &[HttpRequest, HttpResponse, TcpContent, TcpResponse];

const LATER: &[(&str, &[RuleSet], Missing)] = &[
    ("attach-srv", &[TcpSession], Missing::Unsafe("reverse connections are not implemented yet")),
    ("cache-use", REQ, Missing::Idle("nothing is cached")),
    ("cache-store", &[HttpResponse], Missing::Idle("nothing is cached")),
    (
        "expect-netscaler-cip",
        &[TcpConnection],
        Missing::Unsafe("the NetScaler protocol is not implemented yet"),
    ),
    ("sc-add-gpc", ALL, Missing::Idle(TABLES)),
    ("sc-inc-gpc", ALL, Missing::Idle(TABLES)),
    ("sc-inc-gpc0", ALL, Missing::Idle(TABLES)),
    ("sc-inc-gpc1", ALL, Missing::Idle(TABLES)),
    ("sc-set-gpt", ALL, Missing::Idle(TABLES)),
    ("sc-set-gpt0", ALL, Missing::Idle(TABLES)),
    ("track-sc0", TRACK, Missing::Idle(TABLES)),
    ("track-sc1", TRACK, Missing::Idle(TABLES)),
    ("track-sc2", TRACK, Missing::Idle(TABLES)),
    ("send-spoe-group", SPOE, Missing::Unsafe("SPOE agents are not asked yet, and they may deny")),
    ("use-service", &[TcpContent], Missing::Unsafe("no service speaks anything but HTTP")),
    ("wait-for-handshake", REQ, Missing::Idle("no request is read before its handshake is over")),
];

/// Why the action is not done; `None`: there is no such action.
pub(super) fn missing(name: &str, set: RuleSet) -> Option<Missing> {
    if name.starts_with("lua.") {
        return Some(Missing::Unsafe("Lua is not implemented yet"));
    }
    let name = if name.starts_with("track-sc") { "track-sc0" } else { name };
    LATER.iter().find(|(known, sets, _)| *known == name && sets.contains(&set)).map(|(.., why)| *why)
}

/// Every action, used or not.
pub fn actions() -> impl Iterator<Item = ActionRow> {
    let done = DONE.iter().map(|(name, sets)| ActionRow { name, sets, missing: None, refused: false });
    let later = LATER.iter().map(|(name, sets, why)| {
        let refused = matches!(why, Missing::Unsafe(_));
        let (Missing::Idle(why) | Missing::Unsafe(why)) = why;
        ActionRow { name, sets, missing: Some(why), refused }
    });
    done.chain(later)
}

/// May the action stand in this list?
pub(super) fn known_in(name: &str, set: RuleSet) -> bool {
    DONE.iter().any(|(known, sets)| *known == name && sets.contains(&set))
}
