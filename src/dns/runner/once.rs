//! Names that a rule asks for (`do-resolve`): asked when they are needed, remembered for `hold valid`.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::link::{Incoming, Links};
use super::{BACKLOG, Reach, Tally};
use crate::dns::resolver::{Effect, Input, Resolver};
use crate::dns::{Ask, Family};
use crate::ir;
use crate::live::Question;
use crate::sys;

/// Names that are remembered at most: whoever asks for more has them forgotten.
const MOST_NAMES: usize = 10_000;

/// What is known of a name.
enum Known {
    /// Its address, and until when that counts.
    Is(IpAddr, Instant),
    /// It is being asked for; these wait.
    Asked(Vec<oneshot::Sender<Option<IpAddr>>>),
}

/// The names of one section.
#[derive(Clone, Default)]
pub(super) struct Asked(Arc<Mutex<HashMap<(String, bool), Known>>>);

impl Asked {
    /// Answers a question, out of memory or by asking. To be called on a runtime.
    pub(super) fn answer(&self, question: Question, settings: &ir::Resolvers, tally: Tally) {
        let Question { host, ipv6, reply } = question;
        let now = sys::clock::now();
        let key = (host.to_ascii_lowercase(), ipv6);
        let mut names = self.0.lock();
        match names.get_mut(&key) {
            Some(Known::Is(addr, until)) if now < *until => {
                // Who asked may have gone.
                let _ = reply.send(Some(*addr));
                return;
            }
            Some(Known::Asked(waiting)) => return waiting.push(reply),
            _ => {}
        }
        if names.len() >= MOST_NAMES {
            names.retain(|_, known| matches!(known, Known::Asked(_)));
        }
        names.insert(key.clone(), Known::Asked(vec![reply]));
        drop(names);
        let (asked, settings) = (self.clone(), settings.clone());
        tokio::spawn(async move {
            let found = look_up(&key.0, ipv6, &settings, &tally).await;
            let hold = settings.hold_valid;
            asked.settle(key, found, hold);
        });
    }

    fn settle(&self, key: (String, bool), found: Option<IpAddr>, hold: Duration) {
        let mut names = self.0.lock();
        let before = match found {
            Some(addr) => names.insert(key, Known::Is(addr, sys::clock::now() + hold)),
            None => names.remove(&key),
        };
        if let Some(Known::Asked(waiting)) = before {
            for reply in waiting {
                let _ = reply.send(found);
            }
        }
    }
}

/// Asks the nameservers until one has an answer or all tries are over.
async fn look_up(host: &str, ipv6: bool, settings: &ir::Resolvers, tally: &Tally) -> Option<IpAddr> {
    let family = if ipv6 { Family::V6 } else { Family::V4 };
    let families = tally.live.config.global.dns_families;
    let mut resolver = Resolver::new(settings, families);
    Reach::default().tell(&mut resolver, families);
    let name = resolver.follow(host, Ask::Addresses(family), sys::clock::now()).ok()?;
    let (sender, mut incoming) = mpsc::channel::<Incoming>(BACKLOG);
    let mut links = Links::default();
    links.start(&settings.nameservers, sender);
    loop {
        let timer = async {
            match resolver.deadline() {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        let message = tokio::select! {
            Some(message) = incoming.recv() => Some(message),
            () = timer => None,
        };
        let input = match &message {
            Some((nameserver, bytes)) => Input::Message { nameserver: *nameserver, bytes },
            None => Input::Timer,
        };
        let mut effects = resolver.step(input, sys::clock::now(), &mut rand::random);
        while !effects.is_empty() {
            let mut unsent = Vec::new();
            for effect in effects {
                match effect {
                    Effect::Send { nameserver, id, bytes } => {
                        let sent = links.send(nameserver, &bytes);
                        tally.sent(nameserver, sent);
                        if !sent {
                            unsent.push((nameserver, id));
                        }
                    }
                    Effect::Resolved { .. } => return resolver.addresses(name).first().copied(),
                    Effect::Failed { .. } => return None,
                    Effect::Count { nameserver, what } => tally.count(nameserver, what),
                }
            }
            effects = Vec::new();
            for (nameserver, id) in unsent {
                let input = Input::SendFailed { nameserver, id };
                effects.extend(resolver.step(input, sys::clock::now(), &mut rand::random));
            }
        }
    }
}
