//! `haproxy -dK`: keywords in HAProxy's format (management guide, chapter 3), only those that have effect here.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use tandem_parser::haproxy::section::{
    ACME, BACKEND, CLIENT_SIDE, CRT_STORE, GLOBAL, KINDS, PEERS, PROXIES, SERVER_SIDE, TRACES, USERLIST,
};
use tandem_parser::haproxy::{Arg, Effect, Keyword, Sections, keywords};

use crate::ctl::registry::{self, Handler};
use crate::lower::expr;
use crate::lower::rules::{self, RuleSet};

/// A class, its title and what is listed under it.
type Table = (&'static str, &'static str, fn() -> String);

/// Classes of keywords, as `-dKhelp` lists them.
const CLASSES: &[(&str, &str)] = &[
    ("all", "list all keywords"),
    ("acl", "ACL keywords"),
    ("cfg", "configuration keywords"),
    ("cli", "CLI keywords"),
    ("cnv", "sample converter keywords"),
    ("flt", "filter names"),
    ("smp", "sample fetch functions"),
    ("svc", "service names"),
];

/// Places where fetches are evaluated, in HAProxy's order: the columns of their table.
const SITES: &[&str] = &[
    "frontend tcp-request connection rule",
    "frontend tcp-request session rule",
    "frontend tcp-request content rule",
    "frontend http-request header rule",
    "frontend http-request body rule",
    "frontend use-backend rule",
    "backend tcp-request content rule",
    "backend http-request header rule",
    "backend http-request body rule",
    "backend use-server, balance or stick-match rule",
    "server source selection",
    "backend tcp-response content rule",
    "backend http-response header rule",
    "backend http-response body rule",
    "backend stick-store rule",
    "frontend tcp-response content rule",
    "frontend http-response header rule",
    "frontend http-response body rule",
    "logs",
    "backend tcp-check rule",
    "configuration parser",
    "CLI parser",
];

/// What `-dKall`, `-dKcfg,smp`, `-dKhelp`... print.
pub(in crate::cli) fn dump(classes: &str) -> String {
    let asked: Vec<&str> = classes.split(',').collect();
    if asked.iter().any(|class| *class == "help" || class.is_empty()) {
        let lines = CLASSES.iter().map(|(name, what)| format!("{name}: {what}\n"));
        return format!("# List of supported keyword classes:\n{}", lines.collect::<String>());
    }
    let tables: [Table; 7] = [
        ("acl", "ACL keywords", criteria),
        ("cfg", "configuration keywords", configuration),
        ("cli", "CLI keywords", commands),
        ("cnv", "sample converter functions", converters),
        ("flt", "filter names", String::new),
        ("smp", "sample fetch functions", fetches),
        ("svc", "service names", || "prometheus-exporter\n".to_owned()),
    ];
    let mut out = String::new();
    for (class, title, table) in tables {
        if asked.iter().any(|one| *one == class || *one == "all") {
            let _ = write!(out, "# List of registered {title}:\n{}", table());
        }
    }
    out
}

fn works(kind: &str) -> BTreeSet<&'static str> {
    expr::rows().filter(|row| row.kind == kind && row.missing.is_none()).map(|row| row.name).collect()
}

fn criteria() -> String {
    let fetches = works("fetch");
    let mut lines: Vec<_> = expr::criteria()
        .filter(|(_, fetch, _)| fetches.contains(fetch))
        .map(|(name, fetch, method)| format!("{name} = {fetch} -m {method}\n"))
        .collect();
    lines.sort();
    lines.concat()
}

fn fetches() -> String {
    let mut out = String::new();
    for (nth, site) in SITES.iter().enumerate() {
        // The picture that HAProxy draws: a slanted line from each name to its column.
        let dashes = "-".repeat(SITES.len() - nth);
        let slants = " /".repeat(nth);
        let _ = writeln!(out, "#{}{slants} _.{dashes} {site}", " ".repeat(SITES.len() - nth));
    }
    let _ = writeln!(out, "#{}\n#{}", " /".repeat(SITES.len()), " |".repeat(SITES.len()));
    for name in works("fetch") {
        let Some(signature) = expr::signature("fetch", name) else { continue };
        let marks = (0..SITES.len()).map(|bit| if signature.phases >> bit & 1 == 1 { "Y " } else { ". " });
        let _ = writeln!(out, "[ {}] {name}{}: {}", marks.collect::<String>(), signature.args, signature.out);
    }
    out
}

