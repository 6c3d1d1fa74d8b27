//! Health checks of a backend: which kind, and the lines that [`super::check_rules`] reads once all proxies stand.

use tandem_parser::Word;
use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::haproxy::Statement;

use super::context::Context;
use crate::ir::check::{Check, CheckKind, External, MysqlLogin};

/// What the lines of a section say so far.
#[derive(Clone, Debug, Default)]
pub(super) struct CheckDraft<'t> {
    kind: Option<CheckKind>,
    /// `option httpchk`.
    option: Option<&'t Statement>,
    option_inherited: bool,
    http_rules: Rules<'t>,
    tcp_rules: Rules<'t>,
    disable_on_404: bool,
    send_state: bool,
    command: Option<String>,
    path: Option<String>,
    pub(super) log_all: bool,
}

/// `option httpchk GET / HTTP/1.1\r\nHost:\ www`: headers and a body behind the version, as before `http-check send`.
/// `first`: no rule stands above, so that one which sends may follow here.
fn hidden_headers(context: &mut Context<'_>, line: &Statement, first: bool) {
    let [method, uri, version, ..] = [line.text(0), line.text(1), line.words(2).first().map(Word::text)];
    let Some((version, rest)) = version.and_then(|text| text.split_once("\r\n")) else { return };
    let (head, body) = rest.split_once("\r\n\r\n").unwrap_or((rest, ""));
    let headers: Option<Vec<(&str, &str)>> =
        head.split("\r\n").filter(|header| !header.is_empty()).map(|header| header.split_once(':')).collect();
    let message = "'option httpchk' : hiding headers or body at the end of the version string is deprecated. Please, \
                   consider to use 'http-check send' directive instead.";
    let mut said = Diagnostic::warning(Reason::Retired, line.span, message);
    if let Some(headers) = headers.filter(|_| first) {
        let word = |text: &str| format!("'{}'", text.trim().replace('\'', "'\\''"));
        let mut modern = format!(
            "http-check send meth {} uri {} ver {version}",
            method.unwrap_or("OPTIONS"),
            word(uri.unwrap_or("/"))
        );
        for (name, value) in headers {
            modern += &format!(" hdr {} {}", name.trim(), word(&value.replace('%', "%%")));
        }
        if !body.is_empty() {
            modern += &format!(" body {}", word(body));
        }
        said = said.help(format!("write behind 'option httpchk': {modern}"));
        said = said.edit(line.span, format!("option httpchk\n    {modern}"));
    }
    context.say(said);
}

/// Rules of a section replace those of its `defaults` as a whole.
#[derive(Clone, Debug, Default)]
struct Rules<'t> {
    lines: Vec<&'t Statement>,
    inherited: bool,
}

impl<'t> Rules<'t> {
    fn push(&mut self, line: &'t Statement) {
        if std::mem::take(&mut self.inherited) {
            self.lines.clear();
        }
        self.lines.push(line);
    }
}

impl<'t> CheckDraft<'t> {
    /// A copy for a section that starts from this `defaults`.
    pub(super) fn inherited(&self) -> Self {
        let mut copy = self.clone();
        copy.http_rules.inherited = true;
        copy.tcp_rules.inherited = true;
        copy.option_inherited = true;
        copy
    }

