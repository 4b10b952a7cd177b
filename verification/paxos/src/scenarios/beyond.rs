//! Claims beyond the list: crashes, disks, pauses, partial connectivity, bounded logs, few messages.

use super::cluster::{Cluster, Step, play, play_with};
use super::row;
use synod_clientserver::{KvCommand, KvOutput, KvStore};
use synod_node::NodeId;
use synod_paxos::{Ballot, Process, Request, Server, Settings};
use synod_stdx::{Rng, marks};
use synod_testkit::{Failed, Kind, Outcome, Scenario, Stage};
use synod_verify::kv;

const LOSSY: Kind = Kind::Unreliable(100);

/// The claims.
pub const BEYOND: &[Scenario] = &[
    row("x1", "all_servers_crash_and_restart_at_once_and_nothing_is_lost", Kind::Run, all_crash),
    row("x2", "servers_crash_and_restart_at_random_under_load", LOSSY, |stage| crash_storm(stage, 5)),
    row("x3", "a_leader_that_was_paused_serves_no_stale_read", Kind::Run, paused_leader),
    row("x4", "after_a_quorum_loss_the_connected_server_leads", Kind::Run, quorum_loss),
    row(
        "x5",
        "in_a_constrained_election_the_connected_server_leads_though_it_is_behind",
        Kind::Run,
        constrained,
    ),
    row("x6", "a_chain_makes_progress_and_keeps_its_ballot", Kind::Run, chain),
    row("x7", "one_dead_server_of_five_does_not_stop_compaction", Kind::Run, compaction_goes_on),
    row(
        "x8",
        "a_server_behind_a_compacted_log_gets_a_snapshot_and_then_votes",
        Kind::Run,
        snapshot_then_vote,
    ),
    row("x9", "duplicates_and_reordering_at_every_step_change_nothing", LOSSY, wild_network),
    row("x10", "one_command_costs_one_accept_and_one_accepted_a_follower", Kind::Run, minimal_messages),
    row("x11", "under_load_batches_cost_less_than_a_message_a_command", Kind::Run, batches),
    row("x12", "a_server_that_lost_its_disk_catches_up_before_it_votes", Kind::Run, lost_disk),
    row("x13", "disks_are_lost_one_after_the_other_under_load", LOSSY, lost_disks),
    row("x14", "a_leader_that_stops_hands_over_within_two_ticks", Kind::Run, hand_over),
    row("x15", "checkpoints_let_servers_crash_at_random", LOSSY, |stage| crash_storm(stage, 3)),
    row("x16", "one_way_cuts_do_not_stop_a_group", Kind::Run, one_way),
    row("x17", "slow_and_skewed_servers_do_not_stop_a_group", Kind::Run, pauses),
    row("x18", "large_commands_are_dropped_by_their_bytes", Kind::Run, bytes_are_bounded),
    row("x19", "what_was_promised_but_not_durable_is_not_relied_on", Kind::Run, slow_disks),
    row("x20", "an_old_leader_alone_lets_nobody_in_again", Kind::Run, old_leader_lets_in),
    row("x21", "reads_that_are_answered_do_not_hide_a_lost_write", LOSSY, mixed_windows),
];

const PUT_OK: Option<KvOutput> = Some(KvOutput::PutOk);

/// Small bounds, so that checkpoints and compaction happen all the time.
fn tight() -> Settings {
    Settings { retained_slots_max: 8, checkpoint_bytes: 64, ..Settings::default() }
}

fn put(value: &str) -> kv::List {
    vec![(KvCommand::put("k", value), PUT_OK)]
}

fn get(value: &str) -> kv::List {
    vec![(KvCommand::get("k"), Some(KvOutput::value(value)))]
}

fn all_crash(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 3, |cluster| {
        cluster.asks(1, kv::own_appends("k", 20))?;
        cluster.finish(60_000)?;
        for _ in 0..3 {
            for client in 2..=4 {
                cluster.asks(client, kv::shared_appends("shared", client, 3))?;
            }
            // In the middle of things: some are answered, some only accepted here and there.
            cluster.sim.run_ms(8)?;
            for id in cluster.servers.clone() {
                cluster.sim.crash(id)?;
            }
            cluster.sim.run_ms(300)?;
            for id in cluster.servers.clone() {
                cluster.sim.restart(id)?;
            }
            cluster.finish(60_000)?;
        }
        let whole: String = (0..20).map(|n| format!("{n},")).collect();
        cluster.asks(1, get(&whole))?;
        cluster.finish(60_000)
    })
}

