//! The checkers of real servers.

use std::net::IpAddr;

use tandem_parser::Reason;
use tandem_parser::keepalived::{Statement, Word};

use super::super::context::Cx;
use super::NEEDY;
use super::values::{Whose, lvs_address};
use crate::ir::vrrp::{ExecMode, NotifyScript};

/// Names that checkers may refer to.
pub(super) struct Known {
    pub(super) files: Vec<String>,
    pub(super) sessions: Vec<String>,
}

/// The server that is checked.
pub(super) struct Checked {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    /// Of its service, as far as the file was read.
    pub(super) protocol: &'static str,
}

/// What lines of a checker add up to.
#[derive(Default)]
struct Draft {
    urls: usize,
    command: Option<Vec<String>>,
    /// The user of the command; `Some(None)`: there is no such one.
    user: Option<Option<crate::ir::vrrp::RunAs>>,
    named: bool,
    to: Option<IpAddr>,
    from: Option<IpAddr>,
    bound: bool,
    lengths: (u32, u32),
}

const RECORD_TYPES: [&str; 14] =
    ["A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "DNSKEY", "PTR", "SRV", "ANY", "DS", "NSEC"];
const DIGEST_LEN: usize = 32;

impl Cx<'_> {
    pub(super) fn lvs_check(
        &mut self,
        check: &Statement,
        server: &Checked,
        known: &Known,
        scripts: &mut Vec<NotifyScript>,
    ) {
        let mut draft = Draft { lengths: (0, u32::from(u16::MAX)), ..Draft::default() };
        self.check_lines(check, check.keyword.name, server, known, &mut draft);
        self.here = check.end();
        let problem = match check.keyword.name {
            "HTTP_GET" | "SSL_GET" if draft.urls == 0 => {
                "HTTP/SSL_GET checker has no urls specified - ignoring".to_owned()
            }
            "MISC_CHECK" => {
                self.misc_check(check, draft, scripts);
                return;
            }
            "FILE_CHECK" if !draft.named => "FILE_CHECK has no track_file specified - ignoring".to_owned(),
            "BFD_CHECK" if !draft.named && !check.children().iter().any(|c| c.keyword.name == "name") => {
                format!(
                    "([{}]:{}:{}) No name has been specified for BFD_CHECKER - skipping",
                    server.address, server.protocol, server.port
                )
            }
            "UDP_CHECK" if draft.lengths.0 > draft.lengths.1 => format!(
                "UDP_CHECK min_reply length {} > max_reply_length {} - will always fail",
                draft.lengths.0, draft.lengths.1
            ),
            _ => match draft.to {
                Some(IpAddr::V6(to)) if to.segments()[0] & 0xffc0 == 0xfe80 && !draft.bound => {
                    format!("Checker link local address {to} requires a bind_if")
                }
                _ => return,
            },
        };
        self.complain(Reason::Incomplete, problem);
    }

    fn check_lines(
        &mut self,
        block: &Statement,
        check: &str,
        server: &Checked,
        known: &Known,
        draft: &mut Draft,
    ) {
        for line in block.children() {
            self.here = line.span;
            if line.keyword.name == "nb_get_retry" {
                let span = line.words[0].span;
                self.error(Reason::Retired, span, "nb_get_retry is deprecated - please use 'retry'")
                    .edit(span, "retry");
            }
            if NEEDY.contains(&line.keyword.name) && self.parameter(&line.words, 1).is_none() {
                continue;
            }
            // `weight` of a file's number may be negative.
            let value = if check == "FILE_CHECK" { None } else { self.lvs_value(Whose::Check, line) };
            match (check, line.keyword.name) {
                (_, "url") => self.url(line, draft),
                (_, "host") => self.check_lines(line, check, server, known, draft),
                (_, "connect_ip") => self.check_address(line, server, draft, true),
                (_, "bindto") => self.check_address(line, server, draft, false),
                (_, "bind_if") => draft.bound |= self.lvs_interface(line),
                ("HTTP_GET" | "SSL_GET", "virtualhost") => {
                    self.required(line, "HTTP_GET virtualhost name missing");
                }
                (_, "http_protocol") => self.http_protocol(line),
                ("SMTP_CHECK", "helo_name") => _ = self.required(line, "SMTP_CHECK helo name missing"),
                ("DNS_CHECK", "type") => self.record_type(line),
                ("DNS_CHECK", "name") => self.record_name(line),
                ("UDP_CHECK", "payload") if self.required(line, "UDP_CHECK payload requires a payload") => {
                    self.hex(&line.words, "payload", false);
                }
                ("UDP_CHECK", "require_reply") => self.hex(&line.words, "reply", true),
                (_, "min_reply_length") => draft.lengths.0 = value.unwrap_or(draft.lengths.0),
                (_, "max_reply_length") => draft.lengths.1 = value.unwrap_or(draft.lengths.1),
                ("MISC_CHECK", "misc_path") => {
                    draft.command = self.command(line).map(|(words, _)| words).or(draft.command.take());
                }
                ("MISC_CHECK", "user") => self.misc_user(line, draft),
                ("BFD_CHECK", "name") => self.session(line, server, known, draft),
                ("FILE_CHECK", "track_file") => {
                    let Some(word) = line.words.get(1).cloned() else { continue };
                    draft.named |= known.files.contains(&word.text);
                    if !known.files.contains(&word.text) {
                        let text = format!("track_file {} not found", word.text);
                        self.error(Reason::UnknownReference, word.span, text);
                    }
                }
                ("FILE_CHECK", "weight") => self.file_weight(line),
                _ => {}
            }
        }
    }

    fn check_address(&mut self, line: &Statement, server: &Checked, draft: &mut Draft, to: bool) {
        let Some(word) = line.words.get(1).cloned() else { return };
        let (this, other) = if to { ("connect_ip", "bindto") } else { ("bindto", "connect_ip") };
        let Some(address) = lvs_address(&word.text) else {
            let text = format!("Invalid {this} address {} - ignoring", word.text);
            self.error(Reason::InvalidValue, word.span, text);
            return;
        };
        let beside = if to { draft.from } else { draft.to.or(Some(server.address)) };
        if beside.is_some_and(|beside| beside.is_ipv6() != address.is_ipv6()) {
            let text =
                format!("{this} address {} does not match address family of {other} - skipping", word.text);
            self.error(Reason::Conflict, word.span, text);
            return;
        }
        *(if to { &mut draft.to } else { &mut draft.from }) = Some(address);
    }

    fn url(&mut self, url: &Statement, draft: &mut Draft) {
        let mut path = false;
        for line in url.children() {
            self.here = line.span;
            if NEEDY.contains(&line.keyword.name) && self.parameter(&line.words, 1).is_none() {
                continue;
            }
            self.lvs_value(Whose::Check, line);
            match line.keyword.name {
                "path" => path = true,
                "digest" => self.digest(line),
                "status_code" => {
                    for word in &line.words[1..] {
                        let (first, last) = word.text.split_once('-').unwrap_or((&word.text, &word.text));
                        let code = |text: &str| text.parse().ok().filter(|code| (100..600).contains(code));
                        let (first, last): (Option<u32>, Option<u32>) = (code(first), code(last));
                        if first.is_none() || last < first {
                            let text = format!("Invalid HTTP_GET status code '{}'", word.text);
                            self.error(Reason::InvalidValue, word.span, text);
                        }
                    }
                }
                "virtualhost" => _ = self.required(line, "Missing HTTP_GET virtualhost name"),
                _ => {}
            }
        }
        if path {
            draft.urls += 1;
        } else {
            let text = "HTTP/SSL_GET checker url has no path - ignoring";
            self.error(Reason::Incomplete, url.end(), text);
        }
    }

    fn digest(&mut self, line: &Statement) {
        let Some(word) = line.words.get(1).cloned() else { return };
        let text = &word.text;
        let problem = if text.len() == DIGEST_LEN {
            let wrong = text.bytes().position(|byte| !byte.is_ascii_hexdigit());
            wrong
                .map(|at| at / 2 * 2)
                .map(|at| format!("Unable to interpret hex digit in '{text}' at offset {at}/{}", at + 1))
        } else {
            let len = text.len();
            Some(format!("digest '{text}' character length should be {DIGEST_LEN} rather than {len}"))
        };
        if let Some(problem) = problem {
            self.error(Reason::InvalidValue, word.span, problem);
        }
    }

    fn http_protocol(&mut self, line: &Statement) {
        if !self.required(line, "Missing http_protocol version") {
            return;
        }
        let word = line.words[1].clone();
        if !matches!(word.text.as_str(), "1.0" | "1.1" | "1.0C" | "1.1C") {
            let text = format!("Invalid http_protocol version {}", word.text);
            self.error(Reason::InvalidValue, word.span, text);
        }
    }

    fn record_type(&mut self, line: &Statement) {
        let Some(word) = line.words.get(1).cloned() else { return };
        if !RECORD_TYPES.iter().any(|kind| word.text.eq_ignore_ascii_case(kind)) {
            let text = format!("Unknown DNS check type {} - ignoring", word.text);
            self.error(Reason::InvalidValue, word.span, text);
        }
    }

    fn record_name(&mut self, line: &Statement) {
        let Some(word) = self.parameter(&line.words, 1).cloned() else { return };
        let name = word.text.strip_suffix('.').unwrap_or(&word.text);
        if name.split('.').any(str::is_empty) {
            let text = format!("DNS_CHECK name '{}' has empty label - ignoring", word.text);
            self.error(Reason::InvalidValue, word.span, text);
        }
    }

    /// Bytes in hexadecimal digits, in as many words as one likes; an x in a reply stands for any digit.
    fn hex(&mut self, words: &[Word], what: &str, masks: bool) {
        let text: String = words[1..].iter().map(|word| word.text.as_str()).collect();
        let good = text
            .split_whitespace()
            .flat_map(str::bytes)
            .all(|byte| byte.is_ascii_hexdigit() || masks && matches!(byte, b'x' | b'X'));
        if !good {
            let text = format!("Invalid hex string for UDP_CHECK {what}");
            self.error(Reason::InvalidValue, words[1].span, text);
        }
    }

    fn misc_user(&mut self, line: &Statement, draft: &mut Draft) {
        let Some(user) = line.words.get(1).cloned() else { return };
        let group = line.words.get(2).map(|word| word.text.as_str());
        let found = self.run_as(&user.text, group, user.span);
        if found.is_none() {
            let command = draft.command.as_ref().map_or_else(String::new, |words| words.join(" "));
            let text = format!("Failed to set uid/gid for misc checker script '{command}' - removing");
            self.error(Reason::Environment, user.span, text);
        }
        draft.user = Some(found);
    }

    fn misc_check(&mut self, check: &Statement, draft: Draft, scripts: &mut Vec<NotifyScript>) {
        let user = match draft.user {
            // It is removed, which was said.
            Some(None) => return,
            Some(user) => user,
            None => None,
        };
        let Some(argv) = draft.command else {
            self.complain(
                Reason::Incomplete,
                "No script path has been specified for MISC_CHECKER - skipping",
            );
            return;
        };
        let Some(user) = user.or_else(|| self.default_run_as(check.end())) else {
            let text = format!("Unable to set default user for misc script {} - removing", argv.join(" "));
            self.complain(Reason::Environment, text);
            return;
        };
        scripts.push(NotifyScript { line: argv.join(" "), argv, called: None, mode: ExecMode::Direct, user });
    }

    fn session(&mut self, line: &Statement, server: &Checked, known: &Known, draft: &mut Draft) {
        let Some(word) = line.words.get(1).cloned() else { return };
        if known.sessions.contains(&word.text) {
            draft.named = true;
            return;
        }
        let text = format!(
            "([{}]:{}:{}) BFD_CHECK - BFD {} not configured",
            server.address, server.protocol, server.port, word.text
        );
        self.error(Reason::UnknownReference, word.span, text);
    }

    fn file_weight(&mut self, line: &Statement) {
        if !self.required(line, "track file weight missing") {
            return;
        }
        let word = line.words[1].clone();
        let most = i64::from(i32::MAX);
        if !self.integer(&word, -most, most, true).1 {
            let text = format!("weight for track file must be in [-{most}..{most}] inclusive. Ignoring...");
            self.error(Reason::OutOfRange, word.span, text);
        }
        if let Some(option) = line.words.get(2).filter(|option| option.text != "reverse").cloned() {
            let text = format!("unknown track file weight option {} - ignoring", option.text);
            self.error(Reason::InvalidValue, option.span, text);
        }
    }
}
