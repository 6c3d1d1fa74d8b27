//! The election step by step: every effect of every step is asserted, timers with their durations.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use super::*;
use crate::vrrp::packet::Advert;

const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5));
const LOW: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const HIGH: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9));

/// A router with its own little clock.
struct Bench {
    router: Router,
    now: Instant,
}

impl Bench {
    fn new(priority: u8, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::new(OWN, priority);
        change(&mut settings);
        #[allow(clippy::disallowed_methods, reason = "any instant will do as the origin of a test clock")]
        let now = Instant::now();
        Self { router: Router::new(settings), now }
    }

    fn backup(priority: u8, change: impl FnOnce(&mut Settings)) -> Self {
        let mut bench = Self::new(priority, change);
        bench.step(Input::Start { fault: false });
        assert_eq!(bench.router.state(), State::Backup);
        bench
    }

    fn master(priority: u8, change: impl FnOnce(&mut Settings)) -> Self {
        let mut bench = Self::backup(priority, change);
        bench.step(Input::Timer(Timer::MasterDown));
        assert_eq!(bench.router.state(), State::Master);
        bench
    }

    fn after(&mut self, millis: u64) -> &mut Self {
        self.now += Duration::from_millis(millis);
        self
    }

    fn step(&mut self, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        self.router.step(input, self.now, &mut out);
        out
    }

    fn hears(&mut self, priority: u8, source: IpAddr) -> Vec<Effect> {
        self.step(Input::Advert(advert(priority, source)))
    }
}

fn advert(priority: u8, source: IpAddr) -> Advert {
    Advert {
        source,
        priority,
        interval: Duration::from_secs(1),
        sequence: None,
        old_checksum: false,
        stamp: None,
    }
}

fn armed(effects: &[Effect], timer: Timer) -> Option<Duration> {
    effects.iter().rev().find_map(|e| match e {
        Effect::Arm(t, d) if *t == timer => Some(*d),
        _ => None,
    })
}

fn sent(effects: &[Effect]) -> Vec<u8> {
    effects
        .iter()
        .filter_map(|e| match e {
            Effect::SendAdvert { priority } => Some(*priority),
            _ => None,
        })
        .collect()
}

fn log(effects: &[Effect]) -> Vec<String> {
    effects
        .iter()
        .filter_map(|e| match e {
            Effect::Log(event) => Some(event.to_string()),
            _ => None,
        })
        .collect()
}

/// 3 intervals and the skew of version 2.
fn down(priority: u64) -> Duration {
    Duration::from_secs(3) + Duration::from_secs(1) * (256 - u32::try_from(priority).unwrap()) / 256
}

#[test]
fn starts_as_backup_and_waits_the_master_down_time() {
    let mut bench = Bench::new(100, |_| {});
    assert_eq!(
        bench.step(Input::Start { fault: false }),
        [
            Effect::RemoveAddresses,
            Effect::Log(Event::Entering { state: State::Backup, init: true }),
            Effect::Notify(Notice::State(State::Backup)),
            Effect::Arm(Timer::MasterDown, Duration::from_micros(3_609_375)),
        ]
    );
}

#[test]
fn silence_makes_it_master() {
    let mut bench = Bench::backup(100, |_| {});
    assert_eq!(
        bench.after(3610).step(Input::Timer(Timer::MasterDown)),
        [
            Effect::Log(Event::Timeout),
            Effect::Disarm(Timer::MasterDown),
            Effect::SendAdvert { priority: 100 },
            Effect::Arm(Timer::Advert, Duration::from_secs(1)),
            Effect::Log(Event::Entering { state: State::Master, init: false }),
            Effect::AddAddresses,
            Effect::Announce { repeat: 5 },
            Effect::Arm(Timer::GarpDelay, Duration::from_secs(5)),
            Effect::Notify(Notice::State(State::Master)),
        ]
    );
    assert_eq!(
        bench.after(1000).step(Input::Timer(Timer::Advert)),
        [Effect::SendAdvert { priority: 100 }, Effect::Arm(Timer::Advert, Duration::from_secs(1))]
    );
    assert_eq!(bench.after(4000).step(Input::Timer(Timer::GarpDelay)), [Effect::Announce { repeat: 5 }]);
}

