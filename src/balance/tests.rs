//! Pick orders recorded from HAProxy, replayed.

use std::cell::RefCell;

use super::*;
use crate::ir::proxy::HashType;

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
