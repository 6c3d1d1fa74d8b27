//! Checks of real servers: MariaDB, PostgreSQL, Redis, OpenLDAP and Exim, healthy and in the ways each can be broken, beside
//! HAProxy's checks of the same servers.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::lab::{
    Config, Host, Lab, Part, Postgres, Process, Program, Signal, eventually, proxy, show_stat, sql, wait_for,
};

/// How long a server may take to come up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Backend, its check, port, and what the check comes to: status and code.
const CASES: &[(&str, &str, u16, &str, &str)] = &[
    ("mysql", "mysql-check", 3306, "L7OK", "0"),
    ("mysql_user", "mysql-check user hap", 3306, "L7OK", "0"),
    ("mysql_post41", "mysql-check user hap post-41", 3306, "L7OK", "0"),
    ("mysql_pre41", "mysql-check user hap pre-41", 3306, "", ""),
    ("mysql_unknown", "mysql-check user nobody", 3306, "L7STS", "1045"),
    ("mysql_locked", "mysql-check user locked", 3306, "L7STS", "4151"),
    ("mysql_crowded", "mysql-check user crowded", 3306, "L7STS", "1226"),
    ("mysql_password", "mysql-check user secret", 3306, "L7STS", "1045"),
    ("mysql_absent", "mysql-check user hap", 3307, "L4CON", ""),
    ("pgsql", "pgsql-check user postgres", 5432, "L7OK", "0"),
    ("pgsql_unknown", "pgsql-check user nobody", 5432, "", ""),
    ("pgsql_crowded", "pgsql-check user crowded", 5432, "", ""),
    ("pgsql_no_login", "pgsql-check user visitor", 5432, "", ""),
    ("pgsql_absent", "pgsql-check user postgres", 5433, "L4CON", ""),
    ("redis", "redis-check", 6379, "L7OK", "0"),
    // An answer that is none is waited on.
    ("redis_password", "redis-check", 6380, "L7TOUT", ""),
    ("redis_unheard", "redis-check", 6382, "L7TOUT", ""),
    ("redis_full", "redis-check", 6383, "", ""),
    // A replica whose master is gone.
    ("redis_orphan", "redis-check", 6384, "", ""),
    ("redis_absent", "redis-check", 6381, "L4CON", ""),
    ("ldap", "ldap-check", 389, "L7OK", "0"),
    ("ldap_no_anonymous", "ldap-check", 390, "L7STS", "48"),
    ("ldap_absent", "ldap-check", 391, "L4CON", ""),
    ("smtp", "smtpchk", 2525, "L7OK", "221"),
    ("smtp_ehlo", "smtpchk EHLO lab", 2525, "L7OK", "221"),
    ("smtp_refused", "smtpchk", 2526, "L7STS", "550"),
    ("smtp_later", "smtpchk", 2529, "L7STS", "451"),
    ("smtp_slow", "smtpchk", 2530, "L7TOUT", ""),
    ("smtp_absent", "smtpchk", 2527, "L4CON", ""),
    // Another service than expected.
    ("redis_is_smtp", "redis-check", 2525, "", ""),
    ("smtp_is_redis", "smtpchk", 6379, "", ""),
    ("mysql_is_smtp", "mysql-check user hap", 2525, "", ""),
    ("ldap_is_redis", "ldap-check", 6379, "", ""),
    ("pgsql_is_smtp", "pgsql-check user postgres", 2525, "", ""),
    ("redis_is_mysql", "redis-check", 3306, "", ""),
    ("smtp_is_mysql", "smtpchk", 3306, "", ""),
];

fn config(socket: &str) -> String {
    let mut text = format!(
        "global\n    stats socket {socket} level admin\ndefaults\n    mode tcp\n    timeout connect 1s\n    \
         timeout client 5s\n    timeout server 5s\n    timeout check 4s\n"
    );
    for (name, check, port, ..) in CASES {
        text += &format!(
            "backend {name}\n    option {check}\n    server s 127.0.0.1:{port} check inter 1s rise 1 fall 1\n"
        );
    }
    text
}

