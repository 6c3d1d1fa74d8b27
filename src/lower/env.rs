//! What lowering asks of the world. Everything goes through [`Env`], so that tests and `check --offline` can
//! answer for it.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::Path;

use crate::sys::file;

/// The machine as a configuration refers to it; bare, but for what an implementation adds.
pub trait Env {
    /// An environment variable.
    fn var(&self, _name: &str) -> Option<String> {
        None
    }
    /// The contents of a file that the configuration names.
    ///
    /// # Errors
    /// As the system gives them.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Number of a user.
    fn user(&self, _name: &str) -> Option<u32> {
        None
    }
    /// Number of a group.
    fn group(&self, _name: &str) -> Option<u32> {
        None
    }
    /// Address of a host that must be known at load (listeners, log targets; servers are resolved later).
    fn resolve(&self, _host: &str) -> Option<IpAddr> {
        None
    }
    /// Whether this process was started with such a descriptor, of a socket.
    ///
    /// # Errors
    /// As the system gives them.
    fn socket(&self, _fd: i32) -> io::Result<()> {
        Ok(())
    }
    /// Judge the text alone: what this machine lacks is a notice.
    fn offline(&self) -> bool {
        false
    }
    /// This machine's name.
    fn hostname(&self) -> String {
        nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// This machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct System {
    /// Judge the text alone.
    pub offline: bool,
}

impl Env for System {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        file::read(path)
    }

    fn user(&self, name: &str) -> Option<u32> {
        nix::unistd::User::from_name(name).ok().flatten().map(|user| user.uid.as_raw())
    }

    fn group(&self, name: &str) -> Option<u32> {
        nix::unistd::Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw())
    }

    fn resolve(&self, host: &str) -> Option<IpAddr> {
        if self.offline {
            return (host == "localhost").then_some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
        }
        (host, 0).to_socket_addrs().ok()?.next().map(|addr| addr.ip())
    }

    fn socket(&self, fd: i32) -> io::Result<()> {
        if self.offline { Ok(()) } else { crate::sys::sockpair::inherited(fd) }
    }

    fn offline(&self) -> bool {
        self.offline
    }
}
