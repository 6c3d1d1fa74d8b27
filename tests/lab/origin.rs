//! The servers behind the proxy.

use std::process::Command;
use std::time::Duration;

use super::host::Host;
use super::process::Process;
use super::wait::eventually;

/// A web server that says its name on every page.
pub(crate) struct Nginx {
    process: Process,
}

impl Nginx {
    /// Starts nginx on `host`; it listens on `port` and answers with the host's name.
    pub(crate) fn start(host: &Host, port: u16) -> Self {
        let name = host.name();
        Self::with(host, port, &format!("location / {{ return 200 '{name}\\n'; }}"))
    }

    /// Starts nginx with these locations.
    pub(crate) fn with(host: &Host, port: u16, locations: &str) -> Self {
        let config = format!(
            "daemon off;\nuser root;\nworker_processes 1;\npid nginx.pid;\nerror_log stderr notice;\n\
             events {{ worker_connections 4096; }}\n\
             http {{\n  access_log off;\n  default_type text/plain;\n  keepalive_requests 1000000;\n\
             \x20 client_body_temp_path body; fastcgi_temp_path fastcgi; proxy_temp_path proxy;\n\
             \x20 server {{ listen {port} backlog=4096; server_name _; {locations} }}\n}}\n"
        );
        let path = host.file("nginx.conf", config);
        let mut command = Command::new("nginx");
        command.arg("-p").arg(host.dir()).args(["-e", "stderr", "-c"]).arg(path);
        let process = host.spawn(command);
        let address = format!("127.0.0.1:{port}");
        eventually("nginx to listen", Duration::from_secs(10), || host.reaches(&address));
        Self { process }
    }

    /// Stops it as `docker stop` does: it answers what it has begun, new connections are refused.
    pub(crate) fn stop(&mut self) {
        self.process.signal(super::process::Signal::SIGQUIT);
        self.process.ended(Duration::from_secs(10));
    }
}

/// PHP beside a web server.
pub(crate) struct PhpFpm {
    _process: Process,
}

impl PhpFpm {
    /// The socket it listens on.
    pub(crate) const SOCKET: &'static str = "/run/php/lab.sock";

    /// Starts it; `script` is what `/index.php` runs. Gives the document root too.
    pub(crate) fn start(host: &Host, script: &str) -> Self {
        host.file("index.php", script);
        let config = host.file(
            "php-fpm.conf",
            format!(
                "[global]\nerror_log = /dev/stderr\ndaemonize = no\n[www]\nuser = www-data\ngroup = www-data\n\
                 listen = {}\nlisten.mode = 0666\npm = static\npm.max_children = 2\n",
                Self::SOCKET
            ),
        );
        let mut command = Command::new(super::parts::php_fpm().unwrap());
        command.args(["-F", "-y"]).arg(config);
        let process = host.spawn(command);
        eventually("php-fpm to listen", Duration::from_secs(10), || {
            host.try_sh(&format!("test -S {}", Self::SOCKET)).status.success()
        });
        Self { _process: process }
    }
}
