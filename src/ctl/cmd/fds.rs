//! `show fd`: open descriptors by kind (management guide, `show fd`).

use std::collections::HashSet;
use std::net::SocketAddr;

use socket2::SockAddr;

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use crate::ir::global::Level;
use crate::sys::fd::{SocketFacts, socket_facts};

pub(super) const COMMANDS: &[Command] = &[command(
    &["show", "fd"],
    Level::Operator,
    "show fd [-!plcfbs]* [num]",
    "dump list of file descriptors in use or a specific one",
    show,
)];

/// What a descriptor is for, as far as the filters know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Pipe,
    Listener,
    /// A connection that a client made.
    Front,
    /// A connection that this process made.
    Back,
    /// Anything else: files, pollers, timers, sockets of other kinds.
    Other,
}

impl Kind {
    /// Its bit in a filter, for what can be asked for.
    fn bit(self) -> u8 {
        match self {
            Self::Pipe => 1,
            Self::Listener => 2,
            Self::Front => 4,
            Self::Back => 8,
            Self::Other => 16,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Pipe => "pipe",
            Self::Listener => "listener",
            Self::Front => "front",
            Self::Back => "back",
            Self::Other => "other",
        }
    }
}

/// Bits of [`Kind`] that a word like `c!f` asks for; `None`: a character that means nothing.
fn filter(word: &str, mut chosen: u8) -> Option<u8> {
    let mut inverted = false;
    for c in word.chars() {
        let bits = match c {
            '-' | '!' => {
                inverted = true;
                // What is only taken away is taken from everything.
                if chosen == 0 {
                    chosen = u8::MAX;
                }
                continue;
            }
            'p' => 1,
            'l' => 2,
            'c' => 4 | 8,
            'f' => 4,
            'b' | 's' => 8,
            _ => return None,
        };
        chosen = if inverted { chosen & !bits } else { chosen | bits };
    }
    Some(chosen)
}

/// One that a client made has the address of a listener.
fn kind(target: &str, facts: Option<&SocketFacts>, listening: &Listening) -> Kind {
    match facts {
        None if target.starts_with("pipe:") => Kind::Pipe,
        None => Kind::Other,
        Some(facts) if facts.listens => Kind::Listener,
        Some(SocketFacts { local: Some(local), peer: Some(_), .. }) if listening.has(local) => Kind::Front,
        Some(SocketFacts { peer: Some(_), .. }) => Kind::Back,
        Some(_) => Kind::Other,
    }
}

/// Where this process listens.
#[derive(Default)]
struct Listening {
    ports: HashSet<u16>,
    paths: HashSet<Vec<u8>>,
}

/// The path of a unix socket, or its abstract name.
fn path(addr: &SockAddr) -> Option<Vec<u8>> {
    let path = addr.as_pathname().map(|p| p.as_os_str().as_encoded_bytes().to_vec());
    path.or_else(|| addr.as_abstract_namespace().map(<[u8]>::to_vec))
}

impl Listening {
    fn add(&mut self, addr: &SockAddr) {
        self.ports.extend(addr.as_socket().map(|a| a.port()));
        self.paths.extend(path(addr));
    }

    fn has(&self, addr: &SockAddr) -> bool {
        addr.as_socket().is_some_and(|a| self.ports.contains(&a.port()))
            || path(addr).is_some_and(|path| self.paths.contains(&path))
    }
}

fn text(addr: Option<&SockAddr>) -> String {
    let Some(addr) = addr else { return "-".to_owned() };
    match (addr.as_socket(), path(addr)) {
        (Some(addr), _) => SocketAddr::new(addr.ip().to_canonical(), addr.port()).to_string(),
        (None, Some(path)) => format!("unix:{}", String::from_utf8_lossy(&path).escape_debug()),
        (None, None) if addr.is_unix() => "unix".to_owned(),
        (None, None) => "-".to_owned(),
    }
}

