//! Tests of the keepalived language. What a text means was checked against keepalived 2.2.7's `--config-test`.

use std::collections::HashMap;

use super::*;
use crate::span::Sources;

struct Files(HashMap<&'static str, &'static str>);

impl Includes for Files {
    fn find(&mut self, pattern: &str, _directory: &str) -> IncludeMatch {
        let mut names: Vec<&str> = match pattern.strip_suffix('*') {
            Some(prefix) => self.0.keys().copied().filter(|name| name.starts_with(prefix)).collect(),
            None => self.0.keys().copied().filter(|name| *name == pattern).collect(),
        };
        names.sort_unstable();
        let file = |name: &str| IncludedFile {
            name: name.into(),
            directory: ".".into(),
            text: self.0.get(name).map(|text| text.as_bytes().to_vec()).ok_or_else(|| "gone".into()),
        };
        let files: Vec<_> = names.into_iter().map(file).collect();
        IncludeMatch { missing: files.is_empty(), wildcards: pattern.ends_with('*'), files }
    }
}

struct Read {
    tree: Vec<Statement>,
    messages: Vec<String>,
    report: Report,
}

fn read_with(text: &str, options: &Options, files: &[(&'static str, &'static str)]) -> Read {
    let mut sources = Sources::new();
    let main = sources.add("k.conf", text);
    let mut report = Report::default();
    let mut files = Files(files.iter().copied().collect());
    let tree = parse(&mut sources, main, "/d", options, &mut files, &mut report);
    let messages = report.diagnostics.iter().map(|d| d.message.clone()).collect();
    Read { tree, messages, report }
}

fn read(text: &str) -> Read {
    read_with(text, &Options::default(), &[])
}

/// The tree as one line: `keyword args { ... }`, values as `[a b; c]`.
fn show(tree: &[Statement]) -> String {
    let one = |statement: &Statement| {
        let words: Vec<_> = statement.words.iter().map(|word| word.text.as_str()).collect();
        let lines = |lines: &[Vec<Word>]| {
            let line =
                |line: &Vec<Word>| line.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
            lines.iter().map(line).collect::<Vec<_>>().join("; ")
        };
        match &statement.body {
            Body::None => words.join(" "),
            Body::Block { children, .. } => format!("{} {{{}}}", words.join(" "), show(children)),
            Body::Values { lines: values, .. } => format!("{} [{}]", words.join(" "), lines(values)),
        }
    };
    tree.iter().map(one).collect::<Vec<_>>().join(" | ")
}

fn check(text: &str, expected: &str) {
    let read = read(text);
    assert_eq!(show(&read.tree), expected, "{:?}", read.messages);
    assert!(read.messages.is_empty(), "{:?}", read.messages);
}

#[test]
fn comments_quotes_and_braces_on_any_line() {
    check(
        "! first\nglobal_defs { # here\n  router_id \"a # b\" ! gone\n  notification_email {\n a@b\n c@d e@f }\n}\n",
        "global_defs {router_id a # b | notification_email [a@b; c@d e@f]}",
    );
    check(
        "vrrp_instance A\n{\nvirtual_ipaddress { 10.0.0.1 }\n}",
        "vrrp_instance A {virtual_ipaddress [10.0.0.1]}",
    );
    check("vrrp_instance A { state MASTER }", "vrrp_instance A {state MASTER}");
    check("global_defs {\n router_id a\\#b\n}", "global_defs {router_id a#b}");
}

#[test]
fn spans_point_at_words() {
    let mut sources = Sources::new();
    let main = sources.add("k", "vrrp_instance A { # c\n\tpriority   150 ! c\n}\n");
    let tree = parse(&mut sources, main, ".", &Options::default(), &mut NoIncludes, &mut Report::default());
    let word = &tree[0].children()[0].words[1];
    assert_eq!(&sources.file(main).text[word.span.start as usize..word.span.end as usize], b"150");
    assert_eq!(sources.line_column(word.span), (2, 13));
}

