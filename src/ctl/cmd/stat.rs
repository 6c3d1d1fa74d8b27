//! `show stat` and `show info`.

use std::sync::Arc;

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use crate::ir::global::Level;
use crate::live::{Live, Resolvers};
use crate::stats::{Selection, csv, info, json, resolvers, rows, schema, typed};

pub(super) const COMMANDS: &[Command] = &[
    command(
        &["show", "resolvers"],
        Level::User,
        "show resolvers [id]",
        "nameservers and what they answered",
        show_resolvers,
    ),
    command(
        &["show", "stat"],
        Level::User,
        "show stat [desc|json|no-maint|typed|up]*",
        "counters of every proxy and server",
        show_stat,
    ),
    command(
        &["show", "info"],
        Level::User,
        "show info [desc|json|typed|float]*",
        "the process and its limits",
        show_info,
    ),
    command(
        &["show", "schema", "json"],
        Level::User,
        "show schema json",
        "report schema used for stats",
        |_| Reply::list(format!("{}\n", schema::schema())),
    ),
    command(&["show", "version"], Level::User, "show version", "version of the program that runs", |call| {
        Reply::list(format!("{}\n", call.control.program.version))
    }),
];

fn show_stat(call: &mut Call<'_>) -> Reply {
    let mut args = call.args;
    if call.arg(0) == "domain" {
        match call.arg(1) {
            "proxy" => args = &args[2..],
            "resolvers" => return resolvers_domain(call),
            _ => return Reply::error("Invalid statistics domain.\n"),
        }
    }
    let mut selection = Selection {
        // Addresses, cookies and algorithms are for those who may at least read everything.
        legends: call.session.level >= Level::Operator,
        ..Selection::default()
    };
    let numbers = |text: &String| text.parse::<i64>().unwrap_or(0);
    if let [which, kinds, sid, rest @ ..] = args {
        let iid = match which.parse::<i64>() {
            Ok(-1) => None,
            Ok(number) => Some(number as u32),
            Err(_) => match call.control.live.proxies().iter().find(|p| p.is_called(which)) {
                Some(proxy) => Some(proxy.ir.id),
                None => return Reply::error("No such proxy.\n"),
            },
        };
        selection.iid = iid;
        // -1 has every bit.
        selection.kinds = numbers(kinds) as u32;
        if selection.kinds == 0 {
            // No bit: no row, not every row.
            selection.kinds = 1 << 31;
        }
        selection.sid = u32::try_from(numbers(sid)).ok();
        args = rest;
    }
    let has = |word: &str| args.iter().any(|a| a == word);
    (selection.no_maint, selection.up) = (has("no-maint"), has("up"));
    let form = if has("typed") {
        Form::Typed { desc: has("desc") }
    } else if has("json") {
        Form::Json
    } else {
        Form::Csv
    };
    in_pieces(call.control.live.clone(), selection, form)
}

fn resolvers_domain(call: &Call<'_>) -> Reply {
    let has = |word: &str| call.args.iter().any(|arg| arg == word);
    let form = match (has("typed"), has("json")) {
        (true, _) => resolvers::typed,
        (_, true) => resolvers::json,
        _ => resolvers::csv,
    };
    Reply::list(form(&call.control.live.resolvers))
}

/// How rows are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    Typed { desc: bool },
    Json,
}

/// Rows in a piece.
const ROWS: usize = 64;

/// The rows as they are when their turn comes: thousands of them take no more memory than a few.
fn in_pieces(live: Arc<Live>, selection: Selection, form: Form) -> Reply {
    let proxies: Vec<_> =
        live.proxies().iter().filter(|proxy| selection.wants_proxy(proxy)).cloned().collect();
    let mut proxies = proxies.into_iter();
    let mut rows = Vec::new().into_iter();
    let mut separator = "";
    let mut end = (form == Form::Json).then(|| "]\n".to_owned());
    let beginning = match form {
        Form::Csv => csv::header(),
        Form::Typed { .. } => String::new(),
        Form::Json => "[".to_owned(),
    };
    Reply::pieces(beginning, move || {
        let mut batch = Vec::with_capacity(ROWS);
        while batch.len() < ROWS {
            match rows.next() {
                Some(row) => batch.push(row),
                None => match proxies.next() {
                    Some(proxy) => rows = rows::of_proxy(&live, &proxy, &selection).into_iter(),
                    None => break,
                },
            }
        }
        if batch.is_empty() {
            return end.take();
        }
        let before = std::mem::replace(&mut separator, ",");
        Some(match form {
            Form::Csv => csv::lines(&batch),
            Form::Typed { desc } => typed::render(&batch, desc),
            Form::Json => format!("{before}{}", json::elements(&batch)),
        })
    })
}

fn show_info(call: &mut Call<'_>) -> Reply {
    let form = if call.has("typed") {
        info::Form::Typed
    } else if call.has("json") {
        info::Form::Json
    } else {
        info::Form::Plain
    };
    let control = call.control;
    let items = info::items(&control.live, &control.program, control.usage(), call.has("float"));
    Reply::list(info::render(&items, form, call.has("desc")))
}

fn show_resolvers(call: &mut Call<'_>) -> Reply {
    let name = call.arg(0);
    let wanted = |r: &&Resolvers| name.is_empty() || r.name == name;
    let sections = call.control.live.resolvers.iter().filter(wanted);
    if !name.is_empty() && sections.clone().next().is_none() {
        return Reply::error("Can't find that resolvers section\n");
    }
    Reply::list(resolvers::show(sections))
}
