//! Logical lines to statements, guided by the keyword registry.

use super::keywords::{self, Keyword, Section, Shape};
use super::reader::{Line, Reader};
use super::report::{Class, Report, Voice};
use super::{Includes, Options, Word};
use crate::diagnostic::Reason;
use crate::span::{FileId, Sources, Span};
use crate::suggest::nearest;

/// A keyword with its parameters and its block.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Its registry row.
    pub keyword: &'static Keyword,
    /// The keyword itself, then its parameters.
    pub words: Vec<Word>,
    /// The line as text, for commands with their own quoting.
    pub text: String,
    /// The line.
    pub span: Span,
    /// What follows in braces.
    pub body: Body,
}

/// The block of a statement.
#[derive(Clone, Debug, Default)]
pub enum Body {
    /// None.
    #[default]
    None,
    /// Statements.
    Block {
        /// In order.
        children: Vec<Statement>,
        /// Place of the closing brace (or of the last line read).
        end: Span,
    },
    /// Lines of values, such as addresses.
    Values {
        /// Lines with at least one word.
        lines: Vec<Vec<Word>>,
        /// Place of the closing brace (or of the last line read).
        end: Span,
    },
}

impl Statement {
    /// Statements of its block.
    #[must_use]
    pub fn children(&self) -> &[Statement] {
        match &self.body {
            Body::Block { children, .. } => children,
            _ => &[],
        }
    }

    /// Lines of its value block.
    #[must_use]
    pub fn values(&self) -> &[Vec<Word>] {
        match &self.body {
            Body::Values { lines, .. } => lines,
            _ => &[],
        }
    }

    /// Where its block ends; the line itself without one.
    #[must_use]
    pub fn end(&self) -> Span {
        match &self.body {
            Body::Block { end, .. } | Body::Values { end, .. } => *end,
            Body::None => self.span,
        }
    }
}

/// Reads a main file with everything it includes. The file must already be in `sources`; `directory` is where it is.
pub fn parse(
    sources: &mut Sources,
    main: FileId,
    directory: &str,
    options: &Options,
    includes: &mut dyn Includes,
    report: &mut Report,
) -> Vec<Statement> {
    let mut reader = Reader::new(sources, report, includes, main, directory, options);
    let mut parser = Parser { reader: &mut reader };
    let statements = parser.block(Section::Root, false);
    let open = parser.reader.depth();
    if open > 0 {
        let text = format!("There are {open} missing '}}'s or extra '{{'s");
        let here = parser.reader.here();
        parser
            .reader
            .report
            .say(parser.reader.sources, Voice::Plain, Class::General, Reason::Syntax, here, text)
            .help("every '{' needs its '}'; the end of the file closed the blocks that were still open");
    }
    statements
}

struct Parser<'r, 'a> {
    reader: &'r mut Reader<'a>,
}

