//! Recorded runs of the real keepalived, replayed through the engine: each router of a recording is built from the
//! configuration it had, hears what the other one really sent, and must say and send what the real one did.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::load;
use super::fixtures::files;
use super::machine::Machine;
use crate::vrrp::engine::{Engine, Link, Output};
use crate::vrrp::fsm::{Effect, Timer};
use crate::vrrp::packet::{Arrival, Outgoing, Profile, decode_v4, decode_v6, encode};
use crate::vrrp::track::Outcome;

/// How far a recorded time may be from the machine's: the recorder read log lines on a busy machine.
const TOLERANCE: Duration = Duration::from_millis(400);

/// One line of a recording.
#[derive(Clone, Debug)]
enum What {
    /// Somebody did something: `start a`, `stop a` (SIGTERM), `kill a` (SIGKILL).
    Do(String),
    /// A router logged.
    Log(char, String),
    /// A router sent an advertisement, from its IP header on.
    Packet(char, Vec<u8>),
    /// A router sent a gratuitous ARP or an unsolicited neighbour advertisement.
    Announcement(char),
}

struct Recording {
    name: String,
    configs: BTreeMap<char, String>,
    addresses: BTreeMap<char, (Ipv4Addr, Ipv6Addr)>,
    events: Vec<(Duration, What)>,
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(digit).collect()
}

fn recording(path: &Path) -> Recording {
    let text = std::fs::read_to_string(path).expect("readable");
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let head = lines.next().expect("a head");
    let text_of = |value: &Value| value.as_str().map(str::to_owned);
    let mut recording = Recording {
        name: text_of(&head["scenario"]).expect("a name"),
        configs: BTreeMap::new(),
        addresses: BTreeMap::new(),
        events: Vec::new(),
    };
    for node in ['a', 'b'] {
        let key = node.to_string();
        recording.configs.insert(node, text_of(&head[&key]).expect("a configuration"));
        let address = |at: usize| text_of(&head["addresses"][&key][at]).expect("an address");
        let link_local = if node == 'a' { "fe80::ff:fe00:1" } else { "fe80::ff:fe00:2" };
        let addresses = (address(0).parse().expect("IPv4"), link_local.parse().expect("IPv6"));
        recording.addresses.insert(node, addresses);
    }
    for line in lines {
        let at = Duration::from_secs_f64(line["t"].as_f64().expect("a time"));
        let node = |key: &str| line[key].as_str().and_then(|text| text.chars().next()).expect("a node");
        let what = if let Some(text) = text_of(&line["do"]) {
            What::Do(text)
        } else if let Some(text) = text_of(&line["log"]) {
            What::Log(node("node"), text)
        } else if let Some(bytes) = text_of(&line["ip"]) {
            What::Packet(node("from"), hex(&bytes))
        } else {
            What::Announcement(node("from"))
        };
        recording.events.push((at, what));
    }
    recording
}

fn recordings() -> Vec<Recording> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("compat-fixtures/vrrp");
    let all = files(&folder, |name| name.ends_with(".jsonl"));
    assert!(!all.is_empty(), "no recordings in {}", folder.display());
    all.iter().map(|path| recording(path)).collect()
}

impl Recording {
    fn engine(&self, node: char) -> Engine {
        let loaded = load("recorded.conf", self.configs[&node].as_str(), &Machine::default());
        assert!(loaded.verdict.runs, "{}: {:?}", self.name, loaded.diagnostics);
        let (v4, v6) = self.addresses[&node];
        let link = Link { up: true, v4: Some(v4), v6: Some(v6) };
        Engine::new(loaded.config, BTreeMap::from([("eth0".to_owned(), link)]))
    }

    fn own(&self, node: char, ipv6: bool) -> IpAddr {
        let (v4, v6) = self.addresses[&node];
        // With unicast the file says the source.
        let mut words =
            self.configs[&node].split_whitespace().skip_while(|word| *word != "unicast_src_ip").skip(1);
        let given = words.next().map(|word| word.parse().expect("an address"));
        given.unwrap_or(if ipv6 { v6.into() } else { v4.into() })
    }
}

/// Source, destination and what the codec works on of a recorded packet.
fn parts(packet: &[u8]) -> (IpAddr, IpAddr, u8, &[u8]) {
    if packet[0] >> 4 == 6 {
        let address = |at: usize| {
            let bytes: [u8; 16] = packet[at..at + 16].try_into().expect("an address");
            IpAddr::from(bytes)
        };
        return (address(8), address(24), packet[7], &packet[40..]);
    }
    let address = |at: usize| IpAddr::from([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]]);
    (address(12), address(16), packet[8], packet)
}

