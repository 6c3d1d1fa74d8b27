//! HAProxy's own words, where they differ from the general ones.

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// An argument is missing.
    Missing,
    /// An argument is none of those that are possible.
    Wrong,
    /// A number is too small or too large.
    Range,
    /// A character may not stand in a time or a size.
    Character,
    /// A time is too long.
    Overflow,
    /// Something follows where nothing may.
    Extra,
}

/// Keyword, or line and setting (`server/inter`, `server/*` for all of them); fault; message. `{}` is the word at fault,
/// `{c}` the first character of it that is none of a number, `{at}` what is being read, `{srv}` and `{server}` the server,
/// `{key}` the setting, `{line}` the line up to the word, `{in}` kind and name of the section. A `~` before a message: no
/// space before the colon after the place.
const MESSAGES: &[(&str, Fault, &str)] = &[
    ("mode", Fault::Wrong, "unknown proxy mode '{}'."),
    ("hash-type", Fault::Wrong, "'hash-type' only supports 'consistent' and 'map-based'."),
    ("http-reuse", Fault::Wrong, "'http-reuse' only supports 'never', 'safe', 'aggressive', 'always'."),
    (
        "cookie",
        Fault::Wrong,
        "'cookie' supports 'rewrite', 'insert', 'prefix', 'indirect', 'nocache', 'postonly', 'domain', \
         'maxidle', 'dynamic', 'maxlife' and 'attr' options.",
    ),
    ("cookie", Fault::Missing, "'cookie' expects <cookie_name> as argument."),
    ("log", Fault::Wrong, "log : unknown log facility '{}'"),
    ("log", Fault::Missing, "log : expects <address> and <facility> or global as arguments"),
    (
        "use_backend",
        Fault::Extra,
        "unexpected keyword '{}' after switching rule, only 'if' and 'unless' are allowed.",
    ),
    ("use_backend", Fault::Missing, "'use_backend' expects a backend name."),
    ("default_backend", Fault::Missing, "'default_backend' expects a backend name."),
    ("server", Fault::Missing, "'server' expects <name> and <addr>[:<port>] as arguments."),
    ("nameserver", Fault::Missing, "'nameserver' expects <name> and <addr>[:<port>] as arguments."),
    (
        "bind",
        Fault::Missing,
        "'bind' expects {<path>|[addr1]:port1[-end1]}{,[addr]:port[-end]}... as arguments.",
    ),
    ("option httplog", Fault::Extra, "keyword 'httplog' only supports option 'clf'."),
    ("option tcplog", Fault::Extra, "keyword 'tcplog' only supports option 'clf'."),
    ("chroot", Fault::Missing, "'chroot' expects a directory as an argument."),
    ("pidfile", Fault::Missing, "'pidfile' expects a file name as an argument."),
    (
        "stats socket",
        Fault::Missing,
        "'stats socket' in global section expects an address or a path to a UNIX socket",
    ),
    ("stats uri", Fault::Missing, "'uri' needs an URI prefix."),
    ("stats realm", Fault::Missing, "'realm' needs an realm name."),
    ("stats auth", Fault::Missing, "'auth' needs a user:password account."),
    ("stats scope", Fault::Missing, "'scope' needs a proxy name."),
    (
        "balance",
        Fault::Missing,
        "balance only supports 'roundrobin', 'static-rr', 'leastconn', 'source', 'uri', 'url_param', \
         'hdr(name)' and 'rdp-cookie(name)' options.",
    ),
    ("retries", Fault::Missing, "'retries' expects an integer argument (dispatch counts for one)."),
    ("setenv", Fault::Missing, "~'setenv' expects a name and a value."),
    ("mode", Fault::Missing, "unknown proxy mode ''."),
    ("log", Fault::Extra, "log : unknown optional log level '{}'"),
    ("hash-type", Fault::Missing, "'hash-type' only supports 'consistent' and 'map-based'."),
    ("hash-type", Fault::Extra, "'hash-type' only supports 'avalanche' as a modifier for hash functions."),
    ("http-reuse", Fault::Missing, "'http-reuse' only supports 'never', 'safe', 'aggressive', 'always'."),
    ("http-reuse", Fault::Extra, "'{line}' cannot handle unexpected argument '{}'."),
    ("http-send-name-header", Fault::Missing, "'http-send-name-header' requires a header string."),
    ("dynamic-cookie-key", Fault::Missing, "'dynamic-cookie-key' expects <secret_key> as argument."),
    ("guid", Fault::Missing, "'guid' : expects an argument"),
    ("id", Fault::Range, "~custom id has to be > 0."),
    (
        "load-server-state-from-file",
        Fault::Missing,
        "'load-server-state-from-file' expects 'global', 'local' or 'none'. Got ''",
    ),
    ("log-tag", Fault::Missing, "'log-tag' expects a tag for use in syslog."),
    ("monitor-uri", Fault::Missing, "'monitor-uri' expects an URI."),
    (
        "max-keep-alive-queue",
        Fault::Missing,
        "'max-keep-alive-queue' expects expects an integer value (or -1 to disable)",
    ),
    (
        "max-keep-alive-queue",
        Fault::Wrong,
        "'max-keep-alive-queue' : unexpected character '{c}' in integer value '{}'",
    ),
    ("clitcpka-cnt", Fault::Missing, "'clitcpka-cnt' expects an integer value"),
    ("clitcpka-cnt", Fault::Wrong, "'clitcpka-cnt' : unexpected character '{c}' in integer value '{}'"),
    ("clitcpka-idle", Fault::Missing, "'clitcpka-idle' expects an integer value"),
    ("clitcpka-intvl", Fault::Missing, "'clitcpka-intvl' expects an integer value"),
    ("srvtcpka-cnt", Fault::Missing, "'srvtcpka-cnt' expects an integer value"),
    ("srvtcpka-cnt", Fault::Wrong, "'srvtcpka-cnt' : unexpected character '{c}' in integer value '{}'"),
    ("srvtcpka-idle", Fault::Missing, "'srvtcpka-idle' expects an integer value"),
    ("srvtcpka-intvl", Fault::Missing, "'srvtcpka-intvl' expects an integer value"),
    ("log-format", Fault::Missing, "log-format expects an argument."),
    ("log-format-sd", Fault::Missing, "log-format-sd expects an argument."),
    ("error-log-format", Fault::Missing, "error-log-format expects an argument."),
    ("unique-id-format", Fault::Missing, "unique-id-format expects an argument."),
    ("unique-id-header", Fault::Missing, "unique-id-header expects an argument."),
    ("log-format", Fault::Extra, "log-format expects only one argument, don't forget to escape spaces!"),
    ("use-server", Fault::Missing, "'use-server' expects a server name."),
    ("description", Fault::Missing, "~'description' expects a string argument."),
    ("errorfiles", Fault::Missing, "errorfiles : expects <name> as argument."),
    ("http-error", Fault::Missing, "http-error : expects at least a <status> as arguments."),
    ("external-check command", Fault::Missing, "missing argument after 'command'."),
    ("external-check path", Fault::Missing, "missing argument after 'path'."),
    (
        "dispatch",
        Fault::Missing,
        "'dispatch' : '' resolves to an empty address (environment variable missing?)",
    ),
    (
        "capture request header",
        Fault::Missing,
        "'capture request' expects 'header' <header_name> 'len' <len>.",
    ),
    (
        "capture response header",
        Fault::Missing,
        "'capture response' expects 'header' <header_name> 'len' <len>.",
    ),
    ("capture cookie", Fault::Missing, "'capture' expects 'cookie' <cookie_name> 'len' <len>."),
    ("errorfile", Fault::Missing, "errorfile : expects <status_code> and <file> as arguments."),
    ("errorfile", Fault::Wrong, "errorfile : expects <status_code> and <file> as arguments."),
    ("errorfile", Fault::Range, "errorfile : status code '{}' not handled."),
    ("errorloc", Fault::Missing, "errorloc : expects <status_code> and <url> as arguments."),
    ("errorloc", Fault::Wrong, "errorloc : expects <status_code> and <url> as arguments."),
    ("errorloc", Fault::Range, "errorloc : status code '{}' not handled."),
    ("errorloc302", Fault::Missing, "errorloc302 : expects <status_code> and <url> as arguments."),
    ("errorloc302", Fault::Wrong, "errorloc302 : expects <status_code> and <url> as arguments."),
    ("errorloc302", Fault::Range, "errorloc302 : status code '{}' not handled."),
    ("errorloc303", Fault::Missing, "errorloc303 : expects <status_code> and <url> as arguments."),
    ("errorloc303", Fault::Wrong, "errorloc303 : expects <status_code> and <url> as arguments."),
    ("errorloc303", Fault::Range, "errorloc303 : status code '{}' not handled."),
    ("ssl-f-use", Fault::Missing, "Trying to load a certificate but no 'crt' keyword specified."),
    (
        "quic-initial",
        Fault::Missing,
        "'quic-initial' expects 'accept', 'dgram-drop', 'do-log', 'reject', 'send-retry', but got '' (missing argument).",
    ),
    ("http-err-codes", Fault::Missing, "Missing status codes range for 'http-err-codes'."),
    ("http-fail-codes", Fault::Missing, "Missing status codes range for 'http-fail-codes'."),
    ("ssl-security-level", Fault::Missing, "'ssl-security-level' : missing value"),
    ("stress-level", Fault::Missing, "'stress-level' expects a level as an argument."),
    ("server/log-bufsize", Fault::Range, "'{srv}' : log-bufsize has to be > 0."),
    (
        "stick-table/brates-factor",
        Fault::Range,
        "stick-table: argument 'brates-factor' must be greater than 0 and lower or equal than 1024.",
    ),
    ("compression type", Fault::Missing, "'compression' expects <type>."),
    ("stats refresh", Fault::Character, "~unexpected character '{c}' in argument to stats refresh interval."),
    (
        "stats refresh",
        Fault::Overflow,
        "~timer overflow in argument <{}> to stats refresh interval, maximum value is 2147483647 s (~68 years).",
    ),
    ("stats timeout", Fault::Character, "'stats timeout' : unexpected character '{c}'"),
    (
        "tcp-request inspect-delay",
        Fault::Missing,
        "'tcp-request inspect-delay' expects a positive delay in milliseconds, in {in}",
    ),
    (
        "tcp-request inspect-delay",
        Fault::Character,
        "'tcp-request inspect-delay' expects a positive delay in milliseconds, in {in} (unexpected character '{c}')",
    ),
    (
        "tcp-request inspect-delay",
        Fault::Overflow,
        "'tcp-request inspect-delay' expects a positive delay in milliseconds, in {in} (timer overflow in '{}'; maximum is 2147483647 ms or ~24.8 days)",
    ),
    (
        "tcp-response inspect-delay",
        Fault::Missing,
        "'tcp-response inspect-delay' expects a positive delay in milliseconds, in {in}",
    ),
    (
        "tcp-response inspect-delay",
        Fault::Character,
        "'tcp-response inspect-delay' expects a positive delay in milliseconds, in {in} (unexpected character '{c}')",
    ),
    (
        "tcp-response inspect-delay",
        Fault::Overflow,
        "'tcp-response inspect-delay' expects a positive delay in milliseconds, in {in} (timer overflow in '{}'; maximum is 2147483647 ms or ~24.8 days)",
    ),
    ("max-spread-checks", Fault::Missing, "~'max-spread-checks' expects an integer argument (0..50)."),
    (
        "max-spread-checks",
        Fault::Character,
        "~unsupported character '{c}' in 'max-spread-checks' (wants an integer delay).",
    ),
    ("cookie/maxidle", Fault::Missing, "~'maxidle' expects <idletime> in seconds as argument."),
    ("cookie/maxlife", Fault::Missing, "~'maxlife' expects <lifetime> in seconds as argument."),
    ("cookie/maxidle", Fault::Character, "~unexpected character '{c}' in argument to <maxidle>."),
    (
        "cookie/maxidle",
        Fault::Overflow,
        "~timer overflow in argument <{}> to <maxidle>, maximum value is 2147483647 s (~68 years).",
    ),
    ("cookie/maxlife", Fault::Character, "~unexpected character '{c}' in argument to <maxlife>."),
    (
        "cookie/maxlife",
        Fault::Overflow,
        "~timer overflow in argument <{}> to <maxlife>, maximum value is 2147483647 s (~68 years).",
    ),
    ("cookie/domain", Fault::Missing, "~'domain' expects <domain> as argument."),
    ("cookie/attr", Fault::Missing, "~'attr' expects <value> as argument."),
    (
        "source",
        Fault::Missing,
        "'source' expects <addr>[:<port>], and optionally 'usesrc' <addr>, and 'interface' <name>.",
    ),
    ("source", Fault::Wrong, "'source' only supports optional keywords 'interface' and 'usesrc'."),
    ("source/interface", Fault::Missing, "'source' : missing interface name."),
    (
        "source/usesrc",
        Fault::Missing,
        "'usesrc' expects <addr>[:<port>], 'client', or 'clientip' as argument.",
    ),
    (
        "option forwardfor",
        Fault::Wrong,
        "'option forwardfor' only supports optional values: 'except', 'header' and 'if-none'.",
    ),
    (
        "option forwardfor/except",
        Fault::Missing,
        "'option forwardfor except' expects <address>[/mask] as argument.",
    ),
    (
        "option forwardfor/header",
        Fault::Missing,
        "'option forwardfor header' expects <header_name> as argument.",
    ),
    (
        "option mysql-check",
        Fault::Wrong,
        "'option mysql-check' only supports optional values: 'user' (got '{}').",
    ),
    ("option mysql-check/user", Fault::Missing, "'option mysql-check user' expects <username> as argument."),
    ("log/format", Fault::Wrong, "log : unknown log format '{}'"),
    ("log/len", Fault::Wrong, "log : invalid log length '{}', must be between 80 and 65535"),
    ("log/len", Fault::Range, "log : invalid log length '{}', must be between 80 and 65535"),
    ("http-check disable-on-404", Fault::Extra, "'http-check' cannot handle unexpected argument '{}'."),
    ("http-check send-state", Fault::Extra, "'http-check' cannot handle unexpected argument '{}'."),
    ("http-check comment", Fault::Missing, "'http-check comment' : expects a string as argument."),
    (
        "http-check expect",
        Fault::Missing,
        "'http-check expect' : expects at least a matching pattern as arguments.",
    ),
    ("tcp-check comment", Fault::Missing, "'tcp-check comment' : expects a string as argument."),
    (
        "tcp-check expect",
        Fault::Missing,
        "'tcp-check expect' : expects at least a matching pattern as arguments.",
    ),
    ("http-check send/meth", Fault::Missing, "'http-check send' : 'meth' expects a string as argument."),
    (
        "http-check send/hdr",
        Fault::Missing,
        "'http-check send' : 'hdr' expects <name> and <value> as arguments.",
    ),
    ("tcp-check send", Fault::Missing, "'tcp-check send' : 'string' expects a send as argument."),
    (
        "tcp-check send-binary",
        Fault::Missing,
        "'tcp-check send-binary' : 'binary string' expects a send-binary as argument.",
    ),
    ("tcp-check send-lf", Fault::Missing, "'tcp-check send-lf' : 'string' expects a send-lf as argument."),
    (
        "tcp-check send-binary-lf",
        Fault::Missing,
        "'tcp-check send-binary-lf' : 'string' expects a send-binary-lf as argument.",
    ),
    ("stick match", Fault::Missing, "'stick' expects a fetch method."),
    ("stick on", Fault::Missing, "'stick' expects a fetch method."),
    ("stick store-request", Fault::Missing, "'stick' expects a fetch method."),
    ("stick store-response", Fault::Missing, "'stick' expects a fetch method."),
    ("stick-table", Fault::Wrong, "stick-table: unknown argument '{}'."),
    ("stick-table/expire", Fault::Missing, "stick-table: missing argument after 'expire'."),
    (
        "stick-table/expire",
        Fault::Character,
        "stick-table: unexpected character '{c}' in argument of 'expire'.",
    ),
    (
        "stick-table/expire",
        Fault::Overflow,
        "~stick-table: timer overflow in argument <{}> to <expire>, maximum value is 2147483647 ms (~24.8 days).",
    ),
    ("stick-table/size", Fault::Missing, "stick-table: missing argument after 'size'."),
    ("stick-table/size", Fault::Character, "stick-table: unexpected character '{c}' in argument of 'size'."),
    ("stick-table/srvkey", Fault::Missing, "stick-table : unknown server key type ''."),
    ("stick-table/srvkey", Fault::Wrong, "stick-table : unknown server key type '{}'."),
    ("stick-table/type", Fault::Missing, "stick-table: unknown type ''."),
    ("ca-base", Fault::Missing, "global statement 'ca-base' expects a directory path as an argument."),
    ("crt-base", Fault::Missing, "global statement 'crt-base' expects a directory path as an argument."),
    ("key-base", Fault::Missing, "global statement 'key-base' expects a directory path as an argument."),
    (
        "issuers-chain-path",
        Fault::Missing,
        "global statement 'issuers-chain-path' expects a directory path as an argument.",
    ),
    ("cluster-secret", Fault::Missing, "expects an ASCII string argument."),
    (
        "default-path",
        Fault::Missing,
        "missing default-path mode '' for 'default-path', supported modes include 'current', 'config', 'parent', and 'origin'.",
    ),
    (
        "default-path",
        Fault::Wrong,
        "unsupported default-path mode '{}' for 'default-path', supported modes include 'current', 'config', 'parent', and 'origin'.",
    ),
    ("h1-case-adjust", Fault::Missing, "'h1-case-adjust' expects <from> and <to> as argument."),
    ("localpeer", Fault::Missing, "'localpeer' expects a name as an argument."),
    ("lua-load", Fault::Missing, "'lua-load' expects a file name as parameter."),
    ("lua-load-per-thread", Fault::Missing, "'lua-load-per-thread' expects a file as parameter."),
    ("lua-prepend-path", Fault::Missing, "'lua-prepend-path' expects to receive a <path> as argument"),
    ("unsetenv", Fault::Missing, "~'unsetenv' expects at least one variable name."),
    (
        "unix-bind",
        Fault::Wrong,
        "'unix-bind' only supports the 'prefix', 'mode', 'uid', 'gid', 'user' and 'group' options.",
    ),
    ("anonkey", Fault::Missing, "~a key is expected after 'anonkey'."),
    ("anonkey", Fault::Range, "~'anonkey' value must be within range 0-4294967295 (was '{}')."),
    ("nbthread", Fault::Wrong, "'nbthread' passed a missing or unparsable integer value in '{}'"),
    ("nbthread", Fault::Missing, "'nbthread' passed a missing or unparsable integer value in ''"),
    ("tune.maxaccept", Fault::Range, "'tune.maxaccept' expects -1 or an integer from 0 to INT_MAX."),
    ("tune.ssl.default-dh-param", Fault::Range, "'tune.ssl.default-dh-param' expects a value >= 1024."),
    ("tune.ssl.default-dh-param", Fault::Wrong, "'tune.ssl.default-dh-param' expects a value >= 1024."),
    (
        "stats socket/level",
        Fault::Wrong,
        "'stats socket' : ''level' only supports 'user', 'operator', and 'admin' (got '{}')'",
    ),
    ("docroot", Fault::Missing, "'docroot' expects <path> as argument."),
    ("index", Fault::Missing, "'index' expects <filename> as argument."),
    ("set-param", Fault::Missing, "'set-param' expects <name> and <value> as arguments."),
    ("pass-header", Fault::Missing, "'pass-header' expects <name> as arguments."),
    ("accepted_payload_size", Fault::Missing, "'accepted_payload_size' expects <nb> as argument."),
    (
        "accepted_payload_size",
        Fault::Wrong,
        "'accepted_payload_size' must be between 12 and 65535 inclusive (was {}).",
    ),
    (
        "accepted_payload_size",
        Fault::Range,
        "'accepted_payload_size' must be between 12 and 65535 inclusive (was {}).",
    ),
    ("resolve_retries", Fault::Missing, "'resolve_retries' expects <nb> as argument."),
    ("hold", Fault::Missing, "'hold' expects an <event> and a <time> as arguments."),
    (
        "hold",
        Fault::Wrong,
        "'hold' unknown <event>: '{}', expects either 'nx', 'timeout', 'valid', 'obsolete' or 'other'.",
    ),
    ("hold", Fault::Character, "~unexpected character '{c}' in argument to <hold>."),
    ("user", Fault::Wrong, "~'user' only supports 'password', 'insecure-password' and 'groups' options."),
    ("format", Fault::Wrong, "unknown format '{}'."),
    ("format", Fault::Missing, "unknown format ''."),
    ("maxlen", Fault::Missing, "invalid size '' for new sink buffer."),
    ("maxlen", Fault::Wrong, "invalid size '{}' for new sink buffer."),
    ("size", Fault::Missing, "invalid size '' for new sink buffer."),
    ("size", Fault::Character, "invalid size '{}' for new sink buffer."),
    ("bind/ca-file", Fault::Missing, "'{at}' : missing CAfile path"),
    ("bind/ca-verify-file", Fault::Missing, "'{at}' : missing CAfile path"),
    ("bind/ca-sign-file", Fault::Missing, "'{at}' : missing CAfile path"),
    ("bind/ca-sign-pass", Fault::Missing, "'{at}' : missing CAkey password"),
    ("bind/crl-file", Fault::Missing, "'{at}' : missing CRLfile path"),
    ("bind/mss", Fault::Missing, "'{at}' : missing MSS value"),
    ("bind/tcp-md5sig", Fault::Missing, "'{at}' : missing TCP MD5 signature password"),
    ("bind/tcp-ut", Fault::Missing, "'{at}' : missing TCP User Timeout value"),
    ("bind/cc", Fault::Missing, "'{at}' : missing TCP congestion control algorithm"),
    ("bind/tls-ticket-keys", Fault::Missing, "'{at}' : missing TLS ticket keys file path"),
    ("bind/quic-socket", Fault::Missing, "'{at}' : missing argument, use either connection or listener."),
    ("bind/crt", Fault::Missing, "'{at}' : missing certificate location"),
    ("bind/ciphers", Fault::Missing, "'{at}' : missing cipher suite"),
    ("bind/ciphersuites", Fault::Missing, "'{at}' : missing cipher suite"),
    ("bind/quic-cc-algo", Fault::Missing, "'{at}' : missing control congestion algorithm"),
    ("bind/curves", Fault::Missing, "'{at}' : missing curve suite"),
    ("bind/ca-ignore-err", Fault::Missing, "'{at}' : missing error IDs list"),
    ("bind/crt-ignore-err", Fault::Missing, "'{at}' : missing error IDs list"),
    ("bind/expose-fd", Fault::Missing, "'{at}' : missing fd type"),
    ("bind/interface", Fault::Missing, "'{at}' : missing interface name"),
    ("bind/namespace", Fault::Missing, "'{at}' : missing namespace id"),
    ("bind/guid-prefix", Fault::Missing, "'{at}' : expects an argument"),
    ("bind/id", Fault::Missing, "'{at}' : expects an integer argument"),
    ("bind/backlog", Fault::Missing, "'{at}' : missing value"),
    ("bind/maxconn", Fault::Missing, "'{at}' : missing value"),
    ("bind/nice", Fault::Missing, "'{at}' : missing value"),
    ("bind/nbconn", Fault::Missing, "'{at}' : missing value"),
    ("bind/accept-netscaler-cip", Fault::Missing, "'{at}' : missing value"),
    ("bind/tcp-ut", Fault::Character, "'{at}' : expects a positive delay in milliseconds"),
    ("bind/id", Fault::Range, "'{at}' : custom id has to be > 0"),
    ("bind/id", Fault::Wrong, "'{at}' : expects an integer argument, found '{}'"),
    ("bind/mss", Fault::Wrong, "'{at}' : expects an MSS with and absolute value between 1 and 65535"),
    ("bind/mss", Fault::Range, "'{at}' : expects an MSS with and absolute value between 1 and 65535"),
    ("bind/backlog", Fault::Range, "'{at}' : invalid value {}, must be > 0"),
    ("bind/maxconn", Fault::Range, "'{at}' : invalid value {}, must be >= 0"),
    ("bind/nice", Fault::Range, "'{at}' : invalid value {}, allowed range is -1024..1024"),
    ("server/inter", Fault::Missing, "'{srv}' : 'inter' expects a delay as argument."),
    ("server/fastinter", Fault::Missing, "'{srv}' : 'fastinter' expects a delay as argument."),
    ("server/downinter", Fault::Missing, "'{srv}' : 'downinter' expects a delay as argument."),
    ("server/agent-inter", Fault::Missing, "'{srv}' : 'agent-inter' expects a delay as argument."),
    (
        "server/*",
        Fault::Character,
        "'{srv}' : unexpected character '{c}' in '{key}' argument of server {server}.",
    ),
    (
        "server/*",
        Fault::Overflow,
        "'{srv}' : timer overflow in argument <{}> to <{key}> of server {server}, maximum value is 2147483647 ms (~24.8 days).",
    ),
    ("server/tcp-ut", Fault::Character, "'{srv}' : 'tcp-ut' : expects a positive delay in milliseconds."),
    (
        "server/tcp-ut",
        Fault::Overflow,
        "'{srv}' : timer overflow in argument '{}' to 'tcp-ut' (maximum value is 2147483647 ms or ~24.8 days).",
    ),
    (
        "server/slowstart",
        Fault::Overflow,
        "'{srv}' : overflow in argument <{}> to <slowstart> of server {server}, maximum value is 2147483647 ms (~24.8 days).",
    ),
    ("server/inter", Fault::Range, ZERO),
    ("server/fastinter", Fault::Range, ZERO),
    ("server/downinter", Fault::Range, ZERO),
    ("server/agent-inter", Fault::Range, ZERO),
    (
        "warn-blocked-traffic-after",
        Fault::Range,
        "timer out of range in argument '{}' to '{key}' (value must be between 1 and 1000 ms)",
    ),
    (
        "warn-blocked-traffic-after",
        Fault::Missing,
        "'{key}' expects <time> as argument between 1 and 1000 ms.",
    ),
    ("server/weight", Fault::Range, "'{srv}' : weight of server {server} is not within 0 and 256 ({})."),
    ("server/rise", Fault::Range, "'{srv}' : 'rise' has to be > 0."),
    ("server/rise", Fault::Wrong, "'{srv}' : 'rise' has to be > 0."),
    ("server/fall", Fault::Range, "'{srv}' : 'fall' has to be > 0."),
    ("server/fall", Fault::Wrong, "'{srv}' : 'fall' has to be > 0."),
    ("server/agent-port", Fault::Missing, "'{srv}' : 'agent-port' expects a port number as argument."),
    ("server/port", Fault::Missing, "'{srv}' : 'port' expects a port number as argument."),
    ("server/max-reuse", Fault::Missing, "'{srv}' : 'max-reuse' expects <value> as argument."),
    ("server/ca-file", Fault::Missing, "'{srv}' : 'ca-file' : missing CAfile path."),
    ("server/crl-file", Fault::Missing, "'{srv}' : 'crl-file' : missing CRLfile path."),
    ("server/crt", Fault::Missing, "'{srv}' : 'crt' : missing certificate file path."),
    ("server/ciphers", Fault::Missing, "'{srv}' : 'ciphers' : missing cipher suite."),
    ("server/sigalgs", Fault::Missing, "'{srv}' : 'sigalgs' : missing signature algorithm list."),
    ("server/sni", Fault::Missing, "'{srv}' : 'sni' : missing sni expression."),
    ("server/verify", Fault::Missing, "'{srv}' : 'verify' : missing verify method."),
    ("server/verifyhost", Fault::Missing, "'{srv}' : 'verifyhost' : missing hostname to verify against."),
    ("server/ssl-max-ver", Fault::Missing, "'{srv}' : 'ssl-max-ver' : missing the ssl/tls version."),
    ("server/ssl-min-ver", Fault::Missing, "'{srv}' : 'ssl-min-ver' : missing the ssl/tls version."),
    ("server/tcp-md5sig", Fault::Missing, "'{srv}' : 'tcp-md5sig' : missing TCP MD5 signature password."),
    ("server/tcp-ut", Fault::Missing, "'{srv}' : 'tcp-ut' : missing TCP User Timeout value."),
    (
        "server/verify",
        Fault::Wrong,
        "'{srv}' : 'verify' : unknown verify method '{}', only 'none' and 'required' are supported.",
    ),
    ("server/ssl-min-ver", Fault::Wrong, "'{srv}' : '{}' : unknown ssl/tls version."),
    ("server/ssl-max-ver", Fault::Wrong, "'{srv}' : '{}' : unknown ssl/tls version."),
    ("server/resolve-net", Fault::Missing, "'{srv}' : 'resolve-net' expects a list of networks."),
    (
        "server/resolve-prefer",
        Fault::Missing,
        "'{srv}' : 'resolve-prefer' expects either ipv4 or ipv6 as argument.",
    ),
    ("server/socks4", Fault::Missing, "'{srv}' : 'socks4' expects <addr>:<port> as argument."),
    (
        "server/source",
        Fault::Missing,
        "'{srv}' : 'source' expects <addr>[:<port>[-<port>]], and optionally 'usesrc' <addr>, and 'interface' <name> as argument.",
    ),
    ("server/track", Fault::Missing, "'{srv}' : 'track' expects [<proxy>/]<server> as argument."),
    ("server/ws", Fault::Missing, "'{srv}' : 'ws' has to be 'auto', 'h1' or 'h2'."),
    ("server/ws", Fault::Wrong, "'{srv}' : 'ws' has to be 'auto', 'h1' or 'h2'."),
];

