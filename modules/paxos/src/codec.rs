//! The byte form of messages, records and checkpoints, for hosts. Version 1: a tag, then the fields in order.

use crate::replica::Replica;
use crate::{Ballot, Checkpoint, KeptTime, Message, Record, Request, Run, Slot};
use std::sync::Arc;
use synod_clientserver::{ClientId, read_seq};
use synod_node::{NodeId, StateMachine};
use synod_stdx::{Malformed, Reader, Wire, Writer};

/// What an application must offer to run on a host.
pub trait Portable: StateMachine<Command: Wire, Output: Wire> + Wire {}

impl<S: StateMachine<Command: Wire, Output: Wire> + Wire> Portable for S {}

/// A promise that holds more runs may hold as much as a state: an acceptor that kept its log for another one.
const PROMISED_RUNS_MAX: usize = 64;

/// The fields of a value, one behind the other.
struct Fields<'a, 'b>(&'a mut Writer<'b>);

impl Fields<'_, '_> {
    fn and(self, field: &impl Wire) -> Self {
        field.encode(self.0);
        self
    }

    fn and_option<T: Wire>(self, field: Option<&T>) -> Self {
        let fields = self.and(&field.is_some());
        match field {
            Some(field) => fields.and(field),
            None => fields,
        }
    }
}

/// Begins a value: its tag, to which its fields are appended.
fn tag<'a, 'b>(tag: u8, out: &'a mut Writer<'b>) -> Fields<'a, 'b> {
    out.push(tag);
    Fields(out)
}

impl<S: Portable> Wire for Message<S> {
    fn is_bulky(&self) -> bool {
        match self {
            Message::Snapshot { .. } | Message::Welcome { leading: Some(_), .. } => true,
            Message::Promise { snapshot, accepted, .. } => {
                snapshot.is_some() || accepted.len() > PROMISED_RUNS_MAX
            }
            _ => false,
        }
    }

