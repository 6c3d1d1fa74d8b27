//! The same files, read here and by the real keepalived's `--config-test`.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::super::{Loaded, System, load_file};
use super::fixtures::files;
use tandem_parser::keepalived::{Section, keywords};

/// The real program, if it is there.
pub(super) fn keepalived() -> Option<PathBuf> {
    let found = ["/usr/sbin/keepalived", "/usr/local/sbin/keepalived"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.exists());
    let required = std::env::var_os("TANDEM_REQUIRE_LAB").is_some_and(|value| value == "1");
    assert!(found.is_some() || !required, "keepalived is not installed");
    found
}

/// How long a real program that never ends is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the real program says: its lines, once each, and its exit code. `None`: it did not end; some texts make it loop.
fn real(program: &Path, file: &Path) -> Option<(BTreeSet<String>, Option<i32>)> {
    let mut child = Command::new(program)
        .arg("-t")
        .arg("-f")
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("keepalived starts");
    let mut stderr = child.stderr.take().expect("a pipe");
    let (send, ended) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        let read = stderr.read_to_end(&mut text).is_ok();
        // Nobody listens any more if it took too long.
        let _ = send.send(read);
        text
    });
    let finished = ended.recv_timeout(PATIENCE).is_ok();
    if !finished {
        child.kill().expect("it is ours");
    }
    let status = child.wait().expect("it ended");
    let text = reader.join().expect("the reader ended");
    if !finished {
        return None;
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    let name = format!("({}: Line ", file.display());
    let lines = text.lines().map(|line| line.replacen(&name, "(Line ", 1)).filter(|line| !line.is_empty());
    Some((lines.collect(), status.code()))
}

/// What we say of that kind: what weighs in keepalived's verdict.
fn ours(loaded: &Loaded, file: &Path) -> BTreeSet<String> {
    let name = format!("({}: Line ", file.display());
    loaded.diagnostics.iter().map(|diagnostic| diagnostic.message.replacen(&name, "(Line ", 1)).collect()
}

/// Lines about words only later releases know.
fn out_of_scope(line: &str) -> bool {
    let newer = |word: &str| {
        Section::ALL
            .into_iter()
            .any(|section| keywords::find(section, word).is_some_and(|row| row.since.is_some()))
    };
    line.split_once("Unknown keyword '").is_some_and(|(_, rest)| newer(rest.trim_end_matches('\'')))
}

