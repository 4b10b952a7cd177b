//! A search that begins at a moment of another driver sees what a search from the start sees beyond that moment.

use crate::models::ledger::{Ledger, Size, lines_are_kept};
use std::collections::{BTreeMap, BTreeSet};
use synod_checker::{
    Alone, Blind, Budgets, Checker, Moment, Network, Position, Property, Reads, Report, Settings, System,
    User, Verdict,
};
use synod_node::{NodeId, RequestId};
use synod_world::{Event, Happening, TraceEvent, World};

const N1: NodeId = NodeId::server(1);
const N2: NodeId = NodeId::server(2);
const C1: NodeId = NodeId::client(1);

/// Whether they answer before a line is durable, or keep the answer back until it is.
const HASTY: [bool; 2] = [true, false];

fn size(is_hasty: bool) -> Size {
    Size { servers: 2, clients: 1, retries: 1, is_hasty }
}

/// Two servers, and a client whose user asks twice.
fn system(is_hasty: bool, budgets: Budgets) -> System<Ledger> {
    let mut system = System::new(Network::Bag);
    system.budgets = budgets;
    for (id, node, _) in
        crate::models::ledger::system(size(is_hasty), Network::Bag, Budgets::default()).nodes()
    {
        if id.is_client() {
            system.add_with_user(id, node.clone(), User::asks(vec![((), None), ((), None)]));
        } else {
            system.add(id, node.clone());
        }
    }
    system
}

/// A world, and how far its users are.
struct Past {
    is_hasty: bool,
    world: World<Ledger>,
    users: BTreeMap<NodeId, Position>,
}

impl Past {
    /// What comes of these lines.
    fn of(is_hasty: bool, lines: &[TraceEvent]) -> Past {
        let mut past = Past { is_hasty, world: World::default(), users: BTreeMap::new() };
        for (id, node, _) in system(is_hasty, Budgets::default()).nodes() {
            past.world.add(id, node.clone());
        }
        lines.iter().for_each(|line| past.take(line));
        past
    }

    /// All run, and nobody asked.
    fn begun() -> Past {
        let start = |node: NodeId| TraceEvent::Start { at_us: 0, node: node.to_string() };
        Past::of(true, &[start(N1), start(N2), start(C1)])
    }

    fn take(&mut self, line: &TraceEvent) {
        let event = match line {
            TraceEvent::Request { node, id, .. } => {
                let node = node.parse().unwrap();
                let position = self.users.entry(node).or_default();
                position.asked += 1;
                position.outstanding.push(RequestId(*id));
                Event::Request { node, id: RequestId(*id), request: () }
            }
            _ => self.world.find(line).unwrap_or_else(|| panic!("{line} cannot happen")),
        };
        let mut happenings = Vec::new();
        self.world.apply(event, &mut happenings).unwrap();
        for happening in happenings {
            let Happening::Replied { node, id, .. } = happening else { continue };
            let position = self.users.get_mut(&node).unwrap();
            position.outstanding.retain(|outstanding| *outstanding != id);
            position.answered += 1;
        }
    }

    fn checker(&self, budgets: Budgets) -> Checker<Ledger> {
        let paused = BTreeSet::new();
        let moment = Moment { world: &self.world, users: self.users.clone(), paused: &paused };
        Checker::at(system(self.is_hasty, budgets), Blind, &moment).unwrap()
    }
}

fn has_line(node: Option<&Ledger>, number: u64) -> bool {
    matches!(node, Some(Ledger::Server { lines, .. }) if lines.contains(&(C1, RequestId(number))))
}

