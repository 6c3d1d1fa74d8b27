//! What single lines become, and what is said about them.

use std::net::IpAddr;
use std::time::Duration;

use super::super::{Loaded, load, render};
use super::machine::Machine;
use crate::ir::vrrp::*;
use tandem_parser::Severity;

fn on(machine: &Machine, text: &str) -> Loaded {
    load("k.conf", text, machine)
}

fn messages(loaded: &Loaded) -> Vec<&str> {
    loaded.diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect()
}

/// A file with one instance that has these lines besides the necessary ones.
fn instance_with(lines: &str) -> Loaded {
    on(&Machine::default(), &one_instance(lines))
}

fn one_instance(lines: &str) -> String {
    format!(
        "vrrp_instance V {{\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {{\n 10.0.0.1/24\n}}\n{lines}\n}}\n"
    )
}

/// The instance, if nothing was said.
fn quiet(lines: &str) -> Instance {
    let loaded = instance_with(lines);
    assert_eq!(messages(&loaded), [""; 0], "{lines}");
    assert!(loaded.verdict.runs && loaded.verdict.exit_code == 0);
    loaded.config.instances[0].clone()
}

fn check_message(lines: &str, expected: &str, exit_code: u8) -> Loaded {
    let loaded = instance_with(lines);
    assert!(messages(&loaded).contains(&expected), "{lines}: {:?}", messages(&loaded));
    assert_eq!(loaded.verdict.exit_code, exit_code, "{lines}");
    loaded
}

#[test]
fn an_instance_has_keepalived_s_defaults() {
    let instance = quiet("");
    let mut expected = Instance::new("V");
    expected.place = instance.place.clone();
    expected.interface = Some("eth0".into());
    expected.vrid = 51;
    expected.vips = vec![Vip::plain(IpAddr::from([10, 0, 0, 1]), 24)];
    expected.mcast_group = Some(IpAddr::from([224, 0, 0, 18]));
    assert_eq!(instance, expected);
    assert_eq!((&*instance.place.file, instance.place.line), ("k.conf", 1));
}

#[test]
fn priority_and_state_follow_from_each_other() {
    assert_eq!(quiet("state MASTER\npriority 150").initial_state, InitialState::Master);
    assert_eq!(quiet("state MASTER").priority, 255);
    assert_eq!(quiet("priority 255").initial_state, InitialState::Master);
    assert_eq!(quiet("state BACKUP").priority, 100);
    let loaded = check_message(
        "priority 300",
        "(k.conf: Line 7) (V) Priority not valid! must be between 1 & 255. Using default 100",
        5,
    );
    assert_eq!(loaded.config.instances[0].priority, 100);
    assert!(loaded.verdict.runs);
    check_message("state SLAVE", "(k.conf: Line 7) (V) unknown state 'SLAVE', defaulting to BACKUP", 5);
}

#[test]
fn advert_intervals_are_rounded_to_what_the_version_can_say() {
    assert_eq!(quiet("advert_int 3").advert_interval, Duration::from_secs(3));
    assert_eq!(quiet("version 3\nadvert_int 0.25").advert_interval, Duration::from_millis(250));
    let loaded = check_message(
        "advert_int 0.5",
        "(V) VRRPv2 advertisement interval 0.500000s must be an integer. rounding",
        5,
    );
    assert_eq!(loaded.config.instances[0].advert_interval, Duration::from_secs(1));
    let loaded = check_message(
        "version 3\nadvert_int 100",
        "(V) VRRPv3 advertisement interval 100.00s is out of range. Must be less than 40.96s. Setting to 40.95s",
        5,
    );
    assert_eq!(loaded.config.instances[0].advert_interval, Duration::from_millis(40_950));
}

#[test]
fn passwords_are_cut_to_eight_bytes_and_never_shown() {
    let pass = |text: &str| {
        let mut bytes = [0; 8];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        AuthPass(bytes)
    };
    let auth = "authentication {\n auth_type PASS\n auth_pass 1234\n}";
    assert_eq!(quiet(auth).auth, Auth::Pass(pass("1234")));
    assert!(!format!("{:?}", quiet(auth)).contains("1234"));
    let loaded = check_message(
        "authentication {\n auth_type AH\n auth_pass supersecret\n}",
        "(k.conf: Line 9) Truncating auth_pass to 8 characters",
        5,
    );
    assert_eq!(loaded.config.instances[0].auth, Auth::Ah(pass("supersec")));
    check_message(
        "version 3\nauthentication {\n auth_type PASS\n auth_pass x\n}",
        "(V) VRRP version 3 does not support authentication. Ignoring.",
        5,
    );
    let cleared = check_message(
        "state MASTER\npriority 101\nauthentication {\n auth_type AH\n auth_pass x\n}",
        "(V) Initial state master is incompatible with AH authentication - clearing",
        5,
    );
    assert_eq!(cleared.config.instances[0].initial_state, InitialState::Backup);
}

