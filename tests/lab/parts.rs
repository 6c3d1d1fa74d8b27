//! The parts a lab is made of: which are here, and what happens when one is not.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A program (or a right) that a test needs on this machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// Root and every namespace a host needs: always needed, named here for its message.
    Namespaces,
    /// A program of this name.
    Program(&'static str),
    /// PHP's server program, whose name carries its version.
    PhpFpm,
    /// PostgreSQL's server programs.
    Postgres,
}

impl Part {
    /// Why this part cannot be used, if it cannot.
    fn missing(self) -> Option<String> {
        match self {
            Self::Namespaces => namespaces(),
            Self::Program(name) => find(name).is_none().then(|| format!("no program named {name}")),
            Self::PhpFpm => php_fpm().is_none().then(|| "no php-fpm".to_owned()),
            Self::Postgres => postgres_bin().is_none().then(|| "no PostgreSQL server".to_owned()),
        }
    }
}

/// Whether the test may run; says what is missing when it may not.
pub(crate) fn all_present(needs: &[Part]) -> bool {
    let missing: Vec<String> =
        [Part::Namespaces].iter().chain(needs).filter_map(|part| part.missing()).collect();
    if missing.is_empty() {
        return true;
    }
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let what = missing.join("; ");
    assert!(
        std::env::var("TANDEM_REQUIRE_LAB").as_deref() != Ok("1"),
        "{test} needs parts that are missing: {what}"
    );
    println!("skipped {test}: {what}");
    false
}

/// Where the real configuration files lie.
pub(crate) fn demos() -> PathBuf {
    std::env::var_os("TANDEM_DEMOS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/demos"), PathBuf::from)
}

/// The path of an installed program.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/bin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(usual).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// The directory of PostgreSQL's server programs, which distributions keep out of the path.
pub(crate) fn postgres_bin() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    versions.flatten().map(|entry| entry.path().join("bin")).find(|bin| bin.join("initdb").is_file())
}

/// PHP's server program.
pub(crate) fn php_fpm() -> Option<PathBuf> {
    let programs = std::fs::read_dir("/usr/sbin").ok()?;
    programs.flatten().map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("/php-fpm"))
}

/// Tries once to make what a host is made of.
fn namespaces() -> Option<String> {
    static ANSWER: OnceLock<Option<String>> = OnceLock::new();
    ANSWER
        .get_or_init(|| {
            if !nix::unistd::geteuid().is_root() {
                return Some("not root".to_owned());
            }
            let script = "mount -t tmpfs tmpfs /run && ip link add br0 type bridge && ip link add veth0 type veth peer name veth1";
            let tried = Command::new("unshare")
                .args(["--net", "--mount", "--uts", "--pid", "--fork", "--mount-proc", "sh", "-c", script])
                .output();
            match tried {
                Ok(output) if output.status.success() => None,
                Ok(output) => Some(format!(
                    "namespaces cannot be made: {}",
                    String::from_utf8_lossy(&output.stderr).trim()
                )),
                Err(error) => Some(format!("unshare cannot be run: {error}")),
            }
        })
        .clone()
}
