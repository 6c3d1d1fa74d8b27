//! Words of lines: quoting, escapes, comments, variables.

use super::{LineError, split};
use crate::span::{FileId, Span};

fn env(name: &str) -> Option<String> {
    match name {
        "A" => Some("one".into()),
        "LIST" => Some("a  b c".into()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn words(line: &str) -> Vec<String> {
    let line = split(FileId(0), 0, line.as_bytes(), &env).expect("well formed");
    line.words.iter().map(|word| word.text().to_owned()).collect()
}

#[test]
fn words_follow_the_manual() {
    for (line, expected) in [
        ("", &[][..]),
        ("  # only a comment", &[]),
        ("server a 1.1.1.1:80 # x", &["server", "a", "1.1.1.1:80"]),
        ("a#b", &["a"]),
        (r"a\#b \  x", &["a#b", " ", "x"]),
        (r#""a b" 'c "d"' e"f g"h"#, &["a b", "c \"d\"", "ef gh"]),
        (r#"'$A' "$A" $A "${A}x" "x${NO-def}y""#, &["$A", "one", "$A", "onex", "xdefy"]),
        (r#""\$A" '\n' "\n" \1"#, &["$A", "\\n", "\n", "\\1"]),
        (r"\x41\x2e", &["A."]),
        (r#""" a"#, &["", "a"]),
        (r#"k "${LIST[*]}" z"#, &["k", "a", "b", "c", "z"]),
        (r#"k "${EMPTY[*]}" z"#, &["k", "z"]),
        (r#"k "x${LIST[*]}y""#, &["k", "xa", "b", "cy"]),
        (r#"k "$NO" z"#, &["k", "", "z"]),
        ("a\r", &["a"]),
        ("\ta\tb", &["a", "b"]),
    ] {
        assert_eq!(words(line), expected, "{line}");
    }
}

#[test]
fn bytes_that_are_no_text_survive() {
    let line = split(FileId(0), 0, br"send \x00\xff", &env).expect("well formed");
    assert_eq!(*line.words[1].bytes(), *b"\x00\xff");
}

#[test]
fn spans_cover_the_source_and_parts_of_plain_words() {
    let line = split(FileId(2), 10, br#"bind "*:80" ssl"#, &env).expect("well formed");
    let span = |start, end| Span { file: FileId(2), start, end };
    assert_eq!(line.words[1].span, span(15, 21));
    assert_eq!(line.words[1].part(1..2), span(15, 21), "quoted: the whole word");
    assert_eq!(line.words[2].part(1..2), span(23, 24));
}

#[test]
fn errors_point_at_the_cause() {
    let error = |line: &str| split(FileId(0), 0, line.as_bytes(), &env).expect_err("malformed");
    let at = |start, end| Span { file: FileId(0), start, end };
    assert_eq!(error("a \"b"), LineError::UnmatchedQuote(at(2, 3)));
    assert_eq!(error("a 'b"), LineError::UnmatchedQuote(at(2, 3)));
    assert_eq!(error(r"a \xg1"), LineError::Hex(at(2, 6)));
    assert_eq!(error("\"${A\""), LineError::UnmatchedBrace(at(1, 3)));
    assert_eq!(error("\"$1\""), LineError::VariableName(at(1, 3)));
    assert_eq!(error("\"${A[x]}\""), LineError::Expansion(at(4, 7)));
}

#[test]
fn unset_variables_are_reported() {
    let line = split(FileId(0), 0, b"x \"$NO\"", &env).expect("well formed");
    assert_eq!(line.unknown_variables.len(), 1);
    assert_eq!(&*line.unknown_variables[0].0, "NO");
}
