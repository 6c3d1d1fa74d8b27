//! `show resolvers` and the `resolvers` domain of `show stat`.

use std::fmt::Write;

use super::field::{Field, Nature, Origin, Scope, Tags, Value};
use super::json::{AnyField, text};
use super::typed;
use crate::live::{Nameserver, Resolvers};

/// The counters of a nameserver, in HAProxy's order. `timeout` counts what the manual says; HAProxy's never
/// moves.
pub(super) fn counters(ns: &Nameserver) -> [(&'static str, u64); 15] {
    let c = &ns.counters;
    [
        ("sent", c.sent.get()),
        ("snd_error", c.snd_error.get()),
        ("valid", c.valid.get()),
        ("update", c.update.get()),
        ("cname", c.cname.get()),
        ("cname_error", c.cname_error.get()),
        ("any_err", c.any_err.get()),
        ("nx", c.nx.get()),
        ("timeout", c.timeout.get()),
        ("refused", c.refused.get()),
        ("other", c.other.get()),
        ("invalid", c.invalid.get()),
        ("too_big", c.too_big.get()),
        ("truncated", c.truncated.get()),
        ("outdated", c.outdated.get()),
    ]
}

/// `show resolvers`.
#[must_use]
pub fn show<'a>(sections: impl Iterator<Item = &'a Resolvers>) -> String {
    let mut out = String::new();
    for section in sections {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "Resolvers section {}", section.name);
        for ns in &section.nameservers {
            let _ = writeln!(out, " nameserver {}:", ns.name);
            for (name, value) in counters(ns) {
                let _ = writeln!(out, "  {:<13}{value}", format!("{name}:"));
            }
        }
    }
    out
}

/// The columns of `show stat domain resolvers`: the section is called `pid` there, and the second counter otherwise than in
/// `show resolvers`.
fn row(section: &Resolvers, ns: &Nameserver) -> Vec<(&'static str, Field)> {
    let field = |origin, value| Field { tags: Tags::new(origin, Nature::Gauge, Scope::Process), value };
    let key = |name, text: &str| (name, field(Origin::Config, Value::Text(text.to_owned())));
    let mut row = vec![key("id", &ns.name), key("pid", &section.name)];
    row.extend(counters(ns).map(|(name, value)| {
        let name = if name == "snd_error" { "send_error" } else { name };
        (name, field(Origin::Metric, Value::U64(value)))
    }));
    row
}

fn rows(sections: &[Resolvers]) -> impl Iterator<Item = Vec<(&'static str, Field)>> {
    sections.iter().flat_map(|section| section.nameservers.iter().map(move |ns| row(section, ns)))
}

/// `show stat domain resolvers`.
#[must_use]
pub fn csv(sections: &[Resolvers]) -> String {
    let mut out = String::from(
        "# id,pid,sent,send_error,valid,update,cname,cname_error,any_err,nx,timeout,refused,other,invalid,too_big,\
         truncated,outdated,\n",
    );
    for row in rows(sections) {
        row.iter().for_each(|(_, field)| {
            let _ = write!(out, "{},", field.value);
        });
        out.push('\n');
    }
    out
}

/// `show stat domain resolvers typed`.
#[must_use]
pub fn typed(sections: &[Resolvers]) -> String {
    let mut out = String::new();
    for row in rows(sections) {
        for (at, (name, field)) in row.iter().enumerate() {
            let _ = write!(out, "N.{at}.{name}");
            typed::push_tail(&mut out, field, None);
        }
    }
    out
}

/// `show stat domain resolvers json`.
#[must_use]
pub fn json(sections: &[Resolvers]) -> String {
    let all: Vec<_> = rows(sections).collect();
    let named = |row: &'_ [(&'static str, Field)]| -> Vec<_> {
        row.iter().enumerate().map(|(at, (name, field))| AnyField::unnumbered(at, name, field)).collect()
    };
    format!("{}\n", text(&all.iter().map(|row| named(row)).collect::<Vec<_>>()))
}
