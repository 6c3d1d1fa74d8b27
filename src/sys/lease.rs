//! Addresses that the kernel answers for only as long as adverts leave this machine.
//!
//! Lives of addresses count whole seconds. Where others wait less than that before they take over, nf_tables fills the
//! rest of the time: every advert that goes out renews two elements with timeouts of milliseconds, *in the path of the
//! packet*, so that nothing has to be asked of the kernel between two adverts. An address that is in `known` and no
//! longer in `leased` gets no packets and no ARP, and none leave in its name, neighbour advertisements among them. `known` outlives
//! the address itself, then nothing is filtered any more: whoever is killed leaves no trap behind.
//!
//! The table is of family netdev (the only one whose rules see both ARP and outgoing adverts): hooks `ingress` and, from
//! Linux 5.16 on, `egress`. Encoding as in [`super::nft`].

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use super::nft::{
    ACCEPT, APPEND, Attributes, Batch, CREATE, Channel, DELETE_TABLE, DROP, META_PROTOCOL, NETWORK,
    NEW_CHAIN, NEW_RULE, NEW_SET, NEW_TABLE, REGISTER, TRANSPORT, TYPE_IPV4, TYPE_IPV6,
};

/// Which adverts renew what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// Index of the interface the adverts leave by.
    pub speaks_on: u32,
    /// The adverts are IPv6 packets.
    pub v6: bool,
    /// IP protocol of the adverts.
    pub protocol: u8,
    /// Where the virtual router's number stands, counted from the end of the IP header.
    pub vrid_at: u32,
    /// The virtual router.
    pub vrid: u8,
    /// The addresses.
    pub addresses: Vec<IpAddr>,
    /// How long one advert lets the addresses be answered for.
    pub answers: Duration,
    /// How long after the last advert they may still be in the kernel.
    pub remains: Duration,
}

/// Everything that is leased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// Name of the table.
    pub table: String,
    /// Interfaces with addresses or adverts: name and index.
    pub devices: Vec<(String, u32)>,
    /// What renews; none: nothing is leased.
    pub renewals: Vec<Renewal>,
}

const NETDEV: u8 = 5;
const INGRESS: u32 = 0;
const EGRESS: u32 = 1;

/// Key of `meta`: what follows the Ethernet header.
const META_ETHERTYPE: u32 = 1;
const ETHERTYPE_V4: [u8; 2] = [0x08, 0x00];
const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
const ETHERTYPE_V6: [u8; 2] = [0x86, 0xdd];

/// Flags of sets: elements with timeouts, made by rules.
const TIMEOUT_AND_EVAL: u32 = 0x10 | 0x20;
/// Most addresses of a family.
const SIZE: u32 = 4096;
const UPDATE: u32 = 1;
const INVERTED: u32 = 1;
const DIFFERS: u32 = 1;

/// Somewhere in the middle of a field, of either family's header.
const MIDDLE: u32 = 5;

const PROTO_AH: u8 = 51;
const PROTO_VRRP: u8 = 112;

/// Makes the kernel do exactly this; nothing leased removes the table.
///
/// # Errors
/// What the kernel says: `PermissionDenied` without CAP_NET_ADMIN, `Unsupported` when it has no such hooks.
pub fn apply(channel: &Channel, lease: &Lease) -> io::Result<()> {
    let mut batch = Batch::new();
    batch.table(NETDEV, NEW_TABLE, &lease.table);
    batch.table(NETDEV, DELETE_TABLE, &lease.table);
    if !lease.renewals.is_empty() {
        batch.table(NETDEV, NEW_TABLE, &lease.table);
        lease.write(&mut batch);
    }
    batch.commit(channel)
}

/// Names of the sets of a family: what is known, what is leased.
fn sets(v6: bool) -> (&'static str, &'static str) {
    if v6 { ("known6", "leased6") } else { ("known4", "leased4") }
}

fn of_type(ethertype: [u8; 2]) -> Attributes {
    Attributes::default().meta(META_ETHERTYPE, 0).equal(&ethertype)
}

/// Goes on only if the register is not in the set.
fn not_within(rule: Attributes, set: &str) -> Attributes {
    rule.expression("lookup", Attributes::default().text(1, set).number(2, REGISTER).number(5, INVERTED))
}

/// Goes on only if the register has another value.
fn differs(rule: Attributes, value: &[u8]) -> Attributes {
    let data = Attributes::default().number(1, REGISTER).number(2, DIFFERS);
    rule.expression("cmp", data.nest(3, Attributes::default().raw(1, value)))
}

