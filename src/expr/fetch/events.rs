//! `term_events` and the debug strings: what became of a session's connections and streams, in HAProxy's words.
//!
//! HAProxy notes events where they happen, four at most for each of seven entities, the last one first: a letter for the
//! place (`f` the socket, `m` the connection's protocol, `e` the stream's end, `s` the stream; capitals on the server's
//! side) and a digit for what happened there. Here they follow from how the session ended, which is the same knowledge.

use super::super::ctx::{ConnectError, Ctx, Links};
use super::super::sample::{Bytes, Sample, push_display};
use super::{ABSENT, Fetched};
use crate::ir::expr::Dir;

/// Events of the seven entities from the client's socket to the server's; `-`: there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Events([&'static str; 7]);

/// How the server's side stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Back {
    /// No server was asked.
    None,
    /// It was not to be reached: nobody listens, or nobody answered in time.
    Refused,
    Lost,
    /// A connection.
    Here,
}

impl Events {
    /// What the session's state amounts to.
    pub(crate) fn of(ctx: &Ctx<'_>) -> Self {
        let back = match ctx.progress.server_connection {
            _ if ctx.server.is_none() => Back::None,
            Some(ConnectError::None) => Back::Here,
            Some(ConnectError::Refused) => Back::Refused,
            _ => Back::Lost,
        };
        Self::from(ctx.progress.term, ctx.progress.links, back)
    }

    fn from([who, phase, ..]: [u8; 4], links: Links, back: Back) -> Self {
        if !links.stream {
            return Self::without_stream(who, links);
        }
        let mut events = ["", "", "", "", "", "", ""];
        match back {
            Back::None => (events[5], events[6]) = ("-", "-"),
            Back::Lost => events[5] = "-",
            Back::Refused | Back::Here => {}
        }
        if !links.over {
            return Self(events);
        }
        if !links.client_stays {
            (events[0], events[1]) = ("f1", "m1");
        }
        events[2] = "e1";
        if back == Back::Refused {
            events[6] = "F7";
        }
        // What the server's side says where the proxy ended it, and where the server did.
        let ended_by_us =
            |events: &mut [&'static str; 7]| [events[4], events[5], events[6]] = ["E1", "M1", "F1"];
        match (who, phase, back) {
            (b'P' | b'L', _, Back::None) => events[3] = "s8S1s1",
            (b'P' | b'L', b'H', _) if links.answered => (events[3], events[4]) = ("S8S1s1", "E1"),
            (b'P', b'R', _) if links.answered => (events[3], events[4]) = ("S8S1s1", "E1"),
            (b'P', _, _) => {
                ended_by_us(&mut events);
                (events[3], events[4]) = ("S6S1S9s1", "E9E1");
            }
            (_, _, Back::None | Back::Refused | Back::Lost) => events[3] = "S1s1",
            (b's', _, _) => {
                ended_by_us(&mut events);
                events[3] = "S7S1s1";
            }
            (b'S', phase, _) => {
                events[3..6].copy_from_slice(&["S5s1", "E5E1", "M5M1"]);
                events[6] = if phase == b'H' { "F2F1" } else { "FBF1" };
            }
            (b'c', _, _) => {
                ended_by_us(&mut events);
                events[3] = "s7S1s1";
            }
            (b'C', b'D', _) => {
                ended_by_us(&mut events);
                (events[0], events[3]) = ("f2fA", "s3s1S1");
            }
            (b'C', _, _) => {
                ended_by_us(&mut events);
                events[..4].copy_from_slice(&["f2f1", "m2m1", "e2e1", "s2S1s1"]);
            }
            (_, _, Back::Here) if links.server_ended => {
                events[3..].copy_from_slice(&["S2s1", "E2E1", "M2M1", "FBF1"]);
            }
            (_, _, Back::Here) => {
                if !links.server_stays {
                    ended_by_us(&mut events);
                }
                (events[3], events[4]) = ("s1S1", "E1");
            }
        }
        Self(events)
    }

    /// A connection on which no request came: there is no stream, and nothing behind it.
    fn without_stream(who: u8, links: Links) -> Self {
        let [socket, mux] = match who {
            b'P' => ["", "m9"],
            b'C' if links.began => ["fB", "m5"],
            b'C' => ["f2", "m2"],
            _ => ["", ""],
        };
        Self([socket, mux, "-", "-", "-", "-", "-"])
    }
}

impl std::fmt::Display for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{{{}}}", self.0.join(","))
    }
}

pub(super) fn all<'a>(ctx: &Ctx<'a>) -> Fetched<'a> {
    let mut out = Bytes::Own(smallvec::SmallVec::new());
    push_display(out.to_mut(), Events::of(ctx));
    Ok(Sample::Str(out))
}

/// `fs.id`, `bs.id`: how many requests the connection carried before.
pub(super) fn stream_id<'a>(side: Dir, ctx: &Ctx<'a>) -> Fetched<'a> {
    let links = ctx.progress.links;
    let before = match side {
        Dir::Req => links.stream.then_some(links.client_requests),
        Dir::Res => links.stream.then_some(links.server_requests).filter(|_| connected(ctx)),
    };
    before.map(|before| Sample::Int(before.into())).ok_or(ABSENT)
}

