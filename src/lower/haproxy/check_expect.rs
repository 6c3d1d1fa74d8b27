//! `http-check expect` and `tcp-check expect`.

use tandem_parser::Word;
use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::haproxy::Statement;
use tandem_parser::span::Span;

use super::super::expr::{Language, Site};
use super::check_rules::{format, hex, regex, wrong};
use crate::ir::check::{Expect, HeaderMatcher, Matcher, Method, Pattern, StatusName, Step, Text};

/// A keyword, what it may prescribe, and how messages list that.
type Statuses = (&'static str, &'static [(&'static str, StatusName)], &'static str);

/// Statuses that may be prescribed, by keyword.
const STATUSES: [Statuses; 3] = [
    (
        "ok-status",
        &[
            ("L7OK", StatusName::L7Ok),
            ("L7OKC", StatusName::L7Okc),
            ("L6OK", StatusName::L6Ok),
            ("L4OK", StatusName::L4Ok),
        ],
        "'L4OK', 'L6OK', 'L7OK' or 'L7OKC'",
    ),
    (
        "error-status",
        &[
            ("L7RSP", StatusName::L7Rsp),
            ("L7STS", StatusName::L7Sts),
            ("L7OKC", StatusName::L7Okc),
            ("L6RSP", StatusName::L6Rsp),
            ("L4CON", StatusName::L4Con),
        ],
        "'L4CON', 'L6RSP', 'L7RSP' or 'L7STS'",
    ),
    (
        "tout-status",
        &[("L7TOUT", StatusName::L7Tout), ("L6TOUT", StatusName::L6Tout), ("L4TOUT", StatusName::L4Tout)],
        "'L4TOUT', 'L6TOUT' or 'L7TOUT'",
    ),
];

/// The words of a line, one after the other.
struct Words<'w> {
    words: &'w [Word],
    keyword: &'static str,
    span: Span,
}

impl<'w> Words<'w> {
    fn next(&mut self) -> Option<&'w Word> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn argument(&mut self, language: &mut Language<'_>, of: &str, what: &str) -> Option<&'w Word> {
        let (keyword, span) = (self.keyword, self.span);
        self.next().or_else(|| {
            let message = format!("'{keyword}' : '{of}' expects {what} as argument.");
            wrong(language, Reason::MissingArgument, span, message)
        })
    }
}

/// Reads a line.
pub(super) fn read(
    language: &mut Language<'_>,
    line: &Statement,
    http: bool,
) -> Option<(Step, Option<Box<str>>)> {
    let mut words = Words { words: line.words(0), keyword: line.name(), span: line.span };
    let keyword = words.keyword;
    let mut expect = Expect::default();
    let mut matcher = None;
    let mut comment = None;
    while let Some(word) = words.next() {
        let bangs = word.len() - word.trim_start_matches('!').len();
        expect.negate ^= bangs % 2 == 1;
        let mut name = &word[bangs..];
        if name.is_empty() {
            name = words.argument(language, "!", "a pattern")?.text();
        }
        match name {
            "min-recv" => {
                let number = words.argument(language, name, "a integer")?;
                let Some(least) = number.parse::<i32>().ok().filter(|least| *least >= -1) else {
                    let message =
                        format!("'{keyword}' : '{name}' expects -1 or an integer from 0 to INT_MAX.");
                    return wrong(language, Reason::OutOfRange, number.span, message);
                };
                expect.min_recv = usize::try_from(least).ok();
            }
            "comment" => comment = Some(words.argument(language, name, "a string")?.text().into()),
            "on-success" => {
                let word = words.argument(language, name, "a string")?;
                expect.on_success = Some(format(language, word)?);
            }
            "on-error" => {
                let word = words.argument(language, name, "a string")?;
                expect.on_error = Some(format(language, word)?);
            }
            "ok-status" | "error-status" | "tout-status" => {
                let word = words.argument(language, name, "a string")?;
                let status = status(language, keyword, name, word)?;
                match name {
                    "ok-status" => expect.ok_status = Some(status),
                    "error-status" => expect.error_status = Some(status),
                    _ => expect.timeout_status = Some(status),
                }
            }
            "status-code" => {
                let word = words.argument(language, name, "an expression")?;
                let (expr, _) = language.expr(std::slice::from_ref(word), Site::Check)?;
                expect.status_code = Some(Box::new(expr));
            }
            _ if matcher.is_some() => {
                let message = format!("'{keyword}' : only one pattern expected.");
                return wrong(language, Reason::Conflict, word.span, message);
            }
            "hdr" | "fhdr" if http => matcher = Some(header(language, &mut words, name)?),
            _ => {
                let at = word.span;
                matcher = Some(pattern(language, &mut words, name, at, http)?);
            }
        }
    }
    let Some(matcher) = matcher else {
        let message = format!("'{keyword}' : expects at least a matching pattern as arguments.");
        return wrong(language, Reason::MissingArgument, line.span, message);
    };
    expect.matcher = matcher;
    Some((Step::Expect(Box::new(expect)), comment))
}

