//! The head of a message: one buffer, an index of slices, edits.

use super::token;

/// Protocol version of a message as it is forwarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// `HTTP/1.0` and whatever is older or of another name: written back as received.
    Http10,
    /// `HTTP/1.1` and whatever claims to be newer.
    #[default]
    Http11,
}

impl Version {
    /// As it stands in a start line.
    #[must_use]
    pub fn as_bytes(self) -> &'static [u8] {
        match self {
            Version::Http10 => b"HTTP/1.0",
            Version::Http11 => b"HTTP/1.1",
        }
    }
}

/// A slice of [`Head`]'s buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) at: u32,
    pub(super) len: u32,
}

impl Span {
    fn of(self, buf: &[u8]) -> &[u8] {
        &buf[self.at as usize..(self.at + self.len) as usize]
    }
}

/// A header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: Span,
    pub(super) value: Span,
}

impl Field {
    /// Does it lie in the buffer as the whole line it was kept as? A value that was set since lies behind all lines.
    fn is_line(&self) -> bool {
        self.value.at == self.name.at + self.name.len + 2
    }
}

/// Start line and headers of a request or a response.
///
/// Names are lower case. Edits append bytes behind the received ones and re-point the index, so nothing is
/// moved; a head that goes back to its pool keeps its capacity.
#[derive(Clone, Debug, Default)]
pub struct Head {
    pub(super) buf: Vec<u8>,
    pub(super) response: bool,
    pub(super) version: Version,
    /// The version as it was received.
    pub(super) spelled: Span,
    /// Method or reason.
    pub(super) word: Span,
    /// Request target or status digits.
    pub(super) target: Span,
    pub(super) status: u16,
    pub(super) fields: Vec<Field>,
    /// Bytes of the message as it came.
    received: u32,
}

impl Head {
    /// An empty request line and no header.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A request of the proxy's own (tests, checks).
    #[must_use]
    pub fn request(method: &[u8], uri: &[u8], version: Version) -> Self {
        let mut head = Self { version, ..Self::default() };
        head.set_method(method);
        head.set_uri(uri);
        head
    }

    /// A response of the proxy's own.
    #[must_use]
    pub fn response(status: u16, reason: &[u8]) -> Self {
        let mut head = Self { response: true, ..Self::default() };
        head.set_status(status, Some(reason));
        head
    }

    /// Forget everything but the memory.
    pub fn clear(&mut self) {
        self.buf.clear();
        self.fields.clear();
        self.response = false;
        self.version = Version::Http11;
        self.spelled = Span::default();
        self.word = Span::default();
        self.target = Span::default();
        self.status = 0;
        self.received = 0;
    }

