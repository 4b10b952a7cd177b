//! A member's former life that is alive and does not know: two nodes under one name, which a driver's world has not.

use crate::{Ballot, Incarnation, Message, Process, Server, Settings, Timer};
use std::collections::BTreeSet;
use synod_clientserver::{KvCommand, KvStore};
use synod_node::{Context, Effect, Node as _, NodeId};

type Group = Process<KvStore>;
type Said = Message<KvStore>;

const MEMBERS: [NodeId; 3] = [NodeId::server(1), NodeId::server(2), NodeId::server(3)];
/// Whose name two lives bear.
const TWICE: NodeId = MEMBERS[0];

/// Where a life of a member is.
const FORMER: usize = 0;
const SECOND: usize = 1;
const THIRD: usize = 2;
const LATER: usize = 3;

/// Three members, and a later life of the first; who answers, answers whoever asked.
struct Play {
    nodes: Vec<Group>,
    /// Places that hear and say nothing.
    away: BTreeSet<usize>,
    sent: Vec<(usize, NodeId, Said)>,
    /// Where who speaks under the name that two bear is heard from: the life that counts, for the others.
    home: usize,
}

impl Play {
    fn new() -> Play {
        let server = |id| Process::Server(Server::new(id, &MEMBERS, KvStore::default(), Settings::default()));
        let later = Server::rejoining(TWICE, &MEMBERS, KvStore::default(), Settings::default(), 1);
        let mut nodes: Vec<Group> = MEMBERS.into_iter().map(server).collect();
        nodes.push(Process::Server(later));
        Play { nodes, away: BTreeSet::from([LATER]), sent: Vec::new(), home: FORMER }
    }

    fn server(&self, place: usize) -> &Server<KvStore> {
        self.nodes[place].server().expect("all are servers")
    }

    /// Lets a node act; whoever it then speaks to is `reply_to`, if that is who bears the name twice.
    fn act(
        &mut self,
        place: usize,
        reply_to: Option<usize>,
        act: impl FnOnce(&mut Group, &mut Context<Group>),
    ) {
        let mut ctx = Context::new(self.server(place).id());
        act(&mut self.nodes[place], &mut ctx);
        self.nodes[place].assert_invariants();
        for effect in ctx.take_effects() {
            if let Effect::Send { to, message } | Effect::SendEarly { to, message } = effect {
                let at = match MEMBERS.iter().position(|member| *member == to) {
                    Some(0) if self.server(place).id() == TWICE => place,
                    Some(0) => reply_to.unwrap_or(self.home),
                    Some(at) => at,
                    None => continue,
                };
                self.sent.push((at, self.server(place).id(), message));
                if self.away.contains(&at) || self.away.contains(&place) {
                    self.sent.pop();
                } else {
                    let (at, _, message) = self.sent.pop().expect("it was pushed");
                    self.hear(at, place, message);
                }
            }
        }
    }

    fn hear(&mut self, place: usize, from: usize, message: Said) {
        let id = self.server(from).id();
        let reply_to = (id == TWICE).then_some(from);
        self.act(place, reply_to, |node, ctx| node.on_message(id, message, ctx));
    }

    fn tick(&mut self, places: &[usize], times: usize) {
        for place in places.repeat(times) {
            self.act(place, None, |node, ctx| node.on_timer(Timer::Tick, ctx));
        }
    }

    /// The first member leads, is cut off, another one leads, and the later life is let in.
    fn replaced() -> Play {
        let mut play = Play::new();
        play.tick(&[FORMER, SECOND, THIRD], 3);
        assert!(play.server(FORMER).is_leader());
        play.away = BTreeSet::from([FORMER]);
        play.home = LATER;
        play.tick(&[SECOND, THIRD, LATER], 12);
        assert_eq!(play.server(LATER).role_name(), "follower");
        play
    }
}

fn ballot(round: u64, node: NodeId, life: Incarnation) -> Ballot {
    Ballot { round, node, life }
}

