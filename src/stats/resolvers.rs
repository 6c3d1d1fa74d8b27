//! `show resolvers` and the `resolvers` domain of `show stat`.

use std::fmt::Write;

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

/// `show stat domain resolvers`: as CSV. The second of the names of the failed sendings differs there.
#[must_use]
pub fn csv(sections: &[Resolvers]) -> String {
    let mut out = String::from(
        "# id,pid,sent,send_error,valid,update,cname,cname_error,any_err,nx,timeout,refused,other,invalid,too_big,\
         truncated,outdated,\n",
    );
    for section in sections {
        for ns in &section.nameservers {
            let _ = write!(out, "{},{},", ns.name, section.name);
            for (_, value) in counters(ns) {
                let _ = write!(out, "{value},");
            }
            out.push('\n');
        }
    }
    out
}
