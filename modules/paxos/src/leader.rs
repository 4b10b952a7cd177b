//! The leader: proposes in batches, counts who accepted, answers clients, and reads without writing.

mod merging;

use crate::progress::{Progress, Quorum};
use crate::reads::Reads;
use crate::server::{Promise, Role, proposal_bytes};
use crate::{Message, Process, Proposal, Run, Server, Slot};
use merging::{merge, propose_again};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use synod_clientserver::{Admission, ClientId, Seq};
use synod_node::{Context, NodeId, Rename, StateMachine};
use synod_stdx::mark;

/// How many slots a new leader proposes again in one run, and how many are sent again at once.
const RESEND_SLOTS_MAX: u64 = 4096;
/// About how many bytes of results travel in one message at most.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What only a leader has.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Leader<S: StateMachine> {
    /// In the order of their names.
    followers: Vec<Progress>,
    /// Its own log is accepted and durable up to here.
    own: Slot,
    /// What it proposed again when it was elected ends here: reads wait until that is chosen.
    barrier: Slot,
    /// The last number of each session that is in the log and not executed.
    proposed: BTreeMap<ClientId, Seq>,
    /// Commands that wait for their turn.
    pending: Vec<Proposal<S::Command>>,
    /// The last slots of the batches that are proposed and not chosen.
    batches: VecDeque<Slot>,
    pub(crate) reads: Reads<S::Command>,
}

/// Results on their way to clients: consecutive ones of one session leave in one message.
pub(crate) struct Answering<S: StateMachine> {
    open: Option<(ClientId, Seq, Vec<S::Output>)>,
    bytes: usize,
}

impl<S: StateMachine> Default for Answering<S> {
    fn default() -> Self {
        Answering { open: None, bytes: 0 }
    }
}

impl<S: StateMachine> Answering<S> {
    fn push(&mut self, (client, seq, output): (ClientId, Seq, S::Output), ctx: &mut Context<Process<S>>) {
        self.bytes += S::output_bytes(&output);
        match &mut self.open {
            Some((open, first, outputs))
                if *open == client
                    && *first + outputs.len() as u64 == seq
                    && self.bytes <= ANSWER_BYTES_MAX =>
            {
                outputs.push(output);
            }
            Some(_) | None => {
                let bytes = S::output_bytes(&output);
                self.flush(ctx);
                self.bytes = bytes;
                self.open = Some((client, seq, vec![output]));
            }
        }
    }

    /// Sends what is open. It was chosen, so it is durable on a quorum whatever this server's own disk has.
    pub(crate) fn flush(&mut self, ctx: &mut Context<Process<S>>) {
        if let Some((client, first, outputs)) = self.open.take() {
            ctx.send_early(client.node(), Message::Results { client, first, outputs });
        }
    }
}

impl<S: StateMachine> Leader<S> {
    /// A client's command came to its turn in the log and its session is not known, or not any more.
    pub(crate) fn on_forgotten(&mut self, client: ClientId, ctx: &mut Context<Process<S>>) {
        self.proposed.remove(&client);
        ctx.send_early(client.node(), Message::Forgotten { client });
    }

    /// A client's command was executed: if it gave a result, that is news to the client.
    pub(crate) fn on_executed(
        &mut self,
        proposal: &Proposal<S::Command>,
        news: Option<(ClientId, Seq, S::Output)>,
        answers: &mut Answering<S>,
        ctx: &mut Context<Process<S>>,
    ) {
        match (news, proposal) {
            (Some(news), _) => answers.push(news, ctx),
            // It did not run as expected: let the client submit again what is behind it.
            (None, Proposal::Command { client, .. }) => {
                self.proposed.remove(client);
            }
            (None, Proposal::Own { .. } | Proposal::Noop) => {}
        }
    }

    fn progress(&mut self, of: NodeId) -> Option<&mut Progress> {
        self.followers.iter_mut().find(|progress| progress.node() == of)
    }

    /// A state through this slot is sent to a follower that begins anew.
    pub(crate) fn hold(&mut self, of: NodeId, through: Slot) {
        if let Some(progress) = self.progress(of) {
            progress.hold(through);
        }
    }

    /// From which slot on the log is needed behind a state that is on its way.
    pub(crate) fn held(&self) -> Option<Slot> {
        self.followers.iter().filter_map(Progress::held).min()
    }

    /// The follower that accepted most, of those that `may` be chosen.
    pub(crate) fn furthest(&self, may: impl Fn(NodeId) -> bool) -> Option<NodeId> {
        let candidates = self.followers.iter().filter(|progress| may(progress.node()));
        candidates.max_by_key(|progress| progress.matched()).map(Progress::node)
    }

