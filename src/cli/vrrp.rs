//! `tandem vrrp`: how the virtual routers of this machine are.

use std::process::ExitCode;

use clap::Subcommand;

use super::print;
use crate::stats::watch::ask_vrrp;

/// What can be asked.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// State, priority and what it is made of, adverts and who else speaks, for every instance on this machine.
    Status {
        /// For machines.
        #[arg(long)]
        json: bool,
    },
}

/// Answers; exit code 1 when nobody speaks VRRP here, 3 when an instance is in FAULT.
pub(super) fn main(command: &Command) -> ExitCode {
    let Command::Status { json } = command;
    let found = ask_vrrp();
    if *json {
        print(&(serde_json::to_string(&found).unwrap_or_else(|_| "[]".to_owned()) + "\n"));
    } else {
        found.iter().for_each(|one| print(&one.to_string()));
    }
    if found.is_empty() {
        if !json {
            eprintln!("tandem: no VRRP engine answers on this machine");
        }
        return ExitCode::FAILURE;
    }
    ExitCode::from(if found.iter().any(|one| one.state == "FAULT") { 3 } else { 0 })
}
