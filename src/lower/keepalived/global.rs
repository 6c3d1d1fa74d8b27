//! `global_defs` and the root keywords of the daemon.

use std::path::PathBuf;
use std::time::Duration;

use tandem_parser::Reason;
use tandem_parser::keepalived::{Class, Statement, Word};

use super::context::Cx;
use super::script::LONGEST_SECONDS;
use crate::ir::vrrp::{LvsSyncDaemon, NotifyFifo, RunAs, SmtpServer, Version};

/// Longest name of a process, bytes.
const COMM: usize = 15;

impl Cx<'_> {
    /// Root keywords that are not blocks.
    pub(super) fn root_line(&mut self, statement: &Statement) {
        self.here = statement.span;
        self.effect(statement);
        let words = &statement.words;
        let value = words.get(1).map(|word| word.text.clone());
        match statement.keyword.name {
            "use_pid_dir" => self.config.use_pid_dir = true,
            "linkbeat_use_polling" => self.config.linkbeat_all = true,
            "net_namespace" => match value {
                None => {
                    self.complain(Reason::MissingArgument, "net_namespace name missing - ignoring").done()
                }
                Some(name) if self.config.net_namespace.is_some() => {
                    self.complain(
                        Reason::Duplicate,
                        format!("Duplicate net_namespace definition {name} - ignoring"),
                    );
                }
                name => {
                    self.config.net_namespace = name;
                    self.config.use_pid_dir = true;
                }
            },
            "instance" => match value {
                None => self.complain(Reason::MissingArgument, "instance name missing - ignoring").done(),
                Some(name) if self.config.instance_name.is_some() => {
                    self.complain(
                        Reason::Duplicate,
                        format!("Duplicate instance definition {name} - ignoring"),
                    );
                }
                name => {
                    self.config.instance_name = name;
                    self.config.use_pid_dir = true;
                }
            },
            "child_wait_time" => {
                let Some(word) = self.parameter(words, 1).cloned() else { return };
                match self.unsigned(&word, 0, u32::MAX, false) {
                    Some(seconds) => {
                        self.config.child_wait_time = Some(Duration::from_secs(u64::from(seconds)))
                    }
                    None => {
                        self.error(
                            Reason::InvalidValue,
                            word.span,
                            format!("Invalid child_wait_time {}", word.text),
                        );
                    }
                }
            }
            _ => {}
        }
    }

    /// `global_defs { ... }`.
    pub(super) fn global_defs(&mut self, block: &Statement) {
        for statement in block.children() {
            self.here = statement.span;
            self.effect(statement);
            if let Some(new) = statement.keyword.instead {
                self.retired_global(statement, new);
            }
            self.global(statement);
        }
    }

    fn retired_global(&mut self, statement: &Statement, new: &str) {
        let word = &statement.words[0];
        match word.text.as_str() {
            "vrrp_vmac_garp_intvl" => {
                self.error(
                    Reason::Retired,
                    word.span,
                    format!("Keyword \"{}\" is deprecated - please use \"{new}\"", word.text),
                )
                .edit(word.span, new);
            }
            "vrrp_iptables" => {
                self.error(
                    Reason::Retired,
                    word.span,
                    "iptables not supported, using nftables instead. Please replace 'vrrp_iptables and 'vrrp_ipsets' with 'nftables' config option",
                );
            }
            old => {
                let text = format!("'{old}' is deprecated - please use '{new}'");
                self.log(word.span, text).edit(word.span, new);
            }
        }
    }

    fn global(&mut self, statement: &Statement) {
        let words = &statement.words;
        let name = statement.keyword.name;
        let second = words.get(1);
        match name {
            "process_names" => {
                let names = &mut self.config.global.process_names;
                names.distinct = true;
                names.vrrp = Some("keepalived_vrrp".into());
                names.checker = Some("keepalived_lvs".into());
                names.bfd = Some("keepalived_bfd".into());
            }
            "process_name"
            | "vrrp_process_name"
            | "checker_process_name"
            | "lvs_process_name"
            | "bfd_process_name" => {
                self.process_name(words);
            }
            "router_id" => match second {
                Some(word) => self.config.global.router_id = Some(word.text.clone()),
                None => self.complain(Reason::MissingArgument, "routerid name missing - ignoring").done(),
            },
            "notification_email_from" => match second {
                Some(word) => self.config.global.notification_email_from = Some(word.text.clone()),
                None => self.complain(Reason::MissingArgument, "emailfrom missing - ignoring").done(),
            },
            "notification_email" => {
                let before = self.config.global.notification_email.len();
                let all = statement.values().iter().flatten().map(|word| word.text.clone());
                self.config.global.notification_email.extend(all);
                if self.config.global.notification_email.len() == before {
                    self.error(
                        Reason::Incomplete,
                        statement.end(),
                        "Warning - empty notification_email block",
                    );
                }
            }
            "smtp_server" => self.smtp_server(words),
            "smtp_helo_name" => self.config.global.smtp_helo_name = second.map(|word| word.text.clone()),
            "smtp_connect_timeout" => self.smtp_connect_timeout(words),
            "startup_script" | "shutdown_script" => self.start_stop_script(statement),
            "startup_script_timeout" | "shutdown_script_timeout" => self.start_stop_timeout(words),
            "dynamic_interfaces" => {
                self.config.global.dynamic_interfaces = true;
                match second {
                    Some(word) if word.text == "allow_if_changes" => {
                        self.config.global.allow_if_changes = true
                    }
                    Some(word) => {
                        let text = format!("Unknown dynamic_interfaces option '{}'", word.text);
                        self.error(Reason::InvalidValue, word.span, text);
                    }
                    None => {}
                }
            }
            "default_interface" => match second {
                Some(word) => self.config.global.default_interface = Some(word.text.clone()),
                None => {
                    self.complain(Reason::MissingArgument, "default_interface requires interface name").done()
                }
            },
            "script_user" => self.script_user(words),
            "enable_script_security" => self.config.global.script_security.enabled = true,
            "max_auto_priority" | "min_auto_priority_delay" => self.auto_priority(words),
            "notify_fifo" | "vrrp_notify_fifo" | "lvs_notify_fifo" => self.fifo(statement),
            "notify_fifo_script" | "vrrp_notify_fifo_script" | "lvs_notify_fifo_script" => {
                self.fifo_script(statement)
            }
            "lvs_sync_daemon" => self.lvs_sync_daemon(words),
            "vrrp_mcast_group4" | "vrrp_mcast_group6" => self.multicast_group(words),
            "vrrp_version" => {
                let Some(word) = self.parameter(words, 1).cloned() else { return };
                match self.integer(&word, 2, 3, true) {
                    (2, true) => self.config.global.vrrp_version = Version::V2,
                    (3, true) => self.config.global.vrrp_version = Version::V3,
                    _ => self
                        .error(Reason::OutOfRange, word.span, "VRRP Error: Version must be either 2 or 3")
                        .done(),
                }
            }
            "vrrp_startup_delay" | "vrrp_delay_after_boot" => self.startup_delay(words),
            "vip_lifetime" => self.vip_lifetime(words),
            "vmac_prefix" => self.config.global.vmac_prefix = second.map(|word| word.text.clone()),
            "vmac_addr_prefix" => self.config.global.vmac_addr_prefix = second.map(|word| word.text.clone()),
            "umask" => self.umask(words),
            "reload_check_config" => {
                self.config.global.reload_check_config =
                    Some(second.map_or_else(|| "/dev/null".into(), |word| word.text.clone()));
            }
            "snmp_socket" => self.config.global.snmp.socket = second.map(|word| word.text.clone()),
            "enable_dbus" => self.config.global.dbus = true,
            "enable_traps" => self.config.global.snmp.traps = true,
            "enable_snmp_checker" => self.config.global.snmp.checker = true,
            "nftables" | "vrrp_iptables" => {
                let table = second
                    .filter(|_| name == "nftables")
                    .map_or_else(|| "keepalived".into(), |word| word.text.clone());
                self.config.global.firewall.nftables = Some(table);
            }
            "nftables_counters" => self.config.global.firewall.nftables_counters = true,
            "nftables_ifindex" => self.config.global.firewall.nftables_ifindex = true,
            "json_version" => {
                if let Some(word) = second.cloned() {
                    let version = self.unsigned(&word, 1, 2, false).unwrap_or(1);
                    self.config.global.json_version = if version == 2 { 2 } else { 1 };
                }
            }
            "state_dump_file" => {
                self.config.global.state_dump_file = second.map(|word| PathBuf::from(&word.text))
            }
            "stats_dump_file" => {
                self.config.global.stats_dump_file = second.map(|word| PathBuf::from(&word.text))
            }
            "reload_file" => {
                self.config.global.reload_file = Some(second.map(|word| PathBuf::from(&word.text)))
            }
            "reload_time_file" => match second {
                Some(word) => self.config.global.reload_time_file = Some(PathBuf::from(&word.text)),
                None => {
                    self.complain(Reason::MissingArgument, "reload_time_file name missing - ignoring").done()
                }
            },
            "config_save_dir" => match second {
                Some(word) => self.config.global.config_save_dir = Some(PathBuf::from(&word.text)),
                None => {
                    self.complain(Reason::MissingArgument, "config_save_dir name missing - ignoring").done()
                }
            },
            "json_dump_file" => {
                self.config.global.json_dump_file = second.map(|word| PathBuf::from(&word.text))
            }
            _ if name.ends_with("_rcv_bufs") => self.receive_buffer(words),
            "vrrp_rx_bufs_policy" => self.rx_bufs_policy(words),
            "vrrp_rx_bufs_multiplier" => self.rx_bufs_multiplier(words),
            _ if name.starts_with("enable_snmp") => self.config.global.snmp.vrrp = true,
            _ if name.starts_with("vrrp_garp")
                || name.starts_with("vrrp_gna")
                || name == "vrrp_min_garp"
                || name == "vrrp_vmac_garp_intvl" =>
            {
                self.global_garp(words);
            }
            "vrrp_down_timer_adverts" => {
                let Some(word) = self.parameter(words, 1).cloned() else { return };
                match self.unsigned(&word, 1, 100, true) {
                    Some(count) => self.config.global.down_timer_adverts = count,
                    None => {
                        let text = format!("Invalid vrrp_down_timer_adverts [1:100] '{}'", word.text);
                        self.error(Reason::OutOfRange, word.span, text);
                    }
                }
            }
            "vrrp_priority" | "vrrp_rt_priority" | "vrrp_cpu_affinity" | "vrrp_rlimit_rttime"
            | "vrrp_rlimit_rtime" => {
                self.tuning(words);
            }
            _ => self.global_switch(words),
        }
    }

    /// Keywords that are on, or take on/off.
    fn global_switch(&mut self, words: &[Word]) {
        let name = words[0].text.as_str();
        let global = &mut self.config.global;
        match name {
            "no_email_faults" => global.no_email_faults = true,
            "disable_local_igmp" => global.disable_local_igmp = true,
            "reload_repeat" => global.reload_repeat = true,
            "vrrp_check_unicast_src" => global.check_unicast_src = true,
            "vrrp_skip_check_adv_addr" => global.skip_check_adv_addr = true,
            "vrrp_strict" => global.vrrp_strict = true,
            "vrrp_no_swap" => global.vrrp_tuning.no_swap = true,
            "fifo_write_vrrp_states_on_reload" => global.fifo_write_vrrp_states_on_reload = true,
            "log_unknown_vrids" => global.log_unknown_vrids = true,
            "v3_checksum_as_v2" => global.v3_checksum_as_v2 = true,
            "vrrp_owner_ignore_adverts" => global.owner_ignore_adverts = true,
            "use_symlink_paths" => global.use_symlink_paths = true,
            _ => {
                let shown = if name == "data_use_instance" { "date_use_instance" } else { name };
                let on = match self.switch(words) {
                    Ok(on) => on,
                    Err(word) => {
                        let text = match name {
                            "vrrp_lower_prio_no_advert"
                            | "vrrp_higher_prio_send_advert"
                            | "checker_log_all_failures" => {
                                format!("Invalid value for {name} specified")
                            }
                            "smtp_alert"
                            | "smtp_alert_vrrp"
                            | "smtp_alert_checker"
                            | "vrrp_notify_priority_changes"
                            | "data_use_instance"
                            | "rs_init_notifies"
                            | "no_checker_emails" => {
                                format!("Invalid value '{}' for global {shown} specified", word.text)
                            }
                            _ if name.ends_with("_rcv_bufs_force") => {
                                format!("Invalid value '{}' for global {name} specified", word.text)
                            }
                            _ => return,
                        };
                        let span = word.span;
                        self.error(Reason::InvalidValue, span, text).help("write on or off");
                        return;
                    }
                };
                let global = &mut self.config.global;
                match name {
                    "smtp_alert" => global.smtp_alert = Some(on),
                    "smtp_alert_vrrp" => global.smtp_alert_vrrp = Some(on),
                    "vrrp_notify_priority_changes" => global.notify_priority_changes = Some(on),
                    "data_use_instance" => global.data_use_instance = on,
                    "vrrp_lower_prio_no_advert" => global.lower_prio_no_advert = on,
                    "vrrp_higher_prio_send_advert" => global.higher_prio_send_advert = on,
                    _ => {
                        if let Some(buffer) = name.strip_suffix("_force").and_then(|name| global.buffer(name))
                        {
                            buffer.force = on;
                        }
                    }
                }
            }
        }
    }

    fn process_name(&mut self, words: &[Word]) {
        let Some(word) = self.parameter(words, 1) else { return };
        let mut name = word.text.clone();
        if name.len() > COMM {
            let text = format!("Process name {name} more than {COMM} characters, truncating");
            self.error(Reason::OutOfRange, word.span, text);
            let cut = (0..=COMM).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
            name.truncate(cut);
        }
        let names = &mut self.config.global.process_names;
        let slot = match words[0].text.as_str() {
            "process_name" => &mut names.parent,
            "vrrp_process_name" => &mut names.vrrp,
            "bfd_process_name" => &mut names.bfd,
            _ => &mut names.checker,
        };
        *slot = Some(name);
    }

    fn smtp_server(&mut self, words: &[Word]) {
        let Some(host) = self.parameter(words, 1) else { return };
        let port_text = words.get(2).map_or("25", |word| word.text.as_str());
        let port = port_text.parse::<u16>().ok();
        let addr = port.and_then(|port| self.env.resolve(&host.text, port));
        if addr.is_none() {
            let text = format!("Invalid smtp server {} {port_text}", host.text);
            if self.env.offline() && port.is_some() {
                self.log(host.span, text);
            } else {
                self.error(Reason::Environment, host.span, text);
                return;
            }
        }
        self.config.global.smtp_server =
            Some(SmtpServer { name: host.text.clone(), addr, port: port.unwrap_or(25) });
    }

    fn smtp_connect_timeout(&mut self, words: &[Word]) {
        let Some(word) = self.parameter(words, 1).cloned() else { return };
        match self.unsigned(&word, 0, LONGEST_SECONDS, true) {
            None => {
                let text = format!(
                    "smtp_connect_timeout '{}' must be in [0, {LONGEST_SECONDS}] - ignoring",
                    word.text
                );
                self.error(Reason::OutOfRange, word.span, text);
            }
            Some(0) => {
                self.error(
                    Reason::OutOfRange,
                    word.span,
                    "smtp_conect_timeout must be greater than 0, setting to 1",
                );
                self.config.global.smtp_connect_timeout = Duration::from_secs(1);
            }
            Some(seconds) => {
                self.config.global.smtp_connect_timeout = Duration::from_secs(u64::from(seconds))
            }
        }
    }

    fn start_stop_script(&mut self, statement: &Statement) {
        let startup = statement.keyword.name == "startup_script";
        let kind = if startup { "startup" } else { "shutdown" };
        let slot =
            if startup { &self.config.global.startup_script } else { &self.config.global.shutdown_script };
        if slot.is_some() {
            self.complain(Reason::Duplicate, format!("{kind} script already specified"));
            return;
        }
        if statement.words.len() < 2 {
            self.complain(Reason::MissingArgument, format!("{kind} script missing"));
            return;
        }
        let script = self.notify(statement, kind);
        if script.is_none() {
            self.complain(Reason::InvalidValue, format!("Invalid {kind} script"));
            return;
        }
        let global = &mut self.config.global;
        let (slot, timeout) = if startup {
            (&mut global.startup_script, &mut global.startup_script_timeout)
        } else {
            (&mut global.shutdown_script, &mut global.shutdown_script_timeout)
        };
        *slot = script;
        timeout.get_or_insert(Duration::from_secs(10));
    }

    fn start_stop_timeout(&mut self, words: &[Word]) {
        let name = words[0].text.clone();
        let Some(word) = words.get(1).cloned() else {
            self.complain(Reason::MissingArgument, format!("{name} requires value"));
            return;
        };
        match self.unsigned(&word, 1, 1000, true) {
            Some(seconds) => {
                let time = Some(Duration::from_secs(u64::from(seconds)));
                if name.starts_with("startup") {
                    self.config.global.startup_script_timeout = time;
                } else {
                    self.config.global.shutdown_script_timeout = time;
                }
            }
            None => {
                let text = format!("{name} '{}' must be in [1, 1000] - ignoring", word.text);
                self.error(Reason::OutOfRange, word.span, text);
            }
        }
    }

    fn script_user(&mut self, words: &[Word]) {
        let Some(user) = words.get(1) else {
            self.complain(Reason::MissingArgument, "No script username specified");
            return;
        };
        let found = self.run_as(&user.text, words.get(2).map(|word| word.text.as_str()), user.span);
        self.default_user = Some(found.ok_or(()));
        if found.is_none() {
            self.error(Reason::Environment, user.span, "Error setting global script uid/gid");
        }
        self.config.global.script_security.default_user = found;
    }

    fn fifo_slot(&mut self, name: &str) -> &mut Option<NotifyFifo> {
        let global = &mut self.config.global;
        if name.starts_with("vrrp_") {
            &mut global.vrrp_notify_fifo
        } else if name.starts_with("lvs_") {
            &mut global.lvs_notify_fifo
        } else {
            &mut global.notify_fifo
        }
    }

    fn fifo(&mut self, statement: &Statement) {
        let (name, words) = (statement.keyword.name, &statement.words);
        let Some(path) = words.get(1) else {
            self.complain(Reason::MissingArgument, format!("No {name} name specified"));
            return;
        };
        if self.fifo_slot(name).as_ref().is_some_and(|fifo| fifo.path.is_some()) {
            self.error(
                Reason::Duplicate,
                path.span,
                format!("{name} already specified - ignoring {}", path.text),
            );
            return;
        }
        let owner: Option<RunAs> = match words.get(2) {
            Some(user) => self.run_as(&user.text, words.get(3).map(|word| word.text.as_str()), user.span),
            None => self.default_run_as(statement.span),
        };
        if owner.is_none() {
            self.log(statement.span, format!("Invalid user/group for {name} {} - ignoring", path.text));
            return;
        }
        let path = PathBuf::from(&path.text);
        let fifo = self.fifo_slot(name).get_or_insert_with(NotifyFifo::default);
        fifo.path = Some(path);
        fifo.owner = owner;
    }

    fn fifo_script(&mut self, statement: &Statement) {
        let (name, words) = (statement.keyword.name, &statement.words);
        let Some(path) = words.get(1) else {
            self.complain(Reason::MissingArgument, format!("No {name} specified"));
            return;
        };
        if self.fifo_slot(name).as_ref().is_some_and(|fifo| fifo.script.is_some()) {
            self.error(
                Reason::Duplicate,
                path.span,
                format!("{name} already specified - ignoring {}", path.text),
            );
            return;
        }
        let script = self.notify(statement, name.trim_end_matches("_script"));
        self.fifo_slot(name).get_or_insert_with(NotifyFifo::default).script = script;
    }

    fn lvs_sync_daemon(&mut self, words: &[Word]) {
        let Some(interface) = words.get(1) else {
            self.complain(Reason::MissingArgument, "lvs_sync_daemon requires interface");
            return;
        };
        if let Some(before) = &self.config.global.lvs_sync_daemon {
            let instance = before.instance.clone().unwrap_or_default();
            let text = format!(
                "lvs_sync_daemon has already been specified as {} {instance} - ignoring",
                before.interface
            );
            self.complain(Reason::Duplicate, text);
            return;
        }
        let instance = match words.get(2) {
            Some(word) if word.text == "inst" => words.get(3),
            Some(word) if !matches!(word.text.as_str(), "id" | "maxlen" | "port" | "ttl" | "group") => {
                Some(word)
            }
            _ => None,
        };
        self.config.global.lvs_sync_daemon = Some(LvsSyncDaemon {
            interface: interface.text.clone(),
            instance: instance.map(|word| word.text.clone()),
            sync_id: None,
        });
    }

    /// Blocks that need the machine to have an interface, or are fatal to keepalived.
    pub(super) fn fatal(&mut self, reason: Reason, text: impl AsRef<str>) {
        self.classed(self.voice, Class::Fatal, reason, self.here, text);
    }
}
