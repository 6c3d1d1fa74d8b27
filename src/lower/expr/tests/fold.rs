//! Conditions that are known at load cost nothing per request.

use super::{Fixture, Machine, cond, language, words};
use crate::expr::eval_cond;
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
