//! The table of one proxy.

use std::fmt::Write;

use super::admin;
use super::cells::{age, details, escape, number, tip};
use super::extras::sparkline;
use crate::ir;
use crate::stats::columns::Col;
use crate::stats::row::{Kind, Row};
use crate::stats::watch::Watch;

/// Column heads, in HAProxy's order: groups with the columns under them.
const HEADS: [(&str, &[&str]); 8] = [
    ("Queue", &["Cur", "Max", "Limit"]),
    ("Session rate", &["Cur", "Max", "Limit"]),
    ("Sessions", &["Cur", "Max", "Limit", "Total", "LbTot", "Last"]),
    ("Bytes", &["In", "Out"]),
    ("Denied", &["Req", "Resp"]),
    ("Errors", &["Req", "Conn", "Resp"]),
    ("Warnings", &["Retr", "Redis"]),
    ("Server", &["Status", "LastChk", "Wght", "Act", "Bck", "Chk", "Dwn", "Dwntme", "Thrtle"]),
];

/// How a table is shown.
pub(super) struct Look<'a> {
    /// In a form, with a mark for each server.
    pub(super) form: bool,
    /// With addresses and the like.
    pub(super) legends: bool,
    /// With the counters of modules.
    pub(super) modules: bool,
    /// What is known of the last minutes.
    pub(super) watch: &'a Watch,
}

/// Adds the table of `proxy`.
pub(super) fn push(out: &mut String, proxy: &ir::Proxy, rows: &[Row], look: &Look<'_>) {
    let name = escape(&proxy.name);
    let (form, legends) = (look.form, look.legends);
    let title = format!("<a class=\"px\" href=\"#{name}\">{name}</a>");
    let caps = match proxy.caps {
        ir::Caps::Frontend => "frontend",
        ir::Caps::Backend => "backend",
        ir::Caps::Listen => "frontend+backend",
    };
    let mode = if proxy.mode == ir::Mode::Http { "http" } else { "tcp" };
    let title = if legends { tip(&title, &format!("{caps}, mode {mode}, id {}", proxy.id)) } else { title };
    out.push_str(if form { "<form method=\"post\" class=\"proxy\">" } else { "<div class=\"proxy\">" });
    // Writing into a String cannot fail.
    let _ = write!(out, "<h3 class=\"pxname\" id=\"{name}\"><a name=\"{name}\"></a>{title}</h3>");
    if let Some(description) = &proxy.description {
        let _ = write!(out, "<span class=\"desc\">{}</span>", escape(description));
    }
    let _ = write!(out, "<div class=\"scroll\"><table class=\"tbl\" data-px=\"{name}\">");
    heads(out, look);
    for row in rows {
        push_row(out, proxy, row, look);
    }
    out.push_str("</table></div>");
    if form {
        form_end(out, proxy.id);
    }
    out.push_str(if form { "</form>\n" } else { "</div>\n" });
}

fn heads(out: &mut String, look: &Look<'_>) {
    out.push_str("<tr class=\"titre\">");
    if look.form {
        out.push_str("<th rowspan=\"2\" aria-label=\"Mark\"></th>");
    }
    out.push_str("<th rowspan=\"2\" class=\"name\"></th>");
    for (group, columns) in HEADS {
        let _ = write!(out, "<th colspan=\"{}\">{group}</th>", columns.len());
    }
    if look.modules {
        out.push_str("<th rowspan=\"2\">Extra modules</th>");
    }
    out.push_str("</tr><tr class=\"titre\">");
    for column in HEADS.iter().flat_map(|(_, columns)| *columns) {
        let _ = write!(out, "<th>{column}</th>");
    }
    out.push_str("</tr>\n");
}

fn form_end(out: &mut String, id: u32) {
    out.push_str("<div class=\"actions\"><label>With the marked servers: <select name=\"action\"><option value=\"\"></option>");
    for (value, words, _) in admin::ACTIONS {
        let _ = write!(out, "<option value=\"{value}\">{words}</option>");
    }
    let _ = write!(
        out,
        "</select></label><input type=\"hidden\" name=\"b\" value=\"#{id}\"><input type=\"submit\" value=\"Apply\"></div>"
    );
}

