//! Rules, converters, passwords and persistence: the configuration and the table.

use super::cases::{Case, get};

/// What HAProxy 2.6 has of it.
pub(super) const CONFIG: &str = r#"global
    log stdout format raw local0
    nbthread 1
    maxconn 200
    expose-experimental-directives
    tune.http.maxhdr 15
    h1-case-adjust x-sum X-SUM
    h1-case-adjust host HOST

defaults
    mode http
    log global
    option httplog
    http-reuse never
    retries 1
    timeout connect 500ms
    timeout client 900ms
    timeout server 600ms
    timeout http-request 900ms
    timeout http-keep-alive 900ms

userlist people
    group staff users ann,dan
    user ann password $6$labsalt1$DLNHtul5yuEqc0G29lS0Ij9dIUl87sbp9Xe5bkVHtP2C4EwGRallEbNCmmMuz7ic11noGccS.dLZV851t7WgT.
    user bob password $5$labsalt1$SzGNmmq7dhGehhmhjlzhRIig2Go5MOwPeq.68W2mMz.
    user cat password $1$labsalt1$tA3ZbXzBmYWsExfO6O6WF.
    user dan insecure-password plain

frontend ruled
    bind 127.0.0.1:8003
    capture request header X-Do len 12
    capture request header X-In len 20
    capture response header X-Kind len 10
    capture cookie SEEN len 12
    http-request set-var(txn.do) req.hdr(x-do)
    http-request set-var-fmt(txn.who) "%[src]:%[var(txn.do),upper]"
    acl do_deny var(txn.do) -m str deny
    acl list_in req.hdr(x-in) -m sub -i one two
    http-request deny if do_deny
    http-request deny deny_status 429 if { var(txn.do) -m str deny429 }
    http-request deny status 404 content-type text/plain string "no such thing" hdr x-why "%[var(txn.do)]" if { var(txn.do) -m str deny404 }
    http-request deny status 403 if { var(txn.do) -m str denybare }
    http-request deny status 418 if { var(txn.do) -m str deny418 }
    http-request deny deny_status 429 hdr x-why no if { var(txn.do) -m str denyhdr }
    http-request return status 407 if { var(txn.do) -m str return407 }
    http-request return status 200 content-type text/plain lf-string "%[path]|%[query]|%[url_param(a)]|%[req.hdr(host),lower,field(1,:)]|%[req.cook(A)]|%[base]|%[method]|%[req.ver]\n" hdr x-who "%[var(txn.who)]" if { var(txn.do) -m str facts }
    http-request return status 200 content-type text/plain lf-string "%[req.hdr(x-in),base64]|%[req.hdr(x-in),hex]|%[req.hdr(x-in),crc32]|%[req.hdr(x-in),sha1,hex]|%[req.hdr(x-in),url_dec]|%[req.hdr(x-in),regsub(o,0,g)]|%[req.hdr(x-in),word(2,.)]|%[req.hdr(x-in),json(utf8s)]|%[req.hdr(x-in),length]|%[req.hdr(x-in),djb2]|%[req.hdr(x-in),sdbm]|%[req.hdr(x-in),wt6]|%[req.hdr(x-in),xxh32]|%[req.hdr(x-in),bytes(1,3)]|%[req.hdr(x-in),sha2(256),hex]|%[req.hdr(x-in),rtrim(.)]\n" if { var(txn.do) -m str convert }
    http-request return status 200 content-type text/plain lf-string "%[req.hdr(x-in),add(3)]|%[req.hdr(x-in),mul(-2)]|%[req.hdr(x-in),mod(7)]|%[req.hdr(x-in),neg]|%[req.hdr(x-in),xor(5)]|%[req.hdr(x-in),and(6)]|%[req.hdr(x-in),cpl]|%[req.hdr(x-in),odd]|%[req.hdr(x-in),bool]|%[req.hdr(x-in),div(4)]|%[req.hdr(x-in),utime(%Y-%m-%d)]|%[req.hdr(x-in),http_date]\n" if { var(txn.do) -m str numbers }
    http-request return status 200 content-type text/plain string "listed" if { var(txn.do) -m str list } list_in
    http-request redirect location /new%[path]?%[query] code 301 if { var(txn.do) -m str location }
    http-request redirect prefix https://x.example drop-query append-slash set-cookie A=1 if { var(txn.do) -m str prefix }
    http-request redirect prefix https://x.example code 307 clear-cookie A if { var(txn.do) -m str prefix2 }
    http-request redirect scheme https code 308 if { var(txn.do) -m str scheme }
    http-request auth realm Lab if { var(txn.do) -m str auth } !{ http_auth(people) }
    http-request auth if { var(txn.do) -m str group } !{ http_auth_group(people) staff }
    http-request replace-header X-In (.*),(.*) "\2;\1" if { var(txn.do) -m str rep }
    http-request replace-value X-In "o(.)" "0\1" if { var(txn.do) -m str repval }
    http-request replace-value X-In "^b" "B" if { var(txn.do) -m str repblank }
    http-request set-header X-In "%[req.hdr]|%[req.fhdr]|%[req.hdr_ip]|%[req.hdr_val]|%[req.hdr_cnt]|%[rdp_cookie_cnt]" if { var(txn.do) -m str nameless }
    http-request replace-path "^/([0-9]+)/(.*)" "/\1/headers/\2" if { var(txn.do) -m str reppath }
    http-request replace-uri '^(.*)[?](.*)$' "\1?old=\2" if { var(txn.do) -m str repuri }
    http-request set-query "q=%[req.hdr(x-in),url_enc]" if { var(txn.do) -m str query }
    http-request set-method POST if { var(txn.do) -m str method }
    http-request set-uri "http://elsewhere%[pathq]" if { var(txn.do) -m str uri }
    http-request normalize-uri path-merge-slashes if { var(txn.do) -m str norm }
    http-request normalize-uri path-strip-dot if { var(txn.do) -m str norm }
    http-request normalize-uri path-strip-dotdot full if { var(txn.do) -m str norm }
    http-request normalize-uri query-sort-by-name if { var(txn.do) -m str norm }
    http-request add-header X-More "a b" if { var(txn.do) -m str headers }
    http-request set-header X-In "%[req.hdr_cnt(x-in)]:%[req.fhdr(x-in)]:%[req.hdr(x-in,-1)]" if { var(txn.do) -m str headers }
    http-request del-header x-gone -m beg if { var(txn.do) -m str headers }
    http-request del-header '^x-.*-re$' -m reg if { var(txn.do) -m str headers }
    http-request set-src hdr_ip(x-in) if { var(txn.do) -m str setsrc }
    http-request set-header X-Src "%[src]" if { var(txn.do) -m str setsrc }
    http-request early-hint Link "</a.css>; rel=preload" if { var(txn.do) -m str hint }
    http-request tarpit deny_status 503 if { var(txn.do) -m str tarpit }
    timeout tarpit 200ms
    http-request reject if { var(txn.do) -m str reject }
    http-request set-header content-length 2 if { var(txn.do) -m str less }
    http-request set-header content-length 90 if { var(txn.do) -m str more }
    http-response set-status 418 reason "short and stout" if { var(txn.do) -m str teapot }
    http-response set-status 299 if { var(txn.do) -m str class }
    http-response set-status 204 if { var(txn.do) -m str nobody }
    http-response set-status 304 if { var(txn.do) -m str unmodified }
    http-response replace-header X-Kind "p(.*)" "P\1" if { var(txn.do) -m str teapot }
    http-response deny if { var(txn.do) -m str resdeny }
    http-response return status 202 content-type text/plain string "instead" if { var(txn.do) -m str resreturn }
    http-response redirect location /after if { var(txn.do) -m str resredirect }
    http-response capture res.hdr(x-kind),upper id 0 if { var(txn.do) -m str capture }
    http-after-response set-header X-After "%[status]" if { var(txn.do) -m found }
    use_backend %[var(txn.do)] if { var(txn.do) -m str rewrite prefixed postonly preserve passive adjusted }
    default_backend origin

