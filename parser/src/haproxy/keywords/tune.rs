//! `tune.*`. Most tune mechanisms that Tandem has not, or that size themselves.

use super::common::*;

const VALUE: &[Arg] = &[Arg::Word("value")];
const SWITCH: &[Arg] = &[Arg::Choice(&["on", "off"])];
/// A number that the system's `atol` reads: what it makes of other words is in [`super::super::lenient`].
const ANY: &[Arg] = &[COUNT];
const SOME: &[Arg] = &[Arg::Int("number", 1, i32::MAX as i64)];
const PERCENT: &[Arg] = &[Arg::Int("percent", 0, 100)];
const BYTES: &[Arg] = &[Arg::Int("bytes", i64::MIN, i64::MAX)];
const POSITIVE: &[Arg] = &[Arg::SizeIn(1, u32::MAX as u64)];
const NO_TLS: &str = "TLS is not spoken";
const NO_H2: &str = "HTTP/2 is not spoken";
const NO_LUA: &str = "scripts are not run";
const SELF_SIZED: &str = "it sizes itself";

/// What may follow the number of streams.
const STREAMS: &[Keyword] = &[
    moot("rq-load", NONE, &[Arg::Word("load")], NO_H2, "load from which there are fewer"),
    moot("min", NONE, &[COUNT], NO_H2, "how few there may be"),
];

const fn tuned(name: &'static str, args: &'static [Arg], doc: &'static str) -> Keyword {
    full(name, GLOBAL, args, doc)
}

const fn sized(name: &'static str, args: &'static [Arg]) -> Keyword {
    moot(name, GLOBAL, args, SELF_SIZED, "size of an internal mechanism")
}

const fn tls(name: &'static str, args: &'static [Arg]) -> Keyword {
    moot(name, GLOBAL, args, NO_TLS, "TLS mechanism")
}

const fn h2(name: &'static str, args: &'static [Arg]) -> Keyword {
    moot(name, GLOBAL, args, NO_H2, "HTTP/2 mechanism")
}

const fn quic(name: &'static str, args: &'static [Arg]) -> Keyword {
    moot(name, GLOBAL, args, "QUIC is not spoken", "QUIC mechanism")
}

const fn lua(name: &'static str, args: &'static [Arg]) -> Keyword {
    moot(name, GLOBAL, args, NO_LUA, "Lua mechanism")
}

/// One that stands alone, or whose missing number is zero.
const fn alone(name: &'static str, args: &'static [Arg]) -> Keyword {
    moot(name, GLOBAL, args, SELF_SIZED, "switch of an internal mechanism")
}

