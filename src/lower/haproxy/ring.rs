//! `ring` sections, and the rings behind log targets that are streams.

use std::path::PathBuf;

use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::haproxy::{Section, Statement, Tree, section};
use tandem_parser::span::Span;
use tandem_parser::value::{Address, Transport};

use super::context::{Context, span_at};
use super::{log, stats};
use crate::ir::log::{RingAddr, RingConf, RingServer};

pub(super) fn lower(context: &mut Context<'_>, tree: &Tree, rings: &mut Vec<RingConf>) {
    for section in tree.sections.iter().filter(|section| section.kind.bit == section::RING) {
        let Some(name) = &section.name else { continue };
        if rings.iter().any(|ring| ring.name == name.text()) {
            let message = format!("ring '{name}' : a ring of that name was already declared.");
            context.alert(Reason::Duplicate, name.span, message);
            continue;
        }
        let ring = ring(context, section, name.text());
        rings.push(ring);
    }
}

fn ring(context: &mut Context<'_>, section: &Section, name: &str) -> RingConf {
    let mut ring = RingConf::new(name);
    for line in &section.statements {
        match line.name() {
            "description" => ring.description = Some(stats::joined(line.words(0))),
            "format" => ring.framing = log::framing(line.text(0).unwrap_or_default()),
            "maxlen" => ring.max_len = line.number(0).unwrap_or(ring.max_len),
            "size" => {
                ring.size = line.size(0).and_then(|size| usize::try_from(size).ok()).unwrap_or(ring.size);
            }
            "timeout connect" => ring.timeout_connect = line.time(0).unwrap_or(ring.timeout_connect),
            "timeout server" => ring.timeout_server = line.time(0).filter(|time| !time.is_zero()),
            "server" => ring.servers.extend(server(context, line)),
            _ => context.untaken(line),
        }
    }
    if let Some(line) = section.statements.iter().find(|line| line.name() == "maxlen")
        && ring.max_len > ring.size
    {
        let message =
            format!("ring '{name}' : lines of 'maxlen' do not fit into 'size', {} bytes.", ring.size);
        context.say(Diagnostic::warning(Reason::OutOfRange, line.span, message));
    }
    ring
}

fn server(context: &mut Context<'_>, line: &Statement) -> Option<RingServer> {
    let name = line.text(0)?.to_owned();
    let addr = context.stream(line.addresses(1).first()?, span_at(line, 1))?;
    let mut octet_count = false;
    for setting in line.settings(2) {
        match setting.name() {
            "log-proto" => octet_count = setting.text(0) == Some("octet-count"),
            other => {
                let message = format!("'{other}' of a ring's server has no effect in Tandem yet.");
                context.warn(Reason::NoEffect, setting.span, message);
            }
        }
    }
    Some(RingServer { name, addr, octet_count })
}

impl Context<'_> {
    /// An address that a stream can be opened to.
    fn stream(&mut self, address: &Address, span: Span) -> Option<RingAddr> {
        match self.resolved(address, span)? {
            Address::Unix { path, .. } => Some(RingAddr::Unix(PathBuf::from(path))),
            address => {
                let addr = address.socket(0).filter(|addr| addr.port() != 0).map(RingAddr::Tcp);
                if addr.is_none() {
                    self.warn(
                        Reason::Incomplete,
                        span,
                        "without an address and a port nothing reaches this server.",
                    );
                }
                addr
            }
        }
    }

    /// The ring behind `written`, if that is the address of a stream.
    pub(super) fn stream_ring(&mut self, written: &str, address: &Address, span: Span) -> Option<String> {
        let is_stream = match address {
            Address::Inet { transport, .. } => matches!(transport, Some(Transport::Stream)),
            Address::Unix { transport, .. } => matches!(transport, Some(Transport::Stream)),
            _ => false,
        };
        if !is_stream {
            return None;
        }
        let addr = self.stream(address, span)?;
        if !self.streams.iter().any(|ring| ring.name == written) {
            let server = RingServer { name: written.to_owned(), addr, octet_count: false };
            self.streams.push(RingConf { servers: vec![server], ..RingConf::new(written) });
        }
        Some(written.to_owned())
    }
}
