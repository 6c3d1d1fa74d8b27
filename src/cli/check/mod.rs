//! `tandem check`: judges files of either language without running anything.

mod dialect;
mod fix;
mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tandem_parser::diagnostic::{self, Diagnostic, Edit, Reason, Severity};
use tandem_parser::render::render;
use tandem_parser::{FileId, Head, Sources, Span};

use self::dialect::Dialect;
pub(super) use self::report::Format;
use self::report::{Finding, Judged};
use super::print;
use crate::ir::{Config, vrrp};
use crate::lower::together::{self, Node, Remark};
use crate::lower::{self, Source, System};
use crate::sys::file;

/// What to do with the files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    /// Judge the text alone.
    pub(super) offline: bool,
    /// How to say it.
    pub(super) format: Format,
    /// Print the files in today's spelling instead of judging them.
    pub(super) fix: bool,
}

/// Times `--fix` looks again at what it wrote: a replacement may bring another to light.
const FIX_ROUNDS: usize = 32;

/// What a configuration means, if it can run.
enum Meaning {
    Proxy(Box<Config>),
    Node(Box<vrrp::Config>),
    Nothing,
}

/// A configuration that was read: one file, or several `haproxy.cfg` that are read as one.
struct Checked {
    judged: Judged,
    sources: Sources,
    diagnostics: Vec<Diagnostic>,
    meaning: Meaning,
}

