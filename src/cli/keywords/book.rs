//! Every word of both languages and of the stats socket, one row each, from the registries that the program itself works by.

use tandem_parser::haproxy::section::{KINDS, PROXIES};
use tandem_parser::haproxy::{self, Arg, Effect, Keyword, Sections, keywords};
use tandem_parser::keepalived;

use crate::ctl::registry::{self, Handler};
use crate::lower::{expr, rules};

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Class {
    /// A section of `haproxy.cfg`.
    Section,
    /// A line of a section.
    Keyword,
    /// A word on such a line.
    Setting,
    /// What a rule does.
    Action,
    /// Where a sample comes from.
    Fetch,
    /// What is made of it.
    Converter,
    /// What an ACL looks at, where its name implies how.
    Acl,
    /// A service that a rule may use.
    Service,
    /// A command of the stats socket.
    Command,
    /// A word of `keepalived.conf`.
    Keepalived,
}

impl Class {
    /// All of them, in the order of the book.
    pub(super) const ALL: [Self; 10] = [
        Self::Section,
        Self::Keyword,
        Self::Setting,
        Self::Action,
        Self::Fetch,
        Self::Converter,
        Self::Acl,
        Self::Service,
        Self::Command,
        Self::Keepalived,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Section => "section",
            Self::Keyword => "keyword",
            Self::Setting => "setting",
            Self::Action => "action",
            Self::Fetch => "fetch",
            Self::Converter => "converter",
            Self::Acl => "acl",
            Self::Service => "service",
            Self::Command => "command",
            Self::Keepalived => "keepalived",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Section => "Sections",
            Self::Keyword => "Lines",
            Self::Setting => "Settings of lines",
            Self::Action => "Actions of rules",
            Self::Fetch => "Sample fetches",
            Self::Converter => "Converters",
            Self::Acl => "ACL criteria",
            Self::Service => "Services",
            Self::Command => "Commands of the stats socket",
            Self::Keepalived => "keepalived.conf",
        }
    }
}

/// What a word does here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum State {
    /// All that the manual says.
    Works,
    /// Nothing, because there is nothing to do.
    Moot,
    /// An older spelling, read as the modern one.
    Old,
    /// Nothing yet; a warning says so.
    Inert,
    /// It is refused.
    Refused,
}

impl State {
    /// All of them, best first.
    pub(super) const ALL: [Self; 5] = [Self::Works, Self::Moot, Self::Old, Self::Inert, Self::Refused];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Moot => "nothing to do",
            Self::Old => "old spelling",
            Self::Inert => "no effect yet",
            Self::Refused => "refused",
        }
    }
}

/// One row of the book.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) class: Class,
    pub(super) name: String,
    /// Sections, lines or lists where it may stand.
    pub(super) place: String,
    /// Its arguments as the manual writes them.
    pub(super) usage: String,
    pub(super) state: State,
    /// Why it does not work, or what it is called today; empty where it works.
    pub(super) reason: String,
    pub(super) doc: String,
}

/// The whole book.
pub(super) fn entries() -> Vec<Entry> {
    let mut out = Vec::new();
    sections(&mut out);
    for row in keywords::all() {
        out.push(line(row, Class::Keyword, &places(row.sections)));
        settings(row.name, row, &mut out);
    }
    expressions(&mut out);
    for command in registry::commands() {
        let (state, reason) = match command.handler {
            Handler::Run(_) => (State::Works, String::new()),
            Handler::NotYet(why) => (State::Refused, why.to_owned()),
        };
        out.push(Entry {
            class: Class::Command,
            name: command.words.join(" "),
            place: "stats socket".into(),
            usage: command.usage.strip_prefix(&command.words.join(" ")).unwrap_or_default().trim().to_owned(),
            state,
            reason,
            doc: command.help.to_owned(),
        });
    }
    keepalived_rows(&mut out);
    out.sort_by(|a, b| (a.class, &a.place, &a.name).cmp(&(b.class, &b.place, &b.name)));
    out.dedup_by(|a, b| (a.class, &a.place, &a.name) == (b.class, &b.place, &b.name));
    out
}

fn sections(out: &mut Vec<Entry>) {
    for kind in KINDS {
        let inert = !kind.inert.is_empty();
        out.push(Entry {
            class: Class::Section,
            name: kind.name.to_owned(),
            place: "top level".into(),
            usage: match kind.named {
                haproxy::section::Naming::Never => String::new(),
                haproxy::section::Naming::Maybe => "[<name>]".into(),
                haproxy::section::Naming::Always => "<name>".into(),
            },
            state: if inert { State::Inert } else { State::Works },
            reason: kind.inert.to_owned(),
            doc: format!("the section '{}'", kind.name),
        });
    }
}

