//! Converters that read other protocols, encrypt or verify, held against values of other programs.

use super::{Fixture, Machine, format_on};
use crate::expr::logformat;
use crate::lower::expr::{LfUse, Site};

fn value(machine: &Machine, expr: &str) -> String {
    let fixture = Fixture::request("GET", "/", &[]);
    let format = format_on(machine, &format!("%[{expr}]"), LfUse::Plain, Site::HttpRequest);
    String::from_utf8_lossy(&logformat::to_vec(&format, &fixture.ctx())).into_owned()
}

#[test]
fn values_are_those_of_the_standards() {
    let hs256 = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0Ijox\
                 NTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
    let table = [
        // The vectors that xxHash's documentation gives for nothing.
        ("str(),xxh32".to_owned(), "46947589"),
        ("str(),xxh64".to_owned(), "-1205034819632174695"),
        ("str(),xxh3".to_owned(), "3244421341483603138"),
        ("bin(a5),base2".to_owned(), "10100101"),
        ("bin(01020304),le2dec(:,2)".to_owned(), "513:1027"),
        ("bin(01020304),be2dec(:,2)".to_owned(), "258:772"),
        ("bin(410a),has_ctl".to_owned(), "1"),
        ("bin(4109),has_ctl".to_owned(), "0"),
        ("bin(4109),has_ctl(any)".to_owned(), "1"),
        ("str(abcdef),bytes(txn.n)".to_owned(), ""),
        ("str(abcdefghij),bytes(txn.n)".to_owned(), "hij"),
        ("str(abcdefghij),bytes(1,2)".to_owned(), "bc"),
        ("str(a=1&b&c=3),param(c)".to_owned(), "3"),
        ("str(a=1;b;c=3),param(b,0x3b)".to_owned(), ""),
        ("str(\"Sun, 06 Nov 1994 08:49:37 GMT\"),date".to_owned(), "784111777"),
        ("str(\"for=192.0.2.60;proto=http;by=203.0.113.43\"),rfc7239_is_valid".to_owned(), "1"),
        ("str(\"for=192.0.2.60:80\"),rfc7239_is_valid".to_owned(), "0"),
        ("str(\"proto=https;host=a.example\"),rfc7239_field(host)".to_owned(), "a.example"),
        ("str([2001:db8::1]:47011),rfc7239_n2nn".to_owned(), "2001:db8::1"),
        ("str([2001:db8::1]:47011),rfc7239_n2np".to_owned(), "47011"),
        ("str(_mask:_port),rfc7239_n2np".to_owned(), "_port"),
        // Field 3 of field 1, and a zigzag number.
        ("bin(0a04120219030a0b),protobuf(9)".to_owned(), ""),
        ("bin(089601),protobuf(1,int32)".to_owned(), "150"),
        ("bin(0803),protobuf(1,sint32)".to_owned(), "-2"),
        ("bin(1202 ),protobuf(1)".replace(' ', ""), ""),
        ("bin(0000000003089601),ungrpc(1,int32)".to_owned(), "150"),
        // openssl enc -aes-128-cbc
        (
            "str(Hello),aes_cbc_enc(128,\"MTIzNDU2Nzg5MDEyMzQ1Ng==\",\"Zm9vb2Zvb29mb29vb29vbw==\"),base64"
                .to_owned(),
            "k3L2b2xX3uYCQ9B3RFIYSg==",
        ),
        (format!("str({hs256}),jwt_verify(HS256,your-256-bit-secret)"), "1"),
        (format!("str({hs256}),jwt_verify(HS256,another)"), "0"),
        (format!("str({hs256}),jwt_verify(HS384,your-256-bit-secret)"), "0"),
        (format!("str({hs256}),jwt_header_query('$.typ')"), "JWT"),
        (format!("str({hs256}),jwt_payload_query('$.iat',int)"), "1516239022"),
        ("str(a.b),jwt_verify(HS256,k)".to_owned(), "-3"),
        // The session of these tests was tried more than once.
        ("src,when(error)".to_owned(), "192.0.2.33"),
        ("src,when(normal)".to_owned(), ""),
        ("bin(45000054abcd4000400100000a0000010a000002),ip.src".to_owned(), "10.0.0.1"),
        ("bin(45000054abcd4000400100000a0000010a000002),ip.df".to_owned(), "1"),
        ("bin(01bb0050000000010000000060020010000000000204 05b4),tcp.options.mss".replace(' ', ""), "1460"),
    ];
    let machine = Machine::default();
    for (expr, want) in table {
        assert_eq!(value(&machine, &expr), want, "{expr}");
    }
}

