//! Values that do not need the real program to be known.

use super::{Fixture, Machine, cond, format, language, words};
use crate::expr::logformat::{self, of_kind};
use crate::expr::{eval_cond, vars};
use crate::ir::expr::{Scope, Value, VarName};
use crate::ir::log::LogFormatKind;
use crate::lower::expr::{LfUse, Site};

fn text(format: &crate::ir::expr::LogFormat, fixture: &Fixture) -> String {
    String::from_utf8_lossy(&logformat::to_vec(format, &fixture.ctx())).into_owned()
}

#[test]
fn expressions_of_the_session_yield_its_facts() {
    let fixture = Fixture::request("GET", "/a/b?x=1", &[("Host", "example.com")]);
    let table = [
        ("src", "192.0.2.33"),
        ("src_port", "40000"),
        ("dst", "192.0.2.1"),
        ("dst_port", "80"),
        ("src_is_local", "0"),
        ("fe_name", "web"),
        ("fe_id", "2"),
        ("fe_defbe", "app"),
        ("nbsrv(app)", "103"),
        ("be_conn(app)", "105"),
        ("fe_conn", "6"),
        ("srv_is_up(app/s1)", "1"),
        ("srv_conn(app/s1)", "4"),
        ("act_conn", "8"),
        ("dst_conn", "9"),
        ("hostname", "node1"),
        ("env(SITE)", "paris"),
        ("env(NOT_SET)", ""),
        ("env(NOT_SET),length", ""),
        ("date", "1714124398"),
        ("date(5,ms)", "1714124398779"),
        ("date_us", "774000"),
        ("rand(1000)", "537"),
        ("var(txn.n)", "7"),
        ("var(txn.none)", ""),
        ("var(txn.none,dflt)", "dflt"),
        ("var(proc.p)", "shared"),
        ("unique-id", "ABC:1"),
        ("http_first_req", "1"),
        ("ssl_fc", "0"),
        ("cur_client_timeout", "30000"),
        ("str(app),nbsrv", "103"),
        ("capture.req.method", "GET"),
        ("capture.req.uri", "/a/b?x=1"),
        ("capture.req.ver", "HTTP/1.1"),
        ("req.timer.tq", "74"),
        ("uuid,length", "36"),
    ];
    for (expr, want) in table {
        let format = format(&format!("%[{expr}]"), LfUse::Plain, Site::HttpRequest);
        assert_eq!(text(&format, &fixture), want, "{expr}");
    }
}

#[test]
fn server_side_facts_are_there_in_the_response() {
    let mut fixture = Fixture::request("GET", "/", &[]);
    let mut response = crate::http::Head::response(404, b"Not Found");
    response.add(b"Set-Cookie", b"a=1; path=/");
    response.add(b"Set-Cookie", b"b=2");
    response.add(b"X-N", b"12, 13");
    fixture.response = Some(response);
    let table = [
        ("status", "404"),
        ("res.ver", "1.1"),
        ("res.hdr(x-n)", "13"),
        ("res.hdr(x-n,1)", "12"),
        ("res.fhdr(x-n)", "12, 13"),
        ("res.hdr_cnt(x-n)", "2"),
        ("hdr(x-n)", "13"),
        ("cookie(b)", "2"),
        ("res.cook(a)", "1"),
        ("res.cook(b)", "2"),
        ("srv_name", "s1"),
        ("be_name", "app"),
        ("bc_src_port", "50000"),
        ("bc_dst", "198.51.100.9"),
        ("txn.conn_retries", "1"),
        ("bc.timer.connect", "3"),
    ];
    for (expr, want) in table {
        let format = format(&format!("%[{expr}]"), LfUse::Plain, Site::HttpResponse);
        assert_eq!(text(&format, &fixture), want, "{expr}");
    }
}

#[test]
fn users_are_known_by_password_and_group() {
    let machine = Machine::default();
    // ann:pw, ann:no, bob:secret
    let table = [
        ("Basic YW5uOnB3", "http_auth(people)", true),
        ("Basic YW5uOm5v", "http_auth(people)", false),
        ("Basic Ym9iOnNlY3JldA==", "http_auth(people)", true),
        ("basic YW5uOnB3", "http_auth_group(people) admins", true),
        ("Basic Ym9iOnNlY3JldA==", "http_auth_group(people) admins", false),
        ("Basic Ym9iOnNlY3JldA==", "http_auth_group(people) admins all", true),
        ("Basic YW5uOm5v", "http_auth_group(people) admins", false),
        ("Bearer t0ken", "http_auth_bearer -m str t0ken", true),
        ("Bearer t0ken", "http_auth(people)", false),
        ("nonsense", "http_auth(people)", false),
    ];
    for (credentials, criterion, want) in table {
        let fixture = Fixture::request("GET", "/", &[("Authorization", credentials)]);
        let cond = cond(&machine, &format!("{{ {criterion} }}"));
        assert_eq!(eval_cond(&cond, &fixture.ctx()), want, "{credentials} {criterion}");
    }
}

