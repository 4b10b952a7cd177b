//! Searches of the log's time: a lock, two members of a group, a gateway, and wall clocks that read what they like.
//!
//! Each member has a few readings of its clocks before it, and takes them in order, at any moment. Its monotonic clock is
//! right; of the member whose wall clock is wrong every reading is a choice. All readings together are of less than the
//! time for which the lock is granted: whoever gets it a second time broke it.

use std::sync::Arc;
use synod_checker::{Blind, Network, Property, Reads, Settings, Substitute, System, User, View, Walks};
use synod_clientserver::Outcome;
use synod_node::{
    ClockReading, Context, Durable, Effect, Node, NodeId, RequestId, StateMachine, Stimulus, step,
};
use synod_paxos::{
    Checkpoint, Client, ClockReport, LogTime, Message, Process, Record, Request, Server, Timer,
};
use synod_stdx::{Malformed, Reader, Wire, Writer};
use synod_testkit::{Desk, Mutant, Search, Staged};

/// The module's searches.
pub const SEARCHES: &[Search] = &[
    search("2.1", "no_wall_clock_of_a_leader_breaks_a_lock", |desk| locks(desk, 1)),
    search("2.2", "no_wall_clock_of_the_next_leader_breaks_a_lock", |desk| locks(desk, 2)),
];

const fn search(
    number: &'static str,
    name: &'static str,
    play: fn(&mut Desk<'_>) -> Result<(), synod_testkit::Stop>,
) -> Search {
    Search { module: "store", number, name, play, is_long: false }
}

/// The seeded mistakes.
pub const MUTANTS: &[Mutant] = &[
    Mutant {
        module: "store",
        name: "time_is_the_wall_clock",
        what: "a leader lets the log's time go on by its wall clock",
        caught_by: "2.1",
    },
    Mutant {
        module: "store",
        name: "next_leader_asks_its_wall_clock",
        what: "a new leader begins from its own wall clock",
        caught_by: "2.2",
    },
];

/// For so long the lock is granted, in ms.
const TTL_MS: u64 = 30_000;
/// The readings of the members' monotonic clocks, in ms: all within the lock's time.
const MONOTONIC_MS: [u64; 3] = [1_000, 8_000, 16_000];
/// The reading of a right wall clock when the monotonic one reads 0, in ms since 1970.
const BEGIN_MS: u64 = 1_000_000_000;
const HOUR_MS: u64 = 3_600_000;
/// So many states a stage sees.
const BUDGET: u64 = 30_000;
/// So many random ways it looks along, each of so many steps.
const WALKS: u64 = 1_000;
const WALK_STEPS: u32 = 80;

/// Take the lock.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Take {
    at_ms: u64,
}

/// A lock: until when it is held, and how often it was granted.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Lock {
    clock_ms: u64,
    until_ms: u64,
    grants: u64,
}

impl StateMachine for Lock {
    type Command = Take;
    type Output = bool;

    fn apply(&mut self, take: &Take) -> bool {
        self.clock_ms = self.clock_ms.max(take.at_ms);
        let is_free = self.until_ms <= self.clock_ms;
        if is_free {
            self.grants += 1;
            self.until_ms = self.clock_ms + TTL_MS;
        }
        is_free
    }

    fn is_read_only(_: &Take) -> bool {
        false
    }

    fn query(&self, _: &Take) -> Option<bool> {
        None
    }

    fn stamp(take: &mut Take, at_ms: u64) {
        take.at_ms = at_ms;
    }

    fn clock_ms(&self) -> u64 {
        self.clock_ms
    }
}

impl Wire for Take {
    fn encode(&self, out: &mut Writer<'_>) {
        self.at_ms.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Take { at_ms: u64::decode(input)? })
    }
}

impl Wire for Lock {
    fn encode(&self, out: &mut Writer<'_>) {
        (self.clock_ms, self.until_ms, self.grants).encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (clock_ms, until_ms, grants) = Wire::decode(input)?;
        Ok(Lock { clock_ms, until_ms, grants })
    }
}

/// What a member is reminded of.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Reminder {
    /// By the protocol.
    Paxos(Timer),
    /// By its clocks: the reading of this number, as this choice has it. Stale once that reading was taken.
    Clock {
        /// Which reading.
        number: usize,
        /// Which of its choices.
        choice: usize,
    },
}

/// A node of the group, and what is still to be read on its clocks.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Clocked {
    process: Process<Lock>,
    is_wrong: bool,
    taken: usize,
}

impl Clocked {
    fn server(&self) -> Option<&Server<Lock>> {
        self.process.server()
    }

