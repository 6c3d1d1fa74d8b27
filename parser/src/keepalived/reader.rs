//! Physical lines to logical lines.

use std::collections::VecDeque;

use super::Options;
use super::defs::{Defs, Failure, definition};
use super::include::{IncludeKind, IncludedFile, Includes};
use super::report::{Class, Report, Voice};
use super::seq::{self, Repeat};
use super::word::{Word, decomment, plain};
use crate::diagnostic::Reason;
use crate::span::{FileId, Sources, Span};

/// A logical line: never empty; a brace outside double quotes stands alone on it.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// Text without comments, definitions replaced.
    pub text: String,
    /// Its words.
    pub words: Vec<Word>,
    /// The physical line it comes from.
    pub span: Span,
}

/// Text on its way to become a line.
#[derive(Clone, Debug)]
struct Piece {
    text: String,
    /// Offset in the file of the first byte, while the text is as the file has it.
    base: Option<usize>,
    span: Span,
}

/// Where the next text comes from; the last one is asked first.
enum Feed {
    File { id: FileId, at: usize, directory: String },
    Text(Piece),
    Repeat(Repeat, Span),
    Lines { name: String, rest: VecDeque<String>, span: Span },
}

/// Files inside files.
const MOST_NESTED: usize = 64;
/// How many files may be read.
const MOST_FILES: usize = 2000;

/// Reads logical lines.
pub struct Reader<'a> {
    /// Every file read so far.
    pub sources: &'a mut Sources,
    /// Messages.
    pub report: &'a mut Report,
    includes: &'a mut dyn Includes,
    feeds: Vec<Feed>,
    defs: Defs,
    config_id: Option<String>,
    /// `include_check`: what every include must satisfy from here on.
    pub include_check: IncludeKind,
    depth: usize,
    expanded: usize,
    /// A definition that goes on in the next line: its name and lines.
    defining: Option<(String, Vec<String>)>,
    last: Span,
}

impl<'a> Reader<'a> {
    /// Starts with the main file, which is in `directory`.
    pub fn new(
        sources: &'a mut Sources,
        report: &'a mut Report,
        includes: &'a mut dyn Includes,
        main: FileId,
        directory: &str,
        options: &Options,
    ) -> Self {
        let config_id = options.config_id.clone();
        let defs = Defs::new(config_id.as_deref().unwrap_or(""), directory, options.seed);
        let feeds = vec![Feed::File { id: main, at: 0, directory: directory.to_owned() }];
        let last = Span::new(main, 0..0);
        let include_check = options.include_check;
        Self {
            sources,
            report,
            includes,
            feeds,
            defs,
            config_id,
            include_check,
            depth: 0,
            expanded: 0,
            defining: None,
            last,
        }
    }

    /// Place of the line read last.
    #[must_use]
    pub fn here(&self) -> Span {
        self.last
    }

