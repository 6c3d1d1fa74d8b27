//! `mqtt_*`: control packets of MQTT 3.1, 3.1.1 and 5.0.

use smallvec::SmallVec;

use crate::ir::expr::{MqttField as F, MqttPacket};

use super::super::fetch::Missing;
use super::super::sample::{Bytes, push_display};

/// Which values a property has (MQTT 5.0, 2.2.2.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int(usize),
    Text,
    /// User property: two strings, any number of times.
    Pair,
}

fn kind(property: u8) -> Option<Kind> {
    Some(match property {
        0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2a => Kind::Int(1),
        0x13 | 0x21 | 0x22 => Kind::Int(2),
        0x02 | 0x11 | 0x18 | 0x27 => Kind::Int(4),
        0x03 | 0x08 | 0x09 | 0x12 | 0x15 | 0x16 | 0x1a | 0x1c | 0x1f => Kind::Text,
        0x26 => Kind::Pair,
        _ => return None,
    })
}

/// Properties by place: of CONNECT, of its will, of CONNACK.
const CONNECT: &[u8] = &[0x11, 0x21, 0x27, 0x22, 0x19, 0x17, 0x15, 0x16, 0x26];
const WILL: &[u8] = &[0x18, 0x01, 0x02, 0x03, 0x08, 0x09, 0x26];
const CONNACK: &[u8] =
    &[0x11, 0x21, 0x24, 0x25, 0x27, 0x12, 0x22, 0x1f, 0x28, 0x29, 0x2a, 0x13, 0x1a, 0x1c, 0x15, 0x16, 0x26];

/// Names of the properties of the manual's table.
const PROPERTIES: &[(&str, u8)] = &[
    ("17", 0x11),
    ("33", 0x21),
    ("39", 0x27),
    ("34", 0x22),
    ("25", 0x19),
    ("23", 0x17),
    ("21", 0x15),
    ("22", 0x16),
    ("36", 0x24),
    ("37", 0x25),
    ("18", 0x12),
    ("31", 0x1f),
    ("40", 0x28),
    ("41", 0x29),
    ("42", 0x2a),
    ("19", 0x13),
    ("26", 0x1a),
    ("28", 0x1c),
];

/// The packet and field that the converter's arguments name: by name, or properties by their number.
#[must_use]
pub fn field_of(packet: &str, field: &str) -> Option<(MqttPacket, F)> {
    let packet = match packet.to_ascii_lowercase().as_str() {
        "connect" | "1" => MqttPacket::Connect,
        "connack" | "2" => MqttPacket::Connack,
        _ => return None,
    };
    let connect = packet == MqttPacket::Connect;
    let field = match field.to_ascii_lowercase().as_str() {
        "flags" => F::Flags,
        "protocol_version" => F::ProtocolVersion,
        "protocol_name" if connect => F::ProtocolName,
        "keepalive" if connect => F::KeepAlive,
        "client_identifier" if connect => F::ClientIdentifier,
        "will_topic" if connect => F::WillTopic,
        "will_payload" if connect => F::WillPayload,
        "username" if connect => F::Username,
        "password" if connect => F::Password,
        "reason_code" if !connect => F::ReasonCode,
        name => {
            let id = PROPERTIES.iter().find(|(n, _)| *n == name).map(|(_, id)| *id);
            let list = if connect { CONNECT } else { CONNACK };
            if let Some(id) = id.filter(|id| list.contains(id)) {
                F::Property(id)
            } else {
                // Properties of the will have the numbers that the header's do not.
                let id: u8 = name.parse().ok().filter(|id| connect && WILL.contains(id) && *id != 0x26)?;
                F::WillProperty(id)
            }
        }
    };
    Some((packet, field))
}

