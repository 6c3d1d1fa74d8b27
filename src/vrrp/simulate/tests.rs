//! What must hold whatever happens and whenever: by seed, so that a failure is repeated by its number.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::ir::vrrp::{Instance, Script, ScriptIdx, TrackedScript, Version, Vip, WatchedProcess};

/// Runs of each property.
const SEEDS: u64 = 2_000;

fn origin() -> Instant {
    #[allow(clippy::disallowed_methods, reason = "any instant will do as the origin of virtual time")]
    Instant::now()
}

fn config(priority: u8, vary: impl FnOnce(&mut Instance)) -> Config {
    let mut instance = Instance {
        interface: Some("eth0".to_owned()),
        vrid: 51,
        priority,
        version: Version::V3,
        vips: vec![Vip::plain(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 100)), 24)],
        ..Instance::new("VI_1")
    };
    vary(&mut instance);
    Config { instances: vec![instance], ..Config::default() }
}

/// With a script that looks for the proxy, as most files have it.
fn with_script(priority: u8, weight: i32) -> Config {
    let mut config = config(priority, |i| {
        i.track_scripts = vec![TrackedScript { script: ScriptIdx(0), weight, reverse: false }];
    });
    let watches_process =
        Some(WatchedProcess { name: "haproxy".to_owned(), by: crate::ir::vrrp::NameMatch::Exact });
    config.scripts = vec![Script { watches_process, ..script() }];
    config
}

fn script() -> Script {
    Script {
        name: "chk".to_owned(),
        command: crate::ir::vrrp::NotifyScript::default(),
        interval: Duration::from_secs(2),
        timeout: None,
        weight: 0,
        reverse: false,
        rise: 1,
        fall: 1,
        init_fail: false,
        watches_process: None,
        place: crate::ir::Place::default(),
    }
}

fn given(configs: Vec<Config>) -> Vec<Given> {
    let names = ["a", "b", "c"];
    configs.into_iter().zip(names).map(|(config, name)| Given { name: name.to_owned(), config }).collect()
}

fn started(given: &[Given], seed: u64) -> World {
    let mut world = World::new(given, seed, origin());
    for node in 0..world.len() {
        world.happen(&Event::Start(node));
    }
    world
}

fn owner(world: &World) -> Vec<usize> {
    world.owners().into_values().next().unwrap_or_default()
}

#[test]
fn one_owner_whatever_died_and_came_back() {
    for seed in 0..SEEDS {
        let mut dice = StdRng::seed_from_u64(seed);
        let nodes = dice.random_range(2..=3);
        let given = given((0..nodes).map(|_| with_script(dice.random_range(1..=254), -20)).collect());
        let mut world = started(&given, seed);
        world.weather.delay = Duration::from_millis(dice.random_range(0..=30));
        for _ in 0..dice.random_range(1..=6) {
            let node = dice.random_range(0..nodes);
            let event = match dice.random_range(0..10) {
                0 => Event::AllDies(node),
                1 => Event::Start(node),
                2 => Event::EngineDies(node),
                3 => Event::Link { node, interface: None, up: false },
                4 => Event::Link { node, interface: None, up: true },
                5 => Event::Freezes(node),
                6 => Event::Thaws(node),
                7 => Event::Stop(node),
                8 => Event::Proxy { node, runs: false },
                _ => Event::Proxy { node, runs: true },
            };
            world.happen(&event);
            let pause = Duration::from_millis(dice.random_range(0..5_000));
            world.run(world.time() + pause, |_| {});
        }
        // Everything works again, however it broke.
        for node in 0..nodes {
            world.happen(&Event::Link { node, interface: None, up: true });
            world.happen(&Event::Proxy { node, runs: true });
            world.happen(&Event::Thaws(node));
            if world.nodes[node].condition == Condition::Off {
                world.happen(&Event::Start(node));
            }
        }
        world.run(world.time() + Duration::from_secs(12), |_| {});
        let settled = owner(&world);
        assert_eq!(settled.len(), 1, "seed {seed}: {settled:?} {:#?}", world.moments);
        world.run(world.time() + Duration::from_secs(30), |w| assert_eq!(owner(w), settled, "seed {seed}"));
    }
}

