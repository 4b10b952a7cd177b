//! A fresh system of each module, for a person to drive by hand.

use super::readers;
use crate::searches::group::{self, Caller, Group};
use crate::searches::pair::{self, Service};
use crate::searches::shards::{self, CONTROLLER, Shards};
use crate::searches::{clientserver, pingpong};
use crate::shardedstore::texts::through_the_log;
use std::sync::Arc;
use synod_checker::{Blind, Checkable, Network, Observer, Property, Settings, System, Witness};
use synod_clientserver::KvCommand;
use synod_debugger::{Setup, Shown};
use synod_node::NodeId;
use synod_shardedstore::Request;
use synod_testkit::Exhibit;

/// How large a system by hand is, and what its users ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shape {
    /// How many servers; of a sharded store, in each group.
    pub servers: u32,
    /// How many clients.
    pub clients: u32,
    /// How many groups, where there are any.
    pub groups: u32,
    /// What the clients' users ask: requests joined by commas, users by semicolons. A single user's is every user's.
    pub workload: String,
    /// Which of the module's mutants takes the steps.
    pub mutant: Option<&'static str>,
}

/// At most so many of anything can be looked at.
const MANY: u32 = 30;
/// A sharded store by hand has so many slots.
const SLOTS: u16 = 8;

impl Shape {
    /// What is usual for a module.
    pub fn usual(module: &str) -> Shape {
        let servers = match module {
            "pingpong" | "clientserver" | "shardedstore" => 1,
            _ => 3,
        };
        Shape { servers, clients: 2, groups: 2, workload: String::new(), mutant: None }
    }

    /// As arguments of the command line.
    pub fn arguments(&self) -> String {
        let mut text = format!("--servers {} --clients {}", self.servers, self.clients);
        if self.groups != Shape::usual("").groups {
            text.push_str(&format!(" --groups {}", self.groups));
        }
        if !self.workload.is_empty() {
            text.push_str(&format!(" --workload '{}'", self.workload));
        }
        if let Some(mutant) = self.mutant {
            text.push_str(&format!(" --mutant {mutant}"));
        }
        text
    }

    pub(super) fn check(&self) -> Result<(), String> {
        for (name, count) in [("servers", self.servers), ("groups", self.groups)] {
            if !(1..=MANY).contains(&count) {
                return Err(format!("--{name} {count}: from 1 to {MANY} can be shown"));
            }
        }
        if self.clients > MANY {
            return Err(format!("--clients {}: at most {MANY} can be shown", self.clients));
        }
        Ok(())
    }

    /// What each user asks.
    fn asks<R: Clone>(&self, read: impl Fn(&str) -> Result<R, String>) -> Result<Vec<Vec<R>>, String> {
        let lists: Vec<&str> = self.workload.split(';').collect();
        let of =
            |text: &str| text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(&read).collect();
        let lists: Vec<Vec<R>> = lists
            .into_iter()
            .map(of)
            .collect::<Result<_, String>>()
            .map_err(|error: String| format!("--workload: {error}"))?;
        if lists.len() > 1 && lists.len() != self.clients as usize {
            return Err(format!(
                "--workload has {} users, and there are {} clients",
                lists.len(),
                self.clients
            ));
        }
        let list_of = |client: usize| lists[if lists.len() == 1 { 0 } else { client }].clone();
        Ok((0..self.clients as usize).map(list_of).collect())
    }
}

/// Requests whose right answers are not known beforehand.
fn open_ended<R, A>(asks: Vec<R>) -> Vec<(R, Option<A>)> {
    asks.into_iter().map(|ask| (ask, None)).collect()
}

/// What is the same in all of them.
fn dressed<N: Shown + Checkable>(
    (module, shape): (&str, &Shape),
    system: System<N>,
    observer: impl Observer<N>,
    invariants: Vec<Property<N>>,
) -> Result<Setup<N>, String> {
    let exhibit = Exhibit { system, observer: Witness::new(observer), invariants, goals: Vec::new() };
    let mut setup = exhibit.setup(&format!("{module}, by hand"))?;
    module.clone_into(&mut setup.module);
    setup.scenario = super::BY_HAND.to_owned();
    setup.stage = Some(shape.arguments());
    setup.command = format!("synod debug --module {module} {}", shape.arguments());
    super::dress(&mut setup);
    Ok(setup)
}

