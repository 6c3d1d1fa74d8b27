//! Health checks of a backend.

use regex::bytes::Regex;

/// What is sent and expected once the connection stands.
#[derive(Clone, Debug)]
pub enum CheckKind {
    /// Connect only.
    Tcp,
    /// `option httpchk`.
    Http(HttpCheck),
    /// `option pgsql-check user NAME`.
    Pgsql {
        /// User of the start-up packet.
        user: String,
    },
    /// `option redis-check`.
    Redis,
    /// `option smtpchk [HELO|EHLO DOMAIN]`.
    Smtp {
        /// `HELO localhost` unless configured.
        hello: String,
    },
    /// `option mysql-check [user NAME [post-41]]`.
    Mysql {
        /// Without a user only the greeting is read.
        user: Option<String>,
        /// Protocol 4.1 and later.
        post_41: bool,
    },
    /// `option ldap-check`.
    Ldap,
    /// `option ssl-hello-chk`.
    SslHello,
    /// `option tcp-check` with rules.
    TcpScript(Vec<TcpStep>),
}

/// `option httpchk` with `http-check send` merged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCheck {
    /// Method, default `OPTIONS`.
    pub method: String,
    /// URI, default `/`.
    pub uri: String,
    /// Version as sent, default `HTTP/1.0`.
    pub version: String,
    /// Headers in order (the old form's `\r\nHost:...` tail is parsed into these).
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// `http-check disable-on-404`.
    pub disable_on_404: bool,
    /// `http-check send-state`.
    pub send_state: bool,
}

/// `http-check expect` / `tcp-check expect`.
#[derive(Clone, Debug)]
pub struct Expect {
    /// Leading `!`.
    pub negate: bool,
    /// What must match.
    pub matcher: Matcher,
}

/// Matchers of an expectation.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// `status 200,204,300-399`: inclusive ranges.
    Status(Vec<(u16, u16)>),
    /// `rstatus`.
    StatusRegex(Regex),
    /// `string`.
    Text(Vec<u8>),
    /// `rstring`.
    Regex(Regex),
    /// `binary`.
    Binary(Vec<u8>),
}

/// One `tcp-check` rule.
#[derive(Clone, Debug)]
pub enum TcpStep {
    /// `tcp-check connect [port N]`.
    Connect {
        /// Other port than the check's.
        port: Option<u16>,
    },
    /// `send`, `send-binary`.
    Send(Vec<u8>),
    /// `expect`.
    Expect(Expect),
}

/// The check of a backend's servers.
#[derive(Clone, Debug)]
pub struct Check {
    /// Kind.
    pub kind: CheckKind,
    /// `http-check expect` rules; empty: status 2xx or 3xx.
    pub expect: Vec<Expect>,
    /// `option log-health-checks`.
    pub log_all: bool,
}

impl Default for Check {
    fn default() -> Self {
        Self { kind: CheckKind::Tcp, expect: Vec::new(), log_all: false }
    }
}