#[test]
fn pattern_and_map_files_are_read_once() {
    let machine = Machine {
        files: [
            ("nets.lst", "# office\n10.0.0.0/8\n  192.0.2.0/24\n\n"),
            ("hosts.map", "# host backend\nexample.com  one\nexample.org two three\n"),
            ("beg.map", "/a one\n/a/b two\n"),
            ("net.map", "192.0.0.0/8 wide\n192.0.2.0/24 narrow\n"),
            ("re.map", "^/u/([a-z]+) user-\\1\n"),
        ]
        .into(),
        ..Machine::default()
    };
    let fixture = Fixture::request("GET", "/a/b/c", &[("Host", "Example.com")]);
    assert!(eval_cond(&cond(&machine, "{ src -f nets.lst }"), &fixture.ctx()));
    assert!(!eval_cond(&cond(&machine, "{ src -f nets.lst } !{ src 192.0.2.33 }"), &fixture.ctx()));
    assert!(eval_cond(&cond(&machine, "{ hdr(host),lower -M -f hosts.map }"), &fixture.ctx()));
    let value = |expr: &str| {
        let mut language = language(&machine);
        let word = super::word(&format!("%[{expr}]"));
        let format = language.log_format(&word, LfUse::Plain, Site::HttpRequest).expect(expr);
        text(&format, &fixture)
    };
    assert_eq!(value("hdr(host),lower,map(hosts.map)"), "one");
    assert_eq!(value("hdr(host),map(hosts.map,none)"), "none");
    assert_eq!(value("str(example.org),map(hosts.map)"), "two three");
    assert_eq!(value("path,map_beg(beg.map)"), "two");
    assert_eq!(value("src,map_ip(net.map)"), "narrow");
    assert_eq!(value("str(/u/ann),map_regm(re.map)"), "user-ann");
}

#[test]
fn first_bytes_decide_or_ask_for_more() {
    use crate::expr::cond::{Decision, decide};
    let machine = Machine::default();
    // A TLS 1.2 record with a ClientHello for example.com.
    let hello = client_hello(b"example.com");
    let mut fixture = Fixture::request("GET", "/", &[]);
    fixture.http = false;
    let mut check = |data: &[u8], is_final: bool, text: &str| {
        fixture.data = data.to_vec();
        fixture.is_final = is_final;
        let mut language = language(&machine);
        let cond = language.cond(&words(&format!("if {text}")), Site::TcpContent).flatten().expect(text);
        decide(&cond, &fixture.ctx())
    };
    assert_eq!(check(&hello, false, "{ req.ssl_sni -i example.com }"), Decision::True);
    assert_eq!(check(&hello, false, "{ req.ssl_sni -m end .org }"), Decision::False);
    assert_eq!(check(&hello, false, "{ req.ssl_hello_type 1 }"), Decision::True);
    assert_eq!(check(&hello, false, "{ req.ssl_ver 3.3 }"), Decision::True);
    for cut in 0..hello.len() {
        assert_eq!(check(&hello[..cut], false, "{ req.ssl_sni example.com }"), Decision::NotYet, "{cut}");
        assert_eq!(check(&hello[..cut], true, "{ req.ssl_sni example.com }"), Decision::False, "{cut}");
    }
    assert_eq!(check(b"SSH-2.0", false, "{ req.ssl_hello_type 1 }"), Decision::False);
    assert_eq!(check(b"SSH-2.0", false, "{ req.payload(0,3) -m bin 535348 }"), Decision::True);
    assert_eq!(check(b"SS", false, "{ req.payload(0,3) -m bin 535348 }"), Decision::NotYet);
    assert_eq!(check(b"", false, "{ req.len gt 0 }"), Decision::NotYet);
    assert_eq!(check(b"x", false, "REQ_CONTENT"), Decision::True);
    assert_eq!(check(b"", false, "WAIT_END"), Decision::NotYet);
    assert_eq!(check(b"", false, "!WAIT_END"), Decision::NotYet);
    assert_eq!(check(b"", true, "WAIT_END"), Decision::True);
    assert_eq!(check(b"", false, "WAIT_END or { src 192.0.2.33 }"), Decision::True);
    assert_eq!(check(b"", false, "WAIT_END !{ src 192.0.2.33 }"), Decision::False);
}

