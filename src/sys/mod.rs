//! The kernel, and the only unsafe code: sockets, netlink, clocks, randomness, processes.
#![allow(unsafe_code, reason = "this room exists to hold it; every block says why it is sound")]

pub mod calendar;
pub mod clock;
pub mod connector;
pub mod datagrams;
pub mod detach;
pub mod doors;
pub mod executor;
pub mod fd;
pub mod file;
pub mod fork;
pub mod home;
pub mod inotify;
pub mod lease;
pub mod link;
mod mailbox;
pub mod mii;
pub mod netlink;
pub mod netns;
pub mod nft;
pub mod pipe;
pub mod poller;
pub mod process;
pub mod profile;
pub mod raw;
pub mod reactor;
pub mod rights;
pub mod routes;
pub mod sched;
pub mod shared;
pub mod sieve;
pub mod signal;
pub mod signed;
pub mod sockpair;
pub mod steer;
pub mod tcp;

/// The system's words for an error, without the number that [`std::io::Error`] adds.
#[must_use]
pub fn words(error: &std::io::Error) -> String {
    let mut text = error.to_string();
    text.truncate(text.find(" (os error").unwrap_or(text.len()));
    text
}