#[test]
fn what_gcm_sealed_opens_with_its_tag_only() {
    let machine = Machine::default();
    let args = "128,\"MTIzNDU2Nzg5MDEy\",\"Zm9vb2Zvb29mb29vb29vbw==\"";
    let sealed = format!("str(secret),aes_gcm_enc({args},txn.tag)");
    assert_eq!(value(&machine, &format!("{sealed},aes_gcm_dec({args},txn.tag)")), "secret");
    let wrong = format!("{sealed},aes_gcm_dec({args},\"AAAAAAAAAAAAAAAAAAAAAA==\")");
    assert_eq!(value(&machine, &wrong), "");
}

#[test]
fn messages_of_other_protocols_are_recognised() {
    let body = "35=A\u{1}49=me\u{1}56=you\u{1}34=1\u{1}52=now\u{1}";
    let head = format!("8=FIX.4.4\u{1}9={}\u{1}{body}", body.len());
    let sum: u32 = head.bytes().map(u32::from).sum();
    let hex = |text: &str| text.bytes().map(|b| format!("{b:02x}")).collect::<String>();
    let good = hex(&format!("{head}10={:03}\u{1}", sum % 256));
    let bad = hex(&format!("{head}10={:03}\u{1}", (sum + 1) % 256));
    // CONNECT of MQTT 3.1.1 with a user.
    let connect = format!("1012{}0480003c0002{}0002{}", hex("\0\u{4}MQTT"), hex("me"), hex("al"));
    let machine = Machine::default();
    for (expr, want) in [
        (format!("bin({good}),fix_is_valid"), "1"),
        (format!("bin({bad}),fix_is_valid"), "0"),
        (format!("bin({good}),fix_tag_value(49)"), "me"),
        (format!("bin({good}),fix_tag_value(TargetCompID)"), "you"),
        (format!("bin({good}),fix_tag_value(58)"), ""),
        (format!("bin({connect}),mqtt_is_valid"), "1"),
        (format!("bin({connect}),mqtt_field_value(connect,client_identifier)"), "me"),
        (format!("bin({connect}),mqtt_field_value(connect,username)"), "al"),
        (format!("bin({connect}),mqtt_field_value(connect,keepalive)"), "60"),
        ("bin(10020000),mqtt_is_valid".to_owned(), "0"),
    ] {
        assert_eq!(value(&machine, &expr), want, "{expr}");
    }
}

#[test]
fn tokens_signed_by_openssl_are_verified_with_public_keys() {
    // A key that only a variable names was not read at the start.
    let machine = Machine { files: KEYS.into_iter().collect(), ..Machine::default() };
    for (algorithm, key, token) in TOKENS {
        let verify = |token: &str| value(&machine, &format!("str({token}),jwt_verify({algorithm},{key})"));
        assert_eq!(verify(token), "1", "{algorithm}");
        // The same signature under another payload.
        assert_eq!(verify(&token.replacen("eyJzdWIi", "eyJzdWIj", 1)), "0", "{algorithm}");
        assert_eq!(
            value(&machine, &format!("str({token}),jwt_verify({algorithm},txn.s)")),
            "-5",
            "{algorithm}"
        );
    }
}

