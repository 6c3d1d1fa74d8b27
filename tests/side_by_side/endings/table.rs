//! The configuration and the sessions of [`super`].

pub(super) const CONFIG: &str = "\
global
    log stdout format raw local0
    nbthread 1
    stats socket SOCKET level admin

defaults
    mode http
    log global
    option httplog
    http-reuse never
    retries 1
    timeout connect 500ms
    timeout client 900ms
    timeout server 600ms
    timeout http-request 700ms
    timeout http-keep-alive 700ms
    timeout tarpit 300ms

frontend web
    bind 127.0.0.1:8100
    http-request deny if { path_end /deny }
    http-request deny deny_status 429 if { path_end /many }
    http-request return status 200 if { path_end /return }
    http-request redirect location / if { path_end /redirect }
    http-request tarpit if { path_end /tarpit }
    http-request reject if { path_end /reject }
    http-request auth if { path_end /auth }
    http-response deny if { status 299 }
    use_backend nobody if { path_end /nobody }
    use_backend hole if { path_end /hole }
    use_backend patient if { path_end /patient }
    use_backend lines if { path_beg /api/api/ }
    use_backend crowded if { path_beg /api/ }
    use_backend left if { path_end /left }
    default_backend origin

backend origin
    server one 127.0.0.1:9000

backend left
    option abortonclose
    timeout server 5s
    http-request set-path /%[path,field(2,/)]/silent
    server one 127.0.0.1:9000

backend nobody
    server gone 127.0.0.1:9

backend hole
    server deep 127.0.0.1:9001

backend patient
    option abortonclose
    timeout connect 20s
    server deep 127.0.0.1:9001

backend crowded
    option abortonclose
    timeout queue 400ms
    timeout server 2s
    server one 127.0.0.1:9000 maxconn 1

backend lines
    option abortonclose
    timeout queue 5s
    timeout server 2500ms
    server one 127.0.0.1:9000 maxconn 1

backend slow
    timeout server 5s
    server one 127.0.0.1:9000

backend killed
    timeout server 5s
    server one 127.0.0.1:9000

backend killed-late
    timeout server 5s
    server one 127.0.0.1:9000

backend downed
    timeout server 5s
    server one 127.0.0.1:9000 on-marked-down shutdown-sessions

backend downed-late
    timeout server 5s
    server one 127.0.0.1:9000 on-marked-down shutdown-sessions

backend upped
    timeout server 5s
    server main 127.0.0.1:9000 disabled on-marked-up shutdown-backup-sessions
    server spare 127.0.0.1:9000 backup

backend deserted
    timeout queue 5s
    timeout server 2500ms
    server one 127.0.0.1:9000 maxconn 1

backend ports
    timeout server 2500ms
    server one 127.0.0.1:9000 source 127.0.0.1:21000-21000

backend unusable
    server one 127.0.0.1:9000 disabled

backend unreachable
    server one 203.0.113.9:80

backend elsewhere
    server one 127.0.0.1:9000 redir http://there

backend judged
    tcp-response content reject
    server one 127.0.0.1:9000

backend refusing
    tcp-request content reject
    server one 127.0.0.1:9000

backend seen
    tcp-response inspect-delay 5s
    tcp-response content reject if { status 200 }
    server one 127.0.0.1:9000

backend unseen
    tcp-response content reject if { status 200 }
    server one 127.0.0.1:9000

backend leaving
    option abortonclose
    timeout server 5s
    server one 127.0.0.1:9000

backend connecting
    timeout connect 20s
    server deep 127.0.0.1:9001

backend lost
    timeout connect 20s
    server deep 127.0.0.1:9001 on-marked-down shutdown-sessions

backend closed
    tcp-response content close
    server one 127.0.0.1:9000

backend returned
    http-response return status 200
    server one 127.0.0.1:9000

backend tunnelled
    timeout tunnel 400ms
    server one 127.0.0.1:9000

frontend doors
    bind 127.0.0.1:8110
    timeout tarpit 5s
    http-request tarpit if { path_end /tarpit }
    http-request silent-drop if { path_end /drop }
    http-request wait-for-body time 300ms if { path_end /whole } || { path_end /refuse }
    http-request deny if { path_end /refuse }
    tcp-request inspect-delay 2s
    tcp-request content reject if { path_end /refused }
    use_backend %[path,field(2,/)]

