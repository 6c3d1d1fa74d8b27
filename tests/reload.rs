//! Master and workers: reloads that lose nothing, sockets handed from process to process, also to and from HAProxy.

use std::process::Command;
use std::time::Duration;

use crate::lab::{Config, Connection, Host, Lab, Load, Part, Process, Program, Signal, get, proxy, wait_for};

const SECOND: Duration = Duration::from_secs(1);
const SITE: &str = "127.0.0.1:8001";

/// A site that says `WORD`, and one that answers late.
fn config(word: &str) -> String {
    format!(
        "global\n stats socket /run/h.sock level admin expose-fd listeners\n nbthread 2\n\
         defaults\n mode http\n timeout connect 1s\n timeout client 20s\n timeout server 20s\n timeout tarpit 2s\n\
         frontend fe\n bind {SITE}\n http-request tarpit if {{ path /late }}\n \
         http-request return status 200 content-type text/plain string {word}\n"
    )
}

fn master(host: &Host, program: &Program, config: &Config, mode: &str) -> Process {
    let mut command = program.command();
    command.args([mode, "-S", "/run/master.sock", "-p", "/run/h.pid", "-f"]).arg(config.path());
    host.spawn(command)
}

fn ask(host: &Host, socket: &str, command: &str) -> String {
    host.sh(&format!("echo '{command}' | socat -t20 stdio UNIX-CONNECT:{socket}"))
}

fn says(host: &Host, word: &str) {
    wait_for(&format!("the site to say {word}"), 10 * SECOND, || {
        get(host, SITE, "/").is_ok_and(|answer| answer.text() == word).then_some(())
    });
}

