//! What may happen to nodes, and how it is written down.

use std::fmt;
use std::time::Duration;

use super::World;

/// Something that happens; nodes by position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// `NODE start`, also after it died.
    Start(usize),
    /// `NODE stop`: as the init system does it.
    Stop(usize),
    /// `NODE engine dies`: the process that speaks VRRP; its parent lives.
    EngineDies(usize),
    /// `NODE dies`: every process, without a word.
    AllDies(usize),
    /// `NODE freezes`.
    Freezes(usize),
    /// `NODE thaws`.
    Thaws(usize),
    /// `NODE link [INTERFACE] down|up`: the carrier.
    Link {
        /// Which node.
        node: usize,
        /// `None`: all.
        interface: Option<String>,
        /// Up?
        up: bool,
    },
    /// `NODE cut`: somewhere behind its switch, which it does not notice.
    Cut(usize),
    /// `NODE mend`.
    Mend(usize),
    /// `NODE proxy dies|returns`.
    Proxy {
        /// Which node.
        node: usize,
        /// Does it run?
        runs: bool,
    },
    /// `NODE track_proxy NAME fails|succeeds`: the proxy runs.
    Tracked {
        /// Which node.
        node: usize,
        /// Name of the `track_proxy`.
        name: String,
        /// Succeeds?
        good: bool,
    },
    /// `NODE script NAME fails|succeeds`.
    Script {
        /// Which node.
        node: usize,
        /// Its name.
        name: String,
        /// Succeeds?
        good: bool,
    },
    /// `NODE file NAME VALUE`.
    File {
        /// Which node.
        node: usize,
        /// Name of the `track_file`.
        name: String,
        /// Number in it.
        value: i64,
    },
    /// `network loss PERCENT`.
    Loss(u32),
    /// `network delay TIME`: the longest.
    Delay(Duration),
}

/// An event with its time since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// When.
    pub at: Duration,
    /// What.
    pub event: Event,
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its number, from 1.
    pub line: usize,
    /// Why.
    pub why: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// Seconds, or with a unit (`ms`, `s`, `m`).
fn time(text: &str) -> Option<Duration> {
    let (number, scale) = if let Some(n) = text.strip_suffix("ms") {
        (n, 0.001)
    } else if let Some(n) = text.strip_suffix('m') {
        (n, 60.0)
    } else {
        (text.strip_suffix('s').unwrap_or(text), 1.0)
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * scale).ok()
}

/// Reads a plan: a line per event, `TIME NODE WHAT`; `#` begins a comment.
///
/// # Errors
/// The first line that cannot be read.
pub fn parse(text: &str, world: &World) -> Result<Vec<Planned>, Unreadable> {
    let mut plan = Vec::new();
    for (line, text) in text.lines().enumerate() {
        let words: Vec<&str> = text.split('#').next().unwrap_or_default().split_whitespace().collect();
        let wrong = |why: String| Unreadable { line: line + 1, why };
        let [at, who, what @ ..] = words.as_slice() else {
            match words.first() {
                None => continue,
                Some(word) => return Err(wrong(format!("'{word}' alone: write TIME NODE EVENT"))),
            }
        };
        let at = time(at).ok_or_else(|| wrong(format!("'{at}' is no time")))?;
        let event = event(who, what, world).map_err(wrong)?;
        plan.push(Planned { at, event });
    }
    plan.sort_by_key(|p| p.at);
    Ok(plan)
}