#[test]
fn owner_is_master_at_once_and_ignores_tracking() {
    let mut bench = Bench::new(255, |_| {});
    let effects = bench.step(Input::Start { fault: false });
    assert_eq!((sent(&effects), bench.router.state()), (vec![255], State::Master));
    assert_eq!(bench.step(Input::Priority(100)), []);
    let conflict = bench.hears(255, HIGH);
    assert!(log(&conflict)[0].starts_with("CONFIGURATION ERROR"), "{conflict:?}");
    assert_eq!((bench.router.priority(), bench.router.state()), (254, State::Backup));
}

#[test]
fn what_a_backup_does_with_an_advert() {
    // priority heard, preempt, expected master-down timer (None: keeps running)
    let table = [
        (101, true, Some(down(100))),
        (100, true, Some(down(100))),
        (99, true, None),
        (99, false, Some(down(100))),
        (0, true, Some(Duration::from_micros(609_375))),
        (0, false, Some(Duration::from_micros(609_375))),
        (255, true, Some(down(100))),
    ];
    for (priority, preempt, timer) in table {
        let mut bench = Bench::backup(100, |s| s.preempt = preempt);
        let effects = bench.after(500).hears(priority, LOW);
        assert_eq!(armed(&effects, Timer::MasterDown), timer, "heard {priority}, preempt {preempt}");
        assert_eq!(bench.router.state(), State::Backup);
        assert!(sent(&effects).is_empty());
    }
}

#[test]
fn lower_priority_is_discarded_with_the_known_words() {
    let mut bench = Bench::backup(100, |_| {});
    assert_eq!(
        log(&bench.hears(90, LOW)),
        ["received lower priority (90) advert from 10.0.0.1 - discarding"]
    );
}

#[test]
fn what_a_master_does_with_an_advert() {
    // priority and source heard, state afterwards, adverts sent
    let table = [
        (101, LOW, State::Backup, vec![]),
        (100, HIGH, State::Backup, vec![]),
        (100, LOW, State::Master, vec![100]),
        (99, HIGH, State::Master, vec![100]),
        (0, HIGH, State::Master, vec![100]),
    ];
    for (priority, source, state, adverts) in table {
        let mut bench = Bench::master(100, |_| {});
        let effects = bench.after(500).hears(priority, source);
        assert_eq!(bench.router.state(), state, "heard {priority} from {source}");
        assert_eq!(sent(&effects), adverts, "heard {priority} from {source}");
    }
}

#[test]
fn giving_way_removes_addresses_before_anybody_is_told() {
    let mut bench = Bench::master(100, |_| {});
    assert_eq!(
        bench.hears(102, LOW),
        [
            Effect::Log(Event::HigherWhileMaster { from: LOW, priority: 102, ours: 100 }),
            Effect::Log(Event::Entering { state: State::Backup, init: false }),
            Effect::Disarm(Timer::Advert),
            Effect::Disarm(Timer::GarpDelay),
            Effect::Disarm(Timer::GarpRefresh),
            Effect::Disarm(Timer::GarpLowerPrio),
            Effect::RemoveAddresses,
            Effect::Notify(Notice::State(State::Backup)),
            Effect::Arm(Timer::MasterDown, down(100)),
        ]
    );
    assert_eq!((bench.router.stats.become_master, bench.router.stats.release_master), (1, 1));
}

