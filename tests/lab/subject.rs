//! The programs under test, and the configuration files they read.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::host::Host;
use super::process::Process;

/// Which program a personality is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Program {
    path: PathBuf,
    ours: bool,
}

impl Program {
    /// The installed program of this name: what ours is compared with.
    pub(crate) fn reference(name: &str) -> Self {
        Self { path: super::parts::find(name).unwrap(), ours: false }
    }

    /// Whether this is Tandem.
    pub(crate) fn is_ours(&self) -> bool {
        self.ours
    }

    /// A command that calls it.
    pub(crate) fn command(&self) -> Command {
        Command::new(&self.path)
    }
}

/// The proxy under test.
pub(crate) fn proxy() -> Program {
    chosen("TANDEM_TEST_HAPROXY", "haproxy")
}

/// The VRRP daemon under test.
pub(crate) fn keepalived() -> Program {
    chosen("TANDEM_TEST_KEEPALIVED", "keepalived")
}

fn chosen(variable: &str, name: &str) -> Program {
    std::env::var_os(variable).map_or_else(
        || Program { path: links().join(name), ours: true },
        |path| Program { path: path.into(), ours: false },
    )
}

/// A directory where our one binary has the names it is called by.
fn links() -> &'static Path {
    static LINKS: OnceLock<PathBuf> = OnceLock::new();
    LINKS.get_or_init(|| {
        // Beside the other build products, one per run: statics are never dropped, so a temporary one would stay.
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("links");
        std::fs::create_dir_all(&dir).unwrap();
        for name in ["haproxy", "keepalived"] {
            let fresh = dir.join(format!("{name}.{}", std::process::id()));
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tandem"), &fresh).unwrap();
            std::fs::rename(&fresh, dir.join(name)).unwrap();
        }
        dir
    })
}

/// A configuration file of the demonstration systems, from the real ones or from our own.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    path: PathBuf,
}

impl Config {
    /// A file of `compat-fixtures`, such as `haproxy/stateless-ha.cfg`.
    pub(crate) fn fixture(name: &str) -> Self {
        Self { path: Path::new(env!("CARGO_MANIFEST_DIR")).join("compat-fixtures").join(name) }
    }

    /// A file of the demos, such as `stateless-ha/haproxy.cfg`, byte for byte.
    pub(crate) fn demo(name: &str) -> Self {
        Self { path: super::parts::demos().join(name) }
    }

    /// A file written for this test.
    pub(crate) fn written(host: &Host, name: &str, text: &str) -> Self {
        Self { path: host.file(name, text) }
    }

    /// The file's text.
    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(&self.path).unwrap_or_else(|error| panic!("{}: {error}", self.path.display()))
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// This file with a change, for the exercises that ask for one.
    pub(crate) fn with(&self, host: &Host, from: &str, to: &str) -> Self {
        let text = self.text();
        assert!(text.contains(from), "{} has no {from:?}", self.path.display());
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        Self::written(host, &name, &text.replace(from, to))
    }
}

impl Host {
    /// Starts a proxy in the foreground with this configuration.
    pub(crate) fn haproxy(&self, program: &Program, config: &Config) -> Process {
        let mut command = program.command();
        command.arg("-f").arg(config.path());
        self.spawn(command)
    }

    /// Starts a VRRP daemon in the foreground, logging to its console.
    pub(crate) fn keepalived(&self, program: &Program, config: &Config) -> Process {
        let mut command = program.command();
        command.args(["-n", "-l", "-D", "-f"]).arg(config.path());
        self.spawn(command)
    }
}

/// Lets every user into a directory.
pub(crate) fn open_to_all(dir: &Path) {
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
}
