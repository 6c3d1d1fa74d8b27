//! Settings of the statistics page, `stats ...`.

use std::time::Duration;

use super::expr::Cond;
use super::rules::HttpRule;

/// `stats` lines of a proxy: the page. Present only if `stats enable` or another `stats` keyword turned it on.
#[derive(Clone, Debug)]
pub struct StatsPage {
    /// `stats uri`, default `/haproxy?stats`.
    pub uri: String,
    /// `stats realm`, default `HAProxy Statistics`.
    pub realm: String,
    /// `stats auth USER:PASS`.
    pub auth: Vec<(String, String)>,
    /// `stats refresh`.
    pub refresh: Option<Duration>,
    /// `stats hide-version`.
    pub hide_version: bool,
    /// `stats show-node [NAME]`: `Some("")` is the global node name.
    pub show_node: Option<String>,
    /// `stats show-desc [TEXT]`: `Some("")` is the global description.
    pub show_desc: Option<String>,
    /// `stats show-legends`.
    pub show_legends: bool,
    /// `stats show-modules`.
    pub show_modules: bool,
    /// `stats scope`: only these (`.` is the proxy itself, already resolved).
    pub scope: Vec<String>,
    /// `stats admin`: first matching condition allows it.
    pub admin: Vec<Cond>,
    /// `stats http-request` rules.
    pub http_request: Vec<HttpRule>,
}

impl Default for StatsPage {
    /// What `stats enable` alone gives.
    fn default() -> Self {
        Self {
            uri: "/haproxy?stats".into(),
            realm: "HAProxy Statistics".into(),
            auth: Vec::new(),
            refresh: None,
            hide_version: true,
            show_node: None,
            show_desc: None,
            show_legends: false,
            show_modules: false,
            scope: Vec::new(),
            admin: Vec::new(),
            http_request: Vec::new(),
        }
    }
}
