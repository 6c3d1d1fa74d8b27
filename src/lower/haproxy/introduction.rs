//! What HAProxy says it was reading when something in a rule is wrong.

use tandem_parser::Word;
use tandem_parser::diagnostic::Head;
use tandem_parser::haproxy::Statement;

use super::super::expr::Owner;

/// The first words about a line that is wrong, or about its condition, and how they name the place.
pub(super) fn of(line: &Statement, owner: &Owner, in_condition: bool) -> Option<(Head, String)> {
    let head = match line.name() {
        "unique-id-format" | "log-format" | "log-format-sd" | "error-log-format" => Head::Format,
        "server" | "server-template" => Head::At,
        _ => Head::Parsing,
    };
    Some((head, words(line, owner, in_condition)?))
}

fn words(line: &Statement, owner: &Owner, in_condition: bool) -> Option<String> {
    let side = owner.side();
    let (name, proxy) = (line.name(), &owner.name);
    let first = line.words(0).first().map(Word::text).unwrap_or_default();
    Some(match name {
        "acl" => format!("error detected while parsing ACL '{}' : ", line.text(0).unwrap_or_default()),
        "http-request" | "http-response" | "http-after-response" if in_condition => {
            format!("error detected while parsing an '{name} {first}' condition : ")
        }
        "http-request" | "http-response" | "http-after-response" => {
            format!("error detected in {side} '{proxy}' while parsing '{name} {first}' rule : ")
        }
        "redirect" => format!("error detected in {side} '{proxy}' while parsing redirect rule : "),
        "use_backend" | "use-server" => "error detected while parsing switching rule : ".to_owned(),
        "force-persist" | "ignore-persist" | "force-be-switch" | "stats admin" | "stats http-request" => {
            format!("error detected while parsing a '{name}' rule : ")
        }
        "unique-id-format" => "failed to parse unique-id : ".to_owned(),
        "log-format" | "log-format-sd" | "error-log-format" => format!("failed to parse {name} : "),
        "server" | "server-template" => format!(
            "'{name} {proxy}/{}' : error detected while parsing sni or pool-conn-name expressions : ",
            line.text(0).unwrap_or_default()
        ),
        "monitor fail" => "error detected while parsing a 'monitor fail' condition : ".to_owned(),
        name if name.starts_with("stick ") && in_condition => {
            "'stick': error detected while parsing sticking condition : ".to_owned()
        }
        name if name.starts_with("stick ") => "'stick': ".to_owned(),
        name if name.starts_with("tcp-re") && in_condition => {
            let word = line.words(0).iter().find(|word| matches!(word.text(), "if" | "unless"));
            let word = word.map(Word::text).unwrap_or_default();
            format!(
                "'{name} {first}' : error detected in {side} '{proxy}' while parsing '{word}' condition : "
            )
        }
        name if name.starts_with("tcp-re") => format!("'{name} {first}' : "),
        _ => return None,
    })
}

/// Where a keyword with the name of something stands that there is not.
pub(super) fn used(line: &Statement, owner: &Owner, in_condition: bool, keyword: &str) -> String {
    let first = line.words(0).first().map(Word::text).unwrap_or_default();
    let (kind, place) = match line.name() {
        "acl" => ("ACL", ""),
        _ if in_condition => ("ACL", ""),
        "log-format" | "error-log-format" => ("sample fetch", " in log-format string"),
        "log-format-sd" => ("sample fetch", " in log-format-sd string"),
        "unique-id-format" => ("sample fetch", " in unique-id-format string"),
        "redirect" => ("sample fetch", " in redirect format string"),
        "http-request" | "http-response" if first == "capture" => ("sample fetch", " in capture rule"),
        "http-request" | "tcp-request content" if first.starts_with("track-sc") => {
            ("sample fetch", " in tracking rule")
        }
        "http-request" => ("sample fetch", " in http-request expression"),
        "http-response" => ("sample fetch", " in http-response response"),
        "use_backend" => ("sample fetch", " in use_backend expression"),
        "use-server" | "balance" => ("sample fetch", " in use-server or balance expression"),
        "server" | "server-template" => ("sample fetch", " in server directive"),
        name if name.starts_with("stick ") => ("sample fetch", " in stick rule"),
        name @ ("tcp-request connection"
        | "tcp-request session"
        | "tcp-request content"
        | "tcp-response content") => {
            let place = format!(" in {name} expression");
            return format!("sample fetch keyword '{keyword}'{place} in proxy '{}'", owner.name);
        }
        _ => ("sample fetch", ""),
    };
    format!("{kind} keyword '{keyword}'{place} in proxy '{}'", owner.name)
}
