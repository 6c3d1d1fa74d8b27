//! The tables of what the RFC demands and of what keepalived does name tests that exist.

use std::path::Path;

/// What stands between back quotes.
fn quoted(row: &str) -> Vec<&str> {
    row.split('`').skip(1).step_by(2).collect()
}

/// Rows of the table in the documentation of `file`, and tests that they name; each test must be there.
fn proven(file: &str) -> (usize, usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join(file)).unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("//! | ")).skip(1);
    let (mut named, mut count) = (0, 0);
    for row in rows {
        count += 1;
        let proof = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let words: Vec<&str> =
            quoted(proof).into_iter().filter(|word| word.ends_with(".rs") || word.contains('_')).collect();
        let explained = proof.starts_with("see below") || proof.starts_with("the kernel's");
        assert!(explained || words.len() >= 2, "nothing holds this: {row}");
        let mut text = String::new();
        for word in words {
            if word.ends_with(".rs") {
                text = std::fs::read_to_string(root.join(word)).unwrap_or_else(|e| panic!("{word}: {e}"));
            } else {
                assert!(
                    text.contains(&format!("#[test]\nfn {word}("))
                        || text.contains(&format!("    fn {word}(")),
                    "no test {word}: {row}"
                );
                named += 1;
            }
        }
    }
    (count, named)
}

#[test]
fn every_demand_of_the_rfc_names_tests_that_exist() {
    let (count, named) = proven("src/vrrp/rfc9568.rs");
    assert!(count > 35 && named > 35, "{count} rows, {named} tests");
}

#[test]
fn everything_that_keepalived_does_names_tests_that_exist() {
    let (count, named) = proven("src/vrrp/behaviour.rs");
    assert!(count > 35 && named > 80, "{count} rows, {named} tests");
}
