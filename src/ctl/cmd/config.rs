//! What HAProxy does not have: the configuration as it runs, and writing it back.
//!
//! Commands change servers, limits and lists of patterns while running, and a restart forgets it. `show config running`
//! shows the files with those changes in them, `commit config` writes them. Only lines that have to change do.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use super::super::{Control, rewrite};
use crate::ir::global::Level;
use crate::ir::reference::{Origin, Reference};
use crate::ir::{Mode, Place, ServerAddr};
use crate::live::{Address, FrontendState, Live, Proxy, Server};
use crate::lower::haproxy::is_section;
use crate::server::Admin;

pub(super) const COMMANDS: &[Command] = &[
    command(
        &["show", "config", "running"],
        Level::Admin,
        "show config running",
        "the configuration files with what was changed while running",
        |call| match plan(call.control) {
            Ok(files) => Reply::list(files.iter().map(File::text).collect::<String>()),
            Err(why) => Reply::error(why),
        },
    ),
    command(
        &["commit", "config"],
        Level::Admin,
        "commit config",
        "write what was changed while running into the configuration files",
        commit,
    ),
];

/// A file, and what becomes of its lines.
struct File {
    path: PathBuf,
    /// The lines as they are, each with its line break.
    lines: Vec<String>,
    /// Their numbers from 0, and what takes their place.
    changes: BTreeMap<usize, Change>,
    /// What was changed and cannot be written.
    unsaid: Vec<String>,
}

#[derive(Default)]
struct Change {
    /// In place of the line; `None`: it stays.
    instead: Option<String>,
    gone: bool,
    /// Lines behind it.
    behind: Vec<String>,
}

impl File {
    fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}.\n", path.display()))?;
        let lines = text.split_inclusive('\n').map(str::to_owned).collect();
        Ok(Self { path: path.to_owned(), lines, changes: BTreeMap::new(), unsaid: Vec::new() })
    }

    /// A line without its break, as it will be.
    fn line(&self, at: usize) -> &str {
        let changed = self.changes.get(&at).and_then(|change| change.instead.as_deref());
        changed.or_else(|| self.lines.get(at).map(|line| line.trim_end_matches('\n'))).unwrap_or_default()
    }

    fn edit(&mut self, at: usize, edit: impl FnOnce(&str) -> String) {
        let line = edit(self.line(at));
        if line != self.line(at) {
            self.changes.entry(at).or_default().instead = Some(line);
        }
    }

    fn insert(&mut self, at: usize, line: String) {
        self.changes.entry(at).or_default().behind.push(line);
    }

    fn remove(&mut self, at: usize) {
        self.changes.entry(at).or_default().gone = true;
    }

    fn text(&self) -> String {
        let mut out = String::new();
        for (at, line) in self.lines.iter().enumerate() {
            let Some(change) = self.changes.get(&at) else {
                out.push_str(line);
                continue;
            };
            if !change.gone {
                out.push_str(change.instead.as_deref().unwrap_or_else(|| line.trim_end_matches('\n')));
                out.push('\n');
            }
            change.behind.iter().for_each(|line| {
                out.push_str(line);
                out.push('\n');
            });
        }
        out
    }

    /// What will be different, line by line.
    fn story(&self) -> String {
        let mut out = String::new();
        for (at, change) in &self.changes {
            // Writing into a String cannot fail.
            let _ = writeln!(out, "{}:{}", self.path.display(), at + 1);
            let before = self.lines.get(*at).map_or("", |line| line.trim_end_matches('\n'));
            if change.gone || change.instead.is_some() {
                let _ = writeln!(out, "- {before}");
            }
            for line in change.instead.iter().filter(|_| !change.gone).chain(&change.behind) {
                let _ = writeln!(out, "+ {line}");
            }
        }
        out
    }

    /// The first line of a proxy's section: where it was, or where it came to be since.
    fn head(&self, guess: usize, name: &str) -> Result<usize, String> {
        let fits = |at: &usize| {
            let line = self.line(*at);
            matches!(rewrite::keyword(line), "frontend" | "backend" | "listen")
                && rewrite::word(line, 1) == name
        };
        let found = Some(guess).filter(fits).or_else(|| (0..self.lines.len()).find(fits));
        found.ok_or_else(|| format!("{} has no section '{name}' any more.\n", self.path.display()))
    }

    /// The lines of the section whose first line is `head`, without it.
    fn section(&self, head: usize) -> std::ops::Range<usize> {
        let rest = self.lines.iter().enumerate().skip(head + 1);
        let next = rest
            .into_iter()
            .find(|(_, line)| is_section(rewrite::keyword(line)))
            .map_or(self.lines.len(), |(at, _)| at);
        head + 1..next
    }

    /// Takes a section away, but for what stands behind its last line and may belong to the next one.
    fn remove_section(&mut self, head: usize) {
        let says = |at: &usize| !rewrite::keyword(self.line(*at)).is_empty();
        let last = self.section(head).rev().find(says).unwrap_or(head);
        (head..=last).for_each(|at| self.remove(at));
    }

    /// Sets `keyword value` in a section.
    fn set(&mut self, head: usize, keyword: &str, value: &str) {
        let found = self.section(head).rev().find(|at| rewrite::keyword(self.line(*at)) == keyword);
        match found {
            Some(at) => self.edit(at, |line| rewrite::replace_word(line, 1, value)),
            None => {
                let first = self.section(head).find(|at| !rewrite::keyword(self.line(*at)).is_empty());
                let indent = first.map_or("    ", |at| rewrite::indent(self.line(at))).to_owned();
                self.insert(head, format!("{indent}{keyword} {value}").trim_end().to_owned());
            }
        }
    }
}

