//! Stats sockets of all kinds beside HAProxy's: where they listen, what they allow, and how many are served at once.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use crate::lab::{Config, Host, Lab, Part, Process, Program, beside, proxy, wait_for};

const CONFIG: &str = "\
global
    stats socket DIR/plain level admin
    stats socket DIR/own mode 640 user nobody group nogroup
    stats socket ipv4@127.0.0.1:7100 level admin
    stats socket 127.0.0.1:7101 level user
    stats socket [::1]:7102
    stats socket fd@FD level user
    stats maxconn 2
    stats timeout 30s
defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 10s
frontend fe
    bind 127.0.0.1:8001
";

/// Addresses of the sockets over IP, the inherited one last.
const OVER_IP: [&str; 4] = ["127.0.0.1:7100", "127.0.0.1:7101", "[::1]:7102", "127.0.0.1:7103"];

/// How long an answer may take that has to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program with its sockets, one of which it inherited.
struct Side {
    host: Host,
    _inherited: OwnedFd,
    _proxy: Process,
}

impl Side {
    fn start(lab: &Lab, name: &str, program: &Program) -> Self {
        let host = lab.host(name);
        let inherited: OwnedFd = host.run(|| TcpListener::bind(OVER_IP[3]).unwrap()).into();
        fcntl(&inherited, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
        let config = CONFIG
            .replace("DIR", &host.dir().display().to_string())
            .replace("FD", &inherited.as_raw_fd().to_string());
        let proxy = host.haproxy(program, &Config::written(&host, "sockets.cfg", &config));
        let side = Self { host, _inherited: inherited, _proxy: proxy };
        wait_for("the sockets", PATIENCE, || UnixStream::connect(side.path("plain")).ok());
        side
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.host.dir().join(name)
    }

    fn unix(&self, name: &str) -> UnixStream {
        let stream = UnixStream::connect(self.path(name)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn tcp(&self, address: &str) -> TcpStream {
        let stream = self.host.run(|| TcpStream::connect(address)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

fn ask(mut stream: impl Read + Write, commands: &str) -> String {
    stream.write_all(format!("{commands}\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A session that has a prompt, and so a place.
fn settled(mut stream: UnixStream) -> UnixStream {
    stream.write_all(b"prompt\n").unwrap();
    let mut prompt = [0; 3];
    stream.read_exact(&mut prompt).unwrap();
    assert_eq!(&prompt, b"\n> ");
    stream
}

#[test]
fn every_socket_is_served_whatever_the_others_wait_for() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| {
        let side = Side::start(&lab, name, program);
        let mut said = Vec::new();
        // More sockets than sessions that are served at once: none of them keeps a place while nobody comes to it.
        for _ in 0..2 {
            said.extend(["plain", "own"].map(|name| ask(side.unix(name), "show cli level")));
            said.extend(OVER_IP.map(|address| ask(side.tcp(address), "show cli level;disable frontend fe")));
        }
        let sockets = ask(side.unix("plain"), "show cli sockets");
        said.push(sockets.replace(&side.host.dir().display().to_string(), "DIR"));
        let about = std::fs::metadata(side.path("own")).unwrap();
        said.push(format!("{:o} {} {}", about.mode(), about.uid(), about.gid()));

        // A third session waits until one of two has ended.
        let (one, _two) = (settled(side.unix("plain")), settled(side.unix("own")));
        let mut third = side.tcp(OVER_IP[0]);
        third.write_all(b"show cli level\n").unwrap();
        third.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let early = third.read(&mut [0; 64]).expect_err("an answer though there is no place").kind();
        assert!(matches!(early, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{early}");
        drop(one);
        third.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = String::new();
        third.read_to_string(&mut answer).unwrap();
        said.push(answer);
        said
    });
    assert_eq!(ours, theirs);
    assert!(ours.contains(&"140640 65534 65534".to_owned()), "{ours:?}");
    assert_eq!(ours.last().unwrap(), "admin\n\n");
}

#[test]
fn a_prompt_tells_the_time_if_asked_to() {
    let Some(lab) = Lab::open(&[Part::Program("socat")]) else { return };
    let host = lab.host("ours");
    let config = CONFIG.replace("DIR", "/run").replace("    stats socket fd@FD level user\n", "");
    let _proxy = host.haproxy(&proxy(), &Config::written(&host, "sockets.cfg", &config));
    host.wait_told("/run/plain");
    let said = host.tell("/run/plain", "prompt timed\nshow cli level\nprompt n");
    let (before, after) = said.trim_end().split_once("> admin\n\n").unwrap_or_else(|| panic!("{said}"));
    for prompt in [before.trim_start(), after.trim_end_matches('>')] {
        let clock = prompt.strip_prefix("[0:00:00:").and_then(|rest| rest.strip_suffix(']'));
        assert!(clock.is_some_and(|seconds| seconds.parse::<u8>().is_ok_and(|s| s < 60)), "{said}");
    }
}
