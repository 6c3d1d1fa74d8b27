//! Persistence cookies (`cookie` of a backend).

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::http::cacheable;
use crate::http::cookie;
use crate::ir::proxy::{Cookie, CookieMode};
use crate::live::{Address, Backend, Server};
use crate::proxy::rules;
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
    id_of(txn.be.backend.as_ref()?, server).map(Cow::into_owned)
}

/// Look at the request's cookie: the server it names, if that can be used. Takes out of the request what the
/// server is not to see. `unused`: whatever it says, it is not followed.
pub(super) fn read(txn: &mut Txn, unused: bool) -> Option<Arc<Server>> {
    txn.be.ir.backend.as_ref()?.cookie.as_ref()?;
    let be = txn.be.clone();
    let ir = be.ir.backend.as_ref()?;
    let conf = ir.cookie.as_ref()?;
    let backend = be.backend.as_ref()?;
    let name = conf.name.as_bytes();
    let Some(value) = cookie::find(&txn.req, name).map(<[u8]>::to_vec) else {
        txn.cookies[0] = b'N';
        return None;
    };
    let mut id = value.as_slice();
    match conf.mode {
        CookieMode::Prefix => {
            if let Some(tilde) = memchr::memchr(b'~', &value) {
                id = &value[..tilde];
                cookie::replace(&mut txn.req, name, &value[tilde + 1..]);
            }
        }
        // Dates stand behind bars.
        _ => {
            let mut parts = value.split(|c| *c == b'|');
            id = parts.next().unwrap_or_default();
            txn.cookie_dates.last = parts.next().map_or(0, date);
            txn.cookie_dates.first = parts.next().map_or(0, date);
        }
    }
    if conf.mode == CookieMode::Insert && conf.indirect {
        cookie::remove(&mut txn.req, name);
    }
    let old = is_past(txn.cookie_dates.first, conf.maxlife);
    let expired = !old && is_past(txn.cookie_dates.last, conf.maxidle);
    if old || expired {
        txn.cookie_dates = Dates::default();
        txn.cookies[0] = if old { b'O' } else { b'E' };
        return None;
    }
    txn.cookies[0] = if unused { b'U' } else { b'I' };
    if unused || id.is_empty() {
        return None;
    }
    let forced = ir.persist || rules::forces_persistence(txn);
    // Several servers may share a value: the first one that runs takes it.
    for server in backend.servers().iter() {
        if id_of(backend, server).is_none_or(|own| own.as_bytes() != id) {
            continue;
        }
        let runs = server.takes_persistent();
        txn.cookies[0] = if runs { b'V' } else { b'D' };
        if runs || forced {
            return Some(server.clone());
        }
    }
    None
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
    if !txn.be.ir.backend.as_deref().is_some_and(asks) {
        return true;
    }
    let be = txn.be.clone();
    let Some(ir) = be.ir.backend.as_ref() else { return true };
    let found = ir.cookie.as_ref().map(|conf| from_server(txn, conf));
    let Some(resp) = txn.resp.as_ref() else { return true };
    let mut cacheable = if ir.checkcache || ir.cookie.as_ref().is_some_and(|c| c.nocache) {
        cacheable::judge(txn.req.method(), resp)
    } else {
        cacheable::Cacheable::default()
    };
    let sets_cookies = ir.checkcache && resp.get(b"set-cookie").is_some();
    if let (Some(conf), Some(found)) = (&ir.cookie, found)
        && conf.mode == CookieMode::Insert
    {
        insert(txn, conf, direct, found, &mut cacheable);
    }
    !(sets_cookies && cacheable.response && cacheable.cookies)
}

/// What the server says of the cookie itself. True: it did.
fn from_server(txn: &mut Txn, conf: &Cookie) -> bool {
    txn.cookies[1] = b'N';
    let name = conf.name.as_bytes();
    let id = txn.server.as_ref().and_then(|server| own_id(txn, server));
    let Some(resp) = &mut txn.resp else { return false };
    let (found, code) = match (conf.mode, id) {
        _ if conf.preserve => (cookie::edit_set_cookie(resp, name, |v| Some(v.to_vec())), b'P'),
        (CookieMode::Insert, _) => (cookie::edit_set_cookie(resp, name, |_| None), b'D'),
        (CookieMode::Rewrite, Some(id)) => {
            (cookie::edit_set_cookie(resp, name, |_| Some(id.clone().into_bytes())), b'R')
        }
        (CookieMode::Prefix, Some(id)) => {
            (cookie::edit_set_cookie(resp, name, |v| Some([id.as_bytes(), b"~", v].concat())), b'R')
        }
        _ => (cookie::edit_set_cookie(resp, name, |v| Some(v.to_vec())), b'P'),
    };
    if found {
        txn.cookies[1] = code;
    }
    found
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
    if (found && conf.preserve) || (stays && !renewed) || !asked || rules::ignores_persistence(txn) {
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
