//! What a peer can get wrong, and what it is told.

use std::fmt;

/// Bytes that are not the protocol. After one of these a connection has lost its framing: answer
/// [`reply_text`](ProtocolError::reply_text), if there is one, and close.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ProtocolError {
    /// The number after `*` is none, or is out of range.
    InvalidMultibulkLength,
    /// The line after `*` is longer than [`Limits::count_line_bytes_max`](crate::Limits::count_line_bytes_max).
    TooBigCountLine,
    /// As `TooBigCountLine`, for the line after `$`.
    TooBigBulkLine,
    /// The number after `$` is none, or is out of range.
    InvalidBulkLength,
    /// A part of a request begins with this byte instead of `$`.
    ExpectedBulk(u8),
    /// An inline request with a quote that does not end, or that does not end an argument.
    UnbalancedQuotes,
    /// An inline request longer than [`Limits::inline_bytes_max`](crate::Limits::inline_bytes_max).
    TooBigInline,
    /// More arguments than a client may send that did not yet authenticate.
    UnauthenticatedMultibulk,
    /// A longer argument than a client may send that did not yet authenticate.
    UnauthenticatedBulk,
    /// A bulk is not followed by CRLF: its announced length is wrong.
    MissingCrlf,
    /// An HTTP request: perhaps a web page that was made to talk to this port. It gets no answer at all.
    HttpRequest,
    /// The greeting of a TLS client.
    TlsHello,
    /// A reply with a type byte that no version of the protocol has, or a malformed line (client's side).
    InvalidReply,
    /// A reply nested deeper, or longer, than this client accepts.
    ReplyTooLarge,
}

impl ProtocolError {
    /// What the peer is told (without `-` and CRLF) before the connection closes; `None`: it is closed silently.
    pub fn reply_text(self) -> Option<String> {
        let what = match self {
            ProtocolError::InvalidMultibulkLength => "invalid multibulk length",
            ProtocolError::TooBigCountLine => "too big mbulk count string",
            ProtocolError::TooBigBulkLine => "too big bulk count string",
            ProtocolError::InvalidBulkLength => "invalid bulk length",
            ProtocolError::ExpectedBulk(got) => {
                // A stock server puts the raw byte here; one that would end the line or the text is shown escaped.
                return Some(format!("ERR Protocol error: expected '$', got '{}'", got.escape_ascii()));
            }
            ProtocolError::UnbalancedQuotes => "unbalanced quotes in request",
            ProtocolError::TooBigInline => "too big inline request",
            ProtocolError::UnauthenticatedMultibulk => "unauthenticated multibulk length",
            ProtocolError::UnauthenticatedBulk => "unauthenticated bulk length",
            ProtocolError::MissingCrlf => "bulk is not followed by CRLF, its length is wrong",
            ProtocolError::HttpRequest => return None,
            ProtocolError::TlsHello => "this port does not speak TLS, connect without it",
            ProtocolError::InvalidReply => "invalid reply",
            ProtocolError::ReplyTooLarge => "reply too large",
        };
        Some(format!("ERR Protocol error: {what}"))
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProtocolError::HttpRequest => f.write_str(
                "an HTTP request came to the Redis port; the connection was closed without an answer",
            ),
            ProtocolError::TlsHello => {
                f.write_str("a TLS greeting came to the plain port; the client must connect without TLS")
            }
            ProtocolError::InvalidReply => {
                f.write_str("the server's reply is not the Redis protocol; check host and port")
            }
            ProtocolError::ReplyTooLarge => {
                f.write_str("the server's reply is nested deeper or is longer than this client accepts")
            }
            ProtocolError::InvalidMultibulkLength
            | ProtocolError::TooBigCountLine
            | ProtocolError::TooBigBulkLine
            | ProtocolError::InvalidBulkLength
            | ProtocolError::ExpectedBulk(_)
            | ProtocolError::UnbalancedQuotes
            | ProtocolError::TooBigInline
            | ProtocolError::UnauthenticatedMultibulk
            | ProtocolError::UnauthenticatedBulk
            | ProtocolError::MissingCrlf => f.write_str(&self.reply_text().unwrap_or_default()),
        }
    }
}

impl std::error::Error for ProtocolError {}
