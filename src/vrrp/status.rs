//! What a VRRP engine tells other processes of its machine, and where they find it.
//!
//! The engine answers every connection to an abstract socket with the JSON of its instances and closes. Abstract names
//! belong to a network namespace, as VRRP does, and can be reached from a chroot and without privileges.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Name of the socket; further engines in the same network add `-2`, `-3` ...
const WINDOW: &str = "tandem-vrrp";

/// How many engines may share a network.
const WINDOWS: usize = 8;

/// The names, in the order in which they are taken.
pub fn windows() -> impl Iterator<Item = String> {
    (1..=WINDOWS).map(|n| if n == 1 { WINDOW.to_owned() } else { format!("{WINDOW}-{n}") })
}

/// An instance as told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// Its interface.
    pub interface: String,
    /// Its virtual router id.
    pub vrid: u8,
    /// INIT, BACKUP, MASTER, FAULT, STOP.
    pub state: String,
    /// Priority now.
    pub priority: u8,
    /// Priority as configured.
    pub base_priority: u8,
    /// Priority of the last master heard; 0: none.
    pub master_priority: u8,
    /// Time of the last transition, seconds since 1970; 0: none yet.
    pub since: f64,
    /// Interval of advertisements, seconds.
    pub interval: f64,
    /// The addresses are installed here.
    pub holds_addresses: bool,
    /// Its addresses, with what is configured for each.
    pub addresses: Vec<String>,
    /// Counters by keepalived's names.
    pub counters: BTreeMap<String, u64>,
    /// What keepalived does not tell.
    pub more: More,
}

/// What keepalived does not tell of an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct More {
    /// Why it is in its state.
    pub reason: Option<String>,
    /// What adds to the configured priority, or takes from it; `None`: it means FAULT.
    pub parts: Vec<(String, Option<i32>)>,
    /// How far adverts are from their time, smoothed, seconds: sent by a master, heard by a backup.
    pub jitter: f64,
    /// The worst since the last transition.
    pub worst_jitter: f64,
    /// Seconds of silence after which this router takes a master for dead.
    pub detects: f64,
    /// Who else speaks of the VRID.
    pub others: Vec<Other>,
}

/// Another router with the VRID of an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Other {
    /// Its address.
    pub address: String,
    /// Its priority, if its adverts are taken.
    pub priority: Option<u8>,
    /// Why they are not.
    pub refused: Option<String>,
    /// It is one of the configured peers.
    pub peer: bool,
    /// Seconds since it was heard.
    pub heard: f64,
}

impl fmt::Display for Status {
    /// For people; the first line stands alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = &self.more;
        writeln!(f, "{}: {} on {}, vrid {}", self.name, self.state, self.interface, self.vrid)?;
        for address in &self.addresses {
            writeln!(f, "  address    {address}{}", if self.holds_addresses { "" } else { " (not here)" })?;
        }
        if let Some(reason) = &more.reason {
            writeln!(f, "  because    {reason}")?;
        }
        write!(f, "  priority   {}", self.priority)?;
        if !more.parts.is_empty() {
            write!(f, " = {} configured", self.base_priority)?;
            for (who, weight) in &more.parts {
                match weight {
                    Some(weight) => write!(f, " {} {} ({who})", sign(*weight), weight.unsigned_abs())?,
                    None => write!(f, ", FAULT ({who})")?,
                }
            }
        }
        writeln!(f)?;
        let (speaks, off) = if self.state == "MASTER" { ("sent", "late") } else { ("heard", "off") };
        writeln!(
            f,
            "  adverts    every {} s, {speaks} {:.1} ms {off}, at worst {:.1} ms; {} sent, {} received",
            self.interval,
            more.jitter * 1e3,
            more.worst_jitter * 1e3,
            self.counter("advert_sent"),
            self.counter("advert_rcvd")
        )?;
        writeln!(f, "  detects    a dead master after {:.3} s of silence", more.detects)?;
        for other in &more.others {
            let what = match (&other.refused, other.priority) {
                (Some(refused), _) => format!("FOREIGN, refused: {refused}"),
                (None, Some(0)) => "stopped".to_owned(),
                (None, Some(priority)) => format!("priority {priority}"),
                (None, None) => "silent".to_owned(),
            };
            writeln!(f, "  router     {} {what}, heard {:.1} s ago", other.address, other.heard)?;
        }
        Ok(())
    }
}

fn sign(weight: i32) -> char {
    if weight < 0 { '-' } else { '+' }
}

/// States by their number in the JSON.
const STATES: [(u64, &str); 5] = [(0, "INIT"), (1, "BACKUP"), (2, "MASTER"), (3, "FAULT"), (98, "STOP")];

#[derive(Deserialize)]
struct Entry {
    data: Data,
    #[serde(default)]
    stats: BTreeMap<String, u64>,
    #[serde(default)]
    tandem: More,
}

#[derive(Deserialize)]
struct Data {
    iname: String,
    #[serde(default)]
    ifp_ifname: String,
    #[serde(default)]
    master_priority: u8,
    #[serde(default)]
    last_transition: f64,
    vrid: u8,
    base_priority: u8,
    effective_priority: u8,
    #[serde(default)]
    vipset: bool,
    #[serde(default)]
    adver_int: f64,
    state: u64,
    #[serde(default)]
    vips: Vec<String>,
}

impl Status {
    /// Reads what the socket says, which is also what keepalived writes as `keepalived.json`. `None`: it is something
    /// else.
    #[must_use]
    pub fn parse(json: &[u8]) -> Option<Vec<Self>> {
        let entries = serde_json::from_slice::<Vec<Entry>>(json).ok()?;
        let one = |Entry { data, stats, tandem }: Entry| Self {
            state: STATES.iter().find(|(n, _)| *n == data.state).map_or("?", |(_, name)| name).to_owned(),
            name: data.iname,
            interface: data.ifp_ifname,
            vrid: data.vrid,
            priority: data.effective_priority,
            base_priority: data.base_priority,
            master_priority: data.master_priority,
            since: data.last_transition,
            interval: data.adver_int,
            holds_addresses: data.vipset,
            addresses: data.vips,
            counters: stats,
            more: tandem,
        };
        Some(entries.into_iter().map(one).collect())
    }

    /// A counter; 0 if it was not told.
    #[must_use]
    pub fn counter(&self, name: &str) -> u64 {
        self.counters.get(name).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keepalived_writes_is_understood() {
        let json = br#"[{"data":{"iname":"VI_1","ifp_ifname":"eth0","vrid":51,"base_priority":100,
            "effective_priority":80,"state":2,"vipset":true,"last_transition":12.5,"adver_int":1.0,
            "vips":["10.0.0.1 dev eth0"],"more":{"a":[1]}},"stats":{"become_master":3}}]"#;
        let status = Status::parse(json).expect("valid").remove(0);
        assert_eq!((status.name.as_str(), status.state.as_str()), ("VI_1", "MASTER"));
        assert_eq!((status.priority, status.base_priority, status.counter("become_master")), (80, 100, 3));
        assert_eq!(status.counter("nothing"), 0);
        for wrong in [&b"{}"[..], b"", b"[{\"data\":{}}]", b"[1]"] {
            assert_eq!(Status::parse(wrong), None);
        }
    }

    #[test]
    fn names_differ() {
        let names = windows().collect::<std::collections::BTreeSet<_>>();
        assert_eq!(names.len(), WINDOWS);
        assert!(names.contains("tandem-vrrp") && names.contains("tandem-vrrp-2"));
    }
}
