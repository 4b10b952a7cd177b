//! Mistakes in `shardedstore`.

pub mod replacements;

use crate::searches::shards::Node;
use std::sync::Arc;
use synod_checker::Substitute;
use synod_clientserver::{Sessions, WINDOW_MAX};
use synod_node::{Context, Effect, StateMachine as _, Stimulus, step};
use synod_paxos::{Message as Paxos, Proposal, Record as PaxosRecord, Run};
use synod_shardedstore::{
    Chunk, Configuration, ConfigurationCommand, ConfigurationOutput, GroupState, Message, Process, Record,
    Server, Sharded as _, SlotId, Step, Stepped, Texts, Whereabouts,
};
use synod_testkit::Mutant;
use synod_verify::edge::with_effects;

type Said = Message<Texts>;
type Ctx = Context<Node>;

pub(super) const fn mutant(name: &'static str, what: &'static str, caught_by: &'static str) -> Mutant {
    Mutant { module: "shardedstore", name, what, caught_by }
}

/// What can be wrong with it.
pub const MUTANTS: &[Mutant] = &[
    mutant("serves_what_is_to_come", "the new owner serves a slot while the old one does", "2.12"),
    mutant("leaves_records_behind", "a slot moves without what clients were answered in it", "x3"),
    mutant("leaves_data_behind", "a slot moves without what its keys hold", "2.12"),
    mutant("copies_a_slot_once", "what is written to a slot while it is copied stays behind", "x11"),
    mutant("keeps_what_is_gone", "a key that goes while its slot is copied is there again", "x11"),
    mutant("skips_a_configuration", "a group takes the newest configuration for the next", "2.11"),
    mutant("acknowledges_before_it_has", "the new owner acknowledges a slot before it is in its log", "2.12"),
    mutant("forgets_what_it_gave", "the old owner forgets a slot as soon as it is sent", "2.12"),
    mutant("reads_what_it_gave", "the old owner answers reads of a slot that it gave away", "x5"),
    mutant("runs_what_it_ran", "a command that is submitted again runs again", "2.12"),
    mutant("commits_before_all_voted", "the coordinator decides without the other groups' votes", "3.10"),
    mutant("votes_without_locking", "a participant votes and locks nothing", "x8"),
    mutant("takes_refusals_for_votes", "the coordinator takes a refusal for a vote", "x8"),
    mutant("forgets_locks_on_restart", "a lock is forgotten on restart", "x4"),
    mutant("decides_twice", "the coordinator tells those who ask that a committed try was given up", "x4"),
    mutant("ignores_lock_numbers", "a decision counts for any lock of its try", "x6"),
    mutant("commits_what_was_given_up", "a participant takes a try that was given up for committed", "x6"),
    mutant("loses_aborts", "nobody is told that a try was given up", "x10"),
    mutant("drops_what_waits", "what waits for a slot is dropped, and never asked again", "x7"),
];

/// What takes the steps of a mutant.
pub fn substitute(name: &'static str) -> Option<Substitute<Node>> {
    let mutant: fn(&mut Node, Stimulus<Node>, &mut Ctx) = match name {
        "serves_what_is_to_come" => serves_what_is_to_come,
        "leaves_records_behind" => |node, stimulus, ctx| {
            step(node, heard(stimulus, |said| with_chunks(said, without_records)), ctx);
        },
        "leaves_data_behind" => |node, stimulus, ctx| {
            step(node, heard(stimulus, |said| with_chunks(said, without_data)), ctx);
        },
        "copies_a_slot_once" => |node, stimulus, ctx| {
            step(node, heard(stimulus, |said| with_chunks(said, without_later_rounds)), ctx);
        },
        "keeps_what_is_gone" => |node, stimulus, ctx| {
            step(node, heard(stimulus, |said| with_chunks(said, without_what_is_gone)), ctx);
        },
        "skips_a_configuration" => skips_a_configuration,
        "acknowledges_before_it_has" => acknowledges_before_it_has,
        "forgets_what_it_gave" => forgets_what_it_gave,
        "reads_what_it_gave" => reads_what_it_gave,
        "runs_what_it_ran" => runs_what_it_ran,
        "commits_before_all_voted" => commits_before_all_voted,
        "votes_without_locking" => votes_without_locking,
        "takes_refusals_for_votes" => takes_refusals_for_votes,
        "forgets_locks_on_restart" => forgets_locks_on_restart,
        "decides_twice" => decides_twice,
        "ignores_lock_numbers" => ignores_lock_numbers,
        "commits_what_was_given_up" => commits_what_was_given_up,
        "loses_aborts" => |node, stimulus, ctx| with_effects(node, stimulus, ctx, without_aborts),
        "drops_what_waits" => drops_what_waits,
        _ => return None,
    };
    Some(Arc::new(mutant))
}