pub(super) const KEYWORDS: &[Keyword] = &[
    tuned("tune.bufsize", POSITIVE, "bytes of a buffer, and the largest request head"),
    tuned("tune.maxrewrite", &[Arg::Size], "bytes kept free for rewriting a head"),
    moot(
        "tune.maxaccept",
        GLOBAL,
        &[Arg::Int("number", -1, i32::MAX as i64)],
        "it sizes itself",
        "connections accepted in a row",
    ),
    tuned("tune.http.maxhdr", &[Arg::Int("number", 1, 32767)], "headers of a message"),
    sized("tune.http.cookielen", ANY),
    tuned("tune.http.logurilen", ANY, "bytes of a request line in a log"),
    sized("tune.applet.zero-copy-forwarding", SWITCH),
    sized("tune.buffers.limit", ANY),
    sized("tune.buffers.reserve", ANY),
    sized("tune.bufsize.large", POSITIVE),
    sized("tune.bufsize.small", POSITIVE),
    sized("tune.chksize", VALUE),
    sized("tune.cli.max-payload-size", &[Arg::Size]),
    moot("tune.comp.maxlevel", GLOBAL, &[Arg::Int("level", 1, 9)], SELF_SIZED, "most effort for compression"),
    full(
        "tune.defaults.purge",
        GLOBAL,
        &[Arg::Word("all, none, proxies or servers")],
        "what is forgotten that 'add backend' and 'add server' could start from",
    ),
    alone("tune.disable-fast-forward", &[]),
    alone("tune.disable-zero-copy-forwarding", &[]),
    sized("tune.epoll.mask-events", &[Arg::List(&["err", "hup", "rdhup"])]),
    sized("tune.events.max-events-at-once", &[Arg::Int("number", 1, 10000)]),
    alone("tune.fail-alloc", PERCENT),
    sized("tune.fd.edge-triggered", SWITCH),
    sized("tune.fd.tables", SWITCH),
    sized("tune.glitches.kill.cpu-usage", PERCENT),
    sized("tune.h1.be.glitches-threshold", ANY),
    sized("tune.h1.fe.glitches-threshold", ANY),
    sized("tune.h1.zero-copy-fwd-recv", SWITCH),
    sized("tune.h1.zero-copy-fwd-send", SWITCH),
    moot(
        "tune.idle-pool.shared",
        GLOBAL,
        &[Arg::Choice(&["on", "off", "full"])],
        SELF_SIZED,
        "threads share idle connections",
    ),
    moot("tune.idletimer", GLOBAL, &[MS], SELF_SIZED, "silence after which a stream is idle"),
    sized("tune.listener.default-shards", &[Arg::Choice(&["by-process", "by-thread", "by-group"])]),
    moot(
        "tune.listener.multi-queue",
        GLOBAL,
        &[Arg::Choice(&["on", "off", "fair"])],
        SELF_SIZED,
        "threads share new connections",
    ),
    sized("tune.max-checks-per-thread", ANY),
    sized("tune.max-rules-at-once", ANY),
    sized("tune.maxpollevents", &[Arg::Int("number", -1, i32::MAX as i64)]),
    sized("tune.memory.hot-size", SOME),
    sized("tune.notsent-lowat.client", &[Arg::Size]),
    sized("tune.notsent-lowat.server", &[Arg::Size]),
    sized("tune.pattern.cache-size", ANY),
    moot(
        "tune.peers.max-updates-at-once",
        GLOBAL,
        &[Arg::Int("number", 1, i32::MAX as i64)],
        SELF_SIZED,
        "updates sent in a row",
    ),
    sized("tune.pipesize", &[Arg::Size]),
    sized("tune.pool-high-fd-ratio", PERCENT),
    sized("tune.pool-low-fd-ratio", PERCENT),
    sized("tune.pt.zero-copy-forwarding", SWITCH),
    sized("tune.rcvbuf.backend", POSITIVE),
    sized("tune.rcvbuf.client", &[Arg::Size]),
    sized("tune.rcvbuf.frontend", POSITIVE),
    sized("tune.rcvbuf.server", &[Arg::Size]),
    sized("tune.recv_enough", &[Arg::Size]),
    sized("tune.renice.runtime", &[Arg::Int("number", -20, 19)]),
    sized("tune.renice.startup", &[Arg::Int("number", -20, 19)]),
    sized("tune.ring.queues", &[Arg::Int("number", 0, 16)]),
    tuned("tune.runqueue-depth", ANY, "steps of sessions between two looks at the network"),
    moot("tune.sched.low-latency", GLOBAL, SWITCH, SELF_SIZED, "serve what is late first"),
    sized("tune.sndbuf.backend", POSITIVE),
    sized("tune.sndbuf.client", &[Arg::Size]),
    sized("tune.sndbuf.frontend", POSITIVE),
    sized("tune.sndbuf.server", &[Arg::Size]),
    sized("tune.stick-counters", &[Arg::Int("number", 0, 100)]),
    sized("tune.streams-elasticity", &[Arg::Int("number", 0, i32::MAX as i64)]),
    sized("tune.takeover-other-tg-connections", &[Arg::Choice(&["none", "restricted", "full"])]),
    alone("tune.vars.check-max-size", BYTES),
    alone("tune.vars.global-max-size", BYTES),
    alone("tune.vars.proc-max-size", BYTES),
    alone("tune.vars.reqres-max-size", BYTES),
    alone("tune.vars.sess-max-size", BYTES),
    alone("tune.vars.txn-max-size", BYTES),
    sized("tune.zlib.memlevel", VALUE),
    sized("tune.zlib.windowsize", VALUE),
    h2("tune.h2.be.glitches-threshold", ANY),
    h2("tune.h2.be.initial-window-size", ANY),
    h2("tune.h2.be.max-concurrent-streams", ANY),
    h2("tune.h2.be.max-frames-at-once", ANY),
    h2("tune.h2.be.rxbuf", &[Arg::Size]),
    h2("tune.h2.fe.glitches-threshold", ANY),
    h2("tune.h2.fe.initial-window-size", ANY),
    moot(
        "tune.h2.fe.max-concurrent-streams",
        GLOBAL,
        &[COUNT, Arg::Settings(STREAMS)],
        NO_H2,
        "HTTP/2 mechanism",
    ),
    h2("tune.h2.fe.max-frames-at-once", ANY),
    h2("tune.h2.fe.max-rst-at-once", ANY),
    h2("tune.h2.fe.max-total-streams", ANY),
    h2("tune.h2.fe.rxbuf", &[Arg::Size]),
    moot("tune.h2.header-table-size", GLOBAL, &[Arg::Int("bytes", 4096, 65536)], NO_H2, "table of headers"),
    alone("tune.h2.initial-window-size", ANY),
    h2("tune.h2.log-errors", &[Arg::Choice(&["none", "connection", "stream"])]),
    alone("tune.h2.max-concurrent-streams", ANY),
    moot("tune.h2.max-frame-size", GLOBAL, &[Arg::Int("bytes", 16384, 16_777_215)], NO_H2, "longest frame"),
    h2("tune.h2.zero-copy-fwd-send", SWITCH),
    tls("tune.ssl.cachesize", ANY),
    tls("tune.ssl.capture-buffer-size", VALUE),
    tls("tune.ssl.capture-cipherlist-size", VALUE),
    tls("tune.ssl.certificate-compression", &[Arg::Choice(&["auto", "off"])]),
    moot(
        "tune.ssl.default-dh-param",
        GLOBAL,
        &[Arg::Int("bits", 1024, i32::MAX as i64)],
        NO_TLS,
        "bits of Diffie-Hellman parameters",
    ),
    alone("tune.ssl.force-private-cache", &[]),
    tls("tune.ssl.hard-maxrecord", ANY),
    moot("tune.ssl.keylog", GLOBAL, SWITCH, NO_TLS, "keep keys for logs"),
    tls("tune.ssl.keyupdate-rate-limit", ANY),
    moot("tune.ssl.lifetime", GLOBAL, &[SEC], NO_TLS, "life of a TLS session"),
    tls("tune.ssl.maxrecord", ANY),
    tls("tune.ssl.ocsp-update.maxdelay", ANY),
    tls("tune.ssl.ocsp-update.mindelay", ANY),
    tls("tune.ssl.ssl-ctx-cache-size", ANY),
    quic("tune.quic.be.cc.cubic-min-losses", SOME),
    quic("tune.quic.be.cc.hystart", SWITCH),
    quic("tune.quic.be.cc.max-frame-loss", SOME),
    quic("tune.quic.be.cc.max-win-size", &[Arg::SizeIn(10 << 10, 4 << 30)]),
    quic("tune.quic.be.cc.reorder-ratio", SOME),
    quic("tune.quic.be.max-idle-timeout", &[MS]),
    quic("tune.quic.be.sec.glitches-threshold", SOME),
    quic("tune.quic.be.stream.data-ratio", &[Arg::Int("number", 1, 100)]),
    quic("tune.quic.be.stream.max-concurrent", SOME),
    quic("tune.quic.be.stream.rxbuf", POSITIVE),
    quic("tune.quic.be.tx.pacing", SWITCH),
    quic("tune.quic.be.tx.udp-gso", SWITCH),
    quic("tune.quic.fe.cc.cubic-min-losses", SOME),
    quic("tune.quic.fe.cc.hystart", SWITCH),
    quic("tune.quic.fe.cc.max-frame-loss", SOME),
    quic("tune.quic.fe.cc.max-win-size", &[Arg::SizeIn(10 << 10, 4 << 30)]),
    quic("tune.quic.fe.cc.reorder-ratio", SOME),
    quic("tune.quic.fe.max-idle-timeout", &[MS]),
    quic("tune.quic.fe.sec.glitches-threshold", SOME),
    quic("tune.quic.fe.sec.retry-threshold", SOME),
    quic("tune.quic.fe.sock-per-conn", &[Arg::Choice(&["default-on", "force-off"])]),
    quic("tune.quic.fe.stream.data-ratio", &[Arg::Int("number", 1, 100)]),
    quic("tune.quic.fe.stream.max-concurrent", SOME),
    quic("tune.quic.fe.stream.max-total", SOME),
    quic("tune.quic.fe.stream.rxbuf", POSITIVE),
    quic("tune.quic.fe.tx.pacing", SWITCH),
    quic("tune.quic.fe.tx.udp-gso", SWITCH),
    quic("tune.quic.listen", SWITCH),
    quic("tune.quic.mem.tx-max", &[Arg::SizeIn(1, u64::MAX)]),
    quic("tune.quic.zero-copy-fwd-send", SWITCH),
    quic("tune.quic.cc-hystart", SWITCH),
    quic("tune.quic.cc.cubic.min-losses", SOME),
    alone("tune.quic.disable-tx-pacing", &[]),
    alone("tune.quic.disable-udp-gso", &[]),
    quic("tune.quic.frontend.conn-tx-buffers.limit", SOME),
    quic("tune.quic.frontend.default-max-window-size", &[Arg::SizeIn(10 << 10, 4 << 30)]),
    quic("tune.quic.frontend.glitches-threshold", SOME),
    quic("tune.quic.frontend.max-data-size", POSITIVE),
    quic("tune.quic.frontend.max-idle-timeout", &[MS]),
    quic("tune.quic.frontend.max-streams-bidi", SOME),
    quic("tune.quic.frontend.max-tx-mem", &[Arg::SizeIn(1, u64::MAX)]),
    quic("tune.quic.frontend.stream-data-ratio", &[Arg::Int("number", 1, 100)]),
    quic("tune.quic.backend.max-idle-timeout", &[MS]),
    quic("tune.quic.conn-buf-limit", SOME),
    quic("tune.quic.max-frame-loss", SOME),
    quic("tune.quic.reorder-ratio", SOME),
    quic("tune.quic.retry-threshold", SOME),
    quic("tune.quic.socket-owner", &[Arg::Choice(&["connection", "listener"])]),
    lua("tune.lua.bool-sample-conversion", &[Arg::Choice(&["normal", "pre-3.1-bug"])]),
    moot("tune.lua.burst-timeout", GLOBAL, &[MS], NO_LUA, "longest run of a script"),
    alone("tune.lua.forced-yield", BYTES),
    lua("tune.lua.log.loggers", SWITCH),
    lua("tune.lua.log.stderr", &[Arg::Choice(&["on", "auto", "off"])]),
    moot("tune.lua.maxmem", GLOBAL, &[COUNT], NO_LUA, "megabytes for scripts"),
    lua(
        "tune.lua.openlibs",
        &[Arg::List(&["all", "none", "table", "io", "os", "string", "math", "utf8", "package", "debug"])],
    ),
    moot("tune.lua.service-timeout", GLOBAL, &[MS], NO_LUA, "longest run of a script"),
    moot("tune.lua.session-timeout", GLOBAL, &[MS], NO_LUA, "longest run of a script"),
    moot("tune.lua.task-timeout", GLOBAL, &[MS], NO_LUA, "longest run of a script"),
];
