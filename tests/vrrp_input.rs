//! Malformed VRRP packets, each of which would take the address away if it were acted on.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::lab::{Config, Host, Lab, Part, Signal, eventually, holds_for, keepalived, wait_for};

const SECOND: Duration = Duration::from_secs(1);
const VIP: &str = "172.20.0.100";
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const VICTIM: Ipv4Addr = Ipv4Addr::new(172, 20, 0, 11);
const ATTACKER: Ipv4Addr = Ipv4Addr::new(172, 20, 0, 66);
const VRRP: u8 = 112;
/// A simple password is this long on the wire (RFC 2338, section 5.3.10).
const PASSWORD: [u8; 8] = *b"1234\0\0\0\0";

/// An advertisement of version 2, right in everything unless changed (RFC 2338, section 5.1).
#[derive(Clone)]
struct Advertisement {
    source: Ipv4Addr,
    ttl: u8,
    version: u8,
    kind: u8,
    router: u8,
    priority: u8,
    auth: u8,
    interval: u8,
    password: [u8; 8],
    checksum_off_by: u16,
    cut: usize,
}

const SOUND: Advertisement = Advertisement {
    source: ATTACKER,
    ttl: 255,
    version: 2,
    kind: 1,
    router: 51,
    priority: 200,
    auth: 1,
    interval: 1,
    password: PASSWORD,
    checksum_off_by: 0,
    cut: 0,
};

impl Advertisement {
    fn bytes(&self) -> Vec<u8> {
        let address: Ipv4Addr = VIP.parse().unwrap();
        let mut vrrp = vec![
            self.version << 4 | self.kind,
            self.router,
            self.priority,
            1,
            self.auth,
            self.interval,
            0,
            0,
        ];
        vrrp.extend(address.octets());
        // The sum covers the whole message, the password too.
        vrrp.extend(self.password);
        let sum = checksum(&vrrp).wrapping_add(self.checksum_off_by);
        vrrp[6..8].copy_from_slice(&sum.to_be_bytes());
        vrrp.truncate(vrrp.len() - self.cut);
        let length = u16::try_from(20 + vrrp.len()).unwrap().to_be_bytes();
        // The kernel fills in the header's own sum.
        let mut packet = vec![0x45, 0xc0, length[0], length[1], 0, 1, 0, 0, self.ttl, VRRP, 0, 0];
        packet.extend(self.source.octets());
        packet.extend(GROUP.octets());
        packet.extend(vrrp);
        packet
    }

    fn send(&self, from: &Host) {
        let socket = from
            .run(|| {
                Socket::new(
                    Domain::IPV4,
                    Type::from(nix::libc::SOCK_RAW),
                    Some(Protocol::from(i32::from(VRRP))),
                )
            })
            .unwrap();
        socket.set_header_included_v4(true).unwrap();
        socket.set_multicast_if_v4(&ATTACKER).unwrap();
        socket.send_to(&self.bytes(), &SocketAddrV4::new(GROUP, 0).into()).unwrap();
    }
}

/// The internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap()
}

#[test]
fn malformed_advertisements_are_counted_and_never_acted_on() {
    let Some(lab) = Lab::open(&[Part::Program("killall")]) else { return };
    let net = lab.network("net", "172.20.0.1/16");
    let victim = lab.host("victim");
    net.plug(&victim, "eth0", &format!("{VICTIM}/16"));
    let attacker = lab.host("attacker");
    net.plug(&attacker, "eth0", &format!("{ATTACKER}/16"));
    let daemon = victim.keepalived(&keepalived(), &Config::system("stateless-ha", "keepalived-master.conf"));
    eventually("the address", 10 * SECOND, || victim.has_address(VIP));

    let bad = [
        ("ttl", Advertisement { ttl: 254, ..SOUND }),
        ("checksum", Advertisement { checksum_off_by: 1, ..SOUND }),
        ("version", Advertisement { version: 3, ..SOUND }),
        ("type", Advertisement { kind: 7, ..SOUND }),
        ("password", Advertisement { password: *b"wrong\0\0\0", ..SOUND }),
        ("no authentication", Advertisement { auth: 0, ..SOUND }),
        ("interval", Advertisement { interval: 9, ..SOUND }),
        ("another router", Advertisement { router: 52, ..SOUND }),
        ("own address", Advertisement { source: VICTIM, ..SOUND }),
        ("cut in the password", Advertisement { cut: 8, ..SOUND }),
        ("cut in the address", Advertisement { cut: 14, ..SOUND }),
        ("cut in the header", Advertisement { cut: 17, ..SOUND }),
    ];
    // Three of each: what is logged once must not be logged three times.
    for (_, packet) in &bad {
        (0..3).for_each(|_| packet.send(&attacker));
    }
    holds_for("the address stays", 3 * SECOND, || victim.has_address(VIP));
    assert_eq!(daemon.count("Entering BACKUP STATE"), 1, "only at the start: {:?}", daemon.log());

    // The counters that keepalived writes when it is told to.
    daemon.signal(Signal::SIGUSR2);
    let counters = wait_for("the counters", 5 * SECOND, || {
        let text = victim.try_sh("cat /tmp/keepalived.stats").stdout;
        let text = String::from_utf8_lossy(&text).into_owned();
        text.contains("Priority Zero:").then_some(text)
    });
    let counter = |name: &str| -> u32 {
        let line = counters.lines().find(|line| line.trim_start().starts_with(name));
        let line = line.unwrap_or_else(|| panic!("no counter {name}: {counters}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    println!("{counters}");
    for name in ["Length", "TTL", "Invalid Type", "Type Mismatch", "Failure"] {
        assert!(counter(name) >= 3, "{name}: {counters}");
    }

    if keepalived().is_ours() {
        assert_eq!(daemon.count("received an invalid passwd"), 1, "a stream of bad packets fills the log");
    }

    // The same packet without a fault is obeyed: the faults were what was refused.
    let took = eventually("the address to go", 5 * SECOND, || {
        SOUND.send(&attacker);
        !victim.has_address(VIP)
    });
    println!("a sound advertisement of a higher priority is obeyed after {took:?}");
    eventually("the address to come back", 10 * SECOND, || victim.has_address(VIP));
}
