//! Where byte forms are written to and read from: a whole slice or vector, or part after part with a bounded buffer.

#![expect(
    clippy::redundant_closure_for_method_calls,
    reason = "a method's path is of one lifetime of a cursor, and one for all is asked for"
)]

use std::fmt;

/// Bytes that are not what they should be; says which rule they broke.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed bytes: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

/// A cursor over bytes from outside that are all here: it borrows what it reads.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// A cursor at the first of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Cursor { rest: bytes }
    }

    /// Whether every byte was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The number of bytes not yet read.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `n` bytes, borrowed.
    ///
    /// # Errors
    /// If fewer are left.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.rest.split_at_checked(n).ok_or(Malformed("cut short"))?;
        self.rest = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        Ok(self.take(N)?.try_into().expect("take returned as many bytes as asked"))
    }

    /// One byte.
    ///
    /// # Errors
    /// If none is left.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    /// Four bytes, little-endian.
    ///
    /// # Errors
    /// If fewer are left.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Eight bytes, little-endian.
    ///
    /// # Errors
    /// If fewer are left.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A variable-length number: seven bits a byte, lowest first, at most ten bytes, only the shortest form.
    ///
    /// # Errors
    /// If it is cut short, does not fit 64 bits, or is longer than it need be.
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed("number too large"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return if byte == 0 && shift > 0 { Err(Malformed("number too long")) } else { Ok(value) };
            }
        }
        Err(Malformed("number too long"))
    }

    /// A length that the rest can hold, if each item takes at least `item_bytes_min` bytes. Allocate by this and the
    /// allocation is bounded by what was received.
    ///
    /// # Errors
    /// If the announced number of items cannot be there.
    pub fn length(&mut self, item_bytes_min: usize) -> Result<usize, Malformed> {
        length_within(self.varint()?, item_bytes_min, self.rest.len() as u64)
    }

    /// A byte string: its length, then its bytes, borrowed.
    ///
    /// # Errors
    /// If it is cut short.
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let n = self.length(1)?;
        self.take(n)
    }
}

/// A number of items that `bytes` bytes can hold.
fn length_within(announced: u64, item_bytes_min: usize, bytes: u64) -> Result<usize, Malformed> {
    if announced > bytes / item_bytes_min.max(1) as u64 {
        return Err(Malformed("length beyond the end"));
    }
    usize::try_from(announced).map_err(|_| Malformed("length beyond the end"))
}

/// Appends the next part of an input to the buffer; false if there is none.
pub type NextPart<'a> = dyn FnMut(&mut Vec<u8>) -> bool + 'a;

/// What values are decoded from: bytes that are all here, or parts that come one after the other. Of parts it holds the one
/// that is read, and of a byte string that spans several as much as has come.
pub struct Reader<'a>(Input<'a>);

enum Input<'a> {
    Whole(Cursor<'a>),
    Parts(Parts<'a>),
}

struct Parts<'a> {
    buffer: Vec<u8>,
    /// Up to here the buffer was read.
    at: usize,
    /// The most bytes that may still come.
    left: u64,
    next: &'a mut NextPart<'a>,
    is_ended: bool,
}

/// A buffer that a long byte string made larger than this is given back.
const BUFFER_KEPT_BYTES: usize = 4 << 20;
/// The most bytes of a variable-length number.
const VARINT_BYTES_MAX: usize = 10;

