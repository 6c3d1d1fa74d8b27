//! Whole files: our own under `compat-fixtures`, and those beside the repository where they are at hand.

use std::path::{Path, PathBuf};

use super::super::{Loaded, load};
use super::machine::Machine;
use crate::ir::vrrp::{Auth, InitialState, Instance};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Configuration files below a folder, sorted; `name` picks them.
pub(super) fn files(folder: &Path, name: impl Fn(&str) -> bool + Copy) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, name));
        } else if path.file_name().and_then(|name| name.to_str()).is_some_and(name) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn loaded(path: &Path) -> Loaded {
    load(&path.display().to_string(), std::fs::read(path).expect("readable"), &Machine::default())
}

/// `# says: ...` lines of a fixture: what must be said, without the place.
fn expected(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("readable");
    text.lines().filter_map(|line| line.strip_prefix("# says: ")).map(str::to_owned).collect()
}

fn without_place(message: &str) -> &str {
    match message.split_once(") ") {
        Some((head, rest)) if head.contains("Line ") => rest,
        _ => message,
    }
}

#[test]
fn good_fixtures_load_without_a_word() {
    let all = files(&root().join("compat-fixtures/keepalived/ok"), |name| name.ends_with(".conf"));
    assert!(!all.is_empty());
    for path in all {
        let loaded = loaded(&path);
        let said: Vec<_> =
            loaded.diagnostics.iter().map(|diagnostic| without_place(&diagnostic.message)).collect();
        assert_eq!(said, expected(&path), "{}", path.display());
        assert!(
            loaded.verdict.runs && loaded.verdict.exit_code == 0,
            "{}: {:?}",
            path.display(),
            loaded.verdict
        );
    }
}

#[test]
fn bad_fixtures_say_what_they_announce() {
    let all = files(&root().join("compat-fixtures/keepalived/err"), |name| name.ends_with(".conf"));
    assert!(!all.is_empty());
    for path in all {
        let loaded = loaded(&path);
        let said: Vec<_> =
            loaded.diagnostics.iter().map(|diagnostic| without_place(&diagnostic.message)).collect();
        assert_eq!(said, expected(&path), "{}", path.display());
        assert_ne!(loaded.verdict.exit_code, 0, "{}", path.display());
    }
}

/// The demonstration systems' files, beside the repository.
fn demos() -> Vec<PathBuf> {
    let folder = root().join("../shared/demos");
    let all = files(&folder, |name| name.contains("keepalived") && name.ends_with(".conf"));
    if all.is_empty() {
        println!("skipped: no demonstration files in {}", folder.display());
    }
    all
}

#[test]
fn every_demonstration_file_runs_as_it_is() {
    for path in demos() {
        let loaded = loaded(&path);
        let name = path.display();
        assert!(loaded.verdict.runs, "{name}: {:?}", loaded.diagnostics);
        let [Instance { name: instance, vrid: 51, priority, initial_state, auth, vips, .. }] =
            loaded.config.instances.as_slice()
        else {
            panic!("{name}: {:?}", loaded.config.instances);
        };
        assert_eq!((instance.as_str(), vips.len()), ("VI_1", 1), "{name}");
        let text = path.display().to_string();
        let first = text.contains("master") || text.contains("lb1");
        assert_eq!(
            *priority >= 100 && *priority != 90 && (first || *priority == 100),
            *priority != 90,
            "{name}"
        );
        if text.contains("vagrant") {
            // Authentication headers need an advert heard first.
            assert!(matches!(auth, Auth::Ah(_)) && *initial_state == InitialState::Backup, "{name}");
            assert!(
                loaded.config.instances[0].smtp_alert && !loaded.config.global.notification_email.is_empty()
            );
        } else {
            assert!(matches!(auth, Auth::Pass(_)), "{name}");
            assert_eq!(*initial_state == InitialState::Master, first, "{name}");
        }
        if !text.contains("pgbouncer") {
            let script = &loaded.config.scripts[0];
            assert_eq!(
                script.watches_process.as_ref().map(|watched| watched.name.as_str()),
                Some("haproxy"),
                "{name}"
            );
            assert_eq!(loaded.config.instances[0].track_scripts[0].weight, 2, "{name}");
        }
    }
}

/// Real files with what keepalived 2.2.7 said of them, recorded on another machine.
#[test]
fn real_files_get_the_recorded_verdicts() {
    let folder = root().join("../shared/corpus");
    let Ok(oracle) = std::fs::read_to_string(folder.join("oracle.tsv")) else {
        println!("skipped: no corpus in {}", folder.display());
        return;
    };
    // What depends on the recording machine: its interfaces, users and scripts.
    let local = |message: &str| {
        [
            "doesn't exist",
            "Non-existent",
            "cannot be accessed",
            "not found/accessible",
            "default user",
            "SECURITY VIOLATION",
            "Config files",
        ]
        .iter()
        .any(|part| message.contains(part))
    };
    let (mut messages, mut agreed, mut files, mut misses) = (0, 0, 0, Vec::new());
    for line in oracle.lines().filter(|line| line.starts_with("keepalived/")) {
        let columns: Vec<_> = line.split('\t').collect();
        let [file, _, _, said] = columns.as_slice() else { continue };
        let Ok(text) = std::fs::read(folder.join(file)) else { continue };
        files += 1;
        let loaded = load("FILE", text, &Machine::default());
        let ours: Vec<_> =
            loaded.diagnostics.iter().map(|diagnostic| without_place(&diagnostic.message)).collect();
        let complete = said.split(" ⏎ ").filter(|message| !local(message) && !message.ends_with('…'));
        for message in complete.map(without_place).filter(|message| !message.is_empty()) {
            messages += 1;
            // The recording cuts long lists off in the middle of a message.
            if ours.iter().any(|our| our.starts_with(message.trim_end())) {
                agreed += 1;
            } else {
                misses.push(format!("{file}: {message}"));
            }
        }
    }
    println!("{files} files, {agreed} of {messages} recorded messages agree");
    assert!(files > 0 && agreed * 100 >= messages * 95, "{misses:#?}");
}