/// Open descriptors with where they lead; the system knows them best.
fn show(call: &mut Call<'_>) -> Reply {
    let (mut chosen, mut number) = (0, None);
    for word in call.args {
        // `<group>/<fd>`: there is one table for all threads.
        let digits = word.rsplit_once('/').map_or(word.as_str(), |(_, fd)| fd);
        if word.contains('/') || word.starts_with(|c: char| c.is_ascii_digit()) {
            match digits.parse::<i32>() {
                Ok(fd) => number = Some(fd),
                Err(_) if digits.is_empty() => {}
                Err(_) => return Reply::error("Invalid FD number\n"),
            }
            continue;
        }
        match filter(word, chosen) {
            Some(bits) => chosen = bits,
            None => return Reply::error("Invalid FD type\n"),
        }
    }
    let Ok(dir) = std::fs::read_dir("/proc/self/fd") else {
        return Reply::error("The system does not tell (is /proc there?).\n");
    };
    let mut files: Vec<(i32, String, Option<SocketFacts>)> = dir
        .flatten()
        .filter_map(|entry| {
            let fd: i32 = entry.file_name().to_str()?.parse().ok()?;
            let target = std::fs::read_link(entry.path()).ok()?.display().to_string();
            let facts = target.starts_with("socket:").then(|| socket_facts(fd)).flatten();
            Some((fd, target, facts))
        })
        .collect();
    files.sort_unstable_by_key(|(fd, ..)| *fd);
    let mut listening = Listening::default();
    for facts in files.iter().filter_map(|(.., facts)| facts.as_ref()).filter(|facts| facts.listens) {
        facts.local.iter().for_each(|addr| listening.add(addr));
    }
    let line = |(fd, target, facts): &(i32, String, Option<SocketFacts>)| {
        let kind = kind(target, facts.as_ref(), &listening);
        let wanted = number.is_none_or(|number| number == *fd) && (chosen == 0 || chosen & kind.bit() != 0);
        let ends = facts.as_ref().map_or_else(String::new, |facts| {
            format!(" local={} peer={}", text(facts.local.as_ref()), text(facts.peer.as_ref()))
        });
        wanted.then(|| format!("{fd:>7} : type={} {target}{ends}\n", kind.name()))
    };
    Reply::list(files.iter().filter_map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_add_and_take_away() {
        let (p, l, f, b) = (Kind::Pipe.bit(), Kind::Listener.bit(), Kind::Front.bit(), Kind::Back.bit());
        assert_eq!(filter("l", 0), Some(l));
        assert_eq!(filter("pc", 0), Some(p | f | b));
        assert_eq!(filter("c!f", 0), Some(b));
        assert_eq!(filter("s", 0), Some(b));
        // Everything but pipes and listeners.
        assert_eq!(filter("-pl", 0), Some(!(p | l)));
        assert_eq!(filter("!c", p | f), Some(p));
        assert_eq!(filter("x", 0), None);
    }

    #[test]
    fn a_connection_is_told_by_the_side_that_listens() {
        let door = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let made = std::net::TcpStream::connect(door.local_addr().unwrap()).unwrap();
        let (taken, _) = door.accept().unwrap();
        use std::os::fd::AsRawFd as _;
        let facts = |fd: i32| socket_facts(fd).unwrap();
        let mut listening = Listening::default();
        listening.add(facts(door.as_raw_fd()).local.as_ref().unwrap());
        let kind = |fd: i32| kind("socket:[1]", Some(&facts(fd)), &listening);
        assert_eq!(
            [kind(door.as_raw_fd()), kind(taken.as_raw_fd()), kind(made.as_raw_fd())],
            [Kind::Listener, Kind::Front, Kind::Back]
        );
        let (pipe, _other) = std::io::pipe().unwrap();
        assert!(socket_facts(pipe.as_raw_fd()).is_none() && socket_facts(-1).is_none());
        assert_eq!(super::kind("pipe:[7]", None, &listening), Kind::Pipe);
    }
}
