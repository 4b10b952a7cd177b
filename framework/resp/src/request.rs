//! Finding commands in what a client sent.
//!
//! The parser owns no bytes. The connection keeps one growing buffer; the parser remembers how far it has looked and
//! where the arguments of the command under way stand in it. Bytes already looked at are not looked at again when more
//! arrive: a megabyte that comes byte by byte costs a megabyte of work.

use crate::{ProtocolError, parse_integer, split_quoted};

/// What a client may send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The longest inline request, in bytes, before its newline.
    pub inline_bytes_max: usize,
    /// The longest line that announces a count or a length, in bytes.
    pub count_line_bytes_max: usize,
    /// The most arguments of one command, its name included.
    pub arguments_max: u32,
    /// As `arguments_max`, for a client that did not yet authenticate.
    pub arguments_unauthenticated_max: u32,
    /// The longest argument, in bytes. A longer one, up to 512 MiB, is skipped and answered with an error.
    pub bulk_bytes_max: u64,
    /// As `bulk_bytes_max`, for a client that did not yet authenticate; a longer one closes the connection.
    pub bulk_unauthenticated_bytes_max: u64,
    /// The longest command, in bytes, all arguments and their headers together. A longer one is skipped.
    pub request_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            inline_bytes_max: 64 << 10,
            count_line_bytes_max: 64 << 10,
            arguments_max: 1 << 20,
            arguments_unauthenticated_max: 10,
            bulk_bytes_max: 16 << 20,
            bulk_unauthenticated_bytes_max: 16 << 10,
            request_bytes_max: 64 << 20,
        }
    }
}

/// The longest bulk that a stock server takes: a longer announcement is a protocol error.
const ANNOUNCED_BULK_BYTES_MAX: u64 = 512 << 20;

#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    end: usize,
}

/// The arguments of one command, borrowed from the connection's buffer. The first is the command's name.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    base: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// How many there are; never zero for a parsed command.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The argument at `index`, or `None` past the last.
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|span| &self.base[span.start..span.end])
    }

    /// All, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let base = self.base;
        self.spans.iter().map(move |span| &base[span.start..span.end])
    }

    /// Those from `index` on: none if there are fewer.
    pub fn skip(&self, index: usize) -> Args<'a> {
        Args { base: self.base, spans: self.spans.get(index..).unwrap_or(&[]) }
    }

    /// The first `count`: all if there are fewer.
    pub fn take(&self, count: usize) -> Args<'a> {
        Args { base: self.base, spans: self.spans.get(..count).unwrap_or(self.spans) }
    }
}

impl std::ops::Index<usize> for Args<'_> {
    type Output = [u8];

    fn index(&self, index: usize) -> &[u8] {
        let span = self.spans[index];
        &self.base[span.start..span.end]
    }
}

/// Which limit a skipped command was over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Oversized {
    /// One argument was announced with this many bytes.
    Bulk(u64),
    /// The whole command was longer than [`Limits::request_bytes_max`].
    Request,
}

/// What [`RequestParser::advance`] found.
#[derive(Clone, Copy, Debug)]
pub enum Parsed<'a> {
    /// No whole command: read more.
    Incomplete,
    /// A command.
    Command(Args<'a>),
    /// A command over a limit of this server. It was skipped; answer an error and go on.
    Oversized(Oversized),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Before a command's first byte.
    Start,
    /// In an inline request.
    Inline,
    /// In the line after `*`.
    Count,
    /// Before `$`, or in the line after it. `left` arguments are to come.
    Bulk { left: u32 },
    /// In a bulk of which `bytes` and CRLF are to come. `left` counts it.
    Body { left: u32, bytes: usize },
    /// A command was found; it ends at the position.
    Found,
}

