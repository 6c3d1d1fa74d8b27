//! One load balancer of the demo: a network host that does what the storyteller writes on its standard input.
//!
//! Two processes: the outer one leaves the machine's namespaces, the inner one is the first process of the new
//! process namespace, so everything on the host dies with it.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::story::raw;
use crate::sys::link;

/// Hidden subcommand under which this program is its own host.
pub const SUBCOMMAND: &str = "demo-node";

/// What a host is told, one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// `net ADDRESS/PREFIX`: the link has arrived, use it.
    Net(String),
    /// `start NAME PROGRAM ARG...`.
    Start(String, Vec<String>),
    /// `kill NAME`: SIGKILL.
    Kill(String),
}

impl Order {
    /// The line that says it.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Net(address) => format!("net {address}\n"),
            Self::Start(name, command) => format!("start {name} {}\n", command.join(" ")),
            Self::Kill(name) => format!("kill {name}\n"),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace().map(str::to_owned);
        Some(match words.next()?.as_str() {
            "net" => Self::Net(words.next()?),
            "start" => Self::Start(words.next()?, words.collect()),
            "kill" => Self::Kill(words.next()?),
            _ => return None,
        })
    }
}

/// Entry of the hidden subcommand.
///
/// # Errors
/// What kept the host from coming up.
pub fn main(args: &[OsString]) -> io::Result<()> {
    let name = args.first().and_then(|a| a.to_str()).unwrap_or("node").to_owned();
    if args.get(1).is_some_and(|a| a == "init") { inner(&name) } else { outer(&name) }
}

fn outer(name: &str) -> io::Result<()> {
    unshare(
        CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC,
    )?;
    let mut inner = Command::new(std::env::current_exe()?).args([SUBCOMMAND, name, "init"]).spawn()?;
    inner.wait()?;
    Ok(())
}

fn inner(name: &str) -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    nix::unistd::sethostname(name)?;
    let none: Option<&Path> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), none)?;
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), none)?;
    link::up("lo")?;
    raw("ready\n");

    let (orders, inbox) = mpsc::channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if let Some(order) = Order::parse(&line)
                && orders.send(order).is_err()
            {
                break;
            }
        }
        // The storyteller is gone: so is this host, and everything on it with its first process.
        std::process::exit(0);
    });
    let mut children: HashMap<String, Child> = HashMap::new();
    while let Ok(order) = inbox.recv() {
        match order {
            Order::Net(address) => {
                link::up("eth0")?;
                link::add_address("eth0", &address)?;
            }
            Order::Start(name, command) => {
                let child = start(&name, &command)?;
                children.insert(name, child);
            }
            Order::Kill(name) => {
                if let Some(mut child) = children.remove(&name) {
                    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL)?;
                    child.wait()?;
                }
            }
        }
    }
    Ok(())
}

fn start(name: &str, command: &[String]) -> io::Result<Child> {
    let (program, args) = command.split_first().ok_or_else(|| io::Error::other("nothing to start"))?;
    let mut child = Command::new(PathBuf::from(program))
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    forward(name, child.stdout.take());
    forward(name, child.stderr.take());
    Ok(child)
}

/// Passes a program's lines on with its name in front.
fn forward(name: &str, from: Option<impl Read + Send + 'static>) {
    let Some(from) = from else { return };
    let name = name.to_owned();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { return };
            raw(&format!("{name} {line}\n"));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_survive_the_line() {
        for order in [
            Order::Net("172.20.0.11/16".into()),
            Order::Start("proxy".into(), vec!["/x/haproxy".into(), "-f".into(), "a.cfg".into()]),
            Order::Kill("proxy".into()),
        ] {
            assert_eq!(Order::parse(order.line().trim()), Some(order));
        }
        assert_eq!(Order::parse("nonsense"), None);
    }
}
