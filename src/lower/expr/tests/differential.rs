//! The same expressions and conditions, evaluated here and by the real HAProxy.
//!
//! One HAProxy answers every case: the request says which, and the answer's body is the value.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Fixture, Machine, cond, format};
use crate::expr::{eval_cond, logformat};
use crate::lower::expr::{LfUse, Site};

const URI: &str = "/api/v1/Users/42.html?name=ann&n=12&empty=&name=bob;last=x%20y";

const HEADERS: &[(&str, &str)] = &[
    ("Host", "www.Example.com:8080"),
    ("User-Agent", "Mozilla/5.0 (X11; \"quoted, comma\")"),
    ("X-Forwarded-For", "203.0.113.7, 10.1.2.3:1234 ,2001:db8::1"),
    ("X-Forwarded-For", "198.51.100.20"),
    ("X-List", "one, two ,three,,\"a,b\", five"),
    ("X-N", "12abc"),
    ("X-Empty", ""),
    ("Cookie", "sid=abc123; theme = dark ;n=77"),
    ("Cookie", "sid=second; quoted=\"a;b\""),
    ("Accept-Language", "da, en-GB;q=0.8, en;q=0.7, fr;q=0.9"),
    ("Authorization", "Basic YW5uOnB3"),
    ("X-Enc", "a%20b+c%2Fd?e+f"),
    ("X-B64", "SGVsbG8gd29ybGQ="),
    ("X-Json", "{\"a\":{\"b\":[1,2,{\"c\":\"text\"}]},\"t\":true,\"f\":1.5,\"i\":42}"),
    ("X-Time", "1714124398"),
    ("X-Ip", "10.1.2.3:80,10.1.2.3:99999,010.1.2.3,10.1.2.3/8,10.1.2.3x,[::1]:80,10.1.2"),
    ("X-Crlf", "line"),
];

