//! A proxy in the making: what `defaults` and the lines of its section say so far.

use tandem_parser::haproxy::Statement;
use tandem_parser::span::Span;

use super::check::CheckDraft;
use super::context::Context;
use super::log::LogLine;
use super::server::Template;
use crate::ir::log::LogFormatKind;
use crate::ir::proxy::{Backend, Frontend};
use crate::ir::{Caps, Proxy};

/// Both halves of a proxy, whichever of them the section will keep.
#[derive(Clone, Debug)]
pub(super) struct Draft<'t> {
    /// What both halves share; its own halves are empty until the end.
    pub(super) common: Proxy,
    pub(super) frontend: Box<Frontend>,
    pub(super) backend: Box<Backend>,
    /// `default-server`.
    pub(super) template: Template,
    /// There is a `mode` line.
    pub(super) has_mode: bool,
    /// `mode log`
    pub(super) log_mode: bool,
    pub(super) logs: Vec<LogLine>,
    pub(super) check: CheckDraft<'t>,
    /// `server-state-file-name`.
    pub(super) state_file_name: Option<String>,
    /// ACLs, rules and everything else with a condition, in order.
    pub(super) rules: Vec<&'t Statement>,
    pub(super) default_backend: Option<(String, Span)>,
    /// The line that chose the log format.
    pub(super) format_line: Option<&'t Statement>,
}

impl<'t> Draft<'t> {
    /// HAProxy's own defaults.
    pub(super) fn new() -> Self {
        let mut common = Proxy::new("", Caps::Listen);
        let frontend = common.frontend.take().unwrap_or_default();
        let backend = common.backend.take().unwrap_or_default();
        Self {
            common,
            frontend,
            backend,
            template: Template::default(),
            has_mode: false,
            log_mode: false,
            logs: Vec::new(),
            check: CheckDraft::default(),
            state_file_name: None,
            rules: Vec::new(),
            default_backend: None,
            format_line: None,
        }
    }

    /// What the first sections start from: those of a `server` line on its own have settings to start from.
    pub(super) fn starting(context: &Context<'_>) -> Self {
        let mut draft = Self::new();
        if let Some(origin) = &context.origin {
            draft.template = Template::starting_from(origin.clone());
        }
        draft
    }

    /// A copy to start a section from.
    pub(super) fn inherited(&self) -> Self {
        let mut draft = Self { check: self.check.inherited(), ..self.clone() };
        // Those with names stay where they are.
        draft.backend.default_servers.clear();
        draft
    }

    /// Chooses a log format, or goes back to the short line.
    pub(super) fn log_format(&mut self, on: bool, kind: LogFormatKind, line: &'t Statement) {
        self.common.log_format = if on { kind } else { LogFormatKind::Default };
        self.format_line = on.then_some(line);
    }
}