fn when(
    words: &str,
    holds: impl Fn(&synod_checker::View<'_, Ledger>) -> bool + Send + Sync + 'static,
) -> Property<Ledger> {
    Property::when(words.to_owned(), Reads::Everything, holds)
}

/// Moments of several kinds: what goes wrong on the way to them, and what is left of that.
fn moments() -> Vec<(Property<Ledger>, Budgets, Budgets)> {
    let none = Budgets::default();
    let left = |crashes, late_writes| Budgets { crashes, late_writes, drops: 1, ..Budgets::default() };
    let full = left(1, 1);
    vec![
        (when("a line is written", |view| has_line(view.node(N2), 1)), none.clone(), full.clone()),
        (when("one request is answered", |view| view.answered(C1) == 1), none.clone(), full.clone()),
        (when("both are answered", |view| view.answered(C1) == 2), none.clone(), full.clone()),
        (
            when("it is asked again", |view| {
                matches!(view.node(C1), Some(Ledger::Client { retries: 0, waiting: Some(_), .. }))
            }),
            none,
            full.clone(),
        ),
        (
            when("a line is not durable", |view| {
                has_line(view.node(N1), 1) && view.disk(N1).is_none_or(|disk| disk.records.is_empty())
            }),
            full.clone(),
            left(1, 0),
        ),
        (when("a server is down", |view| view.node(N1).is_none()), full.clone(), left(0, 1)),
        (
            when("a server is down, and has a line on its disk", |view| {
                view.node(N1).is_none() && view.disk(N1).is_some_and(|disk| !disk.records.is_empty())
            }),
            full,
            left(0, 1),
        ),
    ]
}

/// What a search comes to, and how much it sees.
fn sum(report: &Report) -> (Verdict, u64, Option<String>) {
    let found = report.violation().map(|finding| finding.words.clone());
    (report.verdict, report.stats.unique, found)
}

#[test]
fn what_follows_a_moment_is_what_follows_the_state_there() {
    let all = HASTY.into_iter().flat_map(|is_hasty| moments().into_iter().map(move |it| (is_hasty, it)));
    for (is_hasty, (goal, before, left)) in all {
        let name = goal.name().to_owned();
        let from_start = Checker::new(system(is_hasty, before.clone()), Blind).unwrap();
        let wanted = Settings { is_calm: before == Budgets::default(), ..Settings::default() }.goal(goal);
        let report = from_start.breadth_first(&from_start.start(), &wanted, &Alone);
        let lines = from_start.events(report.goal().unwrap_or_else(|| panic!("it is never that {name}")));

        // As much may go wrong beyond it, whatever of that happened before.
        let all = if before == Budgets::default() { left.clone() } else { before };
        let again = Checker::new(system(is_hasty, all), Blind).unwrap();
        let state = again.retraced(&lines).unwrap();
        assert_eq!(again.events(&state), lines, "{name}: the same way");
        let from_moment = Past::of(is_hasty, &lines).checker(left);
        for is_calm in [true, false] {
            let settings = Settings { is_calm, ..Settings::default() };
            let settled = settings.clone().invariant(lines_are_kept(size(is_hasty)));
            for settings in [settings, settled] {
                let beyond = again.breadth_first(&state, &settings, &Alone);
                let found = from_moment.breadth_first(&from_moment.start(), &settings, &Alone);
                assert_eq!(sum(&found), sum(&beyond), "{name}, calm: {is_calm}");
                if let Some(finding) = found.violation() {
                    // The way there goes on from the moment.
                    Past::of(is_hasty, &[lines.clone(), from_moment.events(&finding.state)].concat());
                }
            }
        }
    }
}

#[test]
fn who_is_paused_asks_nothing() {
    let past = Past::begun();
    let asked = |paused: BTreeSet<NodeId>| {
        let moment = Moment { world: &past.world, users: BTreeMap::new(), paused: &paused };
        let checker = Checker::at(system(true, Budgets::default()), Blind, &moment).unwrap();
        checker.events(&checker.start()).len()
    };
    assert_eq!((asked(BTreeSet::new()), asked(BTreeSet::from([C1]))), (1, 0));
}

#[test]
fn what_is_sent_to_who_is_not_there_is_lost_where_that_is_known() {
    let past = Past::begun();
    let paused = BTreeSet::new();
    let moment = Moment { world: &past.world, users: BTreeMap::new(), paused: &paused };
    let only = |is_part: bool| {
        let whole = system(true, Budgets::default());
        let mut part = System::new(Network::Bag);
        part.is_part = is_part;
        for (id, node, user) in whole.nodes().filter(|(id, ..)| *id != N2) {
            match user {
                Some(user) => part.add_with_user(id, node.clone(), user.clone()),
                None => part.add(id, node.clone()),
            }
        }
        Checker::at(part, Blind, &moment)
    };
    assert_eq!(only(false).err(), Some("c1 sent to n2, which is not there".to_owned()));
    let checker = only(true).unwrap();
    let answered = when("both are answered", |view| view.answered(C1) == 2);
    let report = checker.breadth_first(&checker.start(), &Settings::default().goal(answered), &Alone);
    assert_eq!(report.verdict, Verdict::GoalReached);
}
