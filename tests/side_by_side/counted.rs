//! What backends and servers count of responses that break off, stall or are denied.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::origin;
use crate::lab::{Config, Host, Lab, Part, Process, Program, eventually, proxy};

const SOCKET: &str = "/run/counted.sock";

const CONFIG: &str = "\
global
    stats socket /run/counted.sock level admin
defaults
    mode http
    http-reuse never
    timeout connect 5s
    timeout client 20s
    timeout server 20s
frontend fe
    bind 127.0.0.1:8401
    use_backend impatient if { path_end /stalls }
    default_backend be
backend be
    http-response deny if { status 299 }
    server s 127.0.0.1:9000
backend impatient
    timeout server 500ms
    server s 127.0.0.1:9000
";

const COUNTED: [&str; 12] = [
    "stot", "dresp", "econ", "eresp", "cli_abrt", "srv_abrt", "req_tot", "hrsp_2xx", "hrsp_4xx", "hrsp_5xx",
    "lbtot", "connect",
];

/// What the origin does, by its own words.
const WISHES: [&str; 6] = ["plain", "half-body", "cut-chunk", "stalls", "error", "reason"];

struct Side {
    host: Host,
    _proxy: Process,
}

impl Side {
    fn start(lab: &Lab, name: &str, program: &Program) -> Self {
        let host = lab.host(name);
        origin::start(&host);
        let proxy = host.haproxy(program, &Config::written(&host, "counted.cfg", CONFIG));
        eventually("the proxy to listen", Duration::from_secs(20), || host.reaches("127.0.0.1:8401"));
        host.wait_told(SOCKET);
        Self { host, _proxy: proxy }
    }

    fn ask(&self, wish: &str) {
        self.host.run(|| {
            let mut stream = TcpStream::connect("127.0.0.1:8401").unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            write!(stream, "GET /1/{wish} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n").unwrap();
            // However it ends.
            let _ = stream.read_to_end(&mut Vec::new());
        });
    }

    fn counters(&self) -> BTreeMap<String, String> {
        let text = self.host.tell(SOCKET, "show stat");
        let mut lines = text.lines();
        let columns: Vec<&str> =
            lines.next().unwrap_or_default().trim_start_matches("# ").split(',').collect();
        let mut out = BTreeMap::new();
        for line in lines.filter(|line| !line.starts_with("fe,")) {
            let cells: Vec<&str> = line.split(',').collect();
            for (column, cell) in columns.iter().zip(&cells).filter(|(column, _)| COUNTED.contains(column)) {
                out.insert(format!("{}/{} {column}", cells[0], cells[1]), (*cell).to_owned());
            }
        }
        out
    }
}

#[test]
fn what_breaks_off_is_counted_as_by_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let sides =
        [Side::start(&lab, "theirs", &Program::reference("haproxy")), Side::start(&lab, "ours", &proxy())];
    for wish in WISHES {
        std::thread::scope(|scope| {
            for side in &sides {
                scope.spawn(move || side.ask(wish));
            }
        });
        let mut apart = Vec::new();
        // The last of it is counted after the client has seen the end.
        for _ in 0..150 {
            let [theirs, ours] = sides.each_ref().map(Side::counters);
            apart = theirs
                .iter()
                .filter(|(name, value)| ours.get(*name) != Some(value))
                .map(|(name, value)| format!("{name}: {:?} instead of {value}", ours.get(name)))
                .collect();
            if apart.is_empty() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(apart.is_empty(), "after {wish}: {apart:#?}");
    }
}
