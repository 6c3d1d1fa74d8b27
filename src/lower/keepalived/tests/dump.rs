//! The same files, run by the real keepalived, whose state dump (SIGUSR1) must show the values we resolved.
//!
//! It runs in network and mount namespaces of its own: interfaces that are not ours, a `/tmp` and `/run` nobody else sees.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::super::{Loaded, load};
use super::differential::keepalived;
use super::fixtures::files;
use super::machine::Machine;
use crate::ir::vrrp::{Auth, Instance, Script, Version, Vip};

/// Reads the file from standard input; the arguments are the interfaces it needs. Waits for the dump, not for a time.
const SCRIPT: &str = r#"
mount -t tmpfs none /tmp && mount -t tmpfs none /run && ip link set lo up || exit 77
n=0
for name in "$@"; do
    n=$((n + 1))
    ip link add "$name" type veth peer name "peer$n" && ip link set "peer$n" up && ip link set "$name" up || exit 77
    ip addr add "10.99.$n.1/24" dev "$name"
done
cat > /tmp/k.conf
keepalived -n -l -P -f /tmp/k.conf -p /tmp/parent.pid -r /tmp/vrrp.pid > /tmp/log 2>&1 &
parent=$!
wait_for() { tries=0; until eval "$1"; do tries=$((tries + 1)); [ $tries -gt 200 ] && return 1; sleep 0.05; done; }
wait_for 'grep -q "Startup complete" /tmp/log' && kill -USR1 $parent && wait_for 'grep -q "Interfaces >" /tmp/keepalived.data 2>/dev/null'
cat /tmp/keepalived.data || cat /tmp/log >&2
kill $parent; wait $parent
"#;

/// The dump, or `None` if this machine cannot make one.
fn dump(text: &[u8], interfaces: &[String]) -> Option<String> {
    let mut child = Command::new("unshare")
        .args(["-m", "-n", "sh", "-c", SCRIPT, "sh"])
        .args(interfaces)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let written = child.stdin.take().is_some_and(|mut stdin| stdin.write_all(text).is_ok());
    let output = child.wait_with_output().ok()?;
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let usable = written && out.contains("VRRP Topology");
    if !usable {
        println!("no dump: {}", String::from_utf8_lossy(&output.stderr));
    }
    usable.then_some(out)
}

fn on(flag: bool) -> &'static str {
    if flag { "enabled" } else { "disabled" }
}

/// A virtual address as the dump shows it.
fn vip(vip: &Vip, instance: &Instance) -> String {
    let mut line = vip.addr.to_string();
    let longest = if vip.addr.is_ipv6() { 128 } else { 32 };
    if vip.prefix_len != longest {
        let _ = write!(line, "/{}", vip.prefix_len);
    }
    if let Some(brd) = vip.broadcast {
        let _ = write!(line, " brd {brd}");
    }
    let dev = vip.dev.as_ref().or(instance.interface.as_ref()).map_or("?", String::as_str);
    let scope = if vip.scope == 253 { "link" } else { "global" };
    let _ = write!(line, " dev {dev} scope {scope}");
    if let Some(label) = &vip.label {
        let _ = write!(line, " label {label}");
    }
    line
}

/// Lines of the dump that follow from an instance.
fn instance_lines(instance: &Instance, loaded: &Loaded) -> Vec<String> {
    let garp = &instance.garp;
    let interval = match instance.version {
        Version::V2 => format!("{} sec", instance.advert_interval.as_secs()),
        Version::V3 => format!("{} milli-sec", instance.advert_interval.as_millis()),
    };
    let mut lines = vec![
        format!("VRRP Version = {}", if instance.version == Version::V2 { 2 } else { 3 }),
        format!("Virtual Router ID = {}", instance.vrid),
        format!("Priority = {}", instance.priority),
        format!("Advert interval = {interval}"),
        format!("Interface = {}", instance.interface.as_deref().unwrap_or("?")),
        format!("Gratuitous ARP delay = {}", garp.master_delay.as_secs()),
        format!("Gratuitous ARP repeat = {}", garp.master_repeat),
        format!("Gratuitous ARP refresh = {}", garp.master_refresh.as_secs()),
        format!("Gratuitous ARP refresh repeat = {}", garp.master_refresh_repeat),
        format!("Gratuitous ARP lower priority delay = {}", garp.lower_prio_delay.as_secs()),
        format!("Gratuitous ARP lower priority repeat = {}", garp.lower_prio_repeat),
        format!("Down timer adverts = {}", instance.down_timer_adverts),
        format!("Send advert after receive lower priority advert = {}", !instance.lower_prio_no_advert),
        format!("Send advert after receive higher priority advert = {}", instance.higher_prio_send_advert),
        format!("Accept = {}", on(instance.accept)),
        format!("Preempt = {}", on(instance.preempt)),
        format!("Virtual IP ({}):", instance.vips.len()),
        format!("Using smtp notification = {}", if instance.smtp_alert { "yes" } else { "no" }),
        format!("Notify priority changes = {}", instance.notify.priority_changes),
    ];
    if !instance.preempt_delay.is_zero() {
        lines.push(format!("Preempt delay = {} secs", instance.preempt_delay.as_secs()));
    }
    if instance.version == Version::V2 {
        lines.push(format!(
            "Authentication type = {}",
            match instance.auth {
                Auth::None => "none",
                Auth::Pass(_) => "SIMPLE_PASSWORD",
                Auth::Ah(_) => "IPSEC_AH",
            }
        ));
    }
    lines.extend(instance.vips.iter().chain(&instance.excluded_vips).map(|address| vip(address, instance)));
    if let Some(unicast) = &instance.unicast {
        let peers = unicast.peers.iter().zip(&unicast.peer_ttls);
        lines.extend(peers.map(|(peer, (least, most))| format!("{peer} min_ttl {least} max_ttl {most}")));
    } else if let Some(group) = instance.mcast_group {
        lines.push(format!("Multicast address {group}"));
    }
    let reverse = |reverse: bool| if reverse { " reverse" } else { "" };
    for tracked in &instance.track_scripts {
        let name = &loaded.config.script(tracked.script).name;
        lines.push(format!("{name} weight {}{}", tracked.weight, reverse(tracked.reverse)));
    }
    for tracked in &instance.track_interfaces {
        lines.push(format!("{} weight {}{}", tracked.name, tracked.weight, reverse(tracked.reverse)));
    }
    for tracked in &instance.track_files {
        let name = &loaded.config.track_files[tracked.file.0 as usize].name;
        lines.push(format!("{name}, weight {}{}", tracked.weight, reverse(tracked.reverse)));
    }
    lines
}