/// A packet taken apart.
#[derive(Default)]
struct Packet<'a> {
    kind: u8,
    flags: u8,
    name: &'a [u8],
    version: u8,
    keep_alive: u16,
    reason: u8,
    properties: SmallVec<[(u8, Property<'a>); 8]>,
    will_properties: SmallVec<[(u8, Property<'a>); 4]>,
    client: &'a [u8],
    will_topic: &'a [u8],
    will_payload: &'a [u8],
    username: &'a [u8],
    password: &'a [u8],
}

#[derive(Clone, Copy)]
enum Property<'a> {
    Int(u32),
    Text(&'a [u8]),
}

pub(super) fn is_valid(message: &[u8]) -> Result<bool, Missing> {
    match parse(message) {
        Ok(_) => Ok(true),
        Err(Missing::Absent) => Ok(false),
        Err(Missing::NotYet) => Err(Missing::NotYet),
    }
}

/// The text of a field.
pub(super) fn value(message: &[u8], packet: MqttPacket, field: F) -> Result<Bytes<'static>, Missing> {
    let read = parse(message)?;
    let wanted = match packet {
        MqttPacket::Connect => 1,
        MqttPacket::Connack => 2,
    };
    if read.kind != wanted {
        return Err(Missing::Absent);
    }
    let number = |n: u32| {
        let mut out = SmallVec::new();
        push_display(&mut out, n);
        Ok(Bytes::Own(out))
    };
    let text = |t: &[u8]| if t.is_empty() { Err(Missing::Absent) } else { Ok(Bytes::copy(t)) };
    let property = |list: &[(u8, Property<'_>)], id: u8| {
        if read.version != 5 {
            return Err(Missing::Absent);
        }
        match list.iter().find(|(n, _)| *n == id).map(|(_, p)| *p) {
            Some(Property::Int(n)) => number(n),
            Some(Property::Text(t)) => text(t),
            None if matches!(kind(id), Some(Kind::Int(_))) => number(0),
            None => Err(Missing::Absent),
        }
    };
    match field {
        F::Flags => number(read.flags.into()),
        F::ProtocolName => text(read.name),
        F::ProtocolVersion => number(read.version.into()),
        F::KeepAlive => number(read.keep_alive.into()),
        F::ReasonCode => number(read.reason.into()),
        F::ClientIdentifier => text(read.client),
        F::WillTopic => text(read.will_topic),
        F::WillPayload => text(read.will_payload),
        F::Username => text(read.username),
        F::Password => text(read.password),
        F::Property(id) => property(&read.properties, id),
        F::WillProperty(_) if read.flags & 4 == 0 => Err(Missing::Absent),
        F::WillProperty(id) => property(&read.will_properties, id),
    }
}

/// Reads the parts of a packet that is there whole: what is missing is an error.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Missing> {
        let (head, tail) = self.0.split_at_checked(len).ok_or(Missing::Absent)?;
        self.0 = tail;
        Ok(head)
    }

    fn int(&mut self, len: usize) -> Result<u32, Missing> {
        Ok(self.take(len)?.iter().fold(0, |n, b| (n << 8) | u32::from(*b)))
    }

    fn byte(&mut self) -> Result<u8, Missing> {
        Ok(self.take(1)?[0])
    }

    fn string(&mut self) -> Result<&'a [u8], Missing> {
        let len = self.int(2)?;
        self.take(len as usize)
    }

    fn varint(&mut self) -> Result<usize, Missing> {
        let (value, len) = varint(self.0).ok_or(Missing::Absent)??;
        self.take(len)?;
        Ok(value)
    }
}

/// A variable byte integer and its length. `None`: it is too long; `Some(Err)`: bytes are missing.
fn varint(bytes: &[u8]) -> Option<Result<(usize, usize), Missing>> {
    let mut value = 0;
    for i in 0..4 {
        let Some(b) = bytes.get(i) else { return Some(Err(Missing::NotYet)) };
        value |= usize::from(b & 0x7f) << (7 * i);
        if b & 0x80 == 0 {
            return Some(Ok((value, i + 1)));
        }
    }
    None
}

