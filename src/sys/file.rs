//! Files that a configuration names: read whole, but neither without end nor without limit.
//!
//! A name in a configuration may be that of anything: a device that never ends, a pipe that nobody writes to, a file of holes.
//! Where reading such a thing would take all memory or all time, it is refused.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Bytes of a file at the most: more than any list, map or page that is of use.
const MOST: u64 = 1 << 30;

/// Bytes of what is no file, or is hardly one, at the most.
const MOST_UNSEEN: u64 = 128 << 20;

/// Milliseconds until somebody must have begun to write to a pipe that has a name.
const PATIENCE: u16 = 5_000;

/// Reads a file, a pipe or what else has an end.
///
/// # Errors
/// As the system gives them; a directory, a file of more than 1 GiB, a device, a pipe or a file of holes of more than
/// 128 MiB, and a named pipe that nobody writes to.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Without this flag the call itself waits until somebody writes to a pipe.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let about = file.metadata()?;
    let mut out = Vec::new();
    let most = if about.is_file() && !is_hollow(&about) { MOST } else { MOST_UNSEEN };
    if about.is_file() {
        if about.len() > most {
            return Err(too_large());
        }
        out.reserve_exact(usize::try_from(about.len()).unwrap_or_default() + 1);
    } else if about.file_type().is_fifo() && !path.starts_with("/dev") && !path.starts_with("/proc") {
        wait(&file, PATIENCE.into())?;
    }
    // Who writes to a pipe may take his time; a terminal or a log of the kernel has no end to wait for.
    let patience = if about.file_type().is_fifo() { PollTimeout::NONE } else { PATIENCE.into() };
    fill(&file, &mut out, most, patience)?;
    Ok(out)
}

/// Much longer than what the disk keeps of it, even if the file system packs what it keeps.
fn is_hollow(about: &Metadata) -> bool {
    about.blocks().saturating_mul(512) < about.len() / 16
}

fn fill(mut file: &File, out: &mut Vec<u8>, most: u64, patience: PollTimeout) -> io::Result<()> {
    loop {
        let room = (most + 1).saturating_sub(out.len() as u64);
        match file.by_ref().take(room).read_to_end(out) {
            Ok(_) if out.len() as u64 > most => return Err(too_large()),
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => wait(file, patience)?,
            Err(error) => return Err(error),
        }
    }
}

/// Until there is something to read, or an end.
fn wait(file: &File, patience: PollTimeout) -> io::Result<()> {
    loop {
        match poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLIN)], patience) {
            Ok(0) => return Err(io::Error::new(ErrorKind::TimedOut, "nobody writes to it")),
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn too_large() -> io::Error {
    io::Error::from_raw_os_error(Errno::EFBIG as i32)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn what_has_an_end_is_read_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let name = |name: &str| folder.path().join(name);
        std::fs::write(name("list"), "a\nb\n").unwrap();
        assert_eq!(read(&name("list")).unwrap(), b"a\nb\n");
        assert_eq!(read(Path::new("/dev/null")).unwrap(), b"");
        assert!(!read(Path::new("/proc/self/status")).unwrap().is_empty());
        assert_eq!(read(folder.path()).unwrap_err().kind(), ErrorKind::IsADirectory);
        assert_eq!(read(Path::new("/dev/zero")).unwrap_err().kind(), ErrorKind::FileTooLarge);
        for (file, length) in [("holes", MOST_UNSEEN + 1), ("more", MOST + 1)] {
            File::create(name(file)).unwrap().set_len(length).unwrap();
            assert_eq!(read(&name(file)).unwrap_err().kind(), ErrorKind::FileTooLarge, "{file}");
        }
        // A list of many networks is no bomb.
        std::fs::write(name("long"), vec![b'\n'; MOST_UNSEEN as usize + 1]).unwrap();
        assert_eq!(read(&name("long")).unwrap().len() as u64, MOST_UNSEEN + 1);
        assert_eq!(read(&name("none")).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_pipe_is_read_when_somebody_writes_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(pipe.as_os_str().as_bytes(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::write(pipe, vec![b'x'; 200_000]).unwrap()
        });
        assert_eq!(read(&pipe).unwrap().len(), 200_000);
        writer.join().unwrap();
        assert_eq!(read(&pipe).unwrap_err().kind(), ErrorKind::TimedOut);
    }
}
