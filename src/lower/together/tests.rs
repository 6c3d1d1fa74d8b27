//! Pairs that look right file by file.

use super::*;
use crate::lower::keepalived::{System, load};
use crate::lower::{self, Source};

fn node(name: &str, text: &str) -> vrrp::Config {
    let loaded = load(name, text, &System::new(Some(name.into()), true).offline());
    assert!(loaded.verdict.runs, "{:?}", loaded.diagnostics);
    loaded.config
}

fn pair(one: &str, two: &str) -> Vec<String> {
    let (a, b) = (node("a.conf", one), node("b.conf", two));
    let nodes = [Node { name: "a.conf", config: &a }, Node { name: "b.conf", config: &b }];
    remarks(&nodes, &[])
        .into_iter()
        .map(|remark| format!("{}:{} {}", remark.place.file, remark.place.line, remark.message))
        .collect()
}

fn file(priority: u8, script: &str, more: &str) -> String {
    format!(
        "vrrp_script chk {{\n script \"/bin/true\"\n {script}\n}}\nvrrp_instance VI_1 {{\n interface eth0\n \
         virtual_router_id 51\n priority {priority}\n {more}\n track_script {{\n  chk\n }}\n}}\n"
    )
}

const VIP: &str = "virtual_ipaddress {\n 10.0.0.9\n }";

#[test]
fn a_weight_below_the_distance_of_the_priorities_moves_nothing() {
    let trapped = pair(&file(100, "weight 2", VIP), &file(90, "weight 2", VIP));
    assert_eq!(
        trapped,
        [
            "a.conf:5 (VI_1) if the script chk fails here, the priority falls from 102 to 100, and VI_1 in b.conf has 92: \
          the addresses stay where it failed"
        ]
    );
    // An equal priority does not take over either.
    assert_eq!(pair(&file(100, "weight -10", VIP), &file(90, "weight -10", VIP)).len(), 1);
    assert_eq!(pair(&file(100, "weight -11", VIP), &file(90, "weight -11", VIP)), Vec::<String>::new());
    assert_eq!(pair(&file(100, "weight 11", VIP), &file(90, "weight 11", VIP)), Vec::<String>::new());
    // Without a weight a failure is FAULT.
    assert_eq!(pair(&file(100, "", VIP), &file(90, "", VIP)), Vec::<String>::new());
}

#[test]
fn partners_must_agree_on_what_travels() {
    let one = file(
        100,
        "",
        &format!("{VIP}\n advert_int 1\n authentication {{\n auth_type PASS\n auth_pass a\n }}"),
    );
    let two = file(
        90,
        "",
        &format!("{VIP}\n advert_int 2\n authentication {{\n auth_type PASS\n auth_pass b\n }}"),
    );
    let said = pair(&one, &two);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("advert_int is 2s, VI_1 in a.conf has 1s"), "{said:?}");
    assert!(said[1].contains("authentication differs"), "{said:?}");
    let said = pair(&file(100, "", VIP), &file(100, "", "virtual_ipaddress {\n 10.0.0.8\n }"));
    assert!(said.iter().any(|text| text.contains("the same priority 100")), "{said:?}");
    assert!(
        said.iter().any(|text| text.contains("10.0.0.9 is not an address of VI_1 in b.conf")),
        "{said:?}"
    );
    assert!(
        said.iter().any(|text| text.contains("10.0.0.8 is not an address of VI_1 in a.conf")),
        "{said:?}"
    );
}

#[test]
fn peers_must_know_each_other() {
    let unicast =
        |own: &str, peer: &str| format!("{VIP}\n unicast_src_ip {own}\n unicast_peer {{\n {peer}\n }}");
    let right = pair(
        &file(100, "", &unicast("10.0.0.1", "10.0.0.2")),
        &file(90, "", &unicast("10.0.0.2", "10.0.0.1")),
    );
    assert_eq!(right, Vec::<String>::new());
    let wrong = pair(
        &file(100, "", &unicast("10.0.0.1", "10.0.0.2")),
        &file(90, "", &unicast("10.0.0.2", "10.0.0.3")),
    );
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(wrong[0].contains("its address 10.0.0.1 is no unicast_peer of VI_1 in b.conf"), "{wrong:?}");
    let mixed = pair(&file(100, "", VIP), &file(90, "", &unicast("10.0.0.2", "10.0.0.1")));
    assert!(mixed[0].contains("uses multicast"), "{mixed:?}");
}

#[test]
fn an_address_belongs_to_one_virtual_router() {
    let other = file(90, "", VIP).replace("virtual_router_id 51", "virtual_router_id 52");
    let said = pair(&file(100, "", VIP), &other);
    assert!(
        said[0].contains("10.0.0.9 is also an address of VI_1 (a.conf, virtual_router_id 51)"),
        "{said:?}"
    );
}

