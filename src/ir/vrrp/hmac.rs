//! `auth_hmac` of an instance: adverts signed with a shared secret.

use std::time::Duration;

/// When adverts carry a signature and when they must.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HmacMode {
    /// `enforce`: sent, and required.
    #[default]
    Enforce,
    /// `permissive`: sent; adverts without one are taken too.
    Permissive,
    /// `receive-only`: not sent; adverts without one are taken too.
    ReceiveOnly,
}

/// `key ID VALUE`.
#[derive(Clone, PartialEq, Eq)]
pub struct HmacKey {
    /// 1 to 255.
    pub id: u8,
    /// 32 to 64 bytes.
    pub secret: Vec<u8>,
}

impl std::fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HmacKey({}, ********)", self.id)
    }
}

/// `auth_hmac { ... }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthHmac {
    /// All that are accepted.
    pub keys: Vec<HmacKey>,
    /// `active_key`: the one to sign with; there is one of this number.
    pub active: u8,
    /// `mode`.
    pub mode: HmacMode,
    /// `anti_replay time` with its `time_window`: how far the sender's clock may be from ours. `None`: `monotonic`,
    /// sequences only have to grow.
    pub window: Option<Duration>,
}

impl AuthHmac {
    /// Do our own adverts carry a signature?
    #[must_use]
    pub fn signs(&self) -> bool {
        self.mode != HmacMode::ReceiveOnly
    }

    /// The key of this number.
    #[must_use]
    pub fn key(&self, id: u8) -> Option<&HmacKey> {
        self.keys.iter().find(|key| key.id == id)
    }
}