/// Puts what the register holds into the set for so long.
fn renew(rule: Attributes, set: &str, time: Duration) -> Attributes {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let data = Attributes::default().text(1, set).number(3, UPDATE).number(4, REGISTER);
    rule.expression("dynset", data.raw(6, &millis.to_be_bytes()))
}

impl Lease {
    fn write(&self, batch: &mut Batch) {
        for (at, (v6, kind, len)) in [(false, TYPE_IPV4, 4), (true, TYPE_IPV6, 16)].into_iter().enumerate() {
            let (known, leased) = sets(v6);
            for (more, name) in [known, leased].into_iter().enumerate() {
                let number = u32::try_from(at * 2 + more + 1).unwrap_or(u32::MAX);
                let set = Attributes::default().text(1, &self.table).text(2, name);
                let set = set.number(3, TIMEOUT_AND_EVAL).number(4, kind).number(5, len);
                let set = set.nest(9, Attributes::default().number(1, SIZE)).number(10, number);
                batch.add(NEW_SET, CREATE, NETDEV, &set);
            }
        }
        for (name, index) in &self.devices {
            let (inward, outward) = (format!("in{index}"), format!("out{index}"));
            self.chain(batch, &inward, name, INGRESS);
            self.chain(batch, &outward, name, EGRESS);
            // Where addresses stand: the destination in what comes, the source in what goes.
            let guarded = [
                (&inward, of_type(ETHERTYPE_V4).load(NETWORK, 16, 4), false),
                (&inward, of_type(ETHERTYPE_ARP).load(NETWORK, 24, 4), false),
                (&inward, of_type(ETHERTYPE_V6).load(NETWORK, 24, 16), true),
                (&outward, of_type(ETHERTYPE_V4).load(NETWORK, 12, 4), false),
                (&outward, of_type(ETHERTYPE_ARP).load(NETWORK, 14, 4), false),
                (&outward, of_type(ETHERTYPE_V6).load(NETWORK, 8, 16), true),
            ];
            for (chain, rule, v6) in guarded {
                let (known, leased) = sets(v6);
                self.rule(batch, chain, not_within(rule.within(known), leased).verdict(DROP, false));
            }
            let other = differs(Attributes::default().meta(META_PROTOCOL, 0), &[PROTO_VRRP]);
            self.rule(batch, &outward, differs(other, &[PROTO_AH]).verdict(ACCEPT, false));
            for renewal in self.renewals.iter().filter(|r| r.speaks_on == *index) {
                for address in &renewal.addresses {
                    self.rule(batch, &outward, renewal.rule(*address));
                }
            }
        }
    }

    fn chain(&self, batch: &mut Batch, name: &str, device: &str, hook: u32) {
        let at = Attributes::default().number(1, hook).number(2, 0).text(3, device);
        let chain = Attributes::default().text(1, &self.table).text(3, name).nest(4, at);
        batch.add(NEW_CHAIN, CREATE, NETDEV, &chain.number(5, ACCEPT).text(7, "filter"));
    }

    fn rule(&self, batch: &mut Batch, chain: &str, expressions: Attributes) {
        let rule = Attributes::default().text(1, &self.table).text(2, chain).nest(4, expressions);
        batch.add(NEW_RULE, CREATE | APPEND, NETDEV, &rule);
    }
}

impl Renewal {
    /// The address as the key of an element. nft(8) lists a constant there in a way it does not read again, so that a
    /// saved list of rules could not be loaded: it is written as a function of some bytes of the packet, of which nothing
    /// remains. They begin in the middle of a field, or nft(8) would list them by its name, and the constant as one of its
    /// type, which it does not read either where that is IPv6.
    fn key(rule: Attributes, address: IpAddr) -> Attributes {
        let value = |bytes: &[u8]| Attributes::default().raw(1, bytes);
        let bytes = match address {
            IpAddr::V4(a) => a.octets().to_vec(),
            IpAddr::V6(a) => a.octets().to_vec(),
        };
        let len = if address.is_ipv4() { 4 } else { 16 };
        let data = Attributes::default().number(1, REGISTER).number(2, REGISTER).number(3, len);
        let data = data.nest(4, value(&vec![0; bytes.len()])).nest(5, value(&bytes));
        rule.load(NETWORK, MIDDLE, len).expression("bitwise", data)
    }

    fn rule(&self, address: IpAddr) -> Attributes {
        let rule = of_type(if self.v6 { ETHERTYPE_V6 } else { ETHERTYPE_V4 });
        let rule = rule.meta(META_PROTOCOL, 0).equal(&[self.protocol]);
        let rule = rule.load(TRANSPORT, self.vrid_at, 1).equal(&[self.vrid]);
        let (known, leased) = sets(address.is_ipv6());
        renew(renew(Self::key(rule, address), known, self.remains), leased, self.answers)
    }
}
