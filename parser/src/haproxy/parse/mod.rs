//! Files to sections, lines to statements.

mod old;
mod unknown;

use std::collections::HashMap;

use super::arguments;
use super::condition::Facts;
use super::environment::Environment;
use super::grammar::{self, Effect, Keyword};
use super::keywords::{self, Lookup};
use super::preprocess::Preprocessor;
use super::section::{self, KINDS, Naming, SectionKind};
use super::subject::{Guess, Subject, Title};
use super::tree::{Modifier, Section, Statement, Tree, Value};
use crate::diagnostic::{Diagnostic, Head, Reason, Severity};
use crate::lex::{LineError, Variables, Word, span_of, split};
use crate::span::{FileId, SourceFile, Sources, Span};
use crate::suggest::nearest;

/// Messages that are kept; a text with more is no configuration.
const MOST_SAID: usize = 1_000;

const NEGATION: &str = "negation/default currently supported only for options, log, busy-polling, set-dumpable, \
                        strict-limits, insecure-fork-wanted and numa-cpu-mapping.";

/// Bytes that the variables of all lines together may bring in: definitions can double with every line.
const MOST_BROUGHT: usize = 32 << 20;

/// Words a line may have.
const MOST_WORDS: usize = 64;

/// Reads all files in order. Lines that are wrong are reported and left out.
#[must_use]
pub fn parse(sources: &Sources, vars: &dyn Variables, facts: &Facts<'_>) -> (Tree, Vec<Diagnostic>) {
    let mut parser = Parser {
        env: Environment::new(vars),
        facts,
        tree: Tree::default(),
        diagnostics: Vec::new(),
        said: HashMap::new(),
        in_section: false,
        brought: 0,
        old: None,
    };
    for (id, file) in sources.iter() {
        parser.file(id, file);
    }
    parser.tree.environment = parser.env.changed;
    (parser.tree, parser.diagnostics)
}

struct Parser<'a> {
    env: Environment<'a>,
    facts: &'a Facts<'a>,
    tree: Tree,
    diagnostics: Vec<Diagnostic>,
    /// Keywords whose lack of effect was reported: where, and how often they were seen again.
    said: HashMap<&'static str, (usize, usize)>,
    /// Bytes that variables brought in so far.
    brought: usize,
    /// Whether the last section of the tree takes lines.
    in_section: bool,
    /// The retired keyword whose modern lines are being read.
    old: Option<&'static str>,
}

