//! The configuration service on a Paxos group.

use super::row;
use synod_clientserver::Outcome as Answer;
use synod_node::{NodeId, StateMachine};
use synod_paxos::{Client, Process, Request, Server, Settings};
use synod_shardedstore::{
    ConfigurationCommand as Command, ConfigurationOutput as Output, ConfigurationService, GroupId, SlotId,
};
use synod_simulator::{Failure, Fixed, Simulator};
use synod_stdx::Rng;
use synod_testkit::{Failed, Kind, Outcome, Scenario, Stage};

/// Claims beyond the list.
pub const SERVICE: &[Scenario] = &[
    row(
        "x1",
        "a_replicated_service_gives_the_configurations_that_one_would",
        Kind::Unreliable(100),
        |stage| replicated(stage, false),
    ),
    row("x2", "configurations_outlive_the_crash_of_the_whole_service", Kind::Run, |stage| {
        replicated(stage, true)
    }),
];

type Node = Process<ConfigurationService>;

const SLOTS: u16 = 100;
const SERVERS: u32 = 3;

/// Joins, leaves and moves, some of which cannot be.
fn changes(rng: &mut Rng, count: usize) -> Vec<Command> {
    let change = |_| {
        let (group, at) = (GroupId(rng.between(1, 8) as u32), rng.below(u64::from(SLOTS)));
        let members = (0..3).map(|n| NodeId::server(10 * group.0 + n)).collect();
        match rng.below(4) {
            0 | 1 => Command::Join { group, members },
            2 => Command::Leave { group },
            _ => {
                let first = SlotId::new(at).expect("there are so many");
                Command::Move { first, last: first, group }
            }
        }
    };
    (0..count).map(change).collect()
}

/// Asks each, and expects what a service alone answers.
fn asks(commands: Vec<Command>, twin: &mut ConfigurationService) -> Fixed<Node> {
    let ask = |command: Command| {
        let output = twin.apply(&command);
        let is_read = ConfigurationService::is_read_only(&command);
        let commands = vec![command];
        let request = if is_read { Request::Queries(commands) } else { Request::Commands(commands) };
        (request, Some(Answer::Done(output)))
    };
    let asked: Vec<_> = commands.into_iter().map(ask).collect();
    Fixed::new(asked)
}

fn replicated(stage: &Stage, all_crash: bool) -> Result<Outcome, Box<Failed>> {
    let mut rng = Rng::new(stage.seed).split("changes");
    let mut sim: Simulator<Node> = stage.simulator();
    let result = play(&mut sim, &mut rng, all_crash);
    stage.conclude(sim, result)
}

fn play(sim: &mut Simulator<Node>, rng: &mut Rng, all_crash: bool) -> Result<(), Failure> {
    let servers = NodeId::servers(SERVERS);
    for id in &servers {
        let server = Server::new(*id, &servers, ConfigurationService::new(SLOTS), Settings::default());
        sim.start(*id, Process::Server(server))?;
    }
    for client in [1, 2] {
        let id = NodeId::client(client);
        sim.start(id, Process::Client(Client::new(id, 0, &servers)))?;
    }
    let mut twin = ConfigurationService::new(SLOTS);
    sim.drive(NodeId::client(1), 1, asks(changes(rng, 60), &mut twin));
    for _ in 0..6 {
        sim.run_ms(rng.between(5, 150))?;
        let down = if all_crash { servers.clone() } else { vec![servers[rng.below(3) as usize]] };
        for id in &down {
            sim.crash(*id)?;
        }
        sim.run_ms(rng.between(1, 300))?;
        for id in &down {
            sim.restart(*id)?;
        }
    }
    finish(sim)?;
    // Somebody else reads all that there ever was.
    let last = twin.latest().map_or(0, |latest| latest.number);
    let queries = (0..=last).map(Some).chain([None]).map(|number| Command::Query { number });
    sim.drive(NodeId::client(2), 1, asks(queries.collect(), &mut twin));
    finish(sim)?;
    let is_alike = |server: &Server<ConfigurationService>| {
        let newest = server.replica().machine().latest().cloned();
        newest.is_none_or(|newest| {
            twin.query(&Command::Query { number: Some(newest.number) }) == Some(Output::Configuration(newest))
        })
    };
    let running = sim.world().running().filter_map(|(_, node)| node.server());
    let differing = running.filter(|server| !is_alike(server)).count();
    if differing == 0 { Ok(()) } else { Err(sim.failure("a replica has another configuration")) }
}

fn finish(sim: &mut Simulator<Node>) -> Result<(), Failure> {
    match sim.run_until(60_000, Simulator::is_done)? {
        true => Ok(()),
        false => Err(sim.failure("the clients are not done after 60 s")),
    }
}