/// An incremental parser of one connection's requests.
#[derive(Debug)]
pub struct RequestParser {
    limits: Limits,
    authenticated: bool,
    state: State,
    /// Where in the buffer the command under way begins: what stands before is no longer needed.
    start: usize,
    /// The next byte to be looked at, except while a line is searched for its end.
    position: usize,
    /// Up to here a line was searched for its end.
    scanned: usize,
    spans: Vec<Span>,
    /// The unquoted arguments of an inline request, which `spans` then refers to.
    unquoted: Vec<u8>,
    is_inline: bool,
    oversized: Option<Oversized>,
    /// The next `advance` gives the found command again.
    again: bool,
}

enum NumberLine {
    Incomplete,
    TooLong,
    Invalid,
    Value(i64),
}

impl RequestParser {
    /// A parser for a connection whose client has `authenticated`, or need not.
    pub fn new(limits: Limits, authenticated: bool) -> Self {
        RequestParser {
            limits,
            authenticated,
            state: State::Start,
            start: 0,
            position: 0,
            scanned: 0,
            spans: Vec::new(),
            unquoted: Vec::new(),
            is_inline: false,
            oversized: None,
            again: false,
        }
    }

    /// From the next command on, the limits for a client that has, or has not, authenticated hold.
    pub fn set_authenticated(&mut self, authenticated: bool) {
        self.authenticated = authenticated;
    }

    /// Looks on in `buffer`: what it held at the last call, less what was [`released`](RequestParser::release_from),
    /// and perhaps more behind.
    ///
    /// # Errors
    /// If the bytes are not the protocol. The connection must be closed then.
    pub fn advance<'a>(&'a mut self, buffer: &'a [u8]) -> Result<Parsed<'a>, ProtocolError> {
        if self.again {
            self.again = false;
            return Ok(self.found(buffer));
        }
        loop {
            match self.state {
                State::Found => self.begin_next(),
                State::Start => match buffer.get(self.position) {
                    None => return Ok(Parsed::Incomplete),
                    Some(b'*') => self.state = State::Count,
                    Some(_) => self.state = State::Inline,
                },
                State::Inline => match self.read_inline(buffer)? {
                    None => return Ok(Parsed::Incomplete),
                    Some(false) => self.begin_next(),
                    Some(true) => break,
                },
                State::Count => match self.read_count(buffer)? {
                    None => return Ok(Parsed::Incomplete),
                    Some(0) => self.begin_next(),
                    Some(left) => self.state = State::Bulk { left },
                },
                State::Bulk { left } => match self.read_bulk_line(buffer)? {
                    None => return Ok(Parsed::Incomplete),
                    Some(bytes) => self.state = State::Body { left, bytes },
                },
                State::Body { left, bytes } => {
                    if !self.read_body(buffer, left, bytes)? {
                        return Ok(Parsed::Incomplete);
                    }
                    if left == 1 {
                        break;
                    }
                    self.state = State::Bulk { left: left - 1 };
                }
            }
        }
        self.state = State::Found;
        Ok(self.found(buffer))
    }

    /// The command found last could not be taken up yet: the next [`advance`](RequestParser::advance) gives it again.
    ///
    /// # Panics
    /// If the last call of `advance` found no command.
    pub fn put_back(&mut self) {
        assert!(self.state == State::Found, "no command to put back");
        self.again = true;
    }

    /// Whether a command has begun whose end is not there yet: the request time-out runs.
    pub fn is_inside_request(&self) -> bool {
        !matches!(self.state, State::Start | State::Found) || self.again
    }

    /// How many bytes at the buffer's front are no longer needed.
    pub fn released(&self) -> usize {
        if self.state == State::Found && !self.again { self.position } else { self.start }
    }

    /// Removes from `buffer` what is no longer needed.
    pub fn release_from(&mut self, buffer: &mut Vec<u8>) {
        let released = self.release();
        if released >= buffer.len() {
            buffer.clear();
        } else if released > 0 {
            buffer.drain(..released);
        }
    }

