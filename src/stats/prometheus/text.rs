//! The text format, version 0.0.4: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::{Display, Write};

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Counter,
    Gauge,
    Histogram,
}

/// The text so far.
#[derive(Debug, Default)]
pub(super) struct Text(pub(super) String);

impl Text {
    /// The lines that introduce a metric.
    pub(super) fn head(&mut self, name: &str, help: &str, kind: Type) {
        let kind = match kind {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
            Type::Histogram => "histogram",
        };
        // Writing into a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}.\n# TYPE {name} {kind}");
    }

    /// One value. `labels` are as [`label`] writes them; `more` is one more pair.
    pub(super) fn value(
        &mut self,
        name: &str,
        labels: &str,
        more: Option<(&str, &str)>,
        value: impl Display,
    ) {
        self.name(name, labels, more);
        let _ = writeln!(self.0, "{value}");
    }

    /// The same for a whole number. Most lines are such, and there may be hundreds of thousands.
    pub(super) fn int(&mut self, name: &str, labels: &str, more: Option<(&str, &str)>, value: u64) {
        self.name(name, labels, more);
        let mut digits = [0; 20];
        let (mut at, mut rest) = (digits.len(), value);
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.0.extend(digits[at..].iter().map(|digit| char::from(*digit)));
        self.0.push('\n');
    }

    /// Everything before the value.
    fn name(&mut self, name: &str, labels: &str, more: Option<(&str, &str)>) {
        let out = &mut self.0;
        out.push_str(name);
        if !labels.is_empty() || more.is_some() {
            out.push('{');
            out.push_str(labels);
            if let Some((key, value)) = more {
                if !labels.is_empty() {
                    out.push(',');
                }
                out.push_str(key);
                out.push_str("=\"");
                out.push_str(value);
                out.push('"');
            }
            out.push('}');
        }
        out.push(' ');
    }
}

/// Adds `name="value"`, after a comma if it is not the first.
pub(super) fn label(out: &mut String, name: &str, value: &str) {
    if !out.is_empty() {
        out.push(',');
    }
    out.push_str(name);
    out.push_str("=\"");
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_separated() {
        let mut labels = String::new();
        label(&mut labels, "a", "x\"\\\n");
        label(&mut labels, "b", "y");
        let mut text = Text::default();
        text.value("m", &labels, Some(("le", "1")), 7);
        text.value("m", "", None, "NaN");
        text.int("m", "", Some(("a", "b")), u64::MAX);
        text.int("m", "", None, 0);
        let expected =
            "m{a=\"x\\\"\\\\\\n\",b=\"y\",le=\"1\"} 7\nm NaN\nm{a=\"b\"} 18446744073709551615\nm 0\n";
        assert_eq!(text.0, expected);
    }
}
