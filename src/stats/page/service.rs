//! The page, and what `use-service` names, as services of the engine.

use std::sync::Arc;

use super::{Request, Response, respond, unauthorized, wants};
use crate::expr::eval_cond;
use crate::http::{Head, error_page};
use crate::ir::StatsPage;
use crate::ir::rules::{HttpAction, HttpService};
use crate::live::{Live, Proxy};
use crate::proxy::service::{self, Job, Service};
use crate::stats::info::Program;
use crate::stats::meter::Meter;
use crate::stats::prometheus;
use crate::stats::watch::Watch;
use crate::sys::profile::{Work, measured};

/// The page of whatever proxy has one, and the services that rules name.
#[derive(Debug)]
pub struct Page {
    live: Arc<Live>,
    program: Program,
    meter: Meter,
    watch: Arc<Watch>,
}

impl Page {
    /// The page over what runs.
    #[must_use]
    pub fn new(live: Arc<Live>, program: Program, watch: Arc<Watch>) -> Self {
        Self { live, program, meter: Meter::default(), watch }
    }
}

/// Path and query, also of a request that names a host in its first line.
fn address(head: &Head) -> &[u8] {
    head.path_and_query().unwrap_or(head.uri())
}

impl Service for Page {
    fn wants(&self, proxy: &Proxy, head: &Head) -> bool {
        proxy.ir.stats.as_ref().is_some_and(|page| wants(page, head.method(), address(head)))
    }

    fn handle(&self, request: &service::Request<'_>) -> (Head, Vec<u8>) {
        let (head, proxy) = (request.head, request.proxy);
        let Some(page) = &proxy.ir.stats else {
            return written(Response::new(404, "text/html", error_page::body(404)));
        };
        let response = refusal(page, request).unwrap_or_else(|| {
            let usage = self.meter.read(&self.live, &self.program);
            let length = head.get(b"content-length").and_then(|v| std::str::from_utf8(v).ok()?.parse().ok());
            let request = Request {
                method: head.method(),
                uri: address(head),
                authorization: head.get(b"authorization"),
                body: request.body,
                content_length: length,
                admin: page.admin.iter().any(|cond| eval_cond(cond, &request.ctx)),
                cross_site: head
                    .get(b"sec-fetch-site")
                    .is_some_and(|v| v.eq_ignore_ascii_case(b"cross-site")),
            };
            measured(Work::Pages, || respond(&self.live, &self.program, usage, &self.watch, proxy, &request))
        });
        written(response)
    }

    fn serve(&self, service: HttpService, head: &Head) -> Job {
        let HttpService::Prometheus = service;
        let (live, program, watch) = (self.live.clone(), self.program.clone(), self.watch.clone());
        let usage = self.meter.read(&self.live, &self.program);
        let query = head.query().map(|query| String::from_utf8_lossy(query).into_owned());
        Box::new(move || {
            let answer = || prometheus::respond(&live, &program, usage, &watch, query.as_deref());
            written(measured(Work::Pages, answer))
        })
    }
}

/// `stats http-request`: the first rule whose condition holds decides.
fn refusal(page: &StatsPage, request: &service::Request<'_>) -> Option<Response> {
    let holds = |cond: &Option<_>| cond.as_ref().is_none_or(|cond| eval_cond(cond, &request.ctx));
    let rule = page.http_request.iter().find(|rule| holds(&rule.cond))?;
    match &rule.action {
        HttpAction::Allow => None,
        HttpAction::Auth { realm } => Some(unauthorized(realm.as_deref().unwrap_or(&page.realm))),
        // Nothing but `deny` can stand here beside those two.
        _ => Some(Response::new(403, "text/html", error_page::body(403))),
    }
}

fn written(response: Response) -> (Head, Vec<u8>) {
    let mut head = Head::response(response.status, error_page::reason(response.status).as_bytes());
    for (name, value) in &response.headers {
        head.add(name.as_bytes(), value.as_bytes());
    }
    (head, response.body)
}
