//! Expressions, ACLs, conditions and log-format strings: names become enums, arguments get their types.
//!
//! A [`Language`] reads everything that one proxy (or the global section) says in this language. It asks what it
//! does not know of its [`World`] and collects what there is to say; nothing is accepted that would not be
//! evaluated, because a condition that silently never matches opens doors.

mod acl;
mod args;
mod check;
pub mod command;
mod conv;
mod conv_formats;
mod criterion;
mod fetch;
mod known;
mod logformat;
mod map;
mod names;
mod pattern;
mod reference;

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use tandem_parser::diagnostic::{Diagnostic, Head, Reason, Severity};
use tandem_parser::expr as shape;
use tandem_parser::lex::Word;
use tandem_parser::span::Span;

use crate::ir::bandwidth::BandwidthLimit;
use crate::ir::expr::{Acl, Expr, Scope, VarName};
use crate::ir::reference::References;
use crate::ir::{Place, ProxyIdx, Userlist};

pub use acl::predefined;
pub use check::{Site, Valid};
pub(in crate::lower) use conv_formats::var_cond;
pub use criterion::criteria;
pub(in crate::lower) use criterion::regex_reason;
pub use known::{Signature, signature};
pub use logformat::LfUse;
pub use names::{Row, rows};

/// What expressions refer to.
pub trait World {
    /// The contents of a pattern, map or page file that is named at `span`.
    ///
    /// # Errors
    /// As the system gives them.
    fn read(&self, path: &str, span: Span) -> io::Result<Vec<u8>>;
    /// An environment variable.
    fn var(&self, name: &str) -> Option<String>;
    /// This machine's name.
    fn hostname(&self) -> String;
    /// The address of a host, if names may be resolved now.
    fn resolve(&self, host: &str) -> Option<IpAddr>;
    /// Judge the text alone: files that cannot be read are notices.
    fn offline(&self) -> bool;
    /// The `frontend` or `listen` of that name.
    fn frontend(&self, name: &str) -> Option<ProxyIdx>;
    /// The `backend` or `listen` of that name.
    fn backend(&self, name: &str) -> Option<ProxyIdx>;
    /// Position of a server in a backend.
    fn server(&self, backend: ProxyIdx, name: &str) -> Option<u32>;
    /// A `userlist`.
    fn userlist(&self, name: &str) -> Option<Arc<Userlist>>;
    /// Whether the configuration names files with certificates.
    fn certificates(&self) -> bool {
        true
    }
    /// Whether there is a stick table of that name.
    fn table(&self, name: &str) -> bool {
        let _ = name;
        true
    }
    /// Whether there is a `resolvers` section of that name.
    fn resolvers(&self, name: &str) -> bool {
        let _ = name;
        true
    }
    /// A bandwidth limitation filter of a proxy.
    fn bandwidth_limit(&self, proxy: ProxyIdx, name: &str) -> Option<BandwidthLimit> {
        let _ = (proxy, name);
        None
    }
    /// Whether there is a `log-profile` section of that name.
    fn log_profile(&self, name: &str) -> bool {
        let _ = name;
        true
    }
    /// Whether Lua scripts are loaded, which may define more fetches, converters and actions.
    fn lua(&self) -> bool {
        true
    }
    /// Whether experimental directives are allowed.
    fn experimental(&self) -> bool {
        true
    }
    /// How many stick counters a session has.
    fn stick_counters(&self) -> u32 {
        3
    }
    /// The page of a status in an `http-errors` section; `None`: there is no such section or page.
    fn error_page(&self, section: &str, status: u16) -> Option<Arc<[u8]>> {
        let _ = (section, status);
        None
    }
    /// Whether there is an `http-errors` section of that name.
    fn error_section(&self, name: &str) -> bool {
        let _ = name;
        false
    }
    /// Where lists of patterns are kept that may change while running; `None`: they are not.
    fn references(&self) -> Option<&References> {
        None
    }
    /// Where a span stands, for messages at run time.
    fn place(&self, span: Span) -> Place;
}

/// The proxy whose lines are read.
#[derive(Clone, Debug, Default)]
pub struct Owner {
    /// Name, for default realms and messages.
    pub name: String,
    /// HTTP mode.
    pub http: bool,
    /// Its place in the configuration; `None` in the global section.
    pub idx: Option<ProxyIdx>,
    /// It has a client side.
    pub frontend: bool,
    /// It has a server side.
    pub backend: bool,
    /// The line that is read stands in a `defaults` section, where no proxy is the own one.
    pub inherited: bool,
}

impl Owner {
    /// The kind of section that it is of.
    pub(in crate::lower) fn side(&self) -> &'static str {
        match (self.frontend, self.backend) {
            _ if self.inherited => "defaults",
            (true, true) => "listen",
            (true, false) => "frontend",
            _ => "backend",
        }
    }
}

