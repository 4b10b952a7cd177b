//! Mistakes in `shardedstore` that show when members are replaced. Runs find them, in which all takes its time: the searches
//! of the module have no groups of this size.

use super::{heard, mutant};
use crate::searches::shards::Node;
use synod_node::{Context, NodeId, Stimulus, step};
use synod_paxos::Message as Paxos;
use synod_shardedstore::{GroupState, Message, Process, Texts};
use synod_testkit::Mutant;

type Inner = Paxos<GroupState<Texts>>;
type Ctx = Context<Node>;
type Lie = fn(&mut Node, Stimulus<Node>, &mut Ctx);

/// What can be wrong with it, and which scenario shows it.
pub const MUTANTS: &[Mutant] = &[
    mutant("counts_a_former_life", "what a member's former life says counts as its new one's word", "x19"),
    mutant("never_retires", "a former life that is told so goes on", "x15"),
    mutant("hears_new_homes_too_soon", "a new home is heard before its configuration is in the log", "x17"),
    mutant("never_retires_from_the_service", "a former life of the service that is told so goes on", "x24"),
    mutant("replaces_too_soon", "the next member is replaced while the last one's seat is empty", "x17"),
];

/// What takes the steps of a mutant.
pub fn substitute(name: &str) -> Option<Lie> {
    Some(match name {
        "counts_a_former_life" => counts_a_former_life,
        "never_retires" => never_retires,
        "hears_new_homes_too_soon" => hears_new_homes_too_soon,
        "never_retires_from_the_service" => never_retires_from_the_service,
        "replaces_too_soon" => replaces_too_soon,
        _ => return None,
    })
}

fn counts_a_former_life(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let from = match &stimulus {
        Stimulus::Message { from, .. } => Some(*from),
        Stimulus::Start | Stimulus::Timer(_) | Stimulus::Request { .. } | Stimulus::Recover(_) => None,
    };
    let life = |seat: NodeId| node.server().map_or(0, |server| server.paxos().life_of(seat));
    let stimulus = heard(stimulus, |said| match (said, from) {
        (Message::Members(message), Some(from)) => Message::Members(in_life(message, life(from))),
        (said, _) => said,
    });
    step(node, stimulus, ctx);
}

fn never_retires_from_the_service(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let is_told =
        matches!(&stimulus, Stimulus::Message { message: Message::Masters(Paxos::Superseded { .. }), .. });
    if !is_told {
        step(node, stimulus, ctx);
    }
}

fn in_life(message: Inner, life: u64) -> Inner {
    match message {
        Paxos::Promise { ballot, incarnation, incarnations, chosen_through, snapshot, accepted } => {
            let incarnation = incarnation.max(life);
            Paxos::Promise { ballot, incarnation, incarnations, chosen_through, snapshot, accepted }
        }
        Paxos::Accepted { ballot, incarnation, through, executed_through } => {
            Paxos::Accepted { ballot, incarnation: incarnation.max(life), through, executed_through }
        }
        Paxos::Confirmed { ballot, incarnation, round } => {
            Paxos::Confirmed { ballot, incarnation: incarnation.max(life), round }
        }
        Paxos::Alive { tick, incarnation, following, happy, executed_through, clock } => {
            let incarnation = incarnation.max(life);
            Paxos::Alive { tick, incarnation, following, happy, executed_through, clock }
        }
        message => message,
    }
}

fn never_retires(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let seat = node.server().map(|server| server.paxos().id());
    let is_told =
        matches!(&stimulus, Stimulus::Message { message: Message::Members(Paxos::Superseded { .. }), .. });
    if is_told {
        return;
    }
    let stimulus = heard(stimulus, |said| match said {
        Message::Members(Paxos::Promise {
            ballot,
            incarnation,
            mut incarnations,
            chosen_through,
            snapshot,
            accepted,
        }) => {
            incarnations.retain(|(member, _)| Some(*member) != seat);
            let promise =
                Paxos::Promise { ballot, incarnation, incarnations, chosen_through, snapshot, accepted };
            Message::Members(promise)
        }
        said => said,
    });
    step(node, stimulus, ctx);
}

fn hears_new_homes_too_soon(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let home_of = |seat: NodeId| {
        let seats = node.server()?.state().seats();
        seats.names().into_iter().zip(seats.homes()).find(|(name, _)| *name == seat).map(|(_, home)| home)
    };
    let stimulus = match stimulus {
        Stimulus::Message {
            from,
            message: Message::Seated { seat, message: Paxos::Rejoin { incarnation } },
        } => {
            let from = home_of(seat).unwrap_or(from);
            Stimulus::Message {
                from,
                message: Message::Seated { seat, message: Paxos::Rejoin { incarnation } },
            }
        }
        stimulus => stimulus,
    };
    step(node, stimulus, ctx);
}

/// A leader takes every home for one that is there.
fn replaces_too_soon(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    if let (Process::Server(server), Stimulus::Message { message: Message::Masters(_), .. }) =
        (&*node, &stimulus)
        && server.paxos().is_leader()
    {
        let (paxos, seats) = (server.paxos(), server.state().seats());
        let alive = |seat| Paxos::Alive {
            tick: u64::MAX - 1,
            incarnation: paxos.life_of(seat),
            following: paxos.promised(),
            happy: true,
            executed_through: paxos.chosen_through(),
            clock: None,
        };
        let others = seats.names().into_iter().zip(seats.homes()).filter(|(seat, _)| *seat != paxos.id());
        let said: Vec<_> =
            others.map(|(seat, home)| (home, Message::Seated { seat, message: alive(seat) })).collect();
        for (from, message) in said {
            step(node, Stimulus::Message { from, message }, ctx);
        }
    }
    step(node, stimulus, ctx);
}
