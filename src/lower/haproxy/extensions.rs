//! Extensions of the PROXY header that servers ask for. They have formats, so they are read with the rules.

use std::collections::HashMap;
use std::sync::Arc;

use tandem_parser::haproxy::{Statement, Value};

use super::super::expr::Language;
use super::connection::{Tlvs, tlvs};
use super::origin::{self, Origin};
use crate::ir::server::ServerSettings;
use crate::ir::{Backend, Proxy};

/// Those of one backend, as its lines are read.
#[derive(Default)]
pub(super) struct Extensions {
    /// Of `default-server`, by its name.
    defaults: HashMap<String, Tlvs>,
    /// Of servers, by the first word of their lines.
    servers: Vec<(String, Tlvs)>,
}

impl Extensions {
    /// A `default-server`, `server` or `server-template` line. `proxies`: all of the configuration; those that stand
    /// above have theirs.
    pub(super) fn read(&mut self, language: &mut Language<'_>, line: &Statement, proxies: &[Arc<Proxy>]) {
        let own = language.owner.name.clone();
        let other = |name: &str| origin::backend(proxies, name).filter(|_| name != own);
        if line.name() == "default-server" {
            let settings = line.settings(0);
            let name = origin::name(settings).and_then(|name| name.text(0)).unwrap_or_default();
            let mut all = self.origin(settings, name, other);
            all.extend(tlvs(language, line));
            self.defaults.insert(name.to_owned(), all);
        } else {
            let mut all = self.origin(line.args.last().map_or(&[][..], Value::settings), "", other);
            all.extend(tlvs(language, line));
            let name = line.text(0).unwrap_or_default();
            // A template's name may be the beginning of a later server's.
            self.servers.push((name.to_owned(), all));
        }
    }

    /// Those that a line starts with: of what it names with `from`, here or in the backend that `other` finds, or of the
    /// `default-server` called `name`.
    fn origin<'p>(
        &self,
        settings: &[Statement],
        name: &str,
        other: impl FnOnce(&str) -> Option<&'p Backend>,
    ) -> Tlvs {
        let named = |name: &str| self.defaults.get(name).cloned().unwrap_or_default();
        let Some(word) = origin::from(settings).and_then(|from| from.text(0)) else { return named(name) };
        // What is wrong with it was said when the line was.
        let Ok(origin) = Origin::read(word) else { return Tlvs::new() };
        if let Some(half) = origin.backend().and_then(other) {
            let of_default = |settings: &Arc<ServerSettings>| settings.server.link.proxy_tlvs.clone();
            let found = match origin {
                Origin::Server(_, name) => {
                    let standing = half.servers.iter().find(|server| server.name == name);
                    let standing = standing.map(|server| server.link.proxy_tlvs.clone());
                    standing.or_else(|| half.default_servers.get(name).map(of_default))
                }
                _ => half.default_server.as_ref().map(of_default),
            };
            return found.unwrap_or_default();
        }
        match origin {
            Origin::Nothing => Tlvs::new(),
            Origin::Backend(_) => named(""),
            Origin::Server(_, name) => {
                let server = self.servers.iter().rfind(|(server, _)| server == name);
                server.map_or_else(|| named(name), |(_, tlvs)| tlvs.clone())
            }
        }
    }

    /// Gives them to the servers, and to the settings from which others may start.
    pub(super) fn store(self, backend: &mut Backend) {
        for (name, tlvs) in self.defaults {
            let settings = match name.as_str() {
                "" => backend.default_server.as_mut(),
                name => backend.default_servers.get_mut(name),
            };
            if let Some(settings) = settings.filter(|_| !tlvs.is_empty()) {
                Arc::make_mut(settings).server.link_mut().proxy_tlvs = tlvs;
            }
        }
        for (name, tlvs) in self.servers {
            // `server-template` writes numbers behind the name.
            let is_numbered = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            let named =
                |server: &&mut crate::ir::Server| server.name.strip_prefix(&name).is_some_and(is_numbered);
            backend
                .servers
                .iter_mut()
                .filter(named)
                .for_each(|server| server.link_mut().proxy_tlvs.clone_from(&tlvs));
        }
    }
}
