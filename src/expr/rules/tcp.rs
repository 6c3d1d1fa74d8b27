//! `tcp-request` and `tcp-response` rules.

use crate::ir::expr::Dir;
use crate::ir::rules::{TcpAction, TcpRule};

use super::super::cond::{Decision, decide};
use super::{Effect, Session, Verdict, action};

/// Evaluates `tcp-request connection` and `tcp-request session` rules: nothing of the client was read yet, so
/// there is nothing to wait for.
pub fn connection(rules: &[TcpRule], session: &mut dyn Session) -> Verdict {
    run(rules, 0, Dir::Req, session)
}

/// Evaluates `tcp-request content` (`Dir::Req`) and `tcp-response content` rules from rule `from` on. While
/// `Ctx::is_final` is false, a condition that more data could decide yields [`Verdict::Wait`].
pub fn content(rules: &[TcpRule], from: usize, dir: Dir, session: &mut dyn Session) -> Verdict {
    run(rules, from, dir, session)
}

fn run(rules: &[TcpRule], from: usize, dir: Dir, session: &mut dyn Session) -> Verdict {
    let mut scratch = Vec::new();
    for (i, rule) in rules.iter().enumerate().skip(from) {
        if let Some(cond) = &rule.cond {
            let decision = decide(cond, &session.ctx());
            match decision {
                Decision::True => {}
                Decision::False => continue,
                Decision::NotYet => return Verdict::Wait { rule: i },
            }
        }
        if matches!(
            rule.action,
            TcpAction::Accept
                | TcpAction::Reject
                | TcpAction::Close
                | TcpAction::SilentDrop(_)
                | TcpAction::SwitchModeHttp
        ) {
            session.effect(Effect::LastRule(&rule.place));
        }
        match &rule.action {
            TcpAction::Accept => return Verdict::Continue,
            TcpAction::Reject => return Verdict::Reject,
            TcpAction::Close => return Verdict::Close,
            TcpAction::SilentDrop(hops) => return Verdict::SilentDrop(*hops),
            TcpAction::ExpectProxy => session.effect(Effect::ExpectProxy),
            TcpAction::ExpectNetScaler => session.effect(Effect::ExpectNetScaler),
            TcpAction::Resolve(resolve) => {
                if let Some(host) = action::host(resolve, session) {
                    session.effect(Effect::Waiting(&rule.place));
                    return Verdict::Resolve { rule: i, host };
                }
            }
            TcpAction::SwitchModeHttp => {
                session.effect(Effect::SwitchModeHttp);
                return Verdict::Continue;
            }
            TcpAction::Capture { expr, slot, len } => action::capture(expr, dir, *slot, *len, session),
            TcpAction::Common(common) => action::common(common, session, &mut scratch),
        }
    }
    Verdict::Continue
}
