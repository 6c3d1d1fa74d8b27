//! ACLs and conditions.

use std::sync::Arc;

use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::expr as shape;
use tandem_parser::lex::{Word, span_of};
use tandem_parser::span::Span;
use tandem_parser::suggest;

use super::check::Site;
use super::{Language, Named, Read};
use crate::expr::pattern as index;
use crate::ir::expr::{Acl, AclTest, Cond, Fetch, Term};

/// Names of the ACLs that exist without being defined, and what they mean (manual, 7.4).
const PREDEFINED: &[(&str, &str)] = &[
    ("FALSE", "always_false"),
    ("HTTP", "req.proto_http"),
    ("HTTP_1.0", "req.ver 1.0"),
    ("HTTP_1.1", "req.ver 1.1"),
    ("HTTP_2.0", "req.ver 2.0"),
    ("HTTP_3.0", "req.ver 3.0"),
    ("HTTP_CONTENT", "req.hdr_val(content-length) gt 0"),
    ("HTTP_URL_ABS", "url_reg ^[^/:]*://"),
    ("HTTP_URL_SLASH", "url_beg /"),
    ("HTTP_URL_STAR", "url *"),
    ("LOCALHOST", "src 127.0.0.1/8 ::1"),
    ("METH_CONNECT", "method CONNECT"),
    ("METH_DELETE", "method DELETE"),
    ("METH_GET", "method GET HEAD"),
    ("METH_HEAD", "method HEAD"),
    ("METH_OPTIONS", "method OPTIONS"),
    ("METH_POST", "method POST"),
    ("METH_PUT", "method PUT"),
    ("METH_TRACE", "method TRACE"),
    ("RDP_COOKIE", "req.rdp_cookie_cnt gt 0"),
    ("REQ_CONTENT", "req.len gt 0"),
    ("TRUE", "always_true"),
    ("WAIT_END", "wait_end"),
];

/// Names of the ACLs that exist without being defined.
pub fn predefined() -> impl Iterator<Item = &'static str> {
    PREDEFINED.iter().map(|(name, _)| *name)
}

fn is_acl_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':'))
}

