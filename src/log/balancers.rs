//! Backends for log lines, as targets: who knows their servers registers here.

use std::sync::Arc;

use parking_lot::RwLock;

/// Sends lines to one of several servers.
pub trait Balancer: Send + Sync {
    /// Sends a line whose message begins at `message`. `false`: it was lost.
    fn send(&self, line: &[u8], message: usize) -> bool;
}

/// Balancers by name.
#[derive(Default)]
pub(super) struct Balancers(RwLock<Vec<(String, Arc<dyn Balancer>)>>);

impl Balancers {
    pub(super) fn add(&self, name: &str, balancer: Arc<dyn Balancer>) {
        self.0.write().push((name.to_owned(), balancer));
    }

    pub(super) fn send(&self, name: &str, line: &[u8], message: usize) -> bool {
        let found =
            self.0.read().iter().find(|(known, _)| known == name).map(|(_, balancer)| balancer.clone());
        found.is_some_and(|balancer| balancer.send(line, message))
    }
}

impl std::fmt::Debug for Balancers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.read().iter().map(|(name, _)| name)).finish()
    }
}
