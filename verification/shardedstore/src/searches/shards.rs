//! A sharded store with clients, as searches have it: its system, its properties, and the names of things.

use crate::scenarios::store::{join, leave, masters, members};
use crate::scenarios::texts::{self, through_the_log};
use synod_checker::{Budgets, Network, Property, Reads, Settings, System, User, View};
use synod_clientserver::Outcome;
use synod_history::{KeyValue, KvOp, KvRet, Specification as _};
use synod_node::NodeId;
use synod_shardedstore::{
    Client, ConfigurationCommand, ConfigurationOutput, GroupId, GroupPlan, GroupState, PART_BYTES, Process,
    Request, Response, Server, SlotId, TextCommand, TextOutput, Texts, invariants,
};
use synod_testkit::{Bench, Desk, Linearizable, Staged, Translator};

/// A node of the store.
pub type Node = Process<Texts>;
/// Who judges what clients are told.
pub type Judge = Linearizable<Kv>;
/// What a play works at.
pub type Stand<'d, 'a> = Bench<'d, 'a, Node>;
/// How a stage searches.
pub type Plan = Settings<Node>;
/// What is asked of states.
pub type Claim = Property<Node>;
/// A state, as a claim sees it.
pub type Sight<'v> = View<'v, Node>;

/// So many states a stage sees, where there is no end.
pub const BUDGET: u64 = 1_000_000;

/// Who asks for changes.
pub const CONTROLLER: NodeId = NodeId::client(9);
/// The one member of the configuration service.
pub const MASTER: NodeId = NodeId::server(1);

/// The first member of a group.
pub const fn member(group: u32) -> NodeId {
    NodeId::server(10 * group + 1)
}

/// What the history's judge makes of requests and answers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Kv;

impl Translator<Node> for Kv {
    fn op(request: &Request<TextCommand>) -> Option<KvOp> {
        texts::op(request)
    }

    fn ret(response: &Response<TextOutput>) -> Option<KvRet> {
        texts::ret(response)
    }
}

/// What a client's user asks, with the answers that are right where only one is.
pub type Asks = Vec<(TextCommand, Option<TextOutput>)>;

/// What a search of a store begins with.
pub struct Shards {
    /// How many groups run.
    pub groups: u32,
    /// How many members each has.
    pub members: u32,
    /// How many slots there are.
    pub slots: u16,
    /// The changes that the controller asks for, in order; each must be done.
    pub changes: Vec<ConfigurationCommand>,
    /// The users of the clients, from number 1.
    pub users: Vec<Asks>,
    /// How users ask.
    pub asking: texts::Asking,
    /// What may go wrong.
    pub budgets: Budgets,
    /// How the network treats what is sent.
    pub network: Network,
    /// About how many bytes one part of a slot that moves has.
    pub part_bytes: usize,
}

impl Shards {
    /// So many groups of one.
    pub fn new(groups: u32, slots: u16, changes: Vec<ConfigurationCommand>, users: Vec<Asks>) -> Self {
        let (members, asking, budgets) = (1, through_the_log as texts::Asking, Budgets::default());
        let (network, part_bytes) = (Network::Set, PART_BYTES);
        Shards { groups, members, slots, changes, users, asking, budgets, network, part_bytes }
    }

    /// A bench for it.
    ///
    /// # Errors
    /// If the nodes cannot start.
    pub fn bench<'d, 'a>(self, desk: &'d mut Desk<'a>) -> Staged<Stand<'d, 'a>> {
        let judge = self.judge();
        let system = self.system(desk.mutant());
        desk.bench(system, judge)
    }

    /// Who judges its clients' history: key by key, unless somebody asks for several at once.
    pub fn judge(&self) -> Judge {
        let has_one_key = |(command, _): &(TextCommand, _)| {
            let op = texts::op(&Request::Commands(vec![command.clone()]));
            op.is_some_and(|op| KeyValue::key(&op).is_some())
        };
        let is_split = self.users.iter().flatten().all(has_one_key);
        if is_split { Judge::default() } else { Judge::whole() }
    }

    /// Its nodes and users; a mutant of this name takes the steps, if there is one.
    pub fn system(self, mutant: Option<&'static str>) -> System<Node> {
        let mut system = System::new(self.network);
        system.budgets = self.budgets.clone();
        system.mutant = mutant.and_then(crate::mutants::substitute);
        let masters = masters(1);
        let settings = settings();
        system.add(MASTER, Process::master(MASTER, &masters, self.slots, settings));
        for group in 1..=self.groups {
            let ids = members(group, self.members);
            let plan = GroupPlan {
                group: GroupId(group),
                members: &ids,
                masters: &masters,
                slot_count: self.slots,
                store: Texts::new(self.slots),
                settings,
                part_bytes: self.part_bytes,
            };
            for id in &ids {
                system.add(*id, Process::Server(Server::new(*id, &plan)));
            }
        }
        let done = |number| Response::Configuration(Outcome::Done(ConfigurationOutput::Ok(number)));
        let changes = (0..).zip(self.changes);
        let changes = changes.map(|(number, change)| (Request::Configure(change), Some(done(number))));
        let controller = Process::controller(CONTROLLER, 0, &masters);
        system.add_with_user(CONTROLLER, controller, User::asks(changes.collect()));
        for (number, user) in (1..).zip(self.users) {
            let id = NodeId::client(number);
            let asks = user.into_iter().map(|(command, output)| {
                ((self.asking)(command), output.map(|output| Response::Store(Outcome::Done(output))))
            });
            let client = Process::Client(Client::new(id, 0, &masters, self.slots));
            system.add_with_user(id, client, User::asks(asks.collect()));
        }
        system
    }
}

