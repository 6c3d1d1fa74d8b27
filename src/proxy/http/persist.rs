//! Persistence cookies (`cookie` of a backend).

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::http::cacheable;
use crate::http::cookie::{self, Fate};
use crate::ir::proxy::{Cookie, CookieMode, PersistRule};
use crate::live::{Address, Backend, Proxy, Server};
use crate::proxy::txn::Txn;
use crate::proxy::worker::with;
use crate::sys::clock;

/// Dates further in the future than this are not believed, seconds: clocks of several proxies differ.
const FUTURE: i64 = 86_400;

/// Dates of a cookie, seconds since 1970; 0: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::proxy) struct Dates {
    /// It was last seen.
    last: i64,
    /// It was first given out.
    first: i64,
}

/// The value by which clients name a server.
fn id_of<'s>(backend: &Backend, server: &'s Server) -> Option<Cow<'s, str>> {
    if let Some(own) = server.ir.cookie.as_deref() {
        return Some(Cow::Borrowed(own));
    }
    let cookies = backend.dynamic_cookies.read();
    let mut bytes = cookies.in_use()?.as_bytes().to_vec();
    drop(cookies);
    let Address::Ip(addr) = server.address() else { return None };
    match addr.ip() {
        IpAddr::V4(ip) => bytes.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => bytes.extend_from_slice(&ip.octets()),
    }
    bytes.extend_from_slice(&u32::from(addr.port()).to_be_bytes());
    Some(Cow::Owned(format!("{:016x}", xxhash_rust::xxh64::xxh64(&bytes, 0))))
}

/// The same, of a server of the transaction's backend.
fn own_id(txn: &Txn, server: &Server) -> Option<String> {
    id_of(txn.be().backend.as_ref()?, server).map(Cow::into_owned)
}

/// What the cookies of a request say, one after the other.
struct Reading {
    dates: Dates,
    /// Character of the log.
    code: u8,
    server: Option<Arc<Server>>,
    /// Whatever comes, it is not followed.
    unused: bool,
    captured: Option<Vec<u8>>,
}

/// Look at the request's cookies: the server they name, if that can be used. Takes out of the request what the server is
/// not to see, and keeps what is captured. `assigned`: there is a server already.
pub(super) fn read(txn: &mut Txn, assigned: bool) -> Option<Arc<Server>> {
    let names = txn.be().ir.backend.as_ref().is_some_and(|ir| ir.cookie.is_some());
    if !names && capture(&txn.door.fe).is_none() {
        return None;
    }
    let (be, fe) = (txn.be().clone(), txn.door.fe.clone());
    let cookie = be.backend.as_ref().zip(be.ir.backend.as_ref());
    let cookie = cookie.and_then(|(live, ir)| Some((live, ir, ir.cookie.as_ref()?)));
    let capture = capture(&fe);
    let forced = txn.persistence == Some(PersistRule::Force);
    let unused = assigned || txn.persistence == Some(PersistRule::Ignore);
    let mut seen = Reading { dates: Dates::default(), code: b'N', server: None, unused, captured: None };
    cookie::each(&mut txn.req, |name, value| {
        seen.captured = seen.captured.take().or_else(|| captured(capture, name, value));
        match cookie {
            Some((backend, ir, conf)) if conf.name.as_bytes() == name => {
                seen.one(backend, conf, value, ir.persist || forced)
            }
            _ => Fate::Stays,
        }
    });
    txn.request_cookie = seen.captured;
    txn.cookie_dates = seen.dates;
    txn.cookies[0] = seen.code;
    seen.server
}

/// `capture cookie`: the beginning of a name, and how much of the pair is kept.
fn capture(fe: &Proxy) -> Option<&(String, usize)> {
    fe.ir.frontend.as_ref()?.capture_cookie.as_ref()
}

fn captured(capture: Option<&(String, usize)>, name: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    let (_, most) = capture.filter(|(wanted, _)| name.starts_with(wanted.as_bytes()))?;
    let mut pair = [name, b"=", value].concat();
    pair.truncate(*most);
    Some(pair)
}

