//! Every way a session can end, driven against our proxy and a real HAProxy: the log lines, with timers, termination
//! code and counters of retries and queues, must be the same.

mod table;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::{origin, watch::settle};
use crate::lab::{Config, Host, Lab, Part, Process, Program, Stats, beside, eventually, proxy};
use table::{CASES, CONFIG, Case, DIFFERENT, MORE, QUEUE, Then};

struct Bench {
    host: Host,
    proxy: Process,
    socket: String,
    /// A listening socket that answers nobody: its queue is full.
    _hole: (Socket, Vec<Socket>),
}

impl Bench {
    fn start(lab: &Lab, name: &str, program: &Program) -> Self {
        let host = lab.host(name);
        let _received = origin::start(&host);
        let hole = host.run(|| {
            let listener = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
            let addr = SocketAddr::from(([127, 0, 0, 1], 9001));
            listener.bind(&addr.into()).unwrap();
            listener.listen(0).unwrap();
            let mut waiting = Vec::new();
            for _ in 0..8 {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
                let full = socket.connect_timeout(&addr.into(), Duration::from_millis(300)).is_err();
                waiting.push(socket);
                if full {
                    break;
                }
            }
            (listener, waiting)
        });
        let socket = host.dir().join("stats.sock").to_string_lossy().into_owned();
        let config = Config::written(&host, "haproxy.cfg", &CONFIG.replace("SOCKET", &socket));
        let proxy = host.haproxy(program, &config);
        eventually("the proxy to listen", Duration::from_secs(10), || host.reaches("127.0.0.1:8114"));
        // It is bound after the ports.
        eventually("its socket", Duration::from_secs(10), || UnixStream::connect(&socket).is_ok());
        Self { host, proxy, socket, _hole: hole }
    }

    /// The log line of every case.
    fn run(&self) -> HashMap<&'static str, String> {
        let lines = Mutex::new(HashMap::new());
        let hands = Hands { proxy: &self.proxy, socket: &self.socket };
        self.host.run(|| {
            let drive = |case: &'static Case, at: usize| {
                let line = hands.drive(case, at);
                lines.lock().unwrap().insert(case.name, line);
            };
            std::thread::scope(|scope| {
                let drive = &drive;
                for (at, case) in CASES.iter().chain(MORE).enumerate() {
                    scope.spawn(move || drive(case, at));
                }
                for (nth, [keeper, other]) in QUEUE.iter().enumerate() {
                    let at = CASES.len() + MORE.len() + 2 * nth;
                    let backend = ["crowded", "lines", "deserted", "ports"][nth];
                    scope.spawn(move || drive(keeper, at));
                    scope.spawn(move || {
                        eventually("the server to be busy", Duration::from_secs(10), || {
                            hands.number(backend, "scur") == 1
                        });
                        drive(other, at + 1);
                    });
                }
            });
        });
        lines.into_inner().unwrap()
    }
}

/// What works on a bench.
#[derive(Clone, Copy)]
struct Hands<'b> {
    proxy: &'b Process,
    socket: &'b str,
}

impl Hands<'_> {
    fn line(&self, at: usize) -> Option<String> {
        let start = format!("{}:", source(at));
        self.proxy.log().into_iter().find(|line| line.starts_with(&start))
    }

    /// The answer to a command of the socket.
    fn tell(&self, command: &str) -> String {
        let mut stream = UnixStream::connect(self.socket).unwrap();
        stream.write_all(format!("{command}\n").as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    fn number(&self, backend: &str, column: &str) -> u64 {
        Stats::parse(&self.tell("show stat")).number(backend, "BACKEND", column)
    }

    fn drive(&self, case: &Case, at: usize) -> String {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.bind(&SocketAddr::from((source(at), 0)).into()).unwrap();
        // A reader that stalls is to be noticed soon.
        socket.set_recv_buffer_size(4096).unwrap();
        let to = SocketAddr::from(([127, 0, 0, 1], case.port));
        socket.connect_timeout(&to.into(), super::PATIENCE).unwrap();
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(super::PATIENCE)).unwrap();
        stream.write_all(case.send.replace('@', &at.to_string()).as_bytes()).unwrap();
        let reset = |stream: TcpStream| {
            let socket = Socket::from(stream);
            socket.set_linger(Some(Duration::ZERO)).unwrap();
        };
        let mut kept = None;
        let waits = |backend: &str, column: &str| {
            eventually("the session to be there", Duration::from_secs(10), || {
                self.number(backend, column) == 1
            });
        };
        let drain = |mut stream: TcpStream| {
            let mut piece = [0; 4096];
            while matches!(stream.read(&mut piece), Ok(1..)) {}
        };
        match case.then {
            Then::Reads | Then::Halves => {
                if case.then == Then::Halves {
                    // Whoever leaves a tunnel or a response has to be in it: HAProxy's line is another one where the end
                    // comes first.
                    if case.send.contains("/tunnel ") || case.send.contains("/stalls ") {
                        let _ = stream.read(&mut [0; 4096]);
                    }
                    let _ = stream.shutdown(Shutdown::Write);
                }
                drain(stream);
            }
            Then::Told(backend, command) => {
                waits(backend, "scur");
                // The response has begun, where there is one.
                if case.send.contains("/stalls ") {
                    let _ = stream.read(&mut [0; 4096]);
                }
                self.tell(command);
                drain(stream);
            }
            Then::ToldQueued(backend, command) => {
                waits(backend, "qcur");
                self.tell(command);
                drain(stream);
            }
            Then::LeavesSoon => {
                std::thread::sleep(Duration::from_millis(300));
                drop(stream);
            }
            Then::Stalls => kept = Some(stream),
            Then::Resets => {
                stream.read_exact(&mut [0; 4096]).unwrap();
                reset(stream);
            }
            Then::Leaves(backend) => {
                waits(backend, "scur");
                drop(stream);
            }
            Then::LeavesQueue(backend) => {
                waits(backend, "qcur");
                drop(stream);
            }
        }
        let start = Instant::now();
        let line = loop {
            match self.line(at) {
                Some(line) => break settle(&line),
                None if start.elapsed() > super::PATIENCE => break String::new(),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        drop(kept);
        line
    }
}

fn source(at: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 2, u8::try_from(at + 1).unwrap())
}

#[test]
fn sessions_end_as_haproxys_do() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| Bench::start(&lab, name, program).run());
    let mut wrong = Vec::new();
    for case in CASES.iter().chain(MORE).chain(QUEUE.iter().flatten()) {
        let (ours, theirs) = (&ours[case.name], &theirs[case.name]);
        let known = DIFFERENT.iter().any(|(name, _)| *name == case.name);
        let code = format!(" {} ", case.code);
        // On a busy machine HAProxy drops a line rather than wait for whoever reads its output.
        let same = ours == theirs || theirs.is_empty();
        if (!same && !known) || !ours.contains(&code) {
            wrong.push(format!("{} ({})\n  ours   {ours}\n  theirs {theirs}", case.name, case.code));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ\n{}",
        wrong.len(),
        CASES.len() + MORE.len() + 2 * QUEUE.len(),
        wrong.join("\n")
    );
}
