//! A proxy on loopback with scripted clients and origins.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use crate::ir::proxy::{Caps, Frontend, Mode, Proxy};
use crate::ir::server::{Lookup, Server, ServerAddr};
use crate::ir::{Bind, BindAddr, Config, ProxyIdx};
use crate::live::Live;
use crate::log::{Identity, Logger};
use crate::proxy::{Engine, NoService, bind_all};
use crate::sys::home::Home;

/// Long enough for anything that should happen at once on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A section with nothing configured.
pub(super) fn proxy(name: &str, mode: Mode) -> Proxy {
    Proxy {
        id: 1,
        mode,
        frontend: Some(Box::new(Frontend {
            binds: vec![bind()],
            default_backend: Some(ProxyIdx(0)),
            ..Frontend::default()
        })),
        ..Proxy::new(name, Caps::Listen)
    }
}

fn bind() -> Bind {
    Bind {
        guid: None,
        addr: BindAddr::Tcp(([127, 0, 0, 1], 0).into()),
        name: None,
        id: 1,
        maxconn: None,
        backlog: None,
        transparent: false,
        interface: None,
        namespace: None,
        accept_proxy: false,
        netscaler: None,
        nice: 0,
        v6only: None,
        tcp: Default::default(),
        mode: None,
        uid: None,
        gid: None,
        level: Default::default(),
        place: Default::default(),
    }
}

/// A server line.
pub(super) fn server(name: &str, addr: SocketAddr) -> Server {
    let lookup = Arc::new(Lookup { prevent_dup_ip: false, ..Lookup::default() });
    Server { id: 1, lookup, ..Server::new(name, ServerAddr::Ip(addr)) }
}

/// Run sections written in HAProxy's language. `@0`, `@1`... are the addresses of `servers`; the first section is the
/// one that [`Running::connect`] reaches. Every `bind` line gets a free port.
pub(super) fn written(servers: &[SocketAddr], text: &str) -> Running {
    let mut text = text.to_owned();
    for (i, addr) in servers.iter().enumerate() {
        text = text.replace(&format!("@{i}"), &addr.to_string());
    }
    let source = crate::lower::Source { name: "t.cfg".into(), text: text.into() };
    let loaded = crate::lower::load(vec![source], &crate::lower::System::default());
    let Some(mut config) = loaded.config else { panic!("{:?}", loaded.diagnostics) };
    for bind in config
        .proxies
        .iter_mut()
        .filter_map(|p| Arc::make_mut(p).frontend.as_mut())
        .flat_map(|f| &mut f.binds)
    {
        bind.addr = BindAddr::Tcp(([127, 0, 0, 1], 0).into());
    }
    run_all(config)
}

/// A running proxy.
pub(super) struct Running {
    pub(super) live: Arc<Live>,
    pub(super) addr: SocketAddr,
    /// The first section.
    proxy: Arc<crate::live::Proxy>,
    engine: Option<Engine>,
}

/// Run one `listen` section.
pub(super) fn run(section: Proxy) -> Running {
    run_all(Config { proxies: vec![Arc::new(section)], ..Config::default() })
}

fn run_all(config: Config) -> Running {
    let identity = Identity { hostname: None, tag: "test".into(), pid: 1 };
    let live = Live::new(Arc::new(config), Arc::new(Logger::new(identity)), 1000);
    let threads = live.config.global.nbthread.map_or(1, |n| n as usize);
    // Port 0 is asked for twice, first without SO_REUSEPORT: another test may take the port in between.
    let bound = (0..20).find_map(|_| bind_all(&live, threads, &mut Vec::new()).ok()).expect("a free port");
    let addr = bound[0].sockets[0].local_addr().unwrap();
    let engine = Engine::start(live.clone(), bound, Arc::new(NoService), threads, Home::Apart).unwrap();
    Running { proxy: live.proxies()[0].clone(), live, addr, engine: Some(engine) }
}

/// An HTTP `listen` section in front of these servers, edited.
pub(super) fn http(servers: &[SocketAddr], edit: impl FnOnce(&mut Proxy)) -> Running {
    section(Mode::Http, servers, edit)
}

/// A TCP one.
pub(super) fn tcp(servers: &[SocketAddr], edit: impl FnOnce(&mut Proxy)) -> Running {
    section(Mode::Tcp, servers, edit)
}

fn section(mode: Mode, servers: &[SocketAddr], edit: impl FnOnce(&mut Proxy)) -> Running {
    let mut p = proxy("p", mode);
    if let Some(b) = &mut p.backend {
        b.servers = servers.iter().enumerate().map(|(i, a)| server(&format!("s{i}"), *a)).collect();
    }
    edit(&mut p);
    run(p)
}

