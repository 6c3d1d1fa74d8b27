//! What is said about what is wrong.

use super::{Machine, language, messages, word, words};
use crate::lower::expr::{LfUse, Site, rows};

fn said_of_cond(text: &str, site: Site) -> Vec<String> {
    let machine = Machine::default();
    let mut language = language(&machine);
    let _ = language.cond(&words(text), site);
    messages(&language.finish())
}

#[test]
fn conditions_are_refused_with_reasons() {
    let table = [
        (
            "iff { src 10.0.0.1 }",
            "expects 'if' or 'unless' followed by a condition, got 'iff'. | did you mean 'if'?",
        ),
        ("if nosuch", "no such ACL : 'nosuch'."),
        ("if METH_GT", "no such ACL : 'METH_GT'. | did you mean 'METH_GET'?"),
        ("if { src 10.0.0.1", "missing closing '}' in condition."),
        ("if { pth /x }", "unknown fetch method 'pth' in ACL expression 'pth'. | did you mean 'path'?"),
        (
            "if { path_bg /x }",
            "unknown fetch method 'path_bg' in ACL expression 'path_bg'. | did you mean 'path_beg'?",
        ),
        ("if { path,lwer /x }", "ACL keyword 'path' : unknown converter 'lwer'. | did you mean 'lower'?"),
        (
            "if { sc0_http_req_rate gt 10 }",
            "sample fetch 'sc0_http_req_rate' cannot be used : stick tables are not implemented yet.",
        ),
        ("if { ssl_c_verify 0 }", "sample fetch 'ssl_c_verify' cannot be used : TLS is not implemented yet."),
        ("if { src 10.0.0.300 }", "'10.0.0.300' is not a valid IPv4 or IPv6 address."),
        ("if { src -n known.example }", "'known.example' is not a valid IPv4 or IPv6 address."),
        ("if { dst_port abc }", "'abc' is not a number."),
        ("if { dst_port 9:3 }", "'9:3' is not a valid number range."),
        ("if { path_reg ( }", "regex '(' is invalid (error=missing closing parenthesis, erroffset=1)."),
        (
            "if { path -m sbu a }",
            "unknown matching method 'sbu' when parsing ACL expression. | did you mean 'sub'?",
        ),
        (
            "if { src_is_local -m ip 10.0.0.1 }",
            "matching method 'ip' cannot be used with fetch keyword 'src_is_local'.",
        ),
        (
            "if { var(txn.a) b }",
            "matching method must be specified first (using '-m') when using a sample fetch of this type ('var'). | for instance: var(txn.a) -m str VALUE",
        ),
        (
            "if { var(tx.a) -m str b }",
            "invalid args in fetch method 'var' : invalid variable name 'tx.a'. A variable name must be start by its scope. The scope can be 'proc', 'sess', 'txn', 'req', 'res' or 'check' in ACL expression 'var(tx.a)'. | did you mean 'txn.a'?",
        ),
        (
            "if { path -x }",
            "'-x' is not a valid ACL option. Please use '--' before any pattern beginning with a '-'.",
        ),
        ("if { path -f missing.lst }", "failed to open pattern file <missing.lst>."),
        ("if { hdr(host }", "ACL keyword 'hdr' : expected ')'."),
        ("if { nbsrv(nowhere) gt 0 }", "unable to find backend 'nowhere' referenced in arg 1 of 'nbsrv'."),
        ("if { http_auth(nobody) }", "unable to find userlist 'nobody' referenced in arg 1 of 'http_auth'."),
        (
            "if { src,ipmask(33) 10.0.0.0 }",
            "invalid arg 1 in converter 'ipmask' : failed to parse '33' as type 'IPv4 mask' at position 1 in ACL expression 'src,ipmask(33)'. | usage: ipmask(<mask4>[,<mask6>])",
        ),
        (
            "if { path,field(0,/) a }",
            "ACL keyword 'path' : invalid args in converter 'field' : Unexpected value 0 for index. | usage: field(<index>,<delimiters>[,<count>])",
        ),
        ("if { method,add(1) 5 }", "ACL keyword 'method' : converter 'add' cannot be applied."),
        ("if { path(x) a }", "ACL keyword 'path' : expected ')' before 'x)'. | usage: path"),
        ("if { path(x),lower,upper a }", "ACL keyword 'path' : expected ')' before 'x),lower,upper'."),
        (
            "if { date(,s,y),add(1) a }",
            "fetch method 'date' : expected ')' before ',s,y),add(1)' in ACL expression 'date(,s,y),add(1)'.",
        ),
        ("if { path -u x }", "the argument of -u must be an integer."),
        ("if { path -m }", "unknown matching method '' when parsing ACL expression."),
        ("if { path -f }", "failed to open pattern file <>."),
        ("if { path -m bin 0g }", "an hex digit is expected (found 'g')."),
        ("if { path -m bin 000 }", "an even number of hex digit is expected."),
        (
            "if { path,regsub(a,b,g,x),lower a }",
            "ACL keyword 'path' : invalid arg 3 in converter 'regsub' : expected ')' before ',x),lower'.",
        ),
    ];
    for (text, want) in table {
        let said = said_of_cond(text, Site::HttpRequest);
        assert!(said.iter().any(|s| s.starts_with(&format!("Alert: {want}"))), "{text}: {said:#?}");
    }
}

