//! Log-format strings.

use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::expr as shape;
use tandem_parser::lex::{Word, bytes_of};
use tandem_parser::suggest;

use super::check::Site;
use super::{Language, Read};
use crate::ir::expr::{LfAlias as A, LfEncoding, LfItem, LfNode, LfOptions, LogFormat, SampleType, Timer};

/// What a log-format string is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LfUse {
    /// A log line: blanks merge, what is missing shows as `-`.
    Log,
    /// `unique-id-format`: blanks merge, the result goes into a header.
    UniqueId,
    /// Part of an HTTP message: control characters are encoded.
    Http,
    /// As it is (`use_backend`, `set-var-fmt`, bodies).
    Plain,
}

/// Aliases, and whether they need HTTP mode.
const ALIASES: &[(&str, A, bool)] = &[
    ("B", A::BytesRead, false),
    ("CC", A::RequestCookie, true),
    ("CS", A::ResponseCookie, true),
    ("H", A::Hostname, false),
    ("HM", A::HttpMethod, true),
    ("HP", A::HttpPath, true),
    ("HPO", A::HttpPathOnly, true),
    ("HQ", A::HttpQuery, true),
    ("HU", A::HttpUri, true),
    ("HV", A::HttpVersion, true),
    ("ID", A::UniqueId, false),
    ("OG", A::Origin, false),
    ("ST", A::Status, false),
    ("T", A::AcceptDateUtc, false),
    ("Ta", A::Timer(Timer::Active), true),
    ("Tc", A::Timer(Timer::Connect), false),
    ("Td", A::Timer(Timer::Data), false),
    ("Th", A::Timer(Timer::Handshake), false),
    ("Ti", A::Timer(Timer::Idle), true),
    ("Tl", A::AcceptDateLocal, false),
    ("TR", A::Timer(Timer::Request), true),
    ("Tq", A::Timer(Timer::Query), true),
    ("Tr", A::Timer(Timer::Response), true),
    ("Ts", A::AcceptTimestamp, false),
    ("Tt", A::Timer(Timer::Total), false),
    ("Tu", A::Timer(Timer::User), false),
    ("Tw", A::Timer(Timer::Wait), false),
    ("U", A::BytesUploaded, false),
    ("ac", A::ActiveConnections, false),
    ("b", A::Backend, false),
    ("bc", A::BackendConnections, false),
    ("bi", A::BackendIp, false),
    ("bp", A::BackendPort, false),
    ("bq", A::BackendQueue, false),
    ("ci", A::ClientIp, false),
    ("cp", A::ClientPort, false),
    ("f", A::Frontend, false),
    ("fc", A::FrontendConnections, false),
    ("fi", A::FrontendIp, false),
    ("fp", A::FrontendPort, false),
    ("ft", A::FrontendTransport, false),
    ("hr", A::RequestHeaders, false),
    ("hrl", A::RequestHeaderList, false),
    ("hs", A::ResponseHeaders, false),
    ("hsl", A::ResponseHeaderList, false),
    ("lc", A::LogCounter, false),
    ("ms", A::AcceptMillis, false),
    ("o", A::Nothing, false),
    ("pid", A::Pid, false),
    ("r", A::RequestLine, true),
    ("rc", A::Retries, false),
    ("rt", A::RequestCounter, false),
    ("s", A::Server, false),
    ("sc", A::ServerConnections, false),
    ("si", A::ServerIp, false),
    ("sp", A::ServerPort, false),
    ("sq", A::ServerQueue, false),
    ("sslc", A::TlsCipher, false),
    ("sslv", A::TlsVersion, false),
    ("t", A::AcceptDate, false),
    ("tr", A::RequestDate, true),
    ("trg", A::RequestDateUtc, true),
    ("trl", A::RequestDateLocal, true),
    ("ts", A::TermState, false),
    ("tsc", A::TermStateCookie, false),
];

