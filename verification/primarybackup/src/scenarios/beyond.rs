//! Claims beyond the list: crashes and restarts, one-way cuts, pauses, large states, the view server's own crashes.

use super::row;
use super::service::{Service, Step, VIEW_SERVER, get, play, play_with, put};
use synod_clientserver::KvCommand;
use synod_node::NodeId;
use synod_primarybackup::{Settings, View};
use synod_stdx::{Rng, marks};
use synod_testkit::{Failed, Kind, Outcome, Scenario, Stage};
use synod_verify::asks::Asks;
use synod_verify::kv;

const LOSSY: Kind = Kind::Unreliable(100);

/// The claims.
pub const BEYOND: &[Scenario] = &[
    row("x1", "servers_crash_and_restart_one_at_a_time_and_every_append_is_there_once", LOSSY, one_at_a_time),
    row("x2", "whatever_crashes_whenever_no_answer_is_wrong", LOSSY, crash_storm),
    row("x3", "a_primary_that_restarts_at_once_has_lost_its_role", Kind::Run, quick_restarts),
    row("x4", "a_one_way_cut_between_primary_and_backup_does_not_stop_the_service", Kind::Run, cut_pair),
    row("x5", "where_primary_and_backup_cannot_talk_they_serve_by_turns", Kind::Run, lonely_pair),
    row("x6", "a_primary_that_the_view_server_does_not_hear_serves_nothing_stale", Kind::Run, |stage| {
        unheard(stage, false)
    }),
    row("x7", "a_primary_that_does_not_hear_the_view_server_serves_nothing_stale", Kind::Run, |stage| {
        unheard(stage, true)
    }),
    row("x8", "a_primary_that_was_paused_serves_nothing_stale", Kind::Run, paused),
    row("x9", "duplicates_and_reordering_at_every_step_change_nothing", LOSSY, wild_network),
    row("x10", "a_large_state_goes_over_in_pieces_and_begins_anew_with_each_view", LOSSY, large_state),
    row("x11", "operations_are_pipelined_to_the_backup", Kind::Run, pipelined),
    row("x12", "a_pair_serves_while_the_view_server_is_away", Kind::Run, view_server_away),
    row("x13", "a_view_server_that_restarts_goes_on_where_it_was", LOSSY, view_server_restarts),
];

fn pair(service: &mut Service) -> Result<(NodeId, NodeId), synod_simulator::Failure> {
    let View { primary: Some(primary), backup: Some(backup), .. } = service.pairs_up(20_000)? else {
        unreachable!("it is a pair");
    };
    Ok((primary.id, backup.id))
}

/// What `clients` appended to their keys, each so many times, is read by another.
fn read_own_appends(service: &mut Service, clients: u32, count: usize) -> Step {
    let whole: String = (0..count).map(|n| format!("{n},")).collect();
    service.asks(9, (1..=clients).map(|client| get(&format!("k{client}"), &whole)).collect())?;
    service.finish(60_000)
}

fn one_at_a_time(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    let mut rng = Rng::new(stage.seed).split("crashes");
    play(stage, 3, |service| {
        for client in 1..=3 {
            service.asks_as(client, 4, Asks::new(kv::own_appends(&format!("k{client}"), 200)))?;
        }
        for _ in 0..12 {
            service.sim.run_ms(rng.between(1, 100))?;
            // While the view changes, the only state may be at one server: that one must not go.
            pair(service)?;
            let running = service.running();
            let victim = *rng.pick(&running).expect("some run");
            service.sim.crash(victim)?;
            service.sim.run_ms(rng.between(0, 400))?;
            service.sim.restart(victim)?;
        }
        service.finish(60_000)?;
        read_own_appends(service, 3, 200)
    })
}

/// Several at once, the view server too. Then nobody may be left who knows: so nothing is said of progress.
fn crash_storm(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    let mut rng = Rng::new(stage.seed).split("crashes");
    play(stage, 3, |service| {
        for client in 1..=3 {
            service.asks(client, kv::shared_appends("k", client, 200))?;
        }
        let mut down: Vec<NodeId> = Vec::new();
        for _ in 0..30 {
            service.sim.run_ms(rng.between(1, 250))?;
            let mut up = service.running();
            up.extend((!down.contains(&VIEW_SERVER)).then_some(VIEW_SERVER));
            if rng.chance(500) && !up.is_empty() {
                let victim = *rng.pick(&up).expect("some run");
                service.sim.crash(victim)?;
                down.push(victim);
            } else if !down.is_empty() {
                let id = down.swap_remove(rng.below(down.len() as u64) as usize);
                service.sim.restart(id)?;
            }
        }
        for id in down {
            service.sim.restart(id)?;
        }
        service.sim.run_ms(2_000)
    })
}