frontend adjusting
    bind 127.0.0.1:8004
    option h1-case-adjust-bogus-client
    default_backend origin

backend adjusted
    option h1-case-adjust-bogus-server
    server one 127.0.0.1:9000

backend origin
    server one 127.0.0.1:9000

backend rewrite
    cookie WHO rewrite
    server one 127.0.0.1:9000 cookie a

backend prefixed
    cookie WHO prefix
    server one 127.0.0.1:9000 cookie a

backend postonly
    cookie WHO insert postonly nocache domain .lab.example httponly secure attr SameSite=Lax
    server one 127.0.0.1:9000 cookie a

backend preserve
    cookie WHO insert preserve indirect
    server one 127.0.0.1:9000 cookie a

backend passive
    cookie WHO
    server one 127.0.0.1:9000 cookie a
"#;

/// The frontend of [`CONFIG`].
const RULED: u16 = 8003;
/// The one that spells names as a client wants them.
const ADJUSTING: u16 = 8004;

pub(super) const CASES: &[Case] = &[
    get("denied", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: deny\r\nConnection: close\r\n\r\n", 403).on(RULED),
    get("denied with a status", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: deny429\r\nConnection: close\r\n\r\n", 429).on(RULED),
    get("denied with a text", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: deny404\r\nConnection: close\r\n\r\n", 404).on(RULED),
    get("denied with a status alone", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: denybare\r\nConnection: close\r\n\r\n", 403).on(RULED),
    get("denied with a status that has no page", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: deny418\r\nConnection: close\r\n\r\n", 418).on(RULED),
    get("denied with a header", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: denyhdr\r\nConnection: close\r\n\r\n", 429).on(RULED),
    get("an answer without a text", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: return407\r\nConnection: close\r\n\r\n", 407).on(RULED),
    get("facts", "GET /@/plain?a=1&b=2 HTTP/1.1\r\nX-Do: facts\r\nHost: LAB.example:80\r\nCookie: A=x; B=y\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("converters of text", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: convert\r\nX-In: foo.o%20o.\"bar\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("converters of numbers", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: numbers\r\nX-In: 1700000013\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("pattern list", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: list\r\nX-In: seven TWO\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("redirect to a location", "GET /@/plain?x=1 HTTP/1.1\r\nHost: lab\r\nX-Do: location\r\nConnection: close\r\n\r\n", 301).on(RULED),
    get("redirect to a prefix", "GET /@/plain?x=1 HTTP/1.1\r\nHost: lab\r\nX-Do: prefix\r\nConnection: close\r\n\r\n", 302).on(RULED),
    get("redirect that clears a cookie", "GET /@/plain?x=1 HTTP/1.1\r\nHost: lab\r\nX-Do: prefix2\r\nConnection: close\r\n\r\n", 307).on(RULED),
    get("redirect to a scheme", "GET /@/plain?x=1 HTTP/1.1\r\nHost: lab\r\nX-Do: scheme\r\nConnection: close\r\n\r\n", 308).on(RULED),
    get("nobody's password", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: auth\r\nConnection: close\r\n\r\n", 401).on(RULED),
    get("a password in SHA-512", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: auth\r\nAuthorization: Basic YW5uOnNlY3JldA==\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("a password in SHA-256", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: auth\r\nAuthorization: Basic Ym9iOnNlY3JldA==\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("a password in MD5", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: auth\r\nAuthorization: Basic Y2F0OnNlY3JldA==\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("a password in clear", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: auth\r\nAuthorization: Basic ZGFuOnBsYWlu\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("a wrong password", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: auth\r\nAuthorization: Basic Ym9iOnNlY3JldDE=\r\nConnection: close\r\n\r\n", 401).on(RULED),
    get("a member of the group", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: group\r\nAuthorization: Basic ZGFuOnBsYWlu\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("not of the group", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: group\r\nAuthorization: Basic Ym9iOnNlY3JldA==\r\nConnection: close\r\n\r\n", 401).on(RULED),
    get("replace-header", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: rep\r\nX-In: a,b\r\nX-In: c\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("replace-value", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: repval\r\nX-In: oa, b ,oc\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("replace-value takes the blanks along", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: repblank\r\nX-In: a, b , c,  b2\r\nX-In: d,  e\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("headers without a name", "GET /@/headers HTTP/1.1\r\nHost: lab\r\nX-Do: nameless\r\nX-In: 7\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("replace-path", "GET /@/plain?x=1 HTTP/1.1\r\nHost: lab\r\nX-Do: reppath\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("replace-uri", "GET /@/plain?x=1 HTTP/1.1\r\nHost: lab\r\nX-Do: repuri\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("set-query", "GET /@/plain?x=1 HTTP/1.1\r\nHost: lab\r\nX-Do: query\r\nX-In: a b&c\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("set-method", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: method\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("set-uri", "GET /@/plain?x=1 HTTP/1.1\r\nHost: lab\r\nX-Do: uri\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("normalize-uri", "GET /@/.//plain/../%7euser/%2f?b=2&a=1 HTTP/1.1\r\nHost: lab\r\nX-Do: norm\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("headers added and removed", "GET /@/headers HTTP/1.1\r\nHost: lab\r\nX-Do: headers\r\nX-In: a, b\r\nX-In: c\r\nX-Gone-1: x\r\nX-Some-Re: y\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("set-src", "GET /@/headers HTTP/1.1\r\nHost: lab\r\nX-Do: setsrc\r\nX-In: 192.0.2.7\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("early hint", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: hint\r\nConnection: close\r\n\r\n", 103).on(RULED),
    get("set-status", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: teapot\r\nConnection: close\r\n\r\n", 418).on(RULED),
    get("a status without a name", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: class\r\nConnection: close\r\n\r\n", 299).on(RULED),
    get("a status that forbids the body", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: nobody\r\nConnection: close\r\n\r\n", 204).on(RULED),
    get("a status that promises a body elsewhere", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: unmodified\r\nConnection: close\r\n\r\n", 304).on(RULED),
    get("captures", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: capture\r\nCookie: SEEN=abcdefghijkl\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("cookie rewritten", "GET /@/cookie HTTP/1.1\r\nHost: lab\r\nX-Do: rewrite\r\nCookie: WHO=a\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("cookie with a prefix", "GET /@/cookie HTTP/1.1\r\nHost: lab\r\nX-Do: prefixed\r\nCookie: WHO=a~x\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("cookie after a post only", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: postonly\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("cookie preserved", "GET /@/cookie HTTP/1.1\r\nHost: lab\r\nX-Do: preserve\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("cookie after a post", "POST /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: postonly\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("tarpit", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: tarpit\r\nConnection: close\r\n\r\n", 503).on(RULED),
    get("reject", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: reject\r\nConnection: close\r\n\r\n", 0).on(RULED),
    get("response denied", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: resdeny\r\nConnection: close\r\n\r\n", 502).on(RULED),
    get("response replaced", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: resreturn\r\nConnection: close\r\n\r\n", 202).on(RULED),
    get("response redirected", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: resredirect\r\nConnection: close\r\n\r\n", 302).on(RULED),
    get("cookie gets a prefix", "GET /@/cookie HTTP/1.1\r\nHost: lab\r\nX-Do: prefixed\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("a body longer than a rule says", "POST /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: less\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", 500).on(RULED),
    get("a body shorter than a rule says", "POST /@/early HTTP/1.1\r\nHost: lab\r\nX-Do: more\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", 200).on(RULED),
    get("spelling of the server's trailers", "GET /@/trailer HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n", 200).on(ADJUSTING),
    get("spelling of trailers for the server", "POST /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: adjusted\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\nx-other: 2\r\n\r\n", 200).on(RULED),
    get("as many headers as may be", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: x\r\nX-0: 1\r\nX-1: 1\r\nX-2: 1\r\nX-3: 1\r\nX-4: 1\r\nX-5: 1\r\nX-6: 1\r\nX-7: 1\r\nX-8: 1\r\nX-9: 1\r\nX-10: 1\r\nX-11: 1\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("a header too many", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: x\r\nX-0: 1\r\nX-1: 1\r\nX-2: 1\r\nX-3: 1\r\nX-4: 1\r\nX-5: 1\r\nX-6: 1\r\nX-7: 1\r\nX-8: 1\r\nX-9: 1\r\nX-10: 1\r\nX-11: 1\r\nX-More: 1\r\nConnection: close\r\n\r\n", 400).on(RULED),
    get("passive cookie", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: passive\r\nCookie: WHO=a\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("passive cookie of nobody", "GET /@/plain HTTP/1.1\r\nHost: lab\r\nX-Do: passive\r\nCookie: WHO=z\r\nConnection: close\r\n\r\n", 200).on(RULED),
    get("passive cookie of the server", "GET /@/cookie HTTP/1.1\r\nHost: lab\r\nX-Do: passive\r\nConnection: close\r\n\r\n", 200).on(RULED),
];
