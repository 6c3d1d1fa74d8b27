//! The words for a server's state in `show stat` and on the page.

use super::{Admin, Op, ServerState};

/// Where a check stands between up and down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// 0..=rise + fall - 1; up from `rise`.
    pub health: u32,
    /// Good checks to come up.
    pub rise: u32,
    /// Bad checks to go down.
    pub fall: u32,
}

impl Standing {
    fn is_full(&self) -> bool {
        self.health + 1 >= self.rise + self.fall
    }

    /// `2/3`: towards up while down, towards down while up.
    pub(super) fn fraction(&self, up: bool) -> String {
        if up {
            format!("{}/{}", (self.health + 1).saturating_sub(self.rise), self.fall)
        } else {
            format!("{}/{}", self.health, self.rise)
        }
    }
}

/// The status word. `check` and `agent` are those of the server, or of the one at the end of its `track` chain;
/// `reference_op` is that other server's state.
#[must_use]
pub fn status_word(
    state: &ServerState,
    check: Option<Standing>,
    agent: Option<Standing>,
    reference_op: Option<Op>,
) -> String {
    let admin = state.admin();
    if admin.any(Admin::RESOLUTION_MAINT) {
        return "MAINT (resolution)".into();
    }
    if admin.any(Admin::INHERITED_MAINT) {
        let (backend, server) = state.track().unwrap_or_default();
        return format!("MAINT (via {backend}/{server})");
    }
    if admin.any(Admin::MAINT) {
        return "MAINT".into();
    }
    let up = reference_op.unwrap_or_else(|| state.op()) != Op::Stopped;
    let moving = |word: &str| {
        check.filter(|c| !c.is_full()).map_or_else(|| word.into(), |c| format!("{word} {}", c.fraction(up)))
    };
    match state.op() {
        Op::Starting | Op::Running if admin.any(Admin::DRAIN) => {
            if agent.is_some() {
                "DRAIN (agent)".into()
            } else {
                moving("DRAIN")
            }
        }
        Op::Starting | Op::Running if check.is_none() => "no check".into(),
        Op::Starting | Op::Running => moving("UP"),
        Op::Stopping => moving("NOLB"),
        Op::Stopped if agent.is_some_and(|a| a.health == 0) => "DOWN (agent)".into(),
        Op::Stopped => check
            .filter(|c| c.health > 0)
            .map_or_else(|| "DOWN".into(), |c| format!("DOWN {}", c.fraction(up))),
    }
}
