//! Encodings, hashes and digests.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use smallvec::SmallVec;

use crate::balance::hash;
use crate::ir::expr::{Conv, DigestKind, HashKind, XxhKind};

use super::super::ctx::Ctx;
use super::super::sample::{Bytes, Sample, push_display, push_hex};
use super::literal;

/// The URL alphabet, with or without padding.
const URL_LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

pub(super) fn apply<'a>(conv: &'a Conv, sample: Sample<'a>, ctx: &Ctx<'a>) -> Option<Sample<'a>> {
    let mut out: SmallVec<[u8; 64]> = SmallVec::new();
    match conv {
        Conv::Hex => push_hex(&mut out, &sample.into_bin()),
        Conv::HexToInt => {
            let text = sample.into_text();
            let digits = text.iter().map(|b| char::from(*b).to_digit(16));
            let value = digits.into_iter().try_fold(0i64, |n, d| Some(n.wrapping_shl(4) + i64::from(d?)))?;
            return Some(Sample::Int(value));
        }
        Conv::Base64 => out.extend_from_slice(STANDARD.encode(&*sample.into_bin()).as_bytes()),
        Conv::UrlBase64 => out.extend_from_slice(URL_SAFE_NO_PAD.encode(&*sample.into_bin()).as_bytes()),
        Conv::Base64Dec => {
            let bytes = STANDARD.decode(&*sample.into_text()).ok()?;
            return Some(Sample::Bin(Bytes::Own(bytes.into())));
        }
        Conv::UrlBase64Dec => {
            let bytes = URL_LENIENT.decode(&*sample.into_text()).ok()?;
            return Some(Sample::Bin(Bytes::Own(bytes.into())));
        }
        Conv::UrlDec { in_form } => return url_decode(sample.into_text(), *in_form).map(Sample::Str),
        Conv::UrlEnc => url_encode(&sample.into_text(), &mut out),
        Conv::Hash(kind, avalanche) => {
            let value = hash32(*kind, &sample.into_bin());
            return Some(Sample::Int(if *avalanche { hash::avalanche(value) } else { value }.into()));
        }
        Conv::Digest(kind) => {
            digest(*kind, &sample.into_bin(), &mut out);
            return Some(Sample::Bin(Bytes::Own(out)));
        }
        Conv::Hmac(kind, key) => {
            let key = STANDARD.decode(&*literal(key, ctx)?).ok()?;
            hmac(*kind, &key, &sample.into_bin(), &mut out)?;
            return Some(Sample::Bin(Bytes::Own(out)));
        }
        Conv::Be2Dec(separator, chunk, truncate) => {
            chunks(&sample.into_bin(), separator, *chunk, *truncate, &mut out, |out, bytes| {
                push_display(out, bytes.iter().fold(0u64, |n, b| (n << 8) | u64::from(*b)));
            });
        }
        Conv::Be2Hex(separator, chunk, truncate) => {
            let bytes = sample.into_bin();
            let chunk = if separator.is_empty() && !truncate { bytes.len().max(1) } else { *chunk };
            chunks(&bytes, separator, chunk, *truncate, &mut out, push_hex);
        }
        Conv::Le2Dec(separator, chunk, truncate) => {
            chunks(&sample.into_bin(), separator, *chunk, *truncate, &mut out, |out, bytes| {
                push_display(out, bytes.iter().rev().fold(0u64, |n, b| (n << 8) | u64::from(*b)));
            });
        }
        Conv::Base2 => sample.into_bin().iter().for_each(|b| push_display(&mut out, format_args!("{b:08b}"))),
        Conv::HasCtl(mask) => {
            let is_control = |b: &u8| match b {
                0..=31 => mask >> b & 1 != 0,
                0x7f => mask >> 32 & 1 != 0,
                _ => false,
            };
            return Some(Sample::Bool(sample.into_bin().iter().any(is_control)));
        }
        Conv::Xxh(kind, seed) => {
            let bytes = sample.into_bin();
            #[allow(clippy::cast_possible_truncation, reason = "this seed has 32 bits")]
            let value = match kind {
                XxhKind::Xxh32 => xxhash_rust::xxh32::xxh32(&bytes, *seed as u32).into(),
                XxhKind::Xxh64 => xxhash_rust::xxh64::xxh64(&bytes, *seed),
                XxhKind::Xxh3 => xxhash_rust::xxh3::xxh3_64_with_seed(&bytes, *seed),
            };
            return Some(Sample::Int(value.cast_signed()));
        }
        Conv::Htonl => {
            let n = sample.as_int()?;
            // The low 32 bits in network order.
            #[allow(
                clippy::cast_sign_loss,
                clippy::cast_possible_truncation,
                reason = "the low bits are meant"
            )]
            return Some(Sample::Bin(Bytes::copy(&(n as u32).to_be_bytes())));
        }
        _ => return None,
    }
    Some(Sample::Str(Bytes::Own(out)))
}

