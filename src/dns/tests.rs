//! The state machine, the shares of servers, hostile answers.

use std::net::IpAddr;
use std::str::FromStr as _;
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, SRV};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use proptest::prelude::*;

use super::assign::{Choice, Member, choose};
use super::resolver::{Count, Effect, Input, Resolver};
use super::*;
use crate::ir::Resolvers;
use crate::ir::resolvers::{Families, Nameserver};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// An answer to a question: addresses of the family that was asked for, or an error.
pub(crate) fn reply(question: &[u8], addrs: &[IpAddr], code: ResponseCode) -> Vec<u8> {
    let question = Message::from_vec(question).unwrap();
    let query = question.queries[0].clone();
    let mut reply = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
    reply.metadata.response_code = code;
    for addr in addrs {
        let data = match (addr, query.query_type()) {
            (IpAddr::V4(a), RecordType::A) => RData::A(A(*a)),
            (IpAddr::V6(a), RecordType::AAAA) => RData::AAAA(AAAA(*a)),
            _ => continue,
        };
        reply.add_answer(Record::from_rdata(query.name().clone(), 5, data));
    }
    reply.add_query(query);
    reply.to_vec().unwrap()
}

struct Bench {
    resolver: Resolver,
    now: Instant,
    ids: u16,
}

impl Bench {
    fn new(nameservers: usize, change: impl FnOnce(&mut Resolvers)) -> Self {
        Self::accepting(Families::Both, nameservers, change)
    }

    fn accepting(families: Families, nameservers: usize, change: impl FnOnce(&mut Resolvers)) -> Self {
        let mut settings = Resolvers::new("docker".into());
        settings.nameservers = (0..nameservers)
            .map(|i| Nameserver { name: format!("dns{i}"), addr: ([127, 0, 0, 1], 53).into(), tcp: false })
            .collect();
        change(&mut settings);
        #[allow(clippy::disallowed_methods, reason = "a test has to begin somewhere")]
        let now = Instant::now();
        let mut resolver = Resolver::new(&settings, families);
        resolver.follow("nginx1", Ask::Addresses(Family::V6), now).unwrap();
        Self { resolver, now, ids: 7 }
    }

    fn step(&mut self, input: Input<'_>) -> Vec<Effect> {
        let ids = &mut self.ids;
        let mut random = || {
            *ids = ids.wrapping_mul(31).wrapping_add(11);
            *ids
        };
        self.resolver.step(input, self.now, &mut random)
    }

    /// Lets time pass to the next deadline: what is sent then, to whom and for which family.
    fn wait(&mut self) -> (Vec<Effect>, Duration) {
        let before = self.now;
        loop {
            self.now = self.now.max(self.resolver.deadline().expect("always something to wait for"));
            let effects = self.step(Input::Timer);
            if effects.iter().any(|e| !matches!(e, Effect::Count { .. })) {
                return (effects, self.now - before);
            }
        }
    }

    fn answer(&mut self, nameserver: usize, bytes: &[u8]) -> Vec<Effect> {
        self.step(Input::Message { nameserver, bytes })
    }
}

fn sent(effects: &[Effect]) -> Vec<(usize, &[u8], RecordType)> {
    effects
        .iter()
        .filter_map(|e| match e {
            Effect::Send { nameserver, bytes, .. } => {
                let kind = Message::from_vec(bytes).unwrap().queries[0].query_type();
                Some((*nameserver, bytes.as_slice(), kind))
            }
            _ => None,
        })
        .collect()
}

fn kinds(effects: &[Effect]) -> Vec<(usize, RecordType)> {
    sent(effects).iter().map(|(ns, _, kind)| (*ns, *kind)).collect()
}

fn question(effects: &[Effect]) -> Vec<u8> {
    sent(effects).first().expect("a question was sent").1.to_vec()
}

const NONE: &[IpAddr] = &[];

