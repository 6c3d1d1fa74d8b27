//! `auth_hmac` of an instance. keepalived reports what is wrong with it and runs without; then anybody could take the
//! addresses, so here the instance is refused instead.

use std::path::Path;
use std::time::Duration;

use tandem_parser::keepalived::{Class, Statement, Word};
use tandem_parser::{Reason, Span};

use super::complete::Refused;
use super::context::Cx;
use super::instance::Draft;
use crate::ir::vrrp::{Auth, AuthHmac, HmacKey, HmacMode, Instance};

/// Shortest and longest secret, bytes.
const SECRET: std::ops::RangeInclusive<usize> = 32..=64;
/// Longest file of a secret: `hex:` and two digits for every byte, and a line end.
const FILE: usize = 4 + 2 * 64 + 8;
/// Seconds, where the file does not say: three intervals, at least and at most so many.
const WINDOW: (u64, u64) = (5, 300);

/// A block as written.
#[derive(Clone, Debug)]
pub(super) struct HmacDraft {
    span: Span,
    keys: Vec<HmacKey>,
    active: Option<u8>,
    mode: HmacMode,
    timed: bool,
    window: Option<Duration>,
}

impl Cx<'_> {
    pub(super) fn auth_hmac(&mut self, block: &Statement, name: &str, draft: &mut Draft) {
        let mut hmac = draft.hmac.take().unwrap_or(HmacDraft {
            span: block.span,
            keys: Vec::new(),
            active: None,
            mode: HmacMode::Enforce,
            timed: true,
            window: None,
        });
        for child in block.children() {
            self.here = child.span;
            let Some(word) = self.parameter(&child.words, 1).cloned() else { continue };
            match child.keyword.name {
                "key" => {
                    let Some(value) = self.parameter(&child.words, 2).cloned() else { continue };
                    self.hmac_key(&word, &value, name, &mut hmac);
                }
                "active_key" => match self.key_number(&word) {
                    Some(id) => hmac.active = Some(id),
                    None => {
                        let text = format!(
                            "({name}) auth_hmac active_key '{}' must be between 1 and 255",
                            word.text
                        );
                        self.error(Reason::OutOfRange, word.span, text);
                    }
                },
                "time_window" => match self.unsigned(&word, 1, 300, false) {
                    Some(seconds) => hmac.window = Some(Duration::from_secs(seconds.into())),
                    None => {
                        let text = format!(
                            "({name}) auth_hmac time_window '{}' must be between 1 and 300 seconds",
                            word.text
                        );
                        self.error(Reason::OutOfRange, word.span, text);
                    }
                },
                "anti_replay" => match word.text.as_str() {
                    "time" => hmac.timed = true,
                    "monotonic" => hmac.timed = false,
                    other => {
                        let text =
                            format!("({name}) auth_hmac anti_replay '{other}' must be time or monotonic");
                        self.error(Reason::InvalidValue, word.span, text);
                    }
                },
                _ => match word.text.as_str() {
                    "enforce" => hmac.mode = HmacMode::Enforce,
                    "permissive" => hmac.mode = HmacMode::Permissive,
                    "receive-only" => hmac.mode = HmacMode::ReceiveOnly,
                    other => {
                        let text = format!(
                            "({name}) auth_hmac mode '{other}' must be enforce, permissive or receive-only"
                        );
                        self.error(Reason::InvalidValue, word.span, text);
                    }
                },
            }
        }
        draft.hmac = Some(hmac);
    }

    fn key_number(&mut self, word: &Word) -> Option<u8> {
        self.unsigned(word, 1, 255, false).and_then(|id| u8::try_from(id).ok())
    }

    fn hmac_key(&mut self, number: &Word, value: &Word, name: &str, hmac: &mut HmacDraft) {
        let Some(id) = self.key_number(number) else {
            let text = format!("({name}) auth_hmac key id '{}' must be between 1 and 255", number.text);
            self.error(Reason::OutOfRange, number.span, text);
            return;
        };
        let secret = match value.text.strip_prefix("file:") {
            Some(path) => self.secret_file(Path::new(path), name, value.span),
            None => Some(decoded(&value.text)),
        };
        let Some(secret) = secret else { return };
        let problem = if !SECRET.contains(&secret.len()) {
            format!(
                "({name}) auth_hmac key {id} length {} not in range [{}, {}]",
                secret.len(),
                SECRET.start(),
                SECRET.end()
            )
        } else if hmac.keys.iter().any(|key| key.id == id) {
            format!("({name}) duplicate auth_hmac key id {id}")
        } else {
            hmac.keys.push(HmacKey { id, secret });
            return;
        };
        self.error(Reason::InvalidValue, value.span, problem);
    }

    fn secret_file(&mut self, path: &Path, name: &str, span: Span) -> Option<Vec<u8>> {
        let shown = path.display();
        if self.env.file(path, true).is_ok_and(|file| file.mode & 0o077 != 0) {
            let text = format!("({name}) auth_hmac key file '{shown}' is readable by group or others");
            self.classed(self.voice, Class::Security, Reason::Environment, span, text);
        }
        let Some(mut bytes) = self.env.start(path, FILE) else {
            let text = format!("({name}) auth_hmac key file '{shown}' cannot be opened");
            if self.env.offline() {
                self.log(span, text);
                // Judging the text alone: some secret will be there.
                return Some(vec![0; *SECRET.start()]);
            }
            self.error(Reason::Environment, span, text);
            return None;
        };
        if bytes.len() >= FILE {
            let text = format!("({name}) auth_hmac key file '{shown}' is too large");
            self.error(Reason::InvalidValue, span, text);
            return None;
        }
        while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            bytes.pop();
        }
        Some(match std::str::from_utf8(&bytes) {
            Ok(text) => decoded(text),
            Err(_) => bytes,
        })
    }

    /// After `authentication`.
    pub(super) fn sign_adverts(&mut self, instance: &mut Instance, draft: &mut Draft) -> Result<(), Refused> {
        let Some(hmac) = draft.hmac.take() else { return Ok(()) };
        let name = &instance.name;
        if instance.auth != Auth::None {
            let text =
                format!("({name}) auth_hmac cannot be combined with authentication, dropping legacy auth");
            self.late(Reason::Conflict, hmac.span, text);
            instance.auth = Auth::None;
        }
        let active = hmac.active.unwrap_or_default();
        if !hmac.keys.iter().any(|key| key.id == active) {
            let text = format!("({name}) auth_hmac active_key {active} is not defined");
            self.refuse(Reason::UnknownReference, hmac.span, text);
            return Err(Refused);
        }
        let mut mode = hmac.mode;
        if instance.strict && mode != HmacMode::Enforce {
            let text = format!("({name}) strict mode requires auth_hmac mode enforce");
            self.late(Reason::Conflict, hmac.span, text);
            mode = HmacMode::Enforce;
        }
        let derived = || {
            let interval = draft.advert_interval.unwrap_or(Duration::from_secs(1));
            Duration::from_secs((3 * interval.as_secs()).clamp(WINDOW.0, WINDOW.1))
        };
        let window = hmac.timed.then(|| hmac.window.unwrap_or_else(derived));
        instance.auth_hmac = Some(AuthHmac { keys: hmac.keys, active, mode, window });
        Ok(())
    }
}

/// `hex:` and digits, or the text itself.
fn decoded(text: &str) -> Vec<u8> {
    let Some(digits) = text.strip_prefix("hex:") else { return text.as_bytes().to_vec() };
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    };
    // What is no number has no length either, and is refused for that.
    pairs.map(byte).collect::<Option<Vec<u8>>>().unwrap_or_default()
}
