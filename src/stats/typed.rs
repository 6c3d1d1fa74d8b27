//! The typed forms: one line per field, with its number, tags and type.

use std::fmt::Write;

use super::columns::COLUMNS;
use super::field::Field;
use super::row::Row;

/// Adds `:TAGS:TYPE:VALUE`, the description in quotes if wanted, and a newline.
pub(super) fn push_tail(out: &mut String, field: &Field, doc: Option<&str>) {
    let [origin, nature, scope] = field.tags.letters();
    // Nothing is shared with another process: every value is volatile (V).
    // Writing into a String cannot fail.
    let _ = write!(out, ":{origin}{nature}{scope}V:{}:{}", field.value.type_name(), field.value);
    if let Some(doc) = doc {
        let _ = write!(out, ":\"{doc}\"");
    }
    out.push('\n');
}

/// `show stat typed`, with descriptions if `desc`.
#[must_use]
pub fn render(rows: &[Row], desc: bool) -> String {
    let mut out = String::new();
    for row in rows {
        for (number, field) in row.fields() {
            let column = &COLUMNS[number];
            let _ = write!(out, "{}.{}.{}.{number}.{}.1", row.kind.letter(), row.iid, row.sid, column.name);
            push_tail(&mut out, field, desc.then_some(column.doc));
        }
    }
    out
}
