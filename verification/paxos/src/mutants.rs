//! Mistakes in `paxos`.

use crate::searches::group::Node;
use std::sync::Arc;
use synod_checker::Substitute;
use synod_clientserver::{ClientId, KvCommand, KvStore, Sessions, WINDOW_MAX};
use synod_node::{Context, Effect, NodeId, Stimulus, step};
use synod_paxos::{Message, Proposal, Record, Replica, Run, Server};
use synod_stdx::Wire;
use synod_testkit::Mutant;
use synod_verify::edge::{ask, with_effects};

type Said = Message<KvStore>;
type Ctx = Context<Node>;

const fn mutant(name: &'static str, what: &'static str, caught_by: &'static str) -> Mutant {
    Mutant { module: "paxos", name, what, caught_by }
}

/// What can be wrong with it.
pub const MUTANTS: &[Mutant] = &[
    mutant("answers_before_quorum", "the leader answers as soon as it proposed", "x4"),
    mutant("chooses_by_a_minority", "the leader counts its own vote twice", "20"),
    mutant("takes_accepted_for_chosen", "a follower takes what it accepted for chosen", "21"),
    mutant("accepts_below_the_promise", "an acceptor accepts in a ballot below the one it promised", "x4"),
    mutant("counts_votes_of_old_ballots", "a leader counts what was accepted in an older ballot", "23"),
    mutant("counts_old_promises", "a candidate counts promises that were made to an older ballot", "x4"),
    mutant("promises_without_what_it_accepted", "a promise does not say what was accepted", "22"),
    mutant("adopts_the_oldest", "phase 1 adopts what was accepted in the lowest ballot", "x4"),
    mutant("proposes_noops_over_accepted", "phase 1 puts a no-op over what was accepted", "22"),
    mutant("forgets_promises", "a promise is forgotten on restart", "x2"),
    mutant("forgets_acceptances", "what was accepted is forgotten on restart", "x3"),
    mutant("uses_a_ballot_again", "a server that crashed leads in a ballot that it used before", "x5"),
    mutant("speaks_before_it_is_durable", "an acceptor answers before its disk has what it says", "x1"),
    mutant("votes_before_it_is_durable", "a leader counts its own vote before its disk has it", "x1"),
    mutant("acknowledges_gaps", "an acceptor acknowledges slots that it lacks", "24"),
    mutant("compacts_what_others_lack", "a promise leaves out what was compacted", "x6"),
    mutant("snapshots_without_sessions", "a snapshot has the application and no sessions", "x6"),
    mutant("runs_what_it_ran", "a command that is submitted again runs again", "24"),
    mutant("reads_unconfirmed", "a leader answers reads without asking whether it still leads", "x8"),
    mutant("confirms_for_everybody", "a follower confirms a leader that it left", "x8"),
];

/// What takes the steps of a mutant.
pub fn substitute(name: &'static str) -> Option<Substitute<Node>> {
    let mutant: fn(&mut Node, Stimulus<Node>, &mut Ctx) = match name {
        "answers_before_quorum" => answers_before_quorum,
        "chooses_by_a_minority" => chooses_by_a_minority,
        "takes_accepted_for_chosen" => |node, stimulus, ctx| step(node, heard(stimulus, all_is_chosen), ctx),
        "accepts_below_the_promise" => accepts_below_the_promise,
        "counts_votes_of_old_ballots" => counts_votes_of_old_ballots,
        "counts_old_promises" => counts_old_promises,
        "promises_without_what_it_accepted" => |node, stimulus, ctx| {
            step(node, heard(stimulus, |said| with_promised(said, |_| Vec::new())), ctx);
        },
        "adopts_the_oldest" => |node, stimulus, ctx| {
            step(node, heard(stimulus, |said| with_promised(said, oldest_first)), ctx);
        },
        "proposes_noops_over_accepted" => |node, stimulus, ctx| {
            step(node, heard(stimulus, |said| with_promised(said, noops)), ctx);
        },
        "forgets_promises" => |node, stimulus, ctx| step(node, read(stimulus, is_no_promise), ctx),
        "forgets_acceptances" => |node, stimulus, ctx| step(node, read(stimulus, is_no_acceptance), ctx),
        "uses_a_ballot_again" => uses_a_ballot_again,
        "speaks_before_it_is_durable" => speaks_before_it_is_durable,
        "votes_before_it_is_durable" => votes_before_it_is_durable,
        "acknowledges_gaps" => acknowledges_gaps,
        "compacts_what_others_lack" => |node, stimulus, ctx| {
            step(node, heard(stimulus, without_snapshot), ctx);
        },
        "snapshots_without_sessions" => {
            |node, stimulus, ctx| step(node, heard(stimulus, without_sessions), ctx)
        }
        "runs_what_it_ran" => runs_what_it_ran,
        "reads_unconfirmed" => reads_unconfirmed,
        "confirms_for_everybody" => confirms_for_everybody,
        _ => return None,
    };
    Some(Arc::new(mutant))
}

