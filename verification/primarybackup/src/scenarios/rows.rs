//! The rows of the module's list. Rows 1.1 to 1.12 stand in `views.rs`; rows 2.16 to 2.20 are searches.

use super::row;
use super::service::{Service, Step, VIEW_SERVER, get, play, put};
use synod_clientserver::{KvCommand, KvOutput};
use synod_node::NodeId;
use synod_primarybackup::{CHECK_MS, PING_MS, Settings};
use synod_stdx::Rng;
use synod_testkit::{Failed, Kind, Outcome, Scenario, Stage};
use synod_verify::asks::Asks;
use synod_verify::kv::{self, Collected, List};

const LOSSY: Kind = Kind::Unreliable(200);

/// The rows.
pub const SCENARIOS: &[Scenario] = &[
    row("2.1", "a_client_of_servers_that_never_start_waits_and_can_be_abandoned", Kind::Run, never_started),
    row("2.2", "a_single_server_answers_the_simple_workload", Kind::Run, |stage| {
        play(stage, 1, |service| {
            service.asks(1, kv::simple())?;
            service.finish(60_000)
        })
    }),
    row("2.3", "a_single_server_serves_within_four_checks", Kind::Run, |stage| {
        play(stage, 1, |service| service.forms(4 * CHECK_MS, 1, None))
    }),
    row("2.4", "a_pair_serves_within_four_checks", Kind::Run, pair_forms),
    row("2.5", "the_view_server_hears_little", Kind::Run, few_messages),
    row("2.6", "a_backup_takes_over_with_everything", Kind::Run, takes_over),
    row("2.7", "where_both_replicas_are_gone_a_fresh_server_answers_nothing", Kind::Run, both_gone),
    row("2.8", "a_hundred_appends_run_exactly_once_on_a_lossy_network", LOSSY, |stage| {
        play(stage, 2, |service| {
            service.asks(1, kv::own_appends("k", 100))?;
            service.finish(120_000)
        })
    }),
    row("2.9", "servers_die_one_after_the_other_and_values_stay", Kind::Run, one_after_the_other),
    row("2.10", "primary_and_former_backup_give_the_same_values", Kind::Run, |stage| both_agree(stage, puts)),
    row(
        "2.11",
        "appends_of_three_clients_are_linearizable_and_both_replicas_have_them",
        Kind::Run,
        |stage| both_agree(stage, appends),
    ),
    row("2.12", "primary_and_former_backup_give_the_same_values_on_a_lossy_network", LOSSY, |stage| {
        both_agree(stage, puts)
    }),
    row("2.13", "appends_are_linearizable_on_a_lossy_network", LOSSY, |stage| both_agree(stage, appends)),
    row("2.14", "servers_come_and_go_each_second_and_no_client_waits_long", Kind::Run, come_and_go),
    row("2.15", "servers_come_and_go_on_a_lossy_network", LOSSY, come_and_go),
];

fn never_started(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    let mut service = Service::new(stage, Settings::default());
    let result = service.asks(1, kv::simple()).and_then(|()| service.sim.run_ms(500)).and_then(|()| {
        let is_idle = service.sim.answered(NodeId::client(1)) == 0 && !service.sim.is_done();
        service.must(is_idle, "somebody answered for servers that were never started")
    });
    stage.conclude(service.sim, result)
}

/// Who pings first is primary.
fn pair_forms(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 1, |service| {
        service.forms(4 * CHECK_MS, 1, None)?;
        service.add_server()?;
        service.forms(4 * CHECK_MS, 1, Some(2))
    })
}

fn few_messages(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 2, |service| {
        let begin_us = service.sim.now_us();
        let list: List = (0..500)
            .flat_map(|n| {
                let value = n.to_string();
                [put("k", &value), get("k", &value)]
            })
            .collect();
        service.asks_as(1, 1, Asks::new(list).pausing_us(2_000))?;
        service.finish(120_000)?;
        let elapsed_ms = (service.sim.now_us() - begin_us) / 1_000;
        let heard = service.sim.sent_to(VIEW_SERVER);
        let bound = elapsed_ms / PING_MS * 4 * 2;
        service.must(heard <= bound, format!("in {elapsed_ms} ms {heard} messages, more than {bound}"))
    })
}

