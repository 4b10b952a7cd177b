//! Scenarios of `pingpong`.

use synod_node::NodeId;
use synod_pingpong::{Client, Process, Server};
use synod_simulator::{Failure, Fixed, Simulator};
use synod_testkit::{Failed, Kind, Outcome, Play, Scenario, Stage};

const SERVER: NodeId = NodeId::server(1);

/// The rows of the module's list. Row 4 is a search.
pub const SCENARIOS: &[Scenario] = &[
    scenario("1", "a_ping_is_answered_by_its_pong", Kind::Run, |stage| play(stage, 1, 1)),
    scenario("2", "ten_clients_each_get_their_own_pong", Kind::Run, |stage| play(stage, 10, 1)),
    scenario("3", "a_hundred_pings_get_through_a_network_that_loses_half", Kind::Unreliable(500), |stage| {
        play(stage, 1, 100)
    }),
];

const fn scenario(number: &'static str, name: &'static str, kind: Kind, play: Play) -> Scenario {
    Scenario::new("pingpong", number, name, kind, play)
}

fn play(stage: &Stage, clients: u32, pings: u64) -> Result<Outcome, Box<Failed>> {
    let mut simulator = stage.simulator();
    let result = run(&mut simulator, clients, pings);
    stage.conclude(simulator, result)
}

fn run(simulator: &mut Simulator<Process>, clients: u32, pings: u64) -> Result<(), Failure> {
    simulator.start(SERVER, Process::Server(Server))?;
    for id in NodeId::clients(clients) {
        simulator.start(id, Process::Client(Client::new(SERVER)))?;
        let values = (0..pings).map(|n| u64::from(id.number()) * 1000 + n);
        simulator.drive(id, 1, Fixed::new(values.map(|value| (value, Some(value)))));
    }
    if simulator.run_until(60_000, Simulator::is_done)? {
        Ok(())
    } else {
        Err(simulator.failure("a minute is not enough for all the pongs"))
    }
}
