//! A syntax tree as text, so that reading it again gives the same tree.

use std::fmt::Write as _;

use super::Word;
use super::tree::{Body, Statement};

/// The text of a tree: definitions, conditions and includes have been applied, comments are gone.
#[must_use]
pub fn print(tree: &[Statement]) -> String {
    let mut out = String::new();
    statements(&mut out, tree, 0);
    out
}

fn statements(out: &mut String, tree: &[Statement], depth: usize) {
    let indent = "    ".repeat(depth);
    for statement in tree {
        let text = plain(&statement.text);
        match &statement.body {
            Body::None => {
                let _ = writeln!(out, "{indent}{text}");
            }
            Body::Block { children, .. } => {
                let _ = writeln!(out, "{indent}{text} {{");
                statements(out, children, depth + 1);
                let _ = writeln!(out, "{indent}}}");
            }
            Body::Values { lines, .. } => {
                let _ = writeln!(out, "{indent}{text} {{");
                for line in lines {
                    let words: Vec<String> = line.iter().map(word).collect();
                    let _ = writeln!(out, "{indent}    {}", words.join(" "));
                }
                let _ = writeln!(out, "{indent}}}");
            }
        }
    }
}

/// Characters that would begin a comment come from the definitions made for them.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut quoted = false;
    for c in text.trim().chars() {
        match c {
            '"' => {
                quoted = !quoted;
                out.push(c);
            }
            '#' if !quoted => out.push_str("${_HASH}"),
            '!' if !quoted => out.push_str("${_BANG}"),
            c => out.push(c),
        }
    }
    out
}

fn word(word: &Word) -> String {
    let text = &word.text;
    if text.is_empty() || text.contains([' ', '\t', '#', '!', '{', '}']) {
        return format!("\"{text}\"");
    }
    text.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::at_hand;
    use crate::keepalived::{NoIncludes, Options, Report, parse};
    use crate::span::Sources;

    #[test]
    fn every_file_at_hand_is_the_same_after_printing_and_reading() {
        at_hand::same_after_printing("keepalived", "conf", |text| {
            let mut sources = Sources::new();
            let id = sources.add("k.conf", text);
            let mut report = Report::default();
            print(&parse(&mut sources, id, ".", &Options::default(), &mut NoIncludes, &mut report))
        });
    }
}