    /// Bytes of memory that it holds.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.buf.capacity() + self.fields.capacity() * size_of::<Field>()
    }

    /// The head is as it was received: from here on it grows.
    pub fn settle(&mut self) {
        self.received = self.buf.len() as u32;
    }

    /// Bytes that it had when it was received.
    #[must_use]
    pub fn received(&self) -> usize {
        self.received as usize
    }

    /// Bytes that it has now, at most: those of lines that are gone count too.
    #[must_use]
    pub fn held(&self) -> usize {
        self.buf.len()
    }

    /// Bytes that it has now, counted as in [`received`](Self::received).
    #[must_use]
    pub fn size(&self) -> usize {
        let lines = self.fields.iter().map(|f| f.name.len as usize + f.value.len as usize + 4);
        self.word.len as usize + self.target.len as usize + lines.sum::<usize>()
    }

    /// What it takes in HAProxy's buffer, whose size `tune.bufsize` and `tune.maxrewrite` are about: a fixed part, the
    /// words of the first line, and eight bytes with every header.
    #[must_use]
    pub fn weight(&self) -> usize {
        // What `size` leaves out.
        const LINES: usize = "  \r\n\r\n".len();
        self.size() + LINES + self.version_text().len() + self.overhead()
    }

    /// What the form adds to the bytes of a head as it comes.
    #[must_use]
    pub fn overhead(&self) -> usize {
        // Eight bytes for each header instead of a colon, a blank and the end of the line.
        79 + 4 * self.fields.len()
    }

    /// Would HAProxy's form of the message be longer than `limit` bytes?
    #[must_use]
    pub fn is_beyond(&self, limit: usize) -> bool {
        // What few heads are near is not counted for the others.
        self.buf.len() + self.overhead() + 32 >= limit && self.weight() > limit
    }

    /// Lines that are not about the message's own framing and hop: of those, some may go again.
    #[must_use]
    pub(super) fn lasting(&self) -> usize {
        let passing: [&[u8]; 5] =
            [b"connection", b"content-length", b"transfer-encoding", b"upgrade", b"host"];
        self.headers().filter(|(name, _)| !passing.contains(name)).count()
    }

    /// Is this a response?
    #[must_use]
    pub fn is_response(&self) -> bool {
        self.response
    }

    /// What the version amounts to.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Version as it was received (`HTTP/1.2`), for logs and rules.
    #[must_use]
    pub fn version_text(&self) -> &[u8] {
        if self.spelled.len == 0 { self.version.as_bytes() } else { self.spelled.of(&self.buf) }
    }

    /// Version as it is written: newer ones are not promised to others.
    fn version_out(&self) -> &[u8] {
        if self.version == Version::Http11 { self.version.as_bytes() } else { self.version_text() }
    }

    /// Request method; empty for a response.
    #[must_use]
    pub fn method(&self) -> &[u8] {
        if self.response { b"" } else { self.word.of(&self.buf) }
    }

    /// Request target as it stands in the request line; empty for a response.
    #[must_use]
    pub fn uri(&self) -> &[u8] {
        if self.response { b"" } else { self.target.of(&self.buf) }
    }

    /// Status of a response, 0 for a request.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Reason phrase of a response.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        if self.response { self.word.of(&self.buf) } else { b"" }
    }

    /// Replace the method.
    pub fn set_method(&mut self, method: &[u8]) {
        self.word = self.keep(method);
    }

    /// Replace the whole target.
    pub fn set_uri(&mut self, uri: &[u8]) {
        self.target = self.keep(uri);
    }

    /// Replace status and, if given, reason.
    pub fn set_status(&mut self, status: u16, reason: Option<&[u8]>) {
        self.status = status;
        let digits =
            [b'0' + (status / 100 % 10) as u8, b'0' + (status / 10 % 10) as u8, b'0' + (status % 10) as u8];
        self.target = self.keep(&digits);
        if let Some(reason) = reason {
            self.word = self.keep(reason);
        }
    }

    /// All headers in order.
    pub fn headers(&self) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> + ExactSizeIterator {
        self.fields.iter().map(|f| (f.name.of(&self.buf), f.value.of(&self.buf)))
    }

    /// Name and value of the header at `index`.
    #[must_use]
    pub fn header(&self, index: usize) -> (&[u8], &[u8]) {
        let f = self.fields[index];
        (f.name.of(&self.buf), f.value.of(&self.buf))
    }

    /// First header at or behind `from` called `name` (lower case).
    #[must_use]
    pub fn find(&self, name: &[u8], from: usize) -> Option<usize> {
        let rest = self.fields.get(from..)?;
        rest.iter().position(|f| self.is_named(f, name)).map(|i| from + i)
    }

    fn is_named(&self, field: &Field, name: &[u8]) -> bool {
        field.name.len as usize == name.len() && field.name.of(&self.buf) == name
    }

    /// Whole values of the headers called `name` (lower case).
    pub fn values<'a>(&'a self, name: &'a [u8]) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        self.fields.iter().filter(move |f| self.is_named(f, name)).map(|f| f.value.of(&self.buf))
    }

    /// First header called `name` (lower case).
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.find(name, 0).map(|i| self.header(i).1)
    }

    /// Number of headers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Is there no header?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Add a header behind the others.
    pub fn add(&mut self, name: &[u8], value: &[u8]) {
        let field = self.keep_field(name, value);
        self.fields.push(field);
    }

    /// Remove every header called `name` (lower case) and add one.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        self.remove(name);
        self.add(name, value);
    }

    /// Remove every header called `name` (lower case); how many there were.
    pub fn remove(&mut self, name: &[u8]) -> usize {
        self.remove_if(|n, _| n == name)
    }

    /// Remove the header at `index`; the following ones move up.
    pub fn remove_at(&mut self, index: usize) {
        self.fields.remove(index);
    }

    /// Replace the value of the header at `index`.
    pub fn set_value(&mut self, index: usize, value: &[u8]) {
        self.fields[index].value = self.keep(value);
    }

    /// Remove the headers for which `pred(name, value)` holds; how many there were.
    pub fn remove_if(&mut self, mut pred: impl FnMut(&[u8], &[u8]) -> bool) -> usize {
        let before = self.fields.len();
        let buf = &self.buf;
        self.fields.retain(|f| !pred(f.name.of(buf), f.value.of(buf)));
        before - self.fields.len()
    }

    /// Give each header called `name` (lower case) the value `edit` returns. `None` leaves it; an empty one
    /// removes the header if `drop_empty`.
    pub fn edit(&mut self, name: &[u8], drop_empty: bool, mut edit: impl FnMut(&[u8]) -> Option<Vec<u8>>) {
        let mut i = 0;
        while let Some(found) = self.find(name, i) {
            i = found + 1;
            match edit(self.fields[found].value.of(&self.buf)) {
                Some(new) if new.is_empty() && drop_empty => {
                    self.fields.remove(found);
                    i = found;
                }
                Some(new) => self.set_value(found, &new),
                None => {}
            }
        }
    }

    /// Append the message head to `out`, the empty line included.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.reserve(self.buf.len() + 4 * self.fields.len() + 16);
        if self.response {
            out.extend_from_slice(self.version_out());
            out.push(b' ');
            out.extend_from_slice(self.target.of(&self.buf));
            out.push(b' ');
            out.extend_from_slice(self.word.of(&self.buf));
        } else {
            out.extend_from_slice(self.word.of(&self.buf));
            out.push(b' ');
            out.extend_from_slice(self.target.of(&self.buf));
            out.push(b' ');
            out.extend_from_slice(self.version_out());
        }
        out.extend_from_slice(b"\r\n");
        // Lines that lie in the buffer as they are to be written, one behind the other, go in one piece.
        let mut run = 0..0;
        for field in &self.fields {
            let name = field.name.at as usize;
            let value = field.value.at as usize;
            let end = value + field.value.len as usize;
            if !field.is_line() {
                out.extend_from_slice(&self.buf[std::mem::take(&mut run)]);
                out.extend_from_slice(&self.buf[name..name + field.name.len as usize]);
                out.extend_from_slice(b": ");
                out.extend_from_slice(&self.buf[value..end]);
                out.extend_from_slice(b"\r\n");
            } else if run.end == name {
                run.end = end + 2;
            } else {
                out.extend_from_slice(&self.buf[std::mem::replace(&mut run, name..end + 2)]);
            }
        }
        out.extend_from_slice(&self.buf[run]);
        out.extend_from_slice(b"\r\n");
    }

    /// The head as it would be written.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_to(&mut out);
        out
    }

    /// Does a comma-separated header called `name` hold `word`?
    #[must_use]
    pub fn has_token(&self, name: &[u8], word: &[u8]) -> bool {
        self.values(name).any(|v| token::list_has(v, word))
    }

    /// A header's bytes, as the line that will be written.
    pub(super) fn keep_field(&mut self, name: &[u8], value: &[u8]) -> Field {
        let name = self.keep(name);
        self.buf[name.at as usize..].make_ascii_lowercase();
        self.buf.extend_from_slice(b": ");
        let value = self.keep(value);
        self.buf.extend_from_slice(b"\r\n");
        Field { name, value }
    }

    /// A header as it was received, when it was received in the form in which it will be written.
    pub(super) fn keep_line(&mut self, line: &[u8], name_len: usize, value_len: usize) {
        let at = self.buf.len();
        self.buf.extend_from_slice(line);
        // From the line, not from the copy: reading what has just been written in other pieces waits for it.
        for (to, from) in self.buf[at..].iter_mut().zip(&line[..name_len]) {
            *to = from.to_ascii_lowercase();
        }
        let name = Span { at: at as u32, len: name_len as u32 };
        let value = Span { at: (at + name_len + 2) as u32, len: value_len as u32 };
        self.fields.push(Field { name, value });
    }

    pub(super) fn keep(&mut self, bytes: &[u8]) -> Span {
        let at = self.buf.len() as u32;
        self.buf.extend_from_slice(bytes);
        Span { at, len: bytes.len() as u32 }
    }
}