fn script_lines(script: &Script) -> Vec<String> {
    let last = |words: &[String]| words.iter().skip(1).map(|word| format!(" '{word}'")).collect::<String>();
    vec![
        format!(
            "{}'{}",
            script.command.argv[0].rsplit('/').next().unwrap_or("?"),
            last(&script.command.argv)
        ),
        format!("Interval = {} sec", script.interval.as_secs()),
        format!("Timeout = {} sec", script.timeout.map_or(0, |time| time.as_secs())),
        format!("Weight = {}", script.weight),
        format!("Rise = {}", script.rise),
        format!("Fall = {}", script.fall),
        format!("Script uid:gid = {}:{}", script.command.user.uid, script.command.user.gid),
    ]
}

/// Whether a line of the dump says this, perhaps with more behind it; of a command only its path may differ.
fn shows(shown: &str, line: &str) -> bool {
    let rest = shown.strip_prefix(line);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ',']))
        || (shown.starts_with("Command") && shown.ends_with(line))
}

/// The block of a dump that starts with this line.
fn block<'d>(dump: &'d str, head: &str) -> &'d str {
    let start = dump.find(head).unwrap_or_else(|| panic!("'{head}' is not in the dump"));
    let rest = &dump[start..];
    let kind = head.split(" = ").next().unwrap_or(head);
    let next = rest[head.len()..].find(kind).map_or(rest.len(), |at| at + head.len());
    let section = rest.find("\n------<").unwrap_or(rest.len());
    &rest[..next.min(section)]
}

#[test]
fn the_real_program_means_the_same() {
    let required = std::env::var_os("TANDEM_REQUIRE_LAB").is_some_and(|value| value == "1");
    if keepalived().is_none() || !nix::unistd::geteuid().is_root() {
        assert!(!required, "keepalived and root are needed");
        println!("skipped: keepalived and root are needed");
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    let mut compared = 0;
    for folder in ["compat-fixtures/keepalived/ok", "../shared/demos"] {
        for file in files(&root.join(folder), |name| name.contains("keepalived") || folder.ends_with("ok")) {
            let text = std::fs::read(&file).expect("readable");
            // The users of a bare machine: scripts without a user run as root.
            let machine = Machine { script_user: false, ..Machine::default() };
            let loaded = load("k.conf", text.as_slice(), &machine);
            if loaded.config.instances.is_empty() {
                // Without a router the real one has nothing to run.
                continue;
            }
            let mut interfaces: Vec<String> =
                loaded.config.instances.iter().filter_map(|one| one.interface.clone()).collect();
            interfaces.sort();
            interfaces.dedup();
            let Some(dump) = dump(&text, &interfaces) else {
                assert!(!required, "{}: no dump", file.display());
                println!("skipped: {} could not be run here", file.display());
                continue;
            };
            let mut check = |head: String, lines: Vec<String>| {
                let block = block(&dump, &head);
                for line in lines {
                    compared += 1;
                    if !block.lines().any(|shown| shows(shown.trim(), &line)) {
                        wrong.push(format!("{}: {head}: no '{line}'", file.display()));
                    }
                }
            };
            for instance in &loaded.config.instances {
                check(format!("VRRP Instance = {}", instance.name), instance_lines(instance, &loaded));
            }
            for script in &loaded.config.scripts {
                check(format!("VRRP Script = {}", script.name), script_lines(script));
            }
        }
    }
    println!("{compared} values compared, {} differ", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
