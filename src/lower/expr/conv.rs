//! Rows of the converters.

use std::net::Ipv6Addr;

use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::expr::Call;
use tandem_parser::lex::Word;
use tandem_parser::suggest;

use super::args::Args;
use super::known::{self, KnownConv};
use super::names::{self, Build, ConvRow};
use super::{Language, Read, conv_formats, map};
use crate::ir::expr::{
    Arith, Conv as C, DigestKind as D, Dir, HashKind as H, JsonInput, JsonStep, Operand, SampleType, TimeUnit,
};

/// All rows.
pub(super) const ROWS: &[&[ConvRow]] = &[TEXT, NUMBERS, ENCODINGS, conv_formats::ROWS, map::ROWS];

const fn row(name: &'static str, usage: &'static str, count: (usize, usize), build: Build<C>) -> ConvRow {
    ConvRow { name, usage, count, build }
}

const fn plain(name: &'static str, build: Build<C>) -> ConvRow {
    row(name, "", (0, 0), build)
}

const FIELD: &str = "(<index>,<delimiters>[,<count>])";

const TEXT: &[ConvRow] = &[
    plain("lower", |_, _| Some(C::Lower)),
    plain("upper", |_, _| Some(C::Upper)),
    plain("length", |_, _| Some(C::Length)),
    row("bytes", "(<offset>[,<length>])", (1, 2), |l, a| {
        let offset = match a.filled(0) {
            None => Operand::Int(0),
            Some(_) => a.operand(l, 0)?,
        };
        let offset = match offset {
            // Behind every end.
            Operand::Int(n) if n < 0 => {
                a.odd(l, 0, format!("'{n}' is negative, so nothing remains"));
                Operand::Int(i64::MAX)
            }
            offset => offset,
        };
        let length = match a.filled(1) {
            None => None,
            Some(_) => match a.operand(l, 1)? {
                Operand::Int(n) if n < 0 => {
                    a.odd(l, 1, format!("'{n}' is negative, so everything remains"));
                    None
                }
                Operand::Int(0) => {
                    a.odd(l, 1, "of length 0 nothing remains".to_owned());
                    Some(Operand::Int(0))
                }
                length => Some(length),
            },
        };
        Some(C::Bytes(offset, length))
    }),
    row("field", FIELD, (2, 3), |l, a| {
        let (index, delims, count) = field(l, a)?;
        Some(C::Field { index, delims, count })
    }),
    row("word", FIELD, (2, 3), |l, a| {
        let (index, delims, count) = field(l, a)?;
        Some(C::Word { index, delims, count })
    }),
    row("regsub", "(<regex>,<subst>[,<flags>])", (2, 3), |l, a| {
        let flags = a.opt(2).unwrap_or_default();
        if let Some(other) = flags.chars().find(|c| !matches!(c, 'i' | 'g')) {
            return a.invalid(l, 2, format!("invalid regex flag '{other}', only 'i' and 'g' are supported"));
        }
        let text = a.opt(0).unwrap_or_default();
        match crate::expr::pattern::regex(text, flags.contains('i')) {
            Ok(regex) => Some(C::RegSub { regex, replacement: a.bytes(1), global: flags.contains('g') }),
            Err(error) => a.invalid(l, 0, error),
        }
    }),
    row("concat", "([<start>],[<var>],[<end>])", (1, 3), |l, a| {
        Some(C::Concat { start: a.bytes(0), var: a.opt_other(l, 1)?, end: a.bytes(2) })
    }),
    row("add_item", "(<delim>,[<var>],[<suff>])", (2, 3), |l, a| {
        if a.filled(1).is_none() && a.filled(2).is_none() {
            return a.invalid(l, 1, "one of the optional arguments has to be nonempty");
        }
        Some(C::AddItem { delim: a.bytes(0), var: a.opt_other(l, 1)?, suffix: a.bytes(2) })
    }),
    row("strcmp", "(<var>)", (1, 1), |l, a| Some(C::Strcmp(a.other(l, 0)?))),
    row("secure_memcmp", "(<var>)", (1, 1), |l, a| Some(C::SecureCompare(a.other(l, 0)?))),
    row("iif", "(<true>,<false>)", (2, 2), |_, a| Some(C::Iif(a.bytes(0), a.bytes(1)))),
    plain("host_only", |_, _| Some(C::HostOnly)),
    plain("port_only", |_, _| Some(C::PortOnly)),
    row("ltrim", "([<chars>])", (0, 1), |_, a| Some(C::LTrim(a.bytes(0)))),
    row("rtrim", "([<chars>])", (0, 1), |_, a| Some(C::RTrim(a.bytes(0)))),
    plain("cut_crlf", |_, _| Some(C::CutCrlf)),
    row("param", "(<name>[,<delim>])", (1, 2), |l, a| {
        // The delimiter is a character or its code.
        let code = a.filled(1).and_then(|text| text.strip_prefix("0x"));
        let delim = match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(delim) => delim,
            None => a.delimiter(l, 1, b'&')?,
        };
        Some(C::Param(a.bytes(0), delim))
    }),
    plain("reverse", |_, _| Some(C::Reverse)),
    plain("reverse_dom", |_, _| Some(C::ReverseDom)),
    row("language", "(<value>[;<value>...][,<default>])", (1, 2), |_, a| {
        let list = a.opt(0).unwrap_or_default().split(';').map(|tag| tag.as_bytes().into()).collect();
        Some(C::Language(list, a.opt(1).map(|d| d.as_bytes().into())))
    }),
    plain("nbsrv", |_, _| Some(C::NbSrv)),
    plain("fe_exists", |_, _| Some(C::FrontendExists)),
    plain("srv_is_up", |_, _| Some(C::ServerIsUp)),
    plain("srv_queue", |_, _| Some(C::ServerQueue)),
    row("capture-req", "(<id>)", (1, 1), |l, a| Some(C::Capture(Dir::Req, a.position(l, 0)?))),
    row("capture-res", "(<id>)", (1, 1), |l, a| Some(C::Capture(Dir::Res, a.position(l, 0)?))),
];

