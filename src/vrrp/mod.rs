//! VRRP: packets, election, tracking (pure), and the engine that moves the address.
//!
//! | file | what it holds |
//! |---|---|
//! | [`packet`], [`reject`] | the wire format and what is wrong with a packet |
//! | [`fsm`], [`event`] | the election of one virtual router, and its log lines |
//! | [`track`], [`quorum`] | scripts, interfaces, files and processes, and what they do to a priority |
//! | [`proxy`] | what the proxy on the machine tells of itself |
//! | [`engine`] | all routers of a configuration, with tracking and sync groups |
//! | [`announce`] | gratuitous ARP and unsolicited neighbour advertisements |
//! | [`rfc9568`], [`behaviour`] | what the RFC demands and what keepalived does, and the tests that hold it |
//! | [`lifetime`] | how long the kernel keeps what nobody renews |
//! | [`simulate`] | whole nodes on a network in virtual time |
//! | [`runner`] | the shell: sockets, addresses, timers, scripts, mail, dumps |
//!
//! Everything but the runner is pure: it takes the time as an argument and returns effects. Where it acts
//! otherwise than keepalived on purpose: a backup whose master falls below it waits the skew time only, a
//! changed priority is advertised at once, an address removed by somebody else is put back without an
//! election, and a check for a living process runs when the process ends.

pub mod announce;
pub mod behaviour;
pub mod engine;
pub mod event;
pub mod fsm;
pub mod lifetime;
pub mod packet;
pub mod proxy;
pub mod quorum;
pub mod reject;
pub mod rfc9568;
pub mod runner;
pub mod simulate;
pub mod status;
pub mod track;
