//! `vrrp_instance` as written. What depends on the rest of the file is left to `complete`.

use std::net::IpAddr;
use std::time::Duration;

use tandem_parser::keepalived::{Class, Statement, Voice, Word};
use tandem_parser::{Reason, Span};

use super::address::IFNAME;
use super::context::Cx;
use super::env::Interface;
use super::hmac::HmacDraft;
use super::track::Tracked;
use crate::ir::vrrp::{AuthPass, InitialState, Instance, LvsSyncDaemon, UnicastChecksum, Version, Vmac};

/// Longest `preempt_delay`, seconds.
const TIMER_MAX_SECONDS: u64 = 1000;

/// `auth_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AuthType {
    Pass,
    Ah,
}

/// An instance and what it leaves open.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) span: Span,
    /// `Some(true)`: IPv6.
    pub(super) family: Option<bool>,
    pub(super) version: Option<Version>,
    pub(super) vrid: Option<u8>,
    pub(super) priority: Option<u8>,
    pub(super) state: Option<InitialState>,
    pub(super) advert_interval: Option<Duration>,
    pub(super) ttl: Option<u8>,
    pub(super) auth_type: Option<AuthType>,
    pub(super) auth_pass: Option<AuthPass>,
    pub(super) hmac: Option<HmacDraft>,
    pub(super) accept: Option<bool>,
    pub(super) strict: Option<bool>,
    pub(super) lower_prio_no_advert: Option<bool>,
    pub(super) higher_prio_send_advert: Option<bool>,
    pub(super) garp_lower_prio_delay: Option<Duration>,
    pub(super) garp_lower_prio_repeat: Option<u32>,
    pub(super) extra_if: Option<(Duration, bool)>,
    pub(super) smtp_alert: Option<bool>,
    pub(super) priority_changes: Option<bool>,
    pub(super) unicast_word: bool,
    pub(super) fault_without_peers: bool,
    pub(super) check_src: bool,
    pub(super) checksum: UnicastChecksum,
    pub(super) peers: Vec<(IpAddr, (u8, u8))>,
    pub(super) mcast_group: Option<IpAddr>,
    pub(super) interface: Option<Interface>,
    pub(super) no_vip_on_purpose: bool,
}

impl Draft {
    /// Whether an address of this family fits; the first one decides.
    fn accepts(&mut self, ipv6: bool) -> bool {
        *self.family.get_or_insert(ipv6) == ipv6
    }
}

