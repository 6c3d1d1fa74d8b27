//! The answers a proxy gives by itself: the texts HAProxy answers with, byte for byte.

use super::head::Head;

/// Reason phrase and sentence of a status HAProxy has a page for.
const PAGES: [(u16, &str, &str); 21] = [
    (200, "OK", "Service ready."),
    (400, "Bad request", "Your browser sent an invalid request."),
    (401, "Unauthorized", "You need a valid user and password to access this content."),
    (403, "Forbidden", "Request forbidden by administrative rules."),
    (404, "Not Found", "The resource could not be found."),
    (
        405,
        "Method Not Allowed",
        "A request was made of a resource using a request method not supported by that resource",
    ),
    (407, "Unauthorized", "You need a valid user and password to access this content."),
    (408, "Request Time-out", "Your browser didn't send a complete request in time."),
    (410, "Gone", "The resource is no longer available and will not be available again."),
    (413, "Payload Too Large", "The request entity exceeds the maximum allowed."),
    (414, "URI Too Long", "The URI provided was too long for the server to process."),
    (421, "Misdirected Request", "Request sent to a non-authoritative server."),
    (422, "Unprocessable Content", "The server cannot process the contained instructions."),
    (425, "Too Early", "Your browser sent early data."),
    (429, "Too Many Requests", "You have sent too many requests in a given amount of time."),
    (431, "Request Header Fields Too Large", "Request Header Fields Too Large."),
    (500, "Internal Server Error", "An internal server error occurred."),
    (
        501,
        "Not Implemented",
        ".The server does not support the functionality required to fulfill the request.",
    ),
    (502, "Bad Gateway", "The server returned an invalid or incomplete response."),
    (503, "Service Unavailable", "No server is available to handle this request."),
    (504, "Gateway Time-out", "The server didn't respond in time."),
];

fn page(status: u16) -> &'static (u16, &'static str, &'static str) {
    // A status without a page of its own is answered as 500, as `http-request deny` does.
    PAGES.iter().find(|p| p.0 == status).unwrap_or(&PAGES[16])
}

/// Is there a page for `status`?
#[must_use]
pub fn exists(status: u16) -> bool {
    PAGES.iter().any(|p| p.0 == status)
}

/// HTML of the page.
#[must_use]
pub fn body(status: u16) -> String {
    let (code, reason, text) = page(status);
    format!("<html><body><h1>{code} {reason}</h1>\n{text}\n</body></html>\n")
}

/// Head and body of the answer in the normalised form: rules and `http-after-response` may still edit it, and
/// `connection` is added by [`super::response::finish`].
#[must_use]
pub fn response(status: u16) -> (Head, Vec<u8>) {
    let (code, reason, _) = page(status);
    let body = body(status).into_bytes();
    let mut head = Head::response(*code, reason.as_bytes());
    head.add(b"content-length", body.len().to_string().as_bytes());
    head.add(b"cache-control", b"no-cache");
    head.add(b"content-type", b"text/html");
    (head, body)
}

/// The whole answer to what never became a request (400, 408, 413, 422): spelled as HAProxy spells it there.
#[must_use]
pub fn raw(status: u16) -> Vec<u8> {
    let (code, reason, _) = page(status);
    let body = body(status);
    let close = if matches!(code, 400 | 408) { "Connection: close\r\n" } else { "" };
    format!(
        "HTTP/1.1 {code} {reason}\r\nContent-length: {}\r\nCache-Control: no-cache\r\n{close}Content-Type: text/html\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Reason phrase of any status, for answers that rules make (`http-request return`, `set-status`, redirects): HAProxy's,
/// which are not those of its own pages.
#[must_use]
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        102 => "Processing",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        207 => "Multi-Status",
        210 => "Content Different",
        226 => "IM Used",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        305 => "Use Proxy",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        310 => "Too many Redirects",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Time-out",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Requested range unsatisfiable",
        417 => "Expectation failed",
        418 => "I'm a teapot",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        423 => "Locked",
        424 => "Method failure",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        449 => "Retry With",
        450 => "Blocked by Windows Parental Controls",
        451 => "Unavailable For Legal Reasons",
        456 => "Unrecoverable Error",
        499 => "client has closed connection",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway or Proxy Error",
        503 => "Service Unavailable",
        504 => "Gateway Time-out",
        505 => "HTTP Version not supported",
        506 => "Variant also negotiate",
        507 => "Insufficient storage",
        508 => "Loop detected",
        509 => "Bandwidth Limit Exceeded",
        510 => "Not extended",
        511 => "Network authentication required",
        520 => "Web server is returning an unknown error",
        _ => match status / 100 {
            1 => "Informational",
            2 => "Success",
            3 => "Redirection",
            4 => "Client Error",
            5 => "Server Error",
            _ => "Other",
        },
    }
}