struct Services {
    mariadb: Process,
    postgres: Postgres,
    redis: Process,
    ldap: Process,
    smtp: Process,
    _others: Vec<Process>,
    /// The one client that a server takes.
    _only: TcpStream,
}

fn mariadb(host: &Host) -> Process {
    let data = host.dir().join("mysql");
    host.sh(&format!(
        "mariadb-install-db --user=mysql --datadir={} --auth-root-authentication-method=normal --skip-test-db \
         >/dev/null 2>&1",
        data.display()
    ));
    let mut command = Command::new("mariadbd");
    command.args(["--no-defaults", "--user=mysql", "--port=3306", "--bind-address=127.0.0.1"]);
    command.args(["--socket=/tmp/mysql.sock", "--skip-log-bin", "--innodb-buffer-pool-size=8M"]);
    command.args(["--skip-name-resolve", "--max-connect-errors=100000"]);
    command.arg(format!("--datadir={}", data.display()));
    let process = host.spawn(command);
    eventually("MariaDB to take a user", PATIENCE, || {
        let sql = "create or replace user hap@'127.0.0.1';
            create or replace user locked@'127.0.0.1' account lock;
            create or replace user secret@'127.0.0.1' identified by 'word';
            create or replace user crowded@'127.0.0.1' with max_user_connections 1";
        host.try_sh(&format!("mariadb --no-defaults -S /tmp/mysql.sock -u root -e \"{sql}\""))
            .status
            .success()
    });
    process
}

fn redis(host: &Host, port: u16, more: &[&str]) -> Process {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--save", "", "--daemonize", "no"]).args(more);
    command.current_dir(host.dir());
    let process = host.spawn(command);
    eventually("Redis to listen", PATIENCE, || host.reaches(&format!("127.0.0.1:{port}")));
    process
}

fn slapd(host: &Host, port: u16, more: &str) -> Process {
    let text = format!(
        "include /etc/ldap/schema/core.schema\npidfile {}/slapd{port}.pid\n{more}",
        host.dir().display()
    );
    let file = host.file(&format!("slapd{port}.conf"), text);
    let mut command = Command::new("slapd");
    command.args(["-d", "0", "-h", &format!("ldap://127.0.0.1:{port}/"), "-f"]).arg(file);
    let process = host.spawn(command);
    eventually("slapd to listen", PATIENCE, || host.reaches(&format!("127.0.0.1:{port}")));
    process
}

/// `verdict`: on whoever connects.
fn exim(host: &Host, port: u16, verdict: &str) -> Process {
    let dir = host.dir().join(format!("exim{port}"));
    std::fs::create_dir_all(&dir).unwrap();
    // It writes as a user of its own.
    host.sh(&format!("chmod 777 {}", dir.display()));
    let dir = dir.display();
    let text = format!(
        "primary_hostname = lab\nkeep_environment =\nspool_directory = {dir}\nlog_file_path = {dir}/%slog\nhost_lookup =\n\
         rfc1413_query_timeout = 0s\nsmtp_accept_max = 100\nacl_smtp_connect = whoever\nbegin acl\n\
         whoever:\n  {verdict}\n"
    );
    let file = host.file(&format!("exim{port}.conf"), text);
    let mut command = Command::new("exim4");
    command.args(["-bdf", "-oX", &format!("127.0.0.1.{port}"), "-oP", &format!("{dir}/pid"), "-C"]).arg(file);
    let process = host.spawn(command);
    eventually("Exim to listen", PATIENCE, || host.reaches(&format!("127.0.0.1:{port}")));
    process
}

