//! `timeout`.

use super::common::*;

const T: &[Arg] = &[MS];

pub(super) const KEYWORDS: &[Keyword] = &[
    full("timeout client", CLIENT_SIDE, T, "how long a client may say nothing"),
    full("timeout server", SERVER_SIDE, T, "how long a server may say nothing"),
    full("timeout connect", SERVER_SIDE, T, "how long a connection to a server may take"),
    full("timeout check", SERVER_SIDE, T, "how long a check may take once connected"),
    full("timeout queue", SERVER_SIDE, T, "how long a request may wait for a free server"),
    full("timeout http-keep-alive", PROXIES, T, "how long to wait for the next request"),
    full("timeout http-request", PROXIES, T, "how long a request head may take"),
    full("timeout tunnel", SERVER_SIDE, T, "how long a tunnel may be silent on both sides"),
    full("timeout tarpit", PROXIES, T, "how long a tarpitted client is kept waiting"),
    full("timeout client-fin", CLIENT_SIDE, T, "how long a half-closed client may say nothing"),
    full("timeout server-fin", SERVER_SIDE, T, "how long a half-closed server may say nothing"),
    full("timeout client-hs", CLIENT_SIDE, T, "how long the header before a client's session may take"),
    moot(
        "timeout appsession",
        SERVER_SIDE,
        T,
        "'appsession' itself is reported",
        "how long a learned session id was kept",
    ),
];
