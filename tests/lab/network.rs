//! A network: a bridge, in a host of its own that is the gateway.

use std::process::Command;

use super::host::Host;

/// A switch with a gateway behind it.
pub(crate) struct Network {
    switch: Host,
    gateway: String,
}

impl Network {
    /// A network whose gateway has `address`, such as `172.20.0.1/16`.
    pub(crate) fn new(switch: Host, address: &str) -> Self {
        // Without snooping every port sees VRRP's multicasts, as on a plain switch. With an address of its own the
        // gateway keeps it when a port is added; otherwise it takes the lowest of its ports', and neighbours lose it.
        switch.sh(
            "ip link add br0 address 02:00:00:00:00:01 type bridge mcast_snooping 0 && ip link set br0 up",
        );
        switch.sh(&format!("ip address add {address} dev br0"));
        let gateway = address.split('/').next().unwrap_or_default().to_owned();
        Self { switch, gateway }
    }

    /// The host the gateway's address is on.
    pub(crate) fn gateway(&self) -> &Host {
        &self.switch
    }

    /// Plugs `host` in: interface `name` with `address` (`172.20.0.11/16`).
    pub(crate) fn plug(&self, host: &Host, name: &str, address: &str) -> Cable {
        let port = format!("{}-{}", short(host.name()), self.switch.next_link());
        let link = format!(
            "ip link add {port} type veth peer name {name} netns {pid} && ip link set {port} master br0 up",
            pid = host.pid()
        );
        // The command must see both namespaces: the switch's network and this program's processes.
        let output = self.switch.run(|| Command::new("sh").args(["-c", &link]).output()).unwrap();
        assert!(output.status.success(), "{link}: {}", String::from_utf8_lossy(&output.stderr));
        host.sh(&format!("ip link set {name} up && ip address add {address} dev {name}"));
        // On a host with several networks the first one's gateway stays.
        let _ = host.try_sh(&format!("ip route add default via {}", self.gateway));
        Cable { port }
    }

    /// Pulls the cable out of the switch: frames vanish, the carrier stays.
    pub(crate) fn cut(&self, cable: &Cable) {
        self.switch.sh(&format!("ip link set {} nomaster", cable.port));
    }

    /// Puts the cable back.
    pub(crate) fn mend(&self, cable: &Cable) {
        self.switch.sh(&format!("ip link set {} master br0", cable.port));
    }
}

/// One host's link to a network.
pub(crate) struct Cable {
    port: String,
}

/// Interface names have at most 15 bytes.
fn short(name: &str) -> &str {
    &name[..name.len().min(10)]
}
