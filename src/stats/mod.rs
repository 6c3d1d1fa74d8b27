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
pub mod servers;
pub mod steer;
pub mod typed;
pub mod watch;

pub use row::{Kind, Row};
pub use rows::Selection;

#[cfg(test)]
pub(crate) mod tests;
