//! Sample values and the conversions between their types.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Deref;

use smallvec::SmallVec;

use crate::ir::expr::{SampleType, Value};

/// Bytes of a sample: a slice of the message where possible, else built in place.
#[derive(Clone, Debug)]
pub enum Bytes<'a> {
    /// Part of something that lives longer.
    Ref(&'a [u8]),
    /// Made by a converter. Long enough inline for a host and a usual path.
    Own(SmallVec<[u8; 64]>),
}

impl Bytes<'_> {
    /// An owned copy of `bytes`.
    #[must_use]
    pub fn copy(bytes: &[u8]) -> Bytes<'static> {
        Bytes::Own(SmallVec::from_slice(bytes))
    }

    /// The bytes, to be changed in place.
    pub fn to_mut(&mut self) -> &mut SmallVec<[u8; 64]> {
        if let Bytes::Ref(slice) = *self {
            *self = Bytes::Own(SmallVec::from_slice(slice));
        }
        match self {
            Bytes::Own(vec) => vec,
            Bytes::Ref(_) => unreachable!("just made owned"),
        }
    }

    /// Keeps only `range`; a borrowed slice stays borrowed.
    #[must_use]
    pub fn slice(self, range: std::ops::Range<usize>) -> Self {
        match self {
            Bytes::Ref(slice) => Bytes::Ref(&slice[range]),
            Bytes::Own(mut vec) => {
                vec.truncate(range.end);
                vec.drain(..range.start);
                Bytes::Own(vec)
            }
        }
    }
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Ref(slice) => slice,
            Bytes::Own(vec) => vec,
        }
    }
}

impl<'a> From<&'a [u8]> for Bytes<'a> {
    fn from(slice: &'a [u8]) -> Self {
        Bytes::Ref(slice)
    }
}

impl PartialEq for Bytes<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Bytes<'_> {}