/// Expressions whose value depends on the request alone.
const EXPRESSIONS: &[&str] = &[
    "str(abc),xxh3",
    "bool(1),xor(1),hex",
    "str(host:99999),port_only",
    "str(host:8x),port_only",
    "str(host:-1),port_only",
    "str(host:4294967300),port_only",
    "str(host:),port_only",
    "bool(1),and(1)",
    "bool(0),add(1),sub(1),hex",
    "bool(1),add(4)",
    "bool(1),neg",
    "str(abc),set-var(check.set),length",
    "str(abc),unset-var(check.set),length",
    "var(check.set)",
    "str(abc),xxh3(7)",
    "str(abc),xxh64",
    "str(abc),xxh64(3)",
    "str(abc),cut_crlf",
    "str(abc),unset-var(txn.none)",
    "req.hdr(x-time),ltime(%Y-%m-%d)",
    "str(eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJtZSIsIm4iOjV9.c2ln),jwt_header_query($.alg)",
    "str(eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJtZSIsIm4iOjV9.c2ln),jwt_payload_query($.iss)",
    "str(eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJtZSIsIm4iOjV9.c2ln),jwt_payload_query($.n)",
    "str(eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJtZSIsIm4iOjV9.c2ln),jwt_verify(HS256,secret)",
    "bin(101800044d5154540502003c032100140008746573745f737562),mqtt_is_valid",
    "bin(101800044d5154540502003c032100140008746573745f737562),mqtt_field_value(connect,client_identifier)",
    "bin(101800044d5154540502003c032100140008746573745f737562),mqtt_field_value(connect,protocol_version)",
    "bin(101800044d5154540502003c032100140008746573745f737562),mqtt_field_value(connect,username)",
    "bin(d000),mqtt_is_valid",
    "bin(c000),mqtt_is_valid",
    "bin(089601),protobuf(1,uint64)",
    "bin(089601),protobuf(1,sint64)",
    "bin(089601),protobuf(2,uint64)",
    "bin(120474657374),protobuf(2)",
    "bin(0000000003089601),ungrpc(1,uint64)",
    "str(x),capture-req(7)",
    "str(x),nbsrv",
    "str(nobody),nbsrv",
    "method",
    "url",
    "path",
    "pathq",
    "query",
    "base",
    "baseq",
    "base32",
    "url32",
    "req.ver",
    "url_param(name)",
    "url_param(n)",
    "url_param(empty)",
    "url_param(nothing)",
    "url_param",
    "urlp(last)",
    "urlp_val(n)",
    "req.hdr(host)",
    "req.hdr(HOST)",
    "req.hdr(x-list)",
    "req.hdr(x-list,1)",
    "req.hdr(x-list,2)",
    "req.hdr(x-list,4)",
    "req.hdr(x-list,-1)",
    "req.hdr(x-list,-2)",
    "req.hdr(x-list,-9)",
    "req.hdr(x-list,9)",
    "req.fhdr(x-list)",
    "req.fhdr(x-forwarded-for,1)",
    "req.hdr(user-agent)",
    "req.fhdr(user-agent)",
    "req.hdr(x-empty)",
    "req.hdr(nothing)",
    "req.hdr_cnt(x-list)",
    "req.hdr_cnt(x-forwarded-for)",
    "req.fhdr_cnt(x-forwarded-for)",
    "req.hdr_cnt(nothing)",
    "req.hdr_ip(x-forwarded-for)",
    "req.hdr_ip(x-forwarded-for,1)",
    "req.hdr_ip(x-forwarded-for,2)",
    "req.hdr_ip(x-forwarded-for,3)",
    "req.hdr_val(x-n)",
    "req.hdr_val(x-list)",
    "req.hdr_names",
    "req.hdr_names(;)",
    "req.cook(sid)",
    "req.cook(theme)",
    "req.cook(n)",
    "req.cook(quoted)",
    "req.cook(SID)",
    "req.cook(nothing)",
    "req.cook_cnt(sid)",
    "req.cook_cnt",
    "req.cook_val(n)",
    "cook(sid)",
    "http_auth_user",
    "http_auth_pass",
    "http_auth_type",
    "capture.req.method",
    "capture.req.uri",
    "capture.req.ver",
    "src",
    "dst_port",
    "fe_name",
    "req.hdr(host),lower",
    "req.hdr(host),upper",
    "req.hdr(host),length",
    "path,bytes(0,4)",
    "path,bytes(5)",
    "path,bytes(100)",
    "path,field(2,/)",
    "path,field(1,/)",
    "path,field(-1,/)",
    "path,field(-2,/)",
    "path,field(2,/,2)",
    "path,field(2,/,0)",
    "path,field(-2,/,0)",
    "path,field(-1,/,2)",
    "path,field(9,/)",
    "path,field(3,./)",
    "path,word(1,/)",
    "path,word(2,/)",
    "path,word(-1,/)",
    "path,word(-2,/,2)",
    "path,word(2,/,2)",
    "path,word(2,/,0)",
    "path,word(9,/)",
    "str(//a//b//c//),word(2,/)",
    "str(//a//b//c//),word(2,/,0)",
    "str(//a//b//c//),word(-2,/)",
    "str(//a//b//c//),word(-2,/,0)",
    "str(//a//b//c//),word(-2,/,2)",
    "str(//a//b//c//),field(4,/,2)",
    "str(//a//b//c//),field(-4,/,3)",
    "path,regsub(/v1/,/v2/)",
    "path,regsub([a-z],x)",
    "path,regsub([a-z],x,g)",
    "path,regsub(USERS,people,i)",
    "path,regsub(nothing,x)",
    "str(aaa),regsub(a*,b,g)",
    "str(abc),regsub(x*,-,g)",
    "path,concat(-,txn.s,-end)",
    "path,concat(,txn.n,)",
    "path,concat(a,txn.none,b)",
    "str(a),add_item(;,txn.s)",
    "str(),add_item(;,txn.s)",
    "str(a),add_item(;,txn.none)",
    "str(a),add_item(;,txn.none,z)",
    "str(a),add_item(;,,z)",
    "str(hello),strcmp(txn.s)",
    "str(hallo),strcmp(txn.s)",
    "str(hell),strcmp(txn.s)",
    "str(hellooo),strcmp(txn.s)",
    "str(hello),secure_memcmp(txn.s)",
    "str(hullo),secure_memcmp(txn.s)",
    "req.hdr(host),host_only",
    "req.hdr(host),port_only",
    "str([::1]:80),host_only",
    "str([::1]:80),port_only",
    "str(::1),host_only",
    "str(a),port_only",
    "str(  x  ),ltrim( )",
    "str(xxabxx),rtrim(x)",
    "str(xxabxx),ltrim(x),rtrim(x)",
    "req.hdr(accept-language)",
    "req.fhdr(accept-language),language(en;fr)",
    "req.fhdr(accept-language),language(de;es,de)",
    "req.fhdr(accept-language),language(en-GB;da)",
    "req.fhdr(accept-language),language(de;es)",
    "req.hdr(x-enc),url_dec",
    "req.hdr(x-enc),url_dec(1)",
    "str(a%2),url_dec",
    "str(a b/c?d~e),url_enc",
    "req.hdr(x-b64),b64dec",
    "str(Hello world!),base64",
    "str(Hello??>>),ub64enc",
    "str(SGVsbG8_Pz4-),ub64dec",
    "str(Hello),hex",
    "str(1fF),hex2i",
    "str(xyz),hex2i",
    "str(Hello),sha1,hex",
    "str(Hello),sha2,hex",
    "str(Hello),sha2(224),hex",
    "str(Hello),sha2(384),hex",
    "str(Hello),sha2(512),hex",
    "str(Hello),digest(md5),hex",
    "str(Hello),digest(sha256),hex",
    "str(Hello),hmac(sha256,c2VjcmV0),hex",
    "str(Hello),hmac(sha1,txn.key),hex",
    "str(Hello),crc32",
    "str(Hello),crc32(1)",
    "str(Hello),crc32c",
    "str(Hello),djb2",
    "str(Hello),sdbm",
    "str(Hello),sdbm(1)",
    "str(Hello),wt6",
    "str(Hello),bytes(1,3)",
    "str(Hello),be2dec(.,2)",
    "str(Hello),be2dec(.,2,1)",
    "str(Hello),be2hex(:,2)",
    "str(Hello),be2hex(:,2,1)",
    "str(Hello),be2hex()",
    "int(256),htonl,hex",
    "int(-1),htonl,hex",
    "int(12),hex",
    "bool(1),hex",
    "src,hex",
    "int(6),add(3)",
    "int(6),add(txn.n)",
    "int(6),add(txn.none)",
    "int(6),sub(9)",
    "int(6),mul(-7)",
    "int(6),div(4)",
    "int(-7),div(2)",
    "int(6),div(0)",
    "int(-7),mod(3)",
    "int(6),mod(0)",
    "int(6),and(3)",
    "int(6),or(9)",
    "int(6),xor(3)",
    "int(6),cpl",
    "int(6),neg",
    "int(6),not",
    "int(0),not",
    "int(6),bool",
    "int(6),odd",
    "int(6),even",
    "int(9223372036854775807),add(1)",
    "int(-9223372036854775807),sub(5)",
    "int(0),iif(yes,no)",
    "int(5),bool,iif(yes,no)",
    "str(42abc),add(1)",
    "str(abc),add(1)",
    "str(),add(1)",
    "req.hdr(x-n),add(1)",
    "str(10.1.2.3),ipmask(24)",
    "str(10.1.2.3:80),ipmask(24)",
    "str(10.1.2.3/8),ipmask(24)",
    "str(10.1.2.3x),ipmask(24)",
    "str(\"10.1.2.3, 10.4.5.6\"),ipmask(24)",
    "str(010.1.02.0003),ipmask(32)",
    "str(10.1.2),ipmask(32)",
    "str(10.1.2.),ipmask(32)",
    "str(10.1.2.3.),ipmask(32)",
    "str(10.1.2.3.4),ipmask(32)",
    "str(10..2.3),ipmask(32)",
    "str(10.1.2.256),ipmask(32)",
    "str(\" 10.1.2.3\"),ipmask(32)",
    "str(2001:db8::1x),ipmask(32,128)",
    "req.hdr_ip(x-ip,1)",
    "req.hdr_ip(x-ip,2)",
    "req.hdr_ip(x-ip,3)",
    "req.hdr_ip(x-ip,4)",
    "req.hdr_ip(x-ip,5)",
    "req.hdr_ip(x-ip,6)",
    "req.hdr_ip(x-ip,7)",
    "str(10.1.2.3),ipmask(255.255.0.0)",
    "str(2001:db8:1:2::3),ipmask(24,32)",
    "str(2001:db8:1:2::3),ipmask(24)",
    "str(::ffff:10.1.2.3),ipmask(8)",
    "str(a/b\\\\c\\\"d),json(ascii)",
    "str(a/b),json(utf8s)",
    "req.fhdr(x-json),json_query($.a.b[1])",
    "req.fhdr(x-json),json_query($.a.b[2].c)",
    "req.fhdr(x-json),json_query($.t)",
    "req.fhdr(x-json),json_query($.f)",
    "req.fhdr(x-json),json_query($.i,int)",
    "req.fhdr(x-json),json_query($.none)",
    "req.hdr(x-time),http_date",
    "req.hdr(x-time),http_date(60)",
    "int(1714124398774),http_date(0,ms)",
    "req.hdr(x-time),utime(%Y-%m-%dT%H:%M:%SZ)",
    "req.hdr(x-time),utime(%d/%b/%y %a %j,3600)",
    "var(txn.n)",
    "var(txn.s)",
    "var(txn.none)",
    "var(txn.none,fallback)",
    "var(txn.s),length",
    "var(txn.s),upper,bytes(1,2)",
    "bin(48656c6c6f)",
    "bin(4865006c6f)",
    "bin(4865006c6f),length",
    "ipv4(10.0.0.1)",
    "ipv6(2001:DB8::1)",
    "meth(POST)",
    "bool(true)",
    "always_true",
    "always_false",
    "int(-5)",
];