    fn reading(number: usize, choice: usize) -> ClockReading {
        let right_ms = BEGIN_MS + MONOTONIC_MS[number];
        let wall_ms = [right_ms, right_ms + HOUR_MS, right_ms - HOUR_MS][choice];
        ClockReading { boot: 1, monotonic_us: MONOTONIC_MS[number] * 1_000, wall_ms }
    }

    fn within(
        &mut self,
        ctx: &mut Context<Self>,
        run: impl FnOnce(&mut Process<Lock>, &mut Context<Process<Lock>>),
    ) {
        let process = &mut self.process;
        ctx.within(
            |ctx| run(process, ctx),
            |effect| match effect {
                Effect::Send { to, message } => Effect::Send { to, message },
                Effect::SendEarly { to, message } => Effect::SendEarly { to, message },
                Effect::SetTimer { timer, after } => {
                    Effect::SetTimer { timer: Reminder::Paxos(timer), after }
                }
                Effect::Persist(record) => Effect::Persist(record),
                Effect::Checkpoint(checkpoint) => Effect::Checkpoint(checkpoint),
                Effect::Compact(checkpoint) => Effect::Compact(checkpoint),
                Effect::Reply { id, response } => Effect::Reply { id, response },
            },
        );
    }
}

impl Node for Clocked {
    type Message = Message<Lock>;
    type Timer = Reminder;
    type Record = Record<Take>;
    type Checkpoint = Checkpoint<Lock>;
    type Request = Request<Take>;
    type Response = Outcome<bool>;

    fn on_start(&mut self, ctx: &mut Context<Self>) {
        self.within(ctx, Process::on_start);
        if self.server().is_none() {
            return;
        }
        let choices = if self.is_wrong { 3 } else { 1 };
        for number in 0..MONOTONIC_MS.len() {
            // One after the other, each at any moment.
            let after = number as u64 * 1_000..=(number as u64 + 1) * 1_000;
            (0..choices).for_each(|choice| ctx.set_timer(Reminder::Clock { number, choice }, after.clone()));
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message<Lock>, ctx: &mut Context<Self>) {
        self.within(ctx, |process, ctx| process.on_message(from, message, ctx));
    }

    fn on_timer(&mut self, timer: Reminder, ctx: &mut Context<Self>) {
        match timer {
            Reminder::Paxos(timer) => self.within(ctx, |process, ctx| process.on_timer(timer, ctx)),
            Reminder::Clock { number, choice } if number == self.taken => {
                self.taken += 1;
                let request = Request::Clock(Clocked::reading(number, choice));
                self.within(ctx, |process, ctx| process.on_request(RequestId::TOLD, request, ctx));
            }
            Reminder::Clock { .. } => {}
        }
    }

    fn on_request(&mut self, id: RequestId, request: Request<Take>, ctx: &mut Context<Self>) {
        self.within(ctx, |process, ctx| process.on_request(id, request, ctx));
    }

    fn on_recover(&mut self, durable: Durable<Self>, ctx: &mut Context<Self>) {
        let Durable { checkpoint, records } = durable;
        self.within(ctx, |process, ctx| process.on_recover(Durable { checkpoint, records }, ctx));
    }

    fn assert_invariants(&self) {
        self.process.assert_invariants();
    }
}

const GATEWAY: NodeId = NodeId::client(1);

/// Two members, of which `wrong` has a wrong wall clock, and a gateway that asks for the lock twice.
fn system(mutant: Option<&'static str>, wrong: u32) -> System<Clocked> {
    let mut system = System::new(Network::Set);
    system.mutant = mutant.and_then(substitute);
    let servers = NodeId::servers(2);
    let settings =
        synod_paxos::Settings { tells_clocks: true, missed_ticks_max: 1, ..synod_paxos::Settings::default() };
    for id in &servers {
        let process = Process::Server(Server::new(*id, &servers, Lock::default(), settings));
        system.add(*id, Clocked { process, is_wrong: id.number() == wrong, taken: 0 });
    }
    let asks = (0..2).map(|_| (Request::Commands(vec![Take { at_ms: 0 }]), None)).collect();
    let process = Process::Client(Client::new(GATEWAY, 0, &servers));
    system.add_with_user(GATEWAY, Clocked { process, is_wrong: false, taken: 0 }, User::asks(asks));
    system
}

fn grants_at(id: u32, count: u64) -> Property<Clocked> {
    let id = NodeId::server(id);
    Property::when(format!("{id} knows of {count} grants"), Reads::Nodes(vec![id]), move |view| {
        let server = view.node(id).and_then(Clocked::server);
        server.is_some_and(|server| server.replica().machine().grants == count)
    })
}

/// The gateway has its first answer.
fn is_answered() -> Property<Clocked> {
    Property::when("the gateway is answered", Reads::Nodes(vec![GATEWAY]), |view| view.answered(GATEWAY) > 0)
}

/// A member's wall clock is far ahead.
fn is_ahead(id: u32) -> Property<Clocked> {
    let id = NodeId::server(id);
    Property::when(format!("{id}'s clock is ahead"), Reads::Nodes(vec![id]), move |view| {
        let wall_ms = view.node(id).and_then(Clocked::server).and_then(|server| server.clock().wall_ms());
        wall_ms.is_some_and(|wall_ms| wall_ms >= BEGIN_MS + HOUR_MS)
    })
}

fn leads(id: u32) -> Property<Clocked> {
    let id = NodeId::server(id);
    Property::when(format!("{id} leads"), Reads::Nodes(vec![id]), move |view| {
        view.node(id).and_then(Clocked::server).is_some_and(Server::is_leader)
    })
}

/// A member knows the time: one that leads, well enough to stamp with it.
fn knows_time(id: u32) -> Property<Clocked> {
    let id = NodeId::server(id);
    Property::when(format!("{id} knows the time"), Reads::Nodes(vec![id]), move |view| {
        view.node(id).and_then(Clocked::server).is_some_and(|server| server.clock().now_ms().is_some())
    })
}

/// Nobody gets the lock twice within its time.
fn sound() -> Settings<Clocked> {
    let servers = NodeId::servers(2);
    let held =
        Property::new("nobody gets the lock twice", Reads::Nodes(servers), |view: &View<'_, Clocked>| {
            let servers = view.nodes().filter_map(|(_, node)| node.server());
            match servers.map(|server| server.replica().machine().grants).max() {
                Some(grants) if grants > 1 => Err(format!("it was granted {grants} times within its time")),
                Some(_) | None => Ok(()),
            }
        });
    Settings::default().invariant(held)
}

