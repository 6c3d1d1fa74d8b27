//! The screen's state, and what a key does to it. Pure.

use std::collections::VecDeque;

use super::data::{Item, Snapshot, quantile_us};

/// Snapshots kept per node: percentiles are those of this many polls.
const KEPT: usize = 30;

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Escape,
    Backspace,
    Char(char),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Leave.
    Quit,
    /// Send a command to a node.
    Command {
        /// Which.
        node: usize,
        /// The command.
        line: String,
    },
}

/// What the keys mean at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Moving about.
    Look,
    /// Typing a filter.
    Filter,
    /// Typing a weight for the server.
    Weight { node: usize, server: String, typed: String },
    /// A question waits for `y`.
    Ask { node: usize, question: String, line: String },
    /// Help is shown.
    Help,
}

/// By what servers are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// As configured.
    File,
    /// Most sessions per second first.
    Rate,
    /// Most sessions first.
    Sessions,
    /// Slowest first.
    Latency,
}

/// One of the nodes.
#[derive(Debug)]
pub(super) struct Node {
    /// Where its socket is.
    pub(super) socket: String,
    /// The last snapshots, the newest last.
    pub(super) past: VecDeque<Snapshot>,
    /// Why there is none at the moment.
    pub(super) problem: Option<String>,
}

impl Node {
    pub(super) fn now(&self) -> Option<&Snapshot> {
        self.past.back()
    }

    /// Percentile of an item's response times over the last polls, microseconds.
    pub(super) fn percentile(&self, item: &Item, q: f64) -> Option<u64> {
        let key = (item.proxy.clone(), item.name.clone());
        let now = self.now()?.latency.get(&key)?;
        let before = self.past.front().filter(|_| self.past.len() > 1).and_then(|s| s.latency.get(&key));
        quantile_us(before, now, q)
    }
}

/// A line of the table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) node: usize,
    pub(super) item: Item,
}

/// Everything the screen shows.
#[derive(Debug)]
pub(super) struct App {
    pub(super) nodes: Vec<Node>,
    pub(super) mode: Mode,
    pub(super) order: Order,
    pub(super) filter: String,
    /// Place of the selected line.
    pub(super) selected: usize,
    /// Lines that fit, told by the last drawing.
    pub(super) height: usize,
    /// What came of the last command.
    pub(super) message: Option<String>,
}

impl App {
    pub(super) fn new(sockets: Vec<String>) -> Self {
        let node = |socket| Node { socket, past: VecDeque::new(), problem: Some("connecting".into()) };
        Self {
            nodes: sockets.into_iter().map(node).collect(),
            mode: Mode::Look,
            order: Order::File,
            filter: String::new(),
            selected: 0,
            height: 10,
            message: None,
        }
    }

    /// A node answered, or did not.
    pub(super) fn update(&mut self, node: usize, answer: Result<Snapshot, String>) {
        // The selection stays with its server when others come and go.
        let held = self
            .lines()
            .get(self.selected)
            .map(|line| (line.node, line.item.proxy.clone(), line.item.name.clone()));
        let Some(entry) = self.nodes.get_mut(node) else { return };
        match answer {
            Ok(snapshot) => {
                if entry.past.len() == KEPT {
                    entry.past.pop_front();
                }
                entry.past.push_back(snapshot);
                entry.problem = None;
            }
            Err(problem) => entry.problem = Some(problem),
        }
        let lines = self.lines();
        let found = held.and_then(|(n, proxy, name)| {
            lines.iter().position(|l| l.node == n && l.item.proxy == proxy && l.item.name == name)
        });
        self.selected = found.unwrap_or(self.selected).min(lines.len().saturating_sub(1));
    }

