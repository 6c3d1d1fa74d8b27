//! Single lines: numbers, times, switches, names, addresses and ports.

use std::net::IpAddr;
use std::time::Duration;

use tandem_parser::Reason;
use tandem_parser::keepalived::{Statement, Word};

use super::super::address::IFNAME;
use super::super::context::Cx;

/// Whose line it is: several words are known to all of them, and reported in other words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    Service,
    Server,
    Check,
}

/// What a line takes.
#[derive(Clone, Copy)]
enum Takes {
    /// A whole number.
    Number(u32, u32),
    /// Seconds, at least so many microseconds.
    Seconds(u64, u64),
    /// `on`, `off` and their like.
    Switch,
}

use Takes::{Number, Seconds, Switch};
use Whose::{Check, Server, Service};

/// Longest `persistence_timeout`, seconds: 31 days.
const LONGEST_PERSISTENCE: u32 = 31 * 86_400;
const HEAVIEST: u32 = i32::MAX as u32;
/// Longest times: of 32 bits of microseconds, and of 64.
const SHORT: u64 = u32::MAX as u64;
const LONG: u64 = u64::MAX - 1;

/// Each row: who, the word, what it takes, and what is said of anything else.
const ROWS: &[(Whose, &str, Takes, &str)] = &[
    (Service, "connect_timeout", Seconds(1, SHORT), "virtual server connect_timeout {} invalid - ignoring"),
    (Service, "delay_loop", Seconds(1, LONG), "virtual server delay loop '{}' invalid - ignoring"),
    (
        Service,
        "delay_before_retry",
        Seconds(0, LONG),
        "virtual server delay before retry '{}' invalid - ignoring",
    ),
    (Service, "warmup", Seconds(0, LONG), "virtual server warmup '{}' invalid - ignoring"),
    (Service, "retry", Number(1, u32::MAX), "retry value invalid - {}"),
    (Service, "persistence_timeout", Number(1, LONGEST_PERSISTENCE), "persistence_timeout invalid"),
    (Service, "smtp_alert", Switch, "Invalid virtual_server smtp_alert parameter {}"),
    (Service, "quorum", Number(1, u32::MAX), "Quorum {} must be in [1, 4294967295]. Setting to 1."),
    (Service, "hysteresis", Number(0, u32::MAX), "Hysteresis {} must be in [0, 4294967295] - ignoring"),
    (Service, "weight", Number(1, HEAVIEST), "Virtual server weight {} is outside range 1-2147483647"),
    (Server, "connect_timeout", Seconds(1, SHORT), "real server connect_timeout {} invalid - ignoring"),
    (Server, "delay_loop", Seconds(1, LONG), "real server delay_loop '{}' invalid - ignoring"),
    (
        Server,
        "delay_before_retry",
        Seconds(0, LONG),
        "real server delay_before_retry '{}' invalid - ignoring",
    ),
    (Server, "warmup", Seconds(0, LONG), "real server warmup '{}' invalid - ignoring"),
    (Server, "retry", Number(1, u32::MAX), "retry value invalid - {}"),
    (Server, "weight", Number(0, HEAVIEST), "Real server weight {} is outside range 0-2147483647"),
    (Server, "uthreshold", Number(0, u32::MAX), "Invalid real_server uthreshold '{}' - ignoring"),
    (Server, "lthreshold", Number(0, u32::MAX), "Invalid real_server lthreshold '{}' - ignoring"),
    (Server, "inhibit_on_failure", Switch, "Invalid inhibit_on_failure parameter {}"),
    (Server, "alpha", Switch, "Invalid alpha parameter {}"),
    (Server, "smtp_alert", Switch, "Invalid real_server smtp_alert parameter {}"),
    (Check, "connect_timeout", Seconds(1, SHORT), "connect_timeout {} invalid - ignoring"),
    (Check, "delay_loop", Seconds(1, LONG), "delay_loop '{}' is invalid - ignoring"),
    (Check, "delay_before_retry", Seconds(0, LONG), "Invalid delay_before_retry connection value '{}'"),
    (Check, "warmup", Seconds(0, LONG), "Invalid warmup connection value '{}'"),
    (Check, "retry", Number(0, u32::MAX), "Invalid retry connection value '{}'"),
    (Check, "nb_get_retry", Number(0, u32::MAX), "Invalid nb_get_retry value '{}'"),
    (Check, "connect_port", Number(1, 65_535), "Invalid checker connect_port '{}'"),
    (Check, "bind_port", Number(1, 65_535), "Invalid checker bind_port '{}'"),
    (Check, "fwmark", Number(0, u32::MAX), "Invalid fwmark connection value '{}'"),
    (Check, "misc_timeout", Number(0, 4294), "Invalid misc_timeout value '{}'"),
    (
        Check,
        "min_reply_length",
        Number(0, 65_535),
        "UDP_CHECK min length {} not valid - must be between 0 & 65535",
    ),
    (
        Check,
        "max_reply_length",
        Number(0, 65_535),
        "UDP_CHECK max length {} not valid - must be between 0 & 65535",
    ),
    (Check, "alpha", Switch, "Invalid alpha parameter {}"),
    (Check, "log_all_failures", Switch, "Invalid log_all_failures parameter {}"),
    (Check, "enable_sni", Switch, "Invalid enable_sni parameter {}"),
    (Check, "fast_recovery", Switch, "Invalid fast_recovery parameter {}"),
    (Check, "tls_compliant", Switch, "Invalid tls_compliant option {}"),
];

