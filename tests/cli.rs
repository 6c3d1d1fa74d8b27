//! The command lines as people and their scripts use them, on this machine's loopback.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::lab::eventually;

/// A directory with the program under its three names.
pub(crate) struct Desk {
    dir: TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["haproxy", "keepalived", "tandem"] {
            symlink(env!("CARGO_BIN_EXE_tandem"), dir.path().join(name)).unwrap();
        }
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn run(&self, program: &str, args: &[&str]) -> Output {
        Command::new(self.path(program)).args(args).current_dir(self.dir.path()).output().unwrap()
    }
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn config(port: u16, socket: &Path) -> String {
    format!(
        "global\n    stats socket {} level admin\n    maxconn 50\ndefaults\n    mode http\n    timeout connect 1s\n    \
         timeout client 5s\n    timeout server 5s\nfrontend web\n    bind 127.0.0.1:{port}\n    default_backend app\n\
         backend app\n    server a 127.0.0.1:1\n",
        socket.display()
    )
}

fn ask_socket(path: &Path, command: &str) -> String {
    let mut socket = UnixStream::connect(path).unwrap();
    socket.write_all(format!("{command}\n").as_bytes()).unwrap();
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_version_begins_as_tools_expect_and_says_what_it_is() {
    let desk = Desk::new();
    let short = desk.run("haproxy", &["-v"]);
    assert!(short.status.success());
    let text = out(&short);
    assert!(text.starts_with("HAProxy version 3."), "{text}");
    assert!(text.lines().nth(1).unwrap().contains("Tandem"), "{text}");
    let long = out(&desk.run("haproxy", &["-vv"]));
    assert!(long.starts_with(text.lines().next().unwrap()) && long.contains("-OPENSSL"), "{long}");
    let none = desk.run("haproxy", &[]);
    assert_eq!((none.status.code(), err(&none).contains("Usage :")), (Some(1), true));
}

#[test]
fn checking_says_valid_or_where_and_why_not() {
    let desk = Desk::new();
    let socket = desk.path("stats.sock");
    desk.file("good.cfg", &config(free_port(), &socket));
    let good = desk.run("haproxy", &["-c", "-f", "good.cfg"]);
    assert_eq!((good.status.code(), out(&good).as_str()), (Some(0), "Configuration file is valid\n"));
    assert!(!socket.exists(), "a check makes no socket");
    let quiet = desk.run("haproxy", &["-c", "-q", "-f", "good.cfg"]);
    assert_eq!((quiet.status.code(), out(&quiet) + &err(&quiet)), (Some(0), String::new()));
    let both = desk.run("haproxy", &["-c", "-q", "-V", "-f", "good.cfg"]);
    assert!(out(&both).contains("valid"));

    desk.file("bad.cfg", "frontend web\n    bind 127.0.0.1:80\n    bidn 127.0.0.1:81\n    mode htp\n");
    let bad = desk.run("haproxy", &["-c", "-f", "bad.cfg"]);
    let said = err(&bad);
    assert_eq!(bad.status.code(), Some(1), "{said}");
    for part in ["parsing [bad.cfg:3] : ", "'bidn'", "bind", "parsing [bad.cfg:4] : "] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(said.trim_end().ends_with("config : Fatal errors found in configuration."), "{said}");

    desk.file("silent.cfg", "global\n    maxconn 10\n");
    assert_eq!(desk.run("haproxy", &["-c", "-f", "silent.cfg"]).status.code(), Some(2));
    assert_eq!(desk.run("haproxy", &["-c", "-f", "absent.cfg"]).status.code(), Some(1));
    desk.file("warned.cfg", "frontend web\n    mode http\n    bind 127.0.0.1:1\n");
    assert_eq!(desk.run("haproxy", &["-c", "-f", "warned.cfg"]).status.code(), Some(0));
    assert_eq!(desk.run("haproxy", &["-c", "-dW", "-f", "warned.cfg"]).status.code(), Some(1));
}

#[test]
fn several_files_and_directories_are_one_configuration_in_order() {
    let desk = Desk::new();
    desk.file("conf.d/20-back.cfg", "backend app\n    server a 127.0.0.1:1\n");
    desk.file("conf.d/10-front.cfg", "frontend web\n    bind 127.0.0.1:1\n    default_backend app\n");
    desk.file("conf.d/ignored.txt", "nonsense\n");
    desk.file(
        "base.cfg",
        "defaults\n    mode http\n    timeout connect 1s\n    timeout client 1s\n    timeout server 1s\n",
    );
    let all = desk.run("haproxy", &["-c", "-f", "base.cfg", "-f", "conf.d"]);
    assert_eq!((all.status.code(), err(&all)), (Some(0), String::new()));
    let named = desk.run("haproxy", &["-c", "--", "base.cfg", "conf.d/10-front.cfg", "conf.d/20-back.cfg"]);
    assert_eq!(named.status.code(), Some(0), "{}", err(&named));
    assert_eq!(desk.run("haproxy", &["-c", "-f", "conf.d/10-front.cfg"]).status.code(), Some(1));
}

#[test]
fn a_daemon_leaves_its_pid_serves_and_ends_softly() {
    let desk = Desk::new();
    let (port, socket, pidfile) = (free_port(), desk.path("stats.sock"), desk.path("haproxy.pid"));
    desk.file("a.cfg", &config(port, &socket));
    let started = desk.run("haproxy", &["-D", "-f", "a.cfg", "-p", "haproxy.pid", "-L", "lb1"]);
    assert!(started.status.success(), "{}", err(&started));
    let pid: i32 =
        fs::read_to_string(&pidfile).expect("the pid file is there at once").trim().parse().unwrap();
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    assert_eq!(name.trim(), "haproxy", "scripts look for this name");
    eventually("an answer", Duration::from_secs(10), || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    eventually("the stats socket", Duration::from_secs(10), || UnixStream::connect(&socket).is_ok());
    let info = ask_socket(&socket, "show info");
    assert!(info.contains(&format!("\nPid: {pid}\n")) && info.starts_with("Name: HAProxy\n"), "{info}");
    kill(Pid::from_raw(pid), Signal::SIGUSR1).unwrap();
    eventually("its end", Duration::from_secs(10), || kill(Pid::from_raw(pid), None).is_err());
    assert!(!pidfile.exists(), "the pid file goes with the process");
}

#[test]
fn what_cannot_start_leaves_nothing_behind() {
    let desk = Desk::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (socket, pidfile) = (desk.path("stats.sock"), desk.path("haproxy.pid"));
    desk.file("a.cfg", &config(taken.local_addr().unwrap().port(), &socket));
    for args in [["-f", "a.cfg", "-p", "haproxy.pid", "-V"], ["-f", "a.cfg", "-p", "haproxy.pid", "-D"]] {
        let failed = desk.run("haproxy", &args);
        assert_eq!(failed.status.code(), Some(1));
        assert!(err(&failed).contains("cannot bind socket"), "{}", err(&failed));
        assert!(!socket.exists() && !pidfile.exists());
    }
    desk.file("b.cfg", "global\n    nonsense\n");
    let failed = desk.run("haproxy", &["-D", "-f", "b.cfg", "-p", "haproxy.pid"]);
    assert_eq!((failed.status.code(), pidfile.exists()), (Some(1), false));
}

#[test]
fn a_signal_ends_the_process_as_a_signal() {
    use std::os::unix::process::ExitStatusExt as _;
    let desk = Desk::new();
    let (port, socket) = (free_port(), desk.path("stats.sock"));
    desk.file("a.cfg", &config(port, &socket));
    let mut child =
        Command::new(desk.path("haproxy")).args(["-q", "-f"]).arg(desk.path("a.cfg")).spawn().unwrap();
    eventually("the stats socket", Duration::from_secs(10), || UnixStream::connect(&socket).is_ok());
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::SIGTERM as i32));
}

#[test]
fn tandem_judges_both_languages_and_makes_links() {
    let desk = Desk::new();
    desk.file(
        "haproxy.cfg",
        "listen l 127.0.0.1:1\n    mode http\n    server s no-such-name.invalid:80 check",
    );
    desk.file(
        "keepalived.conf",
        "vrrp_instance VI_1 {\n    interface eth7\n    virtual_router_id 51\n    priority 100\n    \
         virtual_ipaddress {\n        192.0.2.1\n    }\n}\n",
    );
    let both = desk.run("tandem", &["check", "--offline", "haproxy.cfg", "keepalived.conf"]);
    assert_eq!(both.status.code(), Some(0), "{}{}", out(&both), err(&both));
    desk.file("broken.cfg", "listen l\n    servr s 127.0.0.1:1\n");
    assert_eq!(
        desk.run("tandem", &["check", "--offline", "haproxy.cfg", "broken.cfg"]).status.code(),
        Some(1)
    );
    assert_eq!(desk.run("tandem", &["check", "absent.cfg"]).status.code(), Some(1));

    let dir = desk.path("sbin");
    fs::create_dir(&dir).unwrap();
    let dir = dir.to_str().unwrap();
    assert!(desk.run("tandem", &["links", dir]).status.success());
    assert!(desk.run("tandem", &["links", dir]).status.success(), "a second time changes nothing");
    assert!(Path::new(dir).join("haproxy").exists() && Path::new(dir).join("keepalived").exists());
    fs::remove_file(Path::new(dir).join("haproxy")).unwrap();
    fs::write(Path::new(dir).join("haproxy"), "somebody else's").unwrap();
    assert!(!desk.run("tandem", &["links", dir]).status.success(), "what is there stays");
    assert!(desk.run("tandem", &["links", "--force", dir]).status.success());
}

#[test]
fn the_demo_tells_its_story_to_the_end_and_leaves_nothing() {
    let Some(_lab) = crate::lab::Lab::open_alone(&[crate::lab::Part::Program("killall")]) else { return };
    let desk = Desk::new();
    let output = Command::new(desk.path("tandem"))
        .args(["demo", "--pause", "1s"])
        .env("TMPDIR", desk.dir.path())
        .output()
        .unwrap();
    let (told, wrong) = (out(&output), err(&output));
    assert!(output.status.success(), "{told}\n{wrong}");
    for scene in ["all is well", "origin2 dies", "the active proxy is killed", "the whole active node dies"] {
        let row = told.lines().rfind(|line| line.starts_with(scene));
        let row = row.unwrap_or_else(|| panic!("{scene} is missing in\n{told}"));
        let numbers: Vec<u64> = row.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [sent, lost] = numbers[..] else { panic!("{row}") };
        assert!(sent > 0 && lost < sent, "{row}\n{told}");
    }
    assert!(told.contains("lb2 took the address after") && told.contains("lb1 took it back after"), "{told}");
    // The temporary directory holds the three links it began with, and no host of the demo lives on.
    assert_eq!(fs::read_dir(desk.dir.path()).unwrap().count(), 3);
    eventually("the end of the demo's hosts", Duration::from_secs(10), || {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let mut commands = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        let here = desk.dir.path().as_os_str().as_encoded_bytes();
        !commands.any(|line| line.windows(here.len()).any(|part| part == here))
    });
}
