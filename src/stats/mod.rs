//! What runs, as rows of columns, and the forms they are shown in: CSV, typed, JSON, Prometheus' and the page.

pub mod columns;
pub mod csv;
pub mod field;
pub mod file;
pub mod info;
pub mod json;
pub mod meter;
pub mod page;
pub mod prometheus;
pub mod resolvers;
pub mod row;
pub mod rows;
pub mod schema;
pub mod servers;
pub mod steer;
pub mod typed;
pub mod watch;

pub use row::{Kind, Row};
pub use rows::Selection;

/// A time in its two largest units: `4s`, `1m5s`, `2h0m`, `1d4h`.
#[must_use]
pub fn age(seconds: u64) -> String {
    match seconds {
        86400.. => format!("{}d{}h", seconds / 86400, seconds % 86400 / 3600),
        3600.. => format!("{}h{}m", seconds / 3600, seconds % 3600 / 60),
        60.. => format!("{}m{}s", seconds / 60, seconds % 60),
        _ => format!("{seconds}s"),
    }
}

#[cfg(test)]
pub(crate) mod tests;