#[test]
fn mistakes_of_a_file_are_told_with_its_line() {
    let machine = Machine {
        files: [
            ("words", "one\n\n# two\n  [a\n"),
            ("pairs", "# of numbers\r\n1 a\r\n\t2  b\n"),
            ("addresses", "a 192.0.2.1/24\nb 010.0.0.1\n"),
            ("numbers", "a\nb +\nc -5\nd 5x\n"),
        ]
        .into(),
        ..Machine::default()
    };
    let said = |text: &str| {
        let mut language = language(&machine);
        let _ = language.cond(&words(&format!("if {{ {text} }}")), Site::HttpRequest);
        messages(&language.finish())
    };
    for (text, want) in [
        ("path -m int -f words", "'one' is not a number at line 1 of file 'words'."),
        (
            "path -m reg -f words",
            "regex '[a' is invalid (error=missing terminating ] for character class, erroffset=2) at line 4 of file 'words'.",
        ),
        ("path -m int -M -f pairs", ""),
        (
            "path -m int -f pairs",
            "The file \"pairs\" is already used as two column file and cannot be used by as one column file.",
        ),
        ("path,map_str_ip(addresses) 10.0.0.1", ""),
        (
            "path,map_str_int(addresses) 1",
            "ACL keyword 'path' : invalid args in converter 'map_str_int' : unable to parse '192.0.2.1/24' at line 1 of file 'addresses'.",
        ),
        (
            "path,map_str_int(numbers) 1",
            "ACL keyword 'path' : invalid args in converter 'map_str_int' : unable to parse '5x' at line 4 of file 'numbers'.",
        ),
        (
            "path,map_str_ip(addresses,x) 10.0.0.1",
            "ACL keyword 'path' : invalid args in converter 'map_str_ip' : map: cannot parse default ip <x>.",
        ),
        ("path -m str -f words", ""),
        (
            "path,map(words) a",
            "ACL keyword 'path' : invalid args in converter 'map' : The file \"words\" is already used as one column file and cannot be used by as two column file.",
        ),
        ("path -m found -f words", ""),
        ("path -u 7 a", ""),
        ("path -u 7 b", "the id is already used."),
    ] {
        let said = said(text);
        match want {
            "" => assert!(said.is_empty(), "{text}: {said:#?}"),
            want => {
                assert!(said.iter().any(|s| s.starts_with(&format!("Alert: {want}"))), "{text}: {said:#?}")
            }
        }
    }
    // Who was given no number has the first that is free.
    let numbers: Vec<u32> = machine.references.all().iter().map(|(number, _)| *number).collect();
    let others: Vec<u32> = (0..).filter(|number| *number != 7).take(numbers.len() - 1).collect();
    assert!(numbers.contains(&7) && others.iter().all(|number| numbers.contains(number)), "{numbers:?}");
}