/// A packet as a router with this profile hears it.
fn heard(
    engine: &Engine,
    own: IpAddr,
    packet: &[u8],
) -> Result<crate::vrrp::packet::Advert, crate::vrrp::reject::Reject> {
    let profile = engine.profile(0);
    let (source, destination, hops, body) = parts(packet);
    let check = engine.check_addresses(0, source);
    match (source, destination) {
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let arrival = Arrival { source, destination: Some(destination), hop_limit: Some(hops) };
            decode_v6(profile, own, check, arrival, body)
        }
        _ => decode_v4(profile, own, check, body),
    }
}

/// What a router did by itself.
#[derive(Default)]
struct Did {
    /// Log lines, with times.
    logs: Vec<(Duration, String)>,
    /// Priorities of adverts, with times.
    adverts: Vec<(Duration, u8)>,
    /// Packets of announcement bursts.
    announcements: usize,
}

/// One router in virtual time.
struct Replay<'r> {
    recording: &'r Recording,
    node: char,
    origin: Instant,
    engine: Option<Engine>,
    timers: Vec<(Timer, Duration)>,
    did: Did,
}

impl Replay<'_> {
    fn act(&mut self, at: Duration, act: impl FnOnce(&mut Engine, Instant, &mut Vec<Output>)) {
        let now = self.origin + at;
        let Some(engine) = &mut self.engine else { return };
        let mut out = Vec::new();
        act(engine, now, &mut out);
        for output in out {
            match output {
                Output::Instance(_, Effect::Arm(timer, wait)) => {
                    self.timers.retain(|(known, _)| *known != timer);
                    self.timers.push((timer, at + wait));
                }
                Output::Instance(_, Effect::Disarm(timer)) => {
                    self.timers.retain(|(known, _)| *known != timer)
                }
                Output::Instance(_, Effect::SendAdvert { priority }) => self.did.adverts.push((at, priority)),
                Output::Instance(_, Effect::Announce { repeat }) => {
                    let addresses = engine.config().instances[0].vips.len();
                    self.did.announcements += usize::try_from(repeat).unwrap_or(0) * addresses;
                }
                Output::Instance(_, Effect::Log(event)) => {
                    self.did.logs.push((at, format!("(VI_1) {event}")))
                }
                _ => {}
            }
        }
    }

    /// Fires every timer that is due before `until`.
    fn advance(&mut self, until: Duration) {
        while let Some(&(timer, due)) =
            self.timers.iter().filter(|(_, due)| *due <= until).min_by_key(|(_, due)| *due)
        {
            self.timers.retain(|(known, _)| *known != timer);
            self.act(due, |engine, now, out| engine.timer(0, timer, Duration::ZERO, now, out));
        }
    }

    fn event(&mut self, at: Duration, what: &What) {
        match what {
            What::Log(node, text) if *node == self.node => match text.as_str() {
                "(VI_1) Entering BACKUP STATE (init)" => {
                    self.engine = Some(self.recording.engine(self.node));
                    self.timers.clear();
                    self.act(at, |engine, now, out| {
                        engine.start(now, out);
                        if !engine.config().scripts.is_empty() {
                            // The recording shows when the script's verdict changed; its first run was good.
                            engine.script_finished(0, Outcome::Exited(0), now, out);
                        }
                    });
                }
                text if text.contains("Changing effective priority from 110 to 90") => {
                    self.act(at, |engine, now, out| engine.script_finished(0, Outcome::Exited(1), now, out));
                }
                text if text.contains("Changing effective priority from 90 to 110") => {
                    self.act(at, |engine, now, out| engine.script_finished(0, Outcome::Exited(0), now, out));
                }
                _ => {}
            },
            What::Packet(from, bytes) if *from != self.node => {
                let (source, destination, ..) = parts(bytes);
                let own = self.recording.own(self.node, source.is_ipv6());
                if destination.is_multicast() || destination == own {
                    self.act(at, |engine, now, out| {
                        let result = heard(engine, own, bytes).map_err(|reject| (reject, Some(source)));
                        engine.packet(0, result, now, out);
                    });
                }
            }
            What::Do(text) if *text == format!("stop {}", self.node) => {
                self.act(at, |engine, now, out| engine.stop(now, out));
                self.engine = None;
                self.timers.clear();
            }
            What::Do(text) if *text == format!("kill {}", self.node) => {
                self.engine = None;
                self.timers.clear();
            }
            _ => {}
        }
    }
}