/// Conditions, in words that need no quoting.
const CONDITIONS: &[&str] = &[
    "TRUE",
    "FALSE",
    "METH_GET",
    "METH_POST",
    "HTTP_1.1",
    "HTTP_1.0",
    "HTTP_URL_SLASH",
    "HTTP_URL_ABS",
    "HTTP_CONTENT",
    "LOCALHOST",
    "{ method GET POST }",
    "{ method get }",
    "{ path_beg /api/ }",
    "{ path_beg /API/ }",
    "{ path_beg -i /API/ }",
    "{ path_beg /x /y /api/v1/U /z }",
    "{ path_end .css .html .js }",
    "{ path_end -i .HTML }",
    "{ path_end l }",
    "{ path_sub v1 }",
    "{ path_sub V1 }",
    "{ path_sub -i V1 zz }",
    "{ path_dir api }",
    "{ path_dir /v1/Users/ }",
    "{ path_dir v }",
    "{ path_dir api/v1 }",
    "{ path_dir -i USERS }",
    "{ path_reg ^/api/v[0-9]+/ }",
    "{ path_reg -i users }",
    "{ path_reg a b users }",
    "{ path_len 22 }",
    "{ path_len 1:10 }",
    "{ path_len 20: }",
    "{ path /api/v1/Users/42.html }",
    "{ path -i /API/V1/users/42.HTML }",
    "{ path -m found }",
    "{ path,lower -m sub users }",
    "{ path_beg,lower /api/v1/users/42.html }",
    "{ hdr(host) -i www.example.com:8080 }",
    "{ hdr(host) www.example.com }",
    "{ hdr_dom(host) -i example.com }",
    "{ hdr_dom(host) -i ample.com }",
    "{ hdr_dom(host) -i www }",
    "{ hdr_dom(host) -i example }",
    "{ hdr_dom(host) -i com:8080 }",
    "{ hdr_beg(host) -i www. }",
    "{ hdr_end(host) 8080 }",
    "{ hdr(x-list) two }",
    "{ hdr(x-list) five }",
    "{ hdr(x-list) six }",
    "{ hdr(x-list,1) two }",
    "{ hdr(x-list) -m found }",
    "{ hdr(nothing) -m found }",
    "{ hdr(x-empty) -m found }",
    "{ hdr(x-empty) -m len 0 }",
    "{ hdr_cnt(x-list) 6 }",
    "{ hdr_cnt(x-list) gt 6 }",
    "{ hdr_val(x-n) 12 }",
    "{ hdr_val(x-n) ge 12 lt 5 }",
    "{ hdr_val(x-n) 1:11 13:20 }",
    "{ hdr_val(nothing) 0 }",
    "{ hdr_ip(x-forwarded-for) 203.0.113.0/24 }",
    "{ hdr_ip(x-forwarded-for) 10.1.2.3 }",
    "{ hdr_ip(x-forwarded-for) 2001:db8::/32 }",
    "{ hdr_ip(x-forwarded-for,-1) 203.0.113.7 }",
    "{ hdr_ip(x-forwarded-for) 10.0.0.0/255.0.0.0 }",
    "{ hdr_reg(user-agent) Mozilla.*X11 }",
    "{ cook(sid) abc123 }",
    "{ cook(sid) second }",
    "{ cook(sid) third }",
    "{ cook_cnt(sid) 2 }",
    "{ cook(theme) -m beg da }",
    "{ urlp(name) bob }",
    "{ urlp(name) ann }",
    "{ urlp(name) eve }",
    "{ urlp(empty) -m found }",
    "{ urlp(nothing) -m found }",
    "{ urlp_val(n) 12 }",
    "{ url_beg /api }",
    "{ url_sub name=ann }",
    "{ query -m sub n=12 }",
    "{ base_beg -i www.example.com:8080/api }",
    "{ req.ver 1.1 }",
    "{ src 127.0.0.0/8 }",
    "{ src 10.0.0.0/8 }",
    "{ src 127.0.0.1 ::1 }",
    "{ src -m str 127.0.0.1 }",
    "{ src,ipmask(8) 127.0.0.0 }",
    "{ src_port gt 0 }",
    "{ dst_port 1:65535 }",
    "{ var(txn.n) -m int 7 }",
    "{ var(txn.n) -m int gt 6 }",
    "{ var(txn.n) -m str 7 }",
    "{ var(txn.n) -m bool }",
    "{ var(txn.s) -m str hello }",
    "{ var(txn.s) -m bool }",
    "{ var(txn.none) -m found }",
    "{ int(5) gt 4 }",
    "{ int(5),sub(5) -m bool }",
    "{ str(abc) -m bin 616263 }",
    "{ str(abc) -m len 3 }",
    "{ str(10.1.2.3) -m ip 10.0.0.0/8 }",
    "{ str(10.1.2.3:80) -m ip 10.0.0.0/8 }",
    "{ str(10.1.2.3x) -m ip 10.0.0.0/8 }",
    "{ str(10.1.2) -m ip 10.0.0.0/8 }",
    "{ bool(1),and(1) -m ip 0.0.0.0/0 }",
    "{ int(1),and(1) -m ip 0.0.0.0/0 }",
    "{ always_true }",
    "{ bool(0) }",
    "{ http_auth(people) }",
    "{ http_auth_group(people) admins }",
    "{ http_auth_group(people) nobody }",
    "METH_GET { path_beg /api }",
    "METH_GET !{ path_beg /api }",
    "METH_POST or { path_beg /api }",
    "METH_POST || FALSE",
    "! METH_POST ! FALSE",
    "!! METH_GET",
];

