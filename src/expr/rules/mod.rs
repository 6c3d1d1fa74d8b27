//! Rule lists: data in, verdicts out.
//!
//! The engine lends its session through [`Session`]. Edits of heads, variables and captures are done on it as
//! the rules go, because later rules see what earlier ones did; everything that reaches beyond the message
//! (socket options, addresses, log level) is handed over as an [`Effect`].

mod action;
mod headers;
mod http;
mod normalize;
mod reply;
mod target;
mod tcp;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::ir::bandwidth::BandwidthLimit;
use crate::ir::expr::{Dir, Value, VarName};
use crate::ir::log::Severity;
use crate::ir::reference::{Deed, Named};
use crate::ir::rules::{HttpService, TimeoutKind};

use super::ctx::{Captures, Ctx, EditHead};
use super::vars::Vars;

pub use http::{after_response as http_after_response, request as http_request, response as http_response};
pub use reply::answer as reply;
pub use tcp::{connection as tcp_connection, content as tcp_content};

/// A session that rules run on.
pub trait Session {
    /// The view of it as it is now.
    fn ctx(&self) -> Ctx<'_>;
    /// The request head, to change it.
    fn request(&mut self) -> Option<&mut dyn EditHead>;
    /// The response head, to change it.
    fn response(&mut self) -> Option<&mut dyn EditHead>;
    /// Variables of every scope but `proc`.
    fn vars(&mut self) -> &mut Vars;
    /// Captures.
    fn captures(&mut self) -> &mut Captures;
    /// Is there room for so many bytes more in the head of a message?
    fn has_room(&self, dir: Dir, bytes: usize) -> bool {
        let _ = (dir, bytes);
        true
    }
    /// Does an edit without room end the rules (`strict-mode`)?
    fn is_strict(&self, dir: Dir) -> bool {
        let _ = dir;
        true
    }
    /// Something beyond the message.
    fn effect(&mut self, effect: Effect<'_>);
}

/// What a rule asks of the engine beyond the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect<'a> {
    /// Set (or, with `None`, forget) a variable of the process.
    ProcVar(&'a VarName, Option<Value>),
    /// Log this session at a level; `None`: not at all.
    LogLevel(Option<Severity>),
    /// Scheduling priority of the session. A hint.
    Nice(i32),
    /// IP type of service towards the client.
    Tos(u8),
    /// Packet mark towards the client.
    Mark(u32),
    /// IP type of service towards the server.
    ServerTos(u8),
    /// Packet mark towards the server.
    ServerMark(u32),
    /// How often a failed connection to a server is tried again.
    Retries(u32),
    /// The client's address, as everything after sees it.
    Src(IpAddr),
    /// The client's port.
    SrcPort(u16),
    /// The address the client connected to.
    Dst(IpAddr),
    /// The port the client connected to.
    DstPort(u16),
    /// Class in queues; lower goes first.
    PriorityClass(i32),
    /// Offset in queues, milliseconds.
    PriorityOffset(i32),
    /// A timeout of this session; `None`: no limit.
    Timeout(TimeoutKind, Option<Duration>),
    /// Put a limit on the stream: the filter, bytes, period.
    BandwidthLimit(&'a BandwidthLimit, u64, Duration),
    /// `do-log`: write a log line now, in the form of a profile if one is named.
    Log(Option<&'a str>),
    /// Never repeat this request after a failure.
    DisableL7Retry,
    /// Send `103 Early Hints` with this header.
    EarlyHint {
        /// Of the field.
        name: &'a str,
        /// Of the field.
        value: &'a [u8],
        /// There is no other one for the same message.
        last: bool,
    },
    /// This rule was final.
    LastRule(&'a crate::ir::Place),
    /// This rule waits.
    Waiting(&'a crate::ir::Place),
    /// Change a list of patterns.
    Patterns(&'a Named, &'a str, Deed<'a>),
    /// From now on edits of a message without room do (or do not) end the rules.
    Strict(Dir, bool),
    /// An edit found no room.
    RewriteFailed,
    /// Continue in HTTP mode.
    SwitchModeHttp,
    /// Read a PROXY header first.
    ExpectProxy,
    /// Read a NetScaler header first.
    ExpectNetScaler,
}

/// How a rule list ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// At its end, or at `allow`/`accept`: go on with the next list.
    Continue,
    /// Answer with this and count a denied message.
    Deny(Answer),
    /// The same, but only after `timeout tarpit`.
    Tarpit(Answer),
    /// Answer with this (`return`, `redirect`, `auth`). It is no failure.
    Answer(Answer),
    /// Let a part of the process answer (`use-service`).
    Service(HttpService),
    /// Close without an answer (`reject`).
    Reject,
    /// Close the server's connection: what it was to answer is lost (`close`).
    Close,
    /// Forget the connection without telling the client; `Some`: with a reset that lives for so many hops.
    SilentDrop(Option<u8>),
    /// More data is needed to decide. Evaluate again from this rule when there is some, or with
    /// `Ctx::is_final` when the delay is over.
    Wait {
        /// Rule to resume at.
        rule: usize,
    },
    /// Wait for the body, then go on after this rule.
    WaitForBody {
        /// Rule to resume at.
        rule: usize,
        /// How long at most.
        time: Duration,
        /// Bytes that are enough; 0: all of it, or a full buffer.
        at_least: u64,
    },
    /// Do nothing for a while, then go on after this rule.
    Pause {
        /// Rule to resume at.
        rule: usize,
        /// How long.
        time: Duration,
    },
    /// Look a host up as the `do-resolve` of this rule asks, then go on after it.
    Resolve {
        /// The rule.
        rule: usize,
        /// The host.
        host: String,
    },
    /// It is no request after all: answer with 400 and count it so.
    Malformed,
    /// An edit found no room in strict mode: answer with an internal error.
    NoRoom,
}

impl Verdict {
    /// Will the list be gone on with?
    #[must_use]
    pub fn resumes(&self) -> bool {
        matches!(
            self,
            Verdict::Wait { .. }
                | Verdict::WaitForBody { .. }
                | Verdict::Pause { .. }
                | Verdict::Resolve { .. }
        )
    }
}

/// A message made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Headers in order, without Connection; Content-Length where its place matters.
    pub headers: Vec<(Box<str>, Box<[u8]>)>,
    /// What is sent.
    pub body: AnswerBody,
}

/// Payload of an [`Answer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerBody {
    /// The proxy's error page of the status.
    ErrorPage,
    /// A whole message, head included; the rest of the answer is only for the log.
    Raw(Arc<[u8]>),
    /// Nothing (`Content-Length: 0`).
    Empty,
    /// Shared bytes.
    Fixed(Arc<[u8]>),
    /// Bytes made for this answer.
    Built(Vec<u8>),
}
