//! The protocol's stories, as golden scripts.

use crate::{Client, Process, Server};
use synod_node::NodeId;
use synod_script::{Cast, Options};

synod_script::scripts!(Pair, "src/scripts":
    a_lost_ping_is_sent_again_until_it_is_answered,
    a_stale_or_second_pong_answers_nothing,
);

/// One server and its clients.
struct Pair;

impl Cast for Pair {
    type Node = Process;

    fn build(&self, id: NodeId, _life: u64, _options: &Options) -> Result<Process, String> {
        Ok(if id.is_client() {
            Process::Client(Client::new(NodeId::server(1)))
        } else {
            Process::Server(Server)
        })
    }

    fn request(&self, words: &[&str]) -> Result<u64, String> {
        match words {
            [value] => value.parse().map_err(|_| "the value is a number".to_owned()),
            _ => Err("ask for one value".to_owned()),
        }
    }

    fn describe(&self, node: &Process) -> String {
        match node {
            Process::Server(_) => String::new(),
            Process::Client(client) => format!("{client:?}"),
        }
    }
}
