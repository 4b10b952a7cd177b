//! The byte form of hot messages and log records. Bytes come from outside: nothing here panics on them.

use crate::bytes::{Malformed, NextPart, Reader, TakePart, Writer, put_bytes, put_varint};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A value with a byte form that is the same on every machine. `decode(encode(x)) == x`, and `decode` reads exactly
/// what `encode` wrote, so that values can stand one behind the other.
pub trait Wire: Sized {
    /// Appends the byte form to `out`.
    fn encode(&self, out: &mut Writer<'_>);

    /// Reads one value from the front of `input`.
    ///
    /// # Errors
    /// [`Malformed`] if the bytes are no such value; `input` is then at an unspecified place.
    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed>;

    /// Whether the value holds a whole state, so that its byte form may have any size. A driver encodes such a value in
    /// parts, and beside its other work.
    fn is_bulky(&self) -> bool {
        false
    }

    /// Appends the byte form to `out`.
    fn append_to(&self, out: &mut Vec<u8>) {
        self.encode(&mut Writer::new(out));
    }

    /// The byte form in a vector of its own.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.append_to(&mut out);
        out
    }

    /// Gives away the byte form in parts of `part_bytes` bytes; the last part has one byte at least, and may be shorter.
    /// Returns false, early, if nobody wanted more.
    fn to_parts(&self, part_bytes: usize, take: &mut TakePart<'_>) -> bool {
        let mut out = Vec::with_capacity(part_bytes);
        let is_cut = {
            let mut give = |part: &mut Vec<u8>| take(part);
            let mut writer = Writer::in_parts(&mut out, part_bytes, &mut give);
            self.encode(&mut writer);
            writer.is_cut()
        };
        !is_cut && (out.is_empty() || take(&mut out))
    }

    /// Reads a value that must fill `bytes` to the last one.
    ///
    /// # Errors
    /// [`Malformed`] if the bytes are no such value, or if some are left over.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::decode_all(&mut Reader::new(bytes))
    }

    /// Reads a value that must fill the parts that `next` gives, of at most `bytes_max` bytes together.
    ///
    /// # Errors
    /// As [`from_bytes`](Wire::from_bytes).
    fn read_parts(bytes_max: u64, next: &mut NextPart<'_>) -> Result<Self, Malformed> {
        let mut next = |buffer: &mut Vec<u8>| next(buffer);
        Self::decode_all(&mut Reader::of_parts(bytes_max, &mut next))
    }

    /// Reads a value that must fill `input`.
    ///
    /// # Errors
    /// As [`from_bytes`](Wire::from_bytes).
    fn decode_all(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let value = Self::decode(input)?;
        if input.is_empty() { Ok(value) } else { Err(Malformed("bytes left over")) }
    }
}

impl Wire for u64 {
    fn encode(&self, out: &mut Writer<'_>) {
        put_varint(out, *self);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        input.varint()
    }
}

impl Wire for u32 {
    fn encode(&self, out: &mut Writer<'_>) {
        put_varint(out, u64::from(*self));
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        u32::try_from(input.varint()?).map_err(|_| Malformed("number too large"))
    }
}

