//! The tables against lowering.

use std::io;
use std::net::IpAddr;
use std::path::Path;

use tandem_parser::diagnostic::Reason;
use tandem_parser::haproxy::{Arg, Effect, keywords, section};

use super::{Loaded, Source, load};
use crate::lower::Env;

/// A machine that has whatever is asked for.
struct Anything;

impl Env for Anything {
    fn var(&self, _: &str) -> Option<String> {
        None
    }

    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn user(&self, _: &str) -> Option<u32> {
        Some(1)
    }

    fn group(&self, _: &str) -> Option<u32> {
        Some(1)
    }

    fn resolve(&self, _: &str) -> Option<IpAddr> {
        Some(IpAddr::from([127, 0, 0, 1]))
    }
}

fn load_text(text: &str) -> Loaded {
    load(vec![Source { name: "t.cfg".into(), text: text.into() }], &Anything)
}

/// The shortest text that satisfies an argument.
fn sample(arg: &Arg) -> String {
    match arg {
        Arg::Word(_) | Arg::Some(_) => "x".into(),
        Arg::Int(_, low, _) => (*low).max(1).to_string(),
        Arg::Time(_) => "1s".into(),
        Arg::Size => "16k".into(),
        Arg::Addr | Arg::Addrs => "127.0.0.1:80".into(),
        Arg::Choice(words) => words[0].into(),
        Arg::MustCond => "if TRUE".into(),
        Arg::Maybe(_) | Arg::Rest | Arg::Cond | Arg::Settings(_) => String::new(),
    }
}

#[test]
fn every_keyword_that_promises_an_effect_is_taken() {
    let places =
        [(section::GLOBAL, "global"), (section::LISTEN, "listen l"), (section::RESOLVERS, "resolvers r")];
    for (bit, head) in places {
        for row in keywords::all().filter(|row| row.effect == Effect::Full && row.sections & bit != 0) {
            let arguments: Vec<String> = row.args.iter().map(sample).collect();
            let text = format!("{head}\n {} {}\n", row.name, arguments.join(" "));
            let untaken = format!("'{}' is accepted but has no effect in Tandem yet.", row.name);
            let loaded = load_text(&text);
            let mut said = loaded.diagnostics.iter().filter(|d| d.reason == Reason::NoEffect);
            assert!(said.all(|d| d.message != untaken), "{text}");
        }
    }
}

#[test]
fn settings_of_later_lines_win_and_defaults_reach_the_proxies() {
    let loaded = load_text(
        "global\n log 127.0.0.1 local0\n\
         defaults\n mode http\n log global\n timeout client 1s\n timeout server 1s\n timeout connect 1s\n \
         option httplog\n default-server inter 5s fall 9\n balance leastconn\n\
         backend b\n timeout server 7s\n no log\n log stdout format raw daemon\n \
         server one 127.0.0.1:1 check fall 4\n default-server inter 6s\n server two 127.0.0.1:2 check\n",
    );
    let config = loaded.config.expect("valid");
    let proxy = &config.proxies[0];
    assert_eq!(proxy.timeouts.server.map(|time| time.as_secs()), Some(7));
    assert_eq!(proxy.timeouts.connect.map(|time| time.as_secs()), Some(1));
    assert_eq!(proxy.logs.len(), 1);
    let backend = proxy.backend.as_ref().expect("a backend");
    assert_eq!(backend.balance, crate::ir::proxy::Balance::LeastConn);
    let check = |nth: usize| backend.servers[nth].check.clone().expect("checked");
    assert_eq!((check(0).inter.as_secs(), check(0).fall), (5, 4));
    assert_eq!((check(1).inter.as_secs(), check(1).fall), (6, 9));
}

#[test]
fn nothing_is_left_of_a_configuration_with_an_alert() {
    let loaded = load_text("frontend f\n bind :80 ssl\n");
    assert!(loaded.config.is_none());
    assert_eq!(loaded.counts().0, 1);
}

#[test]
fn conditions_of_the_command_line_are_judged_like_those_of_files() {
    use crate::lower::condition;
    assert_eq!(condition("version_atleast(2.5-dev0) && feature(THREAD)"), Ok(true));
    assert_eq!(condition("feature(QUIC)"), Ok(false));
    assert_eq!(condition("streq(\"$NO_SUCH_VARIABLE\",'')"), Ok(true));
    assert!(condition("feature(").is_err());
}
