//! A host: namespaces of its own, held by an init process that ends with this program.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::{CloneFlags, setns, unshare};

use super::process::Process;
use super::wait::wait_for;

/// What the host's init does: makes the host's own view of the file system, reports, then reaps orphans until its
/// standard input closes. Bash, because it reaps children it did not start.
const INIT: &str = r#"
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -m 755 /run/lock /run/haproxy /run/keepalived /run/php
mkdir -m 777 /run/postgresql
printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$2" > /run/hosts
printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' > /run/resolv.conf
[ ! -e /etc/hosts ] || mount --bind /run/hosts /etc/hosts
[ ! -e /etc/resolv.conf ] || mount --bind /run/resolv.conf /etc/resolv.conf
mkdir -p "$1/var-lib-haproxy" /run/lab
mount --bind "$3" /run/lab
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -p "$3"
mount --move /run/lab "$3"
[ ! -d /var/lib/haproxy ] || mount --bind "$1/var-lib-haproxy" /var/lib/haproxy
echo "$2" > /proc/sys/kernel/hostname
ip link set lo up
echo ready
set +e
while read -r line; do :; done
"#;

/// A machine in miniature.
pub(crate) struct Host {
    name: String,
    dir: PathBuf,
    /// The process holding the namespaces, as seen from here. Killing it kills all that runs on the host.
    init: u32,
    unshare: Child,
    // Closing it ends the host, whatever happens to this program.
    leash: Option<ChildStdin>,
    links: AtomicU32,
}

impl Host {
    /// Makes a host; its files go to a directory of its name below `lab`.
    pub(crate) fn new(name: &str, lab: &Path) -> Self {
        let dir = lab.join(name);
        std::fs::create_dir_all(&dir).unwrap();
        super::subject::open_to_all(&dir);
        let mut unshare = Command::new("unshare")
            .args(["--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["bash", "-c", INIT, "init"])
            .arg(&dir)
            .arg(name)
            .arg(lab)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let leash = unshare.stdin.take();
        let mut report = String::new();
        BufReader::new(unshare.stdout.take().unwrap()).read_line(&mut report).unwrap();
        assert_eq!(report.trim(), "ready", "host {name} did not come up");
        let children = format!("/proc/{0}/task/{0}/children", unshare.id());
        let init = std::fs::read_to_string(children).unwrap().trim().parse().unwrap();
        Self { name: name.to_owned(), dir, init, unshare, leash, links: AtomicU32::new(0) }
    }

    /// The host's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The process id, as the machine sees it, whose namespaces are the host's.
    pub(crate) fn pid(&self) -> u32 {
        self.init
    }

    /// Writes a file of the host and gives its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The directory of the host's files.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs `work` on a thread whose sockets belong to this host.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let enter = self.entrance(&[("net", CloneFlags::CLONE_NEWNET)]);
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                enter();
                work()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Starts a thread whose sockets belong to this host.
    pub(crate) fn thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> std::thread::JoinHandle<T> {
        let enter = self.entrance(&[("net", CloneFlags::CLONE_NEWNET)]);
        std::thread::spawn(move || {
            enter();
            work()
        })
    }

    /// Starts a program on this host; its output is captured.
    pub(crate) fn spawn(&self, command: Command) -> Process {
        let name = format!("{}/{}", self.name, program(&command));
        Process::start(name, command, |command| self.inside(|| command.spawn()))
    }

    /// Runs a program to its end on this host.
    pub(crate) fn output(&self, mut command: Command) -> Output {
        let what = format!("{command:?}");
        self.inside(|| command.stdin(Stdio::null()).output())
            .unwrap_or_else(|error| panic!("{what} on {}: {error}", self.name))
    }

    /// Runs a line of shell on this host and returns what it printed.
    ///
    /// # Panics
    /// When the line fails.
    pub(crate) fn sh(&self, line: &str) -> String {
        let output = self.try_sh(line);
        assert!(
            output.status.success(),
            "on {}: {line}: {}\n{}{}",
            self.name,
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a line of shell that may fail.
    pub(crate) fn try_sh(&self, line: &str) -> Output {
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        self.output(command)
    }

    /// Types commands into a stats socket of this host and returns what it answers.
    ///
    /// # Panics
    /// When nobody is there.
    pub(crate) fn tell(&self, socket: &str, commands: &str) -> String {
        let typed = self.file("commands", format!("{commands}\n"));
        self.sh(&format!("socat -t10 stdio {socket} < {}", typed.display()))
    }

    /// Waits until somebody answers at a stats socket of this host.
    pub(crate) fn wait_told(&self, socket: &str) {
        super::eventually("the socket", std::time::Duration::from_secs(20), || {
            let asked = self.try_sh(&format!("echo 'show info' | socat stdio {socket}"));
            String::from_utf8_lossy(&asked.stdout).contains("Pid:")
        });
    }

    /// Lets the host's `/etc/hosts` know a name.
    pub(crate) fn knows(&self, name: &str, address: &str) {
        self.sh(&format!("echo '{address} {name}' >> /etc/hosts"));
    }

    /// Whether one of the host's interfaces carries this address.
    pub(crate) fn has_address(&self, address: &str) -> bool {
        let list = self.sh("ip -o address show");
        list.split_whitespace().any(|word| word.split('/').next() == Some(address))
    }

    /// Whether a TCP connection to this address is accepted from here.
    pub(crate) fn reaches(&self, address: &str) -> bool {
        let Ok(address) = address.parse::<SocketAddr>() else { return false };
        let patience = std::time::Duration::from_millis(500);
        self.run(|| std::net::TcpStream::connect_timeout(&address, patience).is_ok())
    }

    /// What the kernel knows of the only TCP connection that `filter` of `ss` finds, once there is one.
    pub(crate) fn tcp_facts(&self, filter: &str) -> String {
        wait_for(filter, std::time::Duration::from_secs(20), || {
            let list = self.sh(&format!("ss -Htin {filter}"));
            // A line about the connection and one with the facts.
            let [_, facts] = list.lines().collect::<Vec<_>>()[..] else { return None };
            Some(facts.to_owned())
        })
    }

    /// A number for the next link, so that names in the switch do not collide.
    pub(crate) fn next_link(&self) -> u32 {
        self.links.fetch_add(1, Ordering::Relaxed)
    }

    /// Switches the host off as a power cut does: everything on it is gone at once.
    pub(crate) fn power_off(&mut self) {
        self.leash = None;
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }

    fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let enter = self.entrance(&[
            ("net", CloneFlags::CLONE_NEWNET),
            ("uts", CloneFlags::CLONE_NEWUTS),
            ("ipc", CloneFlags::CLONE_NEWIPC),
            ("pid", CloneFlags::CLONE_NEWPID),
            ("mnt", CloneFlags::CLONE_NEWNS),
        ]);
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                unshare(CloneFlags::CLONE_FS).unwrap();
                enter();
                work()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// What a thread must do to move into the host; the files are opened here, while the old mounts are in view.
    fn entrance(&self, kinds: &[(&str, CloneFlags)]) -> impl FnOnce() + Send + 'static {
        let open = |name: &str| {
            let path = format!("/proc/{}/ns/{name}", self.init);
            File::open(&path).unwrap_or_else(|error| panic!("{} is gone: {path}: {error}", self.name))
        };
        let doors: Vec<(File, CloneFlags)> = kinds.iter().map(|(name, kind)| (open(name), *kind)).collect();
        move || doors.iter().for_each(|(door, kind)| setns(door, *kind).unwrap())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.power_off();
    }
}

fn program(command: &Command) -> String {
    Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned()
}