fn quick_restarts(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 2, |service| {
        for round in 0..6 {
            pair(service)?;
            let value = round.to_string();
            service.asks(1, vec![put("k", &value)])?;
            service.finish(10_000)?;
            let (primary, backup) = pair(service)?;
            // Before anybody could miss it.
            service.sim.crash(primary)?;
            service.sim.run_ms(1)?;
            service.sim.restart(primary)?;
            service.sim.run_ms(1)?;
            let is_primary = service.server(primary).is_some_and(synod_primarybackup::Server::is_primary);
            service.must(!is_primary, format!("{primary} acts on what it was"))?;
            service.asks(2, vec![get("k", &value)])?;
            service.finish(10_000)?;
            let now = pair(service)?;
            service.must(now == (backup, primary), format!("{now:?} serve, not {backup} and {primary}"))?;
        }
        Ok(())
    })
}

/// Acknowledgements are lost, or forwards are; a third server takes the backup's place.
fn cut_pair(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 3, |service| {
        let (primary, backup) = pair(service)?;
        if stage.seed.is_multiple_of(2) {
            service.sim.network().cut(primary, backup);
        } else {
            service.sim.network().cut(backup, primary);
        }
        service.asks(1, kv::own_appends("k1", 20))?;
        service.finish(5_000)?;
        let now = pair(service)?;
        service.must(now.0 == primary && now.1 != backup, format!("{now:?} serve"))?;
        service.sim.network().heal();
        service.asks(1, vec![put("other", "v")])?;
        service.finish(5_000)?;
        read_own_appends(service, 1, 20)
    })
}

/// There is no third server: the primary serves alone until the backup is tried again.
fn lonely_pair(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 2, |service| {
        let (primary, backup) = pair(service)?;
        service.sim.network().cut_both(primary, &[backup]);
        service.asks(1, kv::own_appends("k1", 20))?;
        service.finish(20_000)?;
        service.sim.network().heal();
        let now = pair(service)?;
        service.must(now == (primary, backup), format!("{now:?} serve"))?;
        service.sim.crash(primary)?;
        read_own_appends(service, 1, 20)
    })
}

/// One direction between primary and view server is cut, and one client hears neither the view server nor anybody but
/// that primary.
fn unheard(stage: &Stage, is_deaf: bool) -> Result<Outcome, Box<Failed>> {
    play(stage, 3, |service| {
        let (primary, backup) = pair(service)?;
        let (near, far) = (service.client(1)?, service.client(2)?);
        service.asks(1, vec![put("k", "old")])?;
        service.asks(2, vec![(KvCommand::get("nothing"), None)])?;
        service.finish(10_000)?;
        let (first, second) = if is_deaf { (VIEW_SERVER, primary) } else { (primary, VIEW_SERVER) };
        service.sim.network().cut(first, second);
        service.sim.network().cut_both(near, &[VIEW_SERVER]);
        if is_deaf {
            // It pings, so nobody replaces it; but its backup dies, and the view that says so does not reach it.
            service.sim.crash(backup)?;
            service.asks(1, vec![get("k", "old")])?;
            service.sim.run_ms(1_000)?;
            service.must(!service.sim.is_done(), "it serves alone, and has not heard that it may")?;
            service.sim.network().heal();
            return service.finish(5_000);
        }
        // Until the backup hears of it, it takes what the former primary forwards, and that may serve.
        let third = 6 - primary.number() - backup.number();
        service.forms(1_000, backup.number(), Some(third))?;
        service.asks(2, vec![put("k", "new")])?;
        let is_answered = |sim: &synod_simulator::Simulator<_>| sim.is_client_done(far);
        let in_time = service.sim.run_until(5_000, is_answered)?;
        service.must(in_time, "the backup did not take over")?;
        // The near client asks the old primary only, and is told nothing, or the truth once all is well.
        service.asks(1, vec![get("k", "new")])?;
        service.sim.run_ms(1_000)?;
        service.must(!service.sim.is_client_done(near), "a former primary served")?;
        service.sim.network().heal();
        service.finish(5_000)
    })
}

fn paused(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    let mut rng = Rng::new(stage.seed).split("pauses");
    play(stage, 3, |service| {
        for client in 1..=3 {
            service.asks(client, kv::shared_appends("k", client, 400))?;
        }
        for _ in 0..6 {
            let (primary, _) = pair(service)?;
            service.sim.pause(primary);
            service.sim.run_ms(rng.between(50, 500))?;
            service.sim.resume(primary);
            service.sim.run_ms(rng.between(1, 50))?;
        }
        service.finish(60_000)
    })
}

