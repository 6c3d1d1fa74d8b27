//! Answers that come from inside the process: the statistics page and its relatives.
//!
//! The engine does not know who they are; the application hands it one [`Service`].

use std::sync::Arc;

use crate::expr::Ctx;
use crate::http::Head;
use crate::ir::rules::HttpService;
use crate::live::Proxy;

/// A request as a service sees it.
pub struct Request<'a> {
    /// The proxy whose `stats` lines apply.
    pub proxy: &'a Arc<Proxy>,
    /// The head.
    pub head: &'a Head,
    /// The body, as much of it as one buffer holds.
    pub body: &'a [u8],
    /// For conditions (`stats admin if`).
    pub ctx: Ctx<'a>,
}

/// Something that answers requests for some URIs.
pub trait Service: Send + Sync {
    /// Is the request for this service? Called for proxies with `stats` lines only.
    fn wants(&self, proxy: &Proxy, head: &Head) -> bool;

    /// Head (without `content-length` and `connection`) and body of the answer.
    fn handle(&self, request: &Request<'_>) -> (Head, Vec<u8>);

    /// The answer of a service that a rule names. It may take long: the engine does it on another thread.
    fn serve(&self, service: HttpService, head: &Head) -> Job;
}

/// An answer still to be made: head (without `content-length` and `connection`) and body.
pub type Job = Box<dyn FnOnce() -> (Head, Vec<u8>) + Send>;

/// No service at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoService;

impl Service for NoService {
    fn wants(&self, _: &Proxy, _: &Head) -> bool {
        false
    }

    fn handle(&self, _: &Request<'_>) -> (Head, Vec<u8>) {
        (Head::response(404, b"Not Found"), Vec::new())
    }

    fn serve(&self, _: HttpService, _: &Head) -> Job {
        Box::new(|| (Head::response(404, b"Not Found"), Vec::new()))
    }
}