const KEYS: [(&str, &str); 3] = [
    (
        "ec.pub",
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqrU7N7BpJJv1XlSvDebhO0ixgvuc\nz2CThJcmBH5pgZ5KMkCsD7KygCLgyjtZOShJh/dSKXXa+OlQxsBWi8wiBA==\n-----END PUBLIC KEY-----\n",
    ),
    (
        "e5.pub",
        "-----BEGIN PUBLIC KEY-----\nMIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAx2Tvk1iAn/qT9qM2o+NlCbkw/YB+\ndgrOKG/ppllNIxrho/0Jf8s+3densKNbfRidMwj7IE+3hFfkXsKjivWAx2EAY98E\nBU7yEpE3Xaji6YO+r/peJ+q+VSCsmDhXuIeQBnF4doHkI3EDoXZB5xySYit3QDMd\n6f7KlnjeG3PFNa/15GY=\n-----END PUBLIC KEY-----\n",
    ),
    (
        "rsa.pub",
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArKZ1PzbMxW2vkKPpucYG\n0E/7Zv/J0iHyc4ZhytixSJAN4BYrisUyMm/T3cdFMCBXjfocxLm0u2DJlY6wcX+C\nmWV+t2QyDnxNKXVtskLqBECtFNO74uM04KJ+wqOWp8yaVg8CvNui5gCxSFUkbDn5\nhBoxq8iFmv3FgOBV+Ri6z7tyVitUHUlUzIpi3FYZf1TikNnljzeM5K6SdCJJ3yPg\nXPpzrBwnTZqcmjv+Arj7iKzNYyGfyGrNcvKO/a5gQW6sfQooMEe6mfwBzBui6jDb\nsiQLVY2DnFJMQe9m6O4nK/Hc0NK65KSyat97v6HlV6dQYAnJbcvaIeFuihMhcFsa\nFwIDAQAB\n-----END PUBLIC KEY-----\n",
    ),
];

/// Algorithm, file of the key, token.
const TOKENS: [(&str, &str, &str); 4] = [
    (
        "ES256",
        "ec.pub",
        "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJtZSIsIm4iOjd9.rGcBD_Pc8QKa5neZbTpqLmEB99SWC8wSA-1EvMPah7zPGpIAbd_Hul_yFbmJrlcHeEqBSm4KoNyGIBn8WBZ7Mg",
    ),
    (
        "ES512",
        "e5.pub",
        "eyJhbGciOiJFUzUxMiJ9.eyJzdWIiOiJtZSIsIm4iOjd9.AKqcgMxLX6C2lZBJosCt4M0K1PbMDLIGXXqxjj53BD7cqC_ee10sOleIuL0J_5-ygcaDERs_Hxly4wag3FK8xiQ-AGItAmXvN6xuK9t5tytjb40Kz-mCNV4TpA2F9483HTPyX5i-Aem8fVo0jC-oS5iF9hXC0x1Tvmkt093cydU7mthy",
    ),
    (
        "RS256",
        "rsa.pub",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSIsIm4iOjd9.khVY9G8HRvqUOWlGvLbZzHeBdtIzl0JwPdcPQO_bWQAe0EChXr1d-MvOQC3QrtL0IEUAqEIj6bc3Czl5Oy3FXSJNdYdD87TW-bJZWK1tt-7dlTMbO0JnBzgubg4Vd5N39YyEskRSNhviP795jr1oZvqTD_sk3n1BT7SWLSbU8aj8XMNMwsTrKS4kQdXtjivZE4o-7HmDRWfy25TM0Lb7TfBg9sU8t2c5MXto-EnWIWCHxQzcMFHoz9RvTqdUGIEnzVSc_vXwRoQy3SCsRBy3t1hzS_gNatHtIdQyN9YYkK9TlY0iDwm_BsLIv_XoT4UO36wSyHnfTeb2ja4DeuYbSQ",
    ),
    (
        "PS256",
        "rsa.pub",
        "eyJhbGciOiJQUzI1NiJ9.eyJzdWIiOiJtZSIsIm4iOjd9.F4kFiV1gs7JM9BAtZr72AkdoP4gr7iVIfmnqqWuOd8IN6fij2Vnx3UjZP0jXdrA7XOyaRPDFXqNt7FEXEWyPbI3xCqNXTS_ei6i_1xB5uPc5YJ-PRGVNy3rGx1LhKfgSB5a9oVPsMQ2YopW0nFtNT4usGF5VaI6RfIcdnbNjcemwuoJA55FzrMVR2SvKJC8Cf_d_aPL18Ff1epNI46mqGMxga3EAFQuz3SJYXFQCX4MA_8ZYXr6NCxxiUKCrzK7GtgstBAfkLkT4qS8I5hhczyqshp8z1hY_2A7L_7LxhdMf9Bf82QXVn4WXDvuJDxEUSPB0D8XgS9434Q2bDYpCNA",
    ),
];
