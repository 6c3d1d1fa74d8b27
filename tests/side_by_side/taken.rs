//! Listening sockets that a new process is handed by the one before it: which it takes, and which it binds anew because the
//! new file wants them otherwise, beside HAProxy.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::lab::{Config, Host, Lab, Part, Process, Program, beside, proxy, wait_for};

/// Options of `bind` on an IPv6 address: each becomes each.
const SIX: [&str; 7] =
    ["", "v4v6", "v6only", "v4v6 v6only", "v6only v4v6", "transparent", "transparent v6only"];

/// The same on an IPv4 address.
const FOUR: [&str; 7] = ["", "transparent", "mss 900", "defer-accept", "tcp-ut 3s", "tfo", "interface lo"];

/// Port, address, and options before and after.
fn binds() -> Vec<(usize, &'static str, &'static str, &'static str)> {
    let pairs = |address, options: [&'static str; 7]| {
        let all = options.into_iter().flat_map(move |before| options.map(|after| (address, before, after)));
        all.collect::<Vec<_>>()
    };
    let all = [pairs("[::]", SIX), pairs("127.0.0.1", FOUR)].concat().into_iter().enumerate();
    all.map(|(at, (address, before, after))| (12000 + at, address, before, after)).collect()
}

/// Starts a process that listens as before, or takes the sockets of that one over.
fn start(host: &Host, program: &Program, is_new: bool) -> Process {
    let (name, old) = if is_new { ("new", "/run/old.sock") } else { ("old", "") };
    let mut text = format!(
        "global\n    stats socket /run/{name}.sock level admin expose-fd listeners\n    nbthread 1\ndefaults\n    mode http\n    \
         timeout client 10s\n    timeout server 10s\n    timeout connect 10s\n"
    );
    for (port, address, before, after) in binds() {
        let options = if is_new { after } else { before };
        text += &format!(
            "frontend f{port}\n    bind {address}:{port} {options}\n    http-request return status 200\n"
        );
    }
    let mut command = program.command();
    command.arg("-f").arg(Config::written(host, &format!("{name}.cfg"), &text).path());
    if is_new {
        command.args(["-x", old]);
    }
    let process = host.spawn(command);
    host.wait_told(&format!("/run/{name}.sock"));
    process
}

/// Port to the inodes of the sockets that listen there.
fn inodes(host: &Host) -> BTreeMap<usize, Vec<String>> {
    let mut found: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for line in host.sh("ss -Htlne").lines() {
        let port = line.split_whitespace().nth(3).and_then(|local| local.rsplit(':').next()?.parse().ok());
        let inode = line.split_whitespace().find(|word| word.starts_with("ino:"));
        if let (Some(port), Some(inode)) = (port, inode) {
            found.entry(port).or_default().push(inode.to_owned());
        }
    }
    found
}

/// For each port, whether its socket is that of the process before, and whether IPv4 clients come in.
fn observe(lab: &Lab, name: &str, program: &Program) -> Vec<(bool, bool)> {
    let host = lab.host(name);
    host.sh("sysctl -qw net.ipv4.tcp_fastopen=3");
    let mut old = start(&host, program, false);
    let before = inodes(&host);
    let _new = start(&host, program, true);
    old.kill();
    let after = wait_for("the old process to be gone", Duration::from_secs(20), || {
        let all = inodes(&host);
        all.values().all(|inodes| inodes.len() == 1).then_some(all)
    });
    let each = binds()
        .into_iter()
        .map(|(port, ..)| (before[&port] == after[&port], host.reaches(&format!("127.0.0.1:{port}"))));
    each.collect()
}

#[test]
fn sockets_are_taken_over_where_haproxy_takes_them() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| observe(&lab, name, program));
    let taken = theirs.iter().filter(|(taken, _)| *taken).count();
    assert!(taken > 40 && taken + 40 < theirs.len(), "{taken} of {} are taken", theirs.len());
    let differs =
        binds().into_iter().zip(ours.iter().zip(&theirs)).filter(|(_, (ours, theirs))| ours != theirs);
    let wrong: Vec<String> = differs
        .map(|((_, address, before, after), (ours, theirs))| {
            format!("{address} {before:?} becomes {after:?}: {ours:?} instead of {theirs:?}")
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), theirs.len(), wrong.join("\n"));
}