fn line(row: &Keyword, class: Class, place: &str) -> Entry {
    let (state, reason) = match row.effect {
        Effect::Full => (State::Works, String::new()),
        Effect::Inert(missed) => (State::Inert, missed.to_owned()),
        Effect::Moot(why) => (State::Moot, why.to_owned()),
        Effect::Refused(danger) => (State::Refused, format!("without it {danger}")),
        Effect::Renamed { to, since } => (State::Old, format!("'{to}' since {since}")),
        Effect::Translated { to, since } => (State::Old, format!("read as '{to}', its form since {since}")),
        Effect::Obsolete { since, instead } => (State::Old, format!("gone since {since}: {instead}")),
    };
    Entry {
        class,
        name: row.name.to_owned(),
        place: place.to_owned(),
        usage: row.usage(),
        state,
        reason,
        doc: row.doc.to_owned(),
    }
}

/// The words that may stand on a line, and on theirs.
fn settings(of: &str, row: &Keyword, out: &mut Vec<Entry>) {
    for table in row.args.iter().filter_map(table) {
        for setting in table {
            out.push(line(setting, Class::Setting, of));
            settings(&format!("{of} {}", setting.name), setting, out);
        }
    }
}

fn table(arg: &Arg) -> Option<&'static [Keyword]> {
    match arg {
        Arg::Settings(table) => Some(table),
        Arg::Maybe(inner) => table(inner),
        _ => None,
    }
}

/// The sections that a row may stand in.
pub(super) fn places(bits: Sections) -> String {
    let mut names = Vec::new();
    if bits & PROXIES == PROXIES {
        names.push("proxies");
    }
    let rest = if bits & PROXIES == PROXIES { bits & !PROXIES } else { bits };
    names.extend(KINDS.iter().filter(|kind| kind.bit & rest != 0).map(|kind| kind.name));
    names.join(" ")
}

fn expressions(out: &mut Vec<Entry>) {
    for row in expr::rows() {
        out.push(Entry {
            class: if row.kind == "fetch" { Class::Fetch } else { Class::Converter },
            name: row.name.to_owned(),
            place: "expressions".into(),
            usage: row.usage,
            state: if row.missing.is_some() { State::Refused } else { State::Works },
            reason: row.missing.unwrap_or_default().to_owned(),
            doc: expr::signature(row.kind, row.name).map(|it| it.in_words()).unwrap_or_default(),
        });
    }
    for (name, fetch, method) in expr::criteria() {
        let works = expr::rows().any(|row| row.kind == "fetch" && row.name == fetch && row.missing.is_none());
        out.push(Entry {
            class: Class::Acl,
            name,
            place: "conditions".into(),
            usage: String::new(),
            state: if works { State::Works } else { State::Refused },
            reason: if works { String::new() } else { format!("'{fetch}' cannot be used yet") },
            doc: format!("{fetch} -m {method}"),
        });
    }
    for action in rules::actions() {
        let state = match (action.missing, action.refused) {
            (None, _) => State::Works,
            (Some(_), false) => State::Inert,
            (Some(_), true) => State::Refused,
        };
        let places: Vec<_> = action.sets.iter().map(|set| set.keyword()).collect();
        out.push(Entry {
            class: Class::Action,
            name: action.name.to_owned(),
            place: places.join(", "),
            usage: String::new(),
            state,
            reason: action.missing.unwrap_or_default().to_owned(),
            doc: action.doc.to_owned(),
        });
    }
    out.push(Entry {
        class: Class::Service,
        name: "prometheus-exporter".into(),
        place: "http-request use-service".into(),
        usage: String::new(),
        state: State::Works,
        reason: String::new(),
        doc: "metrics for Prometheus".into(),
    });
}

fn keepalived_rows(out: &mut Vec<Entry>) {
    use keepalived::keywords::rows;
    for section in keepalived::Section::ALL {
        for row in rows(section).iter().flat_map(|rows| rows.iter()) {
            let (state, reason) = match (row.effect, row.instead) {
                (keepalived::Effect::Inert(why), _) => (State::Inert, why.to_owned()),
                (keepalived::Effect::Refused(why), _) => (State::Refused, why.to_owned()),
                (keepalived::Effect::Full, Some(modern)) => (State::Old, format!("'{modern}' today")),
                (keepalived::Effect::Full, None) => (State::Works, String::new()),
            };
            out.push(Entry {
                class: Class::Keepalived,
                name: row.name.to_owned(),
                place: section.title().to_owned(),
                usage: match row.shape {
                    keepalived::Shape::Line => String::new(),
                    keepalived::Shape::Block(_) | keepalived::Shape::Values => "{ ... }".into(),
                },
                state,
                reason,
                doc: row.doc.trim_end_matches('.').to_owned(),
            });
        }
    }
}
