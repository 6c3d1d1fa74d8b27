//! How long everything may take.

use std::time::Duration;

/// `timeout` lines. `None`: not set, which means no timeout; zero was turned into `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// `client`.
    pub client: Option<Duration>,
    /// `server`.
    pub server: Option<Duration>,
    /// `connect`.
    pub connect: Option<Duration>,
    /// `check`.
    pub check: Option<Duration>,
    /// `queue`; falls back to `connect`.
    pub queue: Option<Duration>,
    /// `http-request`.
    pub http_request: Option<Duration>,
    /// `http-keep-alive`; falls back to `http-request`, then `client`.
    pub http_keep_alive: Option<Duration>,
    /// `tunnel`; falls back to `client`/`server`.
    pub tunnel: Option<Duration>,
    /// `client-hs`: until the PROXY header is there; falls back to `client`.
    pub client_hs: Option<Duration>,
    /// `client-fin`.
    pub client_fin: Option<Duration>,
    /// `server-fin`.
    pub server_fin: Option<Duration>,
    /// `tarpit`; falls back to `connect`.
    pub tarpit: Option<Duration>,
}
