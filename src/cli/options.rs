//! HAProxy's command line. It follows no library's conventions (`-dV`, `-sf PID...`, bundles such as `-Vdb`
//! that are not bundles), so it is read by hand, the way the manual's section on it describes.

use std::ffi::OsString;
use std::path::PathBuf;

/// What the command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// `-f`, and what stands after `--`.
    pub(super) files: Vec<PathBuf>,
    /// `-C`.
    pub(super) chdir: Option<PathBuf>,
    /// `-c`.
    pub(super) check: bool,
    /// `-cc`.
    pub(super) condition: Option<String>,
    /// `-v`: 1, `-vv`: 2.
    pub(super) version: u8,
    /// `-D`.
    pub(super) daemon: bool,
    /// `-W`, `-Ws`.
    pub(super) master_worker: bool,
    /// `-Ws`.
    pub(super) notify_systemd: bool,
    /// `-db`: stay in front whatever the file says. `-d` as well.
    pub(super) foreground: bool,
    /// `-q`.
    pub(super) quiet: bool,
    /// `-V`.
    pub(super) verbose: bool,
    /// `-n`.
    pub(super) maxconn: Option<u32>,
    /// `-N`.
    pub(super) proxy_maxconn: Option<u32>,
    /// `-m`, megabytes.
    pub(super) memory_mb: Option<u64>,
    /// `-p`.
    pub(super) pidfile: Option<PathBuf>,
    /// `-L`.
    pub(super) local_peer: Option<String>,
    /// `-sf`: these finish their sessions once this process listens.
    pub(super) finish: Vec<i32>,
    /// `-st`: these stop at once.
    pub(super) terminate: Vec<i32>,
    /// `-x`: the stats socket of a process that hands its listening sockets over.
    pub(super) take_from: Option<PathBuf>,
    /// `-S`: sockets of the master's command line.
    pub(super) master_sockets: Vec<String>,
    /// `-dS`.
    pub(super) no_splice: bool,
    /// `-dR`.
    pub(super) no_reuse_port: bool,
    /// `-4`: only addresses of IPv4 are asked for.
    pub(super) only_ipv4: bool,
    /// `-dr`.
    pub(super) ignore_resolution: bool,
    /// `-dW`.
    pub(super) warnings_are_fatal: bool,
    /// `-dK`: classes of keywords to list.
    pub(super) keywords: Option<String>,
    /// Options that are known but have no effect here; each is said aloud once.
    pub(super) without_effect: Vec<String>,
}

/// Why a command line was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Print the usage.
    Usage,
    /// `-cc` and `-x` and the like want a word.
    Missing(&'static str),
}

pub(super) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Options, Refusal> {
    let mut options = Options::default();
    let mut args = args.into_iter().peekable();
    while let Some(arg) = args.next() {
        let text = arg.to_string_lossy().into_owned();
        let Some(flag) = text.strip_prefix('-').filter(|f| !f.is_empty()) else { return Err(Refusal::Usage) };
        let mut value = |name: &'static str| args.next().ok_or(Refusal::Missing(name));
        match flag {
            "-" => {
                options.files.extend(args.by_ref().map(PathBuf::from));
            }
            "v" => options.version = options.version.max(1),
            "vv" => options.version = 2,
            "c" => options.check = true,
            "cc" => options.condition = Some(value("-cc")?.to_string_lossy().into_owned()),
            "D" => options.daemon = true,
            "W" => options.master_worker = true,
            "Ws" => (options.master_worker, options.notify_systemd) = (true, true),
            "db" | "d" => options.foreground = true,
            "q" => options.quiet = true,
            "V" => options.verbose = true,
            "dr" => options.ignore_resolution = true,
            "dW" => options.warnings_are_fatal = true,
            "sf" | "st" => {
                let pids = if flag == "sf" { &mut options.finish } else { &mut options.terminate };
                while let Some(pid) = args.peek().and_then(|a| a.to_str()).and_then(|a| a.parse().ok()) {
                    pids.push(pid);
                    args.next();
                }
            }
            "f" => options.files.push(value("-f")?.into()),
            "C" => options.chdir = Some(value("-C")?.into()),
            "p" => options.pidfile = Some(value("-p")?.into()),
            "L" => options.local_peer = Some(value("-L")?.to_string_lossy().into_owned()),
            "n" => options.maxconn = number(&value("-n")?),
            "N" => options.proxy_maxconn = number(&value("-N")?),
            "m" => options.memory_mb = number(&value("-m")?),
            "x" => options.take_from = Some(value("-x")?.into()),
            "S" => options.master_sockets.push(value("-S")?.to_string_lossy().into_owned()),
            "dS" => options.no_splice = true,
            "dR" => options.no_reuse_port = true,
            "4" => options.only_ipv4 = true,
            "de" | "dp" | "dG" | "dV" | "dD" | "dL" | "dI" | "dF" | "dZ" | "dH" => {
                options.without_effect.push(text);
            }
            _ if flag.starts_with("dK") => options.keywords = Some(flag["dK".len()..].to_owned()),
            _ if flag.starts_with("dM") || flag.starts_with("dt") => {
                options.without_effect.push(text);
            }
            _ => return Err(Refusal::Usage),
        }
    }
    Ok(options)
}

