//! `resolvers`, `userlist`, `peers`, `mailers`, `cache`, `http-errors`, `ring`.

use super::bind::BIND;
use super::common::*;
use super::rules::TABLE;
use super::server::SERVER;

const REST: &[Arg] = &[Arg::Rest];
const T: &[Arg] = &[MS];
const MAIL: &str = "no mail is sent";
const EVENTS: &[&str] = &["nx", "refused", "timeout", "valid", "obsolete", "other"];

const USER: &[Keyword] = &[
    full("password", NONE, &[Arg::Maybe(&Arg::Word("hash"))], "crypt(3) hash"),
    full("insecure-password", NONE, &[Arg::Maybe(&Arg::Word("password"))], "password in clear"),
    full("groups", NONE, &[Arg::Word("groups")], "groups, separated by commas"),
];

const GROUP: &[Keyword] = &[full("users", NONE, &[Arg::Word("users")], "users, separated by commas")];

pub(super) const KEYWORDS: &[Keyword] = &[
    // resolvers
    full("nameserver", RESOLVERS, &[NAME, Arg::Addr], "a nameserver"),
    full("parse-resolv-conf", RESOLVERS, &[], "take the nameservers of the system"),
    full("hold", RESOLVERS, &[Arg::Choice(EVENTS), MS], "how long an answer is kept"),
    full("resolve_retries", RESOLVERS, &[Arg::Int("number", 0, i32::MAX as i64)], "tries before giving up"),
    full("timeout resolve", RESOLVERS, T, "time between two resolutions"),
    full("timeout retry", RESOLVERS, T, "time between two tries"),
    full("accepted_payload_size", RESOLVERS, &[Arg::Int("bytes", 512, 65535)], "largest answer"),
    moot("resolution_pool_size", RESOLVERS, REST, "there is no limit", "resolutions at a time"),
    full("namespace", NAMESPACES, &[NAME], "network namespace that a PROXY header may name"),
    // userlist
    full("user", USERLIST, &[NAME, Arg::Settings(USER)], "a user"),
    full("group", USERLIST, &[NAME, Arg::Settings(GROUP)], "a group"),
    // peers, reported as a section
    moot(
        "peer",
        PEERS,
        &[NAME, Arg::Maybe(&Arg::Addr), Arg::Rest],
        "the section is reported",
        "another node",
    ),
    moot(
        "bind",
        PEERS | RING,
        &[Arg::Addrs, Arg::Settings(BIND)],
        "the section is reported",
        "where to listen",
    ),
    moot(
        "default-bind",
        PEERS,
        &[Arg::Settings(BIND)],
        "the section is reported",
        "settings of the listeners that follow",
    ),
    moot(
        "server",
        PEERS,
        &[NAME, Arg::Maybe(&Arg::Addr), Arg::Settings(SERVER)],
        "the section is reported",
        "a node",
    ),
    moot("table", PEERS, &[NAME, Arg::Settings(TABLE)], "the section is reported", "a shared table"),
    moot("shards", PEERS, &[Arg::Int("number", 1, i32::MAX as i64)], "the section is reported", "shards"),
    moot("disabled", PEERS, &[], "the section is reported", "disable it"),
    moot("enabled", PEERS, &[], "the section is reported", "enable it"),
    // mailers and cache, reported as sections
    moot("mailer", MAILERS, &[NAME, Arg::Addr], MAIL, "a mail server"),
    moot("timeout mail", MAILERS, T, MAIL, "how long a mail may take"),
    moot("total-max-size", CACHE, &[COUNT], "the section is reported", "megabytes"),
    moot("max-object-size", CACHE, &[Arg::Size], "the section is reported", "largest response"),
    moot("max-age", CACHE, &[COUNT], "the section is reported", "longest life in seconds"),
    moot("process-vary", CACHE, REST, "the section is reported", "look at Vary"),
    moot(
        "early-hints",
        CACHE,
        &[Arg::Choice(&["on", "off", "only"]), Arg::Maybe(&Arg::Choice(&["ratio"])), Arg::Maybe(&COUNT)],
        "the section is reported",
        "early hints of stored responses",
    ),
    moot("max-secondary-entries", CACHE, &[COUNT], "the section is reported", "variants of a response"),
    full("description", RING, &[Arg::Some("text")], "what it is"),
    full("format", RING, &[Arg::Choice(super::log::FORMATS)], "framing of lines whose target says none"),
    full("maxlen", RING, &[Arg::Int("bytes", 1, i32::MAX as i64)], "longest line in bytes"),
    full("size", RING, &[Arg::Size], "bytes of lines it holds"),
    inert("backing-file", RING, REST, "the ring is in memory only", "file that keeps the lines"),
    full("timeout connect", RING, T, "how long to connect"),
    full("timeout server", RING, T, "how long a server may take nothing"),
    // http-errors
    full("errorfile", HTTP_ERRORS, &[Arg::Int("code", 200, 599), FILE], "what to answer, head included"),
];
