//! What fetches and converters come to: every expression of the table with requests of many shapes, in HAProxy and in ours.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::lab::{Config, Lab, Part, Program, beside, proxy};

use super::PATIENCE;

/// Of a request.
const REQUEST: &[&str] = &[
    "always_false always_true bin(616263) bool(true) bool(false) avg_queue(o)",
    "env(HOME) env(NOT_SET) int(7) int(-7) ipv4(10.0.0.1) ipv6(::1) ipv6(::ffff:10.0.0.1) meth(GET) meth(FOO) nbsrv(o)",
    "queue(o) srv_is_up(o/one) srv_queue(o/one) srv_weight(o/one) srv_uweight(o/one)",
    "srv_iweight(o/one) str(abc) str() stopping var(txn.a) var(txn.none) var(proc.p) dst",
    "dst_port dst_is_local fe_defbe fe_id fe_name so_name so_id src src_is_local src_port,bool fc_src fc_dst fc_http_major",
    "fc_rcvd_proxy fc_pp_authority fc_pp_unique_id fc_err fc_err_str fe_client_timeout",
    "nbproc prio_class prio_offset uuid,length rand(1) ssl_fc base base32",
    "baseq capture.req.hdr(0) capture.req.hdr(1) capture.req.method capture.req.uri capture.req.ver cook(A) cook(none)",
    "cook_cnt(A) cook_val(N) cook_cnt cook hdr(x-b) hdr(x-b,1) hdr(x-b,-1) hdr(x-b,3) hdr(x-b,-4) hdr(x-none) hdr(cookie)",
    "hdr_cnt hdr_cnt(x-b) hdr_ip(x-ip) hdr_ip(x-ips,2) hdr_ip(x-ips,-1) hdr_val(x-n) hdr_val(x-b) hdr(host)",
    "hdr(host),host_only hdr(host),port_only http_auth_type http_auth_user http_auth_pass http_auth_bearer",
    "http_auth_bearer(x-b) http_auth(u) http_auth_group(u) http_first_req method path pathq query url_param(x)",
    "url_param(none) url_param urlp(x) urlp(y) urlp(z) urlp(x,;) urlp(z,;) urlp_val(x) url url32 base32+src,hex url32+src,hex url_ip url_port req.body",
    "req.body_len req.body_size req.body_param(a) req.body_param(b) req.body_param req.cook(A) req.cook_cnt(A)",
    "req.cook_val(N) req.fhdr(x-b) req.fhdr(x-b,1) req.fhdr(x-b,-1) req.fhdr(x-b,2) req.fhdr_cnt(x-b) req.fhdr_cnt",
    "req.hdr(x-b) req.hdr(none) req.hdr_cnt(x-b) req.hdr_ip(x-ip) req.hdr_val(x-n) req.hdr_names req.hdr_names(|)",
    "req.hdrs_bin,hex req.hdrs,hex req.proto_http req.ver req_proto_http req_ver req.len req_len req.payload(0,3)",
    "req.payload(0,0) req.payload_lv(0,1) payload(0,3) payload_lv(0,1) req.rdp_cookie(a) rdp_cookie(a) rdp_cookie_cnt(a)",
    "req.ssl_hello_type req.ssl_sni req.ssl_ver req.ssl_alpn req.ssl_ec_ext req_ssl_sni wait_end method,lower",
    "path,length path,field(2,/) path,word(1,/) path,field(-1,.) url,crc32 url,sdbm url,djb2 url,wt6 url,url_dec",
    "query,url_dec(1) hdr(user-agent),upper hdr(x-lang),language(fr;en;de,none) hdr(x-lang),language(pt) src,ipmask(8)",
    "src,ipmask(24,64) hdr(x-json),json_query('$.a') hdr(x-json),json_query('$.b[1]') hdr(x-json),json_query('$.c.d')",
    "hdr(x-json),json_query('$.none') hdr(x-json),json_query('$.e') hdr(x-json),json_query('$.e',int)",
    "hdr(x-json),json_query('$.f') hdr(x-json),json hdr(x-json),json(utf8s) hdr(x-bad),json(utf8s) hdr(x-bad),json(utf8p)",
    "hdr(x-bad),json(utf8) hdr(x-bad),json(ascii) hdr(x-bad),url_enc",
];

