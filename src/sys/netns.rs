//! Network namespaces of single sockets, which stay in the namespace in which they were made, and of the process.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use nix::sched::{CloneFlags, setns};
use parking_lot::Mutex;

/// Where `ip netns add` puts them.
const DIR: &str = "/run/netns";

/// Those that were asked for; a process that has changed its root could not open them any more.
static OPENED: LazyLock<Mutex<HashMap<String, Arc<File>>>> = LazyLock::new(Mutex::default);

/// The one the process began in.
static HOME: LazyLock<io::Result<File>> = LazyLock::new(|| File::open("/proc/self/ns/net"));

/// The process left the one it began in.
static LEFT: AtomicBool = AtomicBool::new(false);

/// Goes to the namespace of this name, for good: the calling thread, and those and the processes it makes from now on.
///
/// # Errors
/// There is none, or no right (CAP_SYS_ADMIN) to go there.
pub fn enter(name: &str) -> io::Result<()> {
    let there = open(name)?;
    setns(&*there, CloneFlags::CLONE_NEWNET)?;
    LEFT.store(true, Ordering::Relaxed);
    Ok(())
}

/// Makes something in the namespace this process began in, which may be the only one where it can be made.
///
/// # Errors
/// What `make` says; or there is no right (CAP_SYS_ADMIN) to go there.
pub fn at_home<R>(make: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
    if !LEFT.load(Ordering::Relaxed) {
        return make();
    }
    let home = HOME.as_ref().map_err(|e| io::Error::from(e.kind()))?;
    let here = File::open("/proc/thread-self/ns/net")?;
    setns(home, CloneFlags::CLONE_NEWNET)?;
    let made = make();
    setns(here, CloneFlags::CLONE_NEWNET)?;
    made
}

/// Opens the namespace of this name, once.
///
/// # Errors
/// There is none, or its name is no name of a file.
pub fn open(name: &str) -> io::Result<Arc<File>> {
    if let Some(file) = OPENED.lock().get(name) {
        return Ok(file.clone());
    }
    if name.contains('/') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    LazyLock::force(&HOME);
    let file = Arc::new(File::open(Path::new(DIR).join(name))?);
    OPENED.lock().insert(name.to_owned(), file.clone());
    Ok(file)
}

/// Whether [`open`] has opened it.
#[must_use]
pub fn is_open(name: &str) -> bool {
    OPENED.lock().contains_key(name)
}

/// Makes something in the namespace of this name; `None`: in the process' own. The calling thread is there only for
/// the length of the call.
///
/// # Errors
/// What `make` says; or there is no such namespace, or no right (CAP_SYS_ADMIN) to go there.
pub fn within<R>(name: Option<&str>, make: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
    let Some(name) = name else { return make() };
    let there = open(name)?;
    let home = HOME.as_ref().map_err(|e| io::Error::from(e.kind()))?;
    setns(&*there, CloneFlags::CLONE_NEWNET)?;
    let made = make();
    setns(home, CloneFlags::CLONE_NEWNET)?;
    made
}
