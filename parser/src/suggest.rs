//! "did you mean": the nearest known word.

/// Words longer than this resemble nothing.
const LONGEST: usize = 64;

/// The candidate nearest to `word`, if it is near enough to be worth saying: at most a third of the letters
/// differ, their case apart. Of equally near ones the first wins.
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
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
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
    }
}
