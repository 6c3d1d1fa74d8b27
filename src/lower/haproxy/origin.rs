//! `from`: what a server or a `default-server` starts from.

use std::sync::Arc;

use tandem_parser::diagnostic::{Diagnostic, Head, Reason};
use tandem_parser::haproxy::Statement;

use super::context::{Context, span_at};
use super::draft::Draft;
use super::server::Template;
use crate::ir::server::ServerSettings;
use crate::ir::{Backend, Config, Proxy};

/// What may follow `from`.
#[derive(Debug, PartialEq, Eq)]
pub enum Origin<'w> {
    /// HAProxy's own defaults.
    Nothing,
    /// The `default-server` of a backend; `None`: of the server's own.
    Backend(Option<&'w str>),
    /// A server, or a `default-server` with a name.
    Server(Option<&'w str>, &'w str),
}

impl<'w> Origin<'w> {
    /// Reads the word behind `from`.
    ///
    /// # Errors
    /// What is wrong with it, in HAProxy's words.
    pub fn read(word: &'w str) -> Result<Self, String> {
        if word == "none" {
            return Ok(Self::Nothing);
        }
        if let Some(name) = word.strip_prefix("be:") {
            return Ok(Self::Backend(Some(name).filter(|name| !name.is_empty())));
        }
        let Some(path) = word.strip_prefix("srv:") else {
            return Err(format!("invalid '{word}' value for 'from' keyword."));
        };
        let (backend, name) =
            path.split_once('/').map_or((None, path), |(backend, name)| (Some(backend), name));
        if name.is_empty() {
            return Err("from: require <backend>/<server>.".into());
        }
        Ok(Self::Server(backend, name))
    }

    /// The name of the backend where it is looked for; `None`: the server's own.
    pub fn backend(&self) -> Option<&'w str> {
        match *self {
            Self::Nothing => None,
            Self::Backend(name) | Self::Server(name, _) => name,
        }
    }

    /// Looks it up in that backend, where `server` finds those that stand.
    ///
    /// # Errors
    /// What there is not, in HAProxy's words.
    pub fn settings(
        &self,
        own: &str,
        half: Option<&Backend>,
        server: impl FnOnce(&str) -> Option<ServerSettings>,
    ) -> Result<Option<Arc<ServerSettings>>, String> {
        let backend = self.backend().unwrap_or(own);
        match (self, half) {
            (Self::Nothing, _) => Ok(None),
            (Self::Backend(_), Some(half)) => Ok(half.default_server.clone()),
            (Self::Backend(_), None) => Err(format!("from: unknown backend instance '{backend}'.")),
            (Self::Server(_, name), Some(half)) => {
                let found = server(name).map(Arc::new).or_else(|| half.default_servers.get(*name).cloned());
                let found =
                    found.ok_or_else(|| format!("from: unknown server '{name}' in backend '{backend}'."));
                found.map(Some)
            }
            (Self::Server(..), None) => Err(format!("from: unknown backend '{backend}'.")),
        }
    }
}

/// The `name` that the settings of a `default-server` begin with.
pub(super) fn name(settings: &[Statement]) -> Option<&Statement> {
    settings.first().filter(|first| first.name() == "name")
}

/// The backend called `name`, if it is among these.
pub(super) fn backend<'p>(proxies: &'p [Arc<Proxy>], name: &str) -> Option<&'p Backend> {
    let is_it = |proxy: &&Arc<Proxy>| proxy.name == name && proxy.backend.is_some();
    proxies.iter().find(is_it)?.backend.as_deref()
}

/// The settings behind `name` and `from`.
pub(super) fn rest(settings: &[Statement]) -> &[Statement] {
    &settings[usize::from(name(settings).is_some()) + usize::from(from(settings).is_some())..]
}

/// What follows `from` at the beginning of settings, behind a `name`.
pub(super) fn from(settings: &[Statement]) -> Option<&Statement> {
    settings.get(usize::from(name(settings).is_some())).filter(|setting| setting.name() == "from")
}

/// What settings start from. `Err`: where they say nothing of it.
fn start(
    context: &mut Context<'_>,
    settings: &[Statement],
    own: &Backend,
    config: &Config,
) -> Result<Template, ()> {
    let setting = from(settings).ok_or(())?;
    let word = setting.text(0).unwrap_or_default();
    let found = Origin::read(word).and_then(|origin| {
        let half = match origin.backend().filter(|name| *name != context.proxy) {
            None => Some(own),
            Some(name) => backend(&config.proxies, name),
        };
        let servers = half.map_or(&[][..], |half| &half.servers);
        let standing = |name: &str| servers.iter().find(|server| server.name == name).map(ServerSettings::of);
        origin.settings(&context.proxy, half, standing)
    });
    match found {
        Ok(settings) => {
            let mut template = settings.map_or_else(Template::default, Template::starting_from);
            // What it starts from may have some; they are known when the rules are.
            template.notice_formats(true);
            Ok(template)
        }
        Err(message) => {
            let span = span_at(setting, 0);
            context.say(Diagnostic::alert(Reason::UnknownReference, span, message).head(Head::At));
            Ok(Template::default())
        }
    }
}

/// What a `server` line starts from.
pub(super) fn of_server(
    context: &mut Context<'_>,
    settings: &[Statement],
    draft: &Draft<'_>,
    config: &Config,
) -> Template {
    if let Some(setting) = name(settings) {
        let message = "unknown keyword 'name'.";
        context.say(Diagnostic::alert(Reason::UnknownKeyword, setting.span, message).head(Head::At));
    }
    start(context, settings, &draft.backend, config).unwrap_or_else(|()| draft.template.clone())
}

/// `default-server [name NAME] [from ORIGIN] [SETTING...]`
pub(super) fn default_server(
    context: &mut Context<'_>,
    settings: &[Statement],
    draft: &mut Draft<'_>,
    config: &Config,
) {
    let name = name(settings).and_then(|name| name.text(0));
    let formats = draft.template.has_formats();
    let mut template = start(context, settings, &draft.backend, config).unwrap_or_else(|()| match name {
        None => draft.template.clone(),
        Some(name) => {
            let standing = draft.backend.default_servers.get(name).cloned();
            standing.map_or_else(Template::default, Template::starting_from)
        }
    });
    template.apply(context, rest(settings));
    // A unique name is of one server alone.
    template.forget_guid();
    match name {
        None => {
            draft.backend.default_server = template.written();
            draft.template = template;
        }
        Some(name) => {
            let formats = template.has_formats();
            let servers = &mut draft.backend.default_servers;
            servers.insert(name.to_owned(), template.settings());
            draft.template.notice_formats(formats);
        }
    }
    draft.template.notice_formats(formats);
}
