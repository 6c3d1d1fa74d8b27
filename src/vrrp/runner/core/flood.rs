//! What the kernel sorts out before it reaches us, and what changes when somebody floods the segment.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::sys::raw::RawKey;
use crate::sys::sieve::{self, SAMPLE, Sieve, Sound};
use crate::vrrp::packet::{self, Auth, Version};
use crate::vrrp::reject::Reject;

use super::Core;

/// Bad packets within [`SECOND`] that are a flood: more than any misconfiguration makes.
const FLOOD: u64 = 5000;
const SECOND: Duration = Duration::from_secs(1);
/// A strict sieve stays for as long at least.
const STRICT: Duration = Duration::from_secs(10);
/// Lines about floods of one socket.
const PAUSE: Duration = Duration::from_secs(60);

/// What is known of the packets of one socket.
#[derive(Debug)]
pub(super) struct Flow {
    key: RawKey,
    /// What the kernel was told.
    sieve: Option<Sieve>,
    /// Begin of the second in which bad packets are counted.
    since: Instant,
    bad: u64,
    /// The sieve is strict until then.
    strict: Option<Instant>,
    said: Option<Instant>,
}

/// Is this among what a strict sieve looks at? Then it stands for many.
fn sampled(reason: &Reject) -> bool {
    match reason {
        Reject::TooShort(_)
        | Reject::Ttl(_)
        | Reject::Version { .. }
        | Reject::Type(_)
        | Reject::AuthType(_)
        | Reject::AuthMismatch { .. }
        | Reject::Password => true,
        Reject::Length { got, expected } => got < expected,
        _ => false,
    }
}

impl Core {
    /// Tells the kernel what is wanted on each socket.
    pub(super) fn update_sieves(&mut self, now: Instant) {
        let open = self.pool.sockets();
        self.flows.retain(|flow| open.iter().any(|(key, _)| *key == flow.key));
        for (key, socket) in open {
            let at = match self.flows.iter().position(|flow| flow.key == key) {
                Some(at) => at,
                None => {
                    let flow = Flow { key, sieve: None, since: now, bad: 0, strict: None, said: None };
                    self.flows.push(flow);
                    self.flows.len() - 1
                }
            };
            let wanted = self.sieve(&self.flows[at]);
            if wanted == self.flows[at].sieve {
                continue;
            }
            let socket = Rc::clone(&socket);
            let done = match &wanted {
                Some(sieve) => sieve::attach(socket.get_ref(), sieve),
                None => sieve::detach(socket.get_ref()),
            };
            if let Err(e) = done {
                // Everything comes through: only the work is more.
                self.journal.detail(format!("no filter on the VRRP socket: {e}"));
            }
            self.flows[at].sieve = wanted;
        }
    }

    fn sieve(&self, flow: &Flow) -> Option<Sieve> {
        let config = self.engine.config();
        if config.global.log_unknown_vrids {
            return None;
        }
        let on_it = (0..self.sides.len()).filter(|at| self.sides[*at].key.as_ref() == Some(&flow.key));
        let routers = on_it.map(|at| {
            let (profile, instance) = (self.engine.profile(at), &config.instances[at]);
            let old = profile.version == Version::V2 && !flow.key.v6;
            let least = packet::VRRP_HEADER + if old { packet::AUTH_DATA } else { 0 };
            let len = if instance.skip_check_adv_addr { least } else { profile.payload_len() };
            let password = match profile.auth {
                Auth::Pass(password) if old && !instance.skip_check_adv_addr => {
                    Some(((len - packet::AUTH_DATA) as u32, password))
                }
                _ => None,
            };
            Sound {
                vrid: instance.vrid,
                first: profile.version.number() << 4 | packet::TYPE_ADVERT,
                ttl: (!profile.unicast()).then_some(packet::TTL),
                len: len as u32,
                auth: old.then(|| profile.auth.number()),
                password,
            }
        });
        let behind_ah = flow.key.protocol == packet::PROTO_AH;
        Some(Sieve {
            v6: flow.key.v6,
            at: if behind_ah { packet::AH_HEADER as u32 } else { 0 },
            routers: routers.collect(),
            strict: flow.strict.is_some(),
        })
    }

    /// A bad packet of the instance at `at`, or of nobody; how many it stands for.
    pub(super) fn bad_packet(&mut self, key: &RawKey, reason: &Reject, now: Instant) -> u64 {
        let Some(flow) = self.flows.iter_mut().find(|flow| flow.key == *key) else { return 1 };
        let times = if flow.strict.is_some() && sampled(reason) { u64::from(SAMPLE) } else { 1 };
        if now.saturating_duration_since(flow.since) > SECOND {
            (flow.since, flow.bad) = (now, 0);
        }
        flow.bad += times;
        if flow.bad < FLOOD || flow.sieve.is_none() {
            return times;
        }
        flow.bad = 0;
        if flow.strict.replace(now + STRICT).is_none() {
            if flow.said.is_none_or(|at| now.saturating_duration_since(at) >= PAUSE) {
                flow.said = Some(now);
                let name = key.interface.as_ref().map_or("all interfaces", |i| i.0.as_str());
                let (bad, seconds) = (FLOOD, STRICT.as_secs());
                self.journal.warn(format!(
                    "more than {bad} bad VRRP packets a second on {name}: for {seconds} s or longer the kernel drops \
                     what cannot be sound and lets one in {SAMPLE} through, which counts for all"
                ));
            }
            self.update_sieves(now);
            self.wake.notify_one();
        }
        times
    }

    /// Floods that are over.
    pub(super) fn end_floods(&mut self, now: Instant) {
        let mut ended = false;
        for flow in &mut self.flows {
            if flow.strict.is_some_and(|until| until <= now) {
                (flow.strict, flow.since, flow.bad, ended) = (None, now, 0, true);
            }
        }
        if ended {
            self.update_sieves(now);
        }
    }

    /// When the next one may be.
    pub(super) fn next_flood_end(&self) -> Option<Instant> {
        self.flows.iter().filter_map(|flow| flow.strict).min()
    }
}
