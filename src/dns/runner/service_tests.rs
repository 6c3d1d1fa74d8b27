//! Servers that stand for the places of a service, over loopback sockets.

use std::collections::HashMap;
use std::str::FromStr as _;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, SRV};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use parking_lot::Mutex;
use tokio::net::UdpSocket;

use super::*;
use crate::dns::services::{Change, Slot, share, weight};
use crate::dns::{Ask, Service, wire};
use crate::ir::resolvers::Nameserver;
use crate::ir::server::Lookup;
use crate::log::{Identity, Logger};
use crate::server::Admin;

const SERVICE: &str = "_http._tcp.lab";

/// A place: target, port, weight.
type Places = Vec<(&'static str, u16, u16)>;

#[derive(Default)]
struct Zone {
    places: Places,
    hosts: HashMap<&'static str, [u8; 4]>,
    /// Addresses come along with the places.
    complete: bool,
}

fn respond(zone: &Zone, question: &[u8]) -> Vec<u8> {
    let question = Message::from_vec(question).unwrap();
    let query = question.queries[0].clone();
    let name = query.name().to_ascii().trim_end_matches('.').to_owned();
    let mut reply = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
    let address = |host: &str| {
        let ip = zone.hosts.get(host)?;
        Some(Record::from_rdata(Name::from_str(&format!("{host}.")).unwrap(), 5, RData::A(A((*ip).into()))))
    };
    match query.query_type() {
        RecordType::SRV if name == SERVICE && !zone.places.is_empty() => {
            for (target, port, weight) in &zone.places {
                let to = Name::from_str(&format!("{target}.")).unwrap();
                let data = RData::SRV(SRV::new(1, *weight, *port, to));
                reply.add_answer(Record::from_rdata(query.name().clone(), 5, data));
                if zone.complete {
                    reply.additionals.extend(address(target));
                }
            }
        }
        RecordType::A if zone.hosts.contains_key(name.as_str()) => reply.answers.extend(address(&name)),
        _ if zone.hosts.contains_key(name.as_str()) => {}
        _ => reply.metadata.response_code = ResponseCode::NXDomain,
    }
    reply.add_query(query);
    reply.to_vec().unwrap()
}

struct Bench {
    live: Arc<Live>,
    zone: Arc<Mutex<Zone>>,
}

impl Bench {
    /// Three servers that stand for the places of the service.
    async fn new(zone: Zone) -> Self {
        let zone = Arc::new(Mutex::new(zone));
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = socket.local_addr().unwrap();
        let answers = zone.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 1500];
            while let Ok((n, from)) = socket.recv_from(&mut buffer).await {
                let answer = respond(&answers.lock(), &buffer[..n]);
                let _ = socket.send_to(&answer, from).await;
            }
        });
        let mut proxy = ir::Proxy::new("b", ir::Caps::Backend);
        let server = |name: &str| ir::Server {
            lookup: Arc::new(Lookup {
                resolvers: Some("lab".into()),
                resolve_prefer_ipv4: true,
                ..Lookup::default()
            }),
            ..ir::Server::new(name, ir::ServerAddr::Name { host: SERVICE.into(), port: 0 })
        };
        proxy.backend.as_mut().unwrap().servers = ["s1", "s2", "s3"].map(server).into();
        let mut section = ir::Resolvers::new("lab".into());
        section.nameservers = vec![Nameserver { name: "dns".into(), addr, tcp: false }];
        let soon = Duration::from_millis(30);
        (section.timeout_resolve, section.timeout_retry) = (soon, 2 * soon);
        (section.hold_nx, section.hold_timeout, section.hold_other) = (2 * soon, 2 * soon, 2 * soon);
        let config =
            ir::Config { proxies: vec![Arc::new(proxy)], resolvers: vec![section], ..ir::Config::default() };
        let logger = Logger::new(Identity { hostname: None, tag: "haproxy".into(), pid: 1 });
        let live = Live::new(Arc::new(config), Arc::new(logger), 100);
        // Nobody asks the system's resolver for a service.
        assert_eq!(init_addresses(&live, &|_, _| Default::default()), Outcome::default());
        spawn(&live, Home::Together).unwrap();
        Self { live, zone }
    }

    /// Name, address and weight of each server; nothing for those out of service.
    fn servers(&self) -> Vec<Option<(String, String, u16)>> {
        let servers = self.live.proxies()[0].backend.as_ref().unwrap().servers();
        let look = |server: &Arc<Server>| {
            let (admin, weight) = server.with_state(|s| (s.admin(), s.user_weight()));
            let Address::Ip(addr) = server.address() else { return None };
            let fqdn = server.fqdn()?;
            (!admin.any(Admin::RESOLUTION_MAINT)).then(|| (fqdn, addr.to_string(), weight))
        };
        servers.iter().map(look).collect()
    }

    async fn until(&self, what: &str, wanted: &[Option<(&str, &str, u16)>]) {
        let wanted: Vec<_> = wanted
            .iter()
            .map(|one| one.map(|(name, addr, w)| (name.to_owned(), addr.to_owned(), w)))
            .collect();
        for _ in 0..1000 {
            if self.servers() == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{what}: {:?} instead of {wanted:?}", self.servers());
    }
}