    /// The lines that are shown, in order.
    pub(super) fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for (at, node) in self.nodes.iter().enumerate() {
            let Some(snapshot) = node.now() else { continue };
            let wanted = |item: &&Item| {
                let text =
                    format!("{}/{} {} {}", item.proxy, item.name, item.status, item.check).to_lowercase();
                self.filter.to_lowercase().split_whitespace().all(|word| text.contains(word))
            };
            let shown = snapshot.items.iter().filter(wanted).cloned();
            lines.extend(shown.map(|item| Line { node: at, item }));
        }
        if self.order != Order::File {
            lines.retain(|line| line.item.kind == 2);
            lines.sort_by_key(|line| {
                std::cmp::Reverse(match self.order {
                    Order::Rate => line.item.rate,
                    Order::Sessions => line.item.sessions,
                    _ => self.nodes[line.node].percentile(&line.item, 0.99).unwrap_or(0),
                })
            });
        }
        lines
    }

    /// A key was pressed.
    pub(super) fn key(&mut self, key: Key) -> Option<Effect> {
        match std::mem::replace(&mut self.mode, Mode::Look) {
            Mode::Help => None,
            Mode::Look => self.look(key),
            Mode::Filter => {
                match key {
                    Key::Enter => return None,
                    Key::Escape => {
                        self.filter.clear();
                        return None;
                    }
                    Key::Backspace => drop(self.filter.pop()),
                    Key::Char(c) => self.filter.push(c),
                    _ => {}
                }
                self.selected = 0;
                self.mode = Mode::Filter;
                None
            }
            Mode::Weight { node, server, mut typed } => {
                match key {
                    Key::Escape => return None,
                    Key::Enter if typed.is_empty() => return None,
                    Key::Enter => {
                        let question = format!("Set the weight of {server} to {typed}?");
                        self.mode =
                            Mode::Ask { node, question, line: format!("set server {server} weight {typed}") };
                        return None;
                    }
                    Key::Backspace => drop(typed.pop()),
                    Key::Char(c) if c.is_ascii_digit() && typed.len() < 3 => typed.push(c),
                    Key::Char('%') if !typed.is_empty() && !typed.ends_with('%') => typed.push('%'),
                    _ => {}
                }
                self.mode = Mode::Weight { node, server, typed };
                None
            }
            Mode::Ask { node, line, .. } => {
                if matches!(key, Key::Char('y' | 'Y')) {
                    self.message = Some(format!("{line} ..."));
                    return Some(Effect::Command { node, line });
                }
                self.message = Some("Nothing was changed.".into());
                None
            }
        }
    }

    fn look(&mut self, key: Key) -> Option<Effect> {
        let last = self.lines().len().saturating_sub(1);
        self.message = None;
        match key {
            Key::Char('q') => return Some(Effect::Quit),
            Key::Escape if !self.filter.is_empty() => self.filter.clear(),
            Key::Up | Key::Char('k') => self.selected = self.selected.saturating_sub(1),
            Key::Down | Key::Char('j') => self.selected = (self.selected + 1).min(last),
            Key::PageUp => self.selected = self.selected.saturating_sub(self.height),
            Key::PageDown => self.selected = (self.selected + self.height).min(last),
            Key::Home | Key::Char('g') => self.selected = 0,
            Key::End | Key::Char('G') => self.selected = last,
            Key::Char('/') => self.mode = Mode::Filter,
            Key::Char('?' | 'h') => self.mode = Mode::Help,
            Key::Char('s') => {
                self.order = match self.order {
                    Order::File => Order::Rate,
                    Order::Rate => Order::Sessions,
                    Order::Sessions => Order::Latency,
                    Order::Latency => Order::File,
                };
                self.selected = 0;
            }
            Key::Char('d') => self.ask("drain", "Drain", "no new sessions, those that are there may end"),
            Key::Char('m') => {
                self.ask("maint", "Put into maintenance", "its sessions go on, but no new one begins")
            }
            Key::Char('r') => self.ask("ready", "Make ready", "it takes sessions if its checks pass"),
            Key::Char('w') => {
                if let Some((node, server)) = self.server() {
                    self.mode = Mode::Weight { node, server, typed: String::new() };
                }
            }
            _ => {}
        }
        None
    }

    fn ask(&mut self, state: &str, verb: &str, meaning: &str) {
        if let Some((node, server)) = self.server() {
            let question = format!("{verb} {server} ({meaning})?");
            self.mode = Mode::Ask { node, question, line: format!("set server {server} state {state}") };
        }
    }

    /// The selected server as `backend/server`.
    fn server(&mut self) -> Option<(usize, String)> {
        let lines = self.lines();
        let line = lines.get(self.selected)?;
        if line.item.kind != 2 {
            self.message = Some("This is no server.".into());
            return None;
        }
        Some((line.node, format!("{}/{}", line.item.proxy, line.item.name)))
    }
}
