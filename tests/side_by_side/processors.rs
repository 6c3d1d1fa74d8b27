//! Which processors each thread may run on (`cpu-map`), as the kernel tells it, beside HAProxy.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::path::Path;

use nix::sched::{CpuSet, sched_getaffinity};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::lab::{Config, Host, Lab, Part, Program, eventually, proxy};

use super::PATIENCE;

/// Lines of `global`, with `A` and `B` for the first and the last processor that there is, and where each thread then is
/// (`AB`: on those two; `*`: anywhere). HAProxy 2.6 takes `1/1` for the whole process.
const CASES: &[(&str, &[&str])] = &[
    ("nbthread 3", &["*", "*", "*"]),
    ("nbthread 2 | cpu-map 1 B", &["B", "B"]),
    ("nbthread 2 | cpu-map all A | cpu-map 1 B", &["B", "B"]),
    ("nbthread 2 | cpu-map odd B", &["B", "B"]),
    ("nbthread 4 | cpu-map 1/odd A | cpu-map 1/even B", &["A", "B", "A", "B"]),
    ("nbthread 4 | cpu-map 1/2-4 B | cpu-map 1/1-3 A", &["A", "A", "A", "B"]),
    ("nbthread 3 | cpu-map 1/3- B", &["*", "*", "B"]),
    ("nbthread 2 | cpu-map auto:1/1-2 B A", &["A", "B"]),
    ("nbthread 2 | cpu-map 1/1-2 B 1023", &["B", "B"]),
    ("nbthread 2 | cpu-map 1/2 1023", &["*", "*"]),
    ("nbthread 2 | cpu-map 1/3-64 B", &["*", "*"]),
    ("nbthread 2 | cpu-map 1/all A-B", &["*", "*"]),
];

/// What only newer versions know, or do as the manual of all says.
const NEWER: &[(&str, &[&str])] = &[
    ("nbthread 2 | cpu-map 1/1 A | cpu-map 1/2 B", &["A", "B"]),
    ("nbthread 3 | cpu-map 1 A | cpu-map 1/2 B", &["A", "B", "A"]),
    ("nbthread 4 | thread-groups 2 | cpu-map 1 A | cpu-map 2/1 B | cpu-map 2/2 A-B", &["A", "A", "B", "*"]),
    ("nbthread 3 | thread-groups 2 | thread-group 2 2-3 | cpu-map all A | cpu-map 2 B", &["A", "B", "B"]),
];

/// What only older versions know: a process, and thus all of ours.
const OLDER: &[(&str, &[&str])] = &[
    ("nbthread 2 | nbproc 2 | cpu-map 1 A | cpu-map 2 B", &["AB", "AB"]),
    ("nbthread 2 | nbproc 2 | cpu-map auto:1-2 B A", &["AB", "AB"]),
    ("nbthread 2 | nbproc 2 | cpu-map 1-2 B | cpu-map 3 A", &["B", "B"]),
];

fn allowed(status: &Path) -> Option<(String, String)> {
    let text = std::fs::read_to_string(status).ok()?;
    let field =
        |name| text.lines().find_map(|line| line.strip_prefix(name)).map(|rest| rest.trim().to_owned());
    Some((field("Name:")?, field("Cpus_allowed_list:")?))
}

/// The threads of a process in the order they were made: name and processors.
fn threads(process: u32) -> Vec<(String, String)> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let ids: BTreeSet<u32> = tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok()).collect();
    ids.iter().filter_map(|id| allowed(Path::new(&format!("/proc/{process}/task/{id}/status")))).collect()
}

