//! What an ACL looks at, and the patterns that it is held against.

use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::expr as shape;
use tandem_parser::lex::{Word, span_of, text_of};
use tandem_parser::span::Span;
use tandem_parser::suggest;

use super::check;
use super::pattern::{self, Operator, Spelling};
use super::{Language, Read};
use super::{known, reference};
use crate::expr::pattern as index;
use crate::ir::expr::{AclTest, Fetch, SampleType};
use crate::ir::pattern::MatchMethod;

/// Every criterion whose name implies a match method: its name, its fetch, and the method as `-m` takes it.
pub fn criteria() -> impl Iterator<Item = (String, &'static str, &'static str)> {
    const STEMS: [&str; 8] = ["base", "cook", "hdr", "path", "scook", "shdr", "url", "urlp"];
    const OTHERS: [&str; 13] = [
        "http_auth_group",
        "method",
        "payload",
        "payload_lv",
        "req.ssl_ver",
        "req_ssl_ver",
        "req_ssl_sni",
        "req_ver",
        "resp_ver",
        "req_rdp_cookie",
        "req_rdp_cookie_cnt",
        "ssl_fc_sni_end",
        "ssl_fc_sni_reg",
    ];
    let stems = STEMS.iter().flat_map(|stem| {
        let with = pattern::METHODS.iter().map(move |method| format!("{stem}_{method}"));
        std::iter::once((*stem).to_owned()).chain(with)
    });
    let names = stems.chain(OTHERS.iter().map(|name| (*name).to_owned()));
    names.filter_map(|name| {
        let (fetch, method) = derived(&name)?;
        Some((name, fetch, pattern::name(method)))
    })
}

/// Criteria whose name implies a match method (`path_beg`), as a fetch and the method.
fn derived(name: &str) -> Option<(&'static str, MatchMethod)> {
    const STEMS: [(&str, &str); 8] = [
        ("base", "base"),
        ("cook", "req.cook"),
        ("hdr", "req.hdr"),
        ("path", "path"),
        ("scook", "res.cook"),
        ("shdr", "res.hdr"),
        ("urlp", "urlp"),
        ("url", "url"),
    ];
    let other = match name {
        "http_auth_group" => ("http_auth_group", MatchMethod::Str),
        "method" => ("method", MatchMethod::Str),
        "payload" => ("req.payload", MatchMethod::Bin),
        "payload_lv" => ("req.payload_lv", MatchMethod::Bin),
        "req_ssl_sni" => ("req.ssl_sni", MatchMethod::Str),
        "req.ssl_ver" | "req_ssl_ver" => ("req.ssl_ver", MatchMethod::Int),
        "req_ver" => ("req.ver", MatchMethod::Str),
        "resp_ver" => ("res.ver", MatchMethod::Str),
        "req_rdp_cookie" => ("req.rdp_cookie", MatchMethod::Str),
        "req_rdp_cookie_cnt" => ("req.rdp_cookie_cnt", MatchMethod::Int),
        "ssl_fc_sni_end" => ("ssl_fc_sni", MatchMethod::End),
        "ssl_fc_sni_reg" => ("ssl_fc_sni", MatchMethod::Reg),
        name => {
            return STEMS.iter().find_map(|(stem, fetch)| {
                let method = match name.strip_prefix(stem)? {
                    "" => MatchMethod::Str,
                    suffix => pattern::method(suffix.strip_prefix('_')?)
                        .filter(|m| !matches!(m, MatchMethod::Int | MatchMethod::Ip | MatchMethod::Bin))
                        .filter(|m| !matches!(m, MatchMethod::Found | MatchMethod::Bool))?,
                };
                Some((*fetch, method))
            });
        }
    };
    Some(other)
}

/// The method that a type of sample implies.
fn implied(kind: SampleType) -> Option<MatchMethod> {
    Some(match kind {
        SampleType::Bool => MatchMethod::Bool,
        SampleType::Int => MatchMethod::Int,
        SampleType::Addr | SampleType::Ipv4 | SampleType::Ipv6 => MatchMethod::Ip,
        SampleType::Str => MatchMethod::Str,
        SampleType::Any | SampleType::Bin | SampleType::Meth => return None,
    })
}

