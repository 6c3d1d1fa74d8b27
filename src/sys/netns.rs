//! Network namespaces of single sockets: a socket stays in the namespace in which it was made.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use nix::sched::{CloneFlags, setns};
use parking_lot::Mutex;

/// Where `ip netns add` puts them.
const DIR: &str = "/run/netns";

/// Those that were asked for; a process that has changed its root could not open them any more.
static OPENED: LazyLock<Mutex<HashMap<String, Arc<File>>>> = LazyLock::new(Mutex::default);

/// The process' own.
static HOME: LazyLock<io::Result<File>> = LazyLock::new(|| File::open("/proc/self/ns/net"));

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
