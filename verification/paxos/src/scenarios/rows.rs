//! The rows of the module's list. Rows 20 to 26 are searches, and so is a part of 27.

use super::cluster::{Cluster, Node, Step, play};
use super::row;
use synod_clientserver::{KvCommand, KvOutput};
use synod_node::NodeId;
use synod_paxos::{Slot, SlotStatus, invariants};
use synod_simulator::Simulator;
use synod_stdx::Rng;
use synod_testkit::{Failed, Kind, Outcome, Scenario, Stage};
use synod_verify::kv::{self, Collected};

const LOSSY: Kind = Kind::Unreliable(200);

/// The rows.
pub const SCENARIOS: &[Scenario] = &[
    row("1", "a_client_of_servers_that_never_start_waits_and_can_be_abandoned", Kind::Run, never_started),
    row("2", "a_group_answers_the_simple_workload_and_a_majority_has_it", Kind::Run, simple),
    row("3", "a_client_sees_what_others_wrote_before", Kind::Run, write_write_read),
    row("4", "a_majority_goes_on_without_the_rest", Kind::Run, majority),
    row("5", "a_minority_answers_nothing", Kind::Run, |stage| minority(stage, false)),
    row("6", "what_waited_in_a_minority_is_done_when_the_network_heals", Kind::Run, |stage| {
        minority(stage, true)
    }),
    row("7", "a_new_majority_knows_what_the_old_one_chose", Kind::Run, moving_majority),
    row("8", "fifteen_clients_read_one_value_twenty_times", Kind::Run, fifteen_clients),
    row("9", "twenty_five_clients_append_and_every_append_is_there_once", Kind::Run, many_appends),
    row("10", "five_hundred_appends_take_few_messages", Kind::Run, few_messages),
    row("11", "logs_are_dropped_when_the_last_server_is_back", Kind::Run, garbage),
    row("12", "the_simple_workload_gets_through_a_lossy_network", LOSSY, simple),
    row("13", "two_clients_in_turn_get_through_a_lossy_network", LOSSY, two_in_turn),
    row("14", "fifteen_clients_read_one_value_on_a_lossy_network", LOSSY, fifteen_clients),
    row("15", "appends_are_linearizable_on_a_lossy_network", LOSSY, many_appends),
    row("16", "a_partition_of_a_second_is_outlived", Kind::Run, one_partition),
    row("17", "changing_majorities_never_stop_the_clients", Kind::Run, |stage| changing(stage, 10_000)),
    row("18", "changing_majorities_never_stop_the_clients_on_a_lossy_network", LOSSY, |stage| {
        changing(stage, 10_000)
    }),
    row("19", "long_partitions_on_a_lossy_network_leave_a_working_group", LOSSY, long_partitions),
    row("27", "a_group_of_one_answers", Kind::Run, singleton),
    row("27u", "a_group_of_one_answers_on_a_lossy_network", LOSSY, singleton),
];

fn never_started(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    let mut cluster = Cluster::new(stage, 3, synod_paxos::Settings::default());
    let result = cluster.asks(1, kv::simple()).and_then(|()| cluster.sim.run_ms(500)).and_then(|()| {
        let is_idle = cluster.sim.answered(NodeId::client(1)) == 0 && !cluster.sim.is_done();
        cluster.must(is_idle, "somebody answered for servers that were never started")
    });
    stage.conclude(cluster.sim, result)
}

fn logs_agree(cluster: &Cluster, through: u64) -> Step {
    let servers = cluster.running();
    invariants::servers_agree_on_what_is_chosen(&servers, Slot::ZERO, Slot(through))
        .and_then(|()| invariants::what_is_chosen_is_held_by_a_majority(&servers, Slot::ZERO, Slot(through)))
        .map_err(|what| cluster.sim.failure(what))
}

