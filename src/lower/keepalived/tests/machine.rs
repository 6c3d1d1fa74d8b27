//! An imagined machine: every interface, `root` and `nobody`, and any script somebody needs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tandem_parser::keepalived::IncludeMatch;

use super::super::{Env, FileError, FileInfo, Interface, RouteName};
use crate::ir::vrrp::RunAs;

#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) missing_interfaces: Vec<&'static str>,
    pub(super) missing_files: Vec<&'static str>,
    pub(super) loose_files: Vec<&'static str>,
    pub(super) no_shebang: Vec<&'static str>,
    pub(super) script_user: bool,
    pub(super) running: bool,
    pub(super) offline: bool,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            missing_interfaces: Vec::new(),
            missing_files: Vec::new(),
            loose_files: Vec::new(),
            no_shebang: Vec::new(),
            script_user: true,
            running: false,
            offline: false,
        }
    }
}

impl Env for Machine {
    fn offline(&self) -> bool {
        self.offline
    }
    fn config_test(&self) -> bool {
        !self.running
    }
    fn config_id(&self) -> Option<String> {
        Some("node1".into())
    }
    fn interface(&self, name: &str) -> Option<Interface> {
        let known = !self.missing_interfaces.contains(&name);
        known.then(|| Interface { loopback: name == "lo", ..Interface::default() })
    }
    fn user(&self, name: &str) -> Option<RunAs> {
        match name {
            "root" => Some(RunAs { uid: 0, gid: 0 }),
            "nobody" => Some(RunAs { uid: 65534, gid: 65534 }),
            "keepalived_script" if self.script_user => Some(RunAs { uid: 999, gid: 999 }),
            _ => None,
        }
    }
    fn group(&self, name: &str) -> Option<u32> {
        (name == "staff").then_some(50)
    }
    fn own_user(&self) -> RunAs {
        RunAs::default()
    }
    fn resolve(&self, host: &str, port: u16) -> Option<SocketAddr> {
        host.parse().ok().map(|addr| SocketAddr::new(addr, port))
    }
    fn file(&self, path: &Path, _follow: bool) -> Result<FileInfo, FileError> {
        let name = path.display().to_string();
        if self.missing_files.contains(&name.as_str()) {
            return Err(FileError::Missing);
        }
        let directory = path.extension().is_none() && !name.contains("/bin/") && !name.contains("/sbin/");
        let mode = if directory { 0o040_755 } else { 0o100_755 };
        let loose = if self.loose_files.contains(&name.as_str()) { 0o002 } else { 0 };
        Ok(FileInfo { mode: mode | loose, uid: 0, gid: 0, id: (1, name.len() as u64) })
    }
    fn canonical(&self, path: &Path) -> Result<PathBuf, FileError> {
        self.file(path, true).map(|_| path.to_owned())
    }
    fn start(&self, path: &Path, _most: usize) -> Option<Vec<u8>> {
        if path.ends_with("vrrp.key") {
            return Some(format!("hex:{}\n", "0a".repeat(32)).into_bytes());
        }
        let shebang = !self.no_shebang.contains(&path.display().to_string().as_str());
        Some(if shebang { b"#!/bin/sh".to_vec() } else { b"echo hello".to_vec() })
    }
    fn search_path(&self) -> Vec<PathBuf> {
        vec!["/usr/bin".into()]
    }
    fn route_name(&self, _kind: RouteName, _name: &str) -> Option<u32> {
        None
    }
    fn find(&self, pattern: &str, _directory: &str) -> IncludeMatch {
        IncludeMatch { files: Vec::new(), missing: true, wildcards: pattern.contains('*') }
    }
}
