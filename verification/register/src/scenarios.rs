//! Scenarios of `register`.

use crate::{op, ret};
use synod_node::NodeId;
use synod_register::{Client, Participant, Replica, Request, Response};
use synod_simulator::{Failure, Fixed, Simulator};
use synod_stdx::Rng;
use synod_testkit::{Failed, HistoryOracle, Kind, Outcome, Play, Scenario, Stage, Translate};
use synod_verify::finish;

/// Claims that runs show.
pub const SCENARIOS: &[Scenario] = &[
    row("1", "a_reader_gets_what_was_written", Kind::Run, |stage| play(stage, 3, alone)),
    row("2", "five_clients_are_linearizable_on_a_bad_network", Kind::Unreliable(200), |stage| {
        play(stage, 3, |sim, _| {
            crowd(sim, 5)?;
            finish(sim, 60_000)
        })
    }),
    row("3", "five_clients_are_linearizable_while_replicas_crash", Kind::Unreliable(50), |stage| {
        play(stage, 5, crashes)
    }),
    row("4", "nobody_is_answered_while_a_majority_is_down", Kind::Run, |stage| play(stage, 3, no_majority)),
];

const fn row(number: &'static str, name: &'static str, kind: Kind, play: Play) -> Scenario {
    Scenario::new("register", number, name, kind, play)
}

type Step = Result<(), Failure>;

/// Runs `script` on a register of so many replicas.
fn play(
    stage: &Stage,
    replicas: u32,
    script: impl FnOnce(&mut Simulator<Participant>, &mut Rng) -> Step,
) -> Result<Outcome, Box<Failed>> {
    let mut sim = stage.simulator();
    sim.watch(HistoryOracle::<Participant>::new(Translate { op, ret }));
    let ids = NodeId::servers(replicas);
    let started = ids.iter().try_for_each(|id| sim.start(*id, Participant::Replica(Replica::default())));
    let mut rng = Rng::new(stage.seed).split("register");
    let result = started.and_then(|()| script(&mut sim, &mut rng));
    stage.conclude(sim, result)
}

fn replicas(sim: &Simulator<Participant>) -> Vec<NodeId> {
    sim.world().ids().filter(|id| !id.is_client()).collect()
}

fn drive(sim: &mut Simulator<Participant>, client: u32, list: Vec<(Request, Option<Response>)>) -> Step {
    let id = NodeId::client(client);
    let replicas = replicas(sim);
    sim.start(id, Participant::Client(Client::new(id, &replicas)))?;
    sim.drive(id, 1, Fixed::new(list));
    Ok(())
}

/// So many clients read and write at the same time.
fn crowd(sim: &mut Simulator<Participant>, clients: u32) -> Step {
    for client in 1..=clients {
        let ask = |n: u64| match n % 2 {
            0 => (Request::Write(u64::from(client) * 1_000 + n), None),
            _ => (Request::Read, None),
        };
        drive(sim, client, (0..12).map(ask).collect())?;
    }
    Ok(())
}

fn alone(sim: &mut Simulator<Participant>, _: &mut Rng) -> Step {
    let value = |value| Some(Response::Value(value));
    let list = vec![
        (Request::Read, value(None)),
        (Request::Write(7), Some(Response::Written)),
        (Request::Read, value(Some(7))),
        (Request::Write(8), Some(Response::Written)),
        (Request::Read, value(Some(8))),
    ];
    drive(sim, 1, list)?;
    finish(sim, 10_000)
}

/// One replica after the other crashes, two at a time at most.
fn crashes(sim: &mut Simulator<Participant>, rng: &mut Rng) -> Step {
    let mut all = replicas(sim);
    crowd(sim, 5)?;
    while !sim.run_until(rng.between(1, 40), Simulator::is_done)? {
        rng.shuffle(&mut all);
        let down = &all[..2];
        down.iter().try_for_each(|id| sim.crash(*id))?;
        sim.run_ms(rng.between(1, 60))?;
        down.iter().try_for_each(|id| sim.restart(*id))?;
    }
    Ok(())
}

fn no_majority(sim: &mut Simulator<Participant>, _: &mut Rng) -> Step {
    let all = replicas(sim);
    all[..2].iter().try_for_each(|id| sim.crash(*id))?;
    drive(sim, 1, vec![(Request::Write(1), Some(Response::Written)), (Request::Read, None)])?;
    sim.run_ms(2_000)?;
    if sim.answered(NodeId::client(1)) > 0 {
        return Err(sim.failure("a minority answered"));
    }
    sim.restart(all[0])?;
    finish(sim, 2_000)
}