    /// As [`release_from`](RequestParser::release_from), for a caller that removes so many bytes itself.
    pub fn release(&mut self) -> usize {
        let released = self.released();
        if self.state == State::Found && !self.again {
            self.begin_next();
        }
        self.start -= released;
        self.position -= released;
        self.scanned = self.scanned.saturating_sub(released);
        if !self.is_inline {
            for span in &mut self.spans {
                span.start -= released;
                span.end -= released;
            }
        }
        released
    }

    fn found<'a>(&'a self, buffer: &'a [u8]) -> Parsed<'a> {
        match self.oversized {
            Some(oversized) => Parsed::Oversized(oversized),
            None => {
                let base = if self.is_inline { &self.unquoted } else { buffer };
                Parsed::Command(Args { base, spans: &self.spans })
            }
        }
    }

    fn begin_next(&mut self) {
        self.state = State::Start;
        self.start = self.position;
        self.is_inline = false;
        self.oversized = None;
        self.spans.clear();
        // One unusual request must not hold its memory for the connection's life.
        if self.spans.capacity() > 1024 {
            self.spans = Vec::new();
        }
        if self.unquoted.capacity() > 4096 {
            self.unquoted = Vec::new();
        }
    }

    /// `None`: no newline yet. Otherwise whether the line holds an argument.
    fn read_inline(&mut self, buffer: &[u8]) -> Result<Option<bool>, ProtocolError> {
        if buffer[self.start..].starts_with(&[0x16, 0x03]) {
            return Err(ProtocolError::TlsHello);
        }
        let from = self.scanned.max(self.start);
        let newline = buffer[from..].iter().position(|byte| *byte == b'\n').map(|at| from + at);
        self.scanned = newline.unwrap_or(buffer.len());
        if self.scanned - self.start > self.limits.inline_bytes_max {
            return Err(ProtocolError::TooBigInline);
        }
        let Some(newline) = newline else { return Ok(None) };
        let line = &buffer[self.start..newline];
        self.position = newline + 1;
        self.unquoted.clear();
        // Before anything can fail: the spans are of what is unquoted, not of the buffer.
        self.is_inline = true;
        let (unquoted, spans) = (&mut self.unquoted, &mut self.spans);
        split_quoted(line, |argument| {
            let start = unquoted.len();
            unquoted.extend_from_slice(argument);
            spans.push(Span { start, end: unquoted.len() });
        })
        .ok_or(ProtocolError::UnbalancedQuotes)?;
        let args = Args { base: &self.unquoted, spans: &self.spans };
        if is_http(&args) { Err(ProtocolError::HttpRequest) } else { Ok(Some(!args.is_empty())) }
    }

    fn read_count(&mut self, buffer: &[u8]) -> Result<Option<u32>, ProtocolError> {
        let count = match self.read_number_line(buffer) {
            NumberLine::Incomplete => return Ok(None),
            NumberLine::TooLong => return Err(ProtocolError::TooBigCountLine),
            NumberLine::Invalid => return Err(ProtocolError::InvalidMultibulkLength),
            // A null array asks for nothing.
            NumberLine::Value(-1) => return Ok(Some(0)),
            NumberLine::Value(count) => count,
        };
        let count = u32::try_from(count).map_err(|_| ProtocolError::InvalidMultibulkLength)?;
        if count > self.limits.arguments_max {
            return Err(ProtocolError::InvalidMultibulkLength);
        }
        if !self.authenticated && count > self.limits.arguments_unauthenticated_max {
            return Err(ProtocolError::UnauthenticatedMultibulk);
        }
        Ok(Some(count))
    }