/// The stimulus with its message changed, if it is one.
pub(super) fn heard(stimulus: Stimulus<Node>, change: impl FnOnce(Said) -> Said) -> Stimulus<Node> {
    match stimulus {
        Stimulus::Message { from, message } => Stimulus::Message { from, message: change(message) },
        other => other,
    }
}

fn state(node: &Node) -> Option<&GroupState<Texts>> {
    node.server().map(Server::state)
}

/// Its slots that come from elsewhere, and the number of the configuration that moves them.
fn coming(node: &Node) -> (u64, Vec<SlotId>) {
    let Some(state) = state(node) else { return (0, Vec::new()) };
    let Some(configuration) = state.configuration() else { return (0, Vec::new()) };
    let slots = (0..configuration.slots.slot_count()).filter_map(|slot| SlotId::new(slot.into()));
    let is_coming = |slot: &SlotId| matches!(state.whereabouts(*slot), Whereabouts::ComesFrom(_));
    (configuration.number, slots.filter(is_coming).collect())
}

fn no_records() -> Arc<Sessions<<Texts as synod_node::StateMachine>::Output>> {
    Arc::new(Sessions::new(1024, WINDOW_MAX))
}

fn serves_what_is_to_come(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    step(node, stimulus, ctx);
    let (number, slots) = coming(node);
    let empty = |slot| Chunk {
        slot,
        round: 0,
        position: 0,
        next: None,
        fragment: Vec::new(),
        sessions: Some(no_records()),
    };
    let chunks: Vec<Chunk<Texts>> = slots.into_iter().map(empty).collect();
    if !chunks.is_empty() {
        let message = Message::Give { number, chunks };
        step(node, Stimulus::Message { from: ctx.me(), message }, ctx);
    }
}

fn with_chunks(said: Said, change: fn(Chunk<Texts>) -> Chunk<Texts>) -> Said {
    match said {
        Message::Give { number, chunks } => {
            Message::Give { number, chunks: chunks.into_iter().map(change).collect() }
        }
        said => said,
    }
}

fn without_records(chunk: Chunk<Texts>) -> Chunk<Texts> {
    Chunk { sessions: chunk.sessions.map(|_| no_records()), ..chunk }
}

fn without_what_is_gone(chunk: Chunk<Texts>) -> Chunk<Texts> {
    let fragment = chunk.fragment.into_iter().filter(|(_, value)| value.is_some()).collect();
    Chunk { fragment, ..chunk }
}

fn without_later_rounds(chunk: Chunk<Texts>) -> Chunk<Texts> {
    if chunk.round == 0 { chunk } else { without_data(chunk) }
}

fn without_data(chunk: Chunk<Texts>) -> Chunk<Texts> {
    Chunk { fragment: Vec::new(), ..chunk }
}