    /// Blocks that are still open.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth
    }

    fn say(&mut self, class: Class, reason: Reason, text: impl AsRef<str>) {
        self.report.say(self.sources, Voice::Parent, class, reason, self.last, text);
    }

    /// The next logical line.
    pub fn next_line(&mut self) -> Option<Line> {
        loop {
            let piece = self.next_piece()?;
            self.last = piece.span;
            let Some(piece) = self.rewrite(piece) else { continue };
            if self.include(&piece.text) {
                continue;
            }
            let piece = self.split_at_brace(piece);
            let words = self.words(&piece);
            if words.is_empty() {
                continue;
            }
            return Some(Line { text: piece.text, words, span: piece.span });
        }
    }

    fn next_piece(&mut self) -> Option<Piece> {
        loop {
            match self.feeds.last_mut()? {
                Feed::Text(_) => {
                    let Some(Feed::Text(piece)) = self.feeds.pop() else { continue };
                    return Some(piece);
                }
                Feed::Repeat(repeat, span) => {
                    let (span, row) = (*span, repeat.values.next());
                    let Some(row) = row else {
                        self.feeds.pop();
                        continue;
                    };
                    let (names, text) = (repeat.names.clone(), repeat.text.clone());
                    for (name, value) in names.iter().zip(&row) {
                        self.defs.set(name, value);
                    }
                    if !self.count_expanded() {
                        return None;
                    }
                    return Some(Piece { text, base: None, span });
                }
                Feed::Lines { rest, span, .. } => {
                    let (span, next) = (*span, rest.pop_front());
                    let Some(text) = next else {
                        self.feeds.pop();
                        continue;
                    };
                    if !self.count_expanded() {
                        return None;
                    }
                    return Some(Piece { text, base: None, span });
                }
                Feed::File { .. } => {
                    if let Some(piece) = self.next_physical() {
                        return Some(piece);
                    }
                }
            }
        }
    }

    fn count_expanded(&mut self) -> bool {
        self.expanded += 1;
        let most = self.includes.most_expanded();
        if self.expanded == most {
            let text = format!("Definitions and sequences expand to more than {most} lines - stopping here");
            self.report
                .say(self.sources, Voice::Parent, Class::Fatal, Reason::Syntax, self.last, text)
                .done();
            self.report.file_error = true;
        }
        if self.expanded >= most {
            self.feeds.clear();
        }
        self.expanded < most
    }

    /// The next line of the file on top; `None`: it was empty, or the file has ended.
    fn next_physical(&mut self) -> Option<Piece> {
        let Some(Feed::File { id, at, .. }) = self.feeds.last_mut() else { return None };
        let (id, start) = (*id, *at);
        let text = &self.sources.file(id).text;
        if start >= text.len() {
            self.end_file();
            return None;
        }
        let rest = &text[start..];
        let len = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        *at = start + len + 1;
        let line = &rest[..len];
        let line = &line[..line.iter().rposition(|byte| *byte != b'\r').map_or(0, |last| last + 1)];
        // A NUL ends a line of keepalived's.
        let line = &line[..line.iter().position(|byte| *byte == 0).unwrap_or(line.len())];
        let span = Span::new(id, start..start + line.len());
        let line = String::from_utf8_lossy(line).into_owned();
        self.last = span;
        if line.is_empty() {
            self.finish_definition();
            return None;
        }
        let (text, open_quote) = decomment(&line);
        if open_quote {
            self.report
                .say(
                    self.sources,
                    Voice::Parent,
                    Class::General,
                    Reason::Syntax,
                    span,
                    format!("Unterminated quote '{text}'"),
                )
                .help("close the double quote on the same line");
        }
        if text.is_empty() {
            // A line with only a comment ends a definition as an empty one does.
            self.finish_definition();
            return None;
        }
        let lead = line.len() - line.trim_start_matches([' ', '\t']).len();
        let verbatim = line[lead..].starts_with(&text);
        Some(Piece { base: verbatim.then_some(start + lead), text, span })
    }

    fn end_file(&mut self) {
        self.feeds.pop();
        let directory = self.feeds.iter().rev().find_map(|feed| match feed {
            Feed::File { directory, .. } => Some(directory.clone()),
            _ => None,
        });
        if let Some(directory) = directory {
            self.defs.set_directory(&directory);
        }
    }

    fn finish_definition(&mut self) {
        if let Some((name, lines)) = self.defining.take() {
            self.defs.set_lines(&name, lines);
        }
    }

    /// Conditions, definitions and repetitions. `None`: nothing of the line remains.
    fn rewrite(&mut self, mut piece: Piece) -> Option<Piece> {
        if let Some((_, lines)) = &mut self.defining {
            let (text, goes_on) = match piece.text.strip_suffix('\\') {
                Some(text) => (text.trim_end_matches([' ', '\t']), true),
                None => (piece.text.as_str(), false),
            };
            if !text.is_empty() && lines.len() <= self.includes.most_expanded() {
                // One more than may ever be brought in: using it is an error then.
                lines.push(text.to_owned());
            }
            if !goes_on {
                self.finish_definition();
            }
            return None;
        }
        loop {
            if let Some(rest) = piece.text.strip_prefix('@') {
                let kept = condition(rest, self.config_id.as_deref())?;
                let skipped = piece.text.len() - kept.len();
                piece = Piece {
                    text: kept.to_owned(),
                    base: piece.base.map(|base| base + skipped),
                    span: piece.span,
                };
            }
            if let Some((name, text)) = definition(&piece.text) {
                match text.strip_suffix('\\') {
                    Some(first) => {
                        let first = first.trim_end_matches([' ', '\t']);
                        let lines = if first.is_empty() { Vec::new() } else { vec![first.to_owned()] };
                        self.defining = Some((name.to_owned(), lines));
                    }
                    None => self.defs.set(name, text),
                }
                return None;
            }
            if piece.text.starts_with("~SEQ") || piece.text.starts_with("~LST") {
                self.repeat(&piece);
                return None;
            }
            if piece.text.starts_with('~') || !piece.text.contains('$') {
                return (!piece.text.is_empty()).then_some(piece);
            }
            let inside: Vec<String> = self
                .feeds
                .iter()
                .filter_map(|feed| match feed {
                    Feed::Lines { name, .. } => Some(name.clone()),
                    _ => None,
                })
                .collect();
            let before = piece.text.clone();
            let replaced = match self.defs.replace(&mut piece.text, &inside) {
                Ok(replaced) => replaced,
                Err(failure) => {
                    self.failed(&failure, &before);
                    return None;
                }
            };
            if !replaced.any {
                return Some(piece);
            }
            if let Some((name, rest)) = replaced.more {
                self.feeds.push(Feed::Lines { name, rest: rest.into(), span: piece.span });
            }
            let (text, _) = decomment(&piece.text);
            piece = Piece { text, base: None, span: piece.span };
            if piece.text.is_empty() {
                return None;
            }
            if !piece.text.starts_with('@') && !piece.text.contains('$') {
                return Some(piece);
            }
            if !self.count_expanded() {
                return None;
            }
        }
    }

    fn failed(&mut self, failure: &Failure, line: &str) {
        match failure {
            Failure::Recursive(name) => {
                let text = format!("Definition of ${name} refers to itself");
                self.report
                    .say(self.sources, Voice::Parent, Class::Fatal, Reason::Syntax, self.last, text)
                    .help(format!("give ${name} a value that does not contain ${name}; keepalived 2.2.7 would never finish here"));
            }
            Failure::TooLong => {
                let text =
                    format!("Parameter substitution on line '{line}' would exceed maximum line length");
                self.say(Class::General, Reason::Syntax, text);
            }
        }
    }

    fn repeat(&mut self, piece: &Piece) {
        let parsed = if piece.text.starts_with("~SEQ") {
            let defs = &mut self.defs;
            seq::sequence(&piece.text, |numbers| {
                let mut numbers = numbers.to_owned();
                // A failure leaves a `$`, which is then no number.
                let _ = defs.replace(&mut numbers, &[]);
                numbers
            })
        } else {
            seq::list(&piece.text)
        };
        match parsed {
            Ok(repeat) => self.feeds.push(Feed::Repeat(repeat, piece.span)),
            Err(problem) => {
                self.say(Class::General, Reason::Syntax, &problem);
                let kind = &piece.text[..4];
                let general = format!("Invalid {kind} specification '{}'", piece.text);
                if problem != general {
                    self.say(Class::General, Reason::Syntax, general);
                }
            }
        }
    }

    /// Whether the line is an include; if so its files come next.
    fn include(&mut self, text: &str) -> bool {
        let Some((kind, pattern)) = include_line(text) else { return false };
        let kind = kind.or(self.include_check);
        let directory = self.feeds.iter().rev().find_map(|feed| match feed {
            Feed::File { directory, .. } => Some(directory.clone()),
            _ => None,
        });
        let nested = self.feeds.iter().filter(|feed| matches!(feed, Feed::File { .. })).count();
        if nested >= MOST_NESTED {
            self.say(
                Class::Fatal,
                Reason::Io,
                format!("include of '{pattern}' is nested more than {MOST_NESTED} deep - skipping"),
            );
            self.report.file_error = true;
            return true;
        }
        if self.sources.iter().count() > MOST_FILES {
            let text = format!("more than {MOST_FILES} files are included - stopping here");
            self.say(Class::Fatal, Reason::Io, text);
            self.report.file_error = true;
            self.feeds.clear();
            return true;
        }
        let found = self.includes.find(pattern, directory.as_deref().unwrap_or("."));
        if found.files.is_empty() {
            if found.missing {
                let needed = if pattern.contains('{') { kind.braces } else { kind.matched };
                self.include_problem(needed, format!("Config files missing '{pattern}'."));
            } else if found.wildcards && kind.wildcard {
                self.include_problem(true, format!("No config files matched '{pattern}'."));
            }
            return true;
        }
        if found.missing && kind.braces {
            self.include_problem(true, format!("Some config files missing: \"{pattern}\"."));
            return true;
        }
        self.report.several_files |= found.files.iter().any(|file| file.text.is_ok());
        let mut readable = Vec::new();
        for IncludedFile { name, directory, text } in found.files {
            match text {
                Ok(text) => readable.push((self.sources.add(name, text), directory)),
                Err(why) => self.include_problem(kind.readable, why),
            }
        }
        let feeds = readable.into_iter().rev().map(|(id, directory)| Feed::File { id, at: 0, directory });
        self.feeds.extend(feeds);
        if let Some(Feed::File { directory, .. }) = self.feeds.last() {
            self.defs.set_directory(directory);
        }
        true
    }

    fn include_problem(&mut self, needed: bool, text: String) {
        let class = if needed { Class::FileNotFound } else { Class::Ok };
        self.report.file_error |= needed;
        self.say(class, Reason::Io, text);
    }

    /// A brace outside double quotes ends the line before it and stands alone; what follows comes next.
    fn split_at_brace(&mut self, mut piece: Piece) -> Piece {
        let Some(at) = brace(&piece.text) else { return piece };
        let cut = if at == 0 { 1 } else { at };
        let rest = &piece.text[cut..];
        let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        let rest = rest[blank..].trim_end_matches([' ', '\t']).to_owned();
        if !rest.is_empty() {
            let base = piece.base.map(|base| base + cut + blank);
            self.feeds.push(Feed::Text(Piece { text: rest, base, span: piece.span }));
        }
        piece.text.truncate(cut);
        piece.text.truncate(piece.text.trim_end_matches([' ', '\t']).len());
        match piece.text.as_str() {
            "{" => self.depth += 1,
            "}" if self.depth == 0 => {
                self.report
                    .say(self.sources, Voice::Parent, Class::General, Reason::Syntax, self.last, "Extra '}' found")
                    .help("this '}' closes nothing: an earlier block was closed twice, or its '{' belonged to an unknown word");
            }
            "}" => self.depth -= 1,
            _ => {}
        }
        piece
    }

    fn words(&mut self, piece: &Piece) -> Vec<Word> {
        let (words, whole) = match plain(&piece.text) {
            Ok(words) => (words, true),
            Err(words) => (words, false),
        };
        let words = words
            .into_iter()
            .map(|(text, at)| {
                let place = |base: usize| Span::new(piece.span.file, base + at..base + at + text.len());
                Word { text: text.to_owned(), span: piece.base.map_or(piece.span, place) }
            })
            .collect();
        if !whole {
            let text = format!("Unmatched quote: '{}'", piece.text);
            self.report.say(self.sources, Voice::Child, Class::General, Reason::Syntax, piece.span, text);
        }
        words
    }
}

