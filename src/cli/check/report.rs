//! What was found, in the forms that people and tools read.

use serde::Serialize;
use serde_json::{Value, json};
use tandem_parser::{Diagnostic, Reason, Severity, Sources, Span};

use super::dialect::Dialect;

/// `--format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Format {
    /// Lines with the source and a caret, on standard error; the verdicts on standard output.
    #[default]
    Human,
    /// One JSON document on standard output.
    Json,
    /// SARIF 2.1.0 on standard output, for code review tools.
    Sarif,
}

/// One message with its place resolved.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    severity: &'static str,
    /// A name that does not change when the wording does.
    reason: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Region>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    help: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<Fix>,
}

/// Lines and columns count from 1; columns are bytes; the end is the first byte after.
#[derive(Clone, Debug, Serialize)]
struct Region {
    file: String,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
}

/// Text that, put in place of a region, mends it.
#[derive(Clone, Debug, Serialize)]
struct Fix {
    #[serde(flatten)]
    replaces: Region,
    text: String,
}

impl Region {
    fn new(span: Span, sources: &Sources) -> Self {
        let (line, column) = sources.line_column(span);
        let (end_line, end_column) = sources.line_column(Span { start: span.end, ..span });
        Self { file: sources.name(span.file).to_owned(), line, column, end_line, end_column }
    }

    fn sarif(&self) -> Value {
        json!({
            "artifactLocation": { "uri": self.file },
            "region": self.sarif_region(),
        })
    }

    fn sarif_region(&self) -> Value {
        json!({
            "startLine": self.line, "startColumn": self.column,
            "endLine": self.end_line, "endColumn": self.end_column,
        })
    }
}

impl Finding {
    pub(super) fn new(diagnostic: &Diagnostic, sources: &Sources) -> Self {
        Self {
            severity: match diagnostic.severity {
                Severity::Alert => "error",
                Severity::Warning => "warning",
                Severity::Notice => "note",
            },
            reason: kebab(diagnostic.reason),
            message: diagnostic.message.clone(),
            place: diagnostic.span.map(|span| Region::new(span, sources)),
            label: diagnostic.label.clone(),
            help: diagnostic.help.clone(),
            fix: diagnostic
                .edit
                .as_ref()
                .map(|edit| Fix { replaces: Region::new(edit.span, sources), text: edit.text.clone() }),
        }
    }

    fn sarif(&self) -> Value {
        let mut text = self.message.clone();
        for help in &self.help {
            text.push('\n');
            text.push_str(help);
        }
        let mut result =
            json!({ "ruleId": self.reason, "level": self.severity, "message": { "text": text } });
        if let Some(place) = &self.place {
            result["locations"] = json!([{ "physicalLocation": place.sarif() }]);
        }
        if let Some(fix) = &self.fix {
            result["fixes"] = json!([{
                "artifactChanges": [{
                    "artifactLocation": { "uri": fix.replaces.file },
                    "replacements": [{
                        "deletedRegion": fix.replaces.sarif_region(),
                        "insertedContent": { "text": fix.text },
                    }],
                }],
            }]);
        }
        result
    }
}

/// `UnknownKeyword` as `unknown-keyword`.
fn kebab(reason: Reason) -> String {
    let mut name = String::new();
    for letter in format!("{reason:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// The verdict on one configuration: one file, or several that are read as one.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Judged {
    pub(super) files: Vec<String>,
    #[serde(serialize_with = "dialect")]
    pub(super) dialect: Dialect,
    pub(super) valid: bool,
}

fn dialect<S: serde::Serializer>(dialect: &Dialect, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(dialect.name())
}

/// Everything about a run as one JSON document.
pub(super) fn json(judged: &[Judged], findings: &[Finding]) -> String {
    let valid = judged.iter().all(|one| one.valid);
    pretty(&json!({ "valid": valid, "configurations": judged, "diagnostics": findings }))
}

/// The same as SARIF 2.1.0 (OASIS), one run.
pub(super) fn sarif(findings: &[Finding]) -> String {
    let mut rules: Vec<&str> = findings.iter().map(|finding| finding.reason.as_str()).collect();
    rules.sort_unstable();
    rules.dedup();
    let rules: Vec<Value> = rules.into_iter().map(|id| json!({ "id": id })).collect();
    let results: Vec<Value> = findings.iter().map(Finding::sarif).collect();
    pretty(&json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "tandem", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    }))
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tandem_parser::FileId;

    fn finding() -> Finding {
        let mut sources = Sources::new();
        let id = sources.add("a.cfg", "global\n  clitimeout 5\n");
        let span = Span { file: id, start: 9, end: 19 };
        let diagnostic =
            Diagnostic::warning(Reason::Retired, span, "old").help("write the new").edit(span, "new");
        assert_eq!(id, FileId(0));
        Finding::new(&diagnostic, &sources)
    }

    #[test]
    fn places_count_from_one() {
        let judged = Judged { files: vec!["a.cfg".into()], dialect: Dialect::Haproxy, valid: true };
        let text = json(&[judged], &[finding()]);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["valid"], true);
        assert_eq!(value["configurations"][0]["dialect"], "haproxy.cfg");
        let first = &value["diagnostics"][0];
        assert_eq!(first["reason"], "retired");
        assert_eq!(first["place"], json!({"file":"a.cfg","line":2,"column":3,"end_line":2,"end_column":13}));
        assert_eq!(first["fix"]["text"], "new");
        assert_eq!(first["fix"]["line"], 2);
    }

    #[test]
    fn sarif_has_what_reviewers_need() {
        let value: Value = serde_json::from_str(&sarif(&[finding()])).unwrap();
        let result = &value["runs"][0]["results"][0];
        assert_eq!(result["level"], "warning");
        assert_eq!(result["message"]["text"], "old\nwrite the new");
        assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startColumn"], 3);
        let replacement = &result["fixes"][0]["artifactChanges"][0]["replacements"][0];
        assert_eq!(replacement["insertedContent"]["text"], "new");
        assert_eq!(value["runs"][0]["tool"]["driver"]["rules"][0]["id"], "retired");
    }
}