/// A time of a check that is 0.
const ZERO: &str = "'{srv}' : invalid value {} for argument '{key}' of server {server}.";

/// First words that need one of some second words: what is said about another, `{}`.
const FAMILIES: &[(&str, &str)] = &[
    (
        "timeout",
        "'timeout' supports 'client', 'server', 'connect', 'check', 'queue', 'handshake', 'http-keep-alive', \
         'http-request', 'tunnel', 'tarpit', 'client-fin' and 'server-fin' (got '{}')",
    ),
    (
        "stats",
        "~unknown stats parameter '{}', expects 'admin', 'uri', 'realm', 'auth', 'scope', 'enable', 'hide-version', \
         'show-node', 'show-desc' , 'show-legends' or 'show-version'.",
    ),
    (
        "compression",
        "'compression' expects 'algo', 'type', 'direction', 'offload', 'minsize-req' or 'minsize-res'.",
    ),
    ("monitor", "'monitor' only supports 'fail'."),
    ("rate-limit", "'rate-limit' only supports 'sessions' (got '{}')"),
    ("external-check", "'external-check' only supports 'command' and 'path'. but got '{}'."),
    ("email-alert", "email-alert: unknown argument '{}'."),
    (
        "http-check",
        "'http-check' only supports 'disable-on-404', 'send-state', 'comment', 'connect', 'send', 'expect', \
         'set-var-fmt(*)', 'set-var(*)', 'unset-var(*)'. but got '{}'",
    ),
    (
        "tcp-check",
        "'tcp-check' only supports 'comment', 'connect', 'send', 'send-binary', 'expect', 'set-var-fmt(*)', \
         'set-var(*)', 'unset-var(*)'. but got '{}'",
    ),
];

