//! A Paxos group with clients, as searches have it: its system, its properties, and the names of things.

use crate::scenarios::oracles;
use std::sync::Arc;
use synod_checker::{Budgets, Network, Property, Reads, Settings, Symmetry, System, User, View};
use synod_clientserver::{KvCommand, KvOutput, KvStore, Outcome};
use synod_history::{KvOp, KvRet};
use synod_node::{Durable, NodeId, StateMachine as _};
use synod_paxos::{Client, Process, Proposal, Record, Request, Run, Server, Slot, SlotStatus, invariants};
use synod_testkit::{Bench, Desk, Linearizable, Staged, Stop, Translator};
use synod_verify::kv;

/// A node of the group.
pub type Node = Process<KvStore>;
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
pub const BUDGET: u64 = 3_000_000;

/// What the history's judge makes of requests and answers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Kv;

impl Translator<Node> for Kv {
    fn op(request: &Request<KvCommand>) -> Option<KvOp> {
        match request {
            Request::Commands(commands) | Request::Queries(commands) => kv::op(&commands[0]),
            Request::HandOver | Request::Clock(_) => unreachable!("no user asks for that"),
        }
    }

    fn ret(answer: &Outcome<KvOutput>) -> Option<KvRet> {
        kv::told(answer)
    }
}

/// What a client's user asks, and whom the client takes for the leader at first.
pub struct Caller {
    first: u32,
    user: User<Node>,
}

impl Caller {
    /// A client of server `first` whose user asks `commands` one after the other, reads through the log too.
    pub fn new(first: u32, commands: &[(KvCommand, Option<KvOutput>)]) -> Self {
        let asks = commands.iter().map(|(command, output)| {
            (Request::Commands(vec![command.clone()]), output.clone().map(Outcome::Done))
        });
        Caller { first, user: User::asks(asks.collect()) }
    }

    /// As [`new`](Caller::new), with reads around the log.
    pub fn reading_fast(first: u32, commands: &[KvCommand]) -> Self {
        let asks = commands.iter().map(|command| {
            let list = vec![command.clone()];
            let request =
                if KvStore::is_read_only(command) { Request::Queries(list) } else { Request::Commands(list) };
            (request, None)
        });
        Caller { first, user: User::asks(asks.collect()) }
    }
}

/// An append whose answer depends on what others did.
pub fn append(key: &str, value: &str) -> (KvCommand, Option<KvOutput>) {
    (KvCommand::append(key, value), None)
}

/// What a search of a group begins with.
pub struct Group {
    /// How many servers.
    pub servers: u32,
    /// The clients, from number 1.
    pub callers: Vec<Caller>,
    /// The servers' settings.
    pub settings: synod_paxos::Settings,
    /// What may go wrong.
    pub budgets: Budgets,
}

impl Group {
    /// So many servers, which want to lead as soon as nobody seems to: a search need not wait.
    pub fn new(servers: u32, callers: Vec<Caller>) -> Self {
        let settings = synod_paxos::Settings { missed_ticks_max: 1, ..synod_paxos::Settings::default() };
        Group { servers, callers, settings, budgets: Budgets::default() }
    }

    /// A bench for it.
    ///
    /// # Errors
    /// If the nodes cannot start.
    pub fn bench<'d, 'a>(self, desk: &'d mut Desk<'a>) -> Staged<Stand<'d, 'a>> {
        let system = self.system(desk.mutant());
        desk.bench(system, Judge::default())
    }

    /// A bench for it, and the symmetry of its clients, which must ask the same of the same server.
    ///
    /// # Errors
    /// If the nodes cannot start, or the clients are not alike.
    pub fn bench_with_symmetry<'d, 'a>(
        self,
        desk: &'d mut Desk<'a>,
    ) -> Staged<(Stand<'d, 'a>, Arc<Symmetry<Node>>)> {
        let clients = NodeId::clients(self.callers.len() as u32);
        let system = self.system(desk.mutant());
        let symmetry = Symmetry::new(&system, &[clients]).map_err(Stop::Failed)?;
        Ok((desk.bench(system, Judge::default())?, Arc::new(symmetry)))
    }

