//! `option forwarded`.

use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::lex::Word;
use tandem_parser::span::Span;

use super::super::expr::{Language, Read, Site};
use crate::ir::proxy::{Forwarded, ForwardedNode, ForwardedValue};

impl Language<'_> {
    /// The words after `option forwarded`.
    pub fn forwarded(&mut self, words: &[Word], line: Span) -> Read<Forwarded> {
        let mut out = Forwarded::default();
        if words.is_empty() {
            let forr = ForwardedNode { name: Some(ForwardedValue::Own), port: None };
            return Some(Forwarded { proto: true, forr, ..out });
        }
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            let field = match word.trim_end_matches("-expr") {
                "proto" if word == "proto" => {
                    out.proto = true;
                    continue;
                }
                "host" => &mut out.host,
                "by" => &mut out.by.name,
                "by_port" => &mut out.by.port,
                "for" => &mut out.forr.name,
                "for_port" => &mut out.forr.port,
                _ => {
                    let message = "'option forwarded' only supports optional values: 'proto', 'host', 'host-expr', \
                                   'by', 'by-expr', 'by_port', 'by_port-expr', 'for', 'for-expr', 'for_port' and \
                                   'for_port-expr'";
                    let message = format!("{message} (got '{word}').");
                    return self.alert(Reason::UnknownKeyword, word.span, message);
                }
            };
            *field = Some(if word.ends_with("-expr") {
                let Some(text) = rest.next() else {
                    let message = format!("'{word}' of 'option forwarded' expects a sample expression.");
                    return self.alert(Reason::MissingArgument, word.span, message);
                };
                ForwardedValue::Expr(self.expr(std::slice::from_ref(text), Site::HttpRequest)?.0)
            } else {
                ForwardedValue::Own
            });
        }
        for (name, node) in [("by", &mut out.by), ("for", &mut out.forr)] {
            if node.name.is_none() && node.port.take().is_some() {
                let message = format!(
                    "'option forwarded' : '{name}_port' will be ignored because both '{name}' and '{name}-expr' are \
                     unset."
                );
                self.say(Diagnostic::warning(Reason::NoEffect, line, message));
            }
        }
        Some(out)
    }
}