impl Cx<'_> {
    /// `vrrp_instance NAME { ... }`.
    pub(super) fn instance(&mut self, statement: &Statement) -> Option<Draft> {
        self.here = statement.span;
        let [_, name] = statement.words.as_slice() else {
            self.complain(Reason::MissingArgument, "vrrp_instance must have a name");
            return None;
        };
        let name = name.text.clone();
        if self.config.instances.iter().any(|known| known.name == name) {
            self.complain(Reason::Duplicate, format!("vrrp instance {name} already defined"));
            return None;
        }
        let global = &self.config.global;
        let mut instance = Instance::new(name);
        instance.place = self.place(statement.span);
        instance.skip_check_adv_addr = global.skip_check_adv_addr;
        instance.down_timer_adverts = global.down_timer_adverts;
        instance.garp.master_delay = global.garp.master_delay;
        instance.garp.master_repeat = global.garp.master_repeat;
        instance.garp.master_refresh = global.garp.master_refresh;
        instance.garp.master_refresh_repeat = global.garp.master_refresh_repeat;
        instance.owner_ignore_adverts = global.owner_ignore_adverts;
        instance.v3_checksum_as_v2 = global.v3_checksum_as_v2;
        let mut draft = Draft { span: statement.span, ..Draft::default() };
        let mut tracked = Tracked::default();
        for child in statement.children() {
            self.here = child.span;
            self.effect(child);
            if !self.track(child, &instance.name, &mut tracked) {
                self.instance_line(child, &mut instance, &mut draft);
            }
        }
        instance.track_interfaces = tracked.interfaces;
        instance.track_scripts = tracked.scripts;
        instance.track_files = tracked.files;
        instance.track_processes = tracked.processes;
        instance.track_proxies = tracked.proxies;
        instance.track_bfd = tracked.bfd;
        self.here = statement.end();
        self.end_instance(&mut instance, &mut draft);
        self.instance_spans.push(statement.span);
        self.config.instances.push(instance);
        Some(draft)
    }

    fn end_instance(&mut self, instance: &mut Instance, draft: &mut Draft) {
        let name = &instance.name;
        if draft.unicast_word && (instance.vmac.is_some() || instance.ipvlan.is_some()) {
            if draft.interface.is_none() {
                let text = format!(
                    "({name}): Cannot use VMAC/ipvlan with unicast and no interface - clearing use_vmac"
                );
                self.complain(Reason::Conflict, text);
                instance.vmac = None;
                instance.ipvlan = None;
            } else if !instance.vmac.as_ref().is_some_and(|vmac| vmac.xmit_base) {
                let text = format!("({name}) unicast with use_vmac requires vmac_xmit_base - setting");
                self.complain(Reason::Conflict, text);
                if let Some(vmac) = &mut instance.vmac {
                    vmac.xmit_base = true;
                }
            }
        }
        if draft.peers.is_empty() && draft.ttl.is_some() {
            let text =
                format!("({}): Cannot use unicast_ttl without unicast peers - resetting", instance.name);
            self.complain(Reason::Conflict, text);
            draft.ttl = None;
        }
    }

    fn instance_line(&mut self, child: &Statement, instance: &mut Instance, draft: &mut Draft) {
        let words = &child.words;
        let name = instance.name.clone();
        match child.keyword.name {
            "state" => self.state(words, &name, draft),
            "interface" => self.instance_interface(words, instance, draft),
            "vrf" => self.vrf(words, instance, draft),
            "virtual_router_id" => {
                let Some(word) = self.parameter(words, 1).cloned() else { return };
                match self.unsigned(&word, 1, 255, false) {
                    Some(vrid) => draft.vrid = u8::try_from(vrid).ok(),
                    None => {
                        let text =
                            format!("({name}): VRID '{}' not valid - must be between 1 & 255", word.text);
                        self.error(Reason::OutOfRange, word.span, text);
                    }
                }
            }
            "priority" => {
                let Some(word) = self.parameter(words, 1).cloned() else { return };
                let priority = self.unsigned(&word, 1, 255, false);
                if priority.is_none() {
                    let text =
                        format!("({name}) Priority not valid! must be between 1 & 255. Using default 100");
                    self.error(Reason::OutOfRange, word.span, text);
                }
                draft.priority = priority.map_or(Some(100), |priority| u8::try_from(priority).ok());
            }
            "advert_int" => {
                let Some(word) = self.parameter(words, 1).cloned() else { return };
                draft.advert_interval =
                    match self.seconds(&word, Duration::from_millis(10), Duration::from_secs(255)) {
                        Some(interval) => Some(interval),
                        None => {
                            let text = format!(
                                "({name}) Advert interval ({}) not valid! Must be > 0 - ignoring",
                                word.text
                            );
                            self.error(Reason::OutOfRange, word.span, text);
                            draft.advert_interval
                        }
                    };
            }
            "version" => self.version(words, &name, draft),
            "native_ipv6" if draft.family == Some(false) => {
                self.complain(
                    Reason::Conflict,
                    format!("({name}) Cannot specify native_ipv6 with IPv4 addresses"),
                );
            }
            "native_ipv6" => {
                draft.family = Some(true);
                draft.version = Some(Version::V3);
            }
            "authentication" => self.authentication(child, &name, draft),
            "auth_hmac" => self.auth_hmac(child, &name, draft),
            "virtual_ipaddress" => self.vips(child, instance, draft),
            "virtual_ipaddress_excluded" => {
                for line in child.values() {
                    instance.excluded_vips.extend(self.vip(line).map(|(vip, _)| vip));
                }
            }
            "no_virtual_ipaddress" => draft.no_vip_on_purpose = true,
            "virtual_routes" => instance.routes = self.routes(child.values()),
            "virtual_rules" => instance.rules = self.rules(child.values()),
            "unicast_peer" => {
                draft.unicast_word = true;
                child.values().iter().for_each(|line| self.unicast_peer(line, &name, draft));
            }
            "unicast_fault_no_peer" => {
                draft.unicast_word = true;
                draft.fault_without_peers = true;
            }
            "check_unicast_src" => {
                draft.unicast_word = true;
                draft.check_src = true;
            }
            "old_unicast_checksum" => {
                draft.unicast_word = true;
                draft.checksum = match words.get(1) {
                    None => UnicastChecksum::Old,
                    Some(word) if word.text == "never" => UnicastChecksum::Never,
                    Some(word) => {
                        let text =
                            format!("({name}) Unknown old_unicast_chksum mode {} - ignoring", word.text);
                        self.error(Reason::InvalidValue, word.span, text);
                        draft.checksum
                    }
                };
            }
            "mcast_src_ip" => self.source_address(words, instance, draft),
            "unicast_src_ip" => {
                draft.unicast_word = true;
                self.source_address(words, instance, draft);
            }
            "mcast_dst_ip" => self.multicast_destination(words, &name, draft),
            "unicast_ttl" => {
                let Some(word) = self.parameter(words, 1).cloned() else { return };
                match self.unsigned(&word, 0, 255, false) {
                    Some(ttl) => draft.ttl = u8::try_from(ttl).ok(),
                    None => {
                        let text =
                            format!("({name}): TTL '{}' not valid - must be between 0 & 255", word.text);
                        self.error(Reason::OutOfRange, word.span, text);
                    }
                }
            }
            "use_vmac" => self.vmac(words, instance),
            "use_vmac_addr" => instance.vmac.get_or_insert_with(Vmac::default).per_address = true,
            "vmac_xmit_base" => instance.vmac.get_or_insert_with(Vmac::default).xmit_base = true,
            "use_ipvlan" => self.ipvlan(words, instance),
            "preempt_delay" => {
                let Some(word) = self.parameter(words, 1).cloned() else { return };
                let delay = self.seconds(&word, Duration::ZERO, Duration::from_secs(TIMER_MAX_SECONDS));
                if delay.is_none() {
                    let text =
                        format!("({name}) Preempt_delay not valid! must be between 0-{TIMER_MAX_SECONDS}");
                    self.error(Reason::OutOfRange, word.span, text);
                }
                instance.preempt_delay = delay.unwrap_or(Duration::ZERO);
            }
            "debug" => {
                let Some(word) = self.parameter(words, 1).cloned() else { return };
                match self.unsigned(&word, 0, 4, true) {
                    Some(level) => instance.debug = u8::try_from(level).unwrap_or(0),
                    None => {
                        let text =
                            format!("({name}) Debug value '{}' not valid; must be between 0-4", word.text);
                        self.error(Reason::OutOfRange, word.span, text);
                    }
                }
            }
            "kernel_rx_buf_size" => {
                let size = words.get(1).cloned().and_then(|word| self.unsigned(&word, 0, u32::MAX, false));
                if size.is_none() {
                    self.complain(
                        Reason::InvalidValue,
                        format!("({name}) invalid kernel_rx_buf_size specified"),
                    );
                }
                instance.kernel_rx_buf_size = size;
            }
            "garp_extra_if" | "vmac_garp_intvl" => {
                if let Some(new) = child.keyword.instead {
                    let text = format!("Keyword \"{}\" is deprecated - please use \"{new}\"", words[0].text);
                    self.complain(Reason::Retired, text).edit(words[0].span, new);
                }
                draft.extra_if = self.extra_if(words, Some(&name), 0).or(draft.extra_if);
            }
            "lvs_sync_daemon_interface" => {
                self.parameter(words, 1);
                self.complain(
                    Reason::Retired,
                    format!("({name}) Specifying lvs_sync_daemon_interface against a vrrp is deprecated."),
                );
                let pad = " ".repeat(name.len().abs_diff(2));
                self.complain(Reason::Retired, format!("      {pad}Please use global lvs_sync_daemon"));
                let interface = words.get(1).map(|word| word.text.clone()).unwrap_or_default();
                if let Some(before) = &self.config.global.lvs_sync_daemon {
                    let text = format!(
                        "({name}) lvs_sync_daemon_interface has already been specified as {} - ignoring",
                        before.interface
                    );
                    self.complain(Reason::Duplicate, text);
                    return;
                }
                self.config.global.lvs_sync_daemon =
                    Some(LvsSyncDaemon { interface, instance: Some(name), sync_id: None });
            }
            "linkbeat_use_polling" => {
                instance.linkbeat_use_polling = true;
                let text = format!(
                    "({name}) 'linkbeat_use_polling' in vrrp instance deprecated - use linkbeat_interfaces block"
                );
                self.complain(Reason::Retired, text);
            }
            other if other.starts_with("notify") => self.instance_notify(child, instance, draft),
            other if other.starts_with("garp_") => self.instance_garp(words, instance, draft),
            _ => self.instance_switch(words, instance, draft),
        }
    }

    fn state(&mut self, words: &[Word], name: &str, draft: &mut Draft) {
        let Some(word) = self.parameter(words, 1) else { return };
        match word.text.as_str() {
            "MASTER" => draft.state = Some(InitialState::Master),
            "BACKUP" if draft.state == Some(InitialState::Master) => {
                let text = format!("({name}) state previously set as MASTER - ignoring BACKUP");
                self.error(Reason::Duplicate, word.span, text);
            }
            "BACKUP" => draft.state = Some(InitialState::Backup),
            other => {
                let text = format!("({name}) unknown state '{other}', defaulting to BACKUP");
                self.error(Reason::InvalidValue, word.span, text).help("write MASTER or BACKUP");
                draft.state = Some(InitialState::Backup);
            }
        }
    }

    fn instance_interface(&mut self, words: &[Word], instance: &mut Instance, draft: &mut Draft) {
        let Some(word) = self.parameter(words, 1) else { return };
        let name = word.text.clone();
        if name.len() > IFNAME {
            let text = format!("Interface name '{name}' too long - ignoring");
            self.error(Reason::OutOfRange, word.span, text);
            return;
        }
        draft.interface = self.interface(&name);
        match draft.interface {
            None => {
                let text =
                    format!("WARNING - interface {name} for vrrp_instance {} doesn't exist", instance.name);
                self.error(Reason::Environment, word.span, text)
                    .help("'dynamic_interfaces' in global_defs lets it appear later");
                instance.interface = None;
            }
            Some(found) if found.loopback => {
                let text = format!(
                    "({}) cannot use a loopback interface ({name}) for vrrp - ignoring",
                    instance.name
                );
                self.error(Reason::InvalidValue, word.span, text);
                draft.interface = None;
                instance.interface = None;
            }
            Some(_) => instance.interface = Some(name),
        }
    }

    fn vrf(&mut self, words: &[Word], instance: &mut Instance, draft: &Draft) {
        let Some(word) = self.parameter(words, 1) else { return };
        let (vrf, owner) = (&word.text, &instance.name);
        let problem = if vrf.len() > IFNAME {
            format!("({owner}) VRF interface name '{vrf}' too long - ignoring")
        } else if draft.interface.is_some() {
            format!("({owner}) Cannot specify VRF interface and interface - ignoring")
        } else if let Some(before) = &instance.vrf {
            format!("({owner}) VRF interface already specified as '{before}' - ignoring")
        } else if self.interface(vrf).is_none() {
            format!("({owner}) WARNING - VRF interface {vrf} doesn't exist")
        } else {
            instance.vrf = Some(vrf.clone());
            return;
        };
        self.error(Reason::InvalidValue, word.span, problem);
    }

    fn version(&mut self, words: &[Word], name: &str, draft: &mut Draft) {
        let Some(word) = self.parameter(words, 1).cloned() else { return };
        let version = match self.integer(&word, 2, 3, true) {
            (2, true) => Version::V2,
            (3, true) => Version::V3,
            _ => {
                self.error(Reason::OutOfRange, word.span, format!("({name}): Version must be either 2 or 3"));
                return;
            }
        };
        let number = |version: Option<Version>| match version {
            None => 0,
            Some(Version::V2) => 2,
            Some(Version::V3) => 3,
        };
        let conflict = draft.version.is_some_and(|before| before != version)
            || (version == Version::V2 && draft.family == Some(true));
        if conflict {
            let text = format!(
                "({name}) vrrp_version {} conflicts with configured or deduced version {}; ignoring.",
                number(Some(version)),
                number(draft.version)
            );
            self.error(Reason::Conflict, word.span, text);
            return;
        }
        draft.version = Some(version);
    }

    fn authentication(&mut self, block: &Statement, name: &str, draft: &mut Draft) {
        for child in block.children() {
            self.here = child.span;
            let Some(word) = self.parameter(&child.words, 1) else { continue };
            let span = word.span;
            match (child.keyword.name, word.text.as_str()) {
                ("auth_type", "PASS") => draft.auth_type = Some(AuthType::Pass),
                ("auth_type", "AH") => draft.auth_type = Some(AuthType::Ah),
                ("auth_type", other) => {
                    let text = format!("({name}) unknown authentication type '{other}'");
                    self.error(Reason::InvalidValue, span, text)
                        .help("write PASS or AH; without a known type adverts are not authenticated");
                }
                (_, password) => {
                    if password.len() > 8 {
                        self.error(Reason::OutOfRange, span, "Truncating auth_pass to 8 characters").help(
                            "only the first 8 bytes go on the wire; the other routers cut it the same way",
                        );
                    }
                    let mut pass = [0; 8];
                    for (slot, byte) in pass.iter_mut().zip(password.bytes()) {
                        *slot = byte;
                    }
                    draft.auth_pass = Some(AuthPass(pass));
                }
            }
        }
    }

    fn vips(&mut self, child: &Statement, instance: &mut Instance, draft: &mut Draft) {
        for line in child.values() {
            let Some((vip, span)) = self.vip(line) else { continue };
            let ipv6 = vip.addr.is_ipv6();
            if draft.family.is_some_and(|family| family != ipv6) {
                let text = format!(
                    "({}): address family must match VRRP instance [{}] - ignoring",
                    instance.name, line[0].text
                );
                self.error(Reason::Conflict, span, text)
                    .help("addresses of the other family go into virtual_ipaddress_excluded, or an instance of their own");
                continue;
            }
            draft.family = Some(ipv6);
            instance.vips.push(vip);
        }
    }

    fn unicast_peer(&mut self, line: &[Word], name: &str, draft: &mut Draft) {
        let word = &line[0];
        self.here = word.span;
        let Ok(addr) = word.text.parse::<IpAddr>() else {
            let text = format!(
                "Configuration error: VRRP instance[{name}] malformed unicast peer address[{}]. Skipping...",
                word.text
            );
            self.error(Reason::InvalidValue, word.span, text);
            return;
        };
        if !draft.accepts(addr.is_ipv6()) {
            let text = format!(
                "Configuration error: VRRP instance[{name}] and unicast peer address[{}] MUST be of the same family !!! Skipping...",
                word.text
            );
            self.error(Reason::Conflict, word.span, text);
            return;
        }
        let (mut least, mut most) = (0u8, 255u8);
        for pair in line[1..].chunks(2) {
            let [option, number] = pair else {
                self.error(
                    Reason::MissingArgument,
                    pair[0].span,
                    format!("({name}) {} is missing a value", pair[0].text),
                );
                break;
            };
            let Some(ttl) = self.unsigned(number, 0, 255, false).and_then(|ttl| u8::try_from(ttl).ok())
            else {
                continue;
            };
            match option.text.as_str() {
                "min_ttl" => least = ttl,
                "max_ttl" => most = ttl,
                other => {
                    self.error(
                        Reason::UnknownKeyword,
                        option.span,
                        format!("({name}) unknown unicast_peer option {other}"),
                    );
                    break;
                }
            }
            draft.check_src = true;
        }
        if least > most {
            let text = format!("({name}) min_ttl {least} > max_ttl {most} - all packets will be discarded");
            self.complain(Reason::Conflict, text);
        }
        draft.peers.push((addr, (least, most)));
    }

    fn source_address(&mut self, words: &[Word], instance: &mut Instance, draft: &mut Draft) {
        let Some(word) = self.parameter(words, 1) else { return };
        let name = &instance.name;
        let text = match word.text.parse::<IpAddr>() {
            Err(_) => {
                format!(
                    "Configuration error: VRRP instance[{name}] malformed src address[{}]. Skipping...",
                    word.text
                )
            }
            Ok(addr) if draft.accepts(addr.is_ipv6()) => {
                instance.src_ip = Some(addr);
                return;
            }
            Ok(_) => {
                instance.src_ip = None;
                format!(
                    "Configuration error: VRRP instance[{name}] and src address[{}] MUST be of the same family !!! Skipping...",
                    word.text
                )
            }
        };
        self.error(Reason::InvalidValue, word.span, text);
    }

    fn multicast_destination(&mut self, words: &[Word], name: &str, draft: &mut Draft) {
        let Some(word) = self.parameter(words, 1) else { return };
        let text = match word.text.parse::<IpAddr>() {
            Err(_) => format!("({name}) malformed mcast dest address {}. Skipping...", word.text),
            Ok(addr) if !draft.accepts(addr.is_ipv6()) => {
                format!(
                    "({name}) mcast dest address {} MUST match VRRP instance family. Skipping...",
                    word.text
                )
            }
            Ok(addr) => {
                let (good, kind) = match addr {
                    IpAddr::V4(addr) => (addr.is_multicast(), ""),
                    IpAddr::V6(addr) => (addr.segments()[0] & 0xff0f == 0xff02, " link-local"),
                };
                if good {
                    draft.mcast_group = Some(addr);
                    return;
                }
                format!("({name}) mcast_dst_ip {} not{kind} multicast. Skipping...", word.text)
            }
        };
        self.error(Reason::InvalidValue, word.span, text);
    }

    /// Ends the VRRP side: keepalived would not start it.
    pub(super) fn refuse(&mut self, reason: Reason, span: Span, text: impl AsRef<str>) {
        self.classed(Voice::Plain, Class::General, reason, span, text).alert();
    }
}