#[test]
fn a_former_life_that_leads_is_told_and_retires() {
    let mut play = Play::replaced();
    assert!(play.server(FORMER).promised() < play.server(SECOND).promised());
    play.away.clear();
    let promised = play.server(FORMER).promised();
    assert!(play.server(FORMER).is_leader() || promised.node == TWICE, "it does not know");
    let accept = Message::Accept { run: None, ballot: promised, chosen_through: crate::Slot::ZERO };
    play.hear(SECOND, FORMER, accept);
    assert_eq!(play.server(FORMER).role_name(), "retired");
    // It answers clients, and nobody else.
    let mut ctx = Context::new(TWICE);
    let client = NodeId::client(1);
    play.nodes[FORMER].on_message(client, Message::Query { first: 1, queries: Vec::new() }, &mut ctx);
    play.nodes[FORMER].on_message(MEMBERS[1], Message::Heartbeat { tick: 1 }, &mut ctx);
    let effects = ctx.take_effects();
    let not_leader = Message::NotLeader { leader: None };
    assert_eq!(effects, [Effect::SendEarly { to: client, message: not_leader }]);
}

#[test]
fn a_former_life_that_wants_to_lead_learns_of_the_later_one_from_whoever_knows() {
    let mut play = Play::replaced();
    let led = play.server(SECOND).is_leader();
    play.away = BTreeSet::from([THIRD, LATER]);
    play.home = FORMER;
    play.tick(&[FORMER], 8);
    play.tick(&[FORMER, SECOND], 12);
    let roles = [FORMER, SECOND].map(|place| play.server(place).role_name());
    assert_eq!(roles[0], "retired", "{roles:?}");
    assert!(led || roles[1] != "leader", "a former life's promise was counted");
}

#[test]
fn votes_promises_and_confirmations_of_a_former_life_are_ignored() {
    let mut play = Play::replaced();
    let leader = if play.server(SECOND).is_leader() { SECOND } else { THIRD };
    let promised = play.server(leader).promised();
    let Process::Server(server) = &mut play.nodes[leader] else { unreachable!("all are servers") };
    let mut ctx = Context::new(server.id());
    assert!(!server.is_present(TWICE, 0, &mut ctx));
    assert!(server.is_present(TWICE, 1, &mut ctx));
    assert!(ctx.take_effects().is_empty());
    // A later life that it had not heard of is learnt, and counts.
    assert!(server.is_present(TWICE, 2, &mut ctx));
    assert!(!server.is_present(TWICE, 1, &mut ctx));
    assert!(server.is_leader() && server.promised() == promised);
}

/// A leader that was elected without this member has a command under way when it lets the member in, and the third one ends
/// then. The leader's log and the new life's chosen part are equally long, so no news is news to it: only its vote is missing.
#[test]
fn what_is_open_when_a_life_is_let_in_is_chosen_with_its_vote() {
    for is_vote_lost in [false, true] {
        let mut play = Play::new();
        (play.away, play.home) = (BTreeSet::from([FORMER]), LATER);
        for place in [SECOND, THIRD] {
            play.act(place, None, |node, ctx| {
                let Process::Server(server) = node else { unreachable!("all are servers") };
                server.supersede(TWICE, 1, ctx);
            });
        }
        play.tick(&[SECOND, THIRD], 12);
        assert!(play.server(SECOND).is_leader());
        play.away = BTreeSet::from([FORMER, SECOND]);
        play.tick(&[LATER], 1);
        play.away = BTreeSet::from([FORMER, THIRD]);
        play.act(SECOND, None, |node, ctx| {
            let Process::Server(server) = node else { unreachable!("all are servers") };
            server.propose(vec![KvCommand::Get { key: "k".into() }], ctx);
        });
        let mut ctx = Context::new(MEMBERS[1]);
        play.nodes[SECOND].on_message(TWICE, Message::Rejoin { incarnation: 1 }, &mut ctx);
        let welcome = ctx.take_effects().into_iter().find_map(|effect| match effect {
            Effect::Send { message, .. } => Some(message),
            _ => None,
        });
        if is_vote_lost {
            play.away.insert(SECOND);
        }
        play.hear(LATER, SECOND, welcome.expect("it is let in"));
        assert_eq!(play.server(LATER).role_name(), "follower");
        play.away.remove(&SECOND);
        let ticks = if is_vote_lost { 3 } else { 0 };
        play.tick(&[SECOND, LATER], ticks);
        assert_eq!(play.server(SECOND).chosen_through(), crate::Slot(1), "lost: {is_vote_lost}");
    }
}