fn converters() -> String {
    let mut out = String::new();
    for name in works("converter") {
        let Some(signature) = expr::signature("converter", name) else { continue };
        // HAProxy prints what comes out first.
        let _ = writeln!(out, "{name}{}: {} => {}", signature.args, signature.out, signature.input);
    }
    out
}

fn commands() -> String {
    let mut lines: Vec<_> = registry::commands()
        .filter(|command| matches!(command.handler, Handler::Run(_)))
        .map(|command| format!("{} [WORKER] \n", command.words.join(" ")))
        .collect();
    lines.sort();
    lines.dedup();
    lines.concat()
}

fn configuration() -> String {
    let mut out = String::new();
    for (title, bits) in [
        ("global", GLOBAL),
        ("listen", PROXIES),
        ("userlist", USERLIST),
        ("peers", PEERS),
        ("crt-store", CRT_STORE),
        ("traces", TRACES),
        ("acme", ACME),
    ] {
        let done = KINDS.iter().filter(|kind| kind.bit & bits != 0).all(|kind| kind.inert.is_empty());
        let _ = writeln!(out, "{title}");
        if !done {
            continue;
        }
        let words: BTreeSet<&str> = lines(bits)
            .filter(|row| !row.name.starts_with("option "))
            .filter_map(|row| row.name.split(' ').next())
            .collect();
        for word in words {
            let _ = writeln!(out, "\t{word}");
        }
        if bits == PROXIES {
            out += &settings("bind <addr>", keywords::BIND);
            out += &settings("server <name> <addr>", keywords::SERVER);
            out += &options();
            out += &actions();
        }
    }
    out
}

fn lines(bits: Sections) -> impl Iterator<Item = &'static Keyword> {
    keywords::all().filter(move |row| row.sections & bits != 0 && row.effect == Effect::Full)
}

fn settings(of: &str, table: &[Keyword]) -> String {
    let mut lines: Vec<_> = table
        .iter()
        .filter(|row| row.effect == Effect::Full)
        .map(|row| {
            let must = row.args.iter().filter(|arg| !matches!(arg, Arg::Maybe(_) | Arg::Rest)).count();
            let count = if must == 0 { String::new() } else { format!(" +{must}") };
            format!("\t{of} {}{count}\n", row.name)
        })
        .collect();
    lines.sort();
    lines.concat()
}

fn options() -> String {
    let mut rows: Vec<_> = lines(PROXIES).filter(|row| row.name.starts_with("option ")).collect();
    rows.sort_by_key(|row| row.name);
    let side = |row: &Keyword, bits: Sections, name| if row.sections & bits == bits { name } else { "" };
    let form = |row: &&Keyword| {
        let sides = [side(row, CLIENT_SIDE, "FE "), side(row, SERVER_SIDE & (BACKEND | PROXIES), "BE ")];
        format!("\t{} [ {}]\n", row.name, sides.concat())
    };
    rows.iter().map(form).collect()
}

fn actions() -> String {
    const SETS: [RuleSet; 7] = [
        RuleSet::TcpConnection,
        RuleSet::TcpSession,
        RuleSet::TcpContent,
        RuleSet::TcpResponse,
        RuleSet::HttpRequest,
        RuleSet::HttpResponse,
        RuleSet::HttpAfterResponse,
    ];
    let mut out = String::new();
    for set in SETS {
        let done = rules::actions().filter(|row| row.missing.is_none() && row.sets.contains(&set));
        let names: BTreeSet<_> = done.map(|row| row.name).collect();
        for name in names {
            let _ = writeln!(out, "\t{} {name}", set.keyword());
        }
    }
    out
}
