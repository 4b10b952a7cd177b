//! A simulated service with clients, and those who watch it.

use synod_clientserver::{KvCommand, KvStore};
use synod_node::NodeId;
use synod_primarybackup::{
    Checkpoint, Client, Member, Message, Process, Server, Settings, View, ViewNumber, ViewServer, invariants,
};
use synod_simulator::{Failure, Oracle, Scope, Simulator};
use synod_testkit::{Failed, HistoryOracle, Outcome, Stage, Translate};
use synod_verify::asks::{Asks, Forever};
use synod_verify::kv::{self, Collected, List};
use synod_world::{Envelope, World};

/// A node of the simulated service.
pub type Node = Process<KvStore>;

/// What a step of a play returns.
pub type Step = Result<(), Failure>;

/// The view server's name.
pub const VIEW_SERVER: NodeId = NodeId::server(0);

/// A view server, servers and clients.
pub struct Service {
    /// The simulation.
    pub sim: Simulator<Node>,
    settings: Settings,
    /// How many servers there ever were.
    servers: u32,
}

/// Plays `script` on a view server and so many servers.
///
/// # Errors
/// The first thing that went wrong.
pub fn play(
    stage: &Stage,
    servers: u32,
    script: impl FnOnce(&mut Service) -> Step,
) -> Result<Outcome, Box<Failed>> {
    play_with(stage, servers, Settings::default(), script)
}

/// As [`play`], with other settings.
///
/// # Errors
/// The first thing that went wrong.
pub fn play_with(
    stage: &Stage,
    servers: u32,
    settings: Settings,
    script: impl FnOnce(&mut Service) -> Step,
) -> Result<Outcome, Box<Failed>> {
    let mut service = Service::new(stage, settings);
    let result = service.start(servers).and_then(|()| script(&mut service));
    stage.conclude(service.sim, result)
}

impl Service {
    /// A service that does not run yet.
    pub fn new(stage: &Stage, settings: Settings) -> Self {
        let mut sim = stage.simulator();
        sim.watch(HistoryOracle::<Node>::new(Translate { op: kv::op, ret: kv::told }));
        sim.watch(ViewOracle { newest: None, told: ViewNumber::STARTUP, steps: 0 });
        Service { sim, settings, servers: 0 }
    }

    fn start(&mut self, servers: u32) -> Step {
        self.sim.start(VIEW_SERVER, Process::ViewServer(ViewServer::default()))?;
        for _ in 0..servers {
            self.add_server()?;
        }
        Ok(())
    }

    /// One more server, with the next number.
    ///
    /// # Errors
    /// If it cannot start.
    pub fn add_server(&mut self) -> Result<NodeId, Failure> {
        self.servers += 1;
        let id = NodeId::server(self.servers);
        let server = Server::new(id, VIEW_SERVER, KvStore::default(), self.settings);
        self.sim.start(id, Process::Server(server))?;
        Ok(id)
    }

    /// Starts client `number`, if it does not run yet.
    ///
    /// # Errors
    /// If it cannot start.
    pub fn client(&mut self, number: u32) -> Result<NodeId, Failure> {
        let id = NodeId::client(number);
        if !self.sim.world().is_running(id) {
            self.sim.start(id, Process::Client(Client::new(id, VIEW_SERVER)))?;
        }
        Ok(id)
    }

    /// Has client `number` ask `list`, one after the other.
    ///
    /// # Errors
    /// If it cannot start.
    pub fn asks(&mut self, number: u32, list: List) -> Step {
        self.asks_as(number, 1, Asks::new(list))
    }

    /// As [`asks`](Service::asks); the answers are kept.
    ///
    /// # Errors
    /// If it cannot start.
    pub fn asks_and_collects(&mut self, number: u32, list: List, answers: &Collected) -> Step {
        self.asks_as(number, 1, Asks::new(list).collecting(answers))
    }

    /// Has client `number` ask with up to `window` requests outstanding.
    ///
    /// # Errors
    /// If it cannot start.
    pub fn asks_as(&mut self, number: u32, window: usize, asks: Asks<KvCommand>) -> Step {
        let id = self.client(number)?;
        self.sim.drive(id, window, asks);
        Ok(())
    }

    /// Has client `number` ask for ever.
    ///
    /// # Errors
    /// If it cannot start.
    pub fn asks_for_ever(&mut self, number: u32) -> Step {
        let id = self.client(number)?;
        self.sim.drive(id, 1, Forever::new(number));
        Ok(())
    }

    /// Runs until all clients are done.
    ///
    /// # Errors
    /// If they are not after `ms_max`, or something goes wrong.
    pub fn finish(&mut self, ms_max: u64) -> Step {
        synod_verify::finish(&mut self.sim, ms_max)
    }

    /// Fails if something does not hold.
    ///
    /// # Errors
    /// If it does not.
    pub fn must(&self, holds: bool, what: impl Into<String>) -> Step {
        if holds { Ok(()) } else { Err(self.sim.failure(what)) }
    }