#[test]
fn a_lower_master_is_answered_and_caches_are_corrected_twice() {
    let mut bench = Bench::master(100, |_| {});
    let effects = bench.hears(90, LOW);
    assert_eq!(
        effects,
        [
            Effect::Log(Event::LowerWhileMaster { from: LOW, priority: 90, ours: 100, answered: true }),
            Effect::SendAdvert { priority: 100 },
            Effect::Arm(Timer::Advert, Duration::from_secs(1)),
            Effect::Announce { repeat: 5 },
            Effect::Arm(Timer::GarpLowerPrio, Duration::from_secs(5)),
            Effect::Notify(Notice::MasterRxLowerPri),
        ]
    );
    let mut quiet = Bench::master(100, |s| {
        s.lower_prio_no_advert = true;
        s.garp.lower_prio_repeat = 0;
    });
    let effects = quiet.hears(90, LOW);
    assert_eq!(log(&effects), ["Received advert from 10.0.0.1 with lower priority 90, ours 100"]);
    assert_eq!((sent(&effects), armed(&effects, Timer::Advert)), (vec![], None));
}

#[test]
fn higher_prio_send_advert_sends_one_more() {
    let mut bench = Bench::master(100, |s| s.higher_prio_send_advert = true);
    let effects = bench.hears(101, LOW);
    assert_eq!((sent(&effects), bench.router.state()), (vec![100], State::Backup));
}

/// The cable was cut between us and the master, and is mended: it never stopped being master and has no reason to announce
/// its addresses, which everybody on our side looks for here. It has one when it hears of a lower master.
#[test]
fn a_master_that_was_only_silent_hears_of_us_before_we_give_way() {
    let returned = |how: &dyn Fn(&mut Bench), change: fn(&mut Settings)| {
        let mut bench = Bench::backup(90, change);
        bench.hears(100, HIGH);
        how(&mut bench);
        bench.after(4000).step(Input::Timer(Timer::MasterDown));
        assert_eq!(bench.router.state(), State::Master);
        let effects = bench.after(2000).hears(100, HIGH);
        assert_eq!(bench.router.state(), State::Backup);
        (sent(&effects), log(&effects).len())
    };
    let silent: &dyn Fn(&mut Bench) = &|_| {};
    assert_eq!(returned(silent, |_| {}), (vec![90], 3));
    assert_eq!(returned(silent, |s| s.speaks_to_returned = false), (vec![], 2));
    // Said so by the file already: once is enough.
    assert_eq!(returned(silent, |s| s.higher_prio_send_advert = true), (vec![90], 2));
    // Who said goodbye or fell comes back through an election, and then announces.
    assert_eq!(returned(&|bench| drop(bench.hears(0, HIGH)), |_| {}), (vec![], 2));
    assert_eq!(returned(&|bench| drop(bench.hears(80, HIGH)), |_| {}), (vec![], 2));
    // Another router than the silent one does so too.
    let mut bench = Bench::backup(90, |_| {});
    bench.hears(100, HIGH);
    bench.after(4000).step(Input::Timer(Timer::MasterDown));
    assert!(sent(&bench.hears(120, LOW)).is_empty());
    // And one round of it changes nothing for the next.
    bench.after(4000).step(Input::Timer(Timer::MasterDown));
    assert!(sent(&bench.hears(100, HIGH)).is_empty());
}

/// With the rest of its sync group, whose master may be heard first.
#[test]
fn so_does_the_master_of_another_instance_of_the_group() {
    let mut bench = Bench::backup(90, |_| {});
    bench.hears(100, HIGH);
    bench.after(4000).step(Input::Promote);
    assert_eq!(sent(&bench.step(Input::Demote)), [90]);
    assert_eq!(bench.router.state(), State::Backup);
}

#[test]
fn a_backup_takes_over_after_the_skew_when_its_master_falls_below_it() {
    let mut bench = Bench::backup(90, |_| {});
    bench.hears(100, LOW);
    let skew = Duration::from_secs(1) * (256 - 90) / 256;
    let effects = bench.after(400).hears(80, LOW);
    assert_eq!(armed(&effects, Timer::MasterDown), Some(skew));
    assert_eq!(
        log(&effects),
        [
            "received lower priority (80) advert from 10.0.0.1 - discarding",
            "master 10.0.0.1 fell from priority 100 to 80, below ours - taking over in 648ms",
        ]
    );
    // Its next adverts do not start the wait again, and a recovery ends it.
    assert_eq!(armed(&bench.after(300).hears(80, LOW), Timer::MasterDown), None);
    assert_eq!(armed(&bench.after(100).hears(100, LOW), Timer::MasterDown), Some(down(90)));
}