impl Parser<'_> {
    fn say(&mut self, diagnostic: Diagnostic) {
        match self.diagnostics.len() {
            said if said < MOST_SAID => self.diagnostics.push(diagnostic),
            MOST_SAID => {
                let message = format!("more than {MOST_SAID} messages, the others are left out.");
                let span = diagnostic.span.unwrap_or_default();
                self.diagnostics.push(Diagnostic::alert(Reason::Syntax, span, message));
            }
            _ => {}
        }
    }

    fn file(&mut self, id: FileId, file: &SourceFile) {
        self.in_section = false;
        self.env.file = file.name.as_ref().to_owned();
        let mut preprocessor = Preprocessor::default();
        let (mut offset, mut last) = (0, 0);
        for (nth, raw) in file.text.split_inclusive(|b| *b == b'\n').enumerate() {
            self.env.line = u32::try_from(nth + 1).unwrap_or(u32::MAX);
            let line = raw.strip_suffix(b"\n").unwrap_or(raw);
            self.line(id, offset, line, &mut preprocessor);
            (last, offset) = (offset, offset + raw.len());
        }
        preprocessor.finish(file, Span::new(id, last..offset), &mut self.diagnostics);
        if file.text.last().is_some_and(|b| *b != b'\n') {
            let end = Span::new(id, file.text.len()..file.text.len());
            let column = file.line_column(end.start).1;
            let message =
                format!("Missing LF on last line, file might have been truncated at position {column}.");
            self.say(
                Diagnostic::warning(Reason::MissingFinalNewline, end, message)
                    .help("end the file with a newline; the line was read as it stands")
                    .edit(end, "\n"),
            );
        }
    }

    fn line(&mut self, id: FileId, offset: usize, line: &[u8], preprocessor: &mut Preprocessor) {
        if let Some(at) = line.iter().position(|b| *b == 0) {
            let message = format!("Stray NUL character at position {}.", at + 1);
            let span = Span::new(id, offset + at..offset + at + 1);
            return self.say(Diagnostic::alert(Reason::Syntax, span, message).head(Head::Close));
        }
        let words = match split(id, offset, line, &self.env) {
            Ok(line) => line,
            // Lines that do not count are split into words like others.
            Err(error) => return self.say(syntax(error, offset)),
        };
        self.brought = self.brought.saturating_add(words.brought);
        if self.brought > MOST_BROUGHT {
            if self.brought - words.brought <= MOST_BROUGHT {
                let message = format!("variables bring in more than {} megabytes.", MOST_BROUGHT >> 20);
                let span = span_of(&words.words, Span::new(id, offset..offset + line.len()));
                self.say(Diagnostic::alert(Reason::Syntax, span, message));
            }
            return;
        }
        let (unknown, words) = (words.unknown_variables, words.words);
        let Some(first) = words.first() else { return };
        if first.starts_with('.') {
            return preprocessor.directive(&words, &self.env, self.facts, &mut self.diagnostics);
        }
        if !preprocessor.active() || self.diagnostics.len() > MOST_SAID {
            return;
        }
        if words.len() > MOST_WORDS {
            let word = &words[MOST_WORDS - 1];
            let at = word.span.start as usize - offset + 1;
            let message =
                format!("too many words, truncating after word {MOST_WORDS}, position {at}: <{word}>.");
            return self.say(Diagnostic::alert(Reason::Syntax, words[MOST_WORDS].span, message));
        }
        let mut words = words.as_slice();
        if let Some((nth, empty)) = words.iter().enumerate().find(|(_, word)| word.is_empty()) {
            let at = empty.span.start as usize - offset + 1;
            let message = format!(
                "argument number {nth} at position {at} is empty and marks the end of the argument list."
            );
            // As the reference: what follows is not read.
            let mut diagnostic = Diagnostic::warning(Reason::Syntax, empty.span, message);
            if let Some((name, span)) = unknown.first() {
                diagnostic.span = Some(*span);
                diagnostic = diagnostic
                    .label(format!("the environment variable '{name}' is not set"))
                    .help(format!("set it, or give it a value here: \"${{{name}-value}}\""));
            }
            self.say(diagnostic);
            words = &words[..nth];
        }
        self.words(words);
    }

    fn words(&mut self, words: &[Word]) {
        // An empty first word ends the line where it begins.
        let Some(alone) = words.first() else { return };
        let (modifier, words) = match alone.text() {
            "no" => (Modifier::No, &words[1..]),
            "default" => (Modifier::Default, &words[1..]),
            _ => (Modifier::None, words),
        };
        let Some(first) = words.first() else {
            return self.say(negation(Reason::MissingArgument, alone.span));
        };
        if modifier != Modifier::None && !grammar::may_be_negated(first) {
            return self.say(negation(Reason::NotAllowedHere, alone.span));
        }
        if let (Modifier::None, Some(kind)) = (modifier, section::kind_of(first)) {
            // `user`, `default-server` and the like never collide; `cache`, `ring` and `peers` name settings
            // only after another word.
            return self.section(kind, words);
        }
        if !self.in_section {
            let near = nearest(first, KINDS.iter().map(|kind| kind.name));
            let message = format!("unknown keyword '{first}' out of section.");
            let diagnostic = Diagnostic::alert(Reason::OutOfSection, first.span, message);
            return self.say(Guess { said: None, near }.attach(diagnostic, first.span));
        }
        let Some(section) = self.tree.sections.last() else { return };
        let kind = section.kind;
        match keywords::lookup(words, kind.bit) {
            Lookup::Found(keyword) => self.statement(keyword, modifier, words, true),
            Lookup::Elsewhere(keyword) => self.elsewhere(keyword, modifier, words),
            Lookup::Family => self.unknown_second(words, kind),
            Lookup::Unknown => self.unknown(first, kind),
        }
    }

    // Sections.

    fn section(&mut self, kind: &'static SectionKind, words: &[Word]) {
        self.in_section = true;
        let span = span_of(words, words[0].span);
        let mut section =
            Section { kind, name: None, from: None, addresses: None, span, statements: Vec::new() };
        let mut rest = &words[1..];
        if kind.named != Naming::Never
            && let Some((name, after)) = rest.split_first()
            && !(kind.named == Naming::Maybe && name == "from" && !after.is_empty())
        {
            self.check_name(kind, name);
            section.name = Some(name.clone());
            rest = after;
        }
        if kind.named == Naming::Always && section.name.is_none() {
            let (message, head) = match kind.bit {
                section::USERLIST => ("'userlist' expects <name> as arguments.".to_owned(), Head::Close),
                section::FCGI_APP => ("'fcgi-app' expects <name> as argument.".to_owned(), Head::Close),
                section::CACHE => ("'cache' expects a <name> argument".to_owned(), Head::Parsing),
                _ => (format!("'{}' expects an <id> argument", kind.name), Head::Parsing),
            };
            self.say(Diagnostic::alert(Reason::MissingArgument, words[0].span, message).head(head));
        }
        if kind.bit & (section::FRONTEND | section::LISTEN) != 0
            && rest.first().is_some_and(|word| word != "from")
        {
            section.addresses = self.old_addresses(kind, words, rest).map(Box::new);
            rest = &[];
        }
        if kind.is_proxy()
            && let [from, base, after @ ..] = rest
            && from == "from"
        {
            section.from = Some(Box::new(base.clone()));
            rest = after;
        }
        if let Some(extra) = rest.first() {
            let message = format!("'{}' cannot handle unexpected argument '{extra}'.", kind.name);
            // HAProxy never looks behind the names of these.
            let heedless = kind.bit
                & (section::DEFAULTS
                    | section::BACKEND
                    | section::RESOLVERS
                    | section::RING
                    | section::HTTP_ERRORS)
                != 0;
            let severity = if heedless && extra != "from" { Severity::Warning } else { Severity::Alert };
            self.say(Diagnostic::new(severity, Reason::TooManyArguments, extra.span, message));
        }
        if !kind.inert.is_empty() {
            let message = format!("section '{}' is accepted but has no effect in Tandem yet.", kind.name);
            self.no_effect(kind.name, Reason::NoEffect, span, message, kind.inert);
        }
        self.env.section = section.name.as_ref().map_or(kind.name, |name| name.text()).to_owned();
        if let Some(last) = self.tree.sections.last_mut() {
            last.statements.shrink_to_fit();
        }
        self.tree.sections.push(section);
    }

    fn check_name(&mut self, kind: &SectionKind, name: &Word) {
        let bad = |c: &char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | ':' | '_' | '-');
        if !kind.is_proxy()
            && kind.bit & (section::PEERS | section::RESOLVERS | section::MAILERS | section::USERLIST) == 0
        {
            return;
        }
        if let Some(c) = name.chars().find(bad) {
            let message = format!("character '{c}' is not permitted in '{}' name '{name}'.", kind.name);
            // Today's HAProxy says so and goes on, where earlier ones stopped.
            let severity = if kind.is_proxy() { Severity::Warning } else { Severity::Alert };
            self.say(
                Diagnostic::new(severity, Reason::InvalidValue, name.span, message)
                    .help("names are made of letters, digits, '.', ':', '_' and '-'"),
            );
        }
    }

    // Lines.

    /// `counts`: the section has the half that the line is about.
    fn statement(&mut self, keyword: &'static Keyword, modifier: Modifier, words: &[Word], counts: bool) {
        let count = keywords::word_count(keyword.name);
        let head_span = span_of(&words[..count], words[0].span);
        let span = span_of(words, head_span);
        if modifier != Modifier::None && !keyword.negatable() {
            let diagnostic = match keyword.name.strip_prefix("option ") {
                Some(option) if keyword.positive_option() => {
                    let message = format!("negation/default is not supported for option '{option}'.");
                    Diagnostic::alert(Reason::NotAllowedHere, words[0].span, message).head(Head::Close)
                }
                _ => negation(Reason::NotAllowedHere, words[0].span),
            };
            return self.say(diagnostic);
        }
        if let Effect::Renamed { to, since } = keyword.effect {
            return self.renamed(keyword, to, since, modifier, words);
        }
        if let Effect::Translated { to, since } = keyword.effect {
            return self.translated(keyword, to, since, words);
        }
        // What stands in parentheses behind the keyword is an argument, too.
        let glued =
            count > 1 && words[count - 1].ends_with(')') && !keyword.name.ends_with(words[count - 1].text());
        let arguments = &words[count - usize::from(glued)..];
        if let (Modifier::No, "log", Some(extra)) = (modifier, keyword.name, arguments.first()) {
            let message = "log : 'no log' does not expect arguments";
            return self.say(Diagnostic::alert(Reason::TooManyArguments, extra.span, message));
        }
        // `no log` and `no option X` need no arguments.
        let bare = modifier != Modifier::None && arguments.is_empty();
        let name = subject_name(keyword, arguments, self.tree.sections.last());
        let head = if unknown::is_server(keyword) { Head::At } else { Head::Parsing };
        let subject = Subject::new(name, head, head_span, &self.env).of(self.tree.sections.last());
        let args = if bare { Ok(Vec::new()) } else { arguments::read(&subject, keyword, arguments) };
        let warnings = subject.warnings.into_inner();
        self.diagnostics.extend(warnings);
        match args {
            Err(diagnostic) => self.say(*diagnostic),
            Ok(args) => {
                let statement = Statement { keyword, modifier, args: args.into(), old: self.old, span };
                if counts {
                    self.effect(keyword, modifier, head_span);
                    self.settings_effect(keyword.name, &statement.args);
                }
                self.env.apply(&statement);
                if let Some(section) = self.tree.sections.last_mut() {
                    section.statements.push(statement);
                }
            }
        }
    }

    // What a keyword does here.

    fn effect(&mut self, keyword: &'static Keyword, modifier: Modifier, span: Span) {
        if modifier != Modifier::None {
            return;
        }
        let name = keyword.name;
        match keyword.effect {
            Effect::Full | Effect::Moot(_) | Effect::Renamed { .. } | Effect::Translated { .. } => {}
            Effect::Inert(missed) => {
                let message = format!("'{name}' is accepted but has no effect in Tandem yet.");
                self.no_effect(name, Reason::NoEffect, span, message, missed);
            }
            Effect::Obsolete { since, instead } => {
                let message = format!("'{name}' is not supported any more since HAProxy {since}.");
                self.no_effect(name, Reason::Retired, span, message, instead);
            }
            Effect::Refused(danger) => {
                let message = format!("'{name}' is known, but Tandem cannot do it yet.");
                self.say(
                    Diagnostic::alert(Reason::Refused, span, message)
                        .label("refused rather than ignored")
                        .help(format!("without it {danger}")),
                );
            }
        }
    }

    fn settings_effect(&mut self, line: &str, args: &[Value]) {
        for arg in args {
            let Value::Settings(settings) = arg else { continue };
            for setting in settings {
                let name = setting.keyword.name;
                match setting.keyword.effect {
                    Effect::Inert(missed) => {
                        let message =
                            format!("'{name}' of '{line}' is accepted but has no effect in Tandem yet.");
                        self.no_effect(name, Reason::NoEffect, setting.span, message, missed);
                    }
                    Effect::Refused(danger) => {
                        let message = format!("'{name}' of '{line}' is known, but Tandem cannot do it yet.");
                        self.say(
                            Diagnostic::alert(Reason::Refused, setting.span, message)
                                .label("refused rather than ignored")
                                .help(format!("without it {danger}")),
                        );
                    }
                    _ => {}
                }
                self.settings_effect(name, &setting.args);
            }
        }
    }

    /// Once per keyword; the first message counts the others.
    fn no_effect(&mut self, name: &'static str, reason: Reason, span: Span, message: String, help: &str) {
        if let Some((at, times)) = self.said.get_mut(name) {
            *times += 1;
            let note = format!("the same on {times} more line{}", if *times == 1 { "" } else { "s" });
            let help = &mut self.diagnostics[*at].help;
            help.truncate(1);
            help.push(note);
            return;
        }
        self.said.insert(name, (self.diagnostics.len(), 0));
        let mut diagnostic = Diagnostic::warning(reason, span, message).help(help);
        if reason == Reason::Retired {
            diagnostic = diagnostic.edit(Span { end: span.start, ..span }, "# ");
        }
        self.say(diagnostic);
    }
}

