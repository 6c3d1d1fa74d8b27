//! `$NAME=TEXT` definitions and their replacement.

use std::collections::HashMap;

use super::word::definition_name;

/// Value of a definition.
#[derive(Clone, Debug)]
enum Value {
    Text(String),
    /// Every line but the last of a definition that ends its lines with `\`, then the last.
    Lines(Vec<String>),
    Random,
    Directory,
}

/// Why a replacement failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// A definition whose text leads back to itself.
    Recursive(String),
    /// The line would become longer than keepalived's 1023 bytes.
    TooLong,
}

/// Outcome of a replacement.
#[derive(Clone, Debug, Default)]
pub(super) struct Replaced {
    /// Anything was replaced.
    pub(super) any: bool,
    /// Further lines of a definition of several lines, with its name.
    pub(super) more: Option<(String, Vec<String>)>,
}

/// All definitions in force.
#[derive(Clone, Debug)]
pub(super) struct Defs {
    values: HashMap<String, Value>,
    random: u64,
    directory: String,
}

/// Longest line after replacement.
const LONGEST: usize = 1023;

impl Defs {
    pub(super) fn new(config_id: &str, directory: &str, seed: u64) -> Self {
        let values = [
            ("_PWD", Value::Directory),
            ("_INSTANCE", Value::Text(config_id.to_owned())),
            ("_RANDOM", Value::Random),
            ("_HASH", Value::Text("#".into())),
            ("_BANG", Value::Text("!".into())),
        ];
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { values, random: seed | 1, directory: directory.to_owned() }
    }

    pub(super) fn set_directory(&mut self, directory: &str) {
        directory.clone_into(&mut self.directory);
    }

    pub(super) fn set(&mut self, name: &str, text: &str) {
        self.values.insert(name.to_owned(), Value::Text(text.to_owned()));
    }

    /// Begins or ends a definition of several lines.
    pub(super) fn set_lines(&mut self, name: &str, lines: Vec<String>) {
        let value = if lines.len() > 1 { Value::Lines(lines) } else { Value::Text(lines.concat()) };
        self.values.insert(name.to_owned(), value);
    }

    fn random(&mut self, parameters: &str) -> String {
        let mut numbers = parameters.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
        let low = numbers.next().unwrap_or(0);
        let high = numbers.next().unwrap_or(32767).max(low);
        // xorshift64: enough for spreading timers.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (low + self.random % (high - low + 1)).to_string()
    }

    /// The definition a `$` at the start of `text` refers to: its name, its parameters, and the bytes it covers.
    fn reference<'a>(&self, text: &'a str) -> Option<(&'a str, &'a str, usize)> {
        let after = text.strip_prefix('$')?;
        let (inner, braces) = after.strip_prefix('{').map_or((after, false), |inner| (inner, true));
        let (rest, name) = definition_name(inner).ok()?;
        let value = self.values.get(name)?;
        let (parameters, covered, alone) = if braces {
            let end = rest.find('}')?;
            let parameters = &rest[..end];
            if !parameters.chars().all(|c| c == ' ' || c.is_ascii_digit()) || parameters.ends_with(' ') {
                return None;
            }
            if !parameters.is_empty() && !matches!(value, Value::Random) {
                return None;
            }
            (parameters, 2 + name.len() + end + 1, rest.len() == end + 1)
        } else {
            let next = rest.chars().next();
            if !matches!(next, None | Some(' ' | '\t' | ',' | ')')) {
                return None;
            }
            ("", 1 + name.len(), next.is_none())
        };
        // A definition of several lines must end the line.
        (alone || !matches!(value, Value::Lines(_))).then_some((name, parameters, covered))
    }

    /// Replaces every reference in `line`. Text that a definition brought in is searched again.
    pub(super) fn replace(&mut self, line: &mut String, inside: &[String]) -> Result<Replaced, Failure> {
        let mut done = Replaced::default();
        let mut at = 0;
        // Definitions whose text is being searched: name, and bytes from its end to the end of the line.
        let mut open: Vec<(String, usize)> = Vec::new();
        while let Some(found) = line.get(at..).and_then(|rest| rest.find('$')) {
            at += found;
            open.retain(|(_, tail)| line.len() - tail > at);
            let Some((name, parameters, covered)) = self.reference(&line[at..]) else {
                at += 1;
                continue;
            };
            let (name, parameters) = (name.to_owned(), parameters.to_owned());
            if open.iter().any(|(other, _)| *other == name) {
                return Err(Failure::Recursive(name));
            }
            let text = match self.values.get(&name) {
                Some(Value::Text(text)) => text.clone(),
                Some(Value::Directory) => self.directory.clone(),
                Some(Value::Random) => self.random(&parameters),
                Some(Value::Lines(lines)) => {
                    if inside.contains(&name) {
                        return Err(Failure::Recursive(name));
                    }
                    let first = lines.first().cloned().unwrap_or_default();
                    done.more = Some((name.clone(), lines.iter().skip(1).cloned().collect()));
                    first
                }
                None => String::new(),
            };
            done.any = true;
            let tail = line.len() - at - covered;
            if at + text.len() + tail > LONGEST {
                return Err(Failure::TooLong);
            }
            line.replace_range(at..at + covered, &text);
            open.push((name, tail));
            if text.trim_start_matches([' ', '\t']).starts_with('~') {
                break;
            }
        }
        Ok(done)
    }
}

/// `$NAME=TEXT` at the start of a line: name and text.
pub(super) fn definition(line: &str) -> Option<(&str, &str)> {
    let (rest, name) = definition_name(line.strip_prefix('$')?).ok()?;
    Some((name, rest.strip_prefix('=')?.trim_start_matches([' ', '\t'])))
}
