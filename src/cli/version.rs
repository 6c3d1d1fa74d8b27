//! Names, versions and what `-v` and `-vv` say.

use crate::lower::haproxy::feature_list;
use crate::{HAPROXY_VERSION, RELEASE_DATE};

/// This program's own version.
pub(super) const TANDEM: &str = env!("CARGO_PKG_VERSION");

/// `haproxy -v`.
pub(super) fn short() -> String {
    format!(
        "HAProxy version {HAPROXY_VERSION} {RELEASE_DATE} - compatible program\n\
         This is Tandem {TANDEM}, which takes the place of HAProxy and keepalived; it is not HAProxy.\n\
         Status: under construction; `tandem keywords` tells what has effect.\n\
         Running on: {}\n",
        kernel(),
    )
}

/// `haproxy -vv`: what is built in, truthfully.
pub(super) fn long() -> String {
    let features = feature_list();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{}\
         Build options :\n\
         \x20 TARGET  = {}-{}\n\
         \x20 CPU     = generic\n\
         \x20 CC      = rustc\n\
         \x20 OPTIONS = USE_THREAD=1 USE_EPOLL=1 USE_LINUX_SPLICE=1 USE_GETADDRINFO=1 USE_NS=1 USE_PROMEX=1\n\
         \n\
         Feature list : {features} -OPENSSL -LUA -PCRE -PCRE2 -ZLIB -SLZ -QUIC -SYSTEMD\n\
         \n\
         Default settings :\n\
         \x20 bufsize = 16384, maxrewrite = 1024, maxpollevents = 200\n\
         \n\
         Built with multi-threading support (NBTHREAD default = {threads}).\n\
         Built without OpenSSL support: 'ssl' is refused.\n\
         Built with the Prometheus exporter as a service\n\
         Built with the regex crate as regular expression library.\n\
         \n\
         Available polling systems :\n\
         \x20     epoll : pref=300,  test result OK\n\
         Total: 1 (1 usable), will use epoll.\n\
         \n\
         Available multiplexer protocols :\n\
         \x20       h1 : mode=HTTP  side=FE|BE  mux=H1    flags=HTX|NO_UPG\n\
         \x20     none : mode=TCP   side=FE|BE  mux=PASS  flags=NO_UPG\n\
         \n\
         Available services : prometheus-exporter\n\
         \n\
         Available filters : none\n\
         \n",
        short(),
        std::env::consts::OS,
        std::env::consts::ARCH,
    )
}

fn kernel() -> String {
    nix::sys::utsname::uname().map_or_else(
        |_| "unknown".to_owned(),
        |u| {
            [u.sysname(), u.release(), u.version(), u.machine()]
                .map(|s| s.to_string_lossy().into_owned())
                .join(" ")
        },
    )
}
