//! Hashes, digests, ciphers and signatures.

use std::sync::Arc;

use super::super::VarName;
use super::Text;

/// Non-cryptographic hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HashKind {
    /// `crc32`.
    Crc32,
    /// `crc32c`.
    Crc32c,
    /// `djb2`.
    Djb2,
    /// `sdbm`.
    Sdbm,
    /// `wt6`.
    Wt6,
}

/// Cryptographic digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DigestKind {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-2, 224 bits.
    Sha224,
    /// SHA-2, 256 bits.
    Sha256,
    /// SHA-2, 384 bits.
    Sha384,
    /// SHA-2, 512 bits.
    Sha512,
}

/// The hashes of the xxHash family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum XxhKind {
    /// 32 bits.
    Xxh32,
    /// 64 bits.
    Xxh64,
    /// XXH3, 64 bits.
    Xxh3,
}

/// Arguments of the AES converters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aes {
    /// Galois/counter mode; else cipher block chaining with PKCS#7 padding.
    pub gcm: bool,
    /// Decrypt.
    pub decrypt: bool,
    /// 128, 192 or 256.
    pub bits: u16,
    /// Nonce or initialisation vector, base64.
    pub nonce: Text,
    /// Key, base64.
    pub key: Text,
    /// Where the tag is (decrypting) or goes (encrypting), base64. GCM only.
    pub tag: Option<Text>,
    /// Additional authenticated data, base64. GCM only.
    pub aad: Option<Text>,
}

/// Signature algorithms of JSON web tokens (RFC 7518 section 3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwtAlgorithm {
    /// `HS256` and the like, written or read from a variable.
    Text(Text),
}

/// The key of `jwt_verify`.
#[derive(Clone)]
pub enum JwtKey {
    /// Shared secret, or the path of a public key known since the start, read when evaluated.
    Var(VarName),
    /// Shared secret as written, and the public key if a file of that name could be read.
    Literal(Box<[u8]>, Option<Arc<PublicKey>>),
}

impl std::fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Secrets do not belong into dumps.
        match self {
            Self::Var(name) => f.debug_tuple("Var").field(name).finish(),
            Self::Literal(_, key) => f.debug_struct("Literal").field("public", &key.is_some()).finish(),
        }
    }
}

/// A public key, parsed.
#[derive(Clone, Debug)]
pub enum PublicKey {
    /// RS* and PS*.
    Rsa(rsa::RsaPublicKey),
    /// ES256.
    P256(p256::ecdsa::VerifyingKey),
    /// ES384.
    P384(p384::ecdsa::VerifyingKey),
    /// ES512.
    P521(p521::ecdsa::VerifyingKey),
}