/// Process numbers of the workers of a section of `show proc`.
fn workers(host: &Host, section: &str) -> Vec<String> {
    let text = ask(host, "/run/master.sock", "show proc");
    let lines = text.lines().skip_while(|line| *line != section).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn reloads_lose_nothing_and_a_broken_file_changes_nothing() {
    let Some(lab) = Lab::open(&[Part::Program("socat")]) else { return };
    let host = lab.host("one");
    let file = Config::written(&host, "h.cfg", &config("one"));
    let mut master = master(&host, &proxy(), &file, "-W");
    says(&host, "one");
    let first = workers(&host, "# workers");
    assert_eq!(first.len(), 1);
    assert!(ask(&host, "/run/master.sock", "@1 show info").contains(&format!("\nPid: {}\n", first[0])));

    // A request that is under way when its worker is replaced.
    let mut slow = Connection::open(&host, SITE).unwrap();
    slow.send("GET /late HTTP/1.1\r\nHost: lab\r\n\r\n").unwrap();
    let load = Load::one_by_one(Duration::ZERO, &host, SITE, 5 * SECOND);
    for word in ["two", "three"] {
        Config::written(&host, "h.cfg", &config(word));
        let answer = ask(&host, "/run/master.sock", "reload");
        assert!(answer.starts_with("Success=1\n--\n"), "{answer}");
        says(&host, word);
    }
    Config::written(&host, "h.cfg", &config("four"));
    master.signal(Signal::SIGUSR2);
    says(&host, "four");
    assert_eq!(slow.receive().unwrap().status, 500, "the old worker finishes what it began");

    Config::written(&host, "h.cfg", "global\n nonsense\n");
    let answer = ask(&host, "/run/master.sock", "reload");
    assert!(answer.starts_with("Success=0\n--\n") && answer.contains("nonsense"), "{answer}");
    says(&host, "four");

    let report = load.finish();
    assert!(report.lost().is_empty(), "lost: {:?}", report.lost());
    assert!(report.samples.len() > 50, "{}", report.summary());
    wait_for("the old workers to end", 10 * SECOND, || {
        workers(&host, "# old workers").is_empty().then_some(())
    });
    let now = workers(&host, "# workers");
    assert!(now.len() == 1 && now != first);

    assert_eq!(master.stop().code(), Some(143));
    assert!(!host.reaches(SITE));
}

#[test]
fn a_worker_that_dies_ends_the_master_with_it() {
    let Some(lab) = Lab::open(&[Part::Program("socat")]) else { return };
    let host = lab.host("one");
    let file = Config::written(&host, "h.cfg", &config("one"));
    let mut dies = master(&host, &proxy(), &file, "-W");
    says(&host, "one");
    host.sh(&format!("kill -9 {}", workers(&host, "# workers")[0]));
    assert_eq!(dies.ended(10 * SECOND).code(), Some(137));
    dies.wait_log("exit-on-failure", SECOND);

    let text = config("one").replace("nbthread", "master-worker no-exit-on-failure\n nbthread");
    let file = Config::written(&host, "h.cfg", &text);
    let mut lives = master(&host, &proxy(), &file, "-W");
    says(&host, "one");
    let first = workers(&host, "# workers");
    host.sh(&format!("kill -9 {}", first[0]));
    wait_for("another worker", 10 * SECOND, || {
        let now = workers(&host, "# workers");
        (now.len() == 1 && now != first).then_some(())
    });
    says(&host, "one");
    // A worker does not outlive its master.
    lives.kill();
    wait_for("the worker to end", 10 * SECOND, || (!host.reaches(SITE)).then_some(()));
}

#[test]
fn systemd_hears_of_every_reload() {
    let Some(lab) = Lab::open(&[Part::Program("socat")]) else { return };
    let host = lab.host("one");
    let mut listener = Command::new("socat");
    listener.args(["-u", "UNIX-RECV:/run/notify", "-"]);
    let heard = host.spawn(listener);
    wait_for("the notify socket", 5 * SECOND, || {
        host.try_sh("test -S /run/notify").status.success().then_some(())
    });
    let file = Config::written(&host, "h.cfg", &config("one"));
    let mut command = proxy().command();
    command.args(["-Ws", "-f"]).arg(file.path()).env("NOTIFY_SOCKET", "/run/notify");
    let mut master = host.spawn(command);
    heard.wait_log("READY=1", 10 * SECOND);
    says(&host, "one");
    master.signal(Signal::SIGUSR2);
    heard.wait_log("RELOADING=1", 10 * SECOND);
    heard.wait_log_times("READY=1", 2, 10 * SECOND);
    assert_eq!(master.stop().code(), Some(143));
    heard.wait_log("STOPPING=1", 5 * SECOND);
}

/// `next` takes the sockets of `before` over; no connection is lost.
fn handed_over(host: &Host, before: &Program, next: &Program) {
    let run = |program: &Program, name: &str, more: &[&str]| {
        let file = Config::written(host, &format!("{name}.cfg"), &config(name));
        let mut command = program.command();
        command.args(["-db", "-f"]).arg(file.path()).args(more);
        host.spawn(command)
    };
    let mut old = run(before, "old", &[]);
    says(host, "old");
    let pid = host.sh("echo show info | socat stdio UNIX-CONNECT:/run/h.sock | sed -n 's/^Pid: //p'");
    let loads = [(); 4].map(|()| Load::one_by_one(Duration::ZERO, host, SITE, 5 * SECOND));
    let mut new = run(next, "new", &["-x", "/run/h.sock", "-sf", pid.trim()]);
    says(host, "new");
    assert!(old.ended(10 * SECOND).success());
    for load in loads {
        let report = load.finish();
        assert!(report.lost().is_empty(), "lost: {:?}", report.lost());
        assert!(report.said("old") > 0 && report.said("new") > 0);
    }
    new.stop();
}

#[test]
fn sockets_pass_from_haproxy_to_us_and_back() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let reference = Program::reference("haproxy");
    handed_over(&lab.host("here"), &reference, &proxy());
    // Each of our threads listens on a socket of its own, and HAProxy goes on with one of them.
    handed_over(&lab.host("there"), &proxy(), &reference);
    handed_over(&lab.host("ours"), &proxy(), &proxy());
}