/// A named ACL and where its criteria have values.
struct Named {
    acl: Arc<Acl>,
    phases: u32,
}

/// A message, and whether it is about the condition of a line.
struct Said {
    diagnostic: Diagnostic,
    /// It says itself what was being read.
    whole: bool,
    in_condition: bool,
}

/// Reads the expressions of one proxy.
pub struct Language<'w> {
    pub(in crate::lower) world: &'w dyn World,
    pub(in crate::lower) owner: Owner,
    acls: HashMap<String, Named>,
    /// Names of ACLs whose definition was refused: using one is no second error.
    broken: Vec<String>,
    /// Lengths of the capture slots declared or made by rules, request and response.
    pub(in crate::lower) captures: (Vec<usize>, Vec<usize>),
    said: Vec<Said>,
    /// A condition is being read.
    in_condition: bool,
    /// Something looks at the request line as it was received.
    pub(in crate::lower) reads_request_line: bool,
    /// Something looks at the number of the request.
    pub(in crate::lower) reads_unique_id: bool,
    /// Capture slots there will be once every line is read, request and response.
    pub(in crate::lower) capture_totals: (usize, usize),
    /// Something looks at the connection to the server.
    pub(in crate::lower) reads_server_addresses: bool,
}

/// A value, or nothing because what was wrong has been said.
pub(in crate::lower) type Read<T> = Option<T>;

impl<'w> Language<'w> {
    /// For the lines of `owner`. `captures`: lengths of the `capture` lines, request and response.
    #[must_use]
    pub fn new(world: &'w dyn World, owner: Owner, captures: (Vec<usize>, Vec<usize>)) -> Self {
        Self {
            world,
            owner,
            acls: HashMap::new(),
            broken: Vec::new(),
            captures,
            said: Vec::new(),
            in_condition: false,
            reads_request_line: false,
            reads_unique_id: false,
            capture_totals: (0, 0),
            reads_server_addresses: false,
        }
    }

    /// The table meant where none is named: the proxy's own, which a `defaults` section has not.
    pub(in crate::lower) fn own_table(&self) -> String {
        if self.owner.inherited { String::new() } else { self.owner.name.clone() }
    }

    /// What was said.
    #[must_use]
    pub fn finish(self) -> Vec<Diagnostic> {
        self.said.into_iter().map(|said| said.diagnostic).collect()
    }

