//! After the rules: what a head says of its body and of this hop is made true again.
//!
//! Rules may write any header, those that delimit a message among them. A length that is not the body's, or none at all,
//! would let the next hop see another message than this one: the rest of the body would be its next request. As in
//! HAProxy, whose connections write these headers anew, the body that is there decides.

use super::body::Body;
use super::head::Head;
use super::request::{self, connection};
use super::response;
use super::token::decimal;

/// What had to be mended beyond the head itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mended {
    /// The connection ends with this message: a rule says so, or the message cannot be told to end otherwise.
    pub close: bool,
    /// The head promises less than the body has, or nothing that makes sense. Nothing of the body may follow it.
    pub broken: bool,
    /// The head of a request promises more than its body has. It goes out as it is, and no other may follow it there.
    pub short: bool,
}

/// What the headers that delimit a message say.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    connection: bool,
    coding: bool,
    lengths: usize,
    length: Option<u64>,
}

impl Said {
    fn of(head: &Head) -> Self {
        let mut said = Self::default();
        for (name, value) in head.headers() {
            match name {
                b"connection" => said.connection = true,
                b"transfer-encoding" => said.coding = true,
                b"content-length" => {
                    let length = decimal(value);
                    said.length = if said.lengths == 0 || said.length == length { length } else { None };
                    said.lengths += 1;
                }
                _ => {}
            }
        }
        said
    }
}

/// One coding and no other: what goes out is in chunks, and nobody may take it for something else.
fn chunked(head: &mut Head, said: Said) {
    if !said.coding {
        head.add(b"transfer-encoding", b"chunked");
        return;
    }
    let mut is_said = false;
    head.edit(b"transfer-encoding", true, |value| match std::mem::replace(&mut is_said, true) {
        false => (value != b"chunked").then(|| b"chunked".to_vec()),
        true => Some(Vec::new()),
    });
}

/// A request whose body is the one of `facts`.
pub fn request(head: &mut Head, facts: &request::Facts) -> Mended {
    let said = Said::of(head);
    let mut mended = Mended::default();
    if said.connection && !facts.upgrade {
        mended.close = connection(head).close;
    }
    match facts.body {
        Body::Chunked => {
            head.remove(b"content-length");
            chunked(head, said);
        }
        Body::Length(n) if n > 0 => {
            head.remove(b"transfer-encoding");
            match said.length {
                None if said.lengths == 0 => head.add(b"content-length", n.to_string().as_bytes()),
                // Each line says the same.
                Some(length) if length >= n => {
                    if said.lengths > 1 {
                        head.remove(b"content-length");
                        head.add(b"content-length", length.to_string().as_bytes());
                    }
                    mended.short = length > n;
                }
                _ => mended.broken = true,
            }
        }
        // Without a body: nothing may promise one.
        _ => {
            if said.coding {
                head.remove(b"transfer-encoding");
            }
            if said.lengths > 1 || said.lengths == 1 && said.length != Some(0) {
                head.remove(b"content-length");
            }
        }
    }
    mended
}

/// A response whose body is the one of `facts`.
pub fn response(head: &mut Head, facts: &response::Facts) -> Mended {
    let said = Said::of(head);
    let mut mended = Mended::default();
    if said.connection {
        mended.close = connection(head).close;
    }
    if head.status() < 200 {
        // Behind it another response would be expected.
        (mended.close, mended.broken) = (true, true);
    }
    match facts.body {
        Body::Chunked => {
            if said.lengths > 0 {
                head.remove(b"content-length");
            }
            chunked(head, said);
        }
        body => {
            if said.coding && !facts.chunked {
                head.remove(b"transfer-encoding");
            }
            if let Body::Length(n) = body {
                match said.lengths {
                    // Its end is that of the connection.
                    0 => mended.close = true,
                    1 if said.length == Some(n) => {}
                    1 if said.length.is_some_and(|said| said > n) => mended.close = true,
                    _ => (mended.close, mended.broken) = (true, true),
                }
            }
        }
    }
    mended
}

#[cfg(test)]
mod tests {
    use super::super::head::Version;
    use super::*;

    fn lines(head: &Head) -> String {
        head.headers().map(|(n, v)| format!("{}: {}\n", n.escape_ascii(), v.escape_ascii())).collect()
    }

