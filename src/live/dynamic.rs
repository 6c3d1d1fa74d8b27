//! Servers that come and go by command (`add server`, `del server`).

use std::sync::Arc;

use super::{CheckOrder, Live, Proxy, Rename, Server};
use crate::ir;
use crate::server::Admin;

/// Why a server cannot be deleted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRemovable {
    /// The configuration refers to it, or another server tracks it.
    Referenced,
    /// It is not in maintenance.
    NotInMaintenance,
    /// Connections to it are in use, idle or waited for.
    Busy,
}

impl Live {
    /// Adds a server to a backend: in maintenance, its check not enabled, its `id` the next free one unless given.
    /// `line` is what was written behind its name. The name has to be free and the algorithm dynamic. Callers take turns.
    pub fn add_server(&self, proxy: &Arc<Proxy>, mut ir: ir::Server, line: String) -> Option<Arc<Server>> {
        let backend = proxy.backend.as_ref()?;
        let servers = backend.servers();
        if ir.id == 0 {
            ir.id = (1..).find(|id| servers.iter().all(|s| s.ir.id != *id))?;
        }
        let written = std::mem::replace(&mut ir.disabled, true);
        let mut server = Server::new(&proxy.ir, &ir, backend.servers.free_number(0), backend.is_dynamic());
        server.added = Some(line);
        server.set_check_suspended(true);
        server.set_agent_suspended(true);
        server.check.get_mut().health = 0;
        if !written {
            server.state.get_mut().added_by_command();
        }
        let server = Arc::new(server);
        backend.balancer().join(server.index, server.ir.id, server.ir.backup);
        backend.servers.add(server.clone());
        if let Some(tracked) = self.tracked_by(&server) {
            tracked.trackers.lock().insert(0, (Arc::downgrade(proxy), server.index));
        }
        proxy.order_check(&server, CheckOrder::Join);
        Some(server)
    }

    /// Gives a server another name, which its `resolvers` section follows from now on. `None`: it has no such section, or
    /// SRV records name it.
    pub fn rename_server(&self, proxy: &Arc<Proxy>, server: &Arc<Server>, fqdn: &str) -> Option<()> {
        let name = server.ir.lookup.resolvers.as_ref().filter(|_| !server.follows_service())?;
        let section = self.resolvers.iter().find(|section| section.name == *name)?;
        server.set_fqdn(Some(fqdn.to_owned()));
        proxy.change_server(server, |state, _| state.named_by_command());
        section.rename(Rename { backend: proxy.idx, server: server.index, fqdn: fqdn.to_owned() });
        Some(())
    }

    /// A check could not connect to a server: if it follows a name, it may be somewhere else by now.
    pub fn doubt_address(&self, proxy: &Proxy, server: &Server) {
        let Some(name) = &server.ir.lookup.resolvers else { return };
        if let Some(section) = self.resolvers.iter().find(|section| section.name == *name) {
            section.doubt(proxy.idx, server.index);
        }
    }

    /// The server that `server` tracks.
    #[must_use]
    pub fn tracked_by(&self, server: &Server) -> Option<Arc<Server>> {
        let (backend, name) = server.ir.track.as_ref()?;
        self.backend_named(backend)?.backend.as_ref()?.server_named(name)
    }

    /// Whether a server can be deleted.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn check_removable(&self, proxy: &Proxy, server: &Arc<Server>) -> Result<(), NotRemovable> {
        if self.refers_to(proxy, server) {
            return Err(NotRemovable::Referenced);
        }
        if !server.with_state(|s| s.admin().any(Admin::MAINT)) {
            return Err(NotRemovable::NotInMaintenance);
        }
        let counters = &server.counters;
        let busy = server.served.get() + counters.sessions.get() + counters.idle.get() + counters.used.get();
        if busy > 0 || !server.queue.is_empty() {
            return Err(NotRemovable::Busy);
        }
        Ok(())
    }

    /// Deletes a server. Callers take turns.
    ///
    /// # Errors
    /// What stands in the way; nothing was done.
    pub fn remove_server(&self, proxy: &Arc<Proxy>, server: &Arc<Server>) -> Result<(), NotRemovable> {
        self.check_removable(proxy, server)?;
        let Some(backend) = &proxy.backend else { return Ok(()) };
        if let Some(tracked) = self.tracked_by(server) {
            let me = |(p, index): &super::server::Tracker| {
                *index == server.index && p.upgrade().is_some_and(|p| Arc::ptr_eq(&p, proxy))
            };
            tracked.trackers.lock().retain(|tracker| !me(tracker));
        }
        proxy.order_check(server, CheckOrder::Leave);
        backend.balancer().update(server.index, 0, false);
        backend.servers.remove(server);
        server.drop_idle();
        Ok(())
    }

    /// `set server ... name`. Callers take turns.
    ///
    /// # Errors
    /// Why not, in HAProxy's words.
    pub fn call_server(&self, proxy: &Proxy, server: &Server, wanted: &str) -> Result<(), &'static str> {
        let fits = |c: u8| c.is_ascii_alphanumeric() || b"_:.-".contains(&c);
        if !wanted.bytes().all(fits) {
            return Err("Server name contains invalid characters.\n");
        }
        if wanted.len() >= 256 {
            return Err("Server name too long.\n");
        }
        if !server.with_state(|s| s.admin().any(Admin::MAINT)) {
            return Err(
                "Server must be in maintenance mode to be renamed (set server <b>/<s> state maint).\n",
            );
        }
        if self.refers_to(proxy, server) {
            return Err(
                "Cannot rename: server's name is statically referenced (use-server, track, or sample argument).\n",
            );
        }
        if server.name() == wanted {
            return Ok(());
        }
        if proxy.backend.as_ref().is_some_and(|b| b.server_named(wanted).is_some()) {
            return Err("A server with the same name already exists in this backend.\n");
        }
        server.call(wanted);
        Ok(())
    }

    /// Something in the configuration names this server, so that it has to stay what it is.
    fn refers_to(&self, proxy: &Proxy, server: &Server) -> bool {
        let rules = proxy.ir.backend.iter().flat_map(|b| &b.use_servers);
        let written = server.added.is_none();
        let by_rule = || rules.into_iter().any(|rule| rule.server == server.ir.name);
        let by_expression = || self.config.named.contains(proxy.idx, server.index);
        !server.trackers.lock().is_empty() || written && (by_rule() || by_expression())
    }
}