fn simple(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 3, |cluster| {
        let is_blank = cluster
            .running()
            .iter()
            .all(|server| (server.log().dropped_through(), server.log().last()) == (Slot::ZERO, Slot::ZERO));
        cluster.must(is_blank, "a group begins with empty logs")?;
        logs_agree(cluster, 100)?;
        // Each operation through the log, so that it has as many slots as there are operations.
        let list = kv::simple();
        let writes =
            list.iter().filter(|(command, _)| !matches!(command, KvCommand::Get { .. })).count() as u64;
        cluster.asks(1, list)?;
        cluster.finish(60_000)?;
        logs_agree(cluster, 100)?;
        let servers = cluster.running();
        let holding = servers.iter().filter(|server| server.log().last().0 >= writes).count();
        let is_done = (1..=writes).all(|slot| {
            let known = |status| matches!(status, SlotStatus::Chosen | SlotStatus::Cleared);
            servers.iter().any(|server| known(server.status(Slot(slot))))
        });
        cluster.must(holding >= 2 && is_done, "a majority holds every command, and each slot is chosen")
    })
}

fn write_write_read(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 5, |cluster| {
        cluster.asks(1, vec![(KvCommand::put("k", "one"), Some(KvOutput::PutOk))])?;
        cluster.finish(10_000)?;
        cluster.asks(2, vec![(KvCommand::put("k", "two"), Some(KvOutput::PutOk))])?;
        cluster.finish(10_000)?;
        cluster.asks(3, vec![(KvCommand::get("k"), Some(KvOutput::value("two")))])?;
        cluster.finish(10_000)
    })
}

fn majority(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 5, |cluster| {
        cluster.client(1)?;
        cluster.keep_only(&[1, 2, 3]);
        cluster.asks(1, vec![(KvCommand::put("k", "v"), Some(KvOutput::PutOk))])?;
        cluster.finish(10_000)
    })
}

fn minority(stage: &Stage, heals: bool) -> Result<Outcome, Box<Failed>> {
    play(stage, 5, |cluster| {
        cluster.client(1)?;
        cluster.keep_only(&[1, 2]);
        cluster.asks(1, vec![(KvCommand::put("k", "v"), Some(KvOutput::PutOk))])?;
        cluster.sim.run_ms(2_000)?;
        cluster.must(!cluster.sim.is_done(), "a minority answered")?;
        if heals {
            cluster.sim.network().heal();
            cluster.finish(10_000)?;
            cluster.asks(2, vec![(KvCommand::get("k"), Some(KvOutput::value("v")))])?;
            cluster.finish(10_000)?;
        }
        Ok(())
    })
}

fn moving_majority(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 5, |cluster| {
        cluster.client(1)?;
        cluster.client(2)?;
        cluster.keep_only(&[1, 2, 3]);
        cluster.asks(1, vec![(KvCommand::put("k", "v"), Some(KvOutput::PutOk))])?;
        cluster.finish(10_000)?;
        cluster.keep_only(&[3, 4, 5]);
        cluster.asks(2, vec![(KvCommand::get("k"), Some(KvOutput::value("v")))])?;
        cluster.finish(10_000)
    })
}

fn fifteen_clients(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 5, |cluster| {
        for round in 0..20 {
            for client in 1..=15 {
                let value = format!("{client}.{round}");
                cluster.asks(client, vec![(KvCommand::put("k", &value), Some(KvOutput::PutOk))])?;
            }
            cluster.finish(20_000)?;
            let seen = Collected::default();
            for client in 1..=15 {
                cluster.asks_and_collects(client, vec![(KvCommand::get("k"), None)], &seen)?;
            }
            cluster.finish(20_000)?;
            let seen = seen.borrow();
            let is_one = seen.len() == 15 && seen.iter().all(|output| *output == seen[0]);
            cluster.must(is_one, format!("in round {round} not all clients read the same: {seen:?}"))?;
        }
        Ok(())
    })
}

fn many_appends(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 5, |cluster| {
        for client in 1..=25 {
            cluster.asks(client, kv::shared_appends("k", client, 5))?;
        }
        cluster.finish(60_000)
    })
}

fn few_messages(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 5, |cluster| {
        cluster.asks(1, kv::own_appends("k", 500))?;
        cluster.finish(120_000)?;
        let sent: u64 = cluster.servers.iter().map(|id| cluster.sim.sent_to(*id)).sum();
        cluster.must(sent <= 75 * 500, format!("{sent} messages were sent to servers for 500 commands"))
    })
}