fn crash_storm(stage: &Stage, servers: u32) -> Result<Outcome, Box<Failed>> {
    let mut rng = Rng::new(stage.seed).split("crashes");
    let settings = if servers == 3 { tight() } else { Settings::default() };
    play_with(stage, servers, settings, |cluster| {
        for client in 1..=3 {
            cluster.asks(client, kv::shared_appends("k", client, 40))?;
        }
        let mut down: Vec<NodeId> = Vec::new();
        for _ in 0..30 {
            cluster.sim.run_ms(rng.between(5, 400))?;
            if rng.chance(500) && down.len() < cluster.servers.len() {
                let up: Vec<NodeId> =
                    cluster.servers.iter().filter(|id| !down.contains(id)).copied().collect();
                let Some(id) = rng.pick(&up).copied() else { continue };
                cluster.sim.crash(id)?;
                down.push(id);
            } else if !down.is_empty() {
                let id = down.swap_remove(rng.below(down.len() as u64) as usize);
                cluster.sim.restart(id)?;
            }
        }
        for id in down {
            cluster.sim.restart(id)?;
        }
        cluster.finish(60_000)?;
        cluster.settle(20_000)
    })
}

/// Elections all the time, on disks so slow that crashes fall between a write and its end.
fn slow_disks(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    let mut rng = Rng::new(stage.seed).split("crashes");
    // A short patience: every hiccup is an election.
    let settings = Settings { tick_ms: 10, missed_ticks_max: 2, ..Settings::default() };
    play_with(stage, 3, settings, |cluster| {
        let options = cluster.sim.options();
        options.disk_us = (5_000, 60_000);
        options.latency_us = (50, 12_000);
        for client in 1..=3 {
            cluster.asks_for_ever(client, 0)?;
        }
        for _ in 0..80 {
            cluster.sim.run_ms(rng.between(5, 60))?;
            let victim = NodeId::server(rng.between(1, 3) as u32);
            if rng.chance(300) {
                cluster.sim.pause(victim);
                cluster.sim.run_ms(rng.between(20, 80))?;
                cluster.sim.resume(victim);
            } else {
                cluster.sim.crash(victim)?;
                cluster.sim.run_ms(rng.between(1, 20))?;
                cluster.sim.restart(victim)?;
            }
        }
        Ok(())
    })
}

fn paused_leader(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 3, |cluster| {
        cluster.asks(1, put("old"))?;
        cluster.finish(10_000)?;
        let leader = cluster.elect(10_000)?;
        cluster.sim.pause(leader);
        // The read waits at the paused leader, if its client takes that for the leader still.
        cluster.asks(2, vec![(KvCommand::get("k"), None)])?;
        cluster.sim.run_ms(10 * Settings::default().election_timeout_ms())?;
        cluster.asks(1, put("new"))?;
        cluster.finish(20_000)?;
        cluster.sim.resume(leader);
        // The history's check says whether any read was stale.
        for client in 3..=6 {
            cluster.asks(client, get("new"))?;
        }
        cluster.finish(10_000)
    })
}

/// Five servers of which only `hub` hears all others, and they only it.
fn star(cluster: &mut Cluster, hub: NodeId) {
    for a in cluster.servers.clone() {
        for b in cluster.servers.clone() {
            if a != b && a != hub && b != hub {
                cluster.sim.network().cut(a, b);
            }
        }
    }
}

/// Some client's write succeeds within five election timeouts; then, while nothing changes, no ballot grows.
fn progresses_and_keeps_its_ballot(cluster: &mut Cluster, client: u32) -> Step {
    let timeout_ms = Settings::default().election_timeout_ms();
    cluster.asks(client, put("through"))?;
    cluster.finish(5 * timeout_ms)?;
    cluster.sim.run_ms(2 * timeout_ms)?;
    let highest = |cluster: &Cluster| cluster.running().iter().map(|server| server.promised()).max();
    let before = highest(cluster);
    cluster.sim.run_ms(20 * timeout_ms)?;
    let after = highest(cluster);
    cluster
        .must(before == after, format!("while nothing changed, ballots grew from {before:?} to {after:?}"))?;
    cluster.asks(client, get("through"))?;
    cluster.finish(5 * timeout_ms)
}