#[test]
fn address_lines_keep_their_options() {
    let loaded = instance_with(
        "virtual_ipaddress_excluded {\n 10.1.0.1/16 brd + dev eth1 label eth1:v scope link no_track\n fe80::1/64 -nodad home\n 2001:db8::5\n 10.2.0.1 peer 10.2.0.2/30\n 10.3.0.1/24 brd -\n}",
    );
    let vips = &loaded.config.instances[0].excluded_vips;
    assert_eq!(vips[0].broadcast, Some([10, 1, 255, 255].into()));
    assert_eq!(
        (vips[0].dev.as_deref(), vips[0].label.as_deref(), vips[0].scope),
        (Some("eth1"), Some("eth1:v"), 253)
    );
    assert!(vips[0].no_track && vips[1].dad && vips[1].home);
    assert_eq!((vips[1].preferred_lft, vips[2].preferred_lft), (None, Some(0)));
    assert_eq!(
        messages(&loaded),
        [
            "(k.conf: Line 11) VRRP parsed invalid IP 10.2.0.2/30. skipping IP...",
            "(k.conf: Line 11) Invalid peer address 10.2.0.2/30"
        ]
    );
    assert_eq!(vips[4].broadcast, Some([10, 3, 0, 0].into()));
}

#[test]
fn addresses_are_of_one_family() {
    check_message(
        "virtual_ipaddress {\n fe80::2\n}",
        "(k.conf: Line 8) (V): address family must match VRRP instance [fe80::2] - ignoring",
        5,
    );
}

#[test]
fn the_first_ipv6_address_is_link_local() {
    let six = |lines: &str| {
        let text = format!(
            "vrrp_instance V {{\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {{\n 2001:db8::1/64\n}}\n{lines}\n}}\n"
        );
        let loaded = on(&Machine::default(), &text);
        messages(&loaded).join("\n")
    };
    assert!(six("").contains("the first IPv6 VIP address should be link local"));
    assert!(
        six("strict_mode yes").contains("the first IPv6 VIP address must be link local"),
        "{}",
        six("strict_mode yes")
    );
}

#[test]
fn scripts_resolve_and_carry_their_numbers() {
    let text = format!(
        "global_defs {{\n enable_script_security\n script_user root\n}}\nvrrp_script c {{\n script \"/usr/bin/killall -0 haproxy\"\n interval 2\n timeout 5\n weight -20\n rise 2\n fall 3\n init_fail\n}}\n{}",
        one_instance("track_script {\n c weight 30 reverse\n}")
    );
    let loaded = on(&Machine::default(), &text);
    assert_eq!(messages(&loaded), [""; 0]);
    let script = &loaded.config.scripts[0];
    assert_eq!(script.command.argv, ["/usr/bin/killall", "-0", "haproxy"]);
    assert_eq!((script.interval, script.timeout), (Duration::from_secs(2), Some(Duration::from_secs(5))));
    assert_eq!((script.weight, script.rise, script.fall, script.init_fail), (-20, 2, 3, true));
    assert_eq!(script.watches_process.as_ref().map(|watched| watched.name.as_str()), Some("haproxy"));
    assert_eq!(script.command.user, RunAs { uid: 0, gid: 0 });
    let tracked = loaded.config.instances[0].track_scripts[0];
    assert_eq!((tracked.script, tracked.weight, tracked.reverse), (ScriptIdx(0), 30, true));
}

