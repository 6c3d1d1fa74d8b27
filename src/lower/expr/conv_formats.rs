//! Rows of the converters that read other protocols, encrypt or verify.

use std::sync::Arc;

use super::args::Args;
use super::conv::path;
use super::names::{Build, ConvRow};
use super::{Language, Read};
use crate::expr::conv::{fix_tag, mqtt_field, public_key};
use crate::ir::expr::{
    Aes, Conv as C, ForwardedKind as Fw, JwtAlgorithm, JwtKey, PacketField as P, ProtobufKind, Text, VarCond,
    When, XxhKind,
};

const fn row(name: &'static str, usage: &'static str, count: (usize, usize), build: Build<C>) -> ConvRow {
    ConvRow { name, usage, count, build }
}

const fn plain(name: &'static str, build: Build<C>) -> ConvRow {
    row(name, "", (0, 0), build)
}

const SEED: &str = "([<seed>])";
const GCM: &str = "(<bits>,<nonce>,<key>,<aead_tag>[,<aad>])";
const CBC: &str = "(<bits>,<nonce>,<key>[,<aad>])";
const PROTOBUF: &str = "(<field_number>[,<field_type>])";
const JWT: &str = "([<json_path>[,<output_type>]])";

pub(super) const ROWS: &[ConvRow] = &[
    row("xxh32", SEED, (0, 1), |l, a| xxh(l, a, XxhKind::Xxh32)),
    row("xxh64", SEED, (0, 1), |l, a| xxh(l, a, XxhKind::Xxh64)),
    row("xxh3", SEED, (0, 1), |l, a| xxh(l, a, XxhKind::Xxh3)),
    plain("base2", |_, _| Some(C::Base2)),
    row("has_ctl", "([<mask>])", (0, 1), |l, a| match a.filled(0) {
        // Every one but the tab.
        None => Some(C::HasCtl(0x1_ffff_fdff)),
        Some("any") => Some(C::HasCtl(0x1_ffff_ffff)),
        // Those that end lines and strings.
        Some("http") => Some(C::HasCtl(0x2401)),
        Some(text) => {
            let parsed = match text.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16).ok(),
                None => text.parse().ok(),
            };
            match parsed.filter(|mask| *mask <= 0x1_ffff_ffff) {
                Some(mask) => Some(C::HasCtl(mask)),
                None => a.invalid(l, 0, format!("'{text}' is no mask of 33 bits, 'any' or 'http'")),
            }
        }
    }),
    plain("date", |_, _| Some(C::FromHttpDate)),
    plain("rfc7239_is_valid", |_, _| Some(C::Forwarded(Fw::IsValid))),
    row("rfc7239_field", "(<field>)", (1, 1), |l, a| match a.opt(0).unwrap_or_default() {
        "proto" => Some(C::Forwarded(Fw::Proto)),
        "host" => Some(C::Forwarded(Fw::Host)),
        "for" => Some(C::Forwarded(Fw::For)),
        "by" => Some(C::Forwarded(Fw::By)),
        _ => a.invalid(l, 0, "there are the fields proto, host, for and by"),
    }),
    plain("rfc7239_n2nn", |_, _| Some(C::Forwarded(Fw::NodeName))),
    plain("rfc7239_nn", |_, _| Some(C::Forwarded(Fw::MakeName))),
    plain("rfc7239_np", |_, _| Some(C::Forwarded(Fw::MakePort))),
    plain("rfc7239_n2np", |_, _| Some(C::Forwarded(Fw::NodePort))),
    plain("fix_is_valid", |_, _| Some(C::FixIsValid)),
    row("fix_tag_value", "(<tag>)", (1, 1), |l, a| {
        let text = a.opt(0).unwrap_or_default();
        match fix_tag(text) {
            Some(tag) => Some(C::FixTag(tag)),
            None => a.invalid(l, 0, format!("'{text}' is no FIX tag")),
        }
    }),
    plain("mqtt_is_valid", |_, _| Some(C::MqttIsValid)),
    row("mqtt_field_value", "(<packettype>,<fieldname_or_property_ID>)", (2, 2), |l, a| {
        let (packet, field) = (a.opt(0).unwrap_or_default(), a.opt(1).unwrap_or_default());
        match mqtt_field(packet, field) {
            Some((packet, field)) => Some(C::MqttField(packet, field)),
            None => a.invalid(l, 1, format!("packet '{packet}' has no field '{field}' that can be read")),
        }
    }),
    row("protobuf", PROTOBUF, (1, 2), |l, a| protobuf(l, a, false)),
    row("ungrpc", PROTOBUF, (1, 2), |l, a| protobuf(l, a, true)),
    row("aes_gcm_enc", GCM, (4, 5), |l, a| aes(l, a, true, false)),
    row("aes_gcm_dec", GCM, (4, 5), |l, a| aes(l, a, true, true)),
    row("aes_cbc_enc", CBC, (3, 4), |l, a| aes(l, a, false, false)),
    row("aes_cbc_dec", CBC, (3, 4), |l, a| aes(l, a, false, true)),
    row("jwt_header_query", JWT, (0, 2), |l, a| jwt_query(l, a, false)),
    row("jwt_payload_query", JWT, (0, 2), |l, a| jwt_query(l, a, true)),
    row("jwt_verify", "(<alg>,<key>)", (2, 2), jwt_verify),
    row("when", "([!]<condition>[,<arg>])", (1, 2), when),
    row("set-var", "(<var>[,<cond>...])", (1, 5), |l, a| {
        let name = a.var(l, 0)?;
        let mut conds = Vec::new();
        for nth in 1..a.call.args.len() {
            let text = a.opt(nth).unwrap_or_default();
            match var_cond(text) {
                Some(cond) => conds.push(cond),
                None => return a.invalid(l, nth, format!("unknown condition \"{text}\"")),
            }
        }
        Some(C::SetVar(name, conds))
    }),
    row("unset-var", "(<var>)", (1, 1), |l, a| Some(C::UnsetVar(a.var(l, 0)?))),
    row("debug", "([<prefix>][,<destination>])", (0, 2), |_, _| Some(C::Debug)),
    plain("eth.data", |_, _| Some(C::Packet(P::EthData))),
    plain("eth.dst", |_, _| Some(C::Packet(P::EthDst))),
    plain("eth.hdr", |_, _| Some(C::Packet(P::EthHdr))),
    plain("eth.proto", |_, _| Some(C::Packet(P::EthProto))),
    plain("eth.src", |_, _| Some(C::Packet(P::EthSrc))),
    plain("eth.vlan", |_, _| Some(C::Packet(P::EthVlan))),
    plain("ip.data", |_, _| Some(C::Packet(P::IpData))),
    plain("ip.df", |_, _| Some(C::Packet(P::IpDf))),
    plain("ip.dst", |_, _| Some(C::Packet(P::IpDst))),
    row("ip.fp", "([<mode>])", (0, 1), |l, a| {
        let mode = if a.filled(0).is_some() { a.int(l, 0)? } else { 0 };
        Some(C::Packet(P::IpFingerprint((mode & 7) as u8)))
    }),
    plain("ip.hdr", |_, _| Some(C::Packet(P::IpHdr))),
    plain("ip.proto", |_, _| Some(C::Packet(P::IpProto))),
    plain("ip.src", |_, _| Some(C::Packet(P::IpSrc))),
    plain("ip.tos", |_, _| Some(C::Packet(P::IpTos))),
    plain("ip.ttl", |_, _| Some(C::Packet(P::IpTtl))),
    plain("ip.ver", |_, _| Some(C::Packet(P::IpVer))),
    plain("tcp.dst", |_, _| Some(C::Packet(P::TcpDst))),
    plain("tcp.flags", |_, _| Some(C::Packet(P::TcpFlags))),
    plain("tcp.options.mss", |_, _| Some(C::Packet(P::TcpMss))),
    plain("tcp.options.sack", |_, _| Some(C::Packet(P::TcpSack))),
    plain("tcp.options.tsopt", |_, _| Some(C::Packet(P::TcpTsOpt))),
    plain("tcp.options.tsval", |_, _| Some(C::Packet(P::TcpTsVal))),
    plain("tcp.options.wscale", |_, _| Some(C::Packet(P::TcpWscale))),
    plain("tcp.options.wsopt", |_, _| Some(C::Packet(P::TcpWsOpt))),
    plain("tcp.options_list", |_, _| Some(C::Packet(P::TcpOptions))),
    plain("tcp.seq", |_, _| Some(C::Packet(P::TcpSeq))),
    plain("tcp.src", |_, _| Some(C::Packet(P::TcpSrc))),
    plain("tcp.win", |_, _| Some(C::Packet(P::TcpWin))),
];

