//! VRRP: packets, election, tracking (pure), and the engine that moves the address.
//!
//! | file | what it holds |
//! |---|---|
//! | [`packet`], [`reject`] | the wire format and what is wrong with a packet |
//! | [`fsm`], [`event`] | the election of one virtual router, and its log lines |

pub mod event;
pub mod fsm;
pub mod packet;
pub mod reject;
