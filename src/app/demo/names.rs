//! The name server of the demo: `origin1` to `origin3`.

use std::net::{Ipv4Addr, SocketAddr};

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, Record, RecordType};
use tokio::net::UdpSocket;

/// Answers for `hosts` on `addr` until the runtime ends.
///
/// # Errors
/// The address cannot be had.
pub(super) async fn start(addr: SocketAddr, hosts: Vec<(String, Ipv4Addr)>) -> std::io::Result<()> {
    let socket = UdpSocket::bind(addr).await?;
    tokio::spawn(async move {
        let mut datagram = vec![0; 4096];
        while let Ok((size, from)) = socket.recv_from(&mut datagram).await {
            let reply = Message::from_vec(&datagram[..size]).ok().and_then(|query| answer(&query, &hosts));
            if let Some(reply) = reply {
                // A resolver that is gone asks again.
                let _ = socket.send_to(&reply, from).await;
            }
        }
    });
    Ok(())
}

fn answer(query: &Message, hosts: &[(String, Ipv4Addr)]) -> Option<Vec<u8>> {
    let question = query.queries.first()?;
    let mut reply = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
    reply.add_query(question.clone());
    let name = question.name().to_ascii();
    match hosts.iter().find(|(host, _)| host.eq_ignore_ascii_case(name.trim_end_matches('.'))) {
        None => reply.metadata.response_code = ResponseCode::NXDomain,
        Some((_, ip)) if question.query_type() == RecordType::A => {
            reply.add_answer(Record::from_rdata(question.name().clone(), 1, RData::A(A(*ip))));
        }
        Some(_) => {}
    }
    reply.to_vec().ok()
}
