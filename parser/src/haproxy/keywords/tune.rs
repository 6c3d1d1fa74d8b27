//! `tune.*`. Most tune mechanisms that Tandem has not, or that size themselves.

use super::common::*;

const REST: &[Arg] = &[Arg::Rest];
const VALUE: &[Arg] = &[Arg::Word("value")];
const SWITCH: &[Arg] = &[Arg::Choice(&["on", "off"])];
const NO_TLS: &str = "TLS is not spoken";
const NO_H2: &str = "HTTP/2 is not spoken";
const NO_LUA: &str = "scripts are not run";
const SELF_SIZED: &str = "it sizes itself";

const fn tuned(name: &'static str, args: &'static [Arg], doc: &'static str) -> Keyword {
    full(name, GLOBAL, args, doc)
}

const fn sized(name: &'static str) -> Keyword {
    moot(name, GLOBAL, VALUE, SELF_SIZED, "size of an internal mechanism")
}

const fn tls(name: &'static str) -> Keyword {
    moot(name, GLOBAL, VALUE, NO_TLS, "TLS mechanism")
}

const fn h2(name: &'static str) -> Keyword {
    moot(name, GLOBAL, VALUE, NO_H2, "HTTP/2 mechanism")
}

const fn quic(name: &'static str) -> Keyword {
    moot(name, GLOBAL, VALUE, "QUIC is not spoken", "QUIC mechanism")
}

const fn lua(name: &'static str) -> Keyword {
    moot(name, GLOBAL, VALUE, NO_LUA, "Lua mechanism")
}

/// One that stands alone, or whose missing number is zero.
const fn alone(name: &'static str) -> Keyword {
    moot(name, GLOBAL, REST, SELF_SIZED, "switch of an internal mechanism")
}