fn pattern(
    language: &mut Language<'_>,
    words: &mut Words<'_>,
    name: &str,
    at: Span,
    http: bool,
) -> Option<Matcher> {
    let known = match name {
        "string" | "rstring" | "string-lf" => true,
        "status" | "rstatus" => http,
        "binary" | "rbinary" | "binary-lf" => !http,
        _ => false,
    };
    let keyword = words.keyword;
    if !known {
        // The quotes are HAProxy's.
        let known = if http {
            "min-recv, [!]string', '[!]rstring', '[!]string-lf', '[!]status', '[!]rstatus', [!]hdr, [!]fhdr or comment"
        } else {
            "min-recv, [!]binary, [!]rbinary, [!]binary-lf, [!]string, [!]rstring, [!]string-lf or comment"
        };
        let message = format!("'{keyword}' : 'only supports {known} but got '{name}' as argument..");
        return wrong(language, Reason::UnknownKeyword, at, message);
    }
    let word = words.argument(language, name, "a <pattern>")?;
    Some(match name {
        "string" => Matcher::Text(word.bytes().into_owned()),
        "rstring" => Matcher::Regex(regex(language, keyword, word, false)?),
        "string-lf" => Matcher::TextFormat(format(language, word)?),
        "binary" => Matcher::Binary(hex(language, keyword, word)?),
        "rbinary" => Matcher::BinaryRegex(regex(language, keyword, word, false)?),
        "binary-lf" => Matcher::BinaryFormat(format(language, word)?),
        "status" => statuses(language, keyword, word)?,
        _ => Matcher::StatusRegex(regex(language, keyword, word, false)?),
    })
}

fn status(language: &mut Language<'_>, keyword: &str, name: &str, word: &Word) -> Option<StatusName> {
    let (_, statuses, known) = STATUSES.iter().find(|(of, ..)| *of == name)?;
    let found = statuses.iter().find(|(status, _)| status.eq_ignore_ascii_case(word));
    found.map(|(_, status)| *status).or_else(|| {
        let message = format!("'{keyword}' : '{name}' only supports {known} status (got '{word}').");
        wrong(language, Reason::InvalidValue, word.span, message)
    })
}

/// `hdr { name | name-lf } [ -m METHOD ] NAME [ { value | value-lf } [ -m METHOD ] VALUE ]`
fn header(language: &mut Language<'_>, words: &mut Words<'_>, name: &str) -> Option<Matcher> {
    let keyword = words.keyword;
    let kind = words.next().filter(|word| matches!(word.text(), "name" | "name-lf"));
    let Some(kind) = kind.filter(|_| !words.words.is_empty()) else {
        let message = format!(
            "'{keyword}' : '{name}' expects at the name keyword as first argument followed by a pattern."
        );
        return wrong(language, Reason::MissingArgument, words.span, message);
    };
    let header = part(language, words, name, (kind.text() == "name-lf", true))?;
    let mut value = None;
    if let Some(kind) = words.words.first().filter(|word| matches!(word.text(), "value" | "value-lf")) {
        words.next();
        value = Some(part(language, words, name, (kind.text() == "value-lf", false))?);
    }
    Some(Matcher::Header(Box::new(HeaderMatcher { full: name == "fhdr", name: header, value })))
}

/// `[ -m METHOD ] PATTERN`
fn part(
    language: &mut Language<'_>,
    words: &mut Words<'_>,
    name: &str,
    (is_format, any_case): (bool, bool),
) -> Option<Pattern> {
    let keyword = words.keyword;
    let mut method = Some(Method::Exact);
    if words.words.first().is_some_and(|word| word.text() == "-m") {
        words.next();
        let word = words.argument(language, "-m", "a matching pattern")?;
        method = match word.text() {
            "str" => Some(Method::Exact),
            "beg" => Some(Method::Beginning),
            "end" => Some(Method::End),
            "sub" => Some(Method::Part),
            "reg" if is_format => {
                let message = format!(
                    "'{keyword}' : '{name}': log-format string is not supported with a regex matching method."
                );
                return wrong(language, Reason::Conflict, word.span, message);
            }
            "reg" => None,
            other => {
                let message = format!(
                    "'{keyword}' : '{name}' : '-m' only supports 'str', 'beg', 'end', 'sub' or 'reg' (got '{other}')."
                );
                return wrong(language, Reason::UnknownKeyword, word.span, message);
            }
        };
    }
    let word = words.argument(language, name, "a <pattern>")?;
    Some(match method {
        None => Pattern::Regex(regex(language, keyword, word, any_case)?),
        Some(method) if is_format => Pattern::Text(method, Text::Format(format(language, word)?)),
        Some(method) => Pattern::Text(method, Text::Plain(word.bytes().into_owned())),
    })
}

/// `200,204,300-399`
fn statuses(language: &mut Language<'_>, keyword: &str, pattern: &Word) -> Option<Matcher> {
    let range = |text: &str| {
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        let (low, high) = (low.trim().parse::<u16>().ok()?, high.trim().parse::<u16>().ok()?);
        (low <= high).then_some((low, high))
    };
    let ranges: Option<Vec<_>> = pattern.split(',').map(range).collect();
    if ranges.is_none() {
        let odd = pattern.chars().find(|c| !c.is_ascii_digit() && !matches!(c, ',' | '-'));
        let message = match odd {
            Some(c) => format!("'{keyword}' : invalid character '{c}' in the list of status codes."),
            None => format!("'{keyword} status' : invalid status codes '{pattern}'."),
        };
        language.say(
            Diagnostic::alert(Reason::InvalidValue, pattern.span, message)
                .help("codes and ranges are separated by commas: 200,204,300-399"),
        );
    }
    ranges.map(Matcher::Status)
}