fn connected(ctx: &Ctx<'_>) -> bool {
    matches!(ctx.progress.server_connection, Some(ConnectError::None | ConnectError::Refused))
}

/// `fs.debug_str`, `bs.debug_str`: the stream (1), the connection's protocol (2) and the connection (8) as far as they are
/// things of this engine: no addresses of memory, no flags of another program's.
pub(super) fn debug<'a>(side: Dir, layers: i64, ctx: &Ctx<'a>) -> Fetched<'a> {
    let links = ctx.progress.links;
    let back = side == Dir::Res;
    if !links.stream || !ctx.frontend.http || back && !connected(ctx) {
        return Err(ABSENT);
    }
    let has = |layer: i64| layers == 0 || layers & layer != 0;
    let Events([socket, mux, end, stream, server_end, server_mux, server_socket]) = Events::of(ctx);
    let [end, mux, socket] = if back { [server_end, server_mux, server_socket] } else { [end, mux, socket] };
    // Of the stream's events each side tells its own.
    let own: String = stream
        .as_bytes()
        .chunks(2)
        .filter(|event| event[0].is_ascii_uppercase() == back)
        .map(|event| String::from_utf8_lossy(event).into_owned())
        .collect();
    let mut out = Bytes::Own(smallvec::SmallVec::new());
    let text = out.to_mut();
    if has(1) {
        let method = ctx.request.map_or(&b"UNKNOWN"[..], |head| head.method());
        let method = String::from_utf8_lossy(method);
        push_display(
            text,
            format_args!(
                " .meth={method} status={} .sd.evts={end} .sc.evts={own}",
                ctx.progress.status.max(0)
            ),
        );
    }
    if has(2) {
        push_display(text, format_args!(" h1c.evts={mux} .glitches=0"));
    }
    if has(8) {
        let error = match ctx.progress.server_connection {
            Some(error) if back => error.described().0,
            _ => 0,
        };
        push_display(text, format_args!(" conn.err_code={error} conn.evts={socket}"));
    }
    Ok(Sample::Str(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What HAProxy 3.5 says of the same endings.
    #[test]
    fn endings_have_haproxys_events() {
        let stream = Links { stream: true, over: true, ..Links::default() };
        let kept = Links { client_stays: true, server_stays: true, answered: true, ..stream };
        let closed = Links { client_stays: false, ..kept };
        let left = Links { server_ended: true, server_stays: false, ..closed };
        let none = Links { stream: false, ..stream };
        for (term, links, back, expected) in [
            (b"----", kept, Back::Here, "{,,e1,s1S1,E1,,}"),
            (b"----", closed, Back::Here, "{f1,m1,e1,s1S1,E1,,}"),
            (b"----", left, Back::Here, "{f1,m1,e1,S2s1,E2E1,M2M1,FBF1}"),
            (b"PR--", stream, Back::None, "{f1,m1,e1,s8S1s1,,-,-}"),
            (b"LR--", Links { client_stays: true, ..stream }, Back::None, "{,,e1,s8S1s1,,-,-}"),
            (b"PH--", closed, Back::Here, "{f1,m1,e1,S8S1s1,E1,,}"),
            (b"PH--", stream, Back::Here, "{f1,m1,e1,S6S1S9s1,E9E1,M1,F1}"),
            (b"SC--", stream, Back::Refused, "{f1,m1,e1,S1s1,,,F7}"),
            (b"SC--", stream, Back::Lost, "{f1,m1,e1,S1s1,,-,}"),
            (b"SC--", stream, Back::None, "{f1,m1,e1,S1s1,,-,-}"),
            (b"sH--", stream, Back::Here, "{f1,m1,e1,S7S1s1,E1,M1,F1}"),
            (b"SH--", stream, Back::Here, "{f1,m1,e1,S5s1,E5E1,M5M1,F2F1}"),
            (b"SD--", stream, Back::Here, "{f1,m1,e1,S5s1,E5E1,M5M1,FBF1}"),
            (b"cH--", Links { client_stays: true, ..stream }, Back::Here, "{,,e1,s7S1s1,E1,M1,F1}"),
            (b"CH--", stream, Back::Here, "{f2f1,m2m1,e2e1,s2S1s1,E1,M1,F1}"),
            (b"CD--", stream, Back::Here, "{f2fA,m1,e1,s3s1S1,E1,M1,F1}"),
            (b"PR--", none, Back::None, "{,m9,-,-,-,-,-}"),
            (b"CR--", none, Back::None, "{f2,m2,-,-,-,-,-}"),
            (b"CR--", Links { began: true, ..none }, Back::None, "{fB,m5,-,-,-,-,-}"),
            (b"cR--", none, Back::None, "{,,-,-,-,-,-}"),
            (b"----", Links { over: false, ..stream }, Back::None, "{,,,,,-,-}"),
        ] {
            let text = Events::from(*term, links, back).to_string();
            assert_eq!(text, expected, "{} {links:?} {back:?}", term.escape_ascii());
        }
    }
}