/// Class of a server's row: the colour of its state.
fn class(row: &Row) -> String {
    let status = row.display(Col::Status);
    let role = if row.number(Col::Bck) == 1 { "backup" } else { "active" };
    let state = match status.as_str() {
        s if s.starts_with("MAINT") => return "maintain".into(),
        "DOWN" | "DOWN (agent)" => "down",
        s if s.starts_with("DOWN ") => "going_up",
        s if s.starts_with("UP ") || s.starts_with("NOLB ") => "going_down",
        "NOLB" => "nolb",
        s if s.starts_with("DRAIN") => "draining",
        _ if row.number(Col::Weight) == 0 => "draining",
        "no check" => "no_check",
        _ => "up",
    };
    format!("{role}_{state}")
}

fn push_row(out: &mut String, proxy: &ir::Proxy, row: &Row, look: &Look<'_>) {
    let class = match row.kind {
        Kind::Frontend => "frontend".to_owned(),
        Kind::Listener => "socket".to_owned(),
        Kind::Server => class(row),
        Kind::Backend => "backend".to_owned(),
    };
    let (anchor, shown) = match row.kind {
        Kind::Frontend => ("Frontend".to_owned(), "Frontend".to_owned()),
        Kind::Backend => ("Backend".to_owned(), "Backend".to_owned()),
        Kind::Listener => (format!("+{}", row.display(Col::SvName)), row.display(Col::SvName)),
        Kind::Server => (row.display(Col::SvName), row.display(Col::SvName)),
    };
    let kind = row.kind.letter().to_ascii_lowercase();
    let _ = write!(out, "<tr class=\"{class}\" data-k=\"{kind}\">");
    let shown = escape(&shown);
    if look.form {
        match row.kind {
            Kind::Server => {
                let _ = write!(
                    out,
                    "<td class=\"ac\"><input type=\"checkbox\" name=\"s\" value=\"{shown}\" aria-label=\"{shown}\"></td>"
                );
            }
            _ => out.push_str("<td></td>"),
        }
    }
    let id = escape(&format!("{}/{anchor}", proxy.name));
    let link = format!("<a class=\"lfsb\" href=\"#{id}\">{shown}</a>");
    let legend = legend(row);
    let link = if legend.is_empty() { link } else { tip(&link, &escape(&legend)) };
    let _ = write!(
        out,
        // On a phone the state stands under the name: its column is far to the right.
        "<td class=\"name\" data-st=\"{}\">{}<a name=\"{id}\"></a>{link}</td>",
        escape(&row.display(Col::Status)),
        sparkline(&look.watch.counts(row))
    );
    cells(out, row);
    if look.modules {
        td_centred(out, &modules(row));
    }
    out.push_str("</tr>\n");
}

/// Address, number, cookie and algorithm, as far as the row has them.
fn legend(row: &Row) -> String {
    let parts = [("address", Col::Addr), ("cookie", Col::Cookie), ("balance", Col::Algo)];
    let mut parts = parts
        .into_iter()
        .filter_map(|(name, col)| Some(format!("{name} {}", row.get(col)?.value)))
        .collect::<Vec<_>>();
    if !parts.is_empty() && row.sid > 0 {
        parts.push(format!("id {}", row.sid));
    }
    parts.join(", ")
}

/// The counters of modules, behind the name of each.
fn modules(row: &Row) -> String {
    let h1 = [
        ("Connections open", Col::H1OpenConnections),
        ("Exchanges under way", Col::H1OpenStreams),
        ("Connections", Col::H1TotalConnections),
        ("Exchanges", Col::H1TotalStreams),
        ("Bytes received", Col::H1BytesIn),
        ("Bytes sent", Col::H1BytesOut),
        ("Received through pipes", Col::H1SplicedIn),
        ("Sent through pipes", Col::H1SplicedOut),
    ];
    if row.get(h1[0].1).is_none() {
        return String::new();
    }
    tip("h1", &details(&h1.map(|(name, col)| (name, value(row, col)))))
}

/// A number, or nothing.
fn value(row: &Row, col: Col) -> String {
    row.get(col).and_then(|f| f.value.as_u64()).map_or_else(String::new, number)
}

/// A limit, or a dash.
fn limit(row: &Row, col: Col) -> String {
    row.get(col).and_then(|f| f.value.as_u64()).map_or_else(|| "-".to_owned(), number)
}

fn td(out: &mut String, content: &str) {
    let _ = write!(out, "<td>{content}</td>");
}

