//! `track_proxy`: what a proxy tells the VRRP engines of its machine, and what follows from it. Pure.
//!
//! A proxy takes a name in the network namespace (an abstract socket, as [`status`](super::status) does for engines). An
//! engine connects, says in one line of JSON what it wants to know ([`Question`]), and gets a line ([`Report`]) whenever
//! that changes, and every [`HEARTBEAT`] otherwise. The end of the connection is the end of the proxy.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ir::vrrp::{TrackProxy, TrackedBackend};

/// A proxy that has nothing new to say says the same again after this.
pub const HEARTBEAT: Duration = Duration::from_millis(250);

/// Name of the socket; further proxies in the same network add `-2`, `-3` ...
const NAME: &str = "tandem-proxy";

/// How many proxies may share a network: with one that ends its sessions after a reload, each has two names.
const NAMES: usize = 16;

/// The names, in the order in which they are taken.
pub fn names() -> impl Iterator<Item = String> {
    (1..=NAMES).map(|n| if n == 1 { NAME.to_owned() } else { format!("{NAME}-{n}") })
}

/// What an engine wants to know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Of these frontends.
    pub frontends: Vec<String>,
    /// Of every frontend that listens.
    pub every_frontend: bool,
    /// Of these backends.
    pub backends: Vec<String>,
}

impl Question {
    /// Everything that decides over `tracked`.
    #[must_use]
    pub fn of(tracked: &[TrackProxy]) -> Self {
        let names = |list: Vec<String>| {
            let mut list = list;
            list.sort();
            list.dedup();
            list
        };
        Self {
            frontends: names(tracked.iter().flat_map(|one| one.frontends.clone()).collect()),
            every_frontend: tracked.iter().any(means_all),
            backends: names(
                tracked.iter().flat_map(|one| one.backends.iter().map(|b| b.name.clone())).collect(),
            ),
        }
    }
}

/// Names nothing: every frontend counts.
fn means_all(tracked: &TrackProxy) -> bool {
    tracked.frontends.is_empty() && tracked.backends.is_empty()
}

/// What a frontend does with new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Listening {
    /// Takes them.
    Open,
    /// Leaves them waiting (`disable frontend`).
    Paused,
    /// Refuses them (`disabled`, `shutdown frontend`).
    Stopped,
}

/// Servers of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Servers {
    /// So many take requests.
    pub usable: u32,
    /// Of so many.
    pub all: u32,
}

/// What a proxy says of itself. What was asked for and is not there is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// It takes no new connections, only ends its sessions.
    pub leaving: bool,
    /// By name.
    pub frontends: BTreeMap<String, Listening>,
    /// By name.
    pub backends: BTreeMap<String, Servers>,
}

/// Is everything `tracked` names as it should be, at one proxy or another? `Some`: what is not.
#[must_use]
pub fn failure(tracked: &TrackProxy, reports: &[&Report]) -> Option<String> {
    let serving: Vec<&Report> = reports.iter().copied().filter(|report| !report.leaving).collect();
    if serving.is_empty() {
        return Some(if reports.is_empty() { NOBODY } else { "the proxy is stopping" }.to_owned());
    }
    // A reload has two proxies for a moment, and what one of them can do is done.
    let any = |wrong: &dyn Fn(&Report) -> Option<String>| {
        let mut found = None;
        for report in &serving {
            found = Some(wrong(report)?);
        }
        found
    };
    if means_all(tracked) {
        return any(&|report| {
            if report.frontends.is_empty() {
                return Some("the proxy listens nowhere".to_owned());
            }
            report.frontends.iter().find_map(|(name, state)| closed(name, Some(*state)))
        });
    }
    let frontends = tracked.frontends.iter();
    frontends
        .filter_map(|name| any(&|report| closed(name, report.frontends.get(name).copied())))
        .chain(tracked.backends.iter().filter_map(|backend| any(&|report| starved(backend, report))))
        .next()
}

/// Why, where no proxy answers.
const NOBODY: &str = "no Tandem proxy runs in this network namespace";

