//! keepalived's options, read the way getopt_long reads them: bundled letters, attached and separate values,
//! abbreviated long names.

use std::path::PathBuf;

use crate::sys::fork;
use crate::vrrp::runner::LogOptions;

/// What was asked for.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "a command line is a list of switches")]
pub(super) struct Options {
    /// `-f`.
    pub(super) config: PathBuf,
    /// `-t[FILE]`: check only; where the messages go, stderr by default.
    pub(super) config_test: Option<Option<PathBuf>>,
    /// `-n`.
    pub(super) dont_fork: bool,
    /// `-C`: the health checkers alone.
    pub(super) checkers_only: bool,
    /// `-R`.
    pub(super) dont_respawn: bool,
    /// `-V`.
    pub(super) dont_release: bool,
    /// `-a`.
    pub(super) report_addresses: bool,
    /// `-d`.
    pub(super) dump_config: bool,
    /// `-p`.
    pub(super) pid_file: Option<PathBuf>,
    /// `-r`.
    pub(super) vrrp_pid_file: Option<PathBuf>,
    /// `-s`.
    pub(super) namespace: Option<String>,
    /// `-i`.
    pub(super) config_id: Option<String>,
    /// `-l`, `-D`, `-S`, `-G`, `-g`.
    pub(super) log: LogOptions,
    /// `-e`: every include must find a file.
    pub(super) all_config: bool,
    /// `-m`.
    pub(super) core_dump: bool,
    /// `-u`.
    pub(super) umask: Option<u32>,
    /// Options that are understood and change nothing here, for one line in the log.
    pub(super) idle: Vec<&'static str>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            config: PathBuf::from("/etc/keepalived/keepalived.conf"),
            config_test: None,
            dont_fork: false,
            checkers_only: false,
            dont_respawn: false,
            dont_release: false,
            report_addresses: false,
            dump_config: false,
            pid_file: None,
            vrrp_pid_file: None,
            namespace: None,
            config_id: None,
            log: LogOptions::default(),
            all_config: false,
            core_dump: false,
            umask: None,
            idle: Vec::new(),
        }
    }
}

/// The command line was for somebody else, or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// `-v`.
    Version,
    /// `-h`.
    Help,
    /// `--signum=NAME`.
    Signal(i32),
    /// What to say on stderr before exit code 1.
    Wrong(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    None,
    Required,
    Optional,
}

/// Long name, letter (or a digit for those without), value.
const TABLE: &[(&str, char, Value)] = &[
    ("use-file", 'f', Value::Required),
    ("vrrp", 'P', Value::None),
    ("check", 'C', Value::None),
    ("no_bfd", 'B', Value::None),
    ("all", '3', Value::None),
    ("log-console", 'l', Value::None),
    ("log-detail", 'D', Value::None),
    ("log-facility", 'S', Value::Required),
    ("log-file", 'g', Value::Optional),
    ("flush-log-file", '2', Value::None),
    ("all-config", 'e', Value::None),
    ("no-syslog", 'G', Value::None),
    ("umask", 'u', Value::Required),
    ("release-vips", 'X', Value::None),
    ("dont-release-vrrp", 'V', Value::None),
    ("dont-release-ipvs", 'I', Value::None),
    ("dont-respawn", 'R', Value::None),
    ("dont-fork", 'n', Value::None),
    ("dump-conf", 'd', Value::None),
    ("pid", 'p', Value::Required),
    ("vrrp_pid", 'r', Value::Required),
    ("genhash", 'T', Value::None),
    ("checkers_pid", 'c', Value::Required),
    ("address-monitoring", 'a', Value::None),
    ("bfd_pid", 'b', Value::Required),
    ("snmp", 'x', Value::None),
    ("snmp-agent-socket", 'A', Value::Required),
    ("core-dump", 'm', Value::None),
    ("core-dump-pattern", 'M', Value::Optional),
    ("namespace", 's', Value::Required),
    ("config-id", 'i', Value::Required),
    ("signum", '4', Value::Required),
    ("config-test", 't', Value::Optional),
    ("version", 'v', Value::None),
    ("help", 'h', Value::None),
];

