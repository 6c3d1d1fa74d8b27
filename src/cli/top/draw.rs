//! The picture.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line as Text, Span};
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row, Table, TableState};

use super::app::{App, Line, Mode, Node, Order};
use crate::stats::age;

const KEYS: &str = " q quit  / filter  s sort  d drain  m maint  r ready  w weight  ? help ";

const HELP: &[&str] = &[
    "up, down, page up, page down, j, k, g, G   move",
    "/    show only lines that contain these words",
    "s    sort: as configured, by rate, by sessions, by 99th percentile",
    "d    drain the server: no new sessions",
    "m    put it into maintenance",
    "r    make it ready again",
    "w    set its weight: a number, or a share such as 50%",
    "q    quit",
    "",
    "Percentiles are those of the last half minute.",
];

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, app: &mut App) {
    let heads = app.nodes.iter().map(|node| 1 + node.now().map_or(0, |s| s.vrrp.len() as u16)).sum::<u16>();
    let parts = [Constraint::Length(heads), Constraint::Min(0), Constraint::Length(1)];
    let [top, middle, bottom] = Layout::vertical(parts).areas(frame.area());
    frame.render_widget(Paragraph::new(app.nodes.iter().flat_map(head).collect::<Vec<_>>()), top);
    table(frame, app, middle);
    frame.render_widget(Paragraph::new(foot(app)), bottom);
    match &app.mode {
        Mode::Ask { question, .. } => dialogue(frame, &[question, "", "y: yes   any other key: no"]),
        Mode::Weight { server, typed, .. } => {
            dialogue(frame, &[&format!("Weight of {server}: {typed}_"), "", "Enter: go on   Esc: leave"]);
        }
        Mode::Help => dialogue(frame, HELP),
        Mode::Look | Mode::Filter => {}
    }
}

/// The lines about a node.
fn head(node: &Node) -> Vec<Text<'static>> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut lines = Vec::new();
    let mut line = vec![];
    match node.now() {
        Some(snapshot) => {
            let value = |name: &str| snapshot.info.get(name).cloned().unwrap_or_else(|| "?".into());
            line.push(Span::styled(format!(" {} ", value("node")), bold.fg(Color::White).bg(Color::Blue)));
            line.push(Span::raw(format!(
                " {}  up {}  connections {} of {}  {}/s  requests {}  idle {}%",
                node.socket,
                value("Uptime"),
                value("CurrConns"),
                value("Maxconn"),
                value("ConnRate"),
                value("CumReq"),
                value("Idle_pct"),
            )));
        }
        None => line.push(Span::styled(format!(" {} ", node.socket), bold)),
    }
    if let Some(problem) = &node.problem {
        line.push(Span::styled(format!("  {problem}"), Style::new().fg(Color::Red)));
    }
    lines.push(Text::from(line));
    for one in node.now().map(|s| s.vrrp.as_slice()).unwrap_or_default() {
        let colour = match one.state.as_str() {
            "MASTER" => Color::Green,
            "BACKUP" => Color::Blue,
            _ => Color::Red,
        };
        let text = format!(" {} {} {}", one.name, one.state, one.priority);
        let addresses = one.addresses.iter().map(|a| a.split(' ').next().unwrap_or_default());
        lines.push(Text::from(vec![
            Span::styled(text, bold.fg(colour)),
            Span::raw(format!(
                "  {} id {}  {}x master  {}",
                one.interface,
                one.vrid,
                one.counter("become_master"),
                addresses.collect::<Vec<_>>().join(" ")
            )),
        ]));
    }
    lines
}

/// Columns: title and width.
const COLUMNS: [(&str, u16); 14] = [
    ("PROXY", 16),
    ("SERVER", 16),
    ("STATUS", 12),
    ("FOR", 7),
    ("SESS", 6),
    ("LIMIT", 6),
    ("QUEUE", 5),
    ("RATE", 6),
    ("TOTAL", 9),
    ("OUT", 7),
    ("ERR", 6),
    ("WGHT", 4),
    ("p50", 7),
    ("p99", 7),
];

