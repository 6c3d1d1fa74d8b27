//! `http-request`, `http-response` and `http-after-response` rules.

use crate::http::token::unquoted;
use crate::ir::expr::{Dir, LogFormat};
use crate::ir::regex::Regex;
use crate::ir::rules::{HttpAction, HttpRule, NameMatch};

use super::super::cond::{Decision, decide};
use super::super::conv::expand;
use super::super::ctx::EditHead;
use super::super::logformat;
use super::{Effect, Session, Verdict, action, headers, normalize, reply, target};

/// A line that is made anew: most are short.
type Text = smallvec::SmallVec<[u8; 64]>;

/// Evaluates request rules, starting at rule `from` (0, or where a verdict said to resume).
pub fn request(rules: &[HttpRule], from: usize, session: &mut dyn Session) -> Verdict {
    run(rules, from, Dir::Req, session)
}

/// Evaluates response rules.
pub fn response(rules: &[HttpRule], from: usize, session: &mut dyn Session) -> Verdict {
    run(rules, from, Dir::Res, session)
}

/// Evaluates the rules for every response, those made by the proxy itself included.
pub fn after_response(rules: &[HttpRule], session: &mut dyn Session) -> Verdict {
    run(rules, 0, Dir::Res, session)
}

/// The next rule that applies, or where a decision needs more data.
fn next(rules: &[HttpRule], from: usize, session: &dyn Session) -> Option<(usize, Decision)> {
    // Made for the first condition: many lists have none.
    let mut ctx = None;
    rules.iter().enumerate().skip(from).find_map(|(i, rule)| {
        let Some(cond) = &rule.cond else { return Some((i, Decision::True)) };
        match decide(cond, ctx.get_or_insert_with(|| session.ctx())) {
            Decision::False => None,
            decision => Some((i, decision)),
        }
    })
}

fn run(rules: &[HttpRule], from: usize, dir: Dir, session: &mut dyn Session) -> Verdict {
    let mut at = from;
    let mut scratch = Vec::new();
    loop {
        let Some((rule, decision)) = next(rules, at, session) else { return Verdict::Continue };
        if decision == Decision::NotYet {
            return Verdict::Wait { rule };
        }
        if matches!(rules[rule].action, HttpAction::Allow)
            && let Some(redirect) = rules[rule..].iter().position(is_redirect_line)
        {
            at = rule + redirect;
            continue;
        }
        // Hints that follow each other without a condition go in one message.
        let joined = rules
            .get(rule + 1)
            .is_some_and(|next| next.cond.is_none() && matches!(next.action, HttpAction::EarlyHint(..)));
        if let Some(verdict) = apply(&rules[rule].action, (rule, joined), dir, session, &mut scratch) {
            if !verdict.resumes() {
                session.effect(Effect::LastRule(&rules[rule].place));
            } else {
                session.effect(Effect::Waiting(&rules[rule].place));
            }
            return verdict;
        }
        at = rule + 1;
    }
}

/// A `redirect` line: these come after all other rules, and `allow` ends only those.
fn is_redirect_line(rule: &HttpRule) -> bool {
    matches!(&rule.action, HttpAction::Redirect(redirect) if redirect.own_line)
}

