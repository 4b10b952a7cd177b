//! How a node begins whose disk has nothing yet. Absent is never new: before anything runs, the node asks the others what it is.
//!
//! * **The cluster is there.** Any node of it asks the configuration service which incarnation this disk is, and the log
//!   answers: the first of a node that was added, or one more than the last if the node had another disk, which is then lost
//!   for good. The node learns the membership with it.
//! * **Nobody has founded it.** The nodes of the file found it together, and only when each has heard from all others that
//!   they were given the same list. Each keeps the list and the numbers of their disks before anything of it runs. So no two
//!   majorities of different lists ever exist, and a founder whose disk is lost is found out, too.
//!
//! A disk has its number from the first moment on, so who asks twice is the same. The node asks as a guest
//! (`synod_host::ask_as_guest`); a node that runs answers it (`answer`), and so does one that waits itself.

use super::backend::Gateway;
use super::membership::{FACT, Membership};
use crate::config::{Config, Peer};
use serde::{Deserialize, Serialize};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use synod_host::{Answer, Guest, Identity, Introduction, Key, Refusal, Unanswered};
use synod_shardedstore::{Addresses, ConfigurationOutput};
use synod_stdx::Digest;
use tokio::net::TcpListener;

/// How often the others are asked.
const ROUND: Duration = Duration::from_millis(100);
/// A node that waits so long says what for, and says it again each time that as much more time has passed.
const SAID_AFTER: Duration = Duration::from_secs(5);
/// A node that runs knows the configurations up to one so long after the service has them, or the guest asks again.
const KNOWN_WITHIN: Duration = Duration::from_secs(3);

/// The question of a node that runs nothing yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Question {
    /// The list that it was given, as a number.
    list: u64,
    /// Its disk is that of this incarnation at least.
    incarnation: u64,
    /// Where it is reached.
    peer: String,
    client: String,
}

/// The answer to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    /// I wait as you do; or I have founded the cluster with you, and your disk is the one that I saw then.
    Founding { list: u64, disk: String },
    /// You belong to the cluster, with this disk as this incarnation.
    Attached { incarnation: u64, membership: String },
    /// Not as you are. What is to be done.
    Refused { why: String },
    /// Ask again: what it waits for.
    NotYet { why: String },
}

/// A node that has nothing on its disk, and the answers so far.
struct Waiting<'a> {
    config: &'a Config,
    introduction: Introduction,
    question: Question,
    /// The founders that were given the same list, and the numbers of their disks.
    agreed: RefCell<BTreeMap<u32, u128>>,
    /// Since when it waits, or when it last said so.
    said_at: Cell<Instant>,
}

/// Finds out what the node is that `config` describes, if its disk has nothing yet, and writes it there: then the data can be
/// opened. Yields the incarnation of the disk.
///
/// # Errors
/// If the data cannot be used, or the others refuse this node; says what to do.
pub(super) async fn settle(config: &Config, keys: &[Key], peers_in: &TcpListener) -> Result<u64, String> {
    let (cluster, node) = (Digest::of(config.cluster.as_bytes()), config.node);
    let identity = Identity { cluster, node, incarnation: config.incarnation };
    let prior = synod_host::prior(&config.data, identity).map_err(|error| super::refused(&error))?;
    if !prior.is_new {
        return Ok(config.incarnation);
    }
    let least = config.incarnation.max(prior.identity.incarnation);
    let own = config.own_addresses();
    let waiting = Waiting {
        config,
        introduction: Introduction { cluster, number: node, disk: prior.disk, keys: keys.to_vec() },
        question: Question {
            list: list_of(config),
            incarnation: least,
            peer: own.peer.to_string(),
            client: own.client.to_string(),
        },
        agreed: RefCell::new(BTreeMap::from([(node, prior.disk)])),
        said_at: Cell::new(Instant::now()),
    };
    let asked = async {
        loop {
            if let Some(found) = waiting.ask_all().await? {
                return Ok::<_, String>(found);
            }
            tokio::time::sleep(ROUND).await;
        }
    };
    // A founder that has heard from all goes on answering until all have heard from it; here, until it runs.
    let (incarnation, membership) = tokio::select! {
        found = asked => found?,
        () = waiting.answer_others(peers_in) => unreachable!("it answers for ever"),
    };
    let identity = Identity { incarnation, ..identity };
    let fact = (FACT, membership.to_text().into_bytes());
    synod_host::prepare(&config.data, (identity, prior.disk), &[fact])
        .map_err(|error| super::refused(&error))?;
    Ok(incarnation)
}

/// The list of founders as a number.
pub(super) fn list_of(config: &Config) -> u64 {
    // Not the addresses: each may reach the others in its own way.
    let mut numbers: Vec<u32> = config.peers.iter().map(|peer| peer.node).collect();
    numbers.sort_unstable();
    Digest::of(format!("{numbers:?}").as_bytes())
}

