//! The book as a table for a terminal, as Markdown and as JSON.

use std::fmt::Write as _;

use super::book::{Class, Entry, State};

/// Two lines a word.
pub(super) fn table(entries: &[Entry]) -> String {
    let mut out = String::new();
    for entry in entries {
        let usage = if entry.usage.is_empty() { String::new() } else { format!(" {}", entry.usage) };
        let place = match entry.class {
            Class::Setting => format!("setting of {}", entry.place),
            Class::Keepalived => format!("keepalived, {}", entry.place),
            _ => entry.place.clone(),
        };
        let _ = write!(out, "{}{usage}\n    {place}", entry.name);
        if !entry.doc.is_empty() {
            let _ = write!(out, "; {}", entry.doc);
        }
        let _ = writeln!(out, "; {}", effect(entry));
    }
    let full = entries.iter().filter(|entry| entry.state == State::Works).count();
    let _ = writeln!(out, "{} words, {full} with their whole effect.", entries.len());
    out
}

fn effect(entry: &Entry) -> String {
    match (entry.state, entry.reason.as_str()) {
        (State::Works, _) => "has effect".into(),
        (state, reason) => format!("{}: {reason}", state.name()),
    }
}

/// How many words of each class are in each state: the table of the README.
pub(super) fn summary(entries: &[Entry]) -> String {
    let mut out = String::from("| | words |");
    for state in State::ALL {
        let _ = write!(out, " {} |", state.name());
    }
    out.push_str("\n|---|---|");
    out.push_str(&"---|".repeat(State::ALL.len()));
    out.push('\n');
    for class in Class::ALL {
        let of: Vec<_> = entries.iter().filter(|entry| entry.class == class).collect();
        if of.is_empty() {
            continue;
        }
        let _ = write!(out, "| {} | {} |", class.title(), of.len());
        for state in State::ALL {
            let _ = write!(out, " {} |", of.iter().filter(|entry| entry.state == state).count());
        }
        out.push('\n');
    }
    out
}

/// A chapter per class, a table per place.
pub(super) fn markdown(entries: &[Entry]) -> String {
    let mut out = String::from("# Keywords\n\n");
    out += &summary(entries);
    for class in Class::ALL {
        let of: Vec<_> = entries.iter().filter(|entry| entry.class == class).collect();
        if of.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n## {}", class.title());
        let mut place = None;
        for entry in of {
            if place != Some(&entry.place) {
                place = Some(&entry.place);
                let _ = write!(out, "\n### {}\n\n| | what it is | effect |\n|---|---|---|\n", title(entry));
            }
            let usage = if entry.usage.is_empty() { String::new() } else { format!(" {}", entry.usage) };
            let name = cell(&format!("{}{usage}", entry.name));
            let _ = writeln!(out, "| `{name}` | {} | {} |", cell(&entry.doc), cell(&effect(entry)));
        }
    }
    out
}

fn title(entry: &Entry) -> String {
    match entry.class {
        Class::Setting => format!("Words of `{}`", entry.place),
        _ => entry.place.clone(),
    }
}

/// Text that cannot end a cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// An array of objects.
pub(super) fn json(entries: &[Entry]) -> String {
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            serde_json::json!({
                "class": entry.class.name(),
                "name": entry.name,
                "place": entry.place,
                "usage": entry.usage,
                "effect": entry.state.name(),
                "reason": entry.reason,
                "doc": entry.doc,
            })
        })
        .collect();
    let mut text = serde_json::to_string_pretty(&rows).unwrap_or_default();
    text.push('\n');
    text
}
