//! `show stat`: a header line and one line per row, every field followed by a comma.

use super::columns::{COLUMNS, CORE};
use super::row::Row;

/// The header line, newline included.
#[must_use]
pub fn header() -> String {
    let mut out = String::from("# ");
    for (i, column) in COLUMNS.iter().enumerate() {
        if i == CORE {
            out.push_str("-,");
        }
        out.push_str(column.name);
        out.push(',');
    }
    out.push('\n');
    out
}

/// Adds a row, newline included.
pub fn push_row(out: &mut String, row: &Row) {
    for (i, field) in row.all().iter().enumerate() {
        if i == CORE {
            out.push_str("-,");
        }
        if let Some(field) = field {
            push_quoted(out, &field.value.to_string());
        }
        out.push(',');
    }
    out.push('\n');
}

/// Adds a value, in double quotes if a reader could take part of it for structure.
fn push_quoted(out: &mut String, value: &str) {
    if !value.contains(['"', ',', '\n', '\r']) {
        return out.push_str(value);
    }
    out.push('"');
    for c in value.chars() {
        if c == '"' {
            out.push('"');
        }
        out.push(c);
    }
    out.push('"');
}

/// Rows.
#[must_use]
pub fn lines(rows: &[Row]) -> String {
    let mut out = String::new();
    rows.iter().for_each(|row| push_row(&mut out, row));
    out
}

/// Header and rows.
#[must_use]
pub fn render(rows: &[Row]) -> String {
    header() + &lines(rows)
}