/// Of `pingpong`.
pub fn pingpong(shape: &Shape) -> Result<Setup<synod_pingpong::Process>, String> {
    let system = pingpong::of_users(shape.mutant, Network::Bag, shape.asks(readers::ping)?);
    let mut setup = dressed(("pingpong", shape), system, Blind, Vec::new())?;
    setup.reader = Some((readers::PING_HELP.to_owned(), Arc::new(|_, text| readers::ping(text))));
    Ok(setup)
}

/// Of `clientserver`.
pub fn clientserver(shape: &Shape) -> Result<Setup<clientserver::Node>, String> {
    let users = shape.asks(readers::kv)?.into_iter().map(|asks| clientserver::user(open_ended(asks)));
    let system = clientserver::system(shape.mutant, Network::Bag, users.collect());
    let judge = clientserver::Judge::default();
    let mut setup = dressed(("clientserver", shape), system, judge, Vec::new())?;
    setup.reader = Some((readers::KV_HELP.to_owned(), Arc::new(|_, text| readers::kv(text))));
    Ok(setup)
}

/// Of `primarybackup`.
pub fn primarybackup(shape: &Shape) -> Result<Setup<pair::Node>, String> {
    let users = shape.asks(readers::kv)?.into_iter().map(open_ended);
    let service = Service { network: Network::Bag, ..Service::new(shape.servers, users.collect()) };
    let system = service.system(shape.mutant);
    let Settings { invariants, .. } = pair::sound(shape.servers);
    let mut setup = dressed(("primarybackup", shape), system, pair::Judge::default(), invariants)?;
    setup.reader = Some((readers::KV_HELP.to_owned(), Arc::new(|_, text| readers::kv(text))));
    Ok(setup)
}

/// Of `paxos`.
pub fn paxos(shape: &Shape) -> Result<Setup<group::Node>, String> {
    let users = shape.asks(readers::kv)?;
    let caller = |asks: Vec<KvCommand>| Caller::new(1, &open_ended(asks));
    let system = Group::new(shape.servers, users.into_iter().map(caller).collect()).system(shape.mutant);
    let Settings { invariants, .. } = group::sound(shape.servers);
    let mut setup = dressed(("paxos", shape), system, group::Judge::default(), invariants)?;
    setup.reader = Some((readers::PAXOS_HELP.to_owned(), Arc::new(|_, text| readers::paxos(text))));
    Ok(setup)
}

/// Of `shardedstore`: a configuration service of one member, and groups.
pub fn shardedstore(shape: &Shape) -> Result<Setup<shards::Node>, String> {
    let client = NodeId::client(1);
    let members = shape.servers;
    let read = move |text: &str| match readers::sharded((client, CONTROLLER), members, text)? {
        Request::Commands(commands) if commands.len() == 1 => Ok(commands[0].clone()),
        _ => Err(format!("`{text}` can be asked by hand alone")),
    };
    let users = shape.asks(read)?.into_iter().map(open_ended).collect();
    let changes = shards::joins(shape.groups, members);
    let store = Shards {
        members,
        asking: through_the_log,
        network: Network::Bag,
        ..Shards::new(shape.groups, SLOTS, changes, users)
    };
    let Settings { invariants, .. } = shards::sound(shape.groups, members);
    let judge = store.judge();
    let mut setup = dressed(("shardedstore", shape), store.system(shape.mutant), judge, invariants)?;
    let read = move |node: NodeId, text: &str| readers::sharded((node, CONTROLLER), members, text);
    setup.reader = Some((readers::SHARDED_HELP.to_owned(), Arc::new(read)));
    Ok(setup)
}
