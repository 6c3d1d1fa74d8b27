//! Rows of what messages hold: buffers, request lines, header fields, cookies, parameters.

use tandem_parser::lex::bytes_of;

use super::super::args::Args;
use super::super::check::Valid::{Any, Message, Request, Response, Status, Transaction};
use super::super::names::FetchRow;
use super::super::{Language, Read};
use super::{plain, row, userlist};
use crate::ir::expr::{Dir, Fetch as F, HdrArg, HelloList};

pub(super) const PAYLOAD: &[FetchRow] = &[
    plain("wait_end", Any, |_, _| Some(F::WaitEnd)),
    plain("req.len", Request, |_, _| Some(F::BufferLen(Dir::Req))),
    plain("req_len", Request, |_, _| Some(F::BufferLen(Dir::Req))),
    plain("res.len", Response, |_, _| Some(F::BufferLen(Dir::Res))),
    row("distcc_body", DISTCC, (1, 2), Message, |l, a| distcc(l, a, true)),
    row("distcc_param", DISTCC, (1, 2), Message, |l, a| distcc(l, a, false)),
    row("req.payload", "(<offset>,<length>)", (2, 2), Request, |l, a| payload(l, a, Dir::Req)),
    row("payload", "(<offset>,<length>)", (2, 2), Message, |l, a| payload(l, a, Dir::Req)),
    row("res.payload", "(<offset>,<length>)", (2, 2), Response, |l, a| payload(l, a, Dir::Res)),
    row("req.payload_lv", LV, (2, 3), Request, |l, a| payload_lv(l, a, Dir::Req)),
    row("payload_lv", LV, (2, 3), Message, |l, a| payload_lv(l, a, Dir::Req)),
    row("res.payload_lv", LV, (2, 3), Response, |l, a| payload_lv(l, a, Dir::Res)),
    plain("req.proto_http", Transaction, |_, _| Some(F::ProtoHttp)),
    plain("req_proto_http", Transaction, |_, _| Some(F::ProtoHttp)),
    plain("req.ssl_hello_type", Request, |_, _| Some(F::TlsHelloType(Dir::Req))),
    plain("req_ssl_hello_type", Request, |_, _| Some(F::TlsHelloType(Dir::Req))),
    plain("res.ssl_hello_type", Response, |_, _| Some(F::TlsHelloType(Dir::Res))),
    plain("rep_ssl_hello_type", Response, |_, _| Some(F::TlsHelloType(Dir::Res))),
    plain("req.ssl_sni", Request, |_, _| Some(F::TlsHelloSni)),
    plain("req_ssl_sni", Request, |_, _| Some(F::TlsHelloSni)),
    plain("req.ssl_ver", Request, |_, _| Some(F::TlsHelloVersion)),
    plain("req_ssl_ver", Request, |_, _| Some(F::TlsHelloVersion)),
    plain("req.ssl_alpn", Request, |_, _| Some(F::TlsHelloAlpn)),
    plain("req.ssl_ec_ext", Request, |_, _| Some(F::TlsHelloEcExt)),
    plain("req.ssl_st_ext", Request, |_, _| Some(F::TlsHelloTicket)),
    plain("req.ssl_cipherlist", Request, |_, _| Some(F::TlsHelloList(HelloList::Ciphers))),
    plain("req.ssl_supported_groups", Request, |_, _| Some(F::TlsHelloList(HelloList::Groups))),
    plain("req.ssl_sigalgs", Request, |_, _| Some(F::TlsHelloList(HelloList::SignatureAlgorithms))),
    plain("req.ssl_keyshare_groups", Request, |_, _| Some(F::TlsHelloList(HelloList::KeyShares))),
    row("req.rdp_cookie", "([<name>])", (0, 1), Request, |_, a| Some(F::RdpCookie(name(a)))),
    row("rdp_cookie", "([<name>])", (0, 1), Request, |_, a| Some(F::RdpCookie(name(a)))),
    row("req.rdp_cookie_cnt", "([<name>])", (0, 1), Request, |_, a| Some(F::RdpCookieCount(name(a)))),
    row("rdp_cookie_cnt", "([<name>])", (0, 1), Request, |_, a| Some(F::RdpCookieCount(name(a)))),
];

const LV: &str = "(<offset1>,<length>[,<offset2>])";
const DISTCC: &str = "(<token>[,<occ>])";
const URLP: &str = "([<name>[,<delim>[,i]]])";

