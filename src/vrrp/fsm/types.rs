//! The vocabulary of the election: states, settings, inputs and effects.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::super::event::Event;
use super::super::packet::{Advert, Version};
use super::super::reject::Reject;

/// State as the world sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// Not started.
    #[default]
    Init,
    /// Watching a master.
    Backup,
    /// Owning the addresses.
    Master,
    /// Kept out by a failed interface, script or configuration.
    Fault,
    /// Stopped for good.
    Stop,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Init => "INIT",
            Self::Backup => "BACKUP",
            Self::Master => "MASTER",
            Self::Fault => "FAULT",
            Self::Stop => "STOP",
        })
    }
}

/// Numbers of the gratuitous ARP and neighbour advertisement bursts (`garp_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garp {
    /// `garp_master_delay`: a second burst this long after becoming master; zero: none.
    pub delay: Duration,
    /// `garp_master_repeat`: announcements per address and burst.
    pub repeat: u32,
    /// `garp_master_refresh`: repeat while master; zero: never.
    pub refresh: Duration,
    /// `garp_master_refresh_repeat`.
    pub refresh_repeat: u32,
    /// `garp_lower_prio_delay`: a second burst after a lower priority advert.
    pub lower_prio_delay: Duration,
    /// `garp_lower_prio_repeat`.
    pub lower_prio_repeat: u32,
}

impl Default for Garp {
    fn default() -> Self {
        Self {
            delay: Duration::from_secs(5),
            repeat: 5,
            refresh: Duration::ZERO,
            refresh_repeat: 1,
            lower_prio_delay: Duration::from_secs(5),
            lower_prio_repeat: 5,
        }
    }
}

/// Configuration of one virtual router as the election sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Protocol version.
    pub version: Version,
    /// Configured priority, 1..255; 255 owns the address.
    pub priority: u8,
    /// Advertisement interval.
    pub interval: Duration,
    /// Own address on the segment, which breaks ties.
    pub address: IpAddr,
    /// Take over from a lower priority master.
    pub preempt: bool,
    /// `preempt_delay`.
    pub preempt_delay: Duration,
    /// Missed adverts before a takeover, normally 3.
    pub down_timer_adverts: u32,
    /// Do not answer a lower priority advert at once.
    pub lower_prio_no_advert: bool,
    /// Send one more advert before giving way to a higher priority.
    pub higher_prio_send_advert: bool,
    /// Let a master that comes back from silence hear of us before giving way to it. Not in strict mode.
    pub speaks_to_returned: bool,
    /// The owner does not look at adverts at all.
    pub owner_ignore_adverts: bool,
    /// Announcement bursts.
    pub garp: Garp,
    /// `state MASTER` in a sync group: the first election waits for one interval only.
    pub starts_early: bool,
    /// Highest priority any other router may have: how soon it can have taken over from a late master.
    pub others_highest: u8,
    /// First election no sooner than this after the start (`vrrp_startup_delay`).
    pub startup_delay: Duration,
}

impl Settings {
    /// keepalived's defaults.
    #[must_use]
    pub fn new(address: IpAddr, priority: u8) -> Self {
        Self {
            version: Version::V2,
            priority,
            interval: Duration::from_secs(1),
            address,
            preempt: true,
            preempt_delay: Duration::ZERO,
            down_timer_adverts: 3,
            lower_prio_no_advert: false,
            higher_prio_send_advert: false,
            speaks_to_returned: true,
            owner_ignore_adverts: false,
            garp: Garp::default(),
            starts_early: false,
            others_highest: 254,
            startup_delay: Duration::ZERO,
        }
    }
}

/// The timers of a router; at most one of each kind runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// The master has been silent for too long.
    MasterDown,
    /// Time for the next advertisement.
    Advert,
    /// Second announcement burst of a new master.
    GarpDelay,
    /// Periodic announcement.
    GarpRefresh,
    /// Second burst after a lower priority advert.
    GarpLowerPrio,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Sockets are open. `fault`: something tracked is down already.
    Start {
        /// Begin in FAULT.
        fault: bool,
    },
    /// Sockets are open, but a tracked script that decides has not run yet: FAULT without a word.
    StartWaiting,
    /// A packet that passed every stateless check.
    Advert(Advert),
    /// A packet that did not.
    Rejected {
        /// Why.
        reason: Reject,
        /// From whom, if known.
        from: Option<IpAddr>,
    },
    /// A timer ran out.
    Timer(Timer),
    /// The timer for the next advertisement ran out, but the process only noticed this much later.
    Overslept(Duration),
    /// The master-down timer ran out, but the sync group is not ready: wait another round.
    Hold,
    /// The sync group moves: become master now.
    Promote,
    /// The sync group moves: become backup now.
    Demote,
    /// Tracking computed a new priority (before clamping to 1..254).
    Priority(i32),
    /// Something tracked failed.
    Fault,
    /// Everything tracked is good again.
    Clear,
    /// An address of ours vanished from the interface.
    AddressLost(IpAddr),
    /// The process ends.
    Stop,
    /// The instance was removed from the configuration.
    Delete,
}

/// A state change or event that notify scripts, FIFOs and mails hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A state was entered.
    State(State),
    /// The configuration no longer has it.
    Deleted,
    /// A master heard a lower priority advert.
    MasterRxLowerPri,
    /// The priority changed.
    PriorityChange,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Run the timer anew.
    Arm(Timer, Duration),
    /// Forget the timer.
    Disarm(Timer),
    /// Send an advertisement.
    SendAdvert {
        /// With this priority.
        priority: u8,
    },
    /// Install the addresses, routes and rules.
    AddAddresses,
    /// Take them away.
    RemoveAddresses,
    /// Put one address back.
    RestoreAddress(IpAddr),
    /// Gratuitous ARP or unsolicited neighbour advertisements for every address, this many times.
    Announce {
        /// Packets per address.
        repeat: u32,
    },
    /// Tell scripts, FIFOs and people.
    Notify(Notice),
    /// Log.
    Log(Event),
}

/// The master a backup listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its address.
    pub address: IpAddr,
    /// The priority it last sent.
    pub priority: u8,
}
