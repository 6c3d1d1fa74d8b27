//! What instances and groups track: `track_interface`, `track_script`, `track_file`, `track_process`, `track_bfd`,
//! and the blocks that define files and processes; `track_proxy` is in `track_proxy`.

use std::path::PathBuf;
use std::time::Duration;

use tandem_parser::Reason;
use tandem_parser::keepalived::{Statement, Word};
use tandem_parser::suggest::nearest;

use super::context::Cx;
use crate::ir::vrrp::{
    BfdInstance, ParamMatch, ScriptIdx, TrackBfd, TrackFile, TrackFileIdx, TrackInterface, TrackProcess,
    TrackProcessIdx, TrackedFile, TrackedProcess, TrackedProxy, TrackedScript,
};

/// The lists of an instance or a group.
#[derive(Default)]
pub(super) struct Tracked {
    pub(super) interfaces: Vec<TrackInterface>,
    pub(super) scripts: Vec<TrackedScript>,
    pub(super) files: Vec<TrackedFile>,
    pub(super) processes: Vec<TrackedProcess>,
    pub(super) proxies: Vec<TrackedProxy>,
    pub(super) bfd: Vec<TrackBfd>,
}

/// Wording of one kind of tracked thing.
pub(super) struct Kind {
    /// In `unknown ... option`.
    option: &'static str,
    /// In `weight without value specified for ...`.
    what: &'static str,
    /// In `unknown ... NAME weight option`.
    keyword: &'static str,
    /// Largest weight; 253 kinds take 254 as 253.
    limit: i64,
    noreverse: bool,
}

const INTERFACE: Kind = Kind {
    option: "track_interface",
    what: "track_interface",
    keyword: "track_interace",
    limit: 253,
    noreverse: false,
};
const SCRIPT: Kind = Kind {
    option: "track script",
    what: "track script",
    keyword: "track_script",
    limit: 253,
    noreverse: true,
};
const FILE: Kind =
    Kind { option: "track file", what: "track file", keyword: "track file", limit: 254, noreverse: true };
const PROCESS: Kind = Kind {
    option: "track process",
    what: "track process",
    keyword: "track_process",
    limit: 254,
    noreverse: true,
};
pub(super) const PROXY: Kind =
    Kind { option: "track proxy", what: "track proxy", keyword: "track_proxy", limit: 253, noreverse: true };
const BFD: Kind =
    Kind { option: "track bfd", what: "track bfd", keyword: "track_bfd", limit: 253, noreverse: false };