fn quorum_loss(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 5, |cluster| {
        cluster.asks(1, put("before"))?;
        cluster.finish(10_000)?;
        let leader = cluster.elect(10_000)?;
        let hub = cluster.servers.iter().copied().find(|id| *id != leader).unwrap_or(leader);
        star(cluster, hub);
        progresses_and_keeps_its_ballot(cluster, 2)?;
        cluster.must(cluster.leader() == Some(hub), format!("{hub} alone reaches a quorum"))
    })
}

fn constrained(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 5, |cluster| {
        cluster.asks(1, put("before"))?;
        cluster.finish(10_000)?;
        let leader = cluster.elect(10_000)?;
        let hub = cluster.servers.iter().copied().find(|id| *id != leader).unwrap_or(leader);
        // The hub misses what the others still choose.
        let others: Vec<NodeId> = cluster.servers.iter().filter(|id| **id != hub).copied().collect();
        cluster.sim.network().cut_both(hub, &others);
        cluster.asks(1, kv::own_appends("more", 10))?;
        cluster.finish(10_000)?;
        cluster.sim.network().heal();
        star(cluster, hub);
        // And the old leader is gone for it.
        cluster.sim.network().cut_both(hub, &[leader]);
        progresses_and_keeps_its_ballot(cluster, 2)?;
        let whole: String = (0..10).map(|n| format!("{n},")).collect();
        cluster.asks(3, vec![(KvCommand::get("more"), Some(KvOutput::value(&whole)))])?;
        cluster.finish(10_000)?;
        cluster.must(cluster.leader() == Some(hub), format!("{hub} alone reaches a quorum"))
    })
}

fn chain(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 3, |cluster| {
        cluster.asks(1, put("before"))?;
        cluster.finish(10_000)?;
        let leader = cluster.elect(10_000)?;
        let end = cluster.servers.iter().copied().find(|id| *id != leader).unwrap_or(leader);
        cluster.sim.network().cut_both(leader, &[end]);
        progresses_and_keeps_its_ballot(cluster, 2)
    })
}

fn compaction_goes_on(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    let settings = Settings { retained_slots_max: 50, ..Settings::default() };
    play_with(stage, 5, settings, |cluster| {
        cluster.asks(1, put("first"))?;
        cluster.finish(10_000)?;
        cluster.elect(10_000)?;
        cluster.sim.crash(NodeId::server(5))?;
        cluster.asks(1, kv::own_appends("k2", 300))?;
        cluster.finish(60_000)?;
        // A state that was on its way to it when it crashed holds the log for a while.
        cluster.sim.run_ms(3_000)?;
        let most = cluster.running().iter().map(|server| server.log().slots()).max().unwrap_or(0);
        cluster.must(most <= 50 + 10, format!("a log holds {most} slots with one server dead"))
    })
}

fn bytes_are_bounded(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    let settings = Settings { retained_bytes_max: 100_000, ..Settings::default() };
    play_with(stage, 3, settings, |cluster| {
        cluster.asks(1, put("first"))?;
        cluster.finish(10_000)?;
        cluster.elect(10_000)?;
        cluster.sim.crash(NodeId::server(3))?;
        let big = "x".repeat(10_000);
        cluster.asks(1, (0..100).map(|_| (KvCommand::put("k", &big), PUT_OK)).collect())?;
        cluster.finish(60_000)?;
        // As above.
        cluster.sim.run_ms(3_000)?;
        let most = cluster.running().iter().map(|server| server.log().slots()).max().unwrap_or(0);
        cluster.must(most <= 12, format!("a log holds {most} slots of 10,000 bytes each"))?;
        cluster.sim.restart(NodeId::server(3))?;
        cluster.settle(20_000)
    })
}

fn snapshot_then_vote(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play_with(stage, 3, tight(), |cluster| {
        cluster.asks(1, put("first"))?;
        cluster.finish(10_000)?;
        let leader = cluster.elect(10_000)?;
        let away = cluster.servers.iter().copied().find(|id| *id != leader).unwrap_or(leader);
        cluster.sim.crash(away)?;
        cluster.asks(1, kv::own_appends("k2", 60))?;
        cluster.finish(60_000)?;
        let before = marks::count("paxos.snapshot_installed");
        cluster.sim.restart(away)?;
        cluster.settle(20_000)?;
        cluster.must(marks::count("paxos.snapshot_installed") > before, "it caught up without a snapshot")?;
        // Now its vote is needed.
        let third = cluster.servers.iter().copied().find(|id| *id != leader && *id != away).unwrap_or(leader);
        cluster.sim.crash(third)?;
        cluster.asks(1, put("last"))?;
        cluster.finish(20_000)?;
        cluster.sim.restart(third)?;
        cluster.settle(20_000)
    })
}

