//! `req*` and `rsp*` rules of versions before 2.1, in today's words.
//!
//! The old rules looked at every line of a message, the first one (`GET /path HTTP/1.1`) included, and a replacement took
//! the place of the whole line. Nearly all of those that people wrote begin with `^`, then either a header's name and a
//! colon, or the method and a blank: these become one modern rule each. A search that may fall on any line becomes two:
//! one that puts the first line into a variable, and one that looks at it and at all headers.
//!
//! What the old rule did and no modern one can is refused, with the reason.

/// A rule of old, taken apart by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OldRule {
    response: bool,
    action: Action,
    ignore_case: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Allow,
    Delete,
    Deny,
    Pass,
    Replace,
    Tarpit,
}

/// What a message's line is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    /// A header: its name, or an expression for names; what its value must match.
    Header { name: Name, value: String, group: bool },
    /// The first line: the method if one is given, what follows it.
    Start { method: Option<String>, groups: usize, rest: String },
    /// Any line.
    Any,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Exact(String),
    Pattern(String),
}

/// Lines in today's words, or why there are none.
pub(super) type Modern = Result<Vec<Vec<String>>, &'static str>;

impl OldRule {
    /// The rule of that name.
    pub(super) fn of(name: &str) -> Option<Self> {
        let name = match name {
            "cliexp" => "reqrep",
            "srvexp" => "rsprep",
            name => name,
        };
        let (response, rest) = match name.strip_prefix("req") {
            Some(rest) => (false, rest),
            None => (true, name.strip_prefix("rsp")?),
        };
        let action = |rest| {
            Some(match rest {
                "allow" => Action::Allow,
                "del" => Action::Delete,
                "deny" => Action::Deny,
                "pass" => Action::Pass,
                "rep" => Action::Replace,
                "tarpit" => Action::Tarpit,
                _ => return None,
            })
        };
        let plain = action(rest).map(|action| Self { response, action, ignore_case: false });
        plain.or_else(|| {
            let action = action(rest.strip_prefix('i')?)?;
            Some(Self { response, action, ignore_case: true })
        })
    }

    /// How many words its own arguments are: the search, and for replacements what takes its place.
    pub(super) fn arguments(self) -> usize {
        if self.action == Action::Replace { 2 } else { 1 }
    }

    /// The rule in today's words. `words`: the search and the replacement; `cond`: `if` or `unless` and its terms.
    pub(super) fn modern(self, words: &[&str], cond: &[String]) -> Modern {
        let search = words.first().copied().unwrap_or_default();
        let target = target(search, self.response);
        match self.action {
            Action::Delete => self.delete(search, target, cond),
            Action::Replace => self.replace(target, words.get(1).copied().unwrap_or_default(), cond),
            // Lines that the rules after this one were not to look at: nothing happens to them here.
            Action::Pass => Err("write the rules that follow with conditions of their own"),
            Action::Allow | Action::Deny | Action::Tarpit => self.judge(target, search, cond),
        }
    }

