//! `tandem links DIR`: the names `haproxy` and `keepalived` for this program.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The names people's scripts, units and `killall -0` look for.
pub(super) const NAMES: [&str; 2] = ["haproxy", "keepalived"];

/// Makes both links in `dir`; what is there and is no link of ours stays unless `force`.
///
/// # Errors
/// The first name that could not be made, with the reason.
pub(super) fn make(dir: &Path, force: bool) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
    let program = std::env::current_exe().map_err(|e| (PathBuf::from("this program"), e))?;
    let mut made = Vec::new();
    for name in NAMES {
        let link = dir.join(name);
        let ours = std::fs::read_link(&link).is_ok_and(|target| target == program);
        if !ours {
            if force && link.symlink_metadata().is_ok() {
                std::fs::remove_file(&link).map_err(|e| (link.clone(), e))?;
            }
            symlink(&program, &link).map_err(|e| (link.clone(), e))?;
        }
        made.push(link);
    }
    Ok(made)
}
