//! `agent-check`: a line of words about health, administrative state, weight and connections (manual section 5.2).
//!
//! The words are read here and done by the runner, which knows the server: first the administrative state, then weight
//! and `maxconn`, and last the health, whose description tells what of the others was refused.

use super::Found;
use crate::health::script::{Custom, Script, Step, Test, Want};
use crate::health::{Status, Verdict};
use crate::server::AdminRequest;

/// What is said of a line without an end.
pub const INCOMPLETE: &str = "Ignoring incomplete line from agent";

/// What an agent said; of several words of one kind the last counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// `up`, `down`, `stopped`, `fail`, as written.
    pub health: Option<String>,
    /// `ready`, `drain`, `maint`.
    pub admin: Option<AdminRequest>,
    /// A weight, absolute or in percent: `weight:N`, `N%`.
    pub weight: Option<String>,
    /// `maxconn:N`.
    pub maxconn: Option<String>,
    /// The first word that is none of these.
    pub unknown: Option<String>,
    /// What follows `#`.
    pub description: String,
}

impl Reply {
    /// Reads a line.
    #[must_use]
    pub fn parse(line: &[u8]) -> Self {
        let text = String::from_utf8_lossy(line);
        let mut reply = Self::default();
        let mut rest = text.trim_start_matches([' ', '\t', ',']);
        while !rest.is_empty() {
            if let Some(description) = rest.strip_prefix('#') {
                description.trim_start_matches([' ', '\t']).clone_into(&mut reply.description);
                break;
            }
            let end = rest.find([' ', '\t', ',']).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            reply.word(word);
            rest = after.trim_start_matches([' ', '\t', ',']);
        }
        reply
    }

    fn word(&mut self, word: &str) {
        let lower = word.to_ascii_lowercase();
        match lower.as_str() {
            "up" | "down" | "stopped" | "fail" => self.health = Some(word.to_owned()),
            "ready" => self.admin = Some(AdminRequest::Ready),
            "drain" => self.admin = Some(AdminRequest::Drain),
            "maint" => self.admin = Some(AdminRequest::Maint),
            _ if word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('%') => {
                self.weight = Some(word.to_owned());
            }
            _ if lower.starts_with("maxconn:") => self.maxconn = Some(word["maxconn:".len()..].to_owned()),
            _ if lower.starts_with("weight:") => self.weight = Some(word["weight:".len()..].to_owned()),
            _ => {
                self.unknown.get_or_insert_with(|| word.to_owned());
            }
        }
    }

    /// Whether the agent says up or down, if it says anything about it.
    #[must_use]
    pub fn says_up(&self) -> Option<bool> {
        self.health.as_ref().map(|word| word.eq_ignore_ascii_case("up"))
    }

    /// The verdict, given what could not be done of the rest (empty: all was).
    #[must_use]
    pub fn verdict(&self, refused: &str) -> Verdict {
        let refused = refused.trim_end();
        let odd = self.unknown.as_deref().unwrap_or(refused);
        let status = match self.says_up() {
            Some(true) => Status::L7Ok,
            Some(false) => Status::L7Sts,
            None => Status::Checked,
        };
        let info = match (&self.health, &self.unknown) {
            (Some(word), _) => {
                // A description of what is down is not covered up by complaints.
                let open = self.description.is_empty() || status == Status::L7Ok;
                let detail = if open && !odd.is_empty() { odd } else { self.description.as_str() };
                match detail {
                    "" => format!("via agent : {word}"),
                    detail => format!("via agent : {word} ({detail})"),
                }
            }
            (None, Some(word)) => format!("agent reports an error : {word}"),
            (None, None) if !refused.is_empty() => format!("agent warns : {refused}"),
            (None, None) => String::new(),
        };
        Verdict::new(status, 0, info.as_bytes())
    }
}

/// Connect, say `send` if there is anything to say, read a line.
#[must_use]
pub fn script(send: &[u8]) -> Script {
    Script::protocol(vec![
        Step::send(send),
        Step::expect(Want { test: Test::Custom(Custom::AgentLine), ..Want::default() }),
    ])
}

/// The line, once its end is there.
pub(super) fn line(input: &[u8], complete: bool) -> Found {
    match input.iter().position(|b| matches!(b, b'\r' | b'\n' | 0)) {
        Some(end) => Found::Agent(input[..end].to_vec()),
        None if complete => Found::Error(Status::Unknown, 0, INCOMPLETE.into()),
        None => Found::NeedMore,
    }
}
