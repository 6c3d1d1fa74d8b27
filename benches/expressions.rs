//! Conditions, chains of conditions, log-format strings, as a loaded configuration has them.

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::{IpAddr, SocketAddr};

use criterion::Criterion;
use tandem::expr::ctx::{Buffered, Captures, Client, Clock, Peer, Process, Progress, ProxyView};
use tandem::expr::{Ctx, Live, Vars, chain, eval_cond, logformat};
use tandem::http::{Head, Parser};
use tandem::ir::expr::{ProcessNumber, ProxyNumber, ServerNumber, TimeoutName, Value, VarName};
use tandem::ir::rules::HttpAction;
use tandem::ir::{Config, ProxyIdx};
use tandem::lower::{Source, System, load};

/// A frontend with these lines.
pub(super) fn config(lines: &str) -> Config {
    let text = format!(
        "defaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 5s\n\
         frontend web\n bind 127.0.0.1:80\n{lines}\n"
    );
    let source = Source { name: "bench.cfg".into(), text: text.into_bytes() };
    let loaded = load(vec![source], &System::default());
    loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics))
}

struct Numbers;

impl Live for Numbers {
    fn proxy(&self, _: ProxyIdx, _: ProxyNumber) -> i64 {
        1
    }
    fn server(&self, _: ProxyIdx, _: u32, _: ServerNumber) -> i64 {
        1
    }
    fn process(&self, _: ProcessNumber) -> i64 {
        1
    }
    fn listener_connections(&self) -> i64 {
        1
    }
    fn proxy_by_name(&self, _: &[u8]) -> Option<ProxyIdx> {
        None
    }
    fn proc_var(&self, _: &VarName) -> Option<Value> {
        None
    }
    fn is_local(&self, _: IpAddr) -> bool {
        false
    }
    fn random(&self) -> u64 {
        7
    }
    fn timeout(&self, _: TimeoutName) -> Option<i64> {
        None
    }
}

/// Gives `f` what an expression sees of a browser's request from `src`.
pub(super) fn with_ctx<R>(src: IpAddr, f: impl FnOnce(&Ctx<'_>) -> R) -> R {
    let mut request = Head::new();
    let _ = Parser::new().request(super::heads::BROWSER, &mut request, 101);
    let (vars, captures, zone) = (Vars::default(), Captures::default(), jiff::tz::TimeZone::UTC);
    let src = Some(Peer::Ip(SocketAddr::new(src, 40_000)));
    let proxy = ProxyView { name: "web", http: true, ..ProxyView::default() };
    f(&Ctx {
        clock: Clock { now_us: 1_714_124_398_774_000, zone: &zone },
        process: Process { hostname: "node1", pid: 4242, thread: 0 },
        client: Client { src, fc_src: src, accept_us: 1_714_124_398_700_000, ..Client::default() },
        frontend: proxy,
        backend: proxy,
        server: None,
        no_server: "<NOSRV>",
        request: Some(&request),
        response: None,
        request_data: Buffered::default(),
        response_data: Buffered::default(),
        vars: &vars,
        captures: &captures,
        progress: Progress {
            status: 200,
            request_line: Some(b"GET /static/app.js?v=17 HTTP/1.1"),
            ..Progress::default()
        },
        live: &Numbers,
        is_final: true,
        not_http: false,
    })
}

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 33));

fn conditions(c: &mut Criterion) {
    let cases = [
        ("path_beg", "path_beg /api/ /img/"),
        ("path_end", "path_end .css .js .png .jpg .svg"),
        ("hdr(host) -i", "hdr(host) -i a.example b.example www.example.com"),
        ("src", "src 10.0.0.0/8 192.168.0.0/16"),
        ("path_reg", "path_reg ^/static/.*\\.js$"),
        ("url_param, converters", "url_param(v),lower,length ge 2"),
        ("and, or, not", "!{ method POST } { path_sub app } || { hdr_cnt(cookie) gt 3 }"),
    ];
    let mut group = c.benchmark_group("condition");
    for (name, text) in cases {
        let text = if text.contains('{') { text.to_owned() } else { format!("{{ {text} }}") };
        let config = config(&format!(" http-request deny if {text}"));
        let Some(cond) = &config.proxies[0].http_request[0].cond else { continue };
        with_ctx(HOME, |ctx| group.bench_function(name, |b| b.iter(|| eval_cond(black_box(cond), ctx))));
    }
    group.finish();
}

fn chains(c: &mut Criterion) {
    let mut lines = String::new();
    for i in 0..500 {
        let _ = writeln!(lines, " http-request deny if {{ hdr(host) -i host{i}.example.com }}");
    }
    let config = config(&lines);
    let compiled = chain::compile(config.proxies[0].http_request.iter().map(|rule| rule.cond.as_ref()));
    with_ctx(HOME, |ctx| {
        c.bench_function("chain of 500 hosts", |b| b.iter(|| chain::first(black_box(&compiled), ctx)));
    });
}

fn formats(c: &mut Criterion) {
    let cases = [
        ("four fields", r#""%ci:%cp [%tr] %[req.hdr(host),lower]""#),
        (
            "httplog",
            r#""%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r""#,
        ),
    ];
    let mut group = c.benchmark_group("log-format");
    for (name, text) in cases {
        let config = config(&format!(" http-request set-header x {text}"));
        let HttpAction::SetHeader(_, format) = &config.proxies[0].http_request[0].action else { continue };
        let mut out = Vec::new();
        with_ctx(HOME, |ctx| {
            group.bench_function(name, |b| {
                b.iter(|| {
                    out.clear();
                    logformat::render(black_box(format), ctx, &mut out);
                });
            });
        });
    }
    group.finish();
}

criterion::criterion_group!(benches, conditions, chains, formats);