impl Language<'_> {
    /// A log-format string.
    pub fn log_format(&mut self, word: &Word, used: LfUse, site: Site) -> Read<LogFormat> {
        let read = match shape::log_format(word) {
            Ok(read) => read,
            Err(error) => return self.misshapen("log-format", word, &error),
        };
        let merge = matches!(used, LfUse::Log | LfUse::UniqueId);
        let mut default = LfOptions {
            mandatory: used == LfUse::Log,
            http: matches!(used, LfUse::Http | LfUse::UniqueId),
            ..LfOptions::default()
        };
        let mut nodes = Vec::new();
        let mut whole = true;
        let (mut encoding, mut bin) = (None, false);
        for item in &read.items {
            match item {
                shape::Item::Text(text) => push_text(text, merge, default, &mut nodes),
                shape::Item::Alias { alias, name, modifiers, at } => {
                    let (opts, binary) = self.options(modifiers, default, word);
                    let (name, cast) = self.item_name(name.as_deref(), word, at.clone());
                    match self.alias(alias, word, at.clone()) {
                        Some(A::Nothing) => {
                            default = opts;
                            bin = binary.unwrap_or(bin);
                            encoding = opts.encoding;
                        }
                        Some(alias) => nodes.push(LfNode { item: LfItem::Alias(alias), opts, name, cast }),
                        None => whole = false,
                    }
                }
                shape::Item::Expr { sample, text, name, modifiers, at } => {
                    let (opts, _) = self.options(modifiers, default, word);
                    let (name, cast) = self.item_name(name.as_deref(), word, at.clone());
                    let before = self.said.len();
                    let expr = match text.ends_with(',') {
                        // The bracket is taken for a converter.
                        true => self.alert(
                            Reason::UnknownKeyword,
                            word.part(at.clone()),
                            "unknown converter ''.".to_owned(),
                        ),
                        false => self.resolve(sample, word, text.clone(), site),
                    };
                    // HAProxy shows the string from there to its end.
                    let rest = &word.text()[at.start..];
                    self.within(before, |message| {
                        message.insert_str(0, &format!("failed to parse sample expression <{rest}> : "));
                    });
                    match expr {
                        Some(expr) => {
                            nodes.push(LfNode { item: LfItem::Expr(Box::new(expr)), opts, name, cast })
                        }
                        None => whole = false,
                    }
                }
            }
        }
        whole.then(|| LogFormat { nodes, text: word.text().into(), encoding, bin })
    }

    /// A string that is meant as it is.
    #[must_use]
    pub fn literal(text: &str) -> LogFormat {
        let mut nodes = Vec::new();
        push_text(text, false, LfOptions::default(), &mut nodes);
        LogFormat { nodes, text: text.into(), ..LogFormat::default() }
    }

    fn alias(&mut self, name: &str, word: &Word, at: std::ops::Range<usize>) -> Read<A> {
        match ALIASES.iter().find(|(known, ..)| *known == name) {
            Some((_, alias, of_http)) => {
                // Versions before 3.0 refused it.
                if *of_http && !self.owner.http {
                    let message =
                        format!("format variable '{name}' says nothing of a connection in TCP mode.");
                    self.say(Diagnostic::warning(Reason::NotAllowedHere, word.part(at), message));
                }
                self.reads_server_addresses |=
                    matches!(alias, A::BackendIp | A::BackendPort | A::ServerIp | A::ServerPort);
                self.reads_request_line |= matches!(
                    alias,
                    A::RequestLine
                        | A::HttpMethod
                        | A::HttpPath
                        | A::HttpPathOnly
                        | A::HttpQuery
                        | A::HttpUri
                        | A::HttpVersion
                );
                Some(*alias)
            }
            None => {
                let message = format!(
                    "no such format variable '{name}'. If you wanted to emit the '%' character verbatim, you need \
                     to use '%%'."
                );
                let d = Diagnostic::alert(Reason::UnknownKeyword, word.part(at), message);
                let near = suggest::nearest(name, ALIASES.iter().map(|(name, ..)| *name));
                self.say(near.into_iter().fold(d, |d, near| d.help(format!("did you mean '%{near}'?"))));
                None
            }
        }
    }

    /// `name:type` of an item.
    fn item_name(
        &mut self,
        name: Option<&str>,
        word: &Word,
        at: std::ops::Range<usize>,
    ) -> (Option<Box<str>>, Option<SampleType>) {
        let Some(text) = name else { return (None, None) };
        let (name, kind) = text.split_once(':').unwrap_or((text, ""));
        let cast = match kind {
            "" => None,
            "str" => Some(SampleType::Str),
            "sint" => Some(SampleType::Int),
            "bool" => Some(SampleType::Bool),
            other => {
                let message = format!("type '{other}' of the log-format item '{text}' is unknown.");
                let d = Diagnostic::alert(Reason::InvalidValue, word.part(at), message);
                self.say(d.help("there are: str, sint, bool"));
                None
            }
        };
        ((!name.is_empty()).then(|| name.into()), cast)
    }

    /// Options of an item, and what is said of `bin`, which only counts for the whole string.
    fn options(
        &mut self,
        modifiers: &[shape::Modifier],
        default: LfOptions,
        word: &Word,
    ) -> (LfOptions, Option<bool>) {
        let mut opts = default;
        let mut bin = None;
        for modifier in modifiers {
            match modifier.name.as_str() {
                "M" => opts.mandatory = modifier.on,
                "Q" => opts.quote = modifier.on,
                "X" => opts.hex = modifier.on,
                "E" => opts.escape = modifier.on,
                "bin" => bin = Some(modifier.on),
                // A header cannot hold what is encoded.
                "json" | "cbor" if default.http => {}
                "json" => opts.encoding = modifier.on.then_some(LfEncoding::Json),
                "cbor" => opts.encoding = modifier.on.then_some(LfEncoding::Cbor),
                other => {
                    // HAProxy ignores what it does not know.
                    let message = format!("log-format option '{other}' has no effect.");
                    let d = Diagnostic::warning(Reason::NoEffect, word.part(modifier.at.clone()), message);
                    self.say(
                        d.help("there are 'Q' (quote), 'X' (hexadecimal), 'E' (escape), 'M' (mandatory), 'bin', 'json', 'cbor'"),
                    );
                }
            }
        }
        (opts, bin)
    }
}

/// Text, with runs of blanks as separators where they merge.
fn push_text(text: &str, merge: bool, opts: LfOptions, nodes: &mut Vec<LfNode>) {
    let mut push = |item| nodes.push(LfNode { item, opts, name: None, cast: None });
    if !merge {
        if !text.is_empty() {
            push(LfItem::Text(bytes_of(text).into()));
        }
        return;
    }
    let mut rest = text;
    while !rest.is_empty() {
        let blanks = rest.len() - rest.trim_start_matches(' ').len();
        if blanks > 0 {
            push(LfItem::Separator);
            rest = &rest[blanks..];
        } else {
            let end = rest.find(' ').unwrap_or(rest.len());
            push(LfItem::Text(bytes_of(&rest[..end]).into()));
            rest = &rest[end..];
        }
    }
}
