//! Conditions of `.if` lines and of `-cc`: `defined(X) && !streq(a,b)`.

use std::borrow::Cow;

use crate::lex::Variables;

/// What predicates ask about the program.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Version that the program answers to, such as `3.4.0`.
    pub version: &'a str,
    /// Build features that are there, such as `POLL`.
    pub features: &'a [&'a str],
}

/// Evaluates a condition.
///
/// # Errors
/// With HAProxy's words for the cause and the byte offset where it was seen.
pub fn evaluate(text: &str, vars: &dyn Variables, facts: &Facts<'_>) -> Result<bool, (String, usize)> {
    if text.trim().is_empty() {
        return Err(("missing condition".into(), 0));
    }
    if text.bytes().filter(|b| matches!(b, b'(' | b'!')).count() > MOST_NESTED {
        return Err(("too complex conditional expression".into(), 0));
    }
    let mut reader = Reader { text, at: 0 };
    let term = reader.any()?;
    reader.blanks();
    match reader.rest().chars().next() {
        None => Ok(term.eval(vars, facts)),
        Some(c) => {
            let cause = format!("unexpected character '{c}' at the end of conditional expression '{text}'");
            Err((cause, reader.at))
        }
    }
}

/// Parentheses and negations that a condition may have: each may be a level.
const MOST_NESTED: usize = 256;

enum Term<'a> {
    Number(bool),
    /// A predicate and its arguments.
    Call(&'static str, Vec<Cow<'a, str>>),
    Not(Box<Term<'a>>),
    All(Vec<Term<'a>>),
    Any(Vec<Term<'a>>),
}

/// What is read, and how far.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// The cause, and where.
type Read<T> = Result<T, (String, usize)>;

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches([' ', '\t']).len();
    }

    /// Goes behind `what`, if it comes next.
    fn eat(&mut self, what: &str) -> bool {
        let found = self.rest().starts_with(what);
        self.at += if found { what.len() } else { 0 };
        found
    }

    fn unparsable<T>(text: &str, at: usize) -> Read<T> {
        Err((format!("unparsable conditional expression '{text}'"), at))
    }

    fn any(&mut self) -> Read<Term<'a>> {
        self.chain("||", Self::all).map(Term::Any)
    }

    fn all(&mut self) -> Read<Term<'a>> {
        self.chain("&&", Self::single).map(Term::All)
    }

    fn chain(&mut self, operator: &str, one: fn(&mut Self) -> Read<Term<'a>>) -> Read<Vec<Term<'a>>> {
        let start = self.at;
        let mut terms = vec![one(self)?];
        loop {
            let before = self.at;
            self.blanks();
            let here = self.at;
            if !self.eat(operator) {
                self.at = before;
                return Ok(terms);
            }
            self.blanks();
            if self.rest().is_empty() {
                return Self::unparsable(&self.text[start..], here);
            }
            terms.push(one(self)?);
        }
    }

    fn single(&mut self) -> Read<Term<'a>> {
        self.blanks();
        let start = self.at;
        let mut negations = 0;
        while self.eat("!") {
            negations += 1;
            self.blanks();
        }
        let mut term = if self.eat("(") {
            let term = self.any()?;
            self.blanks();
            if !self.eat(")") {
                let cause = format!("expected ')' after conditional expression '{}'", &self.text[start..]);
                return Err((cause, start));
            }
            term
        } else if let Some(number) = self.number() {
            Term::Number(number)
        } else {
            match self.call()? {
                Some(call) => call,
                None => return Self::unparsable(&self.text[start..], start),
            }
        };
        for _ in 0..negations {
            term = Term::Not(Box::new(term));
        }
        Ok(term)
    }

    /// A number as C writes it, and whether it is another than 0.
    fn number(&mut self) -> Option<bool> {
        let unsigned = self.rest().strip_prefix(['-', '+']).unwrap_or(self.rest());
        let hex =
            unsigned.strip_prefix("0x").filter(|rest| rest.starts_with(|c: char| c.is_ascii_hexdigit()));
        let digits = hex.unwrap_or(unsigned);
        let is_digit = |c: char| if hex.is_some() { c.is_ascii_hexdigit() } else { c.is_ascii_digit() };
        let len = digits.find(|c| !is_digit(c)).unwrap_or(digits.len());
        let (digits, rest) = digits.split_at(len);
        self.at = if digits.is_empty() { self.at } else { self.text.len() - rest.len() };
        (!digits.is_empty()).then(|| digits.bytes().any(|digit| digit != b'0'))
    }

    /// A predicate with its arguments; without parentheses it has none.
    fn call(&mut self) -> Read<Option<Term<'a>>> {
        let rest = self.rest();
        let len = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let Some((name, count)) = PREDICATES.iter().find(|(name, _)| *name == &rest[..len]) else {
            return Ok(None);
        };
        self.at += len;
        let place = |cause: &str| {
            format!("{cause} in argument 1 of predicate '{name}' used in conditional expression")
        };
        let mut args = Vec::new();
        if self.eat("(") {
            loop {
                let before = self.at;
                let argument = self.argument();
                if args.len() == *count {
                    let cause = format!("expected ')' before '{}'", &self.text[before.saturating_sub(1)..]);
                    return Err((place(&cause), before.saturating_sub(1)));
                }
                args.push(argument);
                if !self.eat(",") {
                    break;
                }
            }
            if !self.rest().starts_with(')') {
                return Err((place("expected ')'"), self.text.len()));
            }
        }
        if *count > 1 && args.len() < *count {
            let got = args.len().max(1);
            return Err((
                place(&format!("missing arguments (got {got}/{count}), type 'string' expected")),
                self.at,
            ));
        }
        self.eat(")");
        args.resize(*count, Cow::Borrowed(""));
        Ok(Some(Term::Call(name, args)))
    }

    /// An argument: what is in quotes may hold commas and parentheses.
    fn argument(&mut self) -> Cow<'a, str> {
        let mut out = Cow::Borrowed("");
        loop {
            let rest = self.rest();
            let piece = match rest.chars().next() {
                None | Some(',' | ')') => return out,
                Some(quote @ ('\'' | '"')) => {
                    let inside = &rest[1..];
                    let len = inside.find(quote).unwrap_or(inside.len());
                    self.at += 1 + (len + 1).min(inside.len());
                    &inside[..len]
                }
                Some(_) => {
                    let len = rest.find([',', ')', '\'', '"']).unwrap_or(rest.len());
                    self.at += len;
                    &rest[..len]
                }
            };
            out = if out.is_empty() { Cow::Borrowed(piece) } else { Cow::Owned(out.into_owned() + piece) };
        }
    }
}

