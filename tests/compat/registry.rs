//! Every row of the registry with its arguments, at the ends of what they may be and one step beyond, judged here and by
//! two releases of HAProxy.
//!
//! `compat-fixtures/haproxy/registry.txt` holds the verdicts of 2.6.12 and of 3.5-dev5: `+` taken, `-` refused. Both verdicts
//! are ours; what only the newer one takes is taken, and what only the older one takes may be. Rows of which neither takes
//! any line are words that these builds lack. What is otherwise is listed below with its reason. The lines come from the rows: whoever adds a row has
//! its lines judged first, with `TANDEM_BLESS` and the path of a newer haproxy in `TANDEM_HAPROXY`. With
//! `TANDEM_DIFFERENTIAL` the installed program is asked about all of them again, and about a sample of them in any case.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tandem_parser::haproxy::section::{
    BACKEND, CACHE, DEFAULTS, FRONTEND, GLOBAL, HTTP_ERRORS, LISTEN, LOG_FORWARD, MAILERS, PEERS, RESOLVERS,
    RING, Sections, USERLIST,
};
use tandem_parser::haproxy::{Arg, Effect, Keyword, keywords};

use super::differential::{REASONS, reference, theirs, word};
use super::lines::{file, ours};
use super::root;

/// Parts of the file of `lines.txt`, and the sections that they are.
const PARTS: &[(&str, Sections)] = &[
    ("g", GLOBAL),
    ("d", DEFAULTS),
    ("u", USERLIST),
    ("p", PEERS),
    ("r", RESOLVERS),
    ("m", MAILERS),
    ("c", CACHE),
    ("ri", RING),
    ("lf", LOG_FORWARD),
    ("he", HTTP_ERRORS),
    ("f", FRONTEND),
    ("b", BACKEND),
    ("l", LISTEN),
];

/// What would change the machine, or ask it.
const UNFIT: &[&str] =
    &["chroot", "user", "group", "uid", "gid", "setcap", "daemon", "master-worker", "parse-resolv-conf"];

/// What an argument may be: what it usually is first, then the ends of its range, then what is none.
fn values(arg: &Arg) -> Vec<String> {
    let usual = word(arg);
    let more: Vec<String> = match arg {
        Arg::Int(_, low, high) => {
            let ends = [*low, *high, low.saturating_sub(1), high.saturating_add(1)];
            ends.iter().map(i64::to_string).chain(["5x".into(), "abc".into()]).collect()
        }
        Arg::Or(word, arg) => [(*word).to_owned()].into_iter().chain(values(arg)).collect(),
        Arg::Time(_) => {
            ["0", "1us", "1d", "24d", "25d", "5x", "-1", "abc", "1.5s"].map(str::to_owned).to_vec()
        }
        Arg::Size | Arg::SizeIn(..) => {
            ["0", "1", "16k", "1m", "4g", "16kb", "-1", "abc"].map(str::to_owned).to_vec()
        }
        Arg::Choice(words) => {
            words.iter().map(|word| (*word).to_owned()).chain(["nonsense".into()]).collect()
        }
        Arg::List(words) => {
            let all = words.join(",");
            words.iter().map(|word| (*word).to_owned()).chain([all, "nonsense".into()]).collect()
        }
        Arg::Addr | Arg::AddrBefore(_) | Arg::Addrs => {
            let odd = [
                "127.0.0.1",
                "::1:80",
                "[::1]:80",
                ":8010",
                "*:8011",
                "127.0.0.1:0",
                "127.0.0.1:65536",
                "x y",
            ];
            odd.map(str::to_owned).to_vec()
        }
        Arg::Maybe(inner) | Arg::OrEnd(inner) => values(inner),
        _ => Vec::new(),
    };
    std::iter::once(usual).chain(more).collect()
}

/// The lines of a row: the usual one, one argument changed at a time, one too many, and one too few.
fn lines(head: &str, row: &Keyword) -> Vec<String> {
    let usual: Vec<String> = row.args.iter().map(word).collect();
    let written = |words: &[String]| {
        let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
        format!("{head}{} {}", row.name, words.join(" ")).trim_end().to_owned()
    };
    let mut lines = vec![written(&usual)];
    for (nth, arg) in row.args.iter().enumerate() {
        for value in values(arg) {
            let mut words = usual.clone();
            // What follows an optional argument is optional, too: those before it have to be there.
            for (before, arg) in row.args.iter().enumerate().take(nth) {
                if let Arg::Maybe(inner) | Arg::OrEnd(inner) = arg {
                    words[before] = word(inner);
                }
            }
            words[nth] = value;
            lines.push(written(&words));
        }
    }
    lines.push(format!("{} foo", lines[0]));
    if let Some((shorter, _)) = lines[0].rsplit_once(' ').filter(|_| !row.args.is_empty()) {
        lines.push(shorter.to_owned());
    }
    let mut seen = HashSet::new();
    lines.retain(|line| seen.insert(line.clone()));
    lines
}

