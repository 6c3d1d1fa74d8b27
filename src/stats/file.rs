//! The stats-file: counters written by `dump stats-file`, and read back at the start (`stats-file` of the global
//! section). Objects are told apart by their `guid`, so a file still fits when names change.

use std::collections::HashMap;
use std::sync::Arc;

use super::columns::Col;
use super::row::{Kind, Row};
use super::rows::{self, Selection};
use crate::live::{Listener, Live, Proxy, Server};
use crate::sys::clock;

/// Columns of frontends and listeners, in HAProxy's order.
const FRONTEND: &[Col] = &[
    Col::Stot,
    Col::Bin,
    Col::Bout,
    Col::Dreq,
    Col::Dresp,
    Col::Ereq,
    Col::Rate,
    Col::Hrsp1xx,
    Col::Hrsp2xx,
    Col::Hrsp3xx,
    Col::Hrsp4xx,
    Col::Hrsp5xx,
    Col::HrspOther,
    Col::ReqRate,
    Col::ConnRate,
    Col::ConnTot,
    Col::Intercepted,
    Col::Dcon,
    Col::Dses,
    Col::Wrew,
    Col::Eint,
    Col::H1Sess,
    Col::ReqOther,
    Col::H1Req,
];

/// Columns of backends and servers.
const BACKEND: &[Col] = &[
    Col::Stot,
    Col::Bin,
    Col::Bout,
    Col::Dreq,
    Col::Dresp,
    Col::Econ,
    Col::Eresp,
    Col::Wretr,
    Col::Wredis,
    Col::ChkFail,
    Col::ChkDown,
    Col::LastChg,
    Col::LbTot,
    Col::Rate,
    Col::Hrsp1xx,
    Col::Hrsp2xx,
    Col::Hrsp3xx,
    Col::Hrsp4xx,
    Col::Hrsp5xx,
    Col::HrspOther,
    Col::HanaFail,
    Col::ReqTot,
    Col::CliAbrt,
    Col::SrvAbrt,
    Col::LastSess,
    Col::Wrew,
    Col::Connect,
    Col::Reuse,
    Col::Eint,
];

/// The counters of every object with a `guid`.
#[must_use]
pub fn dump(live: &Live) -> String {
    let mut out = String::new();
    for (name, columns, kinds) in
        [("fe", FRONTEND, [Kind::Frontend, Kind::Listener]), ("be", BACKEND, [Kind::Backend, Kind::Server])]
    {
        let names = columns.iter().map(|col| format!("{},", col.column().name)).collect::<String>();
        out.push_str(&format!("#{name} guid,{names}\n"));
        let selection = Selection { kinds: kinds[0].bit() | kinds[1].bit(), ..Selection::default() };
        for proxy in live.proxies().iter().filter(|proxy| !proxy.ir.disabled) {
            for row in rows::of_proxy(live, proxy, &selection) {
                let Some(guid) = guid(proxy, &row) else { continue };
                out.push_str(&guid);
                out.push(',');
                for col in columns {
                    // Nothing of the kind here: a place that is read as nothing.
                    out.push_str(&row.display(*col));
                    out.push(',');
                }
                out.push('\n');
            }
        }
    }
    out
}

fn guid(proxy: &Proxy, row: &Row) -> Option<String> {
    match row.kind {
        Kind::Frontend | Kind::Backend => proxy.ir.guid.clone(),
        Kind::Listener => {
            let listeners = &proxy.frontend.as_ref()?.listeners;
            listeners.iter().find(|listener| listener.ir.id == row.sid)?.ir.guid.clone()
        }
        Kind::Server => {
            let servers = proxy.backend.as_ref()?.servers();
            servers.iter().find(|server| server.ir.id == row.sid)?.ir.guid.clone()
        }
    }
}

/// What a `guid` belongs to.
enum Owner {
    Proxy(Arc<Proxy>),
    Listener(Arc<Listener>),
    Server(Arc<Proxy>, Arc<Server>),
}

fn owners(live: &Live) -> HashMap<String, Owner> {
    let mut all = HashMap::new();
    for proxy in live.proxies() {
        if let Some(guid) = &proxy.ir.guid {
            all.insert(guid.clone(), Owner::Proxy(proxy.clone()));
        }
        // Listeners are only counted where it was asked for.
        let counted = proxy.ir.frontend.as_ref().is_some_and(|half| half.socket_stats);
        for listener in proxy.frontend.iter().flat_map(|half| &half.listeners).filter(|_| counted) {
            if let Some(guid) = &listener.ir.guid {
                all.insert(guid.clone(), Owner::Listener(listener.clone()));
            }
        }
        for server in proxy.backend.iter().flat_map(|half| half.servers()) {
            if let Some(guid) = &server.ir.guid {
                all.insert(guid.clone(), Owner::Server(proxy.clone(), server));
            }
        }
    }
    all
}

