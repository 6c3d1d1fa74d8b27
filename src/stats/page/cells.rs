//! Pieces of cells: escaped text, grouped numbers, ages.

use std::fmt::Write;

/// Text that cannot become markup.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A number in groups of three. The gaps are style, so that text taken from the page is the plain number.
pub(super) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    let head = digits.len() % 3;
    let mut at = 0;
    while at < digits.len() {
        let end = if at == 0 && head > 0 { head } else { at + 3 };
        let last = end >= digits.len();
        // Writing into a String cannot fail.
        let _ = if last {
            write!(out, "{}", &digits[at..end])
        } else {
            write!(out, "<span class=\"t\">{}</span>", &digits[at..end])
        };
        at = end;
    }
    out
}

/// Seconds in the two greatest units that apply: `34m41s`, `1h2m`, `3d4h`. Negative: unknown.
pub(super) fn age(seconds: i64) -> String {
    let Ok(s) = u64::try_from(seconds) else { return "?".into() };
    let pair = |big: u64, b: &str, small: u64, l: &str| {
        if small > 0 { format!("{big}{b}{small}{l}") } else { format!("{big}{b}") }
    };
    match s {
        86400.. => pair(s / 86400, "d", s % 86400 / 3600, "h"),
        3600.. => pair(s / 3600, "h", s % 3600 / 60, "m"),
        60.. => pair(s / 60, "m", s % 60, "s"),
        _ => format!("{s}s"),
    }
}

/// A value with more about it that opens when pointed at or touched.
pub(super) fn tip(shown: &str, more: &str) -> String {
    format!("<u tabindex=\"0\">{shown}<div class=\"tips\">{more}</div></u>")
}

/// A table of names and values for [`tip`].
pub(super) fn details(rows: &[(&str, String)]) -> String {
    let mut out = String::from("<table>");
    for (name, value) in rows {
        let _ = write!(out, "<tr><th>{name}</th><td>{value}</td></tr>");
    }
    out + "</table>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits_and_ages_two_units() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_234_567).replace("<span class=\"t\">", "").replace("</span>", ""), "1234567");
        for (seconds, text) in [
            (-1, "?"),
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (2081, "34m41s"),
            (3725, "1h2m"),
            (90_000, "1d1h"),
        ] {
            assert_eq!(age(seconds), text);
        }
    }

    #[test]
    fn markup_in_names_is_text() {
        assert_eq!(escape("<b>&\"'"), "&lt;b&gt;&amp;&quot;&#39;");
    }
}