#[test]
fn script_security_follows_keepalived() {
    let text = |head: &str| {
        format!(
            "{head}vrrp_script c {{\n script \"/opt/x/check.sh\"\n}}\n{}",
            one_instance("track_script {\n c\n}")
        )
    };
    let open = on(&Machine::default(), &text(""));
    assert_eq!(open.verdict, super::super::Verdict { exit_code: 6, runs: true });
    assert_eq!(
        messages(&open),
        ["SECURITY VIOLATION - scripts are being executed but script_security not enabled."]
    );
    let secure = "global_defs {\n enable_script_security\n script_user root\n}\n";
    assert_eq!(on(&Machine::default(), &text(secure)).verdict.exit_code, 0);

    let loose = Machine { loose_files: vec!["/opt/x"], ..Machine::default() };
    let refused = on(&loose, &text(secure));
    assert!(
        messages(&refused).contains(&"Unsafe permissions found for script '/opt/x/check.sh' - disabling.")
    );
    assert!(messages(&refused).contains(&"Disabling track script c due to insecure"));
    assert!(refused.config.scripts.is_empty() && refused.config.instances[0].track_scripts.is_empty());

    let gone = Machine { missing_files: vec!["/opt/x/check.sh"], ..Machine::default() };
    assert!(
        messages(&on(&gone, &text(secure))).contains(&"Disabling track script c since not found/accessible")
    );
    let plain = Machine { no_shebang: vec!["/opt/x/check.sh"], ..Machine::default() };
    assert_eq!(on(&plain, &text(secure)).config.scripts[0].command.mode, ExecMode::Shell);

    let nobody = Machine { script_user: false, ..Machine::default() };
    let text = text("global_defs {\n enable_script_security\n}\n");
    assert!(
        messages(&on(&nobody, &text))
            .contains(&"(k.conf: Line 6) Unable to set default user for vrrp script c - removing")
    );
}

#[test]
fn a_missing_parameter_ends_with_exit_code_2() {
    let loaded = check_message(
        "priority",
        "(k.conf: Line 7) *** Configuration line starting `priority` is missing a parameter after keyword `priority` at word position 2",
        2,
    );
    assert!(!loaded.verdict.runs);
    assert!(loaded.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Alert));
}

#[test]
fn what_keeps_vrrp_from_starting_is_an_alert() {
    for (text, expected) in [
        ("vrrp_instance V {\n interface eth0\n}\n", "(V) the virtual router id must be set"),
        ("vrrp_instance V {\n virtual_router_id 1\n}\n", "(V) Unknown interface!"),
        (
            "vrrp_instance V {\n version 3\n interface eth0\n virtual_router_id 1\n}\n",
            "(V) No VIP specified; at least one is required",
        ),
        (
            &format!("{}{}", one_instance(""), one_instance("").replace(" V ", " W ")),
            "V and W both use VRID 51 with IPv4 on interface eth0",
        ),
    ] {
        let loaded = on(&Machine::default(), text);
        let alert = loaded.diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Alert);
        assert_eq!(alert.map(|alert| alert.message.as_str()), Some(expected));
        assert!(!loaded.verdict.runs);
    }
    let absent = Machine { missing_interfaces: vec!["eth0"], ..Machine::default() };
    let loaded = on(&absent, &one_instance(""));
    assert_eq!(
        messages(&loaded),
        [
            "(k.conf: Line 2) WARNING - interface eth0 for vrrp_instance V doesn't exist",
            "Non-existent interface specified in configuration"
        ]
    );
    assert!(!loaded.verdict.runs);
    let dynamic = format!("global_defs {{\n dynamic_interfaces\n}}\n{}", one_instance(""));
    assert_eq!(on(&absent, &dynamic).verdict, super::super::Verdict { exit_code: 0, runs: true });
}

#[test]
fn numbers_are_strict_in_a_test_and_lenient_when_running() {
    let strict = instance_with("garp_master_delay 7x");
    assert_eq!(strict.config.instances[0].garp.master_delay, Duration::from_secs(5));
    assert!(messages(&strict)[0].ends_with("invalid number '7x'"));
    let running = on(&Machine { running: true, ..Machine::default() }, &one_instance("garp_master_delay 7x"));
    assert_eq!(running.config.instances[0].garp.master_delay, Duration::from_secs(7));
    assert_eq!(messages(&running), ["(k.conf: Line 7) WARNING - invalid number '7x'"]);
}