    /// Its nodes and users; a mutant of this name takes the steps, if there is one.
    pub fn system(self, mutant: Option<&'static str>) -> System<Node> {
        let mut system = System::new(Network::Set);
        system.budgets = self.budgets;
        system.mutant = mutant.and_then(crate::mutants::substitute);
        let servers = NodeId::servers(self.servers);
        for id in &servers {
            let server = Server::new(*id, &servers, KvStore::default(), self.settings);
            system.add(*id, Process::Server(server));
        }
        for (number, caller) in (1..).zip(self.callers) {
            let id = NodeId::client(number);
            let client = Client::new(id, 0, &servers).preferring(NodeId::server(caller.first));
            system.add_with_user(id, Process::Client(client), caller.user);
        }
        system
    }
}

/// The servers with these numbers.
pub fn servers(numbers: &[u32]) -> Vec<NodeId> {
    numbers.iter().map(|number| NodeId::server(*number)).collect()
}

/// The clients with these numbers.
pub fn clients(numbers: &[u32]) -> Vec<NodeId> {
    numbers.iter().map(|number| NodeId::client(*number)).collect()
}

/// Only these servers and clients hear each other, and only their timers fire.
pub fn only(plan: Plan, bench: &Stand<'_, '_>, of: (&[u32], &[u32])) -> Plan {
    let group = [servers(of.0), clients(of.1)].concat();
    plan.only(bench.checker().names(), &group)
}

/// No timer fires, unless the orders want them to.
pub fn without_timers(plan: Plan, bench: &Stand<'_, '_>) -> Plan {
    if bench.timers() { plan } else { plan.without_timers(bench.checker().names()) }
}

/// Only the timers of these servers and clients fire, whatever the orders: an election of somebody else is no part of
/// the stage.
pub fn with_timers_of(plan: Plan, bench: &Stand<'_, '_>, of: (&[u32], &[u32])) -> Plan {
    let group = [servers(of.0), clients(of.1)].concat();
    plan.timers_only(bench.checker().names(), &group)
}

fn running<'v>(view: &'v View<'_, Node>) -> Vec<&'v Server<KvStore>> {
    view.nodes().filter_map(|(_, node)| node.server()).collect()
}

fn all(count: u32) -> Reads {
    Reads::Nodes(NodeId::servers(count))
}

/// The servers agree, slot by slot, within what they hold; and what is chosen or cleared is held by a majority, while
/// all of them run.
pub fn logs_are_consistent(count: u32) -> Claim {
    Property::new("the logs are consistent", all(count), move |view| {
        oracles::check_logs(&running(view), count as usize)
    })
}

/// At most one leader a ballot.
pub fn ballots_have_one_leader(count: u32) -> Claim {
    Property::new("a ballot has one leader", all(count), move |view| {
        invariants::a_ballot_has_one_leader(&running(view))
    })
}

/// What every search of a group asks, besides the clients' history.
pub fn sound(count: u32) -> Plan {
    Settings::default().invariant(logs_are_consistent(count)).invariant(ballots_have_one_leader(count))
}

/// What a server knows to be chosen is on the disks of a majority, also if all of them crash at this moment.
pub fn what_is_chosen_is_on_disks(count: u32) -> Claim {
    Property::new(
        "what is chosen is on the disks of a majority",
        Reads::Everything,
        move |view: &Sight<'_>| {
            let Some(knowing) = running(view).into_iter().max_by_key(|server| server.chosen_through()) else {
                return Ok(());
            };
            let slot = knowing.chosen_through();
            let holds = |id: &NodeId| view.disk(*id).is_some_and(|disk| is_on_disk(&disk, slot));
            let holding = NodeId::servers(count).iter().filter(|id| holds(id)).count();
            if slot == Slot::ZERO || holding > count as usize / 2 {
                return Ok(());
            }
            Err(format!("{} knows {slot} to be chosen, and {holding} disks have it", knowing.id()))
        },
    )
}