/// Does what an action asks. `None`: go on with the next rule.
fn apply(
    action: &HttpAction,
    (rule, joined): (usize, bool),
    dir: Dir,
    session: &mut dyn Session,
    scratch: &mut Vec<u8>,
) -> Option<Verdict> {
    match action {
        HttpAction::Allow => return Some(Verdict::Continue),
        HttpAction::Deny(r) => return Some(Verdict::Deny(reply::answer(r, &session.ctx()))),
        HttpAction::Tarpit(r) => return Some(Verdict::Tarpit(reply::answer(r, &session.ctx()))),
        HttpAction::Return(r) => return Some(Verdict::Answer(reply::answer(r, &session.ctx()))),
        HttpAction::UseService(service) => return Some(Verdict::Service(*service)),
        HttpAction::Reject => return Some(Verdict::Reject),
        HttpAction::SilentDrop(hops) => return Some(Verdict::SilentDrop(*hops)),
        HttpAction::Auth { realm } => {
            return Some(Verdict::Answer(reply::auth(realm.as_deref(), &session.ctx())));
        }
        HttpAction::Redirect(redirect) => {
            return reply::redirect(redirect, &session.ctx()).map(Verdict::Answer);
        }
        HttpAction::WaitForBody { time, at_least } => {
            // Of the message that the rules are on.
            let ctx = session.ctx();
            let data = if ctx.response.is_some() { ctx.response_data } else { ctx.request_data };
            let is_enough = data.complete || (*at_least > 0 && data.data.len() as u64 >= *at_least);
            // Who waits to be asked for a body is asked, whether it is here or not.
            let waits = ctx.response.is_none()
                && ctx.request.is_some_and(|request| request.first(b"expect").is_some());
            if is_enough && !waits {
                return None;
            }
            return Some(Verdict::WaitForBody { rule: rule + 1, time: *time, at_least: *at_least });
        }
        HttpAction::AddHeader(name, format) | HttpAction::SetHeader(name, format) => {
            let value = text(format, &*session, scratch);
            if matches!(action, HttpAction::SetHeader(..)) {
                remove(message(session, dir)?, |n| n.eq_ignore_ascii_case(name.as_bytes()));
            }
            if !session.has_room(dir, line_len(name.as_bytes(), value)) {
                return no_room(session, dir);
            }
            let head = message(session, dir)?;
            head.push_header(name.as_bytes(), value);
            if dir == Dir::Req && name.eq_ignore_ascii_case("host") {
                target::follow_host(head, value);
            }
        }
        HttpAction::DelHeader(name) => {
            let head = message(session, dir)?;
            match name {
                NameMatch::Exact(name) => remove(head, |n| n.eq_ignore_ascii_case(name)),
                name => remove(head, |n| name_matches(name, n)),
            }
        }
        HttpAction::PushHeaders { list, prefix, replace } => {
            return headers::push(list, prefix, *replace, dir, session);
        }
        HttpAction::DelHeaders(list, method) => return headers::delete(list, *method, dir, session),
        HttpAction::ReplaceHeader(name, regex, format) => {
            let value = text(format, &*session, scratch);
            if !replace_each(session, dir, name, |line| replaced_line(line, regex, value)) {
                return no_room(session, dir);
            }
        }
        HttpAction::ReplaceValue(name, regex, format) => {
            let value = text(format, &*session, scratch);
            if !replace_each(session, dir, name, |line| replaced_values(line, regex, value)) {
                return no_room(session, dir);
            }
        }
        HttpAction::SetMethod(format) => {
            let value = text(format, &*session, scratch);
            session.request()?.set_method(value);
        }
        HttpAction::SetUri(format) => {
            let value = text(format, &*session, scratch);
            if !session.has_room(dir, value.len()) {
                return no_room(session, dir);
            }
            target::set_uri(session.request()?, value);
        }
        HttpAction::SetPath(format) => {
            let value = text(format, &*session, scratch);
            if !session.has_room(dir, value.len()) {
                return no_room(session, dir);
            }
            target::set_path(session.request()?, value, false);
        }
        HttpAction::SetPathQ(format) => {
            let value = text(format, &*session, scratch);
            if !session.has_room(dir, value.len()) {
                return no_room(session, dir);
            }
            target::set_path(session.request()?, value, true);
        }
        HttpAction::SetQuery(format) => {
            let value = text(format, &*session, scratch);
            if !session.has_room(dir, value.len()) {
                return no_room(session, dir);
            }
            target::set_query(session.request()?, value);
        }
        HttpAction::ReplacePath(regex, format)
        | HttpAction::ReplacePathQ(regex, format)
        | HttpAction::ReplaceUri(regex, format) => {
            let value = text(format, &*session, scratch);
            let part = match action {
                HttpAction::ReplacePath(..) => target::Part::Path,
                HttpAction::ReplacePathQ(..) => target::Part::PathQ,
                _ => target::Part::Uri,
            };
            target::replace(session.request()?, part, regex, value);
        }
        HttpAction::NormalizeUri(kind) => {
            if !normalize::apply(*kind, session.request()?) {
                return Some(Verdict::Malformed);
            }
        }
        HttpAction::SetStatus(status, reason) => {
            session.response()?.set_status(*status, reason.as_deref());
        }
        HttpAction::Capture { expr, slot, len } => action::capture(expr, dir, *slot, *len, session),
        HttpAction::SetTimeout(kind, source) => {
            if let Some(ms) = action::number(source, session) {
                let ms = u64::try_from(ms).ok().filter(|ms| *ms > 0);
                session.effect(Effect::Timeout(*kind, ms.map(std::time::Duration::from_millis)));
            }
        }
        HttpAction::DisableL7Retry => session.effect(Effect::DisableL7Retry),
        HttpAction::EarlyHint(name, format) => {
            if session.ctx().request.is_some_and(|head| head.version() >= (1, 1)) {
                let value = text(format, &*session, scratch);
                session.effect(Effect::EarlyHint { name, value, last: !joined });
            }
        }
        HttpAction::StrictMode(strict) => session.effect(Effect::Strict(dir, *strict)),
        HttpAction::Pause(time) => {
            return action::millis(time, session).map(|time| Verdict::Pause { rule: rule + 1, time });
        }
        HttpAction::Resolve(resolve) => {
            return action::host(resolve, session).map(|host| Verdict::Resolve { rule, host });
        }
        HttpAction::Common(common) => action::common(common, session, scratch),
    }
    None
}

