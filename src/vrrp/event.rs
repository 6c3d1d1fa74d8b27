//! What the machine has to say, as values; `Display` is the log line in keepalived's words, without the
//! leading `(NAME) `.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::fsm::State;
use super::reject::Reject;

/// One thing worth a log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A state was entered; `init` at start.
    Entering {
        /// Which.
        state: State,
        /// First state after the start.
        init: bool,
    },
    /// The master-down timer ran out.
    Timeout,
    /// Tracking changed the priority.
    Priority {
        /// Before.
        from: u8,
        /// Now.
        to: u8,
    },
    /// A backup heard a master with a lower priority and does not wait for it any longer.
    LowerDiscarded {
        /// Its priority.
        priority: u8,
        /// Its address.
        from: IpAddr,
    },
    /// A backup saw its master fall below itself and takes over after the skew time.
    MasterFell {
        /// Its address.
        master: IpAddr,
        /// Its priority before.
        from: u8,
        /// Its priority now.
        to: u8,
        /// Time until this router takes over.
        wait: Duration,
    },
    /// A master heard a lower priority.
    LowerWhileMaster {
        /// Its address.
        from: IpAddr,
        /// Its priority.
        priority: u8,
        /// Ours.
        ours: u8,
        /// Is it answered with an advert?
        answered: bool,
    },
    /// A master heard a higher priority.
    HigherWhileMaster {
        /// Its address.
        from: IpAddr,
        /// Its priority.
        priority: u8,
        /// Ours.
        ours: u8,
    },
    /// A master heard its own priority from a higher address.
    EqualWhileMaster {
        /// Its address.
        from: IpAddr,
        /// The priority.
        priority: u8,
    },
    /// Two routers say they own the address.
    OwnerConflict,
    /// A backup heard the master stop.
    ZeroWhileBackup,
    /// A master heard another master stop.
    ZeroWhileMaster,
    /// Own stop was announced.
    SentZero,
    /// Version 3: the master's interval became ours.
    IntervalLearned {
        /// Before.
        from: Duration,
        /// Now.
        to: Duration,
    },
    /// Version 3: as master our own interval counts again.
    IntervalOwn {
        /// Before.
        from: Duration,
        /// Now.
        to: Duration,
    },
    /// `preempt_delay` started.
    PreemptDelayStart(Duration),
    /// `preempt_delay` is off again: a master as good as us is there.
    PreemptDelayStop,
    /// The authentication header's counter continues after the other's.
    SequenceSync,
    /// A peer uses the old unicast checksum.
    OldChecksum,
    /// A packet was not acted on. `repeats` such packets went unlogged since the last line.
    Rejected {
        /// Why.
        reason: Reject,
        /// Sender, if known.
        from: Option<IpAddr>,
        /// Suppressed lines of the same kind before this one.
        repeats: u64,
    },
    /// A master that came back from silence was sent one more advert, so that it announces its addresses anew.
    SpokeToReturned(IpAddr),
    /// Somebody else removed an address of ours.
    AddressLost(IpAddr),
    /// The process did not run for this long when an advert was due, and others may have taken over.
    Overslept(Duration),
}

impl Event {
    /// Logged only with `-D` (`--log-detail`).
    #[must_use]
    pub fn detail(&self) -> bool {
        matches!(
            self,
            Self::Timeout
                | Self::ZeroWhileBackup
                | Self::ZeroWhileMaster
                | Self::SentZero
                | Self::IntervalLearned { .. }
                | Self::IntervalOwn { .. }
                | Self::PreemptDelayStart(_)
                | Self::PreemptDelayStop
        )
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entering { state, init } => {
                write!(f, "Entering {state} STATE{}", if *init { " (init)" } else { "" })
            }
            Self::Timeout => f.write_str("Receive advertisement timeout"),
            Self::Priority { from, to } => write!(f, "Changing effective priority from {from} to {to}"),
            Self::LowerDiscarded { priority, from } => {
                write!(f, "received lower priority ({priority}) advert from {from} - discarding")
            }
            Self::MasterFell { master, from, to, wait } => write!(
                f,
                "master {master} fell from priority {from} to {to}, below ours - taking over in {}ms",
                wait.as_millis()
            ),
            Self::LowerWhileMaster { from, priority, ours, answered } => write!(
                f,
                "Received advert from {from} with lower priority {priority}, ours {ours}{}",
                if *answered { ", forcing new election" } else { "" }
            ),
            Self::HigherWhileMaster { from, priority, ours } => {
                write!(f, "Master received advert from {from} with higher priority {priority}, ours {ours}")
            }
            Self::EqualWhileMaster { from, priority } => write!(
                f,
                "Master received advert from {from} with same priority {priority} but higher IP address than ours"
            ),
            Self::OwnerConflict => f.write_str(
                "CONFIGURATION ERROR: local instance and a remote instance are both configured as address \
                 owner, please fix - reducing local priority",
            ),
            Self::ZeroWhileBackup => f.write_str("Backup received priority 0 advertisement"),
            Self::ZeroWhileMaster => f.write_str("Master received priority 0 message"),
            Self::SentZero => f.write_str("sent 0 priority"),
            Self::IntervalLearned { from, to } => write!(
                f,
                "advertisement interval updated from {}ms to {}ms by master",
                from.as_millis(),
                to.as_millis()
            ),
            Self::IntervalOwn { from, to } => write!(
                f,
                "changing advert interval from {}ms to locally configured {}ms",
                from.as_millis(),
                to.as_millis()
            ),
            Self::PreemptDelayStart(d) => {
                write!(f, "start preempt delay ({}.{:06})", d.as_secs(), d.subsec_micros())
            }
            Self::PreemptDelayStop => f.write_str("stop preempt delay"),
            Self::SequenceSync => f.write_str("IPSEC-AH : Syncing seq_num - Increment seq"),
            Self::OldChecksum => f.write_str("Setting unicast VRRPv3 checksum to old version"),
            Self::Rejected { reason, from, repeats } => {
                write!(f, "{reason}")?;
                if let Some(from) = from {
                    write!(f, " (from {from}")?;
                    if *repeats > 0 {
                        write!(f, ", {repeats} more like it not logged")?;
                    }
                    f.write_str(")")?;
                }
                Ok(())
            }
            Self::Overslept(late) => write!(
                f,
                "was {}.{:03}s late with an advert, another router may be master - giving the addresses up until that is clear",
                late.as_secs(),
                late.subsec_millis()
            ),
            Self::SpokeToReturned(master) => {
                write!(
                    f,
                    "{master} is back from silence - one more advert, so that it announces its addresses anew"
                )
            }
            Self::AddressLost(a) => write!(f, "{a} was removed by somebody else - restoring it"),
        }
    }
}
