//! Three web servers behind one proxy, then behind a pair that shares an address.

mod pair;
mod single;

use std::time::Duration;

use crate::lab::{Host, Part};

const SECOND: Duration = Duration::from_secs(1);
const SOCKET: &str = "/var/run/haproxy.sock";
const NEEDS: &[Part] = &[Part::Program("nginx"), Part::Program("socat")];

/// How many of the web servers the proxy on `lb` holds for UP; none while it does not run.
fn webs_up(lb: &Host) -> usize {
    let output = lb.try_sh(&format!("echo 'show stat' | socat stdio {SOCKET}"));
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter(|line| line.starts_with("nginx_backend,nginx") && line.contains(",UP,")).count()
}
