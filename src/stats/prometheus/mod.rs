//! `http-request use-service prometheus-exporter`: the statistics for Prometheus.
//!
//! Names, labels and parameters are those of HAProxy's exporter, so that dashboards and alerts keep working; what
//! HAProxy does not have (`tandem_*`) stands behind. All lines of one metric have to stand together, so the rows are
//! taken once and walked for every metric.

mod metrics;
mod process;
mod query;
mod text;
mod vrrp;

#[cfg(test)]
mod tests;

use super::columns::Col;
use super::field::{Nature, Value};
use super::info::{Program, Usage};
use super::page::Response;
use super::row::{Kind, Row};
use super::watch::Watch;
use super::{resolvers, rows};
use crate::http::error_page;
use crate::ir::Mode;
use crate::live::{Live, Server};
use crate::metrics::Histogram;
use crate::server::{Admin, Op};
use metrics::{How, METRICS, Metric};
use query::{Query, Scope};
use text::{Text, Type, label};

/// States of a server, in the order of their lines.
const SERVER_STATES: [&str; 5] = ["DOWN", "UP", "MAINT", "DRAIN", "NOLB"];

/// Results of checks, in the order of their lines.
const RESULTS: [&str; 16] = [
    "HANA", "SOCKERR", "L4OK", "L4TOUT", "L4CON", "L6OK", "L6TOUT", "L6RSP", "L7TOUT", "L7RSP", "L7OK",
    "L7OKC", "L7STS", "PROCERR", "PROCTOUT", "PROCOK",
];

/// A row with what the metrics need beside its columns.
struct Line {
    row: Row,
    http: bool,
    labels: String,
    /// Of a server: place in [`SERVER_STATES`].
    state: usize,
}

/// A scrape under way.
struct Scrape<'a> {
    live: &'a Live,
    program: &'a Program,
    usage: Usage,
    watch: &'a Watch,
    query: Query,
    text: Text,
}

/// The answer to a scrape with this query.
#[must_use]
pub fn respond(live: &Live, program: &Program, usage: Usage, watch: &Watch, query: Option<&str>) -> Response {
    let Some(query) = Query::parse(query.unwrap_or_default()) else {
        return Response::new(400, "text/html", error_page::body(400));
    };
    let mut scrape = Scrape { live, program, usage, watch, query, text: Text::default() };
    scrape.write();
    Response::new(200, "text/plain; version=0.0.4", scrape.text.0)
}

/// What the status label of a server says: what counts is the state it is in, not the weight.
fn server_state(server: &Server) -> usize {
    server.with_state(|state| match (state.op(), state.admin()) {
        (_, admin) if admin.any(Admin::MAINT) => 2,
        (Op::Running | Op::Starting, admin) if admin.any(Admin::DRAIN) => 3,
        (Op::Running | Op::Starting, _) => 1,
        (Op::Stopping, _) => 4,
        (Op::Stopped, _) => 0,
    })
}

