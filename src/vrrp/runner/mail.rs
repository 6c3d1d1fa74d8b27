//! Mails about state changes (`smtp_alert`), one after the other, never in the way of the election.

use std::fmt::Write as _;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::ir::vrrp::{GlobalDefs, SmtpServer};
use crate::sys::clock;
use crate::vrrp::fsm::State;

use super::journal::Journal;

/// A finished message.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mail {
    subject: String,
    body: &'static str,
}

/// Sender, receivers and server.
#[derive(Clone, Debug)]
struct Settings {
    server: SmtpServer,
    helo: String,
    from: String,
    to: Vec<String>,
    timeout: Duration,
}

/// Takes notices and hands them to the task that sends.
#[derive(Debug, Default)]
pub(super) struct Mailer {
    router_id: String,
    queue: Option<mpsc::UnboundedSender<Mail>>,
}

impl Mailer {
    /// Starts the sending task if the configuration names a server and a receiver.
    pub(super) fn new(global: &GlobalDefs, journal: Rc<Journal>) -> Self {
        let host = nix::unistd::gethostname()
            .map_or_else(|_| "localhost".to_owned(), |name| name.to_string_lossy().into_owned());
        let router_id = global.router_id.clone().unwrap_or_else(|| host.clone());
        let Some(server) = global.smtp_server.clone().filter(|_| !global.notification_email.is_empty())
        else {
            return Self { router_id, queue: None };
        };
        let settings = Settings {
            server,
            helo: global.smtp_helo_name.clone().unwrap_or_else(|| host.clone()),
            from: global.notification_email_from.clone().unwrap_or_else(|| format!("keepalived@{host}")),
            to: global.notification_email.clone(),
            timeout: global.smtp_connect_timeout,
        };
        let (queue, mut mails) = mpsc::unbounded_channel::<Mail>();
        tokio::task::spawn_local(async move {
            while let Some(mail) = mails.recv().await {
                match send(&settings, &mail).await {
                    Ok(()) => journal.detail("SMTP alert successfully sent."),
                    Err(e) => {
                        let SmtpServer { name, port, .. } = &settings.server;
                        journal.warn(format!("SMTP alert to [{name}]:{port} was not sent: {e}"));
                    }
                }
            }
        });
        Self { router_id, queue: Some(queue) }
    }

    /// An instance entered a state.
    pub(super) fn instance(&self, name: &str, state: State, journal: &Journal) {
        let (subject, body) = match state {
            State::Master => ("Entering MASTER state", "=> VRRP Instance is now owning VRRP VIPs <="),
            State::Backup => ("Entering BACKUP state", "=> VRRP Instance is no longer owning VRRP VIPs <="),
            State::Fault => ("Entering FAULT state", "=> VRRP Instance is no longer owning VRRP VIPs <="),
            State::Stop => ("Stopping", "=> VRRP Instance stopping <="),
            State::Init => return,
        };
        self.queue(format!("[{}] VRRP Instance {name} - {subject}", self.router_id), body, journal);
    }

    /// A sync group entered a state.
    pub(super) fn group(&self, name: &str, state: State, journal: &Journal) {
        let (subject, body) = match state {
            State::Master => {
                ("Entering MASTER state", "=> All VRRP group instances are now in MASTER state <=")
            }
            State::Backup => {
                ("Entering BACKUP state", "=> All VRRP group instances are now in BACKUP state <=")
            }
            State::Fault => ("Entering FAULT state", "=> All VRRP group instances are now in FAULT state <="),
            State::Stop => ("Stopping", "=> All VRRP group instances are now stopping <="),
            State::Init => return,
        };
        self.queue(format!("[{}] VRRP Group {name} - {subject}", self.router_id), body, journal);
    }

    fn queue(&self, subject: String, body: &'static str, journal: &Journal) {
        if let Some(queue) = &self.queue
            && queue.send(Mail { subject, body }).is_err()
        {
            journal.warn("smtp_alert: the mail task has ended");
        }
    }
}

fn compose(settings: &Settings, mail: &Mail, date: &str) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "Date: {date}\r\nFrom: {}\r\nSubject: {}\r\nX-Mailer: Keepalived\r\nTo: {}\r\n\r\n{}\r\n\r\n.\r\n",
        settings.from,
        mail.subject,
        settings.to.join(", "),
        mail.body
    );
    text
}

async fn send(settings: &Settings, mail: &Mail) -> io::Result<()> {
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    timeout(settings.timeout, talk(settings, mail)).await.map_err(late)?
}

async fn talk(settings: &Settings, mail: &Mail) -> io::Result<()> {
    let server = &settings.server;
    let stream = match server.addr {
        Some(address) => TcpStream::connect(address).await?,
        None => TcpStream::connect((server.name.as_str(), server.port)).await?,
    };
    let (read, mut write) = stream.into_split();
    let mut replies = BufReader::new(read);
    expect(&mut replies, 220).await?;
    let mut commands = vec![
        (format!("HELO {}\r\n", settings.helo), 250),
        (format!("MAIL FROM:<{}>\r\n", settings.from), 250),
    ];
    commands.extend(settings.to.iter().map(|to| (format!("RCPT TO:<{to}>\r\n"), 250)));
    commands.push(("DATA\r\n".to_owned(), 354));
    let zone = TimeZone::system();
    let now = Timestamp::try_from(clock::wall()).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone);
    commands.push((compose(settings, mail, &now.strftime("%a, %d %b %Y %H:%M:%S %z").to_string()), 250));
    commands.push(("QUIT\r\n".to_owned(), 221));
    for (command, code) in commands {
        write.write_all(command.as_bytes()).await?;
        expect(&mut replies, code).await?;
    }
    Ok(())
}

/// Reads one reply, all its lines.
async fn expect(replies: &mut BufReader<OwnedReadHalf>, code: u16) -> io::Result<()> {
    loop {
        let mut line = String::new();
        if replies.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.as_bytes().get(3) == Some(&b'-') {
            continue;
        }
        let got = line.get(..3).and_then(|c| c.parse::<u16>().ok());
        return if got == Some(code) { Ok(()) } else { Err(io::Error::other(line.trim_end().to_owned())) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_is_the_one_keepalived_sends() {
        let settings = Settings {
            server: SmtpServer { name: "127.0.0.1".into(), addr: None, port: 25 },
            helo: "vm".into(),
            from: "keepalived@haproxy01.example.com".into(),
            to: vec!["sysadmin@example.com".into(), "second@example.org".into()],
            timeout: Duration::from_secs(30),
        };
        let mail = Mail {
            subject: "[LB1] VRRP Instance VI_1 - Entering MASTER state".into(),
            body: "=> VRRP Instance is now owning VRRP VIPs <=",
        };
        assert_eq!(
            compose(&settings, &mail, "Sat, 21 Nov 2026 09:29:41 +0000"),
            "Date: Sat, 21 Nov 2026 09:29:41 +0000\r\n\
             From: keepalived@haproxy01.example.com\r\n\
             Subject: [LB1] VRRP Instance VI_1 - Entering MASTER state\r\n\
             X-Mailer: Keepalived\r\n\
             To: sysadmin@example.com, second@example.org\r\n\
             \r\n\
             => VRRP Instance is now owning VRRP VIPs <=\r\n\
             \r\n\
             .\r\n"
        );
    }
}
