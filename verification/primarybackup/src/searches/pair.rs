//! A primary-backup service with clients, as searches have it: its system, its properties, and the names of things.

use synod_checker::{Budgets, Network, Property, Reads, Settings, System, User, View};
use synod_clientserver::{KvCommand, KvOutput, KvStore, Outcome};
use synod_node::NodeId;
use synod_primarybackup::{Client, Message, Process, Server, View as ServiceView, ViewServer, invariants};
use synod_testkit::{Bench, Desk, Linearizable, Staged};
use synod_verify::kv::Kv;

/// A node of the service.
pub type Node = Process<KvStore>;
/// What nodes say.
pub type Said = Message<KvCommand, KvOutput>;
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

/// The view server's name.
pub const VIEW_SERVER: NodeId = NodeId::server(0);

/// What a client asks, with the answers that are right, where only one is.
pub type Asks = Vec<(KvCommand, Option<KvOutput>)>;

/// What a search of a service begins with.
pub struct Service {
    /// How many servers, from number 1.
    pub servers: u32,
    /// What the clients' users ask, one after the other; from number 1.
    pub users: Vec<Asks>,
    /// How the network treats what is sent.
    pub network: Network,
    /// The servers' settings.
    pub settings: synod_primarybackup::Settings,
    /// What may go wrong.
    pub budgets: Budgets,
}

impl Service {
    /// So many servers, and these users.
    pub fn new(servers: u32, users: Vec<Asks>) -> Self {
        let settings = synod_primarybackup::Settings::default();
        Service { servers, users, network: Network::Set, settings, budgets: Budgets::default() }
    }

    /// A bench for it.
    ///
    /// # Errors
    /// If the nodes cannot start.
    pub fn bench<'d, 'a>(self, desk: &'d mut Desk<'a>) -> Staged<Stand<'d, 'a>> {
        let system = self.system(desk.mutant());
        desk.bench(system, Judge::default())
    }

    /// Its nodes and users; a mutant of this name takes the steps, if there is one.
    pub fn system(self, mutant: Option<&'static str>) -> System<Node> {
        let mut system = System::new(self.network);
        system.budgets = self.budgets;
        system.mutant = mutant.and_then(crate::mutants::substitute);
        system.add(VIEW_SERVER, Process::ViewServer(ViewServer::default()));
        for id in NodeId::servers(self.servers) {
            let server = Server::new(id, VIEW_SERVER, KvStore::default(), self.settings);
            system.add(id, Process::Server(server));
        }
        for (number, asks) in (1..).zip(self.users) {
            let id = NodeId::client(number);
            let done =
                |(command, output): (KvCommand, Option<KvOutput>)| (command, output.map(Outcome::Done));
            let user = User::asks(asks.into_iter().map(done).collect());
            system.add_with_user(id, Process::Client(Client::new(id, VIEW_SERVER)), user);
        }
        system
    }
}

/// The names of these: servers by their numbers, 0 for the view server, then clients.
pub fn names((servers, clients): (&[u32], &[u32])) -> Vec<NodeId> {
    let servers = servers.iter().map(|number| NodeId::server(*number));
    servers.chain(clients.iter().map(|number| NodeId::client(*number))).collect()
}

/// Only these hear each other, and only their timers fire.
pub fn only(plan: Plan, bench: &Stand<'_, '_>, of: (&[u32], &[u32])) -> Plan {
    plan.only(bench.checker().names(), &names(of))
}

/// Only the timers of these fire, whatever the orders.
pub fn with_timers_of(plan: Plan, bench: &Stand<'_, '_>, of: (&[u32], &[u32])) -> Plan {
    plan.timers_only(bench.checker().names(), &names(of))
}

fn running<'v>(view: &'v Sight<'_>) -> Vec<&'v Server<KvStore>> {
    view.nodes().filter_map(|(_, node)| node.server()).collect()
}

fn view_server<'v>(view: &'v Sight<'_>) -> Option<&'v ViewServer> {
    view.node(VIEW_SERVER).and_then(Process::view_server)
}

fn server<'v>(view: &'v Sight<'_>, number: u32) -> Option<&'v Server<KvStore>> {
    view.node(NodeId::server(number)).and_then(Process::server)
}

