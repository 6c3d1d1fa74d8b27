//! Where things stand in the sources: file ids, byte ranges, and the map back to lines.

use std::ops::Range;
use std::sync::Arc;

/// Index of a file in [`Sources`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// A byte range of one file. The default is the empty range at the start of the first file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span from a range of byte offsets. Offsets past 4 GiB are cut off; no such file is accepted.
    #[must_use]
    pub fn new(file: FileId, range: Range<usize>) -> Self {
        let cut = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { file, start: cut(range.start), end: cut(range.end) }
    }

    /// From the start of `self` to the end of `other`.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        Span { file: self.file, start: self.start, end: other.end.max(self.start) }
    }

    /// The part `range` of this span, counted from its start.
    #[must_use]
    pub fn part(self, range: Range<usize>) -> Span {
        let cut = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(self.start).min(self.end);
        Span { file: self.file, start: cut(range.start), end: cut(range.end) }
    }
}

/// One source text with its line index.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Name as given on the command line.
    pub name: Arc<str>,
    /// The bytes.
    pub text: Vec<u8>,
    /// Offset of the first byte of each line.
    lines: Vec<u32>,
}

/// All files of one load, in order.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file and returns its id.
    pub fn add(&mut self, name: impl Into<Arc<str>>, text: impl Into<Vec<u8>>) -> FileId {
        let text = text.into();
        let starts = text.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i + 1);
        let lines = std::iter::once(0)
            .chain(starts)
            .filter(|start| *start == 0 || *start < text.len())
            .map(|start| u32::try_from(start).unwrap_or(u32::MAX))
            .collect();
        self.files.push(SourceFile { name: name.into(), text, lines });
        FileId(u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX))
    }

    /// The file behind an id.
    ///
    /// # Panics
    /// If the id is not of this set.
    #[must_use]
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    /// Name of a file; `?` if the id is not of this set.
    #[must_use]
    pub fn name(&self, id: FileId) -> &str {
        self.files.get(id.0 as usize).map_or("?", |file| &*file.name)
    }

    /// Files in order.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        (0u32..).map(FileId).zip(&self.files)
    }

    /// 1-based line and 1-based byte column of the start of a span.
    #[must_use]
    pub fn line_column(&self, span: Span) -> (u32, u32) {
        self.files.get(span.file.0 as usize).map_or((0, 0), |file| file.line_column(span.start))
    }

    /// 1-based line of the start of a span.
    #[must_use]
    pub fn line(&self, span: Span) -> u32 {
        self.line_column(span).0
    }
}

impl SourceFile {
    /// 1-based line and 1-based byte column of an offset.
    #[must_use]
    pub fn line_column(&self, offset: u32) -> (u32, u32) {
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or(0);
        (u32::try_from(line).unwrap_or(u32::MAX), offset - start + 1)
    }

    /// Offset of the first byte of a 1-based line and its text without the line end.
    #[must_use]
    pub fn line_text(&self, line: u32) -> (u32, &[u8]) {
        let Some(&start) = self.lines.get((line as usize).saturating_sub(1)) else { return (0, b"") };
        let rest = &self.text[start as usize..];
        let end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        (start, rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]))
    }

    /// Number of lines.
    #[must_use]
    pub fn line_count(&self) -> usize {
        self.lines.len()
    }
}