fn hosts() -> HashMap<&'static str, [u8; 4]> {
    [("a.lab", [127, 0, 0, 1]), ("b.lab", [127, 0, 0, 2]), ("c.lab", [127, 0, 0, 3])].into()
}

const A1: Option<(&str, &str, u16)> = Some(("a.lab", "127.0.0.1:8001", 1));
const B2: Option<(&str, &str, u16)> = Some(("b.lab", "127.0.0.2:8002", 2));
const C3: Option<(&str, &str, u16)> = Some(("c.lab", "127.0.0.3:8003", 256));

#[tokio::test]
async fn servers_come_and_go_with_the_places_of_a_service() {
    for complete in [false, true] {
        let places: Places = vec![("a.lab", 8001, 256), ("b.lab", 8002, 257)];
        let bench = Bench::new(Zone { places, hosts: hosts(), complete }).await;
        bench.until("two places", &[A1, B2, None]).await;
        bench.zone.lock().places.push(("c.lab", 8003, 65535));
        bench.until("a third", &[A1, B2, C3]).await;
        // In another order everybody stays.
        bench.zone.lock().places.reverse();
        bench.zone.lock().places[0].2 = 0;
        let drained = Some(("c.lab", "127.0.0.3:8003", 0));
        bench.until("reversed, and a weight of 0", &[A1, B2, drained]).await;
        bench.zone.lock().places.retain(|(target, ..)| *target != "a.lab");
        bench.until("without the first", &[None, B2, drained]).await;
        bench.zone.lock().places.push(("a.lab", 9001, 256));
        bench.until("elsewhere", &[Some(("a.lab", "127.0.0.1:9001", 1)), B2, drained]).await;
        bench.zone.lock().hosts.insert("b.lab", [127, 0, 0, 9]);
        let moved = Some(("b.lab", "127.0.0.9:8002", 2));
        bench.until("moved", &[Some(("a.lab", "127.0.0.1:9001", 1)), moved, drained]).await;
        bench.zone.lock().places.clear();
        bench.until("nothing is offered", &[None, None, None]).await;
    }
}

fn service(target: &str, port: u16) -> Service {
    Service { target: target.into(), port, weight: 1, addr: None }
}

#[test]
fn places_are_kept_whatever_their_order() {
    let mut slots: Vec<Slot> = vec![None, None];
    let [a, b, c] = [service("a", 1), service("b", 1), service("a", 2)];
    let first = share(&[a.clone(), b.clone(), c.clone()], &mut slots);
    assert_eq!(first, [Change::Take(0, 0), Change::Take(1, 1)], "the third waits for a server");
    let reversed = share(&[c.clone(), b.clone(), a], &mut slots);
    assert_eq!(reversed, [Change::Keep(0, 2), Change::Keep(1, 1)]);
    let gone = share(&[c, b], &mut slots);
    assert_eq!(gone, [Change::Leave(0), Change::Keep(1, 1), Change::Take(0, 0)]);
    assert_eq!([0, 1, 256, 257, 65535].map(weight), [0, 1, 1, 2, 256]);
}

#[test]
fn services_of_other_names_are_not_taken() {
    let name = wire::name(SERVICE).unwrap();
    let question = wire::question(7, &name, Ask::Services, 512).unwrap();
    let zone = Zone { places: vec![("A.Lab", 1, 1), ("a.lab", 1, 9)], hosts: hosts(), complete: true };
    let good = respond(&zone, &question);
    let Some(wire::Answer::Services(found)) = wire::answer(&good, &name, Ask::Services) else {
        panic!("not understood")
    };
    assert_eq!(found.len(), 1, "the same place twice is one: {found:?}");
    let mut message = Message::from_vec(&good).unwrap();
    message.answers.iter_mut().for_each(|record| record.name = Name::from_str("evil.").unwrap());
    let foreign = message.to_vec().unwrap();
    assert_eq!(wire::answer(&foreign, &name, Ask::Services), Some(wire::Answer::DanglingAlias));
    for cut in 0..good.len() {
        // Whatever is missing, nobody stumbles.
        let _ = wire::answer(&good[..cut], &name, Ask::Services);
    }
}