fn replay(recording: &Recording, node: char) -> Did {
    #[allow(clippy::disallowed_methods, reason = "any instant will do as the origin of virtual time")]
    let origin = Instant::now();
    let mut replay =
        Replay { recording, node, origin, engine: None, timers: Vec::new(), did: Did::default() };
    for (at, what) in &recording.events {
        replay.advance(*at);
        replay.event(*at, what);
    }
    replay.did
}

/// Log lines of the recording that the election itself is responsible for: not those about the configuration, nor those of
/// the part that sets addresses.
fn recorded_logs(recording: &Recording, node: char) -> Vec<(Duration, String)> {
    let loaded = load("recorded.conf", recording.configs[&node].as_str(), &Machine::default());
    let configured = |text: &str| loaded.diagnostics.iter().any(|diagnostic| diagnostic.message == text);
    let lines = recording.events.iter().filter_map(|(at, what)| match what {
        What::Log(from, text) if *from == node => Some((*at, text.clone())),
        _ => None,
    });
    let election = |text: &str| {
        text.starts_with("(VI_1) ") && !text.ends_with("setting VIPs.") && !text.ends_with("removing VIPs.")
    };
    lines.filter(|(_, text)| election(text) && !configured(text)).collect()
}

fn recorded_adverts(recording: &Recording, node: char) -> Vec<(Duration, u8)> {
    let priority = |bytes: &[u8]| {
        let (.., body) = parts(bytes);
        match (bytes[0] >> 4, bytes[9]) {
            (6, _) => body[2],
            (_, 51) => body[20 + 24 + 2],
            _ => body[22],
        }
    };
    let packets = recording.events.iter().filter_map(|(at, what)| match what {
        What::Packet(from, bytes) if *from == node => Some((*at, priority(bytes))),
        _ => None,
    });
    packets.collect()
}

/// Recordings in which ours takes over sooner on purpose: a master's fall below our own priority is acted on at once.
const SOONER: [&str; 1] = ["script-weight"];

/// Recordings in which each router refuses the other's packets. keepalived then logs every one of them, and starts its own
/// advert interval anew, so that a master falls silent; ours logs one a minute and is not moved by them.
const REFUSED: [&str; 2] = ["address-lists-differ", "wrong-password"];

fn is_refusal(text: &str) -> bool {
    text.contains("invalid passwd") || text.contains("not present in MASTER advert")
}

#[test]
fn states_change_as_they_did() {
    for recording in recordings() {
        for node in ['a', 'b'] {
            let name = format!("{} {node}", recording.name);
            let did = replay(&recording, node);
            let entering = |logs: &[(Duration, String)]| -> Vec<(Duration, String)> {
                logs.iter().filter(|(_, text)| text.contains(" Entering ")).cloned().collect()
            };
            let (ours, theirs) = (entering(&did.logs), entering(&recorded_logs(&recording, node)));
            let states =
                |list: &[(Duration, String)]| list.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>();
            assert_eq!(states(&ours), states(&theirs), "{name}");
            if SOONER.contains(&recording.name.as_str()) {
                assert!(
                    ours.iter().zip(&theirs).all(|(our, their)| our.0 <= their.0 + TOLERANCE),
                    "{name}: {ours:?} {theirs:?}"
                );
                continue;
            }
            for (our, their) in ours.iter().zip(&theirs) {
                assert!(
                    our.0.abs_diff(their.0) < TOLERANCE,
                    "{name}: {} at {:?}, recorded at {:?}",
                    our.1,
                    our.0,
                    their.0
                );
            }
        }
    }
}

#[test]
fn log_lines_are_the_same_and_in_the_same_order() {
    for recording in recordings().iter().filter(|recording| !SOONER.contains(&recording.name.as_str())) {
        for node in ['a', 'b'] {
            let text =
                |logs: Vec<(Duration, String)>| logs.into_iter().map(|(_, text)| text).collect::<Vec<_>>();
            let (mut ours, mut theirs) =
                (text(replay(recording, node).logs), text(recorded_logs(recording, node)));
            if REFUSED.contains(&recording.name.as_str()) {
                let mut first = true;
                theirs.retain(|line| !is_refusal(line) || std::mem::take(&mut first));
                assert!(!first, "{} {node} refused nothing", recording.name);
                // Ours says from whom, too.
                for line in ours.iter_mut().filter(|line| is_refusal(line)) {
                    *line = line.split(" (from ").next().unwrap_or_default().to_owned();
                }
            }
            assert_eq!(ours, theirs, "{} {node}", recording.name);
        }
    }
}

