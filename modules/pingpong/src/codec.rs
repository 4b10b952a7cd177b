//! The byte form of messages, for drivers that store or send them. Version 1: a tag, then the value.

use crate::Message;
use synod_stdx::{Malformed, Reader, Wire, Writer};

impl Wire for Message {
    fn encode(&self, out: &mut Writer<'_>) {
        let (tag, value) = match self {
            Message::Ping { value } => (1, value),
            Message::Pong { value } => (2, value),
        };
        out.push(tag);
        value.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => Message::Ping { value: u64::decode(input)? },
            2 => Message::Pong { value: u64::decode(input)? },
            0 | 3.. => return Err(Malformed("no such message")),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::Message;
    use synod_stdx::{Malformed, Wire};

    #[test]
    fn every_message_survives_its_byte_form_and_no_part_of_it_passes_for_one() {
        for value in [0, 300, u64::MAX] {
            for message in [Message::Ping { value }, Message::Pong { value }] {
                let bytes = message.to_bytes();
                assert_eq!(Message::from_bytes(&bytes), Ok(message.clone()));
                for cut in 0..bytes.len() {
                    assert!(Message::from_bytes(&bytes[..cut]).is_err(), "{message:?} cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn bytes_that_are_no_message_are_refused() {
        for tag in [0, 3, 255] {
            assert_eq!(Message::from_bytes(&[tag, 7]), Err(Malformed("no such message")));
        }
        assert_eq!(Message::from_bytes(&[1, 7, 7]), Err(Malformed("bytes left over")));
        assert_eq!(Message::from_bytes(&[2, 0x80, 0]), Err(Malformed("number too long")));
    }

    /// If this fails, bytes that were stored can no longer be read: make a new version instead.
    #[test]
    fn the_bytes_are_those_of_version_one() {
        assert_eq!(Message::Ping { value: 300 }.to_bytes(), [1, 172, 2]);
        assert_eq!(Message::Pong { value: 7 }.to_bytes(), [2, 7]);
    }
}