/// The type that a method looks at.
fn looked_at(method: MatchMethod) -> SampleType {
    match method {
        MatchMethod::Found | MatchMethod::Bool | MatchMethod::Int => SampleType::Int,
        MatchMethod::Ip => SampleType::Addr,
        MatchMethod::Bin => SampleType::Bin,
        _ => SampleType::Str,
    }
}

/// A fetch (not an ACL keyword of its own) takes converters in the words that follow it as well: one word of them.
fn join_converters(words: &[Word]) -> Option<Vec<Word>> {
    let first = words.first()?;
    let name: String = first.chars().take_while(|c| shape::is_id_char(*c)).collect();
    let is_converter = |word: &&Word| {
        let name: String = word.chars().take_while(|c| shape::is_id_char(*c)).collect();
        super::conv::is_known(&name)
    };
    let more = words[1..].iter().take_while(is_converter).count();
    if more == 0 || derived(&name).is_some() || !super::fetch::is_known(&name) {
        return None;
    }
    let parts = words[..=more].iter().map(|word| word.trim_end_matches(',')).collect::<Vec<_>>();
    let joined = Word::resolved(parts.join(",").as_bytes(), span_of(&words[..=more], first.span), false);
    Some(std::iter::once(joined).chain(words[more + 1..].iter().cloned()).collect())
}

