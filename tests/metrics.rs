//! The exporter beside HAProxy's own, before `promtool`, and scraped by a real Prometheus.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::lab::{Config, Host, Lab, Nginx, Part, Process, Program, get, proxy, wait_for};

/// One of each kind of row.
const CONFIG: &str = "\
global
    description \"all of it\"
    stats socket /run/metrics.sock level admin
defaults
    mode http
    option socket-stats
    timeout connect 500ms
    timeout client 5s
    timeout server 5s
resolvers names
    nameserver one 127.0.0.1:5353
listen metrics
    bind 127.0.0.1:8001
    description scraped
    http-request use-service prometheus-exporter if { path /metrics }
frontend fe
    bind 127.0.0.1:8002
    default_backend be
listen raw
    mode tcp
    bind 127.0.0.1:8003
    server t1 127.0.0.1:8091
backend be
    option httpchk GET /
    server s1 127.0.0.1:8091
    server s2 127.0.0.1:8091 check inter 200ms maxqueue 10 maxconn 12 pool-max-conn 42
    server s3 127.0.0.1:8091 check disabled
    server s4 127.0.0.1:8099 check inter 200ms fall 1
    server s5 127.0.0.1:8091 check inter 200ms weight 0
";

/// Where the two differ, by the start of the line, and why.
const APART: &[(&str, &str)] = &[
    ("tandem_", "what HAProxy does not have"),
    ("haproxy_process_build_info{", "another version"),
    ("haproxy_process_node{", "since 3.0"),
    ("haproxy_process_description{", "since 3.0"),
    ("haproxy_process_total_warnings", "since 3.0"),
    ("haproxy_process_patterns_", "since 3.3"),
    ("haproxy_process_nb_thread_groups", "since 3.0"),
    ("haproxy_frontend_current_session_rate{", "since 3.3"),
    ("haproxy_backend_current_session_rate{", "since 3.3"),
    ("haproxy_server_current_session_rate{", "since 3.3"),
    ("haproxy_frontend_http_cache_hint_hits_total{", "since 3.3"),
    ("haproxy_backend_http_cache_hint_hits_total{", "since 3.3"),
    ("haproxy_server_http_requests_total{", "since 3.0"),
    ("haproxy_server_active{", "since 3.0"),
    ("haproxy_server_backup{", "since 3.0"),
    ("haproxy_listener_connections_total{", "since 3.0"),
    ("haproxy_server_private_idle_connections_current{", "since 3.3"),
    ("haproxy_frontend_req_bytes_", "since 3.3"),
    ("haproxy_frontend_res_bytes_", "since 3.3"),
    ("haproxy_listener_req_bytes_", "since 3.3"),
    ("haproxy_listener_res_bytes_", "since 3.3"),
    ("haproxy_backend_req_bytes_", "since 3.3"),
    ("haproxy_backend_res_bytes_", "since 3.3"),
    ("haproxy_server_req_bytes_", "since 3.3"),
    ("haproxy_server_res_bytes_", "since 3.3"),
    ("haproxy_resolver_", "since 3.0"),
];

/// Values that have to be the same: those that neither the machine nor the moment decides.
const EQUAL: &[&str] = &[
    "haproxy_frontend_status{",
    "haproxy_frontend_requests_denied_total{",
    "haproxy_listener_status{",
    "haproxy_backend_status{",
    "haproxy_backend_active_servers{",
    "haproxy_backend_weight{",
    "haproxy_backend_agg_",
    "haproxy_backend_downtime_seconds_total{proxy=\"metrics\"}",
    "haproxy_server_status{",
    "haproxy_server_check_status{",
    "haproxy_server_check_failures_total{",
    "haproxy_server_check_up_down_total{",
    "haproxy_server_check_code{",
    "haproxy_server_queue_limit{",
    "haproxy_server_limit_sessions{",
    "haproxy_server_current_throttle{",
    "haproxy_server_weight{",
    "haproxy_server_idle_connections_limit{",
    "haproxy_server_http_responses_total{",
];

struct Side {
    _proxy: Process,
    _nginx: Nginx,
    host: Host,
}

impl Side {
    fn start(lab: &Lab, name: &str, program: &Program) -> Self {
        let host = lab.host(name);
        let nginx = Nginx::with(&host, 8091, "location / { return 200 'hello\\n'; }");
        let side = Self {
            _proxy: host.haproxy(program, &Config::written(&host, "m.cfg", CONFIG)),
            _nginx: nginx,
            host,
        };
        let settled = [
            "haproxy_server_check_status{proxy=\"be\",server=\"s2\",state=\"L7OK\"} 1",
            "haproxy_server_check_status{proxy=\"be\",server=\"s4\",state=\"L4CON\"} 1",
            "haproxy_server_check_status{proxy=\"be\",server=\"s5\",state=\"L7OK\"} 1",
        ];
        wait_for("the checks", Duration::from_secs(20), || {
            let text = side.host.try_sh("curl -s http://127.0.0.1:8001/metrics?scope=server");
            let text = String::from_utf8_lossy(&text.stdout).into_owned();
            settled.iter().all(|line| text.lines().any(|l| l == *line)).then_some(())
        });
        side
    }

    fn scrape(&self, query: &str) -> String {
        self.host.sh(&format!("curl -s 'http://127.0.0.1:8001/metrics{query}'"))
    }
}