fn garbage(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    const MIB: usize = 1 << 20;
    play(stage, 3, |cluster| {
        cluster.client(1)?;
        cluster.keep_only(&[2, 3]);
        let small = cluster.kept_bytes();
        cluster.must(small < 2 * MIB, "an empty group is small")?;
        let big = "x".repeat(1_000_000);
        let puts = |value: &str| {
            (0..20).map(|n| (KvCommand::put(&format!("k{}", n % 10), value), Some(KvOutput::PutOk))).collect()
        };
        cluster.asks(1, puts(&big))?;
        cluster.finish(60_000)?;
        let kept = cluster.kept_bytes();
        cluster
            .must(kept > 20_000_000, format!("only {kept} bytes are kept for the server that is cut off"))?;
        cluster.sim.network().heal();
        cluster.asks(1, puts("small"))?;
        cluster.finish(60_000)?;
        cluster.sim.run_ms(4_000)?;
        let kept = cluster.kept_bytes();
        cluster.must(kept < 2 * MIB, format!("{kept} bytes are still kept"))
    })
}

fn two_in_turn(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 5, |cluster| {
        for round in 0..10 {
            let value = format!("v{round}");
            cluster.asks(1, vec![(KvCommand::put("k", &value), Some(KvOutput::PutOk))])?;
            cluster.finish(20_000)?;
            cluster.asks(2, vec![(KvCommand::get("k"), Some(KvOutput::value(&value)))])?;
            cluster.finish(20_000)?;
        }
        Ok(())
    })
}

fn one_partition(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 5, |cluster| {
        for client in 1..=5 {
            cluster.asks_for_ever(client, 0)?;
        }
        cluster.sim.run_ms(5_000)?;
        cluster.keep_only(&[1, 2, 3]);
        cluster.sim.run_ms(1_000)?;
        cluster.sim.network().heal();
        cluster.sim.run_ms(5_000)?;
        cluster.waited_at_most(3_000)
    })
}

/// Three of five, drawn.
fn some_majority(rng: &mut Rng) -> [u32; 3] {
    let mut all = [1, 2, 3, 4, 5];
    rng.shuffle(&mut all);
    [all[0], all[1], all[2]]
}

fn changing(stage: &Stage, pause_us: u64) -> Result<Outcome, Box<Failed>> {
    let mut rng = Rng::new(stage.seed).split("majorities");
    play(stage, 5, |cluster| {
        for client in 1..=5 {
            cluster.asks_for_ever(client, pause_us)?;
        }
        for _ in 0..5 {
            for _ in 0..2 {
                cluster.keep_only(&some_majority(&mut rng));
                cluster.sim.run_ms(2_000)?;
            }
            cluster.sim.network().heal();
            cluster.sim.run_ms(2_000)?;
        }
        cluster.waited_at_most(2_000)
    })
}

fn long_partitions(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    let mut rng = Rng::new(stage.seed).split("majorities");
    play(stage, 5, |cluster| {
        for client in 1..=2 {
            cluster.asks_for_ever(client, 0)?;
        }
        for _ in 0..4 {
            cluster.keep_only(&some_majority(&mut rng));
            cluster.sim.run_ms(5_000)?;
            cluster.keep_only(&some_majority(&mut rng));
            cluster.sim.run_ms(1_000)?;
            cluster.sim.network().heal();
            cluster.sim.run_ms(5_000)?;
        }
        for client in 3..=4 {
            cluster.asks(client, kv::own_appends(&format!("fresh{client}"), 10))?;
        }
        let fresh = [NodeId::client(3), NodeId::client(4)];
        let done = |sim: &Simulator<Node>| fresh.iter().all(|client| sim.is_client_done(*client));
        let in_time = cluster.sim.run_until(20_000, done)?;
        cluster.must(in_time, "fresh clients are not done after 20 s")
    })
}

fn singleton(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 1, |cluster| {
        for client in 1..=10 {
            cluster.asks(client, kv::shared_appends("k", client, 30))?;
        }
        cluster.finish(60_000)?;
        let bytes = cluster.running()[0].replica().machine().bytes();
        cluster.must(bytes > 10 * 30, "every append is in the store")
    })
}
