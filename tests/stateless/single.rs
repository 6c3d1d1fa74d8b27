//! Part 1: one proxy, its client, three web servers, a name server, and one that never answers.

use std::time::{Duration, Instant};

use crate::lab::{
    Behaviour, Config, Dns, Host, Lab, Load, Network, Nginx, Part, Process, Report, Stats, eventually, get,
    proxy, show_stat,
};

use super::{NEEDS, SECOND, SOCKET, webs_up};

struct Single {
    proxy: Process,
    lb: Host,
    dns: Dns,
    silent: Dns,
    webs: Vec<(Host, Nginx)>,
    net: Network,
    client: Host,
    lab: Lab,
}

const FRONT: &str = "10.89.4.10:80";

impl Single {
    fn start(lab: Lab, config: &Config) -> Self {
        let net = lab.network("net", "10.89.4.1/24");
        // The file's second name server lies in the other network of the guide; here it swallows its questions.
        net.gateway().sh("ip address add 172.20.0.1/16 dev br0");
        let dns = Dns::start(net.gateway(), "10.89.4.1:53", Behaviour::Answers);
        let silent = Dns::start(net.gateway(), "172.20.0.1:53", Behaviour::Silent);
        let webs: Vec<(Host, Nginx)> = (1..=3)
            .map(|number| {
                let host = lab.host(&format!("nginx{number}"));
                net.plug(&host, "eth0", &format!("10.89.4.2{number}/24"));
                dns.set(host.name(), &format!("10.89.4.2{number}"));
                let nginx = Nginx::start(&host, 80);
                (host, nginx)
            })
            .collect();
        let client = lab.host("client");
        net.plug(&client, "eth0", "10.89.4.50/24");
        let lb = lab.host("lb");
        net.plug(&lb, "eth0", "10.89.4.10/24");
        let proxy = lb.haproxy(&proxy(), config);
        let system = Self { proxy, lb, dns, silent, webs, net, client, lab };
        eventually("all servers up and each one answering", 15 * SECOND, || {
            system.lb.reaches("127.0.0.1:80") && system.up() == 3
        });
        system
    }

    fn status(&self, server: &str) -> String {
        show_stat(&self.lb, SOCKET).status("nginx_backend", server).to_owned()
    }

    fn up(&self) -> usize {
        webs_up(&self.lb)
    }

    /// Requests every 20 ms.
    fn load(&self) -> Load {
        Load::every(Duration::from_millis(20), &self.client, FRONT, 15 * SECOND)
    }
}

/// Good answers of each web server.
fn shares(report: &Report) -> [usize; 3] {
    ["nginx1", "nginx2", "nginx3"].map(|name| report.said(name))
}

fn single() -> Option<Single> {
    let lab = Lab::open(NEEDS)?;
    Some(Single::start(lab, &Config::system("stateless-ha", "haproxy.cfg")))
}

#[test]
fn three_hundred_requests_split_evenly() {
    let Some(system) = single() else { return };
    let mut counts = [0; 3];
    for _ in 0..300 {
        let answer = get(&system.client, FRONT, "/").unwrap();
        assert_eq!(answer.status, 200);
        let number: usize = answer.text().trim_start_matches("nginx").parse().unwrap();
        counts[number - 1] += 1;
    }
    assert_eq!(counts, [100; 3]);
}

#[test]
fn stopped_servers_are_left_out_and_return() {
    let Some(mut system) = single() else { return };
    let load = system.load();
    system.webs[1].1.stop();
    let took = eventually("nginx2 DOWN", 9 * SECOND, || system.status("nginx2") == "DOWN");
    println!("nginx2 DOWN after {took:?}");
    system.webs[2].1.stop();
    eventually("nginx3 DOWN", 9 * SECOND, || system.status("nginx3") == "DOWN");
    let alone = Instant::now();
    for number in [1, 2] {
        let (host, nginx) = &mut system.webs[number];
        *nginx = Nginx::start(host, 80);
    }
    let took = eventually("both UP again", 7 * SECOND, || system.up() == 3);
    println!("back UP after {took:?}");
    let back = Instant::now();
    eventually("some hundred requests more", 10 * SECOND, || load.so_far().since(back).samples.len() > 150);
    let report = load.finish();
    println!("{}", report.summary());
    assert!(report.lost().is_empty(), "clients saw errors");
    assert!(report.since(alone).said("nginx1") > 0);
    let [one, two, three] = shares(&report.since(back));
    let least = one.min(two).min(three);
    let most = one.max(two).max(three);
    assert!(least + 2 >= most, "not even again: {one} {two} {three}");
    for server in ["nginx2", "nginx3"] {
        let down = format!("Server nginx_backend/{server} is DOWN");
        let up = format!("Server nginx_backend/{server} is UP");
        // On the console the proxy warns as well; the log is what begins with the message itself.
        let logged =
            |message: &str| system.proxy.log().iter().filter(|line| line.starts_with(message)).count();
        assert_eq!([logged(&down), logged(&up)], [1, 1], "{server}: one line for each change");
    }
}