fn locks(desk: &mut Desk<'_>, wrong: u32) -> Staged {
    let system = system(desk.mutant(), wrong);
    let mut bench = desk.bench(system, Blind)?;
    let start = bench.start();
    let led = bench.must_reach("a member leads", &start, sound().goal(leads(1)))?;
    let heard = bench.must_reach("the other hears what time it is", &led, sound().goal(knows_time(2)))?;
    let found = bench.must_reach("the leader hears that it did", &heard, sound().goal(knows_time(1)))?;
    let granted = bench.must_reach("the lock is granted", &found, sound().goal(grants_at(1, 1)))?;
    let told = bench.must_reach("the gateway knows it", &granted, sound().goal(is_answered()))?;
    bench.explore("what may happen then", &told, sound().states(BUDGET))?;
    let walks = Walks { seed: u64::from(wrong), count: WALKS, steps: WALK_STEPS };
    bench.walk("ways further on", &told, sound(), walks)?;
    let off = match wrong {
        2 => bench.must_reach("the other's clock is an hour ahead", &told, sound().goal(is_ahead(2)))?,
        _ => told,
    };
    let led = bench.must_reach("the other member leads", &off, sound().goal(leads(2)))?;
    bench.explore("what may happen under it", &led, sound().states(BUDGET))?;
    bench.walk("ways further on under it", &led, sound(), walks)
}

/// What takes the steps of a mutant.
fn substitute(name: &'static str) -> Option<Substitute<Clocked>> {
    Some(match name {
        "time_is_the_wall_clock" => Arc::new(|node, stimulus, ctx| match (stimulus, &mut *node) {
            (Stimulus::Timer(Reminder::Clock { number, choice }), clocked) if number == clocked.taken => {
                clocked.taken += 1;
                let reading = Clocked::reading(number, choice);
                let request =
                    Request::Clock(ClockReading { monotonic_us: reading.wall_ms * 1_000, ..reading });
                clocked.within(ctx, |process, ctx| process.on_request(RequestId::TOLD, request, ctx));
            }
            (stimulus, node) => step(node, stimulus, ctx),
        }),
        "next_leader_asks_its_wall_clock" => Arc::new(|node, stimulus, ctx| {
            let own_ms = node.server().and_then(|server| server.clock().wall_ms());
            let stimulus = match stimulus {
                Stimulus::Message {
                    from,
                    message: Message::Alive { tick, incarnation, following, happy, executed_through, clock },
                } => {
                    let clock = clock.map(|report| {
                        let wall_ms = own_ms.unwrap_or(report.wall_ms);
                        let log = report.log.map(|_| LogTime { at_us: wall_ms * 1_000, age_us: 0 });
                        ClockReport { wall_ms, log }
                    });
                    let message =
                        Message::Alive { tick, incarnation, following, happy, executed_through, clock };
                    Stimulus::Message { from, message }
                }
                other => other,
            };
            step(node, stimulus, ctx);
        }),
        _ => return None,
    })
}
