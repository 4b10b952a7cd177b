//! The byte form of messages and of what is durable. Version 1: a tag, then the fields in order.

use crate::{Checkpoint, Message, Operation, View, ViewNumber};
use std::sync::Arc;
use synod_clientserver::{ClientId, read_seq};
use synod_stdx::{Malformed, Reader, Wire, Writer};

impl<C: Wire> Wire for Operation<C> {
    fn encode(&self, out: &mut Writer<'_>) {
        let Operation { client, first, acked_below, commands } = self;
        client.encode(out);
        (*first, *acked_below).encode(out);
        commands.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Operation {
            client: ClientId::decode(input)?,
            first: read_seq(input)?,
            acked_below: read_seq(input)?,
            commands: Vec::decode(input)?,
        })
    }
}

impl<C: Wire, O: Wire> Wire for Message<C, O> {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Message::Ping { life, acked, is_backup_lost } => {
                out.push(1);
                (*life, *acked, *is_backup_lost).encode(out);
            }
            Message::Ask => out.push(2),
            Message::Announce { view } => {
                out.push(3);
                view.encode(out);
            }
            Message::Session(message) => {
                out.push(4);
                message.encode(out);
            }
            Message::Transfer { view, offset, total, bytes } => {
                out.push(5);
                (*view, *offset, *total).encode(out);
                bytes.encode(out);
            }
            Message::TransferTaken { view, through } => {
                out.push(6);
                (*view, *through).encode(out);
            }
            Message::Forward { view, first, operations } => {
                out.push(7);
                (*view, *first).encode(out);
                operations.encode(out);
            }
            Message::Taken { view, through } => {
                out.push(8);
                (*view, *through).encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => {
                let (life, acked, is_backup_lost) = <(u64, ViewNumber, bool)>::decode(input)?;
                Message::Ping { life, acked, is_backup_lost }
            }
            2 => Message::Ask,
            3 => Message::Announce { view: View::decode(input)? },
            4 => Message::Session(synod_clientserver::Message::decode(input)?),
            5 => {
                let (view, offset, total) = <(View, u64, u64)>::decode(input)?;
                Message::Transfer { view, offset, total, bytes: Arc::decode(input)? }
            }
            6 => {
                let (view, through) = <(ViewNumber, u64)>::decode(input)?;
                Message::TransferTaken { view, through }
            }
            7 => {
                let (view, first) = <(ViewNumber, u64)>::decode(input)?;
                Message::Forward { view, first, operations: Vec::decode(input)? }
            }
            8 => {
                let (view, through) = <(ViewNumber, u64)>::decode(input)?;
                Message::Taken { view, through }
            }
            0 | 9.. => return Err(Malformed("no such message")),
        })
    }
}

impl Wire for Checkpoint {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Checkpoint::Life(life) => {
                out.push(1);
                life.encode(out);
            }
            Checkpoint::View { view, is_acked } => {
                out.push(2);
                (*view, *is_acked).encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => Checkpoint::Life(u64::decode(input)?),
            2 => Checkpoint::View { view: View::decode(input)?, is_acked: bool::decode(input)? },
            0 | 3.. => return Err(Malformed("no such checkpoint")),
        })
    }
}