fn wild_network(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play_with(stage, 3, tight(), |cluster| {
        let options = cluster.sim.options();
        options.duplicate_permille = 600;
        options.latency_us = (50, 30_000);
        for client in 1..=4 {
            cluster.asks(client, kv::shared_appends("k", client, 10))?;
        }
        cluster.finish(120_000)
    })
}

/// A group in calm weather with a leader, whose counters have begun anew.
fn calm(stage: &Stage, cluster: &mut Cluster) -> Step {
    let record = stage.record;
    *cluster.sim.options() = synod_simulator::Options {
        latency_us: (100, 200),
        tail_permille: 0,
        duplicate_permille: 0,
        disk_us: (100, 200),
        record,
        ..Default::default()
    };
    cluster.elect(10_000)?;
    // Its client finds it.
    cluster.asks(1, put("warm"))?;
    cluster.finish(10_000)
}

fn minimal_messages(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 3, |cluster| {
        calm(stage, cluster)?;
        let before = (cluster.sent("accept"), cluster.sent("accepted"));
        cluster.asks(1, (0..100).map(|n| (KvCommand::put("k", &n.to_string()), PUT_OK)).collect())?;
        cluster.finish(60_000)?;
        let cost = (cluster.sent("accept") - before.0, cluster.sent("accepted") - before.1);
        // Two followers, a hundred commands.
        cluster.must(cost.0 == 200, format!("{} Accepts for 100 commands", cost.0))?;
        cluster.must(cost.1 <= 200, format!("{} Accepteds for 100 commands", cost.1))
    })
}

fn batches(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 3, |cluster| {
        calm(stage, cluster)?;
        let before = cluster.sent("accept") + cluster.sent("accepted");
        for client in 1..=64 {
            let key = format!("k{client}");
            cluster
                .asks(client, (0..20).map(|n| (KvCommand::put(&key, &n.to_string()), PUT_OK)).collect())?;
        }
        cluster.finish(60_000)?;
        let cost = cluster.sent("accept") + cluster.sent("accepted") - before;
        // One Accept and one Accepted to and from two followers each would be 5,120.
        cluster.must(cost < 64 * 20, format!("{cost} messages for 1,280 commands of 64 clients"))
    })
}

fn reborn(cluster: &Cluster, id: NodeId, incarnation: u64, settings: Settings) -> Process<KvStore> {
    Process::Server(Server::rejoining(id, &cluster.servers, KvStore::default(), settings, incarnation))
}

fn lost_disk(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 3, |cluster| {
        cluster.asks(1, kv::own_appends("k", 20))?;
        cluster.finish(60_000)?;
        let leader = cluster.elect(10_000)?;
        let lost = cluster.servers.iter().copied().find(|id| *id != leader).unwrap_or(leader);
        let third = cluster.servers.iter().copied().find(|id| *id != leader && *id != lost).unwrap_or(leader);
        cluster.sim.crash(lost)?;
        // With only one that remembers, the one that does not must not make a majority with it.
        cluster.sim.crash(third)?;
        let node = reborn(cluster, lost, 1, Settings::default());
        cluster.sim.replace(lost, node)?;
        cluster.asks(2, put("not yet"))?;
        cluster.sim.run_ms(3_000)?;
        cluster.must(!cluster.sim.is_done(), "a server without its disk made a majority")?;
        cluster.sim.restart(third)?;
        cluster.finish(20_000)?;
        cluster.settle(20_000)?;
        let is_in = cluster.server(lost).is_some_and(|server| !server.is_rejoining());
        cluster.must(is_in, "it was not let in again")?;
        // Now it counts: the other two may take turns to be away.
        cluster.sim.crash(leader)?;
        cluster.asks(2, put("with it"))?;
        cluster.finish(20_000)
    })
}

fn mixed_windows(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 3, |cluster| {
        // An endless stream of reads, and writes in between, all of one client.
        for client in 1..=2 {
            let own = |n: u32| (KvCommand::append(&format!("own{client}"), &format!("{n},")), None);
            let list = (0..1_000).map(|n| if n % 20 == 7 { own(n) } else { (KvCommand::get("other"), None) });
            cluster.asks_at_once(client, 6, list.collect())?;
        }
        cluster.finish(120_000)?;
        cluster.waited_at_most(1_500)
    })
}

