//! What the daemon does again and again, or around reloads: restoring, repeated announcements, polled links, files for
//! those who change the configuration.

use std::time::{Duration, Instant};

use crate::lab::{Config, Host, Lab, Signal, eventually, keepalived};
use crate::vrrp_process::{CONFIG, Pair, SECOND, VIP};

/// The usual instance with more lines for the file and for itself.
fn written(host: &Host, global: &str, own: &str) -> Config {
    let text = CONFIG.replace("PRIORITY", "100").replace("    version 3\n", &format!("    version 3\n{own}"));
    Config::written(host, "keepalived.conf", &format!("{global}\n{text}"))
}

#[test]
fn what_others_remove_is_back_within_50_ms_on_a_machine_with_time() {
    const ROUNDS: usize = 10;
    const BOUND: Duration = Duration::from_millis(50);
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let own = "    virtual_routes {\n        10.99.0.0/16 via 10.78.0.1 dev eth0\n    }\n    \
               virtual_rules {\n        from 10.98.0.0/16 lookup 98 preference 980\n    }\n";
    let one = pair.one.keepalived(&keepalived(), &written(&pair.one, "", own));
    let shows = |what: &str, part: &str| pair.one.sh(what).contains(part);
    let cases = [
        ("address", "ip addr del 10.78.0.100/24 dev eth0", "ip addr show dev eth0", VIP),
        ("route", "ip route del 10.99.0.0/16", "ip route show", "10.99.0.0/16"),
        ("rule", "ip rule del preference 980", "ip rule show", "980:"),
    ];
    for (what, remove, show, part) in cases {
        eventually(what, 5 * SECOND, || shows(show, part));
        let mut times: Vec<Duration> = (0..ROUNDS)
            .map(|_| {
                pair.one.sh(remove);
                let removed = Instant::now();
                while !shows(show, part) {
                    assert!(removed.elapsed() < 5 * SECOND, "the {what} did not come back: {:#?}", one.log());
                }
                removed.elapsed()
            })
            .collect();
        times.sort();
        println!("{what} restored after {:?} at best, {:?} as a rule", times[0], times[ROUNDS / 2]);
        // A machine that does other things may be late; one that looks for what is missing now and then always is.
        assert!(times[0] < BOUND, "{what}: {times:?}");
    }
    one.wait_log("10.78.0.100 was removed by somebody else - restoring it", SECOND);
    assert_eq!(one.count("Entering MASTER STATE"), 1);
}

#[test]
fn whoever_changes_the_file_knows_when_it_was_read_and_may_say_when_it_will_be() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let dir = pair.one.dir().to_owned();
    let file = |name: &str| dir.join(name);
    let global = format!(
        "global_defs {{\n    reload_file {}\n    reload_time_file {}\n    config_save_dir {}\n}}",
        file("reading").display(),
        file("when").display(),
        file("saved").display()
    );
    let config = written(&pair.one, &global, "");
    let mut command = keepalived().command();
    command.args(["-n", "-l", "-D", "-f"]).arg(config.path()).env("TMPDIR", &dir);
    let one = pair.one.spawn(command);
    eventually("the address", 5 * SECOND, || pair.one.has_address(VIP));

    one.signal(Signal::SIGUSR1);
    let told = |name: &str| std::fs::read_to_string(file(name)).unwrap_or_default();
    eventually("both dumps", 5 * SECOND, || {
        told("keepalived_parent.data").starts_with("------< Global definitions >------\n")
            && told("keepalived.data").contains("VRRP Instance = VI_1")
    });

    std::fs::write(file("reading"), "changed by a script").unwrap();
    one.signal(Signal::SIGHUP);
    one.wait_log("Reload complete", 5 * SECOND);
    eventually("the end of reading", 5 * SECOND, || !file("reading").exists());
    let saved = || {
        let names =
            std::fs::read_dir(file("saved")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.starts_with("keepalived_vrrp.")).collect();
        names.sort();
        names
    };
    assert!(
        saved().len() == 2 && saved()[0].ends_with(".1.post") && saved()[1].ends_with(".1.pre"),
        "{:?}",
        saved()
    );

    // Where it does not load nobody waits for good either.
    Config::written(&pair.one, "keepalived.conf", "vrrp_instance VI_1 {\n    interface eth0\n}\n");
    std::fs::write(file("reading"), "changed by a script").unwrap();
    one.signal(Signal::SIGHUP);
    one.wait_log("Reload refused", 5 * SECOND);
    eventually("the end of reading", 5 * SECOND, || !file("reading").exists());
    written(&pair.one, &global, "");

    pair.one.sh(&format!("date -d '+2 seconds' +%T > {}", file("when").display()));
    one.wait_log("Scheduling reload for", 5 * SECOND);
    one.wait_log_times("Reload complete", 2, 10 * SECOND);
    eventually("the file to go", SECOND, || !file("when").exists());
    std::fs::write(file("when"), "half past nine\n").unwrap();
    one.wait_log("Invalid reload time 'half past nine' specified", 5 * SECOND);
    assert_eq!(one.count("Entering MASTER STATE"), 1);
}

#[test]
fn further_interfaces_are_announced_on_and_links_are_polled() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    pair.one.sh("ip link add eth1 type veth peer name far && ip link set far up && ip link set eth1 up && \
         ip addr add 10.79.0.1/24 dev eth1");
    let own =
        "    garp_master_delay 1\n    garp_extra_if all 1\n    track_interface {\n        eth1\n    }\n";
    let global = "linkbeat_interfaces {\n    eth1\n}";
    let config = written(&pair.one, global, own);
    let text = config.text().replace("10.78.0.100/24\n", "10.78.0.100/24\n        10.79.0.101/24 dev eth1\n");
    let config = Config::written(&pair.one, "keepalived.conf", &text);
    let one = pair.one.keepalived(&keepalived(), &config);
    // Two bursts of five are everybody's; then come those of the other interface.
    one.wait_log_times("Sending gratuitous ARP on eth1 for 10.79.0.101", 13, 15 * SECOND);
    assert_eq!(one.count("Sending gratuitous ARP on eth0 for 10.78.0.100"), 10, "{:#?}", one.log());
    pair.one.sh("ip link set far down");
    one.wait_log("Polled interface eth1 has no link", 5 * SECOND);
    eventually("the address to go", 5 * SECOND, || !pair.one.has_address(VIP));
    pair.one.sh("ip link set far up");
    one.wait_log("Polled interface eth1 has a link", 5 * SECOND);
    eventually("the address", 5 * SECOND, || pair.one.has_address(VIP));
}
