//! The protocols checks speak, one file each: the steps of the script, and the tests that need code.

pub mod agent;
pub mod http;
pub mod ldap;
pub mod mysql;
pub mod pgsql;
pub mod redis;
pub mod smtp;
pub mod ssl_hello;

use super::Status;
use super::script::Custom;

/// What a test by code found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It matches.
    Match,
    /// It does not.
    NoMatch,
    /// Cannot tell yet.
    NeedMore,
    /// It matches, with a code and a detail for the verdict.
    Ok(u16, Vec<u8>),
    /// What an agent said.
    Agent(Vec<u8>),
    /// It does not, and the protocol says why.
    Error(Status, u16, Vec<u8>),
}

impl From<bool> for Found {
    fn from(matched: bool) -> Self {
        if matched { Self::Match } else { Self::NoMatch }
    }
}

/// Tests `input`; nothing more will come if `complete`.
#[must_use]
pub fn custom(test: Custom, input: &[u8], complete: bool) -> Found {
    match test {
        Custom::PgsqlNoError => pgsql::is_error(input).into(),
        Custom::PgsqlAuth => pgsql::is_authentication(input).into(),
        // What is left of a line would pass for the answer to the next command.
        Custom::SmtpReply | Custom::SmtpGreetingOk | Custom::SmtpHelloOk
            if !complete && !input.contains(&b'\n') =>
        {
            Found::NeedMore
        }
        Custom::SmtpReply => smtp::is_reply(input, b" \r").into(),
        Custom::SmtpGreetingOk => (input.first() == Some(&b'2') && smtp::is_reply(input, b" \r")).into(),
        Custom::SmtpHelloOk => (input.first() == Some(&b'2') && smtp::is_reply(input, b"- \r")).into(),
        Custom::MysqlGreeting => mysql::greeting(input, complete),
        Custom::MysqlLogin => mysql::login(input, complete),
        Custom::LdapSequence => (input.first() == Some(&0x30)).into(),
        Custom::LdapBind => ldap::bind_response(input, complete),
        Custom::AgentLine => agent::line(input, complete),
        Custom::SslHello => matches!(input.first(), Some(0x15 | 0x16)).into(),
    }
}
