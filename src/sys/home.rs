//! Where the parts of a process run that are not sessions: checks, names, rings.

use std::future::Future;
use std::io;

/// Threads of their own, or the one that there is.
///
/// While a process has one thread the kernel takes its descriptors without counting who uses them: 35 to 50 ns less for
/// each call on a socket, and a request makes four. So a second thread has to be worth it to sessions that have one alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// Each part has a thread and a runtime.
    Apart,
    /// All are tasks of the runtime that the caller has entered.
    Together,
}

impl Home {
    /// Of a process with so many threads for its sessions.
    #[must_use]
    pub fn beside(threads: usize) -> Self {
        if threads > 1 { Self::Apart } else { Self::Together }
    }

    /// Runs the future that `prepare` makes, inside of the runtime it will have, until it or the process ends.
    ///
    /// # Errors
    /// No thread, no runtime, or what `prepare` says.
    pub fn run<F>(self, name: &str, prepare: impl FnOnce() -> io::Result<F>) -> io::Result<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if self == Self::Together {
            tokio::spawn(prepare()?);
            return Ok(());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let work = {
            let _inside = runtime.enter();
            prepare()?
        };
        std::thread::Builder::new().name(name.into()).spawn(move || {
            runtime.block_on(async {
                // A task of its own: waking what `block_on` waits for costs two system calls. If it panics, that has been
                // reported already.
                let _ = tokio::spawn(work).await;
            });
        })?;
        Ok(())
    }
}