frontend stuck
    bind 127.0.0.1:8101
    default_backend slow

listen sticky
    bind 127.0.0.1:8102
    cookie WHO insert indirect
    server one 127.0.0.1:9000 cookie a
    server two 127.0.0.1:9000 cookie b disabled

listen rewritten
    bind 127.0.0.1:8103
    cookie A rewrite
    server one 127.0.0.1:9000 cookie me

listen prefixed
    bind 127.0.0.1:8104
    cookie A prefix
    server one 127.0.0.1:9000 cookie me

listen raw
    mode tcp
    option tcplog
    bind 127.0.0.1:8105
    server one 127.0.0.1:9000

listen raw-nobody
    mode tcp
    option tcplog
    bind 127.0.0.1:8106
    server gone 127.0.0.1:9

listen raw-hole
    mode tcp
    option tcplog
    bind 127.0.0.1:8107
    server deep 127.0.0.1:9001

listen raw-closed
    mode tcp
    option tcplog
    bind 127.0.0.1:8108
    tcp-request inspect-delay 5s
    tcp-request content reject if { req.len gt 0 }
    server one 127.0.0.1:9000

listen raw-patient
    mode tcp
    option tcplog
    timeout server 5s
    bind 127.0.0.1:8109
    server one 127.0.0.1:9000

listen raw-killed
    mode tcp
    option tcplog
    timeout server 5s
    timeout client 5s
    bind 127.0.0.1:8111
    server one 127.0.0.1:9000

listen raw-downed
    mode tcp
    option tcplog
    timeout server 5s
    timeout client 5s
    bind 127.0.0.1:8112
    server one 127.0.0.1:9000 on-marked-down shutdown-sessions

listen raw-half
    mode tcp
    option tcplog
    timeout server 5s
    timeout client-fin 400ms
    bind 127.0.0.1:8113
    server one 127.0.0.1:9000

listen raw-fin
    mode tcp
    option tcplog
    timeout client 5s
    timeout server-fin 400ms
    bind 127.0.0.1:8114
    server one 127.0.0.1:9000
";

/// What the client does after it has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Reads to the end.
    Reads,
    /// Ends its direction, then reads to the end.
    Halves,
    /// Reads nothing and stays until its line is logged.
    Stalls,
    /// Reads a little, then resets the connection.
    Resets,
    /// Closes the connection when the proxy has had its request for a moment: nothing tells when that is.
    LeavesSoon,
    /// Closes the connection once this backend has a session of it.
    Leaves(&'static str),
    /// The same once it waits in this backend's queue.
    LeavesQueue(&'static str),
    /// Has these commands given once this proxy has a session of it, then reads to the end.
    Told(&'static str, &'static str),
    /// The same once it waits in this backend's queue.
    ToldQueued(&'static str, &'static str),
}

pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) port: u16,
    /// `@` stands for the number of the case.
    pub(super) send: &'static str,
    pub(super) then: Then,
    /// Termination code, as it stands in the line.
    pub(super) code: &'static str,
}

const fn case(name: &'static str, port: u16, send: &'static str, then: Then, code: &'static str) -> Case {
    Case { name, port, send, then, code }
}

const WEB: u16 = 8100;