#[test]
fn sync_groups_join_instances_and_say_what_they_think_of_weights() {
    let two = format!(
        "{}{}",
        one_instance(""),
        one_instance("track_interface {\n eth1 weight 10\n}").replace(" V ", " W ").replace(" 51", " 52")
    );
    let loaded = on(
        &Machine::default(),
        &format!(
            "vrrp_sync_group G {{\n group {{\n V\n W\n nobody\n }}\n notify_master /bin/m.sh\n}}\n{two}"
        ),
    );
    assert_eq!(loaded.config.sync_groups[0].instances, [InstanceIdx(0), InstanceIdx(1)]);
    assert_eq!(loaded.config.instances[1].sync_group, Some(SyncGroupIdx(0)));
    // It says so, and counts it.
    assert_eq!(loaded.config.instances[1].track_interfaces[0].weight, 10);
    assert_eq!(
        messages(&loaded),
        [
            "SECURITY VIOLATION - scripts are being executed but script_security not enabled.",
            "Virtual router nobody specified in sync group G doesn't exist - ignoring",
            "(W) ignoring eth1 tracked interface weight due to SYNC group",
        ]
    );
}

#[test]
fn unicast_needs_peers() {
    let instance =
        quiet("unicast_src_ip 10.0.0.9\nunicast_peer {\n 10.0.0.8\n 10.0.0.7 min_ttl 254\n}\nunicast_ttl 64");
    let unicast = instance.unicast.expect("unicast");
    assert_eq!(unicast.peers.len(), 2);
    assert_eq!(unicast.peer_ttls, [(0, 255), (254, 255)]);
    assert!(unicast.check_src);
    assert_eq!(
        (instance.ttl, instance.mcast_group, instance.src_ip),
        (Some(64), None, Some([10, 0, 0, 9].into()))
    );
    let alone = instance_with("unicast_src_ip 10.0.0.9");
    assert!(messages(&alone)[0].contains("A unicast keyword has been specified without any unicast peers"));
    assert!(alone.config.instances[0].unicast.is_none());
}

#[test]
fn strict_mode_resets_what_the_rfc_forbids() {
    let loaded = on(
        &Machine::default(),
        &format!(
            "global_defs {{\n vrrp_strict\n vrrp_garp_lower_prio_repeat 3\n}}\n{}",
            one_instance("priority 90\nstate MASTER\ndown_timer_adverts 5")
        ),
    );
    let instance = &loaded.config.instances[0];
    assert_eq!(
        (instance.accept, instance.garp.lower_prio_repeat, instance.lower_prio_no_advert),
        (false, 0, true)
    );
    assert_eq!((instance.initial_state, instance.down_timer_adverts), (InitialState::Backup, 3));
    assert!(messages(&loaded).contains(&"(V) State MASTER must match being address owner"));
}

#[test]
fn routes_and_rules_are_typed() {
    let instance = instance_with(
        "virtual_routes {\n 10.9.0.0/16 via 10.0.0.254 dev eth0 metric 7 table main\n default via 10.0.0.253\n blackhole 10.8.0.0/16\n 10.7.0.0/16 nexthop via 10.0.0.2 weight 2 nexthop via 10.0.0.3\n}\nvirtual_rules {\n from 10.9.0.0/16 table 100 priority 20\n}",
    );
    assert_eq!(messages(&instance), [""; 0]);
    let routes = &instance.config.instances[0].routes;
    assert_eq!(routes[0].dst.map(|net| net.to_string()).as_deref(), Some("10.9.0.0/16"));
    assert_eq!(
        (routes[0].metric, routes[0].table, routes[0].dev.as_deref()),
        (Some(7), Some(254), Some("eth0"))
    );
    assert_eq!((routes[1].dst, routes[2].kind, routes[3].nexthops.len()), (None, RouteKind::Blackhole, 2));
    let rule = &instance.config.instances[0].rules[0];
    assert_eq!((rule.table, rule.priority), (Some(100), Some(20)));
    check_message(
        "virtual_routes {\n 10.0.0.0/8 via x\n}",
        "(k.conf: Line 8) invalid route via address x",
        5,
    );
}

#[test]
fn the_weight_trap_is_pointed_out() {
    let text = |weight: &str| {
        format!(
            "global_defs {{\n enable_script_security\n}}\nvrrp_script c {{\n script \"/bin/c.sh\"\n weight {weight}\n}}\n{}",
            one_instance("track_script {\n c\n}")
        )
    };
    let trapped = on(&Machine::default(), &text("2"));
    assert_eq!(trapped.verdict.exit_code, 0);
    let note = &trapped.diagnostics[0];
    assert_eq!(note.severity, Severity::Notice);
    assert_eq!(
        note.message,
        "(V) script c moves the priority between 100 and 102 only: a router that differs by more is never overtaken"
    );
    assert!(on(&Machine::default(), &text("-20")).diagnostics.is_empty());
}

