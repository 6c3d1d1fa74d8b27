//! Conditions of `.if` lines and of `-cc`: `defined(X) && !streq(a,b)`.

use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, take_while1};
use nom::character::complete::{char, digit1, multispace0};
use nom::combinator::{map, opt};
use nom::multi::{many0, separated_list0};
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

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
/// With the cause and the byte offset where it was seen.
pub fn evaluate(text: &str, vars: &dyn Variables, facts: &Facts<'_>) -> Result<bool, (String, usize)> {
    if text.trim().is_empty() {
        return Err(("missing condition".into(), 0));
    }
    if text.bytes().filter(|b| matches!(b, b'(' | b'!')).count() > MOST_NESTED {
        return Err(("too complex conditional expression".into(), 0));
    }
    let offset = |rest: &str| text.len() - rest.len();
    let (rest, term) = preceded(multispace0, any).parse(text).map_err(|error| match error {
        nom::Err::Error(error) | nom::Err::Failure(error) => {
            ("unparsable conditional expression".to_owned(), offset(error.input))
        }
        nom::Err::Incomplete(_) => ("unparsable conditional expression".to_owned(), 0),
    })?;
    if !rest.trim().is_empty() {
        return Err(("extra characters after the condition".into(), offset(rest)));
    }
    term.eval(vars, facts).map_err(|(cause, at)| (cause, text.find(at.as_str()).unwrap_or(0)))
}

/// Parentheses and negations that a condition may have: each may be a level.
const MOST_NESTED: usize = 256;

enum Term {
    Number(bool),
    Call(String, Vec<String>),
    Not(Box<Term>),
    All(Vec<Term>),
    Any(Vec<Term>),
}

fn any(input: &str) -> IResult<&str, Term> {
    let (rest, first) = all.parse(input)?;
    let (rest, more) = many0(preceded((multispace0, tag("||"), multispace0), all)).parse(rest)?;
    Ok((rest, Term::Any(std::iter::once(first).chain(more).collect())))
}

fn all(input: &str) -> IResult<&str, Term> {
    let (rest, first) = single.parse(input)?;
    let (rest, more) = many0(preceded((multispace0, tag("&&"), multispace0), single)).parse(rest)?;
    Ok((rest, Term::All(std::iter::once(first).chain(more).collect())))
}

fn single(input: &str) -> IResult<&str, Term> {
    alt((
        map(preceded((char('!'), multispace0), single), |term| Term::Not(Box::new(term))),
        delimited((char('('), multispace0), any, (multispace0, char(')'))),
        map(preceded(opt(char('-')), digit1), |digits: &str| Term::Number(digits.bytes().any(|b| b != b'0'))),
        call,
    ))
    .parse(input)
}

fn call(input: &str) -> IResult<&str, Term> {
    let name = take_while1(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let arguments = delimited(char('('), separated_list0(char(','), argument), char(')'));
    map((name, arguments), |(name, args): (&str, _)| Term::Call(name.to_owned(), args)).parse(input)
}

/// An argument: what is in quotes may hold commas and parentheses.
fn argument(input: &str) -> IResult<&str, String> {
    let single = delimited(char('\''), opt(is_not("'")), char('\''));
    let double = delimited(char('"'), opt(is_not("\"")), char('"'));
    let quoted = map(alt((single, double)), |text: Option<&str>| text.unwrap_or("").to_owned());
    let plain = map(is_not(",()'\""), |text: &str| text.trim().to_owned());
    map(many0(alt((quoted, plain))), |parts| parts.concat()).parse(input)
}

impl Term {
    fn eval(&self, vars: &dyn Variables, facts: &Facts<'_>) -> Result<bool, (String, String)> {
        Ok(match self {
            Self::Number(truth) => *truth,
            Self::Not(term) => !term.eval(vars, facts)?,
            Self::All(terms) => {
                for term in terms {
                    if !term.eval(vars, facts)? {
                        return Ok(false);
                    }
                }
                true
            }
            Self::Any(terms) => {
                for term in terms {
                    if term.eval(vars, facts)? {
                        return Ok(true);
                    }
                }
                false
            }
            Self::Call(name, args) => return predicate(name, args, vars, facts),
        })
    }
}

fn predicate(
    name: &str,
    args: &[String],
    vars: &dyn Variables,
    facts: &Facts<'_>,
) -> Result<bool, (String, String)> {
    let arg = |nth: usize| {
        let missing = || (format!("missing argument of predicate '{name}'"), name.to_owned());
        args.get(nth).filter(|arg| !arg.is_empty() || nth > 0).map(String::as_str).ok_or_else(missing)
    };
    Ok(match name {
        "defined" => vars.get(arg(0)?).is_some(),
        "feature" => facts.features.contains(&arg(0)?),
        "streq" => args.first() == args.get(1),
        "strneq" => args.first() != args.get(1),
        "strstr" => arg(0)?.contains(arg(1)?),
        "version_atleast" => versions(facts.version) >= versions(arg(0)?),
        "version_before" => versions(facts.version) < versions(arg(0)?),
        "enabled" => ENABLED.contains(&arg(0)?),
        // There is no OpenSSL and no AWS-LC inside.
        "openssl_version_atleast"
        | "openssl_version_before"
        | "ssllib_name_startswith"
        | "awslc_api_atleast"
        | "awslc_api_before"
        | "fips_mode" => false,
        _ => return Err((format!("unknown conditional predicate '{name}'"), name.to_owned())),
    })
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
        for text in ["", "nope(1)", "defined", "1 2", "defined(A) &&", "strstr(a)"] {
            assert!(evaluate(text, &vars, &facts).is_err(), "{text}");
        }
    }
}