struct Real {
    child: Child,
    stream: TcpStream,
    _dir: tempfile::TempDir,
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Option<PathBuf> {
    let found = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"].map(PathBuf::from);
    let found = found.into_iter().find(|path| path.exists());
    let required = std::env::var_os("TANDEM_REQUIRE_LAB").is_some_and(|value| value == "1");
    assert!(found.is_some() || !required, "haproxy is not installed");
    found
}

fn config(port: u16) -> String {
    let mut text = format!(
        "userlist people\n group admins users ann\n group nobody\n user ann insecure-password pw\n\
         defaults\n mode http\n timeout client 30s\n timeout server 30s\n timeout connect 30s\n\
         frontend web\n bind 127.0.0.1:{port}\n http-request set-var(txn.n) int(7)\n \
         http-request set-var(txn.s) str(hello)\n http-request set-var(txn.key) str(c2VjcmV0)\n"
    );
    for (i, expr) in EXPRESSIONS.iter().enumerate() {
        let _ = writeln!(
            text,
            " http-request return status 200 content-type text/plain lf-string '[%[{expr}]]' if {{ req.hdr(x-case) e{i} }}"
        );
    }
    for (i, condition) in CONDITIONS.iter().enumerate() {
        // "or" binds weaker than what is left out, so the case is chosen in both groups.
        let mine = format!("{{ req.hdr(x-case) c{i} }}");
        let groups: Vec<String> =
            condition.replace("||", "or").split(" or ").map(|group| format!("{mine} {group}")).collect();
        let _ = writeln!(
            text,
            " http-request return status 200 content-type text/plain string true if {}\n \
             http-request return status 200 content-type text/plain string false if {mine}",
            groups.join(" or ")
        );
    }
    text
}

#[allow(clippy::disallowed_methods, reason = "a test waits for a program to listen")]
fn start(program: &PathBuf) -> Real {
    let dir = tempfile::tempdir().expect("a directory");
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let file = dir.path().join("t.cfg");
        std::fs::write(&file, config(port)).expect("written");
        let mut child = Command::new(program)
            .args(["-db", "-f"])
            .arg(&file)
            .stderr(Stdio::piped())
            .spawn()
            .expect("haproxy starts");
        loop {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
                stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
                return Real { child, stream, _dir: dir };
            }
            assert!(Instant::now() < until, "haproxy does not listen");
            if child.try_wait().expect("a child").is_some() {
                let mut said = String::new();
                let _ = child.stderr.take().expect("piped").read_to_string(&mut said);
                // Another program may have taken the port in between.
                assert!(said.contains("cannot bind"), "{said}");
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Real {
    fn ask(&mut self, case: &str) -> String {
        let mut request = format!("GET {URI} HTTP/1.1\r\n");
        for (name, value) in HEADERS {
            let _ = write!(request, "{name}: {value}\r\n");
        }
        let _ = write!(request, "X-Case: {case}\r\n\r\n");
        self.stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        let mut buf = [0; 4096];
        loop {
            let n = self.stream.read(&mut buf).expect("an answer");
            assert!(n > 0, "{case}: closed after {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&buf[..n]);
            let text = String::from_utf8_lossy(&answer);
            let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .and_then(|n| n.parse::<usize>().ok())
                .expect("a length");
            let body = &answer[head.len() + 4..];
            if body.len() >= length {
                return String::from_utf8_lossy(&body[..length]).into_owned();
            }
        }
    }
}

fn fixture(client: SocketAddr, server: SocketAddr, case: &str) -> Fixture {
    let mut headers = HEADERS.to_vec();
    headers.push(("X-Case", case));
    let mut fixture = Fixture::request("GET", URI, &headers);
    (fixture.src, fixture.dst) = (client, server);
    fixture
}

#[test]
fn the_real_program_yields_the_same_values() {
    let Some(program) = program() else {
        println!("skipped: haproxy is not installed");
        return;
    };
    let mut real = start(&program);
    let client = real.stream.local_addr().expect("an address");
    let server = real.stream.peer_addr().expect("an address");
    let mut differences = Vec::new();
    for (i, expr) in EXPRESSIONS.iter().enumerate() {
        let case = format!("e{i}");
        let theirs = real.ask(&case);
        let format = format(&format!("[%[{expr}]]"), LfUse::Plain, Site::HttpRequest);
        let fixture = fixture(client, server, &case);
        let ours = String::from_utf8_lossy(&logformat::to_vec(&format, &fixture.ctx())).into_owned();
        if ours != theirs {
            differences.push(format!("{expr}\n  ours   {ours}\n  theirs {theirs}"));
        }
    }
    let machine = Machine::default();
    for (i, condition) in CONDITIONS.iter().enumerate() {
        let case = format!("c{i}");
        let theirs = real.ask(&case);
        let fixture = fixture(client, server, &case);
        let ours = eval_cond(&cond(&machine, condition), &fixture.ctx()).to_string();
        if ours != theirs {
            differences.push(format!("{condition}: ours {ours}, theirs {theirs}"));
        }
    }
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
}
