//! `userlist` sections.

/// One `userlist`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Userlist {
    /// Section name.
    pub name: String,
    /// `user` lines.
    pub users: Vec<User>,
    /// Names of its `group` lines.
    pub groups: Vec<String>,
}

/// One `user`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Name.
    pub name: String,
    /// `password HASH` (crypt) or `insecure-password TEXT`.
    pub password: Password,
    /// Groups it belongs to, from either spelling.
    pub groups: Vec<String>,
}

/// How a password is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// In clear.
    Clear(String),
    /// A crypt(3) hash.
    Crypt(String),
}