/// Names and labels without the values, types included, without what is known to be apart.
fn shape(text: &str) -> BTreeSet<String> {
    let apart = |line: &str| APART.iter().any(|(start, _)| line.starts_with(start));
    text.lines()
        .filter_map(|line| match line.strip_prefix("# ") {
            Some(rest) => rest.strip_prefix("TYPE ").map(|typed| typed.replace(' ', "{} ")),
            None => line.rsplit_once(' ').map(|(name, _)| name.to_owned()),
        })
        .filter(|line| !apart(line))
        .collect()
}

#[test]
fn names_labels_types_and_settled_values_are_haproxys() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("nginx"), Part::Program("curl")])
    else {
        return;
    };
    let reference = Side::start(&lab, "reference", &Program::reference("haproxy"));
    let ours = Side::start(&lab, "ours", &proxy());
    for side in [&reference, &ours] {
        for _ in 0..4 {
            get(&side.host, "127.0.0.1:8002", "/").unwrap();
        }
    }
    for query in ["", "?scope=server&no-maint", "?scope=frontend&scope=backend", "?scope=", "?scope=global"] {
        let (theirs, mine) = (shape(&reference.scrape(query)), shape(&ours.scrape(query)));
        let missing = theirs.difference(&mine).collect::<Vec<_>>();
        let extra = mine.difference(&theirs).collect::<Vec<_>>();
        assert!(missing.is_empty() && extra.is_empty(), "{query}: missing {missing:#?}\nextra {extra:#?}");
    }
    let values = |side: &Side| {
        let text = side.scrape("");
        let chosen = text.lines().filter(|line| EQUAL.iter().any(|start| line.starts_with(start)));
        chosen.map(ToOwned::to_owned).collect::<BTreeSet<_>>()
    };
    let mut last = (BTreeSet::new(), BTreeSet::new());
    wait_for("the same values", Duration::from_secs(10), || {
        last = (values(&reference), values(&ours));
        if last.0 == last.1 { Some(()) } else { None }
    });
    for (path, status) in [("/metrics?scope", 400), ("/metrics?scope=nothing", 400), ("/metrics", 200)] {
        let seen = [&reference, &ours].map(|side| get(&side.host, "127.0.0.1:8001", path).unwrap().status);
        assert_eq!(seen, [status, status], "{path}");
    }
    let kind = |side: &Side| {
        let head = side.host.sh("curl -sI http://127.0.0.1:8001/metrics").to_ascii_lowercase();
        head.lines()
            .filter(|l| l.starts_with("c"))
            .filter(|l| !l.contains("length"))
            .map(str::to_owned)
            .collect()
    };
    let [theirs, mine]: [Vec<String>; 2] = [kind(&reference), kind(&ours)];
    assert_eq!(theirs, mine);
}

#[test]
fn promtool_has_nothing_to_say_that_it_does_not_say_of_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("nginx"), Part::Program("curl"), Part::Program("prometheus")])
    else {
        return;
    };
    let side = Side::start(&lab, "ours", &proxy());
    let check =
        "curl -s 'http://127.0.0.1:8001/metrics?extra-counters&desc-labels' | promtool check metrics 2>&1";
    let said = String::from_utf8_lossy(&side.host.try_sh(check).stdout).into_owned();
    // HAProxy's names break some of Prometheus' rules of style; whoever has dashboards wants those names.
    let style = ["non-counter metrics should not have \"_total\" suffix", "counter metrics should have"];
    let other = said
        .lines()
        .filter(|line| !(line.starts_with("haproxy_") && style.iter().any(|s| line.contains(s))))
        .collect::<Vec<_>>();
    assert!(other.is_empty(), "{other:#?}");
}

#[test]
fn a_real_prometheus_scrapes_it() {
    let Some(lab) = Lab::open(&[Part::Program("nginx"), Part::Program("curl"), Part::Program("prometheus")])
    else {
        return;
    };
    let side = Side::start(&lab, "ours", &proxy());
    let config = "global: {scrape_interval: 500ms, scrape_timeout: 400ms}\n\
                  scrape_configs: [{job_name: tandem, static_configs: [{targets: ['127.0.0.1:8001']}]}]\n";
    let file = side.host.file("prometheus.yml", config);
    let mut command = std::process::Command::new("prometheus");
    command.arg(format!("--config.file={}", file.display()));
    command.arg(format!("--storage.tsdb.path={}", side.host.dir().join("tsdb").display()));
    command.arg("--web.listen-address=127.0.0.1:9090");
    let _prometheus = side.host.spawn(command);
    let ask = |query: &str| {
        let url = format!("curl -sG http://127.0.0.1:9090/api/v1/query --data-urlencode 'query={query}'");
        String::from_utf8_lossy(&side.host.try_sh(&url).stdout).into_owned()
    };
    for _ in 0..3 {
        get(&side.host, "127.0.0.1:8002", "/").unwrap();
    }
    wait_for("scrapes", Duration::from_secs(20), || {
        get(&side.host, "127.0.0.1:8002", "/").unwrap();
        let scraped = ask("count_over_time(up[1m]) >= 4 and min_over_time(up[1m]) == 1");
        let percentile = ask(
            "histogram_quantile(0.5, sum by (le) (rate(tandem_backend_total_time_seconds_bucket{proxy=\"be\"}[1m]))) > 0",
        );
        let result = |answer: &str| answer.contains("\"value\":[");
        (result(&scraped) && result(&percentile)).then_some(())
    });
    let up = ask("haproxy_server_status{server=\"s2\",state=\"UP\"}");
    assert!(up.contains("\"proxy\":\"be\"") && up.contains("\"1\"]"), "{up}");
}
