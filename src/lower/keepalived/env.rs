//! What a keepalived configuration refers to on the machine: interfaces, users, scripts, included files.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tandem_parser::keepalived::{IncludeKind, IncludeMatch};

use crate::ir::vrrp::RunAs;

/// Facts about an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The loopback interface: VRRP cannot run there.
    pub loopback: bool,
    /// It can send to groups.
    pub multicast: bool,
    /// Largest packet, bytes.
    pub mtu: u32,
}

impl Default for Interface {
    fn default() -> Self {
        Self { loopback: false, multicast: true, mtu: 1500 }
    }
}

/// Facts about a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileInfo {
    /// Kind and permission bits, as `st_mode`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device and inode: the same for two names of one file.
    pub id: (u64, u64),
}

/// Why a file could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileError {
    /// No such file or directory, or a part of the path is no directory.
    Missing,
    /// Permission denied.
    Denied,
    /// Anything else, in the system's words.
    Other(String),
}

impl FileError {
    /// The system's words.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Missing => "No such file or directory",
            Self::Denied => "Permission denied",
            Self::Other(text) => text,
        }
    }
}

/// The machine, as far as a configuration can refer to it.
pub trait Env {
    /// Judge the text alone: what this machine lacks is a note.
    fn offline(&self) -> bool {
        false
    }
    /// Checking, as `--config-test` does: numbers are taken strictly.
    fn config_test(&self) -> bool {
        true
    }
    /// `--config-id`, by default the host name.
    fn config_id(&self) -> Option<String>;
    /// What every include must satisfy (`--all-config`).
    fn include_check(&self) -> IncludeKind {
        IncludeKind::default()
    }
    /// An interface by name.
    fn interface(&self, name: &str) -> Option<Interface>;
    /// User id and primary group of a user.
    fn user(&self, name: &str) -> Option<RunAs>;
    /// Id of a group.
    fn group(&self, name: &str) -> Option<u32>;
    /// Who this process is.
    fn own_user(&self) -> RunAs;
    /// Address of a mail server.
    fn resolve(&self, host: &str, port: u16) -> Option<SocketAddr>;
    /// A file; `follow`: what a symbolic link points to.
    ///
    /// # Errors
    /// If it cannot be looked at.
    fn file(&self, path: &Path, follow: bool) -> Result<FileInfo, FileError>;
    /// The path without `.`, `..` and symbolic links.
    ///
    /// # Errors
    /// If a part of it is missing.
    fn canonical(&self, path: &Path) -> Result<PathBuf, FileError>;
    /// The first bytes of a file.
    fn head(&self, path: &Path) -> Option<Vec<u8>> {
        self.start(path, 16)
    }
    /// The first `most` bytes of a file.
    fn start(&self, path: &Path, most: usize) -> Option<Vec<u8>>;
    /// Directories searched for commands without a `/`.
    fn search_path(&self) -> Vec<PathBuf>;
    /// Number of a routing table, protocol or scope by name (`/etc/iproute2`).
    fn route_name(&self, kind: RouteName, name: &str) -> Option<u32>;
    /// Files that match an include pattern.
    fn find(&self, pattern: &str, directory: &str) -> IncludeMatch;
    /// How many lines definitions and repetitions may bring in.
    fn most_expanded(&self) -> usize {
        tandem_parser::keepalived::MOST_EXPANDED
    }
}

/// Kinds of names iproute2 keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteName {
    /// `rt_tables`.
    Table,
    /// `rt_protos`.
    Protocol,
    /// `rt_scopes`.
    Scope,
    /// `rt_dsfield`.
    DsField,
    /// `rt_realms`.
    Realm,
}

impl RouteName {
    /// Names every machine has.
    #[must_use]
    pub fn builtin(self, name: &str) -> Option<u32> {
        let table: &[(&str, u32)] = match self {
            Self::Table => &[("default", 253), ("main", 254), ("local", 255), ("unspec", 0)],
            Self::Protocol => &[
                ("unspec", 0),
                ("redirect", 1),
                ("kernel", 2),
                ("boot", 3),
                ("static", 4),
                ("ra", 9),
                ("zebra", 11),
                ("bird", 12),
                ("dhcp", 16),
                ("keepalived", 18),
                ("babel", 42),
                ("bgp", 186),
                ("isis", 187),
                ("ospf", 188),
                ("rip", 189),
            ],
            Self::Scope => &[
                ("global", 0),
                ("universe", 0),
                ("site", 200),
                ("link", 253),
                ("host", 254),
                ("nowhere", 255),
            ],
            Self::DsField | Self::Realm => &[],
        };
        table.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
    }
}
