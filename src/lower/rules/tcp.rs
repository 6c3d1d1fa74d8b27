//! `tcp-request` and `tcp-response`.

use tandem_parser::diagnostic::Reason;
use tandem_parser::lex::Word;
use tandem_parser::span::Span;

use super::super::expr::{Language, Read, Site};
use super::cursor::Cursor;
use super::http::silent_drop;
use super::{RuleSet, names, no_such_action, shared};
use crate::ir::rules::{TcpAction as T, TcpRule};

impl Language<'_> {
    /// One rule: the words after the keyword (`tcp-request content`...).
    pub fn tcp_rule(&mut self, set: RuleSet, words: &[Word], line: Span) -> Read<TcpRule> {
        let site = match set {
            RuleSet::TcpConnection => Site::TcpConnection,
            RuleSet::TcpSession => Site::TcpSession,
            RuleSet::TcpResponse => Site::TcpResponse,
            _ => Site::TcpContent,
        };
        let mut cursor = Cursor::new(self, set.keyword(), words, line, site)?;
        let action = self.tcp_action(set, &mut cursor);
        let cond = cursor.cond_after(action.is_some(), self);
        Some(TcpRule { action: action?, cond: cond?, place: self.world.place(line) })
    }

    fn tcp_action(&mut self, set: RuleSet, cursor: &mut Cursor<'_>) -> Read<T> {
        let (name, _) = cursor.action_parts();
        if !names::known_in(name, set) {
            return no_such_action(self, cursor, set);
        }
        if let Some(common) = shared::read(self, cursor) {
            return common.map(T::Common);
        }
        Some(match name {
            "accept" => T::Accept,
            "reject" => T::Reject,
            "close" => T::Close,
            "silent-drop" => T::SilentDrop(silent_drop(self, cursor)?),
            "expect-proxy" | "expect-netscaler-cip" => {
                let word = cursor.next(self, "'layer4'")?;
                if word.text() != "layer4" {
                    let message = format!("'{name}' only supports 'layer4', got '{word}'.");
                    return self.alert(Reason::InvalidValue, word.span, message);
                }
                if name == "expect-proxy" { T::ExpectProxy } else { T::ExpectNetScaler }
            }
            "switch-mode" => {
                let word = cursor.next(self, "'http'")?;
                if word.text() != "http" {
                    let message = format!("'switch-mode' only supports 'http', got '{word}'.");
                    return self.alert(Reason::InvalidValue, word.span, message);
                }
                if cursor.eat("proto") {
                    cursor.next(self, "a protocol")?;
                }
                if self.owner.backend && !self.owner.frontend {
                    let message = "'tcp-request switch-mode' not allowed because the backend has no frontend capability.";
                    return self.alert(Reason::NotAllowedHere, word.span, message);
                }
                T::SwitchModeHttp
            }
            "do-resolve" => T::Resolve(shared::resolve(self, cursor)?),
            "capture" => {
                let (expr, slot, len) = shared::capture(self, cursor, false)?;
                T::Capture { expr, slot, len }
            }
            _ => return no_such_action(self, cursor, set),
        })
    }
}
