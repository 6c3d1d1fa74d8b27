//! Words that are none of their section: what HAProxy says of them, and what may have been meant.

use super::super::grammar::{Effect, Keyword};
use super::super::keywords;
use super::super::messages::{self, Fault, Parts};
use super::super::section::{self, KINDS, PROXIES, SectionKind, Sections};
use super::super::subject::{Guess, one_of};
use super::super::tree::Modifier;
use super::Parser;
use crate::diagnostic::{Diagnostic, Head, Reason, Severity};
use crate::lex::Word;
use crate::suggest::{alike, nearest};

/// What `stats` in `global` is followed by.
const STATS: &str =
    "'stats' only supports 'socket', 'maxconn', 'bind-process', 'calculate-max-counters'  and 'timeout'";

impl Parser<'_> {
    pub(super) fn unknown(&mut self, word: &Word, kind: &SectionKind) {
        let near = nearest(word, keywords::first_words(kind.bit));
        let guess = Guess { said: said(word, kind), near };
        let alone = messages::message(word, Fault::Alone, &Parts::default());
        let message = match (kind.bit, alone) {
            (section::RING, _) => format!("unknown statement '{word}'."),
            (_, Some((message, _))) if kind.is_proxy() => message,
            _ => format!("unknown keyword '{word}' in '{}' section{}", kind.name, guess.cause()),
        };
        let close = kind.bit & (section::USERLIST | section::FCGI_APP) != 0;
        let head = if close { Head::Close } else { Head::Parsing };
        let diagnostic = Diagnostic::alert(Reason::UnknownKeyword, word.span, message).head(head);
        self.say(guess.attach(diagnostic, word.span));
    }

    pub(super) fn unknown_second(&mut self, words: &[Word], kind: &SectionKind) {
        let first = &words[0];
        let known = keywords::second_words(first, kind.bit);
        let name = self.tree.sections.last().and_then(|section| section.name.as_ref());
        let place = format!("{} '{}'", kind.name, name.map(Word::text).unwrap_or_default());
        let own = |second: Option<&str>| match kind.is_proxy() {
            true => messages::second(first, second, &place),
            false => None,
        };
        let head = |spaced| if spaced { Head::Parsing } else { Head::Close };
        let Some(second) = words.get(1) else {
            let general = || match first.text() {
                "stats" if kind.bit == section::GLOBAL => (format!("{STATS} (got '')"), true),
                _ => (format!("'{first}' expects {}.", one_of(&known)), true),
            };
            let (message, spaced) = own(None).unwrap_or_else(general);
            let diagnostic = Diagnostic::alert(Reason::MissingArgument, first.span, message);
            return self.say(diagnostic.head(head(spaced)).help(format!("possible: {}", known.join(", "))));
        };
        let mut guess = Guess::of(second, known.iter().copied());
        if first != "option" {
            guess.said = None;
        }
        let (message, spaced) = match first.text() {
            "option" if guess.said.is_some() => (format!("unknown option '{second}'{}", guess.cause()), true),
            "stats" if kind.bit == section::GLOBAL => (format!("{STATS} (got '{second}')"), true),
            "timeout" if kind.bit == section::RESOLVERS => {
                let one = "'timeout' expects 'retry' or 'resolve' and <time> as arguments";
                (format!("{one} got '{second}'."), true)
            }
            "timeout" if kind.bit == section::MAILERS => {
                (format!("'timeout' expects 'mail' and <time> as arguments got '{second}'."), true)
            }
            _ => own(Some(second))
                .unwrap_or_else(|| (format!("'{first}' supports {} (got '{second}')", one_of(&known)), true)),
        };
        let diagnostic = Diagnostic::alert(Reason::UnknownKeyword, second.span, message).head(head(spaced));
        self.say(guess.attach(diagnostic, second.span));
    }

    /// A keyword of other sections. Proxies tell which half is missing, and go on where that is harmless.
    pub(super) fn elsewhere(&mut self, keyword: &'static Keyword, modifier: Modifier, words: &[Word]) {
        let Some(section) = self.tree.sections.last() else { return };
        let (kind, name) = (section.kind, keyword.name);
        let id = section.name.as_ref().map(|name| name.text().to_owned()).unwrap_or_default();
        let id = id.as_str();
        let span = words[0].span;
        let half = match kind.bit {
            section::FRONTEND => "backend",
            section::BACKEND => "frontend",
            _ => "",
        };
        let other_half = keyword.sections & section::LISTEN != 0 && !half.is_empty();
        let format_words = words.len() - keywords::word_count(name);
        let diagnostic = if is_log_format(name) && other_half && format_words != 1 {
            let message = match format_words {
                0 => format!("{name} expects an argument."),
                _ => format!("{name} expects only one argument, don't forget to escape spaces!"),
            };
            Diagnostic::alert(Reason::MissingArgument, span, message)
        } else if NEWER_OPTIONS.contains(&name) && self.old.is_none() && other_half {
            let message = format!("unknown option '{}'.", name.trim_start_matches("option "));
            Diagnostic::alert(Reason::NotAllowedHere, span, message)
        } else if matches!(name, "retry-on" | "force-be-switch" | "be-unpublished" | "hash-preserve-affinity")
            && other_half
        {
            let message = format!("'{name}' only available in {half} or listen section");
            Diagnostic::alert(Reason::NotAllowedHere, span, message)
        } else if kind.bit == section::DEFAULTS && keyword.sections & section::LISTEN != 0 {
            let message = format!("'{name}' not allowed in 'defaults' section.");
            let head = if is_server(keyword) { Head::At } else { Head::Parsing };
            Diagnostic::alert(Reason::NotAllowedHere, span, message).head(head)
        } else if !other_half {
            let cause = Guess { said: said(&words[0], kind), near: None }.cause();
            let message = format!("unknown keyword '{}' in '{}' section{cause}", words[0], kind.name);
            let places = KINDS.iter().filter(|kind| kind.bit & keyword.sections != 0);
            let places: Vec<_> = places.map(|kind| kind.name).collect();
            Diagnostic::alert(Reason::NotAllowedHere, span, message)
                .help(format!("'{name}' belongs into {}", one_of(&places)))
        } else if matches!(name, "server" | "server-template" | "default-server" | "declare capture")
            || name.starts_with("tcp-re")
        {
            let message = match name {
                "tcp-request connection" | "tcp-request session" => {
                    format!("{name} is not allowed because {} {id} is not a frontend", kind.name)
                }
                "tcp-response content" => {
                    format!("{name} is only allowed in 'backend' sections or 'defaults' section with a name")
                }
                _ => format!("'{name}' not allowed because {} '{id}' has no {half} capability.", kind.name),
            };
            Diagnostic::alert(Reason::NotAllowedHere, span, message)
        } else {
            let hint = match name {
                "maxconn" => " Maybe you want 'fullconn' instead ?",
                "fullconn" => " Maybe you want 'maxconn' instead ?",
                _ => "",
            };
            let message = if is_log_format(name) {
                format!("backend '{id}' : '{name}' directive is ignored in backends.")
            } else {
                format!("'{name}' ignored because {} '{id}' has no {half} capability.{hint}", kind.name)
            };
            Diagnostic::warning(Reason::NotAllowedHere, span, message)
        };
        let ignored = diagnostic.severity == Severity::Warning;
        self.say(diagnostic);
        // What the other half would do with it is judged all the same, but for the lines that HAProxy reads no further.
        let unread = name.starts_with("stick ")
            || matches!(name, "option redispatch" | "option use-small-buffers" | "log-steps");
        if ignored && !unread && !is_log_format(name) {
            self.statement(keyword, modifier, words, false);
        }
    }
}

