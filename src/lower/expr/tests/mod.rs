//! The language from its text to its values.

mod diagnostics;
mod differential;
mod encoding;
mod eval;
mod fold;
mod formats;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tandem_parser::diagnostic::Diagnostic;
use tandem_parser::lex::Word;
use tandem_parser::span::{FileId, Span};

use super::{Language, LfUse, Owner, Site, World};
use crate::expr::ctx::{
    Buffered, Captures, Client, Clock, Ctx, Links, Live, Peer, Process, Progress, ProxyView, ServerView,
    Timers,
};
use crate::expr::{Vars, vars};
use crate::http::{Head, Version};
use crate::ir::expr::{
    Cond, LogFormat, ProcessNumber, ProxyNumber, Scope, ServerNumber, TimeoutName, Value, VarName,
};
use crate::ir::reference::References;
use crate::ir::userlist::{Password, User};
use crate::ir::{Place, ProxyIdx, Userlist};

/// A machine with a few files and names.
#[derive(Default)]
pub(in crate::lower) struct Machine {
    pub(in crate::lower) files: HashMap<&'static str, &'static str>,
    pub(in crate::lower) offline: bool,
    pub(in crate::lower) references: References,
}

impl World for Machine {
    fn read(&self, path: &str, _: Span) -> io::Result<Vec<u8>> {
        match self.files.get(path) {
            Some(text) => Ok(text.as_bytes().to_vec()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn var(&self, name: &str) -> Option<String> {
        (name == "SITE").then(|| "paris".to_owned())
    }

    fn hostname(&self) -> String {
        "node1".to_owned()
    }

    fn resolve(&self, host: &str) -> Option<IpAddr> {
        (host == "known.example").then(|| IpAddr::from([192, 0, 2, 7]))
    }

    fn offline(&self) -> bool {
        self.offline
    }

    fn references(&self) -> Option<&References> {
        Some(&self.references)
    }

    fn frontend(&self, name: &str) -> Option<ProxyIdx> {
        (name == "web").then_some(ProxyIdx(0))
    }

    fn backend(&self, name: &str) -> Option<ProxyIdx> {
        (name == "app").then_some(ProxyIdx(1))
    }

    fn server(&self, backend: ProxyIdx, name: &str) -> Option<u32> {
        (backend == ProxyIdx(1) && name == "s1").then_some(0)
    }

    fn userlist(&self, name: &str) -> Option<Arc<Userlist>> {
        let user = |name: &str, password: Password, groups: &[&str]| User {
            name: name.to_owned(),
            password,
            groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        };
        // The hash is of "secret", by crypt(3) with SHA-256.
        let hash = "$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi.";
        (name == "people").then(|| {
            Arc::new(Userlist {
                name: name.to_owned(),
                users: vec![
                    user("ann", Password::Clear("pw".into()), &["admins", "all"]),
                    user("bob", Password::Crypt(hash.into()), &["all"]),
                ],
                groups: ["admins", "all", "nobody"].map(str::to_owned).into(),
            })
        })
    }

    fn place(&self, _: Span) -> Place {
        Place { file: "t.cfg".into(), line: 1 }
    }
}

pub(in crate::lower) fn owner() -> Owner {
    Owner {
        name: "web".into(),
        http: true,
        idx: Some(ProxyIdx(0)),
        frontend: true,
        backend: false,
        inherited: false,
    }
}

pub(in crate::lower) fn language(machine: &Machine) -> Language<'_> {
    Language::new(machine, owner(), (vec![64, 64], vec![64]))
}

/// Words separated by blanks; `_` inside a word stands for a blank.
pub(in crate::lower) fn words(text: &str) -> Vec<Word> {
    let mut at = 0;
    text.split(' ')
        .map(|word| {
            let span = Span::new(FileId(0), at..at + word.len());
            at += word.len() + 1;
            Word::verbatim(word, span)
        })
        .filter(|word| !word.is_empty())
        .collect()
}

pub(in crate::lower) fn word(text: &str) -> Word {
    Word::verbatim(text, Span::new(FileId(0), 0..text.len()))
}

pub(in crate::lower) fn messages(said: &[Diagnostic]) -> Vec<String> {
    said.iter()
        .map(|d| {
            let help: String = d.help.iter().map(|h| format!(" | {h}")).collect();
            format!("{:?}: {}{help}", d.severity, d.message)
        })
        .collect()
}

/// A log-format string that must be right.
fn format(text: &str, used: LfUse, site: Site) -> LogFormat {
    format_on(&Machine::default(), text, used, site)
}

/// The same on a machine with files.
fn format_on(machine: &Machine, text: &str, used: LfUse, site: Site) -> LogFormat {
    let mut language = language(machine);
    let format = language.log_format(&word(text), used, site);
    format.unwrap_or_else(|| panic!("{text}: {:?}", messages(&language.finish())))
}

/// A condition that must be right.
fn cond(machine: &Machine, text: &str) -> Cond {
    let mut language = language(machine);
    let cond = language.cond(&words(&format!("if {text}")), Site::HttpRequest).flatten();
    cond.unwrap_or_else(|| panic!("{text}: {:?}", messages(&language.finish())))
}

/// Everything a [`Ctx`] borrows.
pub(in crate::lower) struct Fixture {
    pub(in crate::lower) request: Head,
    pub(in crate::lower) response: Option<Head>,
    pub(in crate::lower) vars: Vars,
    pub(in crate::lower) captures: Captures,
    pub(in crate::lower) src: SocketAddr,
    pub(in crate::lower) dst: SocketAddr,
    pub(in crate::lower) data: Vec<u8>,
    pub(in crate::lower) http: bool,
    pub(in crate::lower) is_final: bool,
    pub(in crate::lower) is_streamless: bool,
    pub(in crate::lower) zone: jiff::tz::TimeZone,
    pub(in crate::lower) line: String,
}

impl Fixture {
    pub(in crate::lower) fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Self {
        let mut request = Head::request(method.as_bytes(), uri.as_bytes(), Version::Http11);
        for (name, value) in headers {
            request.add(name.as_bytes(), value.as_bytes());
        }
        let mut vars = Vars::default();
        let name = |name: &str| VarName { scope: Scope::Txn, id: vars::id(name), name: name.into() };
        vars.set(&name("n"), Value::Int(7));
        vars.set(&name("s"), Value::Str((*b"hello").into()));
        vars.set(&name("key"), Value::Str((*b"c2VjcmV0").into()));
        Self {
            request,
            response: None,
            vars,
            captures: Captures::default(),
            src: SocketAddr::from(([192, 0, 2, 33], 40000)),
            dst: SocketAddr::from(([192, 0, 2, 1], 80)),
            data: Vec::new(),
            http: true,
            is_final: true,
            is_streamless: false,
            zone: jiff::tz::TimeZone::UTC,
            line: format!("{method} {uri} HTTP/1.1"),
        }
    }

    pub(in crate::lower) fn ctx(&self) -> Ctx<'_> {
        Ctx {
            clock: Clock { now_us: 1_714_124_398_774_000, zone: &self.zone },
            process: Process { hostname: "node1", pid: 4242, thread: 0 },
            client: Client {
                src: Some(Peer::Ip(self.src)),
                dst: Some(Peer::Ip(self.dst)),
                fc_src: Some(Peer::Ip(self.src)),
                fc_dst: Some(Peer::Ip(self.dst)),
                listener_name: None,
                listener_id: 1,
                accept_us: 1_714_124_398_700_000,
                received_proxy: Some(false),
                tlvs: &[],
                tls: false,
                first_request: true,
            },
            frontend: ProxyView {
                idx: ProxyIdx(0),
                id: 2,
                name: "web",
                http: self.http,
                default_backend: Some("app"),
                captures: (self.captures.request.len(), self.captures.response.len()),
            },
            backend: ProxyView {
                idx: ProxyIdx(1),
                id: 3,
                name: "app",
                http: self.http,
                ..ProxyView::default()
            },
            server: Some(ServerView {
                name: "s1",
                id: 1,
                index: 0,
                bc_src: Some(Peer::Ip(SocketAddr::from(([192, 0, 2, 1], 50000)))),
                bc_dst: Some(Peer::Ip(SocketAddr::from(([198, 51, 100, 9], 8080)))),
            }),
            no_server: "<NOSRV>",
            request: self.http.then_some(&self.request as _),
            response: self.response.as_ref().map(|head| head as _),
            request_data: Buffered { data: &self.data, ..Buffered::default() },
            response_data: Buffered::default(),
            vars: &self.vars,
            captures: &self.captures,
            progress: Progress {
                timers: Timers {
                    handshake: 1,
                    idle: 20,
                    request: 74,
                    queue: 80,
                    connect: 83,
                    data: 100,
                    close: 130,
                },
                status: 200,
                bytes_in: 120,
                bytes_out: 2750,
                request_line: Some(self.line.as_bytes()),
                unique_id: Some(b"ABC:1"),
                retries: 1,
                server_queue: 2,
                backend_queue: 3,
                request_counter: 10,
                log_counter: 11,
                links: Links { over: self.is_streamless, ..Links::default() },
                ..Progress::default()
            },
            live: &Numbers,
            is_final: self.is_final,
            not_http: false,
        }
    }
}

/// Live numbers that never change.
struct Numbers;

impl Live for Numbers {
    fn proxy(&self, proxy: ProxyIdx, number: ProxyNumber) -> i64 {
        i64::from(proxy.0) * 100
            + match number {
                ProxyNumber::UsableServers => 3,
                ProxyNumber::BackendConnections => 5,
                ProxyNumber::FrontendConnections => 6,
                _ => 0,
            }
    }

    fn server(&self, _: ProxyIdx, _: u32, number: ServerNumber) -> i64 {
        match number {
            ServerNumber::IsUp => 1,
            ServerNumber::Connections => 4,
            _ => 0,
        }
    }

    fn process(&self, _: ProcessNumber) -> i64 {
        8
    }

    fn listener_connections(&self) -> i64 {
        9
    }

    fn proxy_by_name(&self, name: &[u8]) -> Option<ProxyIdx> {
        (name == b"app").then_some(ProxyIdx(1))
    }

    fn proc_var(&self, _: &VarName) -> Option<Value> {
        Some(Value::Str((*b"shared").into()))
    }

    fn is_local(&self, addr: IpAddr) -> bool {
        addr.is_loopback()
    }

    fn random(&self) -> u64 {
        0x0123_4567_89ab_cdef
    }

    fn timeout(&self, _: TimeoutName) -> Option<i64> {
        Some(30_000)
    }
}
