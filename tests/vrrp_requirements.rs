//! The table of RFC 9568's demands names tests that exist.

use std::path::Path;

/// What stands between back quotes.
fn quoted(row: &str) -> Vec<&str> {
    row.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_demand_of_the_rfc_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("src/vrrp/rfc9568.rs")).unwrap();
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
                assert!(text.contains(&format!("fn {word}(")), "no test {word}: {row}");
                named += 1;
            }
        }
    }
    assert!(count > 35 && named > 35, "{count} rows, {named} tests");
}