    /// The clients that wait for something that this leader can no longer give.
    pub(crate) fn waiting_clients(&self) -> BTreeSet<NodeId> {
        self.proposed.keys().map(|client| client.node()).chain(self.reads.clients()).collect()
    }

    pub(crate) fn assert_invariants(&self, last: Slot) {
        assert!(self.own <= last, "more is durable than was proposed");
        self.followers.iter().for_each(|progress| progress.assert_invariants(last));
        self.reads.assert_invariants();
    }
}

impl<S: StateMachine<Command: Rename>> Rename for Leader<S> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Leader { followers, own: _, barrier: _, proposed, pending, batches: _, reads } = self;
        followers.rename(name);
        followers.sort_unstable_by_key(Progress::node);
        proposed.rename(name);
        pending.rename(name);
        reads.rename(name);
    }
}

impl<S: StateMachine> Server<S> {
    pub(crate) fn on_promise(&mut self, from: NodeId, promise: Promise<S>, ctx: &mut Context<Process<S>>) {
        match &mut self.role {
            Role::Candidate { promises } => {
                promises.insert(from, promise);
                self.maybe_become_leader(ctx);
            }
            // It promised after a quorum did: now it can be sent what it lacks.
            Role::Leader(leader) => {
                let last = self.log.last();
                if let Some(progress) = leader.progress(from) {
                    progress.on_found(promise.chosen_through.min(last));
                    self.catch_up(from, ctx);
                }
            }
            Role::Follower { .. } | Role::Rejoining(_) | Role::Retired => {}
        }
    }

    pub(crate) fn maybe_become_leader(&mut self, ctx: &mut Context<Process<S>>) {
        let quorum = self.quorum();
        if let Role::Candidate { promises } = &mut self.role
            && promises.len() + 1 >= quorum
        {
            let promises = std::mem::take(promises);
            self.become_leader(&promises, ctx);
        }
    }

    /// Phase 1 is over: adopts for each open slot what was accepted in the highest ballot, and proposes it again.
    fn become_leader(&mut self, promises: &BTreeMap<NodeId, Promise<S>>, ctx: &mut Context<Process<S>>) {
        assert!(promises.len() + 1 >= self.quorum(), "a leader needs a quorum of promises");
        let ballot = self.promised;
        let ahead = promises.values().filter_map(|promise| promise.snapshot.as_ref());
        if let Some(snapshot) = ahead.max_by_key(|snapshot| snapshot.through()).cloned() {
            self.install(&snapshot, ctx);
        }
        let base = self.chosen_through;
        let merged = merge(&self.log, base, promises);
        let chosen_through = promises.values().map(|promise| promise.chosen_through).max().unwrap_or(base);
        self.log.drop_after(base);
        for run in propose_again(&merged, base, ballot) {
            self.log.put(&run);
            self.persist_accepted(run, base, ctx);
        }
        self.accepted_through = self.log.contiguous(base, ballot);
        assert_eq!(self.accepted_through, self.log.last(), "a new leader leaves no gap");
        let followers = self.peers.iter().map(|peer| match promises.get(peer) {
            Some(promise) => Progress::found(*peer, promise.chosen_through.min(self.log.last())),
            None => Progress::probing(*peer, base),
        });
        let leader = Leader {
            followers: followers.collect(),
            own: base,
            barrier: self.log.last(),
            proposed: BTreeMap::new(),
            pending: Vec::new(),
            batches: VecDeque::new(),
            reads: Reads::default(),
        };
        self.role = Role::Leader(leader);
        self.liveness.give_time();
        self.clock.begin_to_lead(self.peers.len() + 1, self.replica.machine().clock_ms());
        mark!("paxos.elected");
        // A promise or its snapshot holds every chosen slot: a peer that claims more is wrong.
        self.advance_chosen(chosen_through.min(self.log.last()), ctx);
        self.note_proposed_again();
        self.send_own_accepted(ctx);
        for peer in self.peers.clone() {
            self.catch_up(peer, ctx);
            // Even if there is nothing to accept: so the followers know whom to follow.
            self.send_news(peer, ctx);
        }
    }

