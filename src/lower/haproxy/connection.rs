//! What `server` lines say of their connections by expressions and formats.

use std::collections::HashMap;

use tandem_parser::diagnostic::Reason;
use tandem_parser::haproxy::Statement;
use tandem_parser::lex::Word;

use super::super::expr::{Language, LfUse, Site};
use super::server_formats;
use crate::ir::server::ProxyTlv;

/// Extensions of a PROXY header.
pub(super) type Tlvs = Vec<ProxyTlv>;

/// `sni` and `pool-conn-name` of a server are only judged, and those of `default-server` where a server has none.
pub(super) fn connection_names(
    language: &mut Language<'_>,
    line: &Statement,
    default: &HashMap<String, Word>,
) {
    let own: Vec<_> = server_formats::names(line).collect();
    let inherited = default.iter().filter(|(name, _)| !own.iter().any(|(own, _)| own == name));
    for word in inherited.map(|(_, word)| word).chain(own.iter().map(|(_, word)| *word)) {
        language.judged(|language| language.expr(std::slice::from_ref(word), Site::ServerConnection));
    }
}

/// Extensions of the PROXY header that a line asks for.
pub(super) fn tlvs(language: &mut Language<'_>, line: &Statement) -> Tlvs {
    let mut out = Tlvs::new();
    for (kind, word) in server_formats::tlv_formats(line) {
        match kind {
            Ok(kind) => {
                let format = word.map(|word| language.log_format(word, LfUse::Plain, Site::ServerConnection));
                match format {
                    None => out.push(ProxyTlv { kind, format: None }),
                    Some(format) => out.extend(format.map(|format| ProxyTlv { kind, format: Some(format) })),
                }
            }
            Err(message) => drop(language.alert::<()>(Reason::InvalidValue, line.span, message)),
        }
    }
    out
}
