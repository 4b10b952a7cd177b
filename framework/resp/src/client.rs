//! The client's half: requests out, replies in.

use crate::{Float, ProtocolError, Reply, parse_integer, write_integer};
use std::borrow::Cow;
use std::sync::Arc;

/// Appends the request that consists of `args`, the command's name first.
pub fn write_request<A: AsRef<[u8]>>(out: &mut Vec<u8>, args: &[A]) {
    write_request_header(out, args.len());
    for arg in args {
        write_request_part(out, arg.as_ref());
    }
}

/// Appends the head of a request of `parts` arguments; [`write_request_part`] follows that many times.
pub fn write_request_header(out: &mut Vec<u8>, parts: usize) {
    out.push(b'*');
    write_integer(out, parts as i64);
    out.extend_from_slice(b"\r\n");
}

/// Appends one argument of a request.
pub fn write_request_part(out: &mut Vec<u8>, part: &[u8]) {
    out.push(b'$');
    write_integer(out, part.len() as i64);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(part);
    out.extend_from_slice(b"\r\n");
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Aggregate {
    Array,
    Set,
    Push,
    Map,
    /// Information about the reply that follows it: read and dropped.
    Attribute,
}

#[derive(Debug)]
struct Frame {
    aggregate: Aggregate,
    left: u64,
    items: Vec<Reply>,
}

#[derive(Clone, Copy, Debug)]
enum BulkKind {
    Bulk,
    Error,
    Verbatim,
}

/// An incremental parser of one connection's replies. It keeps what it understood so far, so that a long array that
/// arrives in pieces is parsed once. Nesting and lengths are bounded.
#[derive(Debug)]
pub struct ReplyParser {
    bulk_bytes_max: u64,
    position: usize,
    scanned: usize,
    bulk: Option<(BulkKind, usize)>,
    frames: Vec<Frame>,
}

/// The deepest nesting accepted, and the most items of one aggregate.
const DEPTH_MAX: usize = 32;
const ITEMS_MAX: u64 = 1 << 32;
/// The longest line of a status, an error or a number.
const LINE_BYTES_MAX: usize = 1 << 20;

impl Default for ReplyParser {
    fn default() -> Self {
        ReplyParser::new(512 << 20)
    }
}

impl ReplyParser {
    /// A parser that refuses byte strings longer than `bulk_bytes_max`.
    pub fn new(bulk_bytes_max: u64) -> Self {
        ReplyParser { bulk_bytes_max, position: 0, scanned: 0, bulk: None, frames: Vec::new() }
    }

    /// Looks on in `buffer`; `Ok(None)` if the reply is not whole yet.
    ///
    /// # Errors
    /// If the bytes are no reply: the connection is of no more use.
    pub fn advance(&mut self, buffer: &[u8]) -> Result<Option<Reply>, ProtocolError> {
        loop {
            let Some(mut reply) = self.read_one(buffer)? else { return Ok(None) };
            // Put it where it belongs; a full aggregate is itself an item of the one around it.
            loop {
                if let Some(opened) = reply.take() {
                    let Some(frame) = self.frames.last_mut() else { return Ok(Some(opened)) };
                    frame.items.push(opened);
                    frame.left -= 1;
                }
                match self.frames.pop_if(|frame| frame.left == 0) {
                    None => break,
                    Some(frame) => reply = close(frame),
                }
                if reply.is_none() {
                    // An attribute is no item: its place is still open.
                    break;
                }
            }
        }
    }

    /// Removes the bytes that were understood from `buffer`.
    pub fn release_from(&mut self, buffer: &mut Vec<u8>) {
        buffer.drain(..self.position);
        self.scanned = self.scanned.saturating_sub(self.position);
        self.position = 0;
    }

    /// The next value that is no aggregate, `Some(None)` if an aggregate was opened, `None` if bytes are missing.
    fn read_one(&mut self, buffer: &[u8]) -> Result<Option<Option<Reply>>, ProtocolError> {
        if let Some((kind, bytes)) = self.bulk {
            return Ok(self.read_bulk(buffer, kind, bytes)?.map(Some));
        }
        let Some(line) = self.read_line(buffer)? else { return Ok(None) };
        let (kind, rest) = line.split_first().ok_or(ProtocolError::InvalidReply)?;
        let reply = match kind {
            b'+' => Reply::Simple(text(rest)),
            b'-' => Reply::Error(text(rest)),
            b':' => Reply::Integer(parse_integer(rest).ok_or(ProtocolError::InvalidReply)?),
            b'_' => Reply::Null,
            b'#' => Reply::Boolean(rest == b"t"),
            b',' => Reply::Double(Float(text(rest).parse().map_err(|_| ProtocolError::InvalidReply)?)),
            // A number of any size: kept as its digits.
            b'(' => Reply::bulk(rest),
            b'$' | b'!' | b'=' => {
                let kind = match kind {
                    b'!' => BulkKind::Error,
                    b'=' => BulkKind::Verbatim,
                    _ => BulkKind::Bulk,
                };
                let Some(bytes) = self.length(rest, self.bulk_bytes_max)? else {
                    return Ok(Some(Some(Reply::Null)));
                };
                self.bulk = Some((kind, bytes as usize));
                return Ok(self.read_bulk(buffer, kind, bytes as usize)?.map(Some));
            }
            b'*' | b'~' | b'>' | b'%' | b'|' => {
                let aggregate = match kind {
                    b'*' => Aggregate::Array,
                    b'~' => Aggregate::Set,
                    b'>' => Aggregate::Push,
                    b'%' => Aggregate::Map,
                    _ => Aggregate::Attribute,
                };
                let Some(count) = self.length(rest, ITEMS_MAX)? else {
                    return Ok(Some(Some(Reply::NullArray)));
                };
                self.open(aggregate, count)?;
                return Ok(Some(None));
            }
            _ => return Err(ProtocolError::InvalidReply),
        };
        Ok(Some(Some(reply)))
    }

    fn open(&mut self, aggregate: Aggregate, count: u64) -> Result<(), ProtocolError> {
        if self.frames.len() >= DEPTH_MAX {
            return Err(ProtocolError::ReplyTooLarge);
        }
        let is_paired = matches!(aggregate, Aggregate::Map | Aggregate::Attribute);
        self.frames.push(Frame {
            aggregate,
            left: if is_paired { 2 * count } else { count },
            items: Vec::new(),
        });
        Ok(())
    }

    fn length(&self, digits: &[u8], max: u64) -> Result<Option<u64>, ProtocolError> {
        match parse_integer(digits).ok_or(ProtocolError::InvalidReply)? {
            -1 => Ok(None),
            length if length < 0 => Err(ProtocolError::InvalidReply),
            length if length.cast_unsigned() > max => Err(ProtocolError::ReplyTooLarge),
            length => Ok(Some(length.cast_unsigned())),
        }
    }

    fn read_line<'a>(&mut self, buffer: &'a [u8]) -> Result<Option<&'a [u8]>, ProtocolError> {
        let from = self.scanned.max(self.position);
        let Some(newline) = buffer[from..].iter().position(|byte| *byte == b'\n').map(|at| from + at) else {
            self.scanned = buffer.len();
            let is_long = buffer.len() - self.position > LINE_BYTES_MAX;
            return if is_long { Err(ProtocolError::ReplyTooLarge) } else { Ok(None) };
        };
        let line = buffer[self.position..newline].strip_suffix(b"\r").ok_or(ProtocolError::InvalidReply)?;
        self.position = newline + 1;
        Ok(Some(line))
    }

    fn read_bulk(
        &mut self,
        buffer: &[u8],
        kind: BulkKind,
        bytes: usize,
    ) -> Result<Option<Reply>, ProtocolError> {
        let end = self.position + bytes;
        let Some(ending) = buffer.get(end..end + 2) else { return Ok(None) };
        if ending != b"\r\n" {
            return Err(ProtocolError::MissingCrlf);
        }
        let body = &buffer[self.position..end];
        self.position = end + 2;
        self.bulk = None;
        Ok(Some(match kind {
            BulkKind::Bulk => Reply::bulk(body),
            BulkKind::Error => Reply::Error(text(body)),
            // The format's name and a colon stand before the text.
            BulkKind::Verbatim => {
                Reply::Verbatim(Arc::from(body.get(4..).ok_or(ProtocolError::InvalidReply)?))
            }
        }))
    }
}

fn close(frame: Frame) -> Option<Reply> {
    Some(match frame.aggregate {
        Aggregate::Array => Reply::Array(frame.items),
        Aggregate::Set => Reply::Set(frame.items),
        Aggregate::Push => Reply::Push(frame.items),
        Aggregate::Attribute => return None,
        Aggregate::Map => {
            let mut pairs = Vec::with_capacity(frame.items.len() / 2);
            let mut items = frame.items.into_iter();
            while let (Some(key), Some(value)) = (items.next(), items.next()) {
                pairs.push((key, value));
            }
            Reply::Map(pairs)
        }
    })
}

fn text(bytes: &[u8]) -> Cow<'static, str> {
    if bytes == b"OK" { Cow::Borrowed("OK") } else { Cow::Owned(String::from_utf8_lossy(bytes).into_owned()) }
}