/// The stimulus with its message changed, if it is one.
fn heard(stimulus: Stimulus<Node>, change: impl FnOnce(Said) -> Said) -> Stimulus<Node> {
    match stimulus {
        Stimulus::Message { from, message } => Stimulus::Message { from, message: change(message) },
        other => other,
    }
}

/// The stimulus with only those records that `is_read`, if it is a recovery.
fn read(stimulus: Stimulus<Node>, is_read: fn(&Record<KvCommand>) -> bool) -> Stimulus<Node> {
    match stimulus {
        Stimulus::Recover(mut durable) => {
            durable.records.retain(is_read);
            Stimulus::Recover(durable)
        }
        other => other,
    }
}

fn is_no_promise(record: &Record<KvCommand>) -> bool {
    !matches!(record, Record::Promised { .. })
}

fn is_no_acceptance(record: &Record<KvCommand>) -> bool {
    !matches!(record, Record::Accepted { .. })
}

fn peers(node: &Node, me: NodeId) -> Vec<NodeId> {
    // A group has as many members as a quorum and its complement; names count from 1.
    let members = node.server().map_or(0, |server| 2 * server.quorum() as u32 - 1);
    NodeId::servers(members).into_iter().filter(|id| *id != me).collect()
}

/// A step of a copy, whose effects are wanted and whose state is not.
fn foreseen(node: &Node, stimuli: Vec<Stimulus<Node>>, me: NodeId) -> Vec<Effect<Node>> {
    let mut copy = node.clone();
    let mut effects = Vec::new();
    for stimulus in stimuli {
        let mut ctx = Context::new(me);
        step(&mut copy, stimulus, &mut ctx);
        effects.extend(ctx.take_effects());
    }
    effects
}

/// A peer's acceptance of everything that a leader has.
fn accepted_by(server: &Server<KvStore>, from: NodeId) -> Stimulus<Node> {
    let message = Message::Accepted {
        ballot: server.promised(),
        incarnation: 0,
        through: server.log().last(),
        executed_through: server.chosen_through(),
    };
    Stimulus::Message { from, message }
}

fn answers_before_quorum(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let is_submit = matches!(&stimulus, Stimulus::Message { message: Message::Submit { .. }, .. });
    step(node, stimulus, ctx);
    let Some(server) = node.server().filter(|server| is_submit && server.is_leader()) else { return };
    let me = ctx.me();
    let mut votes: Vec<_> = peers(node, me).into_iter().map(|peer| accepted_by(server, peer)).collect();
    votes.push(accepted_by(server, me));
    for effect in foreseen(node, votes, me) {
        if matches!(effect, Effect::SendEarly { message: Message::Results { .. }, .. }) {
            ask(effect, ctx);
        }
    }
}

fn chooses_by_a_minority(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let me = ctx.me();
    let is_own_vote =
        matches!(&stimulus, Stimulus::Message { from, message: Message::Accepted { .. } } if *from == me);
    if !is_own_vote {
        return step(node, stimulus, ctx);
    }
    let again = stimulus.clone();
    step(node, stimulus, ctx);
    if node.server().is_some_and(Server::is_leader)
        && let (Stimulus::Message { message, .. }, Some(peer)) = (again, peers(node, me).first())
    {
        step(node, Stimulus::Message { from: *peer, message }, ctx);
    }
}

