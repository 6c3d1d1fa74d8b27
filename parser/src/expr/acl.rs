//! `acl NAME criterion flags patterns`, `{ criterion flags patterns }`, and conditions made of them.

use std::fmt;
use std::ops::{Deref, Range};

use super::{Fault, ShapeError};

/// Flags between the criterion and the patterns, as words of the line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AclFlags {
    /// `-i`.
    pub ignore_case: bool,
    /// `-n`.
    pub no_dns: bool,
    /// `-M`: files are maps, only their keys count.
    pub as_map: bool,
    /// `-m METHOD`: words of the methods, in order; the last counts.
    pub method: Option<usize>,
    /// `-f FILE`: words of the files, in order.
    pub files: Vec<usize>,
    /// `-u ID`: its word.
    pub id: Option<usize>,
    /// `--` was written.
    pub ended: bool,
    /// `-m` came after `-f`, where it has no effect on the file: the word of the flag.
    pub late_method: Option<usize>,
}

/// The word of a criterion. The expression in it is read by whoever knows the names.
pub type Criterion = usize;

/// The words after an ACL's name, or between braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclShape {
    /// Word of the criterion.
    pub criterion: Criterion,
    /// Flags.
    pub flags: AclFlags,
    /// Words of the patterns, operators of `int` included.
    pub patterns: Range<usize>,
}

/// Reads `criterion flags patterns` from `words`; indexes count from `first`, the place of `words[0]` in the line.
///
/// # Errors
/// If there is no criterion, or a flag is unknown or incomplete.
pub fn acl<W: Deref<Target = str>>(words: &[W], first: usize) -> Result<AclShape, ShapeError> {
    let Some(criterion) = words.first() else {
        return Err(ShapeError::in_word(Fault::MissingCriterion, first, 0));
    };
    if criterion.is_empty() {
        return Err(ShapeError::in_word(Fault::MissingCriterion, first, 0));
    }
    let mut flags = AclFlags::default();
    let mut at = 1;
    while let Some(word) = words.get(at).filter(|w| w.starts_with('-')) {
        let argument = |flag: &'static str| match words.get(at + 1) {
            Some(_) => Ok(first + at + 1),
            None => Err(ShapeError::in_word(Fault::MissingFlagArgument(flag), first + at, word.len())),
        };
        match &**word {
            "-i" => flags.ignore_case = true,
            "-n" => flags.no_dns = true,
            "-M" => flags.as_map = true,
            "-u" => {
                flags.id = Some(argument("-u")?);
                at += 1;
            }
            "-f" => {
                flags.files.push(argument("-f")?);
                at += 1;
            }
            "-m" => {
                flags.method = Some(argument("-m")?);
                if !flags.files.is_empty() {
                    flags.late_method = Some(first + at);
                }
                at += 1;
            }
            "--" => {
                flags.ended = true;
                at += 1;
                break;
            }
            other => {
                let fault = Fault::UnknownFlag(other.to_owned());
                return Err(ShapeError::in_word(fault, first + at, word.len()));
            }
        }
        at += 1;
    }
    Ok(AclShape { criterion: first, flags, patterns: first + at..first + words.len() })
}

/// One term of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// A named ACL.
    Named {
        /// An odd number of `!` stood before it.
        negated: bool,
        /// The name.
        name: String,
        /// Its word.
        word: usize,
        /// The part of the word that is the name.
        at: Range<usize>,
    },
    /// `{ ... }`.
    Anonymous {
        /// An odd number of `!` stood before it.
        negated: bool,
        /// What is between the braces.
        acl: AclShape,
    },
}

/// A condition: groups joined by `or`, each of terms that must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Groups, none of them empty. No group: nothing stands after `if`, which never holds.
    pub groups: Vec<Vec<Term>>,
    /// The word of an operator that has nothing to work on.
    pub dangling: Option<usize>,
}

/// Reads the words after `if` or `unless`. Operators with nothing before or after them say nothing, as for HAProxy.
///
/// # Errors
/// If a brace is not closed or has nothing behind it.
pub fn condition<W: Deref<Target = str>>(words: &[W]) -> Result<Condition, ShapeError> {
    let mut groups = Vec::new();
    let mut group = Vec::new();
    let mut negated = false;
    let mut dangling = None;
    let mut at = 0;
    while at < words.len() {
        let word = &*words[at];
        let name = word.trim_start_matches('!');
        let bangs = word.len() - name.len();
        negated ^= bangs % 2 == 1;
        match name {
            "" => {}
            "||" | "or" | "OR" | "Or" | "oR" => {
                if group.is_empty() || std::mem::take(&mut negated) {
                    dangling = dangling.or(Some(at));
                }
                if !group.is_empty() {
                    groups.push(std::mem::take(&mut group));
                }
            }
            "{" => {
                let Some(len) = words[at + 1..].iter().position(|w| &**w == "}") else {
                    return Err(ShapeError::in_word(Fault::UnclosedBrace, at, word.len()));
                };
                if len == 0 {
                    return Err(ShapeError::in_word(Fault::EmptyBraces, at, word.len()));
                }
                let acl = acl(&words[at + 1..at + 1 + len], at + 1)?;
                group.push(Term::Anonymous { negated: std::mem::take(&mut negated), acl });
                at += len + 1;
            }
            name => {
                let at_name = bangs..word.len();
                let negated = std::mem::take(&mut negated);
                group.push(Term::Named { negated, name: name.to_owned(), word: at, at: at_name });
            }
        }
        at += 1;
    }
    if group.is_empty() || negated {
        dangling = dangling.or(words.len().checked_sub(1));
    }
    if !group.is_empty() {
        groups.push(group);
    }
    Ok(Condition { groups, dangling })
}

impl Condition {
    /// The words it stands for, given those it was read from (for the braces).
    pub fn words<W: Deref<Target = str>>(&self, source: &[W]) -> Vec<String> {
        let mut out = Vec::new();
        for (i, group) in self.groups.iter().enumerate() {
            if i > 0 {
                out.push("or".to_owned());
            }
            for term in group {
                match term {
                    Term::Named { negated, name, .. } => {
                        out.push(format!("{}{name}", if *negated { "!" } else { "" }));
                    }
                    Term::Anonymous { negated, acl } => {
                        out.extend(negated.then(|| "!".to_owned()));
                        out.push("{".to_owned());
                        let inside = acl.criterion..acl.patterns.end;
                        out.extend(source[inside].iter().map(|w| (**w).to_owned()));
                        out.push("}".to_owned());
                    }
                }
            }
        }
        out
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (negated, name) = match self {
            Term::Named { negated, name, .. } => (negated, name.as_str()),
            Term::Anonymous { negated, .. } => (negated, "{...}"),
        };
        write!(f, "{}{name}", if *negated { "!" } else { "" })
    }
}