/// `ID rest` or `^ID rest` after an `@`: the rest, if it is kept.
fn condition<'a>(text: &'a str, config_id: Option<&str>) -> Option<&'a str> {
    let (text, reverse) = text.strip_prefix('^').map_or((text, false), |text| (text, true));
    let end = text.find([' ', '\t'])?;
    let same = config_id == Some(&text[..end]);
    (same != reverse).then(|| text[end..].trim_start_matches([' ', '\t']))
}

fn include_line(text: &str) -> Option<(IncludeKind, &str)> {
    let rest = text.strip_prefix("include")?;
    let letter = rest.chars().next()?;
    if super::word::is_space(letter) {
        return Some((IncludeKind::of(None), rest.trim_start()));
    }
    let after = &rest[letter.len_utf8()..];
    (matches!(letter, 'r' | 'm' | 'w' | 'b' | 'a') && after.starts_with(super::word::is_space))
        .then(|| (IncludeKind::of(Some(letter)), after.trim_start()))
}

/// Offset of the first brace outside double quotes.
fn brace(text: &str) -> Option<usize> {
    let mut quote = false;
    let mut closed_until = 0;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !quote => {
                // An open quote hides the rest of the line.
                quote = text[at + 1..].contains('"');
                if !quote {
                    return None;
                }
            }
            '"' => {
                quote = false;
                closed_until = at;
            }
            '{' | '}' if !quote && at >= closed_until => return Some(at),
            _ => {}
        }
    }
    None
}
