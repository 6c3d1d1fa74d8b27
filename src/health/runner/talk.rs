//! A check on the wire: its dialogue, its socket, and what it waits for. Thousands of them, without a task or a timer of
//! the runtime each.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Instant;

use nix::libc;
use socket2::{Domain, SockAddr, Socket, Type};

use super::probe::{Failure, Plan, Target, local_reason, reason};
use super::spare::{Make, Wire};
use super::stage::Stage;
use crate::expr::logformat;
use crate::handshake::proxy_protocol::{self, Says};
use crate::handshake::socks4;
use crate::health::Verdict;
use crate::health::dialogue::{Action, Dialogue, Subject, Way};
use crate::health::proto::agent::Reply;
use crate::health::scene::Scene as _;
use crate::ir::server::ProxyTlv;
use crate::sys;
use crate::sys::poller::Edge;

/// Most bytes read at once.
const READ_SIZE: usize = 4096;

/// A run of a check. Its connection is closed when it is dropped.
pub(super) struct Talk {
    plan: Plan,
    dialogue: Dialogue<Stage>,
    wait: Wait,
    /// How the connection was made, or is being made.
    way: Way,
    socket: Option<Socket>,
    /// It can serve another check as well.
    make: Option<Make>,
    /// What the poller tells of the socket.
    told: Told,
    /// There may be something to read, which nobody will tell again.
    readable: bool,
    /// After what can be read comes the end.
    over: bool,
    /// The end has come.
    ended: bool,
    /// When the run fails.
    pub(super) deadline: Instant,
    /// What goes out, and how much of it has gone.
    out: (Vec<u8>, usize),
}

/// What a run waits for.
enum Wait {
    /// Nothing: the dialogue says what to do.
    Nothing,
    /// The connection.
    Connection,
    /// Room for the request to a relay.
    Asking,
    /// The rest of a relay's answer.
    Relay([u8; socks4::REPLY], usize),
    /// Room for the PROXY header.
    Introducing,
    /// Room for what the dialogue says.
    Sending,
    /// An answer.
    Answer,
}

/// What a poller tells of a socket. One whose connection stands at once, as it does within a host, may never need it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    /// Nothing.
    Nothing,
    /// What comes.
    Input,
    /// That, and when there is room.
    Everything,
}

/// Whether something can be done at once.
enum Progress {
    Done,
    NotYet,
}

fn unless_blocked(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(n) => Ok(Some(n)),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(e) => Err(e),
    }
}

/// Begins a connection. Whether it stands already: the second call asks, as whoever is on this host has answered by then.
fn connect_to(socket: &Socket, addr: &SockAddr) -> io::Result<bool> {
    for under_way in [libc::EINPROGRESS, libc::EALREADY] {
        match socket.connect(addr) {
            Err(e) if e.raw_os_error() == Some(under_way) => {}
            done => return done.map(|()| true),
        }
    }
    Ok(false)
}

impl Talk {
    pub(super) fn new(plan: Plan, stage: Stage, subject: Subject, now: Instant) -> Self {
        let dialogue = Dialogue::new(plan.script.clone(), subject, stage);
        let deadline = now + plan.connect_time();
        Self {
            plan,
            dialogue,
            wait: Wait::Nothing,
            way: Way::default(),
            socket: None,
            make: None,
            told: Told::Nothing,
            readable: false,
            over: false,
            ended: false,
            deadline,
            out: Default::default(),
        }
    }

    /// What an agent said, if it was one and said something.
    pub(super) fn take_agent_reply(&mut self) -> Option<Reply> {
        self.dialogue.take_agent_reply()
    }

    /// Time is up.
    pub(super) fn timed_out(&self) -> Verdict {
        self.dialogue.timed_out()
    }

    /// Something is new about the socket. A verdict, if that was all.
    pub(super) fn wake(&mut self, edge: Edge, wire: &mut Wire) -> Option<Verdict> {
        self.readable |= edge.readable;
        self.over |= edge.over;
        if matches!(self.wait, Wait::Connection) {
            let error =
                self.socket.as_ref().filter(|_| edge.broken).and_then(|s| s.take_error().ok().flatten());
            if let Some(error) = error {
                return Some(self.dialogue.failed(&reason(&error)));
            }
            self.connected();
        }
        self.go_on(wire, edge.key)
    }