impl Cx<'_> {
    /// Judges a line by the table; the number, if it is one and right.
    pub(super) fn lvs_value(&mut self, whose: Whose, line: &Statement) -> Option<u32> {
        let (.., takes, problem) =
            ROWS.iter().find(|(who, word, ..)| *who == whose && *word == line.keyword.name)?;
        // Without a parameter it is missing, which was said, or there is a default.
        let word = line.words.get(1)?.clone();
        let (value, good) = match takes {
            Number(least, most) => {
                let value = self.unsigned(&word, *least, *most, true);
                (value, value.is_some())
            }
            Seconds(least, most) => {
                let (least, most) = (Duration::from_micros(*least), Duration::from_micros(*most));
                (None, self.seconds(&word, least, most).is_some())
            }
            Switch => (None, self.switch(&line.words).is_ok()),
        };
        if !good {
            self.error(Reason::InvalidValue, word.span, problem.replace("{}", &word.text));
        }
        value
    }

    /// A port; 0 is any.
    pub(super) fn lvs_port(&mut self, word: Option<&Word>) -> Option<u16> {
        match word {
            None => Some(0),
            Some(word) if word.text == "0" => Some(0),
            Some(word) => self.unsigned(word, 1, 65_535, true).and_then(|port| u16::try_from(port).ok()),
        }
    }

    /// `snmp_name`, with exactly one word behind it.
    pub(super) fn one_name(&mut self, line: &Statement, whose: &str) {
        if line.words.len() != 2 {
            let text = format!("{whose} server snmp_name missing or extra parameters");
            self.error(Reason::MissingArgument, line.span, text);
        }
    }

    /// A word that has to be there, and is reported in these words if it is not.
    pub(super) fn required(&mut self, line: &Statement, problem: &str) -> bool {
        if line.words.len() < 2 {
            self.error(Reason::MissingArgument, line.span, problem);
        }
        line.words.len() >= 2
    }

    /// `bind_if`.
    pub(super) fn lvs_interface(&mut self, line: &Statement) -> bool {
        let Some(word) = line.words.get(1) else { return false };
        if word.text.len() > IFNAME {
            let text = format!("Interface name {} is too long - ignoring", word.text);
            self.error(Reason::InvalidValue, word.span, text);
        }
        word.text.len() <= IFNAME
    }
}

/// An address as keepalived reads it here: what follows a slash or a hyphen does not count.
pub(super) fn lvs_address(text: &str) -> Option<IpAddr> {
    text.split(['/', '-']).next().unwrap_or_default().parse().ok()
}

/// An address in one of the older ways: one to four numbers, of which the last fills what is left.
pub(super) fn loose_ipv4(text: &str) -> bool {
    let parts: Vec<Option<u64>> = text
        .split('.')
        .map(|part| match part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")) {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None if part.len() > 1 && part.starts_with('0') => u64::from_str_radix(part, 8).ok(),
            None => part.parse().ok(),
        })
        .collect();
    let Some((last, first)) = parts.split_last() else { return false };
    let rest = 8 * (4_u32.saturating_sub(u32::try_from(first.len()).unwrap_or(u32::MAX)));
    first.len() < 4
        && first.iter().all(|part| part.is_some_and(|part| part < 256))
        && last.is_some_and(|last| last < 1 << rest)
}
