//! Descriptors passed from process to process over unix sockets, and the way in which HAProxy hands its listening
//! sockets to its successor (`_getsocks` on the stats socket, `-x`): the count as an int; then, for each socket, the
//! length and name of its network namespace, the length and name of its interface and four zero bytes, in messages of
//! up to 252 sockets that the receiver acknowledges with an int each.

use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::cmsg_space;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};

/// Most descriptors in one message.
const BATCH: usize = 252;
/// Longest wait for the other side.
const PATIENCE: Duration = Duration::from_secs(1);
/// More sockets than any process has.
const MOST: usize = 1 << 20;

/// A listening socket on its way to another process.
#[derive(Debug)]
pub struct Handed {
    /// The socket.
    pub fd: OwnedFd,
    /// Name of the interface it is bound to; empty: none.
    pub interface: String,
    /// Name of its network namespace; empty: that of the process.
    pub namespace: String,
}

/// Sends bytes and descriptors in one message.
///
/// # Errors
/// What the kernel says.
pub fn send(socket: &impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    send_with(socket, bytes, fds, MsgFlags::empty())
}

/// The same, in another way.
pub(super) fn send_with(
    socket: &impl AsFd,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
    flags: MsgFlags,
) -> io::Result<()> {
    let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    let sent = sendmsg::<()>(
        socket.as_fd().as_raw_fd(),
        &[IoSlice::new(bytes)],
        control,
        MsgFlags::MSG_NOSIGNAL | flags,
        None,
    )?;
    if sent == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// Takes a message: how many bytes came, and the descriptors, which programs started from here do not inherit.
///
/// # Errors
/// What the kernel says.
pub fn receive(socket: &impl AsFd, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut control = cmsg_space!([RawFd; BATCH]);
    let mut slices = [IoSliceMut::new(bytes)];
    let message = recvmsg::<()>(
        socket.as_fd().as_raw_fd(),
        &mut slices,
        Some(&mut control),
        MsgFlags::MSG_CMSG_CLOEXEC,
    )?;
    let mut fds = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(raw) = control {
            // SAFETY: the kernel just made these descriptors for this process and nobody else knows them.
            fds.extend(raw.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    Ok((message.bytes, fds))
}

/// Hands sockets to whoever asked for them at the other end. Blocks, but never long.
///
/// # Errors
/// The other side went away or does not acknowledge.
pub fn hand_over(mut stream: &UnixStream, sockets: &[&Handed]) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let count = i32::try_from(sockets.len()).unwrap_or(i32::MAX);
    stream.write_all(&count.to_ne_bytes())?;
    for batch in sockets.chunks(BATCH) {
        let mut text = Vec::new();
        for socket in batch {
            for name in [&socket.namespace, &socket.interface] {
                let name = &name.as_bytes()[..name.len().min(255)];
                text.push(name.len() as u8);
                text.extend_from_slice(name);
            }
            text.extend_from_slice(&[0; 4]);
        }
        let fds: Vec<BorrowedFd<'_>> = batch.iter().map(|s| s.fd.as_fd()).collect();
        send(&stream, &text, &fds)?;
        stream.read_exact(&mut [0; 4])?;
    }
    Ok(())
}

/// Asks the process at the other end for its listening sockets.
///
/// # Errors
/// It does not answer, or not in the form above.
pub fn take_over(mut stream: &UnixStream) -> io::Result<Vec<Handed>> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"_getsocks\n")?;
    let mut count = [0; 4];
    stream.read_exact(&mut count)?;
    let count = usize::try_from(i32::from_ne_bytes(count)).ok().filter(|count| *count <= MOST);
    let count = count.ok_or(io::ErrorKind::InvalidData)?;
    let (mut text, mut fds) = (Vec::new(), Vec::new());
    // Names are short; a message of a whole batch fits.
    let mut buffer = vec![0; BATCH * 1024];
    while fds.len() < count {
        let (length, got) = receive(&stream, &mut buffer)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        text.extend_from_slice(&buffer[..length]);
        fds.extend(got);
        let acknowledged = stream.write_all(&(fds.len() as i32).to_ne_bytes());
        // HAProxy does not wait for the last one.
        if fds.len() < count {
            acknowledged?;
        }
    }
    let mut rest = text.as_slice();
    let handed = fds.into_iter().map(|fd| {
        let namespace = name(&mut rest)?;
        let interface = name(&mut rest)?;
        rest = rest.get(4..)?;
        Some(Handed { fd, interface, namespace })
    });
    handed.collect::<Option<Vec<_>>>().ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn name(rest: &mut &[u8]) -> Option<String> {
    let (&length, tail) = rest.split_first()?;
    let (name, tail) = tail.split_at_checked(usize::from(length))?;
    *rest = tail;
    Some(String::from_utf8_lossy(name).into_owned())
}

/// Two ends of a unix stream; a program started from here inherits the first, not the second.
///
/// # Errors
/// What the kernel says.
pub fn pair_for_child() -> io::Result<(OwnedFd, UnixStream)> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    let (theirs, ours) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::empty())?;
    nix::fcntl::fcntl(&ours, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    Ok((theirs, ours.into()))
}

/// The stream that this process inherited under `fd` and that nobody else here uses. Programs started from here do
/// not inherit it.
///
/// # Errors
/// No such descriptor is open.
pub fn inherited_stream(fd: RawFd) -> io::Result<UnixStream> {
    let own = super::fd::duplicate(fd)?;
    // SAFETY: the caller says that the descriptor is his; it was open a moment ago and is not used again.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(own.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_travel_with_the_names_of_their_interfaces() {
        let (here, there) = UnixStream::pair().unwrap();
        let listeners: Vec<std::net::TcpListener> =
            (0..300).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = listeners.iter().map(|l| l.local_addr().unwrap().port()).collect();
        let giver = std::thread::spawn(move || {
            let mut question = [0; 10];
            (&there).read_exact(&mut question).unwrap();
            assert_eq!(&question, b"_getsocks\n");
            let interface = |n: usize| if n.is_multiple_of(2) { "eth0".to_owned() } else { String::new() };
            let sockets: Vec<Handed> = (listeners.into_iter().enumerate())
                .map(|(n, l)| Handed { fd: l.into(), interface: interface(n), namespace: String::new() })
                .collect();
            hand_over(&there, &sockets.iter().collect::<Vec<_>>())
        });
        let handed = take_over(&here).unwrap();
        giver.join().unwrap().unwrap();
        assert_eq!((handed[0].interface.as_str(), handed[1].interface.as_str()), ("eth0", ""));
        let got: Vec<u16> = handed
            .into_iter()
            .map(|h| std::net::TcpListener::from(h.fd).local_addr().unwrap().port())
            .collect();
        assert_eq!(got, ports);
    }

    #[test]
    fn a_silent_or_lying_process_is_an_error_and_no_hang() {
        let (here, there) = UnixStream::pair().unwrap();
        (&there).write_all(&(-1_i32).to_ne_bytes()).unwrap();
        assert!(take_over(&here).is_err());
        let (here, there) = UnixStream::pair().unwrap();
        drop(there);
        assert!(take_over(&here).is_err());
    }
}