#[test]
fn own_votes_count_in_the_own_life_only() {
    let mut play = Play::replaced();
    for (place, former, later) in [(LATER, 0, 2), (FORMER, 0, 1)] {
        let Process::Server(server) = &mut play.nodes[place] else { unreachable!("all are servers") };
        let mut ctx = Context::new(TWICE);
        let own = server.incarnation;
        assert!(server.is_present(TWICE, own, &mut ctx));
        if own > former {
            assert!(!server.is_present(TWICE, former, &mut ctx));
        }
        assert!(!server.is_retired());
        assert!(!server.is_present(TWICE, later, &mut ctx), "a later life's vote is not this one's");
        assert!(server.is_retired());
    }
}

#[test]
fn two_lives_never_propose_in_one_ballot() {
    let mut play = Play::replaced();
    // Each wants to lead, and neither hears of the other.
    play.away = BTreeSet::from([SECOND, THIRD]);
    for place in [FORMER, LATER] {
        let Process::Server(server) = &mut play.nodes[place] else { unreachable!("all are servers") };
        server.liveness.note(ballot(7, MEMBERS[2], 0));
        server.become_candidate(&mut Context::new(TWICE));
    }
    let [former, later] = [FORMER, LATER].map(|place| play.server(place).promised());
    assert_eq!((former, later), (ballot(8, TWICE, 0), ballot(8, TWICE, 1)));
    assert!(former < later);
}

#[test]
fn who_lets_in_tells_all_lives() {
    let mut play = Play::replaced();
    let mut ctx = Context::new(MEMBERS[1]);
    play.nodes[SECOND].on_message(MEMBERS[2], Message::Rejoin { incarnation: 4 }, &mut ctx);
    let told = ctx.take_effects().into_iter().find_map(|effect| match effect {
        Effect::Send { to, message: Message::Welcome { lives, .. } } if to == MEMBERS[2] => Some(lives),
        _ => None,
    });
    assert_eq!(told, Some(vec![(TWICE, 1), (MEMBERS[2], 4)]));
}

#[test]
fn nobody_follows_a_leader_that_began_anew() {
    let mut play = Play::new();
    play.tick(&[FORMER, SECOND, THIRD], 3);
    assert_eq!(play.server(SECOND).leader(), Some(TWICE));
    let mut ctx = Context::new(MEMBERS[1]);
    play.nodes[SECOND].on_message(TWICE, Message::Rejoin { incarnation: 1 }, &mut ctx);
    assert_eq!(play.server(SECOND).leader(), None);
    // Nor again, whatever the former life says.
    let accept =
        Message::Accept { run: None, ballot: ballot(1, TWICE, 0), chosen_through: crate::Slot::ZERO };
    play.nodes[SECOND].on_message(TWICE, accept, &mut ctx);
    assert_eq!(play.server(SECOND).leader(), None);
    let told = ctx.take_effects().pop();
    assert_eq!(told, Some(Effect::SendEarly { to: TWICE, message: Message::Superseded { incarnation: 1 } }));
}

#[test]
fn a_life_that_is_over_stays_so_when_it_restarts() {
    let mut play = Play::replaced();
    let mut ctx = Context::new(TWICE);
    let superseded: Said = Message::Superseded { incarnation: 1 };
    play.nodes[FORMER].on_message(MEMBERS[1], superseded, &mut ctx);
    let records = ctx.take_effects().into_iter().filter_map(|effect| match effect {
        Effect::Persist(record) => Some(record),
        _ => None,
    });
    let durable = synod_node::Durable { checkpoint: None, records: records.collect() };
    let mut again = Process::Server(Server::new(TWICE, &MEMBERS, KvStore::default(), Settings::default()));
    again.on_recover(durable, &mut ctx);
    assert_eq!(again.server().map(Server::role_name), Some("retired"));
    assert!(ctx.take_effects().is_empty(), "it waits for nothing");
}
