//! Pick orders recorded from HAProxy, replayed.

use std::cell::RefCell;

use super::*;
use crate::ir::proxy::{HashAffinity, HashType};
use crate::ir::server::HashKey;

/// Connection counts by hand.
#[derive(Default)]
pub(super) struct Counts {
    served: Vec<u32>,
    limit: u32,
    random: RefCell<Vec<u32>>,
}

impl View for Counts {
    fn served(&self, server: usize) -> u32 {
        self.served.get(server).copied().unwrap_or(0)
    }
    fn queued(&self, _: usize) -> u32 {
        0
    }
    fn limit(&self, _: usize) -> u32 {
        self.limit
    }
    fn maxqueue(&self, _: usize) -> u32 {
        0
    }
    fn total_served(&self) -> u32 {
        self.served.iter().sum()
    }
    fn random(&self) -> u32 {
        self.random.borrow_mut().pop().unwrap_or(0)
    }
}

#[test]
fn hash_functions_agree_with_published_values() {
    assert_eq!(hash::crc32(b"123456789"), 0xcbf4_3926);
    assert_eq!(hash::djb2(b""), 5381);
    assert_eq!(hash::djb2(b"a"), 5381 * 33 + 97);
    assert_eq!(hash::sdbm(b"ab"), 97 * 65599 + 98);
}

#[test]
fn keys_are_cut_where_the_manual_says() {
    let kind = HashType::default();
    let uri = |len, depth, whole| Balance::Uri { path_only: false, len, depth, whole };
    let h = |b: &[u8]| Some(hash::hash(kind, b));
    assert_eq!(key::uri(kind, &uri(0, 0, false), b"/a/b/c?x=1"), h(b"/a/b/c"));
    assert_eq!(key::uri(kind, &uri(0, 0, true), b"/a/b/c?x=1"), h(b"/a/b/c?x=1"));
    assert_eq!(key::uri(kind, &uri(0, 2, false), b"/a/b/c"), h(b"/a/b"));
    assert_eq!(key::uri(kind, &uri(3, 0, false), b"/a/b/c"), h(b"/a/"));
    assert_eq!(key::url_param(kind, "id", b"/?hid=1&id=2&x"), h(b"2"));
    assert_eq!(key::url_param(kind, "id", b"/?hid=1"), None);
    let hdr = Balance::Hdr { name: "Host".into(), domain_only: true };
    assert_eq!(key::header(kind, &hdr, b"www.example.com"), h(b"example"));
    assert_eq!(key::header(kind, &hdr, b"localhost"), h(b"localhost"));
    assert_eq!(key::header(kind, &hdr, b""), None);
    assert_eq!(key::source(kind, "1.2.3.4".parse().unwrap()), 0x0102_0304);
    assert_eq!(key::source(kind, "1::2".parse().unwrap()), 0x0001_0002);
}

pub(super) fn backend(balance: Balance, weights: &[u16]) -> ir::Backend {
    let servers = weights
        .iter()
        .enumerate()
        .map(|(i, weight)| {
            let addr = ir::ServerAddr::Ip(([127, 0, 0, 1], 80).into());
            ir::Server { id: i as u32 + 1, weight: *weight, ..ir::Server::new(&format!("s{}", i + 1), addr) }
        })
        .collect();
    ir::Backend { servers, balance, ..ir::Backend::default() }
}

#[test]
fn equal_weights_rotate_strictly() {
    let mut balancer = Balancer::new(&backend(Balance::RoundRobin, &[1, 1, 1]));
    let counts = Counts::default();
    let picks: Vec<_> = (0..9).filter_map(|_| balancer.pick(&counts, None, None)).collect();
    assert_eq!(picks, [0, 1, 2, 0, 1, 2, 0, 1, 2]);
    balancer.update(1, 16, false);
    let picks: Vec<_> = (0..4).filter_map(|_| balancer.pick(&counts, None, None)).collect();
    assert_eq!(picks, [0, 2, 0, 2]);
}

/// Requests under way and limits, for the replay of recordings.
struct Replay {
    backend: ir::Backend,
    balancer: Balancer,
    served: Vec<u32>,
    opens: Vec<Option<usize>>,
    weights: Vec<u32>,
    up: Vec<bool>,
}

