//! Spellings of header names for peers that take one only (`h1-case-adjust`).

use crate::ir::Spellings;

/// Respell the header names of a written head.
pub fn respell(head: &mut [u8], spellings: &Spellings) {
    let mut at = memchr::memchr(b'\n', head).map_or(head.len(), |lf| lf + 1);
    while at < head.len() {
        let line = &mut head[at..];
        let end = memchr::memchr(b'\n', line).map_or(line.len(), |lf| lf + 1);
        if let Some(colon) = memchr::memchr(b':', &line[..end])
            && let Some(spelling) = spellings.get(&line[..colon])
        {
            line[..colon].copy_from_slice(spelling);
        }
        at += end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_respelled_and_nothing_else() {
        let spellings: Spellings = [(b"host"[..].into(), b"HOST"[..].into())].into();
        let mut head = b"GET host: HTTP/1.1\r\nhost: host: a\r\nx-host: b\r\n\r\n".to_vec();
        respell(&mut head, &spellings);
        assert_eq!(head, b"GET host: HTTP/1.1\r\nHOST: host: a\r\nx-host: b\r\n\r\n");
    }
}
