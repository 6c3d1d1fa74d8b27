//! The tables themselves, and texts to trees.

use std::collections::HashSet;

use super::*;
use crate::diagnostic::{Diagnostic, Reason, Severity};
use crate::span::Sources;

const FACTS: Facts<'_> = Facts { version: "3.4.0", features: &["POLL"] };

fn parse_text(text: &str) -> (Tree, Vec<Diagnostic>) {
    let mut sources = Sources::new();
    sources.add("t.cfg", text);
    let env = |name: &str| (name == "ADDR").then(|| "10.0.0.9".to_owned());
    parse(&sources, &env, &FACTS)
}

fn messages(text: &str) -> Vec<String> {
    parse_text(text).1.into_iter().map(|d| d.message).collect()
}

#[test]
fn a_name_stands_once_per_section_and_every_row_is_documented() {
    let mut seen = HashSet::new();
    for row in keywords::all() {
        assert!(!row.doc.is_empty(), "{}", row.name);
        for kind in section::KINDS {
            if row.sections & kind.bit != 0 {
                assert!(seen.insert((row.name, kind.bit)), "{} twice in {}", row.name, kind.name);
            }
        }
    }
    for table in [keywords::BIND, keywords::SERVER] {
        let names: HashSet<_> = table.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), table.len());
    }
}

#[test]
fn old_names_lead_to_rows_that_exist() {
    for row in keywords::all() {
        let Effect::Renamed { to, .. } = row.effect else { continue };
        let known = keywords::all().any(|modern| to.starts_with(modern.name));
        assert!(known, "{} -> {to}", row.name);
    }
}

#[test]
fn sections_have_names_bases_and_old_addresses() {
    let (tree, said) = parse_text(
        "global\n daemon\ndefaults base\n mode http\nfrontend a from base\n bind *:80\n\
         listen b 1.2.3.4:80,5.6.7.8:81\n  server s1 \"$ADDR\":80 check\n",
    );
    let sections = &tree.sections;
    assert_eq!(sections.len(), 4);
    assert_eq!(sections[2].from.as_ref().map(|from| from.text()), Some("base"));
    let Some(Value::Settings(binds)) = sections[3].addresses.as_deref() else { panic!("addresses expected") };
    assert_eq!(binds[0].addresses(0).len(), 2);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0].reason, Reason::Retired);
    let server = &sections[3].statements[0];
    assert_eq!(server.addresses(1), [crate::value::address("10.0.0.9:80").expect("valid")]);
    assert_eq!(server.settings(2)[0].name(), "check");
}

#[test]
fn retired_spellings_are_read_as_the_modern_ones() {
    let (tree, said) = parse_text("defaults\n clitimeout 60000\n redisp\n");
    let names: Vec<_> = tree.sections[0].statements.iter().map(Statement::name).collect();
    assert_eq!(names, ["timeout client", "option redispatch"]);
    assert!(said.iter().all(|d| d.severity == Severity::Warning));
    assert_eq!(said[0].help, ["write: timeout client 60000"]);
    assert_eq!(
        said[0].message,
        "the 'clitimeout' directive is not supported anymore since HAProxy 2.1. Use 'timeout client'."
    );
}

