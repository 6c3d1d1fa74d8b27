//! Conditions that are known at load cost nothing per request.

use super::{Fixture, Machine, cond, language, words};
use crate::expr::{chain, eval_cond};
use crate::lower::expr::Site;

#[test]
fn constants_are_folded_away() {
    let machine = Machine::default();
    let table = [
        ("TRUE", Some(true), 0),
        ("FALSE", Some(false), 0),
        ("!TRUE", Some(false), 0),
        ("TRUE { src 10.0.0.1 }", None, 1),
        ("FALSE { src 10.0.0.1 }", Some(false), 0),
        ("{ src 10.0.0.1 } or TRUE", Some(true), 0),
        ("{ src 10.0.0.1 } or FALSE", None, 1),
        ("{ int(5) gt 4 }", Some(true), 0),
        ("{ int(5) 6:9 }", Some(false), 0),
        ("{ str(abc) -m beg ab }", Some(true), 0),
    ];
    for (text, constant, groups) in table {
        let cond = cond(&machine, text);
        assert_eq!((cond.constant, cond.any.len()), (constant, groups), "{text}");
        let mut language = language(&machine);
        let unless = language.cond(&words(&format!("unless {text}")), Site::HttpRequest).flatten();
        assert_eq!(unless.expect(text).constant, constant.map(|value| !value), "unless {text}");
    }
}

#[test]
fn lines_of_one_name_add_up_and_redefine_what_is_predefined() {
    let machine = Machine::default();
    let mut language = language(&machine);
    let line = super::word("").span;
    language.acl(&words("net src 10.0.0.1"), line);
    language.acl(&words("net src 192.0.2.33"), line);
    language.acl(&words("TRUE always_false"), line);
    let fixture = Fixture::request("GET", "/", &[]);
    let mut value = |text: &str| {
        let cond = language.cond(&words(&format!("if {text}")), Site::HttpRequest).flatten().expect(text);
        eval_cond(&cond, &fixture.ctx())
    };
    assert!(value("net"));
    assert!(!value("!net"));
    assert!(!value("TRUE"));
    assert!(value("METH_GET !METH_POST HTTP_1.1 HTTP_URL_SLASH !HTTP_URL_ABS !LOCALHOST"));
}

/// What a list of conditions says, rule by rule and compiled.
fn both(machine: &Machine, lines: &[&str], fixture: &Fixture) -> (Option<usize>, Option<usize>, usize) {
    let conds: Vec<_> = lines.iter().map(|line| cond(machine, line)).collect();
    let chain = chain::compile(conds.iter().map(Some));
    let ctx = fixture.ctx();
    let slow = conds.iter().position(|cond| eval_cond(cond, &ctx));
    (slow, chain::first(&chain, &ctx), chain.steps.len())
}

#[test]
fn runs_over_one_expression_become_one_lookup() {
    let machine = Machine::default();
    let fixture = Fixture::request("GET", "/api/v1/x.css", &[("Host", "B.example, d.example")]);
    let table: &[(&[&str], Option<usize>, usize)] = &[
        (
            &[
                "{ hdr(host) -i a.example }",
                "{ hdr(host) -i c.example d.example }",
                "{ hdr(host) -i b.example }",
                "{ hdr(host) -i e.example }",
            ],
            Some(1),
            1,
        ),
        (
            &["{ hdr(host) a }", "{ req.hdr(host) B.example }", "{ hdr(host) c }", "{ hdr(host) d }"],
            Some(1),
            1,
        ),
        (&["{ path_beg /x }", "{ path_beg /api/v1/ }", "{ path_beg /api/ }", "{ path_beg / }"], Some(1), 1),
        (
            &["{ path_beg /api/v2 }", "{ path_beg / }", "{ path_beg /api }", "{ path_beg /api/v1 }"],
            Some(1),
            1,
        ),
        (&["{ path_end .js }", "{ path_end -i .CSS }", "{ path_end .css }", "{ path_end .x }"], Some(1), 4),
        (&["{ path_end .js }", "{ path_end .html .htm }", "{ path_end .css }", "{ path_end s }"], Some(2), 1),
        (
            &[
                "{ path /a }",
                "{ path /b }",
                "{ path /c }",
                "METH_GET",
                "{ path /d }",
                "{ path /api/v1/x.css }",
            ],
            Some(3),
            6,
        ),
        (
            &["{ path,lower /a }", "{ path,lower /b }", "{ path,lower /api/v1/x.css }", "{ path,lower /c }"],
            Some(2),
            1,
        ),
        (
            &["{ path,lower /a }", "{ path,upper /b }", "{ path,lower /api/v1/x.css }", "{ path,lower /c }"],
            Some(2),
            4,
        ),
        (&["{ hdr(none) a }", "{ hdr(none) b }", "{ hdr(none) c }", "{ hdr(none) d }"], None, 1),
        (&["!{ path /a }", "{ path /b }", "{ path /c }", "{ path /d }"], Some(0), 4),
        (
            &["{ path /a } METH_GET", "{ path /b }", "{ path /c }", "{ path /d }", "{ path /api/v1/x.css }"],
            Some(4),
            2,
        ),
    ];
    for (lines, want, steps) in table {
        assert_eq!(both(&machine, lines, &fixture), (*want, *want, *steps), "{lines:?}");
    }
}

proptest::proptest! {
    #[test]
    fn a_compiled_list_says_what_its_rules_say(
        rules in proptest::collection::vec((0usize..4, "[abA/]{1,3}", proptest::bool::ANY), 0..14),
        path in "/[abA/]{0,5}",
    ) {
        let machine = Machine::default();
        let fixture = Fixture::request("GET", &path, &[]);
        let lines: Vec<String> = rules
            .iter()
            .map(|(kind, text, fold)| {
                let criterion = ["path", "path_beg", "path_end", "path_sub"][*kind];
                format!("{{ {criterion}{} {text} }}", if *fold { " -i" } else { "" })
            })
            .collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let (slow, fast, _) = both(&machine, &lines, &fixture);
        proptest::prop_assert_eq!(slow, fast, "{:?} {}", lines, path);
    }
}