#[test]
fn every_nameserver_is_asked_and_the_first_valid_answer_wins() {
    let mut b = Bench::new(2, |_| {});
    let (asked, _) = b.wait();
    assert_eq!(kinds(&asked), [(0, RecordType::AAAA), (1, RecordType::AAAA)]);
    let q = question(&asked);
    let got = b.answer(1, &reply(&q, &[ip("fd00::1")], ResponseCode::NoError));
    assert!(got.contains(&Effect::Resolved { name: 0, nameserver: 1 }), "{got:?}");
    assert_eq!(b.resolver.addresses(0), [ip("fd00::1")]);
    // The other one is too late.
    let late = b.answer(0, &reply(&q, &[ip("fd00::2")], ResponseCode::NoError));
    assert_eq!(late, [Effect::Count { nameserver: 0, what: Count::Outdated }]);
    let (_, after) = b.wait();
    assert_eq!(after, Duration::from_secs(1), "`timeout resolve` later it is asked again");
}

#[test]
fn an_empty_answer_leads_to_the_other_family_at_once() {
    let mut b = Bench::new(1, |_| {});
    let (asked, _) = b.wait();
    let again = b.answer(0, &reply(&question(&asked), NONE, ResponseCode::NoError));
    assert_eq!(kinds(&again), [(0, RecordType::A)]);
    let got = b.answer(0, &reply(&question(&again), &[ip("10.0.0.1")], ResponseCode::NoError));
    assert!(got.contains(&Effect::Resolved { name: 0, nameserver: 0 }));
}

#[test]
fn nobody_asks_for_a_family_that_is_not_accepted() {
    use Families::{Both, Reachable, V4, V6};
    let cases = [
        (Both, true, RecordType::AAAA, Some(RecordType::A)),
        (V4, true, RecordType::A, None),
        (V6, true, RecordType::AAAA, None),
        (Reachable, true, RecordType::AAAA, Some(RecordType::A)),
        (Reachable, false, RecordType::A, None),
    ];
    for (families, reaches_ipv6, first, second) in cases {
        let mut b = Bench::accepting(families, 1, |_| {});
        b.resolver.reaches_ipv6(reaches_ipv6);
        let (asked, _) = b.wait();
        assert_eq!(kinds(&asked), [(0, first)], "{families:?}");
        let again = b.answer(0, &reply(&question(&asked), NONE, ResponseCode::NoError));
        let wanted: Vec<_> = second.map(|kind| (0, kind)).into_iter().collect();
        assert_eq!(kinds(&again), wanted, "{families:?}");
        if second.is_none() {
            let (next_try, _) = b.wait();
            assert_eq!(kinds(&next_try), [(0, first)], "{families:?}");
        }
    }
}

#[test]
fn addresses_beside_services_are_of_accepted_families() {
    let mut b = Bench::accepting(Families::V4, 1, |_| {});
    let name = b.resolver.follow("_web._tcp.lab", Ask::Services, b.now).unwrap();
    let asked = loop {
        let (asked, _) = b.wait();
        if kinds(&asked).contains(&(0, RecordType::SRV)) {
            break asked;
        }
    };
    let question = sent(&asked).into_iter().find(|(.., kind)| *kind == RecordType::SRV).unwrap().1.to_vec();
    let query = Message::from_vec(&question).unwrap().queries[0].clone();
    let mut message = Message::from_vec(&reply(&question, NONE, ResponseCode::NoError)).unwrap();
    for (target, addr) in [("four.lab.", ip("10.0.0.1")), ("six.lab.", ip("fd00::1"))] {
        let target = Name::from_str(target).unwrap();
        let offer = SRV::new(1, 1, 80, target.clone());
        message.add_answer(Record::from_rdata(query.name().clone(), 5, RData::SRV(offer)));
        let data = match addr {
            IpAddr::V4(a) => RData::A(A(a)),
            IpAddr::V6(a) => RData::AAAA(AAAA(a)),
        };
        message.add_additional(Record::from_rdata(target, 5, data));
    }
    b.answer(0, &message.to_vec().unwrap());
    let places: Vec<_> = b.resolver.services(name).into_iter().map(|s| (s.target, s.addr)).collect();
    assert_eq!(places, [("four.lab".to_owned(), Some(ip("10.0.0.1"))), ("six.lab".to_owned(), None)]);
}

