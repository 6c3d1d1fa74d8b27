//! What each fuzz target does with bytes. A panic is a finding.
//!
//! The targets in `targets/` feed these from libFuzzer; `tests/fuzz_replay.rs` feeds them seeds and seeded mutations
//! on every run of the tests, so that a finding once made stays found.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tandem::http::{Head, Parser, Progress, body, cookie, request, response};
use tandem::ir::vrrp::{AuthHmac, HmacKey, HmacMode, RunAs};
use tandem::lower::keepalived::{self, FileError, FileInfo, Interface, RouteName};
use tandem::lower::{self, Source};
use tandem::vrrp::packet::{self, Auth, ChecksumRule, GROUP_V4, GROUP_V6, Profile, Version};
use tandem::{dns, handshake};
use tandem_parser::keepalived::IncludeMatch;
use tandem_parser::{expr, render};

/// A target: its name and what it does.
pub(super) type Target = (&'static str, fn(&[u8]));

/// Every target.
pub(super) const TARGETS: &[Target] = &[
    ("haproxy_config", haproxy_config),
    ("keepalived_config", keepalived_config),
    ("expressions", expressions),
    ("http_head", http_head),
    ("http_chunks", http_chunks),
    ("cookies", cookies),
    ("proxy_protocol", proxy_protocol),
    ("vrrp_packet", vrrp_packet),
    ("dns_answer", dns_answer),
];

/// A machine with nothing on it: no file is read, no name is looked up.
struct Nothing;

impl lower::Env for Nothing {
    fn read(&self, _path: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
    fn offline(&self) -> bool {
        true
    }
    fn hostname(&self) -> String {
        "fuzz".into()
    }
}

impl keepalived::Env for Nothing {
    fn offline(&self) -> bool {
        true
    }
    fn config_id(&self) -> Option<String> {
        Some("fuzz".into())
    }
    fn interface(&self, _name: &str) -> Option<Interface> {
        None
    }
    fn user(&self, _name: &str) -> Option<RunAs> {
        None
    }
    fn group(&self, _name: &str) -> Option<u32> {
        None
    }
    fn own_user(&self) -> RunAs {
        RunAs::default()
    }
    fn resolve(&self, _host: &str, _port: u16) -> Option<SocketAddr> {
        None
    }
    fn file(&self, _path: &Path, _follow: bool) -> Result<FileInfo, FileError> {
        Err(FileError::Missing)
    }
    fn canonical(&self, _path: &Path) -> Result<PathBuf, FileError> {
        Err(FileError::Missing)
    }
    fn start(&self, _path: &Path, _most: usize) -> Option<Vec<u8>> {
        None
    }
    fn search_path(&self) -> Vec<PathBuf> {
        Vec::new()
    }
    fn route_name(&self, _kind: RouteName, _name: &str) -> Option<u32> {
        None
    }
    fn find(&self, _pattern: &str, _directory: &str) -> IncludeMatch {
        IncludeMatch::default()
    }
    fn most_expanded(&self) -> usize {
        // What a hundred thousand lines do a thousand do: more inputs are tried in the same time.
        1000
    }
}

/// A whole `haproxy.cfg`: loaded, and every message rendered.
pub(super) fn haproxy_config(data: &[u8]) {
    let loaded = lower::load(vec![Source { name: "fuzz.cfg".into(), text: data.to_vec() }], &Nothing);
    for diagnostic in &loaded.diagnostics {
        let _ = render::render(diagnostic, &loaded.sources, 1);
    }
    assert!(loaded.config.is_none() || loaded.counts().0 == 0, "a configuration with errors would be run");
}

/// A whole `keepalived.conf`.
pub(super) fn keepalived_config(data: &[u8]) {
    let loaded = keepalived::load("fuzz.conf", data, &Nothing);
    for diagnostic in &loaded.diagnostics {
        let _ = keepalived::render(diagnostic, &loaded.sources);
    }
}

/// Sample expressions, ACLs, conditions and log formats.
pub(super) fn expressions(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = expr::sample(text);
    let _ = expr::log_format(text);
    let words: Vec<&str> = text.split(' ').collect();
    let _ = expr::condition(&words);
    for first in 0..words.len().min(3) {
        let _ = expr::acl(&words, first);
    }
}

/// A request and a response head, whole and byte by byte: the same verdict, and what is written reads the same.
pub(super) fn http_head(data: &[u8]) {
    type Parse = fn(&mut Parser, &[u8], &mut Head, usize) -> Result<Progress, tandem::http::ParseError>;
    for parse in [Parser::request as Parse, Parser::response as Parse] {
        let mut whole = Head::new();
        let verdict = parse(&mut Parser::new(), data, &mut whole, 101);
        let (mut parser, mut dribbled) = (Parser::new(), Head::new());
        let mut last = Ok(Progress::Incomplete);
        for end in 0..=data.len() {
            last = parse(&mut parser, &data[..end], &mut dribbled, 101);
            if !matches!(last, Ok(Progress::Incomplete)) {
                break;
            }
        }
        assert_eq!(verdict, last, "a head is read differently when it comes in pieces");
        if let Ok(Progress::Complete(_)) = verdict {
            assert_eq!(whole.to_bytes(), dribbled.to_bytes());
            semantics(&mut whole);
        }
    }
}

/// What is understood of a head, twice: preparing what was prepared changes nothing.
fn semantics(head: &mut Head) {
    if head.is_response() {
        let mut asked = Head::request(b"GET", b"/", head.version());
        if let Ok(facts) = request::prepare(&mut asked) {
            let _ = response::prepare(head, &facts);
        }
        return;
    }
    let Ok(facts) = request::prepare(head) else { return };
    let written = head.to_bytes();
    let again = request::prepare(head).map(|facts| facts.body);
    assert_eq!(
        again,
        Ok(facts.body),
        "a prepared request is understood differently:\n{}",
        String::from_utf8_lossy(&written)
    );
}

/// A chunked body, whole and byte by byte: the same data, the same end.
pub(super) fn http_chunks(data: &[u8]) {
    let read = |step: usize| {
        let (mut decoder, mut out, mut length, mut used) = (body::ChunkDecoder::new(), Vec::new(), 0, 0);
        for piece in data.chunks(step) {
            let Ok(taken) = decoder.decode(piece, &mut out, &mut length) else { return None };
            used += taken;
            if decoder.is_done() {
                break;
            }
        }
        Some((length, used, decoder.is_done()))
    };
    let whole = read(data.len().max(1));
    let dribbled = read(1);
    assert_eq!(whole, dribbled, "a body is read differently when it comes in pieces");
}

/// `Cookie` and `Set-Cookie`.
pub(super) fn cookies(data: &[u8]) {
    use cookie::Fate;
    let mut head = Head::request(b"GET", b"/", tandem::http::Version::Http11);
    head.add(b"cookie", data);
    head.add(b"set-cookie", data);
    let judge = |name: &[u8], _: &[u8]| if name == b"id" { Fate::Goes } else { Fate::Stays };
    cookie::each(&mut head, judge);
    cookie::each_set(&mut head, judge);
    let left = |name: &[u8], _: &[u8]| {
        assert!(name != b"id", "a removed cookie is still there");
        Fate::Becomes(b"x".to_vec())
    };
    cookie::each(&mut head, left);
    cookie::each_set(&mut head, left);
}

/// The headers that a connection may begin with.
pub(super) fn proxy_protocol(data: &[u8]) {
    if let Ok(header) = handshake::proxy_protocol::parse(data) {
        // Nothing of what follows it counts, and without its last byte it is none.
        assert!(header.len <= data.len(), "longer than what came");
        let alone = handshake::proxy_protocol::parse(&data[..header.len]);
        assert_eq!(alone.as_ref(), Ok(&header), "another header without what follows it");
        assert!(handshake::proxy_protocol::parse(&data[..header.len - 1]).is_err(), "good without its end");
    }
    let magic = data.first_chunk().map_or(0, |first| u32::from_be_bytes(*first));
    if let Ok(header) = handshake::netscaler::parse(data, magic) {
        assert!(header.len <= data.len(), "longer than what came");
    }
}

/// VRRP packets of both versions and families.
pub(super) fn vrrp_packet(data: &[u8]) {
    let own = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    for (version, auth) in [
        (Version::V2, Auth::None),
        (Version::V2, Auth::Pass(*b"secret\0\0")),
        (Version::V2, Auth::Ah(*b"secret\0\0")),
        (Version::V3, Auth::None),
    ] {
        let profile = Profile {
            version,
            vrid: 51,
            interval: Duration::from_secs(1),
            auth,
            addresses: vec![IpAddr::V4(Ipv4Addr::new(192, 0, 2, 100))],
            checksum: ChecksumRule::Standard,
            group: GROUP_V4.into(),
            peers: Vec::new(),
            check_source: false,
            ttl: 255,
            hmac: None,
        };
        let _ = packet::peek_vrid(data, false);
        let _ = packet::decode_v4(&profile, own, true, data);
        let secret = HmacKey { id: 1, secret: vec![7; 32] };
        let rule = AuthHmac { keys: vec![secret], active: 1, mode: HmacMode::Permissive, window: None };
        let signed = Profile { hmac: Some(rule), ..profile.clone() };
        let _ = packet::decode_v4(&signed, own, true, data);
        let six = Profile { group: GROUP_V6.into(), ..profile };
        let _ = packet::peek_vrid(data, true);
        let arrival =
            packet::Arrival { source: Ipv6Addr::LOCALHOST, destination: None, hop_limit: Some(255) };
        let _ = packet::decode_v6(&six, own, true, arrival, data);
    }
}

/// Answers of a nameserver that lies.
pub(super) fn dns_answer(data: &[u8]) {
    let Ok(name) = dns::wire::name("www.example.com") else { return };
    let addresses = [dns::Family::V4, dns::Family::V6].map(dns::Ask::Addresses);
    for ask in addresses.into_iter().chain([dns::Ask::Services]) {
        let _ = dns::wire::id(data);
        let _ = dns::wire::answer(data, &name, ask);
    }
}