const OPERAND: &str = "(<value>)";

const NUMBERS: &[ConvRow] = &[
    row("add", OPERAND, (1, 1), |l, a| Some(C::Arith(Arith::Add, a.operand(l, 0)?))),
    row("sub", OPERAND, (1, 1), |l, a| Some(C::Arith(Arith::Sub, a.operand(l, 0)?))),
    row("mul", OPERAND, (1, 1), |l, a| Some(C::Arith(Arith::Mul, a.operand(l, 0)?))),
    row("div", OPERAND, (1, 1), |l, a| Some(C::Arith(Arith::Div, a.operand(l, 0)?))),
    row("mod", OPERAND, (1, 1), |l, a| Some(C::Arith(Arith::Mod, a.operand(l, 0)?))),
    row("and", OPERAND, (1, 1), |l, a| Some(C::Arith(Arith::And, a.operand(l, 0)?))),
    row("or", OPERAND, (1, 1), |l, a| Some(C::Arith(Arith::Or, a.operand(l, 0)?))),
    row("xor", OPERAND, (1, 1), |l, a| Some(C::Arith(Arith::Xor, a.operand(l, 0)?))),
    plain("cpl", |_, _| Some(C::Complement)),
    plain("neg", |_, _| Some(C::Negate)),
    plain("not", |_, _| Some(C::Not)),
    plain("bool", |_, _| Some(C::Bool)),
    plain("odd", |_, _| Some(C::Odd)),
    plain("even", |_, _| Some(C::Even)),
    row("ipmask", "(<mask4>[,<mask6>])", (1, 2), |l, a| {
        let text = a.opt(0).unwrap_or_default();
        let Some(v4) = super::pattern::mask4(text) else {
            return a.unread(l, 0, "IPv4 mask");
        };
        let v6 = match a.filled(1) {
            None => None,
            Some(text) => match mask6(text) {
                Some(mask) => Some(mask),
                None => return a.unread(l, 1, "IPv6 mask"),
            },
        };
        Some(C::IpMask { v4, v6 })
    }),
];

