//! `haproxy`: its command line, its messages, its exit codes.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use super::options::{self, Refusal};
use super::{print, version};
use crate::log::console::{self, Kind};

/// Runs the command line.
pub(super) fn main(called: &OsStr, args: Vec<OsString>) -> ExitCode {
    let options = match options::parse(args) {
        Ok(options) => options,
        Err(refusal) => {
            if let Refusal::Missing(option) = refusal {
                console::say(Kind::Alert, &format!("{option} needs a value."));
            }
            eprint!("{}{}", version::short(), options::USAGE);
            return ExitCode::FAILURE;
        }
    };
    match options.version {
        0 => {}
        1 => {
            print(&version::short());
            return ExitCode::SUCCESS;
        }
        _ => {
            print(&version::long());
            return ExitCode::SUCCESS;
        }
    }
    let _ = called;
    ExitCode::FAILURE
}
