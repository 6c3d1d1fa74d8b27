//! Lines of `vrrp_instance` that stand on their own: VMAC, ipvlan, notify scripts, gratuitous ARP, switches.

use std::net::IpAddr;
use std::time::Duration;

use tandem_parser::Reason;
use tandem_parser::keepalived::{Statement, Word};

use super::address::IFNAME;
use super::context::Cx;
use super::instance::Draft;
use super::script::LONGEST_SECONDS;
use crate::ir::vrrp::{Instance, Ipvlan, IpvlanMode, MacAddr};

impl Cx<'_> {
    pub(super) fn vmac(&mut self, words: &[Word], instance: &mut Instance) {
        let mut vmac = instance.vmac.take().unwrap_or_default();
        for word in words[1..].iter().take(2) {
            let text = &word.text;
            if !text.contains(':') {
                if vmac.name.is_some() {
                    self.error(Reason::Duplicate, word.span, "VMAC interface name already specified");
                } else if text.len() > IFNAME || text.contains('/') || text == "." || text == ".." {
                    let text =
                        format!("VMAC interface name '{text}' too long or invalid characters - ignoring");
                    self.error(Reason::InvalidValue, word.span, text);
                } else {
                    vmac.name = Some(text.clone());
                }
                continue;
            }
            let bytes: Option<Vec<u8>> = text
                .split(':')
                .map(|part| u8::from_str_radix(part, 16).ok().filter(|_| part.len() <= 2))
                .collect();
            let problem = match bytes.as_deref() {
                _ if vmac.mac.is_some() => "VMAC interface address already specified".to_owned(),
                Some([first, ..]) if first & 1 == 1 => {
                    format!("VMAC MAC address is multicast {text} - ignoring")
                }
                Some(&[a, b, c, d, e, f]) => {
                    vmac.mac = Some(MacAddr([a, b, c, d, e, f]));
                    continue;
                }
                _ => format!("VMAC invalid MAC address {text} - ignored"),
            };
            self.error(Reason::InvalidValue, word.span, problem);
        }
        instance.vmac = Some(vmac);
    }

    pub(super) fn ipvlan(&mut self, words: &[Word], instance: &mut Instance) {
        if instance.ipvlan.is_some() {
            self.complain(Reason::Duplicate, format!("({}) use_ipvlan already specified", instance.name));
            return;
        }
        let mut ipvlan = Ipvlan::default();
        for word in &words[1..] {
            match word.text.as_str() {
                "bridge" => ipvlan.mode = IpvlanMode::Bridge,
                "private" => ipvlan.mode = IpvlanMode::Private,
                "vepa" => ipvlan.mode = IpvlanMode::Vepa,
                text if text.split('/').next().is_some_and(|addr| addr.parse::<IpAddr>().is_ok()) => {
                    ipvlan.addr = self.address(word, true);
                    if instance.src_ip.is_none() {
                        instance.src_ip = ipvlan.addr.map(|(addr, _)| addr);
                    }
                }
                text => ipvlan.name = Some(text.to_owned()),
            }
        }
        instance.ipvlan = Some(ipvlan);
    }

    pub(super) fn instance_notify(&mut self, child: &Statement, instance: &mut Instance, draft: &mut Draft) {
        let keyword = child.keyword.name;
        let name = instance.name.clone();
        if keyword == "notify_priority_changes" {
            match self.switch(&child.words) {
                Ok(on) => draft.priority_changes = Some(on),
                Err(word) => {
                    let (span, text) = (
                        word.span,
                        format!(
                            "({name}) Invalid value '{}' for notify_priority_changes specified",
                            word.text
                        ),
                    );
                    self.error(Reason::InvalidValue, span, text);
                }
            }
            return;
        }
        let notify = &mut instance.notify;
        let again = match keyword {
            "notify_deleted" => notify.announce_deleted,
            "notify_master" => notify.master.is_some(),
            "notify_backup" => notify.backup.is_some(),
            "notify_fault" => notify.fault.is_some(),
            "notify_stop" => notify.stop.is_some(),
            "notify_master_rx_lower_pri" => notify.master_rx_lower_pri.is_some(),
            _ => notify.generic.is_some(),
        };
        if again {
            let what = if keyword == "notify_deleted" { "" } else { " script" };
            let script = child.words.get(1).map_or("", |word| word.text.as_str());
            let text = format!("({name}) {keyword}{what} already specified - ignoring {script}");
            self.complain(Reason::Duplicate, text);
            return;
        }
        if keyword == "notify_deleted" {
            instance.notify.announce_deleted = true;
            if child.words.len() < 2 {
                return;
            }
        }
        let script = self.notify(child, "notify");
        let notify = &mut instance.notify;
        let slot = match keyword {
            "notify_deleted" => &mut notify.deleted,
            "notify_master" => &mut notify.master,
            "notify_backup" => &mut notify.backup,
            "notify_fault" => &mut notify.fault,
            "notify_stop" => &mut notify.stop,
            "notify_master_rx_lower_pri" => &mut notify.master_rx_lower_pri,
            _ => &mut notify.generic,
        };
        *slot = script;
    }

    pub(super) fn instance_garp(&mut self, words: &[Word], instance: &mut Instance, draft: &mut Draft) {
        let Some(word) = self.parameter(words, 1).cloned() else { return };
        let (keyword, name) = (words[0].text.as_str(), instance.name.clone());
        let most = match keyword {
            "garp_master_delay" | "garp_lower_prio_delay" => LONGEST_SECONDS,
            "garp_lower_prio_repeat" => i32::MAX as u32,
            _ => u32::MAX,
        };
        let Some(count) = self.unsigned(&word, 0, most, true) else {
            let text = match keyword {
                "garp_master_refresh" => format!("({name}): Invalid {keyword} '{}' - ignoring", word.text),
                "garp_lower_prio_repeat" => format!("({name}): Invalid {keyword} '{}'", word.text),
                _ => format!("({name}): {keyword} '{}' invalid - ignoring", word.text),
            };
            self.error(Reason::OutOfRange, word.span, text);
            return;
        };
        let at_least_one =
            if count == 0 && matches!(keyword, "garp_master_repeat" | "garp_master_refresh_repeat") {
                let text = format!("({name}): {keyword} must be greater than 0, setting to 1");
                self.error(Reason::OutOfRange, word.span, text);
                1
            } else {
                count
            };
        let seconds = Duration::from_secs(u64::from(count));
        match keyword {
            "garp_master_delay" => instance.garp.master_delay = seconds,
            "garp_master_refresh" => instance.garp.master_refresh = seconds,
            "garp_master_repeat" => instance.garp.master_repeat = at_least_one,
            "garp_master_refresh_repeat" => instance.garp.master_refresh_repeat = at_least_one,
            "garp_lower_prio_delay" => draft.garp_lower_prio_delay = Some(seconds),
            _ => draft.garp_lower_prio_repeat = Some(count),
        }
    }

    pub(super) fn instance_switch(&mut self, words: &[Word], instance: &mut Instance, draft: &mut Draft) {
        let (keyword, name) = (words[0].text.as_str(), instance.name.clone());
        match keyword {
            "dont_track_primary" => instance.dont_track_primary = true,
            "track_src_ip" => instance.track_src_ip = true,
            "promote_secondaries" => instance.promote_secondaries = true,
            "accept" => draft.accept = Some(true),
            "no_accept" => draft.accept = Some(false),
            "preempt" => instance.preempt = true,
            "nopreempt" => instance.preempt = false,
            "owner_ignore_adverts" => instance.owner_ignore_adverts = true,
            "v3_checksum_as_v2" => instance.v3_checksum_as_v2 = true,
            "timer_expired_backup" | "thread_timer_expired" => {
                if keyword == "thread_timer_expired" {
                    let text = format!(
                        "({name}) thread_timer_expired - please replace with keyword 'timer_expired_backup'"
                    );
                    self.complain(Reason::Retired, text).edit(words[0].span, "timer_expired_backup");
                }
                let Some(word) = words.get(1).cloned() else { return };
                match self.unsigned(&word, 1, 254, false).and_then(|value| u8::try_from(value).ok()) {
                    Some(priority) => instance.timer_expired_backup = priority,
                    None => {
                        let text = format!(
                            "({name}) timer_expired_backup highest_other_priority not valid! must be between 1 & 254"
                        );
                        self.error(Reason::OutOfRange, word.span, text);
                    }
                }
            }
            "down_timer_adverts" => {
                let Some(word) = self.parameter(words, 1).cloned() else { return };
                match self.unsigned(&word, 1, 100, true) {
                    Some(count) => instance.down_timer_adverts = count,
                    None => {
                        let text = format!("({name}): Invalid down_timer_adverts [1:100] '{}'", word.text);
                        self.error(Reason::OutOfRange, word.span, text);
                    }
                }
            }
            "skip_check_adv_addr"
            | "strict_mode"
            | "lower_prio_no_advert"
            | "higher_prio_send_advert"
            | "smtp_alert" => {
                let on = match self.switch(words) {
                    Ok(on) => on,
                    Err(word) => {
                        let text = if keyword == "smtp_alert" {
                            format!("Invalid vrrp_instance smtp_alert parameter {}", word.text)
                        } else {
                            format!("({name}) invalid {keyword} {} specified", word.text)
                        };
                        let span = word.span;
                        self.error(Reason::InvalidValue, span, text).help("write on or off");
                        return;
                    }
                };
                match keyword {
                    // 2.2.7 sets it for `off` too; that is not what anybody who writes `off` means.
                    "skip_check_adv_addr" => instance.skip_check_adv_addr = on,
                    "strict_mode" => draft.strict = Some(on),
                    "lower_prio_no_advert" => draft.lower_prio_no_advert = Some(on),
                    "higher_prio_send_advert" => draft.higher_prio_send_advert = Some(on),
                    _ => draft.smtp_alert = Some(on),
                }
            }
            _ => {}
        }
    }
}
