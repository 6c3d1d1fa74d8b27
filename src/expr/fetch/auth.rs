//! HTTP authentication (RFC 7617, RFC 6750) against user lists.

use std::ops::ControlFlow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use smallvec::SmallVec;

use crate::ir::Userlist;
use crate::ir::expr::{Dir, Fetch};
use crate::ir::userlist::{Password, User};

use super::super::crypt;
use super::super::ctx::{Ctx, Head};
use super::super::sample::{Bytes, Sample};
use super::{ABSENT, Fetched, Missing, head};

/// The header with the credentials.
fn header_of(ctx: &Ctx<'_>) -> &'static [u8] {
    if ctx.progress.as_proxy { b"proxy-authorization" } else { b"authorization" }
}

/// User and password of `Authorization: Basic`.
pub(crate) struct Basic {
    decoded: Vec<u8>,
    colon: usize,
}

impl Basic {
    pub(crate) fn of(head: &dyn Head, ctx: &Ctx<'_>) -> Option<Self> {
        let (scheme, rest) = credentials(head, header_of(ctx))?;
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return None;
        }
        let decoded = STANDARD.decode(rest).ok()?;
        let colon = memchr::memchr(b':', &decoded)?;
        Some(Self { decoded, colon })
    }

    pub(crate) fn user(&self) -> &[u8] {
        &self.decoded[..self.colon]
    }

    pub(crate) fn password(&self) -> &[u8] {
        &self.decoded[self.colon + 1..]
    }
}

/// Scheme and the rest of a credentials header.
fn credentials<'a>(head: &'a dyn Head, name: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let value = head.find(name, 0).map(|i| head.header(i).1)?;
    let space = memchr::memchr(b' ', value)?;
    Some((&value[..space], value[space..].trim_ascii())).filter(|(_, rest)| !rest.is_empty())
}

/// The user that the credentials belong to, if the password is right.
pub(crate) fn check<'l>(list: &'l Userlist, user: &[u8], password: &[u8]) -> Option<&'l User> {
    let user = list.users.iter().find(|u| u.name.as_bytes() == user)?;
    let right = match &user.password {
        Password::Clear(text) => super::super::constant_time_eq(text.as_bytes(), password),
        Password::Crypt(hash) => crypt::verify(password, hash),
    };
    right.then_some(user)
}

pub(super) fn one<'a>(fetch: &'a Fetch, ctx: &Ctx<'a>) -> Fetched<'a> {
    let head = head(Dir::Req, ctx)?;
    match fetch {
        Fetch::HttpAuth(list) => {
            let basic = Basic::of(head, ctx).ok_or(ABSENT)?;
            Ok(Sample::Bool(check(list, basic.user(), basic.password()).is_some()))
        }
        Fetch::HttpAuthGroup(list) => {
            let basic = Basic::of(head, ctx).ok_or(ABSENT)?;
            let user = check(list, basic.user(), basic.password()).ok_or(ABSENT)?;
            Ok(Sample::text(user.name.as_bytes()))
        }
        Fetch::HttpAuthUser => {
            let basic = Basic::of(head, ctx).ok_or(ABSENT)?;
            Ok(Sample::Str(Bytes::copy(basic.user())))
        }
        Fetch::HttpAuthPass => {
            let basic = Basic::of(head, ctx).ok_or(ABSENT)?;
            Ok(Sample::Str(Bytes::copy(basic.password())))
        }
        Fetch::HttpAuthType => {
            let (scheme, _) = credentials(head, header_of(ctx)).ok_or(ABSENT)?;
            let known: &'static str = if scheme.eq_ignore_ascii_case(b"basic") {
                // Of what cannot be read nothing is known.
                Basic::of(head, ctx).ok_or(ABSENT)?;
                "Basic"
            } else if scheme.eq_ignore_ascii_case(b"bearer") {
                "Bearer"
            } else {
                return Err(ABSENT);
            };
            Ok(Sample::text(known.as_bytes()))
        }
        Fetch::HttpAuthBearer(header) => {
            let name = header.as_deref().unwrap_or(header_of(ctx));
            match credentials(head, name) {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer") => Ok(Sample::text(token)),
                // With a header's name given HAProxy yields an empty value instead of none.
                _ if header.is_some() => Ok(Sample::Str(Bytes::Own(SmallVec::new()))),
                _ => Err(ABSENT),
            }
        }
        _ => Err(ABSENT),
    }
}

/// `http_auth_group(list) GROUP...`: the patterns are held against each group of the user.
pub(super) fn each_group<'a>(
    list: &'a Userlist,
    ctx: &Ctx<'a>,
    f: &mut dyn FnMut(Sample<'a>) -> ControlFlow<()>,
) -> Result<(), Missing> {
    let basic = Basic::of(head(Dir::Req, ctx)?, ctx).ok_or(ABSENT)?;
    let user = check(list, basic.user(), basic.password()).ok_or(ABSENT)?;
    for group in &user.groups {
        if f(Sample::text(group.as_bytes())).is_break() {
            break;
        }
    }
    Ok(())
}
