//! Where programs send what they have to say: a syslog server and a mail server that keep everything.

use std::io::{BufRead, BufReader, Result, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};

use super::host::Host;

type Kept = Arc<Mutex<Vec<String>>>;

/// A syslog server on UDP. Its thread ends with the program: it only waits.
pub(crate) struct Syslog {
    kept: Kept,
}

impl Syslog {
    /// Listens on `address` of `host`.
    pub(crate) fn start(host: &Host, address: &str) -> Self {
        let socket = host.run(|| UdpSocket::bind(address)).unwrap();
        let kept = Kept::default();
        let keeping = Arc::clone(&kept);
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok((length, _)) = socket.recv_from(&mut buffer) {
                keeping.lock().unwrap().push(String::from_utf8_lossy(&buffer[..length]).into_owned());
            }
        });
        Self { kept }
    }

    /// How many messages contain `text`.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.kept.lock().unwrap().iter().filter(|message| message.contains(text)).count()
    }

    /// Every message so far.
    pub(crate) fn messages(&self) -> Vec<String> {
        self.kept.lock().unwrap().clone()
    }
}

/// A mail server (RFC 5321, as much as a sender needs).
pub(crate) struct Mailbox {
    kept: Kept,
}

impl Mailbox {
    /// Listens on `address` of `host`.
    pub(crate) fn start(host: &Host, address: &str) -> Self {
        let listener = host.run(|| TcpListener::bind(address)).unwrap();
        let kept = Kept::default();
        let keeping = Arc::clone(&kept);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let keeping = Arc::clone(&keeping);
                std::thread::spawn(move || converse(stream, &keeping));
            }
        });
        Self { kept }
    }

    /// Every mail so far: the commands of its envelope, then its text.
    pub(crate) fn mails(&self) -> Vec<String> {
        self.kept.lock().unwrap().clone()
    }
}

fn converse(mut stream: TcpStream, kept: &Kept) -> Result<()> {
    let reader = BufReader::new(stream.try_clone()?);
    let mut mail = String::new();
    let mut in_data = false;
    write!(stream, "220 lab ready\r\n")?;
    for line in reader.lines() {
        let line = line?;
        mail += &line;
        mail.push('\n');
        let command = line.to_ascii_uppercase();
        let reply = if in_data {
            if line != "." {
                continue;
            }
            in_data = false;
            kept.lock().unwrap().push(std::mem::take(&mut mail));
            "250 kept"
        } else if command.starts_with("DATA") {
            in_data = true;
            "354 go on"
        } else if command.starts_with("QUIT") {
            write!(stream, "221 bye\r\n")?;
            return Ok(());
        } else {
            "250 fine"
        };
        write!(stream, "{reply}\r\n")?;
    }
    Ok(())
}
