//! Every configuration file at hand, for tests of printing.

use std::path::{Path, PathBuf};

/// Files with this extension below a folder.
fn files(folder: &Path, extension: &str, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, extension, into);
        } else if path.extension().is_some_and(|other| other == extension) {
            into.push(path);
        }
    }
}

/// Checks that what is printed of a file reads, and prints, as the same. `language` names its folder of the corpus.
pub(crate) fn same_after_printing(language: &str, extension: &str, printed: impl Fn(Vec<u8>) -> String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut paths = Vec::new();
    for folder in ["compat-fixtures", &format!("../shared/corpus/{language}"), "../shared/demos"] {
        files(&root.join(folder), extension, &mut paths);
    }
    assert!(!paths.is_empty());
    for path in paths {
        let once = printed(std::fs::read(&path).expect("readable"));
        let twice = printed(once.clone().into_bytes());
        for (nth, (one, two)) in once.lines().zip(twice.lines()).enumerate() {
            assert_eq!(one, two, "{} printed, line {}", path.display(), nth + 1);
        }
        assert_eq!(once.lines().count(), twice.lines().count(), "{}", path.display());
    }
}
