//! `%{+json}` and `%{+cbor}`.

use super::{Fixture, format};
use crate::expr::logformat;
use crate::lower::expr::{LfUse, Site};

/// What HAProxy 3.5 writes for the same session, names and values.
#[test]
fn named_items_become_a_map_with_types() {
    let fixture = Fixture::request("GET", "/", &[]);
    for (written, expected) in [
        (
            r#"%{+json}o %(ip)ci %(status)ST %(name)[str('a"b')] dropped %cp"#,
            r#"{"ip": "192.0.2.33", "status": 200, "name": "a\"b"}"#,
        ),
        (
            "%{+json}o%(n:str)[int(7)]%(yes:bool)[int(1)]%(no)[bool(0)]%(none)[var(txn.none)]",
            r#"{"n": "7", "yes": true, "no": false, "none": ""}"#,
        ),
        ("%{+json}o", "{}"),
        ("x=%{+json}[int(3)]%{+json}[str(a)]", r#"x=3"a""#),
        // A map of "a" (0x61 61) to 7, and of "s" to the text "x".
        ("%{+cbor}o %(a)[int(7)]%(s)[str(x)]", "BF61610761736178FF"),
        ("%{+cbor}o%(n)[int(-500)]%(b)[bool(1)]%(z)[var(txn.none)]", "BF616E3901F36162F5617AF6FF"),
    ] {
        let text = logformat::to_vec(&format(written, LfUse::Log, Site::Log), &fixture.ctx());
        assert_eq!(String::from_utf8_lossy(&text), expected, "{written}");
    }
}