#[test]
fn only_the_masters_own_fall_shortens_the_wait() {
    // Somebody else speaks with less: not our master.
    let mut bench = Bench::backup(90, |_| {});
    bench.hears(100, LOW);
    assert_eq!(armed(&bench.hears(80, HIGH), Timer::MasterDown), None);
    // A master that was always lower is waited for as keepalived does.
    let mut bench = Bench::backup(90, |_| {});
    assert_eq!(armed(&bench.hears(80, LOW), Timer::MasterDown), None);
    assert_eq!(armed(&bench.hears(80, LOW), Timer::MasterDown), None);
    // Without preemption a fall changes nothing.
    let mut bench = Bench::backup(90, |s| s.preempt = false);
    bench.hears(100, LOW);
    assert_eq!(armed(&bench.hears(80, LOW), Timer::MasterDown), Some(down(90)));
}

#[test]
fn preempt_delay_accepts_a_lower_master_until_it_is_over() {
    let mut bench = Bench::backup(100, |s| s.preempt_delay = Duration::from_secs(10));
    let effects = bench.hears(90, LOW);
    assert_eq!(log(&effects), ["start preempt delay (10.000000)"]);
    assert_eq!(armed(&effects, Timer::MasterDown), Some(down(100)));
    assert_eq!(armed(&bench.after(9000).hears(90, LOW), Timer::MasterDown), Some(down(100)));
    let late = bench.after(1001).hears(90, LOW);
    assert_eq!(armed(&late, Timer::MasterDown), None, "now it is discarded and the timer runs out");
    let equal = bench.hears(100, LOW);
    assert_eq!(log(&equal), ["stop preempt delay"]);
}

#[test]
fn priority_change_moves_the_running_timer_by_the_skew() {
    let mut bench = Bench::backup(100, |_| {});
    bench.hears(150, LOW);
    let effects = bench.after(1000).step(Input::Priority(102));
    assert_eq!(log(&effects), ["Changing effective priority from 100 to 102"]);
    assert_eq!(armed(&effects, Timer::MasterDown), Some(down(102) - Duration::from_secs(1)));
    assert_eq!(bench.step(Input::Priority(102)), [], "no change, no effect");
}

#[test]
fn a_master_advertises_a_changed_priority_at_once() {
    let mut bench = Bench::master(100, |_| {});
    let effects = bench.after(100).step(Input::Priority(80));
    assert_eq!(sent(&effects), [80]);
    assert_eq!(armed(&effects, Timer::Advert), Some(Duration::from_secs(1)));
}

#[test]
fn priorities_stay_between_1_and_254() {
    let mut bench = Bench::master(100, |_| {});
    for (total, effective) in [(0, 1), (-40, 1), (255, 254), (1000, 254), (7, 7)] {
        bench.step(Input::Priority(total));
        assert_eq!(bench.router.priority(), effective);
    }
}

#[test]
fn version_3_lives_by_the_interval_of_its_master() {
    let quick = |s: &mut Settings| {
        s.version = Version::V3;
        s.interval = Duration::from_millis(100);
    };
    let mut bench = Bench::backup(100, quick);
    assert_eq!(bench.router.master_down(), Duration::from_micros(360_937) + Duration::from_nanos(500));
    let slow = Advert { interval: Duration::from_millis(500), ..advert(200, LOW) };
    let effects = bench.step(Input::Advert(slow));
    assert_eq!(log(&effects), ["advertisement interval updated from 100ms to 500ms by master"]);
    assert_eq!(
        armed(&effects, Timer::MasterDown),
        Some(Duration::from_millis(1500) + Duration::from_millis(500) * 156 / 256)
    );
    let effects = bench.step(Input::Timer(Timer::MasterDown));
    assert_eq!(armed(&effects, Timer::Advert), Some(Duration::from_millis(100)), "its own as master");
    assert!(
        log(&effects).contains(&"changing advert interval from 500ms to locally configured 100ms".into())
    );
}

