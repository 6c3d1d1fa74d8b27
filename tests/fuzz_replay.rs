//! The fuzz targets on a stable compiler: every seed, every input that once was a finding, and seeded mutations of both.

#[path = "fuzz/bodies.rs"]
mod bodies;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Mutations per seed. libFuzzer does the long search; this keeps the targets honest between its runs.
const MUTATIONS: usize = 24;

/// Words that mean something to one of the languages: a mutation may put one in.
const WORDS: &[&str] = &[
    "\n",
    " ",
    "{",
    "}",
    "\"",
    "'",
    "\\",
    "#",
    "${A}",
    "%[src]",
    "if",
    "{ src 1.2.3.4 }",
    ".if",
    ".endif",
    "$A=",
    "~SEQ(a,1,9)",
    "\r\n",
    "0x",
    "Transfer-Encoding: chunked\r\n",
    "Content-Length: 5\r\n",
    "PROXY TCP4 ",
    "\u{0}",
    "\u{e9}",
    "4294967296",
    "-1",
    "no ",
    "default ",
];

/// A generator that gives the same numbers on every machine (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % below.max(1)
    }
}

fn mutate(seed: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=dice.roll(4) {
        let at = dice.roll(bytes.len() + 1);
        match dice.roll(5) {
            0 if at < bytes.len() => bytes[at] = u8::try_from(dice.roll(256)).unwrap(),
            1 => bytes.truncate(at),
            2 => {
                let word = WORDS[dice.roll(WORDS.len())].as_bytes();
                bytes.splice(at..at, word.iter().copied());
            }
            3 => {
                let end = (at + dice.roll(40)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let end = (at + dice.roll(200)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = dice.roll(bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
        }
    }
    bytes
}

fn collect(folder: &Path, extensions: &[&str], into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, extensions, into);
        } else if extensions.is_empty()
            || path.extension().is_some_and(|it| extensions.iter().any(|one| it == *one))
        {
            into.push(path);
        }
    }
    into.sort();
}

/// The fixtures of the language, and what `compat-fixtures/fuzz/NAME` keeps.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("compat-fixtures");
    let mut paths = Vec::new();
    match name {
        "haproxy_config" => collect(&fixtures.join("haproxy"), &["cfg"], &mut paths),
        "keepalived_config" => collect(&fixtures.join("keepalived"), &["conf"], &mut paths),
        _ => {}
    }
    collect(&fixtures.join("fuzz").join(name), &[], &mut paths);
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// How long the targets are searched beyond that: `TANDEM_FUZZ_SECONDS`, and `TANDEM_FUZZ_TARGET` for one alone. Inputs that
/// the seeds lead to are kept small; the search needs no nightly compiler and knows nothing of coverage.
fn search(name: &str, body: fn(&[u8]), seeds: &[Vec<u8>]) {
    let seconds = std::env::var("TANDEM_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let one = std::env::var("TANDEM_FUZZ_TARGET").unwrap_or_default();
    if seconds == 0 || (!one.is_empty() && one != name) {
        return;
    }
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut dice = Dice(0x2545_f491_4f6c_dd1d ^ u64::from(std::process::id()));
    let (mut inputs, mut slowest) = (0_u64, Duration::ZERO);
    while Instant::now() < end {
        let mut bytes = seeds[dice.roll(seeds.len())].clone();
        for _ in 0..=dice.roll(6) {
            bytes = mutate(&bytes, &mut dice);
        }
        // Two seeds in one, now and then.
        if dice.roll(4) == 0 {
            let other = &seeds[dice.roll(seeds.len())];
            bytes.extend_from_slice(&other[dice.roll(other.len() + 1)..]);
        }
        let shown = bytes.clone();
        let began = Instant::now();
        let fell = std::panic::catch_unwind(move || body(&bytes)).is_err();
        slowest = slowest.max(began.elapsed());
        assert!(!fell, "{name} falls over {:?}", String::from_utf8_lossy(&shown));
        inputs += 1;
    }
    println!("{name}: {inputs} inputs in {seconds} s, the slowest took {slowest:?}");
}

#[test]
fn no_target_falls_over_seeds_and_their_mutations() {
    let threads: Vec<_> = bodies::TARGETS
        .iter()
        .map(|&(name, body)| {
            let seeds = seeds(name);
            assert!(!seeds.is_empty(), "no seeds for {name}");
            std::thread::Builder::new().name(name.into()).spawn(move || {
                for (nth, seed) in seeds.iter().enumerate() {
                    body(seed);
                    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ (nth as u64 + 1));
                    for _ in 0..MUTATIONS {
                        let bytes = mutate(seed, &mut dice);
                        let shown = bytes.clone();
                        let fell = std::panic::catch_unwind(move || body(&bytes)).is_err();
                        assert!(!fell, "{name} falls over {:?}", String::from_utf8_lossy(&shown));
                    }
                }
                search(name, body, &seeds);
            })
        })
        .collect();
    for thread in threads {
        thread.unwrap().join().unwrap();
    }
}
