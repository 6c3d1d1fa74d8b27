//! Where programs send what they have to say: syslog servers and a mail server that keep everything.

use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

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

/// A server that keeps every byte that connections bring, and can be away for a while.
pub(crate) struct Collector {
    address: String,
    kept: Arc<Mutex<Vec<u8>>>,
    /// Ends that the server can close.
    streams: Arc<Mutex<Vec<TcpStream>>>,
    /// How many connections there were.
    count: Arc<AtomicUsize>,
    away: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Collector {
    /// Listens on `address` of `host`.
    pub(crate) fn start(host: &Host, address: &str) -> Self {
        let mut collector = Self {
            address: address.to_owned(),
            kept: Arc::default(),
            streams: Arc::default(),
            count: Arc::default(),
            away: None,
        };
        collector.come_back(host);
        collector
    }

    /// Everything so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.kept.lock().unwrap()).into_owned()
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Listens again.
    pub(crate) fn come_back(&mut self, host: &Host) {
        let listener = host.run(|| TcpListener::bind(&self.address)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let away = Arc::new(AtomicBool::new(false));
        let (kept, streams) = (Arc::clone(&self.kept), Arc::clone(&self.streams));
        let (count, leaves) = (Arc::clone(&self.count), Arc::clone(&away));
        let thread = std::thread::spawn(move || {
            while !leaves.load(Ordering::Relaxed) {
                let Ok((mut stream, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                };
                stream.set_nonblocking(false).unwrap();
                streams.lock().unwrap().push(stream.try_clone().unwrap());
                count.fetch_add(1, Ordering::Relaxed);
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || {
                    let mut piece = [0; 16384];
                    while let Ok(read @ 1..) = stream.read(&mut piece) {
                        kept.lock().unwrap().extend_from_slice(&piece[..read]);
                    }
                });
            }
        });
        self.away = Some((away, thread));
    }

    /// Closes everything.
    pub(crate) fn go_away(&mut self) {
        let Some((away, thread)) = self.away.take() else { return };
        away.store(true, Ordering::Relaxed);
        let _ = thread.join();
        for stream in self.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.go_away();
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