/// `no` or `default` before something that cannot have it.
fn negation(reason: Reason, span: Span) -> Diagnostic {
    Diagnostic::alert(reason, span, NEGATION).head(Head::Close)
}

/// What messages about a line start with.
fn subject_name<'w>(keyword: &Keyword, arguments: &'w [Word], section: Option<&'w Section>) -> Title<'w> {
    let kind = section.map_or("", |section| section.kind.name);
    let proxy = section.and_then(|section| section.name.as_ref()).map(Word::text).unwrap_or_default();
    match (keyword.name, arguments) {
        ("server", [name, _, ..]) => Title::Server { line: "server", proxy, name },
        ("server-template", [name, _, _, ..]) => Title::Server { line: "server-template", proxy, name },
        ("default-server", _) => Title::Default,
        ("bind", [addresses, _, ..]) => Title::Bind { addresses, kind },
        (name, _) => Title::Keyword(name),
    }
}

fn syntax(error: LineError, offset: usize) -> Diagnostic {
    let (what, span, help) = match error {
        LineError::UnmatchedQuote(span) => ("unmatched quote", span, "close it, or write \\\" or \\'"),
        LineError::UnmatchedBrace(span) => {
            ("unmatched brace in environment variable name", span, "close it with '}'")
        }
        LineError::VariableName(span) => (
            "forbidden first char in environment variable name",
            span,
            "write \\$ for a dollar, or use single quotes",
        ),
        LineError::Hex(span) => {
            ("truncated or invalid hexadecimal sequence", span, "two hexadecimal digits must follow")
        }
        LineError::TooLong(span) => ("line too long", span, "its variables bring in more than a megabyte"),
        LineError::Expansion(span) => ("truncated or invalid word expansion sequence", span, "write [*]"),
    };
    // Of a variable the character is meant that is wrong: the last one.
    let at = match error {
        LineError::UnmatchedBrace(_) | LineError::VariableName(_) => span.end as usize - offset,
        _ => span.start as usize - offset + 1,
    };
    Diagnostic::alert(Reason::Syntax, span, format!("{what} at position {at}:")).head(Head::Close).help(help)
}