/// Of a response.
const RESPONSE: &[&str] = &[
    "shdr(x-r) scook(WHO) always_true int(3) be_name fe_name be_server_timeout be_tunnel_timeout cur_server_timeout",
    "cur_tunnel_timeout fe_client_timeout var(txn.a) capture.req.hdr(0) capture.req.method capture.req.uri capture.req.ver",
    "capture.res.hdr(0) capture.res.ver res.body res.body_len res.body_size res.cook(WHO) res.cook(none) res.cook",
    "res.cook(path) res.cook_cnt res.cook_cnt(WHO) res.cook_cnt(path) res.cook_val(V) scook_cnt(V) scook_val(V)",
    "shdr_cnt(x-r) shdr_ip(x-i) shdr_val(x-v) shdr_ip(x-v) res.fhdr(x-r) res.fhdr(x-r,1) res.fhdr(x-r,-1) res.fhdr_cnt(x-r)",
    "res.hdr(x-r) res.hdr(x-r,1) res.hdr(x-r,2) res.hdr(x-r,-1) res.hdr(x-r,-3) res.hdr_cnt(x-r) res.hdr_ip(x-i)",
    "res.hdr_val(x-v) res.hdr(expires) res.fhdr(expires) res.payload(0,2) res.ver resp_ver srv_id srv_name",
    "bc_http_major bc_dst status status,div(100) wait_end res.len method req.proto_http src",
    "dst so_name rand(1) res.hdr(x-r),length res.hdr(set-cookie),field(1,=) res.hdr_cnt",
];

/// Values that go through every converter of the list behind them.
const MATRIX: &[(&str, &str)] = &[
    (
        "int(0) int(1) int(-1) int(7) int(-7) int(255) int(256) int(65536) int(9223372036854775807) int(-9223372036854775808)",
        "add(1) sub(1) mul(2) div(3) div(0) mod(3) mod(0) mod(-1) div(-1) neg cpl not bool odd even and(6) or(8) xor(3) hex \
         hex2i length htonl,hex bytes(1) bytes(0,2) iif(a,b) lower crc32 upper",
    ),
    (
        "int(0) int(1700000000) str(abc) str(1234567890)",
        "http_date http_date(0) http_date(0,s) http_date(3600) utime(%F_%T) ltime(%Y) utime(%s)",
    ),
    (
        "str(abc) str() str('ABC_def') str('a,b,,c') str('%41+b%zz') str('__x__') str(0x1F) str(12abc) str(-5) str(YWJj) \
         str(YWJj=) str(a.b.c:80) str([::1]:8080) str(10.1.2.3) str(2001:db8::1) str(/a/b/c) str(true) str(00ff) str(café) \
         str('a?a=1&b=2') str('\\\"q\\\"') str('a\\\\b')",
        "lower upper length hex base64 b64dec ub64enc ub64dec crc32 crc32(1) crc32c sdbm sdbm(1) djb2 djb2(1) wt6 wt6(1) \
         xxh32 xxh32(3) xxh64 xxh3 bytes(1) bytes(0,2) bytes(9) bytes(2,9) field(1,.) field(2,.) field(-1,.) field(9,.) \
         field(1,.,2) field(2,.,0) field(-1,.,2) word(1,.) word(2,.) word(-1,.) word(1,.,2) word(2,.,0) url_dec url_dec(1) \
         url_enc json json(utf8) json(ascii) json(utf8s) json(utf8p) rtrim(c) ltrim(a) rtrim(_) ltrim(_) regsub(a,X) \
         regsub(a,X,g) regsub([a-c],<&>,g) strcmp(txn.a) concat(-,txn.a,+) concat(x) add_item(;,txn.a) \
         add_item(;,txn.none,z) iif(y,n) bool not add(1) hex2i host_only port_only ipmask(24) ipmask(16,32) language(abc) \
         digest(sha256),hex digest(md5),hex hmac(sha1,a2V5),hex sha1,hex sha2,hex sha2(512),hex secure_memcmp(txn.a) \
         mqtt_is_valid fix_is_valid cut_crlf be2dec(:,1) be2hex(:,1) be2hex(:,2,1) be2hex(,2) ungrpc(1) \
         protobuf(1) json_query($.a) map_str(none.map,no) set-var(txn.q),length unset-var(txn.q) capture-req(0) nbsrv \
         srv_queue htonl,hex even neg upper,lower,hex bytes(1),bytes(1) length,add(1),hex",
    ),
    ("ipv4(10.1.2.3) ipv6(2001:db8::1)", "ipmask(8) ipmask(255.255.0.0) ipmask(8,32)"),
    ("ipv4(10.1.2.3) bool(true) bool(false)", "add(1) not"),
    (
        "ipv4(10.1.2.3) ipv6(2001:db8::1) bool(true) bool(false) bin(00ff10) bin(000102030405) bin(61620d0a) meth(GET)",
        "hex crc32 length upper,hex base64 be2dec(:,1) be2dec(:,2,1) be2hex(:,1) be2hex(-,2) bytes(1,1),hex cut_crlf \
         lower,length",
    ),
    (
        "str('{\\\"a\\\":{\\\"b\\\":[1,2.5,\\\"x\\\",true,null,1234567,-0.00001]}}')",
        "json_query('$.a.b[0]') json_query('$.a.b[1]') json_query('$.a.b[2]') json_query('$.a.b[3]') json_query('$.a.b[4]') \
         json_query('$.a.b[5]') json_query('$.a.b[6]') json_query('$.a.b[1]',int) json_query('$.a')",
    ),
];