fn event(who: &str, what: &[&str], world: &World) -> Result<Event, String> {
    if who == "network" {
        return match what {
            ["loss", percent] => {
                let percent = percent.trim_end_matches('%').parse().ok().filter(|p| *p <= 100);
                percent.map(Event::Loss).ok_or_else(|| "a loss is 0 to 100 percent".to_owned())
            }
            ["delay", delay] => time(delay).map(Event::Delay).ok_or_else(|| format!("'{delay}' is no time")),
            _ => Err("the network can have 'loss PERCENT' or 'delay TIME'".to_owned()),
        };
    }
    let Some(node) = world.node(who) else {
        let names: Vec<&str> = (0..world.len()).map(|at| world.name(at)).collect();
        return Err(format!("no node '{who}'; there are {}", names.join(", ")));
    };
    let event = match what {
        ["start" | "returns"] => Event::Start(node),
        ["stop" | "stops"] => Event::Stop(node),
        ["engine", "dies"] => Event::EngineDies(node),
        ["dies"] => Event::AllDies(node),
        ["freezes" | "freeze"] => Event::Freezes(node),
        ["thaws" | "thaw"] => Event::Thaws(node),
        ["cut"] => Event::Cut(node),
        ["mend"] => Event::Mend(node),
        ["link", state @ ("up" | "down")] => Event::Link { node, interface: None, up: *state == "up" },
        ["link", interface, state @ ("up" | "down")] => {
            Event::Link { node, interface: Some((*interface).to_owned()), up: *state == "up" }
        }
        ["proxy", "dies"] => Event::Proxy { node, runs: false },
        ["proxy", "returns"] => Event::Proxy { node, runs: true },
        ["script", name, how @ ("fails" | "succeeds")] => {
            let known = world.nodes[node].config.scripts.iter().any(|s| s.name == *name);
            if !known {
                return Err(format!("{who} has no script '{name}'"));
            }
            Event::Script { node, name: (*name).to_owned(), good: *how == "succeeds" }
        }
        ["track_proxy", name, how @ ("fails" | "succeeds")] => {
            let known = world.nodes[node].config.track_proxies.iter().any(|p| p.name == *name);
            if !known {
                return Err(format!("{who} has no track_proxy '{name}'"));
            }
            Event::Tracked { node, name: (*name).to_owned(), good: *how == "succeeds" }
        }
        ["file", name, value] => {
            let known = world.nodes[node].config.track_files.iter().any(|f| f.name == *name);
            let value = value.parse().map_err(|_| format!("'{value}' is no number"))?;
            if !known {
                return Err(format!("{who} has no track_file '{name}'"));
            }
            Event::File { node, name: (*name).to_owned(), value }
        }
        _ => {
            return Err(format!(
                "'{}' is nothing a node can do: start, stop, dies, engine dies, freezes, thaws, link [IFACE] down|up, \
                 cut, mend, proxy dies|returns, script NAME fails|succeeds, track_proxy NAME fails|succeeds, file NAME NUMBER",
                what.join(" ")
            ));
        }
    };
    Ok(event)
}

impl World {
    /// An event in words.
    #[must_use]
    pub fn describe(&self, event: &Event) -> String {
        let name = |node: &usize| self.nodes[*node].name.as_str();
        match event {
            Event::Start(at) => format!("{} starts", name(at)),
            Event::Stop(at) => format!("{} is stopped", name(at)),
            Event::EngineDies(at) => format!("the VRRP process on {} dies", name(at)),
            Event::AllDies(at) => format!("every process on {} dies", name(at)),
            Event::Freezes(at) => format!("{} freezes", name(at)),
            Event::Thaws(at) => format!("{} thaws", name(at)),
            Event::Link { node, interface, up } => {
                let which = interface.as_ref().map_or_else(|| "link".to_owned(), |i| format!("link {i}"));
                format!("{}'s {which} {}", name(node), if *up { "is back" } else { "is cut" })
            }
            Event::Cut(at) => format!("{} is cut off behind its switch", name(at)),
            Event::Mend(at) => format!("{} is connected again", name(at)),
            Event::Proxy { node, runs } => {
                format!("the proxy on {} {}", name(node), if *runs { "returns" } else { "dies" })
            }
            Event::Script { node, name: script, good } => {
                format!("script {script} on {} {}", name(node), if *good { "succeeds" } else { "fails" })
            }
            Event::Tracked { node, name: proxy, good } => {
                format!("track_proxy {proxy} on {} {}", name(node), if *good { "succeeds" } else { "fails" })
            }
            Event::File { node, name: file, value } => format!("file {file} on {} says {value}", name(node)),
            Event::Loss(percent) => format!("the network loses {percent}% of the packets"),
            Event::Delay(delay) => format!("packets take up to {} ms", delay.as_millis()),
        }
    }
}
