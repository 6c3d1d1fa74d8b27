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
             \x20 server {{ listen {port} reuseport backlog=4096; server_name _; {locations} }}\n}}\n"
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