impl Reading {
    /// One that has the name of the backend's. `forced`: a server that is down will do.
    fn one(&mut self, backend: &Backend, conf: &Cookie, value: &[u8], forced: bool) -> Fate {
        let mut id = value;
        let mut own = None;
        if conf.mode == CookieMode::Prefix {
            if let Some(tilde) = memchr::memchr(b'~', value) {
                id = &value[..tilde];
                own = Some(&value[tilde + 1..]);
            }
        } else {
            // Dates stand behind bars.
            let mut parts = value.split(|c| *c == b'|');
            id = parts.next().unwrap_or_default();
            let mut next = || parts.next().map(date).filter(|date| *date > 0);
            self.dates.last = next().unwrap_or(self.dates.last);
            self.dates.first = next().unwrap_or(self.dates.first);
        }
        let old = is_past(self.dates.first, conf.maxlife);
        if old || is_past(self.dates.last, conf.maxidle) {
            self.dates = Dates::default();
            self.code = if old { b'O' } else { b'E' };
            id = b"";
        }
        let named = |server: &Server| id_of(backend, server).is_some_and(|own| own.as_bytes() == id);
        let servers = backend.servers();
        let mut found = None;
        if !id.is_empty() && !self.unused {
            // Several servers may share a value: the first one that runs takes it.
            for server in servers.iter().filter(|server| named(server)) {
                let runs = server.takes_persistent();
                self.code = if runs { b'V' } else { b'D' };
                if runs || forced {
                    found = Some(server.clone());
                    break;
                }
            }
        }
        if found.is_some() {
            self.server = found;
        } else if self.code == b'N' {
            // What an earlier one made of it stands.
            self.code = if self.unused { b'U' } else { b'I' };
        }
        // What follows finds a server chosen.
        self.unused |= self.server.is_some();
        match own {
            Some(own) => Fate::Becomes(own.to_vec()),
            None if conf.mode == CookieMode::Insert && conf.indirect => Fate::Goes,
            None => Fate::Stays,
        }
    }
}

fn is_past(date: i64, limit: Option<Duration>) -> bool {
    let Some(limit) = limit.filter(|limit| date > 0 && !limit.is_zero()) else { return false };
    let now = now();
    now - date > limit.as_secs() as i64 || date - now > FUTURE
}