const TIME: &str = "(<format>[,<offset>])";
const AVALANCHE: &str = "([<avalanche>])";

const ENCODINGS: &[ConvRow] = &[
    plain("hex", |_, _| Some(C::Hex)),
    plain("hex2i", |_, _| Some(C::HexToInt)),
    plain("base64", |_, _| Some(C::Base64)),
    plain("b64dec", |_, _| Some(C::Base64Dec)),
    plain("ub64enc", |_, _| Some(C::UrlBase64)),
    plain("ub64dec", |_, _| Some(C::UrlBase64Dec)),
    row("url_dec", "([<in_form>])", (0, 1), |l, a| Some(C::UrlDec { in_form: a.flag(l, 0)? })),
    row("url_enc", "([<enc_type>])", (0, 1), |l, a| match a.filled(0) {
        None | Some("query") => Some(C::UrlEnc),
        Some(_) => a.invalid(l, 0, "unexpected encode type; allowed value is 'query'"),
    }),
    row("be2dec", "(<separator>,<chunk_size>[,<truncate>])", (1, 3), |l, a| {
        let chunk = chunk(l, a, 8)?;
        Some(C::Be2Dec(a.bytes(0), chunk, truncates(l, a)?))
    }),
    row("le2dec", "(<separator>,<chunk_size>[,<truncate>])", (1, 3), |l, a| {
        let chunk = chunk(l, a, 8)?;
        Some(C::Le2Dec(a.bytes(0), chunk, truncates(l, a)?))
    }),
    row("be2hex", "([<separator>[,<chunk_size>[,<truncate>]]])", (0, 3), |l, a| {
        if a.filled(0).is_some() && a.filled(1).is_none() {
            return a.invalid(l, 1, "chunk_size needs to be positive (0)");
        }
        let chunk = if a.filled(1).is_some() { chunk(l, a, usize::MAX)? } else { 1 };
        Some(C::Be2Hex(a.bytes(0), chunk, truncates(l, a)?))
    }),
    plain("htonl", |_, _| Some(C::Htonl)),
    row("json", "([<input-code>])", (0, 1), |l, a| match a.filled(0) {
        None | Some("ascii") => Some(C::Json(JsonInput::Ascii)),
        Some("utf8") => Some(C::Json(JsonInput::Utf8)),
        Some("utf8s") => Some(C::Json(JsonInput::Utf8s)),
        Some("utf8p") => Some(C::Json(JsonInput::Utf8p)),
        Some("utf8ps") => Some(C::Json(JsonInput::Utf8ps)),
        Some(_) => a.invalid(
            l,
            0,
            "Unexpected input code type. Allowed value are 'ascii', 'utf8', 'utf8s', 'utf8p' and 'utf8ps'",
        ),
    }),
    row("json_query", "(<json_path>[,<output_type>])", (1, 2), |l, a| {
        let Some(text) = a.filled(0) else {
            return a.invalid(l, 0, "json_path must not be empty");
        };
        let path = path(l, a, text);
        match a.filled(1) {
            None => Some(C::JsonQuery { path, as_int: false }),
            Some("int") => Some(C::JsonQuery { path, as_int: true }),
            Some(other) => a.invalid(l, 1, format!("output type '{other}' is not supported; there is 'int'")),
        }
    }),
    row("crc32", AVALANCHE, (0, 1), |l, a| Some(C::Hash(H::Crc32, a.flag(l, 0)?))),
    row("crc32c", AVALANCHE, (0, 1), |l, a| Some(C::Hash(H::Crc32c, a.flag(l, 0)?))),
    row("djb2", AVALANCHE, (0, 1), |l, a| Some(C::Hash(H::Djb2, a.flag(l, 0)?))),
    row("sdbm", AVALANCHE, (0, 1), |l, a| Some(C::Hash(H::Sdbm, a.flag(l, 0)?))),
    row("wt6", AVALANCHE, (0, 1), |l, a| Some(C::Hash(H::Wt6, a.flag(l, 0)?))),
    plain("sha1", |_, _| Some(C::Digest(D::Sha1))),
    row("sha2", "([<bits>])", (0, 1), |l, a| match a.opt_int(l, 0)? {
        Some(224) => Some(C::Digest(D::Sha224)),
        None | Some(256) => Some(C::Digest(D::Sha256)),
        Some(384) => Some(C::Digest(D::Sha384)),
        Some(512) => Some(C::Digest(D::Sha512)),
        Some(other) => a.invalid(l, 0, format!("Unsupported number of bits: '{other}'")),
    }),
    row("digest", "(<algorithm>)", (1, 1), |l, a| Some(C::Digest(algorithm(l, a)?))),
    row("hmac", "(<algorithm>,<key>)", (2, 2), |l, a| {
        Some(C::Hmac(algorithm(l, a)?, conv_formats::base64(l, a, 1, "key")?))
    }),
    row("ltime", TIME, (1, 2), |l, a| {
        Some(C::LocalTime(text(a), a.opt_int(l, 1)?.unwrap_or(0), TimeUnit::Seconds))
    }),
    row("ms_ltime", TIME, (1, 2), |l, a| {
        Some(C::LocalTime(text(a), a.opt_int(l, 1)?.unwrap_or(0), TimeUnit::Milliseconds))
    }),
    row("us_ltime", TIME, (1, 2), |l, a| {
        Some(C::LocalTime(text(a), a.opt_int(l, 1)?.unwrap_or(0), TimeUnit::Microseconds))
    }),
    row("utime", TIME, (1, 2), |l, a| {
        Some(C::UtcTime(text(a), a.opt_int(l, 1)?.unwrap_or(0), TimeUnit::Seconds))
    }),
    row("ms_utime", TIME, (1, 2), |l, a| {
        Some(C::UtcTime(text(a), a.opt_int(l, 1)?.unwrap_or(0), TimeUnit::Milliseconds))
    }),
    row("us_utime", TIME, (1, 2), |l, a| {
        Some(C::UtcTime(text(a), a.opt_int(l, 1)?.unwrap_or(0), TimeUnit::Microseconds))
    }),
    row("http_date", "([<offset>[,<unit>]])", (0, 2), |l, a| {
        Some(C::HttpDate(a.opt_int(l, 0)?.unwrap_or(0), a.unit(l, 1)?))
    }),
];