fn table(frame: &mut Frame<'_>, app: &mut App, area: Rect) {
    app.height = usize::from(area.height.saturating_sub(1)).max(1);
    let lines = app.lines();
    let several = app.nodes.len() > 1;
    let rows = lines.iter().map(|line| row(app, line, several));
    let mut widths = COLUMNS.map(|(_, width)| Constraint::Length(width)).to_vec();
    let mut titles = COLUMNS.map(|(title, _)| title).to_vec();
    if several {
        widths.insert(0, Constraint::Length(1));
        titles.insert(0, "N");
    }
    widths.push(Constraint::Min(8));
    titles.push("CHECK");
    let head = Row::new(titles).style(Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED));
    let table = Table::new(rows, widths)
        .header(head)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::new().with_selected((!lines.is_empty()).then_some(app.selected));
    frame.render_stateful_widget(table, area, &mut state);
}

fn row(app: &App, line: &Line, several: bool) -> Row<'static> {
    let item = &line.item;
    let node = &app.nodes[line.node];
    let percentile = |q| {
        let exact = node.percentile(item, q).map(span);
        // Elsewhere than with us there is only an average.
        exact.or_else(|| {
            item.response_ms
                .filter(|_| node.now().is_some_and(|s| s.latency.is_empty()))
                .map(|ms| format!("~{ms}ms"))
        })
    };
    let number = |n: u64| if n == 0 { String::new() } else { short(n) };
    let mut cells = vec![
        item.proxy.clone(),
        item.name.clone(),
        item.status.clone(),
        item.since.map(age).unwrap_or_default(),
        number(item.sessions),
        item.limit.map(short).unwrap_or_default(),
        number(item.queue),
        number(item.rate),
        number(item.total),
        number(item.bytes_out),
        number(item.errors),
        item.weight.filter(|_| item.kind > 0).map(|w| w.to_string()).unwrap_or_default(),
        percentile(0.5).unwrap_or_default(),
        percentile(0.99).unwrap_or_default(),
        item.check.clone(),
    ];
    if several {
        cells.insert(0, (line.node + 1).to_string());
    }
    let status = item.status.as_str();
    let style = match item.kind {
        0 | 1 => Style::new().fg(if status.starts_with("DOWN") { Color::Red } else { Color::Cyan }),
        3 => Style::new().fg(Color::DarkGray),
        _ if status.starts_with("MAINT") => Style::new().fg(Color::Yellow),
        _ if status.starts_with("DOWN") => Style::new().fg(Color::Red),
        _ if status.starts_with("DRAIN") || status.starts_with("NOLB") => Style::new().fg(Color::Blue),
        _ if status.starts_with("UP ") => Style::new().fg(Color::LightYellow),
        _ if status == "UP" => Style::new().fg(Color::Green),
        _ => Style::new(),
    };
    Row::new(cells.into_iter().map(Cell::from)).style(style)
}

fn foot(app: &App) -> Text<'static> {
    if app.mode == Mode::Filter {
        return Text::from(format!("/{}_", app.filter));
    }
    if let Some(message) = &app.message {
        return Text::styled(format!(" {message}"), Style::new().fg(Color::Yellow));
    }
    let order = match app.order {
        Order::File => "",
        Order::Rate => "  [by rate]",
        Order::Sessions => "  [by sessions]",
        Order::Latency => "  [by p99]",
    };
    let filter = if app.filter.is_empty() { String::new() } else { format!("  [/{}]", app.filter) };
    Text::styled(format!("{KEYS}{order}{filter}"), Style::new().fg(Color::DarkGray))
}

fn dialogue(frame: &mut Frame<'_>, lines: &[&str]) {
    let area = frame.area();
    let longest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0) as u16;
    let (width, height) = ((longest + 4).min(area.width), (lines.len() as u16 + 2).min(area.height));
    let place = Rect::new((area.width - width) / 2, (area.height - height) / 2, width, height);
    frame.render_widget(Clear, place);
    let text = lines.iter().map(|line| Text::from(format!(" {line}"))).collect::<Vec<_>>();
    frame.render_widget(Paragraph::new(text).block(Block::bordered()), place);
}

/// At most five characters: `999`, `12.3k`, `4.5M`.
fn short(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..1_000_000 => format!("{:.1}k", n as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1}M", n as f64 / 1e6),
        _ => format!("{:.1}G", n as f64 / 1e9),
    }
}

/// `850us`, `2.5ms`, `1.2s`.
fn span(us: u64) -> String {
    match us {
        0..1000 => format!("{us}us"),
        1000..1_000_000 => format!("{:.1}ms", us as f64 / 1e3),
        _ => format!("{:.1}s", us as f64 / 1e6),
    }
}