    fn keyword(self) -> &'static str {
        if self.response { "http-response" } else { "http-request" }
    }

    fn rule(self, words: &[&str], cond: &[String]) -> Vec<String> {
        let own = std::iter::once(self.keyword()).chain(words.iter().copied());
        own.map(str::to_owned).chain(cond.iter().cloned()).collect()
    }

    fn delete(self, search: &str, target: Target, cond: &[String]) -> Modern {
        let token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if let Some(start) =
            search.strip_prefix('^').filter(|start| !start.is_empty() && start.chars().all(token))
        {
            return Ok(vec![self.rule(&["del-header", start, "-m", "beg"], cond)]);
        }
        let Target::Header { name, value, .. } = target else {
            return Err("only a header can be deleted: write 'del-header' and its name");
        };
        if !matches!(value.as_str(), "" | ".*" | ".*$" | "$") {
            return Err("headers are deleted by name: a condition on the value belongs behind 'if'");
        }
        Ok(vec![match name {
            Name::Exact(name) => self.rule(&["del-header", &name], cond),
            Name::Pattern(pattern) => self.rule(&["del-header", &pattern, "-m", "reg"], cond),
        }])
    }

    fn judge(self, target: Target, search: &str, cond: &[String]) -> Modern {
        let action = match self.action {
            Action::Allow => "allow",
            Action::Deny => "deny",
            _ => "tarpit",
        };
        let case = if self.ignore_case { vec!["-i"] } else { Vec::new() };
        let term = |fetch: &str, pattern: &str| {
            let words = ["{", fetch, "-m", "reg"].into_iter().chain(case.iter().copied());
            words.chain(["--", pattern, "}"]).map(str::to_owned).collect::<Vec<_>>()
        };
        let side = if self.response { "res" } else { "req" };
        match target {
            Target::Header { name: Name::Exact(name), value, .. } => {
                let term = match value.as_str() {
                    "" | ".*" => {
                        let fetch = format!("{side}.fhdr({name})");
                        ["{", &fetch, "-m", "found", "}"].map(str::to_owned).to_vec()
                    }
                    value => term(&format!("{side}.fhdr({name})"), &format!("^{value}")),
                };
                Ok(vec![self.rule(&[action], &both(&[term], cond)?)])
            }
            Target::Start { method: Some(method), groups: 0, rest }
                if !self.response && !has_blank(&rest) =>
            {
                let method = ["{", "method", &method, "}"].map(str::to_owned).to_vec();
                let mut terms = [method, Vec::new()];
                if !matches!(rest.as_str(), "" | ".*") {
                    terms[1] = term("pathq", &format!("^{rest}"));
                }
                Ok(vec![self.rule(&[action], &both(&[terms.concat()], cond)?)])
            }
            _ => {
                let line = format!("txn.{side}_line");
                let format = if self.response {
                    "HTTP/%[res.ver] %[status] "
                } else {
                    "%[method] %[url] HTTP/%[req.ver]"
                };
                let first = self.rule(&[&format!("set-var-fmt({line})"), format], &[]);
                let start = term(&format!("var({line})"), search);
                let any = term(&format!("{side}.hdrs"), &format!("(?m){search}"));
                Ok(vec![first, self.rule(&[action], &both(&[start, any], cond)?)])
            }
        }
    }

    fn replace(self, target: Target, with: &str, cond: &[String]) -> Modern {
        const UNLIKE: &str = "the replacement is no line of the same kind: write 'replace-header', 'set-header' or 'replace-pathq'";
        let flag = if self.ignore_case { "(?i)" } else { "" };
        match target {
            Target::Header { name: Name::Exact(name), value, group } => {
                let (new_name, new_value) = match with.strip_prefix("\\1").filter(|_| group) {
                    // The first group began with the name, now it is the value's.
                    Some(rest) => (name.clone(), format!("\\1{rest}")),
                    None => {
                        let (name, value) = with.split_once(':').ok_or(UNLIKE)?;
                        (name.trim().to_owned(), value.trim_start().to_owned())
                    }
                };
                if group && !with.starts_with("\\1") {
                    return Err(UNLIKE);
                }
                if !new_name.eq_ignore_ascii_case(&name) {
                    return self.rename(&name, &value, &new_name, &new_value, cond);
                }
                let pattern = format!("^{flag}{value}");
                let pattern = if flag.is_empty() { pattern } else { format!("{flag}^{value}") };
                Ok(vec![self.rule(&["replace-header", &name, &pattern, &format(&new_value)], cond)])
            }
            Target::Start { method, groups, rest } if !self.response => {
                // What is written in the method's place must leave it as it is.
                let kept = if groups == 1 { "\\1".to_owned() } else { method.clone().ok_or(UNLIKE)? };
                let new =
                    with.strip_prefix(kept.as_str()).and_then(|new| new.strip_prefix(' ')).ok_or(UNLIKE)?;
                let (rest, new) = (uri(&rest), uri(new));
                let new = shifted(new, groups).ok_or(UNLIKE)?;
                let pattern = format!("{flag}^{rest}");
                let mut all = Vec::new();
                if let Some(method) = method.filter(|method| method != "[^ ]*") {
                    all = ["{", "method"].map(str::to_owned).to_vec();
                    all.extend(method.split('|').map(str::to_owned));
                    all.push("}".to_owned());
                }
                let cond = if all.is_empty() { cond.to_vec() } else { both(&[all], cond)? };
                Ok(vec![self.rule(&["replace-pathq", &pattern, &format(&new)], &cond)])
            }
            Target::Start { rest, .. } => {
                // `^HTTP/1.1 404.*` and `HTTP/1.1 200 OK`.
                let status: String = rest.chars().take_while(char::is_ascii_digit).collect();
                let mut new = with.splitn(3, ' ').skip(1);
                let (code, reason) = (new.next().ok_or(UNLIKE)?, new.next().unwrap_or_default());
                let plain = status.len() == 3 && matches!(&rest[3..], "" | ".*" | " .*");
                if !plain || code.parse::<u16>().is_err() || with.contains('\\') {
                    return Err(UNLIKE);
                }
                let term = ["{", "status", &status, "}"].map(str::to_owned).to_vec();
                let mut words = vec!["set-status", code];
                if !reason.is_empty() {
                    words.extend(["reason", reason]);
                }
                Ok(vec![self.rule(&words, &both(&[term], cond)?)])
            }
            Target::Header { .. } | Target::Any => Err(UNLIKE),
        }
    }

    /// A header under another name: the value goes there, and the old one goes.
    fn rename(self, name: &str, value: &str, new: &str, with: &str, cond: &[String]) -> Modern {
        let whole = matches!(value, "(.*)" | "(.*)$") && with == "\\1";
        let text = if whole {
            format!("%[{}.fhdr({name})]", if self.response { "res" } else { "req" })
        } else if with.contains('\\') {
            return Err("the value goes to another header in parts: write 'set-header' and 'regsub'");
        } else {
            format(with)
        };
        let found =
            ["{", &format!("{}.fhdr({name})", if self.response { "res" } else { "req" }), "-m", "found", "}"]
                .map(str::to_owned)
                .to_vec();
        let add = self.rule(&["add-header", new, &text], &both(&[found], cond)?);
        Ok(vec![add, self.rule(&["del-header", name], cond)])
    }
}

