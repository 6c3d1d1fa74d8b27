//! `stats` lines of proxies: the page.

use tandem_parser::Word;
use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::haproxy::Statement;
use tandem_parser::lex::span_of;

use super::context::{Context, span_at};
use super::draft::Draft;
use crate::ir::StatsPage;

/// Words with single spaces between them.
pub(super) fn joined(words: &[Word]) -> String {
    words.iter().map(Word::text).collect::<Vec<_>>().join(" ")
}

/// Applies one line; `stats admin` and `stats http-request` are rules and handled with them.
pub(super) fn apply<'t>(context: &mut Context<'_>, line: &'t Statement, draft: &mut Draft<'t>) -> bool {
    if !line.name().starts_with("stats ") {
        return false;
    }
    let page = draft.common.stats.get_or_insert_default();
    let text = line.text(0).unwrap_or_default();
    match line.name() {
        "stats uri" => page.uri = text.to_owned(),
        "stats realm" => realm(context, line, &mut page.realm),
        "stats auth" => auth(context, line, page),
        "stats scope" => page.scope.push(text.to_owned()),
        "stats refresh" => page.refresh = line.time(0).filter(|time| !time.is_zero()),
        "stats hide-version" => page.hide_version = true,
        "stats show-version" => page.hide_version = false,
        "stats show-node" => {
            page.show_node = Some(text.to_owned());
            if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
                let message = "'stats show-node' invalid node name - should be a stringwith digits(0-9), \
                               letters(A-Z, a-z), hyphen(-) or underscode(_).";
                context.alert(Reason::InvalidValue, span_at(line, 0), message);
            }
        }
        "stats show-desc" => page.show_desc = Some(joined(line.words(0))),
        "stats show-legends" => page.show_legends = true,
        "stats show-modules" => page.show_modules = true,
        "stats admin" | "stats http-request" => draft.rules.push(line),
        _ => {}
    }
    true
}

/// HAProxy takes the first word and silently drops the others; here they are mentioned.
fn realm(context: &mut Context<'_>, line: &Statement, realm: &mut String) {
    let Some((first, rest)) = line.words(0).split_first() else { return };
    first.text().clone_into(realm);
    if let Some(second) = rest.first() {
        let whole = joined(line.words(0));
        context.say(
            Diagnostic::warning(
                Reason::TooManyArguments,
                span_of(rest, second.span),
                format!("'stats realm' uses only its first word '{first}'."),
            )
            .help(format!("write: stats realm \"{whole}\""))
            .edit(span_of(line.words(0), first.span), format!("\"{whole}\"")),
        );
    }
}

fn auth(context: &mut Context<'_>, line: &Statement, page: &mut StatsPage) {
    let written = line.text(0).unwrap_or_default();
    match written.split_once(':') {
        Some((user, password)) if !user.is_empty() => {
            page.auth.push((user.to_owned(), password.to_owned()));
        }
        _ => {
            let message = "'auth' needs a user:password account.";
            // HAProxy takes it as a user without a password; nobody logs in as such a one here.
            context.warn(Reason::InvalidValue, span_at(line, 0), message);
        }
    }
}
