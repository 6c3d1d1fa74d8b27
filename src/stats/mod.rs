//! Snapshots rendered as CSV, HTML, JSON.