impl Term<'_> {
    fn eval(&self, vars: &dyn Variables, facts: &Facts<'_>) -> bool {
        match self {
            Self::Number(truth) => *truth,
            Self::Not(term) => !term.eval(vars, facts),
            Self::All(terms) => terms.iter().all(|term| term.eval(vars, facts)),
            Self::Any(terms) => terms.iter().any(|term| term.eval(vars, facts)),
            Self::Call(name, args) => predicate(name, args, vars, facts),
        }
    }
}

/// Predicates and how many arguments they have.
const PREDICATES: &[(&str, usize)] = &[
    ("awslc_api_atleast", 1),
    ("awslc_api_before", 1),
    ("defined", 1),
    ("enabled", 1),
    ("feature", 1),
    ("fips_mode", 0),
    ("openssl_version_atleast", 1),
    ("openssl_version_before", 1),
    ("ssllib_name_startswith", 1),
    ("streq", 2),
    ("strneq", 2),
    ("strstr", 2),
    ("version_atleast", 1),
    ("version_before", 1),
];

fn predicate(name: &str, args: &[Cow<'_, str>], vars: &dyn Variables, facts: &Facts<'_>) -> bool {
    let arg = |nth: usize| args.get(nth).map_or("", |arg| arg.as_ref());
    match name {
        "defined" => vars.get(arg(0)).is_some(),
        "feature" => facts.features.contains(&arg(0)),
        "streq" => arg(0) == arg(1),
        "strneq" => arg(0) != arg(1),
        "strstr" => arg(0).contains(arg(1)),
        "version_atleast" => versions(facts.version) >= versions(arg(0)),
        "version_before" => versions(facts.version) < versions(arg(0)),
        "enabled" => ENABLED.contains(&arg(0)),
        // There is no OpenSSL and no AWS-LC inside.
        _ => false,
    }
}

/// What `enabled(...)` affirms: these are always at work and cannot be switched off.
const ENABLED: &[&str] = &["EPOLL", "FAST-FORWARD", "GETADDRINFO", "REUSEPORT", "SPLICE"];

/// `3.4-dev2` before `3.4.0`: numbers first, then a development version below its release.
fn versions(text: &str) -> (Vec<u32>, u32) {
    let (release, dev) = text.split_once("-dev").unwrap_or((text, ""));
    let release = release.split('-').next().unwrap_or(release);
    let mut numbers: Vec<u32> = release.split('.').map(|part| part.parse().unwrap_or(0)).collect();
    numbers.resize(3, 0);
    let dev = if text.contains("-dev") {
        dev.split('-').next().and_then(|n| n.parse().ok()).unwrap_or(0)
    } else {
        u32::MAX
    };
    (numbers, dev)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_have_operators_and_predicates() {
        let vars = |name: &str| (name == "A").then(|| "1".to_owned());
        let facts = Facts { version: "3.4.0", features: &["POLL"] };
        for (text, expected) in [
            ("1", true),
            ("0", false),
            ("defined(A)", true),
            ("!defined(A)", false),
            ("defined(B) || feature(POLL)", true),
            ("defined(A) && feature(NOPE)", false),
            ("!(defined(B) || defined(C)) && 1", true),
            ("streq(a,a)", true),
            ("streq(,)", true),
            ("strneq(a,b)", true),
            ("enabled(EPOLL) && !enabled(KQUEUE)", true),
            ("strstr(abc,b)", true),
            ("streq(foo,'foo')", true),
            ("streq(\"a, (b)\",'a, (b)')", true),
            ("-1000 && 200", true),
            ("version_atleast(2.4)", true),
            ("version_atleast(3.4-dev1)", true),
            ("version_before(3.4-dev1)", false),
            ("version_before(3.5)", true),
        ] {
            assert_eq!(evaluate(text, &vars, &facts), Ok(expected), "{text}");
        }
        for text in ["defined", "streq(a, a)", "0x0", "feature()", "+0"] {
            assert_eq!(evaluate(text, &vars, &facts), Ok(false), "{text}");
        }
        let unparsable = |text: &str, at: usize| (format!("unparsable conditional expression '{text}'"), at);
        let argument = |cause: &str, of: &str, at: usize| {
            (format!("{cause} in argument 1 of predicate '{of}' used in conditional expression"), at)
        };
        let ending = |c: char, text: &str, at: usize| {
            (format!("unexpected character '{c}' at the end of conditional expression '{text}'"), at)
        };
        for (text, expected) in [
            ("nope(1)", unparsable("nope(1)", 0)),
            ("1 && foo", unparsable("foo", 5)),
            ("!foo", unparsable("!foo", 0)),
            ("1 ||", unparsable("1 ||", 2)),
            ("()", unparsable(")", 1)),
            ("1 2", ending('2', "1 2", 2)),
            ("1)", ending(')', "1)", 1)),
            ("defined (A)", ending('(', "defined (A)", 8)),
            ("strstr(a)", argument("missing arguments (got 1/2), type 'string' expected", "strstr", 8)),
            ("streq", argument("missing arguments (got 1/2), type 'string' expected", "streq", 5)),
            ("defined(a,b)", argument("expected ')' before ',b)'", "defined", 9)),
            ("streq(a,b", argument("expected ')'", "streq", 9)),
            ("(1", ("expected ')' after conditional expression '(1'".to_owned(), 0)),
        ] {
            assert_eq!(evaluate(text, &vars, &facts), Err(expected), "{text}");
        }
        assert!(evaluate("", &vars, &facts).is_err());
    }
}