fn closed(name: &str, state: Option<Listening>) -> Option<String> {
    match state {
        Some(Listening::Open) => None,
        Some(Listening::Paused) => Some(format!("frontend {name} is paused")),
        Some(Listening::Stopped) => Some(format!("frontend {name} is stopped")),
        None => Some(format!("the proxy has no frontend {name}")),
    }
}

fn starved(backend: &TrackedBackend, report: &Report) -> Option<String> {
    let TrackedBackend { name, min_servers } = backend;
    match report.backends.get(name) {
        None => Some(format!("the proxy has no backend {name}")),
        Some(servers) if servers.usable < *min_servers => Some(format!(
            "backend {name} has {} of {} servers, needs {min_servers}",
            servers.usable, servers.all
        )),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Place;

    fn tracked(frontends: &[&str], backends: &[(&str, u32)]) -> TrackProxy {
        TrackProxy {
            name: "web".into(),
            frontends: frontends.iter().map(|name| (*name).to_owned()).collect(),
            backends: backends
                .iter()
                .map(|(name, min_servers)| TrackedBackend { name: (*name).into(), min_servers: *min_servers })
                .collect(),
            weight: 0,
            reverse: false,
            place: Place::default(),
        }
    }

    fn report(frontends: &[(&str, Listening)], backends: &[(&str, u32, u32)]) -> Report {
        Report {
            leaving: false,
            frontends: frontends.iter().map(|(name, state)| ((*name).to_owned(), *state)).collect(),
            backends: backends
                .iter()
                .map(|(name, usable, all)| ((*name).to_owned(), Servers { usable: *usable, all: *all }))
                .collect(),
        }
    }

    #[test]
    fn whoever_names_nothing_wants_every_frontend() {
        use Listening::{Open, Paused};
        let all = tracked(&[], &[]);
        assert!(Question::of(std::slice::from_ref(&all)).every_frontend);
        assert_eq!(failure(&all, &[&report(&[("a", Open), ("b", Open)], &[])]), None);
        let one_paused = report(&[("a", Open), ("b", Paused)], &[]);
        assert_eq!(failure(&all, &[&one_paused]).as_deref(), Some("frontend b is paused"));
        assert_eq!(failure(&all, &[&Report::default()]).as_deref(), Some("the proxy listens nowhere"));
        assert_eq!(failure(&all, &[]).as_deref(), Some(NOBODY));
        // Whoever names a backend does not mean the page of statistics.
        assert!(!Question::of(&[tracked(&[], &[("app", 1)])]).every_frontend);
    }

    #[test]
    fn what_is_named_must_be_there_and_enough() {
        use Listening::{Open, Stopped};
        let web = tracked(&["www"], &[("app", 2)]);
        let said = |report: &Report| failure(&web, &[report]);
        assert_eq!(said(&report(&[("www", Open)], &[("app", 2, 3)])), None);
        let few = report(&[("www", Open)], &[("app", 1, 3)]);
        assert_eq!(said(&few).as_deref(), Some("backend app has 1 of 3 servers, needs 2"));
        assert_eq!(
            said(&report(&[("www", Stopped)], &[("app", 3, 3)])).as_deref(),
            Some("frontend www is stopped")
        );
        assert_eq!(said(&report(&[], &[("app", 3, 3)])).as_deref(), Some("the proxy has no frontend www"));
        assert_eq!(said(&report(&[("www", Open)], &[])).as_deref(), Some("the proxy has no backend app"));
    }

    #[test]
    fn during_a_reload_either_proxy_will_do() {
        use Listening::Open;
        let web = tracked(&["www"], &[("app", 1)]);
        let well = report(&[("www", Open)], &[("app", 1, 1)]);
        let leaving = Report { leaving: true, ..well.clone() };
        assert_eq!(failure(&web, &[&leaving, &well]), None);
        assert_eq!(failure(&web, &[&leaving]).as_deref(), Some("the proxy is stopping"));
        // Two proxies of a machine, each with a half.
        let one = report(&[("www", Open)], &[]);
        let two = report(&[], &[("app", 1, 1)]);
        assert_eq!(failure(&web, &[&one, &two]), None);
        assert!(failure(&web, &[&one, &one]).is_some());
    }
}