/// How every Paxos of a search goes about it.
pub fn settings() -> synod_paxos::Settings {
    synod_paxos::Settings { missed_ticks_max: 1, ..synod_paxos::Settings::default() }
}

/// The groups of one join, in order.
pub fn joins(groups: u32, members: u32) -> Vec<ConfigurationCommand> {
    (1..=groups).map(|group| join(group, members)).collect()
}

/// Groups 1 and 2 join, and group 1 leaves.
pub fn joins_and_leaves(members: u32) -> Vec<ConfigurationCommand> {
    let mut changes = joins(2, members);
    changes.push(leave(1));
    changes
}

/// A key of a slot, where there are `slots` of them; of several the one that `which` says.
pub fn key(slot: u16, slots: u16, which: usize) -> String {
    let slot = SlotId::new(slot.into()).expect("there are so many");
    let keys = (0..).map(|number| format!("k{number}"));
    keys.filter(|key| Texts::slot_of(key, slots) == slot).nth(which).expect("each slot has keys")
}

/// Only these nodes hear each other, and only their timers fire.
pub fn only(plan: Plan, bench: &Stand<'_, '_>, group: &[NodeId]) -> Plan {
    plan.only(bench.checker().names(), group)
}

/// No timer fires, unless the orders want them to.
pub fn without_timers(plan: Plan, bench: &Stand<'_, '_>) -> Plan {
    if bench.timers() { plan } else { plan.without_timers(bench.checker().names()) }
}

/// Only the timers of these nodes fire, whatever the orders.
pub fn with_timers_of(plan: Plan, bench: &Stand<'_, '_>, nodes: &[NodeId]) -> Plan {
    plan.timers_only(bench.checker().names(), nodes)
}

/// The state of each group: that of its member that executed most. `None` if not all `count` members of all run, or if a
/// group has no leader that knows all that was chosen: whoever restarted may have to learn again what it knew.
fn states<'v>(view: &'v Sight<'_>, count: u32) -> Option<Vec<&'v GroupState<Texts>>> {
    let mut newest: std::collections::BTreeMap<GroupId, &Server<Texts>> = Default::default();
    let mut running = 0;
    let mut led = std::collections::BTreeSet::new();
    for server in view.nodes().filter_map(|(_, node)| node.server()) {
        running += 1;
        if server.paxos().is_caught_up() {
            led.insert(server.group());
        }
        let known = newest.entry(server.group()).or_insert(server);
        if known.paxos().chosen_through() < server.paxos().chosen_through() {
            *known = server;
        }
    }
    (running == count && led.len() == newest.len()).then(|| newest.into_values().map(Server::state).collect())
}

fn servers(groups: u32, count: u32) -> Reads {
    Reads::Nodes((1..=groups).flat_map(|group| members(group, count)).collect())
}

/// What every search of a store asks, besides the clients' history: no slot is served twice, and none is lost.
pub fn sound(groups: u32, count: u32) -> Plan {
    let all = groups * count;
    Settings::default()
        .invariant(Property::new(
            "a slot is served by one group",
            servers(groups, count),
            move |view: &Sight<'_>| {
                states(view, all).map_or(Ok(()), |states| invariants::a_slot_is_served_by_one_group(&states))
            },
        ))
        .invariant(Property::new("no slot is lost", servers(groups, count), move |view: &Sight<'_>| {
            states(view, all).map_or(Ok(()), |states| invariants::no_slot_is_lost(&states))
        }))
}

/// The controller was answered so many changes.
pub fn changed(count: u64) -> Claim {
    is_answered(CONTROLLER, count)
}

/// A client was answered so many requests.
pub fn is_answered(id: NodeId, count: u64) -> Claim {
    Property::when(format!("{id} is answered {count}"), Reads::Nodes(vec![id]), move |view: &Sight<'_>| {
        view.answered(id) >= count
    })
}

/// All of these clients' users are done.
pub fn done(clients: &[u32]) -> Claim {
    let ids: Vec<NodeId> = clients.iter().map(|number| NodeId::client(*number)).collect();
    Property::users_are_done(&ids)
}

/// A group has carried out configuration `number`.
pub fn has_settled(group: u32, number: u64) -> Claim {
    let id = member(group);
    Property::when(
        format!("g{group} has carried out configuration {number}"),
        Reads::Nodes(vec![id]),
        move |view: &Sight<'_>| {
            let state = view.node(id).and_then(Process::server).map(Server::state);
            state.is_some_and(|state| {
                let known = state.configuration().map(|known| known.number);
                known.is_some_and(|known| known >= number) && state.moving() == (0, 0)
            })
        },
    )
}

/// A group's first member says something for the group.
pub fn leads(group: u32) -> Claim {
    let id = member(group);
    Property::when(format!("{id} leads"), Reads::Nodes(vec![id]), move |view: &Sight<'_>| {
        view.node(id).and_then(Process::server).is_some_and(|server| server.paxos().is_caught_up())
    })
}
