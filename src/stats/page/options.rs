//! What the address of the page asks for: `/stats;up;norefresh?scope=web`.

use std::fmt;

/// Form of the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The page.
    #[default]
    Html,
    /// `;csv`.
    Csv,
    /// `;json`.
    Json,
    /// `;typed`.
    Typed,
    /// `;json-schema`.
    JsonSchema,
}

/// What came of a form that was sent (`;st=`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done,
    /// No server was marked.
    None,
    /// Some servers are unknown.
    Partial,
    /// Action, backend or all servers are unknown.
    Invalid,
    /// The form did not fit into a buffer.
    TooBig,
    /// Not allowed.
    Denied,
}

/// Outcomes and their codes.
const CODES: [(Outcome, &str); 6] = [
    (Outcome::Done, "DONE"),
    (Outcome::None, "NONE"),
    (Outcome::Partial, "PART"),
    (Outcome::Invalid, "ERRP"),
    (Outcome::TooBig, "EXCD"),
    (Outcome::Denied, "DENY"),
];

impl Outcome {
    /// The code in `;st=CODE`.
    #[must_use]
    pub fn code(self) -> &'static str {
        CODES.iter().find(|(o, _)| *o == self).map_or("UNKN", |(_, code)| code)
    }
}

/// Longest scope, as in the page's own input field.
const SCOPE_LEN: usize = 20;

/// The options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Form of the answer.
    pub form: Form,
    /// Leave out servers that are down.
    pub up: bool,
    /// Leave out servers in maintenance.
    pub no_maint: bool,
    /// Do not reload by itself.
    pub no_refresh: bool,
    /// Only proxies whose name contains this.
    pub scope: String,
    /// What to tell about a form that was sent.
    pub outcome: Option<Outcome>,
}

impl Options {
    /// Reads what stands after the page's own address.
    #[must_use]
    pub fn parse(tail: &str) -> Self {
        let mut options = Self::default();
        // A word counts wherever a semicolon stands before it, in the query too, and whatever follows.
        let has = |word: &str| tail.contains(word);
        (options.up, options.no_maint, options.no_refresh) =
            (has(";up"), has(";no-maint"), has(";norefresh"));
        // Of several forms the last of these.
        let forms = [
            (";csv", Form::Csv),
            (";typed", Form::Typed),
            (";json", Form::Json),
            (";json-schema", Form::JsonSchema),
        ];
        options.form = forms.iter().rfind(|(word, _)| has(word)).map_or(Form::Html, |(_, form)| *form);
        let code = tail.split_once(";st=").map_or("", |(_, code)| code);
        options.outcome =
            CODES.iter().find(|(_, known)| code.starts_with(known)).map(|(outcome, _)| *outcome);
        // Not only in the query: the address of the page may have one of its own.
        let scope =
            tail.split_once("scope=").map(|(_, rest)| rest.split(['&', ';']).next().unwrap_or_default());
        options.scope = scope.map(decode).unwrap_or_default().chars().take(SCOPE_LEN).collect();
        options
    }
}

/// As they stand in links: without form and outcome, beginning at the first `;` or `?`.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (set, word) in [(self.up, ";up"), (self.no_maint, ";no-maint"), (self.no_refresh, ";norefresh")] {
            if set {
                f.write_str(word)?;
            }
        }
        if !self.scope.is_empty() {
            f.write_str("?scope=")?;
            for byte in self.scope.bytes() {
                match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b':' => {
                        write!(f, "{}", byte as char)?;
                    }
                    byte => write!(f, "%{byte:02X}")?,
                }
            }
        }
        Ok(())
    }
}

/// Undoes `+` and `%XX` of form data.
#[must_use]
pub fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = |i: usize| bytes.get(i).and_then(|b| (*b as char).to_digit(16));
        match (byte, hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_read_back_from_links() {
        let options = Options::parse(";up;norefresh;st=DONE?scope=a%20b");
        assert_eq!(options.scope, "a b");
        assert_eq!(options.outcome, Some(Outcome::Done));
        assert_eq!(options.to_string(), ";up;norefresh?scope=a%20b");
        assert_eq!(Options::parse("").to_string(), "");
        for (tail, form) in [
            (";csv", Form::Csv),
            (";csv;norefresh", Form::Csv),
            ("&x;json", Form::Json),
            (";json-schema", Form::JsonSchema),
            (";csv;json", Form::Json),
            ("x", Form::Html),
        ] {
            assert_eq!(Options::parse(tail).form, form, "{tail}");
        }
        for tail in ["?scope=we", "&scope=we", ";scope=we;up", ";up?x=1&scope=we&y"] {
            assert_eq!(Options::parse(tail).scope, "we", "{tail}");
        }
    }

    #[test]
    fn broken_escapes_stay_as_they_are() {
        assert_eq!(decode("a%2"), "a%2");
        assert_eq!(decode("%zz+%23"), "%zz #");
    }
}