    /// Sessions as they will be when all that is in the log is executed.
    fn note_proposed_again(&mut self) {
        let Role::Leader(leader) = &mut self.role else { return };
        for run in self.log.runs(self.chosen_through, Slot(u64::MAX)) {
            for proposal in run.proposals() {
                if let Proposal::Command { client, seq, .. } = proposal {
                    let executed = || self.replica.sessions().executed(*client);
                    let known = leader.proposed.entry(*client).or_insert_with(executed);
                    if *seq == *known + 1 {
                        *known = *seq;
                    }
                }
            }
        }
    }

    fn send_own_accepted(&mut self, ctx: &mut Context<Process<S>>) {
        let accepted = Message::Accepted {
            ballot: self.promised,
            incarnation: self.incarnation,
            through: self.log.last(),
            executed_through: self.replica.through(),
        };
        // To itself: it arrives once all that was persisted is durable, and is the leader's own vote.
        ctx.send(self.me, accepted);
    }

    pub(crate) fn on_submit(
        &mut self,
        from: NodeId,
        (client, first, acked_below): (ClientId, Seq, Seq),
        commands: Vec<S::Command>,
        ctx: &mut Context<Process<S>>,
    ) {
        let hint = self.leader();
        let Role::Leader(leader) = &mut self.role else {
            ctx.send_early(from, Message::NotLeader { leader: hint });
            return;
        };
        let sessions = self.replica.sessions();
        let executed = sessions.executed(client);
        let mut known = leader.proposed.get(&client).copied().unwrap_or(executed);
        // Nothing is known of this session. Whether that is so the log must say: a leader that was deposed without knowing
        // has not heard of whoever came since.
        if known == 0 && first > 1 {
            known = first - 1;
        }
        let before = known;
        let mut answers = Answering::default();
        for (seq, command) in (first..).zip(commands) {
            if seq <= executed {
                if let Admission::Again(output) = sessions.admit(client, seq) {
                    answers.push((client, seq, output.clone()), ctx);
                }
            } else if seq == known + 1 && leader.pending.len() < self.settings.pending_max {
                known = seq;
                leader.pending.push(Proposal::Command { client, seq, acked_below, command });
            }
            // Else it is proposed already, or behind a gap, or too much: the client will submit it again.
        }
        if known > before {
            leader.proposed.insert(client, known);
        }
        answers.flush(ctx);
        self.maybe_propose(ctx);
    }

    /// Proposes commands of the server's owner, if this server leads: as many as there is room for, from the first on.
    /// Each may be chosen, or not, also if this server leads no more; what they give is
    /// [taken](Server::take_executed).
    pub fn propose(&mut self, commands: Vec<S::Command>, ctx: &mut Context<Process<S>>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let room = self.settings.pending_max.saturating_sub(leader.pending.len());
        leader.pending.extend(commands.into_iter().take(room).map(|command| Proposal::Own { command }));
        self.maybe_propose(ctx);
    }

    /// Whether this server leads and has executed everything that may have been chosen before it did: what its state lacks
    /// never happened when it was elected.
    pub fn is_caught_up(&self) -> bool {
        matches!(&self.role, Role::Leader(leader) if self.chosen_through >= leader.barrier)
    }

    /// What the owner's commands gave while this server led, in order, since the last call. An owner calls it after each
    /// of the server's steps.
    pub fn take_executed(&mut self) -> Vec<S::Output> {
        std::mem::take(&mut self.executed)
    }

    /// Proposes what is pending, in batches, as far as the window allows.
    pub(crate) fn maybe_propose(&mut self, ctx: &mut Context<Process<S>>) {
        if !self.knows_time() {
            mark!("paxos.waits_for_the_time");
            return;
        }
        let (ballot, now_ms) = (self.promised, self.now_ms());
        let mut proposed = false;
        while let Role::Leader(leader) = &mut self.role {
            let open = self.log.last().since(self.chosen_through);
            let room = self.settings.window_slots_max.saturating_sub(open) as usize;
            let full = leader.batches.len() >= self.settings.batches_in_flight_max;
            if leader.pending.is_empty() || full || room == 0 {
                break;
            }
            let count = batch_len::<S>(
                &leader.pending,
                room.min(self.settings.batch_slots_max),
                self.settings.batch_bytes_max,
            );
            let stamped = |mut proposal| {
                if let (Some(now_ms), Proposal::Command { command, .. } | Proposal::Own { command }) =
                    (now_ms, &mut proposal)
                {
                    S::stamp(command, now_ms);
                }
                proposal
            };
            let batch: Arc<[Proposal<S::Command>]> = leader.pending.drain(..count).map(stamped).collect();
            let run = Run::new(self.log.last().next(), ballot, batch);
            leader.batches.push_back(run.last());
            self.log.put(&run);
            self.accepted_through = run.last();
            for progress in &mut leader.followers {
                if progress.send_next(&run, self.settings.window_slots_max) {
                    let chosen_through = self.chosen_through;
                    let run = Some(run.clone());
                    ctx.send_early(progress.node(), Message::Accept { run, ballot, chosen_through });
                }
            }
            self.persist_accepted(run, self.chosen_through, ctx);
            proposed = true;
        }
        if proposed {
            self.send_own_accepted(ctx);
        }
    }

