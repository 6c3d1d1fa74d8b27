//! The page around the tables.

use std::fmt::Write;
use std::sync::Arc;

use super::cells::escape;
use super::options::{Options, Outcome};
use super::{extras, table};
use crate::ir::StatsPage;
use crate::live::{Live, Proxy};
use crate::stats::info::{self, Program, Usage};
use crate::stats::rows::{self, Selection};
use crate::stats::watch::Watch;

/// What the page is made of.
pub(super) struct Page<'a> {
    pub(super) live: &'a Live,
    pub(super) program: &'a Program,
    pub(super) usage: Usage,
    pub(super) watch: &'a Watch,
    pub(super) settings: &'a StatsPage,
    pub(super) proxies: &'a [Arc<Proxy>],
    pub(super) selection: &'a Selection,
    pub(super) options: &'a Options,
    pub(super) admin: bool,
}

/// States in the order of the legend.
const LEGEND: [(&str, &str); 12] = [
    ("active_up", "active, up"),
    ("backup_up", "backup, up"),
    ("active_going_down", "active, up, checks fail"),
    ("backup_going_down", "backup, up, checks fail"),
    ("active_going_up", "active, down, checks pass"),
    ("backup_going_up", "backup, down, checks pass"),
    ("active_down", "down"),
    ("active_no_check", "not checked"),
    ("maintain", "maintenance (MAINT)"),
    ("active_draining", "no new sessions (DRAIN, NOLB, weight 0)"),
    ("backup_draining", "backup, no new sessions"),
    ("frontend", "frontend, backend"),
];

