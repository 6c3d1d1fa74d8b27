//! `track_proxy`, which keepalived does not have: an instance follows the listeners and servers of the proxy on the same
//! machine.

use tandem_parser::Reason;
use tandem_parser::keepalived::{Statement, Word};

use super::context::Cx;
use super::track::{PROXY, Tracked};
use crate::ir::vrrp::{TrackProxy, TrackProxyIdx, TrackedBackend, TrackedProxy};

/// More servers than anybody has.
const MOST_SERVERS: u32 = 65_535;

impl Cx<'_> {
    /// `track_proxy NAME { ... }`.
    pub(super) fn proxy_block(&mut self, statement: &Statement) {
        let Some(name) = self.parameter(&statement.words, 1).cloned() else { return };
        if self.config.track_proxies.iter().any(|known| known.name == name.text) {
            let text = format!("track_proxy {} already defined - ignoring", name.text);
            self.error(Reason::Duplicate, name.span, text);
            return;
        }
        let mut proxy = TrackProxy {
            name: name.text,
            frontends: Vec::new(),
            backends: Vec::new(),
            weight: 0,
            reverse: false,
            place: self.place(statement.span),
        };
        for child in statement.children() {
            self.here = child.span;
            match child.keyword.name {
                "frontend" => self.tracked_frontends(child, &mut proxy),
                "backend" => self.tracked_backend(child, &mut proxy),
                _ => self.proxy_weight(child, &mut proxy),
            }
        }
        self.proxy_spans.push(statement.span);
        self.config.track_proxies.push(proxy);
    }

    fn tracked_frontends(&mut self, child: &Statement, proxy: &mut TrackProxy) {
        if self.parameter(&child.words, 1).is_none() {
            return;
        }
        for word in &child.words[1..] {
            if proxy.frontends.contains(&word.text) {
                let text = format!("track_proxy {}: frontend {} is there already", proxy.name, word.text);
                self.error(Reason::Duplicate, word.span, text);
            } else {
                proxy.frontends.push(word.text.clone());
            }
        }
    }

    fn tracked_backend(&mut self, child: &Statement, proxy: &mut TrackProxy) {
        let Some(name) = self.parameter(&child.words, 1) else { return };
        if proxy.backends.iter().any(|known| known.name == name.text) {
            let text = format!("track_proxy {}: backend {} is there already", proxy.name, name.text);
            self.error(Reason::Duplicate, name.span, text);
            return;
        }
        let mut backend = TrackedBackend { name: name.text.clone(), min_servers: 1 };
        match child.words.get(2) {
            Some(word) if word.text == "min_servers" => {
                let Some(number) = self.parameter(&child.words, 3).cloned() else { return };
                match self.unsigned(&number, 1, MOST_SERVERS, false) {
                    Some(servers) => backend.min_servers = servers,
                    None => {
                        let text = format!(
                            "track_proxy {}: min_servers must be between 1 and {MOST_SERVERS}, using 1",
                            proxy.name
                        );
                        self.error(Reason::OutOfRange, number.span, text);
                    }
                }
            }
            Some(word) => {
                let text = format!("track_proxy {}: unknown backend option {}", proxy.name, word.text);
                self.error(Reason::UnknownKeyword, word.span, text)
                    .help("backend NAME [min_servers N]; one backend a line");
            }
            None => {}
        }
        proxy.backends.push(backend);
    }

    fn proxy_weight(&mut self, child: &Statement, proxy: &mut TrackProxy) {
        let Some(word) = self.parameter(&child.words, 1).cloned() else { return };
        let (weight, taken) = self.integer(&word, -253, 253, true);
        if !taken {
            let text = format!(
                "Weight ({}) for track_proxy {} must be between [-253..253] inclusive. Ignoring...",
                word.text, proxy.name
            );
            self.error(Reason::OutOfRange, word.span, text);
            return;
        }
        proxy.weight = i32::try_from(weight).unwrap_or(0);
        proxy.reverse = self.reverse_option(child, &format!("track_proxy {}", proxy.name));
    }

    /// A line of `track_proxy { ... }` of the instance or group `owner`.
    pub(super) fn track_proxy(&mut self, line: &[Word], owner: &str, tracked: &mut Tracked) {
        let word = &line[0];
        let Some(index) = self.config.track_proxies.iter().position(|proxy| proxy.name == word.text) else {
            let known: Vec<String> =
                self.config.track_proxies.iter().map(|proxy| proxy.name.clone()).collect();
            self.unknown(word, owner, "track proxy", &known);
            return;
        };
        let proxy = TrackProxyIdx(u32::try_from(index).unwrap_or(u32::MAX));
        if tracked.proxies.iter().any(|known| known.proxy == proxy) {
            self.duplicate(word, owner, "track_proxy");
            return;
        }
        let default = (self.config.track_proxies[index].weight, self.config.track_proxies[index].reverse);
        let Some((weight, reverse)) = self.weight(line, owner, &PROXY, default) else { return };
        tracked.proxies.push(TrackedProxy { proxy, weight, reverse });
    }
}
