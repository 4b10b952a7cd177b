//! The protocol's stories, as golden scripts.

use crate::{Client, Message, Participant, Replica, Request};
use synod_node::NodeId;
use synod_script::{Cast, Options};

synod_script::scripts!(Group, "src/scripts":
    a_write_and_a_read_take_two_phases_each,
    a_reader_stores_what_it_answers,
);

/// Three replicas and their clients.
struct Group;

impl Cast for Group {
    type Node = Participant;

    fn build(&self, id: NodeId, _life: u64, _options: &Options) -> Result<Participant, String> {
        Ok(if id.is_client() {
            Participant::Client(Client::new(id, &NodeId::servers(3)))
        } else {
            Participant::Replica(Replica::default())
        })
    }

    fn request(&self, words: &[&str]) -> Result<Request, String> {
        match words {
            ["read"] => Ok(Request::Read),
            ["write", value] => {
                value.parse().map(Request::Write).map_err(|_| "the value is a number".to_owned())
            }
            _ => Err("ask for read, or for write and a number".to_owned()),
        }
    }

    fn describe(&self, node: &Participant) -> String {
        match node {
            Participant::Replica(replica) => {
                let (tag, value) = replica.state();
                value.map_or_else(
                    || "empty".to_owned(),
                    |value| format!("{value}, round {} of {}", tag.round, tag.writer),
                )
            }
            Participant::Client(_) => String::new(),
        }
    }

    fn message(&self, message: &Message) -> String {
        match message {
            Message::Query { .. } => "Query".to_owned(),
            Message::State { tag, value, .. } => format!("State {value:?}, round {}", tag.round),
            Message::Store { tag, value, .. } => format!("Store {value:?}, round {}", tag.round),
            Message::Stored { .. } => "Stored".to_owned(),
        }
    }
}