/// A condition of `set-var`.
pub(in crate::lower) fn var_cond(text: &str) -> Option<VarCond> {
    Some(match text {
        "ifexists" => VarCond::Exists,
        "ifnotexists" => VarCond::NotExists,
        "ifempty" => VarCond::Empty,
        "ifnotempty" => VarCond::NotEmpty,
        "ifset" => VarCond::Set,
        "ifnotset" => VarCond::NotSet,
        "ifgt" => VarCond::Greater,
        "iflt" => VarCond::Less,
        _ => return None,
    })
}

#[allow(clippy::cast_sign_loss, reason = "a seed is a pattern of bits")]
fn xxh(l: &mut Language<'_>, a: &Args<'_>, kind: XxhKind) -> Read<C> {
    Some(C::Xxh(kind, a.opt_int(l, 0)?.unwrap_or(0) as u64))
}

fn protobuf(l: &mut Language<'_>, a: &Args<'_>, grpc: bool) -> Read<C> {
    let text = a.opt(0).unwrap_or_default();
    let path: Option<Vec<u64>> = text.split('.').map(|n| n.parse().ok().filter(|n| *n < 1 << 29)).collect();
    let Some(path) = path else {
        return a.invalid(l, 0, format!("'{text}' is no path of field numbers"));
    };
    let kind = match a.filled(1) {
        None => ProtobufKind::Raw,
        Some("int32" | "uint32" | "int64" | "uint64" | "enum") => ProtobufKind::Varint,
        Some("sint32" | "sint64") => ProtobufKind::Zigzag,
        Some("bool") => ProtobufKind::Bool,
        Some("fixed32") => ProtobufKind::Fixed32 { signed: false },
        Some("sfixed32") => ProtobufKind::Fixed32 { signed: true },
        Some("fixed64" | "sfixed64") => ProtobufKind::Fixed64,
        Some("float") => ProtobufKind::Float,
        Some("double") => ProtobufKind::Double,
        Some(other) => return a.invalid(l, 1, format!("'{other}' is no type of a number")),
    };
    Some(C::Protobuf { grpc, path, kind })
}

