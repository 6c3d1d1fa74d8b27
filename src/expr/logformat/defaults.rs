//! The formats that `option httplog` and its relatives stand for (manual, 8.2).

use std::sync::LazyLock;

use crate::ir::expr::{LfAlias as A, LfItem, LfNode, LfOptions, LogFormat, Timer};
use crate::ir::log::LogFormatKind;

use super::super::ctx::{Ctx, Peer};
use super::{Writer, date};

const PLAIN: LfOptions =
    LfOptions { mandatory: true, quote: false, hex: false, escape: false, http: false, encoding: None };
const QUOTED: LfOptions = LfOptions { quote: true, ..PLAIN };

/// The format of a kind. None: the line that is written when a connection is accepted, [`write_connect`].
#[must_use]
pub fn of_kind(kind: &LogFormatKind) -> Option<&LogFormat> {
    match kind {
        LogFormatKind::Default => None,
        LogFormatKind::Tcp => Some(&TCP),
        LogFormatKind::TcpClf => Some(&TCP_CLF),
        LogFormatKind::Http => Some(&HTTP),
        LogFormatKind::Clf => Some(&CLF),
        LogFormatKind::Https => Some(&HTTPS),
        LogFormatKind::Custom(format) => Some(format),
    }
}

/// The line of a proxy without a log format: who connected where.
pub fn write_connect(ctx: &Ctx<'_>, out: &mut Vec<u8>) {
    use std::io::Write as _;
    let mode = if ctx.frontend.http { "HTTP" } else { "TCP" };
    let name = ctx.frontend.name;
    // Writing to memory cannot fail.
    let _ = match (ctx.client.src, ctx.client.dst.and_then(Peer::ip)) {
        (Some(Peer::Ip(src)), Some(dst)) => write!(
            out,
            "Connect from {}:{} to {}:{} ({name}/{mode})",
            src.ip(),
            src.port(),
            dst.ip(),
            dst.port()
        ),
        (Some(Peer::Ip(src)), None) => {
            write!(out, "Connect from {}:{} to ?:0 ({name}/{mode})", src.ip(), src.port())
        }
        _ => write!(out, "Connect to unix:{} ({name}/{mode})", ctx.client.listener_id),
    };
}

/// The line of a connection that never became a session: whose it was, when it came, and why.
pub fn write_refusal(ctx: &Ctx<'_>, why: &str, out: &mut Vec<u8>) {
    let mut w = Writer { out, after_blank: true };
    match ctx.client.src {
        Some(Peer::Ip(src)) => w.display(format_args!("{}:{} [", src.ip(), src.port())),
        _ => w.display(format_args!("unix:{} [", ctx.client.listener_id)),
    }
    date::with_millis(&mut w, ctx.client.accept_us, ctx.clock.zone);
    w.display(format_args!("] {}/", ctx.frontend.name));
    match ctx.client.listener_name {
        Some(name) => w.display(name),
        None => w.display(ctx.client.listener_id),
    }
    w.display(format_args!(": {why}"));
}

