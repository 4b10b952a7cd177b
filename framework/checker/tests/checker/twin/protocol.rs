//! A random protocol: a node that looks up in a table what it does.
//!
//! What a node may do is bounded by its fuel, so every space ends. What costs no fuel is chosen so that it comes to an end all
//! the same: a timer that sets itself again, and, where messages arrive once, a write.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use synod_checker::{Budgets, Network};
use synod_node::{Context, Durable, Node, NodeId, Rename, RequestId, TimerRange};
use synod_stdx::Rng;

/// Nodes have so many states; in some protocols nothing happens in the last one.
pub const STATES: u8 = 4;
/// There are so many messages, timers and requests.
pub const WORDS: u8 = 3;

/// Whom a message is for.
#[derive(Clone, Copy, Debug)]
enum To {
    Me,
    Others,
    /// The node that it heard of last, if any.
    Friend,
    Peer(usize),
}

/// One thing that a node does.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Become(u8),
    Send(To, u8),
    SendEarly(To, u8),
    SetTimer(u8),
    Persist(u8),
    Checkpoint(u8),
    Compact,
    /// Answers the oldest request that it has not answered.
    Reply(u8),
    /// Who sent the message is its friend from now on.
    Befriend,
    Panic,
}

/// What happens to a node, by number.
#[derive(Clone, Copy, Debug)]
enum Event {
    Start,
    Recover,
    Message(u8),
    Timer(u8),
    Request(u8),
}

impl Event {
    const COUNT: usize = 2 + 3 * WORDS as usize;

    fn number(self) -> usize {
        let word = |kind: usize, word: u8| 2 + kind * WORDS as usize + usize::from(word % WORDS);
        match self {
            Event::Start => 0,
            Event::Recover => 1,
            Event::Message(one) => word(0, one),
            Event::Timer(one) => word(1, one),
            Event::Request(one) => word(2, one),
        }
    }
}

/// The tables of one protocol; known by its seed.
#[derive(Debug)]
pub struct Rules {
    seed: u64,
    /// By kind of node, state and event.
    deeds: Vec<Vec<Vec<Vec<Deed>>>>,
    ranges: Vec<TimerRange>,
    /// By state: whether each timer sets itself again.
    again: Vec<bool>,
    /// Nothing happens in the last state.
    pub has_sink: bool,
    /// A write costs fuel.
    pays_for_writes: bool,
    /// Which answers an observer objects to, by the one before and this one.
    pub wrong: Vec<bool>,
}

impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        self.seed == other.seed
    }
}

impl Eq for Rules {}

impl Hash for Rules {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.seed.hash(state);
    }
}

impl Rules {
    /// The tables for `kinds` kinds of nodes; with `is_symmetric` none of them names a peer.
    pub fn new(seed: u64, (network, budgets): (Network, &Budgets), is_symmetric: bool) -> Self {
        let mut dice = Rng::new(seed).split("rules");
        let has_sink = dice.chance(500);
        let pays_for_writes = network == Network::Set || dice.chance(500) || budgets.crashes > 0;
        let may_panic = dice.chance(150);
        let deed = |dice: &mut Rng, event: usize| {
            let word = dice.below(u64::from(WORDS)) as u8;
            let to = match dice.below(if is_symmetric { 6 } else { 8 }) {
                0 => To::Me,
                1..=3 => To::Others,
                4 | 5 => To::Friend,
                _ => To::Peer(dice.below(2) as usize),
            };
            match dice.below(20) {
                0..=3 => Deed::Become(dice.below(u64::from(STATES)) as u8),
                4..=8 => Deed::Send(to, word),
                9 => Deed::SendEarly(to, word),
                10 | 11 => Deed::SetTimer(word),
                12 | 13 => Deed::Persist(word),
                14 => Deed::Checkpoint(word),
                15 => Deed::Compact,
                16 | 17 => Deed::Reply(word),
                18 => Deed::Befriend,
                _ if may_panic && event > 1 => Deed::Panic,
                _ => Deed::Reply(word),
            }
        };
        let mut deeds = Vec::new();
        for _kind in 0..3 {
            let mut states = Vec::new();
            for state in 0..STATES {
                let is_sink = has_sink && state == STATES - 1;
                let row = (0..Event::COUNT).map(|event| {
                    let count = if is_sink { 0 } else { dice.below(4) };
                    // What starts does something.
                    let count = if event == 0 { count.max(1) } else { count };
                    (0..count).map(|_| deed(&mut dice, event)).collect()
                });
                states.push(row.collect());
            }
            deeds.push(states);
        }
        let ranges: Vec<TimerRange> = vec![1..=1, 1..=3, 2..=4, 5..=9];
        let ranges = (0..WORDS).map(|_| dice.pick(&ranges).expect("there are some").clone()).collect();
        let again = (0..STATES * WORDS).map(|_| dice.chance(250)).collect();
        let objects = dice.chance(200);
        let wrong = (0..WORDS * WORDS).map(|_| objects && dice.chance(200)).collect();
        Rules { seed, deeds, ranges, again, has_sink, pays_for_writes, wrong }
    }
}

