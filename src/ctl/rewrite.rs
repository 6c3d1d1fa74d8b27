//! Changes to the text of a configuration that leave comments, blanks and the order of words alone.
//!
//! Knows no meaning: lines have words, words have places. The last of several equal settings of a line is the one that
//! is changed, because it is the one that counts.

use std::ops::Range;

/// The words of a line, as ranges of its bytes. A comment is no word.
fn words(line: &str) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let (mut start, mut quote, mut escaped) = (None, None, false);
    for (at, b) in line.bytes().enumerate() {
        match (b, quote) {
            _ if escaped => escaped = false,
            (b'\\', None | Some(b'"')) => {
                escaped = true;
                start.get_or_insert(at);
            }
            (b'"' | b'\'', None) => {
                quote = Some(b);
                start.get_or_insert(at);
            }
            (b, Some(q)) if b == q => quote = None,
            (_, Some(_)) => {}
            (b'#', None) => {
                words.extend(start.take().map(|start| start..at));
                return words;
            }
            (b' ' | b'\t' | b'\r' | b'\n', None) => words.extend(start.take().map(|start| start..at)),
            _ => {
                start.get_or_insert(at);
            }
        }
    }
    words.extend(start.map(|start| start..line.len()));
    words
}

/// The end of the last word.
fn end(line: &str) -> usize {
    words(line).last().map_or(0, |word| word.end)
}

/// The first word.
pub(super) fn keyword(line: &str) -> &str {
    words(line).first().map_or("", |word| &line[word.clone()])
}

/// Word `n`.
pub(super) fn word(line: &str, n: usize) -> &str {
    words(line).get(n).map_or("", |word| &line[word.clone()])
}

/// Word `n` becomes this.
pub(super) fn replace_word(line: &str, n: usize, with: &str) -> String {
    match words(line).get(n) {
        Some(word) => format!("{}{with}{}", &line[..word.start], &line[word.end..]),
        None => line.to_owned(),
    }
}

/// The word behind `name` becomes `value`; where there is none, both are added.
pub(super) fn set_argument(line: &str, from: usize, name: &str, value: &str) -> String {
    let words = words(line);
    let at = (from..words.len().saturating_sub(1)).rev().find(|at| &line[words[*at].clone()] == name);
    match at {
        Some(at) => replace_word(line, at + 1, value),
        None => append(line, &format!("{name} {value}")),
    }
}

/// Adds words at the end, in front of a comment.
pub(super) fn append(line: &str, words: &str) -> String {
    let end = end(line);
    format!("{} {words}{}", &line[..end], &line[end..])
}

/// Takes a word out, and the blanks in front of it.
pub(super) fn remove_word(line: &str, from: usize, name: &str) -> String {
    let mut line = line.to_owned();
    while let Some(word) = words(&line).into_iter().skip(from).find(|word| &line[word.clone()] == name) {
        let before = line[..word.start].trim_end_matches([' ', '\t']).len();
        line.replace_range(before..word.end, "");
    }
    line
}

/// The blanks in front of a line's first word.
pub(super) fn indent(line: &str) -> &str {
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "\tserver  a   127.0.0.1:80  check weight 10 # weight 5 is for \"later\"";

    #[test]
    fn blanks_and_comments_stay() {
        assert_eq!(
            set_argument(LINE, 3, "weight", "20"),
            "\tserver  a   127.0.0.1:80  check weight 20 # weight 5 is for \"later\""
        );
        assert_eq!(
            set_argument(LINE, 3, "maxconn", "7"),
            "\tserver  a   127.0.0.1:80  check weight 10 maxconn 7 # weight 5 is for \"later\""
        );
        assert_eq!(
            remove_word(LINE, 3, "check"),
            "\tserver  a   127.0.0.1:80 weight 10 # weight 5 is for \"later\""
        );
        assert_eq!(replace_word("s a b#c", 2, "x"), "s a x#c");
        assert_eq!(append("  mode tcp", "x"), "  mode tcp x");
    }

    #[test]
    fn quotes_and_backslashes_make_words() {
        let line = r#"server "a b" c\ d 'e # f' g\#h # i"#;
        let found: Vec<&str> = words(line).into_iter().map(|word| &line[word]).collect();
        assert_eq!(found, ["server", "\"a b\"", r"c\ d", "'e # f'", r"g\#h"]);
    }
}
