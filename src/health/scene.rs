//! What expressions of a check may look at besides the answer: the shell lends it, because clocks and counters are its.

use crate::expr::Ctx;

/// Lends a view without a message.
pub trait Scene: Sync {
    /// Gives the view to `look`.
    fn show(&self, look: &mut dyn FnMut(&Ctx<'_>));
}
