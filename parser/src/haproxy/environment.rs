//! Environment variables as the configuration sees and changes them.

use std::collections::HashMap;

use super::tree::Statement;
use crate::lex::Variables;

/// The caller's environment with what `setenv` and relatives changed on top.
pub(super) struct Environment<'a> {
    base: &'a dyn Variables,
    changed: HashMap<String, Option<String>>,
    /// After `resetenv` only these show through.
    kept: Option<Vec<String>>,
    /// `.FILE`, `.LINE`, `.SECTION`
    pub file: String,
    pub line: u32,
    pub section: String,
}

impl<'a> Environment<'a> {
    pub(super) fn new(base: &'a dyn Variables) -> Self {
        Self {
            base,
            changed: HashMap::new(),
            kept: None,
            file: String::new(),
            line: 0,
            section: String::new(),
        }
    }

    /// Applies a line of `global` that changes variables.
    pub(super) fn apply(&mut self, line: &Statement) {
        match line.name() {
            "setenv" | "presetenv" => {
                let (Some(name), Some(value)) = (line.text(0), line.text(1)) else { return };
                if line.name() == "setenv" || self.get(name).is_none() {
                    self.changed.insert(name.to_owned(), Some(value.to_owned()));
                }
            }
            "unsetenv" => {
                for name in line.words(0) {
                    self.changed.insert(name.text().to_owned(), None);
                }
            }
            "resetenv" => {
                let kept: Vec<_> = line.words(0).iter().map(|name| name.text().to_owned()).collect();
                self.changed.retain(|name, _| kept.contains(name));
                self.kept = Some(kept);
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
        if let Some(value) = self.changed.get(name) {
            return value.clone();
        }
        if self.kept.as_ref().is_some_and(|kept| !kept.iter().any(|keep| keep == name)) {
            return None;
        }
        self.base.get(name)
    }
}
