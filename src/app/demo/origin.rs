//! Three web servers that say who they are.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// A web server that can be stopped.
#[derive(Debug)]
pub(super) struct Origin {
    stop: Arc<Notify>,
}

impl Origin {
    /// Listens on `addr` and answers with `name`.
    ///
    /// # Errors
    /// The address cannot be had.
    pub(super) async fn start(name: String, addr: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let stop = Arc::new(Notify::new());
        let stopped = stop.clone();
        tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let Ok((stream, _)) = accepted else { continue };
                        let name = name.clone();
                        connections.spawn(async move {
                            let answer = service_fn(move |_: Request<Incoming>| {
                                let name = name.clone();
                                async move { Ok::<_, Infallible>(page(&name)) }
                            });
                            // A client that goes away in the middle is the client's affair.
                            let _ = hyper::server::conn::http1::Builder::new()
                                .serve_connection(TokioIo::new(stream), answer)
                                .await;
                        });
                    }
                    Some(_) = connections.join_next() => {}
                    () = stopped.notified() => return,
                }
            }
        });
        Ok(Self { stop })
    }

    /// Dies: the listener and all its connections are gone.
    pub(super) fn kill(&self) {
        self.stop.notify_one();
    }
}

fn page(name: &str) -> Response<Full<Bytes>> {
    let body = format!("<!doctype html><title>{name}</title><h1>Hello from {name}</h1>\n");
    let mut response = Response::new(Full::new(Bytes::from(body)));
    let headers = response.headers_mut();
    headers.insert("content-type", hyper::header::HeaderValue::from_static("text/html"));
    if let Ok(value) = hyper::header::HeaderValue::from_str(name) {
        headers.insert("x-origin", value);
    }
    response
}