impl Wire for bool {
    fn encode(&self, out: &mut Writer<'_>) {
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
    fn encode(&self, _out: &mut Writer<'_>) {}

    fn decode(_input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(())
    }
}

impl Wire for Arc<[u8]> {
    fn encode(&self, out: &mut Writer<'_>) {
        put_bytes(out, self);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Arc::from(input.bytes()?))
    }
}

impl Wire for Arc<str> {
    fn encode(&self, out: &mut Writer<'_>) {
        put_bytes(out, self.as_bytes());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Arc::from(String::decode(input)?))
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn encode(&self, out: &mut Writer<'_>) {
        self.0.encode(out);
        self.1.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok((A::decode(input)?, B::decode(input)?))
    }
}

impl<A: Wire, B: Wire, C: Wire> Wire for (A, B, C) {
    fn encode(&self, out: &mut Writer<'_>) {
        self.0.encode(out);
        self.1.encode(out);
        self.2.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok((A::decode(input)?, B::decode(input)?, C::decode(input)?))
    }
}

impl Wire for String {
    fn encode(&self, out: &mut Writer<'_>) {
        put_bytes(out, self.as_bytes());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(input.bytes()?).map_err(|_| Malformed("not UTF-8"))?;
        Ok(text.to_owned())
    }
}

impl<T: Wire> Wire for Option<T> {
    fn encode(&self, out: &mut Writer<'_>) {
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
    fn encode(&self, out: &mut Writer<'_>) {
        put_varint(out, self.len() as u64);
        for (key, value) in self {
            if out.is_cut() {
                return;
            }
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
    fn encode(&self, out: &mut Writer<'_>) {
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
    use std::collections::BTreeMap;
    use std::sync::Arc;

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

    type Compound = BTreeMap<Arc<str>, (Vec<Option<u64>>, Arc<[u8]>, bool)>;

    fn compound() -> Compound {
        let value = |n: u64| {
            (vec![Some(n), None, Some(u64::MAX - n)], Arc::from(vec![n as u8; n as usize * 7]), true)
        };
        (0..20).map(|n| (Arc::from(format!("key {n:03}")), value(n))).collect()
    }

    fn parts_of(value: &impl Wire, part_bytes: usize) -> Vec<Vec<u8>> {
        let mut parts = Vec::new();
        let all = value.to_parts(part_bytes, &mut |part| {
            parts.push(std::mem::take(part));
            true
        });
        assert!(all);
        parts
    }

    fn from(parts: &[Vec<u8>]) -> Result<Compound, Malformed> {
        let mut parts = parts.iter();
        Compound::read_parts(1 << 20, &mut |buffer| {
            let part = parts.next();
            buffer.extend(part.into_iter().flatten());
            part.is_some()
        })
    }

    #[test]
    fn a_value_survives_parts_of_any_size_and_has_the_same_bytes() {
        let value = compound();
        let whole = value.to_bytes();
        for part_bytes in 1..=whole.len() + 1 {
            let parts = parts_of(&value, part_bytes);
            assert_eq!(parts.concat(), whole);
            let (last, others) = parts.split_last().unwrap();
            assert!(others.iter().all(|part| part.len() == part_bytes) && last.len() <= part_bytes);
            assert_eq!(from(&parts), Ok(value.clone()), "parts of {part_bytes} bytes");
        }
    }

    #[test]
    fn parts_that_end_early_go_on_too_long_or_are_wrong_are_malformed() {
        let whole = compound().to_bytes();
        for cut in 0..whole.len() {
            let parts: Vec<_> = whole[..cut].chunks(5).map(<[u8]>::to_vec).collect();
            assert!(from(&parts).is_err(), "cut at {cut}");
        }
        assert_eq!(from(&[whole.clone(), vec![0]]), Err(Malformed("bytes left over")));
        for at in 0..whole.len() {
            let mut wrong = whole.clone();
            wrong[at] ^= 0x55;
            // Some are other values; none is a panic.
            let _ = from(&wrong.chunks(3).map(<[u8]>::to_vec).collect::<Vec<_>>());
        }
    }

    #[test]
    fn parts_beyond_the_bound_are_not_read_and_a_length_beyond_it_allocates_nothing() {
        let mut asked = 0;
        let outcome = Vec::<u64>::read_parts(1_000, &mut |buffer| {
            asked += 1;
            buffer.extend([1; 100]);
            true
        });
        assert!(outcome.is_err() && asked <= 11, "{outcome:?} after {asked} parts");
        let mut bytes = Vec::new();
        put_varint(&mut bytes, 1_001);
        let mut once = Some(bytes);
        let outcome = Vec::<u64>::read_parts(1_000, &mut |buffer| {
            once.take().is_some_and(|bytes| {
                buffer.extend(bytes);
                true
            })
        });
        assert_eq!(outcome, Err(Malformed("length beyond the end")));
    }

    #[test]
    fn an_encoder_whose_parts_nobody_wants_stops() {
        let mut taken = 0;
        let value: BTreeMap<u64, u64> = (0..100_000).map(|n| (n, n)).collect();
        let all = value.to_parts(100, &mut |_| {
            taken += 1;
            taken < 3
        });
        assert!(!all);
        assert_eq!(taken, 3);
    }
}