fn everybody(servers: u32) -> Reads {
    Reads::Nodes((0..=servers).map(NodeId::server).collect())
}

/// What every search of a service asks, besides the clients' history.
pub fn sound(servers: u32) -> Plan {
    let views = Property::new("a number names one view", everybody(servers), |view: &Sight<'_>| {
        let servers = running(view);
        view_server(view).map_or(Ok(()), |view_server| {
            invariants::a_number_names_one_view(view_server, &servers)?;
            invariants::the_backup_of_an_acknowledged_view_is_initialised(view_server, &servers)
        })
    });
    let states =
        Property::new("a backup has what its primary has", everybody(servers), |view: &Sight<'_>| {
            invariants::a_backup_has_what_its_primary_has(&running(view))
        });
    Settings::default().invariant(views).invariant(states)
}

/// All of these clients' users were answered all that they ask.
pub fn done(clients: &[u32]) -> Claim {
    Property::users_are_done(&names((&[], clients)))
}

/// The newest view has a higher number.
pub fn views_above(number: u64) -> Claim {
    Property::when(format!("a view above {number}"), Reads::Nodes(vec![VIEW_SERVER]), move |view| {
        view_server(view).is_some_and(|view_server| view_server.view().number.0 > number)
    })
}

fn is_named(view: ServiceView, primary: u32, backup: Option<u32>) -> bool {
    view.primary_id() == Some(NodeId::server(primary)) && view.backup_id() == backup.map(NodeId::server)
}

/// The newest view has this number, and names others than these: of no interest where a play is about these.
pub fn another_view(number: u64, primary: u32, backup: Option<u32>) -> Claim {
    let name = format!("a view {number} that does not name n{primary} and {backup:?}");
    Property::when(name, Reads::Nodes(vec![VIEW_SERVER]), move |view| {
        let newest = view_server(view).map(ViewServer::view);
        newest.is_some_and(|view| view.number.0 == number && !is_named(view, primary, backup))
    })
}

/// The newest view has this number and names these, its primary acknowledged it, and both play their parts.
pub fn serves(servers: u32, number: u64, primary: u32, backup: Option<u32>) -> Claim {
    let name = format!("n{primary} serves in view {number} with {backup:?}");
    Property::when(name, everybody(servers), move |view| {
        let Some(view_server) = view_server(view).filter(|view_server| view_server.is_acked()) else {
            return false;
        };
        let newest = view_server.view();
        let takes_part = |number: u32, role: &str| {
            server(view, number).is_some_and(|server| server.view() == newest && server.role_name() == role)
        };
        newest.number.0 == number
            && is_named(newest, primary, backup)
            && takes_part(primary, "primary")
            && backup.is_none_or(|backup| takes_part(backup, "backup"))
    })
}

/// The server runs, and has this role.
pub fn has_role(number: u32, role: &'static str) -> Claim {
    let id = NodeId::server(number);
    Property::when(format!("n{number} is {role}"), Reads::Nodes(vec![id]), move |view: &Sight<'_>| {
        server(view, number).is_some_and(|server| server.role_name() == role)
    })
}

/// So many messages like this are in flight from one to the other, or more.
pub fn is_sent(from: NodeId, to: NodeId, count: usize, is_meant: fn(&Said) -> bool) -> Claim {
    let name = format!("{count} on the way from {from} to {to}");
    Property::when(name, Reads::Everything, move |view: &Sight<'_>| {
        let messages = view.messages();
        let meant = messages.iter().filter(|(f, t, message)| (*f, *t) == (from, to) && is_meant(message));
        meant.count() >= count
    })
}

/// The client takes this server for the primary.
pub fn turns_to(client: u32, number: u32) -> Claim {
    let id = NodeId::client(client);
    let name = format!("c{client} turns to n{number}");
    Property::when(name, Reads::Nodes(vec![id]), move |view: &Sight<'_>| match view.node(id) {
        Some(Process::Client(client)) => client.primary() == Some(NodeId::server(number)),
        Some(Process::Server(_) | Process::ViewServer(_)) | None => false,
    })
}