#[test]
fn what_can_never_match_is_a_warning() {
    let table = [
        (
            "if { status 200 }",
            Site::HttpRequest,
            "anonymous acl will never match because it uses keyword 'status' which is incompatible with 'http-request header rule'.",
        ),
        (
            "if { path /x }",
            Site::HttpResponse,
            "anonymous acl will never match because it uses keyword 'path' which is incompatible with 'http-response header rule'.",
        ),
        (
            "if METH_GET",
            Site::TcpConnection,
            "acl 'METH_GET' will never match because it uses keyword 'method' which is incompatible with 'frontend tcp-request connection rule'.",
        ),
        (
            "if { path }",
            Site::HttpRequest,
            "acl keyword 'path' : no pattern to match against were provided, so this ACL will never match.",
        ),
    ];
    for (text, site, want) in table {
        let said = said_of_cond(text, site);
        assert!(said.iter().any(|s| s.starts_with(&format!("Warning: {want}"))), "{text}: {said:#?}");
    }
    assert!(said_of_cond("if { path -- }", Site::HttpRequest).is_empty());
}

#[test]
fn log_formats_are_refused_with_reasons() {
    let table = [
        ("%foo", "no such format variable 'foo'."),
        ("%hT", "no such format variable 'hT'."),
        ("100% sure", "unexpected alias name near ' ' at position 4 line : '100% sure'."),
        (
            "%[path]",
            "sample fetch <path> may not be reliably used here because it needs 'HTTP request headers' which is not available here.",
        ),
        ("%[src", "missing ']' after 'src'."),
        ("%[nope]", "failed to parse sample expression <nope]> : unknown fetch method 'nope'."),
        (
            "a %[path(x),lower] b %[src]",
            "failed to parse sample expression <path(x),lower] b %[src]> : fetch method 'path' : expected ')' before 'x),lower] b %[src]'.",
        ),
    ];
    let machine = Machine::default();
    for (text, want) in table {
        let mut language = language(&machine);
        assert!(language.log_format(&word(text), LfUse::Log, Site::Log).is_none(), "{text}");
        let said = messages(&language.finish());
        assert!(said.iter().any(|s| s.starts_with(&format!("Alert: {want}"))), "{text}: {said:#?}");
    }
    let mut tcp = language(&machine);
    tcp.owner.http = false;
    assert!(tcp.log_format(&word("%r"), LfUse::Log, Site::Log).is_some());
    let said = ["Warning: format variable 'r' says nothing of a connection in TCP mode."];
    assert_eq!(messages(&tcp.finish()), said);
}

#[test]
fn a_wrong_definition_is_said_once() {
    let machine = Machine::default();
    let mut language = language(&machine);
    language.acl(&words("bad pth /x"), word("").span);
    for _ in 0..3 {
        assert!(language.cond(&words("if bad"), Site::HttpRequest).is_none());
    }
    assert_eq!(language.finish().len(), 1);
}

#[test]
fn offline_a_missing_file_is_a_notice() {
    let machine = Machine { offline: true, ..Machine::default() };
    let mut language = language(&machine);
    assert!(language.cond(&words("if { path -f missing.lst }"), Site::HttpRequest).is_some());
    let said = messages(&language.finish());
    assert_eq!(said, ["Notice: failed to open pattern file <missing.lst>."]);
}

#[test]
fn no_name_has_two_rows() {
    let mut seen = std::collections::HashSet::new();
    for row in rows() {
        assert!(seen.insert((row.kind, row.name)), "{} {}", row.kind, row.name);
    }
}