/// A piece of a format: text without blanks, a blank, an item.
enum P {
    T(&'static str),
    S,
    A(A),
    /// In quotes.
    Q(A),
}

fn format(text: &str, pieces: &[P]) -> LogFormat {
    let nodes = pieces.iter().map(|piece| {
        let (item, opts) = match piece {
            P::T(text) => (LfItem::Text(text.as_bytes().into()), PLAIN),
            P::S => (LfItem::Separator, PLAIN),
            P::A(alias) => (LfItem::Alias(*alias), PLAIN),
            P::Q(alias) => (LfItem::Alias(*alias), QUOTED),
        };
        LfNode { item, opts, name: None, cast: None }
    });
    LogFormat { nodes: nodes.collect(), text: text.into(), ..LogFormat::default() }
}

const fn timer(timer: Timer) -> P {
    P::A(A::Timer(timer))
}

/// What connections, retries and queues there were, in the formats of CLF.
const COUNTERS: [A; 7] = [
    A::ActiveConnections,
    A::FrontendConnections,
    A::BackendConnections,
    A::ServerConnections,
    A::Retries,
    A::ServerQueue,
    A::BackendQueue,
];

const CONNECTIONS: [P; 13] = [
    P::A(A::ActiveConnections),
    P::T("/"),
    P::A(A::FrontendConnections),
    P::T("/"),
    P::A(A::BackendConnections),
    P::T("/"),
    P::A(A::ServerConnections),
    P::T("/"),
    P::A(A::Retries),
    P::S,
    P::A(A::ServerQueue),
    P::T("/"),
    P::A(A::BackendQueue),
];

fn head(date: A) -> Vec<P> {
    use P::{A as I, S, T};
    vec![
        I(A::ClientIp),
        T(":"),
        I(A::ClientPort),
        S,
        T("["),
        I(date),
        T("]"),
        S,
        I(A::FrontendTransport),
        S,
        I(A::Backend),
        T("/"),
        I(A::Server),
        S,
    ]
}

static TCP: LazyLock<LogFormat> = LazyLock::new(|| {
    use P::{A as I, S, T};
    let mut pieces = head(A::AcceptDate);
    pieces.extend([timer(Timer::Wait), T("/"), timer(Timer::Connect), T("/"), timer(Timer::Total), S]);
    pieces.extend([I(A::BytesRead), S, I(A::TermState), S]);
    pieces.extend(CONNECTIONS);
    format("%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq", &pieces)
});

const HTTP_TEXT: &str = "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc \
                         %sq/%bq %hr %hs %{+Q}r";

fn http_pieces() -> Vec<P> {
    use P::{A as I, Q, S, T};
    let mut pieces = head(A::RequestDate);
    for (i, t) in
        [Timer::Request, Timer::Wait, Timer::Connect, Timer::Response, Timer::Active].into_iter().enumerate()
    {
        if i > 0 {
            pieces.push(T("/"));
        }
        pieces.push(timer(t));
    }
    for alias in [A::Status, A::BytesRead, A::RequestCookie, A::ResponseCookie, A::TermStateCookie] {
        pieces.extend([S, I(alias)]);
    }
    pieces.push(S);
    pieces.extend(CONNECTIONS);
    pieces.extend([S, I(A::RequestHeaders), S, I(A::ResponseHeaders), S, Q(A::RequestLine)]);
    pieces
}

static HTTP: LazyLock<LogFormat> = LazyLock::new(|| format(HTTP_TEXT, &http_pieces()));

static HTTPS: LazyLock<LogFormat> = LazyLock::new(|| {
    let mut pieces = http_pieces();
    // Error codes of the connection and of the handshake, resumption, server name: what a clear connection has.
    pieces.extend([
        P::S,
        P::T("0/-/-/-/0"),
        P::S,
        P::T("-/"),
        P::A(A::TlsVersion),
        P::T("/"),
        P::A(A::TlsCipher),
    ]);
    let tail = "%[fc_err]/%[ssl_fc_err,hex]/%[ssl_c_err]/%[ssl_c_ca_err]/%[ssl_fc_is_resumed] \
                %[ssl_fc_sni]/%sslv/%sslc";
    format(&format!("{HTTP_TEXT} {tail}"), &pieces)
});

static TCP_CLF: LazyLock<LogFormat> = LazyLock::new(|| {
    use P::{A as I, Q, S, T};
    let mut pieces = vec![I(A::ClientIp), S, T("-"), S, T("-"), S, T("["), I(A::AcceptDateUtc), T("]"), S];
    pieces.extend([T("\"TCP"), S, T("\""), S, T("000"), S, I(A::BytesRead), S, T("\"\""), S, T("\"\"")]);
    let rest = [
        I(A::ClientPort),
        I(A::AcceptMillis),
        Q(A::FrontendTransport),
        Q(A::Backend),
        Q(A::Server),
        timer(Timer::Handshake),
        timer(Timer::Wait),
        timer(Timer::Connect),
        timer(Timer::Total),
        I(A::BytesUploaded),
        I(A::TermState),
    ];
    for piece in rest {
        pieces.extend([S, piece]);
    }
    pieces.push(T("--"));
    for counter in COUNTERS {
        pieces.extend([S, I(counter)]);
    }
    pieces.extend([S, T("\"\""), S, T("\"\""), S]);
    let text = "%{+Q}o %{-Q}ci - - [%T] \"TCP \" 000 %B \"\" \"\" %cp %ms %ft %b %s %Th %Tw %Tc %Tt %U %ts-- %ac \
                %fc %bc %sc %rc %sq %bq \"\" \"\" ";
    format(text, &pieces)
});

static CLF: LazyLock<LogFormat> = LazyLock::new(|| {
    use P::{A as I, Q, S, T};
    let mut pieces = vec![I(A::ClientIp), S, T("-"), S, T("-"), S, T("["), I(A::RequestDateUtc), T("]")];
    pieces.extend([S, Q(A::RequestLine), S, I(A::Status), S, I(A::BytesRead), S, T("\"\""), S, T("\"\"")]);
    let rest = [
        I(A::ClientPort),
        I(A::AcceptMillis),
        Q(A::FrontendTransport),
        Q(A::Backend),
        Q(A::Server),
        timer(Timer::Request),
        timer(Timer::Wait),
        timer(Timer::Connect),
        timer(Timer::Response),
        timer(Timer::Active),
        Q(A::TermStateCookie),
    ];
    let lists =
        [Q(A::RequestCookie), Q(A::ResponseCookie), Q(A::RequestHeaderList), Q(A::ResponseHeaderList)];
    for piece in rest.into_iter().chain(COUNTERS.map(I)).chain(lists) {
        pieces.extend([S, piece]);
    }
    let text = "%{+Q}o %{-Q}ci - - [%trg] %r %ST %B \"\" \"\" %cp %ms %ft %b %s %TR %Tw %Tc %Tr %Ta %tsc %ac %fc \
                %bc %sc %rc %sq %bq %CC %CS %hrl %hsl";
    format(text, &pieces)
});