    /// Goes as far as it can without waiting. A verdict, if that was to the end.
    pub(super) fn go_on(&mut self, wire: &mut Wire, key: usize) -> Option<Verdict> {
        loop {
            let done = match self.wait {
                Wait::Connection => Ok(Progress::NotYet),
                Wait::Nothing => match self.dialogue.action() {
                    Action::Finish(verdict) => return Some(verdict),
                    Action::Connect(way) => {
                        if let Err(failure) = self.connect(way, wire) {
                            return Some(match failure {
                                Failure::NoSocket(text) => self.dialogue.no_socket(&text),
                                Failure::Connect(error) => self.dialogue.failed(&reason(&error)),
                            });
                        }
                        continue;
                    }
                    Action::Send(bytes) => {
                        (self.out, self.wait) = ((bytes, 0), Wait::Sending);
                        continue;
                    }
                    Action::Receive => {
                        self.wait = Wait::Answer;
                        continue;
                    }
                },
                Wait::Asking | Wait::Introducing | Wait::Sending => self.flush(),
                Wait::Relay(..) => self.hear_relay(),
                Wait::Answer => self.hear(),
            };
            match done {
                Ok(Progress::NotYet) => return self.listen(wire, key),
                Ok(Progress::Done) => self.wait = self.after(),
                Err(failure) => return Some(failure),
            }
        }
    }

    /// What comes after what was waited for.
    fn after(&mut self) -> Wait {
        match self.wait {
            Wait::Asking => return Wait::Relay([0; socks4::REPLY], 0),
            Wait::Relay(..) => return self.introduction(),
            Wait::Introducing => self.dialogue.connected(),
            Wait::Sending => self.dialogue.sent(),
            Wait::Nothing | Wait::Connection | Wait::Answer => {}
        }
        Wait::Nothing
    }

    /// Sees to it that the poller tells when it can go on. A verdict, if it cannot.
    fn listen(&mut self, wire: &Wire, key: usize) -> Option<Verdict> {
        let wanted = match self.wait {
            Wait::Relay(..) | Wait::Answer => Told::Input,
            _ => Told::Everything,
        };
        let socket = self.socket.as_ref().filter(|_| self.told < wanted)?;
        let done = match self.told {
            Told::Nothing => wire.poller.add_edges(socket.as_fd(), key, wanted == Told::Everything),
            _ => wire.poller.add_room(socket.as_fd(), key),
        };
        self.told = wanted;
        done.err().map(|e| self.dialogue.no_socket(&reason(&e)))
    }

    /// The check is over: its connection ends, and the socket may serve another one.
    pub(super) fn hang_up(&mut self, wire: &mut Wire) {
        if let Some((make, socket)) = self.make.zip(self.socket.take()) {
            wire.keep(make, socket, self.told != Told::Nothing);
        }
    }

