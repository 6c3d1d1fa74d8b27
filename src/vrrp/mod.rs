//! VRRP: packets, election, tracking (pure), and the engine that moves the address.
//!
//! | file | what it holds |
//! |---|---|
//! | [`packet`], [`reject`] | the wire format and what is wrong with a packet |
//! | [`fsm`], [`event`] | the election of one virtual router, and its log lines |
//! | [`track`] | scripts and interfaces, and what they do to a priority |
//! | [`engine`] | all routers of a configuration, with tracking and sync groups |

pub mod announce;
pub mod engine;
pub mod event;
pub mod fsm;
pub mod packet;
pub mod reject;
pub mod runner;
pub mod track;
