//! The lab: hosts and networks made of namespaces, and the programs that run on them.
//!
//! A [`Host`] is one process-id, mount, host-name and network namespace, so `killall -0 haproxy` on one host does
//! not see another's proxy, and `/run` (sockets, pid files), `/etc/hosts` and `/etc/resolv.conf` are its own.
//! A [`Network`] is a bridge in a host of its own, which is also the gateway. Nothing is made in the namespaces of
//! the machine itself, and everything goes away with the test, even when the test is killed.

mod browser;
mod dns;
mod host;
mod http;
mod load;
mod network;
mod origin;
mod parts;
mod permit;
mod postgres;
mod process;
mod sinks;
mod stats;
mod subject;
mod users;
mod wait;
mod websocket;

pub(crate) use browser::Browser;
pub(crate) use dns::{Behaviour, Dns};
pub(crate) use host::Host;
pub(crate) use http::{Connection, Response, get, read_head};
pub(crate) use load::{Load, Report, Sample};
pub(crate) use network::{Cable, Network};
pub(crate) use origin::{Nginx, PhpFpm};
pub(crate) use parts::Part;
pub(crate) use postgres::{PgBouncer, Postgres, psql, sql};
pub(crate) use process::{Process, Signal};
pub(crate) use sinks::{Collector, Mailbox, Syslog};
pub(crate) use stats::{Stats, before_3_1, show_stat};
pub(crate) use subject::{Config, Program, beside, beside_this, keepalived, proxy};
pub(crate) use users::crowd;
pub(crate) use wait::{eventually, holds_for, wait_for};
pub(crate) use websocket::{Chat, WebSocket};

use std::path::Path;

/// One test's hosts and files.
pub(crate) struct Lab {
    // Declared before the directory: hosts end before the files they use are removed.
    permit: permit::Permit,
    dir: tempfile::TempDir,
}

impl Lab {
    /// Opens a lab, or says why it cannot be and returns nothing: the test is skipped.
    ///
    /// # Panics
    /// When a part is missing and `TANDEM_REQUIRE_LAB=1`.
    pub(crate) fn open(needs: &[Part]) -> Option<Self> {
        parts::all_present(needs).then(|| Self::new(permit::one()))
    }

    /// As [`Lab::open`], but with the machine to itself: for tests that measure latency.
    pub(crate) fn open_alone(needs: &[Part]) -> Option<Self> {
        parts::all_present(needs).then(|| Self::new(permit::whole()))
    }

    fn new(permit: permit::Permit) -> Self {
        let dir = tempfile::Builder::new().prefix("tandem-lab-").tempdir().unwrap();
        // Programs that give up root (postgresql, nginx workers) must get in.
        subject::open_to_all(dir.path());
        Self { permit, dir }
    }

    /// A host with its own view of the network, the processes and `/run`.
    pub(crate) fn host(&self, name: &str) -> Host {
        Host::new(name, self.dir.path())
    }

    /// A network whose gateway has this address, such as `172.20.0.1/16`.
    pub(crate) fn network(&self, name: &str, gateway: &str) -> Network {
        Network::new(self.host(name), gateway)
    }

    /// The directory of this lab's files.
    pub(crate) fn dir(&self) -> &Path {
        debug_assert!(self.permit.held());
        self.dir.path()
    }
}