pub(super) const HTTP: &[FetchRow] = &[
    plain("method", Transaction, |_, _| Some(F::Method)),
    plain("req.ver", Request, |_, _| Some(F::Version(Dir::Req))),
    plain("req_ver", Request, |_, _| Some(F::Version(Dir::Req))),
    plain("res.ver", Response, |_, _| Some(F::Version(Dir::Res))),
    plain("resp_ver", Response, |_, _| Some(F::Version(Dir::Res))),
    plain("status", Status, |_, _| Some(F::Status)),
    plain("txn.status", Status, |_, _| Some(F::TransactionStatus)),
    plain("url", Request, |_, _| Some(F::Url)),
    plain("path", Request, |_, _| Some(F::Path)),
    plain("pathq", Request, |_, _| Some(F::PathQ)),
    plain("query", Request, |_, _| Some(F::Query)),
    plain("base", Request, |_, _| Some(F::Base)),
    plain("baseq", Request, |_, _| Some(F::BaseQ)),
    plain("base32", Request, |_, _| Some(F::Base32)),
    plain("base32+src", Request, |_, _| Some(F::Base32Src)),
    plain("url32", Request, |_, _| Some(F::Url32)),
    plain("url32+src", Request, |_, _| Some(F::Url32Src)),
    plain("url_ip", Request, |_, _| Some(F::UrlIp)),
    plain("url_port", Request, |_, _| Some(F::UrlPort)),
    row("url_param", URLP, (0, 3), Request, |l, a| {
        let (name, delim, ignore_case) = url_param(l, a)?;
        Some(F::UrlParam { name, delim, ignore_case })
    }),
    row("urlp", URLP, (0, 3), Request, |l, a| {
        let (name, delim, ignore_case) = url_param(l, a)?;
        Some(F::UrlParam { name, delim, ignore_case })
    }),
    row("urlp_val", URLP, (0, 3), Request, |l, a| {
        let (name, delim, ignore_case) = url_param(l, a)?;
        Some(F::UrlParamInt { name, delim, ignore_case })
    }),
    row("http_auth", "(<userlist>)", (1, 1), Request, |l, a| Some(F::HttpAuth(userlist(l, a)?))),
    row("http_auth_group", "(<userlist>)", (1, 1), Request, |l, a| Some(F::HttpAuthGroup(userlist(l, a)?))),
    plain("http_auth_user", Request, |_, _| Some(F::HttpAuthUser)),
    plain("http_auth_pass", Request, |_, _| Some(F::HttpAuthPass)),
    plain("http_auth_type", Request, |_, _| Some(F::HttpAuthType)),
    row("http_auth_bearer", "([<header>])", (0, 1), Request, |_, a| Some(F::HttpAuthBearer(lower(a)))),
    plain("http_first_req", Transaction, |_, _| Some(F::FirstRequest)),
    plain("req.body", Request, |_, _| Some(F::Body(Dir::Req))),
    plain("req.body_len", Request, |_, _| Some(F::BodyLen(Dir::Req))),
    plain("req.body_size", Request, |_, _| Some(F::BodySize(Dir::Req))),
    row("req.body_param", "([<name>[,i]])", (0, 2), Request, |l, a| {
        Some(F::BodyParam(name(a), ignores_case(l, a, 1)?))
    }),
    plain("res.body", Response, |_, _| Some(F::Body(Dir::Res))),
    plain("res.body_len", Response, |_, _| Some(F::BodyLen(Dir::Res))),
    plain("res.body_size", Response, |_, _| Some(F::BodySize(Dir::Res))),
];

const HDR: &str = "([<name>[,<occ>]])";
const NAME: &str = "([<name>])";