fn chunks(
    bytes: &[u8],
    separator: &[u8],
    chunk: usize,
    truncate: bool,
    out: &mut SmallVec<[u8; 64]>,
    write: impl Fn(&mut SmallVec<[u8; 64]>, &[u8]),
) {
    for (i, part) in bytes.chunks(chunk.max(1)).enumerate() {
        if truncate && part.len() < chunk {
            break;
        }
        if i > 0 {
            out.extend_from_slice(separator);
        }
        write(out, part);
    }
}

/// `%HH` becomes its byte, and `+` a space in a query or form. Nothing if a `%` is not followed by two digits.
fn url_decode(text: Bytes<'_>, in_form: bool) -> Option<Bytes<'_>> {
    if !text.iter().any(|b| matches!(b, b'%' | b'+')) {
        return Some(text);
    }
    let mut out = SmallVec::with_capacity(text.len());
    let mut in_form = in_form;
    let mut rest = text.iter().copied();
    while let Some(b) = rest.next() {
        match b {
            b'+' if in_form => out.push(b' '),
            b'%' => {
                let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
                let (high, low) = (digit()?, digit()?);
                out.push(u8::try_from(high * 16 + low).ok()?);
            }
            b => {
                in_form |= b == b'?';
                out.push(b);
            }
        }
    }
    Some(Bytes::Own(out))
}

/// Everything but the unreserved characters of RFC 3986 section 2.3 becomes `%HH`.
fn url_encode(text: &[u8], out: &mut SmallVec<[u8; 64]>) {
    for b in text {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~') {
            out.push(*b);
        } else {
            out.push(b'%');
            push_hex(out, &[*b]);
        }
    }
}

fn hash32(kind: HashKind, bytes: &[u8]) -> u32 {
    match kind {
        HashKind::Crc32 => hash::crc32(bytes),
        HashKind::Djb2 => hash::djb2(bytes),
        HashKind::Sdbm => hash::sdbm(bytes),
        HashKind::Wt6 => hash::wt6(bytes),
        HashKind::Crc32c => crc32c(bytes),
    }
}

/// CRC-32 with Castagnoli's polynomial (RFC 9260 appendix A).
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, b| {
        (0..8).fold(crc ^ u32::from(*b), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg()))
    })
}

fn digest(kind: DigestKind, bytes: &[u8], out: &mut SmallVec<[u8; 64]>) {
    match kind {
        DigestKind::Md5 => out.extend_from_slice(&Md5::digest(bytes)),
        DigestKind::Sha1 => out.extend_from_slice(&Sha1::digest(bytes)),
        DigestKind::Sha224 => out.extend_from_slice(&Sha224::digest(bytes)),
        DigestKind::Sha256 => out.extend_from_slice(&Sha256::digest(bytes)),
        DigestKind::Sha384 => out.extend_from_slice(&Sha384::digest(bytes)),
        DigestKind::Sha512 => out.extend_from_slice(&Sha512::digest(bytes)),
    }
}

fn hmac(kind: DigestKind, key: &[u8], bytes: &[u8], out: &mut SmallVec<[u8; 64]>) -> Option<()> {
    fn run<M: Mac + KeyInit>(key: &[u8], bytes: &[u8], out: &mut SmallVec<[u8; 64]>) -> Option<()> {
        let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
        mac.update(bytes);
        out.extend_from_slice(&mac.finalize().into_bytes());
        Some(())
    }
    match kind {
        DigestKind::Md5 => run::<hmac::Hmac<Md5>>(key, bytes, out),
        DigestKind::Sha1 => run::<hmac::Hmac<Sha1>>(key, bytes, out),
        DigestKind::Sha224 => run::<hmac::Hmac<Sha224>>(key, bytes, out),
        DigestKind::Sha256 => run::<hmac::Hmac<Sha256>>(key, bytes, out),
        DigestKind::Sha384 => run::<hmac::Hmac<Sha384>>(key, bytes, out),
        DigestKind::Sha512 => run::<hmac::Hmac<Sha512>>(key, bytes, out),
    }
}
