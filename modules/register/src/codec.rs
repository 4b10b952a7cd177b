//! The byte form of what is sent, asked and kept. Version 1: a tag, then the fields in their order.

use crate::{Message, Record, Request, Tag};
use synod_node::NodeId;
use synod_stdx::{Malformed, Reader, Wire, Writer};

impl Wire for Tag {
    fn encode(&self, out: &mut Writer<'_>) {
        self.round.encode(out);
        self.writer.encode(out);
        self.op.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Tag { round: u64::decode(input)?, writer: NodeId::decode(input)?, op: u64::decode(input)? })
    }
}

impl Wire for Message {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Message::Query { op } => {
                out.push(1);
                op.encode(out);
            }
            Message::State { op, tag, value } => {
                out.push(2);
                (*op, (*tag, *value)).encode(out);
            }
            Message::Store { op, tag, value } => {
                out.push(3);
                (*op, (*tag, *value)).encode(out);
            }
            Message::Stored { op } => {
                out.push(4);
                op.encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let number = input.u8()?;
        let op = u64::decode(input)?;
        Ok(match number {
            1 => Message::Query { op },
            2 => {
                let (tag, value) = Wire::decode(input)?;
                Message::State { op, tag, value }
            }
            3 => {
                let (tag, value) = Wire::decode(input)?;
                Message::Store { op, tag, value }
            }
            4 => Message::Stored { op },
            0 | 5.. => return Err(Malformed("no such message")),
        })
    }
}

impl Wire for Record {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Record::Kept { tag, value } => {
                out.push(1);
                (*tag, *value).encode(out);
            }
            Record::Began { op } => {
                out.push(2);
                op.encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => {
                let (tag, value) = Wire::decode(input)?;
                Record::Kept { tag, value }
            }
            2 => Record::Began { op: u64::decode(input)? },
            0 | 3.. => return Err(Malformed("no such record")),
        })
    }
}

impl Wire for Request {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Request::Read => out.push(1),
            Request::Write(value) => {
                out.push(2);
                value.encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => Request::Read,
            2 => Request::Write(u64::decode(input)?),
            0 | 3.. => return Err(Malformed("no such request")),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Message, Record, Request, Tag};
    use synod_node::NodeId;
    use synod_stdx::Wire;

    fn survives<T: Wire + Clone + PartialEq + std::fmt::Debug>(values: &[T]) {
        for value in values {
            let bytes = value.to_bytes();
            assert_eq!(T::from_bytes(&bytes), Ok(value.clone()));
            for cut in 0..bytes.len() {
                assert!(T::from_bytes(&bytes[..cut]).is_err(), "{value:?} cut at {cut}");
            }
            assert!(T::from_bytes(&[0]).is_err() && T::from_bytes(&[255]).is_err());
        }
    }

    #[test]
    fn every_value_survives_its_byte_form_and_no_part_of_it_passes_for_one() {
        let tag = Tag { round: 300, writer: NodeId::client(7), op: u64::MAX };
        let op = 1_000;
        survives(&[
            Message::Query { op },
            Message::State { op, tag: Tag::ZERO, value: None },
            Message::Store { op, tag, value: Some(5) },
            Message::Stored { op },
        ]);
        survives(&[Record::Kept { tag, value: Some(u64::MAX) }, Record::Began { op }]);
        survives(&[Request::Read, Request::Write(9)]);
    }
}