#[test]
fn a_dead_nameserver_delays_the_first_answer_only() {
    let mut b = Bench::new(2, |_| {});
    let (asked, _) = b.wait();
    // Somebody says no: the other one gets the rest of the try.
    let more = b.answer(0, &reply(&question(&asked), NONE, ResponseCode::NoError));
    assert!(sent(&more).is_empty());
    let (asked, after) = b.wait();
    assert_eq!((kinds(&asked)[0], after), ((0, RecordType::A), Duration::from_secs(1)));
    b.answer(0, &reply(&question(&asked), &[ip("10.0.0.1")], ResponseCode::NoError));
    // From the next round on nobody waits for the silent one.
    let (asked, _) = b.wait();
    assert_eq!(kinds(&asked).len(), 2, "it is still asked");
    let more = b.answer(0, &reply(&question(&asked), NONE, ResponseCode::NoError));
    assert_eq!(kinds(&more), [(0, RecordType::A), (1, RecordType::A)]);
    let got = b.answer(0, &reply(&question(&more), &[ip("10.0.0.1")], ResponseCode::NoError));
    assert!(got.contains(&Effect::Resolved { name: 0, nameserver: 0 }));
    // It comes back to life: the next round waits for its word again.
    let (asked, _) = b.wait();
    b.answer(1, &reply(&question(&asked), &[ip("fd00::1")], ResponseCode::NoError));
    let (asked, _) = b.wait();
    let more = b.answer(0, &reply(&question(&asked), NONE, ResponseCode::NoError));
    assert!(sent(&more).is_empty());
}

#[test]
fn retries_end_in_the_last_error() {
    let mut b = Bench::new(1, |r| r.resolve_retries = 2);
    let mut families = Vec::new();
    let mut effects = b.wait().0;
    loop {
        families.extend(kinds(&effects).iter().map(|(_, kind)| *kind));
        if let Some(Effect::Failed { failure, .. }) =
            effects.iter().find(|e| matches!(e, Effect::Failed { .. }))
        {
            assert_eq!(*failure, Failure::Nx);
            break;
        }
        effects = match sent(&effects).first() {
            Some((_, q, _)) => {
                let r = reply(q, NONE, ResponseCode::NXDomain);
                b.answer(0, &r)
            }
            None => b.wait().0,
        };
    }
    let (v6, v4) = (RecordType::AAAA, RecordType::A);
    assert_eq!(families, [v6, v4, v6, v4]);
}

#[test]
fn silence_ends_in_a_timeout() {
    let mut b = Bench::new(2, |_| {});
    let start = b.now;
    for _ in 0..3 {
        assert_eq!(kinds(&b.wait().0).len(), 2);
    }
    let (end, _) = b.wait();
    assert!(end.contains(&Effect::Failed { name: 0, failure: Failure::Timeout }), "{end:?}");
    assert_eq!(b.now - start, Duration::from_secs(3));
}

#[test]
fn failures_are_put_up_with_for_the_hold_time() {
    let mut b = Bench::new(1, |r| r.hold_nx = Duration::from_secs(5));
    let start = b.now;
    let q = question(&b.wait().0);
    b.answer(0, &reply(&q, &[ip("fd00::1")], ResponseCode::NoError));
    assert!(!b.resolver.is_lasting(0, Failure::Nx, start + Duration::from_secs(4)));
    assert!(b.resolver.is_lasting(0, Failure::Nx, start + Duration::from_secs(5)));
}

#[test]
fn a_name_in_doubt_is_asked_for_at_once_unless_its_answer_is_fresh() {
    let mut b = Bench::new(1, |r| {
        r.timeout_resolve = Duration::from_secs(600);
        r.hold_valid = Duration::from_secs(10);
    });
    let q = question(&b.wait().0);
    b.answer(0, &reply(&q, &[ip("fd00::1")], ResponseCode::NoError));
    let due = b.resolver.deadline();
    b.now += Duration::from_secs(9);
    b.resolver.hurry(0, b.now);
    assert_eq!(b.resolver.deadline(), due, "it was told nine seconds ago");
    b.now += Duration::from_secs(1);
    b.resolver.hurry(0, b.now);
    let asked = b.step(Input::Timer);
    assert_eq!(kinds(&asked).len(), 1);
    // It is being asked for: no second question.
    b.resolver.hurry(0, b.now);
    assert!(b.step(Input::Timer).is_empty());
}

