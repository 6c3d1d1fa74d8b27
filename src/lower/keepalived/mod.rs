//! `keepalived.conf` from statements to [`crate::ir::vrrp::Config`].
//!
//! Everything keepalived checks is checked here in its order, with its first lines: what it reports and lives with is a
//! warning, what keeps VRRP from starting is an alert, and [`Verdict`] is what `--config-test` would exit with. The
//! machine is asked through [`Env`], so that a file can be judged on another one.

mod address;
mod advice;
mod complete;
mod context;
mod encap;
mod env;
mod glob;
mod global;
mod global_vrrp;
mod group;
mod hmac;
mod instance;
mod instance_options;
mod links;
mod lvs;
mod render;
mod route;
mod rule;
mod script;
mod security;
mod system;
#[cfg(test)]
mod tests;
mod track;
mod track_proxy;

use std::path::Path;

use tandem_parser::keepalived::{
    self as language, Class, IncludeMatch, Includes, Options, Report, Section, Statement, Voice,
};
use tandem_parser::{Diagnostic, Reason, Severity, Sources, Span};

pub use env::{Env, FileError, FileInfo, Interface, RouteName};
pub use render::render;
pub use system::System;

use crate::ir::vrrp::Config;
use context::Cx;

/// Exit code of a missing configuration file.
const NO_CONFIG: u8 = 6;

/// What keepalived would do with the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Exit code of `--config-test`: 0 fine, 2 a parameter is missing, 4 cannot run, 5 runs with errors,
    /// 6 scripts run without `enable_script_security` (or a file that had to exist does not).
    pub exit_code: u8,
    /// VRRP can run with it.
    pub runs: bool,
}

/// A configuration that was read.
#[derive(Debug)]
pub struct Loaded {
    /// What it means; only to be run if [`Verdict::runs`].
    pub config: Config,
    /// Every file that was read.
    pub sources: Sources,
    /// What there is to say, in keepalived's order.
    pub diagnostics: Vec<Diagnostic>,
    /// What keepalived would do.
    pub verdict: Verdict,
}

/// Includes as an [`Env`] finds them.
struct EnvIncludes<'a>(&'a dyn Env);

impl Includes for EnvIncludes<'_> {
    fn find(&mut self, pattern: &str, directory: &str) -> IncludeMatch {
        self.0.find(pattern, directory)
    }

    fn most_expanded(&self) -> usize {
        self.0.most_expanded()
    }
}

/// Reads the file (or files, if `path` is a pattern) keepalived would read for `--use-file path`.
#[must_use]
pub fn load_file(path: &str, env: &dyn Env) -> Loaded {
    let here =
        std::env::current_dir().map_or_else(|_| ".".into(), |directory| directory.display().to_string());
    let mut found = env.find(path, &here);
    let mut sources = Sources::new();
    let mut report = Report::default();
    let unreadable = found.files.iter_mut().find_map(|file| file.text.as_mut().err().map(std::mem::take));
    let say = |report: &mut Report, sources: &Sources, text: String| {
        report.say(sources, Voice::Plain, Class::FileNotFound, Reason::Io, Span::default(), text);
    };
    if found.files.is_empty() {
        say(&mut report, &sources, format!("Config files missing '{path}'."));
    } else if let Some(why) = unreadable {
        say(&mut report, &sources, why);
    }
    if report.worst != Class::Ok {
        let verdict = Verdict { exit_code: exit_code(&report), runs: false };
        return Loaded { config: Config::default(), sources, diagnostics: report.in_order(), verdict };
    }
    if found.files.len() > 1 {
        let first = &found.files[0].name;
        let text = format!("WARNING, multiple configuration file matches of {path}, starting with {first}");
        report.say(&sources, Voice::Plain, Class::General, Reason::Io, Span::default(), text);
        report.several_files = true;
    }
    let mut statements = Vec::new();
    let options = Options { config_id: env.config_id(), seed: 1, include_check: env.include_check() };
    for file in found.files {
        let id = sources.add(file.name, file.text.unwrap_or_default());
        let mut includes = EnvIncludes(env);
        statements.extend(language::parse(
            &mut sources,
            id,
            &file.directory,
            &options,
            &mut includes,
            &mut report,
        ));
    }
    lower(statements, sources, report, env)
}