pub(super) const MESSAGES: &[FetchRow] = &[
    row("req.hdr", HDR, (0, 2), Request, |l, a| Some(F::Hdr(Dir::Req, header(l, a)?))),
    row("hdr", HDR, (0, 2), Message, |l, a| Some(F::Hdr(Dir::Req, header(l, a)?))),
    row("res.hdr", HDR, (0, 2), Response, |l, a| Some(F::Hdr(Dir::Res, header(l, a)?))),
    row("shdr", HDR, (0, 2), Response, |l, a| Some(F::Hdr(Dir::Res, header(l, a)?))),
    row("req.fhdr", HDR, (0, 2), Request, |l, a| Some(F::FullHdr(Dir::Req, header(l, a)?))),
    row("res.fhdr", HDR, (0, 2), Response, |l, a| Some(F::FullHdr(Dir::Res, header(l, a)?))),
    row("req.hdr_cnt", NAME, (0, 1), Request, |_, a| Some(F::HdrCount(Dir::Req, lower(a)))),
    row("hdr_cnt", NAME, (0, 1), Request, |_, a| Some(F::HdrCount(Dir::Req, lower(a)))),
    row("res.hdr_cnt", NAME, (0, 1), Response, |_, a| Some(F::HdrCount(Dir::Res, lower(a)))),
    row("shdr_cnt", NAME, (0, 1), Response, |_, a| Some(F::HdrCount(Dir::Res, lower(a)))),
    row("req.fhdr_cnt", NAME, (0, 1), Request, |_, a| Some(F::FullHdrCount(Dir::Req, lower(a)))),
    row("res.fhdr_cnt", NAME, (0, 1), Response, |_, a| Some(F::FullHdrCount(Dir::Res, lower(a)))),
    row("req.hdr_ip", HDR, (0, 2), Request, |l, a| Some(F::HdrIp(Dir::Req, header(l, a)?))),
    row("hdr_ip", HDR, (0, 2), Request, |l, a| Some(F::HdrIp(Dir::Req, header(l, a)?))),
    row("res.hdr_ip", HDR, (0, 2), Response, |l, a| Some(F::HdrIp(Dir::Res, header(l, a)?))),
    row("shdr_ip", HDR, (0, 2), Response, |l, a| Some(F::HdrIp(Dir::Res, header(l, a)?))),
    row("req.hdr_val", HDR, (0, 2), Request, |l, a| Some(F::HdrInt(Dir::Req, header(l, a)?))),
    row("hdr_val", HDR, (0, 2), Request, |l, a| Some(F::HdrInt(Dir::Req, header(l, a)?))),
    row("res.hdr_val", HDR, (0, 2), Response, |l, a| Some(F::HdrInt(Dir::Res, header(l, a)?))),
    row("shdr_val", HDR, (0, 2), Response, |l, a| Some(F::HdrInt(Dir::Res, header(l, a)?))),
    row("req.hdr_names", "([<delim>])", (0, 1), Request, |l, a| {
        Some(F::HdrNames(Dir::Req, a.first(l, 0, b',')))
    }),
    row("res.hdr_names", "([<delim>])", (0, 1), Response, |l, a| {
        Some(F::HdrNames(Dir::Res, a.first(l, 0, b',')))
    }),
    row("req.cook_names", "([<delim>])", (0, 1), Request, |l, a| {
        Some(F::CookNames(Dir::Req, a.first(l, 0, b',')))
    }),
    row("res.cook_names", "([<delim>])", (0, 1), Response, |l, a| {
        Some(F::CookNames(Dir::Res, a.first(l, 0, b',')))
    }),
    plain("req.hdrs_bin", Request, |_, _| Some(F::HdrsBin(Dir::Req))),
    plain("res.hdrs_bin", Response, |_, _| Some(F::HdrsBin(Dir::Res))),
    plain("req.hdrs", Request, |_, _| Some(F::Hdrs(Dir::Req))),
    plain("res.hdrs", Response, |_, _| Some(F::Hdrs(Dir::Res))),
    row("req.cook", NAME, (0, 1), Request, |_, a| Some(F::Cook(Dir::Req, name(a)))),
    row("cook", NAME, (0, 1), Request, |_, a| Some(F::Cook(Dir::Req, name(a)))),
    row("cookie", NAME, (0, 1), Message, |_, a| Some(F::Cook(Dir::Req, name(a)))),
    row("res.cook", NAME, (0, 1), Response, |_, a| Some(F::Cook(Dir::Res, name(a)))),
    row("scook", NAME, (0, 1), Response, |_, a| Some(F::Cook(Dir::Res, name(a)))),
    row("req.cook_cnt", NAME, (0, 1), Request, |_, a| Some(F::CookCount(Dir::Req, name(a)))),
    row("cook_cnt", NAME, (0, 1), Request, |_, a| Some(F::CookCount(Dir::Req, name(a)))),
    row("res.cook_cnt", NAME, (0, 1), Response, |_, a| Some(F::CookCount(Dir::Res, name(a)))),
    row("scook_cnt", NAME, (0, 1), Response, |_, a| Some(F::CookCount(Dir::Res, name(a)))),
    row("req.cook_val", NAME, (0, 1), Request, |_, a| Some(F::CookInt(Dir::Req, name(a)))),
    row("cook_val", NAME, (0, 1), Request, |_, a| Some(F::CookInt(Dir::Req, name(a)))),
    row("res.cook_val", NAME, (0, 1), Response, |_, a| Some(F::CookInt(Dir::Res, name(a)))),
    row("scook_val", NAME, (0, 1), Response, |_, a| Some(F::CookInt(Dir::Res, name(a)))),
];

