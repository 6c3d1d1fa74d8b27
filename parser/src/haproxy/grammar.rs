//! How keywords are described: names, places, arguments, effect. The tables are in [`super::keywords`].

use super::section::Sections;
use crate::value::Unit;

/// One argument of a keyword.
#[derive(Clone, Copy, Debug)]
pub enum Arg {
    /// Any one word; the string says what it is.
    Word(&'static str),
    /// An integer within limits.
    Int(&'static str, i64, i64),
    /// A time; a bare number has this unit.
    Time(Unit),
    /// A size in bytes, of four gigabytes at the most.
    Size,
    /// A size in bytes within limits.
    SizeIn(u64, u64),
    /// An address.
    Addr,
    /// An address in front of these settings. None of their names is one: then it was forgotten.
    AddrBefore(&'static [Keyword]),
    /// Addresses separated by commas.
    Addrs,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// This word, or what stands behind it.
    Or(&'static str, &'static Arg),
    /// Several of these words, with commas between them.
    List(&'static [&'static str]),
    /// The argument may be missing. Nothing but optional arguments may follow.
    Maybe(&'static Arg),
    /// The argument may be missing where the line ends: a word that stands there is meant for it.
    OrEnd(&'static Arg),
    /// Any number of words.
    Rest,
    /// One word or more; the string says of what.
    Some(&'static str),
    /// `if` or `unless` and a condition, to the end of the line; may be missing.
    Cond,
    /// The same, which must be there.
    MustCond,
    /// Settings from this table in any order, for as long as the next word names one.
    Settings(&'static [Keyword]),
}

/// What a keyword does in Tandem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// All that the manual says.
    Full,
    /// Accepted with a warning; the string says what is missed by it.
    Inert(&'static str),
    /// Accepted silently, because doing nothing is what it means here; the string says why.
    Moot(&'static str),
    /// An error, because doing without it could let someone in or lose data; the string names the danger.
    Refused(&'static str),
    /// An older name of another keyword with the same arguments.
    Renamed {
        /// The modern name.
        to: &'static str,
        /// First version that refuses the old one.
        since: &'static str,
    },
    /// An older rule that is read as one or more of another form.
    Translated {
        /// What takes its place.
        to: &'static str,
        /// First version that refuses the old one.
        since: &'static str,
    },
    /// A keyword that lost its meaning; the string says what to do.
    Obsolete {
        /// First version that refuses it.
        since: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
}

/// One keyword, or one setting of a `bind`, `server` or similar line.
#[derive(Clone, Copy, Debug)]
pub struct Keyword {
    /// All its words, such as `timeout client`.
    pub name: &'static str,
    /// Sections where it may stand; none for settings.
    pub sections: Sections,
    /// Arguments in order.
    pub args: &'static [Arg],
    /// What it does.
    pub effect: Effect,
    /// One line for people.
    pub doc: &'static str,
}

/// A keyword that does all it should.
pub(super) const fn full(
    name: &'static str,
    sections: Sections,
    args: &'static [Arg],
    doc: &'static str,
) -> Keyword {
    Keyword { name, sections, args, effect: Effect::Full, doc }
}

/// A keyword that is accepted, with a warning.
pub(super) const fn inert(
    name: &'static str,
    sections: Sections,
    args: &'static [Arg],
    why: &'static str,
    doc: &'static str,
) -> Keyword {
    Keyword { name, sections, args, effect: Effect::Inert(why), doc }
}

/// A keyword with nothing to do here.
pub(super) const fn moot(
    name: &'static str,
    sections: Sections,
    args: &'static [Arg],
    why: &'static str,
    doc: &'static str,
) -> Keyword {
    Keyword { name, sections, args, effect: Effect::Moot(why), doc }
}

/// A keyword that is refused.
pub(super) const fn refused(
    name: &'static str,
    sections: Sections,
    args: &'static [Arg],
    why: &'static str,
    doc: &'static str,
) -> Keyword {
    Keyword { name, sections, args, effect: Effect::Refused(why), doc }
}

/// Options that `no` and `default` may not stand before.
const POSITIVE: &[&str] = &[
    "external-check",
    "forwardfor",
    "http-restrict-req-hdr-names",
    "httpchk",
    "httplog",
    "httpslog",
    "ldap-check",
    "mysql-check",
    "originalto",
    "pgsql-check",
    "redis-check",
    "smtpchk",
    "spop-check",
    "ssl-hello-chk",
    "tcp-check",
    "tcpka",
    "tcplog",
];

/// Whether `no` and `default` may stand before a line that begins with this word.
pub(super) fn may_be_negated(word: &str) -> bool {
    matches!(
        word,
        "option"
            | "log"
            | "busy-polling"
            | "set-dumpable"
            | "strict-limits"
            | "insecure-fork-wanted"
            | "numa-cpu-mapping"
    )
}

impl Keyword {
    /// Whether `no` and `default` may stand before it.
    #[must_use]
    pub fn negatable(&self) -> bool {
        !self.positive_option() && self.name.split(' ').next().is_some_and(may_be_negated)
    }

    /// An option that is only ever switched on.
    #[must_use]
    pub fn positive_option(&self) -> bool {
        self.name.strip_prefix("option ").is_some_and(|option| POSITIVE.contains(&option))
    }

    /// The arguments as the manual would show them: `<name> [<address>] ...`.
    #[must_use]
    pub fn usage(&self) -> String {
        self.args.iter().map(Arg::usage).filter(|usage| !usage.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

impl Arg {
    /// What a message calls it.
    #[must_use]
    pub fn usage(&self) -> String {
        match self {
            Self::Word(what) | Self::Int(what, ..) => format!("<{what}>"),
            Self::Time(_) => "<time>".into(),
            Self::Size | Self::SizeIn(..) => "<size>".into(),
            Self::Addr | Self::AddrBefore(_) => "<addr>[:<port>]".into(),
            Self::Addrs => "<addr>:<port>[,...]".into(),
            // Facilities and levels would fill the screen.
            Self::Choice(words) if words.len() > 6 => format!("<{}...>", words[..3].join("|")),
            Self::Choice(words) => words.join("|"),
            Self::Or(word, arg) => format!("{}|{word}", arg.usage()),
            Self::List(words) => format!("<{}>[,...]", words.join("|")),
            Self::Maybe(arg) | Self::OrEnd(arg) => format!("[{}]", arg.usage()),
            Self::Rest => "[...]".into(),
            Self::Some(what) => format!("<{what}>..."),
            Self::Cond => "[if|unless <condition>]".into(),
            Self::MustCond => "if|unless <condition>".into(),
            Self::Settings(_) => "[<setting>...]".into(),
        }
    }

    /// The words it offers, if it is a choice.
    #[must_use]
    pub fn choices(&self) -> Option<&'static [&'static str]> {
        match self {
            Self::Choice(words) => Some(words),
            Self::Maybe(arg) | Self::OrEnd(arg) => arg.choices(),
            _ => None,
        }
    }
}
