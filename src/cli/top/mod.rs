//! `tandem top`: proxies, servers and VRRP instances of one or more nodes on a terminal.
//!
//! The screen speaks to stats sockets, so it works with HAProxy's too, over ssh and from a script's `tmux`. What it shows
//! and what keys do is [`app`], pure; this file reads keys and sockets.

mod app;
mod data;
mod draw;
#[cfg(test)]
mod tests;

use std::io::{IsTerminal, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use app::{App, Effect, Key};
use data::Snapshot;

/// Where sockets usually are.
const USUAL: [&str; 4] =
    ["/run/haproxy/admin.sock", "/run/haproxy.sock", "/var/lib/haproxy/stats", "/run/haproxy-master.sock"];

/// How often nodes are asked.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long a socket may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Longest answer that is read, bytes.
const LONGEST: u64 = 64 << 20;

/// News for the screen.
enum News {
    Node(usize, Result<Snapshot, String>),
    Said(String),
}

/// Shows the nodes behind these sockets, or behind the first usual one.
pub(super) fn main(sockets: Vec<String>) -> ExitCode {
    let sockets = if sockets.is_empty() {
        let found = USUAL.iter().find(|path| Path::new(path).exists());
        let Some(found) = found else {
            eprintln!("tandem: no stats socket at {}; name one", USUAL.join(", "));
            return ExitCode::FAILURE;
        };
        vec![(*found).to_owned()]
    } else {
        sockets
    };
    if !std::io::stdout().is_terminal() {
        eprintln!("tandem: top needs a terminal");
        return ExitCode::FAILURE;
    }
    match run(sockets) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tandem: the terminal failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(sockets: Vec<String>) -> std::io::Result<()> {
    let (send, news) = mpsc::channel();
    let mut wakes = Vec::new();
    for (at, socket) in sockets.iter().cloned().enumerate() {
        let send = send.clone();
        let (wake, woken) = mpsc::channel::<()>();
        wakes.push(wake);
        std::thread::spawn(move || {
            // Ends when the screen is gone.
            while send.send(News::Node(at, look(&socket))).is_ok()
                && woken.recv_timeout(INTERVAL) != Err(RecvTimeoutError::Disconnected)
            {}
        });
    }
    let mut app = App::new(sockets);
    // Restores the terminal on a panic too.
    let mut terminal = ratatui::try_init()?;
    let result = (|| {
        loop {
            terminal.draw(|frame| draw::draw(frame, &mut app))?;
            if event::poll(Duration::from_millis(100))?
                && let Some(key) = key(&event::read()?)
            {
                match app.key(key) {
                    Some(Effect::Quit) => return Ok(()),
                    Some(Effect::Command { node, line }) => {
                        if let (Some(entry), Some(wake)) = (app.nodes.get(node), wakes.get(node)) {
                            send_command(entry.socket.clone(), line, send.clone(), wake.clone());
                        }
                    }
                    None => {}
                }
            }
            for news in news.try_iter() {
                match news {
                    News::Node(at, answer) => app.update(at, answer),
                    News::Said(message) => app.message = Some(message),
                }
            }
        }
    })();
    ratatui::try_restore()?;
    result
}

fn key(event: &Event) -> Option<Key> {
    let Event::Key(pressed) = event else { return None };
    if pressed.kind == KeyEventKind::Release {
        return None;
    }
    Some(match pressed.code {
        KeyCode::Char('c') if pressed.modifiers.contains(KeyModifiers::CONTROL) => Key::Char('q'),
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        _ => return None,
    })
}

/// Sends a command from a thread of its own, says what came of it, and has the node looked at again.
fn send_command(socket: String, line: String, send: Sender<News>, wake: Sender<()>) {
    std::thread::spawn(move || {
        let said = match ask(&socket, &line) {
            Ok(answer) if answer.trim().is_empty() => format!("{line}: done"),
            Ok(answer) => format!("{line}: {}", answer.trim().replace('\n', " ")),
            Err(error) => format!("{line}: {error}"),
        };
        // The screen may be gone.
        let _ = send.send(News::Said(said));
        let _ = wake.send(());
    });
}

/// Everything about a node.
fn look(socket: &str) -> Result<Snapshot, String> {
    let items = data::items(&ask(socket, "show stat")?).ok_or("this is no stats socket")?;
    let info = data::info(&ask(socket, "show info")?);
    // HAProxy knows neither of these; what it says instead is nothing.
    let latency = data::latency(&ask(socket, "show latency").unwrap_or_default());
    let vrrp = ask(socket, "show vrrp json").unwrap_or_default();
    Ok(Snapshot { info, items, latency, vrrp: serde_json::from_str(vrrp.trim()).unwrap_or_default() })
}

/// One command, one connection: a unix path, or an address and port.
fn ask(socket: &str, command: &str) -> Result<String, String> {
    let said = |error: std::io::Error| error.to_string();
    let mut text = Vec::new();
    if socket.contains('/') {
        let stream = UnixStream::connect(socket).map_err(said)?;
        stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
            .map_err(said)?;
        exchange(stream, command, &mut text).map_err(said)?;
    } else {
        let stream = TcpStream::connect(socket).map_err(said)?;
        stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
            .map_err(said)?;
        exchange(stream, command, &mut text).map_err(said)?;
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn exchange(mut stream: impl Read + Write, command: &str, text: &mut Vec<u8>) -> std::io::Result<()> {
    stream.write_all(format!("{command}\n").as_bytes())?;
    stream.take(LONGEST).read_to_end(text)?;
    Ok(())
}
