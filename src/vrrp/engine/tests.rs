//! Tracking and sync groups over hand-built configurations.

use std::time::{Duration, Instant};

use super::*;
use crate::ir::vrrp::{
    Instance, InstanceIdx, NotifyScript, Script, ScriptIdx, SyncGroup, SyncGroupIdx, TrackInterface,
    TrackedScript, Vip,
};
use crate::vrrp::fsm::Notice;

fn script(name: &str, weight: i32) -> Script {
    Script {
        name: name.into(),
        command: NotifyScript::default(),
        interval: Duration::from_secs(1),
        timeout: None,
        weight,
        reverse: false,
        rise: 1,
        fall: 1,
        init_fail: false,
        watches_process: None,
        place: crate::ir::Place::default(),
    }
}

fn instance(name: &str, vrid: u8) -> Instance {
    let mut instance = Instance::new(name);
    instance.interface = Some("eth0".into());
    instance.vrid = vrid;
    instance.vips = vec![Vip::plain(Ipv4Addr::new(10, 0, 0, 100 + vrid).into(), 24)];
    instance
}

fn up() -> Link {
    Link { up: true, v4: Some(Ipv4Addr::new(10, 0, 0, 1)), v6: None }
}

struct Bench {
    engine: Engine,
    now: Instant,
}

impl Bench {
    fn new(config: Config) -> Self {
        let links = ["eth0", "eth1"].map(|name| (name.to_owned(), up()));
        #[allow(clippy::disallowed_methods, reason = "any instant will do as the origin of a test clock")]
        let now = Instant::now();
        Self { engine: Engine::new(config, links.into()), now }
    }

    fn started(config: Config) -> Self {
        let mut bench = Self::new(config);
        bench.run(|engine, now, out| engine.start(now, out));
        bench
    }

    fn run(&mut self, act: impl FnOnce(&mut Engine, Instant, &mut Vec<Output>)) -> Vec<Output> {
        let mut out = Vec::new();
        act(&mut self.engine, self.now, &mut out);
        out
    }

    fn state(&self, at: usize) -> State {
        self.engine.router(at).state()
    }

    fn states(&self) -> Vec<State> {
        (0..self.engine.config().instances.len()).map(|at| self.state(at)).collect()
    }

    fn down_timer(&mut self, at: usize) -> Vec<Output> {
        self.run(|engine, now, out| engine.timer(at, Timer::MasterDown, Duration::ZERO, now, out))
    }

    fn hears(&mut self, at: usize, priority: u8) {
        let source = Ipv4Addr::new(10, 0, 0, 9).into();
        let interval = Duration::from_secs(1);
        let advert = Advert { source, priority, interval, sequence: None, old_checksum: false, stamp: None };
        self.run(|engine, now, out| engine.packet(at, Ok(advert), now, out));
    }

    fn script(&mut self, at: usize, status: i32) -> Vec<Output> {
        self.run(|engine, now, out| engine.script_finished(at, Outcome::Exited(status), now, out))
    }

    fn link(&mut self, name: &str, up_now: bool) -> Vec<Output> {
        let link = Link { up: up_now, ..up() };
        self.run(|engine, now, out| engine.link_changed(name, link, now, out))
    }
}

fn tracking(weight: i32) -> Config {
    let mut config = Config { scripts: vec![script("check", weight)], ..Config::default() };
    let mut vi = instance("VI_1", 51);
    vi.track_scripts = vec![TrackedScript { script: ScriptIdx(0), weight, reverse: false }];
    config.instances.push(vi);
    config
}