#[test]
fn an_unknown_word_opens_no_block() {
    let read = read("vrrp_instance A {\n bogus {\n  priority 7\n }\n state MASTER\n}\n");
    assert_eq!(show(&read.tree), "vrrp_instance A {priority 7}");
    assert_eq!(
        read.messages,
        [
            "(k.conf: Line 2) Unknown keyword 'bogus'",
            "(k.conf: Line 2) Unexpected '{' - ignoring",
            "(Line 5) Unknown keyword 'state'",
            "(Line 6) Unknown keyword '}'",
        ]
    );
}

#[test]
fn unbalanced_braces_are_counted() {
    assert_eq!(read("global_defs {\n router_id a\n").messages, ["There are 1 missing '}'s or extra '{'s"]);
    assert_eq!(read("}\n").messages, ["(Line 1) Extra '}' found", "(Line 1) Unknown keyword '}'"]);
    let read = read("global_defs\nrouter_id a\n}\n");
    assert_eq!(
        read.messages,
        ["(Line 2) Missing '{' at beginning of configuration block", "(Line 3) Extra '}' found"]
    );
    assert_eq!(show(&read.tree), "global_defs {router_id a}");
}

#[test]
fn a_near_miss_is_suggested() {
    let read = read("vrrp_instance A {\n prioritty 7\n}\n");
    assert_eq!(read.report.diagnostics[0].help, ["did you mean 'priority'?"]);
    let misplaced = super::tests::read("vrrp_instance A {\n auth_pass 7\n}\n");
    assert_eq!(misplaced.report.diagnostics[0].help, ["'auth_pass' belongs in authentication"]);
}

#[test]
fn definitions_conditions_and_sequences() {
    let options = Options { config_id: Some("node1".into()), seed: 1, ..Options::default() };
    let show_with = |text: &str| {
        let read = read_with(text, &options, &[]);
        assert!(read.messages.is_empty(), "{:?}", read.messages);
        show(&read.tree)
    };
    assert_eq!(show_with("$P=150\nvrrp_instance A {\n priority $P\n}"), "vrrp_instance A {priority 150}");
    assert_eq!(show_with("$A=${B}1\n$B=x\nglobal_defs {\nrouter_id ${A}y\n}"), "global_defs {router_id x1y}");
    assert_eq!(
        show_with("global_defs {\nrouter_id ${_INSTANCE}${_PWD}\n}"),
        "global_defs {router_id node1/d}"
    );
    assert_eq!(
        show_with(
            "vrrp_instance A {\n@node1 priority 1\n@node2 priority 2\n@^node1 priority 3\n@^node2 debug 1\n}"
        ),
        "vrrp_instance A {priority 1 | debug 1}"
    );
    assert_eq!(
        show_with("$I= \\\n vrrp_instance ${N} { \\\n  state BACKUP \\\n }\n\n$N=A\n$I\n$N=B\n${I}\n"),
        "vrrp_instance A {state BACKUP} | vrrp_instance B {state BACKUP}"
    );
    assert_eq!(
        show_with(
            "vrrp_instance A {\nvirtual_ipaddress {\n~SEQ(n, 1, 3) 10.0.0.$n\n~SEQx(n, 9, 1, 11) fe80::${n}\n}\n}"
        ),
        "vrrp_instance A {virtual_ipaddress [10.0.0.1; 10.0.0.2; 10.0.0.3; fe80::9; fe80::a; fe80::b]}"
    );
    assert_eq!(
        show_with("~LST({a, b}, {1, x}, {2}) $Q=$a\nglobal_defs {\n router_id $Q\n}"),
        "global_defs {router_id 2}"
    );
    assert_eq!(
        show_with("$I= \\\n vrrp_version 3 \\\n! ends it\nglobal_defs {\n$I\nsmtp_alert\n}"),
        "global_defs {vrrp_version 3 | smtp_alert}"
    );
    assert_eq!(show_with("global_defs {\nrouter_id a${_HASH}\n}"), "global_defs {router_id a}");
    // Not a definition anybody made: the text stays, and its brace ends the line.
    assert_eq!(
        read("vrrp_instance A {\n state ${X}\n}").messages[0],
        "(k.conf: Line 2) Unexpected '{' - ignoring"
    );
}