#[test]
fn a_new_address_is_followed_through_dns() {
    let Some(mut system) = single() else { return };
    let load = system.load();
    let (host, nginx) = &mut system.webs[1];
    nginx.stop();
    host.sh("ip address del 10.89.4.22/24 dev eth0 && ip address add 10.89.4.77/24 dev eth0");
    *nginx = Nginx::start(host, 80);
    let moved = Instant::now();
    system.dns.set("nginx2", "10.89.4.77");
    eventually("nginx2 answering at its new address", 15 * SECOND, || {
        load.so_far().since(moved).said("nginx2") > 0
    });
    println!("followed after {:?}", moved.elapsed());
    eventually("nginx2 UP", 10 * SECOND, || system.status("nginx2") == "UP");
    let report = load.finish();
    println!("{}", report.summary());
    assert!(report.lost().is_empty(), "clients saw errors");
    let asked = system.silent.questions();
    assert!(asked > 0, "the second name server was never asked");
    assert!(system.proxy.count("10.89.4.77") > 0, "the change of address is not in the log");
}

#[test]
fn servers_stay_while_no_name_server_answers() {
    let Some(system) = single() else { return };
    system.dns.behave(Behaviour::Silent);
    let load = system.load();
    let before = system.dns.questions();
    eventually("a dozen unanswered questions", 20 * SECOND, || system.dns.questions() > before + 12);
    assert_eq!(system.up(), 3);
    let report = load.finish();
    println!("{}", report.summary());
    assert!(report.lost().is_empty(), "clients saw errors");
    assert!(report.percentile(0.99) < SECOND, "questions without answer delay requests");
}

#[test]
fn operators_see_every_server() {
    let Some(mut system) = single() else { return };
    system.webs[2].1.stop();
    eventually("nginx3 DOWN", 9 * SECOND, || system.status("nginx3") == "DOWN");
    let stats = show_stat(&system.lb, SOCKET);
    for (server, state) in [("nginx1", "UP"), ("nginx2", "UP"), ("nginx3", "DOWN"), ("BACKEND", "UP")] {
        assert_eq!(stats.status("nginx_backend", server), state);
    }
    assert_eq!(stats.status("http_front", "FRONTEND"), "OPEN");
    assert_eq!(stats.cell("nginx_backend", "nginx3", "check_status"), "L4CON");
    assert_eq!(stats.cell("nginx_backend", "nginx1", "check_status"), "L7OK");
    assert_eq!(stats.cell("nginx_backend", "nginx1", "check_code"), "200");
    let page = get(&system.client, "10.89.4.10:8404", "/").unwrap();
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    assert_eq!(page.header("refresh"), Some("5"), "the page does not renew itself");
    let text = page.text();
    for name in ["nginx_backend", "http_front", "nginx1", "nginx2", "nginx3", "10.89.4.21:80"] {
        assert!(text.contains(name), "the page does not show {name}");
    }
    let csv = get(&system.client, "10.89.4.10:8404", "/;csv").unwrap();
    assert_eq!(csv.header("content-type"), Some("text/plain"));
    assert_eq!(Stats::parse(&csv.text()).status("nginx_backend", "nginx3"), "DOWN");
    system.net.gateway().sh("true");
    assert!(system.lab.dir().is_dir());
}

#[test]
fn a_browser_shows_the_page() {
    let Some(lab) = Lab::open(&[NEEDS, &[Part::Program("chromium")]].concat()) else { return };
    let system = Single::start(lab, &Config::system("stateless-ha", "haproxy.cfg"));
    let profile = system.client.dir().join("profile");
    let dom = system.client.sh(&format!(
        "HOME={0} timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
         --disable-background-networking --user-data-dir={0} --dump-dom http://10.89.4.10:8404/ 2>/dev/null",
        profile.display()
    ));
    for name in ["nginx_backend", "nginx1", "nginx2", "nginx3"] {
        assert!(dom.contains(name), "the browser does not show {name}");
    }
    assert!(dom.contains("L7OK/200"), "the browser does not show the checks");
}
