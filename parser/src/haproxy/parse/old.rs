//! What older versions wrote: the modern lines are read in its place.

use super::super::arguments;
use super::super::grammar::Keyword;
use super::super::header_rules::OldRule;
use super::super::keywords::{self, Lookup};
use super::super::section::SectionKind;
use super::super::subject::{Subject, Title};
use super::super::tree::{Modifier, Statement, Value};
use super::Parser;
use crate::diagnostic::{Diagnostic, Head, Reason};
use crate::lex::{Word, span_of};
use crate::span::Span;

impl Parser<'_> {
    /// `listen NAME ADDR:PORT[,...] [settings]` of versions before 1.7.
    pub(super) fn old_addresses(
        &mut self,
        kind: &SectionKind,
        words: &[Word],
        rest: &[Word],
    ) -> Option<Value> {
        let bind = keywords::row("bind", kind.bit)?;
        let subject = Subject::new(Title::Keyword(kind.name), Head::Parsing, words[0].span, &self.env);
        match arguments::read(&subject, bind, rest) {
            Err(diagnostic) => {
                self.say(*diagnostic);
                None
            }
            Ok(args) => {
                let line = rest.iter().map(Word::text).collect::<Vec<_>>().join(" ");
                let message = "please use the 'bind' keyword for listening addresses.";
                let before = words.len() - rest.len();
                let name_end = words[..before].last().map_or(words[0].span.end, |word| word.span.end);
                let own_line = Span { start: name_end, ..span_of(rest, words[0].span) };
                self.say(
                    Diagnostic::warning(Reason::Retired, span_of(rest, words[0].span), message)
                        .help(format!("write on a line of its own: bind {line}"))
                        .edit(own_line, format!("\n    bind {line}")),
                );
                let span = span_of(rest, words[0].span);
                self.settings_effect(kind.name, &args);
                let statement =
                    Statement { keyword: bind, modifier: Modifier::None, args: args.into(), old: None, span };
                Some(Value::Settings(vec![statement]))
            }
        }
    }

    /// An older spelling: the modern one is read in its place.
    pub(super) fn renamed(
        &mut self,
        keyword: &'static Keyword,
        to: &'static str,
        since: &'static str,
        modifier: Modifier,
        words: &[Word],
    ) {
        let count = keywords::word_count(keyword.name);
        let span = span_of(words, words[0].span);
        let mut modern: Vec<Word> = to.split(' ').map(|word| Word::verbatim(word, words[0].span)).collect();
        if matches!(keyword.name, "reqadd" | "rspadd") {
            modern.extend(header_words(&words[count..]));
        } else if keyword.name == "monitor-net" {
            let Some(network) = words.get(count) else {
                let message = "'monitor-net' expects a network as argument.";
                return self.say(Diagnostic::alert(Reason::MissingArgument, words[0].span, message));
            };
            let verbatim = |word: &str| Word::verbatim(word, words[0].span);
            modern.extend(["status", "200", "if", "{", "src"].map(verbatim));
            modern.extend([network.clone(), verbatim("}")]);
        } else {
            modern.extend_from_slice(&words[count..]);
        }
        let bare = !words.get(count).is_some_and(|word| matches!(word.text(), "if" | "unless"));
        if keyword.name == "block" && bare {
            let message = "'block' requires either 'if' or 'unless' followed by a condition.";
            return self.say(Diagnostic::alert(Reason::MissingArgument, words[0].span, message));
        }
        let line = modern.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        let message = format!(
            "the '{}' directive is not supported anymore since HAProxy {since}. Use '{to}'.",
            keyword.name
        );
        self.say(
            Diagnostic::warning(Reason::Retired, span_of(&words[..count], span), message)
                .help(format!("write: {line}"))
                .edit(span, line),
        );
        self.modern(keyword.name, modifier, &modern);
    }

    /// Reads the line that stands for one with a retired keyword.
    fn modern(&mut self, old: &'static str, modifier: Modifier, words: &[Word]) {
        let Some(bit) = self.tree.sections.last().map(|section| section.kind.bit) else { return };
        self.old = Some(old);
        match keywords::lookup(words, bit) {
            Lookup::Found(keyword) => self.statement(keyword, modifier, words, true),
            Lookup::Elsewhere(keyword) => self.elsewhere(keyword, modifier, words),
            Lookup::Family | Lookup::Unknown => {}
        }
        self.old = None;
    }

    /// A rule of another form: today's lines are read in its place.
    pub(super) fn translated(
        &mut self,
        keyword: &'static Keyword,
        to: &'static str,
        since: &'static str,
        words: &[Word],
    ) {
        let Some(rule) = OldRule::of(keyword.name) else { return };
        let (name, span) = (keyword.name, span_of(words, words[0].span));
        let arguments = &words[1..];
        let own = rule.arguments();
        if arguments.len() < own {
            let message =
                format!("'{name}' expects {} as arguments.", ["<search>", "<search> and <replace>"][own - 1]);
            return self.say(Diagnostic::alert(Reason::MissingArgument, words[0].span, message));
        }
        let (own, cond) = arguments.split_at(own);
        if let Some(extra) = cond.first().filter(|word| !matches!(word.text(), "if" | "unless")) {
            let message =
                format!("'{name}' expects nothing, 'if', or 'unless' after its arguments, got '{extra}'.");
            return self.say(Diagnostic::alert(Reason::TooManyArguments, extra.span, message));
        }
        let own: Vec<&str> = own.iter().map(Word::text).collect();
        let cond: Vec<String> = cond.iter().map(|word| word.text().to_owned()).collect();
        let message = format!(
            "the '{name}' directive is not supported anymore since HAProxy {since}. Use '{to}' instead."
        );
        let lines = match rule.modern(&own, &cond) {
            Ok(lines) => lines,
            Err(why) => {
                let diagnostic = Diagnostic::alert(Reason::Refused, span, message);
                return self.say(diagnostic.label("this rule has no modern form").help(why));
            }
        };
        let written: Vec<String> = lines
            .iter()
            .map(|line| line.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "))
            .collect();
        let mut diagnostic = Diagnostic::warning(Reason::Retired, words[0].span, message);
        for line in &written {
            diagnostic = diagnostic.help(format!("write: {line}"));
        }
        self.say(diagnostic.edit(span, written.join("\n    ")));
        for line in lines {
            let words: Vec<Word> = line.iter().map(|word| Word::verbatim(word, span)).collect();
            self.modern(name, Modifier::None, &words);
        }
    }
}

/// `reqadd "X-Name: value"` as the name and value of a modern rule, with its condition.
fn header_words(words: &[Word]) -> Vec<Word> {
    let Some((header, rest)) = words.split_first() else { return Vec::new() };
    let (name, value) = header.split_once(':').unwrap_or_else(|| (header.text(), ""));
    // The modern value is a log-format, where `%` and quotes mean something.
    let value = value.trim_start().replace('%', "%%");
    let mut out = vec![Word::verbatim(name.trim(), header.span), Word::verbatim(&value, header.span)];
    out.extend_from_slice(rest);
    out
}

/// A word as it would be written.
fn quoted(word: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && !matches!(c, '"' | '\'' | '#' | '\\' | '$');
    match word {
        "" => "\"\"".into(),
        word if word.chars().all(plain) => word.into(),
        word if !word.contains('\'') => format!("'{word}'"),
        word => format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$")),
    }
}