impl Parser<'_, '_> {
    fn say(&mut self, section: Section, class: Class, span: Span, text: String) -> super::report::Said<'_> {
        let voice =
            if matches!(section, Section::Root | Section::GlobalDefs) { Voice::Parent } else { Voice::Child };
        self.reader.report.say(self.reader.sources, voice, class, Reason::Syntax, span, text)
    }

    /// Statements up to the brace that closes the section.
    fn block(&mut self, section: Section, mut needs_brace: bool) -> Vec<Statement> {
        let mut statements = Vec::new();
        while let Some(line) = self.reader.next_line() {
            let first = line.words.first().map_or("", |word| word.text.as_str());
            if std::mem::take(&mut needs_brace) {
                if first == "{" {
                    continue;
                }
                self.say(
                    section,
                    Class::General,
                    line.span,
                    "Missing '{' at beginning of configuration block".into(),
                );
            } else if first == "{" {
                self.say(section, Class::General, line.span, "Unexpected '{' - ignoring".into())
                    .help("the line before it does not open a block; what follows is read as part of the block around it");
                continue;
            }
            if first == "}" && section != Section::Root {
                break;
            }
            match keywords::find(section, first) {
                Some(keyword) => {
                    let statement = self.statement(keyword, line);
                    if keyword.name == "include_check" {
                        self.include_check(&statement);
                    }
                    statements.push(statement);
                }
                None => self.unknown(section, &line),
            }
        }
        statements
    }

    fn statement(&mut self, keyword: &'static Keyword, line: Line) -> Statement {
        let body = match keyword.shape {
            Shape::Line => Body::None,
            Shape::Block(section) => {
                let children = self.block(section, true);
                Body::Block { children, end: self.reader.here() }
            }
            Shape::Values => {
                let lines = self.values(&line);
                Body::Values { lines, end: self.reader.here() }
            }
        };
        Statement { keyword, words: line.words, text: line.text, span: line.span, body }
    }

    /// Lines of words up to the brace that closes them.
    fn values(&mut self, head: &Line) -> Vec<Vec<Word>> {
        let name = &head.words[0].text;
        // A group of virtual servers has a name; other blocks of values have none.
        if let Some(extra) = head.words.get(1).filter(|_| name != "virtual_server_group") {
            let text = format!("Block {name} has extra parameters {} ...", extra.text);
            self.reader.report.say(
                self.reader.sources,
                Voice::Child,
                Class::General,
                Reason::TooManyArguments,
                extra.span,
                text,
            );
        }
        let mut lines = Vec::new();
        let mut needs_brace = true;
        while let Some(line) = self.reader.next_line() {
            let mut words = line.words;
            if std::mem::take(&mut needs_brace) {
                if words[0].text == "{" {
                    continue;
                }
                let text = format!("'{{' missing from beginning of block {name}");
                self.reader.report.say(
                    self.reader.sources,
                    Voice::Child,
                    Class::Ok,
                    Reason::Syntax,
                    line.span,
                    text,
                );
            }
            let closed = words.last().is_some_and(|word| word.text == "}");
            if closed {
                words.pop();
            }
            if !words.is_empty() {
                lines.push(words);
            }
            if closed {
                break;
            }
        }
        lines
    }

    fn unknown(&mut self, section: Section, line: &Line) {
        if self.reader.report.is_full() {
            return;
        }
        let word = &line.words[0];
        let mut said =
            self.say(section, Class::General, word.span, format!("Unknown keyword '{}'", word.text));
        if !said.is_kept() {
            return;
        }
        let elsewhere = keywords::sections_of(&word.text);
        if word.text == "}" {
            said.help("this '}' closes nothing");
        } else if let Some(near) = nearest(&word.text, keywords::names(section)) {
            said = said.help(format!("did you mean '{near}'?"));
            said.edit(word.span, near);
        } else if let Some(place) = elsewhere {
            said.help(format!("'{}' belongs in {}", word.text, place.title()));
        }
    }

    fn include_check(&mut self, statement: &Statement) {
        let check = &mut self.reader.include_check;
        if statement.words.len() < 2 {
            *check = super::IncludeKind { readable: true, matched: true, wildcard: true, braces: true };
            return;
        }
        for (i, word) in statement.words[1..].iter().enumerate() {
            let (name, on) = match word.text.split_at_checked(1) {
                Some(("-", rest)) => (rest, false),
                Some(("+", rest)) => (rest, true),
                _ if i == 0 => {
                    *check = super::IncludeKind { readable: true, ..Default::default() };
                    (word.text.as_str(), true)
                }
                _ => continue,
            };
            match name {
                "read" => check.readable = on,
                "match" => check.matched = on,
                "wildcard_match" => check.wildcard = on,
                "brace_match" => check.braces = on,
                other => {
                    let text = format!("Unknown include_check type '{other}' - ignoring");
                    let (report, sources) = (&mut *self.reader.report, &*self.reader.sources);
                    report.say(sources, Voice::Parent, Class::General, Reason::InvalidValue, word.span, text);
                }
            }
        }
    }
}