#[test]
fn a_definition_of_itself_is_an_error() {
    for text in
        ["$A=x $A\nglobal_defs {\n router_id $A\n}\n", "$A=$B\n$B=$A\nglobal_defs {\nrouter_id $B\n}\n"]
    {
        let read = read(text);
        assert!(read.messages[0].ends_with("refers to itself"), "{:?}", read.messages);
        assert_eq!(read.report.worst, Class::Fatal);
    }
    let lines = read("$A=a \\\n $A\n\n$A\n");
    assert!(
        lines.messages.iter().any(|message| message.ends_with("refers to itself")),
        "{:?}",
        lines.messages
    );
}

#[test]
fn expansion_is_bounded() {
    let read = read("~SEQ(n, 1, 9000000) ~SEQ(m, 1, 9000000) x${n}\n");
    assert!(read.messages.last().is_some_and(|message| message.contains("expand to more than")));
    assert!(read.messages.len() <= 1_100);
}

#[test]
fn includes_are_asked_for_and_missing_ones_judged() {
    let files = [("a.conf", "router_id a\n"), ("b/1", "smtp_alert\n"), ("b/2", "vrrp_strict\n")];
    let read = read_with("global_defs {\ninclude a.conf\n include b/*\n}\n", &Options::default(), &files);
    assert_eq!(show(&read.tree), "global_defs {router_id a | smtp_alert | vrrp_strict}");
    assert!(read.messages.is_empty());

    let lenient = super::tests::read("include none.conf\n");
    assert_eq!(lenient.messages, ["(Line 1) Config files missing 'none.conf'."]);
    assert_eq!((lenient.report.worst, lenient.report.file_error), (Class::Ok, false));
    let strict = super::tests::read("includem none.conf\n");
    assert_eq!((strict.report.worst, strict.report.file_error), (Class::FileNotFound, true));

    let looping = read_with("include x\n", &Options::default(), &[("x", "include x\n")]);
    assert!(looping.messages[0].contains("nested more than"), "{:?}", looping.messages);
}

#[test]
fn commands_keep_their_quotes_and_escapes() {
    assert_eq!(word::escaped(r#"script "/bin/a 'b c'" root"#).unwrap(), ["script", "/bin/a 'b c'", "root"]);
    assert_eq!(word::escaped(r"a\ b 'c\'d' \x41\102\n").unwrap(), ["a b", "c'd", "AB\n"]);
    assert_eq!(word::escaped("a 'b"), Err(word::QuoteError::Unterminated('\'')));
    assert_eq!(word::escaped("a\\"), Err(word::QuoteError::TrailingBackslash));
}

#[test]
fn no_text_makes_it_panic() {
    // A small deterministic storm of the characters that mean something.
    let alphabet: Vec<&str> =
        "{ } \n \" ' \\ $ ${ } @ @^ ~SEQ( ~LST( ) , # ! = $A= vrrp_instance virtual_ipaddress include 1 é \0"
            .split(' ')
            .chain([" ", "\n", "global_defs", "script"])
            .collect();
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    for _ in 0..1_000 {
        let mut text = String::new();
        for _ in 0..40 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            text.push_str(alphabet[(state % alphabet.len() as u64) as usize]);
            if state & 8 == 0 {
                text.push(' ');
            }
        }
        read(&text);
    }
}

#[test]
fn files_that_include_each_other_end_with_an_error() {
    let bomb = "include b.conf\ninclude c.conf\n";
    for text in ["include k.conf\n", "include b.conf\ninclude c.conf\n"] {
        let read = read_with(
            text,
            &Options::default(),
            &[("k.conf", "include k.conf\n"), ("b.conf", bomb), ("c.conf", bomb)],
        );
        assert!(read.report.file_error, "{text}: {:?}", read.messages.first());
        assert!(read.messages.len() < 10_000);
    }
}

#[test]
fn definitions_and_sequences_without_end_are_errors() {
    let lines = format!("$L=a\\\n{}c\n", "b $M\\\n".repeat(2_000));
    for text in
        ["~SEQ(a, 1, 1000000000) router_id $a\n".to_owned(), format!("$M=x\n{lines}{}", "$L\n".repeat(200))]
    {
        let read = read(&text);
        assert!(read.report.file_error, "{:?}", read.messages.first());
    }
}
