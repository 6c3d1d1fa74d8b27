//! What HAProxy's page does not have: sparklines, and the VRRP instances of the machine.

use std::fmt::Write;
use std::time::SystemTime;

use super::cells::{age, escape};
use crate::stats::watch::INTERVAL;
use crate::sys::clock;
use crate::vrrp::status::Status;

/// Height of a sparkline, in its own units; a count is one unit wide.
const HEIGHT: u64 = 14;

/// A line of the counts of the last minutes. Nothing until there are two.
pub(super) fn sparkline(counts: &[u32]) -> String {
    if counts.len() < 2 {
        return String::new();
    }
    let most = u64::from(counts.iter().copied().max().unwrap_or(0));
    let y = |count: u32| HEIGHT - (u64::from(count) * (HEIGHT - 1)).div_ceil(most.max(1));
    // The newest is always at the right edge.
    let first = 60usize.saturating_sub(counts.len());
    let mut path = format!("M{first} {HEIGHT}");
    for (x, count) in (first..).zip(counts) {
        // Writing into a String cannot fail.
        let _ = write!(path, "L{x} {}", y(*count));
    }
    let _ = write!(path, "L59 {HEIGHT}Z");
    let per_second = most as f64 / INTERVAL.as_secs_f64();
    format!(
        "<svg class=\"sp\" viewBox=\"0 0 59 {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\"><title>The last {} of \
         5 minutes, at most {per_second:.1}/s</title><path d=\"{path}\"/></svg>",
        age(counts.len() as i64 * INTERVAL.as_secs() as i64)
    )
}

/// The instances as cards.
pub(super) fn vrrp(out: &mut String, instances: &[Status]) {
    if instances.is_empty() {
        return;
    }
    let now = clock::wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    out.push_str("<section class=\"vrrp\" aria-label=\"VRRP\">");
    for one in instances {
        let class = match one.state.as_str() {
            "MASTER" => "active_up",
            "BACKUP" => "backup_up",
            "FAULT" => "active_down",
            _ => "active_no_check",
        };
        let _ = write!(
            out,
            "<div class=\"card {class}\"><b>{}</b> <span class=\"state\">{}</span>",
            escape(&one.name),
            escape(&one.state)
        );
        if one.since > 0.0 {
            let _ = write!(out, " <span>since {}</span>", age((now - one.since).max(0.0) as i64));
        }
        let _ = write!(out, "<div>{}, id {}, priority {}", escape(&one.interface), one.vrid, one.priority);
        if one.priority != one.base_priority {
            let _ = write!(out, " (of {})", one.base_priority);
        }
        let _ = write!(out, ", {}&times; master</div>", one.counter("become_master"));
        for address in &one.addresses {
            let _ = write!(out, "<code>{}</code>", escape(address.split(' ').next().unwrap_or_default()));
        }
        out.push_str("</div>");
    }
    out.push_str("</section>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_at_the_right_and_touches_the_top() {
        assert_eq!(sparkline(&[5]), "");
        let line = sparkline(&[0, 10, 5]);
        assert!(line.contains("d=\"M57 14L57 14L58 1L59 7L59 14Z\""), "{line}");
        assert!(line.contains("at most 2.0/s"));
        assert!(sparkline(&[0, 0]).contains("L59 14L59 14Z"));
        assert!(sparkline(&[u32::MAX; 60]).contains("M0 14L0 1L1 1"));
    }
}