/// Options of one half that no version has ignored in the other.
const NEWER_OPTIONS: &[&str] = &[
    "option accept-unsafe-violations-in-http-request",
    "option accept-unsafe-violations-in-http-response",
    "option http-drop-request-trailers",
    "option http-drop-response-trailers",
];

/// The keyword that HAProxy's line names. It compares with the words of all proxies, and with the names of some sections.
fn said(word: &str, kind: &SectionKind) -> Option<&'static str> {
    let (places, sections): (Sections, &[&str]) = match kind.bit {
        section::GLOBAL => (kind.bit, &["defaults", "listen", "frontend", "backend", "peers", "resolvers"]),
        bit if kind.is_proxy() => (bit | PROXIES, &["defaults", "listen", "frontend", "backend"]),
        bit @ (section::CRT_STORE | section::TRACES | section::ACME) => (bit, &[]),
        _ => (0, &[]),
    };
    let now = |row: &&Keyword| {
        !matches!(row.effect, Effect::Renamed { .. } | Effect::Translated { .. } | Effect::Obsolete { .. })
    };
    let rows = keywords::all().filter(|row| row.sections & places != 0).filter(now);
    let words = rows.map(|row| row.name.split(' ').next().unwrap_or(row.name));
    alike(word, words.chain(sections.iter().copied()))
}

/// Formats of log lines, which frontends write.
fn is_log_format(name: &str) -> bool {
    matches!(name, "log-format" | "log-format-sd" | "error-log-format")
}

/// Messages about servers have their own form.
pub(super) fn is_server(keyword: &Keyword) -> bool {
    matches!(keyword.name, "server" | "server-template" | "default-server")
}