    /// Applies one line.
    pub(super) fn apply(&mut self, context: &mut Context<'_>, line: &'t Statement) -> bool {
        // A `healthcheck` section says by `type` what others say by `option`.
        let typed = line.name().strip_prefix("type ").map(|name| format!("option {name}"));
        let kind = match typed.as_deref().unwrap_or(line.name()) {
            "option httpchk" => {
                self.option = Some(line);
                if let Some(extra) = line.words(2).get(2) {
                    let message = format!("'option httpchk' cannot handle unexpected argument '{extra}'.");
                    context.alert(Reason::TooManyArguments, extra.span, message);
                }
                hidden_headers(context, line, self.http_rules.inherited || self.http_rules.lines.is_empty());
                self.option_inherited = false;
                // It begins anew: what `defaults` said of another request goes with that.
                if std::mem::take(&mut self.http_rules.inherited) {
                    self.http_rules.lines.clear();
                }
                CheckKind::Http
            }
            "option tcp-check" => CheckKind::TcpScript,
            "option pgsql-check" => {
                let user = user(line);
                if user.is_none() {
                    let message = "'option pgsql-check' expects 'user <username>' as argument.";
                    context.alert(Reason::MissingArgument, line.span, message);
                }
                CheckKind::Pgsql { user: user.unwrap_or_default() }
            }
            "option mysql-check" => {
                let says = |name: &str| line.settings(0).iter().any(|setting| setting.name() == name);
                let login = match () {
                    () if says("pre-41") => MysqlLogin::Pre41,
                    () if says("post-80") => MysqlLogin::Post80,
                    // What a user implies.
                    () => MysqlLogin::Post41,
                };
                CheckKind::Mysql { user: user(line), login }
            }
            "option redis-check" => CheckKind::Redis,
            "option ldap-check" => CheckKind::Ldap,
            "option ssl-hello-chk" => CheckKind::SslHello,
            "option spop-check" => CheckKind::Spop,
            "option smtpchk" => {
                let hello = match (line.text(0), line.text(1)) {
                    (Some(verb @ ("HELO" | "EHLO")), Some(domain)) => format!("{verb} {domain}"),
                    _ => "HELO localhost".to_owned(),
                };
                CheckKind::Smtp { hello }
            }
            "option external-check" => CheckKind::External(External::default()),
            "external-check command" => {
                self.command = line.text(0).map(str::to_owned);
                return true;
            }
            "external-check path" => {
                self.path = line.text(0).map(str::to_owned);
                return true;
            }
            "option log-health-checks" => {
                self.log_all = line.modifier == Default::default();
                return true;
            }
            "http-check disable-on-404" => {
                self.disable_on_404 = true;
                return true;
            }
            "http-check send-state" => {
                self.send_state = true;
                return true;
            }
            name if name.starts_with("http-check ") => {
                // Rules of a section are all the rules there are: what `defaults` asked for is not asked.
                if self.option_inherited {
                    self.option = None;
                }
                self.http_rules.push(line);
                return true;
            }
            name if name.starts_with("tcp-check ") => {
                self.tcp_rules.push(line);
                return true;
            }
            _ => return false,
        };
        self.kind = Some(kind);
        true
    }

    /// Whether a script of this draft names the port of its first connection.
    pub(super) fn names_port(&self) -> bool {
        let lines = match self.kind {
            Some(CheckKind::TcpScript) => &self.tcp_rules.lines,
            Some(CheckKind::Http) => &self.http_rules.lines,
            _ => return false,
        };
        let connect = lines.iter().find(|line| line.name().ends_with(" connect"));
        connect.is_some_and(|line| line.settings(0).iter().any(|setting| setting.name() == "port"))
    }

    /// Whether a script of this draft connects with TLS.
    pub(super) fn speaks_tls(&self) -> bool {
        let lines = match self.kind {
            Some(CheckKind::TcpScript) => &self.tcp_rules.lines,
            Some(CheckKind::Http) => &self.http_rules.lines,
            // Without the option they make no checks, but are looked at.
            None if self.tcp_rules.lines.is_empty() => &self.http_rules.lines,
            None => &self.tcp_rules.lines,
            _ => return false,
        };
        let connects = lines.iter().filter(|line| line.name().ends_with(" connect"));
        connects.flat_map(|line| line.settings(0)).any(|setting| setting.name() == "ssl")
    }

    /// Name of the option whose rules stand here without it.
    pub(super) fn unused_rules(&self) -> Option<(&'static str, &'static str)> {
        let own = |rules: &Rules<'_>| !rules.inherited && !rules.lines.is_empty();
        if own(&self.http_rules) && !matches!(self.kind, Some(CheckKind::Http)) {
            return Some(("http-check", "option httpchk"));
        }
        (own(&self.tcp_rules) && !matches!(self.kind, Some(CheckKind::TcpScript)))
            .then_some(("tcp-check", "option tcp-check"))
    }

    /// The check, but for its rules, and the lines that they are read from.
    pub(super) fn finish(mut self, preserve_env: bool) -> (Check, Vec<&'t Statement>) {
        let mut lines = Vec::new();
        if matches!(self.kind, Some(CheckKind::Http)) {
            lines.extend(self.option);
        }
        lines.append(&mut self.http_rules.lines);
        lines.append(&mut self.tcp_rules.lines);
        let kind = match self.kind {
            Some(CheckKind::External(_)) => CheckKind::External(External {
                command: self.command.unwrap_or_default(),
                path: self.path,
                preserve_env,
            }),
            kind => kind.unwrap_or_default(),
        };
        let check = Check {
            kind,
            rules: Vec::new(),
            disable_on_404: self.disable_on_404,
            send_state: self.send_state,
            log_all: self.log_all,
        };
        (check, lines)
    }
}

fn user(line: &Statement) -> Option<String> {
    let settings = line.settings(0);
    settings.iter().find(|setting| setting.name() == "user")?.text(0).map(str::to_owned)
}
