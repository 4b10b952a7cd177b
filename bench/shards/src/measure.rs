//! One measurement: a store is started, loaded for a while, and looked at.

use crate::users::{Node, Spans, User, keys};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use synod_node::NodeId;
use synod_paxos::Settings;
use synod_shardedstore::{
    Client, ConfigurationCommand, GroupId, GroupPlan, PART_BYTES, Process, Request, Server, SlotId, SlotStatus,
    TextCommand, Texts,
};
use synod_simulator::{Fixed, Options, Oracle, Simulator};
use synod_stdx::Rng;
use synod_world::World;

/// What clients ask.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Load {
    OneKey,
    SameGroup,
    TwoGroups,
    ReadTwoGroups,
    Contended,
    Large,
}

/// A measurement.
pub struct Plan {
    pub groups: u32,
    pub clients: u32,
    pub load: Load,
    pub moves: bool,
    /// For so long.
    pub ms: u64,
}

/// What came of it.
#[derive(Default)]
pub struct Figures {
    pub rate: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub away_p50_ms: f64,
    pub away_max_ms: f64,
    pub moved_ms: f64,
}

const CONTROLLER: u32 = 100_000;
const WARM_MS: u64 = 1_000;
const LARGE_BYTES: usize = 40_000;

fn members(group: u32) -> Vec<NodeId> {
    (1..=3).map(|n| NodeId::server(10 * group + n)).collect()
}

/// Since when each slot that is on its way is served by nobody, and how long those were that came.
#[derive(Default)]
struct Away {
    since_us: BTreeMap<SlotId, u64>,
    /// What came: the old owner may not know yet.
    came: BTreeSet<SlotId>,
    taken_us: Vec<u64>,
    /// The last moment at which a slot came.
    last_us: u64,
}

struct Watch {
    away: Rc<RefCell<Away>>,
    now_us: Rc<RefCell<u64>>,
}

