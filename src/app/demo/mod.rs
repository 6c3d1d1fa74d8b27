//! `tandem demo`: a pair of load balancers, three origins and a client on this machine, and what happens when
//! parts of them die.
//!
//! Each load balancer is a network host of its own: a process ([`node`]) in fresh network, process and mount
//! namespaces that starts this program as `haproxy` and as `keepalived`. This process is the client's host:
//! it holds the bridge, the origins, the name server and the request loop. The namespaces have no names
//! and live as long as their processes, so nothing is left behind, however the demo ends.

mod load;
mod local;
mod names;
mod network;
pub mod node;
mod origin;
mod pair;
mod story;

use std::io;
use std::time::Duration;

pub use story::Printer;

/// What the demo is asked to do.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Leave it running at the end.
    pub keep: bool,
    /// Pause between two scenes.
    pub pause: Duration,
}

/// Where the host's own network reaches the demo.
const WEB: &str = "127.0.0.1:8080";
/// Where the statistics page is.
const PAGE: &str = "127.0.0.1:8404";

/// Runs the demo: the pair where this process may make network hosts, one proxy on 127.0.0.1 elsewhere.
///
/// # Errors
/// What could not be set up.
pub fn run(options: Options) -> io::Result<()> {
    let printer = Printer::new();
    match network::enter() {
        Ok(door) => pair::run(options, &printer, door),
        Err(reason) => {
            printer.say(&format!(
                "no network hosts here ({reason}): one load balancer on {WEB} instead of a pair"
            ));
            local::run(options, &printer)
        }
    }
}
