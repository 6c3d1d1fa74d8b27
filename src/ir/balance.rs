//! How a backend chooses a server.

/// How a backend for log lines (`mode log`) chooses a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogBalance {
    /// `roundrobin`.
    #[default]
    RoundRobin,
    /// `random`.
    Random,
    /// `sticky`: one server for as long as it is up.
    Sticky,
    /// `log-hash CONVERTERS`: by what the converters make of the line.
    Hash,
}

/// `balance`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// `roundrobin` (the default).
    #[default]
    RoundRobin,
    /// `static-rr`.
    StaticRr,
    /// `leastconn`.
    LeastConn,
    /// `first`.
    First,
    /// `source`.
    Source,
    /// `uri [path-only] [len N] [depth N] [whole]`.
    Uri {
        /// Leave out scheme and authority.
        path_only: bool,
        /// Only so many bytes; 0: all.
        len: usize,
        /// Only so many directories; 0: all.
        depth: usize,
        /// With the query string.
        whole: bool,
    },
    /// `url_param NAME`.
    UrlParam(String),
    /// `hdr(NAME) [use_domain_only]`.
    Hdr {
        /// Header name.
        name: String,
        /// Domain part only.
        domain_only: bool,
    },
    /// `random(draws)`.
    Random(u32),
    /// `rdp-cookie(NAME)`.
    RdpCookie(String),
    /// `hash EXPR`: [`Backend::hash_expr`].
    Hash,
}

impl Balance {
    /// The choice follows from something of the client or its request.
    pub fn is_hash(&self) -> bool {
        !matches!(self, Self::RoundRobin | Self::StaticRr | Self::LeastConn | Self::First | Self::Random(_))
    }
}

/// First word of `hash-type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashMethod {
    /// `map-based` (the default).
    #[default]
    MapBased,
    /// `consistent`.
    Consistent,
}

/// Second word of `hash-type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashFunction {
    /// `sdbm` (the default).
    #[default]
    Sdbm,
    /// `djb2`.
    Djb2,
    /// `wt6`.
    Wt6,
    /// `crc32`.
    Crc32,
    /// `none`: the key is the number that the text spells.
    None,
}

/// `hash-type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HashType {
    /// Method.
    pub method: HashMethod,
    /// Function.
    pub function: HashFunction,
    /// `avalanche`.
    pub avalanche: bool,
}

/// `hash-preserve-affinity`: when a key of a consistent hash leaves its server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HashAffinity {
    /// `always`: never for its load.
    #[default]
    Always,
    /// `maxconn`: when the server works on as many requests as it may.
    Maxconn,
    /// `maxqueue`: when its queue is full too.
    Maxqueue,
}