fn text(a: &Args<'_>) -> Box<str> {
    a.opt(0).unwrap_or_default().into()
}

fn field(l: &mut Language<'_>, a: &Args<'_>) -> Read<(i64, Box<[u8]>, i64)> {
    let index = a.int(l, 0)?;
    if index == 0 {
        return a.invalid(l, 0, "Unexpected value 0 for index");
    }
    if a.filled(1).is_none() {
        return a.invalid(l, 1, "Empty separators list");
    }
    let count = a.opt_int(l, 2)?.unwrap_or(1);
    if count < 0 {
        a.odd(l, 2, "the count is negative and means what 0 means: all that follow".to_owned());
    }
    Some((index, a.bytes(1), count.max(0)))
}

/// Whether what remains of the input is left out.
fn truncates(l: &mut Language<'_>, a: &Args<'_>) -> Read<bool> {
    match a.opt_int(l, 2)?.unwrap_or(0) {
        0 => Some(false),
        1 => Some(true),
        other => a.invalid(l, 2, format!("Unsupported truncate value ({other})")),
    }
}

fn chunk(l: &mut Language<'_>, a: &Args<'_>, max: usize) -> Read<usize> {
    let size = a.opt_int(l, 1)?.unwrap_or(0);
    match usize::try_from(size) {
        Ok(size) if (1..=max).contains(&size) => Some(size),
        _ => a.invalid(l, 1, format!("chunk_size out of [1..8] range ({size})")),
    }
}

