//! One value of a statistics row, and what the typed and JSON forms say about it.

use std::fmt;

/// Where a value comes from: the first letter of the three in the typed form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Measured.
    Metric,
    /// State.
    Status,
    /// Identifies the object.
    Key,
    /// Configured, or changed by command.
    Config,
    /// Says something about the program itself.
    Product,
}

/// How a value behaves over time: the second letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// Goes up and down.
    Gauge,
    /// Configured bound.
    Limit,
    /// Highest ever.
    Max,
    /// Events per second.
    Rate,
    /// Only grows.
    Counter,
    /// A length of time.
    Duration,
    /// Time since something happened.
    Age,
    /// A name.
    Name,
    /// Text meant for people.
    Output,
    /// Average.
    Avg,
}

/// What a value is about: the third letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every process that serves the same configuration has the same.
    Service,
    /// This process.
    Process,
}

/// The three together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tags {
    /// First letter.
    pub origin: Origin,
    /// Second letter.
    pub nature: Nature,
    /// Third letter.
    pub scope: Scope,
}

impl Tags {
    /// Three tags.
    #[must_use]
    pub const fn new(origin: Origin, nature: Nature, scope: Scope) -> Self {
        Self { origin, nature, scope }
    }

    /// The letters of the typed form.
    #[must_use]
    pub fn letters(self) -> [char; 3] {
        let origin = match self.origin {
            Origin::Metric => 'M',
            Origin::Status => 'S',
            Origin::Key => 'K',
            Origin::Config => 'C',
            Origin::Product => 'P',
        };
        let nature = match self.nature {
            Nature::Gauge => 'G',
            Nature::Limit => 'L',
            Nature::Max => 'M',
            Nature::Rate => 'R',
            Nature::Counter => 'C',
            Nature::Duration => 'D',
            Nature::Age => 'A',
            Nature::Name => 'N',
            Nature::Output => 'O',
            Nature::Avg => 'a',
        };
        let scope = match self.scope {
            Scope::Service => 'S',
            Scope::Process => 'P',
        };
        [origin, nature, scope]
    }
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `u32`.
    U32(u32),
    /// `s32`.
    S32(i32),
    /// `u64`.
    U64(u64),
    /// `flt`.
    Float(f64),
    /// `str`.
    Text(String),
}

impl Value {
    /// Name of the type in the typed and JSON forms.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::U32(_) => "u32",
            Self::S32(_) => "s32",
            Self::U64(_) => "u64",
            Self::Float(_) => "flt",
            Self::Text(_) => "str",
        }
    }

    /// The number, if it is a whole one that is not negative.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::U32(v) => Some(v.into()),
            Self::U64(v) => Some(v),
            Self::S32(v) => v.try_into().ok(),
            Self::Float(_) | Self::Text(_) => None,
        }
    }

    /// Itself as JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::U32(v) => (*v).into(),
            Self::S32(v) => (*v).into(),
            // Readers of JSON keep numbers in doubles; beyond 2^53 - 1 the value is cut off, as HAProxy does.
            Self::U64(v) => (*v).min((1 << 53) - 1).into(),
            Self::Float(v) => (*v).into(),
            Self::Text(v) => v.as_str().into(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::U32(v) => v.fmt(f),
            Self::S32(v) => v.fmt(f),
            Self::U64(v) => v.fmt(f),
            Self::Float(v) => write!(f, "{v:.6}"),
            Self::Text(v) => f.write_str(v),
        }
    }
}

/// A value with its tags.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Tags.
    pub tags: Tags,
    /// Value.
    pub value: Value,
}
