//! Mistakes in how the log's time is kept, and in what stands on it. Runs must find each.

use super::{GatewayMistake, Plan, play};
use synod_node::{ClockReading, Context, NodeId, Stimulus, step};
use synod_paxos::{ClockReport, LogTime, Message as Paxos, Record as Kept};
use synod_shardedstore::{GroupState, Message, Process, Record, Request};
use synod_store::Keyspace;
use synod_testkit::{Kind, Mutant, Stage};
use synod_verify_shardedstore::scenarios::Lie;

type Node = Process<Keyspace>;
type Ctx = Context<Node>;
type Inner = Paxos<GroupState<Keyspace>>;

const fn mutant(name: &'static str, what: &'static str) -> Mutant {
    Mutant { module: "store", name, what, caught_by: "1.2" }
}

/// The seeded mistakes.
pub const MUTANTS: &[Mutant] = &[
    mutant("stamps_by_the_wall_clock", "a leader stamps entries by its wall clock"),
    mutant("begins_by_the_wall_clock", "a new leader begins from its own wall clock"),
    mutant("believes_one_member", "the time leaps on one member's word"),
    mutant("keeps_no_time", "a process that starts again knows nothing of the time that passed"),
    mutant("takes_boots_for_one", "what a monotonic clock read is kept beyond a new start of its machine"),
    mutant("makes_deadlines_at_the_gateway", "a gateway makes deadlines by its wall clock"),
    mutant("tells_rests_at_the_gateway", "a gateway tells the rest of a key's time by its wall clock"),
    mutant("transacts_apart", "the groups of a transaction do not agree on its time"),
];

/// Plays scenario 1.2 with a mutant until a seed catches it: what was wrong.
pub fn caught(mutant: &Mutant, seeds: u64) -> Option<String> {
    let (lie, gateway) = match mutant.name {
        "makes_deadlines_at_the_gateway" => (None, Some(GatewayMistake::Deadlines)),
        "tells_rests_at_the_gateway" => (None, Some(GatewayMistake::Rests)),
        "transacts_apart" => (None, Some(GatewayMistake::Apart)),
        name => (Some(name), None),
    };
    let plan = Plan { jumps: true, crashes: true, mutant: lie, gateway, ..Plan::default() };
    (0..seeds).find_map(|seed| {
        let stage = Stage { seed, kind: Kind::Unreliable(20), record: false };
        play(&stage, &plan).err().map(|failed| format!("seed {seed}: {}", failed.failure.what))
    })
}

/// The function that takes this mutant's steps, if its mistake is a node's.
pub(super) fn lie(name: &str) -> Option<Lie<Keyspace>> {
    Some(match name {
        "stamps_by_the_wall_clock" => stamps_by_the_wall_clock,
        "begins_by_the_wall_clock" => begins_by_the_wall_clock,
        "believes_one_member" => believes_one_member,
        "keeps_no_time" => keeps_no_time,
        "takes_boots_for_one" => takes_boots_for_one,
        _ => return None,
    })
}

/// The time goes on as the wall clock does.
fn stamps_by_the_wall_clock(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let stimulus = match stimulus {
        Stimulus::Request { id, request: Request::Clock(reading) } => {
            let reading = ClockReading { monotonic_us: reading.wall_ms * 1_000, ..reading };
            Stimulus::Request { id, request: Request::Clock(reading) }
        }
        other => other,
    };
    step(node, stimulus, ctx);
}

/// Nothing that was kept of the time is found again.
fn keeps_no_time(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let stimulus = match stimulus {
        Stimulus::Recover(mut durable) => {
            durable.records.retain(|record| !matches!(record, Record::Members(Kept::Time(_))));
            Stimulus::Recover(durable)
        }
        other => other,
    };
    step(node, stimulus, ctx);
}

/// It does not look at which start of the machine its monotonic clock counts from.
fn takes_boots_for_one(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let stimulus = match stimulus {
        Stimulus::Request { id, request: Request::Clock(reading) } => {
            Stimulus::Request { id, request: Request::Clock(ClockReading { boot: 0, ..reading }) }
        }
        other => other,
    };
    step(node, stimulus, ctx);
}

/// What `change` makes of the reports of clocks that the node hears.
fn hearing(
    node: &mut Node,
    stimulus: Stimulus<Node>,
    ctx: &mut Ctx,
    change: impl Fn(ClockReport) -> ClockReport,
) {
    let changed = |message: Inner| match message {
        Paxos::Alive { tick, incarnation, following, happy, executed_through, clock } => {
            let clock = clock.map(&change);
            Paxos::Alive { tick, incarnation, following, happy, executed_through, clock }
        }
        other => other,
    };
    let heard = |from: NodeId, message| match message {
        Message::Members(message) => Stimulus::Message { from, message: Message::Members(changed(message)) },
        Message::Seated { seat, message } => {
            Stimulus::Message { from, message: Message::Seated { seat, message: changed(message) } }
        }
        message => Stimulus::Message { from, message },
    };
    let stimulus = match stimulus {
        Stimulus::Message { from, message } => heard(from, message),
        other => other,
    };
    step(node, stimulus, ctx);
}

/// In every report that it hears, its own wall clock stands in the place of the member's clocks.
fn begins_by_the_wall_clock(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let own_ms = node.server().and_then(|server| server.paxos().clock().wall_ms());
    hearing(node, stimulus, ctx, |report| {
        let wall_ms = own_ms.unwrap_or(report.wall_ms);
        let log = report.log.map(|_| LogTime { at_us: wall_ms * 1_000, age_us: 0 });
        ClockReport { wall_ms, log }
    });
}

/// It takes a member's wall clock for the log's time.
fn believes_one_member(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    hearing(node, stimulus, ctx, |report| ClockReport {
        log: report.log.map(|_| LogTime { at_us: report.wall_ms * 1_000, age_us: 0 }),
        ..report
    });
}
