//! Persistence cookies (`cookie` of a backend).

use std::sync::Arc;

use crate::http::cookie;
use crate::ir::proxy::{Cookie, CookieMode};
use crate::live::Server;
use crate::proxy::txn::Txn;

/// Look at the request's cookie: the server it names, if that can be used. Takes out of the request what the
/// server is not to see.
pub(super) fn read(txn: &mut Txn) -> Option<Arc<Server>> {
    let be = txn.be.clone();
    let ir = be.ir.backend.as_ref()?;
    let conf = ir.cookie.as_ref()?;
    let backend = be.backend.as_ref()?;
    let Some(value) = cookie::find(&txn.req, conf.name.as_bytes()).map(<[u8]>::to_vec) else {
        txn.cookies[0] = b'N';
        return None;
    };
    let mut id = value.as_slice();
    match conf.mode {
        CookieMode::Prefix => match memchr::memchr(b'~', &value) {
            Some(tilde) => {
                id = &value[..tilde];
                cookie::replace(&mut txn.req, conf.name.as_bytes(), &value[tilde + 1..]);
            }
            None => {
                txn.cookies[0] = b'N';
                return None;
            }
        },
        // Dates of `maxidle` and `maxlife` stand behind bars.
        CookieMode::Insert => id = &value[..memchr::memchr(b'|', &value).unwrap_or(value.len())],
        CookieMode::Passive | CookieMode::Rewrite => {}
    }
    if conf.mode == CookieMode::Insert && conf.indirect {
        cookie::remove(&mut txn.req, conf.name.as_bytes());
    }
    let Some(server) = backend
        .servers()
        .iter()
        .find(|s| s.ir.cookie.as_deref().is_some_and(|c| c.as_bytes() == id))
        .cloned()
    else {
        txn.cookies[0] = b'I';
        return None;
    };
    if server.takes_persistent() || ir.persist || crate::proxy::rules::forces_persistence(txn) {
        txn.cookies[0] = b'V';
        Some(server)
    } else {
        txn.cookies[0] = b'D';
        None
    }
}

/// Edit or add the response's cookie. `wanted` is the server the request asked for.
pub(super) fn write(txn: &mut Txn, wanted: Option<&Arc<Server>>) {
    let be = txn.be.clone();
    let Some(conf) = be.ir.backend.as_ref().and_then(|b| b.cookie.as_ref()) else { return };
    txn.cookies[1] = b'N';
    let Some(server) = txn.server.clone() else { return };
    let Some(id) = server.ir.cookie.as_deref() else { return };
    let stays = wanted.is_some_and(|w| Arc::ptr_eq(w, &server));
    let post = txn.req.method() == b"POST";
    let Some(resp) = &mut txn.resp else { return };
    let name = conf.name.as_bytes();
    match conf.mode {
        CookieMode::Passive => {
            if cookie::edit_set_cookie(resp, name, |v| Some(v.to_vec())) {
                txn.cookies[1] = b'P';
            }
        }
        CookieMode::Rewrite => {
            if cookie::edit_set_cookie(resp, name, |_| Some(id.as_bytes().to_vec())) {
                txn.cookies[1] = b'R';
            }
        }
        CookieMode::Prefix => {
            if cookie::edit_set_cookie(resp, name, |v| Some([id.as_bytes(), b"~", v].concat())) {
                txn.cookies[1] = b'R';
            }
        }
        CookieMode::Insert => {
            let mut provided = false;
            cookie::edit_set_cookie(resp, name, |v| {
                provided = true;
                // The client is not to see the server's own cookie unless it is to be preserved.
                (conf.preserve || !conf.indirect).then(|| v.to_vec())
            });
            if provided && conf.preserve {
                txn.cookies[1] = b'P';
                return;
            }
            if stays || (conf.postonly && !post) {
                txn.cookies[1] = if provided { b'D' } else { b'N' };
                return;
            }
            let value = insertion(conf, id);
            resp.add(b"set-cookie", &value);
            txn.cookies[1] = b'I';
            if conf.nocache && !post {
                resp.add(b"cache-control", b"private");
            }
        }
    }
}

fn insertion(conf: &Cookie, id: &str) -> Vec<u8> {
    let attributes = cookie::Attributes {
        domains: &conf.domains,
        httponly: conf.httponly,
        secure: conf.secure,
        extra: &conf.attrs,
    };
    cookie::set_cookie(&conf.name, Some(id.as_bytes()), &attributes)
}