fn aes(l: &mut Language<'_>, a: &Args<'_>, gcm: bool, decrypt: bool) -> Read<C> {
    let bits = match a.int(l, 0)? {
        128 => 128,
        192 => 192,
        256 => 256,
        _ => return a.invalid(l, 0, "key size must be 128, 192 or 256 (bits)."),
    };
    let nonce = base64(l, a, 1, "nonce")?;
    let key = base64(l, a, 2, "key")?;
    let tag = match gcm {
        true if decrypt => Some(base64(l, a, 3, "aead_tag")?),
        true => Some(Text::Var(a.var(l, 3)?)),
        false => None,
    };
    let last = if gcm { 4 } else { 3 };
    let aad = if a.filled(last).is_some() { Some(base64(l, a, last, "aad")?) } else { None };
    Some(C::Aes(Box::new(Aes { gcm, decrypt, bits, nonce, key, tag, aad })))
}

/// A variable, or base64 as written.
pub(super) fn base64(l: &mut Language<'_>, a: &Args<'_>, nth: usize, what: &str) -> Read<Text> {
    use base64::Engine as _;
    let text = a.text(nth);
    if let Text::Literal(written) = &text
        && base64::engine::general_purpose::STANDARD.decode(written).is_err()
    {
        let cause = "argument needs to be base64 encoded, and can either be a string or a variable";
        return a.invalid(l, nth, format!("failed to parse {what} : {cause}"));
    }
    Some(text)
}

fn jwt_query(l: &mut Language<'_>, a: &Args<'_>, payload: bool) -> Read<C> {
    let path = a.filled(0).map(|text| path(l, a, text));
    match a.filled(1) {
        None => Some(C::JwtQuery { payload, path, as_int: false }),
        Some("int") => Some(C::JwtQuery { payload, path, as_int: true }),
        Some(other) => a.invalid(l, 1, format!("output type '{other}' is not supported; there is 'int'")),
    }
}

fn jwt_verify(l: &mut Language<'_>, a: &Args<'_>) -> Read<C> {
    const KNOWN: [&str; 13] = [
        "none", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256",
        "PS384", "PS512",
    ];
    let algorithm = a.text(0);
    if matches!(algorithm, Text::Literal(_)) && !KNOWN.contains(&a.opt(0).unwrap_or_default()) {
        return a.invalid(l, 0, format!("unknown JWT algorithm: {}", a.opt(0).unwrap_or_default()));
    }
    let secret = a.opt(0).is_some_and(|name| name.starts_with("HS") || name == "none");
    let key = match a.text(1) {
        Text::Var(name) => JwtKey::Var(name),
        Text::Literal(text) => {
            // A name of a file, unless the algorithm says that it is a secret.
            let path = a.opt(1).filter(|_| !secret).unwrap_or_default();
            let read = if path.is_empty() { None } else { l.world.read(path, a.span(1)).ok() };
            let public = read.as_deref().and_then(|pem| public_key(std::str::from_utf8(pem).ok()?));
            if let Some(name) = a.opt(0).filter(|name| KNOWN[4..].contains(name))
                && public.is_none()
                && !l.world.offline()
            {
                return a.invalid(l, 1, format!("'{path}' is no file with a public key, which {name} needs"));
            }
            JwtKey::Literal(text, public.map(Arc::new))
        }
    };
    Some(C::JwtVerify(JwtAlgorithm::Text(algorithm), key))
}

fn when(l: &mut Language<'_>, a: &Args<'_>) -> Read<C> {
    let text = a.opt(0).unwrap_or_default();
    let (negated, name) = text.strip_prefix('!').map_or((false, text), |name| (true, name));
    let (negated, cond) = match name {
        "error" => (negated, When::Error),
        "normal" => (!negated, When::Error),
        "forwarded" => (negated, When::Forwarded),
        "toapplet" => (negated, When::ToApplet),
        "processed" => (negated, When::Processed),
        "stopping" => (negated, When::Stopping),
        "acl" => match l.acl_by_name(a.opt(1).unwrap_or_default(), a.span(1)) {
            Some(acl) => (negated, When::Acl(acl)),
            None => return None,
        },
        other => {
            let message = format!(
                "unknown condition '{other}'; there are error, normal, forwarded, toapplet, processed, stopping \
                 and acl"
            );
            return a.invalid(l, 0, message);
        }
    };
    Some(C::When { negated, cond })
}