#[test]
fn addresses_that_left_the_answer_stay_for_hold_obsolete() {
    for (obsolete, left) in [(0, 1), (10, 2)] {
        let mut b = Bench::new(1, |r| r.hold_obsolete = Duration::from_secs(obsolete));
        let q = question(&b.wait().0);
        b.answer(0, &reply(&q, &[ip("fd00::1")], ResponseCode::NoError));
        let q = question(&b.wait().0);
        b.answer(0, &reply(&q, &[ip("fd00::2")], ResponseCode::NoError));
        assert_eq!(b.resolver.addresses(0).len(), left);
    }
}

#[test]
fn hostile_answers_change_nothing() {
    let mut b = Bench::new(1, |_| {});
    let (asked, _) = b.wait();
    let q = question(&asked);
    let good = reply(&q, &[ip("fd00::1")], ResponseCode::NoError);

    let mut other_id = good.clone();
    other_id[1] ^= 1;
    let mut not_a_response = good.clone();
    not_a_response[2] &= 0x7f;
    let mut other_name = Message::from_vec(&good).unwrap();
    other_name.queries[0].set_name(Name::from_str("evil.").unwrap());
    let mut other_kind = Message::from_vec(&good).unwrap();
    other_kind.queries[0].set_query_type(RecordType::A);
    // A name that points at itself.
    let mut looping = good[..12].to_vec();
    looping.extend([0xc0, 12, 0, 28, 0, 1]);
    let cut = good[..good.len() - 3].to_vec();
    let huge = vec![good[0]; 600];
    for (what, bytes) in [
        ("id", other_id),
        ("question", not_a_response),
        ("name", other_name.to_vec().unwrap()),
        ("kind", other_kind.to_vec().unwrap()),
        ("loop", looping),
        ("cut", cut),
        ("huge", huge),
        ("empty", Vec::new()),
    ] {
        let effects = b.answer(0, &bytes);
        assert!(effects.iter().all(|e| matches!(e, Effect::Count { .. })), "{what}: {effects:?}");
    }
    // The true answer still counts.
    assert!(b.answer(0, &good).contains(&Effect::Resolved { name: 0, nameserver: 0 }));
}

#[test]
fn addresses_of_other_names_are_not_taken() {
    let name = wire::name("nginx1").unwrap();
    let q = wire::question(9, &name, Ask::Addresses(Family::V4), 512).unwrap();
    let mut message = Message::from_vec(&reply(&q, &[ip("10.0.0.1")], ResponseCode::NoError)).unwrap();
    message.answers[0].name = Name::from_str("evil.").unwrap();
    let bytes = message.to_vec().unwrap();
    assert_eq!(wire::answer(&bytes, &name, Ask::Addresses(Family::V4)), Some(wire::Answer::DanglingAlias));
    // An alias leads there, one that leads round in circles nowhere.
    let alias = Record::from_rdata(name.clone(), 5, RData::CNAME(CNAME(Name::from_str("evil.").unwrap())));
    message.answers.insert(0, alias);
    let bytes = message.to_vec().unwrap();
    assert_eq!(
        wire::answer(&bytes, &name, Ask::Addresses(Family::V4)),
        Some(wire::Answer::Addresses(vec![ip("10.0.0.1")]))
    );
    message.answers[1] =
        Record::from_rdata(Name::from_str("evil.").unwrap(), 5, RData::CNAME(CNAME(name.clone())));
    let bytes = message.to_vec().unwrap();
    assert_eq!(wire::answer(&bytes, &name, Ask::Addresses(Family::V4)), Some(wire::Answer::DanglingAlias));
}

