//! The same text, the same matches; the same faults, the same places.

use super::class::{BAD_RANGE, OPEN_CLASS};
use super::*;

fn matches(pattern: &str, text: &str) -> bool {
    let translated = translate(pattern, true).unwrap();
    let built = super::super::compiled(pattern, &translated, false);
    built.unwrap_or_else(|e| panic!("{pattern}: {translated:?}: {e}")).is_match(&bytes_of(text))
}

#[test]
fn what_both_spell_otherwise_means_what_pcre_means() {
    let cases = [
        (r#"^{"a":\[{1}"#, r#"{"a":["#, true),
        ("a{,3}", "a{,3}", true),
        ("a{,3}", "aaa", false),
        ("^[[]x]$", "[x]", true),
        ("^[[a]$", "[", true),
        ("^[]a]$", "]", true),
        ("^[^]]$", "]", false),
        ("^[a&&b]+$", "a&b", true),
        ("^[a~~b&&-]+$", "~-&", true),
        (r"^\<b\>$", "<b>", true),
        (r"^\w+\Z", "abc", true),
        (r"^a\hb\Rc$", "a b\r\nc", true),
        (r"^\Qa.b\Ec$", "a.bc", true),
        (r"^\Qa.b\Ec$", "axbc", false),
        (r"^\e\cA\x4$", "\x1b\x01\x04", true),
        (r"^[\w-]+$", "a-b", true),
        (r"^[a-c-e]+$", "b-e", true),
        (r"^[a-c-e]+$", "d", false),
        (r"^[\x41-C]$", "B", true),
        (r"^(?<name>a)(?'other'b)(?#said)$", "ab", true),
        ("(?i)ABC", "abc", true),
        ("^(?:a|b){2}$", "ab", true),
        ("a??b+?c*?$", "b", true),
        (r"\/a\-b\_c\%", "/a-b_c%", true),
        ("^é[é]$", "éé", false),
        ("^[[:alpha:][:digit:]]+$", "a1", true),
        ("}]", "}]", true),
        (r"^[\]\[\\^-]+$", r"][\^-", true),
        ("^(?!/admin)/", "/admin/x", false),
        ("^(?!/admin)/", "/users", true),
        ("^/(?=a)[a-z]+$", "/abc", true),
        (r"(?<!\d)80$", "x80", true),
        (r"(?<!\d)80$", "180", false),
        ("(?<=[éa])b", "éb", true),
        ("^a++a", "aaa", false),
        ("^(?>a|ab)c", "abc", false),
        (r"^(a|b)\1$", "aa", true),
        (r"^(a|b)\1$", "ab", false),
        (r"^(a)(b)\g{-1}$", "abb", true),
        (r"^(a)(b)\g1$", "aba", true),
        (r"^(?<x>a|b)\k<x>$", "bb", true),
        (r"^(?P<x>a|b)(?P=x)$", "ba", false),
        ("(?i)^(?!A)b", "B", true),
        (r"^(?!.*\.(css|js)$)", "/x.css", false),
        // A byte, not a letter.
        ("^é+$", "éé", false),
        ("^(?:é)+$", "éé", true),
        ("^..$", "é", true),
        (r"^\xc3\xa9[\xa9][\x80-\xff]$", "é\u{10ffa9}\u{10ff80}", true),
        ("^é[^a]$", "é\u{10ffe9}", true),
        ("^\u{10ffe9}$", "\u{10ffe9}", true),
        ("^\u{10ffe9}$", "é", false),
        ("^(?=\u{10ffe9})[\u{10ffe0}-\u{10ffef}]é$", "\u{10ffe9}é", true),
        (r"^(?=\xe9)\xe9(.)\1$", "\u{10ffe9}\u{10ff80}\u{10ff80}", true),
        ("(?i)^(?=.)É", "é", false),
    ];
    for (pattern, text, expected) in cases {
        assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
    }
}

#[test]
fn faults_are_told_in_pcres_words_and_places() {
    let cases = [
        (r"a\y", "unrecognized character follows \\", 2),
        (r"a\", AT_END, 2),
        ("[a", OPEN_CLASS, 2),
        ("[]", OPEN_CLASS, 2),
        ("(?z)a", "unrecognized character after (? or (?-", 2),
        ("(?<1>a)", "subpattern name must start with a non-digit", 3),
        ("[[.a.]]", "POSIX collating elements are not supported", 1),
        ("[[:foo:]]", "unknown POSIX class name", 3),
        ("a|*", NOTHING_TO_REPEAT, 2),
        ("^*a", NOTHING_TO_REPEAT, 1),
        ("a**", NOTHING_TO_REPEAT, 2),
        ("x{1,2}{3}", NOTHING_TO_REPEAT, 6),
        ("a{3,2}", "numbers out of order in {} quantifier", 5),
        ("a{70000}", "number too big in {} quantifier", 7),
        (r"[\w-.]", BAD_RANGE, 3),
        (r"[a-\w]", BAD_RANGE, 5),
        ("[z-a]", "range out of order in character class", 3),
        (r"^/(a)\1", NO_GROUP, 6),
        (r"\81", NO_GROUP, 2),
        ("(a", UNCLOSED, 2),
        ("a)", "unmatched closing parenthesis", 1),
        ("(?i", UNCLOSED, 3),
        (r"\c", "\\c at end of pattern", 2),
        ("é[é-a]", "range out of order in character class", 6),
    ];
    for (pattern, what, at) in cases {
        assert_eq!(translate(pattern, false), Err(Wrong(what, at)), "{pattern}");
    }
}

#[test]
fn what_only_pcre_can_do_is_no_fault() {
    for pattern in [
        "(?|a|b)",
        "(?R)",
        r"\X",
        r"\p{L}",
        r"[\pZ]",
        r"\p{Xan}",
        "(*UTF)a",
        "(*UTF)(*UCP)a",
        "a(*SKIP:x)b",
        "(*pla:a)b",
        "(?(?=a)a|b)",
        "(?P>n)(?<n>a)",
    ] {
        assert!(matches!(translate(pattern, false), Err(Missing(_))), "{pattern}");
    }
    for pattern in ["(a)?(?(1)a|b)", "(?1)(a)", "(a)(?-1)", "(?+1)(a)"] {
        assert!(matches!(translate(pattern, true), Err(Missing(_))), "{pattern}");
    }
    let verb = "(*VERB) not recognized or malformed";
    let property = "unknown property after \\P or \\p";
    for (pattern, what, at) in [
        ("(*FOO)a", verb, 5),
        ("a(*UTF)", verb, 6),
        ("(*MARK)a", "(*MARK) must have an argument", 6),
        (r"\p{Foo}+", property, 7),
        (r"[\p{Foo}]", property, 8),
        (r"\pQ", property, 3),
        (r"a\p", "malformed \\P or \\p sequence", 3),
        ("^(a)?(?(1)a|b)$", NO_GROUP, 7),
        ("(?(<n>)a)", NO_GROUP, 4),
        ("(?1)(a)", NO_GROUP, 3),
        ("(?+1)(a)", NO_GROUP, 4),
        ("(?-1)", NO_GROUP, 4),
        ("(?&n)", NO_GROUP, 3),
    ] {
        assert_eq!(translate(pattern, false), Err(Wrong(what, at)), "{pattern}");
    }
    assert!(translate(r"(a)\1", true).unwrap().backtracks);
    assert_eq!(translate(r"(a)\2", true), Err(Wrong(NO_GROUP, 4)));
}

#[test]
fn a_search_that_steps_back_for_ever_ends_and_matches_nothing() {
    let regex = super::super::regex(r"^(?!x)(a+)+\1$", false).unwrap();
    assert!(regex.is_match(b"aaaa"));
    let text = [vec![b'a'; 4000], vec![b'!']].concat();
    assert!(!regex.is_match(&text));
}

#[test]
fn look_behind_has_one_length() {
    let error = super::super::regex("(?<=a+)b", false).unwrap_err();
    assert!(error.contains("lookbehind assertion is not fixed length"), "{error}");
}
