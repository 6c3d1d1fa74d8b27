//! Included files, as the caller finds them.

/// Which keyword asked, and so what counts as an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IncludeKind {
    /// Unreadable, a directory or executable is an error (`includer` and all below; the main file).
    pub readable: bool,
    /// No file for a name without wildcards is an error (`includem`, `includew`, `includea`).
    pub matched: bool,
    /// No file for a pattern is an error (`includew`, `includea`).
    pub wildcard: bool,
    /// Every alternative of `{a,b}` must exist (`includeb`, `includea`).
    pub braces: bool,
}

impl IncludeKind {
    /// The kind of `include`, `includer`, `includem`, `includew`, `includeb` or `includea`.
    #[must_use]
    pub fn of(letter: Option<char>) -> Self {
        let kind = |matched, wildcard, braces| Self { readable: true, matched, wildcard, braces };
        match letter {
            None => Self::default(),
            Some('a') => kind(true, true, true),
            Some('w') => kind(true, true, false),
            Some('m') => kind(true, false, false),
            Some('b') => kind(false, false, true),
            Some(_) => kind(false, false, false),
        }
    }

    /// This kind, and what `include_check` demands on top.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            readable: self.readable || other.readable,
            matched: self.matched || other.matched,
            wildcard: self.wildcard || other.wildcard,
            braces: self.braces || other.braces,
        }
    }
}

/// One file a pattern matched.
#[derive(Clone, Debug)]
pub struct IncludedFile {
    /// Name as the pattern spells it; messages show it.
    pub name: String,
    /// Directory the file is in; its own includes start from there.
    pub directory: String,
    /// Its bytes, or why it was skipped, in keepalived's words.
    pub text: Result<Vec<u8>, String>,
}

/// What a pattern matched.
#[derive(Clone, Debug, Default)]
pub struct IncludeMatch {
    /// In the order they are read (sorted by name).
    pub files: Vec<IncludedFile>,
    /// A name, or an alternative of braces, has no file.
    pub missing: bool,
    /// The pattern has wildcards.
    pub wildcards: bool,
}

/// Gives the text of included files.
pub trait Includes {
    /// Files that match `pattern` (wildcards and braces), seen from `directory`.
    fn find(&mut self, pattern: &str, directory: &str) -> IncludeMatch;
    /// How many lines definitions and repetitions may bring in.
    fn most_expanded(&self) -> usize {
        MOST_EXPANDED
    }
}

/// More lines than definitions and repetitions bring in where somebody means them.
pub const MOST_EXPANDED: usize = 100_000;

/// Includes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoIncludes;

impl Includes for NoIncludes {
    fn find(&mut self, pattern: &str, _directory: &str) -> IncludeMatch {
        IncludeMatch { files: Vec::new(), missing: true, wildcards: pattern.contains(['*', '?', '[']) }
    }
}
