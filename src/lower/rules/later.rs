//! Arguments of the actions that this build knows and does not do: they are judged all the same.

use tandem_parser::diagnostic::{Diagnostic, Head, Reason};

use super::super::expr::{Language, Read};
use super::cursor::Cursor;

/// Reads the arguments of such an action, up to its condition.
pub(super) fn arguments(language: &mut Language<'_>, cursor: &mut Cursor<'_>) -> Read<()> {
    let (name, inside) = cursor.action_parts();
    match name {
        "attach-srv" => {
            cursor.next(language, "a server")?;
            if cursor.eat("name") {
                cursor.expr(language)?;
            }
        }
        "cache-use" | "cache-store" => {
            cursor.next(language, "the name of a cache")?;
            if name == "cache-use" {
                cursor.eat("no-early-hints");
            }
        }
        "do-log" => {
            if cursor.eat("profile") {
                cursor.next(language, "the name of a log profile")?;
            }
        }
        "sc-inc-gpc" => {
            counter(language, cursor, name, inside, true)?;
        }
        "sc-inc-gpc0" | "sc-inc-gpc1" => {
            counter(language, cursor, name, inside, false)?;
        }
        "sc-add-gpc" | "sc-set-gpt" => {
            counter(language, cursor, name, inside, true)?;
            number_or_expr(language, cursor)?;
        }
        "sc-set-gpt0" => {
            counter(language, cursor, name, inside, false)?;
            number_or_expr(language, cursor)?;
        }
        "send-spoe-group" => {
            cursor.next(language, "the identifier of a SPOE engine")?;
            cursor.next(language, "the name of a SPOE group")?;
        }
        "use-service" => {
            let word = cursor.next(language, "the name of a service")?;
            if !word.starts_with("lua.") || !language.world.lua() {
                let message = format!("'content' unknown service name '{word}'.");
                return language.alert(Reason::InvalidValue, word.span, message);
            }
            // What a Lua service takes is its own business.
            while cursor.take().is_some() {}
        }
        "wait-for-handshake" => {}
        name if name.starts_with("track-sc") => {
            let index = name.trim_start_matches("track-sc").parse::<u32>();
            let Ok(index) = index else {
                let message = format!("'{name}' expects the number of a counter, as in 'track-sc0'.");
                return language.alert(Reason::InvalidValue, cursor.action().span, message);
            };
            let most = language.world.stick_counters();
            if index >= most {
                let message = format!(
                    "{index} track-sc number exceeding {} (MAX_SESS_STKCTR-1) value.",
                    most.saturating_sub(1)
                );
                let d = Diagnostic::alert(Reason::OutOfRange, cursor.action().span, message);
                language.say(d.help("HAProxy 2.8 has more with 'tune.stick-counters'"));
                return None;
            }
            cursor.expr(language)?;
            let (table, span) = if cursor.eat("table") {
                let word = cursor.next(language, "the name of a table")?;
                (word.text().to_owned(), word.span)
            } else {
                (language.own_table(), cursor.action().span)
            };
            if !language.world.table(&table) {
                let proxy = &language.owner.name;
                let message =
                    format!("Proxy '{proxy}': unable to find table '{table}' referenced by {name}.");
                let alert = Diagnostic::alert(Reason::UnknownReference, span, message);
                language.say_whole(alert.head(Head::Plain));
                return None;
            }
        }
        // Scripts say themselves what they take.
        _ => while cursor.take().is_some() {},
    }
    match cursor.peek() {
        None => Some(()),
        Some(word) => cursor.left_over(language, word, word.span, ""),
    }
}

/// What stands in the action's parentheses.
pub(super) fn named<'w>(
    language: &mut Language<'_>,
    cursor: &Cursor<'w>,
    name: &str,
    inside: Option<&'w str>,
    form: &str,
) -> Read<&'w str> {
    let word = cursor.action();
    match inside.filter(|inside| !inside.is_empty() && word.ends_with(')')) {
        Some(inside) => Some(inside),
        None => {
            let message = format!("'{name}' expects '{name}({form})', got '{word}'.");
            language.alert(Reason::MissingArgument, word.span, message)
        }
    }
}

/// `(<sc-id>)` or `(<idx>,<sc-id>)`.
fn counter(
    language: &mut Language<'_>,
    cursor: &Cursor<'_>,
    name: &str,
    inside: Option<&str>,
    indexed: bool,
) -> Read<()> {
    let form = if indexed { "<idx>,<sc-id>" } else { "<sc-id>" };
    // Without parentheses it is the first counter.
    if inside.is_none() && !indexed && !cursor.action().contains('(') {
        return Some(());
    }
    let inside = named(language, cursor, name, inside, form)?;
    let numbers: Vec<_> = inside.split(',').map(|part| part.trim().parse::<u32>()).collect();
    let wanted = if indexed { 2 } else { 1 };
    let in_range = numbers.iter().take(wanted - 1).all(|n| n.as_ref().is_ok_and(|n| *n < 100));
    if numbers.len() == wanted && in_range && numbers.iter().all(Result::is_ok) {
        let most = language.world.stick_counters();
        let last = numbers.last().and_then(|number| number.as_ref().ok()).copied().unwrap_or_default();
        if last < most {
            return Some(());
        }
        let message = format!(
            "invalid stick table track ID '{last}'. The max allowed ID is {}.",
            most.saturating_sub(1)
        );
        return language.alert(Reason::OutOfRange, cursor.action().span, message);
    }
    let message = format!("invalid counter in '{}': expects '{name}({form})'.", cursor.action());
    language.alert(Reason::InvalidValue, cursor.action().span, message)
}

fn number_or_expr(language: &mut Language<'_>, cursor: &mut Cursor<'_>) -> Read<()> {
    if cursor.peek().is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit() || c == '-')) {
        return cursor.int(language, "an integer").map(drop);
    }
    cursor.expr(language).map(drop)
}
