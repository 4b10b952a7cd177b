//! What a server answers, as a plain value and in both versions of the protocol.

use crate::write_integer;
use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use synod_stdx::{Malformed, Reader, Wire, Writer, put_bytes, put_u64, put_varint};

/// The version of the protocol that a connection speaks; `HELLO` changes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Protocol {
    /// Version 2, which every connection begins with.
    #[default]
    Resp2,
    /// Version 3: maps, sets, doubles, booleans, pushes, one null.
    Resp3,
}

/// A floating-point number that is equal to another if its bits are.
#[derive(Clone, Copy)]
pub struct Float(pub f64);

impl PartialEq for Float {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Float {}

impl std::hash::Hash for Float {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl fmt::Debug for Float {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Float {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_float(f, self.0)
    }
}

/// The number as a stock server prints it: rounded to 17 significant digits, without zeros at the end, with an exponent
/// if it is below 0.0001 or has more digits than that before the point.
fn write_float(f: &mut fmt::Formatter<'_>, value: f64) -> fmt::Result {
    const DIGITS: i32 = 17;
    if value.is_nan() {
        return f.write_str("nan");
    }
    if value.is_infinite() || value == 0.0 {
        return write!(f, "{value}");
    }
    let scientific = format!("{value:.*e}", DIGITS as usize - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| text.trim_end_matches('0').trim_end_matches('.').to_owned();
    if (-4..DIGITS).contains(&exponent) {
        let places = (DIGITS - 1 - exponent).unsigned_abs() as usize;
        let text = format!("{value:.places$}");
        f.write_str(&if places == 0 { text } else { trimmed(&text) })
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(f, "{}e{sign}{:02}", trimmed(mantissa), exponent.unsigned_abs())
    }
}

/// One reply. Cloning is cheap but for the aggregates.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Reply {
    /// A status, such as `OK`.
    Simple(Cow<'static, str>),
    /// An error: a code word in capitals, a space, a sentence.
    Error(Cow<'static, str>),
    /// A number.
    Integer(i64),
    /// A byte string.
    Bulk(Arc<[u8]>),
    /// Nothing where a byte string could be.
    Null,
    /// Nothing where an array could be; version 3 does not tell it from [`Null`](Reply::Null).
    NullArray,
    /// A list.
    Array(Vec<Reply>),
    /// Keys with values; version 2 flattens it to an array.
    Map(Vec<(Reply, Reply)>),
    /// A list of pairs, such as members with their scores: an array of arrays; version 2 flattens it to one.
    Pairs(Vec<(Reply, Reply)>),
    /// Distinct values; an array in version 2.
    Set(Vec<Reply>),
    /// A floating-point number; a byte string in version 2.
    Double(Float),
    /// Yes or no; 1 or 0 in version 2.
    Boolean(bool),
    /// Text for people; a byte string in version 2.
    Verbatim(Arc<[u8]>),
    /// A message that answers no request; an array in version 2.
    Push(Vec<Reply>),
}

impl Reply {
    /// `+OK`.
    pub const OK: Reply = Reply::Simple(Cow::Borrowed("OK"));

    /// A status that the program knows.
    pub const fn simple(text: &'static str) -> Reply {
        Reply::Simple(Cow::Borrowed(text))
    }

    /// An error that the program knows whole.
    pub const fn error(text: &'static str) -> Reply {
        Reply::Error(Cow::Borrowed(text))
    }

    /// A byte string, copied.
    pub fn bulk(bytes: impl AsRef<[u8]>) -> Reply {
        Reply::Bulk(Arc::from(bytes.as_ref()))
    }

    /// Whether this is an error.
    pub fn is_error(&self) -> bool {
        matches!(self, Reply::Error(_))
    }

    /// Appends the bytes of this reply, for a connection that speaks `protocol`, to `out`.
    pub fn write(&self, protocol: Protocol, out: &mut Vec<u8>) {
        let is_3 = protocol == Protocol::Resp3;
        match self {
            Reply::Simple(text) => write_line(out, b'+', text),
            Reply::Error(text) => write_line(out, b'-', text),
            Reply::Integer(value) => write_number(out, b':', *value),
            Reply::Bulk(bytes) => write_bulk(out, bytes),
            Reply::Null | Reply::NullArray if is_3 => out.extend_from_slice(b"_\r\n"),
            Reply::Null => out.extend_from_slice(b"$-1\r\n"),
            Reply::NullArray => out.extend_from_slice(b"*-1\r\n"),
            Reply::Array(items) => write_items(out, b'*', items, protocol),
            Reply::Set(items) => write_items(out, if is_3 { b'~' } else { b'*' }, items, protocol),
            Reply::Push(items) => write_items(out, if is_3 { b'>' } else { b'*' }, items, protocol),
            Reply::Map(pairs) => {
                let (kind, count) = if is_3 { (b'%', pairs.len()) } else { (b'*', 2 * pairs.len()) };
                write_number(out, kind, count as i64);
                for (key, value) in pairs {
                    key.write(protocol, out);
                    value.write(protocol, out);
                }
            }
            Reply::Pairs(pairs) => {
                write_number(out, b'*', if is_3 { pairs.len() } else { 2 * pairs.len() } as i64);
                for (first, second) in pairs {
                    if is_3 {
                        write_number(out, b'*', 2);
                    }
                    first.write(protocol, out);
                    second.write(protocol, out);
                }
            }
            Reply::Double(value) if is_3 => write_line(out, b',', &value.to_string()),
            Reply::Double(value) => write_bulk(out, value.to_string().as_bytes()),
            Reply::Boolean(true) if is_3 => out.extend_from_slice(b"#t\r\n"),
            Reply::Boolean(false) if is_3 => out.extend_from_slice(b"#f\r\n"),
            Reply::Boolean(value) => write_number(out, b':', i64::from(*value)),
            Reply::Verbatim(text) if is_3 => {
                write_number(out, b'=', text.len() as i64 + 4);
                out.extend_from_slice(b"txt:");
                out.extend_from_slice(text);
                out.extend_from_slice(b"\r\n");
            }
            Reply::Verbatim(text) => write_bulk(out, text),
        }
    }

    /// About how many bytes [`write`](Reply::write) appends: never less than the bytes of the strings in it.
    pub fn size_hint(&self) -> usize {
        match self {
            Reply::Simple(text) | Reply::Error(text) => text.len() + 3,
            Reply::Bulk(bytes) | Reply::Verbatim(bytes) => bytes.len() + 16,
            Reply::Integer(_) | Reply::Double(_) => 24,
            Reply::Null | Reply::NullArray | Reply::Boolean(_) => 8,
            Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => {
                items.iter().fold(16, |sum, item| sum + item.size_hint())
            }
            Reply::Map(pairs) | Reply::Pairs(pairs) => {
                pairs.iter().fold(16, |sum, (key, value)| sum + 8 + key.size_hint() + value.size_hint())
            }
        }
    }
}

fn write_number(out: &mut Vec<u8>, kind: u8, value: i64) {
    out.push(kind);
    write_integer(out, value);
    out.extend_from_slice(b"\r\n");
}

fn write_bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    write_number(out, b'$', bytes.len() as i64);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn write_items(out: &mut Vec<u8>, kind: u8, items: &[Reply], protocol: Protocol) {
    write_number(out, kind, items.len() as i64);
    for item in items {
        item.write(protocol, out);
    }
}

/// A line cannot hold CR or LF: they become spaces, as a stock server has it.
fn write_line(out: &mut Vec<u8>, kind: u8, text: &str) {
    out.push(kind);
    let from = out.len();
    out.extend_from_slice(text.as_bytes());
    for byte in &mut out[from..] {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Shows a reply as a terminal can: bytes escaped, long strings cut.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Simple(text) => write_shown(f, '+', text),
            Reply::Error(text) => write_shown(f, '-', text),
            Reply::Integer(value) => write!(f, ":{value}"),
            Reply::Bulk(bytes) => write_shortened(f, bytes),
            Reply::Null => f.write_str("null"),
            Reply::NullArray => f.write_str("null-array"),
            Reply::Array(items) => f.debug_list().entries(items).finish(),
            Reply::Map(pairs) => {
                f.debug_map().entries(pairs.iter().map(|(key, value)| (key, value))).finish()
            }
            Reply::Pairs(pairs) => f.debug_list().entries(pairs).finish(),
            Reply::Set(items) => f.debug_set().entries(items).finish(),
            Reply::Double(value) => write!(f, ",{value}"),
            Reply::Boolean(value) => write!(f, "{value}"),
            Reply::Verbatim(bytes) => {
                f.write_char('=')?;
                write_shortened(f, bytes)
            }
            Reply::Push(items) => {
                f.write_char('>')?;
                f.debug_list().entries(items).finish()
            }
        }
    }
}

fn write_shown(f: &mut fmt::Formatter<'_>, kind: char, text: &str) -> fmt::Result {
    f.write_char(kind)?;
    for character in text.chars() {
        if character.is_control() {
            write!(f, "{}", character.escape_default())?;
        } else {
            f.write_char(character)?;
        }
    }
    Ok(())
}

fn write_shortened(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    const SHOWN_MAX: usize = 60;
    match bytes.get(..SHOWN_MAX) {
        None => write!(f, "\"{}\"", bytes.escape_ascii()),
        Some(head) => write!(f, "\"{}\"… {} bytes", head.escape_ascii(), bytes.len()),
    }
}

/// The deepest nesting that [`Reply::decode`] follows. No reply of the store comes near it.
const DEPTH_MAX: u32 = 32;

impl Wire for Reply {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Reply::Simple(text) => encode_tagged(out, 0, text.as_bytes()),
            Reply::Error(text) => encode_tagged(out, 1, text.as_bytes()),
            Reply::Integer(value) => {
                out.push(2);
                put_u64(out, value.cast_unsigned());
            }
            Reply::Bulk(bytes) => encode_tagged(out, 3, bytes),
            Reply::Null => out.push(4),
            Reply::NullArray => out.push(5),
            Reply::Array(items) => encode_items(out, 6, items),
            Reply::Map(pairs) => encode_pairs(out, 7, pairs),
            Reply::Set(items) => encode_items(out, 8, items),
            Reply::Double(value) => {
                out.push(9);
                put_u64(out, value.0.to_bits());
            }
            Reply::Boolean(value) => out.extend_from_slice(&[10, u8::from(*value)]),
            Reply::Verbatim(text) => encode_tagged(out, 11, text),
            Reply::Push(items) => encode_items(out, 12, items),
            Reply::Pairs(pairs) => encode_pairs(out, 13, pairs),
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        decode_within(input, DEPTH_MAX)
    }
}

fn encode_tagged(out: &mut Writer<'_>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    put_bytes(out, bytes);
}

fn encode_items(out: &mut Writer<'_>, tag: u8, items: &[Reply]) {
    out.push(tag);
    put_varint(out, items.len() as u64);
    for item in items {
        item.encode(out);
    }
}

fn encode_pairs(out: &mut Writer<'_>, tag: u8, pairs: &[(Reply, Reply)]) {
    out.push(tag);
    put_varint(out, pairs.len() as u64);
    for (first, second) in pairs {
        first.encode(out);
        second.encode(out);
    }
}

fn decode_pairs(input: &mut Reader<'_>, depth: u32) -> Result<Vec<(Reply, Reply)>, Malformed> {
    let count = input.length(2)?;
    (0..count).map(|_| Ok((decode_within(input, depth)?, decode_within(input, depth)?))).collect()
}

fn decode_within(input: &mut Reader<'_>, depth: u32) -> Result<Reply, Malformed> {
    let depth = depth.checked_sub(1).ok_or(Malformed("reply nested too deep"))?;
    Ok(match input.u8()? {
        0 => Reply::Simple(decode_text(input)?),
        1 => Reply::Error(decode_text(input)?),
        2 => Reply::Integer(input.u64()?.cast_signed()),
        3 => Reply::bulk(input.bytes()?),
        4 => Reply::Null,
        5 => Reply::NullArray,
        6 => Reply::Array(decode_items(input, depth)?),
        7 => Reply::Map(decode_pairs(input, depth)?),
        8 => Reply::Set(decode_items(input, depth)?),
        9 => Reply::Double(Float(f64::from_bits(input.u64()?))),
        10 => Reply::Boolean(bool::decode(input)?),
        11 => Reply::Verbatim(Arc::from(input.bytes()?)),
        12 => Reply::Push(decode_items(input, depth)?),
        13 => Reply::Pairs(decode_pairs(input, depth)?),
        14.. => return Err(Malformed("unknown kind of reply")),
    })
}

fn decode_items(input: &mut Reader<'_>, depth: u32) -> Result<Vec<Reply>, Malformed> {
    let count = input.length(1)?;
    (0..count).map(|_| decode_within(input, depth)).collect()
}

fn decode_text(input: &mut Reader<'_>) -> Result<Cow<'static, str>, Malformed> {
    let text = String::decode(input)?;
    // The usual answer of a write is not worth an allocation that lives as long as its session.
    Ok(if text == "OK" { Cow::Borrowed("OK") } else { Cow::Owned(text) })
}
