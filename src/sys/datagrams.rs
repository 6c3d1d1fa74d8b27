//! Several datagrams with one system call; where they could go.

use std::io;
use std::net::{Ipv6Addr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd as _};

use socket2::SockAddr;

/// So many datagrams go out with one call at most.
pub const AT_ONCE: usize = 32;

/// Sends the first of `datagrams`, [`AT_ONCE`] at most, without waiting: how many went out. The first one that did not
/// is to be tried again to learn why. `to`: the receiver, unless the socket is connected.
///
/// # Errors
/// Why not even the first one went out.
pub fn send<'a>(
    socket: impl AsFd,
    to: Option<&SockAddr>,
    datagrams: impl Iterator<Item = &'a [u8]>,
) -> io::Result<usize> {
    // SAFETY: both are integers and pointers, for which zero is a value.
    let (mut parts, mut messages): ([libc::iovec; AT_ONCE], [libc::mmsghdr; AT_ONCE]) =
        unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    let mut count = 0;
    for ((datagram, part), message) in datagrams.zip(&mut parts).zip(&mut messages) {
        part.iov_base = datagram.as_ptr().cast_mut().cast();
        part.iov_len = datagram.len();
        message.msg_hdr.msg_iov = part;
        message.msg_hdr.msg_iovlen = 1;
        if let Some(to) = to {
            message.msg_hdr.msg_name = to.as_ptr().cast_mut().cast();
            message.msg_hdr.msg_namelen = to.len();
        }
        count += 1;
    }
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the first `count` headers point to one part each, the parts to bytes that outlive the call, the name to
    // an address of the length that is said; the kernel only reads them, and writes lengths into the headers.
    let sent = unsafe { libc::sendmmsg(socket.as_fd().as_raw_fd(), messages.as_mut_ptr(), count, flags) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Does the system know a way to addresses of IPv6 beyond its own networks? Nothing is sent.
#[must_use]
pub fn reaches_ipv6() -> bool {
    // The first of the addresses given out worldwide (RFC 4291, section 2.4; HAProxy asks for the same).
    let outside = (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 53);
    UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).and_then(|socket| socket.connect(outside)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn many_datagrams_stay_apart_and_in_order() {
        let (a, b) = UnixDatagram::pair().unwrap();
        let lines: Vec<String> = (0..8).map(|i| "x".repeat(i + 1)).collect();
        assert_eq!(send(&a, None, lines.iter().map(String::as_bytes)).unwrap(), 8);
        for line in &lines {
            let mut buf = [0; 64];
            let n = b.recv(&mut buf).unwrap();
            assert_eq!(&buf[..n], line.as_bytes());
        }
        drop(b);
        assert!(send(&a, None, lines.iter().map(String::as_bytes)).is_err());
    }

    #[test]
    fn a_receiver_may_be_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let receiver = UnixDatagram::bind(&path).unwrap();
        let (sender, to) = (UnixDatagram::unbound().unwrap(), SockAddr::unix(&path).unwrap());
        let many = vec![&b"line"[..]; AT_ONCE + 5];
        receiver.set_nonblocking(true).unwrap();
        let (mut sent, mut got) = (0, 0);
        while sent < many.len() {
            // Its queue is shorter than that on some machines.
            sent += send(&sender, Some(&to), many[sent..].iter().copied()).unwrap();
            while receiver.recv(&mut [0; 16]).is_ok_and(|n| n == 4) {
                got += 1;
            }
        }
        assert_eq!(got, many.len());
    }
}