/// Text for a place where `%` means something.
fn format(text: &str) -> String {
    text.replace('%', "%%")
}

/// A condition that holds where `cond` and one of `any` hold.
fn both(any: &[Vec<String>], cond: &[String]) -> Result<Vec<String>, &'static str> {
    let or = || "or".to_owned();
    let Some((word, terms)) = cond.split_first() else {
        let mut out = vec!["if".to_owned()];
        for (nth, term) in any.iter().enumerate() {
            if nth > 0 {
                out.push(or());
            }
            out.extend(term.iter().cloned());
        }
        return Ok(out);
    };
    let groups: Vec<&[String]> = terms.split(|word| matches!(word.as_str(), "or" | "||")).collect();
    let mut rest: Vec<Vec<String>> = groups.iter().map(|group| group.to_vec()).collect();
    if word == "unless" {
        // Not (a or b) is not-a and not-b, as long as each is one term.
        let single = |group: &&[String]| group.len() == 1 || group.first().is_some_and(|word| word == "{");
        if !groups.iter().all(single) {
            return Err("its condition is too complex to be joined with the search: write 'if'");
        }
        let negated = groups.iter().flat_map(|group| {
            let (first, more) =
                group.split_first().map_or(("", &[][..]), |(first, more)| (first.as_str(), more));
            let first = first.strip_prefix('!').map_or_else(|| format!("!{first}"), str::to_owned);
            std::iter::once(first).chain(more.iter().cloned())
        });
        rest = vec![negated.collect()];
    }
    let mut out = vec!["if".to_owned()];
    for term in any {
        for group in &rest {
            if out.len() > 1 {
                out.push(or());
            }
            out.extend(term.iter().cloned());
            out.extend(group.iter().cloned());
        }
    }
    Ok(out)
}

