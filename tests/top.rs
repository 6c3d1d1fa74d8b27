//! `tandem top` on a terminal, as an operator sees it over ssh: through tmux.

use std::time::Duration;

use crate::lab::{Config, Lab, Nginx, Part, get, proxy, show_stat, wait_for};

const CONFIG: &str = "\
global
    stats socket /run/top.sock level admin
    node left
defaults
    mode http
    timeout connect 500ms
    timeout client 5s
    timeout server 5s
frontend fe
    bind 127.0.0.1:8002
    default_backend be
backend be
    server s1 127.0.0.1:8091
    server s2 127.0.0.1:8091
";

const SOON: Duration = Duration::from_secs(20);

#[test]
fn an_operator_drains_a_server_and_sets_a_weight_through_a_terminal() {
    let needs = [Part::Program("nginx"), Part::Program("tmux"), Part::Program("socat")];
    let Some(lab) = Lab::open(&needs) else { return };
    let host = lab.host("top");
    let _nginx = Nginx::with(&host, 8091, "location / { return 200 'hello\\n'; }");
    let _proxy = host.haproxy(&proxy(), &Config::written(&host, "top.cfg", CONFIG));
    wait_for("the proxy", SOON, || get(&host, "127.0.0.1:8002", "/").ok());
    let tmux = |line: &str| host.sh(&format!("tmux -L top {line}"));
    // The second node is not there: the screen says so and shows the first.
    let program = env!("CARGO_BIN_EXE_tandem");
    tmux(&format!("-f /dev/null new-session -d -x 150 -y 30 '{program} top /run/top.sock /run/other.sock'"));
    let screen = || String::from_utf8_lossy(&host.try_sh("tmux -L top capture-pane -p").stdout).into_owned();
    let shows = |parts: &[&str]| {
        let mut last = String::new();
        for _ in 0..200 {
            last = screen();
            if parts.iter().all(|part| last.contains(part)) {
                return last;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{parts:?} is not on the screen:\n{last}");
    };
    let first = shows(&["left", "/run/top.sock", "/run/other.sock", "be", "s1", "s2", "no check"]);
    assert!(
        first.lines().any(|line| line.contains("s1") && line.contains("ms") | line.contains("us")),
        "{first}"
    );

    // The frontend, then the servers, then the backend.
    tmux("send-keys Down d");
    shows(&["Drain be/s1"]);
    tmux("send-keys n");
    shows(&["Nothing was changed"]);
    tmux("send-keys d y");
    wait_for("the drain", SOON, || {
        show_stat(&host, "/run/top.sock").status("be", "s1").starts_with("DRAIN").then_some(())
    });
    shows(&["DRAIN"]);
    tmux("send-keys Down w 7 Enter y");
    wait_for("the weight", SOON, || {
        (show_stat(&host, "/run/top.sock").cell("be", "s2", "weight") == "7").then_some(())
    });
    shows(&["weight 7: done"]);
    tmux("send-keys / s 2 Enter");
    let filtered = shows(&["[/s2]"]);
    assert!(filtered.contains("s2") && !filtered.contains(" s1 "), "{filtered}");
    tmux("send-keys q");
    wait_for("the end", SOON, || (!host.try_sh("tmux -L top has-session").status.success()).then_some(()));
}

#[test]
fn hatop_shows_the_servers_and_disables_one() {
    let Some(lab) = Lab::open(&[Part::Program("hatop"), Part::Program("tmux"), Part::Program("socat")])
    else {
        return;
    };
    let host = lab.host("hatop");
    let _proxy = host.haproxy(&proxy(), &Config::written(&host, "top.cfg", CONFIG));
    wait_for("the proxy", SOON, || get(&host, "127.0.0.1:8002", "/").ok());
    let tmux = |line: &str| host.sh(&format!("tmux -L hatop {line}"));
    tmux("-f /dev/null new-session -d -x 160 -y 40 'hatop -s /run/top.sock'");
    let screen =
        || String::from_utf8_lossy(&host.try_sh("tmux -L hatop capture-pane -p").stdout).into_owned();
    wait_for("the screen", SOON, || {
        let screen = screen();
        let parts = ["HAProxy Version: 3.4.0-tandem", "Node: left", ">>> be", "s1", "s2", "BACKEND"];
        parts.iter().all(|part| screen.contains(part)).then_some(())
    });
    // What is chosen stands in the last line, by the numbers of its proxy and itself.
    wait_for("the cursor on s1", SOON, || {
        if screen().contains("[#3/#1]") {
            return Some(());
        }
        tmux("send-keys Down");
        None
    });
    let status_is = |key: &str, status: &str| {
        wait_for(status, SOON, || {
            tmux(&format!("send-keys {key}"));
            (show_stat(&host, "/run/top.sock").status("be", "s1") == status).then_some(())
        });
        wait_for("the screen", SOON, || {
            // Its answers are shown elsewhere: back to the table.
            tmux("send-keys 1");
            let seen = screen();
            let line = seen.lines().find(|line| line.starts_with("s1 "));
            line.is_some_and(|line| line.contains("MAINT") == (status == "MAINT")).then_some(())
        });
    };
    status_is("F10", "MAINT");
    status_is("F9", "no check");
    tmux("kill-server");
}