    fn encode(&self, out: &mut Writer<'_>) {
        let _ = match self {
            Message::Submit { client, first, acked_below, commands } => {
                tag(1, out).and(client).and(first).and(acked_below).and(commands)
            }
            Message::Results { client, first, outputs } => tag(2, out).and(client).and(first).and(outputs),
            Message::Query { first, queries } => tag(3, out).and(first).and(queries),
            Message::Answers { first, outputs } => tag(4, out).and(first).and(outputs),
            Message::NotLeader { leader } => tag(5, out).and(leader),
            Message::Forgotten { client } => tag(6, out).and(client),
            Message::Prepare { ballot, chosen_through } => tag(7, out).and(ballot).and(chosen_through),
            Message::Promise { ballot, incarnation, incarnations, chosen_through, snapshot, accepted } => {
                tag(8, out)
                    .and(ballot)
                    .and(incarnation)
                    .and(incarnations)
                    .and(chosen_through)
                    .and_option(snapshot.as_deref())
                    .and(accepted)
            }
            Message::Rejected { ballot, promised } => tag(9, out).and(ballot).and(promised),
            Message::Accept { run, ballot, chosen_through } => {
                tag(10, out).and(ballot).and(chosen_through).and(run)
            }
            Message::Accepted { ballot, incarnation, through, executed_through } => {
                tag(11, out).and(ballot).and(incarnation).and(through).and(executed_through)
            }
            Message::Snapshot { ballot, replica } => tag(12, out).and(ballot).and(&**replica),
            Message::Confirm { ballot, round } => tag(13, out).and(ballot).and(round),
            Message::Confirmed { ballot, incarnation, round } => {
                tag(14, out).and(ballot).and(incarnation).and(round)
            }
            Message::Heartbeat { tick: number } => tag(15, out).and(number),
            Message::Alive { tick: number, incarnation, following, happy, executed_through, clock } => {
                let fields = tag(16, out).and(number).and(incarnation).and(following).and(happy);
                fields.and(executed_through).and(clock)
            }
            Message::TakeOver { ballot } => tag(17, out).and(ballot),
            Message::Rejoin { incarnation } => tag(18, out).and(incarnation),
            Message::Welcome { incarnation, lives, promised, leading } => {
                let fields = tag(19, out).and(incarnation).and(lives).and(promised).and(&leading.is_some());
                match leading {
                    Some((replica, open)) => fields.and(&**replica).and(open),
                    None => fields,
                }
            }
            Message::Superseded { incarnation } => tag(20, out).and(incarnation),
        };
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => {
                let (client, first, acked_below) = (Wire::decode(input)?, read_seq(input)?, read_seq(input)?);
                Message::Submit { client, first, acked_below, commands: Vec::decode(input)? }
            }
            2 => {
                let (client, first) = (ClientId::decode(input)?, read_seq(input)?);
                Message::Results { client, first, outputs: Vec::decode(input)? }
            }
            3 => Message::Query { first: read_seq(input)?, queries: Vec::decode(input)? },
            4 => Message::Answers { first: read_seq(input)?, outputs: Vec::decode(input)? },
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
            14 => {
                let (ballot, incarnation, round) = Wire::decode(input)?;
                Message::Confirmed { ballot, incarnation, round }
            }
            15 => Message::Heartbeat { tick: u64::decode(input)? },
            16 => Message::Alive {
                tick: u64::decode(input)?,
                incarnation: u64::decode(input)?,
                following: Ballot::decode(input)?,
                happy: bool::decode(input)?,
                executed_through: Slot::decode(input)?,
                clock: Option::decode(input)?,
            },
            17 => Message::TakeOver { ballot: Ballot::decode(input)? },
            18 => Message::Rejoin { incarnation: u64::decode(input)? },
            19 => {
                let (incarnation, lives, promised) = Wire::decode(input)?;
                let leading = match bool::decode(input)? {
                    false => None,
                    true => Some((Arc::new(Replica::decode(input)?), decode_runs(input)?)),
                };
                Message::Welcome { incarnation, lives, promised, leading }
            }
            20 => Message::Superseded { incarnation: u64::decode(input)? },
            0 | 21.. => return Err(Malformed("no such message")),
        })
    }
}

fn decode_runs<C: Wire>(input: &mut Reader<'_>) -> Result<Vec<Run<C>>, Malformed> {
    Vec::decode(input)
}

/// As it stands in recordings.
impl<C: Wire> Wire for Request<C> {
    fn encode(&self, out: &mut Writer<'_>) {
        let _ = match self {
            Request::Commands(commands) => tag(1, out).and(commands),
            Request::Queries(queries) => tag(2, out).and(queries),
            Request::HandOver => tag(3, out),
            Request::Clock(reading) => tag(4, out).and(reading),
        };
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => Request::Commands(Vec::decode(input)?),
            2 => Request::Queries(Vec::decode(input)?),
            3 => Request::HandOver,
            4 => Request::Clock(Wire::decode(input)?),
            0 | 5.. => return Err(Malformed("no such request")),
        })
    }
}

impl<C: Wire> Wire for Record<C> {
    fn encode(&self, out: &mut Writer<'_>) {
        let _ = match self {
            Record::Promised { ballot, chosen_through } => tag(1, out).and(ballot).and(chosen_through),
            Record::Accepted { run, chosen_through } => tag(2, out).and(chosen_through).and(run),
            Record::Rejoined { node, incarnation } => tag(3, out).and(node).and(incarnation),
            Record::Time(kept) => tag(4, out).and(kept),
        };
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match input.u8()? {
            1 => Record::Promised { ballot: Ballot::decode(input)?, chosen_through: Slot::decode(input)? },
            2 => {
                let chosen_through = Slot::decode(input)?;
                Record::Accepted { run: Run::decode(input)?, chosen_through }
            }
            3 => Record::Rejoined { node: NodeId::decode(input)?, incarnation: u64::decode(input)? },
            4 => Record::Time(KeptTime::decode(input)?),
            0 | 5.. => return Err(Malformed("no such record")),
        })
    }
}