fn parse(message: &[u8]) -> Result<Packet<'_>, Missing> {
    let first = *message.first().ok_or(Missing::NotYet)?;
    let kind = first >> 4;
    // Flags that the type fixes (MQTT 5.0, 2.1.3).
    let right = match kind {
        0 => false,
        3 => true,
        6 | 8 | 10 => first & 15 == 2,
        _ => first & 15 == 0,
    };
    if !right {
        return Err(Missing::Absent);
    }
    let (length, used) = varint(&message[1..]).ok_or(Missing::Absent)??;
    let body = message.get(1 + used..1 + used + length).ok_or(Missing::NotYet)?;
    let mut packet = Packet { kind, ..Packet::default() };
    match kind {
        1 => connect(Reader(body), &mut packet)?,
        2 => connack(Reader(body), &mut packet)?,
        // Others are not taken apart, and a message that was not looked at is none to rely on.
        _ => return Err(Missing::Absent),
    }
    Ok(packet)
}

fn ensure(condition: bool) -> Result<(), Missing> {
    if condition { Ok(()) } else { Err(Missing::Absent) }
}

fn connect<'a>(mut r: Reader<'a>, p: &mut Packet<'a>) -> Result<(), Missing> {
    p.name = r.string()?;
    ensure(p.name.eq_ignore_ascii_case(b"MQTT") || p.name.eq_ignore_ascii_case(b"MQIsdp"))?;
    p.version = r.byte()?;
    ensure(matches!(p.version, 3..=5))?;
    p.flags = r.byte()?;
    ensure(p.flags & 1 == 0)?;
    let will = p.flags & 4 != 0;
    // Quality and retention are the will's.
    ensure(will || p.flags & 0x38 == 0)?;
    p.keep_alive = r.int(2)? as u16;
    if p.version == 5 {
        p.properties = properties(&mut r, CONNECT)?;
    }
    p.client = r.string()?;
    if will {
        if p.version == 5 {
            p.will_properties = properties(&mut r, WILL)?.into_iter().collect();
        }
        p.will_topic = r.string()?;
        p.will_payload = r.string()?;
    }
    if p.flags & 0x80 != 0 {
        p.username = r.string()?;
    }
    if p.flags & 0x40 != 0 {
        p.password = r.string()?;
    }
    ensure(r.0.is_empty())
}

fn connack<'a>(mut r: Reader<'a>, p: &mut Packet<'a>) -> Result<(), Missing> {
    ensure(r.0.len() >= 2)?;
    p.version = 4;
    p.flags = r.byte()?;
    ensure(p.flags & !1 == 0)?;
    p.reason = r.byte()?;
    if !r.0.is_empty() {
        p.version = 5;
        p.properties = properties(&mut r, CONNACK)?;
    }
    ensure(r.0.is_empty())
}

fn properties<'a>(r: &mut Reader<'a>, allowed: &[u8]) -> Result<SmallVec<[(u8, Property<'a>); 8]>, Missing> {
    let length = r.varint()?;
    let mut inside = Reader(r.take(length)?);
    let mut found: SmallVec<[(u8, Property<'a>); 8]> = SmallVec::new();
    while !inside.0.is_empty() {
        let id = inside.byte()?;
        ensure(allowed.contains(&id))?;
        let value = match kind(id).ok_or(Missing::Absent)? {
            Kind::Pair => {
                inside.string()?;
                inside.string()?;
                continue;
            }
            Kind::Int(size) => Property::Int(inside.int(size)?),
            Kind::Text => Property::Text(inside.string()?),
        };
        ensure(found.iter().all(|(n, _)| *n != id))?;
        let in_range = match (id, value) {
            // Zero would mean "none at all".
            (0x21 | 0x27, Property::Int(n)) => n > 0,
            (0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2a, Property::Int(n)) => n <= 1,
            _ => true,
        };
        ensure(in_range)?;
        found.push((id, value));
    }
    Ok(found)
}