#[test]
fn unfinished_things_say_so() {
    let loaded = on(
        &Machine::default(),
        &format!(
            "virtual_server 10.0.0.1 80 {{\n lb_kind DR\n lb_algo rr\n protocol TCP\n real_server 10.0.0.2 80 {{\n weight 1\n }}\n}}\n{}",
            one_instance("debug 1\n use_vmac")
        ),
    );
    assert_eq!(loaded.config.virtual_servers[0].real_servers, ["10.0.0.2 80"]);
    assert_eq!(
        messages(&loaded),
        [
            "(k.conf: Line 1) virtual servers (LVS) are not done yet: 1 virtual_server block(s) have no effect",
            "(k.conf: Line 15) 'debug' has no effect: keepalived has no use for it either",
            "use_vmac or no_accept/strict specified, but no firewall configured - using nftables",
        ]
    );
    assert_eq!(loaded.verdict.exit_code, 0);
}

#[test]
fn signed_adverts() {
    let hmac = |lines: &str| instance_with(&format!("auth_hmac {{\n{lines}\n}}"));
    let good = hmac(
        "key 7 file:/etc/keepalived/vrrp.key\nkey 8 abcdefghijklmnopqrstuvwxyz012345\nactive_key 7\nmode permissive",
    );
    let rule = good.config.instances[0].auth_hmac.clone().expect("taken");
    assert_eq!((rule.active, rule.mode), (7, HmacMode::Permissive));
    assert_eq!(rule.key(7).map(|key| key.secret.clone()), Some(vec![10; 32]));
    assert_eq!(rule.key(8).map(|key| key.secret.len()), Some(32));
    assert_eq!(rule.window, Some(Duration::from_secs(5)), "three intervals are less");
    let key = "key 1 abcdefghijklmnopqrstuvwxyz012345\nactive_key 1\n";
    let window =
        |lines: &str| hmac(&format!("{key}{lines}")).config.instances[0].auth_hmac.clone().map(|r| r.window);
    assert_eq!(window("time_window 60"), Some(Some(Duration::from_secs(60))));
    assert_eq!(window("anti_replay monotonic"), Some(None));
    // Where keepalived would run without, nobody's adverts are taken: the file is refused.
    for bad in ["", "key 1 short\nactive_key 1", "key 1 abcdefghijklmnopqrstuvwxyz012345\nactive_key 2"] {
        assert!(!hmac(bad).verdict.runs, "{bad}");
    }
    assert!(messages(&hmac(&format!("{key}mode lax"))).iter().any(|line| line.contains("must be enforce")));
}

#[test]
fn offline_turns_the_machine_s_gaps_into_notes() {
    let machine =
        Machine { missing_interfaces: vec!["eth0"], offline: true, script_user: false, ..Machine::default() };
    let text = format!(
        "vrrp_script c {{\n script \"/no/such.sh\"\n user ghost\n}}\n{}",
        one_instance("track_script {\n c\n}")
    );
    let loaded = on(&machine, &text);
    assert!(loaded.verdict.runs && loaded.verdict.exit_code == 0, "{:?}", messages(&loaded));
    assert!(loaded.diagnostics.iter().all(|diagnostic| diagnostic.severity == Severity::Notice));
    assert_eq!(loaded.config.scripts.len(), 1);
}

#[test]
fn a_message_is_shown_with_its_place_and_its_fix() {
    let loaded = instance_with("prioritty 90");
    assert_eq!(
        render(&loaded.diagnostics[0], &loaded.sources),
        "(k.conf: Line 7) Unknown keyword 'prioritty'\n    |\n  7 | prioritty 90\n    | ^^^^^^^^^\n  = help: did you mean 'priority'?\n"
    );
}