    /// Runs until these serve, by their numbers: the view names them, its primary acknowledged it, and both know.
    ///
    /// # Errors
    /// If they do not in time.
    pub fn forms(&mut self, ms_max: u64, primary: u32, backup: Option<u32>) -> Step {
        let (primary, backup) = (NodeId::server(primary), backup.map(NodeId::server));
        let names = move |view: View| view.primary_id() == Some(primary) && view.backup_id() == backup;
        let done = self.sim.run_until(ms_max, |sim| names(served_view(sim.world())))?;
        self.must(done, format!("{primary} and {backup:?} do not serve after {ms_max} ms"))
    }

    /// Runs until some pair serves, in the view that is returned.
    ///
    /// # Errors
    /// If none does in time.
    pub fn pairs_up(&mut self, ms_max: u64) -> Result<View, Failure> {
        let done = self.sim.run_until(ms_max, |sim| served_view(sim.world()).backup.is_some())?;
        self.must(done, format!("no pair serves after {ms_max} ms: the view is {}", view(self.sim.world())))?;
        Ok(served_view(self.sim.world()))
    }

    /// The numbers of the servers that run.
    pub fn running(&self) -> Vec<NodeId> {
        running(self.sim.world()).iter().map(|server| server.member().id).collect()
    }

    /// Nothing that the view server sends, or is sent, is lost.
    pub fn view_server_is_reliable(&mut self) {
        for scope in [Scope::To(VIEW_SERVER), Scope::From(VIEW_SERVER)] {
            self.sim.network().lose(scope, 0);
        }
    }

    /// A running server.
    pub fn server(&self, id: NodeId) -> Option<&Server<KvStore>> {
        self.sim.world().node(id).and_then(Process::server)
    }
}

/// A put that must be done.
pub fn put(key: &str, value: &str) -> (KvCommand, Option<synod_clientserver::KvOutput>) {
    (KvCommand::put(key, value), Some(synod_clientserver::KvOutput::PutOk))
}

/// A get that must find `value`.
pub fn get(key: &str, value: &str) -> (KvCommand, Option<synod_clientserver::KvOutput>) {
    (KvCommand::get(key), Some(synod_clientserver::KvOutput::value(value)))
}

/// The newest view; the startup one while the view server is down.
fn view(world: &World<Node>) -> View {
    view_server(world).map_or(View::STARTUP, ViewServer::view)
}

fn view_server(world: &World<Node>) -> Option<&ViewServer> {
    world.node(VIEW_SERVER).and_then(Process::view_server)
}

fn running(world: &World<Node>) -> Vec<&Server<KvStore>> {
    world.running().filter_map(|(_, node)| node.server()).collect()
}

/// The view in which clients are served: the newest one, if its acknowledgement is on the view server's disk, its
/// members run, and both know their parts. Else the startup one.
fn served_view(world: &World<Node>) -> View {
    let Some(view) = view_server(world).map(ViewServer::view) else { return View::STARTUP };
    let disk = world.disk(VIEW_SERVER).and_then(|disk| disk.checkpoint.as_ref());
    if disk != Some(&Checkpoint::View { view, is_acked: true }) {
        return View::STARTUP;
    }
    let servers = running(world);
    let takes_part = |member: Option<Member>, role: &str| {
        member.is_none_or(|member| {
            servers.iter().any(|server| {
                server.member() == member && server.view() == view && server.role_name() == role
            })
        })
    };
    let is_served = takes_part(view.primary, "primary") && takes_part(view.backup, "backup");
    if is_served { view } else { View::STARTUP }
}

/// Views, and what a backup has: what is cheap after every step, the states now and then and at the end.
struct ViewOracle {
    newest: Option<View>,
    /// The newest that anybody was told.
    told: ViewNumber,
    steps: u64,
}

impl Oracle<Node> for ViewOracle {
    fn after_step(&mut self, world: &World<Node>, _node: NodeId) -> Result<(), String> {
        let servers = running(world);
        if let Some(view_server) = view_server(world) {
            invariants::a_number_names_one_view(view_server, &servers)?;
            invariants::the_backup_of_an_acknowledged_view_is_initialised(view_server, &servers)?;
            self.check_step(view_server.view())?;
        }
        self.steps += 1;
        if self.steps.is_multiple_of(97) { Self::check_states(world) } else { Ok(()) }
    }

    fn on_sent(&mut self, _world: &World<Node>, envelope: &Envelope<Node>) -> Result<(), String> {
        if let Message::Announce { view } = envelope.message {
            self.told = self.told.max(view.number);
        }
        Ok(())
    }

    fn at_end(&mut self, world: &World<Node>) -> Result<(), String> {
        Self::check_states(world)
    }
}

impl ViewOracle {
    /// Views follow each other one by one, name others each time, and promote only backups.
    fn check_step(&mut self, view: View) -> Result<(), String> {
        let last = self.newest.replace(view).unwrap_or(View::STARTUP);
        // A view that was not durable yet is lost in a crash. Then nobody was told of it.
        if last == view || (view.number < last.number && view.number >= self.told) {
            return Ok(());
        }
        let is_next = last.number.next() == view.number
            && (last.primary, last.backup) != (view.primary, view.backup)
            && (last.number == ViewNumber::STARTUP
                || view.primary == last.primary
                || view.primary == last.backup);
        if is_next { Ok(()) } else { Err(format!("{view} follows {last}")) }
    }

    fn check_states(world: &World<Node>) -> Result<(), String> {
        invariants::a_backup_has_what_its_primary_has(&running(world))
    }
}
