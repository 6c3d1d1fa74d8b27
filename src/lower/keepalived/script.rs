//! Users, commands and `vrrp_script`.

use tandem_parser::keepalived::word::{QuoteError, escaped};
use tandem_parser::keepalived::{Statement, Word};
use tandem_parser::{Reason, Span};

use super::context::Cx;
use crate::ir::vrrp::{ExecMode, NameMatch, NotifyScript, RunAs, Script, WatchedProcess};
use std::time::Duration;

/// Longest time in seconds a 32 bit count of microseconds holds.
pub(super) const LONGEST_SECONDS: u32 = u32::MAX / 1_000_000;

impl Cx<'_> {
    /// User and group by name; says why not.
    pub(super) fn run_as(&mut self, user: &str, group: Option<&str>, span: Span) -> Option<RunAs> {
        let Some(mut found) = self.env.user(user) else {
            self.log(span, format!("Script user '{user}' does not exist"));
            return self.env.offline().then(RunAs::default);
        };
        if let Some(group) = group {
            let Some(gid) = self.env.group(group) else {
                self.log(span, format!("Script group '{group}' does not exist"));
                return self.env.offline().then_some(found);
            };
            found.gid = gid;
        }
        Some(found)
    }

    /// The user of scripts that name none: `script_user`, else `keepalived_script`, else whoever we are.
    pub(super) fn default_run_as(&mut self, span: Span) -> Option<RunAs> {
        if self.default_user.is_none() {
            let secure = self.config.global.script_security.enabled;
            let user = self.env.user("keepalived_script");
            if user.is_none() && !self.env.offline() {
                self.log(span, "Script user 'keepalived_script' does not exist");
            }
            self.default_user = Some(match user {
                Some(user) => Ok(user),
                None if secure && !self.env.offline() => {
                    self.error(
                        Reason::Environment,
                        span,
                        "Unable to set default user keepalived_script for script",
                    )
                    .help("create the user, or name another with 'script_user' in global_defs");
                    Err(())
                }
                None => Ok(self.env.own_user()),
            });
        }
        self.default_user.and_then(Result::ok)
    }

    /// Words of a command line such as `script "/bin/x 'a b'" USER GROUP`: the command's words, and the words after it.
    pub(super) fn command(&mut self, statement: &Statement) -> Option<(Vec<String>, Vec<String>)> {
        let words = self.quoted(&statement.text, statement.span)?;
        let line = words.get(1)?;
        let argv = self.quoted(line, statement.span)?;
        (!argv.is_empty()).then(|| (argv, words[2..].to_vec()))
    }

    fn quoted(&mut self, text: &str, span: Span) -> Option<Vec<String>> {
        match escaped(text) {
            Ok(words) => Some(words),
            Err(QuoteError::Unterminated(quote)) => {
                self.error(Reason::Syntax, span, format!("String '{text}': missing terminating {quote}"));
                None
            }
            Err(QuoteError::TrailingBackslash) => {
                self.log(span, format!("Missing escape char at end: '{text}'"));
                None
            }
        }
    }

    /// A `notify*` command with its user.
    pub(super) fn notify(&mut self, statement: &Statement, kind: &str) -> Option<NotifyScript> {
        self.parameter(&statement.words, 1)?;
        let span = statement.span;
        let Some((argv, user)) = self.command(statement) else {
            self.log(span, "Unable to parse notify script");
            return None;
        };
        let run_as = match user.first() {
            Some(name) => {
                let found = self.run_as(name, user.get(1).map(String::as_str), span);
                if found.is_none() {
                    self.log(span, format!("Invalid user/group for {kind} script {} - ignoring", argv[0])).help(
                        "words after the command are its user and group; put the command and its arguments in one pair of quotes",
                    );
                }
                found?
            }
            None => {
                let found = self.default_run_as(span);
                if found.is_none() {
                    self.log(
                        span,
                        format!("Failed to set default user for {kind} script {} - ignoring", argv[0]),
                    );
                }
                found?
            }
        };
        Some(NotifyScript { line: join(&argv), argv, called: None, mode: ExecMode::Direct, user: run_as })
    }

    /// `vrrp_script NAME { ... }`.
    pub(super) fn vrrp_script(&mut self, statement: &Statement) {
        let Some(name) = self.parameter(&statement.words, 1) else { return };
        let mut script = Script {
            name: name.text.clone(),
            command: NotifyScript::default(),
            interval: Duration::from_secs(1),
            timeout: None,
            weight: 0,
            reverse: false,
            rise: 1,
            fall: 1,
            init_fail: false,
            watches_process: None,
            place: self.place(statement.span),
        };
        let mut user = None;
        let mut unusable = false;
        for child in statement.children() {
            self.here = child.span;
            self.effect(child);
            match child.keyword.name {
                "script" => self.script_line(child, &mut script),
                "user" => {
                    let Some(name) = self.parameter(&child.words, 1) else { continue };
                    let found =
                        self.run_as(&name.text, child.words.get(2).map(|word| word.text.as_str()), name.span);
                    if found.is_none() {
                        let text = format!("Unable to set uid/gid for script {}", script.command.line);
                        self.error(Reason::Environment, name.span, text);
                    }
                    unusable = found.is_none();
                    user = found.or(user);
                }
                _ => self.script_number(child, &mut script),
            }
        }
        self.here = statement.end();
        if script.command.argv.is_empty() {
            self.complain(
                Reason::Incomplete,
                format!("No script set for vrrp_script {} - removing", script.name),
            );
            unusable = true;
        } else if !unusable && user.is_none() {
            user = self.default_run_as(self.here);
            if user.is_none() {
                let text = format!("Unable to set default user for vrrp script {} - removing", script.name);
                self.complain(Reason::Environment, text);
                unusable = true;
            }
        }
        if unusable {
            return;
        }
        script.command.user = user.unwrap_or_default();
        script.watches_process = watched_process(&script.command.argv);
        self.script_spans.push(statement.span);
        self.config.scripts.push(script);
    }

    fn script_line(&mut self, child: &Statement, script: &mut Script) {
        let Some((argv, rest)) = self.command(child) else { return };
        if !rest.is_empty() {
            let text = format!(
                "only '{}' is run for vrrp_script {}: the words after it are ignored",
                argv[0], script.name
            );
            self.warn(Reason::TooManyArguments, child.span, text)
                .help("put the command and its arguments in one pair of quotes");
        }
        script.command.line = join(&argv);
        script.command.argv = argv;
    }

    fn script_number(&mut self, child: &Statement, script: &mut Script) {
        let sname = script.name.clone();
        let name = child.keyword.name;
        if name == "init_fail" {
            script.init_fail = true;
            return;
        }
        let Some(word) = self.parameter(&child.words, 1).cloned() else { return };
        match name {
            "interval" | "timeout" => {
                let Some(seconds) = self.script_seconds(&word) else {
                    let text = if name == "interval" {
                        format!(
                            "({sname}): vrrp script interval '{}' must be between 1 and {LONGEST_SECONDS} - ignoring",
                            word.text
                        )
                    } else {
                        format!("({sname}): vrrp script timeout '{}' invalid - ignoring", word.text)
                    };
                    self.error(Reason::OutOfRange, word.span, text);
                    return;
                };
                let seconds = if seconds.is_zero() {
                    let text = format!("({sname}): vrrp script {name} must be greater than 0, setting to 1");
                    self.error(Reason::OutOfRange, word.span, text);
                    Duration::from_secs(1)
                } else {
                    seconds
                };
                if name == "interval" {
                    script.interval = seconds;
                } else {
                    script.timeout = Some(seconds);
                }
            }
            "weight" => {
                let (weight, taken) = self.integer(&word, -253, 253, true);
                if !taken {
                    let text = format!("vrrp_script {sname} weight {} must be in [-253, 253]", word.text);
                    self.error(Reason::OutOfRange, word.span, text);
                }
                // keepalived goes on with the number; priorities end at 254 either way.
                script.weight = i32::try_from(weight.clamp(-253, 253)).unwrap_or(0);
                if let Some(option) = child.words.get(2) {
                    if option.text == "reverse" {
                        script.reverse = true;
                    } else {
                        let text = format!("vrrp_script {sname} unknown weight option {}", option.text);
                        self.error(Reason::InvalidValue, option.span, text);
                    }
                }
            }
            "rise" | "fall" => {
                let count = self.unsigned(&word, 1, i32::MAX as u32, true);
                if count.is_none() {
                    let text = format!(
                        "({sname}): vrrp script {name} value '{}' invalid, defaulting to 1",
                        word.text
                    );
                    self.error(Reason::OutOfRange, word.span, text);
                }
                let count = count.unwrap_or(1);
                if name == "rise" {
                    script.rise = count;
                } else {
                    script.fall = count;
                }
            }
            _ => {}
        }
    }

    /// Whole seconds, as 2.2.7 wants them; fractions, which later releases take, are taken with a note.
    fn script_seconds(&mut self, word: &Word) -> Option<Duration> {
        let fraction = word.text.split_once('.').is_some_and(|(whole, fraction)| {
            let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits(whole) && digits(fraction) && fraction.len() <= 6
        });
        if fraction {
            let max = Duration::from_secs(u64::from(LONGEST_SECONDS));
            let time = self.seconds(word, Duration::from_millis(1), max)?;
            self.warn(
                Reason::Retired,
                word.span,
                format!("fractions of a second are taken, as keepalived 2.3 does: {}", word.text),
            )
            .help("keepalived 2.2 calls this an invalid number");
            return Some(time);
        }
        self.unsigned(word, 0, LONGEST_SECONDS, true).map(|seconds| Duration::from_secs(u64::from(seconds)))
    }
}