impl Waiting<'_> {
    /// Asks all others once. Yields what this node is, as soon as that is known.
    async fn ask_all(&self) -> Result<Option<(u64, Membership)>, String> {
        let question = serde_json::to_vec(&self.question).map_err(|error| error.to_string())?;
        let others = self.config.peers.iter().filter(|peer| peer.node != self.config.node);
        let mut waits_for = Vec::new();
        for peer in others {
            let answer =
                synod_host::ask_as_guest(&self.introduction, (peer.node, &peer.peer), &question).await;
            let said = answer.map(|answer| serde_json::from_slice::<Said>(&answer).ok());
            match said {
                Ok(Some(Said::Attached { incarnation, membership })) => {
                    let told = Membership::told(self.config.node, incarnation, &membership);
                    let told = told.ok_or_else(|| {
                        format!(
                            "node {} speaks of the cluster as no release does that this one knows",
                            peer.node
                        )
                    })?;
                    if incarnation > 0 {
                        tracing::warn!(
                            incarnation,
                            "this node has lived before: it rejoins with an empty disk"
                        );
                    }
                    return Ok(Some((incarnation, told)));
                }
                Ok(Some(Said::Founding { list, disk })) if list == self.question.list => {
                    match u128::from_str_radix(&disk, 16) {
                        Ok(disk) => drop(self.agreed.borrow_mut().insert(peer.node, disk)),
                        Err(_) => waits_for.push(format!("node {} makes no sense", peer.node)),
                    }
                }
                Ok(Some(Said::Founding { .. })) => waits_for.push(format!(
                    "node {} was given another list of nodes: give all founders the same `peers`",
                    peer.node
                )),
                Ok(Some(Said::Refused { why })) => return Err(format!("node {}: {why}", peer.node)),
                Ok(Some(Said::NotYet { why })) => waits_for.push(format!("node {}: {why}", peer.node)),
                Ok(None) => waits_for.push(format!("node {} makes no sense", peer.node)),
                Err(Unanswered::Refused(refusal @ (Refusal::OtherNode | Refusal::Myself))) => {
                    return Err(format!("node {} at {}: {refusal}", peer.node, peer.peer));
                }
                Err(Unanswered::Refused(refusal)) => waits_for.push(format!("node {}: {refusal}", peer.node)),
                Err(Unanswered::Nobody) if !self.agreed.borrow().contains_key(&peer.node) => {
                    waits_for.push(format!("node {} does not answer at {}", peer.node, peer.peer));
                }
                Err(Unanswered::Nobody) => {}
            }
        }
        let founders = self.founders();
        if waits_for.is_empty() && founders.len() == self.config.peers.len() {
            return Ok(Some((0, Membership::founding(self.config.node, &founders))));
        }
        self.say(&waits_for.join("; "));
        Ok(None)
    }

    /// The founders that agree, with their addresses and disks.
    fn founders(&self) -> Vec<(u32, Addresses, u128)> {
        let agreed = self.agreed.borrow();
        let founder = |peer: &Peer| Some((peer.node, peer.addresses(), *agreed.get(&peer.node)?));
        self.config.peers.iter().filter_map(founder).collect()
    }

    /// Says what it waits for, once that has lasted.
    fn say(&self, what: &str) {
        if self.said_at.get().elapsed() >= SAID_AFTER {
            self.said_at.set(Instant::now());
            tracing::warn!("not serving yet: nothing is on this disk, and {what}");
        }
    }

    /// Answers the others, who wait as this node does.
    async fn answer_others(&self, peers_in: &TcpListener) {
        let (list, disk) = (self.question.list, self.introduction.disk);
        let answer = move |_: Guest, _: Vec<u8>| -> Answer {
            let said = Said::Founding { list, disk: format!("{disk:032x}") };
            Box::pin(async move { serde_json::to_vec(&said).unwrap_or_default() })
        };
        synod_host::answer_guests(peers_in, &self.introduction, answer).await;
    }
}

/// Answers a guest, at a node that runs.
pub(super) async fn answer(
    gateway: Gateway,
    (list, disk): (u64, u128),
    guest: Guest,
    question: Vec<u8>,
) -> Vec<u8> {
    let Ok(question) = serde_json::from_slice::<Question>(&question) else { return Vec::new() };
    let said = match gateway.founded_with() {
        Some(disks) if disks.get(&guest.number) == Some(&guest.disk) && list == question.list => {
            Said::Founding { list, disk: format!("{disk:032x}") }
        }
        Some(_) => Said::NotYet { why: "the store is being founded, and not with this disk".to_owned() },
        None => attach(&gateway, guest, question).await,
    };
    serde_json::to_vec(&said).unwrap_or_default()
}

async fn attach(gateway: &Gateway, guest: Guest, question: Question) -> Said {
    // The one that runs must not be taken for lost. One that died is not connected any more within a second or two.
    if guest.number == gateway.me() || gateway.is_connected(guest.number) {
        let why = format!(
            "node {} runs already, with its disk: two processes have one number; give each its own",
            guest.number
        );
        return Said::NotYet { why };
    }
    let addresses = Addresses { peer: question.peer.into(), client: question.client.into() };
    let command = synod_shardedstore::ConfigurationCommand::Attach {
        node: guest.number,
        disk: guest.disk,
        is_new: true,
        incarnation: question.incarnation,
        addresses: Some(addresses),
    };
    match gateway.configured(command).await {
        Some(ConfigurationOutput::Attached { incarnation, number }) => {
            let deadline = Instant::now() + KNOWN_WITHIN;
            while gateway.knows_through() < Some(number) {
                if Instant::now() > deadline {
                    return Said::NotYet { why: "it does not know all configurations yet".to_owned() };
                }
                tokio::time::sleep(ROUND / 10).await;
            }
            tracing::info!(
                node = guest.number,
                incarnation,
                "a node with an empty disk belongs to the cluster"
            );
            Said::Attached { incarnation, membership: gateway.membership_text() }
        }
        Some(ConfigurationOutput::Error(error @ synod_shardedstore::ConfigurationError::NoSuchNode(_))) => {
            Said::NotYet { why: error.to_string() }
        }
        Some(ConfigurationOutput::Error(error)) => Said::Refused { why: error.to_string() },
        Some(ConfigurationOutput::Ok(_) | ConfigurationOutput::Configuration(_)) | None => Said::NotYet {
            why: "the configuration service does not answer: most of its members are away".to_owned(),
        },
    }
}
