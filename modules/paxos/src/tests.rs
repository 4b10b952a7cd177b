//! The protocol's stories, as golden scripts.

use crate::{Client, Message, Process, Proposal, Request, Run, Server, Settings};
use synod_clientserver::{KvCommand, KvOutput, KvStore, Outcome};
use synod_node::NodeId;
use synod_script::{Cast, Options};

synod_script::scripts!(Group, "src/tests/scripts":
    the_first_member_is_elected_when_it_hears_a_quorum,
    two_candidates_at_once_do_not_duel,
    a_command_costs_one_accept_and_one_accepted_a_follower,
    a_higher_ballot_deposes_the_leader_and_its_accept_is_refused,
    a_new_leader_fills_gaps_with_no_ops,
    a_lost_accept_is_sent_again_at_a_tick,
    a_lagging_replica_catches_up_from_the_log,
    a_replica_behind_the_compacted_log_gets_a_snapshot,
    a_deposed_leader_answers_no_read_and_the_new_one_waits_for_its_barrier,
    a_promise_of_a_former_life_elects_nobody,
    a_vote_waits_for_the_disk,
    a_crash_between_accept_and_durable_forgets_the_vote,
    a_replica_without_its_disk_stays_out_until_it_is_let_in,
    a_command_submitted_to_two_leaders_runs_once,
    a_leader_that_stops_hands_over_to_the_follower_that_is_furthest,
);

/// A group of `members=` servers, three unless said otherwise, and clients.
struct Group;

impl Cast for Group {
    type Node = Process<KvStore>;

    fn build(&self, id: NodeId, life: u64, options: &Options) -> Result<Self::Node, String> {
        let mut settings = Settings::default();
        let mut members = 3;
        for (name, value) in options {
            let number: u32 = value.parse().map_err(|_| format!("{name}= is a number"))?;
            match name.as_str() {
                "members" => members = number,
                "retained" => settings.retained_slots_max = u64::from(number),
                "batches" => settings.batches_in_flight_max = number as usize,
                "checkpoint" => settings.checkpoint_bytes = number as usize,
                unknown => return Err(format!("there is no option {unknown}=")),
            }
        }
        let servers = NodeId::servers(members);
        Ok(match (id.is_client(), life) {
            (true, life) => Process::Client(Client::new(id, life as u128, &servers)),
            (false, 0) => Process::Server(Server::new(id, &servers, KvStore::default(), settings)),
            (false, life) => {
                Process::Server(Server::rejoining(id, &servers, KvStore::default(), settings, life))
            }
        })
    }

    fn request(&self, words: &[&str]) -> Result<Request<KvCommand>, String> {
        Ok(match words {
            ["put", key, value] => Request::Commands(vec![KvCommand::put(key, value)]),
            ["append", key, value] => Request::Commands(vec![KvCommand::append(key, value)]),
            ["get", key] => Request::Commands(vec![KvCommand::get(key)]),
            ["read", key] => Request::Queries(vec![KvCommand::get(key)]),
            ["hand", "over"] => Request::HandOver,
            _ => return Err("ask for put, append, get, read or hand over".to_owned()),
        })
    }

    fn describe(&self, node: &Self::Node) -> String {
        let Some(server) = node.server() else { return String::new() };
        let known = match server.leader() {
            Some(leader) if !server.is_leader() => format!(" of {leader}"),
            Some(_) | None => String::new(),
        };
        let log = server.log();
        format!(
            "{}{known} promised {}, log ({}..{}], chosen {}",
            server.role_name(),
            server.promised(),
            log.dropped_through(),
            log.last(),
            server.chosen_through(),
        )
    }

    fn message(&self, message: &Message<KvStore>) -> String {
        match message {
            Message::Submit { client, first, commands, .. } => {
                format!("Submit {client}#{first} {}", list(commands.iter().map(command)))
            }
            Message::Results { client, first, outputs } => {
                format!("Results {client}#{first} {}", list(outputs.iter().map(output)))
            }
            Message::Query { first, queries } => {
                format!("Query #{first} {}", list(queries.iter().map(command)))
            }
            Message::Answers { first, outputs } => {
                let outputs = outputs.iter().map(|read| read.as_ref().map_or("?".to_owned(), output));
                format!("Answers #{first} {}", list(outputs))
            }
            Message::NotLeader { leader } => {
                format!("NotLeader, {}", leader.map_or("nobody known".to_owned(), |id| format!("ask {id}")))
            }
            Message::Prepare { ballot, chosen_through } => {
                format!("Prepare {ballot}, chosen {chosen_through}")
            }
            Message::Promise { ballot, chosen_through, snapshot, accepted, .. } => {
                let snapshot =
                    snapshot.as_ref().map(|state| format!("snapshot through {}, ", state.through()));
                let accepted = list(accepted.iter().map(run));
                format!(
                    "Promise {ballot}, {}accepted {accepted}, chosen {chosen_through}",
                    snapshot.unwrap_or_default()
                )
            }
            Message::Accept { run: Some(accept), ballot, chosen_through } => {
                format!("Accept {ballot} {}, chosen {chosen_through}", run(accept))
            }
            Message::Accept { run: None, ballot, chosen_through } => {
                format!("Accept {ballot} nothing, chosen {chosen_through}")
            }
            Message::Accepted { ballot, incarnation, through, executed_through } => {
                let life = if *incarnation > 0 { format!(" in life {incarnation}") } else { String::new() };
                format!("Accepted {ballot} through {through}, executed {executed_through}{life}")
            }
            Message::Snapshot { ballot, replica } => {
                format!("Snapshot {ballot} through {}", replica.through())
            }
            Message::Welcome { incarnation, promised, leading, .. } => {
                let leading = leading.as_ref().map(|(state, open)| {
                    format!(", state through {}, open {}", state.through(), list(open.iter().map(run)))
                });
                format!("Welcome to life {incarnation}, promised {promised}{}", leading.unwrap_or_default())
            }
            Message::Forgotten { .. }
            | Message::Rejected { .. }
            | Message::Confirm { .. }
            | Message::Confirmed { .. }
            | Message::Heartbeat { .. }
            | Message::Alive { .. }
            | Message::TakeOver { .. }
            | Message::Rejoin { .. }
            | Message::Superseded { .. } => format!("{message:?}"),
        }
    }

    fn response(&self, response: &Outcome<KvOutput>) -> String {
        match response {
            Outcome::Done(done) => output(done),
            Outcome::MayHaveHappened => "may have happened".to_owned(),
        }
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

fn command(command: &KvCommand) -> String {
    match command {
        KvCommand::Put { key, value } => format!("put {key} {value}"),
        KvCommand::Get { key } => format!("get {key}"),
        KvCommand::Append { key, value } => format!("append {key} {value}"),
    }
}

fn output(output: &KvOutput) -> String {
    match output {
        KvOutput::PutOk => "ok".to_owned(),
        KvOutput::Value(value) | KvOutput::Appended(value) => value.to_string(),
        KvOutput::KeyNotFound => "no such key".to_owned(),
    }
}

fn run(run: &Run<KvCommand>) -> String {
    let proposals = run.proposals().iter().map(|proposal| match proposal {
        Proposal::Noop => "no-op".to_owned(),
        Proposal::Own { command: asked } => command(asked),
        Proposal::Command { client, seq, command: asked, .. } => format!("{client}#{seq} {}", command(asked)),
    });
    format!("{}@{} {}", run.first(), run.ballot(), proposals.collect::<Vec<_>>().join("; "))
}
