//! "did you mean": the nearest known word.

/// Words longer than this resemble nothing.
const LONGEST: usize = 64;

/// The candidate nearest to `word`, if it is near enough to be worth saying: at most a third of the letters
/// differ, their case apart. Of equally near ones that of the same letters wins (`scr` is `src` and not `str`), then the first.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // No keyword is that long, and comparing takes time of the product of lengths.
    if word.len() > LONGEST {
        return None;
    }
    let limit = word.chars().count().max(3).div_ceil(3);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word && candidate.len().abs_diff(word.len()) <= limit)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, candidate)| (*distance, letters(candidate) != letters(word)))
        .map(|(_, candidate)| candidate)
}

fn letters(word: &str) -> Vec<u8> {
    let mut letters = word.to_ascii_lowercase().into_bytes();
    letters.sort_unstable();
    letters
}

/// The candidate that HAProxy's messages name: the one with the most steps from one letter to the next in common, which
/// must be half of those of either word. Digits are one letter to it, and so is everything else, with the ends of the word.
pub fn alike<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    let own = steps(word);
    let alike = candidates.into_iter().map(|candidate| {
        let differ: usize = own.iter().zip(steps(candidate)).map(|(a, b)| usize::from(a.abs_diff(b))).sum();
        (differ, candidate)
    });
    let alike = alike.filter(|(differ, candidate)| *differ <= 2 * word.len().min(candidate.len()));
    alike.min_by_key(|(differ, _)| *differ).map(|(_, candidate)| candidate)
}

/// Kinds of letters: none, 26, digits, others.
const LETTERS: usize = 29;

/// How often each letter follows each, and, in the first row, which letters there are.
fn steps(word: &str) -> [u8; LETTERS * LETTERS] {
    let mut steps = [0_u8; LETTERS * LETTERS];
    let other = LETTERS - 1;
    let mut from = other;
    for byte in word.bytes() {
        let to = match byte.to_ascii_lowercase() {
            letter @ b'a'..=b'z' => usize::from(letter - b'a') + 1,
            b'0'..=b'9' => LETTERS - 2,
            _ => other,
        };
        steps[to] = 1;
        steps[from * LETTERS + to] += 1;
        from = to;
    }
    steps[from * LETTERS + other] += 1;
    steps
}

/// Edit distance where a swap of neighbours counts once (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let differs = usize::from(!a[i - 1].eq_ignore_ascii_case(&b[j - 1]));
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + differs);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested_far_ones_are_not() {
        assert_eq!(nearest("bnd", ["bind", "balance"]), Some("bind"));
        assert_eq!(nearest("roudnrobin", ["leastconn", "roundrobin"]), Some("roundrobin"));
        assert_eq!(nearest("foo", ["mode", "log", "server"]), None);
        assert_eq!(nearest("cleint", ["client", "connect"]), Some("client"));
        assert_eq!(nearest("scr", ["str", "src"]), Some("src"));
    }

    /// As HAProxy 2.6 answers.
    #[test]
    fn likeness_is_haproxys() {
        for (word, candidates, expected) in [
            ("foo", &["mode", "tfo", "ssl"][..], Some("tfo")),
            ("chekc", &["check", "cookie"], Some("check")),
            ("reqsetbe", &["retries", "server"], Some("retries")),
            ("quux", &["mode", "ssl"], None),
            ("x", &["mode"], None),
            ("bnid", &["id", "bind"], Some("bind")),
        ] {
            assert_eq!(alike(word, candidates.iter().copied()), expected, "{word}");
        }
    }
}