fn now() -> i64 {
    with(|w| w.wall_us(clock::now())) / 1_000_000
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A date in a cookie: five digits of 6 bits, in units of four seconds. 0: none.
fn date(text: &[u8]) -> i64 {
    let Some(digits) = text.get(..5) else { return 0 };
    let value = digits.iter().try_fold(0, |sum, digit| {
        let at = DIGITS.iter().position(|d| d == digit)?;
        Some(sum << 6 | at as i64)
    });
    value.unwrap_or(0) << 2
}

fn push_date(out: &mut Vec<u8>, seconds: i64) {
    let value = seconds >> 2;
    out.push(b'|');
    out.extend((0..5).rev().map(|digit| DIGITS[(value >> (6 * digit) & 63) as usize]));
}

/// Edit or add the response's cookie. `direct` is the server the request was bound to. `false`: the response must not
/// pass (`option checkcache`).
#[must_use]
pub(super) fn write(txn: &mut Txn, direct: Option<&Arc<Server>>) -> bool {
    let asks = |half: &crate::ir::Backend| half.cookie.is_some() || half.checkcache;
    if capture(&txn.door.fe).is_none() && !txn.be().ir.backend.as_deref().is_some_and(asks) {
        return true;
    }
    let (be, fe) = (txn.be().clone(), txn.door.fe.clone());
    let capture = capture(&fe);
    let Some(ir) = be.ir.backend.as_ref() else { return true };
    let sets_cookies =
        ir.checkcache && txn.resp.as_ref().is_some_and(|resp| resp.get(b"set-cookie").is_some());
    let found = from_server(txn, ir.cookie.as_ref(), capture, direct.is_some());
    let Some(resp) = txn.resp.as_ref() else { return true };
    let mut cacheable = if ir.checkcache || ir.cookie.as_ref().is_some_and(|c| c.nocache) {
        cacheable::judge(txn.req.method(), resp)
    } else {
        cacheable::Cacheable::default()
    };
    if let Some(conf) = &ir.cookie
        && conf.mode == CookieMode::Insert
    {
        insert(txn, conf, direct, found, &mut cacheable);
    }
    !(sets_cookies && cacheable.response && cacheable.cookies)
}

/// What the server says of the cookie itself, and what is captured of its cookies. True: it named it.
fn from_server(
    txn: &mut Txn,
    conf: Option<&Cookie>,
    capture: Option<&(String, usize)>,
    direct: bool,
) -> bool {
    if conf.is_none() && capture.is_none() {
        return false;
    }
    let conf = conf.filter(|_| txn.persistence != Some(PersistRule::Ignore));
    let id = txn.server.as_ref().and_then(|server| own_id(txn, server));
    let Some(resp) = &mut txn.resp else { return false };
    let mut kept = None;
    let mut code = None;
    cookie::each_set(resp, |name, value| {
        kept = kept.take().or_else(|| captured(capture, name, value));
        let Some(conf) = conf.filter(|conf| conf.name.as_bytes() == name) else { return Fate::Stays };
        let (fate, what) = match (conf.mode, &id) {
            _ if conf.preserve => (Fate::Stays, b'P'),
            (CookieMode::Insert, _) => (Fate::Goes, b'D'),
            _ if conf.indirect && direct => (Fate::Goes, b'D'),
            (CookieMode::Rewrite, Some(id)) => (Fate::Becomes(id.clone().into_bytes()), b'R'),
            (CookieMode::Prefix, Some(id)) => (Fate::Becomes([id.as_bytes(), b"~", value].concat()), b'R'),
            _ => (Fate::Stays, b'P'),
        };
        code = Some(what);
        fate
    });
    txn.response_cookie = kept;
    txn.cookies[1] = code.unwrap_or(txn.cookies[1]);
    code.is_some()
}

fn insert(
    txn: &mut Txn,
    conf: &Cookie,
    direct: Option<&Arc<Server>>,
    found: bool,
    cacheable: &mut cacheable::Cacheable,
) {
    let Some(server) = txn.server.clone() else { return };
    let stays = direct.is_some_and(|wanted| Arc::ptr_eq(wanted, &server));
    let (dates, now) = (txn.cookie_dates, now());
    let (idle, life) = (conf.maxidle.is_some(), conf.maxlife.is_some());
    // A cookie that stays is given again where its dates change or are no longer asked for.
    let renewed = ((idle || dates.last > 0) && (dates.last == 0 || dates.last < now))
        || (life && dates.first == 0)
        || (!life && dates.first > 0);
    let asked = !conf.postonly || txn.req.method() == b"POST";
    if (found && conf.preserve)
        || (stays && !renewed)
        || !asked
        || txn.persistence == Some(PersistRule::Ignore)
    {
        return;
    }
    let mut value = own_id(txn, &server).map(String::into_bytes);
    let known = value.is_some();
    if let Some(value) = value.as_mut().filter(|_| idle || life) {
        push_date(value, now + 3);
        if life {
            push_date(value, if dates.first > 0 { dates.first } else { now + 3 });
        }
    }
    let attributes = cookie::Attributes {
        domains: &conf.domains,
        httponly: conf.httponly,
        secure: conf.secure,
        extra: &conf.attrs,
    };
    let line = cookie::set_cookie(&conf.name, value.as_deref(), &attributes);
    let Some(resp) = &mut txn.resp else { return };
    resp.add(b"set-cookie", &line);
    txn.cookies[1] = if known && stays { b'U' } else { b'I' };
    if conf.nocache && cacheable.response {
        *cacheable = cacheable::Cacheable::default();
        resp.add(b"cache-control", b"private");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_come_back_in_units_of_four_seconds() {
        let mut text = Vec::new();
        push_date(&mut text, 1_700_000_001);
        assert_eq!(date(&text[1..]), 1_700_000_000);
        assert_eq!(date(b"AAAAA"), 0);
        assert_eq!(date(b"AAA"), 0);
        assert_eq!(date(b"A!AAA"), 0);
    }
}
