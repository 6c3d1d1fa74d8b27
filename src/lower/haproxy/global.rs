//! `global`.

use std::path::PathBuf;

use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::haproxy::{Modifier, Section, Statement};
use tandem_parser::span::Span;
use tandem_parser::value::{Address, Port, Transport};

use super::context::{Context, span_at};
use super::cpu_map::cpu_map;
use super::log::{self, LogLine};
use super::{bind, resolvers, stats, threads};
use crate::ir::Global;
use crate::ir::global::{CloseSpread, ExternalCheck, StatsAddr, StatsSocket};
use crate::ir::log::RingConf;

pub(super) fn lower(context: &mut Context<'_>, section: &Section, rings: &[RingConf], global: &mut Global) {
    captures(context, section);
    for line in &section.statements {
        if !settled(context, line) {
            apply(context, line, rings, global);
        }
    }
}

/// Lines of which the first counts, by what they settle.
const ONCE: &[(&str, &str)] = &[
    ("chroot", "'chroot'"),
    ("cluster-secret", "'cluster-secret'"),
    ("fd-hard-limit", "'fd-hard-limit'"),
    ("gid", "group/gid"),
    ("group", "group/gid"),
    ("maxconn", "'maxconn'"),
    ("maxconnrate", "'maxconnrate'"),
    ("maxpipes", "'maxpipes'"),
    ("maxsessrate", "'maxsessrate'"),
    ("maxsslrate", "'maxsslrate'"),
    ("pidfile", "'pidfile'"),
    ("uid", "user/uid"),
    ("ulimit-n", "'ulimit-n'"),
    ("user", "user/uid"),
];

/// Has an earlier line settled this?
fn settled(context: &mut Context<'_>, line: &Statement) -> bool {
    let Some((_, what)) = ONCE.iter().find(|(name, _)| *name == line.name()) else { return false };
    if let Some(first) = context.settled.get(what).copied() {
        let (message, spot) = (format!("{what} already specified. Continuing."), context.spot(first));
        context.say(
            Diagnostic::warning(Reason::Duplicate, line.span, message)
                .help(format!("the first one counts, at {spot}")),
        );
        return true;
    }
    // Of the limits zero settles nothing.
    if matches!(line.name(), "uid" | "gid") || line.number(0) != Some(0_i64) {
        context.settled.insert(what, line.span);
    }
    false
}

/// After all `global` sections.
pub(super) fn finish(global: &mut Global) {
    global.maxrewrite = global.maxrewrite.min(global.bufsize / 2);
}

/// Options that TLS has on listeners and towards servers; there is no TLS, but a wrong word is wrong.
const TLS_OPTIONS: &[&str] = &[
    "allow-0rtt",
    "force-sslv3",
    "force-tlsv10",
    "force-tlsv11",
    "force-tlsv12",
    "force-tlsv13",
    "no-ca-names",
    "no-sslv3",
    "no-strict-sni",
    "no-tls-tickets",
    "no-tlsv10",
    "no-tlsv11",
    "no-tlsv12",
    "no-tlsv13",
    "prefer-client-ciphers",
    "ssl-reuse",
    "no-ssl-reuse",
    "strict-sni",
    "tls-tickets",
    "none",
    "optional",
    "required",
];

