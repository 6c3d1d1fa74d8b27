//! `tandem`: the program's own command line.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::{links, print};

/// One program in the place of HAProxy and keepalived.
#[derive(Debug, Parser)]
#[command(name = "tandem", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the links `haproxy` and `keepalived` in DIR, so that files, units and scripts find this program.
    Links {
        /// Where, for example /usr/local/sbin.
        dir: PathBuf,
        /// Replace what stands there.
        #[arg(long)]
        force: bool,
    },
    /// Run as haproxy, with haproxy's options.
    #[command(disable_help_flag = true)]
    Haproxy {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

/// Runs the command line.
pub(super) fn main(called: &OsStr, args: Vec<OsString>) -> ExitCode {
    let all = std::iter::once(called.to_owned()).chain(args);
    let cli = match Cli::try_parse_from(all) {
        Ok(cli) => cli,
        Err(help_or_error) => {
            let _ = help_or_error.print();
            return ExitCode::from(u8::from(help_or_error.use_stderr()) * 2);
        }
    };
    match cli.command {
        Command::Links { dir, force } => match links::make(&dir, force) {
            Ok(made) => {
                made.iter().for_each(|link| print(&format!("{}\n", link.display())));
                ExitCode::SUCCESS
            }
            Err((link, error)) => {
                eprintln!("tandem: {}: {error} (--force replaces what stands there)", link.display());
                ExitCode::FAILURE
            }
        },
        Command::Haproxy { args } => super::haproxy::main(called, args),
    }
}
