//! The statistics page as the engine's service.

use std::sync::Arc;

use crate::ctl::Control;
use crate::expr::eval_cond;
use crate::http::{Head, error_page};
use crate::live::Proxy;
use crate::proxy::Service;
use crate::proxy::service::Request;
use crate::stats::page;

/// Answers requests for the pages of all proxies.
#[derive(Debug)]
pub(super) struct Page {
    control: Arc<Control>,
}

impl Page {
    /// The pages of what `control` steers.
    #[must_use]
    pub(super) fn new(control: Arc<Control>) -> Self {
        Self { control }
    }
}

impl Service for Page {
    fn wants(&self, proxy: &Proxy, head: &Head) -> bool {
        let uri = head.path_and_query().unwrap_or_default();
        proxy.ir.stats.as_ref().is_some_and(|settings| page::wants(settings, head.method(), uri))
    }

    fn handle(&self, request: &Request<'_>) -> (Head, Vec<u8>) {
        let head = request.head;
        let rules = request.proxy.ir.stats.iter().flat_map(|settings| &settings.admin);
        let admin = { rules }.into_iter().any(|rule| eval_cond(rule, &request.ctx));
        let length =
            head.get(b"content-length").and_then(|v| std::str::from_utf8(v).ok()?.trim().parse().ok());
        let asked = page::Request {
            method: head.method(),
            uri: head.path_and_query().unwrap_or_default(),
            authorization: head.get(b"authorization"),
            body: request.body,
            content_length: length,
            admin,
            cross_site: head.get(b"sec-fetch-site").is_some_and(|site| site == b"cross-site"),
        };
        let control = &self.control;
        let usage = control.usage();
        let answer = page::respond(&control.live, &control.program, usage, request.proxy, &asked);
        let mut out = Head::response(answer.status, error_page::reason(answer.status).as_bytes());
        for (name, value) in &answer.headers {
            out.add(name.as_bytes(), value.as_bytes());
        }
        (out, answer.body)
    }
}
