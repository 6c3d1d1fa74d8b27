//! One row of statistics: the snapshot of a frontend, listener, server or backend.

use super::columns::{COLUMNS, Col};
use super::field::{Field, Nature, Tags, Value};

/// What a row is about; the number is the `type` column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// `FRONTEND`.
    Frontend = 0,
    /// `BACKEND`.
    Backend = 1,
    /// A server.
    Server = 2,
    /// A listener.
    Listener = 3,
}

impl Kind {
    /// Letter that opens the lines of the typed form.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Frontend => 'F',
            Self::Backend => 'B',
            Self::Server => 'S',
            Self::Listener => 'L',
        }
    }

    /// `objType` of the JSON form.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Frontend => "Frontend",
            Self::Backend => "Backend",
            Self::Server => "Server",
            Self::Listener => "Listener",
        }
    }

    /// Its bit in the type mask of `show stat IID TYPE SID`.
    #[must_use]
    pub fn bit(self) -> u32 {
        1 << self as u8
    }
}

/// A row. Columns that do not apply to its kind are empty.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is about.
    pub kind: Kind,
    /// Number of the proxy.
    pub iid: u32,
    /// Number of the server or listener; 0 for the halves of a proxy.
    pub sid: u32,
    fields: Vec<Option<Field>>,
}

impl Row {
    /// An empty row but for what identifies it.
    #[must_use]
    pub fn new(kind: Kind, proxy: &str, name: &str, iid: u32, sid: u32) -> Self {
        let mut row = Self { kind, iid, sid, fields: vec![None; COLUMNS.len()] };
        row.text(Col::PxName, proxy);
        row.text(Col::SvName, name);
        row.u32(Col::Pid, 1);
        row.u32(Col::Iid, iid);
        row.u32(Col::Sid, sid);
        row.u32(Col::Type, kind as u32);
        row
    }

    fn set(&mut self, col: Col, value: Value) {
        self.fields[col.number()] = Some(Field { tags: col.column().tags, value });
    }

    /// Sets a number of 32 bits.
    pub fn u32(&mut self, col: Col, value: u32) {
        self.set(col, Value::U32(value));
    }

    /// Sets a number of 32 bits that can be negative.
    pub fn s32(&mut self, col: Col, value: i32) {
        self.set(col, Value::S32(value));
    }

    /// Sets a number of 64 bits.
    pub fn u64(&mut self, col: Col, value: u64) {
        self.set(col, Value::U64(value));
    }

    /// Sets a text.
    pub fn text(&mut self, col: Col, value: impl Into<String>) {
        self.set(col, Value::Text(value.into()));
    }

    /// Sets other tags than the column's own on a value that was set before.
    pub fn retag(&mut self, col: Col, tags: Tags) {
        if let Some(field) = &mut self.fields[col.number()] {
            field.tags = tags;
        }
    }

    /// Sets another nature than the column's own on a value that was set before.
    pub fn renature(&mut self, col: Col, nature: Nature) {
        self.retag(col, Tags { nature, ..col.column().tags });
    }

    /// The field in a column.
    #[must_use]
    pub fn get(&self, col: Col) -> Option<&Field> {
        self.fields[col.number()].as_ref()
    }

    /// All fields that are set, with their number.
    pub fn fields(&self) -> impl Iterator<Item = (usize, &Field)> {
        self.fields.iter().enumerate().filter_map(|(i, field)| Some((i, field.as_ref()?)))
    }

    /// Every column's field, set or not.
    #[must_use]
    pub fn all(&self) -> &[Option<Field>] {
        &self.fields
    }

    /// The value in a column as a whole number; 0 if there is none.
    #[must_use]
    pub fn number(&self, col: Col) -> u64 {
        self.get(col).and_then(|f| f.value.as_u64()).unwrap_or(0)
    }

    /// The value in a column as text; empty if there is none.
    #[must_use]
    pub fn display(&self, col: Col) -> String {
        self.get(col).map_or_else(String::new, |f| f.value.to_string())
    }
}
