//! The three command lines: `haproxy`, `keepalived` and `tandem`, chosen by the name the program is called by.

mod check;
mod haproxy;
mod keepalived;
mod keywords;
mod links;
mod master;
mod options;
mod simulate;
mod tandem;
mod top;
mod version;
mod vrrp;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// Picks the personality by the name the program was called by and runs it.
pub fn main() -> ExitCode {
    // What goes wrong inside this program, as opposed to what it reports in its role, goes to standard error.
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr).init();
    let mut args = std::env::args_os();
    let called = args.next().unwrap_or_default();
    let args: Vec<OsString> = args.collect();
    match Path::new(&called).file_name().and_then(|name| name.to_str()) {
        Some("haproxy") => haproxy::main(&called, args),
        Some("keepalived") => keepalived::main(&called, args),
        _ => tandem::main(&called, args),
    }
}

/// Writes to standard output; a reader that went away is no error of ours.
fn print(text: &str) {
    use std::io::Write as _;
    let _ = std::io::stdout().write_all(text.as_bytes());
}