impl Scrape<'_> {
    fn write(&mut self) {
        if self.query.wants(Scope::Global) {
            process::write(self);
        }
        for (scope, kind) in [
            (Scope::Frontend, Kind::Frontend),
            (Scope::Listener, Kind::Listener),
            (Scope::Backend, Kind::Backend),
            (Scope::Server, Kind::Server),
        ] {
            if self.query.wants(scope) {
                self.rows(kind);
            }
        }
        if self.query.wants(Scope::Resolver) {
            self.nameservers();
        }
        if self.query.wants(Scope::Vrrp) {
            vrrp::write(self);
        }
    }

    /// The rows of one kind.
    fn lines(&self, kind: Kind) -> Vec<Line> {
        let mut lines = Vec::new();
        for proxy in self.live.proxies().iter().filter(|p| !p.ir.disabled) {
            let http = proxy.ir.mode == Mode::Http;
            let mut labels = String::new();
            label(&mut labels, "proxy", &proxy.ir.name);
            if let Some(description) = proxy.ir.description.as_deref().filter(|_| self.query.desc_labels) {
                label(&mut labels, "desc", description);
            }
            let mut push = |row: Row, name: Option<&str>, state| {
                let mut labels = labels.clone();
                if let Some(name) = name {
                    label(&mut labels, name, &row.display(Col::SvName));
                }
                lines.push(Line { row, http, labels, state });
            };
            match (kind, &proxy.frontend, &proxy.backend) {
                (Kind::Frontend, Some(half), _) => push(rows::frontend(proxy, half), None, 0),
                (Kind::Listener, Some(half), _) => {
                    let counted = proxy.ir.frontend.as_ref().is_some_and(|f| f.socket_stats);
                    for index in 0..if counted { half.listeners.len() } else { 0 } {
                        push(rows::listener(proxy, half, index, false), Some("listener"), 0);
                    }
                }
                (Kind::Backend, _, Some(half)) => {
                    push(rows::backend(proxy, half, &rows::Selection::default()), None, 0);
                }
                (Kind::Server, _, Some(half)) => {
                    for server in half.servers().iter() {
                        let state = server_state(server);
                        if !(self.query.no_maint && state == 2) {
                            let row = rows::server(self.live, proxy, server, false);
                            push(row, Some("server"), state);
                        }
                    }
                }
                _ => {}
            }
        }
        lines
    }

    fn rows(&mut self, kind: Kind) {
        let lines = self.lines(kind);
        if lines.is_empty() {
            return;
        }
        let servers = if kind == Kind::Backend { self.lines(Kind::Server) } else { Vec::new() };
        let (letter, word) = match kind {
            Kind::Frontend => ('F', "frontend"),
            Kind::Listener => ('L', "listener"),
            Kind::Backend => ('B', "backend"),
            Kind::Server => ('S', "server"),
        };
        // What every server brings, so that the text is not moved about while it grows.
        self.text.0.reserve(lines.len() * if kind == Kind::Server { 9000 } else { 6000 });
        let mut last = "";
        for metric in METRICS.iter().filter(|(_, _, kinds, _)| kinds.contains(letter)) {
            let (col, suffix, _, how) = *metric;
            let name = format!("haproxy_{word}_{suffix}");
            let asked = self.query.extra_counters || !matches!(how, How::Extra(_));
            if !asked || !self.query.wants_metric(&name) {
                continue;
            }
            let before = self.text.0.len();
            if last != suffix {
                let nature = col.column().tags.nature;
                let kind = if nature == Nature::Counter { Type::Counter } else { Type::Gauge };
                let help = col.column().doc;
                match how {
                    How::Seconds | How::CheckSeconds => {
                        let help = help.replace("Milliseconds", "Seconds").replace("milliseconds", "seconds");
                        self.text.head(&name, &help, kind);
                    }
                    _ => self.text.head(&name, help, kind),
                }
            }
            let after = self.text.0.len();
            for line in &lines {
                self.line(&name, metric, line, &servers);
            }
            if self.text.0.len() == after {
                // Nobody has it: no introduction either.
                self.text.0.truncate(before);
            }
            last = suffix;
        }
        self.histograms(kind);
    }

    fn line(&mut self, name: &str, metric: &Metric, line: &Line, servers: &[Line]) {
        let (col, _, _, how) = *metric;
        let Line { row, http, labels, state } = line;
        let text = &mut self.text;
        let seconds = |row: &Row| format!("{:.6}", row.number(col) as f64 / 1000.0);
        match how {
            How::Plain => number(text, name, labels, None, row, col),
            How::Http if *http => number(text, name, labels, None, row, col),
            How::Class(class) if *http => {
                number(text, name, labels, Some(("code", class)), row, col);
            }
            How::Http | How::Class(_) => {}
            How::Extra(module) => {
                if row.get(col).is_some() {
                    number(text, name, labels, Some(("mod", module)), row, col);
                }
            }
            How::Seconds => text.value(name, labels, None, seconds(row)),
            How::CheckSeconds => {
                if row.get(col).is_some() {
                    text.value(name, labels, None, seconds(row));
                }
            }
            How::Status => {
                let word = row.display(Col::Status);
                let (states, is): (&[&str], usize) = match row.kind {
                    Kind::Frontend => (&["DOWN", "UP"], usize::from(word != "STOP")),
                    Kind::Backend => (&["DOWN", "UP"], usize::from(word.starts_with("UP"))),
                    Kind::Server => (&SERVER_STATES, *state),
                    Kind::Listener => (
                        &["WAITING", "OPEN", "FULL"],
                        ["WAITING", "OPEN"].iter().position(|w| *w == word).unwrap_or(2),
                    ),
                };
                for (at, word) in states.iter().enumerate() {
                    text.int(name, labels, Some(("state", word)), u64::from(at == is));
                }
            }
            How::Result => {
                let Some(now) = result(row, col) else { return };
                for word in RESULTS {
                    text.int(name, labels, Some(("state", word)), u64::from(word == now));
                }
            }
            How::Code => {
                let result = if col == Col::CheckCode { Col::CheckStatus } else { Col::AgentStatus };
                if row.get(result).is_some() {
                    text.value(name, labels, None, row.number(col));
                }
            }
            How::ServerStates => {
                let mut mine = servers.iter().filter(|server| server.row.iid == row.iid).peekable();
                if mine.peek().is_none() {
                    return;
                }
                let mut counts = [0u32; SERVER_STATES.len()];
                mine.for_each(|server| counts[server.state] += 1);
                for (word, count) in SERVER_STATES.into_iter().zip(counts) {
                    text.value(name, labels, Some(("state", word)), count);
                }
            }
            How::CheckResults => {
                let mut mine = servers.iter().filter(|server| server.row.iid == row.iid).peekable();
                if mine.peek().is_none() {
                    return;
                }
                let found = mine.filter_map(|s| result(&s.row, Col::CheckStatus)).collect::<Vec<_>>();
                for word in RESULTS {
                    let count = found.iter().filter(|result| *result == word).count();
                    text.value(name, labels, Some(("state", word)), count);
                }
            }
        }
    }

    /// What HAProxy only has averages of.
    fn histograms(&mut self, kind: Kind) {
        let word = match kind {
            Kind::Backend => "backend",
            Kind::Server => "server",
            Kind::Frontend | Kind::Listener => return,
        };
        let help = [
            ("response_time_seconds", "Time from the connection to the server until its response began"),
            ("total_time_seconds", "Time from the request until the end of the response"),
        ];
        // The whole time of a request is the backend's: a server has its share in the other one.
        for (at, (suffix, help)) in
            help.into_iter().enumerate().take(if kind == Kind::Server { 1 } else { 2 })
        {
            let name = format!("tandem_{word}_{suffix}");
            if !self.query.wants_metric(&name) {
                continue;
            }
            self.text.head(&name, help, Type::Histogram);
            for proxy in self.live.proxies().iter().filter(|p| !p.ir.disabled) {
                let Some(half) = &proxy.backend else { continue };
                let mut labels = String::new();
                label(&mut labels, "proxy", &proxy.ir.name);
                if kind == Kind::Backend {
                    let times = &half.counters.times;
                    let histogram = if at == 0 { &times.response } else { &times.total };
                    histogram_lines(&mut self.text, &name, &labels, histogram);
                    continue;
                }
                for server in half.servers().iter() {
                    if self.query.no_maint && server_state(server) == 2 {
                        continue;
                    }
                    let mut labels = labels.clone();
                    label(&mut labels, "server", server.name());
                    histogram_lines(&mut self.text, &name, &labels, &server.counters.times.response);
                }
            }
        }
    }

    /// `haproxy_resolver_*`: the counters of the nameservers.
    fn nameservers(&mut self) {
        let sections =
            || self.live.resolvers.iter().flat_map(|s| s.nameservers.iter().map(move |ns| (s, ns)));
        let Some((_, first)) = sections().next() else { return };
        let names = resolvers::counters(first).map(|(name, _)| name);
        let mut text = std::mem::take(&mut self.text);
        for (at, counter) in names.into_iter().enumerate() {
            // The exporter calls it by its full name.
            let counter = if counter == "snd_error" { "send_error" } else { counter };
            let name = format!("haproxy_resolver_{counter}");
            if !self.query.wants_metric(&name) {
                continue;
            }
            text.head(&name, &format!("Answers and failures of a nameserver: {counter}"), Type::Gauge);
            for (section, ns) in sections() {
                let mut labels = String::new();
                label(&mut labels, "resolver", &section.name);
                label(&mut labels, "nameserver", &ns.name);
                text.value(&name, &labels, None, resolvers::counters(ns)[at].1);
            }
        }
        self.text = text;
    }
}

