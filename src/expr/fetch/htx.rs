//! `internal.htx*`: a message as the blocks that HAProxy keeps it in (manual, 7.3.7), for developers.
//!
//! Nothing here is kept in blocks. They are counted as HAProxy would lay out the same message: the start line, a block for
//! each header, the end of the headers, the data that is here, and the end of the trailers of a chunked message.

use crate::ir::expr::{Dir, HtxBlock, HtxNumber, HtxPart};

use super::super::ctx::{Buffered, Ctx, Head};
use super::super::sample::{Bytes, Sample};
use super::{Fetched, head};

/// Of each block beside its contents.
const BLOCK: usize = 8;
/// Of the message beside its blocks.
const MESSAGE: usize = 40;
/// Of a start line beside its words.
const START_LINE: usize = 20;

/// A message in blocks.
struct Message<'a> {
    dir: Dir,
    head: &'a dyn Head,
    body: Buffered<'a>,
}

/// A kind of block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    StartLine,
    Header(usize),
    EndOfHeaders,
    Data,
    EndOfTrailers,
}

impl<'a> Message<'a> {
    fn of(dir: Dir, ctx: &Ctx<'a>) -> Result<Self, super::Missing> {
        let body = match dir {
            Dir::Req => ctx.request_data,
            Dir::Res => ctx.response_data,
        };
        Ok(Self { dir, head: head(dir, ctx)?, body })
    }

    fn is_chunked(&self) -> bool {
        self.head.first(b"transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"))
    }

    fn count(&self) -> usize {
        let data = usize::from(!self.body.data.is_empty());
        let trailers = usize::from(self.is_chunked() && self.body.complete);
        self.head.header_count() + 2 + data + trailers
    }

    fn kind(&self, at: usize) -> Option<Kind> {
        let headers = self.head.header_count();
        match at {
            0 => Some(Kind::StartLine),
            at if at <= headers => Some(Kind::Header(at - 1)),
            at if at == headers + 1 => Some(Kind::EndOfHeaders),
            at if at >= self.count() => None,
            at if at == headers + 2 && !self.body.data.is_empty() => Some(Kind::Data),
            _ => Some(Kind::EndOfTrailers),
        }
    }

    fn start_line(&self) -> Vec<u8> {
        let (major, minor) = self.head.version();
        let version = format!("HTTP/{major}.{minor}").into_bytes();
        match self.dir {
            Dir::Req => [self.head.method(), self.head.uri(), &version].join(&b' '),
            Dir::Res => [&version, self.head.status().to_string().as_bytes(), self.head.reason()].join(&b' '),
        }
    }

    fn size(&self, kind: Kind) -> usize {
        match kind {
            // Its words, without the blanks between them.
            Kind::StartLine => self.start_line().len() - 2 + START_LINE,
            Kind::Header(index) => {
                let (name, value) = self.head.header(index);
                name.len() + value.len()
            }
            Kind::EndOfHeaders | Kind::EndOfTrailers => 1,
            Kind::Data => self.body.data.len(),
        }
    }

    fn number(&self, number: HtxNumber, buffer: usize) -> usize {
        let blocks = self.count();
        let size = buffer.saturating_sub(MESSAGE);
        let data: usize = (0..blocks).filter_map(|at| self.kind(at)).map(|kind| self.size(kind)).sum();
        let used = data + blocks * BLOCK;
        match number {
            HtxNumber::Blocks => blocks,
            HtxNumber::Size => size,
            HtxNumber::Data => data,
            HtxNumber::Used => used,
            HtxNumber::Free => size.saturating_sub(used),
            HtxNumber::FreeData => size.saturating_sub(used + BLOCK),
        }
    }
}

pub(super) fn number<'a>(dir: Dir, which: HtxNumber, ctx: &Ctx<'a>) -> Fetched<'a> {
    let number = Message::of(dir, ctx)?.number(which, ctx.live.buffer_size());
    Ok(Sample::Int(i64::try_from(number).unwrap_or(i64::MAX)))
}

/// `internal.htx.has_eom`.
pub(super) fn is_whole<'a>(dir: Dir, ctx: &Ctx<'a>) -> Fetched<'a> {
    let message = Message::of(dir, ctx)?;
    let no_body = message.body.announced.is_none() && !message.is_chunked() && message.body.data.is_empty();
    Ok(Sample::Bool(message.body.complete || dir == Dir::Req && no_body))
}

pub(super) fn block<'a>(dir: Dir, part: HtxPart, which: HtxBlock, ctx: &Ctx<'a>) -> Fetched<'a> {
    let message = Message::of(dir, ctx)?;
    let kind = message.kind(match which {
        HtxBlock::Head | HtxBlock::First => 0,
        HtxBlock::Tail => message.count() - 1,
        HtxBlock::At(at) => at,
    });
    Ok(match (part, kind) {
        (HtxPart::Size, kind) => {
            Sample::Int(kind.map_or(0, |kind| message.size(kind)).try_into().unwrap_or(0))
        }
        (HtxPart::Type, kind) => Sample::text(match (kind, dir) {
            (None, _) => b"HTX_BLK_UNUSED",
            (Some(Kind::StartLine), Dir::Req) => b"HTX_BLK_REQ_SL",
            (Some(Kind::StartLine), Dir::Res) => b"HTX_BLK_RES_SL",
            (Some(Kind::Header(_)), _) => b"HTX_BLK_HDR",
            (Some(Kind::EndOfHeaders), _) => b"HTX_BLK_EOH",
            (Some(Kind::Data), _) => b"HTX_BLK_DATA",
            (Some(Kind::EndOfTrailers), _) => b"HTX_BLK_EOT",
        }),
        (HtxPart::StartLine, Some(Kind::StartLine)) => Sample::Str(Bytes::copy(&message.start_line())),
        (HtxPart::HeaderName, Some(Kind::Header(index))) => Sample::text(message.head.header(index).0),
        (HtxPart::HeaderValue, Some(Kind::Header(index))) => Sample::text(message.head.header(index).1),
        (HtxPart::Data, Some(Kind::Data)) => Sample::Bin(Bytes::Ref(message.body.data)),
        (HtxPart::Data, _) => Sample::Bin(Bytes::Ref(b"")),
        (HtxPart::StartLine | HtxPart::HeaderName | HtxPart::HeaderValue, _) => Sample::text(b""),
    })
}