pub(super) const KEYWORDS: &[Keyword] = &[
    tuned("tune.bufsize", &[Arg::Size], "bytes of a buffer, and the largest request head"),
    tuned("tune.maxrewrite", &[Arg::Size], "bytes kept free for rewriting a head"),
    moot(
        "tune.maxaccept",
        GLOBAL,
        &[Arg::Int("number", -1, i32::MAX as i64)],
        "it sizes itself",
        "connections accepted in a row",
    ),
    tuned("tune.http.maxhdr", &[Arg::Int("number", 1, 32767)], "headers of a message"),
    sized("tune.http.cookielen"),
    sized("tune.http.logurilen"),
    sized("tune.applet.zero-copy-forwarding"),
    sized("tune.buffers.limit"),
    sized("tune.buffers.reserve"),
    sized("tune.bufsize.large"),
    sized("tune.bufsize.small"),
    sized("tune.chksize"),
    sized("tune.cli.max-payload-size"),
    moot("tune.comp.maxlevel", GLOBAL, &[Arg::Int("level", 1, 9)], SELF_SIZED, "most effort for compression"),
    full(
        "tune.defaults.purge",
        GLOBAL,
        &[Arg::Word("all, none, proxies or servers")],
        "what is forgotten that 'add backend' and 'add server' could start from",
    ),
    alone("tune.disable-fast-forward"),
    alone("tune.disable-zero-copy-forwarding"),
    sized("tune.epoll.mask-events"),
    sized("tune.events.max-events-at-once"),
    alone("tune.fail-alloc"),
    sized("tune.fd.edge-triggered"),
    sized("tune.fd.tables"),
    sized("tune.glitches.kill.cpu-usage"),
    sized("tune.h1.be.glitches-threshold"),
    sized("tune.h1.fe.glitches-threshold"),
    sized("tune.h1.zero-copy-fwd-recv"),
    sized("tune.h1.zero-copy-fwd-send"),
    moot("tune.idle-pool.shared", GLOBAL, SWITCH, SELF_SIZED, "threads share idle connections"),
    moot("tune.idletimer", GLOBAL, &[MS], SELF_SIZED, "silence after which a stream is idle"),
    sized("tune.listener.default-shards"),
    moot(
        "tune.listener.multi-queue",
        GLOBAL,
        &[Arg::Choice(&["on", "off", "fair"])],
        SELF_SIZED,
        "threads share new connections",
    ),
    sized("tune.max-checks-per-thread"),
    sized("tune.max-rules-at-once"),
    sized("tune.maxpollevents"),
    sized("tune.memory.hot-size"),
    sized("tune.notsent-lowat.client"),
    sized("tune.notsent-lowat.server"),
    sized("tune.pattern.cache-size"),
    moot(
        "tune.peers.max-updates-at-once",
        GLOBAL,
        &[Arg::Int("number", 1, i32::MAX as i64)],
        SELF_SIZED,
        "updates sent in a row",
    ),
    sized("tune.pipesize"),
    sized("tune.pool-high-fd-ratio"),
    sized("tune.pool-low-fd-ratio"),
    sized("tune.pt.zero-copy-forwarding"),
    sized("tune.rcvbuf.backend"),
    sized("tune.rcvbuf.client"),
    sized("tune.rcvbuf.frontend"),
    sized("tune.rcvbuf.server"),
    sized("tune.recv_enough"),
    sized("tune.renice.runtime"),
    sized("tune.renice.startup"),
    sized("tune.ring.queues"),
    sized("tune.runqueue-depth"),
    moot("tune.sched.low-latency", GLOBAL, SWITCH, SELF_SIZED, "serve what is late first"),
    sized("tune.sndbuf.backend"),
    sized("tune.sndbuf.client"),
    sized("tune.sndbuf.frontend"),
    sized("tune.sndbuf.server"),
    sized("tune.stick-counters"),
    sized("tune.streams-elasticity"),
    sized("tune.takeover-other-tg-connections"),
    alone("tune.vars.check-max-size"),
    alone("tune.vars.global-max-size"),
    alone("tune.vars.proc-max-size"),
    alone("tune.vars.reqres-max-size"),
    alone("tune.vars.sess-max-size"),
    alone("tune.vars.txn-max-size"),
    sized("tune.zlib.memlevel"),
    sized("tune.zlib.windowsize"),
    h2("tune.h2.be.glitches-threshold"),
    h2("tune.h2.be.initial-window-size"),
    h2("tune.h2.be.max-concurrent-streams"),
    h2("tune.h2.be.max-frames-at-once"),
    h2("tune.h2.be.rxbuf"),
    h2("tune.h2.fe.glitches-threshold"),
    h2("tune.h2.fe.initial-window-size"),
    moot(
        "tune.h2.fe.max-concurrent-streams",
        GLOBAL,
        &[
            COUNT,
            Arg::Maybe(&Arg::Choice(&["rq-load"])),
            Arg::Maybe(&Arg::Word("load")),
            Arg::Maybe(&Arg::Choice(&["min"])),
            Arg::Maybe(&COUNT),
        ],
        NO_H2,
        "HTTP/2 mechanism",
    ),
    h2("tune.h2.fe.max-frames-at-once"),
    h2("tune.h2.fe.max-rst-at-once"),
    h2("tune.h2.fe.max-total-streams"),
    h2("tune.h2.fe.rxbuf"),
    moot("tune.h2.header-table-size", GLOBAL, &[Arg::Int("bytes", 4096, 65536)], NO_H2, "table of headers"),
    alone("tune.h2.initial-window-size"),
    h2("tune.h2.log-errors"),
    alone("tune.h2.max-concurrent-streams"),
    moot("tune.h2.max-frame-size", GLOBAL, &[Arg::Int("bytes", 16384, 16_777_215)], NO_H2, "longest frame"),
    h2("tune.h2.zero-copy-fwd-send"),
    tls("tune.ssl.cachesize"),
    tls("tune.ssl.capture-buffer-size"),
    tls("tune.ssl.capture-cipherlist-size"),
    tls("tune.ssl.certificate-compression"),
    moot(
        "tune.ssl.default-dh-param",
        GLOBAL,
        &[Arg::Int("bits", 1024, i32::MAX as i64)],
        NO_TLS,
        "bits of Diffie-Hellman parameters",
    ),
    alone("tune.ssl.force-private-cache"),
    tls("tune.ssl.hard-maxrecord"),
    moot("tune.ssl.keylog", GLOBAL, SWITCH, NO_TLS, "keep keys for logs"),
    tls("tune.ssl.keyupdate-rate-limit"),
    moot("tune.ssl.lifetime", GLOBAL, &[SEC], NO_TLS, "life of a TLS session"),
    tls("tune.ssl.maxrecord"),
    tls("tune.ssl.ocsp-update.maxdelay"),
    tls("tune.ssl.ocsp-update.mindelay"),
    tls("tune.ssl.ssl-ctx-cache-size"),
    quic("tune.quic.be.cc.cubic-min-losses"),
    quic("tune.quic.be.cc.hystart"),
    quic("tune.quic.be.cc.max-frame-loss"),
    quic("tune.quic.be.cc.max-win-size"),
    quic("tune.quic.be.cc.reorder-ratio"),
    quic("tune.quic.be.max-idle-timeout"),
    quic("tune.quic.be.sec.glitches-threshold"),
    quic("tune.quic.be.stream.data-ratio"),
    quic("tune.quic.be.stream.max-concurrent"),
    quic("tune.quic.be.stream.rxbuf"),
    quic("tune.quic.be.tx.pacing"),
    quic("tune.quic.be.tx.udp-gso"),
    quic("tune.quic.fe.cc.cubic-min-losses"),
    quic("tune.quic.fe.cc.hystart"),
    quic("tune.quic.fe.cc.max-frame-loss"),
    quic("tune.quic.fe.cc.max-win-size"),
    quic("tune.quic.fe.cc.reorder-ratio"),
    quic("tune.quic.fe.max-idle-timeout"),
    quic("tune.quic.fe.sec.glitches-threshold"),
    quic("tune.quic.fe.sec.retry-threshold"),
    quic("tune.quic.fe.sock-per-conn"),
    quic("tune.quic.fe.stream.data-ratio"),
    quic("tune.quic.fe.stream.max-concurrent"),
    quic("tune.quic.fe.stream.max-total"),
    quic("tune.quic.fe.stream.rxbuf"),
    quic("tune.quic.fe.tx.pacing"),
    quic("tune.quic.fe.tx.udp-gso"),
    quic("tune.quic.listen"),
    quic("tune.quic.mem.tx-max"),
    quic("tune.quic.zero-copy-fwd-send"),
    quic("tune.quic.cc-hystart"),
    quic("tune.quic.cc.cubic.min-losses"),
    alone("tune.quic.disable-tx-pacing"),
    alone("tune.quic.disable-udp-gso"),
    quic("tune.quic.frontend.conn-tx-buffers.limit"),
    quic("tune.quic.frontend.default-max-window-size"),
    quic("tune.quic.frontend.glitches-threshold"),
    quic("tune.quic.frontend.max-data-size"),
    quic("tune.quic.frontend.max-idle-timeout"),
    quic("tune.quic.frontend.max-streams-bidi"),
    quic("tune.quic.frontend.max-tx-mem"),
    quic("tune.quic.frontend.stream-data-ratio"),
    quic("tune.quic.backend.max-idle-timeout"),
    quic("tune.quic.conn-buf-limit"),
    quic("tune.quic.max-frame-loss"),
    quic("tune.quic.reorder-ratio"),
    quic("tune.quic.retry-threshold"),
    quic("tune.quic.socket-owner"),
    lua("tune.lua.bool-sample-conversion"),
    moot("tune.lua.burst-timeout", GLOBAL, &[MS], NO_LUA, "longest run of a script"),
    alone("tune.lua.forced-yield"),
    lua("tune.lua.log.loggers"),
    lua("tune.lua.log.stderr"),
    moot("tune.lua.maxmem", GLOBAL, &[COUNT], NO_LUA, "megabytes for scripts"),
    lua("tune.lua.openlibs"),
    moot("tune.lua.service-timeout", GLOBAL, &[MS], NO_LUA, "longest run of a script"),
    moot("tune.lua.session-timeout", GLOBAL, &[MS], NO_LUA, "longest run of a script"),
    moot("tune.lua.task-timeout", GLOBAL, &[MS], NO_LUA, "longest run of a script"),
];
