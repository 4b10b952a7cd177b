//! The byte form of messages, for drivers that store or send them. Version 2: a tag, then the fields in order.

use crate::{ClientId, Message, read_seq};
use synod_stdx::{Malformed, Reader, Wire, Writer};

impl<C: Wire, O: Wire> Wire for Message<C, O> {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Message::Request { client, first, acked_below, commands } => {
                out.push(1);
                client.encode(out);
                first.encode(out);
                acked_below.encode(out);
                commands.encode(out);
            }
            Message::Results { client, first, outputs } => {
                out.push(2);
                client.encode(out);
                first.encode(out);
                outputs.encode(out);
            }
            Message::Forgotten { client } => {
                out.push(3);
                client.encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => Message::Request {
                client: ClientId::decode(input)?,
                first: read_seq(input)?,
                acked_below: read_seq(input)?,
                commands: Vec::decode(input)?,
            },
            2 => Message::Results {
                client: ClientId::decode(input)?,
                first: read_seq(input)?,
                outputs: Vec::decode(input)?,
            },
            3 => Message::Forgotten { client: ClientId::decode(input)? },
            0 | 4.. => return Err(Malformed("no such message")),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{ClientId, KvCommand, KvOutput};
    use synod_node::NodeId;
    use synod_stdx::{Malformed, Wire};

    type Message = crate::Message<KvCommand, KvOutput>;

    const CLIENT: ClientId = ClientId::new(NodeId::client(1), 7);

    fn messages() -> [Message; 4] {
        let commands = vec![KvCommand::put("k", "v"), KvCommand::get("ключ"), KvCommand::append("", "\u{0}")];
        let outputs =
            vec![KvOutput::PutOk, KvOutput::value("v"), KvOutput::KeyNotFound, KvOutput::appended("vw")];
        [
            Message::Request { client: CLIENT, first: 300, acked_below: 299, commands },
            Message::Results { client: CLIENT, first: 1 << 62, outputs },
            Message::Results { client: CLIENT, first: 1, outputs: Vec::new() },
            Message::Forgotten { client: CLIENT },
        ]
    }

    #[test]
    fn every_message_survives_its_byte_form_and_no_part_of_it_passes_for_one() {
        for message in messages() {
            let bytes = message.to_bytes();
            assert_eq!(Message::from_bytes(&bytes), Ok(message.clone()));
            for cut in 0..bytes.len() {
                assert!(Message::from_bytes(&bytes[..cut]).is_err(), "{message:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn bytes_that_are_no_message_are_refused() {
        for tag in [0, 4, 255] {
            assert_eq!(Message::from_bytes(&[tag, 1, 0]), Err(Malformed("no such message")));
        }
        let [_, mut late, _, _] = messages();
        if let Message::Results { first, .. } = &mut late {
            *first += 1;
        }
        let why = Malformed("a request's number that no client ever reaches");
        assert_eq!(Message::from_bytes(&late.to_bytes()), Err(why));
        assert_eq!(Message::from_bytes(&[2, 1, 0, 0, 1, 0, 0]), Err(Malformed("bytes left over")));
        assert_eq!(Message::from_bytes(&[2, 1, 0, 0, 1, 1, 9]), Err(Malformed("no such output")));
        // More commands are announced than there are bytes.
        assert_eq!(Message::from_bytes(&[1, 1, 0, 0, 1, 1, 200, 1]), Err(Malformed("length beyond the end")));
        assert_eq!(Message::from_bytes(&[2, 1, 0, 0, 1, 1, 1, 1, 0xff]), Err(Malformed("not UTF-8")));
    }

    /// If this fails, bytes that were stored can no longer be read: make a new version instead.
    #[test]
    fn the_bytes_are_those_of_version_three() {
        let [request, _, _, forgotten] = messages();
        assert_eq!(forgotten.to_bytes(), [3, 3, 0, 7]);
        assert_eq!(request.to_bytes()[..8], [1, 3, 0, 7, 172, 2, 171, 2]);
    }
}