/// Reads the arguments behind the program name.
pub(super) fn parse(args: impl IntoIterator<Item = String>) -> Result<Options, Stop> {
    let mut options = Options::default();
    let mut args = args.into_iter();
    let mut extra = Vec::new();
    while let Some(arg) = args.next() {
        if arg == "--" {
            extra.extend(args.by_ref());
        } else if let Some(long) = arg.strip_prefix("--") {
            let (name, attached) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            let &(full, letter, value) = find(name).ok_or_else(|| wrong(format!("Unknown option {arg}")))?;
            let given = match (value, attached) {
                (Value::None, Some(_)) => return Err(wrong(format!("Unknown option {arg}"))),
                (Value::Required, None) => {
                    Some(args.next().ok_or_else(|| wrong(format!("Missing parameter for option --{full}")))?)
                }
                (_, attached) => attached,
            };
            apply(&mut options, letter, given)?;
        } else if let Some(letters) = arg.strip_prefix('-').filter(|l| !l.is_empty()) {
            bundle(&mut options, letters, &mut args)?;
        } else {
            extra.push(arg);
        }
    }
    if extra.is_empty() {
        Ok(options)
    } else {
        Err(wrong(format!("Unexpected argument(s): {}", extra.join(" "))))
    }
}

fn bundle(options: &mut Options, letters: &str, args: &mut impl Iterator<Item = String>) -> Result<(), Stop> {
    for (at, letter) in letters.char_indices() {
        let row = TABLE.iter().find(|row| row.1 == letter && letter.is_ascii_alphabetic());
        let &(_, _, value) = row.ok_or_else(|| wrong(format!("Unknown option -{letter}")))?;
        let rest = &letters[at + letter.len_utf8()..];
        match value {
            Value::None => apply(options, letter, None)?,
            _ if !rest.is_empty() => return apply(options, letter, Some(rest.to_owned())),
            Value::Optional => return apply(options, letter, None),
            Value::Required => {
                let value =
                    args.next().ok_or_else(|| wrong(format!("Missing parameter for option -{letter}")))?;
                return apply(options, letter, Some(value));
            }
        }
    }
    Ok(())
}

/// The row of a long name, which may be shortened as long as it stays unique.
fn find(name: &str) -> Option<&'static (&'static str, char, Value)> {
    TABLE.iter().find(|row| row.0 == name).or_else(|| {
        let mut starts = TABLE.iter().filter(|row| row.0.starts_with(name));
        starts.next().filter(|_| starts.next().is_none())
    })
}

fn wrong(text: String) -> Stop {
    Stop::Wrong(text)
}

fn apply(options: &mut Options, letter: char, value: Option<String>) -> Result<(), Stop> {
    let path = || value.clone().map(PathBuf::from);
    match letter {
        'f' => options.config = path().unwrap_or_default(),
        't' => options.config_test = Some(path()),
        'n' => options.dont_fork = true,
        'C' => options.checkers_only = true,
        // No router keeps what it took over when it stops being master: `-X` is always so.
        'P' | 'B' | '3' | 'X' => {}
        'a' => options.report_addresses = true,
        'd' => options.dump_config = true,
        'R' => options.dont_respawn = true,
        'V' => options.dont_release = true,
        'p' => options.pid_file = path(),
        'r' => options.vrrp_pid_file = path(),
        's' => options.namespace = value,
        'i' => options.config_id = value,
        'l' => options.log.console = true,
        'D' => options.log.detail = true,
        'G' => options.log.syslog = false,
        'g' => {
            let named = path().filter(|path| !path.as_os_str().is_empty());
            options.log.file = Some(named.unwrap_or_else(|| "keepalived.log".into()));
        }
        // Nothing waits in memory: every line is written when it is said.
        '2' => {}
        'e' => options.all_config = true,
        'm' => options.core_dump = true,
        'S' => {
            let text = value.unwrap_or_default();
            options.log.facility =
                facility(&text).ok_or_else(|| wrong(format!("Invalid log facility '{text}'")))?;
        }
        'u' => {
            let text = value.unwrap_or_default();
            let mask = number(&text).filter(|mask| *mask <= 0o777);
            options.umask = Some(mask.ok_or_else(|| wrong(format!("Invalid --umask option {text}")))?);
        }
        '4' => {
            let name = value.unwrap_or_default();
            return Err(signal(&name).map_or_else(|| wrong(format!("Unknown sigfunc {name}")), Stop::Signal));
        }
        'v' => return Err(Stop::Version),
        'h' => return Err(Stop::Help),
        other => options.idle.extend(TABLE.iter().find(|row| row.1 == other).map(|row| row.0)),
    }
    Ok(())
}

/// As C reads numbers: octal with a leading 0, hexadecimal with 0x.
fn number(text: &str) -> Option<u32> {
    if let Some(hex) = text.strip_prefix("0x") {
        u32::from_str_radix(hex, 16).ok()
    } else if text.starts_with('0') {
        u32::from_str_radix(text, 8).ok()
    } else {
        text.parse().ok()
    }
}

/// Facility numbers of syslog: `local0` is 16, `daemon` 3, `user` 1.
fn facility(text: &str) -> Option<u8> {
    match text {
        "daemon" => Some(3),
        "user" => Some(1),
        _ => {
            let digit = text.strip_prefix("local").unwrap_or(text);
            digit.parse::<u8>().ok().filter(|n| *n <= 7).map(|n| 16 + n)
        }
    }
}

