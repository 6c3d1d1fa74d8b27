//! `track_file`: the numbers in files, read when the files change.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Weak;

use tokio::task::JoinHandle;

use crate::ir::vrrp::TrackFile;
use crate::sys::clock;
use crate::sys::inotify::{Directory, FileEvents};

use super::Core;
use super::journal::Journal;

/// The watch on all tracked files; dropping it ends it.
#[derive(Debug, Default)]
pub(super) struct Files {
    task: Option<JoinHandle<()>>,
}

impl Files {
    /// Watches these files from now on.
    pub(super) fn start(&mut self, core: &Weak<RefCell<Core>>, files: &[TrackFile], journal: &Journal) {
        self.stop();
        if files.is_empty() {
            return;
        }
        let events = match FileEvents::open() {
            Ok(events) => events,
            Err(e) => return journal.warn(format!("Unable to monitor track files: {e}")),
        };
        let mut places: Vec<(Option<Directory>, OsString, PathBuf)> = Vec::new();
        for file in files {
            let path = real_path(&file.path);
            let directory = path.parent().unwrap_or(Path::new("/"));
            let watched = events.add(directory);
            if let Err(e) = &watched {
                journal.warn(format!(
                    "Unable to monitor track file {} in {}: {e}",
                    file.name,
                    directory.display()
                ));
            }
            places.push((watched.ok(), path.file_name().unwrap_or_default().to_owned(), path));
        }
        let Ok(events) = events.watch() else { return };
        let core = Weak::clone(core);
        self.task = Some(tokio::task::spawn_local(async move {
            while let Ok(mut ready) = events.readable().await {
                let changes = match events.get_ref().receive() {
                    Ok(changes) => changes,
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                        ready.clear_ready();
                        continue;
                    }
                    Err(_) => return,
                };
                let Some(core) = core.upgrade() else { return };
                for (at, (directory, name, path)) in places.iter().enumerate() {
                    let touched = |change: &(Directory, OsString)| {
                        change.1.is_empty() || (Some(change.0) == *directory && change.1 == *name)
                    };
                    if changes.iter().any(touched) {
                        core.borrow_mut().file_changed(at, path, clock::now());
                    }
                }
            }
        }));
    }

    /// Ends it.
    pub(super) fn stop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Where a file really is, so that a change behind a symbolic link is heard of.
fn real_path(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| {
        let directory = path.parent().and_then(|d| std::fs::canonicalize(d).ok());
        directory.and_then(|d| Some(d.join(path.file_name()?))).unwrap_or_else(|| path.to_owned())
    })
}

/// `init_file`: makes the files that are to be made.
pub(super) fn initialise(files: &[TrackFile], at_start: bool, journal: &Journal) {
    for file in files {
        let Some((value, overwrite)) = file.init else { continue };
        if ((overwrite && at_start) || !file.path.exists())
            && let Err(e) = std::fs::write(&file.path, format!("{value}\n"))
        {
            journal.warn(format!("Unable to initialise track file {}: {e}", file.name));
        }
    }
}

/// The number in a file; 0 where there is no file or no number. `None`: one that cannot be meant, to be ignored.
pub(super) fn read(path: &Path, journal: &Journal) -> Option<i64> {
    use std::io::Read;
    let mut text = [0; 127];
    let size = std::fs::File::open(path).and_then(|mut file| file.read(&mut text)).unwrap_or(0);
    let value = number(&String::from_utf8_lossy(&text[..size]));
    if (i64::from(i32::MIN)..=i64::from(i32::MAX) + 1).contains(&value) {
        return Some(value);
    }
    journal.info(format!("Invalid number {value} read from {} - ignoring", path.display()));
    None
}

/// As `strtol` reads it: what stands in front counts, decimal, `0x` or octal.
fn number(text: &str) -> i64 {
    let text = text.trim_start();
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = if let Some(hex) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        (16, hex)
    } else if digits.starts_with('0') {
        (8, digits)
    } else {
        (10, digits)
    };
    let value = digits
        .chars()
        .map_while(|c| c.to_digit(radix))
        .fold(0i64, |value, digit| value.saturating_mul(i64::from(radix)).saturating_add(i64::from(digit)));
    if negative { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_as_c_reads_them() {
        for (text, value) in [
            ("10\n", 10),
            (" -20 ", -20),
            ("+3x", 3),
            ("0x1F", 31),
            ("010", 8),
            ("0", 0),
            ("", 0),
            ("off", 0),
            ("99999999999999999999", i64::MAX),
        ] {
            assert_eq!(number(text), value, "{text:?}");
        }
    }
}
