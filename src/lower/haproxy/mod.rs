//! `haproxy.cfg` to [`Config`].
//!
//! Every line of a section is applied to a draft in the order written, so later lines win as they do in
//! HAProxy; a proxy's draft starts as a copy of its `defaults`. When all drafts stand, names are resolved and
//! `verify` makes the checks that need the whole configuration.

mod balance;
mod bandwidth;
mod bases;
mod bind;
mod check;
mod check_expect;
mod check_rules;
mod connection;
mod consequences;
mod context;
mod cpu_map;
mod draft;
mod dynamic_bases;
mod errors;
mod extensions;
mod forms;
mod global;
mod healthcheck;
mod http_errors;
mod ids;
mod inherit;
mod introduction;
mod judge;
mod log;
mod log_backends;
mod log_forward;
mod log_profile;
mod muxes;
mod names;
mod one_server;
mod option;
mod order;
mod origin;
mod proxy;
mod references;
mod resolvers;
mod ring;
mod rule_lines;
mod rules;
mod server;
mod server_formats;
mod server_values;
mod stats;
mod surroundings;
mod threads;
mod twins;
mod userlist;
mod variables;
mod verify;

use std::sync::{Arc, LazyLock};

use tandem_parser::diagnostic::{self, Diagnostic};
use tandem_parser::haproxy::{Facts, parse, section};
use tandem_parser::span::Sources;

use self::context::Context;
pub use self::one_server::{dynamic_server_words, server_line};
pub use self::origin::Origin;
use super::env::Env;
use crate::ir::Config;
use crate::ir::server::ServerSettings;
use crate::sys::signed;

/// The version that configurations may ask for (`.if version_atleast(...)`).
pub static FACTS: LazyLock<Facts<'static>> = LazyLock::new(|| Facts {
    version: VERSION,
    features: if signed::works() { FEATURES } else { &FEATURES[1..] },
});

/// What is built in, as it is listed for people: `+EPOLL +NS`.
#[must_use]
pub fn feature_list() -> String {
    FACTS.features.iter().map(|name| format!("+{name}")).collect::<Vec<_>>().join(" ")
}

/// Whether a line that begins with this word begins a section.
#[must_use]
pub fn is_section(word: &str) -> bool {
    section::kind_of(word).is_some()
}

/// See [`FACTS`].
const VERSION: &str = "3.4.0";

/// What is built in; the first one needs a kernel that can do it, too.
const FEATURES: &[&str] = &[
    "HAVE_WORKING_TCP_MD5SIG",
    "EPOLL",
    "GETADDRINFO",
    "HAVE_TCP_MD5SIG",
    "LINUX_SPLICE",
    "LINUX_TPROXY",
    "NS",
    "PROMEX",
    "TFO",
    "THREAD",
    "TPROXY",
];

/// Judges a condition as `.if` would (`-cc`).
///
/// # Errors
/// What is wrong with it.
pub fn condition(text: &str) -> Result<bool, String> {
    let env = |name: &str| variables::get(name).or_else(|| std::env::var(name).ok());
    tandem_parser::haproxy::evaluate(&expanded(text, &env), &env, &FACTS).map_err(|(cause, _)| cause)
}

/// Variables between double quotes give way to their values, as they do in a file.
fn expanded(text: &str, env: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut quoted = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        quoted ^= c == '"';
        if c != '$' || !quoted {
            out.push(c);
            continue;
        }
        let braced = rest.strip_prefix('{');
        let name = braced.unwrap_or(rest);
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
        out += &env(&name[..end]).unwrap_or_default();
        rest = &name[end..];
        if braced.is_some() {
            rest = rest.strip_prefix('}').unwrap_or(rest);
        }
    }
    out
}

/// One configuration file.
#[derive(Clone, Debug)]
pub struct Source {
    /// Name as given on the command line.
    pub name: String,
    /// Contents.
    pub text: Vec<u8>,
}

/// The outcome of a load.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration; `None` if there was an alert.
    pub config: Option<Config>,
    /// Everything that was said, sorted by place.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts, to show diagnostics with.
    pub sources: Sources,
}

impl Loaded {
    /// How many alerts, warnings and notices there are.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        diagnostic::counts(&self.diagnostics)
    }
}

/// Loads files as one configuration, in order.
#[must_use]
pub fn load(files: Vec<Source>, env: &dyn Env) -> Loaded {
    load_from(files, env, None)
}

/// The same; servers start from `origin`.
fn load_from(files: Vec<Source>, env: &dyn Env, origin: Option<Arc<ServerSettings>>) -> Loaded {
    let mut sources = Sources::new();
    for file in files {
        sources.add(file.name, file.text);
    }
    let (tree, said) = parse(&sources, &|name: &str| variables::get(name).or_else(|| env.var(name)), &FACTS);
    let mut context = Context::new(&sources, env, said);
    context.origin = origin;
    context.environment = tree.environment.clone();
    let config = context.config(&tree);
    let mut diagnostics = context.finish();
    consequences::drop_from(&mut diagnostics, &sources);
    diagnostic::sort(&mut diagnostics);
    let config = (diagnostic::counts(&diagnostics).0 == 0).then_some(config);
    if env.offline() {
        diagnostics = judge::language(diagnostics);
    }
    Loaded { config, diagnostics, sources }
}

#[cfg(test)]
mod tests;
