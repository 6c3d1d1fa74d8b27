//! The lab's name server: the one part that is not somebody else's program, because its answers must change.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::SRV;
use hickory_proto::rr::{Name, RData, Record, RecordType};

use super::host::Host;

/// Seconds an answer may be kept.
const TTL: u32 = 1;

/// What the server does with questions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Behaviour {
    /// Answers from its names.
    Answers,
    /// Takes the question and never answers.
    Silent,
    /// Answers from its names, each time in another order.
    Reorders,
    /// Answers that there is no such name.
    Denies,
    /// Answers that it does not answer.
    Refuses,
    /// Answers with a head that says the rest did not fit.
    Truncates,
    /// Answers with what is not to be believed: another question's number, another name, names that point to themselves,
    /// lengths beyond the end.
    Lies,
}

/// Target, port and weight of one place of a service.
type Place = (String, u16, u16);

struct Shared {
    names: Mutex<HashMap<String, Vec<IpAddr>>>,
    services: Mutex<HashMap<String, Vec<Place>>>,
    behaviour: Mutex<Behaviour>,
    questions: AtomicUsize,
    /// Most bytes of an answer that the last question allowed.
    payload: AtomicUsize,
    stop: AtomicBool,
}

/// A name server on one host.
pub(crate) struct Dns {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Dns {
    /// Serves `address` (`10.89.4.1:53`) on `host`.
    pub(crate) fn start(host: &Host, address: &str, behaviour: Behaviour) -> Self {
        let socket =
            host.run(|| UdpSocket::bind(address)).unwrap_or_else(|error| panic!("{address}: {error}"));
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let door =
            host.run(|| TcpListener::bind(address)).unwrap_or_else(|error| panic!("{address}: {error}"));
        let shared = Arc::new(Shared {
            names: Mutex::default(),
            services: Mutex::default(),
            behaviour: Mutex::new(behaviour),
            questions: AtomicUsize::new(0),
            payload: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let server = Arc::clone(&shared);
        let thread = std::thread::spawn(move || serve(&socket, &server));
        let server = Arc::clone(&shared);
        // It ends with the test program.
        std::thread::spawn(move || {
            for stream in door.incoming().flatten() {
                let server = Arc::clone(&server);
                std::thread::spawn(move || serve_stream(stream, &server));
            }
        });
        Self { shared, thread: Some(thread) }
    }

    /// Lets `name` stand for `address` from now on.
    pub(crate) fn set(&self, name: &str, address: &str) {
        self.set_all(name, &[address]);
    }

    /// Lets `name` stand for all of these from now on.
    pub(crate) fn set_all(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        self.shared.names.lock().unwrap().insert(name.to_owned(), addresses);
    }

    /// Lets `service` be at one more place from now on.
    pub(crate) fn offer(&self, service: &str, target: &str, port: u16) {
        self.offer_weighed(service, target, port, 256);
    }

    /// The same with a weight.
    pub(crate) fn offer_weighed(&self, service: &str, target: &str, port: u16, weight: u16) {
        let place = (target.to_owned(), port, weight);
        self.shared.services.lock().unwrap().entry(service.to_owned()).or_default().push(place);
    }

    /// Lets `service` be at no place from now on.
    pub(crate) fn close(&self, service: &str) {
        self.shared.services.lock().unwrap().insert(service.to_owned(), Vec::new());
    }

    /// Changes what the server does.
    pub(crate) fn behave(&self, behaviour: Behaviour) {
        *self.shared.behaviour.lock().unwrap() = behaviour;
    }

    /// How many questions have come.
    pub(crate) fn questions(&self) -> usize {
        self.shared.questions.load(Ordering::Relaxed)
    }

    /// Most bytes of an answer that the last question allowed (EDNS); 0: it said nothing of that.
    pub(crate) fn payload(&self) -> usize {
        self.shared.payload.load(Ordering::Relaxed)
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket, shared: &Shared) {
    let mut buffer = [0; 4096];
    while !shared.stop.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        for answer in answers(&buffer[..length], shared) {
            let _ = socket.send_to(&answer, from);
        }
    }
}

/// Questions and answers with their lengths in front (RFC 1035 section 4.2.2).
fn serve_stream(mut stream: TcpStream, shared: &Shared) {
    let (mut length, mut question) = ([0; 2], Vec::new());
    while stream.read_exact(&mut length).is_ok() && !shared.stop.load(Ordering::Relaxed) {
        question.resize(u16::from_be_bytes(length).into(), 0);
        if stream.read_exact(&mut question).is_err() {
            return;
        }
        for answer in answers(&question, shared) {
            let length = u16::try_from(answer.len()).unwrap();
            let _ = stream.write_all(&[&length.to_be_bytes()[..], &answer].concat());
        }
    }
}

/// What comes back for a question.
fn answers(question: &[u8], shared: &Shared) -> Vec<Vec<u8>> {
    let count = shared.questions.fetch_add(1, Ordering::Relaxed);
    let behaviour = *shared.behaviour.lock().unwrap();
    let Ok(question) = Message::from_vec(question) else { return Vec::new() };
    let payload = question.edns.as_ref().map_or(0, |edns| usize::from(edns.max_payload()));
    shared.payload.store(payload, Ordering::Relaxed);
    let refused = |code| {
        let mut answer = question.clone().into_response();
        answer.metadata.response_code = code;
        answer.to_vec().into_iter().collect()
    };
    match behaviour {
        Behaviour::Silent => Vec::new(),
        Behaviour::Answers => answer(question, shared, 0).into_iter().collect(),
        Behaviour::Reorders => answer(question, shared, count).into_iter().collect(),
        Behaviour::Denies => refused(ResponseCode::NXDomain),
        Behaviour::Refuses => refused(ResponseCode::Refused),
        Behaviour::Truncates => {
            let mut answer = question.into_response();
            answer.metadata.truncation = true;
            answer.to_vec().into_iter().collect()
        }
        Behaviour::Lies => lies(&question),
    }
}

/// Answers with an address nobody is at, each of which something is wrong with.
fn lies(question: &Message) -> Vec<Vec<u8>> {
    let Some(query) = question.queries.first() else { return Vec::new() };
    let record = |name: &Name| Record::from_rdata(name.clone(), TTL, IpAddr::from([10, 66, 66, 66]).into());
    let mut another = question.clone().into_response();
    another.add_answer(record(query.name()));
    another.metadata.id = another.metadata.id.wrapping_add(1);
    let mut foreign = question.clone().into_response();
    foreign.add_answer(record(&Name::from_ascii("evil.lab.").unwrap()));
    let mut honest = question.clone().into_response();
    honest.add_answer(record(query.name()));
    let Ok(honest) = honest.to_vec() else { return Vec::new() };
    // The record's name, where the records begin: behind the head, the question's name, its type and class.
    let at = 12 + query.name().len() + 1 + 4;
    let mut looped = honest.clone();
    if let Some(name) = looped.get_mut(at..at + 2) {
        name.copy_from_slice(&(0xc000 | at as u16).to_be_bytes());
    }
    let mut long = honest.clone();
    let length = long.len();
    long[length - 6..length - 4].copy_from_slice(&[0xff, 0xff]);
    let short = honest[..length - 3].to_vec();
    let mut all: Vec<Vec<u8>> = [another, foreign].into_iter().filter_map(|m| m.to_vec().ok()).collect();
    all.extend([looped, long, short, b"x".to_vec()]);
    all
}

/// The answer from what is known, its records turned by so many places.
fn answer(question: Message, shared: &Shared, turn: usize) -> Option<Vec<u8>> {
    let query = question.queries.first()?.clone();
    let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
    let mut answer = question.into_response();
    answer.additionals.clear();
    answer.edns = None;
    if let Some(places) = shared.services.lock().unwrap().get(&name) {
        let mut places = places.clone();
        let turn = turn % places.len().max(1);
        places.rotate_left(turn);
        let names = shared.names.lock().unwrap();
        for (target, port, weight) in places.iter().filter(|_| query.query_type() == RecordType::SRV) {
            let target_name = Name::from_ascii(target).ok()?;
            let data = RData::SRV(SRV::new(1, *weight, *port, target_name.clone()));
            answer.add_answer(Record::from_rdata(query.name().clone(), TTL, data));
            // Where the target is comes along, so that nobody has to ask.
            for address in names.get(target).into_iter().flatten().filter(|a| a.is_ipv4()) {
                answer.add_additional(Record::from_rdata(target_name.clone(), TTL, (*address).into()));
            }
        }
        return answer.to_vec().ok();
    }
    match shared.names.lock().unwrap().get(&name) {
        None => answer.metadata.response_code = ResponseCode::NXDomain,
        // None of them may be of the kind that was asked for.
        Some(addresses) => {
            let mut addresses: Vec<IpAddr> = addresses
                .iter()
                .filter(|address| RData::from(**address).record_type() == query.query_type())
                .copied()
                .collect();
            let turn = turn % addresses.len().max(1);
            addresses.rotate_left(turn);
            for address in addresses {
                answer.add_answer(Record::from_rdata(query.name().clone(), TTL, address.into()));
            }
        }
    }
    answer.to_vec().ok()
}
