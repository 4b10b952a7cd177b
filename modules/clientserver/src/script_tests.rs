//! The protocol's stories, as golden scripts.

use crate::{Client, KvCommand, KvOutput, KvStore, Outcome, Process, Server};
use synod_node::NodeId;
use synod_script::{Cast, Options};

synod_script::scripts!(Pair, "src/scripts":
    a_duplicate_request_is_answered_again_and_runs_once,
    a_window_opens_with_the_first_answer_and_goes_back_to_the_lowest,
    a_server_that_forgot_a_session_says_so,
    a_late_result_of_a_forgotten_session_answers_nobody,
);

/// One server and its clients.
struct Pair;

impl Cast for Pair {
    type Node = Process<KvStore>;

    fn build(&self, id: NodeId, _life: u64, _options: &Options) -> Result<Self::Node, String> {
        Ok(if id.is_client() {
            Process::Client(Client::new(id, NodeId::server(1)))
        } else {
            Process::Server(Server::new(KvStore::default()))
        })
    }

    fn request(&self, words: &[&str]) -> Result<KvCommand, String> {
        match words {
            ["put", key, value] => Ok(KvCommand::put(key, value)),
            ["append", key, value] => Ok(KvCommand::append(key, value)),
            ["get", key] => Ok(KvCommand::get(key)),
            _ => Err("ask for put, append or get".to_owned()),
        }
    }

    fn describe(&self, node: &Self::Node) -> String {
        match node {
            Process::Server(server) => {
                format!("{:?}, {} results kept", server.machine(), server.sessions().results().count())
            }
            Process::Client(_) => String::new(),
        }
    }

    fn response(&self, response: &Outcome<KvOutput>) -> String {
        format!("{response:?}")
    }
}
