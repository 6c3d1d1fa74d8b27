//! `tandem keywords`: every word of both languages, where it may stand, and what it does here; `haproxy -dK` says it in
//! HAProxy's format.

mod book;
mod dump;
mod forms;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::ValueEnum;

use super::print;
pub(super) use dump::dump;

/// How the book is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// Two lines a word, for a terminal.
    #[default]
    Table,
    /// A chapter per kind of word, with a summary at the beginning.
    Markdown,
    /// One object a word.
    Json,
}

/// Prints the rows that contain `word`, or the whole book.
pub(super) fn main(word: Option<&str>, form: Form) -> ExitCode {
    let mut entries = book::entries();
    if let Some(word) = word {
        entries
            .retain(|entry| entry.name.contains(word) || entry.place == word || entry.class.name() == word);
    }
    print(&match form {
        Form::Table => forms::table(&entries),
        Form::Markdown => forms::markdown(&entries),
        Form::Json => forms::json(&entries),
    });
    if entries.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