fn td_centred(out: &mut String, content: &str) {
    let _ = write!(out, "<td class=\"ac\">{content}</td>");
}

fn cells(out: &mut String, row: &Row) {
    let backend_side = matches!(row.kind, Kind::Server | Kind::Backend);
    if backend_side {
        td(out, &value(row, Col::Qcur));
        td(out, &value(row, Col::Qmax));
        td(out, &if row.kind == Kind::Server { limit(row, Col::Qlimit) } else { String::new() });
    } else {
        out.push_str("<td colspan=\"3\"></td>");
    }
    rates(out, row);
    sessions(out, row);
    td(out, &value(row, Col::Bin));
    td(out, &value(row, Col::Bout));
    td(out, &value(row, Col::Dreq));
    td(out, &value(row, Col::Dresp));
    td(out, &value(row, Col::Ereq));
    td(out, &value(row, Col::Econ));
    if backend_side {
        let aborts = details(&[
            ("Broken off by clients", value(row, Col::CliAbrt)),
            ("Broken off by servers", value(row, Col::SrvAbrt)),
        ]);
        td(out, &tip(&value(row, Col::Eresp), &aborts));
    } else {
        td(out, "");
    }
    td(out, &value(row, Col::Wretr));
    td(out, &value(row, Col::Wredis));
    match row.kind {
        Kind::Frontend | Kind::Listener => {
            td_centred(out, &escape(&row.display(Col::Status)));
            out.push_str("<td class=\"ac\" colspan=\"8\"></td>");
        }
        Kind::Server | Kind::Backend => state(out, row),
    }
}

fn rates(out: &mut String, row: &Row) {
    match row.kind {
        Kind::Listener => out.push_str("<td colspan=\"3\"></td>"),
        Kind::Frontend => {
            let now = details(&[
                ("Connections per second", value(row, Col::ConnRate)),
                ("Sessions per second", value(row, Col::Rate)),
                ("Requests per second", value(row, Col::ReqRate)),
            ]);
            let most = details(&[
                ("Most connections in a second", value(row, Col::ConnRateMax)),
                ("Most sessions in a second", value(row, Col::RateMax)),
                ("Most requests in a second", value(row, Col::ReqRateMax)),
            ]);
            td(out, &tip(&value(row, Col::Rate), &now));
            td(out, &tip(&value(row, Col::RateMax), &most));
            let limit = row.number(Col::RateLim);
            td(out, &if limit > 0 { number(limit) } else { "-".into() });
        }
        Kind::Server | Kind::Backend => {
            td(out, &value(row, Col::Rate));
            td(out, &value(row, Col::RateMax));
            td(out, "");
        }
    }
}

fn sessions(out: &mut String, row: &Row) {
    let current = value(row, Col::Scur);
    if row.kind == Kind::Server {
        let more = details(&[
            ("Sessions", current.clone()),
            ("Connections in use", value(row, Col::UsedConnCur)),
            ("Idle connections", value(row, Col::SrvIcur)),
            ("Limit of sessions", limit(row, Col::Slim)),
            ("Limit of idle connections", limit(row, Col::SrcIlim)),
        ]);
        td(out, &tip(&current, &more));
    } else {
        td(out, &current);
    }
    td(out, &value(row, Col::Smax));
    td(out, &limit(row, Col::Slim));
    if row.kind == Kind::Listener {
        td(out, &value(row, Col::Stot));
    } else {
        td(out, &tip(&value(row, Col::Stot), &totals(row)));
    }
    if matches!(row.kind, Kind::Server | Kind::Backend) {
        td(out, &value(row, Col::LbTot));
        let last = row.display(Col::LastSess).parse().unwrap_or(-1);
        td(out, &age(last));
    } else {
        out.push_str("<td></td><td></td>");
    }
}