/// A node of the protocol.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Puppet {
    rules: Hidden,
    kind: usize,
    pub peers: Vec<NodeId>,
    pub state: u8,
    fuel: u8,
    friend: Option<NodeId>,
    unanswered: Vec<RequestId>,
}

/// The rules, which nobody wants to see in words.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Hidden(Arc<Rules>);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("_")
    }
}

impl Puppet {
    /// A node of a kind, with others.
    pub fn new(rules: &Arc<Rules>, kind: usize, fuel: u8, peers: Vec<NodeId>) -> Self {
        let rules = Hidden(Arc::clone(rules));
        Puppet { rules, kind, peers, state: 0, fuel, friend: None, unanswered: Vec::new() }
    }

    /// Whether it is in the state in which nothing happens.
    pub fn is_sunk(&self) -> bool {
        self.rules.0.has_sink && self.state == STATES - 1
    }

    fn pays(&mut self) -> bool {
        let can = self.fuel > 0;
        self.fuel -= u8::from(can);
        can
    }

    fn receivers(&self, to: To, ctx: &Context<Self>) -> Vec<NodeId> {
        match to {
            To::Me => vec![ctx.me()],
            To::Others => self.peers.clone(),
            To::Friend => self.friend.into_iter().collect(),
            To::Peer(at) => self.peers.get(at).copied().into_iter().collect(),
        }
    }

    fn act(&mut self, event: Event, from: Option<NodeId>, ctx: &mut Context<Self>) {
        let rules = Arc::clone(&self.rules.0);
        for deed in &rules.deeds[self.kind][usize::from(self.state)][event.number()] {
            let pays_for_writes = rules.pays_for_writes || !matches!(event, Event::Message(_));
            match *deed {
                Deed::Become(state) => self.state = state,
                Deed::Send(to, word) if self.pays() => {
                    for to in self.receivers(to, ctx) {
                        ctx.send(to, word);
                    }
                }
                Deed::SendEarly(to, word) if self.pays() => {
                    for to in self.receivers(to, ctx) {
                        ctx.send_early(to, word);
                    }
                }
                Deed::SetTimer(timer) if self.pays() => {
                    ctx.set_timer(timer, rules.ranges[usize::from(timer)].clone());
                }
                Deed::Persist(record) if !pays_for_writes || self.pays() => ctx.persist(record),
                Deed::Checkpoint(checkpoint) if !pays_for_writes || self.pays() => ctx.checkpoint(checkpoint),
                Deed::Compact if !pays_for_writes || self.pays() => ctx.compact(self.state),
                Deed::Reply(response) if !self.unanswered.is_empty() => {
                    let id = self.unanswered.remove(0);
                    ctx.reply(id, response);
                }
                Deed::Befriend => self.friend = from.or(self.friend),
                Deed::Panic => panic!("as the rules say"),
                Deed::Send(..) | Deed::SendEarly(..) | Deed::SetTimer(_) | Deed::Persist(_) => {}
                Deed::Checkpoint(_) | Deed::Compact | Deed::Reply(_) => {}
            }
        }
    }
}

impl Node for Puppet {
    type Message = u8;
    type Timer = u8;
    type Record = u8;
    type Checkpoint = u8;
    type Request = u8;
    type Response = u8;

    fn on_start(&mut self, ctx: &mut Context<Self>) {
        self.act(Event::Start, None, ctx);
    }

    fn on_message(&mut self, from: NodeId, message: u8, ctx: &mut Context<Self>) {
        self.act(Event::Message(message), Some(from), ctx);
    }

    fn on_timer(&mut self, timer: u8, ctx: &mut Context<Self>) {
        let rules = Arc::clone(&self.rules.0);
        let is_again = rules.again[usize::from(self.state * WORDS + timer)];
        if is_again {
            ctx.set_timer(timer, rules.ranges[usize::from(timer)].clone());
        }
        self.act(Event::Timer(timer), None, ctx);
    }

    fn on_request(&mut self, id: RequestId, request: u8, ctx: &mut Context<Self>) {
        self.unanswered.push(id);
        self.act(Event::Request(request), None, ctx);
    }

    fn on_recover(&mut self, durable: Durable<Self>, ctx: &mut Context<Self>) {
        let newest = durable.records.last().copied().or(durable.checkpoint);
        self.state = newest.unwrap_or(0) % STATES;
        self.act(Event::Recover, None, ctx);
    }
}

impl Rename for Puppet {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        self.friend.rename(name);
        self.peers.rename(name);
        self.peers.sort_unstable();
    }
}
