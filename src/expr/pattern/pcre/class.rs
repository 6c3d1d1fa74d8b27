//! `[...]`.

use super::Fault::{self, Wrong};
use super::{AT_END, Reader};

pub(super) const BAD_RANGE: &str = "invalid range in character class";
pub(super) const OPEN_CLASS: &str = "missing terminating ] for character class";
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// A member of a class: one character may begin a range.
enum Member {
    Char(char),
    Several,
}

impl Reader<'_> {
    /// What follows `[`.
    pub(super) fn class(&mut self) -> Result<(), Fault> {
        let unclosed = Wrong(OPEN_CLASS, self.text.len());
        self.out.push('[');
        if self.eat("^") {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let c = self.next().ok_or_else(|| unclosed.clone())?;
            if c == ']' && !first {
                self.out.push(']');
                return Ok(());
            }
            first = false;
            let member = self.member(c)?;
            // `-` at the end is a character.
            let ranged = self.rest().starts_with('-') && !self.rest().starts_with("-]");
            match member {
                Some(Member::Char(low)) if ranged => {
                    self.at += 1;
                    let at = self.at;
                    let next = self.next().ok_or_else(|| unclosed.clone())?;
                    let Some(Member::Char(high)) = self.member_in_range(next)? else {
                        return Err(Wrong(BAD_RANGE, self.at));
                    };
                    if high < low {
                        return Err(Wrong("range out of order in character class", at));
                    }
                    self.member_out(low);
                    self.out.push('-');
                    self.member_out(high);
                    // What follows a range is no other.
                    if self.rest().starts_with('-') && !self.rest().starts_with("-]") {
                        self.at += 1;
                        self.out.push_str("\\-");
                    }
                }
                Some(Member::Char(c)) => self.member_out(c),
                Some(Member::Several) if ranged => return Err(Wrong(BAD_RANGE, self.at)),
                Some(Member::Several) | None => {}
            }
        }
    }

    fn member_out(&mut self, c: char) {
        // Written as a number where it is no letter: nothing of a class means anything then.
        if c.is_ascii_alphanumeric() {
            self.out.push(c);
        } else {
            self.out.push_str(&format!("\\x{:02x}", u32::from(c)));
        }
    }

    /// The end of a range: whole classes cannot be one, and must not be written.
    fn member_in_range(&mut self, c: char) -> Result<Option<Member>, Fault> {
        let written = self.out.len();
        let member = self.member(c)?;
        self.out.truncate(written);
        Ok(member)
    }

    /// A member of a class that begins with `c`. Whole classes are written at once, characters are given back.
    fn member(&mut self, c: char) -> Result<Option<Member>, Fault> {
        if c == '[' {
            let rest = self.rest();
            if rest.starts_with([':', '.', '=']) {
                let mark = &rest[..1];
                if let Some(end) = rest[1..].find(&format!("{mark}]")) {
                    let name = &rest[1..=end];
                    if mark != ":" {
                        return Err(Wrong("POSIX collating elements are not supported", self.at - 1));
                    }
                    if !POSIX.contains(&name.trim_start_matches('^')) {
                        return Err(Wrong("unknown POSIX class name", self.at + 1));
                    }
                    self.out.push_str(&format!("[:{name}:]"));
                    self.at += end + 3;
                    return Ok(Some(Member::Several));
                }
            }
            return Ok(Some(Member::Char('[')));
        }
        if c != '\\' {
            return Ok(Some(Member::Char(c)));
        }
        let Some(c) = self.next() else { return Err(Wrong(AT_END, self.at)) };
        match c {
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => {
                self.out.push('\\');
                self.out.push(c);
            }
            'h' => self.out.push_str("\\t "),
            'v' => self.out.push_str("\\n\\x0b\\x0c\\r"),
            'H' => self.out.push_str("[^\\t ]"),
            'V' => self.out.push_str("[^\\n\\x0b\\x0c\\r]"),
            'p' | 'P' => return Err(self.property()),
            'B' | 'R' | 'X' | 'N' => {
                return Err(Wrong("escape sequence is invalid in character class", self.at));
            }
            'E' => return Ok(None),
            'Q' => {
                let end = self.rest().find("\\E");
                let inside = self.rest()[..end.unwrap_or(self.rest().len())].to_owned();
                self.at += inside.len() + end.map_or(0, |_| 2);
                inside.chars().for_each(|c| self.member_out(c));
                return Ok(None);
            }
            'b' => return Ok(Some(Member::Char('\x08'))),
            '1'..='7' => {
                self.at -= 1;
                return Ok(Some(Member::Char(self.octal_value())));
            }
            c => return self.character(c).map(|c| Some(Member::Char(c))),
        }
        Ok(Some(Member::Several))
    }
}
