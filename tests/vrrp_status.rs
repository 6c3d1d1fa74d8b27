//! What is told of a router: on the machine it runs on, and beforehand, from its files alone.

use std::process::Command;

use crate::lab::{Config, Host, Lab, Program, eventually, keepalived};
use crate::vrrp_process::{Pair, SECOND, VIP};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tandem");

fn config(priority: u8, password: &str) -> String {
    format!(
        "vrrp_script up {{\n    script \"/bin/test -e /run/up\"\n    interval 1\n    weight -20\n}}\n\
         vrrp_instance VI_1 {{\n    interface eth0\n    virtual_router_id 51\n    priority {priority}\n    \
         authentication {{\n        auth_type PASS\n        auth_pass {password}\n    }}\n    \
         virtual_ipaddress {{\n        10.78.0.100/24\n    }}\n    track_script {{\n        up\n    }}\n}}\n"
    )
}

fn written(host: &Host, priority: u8, password: &str) -> Config {
    host.sh("touch /run/up");
    Config::written(host, "keepalived.conf", &config(priority, password))
}

#[test]
fn a_router_says_why_it_is_what_it_is_and_who_else_speaks() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let third = lab.host("third");
    pair.net.plug(&third, "eth0", "10.78.0.13/24");
    let status = || {
        let output = pair.one.try_sh(&format!("{PROGRAM} vrrp status"));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let _one = pair.one.keepalived(&keepalived(), &written(&pair.one, 100, "right"));
    eventually("the address", 10 * SECOND, || pair.one.has_address(VIP));
    let text = status();
    assert!(text.starts_with("VI_1: MASTER on eth0, vrid 51\n"), "{text}");
    assert!(text.contains("because    Receive advertisement timeout"), "{text}");
    assert!(text.contains("detects    a dead master after 3.6"), "{text}");
    // Somebody with another password, who is not heard and takes the address too.
    let _third = third.keepalived(&Program::reference("keepalived"), &written(&third, 50, "wrong"));
    eventually("the foreign router", 10 * SECOND, || status().contains("10.78.0.13 FOREIGN, refused"));
    pair.one.sh("rm /run/up");
    eventually("the reason of the fall", 5 * SECOND, || {
        status().contains("priority   80 = 100 configured - 20 (script up)")
    });
}

#[test]
fn nodes_are_played_from_their_files() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let text = |priority| {
        config(priority, "right")
            .replace("/bin/test -e /run/up", "/usr/bin/killall -0 haproxy")
            .replace("PASS", "AH")
    };
    let nodes = [file("a.conf", &text(100)), file("b.conf", &text(90))];
    let run = |more: &[&str]| {
        let output = Command::new(PROGRAM).arg("simulate").args(&nodes).args(more).output().unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    };
    let (good, said) = run(&[]);
    assert!(good && said.contains("a has 10.78.0.100"), "{said}");
    for line in
        ["the proxy on a dies", "a is stopped", "every process on a dies", "a's link is cut", "a starts"]
    {
        assert!(said.lines().any(|l| l.contains(line) && l.contains(" -> ")), "{line}: {said}");
    }
    let plan = file("plan", "10 a link down\n30 a link up\n");
    let (good, said) = run(&["--events", &plan, "--seed", "7"]);
    assert!(good && said.contains("b  => has 10.78.0.100") && said.contains("a has 10.78.0.100"), "{said}");
    assert_eq!(run(&["--events", &plan, "--seed", "7"]).1, said, "the same number, the same run");
    let (good, said) = run(&["--events", &file("wrong", "10 c dies\n")]);
    assert!(!good && said.contains("line 1: no node 'c'"), "{said}");
}

#[test]
fn two_capabilities_are_enough_and_a_missing_one_is_named() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let program = pair.one.dir().join("keepalived");
    std::fs::copy(PROGRAM, &program).unwrap();
    let config = pair.one.file(
        "caps.conf",
        "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 51\n    version 3\n    advert_int 0.2\n    \
         no_accept\n    use_vmac\n    virtual_ipaddress {\n        10.78.0.100/24\n    }\n    virtual_routes {\n        \
         192.0.2.0/24 via 10.78.0.1\n    }\n}\n",
    );
    let dir = pair.one.dir().join("nobody");
    pair.one.sh(&format!(
        "mkdir -p {0} && chown 65534 {0}; chmod -R a+rX {1}",
        dir.display(),
        pair.one.dir().display()
    ));
    let run = |capabilities: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set"]);
        command.arg(capabilities).args(["--inh-caps", capabilities, "--ambient-caps", capabilities]);
        command.arg(&program).args(["-n", "-l", "-D", "-f"]).arg(&config);
        command.arg("-p").arg(dir.join("p")).arg("-r").arg(dir.join("r"));
        pair.one.spawn(command)
    };
    let mut daemon = run("-all,+net_admin,+net_raw");
    eventually("the address", 10 * SECOND, || pair.one.has_address(VIP));
    assert!(pair.one.sh("ip route").contains("192.0.2.0/24"));
    assert!(pair.one.sh("ip -d link").contains("00:00:5e:00:01:33"));
    // Root believes another user's engine: its rights say that it can be one.
    assert!(pair.one.sh(&format!("{PROGRAM} vrrp status")).starts_with("VI_1: MASTER on eth0"));
    daemon.stop();
    eventually("the address to go", 3 * SECOND, || !pair.one.has_address(VIP));
    let without = run("-all,+net_raw");
    without.wait_log("CAP_NET_ADMIN is needed", 10 * SECOND);
    drop(without);
    let without = run("-all,+net_admin");
    without.wait_log("CAP_NET_RAW", 10 * SECOND);
}