/// Reads a text that is at hand; includes are looked for beside `name`.
#[must_use]
pub fn load(name: &str, text: impl Into<Vec<u8>>, env: &dyn Env) -> Loaded {
    let mut sources = Sources::new();
    let mut report = Report::default();
    let directory = Path::new(name).parent().map_or_else(String::new, |parent| parent.display().to_string());
    let directory = if directory.is_empty() { ".".to_owned() } else { directory };
    let main = sources.add(name, text);
    let options = Options { config_id: env.config_id(), seed: 1, include_check: env.include_check() };
    let statements =
        language::parse(&mut sources, main, &directory, &options, &mut EnvIncludes(env), &mut report);
    lower(statements, sources, report, env)
}

fn lower(statements: Vec<Statement>, sources: Sources, report: Report, env: &dyn Env) -> Loaded {
    let mut cx = Cx::new(env, &sources, report);
    let runs = statements_to_config(&mut cx, &statements);
    let (config, mut report) = (cx.config, cx.report);
    let refused = report.diagnostics.iter().any(|diagnostic| diagnostic.reason == Reason::Refused);
    let verdict = Verdict {
        exit_code: exit_code(&report),
        runs: runs && !report.missing_parameter && !refused && !report.file_error,
    };
    if !verdict.runs
        && !report.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Alert)
        && let Some(last) = report.diagnostics.last_mut()
    {
        last.severity = Severity::Alert;
    }
    Loaded { config, sources, diagnostics: report.in_order(), verdict }
}

fn exit_code(report: &Report) -> u8 {
    if report.missing_parameter {
        return 2;
    }
    if report.file_error {
        return NO_CONFIG;
    }
    match report.worst {
        Class::Ok => 0,
        Class::FileNotFound | Class::BadInterface | Class::Fatal => 4,
        Class::General => 5,
        Class::Security => 6,
    }
}

/// Lowers everything; says whether VRRP could start.
fn statements_to_config(cx: &mut Cx<'_>, statements: &[Statement]) -> bool {
    // The parent reads the daemon's own settings before its children read theirs.
    cx.voice = Voice::Parent;
    for statement in statements {
        match statement.keyword.name {
            "global_defs" => cx.global_defs(statement),
            name if GLOBAL_ROOTS.contains(&name) => cx.root_line(statement),
            _ => {}
        }
    }
    cx.voice = Voice::Child;
    cx.virtual_servers(statements);

    let (mut drafts, mut groups, mut track_groups) = (Vec::new(), Vec::new(), Vec::new());
    for statement in statements {
        cx.here = statement.span;
        let name = statement.keyword.name;
        if !GLOBAL_ROOTS.contains(&name) && !name.starts_with("virtual_server") && name != "SSL" {
            cx.effect(statement);
        }
        match name {
            "vrrp_instance" => drafts.extend(cx.instance(statement)),
            "vrrp_script" => cx.vrrp_script(statement),
            "vrrp_sync_group" => groups.extend(cx.sync_group(statement, &groups)),
            "track_group" => track_groups.extend(cx.static_track_group(statement)),
            "track_file" | "vrrp_track_file" => cx.file_block(statement),
            "vrrp_track_process" => cx.process_block(statement),
            "track_proxy" => cx.proxy_block(statement),
            "bfd_instance" => cx.bfd_block(statement),
            "static_ipaddress" => cx.static_addresses(statement.values()),
            "static_routes" => cx.static_routes(statement.values()),
            "static_rules" => cx.static_rules(statement.values()),
            "garp_group" => cx.garp_group(statement),
            "linkbeat_interfaces" => cx.linkbeat_interfaces(statement),
            "interface_up_down_delays" => cx.interface_delays(statement),
            _ => {}
        }
    }
    if cx.missing_interface {
        let text = "Non-existent interface specified in configuration";
        cx.classed(Voice::Plain, Class::BadInterface, Reason::Environment, Span::default(), text);
        return false;
    }
    let complete = cx.complete(&mut drafts, groups).is_ok();
    if complete {
        cx.resolve_static_track_groups(&track_groups);
        cx.advise();
    }
    cx.check_start_stop_scripts();
    complete
}

/// Root keywords that are the parent's business.
const GLOBAL_ROOTS: [&str; 8] = [
    "global_defs",
    "linkbeat_use_polling",
    "net_namespace",
    "net_namespace_ipvs",
    "namespace_with_ipsets",
    "use_pid_dir",
    "instance",
    "child_wait_time",
];

/// Every keyword of a section with what Tandem does with it, for lists.
#[must_use]
pub fn keywords(section: Section) -> Vec<&'static language::Keyword> {
    language::keywords::rows(section).iter().flat_map(|rows| rows.iter()).collect()
}
