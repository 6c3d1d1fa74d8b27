//! `log-forward` sections.

use std::net::SocketAddr;

use tandem_parser::diagnostic::Reason;
use tandem_parser::haproxy::{Section, Statement, Tree, section};

use super::bind;
use super::context::Context;
use super::log::{self, LogLine};
use crate::ir::log::{HostField, LogForward, LogFraming, RingConf};
use crate::ir::{BindAddr, Config};

pub(super) fn lower(context: &mut Context<'_>, tree: &Tree, config: &mut Config) {
    for section in tree.sections.iter().filter(|section| section.kind.bit == section::LOG_FORWARD) {
        let Some(name) = &section.name else { continue };
        if config.log_forwards.iter().any(|forward| forward.name == name.text()) {
            let message = format!("log-forward '{name}' : a section of that name was already declared.");
            context.alert(Reason::Duplicate, name.span, message);
            continue;
        }
        let forward = read(context, section, name.text(), config);
        config.log_forwards.push(forward);
    }
}

fn read(context: &mut Context<'_>, section: &Section, name: &str, config: &Config) -> LogForward {
    let mut forward = LogForward {
        name: name.to_owned(),
        streams: Vec::new(),
        datagrams: Vec::new(),
        targets: Vec::new(),
        maxconn: None,
        backlog: None,
        timeout_client: None,
        parse: true,
        line_feeds: false,
        host: HostField::default(),
    };
    for line in &section.statements {
        match line.name() {
            "bind" => forward.streams.extend(addresses(context, line)),
            "dgram-bind" => forward.datagrams.extend(addresses(context, line)),
            "log" => match target(context, line, &config.rings) {
                Some(LogLine::Global) => forward.targets.extend(config.global.logs.iter().cloned()),
                Some(LogLine::Target(target)) => forward.targets.push(target),
                None => {}
            },
            "maxconn" => forward.maxconn = line.number(0).filter(|most: &u32| *most > 0),
            "backlog" => forward.backlog = line.number(0),
            "timeout client" => forward.timeout_client = line.time(0).filter(|time| !time.is_zero()),
            "option dont-parse-log" => forward.parse = false,
            "option assume-rfc6587-ntf" => forward.line_feeds = true,
            "option host" => {
                forward.host = match line.text(0) {
                    Some("replace") => HostField::Replace,
                    Some("keep") => HostField::Keep,
                    Some("append") => HostField::Append,
                    _ => HostField::Fill,
                };
            }
            _ => context.untaken(line),
        }
    }
    forward
}

/// A target; without a format of its own lines go there as they came.
fn target(context: &mut Context<'_>, line: &Statement, rings: &[RingConf]) -> Option<LogLine> {
    let read = log::line(context, line, rings, false)?;
    Some(match read {
        LogLine::Target(mut target) if target.framing == LogFraming::Unsaid => {
            target.framing = LogFraming::AsReceived;
            LogLine::Target(target)
        }
        other => other,
    })
}

fn addresses(context: &mut Context<'_>, line: &Statement) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for bind in bind::lower(context, line) {
        match bind.addr {
            BindAddr::Tcp(addr) => found.push(addr),
            _ => {
                let message =
                    format!("'{}' of a log-forward section takes an address and a port.", line.name());
                context.alert(Reason::Refused, line.span, message);
            }
        }
    }
    found
}