/// Which line a search speaks of.
fn target(search: &str, response: bool) -> Target {
    let Some(rest) = search.strip_prefix('^') else { return Target::Any };
    if response && let Some(after) = rest.strip_prefix("HTTP/") {
        let version = after.find(' ').unwrap_or(after.len());
        let plain = after[..version].chars().all(|c| c.is_ascii_digit() || "\\.[^ ]*".contains(c));
        if plain && version < after.len() {
            return Target::Start { method: None, groups: 0, rest: after[version + 1..].to_owned() };
        }
        return Target::Any;
    }
    header(rest).or_else(|| if response { None } else { start(rest) }).unwrap_or(Target::Any)
}

/// `Name: value`, the name perhaps within the first group.
fn header(rest: &str) -> Option<Target> {
    let (group, rest) = match rest.strip_prefix('(') {
        Some(inner) if inner.starts_with(|c: char| c.is_ascii_alphanumeric()) => (true, inner),
        _ => (false, rest),
    };
    let colon = rest.find(':')?;
    let (written, value) = (&rest[..colon], &rest[colon + 1..]);
    let literal: String = written.replace("\\-", "-");
    let token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name = if !literal.is_empty() && literal.chars().all(token) {
        Name::Exact(literal)
    } else if written.contains([' ', '(', ')', '/', '^']) || written.is_empty() || group {
        return None;
    } else {
        Name::Pattern(format!("^{written}$"))
    };
    let value = blanks(value);
    if !group {
        return Some(Target::Header { name, value: value.to_owned(), group });
    }
    // The group that began with the name goes on with the value.
    Some(Target::Header { name, value: format!("({value}"), group })
}

/// What follows the blanks after a colon, however they are written.
fn blanks(value: &str) -> &str {
    for start in ["[ \\t]*", "[ ]*", "\\s*", " *", " +", "\\s+", "\\ ", " "] {
        if let Some(rest) = value.strip_prefix(start) {
            return rest;
        }
    }
    value
}

/// `METHOD uri`, the method perhaps in a group or any.
fn start(rest: &str) -> Option<Target> {
    let (method, after) = rest.split_once(' ')?;
    // The blank may stand within brackets: `[^ :]*`.
    let (method, after) = if method.contains('[') && !method.contains(']') {
        let close = rest.find(']')?;
        let blank = close + rest[close..].find(' ')?;
        (&rest[..blank], &rest[blank + 1..])
    } else {
        (method, after)
    };
    let inner = method.strip_prefix('(').and_then(|inner| inner.strip_suffix(')'));
    let (groups, inner) = inner.map_or((0, method), |inner| (1, inner));
    let inner = inner.strip_suffix(')').unwrap_or(inner);
    let any = matches!(
        inner,
        "[^ ]*" | "[^ :]*" | "[^: ]*" | "[A-Z]*" | "[A-Z]+" | "[^ ]+" | ".*" | "\\S+" | "\\S*"
    );
    let named = !inner.is_empty() && inner.chars().all(|c| c.is_ascii_uppercase() || c == '|');
    if !any && !named {
        return None;
    }
    let method = if any { "[^ ]*".to_owned() } else { inner.to_owned() };
    Some(Target::Start { method: Some(method), groups, rest: after.to_owned() })
}

/// Whether a search goes beyond the URI, or has a choice that `^` would bind to.
fn has_blank(text: &str) -> bool {
    uri(text) != text || text.contains('|')
}

/// What of the rest of a first line is the URI: all before the version.
fn uri(rest: &str) -> &str {
    let mut inside = false;
    for (at, c) in rest.char_indices() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            ' ' if !inside => return &rest[..at],
            _ => {}
        }
    }
    rest
}