/// A value on its way from a fetch through converters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sample<'a> {
    /// Boolean.
    Bool(bool),
    /// Integer.
    Int(i64),
    /// IPv4.
    Ipv4(Ipv4Addr),
    /// IPv6.
    Ipv6(Ipv6Addr),
    /// Text.
    Str(Bytes<'a>),
    /// Bytes.
    Bin(Bytes<'a>),
    /// HTTP method.
    Meth(Bytes<'a>),
}

impl<'a> Sample<'a> {
    /// Text that lives in the message.
    #[must_use]
    pub fn text(bytes: &'a [u8]) -> Self {
        Sample::Str(Bytes::Ref(bytes))
    }

    /// An address. IPv4 mapped into IPv6 stays IPv6, as the client connected.
    #[must_use]
    pub fn ip(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(a) => Sample::Ipv4(a),
            IpAddr::V6(a) => Sample::Ipv6(a),
        }
    }

    /// A view of an owned value.
    #[must_use]
    pub fn of(value: &'a Value) -> Self {
        match value {
            Value::Bool(b) => Sample::Bool(*b),
            Value::Int(i) => Sample::Int(*i),
            Value::Ipv4(a) => Sample::Ipv4(*a),
            Value::Ipv6(a) => Sample::Ipv6(*a),
            Value::Str(s) => Sample::Str(Bytes::Ref(s)),
            Value::Bin(s) => Sample::Bin(Bytes::Ref(s)),
            Value::Meth(s) => Sample::Meth(Bytes::Ref(s)),
        }
    }

    /// An owned copy.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Sample::Bool(b) => Value::Bool(*b),
            Sample::Int(i) => Value::Int(*i),
            Sample::Ipv4(a) => Value::Ipv4(*a),
            Sample::Ipv6(a) => Value::Ipv6(*a),
            Sample::Str(s) => Value::Str((**s).into()),
            Sample::Bin(s) => Value::Bin((**s).into()),
            Sample::Meth(s) => Value::Meth((**s).into()),
        }
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> SampleType {
        match self {
            Sample::Bool(_) => SampleType::Bool,
            Sample::Int(_) => SampleType::Int,
            Sample::Ipv4(_) => SampleType::Ipv4,
            Sample::Ipv6(_) => SampleType::Ipv6,
            Sample::Str(_) => SampleType::Str,
            Sample::Bin(_) => SampleType::Bin,
            Sample::Meth(_) => SampleType::Meth,
        }
    }

    /// As an integer: booleans count 0 and 1, text is read from its start (a leading number is enough,
    /// anything else is 0, nothing at all is no integer), addresses are their 32 bits.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Sample::Bool(b) => Some(i64::from(*b)),
            Sample::Int(i) => Some(*i),
            Sample::Ipv4(a) => Some(i64::from(u32::from(*a))),
            Sample::Str(s) if s.is_empty() => None,
            Sample::Str(s) => Some(leading_int(s)),
            Sample::Ipv6(_) | Sample::Bin(_) | Sample::Meth(_) => None,
        }
    }

    /// As a boolean: the integer is not zero.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Sample::Bool(b) => Some(*b),
            other => other.as_int().map(|i| i != 0),
        }
    }

    /// As an address. Text and integers are read as one.
    #[must_use]
    pub fn as_ip(&self) -> Option<IpAddr> {
        match self {
            Sample::Ipv4(a) => Some(IpAddr::V4(*a)),
            Sample::Ipv6(a) => Some(IpAddr::V6(*a)),
            #[allow(
                clippy::cast_sign_loss,
                clippy::cast_possible_truncation,
                reason = "the low bits are meant"
            )]
            Sample::Int(i) => Some(IpAddr::V4((*i as u32).into())),
            Sample::Str(s) => text_ip(s),
            Sample::Bool(_) | Sample::Bin(_) | Sample::Meth(_) => None,
        }
    }

    /// As text. Bytes end at the first NUL.
    #[must_use]
    pub fn into_text(self) -> Bytes<'a> {
        let mut out = Bytes::Own(SmallVec::new());
        match self {
            Sample::Str(s) | Sample::Meth(s) => return s,
            Sample::Bool(b) => out.to_mut().push(b'0' + u8::from(b)),
            Sample::Int(i) => out.to_mut().extend_from_slice(itoa::Buffer::new().format(i).as_bytes()),
            Sample::Ipv4(a) => return Bytes::Own(ip_text(a.into())),
            Sample::Ipv6(a) => return Bytes::Own(ip_text(a.into())),
            Sample::Bin(s) => {
                let end = memchr::memchr(0, &s).unwrap_or(s.len());
                return s.slice(0..end);
            }
        }
        out
    }

    /// As bytes. Integers are 64 bits in network order.
    #[must_use]
    pub fn into_bin(self) -> Bytes<'a> {
        match self {
            Sample::Str(s) | Sample::Bin(s) | Sample::Meth(s) => s,
            Sample::Bool(b) => Bytes::copy(&i64::from(b).to_be_bytes()),
            Sample::Int(i) => Bytes::copy(&i.to_be_bytes()),
            Sample::Ipv4(a) => Bytes::copy(&a.octets()),
            Sample::Ipv6(a) => Bytes::copy(&a.octets()),
        }
    }

    /// As a sample of type `to`, or nothing where there is no way.
    #[must_use]
    pub fn cast(self, to: SampleType) -> Option<Self> {
        Some(match to {
            SampleType::Any => self,
            SampleType::Bool => Sample::Bool(self.as_bool()?),
            // A boolean is a number as it is.
            SampleType::Int => match self {
                Sample::Bool(_) => self,
                other => Sample::Int(other.as_int()?),
            },
            SampleType::Addr => Sample::ip(self.as_ip()?),
            SampleType::Ipv4 => match self.as_ip()? {
                IpAddr::V4(a) => Sample::Ipv4(a),
                IpAddr::V6(a) => Sample::Ipv4(a.to_ipv4_mapped()?),
            },
            SampleType::Ipv6 => match self.as_ip()? {
                IpAddr::V4(a) => Sample::Ipv6(a.to_ipv6_mapped()),
                IpAddr::V6(a) => Sample::Ipv6(a),
            },
            SampleType::Str => Sample::Str(self.into_text()),
            SampleType::Bin => Sample::Bin(self.into_bin()),
            SampleType::Meth => Sample::Meth(self.into_text()),
        })
    }
}

