//! What every part of lowering shares: the sources, the world, and what is said.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tandem_parser::diagnostic::{Diagnostic, Head, Reason, Severity};
use tandem_parser::haproxy::{Changed, Effect, Section, Statement, Tree, Value, section};
use tandem_parser::span::{Sources, Span};
use tandem_parser::value::{Address, Host};

use super::super::env::Env;
use super::bases::Bases;
use super::bind::UnixDefaults;
use super::{forms, global, http_errors, log_forward, order, proxy, references, resolvers, ring, userlist};
use crate::ir::log::RingConf;
use crate::ir::server::ServerSettings;
use crate::ir::{Config, Place};

/// Shared state of one load.
pub(in crate::lower) struct Context<'a> {
    sources: &'a Sources,
    pub(in crate::lower) env: &'a dyn Env,
    /// What the files made of the environment.
    pub(super) environment: Changed,
    /// `unix-bind`.
    pub(super) unix: UnixDefaults,
    /// What the servers start from, other than HAProxy's defaults.
    pub(super) origin: Option<Arc<ServerSettings>>,
    /// The section that is read balances log lines (`mode log`).
    pub(super) log_mode: bool,
    /// Names of all stick tables: of proxies, and `PEERS/TABLE`.
    pub(super) tables: HashSet<String>,
    pub(super) switches: Switches,
    /// Servers of this section that checks over TLS could not verify: their names and lines.
    pub(super) unverified: Vec<(String, Span)>,
    /// Lines of the section that is read bring certificates (`ssl-f-use`).
    pub(super) has_certificates: bool,
    /// Listeners and servers so far.
    pub(super) made: usize,
    /// Rules that sections have from their `defaults` so far.
    inherited: usize,
    /// Name of the proxy whose lines are read.
    pub(super) proxy: String,
    /// `proxy/name` of the server whose settings are read.
    pub(super) server: Option<String>,
    /// Names of the sections in `mode log`.
    pub(super) log_backends: HashSet<String>,
    /// Names of the log profiles.
    pub(super) profiles: HashSet<String>,
    /// What names of files are relative to.
    pub(super) bases: Bases,
    /// What lines of `global` have settled for good, and where.
    pub(super) settled: HashMap<&'static str, Span>,
    said: Vec<Diagnostic>,
    /// Rings behind log targets that are streams.
    pub(super) streams: Vec<RingConf>,
}

/// Listeners and servers of one configuration.
const MOST_MADE: usize = 250_000;

/// Rules that all sections together may have from their `defaults`: each has its own, made for its ACLs and captures.
const MOST_INHERITED: usize = 300_000;

/// What the global section says that other sections are judged by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Switches {
    /// `lua-load`
    pub(super) lua: bool,
    /// `expose-experimental-directives`
    pub(super) experimental: bool,
    /// `tune.stick-counters`
    pub(super) stick_counters: u32,
    /// `ssl-server-verify none`
    pub(super) no_server_verify: bool,
    /// `external-check`
    pub(super) external_check: bool,
    /// `nbthread`
    pub(super) threads: Option<u32>,
    /// `thread-groups`
    pub(super) thread_groups: Option<u32>,
    /// Lines bring certificates.
    pub(super) certificates: bool,
}

impl Switches {
    fn new(tree: &Tree) -> Self {
        let mut out = Self {
            lua: false,
            experimental: false,
            stick_counters: 3,
            no_server_verify: false,
            external_check: false,
            threads: None,
            thread_groups: None,
            certificates: false,
        };
        let global = tree.sections.iter().filter(|section| section.kind.bit == section::GLOBAL);
        for line in global.flat_map(|section| &section.statements) {
            let first = line.text(0).unwrap_or_default();
            match line.name() {
                "lua-load" | "lua-load-per-thread" => out.lua = true,
                "expose-experimental-directives" => out.experimental = true,
                "tune.stick-counters" => out.stick_counters = first.parse().unwrap_or(out.stick_counters),
                "ssl-server-verify" => out.no_server_verify = first == "none",
                "external-check" => out.external_check = true,
                "nbthread" => out.threads = first.parse().ok(),
                "thread-groups" => out.thread_groups = first.parse().ok(),
                _ => {}
            }
        }
        let settings =
            |line: &Statement| line.args.iter().any(|arg| arg.settings().iter().any(brings_certificate));
        let certificates = |section: &Section| {
            section.kind.bit == section::CRT_STORE || section.statements.iter().any(settings)
        };
        out.certificates = tree.sections.iter().any(certificates);
        out
    }
}

/// Is it a setting that files with certificates are named by?
fn brings_certificate(setting: &Statement) -> bool {
    matches!(setting.name(), "crt" | "crt-list" | "default-crt")
}

