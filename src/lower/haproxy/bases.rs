//! `default-path`: what names of files are relative to.

use std::path::{Path, PathBuf};

use tandem_parser::diagnostic::Reason;
use tandem_parser::haproxy::{Statement, Tree, section};
use tandem_parser::span::Span;

use super::context::{Context, span_at};

/// The lines, in order, and the folders that they chose; none: where the program was started.
///
/// A line counts for what follows in its own file.
#[derive(Debug, Default)]
pub(super) struct Bases(Vec<(Span, Option<PathBuf>)>);

impl Bases {
    pub(super) fn new(context: &mut Context<'_>, tree: &Tree) -> Self {
        let global = tree.sections.iter().filter(|section| section.kind.bit == section::GLOBAL);
        let lines = global.flat_map(|section| &section.statements);
        let lines = lines.filter(|line| line.name() == "default-path");
        Self(lines.map(|line| (line.span, base(context, line))).collect())
    }

    /// The path of a file that is named at `span`.
    pub(super) fn path(&self, name: &str, span: Span) -> PathBuf {
        let before = |(at, _): &&(Span, Option<PathBuf>)| at.file == span.file && at.start <= span.start;
        match self.0.iter().rev().find(before) {
            // An absolute name replaces all of it.
            Some((_, Some(base))) => base.join(name),
            _ => PathBuf::from(name),
        }
    }
}

fn base(context: &mut Context<'_>, line: &Statement) -> Option<PathBuf> {
    let choice = line.text(0)?;
    let folder = line.text(1);
    match (choice, folder) {
        ("origin", None) => {
            context.alert(
                Reason::MissingArgument,
                line.span,
                "'default-path origin' expects a directory as an argument.",
            );
            None
        }
        ("origin", Some(folder)) => Some(PathBuf::from(folder)),
        (_, Some(_)) => {
            let message = format!("'default-path {choice}' cannot handle unexpected argument.");
            context.alert(Reason::TooManyArguments, span_at(line, 1), message);
            None
        }
        ("current", None) => None,
        (choice, None) => {
            let own = Path::new(context.file(line.span)).parent()?.to_owned();
            Some(if choice == "parent" { own.join("..") } else { own })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::lower::{Env, Source, load};

    /// A machine with one file.
    struct One(&'static str);

    impl Env for One {
        fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
            if path == Path::new(self.0) {
                Ok(b"10.0.0.1\n".to_vec())
            } else {
                Err(io::ErrorKind::NotFound.into())
            }
        }
    }

    #[test]
    fn names_of_files_are_relative_to_what_was_chosen() {
        let text = |line: &str| {
            format!(
                "global\n    {line}\nfrontend f\n    mode http\n    bind :80\n    http-request deny if {{ src -f x.lst }}\n"
            )
        };
        for (line, path) in [
            ("default-path current", "x.lst"),
            ("default-path config", "/etc/haproxy/x.lst"),
            ("default-path parent", "/etc/haproxy/../x.lst"),
            ("default-path origin /srv", "/srv/x.lst"),
            // The last one counts.
            ("default-path origin /srv\n    default-path current", "x.lst"),
        ] {
            for (there, found) in [(path, true), ("/elsewhere", false)] {
                let source =
                    Source { name: "/etc/haproxy/haproxy.cfg".into(), text: text(line).into_bytes() };
                let loaded = load(vec![source], &One(there));
                assert_eq!(loaded.config.is_some(), found, "{line}: {:?}", loaded.diagnostics);
            }
        }
    }

    #[test]
    fn a_line_counts_for_its_own_file() {
        let global = "global\n    default-path origin /srv\n";
        let front = "frontend f\n    mode http\n    bind :80\n    http-request deny if { src -f x.lst }\n";
        let source = |name: &str, text: &str| Source { name: name.into(), text: text.into() };
        let files = || vec![source("a.cfg", global), source("b.cfg", front)];
        assert!(load(files(), &One("x.lst")).config.is_some());
        assert!(load(files(), &One("/srv/x.lst")).config.is_none());
    }
}