#[test]
fn global_settings_reach_the_instances() {
    let loaded = on(
        &Machine::default(),
        &format!(
            "{}global_defs {{\n vrrp_version 3\n vrrp_garp_master_repeat 2\n vrrp_garp_master_delay 1\n smtp_alert\n vrrp_mcast_group4 224.0.0.19\n notification_email {{ a@b c@d\n}}\n smtp_server 127.0.0.1 2525\n router_id r\n}}\n",
            one_instance("")
        ),
    );
    assert_eq!(messages(&loaded), [""; 0]);
    let (global, instance) = (&loaded.config.global, &loaded.config.instances[0]);
    assert_eq!(instance.version, Version::V3);
    assert_eq!((instance.garp.master_repeat, instance.garp.lower_prio_repeat), (2, 2));
    assert_eq!(instance.garp.lower_prio_delay, Duration::from_secs(1));
    assert!(instance.smtp_alert);
    assert_eq!(instance.mcast_group, Some([224, 0, 0, 19].into()));
    assert_eq!(global.notification_email, ["a@b", "c@d"]);
    assert_eq!(global.smtp_server.as_ref().and_then(|server| server.addr), "127.0.0.1:2525".parse().ok());
}

#[test]
fn the_life_of_addresses() {
    use crate::ir::vrrp::VipLifetime;
    let with = |line: &str| load("t.conf", format!("global_defs {{\n    {line}\n}}\n"), &Machine::default());
    assert_eq!(with("vip_lifetime off").config.global.vip_lifetime, VipLifetime::Off);
    assert_eq!(with("vip_lifetime 10").config.global.vip_lifetime, VipLifetime::Seconds(10));
    assert_eq!(with("vip_lifetime auto").config.global.vip_lifetime, VipLifetime::Auto);
    let wrong = with("vip_lifetime 1");
    assert_eq!(wrong.config.global.vip_lifetime, VipLifetime::Auto);
    assert!(messages(&wrong).iter().any(|m| m.contains("vip_lifetime '1' is invalid")), "{wrong:?}");
}

#[test]
fn what_is_tracked_of_the_proxy() {
    use crate::ir::vrrp::TrackedBackend;
    let with = |block: &str, lines: &str| {
        let text = format!(
            "track_proxy web {{\n{block}\n}}\n{}",
            one_instance(&format!("track_proxy {{\n{lines}\n}}"))
        );
        load("t.conf", text, &Machine::default())
    };
    let loaded = with(
        "frontend www api\n frontend admin\n backend app min_servers 2\n backend db\n weight -30",
        "web",
    );
    assert_eq!(messages(&loaded), [""; 0]);
    let proxy = &loaded.config.track_proxies[0];
    assert_eq!(proxy.frontends, ["www", "api", "admin"]);
    let backend = |name: &str, min_servers| TrackedBackend { name: name.into(), min_servers };
    assert_eq!(proxy.backends, [backend("app", 2), backend("db", 1)]);
    let tracked = loaded.config.instances[0].track_proxies[0];
    assert_eq!((tracked.weight, tracked.reverse), (-30, false));
    let own = with("", "web weight 10 reverse").config.instances[0].track_proxies[0];
    assert_eq!((own.weight, own.reverse), (10, true));
    for (block, lines, said) in [
        ("", "wbe", "track proxy wbe not found"),
        ("", "web weight 300", "must be in [-254..254]"),
        ("frontend", "web", "Missing"),
        ("backend app 2", "web", "unknown backend option 2"),
        ("backend app min_servers 0", "web", "min_servers must be between 1 and 65535"),
        ("backend app\n backend app", "web", "backend app is there already"),
        ("servers 2", "web", "servers"),
        // Told, not judged: servers that fail everywhere would leave nobody.
        ("backend app", "web", "its failure is FAULT"),
    ] {
        let loaded = with(block, lines);
        assert!(
            messages(&loaded).iter().any(|m| m.to_lowercase().contains(&said.to_lowercase())),
            "{said}: {:?}",
            messages(&loaded)
        );
    }
    // Weights do not count in a group.
    let text = format!(
        "track_proxy web {{\n weight -30\n}}\nvrrp_sync_group G {{\n group {{\n V\n }}\n track_proxy {{\n web weight 0\n }}\n}}\n{}",
        one_instance("track_proxy {\n web\n}")
    );
    let loaded = load("t.conf", text, &Machine::default());
    assert!(messages(&loaded).iter().any(|m| m.contains("ignoring tracked proxy web with weights")));
    assert_eq!(loaded.config.instances[0].track_proxies, []);
    assert_eq!(loaded.config.sync_groups[0].track_proxies[0].weight, 0);
}
