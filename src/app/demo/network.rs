//! The client's host: a network namespace of this process with the bridge everything hangs on.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use nix::sched::{CloneFlags, unshare};
use nix::unistd::Uid;

use super::{PAGE, WEB};
use crate::sys::link;

/// The client's and name server's address.
pub(super) const CLIENT: Ipv4Addr = Ipv4Addr::new(172, 20, 0, 1);
/// The address that moves.
pub(super) const VIP: Ipv4Addr = Ipv4Addr::new(172, 20, 0, 100);
/// The origins' addresses.
pub(super) const ORIGINS: [Ipv4Addr; 3] =
    [Ipv4Addr::new(172, 20, 0, 21), Ipv4Addr::new(172, 20, 0, 22), Ipv4Addr::new(172, 20, 0, 23)];
/// Prefix length of the demo's network.
pub(super) const PREFIX: u8 = 16;

/// The way from the machine's own network into the demo.
#[derive(Debug)]
pub(super) struct Door {
    /// Listeners made before this process left the machine's network, and where they lead.
    pub(super) listeners: Vec<(TcpListener, SocketAddr)>,
}

/// Leaves the machine's network for one of this process' own and builds the bridge. Call it before any thread exists.
///
/// # Errors
/// Why that is not possible here, in words.
pub(super) fn enter() -> Result<Door, String> {
    if !Uid::effective().is_root() {
        return Err("not root".into());
    }
    let mut listeners = Vec::new();
    for (addr, port) in [(WEB, 80), (PAGE, 8404)] {
        // A port that is taken only means that there is no window into the demo.
        if let Ok(listener) = TcpListener::bind(addr) {
            listeners.push((listener, SocketAddr::from((VIP, port))));
        }
    }
    unshare(CloneFlags::CLONE_NEWNET).map_err(|e| format!("namespaces: {}", e.desc()))?;
    build().map_err(|e| format!("the bridge: {e}"))?;
    Ok(Door { listeners })
}

fn build() -> std::io::Result<()> {
    link::up("lo")?;
    link::create_bridge("br0")?;
    link::up("br0")?;
    for address in [CLIENT].iter().chain(&ORIGINS) {
        link::add_address("br0", &format!("{address}/{PREFIX}"))?;
    }
    Ok(())
}

/// Lays a cable from the bridge to `eth0` of the host whose process is `pid`.
///
/// # Errors
/// What the kernel says.
pub(super) fn plug_in(port: &str, pid: u32) -> std::io::Result<()> {
    link::create_veth(port, "eth0", pid)?;
    link::set_master(port, "br0")?;
    link::up(port)
}