#[test]
fn fault_and_recovery() {
    let mut bench = Bench::master(100, |_| {});
    let effects = bench.step(Input::Fault);
    assert_eq!(log(&effects), ["Entering FAULT STATE", "sent 0 priority"]);
    assert_eq!(sent(&effects), [0]);
    assert!(effects.contains(&Effect::RemoveAddresses));
    assert_eq!(bench.step(Input::Fault), []);
    assert_eq!(bench.hears(50, LOW), [], "adverts are ignored in FAULT");
    let effects = bench.step(Input::Clear);
    assert_eq!(log(&effects), ["Entering BACKUP STATE"]);
    assert_eq!(armed(&effects, Timer::MasterDown), Some(down(100)));

    let mut bench = Bench::new(100, |_| {});
    assert_eq!(log(&bench.step(Input::Start { fault: true })), ["Entering FAULT STATE (init)"]);
    assert_eq!(bench.router.state(), State::Fault);
}

#[test]
fn stop_releases_and_is_final() {
    let mut bench = Bench::master(100, |_| {});
    let effects = bench.step(Input::Stop);
    assert_eq!((sent(&effects), log(&effects)), (vec![0], vec!["sent 0 priority".to_owned()]));
    assert!(effects.contains(&Effect::RemoveAddresses));
    assert_eq!(effects.last(), Some(&Effect::Notify(Notice::State(State::Stop))));
    assert_eq!(bench.hears(255, HIGH), []);
    assert_eq!(bench.step(Input::Timer(Timer::MasterDown)), []);

    let mut backup = Bench::backup(100, |_| {});
    assert!(sent(&backup.step(Input::Stop)).is_empty(), "only a master has something to announce");
}

#[test]
fn sequence_numbers_only_go_up() {
    let mut bench = Bench::backup(100, |_| {});
    let numbered = |n, priority| Input::Advert(Advert { sequence: Some(n), ..advert(priority, LOW) });
    assert!(armed(&bench.step(numbered(7, 200)), Timer::MasterDown).is_some());
    let replay = bench.step(numbered(7, 200));
    assert_eq!(armed(&replay, Timer::MasterDown), None);
    assert_eq!(
        log(&replay),
        ["IPSEC-AH : sequence number 7 already processed. Packet dropped. Local(7) (from 10.0.0.1)"]
    );
    assert_eq!(bench.router.stats.auth_failure, 1);
    bench.step(Input::Timer(Timer::MasterDown));
    assert_eq!(bench.router.next_sequence(), 8, "a new master continues after the old one");
    bench.step(numbered(40, 50));
    assert_eq!(bench.router.next_sequence(), 42, "and jumps over a lower one that is ahead");
}

#[test]
fn a_flood_of_bad_packets_is_counted_and_logged_once() {
    let mut bench = Bench::backup(100, |_| {});
    let bad = || Input::Rejected { reason: Reject::Ttl(64), from: Some(HIGH) };
    assert_eq!(log(&bench.step(bad())), ["invalid TTL/HL. Received 64 and expect 255 (from 10.0.0.9)"]);
    for _ in 0..1000 {
        assert_eq!(bench.step(bad()), []);
    }
    assert_eq!(bench.router.stats.ip_ttl_err, 1001);
    assert_eq!(
        log(&bench.after(61_000).step(bad())),
        ["invalid TTL/HL. Received 64 and expect 255 (from 10.0.0.9, 1000 more like it not logged)"]
    );
    let other = Input::Rejected { reason: Reject::Password, from: Some(HIGH) };
    assert_eq!(log(&bench.step(other)).len(), 1, "another kind has its own line");
}

