//! The statistics page: `stats enable` and its relatives.
//!
//! [`respond`] is the whole of it: a request in, an answer out. The tables have HAProxy's columns, classes and form
//! fields, so that scripts which read or post keep working; the looks are our own: tables that need no script, and a script that sorts and filters them.

mod admin;
mod cells;
mod extras;
mod html;
pub mod options;
mod service;
mod table;

#[cfg(test)]
mod tests;

use base64::Engine;

use super::info::{Program, Usage};
use super::rows::{self, Selection};
use super::watch::Watch;
use super::{csv, json, schema, typed};
use crate::http::error_page;
use crate::ir::StatsPage;
use crate::live::{Live, Proxy};
use options::{Form, Options, Outcome};

pub use service::Page;

/// A request for the page.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Method.
    pub method: &'a [u8],
    /// Path and query.
    pub uri: &'a [u8],
    /// `authorization` header.
    pub authorization: Option<&'a [u8]>,
    /// Body, as much of it as came.
    pub body: &'a [u8],
    /// `content-length`, if there is one.
    pub content_length: Option<usize>,
    /// A condition of `stats admin` allows changes.
    pub admin: bool,
    /// The browser says that another site sent it.
    pub cross_site: bool,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Status.
    pub status: u16,
    /// Headers, without those that frame the message.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Response {
    pub(super) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers =
            vec![("cache-control", "no-cache".to_owned()), ("content-type", content_type.to_owned())];
        Self { status, headers, body: body.into() }
    }
}

/// Whether a request is for the page: the methods it knows, and its address as the beginning.
#[must_use]
pub fn wants(page: &StatsPage, method: &[u8], uri: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"POST") && uri.starts_with(page.uri.as_bytes())
}

/// The answer to who is not let in.
#[must_use]
pub fn unauthorized(realm: &str) -> Response {
    let mut response = Response::new(401, "text/html", error_page::body(401));
    let realm = realm.replace('\\', "\\\\").replace('"', "\\\"");
    response.headers.push(("www-authenticate", format!("Basic realm=\"{realm}\"")));
    response
}

/// Whether the `authorization` header names one of the users.
fn authorized(users: &[(String, String)], header: Option<&[u8]>) -> bool {
    let given = || {
        let text = std::str::from_utf8(header?).ok()?;
        let (scheme, code) = text.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        base64::engine::general_purpose::STANDARD.decode(code.trim()).ok()
    };
    let Some(given) = given() else { return false };
    // All are compared, each to its end: the time tells nothing.
    let matches = |(user, password): &(String, String)| {
        crate::expr::constant_time_eq(format!("{user}:{password}").as_bytes(), &given)
    };
    users.iter().map(matches).fold(false, |any, one| any | one)
}

/// Answers a request that [`wants`] accepted. `proxy` is the one with the page.
#[must_use]
pub fn respond(
    live: &Live,
    program: &Program,
    usage: Usage,
    watch: &Watch,
    proxy: &Proxy,
    request: &Request<'_>,
) -> Response {
    let Some(page) = &proxy.ir.stats else {
        return Response::new(404, "text/html", error_page::body(404));
    };
    if !page.auth.is_empty() && !authorized(&page.auth, request.authorization) {
        return unauthorized(&page.realm);
    }
    let tail = request.uri.get(page.uri.len()..).unwrap_or_default();
    let options = Options::parse(&String::from_utf8_lossy(tail));
    if request.method == b"POST" {
        return post(live, page, &options, request);
    }
    let selection = Selection {
        up: options.up,
        no_maint: options.no_maint,
        legends: page.show_legends,
        scope: page.scope.clone(),
        name_part: options.scope.clone(),
        ..Selection::default()
    };
    let mut response = match options.form {
        Form::Html => {
            let admin = request.admin;
            let (settings, proxies, selection) = (page, &live.proxies(), &selection);
            let page = html::Page {
                live,
                program,
                usage,
                watch,
                settings,
                proxies,
                selection,
                options: &options,
                admin,
            };
            Response::new(200, "text/html", page.render())
        }
        Form::Csv => Response::new(200, "text/plain", csv::render(&rows::all(live, &selection))),
        Form::Typed => Response::new(200, "text/plain", typed::render(&rows::all(live, &selection), false)),
        Form::JsonSchema => Response::new(200, "application/json", format!("{}\n", schema::schema())),
        Form::Json => Response::new(200, "application/json", json::render(&rows::all(live, &selection))),
    };
    if let Some(refresh) = page.refresh.filter(|r| !options.no_refresh && !r.is_zero()) {
        response.headers.push(("refresh", refresh.as_secs().max(1).to_string()));
    }
    if request.method == b"HEAD" {
        response.body.clear();
    }
    response
}

fn post(live: &Live, page: &StatsPage, options: &Options, request: &Request<'_>) -> Response {
    let outcome = if !request.admin || request.cross_site {
        Outcome::Denied
    } else if request.content_length.is_some_and(|length| length > request.body.len()) {
        Outcome::TooBig
    } else {
        admin::apply(live, &page.scope, &String::from_utf8_lossy(request.body))
    };
    let mut response = Response::new(303, "text/plain", "");
    let location = format!("{};st={}{options}", page.uri, outcome.code());
    response.headers.push(("location", location));
    response
}
