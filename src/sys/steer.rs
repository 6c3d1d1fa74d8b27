//! Which of the sockets that share a port (SO_REUSEPORT) new connections go to.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};

use nix::libc;

use super::fd::set_int;

/// Takes the program away again (Linux 5.3).
const SO_DETACH_REUSEPORT_BPF: libc::c_int = 68;

/// From now on they all go to the one that began to listen first, whichever of them `listener` is.
///
/// # Errors
/// It shares its port with nobody, or the kernel cannot.
pub fn to_the_first(listener: &impl AsFd) -> io::Result<()> {
    // One instruction: the answer is 0, the place of the first.
    let mut program = [libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: 0 }];
    let program = libc::sock_fprog { len: 1, filter: program.as_mut_ptr() };
    // SAFETY: the option takes this structure, which points to as many instructions as it says; the kernel copies both.
    let done = unsafe {
        libc::setsockopt(
            listener.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const program).cast(),
            size_of_val(&program) as libc::socklen_t,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// They are spread over all of them again.
///
/// # Errors
/// They were.
pub fn to_all(listener: &impl AsFd) -> io::Result<()> {
    set_int(listener, libc::SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 0)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::sys::tcp::{ListenOptions, listen};

    #[test]
    fn all_come_to_the_first_until_they_are_spread() {
        let open = |port: u16| -> TcpListener {
            let options = ListenOptions {
                addr: ([127, 0, 0, 1], port).into(),
                backlog: 64,
                reuse_port: true,
                v6only: None,
                transparent: false,
                interface: None,
                tcp: Default::default(),
            };
            listen(&options).unwrap().into()
        };
        let first = open(0);
        let addr = first.local_addr().unwrap();
        let mut all = vec![first];
        all.extend((0..3).map(|_| open(addr.port())));
        // How many of 32 each of them gets.
        let shares = || {
            let clients: Vec<_> = (0..32).map(|_| TcpStream::connect(addr).unwrap()).collect();
            let shares: Vec<_> =
                all.iter().map(|one| std::iter::from_fn(|| one.accept().ok()).count()).collect();
            drop(clients);
            shares
        };
        to_the_first(&all[2]).unwrap();
        assert_eq!(shares(), [32, 0, 0, 0]);
        to_all(&all[1]).unwrap();
        // By chance all to one: once in 10^18.
        assert!(shares().iter().filter(|share| **share > 0).count() > 1);
        assert!(to_all(&all[1]).is_err());
    }
}
