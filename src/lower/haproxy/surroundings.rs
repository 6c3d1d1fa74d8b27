//! What expressions of a proxy may refer to: the rest of the configuration, and the machine.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use tandem_parser::span::Span;

use super::super::expr::World;
use super::context::Context;
use super::http_errors::Pages;
use super::names::Names;
use crate::ir::bandwidth::BandwidthLimit;
use crate::ir::reference::References;
use crate::ir::{Config, Place, ProxyIdx, Userlist};

/// What expressions of a proxy may refer to.
pub(super) struct Surroundings<'c, 'a> {
    pub(super) context: &'c Context<'a>,
    pub(super) names: &'c Names<'c>,
    pub(super) config: &'c Config,
    pub(super) pages: &'c Pages,
}

impl World for Surroundings<'_, '_> {
    fn read(&self, path: &str, span: Span) -> io::Result<Vec<u8>> {
        self.context.env.read(&self.context.bases.path(path, span))
    }

    fn var(&self, name: &str) -> Option<String> {
        self.context.environment.get(name, || self.context.env.var(name))
    }

    fn hostname(&self) -> String {
        self.context.env.hostname()
    }

    fn resolve(&self, host: &str) -> Option<IpAddr> {
        self.context.env.resolve(host)
    }

    fn offline(&self) -> bool {
        self.context.env.offline()
    }

    fn frontend(&self, name: &str) -> Option<ProxyIdx> {
        self.names.frontend(name)
    }

    fn backend(&self, name: &str) -> Option<ProxyIdx> {
        self.names.backend(name).inspect(|idx| self.config.named.note_proxy(*idx))
    }

    fn server(&self, backend: ProxyIdx, name: &str) -> Option<u32> {
        let servers = &self.config.proxy(backend).backend.as_ref()?.servers;
        let at = servers.iter().position(|server| server.name == name)?;
        self.config.named.note(backend, at);
        u32::try_from(at).ok()
    }

    fn certificates(&self) -> bool {
        self.context.switches.certificates
    }

    fn table(&self, name: &str) -> bool {
        self.context.tables.contains(name)
    }

    fn resolvers(&self, name: &str) -> bool {
        self.config.resolvers.iter().any(|section| section.name == name)
    }

    fn bandwidth_limit(&self, proxy: ProxyIdx, name: &str) -> Option<BandwidthLimit> {
        self.config.proxy(proxy).bandwidth_limits.iter().find(|limit| limit.name == name).cloned()
    }

    fn log_profile(&self, name: &str) -> bool {
        self.config.log_profiles.iter().any(|profile| profile.name == name)
    }

    fn userlist(&self, name: &str) -> Option<Arc<Userlist>> {
        self.config.userlists.iter().find(|list| list.name == name).cloned().map(Arc::new)
    }

    fn lua(&self) -> bool {
        self.context.switches.lua
    }

    fn experimental(&self) -> bool {
        self.context.switches.experimental
    }

    fn stick_counters(&self) -> u32 {
        self.context.switches.stick_counters
    }

    fn error_page(&self, section: &str, status: u16) -> Option<Arc<[u8]>> {
        let pages = self.pages.get(section)?;
        pages.iter().find(|(page, _)| *page == status).map(|(_, text)| text.clone())
    }

    fn error_section(&self, name: &str) -> bool {
        self.pages.contains_key(name)
    }

    fn references(&self) -> Option<&References> {
        Some(&self.config.references)
    }

    fn place(&self, span: Span) -> Place {
        self.context.place(span)
    }
}
