//! `aes_gcm_*` and `aes_cbc_*`.

use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::aead::{Aead as _, KeyInit, Payload};
use aes_gcm::{AesGcm, aes::Aes128, aes::Aes192, aes::Aes256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit};

use crate::ir::expr::{Aes, Text, Value};

use super::super::ctx::Ctx;
use super::super::sample::{Bytes, Sample};
use super::literal;

/// Bytes of GCM's tag.
const TAG: usize = 16;

pub(super) fn apply<'a>(aes: &Aes, input: &[u8], ctx: &Ctx<'a>) -> Option<Sample<'a>> {
    let decoded = |text: &Text| STANDARD.decode(&*literal(text, ctx)?).ok();
    let (nonce, key) = (decoded(&aes.nonce)?, decoded(&aes.key)?);
    if key.len() * 8 != usize::from(aes.bits) {
        return None;
    }
    if !aes.gcm {
        return cipher_block_chaining(aes, &key, &nonce, input).map(bytes);
    }
    let aad = match &aes.aad {
        Some(aad) => decoded(aad)?,
        None => Vec::new(),
    };
    if aes.decrypt {
        let tag = decoded(aes.tag.as_ref()?)?;
        let sealed = [input, &tag].concat();
        return gcm(aes, &key, &nonce, &Payload { msg: &sealed, aad: &aad }).map(bytes);
    }
    let mut sealed = gcm(aes, &key, &nonce, &Payload { msg: input, aad: &aad })?;
    let tag = sealed.split_off(sealed.len().checked_sub(TAG)?);
    if let Some(Text::Var(name)) = &aes.tag {
        ctx.vars.defer(name, Some(Value::Str(STANDARD.encode(tag).into_bytes().into())));
    }
    Some(bytes(sealed))
}

fn bytes<'a>(vec: Vec<u8>) -> Sample<'a> {
    Sample::Bin(Bytes::Own(vec.into()))
}

fn gcm(aes: &Aes, key: &[u8], nonce: &[u8], payload: &Payload<'_, '_>) -> Option<Vec<u8>> {
    macro_rules! run {
        ($cipher:ty, $size:ty) => {{
            let cipher = AesGcm::<$cipher, $size>::new_from_slice(key).ok()?;
            let nonce = nonce.try_into().ok()?;
            let payload = Payload { msg: payload.msg, aad: payload.aad };
            if aes.decrypt {
                cipher.decrypt(nonce, payload).ok()
            } else {
                cipher.encrypt(nonce, payload).ok()
            }
        }};
    }
    // The usual length of a nonce, and a whole block.
    match (aes.bits, nonce.len()) {
        (128, 12) => run!(Aes128, U12),
        (192, 12) => run!(Aes192, U12),
        (256, 12) => run!(Aes256, U12),
        (128, 16) => run!(Aes128, U16),
        (192, 16) => run!(Aes192, U16),
        (256, 16) => run!(Aes256, U16),
        _ => None,
    }
}

fn cipher_block_chaining(aes: &Aes, key: &[u8], nonce: &[u8], input: &[u8]) -> Option<Vec<u8>> {
    // A short vector is filled up with zeroes.
    let mut iv = [0u8; 16];
    let len = nonce.len().min(iv.len());
    iv[..len].copy_from_slice(&nonce[..len]);
    macro_rules! run {
        ($cipher:ty) => {
            if aes.decrypt {
                let cipher = cbc::Decryptor::<$cipher>::new_from_slices(key, &iv).ok()?;
                cipher.decrypt_padded_vec::<Pkcs7>(input).ok()
            } else {
                let cipher = cbc::Encryptor::<$cipher>::new_from_slices(key, &iv).ok()?;
                Some(cipher.encrypt_padded_vec::<Pkcs7>(input))
            }
        };
    }
    match aes.bits {
        128 => run!(Aes128),
        192 => run!(Aes192),
        256 => run!(Aes256),
        _ => None,
    }
}
