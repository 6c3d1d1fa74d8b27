//! One row per keyword: where it stands, what follows it, and what Tandem does with it.
//!
//! Did-you-mean, the lists of what is not done yet, and the parser itself read these rows. The options of value lines
//! (addresses, routes, rules) are rows too, in [`Section::AddressOption`] and its siblings.

mod global;
mod lvs;
mod options;
mod vrrp;

/// A place where keywords stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Section {
    /// The top level.
    Root,
    /// `global_defs`.
    GlobalDefs,
    /// `track_group`.
    TrackGroup,
    /// `vrrp_sync_group`.
    SyncGroup,
    /// `garp_group`.
    GarpGroup,
    /// `vrrp_instance`.
    Instance,
    /// `authentication`.
    Authentication,
    /// `auth_hmac`.
    AuthHmac,
    /// `vrrp_script`.
    Script,
    /// `vrrp_track_process`.
    TrackProcess,
    /// `track_proxy`.
    TrackProxy,
    /// `track_file`.
    TrackFile,
    /// `bfd_instance`.
    Bfd,
    /// `SSL`.
    Ssl,
    /// `virtual_server`.
    VirtualServer,
    /// `real_server`.
    RealServer,
    /// `HTTP_GET`.
    HttpCheck,
    /// `url`.
    Url,
    /// `TCP_CHECK`.
    TcpCheck,
    /// `SMTP_CHECK`.
    SmtpCheck,
    /// `host`.
    SmtpHost,
    /// `DNS_CHECK`.
    DnsCheck,
    /// `MISC_CHECK`.
    MiscCheck,
    /// `BFD_CHECK`.
    BfdCheck,
    /// `UDP_CHECK`.
    UdpCheck,
    /// `PING_CHECK`.
    PingCheck,
    /// `FILE_CHECK`.
    FileCheck,
    /// An address line.
    AddressOption,
    /// A route line.
    RouteOption,
    /// A rule line.
    RuleOption,
}

impl Section {
    /// Every section.
    pub const ALL: [Self; 30] = [
        Self::Root,
        Self::GlobalDefs,
        Self::TrackGroup,
        Self::SyncGroup,
        Self::GarpGroup,
        Self::Instance,
        Self::Authentication,
        Self::AuthHmac,
        Self::Script,
        Self::TrackProcess,
        Self::TrackProxy,
        Self::TrackFile,
        Self::Bfd,
        Self::Ssl,
        Self::VirtualServer,
        Self::RealServer,
        Self::HttpCheck,
        Self::Url,
        Self::TcpCheck,
        Self::SmtpCheck,
        Self::SmtpHost,
        Self::DnsCheck,
        Self::MiscCheck,
        Self::BfdCheck,
        Self::UdpCheck,
        Self::PingCheck,
        Self::FileCheck,
        Self::AddressOption,
        Self::RouteOption,
        Self::RuleOption,
    ];

    /// How people call it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Root => "the top level",
            Self::GlobalDefs => "global_defs",
            Self::TrackGroup => "track_group",
            Self::SyncGroup => "vrrp_sync_group",
            Self::GarpGroup => "garp_group",
            Self::Instance => "vrrp_instance",
            Self::Authentication => "authentication",
            Self::AuthHmac => "auth_hmac",
            Self::Script => "vrrp_script",
            Self::TrackProcess => "vrrp_track_process",
            Self::TrackProxy => "track_proxy",
            Self::TrackFile => "track_file",
            Self::Bfd => "bfd_instance",
            Self::Ssl => "SSL",
            Self::VirtualServer => "virtual_server",
            Self::RealServer => "real_server",
            Self::HttpCheck => "HTTP_GET",
            Self::Url => "url",
            Self::TcpCheck => "TCP_CHECK",
            Self::SmtpCheck => "SMTP_CHECK",
            Self::SmtpHost => "host",
            Self::DnsCheck => "DNS_CHECK",
            Self::MiscCheck => "MISC_CHECK",
            Self::BfdCheck => "BFD_CHECK",
            Self::UdpCheck => "UDP_CHECK",
            Self::PingCheck => "PING_CHECK",
            Self::FileCheck => "FILE_CHECK",
            Self::AddressOption => "an address line",
            Self::RouteOption => "a route line",
            Self::RuleOption => "a rule line",
        }
    }
}

/// What follows a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Parameters on the line.
    Line,
    /// A block of keywords.
    Block(Section),
    /// A block of value lines.
    Values,
}

/// What Tandem does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What keepalived does.
    Full,
    /// Accepted without effect, with the reason; using it is a warning.
    Inert(&'static str),
    /// Refused, with the reason: ignoring it would be unsafe.
    Refused(&'static str),
}

/// A registry row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyword {
    /// Its name.
    pub name: &'static str,
    /// What follows.
    pub shape: Shape,
    /// What it does.
    pub effect: Effect,
    /// First keepalived release line that knew it, where that is later than 2.2.7; older ones call it unknown.
    pub since: Option<&'static str>,
    /// The modern spelling, if this one is retired.
    pub instead: Option<&'static str>,
    /// One line of documentation.
    pub doc: &'static str,
}