#[test]
fn a_removed_address_comes_back_only_on_the_master() {
    let gone = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 100));
    let mut bench = Bench::master(100, |_| {});
    assert!(bench.step(Input::AddressLost(gone)).contains(&Effect::RestoreAddress(gone)));
    assert_eq!(Bench::backup(100, |_| {}).step(Input::AddressLost(gone)), []);
}

#[test]
fn reload_keeps_the_state() {
    let mut bench = Bench::master(100, |_| {});
    let mut out = Vec::new();
    let mut settings = bench.router.settings().clone();
    bench.router.reconfigure(settings.clone(), &mut out);
    assert_eq!(out, [], "nothing changed, nothing happens");
    settings.interval = Duration::from_secs(2);
    bench.router.reconfigure(settings, &mut out);
    assert_eq!(armed(&out, Timer::Advert), Some(Duration::from_secs(2)));
    assert_eq!(bench.router.state(), State::Master);
}

#[test]
fn a_master_that_slept_gives_way_before_it_speaks() {
    let late = |millis| Input::Overslept(Duration::from_millis(millis));
    let mut bench = Bench::master(100, |_| {});
    // Nobody can have taken over yet: 1 s + 1.9 s of silence, and the others wait 3 s and more.
    let effects = bench.after(1900).step(late(1900));
    assert_eq!((sent(&effects), bench.router.state()), (vec![100], State::Master));
    let effects = bench.after(3100).step(late(2100));
    assert_eq!((sent(&effects), bench.router.state()), (vec![], State::Backup));
    assert!(log(&effects)[0].starts_with("was 2.100s late"), "{effects:?}");
    assert!(effects.contains(&Effect::RemoveAddresses));
    // One interval and the skew tell whether there is another master; there was none.
    assert_eq!(armed(&effects, Timer::MasterDown), Some(down(100) - Duration::from_secs(2)));
    bench.after(1610).step(Input::Timer(Timer::MasterDown));
    assert_eq!(bench.router.state(), State::Master);
    // Known to be alone with priorities up to 50: they wait for 3.8 s.
    let mut bench = Bench::master(100, |s| s.others_highest = 50);
    bench.after(3700).step(late(2700));
    assert_eq!(bench.router.state(), State::Master);
}

#[test]
fn an_owner_that_ignores_adverts_answers_none() {
    let owner = |ignores: bool| {
        let mut bench = Bench::new(255, |s| s.owner_ignore_adverts = ignores);
        bench.step(Input::Start { fault: false });
        assert_eq!(bench.router.state(), State::Master);
        bench
    };
    for priority in [0, 1, 100, 255] {
        assert_eq!(owner(true).hears(priority, HIGH), [], "{priority}");
    }
    // Without it another owner is told of, and a stop is answered.
    assert!(log(&owner(false).hears(255, HIGH))[0].contains("both configured as address owner"));
    assert_eq!(sent(&owner(false).hears(0, HIGH)), [255]);
}

#[test]
fn a_backup_waits_for_as_many_adverts_as_configured() {
    for (adverts, millis) in [(1, 1_609), (2, 2_609), (3, 3_609), (10, 10_609)] {
        let mut bench = Bench::backup(100, |s| s.down_timer_adverts = adverts);
        let armed = armed(&bench.hears(200, HIGH), Timer::MasterDown).map(|wait| wait.as_millis());
        assert_eq!(armed, Some(millis), "{adverts}");
    }
}

#[test]
fn a_master_announces_again_and_again_where_that_is_configured() {
    let mut bench = Bench::master(100, |s| {
        s.garp.refresh = Duration::from_secs(30);
        s.garp.refresh_repeat = 2;
    });
    for _ in 0..3 {
        assert_eq!(
            bench.after(30_000).step(Input::Timer(Timer::GarpRefresh)),
            [Effect::Announce { repeat: 2 }, Effect::Arm(Timer::GarpRefresh, Duration::from_secs(30))]
        );
    }
}