impl View for Replay {
    fn served(&self, server: usize) -> u32 {
        self.served[server]
    }
    fn queued(&self, _: usize) -> u32 {
        0
    }
    fn limit(&self, server: usize) -> u32 {
        self.backend.servers[server].maxconn
    }
    fn maxqueue(&self, server: usize) -> u32 {
        self.backend.servers[server].maxqueue
    }
    fn total_served(&self) -> u32 {
        self.served.iter().sum()
    }
    fn random(&self) -> u32 {
        unreachable!("nothing random is recorded")
    }
}

impl Replay {
    fn new(lines: &mut std::iter::Peekable<std::str::Lines<'_>>) -> Self {
        let mut backend = ir::Backend::default();
        while let Some(line) = lines
            .next_if(|l| ["balance ", "hash-", "option ", "server "].iter().any(|word| l.starts_with(word)))
        {
            let words: Vec<&str> = line.split(' ').collect();
            match words[0] {
                "balance" => backend.balance = algorithm(&words[1..]),
                "hash-type" => backend.hash_type = hash_type(&words[1..]),
                "hash-balance-factor" => backend.hash_balance_factor = words[1].parse().unwrap(),
                "hash-preserve-affinity" => backend.hash_affinity = HashAffinity::Maxconn,
                "option" => backend.allbackups = words[1] == "allbackups",
                _ => backend.servers.push(server(&words[1..], backend.servers.len())),
            }
        }
        let n = backend.servers.len();
        Self {
            balancer: Balancer::new(&backend),
            served: vec![0; n],
            opens: Vec::new(),
            weights: backend.servers.iter().map(|s| u32::from(s.weight) * WEIGHT_SCALE).collect(),
            up: vec![true; n],
            backend,
        }
    }

    fn key(&self, kind: &str, text: &str) -> Option<u32> {
        let hash = self.backend.hash_type;
        match kind {
            "source" => Some(key::source(hash, text.parse().unwrap())),
            "uri" => key::uri(hash, &self.backend.balance, text.as_bytes()),
            "hdr" if self.backend.balance == Balance::Hash => key::bytes(hash, text.as_bytes()),
            "hdr" => key::header(hash, &self.backend.balance, text.as_bytes()),
            "param" => key::url_param(hash, "id", format!("/p?a=b&id={text}&c=d").as_bytes()),
            "post" => key::body_param(hash, "id", format!("a=b&id={text}&c=d").as_bytes()),
            "rdp" => key::bytes(hash, text.as_bytes()),
            other => panic!("{other}"),
        }
    }

    fn count(&mut self, server: usize, change: i32) {
        self.served[server] = self.served[server].checked_add_signed(change).unwrap();
        self.balancer.on_conn_change(server, self.served[server]);
    }

    /// Begins a request; `-` if nobody takes it.
    fn begin(&mut self, key: Option<u32>) -> Option<usize> {
        let mut balancer = std::mem::replace(&mut self.balancer, Balancer::new(&ir::Backend::default()));
        let picked = balancer.pick(self, key, None);
        self.balancer = balancer;
        // Hashes name a server whether it has room or not; the request then waits in vain.
        let picked = picked.filter(|s| self.has_room(*s));
        if let Some(server) = picked {
            self.count(server, 1);
        }
        picked
    }

    fn request(&mut self, key: Option<u32>) -> String {
        let picked = self.begin(key);
        if let Some(server) = picked {
            self.count(server, -1);
        }
        picked.map_or_else(|| "-".into(), |s| s.to_string())
    }

    fn update(&mut self, server: usize) {
        self.balancer.update(server, self.weights[server], self.up[server]);
    }