/// What a header line takes in HAProxy's buffer, whose size the settings are about.
pub(super) fn line_len(name: &[u8], value: &[u8]) -> usize {
    name.len() + value.len() + 8
}

/// An edit found no room.
pub(super) fn no_room(session: &mut dyn Session, dir: Dir) -> Option<Verdict> {
    session.effect(Effect::RewriteFailed);
    session.is_strict(dir).then_some(Verdict::NoRoom)
}

pub(super) fn message(session: &mut dyn Session, dir: Dir) -> Option<&mut dyn EditHead> {
    match dir {
        Dir::Req => session.request(),
        Dir::Res => session.response(),
    }
}

/// The text of a format. One that is all literal is not copied.
pub(super) fn text<'t>(format: &'t LogFormat, session: &dyn Session, scratch: &'t mut Vec<u8>) -> &'t [u8] {
    if let [node] = format.nodes.as_slice()
        && let crate::ir::expr::LfItem::Text(text) = &node.item
    {
        return text;
    }
    scratch.clear();
    logformat::render(format, &session.ctx(), scratch);
    scratch
}

pub(super) fn remove(head: &mut dyn EditHead, name: impl Fn(&[u8]) -> bool) {
    for index in (0..head.header_count()).rev() {
        if name(head.header(index).0) {
            head.remove_header(index);
        }
    }
}

pub(super) fn name_matches(wanted: &NameMatch, name: &[u8]) -> bool {
    let lower = name.to_ascii_lowercase();
    match wanted {
        NameMatch::Exact(text) => *lower == **text,
        NameMatch::Prefix(text) => lower.starts_with(text),
        NameMatch::Suffix(text) => lower.ends_with(text),
        NameMatch::Contains(text) => memchr::memmem::find(&lower, text).is_some(),
        NameMatch::Regex(regex) => regex.is_match(&lower),
    }
}

/// Puts what `edit` makes of each line of that name into its place. `false`: there was no room for one.
fn replace_each(
    session: &mut dyn Session,
    dir: Dir,
    name: &[u8],
    edit: impl Fn(&[u8]) -> Option<Text>,
) -> bool {
    let mut from = 0;
    loop {
        let Some(head) = message(session, dir) else { return true };
        let Some(index) = head.find(name, from) else { return true };
        from = index + 1;
        if let Some(line) = edit(head.header(index).1)
            && !set_value(session, dir, index, &line)
        {
            return false;
        }
    }
}

/// A value that matches becomes the replacement, whole.
fn replaced_line(line: &[u8], regex: &Regex, with: &[u8]) -> Option<Text> {
    let groups = regex.captures(line)?;
    let mut out = Text::new();
    expand(&groups, with, &mut out);
    Some(out)
}

/// The same for each value of a comma-separated list. The blanks around a value go with it when it is replaced.
fn replaced_values(line: &[u8], regex: &Regex, with: &[u8]) -> Option<Text> {
    let mut out = Text::new();
    let mut rest = Some(line);
    let mut changed = false;
    while let Some(here) = rest {
        let end = unquoted(here, b",");
        rest = here.get(end + 1..);
        match regex.captures(here[..end].trim_ascii()) {
            Some(groups) => {
                expand(&groups, with, &mut out);
                changed = true;
            }
            None => out.extend_from_slice(&here[..end]),
        }
        if rest.is_some() {
            out.push(b',');
        }
    }
    changed.then_some(out)
}

/// Replaces a value, if there is room for the new one.
fn set_value(session: &mut dyn Session, dir: Dir, index: usize, value: &[u8]) -> bool {
    let Some(head) = message(session, dir) else { return true };
    let grows = value.len().saturating_sub(head.header(index).1.len());
    if grows > 0 && !session.has_room(dir, grows) {
        return false;
    }
    if let Some(head) = message(session, dir) {
        head.set_header_value(index, value);
        if dir == Dir::Req && head.header(index).0.eq_ignore_ascii_case(b"host") {
            target::follow_host(head, value);
        }
    }
    true
}
