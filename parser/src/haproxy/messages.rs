//! HAProxy's own words, where they differ from the general ones.

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// An argument is missing.
    Missing,
    /// An argument has a wrong value, or follows where nothing may.
    Wrong,
}

/// Keyword, fault, message. `{}` is the word at fault.
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
        Fault::Wrong,
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
    ("option httplog", Fault::Wrong, "keyword 'httplog' only supports option 'clf'."),
    ("option tcplog", Fault::Wrong, "keyword 'tcplog' only supports option 'clf'."),
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
    ("errorfile", Fault::Wrong, "errorfile : status code '{}' not handled."),
    ("retries", Fault::Missing, "'retries' expects an integer argument (dispatch counts for one)."),
    ("setenv", Fault::Missing, "'setenv' expects a name and a value."),
    ("errorfile", Fault::Missing, "errorfile : expects <status_code> and <file> as arguments."),
];

/// First words that need one of some second words: what is said about another, `{}`.
const FAMILIES: &[(&str, &str)] = &[
    (
        "timeout",
        "'timeout' supports 'client', 'server', 'connect', 'check', 'queue', 'handshake', 'http-keep-alive', \
         'http-request', 'tunnel', 'tarpit', 'client-fin' and 'server-fin' (got '{}')",
    ),
    (
        "stats",
        "unknown stats parameter '{}', expects 'admin', 'uri', 'realm', 'auth', 'scope', 'enable', 'hide-version', \
         'show-node', 'show-desc' , 'show-legends' or 'show-version'.",
    ),
    (
        "compression",
        "'compression' expects 'algo', 'type', 'direction', 'offload', 'minsize-req' or 'minsize-res'.",
    ),
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
pub(super) fn second(first: &str, word: &str) -> Option<String> {
    let (_, own) = FAMILIES.iter().find(|(name, _)| *name == first)?;
    Some(own.replace("{}", word))
}

/// HAProxy's message, if it has one of its own.
pub(super) fn message(keyword: &str, fault: Fault, word: &str) -> Option<String> {
    let own = MESSAGES.iter().find(|(name, about, _)| *name == keyword && *about == fault)?;
    Some(own.2.replace("{}", word))
}