impl Parts<'_> {
    /// Lets the buffer hold `n` bytes that were not read, or all that are left.
    fn fill(&mut self, n: usize) {
        while self.buffer.len() - self.at < n && !self.is_ended {
            self.buffer.drain(..self.at);
            self.at = 0;
            if self.buffer.capacity() > BUFFER_KEPT_BYTES && n < BUFFER_KEPT_BYTES / 2 {
                self.buffer.shrink_to(BUFFER_KEPT_BYTES / 2);
            }
            let before = self.buffer.len();
            self.is_ended = !(self.next)(&mut self.buffer);
            let came = (self.buffer.len() - before) as u64;
            self.is_ended |= came > self.left;
            self.left = self.left.saturating_sub(came);
        }
    }

    /// Reads something of at most `bytes_max` bytes.
    fn read<T>(
        &mut self,
        bytes_max: usize,
        read: impl FnOnce(&mut Cursor<'_>) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        self.fill(bytes_max);
        let mut cursor = Cursor::new(&self.buffer[self.at..]);
        let value = read(&mut cursor)?;
        self.at = self.buffer.len() - cursor.remaining();
        Ok(value)
    }
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from the first on.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader(Input::Whole(Cursor::new(bytes)))
    }

    /// Reads the parts that `next` gives, of at most `bytes_max` bytes together.
    pub fn of_parts(bytes_max: u64, next: &'a mut NextPart<'a>) -> Self {
        Reader(Input::Parts(Parts { buffer: Vec::new(), at: 0, left: bytes_max, next, is_ended: false }))
    }

    /// Whether every byte was read: waits for the next part, if it must.
    pub fn is_empty(&mut self) -> bool {
        match &mut self.0 {
            Input::Whole(cursor) => cursor.is_empty(),
            Input::Parts(parts) => {
                parts.fill(1);
                parts.buffer.len() == parts.at
            }
        }
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// If fewer are left.
    pub fn take(&mut self, n: usize) -> Result<&[u8], Malformed> {
        match &mut self.0 {
            Input::Whole(cursor) => cursor.take(n),
            Input::Parts(parts) => {
                parts.fill(n);
                let end = parts.at.checked_add(n).ok_or(Malformed("cut short"))?;
                let bytes = parts.buffer.get(parts.at..end).ok_or(Malformed("cut short"))?;
                parts.at = end;
                Ok(bytes)
            }
        }
    }

    fn read<T>(
        &mut self,
        bytes_max: usize,
        read: impl FnOnce(&mut Cursor<'_>) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        match &mut self.0 {
            Input::Whole(cursor) => read(cursor),
            Input::Parts(parts) => parts.read(bytes_max, read),
        }
    }

    /// As [`Cursor::u8`].
    ///
    /// # Errors
    /// If none is left.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.read(1, |cursor| cursor.u8())
    }

    /// As [`Cursor::u32`].
    ///
    /// # Errors
    /// If fewer bytes are left.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.read(4, |cursor| cursor.u32())
    }

    /// As [`Cursor::u64`].
    ///
    /// # Errors
    /// If fewer bytes are left.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.read(8, |cursor| cursor.u64())
    }

    /// As [`Cursor::varint`].
    ///
    /// # Errors
    /// As there.
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        self.read(VARINT_BYTES_MAX, |cursor| cursor.varint())
    }

    /// A number of items that can still come, if each takes at least `item_bytes_min` bytes. Of an input in parts nobody
    /// knows how much will come: allocate as items come, not by this.
    ///
    /// # Errors
    /// If the announced number of items cannot be there.
    pub fn length(&mut self, item_bytes_min: usize) -> Result<usize, Malformed> {
        match &mut self.0 {
            Input::Whole(cursor) => cursor.length(item_bytes_min),
            Input::Parts(parts) => {
                let announced = parts.read(VARINT_BYTES_MAX, |cursor| cursor.varint())?;
                let here = (parts.buffer.len() - parts.at) as u64;
                let left = if parts.is_ended { 0 } else { parts.left };
                length_within(announced, item_bytes_min, here.saturating_add(left))
            }
        }
    }

    /// A byte string: its length, then its bytes.
    ///
    /// # Errors
    /// If it is cut short.
    pub fn bytes(&mut self) -> Result<&[u8], Malformed> {
        let n = self.length(1)?;
        self.take(n)
    }
}

/// What byte forms are appended to.
pub trait Put {
    /// Appends a byte.
    fn push(&mut self, byte: u8);

    /// Appends these bytes.
    fn extend_from_slice(&mut self, bytes: &[u8]);
}

impl Put for Vec<u8> {
    fn push(&mut self, byte: u8) {
        Vec::push(self, byte);
    }

    fn extend_from_slice(&mut self, bytes: &[u8]) {
        Vec::extend_from_slice(self, bytes);
    }
}

/// Takes a part out of the buffer, which is empty then; false if nobody wants more.
pub type TakePart<'a> = dyn FnMut(&mut Vec<u8>) -> bool + 'a;

/// What values are encoded into: a vector that takes all, or one that takes a part at a time.
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    /// The bytes of a part.
    part_bytes: usize,
    take: Option<&'a mut TakePart<'a>>,
    is_cut: bool,
}

impl<'a> Writer<'a> {
    /// Appends to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Writer { out, part_bytes: usize::MAX, take: None, is_cut: false }
    }

    /// Fills `out`, and gives it away whenever it holds `part_bytes` bytes. The last part stays in it.
    pub fn in_parts(out: &'a mut Vec<u8>, part_bytes: usize, take: &'a mut TakePart<'a>) -> Self {
        assert!(part_bytes > 0, "a part has bytes");
        Writer { out, part_bytes, take: Some(take), is_cut: false }
    }

    /// Whether nobody wants more: what is written now is dropped, so a long walk may end.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Appends a byte.
    #[inline]
    pub fn push(&mut self, byte: u8) {
        self.out.push(byte);
        if self.out.len() >= self.part_bytes {
            self.give();
        }
    }

    /// Appends these bytes.
    #[inline]
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        if bytes.len() < self.part_bytes - self.out.len() {
            self.out.extend_from_slice(bytes);
        } else {
            self.extend_over_parts(bytes);
        }
    }

    #[cold]
    fn extend_over_parts(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let fit = bytes.len().min(self.part_bytes - self.out.len());
            self.out.extend_from_slice(&bytes[..fit]);
            bytes = &bytes[fit..];
            if self.out.len() >= self.part_bytes {
                self.give();
            }
        }
    }

    #[cold]
    fn give(&mut self) {
        if let Some(take) = &mut self.take
            && !self.is_cut
        {
            self.is_cut = !take(self.out);
        }
        self.out.clear();
    }
}

impl Put for Writer<'_> {
    #[inline]
    fn push(&mut self, byte: u8) {
        Writer::push(self, byte);
    }

    #[inline]
    fn extend_from_slice(&mut self, bytes: &[u8]) {
        Writer::extend_from_slice(self, bytes);
    }
}

/// Appends four bytes, little-endian.
pub fn put_u32(out: &mut impl Put, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends eight bytes, little-endian.
pub fn put_u64(out: &mut impl Put, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends the shortest variable-length form of `value`; see [`Cursor::varint`].
pub fn put_varint(out: &mut impl Put, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a byte string: its length, then its bytes.
pub fn put_bytes(out: &mut impl Put, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
