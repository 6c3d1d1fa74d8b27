//! Weights, the slow start, and the limits that follow from them.

use std::time::Instant;

use super::{ServerState, WARM_UP_STEP};
use crate::server::{Admin, Effect, Op};

/// Steps of effective weight per unit of user weight.
const WEIGHT_SCALE: u64 = 16;

impl ServerState {
    /// Configured weight (`iweight`).
    #[must_use]
    pub fn initial_weight(&self) -> u16 {
        self.initial_weight
    }

    /// Weight as last set (`uweight`).
    #[must_use]
    pub fn user_weight(&self) -> u16 {
        self.user_weight
    }

    /// Effective weight for the balancer: sixteenths of the user's weight, less during a slow start.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Effective weight in units of the user's weight, as `show stat` has it.
    #[must_use]
    pub fn shown_weight(&self) -> u32 {
        self.weight.div_ceil(WEIGHT_SCALE as u32)
    }

    /// How full the slow start is, in percent (`throttle`); `None` outside of one.
    #[must_use]
    pub fn throttle(&self, now: Instant) -> Option<u32> {
        let slowstart = self.settings.slowstart.filter(|_| self.op == Op::Starting)?;
        let percent = 100 * now.saturating_duration_since(self.last_change).as_secs() / slowstart.as_secs();
        Some(percent.clamp(1, 100) as u32)
    }

    /// Sets the user's weight, 0..=256.
    pub fn set_weight(&mut self, weight: u16, now: Instant) -> Vec<Effect> {
        self.user_weight = weight;
        let mut effects = self.reweigh(now);
        self.recall_drain(&mut effects);
        effects
    }

    /// Reads a weight as commands and agents give it: `0`..`256`, or a percentage of the configured weight.
    ///
    /// # Errors
    /// What HAProxy answers to a weight it does not take.
    pub fn parse_weight(&self, text: &str) -> Result<u16, &'static str> {
        if text.is_empty() {
            return Err("Require <weight> or <weight%>.\n");
        }
        let digits = text.trim_start_matches(['+', '-']).bytes().take_while(u8::is_ascii_digit).count();
        let sign = usize::from(text.starts_with(['+', '-']));
        if digits == 0 {
            return Err("Empty weight string empty or preceded by garbage");
        }
        let (number, rest) = text.split_at(sign + digits);
        let number: i64 = number.parse().unwrap_or(i64::MAX);
        let weight = match rest {
            "%" if number < 0 => return Err("Relative weight must be positive.\n"),
            "%" => (i64::from(self.initial_weight) * number.min(25_600) / 100).min(256),
            _ if !(0..=256).contains(&number) => {
                return Err("Absolute weight can only be between 0 and 256 inclusive.\n");
            }
            "" => number,
            _ => return Err("Trailing garbage in weight string"),
        };
        if weight != 0 && weight != i64::from(self.initial_weight) && !self.settings.dynamic {
            return Err("Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.\n");
        }
        Ok(weight as u16)
    }

    /// One step of a slow start.
    pub fn warm_up(&mut self, now: Instant) -> Vec<Effect> {
        if self.op != Op::Starting || self.admin.any(Admin::MAINT) {
            return Vec::new();
        }
        let mut effects = self.reweigh(now);
        effects.push(Effect::GrabQueue);
        if self.op == Op::Starting {
            effects.push(Effect::WarmUpIn(WARM_UP_STEP));
        }
        effects
    }

    fn reweigh(&mut self, now: Instant) -> Vec<Effect> {
        let before = (self.weight, self.op);
        self.recompute_weight(now);
        // It is shown at once, and counts from the return on.
        if self.admin.any(Admin::MAINT) || (self.weight, self.op) == before {
            Vec::new()
        } else {
            vec![Effect::Rebalance]
        }
    }

    pub(super) fn recompute_weight(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.last_change).as_secs();
        let slowstart = self.settings.slowstart.map_or(0, |d| d.as_secs());
        if self.op == Op::Starting && elapsed >= slowstart {
            self.op = Op::Running;
        }
        let scale = if self.op == Op::Starting && self.settings.dynamic {
            // At least one step at once, so that it gets a first request.
            (WEIGHT_SCALE * elapsed + slowstart) / slowstart
        } else {
            WEIGHT_SCALE
        };
        self.weight = (u64::from(self.user_weight) * scale) as u32;
    }
}

/// Reads a `maxconn` as commands and agents give it.
///
/// # Errors
/// What HAProxy answers to what is none.
pub fn parse_maxconn(text: &str) -> Result<u32, &'static str> {
    if text.is_empty() {
        return Err("Require <maxconn>.\n");
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = digits.bytes().take_while(u8::is_ascii_digit).count();
    if end == 0 {
        return Err("maxconn string empty or preceded by garbage\n");
    }
    if end < digits.len() {
        return Err("Trailing garbage in maxconn string\n");
    }
    Ok(text.parse::<i64>().unwrap_or(i64::MAX).clamp(0, i64::from(u32::MAX)) as u32)
}

/// How many requests a server may work on at once: `maxconn`, scaled down to `minconn` while the backend's load
/// `backend_conns` is below `fullconn`, and by the slow start's `throttle` (percent). 0: any number.
#[must_use]
pub fn dynamic_limit(
    maxconn: u32,
    minconn: u32,
    fullconn: u32,
    backend_conns: u32,
    throttle: Option<u32>,
) -> u32 {
    let limit = if minconn == 0 || minconn == maxconn || backend_conns >= fullconn {
        maxconn
    } else {
        let scaled = u64::from(backend_conns) * u64::from(maxconn) / u64::from(fullconn.max(1));
        minconn.max(scaled as u32)
    };
    match throttle {
        Some(percent) if limit > 0 => (u64::from(limit) * u64::from(percent) / 100).max(1) as u32,
        _ => limit,
    }
}
