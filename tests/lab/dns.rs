//! The lab's name server: the one part that is not somebody else's program, because its answers must change.

use std::collections::HashMap;
use std::net::{Ipv4Addr, UdpSocket};
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
}

struct Shared {
    names: Mutex<HashMap<String, Vec<Ipv4Addr>>>,
    /// Targets and ports by service.
    services: Mutex<HashMap<String, Vec<(String, u16)>>>,
    behaviour: Mutex<Behaviour>,
    questions: AtomicUsize,
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
        let shared = Arc::new(Shared {
            names: Mutex::default(),
            services: Mutex::default(),
            behaviour: Mutex::new(behaviour),
            questions: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let server = Arc::clone(&shared);
        let thread = std::thread::spawn(move || serve(&socket, &server));
        Self { shared, thread: Some(thread) }
    }

    /// Lets `name` stand for `address` from now on.
    pub(crate) fn set(&self, name: &str, address: &str) {
        let address = address.parse().unwrap();
        self.shared.names.lock().unwrap().insert(name.to_owned(), vec![address]);
    }

    /// Lets `service` be at one more place from now on.
    pub(crate) fn offer(&self, service: &str, target: &str, port: u16) {
        let place = (target.to_owned(), port);
        self.shared.services.lock().unwrap().entry(service.to_owned()).or_default().push(place);
    }

    /// Changes what the server does.
    pub(crate) fn behave(&self, behaviour: Behaviour) {
        *self.shared.behaviour.lock().unwrap() = behaviour;
    }

    /// How many questions have come.
    pub(crate) fn questions(&self) -> usize {
        self.shared.questions.load(Ordering::Relaxed)
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
        shared.questions.fetch_add(1, Ordering::Relaxed);
        if *shared.behaviour.lock().unwrap() == Behaviour::Silent {
            continue;
        }
        if let Some(answer) =
            Message::from_vec(&buffer[..length]).ok().and_then(|question| answer(question, shared))
        {
            let _ = socket.send_to(&answer, from);
        }
    }
}

fn answer(question: Message, shared: &Shared) -> Option<Vec<u8>> {
    let query = question.queries.first()?.clone();
    let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
    let mut answer = question.into_response();
    answer.additionals.clear();
    answer.edns = None;
    if let Some(places) = shared.services.lock().unwrap().get(&name) {
        for (target, port) in places.iter().filter(|_| query.query_type() == RecordType::SRV) {
            let data = RData::SRV(SRV::new(1, 256, *port, Name::from_ascii(target).ok()?));
            answer.add_answer(Record::from_rdata(query.name().clone(), TTL, data));
        }
        return answer.to_vec().ok();
    }
    match shared.names.lock().unwrap().get(&name) {
        None => answer.metadata.response_code = ResponseCode::NXDomain,
        Some(addresses) if query.query_type() == RecordType::A => {
            for address in addresses {
                answer.add_answer(Record::from_rdata(query.name().clone(), TTL, RData::A((*address).into())));
            }
        }
        // The name exists, without an address of that kind.
        Some(_) => {}
    }
    answer.to_vec().ok()
}