pub(super) const CASES: &[Case] = &[
    case("well", WEB, "GET /@/plain HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", Then::Reads, "----"),
    case("kept and left", WEB, "GET /@/plain HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "----"),
    case("half closed", WEB, "GET /@/plain HTTP/1.1\r\nHost: a\r\n\r\n", Then::Halves, "----"),
    case("error of the server", WEB, "GET /@/error HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "----"),
    case("no whole request", WEB, "GET /@/plain HTTP/1.1\r\nHost: a\r\n", Then::Stalls, "cR--"),
    case("client left in its request", WEB, "GET /@/plain HTTP/1.1\r\nHost: a\r\n", Then::Halves, "CR--"),
    case("bad request", WEB, "GET /@/plain HTTP/1.1\r\nHo st: a\r\n\r\n", Then::Reads, "PR--"),
    case("denied", WEB, "GET /@/deny HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "PR--"),
    case("denied with a status", WEB, "GET /@/many HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "PR--"),
    case("rejected", WEB, "GET /@/reject HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "PR--"),
    case("authentication", WEB, "GET /@/auth HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "LR--"),
    case("tarpit", WEB, "GET /@/tarpit HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "PT--"),
    case("returned", WEB, "GET /@/return HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "LR--"),
    case("redirected", WEB, "GET /@/redirect HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "LR--"),
    case("refused", WEB, "GET /@/nobody HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "SC--"),
    case("no answer to connecting", WEB, "GET /@/hole HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "sC--"),
    case(
        "client left while connecting",
        WEB,
        "GET /@/patient HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Leaves("patient"),
        "CC--",
    ),
    case("no head in time", WEB, "GET /@/silent HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "sH--"),
    case("server closed at once", WEB, "GET /@/closes HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "SH--"),
    case(
        "server closed in its head",
        WEB,
        "GET /@/half-head HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Reads,
        "SH--",
    ),
    case("no response", WEB, "GET /@/garbage HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "PH--"),
    case("response denied", WEB, "GET /@/reason HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "PH--"),
    case(
        "client left before the head",
        WEB,
        "GET /@/left HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Leaves("left"),
        "CH--",
    ),
    case(
        "server closed in its body",
        WEB,
        "GET /@/half-body HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Reads,
        "SD--",
    ),
    case("server stopped in its body", WEB, "GET /@/stalls HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "sD--"),
    case("client left in the body", WEB, "GET /@/endless HTTP/1.1\r\nHost: a\r\n\r\n", Then::Resets, "CD--"),
    case("client stopped reading", 8101, "GET /@/endless HTTP/1.1\r\nHost: a\r\n\r\n", Then::Stalls, "cD--"),
    case(
        "body does not come",
        WEB,
        "POST /@/plain HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
        Then::Stalls,
        "sH--",
    ),
    case("cookie given", 8102, "GET /@/plain HTTP/1.1\r\nHost: a\r\n\r\n", Then::Halves, "--NI"),
    case(
        "cookie known",
        8102,
        "GET /@/plain HTTP/1.1\r\nHost: a\r\nCookie: WHO=a\r\n\r\n",
        Then::Halves,
        "--VN",
    ),
    case(
        "cookie of nobody",
        8102,
        "GET /@/plain HTTP/1.1\r\nHost: a\r\nCookie: WHO=x\r\n\r\n",
        Then::Halves,
        "--II",
    ),
    case(
        "cookie of a server that is down",
        8102,
        "GET /@/plain HTTP/1.1\r\nHost: a\r\nCookie: WHO=b\r\n\r\n",
        Then::Halves,
        "--DI",
    ),
    case("cookie rewritten", 8103, "GET /@/headers HTTP/1.1\r\nHost: a\r\n\r\n", Then::Halves, "--NR"),
    case("cookie not set", 8103, "GET /@/plain HTTP/1.1\r\nHost: a\r\n\r\n", Then::Halves, "--NN"),
    case(
        "cookie prefixed",
        8104,
        "GET /@/headers HTTP/1.1\r\nHost: a\r\nCookie: A=me~1\r\n\r\n",
        Then::Halves,
        "--VR",
    ),
    case("tcp: well", 8105, "GET /@/close HTTP/1.1\r\nHost: a\r\n\r\n", Then::Halves, "--"),
    case("tcp: refused", 8106, "x", Then::Reads, "SC"),
    case("tcp: no answer to connecting", 8107, "x", Then::Reads, "sC"),
    case("tcp: rejected", 8108, "x", Then::Reads, "PR"),
    case("tcp: silent while rules wait", 8108, "", Then::Reads, "cR"),
    case("tcp: server silent", 8105, "GET /@/silent HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "sD"),
    case("tcp: client silent", 8109, "GET /@/silent HTTP/1.1\r\nHost: a\r\n\r\n", Then::Stalls, "cD"),
    case("tcp: client resets", 8105, "GET /@/endless HTTP/1.1\r\nHost: a\r\n\r\n", Then::Resets, "CD"),
];

/// The frontend that leads to the backend whose name the path begins with.
const DOORS: u16 = 8110;

/// Sessions that commands, servers' states and rules end, and the ends of tunnels.
pub(super) const MORE: &[Case] = &[
    case(
        "killed before the head",
        DOORS,
        "GET /killed/@/silent HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Told("killed", "shutdown sessions server killed/one"),
        "KH--",
    ),
    case(
        "killed in the body",
        DOORS,
        "GET /killed-late/@/stalls HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Told("killed-late", "shutdown sessions server killed-late/one"),
        "KD--",
    ),
    case(
        "server went down before the head",
        DOORS,
        "GET /downed/@/silent HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Told("downed", "set server downed/one state maint"),
        "DH--",
    ),
    case(
        "server went down in the body",
        DOORS,
        "GET /downed-late/@/stalls HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Told("downed-late", "set server downed-late/one state maint"),
        "DD--",
    ),
    case(
        "preferred server came up",
        DOORS,
        "GET /upped/@/silent HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Told("upped", "set server upped/main state ready"),
        "UH--",
    ),
    case("no usable server", DOORS, "GET /unusable/@/plain HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "SC--"),
    case("no way there", DOORS, "GET /unreachable/@/plain HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "SC--"),
    case("sent elsewhere", DOORS, "GET /elsewhere/@/plain HTTP/1.1\r\nHost: a\r\n\r\n", Then::Halves, "LC--"),
    case("response rejected", DOORS, "GET /judged/@/plain HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "PD--"),
    case(
        "response replaced",
        DOORS,
        "GET /returned/@/plain HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Halves,
        "LH--",
    ),
    case(
        "client left the tarpit",
        DOORS,
        "GET /x/@/tarpit HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::LeavesSoon,
        "PT--",
    ),
    case(
        "client left in the body, and is looked at",
        DOORS,
        "GET /leaving/@/stalls HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Halves,
        "CD--",
    ),
    case(
        "killed while connecting",
        DOORS,
        "GET /connecting/@/plain HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Told("connecting", "shutdown sessions server connecting/deep"),
        "KC--",
    ),
    case(
        "server went down while connecting",
        DOORS,
        "GET /lost/@/plain HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Told("lost", "set server lost/deep state maint"),
        "DC--",
    ),
    case(
        "server cut off by a rule",
        DOORS,
        "GET /closed/@/plain HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Reads,
        "SH--",
    ),
    case(
        "body waited for does not come",
        DOORS,
        "POST /x/@/whole HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
        Then::Stalls,
        "cR--",
    ),
    case(
        "last line of chunks waited for does not come",
        DOORS,
        "POST /returned/@/whole HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
        Then::Stalls,
        "cR--",
    ),
    case(
        "client left while its body was waited for",
        DOORS,
        "POST /returned/@/whole HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
        Then::Halves,
        "CR--",
    ),
    case(
        "client left before the last line of its chunks",
        DOORS,
        "POST /returned/@/whole HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
        Then::Halves,
        "CR--",
    ),
    case(
        "client left in its body, which was for nobody",
        DOORS,
        "POST /x/@/whole HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
        Then::Halves,
        "CR--",
    ),
    case(
        "client left in its body, which was denied",
        DOORS,
        "POST /x/@/refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
        Then::Halves,
        "PR--",
    ),
    case(
        "rejected by its content in the backend",
        DOORS,
        "GET /refusing/@/plain HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Reads,
        "PR--",
    ),
    case("rejected by its head", DOORS, "GET /seen/@/plain HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "PD--"),
    case(
        "no head to be rejected by",
        DOORS,
        "GET /unseen/@/plain HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Halves,
        "----",
    ),
    case(
        "tcp: client stopped reading",
        8105,
        "GET /@/endless HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Stalls,
        "cD",
    ),
    case("dropped silently", DOORS, "GET /x/@/drop HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "PR--"),
    case(
        "rejected by its content",
        DOORS,
        "GET /x/@/refused HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Reads,
        "PR--",
    ),
    case(
        "silence in a tunnel",
        DOORS,
        "GET /tunnelled/@/tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
        Then::Reads,
        "cD--",
    ),
    case(
        "tunnel left",
        DOORS,
        "GET /tunnelled/@/tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
        Then::Halves,
        "----",
    ),
    case(
        "tunnel left by the server",
        DOORS,
        "GET /tunnelled/@/upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
        Then::Stalls,
        "----",
    ),
    case(
        "bad chunk from the server",
        WEB,
        "GET /@/bad-chunk HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Reads,
        "PH--",
    ),
    case("server chunks cut", WEB, "GET /@/cut-chunk HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "SD--"),
    case(
        "client left in its body",
        WEB,
        "POST /@/plain HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
        Then::Halves,
        "CH--",
    ),
    case(
        "client stopped in its body",
        8101,
        "POST /@/plain HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
        Then::Stalls,
        "cH--",
    ),
    case(
        "answered before its body",
        WEB,
        "POST /@/early HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
        Then::Reads,
        "cD--",
    ),
    case(
        "server done, client stopped",
        8101,
        "GET /@/much HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Stalls,
        "cD--",
    ),
    case("server done, client left", 8101, "GET /@/much HTTP/1.1\r\nHost: a\r\n\r\n", Then::Resets, "CD--"),
    case(
        "tcp: server done, client stopped",
        8109,
        "GET /@/much HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Stalls,
        "cD",
    ),
    case(
        "tcp: server done, client left",
        8109,
        "GET /@/much HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Resets,
        "CD",
    ),
    case(
        "tcp: killed",
        8111,
        "GET /@/silent HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Told("raw-killed", "shutdown sessions server raw-killed/one"),
        "KD",
    ),
    case(
        "tcp: server went down",
        8112,
        "GET /@/silent HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Told("raw-downed", "set server raw-downed/one state maint"),
        "DD",
    ),
    case(
        "tcp: half closed and silent",
        8113,
        "GET /@/silent HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Halves,
        "--",
    ),
    case(
        "tcp: server half closed, client silent",
        8114,
        "GET /@/half-closed HTTP/1.1\r\nHost: a\r\n\r\n",
        Then::Stalls,
        "cD",
    ),
];

/// Pairs that need a server that is busy: the first one keeps it.
pub(super) const QUEUE: &[[Case; 2]] = &[
    [
        case("keeps the server", WEB, "GET /api/@/silent HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "sH--"),
        case("queue too long", WEB, "GET /api/@/plain HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "sQ--"),
    ],
    [
        case("keeps another", WEB, "GET /api/api/@/silent HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "sH--"),
        case(
            "client left the queue",
            WEB,
            "GET /api/api/@/plain HTTP/1.1\r\nHost: a\r\n\r\n",
            Then::LeavesQueue("lines"),
            "CQ--",
        ),
    ],
    [
        case(
            "keeps a third",
            DOORS,
            "GET /deserted/@/silent HTTP/1.1\r\nHost: a\r\n\r\n",
            Then::Reads,
            "sH--",
        ),
        case(
            "server went away while it waited",
            DOORS,
            "GET /deserted/@/plain HTTP/1.1\r\nHost: a\r\n\r\n",
            Then::ToldQueued("deserted", "set server deserted/one state maint"),
            "sQ--",
        ),
    ],
    [
        case(
            "keeps the only port",
            DOORS,
            "GET /ports/@/silent HTTP/1.1\r\nHost: a\r\n\r\n",
            Then::Reads,
            "sH--",
        ),
        case("no port left", DOORS, "GET /ports/@/plain HTTP/1.1\r\nHost: a\r\n\r\n", Then::Reads, "SC--"),
    ],
];

/// Where ours differs, and why.
pub(super) const DIFFERENT: &[(&str, &str)] = &[
    (
        "client left before the head",
        "HAProxy 2.6 looks at such a client only once the server has answered; 3.5 does as we do",
    ),
    ("client left the queue", "as above"),
    ("client left in the body, and is looked at", "as above"),
    ("client left in its body", "as 3.5: CH and 400; 2.6 writes CL"),
    (
        "client stopped in its body",
        "as 3.5: cH and 400, when the client's time is up; 2.6 waits for the server",
    ),
    ("killed while connecting", "2.6 does not say in which state"),
    ("server went down while connecting", "as above"),
    ("client left while its body was waited for", "as 3.5: 400; 2.6 has no status"),
    ("client left before the last line of its chunks", "as above"),
    ("tcp: killed", "2.6 does not say in which state, 3.5 that it was connecting"),
    ("tcp: server went down", "as above"),
];
