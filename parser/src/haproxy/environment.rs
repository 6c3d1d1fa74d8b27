//! Environment variables as the configuration sees and changes them.

use std::collections::HashMap;

use super::tree::Statement;
use crate::lex::Variables;

/// What `setenv` and relatives changed.
#[derive(Clone, Debug, Default)]
pub struct Changed {
    /// `None`: it is removed.
    set: HashMap<String, Option<String>>,
    /// After `resetenv` only these show through.
    kept: Option<Vec<String>>,
}

impl Changed {
    /// The value of a variable, which was `before` ahead of the changes.
    pub fn get(&self, name: &str, before: impl FnOnce() -> Option<String>) -> Option<String> {
        if let Some(value) = self.set.get(name) {
            return value.clone();
        }
        if self.kept.as_ref().is_some_and(|kept| !kept.iter().any(|keep| keep == name)) {
            return None;
        }
        before()
    }
}

/// The caller's environment with the changes on top.
pub(super) struct Environment<'a> {
    base: &'a dyn Variables,
    pub changed: Changed,
    /// `.FILE`, `.LINE`, `.SECTION`
    pub file: String,
    pub line: u32,
    pub section: String,
}

impl<'a> Environment<'a> {
    pub(super) fn new(base: &'a dyn Variables) -> Self {
        Self { base, changed: Changed::default(), file: String::new(), line: 0, section: String::new() }
    }

    /// Applies a line of `global` that changes variables.
    pub(super) fn apply(&mut self, line: &Statement) {
        match line.name() {
            "setenv" | "presetenv" => {
                let (Some(name), Some(value)) = (line.text(0), line.text(1)) else { return };
                if line.name() == "setenv" || self.get(name).is_none() {
                    self.changed.set.insert(name.to_owned(), Some(value.to_owned()));
                }
            }
            "unsetenv" => {
                for name in line.words(0) {
                    self.changed.set.insert(name.text().to_owned(), None);
                }
            }
            "resetenv" => {
                let kept: Vec<_> = line.words(0).iter().map(|name| name.text().to_owned()).collect();
                self.changed.set.retain(|name, _| kept.contains(name));
                self.changed.kept = Some(kept);
            }
            _ => {}
        }
    }
}

impl Variables for Environment<'_> {
    fn get(&self, name: &str) -> Option<String> {
        match name {
            ".FILE" => return Some(self.file.clone()),
            ".LINE" => return Some(self.line.to_string()),
            ".SECTION" => return Some(self.section.clone()),
            _ => {}
        }
        self.changed.get(name, || self.base.get(name))
    }
}
