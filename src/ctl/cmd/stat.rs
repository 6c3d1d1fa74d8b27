//! `show stat` and `show info`.

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use crate::ir::global::Level;
use crate::live::Resolvers;
use crate::stats::{Selection, csv, info, json, resolvers, rows, typed};

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
    command(&["show", "version"], Level::User, "show version", "version of the program that runs", |call| {
        Reply::list(format!("{}\n", call.control.program.version))
    }),
];

fn show_stat(call: &mut Call<'_>) -> Reply {
    let mut args = call.args;
    if call.arg(0) == "domain" {
        match call.arg(1) {
            "proxy" => args = &args[2..],
            "resolvers" => return Reply::list(resolvers::csv(&call.control.live.resolvers)),
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
            Err(_) => match call.control.live.proxies().iter().find(|p| p.ir.name == *which) {
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
    let rows = rows::all(&call.control.live, &selection);
    Reply::list(if has("typed") {
        typed::render(&rows, has("desc"))
    } else if has("json") {
        json::render(&rows)
    } else {
        csv::render(&rows)
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