#[test]
fn what_is_tracked_of_the_proxy_is_looked_for_in_its_file() {
    let said = |block: &str| {
        let text = format!("track_proxy web {{\n{block}\n}}\n{}", file(100, "", VIP));
        let a = node("a.conf", &text);
        let nodes = [Node { name: "a.conf", config: &a }];
        let text = "defaults\n timeout client 1s\n timeout connect 1s\n timeout server 1s\n\
                    frontend www\n bind :80\n use_backend blind if { src 10.0.0.1 }\n default_backend app\n\
                    backend app\n server a 10.0.0.5:80 check\n server b 10.0.0.6:80 check\n\
                    backend blind\n server a 10.0.0.5:80\n";
        let sources = vec![Source { name: "h.cfg".into(), text: text.into() }];
        let config = lower::load(sources, &lower::System { offline: true }).config.expect("valid");
        let said = remarks(&nodes, &[&config]);
        said.into_iter().map(|remark| format!("{}: {}", remark.message, remark.help)).collect::<Vec<_>>()
    };
    assert_eq!(said("frontend www\n backend app min_servers 2"), Vec::<String>::new());
    let wrong = said("frontend wwww\n backend ap");
    assert!(wrong[0].contains("no frontend 'wwww'") && wrong[0].contains("did you mean 'www'"), "{wrong:?}");
    assert!(wrong[1].contains("no backend 'ap'") && wrong[1].contains("did you mean 'app'"), "{wrong:?}");
    assert!(said("backend app min_servers 3")[0].contains("has 2 servers and never 3"));
    assert!(said("backend blind")[0].contains("it never fails"));
    // Whoever tracks a proxy and gives no file of it is told nothing.
    let a = node("a.conf", &format!("track_proxy web {{\n frontend x\n}}\n{}", file(100, "", VIP)));
    assert_eq!(remarks(&[Node { name: "a.conf", config: &a }], &[]), Vec::new());
}

#[test]
fn listeners_and_addresses_belong_together() {
    let a = node("a.conf", &file(100, "", VIP));
    let nodes = [Node { name: "a.conf", config: &a }];
    let said = |binds: &str| {
        let text = format!(
            "defaults\n timeout client 1s\n timeout connect 1s\n timeout server 1s\nfrontend f\n{binds}"
        );
        let sources = vec![Source { name: "h.cfg".into(), text: text.into_bytes() }];
        let loaded = lower::load(sources, &lower::System { offline: true });
        let config = loaded.config.expect("valid");
        let said = remarks(&nodes, &[&config]);
        said.into_iter()
            .map(|remark| format!("{}:{} {}", remark.place.file, remark.place.line, remark.message))
            .collect::<Vec<_>>()
    };
    assert_eq!(said(" bind :80\n"), Vec::<String>::new());
    assert_eq!(said(" bind 10.0.0.9:80\n bind 127.0.0.1:81\n"), Vec::<String>::new());
    assert_eq!(said(" bind 127.0.0.1:80\n"), ["a.conf:5 (VI_1) no frontend binds 10.0.0.9"]);
    assert_eq!(said(" bind :::80 v6only\n"), ["a.conf:5 (VI_1) no frontend binds 10.0.0.9"]);
    assert_eq!(
        said(" bind :80\n bind 10.0.0.7:443\n"),
        ["h.cfg:7 'f' binds 10.0.0.7, which no keepalived file given here sets"]
    );
}

#[test]
fn a_backend_that_nothing_leads_to_is_told() {
    let text = "frontend f\n bind :1\n use_backend a if { path /a }\n default_backend b\nbackend a\n server s 127.0.0.1:1\n\
                backend b\n server s 127.0.0.1:1\nbackend c\n server s 127.0.0.1:1\nbackend tables\n\
                frontend g\n bind :2\n acl up nbsrv(named) gt 0\nbackend named\n server s 127.0.0.1:1\n";
    let read = |text: &str| {
        let source = Source { name: "h.cfg".into(), text: text.as_bytes().to_vec() };
        lower::load(vec![source], &lower::System { offline: true }).config.unwrap()
    };
    let config = read(text);
    let said: Vec<String> = remarks(&[], &[&config]).into_iter().map(|one| one.message).collect();
    assert_eq!(said, ["backend 'c' : no frontend uses it."]);
    let computed = read(&format!("{text}frontend h\n bind :3\n use_backend %[path]\n"));
    assert_eq!(remarks(&[], &[&computed]), []);
}
