//! Settings of `server` lines whose values are expressions: they are read with the rules.

use tandem_parser::Word;
use tandem_parser::haproxy::{Statement, Value};

/// An extension of the header of the PROXY protocol.
pub(super) const TLV_FORMAT: &str = "set-proxy-v2-tlv-fmt";

/// Settings with expressions that say what a connection to the server is for.
const NAMES: &[&str] = &["sni", "pool-conn-name"];

/// Is this setting read with the rules?
fn is_format(setting: &Statement) -> bool {
    setting.name() == TLV_FORMAT || NAMES.contains(&setting.name())
}

/// Are there settings among these that are read with the rules?
pub(super) fn has_formats(settings: &Value) -> bool {
    matches!(settings, Value::Settings(list) if list.iter().any(is_format))
}

/// The expressions of a line that are only judged: TLS is not spoken, and pools belong to servers.
pub(super) fn names(line: &Statement) -> impl Iterator<Item = (&str, &Word)> {
    let settings = line.args.iter().flat_map(Value::settings);
    let names = settings.filter(|setting| NAMES.contains(&setting.name()));
    names.filter_map(|setting| Some((setting.name(), setting.word(0)?)))
}

/// Extensions of a line's PROXY header: type, and the format of the value where it has one.
pub(super) fn tlv_formats(line: &Statement) -> impl Iterator<Item = (Result<u8, String>, Option<&Word>)> {
    let settings = line.args.iter().flat_map(Value::settings);
    settings.filter(|setting| setting.name() == TLV_FORMAT).map(|setting| {
        let named = setting.word(0).filter(|word| word.starts_with(&format!("{TLV_FORMAT}(")));
        let kind = named.map_or(Ok(0), |word| tlv_type(word.text()));
        (kind, setting.word(usize::from(named.is_some())))
    })
}

/// The number in `set-proxy-v2-tlv-fmt(0xE1)`.
fn tlv_type(text: &str) -> Result<u8, String> {
    let inside = &text[TLV_FORMAT.len() + 1..];
    let (number, rest) = inside.split_at(inside.find(')').unwrap_or(inside.len()));
    let value = match number.strip_prefix("0x").or_else(|| number.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => number.parse(),
    };
    match value {
        Err(_) => Err(format!("'{text}' : could not convert TLV ID")),
        Ok(_) if rest != ")" => Err(format!("'{text}' : expects set-proxy-v2-tlv(<TLV ID>)")),
        Ok(value) => u8::try_from(value).map_err(|_| format!("'{text}' : the maximum allowed TLV ID is 255")),
    }
}
