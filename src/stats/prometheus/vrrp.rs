//! `tandem_vrrp_*`: the VRRP instances of this machine.

use super::Scrape;
use super::text::{Type, label};
use crate::vrrp::status::Status;

/// States, in the order of their lines.
const STATES: [&str; 5] = ["INIT", "BACKUP", "MASTER", "FAULT", "STOP"];

/// Counters: name here, keepalived's name, what it is.
const COUNTERS: [(&str, &str, &str); 6] = [
    ("adverts_received_total", "advert_rcvd", "Valid advertisements received"),
    ("adverts_sent_total", "advert_sent", "Advertisements sent"),
    ("become_master_total", "become_master", "Times the instance became master"),
    ("release_master_total", "release_master", "Times it stopped being master"),
    ("priority_zero_received_total", "pri_zero_rcvd", "Masters that said they leave"),
    ("priority_zero_sent_total", "pri_zero_sent", "Times it said itself that it leaves"),
];

/// Counters of rejected advertisements; the reason is a label.
const REASONS: [&str; 8] = [
    "packet_len_err",
    "ip_ttl_err",
    "invalid_type_rcvd",
    "advert_interval_err",
    "addr_list_err",
    "invalid_authtype",
    "authtype_mismatch",
    "auth_failure",
];

/// Writes them; nothing if there is no engine on this machine.
pub(super) fn write(scrape: &mut Scrape<'_>) {
    let found = scrape.watch.vrrp();
    let instances = found.iter().map(|one| (labels(one), one)).collect::<Vec<_>>();
    if instances.is_empty() {
        return;
    }
    if begin(scrape, "state", "1 for the state the instance is in", Type::Gauge) {
        for (labels, one) in &instances {
            for state in STATES {
                let value = u8::from(one.state == state);
                scrape.text.value("tandem_vrrp_state", labels, Some(("state", state)), value);
            }
        }
    }
    type Read = fn(&Status) -> f64;
    let gauges: [(&str, &str, Read); 5] = [
        ("priority", "Priority now", |s| s.priority.into()),
        ("base_priority", "Priority as configured", |s| s.base_priority.into()),
        ("master_priority", "Priority of the last master heard; 0: none", |s| s.master_priority.into()),
        ("holds_addresses", "1 while the addresses are installed here", |s| {
            u8::from(s.holds_addresses).into()
        }),
        ("last_transition_seconds", "Time of the last transition, seconds since 1970", |s| s.since),
    ];
    for (suffix, help, read) in gauges {
        if begin(scrape, suffix, help, Type::Gauge) {
            let name = format!("tandem_vrrp_{suffix}");
            instances.iter().for_each(|(labels, one)| scrape.text.value(&name, labels, None, read(one)));
        }
    }
    for (suffix, counter, help) in COUNTERS {
        if begin(scrape, suffix, help, Type::Counter) {
            let name = format!("tandem_vrrp_{suffix}");
            instances
                .iter()
                .for_each(|(labels, one)| scrape.text.value(&name, labels, None, one.counter(counter)));
        }
    }
    if begin(scrape, "rejected_adverts_total", "Advertisements that were not accepted", Type::Counter) {
        for (labels, one) in &instances {
            for reason in REASONS {
                let more = Some(("reason", reason));
                scrape.text.value("tandem_vrrp_rejected_adverts_total", labels, more, one.counter(reason));
            }
        }
    }
}

/// The introduction, if the metric is wanted.
fn begin(scrape: &mut Scrape<'_>, suffix: &str, help: &str, kind: Type) -> bool {
    let name = format!("tandem_vrrp_{suffix}");
    let wanted = scrape.query.wants_metric(&name);
    if wanted {
        scrape.text.head(&name, help, kind);
    }
    wanted
}

fn labels(one: &Status) -> String {
    let mut labels = String::new();
    label(&mut labels, "instance", &one.name);
    label(&mut labels, "interface", &one.interface);
    label(&mut labels, "vrid", &one.vrid.to_string());
    labels
}