    pub(crate) fn on_accepted(
        &mut self,
        from: NodeId,
        through: Slot,
        executed_through: Slot,
        ctx: &mut Context<Process<S>>,
    ) {
        let Role::Leader(leader) = &mut self.role else { return };
        if from == self.me {
            leader.own = leader.own.max(through);
        } else {
            let last = self.log.last();
            let Some(progress) = leader.progress(from) else { return };
            let lacks = progress.on_accepted(through.min(last), last);
            self.liveness.note_executed(from, executed_through);
            if lacks {
                self.catch_up(from, ctx);
            }
        }
        // The last vote for what is chosen already changes nothing.
        if through > self.chosen_through {
            self.maybe_choose(ctx);
        }
    }

    /// Whatever a quorum has accepted is chosen.
    fn maybe_choose(&mut self, ctx: &mut Context<Process<S>>) {
        let quorum = self.quorum();
        let Role::Leader(leader) = &mut self.role else { return };
        let matched = leader.followers.iter().map(Progress::matched).chain([leader.own]);
        let chosen_through = Quorum::reached(quorum, &matched);
        if self.advance_chosen(chosen_through, ctx) {
            if let Role::Leader(leader) = &mut self.role {
                while leader.batches.front().is_some_and(|last| *last <= chosen_through) {
                    leader.batches.pop_front();
                }
                if self.log.last() == chosen_through && leader.pending.is_empty() {
                    leader.proposed.clear();
                }
            }
            self.maybe_propose(ctx);
            self.maybe_compact();
            self.answer_reads(ctx);
        }
    }

    /// Sends a follower what it lacks: slots from the log, or the state if the log no longer reaches back.
    fn catch_up(&mut self, peer: NodeId, ctx: &mut Context<Process<S>>) {
        let (ballot, chosen_through, last) = (self.promised, self.chosen_through, self.log.last());
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(progress) = leader.progress(peer) else { return };
        let (executed, dropped) = (self.liveness.executed(peer).min(last), self.log.dropped_through());
        if progress.sent() < dropped && executed >= dropped {
            // It has a state already, and its disk is not done with that: the log goes on from there.
            mark!("paxos.caught_up_from_executed");
            progress.on_sent(executed);
        }
        if progress.sent() < dropped {
            if progress.begin_snapshot(self.replica.through()) {
                mark!("paxos.snapshot_sent");
                let replica = Arc::new(self.replica.clone());
                ctx.send_early(peer, Message::Snapshot { ballot, replica });
            }
            return;
        }
        let until = Slot(last.0.min(progress.sent().0 + RESEND_SLOTS_MAX));
        for run in self.log.runs(progress.sent(), until) {
            // What is chosen was chosen in an older ballot perhaps; proposing it in this one is what Paxos does.
            let run = run.in_ballot(ballot);
            progress.on_sent(run.last());
            ctx.send_early(peer, Message::Accept { run: Some(run), ballot, chosen_through });
        }
    }

    fn send_news(&self, peer: NodeId, ctx: &mut Context<Process<S>>) {
        let (ballot, chosen_through) = (self.promised, self.chosen_through);
        ctx.send_early(peer, Message::Accept { run: None, ballot, chosen_through });
    }

    /// Each tick: what was not acknowledged since the last one is sent again.
    pub(crate) fn resend(&mut self, ctx: &mut Context<Process<S>>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let mut behind = Vec::new();
        for progress in &mut leader.followers {
            let executed = self.liveness.executed(progress.node());
            progress.on_tick_of_hold(executed, self.log.last());
            // Nothing is sent again to those who are not there: they would get it all at once.
            if self.liveness.is_heard(progress.node()) && progress.on_tick(self.log.last()) {
                // Whoever knows all that is chosen answers no news, only what is open.
                if executed >= self.chosen_through {
                    progress.probe_again(self.chosen_through);
                }
                behind.push(progress.node());
            }
        }
        for peer in behind {
            mark!("paxos.resent");
            self.catch_up(peer, ctx);
        }
        for peer in &self.peers {
            let knows_less = self.liveness.executed(*peer) < self.chosen_through;
            let follows = self.liveness.is_heard(*peer);
            if knows_less && follows {
                self.send_news(*peer, ctx);
            }
        }
        self.confirm_again(ctx);
    }