    /// The head that is left, and what the connection is told.
    fn asked(body: Body, fields: &[(&str, &str)]) -> (String, Mended) {
        let mut head = Head::request(b"POST", b"/", Version::Http11);
        fields.iter().for_each(|(name, value)| head.add(name.as_bytes(), value.as_bytes()));
        let mended = request(&mut head, &request::Facts { body, ..request::Facts::default() });
        (lines(&head), mended)
    }

    fn answered(body: Body, status: u16, fields: &[(&str, &str)]) -> (String, Mended) {
        let mut head = Head::response(status, b"");
        fields.iter().for_each(|(name, value)| head.add(name.as_bytes(), value.as_bytes()));
        let mended = response(&mut head, &response::Facts { body, ..response::Facts::default() });
        (lines(&head), mended)
    }

    const FINE: Mended = Mended { close: false, broken: false, short: false };
    const CLOSES: Mended = Mended { close: true, ..FINE };
    const BROKEN: Mended = Mended { broken: true, ..FINE };
    const SHORT: Mended = Mended { short: true, ..FINE };

    #[test]
    fn the_body_decides_what_a_request_says_of_it() {
        let length = |n: &str| format!("content-length: {n}\n");
        for (body, fields, expected) in [
            (Body::Length(5), &[("content-length", "5")][..], (length("5"), FINE)),
            (Body::Length(5), &[], (length("5"), FINE)),
            (Body::Length(5), &[("content-length", "2")], (length("2"), BROKEN)),
            (
                Body::Length(5),
                &[("content-length", "5"), ("transfer-encoding", "chunked")],
                (length("5"), FINE),
            ),
            (Body::Length(5), &[("content-length", "9")], (length("9"), SHORT)),
            (Body::Length(5), &[("content-length", "x")], (length("x"), BROKEN)),
            (Body::Length(5), &[("content-length", "5"), ("content-length", "5")], (length("5"), FINE)),
            (
                Body::Length(5),
                &[("content-length", "5"), ("content-length", "6")],
                (length("5") + &length("6"), BROKEN),
            ),
            (Body::Length(0), &[("content-length", "0")], (length("0"), FINE)),
            (Body::Length(0), &[("content-length", "9")], (String::new(), FINE)),
            (Body::None, &[("content-length", "2")], (String::new(), FINE)),
            (Body::None, &[("transfer-encoding", "chunked")], (String::new(), FINE)),
            (Body::Chunked, &[("content-length", "3")], ("transfer-encoding: chunked\n".into(), FINE)),
            (
                Body::Chunked,
                &[("transfer-encoding", "gzip"), ("x-a", "1"), ("transfer-encoding", "chunked")],
                ("transfer-encoding: chunked\nx-a: 1\n".into(), FINE),
            ),
            (Body::None, &[("connection", "x-a, Close")], ("connection: x-a\n".into(), CLOSES)),
            (Body::None, &[("connection", "keep-alive")], (String::new(), FINE)),
        ] {
            assert_eq!(asked(body, fields), expected, "{body:?} {fields:?}");
        }
    }

    #[test]
    fn the_body_decides_what_a_response_says_of_it() {
        let length = |n: &str| format!("content-length: {n}\n");
        let both = Mended { close: true, broken: true, ..FINE };
        for (body, status, fields, expected) in [
            (Body::Length(3), 200, &[("content-length", "3")][..], (length("3"), FINE)),
            (Body::Length(3), 200, &[], (String::new(), CLOSES)),
            (Body::Length(3), 200, &[("content-length", "9")], (length("9"), CLOSES)),
            (Body::Length(3), 200, &[("content-length", "2")], (length("2"), both)),
            (
                Body::Length(3),
                200,
                &[("content-length", "3"), ("transfer-encoding", "chunked")],
                (length("3"), FINE),
            ),
            (Body::Chunked, 200, &[], ("transfer-encoding: chunked\n".into(), FINE)),
            (
                Body::Chunked,
                200,
                &[("transfer-encoding", "gzip")],
                ("transfer-encoding: chunked\n".into(), FINE),
            ),
            (Body::UntilClose, 200, &[("transfer-encoding", "chunked")], (String::new(), FINE)),
            (Body::Length(3), 100, &[("content-length", "3")], (length("3"), both)),
            (Body::None, 304, &[("content-length", "3")], (length("3"), FINE)),
            (Body::None, 200, &[("connection", "close")], (String::new(), CLOSES)),
        ] {
            assert_eq!(answered(body, status, fields), expected, "{body:?} {status} {fields:?}");
        }
    }
}
