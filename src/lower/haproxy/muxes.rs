//! `mode` and `proto`: a protocol is of one mode, and some are spoken to servers only.

use tandem_parser::diagnostic::{Reason, Severity};
use tandem_parser::haproxy::{Section, Statement};

use super::context::{Context, span_at};
use crate::ir::proxy::Mode;
use crate::ir::{Caps, CheckKind, Proxy};

/// Whether a side of a proxy may speak it.
fn usable(protocol: &str, mode: Mode, to_servers: bool) -> bool {
    match protocol {
        "h1" | "h2" => mode == Mode::Http,
        "fcgi" => mode == Mode::Http && to_servers,
        "none" => mode == Mode::Tcp,
        // The protocol of SPOE has a mode of its own, which is not spoken.
        "spop" => false,
        // What is not known was said; QUIC is a matter of the address.
        _ => true,
    }
}

/// The last `proto` of a line.
fn chosen(line: &Statement, settings: usize) -> Option<&Statement> {
    line.settings(settings).iter().rfind(|setting| setting.name() == "proto")
}

/// Checks of a server speak what their kind needs.
fn checked(context: &mut Context<'_>, proxy: &Proxy, line: &Statement, settings: usize) {
    let Some(backend) = &proxy.backend else { return };
    let setting = line.settings(settings).iter().rfind(|setting| setting.name() == "check-proto");
    let Some(setting) = setting else { return };
    let mode = match backend.check.kind {
        CheckKind::Http => Mode::Http,
        CheckKind::Tcp => proxy.mode,
        _ => Mode::Tcp,
    };
    if !usable(setting.text(0).unwrap_or_default(), mode, true) {
        let message = format!(
            "backend '{}': server '{}' uses an incompatible MUX protocol for the selected check type",
            proxy.name,
            line.text(0).unwrap_or_default()
        );
        context.about(Severity::Alert, Reason::Conflict, span_at(setting, 0), message);
    }
}

/// Judges the lines of a proxy whose mode is settled.
pub(super) fn check(context: &mut Context<'_>, proxy: &Proxy, section: &Section) {
    let kind = match proxy.caps {
        Caps::Frontend => "frontend",
        Caps::Backend => "backend",
        Caps::Listen => "proxy",
    };
    // What is neither TCP nor HTTP is of backends, and has its own protocol.
    let mode = section.statements.iter().rfind(|line| line.name() == "mode");
    if let Some((line, other @ ("log" | "spop"))) = mode.and_then(|line| Some((line, line.text(0)?))) {
        if proxy.caps == Caps::Frontend {
            let name = if other == "log" { "syslog" } else { other };
            let message = format!("mode {name} is only applicable on proxies with backend capability.");
            context.alert(Reason::NotAllowedHere, span_at(line, 0), message);
        }
        return;
    }
    for line in &section.statements {
        let (settings, to_servers) = match line.name() {
            "bind" => (1, false),
            "server" => (2, true),
            "server-template" => (3, true),
            _ => continue,
        };
        if to_servers && line.settings(settings).iter().any(|setting| setting.name() == "check") {
            checked(context, proxy, line, settings);
        }
        let Some(setting) = chosen(line, settings) else { continue };
        let protocol = setting.text(0).unwrap_or_default();
        if usable(protocol, proxy.mode, to_servers) {
            continue;
        }
        let (written, spot) = (line.text(0).unwrap_or_default(), context.spot(line.span));
        let what = if to_servers { format!("server '{written}'") } else { format!("'bind {written}'") };
        let message = format!(
            "{kind} '{}' : MUX protocol '{protocol}' is not usable for {what} at [{spot}].",
            proxy.name
        );
        context.about(Severity::Alert, Reason::Conflict, span_at(setting, 0), message);
    }
}