/// Numbers of the signals that ask for something.
fn signal(name: &str) -> Option<i32> {
    Some(match name {
        "STOP" => libc::SIGTERM,
        "RELOAD" => libc::SIGHUP,
        "DATA" => libc::SIGUSR1,
        "STATS" => libc::SIGUSR2,
        "STATS_CLEAR" => fork::stats_clear_signal(),
        "JSON" => fork::json_signal(),
        _ => return None,
    })
}

/// What `-h` prints.
pub(super) const USAGE: &str = "\
  -f, --use-file=FILE          Use the specified configuration file
                                default '/etc/keepalived/keepalived.conf'
  -P, --vrrp                   Only run with VRRP subsystem
  -l, --log-console            Log messages to local console
  -D, --log-detail             Detailed log messages
  -S, --log-facility=([0-7]|local[0-7]|user|daemon)
                               Set syslog facility to LOG_LOCAL[0-7], user or daemon (default)
  -G, --no-syslog              Don't log via syslog
  -g, --log-file[=FILE]        Also log to FILE, and to FILE_vrrp for the VRRP process;
                                default keepalived.log, relative names are below /tmp
      --flush-log-file         Flush the log file after every message (always so)
  -e, --all-config             Error if any configuration file missing (same as includea)
  -u, --umask=MASK             umask for file creation (in numeric form)
  -X, --release-vips           Drop VIP on transition from signal (always so)
  -V, --dont-release-vrrp      Don't remove VRRP VIPs on daemon stop
  -R, --dont-respawn           Don't respawn child processes
  -n, --dont-fork              Don't fork the daemon process
  -m, --core-dump              Produce core dump if terminate abnormally
  -d, --dump-conf              Dump the configuration data
  -p, --pid=FILE               Use specified pidfile for parent process
  -r, --vrrp_pid=FILE          Use specified pidfile for VRRP child process
  -a, --address-monitoring     Report all address additions/deletions notified via netlink
  -s, --namespace=NAME         Run in network namespace NAME (overrides config)
  -i, --config-id id           Skip any configuration lines beginning '@' that don't match id
                                or any lines beginning @^ that do match.
      --signum=SIGFUNC         Return signal number for STOP, RELOAD, DATA, STATS, STATS_CLEAR, JSON
  -t, --config-test[=LOG_FILE] Check the configuration for obvious errors, output to
                                stderr by default
  -v, --version                Display the version number
  -h, --help                   Display this help message
Accepted without effect: -C -B --all -c -b -I -M -x -A -T
";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, Stop> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn letters_bundle_and_take_values() {
        let o = read("-nlDP -f a.conf -pb.pid -r c.pid -c d.pid -S local3").unwrap();
        assert!(o.dont_fork && o.log.console && o.log.detail);
        assert_eq!(o.config, PathBuf::from("a.conf"));
        assert_eq!(o.pid_file, Some("b.pid".into()));
        assert_eq!(o.vrrp_pid_file, Some("c.pid".into()));
        assert_eq!(o.log.facility, 19);
        assert_eq!(o.idle, ["checkers_pid"]);
    }

    #[test]
    fn long_names_may_be_shortened_and_take_values_both_ways() {
        let o = read("--dont-f --log-console --use-file=x --pid y --vrrp_pid=z --config-test").unwrap();
        assert!(o.dont_fork && o.log.console);
        assert_eq!((o.config, o.pid_file), (PathBuf::from("x"), Some("y".into())));
        assert_eq!(o.config_test, Some(None));
        assert_eq!(read("-tlog.txt").unwrap().config_test, Some(Some("log.txt".into())));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let said = |line| match read(line) {
            Err(Stop::Wrong(text)) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(said("--bogus"), "Unknown option --bogus");
        assert_eq!(said("--dont"), "Unknown option --dont", "ambiguous");
        assert_eq!(said("-y"), "Unknown option -y");
        assert_eq!(said("-f"), "Missing parameter for option -f");
        assert_eq!(said("--pid"), "Missing parameter for option --pid");
        assert_eq!(said("-n extra words"), "Unexpected argument(s): extra words");
        assert_eq!(said("--signum=BAD"), "Unknown sigfunc BAD");
        assert_eq!(read("--signum=RELOAD").unwrap_err(), Stop::Signal(1));
        assert_eq!(read("--signum=JSON").unwrap_err(), Stop::Signal(36));
        assert_eq!(read("--signum=STATS_CLEAR").unwrap_err(), Stop::Signal(63));
        assert!(read("-u 0888").is_err());
        assert_eq!(read("-u 022").unwrap().umask, Some(0o22));
    }
}
