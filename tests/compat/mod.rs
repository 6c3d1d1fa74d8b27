//! Configuration files as whole: our own fixtures, the demo systems, and the corpus of real files.

mod differential;
mod lines;
mod mistakes;
mod odd;
mod registry;
mod regression;
mod summary;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use tandem::lower::{Env, Loaded, Source, load};
use tandem_parser::diagnostic::{Diagnostic, Severity};
use tandem_parser::render;

/// A machine where nothing but files of the fixture's own folder exists.
struct Nowhere {
    folder: PathBuf,
}

impl Env for Nowhere {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(self.folder.join(path))
    }

    fn offline(&self) -> bool {
        true
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn load_file(path: &Path) -> Loaded {
    let text = std::fs::read(path).expect("readable");
    let folder = path.parent().expect("in a folder").to_path_buf();
    let name = path.file_name().expect("named").to_string_lossy().into_owned();
    load(vec![Source { name, text }], &Nowhere { folder })
}

fn rendered(loaded: &Loaded) -> String {
    loaded.diagnostics.iter().map(|d| render::render(d, &loaded.sources, 0)).collect()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .flat_map(|path| if path.is_dir() { files(&path, extension) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|other| other == extension))
        .collect();
    files.sort();
    files
}

/// What is said, one line each, and what is meant.
fn verdict(loaded: &Loaded) -> String {
    let said = loaded.diagnostics.iter().map(|d| {
        let line = render::headline(d, &loaded.sources, 0);
        let line = line.lines().next().unwrap_or_default().replace(" (0) : config", "");
        format!(
            "{line}\n    {:?}{}\n",
            d.reason,
            d.help.iter().map(|h| format!(" = {h}")).collect::<String>()
        )
    });
    let mut out: String = said.collect();
    if let Some(config) = &loaded.config {
        out += &summary::summary(config);
    }
    out
}

/// Compares with NAME.expect, or writes it where `TANDEM_BLESS` is set.
fn check(path: &Path, good: bool) {
    let loaded = load_file(path);
    let actual = verdict(&loaded);
    assert_eq!(loaded.config.is_some(), good, "{}:\n{}", path.display(), rendered(&loaded));
    let expect = path.with_extension("expect");
    if std::env::var_os("TANDEM_BLESS").is_some() {
        std::fs::write(&expect, &actual).expect("writable");
        return;
    }
    let expected = std::fs::read_to_string(&expect).unwrap_or_default();
    for (nth, (actual, expected)) in actual.lines().zip(expected.lines()).enumerate() {
        assert_eq!(actual, expected, "{} line {}", expect.display(), nth + 1);
    }
    assert_eq!(actual.lines().count(), expected.lines().count(), "{}", expect.display());
}

#[test]
fn good_files_mean_what_they_should() {
    let paths = files(&root().join("compat-fixtures/haproxy/ok"), "cfg");
    assert!(!paths.is_empty());
    for path in paths {
        check(&path, true);
    }
}

#[test]
fn bad_files_are_explained() {
    let paths = files(&root().join("compat-fixtures/haproxy/err"), "cfg");
    assert!(!paths.is_empty());
    for path in paths {
        check(&path, false);
    }
}

#[test]
fn texts_cut_anywhere_are_explained_and_never_make_it_panic() {
    for path in files(&root().join("compat-fixtures/haproxy"), "cfg") {
        let text = std::fs::read(&path).expect("readable");
        for end in (0..text.len()).step_by(11) {
            let mut cut = text[..end].to_vec();
            // A byte that is no text, where one was.
            if let Some(last) = cut.last_mut().filter(|_| end % 2 == 0) {
                *last = 0xff;
            }
            let nowhere = Nowhere { folder: PathBuf::from("/nonexistent") };
            let loaded = load(vec![Source { name: "cut.cfg".into(), text: cut }], &nowhere);
            rendered(&loaded);
        }
    }
}

#[test]
fn the_demo_systems_load_as_they_are() {
    let demos = files(&root().join("../shared/demos"), "cfg");
    if demos.is_empty() {
        println!("skipped: ../shared/demos is not here");
    }
    for path in demos {
        let loaded = load_file(&path);
        assert!(loaded.config.is_some(), "{}:\n{}", path.display(), rendered(&loaded));
    }
}

/// Verdict, classes and messages.
type Recorded = (String, String, String);

/// What the reference says of a file, from the columns of the oracle's table.
fn oracle() -> BTreeMap<String, Recorded> {
    let table = std::fs::read_to_string(root().join("../shared/corpus/oracle.tsv")).unwrap_or_default();
    let rows = table.lines().skip(1).filter_map(|line| {
        let mut columns = line.split('\t');
        let (file, verdict) = (columns.next()?, columns.next()?);
        let mut more = || columns.next().unwrap_or_default().to_owned();
        Some((file.to_owned(), (verdict.to_owned(), more(), more())))
    });
    rows.collect()
}

/// Real files that are judged otherwise than by HAProxy 2.6, and why.
const OTHERWISE: &[(&str, &str)] = &[
    ("haproxy/003.cfg", "variables were set where it was recorded: the first fault is another"),
    ("haproxy/056.cfg", "a backend is missing, too; HAProxy stops at the retired spelling"),
    ("haproxy/103.cfg", "variables were set where it was recorded: the first fault is another"),
    ("haproxy/008.cfg", "'debug' in 'global' was of HAProxy 1"),
    ("haproxy/059.cfg", "'tune.ssl.ocsp-update.maxdelay' came with HAProxy 2.8"),
    ("haproxy/095.cfg", "'crt-store' came with HAProxy 3.0"),
    (
        "haproxy/098.cfg",
        "with the newline it lacks HAProxy refuses it, too: a backend in TCP mode for a frontend in HTTP mode",
    ),
];

#[test]
fn real_files_get_the_recorded_verdicts_and_name_the_same_lines() {
    let oracle = oracle();
    let corpus = root().join("../shared/corpus/haproxy");
    let paths = files(&corpus, "cfg");
    if paths.is_empty() {
        println!("skipped: ../shared/corpus is not here");
        return;
    }
    let (mut judged, mut wrong) = (0, Vec::new());
    for path in &paths {
        let loaded = load_file(path);
        let name = format!("haproxy/{}", path.file_name().expect("named").to_string_lossy());
        let Some((verdict, classes, messages)) = oracle.get(&name) else { continue };
        if OTHERWISE.iter().any(|(file, why)| *file == name && !why.is_empty()) {
            continue;
        }
        // What older versions accepted we accept too, and what the reference misses on its machine is no
        // fault of the text.
        let text_is_good = verdict.starts_with("ok")
            || verdict == "no-listener"
            || verdict == "fail-env"
            || classes.split(',').all(|class| {
                ["removed", "missing-lf", "cert", "pattern-file", "build-option", "user"]
                    .contains(&class.split(':').next().unwrap_or_default())
            });
        judged += 1;
        let alerts: Vec<_> = loaded.diagnostics.iter().filter(|d| d.severity == Severity::Alert).collect();
        let line = |d: &Diagnostic| d.span.map(|span| loaded.sources.line(span)).unwrap_or_default();
        let same_line = alerts.iter().any(|alert| {
            let place = format!("[FILE:{}]", line(alert));
            messages.contains(&place) || !messages.contains("[FILE:")
        });
        if alerts.is_empty() != text_is_good || !(text_is_good || same_line) {
            let said: Vec<_> = alerts.iter().map(|d| render::headline(d, &loaded.sources, 0)).collect();
            wrong.push(format!("{name} ({verdict} {classes}): {}", said.join("\n    ")));
        }
    }
    println!("{judged} files of {}", paths.len());
    assert!(wrong.is_empty(), "{} of {judged}:\n{}", wrong.len(), wrong.join("\n"));
}