/// A server asks for the newest configuration and takes it under the number that it waits for.
fn skips_a_configuration(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let next = state(node).map(|state| state.configuration().map_or(0, |known| known.number + 1));
    let renumbered = |configuration: Arc<Configuration>| match next {
        Some(number) => Arc::new(Configuration { number, ..(*configuration).clone() }),
        None => configuration,
    };
    let stimulus = heard(stimulus, |said| match said {
        Message::Masters(Paxos::Answers { first, outputs }) => {
            let change = |output| match output {
                Some(ConfigurationOutput::Configuration(known)) => {
                    Some(ConfigurationOutput::Configuration(renumbered(known)))
                }
                other => other,
            };
            let outputs = outputs.into_iter().map(change).collect();
            Message::Masters(Paxos::Answers { first, outputs })
        }
        said => said,
    });
    let is_server = next.is_some();
    with_effects(node, stimulus, ctx, |effect| match effect {
        Effect::SendEarly { to, message: Message::Masters(Paxos::Query { first, .. }) } if is_server => {
            let queries = vec![ConfigurationCommand::Query { number: None }];
            vec![Effect::SendEarly { to, message: Message::Masters(Paxos::Query { first, queries }) }]
        }
        effect => vec![effect],
    });
}

fn acknowledges_before_it_has(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    if let Stimulus::Message { from, message: Message::Give { number, chunks } } = &stimulus {
        let slots = chunks.iter().map(|chunk| (chunk.slot, None)).collect();
        ctx.send(*from, Message::Taken { number: *number, slots });
    }
    step(node, stimulus, ctx);
}

fn forgets_what_it_gave(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let mut given = Vec::new();
    with_effects(node, stimulus, ctx, |effect| {
        if let Effect::Send { to, message: Message::Give { number, chunks } } = &effect {
            let slots = chunks.iter().map(|chunk| (chunk.slot, None)).collect();
            given.push((*to, Message::Taken { number: *number, slots }));
        }
        vec![effect]
    });
    for (from, message) in given {
        step(node, Stimulus::Message { from, message }, ctx);
    }
}

fn reads_what_it_gave(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    if let (Some(state), Stimulus::Message { from, message: Message::Ask { first, queries, .. } }) =
        (state(node), &stimulus)
    {
        for (seq, query) in (*first..).zip(queries) {
            let slots = Texts::slots(query, 2);
            let is_given = |slot: &SlotId| matches!(state.whereabouts(*slot), Whereabouts::SentTo(_));
            if slots.as_slice().iter().all(is_given) {
                let outputs = vec![state.store().query(query).map(Stepped::Read)];
                ctx.send_early(*from, Message::Members(Paxos::Answers { first: seq, outputs }));
            }
        }
    }
    step(node, stimulus, ctx);
}

/// What is submitted once more counts as the next.
fn runs_what_it_ran(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let executed = |client, slot| state(node).map_or(0, |state| state.executed(client, slot).0);
    let stimulus = heard(stimulus, |said| match said {
        Message::Submit { mut lots } => {
            for lot in &mut lots {
                let executed = executed(lot.client, lot.slot);
                if lot.first <= executed {
                    (lot.first, lot.acked_below) = (executed + 1, executed + 1);
                }
            }
            Message::Submit { lots }
        }
        said => said,
    });
    step(node, stimulus, ctx);
}

/// The coordinator believes that each group that it asks has voted, and that its keys hold nothing.
fn commits_before_all_voted(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let Some(owners) = state(node).and_then(|state| state.configuration().cloned()) else {
        return step(node, stimulus, ctx);
    };
    let mut asked = Vec::new();
    with_effects(node, stimulus, ctx, |effect| {
        if let Effect::Send { to, message: Message::Prepare { attempt, slots, .. } } = &effect {
            let group = slots.first().and_then(|slot| owners.slots.owner(*slot));
            asked.extend(group.map(|group| (*to, *attempt, group, slots.clone())));
        }
        vec![effect]
    });
    for (from, attempt, group, slots) in asked {
        let message = Message::Vote { attempt, group, lock: 1, slots, fragment: Vec::new() };
        step(node, Stimulus::Message { from, message }, ctx);
    }
}