fn is_on_disk(disk: &Durable<Node>, slot: Slot) -> bool {
    let is_in = |run: &Run<KvCommand>| run.first() <= slot && slot <= run.last();
    let is_saved = disk.checkpoint.as_ref().is_some_and(|checkpoint| {
        checkpoint.replica.through() >= slot || checkpoint.accepted.iter().any(is_in)
    });
    is_saved
        || disk.records.iter().any(|record| match record {
            Record::Accepted { run, .. } => is_in(run),
            Record::Promised { .. } | Record::Rejoined { .. } | Record::Time(_) => false,
        })
}

/// A server leads, and so many others know.
pub fn leads(leader: u32, followers: usize) -> Claim {
    Property::when(
        format!("n{leader} leads {followers} others"),
        Reads::Everything,
        move |view: &Sight<'_>| {
            let id = NodeId::server(leader);
            let servers = running(view);
            let leads = servers.iter().any(|server| server.id() == id && server.is_leader());
            let follows = |server: &&&Server<KvStore>| server.id() != id && server.leader() == Some(id);
            leads && servers.iter().filter(follows).count() >= followers
        },
    )
}

/// A server asks for votes.
pub fn asks_for_votes(server: u32) -> Claim {
    has_role(server, "candidate")
}

fn has_role(server: u32, role: &'static str) -> Claim {
    let id = NodeId::server(server);
    Property::when(format!("n{server} is {role}"), Reads::Nodes(vec![id]), move |view: &Sight<'_>| {
        view.node(id).and_then(Process::server).is_some_and(|server| server.role_name() == role)
    })
}

/// A server leads or asks for votes.
pub fn wants_to_lead(server: u32) -> Claim {
    let id = NodeId::server(server);
    Property::when(format!("n{server} wants to lead"), Reads::Nodes(vec![id]), move |view| {
        let role = view.node(id).and_then(Process::server).map(Server::role_name);
        role.is_some_and(|role| role == "leader" || role == "candidate")
    })
}

/// A server has a command of a client in a slot, with such a status or better.
pub fn holds(server: u32, client: u32, slot: u64, status: SlotStatus) -> Claim {
    let id = NodeId::server(server);
    Property::when(
        format!("n{server} has c{client}'s in s{slot}: {status:?}"),
        Reads::Nodes(vec![id]),
        move |view| {
            let Some(server) = view.node(id).and_then(Process::server) else { return false };
            let slot = Slot(slot);
            let is_theirs = match server.log().find(slot) {
                Some((_, Proposal::Command { client: session, .. })) => {
                    session.node() == NodeId::client(client)
                }
                Some((_, Proposal::Own { .. } | Proposal::Noop)) | None => false,
            };
            let is_so = match status {
                SlotStatus::Accepted => true,
                status => server.status(slot) == status,
            };
            is_theirs && is_so
        },
    )
}

/// A server has nothing in a slot.
pub fn lacks(server: u32, slot: u64) -> Claim {
    let id = NodeId::server(server);
    Property::when(format!("n{server} has nothing in s{slot}"), Reads::Nodes(vec![id]), move |view| {
        view.node(id)
            .and_then(Process::server)
            .is_none_or(|server| server.status(Slot(slot)) == SlotStatus::Empty)
    })
}

/// The opposite of a claim.
pub fn not(claim: Claim) -> Claim {
    claim.negated()
}

/// A ballot of a round above `round` was promised: where elections without end are of no interest.
pub fn rounds_above(round: u64, count: u32) -> Claim {
    Property::when(format!("a round above {round}"), all(count), move |view| {
        running(view).iter().any(|server| server.promised().round > round)
    })
}

/// A client was answered so many requests.
pub fn is_answered(client: u32, count: u64) -> Claim {
    let id = NodeId::client(client);
    Property::when(format!("c{client} is answered {count}"), Reads::Nodes(vec![id]), move |view| {
        view.answered(id) >= count
    })
}
