//! Questions and answers on the wire (RFC 1035 section 4, RFC 6891).

use std::net::IpAddr;

use hickory_proto::ProtoError;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};

use super::{Ask, Family, Service};

/// Most aliases followed within an answer.
const MAX_ALIASES: usize = 16;

/// What an answer to our question says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Addresses of the name, in the order of the message.
    Addresses(Vec<IpAddr>),
    /// Where the service is offered, in the order of the message.
    Services(Vec<Service>),
    /// The name does not exist.
    Nx,
    /// Refused.
    Refused,
    /// The name exists and has nothing of what was asked for.
    Empty,
    /// Aliases that lead to no address.
    DanglingAlias,
    /// Cut off: the rest would have to be asked for over TCP.
    Truncated,
    /// Another error of the nameserver.
    Error,
}

/// A name as it is asked for.
///
/// # Errors
/// Empty or overlong labels.
pub fn name(host: &str) -> Result<Name, ProtoError> {
    let labels = host.strip_suffix('.').unwrap_or(host).split('.').map(str::as_bytes);
    let mut name = Name::from_labels(labels)?.to_lowercase();
    name.set_fqdn(true);
    Ok(name)
}

fn record_type(ask: Ask) -> RecordType {
    match ask {
        Ask::Addresses(Family::V4) => RecordType::A,
        Ask::Addresses(Family::V6) => RecordType::AAAA,
        Ask::Services => RecordType::SRV,
    }
}

/// A recursive question that announces how large an answer may be.
///
/// # Errors
/// The message cannot be encoded.
pub fn question(id: u16, name: &Name, ask: Ask, payload: u16) -> Result<Vec<u8>, ProtoError> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name.clone(), record_type(ask)));
    let mut edns = Edns::new();
    edns.set_max_payload(payload);
    message.set_edns(edns);
    message.to_vec()
}

/// The id of a message, if it is long enough to have one.
#[must_use]
pub fn id(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().map(|id| u16::from_be_bytes(*id))
}

/// Reads an answer to the question about `name`. `None`: it is not one, and to be treated as if it had
/// never arrived: not a response, for another question, or malformed.
#[must_use]
pub fn answer(bytes: &[u8], name: &Name, ask: Ask) -> Option<Answer> {
    let message = Message::from_vec(bytes).ok()?;
    let meta = &message.metadata;
    if meta.message_type != MessageType::Response || meta.op_code != OpCode::Query {
        return None;
    }
    let [query] = message.queries.as_slice() else { return None };
    if query.query_type() != record_type(ask) || !same(query.name(), name) {
        return None;
    }
    match meta.response_code {
        ResponseCode::NoError => {}
        ResponseCode::NXDomain => return Some(Answer::Nx),
        ResponseCode::Refused => return Some(Answer::Refused),
        _ => return Some(Answer::Error),
    }
    if meta.truncation {
        return Some(Answer::Truncated);
    }
    if message.answers.is_empty() {
        return Some(Answer::Empty);
    }
    Some(match ask {
        Ask::Addresses(_) => addresses(&message, name),
        Ask::Services => services(&message, name),
    })
}

fn same(a: &Name, b: &Name) -> bool {
    a.eq_ignore_root(b)
}

/// Follows aliases from `name` to addresses; records of other names are nobody's business.
fn addresses(message: &Message, name: &Name) -> Answer {
    let mut owner = name;
    for _ in 0..MAX_ALIASES {
        let of_owner = || message.answers.iter().filter(|r| same(&r.name, owner));
        let addrs: Vec<IpAddr> = of_owner()
            .filter_map(|r| match &r.data {
                RData::A(a) => Some(IpAddr::V4(a.0)),
                RData::AAAA(a) => Some(IpAddr::V6(a.0)),
                _ => None,
            })
            .collect();
        if !addrs.is_empty() {
            return Answer::Addresses(addrs);
        }
        let alias = of_owner().find_map(|r| match &r.data {
            RData::CNAME(target) => Some(&target.0),
            _ => None,
        });
        match alias {
            Some(target) => owner = target,
            None => break,
        }
    }
    Answer::DanglingAlias
}

/// The places where the service is offered, with the addresses of their targets that came along.
fn services(message: &Message, name: &Name) -> Answer {
    let address_of = |target: &Name| {
        let records = message.additionals.iter().filter(|r| same(&r.name, target));
        records.into_iter().find_map(|r| match &r.data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            RData::AAAA(a) => Some(IpAddr::V6(a.0)),
            _ => None,
        })
    };
    let mut found: Vec<Service> = Vec::new();
    for record in message.answers.iter().filter(|r| same(&r.name, name)) {
        let RData::SRV(srv) = &record.data else { continue };
        let target = srv.target.to_lowercase().to_ascii();
        let target = target.trim_end_matches('.').to_owned();
        // The root as target says that the service is not offered (RFC 2782).
        let known = |other: &Service| other.target == target && other.port == srv.port;
        if target.is_empty() || found.iter().any(known) {
            continue;
        }
        let addr = address_of(&srv.target);
        found.push(Service { target, port: srv.port, weight: srv.weight, addr });
    }
    if found.is_empty() { Answer::DanglingAlias } else { Answer::Services(found) }
}