fn votes_without_locking(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    if let (Some(server), Stimulus::Message { from, message: Message::Prepare { attempt, slots, command } }) =
        (node.server(), &stimulus)
        && server.paxos().is_caught_up()
    {
        let fragment = server.state().store().read(command, &|slot| slots.contains(&slot));
        let (attempt, group) = (*attempt, server.group());
        ctx.send(*from, Message::Vote { attempt, group, lock: 1, slots: slots.clone(), fragment });
        return;
    }
    step(node, stimulus, ctx);
}

fn takes_refusals_for_votes(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let owners = state(node).and_then(|state| state.configuration().cloned());
    let stimulus = heard(stimulus, |said| match said {
        Message::Refused { attempt, slot, .. } => {
            let owner = owners.and_then(|owners| owners.slots.owner(slot));
            let group = owner.unwrap_or(attempt.coordinator);
            Message::Vote { attempt, group, lock: 1, slots: vec![slot], fragment: Vec::new() }
        }
        said => said,
    });
    step(node, stimulus, ctx);
}

fn without_locks(run: &Run<Step<Texts>>) -> Run<Step<Texts>> {
    let forgotten = |proposal: &Proposal<Step<Texts>>| match proposal {
        Proposal::Own { command: Step::Prepare { .. } } => Proposal::Noop,
        other => other.clone(),
    };
    Run::new(run.first(), run.ballot(), run.proposals().iter().map(forgotten).collect())
}

fn forgets_locks_on_restart(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let stimulus = match stimulus {
        Stimulus::Recover(mut durable) => {
            for record in &mut durable.records {
                if let Record::Members(PaxosRecord::Accepted { run, .. }) = record {
                    *run = without_locks(run);
                }
            }
            Stimulus::Recover(durable)
        }
        other => other,
    };
    step(node, stimulus, ctx);
}

fn decides_twice(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    if let Stimulus::Message { from, message: Message::Inquire { attempt, lock, .. } } = &stimulus {
        ctx.send(*from, Message::Outcome { attempt: *attempt, lock: *lock, part: None });
        return;
    }
    step(node, stimulus, ctx);
}

fn ignores_lock_numbers(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let held = |attempt| state(node).and_then(|state| state.lock_of(attempt));
    let stimulus = heard(stimulus, |said| match said {
        Message::Outcome { attempt, lock, part } => {
            Message::Outcome { attempt, lock: held(attempt).unwrap_or(lock), part }
        }
        said => said,
    });
    step(node, stimulus, ctx);
}

/// A participant writes what the keys held when it locked them: nothing, as far as it remembers.
fn commits_what_was_given_up(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let stimulus = heard(stimulus, |said| match said {
        Message::Outcome { attempt, lock, part: None } => {
            let keys = ["k0", "k1", "k2", "k3"].map(|key| (key.into(), None));
            Message::Outcome { attempt, lock, part: Some(keys.into()) }
        }
        said => said,
    });
    step(node, stimulus, ctx);
}

fn without_aborts(effect: Effect<Node>) -> Vec<Effect<Node>> {
    match effect {
        Effect::Send { message: Message::Outcome { part: None, .. }, .. } => Vec::new(),
        effect => vec![effect],
    }
}

/// A leader drops what is to wait; a client never sends anything again.
fn drops_what_waits(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let waits = |slot: SlotId| {
        state(node).is_some_and(|state| match state.whereabouts(slot) {
            Whereabouts::Here(status) => status != synod_shardedstore::SlotStatus::Served,
            Whereabouts::SentTo(_)
            | Whereabouts::ComesFrom(_)
            | Whereabouts::With(_)
            | Whereabouts::Unknown => false,
        })
    };
    let stimulus = heard(stimulus, |said| match said {
        Message::Submit { mut lots } => {
            lots.retain(|lot| !waits(lot.slot));
            Message::Submit { lots }
        }
        said => said,
    });
    let is_retry = matches!(stimulus, Stimulus::Timer(synod_shardedstore::Timer::Retry));
    if !(is_retry && matches!(node, Process::Client(_))) {
        step(node, stimulus, ctx);
    }
}
