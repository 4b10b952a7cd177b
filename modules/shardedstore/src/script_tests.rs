//! The protocol's stories, as golden scripts.

use crate::{
    Client, ConfigurationCommand, GroupId, GroupPlan, Message, Process, Request, Response, Server, SlotId,
    SlotStatus, TextCommand, TextOutput, Texts,
};
use synod_clientserver::Outcome;
use synod_node::NodeId;
use synod_paxos::Settings;
use synod_script::{Cast, Options};

synod_script::scripts!(Store, "src/scripts":
    a_slot_goes_from_group_to_group,
    a_request_waits_where_its_slot_is_on_its_way_to,
    a_command_that_ran_before_its_slot_moved_is_answered_by_the_new_owner,
    a_transaction_asks_group_after_group_and_commits,
    a_lock_that_comes_late_is_nothing_to_the_decision,
    a_participant_that_hears_nothing_asks,
    a_coordinator_that_restarts_goes_on,
    a_slot_that_is_locked_moves_when_it_is_free,
);

/// A configuration service `n1`, groups of one member each (`n11` is the first group's), a controller `c9`, clients.
/// There are two slots: the key `b` is in the first, `c` in the second.
struct Store;

const SLOTS: u16 = 2;
const MASTERS: [NodeId; 1] = [NodeId::server(1)];

fn group_of(id: NodeId) -> u32 {
    id.number() / 10
}

fn configure(words: &[&str]) -> Option<ConfigurationCommand> {
    let group = |word: &str| word.parse::<GroupId>().ok();
    let slot = |word: &str| word.parse().ok().and_then(SlotId::new);
    Some(match words {
        ["join", name] => {
            let group = group(name)?;
            ConfigurationCommand::Join { group, members: vec![NodeId::server(10 * group.0 + 1)] }
        }
        ["leave", name] => ConfigurationCommand::Leave { group: group(name)? },
        ["move", number, name] => {
            let slot = slot(number)?;
            ConfigurationCommand::Move { first: slot, last: slot, group: group(name)? }
        }
        _ => return None,
    })
}

impl Cast for Store {
    type Node = Process<Texts>;

    fn build(&self, id: NodeId, life: u64, _options: &Options) -> Result<Self::Node, String> {
        let settings = Settings { missed_ticks_max: 1, ..Settings::default() };
        Ok(match (id.is_client(), id.number()) {
            (true, 9) => Process::controller(id, life as u128, &MASTERS),
            (true, _) => Process::Client(Client::new(id, life as u128, &MASTERS, SLOTS)),
            (false, 1) => Process::master(id, &MASTERS, SLOTS, settings),
            (false, _) => Process::Server(Server::new(
                id,
                &GroupPlan {
                    group: GroupId(group_of(id)),
                    members: &[id],
                    masters: &MASTERS,
                    slot_count: SLOTS,
                    store: Texts::new(SLOTS),
                    settings,
                    part_bytes: crate::PART_BYTES,
                },
            )),
        })
    }

    fn request(&self, words: &[&str]) -> Result<Request<TextCommand>, String> {
        Ok(match words {
            ["put", key, value] => Request::Commands(vec![TextCommand::put(key, value)]),
            ["append", key, value] => Request::Commands(vec![TextCommand::append(key, value)]),
            ["get", key] => Request::Commands(vec![TextCommand::get(key)]),
            ["read", key] => Request::Queries(vec![TextCommand::get(key)]),
            ["put2", one, two, value] => {
                Request::Commands(vec![TextCommand::multi_put(&[(one, value), (two, value)])])
            }
            ["get2", one, two] => Request::Commands(vec![TextCommand::multi_get(&[one, two])]),
            words => Request::Configure(
                configure(words).ok_or("ask for put, append, get, read, put2, get2, join, leave or move")?,
            ),
        })
    }

    fn describe(&self, node: &Self::Node) -> String {
        let Some(server) = node.server() else { return String::new() };
        let state = server.state();
        let held = state.held().map(|(slot, status)| match status {
            SlotStatus::Served => format!("{slot}"),
            SlotStatus::Locked(attempt) => format!("{slot} locked for {attempt}"),
            SlotStatus::Frozen => format!("{slot} frozen"),
        });
        let held: Vec<String> = held.collect();
        let number = state
            .configuration()
            .map_or("no configuration".to_owned(), |known| format!("configuration {}", known.number));
        let role = if server.paxos().is_leader() { "" } else { " (does not lead)" };
        let data: Vec<String> = server
            .state()
            .store()
            .values
            .values()
            .flatten()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        format!("g{} in {number}{role}, slots [{}], {}", server.group().0, held.join(", "), data.join(" "))
    }

    fn message(&self, message: &Message<Texts>) -> String {
        match message {
            Message::Submit { lots } => {
                let lots: Vec<String> = lots
                    .iter()
                    .map(|lot| format!("{}@{}#{} {:?}", lot.client, lot.slot, lot.first, lot.commands))
                    .collect();
                format!("Submit {}", lots.join("; "))
            }
            Message::Results { lots } => {
                let lots: Vec<String> = lots
                    .iter()
                    .map(|lot| format!("{}@{}#{} {:?}", lot.client, lot.slot, lot.first, lot.outputs))
                    .collect();
                format!("Results {}", lots.join("; "))
            }
            Message::Give { number, chunks } => {
                let slots: Vec<String> =
                    chunks.iter().map(|chunk| format!("{}: {:?}", chunk.slot, chunk.fragment)).collect();
                format!("Give of configuration {number}, slot {}", slots.join(", slot "))
            }
            Message::Masters(_)
            | Message::SeatedMaster { .. }
            | Message::Members(_)
            | Message::Seated { .. }
            | Message::Ask { .. }
            | Message::Elsewhere { .. }
            | Message::NotLeader { .. }
            | Message::Forgotten { .. }
            | Message::Ready { .. }
            | Message::Taken { .. }
            | Message::Prepare { .. }
            | Message::Vote { .. }
            | Message::Refused { .. }
            | Message::Outcome { .. }
            | Message::Finished { .. }
            | Message::Inquire { .. } => format!("{message:?}"),
        }
    }

    fn response(&self, response: &Response<TextOutput>) -> String {
        match response {
            Response::Store(Outcome::Done(output)) => format!("{output:?}"),
            Response::Configuration(Outcome::Done(output)) => format!("{output:?}"),
            Response::Store(Outcome::MayHaveHappened) | Response::Configuration(Outcome::MayHaveHappened) => {
                "may have happened".to_owned()
            }
        }
    }
}
