//! Keys and what they do; the drawing on a screen in memory.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::app::{App, Effect, Key, Mode, Order};
use super::data::{Item, Snapshot};
use super::draw::draw;
use crate::metrics::Histogram;
use crate::vrrp::status::Status;

fn snapshot(rates: &[(&str, u64)]) -> Snapshot {
    let proxy = |name: &str, kind| Item { proxy: "be".into(), name: name.into(), kind, ..Item::default() };
    let mut snapshot = Snapshot { items: vec![proxy("BACKEND", 1)], ..Snapshot::default() };
    for (name, rate) in rates {
        let status = "UP".into();
        snapshot.items.push(Item { rate: *rate, status, weight: Some(1), ..proxy(name, 2) });
    }
    snapshot
}

fn app() -> App {
    let mut app = App::new(vec!["/a.sock".into(), "/b.sock".into()]);
    app.update(0, Ok(snapshot(&[("s1", 5), ("s2", 9)])));
    app.update(1, Err("no such file".into()));
    app
}

fn press(app: &mut App, keys: &str) -> Option<Effect> {
    keys.chars().fold(None, |_, c| app.key(Key::Char(c)))
}

#[test]
fn nothing_is_sent_without_a_yes() {
    for (keys, line) in [("jd", "drain"), ("jm", "maint"), ("jr", "ready")] {
        let mut app = app();
        assert_eq!(press(&mut app, keys), None);
        assert!(matches!(app.mode, Mode::Ask { .. }), "{keys}");
        assert_eq!(press(&mut app, "n"), None);
        assert_eq!(app.mode, Mode::Look);
        let sent = press(&mut app, &format!("{}y", &keys[1..]));
        assert_eq!(sent, Some(Effect::Command { node: 0, line: format!("set server be/s1 state {line}") }));
    }
    let mut app = app();
    assert_eq!(press(&mut app, "d"), None);
    assert!(app.message.is_some(), "a backend is no server");
    assert_eq!(press(&mut app, "y"), None);
}

#[test]
fn a_weight_is_typed_and_asked_about() {
    let mut app = app();
    assert_eq!(press(&mut app, "jjwx5z0%%"), None);
    assert_eq!(app.key(Key::Backspace), None);
    assert_eq!(app.key(Key::Enter), None);
    assert!(
        matches!(&app.mode, Mode::Ask { question, .. } if question.contains("be/s2 to 50?")),
        "{:?}",
        app.mode
    );
    let sent = press(&mut app, "y");
    assert_eq!(sent, Some(Effect::Command { node: 0, line: "set server be/s2 weight 50".into() }));
    press(&mut app, "w");
    app.key(Key::Escape);
    assert_eq!(app.mode, Mode::Look);
}

#[test]
fn the_selection_stays_with_its_server() {
    let mut app = app();
    press(&mut app, "jj");
    app.update(0, Ok(snapshot(&[("s0", 1), ("s1", 1), ("s2", 1)])));
    assert_eq!(app.lines()[app.selected].item.name, "s2");
    app.update(0, Ok(snapshot(&[("s1", 1)])));
    assert_eq!(app.selected, 1, "it is gone: the last one");
    app.key(Key::End);
    app.key(Key::Home);
    assert_eq!(app.selected, 0);
}

#[test]
fn filter_and_order_choose_the_lines() {
    let mut app = app();
    press(&mut app, "/S2 up");
    assert_eq!(app.lines().len(), 1);
    app.key(Key::Enter);
    assert_eq!(app.mode, Mode::Look);
    app.key(Key::Escape);
    assert_eq!(app.lines().len(), 3);
    press(&mut app, "s");
    assert_eq!(app.order, Order::Rate);
    let names = app.lines().into_iter().map(|l| l.item.name).collect::<Vec<_>>();
    assert_eq!(names, ["s2", "s1"]);
    assert_eq!(press(&mut app, "q"), Some(Effect::Quit));
}

fn screen(app: &mut App, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a screen in memory");
    terminal.draw(|frame| draw(frame, app)).expect("drawn");
    let buffer = terminal.backend().buffer();
    let rows = buffer.content().chunks(usize::from(width));
    rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>() + "\n").collect()
}

#[test]
fn the_screen_shows_servers_percentiles_vrrp_and_questions() {
    let mut app = app();
    let mut next = snapshot(&[("s1", 5), ("s2", 9)]);
    let mut counts = vec![0; Histogram::BOUNDS_US.len() + 1];
    counts[4] = 100;
    next.latency.insert(("be".into(), "s1".into()), counts);
    next.info.insert("node".into(), "lb1".into());
    next.vrrp =
        vec![Status { name: "VI_1".into(), state: "MASTER".into(), priority: 101, ..Status::default() }];
    app.update(0, Ok(next));
    let shown = screen(&mut app, 140, 20);
    for part in ["lb1", "VI_1 MASTER 101", "s1", "s2", "UP", "2.5ms", "/b.sock", "no such file"] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
    press(&mut app, "jd");
    assert!(screen(&mut app, 140, 20).contains("Drain be/s1"));
    app.key(Key::Escape);
    press(&mut app, "?");
    assert!(screen(&mut app, 140, 24).contains("maintenance"));
    // Any size is survived.
    for (width, height) in [(1, 1), (20, 5), (60, 10), (300, 80)] {
        screen(&mut app, width, height);
    }
}
