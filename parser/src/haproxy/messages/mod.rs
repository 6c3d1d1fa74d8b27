//! HAProxy's own words, where they differ from the general ones.

mod checks;
mod global;
mod lines;
mod settings;

use checks::CHECKS;
use global::GLOBAL;
use lines::MESSAGES;
use settings::SETTINGS;

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// An argument is missing.
    Missing,
    /// An argument is none of those that are possible.
    Wrong,
    /// The same of the argument at this place (from 0), where that has words of its own.
    WrongAt(usize),
    /// A number is too small or too large.
    Range,
    /// A character may not stand in a time or a size.
    Character,
    /// A time is too long.
    Overflow,
    /// Something follows where nothing may.
    Extra,
    /// An address is none.
    Address,
    /// It belongs behind another word, which is not there.
    Alone,
}

/// First words that need one of some second words: what is said about another one, `{}`, and what where there is none, if
/// it is something else.
const FAMILIES: &[(&str, &str, Option<&str>)] = &[
    (
        "timeout",
        "'timeout' supports 'client', 'server', 'connect', 'check', 'queue', 'handshake', 'http-keep-alive', \
         'http-request', 'tunnel', 'tarpit', 'client-fin' and 'server-fin' (got '{}')",
        None,
    ),
    (
        "stats",
        "~unknown stats parameter '{}', expects 'admin', 'uri', 'realm', 'auth', 'scope', 'enable', 'hide-version', \
         'show-node', 'show-desc' , 'show-legends' or 'show-version'.",
        Some(
            "~missing keyword in 'stats', expects 'admin', 'uri', 'realm', 'auth', 'scope', 'enable', \
             'hide-version', 'show-node', 'show-desc' , 'show-legends' or 'show-version'.",
        ),
    ),
    (
        "compression",
        "'compression' expects 'algo', 'type', 'direction', 'offload', 'minsize-req' or 'minsize-res'.",
        None,
    ),
    ("monitor", "'monitor' only supports 'fail'.", None),
    ("rate-limit", "'rate-limit' only supports 'sessions' (got '{}')", None),
    (
        "external-check",
        "'external-check' only supports 'command' and 'path'. but got '{}'.",
        Some("missing argument after 'external-check'."),
    ),
    ("email-alert", "email-alert: unknown argument '{}'.", Some("missing argument after 'email-alert'.")),
    (
        "http-check",
        "'http-check' only supports 'disable-on-404', 'send-state', 'comment', 'connect', 'send', 'expect', \
         'set-var-fmt(*)', 'set-var(*)', 'unset-var(*)'. but got '{}'",
        None,
    ),
    (
        "tcp-check",
        "'tcp-check' only supports 'comment', 'connect', 'send', 'send-binary', 'expect', 'set-var-fmt(*)', \
         'set-var(*)', 'unset-var(*)'. but got '{}'",
        None,
    ),
    (
        "tcp-request",
        "'tcp-request' expects 'inspect-delay', 'connection', or 'content' in {in} (got '{}')",
        Some("missing argument for 'tcp-request' in {in}"),
    ),
    (
        "tcp-response",
        "'tcp-response' expects 'inspect-delay' or 'content' in {in} (got '{}')",
        Some("missing argument for 'tcp-response' in {in}"),
    ),
    ("stick", "'stick' expects 'on', 'match', or 'store'.", None),
    ("capture", "'capture' expects 'cookie' or 'request header' or 'response header'.", None),
    (
        "declare",
        "unknown declaration type '{}' (supports 'capture')",
        Some("'declare' needs a second keyword that specify the type of declaration ('capture')"),
    ),
    ("option", "unknown option '{}'.", Some("~'option' expects an option name.")),
    (
        "filter",
        "'filter' : unknown keyword '{}'. Registered keywords :",
        Some("missing argument for 'filter' in {in}."),
    ),
];

/// HAProxy's message about a second word that a first one does not go with, or about none.
pub(super) fn second(first: &str, word: Option<&str>, section: &str) -> Option<(String, bool)> {
    let (_, own, bare) = FAMILIES.iter().find(|(name, ..)| *name == first)?;
    let own = match (word, bare) {
        (None, Some(bare)) => bare,
        _ => own,
    };
    let text = own.strip_prefix('~').unwrap_or(own);
    let text = text.replace("{in}", section).replace("{}", word.unwrap_or_default());
    Some((text, !own.starts_with('~')))
}

/// What goes into a message.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parts<'a> {
    /// The word at fault.
    pub word: &'a str,
    /// What is being read: `bind :80' in section 'frontend' : 'mss`.
    pub at: &'a str,
    /// `server app/s1`.
    pub server: &'a str,
    /// The first word of the line.
    pub first: &'a str,
    /// The setting.
    pub key: &'a str,
    /// The line up to the word at fault.
    pub line: &'a str,
    /// Kind and name of the section: `backend 'app'`.
    pub section: &'a str,
    /// What stands before the word, the keyword apart.
    pub before: &'a str,
    /// What is wrong with the word.
    pub cause: &'a str,
}

/// HAProxy's message, if it has one of its own, and whether there is a space before the colon after the place.
pub(super) fn message(path: &str, fault: Fault, parts: &Parts<'_>) -> Option<(String, bool)> {
    let find = |path: &str| {
        MESSAGES
            .iter()
            .chain(CHECKS)
            .chain(GLOBAL)
            .chain(SETTINGS)
            .find(|(name, about, _)| *name == path && *about == fault)
    };
    let any = || find(&format!("{}/*", path.split_once('/')?.0));
    let (_, _, own) = find(path).or_else(any)?;
    let odd = parts.word.chars().find(|c| !c.is_ascii_digit()).unwrap_or_default();
    let server = parts.server.rsplit_once('/').map_or("default-server", |(_, server)| server);
    let text = own.strip_prefix('~').unwrap_or(own);
    // Settings of `default-server` are no server's.
    let text = if parts.server.is_empty() { text.strip_prefix("'{srv}' : ").unwrap_or(text) } else { text };
    let text = text
        .replace("{at}", parts.at)
        .replace("{srv}", parts.server)
        .replace("{server}", server)
        .replace("{first}", parts.first)
        .replace("{key}", parts.key)
        .replace("{line}", parts.line)
        .replace("{in}", parts.section)
        .replace("{or}", if parts.section.starts_with("global ") { "  " } else { " or global " })
        .replace("{before}", parts.before)
        .replace("{cause}", parts.cause)
        .replace("{c}", odd.encode_utf8(&mut [0; 4]))
        .replace("{}", parts.word);
    Some((text, !own.starts_with('~')))
}