/// Name, what starts the query, and whether case does not count.
type UrlParam = (Option<Box<[u8]>>, u8, bool);

fn url_param(l: &mut Language<'_>, a: &Args<'_>) -> Read<UrlParam> {
    Some((name(a), a.first(l, 1, b'?'), ignores_case(l, a, 2)?))
}

/// The flag `i`.
fn ignores_case(l: &mut Language<'_>, a: &Args<'_>, nth: usize) -> Read<bool> {
    match a.filled(nth) {
        None => Some(false),
        Some("i") => Some(true),
        Some(other) => {
            a.odd(l, nth, format!("unknown flag '{other}'; there is 'i'"));
            Some(false)
        }
    }
}

fn name(a: &Args<'_>) -> Option<Box<[u8]>> {
    a.filled(0).map(|text| bytes_of(text).into())
}

/// A header's name.
fn lower(a: &Args<'_>) -> Option<Box<[u8]>> {
    a.filled(0).map(|text| text.to_ascii_lowercase().into_bytes().into())
}

fn header(l: &mut Language<'_>, a: &Args<'_>) -> Read<HdrArg> {
    let occurrence = a.opt_int(l, 1)?.unwrap_or(0);
    // HAProxy looks back at most ten values.
    if occurrence < -10 {
        return a.invalid(l, 1, "header occurrence must be >= -10");
    }
    Some(HdrArg { name: lower(a), occurrence: i32::try_from(occurrence).unwrap_or(i32::MAX) })
}

/// `hdr` and its like speak of the response where a response is looked at.
pub(in crate::lower::expr) fn turn_to_response(fetch: &mut F) {
    if let F::Hdr(dir, _)
    | F::Cook(dir, _)
    | F::Payload(dir, ..)
    | F::PayloadLv { dir, .. }
    | F::Distcc { dir, .. }
    | F::Htx(dir, _)
    | F::HtxEom(dir)
    | F::HtxBlock(dir, ..) = fetch
    {
        *dir = Dir::Res;
    }
}

fn payload(l: &mut Language<'_>, a: &Args<'_>, dir: Dir) -> Read<F> {
    Some(F::Payload(dir, a.position(l, 0)?, a.position(l, 1)?))
}

fn payload_lv(l: &mut Language<'_>, a: &Args<'_>, dir: Dir) -> Read<F> {
    let (offset, size) = (a.size(l, 0)?, a.position(l, 1)?);
    if size == 0 {
        return a.invalid(l, 1, "payload length must be > 0");
    }
    let data = match a.filled(2) {
        None => Err(0),
        Some(text) if text.starts_with(['+', '-']) => match text.parse() {
            Ok(relative) if relative < -i64::try_from(offset + size).unwrap_or(i64::MAX) => {
                return a.invalid(l, 2, "payload offset2 too negative");
            }
            Ok(relative) => Err(relative),
            Err(_) => return a.invalid(l, 2, format!("failed to parse '{text}' as an offset")),
        },
        Some(_) => Ok(a.size(l, 2)?),
    };
    Some(F::PayloadLv { dir, offset, size, data })
}

fn distcc(l: &mut Language<'_>, a: &Args<'_>, body: bool) -> Read<F> {
    let Ok(token) = <[u8; 4]>::try_from(&*a.bytes(0)) else {
        return a.invalid(l, 0, "token name must be exactly 4 characters");
    };
    let occurrence = u32::try_from(a.opt_int(l, 1)?.unwrap_or(0)).unwrap_or(0);
    Some(F::Distcc { dir: Dir::Req, token, occurrence, body })
}
