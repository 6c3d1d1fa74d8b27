//! Which of the two languages a file is in.

/// A configuration language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Haproxy,
    Keepalived,
}

impl Dialect {
    /// The file people know it by.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Haproxy => "haproxy.cfg",
            Self::Keepalived => "keepalived.conf",
        }
    }
}

/// Words that open a block in `keepalived.conf`; none is a section of `haproxy.cfg`.
const KEEPALIVED_BLOCKS: &[&str] = &[
    "global_defs",
    "vrrp_instance",
    "vrrp_sync_group",
    "vrrp_script",
    "vrrp_track_process",
    "vrrp_track_file",
    "track_file",
    "track_process",
    "track_proxy",
    "track_group",
    "virtual_server",
    "virtual_server_group",
    "static_ipaddress",
    "static_routes",
    "static_rules",
    "bfd_instance",
    "garp_group",
    "interface_up_down_delays",
    "linkbeat_interfaces",
    "notify_fifo",
    "net_namespace",
    "include",
    "includer",
    "includem",
    "includew",
    "includeb",
    "includea",
    "include_check",
    "SSL",
];

/// Words that open a section of `haproxy.cfg`; none is a block of `keepalived.conf`.
const HAPROXY_SECTIONS: &[&str] = &[
    "global",
    "defaults",
    "listen",
    "frontend",
    "backend",
    "userlist",
    "peers",
    "resolvers",
    "mailers",
    "cache",
];

/// Tells the language by the first line that only one of the two can have. A text without any such line is
/// `haproxy.cfg`, unless braces say otherwise.
pub(super) fn of(text: &[u8]) -> Dialect {
    let text = String::from_utf8_lossy(text);
    let lines = text.lines().map(str::trim_start).filter(|line| !line.starts_with(['#', '!']));
    let mut braces = false;
    for line in lines {
        let word = line.split([' ', '\t', '{']).next().unwrap_or_default();
        if KEEPALIVED_BLOCKS.contains(&word) || (line.starts_with('$') && line.contains('=')) {
            return Dialect::Keepalived;
        }
        if HAPROXY_SECTIONS.contains(&word) {
            return Dialect::Haproxy;
        }
        braces |= line.trim_end() == "}";
    }
    if braces { Dialect::Keepalived } else { Dialect::Haproxy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_told_by_its_blocks() {
        assert_eq!(of(b"! comment\nvrrp_instance VI_1 {\n"), Dialect::Keepalived);
        assert_eq!(of(b"global_defs{\n}\n"), Dialect::Keepalived);
        assert_eq!(of(b"$IF=eth0\nwrong_block {\n}\n"), Dialect::Keepalived);
        assert_eq!(of(b"unknown_block {\n x\n}\n"), Dialect::Keepalived);
        assert_eq!(of(b"global\n maxconn 5\n# vrrp_instance X {\n"), Dialect::Haproxy);
        assert_eq!(of(b"frontend f\n errorfile 503 /x\nbackend track_file\n"), Dialect::Haproxy);
        assert_eq!(of(b""), Dialect::Haproxy);
    }
}