fn old_leader_lets_in(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 3, |cluster| {
        cluster.asks(1, put("first"))?;
        cluster.finish(10_000)?;
        let old = cluster.elect(10_000)?;
        let others: Vec<NodeId> = cluster.servers.iter().filter(|id| **id != old).copied().collect();
        let [other, lost] = others[..] else { return Err(cluster.sim.failure("three servers")) };
        // The other two go on without the leader.
        cluster.sim.network().cut_both(old, &others);
        cluster.asks(1, put("second"))?;
        cluster.finish(10_000)?;
        // One of them forgets, and meets only the old leader, which still leads as far as it knows.
        cluster.sim.crash(lost)?;
        cluster.sim.network().heal();
        cluster.sim.network().cut_both(other, &[old, lost]);
        let node = reborn(cluster, lost, 1, Settings::default());
        cluster.sim.replace(lost, node)?;
        cluster.asks(2, put("lost"))?;
        cluster.sim.run_ms(3_000)?;
        cluster.must(
            !cluster.sim.is_client_done(NodeId::client(2)),
            "who forgot made a majority with who never knew",
        )?;
        cluster.sim.network().heal();
        cluster.finish(20_000)?;
        cluster.settle(20_000)
    })
}

fn lost_disks(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play_with(stage, 3, tight(), |cluster| {
        for client in 1..=3 {
            cluster.asks(client, kv::shared_appends("k", client, 30))?;
        }
        for (round, id) in (1..=2).flat_map(|round| NodeId::servers(3).into_iter().map(move |id| (round, id)))
        {
            cluster.sim.run_ms(300)?;
            cluster.sim.crash(id)?;
            let node = reborn(cluster, id, round, tight());
            cluster.sim.replace(id, node)?;
            let back = cluster.sim.run_until(20_000, |sim| {
                sim.world().node(id).and_then(Process::server).is_some_and(|server| !server.is_rejoining())
            })?;
            cluster.must(back, format!("{id} was not let in again"))?;
        }
        cluster.finish(60_000)?;
        cluster.settle(20_000)
    })
}

fn hand_over(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 3, |cluster| {
        calm(stage, cluster)?;
        let leader = cluster.elect(10_000)?;
        let before: Ballot = cluster.server(leader).map_or(Ballot::ZERO, Server::promised);
        cluster.sim.ask(leader, Request::HandOver)?;
        cluster.sim.run_ms(2 * Settings::default().tick_ms)?;
        let next = cluster.leader();
        cluster.must(
            next.is_some_and(|next| next != leader),
            format!("{next:?} leads after {leader} stopped"),
        )?;
        let promised = cluster.running().iter().map(|server| server.promised()).max();
        cluster.must(promised > Some(before), "a new leader has a new ballot")
    })
}

fn one_way(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    let mut rng = Rng::new(stage.seed).split("cuts");
    play(stage, 5, |cluster| {
        for client in 1..=3 {
            cluster.asks_for_ever(client, 1_000)?;
        }
        for _ in 0..6 {
            // Each server keeps the links to a majority both ways; one of the rest goes one way.
            let victim = NodeId::server(rng.between(1, 5) as u32);
            let others: Vec<NodeId> = cluster.servers.iter().filter(|id| **id != victim).copied().collect();
            for other in others {
                if rng.chance(400) {
                    let (from, to) = if rng.chance(500) { (victim, other) } else { (other, victim) };
                    cluster.sim.network().cut(from, to);
                }
            }
            cluster.sim.run_ms(2_500)?;
            cluster.sim.network().heal();
            cluster.sim.run_ms(500)?;
        }
        cluster.waited_at_most(2_500)
    })
}

fn pauses(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    let mut rng = Rng::new(stage.seed).split("pauses");
    play(stage, 5, |cluster| {
        cluster.sim.options().clock_skew_permille = 300;
        cluster.sim.options().disk_us = (1_000, 20_000);
        for client in 1..=3 {
            cluster.asks_for_ever(client, 1_000)?;
        }
        for _ in 0..10 {
            let victim = NodeId::server(rng.between(1, 5) as u32);
            cluster.sim.pause(victim);
            cluster.sim.run_ms(rng.between(10, 1_000))?;
            cluster.sim.resume(victim);
            cluster.sim.run_ms(rng.between(10, 500))?;
        }
        cluster.waited_at_most(3_000)
    })
}
