//! The machine as it is, and a machine that is only imagined.

use std::collections::HashMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::net::if_::InterfaceFlags;
use tandem_parser::keepalived::{IncludeKind, IncludeMatch, IncludedFile};

use super::env::{Env, FileError, FileInfo, Interface, RouteName};
use super::glob;
use crate::ir::vrrp::RunAs;
use crate::sys::file;

/// This machine.
#[derive(Clone, Debug, Default)]
pub struct System {
    interfaces: HashMap<String, Interface>,
    config_id: Option<String>,
    config_test: bool,
    offline: bool,
    include_check: IncludeKind,
}

impl System {
    /// Looks at the interfaces once. `config_id`: `--config-id`; `None` is the host name.
    #[must_use]
    pub fn new(config_id: Option<String>, config_test: bool) -> Self {
        let mut interfaces = HashMap::new();
        for address in nix::ifaddrs::getifaddrs().into_iter().flatten() {
            let flags = address.flags;
            let found = Interface {
                loopback: flags.contains(InterfaceFlags::IFF_LOOPBACK),
                multicast: flags.contains(InterfaceFlags::IFF_MULTICAST),
                mtu: mtu(&address.interface_name).unwrap_or(1500),
            };
            interfaces.insert(address.interface_name, found);
        }
        let host = || nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        Self {
            interfaces,
            config_id: config_id.or_else(host),
            config_test,
            offline: false,
            include_check: IncludeKind::default(),
        }
    }

    /// As if every include were an `includea` (`-e`).
    #[must_use]
    pub fn every_include(mut self, all: bool) -> Self {
        self.include_check = IncludeKind::of(all.then_some('a'));
        self
    }

    /// Judges the text alone: what this machine lacks becomes a note.
    #[must_use]
    pub fn offline(mut self) -> Self {
        self.offline = true;
        self
    }
}

fn mtu(name: &str) -> Option<u32> {
    std::fs::read_to_string(Path::new("/sys/class/net").join(name).join("mtu")).ok()?.trim().parse().ok()
}

fn error(why: &std::io::Error) -> FileError {
    match why.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => FileError::Missing,
        std::io::ErrorKind::PermissionDenied => FileError::Denied,
        _ => FileError::Other(why.to_string()),
    }
}

impl Env for System {
    fn offline(&self) -> bool {
        self.offline
    }

    fn config_test(&self) -> bool {
        self.config_test
    }

    fn config_id(&self) -> Option<String> {
        self.config_id.clone()
    }

    fn include_check(&self) -> IncludeKind {
        self.include_check
    }

    fn interface(&self, name: &str) -> Option<Interface> {
        self.interfaces.get(name).copied()
    }

    fn user(&self, name: &str) -> Option<RunAs> {
        let user = nix::unistd::User::from_name(name).ok().flatten()?;
        Some(RunAs { uid: user.uid.as_raw(), gid: user.gid.as_raw() })
    }

    fn group(&self, name: &str) -> Option<u32> {
        Some(nix::unistd::Group::from_name(name).ok().flatten()?.gid.as_raw())
    }

    fn own_user(&self) -> RunAs {
        RunAs { uid: nix::unistd::geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() }
    }

    fn resolve(&self, host: &str, port: u16) -> Option<SocketAddr> {
        if let Ok(addr) = host.parse() {
            return Some(SocketAddr::new(addr, port));
        }
        if self.offline {
            return None;
        }
        (host, port).to_socket_addrs().ok()?.next()
    }

    fn file(&self, path: &Path, follow: bool) -> Result<FileInfo, FileError> {
        let meta = if follow { std::fs::metadata(path) } else { std::fs::symlink_metadata(path) };
        let meta = meta.map_err(|why| error(&why))?;
        Ok(FileInfo { mode: meta.mode(), uid: meta.uid(), gid: meta.gid(), id: (meta.dev(), meta.ino()) })
    }

    fn canonical(&self, path: &Path) -> Result<PathBuf, FileError> {
        std::fs::canonicalize(path).map_err(|why| error(&why))
    }

    fn start(&self, path: &Path, most: usize) -> Option<Vec<u8>> {
        use std::io::Read;
        let mut bytes = Vec::new();
        std::fs::File::open(path).ok()?.take(most as u64).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    fn search_path(&self) -> Vec<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
        std::env::split_paths(&path).collect()
    }

    fn route_name(&self, kind: RouteName, name: &str) -> Option<u32> {
        let file = match kind {
            RouteName::Table => "rt_tables",
            RouteName::Protocol => "rt_protos",
            RouteName::Scope => "rt_scopes",
            RouteName::DsField => "rt_dsfield",
            RouteName::Realm => "rt_realms",
        };
        ["/etc/iproute2", "/usr/share/iproute2", "/usr/lib/iproute2"].iter().find_map(|directory| {
            let text = std::fs::read_to_string(Path::new(directory).join(file)).ok()?;
            text.lines().find_map(|line| {
                let line = line.split('#').next().unwrap_or("");
                let mut words = line.split_whitespace();
                let (number, known) = (words.next()?, words.next()?);
                let hex = number.strip_prefix("0x").map(|hex| u32::from_str_radix(hex, 16).ok());
                (known == name).then(|| hex.unwrap_or_else(|| number.parse().ok())).flatten()
            })
        })
    }

    fn find(&self, pattern: &str, directory: &str) -> IncludeMatch {
        let mut found =
            IncludeMatch { wildcards: pattern.contains(['*', '?', '[']), ..IncludeMatch::default() };
        for alternative in glob::braces(pattern) {
            let names = glob::expand(&alternative, Path::new(directory));
            found.missing |= names.is_empty() && !glob::may_match_nothing(&alternative, Path::new(directory));
            found.files.extend(names.into_iter().map(|name| included(name, Path::new(directory))));
        }
        found
    }
}

/// Reads one included file, or says in keepalived's words why it is skipped.
fn included(name: String, directory: &Path) -> IncludedFile {
    let path = directory.join(&name);
    let parent = path.parent().unwrap_or_else(|| Path::new("/")).display().to_string();
    let text = match std::fs::metadata(&path) {
        Ok(meta) if meta.is_dir() => Err(format!("Configuration file '{name}/' is a directory - skipping")),
        Ok(meta) if meta.is_file() && meta.mode() & 0o111 == 0 => file::read(&path).map_err(|why| {
            format!("Configuration file '{name}' open problem ({}) - skipping", error(&why).text())
        }),
        _ => Err(format!("Configuration file '{name}' is not a regular non-executable file - skipping")),
    };
    IncludedFile { name, directory: parent, text }
}