impl<S: Portable> Wire for Checkpoint<S> {
    fn encode(&self, out: &mut Writer<'_>) {
        let fields = tag(2, out).and(&self.incarnation).and(&self.promised);
        fields.and(&self.accepted).and(&self.incarnations).and(&self.time).and(&*self.replica);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        if input.u8()? != 2 {
            return Err(Malformed("a checkpoint of another version"));
        }
        let (incarnation, promised) = <(u64, Ballot)>::decode(input)?;
        let accepted = decode_runs(input)?;
        let incarnations = Vec::decode(input)?;
        let time = Option::decode(input)?;
        Ok(Checkpoint {
            incarnation,
            promised,
            replica: Arc::new(Replica::decode(input)?),
            accepted,
            incarnations,
            time,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Ballot, Checkpoint, KeptTime, LogTime, Message, Proposal, Record, Replica, Run, Slot};
    use std::sync::Arc;
    use synod_clientserver::{ClientId, KvCommand, KvOutput, KvStore};
    use synod_node::{ClockReading, NodeId};
    use synod_stdx::{Digest, Wire};

    const BALLOT: Ballot = Ballot { round: 3, node: NodeId::server(2), life: 5 };
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
            Message::Confirmed { ballot: BALLOT, incarnation: 1, round: 6 },
            Message::Heartbeat { tick: 8 },
            Message::Alive {
                tick: 8,
                incarnation: 1,
                following: BALLOT,
                happy: true,
                executed_through: Slot(4),
                clock: Some(crate::ClockReport { wall_ms: 7, log: None }),
            },
            Message::TakeOver { ballot: BALLOT },
            Message::Rejoin { incarnation: 2 },
            Message::Welcome {
                incarnation: 2,
                lives: vec![(NodeId::server(3), 2)],
                promised: BALLOT,
                leading: Some((replica(), accepted)),
            },
            Message::Superseded { incarnation: 2 },
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

    /// The bytes of version 2. If this fails, old nodes and logs can no longer be read: make a new version instead.
    #[test]
    fn the_bytes_of_an_accept_are_those_of_version_two() {
        let accept: Message<KvStore> =
            Message::Accept { run: Some(run()), ballot: BALLOT, chosen_through: Slot(3) };
        let expected = [10, 3, 4, 5, 3, 1, 4, 3, 4, 5, 2, 1, 3, 0, 7, 9, 1, 1, 1, 107, 0];
        assert_eq!(accept.to_bytes(), expected);
        let record = Record::Accepted { run: run(), chosen_through: Slot(3) };
        assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record.clone()));
        assert_eq!(record.to_bytes()[..2], [2, 3]);
    }

    #[test]
    fn the_bytes_of_all_messages_and_records_are_those_of_version_three() {
        let mut digest = Digest::default();
        for message in messages() {
            digest.update(&message.to_bytes());
        }
        let (node, incarnation) = (NodeId::server(3), 2);
        let reading = ClockReading { boot: 4, monotonic_us: 5, wall_ms: 6 };
        let time = KeptTime { reading, log: LogTime { at_us: 7, age_us: 8 } };
        let records: [Record<KvCommand>; 4] = [
            Record::Promised { ballot: BALLOT, chosen_through: Slot(3) },
            Record::Accepted { run: run(), chosen_through: Slot(3) },
            Record::Rejoined { node, incarnation },
            Record::Time(time),
        ];
        for record in records {
            digest.update(&record.to_bytes());
        }
        let checkpoint = Checkpoint {
            incarnation,
            promised: BALLOT,
            replica: replica(),
            accepted: vec![run()],
            incarnations: vec![(node, incarnation)],
            time: Some(time),
        };
        let bytes = checkpoint.to_bytes();
        assert_eq!(Checkpoint::from_bytes(&bytes), Ok(checkpoint));
        digest.update(&bytes);
        assert_eq!(digest.value(), 4_908_738_706_184_027_489);
    }
}