    /// One line of a recording; what this implementation does in its place.
    fn line(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |i: usize| words[i].parse::<usize>().unwrap();
        match words[0] {
            "pick" => {
                let picks: Vec<String> = words[1..].iter().map(|_| self.request(None)).collect();
                return format!("pick {}", picks.join(" "));
            }
            "keys" => {
                let mut out = format!("keys {}", words[1]);
                for pair in &words[2..] {
                    let (text, _) = pair.rsplit_once('=').unwrap();
                    let key = self.key(words[1], text);
                    out += &format!(" {text}={}", self.request(key));
                }
                return out;
            }
            "open" => {
                let key = words.get(3).and_then(|text| self.key(words[2], text));
                let picked = self.begin(key);
                self.opens.push(picked);
                let picked = picked.map_or_else(|| "-".into(), |s| s.to_string());
                return [&["open", &picked], &words[2..]].concat().join(" ");
            }
            "close" => {
                let server = self.opens[number(1)].take().unwrap();
                self.count(server, -1);
            }
            "weight" => {
                self.weights[number(1)] = number(2) as u32 * WEIGHT_SCALE;
                self.update(number(1));
            }
            "down" | "up" => {
                self.up[number(1)] = words[0] == "up";
                self.update(number(1));
            }
            other => panic!("{other}"),
        }
        line.to_owned()
    }
}

fn algorithm(words: &[&str]) -> Balance {
    let after = |word: &str| {
        let at = words.iter().position(|w| *w == word);
        at.map_or(0, |i| words[i + 1].parse().unwrap())
    };
    match words[0] {
        "roundrobin" => Balance::RoundRobin,
        "static-rr" => Balance::StaticRr,
        "leastconn" => Balance::LeastConn,
        "first" => Balance::First,
        "source" => Balance::Source,
        "url_param" => Balance::UrlParam(words[1].into()),
        "rdp-cookie" | "rdp-cookie(mstshash)" => Balance::RdpCookie("mstshash".into()),
        "hash" => Balance::Hash,
        "hdr(X-Key)" => Balance::Hdr { name: "X-Key".into(), domain_only: words.len() > 1 },
        "uri" => Balance::Uri {
            path_only: words.contains(&"path-only"),
            whole: words.contains(&"whole"),
            len: after("len"),
            depth: after("depth"),
        },
        other => panic!("{other}"),
    }
}

fn hash_type(words: &[&str]) -> HashType {
    use ir::proxy::{HashFunction, HashMethod};
    let method = if words[0] == "consistent" { HashMethod::Consistent } else { HashMethod::MapBased };
    let function = match words.get(1) {
        None | Some(&"sdbm") => HashFunction::Sdbm,
        Some(&"djb2") => HashFunction::Djb2,
        Some(&"wt6") => HashFunction::Wt6,
        Some(&"crc32") => HashFunction::Crc32,
        Some(&"none") => HashFunction::None,
        Some(other) => panic!("{other}"),
    };
    // `consistent` alone stands for `consistent sdbm avalanche`.
    let avalanche = words.last() == Some(&"avalanche") || words == ["consistent"];
    HashType { method, function, avalanche }
}

fn server(words: &[&str], index: usize) -> ir::Server {
    let addr = ir::ServerAddr::Ip(([127, 0, 0, 1], 9100 + index as u16).into());
    let mut server = ir::Server::new(&format!("s{}", index + 1), addr);
    (server.weight, server.id) = (words[0].parse().unwrap(), index as u32 + 1);
    let mut words = words[1..].iter();
    while let Some(word) = words.next() {
        match *word {
            "backup" => server.backup = true,
            "maxconn" => server.maxconn = words.next().unwrap().parse().unwrap(),
            "id" => server.id = words.next().unwrap().parse().unwrap(),
            "hash-key" => {
                server.hash_key = match *words.next().unwrap() {
                    "addr" => HashKey::Addr,
                    "addr-port" => HashKey::AddrPort,
                    _ => HashKey::Id,
                };
            }
            other => panic!("{other}"),
        }
    }
    server
}

#[test]
fn picks_are_those_recorded_from_haproxy() {
    assert!(replays(include_str!("../../compat-fixtures/balance/picks.txt")) > 70);
}

#[test]
fn picks_are_those_recorded_from_later_releases() {
    assert!(replays(include_str!("../../compat-fixtures/balance/picks-later.txt")) > 25);
}

/// Plays a recording; how many cases it has.
fn replays(recording: &str) -> usize {
    let mut lines = recording.lines().peekable();
    let mut cases = 0;
    let mut wrong = Vec::new();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("case ") else { continue };
        cases += 1;
        let mut replay = Replay::new(&mut lines);
        while let Some(line) = lines.next_if(|l| !l.is_empty()) {
            let ours = replay.line(line);
            if ours != line {
                wrong.push(format!("{name}\n  HAProxy: {line}\n  here:    {ours}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    cases
}