/// Backends, and servers with their backends.
type Names = HashSet<(String, Option<String>)>;

/// What commands have added.
fn added(live: &Live) -> Names {
    let mut names = Names::new();
    for proxy in live.proxies() {
        if proxy.ir.added_from.is_some() {
            names.insert((proxy.ir.name.clone(), None));
        }
        for server in proxy.backend.iter().flat_map(|half| half.servers()).filter(|s| s.added.is_some()) {
            names.insert((proxy.ir.name.clone(), Some(server.name().to_owned())));
        }
    }
    names
}

/// The files of a configuration with what was changed.
struct Files {
    all: Vec<File>,
    since: SystemTime,
}

impl Files {
    /// The file of a place, and the number of its line from 0.
    fn at(&mut self, place: &Place) -> Result<(&mut File, usize), String> {
        let path = Path::new(&*place.file);
        let at = match self.all.iter().position(|file| file.path == path) {
            Some(at) => at,
            None => {
                self.check_age(path)?;
                self.all.push(File::read(path)?);
                self.all.len() - 1
            }
        };
        Ok((&mut self.all[at], (place.line as usize).saturating_sub(1)))
    }

    /// The file in which a proxy stands, and the first line of its section.
    fn section(&mut self, name: &str) -> Option<(&mut File, usize)> {
        self.all.iter_mut().find_map(|file| file.head(usize::MAX, name).ok().map(|head| (file, head)))
    }

    /// What somebody else wrote since is not to be lost.
    fn check_age(&self, path: &Path) -> Result<(), String> {
        let modified = std::fs::metadata(path).and_then(|m| m.modified());
        let modified = modified.map_err(|e| format!("{}: {e}.\n", path.display()))?;
        if modified > self.since {
            return Err(format!(
                "{} was changed after it was read: load it first, or put it back.\n",
                path.display()
            ));
        }
        Ok(())
    }
}

fn plan(control: &Control) -> Result<Vec<File>, String> {
    let live = &control.live;
    let mut files = Files { all: Vec::new(), since: *control.written.lock() };
    let running = live.proxies();
    for ir in live.config.proxies.iter().filter(|ir| Path::new(&*ir.place.file).is_file()) {
        if running.iter().all(|proxy| proxy.ir.name != ir.name || proxy.ir.caps != ir.caps) {
            let (file, line) = files.at(&ir.place)?;
            // It may be gone from there already.
            if let Ok(head) = file.head(line, &ir.name) {
                file.remove_section(head);
            }
        }
    }
    let committed = control.committed.lock().clone();
    for proxy in running {
        if !Path::new(&*proxy.ir.place.file).is_file() {
            // Standard input, or a proxy that the program made itself.
            continue;
        }
        let (file, line) = files.at(&proxy.ir.place)?;
        let head = file.head(line, &proxy.ir.name)?;
        frontend(control, &proxy, file, head);
        servers(&proxy, file, head, &committed);
    }
    added_backends(live, &mut files, &committed);
    let maxconn = live.maxconn();
    if maxconn != control.program.hard_maxconn
        && let Some((file, head)) = files.all.iter_mut().find_map(|file| {
            let head = file.lines.iter().position(|line| rewrite::keyword(line) == "global")?;
            Some((file, head))
        })
    {
        file.set(head, "maxconn", &maxconn.to_string());
    }
    for (_, list) in live.config.references.all() {
        patterns(&list, &mut files)?;
    }
    Ok(files.all)
}

fn frontend(control: &Control, proxy: &Proxy, file: &mut File, head: usize) {
    let Some((live, ir)) = proxy.frontend.as_ref().zip(proxy.ir.frontend.as_ref()) else { return };
    if live.maxconn() != ir.maxconn.unwrap_or(control.program.hard_maxconn) {
        file.set(head, "maxconn", &live.maxconn().to_string());
    }
    if live.state() == FrontendState::Paused && !proxy.ir.disabled {
        let known = file.section(head).any(|at| rewrite::keyword(file.line(at)) == "disabled");
        if !known {
            file.set(head, "disabled", "");
        }
    }
}

