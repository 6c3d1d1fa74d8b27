//! The protocols checks speak, one file each: the steps of the script, and the tests that need code.

pub mod agent;
pub mod http;
pub mod ldap;
pub mod mysql;
pub mod pgsql;
pub mod redis;
pub mod smtp;
pub mod spop;
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

/// Bytes in hexadecimal, as they are compared and shown: in upper case.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Bytes from hexadecimal digits.
#[must_use]
pub fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Vec<u8> = digits.iter().map(digit).collect::<Option<_>>()?;
    digits.len().is_multiple_of(2).then(|| digits.chunks(2).map(|pair| (pair[0] << 4) | pair[1]).collect())
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
        Custom::SmtpHelloOk => smtp::hello(input, complete),
        Custom::MysqlGreeting => mysql::greeting(input, complete),
        Custom::MysqlLogin => mysql::login(input, complete),
        Custom::LdapSequence => (input.first() == Some(&0x30)).into(),
        Custom::LdapBind => ldap::bind_response(input, complete),
        Custom::SpopHello => spop::hello(input, complete),
        Custom::AgentLine => agent::line(input, complete),
        Custom::SslHello => matches!(input.first(), Some(0x15 | 0x16)).into(),
    }
}
