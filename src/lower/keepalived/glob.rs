//! File patterns of `include`: `*`, `?`, `[...]` within a path part, and `{a,b}`.

use std::path::Path;

/// Most names braces may spell, so that a line cannot ask for millions.
const MOST: usize = 1_000;

/// Every spelling of `{a,b}` alternatives, in order.
#[must_use]
pub(super) fn braces(pattern: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(text) = open.pop() {
        if done.len() + open.len() >= MOST {
            break;
        }
        let Some((start, end, commas)) = first_group(&text) else {
            done.push(text);
            continue;
        };
        let mut cuts = vec![start];
        cuts.extend(commas);
        cuts.push(end);
        // The stack gives the last one pushed first.
        for pair in cuts.windows(2).rev() {
            open.push(format!("{}{}{}", &text[..start], &text[pair[0] + 1..pair[1]], &text[end + 1..]));
        }
    }
    done
}

/// Whether a pattern that matches nothing has wildcards below a directory that is there: no name is missing then.
#[must_use]
pub(super) fn may_match_nothing(pattern: &str, directory: &Path) -> bool {
    let Some(wild) = pattern.find(['*', '?', '[']) else { return false };
    let above = pattern[..wild].rsplit_once('/').map_or("", |(above, _)| above);
    let above = if above.is_empty() && pattern.starts_with('/') { "/" } else { above };
    directory.join(above).is_dir()
}

/// Offsets of the first `{`, its `}` and the commas between them at that depth.
fn first_group(text: &str) -> Option<(usize, usize, Vec<usize>)> {
    let start = text.find('{')?;
    let (mut depth, mut commas) = (0, Vec::new());
    for (at, c) in text.char_indices().skip_while(|(at, _)| *at < start) {
        match c {
            '{' => depth += 1,
            ',' if depth == 1 => commas.push(at),
            '}' if depth == 1 => return Some((start, at, commas)),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Names that match, spelled as the pattern spells them, sorted.
#[must_use]
pub(super) fn expand(pattern: &str, directory: &Path) -> Vec<String> {
    let (root, rest) = pattern.strip_prefix('/').map_or(("", pattern), |rest| ("/", rest));
    let mut found = vec![root.to_owned()];
    for part in rest.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for base in &found {
            let join = |name: &str| {
                if base.is_empty() || base.ends_with('/') {
                    format!("{base}{name}")
                } else {
                    format!("{base}/{name}")
                }
            };
            if !part.contains(['*', '?', '[']) {
                let name = join(part);
                if directory.join(&name).symlink_metadata().is_ok() {
                    next.push(name);
                }
                continue;
            }
            let Ok(entries) = std::fs::read_dir(directory.join(if base.is_empty() { "." } else { base }))
            else {
                continue;
            };
            let mut names: Vec<String> =
                entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
            names.retain(|name| {
                matches(part.as_bytes(), name.as_bytes()) && (part.starts_with('.') || !name.starts_with('.'))
            });
            names.sort();
            next.extend(names.iter().map(|name| join(name)));
            if next.len() > MOST {
                break;
            }
        }
        found = next;
    }
    found.retain(|name| !name.is_empty());
    found
}

/// Shell pattern against a name. Backtracks to the last `*` only, so the time is bounded.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => set(&pattern[p..], name[n]),
            Some(b'\\') if pattern.get(p + 1) == Some(&name[n]) => Some(2),
            Some(byte) if *byte == name[n] => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(len), _) => {
                p += len;
                n += 1;
            }
            (None, Some((at, from))) => {
                star = Some((at, from + 1));
                p = at + 1;
                n = from + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// `[a-z]` or `[!a-z]` at the start of a pattern: its length if the byte is in it.
fn set(pattern: &[u8], byte: u8) -> Option<usize> {
    let negate = matches!(pattern.get(1), Some(b'!' | b'^'));
    let start = if negate { 2 } else { 1 };
    let end = start + 1 + pattern.get(start + 1..)?.iter().position(|byte| *byte == b']')?;
    let inside = &pattern[start..end];
    let mut hit = false;
    let mut at = 0;
    while at < inside.len() {
        if inside.get(at + 1) == Some(&b'-') && at + 2 < inside.len() {
            hit |= (inside[at]..=inside[at + 2]).contains(&byte);
            at += 3;
        } else {
            hit |= inside[at] == byte;
            at += 1;
        }
    }
    (hit != negate).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_a_shell_does() {
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.cfg", false),
            ("a?c", "abc", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("*a*b*c", "xxaybzc", true),
            ("a*", "", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn braces_spell_every_alternative_in_order() {
        assert_eq!(braces("a{b,c{d,e}}f"), ["abf", "acdf", "acef"]);
        assert_eq!(braces("plain"), ["plain"]);
        assert_eq!(braces("{a"), ["{a"]);
    }

    #[test]
    fn names_are_sorted_and_spelled_like_the_pattern() {
        let directory = tempfile::tempdir().expect("a directory");
        for name in ["b.conf", "a.conf", ".hidden.conf", "c.txt"] {
            std::fs::write(directory.path().join(name), "").expect("a file");
        }
        assert_eq!(expand("*.conf", directory.path()), ["a.conf", "b.conf"]);
        assert_eq!(expand("c.txt", directory.path()), ["c.txt"]);
        assert!(expand("d.txt", directory.path()).is_empty());
        let absolute = format!("{}/a.*", directory.path().display());
        assert_eq!(expand(&absolute, Path::new("/")), [format!("{}/a.conf", directory.path().display())]);
    }
}