/// The stick tables that the text defines.
fn tables(tree: &Tree) -> HashSet<String> {
    let mut names = HashSet::new();
    for section in &tree.sections {
        let Some(name) = &section.name else { continue };
        for line in &section.statements {
            match (line.name(), line.text(0)) {
                ("stick-table", _) => names.insert(name.text().to_owned()),
                ("table", Some(table)) => names.insert(format!("{name}/{table}")),
                _ => false,
            };
        }
    }
    names
}

impl<'a> Context<'a> {
    pub(super) fn new(sources: &'a Sources, env: &'a dyn Env, said: Vec<Diagnostic>) -> Self {
        Self {
            sources,
            env,
            environment: Changed::default(),
            unix: UnixDefaults::default(),
            origin: None,
            log_mode: false,
            tables: HashSet::new(),
            switches: Switches::new(&Tree::default()),
            has_certificates: false,
            made: 0,
            inherited: 0,
            proxy: String::new(),
            server: None,
            unverified: Vec::new(),
            profiles: HashSet::new(),
            log_backends: HashSet::new(),
            bases: Bases::default(),
            settled: HashMap::new(),
            said,
            streams: Vec::new(),
        }
    }

    pub(super) fn finish(self) -> Vec<Diagnostic> {
        self.said
    }

    /// Does something whose messages are not for the reader of the file; the first alert, if there was one.
    pub(super) fn unheard(&mut self, work: impl FnOnce(&mut Self)) -> Option<String> {
        let before = self.said.len();
        work(self);
        let said = self.said.split_off(before);
        said.into_iter().find(|one| one.severity == Severity::Alert).map(|one| one.message)
    }

    /// Lowers every section.
    pub(super) fn config(&mut self, tree: &Tree) -> Config {
        let mut config = Config::default();
        self.tables = tables(tree);
        self.switches = Switches::new(tree);
        let bases = Bases::new(self, tree);
        self.bases = bases;
        let log_backends = tree.sections.iter().filter(|section| {
            let mode = section.statements.iter().rev().find(|line| line.name() == "mode");
            mode.is_some_and(|mode| mode.text(0) == Some("log"))
        });
        self.log_backends =
            log_backends.filter_map(|section| Some(section.name.as_ref()?.text().to_owned())).collect();
        let profiles = tree.sections.iter().filter(|section| section.kind.bit == section::LOG_PROFILE);
        self.profiles =
            profiles.filter_map(|section| Some(section.name.as_ref()?.text().to_owned())).collect();
        ring::lower(self, tree, &mut config.rings);
        for section in &tree.sections {
            if section.kind.bit == section::ACME && !self.switches.experimental {
                let message = "section 'acme' is experimental, must be allowed via a global \
                               'expose-experimental-directives'";
                self.alert(Reason::NotAllowedHere, section.span, message);
            }
            match section.kind.bit {
                section::GLOBAL => global::lower(self, section, &config.rings, &mut config.global),
                section::USERLIST => userlist::lower(self, section, &mut config.userlists),
                section::NAMESPACES => {
                    let names = section.statements.iter().filter_map(|line| line.text(0));
                    config.namespaces.extend(names.map(str::to_owned));
                }
                section::RESOLVERS => resolvers::lower(self, section, &mut config.resolvers),
                _ => {}
            }
        }
        resolvers::complete(self, &mut config.resolvers);
        global::finish(&mut config.global);
        let pages = http_errors::lower(self, tree);
        proxy::lower(self, tree, &pages, &mut config);
        log_forward::lower(self, tree, &mut config);
        references::check(self, tree);
        forms::all(self, tree);
        order::check(self, tree);
        config.rings.append(&mut self.streams);
        config
    }

    /// Says something.
    pub(in crate::lower) fn say(&mut self, diagnostic: Diagnostic) {
        self.said.push(diagnostic);
    }

    /// An alert about a place.
    pub(in crate::lower) fn alert(&mut self, reason: Reason, span: Span, message: impl Into<String>) {
        self.say(Diagnostic::alert(reason, span, message));
    }

    /// A warning about a place.
    pub(in crate::lower) fn warn(&mut self, reason: Reason, span: Span, message: impl Into<String>) {
        self.say(Diagnostic::warning(reason, span, message));
    }

    /// Counts listeners and servers about to be made; more than any machine has are refused, once.
    pub(super) fn make(&mut self, count: usize, span: Span) -> bool {
        let before = self.made;
        self.made = self.made.saturating_add(count);
        if self.made <= MOST_MADE {
            return true;
        }
        if before <= MOST_MADE {
            self.alert(Reason::OutOfRange, span, format!("more than {MOST_MADE} listeners and servers."));
        }
        false
    }

    /// Counts rules that a section takes from its `defaults`; when they are too many it gets none, and that is said once.
    pub(super) fn inherit(&mut self, count: usize, span: Span) -> bool {
        let before = self.inherited;
        self.inherited = self.inherited.saturating_add(count);
        if self.inherited <= MOST_INHERITED {
            return true;
        }
        if before <= MOST_INHERITED {
            let message = format!("sections have more than {MOST_INHERITED} rules from their 'defaults'.");
            self.alert(Reason::OutOfRange, span, message);
        }
        false
    }

