//! A `server` line on its own, for servers that are added while running.

use std::sync::Arc;

use tandem_parser::diagnostic::Severity;
use tandem_parser::haproxy::{Effect, Keyword, keywords};

use super::{Source, load_from};
use crate::ir::Server;
use crate::ir::proxy::Mode;
use crate::ir::server::ServerSettings;
use crate::lower::env::Env;

/// Settings of `server` lines that a server may not have that is added while running (manual of the stats socket,
/// `add server help`): they refer to what is made at the start.
const REFUSED: &[&str] = &[
    "enabled",
    "init-addr",
    "log-bufsize",
    "log-proto",
    "max-reuse",
    "namespace",
    "no-agent-check",
    "no-check",
    "no-check-send-proxy",
    "non-stick",
    "redir",
    "resolve-net",
    "resolve-opts",
    "resolve-prefer",
    "resolvers",
    "socks4",
    "stick",
];

/// Reads a server from the words of its line, those behind `server`: name, address, settings. `track` is read but not
/// followed, and `from` is not among them: `origin` is what it leads to. `name` is that of the backend.
///
/// # Errors
/// What is wrong with it, in HAProxy's words.
pub fn server_line(
    name: &str,
    mode: Mode,
    words: &[String],
    origin: Option<Arc<ServerSettings>>,
    env: &dyn Env,
) -> Result<Server, String> {
    if words.len() < 2 {
        return Err("'server' expects <name> and <addr>[:<port>] as arguments.".into());
    }
    if let Some(word) = words[2..].iter().find(|word| REFUSED.contains(&word.as_str())) {
        return Err(format!("'{word}' option is not accepted for dynamic server"));
    }
    let (words, track) = without_track(words)?;
    let mode = if mode == Mode::Tcp { "tcp" } else { "http" };
    let line: String = words.iter().map(|word| format!(" {}", quoted(word))).collect();
    let text = format!("backend {}\n mode {mode}\n server{line}\n", quoted(name));
    let source = Source { name: "CLI".into(), text: text.into_bytes() };
    let loaded = load_from(vec![source], env, origin.clone());
    let alerts = loaded.diagnostics.iter().filter(|d| d.severity == Severity::Alert);
    let about = format!("'server {name}/{}' : ", words[0]);
    let said: Vec<&str> =
        alerts.map(|d| d.message.strip_prefix(about.as_str()).unwrap_or(&d.message)).collect();
    let server =
        loaded.config.and_then(|mut c| Arc::unwrap_or_clone(c.proxies.pop()?).backend?.servers.pop());
    let Some(mut server) = server else { return Err(said.join("\n")) };
    if let Some(tlvs) =
        origin.map(|origin| origin.server.link.proxy_tlvs.clone()).filter(|tlvs| !tlvs.is_empty())
    {
        // Those of the line are further ones.
        server.link_mut().proxy_tlvs.splice(0..0, tlvs);
    }
    // The number is given when it joins, unless the line has one.
    if !words.iter().any(|word| word == "id") {
        server.id = 0;
    }
    server.track = track.map(|track| match track.split_once('/') {
        Some((backend, server)) => (backend.to_owned(), server.to_owned()),
        None => (name.to_owned(), track),
    });
    Ok(server)
}

/// The settings that [`server_line`] takes and that have effect.
pub fn dynamic_server_words() -> impl Iterator<Item = &'static str> {
    let takes = |row: &&Keyword| row.effect == Effect::Full && !REFUSED.contains(&row.name);
    keywords::SERVER.iter().filter(takes).map(|row| row.name)
}

/// Takes `track NAME` out: the tracked server is not in the text that is read.
fn without_track(words: &[String]) -> Result<(Vec<String>, Option<String>), String> {
    let Some(at) = words.iter().skip(2).position(|word| word == "track").map(|at| at + 2) else {
        return Ok((words.to_vec(), None));
    };
    let Some(name) = words.get(at + 1) else {
        return Err("'track' expects [<proxy>/]<server> as argument.".into());
    };
    let rest = words[..at].iter().chain(&words[at + 2..]).cloned().collect();
    Ok((rest, Some(name.clone())))
}

/// A word that the language reads as it is.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::System;

    fn read(line: &str) -> Result<Server, String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        server_line("be", Mode::Http, &words, None, &System { offline: false })
    }

    #[test]
    fn a_line_becomes_a_server() {
        let server = read("d1 127.0.0.1:80 weight 5 maxconn 7 track s1 check-send-proxy").unwrap();
        assert_eq!((server.name.as_str(), server.weight, server.maxconn, server.id), ("d1", 5, 7, 0));
        assert_eq!(server.track, Some(("be".into(), "s1".into())));
        assert_eq!(read("d1 127.0.0.1:80 id 7").unwrap().id, 7);
        assert_eq!(read("d1 127.0.0.1:80 track x/y").unwrap().track, Some(("x".into(), "y".into())));
    }

    #[test]
    fn mistakes_are_told_in_haproxys_words() {
        for (line, said) in [
            ("d1", "'server' expects <name> and <addr>[:<port>] as arguments."),
            ("d1 127.0.0.1:80 chek", "unknown keyword 'chek'; did you mean 'check' maybe ?"),
            ("d1 127.0.0.1:80 redir x", "'redir' option is not accepted for dynamic server"),
            ("d!1 127.0.0.1:80", "character '!' is not permitted in server name 'd!1'."),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.starts_with(said), "{line}: {error}");
        }
        assert!(read("d1 127.0.0.1:80 weight x'; y").is_err(), "nothing gets out of its quotes");
    }
}