    /// What was said so far; later messages start anew.
    pub fn take_said(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.said).into_iter().map(|said| said.diagnostic).collect()
    }

    /// How many messages there are, for [`Language::introduce`].
    pub(in crate::lower) fn said_so_far(&self) -> usize {
        self.said.len()
    }

    /// Puts HAProxy's words about what it was reading in front of the alerts since `from`. `words` is told whether the
    /// condition is meant. What shows only when all of a file is read, HAProxy says without them; of names that nothing has
    /// it says where they are `used`.
    pub(in crate::lower) fn introduce(
        &mut self,
        from: usize,
        words: impl Fn(bool) -> Option<(Head, String)>,
        used: impl Fn(bool, &str) -> String,
    ) {
        for said in self.said.iter_mut().skip(from) {
            let alert = &mut said.diagnostic;
            let name = alert.reason == Reason::UnknownReference && alert.message.contains(" in arg ");
            let late = said.whole || alert.head != Head::Parsing || name;
            if let Some((start, name)) = alert.message.split_once(" in arg ").filter(|_| late)
                && let Some((number, name)) = name.split_once(" of '")
                && let Some((name, end)) = name.split_once('\'')
            {
                let used = used(said.in_condition, name);
                alert.message = format!("{start} in arg {number} of {used}{end}");
                alert.head = Head::Close;
                continue;
            }
            if alert.severity != Severity::Alert || alert.reason == Reason::Refused || late {
                continue;
            }
            if let Some((head, words)) = words(said.in_condition) {
                alert.head = head;
                alert.message.insert_str(0, &words);
            }
        }
    }

    /// Where a span stands, for messages at run time.
    #[must_use]
    pub fn place(&self, span: Span) -> Place {
        self.world.place(span)
    }

    /// Lengths of all capture slots, request and response: the declared ones and those that `capture` rules made.
    #[must_use]
    pub fn capture_lengths(&self) -> (&[usize], &[usize]) {
        (&self.captures.0, &self.captures.1)
    }

    pub(in crate::lower) fn say(&mut self, diagnostic: Diagnostic) {
        self.said.push(Said { diagnostic, whole: false, in_condition: self.in_condition });
    }

    /// Says something that nothing is put in front of.
    pub(in crate::lower) fn say_whole(&mut self, diagnostic: Diagnostic) {
        self.said.push(Said { diagnostic, whole: true, in_condition: self.in_condition });
    }

    /// Puts HAProxy's words in front of the alerts since `from` about what is not arguments alone: variables and files.
    fn precede(&mut self, from: usize, words: &str) {
        for said in self.said.iter_mut().skip(from) {
            let message = &mut said.diagnostic.message;
            let about =
                ["invalid variable ", "invalid syntax ", "Empty variable ", "failed to open pattern file "];
            if about.iter().any(|begin| message.starts_with(begin)) {
                message.insert_str(0, words);
            }
        }
    }

    /// The same for a whole expression, of which only what is wrong with itself is spoken of.
    fn within(&mut self, from: usize, what: impl Fn(&mut String)) {
        let about = ["unknown ", "invalid arg", "fetch method '", "converter '"];
        for said in self.said.iter_mut().skip(from) {
            let alert = &mut said.diagnostic;
            let own = about.iter().any(|start| alert.message.starts_with(start));
            if own && alert.severity == Severity::Alert && alert.reason != Reason::Refused {
                what(&mut alert.message);
            }
        }
    }

    pub(in crate::lower) fn alert<T>(
        &mut self,
        reason: Reason,
        span: Span,
        message: impl Into<String>,
    ) -> Read<T> {
        self.say(Diagnostic::alert(reason, span, message));
        None
    }

    /// A shape that could not be read from the text of `word`.
    fn misshapen<T>(&mut self, what: &str, word: &Word, error: &shape::ShapeError) -> Read<T> {
        let message = match (what, &error.fault) {
            ("log-format", shape::Fault::StrayPercent(c)) => format!(
                "unexpected alias name near '{c}' at position {} line : '{word}'. Maybe you want to write a single '%', \
                 use the syntax '%%'.",
                error.at.start + 1
            ),
            ("log-format", _) => format!("{error}."),
            // As much of it as is there.
            ("ACL expression", shape::Fault::UnclosedParenthesis) => {
                let name = word.split('(').next().unwrap_or_default();
                format!("fetch method '{name}' : {error}.")
            }
            _ => format!("{what} '{word}' : {error}."),
        };
        self.say(Diagnostic::alert(Reason::Syntax, word.part(error.at.clone()), message).label("here"));
        None
    }

    /// A file that this machine lacks: an alert, or a notice when only the text is judged.
    fn unreadable<T>(&mut self, path: &str, span: Span, error: &io::Error) -> Read<T> {
        let severity = if self.world.offline() { Severity::Notice } else { Severity::Alert };
        let message = match error.kind() {
            io::ErrorKind::IsADirectory => {
                format!("error encountered while reading  <{path}> : Is a directory.")
            }
            _ => format!("failed to open pattern file <{path}>."),
        };
        self.say(Diagnostic::new(severity, Reason::Environment, span, message).label(error.to_string()));
        None
    }

    /// Reads a line that nothing is made of: what would only be refused is not said.
    pub(in crate::lower) fn judged<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.said.len();
        let out = read(self);
        let mut nth = 0;
        self.said.retain(|said| {
            nth += 1;
            nth <= before || said.diagnostic.reason != Reason::Refused
        });
        out
    }

    /// Reads a sample expression from the start of `words`: one word, and the following ones as long as each is
    /// a converter. Returns it with the number of words it took.
    pub fn expr(&mut self, words: &[Word], site: Site) -> Read<(Expr, usize)> {
        let first = words.first()?;
        let mut sample = match shape::sample(first) {
            Ok(sample) => sample,
            Err(error) => return self.misshapen("sample expression", first, &error),
        };
        let mut text = first.text().to_owned();
        let mut expr = self.resolve(&sample, first, text.clone(), site)?;
        let mut used = 1;
        // Converters may also stand in words of their own.
        while let Some(word) = words.get(used) {
            let name: String = word.chars().take_while(|c| shape::is_id_char(*c)).collect();
            if !conv::is_known(&name) {
                break;
            }
            sample = match shape::sample(word) {
                Ok(sample) => sample,
                Err(error) => return self.misshapen("converter", word, &error),
            };
            let calls: Vec<_> = std::iter::once(&sample.fetch).chain(&sample.convs).collect();
            for call in calls {
                self.push_conv(&mut expr, call, word)?;
            }
            text.push(',');
            text.push_str(word);
            used += 1;
        }
        expr.text = text.into();
        Some((expr, used))
    }

    /// Names and arguments of a shape, into an expression that has a value at `site`.
    fn resolve(&mut self, sample: &shape::Sample, word: &Word, text: String, site: Site) -> Read<Expr> {
        let mut found = self.fetch(&sample.fetch, word)?;
        if found.either && matches!(site, Site::HttpResponse | Site::TcpResponse) {
            fetch::turn_to_response(&mut found.fetch);
        }
        if !self.has_value(found.phases, site) {
            let name = &sample.fetch.name;
            let message = format!(
                "sample fetch <{name}> may not be reliably used here because it needs '{}' which is not available here.",
                check::needs(found.phases)
            );
            return self.alert(Reason::NotAllowedHere, word.part(sample.fetch.at.clone()), message);
        }
        self.converted(found, sample, word, text)
    }

    /// A fetch with the converters that the shape names.
    fn converted(
        &mut self,
        found: fetch::Found,
        sample: &shape::Sample,
        word: &Word,
        text: String,
    ) -> Read<Expr> {
        let mut expr = Expr { fetch: found.fetch, convs: Vec::new(), out: found.out, text: text.into() };
        for call in &sample.convs {
            self.push_conv(&mut expr, call, word)?;
        }
        Some(expr)
    }

    /// Has a fetch of these phases a value at `site`?
    pub(in crate::lower) fn has_value(&self, phases: u32, site: Site) -> bool {
        let (frontend, backend) = match (self.owner.frontend, self.owner.backend) {
            // `defaults` is read by both sides.
            (false, false) => (true, true),
            sides => sides,
        };
        phases & site.phases(frontend, backend) != 0
    }

    fn push_conv(&mut self, expr: &mut Expr, call: &shape::Call, word: &Word) -> Read<()> {
        let conv = self.conv(call, word)?;
        let (input, output) = match &conv {
            conv::Found::Done(conv) => crate::expr::conv::types(conv),
            conv::Found::Missing(known) => (known.input, known.out.unwrap_or(expr.out)),
        };
        if !check::castable(expr.out, input) {
            let message = format!("converter '{}' cannot be applied.", call.name);
            let label = format!("it takes {}, and here comes {}", check::noun(input), check::noun(expr.out));
            self.say(
                Diagnostic::alert(Reason::InvalidValue, word.part(call.at.clone()), message).label(label),
            );
            return None;
        }
        expr.out = output;
        if let conv::Found::Done(conv) = conv {
            expr.convs.push(conv);
        }
        Some(())
    }

    /// `scope.name` of a variable.
    pub(in crate::lower) fn var_name(&mut self, text: &str, span: Span) -> Read<VarName> {
        match variable(text) {
            Ok(name) => Some(name),
            Err(cause) => {
                let mut d = Diagnostic::alert(Reason::InvalidValue, span, format!("{cause}."));
                let known = SCOPES.iter().map(|(name, _)| *name);
                if let Some((scope, name)) = text.split_once('.')
                    && let Some(near) =
                        tandem_parser::suggest::nearest(scope, known).filter(|near| *near != scope)
                {
                    d = d.help(format!("did you mean '{near}.{name}'?"));
                }
                self.say(d);
                None
            }
        }
    }
}