/// HAProxy's message about a second word that a first one does not go with.
pub(super) fn second(first: &str, word: &str) -> Option<(String, bool)> {
    let (_, own) = FAMILIES.iter().find(|(name, _)| *name == first)?;
    let text = own.strip_prefix('~').unwrap_or(own);
    Some((text.replace("{}", word), !own.starts_with('~')))
}

/// What goes into a message.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parts<'a> {
    /// The word at fault.
    pub word: &'a str,
    /// What is being read: `bind :80' in section 'frontend' : 'mss`.
    pub at: &'a str,
    /// `server app/s1`.
    pub server: &'a str,
    /// The setting.
    pub key: &'a str,
    /// The line up to the word at fault.
    pub line: &'a str,
    /// Kind and name of the section: `backend 'app'`.
    pub section: &'a str,
}

/// HAProxy's message, if it has one of its own, and whether there is a space before the colon after the place.
pub(super) fn message(path: &str, fault: Fault, parts: &Parts<'_>) -> Option<(String, bool)> {
    let find = |path: &str| MESSAGES.iter().find(|(name, about, _)| *name == path && *about == fault);
    let any = || find(&format!("{}/*", path.split_once('/')?.0));
    let (_, _, own) = find(path).or_else(any)?;
    let odd = parts.word.chars().find(|c| !c.is_ascii_digit()).unwrap_or_default();
    let server = parts.server.rsplit_once('/').map_or("", |(_, server)| server);
    let text = own.strip_prefix('~').unwrap_or(own);
    let text = text
        .replace("{at}", parts.at)
        .replace("{srv}", parts.server)
        .replace("{server}", server)
        .replace("{key}", parts.key)
        .replace("{line}", parts.line)
        .replace("{in}", parts.section)
        .replace("{c}", odd.encode_utf8(&mut [0; 4]))
        .replace("{}", parts.word);
    Some((text, !own.starts_with('~')))
}