/// Where ours is not what HAProxy 2.6 comes to, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("int(-1),sub(1)", "as 3.5: below zero is no overflow"),
    ("int(-7),sub(1)", "as 3.5"),
    ("int(9223372036854775807),bytes(0,2)", "as 3.5: what a file of a reply holds is not encoded"),
    ("str(0x1F),b64dec", "as 3.5, the same"),
    ("str(0x1F),ub64dec", "as 3.5, the same"),
    ("mqtt_is_valid", "as 3.5: half a message is none yet"),
    ("urlp_val(x)", "as 3.5: only digits are digits"),
];

/// Requests by name. `END`: the body follows.
const SHAPES: &[(&str, &str)] = &[
    ("get", "GET /a.css?x=1&y=2 HTTP/1.1\nHost: h:80\n+"),
    (
        "post",
        "POST /b/c.php?x=12z&z=%41;z=q HTTP/1.1\nHost: h.example\nAuthorization: Basic YW5uOnB3\n+\
         Content-Type: application/x-www-form-urlencoded\nContent-Length: 7\nEND\na=1&b=2",
    ),
    (
        "chunked",
        "POST /b HTTP/1.1\nHost: h\nAuthorization: Bearer tok.en\nTransfer-Encoding: chunked\n\
         Content-Type: application/x-www-form-urlencoded\nEND\n3\na=1\n4\n&b=2\n0\n\n",
    ),
    ("absolute", "GET http://10.1.2.3:8080/a/b?x=1 HTTP/1.1\nHost: 10.1.2.3:8080\n+"),
    ("absolute, no port", "GET http://10.1.2.3/a/b?X=1 HTTP/1.1\nHost: 10.1.2.3\n"),
    ("absolute, name", "GET http://localhost.example/p HTTP/1.1\nHost: localhost.example\n+"),
    ("absolute, IPv6", "GET https://[::1]:90/p HTTP/1.1\nHost: [::1]:90\n"),
    ("old", "GET /old HTTP/1.0\n"),
    ("star", "OPTIONS * HTTP/1.1\nHost: s\n"),
    (
        "odd",
        "GET /a;p=1?x=%20a&x&=&y==2;z=3 HTTP/1.1\nHost: h\nCookie: a=1;;A=\"q;r\"; N; N=\nX-Bad: caf\u{e9} \u{ff}\"\\\n\
         X-B: \"a,b\",c\nX-N: 9x\nX-Ip: 10.0.0.300\nAuthorization: basic QUFB\n",
    ),
    (
        "poor",
        "PUT // HTTP/1.1\nHost: h\nAuthorization: Digest foo\nX-B:\nX-Ip: ::1\nX-Json: {bad\nContent-Length: 0\n",
    ),
];

/// Headers that stand where a shape has a `+`.
const MORE: &str = "X-B: a, b\nX-B: c\nX-Ip: 10.0.0.9\nX-Ips: 1.2.3.4, junk, ::1\nX-N: 17\nCookie: A=v; N=12; A=w\n\
                    User-Agent: Mozilla/5.0 (x)\nX-Lang: da, en-gb;q=0.8, fr;q=0.7\n\
                    X-Json: {\"a\":1,\"b\":[1,\"two\"],\"c\":{\"d\":true},\"e\":1.50,\"f\":1e7}\n";

fn words<'t>(lines: &[&'t str]) -> Vec<&'t str> {
    lines.iter().flat_map(|line| line.split_ascii_whitespace()).collect()
}

fn constants() -> Vec<String> {
    let of = |(values, converters): &(&str, &str)| -> Vec<String> {
        let converters = words(&[converters]);
        let through = |value: &str| converters.iter().map(|c| format!("{value},{c}")).collect::<Vec<_>>();
        words(&[values]).into_iter().flat_map(through).collect()
    };
    MATRIX.iter().flat_map(of).collect()
}

/// A file of a reply with one line for each expression.
fn reply(expressions: &[impl AsRef<str>]) -> String {
    expressions.iter().enumerate().map(|(at, e)| format!("{at}<%[{}]>\n", e.as_ref())).collect()
}

/// What stands between the marks of [`reply`].
fn values(text: &str, count: usize) -> Vec<String> {
    let mut rest = text;
    let mut take = |at: usize| {
        let start = rest.find(&format!("{at}<"))? + format!("{at}<").len();
        let end = rest[start..]
            .find(&format!(">\n{}", if at + 1 < count { format!("{}<", at + 1) } else { String::new() }))?;
        let value = rest[start..start + end].to_owned();
        rest = &rest[start + end + 2..];
        Some(value)
    };
    (0..count).map(|at| take(at).unwrap_or_else(|| panic!("no value {at}: {text}"))).collect()
}

