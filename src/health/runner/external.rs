//! `option external-check`: a program that checks (manual section 4.2, `external-check command`).

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Command;
use tokio::time::timeout;

use crate::health::{Status, Verdict};
use crate::ir::bind::BindAddr;
use crate::ir::check::External;
use crate::ir::proxy::Mode;
use crate::live::{Address, Proxy, Server};

/// What stands for an address that there is not.
const NOT_USED: &str = "NOT_USED";

/// `PATH` where none is configured.
const DEFAULT_PATH: &str = "/usr/bin:/bin";

/// Exit status of a program that could not be started.
const NOT_STARTED: i32 = 255;

/// Code of a program that a signal ended.
const KILLED: i32 = -1;

/// How long a program that was asked to end may take before it is killed.
const FAREWELL: Duration = Duration::from_secs(5);

/// A program and what it is told.
#[derive(Clone, Debug)]
pub(super) struct Call {
    external: External,
    arguments: [String; 4],
    environment: Vec<(&'static str, String)>,
}

/// Address and port of the first listener.
fn listener(proxy: &Proxy) -> (String, String) {
    match proxy.ir.frontend.as_ref().and_then(|half| half.binds.first()).map(|bind| &bind.addr) {
        Some(BindAddr::Tcp(addr)) => (addr.ip().to_string(), addr.port().to_string()),
        Some(BindAddr::Unix(path)) => (path.display().to_string(), NOT_USED.to_owned()),
        _ => (NOT_USED.to_owned(), NOT_USED.to_owned()),
    }
}

impl Call {
    pub(super) fn new(external: &External, proxy: &Proxy, server: &Server) -> Self {
        let (proxy_addr, proxy_port) = listener(proxy);
        let (addr, port) = match server.address() {
            Address::Ip(addr) => (addr.ip().to_string(), addr.port().to_string()),
            Address::Unix(path) => (path.display().to_string(), NOT_USED.to_owned()),
            Address::SockPair(_) => (NOT_USED.to_owned(), NOT_USED.to_owned()),
            Address::Unknown => (String::new(), String::new()),
        };
        // The environment has nothing where the arguments have a word for it.
        let known = |text: &str| if text == NOT_USED { String::new() } else { text.to_owned() };
        let protocol = if proxy.ir.mode == Mode::Http { "h1" } else { "tcp" };
        let environment = vec![
            ("PATH", external.path.clone().unwrap_or_else(|| DEFAULT_PATH.to_owned())),
            ("HAPROXY_PROXY_NAME", proxy.ir.name.clone()),
            ("HAPROXY_PROXY_ID", proxy.ir.id.to_string()),
            ("HAPROXY_PROXY_ADDR", known(&proxy_addr)),
            ("HAPROXY_PROXY_PORT", known(&proxy_port)),
            ("HAPROXY_SERVER_NAME", server.name().to_owned()),
            ("HAPROXY_SERVER_ID", server.ir.id.to_string()),
            ("HAPROXY_SERVER_ADDR", known(&addr)),
            ("HAPROXY_SERVER_PORT", known(&port)),
            ("HAPROXY_SERVER_MAXCONN", server.maxconn().to_string()),
            ("HAPROXY_SERVER_CURCONN", server.counters.sessions.get().to_string()),
            ("HAPROXY_SERVER_SSL", "0".to_owned()),
            ("HAPROXY_SERVER_PROTO", protocol.to_owned()),
        ];
        Self { external: external.clone(), arguments: [proxy_addr, proxy_port, addr, port], environment }
    }
}

/// Runs the program to its end, or until its time is over.
pub(super) async fn run(call: &Call, limit: Duration) -> Verdict {
    let mut command = Command::new(&call.external.command);
    if !call.external.preserve_env {
        command.env_clear();
    }
    command
        .args(&call.arguments)
        .envs(call.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.raw_os_error() == Some(nix::libc::EAGAIN) => {
            return Verdict::new(Status::SockErr, 0, super::probe::reason(&error).as_bytes());
        }
        Err(_) => return Verdict::new(Status::ProcErr, NOT_STARTED, b""),
    };
    match timeout(limit, child.wait()).await {
        Ok(Ok(status)) if status.success() => Verdict::new(Status::ProcOk, 0, b""),
        Ok(ended) => {
            let code = ended.map_or(NOT_STARTED, |status| status.code().unwrap_or(KILLED));
            Verdict::new(Status::ProcErr, code, b"")
        }
        Err(_) => {
            if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
                // It may have ended in this moment.
                let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            }
            // Waited for elsewhere, so that the next check is not; what still runs then is killed.
            tokio::spawn(async move {
                let _ = timeout(FAREWELL, child.wait()).await;
            });
            Verdict::new(Status::ProcTout, 0, b"")
        }
    }
}
