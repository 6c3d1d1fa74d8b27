//! Passive checks: what traffic says about a server's health (`observe`, manual section 5.2).

use std::sync::atomic::Ordering::Relaxed;

use super::{CheckOrder, Proxy, Server};
use crate::ir::server::ObserveLayer;

/// What happened to a connection or a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A connection was made.
    Connected,
    /// No connection could be made.
    NotConnected,
    /// A response with this status came.
    Status(u16),
    /// What came is no response.
    Junk,
    /// The response did not come in time.
    Timeout,
    /// The server closed without a response.
    Closed,
}

impl Seen {
    /// Whether it is an error to who observes `layer`, and the words for it; `None`: no concern of that layer.
    fn judge(self, layer: ObserveLayer) -> Option<(bool, &'static str)> {
        let (is_error, words) = match self {
            Self::Connected => (false, "L4 successful connection"),
            Self::NotConnected => (true, "L4 unsuccessful connection"),
            // 501 and 505 are answers to what the client asked for.
            Self::Status(100..=499 | 501 | 505) => (false, "Correct http response"),
            Self::Status(_) => (true, "Wrong http response"),
            Self::Junk => (true, "Invalid http response (headers)"),
            Self::Timeout => (true, "Read timeout (http)"),
            Self::Closed => (true, "Close from server (http)"),
        };
        let concerns = match layer {
            ObserveLayer::Layer4 => matches!(self, Self::Connected | Self::NotConnected),
            ObserveLayer::Layer7 => self != Self::Connected,
        };
        concerns.then_some((is_error, words))
    }
}

impl Proxy {
    /// Tells what traffic saw of a server; `error-limit` errors in a row make the check act.
    pub fn observe(&self, server: &Server, seen: Seen) {
        let Some(observe) = server.ir.observe.filter(|_| server.ir.check.is_some()) else { return };
        let Some((is_error, last)) = seen.judge(observe.layer) else { return };
        if !is_error {
            server.forgive();
            return;
        }
        let errors = server.errors.fetch_add(1, Relaxed) + 1;
        if errors >= observe.error_limit {
            server.forgive();
            server.counters.hanafail.inc();
            self.order_check(server, CheckOrder::Observed { action: observe.on_error, errors, last });
        }
    }
}

impl Server {
    /// Forgets the errors in a row.
    pub fn forgive(&self) {
        self.errors.store(0, Relaxed);
    }
}
