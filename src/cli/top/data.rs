//! What the sockets say, as the screen wants it.

use std::collections::HashMap;

use crate::metrics::Histogram;
use crate::vrrp::status::Status;

/// One row of `show stat`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Item {
    /// Proxy.
    pub(super) proxy: String,
    /// Server; `FRONTEND`, `BACKEND`.
    pub(super) name: String,
    /// `type`: 0 frontend, 1 backend, 2 server, 3 listener.
    pub(super) kind: u8,
    pub(super) status: String,
    pub(super) sessions: u64,
    pub(super) limit: Option<u64>,
    pub(super) queue: u64,
    /// Sessions, or requests of a frontend, per second.
    pub(super) rate: u64,
    pub(super) total: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) errors: u64,
    pub(super) weight: Option<u64>,
    pub(super) check: String,
    /// Seconds since the last change.
    pub(super) since: Option<u64>,
    /// Average response time, milliseconds.
    pub(super) response_ms: Option<u64>,
}

/// Counts per bucket, by proxy and server.
pub(super) type Latency = HashMap<(String, String), Vec<u64>>;

/// What one node said at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Snapshot {
    pub(super) info: HashMap<String, String>,
    pub(super) items: Vec<Item>,
    pub(super) latency: Latency,
    pub(super) vrrp: Vec<Status>,
}

/// Splits a line of comma-separated values; a quoted one may contain commas.
fn split(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let last = fields.len() - 1;
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                fields[last].push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields[last].push(c),
        }
    }
    fields
}

/// `show stat`; `None`: it is no table of statistics.
pub(super) fn items(csv: &str) -> Option<Vec<Item>> {
    let mut lines = csv.lines().filter(|line| !line.is_empty());
    let header = split(lines.next()?.strip_prefix("# ")?);
    let column = |name: &str| header.iter().position(|h| h == name);
    column("pxname")?;
    let one = |line: &str| {
        let fields = split(line);
        let text = |name| column(name).and_then(|at| fields.get(at)).cloned().unwrap_or_default();
        let maybe = |name| text(name).parse::<u64>().ok();
        let number = |name| maybe(name).unwrap_or(0);
        Item {
            proxy: text("pxname"),
            name: text("svname"),
            kind: number("type") as u8,
            status: text("status"),
            sessions: number("scur"),
            limit: maybe("slim").filter(|limit| *limit > 0),
            queue: number("qcur"),
            rate: number("rate").max(number("req_rate")),
            total: number("stot").max(number("req_tot")),
            bytes_in: number("bin"),
            bytes_out: number("bout"),
            errors: ["ereq", "econ", "eresp"].into_iter().map(number).sum(),
            weight: maybe("weight"),
            check: text("check_status"),
            since: maybe("lastchg"),
            response_ms: maybe("rtime"),
        }
    };
    Some(lines.map(one).collect())
}

/// `show info`.
pub(super) fn info(text: &str) -> HashMap<String, String> {
    let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    text.lines().filter_map(pair).collect()
}

/// `show latency`; empty from a program that does not know it.
pub(super) fn latency(text: &str) -> Latency {
    let one = |line: &str| {
        let mut words = line.split(' ');
        let key = (words.next()?.to_owned(), words.next()?.to_owned());
        let counts = words.map(str::parse).collect::<Result<Vec<u64>, _>>().ok()?;
        (counts.len() == Histogram::BOUNDS_US.len() + 1).then_some((key, counts))
    };
    text.lines().filter_map(one).collect()
}

/// The time, microseconds, that the share `q` of what came between two readings did not exceed.
pub(super) fn quantile_us(before: Option<&Vec<u64>>, now: &[u64], q: f64) -> Option<u64> {
    let passed = now.iter().enumerate().map(|(at, count)| {
        let old = before.and_then(|b| b.get(at)).copied().unwrap_or(0);
        count.checked_sub(old).unwrap_or(*count)
    });
    let counts = passed.collect::<Vec<_>>();
    Histogram::quantile_of(&counts, q)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_by_the_names_of_their_columns() {
        let text = "# pxname,svname,scur,slim,status,type,last_chk,check_status,weight,\nbe,s1,3,,UP 1/3,2,\"a, \"\"b\"\"\",L7OK,10,\n\n";
        let items = items(text).expect("a table");
        assert_eq!(items.len(), 1);
        let item = &items[0];
        assert_eq!((item.proxy.as_str(), item.name.as_str(), item.status.as_str()), ("be", "s1", "UP 1/3"));
        assert_eq!((item.sessions, item.limit, item.kind, item.weight), (3, None, 2, Some(10)));
        assert_eq!(item.check, "L7OK");
        assert_eq!(super::items("Unknown command\n"), None);
    }

    #[test]
    fn percentiles_are_those_of_what_came_since() {
        let zero = vec![0u64; Histogram::BOUNDS_US.len() + 1];
        let mut slow = zero.clone();
        slow[12] = 1000;
        let mut now = slow.clone();
        now[3] = 10;
        assert_eq!(quantile_us(Some(&slow), &now, 1.0), Some(1000));
        assert!(quantile_us(None, &now, 0.9).is_some_and(|us| us > 100_000));
        assert_eq!(quantile_us(Some(&now), &now, 0.5), None);
        let line = format!("be s1{}\nbe short 1 2\n", " 7".repeat(zero.len()));
        assert_eq!(latency(&line).len(), 1);
    }
}
