//! Headers that tell servers where a request came from: `option forwardfor`, `originalto` and `forwarded`, and
//! `unique-id-header`.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};

use crate::expr::conv::forwarded as rfc7239;
use crate::expr::{Sample, Session as _, eval, ip_text};
use crate::ir::expr::{Expr, SampleType};
use crate::ir::proxy::{Forwarded, ForwardedNode, ForwardedValue};
use crate::proxy::txn::Txn;

/// Adds what both proxies ask for. Most ask for little, and every copy of an `Arc` costs.
pub(super) fn add(txn: &mut Txn) {
    let (fe, be) = (&txn.door.fe.ir, &txn.be().ir);
    let has_id = txn.unique_id.is_some();
    let has_forwarded = be.forwarded.is_some();
    let has_client = fe.forwardfor.is_some() || be.forwardfor.is_some();
    let has_destination = fe.originalto.is_some() || be.originalto.is_some();
    if has_id {
        unique_id(txn);
    }
    if has_forwarded {
        forwarded(txn);
    }
    if has_client {
        forwardfor(txn);
    }
    if has_destination {
        originalto(txn);
    }
}

/// `unique-id-header` of the frontend.
fn unique_id(txn: &mut Txn) {
    let fe = txn.door.fe.clone();
    let name = fe.ir.frontend.as_ref().and_then(|half| half.unique_id_header.as_ref());
    if let (Some(name), Some(id)) = (name, &txn.unique_id) {
        txn.req.add(name.as_bytes(), id);
    }
}

/// The backend's name for the header comes first; either section turns it on, and one that wants it always wins over
/// one that wants it only where there is none.
fn forwardfor(txn: &mut Txn) {
    let (fe, be) = (txn.door.fe.clone(), txn.be().clone());
    let all = [be.ir.forwardfor.as_ref(), fe.ir.forwardfor.as_ref()];
    let (Some(first), Some(src)) = (all.into_iter().flatten().next(), txn.src) else { return };
    let is_there = || txn.req.get(first.header.to_ascii_lowercase().as_bytes()).is_some();
    if (all.iter().flatten().all(|option| option.if_none) && is_there())
        || all.iter().flatten().any(|option| option.except.iter().any(|net| net.contains(&src.ip())))
    {
        return;
    }
    add_ip(txn, &first.header, src);
}

fn originalto(txn: &mut Txn) {
    let (fe, be) = (txn.door.fe.clone(), txn.be().clone());
    let all = [be.ir.originalto.as_ref(), fe.ir.originalto.as_ref()];
    let (Some(first), Some(dst)) = (all.into_iter().flatten().next(), txn.dst) else { return };
    if all.iter().flatten().any(|option| option.except.iter().any(|net| net.contains(&dst.ip()))) {
        return;
    }
    add_ip(txn, &first.header, dst);
}

fn add_ip(txn: &mut Txn, name: &str, addr: SocketAddr) {
    txn.req.add(name.as_bytes(), &ip_text(addr.ip()));
}

/// `option forwarded` of the backend: continues a valid header, starts anew beside an invalid one (RFC 7239 section 4).
fn forwarded(txn: &mut Txn) {
    let be = txn.be().clone();
    let Some(option) = &be.ir.forwarded else { return };
    let element = element(txn, option);
    // Quoted commas do not end an element, but no valid one holds any: cutting there makes it as invalid as it is.
    let valid = txn
        .req
        .values(b"forwarded")
        .flat_map(|line| line.split(|b| *b == b','))
        .all(|element| rfc7239::is_valid(element.trim_ascii()));
    let last = (0..txn.req.len()).rev().find(|at| txn.req.header(*at).0 == b"forwarded");
    match last {
        Some(at) if valid => {
            let line = [txn.req.header(at).1, b", ", &element].concat();
            txn.req.set_value(at, &line);
        }
        _ => txn.req.add(b"forwarded", &element),
    }
}