/// A column as it is; NaN if it has no number.
fn number(text: &mut Text, name: &str, labels: &str, more: Option<(&str, &str)>, row: &Row, col: Col) {
    match row.get(col).map(|field| &field.value) {
        None | Some(Value::Text(_)) => text.value(name, labels, more, "NaN"),
        Some(Value::U32(n)) => text.int(name, labels, more, (*n).into()),
        Some(Value::U64(n)) => text.int(name, labels, more, *n),
        Some(value) => text.value(name, labels, more, value),
    }
}

/// The result of the last check without the mark of one under way; `None`: it is not checked.
fn result(row: &Row, col: Col) -> Option<String> {
    let status = row.get(col)?.value.to_string();
    Some(status.trim_start_matches("* ").to_owned())
}

fn histogram_lines(text: &mut Text, name: &str, labels: &str, histogram: &Histogram) {
    let counts = histogram.counts();
    let mut sum = 0;
    let bucket = format!("{name}_bucket");
    for (count, bound) in counts.iter().zip(Histogram::LABELS.into_iter().chain(["+Inf"])) {
        sum += count;
        text.int(&bucket, labels, Some(("le", bound)), sum);
    }
    text.value(&format!("{name}_sum"), labels, None, histogram.sum_us() as f64 / 1e6);
    text.value(&format!("{name}_count"), labels, None, sum);
}