impl Language<'_> {
    /// What is wrong with the expression is told with the ACL keyword that it begins with, or as a whole.
    fn in_acl(&mut self, from: usize, written: &str, word: &Word) {
        let derived = derived(written);
        self.within(from, |message| match derived {
            Some(_) => {
                let rest = message.strip_prefix("fetch method '").and_then(|rest| rest.split_once("' : "));
                let rest = rest.map_or(message.as_str(), |(_, rest)| rest);
                *message = format!("ACL keyword '{written}' : {rest}");
            }
            None => *message = format!("{} in ACL expression '{word}'.", message.trim_end_matches('.')),
        });
    }

    /// `criterion flags patterns`.
    pub(super) fn test(&mut self, words: &[Word], whole: Span) -> Read<(AclTest, u32)> {
        let joined = join_converters(words);
        let words = joined.as_deref().unwrap_or(words);
        let read = match shape::acl(words, 0) {
            Ok(read) => read,
            Err(error) => {
                let span = words.get(error.word).map_or(whole, |word| word.span);
                let place = if error.fault == shape::Fault::MissingCriterion { " ''" } else { "" };
                self.say(Diagnostic::alert(Reason::Syntax, span, format!("{error}{place}.")));
                return None;
            }
        };
        let word = &words[read.criterion];
        let mut sample = match shape::sample(word) {
            Ok(sample) => sample,
            Err(error) => {
                let before = self.said.len();
                let none = self.misshapen("ACL expression", word, &error);
                let name = word.split('(').next().unwrap_or_default();
                self.in_acl(before, name, word);
                return none;
            }
        };
        let written = sample.fetch.name.clone();
        let derived = derived(&written);
        if let Some((fetch, _)) = derived {
            fetch.clone_into(&mut sample.fetch.name);
        }
        if !self.is_fetch(&sample.fetch.name) {
            let criteria: Vec<String> = criteria().map(|(name, ..)| name).collect();
            let fetches = known::fetch_names().map(|name| -> &str { name });
            let near = suggest::nearest(&written, fetches.chain(criteria.iter().map(String::as_str)));
            let place = format!(" in ACL expression '{word}'");
            return self.unknown_fetch(&sample.fetch, word, &place, near);
        }
        let before = self.said.len();
        let found = self.fetch(&sample.fetch, word);
        let valid = found.as_ref().map(|found| found.phases);
        let expr = found.and_then(|found| self.converted(found, &sample, word, word.text().to_owned()));
        self.in_acl(before, &written, word);
        let (valid, expr) = (valid?, expr?);
        // A converter makes the name's own method void.
        let by_name = derived.filter(|_| sample.convs.is_empty()).map(|(_, method)| method);
        let method = match read.flags.method {
            Some(at) => Some(self.chosen(&words[at], expr.out, &written)?),
            None => by_name.or_else(|| implied(expr.out)),
        };
        let Some(method) = method else {
            let message = format!(
                "matching method must be specified first (using '-m') when using a sample fetch of this type ('{written}')."
            );
            let d = Diagnostic::alert(Reason::Incomplete, word.span, message);
            self.say(d.help(format!("for instance: {word} -m str VALUE")));
            return None;
        };
        if let Some(at) = read.flags.late_method {
            let message = "'-m' must only be specified before patterns and files in parsing ACL expression.";
            return self.alert(Reason::Syntax, words[at].span, message);
        }
        let id = match read.flags.id {
            Some(at) => Some(self.number_of_list(&words[at])?),
            None => None,
        };
        let dotted = matches!(expr.fetch, Fetch::TlsHelloVersion) && expr.convs.is_empty();
        let spelling = Spelling { method, dotted, no_dns: read.flags.no_dns, world: self.world };
        let mut patterns = Vec::new();
        let mut written_patterns: Vec<Box<str>> = Vec::new();
        let mut files = Vec::new();
        for at in &read.flags.files {
            let text =
                self.file(&words[*at], &spelling, read.flags.as_map, &mut patterns, &mut written_patterns)?;
            files.push((&words[*at], text));
        }
        let mut own = Vec::new();
        let mut operator = Operator::default();
        let takes_none = spelling.takes_none();
        for pattern in &words[read.patterns.clone()] {
            if takes_none {
                let message = format!("this kind of match takes no pattern : '{pattern}' is not looked at.");
                let d = Diagnostic::warning(Reason::InvalidValue, pattern.span, message);
                self.say(d.label(format!("for '{word}'")));
                continue;
            }
            if let Fetch::HttpAuthGroup(list) = &expr.fetch
                && expr.convs.is_empty()
                && !list.groups.iter().any(|group| group == pattern.text())
            {
                let message = format!("acl {word}: invalid group '{pattern}'.");
                return self.alert(Reason::UnknownReference, pattern.span, message);
            }
            if let Some(op) = Operator::of(pattern).filter(|_| spelling.takes_operators()) {
                operator = op;
                continue;
            }
            match spelling.read(pattern, operator) {
                Ok(read) => {
                    own.push(reference::as_one_word(&read, pattern, operator));
                    patterns.push(read);
                }
                Err(message) => {
                    let d = Diagnostic::alert(Reason::InvalidValue, pattern.span, format!("{message}."));
                    let d = d.label(format!("for '{word}'"));
                    let sign = matches!(pattern.text(), "<" | ">" | "<=" | ">=" | "=" | "==");
                    self.say(if sign { d.help("operators are eq, ge, gt, le and lt") } else { d });
                    return None;
                }
            }
            written_patterns.push(pattern.text().into());
        }
        if matches!(expr.fetch, Fetch::HttpAuthGroup(_)) && patterns.is_empty() && read.flags.files.is_empty()
        {
            return self.alert(
                Reason::MissingArgument,
                word.span,
                format!("acl {word}: no groups specified."),
            );
        }
        if !takes_none && patterns.is_empty() && read.flags.files.is_empty() && !read.flags.ended {
            let d = Diagnostic::warning(
                Reason::Incomplete,
                word.span,
                format!(
                    "acl keyword '{word}' : no pattern to match against were provided, so this ACL will never match."
                ),
            );
            let d = d.help("if this is what you intended, add '--' to get rid of this warning");
            self.say(d.help(
                "to match only for existence, use '-m found'; to match an integer as a boolean, '-m bool'",
            ));
        }
        match index::build(method, read.flags.ignore_case, &patterns, written_patterns.into()) {
            Ok(mut patterns) => {
                let kind = reference::Kind { method, ignore_case: read.flags.ignore_case, dotted };
                let written = reference::Written { keyword: &written, at: word.span, id };
                self.follow_line(&mut patterns, kind, written, files, read.flags.as_map, &own);
                Some((AclTest { expr, patterns }, valid))
            }
            Err(error) => {
                let compile = |key: &str| index::regexes::listed(key, read.flags.ignore_case, false);
                let at_fault = files.iter().find_map(|(file, text)| {
                    let (at, error) =
                        first_error(&keys_of(text, read.flags.as_map), |key| compile(key).map(drop))?;
                    Some((file.span, format!("{error} {}", pattern::place(text, at, file))))
                });
                let (span, message) =
                    at_fault.unwrap_or_else(|| (span_of(&words[read.patterns], word.span), error.clone()));
                self.alert(regex_reason(&error), span, format!("{message}."))
            }
        }
    }

    /// `-u`.
    fn number_of_list(&mut self, word: &Word) -> Read<u32> {
        let Ok(number) = word.parse() else {
            let cause = "the argument of -u must be an integer.";
            return self.alert(Reason::InvalidValue, word.span, cause);
        };
        if self.world.references().is_some_and(|all| all.is_taken(number)) {
            return self.alert(Reason::InvalidValue, word.span, "the id is already used.");
        }
        Some(number)
    }

    /// `-m`, where the fetch is `written` so.
    fn chosen(&mut self, word: &Word, kind: SampleType, written: &str) -> Read<MatchMethod> {
        let Some(method) = pattern::method(word) else {
            let message = format!("unknown matching method '{word}' when parsing ACL expression.");
            let d = Diagnostic::alert(Reason::UnknownKeyword, word.span, message);
            let near = suggest::nearest(word, pattern::METHODS);
            self.say(near.into_iter().fold(d, |d, near| d.help(format!("did you mean '{near}'?"))));
            return None;
        };
        if method != MatchMethod::Found && !check::castable(kind, looked_at(method)) {
            let message = format!("matching method '{word}' cannot be used with fetch keyword '{written}'.");
            let d = Diagnostic::alert(Reason::InvalidValue, word.span, message);
            self.say(d.label(format!("the criterion yields {}", check::noun(kind))));
            return None;
        }
        Some(method)
    }

    /// The patterns of a file; returned is its text.
    fn file(
        &mut self,
        word: &Word,
        spelling: &Spelling<'_>,
        as_map: bool,
        patterns: &mut Vec<index::Pattern>,
        written: &mut Vec<Box<str>>,
    ) -> Read<String> {
        let Some(text) = self.read_text(word, word.span)? else { return Some(String::new()) };
        if let Err(message) = self.has_columns(word, as_map) {
            return self.alert(Reason::InvalidValue, word.span, format!("{message}."));
        }
        if spelling.takes_none() {
            return Some(text);
        }
        for (at, key) in keys_of(&text, as_map).into_iter().enumerate() {
            match spelling.read(key, Operator::Eq) {
                Ok(read) => patterns.push(read),
                Err(message) => {
                    let message = format!("{message} {}.", pattern::place(&text, at, word));
                    return self.alert(Reason::InvalidValue, word.span, message);
                }
            }
            written.push(key.into());
        }
        Some(text)
    }

    /// The text of a file. `Some(None)`: it cannot be read here, and that is no error.
    pub(super) fn read_text(&mut self, path: &str, span: Span) -> Read<Option<String>> {
        match self.world.read(path, span) {
            Ok(bytes) => Some(Some(text_of(&bytes))),
            Err(error) => {
                self.unreadable::<()>(path, span, &error);
                self.world.offline().then_some(None)
            }
        }
    }
}

/// The keys of a file's text.
fn keys_of(text: &str, as_map: bool) -> Vec<&str> {
    if as_map { pattern::entries(text).map(|(key, _)| key).collect() } else { pattern::lines(text).collect() }
}

/// The first of these that something is wrong with, and what.
pub(super) fn first_error<T>(all: &[T], check: impl Fn(&T) -> Result<(), String>) -> Option<(usize, String)> {
    all.iter().enumerate().find_map(|(at, one)| Some((at, check(one).err()?)))
}

/// What PCRE has and this program has not is refused; the line is no worse for it.
pub(in crate::lower) fn regex_reason(error: &str) -> Reason {
    if index::is_missing(error) { Reason::Refused } else { Reason::InvalidValue }
}