impl Page<'_> {
    pub(super) fn render(&self) -> String {
        let mut out = String::with_capacity(16 * 1024);
        let node = match self.settings.show_node.as_deref() {
            Some("") => Some(self.program.node.as_str()),
            node => node,
        };
        let title = match node {
            Some(node) => format!("Statistics Report for {} on {}", self.program.name, node),
            None => format!("Statistics Report for {}", self.program.name),
        };
        // Writing into a String cannot fail.
        let _ = write!(
            out,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><title>{}</title><meta charset=\"utf-8\"><link rel=\"icon\" \
             href=\"data:,\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><style>{}</style>\
             </head>\n<body>",
            escape(&title),
            include_str!("style.css")
        );
        self.headings(&mut out, node);
        self.message(&mut out);
        extras::vrrp(&mut out, &self.watch.vrrp());
        self.top(&mut out);
        for proxy in self.proxies.iter().filter(|p| self.selection.wants_proxy(p)) {
            let rows = rows::of_proxy(self.live, proxy, self.selection);
            let look = table::Look {
                form: self.admin && proxy.backend.as_ref().is_some_and(|b| !b.servers().is_empty()),
                legends: self.settings.show_legends,
                modules: self.settings.show_modules,
                watch: self.watch,
            };
            table::push(&mut out, &proxy.ir, &rows, &look);
        }
        let _ = writeln!(out, "<script>{}</script></body></html>", include_str!("page.js"));
        out
    }

    fn headings(&self, out: &mut String, node: Option<&str>) {
        let name = escape(&self.program.name);
        let _ = if self.settings.hide_version {
            write!(out, "<h1>{name}</h1>")
        } else {
            let (version, date) = (escape(&self.program.version), escape(&self.program.release_date));
            write!(out, "<h1>{name} version {version}, released {date}</h1>")
        };
        let _ = write!(out, "<h2>Statistics Report for pid {}", self.program.pid);
        if let Some(node) = node {
            let _ = write!(out, " on {}", escape(node));
        }
        let description = match self.settings.show_desc.as_deref() {
            Some("") => self.live.config.global.description.as_deref(),
            description => description,
        };
        if let Some(description) = description {
            let _ = write!(out, ": {}", escape(description));
        }
        out.push_str("</h2>\n");
    }

    fn message(&self, out: &mut String) {
        let Some(outcome) = self.options.outcome else { return };
        let (class, words) = match outcome {
            Outcome::Done => ("active_up", "Done."),
            Outcome::None => ("active_going_down", "No server was marked. Nothing has changed."),
            Outcome::Partial => ("active_going_down", "Done in part: some of the servers are unknown."),
            Outcome::Invalid => (
                "active_down",
                "Not done: the action, the backend or the servers are unknown. Nothing has changed.",
            ),
            Outcome::TooBig => {
                ("active_down", "Not done: the form is too big. Try with fewer servers at a time.")
            }
            Outcome::Denied => ("active_down", "Not done: you may look, but not change anything."),
        };
        let _ = writeln!(
            out,
            "<div class=\"message {class}\" role=\"status\">{words} <a href=\"{}\">[X]</a></div>",
            self.link(self.options, "")
        );
    }

    /// A link to this page with other options; `form` is `;csv` and the like.
    fn link(&self, options: &Options, form: &str) -> String {
        escape(&format!("{}{form}{options}", self.settings.uri))
    }

    fn top(&self, out: &mut String) {
        out.push_str("<div class=\"top\"><section><h3>Process</h3><dl>");
        let items = info::items(self.live, self.program, self.usage, false);
        let value = |name: &str| {
            let item = items.iter().flatten().find(|i| i.name == name);
            item.map_or_else(String::new, |i| escape(&i.field.value.to_string()))
        };
        for (name, shown) in [
            ("pid", value("Pid")),
            ("threads", value("Nbthread")),
            ("uptime", value("Uptime")),
            ("limits", format!("maxconn {}, files {}", value("Maxconn"), value("Ulimit-n"))),
            ("connections", format!("{}, {}/s", value("CurrConns"), value("ConnRate"))),
            ("sessions", format!("{}/s, most {}/s", value("SessRate"), value("MaxSessRate"))),
            ("requests", value("CumReq")),
            ("bit rate", bit_rate(self.live.process.bytes_out_rate.rate(crate::sys::clock::now_ms()))),
            ("idle", format!("{}%", value("Idle_pct"))),
        ] {
            let _ = write!(out, "<dt>{name}</dt><dd>{shown}</dd>");
        }
        out.push_str("</dl></section><section><h3>States</h3><table class=\"lgd\">");
        for pair in LEGEND.chunks(2) {
            out.push_str("<tr>");
            for (class, words) in pair {
                let _ = write!(out, "<td class=\"{class}\">{words}</td>");
            }
            out.push_str("</tr>");
        }
        out.push_str("</table></section><section class=\"tools\"><h3>Display</h3><ul><li>");
        self.scope_form(out);
        let o = Options { outcome: None, ..self.options.clone() };
        let up = Options { up: !o.up, ..o.clone() };
        let words = if o.up { "Show all servers" } else { "Hide servers that are down" };
        let _ = write!(out, "<li><a href=\"{}\">{words}</a>", self.link(&up, ""));
        if self.settings.refresh.is_some() {
            let refresh = Options { no_refresh: !o.no_refresh, ..o.clone() };
            let words = if o.no_refresh { "Refresh automatically" } else { "Stop refreshing" };
            let _ = write!(out, "<li><a href=\"{}\">{words}</a>", self.link(&refresh, ""));
        }
        let export = Options { no_refresh: true, up: false, no_maint: false, ..o.clone() };
        let _ = writeln!(
            out,
            "<li><a href=\"{}\">Refresh now</a><li><a href=\"{}\">CSV export</a><li><a href=\"{}\">JSON export</a>\
             </ul></section></div>",
            self.link(&o, ""),
            self.link(&export, ";csv"),
            self.link(&export, ";json")
        );
    }

    fn scope_form(&self, out: &mut String) {
        let _ = write!(
            out,
            "<form method=\"get\"><label>Scope: <input name=\"scope\" value=\"{}\" size=\"8\" maxlength=\"20\" \
             tabindex=\"1\"></label></form>",
            escape(&self.options.scope)
        );
    }
}

/// Units of 32 bytes per second, as bits.
fn bit_rate(units: u32) -> String {
    let bits = f64::from(units) * 256.0;
    match bits {
        b if b >= 1e9 => format!("{:.3} Gbps", b / 1e9),
        b if b >= 1e6 => format!("{:.3} Mbps", b / 1e6),
        b => format!("{:.3} kbps", b / 1e3),
    }
}
