//! The engine's message heads as expressions see them.

use crate::http;
use crate::http::Version;

use super::ctx::{EditHead, Head};

impl Head for http::Head {
    fn method(&self) -> &[u8] {
        self.method()
    }

    fn uri(&self) -> &[u8] {
        self.uri()
    }

    fn version(&self) -> (u8, u8) {
        match self.version() {
            Version::Http09 => (0, 9),
            Version::Http10 => (1, 0),
            Version::Http11 => (1, 1),
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
    }

    fn set_header_value(&mut self, index: usize, value: &[u8]) {
        self.set_value(index, value);
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
