//! Searches of `register`.

use crate::{mutants, op, ret};
use std::sync::Arc;
use synod_checker::{Budgets, Fairness, Network, Property, Settings, Symmetry, System, User, Walks};
use synod_history::{KvOp, KvRet};
use synod_node::NodeId;
use synod_register::{Client, Participant, Replica, Request, Response};
use synod_testkit::{Desk, Linearizable, Search, Staged, Stop, Translator};

/// Who judges what clients are told.
pub type Judge = Linearizable<Register>;

/// What a client asks, with the answers that are right, where only one is.
pub type Asks = Vec<(Request, Option<Response>)>;

/// So many states a stage sees, where there are too many.
const BUDGET: u64 = 100_000;

/// Claims that the model checker shows.
pub const SEARCHES: &[Search] = &[
    search("1", "a_write_and_two_reads_are_linearizable", write_and_reads),
    search("2", "two_writers_and_a_reader_are_linearizable", writers),
    search("3", "a_replica_that_crashes_has_what_it_acknowledged", crashes),
    search("4", "a_lost_message_is_never_the_end", lost_messages),
    search("5", "replicas_are_alike", alike),
];

const fn search(
    number: &'static str,
    name: &'static str,
    play: fn(&mut Desk<'_>) -> Result<(), Stop>,
) -> Search {
    Search { module: "register", number, name, play, is_long: false }
}

/// What the history's judge makes of requests and answers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Register;

impl Translator<Participant> for Register {
    fn op(request: &Request) -> Option<KvOp> {
        op(request)
    }

    fn ret(answer: &Response) -> Option<KvRet> {
        ret(answer)
    }
}

/// So many replicas, and a client for each user.
pub fn system(
    mutant: Option<&'static str>,
    network: Network,
    replicas: u32,
    users: Vec<Asks>,
) -> System<Participant> {
    let mut system = System::new(network);
    system.mutant = mutant.and_then(mutants::substitute);
    let replicas = NodeId::servers(replicas);
    for id in &replicas {
        system.add(*id, Participant::Replica(Replica::default()));
    }
    for (number, asks) in (1..).zip(users) {
        let id = NodeId::client(number);
        system.add_with_user(id, Participant::Client(Client::new(id, &replicas)), User::asks(asks));
    }
    system
}

fn write(value: u64) -> (Request, Option<Response>) {
    (Request::Write(value), Some(Response::Written))
}

const READ: (Request, Option<Response>) = (Request::Read, None);

fn done(clients: u32) -> Property<Participant> {
    Property::users_are_done(&NodeId::clients(clients))
}

fn write_and_reads(desk: &mut Desk<'_>) -> Staged {
    let system = system(desk.mutant(), Network::Set, 3, vec![vec![write(1)], vec![READ, READ]]);
    let mut bench = desk.bench(system, Judge::default())?;
    let start = bench.start();
    bench.explore("every way", &start, Settings::default().prune(done(2)).states(BUDGET))?;
    let walks = Walks { seed: 1, count: 1_000, steps: 200 };
    bench.walk("walks", &start, Settings::default().prune(done(2)), walks)
}

fn writers(desk: &mut Desk<'_>) -> Staged {
    let users = vec![vec![write(1)], vec![write(2)], vec![READ]];
    let system = system(desk.mutant(), Network::Set, 3, users);
    let mut bench = desk.bench(system, Judge::default())?;
    let start = bench.start();
    bench.explore("every way", &start, Settings::default().prune(done(3)).states(BUDGET))?;
    let walks = Walks { seed: 1, count: 1_000, steps: 200 };
    bench.walk("walks", &start, Settings::default().prune(done(3)), walks)
}

fn crashes(desk: &mut Desk<'_>) -> Staged {
    let mut system = system(desk.mutant(), Network::Set, 3, vec![vec![write(1), READ]]);
    system.budgets = Budgets { crashes: 1, late_writes: 2, ..Budgets::default() };
    let mut bench = desk.bench(system, Judge::default())?;
    let start = bench.start();
    bench.explore("every way", &start, Settings::default().prune(done(1)).states(10 * BUDGET))
}

/// Liveness: where each message is delivered once at most, and some are lost, asking again is what saves the day.
fn lost_messages(desk: &mut Desk<'_>) -> Staged {
    let mut system = system(desk.mutant(), Network::Bag, 2, vec![vec![write(1)]]);
    system.budgets.drops = 2;
    let mut bench = desk.bench(system, Judge::default())?;
    let start = bench.start();
    let plan = || Settings::default().prune(Property::crowded(3));
    bench.eventually("in every fair run", &start, plan(), (&done(1), Fairness::Weak))?;
    bench.eventually("from every state", &start, plan(), (&done(1), Fairness::Possible))
}

/// Three replicas differ in their names alone: six ways to name them, and one state for all.
fn alike(desk: &mut Desk<'_>) -> Staged {
    let system = system(desk.mutant(), Network::Set, 3, vec![vec![write(1)], vec![READ]]);
    let symmetry = Symmetry::new(&system, &[NodeId::servers(3)]).map_err(Stop::Failed)?;
    let mut bench = desk.bench(system, Judge::default())?;
    let start = bench.start();
    let mut plan = Settings::default().prune(done(2)).states(BUDGET / 10);
    plan.reductions.symmetry = Some(Arc::new(symmetry));
    bench.explore("up to their names", &start, plan)
}