/// Backends that commands added, and those that were written and deleted since.
fn added_backends(live: &Live, files: &mut Files, committed: &Names) {
    for (name, _) in
        committed.iter().filter(|(name, server)| server.is_none() && live.backend_named(name).is_none())
    {
        if let Some((file, head)) = files.section(name) {
            file.remove_section(head);
        }
    }
    for proxy in live.proxies() {
        let Some(base) = &proxy.ir.added_from else { continue };
        let name = &proxy.ir.name;
        if let Some((file, head)) = files.section(name) {
            servers(&proxy, file, head, committed);
            continue;
        }
        // Behind what it starts from.
        let defines = |file: &File| {
            let mut lines = file.lines.iter();
            lines.any(|line| rewrite::keyword(line) == "defaults" && rewrite::word(line, 1) == base)
        };
        let at = files.all.iter().rposition(defines).unwrap_or(files.all.len().saturating_sub(1));
        let Some(file) = files.all.get_mut(at) else { continue };
        let last = file.lines.len().saturating_sub(1);
        let mode = if proxy.ir.mode == Mode::Http { "http" } else { "tcp" };
        let mut lines =
            vec![String::new(), format!("backend {name} from {base}"), format!("    mode {mode}")];
        lines.extend(proxy.ir.guid.iter().map(|guid| format!("    guid {guid}")));
        let running = proxy.backend.as_ref().map(|half| half.servers());
        for server in running.iter().flat_map(|servers| servers.iter()) {
            let words = server.added.as_deref().unwrap_or_default();
            lines.push(server_line(server, &format!("    server {} {words}", server.name())));
        }
        lines.into_iter().for_each(|line| file.insert(last, line));
    }
}

fn servers(proxy: &Proxy, file: &mut File, head: usize, committed: &Names) {
    let (Some(backend), Some(ir)) = (&proxy.backend, &proxy.ir.backend) else { return };
    let line_of = |file: &File, name: &str| {
        file.section(head).find(|at| {
            let line = file.line(*at);
            rewrite::keyword(line) == "server" && rewrite::word(line, 1) == name
        })
    };
    let running = backend.servers();
    for written in &ir.servers {
        let server = running.iter().find(|server| server.added.is_none() && server.ir.name == written.name);
        // An earlier commit may have renamed it.
        let renamed = || server.and_then(|server| line_of(file, server.name()));
        let Some(at) = line_of(file, &written.name).or_else(renamed) else {
            let line = format!("server {} -", written.name);
            if server.is_some_and(|server| server_line(server, &line) != line) {
                let name = format!("{}/{}", proxy.ir.name, written.name);
                file.unsaid.push(format!("{name} was changed: it shares the line of its 'server-template'."));
            }
            continue;
        };
        match server {
            Some(server) => file.edit(at, |line| server_line(server, line)),
            None if running.iter().all(|server| server.ir.name != written.name) => file.remove(at),
            None => {}
        }
    }
    for server in running.iter() {
        let name = format!("{}/{}", proxy.ir.name, server.name());
        if server.with_state(|state| state.admin().any(Admin::FORCED_DRAIN)) {
            file.unsaid.push(format!("{name} is drained: no line says that."));
        }
        if server.ir.check.is_some() && server.added.is_none() && !server.is_checked() {
            file.unsaid.push(format!("{name} is not checked for now: no line says that."));
        }
    }
    // Written by an earlier commit, deleted since.
    for (_, name) in committed.iter().filter(|(backend, _)| *backend == proxy.ir.name) {
        let gone = |name: &&String| running.iter().all(|server| server.name() != **name);
        if let Some(at) = name.as_ref().filter(gone).and_then(|name| line_of(file, name)) {
            file.remove(at);
        }
    }
    let last = file.section(head).rev().find(|at| rewrite::keyword(file.line(*at)) == "server");
    let (behind, indent) = match last {
        Some(at) => (at, rewrite::indent(file.line(at)).to_owned()),
        None => (head, "    ".to_owned()),
    };
    for server in running.iter() {
        let Some(words) = &server.added else { continue };
        let line = server_line(server, &format!("{indent}server {} {words}", server.name()));
        match line_of(file, server.name()) {
            Some(at) => file.edit(at, |_| line),
            None => file.insert(behind, line),
        }
    }
}