fn wild_network(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 3, |service| {
        let options = service.sim.options();
        options.duplicate_permille = 500;
        (options.tail_permille, options.tail_us_max) = (300, 40_000);
        for client in 1..=4 {
            service.asks_as(client, 8, Asks::new(kv::own_appends(&format!("k{client}"), 60)))?;
        }
        service.finish(120_000)?;
        let reordered = marks::count("primarybackup.forward_out_of_order");
        service.must(reordered > 0, "no forward was ever out of order")?;
        read_own_appends(service, 4, 60)
    })
}

/// Backups come, and die while they receive.
fn large_state(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    let mut rng = Rng::new(stage.seed).split("crashes");
    let settings = Settings { chunk_bytes_max: 8 << 10, chunks_max: 4, ..Settings::default() };
    play_with(stage, 1, settings, |service| {
        let piece = "x".repeat(5_000);
        service.asks_as(1, 16, Asks::new((0..100).map(|n| put(&format!("big{n}"), &piece)).collect()))?;
        service.finish(60_000)?;
        for client in 2..=3 {
            service.asks(client, kv::own_appends(&format!("k{client}"), 300))?;
        }
        let mut is_paired = false;
        for _ in 0..4 {
            let id = service.add_server()?;
            let joining = |sim: &synod_simulator::Simulator<super::service::Node>| {
                let server = sim.world().node(id).and_then(synod_primarybackup::Process::server);
                server.is_some_and(|server| server.role_name() == "joining")
            };
            let joined = service.sim.run_until(10_000, joining)?;
            service.must(joined, format!("{id} is never made backup"))?;
            service.sim.run_ms(rng.between(0, 20))?;
            is_paired = !joining(&service.sim);
            if is_paired {
                break;
            }
            service.sim.crash(id)?;
        }
        if !is_paired {
            service.add_server()?;
        }
        pair(service)?;
        service.finish(60_000)?;
        let (primary, _) = pair(service)?;
        service.sim.crash(primary)?;
        service.asks(9, (0..100).map(|n| get(&format!("big{n}"), &piece)).collect())?;
        service.finish(60_000)
    })
}

/// Two servers, 2 ms from one to the other: one operation takes 8 ms from the client and back. One at a time, 800 of
/// four clients would take more than 1.6 s.
fn pipelined(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 2, |service| {
        let options = service.sim.options();
        options.latency_us = (2_000, 2_000);
        (options.tail_permille, options.duplicate_permille) = (0, 0);
        pair(service)?;
        for client in 1..=4 {
            service.asks_as(client, 64, Asks::new(kv::own_appends(&format!("k{client}"), 200)))?;
        }
        let begin_us = service.sim.now_us();
        service.finish(60_000)?;
        let us = service.sim.now_us() - begin_us;
        service.must(us < 400_000, format!("800 operations took {us} µs"))
    })
}

fn view_server_away(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 2, |service| {
        let (primary, _) = pair(service)?;
        service.asks(1, kv::own_appends("k1", 20))?;
        service.finish(10_000)?;
        service.sim.crash(VIEW_SERVER)?;
        service.asks(1, vec![put("k", "v")])?;
        service.finish(10_000)?;
        // But nobody takes over: the view server is the single point of failure.
        service.sim.crash(primary)?;
        service.asks(1, vec![get("k", "v")])?;
        service.sim.run_ms(2_000)?;
        service.must(!service.sim.is_done(), "somebody took over, and nobody said so")?;
        service.sim.restart(VIEW_SERVER)?;
        service.finish(5_000)
    })
}

fn view_server_restarts(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    let mut rng = Rng::new(stage.seed).split("crashes");
    play(stage, 3, |service| {
        for client in 1..=3 {
            service.asks(client, kv::own_appends(&format!("k{client}"), 300))?;
        }
        for _ in 0..8 {
            let (primary, _) = pair(service)?;
            service.sim.crash(VIEW_SERVER)?;
            let is_primarys_turn = rng.chance(500);
            if is_primarys_turn {
                service.sim.crash(primary)?;
            }
            service.sim.run_ms(rng.between(1, 300))?;
            service.sim.restart(VIEW_SERVER)?;
            service.sim.run_ms(rng.between(0, 100))?;
            if is_primarys_turn {
                service.sim.restart(primary)?;
            }
        }
        service.finish(60_000)?;
        read_own_appends(service, 3, 300)
    })
}