fn algorithm(l: &mut Language<'_>, a: &Args<'_>) -> Read<D> {
    match a.opt(0).unwrap_or_default().to_ascii_lowercase().replace('-', "").as_str() {
        "md5" => Some(D::Md5),
        "sha1" => Some(D::Sha1),
        "sha224" => Some(D::Sha224),
        "sha256" => Some(D::Sha256),
        "sha384" => Some(D::Sha384),
        "sha512" => Some(D::Sha512),
        _ => a.invalid(l, 0, "algorithm must be a valid OpenSSL message digest name."),
    }
}

fn mask6(text: &str) -> Option<u128> {
    match text.parse::<u32>() {
        Ok(len @ 1..=128) => Some(u128::MAX << (128 - len)),
        Ok(0) => Some(0),
        Ok(_) => None,
        Err(_) => text.parse::<Ipv6Addr>().ok().map(u128::from),
    }
}

/// A path; HAProxy takes ones that name nothing.
pub(super) fn path(l: &mut Language<'_>, a: &Args<'_>, text: &str) -> Vec<JsonStep> {
    json_path(text).unwrap_or_else(|| {
        a.odd(l, 0, format!("'{text}' is no JSON path, which starts with '$'; nothing will be found"));
        vec![JsonStep::Index(usize::MAX)]
    })
}

/// `$.a.b[0]`
pub(super) fn json_path(text: &str) -> Option<Vec<JsonStep>> {
    let mut rest = text.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            // A backslash takes the meaning from a dot or a bracket.
            let (mut name, mut chars) = (String::new(), after.char_indices());
            let mut end = after.len();
            while let Some((at, c)) = chars.next() {
                match c {
                    '\\' => name.extend(chars.next().map(|(_, c)| c)),
                    '.' | '[' => {
                        end = at;
                        break;
                    }
                    c => name.push(c),
                }
            }
            if name.is_empty() {
                return None;
            }
            steps.push(JsonStep::Member(name.into()));
            rest = &after[end..];
        } else {
            let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
            steps.push(JsonStep::Index(index.parse().ok()?));
            rest = after;
        }
    }
    Some(steps)
}

/// Is this the name of a converter?
pub(super) fn is_known(name: &str) -> bool {
    names::conv_row(name).is_some() || known::conv(name).is_some() || name.starts_with("lua.")
}

/// A converter, or what is known of one that this build has not.
pub(super) enum Found {
    Done(C),
    Missing(KnownConv),
}

/// Converters that scripts define: of any type.
const SCRIPTED: KnownConv =
    KnownConv { args: "?sssssssssss", input: SampleType::Any, out: Some(SampleType::Any) };

impl Language<'_> {
    /// A converter.
    pub(super) fn conv(&mut self, call: &Call, word: &Word) -> Read<Found> {
        let args = Args::of_converter(call, word);
        if let Some(row) = names::conv_row(&call.name) {
            args.count(self, row.count.0, row.count.1)?;
            let before = self.said.len();
            let conv = (row.build)(self, &args);
            self.precede(before, &args.invalid_args());
            return conv.map(Found::Done);
        }
        let name = &call.name;
        let scripted = (name.starts_with("lua.") && self.world.lua()).then_some(SCRIPTED);
        if let Some(known) = known::conv(name).or(scripted) {
            known::check(self, &args, known.args)?;
            let why = names::conv_later(name).unwrap_or(names::LATER);
            let message = format!("converter '{name}' cannot be used : {why}.");
            self.alert::<()>(Reason::Refused, args.name_span(), message);
            return Some(Found::Missing(known));
        }
        let d = Diagnostic::alert(
            Reason::UnknownKeyword,
            args.name_span(),
            format!("unknown converter '{name}'."),
        );
        let near = suggest::nearest(name, known::conv_names());
        self.say(near.into_iter().fold(d, |d, near| d.help(format!("did you mean '{near}'?"))));
        None
    }
}
