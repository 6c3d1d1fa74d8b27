//! Tells other processes of this machine how the instances are, as `status` describes.

use std::cell::RefCell;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener as StdListener};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;

use super::{Core, dump};
use crate::sys::clock;
use crate::vrrp::status::windows;

/// Who does not read within this time is not told.
const PATIENCE: Duration = Duration::from_secs(1);

/// Takes the first name that is free.
pub(super) fn open() -> io::Result<UnixListener> {
    let mut last = io::ErrorKind::AddrInUse.into();
    for name in windows() {
        match StdListener::bind_addr(&SocketAddr::from_abstract_name(name.as_bytes())?) {
            Ok(listener) => {
                listener.set_nonblocking(true)?;
                return UnixListener::from_std(listener);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Answers whoever comes, one after the other: what can be asked is small and never urgent.
pub(super) async fn serve(core: Rc<RefCell<Core>>, listener: UnixListener) {
    while let Ok((mut client, _)) = listener.accept().await {
        let text = dump::told(&core.borrow(), clock::now());
        // Whoever went away needs no answer.
        let _ = tokio::time::timeout(PATIENCE, client.write_all(text.as_bytes())).await;
    }
}
