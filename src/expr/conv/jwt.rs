//! JSON web tokens (RFC 7515, RFC 7519).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{KeyInit, Mac};
use p256::ecdsa::signature::Verifier as _;
use rsa::pkcs8::DecodePublicKey as _;
use rsa::{Pkcs1v15Sign, Pss};

use crate::ir::expr::{JsonStep, JwtKey, PublicKey};

use super::super::ctx::Ctx;
use super::super::sample::{Bytes, Sample};
use super::{json, text_of};

/// Results of `jwt_verify` besides "no" and "yes".
const UNKNOWN_ALGORITHM: i64 = -1;
const INVALID_TOKEN: i64 = -3;
const UNKNOWN_KEY: i64 = -5;

/// Header, payload and signature; the whole of what is signed.
fn parts(token: &[u8]) -> Option<([&[u8]; 3], &[u8])> {
    let mut dots = memchr::memchr_iter(b'.', token);
    let (first, second) = (dots.next()?, dots.next()?);
    // A third dot belongs to an encrypted token.
    if dots.next().is_some() {
        return None;
    }
    Some(([&token[..first], &token[first + 1..second], &token[second + 1..]], &token[..second]))
}

/// A value of the header or payload.
pub(super) fn query(
    token: &[u8],
    payload: bool,
    path: Option<&[JsonStep]>,
    as_int: bool,
) -> Option<Sample<'static>> {
    let mut pieces = token.split(|b| *b == b'.');
    let piece = if payload { pieces.nth(1)? } else { pieces.next()? };
    let document = URL_SAFE_NO_PAD.decode(piece).ok()?;
    match path {
        None => Some(Sample::Str(Bytes::Own(document.into()))),
        Some(path) => json::query(path, as_int, &document),
    }
}

/// Is the signature right? 1 or 0, negative where that cannot be told.
pub(super) fn verify(token: &[u8], algorithm: &[u8], key: &JwtKey, ctx: &Ctx<'_>) -> Option<i64> {
    let known = matches!(
        algorithm,
        b"none"
            | b"HS256"
            | b"HS384"
            | b"HS512"
            | b"RS256"
            | b"RS384"
            | b"RS512"
            | b"ES256"
            | b"ES384"
            | b"ES512"
            | b"PS256"
            | b"PS384"
            | b"PS512"
    );
    if !known {
        return Some(UNKNOWN_ALGORITHM);
    }
    let Some(([_, _, signature], signed)) = parts(token) else { return Some(INVALID_TOKEN) };
    if algorithm == b"none" {
        return Some(i64::from(signature.is_empty()));
    }
    let Some(signature) = URL_SAFE_NO_PAD.decode(signature).ok().filter(|s| !s.is_empty()) else {
        return Some(INVALID_TOKEN);
    };
    let bits = &algorithm[2..];
    if algorithm.starts_with(b"HS") {
        let secret = match key {
            JwtKey::Var(name) => text_of(name, ctx)?,
            JwtKey::Literal(secret, _) => Bytes::Ref(secret),
        };
        return Some(i64::from(mac(bits, &secret, signed, &signature)?));
    }
    let public = match key {
        // Files are read at the start only.
        JwtKey::Var(_) | JwtKey::Literal(_, None) => return Some(UNKNOWN_KEY),
        JwtKey::Literal(_, Some(public)) => &**public,
    };
    Some(i64::from(signature_is_right(algorithm, public, signed, &signature)))
}

fn mac(bits: &[u8], secret: &[u8], signed: &[u8], signature: &[u8]) -> Option<bool> {
    fn run<M: Mac + KeyInit>(secret: &[u8], signed: &[u8], signature: &[u8]) -> Option<bool> {
        let mut mac = <M as KeyInit>::new_from_slice(secret).ok()?;
        mac.update(signed);
        Some(mac.verify_slice(signature).is_ok())
    }
    match bits {
        b"256" => run::<hmac::Hmac<sha2::Sha256>>(secret, signed, signature),
        b"384" => run::<hmac::Hmac<sha2::Sha384>>(secret, signed, signature),
        _ => run::<hmac::Hmac<sha2::Sha512>>(secret, signed, signature),
    }
}

/// Asymmetric signatures. A key of another kind than the algorithm's is no match.
fn signature_is_right(algorithm: &[u8], key: &PublicKey, signed: &[u8], signature: &[u8]) -> bool {
    use rsa::sha2::{Digest as _, Sha256, Sha384, Sha512};
    match (key, algorithm) {
        (PublicKey::Rsa(key), b"RS256") => {
            key.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(signed), signature).is_ok()
        }
        (PublicKey::Rsa(key), b"RS384") => {
            key.verify(Pkcs1v15Sign::new::<Sha384>(), &Sha384::digest(signed), signature).is_ok()
        }
        (PublicKey::Rsa(key), b"RS512") => {
            key.verify(Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(signed), signature).is_ok()
        }
        (PublicKey::Rsa(key), b"PS256") => {
            key.verify(Pss::new::<Sha256>(), &Sha256::digest(signed), signature).is_ok()
        }
        (PublicKey::Rsa(key), b"PS384") => {
            key.verify(Pss::new::<Sha384>(), &Sha384::digest(signed), signature).is_ok()
        }
        (PublicKey::Rsa(key), b"PS512") => {
            key.verify(Pss::new::<Sha512>(), &Sha512::digest(signed), signature).is_ok()
        }
        (PublicKey::P256(key), b"ES256") => p256::ecdsa::Signature::from_slice(signature)
            .is_ok_and(|signature| key.verify(signed, &signature).is_ok()),
        (PublicKey::P384(key), b"ES384") => p384::ecdsa::Signature::from_slice(signature)
            .is_ok_and(|signature| key.verify(signed, &signature).is_ok()),
        (PublicKey::P521(key), b"ES512") => p521::ecdsa::Signature::from_slice(signature)
            .is_ok_and(|signature| key.verify(signed, &signature).is_ok()),
        _ => false,
    }
}

/// A public key in PEM (`BEGIN PUBLIC KEY`).
#[must_use]
pub fn public_key(pem: &str) -> Option<PublicKey> {
    use p256::pkcs8::DecodePublicKey as _;
    None.or_else(|| rsa::RsaPublicKey::from_public_key_pem(pem).ok().map(PublicKey::Rsa))
        .or_else(|| p256::ecdsa::VerifyingKey::from_public_key_pem(pem).ok().map(PublicKey::P256))
        .or_else(|| p384::ecdsa::VerifyingKey::from_public_key_pem(pem).ok().map(PublicKey::P384))
        .or_else(|| p521::ecdsa::VerifyingKey::from_public_key_pem(pem).ok().map(PublicKey::P521))
}
