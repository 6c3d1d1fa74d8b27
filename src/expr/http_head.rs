//! The engine's message heads as expressions see them.

use crate::http;

use super::ctx::{EditHead, Head};

impl Head for http::Head {
    fn method(&self) -> &[u8] {
        self.method()
    }

    fn uri(&self) -> &[u8] {
        self.uri()
    }

    fn version(&self) -> (u8, u8) {
        match *self.version_text() {
            [b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9'] => {
                (major - b'0', minor - b'0')
            }
            _ => (0, 0),
        }
    }

    fn status(&self) -> u16 {
        self.status()
    }

    fn reason(&self) -> &[u8] {
        self.reason()
    }

    fn header_count(&self) -> usize {
        self.len()
    }

    fn header(&self, index: usize) -> (&[u8], &[u8]) {
        self.header(index)
    }

    fn find(&self, name: &[u8], from: usize) -> Option<usize> {
        self.find(name, from)
    }
}

impl EditHead for http::Head {
    fn push_header(&mut self, name: &[u8], value: &[u8]) {
        self.add(name, value);
        if name.eq_ignore_ascii_case(b"host") {
            self.set_target_host(value);
        }
    }

    fn set_header_value(&mut self, index: usize, value: &[u8]) {
        self.set_value(index, value);
        if self.header(index).0 == b"host" {
            self.set_target_host(value);
        }
    }

    fn remove_header(&mut self, index: usize) {
        self.remove_at(index);
    }

    fn set_method(&mut self, method: &[u8]) {
        self.set_method(method);
    }

    fn set_uri(&mut self, uri: &[u8]) {
        self.set_uri(uri);
    }

    fn set_status(&mut self, status: u16, reason: Option<&str>) {
        let reason = reason.map_or_else(|| http::error_page::reason(status).as_bytes(), str::as_bytes);
        self.set_status(status, Some(reason));
    }
}
