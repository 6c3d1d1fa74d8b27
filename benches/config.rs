//! Reading configurations: 40,000 lines with 5,000 backends, as text, as syntax tree and as meaning.

use std::hint::black_box;
use std::io;
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group};
use tandem::lower::haproxy::FACTS;
use tandem::lower::{Env, Source, load};
use tandem_parser::haproxy::parse;
use tandem_parser::span::Sources;

/// A machine with nothing on it.
struct Nothing;

impl Env for Nothing {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// Eight lines for each of `backends`: two in the frontend, six of its own. `benches/config.sh` writes the same.
fn generated(backends: usize) -> String {
    let mut text = String::from(
        "global\n    maxconn 10000\ndefaults\n    mode http\n    timeout client 30s\n    timeout server 30s\n    \
         timeout connect 5s\n    balance roundrobin\n\nfrontend www\n    bind 127.0.0.1:18080\n",
    );
    for n in 0..backends {
        text += &format!("    acl h{n} hdr(host) -i site{n}.example.com\n    use_backend b{n} if h{n}\n");
    }
    for n in 0..backends {
        let net = format!("10.{}.{}", n / 250, n % 250);
        text += &format!(
            "\nbackend b{n}\n    option httpchk GET /health\n    server s1 {net}.1:8080 check inter 2s rise 2 fall 3\n    \
             server s2 {net}.2:8080 check inter 2s rise 2 fall 3 weight 50\n    cookie SRV insert indirect nocache\n"
        );
    }
    text
}

fn configurations(c: &mut Criterion) {
    let text = generated(5000);
    let mut group = c.benchmark_group("config");
    group.throughput(Throughput::Elements(text.lines().count() as u64));
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    group.bench_function("parse", |b| {
        let mut sources = Sources::new();
        sources.add("big.cfg", text.as_bytes().to_vec());
        b.iter(|| black_box(parse(&sources, &|_: &str| None, &FACTS)));
    });
    group.bench_function("load", |b| {
        b.iter(|| load(vec![Source { name: "big.cfg".into(), text: text.as_bytes().to_vec() }], &Nothing));
    });
    group.finish();
}

criterion_group!(benches, configurations);