impl Services {
    fn start(host: &Host) -> Self {
        let (mariadb, postgres) = (mariadb(host), Postgres::primary(host));
        for role in ["crowded login connection limit 0", "visitor nologin"] {
            sql(host, "127.0.0.1", 5432, &format!("create role {role}")).unwrap();
        }
        // It stays as long as the server does.
        let mut session = Command::new("mariadb");
        session.args(["--no-defaults", "-h", "127.0.0.1", "-u", "crowded", "-e", "select sleep(3600)"]);
        let session = host.spawn(session);
        let full = redis(host, 6383, &["--maxclients", "1"]);
        let only = wait_for("the only client of a server to be in", PATIENCE, || {
            let mut stream = host.run(|| TcpStream::connect("127.0.0.1:6383")).ok()?;
            stream.set_read_timeout(Some(PATIENCE)).ok()?;
            stream.write_all(b"PING\r\n").ok()?;
            let mut answer = [0; 7];
            stream.read_exact(&mut answer).ok().filter(|()| answer == *b"+PONG\r\n").map(|()| stream)
        });
        Self {
            mariadb,
            postgres,
            redis: redis(host, 6379, &[]),
            ldap: slapd(host, 389, ""),
            smtp: exim(host, 2525, "accept"),
            _others: vec![
                session,
                full,
                redis(host, 6380, &["--requirepass", "secret"]),
                redis(host, 6382, &["--rename-command", "PING", ""]),
                redis(host, 6384, &["--replicaof", "127.0.0.1 1", "--replica-serve-stale-data", "no"]),
                slapd(host, 390, "disallow bind_anon\n"),
                exim(host, 2526, "deny message = not you"),
                exim(host, 2529, "defer message = later"),
                exim(host, 2530, "accept delay = 6s"),
            ],
            _only: only,
        }
    }

    /// All that are healthy.
    fn signal(&self, signal: Signal) {
        for process in [&self.mariadb, &self.redis, &self.ldap, &self.smtp] {
            process.signal(signal);
        }
        self.postgres.signal(signal);
    }
}

/// Status and code of every check, once all have ended.
fn verdicts(host: &Host, socket: &str) -> BTreeMap<&'static str, (String, String)> {
    let mut found = BTreeMap::new();
    // Before it is there, socat makes a file of this name and reads what it wrote.
    host.wait_told(socket);
    wait_for("all checks", PATIENCE, || {
        let stats = show_stat(host, socket);
        for (name, ..) in CASES {
            let cell = |column| stats.cell(name, "s", column).to_owned();
            let status = cell("check_status");
            if !matches!(status.as_str(), "" | "INI") && !status.starts_with('*') {
                found.insert(*name, (status, cell("check_code")));
            }
        }
        (found.len() == CASES.len()).then_some(())
    });
    found
}

#[test]
fn real_servers_are_judged_as_haproxy_judges_them() {
    let parts = ["haproxy", "socat", "mariadbd", "redis-server", "slapd", "exim4"].map(Part::Program);
    let Some(lab) = Lab::open(&[&parts[..], &[Part::Postgres]].concat()) else { return };
    let host = lab.host("services");
    let services = Services::start(&host);
    let start = |name: &str, program: &Program| {
        let text = config(&format!("/run/{name}.sock"));
        host.haproxy(program, &Config::written(&host, &format!("{name}.cfg"), &text))
    };
    let _reference = start("theirs", &Program::reference("haproxy"));
    let ours = start("ours", &proxy());
    let judged = || {
        let (reference, own) = (verdicts(&host, "/run/theirs.sock"), verdicts(&host, "/run/ours.sock"));
        let mut wrong = Vec::new();
        for (name, _, _, status, code) in CASES {
            let (said, with) = &own[name];
            if reference[name] != own[name] {
                wrong.push(format!("{name}: HAProxy {:?}, ours {:?}", reference[name], own[name]));
            }
            if !status.is_empty() && said != status || !code.is_empty() && with != code {
                wrong.push(format!("{name}: {said} {with} instead of {status} {code}"));
            }
        }
        wrong
    };
    // On a busy machine a service is slower than the checks at times, and the two programs see it at different ones.
    let (start, mut wrong) = (Instant::now(), judged());
    while !wrong.is_empty() && start.elapsed() < PATIENCE {
        wrong = judged();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A server that hangs still takes connections, and is down for its silence.
    const HEALTHY: [&str; 5] = ["mysql_user", "pgsql", "redis", "ldap", "smtp"];
    services.signal(Signal::SIGSTOP);
    for name in HEALTHY {
        ours.wait_log(&format!("Server {name}/s is DOWN, reason: Layer7 timeout"), PATIENCE);
    }
    services.signal(Signal::SIGCONT);
    for name in HEALTHY {
        ours.wait_log(&format!("Server {name}/s is UP, reason: Layer7 check passed"), PATIENCE);
    }
}
