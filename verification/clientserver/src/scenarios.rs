//! Scenarios of `clientserver`.

use synod_clientserver::{Client, KvCommand, KvOutput, KvStore, Process, Server};
use synod_node::NodeId;
use synod_simulator::{Failure, Simulator};
use synod_testkit::{Failed, HistoryOracle, Kind, Outcome, Play, Scenario, Stage, Translate};
use synod_verify::asks::{Asks, Forever};
use synod_verify::finish;
use synod_verify::kv::{self, List};

type Node = Process<KvStore>;

const SERVER: NodeId = NodeId::server(1);
const MIB: usize = 1 << 20;

/// The rows of the module's list. Row 1.1 is a unit test of the module; rows 3.7 to 3.11 are searches.
pub const SCENARIOS: &[Scenario] = &[
    row("2.1", "a_client_of_a_server_that_never_starts_waits_and_can_be_abandoned", Kind::Run, never_started),
    row("2.2", "a_client_gets_the_results_of_the_simple_workload", Kind::Run, simple),
    row("2.3", "ten_clients_append_a_hundred_times_to_their_own_keys", Kind::Run, ten_own_keys),
    row("2.4", "ten_clients_append_to_one_key_and_every_append_is_there_once", Kind::Run, ten_on_one_key),
    row("2.5", "appends_finish_on_a_network_that_loses_half", Kind::Unreliable(500), lossy_appends),
    row(
        "3.1",
        "the_simple_workload_runs_exactly_once_on_a_network_that_loses_half",
        Kind::Unreliable(500),
        simple,
    ),
    row("3.2", "fifty_appends_run_exactly_once_on_a_lossy_network", Kind::Unreliable(200), |stage| {
        play(stage, |sim| {
            drive(sim, 1, 1, kv::own_appends("k", 50))?;
            finish(sim, 60_000)
        })
    }),
    row("3.3", "ten_clients_append_exactly_once_on_a_lossy_network", Kind::Unreliable(200), ten_own_keys),
    row(
        "3.4",
        "appends_to_one_key_are_linearizable_on_a_lossy_network",
        Kind::Unreliable(200),
        ten_on_one_key,
    ),
    row("3.5", "results_that_were_answered_are_not_kept", Kind::Run, memory),
    row("3.6", "four_clients_never_wait_a_second_for_thirty_seconds", Kind::Run, thirty_seconds),
    row("x1", "a_window_of_requests_runs_in_order_and_exactly_once", Kind::Unreliable(200), windows),
];

const fn row(number: &'static str, name: &'static str, kind: Kind, play: Play) -> Scenario {
    Scenario::new("clientserver", number, name, kind, play)
}

fn play(
    stage: &Stage,
    script: impl FnOnce(&mut Simulator<Node>) -> Result<(), Failure>,
) -> Result<Outcome, Box<Failed>> {
    let mut sim = stage.simulator();
    sim.watch(HistoryOracle::<Node>::new(Translate { op: kv::op, ret: kv::told }));
    let result =
        sim.start(SERVER, Process::Server(Server::new(KvStore::default()))).and_then(|()| script(&mut sim));
    stage.conclude(sim, result)
}

fn start(sim: &mut Simulator<Node>, client: u32) -> Result<NodeId, Failure> {
    let id = NodeId::client(client);
    if !sim.world().is_running(id) {
        sim.start(id, Process::Client(Client::new(id, SERVER)))?;
    }
    Ok(id)
}

fn drive(sim: &mut Simulator<Node>, client: u32, window: usize, list: List) -> Result<(), Failure> {
    let id = start(sim, client)?;
    sim.drive(id, window, Asks::new(list));
    Ok(())
}

fn never_started(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    let mut sim: Simulator<Node> = stage.simulator();
    let result = drive(&mut sim, 1, 1, kv::simple()).and_then(|()| sim.run_ms(500)).and_then(|()| {
        match (sim.answered(NodeId::client(1)), sim.is_done()) {
            (0, false) => Ok(()),
            _ => Err(sim.failure("somebody answered for a server that was never started")),
        }
    });
    stage.conclude(sim, result)
}

fn simple(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, |sim| {
        drive(sim, 1, 1, kv::simple())?;
        finish(sim, 60_000)
    })
}

fn ten_own_keys(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, |sim| {
        for client in 1..=10 {
            drive(sim, client, 1, kv::own_appends(&format!("k{client}"), 100))?;
        }
        finish(sim, 120_000)
    })
}

fn ten_on_one_key(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, |sim| {
        for client in 1..=10 {
            drive(sim, client, 1, kv::shared_appends("k", client, 5))?;
        }
        finish(sim, 60_000)
    })
}

fn lossy_appends(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, |sim| {
        drive(sim, 1, 1, kv::own_appends("k", 25))?;
        finish(sim, 60_000)
    })
}

fn windows(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, |sim| {
        for client in 1..=3 {
            drive(sim, client, 8, kv::own_appends(&format!("k{client}"), 60))?;
        }
        finish(sim, 120_000)
    })
}

/// The bytes of everything that the server keeps.
fn kept_bytes(sim: &Simulator<Node>) -> usize {
    match sim.world().node(SERVER) {
        Some(Process::Server(server)) => {
            server.machine().bytes() + server.sessions().results().map(KvOutput::bytes).sum::<usize>()
        }
        Some(Process::Client(_)) | None => 0,
    }
}

fn memory(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    let must = |sim: &Simulator<Node>, holds: bool, what: &str| match holds {
        true => Ok(()),
        false => Err(sim.failure(format!("{what}: the server keeps {} bytes", kept_bytes(sim)))),
    };
    play(stage, |sim| {
        must(sim, kept_bytes(sim) < 2 * MIB, "an empty server is small")?;
        let piece = "x".repeat(1_000_000);
        let keys = |client: u32| (0..5).map(move |key| format!("{client}/{key}"));
        for client in 1..=5 {
            let appends = keys(client).flat_map(|key| {
                let piece = &piece;
                (1..=3).map(move |n| {
                    (KvCommand::append(&key, piece), Some(KvOutput::appended(&piece.repeat(n))))
                })
            });
            drive(sim, client, 1, appends.collect())?;
        }
        finish(sim, 60_000)?;
        must(sim, kept_bytes(sim) > 25_000_000, "the values are kept")?;
        for client in 1..=5 {
            drive(
                sim,
                client,
                1,
                keys(client).map(|key| (KvCommand::put(&key, ""), Some(KvOutput::PutOk))).collect(),
            )?;
        }
        finish(sim, 60_000)?;
        must(sim, kept_bytes(sim) < 2 * MIB, "what was overwritten and answered is dropped")
    })
}

fn thirty_seconds(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, |sim| {
        for client in 1..=4 {
            let id = start(sim, client)?;
            sim.drive(id, 1, Forever::new(client));
        }
        sim.run_ms(30_000)?;
        match sim.take_wait_us_max() {
            0..1_000_000 => Ok(()),
            us => Err(sim.failure(format!("a client waited {us} µs"))),
        }
    })
}
