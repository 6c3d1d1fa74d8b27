//! Where connections come in.

use std::sync::Arc;

use super::engine::Shared;
use crate::live::{Listener, Live, Proxy};

/// A listener as one thread has it, and all that its connections have in common. Each of them, and each of their
/// requests, holds one reference to this, which no other thread counts: references to what it leads to are counted by all
/// threads in the same words of memory, which go from one processor to the other each time.
#[repr(align(128))]
pub(super) struct Door {
    pub(super) shared: Arc<Shared>,
    /// The frontend.
    pub(super) fe: Arc<Proxy>,
    pub(super) listener: Arc<Listener>,
}

impl Door {
    /// Everything that runs.
    pub(super) fn live(&self) -> &Arc<Live> {
        &self.shared.live
    }
}