#[test]
fn truncated_answers_are_errors() {
    let mut b = Bench::new(1, |_| {});
    let q = question(&b.wait().0);
    let mut cut = reply(&q, &[ip("fd00::1")], ResponseCode::NoError);
    cut[2] |= 2;
    let effects = b.answer(0, &cut);
    assert!(effects.contains(&Effect::Count { nameserver: 0, what: Count::Truncated }));
    assert_eq!(kinds(&effects), [(0, RecordType::A)], "the other family is tried");
}

proptest! {
    #[test]
    fn no_message_upsets_the_resolver(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut b = Bench::new(1, |r| r.accepted_payload_size = 4096);
        let q = question(&b.wait().0);
        let mut bytes = bytes;
        // The right id gets it past the door.
        if bytes.len() > 2 {
            bytes[..2].copy_from_slice(&q[..2]);
        }
        let effects = b.answer(0, &bytes);
        let resolved = effects.iter().any(|e| matches!(e, Effect::Resolved { .. }));
        prop_assert!(!resolved);
    }
}

fn member(backend: usize, current: Option<&str>) -> Member {
    Member {
        backend,
        prefer: Family::V6,
        networks: Vec::new(),
        prevent_dup: true,
        current: current.map(ip),
        given: None,
    }
}

#[test]
fn servers_share_the_addresses_out_and_keep_them() {
    let mut members = vec![member(0, None), member(0, None), member(0, None)];
    let first = [ip("10.0.0.1"), ip("10.0.0.2")];
    assert_eq!(choose(&first, &mut members, 0), Choice::Move(ip("10.0.0.1")));
    assert_eq!(choose(&first, &mut members, 1), Choice::Move(ip("10.0.0.2")));
    assert_eq!(choose(&first, &mut members, 2), Choice::Nothing);
    members[0].current = Some(ip("10.0.0.1"));
    members[1].current = Some(ip("10.0.0.2"));
    // Another order, and one more: nobody moves, the third finds a place.
    let second = [ip("10.0.0.2"), ip("10.0.0.3"), ip("10.0.0.1")];
    assert_eq!(choose(&second, &mut members, 0), Choice::Keep);
    assert_eq!(choose(&second, &mut members, 1), Choice::Keep);
    assert_eq!(choose(&second, &mut members, 2), Choice::Move(ip("10.0.0.3")));
    members[2].current = Some(ip("10.0.0.3"));
    // One leaves: only its server moves, to the one that is free.
    let third = [ip("10.0.0.4"), ip("10.0.0.1"), ip("10.0.0.3")];
    assert_eq!(choose(&third, &mut members, 0), Choice::Keep);
    assert_eq!(choose(&third, &mut members, 1), Choice::Move(ip("10.0.0.4")));
    assert_eq!(choose(&third, &mut members, 2), Choice::Keep);
}

#[test]
fn preferences_decide_who_gets_what() {
    let both = [ip("10.0.0.1"), ip("fd00::1")];
    let mut v6 = [member(0, None)];
    assert_eq!(choose(&both, &mut v6, 0), Choice::Move(ip("fd00::1")));
    let mut v4 = [Member { prefer: Family::V4, ..member(0, None) }];
    assert_eq!(choose(&both, &mut v4, 0), Choice::Move(ip("10.0.0.1")));
    // The address it started with is as good as any of its family.
    let some = [ip("10.0.0.1"), ip("10.0.0.2")];
    let mut there = [member(0, Some("10.0.0.2"))];
    assert_eq!(choose(&some, &mut there, 0), Choice::Keep);
    // Two servers may share if they are told so, or stand in different backends.
    let one = [ip("10.0.0.1")];
    let mut shared = [member(0, None), Member { prevent_dup: false, ..member(0, None) }, member(1, None)];
    assert_eq!(choose(&one, &mut shared, 0), Choice::Move(ip("10.0.0.1")));
    assert_eq!(choose(&one, &mut shared, 1), Choice::Move(ip("10.0.0.1")));
    assert_eq!(choose(&one, &mut shared, 2), Choice::Move(ip("10.0.0.1")));
}
