//! The byte form of hot messages and log records. Bytes come from outside: nothing here panics on them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A value with a byte form that is the same on every machine. `decode(encode(x)) == x`, and `decode` reads exactly
/// what `encode` wrote, so that values can stand one behind the other.
pub trait Wire: Sized {
    /// Appends the byte form to `out`.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads one value from the front of `input`.
    ///
    /// # Errors
    /// [`Malformed`] if the bytes are no such value; `input` is then at an unspecified place.
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed>;

    /// The byte form in a vector of its own.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }

    /// Reads a value that must fill `bytes` to the last one.
    ///
    /// # Errors
    /// [`Malformed`] if the bytes are no such value, or if some are left over.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut input = Reader::new(bytes);
        let value = Self::decode(&mut input)?;
        if input.is_empty() { Ok(value) } else { Err(Malformed("bytes left over")) }
    }
}

/// Bytes that are not what they should be; says which rule they broke.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed bytes: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

/// A cursor over bytes from outside.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A cursor at the first of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
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
        let announced = self.varint()?;
        if announced > (self.rest.len() / item_bytes_min.max(1)) as u64 {
            return Err(Malformed("length beyond the end"));
        }
        Ok(announced as usize)
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

/// Appends four bytes, little-endian.
pub fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends eight bytes, little-endian.
pub fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends the shortest variable-length form of `value`; see [`Reader::varint`].
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a byte string: its length, then its bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

impl Wire for u64 {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, *self);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        input.varint()
    }
}

impl Wire for u32 {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, u64::from(*self));
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        u32::try_from(input.varint()?).map_err(|_| Malformed("number too large"))
    }
}

impl Wire for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        match input.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            2.. => Err(Malformed("neither true nor false")),
        }
    }
}

impl Wire for () {
    fn encode(&self, _out: &mut Vec<u8>) {}

    fn decode(_input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(())
    }
}

impl Wire for Arc<[u8]> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, self);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Arc::from(input.bytes()?))
    }
}

impl Wire for Arc<str> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.as_bytes());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Arc::from(String::decode(input)?))
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok((A::decode(input)?, B::decode(input)?))
    }
}

impl<A: Wire, B: Wire, C: Wire> Wire for (A, B, C) {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
        self.2.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok((A::decode(input)?, B::decode(input)?, C::decode(input)?))
    }
}

impl Wire for String {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.as_bytes());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(input.bytes()?).map_err(|_| Malformed("not UTF-8"))?;
        Ok(text.to_owned())
    }
}

impl<T: Wire> Wire for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(value) => {
                out.push(1);
                value.encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(if bool::decode(input)? { Some(T::decode(input)?) } else { None })
    }
}

/// In the order of the keys; decoding refuses another order, so equal maps have equal bytes.
impl<K: Wire + Ord, V: Wire> Wire for BTreeMap<K, V> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.len() as u64);
        for (key, value) in self {
            key.encode(out);
            value.encode(out);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut map = BTreeMap::new();
        for _ in 0..input.length(1)? {
            let (key, value) = <(K, V)>::decode(input)?;
            if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return Err(Malformed("keys out of order"));
            }
            map.insert(key, value);
        }
        Ok(map)
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.len() as u64);
        for item in self {
            item.encode(out);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        // An item may take no byte at all (`()`), but no item that is stored in bulk does.
        let n = input.length(1)?;
        (0..n).map(|_| T::decode(input)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Malformed, Reader, Wire, put_varint};

    #[test]
    fn numbers_survive_and_have_one_form_only() {
        for n in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            assert_eq!(u64::from_bytes(&n.to_bytes()), Ok(n));
        }
        assert_eq!(u64::from_bytes(&[0x80, 0x00]), Err(Malformed("number too long")));
        assert_eq!(u64::from_bytes(&[0xff; 11]), Err(Malformed("number too large")));
        assert_eq!(u32::from_bytes(&u64::MAX.to_bytes()), Err(Malformed("number too large")));
    }

    #[test]
    fn an_announced_length_beyond_the_end_allocates_nothing() {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, u64::MAX);
        assert_eq!(Vec::<u64>::from_bytes(&bytes), Err(Malformed("length beyond the end")));
        assert!(Reader::new(&bytes).bytes().is_err());
    }

    #[test]
    fn compound_values_survive() {
        let value = vec![Some("a".to_owned()), None, Some(String::new())];
        assert_eq!(Vec::<Option<String>>::from_bytes(&value.to_bytes()), Ok(value));
        assert_eq!(bool::from_bytes(&[2]), Err(Malformed("neither true nor false")));
        assert_eq!(bool::from_bytes(&[1, 1]), Err(Malformed("bytes left over")));
    }
}