/// Where variables live.
const SCOPES: &[(&str, Scope)] = &[
    ("proc", Scope::Proc),
    ("sess", Scope::Sess),
    ("txn", Scope::Txn),
    ("req", Scope::Req),
    ("res", Scope::Res),
    ("check", Scope::Check),
    ("psess", Scope::Parent),
    ("ptxn", Scope::Parent),
    ("preq", Scope::Parent),
    ("pres", Scope::Parent),
];

/// The scope of this name.
fn scope(name: &str) -> Option<Scope> {
    SCOPES.iter().find(|(known, _)| *known == name).map(|(_, scope)| *scope)
}

/// The scope and the rest of a text that begins with one.
fn scoped(text: &str) -> Option<(Scope, &str)> {
    let (start, name) = text.split_once('.').filter(|(_, name)| !name.is_empty())?;
    Some((scope(start)?, name))
}

/// `scope.name` of a variable, or what is wrong with it.
pub(in crate::lower) fn variable(text: &str) -> Result<VarName, String> {
    if text.is_empty() {
        return Err("Empty variable name cannot be accepted".into());
    }
    let Some((scope, name)) = scoped(text) else {
        return Err(format!(
            "invalid variable name '{text}'. A variable name must be start by its scope. The scope can be 'proc', \
             'sess', 'txn', 'req', 'res' or 'check'"
        ));
    };
    match name.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))) {
        Some(at) => Err(format!("invalid syntax at char '{}'", &name[at..])),
        None => Ok(VarName { scope, id: crate::expr::vars::id(name), name: name.into() }),
    }
}

#[cfg(test)]
pub(in crate::lower) mod tests;
