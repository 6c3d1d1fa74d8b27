//! `--fix`: a file with old spellings replaced by today's, everything else left as it stands.

use tandem_parser::diagnostic::Edit;
use tandem_parser::{Diagnostic, FileId, Reason};

/// The replacements that change spelling and never meaning. A guess at a misspelt word is advice, not one of these.
pub(super) fn sure(diagnostics: &[Diagnostic]) -> Vec<Edit> {
    let safe = |reason| matches!(reason, Reason::Retired | Reason::MissingFinalNewline);
    diagnostics.iter().filter(|one| safe(one.reason)).filter_map(|one| one.edit.clone()).collect()
}

/// `text` (of `file`) with the edits made; of two that overlap, the first in the text is made. Gives how many were.
pub(super) fn apply(file: FileId, text: &[u8], edits: &[Edit]) -> (Vec<u8>, usize) {
    let mut edits: Vec<&Edit> = edits.iter().filter(|edit| edit.span.file == file).collect();
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    edits.dedup();
    let mut out = Vec::with_capacity(text.len());
    let (mut done, mut made) = (0, 0);
    for edit in edits {
        let (start, end) = (edit.span.start as usize, (edit.span.end as usize).min(text.len()));
        if start < done || start > end {
            continue;
        }
        out.extend_from_slice(&text[done..start]);
        out.extend_from_slice(edit.text.as_bytes());
        done = end;
        made += 1;
    }
    out.extend_from_slice(&text[done..]);
    (out, made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tandem_parser::Span;

    fn edit(start: u32, end: u32, text: &str) -> Edit {
        Edit { span: Span { file: FileId(0), start, end }, text: text.into() }
    }

    #[test]
    fn edits_keep_what_is_around_them() {
        let edits = [edit(4, 7, "TWO"), edit(0, 3, "1"), edit(5, 6, "overlaps"), edit(8, 8, "\n")];
        assert_eq!(apply(FileId(0), b"one two ", &edits), (b"1 TWO \n".to_vec(), 3));
        assert_eq!(apply(FileId(1), b"one two ", &edits), (b"one two ".to_vec(), 0));
    }
}
