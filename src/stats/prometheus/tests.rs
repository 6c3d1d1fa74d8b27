//! The exporter over a running configuration. Names and labels are compared with HAProxy's in `tests/metrics.rs`.

use std::collections::HashSet;
use std::sync::Arc;

use super::*;
use crate::stats::tests::{live, live_with};

fn scrape(live: &Live, query: &str) -> String {
    let program = Program { name: "HAProxy".into(), version: "9.8.7".into(), ..Program::default() };
    let response = respond(live, &program, Usage::default(), &Watch::default(), Some(query));
    assert_eq!(response.status, 200, "{query}");
    String::from_utf8(response.body).expect("text")
}

#[test]
fn values_stand_under_haproxys_names_and_labels() {
    let text = scrape(&live(), "");
    for line in [
        "haproxy_process_build_info{version=\"9.8.7\"} 1",
        "haproxy_process_current_zlib_memory NaN",
        "haproxy_frontend_status{proxy=\"fe\",state=\"UP\"} 1",
        "haproxy_frontend_limit_sessions{proxy=\"fe\"} 500",
        "haproxy_frontend_http_responses_total{proxy=\"fe\",code=\"4xx\"} 0",
        "haproxy_backend_status{proxy=\"be\",state=\"UP\"} 1",
        "haproxy_backend_active_servers{proxy=\"be\"} 2",
        "haproxy_backend_agg_server_status{proxy=\"be\",state=\"MAINT\"} 1",
        "haproxy_backend_agg_server_status{proxy=\"be\",state=\"UP\"} 3",
        "haproxy_backend_agg_check_status{proxy=\"be\",state=\"L7OK\"} 0",
        "haproxy_server_status{proxy=\"be\",server=\"off\",state=\"MAINT\"} 1",
        // Drained by its weight alone it is still up.
        "haproxy_server_status{proxy=\"be\",server=\"drained\",state=\"UP\"} 1",
        "haproxy_server_check_status{proxy=\"be\",server=\"checked\",state=\"HANA\"} 0",
        "haproxy_server_active{proxy=\"be\",server=\"plain\"} 1",
        "haproxy_server_check_failures_total{proxy=\"be\",server=\"plain\"} NaN",
        "haproxy_server_check_failures_total{proxy=\"be\",server=\"checked\"} 0",
        "haproxy_server_queue_time_average_seconds{proxy=\"be\",server=\"plain\"} 0.000000",
        "tandem_server_response_time_seconds_bucket{proxy=\"be\",server=\"plain\",le=\"+Inf\"} 0",
        "tandem_backend_total_time_seconds_count{proxy=\"be\"} 0",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    assert!(!text.contains("server=\"plain\",state=\"L7OK\""), "it is not checked");
    assert!(!text.contains("mod=") && !text.contains("desc="));
}

#[test]
fn every_metric_is_introduced_once_and_its_lines_stand_together() {
    let text = scrape(&live(), "extra-counters");
    let (mut seen, mut current) = (HashSet::new(), "");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            current = rest.split(' ').next().expect("a name");
            assert!(seen.insert(current), "{current} twice");
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().expect("a name");
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            assert!(name == current || base == Some(current), "{line} under {current}");
        }
    }
    assert!(text.contains("haproxy_frontend_h1_open_streams{proxy=\"fe\",mod=\"h1\"} 0\n"));
}

#[test]
fn parameters_choose_what_is_told() {
    let live = live_with(|config| {
        config.global.description = Some("all \"of\" it".into());
        Arc::make_mut(&mut config.proxies[1]).description = Some("web".into());
    });
    assert_eq!(scrape(&live, "scope="), "");
    let servers = scrape(&live, "scope=server&no-maint&desc-labels");
    assert!(servers.lines().filter(|l| !l.starts_with('#')).all(|l| l.contains("_server_")));
    assert!(!servers.contains("server=\"off\""));
    assert!(servers.contains("haproxy_server_weight{proxy=\"be\",desc=\"web\",server=\"plain\"} 1\n"));
    let one = scrape(&live, "metrics=haproxy_process_nbthread&desc-labels");
    assert_eq!(one.lines().count(), 3);
    assert!(one.contains("haproxy_process_nbthread{desc=\"all \\\"of\\\" it\"} 0\n"));
    assert!(!scrape(&live, "metrics=-haproxy_process_nbthread").contains("nbthread"));
    let wrong = respond(&live, &Program::default(), Usage::default(), &Watch::default(), Some("scope"));
    assert_eq!(wrong.status, 400);
}

#[test]
fn vrrp_instances_are_told_by_state_priority_and_counters() {
    let watch = Watch::default();
    let json =
        br#"[{"data":{"iname":"VI","ifp_ifname":"eth0","vrid":7,"base_priority":100,"effective_priority":80,
        "state":1},"stats":{"advert_rcvd":5,"auth_failure":2}}]"#;
    watch.set_vrrp(crate::vrrp::status::Status::parse(json).expect("valid"));
    let response = respond(&live(), &Program::default(), Usage::default(), &watch, Some("scope=vrrp"));
    let text = String::from_utf8(response.body).expect("text");
    let labels = "instance=\"VI\",interface=\"eth0\",vrid=\"7\"";
    for line in [
        format!("tandem_vrrp_state{{{labels},state=\"BACKUP\"}} 1"),
        format!("tandem_vrrp_state{{{labels},state=\"MASTER\"}} 0"),
        format!("tandem_vrrp_priority{{{labels}}} 80"),
        format!("tandem_vrrp_adverts_received_total{{{labels}}} 5"),
        format!("tandem_vrrp_rejected_adverts_total{{{labels},reason=\"auth_failure\"}} 2"),
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
}
