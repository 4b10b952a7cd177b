//! The byte form of the small application.

use super::{Fields, tag};
use crate::{Text, TextCommand, TextOutput, Texts};
use synod_stdx::{Malformed, Reader, Wire, Writer};

impl Wire for TextCommand {
    fn encode(&self, out: &mut Writer<'_>) {
        let _ = match self {
            TextCommand::Put { key, value } => tag(1, out).and(key).and(value),
            TextCommand::Get { key } => tag(2, out).and(key),
            TextCommand::Append { key, value } => tag(3, out).and(key).and(value),
            TextCommand::MultiGet { keys } => tag(4, out).and(keys),
            TextCommand::MultiPut { pairs } => tag(5, out).and(pairs),
            TextCommand::Swap { keys } => tag(6, out).and(keys),
        };
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let command = match input.u8()? {
            1 => TextCommand::Put { key: Text::decode(input)?, value: Text::decode(input)? },
            2 => TextCommand::Get { key: Text::decode(input)? },
            3 => TextCommand::Append { key: Text::decode(input)?, value: Text::decode(input)? },
            4 => TextCommand::MultiGet { keys: Vec::decode(input)? },
            5 => TextCommand::MultiPut { pairs: Vec::decode(input)? },
            6 => TextCommand::Swap { keys: Wire::decode(input)? },
            0 | 7.. => return Err(Malformed("no such command")),
        };
        match &command {
            TextCommand::MultiGet { keys } if keys.is_empty() => Err(Malformed("a command without keys")),
            TextCommand::MultiPut { pairs } if pairs.is_empty() => Err(Malformed("a command without keys")),
            _ => Ok(command),
        }
    }
}

impl Wire for TextOutput {
    fn encode(&self, out: &mut Writer<'_>) {
        let _ = match self {
            TextOutput::Ok => tag(1, out),
            TextOutput::Value(value) => tag(2, out).and(value),
            TextOutput::Appended(value) => tag(3, out).and(value),
            TextOutput::Values(values) => tag(4, out).and(values),
        };
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => TextOutput::Ok,
            2 => TextOutput::Value(Option::decode(input)?),
            3 => TextOutput::Appended(Text::decode(input)?),
            4 => TextOutput::Values(Vec::decode(input)?),
            0 | 5.. => return Err(Malformed("no such output")),
        })
    }
}

impl Wire for Texts {
    fn encode(&self, out: &mut Writer<'_>) {
        let keys = self.values.values().flatten().map(|(key, value)| (key.clone(), value.clone()));
        Fields(out).and(&u32::from(self.slot_count)).and(&keys.collect::<Vec<(Text, Text)>>());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let slot_count = u16::try_from(u32::decode(input)?).map_err(|_| Malformed("too many slots"))?;
        if slot_count == 0 {
            return Err(Malformed("no slots"));
        }
        let mut texts = Texts::new(slot_count);
        for (key, value) in Vec::<(Text, Text)>::decode(input)? {
            let slot = Texts::slot_of(&key, slot_count);
            texts.values.entry(slot).or_default().insert(key, value);
        }
        Ok(texts)
    }
}
