//! PostgreSQL and PgBouncer, run as the user that their package made.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use super::host::Host;
use super::parts::postgres_bin;
use super::process::{Process, Signal};
use super::wait::eventually;

/// The user that runs the servers, and the one clients log in as.
const USER: &str = "postgres";
const PATIENCE: Duration = Duration::from_secs(20);

/// A database server.
pub(crate) struct Postgres {
    process: Process,
    data: PathBuf,
}

impl Postgres {
    /// A fresh server on port 5432 that trusts everybody and lets standbys stream.
    pub(crate) fn primary(host: &Host) -> Self {
        let data = home(host).join("data");
        as_user(host, bin("initdb").arg("-D").arg(&data).args(["-A", "trust", "-N", "-U", USER]));
        let access = std::fs::read_to_string(data.join("pg_hba.conf")).unwrap();
        let everybody = "host all all all trust\nhost replication all all trust\n";
        std::fs::write(data.join("pg_hba.conf"), access + everybody).unwrap();
        Self::run(host, data)
    }

    /// A standby that follows the server at `primary`.
    pub(crate) fn standby(host: &Host, primary: &str) -> Self {
        let data = home(host).join("data");
        let mut copy = bin("pg_basebackup");
        copy.args(["-h", primary, "-U", USER, "-R", "-X", "stream", "-c", "fast", "-D"]).arg(&data);
        as_user(host, &mut copy);
        Self::run(host, data)
    }

    fn run(host: &Host, data: PathBuf) -> Self {
        let mut command = bin("postgres");
        command.arg("-D").arg(&data).args([
            "-c",
            "listen_addresses=*",
            "-c",
            "unix_socket_directories=/run/postgresql",
            "-c",
            "fsync=off",
            "-c",
            "max_connections=200",
        ]);
        let process = host.spawn(wrapped(&command));
        eventually("postgres to answer", PATIENCE, || sql(host, "127.0.0.1", 5432, "select 1").is_ok());
        Self { process, data }
    }

    /// Sends the server itself a signal, not its children.
    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&mut self) {
        // SIGQUIT to the postmaster is its immediate shutdown: no goodbye, and no child stays.
        self.process.signal(Signal::SIGQUIT);
        self.process.ended(PATIENCE);
    }

    /// Makes a standby take writes.
    pub(crate) fn promote(&self, host: &Host) {
        as_user(host, bin("pg_ctl").args(["promote", "-w", "-D"]).arg(&self.data));
    }
}

/// A connection pooler in front of a database.
pub(crate) struct PgBouncer {
    process: Process,
}

impl PgBouncer {
    /// Pools connections to the server at `database` on `port` of `host`.
    pub(crate) fn start(host: &Host, port: u16, database: &str) -> Self {
        let home = home(host);
        let users = host.file("users.txt", format!("\"{USER}\" \"\"\n"));
        let config = host.file(
            &format!("pgbouncer-{port}.ini"),
            format!(
                "[databases]\n* = host={database} port=5432 user={USER}\n\
                 [pgbouncer]\nlisten_addr = *\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\n\
                 auth_file = {}\npool_mode = session\nmax_client_conn = 500\ndefault_pool_size = 50\n\
                 ignore_startup_parameters = extra_float_digits\n",
                users.display()
            ),
        );
        let mut command = Command::new("pgbouncer");
        command.arg(config).current_dir(home);
        let process = host.spawn(wrapped(&command));
        let address = format!("127.0.0.1:{port}");
        eventually("pgbouncer to listen", PATIENCE, || host.reaches(&address));
        Self { process }
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Freezes it: it still has its port but says nothing.
    pub(crate) fn freeze(&self) {
        self.process.signal(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.process.signal(Signal::SIGCONT);
    }
}

/// Runs one statement from `host` and gives the bare result, or what psql complained about.
pub(crate) fn sql(host: &Host, server: &str, port: u16, statement: &str) -> Result<String, String> {
    let output = host.output(psql(server, port, statement));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// The client's command for one statement.
pub(crate) fn psql(server: &str, port: u16, statement: &str) -> Command {
    let mut command = Command::new("psql");
    command
        .args([
            "-X",
            "-q",
            "-t",
            "-A",
            "-h",
            server,
            "-p",
            &port.to_string(),
            "-U",
            USER,
            "-d",
            USER,
            "-c",
            statement,
        ])
        .env("PGCONNECT_TIMEOUT", "5")
        .env("PGSSLMODE", "disable");
    command
}

fn bin(name: &str) -> Command {
    Command::new(postgres_bin().unwrap().join(name))
}

/// The same command as the servers' own user, which they insist on.
fn wrapped(command: &Command) -> Command {
    let mut wrapped = Command::new("setpriv");
    wrapped.args([&format!("--reuid={USER}"), &format!("--regid={USER}"), "--init-groups", "--"]);
    wrapped.arg(command.get_program()).args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        wrapped.current_dir(dir);
    }
    wrapped
}

fn as_user(host: &Host, command: &mut Command) -> Output {
    let output = host.output(wrapped(command));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A directory of the host that belongs to the servers' user.
fn home(host: &Host) -> PathBuf {
    let dir: &Path = host.dir();
    let home = dir.join("postgres");
    std::fs::create_dir_all(&home).unwrap();
    let user = nix::unistd::User::from_name(USER).unwrap().unwrap();
    chown(&home, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    home
}