fn lines(out: &[Output]) -> Vec<String> {
    out.iter()
        .filter_map(|o| match o {
            Output::Log(event) => Some(event.to_string()),
            Output::Instance(_, Effect::Log(event)) => Some(event.to_string()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_weighted_script_changes_the_priority() {
    let mut bench = Bench::started(tracking(2));
    assert_eq!((bench.state(0), bench.engine.router(0).priority()), (State::Backup, 100));
    assert_eq!(
        lines(&bench.script(0, 0)),
        ["VRRP_Script(check) succeeded", "Changing effective priority from 100 to 102"]
    );
    assert_eq!(
        lines(&bench.script(0, 1)),
        [
            "Script `check` now returning 1",
            "VRRP_Script(check) failed (exited with status 1)",
            "Changing effective priority from 102 to 100"
        ]
    );
}

#[test]
fn a_script_without_weight_decides_between_backup_and_fault() {
    let mut bench = Bench::new(tracking(0));
    let out = bench.run(|engine, now, out| engine.start(now, out));
    assert_eq!((bench.state(0), lines(&out)), (State::Fault, vec![]), "not a word before its first run");
    assert_eq!(lines(&bench.script(0, 0)), ["VRRP_Script(check) succeeded", "Entering BACKUP STATE"]);
    bench.down_timer(0);
    assert_eq!(bench.state(0), State::Master);
    let out = bench.script(0, 1);
    assert!(out.contains(&Output::Instance(0, Effect::SendAdvert { priority: 0 })));
    assert_eq!(bench.state(0), State::Fault);
    bench.script(0, 0);
    assert_eq!(bench.state(0), State::Backup);

    let mut bench = Bench::started(tracking(0));
    let out = lines(&bench.script(0, 1));
    assert_eq!(out.last().map(String::as_str), Some("Entering FAULT STATE"));
}

#[test]
fn own_interface_down_is_fault_and_others_by_weight() {
    let mut config = Config::default();
    let mut vi = instance("VI_1", 51);
    vi.track_interfaces = vec![TrackInterface { name: "eth1".into(), weight: -30, reverse: false }];
    config.instances.push(vi);
    let mut bench = Bench::started(config);
    bench.down_timer(0);
    assert_eq!(
        lines(&bench.link("eth1", false)),
        ["Netlink reports eth1 down", "Changing effective priority from 100 to 70"]
    );
    assert_eq!(bench.state(0), State::Master);
    assert_eq!(lines(&bench.link("eth0", false))[..2], ["Netlink reports eth0 down", "Entering FAULT STATE"]);
    assert_eq!(lines(&bench.link("eth0", true)), ["Netlink reports eth0 up", "Entering BACKUP STATE"]);
    assert!(lines(&bench.link("eth7", false)).is_empty(), "nobody asked about that one");
}

#[test]
fn an_interface_that_an_address_is_on_decides_unless_it_is_not_tracked() {
    for (no_track, faults) in [(false, true), (true, false)] {
        let mut vi = instance("VI_1", 51);
        // Its weight counts for nothing then, up or down.
        vi.track_interfaces = vec![TrackInterface { name: "eth1".into(), weight: 30, reverse: false }];
        let elsewhere = Vip::plain(Ipv4Addr::new(10, 1, 0, 1).into(), 24);
        vi.excluded_vips = vec![Vip { dev: Some("eth1".into()), no_track, ..elsewhere }];
        let mut bench = Bench::started(Config { instances: vec![vi], ..Config::default() });
        assert_eq!(bench.engine.router(0).priority(), if faults { 100 } else { 130 });
        bench.down_timer(0);
        bench.link("eth1", false);
        assert_eq!(bench.state(0) == State::Fault, faults);
        bench.link("eth1", true);
        assert_eq!(bench.state(0) == State::Backup, faults);
    }
}

#[test]
fn starts_in_fault_without_its_interface() {
    let mut config = Config::default();
    config.instances.push(instance("VI_1", 51));
    let mut bench = Bench::new(config);
    bench.engine.links.clear();
    let out = bench.run(|engine, now, out| engine.start(now, out));
    assert_eq!(
        lines(&out),
        ["(VI_1): entering FAULT state (interface eth0 down)", "Entering FAULT STATE (init)"]
    );
}

fn group() -> Config {
    let mut config = Config::default();
    for (name, vrid) in [("VI_1", 1), ("VI_2", 2)] {
        let mut vi = instance(name, vrid);
        vi.sync_group = Some(SyncGroupIdx(0));
        config.instances.push(vi);
    }
    config.instances[1].interface = Some("eth1".into());
    config.sync_groups.push(SyncGroup {
        name: "G".into(),
        instances: vec![InstanceIdx(0), InstanceIdx(1)],
        ..SyncGroup::default()
    });
    config
}

#[test]
fn a_group_becomes_master_only_together() {
    use State::{Backup, Master};
    let mut bench = Bench::started(group());
    assert_eq!(bench.states(), [Backup, Backup]);
    let out = bench.down_timer(0);
    assert_eq!(bench.states(), [Backup, Backup], "the second one still hears a master");
    assert!(matches!(out[..], [Output::Instance(0, Effect::Arm(Timer::MasterDown, _))]), "{out:?}");
    let out = bench.down_timer(1);
    assert_eq!(bench.states(), [Master, Master]);
    assert!(lines(&out).contains(&"VRRP_Group(G) Syncing instances to MASTER state".to_owned()));
    assert!(out.contains(&Output::Group(0, Master)));
    bench.hears(0, 200);
    assert_eq!(bench.states(), [Backup, Backup], "and leaves together");
}

#[test]
fn a_vote_for_master_is_withdrawn_when_a_master_is_heard_again() {
    let mut bench = Bench::started(group());
    bench.down_timer(0);
    bench.hears(0, 200);
    bench.down_timer(1);
    assert_eq!(bench.states(), [State::Backup, State::Backup]);
}

#[test]
fn a_fault_of_one_member_is_a_fault_of_all() {
    use State::{Backup, Fault, Master};
    let mut bench = Bench::started(group());
    bench.down_timer(0);
    bench.down_timer(1);
    assert_eq!(bench.states(), [Master, Master]);
    let out = bench.link("eth1", false);
    assert_eq!(bench.states(), [Fault, Fault]);
    assert!(out.contains(&Output::Group(0, Fault)), "{out:?}");
    bench.link("eth1", true);
    assert_eq!(bench.states(), [Backup, Backup]);
}

#[test]
fn reload_touches_only_what_changed() {
    let mut config = tracking(2);
    config.instances.push(instance("VI_2", 52));
    let mut bench = Bench::started(config.clone());
    bench.script(0, 0);
    bench.down_timer(0);
    bench.down_timer(1);
    let same = config.clone();
    let out = bench.run(|engine, now, out| {
        let moved = engine.retire(&same, now, out);
        assert!(engine.adopt(same, &moved, now, out).is_empty());
    });
    assert_eq!(out, []);

    config.instances[0].priority = 50;
    config.instances.remove(1);
    config.instances.insert(0, instance("VI_3", 53));
    let mut moved = Vec::new();
    let out = bench.run(|engine, now, out| moved = engine.retire(&config, now, out));
    assert_eq!(moved, [None, Some(0)]);
    bench.run(|engine, now, out| {
        let fresh = engine.adopt(config, &moved, now, out);
        assert_eq!(fresh, [0]);
        engine.start_fresh(&fresh, now, out);
    });
    assert!(out.contains(&Output::Instance(1, Effect::RemoveAddresses)), "the removed one stopped");
    assert!(out.contains(&Output::Instance(1, Effect::Notify(Notice::Deleted))));
    assert_eq!(bench.states(), [State::Backup, State::Master]);
    assert_eq!(bench.engine.router(1).priority(), 52, "its script still counts");
}

#[test]
fn a_group_follows_the_proxy_and_waits_until_it_is_known() {
    use crate::ir::vrrp::{TrackProxy, TrackProxyIdx, TrackedProxy};
    let mut group = SyncGroup { name: "G".into(), ..SyncGroup::default() };
    group.instances = vec![InstanceIdx(0), InstanceIdx(1)];
    group.track_proxies = vec![TrackedProxy { proxy: TrackProxyIdx(0), weight: 0, reverse: false }];
    let mut instances = vec![instance("A", 1), instance("B", 2)];
    instances.iter_mut().for_each(|i| i.sync_group = Some(SyncGroupIdx(0)));
    let proxy = TrackProxy {
        name: "web".into(),
        frontends: Vec::new(),
        backends: Vec::new(),
        weight: 0,
        reverse: false,
        place: crate::ir::Place::default(),
    };
    let config =
        Config { instances, sync_groups: vec![group], track_proxies: vec![proxy], ..Config::default() };
    let mut bench = Bench::started(config.clone());
    let states = |bench: &Bench| [0, 1].map(|at| bench.engine.router(at).state());
    assert_eq!(states(&bench), [State::Fault; 2], "not known yet");
    let mut waiting = Bench::new(config.clone());
    let begun = waiting.run(|engine, now, out| engine.start(now, out));
    let speaks = |o: &Output| {
        matches!(
            o,
            Output::Log(_) | Output::Group(..) | Output::Instance(_, Effect::Notify(_) | Effect::Log(_))
        )
    };
    assert!(!begun.iter().any(speaks), "who waits says nothing: {begun:?}");
    bench.run(|engine, now, out| engine.proxy_is(0, None, now, out));
    assert_eq!(states(&bench), [State::Backup; 2]);
    let why = || Some("backend app has 0 of 1 servers, needs 1".to_owned());
    let said = bench.run(|engine, now, out| engine.proxy_is(0, why(), now, out));
    assert_eq!(states(&bench), [State::Fault; 2]);
    let line = "Tracked proxy web failed: backend app has 0 of 1 servers, needs 1";
    assert!(said.iter().any(|o| matches!(o, Output::Log(event) if event.to_string() == line)), "{said:?}");
    assert_eq!(bench.engine.proxy(0), why().as_deref());
    let sum = [("proxy web: backend app has 0 of 1 servers, needs 1".to_owned(), None)];
    assert_eq!(bench.engine.explain(0), sum);
    // The same again is no news, and a reload forgets nothing.
    assert_eq!(bench.run(|engine, now, out| engine.proxy_is(0, why(), now, out)), []);
    bench.run(|engine, now, out| {
        engine.keep_tracked();
        let moved = engine.retire(&config, now, out);
        engine.adopt(config.clone(), &moved, now, out);
    });
    assert_eq!(bench.engine.proxy(0), why().as_deref());
    assert_eq!(states(&bench), [State::Fault; 2]);
}