fn all_is_chosen(said: Said) -> Said {
    match said {
        Message::Accept { run: Some(run), ballot, .. } => {
            let chosen_through = run.last();
            Message::Accept { run: Some(run), ballot, chosen_through }
        }
        other => other,
    }
}

fn accepts_below_the_promise(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let promised = node.server().map(Server::promised);
    match &stimulus {
        Stimulus::Message { from, message: Message::Accept { run: Some(run), ballot, chosen_through } }
            if promised.is_some_and(|promised| *ballot < promised) =>
        {
            ctx.persist(Record::Accepted { run: run.clone(), chosen_through: *chosen_through });
            let accepted = Message::Accepted {
                ballot: *ballot,
                incarnation: 0,
                through: run.last(),
                executed_through: *chosen_through,
            };
            ctx.send(*from, accepted);
        }
        _ => step(node, stimulus, ctx),
    }
}

fn counts_votes_of_old_ballots(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let leading =
        node.server().filter(|server| server.is_leader()).map(|it| (it.promised(), it.log().last()));
    let stimulus = heard(stimulus, |said| match (said, leading) {
        (Message::Accepted { ballot, incarnation, through, executed_through }, Some((promised, last)))
            if ballot < promised =>
        {
            Message::Accepted { ballot: promised, incarnation, through: through.min(last), executed_through }
        }
        (other, _) => other,
    });
    step(node, stimulus, ctx);
}

fn counts_old_promises(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let promised = node.server().map(Server::promised);
    let stimulus = heard(stimulus, |said| match (said, promised) {
        (
            Message::Promise { ballot, incarnation, incarnations, chosen_through, snapshot, accepted },
            Some(promised),
        ) if ballot < promised => {
            let ballot = promised;
            Message::Promise { ballot, incarnation, incarnations, chosen_through, snapshot, accepted }
        }
        (other, _) => other,
    });
    step(node, stimulus, ctx);
}

/// A promise with other news of what was accepted.
fn with_promised(said: Said, change: fn(Vec<Run<KvCommand>>) -> Vec<Run<KvCommand>>) -> Said {
    match said {
        Message::Promise { ballot, incarnation, incarnations, chosen_through, snapshot, accepted } => {
            let accepted = change(accepted);
            Message::Promise { ballot, incarnation, incarnations, chosen_through, snapshot, accepted }
        }
        other => other,
    }
}

/// As if all of it had been accepted before anything else was.
fn oldest_first(accepted: Vec<Run<KvCommand>>) -> Vec<Run<KvCommand>> {
    let first = |run: Run<KvCommand>| {
        let ballot = synod_paxos::Ballot { round: 1, node: NodeId::server(0), life: 0 };
        Run::new(run.first(), ballot, run.proposals().into())
    };
    accepted.into_iter().map(first).collect()
}

fn noops(accepted: Vec<Run<KvCommand>>) -> Vec<Run<KvCommand>> {
    let noop = |run: Run<KvCommand>| {
        let proposals = run.proposals().iter().map(|_| Proposal::Noop).collect();
        Run::new(run.first(), run.ballot(), proposals)
    };
    accepted.into_iter().map(noop).collect()
}

fn uses_a_ballot_again(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let me = ctx.me();
    let stimulus = match stimulus {
        Stimulus::Recover(mut durable) => {
            let is_own = |record: &Record<KvCommand>| matches!(record, Record::Promised { ballot, .. } if ballot.node == me);
            durable.records.retain(|record| !is_own(record));
            Stimulus::Recover(durable)
        }
        other => other,
    };
    step(node, stimulus, ctx);
}

fn speaks_before_it_is_durable(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let me = ctx.me();
    with_effects(node, stimulus, ctx, |effect| match effect {
        Effect::Send { to, message } if to != me => vec![Effect::SendEarly { to, message }],
        other => vec![other],
    });
}