/// The words as one line a shell would split the same way.
pub(super) fn join(argv: &[String]) -> String {
    let word = |word: &String| {
        if word.is_empty() || word.contains([' ', '\t', '\'', '"', '\\']) {
            format!("'{}'", word.replace('\'', "'\\''"))
        } else {
            word.clone()
        }
    };
    argv.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// The process a script merely looks for: `killall -0 NAME`, `pidof NAME`, `pgrep [-x] NAME`, `pkill -0 [-x] NAME`.
fn watched_process(argv: &[String]) -> Option<WatchedProcess> {
    let program = argv.first()?.rsplit('/').next()?;
    let rest: Vec<&str> = argv[1..].iter().map(String::as_str).collect();
    let (options, name) = match rest.as_slice() {
        [options @ .., "-s" | "--signal", "0", name] => ([options, &["-0"][..]].concat(), *name),
        [options @ .., name] => (options.to_vec(), *name),
        [] => return None,
    };
    let only = |known: &[&str]| options.iter().all(|option| known.contains(option));
    let exact = if options.contains(&"-x") { NameMatch::Exact } else { NameMatch::Part };
    let by = match program {
        "killall" if options.contains(&"-0") && only(&["-0", "-q", "--quiet"]) => NameMatch::Exact,
        "pidof" if only(&["-s", "-x", "-q", "-z"]) => NameMatch::Program,
        "pgrep" if only(&["-x", "-c", "-o", "-n", "-l"]) => exact,
        "pkill" if options.contains(&"-0") && only(&["-0", "-x"]) => exact,
        _ => return None,
    };
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    (plain && !name.starts_with('-')).then(|| WatchedProcess { name: name.to_owned(), by })
}

#[cfg(test)]
mod tests {
    use super::{join, watched_process};

    fn argv(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn scripts_that_look_for_a_process_are_recognised() {
        use crate::ir::vrrp::NameMatch::{Exact, Part, Program};
        let watched = |line: &str| watched_process(&argv(line)).map(|watched| (watched.name, watched.by));
        for (line, by) in [
            ("/usr/bin/killall -0 haproxy", Exact),
            ("killall -q -0 haproxy", Exact),
            ("killall -s 0 haproxy", Exact),
            ("pidof haproxy", Program),
            ("/bin/pidof -s haproxy", Program),
            ("pgrep haproxy", Part),
            ("pgrep -x haproxy", Exact),
            ("pkill -0 haproxy", Part),
            ("pkill -0 -x haproxy", Exact),
        ] {
            assert_eq!(watched(line), Some(("haproxy".to_owned(), by)), "{line}");
        }
        for line in [
            "killall -9 haproxy",
            "killall haproxy",
            "killall -0 haproxy nginx",
            "pkill haproxy",
            "pgrep -f haproxy.cfg",
            "pgrep ha.*",
            "/bin/check",
            "pidof",
        ] {
            assert_eq!(watched(line), None, "{line}");
        }
    }

    #[test]
    fn a_joined_line_keeps_its_words() {
        assert_eq!(join(&["a".into(), "b c".into(), "d'e".into()]), r"a 'b c' 'd'\''e'");
    }
}