    pub(crate) fn on_query(
        &mut self,
        from: NodeId,
        first: Seq,
        queries: Vec<S::Command>,
        ctx: &mut Context<Process<S>>,
    ) {
        let hint = self.leader();
        let Role::Leader(leader) = &mut self.role else {
            ctx.send_early(from, Message::NotLeader { leader: hint });
            return;
        };
        if leader.reads.len() + queries.len() > self.settings.reads_max {
            mark!("paxos.read_dropped");
            return;
        }
        let index = self.chosen_through.max(leader.barrier);
        leader.reads.push(self.peers.is_empty(), index, from, (first, queries));
        self.maybe_confirm(ctx);
        self.answer_reads(ctx);
    }

    /// Begins a round of confirmations, if reads wait for one and not too many are under way.
    fn maybe_confirm(&mut self, ctx: &mut Context<Process<S>>) {
        let ballot = self.promised;
        let Role::Leader(leader) = &mut self.role else { return };
        if let Some(round) = leader.reads.begin_round(self.settings.read_rounds_max) {
            ctx_broadcast_early(&self.peers, &Message::Confirm { ballot, round }, ctx);
        }
    }

    fn confirm_again(&mut self, ctx: &mut Context<Process<S>>) {
        let ballot = self.promised;
        let Role::Leader(leader) = &mut self.role else { return };
        if let Some(round) = leader.reads.unconfirmed() {
            ctx_broadcast_early(&self.peers, &Message::Confirm { ballot, round }, ctx);
        }
    }

    pub(crate) fn on_confirmed(&mut self, from: NodeId, round: u64, ctx: &mut Context<Process<S>>) {
        let Role::Leader(leader) = &mut self.role else { return };
        // A round that has not begun cannot be confirmed: to believe it would answer later reads unasked.
        let has_begun = round <= leader.reads.begun();
        let Some(progress) = leader.progress(from).filter(|_| has_begun) else { return };
        progress.on_confirmed(round);
        self.answer_reads(ctx);
        self.maybe_confirm(ctx);
    }

    /// Answers the reads whose round a quorum confirmed and whose slots are executed.
    pub(crate) fn answer_reads(&mut self, ctx: &mut Context<Process<S>>) {
        if !self.knows_time() {
            return;
        }
        let (quorum, now_ms) = (self.quorum(), self.now_ms());
        let Role::Leader(leader) = &mut self.role else { return };
        if leader.reads.len() == 0 {
            return;
        }
        let begun = leader.reads.begun();
        let confirmed = leader.followers.iter().map(Progress::confirmed).chain([begun]);
        leader.reads.on_confirmed(Quorum::reached(quorum, &confirmed));
        while let Some((client, (first, mut queries))) = leader.reads.pop_ready(self.replica.through()) {
            let (mut next, mut bytes, mut outputs) = (first, 0, Vec::with_capacity(queries.len()));
            for query in &mut queries {
                if let Some(now_ms) = now_ms {
                    S::stamp(query, now_ms);
                }
                let output = self.replica.machine().query(query);
                bytes += output.as_ref().map_or(0, S::output_bytes);
                outputs.push(output);
                if bytes > ANSWER_BYTES_MAX {
                    bytes = 0;
                    let full = std::mem::take(&mut outputs);
                    let first = next;
                    next += full.len() as u64;
                    ctx.send_early(client, Message::Answers { first, outputs: full });
                }
            }
            if !outputs.is_empty() {
                ctx.send_early(client, Message::Answers { first: next, outputs });
            }
        }
    }
}

fn ctx_broadcast_early<S: StateMachine>(to: &[NodeId], message: &Message<S>, ctx: &mut Context<Process<S>>) {
    for to in to {
        ctx.send_early(*to, message.clone());
    }
}

/// How many of the first `pending` make the next batch.
fn batch_len<S: StateMachine>(pending: &[Proposal<S::Command>], slots_max: usize, bytes_max: usize) -> usize {
    let mut bytes = 0;
    let fits = |proposal: &&Proposal<S::Command>| {
        bytes += proposal_bytes::<S>(proposal);
        bytes <= bytes_max
    };
    pending.iter().take(slots_max).take_while(fits).count().max(1)
}
