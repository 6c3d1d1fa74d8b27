//! The parts of a request's target, read and replaced.

use super::Head;

impl Head {
    /// The target's path, without scheme, authority, query. `None` for `*` and `host:port`.
    #[must_use]
    pub fn path(&self) -> Option<&[u8]> {
        let path = self.path_and_query()?;
        Some(&path[..memchr::memchr2(b'?', b'#', path).unwrap_or(path.len())])
    }

    /// Path with the query string (`pathq`).
    #[must_use]
    pub fn path_and_query(&self) -> Option<&[u8]> {
        let uri = self.uri();
        if uri.first() == Some(&b'/') {
            return Some(uri);
        }
        let authority = memchr::memmem::find(uri, b"://")? + 3;
        let slash = memchr::memchr3(b'/', b'?', b'#', &uri[authority..])?;
        Some(&uri[authority + slash..])
    }

    /// What follows `?` in the target.
    #[must_use]
    pub fn query(&self) -> Option<&[u8]> {
        let uri = self.uri();
        Some(&uri[memchr::memchr(b'?', uri)? + 1..])
    }

    /// Authority of an absolute target or of CONNECT, user information included.
    #[must_use]
    pub fn authority(&self) -> Option<&[u8]> {
        let uri = self.uri();
        if self.method() == b"CONNECT" {
            return Some(uri);
        }
        if uri.first() == Some(&b'/') {
            return None;
        }
        let start = memchr::memmem::find(uri, b"://")? + 3;
        let rest = &uri[start..];
        Some(&rest[..memchr::memchr3(b'/', b'?', b'#', rest).unwrap_or(rest.len())])
    }

    /// A target that names a host names this one from now on, for the same user.
    pub fn set_target_host(&mut self, host: &[u8]) {
        let Some(authority) = self.authority().filter(|_| !self.response) else { return };
        let user = authority.iter().rposition(|c| *c == b'@').map_or(0, |at| at + 1);
        let name = &authority[user..];
        if name.is_empty() || name == host {
            return;
        }
        let uri = self.uri();
        let start =
            memchr::memmem::find(uri, b"://").filter(|_| authority.len() < uri.len()).map_or(0, |at| at + 3);
        let (before, after) = (&uri[..start + user], &uri[start + authority.len()..]);
        let new = [before, host, after].concat();
        self.set_uri(&new);
    }

    /// Replace the path; scheme, authority and query stay.
    pub fn set_path(&mut self, path: &[u8]) {
        self.replace_in_uri(path, false);
    }

    /// Replace path and query; scheme and authority stay.
    pub fn set_path_and_query(&mut self, path: &[u8]) {
        self.replace_in_uri(path, true);
    }

    fn replace_in_uri(&mut self, path: &[u8], with_query: bool) {
        let uri = self.uri();
        let Some(old) = self.path_and_query() else {
            if self.authority().is_some() {
                let new = [uri, path].concat();
                self.set_uri(&new);
            } else {
                self.set_uri(path);
            }
            return;
        };
        let before = &uri[..uri.len() - old.len()];
        let tail: &[u8] = if with_query { b"" } else { &old[self.path().map_or(0, <[u8]>::len)..] };
        let new = [before, path, tail].concat();
        self.set_uri(&new);
    }

    /// Replace the query string; empty removes it with its `?`.
    pub fn set_query(&mut self, query: &[u8]) {
        let uri = self.uri();
        let base = &uri[..memchr::memchr(b'?', uri).unwrap_or(uri.len())];
        let new = if query.is_empty() { base.to_vec() } else { [base, b"?", query].concat() };
        self.set_uri(&new);
    }
}