impl Oracle<Node> for Watch {
    fn after_step(&mut self, world: &World<Node>, node: NodeId) -> Result<(), String> {
        let Some(server) = world.node(node).and_then(Process::server) else { return Ok(()) };
        // Only a leader serves.
        if !server.paxos().is_caught_up()
            || (server.state().moving() == (0, 0) && self.away.borrow().since_us.is_empty())
        {
            return Ok(());
        }
        let mut away = self.away.borrow_mut();
        let now_us = *self.now_us.borrow();
        for (slot, status) in server.state().held() {
            match status {
                SlotStatus::Frozen if away.came.contains(&slot) => {}
                SlotStatus::Frozen => {
                    away.since_us.entry(slot).or_insert(now_us);
                }
                SlotStatus::Served | SlotStatus::Locked(_) => {
                    if let Some(since_us) = away.since_us.remove(&slot) {
                        away.came.insert(slot);
                        away.taken_us.push(now_us - since_us);
                        away.last_us = now_us;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Starts the store of `plan` and lets its groups join; with `moves`, the last joins under load.
pub fn measure(plan: &Plan) -> Figures {
    let slots: u16 = if plan.load == Load::Large { 256 } else { 1_024 };
    let options = Options {
        latency_us: (200, 400),
        tail_permille: 0,
        duplicate_permille: 0,
        disk_us: (100, 200),
        clock_skew_permille: 0,
        service_us: 100,
        ..Options::default()
    };
    let mut sim: Simulator<Node> = Simulator::new(1, options);
    let masters = NodeId::servers(3);
    for id in &masters {
        sim.start(*id, Process::master(*id, &masters, slots, Settings::default())).expect("it starts");
    }
    for group in 1..=plan.groups {
        let ids = members(group);
        let shape = GroupPlan {
            group: GroupId(group),
            members: &ids,
            masters: &masters,
            slot_count: slots,
            store: Texts::new(slots),
            settings: Settings::default(),
            part_bytes: PART_BYTES,
        };
        for id in &ids {
            sim.start(*id, Process::Server(Server::new(*id, &shape))).expect("it starts");
        }
    }
    let controller = NodeId::client(CONTROLLER);
    sim.start(controller, Process::controller(controller, 0, &masters)).expect("it starts");
    let first = if plan.moves { plan.groups - 1 } else { plan.groups };
    join(&mut sim, 1..=first);
    sim.run_ms(4_000).expect("nothing goes wrong");
    let keys = Rc::new(keys(slots));
    if plan.load == Load::Large {
        fill(&mut sim, &keys);
    }
    let away = Rc::new(RefCell::new(Away::default()));
    let clock = Rc::new(RefCell::new(0));
    sim.watch(Watch { away: Rc::clone(&away), now_us: Rc::clone(&clock) });
    let spans = drive(&mut sim, plan, (&keys, &masters, slots));
    sim.run_ms(WARM_MS).expect("nothing goes wrong");
    let from_us = sim.now_us();
    if plan.moves {
        join(&mut sim, plan.groups..=plan.groups);
    }
    for _ in 0..plan.ms * 10 {
        *clock.borrow_mut() = sim.now_us();
        sim.run_until(1, {
            let end = sim.now_us() + 100;
            move |sim| sim.now_us() >= end
        })
        .expect("nothing goes wrong");
        if sim.now_us() >= from_us + plan.ms * 1_000 {
            break;
        }
    }
    let away = away.borrow();
    figures(&spans.borrow(), &away, (from_us, sim.now_us()))
}

fn join(sim: &mut Simulator<Node>, groups: std::ops::RangeInclusive<u32>) {
    let joins = groups.map(|group| {
        let join = ConfigurationCommand::Join { group: GroupId(group), members: members(group) };
        (Request::Configure(join), None)
    });
    sim.drive(NodeId::client(CONTROLLER), 1, Fixed::new(joins));
}

fn start_client(sim: &mut Simulator<Node>, id: NodeId, (masters, slots): (&[NodeId], u16)) {
    sim.start(id, Process::Client(Client::new(id, 0, masters, slots))).expect("it starts");
}

fn fill(sim: &mut Simulator<Node>, keys: &Rc<Vec<String>>) {
    let id = NodeId::client(CONTROLLER - 1);
    start_client(sim, id, (&NodeId::servers(3), keys.len() as u16));
    let value = "x".repeat(LARGE_BYTES);
    let puts = keys
        .iter()
        .map(|key| (Request::Commands(vec![TextCommand::put(&format!("{{{key}}}large"), &value)]), None));
    // The key in braces has the slot of the whole.
    sim.drive(id, 1, Fixed::new(puts.collect::<Vec<_>>()));
    let is_done = sim.run_until(60_000, |sim| sim.is_client_done(id)).expect("nothing goes wrong");
    assert!(is_done, "the store is not filled");
}

fn drive(
    sim: &mut Simulator<Node>,
    plan: &Plan,
    (keys, masters, slots): (&Rc<Vec<String>>, &[NodeId], u16),
) -> Spans {
    let spans = Spans::default();
    for number in 1..=plan.clients {
        let id = NodeId::client(number);
        start_client(sim, id, (masters, slots));
        let (keys, load) = (Rc::clone(keys), plan.load);
        let user = User {
            next: move |rng: &mut Rng| command(load, &keys, rng),
            spans: Rc::clone(&spans),
            asked_us: 0,
            is_first: true,
        };
        sim.drive(id, 1, user);
    }
    spans
}

/// Two keys at random are of two groups in three cases of four, where there are four; two of one slot are of one.
fn command(load: Load, keys: &[String], rng: &mut Rng) -> Request<TextCommand> {
    let any = |rng: &mut Rng| rng.below(keys.len() as u64) as usize;
    let one = any(rng);
    let (low, high) = (one, any(rng));
    let (tagged, other) = (format!("{{{}}}a", keys[one]), format!("{{{}}}b", keys[one]));
    let command = match load {
        Load::OneKey | Load::Large => TextCommand::put(&keys[one], "0123456789"),
        Load::SameGroup => TextCommand::multi_put(&[(&tagged, "x"), (&other, "y")]),
        Load::TwoGroups => TextCommand::multi_put(&[(&keys[low], "x"), (&keys[high], "y")]),
        Load::ReadTwoGroups => TextCommand::multi_get(&[&keys[low], &keys[high]]),
        Load::Contended => {
            TextCommand::multi_put(&[(&keys[one % 8], "x"), (&keys[keys.len() - 1 - one % 8], "y")])
        }
    };
    Request::Commands(vec![command])
}

fn quantile(sorted: &[u64], permille: usize) -> f64 {
    let at = (sorted.len() * permille / 1_000).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(0.0, |us| *us as f64 / 1_000.0)
}

fn figures(spans: &[(u64, u64)], away: &Away, (from_us, until_us): (u64, u64)) -> Figures {
    let within = spans.iter().filter(|(_, answered)| (from_us..until_us).contains(answered));
    let mut took: Vec<u64> = within.map(|(asked, answered)| answered - asked).collect();
    took.sort_unstable();
    let mut gone = away.taken_us.clone();
    gone.sort_unstable();
    Figures {
        rate: took.len() as f64 * 1e6 / (until_us - from_us) as f64,
        p50_ms: quantile(&took, 500),
        p99_ms: quantile(&took, 990),
        away_p50_ms: quantile(&gone, 500),
        away_max_ms: quantile(&gone, 1_000),
        moved_ms: away.last_us.saturating_sub(from_us) as f64 / 1_000.0,
    }
}
