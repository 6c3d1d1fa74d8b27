//! The link state as the driver of an interface sees it, for drivers that do not tell the kernel of changes.

use std::io;
use std::os::fd::AsRawFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

const SIOCETHTOOL: u64 = 0x8946;
const SIOCGMIIPHY: u64 = 0x8947;
const SIOCGMIIREG: u64 = 0x8948;
/// Command of ethtool: is there a link?
const GET_LINK: u32 = 0x0a;
/// Register of an MII transceiver with its state, and the bit of the link in it.
const STATUS: u16 = 1;
const LINK: u16 = 0x0004;

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

fn request(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: all-zero is a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    Ok(request)
}

fn ask(fd: i32, what: u64, request: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: the request is an initialised `ifreq`, and what it points to, if anything, outlives the call.
    let result = unsafe { libc::ioctl(fd, what as _, std::ptr::from_mut(request)) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The words of `struct mii_ioctl_data` in a request.
fn words(request: &mut libc::ifreq) -> &mut [u16; 4] {
    // SAFETY: the union is larger than four words, aligned for pointers, and any bits are a valid number.
    unsafe { &mut *(&raw mut request.ifr_ifru).cast() }
}

fn by_mii(fd: i32, name: &str) -> io::Result<bool> {
    let mut request = request(name)?;
    ask(fd, SIOCGMIIPHY, &mut request)?;
    words(&mut request)[1] = STATUS;
    // The bit says whether the link was lost since it was read last: the second answer is about now.
    ask(fd, SIOCGMIIREG, &mut request)?;
    ask(fd, SIOCGMIIREG, &mut request)?;
    Ok(words(&mut request)[3] & LINK != 0)
}

fn by_ethtool(fd: i32, name: &str) -> io::Result<bool> {
    let mut value = Value { command: GET_LINK, data: 0 };
    let mut request = request(name)?;
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    ask(fd, SIOCETHTOOL, &mut request)?;
    Ok(value.data != 0)
}

/// Whether the interface has a link, asked of the transceiver and then of the driver; `None`: neither answers.
#[must_use]
pub fn link(name: &str) -> Option<bool> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let fd = socket(AddressFamily::Inet, SockType::Datagram, flags, None).ok()?;
    by_mii(fd.as_raw_fd(), name).or_else(|_| by_ethtool(fd.as_raw_fd(), name)).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_loopback_is_linked_and_what_is_not_there_does_not_answer() {
        assert_eq!(super::link("lo"), Some(true));
        assert_eq!(super::link("nothing0"), None);
        assert_eq!(super::link("a name that is far too long"), None);
    }
}
