//! The protocol's stories, as golden scripts.

use crate::{Client, Process, Server, Settings, ViewServer};
use synod_clientserver::{KvCommand, KvOutput, KvStore, Outcome};
use synod_node::NodeId;
use synod_script::{Cast, Options};

synod_script::scripts!(Service, "src/scripts":
    a_backup_out_of_reach_is_replaced,
    a_backup_takes_over_when_the_primary_is_silent,
    a_deposed_primary_answers_nothing_not_even_a_read,
    a_primary_that_dies_before_it_acknowledges_blocks_the_service,
    a_request_that_ran_does_not_run_again_at_the_new_primary,
    a_server_that_restarts_is_another_member,
    a_state_goes_over_in_pieces_and_begins_anew_in_the_next_view,
    a_view_is_announced_once_it_is_durable,
    forwards_out_of_order_wait_for_what_is_missing,
    the_first_server_serves_and_the_second_stands_by,
    without_the_view_server_nobody_takes_over,
);

/// The view server's name.
const VIEW_SERVER: NodeId = NodeId::server(0);

/// A view server `n0`, servers and clients. The option `chunk` is how many bytes of a state one message carries.
struct Service;

impl Cast for Service {
    type Node = Process<KvStore>;

    fn build(&self, id: NodeId, _life: u64, options: &Options) -> Result<Self::Node, String> {
        let mut settings = Settings::default();
        for (key, value) in options {
            match key.as_str() {
                "chunk" => settings.chunk_bytes_max = value.parse().map_err(|_| "chunk= is a number")?,
                _ => return Err(format!("there is no option {key}")),
            }
        }
        Ok(if id == VIEW_SERVER {
            Process::ViewServer(ViewServer::default())
        } else if id.is_client() {
            Process::Client(Client::new(id, VIEW_SERVER))
        } else {
            Process::Server(Server::new(id, VIEW_SERVER, KvStore::default(), settings))
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
            Process::ViewServer(view_server) => {
                let acked = if view_server.is_acked() { ", acknowledged" } else { "" };
                format!("{}{acked}", view_server.view())
            }
            Process::Server(server) => {
                let state = server.replica().map(|replica| format!(": {:?}", replica.machine()));
                format!("{} in {}{}", server.role_name(), server.view(), state.unwrap_or_default())
            }
            Process::Client(_) => String::new(),
        }
    }

    fn response(&self, response: &Outcome<KvOutput>) -> String {
        format!("{response:?}")
    }
}
