//! Passwords of user lists, kept as crypt(3) writes them.

/// Is `password` the one behind `hash` (`$1$`, `$5$`, `$6$`, `$2b$`, traditional DES)?
pub(super) fn verify(password: &[u8], hash: &str) -> bool {
    pwhash::unix::verify(password, hash)
}