fn client_hello(name: &[u8]) -> Vec<u8> {
    let be16 = |n: usize| u16::try_from(n).expect("short").to_be_bytes();
    let mut sni = vec![0];
    sni.extend(be16(name.len()));
    sni.extend(name);
    let mut extension = be16(sni.len()).to_vec();
    extension.extend(sni);
    let mut extensions = vec![0, 10, 0, 2, 0, 0, 0, 0];
    extensions.extend(be16(extension.len()));
    extensions.extend(extension);
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
    body.extend(be16(extensions.len()));
    body.extend(extensions);
    let mut handshake = vec![1, 0];
    handshake.extend(be16(body.len()));
    handshake.extend(body);
    let mut record = vec![0x16, 3, 1];
    record.extend(be16(handshake.len()));
    record.extend(handshake);
    record
}

#[test]
fn predefined_formats_have_their_form() {
    let mut fixture = Fixture::request("GET", "/a\"b", &[]);
    fixture.captures.request = vec![Some((*b"a|b").into()), None];
    fixture.captures.response = vec![Some((*b"x y").into())];
    let line = |kind: &LogFormatKind| text(of_kind(kind).expect("a format"), &fixture);
    assert_eq!(
        line(&LogFormatKind::Http),
        "192.0.2.33:40000 [26/Apr/2024:09:39:58.721] web app/s1 53/6/3/17/109 200 2750 - - ---- 8/6/105/4/1 2/3 \
         {a#7Cb|} {x y} \"GET /a#22b HTTP/1.1\""
    );
    assert_eq!(
        line(&LogFormatKind::Tcp),
        "192.0.2.33:40000 [26/Apr/2024:09:39:58.700] web app/s1 6/3/130 2750 -- 8/6/105/4/1 2/3"
    );
    assert_eq!(
        line(&LogFormatKind::Clf),
        "192.0.2.33 - - [26/Apr/2024:09:39:58 +0000] \"GET /a#22b HTTP/1.1\" 200 2750 \"\" \"\" 40000 700 \"web\" \
         \"app\" \"s1\" 53 6 3 17 109 ---- 8 6 105 4 1 2 3 \"\" \"\" \"a#7Cb\" \"\" \"x y\""
    );
    let mut out = Vec::new();
    logformat::write_connect(&fixture.ctx(), &mut out);
    assert_eq!(out, b"Connect from 192.0.2.33:40000 to 192.0.2.1:80 (web/HTTP)");
}

#[test]
fn predefined_formats_say_what_their_text_says() {
    let mut fixture = Fixture::request("POST", "/p?q", &[]);
    for captures in [0, 2] {
        fixture.captures.request = vec![None; captures];
        for kind in [LogFormatKind::Http, LogFormatKind::Tcp, LogFormatKind::Clf] {
            let built = of_kind(&kind).expect("a format");
            let written = format(&built.text, LfUse::Log, Site::Log);
            assert_eq!(text(built, &fixture), text(&written, &fixture), "{}", built.text);
        }
    }
}

#[test]
fn options_of_items_change_how_they_are_written() {
    let mut fixture = Fixture::request("GET", "/p?q=1", &[]);
    let id = VarName { scope: Scope::Txn, id: vars::id("e"), name: "e".into() };
    fixture.vars.set(&id, Value::Str((*b"a]\"\\b\n").into()));
    let table = [
        ("%{+X}ci:%{+X}cp", LfUse::Log, "C0000221:9C40"),
        ("%{+Q}o %b %{-Q}s", LfUse::Log, "\"app\" s1"),
        ("%[var(txn.none)]", LfUse::Log, "-"),
        ("%{-M}[var(txn.none)]|", LfUse::Log, "|"),
        ("%{+Q}[var(txn.s)]", LfUse::Log, "\"hello\""),
        ("%{+E}[var(txn.e)]", LfUse::Log, "a\\]\\\"\\\\b\n"),
        ("%[var(txn.e)]", LfUse::Http, "a]\"\\b%0A"),
        ("a   b %hr  c", LfUse::Log, "a b c"),
        ("a   b", LfUse::Plain, "a   b"),
        ("%HM %HP %HQ %HU %HV %HPO", LfUse::Log, "GET /p ?q=1 /p?q=1 HTTP/1.1 /p"),
        ("%{+X}pid %H %ID %rt %lc %ms %Ts", LfUse::Log, "1092 node1 ABC:1 10 11 700 1714124398"),
        (
            "%T %Tl %trg",
            LfUse::Log,
            "26/Apr/2024:09:39:58 +0000 26/Apr/2024:09:39:58 +0000 26/Apr/2024:09:39:58 +0000",
        ),
        ("%Th/%Ti/%Tq/%Td/%Tt/%Tu %U", LfUse::Log, "1/20/74/30/130/110 120"),
        ("100%%", LfUse::Log, "100%"),
    ];
    for (written, used, want) in table {
        assert_eq!(text(&format(written, used, Site::Log), &fixture), want, "{written}");
    }
}

