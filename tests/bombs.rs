//! Files that were made to exhaust a program end with an error soon, within little memory: what is checked comes from
//! anywhere. Depth, length, and definitions that double or go on for ever.

use std::fmt::Write as _;
use std::process::{Command, Output};

use crate::cli::{Desk, err, out};

/// Address space that a check may use, KiB. The program itself takes some of it.
const SPACE: usize = 600 * 1024;

/// Seconds of processor time after which a check is ended: none needs a tenth of it.
const TIME: usize = 30;

fn check(desk: &Desk, file: &str) -> Output {
    let limited = format!("ulimit -v {SPACE} -t {TIME}; exec ./tandem check --offline {file}");
    Command::new("sh").args(["-c", &limited]).current_dir(desk.path("")).output().unwrap()
}

const HEAD: &str = "defaults\n    mode http\n    timeout client 1s\n    timeout server 1s\n    timeout connect 1s\n\
                    frontend f\n    bind 127.0.0.1:1\n";

/// Name, text, whether it is invalid, and what is said.
type Bomb = (&'static str, String, bool, &'static str);

fn lines(count: usize, line: &dyn Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

/// Lines that are long or deep.
fn long_lines() -> Vec<Bomb> {
    let one = |line: &str| format!("{HEAD}    {line}\n");
    let long = "a".repeat(10_000_000);
    vec![
        (
            "nested",
            one(&format!("http-request set-var(txn.a) str(a){}", ",concat(".repeat(200_000))),
            true,
            "",
        ),
        ("fetches", one(&format!("log-format %[{}", "a(".repeat(2_000_000))), true, ""),
        ("aliases", one(&format!("log-format {}", "%ci".repeat(3_000_000))), true, ""),
        ("samples", one(&format!("log-format {}", "%[src]".repeat(1_600_000))), true, ""),
        ("long", one(&format!("acl a path {long}")), false, ""),
        ("words", one(&format!("acl a path {}", "a ".repeat(5_000_000))), true, "too many words"),
        ("quote", one(&format!("acl a path \"{long}")), true, "unmatched quote"),
        ("regex", one(&format!("acl a path_reg {}", "(a{1,1000}){1,1000}".repeat(3))), false, ""),
        (
            "brackets",
            one(&format!("acl a path_reg {}a{}", "(".repeat(100_000), ")".repeat(100_000))),
            true,
            "",
        ),
    ]
}

/// Lines that are many, or that make many things.
fn many_lines() -> Vec<Bomb> {
    let mut shared = String::from("defaults d\n    mode http\n");
    shared += &"    http-request set-header a b\n".repeat(1000);
    shared += &lines(1000, &|n| format!("backend b{n} from d\n"));
    vec![
        (
            "ports",
            format!("{HEAD}    bind {}\n", vec!["127.0.0.1:1-65535"; 1000].join(",")),
            true,
            "more than 250000",
        ),
        (
            "templates",
            format!(
                "{HEAD}backend b\n{}",
                lines(200, &|n| format!("    server-template s{n}- 60000 127.0.0.1:80\n"))
            ),
            true,
            "more than 250000",
        ),
        ("rules", shared, true, "more than 300000 rules"),
        ("conditions", ".if 1\n".repeat(300_000), true, ""),
        (
            "parentheses",
            format!(".if {}1{}\n.endif\n", "(".repeat(2_000_000), ")".repeat(2_000_000)),
            true,
            "",
        ),
        ("negations", format!(".if {}1\n.endif\n", "!".repeat(5_000_000)), true, ""),
        (
            "environment",
            format!(
                "global\n    setenv A {}\n{}",
                "a".repeat(100_000),
                lines(1000, &|n| format!("    setenv B{n} \"$A\"\n"))
            ),
            true,
            "variables bring in more than",
        ),
        (
            "variables",
            format!(
                "global\n    setenv A aaaaaaaaaaaaaaaa\n{}",
                format!("    setenv A \"{}\"\n", "$A".repeat(8)).repeat(40)
            ),
            true,
            "line too long",
        ),
        ("errors", format!("{HEAD}{}", "    bogus\n".repeat(200_000)), true, "more than 1000 messages"),
    ]
}

fn keepalived() -> Vec<Bomb> {
    let mut doubled = String::from("$A0=aaaaaaaaaaaaaaaa\n");
    let mut instances = String::new();
    for n in 0..30 {
        let _ = writeln!(doubled, "$A{}={}", n + 1, format!("$A{n}").repeat(8));
    }
    for n in 0..4_000 {
        let _ = writeln!(
            instances,
            "vrrp_instance a{n} {{\n interface lo\n virtual_router_id 1\n virtual_ipaddress {{\n 10.0.0.1\n }}\n}}"
        );
    }
    vec![
        ("doubled", doubled + "vrrp_instance $A29 {\n}\n", true, ""),
        ("itself", "$A=$A $A\nvrrp_instance $A {\n}\n".into(), false, ""),
        ("each-other", "$A=$B $B\n$B=$A $A\nvrrp_instance $A {\n}\n".into(), false, ""),
        ("sequence", "~SEQ(a, 1, 100000000) vrrp_script s$a { script /bin/true }\n".into(), true, ""),
        (
            "sequences",
            "~SEQ(a, 1, 10000)~SEQ(b, 1, 10000) vrrp_script s$a_$b { script /bin/true }\n".into(),
            true,
            "",
        ),
        ("lines", format!("$A= \\\n{}\n$A\n", " x \\\n".repeat(1_200_000)), true, "expand to more than"),
        ("braces", "vrrp_instance a {\n".repeat(100_000), true, ""),
        ("brackets", "{".repeat(2_000_000), true, ""),
        ("include", "include include.conf\n".repeat(10), true, ""),
        ("routers", instances, true, ""),
    ]
}

/// Files that are none, or have no end: as the configuration, and as what it names.
fn unreadable(desk: &Desk) -> Vec<String> {
    let holes = desk.path("holes");
    std::fs::File::create(&holes).unwrap().set_len(1 << 30).unwrap();
    let pipe = desk.path("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut files = Vec::new();
    for (name, path) in [("holes", holes.as_path()), ("pipe", pipe.as_path()), ("zero", "/dev/zero".as_ref())]
    {
        files.push(path.display().to_string());
        for (keyword, line) in [
            ("acl", format!("acl a src -f {}", path.display())),
            ("map", format!("http-request set-var(txn.a) path,map({})", path.display())),
            ("page", format!("errorfile 503 {}", path.display())),
            ("reply", format!("http-request return content-type text/plain file {}", path.display())),
        ] {
            let file = format!("{name}-{keyword}.cfg");
            desk.file(&file, &format!("{HEAD}    {line}\n"));
            files.push(file);
        }
    }
    files
}

#[test]
fn files_that_are_none_end_with_an_error_in_little_memory() {
    let desk = Desk::new();
    let mut wrong = Vec::new();
    for file in unreadable(&desk) {
        let limited = format!("ulimit -v {SPACE} -t {TIME}; exec ./tandem check {file}");
        let answer = Command::new("sh").args(["-c", &limited]).current_dir(desk.path("")).output().unwrap();
        let said = out(&answer) + &err(&answer);
        let named = ["File too large", "nobody writes to it"].iter().any(|why| said.contains(why));
        if answer.status.code() != Some(1) || !named {
            wrong.push(format!("{file}: {}, {}", answer.status, said.chars().take(600).collect::<String>()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn all_end_with_an_error(kind: &str, bombs: Vec<Bomb>) {
    let desk = Desk::new();
    let mut wrong = Vec::new();
    for (name, text, invalid, message) in bombs {
        let file = format!("{name}.{kind}");
        desk.file(&file, &text);
        let answer = check(&desk, &file);
        let said = out(&answer) + &err(&answer);
        if answer.status.code() != Some(i32::from(invalid)) || !said.contains(message) {
            let end: String = said.chars().rev().take(300).collect();
            wrong.push(format!("{file}: {}, {}", answer.status, end.chars().rev().collect::<String>()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn long_and_deep_lines_end_with_an_error_in_little_memory() {
    all_end_with_an_error("cfg", long_lines());
}

#[test]
fn lines_without_end_end_with_an_error_in_little_memory() {
    all_end_with_an_error("cfg", many_lines());
}

#[test]
fn keepalived_definitions_without_end_end_with_an_error_in_little_memory() {
    all_end_with_an_error("conf", keepalived());
}