fn takes_over(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 1, |service| {
        service.asks(1, vec![put("before", "1")])?;
        service.finish(10_000)?;
        service.add_server()?;
        service.forms(1_000, 1, Some(2))?;
        service.asks(1, vec![put("after", "2")])?;
        service.finish(10_000)?;
        service.sim.crash(NodeId::server(1))?;
        service.asks(1, vec![get("before", "1"), get("after", "2")])?;
        service.finish(10_000)?;
        service.forms(1_000, 2, None)
    })
}

fn both_gone(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 1, |service| {
        service.forms(1_000, 1, None)?;
        service.add_server()?;
        service.forms(1_000, 1, Some(2))?;
        service.asks(1, vec![put("k", "v")])?;
        service.finish(10_000)?;
        service.sim.crash(NodeId::server(1))?;
        service.sim.crash(NodeId::server(2))?;
        service.add_server()?;
        service.asks(1, vec![get("k", "v")])?;
        service.sim.run_ms(4 * CHECK_MS)?;
        service.must(!service.sim.is_done(), "somebody answered who cannot know")
    })
}

fn one_after_the_other(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, 1, |service| {
        service.forms(1_000, 1, None)?;
        service.add_server()?;
        service.forms(1_000, 1, Some(2))?;
        service.asks(1, vec![put("a", "1"), put("b", "2")])?;
        service.finish(10_000)?;
        service.sim.crash(NodeId::server(2))?;
        service.add_server()?;
        service.asks(1, vec![get("a", "1"), put("b", "3"), put("c", "4")])?;
        service.finish(10_000)?;
        service.forms(1_000, 1, Some(3))?;
        service.sim.crash(NodeId::server(1))?;
        service.asks(1, vec![get("a", "1"), get("b", "3"), get("c", "4")])?;
        service.finish(10_000)?;
        service.forms(1_000, 3, None)
    })
}

const KEYS: [&str; 2] = ["a", "b"];

fn puts(client: u32, rng: &mut Rng) -> List {
    let mut key = || KEYS[rng.below(2) as usize];
    (0..100).map(|n| put(key(), &format!("{client}.{n}"))).collect()
}

fn appends(client: u32, _rng: &mut Rng) -> List {
    kv::shared_appends(KEYS[0], client, 100)
}

/// Three clients write; then both replicas are read, one after the other.
fn both_agree(stage: &Stage, writes: fn(u32, &mut Rng) -> List) -> Result<Outcome, Box<Failed>> {
    let mut rng = Rng::new(stage.seed).split("writes");
    play(stage, 1, |service| {
        service.forms(10_000, 1, None)?;
        service.add_server()?;
        service.forms(10_000, 1, Some(2))?;
        for client in 1..=3 {
            service.asks(client, writes(client, &mut rng))?;
        }
        service.finish(120_000)?;
        service.sim.run_ms(4 * CHECK_MS)?;
        // What loss does is shown; the reader's own messages arrive. Pings that were lost may have changed who is what.
        service.sim.options().loss_permille = 0;
        service.pairs_up(10_000)?;
        let before = read_all(service)?;
        let view = service.pairs_up(10_000)?;
        let (Some(primary), Some(backup)) = (view.primary, view.backup) else { unreachable!("it is a pair") };
        service.sim.crash(primary.id)?;
        let after = read_all(service)?;
        service.must(before == after, format!("{before:?} became {after:?}"))?;
        service.forms(1_000, backup.id.number(), None)
    })
}

fn read_all(service: &mut Service) -> Result<Vec<KvOutput>, synod_simulator::Failure> {
    let answers = Collected::default();
    let reads = KEYS.iter().map(|key| (KvCommand::get(key), None)).collect();
    service.asks_and_collects(4, reads, &answers)?;
    service.finish(10_000)?;
    let answers = answers.borrow().clone();
    Ok(answers)
}

fn come_and_go(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    let mut rng = Rng::new(stage.seed).split("servers");
    play(stage, 3, |service| {
        service.view_server_is_reliable();
        for client in 1..=3 {
            service.asks_for_ever(client)?;
        }
        for _ in 0..30 {
            service.sim.run_ms(1_000)?;
            service.add_server()?;
            kill_one(service, &mut rng)?;
        }
        service.sim.run_ms(1_000)?;
        let us = service.sim.take_wait_us_max();
        service.must(us < 5_000_000, format!("a client waited {us} µs"))
    })
}

fn kill_one(service: &mut Service, rng: &mut Rng) -> Step {
    let running = service.running();
    let victim = *rng.pick(&running).expect("some run");
    service.sim.crash(victim)
}
