//! The programs under test, and the configuration files they read.

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use regex::Regex;

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
    ///
    /// # Panics
    /// When it is not installed.
    pub(crate) fn reference(name: &str) -> Self {
        Self::installed(name).unwrap()
    }

    /// HAProxy to compare with: the one that `TANDEM_REFERENCE_HAPROXY` names, or the installed one.
    pub(crate) fn reference_haproxy() -> Self {
        let named = std::env::var_os("TANDEM_REFERENCE_HAPROXY");
        named.map_or_else(|| Self::reference("haproxy"), |path| Self { path: path.into(), ours: false })
    }

    /// The installed program of this name, if there is one.
    pub(crate) fn installed(name: &str) -> Option<Self> {
        super::parts::find(name).map(|path| Self { path, ours: false })
    }

    /// Whether this is Tandem.
    pub(crate) fn is_ours(&self) -> bool {
        self.ours
    }

    /// A command that calls it.
    pub(crate) fn command(&self) -> Command {
        Command::new(&self.path)
    }

    /// Whether it knows what the file asks for (`-c`), when called on `host`.
    pub(crate) fn takes(&self, host: &Host, config: &Config) -> bool {
        let mut check = self.command();
        check.arg("-c").arg("-f").arg(config.path());
        host.output(check).status.success()
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

/// Does the same with `ours` and with the installed program it is compared with, at the same time; they are called `ours`
/// and `theirs`, and so are their hosts.
pub(crate) fn beside<T: Send>(
    ours: &Program,
    reference: &str,
    what: impl Fn(&str, &Program) -> T + Sync,
) -> (T, T) {
    beside_this(ours, &Program::reference(reference), what)
}

/// The same with another program to compare with than the installed one.
pub(crate) fn beside_this<T: Send>(
    ours: &Program,
    theirs: &Program,
    what: impl Fn(&str, &Program) -> T + Sync,
) -> (T, T) {
    std::thread::scope(|scope| {
        let ours = scope.spawn(|| what("ours", ours));
        let theirs = what("theirs", theirs);
        (ours.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), theirs)
    })
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
    /// A file of one of the systems: the real one, byte for byte, or where it is absent (or with
    /// `TANDEM_TEST_FIXTURES=1`) our own that says the same.
    pub(crate) fn system(system: &str, file: &str) -> Self {
        let real = super::parts::demos().join(system).join(file);
        let own = std::env::var("TANDEM_TEST_FIXTURES").as_deref() == Ok("1");
        if !own && real.is_file() {
            return Self { path: real };
        }
        Self {
            path: Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("compat-fixtures/systems")
                .join(system)
                .join(file),
        }
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

    /// This file with a change, for the exercises that ask for one; it becomes `name` in `dir`.
    pub(crate) fn with_in(&self, dir: &Path, name: &str, from: &str, to: &str) -> Self {
        let text = self.text();
        assert!(text.contains(from), "{} has no {from:?}", self.path.display());
        let path = dir.join(name);
        std::fs::write(&path, text.replace(from, to)).unwrap();
        Self { path }
    }
}

impl Host {
    /// Starts a proxy in the foreground with this configuration.
    pub(crate) fn haproxy(&self, program: &Program, config: &Config) -> Process {
        let mut command = program.command();
        command.arg("-f").arg(config.path());
        self.spawn(command)
    }

    /// The same, and waits until it listens on every port of 127.0.0.1 that the file binds. Nobody connects: that
    /// would be counted and logged.
    pub(crate) fn haproxy_bound(&self, program: &Program, config: &Config) -> Process {
        let bound = Regex::new(r"(?m)^\s*bind\s+(127\.0\.0\.1:\d+)").unwrap();
        let text = config.text();
        let wanted: HashSet<&str> = bound.captures_iter(&text).map(|c| c.extract::<1>().1[0]).collect();
        assert!(!wanted.is_empty(), "{text}");
        let process = self.haproxy(program, config);
        super::eventually("the proxy to listen", Duration::from_secs(20), || {
            let list = self.sh("ss -Htln");
            let found: HashSet<&str> = list.split_whitespace().filter(|word| wanted.contains(word)).collect();
            found.len() == wanted.len()
        });
        process
    }

    /// Starts the proxy under test with a file that only we take as it is; others get it with these words changed.
    pub(crate) fn haproxy_lenient(&self, config: &Config, changes: &[(&str, &str)]) -> Process {
        let program = proxy();
        if program.is_ours() {
            return self.haproxy(&program, config);
        }
        let text = changes.iter().fold(config.text(), |text, (from, to)| text.replace(from, to));
        self.haproxy(&program, &Config::written(self, "changed.cfg", &text))
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
