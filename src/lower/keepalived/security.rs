//! Whether scripts can be run, and run safely: keepalived's checks, in its order and words.

use std::path::{Path, PathBuf};

use tandem_parser::keepalived::{Class, Voice};
use tandem_parser::{Reason, Span};

use super::context::Cx;
use super::env::{FileError, FileInfo};
use crate::ir::vrrp::{ExecMode, NotifyScript};

const IFMT: u32 = 0o170_000;
const IFDIR: u32 = 0o040_000;
const IFREG: u32 = 0o100_000;
const IFLNK: u32 = 0o120_000;

/// What became of one script.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Outcome {
    is_script: bool,
    insecure: bool,
    inhibit: bool,
    missing: bool,
    executable: bool,
    /// Something the shell does without running a file.
    shell: bool,
}

impl Outcome {
    const MISSING: Self = Self {
        is_script: false,
        insecure: false,
        inhibit: false,
        missing: true,
        executable: false,
        shell: false,
    };

    fn usable(self) -> bool {
        !self.inhibit && !self.missing && (self.executable || self.shell)
    }
}

impl Cx<'_> {
    /// Checks every script of the VRRP side and takes out those that cannot run.
    pub(super) fn check_vrrp_scripts(&mut self) {
        if self.config.instances.is_empty() {
            return;
        }
        let mut seen = Outcome::default();
        let mut note = |outcome: Outcome| {
            seen.is_script |= outcome.is_script;
            seen.insecure |= outcome.insecure;
        };

        let mut unusable = vec![false; self.config.scripts.len()];
        for (index, dropped) in unusable.iter_mut().enumerate() {
            let mut command = std::mem::take(&mut self.config.scripts[index].command);
            let name = self.config.scripts[index].name.clone();
            let span = self.script_spans[index];
            let outcome = self.check_script(&mut command, span);
            self.config.scripts[index].command = command;
            if outcome.inhibit {
                self.late(
                    Reason::Environment,
                    span,
                    format!("Disabling track script {name} due to insecure"),
                );
            } else if outcome.missing {
                self.late(
                    Reason::Environment,
                    span,
                    format!("Disabling track script {name} since not found/accessible"),
                );
            }
            *dropped = !outcome.usable();
            note(outcome);
        }

        let mut instances = std::mem::take(&mut self.config.instances);
        for (index, instance) in instances.iter_mut().enumerate() {
            let span = self.instance_spans[index];
            let notify = &mut instance.notify;
            for script in [
                &mut notify.backup,
                &mut notify.master,
                &mut notify.fault,
                &mut notify.stop,
                &mut notify.deleted,
                &mut notify.generic,
                &mut notify.master_rx_lower_pri,
            ] {
                note(self.check_notify(script, span));
            }
        }
        self.config.instances = instances;
        let mut groups = std::mem::take(&mut self.config.sync_groups);
        for (index, group) in groups.iter_mut().enumerate() {
            let span = self.group_spans[index];
            let notify = &mut group.notify;
            for script in [
                &mut notify.backup,
                &mut notify.master,
                &mut notify.fault,
                &mut notify.stop,
                &mut notify.generic,
            ] {
                note(self.check_notify(script, span));
            }
        }
        self.config.sync_groups = groups;
        for global in [true, false] {
            let fifo = if global {
                &mut self.config.global.notify_fifo
            } else {
                &mut self.config.global.vrrp_notify_fifo
            };
            let mut script = fifo.as_mut().and_then(|fifo| fifo.script.take());
            note(self.check_notify(&mut script, Span::default()));
            let fifo = if global {
                &mut self.config.global.notify_fifo
            } else {
                &mut self.config.global.vrrp_notify_fifo
            };
            if let Some(fifo) = fifo {
                fifo.script = script;
            }
        }
        self.security_violation(seen, "");
        self.drop_scripts(&unusable);
    }

    /// `startup_script` and `shutdown_script`.
    pub(super) fn check_start_stop_scripts(&mut self) {
        let mut seen = Outcome::default();
        let mut startup = self.config.global.startup_script.take();
        let mut shutdown = self.config.global.shutdown_script.take();
        for script in [&mut startup, &mut shutdown] {
            let outcome = self.check_notify(script, Span::default());
            seen.is_script |= outcome.is_script;
            seen.insecure |= outcome.insecure;
        }
        self.config.global.startup_script = startup;
        self.config.global.shutdown_script = shutdown;
        self.security_violation(seen, "start/shutdown ");
    }

    /// Scripts of virtual servers and their checks.
    pub(super) fn check_service_scripts(&mut self, scripts: Vec<NotifyScript>) {
        let mut seen = Outcome::default();
        for script in scripts {
            let outcome = self.check_notify(&mut Some(script), Span::default());
            seen.is_script |= outcome.is_script;
            seen.insecure |= outcome.insecure;
        }
        self.security_violation(seen, "check ");
    }

    fn security_violation(&mut self, seen: Outcome, which: &str) {
        let security = &mut self.config.global.script_security;
        security.insecure_scripts |= seen.insecure;
        if security.enabled || !seen.is_script {
            return;
        }
        let tail = if seen.insecure { " There are insecure scripts." } else { "" };
        let text = format!(
            "SECURITY VIOLATION - {which}scripts are being executed but script_security not enabled.{tail}"
        );
        self.classed(Voice::Plain, Class::Security, Reason::Environment, Span::default(), text).help(
            "put 'enable_script_security' in global_defs, and 'script_user' if the scripts need no root",
        );
    }

    fn check_notify(&mut self, script: &mut Option<NotifyScript>, span: Span) -> Outcome {
        let Some(command) = script else { return Outcome::default() };
        let outcome = self.check_script(command, span);
        if outcome.inhibit || outcome.missing || !outcome.executable {
            *script = None;
        }
        outcome
    }

    /// Removes scripts and the references to them.
    fn drop_scripts(&mut self, unusable: &[bool]) {
        let mut kept = 0u32;
        let renumbered: Vec<Option<u32>> = unusable
            .iter()
            .map(|gone| {
                let number = (!gone).then_some(kept);
                kept += u32::from(!gone);
                number
            })
            .collect();
        let mut gone = unusable.iter();
        self.config.scripts.retain(|_| !gone.next().copied().unwrap_or(false));
        let mut gone = unusable.iter();
        self.script_spans.retain(|_| !gone.next().copied().unwrap_or(false));
        let renumber = |tracked: &mut Vec<crate::ir::vrrp::TrackedScript>| {
            tracked.retain_mut(|entry| match renumbered.get(entry.script.0 as usize).copied().flatten() {
                Some(number) => {
                    entry.script.0 = number;
                    true
                }
                None => false,
            });
        };
        self.config.instances.iter_mut().for_each(|instance| renumber(&mut instance.track_scripts));
        self.config.sync_groups.iter_mut().for_each(|group| renumber(&mut group.track_scripts));
    }

    /// One command. Resolves its path and sets how it is started.
    fn check_script(&mut self, command: &mut NotifyScript, span: Span) -> Outcome {
        let Some(first) = command.argv.first().cloned() else { return Outcome::MISSING };
        if let Some(file) = first.strip_prefix('<')
            && file.trim_start_matches([' ', '\t']).starts_with('/')
        {
            command.mode = ExecMode::Shell;
            return Outcome { shell: true, ..Outcome::default() };
        }
        if self.env.offline() {
            return Outcome { executable: true, ..Outcome::default() };
        }
        let path = if first.contains('/') {
            PathBuf::from(&first)
        } else {
            match self.find_in_path(&first) {
                Ok(path) => path,
                Err(FileError::Denied) => {
                    self.log(span, format!("Permissions failure for script {first} in path - disabling"));
                    return Outcome::MISSING;
                }
                Err(_) => {
                    self.log(span, format!("Cannot find script {first} in path - disabling"));
                    return Outcome::MISSING;
                }
            }
        };
        let real = match self.env.canonical(&path) {
            Ok(real) => real,
            Err(why) => {
                self.log(span, format!("Script {} cannot be accessed - {}", path.display(), why.text()));
                return Outcome::MISSING;
            }
        };
        // Programs that look at their own name keep it, in the directory the link leads to, if it is there too.
        let mut link_target = None;
        let mut run = real.clone();
        if path.file_name() != real.file_name()
            && let (Some(directory), Some(name)) = (real.parent(), path.file_name())
        {
            let renamed = directory.join(name);
            let same = self.env.file(&renamed, true).map(|info| info.id)
                == self.env.file(&real, true).map(|info| info.id);
            if same {
                run = renamed;
                link_target = Some(real);
            }
        }
        let Ok(info) = self.env.file(link_target.as_deref().unwrap_or(&run), true) else {
            self.log(span, format!("Unable to access script `{}` - disabling", run.display()));
            return Outcome::MISSING;
        };
        if !self.config.global.use_symlink_paths {
            command.argv[0] = run.display().to_string();
            command.called = (command.argv[0] != first).then_some(first);
            command.line = super::script::join(&command.argv);
        }
        let mut outcome = Outcome { is_script: true, ..Outcome::default() };
        let user = command.user;
        if !executable(&info, user.uid, user.gid) {
            let text = format!(
                "WARNING - script '{}' is not executable for uid:gid {}:{} - disabling.",
                run.display(),
                user.uid,
                user.gid
            );
            self.log(span, text);
            return outcome;
        }
        outcome.executable = true;
        command.mode = ExecMode::Direct;
        let head = self.env.head(&run).unwrap_or_default();
        if !head.is_empty() && !head.starts_with(b"#!") && !head.starts_with(b"\x7fELF") {
            self.log(span, format!("Please add a #! shebang to script {}", run.display()));
            command.mode = ExecMode::Shell;
        }
        let set_id = (info.uid == 0 && info.mode & 0o4100 == 0o4100)
            || (info.gid == 0 && info.mode & 0o2010 == 0o2010);
        if user.uid == 0 || user.gid == 0 || set_id {
            self.check_path(&run, span, &mut outcome);
            if let Some(target) = link_target {
                self.check_path(&target, span, &mut outcome);
            }
        }
        outcome
    }

    fn find_in_path(&self, name: &str) -> Result<PathBuf, FileError> {
        let mut worst = FileError::Missing;
        for directory in self.env.search_path() {
            let candidate = directory.join(name);
            match self.env.file(&candidate, true) {
                Ok(info) if info.mode & IFMT == IFREG && info.mode & 0o111 != 0 => return Ok(candidate),
                Ok(_) | Err(FileError::Denied) => worst = FileError::Denied,
                Err(_) => {}
            }
        }
        Err(worst)
    }

    /// Every part of the path must belong to root and be writable by nobody else.
    fn check_path(&mut self, path: &Path, span: Span, outcome: &mut Outcome) {
        let enabled = self.config.global.script_security.enabled;
        let mut parts: Vec<&Path> = path.ancestors().collect();
        parts.reverse();
        for (index, part) in parts.iter().enumerate() {
            let last = index + 1 == parts.len();
            let Ok(info) = self.env.file(part, false) else {
                let text =
                    format!("check_script_secure could not find script '{}' - disabling", path.display());
                self.log(span, text);
                outcome.missing = true;
                return;
            };
            let kind = info.mode & IFMT;
            if (!last && kind != IFDIR) || (last && kind != IFREG && kind != IFLNK) {
                self.log(span, format!("Wrong file type found in script path '{}'.", path.display()));
                outcome.inhibit = true;
                return;
            }
            let guarded = kind == IFREG || (kind == IFDIR && info.mode & 0o1000 == 0);
            let others = (info.gid != 0 && info.mode & 0o020 != 0) || info.mode & 0o002 != 0;
            if info.uid != 0 || (guarded && others) {
                let tail = if enabled { " - disabling" } else { "" };
                self.log(span, format!("Unsafe permissions found for script '{}'{tail}.", path.display()))
                    .help(format!("'{}' can be changed by others than root", part.display()));
                outcome.insecure = true;
                outcome.inhibit |= enabled;
                return;
            }
        }
    }
}

fn executable(info: &FileInfo, uid: u32, gid: u32) -> bool {
    if info.mode & IFMT != IFREG {
        return false;
    }
    if uid == 0 {
        return info.mode & 0o111 != 0;
    }
    if info.uid == uid {
        return info.mode & 0o100 != 0;
    }
    if info.gid == gid {
        return info.mode & 0o010 != 0;
    }
    info.mode & 0o001 != 0
}