const TLS_VERSIONS: &[&str] = &["SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

fn tls_options(context: &mut Context<'_>, line: &Statement) {
    let mut words = line.words(0).iter();
    while let Some(word) = words.next() {
        let message = match word.text() {
            "ssl-min-ver" | "ssl-max-ver" => match words.next() {
                Some(version) if TLS_VERSIONS.contains(&version.text()) => continue,
                Some(version) => {
                    format!("'{version}' : unknown ssl/tls version on global statement '{}'.", line.name())
                }
                None => format!("'{word}' : missing ssl/tls version on global statement '{}'.", line.name()),
            },
            option if TLS_OPTIONS.contains(&option) => continue,
            option => format!("unknown option '{option}' on global statement '{}'.", line.name()),
        };
        context.alert(Reason::InvalidValue, word.span, message);
    }
}

/// Directives that a configuration must allow itself first.
const EXPERIMENTAL: &[&str] = &["force-cfg-parser-pause", "tune.fd.edge-triggered", "tune.fd.tables"];

/// Of these there may be one line.
const CAPTURES: [&str; 2] = ["tune.ssl.capture-buffer-size", "tune.ssl.capture-cipherlist-size"];

fn captures(context: &mut Context<'_>, section: &Section) {
    let lines = || section.statements.iter().filter(|line| CAPTURES.contains(&line.name()));
    for line in lines().filter(|line| line.text(0).is_some_and(|text| text.starts_with('-'))) {
        let message = format!("'{}' expects a positive numeric value.", line.name());
        context.alert(Reason::InvalidValue, span_at(line, 0), message);
    }
    for line in lines().skip(1) {
        let message = format!("'{}' is already configured.", line.name());
        context.alert(Reason::Duplicate, line.span, message);
    }
}

const TOKEN_ALGORITHMS: &[&str] = &[
    "RSA1_5",
    "RSA-OAEP",
    "RSA-OAEP-256",
    "A128KW",
    "A192KW",
    "A256KW",
    "dir",
    "ECDH-ES",
    "ECDH-ES+A128KW",
    "ECDH-ES+A192KW",
    "ECDH-ES+A256KW",
    "A128GCMKW",
    "A192GCMKW",
    "A256GCMKW",
    "PBES2-HS256+A128KW",
    "PBES2-HS384+A192KW",
    "PBES2-HS512+A256KW",
];
const TOKEN_ENCRYPTIONS: &[&str] =
    &["A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512", "A128GCM", "A192GCM", "A256GCM"];

/// `[!]NAME[:[!]NAME...]`, and `ALL`.
fn token_list(context: &mut Context<'_>, line: &Statement, known: &[&str]) {
    let names = line.text(0).unwrap_or_default().split(':').map(|name| name.trim_start_matches('!'));
    if let Some(name) =
        names.filter(|name| !name.is_empty()).find(|name| *name != "ALL" && !known.contains(name))
    {
        let message = format!("Unknown algorithm/encoding {name}");
        context.alert(Reason::InvalidValue, span_at(line, 0), message);
    }
}

/// Kinds of files beside a certificate.
const EXTRA_FILES: &[&str] = &["none", "all", "bundle", "sctl", "ocsp", "issuer", "key"];

fn extra_files(context: &mut Context<'_>, line: &Statement) {
    if let Some(word) = line.words(0).iter().find(|word| !EXTRA_FILES.contains(&word.text())) {
        let message = "'ssl-load-extra-files' expects one or multiple arguments (none, all, bundle, sctl, ocsp, \
                       issuer).";
        context.alert(Reason::InvalidValue, word.span, message);
    }
}

fn node_name(context: &mut Context<'_>, line: &Statement) {
    let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if line.text(0).is_some_and(|name| name.is_empty() || !name.bytes().all(letter)) {
        let message = "'node' requires valid node name - non-empty string with digits(0-9), letters(A-Z, a-z), \
                       dot(.), hyphen(-) or underscode(_).";
        context.alert(Reason::InvalidValue, span_at(line, 0), message);
    }
}

/// `http-err-codes [+-]CODES[,CODES...]...`: codes and ranges of codes.
fn status_codes(context: &mut Context<'_>, line: &Statement) {
    let code = |text: &str| text.parse::<u16>().ok().filter(|code| (100..=599).contains(code));
    let valid = |part: &str| {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        code(low).zip(code(high)).is_some_and(|(low, high)| low <= high)
    };
    for word in line.words(0) {
        let codes = word.strip_prefix(['+', '-']).unwrap_or(word);
        if !codes.split(',').all(valid) {
            let message = format!("Invalid status codes range '{word}' in '{}'.", line.name());
            context.alert(Reason::InvalidValue, word.span, message);
        }
    }
}

fn apply(context: &mut Context<'_>, line: &Statement, rings: &[RingConf], global: &mut Global) {
    if EXPERIMENTAL.contains(&line.name()) && !context.switches.experimental {
        let message = format!(
            "'{}' directive is experimental, must be allowed via a global 'expose-experimental-directives'",
            line.name()
        );
        context.alert(Reason::NotAllowedHere, line.span, message);
    }
    let text = line.text(0);
    let path = || text.map(PathBuf::from);
    match line.name() {
        "ssl-default-bind-options" | "ssl-default-server-options" => tls_options(context, line),
        "cpu-map" => global.cpu_map.lines.extend(cpu_map(context, line)),
        "thread-groups" => global.cpu_map.groups = line.number(0),
        "thread-group" => {
            if let Some((group, threads)) = threads::group(context, line) {
                let members = &mut global.cpu_map.members;
                members.retain(|(other, _)| *other != group);
                members.extend((!threads.is_empty()).then_some((group, threads)));
            }
        }
        "nbproc" => global.cpu_map.processes = line.words(0).first().and_then(|word| word.parse().ok()),
        "cpu-set" => threads::cpu_set(context, line),
        "jwt.decrypt_alg_list" => token_list(context, line, TOKEN_ALGORITHMS),
        "jwt.decrypt_enc_list" => token_list(context, line, TOKEN_ENCRYPTIONS),
        "ssl-load-extra-files" => extra_files(context, line),
        "node" => {
            node_name(context, line);
            global.node = text.map(str::to_owned);
        }
        "tune.streams-elasticity" if matches!(line.number(0), Some(1..=99_i64)) => {
            let message =
                "'tune.streams-elasticity' expects 0 or a positive percentage value of 100 or above";
            context.alert(Reason::OutOfRange, span_at(line, 0), message);
        }
        "stats timeout" if line.time(0).is_some_and(|time| time.is_zero()) => {
            let message = "'stats timeout' expects a positive value";
            context.alert(Reason::OutOfRange, span_at(line, 0), message);
        }
        "http-err-codes" | "http-fail-codes" => status_codes(context, line),
        "daemon" => global.daemon = true,
        "zero-warning" => global.zero_warning = true,
        // Zero is HAProxy's way to say "compute it".
        "maxconn" => global.maxconn = line.number(0).filter(|limit| *limit > 0),
        "maxconnrate" => global.maxconnrate = line.number(0).unwrap_or(0),
        "maxsessrate" => global.maxsessrate = line.number(0).unwrap_or(0),
        "master-worker" => {
            global.master_worker = line.modifier != Modifier::No;
            let message = "support for 'master-worker' was removed in version 3.5. Use -W or -Ws in the startup \
                           script instead.";
            let retired = Diagnostic::warning(Reason::Retired, line.span, message);
            context.say(retired.edit(Span { end: line.span.start, ..line.span }, "# "));
            global.no_exit_on_failure = text == Some("no-exit-on-failure");
            if text.is_some() && !global.no_exit_on_failure {
                let message = "'master-worker' only supports 'no-exit-on-failure' option";
                context.alert(Reason::InvalidValue, span_at(line, 0), message);
            }
        }
        "mworker-max-reloads" => global.max_reloads = line.number(0),
        "nbthread" => global.nbthread = line.number(0),
        "user" => global.uid = text.and_then(|name| context.user(name, span_at(line, 0))),
        "group" => global.gid = text.and_then(|name| context.group(name, span_at(line, 0))),
        "uid" => global.uid = line.number(0),
        "gid" => global.gid = line.number(0),
        "chroot" => global.chroot = path(),
        "pidfile" => global.pidfile = path(),
        "ulimit-n" => global.ulimit_n = line.number(0),
        "fd-hard-limit" => global.fd_hard_limit = line.number(0),
        "hard-stop-after" => global.hard_stop_after = line.time(0),
        "grace" => global.grace = line.time(0),
        "close-spread-time" => {
            global.close_spread = line.time(0).map_or(CloseSpread::Never, CloseSpread::Over);
        }
        "log" => log_line(context, line, rings, global),
        "log-tag" => global.log_tag = text.unwrap_or_default().to_owned(),
        "log-send-hostname" => global.log_send_hostname = Some(text.unwrap_or_default().to_owned()),
        "description" => global.description = Some(stats::joined(line.words(0))),
        "localpeer" => global.localpeer = text.map(str::to_owned),
        "unix-bind" => context.unix = bind::unix_defaults(context, line),
        "stats socket" => global.stats_sockets.extend(socket(context, line)),
        "stats timeout" => global.stats_timeout = line.time(0).unwrap_or(global.stats_timeout),
        "stats maxconn" => global.stats_maxconn = line.number(0).unwrap_or(global.stats_maxconn),
        "tune.bufsize" => global.bufsize = bytes(context, line).unwrap_or(global.bufsize),
        "tune.maxrewrite" => {
            let size = line.size(0).and_then(|size| usize::try_from(size).ok());
            global.maxrewrite = size.unwrap_or(global.maxrewrite);
        }
        "nosplice" => global.nosplice = line.modifier != Modifier::No,
        "maxpipes" => global.maxpipes = line.number(0).filter(|count| *count > 0),
        "pp2-never-send-local" => global.pp2_never_local = true,
        "dns-accept-family" => global.dns_families = resolvers::families(line),
        "harden.reject-privileged-ports.tcp" => global.reject_privileged_ports = text == Some("on"),
        "noreuseport" => global.noreuseport = line.modifier != Modifier::No,
        "tune.defaults.purge" => purge(context, line, global),
        "tune.runqueue-depth" => global.runqueue_depth = line.number(0).filter(|steps| *steps > 0),
        "h1-case-adjust" => {
            let (from, to) = (text.unwrap_or_default(), line.text(1).unwrap_or_default());
            spelling(context, line, span_at(line, 1), from, to, global);
        }
        "h1-case-adjust-file" => spellings(context, line, global),
        "tune.http.logurilen" => global.log_uri_len = line.number(0).unwrap_or(global.log_uri_len).max(1),
        "tune.http.maxhdr" => global.maxhdr = line.number(0).unwrap_or(global.maxhdr),
        "spread-checks" => {
            global.spread_checks_percent = line.number(0).unwrap_or(global.spread_checks_percent);
        }
        "max-spread-checks" => global.max_spread_checks = line.time(0),
        "external-check" => {
            let preserve_env = line.text(0) == Some("preserve-env");
            global.external_check = Some(ExternalCheck { preserve_env });
        }
        "server-state-base" => global.server_state_base = path(),
        "stats-file" => global.stats_file = path(),
        "server-state-file" => global.server_state_file = path(),
        // Read when every name is known.
        "set-var" | "set-var-fmt" => {}
        // Read before everything else.
        "default-path" => {}
        // The parser saw to these.
        "setenv" | "presetenv" | "unsetenv" | "resetenv" => {}
        _ => context.untaken(line),
    }
}

/// One spelling of a header name.
fn spelling(
    context: &mut Context<'_>,
    line: &Statement,
    span: tandem_parser::span::Span,
    from: &str,
    to: &str,
    global: &mut Global,
) {
    let lower = from.to_ascii_lowercase();
    if from.is_empty() || !lower.eq_ignore_ascii_case(to) {
        let message =
            format!("'{}' : '{from}' and '{to}' differ in more than the case of letters.", line.name());
        context.alert(Reason::InvalidValue, span, message);
        return;
    }
    std::sync::Arc::make_mut(&mut global.header_spellings)
        .insert(lower.into_bytes().into(), to.as_bytes().into());
}

/// A file of such pairs, one to a line.
fn spellings(context: &mut Context<'_>, line: &Statement, global: &mut Global) {
    let span = span_at(line, 0);
    let Some(text) = context.read("h1-case-adjust-file", line.text(0).unwrap_or_default(), span) else {
        return;
    };
    for pair in String::from_utf8_lossy(&text).lines().map(str::trim) {
        if pair.is_empty() || pair.starts_with('#') {
            continue;
        }
        let mut words = pair.split_ascii_whitespace();
        let (from, to) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        spelling(context, line, span, from, to, global);
    }
}

fn bytes(context: &mut Context<'_>, line: &Statement) -> Option<usize> {
    let size = line.size(0).filter(|size| (1..=1 << 30).contains(size));
    if size.is_none() {
        let message = format!("'{}' expects a positive integer argument.", line.name());
        context.alert(Reason::OutOfRange, span_at(line, 0), message);
    }
    size.and_then(|size| usize::try_from(size).ok())
}

fn log_line(context: &mut Context<'_>, line: &Statement, rings: &[RingConf], global: &mut Global) {
    if line.modifier == Modifier::No {
        return global.logs.clear();
    }
    if let Some(LogLine::Target(target)) = log::line(context, line, rings, true) {
        global.logs.push(target);
    }
}

fn socket(context: &mut Context<'_>, line: &Statement) -> Option<StatsSocket> {
    let [address] = line.addresses(0) else { return None };
    let span = span_at(line, 0);
    let settings = bind::settings(context, line.settings(1));
    let needs_port = matches!(address, Address::Inet { port: Port::None, .. });
    let address = if needs_port { address.clone() } else { context.resolved(address, span)? };
    let addr = match address {
        Address::Unix { transport: Some(Transport::Datagram), .. }
        | Address::Inet { transport: Some(Transport::Datagram), .. } => {
            let written = line.text(0).unwrap_or_default();
            let message = format!("'stats socket' : dgram-type address not acceptable in '{written}'");
            context.say(Diagnostic::alert(Reason::InvalidValue, span, message));
            return None;
        }
        Address::Unix { path, .. } => StatsAddr::Unix(PathBuf::from(path)),
        Address::Abstract(name) => StatsAddr::Abstract(name),
        Address::Fd(fd) => StatsAddr::Fd(fd),
        inet @ Address::Inet { port: Port::One(1..), .. } => StatsAddr::Tcp(inet.socket(0)?),
        _ => {
            let written = line.text(0).unwrap_or_default();
            let message = format!("'stats socket' : missing port specification in '{written}'");
            context.say(Diagnostic::alert(Reason::InvalidValue, span, message));
            return None;
        }
    };
    Some(StatsSocket {
        addr,
        level: settings.level,
        mode: settings.mode,
        uid: settings.uid,
        gid: settings.gid,
        expose_fd_listeners: settings.expose_fd,
        name: settings.name,
    })
}

/// `tune.defaults.purge all|none|proxies,servers`; without a word HAProxy refuses it, against its manual.
fn purge(context: &mut Context<'_>, line: &Statement, global: &mut Global) {
    let (proxies, servers) = match line.text(0).unwrap_or_default() {
        "all" => (true, true),
        "none" => (false, false),
        list => {
            let wrong = list.split(',').find(|word| !matches!(*word, "proxies" | "servers"));
            if let Some(word) = wrong {
                let message = if matches!(word, "all" | "none") {
                    format!("'tune.defaults.purge' value '{word}' is exclusive.")
                } else {
                    format!("'tune.defaults.purge' unknown directive '{word}'.")
                };
                context.alert(Reason::InvalidValue, span_at(line, 0), message);
            }
            let has = |wanted| list.split(',').any(|word| word == wanted);
            (global.purge_defaults || has("proxies"), global.purge_default_servers || has("servers"))
        }
    };
    (global.purge_defaults, global.purge_default_servers) = (proxies, servers);
}