/// Judges `files`: 0 valid (warnings or not), 1 invalid.
pub(super) fn main(files: &[PathBuf], options: Options) -> ExitCode {
    let (sources, readable) = read(files);
    if options.fix {
        return if readable && modernised(sources, options.offline) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let mut checked = check(sources, options.offline);
    compare(&mut checked);
    show(&checked, options.format);
    let valid = readable && checked.iter().all(|one| one.judged.valid);
    if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The files' texts; of a directory, those of its `*.cfg` and `*.conf` in the order of their names, as `-f` reads it.
fn read(paths: &[PathBuf]) -> (Vec<Source>, bool) {
    let mut sources = Vec::new();
    let mut readable = true;
    let mut one = |path: &Path| match file::read(path) {
        Ok(text) => sources.push(Source { name: path.display().to_string(), text }),
        Err(error) => {
            eprintln!("tandem: {}: {error}", path.display());
            readable = false;
        }
    };
    for path in paths {
        let Ok(entries) = std::fs::read_dir(path) else {
            one(path);
            continue;
        };
        let mut inside: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        inside
            .retain(|path| path.extension().is_some_and(|it| it == "cfg" || it == "conf") && path.is_file());
        inside.sort();
        inside.iter().for_each(|path| one(path));
    }
    (sources, readable)
}

fn check(sources: Vec<Source>, offline: bool) -> Vec<Checked> {
    let (proxies, nodes): (Vec<_>, Vec<_>) =
        sources.into_iter().partition(|source| dialect::of(&source.text) == Dialect::Haproxy);
    let mut checked = haproxy(proxies, offline);
    checked.extend(nodes.into_iter().map(|source| keepalived(&source, offline)));
    checked
}

/// Files that stand by themselves, each with a proxy, are the nodes' own and are judged one by one. Otherwise they are
/// parts of one configuration, as several `-f` are.
fn haproxy(sources: Vec<Source>, offline: bool) -> Vec<Checked> {
    if sources.is_empty() {
        return Vec::new();
    }
    if let [_, _, ..] = sources.as_slice() {
        let alone: Vec<Checked> = sources.iter().map(|one| together(vec![one.clone()], offline)).collect();
        let whole =
            |one: &Checked| matches!(&one.meaning, Meaning::Proxy(config) if !config.proxies.is_empty());
        if alone.iter().all(whole) {
            return alone;
        }
    }
    vec![together(sources, offline)]
}

fn together(sources: Vec<Source>, offline: bool) -> Checked {
    let files = sources.iter().map(|source| source.name.clone()).collect();
    let loaded = lower::load(sources, &System { offline });
    let valid = loaded.counts().0 == 0;
    Checked {
        judged: Judged { files, dialect: Dialect::Haproxy, valid },
        sources: loaded.sources,
        diagnostics: loaded.diagnostics,
        meaning: loaded.config.map_or(Meaning::Nothing, |config| Meaning::Proxy(Box::new(config))),
    }
}

fn keepalived(source: &Source, offline: bool) -> Checked {
    let system = lower::keepalived::System::new(None, true);
    let system = if offline { system.offline() } else { system };
    let loaded = lower::keepalived::load(&source.name, source.text.as_slice(), &system);
    let valid = loaded.verdict.runs;
    let mut diagnostics = loaded.diagnostics;
    diagnostic::sort(&mut diagnostics);
    Checked {
        judged: Judged { files: vec![source.name.clone()], dialect: Dialect::Keepalived, valid },
        sources: loaded.sources,
        diagnostics,
        meaning: if valid { Meaning::Node(Box::new(loaded.config)) } else { Meaning::Nothing },
    }
}

/// Adds what the configurations say of each other, each remark to the one it is about.
fn compare(checked: &mut [Checked]) {
    let nodes = checked.iter().filter_map(|one| match &one.meaning {
        Meaning::Node(config) => Some(Node { name: &one.judged.files[0], config }),
        _ => None,
    });
    let nodes: Vec<Node<'_>> = nodes.collect();
    let proxies: Vec<&Config> = checked
        .iter()
        .filter_map(|one| match &one.meaning {
            Meaning::Proxy(config) => Some(&**config),
            _ => None,
        })
        .collect();
    let remarks = together::remarks(&nodes, &proxies);
    for Remark { wrong, place, message, help } in remarks {
        let home = checked.iter_mut().find_map(|one| {
            let id = one.sources.iter().find(|(_, file)| file.name == place.file).map(|(id, _)| id)?;
            Some((one, id))
        });
        let Some((one, id)) = home else { continue };
        let span = line(&one.sources, id, place.line);
        let head = match one.judged.dialect {
            Dialect::Haproxy => message,
            Dialect::Keepalived => format!("({}: Line {}) {message}", place.file, place.line),
        };
        let severity = if wrong { Severity::Warning } else { Severity::Notice };
        let said = Diagnostic::new(severity, Reason::Disagreement, span, head).head(Head::At).help(help);
        one.diagnostics.push(said);
        diagnostic::sort(&mut one.diagnostics);
    }
}

/// The words of a line.
fn line(sources: &Sources, id: FileId, number: u32) -> Span {
    let (start, text) = sources.file(id).line_text(number);
    let indent = text.len() - text.trim_ascii_start().len();
    Span::new(id, start as usize + indent..start as usize + text.trim_ascii_end().len().max(indent))
}

fn show(checked: &[Checked], format: Format) {
    let findings = || -> Vec<Finding> {
        let of = |one: &Checked| -> Vec<_> {
            one.diagnostics.iter().map(|diagnostic| Finding::new(diagnostic, &one.sources)).collect()
        };
        checked.iter().flat_map(of).collect()
    };
    match format {
        Format::Human => checked.iter().for_each(human),
        Format::Json => {
            let judged: Vec<Judged> = checked.iter().map(|one| one.judged.clone()).collect();
            print(&report::json(&judged, &findings()));
        }
        Format::Sarif => print(&report::sarif(&findings())),
    }
}

fn human(checked: &Checked) {
    let pid = std::process::id();
    for diagnostic in &checked.diagnostics {
        let text = match checked.judged.dialect {
            Dialect::Haproxy => render(diagnostic, &checked.sources, pid),
            // Its first lines do not say how bad it is.
            Dialect::Keepalived if diagnostic.severity == Severity::Alert => {
                let told = diagnostic.clone().help("VRRP does not start with this");
                lower::keepalived::render(&told, &checked.sources)
            }
            Dialect::Keepalived => lower::keepalived::render(diagnostic, &checked.sources),
        };
        eprint!("{text}");
    }
    let Judged { files, valid, .. } = &checked.judged;
    let (errors, warnings, notes) = diagnostic::counts(&checked.diagnostics);
    let verdict = if *valid { "valid" } else { "invalid" };
    let counted = [(errors, "error"), (warnings, "warning"), (notes, "note")]
        .map(|(count, noun)| format!("{count} {noun}{}", if count == 1 { "" } else { "s" }));
    print(&format!("{}: {verdict} ({})\n", files.join(", "), counted.join(", ")));
}

/// Prints the files with old spellings replaced; whether nothing is wrong with what was printed. Several files are told
/// apart by a comment line, which both languages have.
fn modernised(mut sources: Vec<Source>, offline: bool) -> bool {
    let mut made = 0;
    let mut checked = check(sources.clone(), offline);
    for _ in 0..FIX_ROUNDS {
        let mut changed = 0;
        for source in &mut sources {
            let Some((edits, id)) = checked.iter().find_map(|one| edits(one, &source.name)) else { continue };
            let (text, count) = fix::apply(id, &source.text, &edits);
            source.text = text;
            changed += count;
        }
        made += changed;
        if changed == 0 {
            break;
        }
        checked = check(sources.clone(), offline);
    }
    for source in &sources {
        if sources.len() > 1 {
            print(&format!("# {}\n", source.name));
        }
        print(&String::from_utf8_lossy(&source.text));
    }
    let left = checked.iter().flat_map(|one| one.diagnostics.iter().map(move |said| (one, said)));
    for (one, said) in left {
        if said.severity == Severity::Alert || said.reason == Reason::Retired {
            eprint!("{}", render(said, &one.sources, std::process::id()));
        }
    }
    eprintln!("tandem: {made} replacements");
    checked.iter().all(|one| one.judged.valid)
}

/// The sure edits of the file called `name`, if it is one of these.
fn edits(checked: &Checked, name: &str) -> Option<(Vec<Edit>, FileId)> {
    let (id, _) = checked.sources.iter().find(|(_, file)| *file.name == *name)?;
    Some((fix::sure(&checked.diagnostics), id))
}
