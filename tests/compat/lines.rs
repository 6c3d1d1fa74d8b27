//! One line at a time: what HAProxy 2.6 says of it, recorded, and what is said here.
//!
//! `compat-fixtures/haproxy/lines.txt` holds a line of a configuration each, with the part of a small file where it stands
//! and the verdict of the real program: `+` taken, `-` refused. A second sign is the verdict here where it is another;
//! the comment above says why. With `TANDEM_DIFFERENTIAL` the real program is asked again.
//!
//! `settings.txt` beside it has rows of a sweep over the settings of `bind` and `server` lines, the keywords of proxies and
//! the forms of the manual: the verdicts of 2.6 and of 3.5, and behind `=` the verdict here where it is another than
//! that of whoever takes the line.

use std::fmt::Write;
use std::path::Path;

use tandem::lower::{Source, System, load};
use tandem_parser::diagnostic::Severity;

use super::differential::{reference, theirs};
use super::root;

/// Parts of the file, by the name that the lines use, in order.
const PARTS: &[(&str, &str)] = &[
    ("g", "global\n    maxconn 100\n"),
    (
        "d",
        "defaults dd\n    mode http\n    timeout client 5s\n    timeout server 5s\n    timeout connect 5s\n",
    ),
    ("u", "userlist people\n    group admins\n    user joe insecure-password secret\n"),
    ("p", "peers mypeers\n    peer me 127.0.0.1:10001\n"),
    ("r", "resolvers dns\n    nameserver a 127.0.0.1:53\n"),
    ("m", "mailers mm\n    mailer one 127.0.0.1:25\n"),
    ("c", "cache cc\n    total-max-size 4\n"),
    ("ri", "ring rr\n    size 32768\n"),
    ("lf", "log-forward ll\n    bind 127.0.0.1:5140\n    log 127.0.0.1 local0\n"),
    ("he", "http-errors ee\n"),
    ("fa", "fcgi-app php\n    docroot /var/www\n    index index.php\n"),
    (
        "f",
        "frontend front\n    bind 127.0.0.1:18080\n    acl local src 127.0.0.1\n    default_backend back\n",
    ),
    (
        "b",
        "backend back\n    acl local src 127.0.0.1\n    server one 127.0.0.1:8001\n    server two 127.0.0.1:8002\n",
    ),
    (
        "l",
        "listen both\n    bind 127.0.0.1:18081\n    acl local src 127.0.0.1\n    server one 127.0.0.1:8001\n",
    ),
    (
        "ft",
        "frontend tfront\n    mode tcp\n    bind 127.0.0.1:18082\n    acl local src 127.0.0.1\n    \
         default_backend tback\n",
    ),
    ("bt", "backend tback\n    mode tcp\n    acl local src 127.0.0.1\n    server one 127.0.0.1:8001\n"),
    (
        "bs",
        "backend stick\n    stick-table type ip size 100k expire 30s store \
         gpc0,conn_rate(10s),http_req_rate(10s)\n",
    ),
    ("end", ""),
];

/// The whole file with lines at the end of a part, and the number of the first of them.
pub(super) fn file(part: &str, lines: &str) -> (String, usize) {
    let (mut text, mut at) = (String::new(), 0);
    for (name, own) in PARTS {
        text += own;
        if *name == part {
            at = text.lines().count() + 1;
            for line in lines.split(" ;; ") {
                let indent = if part == "end" { "" } else { "    " };
                let _ = writeln!(text, "{indent}{line}");
            }
        }
    }
    assert!(at > 0, "there is no part '{part}'");
    (text, at)
}

/// The verdict here, and the lines that were found wrong.
pub(super) fn ours(text: &str) -> (bool, Vec<usize>, String) {
    let source = Source { name: "lines.cfg".into(), text: text.into() };
    let loaded = load(vec![source], &System { offline: true });
    let alerts: Vec<_> = loaded.diagnostics.iter().filter(|d| d.severity == Severity::Alert).collect();
    let lines = alerts.iter().filter_map(|d| d.span).map(|span| loaded.sources.line(span) as usize).collect();
    let said: Vec<&str> = alerts.iter().map(|d| d.message.as_str()).collect();
    (alerts.is_empty(), lines, said.join("\n    "))
}

/// What the signs of a row say.
struct Signs {
    /// HAProxy 2.6 takes the line.
    theirs: bool,
    /// So should it be here.
    expected: bool,
    /// A reason has to stand above.
    listed: bool,
}

/// Judges all rows of a table, whose signs are read by `signs`.
fn judge(name: &str, signs: impl Fn(&str) -> Signs) {
    let table = std::fs::read_to_string(root().join("compat-fixtures/haproxy").join(name)).unwrap();
    let again = std::env::var_os("TANDEM_DIFFERENTIAL").is_some();
    let program = if again { reference() } else { None };
    let folder = tempfile::tempdir().unwrap();
    let (mut wrong, mut why, mut count, mut listed) = (Vec::new(), "", 0, 0);
    for row in table.lines().filter(|row| !row.is_empty()) {
        if let Some(comment) = row.strip_prefix('#') {
            why = comment.trim();
            continue;
        }
        let (written, rest) = row.split_once(' ').unwrap();
        let (part, line) = rest.split_once("| ").unwrap();
        let (text, at) = file(part, line);
        let signs = signs(written);
        count += 1;
        if signs.listed {
            listed += 1;
            assert!(!why.is_empty(), "no reason for: {row}");
        }
        let (good, lines, said) = ours(&text);
        if good != signs.expected {
            wrong.push(format!("{row}: {}\n    {said}", if good { "is taken" } else { "is refused" }));
        } else if !good && !signs.listed && !lines.iter().any(|line| *line >= at) {
            wrong.push(format!("{row}: refused at {lines:?}, not from {at} on\n    {said}"));
        }
        if let Some(program) = &program {
            let (good, alerts) = theirs(program, Path::new(folder.path()), &text);
            if good != signs.theirs {
                wrong.push(format!("{row}: the real program says otherwise\n    {alerts}"));
            }
        }
    }
    println!("{name}: {count} lines, {listed} of them judged otherwise on purpose");
    assert!(count > 1000 && wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_line_gets_the_recorded_verdict() {
    judge("lines.txt", |signs| {
        let (theirs, expected) = (signs.starts_with('+'), signs.ends_with('+'));
        Signs { theirs, expected, listed: theirs != expected }
    });
}

#[test]
fn every_setting_gets_the_verdict_of_a_version_that_takes_it() {
    judge("settings.txt", |signs| {
        let (both, own) = signs.split_once('=').unwrap_or((signs, ""));
        let taken = both.contains('+');
        let expected = if own.is_empty() { taken } else { own == "+" };
        Signs { theirs: both.starts_with('+'), expected, listed: taken != expected }
    });
}
