//! May a shared cache keep a response? What the nocache cookies and `option checkcache` ask (RFC 9111 section 3).

use super::Head;
use super::token::trim;

/// The verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cacheable {
    /// The response may be kept.
    pub response: bool,
    /// Its cookies would be kept with it.
    pub cookies: bool,
}

/// Statuses that may be kept without being told so.
const BY_DEFAULT: &[u16] = &[200, 203, 204, 206, 300, 301, 404, 405, 410, 414, 501];

/// Judge the response to a request of this method.
#[must_use]
pub fn judge(method: &[u8], resp: &Head) -> Cacheable {
    const NO: Cacheable = Cacheable { response: false, cookies: false };
    let safe = matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE");
    let default = safe && BY_DEFAULT.contains(&resp.status());
    let mut verdict = Cacheable { response: default, cookies: default };
    if resp.status() < 200 || resp.get(b"pragma").is_some_and(|v| v.eq_ignore_ascii_case(b"no-cache")) {
        return NO;
    }
    let (mut fresh, mut stale_at_once) = (false, false);
    for directive in resp.values(b"cache-control").flat_map(|v| v.split(|c| *c == b',')).map(trim) {
        let lower = directive.to_ascii_lowercase();
        let is =
            |word: &[u8]| lower == word || lower.strip_prefix(word).is_some_and(|r| r.first() == Some(&b'='));
        if lower == b"public" {
            verdict = Cacheable { response: true, cookies: true };
        } else if lower == b"max-age=0" {
            stale_at_once = true;
        } else if lower == b"no-cache=\"set-cookie\"" {
            verdict.cookies = false;
        } else if is(b"private") || is(b"no-cache") || is(b"no-store") || lower == b"s-maxage=0" {
            verdict = NO;
        } else if lower.starts_with(b"s-maxage") {
            // It has the last word over max-age.
            (fresh, stale_at_once) = (true, false);
        } else if lower.starts_with(b"max-age") {
            fresh = true;
        }
    }
    if stale_at_once {
        verdict = NO;
    }
    // What says neither how long it is good nor how to ask again is not kept.
    let lasts =
        fresh || [&b"expires"[..], b"etag", b"last-modified"].iter().any(|name| resp.get(name).is_some());
    verdict.response &= lasts;
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_decide() {
        let verdict = |method: &str, status, headers: &[(&str, &str)]| {
            let mut head = Head::response(status, b"x");
            headers.iter().for_each(|(n, v)| head.add(n.as_bytes(), v.as_bytes()));
            let v = judge(method.as_bytes(), &head);
            (v.response, v.cookies)
        };
        assert_eq!(verdict("GET", 200, &[("etag", "x")]), (true, true));
        assert_eq!(verdict("GET", 200, &[]), (false, true));
        assert_eq!(verdict("POST", 200, &[("etag", "x")]), (false, false));
        assert_eq!(verdict("POST", 200, &[("etag", "x"), ("cache-control", "Public")]), (true, true));
        assert_eq!(verdict("GET", 500, &[("etag", "x")]), (false, false));
        assert_eq!(verdict("GET", 200, &[("cache-control", "max-age=0")]), (false, false));
        assert_eq!(verdict("GET", 200, &[("cache-control", "max-age=0, s-maxage=9")]), (true, true));
        assert_eq!(verdict("GET", 200, &[("cache-control", "max-age=9, private=x")]), (false, false));
        assert_eq!(
            verdict("GET", 200, &[("cache-control", "max-age=9, no-cache=\"set-cookie\"")]),
            (true, false)
        );
        assert_eq!(verdict("GET", 200, &[("pragma", "no-cache"), ("expires", "x")]), (false, false));
    }
}
