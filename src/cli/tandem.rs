//! `tandem`: the program's own command line.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

use std::time::Duration;

use clap::{Parser, Subcommand};

use super::check::Format;
use super::keywords::Form;
use super::{links, print, simulate, top, vrrp};
use crate::app::demo;

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
    /// Show on this machine what happens when parts of a pair of load balancers die.
    Demo {
        /// Leave it running at the end, to click around.
        #[arg(long)]
        keep: bool,
        /// How long each scene goes on after what it is about.
        #[arg(long, default_value = "2s", value_parser = humantime::parse_duration)]
        pause: Duration,
    },
    /// Judge configuration files of either language: exit code 0 for valid, 1 for invalid.
    Check {
        /// Judge the text alone: certificates, users, interfaces and names that this machine lacks are only notes.
        #[arg(long)]
        offline: bool,
        /// How to say it.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// Print the files in today's spelling, comments and layout kept, instead of judging them.
        #[arg(long, conflicts_with = "format")]
        fix: bool,
        /// haproxy.cfg and keepalived.conf files, or directories of them. Files given together are compared too: the
        /// nodes of a pair, and the listeners with the virtual addresses.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// List the words of both languages and of the stats socket: where each may stand and what it does here.
    Keywords {
        /// Only those that contain this, that stand on such a line, or that are of such a class (`fetch`, `action`...).
        word: Option<String>,
        /// How to print them.
        #[arg(long, value_enum, default_value_t)]
        format: Form,
    },
    /// Watch and steer the servers of one node, or of both, on a terminal.
    Top {
        /// Stats sockets, as paths or ADDRESS:PORT; HAProxy's will do too. Without one the usual places are tried.
        sockets: Vec<String>,
    },
    /// Play the nodes of keepalived.conf files in virtual time: who has which address, when and why, and what happens when a
    /// part of the node that has it dies.
    Simulate(simulate::Options),
    /// How the virtual routers of this machine are.
    Vrrp {
        #[command(subcommand)]
        command: vrrp::Command,
    },
    /// Run as keepalived, with keepalived's options.
    #[command(disable_help_flag = true)]
    Keepalived {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
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
    // The hosts of the demo are this program under a name no person types.
    if let Some((first, rest)) = args.split_first()
        && first == demo::node::SUBCOMMAND
    {
        return match demo::node::main(rest) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("tandem: {error}");
                ExitCode::FAILURE
            }
        };
    }
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
        Command::Demo { keep, pause } => match demo::run(demo::Options { keep, pause }) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("tandem: the demo cannot go on: {error}");
                ExitCode::FAILURE
            }
        },
        Command::Check { offline, format, fix, files } => {
            super::check::main(&files, super::check::Options { offline, format, fix })
        }
        Command::Keywords { word, format } => super::keywords::main(word.as_deref(), format),
        Command::Top { sockets } => top::main(sockets),
        Command::Vrrp { command } => vrrp::main(&command),
        Command::Simulate(options) => simulate::main(&options),
        Command::Keepalived { args } => super::keepalived::main(called, args),
        Command::Haproxy { args } => super::haproxy::main(called, args),
    }
}