/// Puts the counters of `text`, which was read from `path`, where their owners are. Returns the warnings.
pub fn preload(live: &Live, path: &str, text: &[u8]) -> Vec<String> {
    let owners = owners(live);
    let text = String::from_utf8_lossy(text);
    let mut said = Vec::new();
    let mut valid = false;
    // Whether of frontends, and the names of the columns.
    let mut section: Option<(bool, Vec<&str>)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with("//") {
            continue;
        }
        if line.starts_with('#') {
            match header(line) {
                Some(new) => section = new,
                None if !valid => {
                    said.push(format!("config: Invalid stats-file format in file '{path}'."));
                    break;
                }
                None => {
                    section = None;
                    said.push(format!("config: Ignored stats-file header line '{number}' in file '{path}'."));
                }
            }
            valid = true;
            continue;
        }
        match &section {
            Some((frontends, columns)) if !take(&owners, *frontends, columns, line) => {
                said.push(format!("config: Ignored stats-file line {number} in file '{path}'."));
            }
            None if !valid => {
                said.push(format!("config: Invalid stats-file format in file '{path}'."));
                break;
            }
            Some(_) | None => {}
        }
    }
    said
}

/// Reads a header: `None` if it is none, `Some(None)` if its section is not known.
#[allow(clippy::option_option, reason = "two different kinds of nothing, told apart by the only caller")]
fn header(line: &str) -> Option<Option<(bool, Vec<&str>)>> {
    let (section, columns) = line.split_once(' ')?;
    if section.len() < 2 || !columns.ends_with(',') {
        return None;
    }
    let frontends = match section {
        "#fe" => true,
        "#be" => false,
        _ => return Some(None),
    };
    let (first, rest) = columns.split_once(',')?;
    (first == "guid").then(|| Some((frontends, rest.split_terminator(',').collect())))
}

/// Takes a line over. `false`: it makes no sense.
fn take(owners: &HashMap<String, Owner>, frontends: bool, columns: &[&str], line: &str) -> bool {
    let mut values = line.split(',');
    let guid = values.next().unwrap_or_default();
    if guid.is_empty() || guid.len() > 127 || guid.chars().any(|c| !is_name_char(c)) {
        return false;
    }
    // One that is gone, or is not here: counters of it are nobody's.
    let Some(owner) = owners.get(guid) else { return true };
    let now_ms = clock::now_ms();
    let numbers =
        columns.iter().zip(values).filter_map(|(column, value)| Some((*column, value.parse().ok()?)));
    let numbers: Vec<(&str, u64)> = numbers.collect();
    let each = |preload: &dyn Fn(&str, u64)| {
        numbers.iter().for_each(|(column, value)| preload(column, *value));
    };
    match owner {
        Owner::Proxy(proxy) if frontends => {
            let Some(half) = &proxy.frontend else { return true };
            each(&|column, value| half.counters.preload(column, value, now_ms));
            // Frontends count requests by version; the sum is what is counted here.
            let requests = numbers.iter().filter(|(name, _)| is_request_count(name)).map(|(_, n)| n);
            let requests: u64 = requests.sum();
            if requests > 0 {
                half.counters.preload("req_tot", requests, now_ms);
            }
        }
        Owner::Proxy(proxy) => {
            let Some(half) = &proxy.backend else { return true };
            each(&|column, value| half.counters.preload(column, value, now_ms));
        }
        Owner::Listener(_) | Owner::Server(..) if frontends != matches!(owner, Owner::Listener(_)) => {
            return false;
        }
        Owner::Listener(listener) => each(&|column, value| listener.counters.preload(column, value, now_ms)),
        Owner::Server(proxy, server) => {
            each(&|column, value| server.counters.preload(column, value, now_ms));
            let age = numbers.iter().find(|(name, _)| *name == Col::LastChg.column().name);
            let since =
                age.and_then(|(_, age)| clock::now().checked_sub(std::time::Duration::from_secs(*age)));
            if let Some(since) = since {
                proxy.change_server(server, |state, _| state.restore_last_change(since));
            }
        }
    }
    true
}

fn is_request_count(column: &str) -> bool {
    matches!(column, "h1req" | "h2req" | "h3req" | "req_other")
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':')
}
