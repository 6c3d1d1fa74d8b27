//! Picking, queueing and state changes on running objects.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::ir::proxy::Balance;
use crate::log::Identity;
use crate::server::{AdminRequest, Cause, Op};

fn live(servers: &[(&str, u32)], change: impl FnOnce(&mut ir::Proxy)) -> Arc<Live> {
    let mut proxy = ir::Proxy::new("b", ir::Caps::Backend);
    let half = proxy.backend.as_mut().unwrap();
    half.servers = servers
        .iter()
        .map(|(name, maxconn)| {
            let addr = ir::ServerAddr::Ip(([127, 0, 0, 1], 9).into());
            ir::Server { maxconn: *maxconn, ..ir::Server::new(name, addr) }
        })
        .collect();
    change(&mut proxy);
    let config = ir::Config { proxies: vec![Arc::new(proxy)], ..ir::Config::default() };
    let logger = Logger::new(Identity { hostname: None, tag: "haproxy".into(), pid: 1 });
    Live::new(Arc::new(config), Arc::new(logger), 100)
}

fn slot(pick: Pick) -> Slot {
    match pick {
        Pick::Slot(slot) => slot,
        other => panic!("no slot: {other:?}"),
    }
}

fn ticket(pick: Pick) -> Ticket {
    match pick {
        Pick::Wait(ticket) => ticket,
        other => panic!("no ticket: {other:?}"),
    }
}

#[tokio::test]
async fn a_released_place_goes_to_the_first_in_line() {
    let live = live(&[("s1", 1)], |_| {});
    let b = live.proxies()[0].clone();
    let backend = b.backend.as_ref().unwrap();
    let held = slot(b.pick(None, None, (0, 0)));
    let mut first = ticket(b.pick(None, None, (0, 0)));
    let mut second = ticket(b.pick(None, None, (0, 0)));
    assert_eq!((backend.counters.queued.get(), second.position()), (2, 1));
    drop(held);
    let got = first.wait().await.expect("the first waiter gets the place");
    assert_eq!(backend.servers()[0].served.get(), 1, "never more than maxconn");
    drop(first);
    assert!(tokio::time::timeout(Duration::ZERO, second.wait()).await.is_err(), "the second still waits");
    drop(got);
    assert!(second.wait().await.is_some());
    drop(second);
    assert_eq!((backend.counters.queued.get(), backend.counters.queued.peak()), (0, 2));
    assert_eq!(backend.servers()[0].served.get(), 0);
}

#[tokio::test]
async fn a_waiter_that_gave_up_does_not_swallow_the_place() {
    let live = live(&[("s1", 1)], |_| {});
    let b = live.proxies()[0].clone();
    let held = slot(b.pick(None, None, (0, 0)));
    let gone = ticket(b.pick(None, None, (0, 0)));
    let mut patient = ticket(b.pick(None, None, (0, 0)));
    drop(gone);
    drop(held);
    assert!(patient.wait().await.is_some());
}

#[tokio::test]
async fn those_who_wait_for_a_server_look_again_when_it_goes_down() {
    let live = live(&[("s1", 1), ("s2", 0)], |p| p.backend.as_mut().unwrap().redispatch = Some(-1));
    let b = live.proxies()[0].clone();
    let s1 = b.backend.as_ref().unwrap().servers()[0].clone();
    let _held = slot(b.pick_server(&s1, (0, 0)));
    let mut waiting = ticket(b.pick_server(&s1, (0, 0)));
    assert!(waiting.server().is_some());
    b.change_server(&s1, |state, now| state.set_op(Op::Stopped, &Cause::Words("test".into()), now));
    assert!(waiting.wait().await.is_none());
    assert_eq!(slot(b.pick(None, None, (0, 0))).server().ir.name, "s2");
}

#[test]
fn a_backend_goes_down_with_its_last_server_and_comes_back() {
    let live = live(&[("s1", 0), ("s2", 0)], |p| {
        p.backend.as_mut().unwrap().balance = Balance::LeastConn;
    });
    let b = live.proxies()[0].clone();
    let backend = b.backend.as_ref().unwrap();
    for server in backend.servers() {
        assert!(backend.is_up());
        b.change_server(&server, |state, now| state.request(AdminRequest::Maint, now));
    }
    assert!(!backend.is_up());
    assert_eq!((backend.counters.chkdown.get(), backend.usable()), (1, (0, 0)));
    assert!(matches!(b.pick(None, None, (0, 0)), Pick::Nobody));
    let s2 = backend.servers()[1].clone();
    b.change_server(&s2, |state, now| state.request(AdminRequest::Ready, now));
    assert!(backend.is_up());
    assert_eq!(slot(b.pick(None, None, (0, 0))).server().ir.name, "s2");
}

#[test]
fn a_tracking_server_follows() {
    let live = live(&[("s1", 0), ("s2", 0)], |p| {
        p.backend.as_mut().unwrap().servers[1].track = Some(("b".into(), "s1".into()));
    });
    let b = live.proxies()[0].clone();
    let servers = b.backend.as_ref().unwrap().servers();
    b.change_server(&servers[0], |state, now| state.set_op(Op::Stopped, &Cause::default(), now));
    assert!(!servers[1].is_usable());
    b.change_server(&servers[0], |state, now| state.set_op(Op::Running, &Cause::default(), now));
    assert!(servers[1].is_usable());
}

#[tokio::test]
async fn errors_in_a_row_are_reported_to_the_checks() {
    let live = live(&[("s1", 0)], |proxy| {
        let server = &mut proxy.backend.as_mut().unwrap().servers[0];
        server.check = Some(ir::server::ServerCheck::default());
        server.observe = Some(ir::server::Observe {
            layer: ir::server::ObserveLayer::Layer7,
            on_error: ir::server::OnError::MarkDown,
            error_limit: 3,
        });
    });
    let mut orders = live.check_orders().unwrap();
    let b = live.proxies()[0].clone();
    let s1 = b.backend.as_ref().unwrap().servers()[0].clone();
    let seen =
        [Seen::Status(500), Seen::Closed, Seen::Status(404), Seen::Status(503), Seen::Connected, Seen::Junk];
    seen.into_iter().for_each(|seen| b.observe(&s1, seen));
    assert!(orders.try_recv().is_err(), "a good answer starts the count anew");
    b.observe(&s1, Seen::Timeout);
    let observed = CheckOrder::Observed {
        action: ir::server::OnError::MarkDown,
        errors: 3,
        last: "Read timeout (http)",
    };
    assert_eq!(orders.try_recv().unwrap(), (b.idx, 0, observed));
    assert_eq!(s1.counters.hanafail.get(), 1);
}

#[tokio::test]
async fn priorities_order_a_queue() {
    let live = live(&[("s1", 1)], |_| {});
    let b = live.proxies()[0].clone();
    let mut held = Some(slot(b.pick(None, None, (0, 0))));
    // Class first, then arrival plus offset, then arrival.
    let places = [(0, 0), (0, 500_000), (1, -500_000), (0, -500_000), (-1, 500_000)];
    let mut waiting: Vec<_> = places.iter().map(|p| Some(ticket(b.pick(None, None, *p)))).collect();
    for next in [4, 3, 0, 1, 2] {
        drop(held.take());
        let mut ticket = waiting[next].take().unwrap();
        held = tokio::time::timeout(Duration::from_secs(5), ticket.wait()).await.expect("its turn");
        assert!(held.is_some());
    }
}
