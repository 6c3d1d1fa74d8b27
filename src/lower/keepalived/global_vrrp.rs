//! `global_defs` lines with numbers that VRRP and the daemon's own tuning use.

use std::net::IpAddr;
use std::time::Duration;

use tandem_parser::Reason;
use tandem_parser::keepalived::Word;

use super::context::Cx;
use super::script::LONGEST_SECONDS;
use crate::ir::vrrp::{GlobalDefs, ReceiveBuffer, VipLifetime};

const GARP_REPEAT: u32 = 5;

impl Cx<'_> {
    pub(super) fn multicast_group(&mut self, words: &[Word]) {
        let Some(word) = self.parameter(words, 1) else { return };
        let name = words[0].text.as_str();
        let (text, span) = (&word.text, word.span);
        let problem = match (text.parse::<IpAddr>(), name.ends_with('4')) {
            (Err(_), _) => format!("Can't parse {name} [{text}]. Skipping"),
            (Ok(IpAddr::V6(_)), true) => format!("{name} [{text}] is not IPv4. Skipping"),
            (Ok(IpAddr::V4(_)), false) => format!("{name} [{text}] is not IPv6. Skipping"),
            (Ok(addr), _) if !addr.is_multicast() => format!("{name} [{text}] is not multicast. Skipping"),
            (Ok(IpAddr::V4(group)), true) => return self.config.global.mcast_group4 = group,
            (Ok(IpAddr::V6(group)), false) => {
                self.config.global.mcast_group6 = group;
                if group.segments()[0] & 0xf == 2 {
                    return;
                }
                format!("{name} [{text}] should be link-local multicast.")
            }
        };
        self.error(Reason::InvalidValue, span, problem);
    }

    /// `..._rcv_bufs BYTES`.
    pub(super) fn receive_buffer(&mut self, words: &[Word]) {
        let name = words[0].text.clone();
        let Some(word) = words.get(1).cloned() else {
            self.complain(Reason::MissingArgument, format!("{name} size missing"));
            return;
        };
        match self.unsigned(&word, 0, u32::MAX, false) {
            Some(size) => {
                if let Some(buffer) = self.config.global.buffer(&name) {
                    buffer.size = size;
                }
            }
            None => {
                let text = format!("{name} size ({}) invalid", word.text);
                self.error(Reason::InvalidValue, word.span, text);
            }
        }
    }

    /// `vrrp_rx_bufs_policy MTU|ADVERT|BYTES`.
    pub(super) fn rx_bufs_policy(&mut self, words: &[Word]) {
        if words.len() < 2 {
            self.complain(Reason::MissingArgument, "vrrp_rx_bufs_policy missing");
            return;
        }
        for word in &words[1..] {
            let policy = &mut self.config.global.rx_bufs;
            if word.text.eq_ignore_ascii_case("MTU") {
                policy.mtu = true;
            } else if word.text.eq_ignore_ascii_case("ADVERT") {
                policy.advert = true;
            } else if let Some(size) = self.unsigned(word, 0, u32::MAX, false) {
                self.config.global.rx_bufs.size = Some(size);
            } else {
                let text = format!("Invalid vrrp_rx_bufs_policy {}", word.text);
                self.error(Reason::InvalidValue, word.span, text);
            }
        }
        let policy = &mut self.config.global.rx_bufs;
        let problem = if policy.size.is_some() && (policy.mtu || policy.advert) {
            (policy.mtu, policy.advert) = (false, false);
            "Cannot set vrrp_rx_bufs_policy size and policy, ignoring policy"
        } else if policy.mtu && policy.advert {
            policy.advert = false;
            "Cannot set both vrrp_rx_bufs_policy MTU and ADVERT, ignoring ADVERT"
        } else {
            return;
        };
        self.complain(Reason::Conflict, problem);
    }

    /// `vrrp_rx_bufs_multiplier N`.
    pub(super) fn rx_bufs_multiplier(&mut self, words: &[Word]) {
        let [_, word] = words else {
            self.complain(Reason::MissingArgument, "Invalid vrrp_rx_bufs_multiplier");
            return;
        };
        match self.unsigned(word, 1, u32::MAX, false) {
            Some(count) => self.config.global.rx_bufs.multiplier = count,
            None => {
                let text = format!("Invalid vrrp_rx_bufs_multiplier {}", word.text);
                self.error(Reason::InvalidValue, word.span, text);
            }
        }
    }

    pub(super) fn startup_delay(&mut self, words: &[Word]) {
        let Some(word) = self.parameter(words, 1).cloned() else { return };
        let name = &words[0].text;
        let longest = Duration::from_micros(u64::from(u32::MAX));
        match self.seconds(&word, Duration::from_millis(1), longest) {
            Some(delay) => {
                if delay >= Duration::from_secs(60) {
                    self.log(word.span, format!("The {name} is very large - {} seconds", word.text));
                }
                if name == "vrrp_startup_delay" {
                    self.config.global.startup_delay = delay;
                } else {
                    self.config.global.delay_after_boot = delay;
                }
            }
            None => {
                self.error(Reason::OutOfRange, word.span, format!("{name} '{}' is invalid", word.text)).done()
            }
        }
    }

    /// `vip_lifetime off` or seconds. Not a keyword of keepalived.
    pub(super) fn vip_lifetime(&mut self, words: &[Word]) {
        let Some(word) = self.parameter(words, 1).cloned() else { return };
        let lifetime = match word.text.as_str() {
            "off" | "no" | "false" => Some(VipLifetime::Off),
            "on" | "yes" | "true" | "auto" => Some(VipLifetime::Auto),
            _ => self.unsigned(&word, 2, 86_400, false).map(VipLifetime::Seconds),
        };
        match lifetime {
            Some(lifetime) => self.config.global.vip_lifetime = lifetime,
            None => self
                .error(Reason::OutOfRange, word.span, format!("vip_lifetime '{}' is invalid", word.text))
                .help("write off, auto, or seconds from 2 to 86400")
                .done(),
        }
    }

    pub(super) fn umask(&mut self, words: &[Word]) {
        let Some(word) = self.parameter(words, 1) else { return };
        let bits = if word.text.starts_with(|c: char| c.is_ascii_digit()) {
            u32::from_str_radix(&word.text, 8).ok()
        } else {
            let joined: String = words[1..].iter().map(|word| word.text.as_str()).collect();
            joined.split('|').try_fold(0, |bits, name| {
                let who = name.strip_prefix('I').unwrap_or(name);
                let shift = match who.get(1..) {
                    Some("USR") => 6,
                    Some("GRP") => 3,
                    Some("OTH") => 0,
                    _ => return None,
                };
                let bit = match who.get(..1) {
                    Some("R") => 4,
                    Some("W") => 2,
                    Some("X") => 1,
                    _ => return None,
                };
                Some(bits | bit << shift)
            })
        };
        match bits.filter(|bits| *bits <= 0o777) {
            Some(bits) => self.config.global.umask = Some(bits),
            None => self
                .error(Reason::InvalidValue, word.span, format!("invalid umask value {}", word.text))
                .done(),
        }
    }

    pub(super) fn global_garp(&mut self, words: &[Word]) {
        let name = words[0].text.clone();
        if name == "vrrp_min_garp" {
            match self.switch(words) {
                Ok(false) if words.len() > 1 => {}
                Ok(_) => {
                    let garp = &mut self.config.global.garp;
                    if garp.master_repeat == GARP_REPEAT {
                        garp.master_repeat = 1;
                    }
                    if garp.master_refresh_repeat == 1 {
                        garp.master_refresh_repeat = 0;
                    }
                    if garp.master_delay == Duration::from_secs(5) {
                        garp.master_delay = Duration::ZERO;
                    }
                    self.config.global.min_garp = true;
                }
                Err(_) => {
                    self.complain(Reason::InvalidValue, "Invalid value for vrrp_min_garp specified").done()
                }
            }
            return;
        }
        if name == "vrrp_garp_extra_if" || name == "vrrp_vmac_garp_intvl" {
            let extra = self.extra_if(words, None, 1);
            self.config.global.garp_extra_if = extra.map(|(time, _)| time);
            self.config.global.garp_extra_if_all = extra.is_some_and(|(_, all)| all);
            return;
        }
        let Some(word) = self.parameter(words, 1).cloned() else { return };
        let seconds = |count: u32| Duration::from_secs(u64::from(count));
        let invalid = match name.as_str() {
            "vrrp_garp_interval" | "vrrp_gna_interval" => {
                let longest = Duration::from_micros(u64::from(u32::MAX));
                let Some(time) = self.seconds(&word, Duration::from_micros(1), longest) else {
                    self.error(Reason::OutOfRange, word.span, format!("{name} '{}' is invalid", word.text));
                    return;
                };
                if time >= Duration::from_secs(1) {
                    self.log(word.span, format!("The {name} is very large - {} seconds", word.text));
                }
                let global = &mut self.config.global;
                let slot = if name == "vrrp_garp_interval" {
                    &mut global.garp_interval
                } else {
                    &mut global.gna_interval
                };
                *slot = Some(time);
                return;
            }
            "vrrp_garp_master_refresh" | "vrrp_garp_lower_prio_repeat" => {
                format!("Invalid {name} '{}'", word.text)
            }
            _ => format!("{name} '{}' invalid - ignoring", word.text),
        };
        let most = if name.ends_with("delay") { LONGEST_SECONDS } else { u32::MAX };
        let Some(mut count) = self.unsigned(&word, 0, most, true) else {
            let tail = if name == "vrrp_garp_master_refresh" { " - ignoring" } else { "" };
            self.error(Reason::OutOfRange, word.span, format!("{invalid}{tail}"));
            return;
        };
        if count == 0
            && matches!(name.as_str(), "vrrp_garp_master_repeat" | "vrrp_garp_master_refresh_repeat")
        {
            self.error(Reason::OutOfRange, word.span, format!("{name} must be greater than 0, setting to 1"));
            count = 1;
        }
        let garp = &mut self.config.global.garp;
        match name.as_str() {
            "vrrp_garp_master_delay" => garp.master_delay = seconds(count),
            "vrrp_garp_master_repeat" => garp.master_repeat = count,
            "vrrp_garp_master_refresh" => garp.master_refresh = seconds(count),
            "vrrp_garp_master_refresh_repeat" => garp.master_refresh_repeat = count,
            "vrrp_garp_lower_prio_delay" => garp.lower_prio_delay = Some(seconds(count)),
            _ => garp.lower_prio_repeat = Some(count),
        }
    }

    /// `[all] SECONDS` of `garp_extra_if`, global or of an instance.
    pub(super) fn extra_if(
        &mut self,
        words: &[Word],
        instance: Option<&str>,
        least: u32,
    ) -> Option<(Duration, bool)> {
        let name = &words[0].text;
        let head = instance.map_or_else(String::new, |instance| format!("({instance}): "));
        let (mut all, mut time) = (false, None);
        for word in &words[1..] {
            if word.text == "all" {
                all = true;
                continue;
            }
            let Some(seconds) = self.unsigned(word, least, 86_400, true) else {
                self.error(
                    Reason::OutOfRange,
                    word.span,
                    format!("{head}{name} '{}' invalid - ignoring", word.text),
                );
                return None;
            };
            time = Some(Duration::from_secs(u64::from(seconds)));
        }
        if time.is_none() {
            self.complain(Reason::MissingArgument, format!("{head}{name} specified without time - ignoring"));
        }
        time.map(|time| (time, all))
    }

    pub(super) fn tuning(&mut self, words: &[Word]) {
        let name = words[0].text.clone();
        let Some(word) = words.get(1).cloned() else {
            let text = match name.as_str() {
                "vrrp_priority" => "No vrrp process priority specified",
                "vrrp_rt_priority" => "No vrrp process real-time priority specified",
                "vrrp_cpu_affinity" => "No vrrp cpu_id set specified",
                _ => {
                    self.parameter(words, 1);
                    return;
                }
            };
            self.complain(Reason::MissingArgument, text);
            return;
        };
        match name.as_str() {
            "vrrp_priority" => {
                let (value, taken) = self.integer(&word, -20, 19, true);
                if taken {
                    self.config.global.vrrp_tuning.nice = i8::try_from(value).ok();
                } else {
                    self.error(Reason::OutOfRange, word.span, "Invalid vrrp process priority specified");
                }
            }
            "vrrp_rt_priority" => {
                let (value, taken) = self.integer(&word, i64::from(i32::MIN), i64::from(i32::MAX), true);
                if !taken {
                    let text = format!("vrrp process real-time priority '{}' invalid", word.text);
                    self.error(Reason::InvalidValue, word.span, text);
                    return;
                }
                if !(1..=99).contains(&value) {
                    let (than, limit, word_) = if value < 1 {
                        ("less than minimum", 1, "minimum")
                    } else {
                        ("greater than maximum", 99, "maximum")
                    };
                    let text = format!(
                        "vrrp process real-time priority {value} {than} {limit} - setting to {word_}"
                    );
                    self.error(Reason::OutOfRange, word.span, text);
                }
                self.config.global.vrrp_tuning.rt_priority = u8::try_from(value.clamp(1, 99)).ok();
            }
            "vrrp_cpu_affinity" => {
                let cpus: Option<Vec<u32>> = words[1..].iter().map(|word| word.text.parse().ok()).collect();
                match cpus {
                    Some(cpus) => self.config.global.vrrp_tuning.cpus = cpus,
                    None => self
                        .error(Reason::InvalidValue, word.span, "Invalid cpu_id:0 specified for vrrp process")
                        .done(),
                }
            }
            _ => match self.unsigned(&word, 1, u32::MAX, true) {
                Some(limit) => self.config.global.vrrp_tuning.rlimit_rttime = Some(u64::from(limit.max(2))),
                None => {
                    self.error(
                        Reason::OutOfRange,
                        word.span,
                        format!("Invalid vrrp real-time limit - {}", word.text),
                    );
                }
            },
        }
    }

    pub(super) fn auto_priority(&mut self, words: &[Word]) {
        let name = words[0].text.clone();
        let max = name == "max_auto_priority";
        let Some(word) = words.get(1).cloned() else {
            if max {
                self.config.global.vrrp_tuning.max_auto_priority = 99;
            } else {
                self.complain(Reason::MissingArgument, "min_auto_priority_delay requires delay time");
            }
            return;
        };
        let (low, high) = if max { (-1, 99) } else { (1, 10_000_000) };
        let (value, taken) = self.integer(&word, low, high, true);
        if !taken {
            let range = if max { "[0, 99] (or -1 to disable)" } else { "[1, 10000000]" };
            let text = format!("{name} '{}' must be in {range} - ignoring", word.text);
            self.error(Reason::OutOfRange, word.span, text);
        } else if max {
            self.config.global.vrrp_tuning.max_auto_priority = i32::try_from(value).unwrap_or(0);
        } else {
            let delay = Duration::from_micros(u64::try_from(value).unwrap_or(1));
            self.config.global.vrrp_tuning.min_auto_priority_delay = Some(delay);
        }
    }
}

impl GlobalDefs {
    /// What a `..._rcv_bufs` keyword sets; `None`: it is of a process there is none of here.
    pub(super) fn buffer(&mut self, keyword: &str) -> Option<&mut ReceiveBuffer> {
        match keyword {
            "vrrp_netlink_cmd_rcv_bufs" => Some(&mut self.netlink_cmd),
            "vrrp_netlink_monitor_rcv_bufs" => Some(&mut self.netlink_monitor),
            "process_monitor_rcv_bufs" => Some(&mut self.process_monitor),
            _ => None,
        }
    }
}