    /// Whether an alert was given so far.
    pub(super) fn has_alerts(&self) -> bool {
        self.said.iter().any(|diagnostic| diagnostic.severity == Severity::Alert)
    }

    /// Something that this machine lacks: an alert, or a notice when only the text is judged.
    pub(in crate::lower) fn lacking(&mut self, span: Span, message: impl Into<String>) {
        self.say(Diagnostic::new(self.severity_of_lack(), Reason::Environment, span, message));
    }

    /// How bad it is that this machine lacks something.
    pub(in crate::lower) fn severity_of_lack(&self) -> Severity {
        if self.env.offline() { Severity::Notice } else { Severity::Alert }
    }

    /// About a section as a whole: shown without the place in the first line.
    pub(in crate::lower) fn about(
        &mut self,
        severity: Severity,
        reason: Reason,
        span: Span,
        message: impl Into<String>,
    ) {
        self.say(Diagnostic::new(severity, reason, span, message).head(Head::Plain));
    }

    /// A line that no part of lowering took, although the tables promise that it does something.
    pub(super) fn untaken(&mut self, line: &Statement) {
        if line.keyword.effect == Effect::Full {
            let message = format!("'{}' is accepted but has no effect in Tandem yet.", line.name());
            self.warn(Reason::NoEffect, line.span, message);
        }
    }

    /// A place for messages at run time.
    pub(in crate::lower) fn place(&self, span: Span) -> Place {
        Place { file: self.sources.file(span.file).name.clone(), line: self.sources.line(span) }
    }

    /// Name of the file where something stands.
    pub(super) fn file(&self, span: Span) -> &str {
        self.sources.name(span.file)
    }

    /// `FILE:LINE`.
    pub(in crate::lower) fn spot(&self, span: Span) -> String {
        format!("{}:{}", self.sources.name(span.file), self.sources.line(span))
    }

    /// A file that the configuration names; says so if it cannot be read.
    pub(in crate::lower) fn read(&mut self, keyword: &str, path: &str, span: Span) -> Option<Vec<u8>> {
        match self.env.read(&self.bases.path(path, span)) {
            Ok(text) => Some(text),
            Err(error) => {
                let cause = tandem_parser::Diagnostic::alert(
                    Reason::Environment,
                    span,
                    format!("{keyword} : error opening file '{path}'."),
                )
                .label(error.to_string());
                let severity = if self.env.offline() { Severity::Notice } else { Severity::Alert };
                self.say(Diagnostic { severity, ..cause });
                None
            }
        }
    }

    /// Number of a user, from a name or digits.
    pub(in crate::lower) fn user(&mut self, name: &str, span: Span) -> Option<u32> {
        let id = self.env.user(name).or_else(|| name.parse().ok());
        if id.is_none() {
            self.lacking(span, format!("cannot find user id for '{name}'"));
        }
        id
    }

    /// Number of a group, from a name or digits.
    pub(in crate::lower) fn group(&mut self, name: &str, span: Span) -> Option<u32> {
        let id = self.env.group(name).or_else(|| name.parse().ok());
        if id.is_none() {
            self.lacking(span, format!("cannot find group id for '{name}'"));
        }
        id
    }

    /// What is wrong with an inherited descriptor that should be a socket.
    pub(in crate::lower) fn socket_trouble(&self, fd: i32) -> Option<String> {
        let error = self.env.socket(fd).err()?;
        Some(format!("cannot use file descriptor '{fd}' : {}.", crate::sys::words(&error)))
    }

    /// An address whose name, if it is one, was resolved now.
    pub(in crate::lower) fn resolved(&mut self, address: &Address, span: Span) -> Option<Address> {
        match self.looked_up(address) {
            Ok(address) => Some(address),
            Err(name) => {
                self.lacking(span, format!("could not resolve address '{name}'."));
                None
            }
        }
    }

    /// The same, or the name that is nobody's.
    pub(in crate::lower) fn looked_up<'t>(&self, address: &'t Address) -> Result<Address, &'t str> {
        let Address::Inet { transport, family, host: Host::Name(name), port } = address else {
            return Ok(address.clone());
        };
        let ip = self.env.resolve(name).ok_or(name.as_str())?;
        Ok(Address::Inet { transport: *transport, family: *family, host: Host::Ip(ip), port: *port })
    }
}

/// Span of argument `nth`, or of the whole line.
pub(in crate::lower) fn span_at(line: &Statement, nth: usize) -> Span {
    match line.args.get(nth) {
        Some(Value::Word(word)) => word.span,
        Some(Value::Addrs(read)) => read.1.span,
        Some(Value::Int(_, span) | Value::Time(_, span) | Value::Size(_, span) | Value::Choice(_, span)) => {
            *span
        }
        Some(Value::Words(words)) => tandem_parser::lex::span_of(words, line.span),
        _ => line.span,
    }
}
