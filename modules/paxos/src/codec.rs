//! The byte form of messages, records and checkpoints, for hosts. Version 1: a tag, then the fields in order.

use crate::replica::Replica;
use crate::{Ballot, Checkpoint, Message, Record, Run, Slot};
use std::sync::Arc;
use synod_clientserver::ClientId;
use synod_node::{NodeId, StateMachine};
use synod_stdx::{Malformed, Reader, Wire};

/// What an application must offer to run on a host.
pub trait Portable: StateMachine<Command: Wire, Output: Wire> + Wire {}

impl<S: StateMachine<Command: Wire, Output: Wire> + Wire> Portable for S {}

fn tag(tag: u8, out: &mut Vec<u8>) {
    out.push(tag);
}

impl<S: Portable> Wire for Message<S> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Message::Submit { client, first, acked_below, commands } => {
                tag(1, out);
                (*client, *first, *acked_below).encode(out);
                commands.encode(out);
            }
            Message::Results { client, first, outputs } => {
                tag(2, out);
                (*client, *first).encode(out);
                outputs.encode(out);
            }
            Message::Query { first, queries } => {
                tag(3, out);
                first.encode(out);
                queries.encode(out);
            }
            Message::Answers { first, outputs } => {
                tag(4, out);
                first.encode(out);
                outputs.encode(out);
            }
            Message::NotLeader { leader } => {
                tag(5, out);
                leader.encode(out);
            }
            Message::Forgotten { client } => {
                tag(6, out);
                client.encode(out);
            }
            Message::Prepare { ballot, chosen_through } => {
                tag(7, out);
                (*ballot, *chosen_through).encode(out);
            }
            Message::Promise { ballot, incarnation, incarnations, chosen_through, snapshot, accepted } => {
                tag(8, out);
                (*ballot, *incarnation).encode(out);
                incarnations.encode(out);
                chosen_through.encode(out);
                encode_option(snapshot.as_deref(), out);
                accepted.encode(out);
            }
            Message::Rejected { ballot, promised } => {
                tag(9, out);
                (*ballot, *promised).encode(out);
            }
            Message::Accept { run, ballot, chosen_through } => {
                tag(10, out);
                (*ballot, *chosen_through).encode(out);
                run.encode(out);
            }
            Message::Accepted { ballot, incarnation, through, executed_through } => {
                tag(11, out);
                (*ballot, *incarnation).encode(out);
                (*through, *executed_through).encode(out);
            }
            Message::Snapshot { ballot, replica } => {
                tag(12, out);
                ballot.encode(out);
                replica.encode(out);
            }
            Message::Confirm { ballot, round } => {
                tag(13, out);
                (*ballot, *round).encode(out);
            }
            Message::Confirmed { ballot, round } => {
                tag(14, out);
                (*ballot, *round).encode(out);
            }
            Message::Heartbeat { tick: number } => {
                tag(15, out);
                number.encode(out);
            }
            Message::Alive { tick: number, following, happy, executed_through } => {
                tag(16, out);
                (*number, *following).encode(out);
                (*happy, *executed_through).encode(out);
            }
            Message::TakeOver { ballot } => {
                tag(17, out);
                ballot.encode(out);
            }
            Message::Rejoin { incarnation } => {
                tag(18, out);
                incarnation.encode(out);
            }
            Message::Welcome { incarnation, promised, leading } => {
                tag(19, out);
                (*incarnation, *promised).encode(out);
                leading.is_some().encode(out);
                if let Some((replica, open)) = leading {
                    replica.encode(out);
                    open.encode(out);
                }
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => {
                let (client, first, acked_below) = Wire::decode(input)?;
                Message::Submit { client, first, acked_below, commands: Vec::decode(input)? }
            }
            2 => {
                let (client, first) = <(ClientId, u64)>::decode(input)?;
                Message::Results { client, first, outputs: Vec::decode(input)? }
            }
            3 => Message::Query { first: u64::decode(input)?, queries: Vec::decode(input)? },
            4 => Message::Answers { first: u64::decode(input)?, outputs: Vec::decode(input)? },
            5 => Message::NotLeader { leader: Option::<NodeId>::decode(input)? },
            6 => Message::Forgotten { client: ClientId::decode(input)? },
            7 => Message::Prepare { ballot: Ballot::decode(input)?, chosen_through: Slot::decode(input)? },
            8 => Message::Promise {
                ballot: Ballot::decode(input)?,
                incarnation: u64::decode(input)?,
                incarnations: Vec::decode(input)?,
                chosen_through: Slot::decode(input)?,
                snapshot: Option::<Replica<S>>::decode(input)?.map(Arc::new),
                accepted: decode_runs(input)?,
            },
            9 => Message::Rejected { ballot: Ballot::decode(input)?, promised: Ballot::decode(input)? },
            10 => {
                let (ballot, chosen_through) = <(Ballot, Slot)>::decode(input)?;
                let run = Option::<Run<S::Command>>::decode(input)?;
                if run.as_ref().is_some_and(|run| run.ballot() != ballot) {
                    return Err(Malformed("a run of another ballot"));
                }
                Message::Accept { run, ballot, chosen_through }
            }
            11 => Message::Accepted {
                ballot: Ballot::decode(input)?,
                incarnation: u64::decode(input)?,
                through: Slot::decode(input)?,
                executed_through: Slot::decode(input)?,
            },
            12 => Message::Snapshot {
                ballot: Ballot::decode(input)?,
                replica: Arc::new(Replica::decode(input)?),
            },
            13 => Message::Confirm { ballot: Ballot::decode(input)?, round: u64::decode(input)? },
            14 => Message::Confirmed { ballot: Ballot::decode(input)?, round: u64::decode(input)? },
            15 => Message::Heartbeat { tick: u64::decode(input)? },
            16 => Message::Alive {
                tick: u64::decode(input)?,
                following: Ballot::decode(input)?,
                happy: bool::decode(input)?,
                executed_through: Slot::decode(input)?,
            },
            17 => Message::TakeOver { ballot: Ballot::decode(input)? },
            18 => Message::Rejoin { incarnation: u64::decode(input)? },
            19 => {
                let (incarnation, promised) = <(u64, Ballot)>::decode(input)?;
                let leading = match bool::decode(input)? {
                    false => None,
                    true => Some((Arc::new(Replica::decode(input)?), decode_runs(input)?)),
                };
                Message::Welcome { incarnation, promised, leading }
            }
            0 | 20.. => return Err(Malformed("no such message")),
        })
    }
}