impl Language<'_> {
    /// An `acl` line: the words after the keyword. Lines of the same name add up.
    pub fn acl(&mut self, words: &[Word], line: Span) {
        let Some((name, rest)) = words.split_first() else {
            self.alert::<()>(Reason::MissingArgument, line, "missing ACL name.");
            return;
        };
        if !is_acl_name(name) {
            let bad = name.chars().find(|c| !is_acl_name(&c.to_string())).unwrap_or(' ');
            let message = format!("character '{bad}' is not permitted in acl name '{name}'.");
            let diagnostic = Diagnostic::alert(Reason::InvalidValue, name.span, message);
            self.say_whole(diagnostic.help("names are made of letters, digits, '-', '_', '.' and ':'"));
            return;
        }
        if name.eq_ignore_ascii_case("or") {
            let message = format!(
                "acl name '{name}' will never match. 'or' is used to express a logical disjunction within a condition."
            );
            self.say_whole(Diagnostic::alert(Reason::Conflict, name.span, message));
        }
        let Some((test, valid)) = self.test(rest, span_of(words, line)) else {
            self.acls.remove(name.text());
            self.broken.push(name.text().to_owned());
            return;
        };
        if self.broken.iter().any(|broken| broken == name.text()) {
            return;
        }
        let (mut tests, phases) = match self.acls.remove(name.text()) {
            // Each of its lines has its value where it has one.
            Some(named) => (Arc::unwrap_or_clone(named.acl).tests, named.phases | valid),
            // Nearly every ACL has one line.
            None => (Vec::with_capacity(1), valid),
        };
        tests.push(test);
        let acl = Arc::new(finished(name.text(), tests));
        self.acls.insert(name.text().to_owned(), Named { acl, phases });
    }

    /// A condition: the words from `if` or `unless` on. No words: no condition.
    pub fn cond(&mut self, words: &[Word], site: Site) -> Read<Option<Cond>> {
        let Some((keyword, rest)) = words.split_first() else { return Some(None) };
        let unless = match keyword.text() {
            "if" => false,
            "unless" => true,
            other => {
                let d = Diagnostic::alert(
                    Reason::Syntax,
                    keyword.span,
                    format!("expects 'if' or 'unless' followed by a condition, got '{other}'."),
                );
                let near = suggest::nearest(other, ["if", "unless"]);
                self.say(near.into_iter().fold(d, |d, near| d.help(format!("did you mean '{near}'?"))));
                return None;
            }
        };
        self.terms(unless, rest, keyword.span, site).map(Some)
    }

    /// A condition: the words after `if` or `unless`, which stands at `keyword`.
    pub fn terms(&mut self, unless: bool, rest: &[Word], keyword: Span, site: Site) -> Read<Cond> {
        let outside = std::mem::replace(&mut self.in_condition, true);
        let cond = self.any_of(unless, rest, keyword, site);
        self.in_condition = outside;
        cond
    }

    fn any_of(&mut self, unless: bool, rest: &[Word], keyword: Span, site: Site) -> Read<Cond> {
        let read = match shape::condition(rest) {
            Ok(read) => read,
            Err(error) => {
                let span = rest.get(error.word).map_or(keyword, |word| word.span);
                self.say(Diagnostic::alert(Reason::Syntax, span, format!("{error}.")).label("here"));
                return None;
            }
        };
        if read.groups.is_empty() {
            let outcome = if unless { "always" } else { "never" };
            let message = format!("missing condition, so this {outcome} applies.");
            self.say(Diagnostic::warning(Reason::MissingArgument, keyword, message));
        } else if let Some(word) = read.dangling.and_then(|at| rest.get(at)) {
            let message = format!("operator '{word}' has nothing to work on and is left out.");
            self.say(Diagnostic::warning(Reason::Syntax, word.span, message));
        }
        let mut any = Some(Vec::new());
        for group in &read.groups {
            let mut terms = Some(Vec::new());
            for term in group {
                let term = self.term(term, rest, site);
                terms = terms.zip(term).map(|(mut terms, term)| {
                    terms.push(term);
                    terms
                });
            }
            any = any.zip(terms).map(|(mut any, terms)| {
                any.push(terms);
                any
            });
        }
        let text = rest.iter().map(Word::text).collect::<Vec<_>>().join(" ");
        Some(fold(any?, unless, text))
    }

    fn term(&mut self, term: &shape::Term, words: &[Word], site: Site) -> Read<Term> {
        match term {
            shape::Term::Named { negated, name, word, at } => {
                let span = words[*word].part(at.clone());
                let acl = self.named(name, span, site)?;
                Some(Term { negated: *negated, acl })
            }
            shape::Term::Anonymous { negated, acl } => {
                let inside = &words[acl.criterion..acl.patterns.end];
                let (test, valid) = self.test(inside, words[acl.criterion].span)?;
                self.warn_if_idle("anonymous acl", &test, valid, words[acl.criterion].span, site);
                Some(Term { negated: *negated, acl: Arc::new(finished("", vec![test])) })
            }
        }
    }

    /// An ACL that an argument names.
    pub(super) fn acl_by_name(&mut self, name: &str, span: Span) -> Read<Arc<Acl>> {
        self.named(name, span, Site::Log)
    }

    fn named(&mut self, name: &str, span: Span, site: Site) -> Read<Arc<Acl>> {
        if self.broken.iter().any(|broken| broken == name) {
            return None;
        }
        if !self.acls.contains_key(name) {
            match PREDEFINED.iter().find(|(known, _)| *known == name) {
                Some((_, meaning)) => {
                    let words: Vec<Word> =
                        meaning.split(' ').map(|w| Word::resolved(w.as_bytes(), span, false)).collect();
                    let (test, valid) = self.test(&words, span)?;
                    let acl = Arc::new(finished(name, vec![test]));
                    self.acls.insert(name.to_owned(), Named { acl, phases: valid });
                }
                None => {
                    let mut known: Vec<&str> = self.acls.keys().map(String::as_str).collect();
                    known.extend(PREDEFINED.iter().map(|(name, _)| *name));
                    let near = suggest::nearest(name, known).map(str::to_owned);
                    let d =
                        Diagnostic::alert(Reason::UnknownReference, span, format!("no such ACL : '{name}'."));
                    let help = match (name, near) {
                        ("and" | "&&" | "AND", _) => {
                            Some(format!("leave '{name}' out: all that stand beside each other must hold"))
                        }
                        (name, _) if name.starts_with('{') || name.ends_with('}') => {
                            Some("braces are words of their own: '{ path /x }'".to_owned())
                        }
                        (_, near) => near.map(|near| format!("did you mean '{near}'?")),
                    };
                    self.say(help.into_iter().fold(d, |d, help| d.help(help)));
                    return None;
                }
            }
        }
        let named = &self.acls[name];
        let (acl, valid) = (named.acl.clone(), named.phases);
        if let Some(test) = acl.tests.first() {
            self.warn_if_idle(&format!("acl '{name}'"), test, valid, span, site);
        }
        Some(acl)
    }

    /// An ACL that has no value where it is used is an error in the configuration that HAProxy only mentions.
    fn warn_if_idle(&mut self, what: &str, test: &AclTest, valid: u32, span: Span, site: Site) {
        if self.has_value(valid, site) {
            return;
        }
        let message = format!(
            "{what} will never match because it uses keyword '{}' which is incompatible with '{}'.",
            test.expr.text,
            site.noun()
        );
        self.say(Diagnostic::warning(Reason::NotAllowedHere, span, message));
    }
}

/// An ACL with its value, if that is known.
fn finished(name: &str, tests: Vec<AclTest>) -> Acl {
    let value = |test: &AclTest| match &test.expr.fetch {
        Fetch::Const(value) if test.expr.convs.is_empty() => {
            Some(index::matches(&test.patterns, &crate::expr::Sample::of(value)))
        }
        _ => None,
    };
    let values: Vec<_> = tests.iter().map(value).collect();
    let constant = if values.contains(&Some(true)) {
        Some(true)
    } else if values.iter().all(|v| *v == Some(false)) {
        Some(false)
    } else {
        None
    };
    Acl { name: name.into(), tests, constant }
}

/// Drops what is known: true terms, groups with a false one, and everything if a group is always true.
fn fold(any: Vec<Vec<Term>>, unless: bool, text: String) -> Cond {
    let mut groups = Vec::new();
    for group in any {
        let known = |term: &Term| term.acl.constant.map(|value| value != term.negated);
        if group.iter().any(|term| known(term) == Some(false)) {
            continue;
        }
        let rest: Vec<Term> = group.into_iter().filter(|term| known(term).is_none()).collect();
        if rest.is_empty() {
            return Cond { unless, any: Vec::new(), constant: Some(!unless), text: text.into() };
        }
        groups.push(rest);
    }
    let constant = groups.is_empty().then_some(unless);
    Cond { unless, any: groups, constant, text: text.into() }
}