/// Starts `program` with a master, and waits until its threads are where they should be.
fn stay(host: &Host, program: &Program, lines: &str, expected: &[&str]) {
    let there = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let mut there = (0..CpuSet::count()).filter(|cpu| there.is_set(*cpu).unwrap());
    let (first, last) = match (there.next().unwrap(), there.next_back()) {
        (first, Some(last)) => (first, last),
        (..) if lines.contains("auto:") => return println!("{lines}: there is one processor only"),
        (first, None) => (first, first),
    };
    let (_, anywhere) = allowed(Path::new("/proc/self/status")).unwrap();
    let named = |text: &str| text.replace('A', &first.to_string()).replace('B', &last.to_string());
    let place = |text: &&str| match *text {
        "*" => anywhere.clone(),
        "AB" if last == first + 1 => format!("{first}-{last}"),
        "AB" if last > first => format!("{first},{last}"),
        one => named(&one[..1]),
    };
    let rest = match expected.iter().collect::<BTreeSet<_>>() {
        places if places.contains(&"*") => "*",
        places if places.len() > 1 => "AB",
        _ => expected[0],
    };
    let (expected, rest): (Vec<_>, _) = (expected.iter().map(place).collect(), place(&rest));
    let text = format!(
        "global\n    {}\ndefaults\n    timeout client 1s\n    timeout server 1s\n    timeout connect 1s\n\
         frontend f\n    mode tcp\n    bind 127.0.0.1:8600\n",
        named(lines).replace(" | ", "\n    ")
    );
    let config = Config::written(host, "haproxy.cfg", &text);
    let mut command = program.command();
    command.args(["-W", "-f"]).arg(config.path());
    let mut master = host.spawn(command);
    let children = format!("/proc/{0}/task/{0}/children", master.pid());
    eventually(&format!("threads on {expected:?} with '{lines}' of {program:?}"), PATIENCE, || {
        let children = std::fs::read_to_string(&children).unwrap_or_default();
        let all = children.split_whitespace().flat_map(|child| threads(child.parse().unwrap()));
        // All that is done there is done on those threads; what we have beside them stays where they are.
        let (workers, others): (Vec<_>, Vec<_>) = all
            .partition(|(name, _)| !program.is_ours() || expected.len() == 1 || name.starts_with("worker-"));
        workers.into_iter().map(|(_, place)| place).eq(expected.iter().cloned())
            && others.iter().all(|(_, place)| *place == rest)
    });
    let (_, free) = allowed(Path::new(&format!("/proc/{}/status", master.pid()))).unwrap();
    assert_eq!(free, anywhere, "the master is not kept anywhere");
    master.stop();
}

/// In the background nobody reads standard error.
#[test]
fn a_thread_that_cannot_stay_is_told_to_the_log() {
    let Some(lab) = Lab::open(&[]) else { return };
    let host = lab.host("ours");
    let sink = host.run(|| UdpSocket::bind("127.0.0.1:5514").unwrap());
    sink.set_read_timeout(Some(PATIENCE)).unwrap();
    let text = "global\n    nbthread 2\n    cpu-map 1/2 1023\n    log 127.0.0.1:5514 local0\n\
                defaults\n    timeout client 1s\n    timeout server 1s\n    timeout connect 1s\n\
                frontend f\n    mode tcp\n    bind 127.0.0.1:8600\n";
    let config = Config::written(&host, "haproxy.cfg", text);
    let file = host.dir().join("background.pid");
    let mut command = proxy().command();
    command.args(["-D", "-p"]).arg(&file).arg("-f").arg(config.path());
    assert!(host.spawn(command).ended(PATIENCE).success());
    let mut piece = [0; 4096];
    let told = std::iter::from_fn(|| {
        sink.recv(&mut piece).ok().map(|n| String::from_utf8_lossy(&piece[..n]).into_owned())
    });
    let warning = told.map(|line| line.trim_end().to_owned()).find(|line| line.contains("CPUs"));
    let process = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    kill(Pid::from_raw(process), Signal::SIGKILL).unwrap();
    let warning = warning.expect("a line about it");
    assert!(warning.starts_with("<132>"), "{warning}");
    assert!(warning.contains("Thread 2 cannot be kept on CPUs 1023: "), "{warning}");
}

#[test]
fn threads_stay_on_the_processors_of_haproxys() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let (ours, theirs) = (lab.host("ours"), lab.host("theirs"));
    let reference = Program::reference("haproxy");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (lines, expected) in CASES {
                stay(&theirs, &reference, lines, expected);
            }
        });
        for (lines, expected) in CASES.iter().chain(NEWER).chain(OLDER) {
            stay(&ours, &proxy(), lines, expected);
        }
    });
}