/// Every line with the part of the file where it stands, and the number of its row.
fn all() -> Vec<(usize, String)> {
    let (mut out, mut rows) = (Vec::new(), 0);
    for row in keywords::all().filter(|row| !UNFIT.contains(&row.name)) {
        if matches!(row.effect, Effect::Renamed { .. } | Effect::Obsolete { .. } | Effect::Translated { .. })
        {
            continue;
        }
        // One place is enough: which of them there are is told by `lines.txt`.
        if let Some((part, _)) = PARTS.iter().find(|(_, section)| row.sections & section != 0) {
            rows += 1;
            out.extend(lines("", row).into_iter().map(|line| (rows, format!("{part}| {line}"))));
        }
    }
    for (part, head, table) in [
        ("f", "bind 127.0.0.1:8004 ", keywords::BIND),
        ("b", "server more 127.0.0.1:8005 ", keywords::SERVER),
    ] {
        for row in table {
            rows += 1;
            out.extend(lines(head, row).into_iter().map(|line| (rows, format!("{part}| {line}"))));
        }
    }
    let mut seen = HashSet::new();
    out.retain(|(_, line)| seen.insert(line.clone()));
    out
}

/// Asks a program about lines, several at a time.
fn ask(program: &Path, lines: &[&String]) -> Vec<bool> {
    let folder = tempfile::tempdir().unwrap();
    let (next, out) = (AtomicUsize::new(0), Mutex::new(vec![false; lines.len()]));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    let Some(line) = lines.get(nth) else { return };
                    let (part, line) = line.split_once("| ").unwrap();
                    let good = theirs(program, folder.path(), &file(part, line).0).0;
                    out.lock().unwrap()[nth] = good;
                }
            });
        }
    });
    out.into_inner().unwrap()
}

fn sign(good: bool) -> char {
    if good { '+' } else { '-' }
}

fn recorded() -> PathBuf {
    root().join("compat-fixtures/haproxy/registry.txt")
}

const BEYOND: &str = "numbers beyond 2^31 are the largest there is, with a warning; HAProxy's turn negative";
const IDLE: &str = "the keyword has no effect here, and what follows it is not judged";
const STRICT: &str = "an argument too many, too few or too small is refused where the program does not look";
const LOOSE: &str = "taken although the program refuses it: known, and not mended yet";
const TWICE: &str = "the file has one already, and HAProxy does not read the second";

/// Lines, or parts of them, that are judged otherwise, and why, beside those of the other tests.
const OTHERWISE: &[(&str, &str)] = &[
    ("2147483648", BEYOND),
    ("4294967296", BEYOND),
    ("ocsp-update.", IDLE),
    ("cpu-policy none", IDLE),
    ("cpu-affinity per-core", IDLE),
    ("thread-hard-limit 2147483647", IDLE),
    ("g| lua-prepend-path one foo", IDLE),
    ("g| maxconn", TWICE),
    ("g| default-path current /tmp", STRICT),
    ("g| default-path current foo", STRICT),
    ("g| tune.maxrewrite 4g", STRICT),
    ("g| tune.maxaccept -2", STRICT),
    ("g| tune.maxpollevents -2", STRICT),
    ("g| tune.epoll.mask-events", STRICT),
    ("g| harden.reject-privileged-ports", STRICT),
    ("g| stats calculate-max-counters on foo", STRICT),
    ("g| tune.bufsize 1", LOOSE),
    ("g| log-tag one foo", LOOSE),
    ("g| stats bind-process foo", LOOSE),
    ("d| log-steps", STRICT),
    ("d| max-keep-alive-queue -2", STRICT),
    ("d| hash-preserve-affinity always foo", STRICT),
    ("d| email-alert ", STRICT),
    ("d| stats show-version foo", STRICT),
    ("d| compression direction request foo", STRICT),
    ("d| http-check comment one foo", STRICT),
    ("d| tcp-check comment one foo", STRICT),
    ("d| option use-small-buffers foo", LOOSE),
    ("f| capture cookie one nonsense 1", STRICT),
    ("b| be-unpublished foo", STRICT),
    ("r| nameserver one x y", LOOSE),
    ("r| accepted_payload_size 5x", LOOSE),
    ("r| accepted_payload_size 512 foo", STRICT),
    ("p| peer", IDLE),
    ("p| server", IDLE),
    ("p| default-bind foo", IDLE),
    ("p| shards", IDLE),
    ("p| disabled foo", IDLE),
    ("p| enabled foo", IDLE),
    ("m| mailer one 127.0.0.1:0", IDLE),
    ("c| total-max-size", IDLE),
    ("c| max-object-size", IDLE),
    ("c| early-hints", IDLE),
    ("c| max-secondary-entries 0", IDLE),
    ("ri| server one 127.0.0.1", STRICT),
    ("ri| format local foo", STRICT),
    ("ri| size 65536 foo", STRICT),
    ("ri| size 4g", STRICT),
    ("ri| size 0", LOOSE),
    ("ri| backing-file", LOOSE),
    ("ri| timeout connect 10s foo", STRICT),
    ("ri| timeout server 10s foo", STRICT),
    ("lf| bind", STRICT),
    ("lf| dgram-bind", STRICT),
    ("lf| timeout client 10s foo", STRICT),
    ("lf| option host replace foo", STRICT),
    ("f| bind 127.0.0.1:8004 accept-netscaler-cip 0", LOOSE),
    ("f| bind 127.0.0.1:8004 thread", STRICT),
    ("b| server more 127.0.0.1:8005 healthcheck", LOOSE),
    ("b| server more 127.0.0.1:8005 agent-addr ::1:80", STRICT),
    ("b| server more 127.0.0.1:8005 resolve-opts", STRICT),
    ("b| server more 127.0.0.1:8005 init-addr", STRICT),
    ("b| server more 127.0.0.1:8005 max-reuse -2", STRICT),
    ("b| server more 127.0.0.1:8005 socks4 127.0.0.1:0", LOOSE),
];

