//! A line of input as commands, a command as words.

/// The commands of a line: parts between semicolons that no backslash stands before.
#[must_use]
pub fn commands(line: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ';' => {
                parts.push(&line[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&line[start..]);
    parts
}

/// The words of a command: a backslash takes the special meaning of a blank, a semicolon or itself away.
#[must_use]
pub fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' => words.extend(word.take()),
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The mark at the end of a line after which a payload follows, and the line without it. The payload ends at
/// an empty line, or at a line that holds just the mark's own end word (`<<%END%` ends at `%END%`).
#[must_use]
pub fn payload_mark(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_end_matches(['\r', ' ', '\t']);
    let (before, mark) = line.rsplit_once("<<")?;
    let fits = before.ends_with([' ', '\t']) && mark.len() <= 7 && !mark.contains([' ', '\t', ';']);
    fits.then_some((before, mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backslashes_keep_blanks_and_semicolons_in_words() {
        assert_eq!(commands(r"show a\;b;show c"), [r"show a\;b", "show c"]);
        assert_eq!(words(r" set  a\ b  c\;d\\ "), ["set", "a b", r"c;d\"]);
        assert_eq!(words("  "), Vec::<String>::new());
    }

    #[test]
    fn a_payload_mark_stands_at_the_end_as_a_word_of_its_own() {
        assert_eq!(payload_mark("set map m <<"), Some(("set map m ", "")));
        assert_eq!(payload_mark("set map m <<%EOF%"), Some(("set map m ", "%EOF%")));
        assert_eq!(payload_mark("set map m a<<b"), None);
        assert_eq!(payload_mark("show stat"), None);
    }
}
