//! A syntax tree as text: every line with its values in one form, so that reading it again gives the same tree.

use std::fmt::Write as _;
use std::time::Duration;

use super::tree::{Modifier, Statement, Tree, Value};
use crate::lex::Word;

/// The text of a tree. Comments, conditions and retired spellings are gone; variables have their values.
#[must_use]
pub fn print(tree: &Tree) -> String {
    let mut out = String::new();
    for section in &tree.sections {
        let words = [section.name.as_ref(), section.from.as_deref()];
        let [name, from] = words.map(|word| word.map(escaped).unwrap_or_default());
        let from = if from.is_empty() { from } else { format!("from {from}") };
        let head = [section.kind.name.to_owned(), name, from];
        let _ = writeln!(out, "{}", joined(&head));
        if let Some(Value::Settings(lines)) = section.addresses.as_deref() {
            lines.iter().for_each(|line| statement(&mut out, line));
        }
        section.statements.iter().for_each(|line| statement(&mut out, line));
    }
    out
}

fn joined(words: &[String]) -> String {
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

fn statement(out: &mut String, line: &Statement) {
    let modifier = match line.modifier {
        Modifier::None => "",
        Modifier::No => "no ",
        Modifier::Default => "default ",
    };
    let _ = writeln!(out, "    {modifier}{}", named(line));
}

/// A keyword and its arguments.
fn named(line: &Statement) -> String {
    let words: Vec<String> = line.args.iter().map(value).collect();
    // `http-check set-var(check.x)`: the last word of the name stands before the parenthesis.
    let (before, last) = line.name().rsplit_once(' ').unwrap_or(("", line.name()));
    let glued =
        words.first().is_some_and(|word| word.strip_prefix(last).is_some_and(|rest| rest.starts_with('(')));
    let name = if glued { before } else { line.name() };
    joined(&[name.to_owned(), joined(&words)])
}

fn value(value: &Value) -> String {
    let all = |words: &[Word]| words.iter().map(escaped).collect::<Vec<_>>().join(" ");
    match value {
        Value::Absent => String::new(),
        Value::Word(word) => escaped(word),
        Value::Addrs(read) => escaped(&read.1),
        Value::Int(number, _) => number.to_string(),
        Value::Time(time, _) => duration(*time),
        Value::Size(bytes, _) => bytes.to_string(),
        Value::Choice(word, _) => (*word).to_owned(),
        Value::Words(words) => all(words),
        Value::Cond(cond) => format!("{} {}", if cond.unless { "unless" } else { "if" }, all(&cond.words)),
        Value::Settings(settings) => settings.iter().map(named).collect::<Vec<_>>().join(" "),
    }
}

fn duration(time: Duration) -> String {
    let us = time.as_micros();
    if us.is_multiple_of(1000) { format!("{}ms", us / 1000) } else { format!("{us}us") }
}

/// A word whose bytes survive being read again.
fn escaped(word: &Word) -> String {
    let mut out = String::new();
    if std::str::from_utf8(&word.bytes()).is_ok() {
        for c in word.chars() {
            match c {
                ' ' | '"' | '\'' | '#' | '\\' => out.extend(['\\', c]),
                c if c.is_ascii_control() => {
                    let _ = write!(out, "\\x{:02x}", u32::from(c));
                }
                c => out.push(c),
            }
        }
    } else {
        for byte in &*word.bytes() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::at_hand;
    use crate::haproxy::{Facts, parse};
    use crate::span::Sources;

    fn read(text: &str) -> Tree {
        let mut sources = Sources::new();
        sources.add("t.cfg", text);
        parse(&sources, &|_: &str| None, &Facts { version: "3.4.0", features: &[] }).0
    }

    #[test]
    fn what_is_printed_reads_the_same() {
        let text = "global\n    maxconn 5 # five\ndefaults base\n    timeout client 1500ms\nlisten a :80 tfo\n    no option nolinger\n    \
                    server s 1.1.1.1:80 check inter 2s\n    acl x path 'a b' \"\\x01\\\"\" c\\ d\n    use_backend b unless x !x\n    \
                    clitimeout 5m\nbackend b from base\n";
        let printed = print(&read(text));
        let expected = "global\n    maxconn 5\ndefaults base\n    timeout client 1500ms\nlisten a\n    bind :80 tfo\n    \
                        no option nolinger\n    server s 1.1.1.1:80 check inter 2000ms\n    acl x path a\\ b \\x01\\\" c\\ d\n    \
                        use_backend b unless x !x\n    timeout client 300000ms\nbackend b from base\n";
        assert_eq!(printed, expected);
        assert_eq!(print(&read(&printed)), printed);
    }

    #[test]
    fn every_file_at_hand_is_the_same_after_printing_and_reading() {
        at_hand::same_after_printing("haproxy", "cfg", |text| {
            let mut sources = Sources::new();
            sources.add("t.cfg", text);
            print(&parse(&sources, &|_: &str| None, &Facts { version: "3.4.0", features: &[] }).0)
        });
    }
}
