//! `log` lines.

use std::net::SocketAddr;
use std::path::PathBuf;

use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::haproxy::{FACILITIES, LEVELS, Statement};
use tandem_parser::value::{Address, address};

use super::context::{Context, span_at};
use crate::ir::log::{Facility, LogDest, LogFraming, LogTarget, RingConf, Sampling, Severity};

const SYSLOG_PORT: u16 = 514;
/// A line of a proxy: its own target, or those of `global`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LogLine {
    /// `log global`
    Global,
    /// Any other.
    Target(LogTarget),
}

/// Reads one `log` line; nothing if it is wrong.
pub(super) fn line(
    context: &mut Context<'_>,
    line: &Statement,
    rings: &[RingConf],
    global: bool,
) -> Option<LogLine> {
    let written = line.word(0)?;
    if written == "global" && line.args.len() > 1 && line.text(2).is_none() && !global {
        return Some(LogLine::Global);
    }
    let Some(facility) = line.text(2) else {
        let or = if global { "" } else { " or global" };
        let message = format!("log : expects <address> and <facility>{or} as arguments");
        context.say(
            Diagnostic::alert(Reason::MissingArgument, line.span, message)
                .help(format!("facilities: {}", FACILITIES.join(" "))),
        );
        return None;
    };
    let dest = dest(context, written, line, rings)?;
    let mut target = LogTarget::new(dest, LogFraming::default(), Facility(code(FACILITIES, facility)));
    if let Some(level) = line.text(3) {
        target.max_level = Severity(code(LEVELS, level));
    }
    if let Some(level) = line.text(4) {
        target.min_level = Severity(code(LEVELS, level));
    }
    for setting in line.settings(1) {
        match setting.name() {
            "len" => target.max_len = setting.number(0).unwrap_or(target.max_len),
            "profile" => target.profile = profile(context, setting),
            "sample" => target.sample = sampling(context, setting),
            "format" => target.framing = framing(setting.text(0).unwrap_or_default()),
            _ => {}
        }
    }
    // The format of a ring that is declared is that of all its lines.
    if let LogDest::Ring(name) = &target.dest
        && let Some(ring) = rings.iter().find(|ring| ring.name == *name)
    {
        if let Some(format) = line.settings(1).iter().find(|setting| setting.name() == "format")
            && target.framing != ring.framing
        {
            let message = format!("'format' has no effect here : ring '{name}' has a format of its own.");
            let help = "write it into the section of the ring; without one its lines are raw";
            context.say(Diagnostic::warning(Reason::NoEffect, format.span, message).help(help));
        }
        target.framing = ring.framing;
    }
    Some(LogLine::Target(target))
}

/// The name of a profile that is there.
fn profile(context: &mut Context<'_>, setting: &Statement) -> Option<String> {
    let name = setting.text(0)?;
    if !context.profiles.contains(name) {
        let message = format!("'log' : uses unknown log-profile '{name}'.");
        // Today's HAProxy says nothing of it, and writes the lines that it would write without.
        context.warn(Reason::UnknownReference, span_at(setting, 0), message);
        return None;
    }
    Some(name.to_owned())
}

fn code(names: &[&str], name: &str) -> u8 {
    names.iter().position(|known| *known == name).and_then(|code| u8::try_from(code).ok()).unwrap_or(0)
}

pub(super) fn framing(name: &str) -> LogFraming {
    match name {
        "rfc3164" => LogFraming::Rfc3164,
        "rfc5424" => LogFraming::Rfc5424,
        "priority" => LogFraming::Priority,
        "short" => LogFraming::Short,
        "timed" => LogFraming::Timed,
        "iso" => LogFraming::Iso,
        "raw" => LogFraming::Raw,
        _ => LogFraming::Local,
    }
}

/// Addresses have variables replaced outside quotes, too; one that is not set is nothing.
fn expand(written: &str, var: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = written;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, behind)) = after.split_once('}') else { break };
        out.push_str(before);
        out.push_str(&var(name).unwrap_or_default());
        rest = behind;
    }
    out + rest
}

/// `1,3-5:10`.
fn sampling(context: &mut Context<'_>, setting: &Statement) -> Option<Sampling> {
    let text = setting.text(0).unwrap_or_default();
    let read = |text: &str| -> Option<Sampling> {
        let (ranges, size) = text.split_once(':')?;
        let size = size.parse().ok().filter(|size| *size > 0)?;
        let range = |range: &str| -> Option<(u32, u32)> {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            (1 <= first && first <= last && last <= size).then_some((first, last))
        };
        let ranges: Vec<_> = ranges.split(',').map(range).collect::<Option<_>>()?;
        let apart =
            ranges.iter().enumerate().all(|(i, a)| ranges[..i].iter().all(|b| a.1 < b.0 || b.1 < a.0));
        apart.then_some(Sampling { ranges, size })
    };
    let sampling = read(text);
    if sampling.is_none() {
        let message =
            format!("'log' : 'sample' expects <ranges>:<size>, ranges within 1 and <size> (got '{text}').");
        context.say(
            Diagnostic::alert(Reason::InvalidValue, span_at(setting, 0), message).help("such as '1,3-5:10'"),
        );
    }
    sampling
}

fn dest(context: &mut Context<'_>, written: &str, line: &Statement, rings: &[RingConf]) -> Option<LogDest> {
    let span = span_at(line, 0);
    match written {
        "stdout" => return Some(LogDest::Stdout),
        "stderr" => return Some(LogDest::Stderr),
        _ => {}
    }
    if let Some(name) = written.strip_prefix("ring@") {
        if rings.iter().any(|ring| ring.name == name) {
            return Some(LogDest::Ring(name.to_owned()));
        }
        let message = format!("'log' : uses unknown ring '{name}'.");
        context.warn(Reason::UnknownReference, span, message);
        return None;
    }
    if let Some(name) = written.strip_prefix("backend@") {
        if context.log_backends.contains(name) {
            return Some(LogDest::Backend(name.to_owned()));
        }
        let message = format!("'log' : uses unknown log backend '{name}'.");
        context.alert(Reason::UnknownReference, span, message);
        return None;
    }
    let expanded = expand(written, &|name| context.env.var(name));
    let parsed = match address(&expanded) {
        Ok(address) => address,
        Err(error) => {
            context.alert(Reason::InvalidValue, span, format!("'log' : {}", error.cause()));
            return None;
        }
    };
    if let Some(ring) = context.stream_ring(written, &parsed, span) {
        return Some(LogDest::Ring(ring));
    }
    match context.resolved(&parsed, span)? {
        Address::Unix { path, .. } => Some(LogDest::Unix(PathBuf::from(path))),
        Address::Fd(fd) => Some(LogDest::Fd(fd)),
        address => match address.socket(SYSLOG_PORT) {
            Some(addr) => Some(LogDest::Udp(syslog_port(addr))),
            None => {
                context.alert(Reason::InvalidValue, span, format!("'log' : invalid address: '{written}'"));
                None
            }
        },
    }
}

fn syslog_port(mut addr: SocketAddr) -> SocketAddr {
    if addr.port() == 0 {
        addr.set_port(SYSLOG_PORT);
    }
    addr
}
