//! The JSON forms.

use serde::Serialize;

use super::columns::COLUMNS;
use super::field::{Field, Tags};
use super::row::Row;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RowField<'a> {
    obj_type: &'static str,
    proxy_id: u32,
    id: u32,
    #[serde(flatten)]
    field: AnyField<'a>,
}

/// What fields of rows and of `show info` have in common.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AnyField<'a> {
    field: Position<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    process_num: Option<u32>,
    tags: TagNames,
    value: TypedValue,
}

#[derive(Serialize)]
struct Position<'a> {
    pos: usize,
    name: &'a str,
}

#[derive(Serialize)]
struct TagNames {
    origin: String,
    nature: String,
    scope: String,
}

#[derive(Serialize)]
struct TypedValue {
    r#type: &'static str,
    value: serde_json::Value,
}

impl From<Tags> for TagNames {
    fn from(tags: Tags) -> Self {
        // The variants are named as HAProxy names the tags.
        let Tags { origin, nature, scope } = tags;
        Self { origin: format!("{origin:?}"), nature: format!("{nature:?}"), scope: format!("{scope:?}") }
    }
}

impl<'a> AnyField<'a> {
    pub(super) fn new(pos: usize, name: &'a str, field: &Field) -> Self {
        Self {
            field: Position { pos, name },
            process_num: Some(1),
            tags: field.tags.into(),
            value: TypedValue { r#type: field.value.type_name(), value: field.value.to_json() },
        }
    }

    /// One that belongs to no process.
    pub(super) fn unnumbered(pos: usize, name: &'a str, field: &Field) -> Self {
        Self { process_num: None, ..Self::new(pos, name, field) }
    }
}

/// Any of the structures above as text.
pub(super) fn text(value: &impl Serialize) -> String {
    // Serialising fails on maps with other keys than strings only, and there are none.
    serde_json::to_string(value).unwrap_or_default()
}

/// `show stat json`: an array of rows, each an array of fields.
#[must_use]
pub fn render(rows: &[Row]) -> String {
    format!("[{}]\n", elements(rows))
}

/// The rows of that array.
#[must_use]
pub fn elements(rows: &[Row]) -> String {
    let mut out = String::new();
    for (i, row) in rows.iter().enumerate() {
        let fields = row
            .fields()
            .map(|(number, field)| RowField {
                obj_type: row.kind.name(),
                proxy_id: row.iid,
                id: row.sid,
                field: AnyField::new(number, COLUMNS[number].name, field),
            })
            .collect::<Vec<_>>();
        if i > 0 {
            out.push(',');
        }
        out.push_str(&text(&fields));
    }
    out
}