/// The command line of a worker: without what is the master's, which has changed the directory already; and apart
/// from it, what only the first one does.
pub(super) fn for_worker(args: &[OsString]) -> (Vec<OsString>, Vec<OsString>) {
    let (mut every, mut first) = (vec!["-db".into()], Vec::new());
    let mut args = args.iter().peekable();
    while let Some(arg) = args.next() {
        match arg.to_str().unwrap_or_default() {
            "-W" | "-Ws" | "-D" | "-db" => {}
            "-S" | "-p" | "-C" => {
                args.next();
            }
            "-x" => {
                first.push(arg.clone());
                first.extend(args.next().cloned());
            }
            "-sf" | "-st" => {
                first.push(arg.clone());
                let is_pid = |arg: &&OsString| arg.to_str().is_some_and(|a| a.parse::<i32>().is_ok());
                while let Some(pid) = args.next_if(is_pid) {
                    first.push(pid.clone());
                }
            }
            "-f" | "-L" | "-n" | "-N" | "-m" => {
                every.push(arg.clone());
                every.extend(args.next().cloned());
            }
            "--" => {
                every.push(arg.clone());
                every.extend(args.by_ref().cloned());
            }
            _ => every.push(arg.clone()),
        }
    }
    (every, first)
}

/// As `atol` reads it: what is no number counts as none given.
fn number<T: std::str::FromStr + PartialEq + From<u8>>(text: &OsString) -> Option<T> {
    text.to_str()?.parse().ok().filter(|n| *n != T::from(0))
}

/// The usage, as far as options have effect here.
pub(super) const USAGE: &str = "\
Usage : haproxy [-f <cfgfile|cfgdir>]* [ -vdVD ] [ -n <maxconn> ] [ -N <maxpconn> ]
        [ -p <pidfile> ] [ -m <max megs> ] [ -C <dir> ] [-- <cfgfile>*]
        -v shows the version ; -vv what is built in.
        -d, -db stay in the foreground whatever the file says.
        -V says more ; -q says nothing.
        -D goes to the background ; -C changes to <dir> before loading files.
        -W, -Ws run under a master that reloads on SIGUSR2 ; -Ws also tells systemd.
        -S <addr>[,<setting>]* the master's command line.
        -x <unix_socket> takes the listening sockets of an old process over.
        -c checks the configuration and exits ; -dW fails if there is any warning.
        -cc evaluates a condition and exits.
        -n sets the connection limit of the process ; -N that of each proxy.
        -m limits the memory, in megabytes.
        -L sets the local peer's name (default: the host name).
        -p writes the process id to this file.
        -dr ignores server names that do not resolve.
        -4 asks name servers for addresses of IPv4 only.
        -dS does without splice ; -dR without SO_REUSEPORT.
        -dK<class>[,...] lists what is known of these classes.
        -sf/-st [pid ]* make old processes finish/stop once this one listens.

";

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(line: &str) -> Options {
        parse(line.split_whitespace().map(OsString::from)).expect(line)
    }

    #[test]
    fn everyday_lines_are_read() {
        let o = ok("-W -f a.cfg -f conf.d -p /run/x.pid -D -sf 12 13 -n 500 -L lb1");
        assert_eq!(o.files, [PathBuf::from("a.cfg"), "conf.d".into()]);
        assert_eq!((o.daemon, o.master_worker, o.maxconn), (true, true, Some(500)));
        assert_eq!((o.finish.as_slice(), o.local_peer.as_deref()), (&[12, 13][..], Some("lb1")));
        assert_eq!(ok("-c -- a b c").files.len(), 3);
        assert_eq!(ok("-st 1 -f x").terminate, [1]);
        assert_eq!(ok("-n abc -f x").maxconn, None);
        assert_eq!(ok("-Ws -f x -S /run/m.sock,level,admin").master_sockets, ["/run/m.sock,level,admin"]);
        assert_eq!(ok("-f x -x /run/h.sock").take_from, Some("/run/h.sock".into()));
    }

    #[test]
    fn a_worker_is_called_without_what_is_the_masters() {
        let args: Vec<OsString> = "-Ws -p /run/p -S s -C /etc -sf 1 2 -x /run/x -f a.cfg -n 5 -- -W"
            .split(' ')
            .map(Into::into)
            .collect();
        let (every, first) = for_worker(&args);
        assert_eq!(every, ["-db", "-f", "a.cfg", "-n", "5", "--", "-W"]);
        assert_eq!(first, ["-sf", "1", "2", "-x", "/run/x"]);
    }

    #[test]
    fn what_is_unknown_or_cut_short_is_refused() {
        for line in ["-Z", "a.cfg", "-", "-sfx"] {
            assert_eq!(parse([OsString::from(line)]), Err(Refusal::Usage), "{line}");
        }
        assert_eq!(parse([OsString::from("-f")]), Err(Refusal::Missing("-f")));
    }
}
