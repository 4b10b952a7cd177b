//! Lists of byte strings inside an operation: borrowed from a client's words, or from a command's bytes.

use crate::operation::Field;
use synod_resp::Args;
use synod_stdx::{Cursor, Malformed, put_bytes, put_varint};

/// A list of byte strings, not copied.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Items<'a> {
    /// The words of a client, as they stand in its connection's buffer.
    Words(Args<'a>),
    /// The byte form: `count` byte strings with their lengths.
    Bytes { count: u64, bytes: &'a [u8] },
}

impl<'a> Items<'a> {
    /// All, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (words, bytes) = match self {
            Items::Words(words) => (Some(words.iter()), &[][..]),
            Items::Bytes { bytes, .. } => (None, *bytes),
        };
        let mut rest = Cursor::new(bytes);
        // `take` checked that the bytes are whole, so an error is the end.
        words.into_iter().flatten().chain(std::iter::from_fn(move || rest.bytes().ok()))
    }

    /// All, two by two; one that is left over is dropped.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut items = self.iter();
        std::iter::from_fn(move || Some((items.next()?, items.next()?)))
    }
}

impl<'a> Field<'a> for Items<'a> {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Items::Words(words) => {
                put_varint(out, words.len() as u64);
                let mut length = 0;
                for word in words.iter() {
                    length += word.len() as u64 + varint_bytes(word.len() as u64);
                }
                put_varint(out, length);
                words.iter().for_each(|word| put_bytes(out, word));
            }
            Items::Bytes { count, bytes } => {
                put_varint(out, *count);
                put_bytes(out, bytes);
            }
        }
    }

    fn take(input: &mut Cursor<'a>) -> Result<Self, Malformed> {
        let count = input.varint()?;
        let bytes = input.bytes()?;
        let mut rest = Cursor::new(bytes);
        for _ in 0..count {
            rest.bytes()?;
        }
        if rest.is_empty() {
            Ok(Items::Bytes { count, bytes })
        } else {
            Err(Malformed("bytes behind a list"))
        }
    }
}

/// How many bytes the variable-length form of `value` takes.
fn varint_bytes(value: u64) -> u64 {
    u64::from((64 - value.leading_zeros()).div_ceil(7).max(1))
}