#[test]
fn variables_are_dumped_with_their_scopes() {
    let mut f = Fixture::request("GET", "/", &[]);
    let set = |f: &mut Fixture, scope, name: &str, value| {
        f.vars.set(&VarName { scope, id: vars::id(name), name: name.into() }, value);
    };
    set(&mut f, Scope::Req, "yes", Value::Bool(true));
    set(&mut f, Scope::Req, "ip", Value::Ipv4([192, 0, 2, 1].into()));
    set(&mut f, Scope::Res, "early", Value::Bool(true));
    set(&mut f, Scope::Sess, "odd", Value::Str((*b"a\"b\\c\r\n\0").into()));
    let longer = r#"sess.odd="a\"b\\c\r\n\0", txn.n=7, txn.s="hello", txn.key="c2VjcmV0", "#;
    let check = |f: &Fixture, line: &str, want: &str| {
        let format = format(&format!("%[{line}]"), LfUse::Plain, Site::HttpRequest);
        assert_eq!(text(&format, f), want, "{line}");
    };
    check(&f, "dump_all_vars", r#"txn.n=7, txn.s="hello", txn.key="c2VjcmV0""#);
    check(&f, "dump_all_vars()", &format!("{longer}req.yes=true, req.ip=192.0.2.1"));
    check(&f, "dump_all_vars(req,,|)", "req.yes=true|req.ip=192.0.2.1");
    check(&f, "dump_all_vars(txn,k)", r#"txn.key="c2VjcmV0""#);
    check(&f, "dump_all_vars(proc,no)", "");
    f.vars.answer();
    set(&mut f, Scope::Res, "raw", Value::Bin([0x48, 0xff].into()));
    set(&mut f, Scope::Res, "how", Value::Meth((*b"GET").into()));
    check(&f, "dump_all_vars()", &format!(r#"{longer}res.raw=48FF, res.how="GET""#));
}

#[test]
fn variables_of_the_response_take_the_place_of_the_requests() {
    let mut f = Fixture::request("GET", "/", &[]);
    let check = |f: &mut Fixture, expected: [&str; 5]| {
        let set = ["str(a),set-var(req.n),length", "str(a),set-var(res.n),length"];
        let read = ["var(req.n,none)", "var(res.n,none)", "var(txn.none,none)"];
        for (expr, want) in set.into_iter().chain(read).zip(expected) {
            let format = format(&format!("%[{expr}]"), LfUse::Plain, Site::HttpRequest);
            assert_eq!(text(&format, f), want, "{expr}");
        }
    };
    check(&mut f, ["1", "", "a", "", "none"]);
    f.vars.answer();
    check(&mut f, ["", "1", "", "a", "none"]);
    f.vars.start_over();
    check(&mut f, ["1", "", "a", "", "none"]);
    // A connection that no request came on has none of them, and no default either.
    f.vars.start_over();
    f.is_streamless = true;
    check(&mut f, ["", "", "", "", ""]);
}

#[test]
fn scopes_of_a_parent_stream_are_never_there() {
    let mut fixture = Fixture::request("GET", "/", &[]);
    for scope in ["psess", "ptxn", "preq", "pres"] {
        let name = crate::lower::expr::variable(&format!("{scope}.n")).unwrap();
        fixture.vars.set(&name, Value::Int(1));
        for (expr, want) in [
            (format!("var({scope}.n)"), ""),
            (format!("var({scope}.n,none)"), ""),
            (format!("str(a),set-var({scope}.n),length"), ""),
            (format!("str(a),unset-var({scope}.n),length"), ""),
            (format!("int(1),add({scope}.n)"), ""),
        ] {
            let format = format(&std::format!("%[{expr}]"), LfUse::Plain, Site::HttpRequest);
            assert_eq!(text(&format, &fixture), want, "{expr}");
        }
    }
}

#[test]
fn odd_messages_yield_what_they_yield_to_haproxy() {
    let headers = [("X-Long", "99999999999999999999"), ("X-Low", "-4294967297"), ("X-Plus", "+5")];
    let mut headers = headers.to_vec();
    headers.push(("Cookie", "d="));
    let fixture = Fixture::request("GET", "/a?n=4294967298", &headers);
    for (expr, want) in [
        // 32 bits that wrap around.
        ("req.hdr_val(x-long)", "1661992959"),
        ("req.hdr_val(x-low)", "-1"),
        ("req.hdr_val(x-plus)", "0"),
        ("urlp_val(n)", "2"),
        // A line that ends with `=` is not looked into.
        ("req.cook(d),length", ""),
        ("req.cook_cnt(d)", "0"),
        // Part of a text is a text, and may be a number.
        ("str(1234),bytes(1,2),set-var(txn.part),length", "2"),
    ] {
        let format = format(&format!("%[{expr}]"), LfUse::Plain, Site::HttpRequest);
        assert_eq!(text(&format, &fixture), want, "{expr}");
    }
}
