//! Ending by a signal.

use nix::sys::signal::{SigHandler, Signal, raise, signal};

/// Ends the process by `sig`, so that its parent sees that and not an exit code.
pub fn die_of(sig: Signal) {
    // SAFETY: the default disposition involves no handler of ours.
    let restored = unsafe { signal(sig, SigHandler::SigDfl) };
    if restored.is_ok() {
        // Where the signal is blocked the caller's exit code stands in.
        let _ = raise(sig);
    }
}
