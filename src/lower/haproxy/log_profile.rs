//! `log-profile` sections.

use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::haproxy::{Section, Statement};

use super::super::expr::{Language, LfUse, Read, Site};
use crate::ir::log::{LogProfile, LogStep, StepLine};

/// Reads a section.
pub(super) fn read(language: &mut Language<'_>, section: &Section) -> Option<LogProfile> {
    let mut profile = LogProfile { name: section.name.as_ref()?.text().to_owned(), ..LogProfile::default() };
    for line in &section.statements {
        match line.name() {
            "log-tag" => profile.tag = line.text(0).map(str::to_owned),
            "on" => profile.steps.extend(on(language, line)),
            _ => {}
        }
    }
    Some(profile)
}

/// `on STEP [drop] [format FMT] [sd FMT]`.
fn on(language: &mut Language<'_>, line: &Statement) -> Read<(Option<LogStep>, StepLine)> {
    let step = match line.text(0)? {
        "any" => None,
        // Nothing is ever written there: QUIC is not spoken.
        "quic-init" => return None,
        name => Some(LogStep::NAMES.iter().find(|(known, _)| *known == name)?.1),
    };
    let mut said = StepLine::default();
    for setting in line.settings(1) {
        let format = |language: &mut Language<'_>| {
            let word = setting.word(0)?;
            language.log_format(word, LfUse::Log, Site::Log)
        };
        match setting.name() {
            "drop" => said.drop = true,
            "format" => said.format = format(language),
            "sd" => said.data = format(language),
            _ => {}
        }
    }
    Some((step, said))
}

/// `log-steps`: names separated by commas, or `all`.
pub(super) fn steps(context: &mut super::context::Context<'_>, line: &Statement) -> Vec<LogStep> {
    let Some(word) = line.word(0) else { return Vec::new() };
    let known = &LogStep::NAMES[..5];
    if word == "all" {
        return known.iter().map(|(_, step)| *step).collect();
    }
    let mut steps = Vec::new();
    for name in word.split(',') {
        match known.iter().find(|(known, _)| *known == name) {
            Some((_, step)) => steps.push(*step),
            None => {
                let message = format!("'log-steps' : unknown step '{name}'.");
                let d = Diagnostic::alert(Reason::InvalidValue, word.span, message);
                let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                context.say(d.help(format!("there are: all, {}", names.join(", "))));
            }
        }
    }
    steps
}
