//! VRRP as the proxy of the same machine shows it: on the stats socket, the page, in the metrics and on the terminal.

use crate::lab::{Config, Host, Lab, Part, get, keepalived, proxy, wait_for};
use crate::vrrp_process::{Pair, SECOND, start, written};

const PROXY: &str = "\
global
    stats socket /run/looking.sock level admin
    node NAME
defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 10s
listen page
    bind 127.0.0.1:8001
    stats uri /stats
    http-request use-service prometheus-exporter if { path /metrics }
listen origin
    bind 127.0.0.1:8002
    http-request return status 200
";

fn config(host: &Host, name: &str) -> Config {
    Config::written(host, "looking.cfg", &PROXY.replace("NAME", name))
}

fn ask(host: &Host, command: &str) -> String {
    host.sh(&format!("echo '{command}' | socat stdio /run/looking.sock"))
}

/// The only instance, as `show vrrp json` has it.
fn instance(host: &Host) -> serde_json::Value {
    let all: serde_json::Value = serde_json::from_str(ask(host, "show vrrp json").trim()).expect("JSON");
    all[0].clone()
}

#[test]
fn the_state_is_the_same_wherever_one_looks_and_follows_it() {
    let needs = [Part::Program("socat"), Part::Program("curl"), Part::Program("tmux")];
    let Some(lab) = Lab::open(&needs) else { return };
    let pair = Pair::new(&lab);
    let one = start(&pair.one, 100);
    let _two = pair.two.keepalived(&keepalived(), &written(&pair.two, 90));
    let _proxy_one = pair.one.haproxy(&proxy(), &config(&pair.one, "left"));
    let _proxy_two = pair.two.haproxy(&proxy(), &config(&pair.two, "right"));
    let program = env!("CARGO_BIN_EXE_tandem");
    let tmux = |line: &str| pair.one.sh(&format!("tmux -L looking {line}"));
    wait_for("the socket", 20 * SECOND, || {
        pair.one.try_sh("test -S /run/looking.sock").status.success().then_some(())
    });
    tmux(&format!("-f /dev/null new-session -d -x 150 -y 30 '{program} top /run/looking.sock'"));
    let body = |host: &Host, path: &str| {
        get(host, "127.0.0.1:8001", path)
            .map(|a| String::from_utf8_lossy(&a.body).into_owned())
            .unwrap_or_default()
    };
    let seen = |host: &Host, state: &str| {
        wait_for(state, 20 * SECOND, || {
            let line = format!(
                "tandem_vrrp_state{{instance=\"VI_1\",interface=\"eth0\",vrid=\"51\",state=\"{state}\"}} 1\n"
            );
            let card = format!("<b>VI_1</b> <span class=\"state\">{state}</span>");
            let metrics = body(host, "/metrics").contains(&line);
            let page = body(host, "/stats").contains(&card);
            let socket = ask(host, "show vrrp").starts_with(&format!("VI_1: {state} for "));
            (metrics && page && socket && instance(host)["state"] == state).then_some(())
        });
    };
    let terminal = |text: &str| {
        wait_for(text, 20 * SECOND, || {
            let screen = pair.one.try_sh("tmux -L looking capture-pane -p").stdout;
            String::from_utf8_lossy(&screen).contains(text).then_some(())
        });
    };
    seen(&pair.one, "MASTER");
    terminal("VI_1 MASTER 100");
    seen(&pair.two, "BACKUP");
    let text = ask(&pair.one, "show vrrp");
    for part in [
        "priority 100 (configured 100)",
        "became master 1x",
        "  adverts    every 0.2 s, sent ",
        " ms late, at worst ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Who listens measures how regularly the other one speaks, and knows who that is.
    wait_for("the jitter", 20 * SECOND, || {
        let heard = instance(&pair.two);
        let more = &heard["more"];
        let jitter = more["worst_jitter"].as_f64().is_some_and(|seconds| seconds > 0.0 && seconds < 10.0);
        let peer = more["others"][0]["address"] == "10.78.0.11" && more["others"][0]["priority"] == 100;
        (jitter && peer && heard["master_priority"] == 100).then_some(())
    });
    // A transition there and back is seen, and counted.
    pair.one.sh("ip link set eth0 down");
    seen(&pair.one, "FAULT");
    terminal("VI_1 FAULT 100");
    seen(&pair.two, "MASTER");
    pair.one.sh("ip link set eth0 up");
    seen(&pair.one, "MASTER");
    terminal("2x master");
    assert!(
        body(&pair.one, "/metrics").contains(
            "tandem_vrrp_become_master_total{instance=\"VI_1\",interface=\"eth0\",vrid=\"51\"} 2\n"
        )
    );
    assert!(
        body(&pair.one, "/metrics").contains(
            "tandem_vrrp_release_master_total{instance=\"VI_1\",interface=\"eth0\",vrid=\"51\"} 1\n"
        )
    );
    assert_eq!(instance(&pair.one)["counters"]["become_master"], 2);
    tmux("kill-server");
    // Without an engine there is nothing to show, and the proxy goes on.
    drop(one);
    wait_for("an empty list", 20 * SECOND, || {
        (ask(&pair.one, "show vrrp json").trim() == "[]" && !body(&pair.one, "/stats").contains("VI_1"))
            .then_some(())
    });
}

/// What is in front of a unit.
fn number(text: &str, unit: f64) -> f64 {
    text.trim().parse::<f64>().unwrap_or(0.0) * unit
}

#[test]
fn the_bit_rate_is_that_of_the_traffic() {
    let Some(lab) = Lab::open(&[Part::Program("socat"), Part::Program("curl")]) else { return };
    let host = lab.host("rate");
    let _origin = crate::lab::Nginx::with(&host, 8091, "location / { root /run/www; }");
    host.sh("mkdir -p /run/www && head -c 1000000 /dev/zero > /run/www/big");
    let config = "\
global
    stats socket /run/looking.sock level admin
defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 10s
listen page
    bind 127.0.0.1:8001
    stats uri /stats
listen big
    bind 127.0.0.1:8002
    server s1 127.0.0.1:8091
";
    let _proxy = host.haproxy(&proxy(), &Config::written(&host, "rate.cfg", config));
    wait_for("the proxy", 20 * SECOND, || get(&host, "127.0.0.1:8001", "/stats").ok());
    let rate = || {
        let text = ask(&host, "show info");
        let line =
            text.lines().find_map(|line| line.strip_prefix("BytesOutRate: ")).expect("the rate").to_owned();
        number(&line, 1.0)
    };
    assert!(rate() < 100_000.0);
    // Ten downloads of a megabyte at half a megabyte a second each: five megabytes a second for two seconds.
    let _clients = host.spawn({
        let mut command = std::process::Command::new("sh");
        let one = "curl -s -o /dev/null --limit-rate 500k http://127.0.0.1:8002/big";
        command
            .args(["-c", &format!("while :; do for i in 1 2 3 4 5 6 7 8 9 10; do {one} & done; wait; done")]);
        command
    });
    let mut last = (0.0, 0.0);
    wait_for("the rate", 30 * SECOND, || {
        let page = get(&host, "127.0.0.1:8001", "/stats").ok()?;
        let page = String::from_utf8_lossy(&page.body).into_owned();
        let shown = page.split_once("<dt>bit rate</dt><dd>")?.1.split_once("</dd>")?.0.to_owned();
        let (value, unit) = shown.split_once(' ')?;
        let bits = match unit {
            "Gbps" => number(value, 1e9),
            "Mbps" => number(value, 1e6),
            _ => number(value, 1e3),
        };
        last = (rate(), bits / 8.0);
        // The socket's figure in bytes, the page's in bits, of about the same second.
        let plausible = |bytes: f64| (500_000.0..50_000_000.0).contains(&bytes);
        (plausible(last.0) && plausible(last.1) && (last.0 / last.1 - 1.0).abs() < 0.5).then_some(())
    });
    drop(_clients);
    wait_for("silence", 30 * SECOND, || (rate() < 200_000.0).then_some(()));
}