#[test]
fn nobody_for_no_longer_than_the_protocol_says_and_two_never_for_long() {
    for seed in 0..SEEDS {
        let mut dice = StdRng::seed_from_u64(seed);
        let high: u8 = dice.random_range(101..=254);
        let low: u8 = dice.random_range(1..=100);
        let given = given(vec![config(high, |_| {}), config(low, |_| {})]);
        let mut world = started(&given, seed);
        world.run(Duration::from_secs(8), |_| {});
        assert_eq!(owner(&world), [0], "seed {seed}");
        world.run(world.time() + Duration::from_millis(dice.random_range(0..2_000)), |_| {});
        let event = match dice.random_range(0..4) {
            0 => Event::AllDies(0),
            1 => Event::EngineDies(0),
            2 => Event::Stop(0),
            _ => Event::Link { node: 0, interface: None, up: false },
        };
        world.happen(&event);
        let begin = world.time();
        let (mut taken, mut two) = (None, Duration::ZERO);
        let mut last = (begin, owner(&world));
        world.run(begin + Duration::from_secs(10), |w| {
            let now = owner(w);
            two += if last.1.len() > 1 { w.time() - last.0 } else { Duration::ZERO };
            if now.contains(&1) && taken.is_none() {
                taken = Some(w.time() - begin);
            }
            last = (w.time(), now);
        });
        let bound = Duration::from_secs(3) + Duration::from_secs(1) * (256 - u32::from(low)) / 256;
        let taken = taken.unwrap_or_else(|| panic!("seed {seed}: nobody took over after {event:?}"));
        assert!(taken <= bound + Duration::from_millis(5), "seed {seed}: {taken:?} after {event:?}");
        assert_eq!(owner(&world), [1], "seed {seed}");
        // A node on which everything died keeps its address for a moment, as long as the others wait.
        assert!(two <= Duration::from_secs(1), "seed {seed}: two for {two:?} after {event:?}");
    }
}

#[test]
fn overtaking_packets_and_a_lost_one_move_nothing() {
    for seed in 0..SEEDS {
        let mut dice = StdRng::seed_from_u64(seed);
        let given = given(vec![with_script(100, -20), with_script(90, -20)]);
        let mut world = started(&given, seed);
        world.weather.delay = Duration::from_millis(dice.random_range(0..=900));
        world.run(Duration::from_secs(8), |_| {});
        world.moments.clear();
        // One of three adverts may be lost without anybody noticing; here it is never two in a row.
        for _ in 0..10 {
            world.weather.loss_percent = 100;
            world.run(world.time() + Duration::from_millis(dice.random_range(0..1_000)), |_| {});
            world.weather.loss_percent = 0;
            world.run(world.time() + Duration::from_secs(2), |_| {});
        }
        assert_eq!(owner(&world), [0], "seed {seed}");
        let moves = world.moments.iter().filter(|m| matches!(m.what, What::Takes(_) | What::Leaves(_)));
        assert_eq!(moves.count(), 0, "seed {seed}: {:#?}", world.moments);
    }
}

#[test]
fn the_proxy_of_the_owner_dies_and_returns() {
    let given = given(vec![with_script(100, -20), with_script(90, -20)]);
    for seed in 0..SEEDS / 10 {
        let answers = ask(&given, Question::ProxyDies, seed, origin());
        assert_eq!((&answers[0].before[..], &answers[0].after[..]), (&[0][..], &[1][..]));
        let moved = answers[0].moved.unwrap_or_default();
        // The skew time at priority 90, and the way of the advert.
        assert!(moved <= Duration::from_millis(660), "seed {seed}: {moved:?}");
        // The other one is told in the moment it is due.
        assert!(answers[0].two <= Duration::from_millis(1), "{:?}", answers[0].two);
    }
    let back = ask(&given, Question::Returns, 1, origin());
    assert_eq!((&back[0].before[..], &back[0].after[..]), (&[1][..], &[0][..]));
}

#[test]
fn routers_that_disagree_do_not_hear_each_other() {
    let pass = |word: &[u8; 8]| {
        let auth = crate::ir::vrrp::Auth::Pass(crate::ir::vrrp::AuthPass(*word));
        config(100, |i| (i.version, i.auth) = (Version::V2, auth))
    };
    let given = given(vec![pass(b"12345678"), pass(b"87654321")]);
    let mut world = started(&given, 7);
    world.run(Duration::from_secs(10), |_| {});
    assert_eq!(owner(&world), [0, 1], "each thinks it is alone");
    let told =
        world.moments.iter().any(|m| matches!(&m.what, What::Says(line) if line.contains("invalid passwd")));
    assert!(told, "{:#?}", world.moments);
}

#[test]
fn plans_are_read() {
    let given = given(vec![with_script(100, -20), config(90, |_| {})]);
    let world = World::new(&given, 1, origin());
    let plan = parse("10 a proxy dies # comment\n\n500ms b link eth0 down\n1m network loss 5%\n", &world);
    let plan = plan.expect("all known");
    assert_eq!(plan[0].event, Event::Link { node: 1, interface: Some("eth0".to_owned()), up: false });
    assert_eq!(plan[0].at, Duration::from_millis(500));
    assert_eq!(plan[1].event, Event::Proxy { node: 0, runs: false });
    assert_eq!(plan[2], Planned { at: Duration::from_secs(60), event: Event::Loss(5) });
    for (line, why) in [
        ("1 d stop", "no node 'd'"),
        ("x a stop", "no time"),
        ("1 a explode", "nothing a node can do"),
        ("1 a script nope fails", "no script"),
        ("1", "alone"),
        ("1 network loss 101", "percent"),
    ] {
        let refused = parse(line, &world).expect_err(line);
        assert!(refused.to_string().contains(why), "{refused}");
    }
}
