//! Heads in, heads out, chunked bodies.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group};
use tandem::http::{ChunkDecoder, Head, Parser, body, request, response};

pub(super) const BROWSER: &[u8] = b"GET /static/app.js?v=17 HTTP/1.1\r\n\
    Host: www.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    Connection: keep-alive\r\n\
    Cookie: session=0123456789abcdef; SRV=s1; theme=dark\r\n\
    Cache-Control: max-age=0\r\n\r\n";

const NGINX: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Server: nginx\r\n\
    Date: Sat, 21 Nov 2026 10:00:00 GMT\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 100\r\n\
    Connection: keep-alive\r\n\r\n";

fn heads(c: &mut Criterion) {
    let mut group = c.benchmark_group("head");
    let (mut head, mut out) = (Head::new(), Vec::new());
    group.throughput(Throughput::Bytes(BROWSER.len() as u64));
    group.bench_function("request: parse, prepare, write", |b| {
        b.iter(|| {
            let _ = black_box(Parser::new().request(black_box(BROWSER), &mut head, 101));
            let _ = black_box(request::prepare(&mut head));
            out.clear();
            head.write_to(&mut out);
        });
    });
    group.throughput(Throughput::Bytes(NGINX.len() as u64));
    let facts = request::Facts { keep_alive: true, ..request::Facts::default() };
    group.bench_function("response: parse, prepare, write", |b| {
        b.iter(|| {
            let _ = black_box(Parser::new().response(black_box(NGINX), &mut head, 101));
            let _ = black_box(response::prepare(&mut head, &facts));
            out.clear();
            head.write_to(&mut out);
        });
    });
    group.finish();
}

fn chunks(c: &mut Criterion) {
    let mut message = Vec::new();
    for _ in 0..16 {
        body::write_size(4096, &mut message);
        message.extend_from_slice(&[b'x'; 4096]);
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(b"0\r\n\r\n");
    let mut group = c.benchmark_group("chunked");
    group.throughput(Throughput::Bytes(message.len() as u64));
    let mut out = Vec::new();
    group.bench_function("16 chunks of 4 KB", |b| {
        b.iter(|| {
            out.clear();
            let _ = black_box(ChunkDecoder::new().decode(&message, &mut out, &mut 0));
        });
    });
    group.finish();
}

criterion_group!(benches, heads, chunks);