/// What the number of sessions is made of.
fn totals(row: &Row) -> String {
    let mut lines = vec![("Sessions", value(row, Col::Stot))];
    if row.kind == Kind::Frontend {
        lines.insert(0, ("Connections", value(row, Col::ConnTot)));
    } else {
        let (connect, reuse) = (row.number(Col::Connect), row.number(Col::Reuse));
        let percent = (reuse * 100).checked_div(connect + reuse).unwrap_or(0);
        lines.push(("New connections", number(connect)));
        lines.push(("Reused connections", format!("{} ({percent}%)", number(reuse))));
    }
    if row.get(Col::ReqTot).is_some() {
        let requests = row.number(Col::ReqTot);
        lines.push(("HTTP requests", number(requests)));
        for (name, col) in [
            ("1xx responses", Col::Hrsp1xx),
            ("2xx responses", Col::Hrsp2xx),
            ("3xx responses", Col::Hrsp3xx),
            ("4xx responses", Col::Hrsp4xx),
            ("5xx responses", Col::Hrsp5xx),
            ("Other responses", Col::HrspOther),
        ] {
            let count = row.number(col);
            let percent = (count * 100).checked_div(requests).unwrap_or(0);
            lines.push((name, format!("{} ({percent}%)", number(count))));
        }
        if row.get(Col::Intercepted).is_some() {
            lines.push(("Answered here", value(row, Col::Intercepted)));
        }
    }
    lines.push(("Failed header changes", value(row, Col::Wrew)));
    lines.push(("Internal errors", value(row, Col::Eint)));
    if matches!(row.kind, Kind::Server | Kind::Backend) {
        for (name, max, avg) in [
            ("Queue time, most / average", Col::QtimeMax, Col::Qtime),
            ("Connect time", Col::CtimeMax, Col::Ctime),
            ("Response time", Col::RtimeMax, Col::Rtime),
            ("Total time", Col::TtimeMax, Col::Ttime),
        ] {
            lines.push((name, format!("{} / {} ms", row.display(max), row.display(avg))));
        }
    }
    details(&lines)
}

/// The columns about the server itself.
fn state(out: &mut String, row: &Row) {
    let status = row.display(Col::Status);
    let arrow = match status.as_str() {
        s if s.starts_with("DOWN ") && s.contains('/') => " &uarr;",
        s if s.contains('/') && !s.contains('(') => " &darr;",
        _ => "",
    };
    let since = age(row.display(Col::LastChg).parse().unwrap_or(-1));
    td_centred(
        out,
        &match (row.kind, status.as_str()) {
            (Kind::Server, "no check") => "<i>no check</i>".to_owned(),
            _ => format!("{since} {}{arrow}", escape(&status)),
        },
    );
    td_centred(out, &last_check(row));
    td_centred(out, &format!("{}/{}", row.display(Col::Weight), row.display(Col::Uweight)));
    let role = |col| match row.kind {
        Kind::Server if row.number(col) == 1 => "Y".to_owned(),
        Kind::Server => "-".to_owned(),
        _ => value(row, col),
    };
    td_centred(out, &role(Col::Act));
    td_centred(out, &role(Col::Bck));
    if row.kind == Kind::Server {
        let failures = match row.get(Col::ChkFail) {
            Some(_) => tip(&value(row, Col::ChkFail), "Checks that failed while it was up"),
            None => String::new(),
        };
        td(out, &failures);
    } else {
        td(out, "");
    }
    td(out, &value(row, Col::ChkDown));
    td(
        out,
        &row.get(Col::Downtime).map_or_else(String::new, |f| age(f.value.to_string().parse().unwrap_or(-1))),
    );
    td_centred(
        out,
        &match row.get(Col::Throttle) {
            Some(percent) => format!("{}%", percent.value),
            None if row.kind == Kind::Server => "-".into(),
            None => String::new(),
        },
    );
}

/// `L7OK/200 in 3ms`, or the server that is tracked.
fn last_check(row: &Row) -> String {
    if let Some(tracked) = row.get(Col::Tracked) {
        let tracked = escape(&tracked.value.to_string());
        return format!("<a class=\"lfsb\" href=\"#{tracked}\">via {tracked}</a>");
    }
    let Some(status) = row.get(Col::CheckStatus) else { return String::new() };
    let mut text = escape(&status.value.to_string());
    if let Some(code) = row.get(Col::CheckCode) {
        let _ = write!(text, "/{}", code.value);
    }
    if let Some(duration) = row.get(Col::CheckDuration) {
        let _ = write!(text, " in {}ms", duration.value);
    }
    let more = match row.display(Col::LastChk) {
        info if info.is_empty() => row.display(Col::CheckDesc),
        info => format!("{}: {info}", row.display(Col::CheckDesc)),
    };
    tip(&text, &escape(&more))
}
