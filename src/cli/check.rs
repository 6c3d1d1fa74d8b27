//! `tandem check`: judges files of either language without running anything.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tandem_parser::render::render;

use super::print;
use crate::lower::{self, Source, System};

/// Which language a file is in, by what only one of them says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Haproxy,
    Keepalived,
}

/// Words that open a block in `keepalived.conf`; none is a section of `haproxy.cfg`.
const KEEPALIVED_BLOCKS: &[&str] = &[
    "global_defs",
    "vrrp_instance",
    "vrrp_sync_group",
    "vrrp_script",
    "vrrp_track_process",
    "vrrp_track_file",
    "track_file",
    "virtual_server",
    "virtual_server_group",
    "static_ipaddress",
    "static_routes",
    "static_rules",
    "bfd_instance",
    "garp_group",
    "notify_fifo",
    "net_namespace",
];

fn dialect(text: &[u8]) -> Dialect {
    let text = String::from_utf8_lossy(text);
    let first_words = text.lines().map(|l| l.trim_start()).filter(|l| !l.starts_with(['#', '!']));
    let opens = |line: &str| {
        let word = line.split([' ', '\t', '{']).next().unwrap_or_default();
        KEEPALIVED_BLOCKS.contains(&word)
    };
    if first_words.into_iter().any(opens) { Dialect::Keepalived } else { Dialect::Haproxy }
}

/// Judges `files`: 0 valid (warnings or not), 1 invalid.
pub(super) fn main(files: &[PathBuf], offline: bool) -> ExitCode {
    let mut valid = true;
    let mut proxy_files = Vec::new();
    for path in files {
        match std::fs::read(path) {
            Err(error) => {
                eprintln!("tandem: {}: {error}", path.display());
                valid = false;
            }
            Ok(text) => match dialect(&text) {
                Dialect::Haproxy => proxy_files.push(Source { name: path.display().to_string(), text }),
                Dialect::Keepalived => valid &= keepalived(path, offline),
            },
        }
    }
    if !proxy_files.is_empty() {
        valid &= haproxy(proxy_files, offline);
    }
    if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn keepalived(path: &Path, offline: bool) -> bool {
    let name = path.display().to_string();
    let system = lower::keepalived::System::new(None, true);
    let system = if offline { system.offline() } else { system };
    let loaded = lower::keepalived::load_file(&name, &system);
    for diagnostic in &loaded.diagnostics {
        eprint!("{}", lower::keepalived::render(diagnostic, &loaded.sources));
    }
    let verdict = if loaded.verdict.runs { "valid" } else { "invalid" };
    print(&format!("{name}: {verdict}\n"));
    loaded.verdict.runs
}

fn haproxy(sources: Vec<Source>, offline: bool) -> bool {
    let names: Vec<String> = sources.iter().map(|s| s.name.clone()).collect();
    let loaded = lower::load(sources, &System { offline });
    let pid = std::process::id();
    for diagnostic in &loaded.diagnostics {
        eprint!("{}", render(diagnostic, &loaded.sources, pid));
    }
    let (alerts, warnings, notices) = loaded.counts();
    let verdict = if alerts == 0 { "valid" } else { "invalid" };
    print(&format!(
        "{}: {verdict} ({alerts} errors, {warnings} warnings, {notices} notes)\n",
        names.join(", ")
    ));
    alerts == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_told_by_its_blocks() {
        assert_eq!(dialect(b"! comment\nvrrp_instance VI_1 {\n"), Dialect::Keepalived);
        assert_eq!(dialect(b"global_defs{\n}\n"), Dialect::Keepalived);
        assert_eq!(dialect(b"global\n maxconn 5\n# vrrp_instance X {\n"), Dialect::Haproxy);
    }
}