#[test]
fn the_real_program_says_the_same() {
    let Some(program) = keepalived() else {
        println!("skipped: keepalived is not installed");
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let env = System::new(None, true);
    let mut compared = 0;
    let mut differences = Vec::new();
    // More files to compare, if somebody has some.
    let more = std::env::var("TANDEM_COMPARE").unwrap_or_default();
    let folders =
        ["compat-fixtures/keepalived", "../shared/corpus/keepalived", "../shared/demos", more.as_str()];
    for folder in folders.into_iter().filter(|folder| !folder.is_empty()) {
        for file in files(&root.join(folder), |name| name.ends_with(".conf")) {
            let loaded = load_file(&file.display().to_string(), &env);
            let ours = ours(&loaded, &file);
            let Some((theirs, code)) = real(&program, &file) else {
                println!("{}: keepalived does not end", file.display());
                continue;
            };
            compared += 1;
            let missing: Vec<_> = theirs.difference(&ours).filter(|line| !out_of_scope(line)).collect();
            if !missing.is_empty() || code != Some(i32::from(loaded.verdict.exit_code)) {
                let code = code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
                differences.push(format!(
                    "{}: exit code {code}, ours {}; not said by us: {missing:#?}",
                    file.display(),
                    loaded.verdict.exit_code
                ));
            }
        }
    }
    println!("{compared} files compared, {} differ", differences.len());
    assert!(compared > 0 && differences.is_empty(), "{}", differences.join("\n"));
}

/// Changed lines that are judged otherwise, and why: a line each, a tab between the two.
const DISAGREEMENTS: &str = "compat-fixtures/keepalived/disagreements.tsv";

/// A number that looks like chance and is the same everywhere (splitmix64).
fn dice(seed: u64) -> usize {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((z ^ (z >> 31)) >> 33).unwrap_or(0)
}

/// One word of one line changed: what was done, and the text.
fn mutated(text: &str, seed: u64) -> Option<(String, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let meant = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with(['#', '!']);
    let candidates: Vec<usize> =
        lines.iter().enumerate().filter(|(_, line)| meant(line)).map(|(nth, _)| nth).collect();
    let at = *candidates.get(dice(seed) % candidates.len().max(1))?;
    let mut words: Vec<String> = lines[at].split_whitespace().map(str::to_owned).collect();
    let word = dice(seed ^ 0x5555) % words.len();
    if words[word].contains(['{', '}', '"']) {
        return None;
    }
    let number = words[word].bytes().any(|b| b.is_ascii_digit());
    match dice(seed ^ 0xaaaa) % 6 {
        0 => drop(words.remove(word)),
        1 => words[word].push('x'),
        2 => drop(words[word].pop()),
        3 => words.insert(word, words[word].clone()),
        4 if number => words[word] = "99999999".into(),
        5 if number => words[word] = "-1".into(),
        _ => return None,
    }
    let changed = words.join(" ");
    let mut out: Vec<&str> = lines.clone();
    out[at] = &changed;
    Some((format!("{} -> {changed}", lines[at].trim()), out.join("\n") + "\n"))
}

/// How many variants of each file are compared; `TANDEM_DIFFERENTIAL` says another number.
const ROUNDS: usize = 12;

#[test]
fn the_real_program_judges_changed_words_the_same() {
    let Some(program) = keepalived() else {
        println!("skipped: keepalived is not installed");
        return;
    };
    let rounds = std::env::var("TANDEM_DIFFERENTIAL").ok().and_then(|rounds| rounds.parse().ok());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = std::fs::read_to_string(root.join(DISAGREEMENTS)).expect("readable");
    let listed: Vec<(&str, &str)> = listed
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once('\t').expect("a line and a reason"))
        .collect();
    assert!(listed.iter().all(|(_, why)| !why.trim().is_empty()), "a disagreement without a reason");
    let env = System::new(None, true);
    let folder = tempfile::tempdir().expect("a folder");
    let sources = files(&root.join("compat-fixtures/keepalived"), |name| name.ends_with(".conf"));
    let (mut compared, mut differences) = (0, Vec::new());
    for (nth, source) in sources.iter().enumerate() {
        let text = std::fs::read_to_string(source).expect("readable");
        for round in 0..rounds.unwrap_or(ROUNDS) {
            let Some((what, text)) = mutated(&text, (nth * 1000 + round) as u64) else { continue };
            let file = folder.path().join(format!("{nth}-{round}.conf"));
            std::fs::write(&file, text).expect("writable");
            // Some texts make it crash.
            let Some((said, Some(code))) = real(&program, &file) else { continue };
            compared += 1;
            let loaded = load_file(&file.display().to_string(), &env);
            let newer = said.iter().any(|line| out_of_scope(line));
            let listed = listed.iter().any(|(line, _)| *line == what);
            if code != i32::from(loaded.verdict.exit_code) && !newer && !listed {
                let ours: Vec<_> = loaded.diagnostics.iter().map(|d| d.message.as_str()).collect();
                differences.push(format!(
                    "{what}: exit code {code}, ours {}\n    {said:?}\n    {ours:?}",
                    loaded.verdict.exit_code
                ));
            }
        }
    }
    println!("{compared} changed files compared");
    assert!(
        compared > 20 && differences.is_empty(),
        "{} of {compared}:\n{}",
        differences.len(),
        differences.join("\n")
    );
}
