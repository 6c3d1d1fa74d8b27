//! The kernel's process connector: who forks, executes or changes its name, as it happens.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::{MsgFlags, NetlinkAddr, bind, recv, send};
use tokio::io::unix::AsyncFd;

/// `NETLINK_CONNECTOR`.
const CONNECTOR: i32 = 11;
/// `CN_IDX_PROC`, `CN_VAL_PROC`.
const PROC: u32 = 1;
/// `PROC_CN_MCAST_LISTEN`.
const LISTEN: u32 = 1;
/// Inode of the first process id namespace, in whose numbers the kernel speaks here.
const FIRST_PID_NAMESPACE: u64 = 0xefff_fffc;

/// What happened to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessEvent {
    /// It made another one.
    Forked {
        /// The one that did.
        parent: i32,
        /// The new one.
        child: i32,
    },
    /// It runs another program, or calls itself otherwise.
    Changed(i32),
    /// There was more than the socket could hold: look at all of them.
    Lost,
}

/// The connector. Not blocking; poll its descriptor.
#[derive(Debug)]
pub struct ProcessEvents(OwnedFd);

impl ProcessEvents {
    /// Opens it.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_ADMIN, `ConnectionRefused` where the process did not begin in the first
    /// network namespace, or may not go back there, `Unsupported` where process ids are not the kernel's own.
    pub fn open() -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        if std::fs::metadata("/proc/self/ns/pid")?.ino() != FIRST_PID_NAMESPACE {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        let fd = super::netns::at_home(|| {
            // SAFETY: no memory is passed; the result is checked before it is taken as a descriptor.
            match unsafe { libc::socket(libc::AF_NETLINK, kind, CONNECTOR) } {
                fd if fd < 0 => Err(io::Error::last_os_error()),
                fd => Ok(fd),
            }
        })?;
        // SAFETY: the kernel just gave this descriptor to us and nobody else knows it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, PROC))?;
        // struct nlmsghdr, struct cn_msg, the request.
        let mut message = Vec::with_capacity(40);
        for word in [40, libc::NLMSG_DONE as u32, 0, 0, PROC, PROC, 0, 0, 4, LISTEN] {
            message.extend_from_slice(&u32::to_ne_bytes(word));
        }
        send(fd.as_raw_fd(), &message, MsgFlags::empty())?;
        Ok(Self(fd))
    }

    /// Bytes of events that may wait; `force`: beyond the limit of the system.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn set_buffer(&self, bytes: u32, force: bool) -> io::Result<()> {
        super::fd::receive_buffer(self.0.as_fd(), bytes, force)
    }

    /// Registers it with the runtime of the calling thread.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn watch(self) -> io::Result<AsyncFd<Self>> {
        // SAFETY: the descriptor is owned, valid, and neither replaced nor closed while `self` lives.
        Ok(unsafe { AsyncFd::register(self) }?)
    }

    /// Reads one event; `None` for one of no interest.
    ///
    /// # Errors
    /// `WouldBlock` when there is none, else whatever the kernel says.
    pub fn receive(&self) -> io::Result<Option<ProcessEvent>> {
        let mut buffer = [0; 1024];
        match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(size) => Ok(decode(&buffer[..size])),
            Err(nix::Error::ENOBUFS) => Ok(Some(ProcessEvent::Lost)),
            Err(e) => Err(e.into()),
        }
    }
}

impl AsRawFd for ProcessEvents {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// `struct proc_event` behind the two headers (linux/cn_proc.h). Threads are not processes.
fn decode(message: &[u8]) -> Option<ProcessEvent> {
    const EVENT: usize = 16 + 20;
    const DATA: usize = EVENT + 16;
    let word = |at: usize| Some(u32::from_ne_bytes(message.get(at..at + 4)?.try_into().ok()?));
    let pid = |field: usize| i32::try_from(word(DATA + 4 * field)?).ok();
    match word(EVENT)? {
        // fork: parent, its group, child, its group
        1 => (pid(2)? == pid(3)?).then_some(ProcessEvent::Forked { parent: pid(1)?, child: pid(3)? }),
        // exec and comm: process, its group
        2 | 0x200 => (pid(0)? == pid(1)?).then_some(ProcessEvent::Changed(pid(0)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_events_wait_as_are_asked_for() {
        use nix::sys::socket::{getsockopt, sockopt::RcvBuf};

        let Ok(events) = ProcessEvents::open() else { return };
        events.set_buffer(100_000, false).unwrap();
        // The kernel counts twice as many, for what it keeps of each.
        assert_eq!(getsockopt(&events.0, RcvBuf).unwrap(), 200_000);
    }

    #[test]
    fn a_new_program_is_heard_of_where_the_kernel_tells() {
        let Ok(events) = ProcessEvents::open() else { return };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let events = events.watch().unwrap();
            let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
            let pid = i32::try_from(child.id()).unwrap();
            let found = async {
                loop {
                    let mut ready = events.readable().await.unwrap();
                    while let Ok(event) = events.get_ref().receive() {
                        if event == Some(ProcessEvent::Changed(pid)) {
                            return;
                        }
                    }
                    ready.clear_ready();
                }
            };
            tokio::time::timeout(std::time::Duration::from_secs(20), found).await.unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
        });
    }

    #[test]
    fn events_are_read_from_their_bytes() {
        let message = |what: u32, data: [u32; 4]| {
            let mut bytes = vec![0; 36];
            bytes.extend([what, 0, 0, 0].into_iter().chain(data).flat_map(u32::to_ne_bytes));
            bytes
        };
        let forked = Some(ProcessEvent::Forked { parent: 7, child: 9 });
        assert_eq!(decode(&message(1, [8, 7, 9, 9])), forked);
        assert_eq!(decode(&message(1, [7, 7, 9, 7])), None, "a thread");
        assert_eq!(decode(&message(2, [9, 9, 0, 0])), Some(ProcessEvent::Changed(9)));
        assert_eq!(decode(&message(0x200, [9, 9, 0, 0])), Some(ProcessEvent::Changed(9)));
        assert_eq!(decode(&message(0x8000_0000, [9, 9, 0, 0])), None);
        assert_eq!(decode(&message(2, [9, 9, 0, 0])[..50]), None);
    }
}