#[test]
fn every_row_takes_and_refuses_what_haproxy_does() {
    let text = std::fs::read_to_string(recorded()).unwrap_or_default();
    let rows = text.lines().filter_map(|row| row.split_once(' '));
    let table: BTreeMap<&str, &str> = rows.map(|(signs, line)| (line, signs)).collect();
    let lines = all();
    if std::env::var_os("TANDEM_BLESS").is_some()
        && let (Some(old), Some(new)) = (reference(), std::env::var_os("TANDEM_HAPROXY"))
    {
        let asked: Vec<&String> =
            lines.iter().map(|(_, line)| line).filter(|line| !table.contains_key(line.as_str())).collect();
        let (old, new) = (ask(&old, &asked), ask(Path::new(&new), &asked));
        let signs = old.into_iter().zip(new).map(|(old, new)| format!("{}{}", sign(old), sign(new)));
        let fresh: BTreeMap<&str, String> = asked.iter().map(|line| line.as_str()).zip(signs).collect();
        let mut out = String::new();
        for (_, line) in &lines {
            let known = table.get(line.as_str()).map(|signs| (*signs).to_owned());
            let _ = writeln!(out, "{} {line}", known.unwrap_or_else(|| fresh[line.as_str()].clone()));
        }
        std::fs::write(recorded(), out).unwrap();
        return;
    }
    let taken = |line: &String| table.get(line.as_str()).is_some_and(|signs| signs.contains('+'));
    let judged: HashSet<usize> = lines.iter().filter(|(_, line)| taken(line)).map(|(row, _)| *row).collect();
    let mut wrong = Vec::new();
    let (mut compared, mut otherwise) = (0, 0);
    for (row, line) in &lines {
        let Some(signs) = table.get(line.as_str()) else {
            wrong.push(format!("{line}: not judged yet"));
            continue;
        };
        if !judged.contains(row) {
            continue;
        }
        compared += 1;
        let (part, bare) = line.split_once("| ").unwrap();
        let (mine, _, said) = ours(&file(part, bare).0);
        let listed = |(word, why): &&(&str, &str)| line.contains(word) && !why.is_empty();
        if mine == signs.contains('+') || *signs == "+-" {
            continue;
        }
        if REASONS.iter().chain(OTHERWISE).any(|reason| listed(&reason)) {
            otherwise += 1;
        } else {
            wrong.push(format!(
                "{signs} {line}: {}\n    {said}",
                if mine { "is taken" } else { "is refused" }
            ));
        }
    }
    if let Some(program) = reference() {
        let step = if std::env::var_os("TANDEM_DIFFERENTIAL").is_some() { 1 } else { 20 };
        let asked: Vec<&String> = lines.iter().map(|(_, line)| line).step_by(step).collect();
        for (line, good) in asked.iter().zip(ask(&program, &asked)) {
            if table.get(line.as_str()).is_some_and(|signs| !signs.starts_with(sign(good))) {
                wrong.push(format!("{line}: the real program says {}", sign(good)));
            }
        }
    }
    println!(
        "{} lines of the registry, {compared} that a release judges, {otherwise} of them judged otherwise",
        lines.len()
    );
    assert!(compared > 2500 && wrong.is_empty(), "{} of {}:\n{}", wrong.len(), lines.len(), wrong.join("\n"));
}