impl Running {
    pub(super) fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { stream }
    }

    pub(super) fn frontend(&self) -> &crate::live::Frontend {
        self.proxy.frontend.as_ref().unwrap()
    }

    pub(super) fn backend(&self) -> &crate::live::Backend {
        self.proxy.backend.as_ref().unwrap()
    }

    /// Connections that wait without a task.
    pub(super) fn parked(&self) -> u32 {
        self.engine.as_ref().unwrap().parked()
    }

    /// Stop softly and wait for the end.
    pub(super) fn finish(mut self) {
        if let Some(engine) = self.engine.take() {
            engine.finish();
            engine.join(Some(Instant::now() + PATIENCE));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.quit();
            engine.join(None);
        }
    }
}

/// Wait until `cond` holds.
pub(super) fn eventually(what: &str, mut cond: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !cond() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A client that knows just enough of HTTP to see where a message ends.
pub(super) struct Client {
    pub(super) stream: TcpStream,
}

impl Client {
    pub(super) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Read a head.
    pub(super) fn head(&mut self) -> String {
        let mut out = Vec::new();
        let mut byte = [0];
        while !out.ends_with(b"\r\n\r\n") {
            let n = self.stream.read(&mut byte).unwrap();
            assert!(n > 0, "closed inside a head: {:?}", String::from_utf8_lossy(&out));
            out.push(byte[0]);
        }
        String::from_utf8(out).unwrap()
    }

    /// Read `n` bytes.
    pub(super) fn bytes(&mut self, n: usize) -> Vec<u8> {
        let mut out = vec![0; n];
        self.stream.read_exact(&mut out).unwrap();
        out
    }

    /// Read what is there.
    pub(super) fn some(&mut self) -> Vec<u8> {
        let mut out = vec![0; 65536];
        let n = self.stream.read(&mut out).unwrap();
        assert!(n > 0, "closed");
        out.truncate(n);
        out
    }

    /// Read a response with a Content-Length.
    pub(super) fn response(&mut self) -> (String, String) {
        let head = self.head();
        let length = head
            .lines()
            .find_map(|l| l.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case("content-length")))
            .map_or(0, |(_, v)| v.trim().parse().unwrap());
        let body = self.bytes(length);
        (head, String::from_utf8(body).unwrap())
    }

    /// Read until the other side closes. A reset counts as a close.
    pub(super) fn rest(&mut self) -> String {
        let mut out = Vec::new();
        let _ = self.stream.read_to_end(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Is the connection closed without another byte?
    pub(super) fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0) | Err(_))
    }
}

/// An origin: every accepted connection is handed to the script, in its own thread.
pub(super) struct Origin {
    pub(super) addr: SocketAddr,
    seen: Receiver<String>,
}

/// A connection as a script has it.
pub(super) struct Served {
    pub(super) client: Client,
    /// Number of the connection, from 0.
    pub(super) number: usize,
    heads: Sender<String>,
}

impl Served {
    /// Read a request head; `None`: the proxy closed.
    pub(super) fn request(&mut self) -> Option<String> {
        if self.client.stream.peek(&mut [0]).ok()? == 0 {
            return None;
        }
        let head = self.client.head();
        let _ = self.heads.send(head.clone());
        Some(head)
    }

    pub(super) fn reply(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.client.stream.write_all(bytes.as_ref());
    }
}

impl Origin {
    /// Run `script` for each connection.
    pub(super) fn new(script: impl Fn(Served) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (heads, seen) = channel();
        let script = Arc::new(script);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let Ok(stream) = stream else { return };
                let (script, heads) = (script.clone(), heads.clone());
                let _ = stream.set_read_timeout(Some(PATIENCE));
                std::thread::spawn(move || script(Served { client: Client { stream }, number, heads }));
            }
        });
        Self { addr, seen }
    }

    /// Answers every request with its own name.
    pub(super) fn named(name: &'static str) -> Self {
        Self::new(move |mut c| {
            while c.request().is_some() {
                c.reply(ok(name));
            }
        })
    }

    /// Sends these bytes for every request and closes.
    pub(super) fn once(bytes: &'static [u8]) -> Self {
        Self::new(move |mut c| {
            if c.request().is_some() {
                c.reply(bytes);
            }
        })
    }

    /// The next request head it got.
    pub(super) fn saw(&self) -> String {
        self.seen.recv_timeout(PATIENCE).expect("a request at the origin")
    }

    /// Did it get none?
    pub(super) fn saw_nothing(&self) -> bool {
        self.seen.try_recv().is_err()
    }
}

/// A plain answer.
pub(super) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// An address that refuses connections.
pub(super) fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