impl Cx<'_> {
    /// One `track_*` block of the instance or group `owner`. Returns whether the statement was one.
    pub(super) fn track(&mut self, statement: &Statement, owner: &str, tracked: &mut Tracked) -> bool {
        let lines = statement.values();
        match statement.keyword.name {
            "track_interface" => lines.iter().for_each(|line| self.track_interface(line, owner, tracked)),
            "track_script" => lines.iter().for_each(|line| self.track_script(line, owner, tracked)),
            "track_file" => lines.iter().for_each(|line| self.track_file(line, owner, tracked)),
            "track_process" => lines.iter().for_each(|line| self.track_process(line, owner, tracked)),
            "track_proxy" => lines.iter().for_each(|line| self.track_proxy(line, owner, tracked)),
            "track_bfd" => lines.iter().for_each(|line| self.track_bfd(line, owner, tracked)),
            _ => return false,
        }
        true
    }

    /// `[weight N [reverse]]` after the name. `None`: the line is ignored.
    pub(super) fn weight(
        &mut self,
        line: &[Word],
        owner: &str,
        kind: &Kind,
        default: (i32, bool),
    ) -> Option<(i32, bool)> {
        let name = &line[0].text;
        let (mut weight, mut reverse) = default;
        let Some(option) = line.get(1) else { return Some(default) };
        if option.text != "weight" {
            let of = if kind.option == INTERFACE.option { format!(" {name}") } else { String::new() };
            let text = format!("({owner}) unknown {}{of} option {} - ignoring", kind.option, option.text);
            self.error(Reason::UnknownKeyword, option.span, text);
            return None;
        }
        let Some(number) = line.get(2) else {
            let text =
                format!("({owner}) weight without value specified for {} {name} - ignoring", kind.what);
            self.error(Reason::MissingArgument, option.span, text);
            return None;
        };
        let (value, taken) = self.integer(number, -254, 254, true);
        if !taken {
            let text = match kind.keyword {
                "track_interace" => {
                    weight = 0;
                    format!(
                        "({owner}) weight {} for {name} must be between [-253..253] inclusive. Ignoring...",
                        number.text
                    )
                }
                "track_script" => {
                    format!(
                        "({owner}) track script {name}: weight must be between [-253..253] inclusive, ignoring..."
                    )
                }
                _ => format!(
                    "({owner}) weight for {} {name} must be in [-254..254] inclusive. Ignoring...",
                    kind.what
                ),
            };
            self.error(Reason::OutOfRange, number.span, text);
        } else {
            if value.abs() > kind.limit {
                let text = format!("({owner}) weight for {name} cannot be +/-254. Setting to +/-253");
                self.error(Reason::OutOfRange, number.span, text);
            }
            weight = i32::try_from(value.clamp(-kind.limit, kind.limit)).unwrap_or(0);
        }
        match line.get(3) {
            Some(word) if word.text == "reverse" => reverse = true,
            Some(word) if word.text == "noreverse" && kind.noreverse => reverse = false,
            Some(word) => {
                let text = format!(
                    "({owner}) unknown {} {name} weight option {} - ignoring",
                    kind.keyword, word.text
                );
                self.error(Reason::InvalidValue, word.span, text);
                if kind.keyword == FILE.keyword {
                    return None;
                }
            }
            None => {}
        }
        Some((weight, reverse))
    }

    pub(super) fn duplicate(&mut self, word: &Word, owner: &str, keyword: &str) {
        let text = format!("({owner}) duplicate {keyword} {} - ignoring", word.text);
        self.error(Reason::Duplicate, word.span, text);
    }

    pub(super) fn unknown(&mut self, word: &Word, owner: &str, what: &str, known: &[String]) {
        let near = nearest(&word.text, known.iter().map(String::as_str)).map(str::to_owned);
        let text = format!("({owner}) {what} {} not found, ignoring...", word.text);
        let said = self.error(Reason::UnknownReference, word.span, text);
        match near {
            Some(near) => said.help(format!("did you mean '{near}'?")),
            None => said.help("it must be defined above the block that tracks it"),
        };
    }

    fn track_interface(&mut self, line: &[Word], owner: &str, tracked: &mut Tracked) {
        let word = &line[0];
        self.here = word.span;
        if self.interface(&word.text).is_none() {
            let text = format!("({owner}) tracked interface {} doesn't exist", word.text);
            self.error(Reason::Environment, word.span, text);
            return;
        }
        if tracked.interfaces.iter().any(|known| known.name == word.text) {
            self.duplicate(word, owner, "track_interface");
            return;
        }
        let Some((weight, reverse)) = self.weight(line, owner, &INTERFACE, (0, false)) else { return };
        tracked.interfaces.push(TrackInterface { name: word.text.clone(), weight, reverse });
    }

    fn track_script(&mut self, line: &[Word], owner: &str, tracked: &mut Tracked) {
        let word = &line[0];
        let Some(index) = self.config.scripts.iter().position(|script| script.name == word.text) else {
            let known: Vec<String> = self.config.scripts.iter().map(|script| script.name.clone()).collect();
            self.unknown(word, owner, "track script", &known);
            return;
        };
        let script = ScriptIdx(u32::try_from(index).unwrap_or(u32::MAX));
        if tracked.scripts.iter().any(|known| known.script == script) {
            self.duplicate(word, owner, "track_script");
            return;
        }
        let default = (self.config.scripts[index].weight, self.config.scripts[index].reverse);
        let Some((weight, reverse)) = self.weight(line, owner, &SCRIPT, default) else { return };
        tracked.scripts.push(TrackedScript { script, weight, reverse });
    }

    fn track_file(&mut self, line: &[Word], owner: &str, tracked: &mut Tracked) {
        let word = &line[0];
        let Some(index) = self.config.track_files.iter().position(|file| file.name == word.text) else {
            let known: Vec<String> = self.config.track_files.iter().map(|file| file.name.clone()).collect();
            self.unknown(word, owner, "track file", &known);
            return;
        };
        let file = TrackFileIdx(u32::try_from(index).unwrap_or(u32::MAX));
        if tracked.files.iter().any(|known| known.file == file) {
            self.duplicate(word, owner, "track_file");
            return;
        }
        let default = (self.config.track_files[index].weight, self.config.track_files[index].reverse);
        let Some((weight, reverse)) = self.weight(line, owner, &FILE, default) else { return };
        tracked.files.push(TrackedFile { file, weight, reverse });
    }

    fn track_process(&mut self, line: &[Word], owner: &str, tracked: &mut Tracked) {
        let word = &line[0];
        let Some(index) = self.config.track_processes.iter().position(|process| process.name == word.text)
        else {
            let known: Vec<String> =
                self.config.track_processes.iter().map(|process| process.name.clone()).collect();
            self.unknown(word, owner, "track process", &known);
            return;
        };
        let process = TrackProcessIdx(u32::try_from(index).unwrap_or(u32::MAX));
        if tracked.processes.iter().any(|known| known.process == process) {
            self.duplicate(word, owner, "track_process");
            return;
        }
        let default = (self.config.track_processes[index].weight, self.config.track_processes[index].reverse);
        let Some((weight, reverse)) = self.weight(line, owner, &PROCESS, default) else { return };
        tracked.processes.push(TrackedProcess { process, weight, reverse });
    }

    fn track_bfd(&mut self, line: &[Word], owner: &str, tracked: &mut Tracked) {
        let word = &line[0];
        if !self.config.bfd.iter().any(|bfd| bfd.name == word.text) {
            let known: Vec<String> = self.config.bfd.iter().map(|bfd| bfd.name.clone()).collect();
            self.unknown(word, owner, "track bfd", &known);
            return;
        }
        if tracked.bfd.iter().any(|known| known.name == word.text) {
            self.duplicate(word, owner, "track_bfd");
            return;
        }
        let Some((weight, reverse)) = self.weight(line, owner, &BFD, (0, false)) else { return };
        tracked.bfd.push(TrackBfd { name: word.text.clone(), weight, reverse });
    }

    /// `track_file NAME { ... }`.
    pub(super) fn file_block(&mut self, statement: &Statement) {
        if statement.keyword.instead.is_some() {
            let word = &statement.words[0];
            self.log(word.span, "\"vrrp_track_file\" is deprecated, please use \"track_file\"")
                .edit(word.span, "track_file");
        }
        let Some(name) = self.parameter(&statement.words, 1).map(|word| word.text.clone()) else { return };
        let mut file = TrackFile {
            name: name.clone(),
            path: PathBuf::new(),
            weight: 1,
            reverse: false,
            init: None,
            place: self.place(statement.span),
        };
        for child in statement.children() {
            self.here = child.span;
            let word = child.words.get(1).cloned();
            match (child.keyword.name, word) {
                ("file", None) => {
                    self.complain(Reason::MissingArgument, "track file file name missing").done()
                }
                ("file", Some(word)) if !file.path.as_os_str().is_empty() => {
                    let text = format!("File already set for track file {name} - ignoring {}", word.text);
                    self.error(Reason::Duplicate, word.span, text);
                }
                ("file", Some(word)) => file.path = PathBuf::from(&word.text),
                ("weight", None) => {
                    self.complain(
                        Reason::MissingArgument,
                        format!("No weight specified for track file {name} - ignoring"),
                    );
                }
                ("weight", Some(word)) if file.weight != 1 => {
                    let text = format!("Weight already set for track file {name} - ignoring {}", word.text);
                    self.error(Reason::Duplicate, word.span, text);
                }
                ("weight", Some(word)) => {
                    let (weight, taken) = self.integer(&word, -254, 254, true);
                    if !taken {
                        let text = format!(
                            "Weight ({}) for track_file {name} must be between [-254..254] inclusive. Ignoring...",
                            word.text
                        );
                        self.error(Reason::OutOfRange, word.span, text);
                    }
                    file.weight = if taken { i32::try_from(weight).unwrap_or(1) } else { 1 };
                    file.reverse |= self.reverse_option(child, &format!("track_file {name}"));
                }
                ("init_file", _) => file.init = Some(self.init_file(child, &name)),
                _ => {}
            }
        }
        self.here = statement.end();
        if file.path.as_os_str().is_empty() {
            self.complain(Reason::Incomplete, format!("No file set for track_file {name} - ignoring"));
            return;
        }
        self.config.track_files.push(file);
    }

    fn init_file(&mut self, child: &Statement, name: &str) -> (i32, bool) {
        let mut init = (0, false);
        for word in &child.words[1..] {
            if word.text == "overwrite" {
                init.1 = true;
            } else if word.text.trim_start().starts_with(|c: char| c.is_ascii_digit() || c == '-') {
                let (value, taken) = self.integer(word, i64::from(i32::MIN), i64::from(i32::MAX), false);
                let problem = if !taken {
                    Some(format!("Track file {name} init value {} is invalid", word.text))
                } else if value.abs() > 254 {
                    Some(format!(
                        "Track file {name} init value {value} is outside sensible range [-254, 254]"
                    ))
                } else {
                    None
                };
                if let Some(text) = problem {
                    self.error(Reason::OutOfRange, word.span, text);
                }
                init.0 = if taken { i32::try_from(value).unwrap_or(0) } else { 0 };
            } else {
                self.error(
                    Reason::InvalidValue,
                    word.span,
                    format!("Unknown track file init option {}", word.text),
                );
            }
        }
        init
    }

    pub(super) fn reverse_option(&mut self, child: &Statement, what: &str) -> bool {
        match child.words.get(2) {
            Some(word) if word.text == "reverse" => true,
            Some(word) => {
                self.error(
                    Reason::InvalidValue,
                    word.span,
                    format!("{what} unknown weight option {}", word.text),
                );
                false
            }
            None => false,
        }
    }

    /// `vrrp_track_process NAME { ... }`.
    pub(super) fn process_block(&mut self, statement: &Statement) {
        let Some(name) = self.parameter(&statement.words, 1).map(|word| word.text.clone()) else { return };
        let mut process = TrackProcess {
            name: name.clone(),
            argv: Vec::new(),
            param_match: ParamMatch::None,
            full_command: false,
            weight: 0,
            reverse: false,
            quorum: 1,
            quorum_max: None,
            fork_delay: Duration::ZERO,
            terminate_delay: Duration::ZERO,
            place: self.place(statement.span),
        };
        for child in statement.children() {
            self.here = child.span;
            self.process_line(child, &mut process);
        }
        self.here = statement.end();
        if process.argv.is_empty() {
            self.complain(Reason::Incomplete, format!("track process '{name}' process name not specified"));
            return;
        }
        self.config.track_processes.push(process);
    }

    fn process_line(&mut self, child: &Statement, process: &mut TrackProcess) {
        let name = process.name.clone();
        let keyword = child.keyword.name;
        match keyword {
            "full_command" => {
                process.full_command = true;
                return;
            }
            "param_match" => {
                process.full_command = true;
                process.param_match = match child.words.get(1).map(|word| word.text.as_str()) {
                    None => ParamMatch::Exact,
                    Some("initial") => ParamMatch::Initial,
                    Some("partial") => ParamMatch::Partial,
                    Some(other) => {
                        self.complain(
                            Reason::InvalidValue,
                            format!("Invalid param_match type {other} - ignoring"),
                        );
                        return;
                    }
                };
                return;
            }
            "weight" if child.words.len() < 2 => {
                self.complain(
                    Reason::MissingArgument,
                    format!("No weight specified for track process {name} - ignoring"),
                );
                return;
            }
            _ => {}
        }
        let Some(word) = self.parameter(&child.words, 1).cloned() else { return };
        let value = &word.text;
        match keyword {
            "process" if !process.argv.is_empty() => {
                let text = format!("Process already set for track process {name} - ignoring {value}");
                self.error(Reason::Duplicate, word.span, text);
            }
            "process" => {
                process.argv = child.words[1..].iter().map(|word| word.text.clone()).collect();
                if process.argv.len() > 1 {
                    process.full_command = true;
                    if process.param_match == ParamMatch::None {
                        process.param_match = ParamMatch::Exact;
                    }
                }
            }
            "weight" if process.weight != 0 => {
                let text = format!("Weight already set for track process {name} - ignoring {value}");
                self.error(Reason::Duplicate, word.span, text);
            }
            "weight" => match self.integer(&word, -254, 254, true) {
                (weight, true) => {
                    process.reverse |= self.reverse_option(child, &format!("vrrp_track_process {name}"));
                    process.weight = i32::try_from(weight).unwrap_or(0);
                }
                _ => {
                    let text = format!(
                        "Weight ({value}) for vrrp_track_process {name} must be between [-254..254] inclusive. Ignoring..."
                    );
                    self.error(Reason::OutOfRange, word.span, text);
                }
            },
            "quorum" => match self.unsigned(&word, 1, 65_535, true) {
                Some(quorum) if process.quorum_max.is_some_and(|max| quorum > max) => {
                    self.error(Reason::Conflict, word.span, "Quorum is greater than quorum_max - ignoring");
                }
                Some(quorum) => process.quorum = quorum,
                None => {
                    let text = format!(
                        "Quorum ({value}) for vrrp_track_process {name} must be between [1..65535] inclusive. Ignoring..."
                    );
                    self.error(Reason::OutOfRange, word.span, text);
                }
            },
            "quorum_max" => match self.unsigned(&word, 0, 65_535, true) {
                Some(max) if max < process.quorum && (max > 0 || process.quorum > 1) => {
                    self.error(Reason::Conflict, word.span, "quorum_max is less than quorum - ignoring");
                }
                Some(max) => {
                    process.quorum_max = Some(max);
                    process.quorum = if max == 0 { 0 } else { process.quorum.max(1) };
                }
                None => {
                    let text = format!(
                        "quorum_max ({value}) for vrrp_track_process {name} must be between [0..65535] inclusive. Ignoring..."
                    );
                    self.error(Reason::OutOfRange, word.span, text);
                }
            },
            _ => {
                let Some(delay) = self.seconds(&word, Duration::from_micros(1), Duration::from_secs(3600))
                else {
                    let text = format!(
                        "{keyword} ({value}) for vrrp_track_process {name} must be between [0.000001..3600] inclusive. Ignoring..."
                    );
                    self.error(Reason::OutOfRange, word.span, text);
                    return;
                };
                if keyword != "fork_delay" {
                    process.terminate_delay = delay;
                }
                if keyword != "terminate_delay" {
                    process.fork_delay = delay;
                }
            }
        }
    }

    /// `bfd_instance NAME { ... }`: only its name is used.
    pub(super) fn bfd_block(&mut self, statement: &Statement) {
        let Some(name) = self.parameter(&statement.words, 1) else { return };
        let place = self.place(statement.span);
        self.config.bfd.push(BfdInstance { name: name.text.clone(), place });
    }
}