fn votes_before_it_is_durable(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let me = ctx.me();
    with_effects(node, stimulus, ctx, |effect| match effect {
        Effect::Send { to, message } if to == me => vec![Effect::SendEarly { to, message }],
        other => vec![other],
    });
}

fn acknowledges_gaps(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let last = match &stimulus {
        Stimulus::Message { message: Message::Accept { run: Some(run), .. }, .. } => Some(run.last()),
        _ => None,
    };
    let me = ctx.me();
    with_effects(node, stimulus, ctx, |effect| match (effect, last) {
        (
            Effect::Send {
                to,
                message: Message::Accepted { ballot, incarnation, through, executed_through },
            },
            Some(last),
        ) if to != me => {
            let through = through.max(last);
            let message = Message::Accepted { ballot, incarnation, through, executed_through };
            vec![Effect::Send { to, message }]
        }
        (other, _) => vec![other],
    });
}

fn without_snapshot(said: Said) -> Said {
    match said {
        Message::Promise { ballot, incarnation, incarnations, snapshot: Some(_), .. } => {
            let (chosen_through, snapshot, accepted) = (synod_paxos::Slot::ZERO, None, Vec::new());
            Message::Promise { ballot, incarnation, incarnations, chosen_through, snapshot, accepted }
        }
        other => other,
    }
}

/// The same state, and nothing of whom was answered what.
fn forgetful(replica: &Replica<KvStore>) -> Arc<Replica<KvStore>> {
    let mut bytes = Vec::new();
    replica.through().append_to(&mut bytes);
    Sessions::<synod_clientserver::KvOutput>::new(16, WINDOW_MAX).append_to(&mut bytes);
    replica.machine().append_to(&mut bytes);
    Arc::new(Replica::from_bytes(&bytes).expect("a replica's bytes are these three parts"))
}

fn without_sessions(said: Said) -> Said {
    match said {
        Message::Promise { ballot, incarnation, incarnations, chosen_through, snapshot, accepted } => {
            let snapshot = snapshot.map(|replica| forgetful(&replica));
            Message::Promise { ballot, incarnation, incarnations, chosen_through, snapshot, accepted }
        }
        Message::Snapshot { ballot, replica } => Message::Snapshot { ballot, replica: forgetful(&replica) },
        other => other,
    }
}

fn runs_what_it_ran(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let is_again = |client: ClientId, first: u64| {
        node.server().is_some_and(|server| server.replica().sessions().executed(client) >= first)
    };
    match &stimulus {
        Stimulus::Message { from, message: Message::Submit { client, first, acked_below, commands } }
            if is_again(*client, *first) =>
        {
            // In a session that nobody knows nothing ran yet.
            let lives = (1..).map(|life| ClientId::new(client.node(), life));
            let unknown = |session: &ClientId| !is_again(*session, 1);
            let client = lives.into_iter().find(unknown).expect("there is always another");
            let message =
                Message::Submit { client, first: 1, acked_below: *acked_below, commands: commands.clone() };
            step(node, Stimulus::Message { from: *from, message }, ctx);
        }
        _ => step(node, stimulus, ctx),
    }
}

fn reads_unconfirmed(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    let mut rounds = Vec::new();
    with_effects(node, stimulus, ctx, |effect| {
        if let Effect::SendEarly { to, message: Message::Confirm { ballot, round } } = &effect {
            rounds.push((*to, *ballot, *round));
        }
        vec![effect]
    });
    for (from, ballot, round) in rounds {
        step(
            node,
            Stimulus::Message { from, message: Message::Confirmed { ballot, incarnation: 0, round } },
            ctx,
        );
    }
}

fn confirms_for_everybody(node: &mut Node, stimulus: Stimulus<Node>, ctx: &mut Ctx) {
    match &stimulus {
        Stimulus::Message { from, message: Message::Confirm { ballot, round } } => {
            ctx.send_early(*from, Message::Confirmed { ballot: *ballot, incarnation: 0, round: *round });
        }
        _ => step(node, stimulus, ctx),
    }
}