/// The line of a server as it runs.
fn server_line(server: &Server, line: &str) -> String {
    let ir = &server.ir;
    let mut line = line.to_owned();
    if server.name() != ir.name {
        line = rewrite::replace_word(&line, 1, server.name());
    }
    let (weight, initial, admin) = server.with_state(|s| (s.user_weight(), s.initial_weight(), s.admin()));
    if let (ServerAddr::Ip(before), Address::Ip(now)) = (&ir.addr, server.address()) {
        let written = ir.port_offset.map_or(before.port(), |offset| offset as u16);
        let followed = ir.port_offset.is_some() || before.port() == 0;
        if (before.ip(), written, followed) != (now.ip(), now.port(), server.ports_follow()) {
            let sign = if server.ports_follow() { "+" } else { "" };
            let place = now.to_string();
            let end = place.rfind(':').map_or(place.len(), |at| at + 1);
            line = rewrite::replace_word(&line, 2, &format!("{}{sign}{}", &place[..end], &place[end..]));
        }
    }
    if weight != initial {
        line = rewrite::set_argument(&line, 3, "weight", &weight.to_string());
    }
    if server.maxconn() != ir.maxconn {
        line = rewrite::set_argument(&line, 3, "maxconn", &server.maxconn().to_string());
    }
    let disabled = admin.any(Admin::FORCED_MAINT);
    // A server that a command added begins in maintenance, and one that is written does not.
    let was = ir.disabled && server.added.is_none();
    if disabled && !was {
        line = rewrite::append(&rewrite::remove_word(&line, 3, "disabled"), "disabled");
    } else if !disabled && ir.disabled {
        line = rewrite::remove_word(&line, 3, "disabled");
    }
    line
}

/// A file of patterns: lines that still hold stay, with the comments between them.
fn patterns(list: &Reference, files: &mut Files) -> Result<(), String> {
    let Origin::File(name) = &list.origin else { return Ok(()) };
    if !list.was_changed() {
        return Ok(());
    }
    let with_values = list.users.lock().iter().any(|user| user.has_values);
    let place = Place { file: (&**name).into(), line: 1 };
    let (file, _) = files.at(&place)?;
    let mut left: Vec<(String, String)> =
        list.contents().entries.iter().map(|e| (e.key.to_string(), e.value.to_string())).collect();
    for at in 0..file.lines.len() {
        let line = file.line(at).trim_end_matches('\r').to_owned();
        let text = line.trim_start_matches([' ', '\t']);
        if line.starts_with('#') || text.is_empty() {
            continue;
        }
        let (key, value) = match text.split_once([' ', '\t']).filter(|_| with_values) {
            Some((key, value)) => (key, value.trim_matches([' ', '\t'])),
            None => (text, ""),
        };
        match left.iter().position(|(k, _)| k == key) {
            Some(found) => {
                let (key, now) = left.remove(found);
                if now != value {
                    file.edit(at, |_| format!("{key} {now}"));
                }
            }
            None => file.remove(at),
        }
    }
    let last = file.lines.len().saturating_sub(1);
    for (key, value) in left {
        file.insert(last, format!("{key} {value}").trim_end().to_owned());
    }
    Ok(())
}

fn commit(call: &mut Call<'_>) -> Reply {
    let _turn = call.control.turn.lock();
    let files = match plan(call.control) {
        Ok(files) => files,
        Err(why) => return Reply::error(why),
    };
    let mut out = String::new();
    for file in files.iter().filter(|file| !file.changes.is_empty()) {
        if let Err(error) = replace(&file.path, &file.text()) {
            return Reply::error(format!(
                "{out}{}: {error}; nothing was written there.\n",
                file.path.display()
            ));
        }
        out.push_str(&file.story());
    }
    if out.is_empty() {
        out.push_str("Nothing was changed.\n");
    }
    for unsaid in files.iter().flat_map(|file| &file.unsaid) {
        let _ = writeln!(out, "not written: {unsaid}");
    }
    // What was written by us is no reason to refuse the next time: it is compared with what is in the file.
    *call.control.written.lock() = crate::sys::clock::wall();
    *call.control.committed.lock() = added(&call.control.live);
    Reply::info(out)
}

/// Puts a text in a file's place at once, with its owner and mode.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    // Behind a symbolic link the file itself is replaced.
    let path = std::fs::canonicalize(path)?;
    let meta = std::fs::metadata(&path)?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(name);
    let write = || {
        let mut file = std::fs::File::create(&temporary)?;
        file.set_permissions(meta.permissions())?;
        std::os::unix::fs::chown(&temporary, Some(meta.uid()), Some(meta.gid()))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, &path)
    };
    write().inspect_err(|_| {
        // The error to tell is the one that led here.
        let _ = std::fs::remove_file(&temporary);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_ends_where_any_other_begins() {
        for next in ["global", "backend", "healthcheck", "namespace_list"] {
            let text = format!("backend b\n  server s 127.0.0.1:80\n{next} x\n  log global\n");
            let file = File {
                path: PathBuf::new(),
                lines: text.split_inclusive('\n').map(str::to_owned).collect(),
                changes: BTreeMap::new(),
                unsaid: Vec::new(),
            };
            assert_eq!(file.section(0), 1..2, "{next}");
        }
    }
}