#[test]
fn wrong_lines_are_reported_in_haproxys_words() {
    for (text, expected) in [
        ("foo bar\n", "unknown keyword 'foo' out of section."),
        ("global\n foo\n", "unknown keyword 'foo' in 'global' section"),
        ("frontend a\n bnd :3\n", "unknown keyword 'bnd' in 'frontend' section; did you mean 'bind' maybe ?"),
        ("frontend a\n maxconn 3 4\n", "'maxconn' cannot handle unexpected argument '4'."),
        ("frontend a\n maxconn\n", "'maxconn' expects an integer argument."),
        ("frontend a\n option foo\n", "unknown option 'foo'."),
        (
            "frontend a\n server x 1.1.1.1\n",
            "'server' not allowed because frontend 'a' has no backend capability.",
        ),
        (
            "frontend a\n balance source\n",
            "'balance' ignored because frontend 'a' has no backend capability.",
        ),
        (
            "backend a\n maxconn 2\n",
            "'maxconn' ignored because backend 'a' has no frontend capability. Maybe you want 'fullconn' instead ?",
        ),
        (
            "backend z\n server s 1.1.1.1:80 chek\n",
            "'server z/s' : unknown keyword 'chek'; did you mean 'check' maybe ?",
        ),
        ("defaults\n bind :80\n", "'bind' not allowed in 'defaults' section."),
        ("frontend\n", "'frontend' expects an <id> argument"),
        ("frontend \"a\n", "unmatched quote at position 10:"),
        (
            "global\n daemon \"$NOPE\" x\n",
            "argument number 1 at position 9 is empty and marks the end of the argument list.",
        ),
        (
            "global\n \"\" daemon\n",
            "argument number 0 at position 2 is empty and marks the end of the argument list.",
        ),
        (
            "global\n no maxconn 3\n",
            "negation/default currently supported only for options, log, busy-polling, set-dumpable, strict-limits, insecure-fork-wanted and numa-cpu-mapping.",
        ),
    ] {
        assert_eq!(messages(text), [expected], "{text}");
    }
}

#[test]
fn conditional_lines_count_or_do_not() {
    let (tree, said) = parse_text(
        "global\n.if defined(ADDR)\n maxconn 1\n.elif 1\n maxconn 2\n.else\n junk\n.endif\n\
         .if version_before(2.4)\n junk\n.if 1\n junk\n.endif\n.else\n nbthread 2\n.endif\n setenv X y\n\
         .if streq(\"$X\",y)\n daemon\n.endif\n .notice \"hello there\"\n",
    );
    let names: Vec<_> = tree.sections[0].statements.iter().map(Statement::name).collect();
    assert_eq!(names, ["maxconn", "nbthread", "setenv", "daemon"]);
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].reason, Reason::UserMessage);
}

#[test]
fn what_has_no_effect_is_said_once_and_what_would_be_unsafe_is_refused() {
    let (_, said) = parse_text(
        "frontend a\n bind :80 label a\n bind :81 label b\n bind :82 label c\n bind :443 ssl crt /x\n compression offload\n",
    );
    let seen: Vec<_> = said.iter().map(|d| (d.severity, d.reason)).collect();
    assert_eq!(
        seen,
        [
            (Severity::Warning, Reason::NoEffect),
            (Severity::Alert, Reason::Refused),
            (Severity::Warning, Reason::NoEffect),
        ]
    );
    assert_eq!(said[0].help[1], "the same on 2 more lines");
}

#[test]
fn a_missing_final_newline_and_carriage_returns_are_accepted() {
    let (tree, said) = parse_text("global\r\n daemon\r\n maxconn 3");
    assert_eq!(tree.sections[0].statements.len(), 2);
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].reason, Reason::MissingFinalNewline);
}

#[test]
fn texts_made_to_exhaust_it_end_with_an_error() {
    let doubling: String = (0..60).map(|_| "    setenv A \"${A}${A}\"\n").collect();
    for (what, text) in [
        ("a word of megabytes", format!("global\n    {}\n", "x".repeat(10_000_000))),
        ("millions of words", format!("global\n    description {}\n", "x ".repeat(5_000_000))),
        ("deep nesting", format!("global\n{}    nonsense\n", ".if 1\n".repeat(20_000))),
        ("parentheses", format!("global\n.if {}1\n.endif\n", "(".repeat(100_000))),
        ("negations", format!("global\n.if {}1\n.endif\n", "!".repeat(1_000_000))),
        ("growing variables", format!("global\n    setenv A xxxx\n{doubling}    description \"${{A}}\"\n")),
        ("errors without end", format!("global\n{}", "    nonsense\n".repeat(200_000))),
    ] {
        let (_, said) = parse_text(&text);
        assert!(said.iter().any(|d| d.severity == Severity::Alert), "{what}");
        assert!(said.len() < 1_100, "{what}: {} messages", said.len());
        let bytes: usize = said.iter().map(|d| d.message.len()).sum();
        assert!(bytes < 1_000_000, "{what}: {bytes} bytes of messages");
    }
}