    fn connect(&mut self, way: Way, wire: &mut Wire) -> Result<(), Failure> {
        // Closed before the next one is opened: it may need the same port.
        self.socket = None;
        self.deadline = sys::clock::now() + self.plan.connect_time();
        let relay = self.plan.relay(&way);
        let no_socket = |e: io::Error| Failure::NoSocket(reason(&e));
        let mut made = None;
        let (socket, standing) = match self.plan.destination(&way) {
            Target::Unix(path) if relay.is_none() => {
                let socket =
                    Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None).map_err(no_socket)?;
                // It fails at once or not at all: no connection was ever under way.
                SockAddr::unix(path)
                    .and_then(|addr| socket.connect(&addr))
                    .map_err(|e| Failure::NoSocket(local_reason(&e)))?;
                (socket, true)
            }
            Target::SockPair(fd) if relay.is_none() => {
                let stream = sys::sockpair::connect(fd).map_err(|e| Failure::NoSocket(local_reason(&e)))?;
                (std::os::fd::OwnedFd::from(stream).into(), true)
            }
            Target::Ip(addr) if addr.port() != 0 => {
                if relay.is_some() && socks4::request(addr).is_none() {
                    return Err(Failure::Connect(io::Error::from_raw_os_error(libc::EINVAL)));
                }
                let addr = relay.unwrap_or(addr);
                made = self.plan.make(addr, &way);
                let socket = match made.and_then(|make| wire.take(make)) {
                    Some(socket) => socket,
                    None => self.plan.socket_for(addr, &way)?,
                };
                if way.speaks_first {
                    // The handshake's last ACK may go with what is sent or with the reset: one packet less for both.
                    socket.set_tcp_quickack(false).map_err(no_socket)?;
                }
                let standing = connect_to(&socket, &addr.into()).map_err(Failure::Connect)?;
                (socket, standing)
            }
            Target::Ip(_) | Target::Unix(_) | Target::SockPair(_) | Target::Nowhere => {
                return Err(Failure::NoSocket(String::new()));
            }
        };
        (self.readable, self.over, self.ended, self.told) = (false, false, false, Told::Nothing);
        (self.socket, self.make, self.way, self.wait) = (Some(socket), made, way, Wait::Connection);
        if standing {
            self.connected();
        }
        Ok(())
    }

    /// The connection stands.
    fn connected(&mut self) {
        if let Some(timeout) = self.plan.timeout_check {
            self.deadline = sys::clock::now() + timeout;
        }
        let further = self.plan.relay(&self.way).is_some();
        let request = match self.plan.destination(&self.way) {
            Target::Ip(addr) if further => socks4::request(addr),
            _ => None,
        };
        self.wait = match request {
            Some(request) => {
                self.dialogue.reached();
                self.out = (request.to_vec(), 0);
                Wait::Asking
            }
            None => self.introduction(),
        };
    }

    /// Begins to speak to the server itself.
    fn introduction(&mut self) -> Wait {
        let Some(how) = self.plan.introduction(&self.way) else {
            self.dialogue.connected();
            return Wait::Nothing;
        };
        let mut says = Says {
            // A connection of our own, which version 2 has a word for.
            addresses: self.ends().filter(|_| !how.v2 || self.plan.never_local),
            ..Says::default()
        };
        self.dialogue.scene().show(&mut |ctx| {
            let value = |tlv: &ProxyTlv| tlv.format.as_ref().map(|format| logformat::to_vec(format, ctx));
            let tlvs = &self.plan.server.ir.link.proxy_tlvs;
            says.own = tlvs.iter().map(|tlv| (tlv.kind, value(tlv).unwrap_or_default().into())).collect();
        });
        let header = proxy_protocol::header(how, &says);
        self.out = (header, 0);
        Wait::Introducing
    }

    /// Both ends of a connection over IP: the further one is the server's, though a relay is asked for it.
    fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        let socket = self.socket.as_ref()?;
        let local = socket.local_addr().ok()?.as_socket()?;
        match self.plan.destination(&self.way) {
            Target::Ip(server) if self.plan.relay(&self.way).is_some() => Some((local, server)),
            _ => Some((local, socket.peer_addr().ok()?.as_socket()?)),
        }
    }

    /// Sends what is to go out.
    fn flush(&mut self) -> Result<Progress, Verdict> {
        let (bytes, sent) = &mut self.out;
        while *sent < bytes.len() {
            let Some(mut socket) = self.socket.as_ref() else { return Err(self.dialogue.no_socket("")) };
            match unless_blocked(socket.write(&bytes[*sent..])) {
                Ok(Some(n)) => *sent += n,
                Ok(None) => return Ok(Progress::NotYet),
                Err(_) if matches!(self.wait, Wait::Asking) => {
                    return Err(self.trouble(socks4::Trouble::Send));
                }
                Err(e) => return Err(self.dialogue.failed(&reason(&e))),
            }
        }
        Ok(Progress::Done)
    }

    fn hear_relay(&mut self) -> Result<Progress, Verdict> {
        let (Wait::Relay(reply, had), Some(mut socket)) = (&mut self.wait, self.socket.as_ref()) else {
            return Err(self.trouble(socks4::Trouble::Receive));
        };
        while *had < reply.len() {
            match unless_blocked(socket.read(&mut reply[*had..])) {
                Ok(Some(0)) | Err(_) => return Err(self.trouble(socks4::Trouble::Receive)),
                Ok(Some(n)) => *had += n,
                Ok(None) => return Ok(Progress::NotYet),
            }
        }
        let judged = socks4::judge(*reply);
        judged.map(|()| Progress::Done).map_err(|trouble| self.trouble(trouble))
    }

    fn trouble(&self, trouble: socks4::Trouble) -> Verdict {
        self.dialogue.no_socket(trouble.words())
    }

    /// Hands what has come to the dialogue.
    fn hear(&mut self) -> Result<Progress, Verdict> {
        // Who still wants more after the end waits until the time is up.
        if !self.readable || self.ended {
            return Ok(Progress::NotYet);
        }
        let mut buffer = [0; READ_SIZE];
        let Some(mut socket) = self.socket.as_ref() else { return Err(self.dialogue.no_socket("")) };
        match unless_blocked(socket.read(&mut buffer)) {
            Ok(Some(0)) => {
                self.ended = true;
                self.dialogue.closed();
            }
            Ok(Some(n)) => {
                self.readable = self.over || n == buffer.len();
                self.dialogue.received(&buffer[..n]);
            }
            Ok(None) => {
                self.readable = false;
                return Ok(Progress::NotYet);
            }
            Err(e) => return Err(self.dialogue.failed(&reason(&e))),
        }
        Ok(Progress::Done)
    }
}