fn encode_option<T: Wire>(value: Option<&T>, out: &mut Vec<u8>) {
    value.is_some().encode(out);
    if let Some(value) = value {
        value.encode(out);
    }
}

fn decode_runs<C: Wire>(input: &mut Reader<'_>) -> Result<Vec<Run<C>>, Malformed> {
    Vec::decode(input)
}

impl<C: Wire> Wire for Record<C> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Record::Promised { ballot, chosen_through } => {
                tag(1, out);
                (*ballot, *chosen_through).encode(out);
            }
            Record::Accepted { run, chosen_through } => {
                tag(2, out);
                chosen_through.encode(out);
                run.encode(out);
            }
            Record::Rejoined { node, incarnation } => {
                tag(3, out);
                (*node, *incarnation).encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => Record::Promised { ballot: Ballot::decode(input)?, chosen_through: Slot::decode(input)? },
            2 => {
                let chosen_through = Slot::decode(input)?;
                Record::Accepted { run: Run::decode(input)?, chosen_through }
            }
            3 => Record::Rejoined { node: NodeId::decode(input)?, incarnation: u64::decode(input)? },
            0 | 4.. => return Err(Malformed("no such record")),
        })
    }
}

impl<S: Portable> Wire for Checkpoint<S> {
    fn encode(&self, out: &mut Vec<u8>) {
        tag(1, out);
        (self.incarnation, self.promised).encode(out);
        self.accepted.encode(out);
        self.incarnations.encode(out);
        self.replica.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        if input.u8()? != 1 {
            return Err(Malformed("a checkpoint of a later version"));
        }
        let (incarnation, promised) = <(u64, Ballot)>::decode(input)?;
        let accepted = decode_runs(input)?;
        let incarnations = Vec::decode(input)?;
        Ok(Checkpoint {
            incarnation,
            promised,
            replica: Arc::new(Replica::decode(input)?),
            accepted,
            incarnations,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Ballot, Message, Proposal, Record, Replica, Run, Slot};
    use std::sync::Arc;
    use synod_clientserver::{ClientId, KvCommand, KvOutput, KvStore};
    use synod_node::NodeId;
    use synod_stdx::Wire;

    const BALLOT: Ballot = Ballot { round: 3, node: NodeId::server(2) };
    const CLIENT: ClientId = ClientId::new(NodeId::client(1), 7);

    fn run() -> Run<KvCommand> {
        let command =
            Proposal::Command { client: CLIENT, seq: 9, acked_below: 8, command: KvCommand::get("k") };
        Run::new(Slot(4), BALLOT, [command, Proposal::Noop].into())
    }

    fn replica() -> Arc<Replica<KvStore>> {
        let mut replica = Replica::new(KvStore::default());
        let command = KvCommand::put("a", "b");
        replica.execute(&Proposal::Command { client: CLIENT, seq: 1, acked_below: 1, command });
        Arc::new(replica)
    }

    fn messages() -> Vec<Message<KvStore>> {
        let accepted = vec![run()];
        let commands = vec![KvCommand::append("k", "v")];
        vec![
            Message::Submit { client: CLIENT, first: 1, acked_below: 1, commands: commands.clone() },
            Message::Results { client: CLIENT, first: 1, outputs: vec![KvOutput::PutOk] },
            Message::Query { first: 5, queries: commands },
            Message::Answers { first: 5, outputs: vec![Some(KvOutput::value("x")), None] },
            Message::NotLeader { leader: Some(NodeId::server(3)) },
            Message::Forgotten { client: CLIENT },
            Message::Prepare { ballot: BALLOT, chosen_through: Slot(1) },
            Message::Promise {
                ballot: BALLOT,
                incarnation: 1,
                incarnations: vec![(NodeId::server(3), 2)],
                chosen_through: Slot(2),
                snapshot: Some(replica()),
                accepted: accepted.clone(),
            },
            Message::Rejected { ballot: BALLOT, promised: BALLOT },
            Message::Accept { run: Some(run()), ballot: BALLOT, chosen_through: Slot(3) },
            Message::Accepted { ballot: BALLOT, incarnation: 1, through: Slot(5), executed_through: Slot(4) },
            Message::Snapshot { ballot: BALLOT, replica: replica() },
            Message::Confirm { ballot: BALLOT, round: 6 },
            Message::Confirmed { ballot: BALLOT, round: 6 },
            Message::Heartbeat { tick: 8 },
            Message::Alive { tick: 8, following: BALLOT, happy: true, executed_through: Slot(4) },
            Message::TakeOver { ballot: BALLOT },
            Message::Rejoin { incarnation: 2 },
            Message::Welcome { incarnation: 2, promised: BALLOT, leading: Some((replica(), accepted)) },
        ]
    }

    #[test]
    fn every_message_survives_its_byte_form_and_no_part_of_it_passes_for_one() {
        for message in messages() {
            let bytes = message.to_bytes();
            assert_eq!(Message::from_bytes(&bytes), Ok(message.clone()));
            for cut in 0..bytes.len() {
                assert!(Message::<KvStore>::from_bytes(&bytes[..cut]).is_err(), "{message:?} cut at {cut}");
            }
        }
    }

    /// The bytes of version 1. If this fails, old nodes and logs can no longer be read: make a new version instead.
    #[test]
    fn the_bytes_of_an_accept_are_those_of_version_one() {
        let accept: Message<KvStore> =
            Message::Accept { run: Some(run()), ballot: BALLOT, chosen_through: Slot(3) };
        let expected = [10, 3, 4, 3, 1, 4, 3, 4, 2, 1, 129, 128, 128, 128, 120, 9, 1, 1, 1, 107, 0];
        assert_eq!(accept.to_bytes(), expected);
        let record = Record::Accepted { run: run(), chosen_through: Slot(3) };
        assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record.clone()));
        assert_eq!(record.to_bytes()[..2], [2, 3]);
    }
}
