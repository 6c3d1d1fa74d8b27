//! `set anon`: names and addresses in answers give way to hashes, so that answers can be shown to strangers
//! (management guide, `set anon on`).

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use crate::ir::global::Level;
use crate::stats::servers::Shown;

pub(super) const COMMANDS: &[Command] = &[
    command(&["show", "anon"], Level::User, "show anon", "whether names are hidden in answers", show),
    command(
        &["set", "anon", "on"],
        Level::User,
        "set anon on [value]",
        "hide names and addresses in answers to this session",
        on,
    ),
    command(&["set", "anon", "off"], Level::User, "set anon off", "show names and addresses again", |call| {
        if !call.arg(0).is_empty() {
            return Reply::error("Key can't be added while disabling anonymized mode\n");
        }
        call.session.anon = Anon::default();
        Reply::done()
    }),
    command(
        &["set", "anon", "global-key"],
        Level::Admin,
        "set anon global-key <value>",
        "what sessions without a value of their own hash with",
        global_key,
    ),
];

/// `set anon global-key`; 0: every session has a key of its own.
static GLOBAL_KEY: AtomicU32 = AtomicU32::new(0);

/// What hides names; 0: nothing is hidden.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Anon(u32);

impl Anon {
    /// A name, or what stands for it.
    #[must_use]
    pub fn name(self, name: &str) -> String {
        if self.0 == 0 || name.is_empty() {
            return name.to_owned();
        }
        format!("{:06x}", self.hash(name))
    }

    /// An address without a port, or what stands for it. Those that say nothing stay.
    #[must_use]
    pub fn address(self, text: &str) -> String {
        if self.0 == 0 {
            return text.to_owned();
        }
        match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) if matches!(ip.octets()[0], 0 | 127 | 255) => text.to_owned(),
            Ok(IpAddr::V4(_)) => format!("IPV4({:06x})", self.hash(text)),
            Ok(ip) if ip.is_loopback() => text.to_owned(),
            Ok(IpAddr::V6(_)) => format!("IPV6({:06x})", self.hash(text)),
            Err(_) if text == "-" => text.to_owned(),
            Err(_) => self.name(text),
        }
    }

    fn hash(self, text: &str) -> u32 {
        xxhash_rust::xxh32::xxh32(text.as_bytes(), self.0) & 0x00ff_ffff
    }
}

impl Shown for Anon {
    fn name(&self, name: &str) -> String {
        (*self).name(name)
    }

    fn address(&self, address: &str) -> String {
        (*self).address(address)
    }
}

fn on(call: &mut Call<'_>) -> Reply {
    let key = match call.arg(0) {
        "" => match GLOBAL_KEY.load(Relaxed) {
            0 => rand::random::<u32>().max(1),
            key => key,
        },
        text => match text.parse() {
            Ok(key @ 1..) => key,
            _ => return Reply::error("Value out of range (1 to 4294967295 expected).\n"),
        },
    };
    call.session.anon = Anon(key);
    Reply::done()
}

fn global_key(call: &mut Call<'_>) -> Reply {
    match (call.arg(0), call.arg(0).parse()) {
        ("", _) => Reply::error("Expects an integer value.\n"),
        (_, Ok(key)) => {
            GLOBAL_KEY.store(key, Relaxed);
            Reply::done()
        }
        (_, Err(_)) => Reply::error("Value out of range (0 to 4294967295 expected).\n"),
    }
}

fn show(call: &mut Call<'_>) -> Reply {
    Reply::info(match call.session.anon.0 {
        0 => "Anonymized mode disabled\n".to_owned(),
        key if call.session.level >= Level::Operator => format!("Anonymized mode enabled\nKey : {key}\n"),
        _ => "Anonymized mode enabled\n".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_hidden_by_a_key_alone() {
        let (a, b) = (Anon(7), Anon(8));
        assert_eq!(Anon::default().name("web1"), "web1");
        assert_eq!(a.name("web1"), a.name("web1"));
        assert_ne!(a.name("web1"), a.name("web2"));
        assert_ne!(a.name("web1"), b.name("web1"));
        assert_eq!(a.name("web1").len(), 6);
        assert!(a.address("10.1.2.3").starts_with("IPV4(") && a.address("fd00::1").starts_with("IPV6("));
        assert_eq!(["127.0.0.1", "::1", "-"].map(|text| a.address(text)), ["127.0.0.1", "::1", "-"]);
    }
}