    fn read_bulk_line(&mut self, buffer: &[u8]) -> Result<Option<usize>, ProtocolError> {
        match buffer.get(self.position) {
            None => return Ok(None),
            Some(b'$') => {}
            Some(other) => return Err(ProtocolError::ExpectedBulk(*other)),
        }
        let length = match self.read_number_line(buffer) {
            NumberLine::Incomplete => return Ok(None),
            NumberLine::TooLong => return Err(ProtocolError::TooBigBulkLine),
            NumberLine::Invalid => return Err(ProtocolError::InvalidBulkLength),
            NumberLine::Value(length) => length,
        };
        let length = u64::try_from(length).map_err(|_| ProtocolError::InvalidBulkLength)?;
        if length > ANNOUNCED_BULK_BYTES_MAX {
            return Err(ProtocolError::InvalidBulkLength);
        }
        if !self.authenticated && length > self.limits.bulk_unauthenticated_bytes_max {
            return Err(ProtocolError::UnauthenticatedBulk);
        }
        if self.oversized.is_none() {
            if length > self.limits.bulk_bytes_max {
                self.oversized = Some(Oversized::Bulk(length));
            } else if (self.position - self.start) as u64 + length > self.limits.request_bytes_max as u64 {
                self.oversized = Some(Oversized::Request);
            }
            if self.oversized.is_some() {
                self.spans = Vec::new();
            }
        }
        Ok(Some(length as usize))
    }

    /// Whether the bulk of `bytes` and its CRLF are there. What belongs to a command that is skipped is released as it
    /// comes.
    fn read_body(&mut self, buffer: &[u8], left: u32, bytes: usize) -> Result<bool, ProtocolError> {
        let end = self.position + bytes;
        if self.oversized.is_some() && buffer.len() < end {
            self.state = State::Body { left, bytes: end - buffer.len() };
            self.position = buffer.len();
            self.start = self.position;
            return Ok(false);
        }
        match buffer.get(end..end + 2) {
            Some(b"\r\n") => {}
            Some(_) => return Err(ProtocolError::MissingCrlf),
            None if buffer.get(end).is_some_and(|byte| *byte != b'\r') => {
                return Err(ProtocolError::MissingCrlf);
            }
            None => return Ok(false),
        }
        if self.oversized.is_none() {
            self.spans.push(Span { start: self.position, end });
        } else {
            self.start = end + 2;
        }
        self.position = end + 2;
        Ok(true)
    }

    /// Reads the number between the type byte at the position and CRLF, and moves behind it.
    fn read_number_line(&mut self, buffer: &[u8]) -> NumberLine {
        let first = self.position + 1;
        if self.scanned <= first {
            // The common line: a few digits, all there.
            let mut value = 0;
            for (at, byte) in buffer[first..].iter().enumerate().take(9) {
                let digit = byte.wrapping_sub(b'0');
                if digit <= 9 {
                    value = value * 10 + i64::from(digit);
                    continue;
                }
                let has_one_form = at == 1 || at > 1 && buffer[first] != b'0';
                if *byte == b'\r' && has_one_form && buffer.get(first + at + 1) == Some(&b'\n') {
                    self.position = first + at + 2;
                    return NumberLine::Value(value);
                }
                break;
            }
        }
        self.read_unusual_number_line(buffer, first)
    }

    fn read_unusual_number_line(&mut self, buffer: &[u8], first: usize) -> NumberLine {
        let from = self.scanned.max(first);
        let end = buffer[from..].iter().position(|byte| *byte == b'\r').map(|at| from + at);
        self.scanned = end.unwrap_or(buffer.len());
        if self.scanned - first > self.limits.count_line_bytes_max {
            return NumberLine::TooLong;
        }
        let Some(end) = end else { return NumberLine::Incomplete };
        match (buffer.get(end + 1), parse_integer(&buffer[first..end])) {
            (None, _) => NumberLine::Incomplete,
            (Some(b'\n'), Some(value)) => {
                self.position = end + 2;
                NumberLine::Value(value)
            }
            (Some(_), _) => NumberLine::Invalid,
        }
    }
}

/// Whether an inline request is one of HTTP: `GET path HTTP/…`, or `POST`, or a `Host:` header.
fn is_http(args: &Args<'_>) -> bool {
    let Some(name) = args.get(0) else { return false };
    name.eq_ignore_ascii_case(b"post")
        || name.eq_ignore_ascii_case(b"host:")
        || name.eq_ignore_ascii_case(b"get")
            && args.get(2).is_some_and(|version| version.starts_with(b"HTTP/"))
}