/// The IPv4 address that `text` starts with, and how long it is there: what follows the last number is not looked at, and
/// zeros may stand in front of each.
#[must_use]
pub fn leading_ipv4(text: &[u8]) -> Option<(Ipv4Addr, usize)> {
    let mut octets = [0_u8; 4];
    let (mut at, mut count) = (0, 0);
    let mut is_open = false;
    for byte in text {
        match byte {
            b'0'..=b'9' => {
                if !is_open {
                    count += 1;
                    is_open = true;
                }
                let octet = octets.get_mut(count - 1)?;
                *octet = octet.checked_mul(10)?.checked_add(byte - b'0')?;
            }
            b'.' if is_open && count < octets.len() => is_open = false,
            b'.' => return None,
            _ => break,
        }
        at += 1;
    }
    (count == octets.len()).then(|| (octets.into(), at))
}

/// The address that text is taken for: it may start with one of IPv4, or be one of IPv6.
#[must_use]
pub fn text_ip(text: &[u8]) -> Option<IpAddr> {
    match leading_ipv4(text) {
        Some((ip, _)) => Some(IpAddr::V4(ip)),
        None => std::str::from_utf8(text).ok()?.parse().ok().map(IpAddr::V6),
    }
}

/// An address as text, as the C library prints it. For the usual kind without the machinery of `Display`.
pub(crate) fn ip_text(ip: IpAddr) -> SmallVec<[u8; 64]> {
    let mut out = SmallVec::new();
    match ip {
        IpAddr::V4(ip) => {
            for (i, octet) in ip.octets().into_iter().enumerate() {
                if i > 0 {
                    out.push(b'.');
                }
                out.extend_from_slice(itoa::Buffer::new().format(octet).as_bytes());
            }
        }
        IpAddr::V6(ip) => match ip.segments() {
            // The addresses that IPv4 once had within IPv6; shorter ones are numbers.
            [0, 0, 0, 0, 0, 0, high, low] if high != 0 => {
                let inside = Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
                push_display(&mut out, format_args!("::{inside}"));
            }
            _ => push_display(&mut out, ip),
        },
    }
    out
}

/// Appends what `Display` prints.
pub(crate) fn push_display(out: &mut SmallVec<[u8; 64]>, value: impl std::fmt::Display) {
    struct Out<'a>(&'a mut SmallVec<[u8; 64]>);
    impl std::fmt::Write for Out<'_> {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }
    // Writing to memory cannot fail.
    let _ = std::fmt::write(&mut Out(out), format_args!("{value}"));
}

/// Appends upper-case hexadecimal.
pub(crate) fn push_hex(out: &mut SmallVec<[u8; 64]>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for b in bytes {
        out.push(DIGITS[usize::from(b >> 4)]);
        out.push(DIGITS[usize::from(b & 15)]);
    }
}

/// The integer that a header, a cookie or a parameter starts with: 32 bits that wrap around, no sign but a minus.
#[must_use]
pub fn message_int(text: &[u8]) -> i64 {
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1_i32, rest),
        rest => (1, rest),
    };
    let digits = digits.iter().take_while(|b| b.is_ascii_digit());
    let add =
        |sum: i32, digit: &u8| sum.wrapping_mul(10).wrapping_add(sign.wrapping_mul(i32::from(digit - b'0')));
    digits.fold(0, add).into()
}

/// The integer that `text` starts with: optional sign, digits, saturating; 0 without digits.
#[must_use]
pub fn leading_int(text: &[u8]) -> i64 {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let mut value: i64 = 0;
    for b in digits.iter().take_while(|b| b.is_ascii_digit()) {
        let digit = i64::from(b - b'0');
        value = value.saturating_mul(10);
        value = if negative { value.saturating_sub(digit) } else { value.saturating_add(digit) };
    }
    value
}