fn element(txn: &Txn, option: &Forwarded) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    if option.proto {
        // Every connection is clear so far.
        parameter(&mut out, "proto");
        out.extend_from_slice(b"http");
    }
    if let Some(value) = &option.host {
        parameter(&mut out, "host");
        out.push(b'"');
        match value {
            ForwardedValue::Own => {
                let host = txn.req.get(b"host").unwrap_or_default();
                out.extend(host.iter().filter(|_| rfc7239::is_host(host)));
            }
            ForwardedValue::Expr(expr) => {
                let host = text(txn, expr).unwrap_or_default();
                out.extend(host.iter().filter(|_| rfc7239::is_host(&host)));
            }
        }
        out.push(b'"');
    }
    for (name, node_of, addr) in [("by", &option.by, txn.dst), ("for", &option.forr, txn.src)] {
        if let Some(name_of) = &node_of.name {
            parameter(&mut out, name);
            node(txn, &mut out, name_of, node_of, addr);
        }
    }
    out
}

fn parameter(out: &mut Vec<u8>, name: &str) {
    if !out.is_empty() {
        out.push(b';');
    }
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
}

/// A node with its port if one is asked for; what cannot be said is `unknown`.
fn node(txn: &Txn, out: &mut Vec<u8>, name: &ForwardedValue, node: &ForwardedNode, addr: Option<SocketAddr>) {
    let start = out.len();
    // A port, and an address of version 6, need quotes.
    let port_wanted = node.port.is_some();
    let ip = |out: &mut Vec<u8>, ip: IpAddr| match ip {
        IpAddr::V4(ip) => write!(out, "{ip}"),
        IpAddr::V6(ip) if port_wanted => write!(out, "[{ip}]"),
        IpAddr::V6(ip) => write!(out, "\"[{ip}]"),
    };
    if port_wanted {
        out.push(b'"');
    }
    let before = out.len();
    // Writing to memory cannot fail.
    let _ = match name {
        ForwardedValue::Own => addr.map_or(Ok(()), |addr| ip(out, addr.ip())),
        ForwardedValue::Expr(expr) => match eval(expr, &txn.ctx()) {
            Ok(Sample::Ipv6(addr)) => ip(out, addr.into()),
            Ok(value) => {
                let value = value.cast(SampleType::Str).map(Sample::into_text);
                let value = value.as_deref().unwrap_or_default();
                match rfc7239::node_name(value) {
                    rfc7239::Spelling::V6(addr) => ip(out, addr.into()),
                    rfc7239::Spelling::Valid => out.write_all(value),
                    rfc7239::Spelling::NeedsUnderscore => {
                        out.write_all(b"_").and_then(|()| out.write_all(value))
                    }
                    rfc7239::Spelling::Invalid => Ok(()),
                }
            }
            Err(_) => Ok(()),
        },
    };
    if out.len() == before {
        out.extend_from_slice(b"unknown");
    }
    if let Some(port) = &node.port {
        let before = out.len();
        out.push(b':');
        match port {
            ForwardedValue::Own => {
                if let Some(addr) = addr {
                    let _ = write!(out, "{}", addr.port());
                }
            }
            ForwardedValue::Expr(expr) => {
                let value = text(txn, expr).unwrap_or_default();
                match rfc7239::node_port(&value) {
                    rfc7239::Spelling::Valid => out.extend_from_slice(&value),
                    rfc7239::Spelling::NeedsUnderscore => {
                        out.push(b'_');
                        out.extend_from_slice(&value);
                    }
                    _ => {}
                }
            }
        }
        if out.len() == before + 1 {
            out.truncate(before);
        }
    }
    if out.get(start) == Some(&b'"') {
        out.push(b'"');
    }
}

fn text(txn: &Txn, expr: &Expr) -> Option<Vec<u8>> {
    let ctx = txn.ctx();
    let value = eval(expr, &ctx).ok()?.cast(SampleType::Str)?;
    Some(value.into_text().to_vec())
}