const fn line(name: &'static str, doc: &'static str) -> Keyword {
    Keyword { name, shape: Shape::Line, effect: Effect::Full, since: None, instead: None, doc }
}

const fn block(name: &'static str, section: Section, doc: &'static str) -> Keyword {
    Keyword { name, shape: Shape::Block(section), effect: Effect::Full, since: None, instead: None, doc }
}

const fn values(name: &'static str, doc: &'static str) -> Keyword {
    Keyword { name, shape: Shape::Values, effect: Effect::Full, since: None, instead: None, doc }
}

impl Keyword {
    const fn inert(mut self, reason: &'static str) -> Self {
        self.effect = Effect::Inert(reason);
        self
    }

    const fn since(mut self, version: &'static str) -> Self {
        self.since = Some(version);
        self
    }

    const fn instead(mut self, name: &'static str) -> Self {
        self.instead = Some(name);
        self
    }
}

/// Rows of a section, in keepalived's order.
#[must_use]
pub fn rows(section: Section) -> &'static [&'static [Keyword]] {
    match section {
        Section::Root => &[vrrp::ROOT, global::ROOT, lvs::ROOT],
        Section::GlobalDefs => &[global::GLOBAL_DEFS],
        Section::TrackGroup => &[vrrp::TRACK_GROUP],
        Section::SyncGroup => &[vrrp::SYNC_GROUP],
        Section::GarpGroup => &[vrrp::GARP_GROUP],
        Section::Instance => &[vrrp::INSTANCE],
        Section::Authentication => &[vrrp::AUTHENTICATION],
        Section::AuthHmac => &[vrrp::AUTH_HMAC],
        Section::Script => &[vrrp::SCRIPT],
        Section::TrackProcess => &[vrrp::TRACK_PROCESS],
        Section::TrackProxy => &[vrrp::TRACK_PROXY],
        Section::TrackFile => &[vrrp::TRACK_FILE],
        Section::Bfd => &[vrrp::BFD],
        Section::Ssl => &[lvs::SSL],
        Section::VirtualServer => &[lvs::VIRTUAL_SERVER],
        Section::RealServer => &[lvs::REAL_SERVER],
        Section::HttpCheck => &[lvs::HTTP_CHECK, lvs::COMMON, lvs::RETRIES],
        Section::Url => &[lvs::URL],
        Section::TcpCheck => &[lvs::COMMON, lvs::RETRIES],
        Section::SmtpCheck => &[lvs::SMTP_CHECK, lvs::COMMON, lvs::RETRIES],
        Section::SmtpHost => &[lvs::COMMON],
        Section::DnsCheck => &[lvs::DNS_CHECK, lvs::COMMON, lvs::RETRIES],
        Section::MiscCheck => &[lvs::MISC_CHECK, lvs::RETRIES],
        Section::BfdCheck => &[lvs::BFD_CHECK],
        Section::UdpCheck => &[lvs::UDP_CHECK, lvs::COMMON, lvs::RETRIES],
        Section::PingCheck => &[lvs::COMMON, lvs::RETRIES],
        Section::FileCheck => &[lvs::FILE_CHECK],
        Section::AddressOption => &[options::ADDRESS],
        Section::RouteOption => &[options::ROUTE],
        Section::RuleOption => &[options::RULE],
    }
}

/// The row of a word in a section.
#[must_use]
pub fn find(section: Section, name: &str) -> Option<&'static Keyword> {
    rows(section).iter().flat_map(|rows| rows.iter()).find(|row| row.name == name)
}

/// Names known in a section.
pub fn names(section: Section) -> impl Iterator<Item = &'static str> {
    rows(section).iter().flat_map(|rows| rows.iter()).map(|row| row.name)
}

/// The first section that knows a word.
#[must_use]
pub fn sections_of(name: &str) -> Option<Section> {
    Section::ALL.into_iter().find(|section| find(*section, name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_documented_and_unique_in_its_section() {
        for section in Section::ALL {
            let mut seen = std::collections::HashSet::new();
            for row in rows(section).iter().flat_map(|rows| rows.iter()) {
                assert!(seen.insert(row.name), "{} twice in {}", row.name, section.title());
                assert!(row.doc.len() > 4, "{} has no documentation", row.name);
                if let Effect::Inert(reason) | Effect::Refused(reason) = row.effect {
                    assert!(reason.len() > 8, "{} has no reason", row.name);
                }
            }
        }
    }

    #[test]
    fn every_block_leads_to_a_section_with_rows() {
        for section in Section::ALL {
            for row in rows(section).iter().flat_map(|rows| rows.iter()) {
                if let Shape::Block(inner) = row.shape {
                    assert!(!rows(inner).is_empty(), "{}", row.name);
                }
            }
        }
    }
}