/// Expression and value by shape, each with a name of its own.
fn observe(lab: &Lab, name: &str, program: &Program) -> Vec<(String, String)> {
    let host = lab.host(name);
    let (request, response, constant) = (words(REQUEST), words(RESPONSE), constants());
    let batches: Vec<&[String]> = constant.chunks(400).collect();
    host.file("none.map", "a b\n");
    let request_file = host.file("request.lf", reply(&request));
    let mut config = format!(
        "global\n    tune.bufsize 131072\n    set-var proc.p str(pp)\n\
         userlist u\n    group g1\n    user ann insecure-password pw groups g1\n\
         defaults\n    mode http\n    timeout client 5s\n    timeout server 5s\n    timeout connect 5s\n\
         option http-buffer-request\n\
         frontend f\n    id 11\n    bind 127.0.0.1:8501 name door id 5\n    capture request header x-b len 9\n\
         capture request header x-none len 9\n    capture response header x-r len 9\n\
         http-request set-var(txn.a) str(va)\n\
         http-request return status 200 content-type text/plain lf-file {} if {{ hdr(x-stage) request }}\n",
        request_file.display()
    );
    for (at, batch) in batches.iter().enumerate() {
        let text = reply(batch).replace("none.map", &host.dir().join("none.map").display().to_string());
        let file = host.file(&format!("{at}.lf"), &text);
        config += &format!(
            "http-request return status 200 content-type text/plain lf-file {} if {{ hdr(x-stage) c{at} }}\n",
            file.display()
        );
    }
    let quoted = |e: &str| format!("<%[{e}]>").replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$");
    for (at, e) in response.iter().enumerate() {
        config += &format!("http-response set-header r{at} \"{}\"\n", quoted(e));
    }
    config += "default_backend o\n\
               backend o\n    id 12\n    server one 127.0.0.1:8502 id 7\n\
               frontend origin\n    id 13\n    bind 127.0.0.1:8502\n    http-request return status 201 hdr X-R \"one, two\" \
               hdr X-R three hdr X-I 10.1.1.1 hdr X-V 42 hdr Expires \"Wed, 21 Oct 2015 07:28:00 GMT\" \
               hdr Set-Cookie \"WHO=me; path=/; Secure\" hdr Set-Cookie V=12 content-type text/x string hello\n";
    let config = Config::written(&host, "haproxy.cfg", &config);
    let _running = host.haproxy_bound(program, &config);
    let ask = |shape: &str, stage: &str| -> String {
        let (head, body) = shape.split_once("END\n").unwrap_or((shape, ""));
        let head = head.replace('+', MORE) + &format!("X-Stage: {stage}\nConnection: close\n\n");
        let bytes: Vec<u8> =
            (head + body).replace('\n', "\r\n").chars().map(|c| u8::try_from(c).unwrap()).collect();
        host.run(|| {
            let mut stream = TcpStream::connect("127.0.0.1:8501").unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(&bytes).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            answer.into_iter().map(char::from).collect()
        })
    };
    let mut out = Vec::new();
    let mut keep = |shape: &str, expressions: &[&str], values: Vec<String>| {
        out.extend(expressions.iter().zip(values).map(|(e, value)| (format!("{shape}: {e}"), value)));
    };
    for (shape, text) in SHAPES {
        let answer = ask(text, "request");
        keep(shape, &request, values(&answer, request.len()));
        let answer = ask(text, "response");
        let header = |at: usize| {
            let start = answer.find(&format!("\r\nr{at}: <")).unwrap_or_else(|| panic!("no r{at}: {answer}"));
            let value = &answer[start + format!("\r\nr{at}: <").len()..];
            value[..value.find(">\r\n").unwrap()].to_owned()
        };
        keep(shape, &response, (0..response.len()).map(header).collect());
    }
    for (at, batch) in batches.iter().enumerate() {
        let answer = ask(SHAPES[0].1, &format!("c{at}"));
        let names: Vec<&str> = batch.iter().map(String::as_str).collect();
        keep("constant", &names, values(&answer, batch.len()));
    }
    out
}

#[test]
fn fetches_and_converters_come_to_what_haproxys_do() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| observe(&lab, name, program));
    assert_eq!(ours.len(), theirs.len());
    assert!(ours.len() > 5000, "{}", ours.len());
    let known = |name: &str| DIFFERENT.iter().any(|(end, _)| name.ends_with(end));
    let wrong: Vec<String> = ours
        .iter()
        .zip(&theirs)
        .filter(|(ours, theirs)| ours != theirs && !known(&ours.0))
        .map(|((name, ours), (_, theirs))| format!("{name}: {ours:?} instead of {theirs:?}"))
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), ours.len(), wrong.join("\n"));
}