#[test]
fn addresses_are_announced_as_often() {
    for recording in recordings().iter().filter(|recording| !SOONER.contains(&recording.name.as_str())) {
        for node in ['a', 'b'] {
            let sent = |what: &What| matches!(what, What::Announcement(from) if *from == node);
            let theirs = recording.events.iter().filter(|(_, what)| sent(what)).count();
            assert_eq!(replay(recording, node).announcements, theirs, "{} {node}", recording.name);
        }
    }
}

#[test]
fn adverts_are_sent_when_they_were() {
    let left_out = |name: &str| SOONER.contains(&name) || REFUSED.contains(&name);
    for recording in recordings().iter().filter(|recording| !left_out(&recording.name)) {
        for node in ['a', 'b'] {
            let name = format!("{} {node}", recording.name);
            let (ours, theirs) = (replay(recording, node).adverts, recorded_adverts(recording, node));
            let count = |list: &[(Duration, u8)], priority: u8| {
                list.iter().filter(|(_, sent)| *sent == priority).count()
            };
            for priority in [0, 90, 100, 101, 110] {
                // The last advert before the end may fall on either side of it.
                let (ours, theirs) = (count(&ours, priority), count(&theirs, priority));
                assert!(
                    ours.abs_diff(theirs) <= 1 + theirs / 10,
                    "{name}: {ours} of priority {priority}, recorded {theirs}"
                );
            }
            if let (Some(our), Some(their)) = (ours.first(), theirs.first()) {
                assert!(
                    our.0.abs_diff(their.0) < TOLERANCE,
                    "{name}: first advert at {:?}, recorded at {:?}",
                    our.0,
                    their.0
                );
            }
            assert_eq!(ours.is_empty(), theirs.is_empty(), "{name}");
        }
    }
}

/// The packet that would be sent in place of a recorded one.
fn encoded(profile: &Profile, packet: &[u8]) -> Vec<u8> {
    let (source, destination, _, body) = parts(packet);
    let ah = packet[0] >> 4 == 4 && packet[9] == 51;
    let at = if packet[0] >> 4 == 6 { 0 } else { 20 };
    let word = |at: usize| u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
    let outgoing = Outgoing {
        source,
        destination,
        priority: body[at + if ah { 24 + 2 } else { 2 }],
        ip_id: if at == 20 { u16::from_be_bytes([packet[4], packet[5]]) } else { 1 },
        sequence: if ah { word(28) } else { 0 },
        old_checksum: false,
        stamp: 0,
    };
    let mut out = Vec::new();
    encode(profile, &outgoing, &mut out);
    if at == 20 {
        // The kernel fills in the IP header checksum.
        out[10..12].copy_from_slice(&packet[10..12]);
    }
    out
}

#[test]
fn packets_are_the_same_to_the_byte() {
    let mut compared = 0;
    for recording in recordings() {
        for node in ['a', 'b'] {
            let engine = recording.engine(node);
            for (at, what) in &recording.events {
                let What::Packet(from, bytes) = what else { continue };
                if *from != node {
                    continue;
                }
                let (.., body) = parts(bytes);
                assert_eq!(encoded(engine.profile(0), bytes), body, "{} {node} at {at:?}", recording.name);
                compared += 1;
            }
        }
    }
    assert!(compared > 50, "only {compared} packets");
}

#[test]
fn the_other_router_s_packets_are_accepted_unless_the_real_one_refused_them() {
    for recording in recordings() {
        let refused = |node: char| {
            let mut lines = recorded_logs(&recording, node).into_iter();
            lines.any(|(_, text)| is_refusal(&text))
        };
        for node in ['a', 'b'] {
            let engine = recording.engine(node);
            for (at, what) in &recording.events {
                let What::Packet(from, bytes) = what else { continue };
                if *from == node {
                    continue;
                }
                let (source, ..) = parts(bytes);
                let result = heard(&engine, recording.own(node, source.is_ipv6()), bytes);
                assert_eq!(result.is_err(), refused(node), "{} {node} at {at:?}: {result:?}", recording.name);
            }
        }
    }
}
