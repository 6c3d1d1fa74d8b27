//! Reading what a proxy says of itself.

use std::collections::HashMap;

use super::host::Host;

/// The table of `show stat`, or of the page's `;csv`.
#[derive(Debug)]
pub(crate) struct Stats {
    rows: Vec<HashMap<String, String>>,
}

impl Stats {
    /// Reads the comma-separated form, whose first line names the columns.
    pub(crate) fn parse(text: &str) -> Self {
        let mut lines = text.lines().filter(|line| !line.is_empty());
        let header = lines.next().unwrap_or_default();
        assert!(header.starts_with("# pxname,svname,"), "not a statistics table: {header:?}");
        let columns: Vec<&str> = header.trim_start_matches("# ").split(',').collect();
        let rows = lines
            .map(|line| {
                columns.iter().zip(line.split(',')).map(|(key, value)| ((*key).to_owned(), value.to_owned()))
            })
            .map(Iterator::collect)
            .collect();
        Self { rows }
    }

    /// One cell.
    ///
    /// # Panics
    /// When there is no such row or column.
    pub(crate) fn cell(&self, proxy: &str, server: &str, column: &str) -> &str {
        let row = self.rows.iter().find(|row| {
            row.get("pxname").map(String::as_str) == Some(proxy)
                && row.get("svname").map(String::as_str) == Some(server)
        });
        row.unwrap_or_else(|| panic!("no row {proxy}/{server}"))
            .get(column)
            .unwrap_or_else(|| panic!("no column {column}"))
    }

    /// Names of the proxies that have a frontend.
    pub(crate) fn frontends(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().filter(|row| row["svname"] == "FRONTEND").map(|row| row["pxname"].as_str())
    }

    /// The state of a server: `UP`, `DOWN`, `UP 1/3` ...
    pub(crate) fn status(&self, proxy: &str, server: &str) -> &str {
        self.cell(proxy, server, "status")
    }

    /// A cell that counts.
    pub(crate) fn number(&self, proxy: &str, server: &str, column: &str) -> u64 {
        self.cell(proxy, server, column).parse().unwrap_or_default()
    }
}

/// Asks the proxy on `host` as its operator does: `echo 'show stat' | socat stdio SOCKET`.
pub(crate) fn show_stat(host: &Host, socket: &str) -> Stats {
    Stats::parse(&host.sh(&format!("echo 'show stat' | socat stdio {socket}")))
}

/// An error as HAProxy had it before 3.1: the system's words alone.
pub(crate) fn before_3_1(text: &str) -> String {
    let kinds = ["ECONNREFUSED returned by OS (", "ECONNRESET returned by OS (", "General socket error ("];
    kinds.iter().fold(text.to_owned(), |text, kind| match text.split_once(kind) {
        Some((before, after)) => format!("{before}{}", after.replacen(')', "", 1)),
        None => text,
    })
}