/// A replacement whose groups lost the first `by`.
fn shifted(text: &str, by: usize) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        if c != '\\' {
            continue;
        }
        match chars.next() {
            Some(digit) if digit.is_ascii_digit() => {
                let number = digit.to_digit(10)? as usize;
                if number == 0 || number <= by {
                    return None;
                }
                out += &(number - by).to_string();
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modern(line: &str) -> Result<Vec<String>, &'static str> {
        // Blanks within words are written as `_` here.
        let mut words = line.split(' ').map(|word| word.replace('_', " "));
        let rule = OldRule::of(&words.next().unwrap()).unwrap();
        let words: Vec<String> = words.collect();
        let (own, cond) = words.split_at(rule.arguments());
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        let lines = rule.modern(&own, cond)?;
        Ok(lines.iter().map(|words| words.join(" ")).collect())
    }

    #[test]
    fn the_usual_rules_become_one_modern_rule_each() {
        for (old, new) in [
            ("reqidel ^X-Forwarded-For:.*", "http-request del-header X-Forwarded-For"),
            ("reqdel ^X-Forwarded-", "http-request del-header X-Forwarded- -m beg"),
            ("reqdel X-Forwarded-For", "?"),
            ("rspidel ^Server: if local", "http-response del-header Server if local"),
            ("rspidel ^X-.*:.*", "http-response del-header ^X-.*$ -m reg"),
            ("reqrep ^([^_:]*)_/static/(.*) \\1_/\\2", "http-request replace-pathq ^/static/(.*) /\\1"),
            (
                "reqirep ^([^_]*)_/a/([^_]*)_(.*) \\1_/b/\\2_\\3",
                "http-request replace-pathq (?i)^/a/([^ ]*) /b/\\1",
            ),
            (
                "reqrep ^GET_/old(.*) GET_/new\\1 if a",
                "http-request replace-pathq ^/old(.*) /new\\1 if { method GET } a",
            ),
            ("reqirep ^Host:_www.(.*) Host:_\\1", "http-request replace-header Host (?i)^www.(.*) \\1"),
            (
                "rsprep ^Location:_http://(.*) Location:_https://\\1",
                "http-response replace-header Location ^http://(.*) https://\\1",
            ),
            (
                "rspirep ^(Set-Cookie:.*) \\1;_Secure",
                "http-response replace-header Set-Cookie (?i)^(.*) \\1; Secure",
            ),
            ("reqideny ^Host:_.*evil", "http-request deny if { req.fhdr(Host) -m reg -i -- ^.*evil }"),
            ("reqtarpit ^X-Bad: unless ok", "http-request tarpit if { req.fhdr(X-Bad) -m found } !ok"),
            ("reqallow ^GET_/public", "http-request allow if { method GET } { pathq -m reg -- ^/public }"),
            (
                "rspdeny ^Set-Cookie:_admin if a || b",
                "http-response deny if { res.fhdr(Set-Cookie) -m reg -- ^admin } a or { res.fhdr(Set-Cookie) -m reg -- ^admin } b",
            ),
            (
                "rsprep ^HTTP/1.1_404.* HTTP/1.1_200_OK",
                "http-response set-status 200 reason OK if { status 404 }",
            ),
            ("cliexp ^([^_]*)_/a(.*) \\1_/b\\2", "http-request replace-pathq ^/a(.*) /b\\1"),
        ] {
            match new {
                "?" => assert!(modern(old).is_err(), "{old}"),
                new => assert_eq!(modern(old).as_deref(), Ok(&[new.to_owned()][..]), "{old}"),
            }
        }
    }

    #[test]
    fn a_search_for_any_line_looks_at_all_of_them() {
        assert_eq!(
            modern("reqideny .*cmd.exe").unwrap(),
            [
                "http-request set-var-fmt(txn.req_line) %[method] %[url] HTTP/%[req.ver]",
                "http-request deny if { var(txn.req_line) -m reg -i -- .*cmd.exe } or { req.hdrs -m reg -i -- (?m).*cmd.exe }",
            ]
        );
        assert_eq!(
            modern("rspirep ^X-A:(.*) X-B:\\1").unwrap(),
            [
                "http-response add-header X-B %[res.fhdr(X-A)] if { res.fhdr(X-A) -m found }",
                "http-response del-header X-A"
            ]
        );
    }

    #[test]
    fn what_cannot_be_said_today_is_refused() {
        for old in ["reqpass ^Host:", "reqrep .*foo bar", "reqdel ^Cookie:_x=.*", "reqrep ^Host:_a nothing"] {
            assert!(modern(old).is_err(), "{old}");
        }
        assert_eq!(OldRule::of("reqadd"), None);
        assert_eq!(OldRule::of("reqix"), None);
    }
}
