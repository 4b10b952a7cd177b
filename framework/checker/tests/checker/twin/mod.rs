//! The checker against its dumb twin, on random protocols: with every reduction, in every kind of search, it must see what
//! `naive.rs` sees, which spares nothing, and come to the same verdicts.

mod case;
mod naive;
mod protocol;
mod space;

use crate::models::crew::Threads;
use case::{Case, Pruned, seen};
use naive::Shown;
use protocol::Puppet;
use space::Space;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use synod_checker::{
    Alone, Dead, Fairness, Property, Reductions, Report, Settings, Subject, Symmetry, View, Walks,
};
use synod_node::Stimulus;
use synod_stdx::{Rng, caught};

/// What searches saw.
type Sights = Arc<Mutex<BTreeSet<Shown>>>;

fn take(sights: &Sights) -> BTreeSet<Shown> {
    std::mem::take(&mut *sights.lock().unwrap())
}

/// An invariant that always holds, and writes down what it sees.
fn recorder(case: &Case, sees_all: bool) -> (Property<Puppet>, Sights) {
    let sights = Sights::default();
    let (into, sight) = (Arc::clone(&sights), case.sight(sees_all));
    let test = move |view: &View<'_, Puppet>| {
        let shown = sight.least(&|name| seen(view, &sight, name));
        into.lock().unwrap().insert(shown);
        true
    };
    (Property::when("recorder", case.reads(sees_all), test), sights)
}

/// A kind of search.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Way {
    no_ops: bool,
    commuting: bool,
    is_symmetric: bool,
    dead: Declared,
    sees_all: bool,
    is_exact: bool,
    is_deep: bool,
    threads: usize,
}

/// Which messages are declared dead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Declared {
    None,
    /// Those to a node in which nothing will happen any more, but for a crash.
    Right,
    /// Any, by chance.
    AtRandom(u64),
}

impl Way {
    fn throw(dice: &mut Rng, case: &Case) -> Self {
        let dead = match dice.below(4) {
            0 if case.has_sink => Declared::Right,
            1 => Declared::AtRandom(dice.below(50)),
            _ => Declared::None,
        };
        let is_deep = dice.chance(250);
        let threads = if !is_deep && dice.chance(150) { 2 } else { 1 };
        Way {
            no_ops: dice.chance(800),
            commuting: dice.chance(800),
            is_symmetric: case.names.len() > 1 && dice.chance(700),
            dead,
            sees_all: dice.chance(500),
            is_exact: dice.chance(200),
            is_deep,
            threads,
        }
    }

    fn reductions(self, case: &Case) -> Reductions<Puppet> {
        let dead: Option<Dead<Puppet>> = match self.dead {
            Declared::None => None,
            Declared::Right => Some(Arc::new(|node, _| node.is_sunk())),
            Declared::AtRandom(one_in) => Some(Arc::new(move |node, stimulus| match stimulus {
                Stimulus::Message { message, .. } => {
                    (u64::from(node.state) * 7 + u64::from(*message) * 3 + one_in).is_multiple_of(5)
                }
                _ => false,
            })),
        };
        let symmetry = self.is_symmetric.then(|| {
            Arc::new(Symmetry::new(&case.system(), &case.groups).expect("the nodes are interchangeable"))
        });
        Reductions { no_ops: self.no_ops, commuting: self.commuting, symmetry, dead }
    }

    /// Searches, and returns what was seen.
    fn search(self, case: &Case, depth_max: Option<u32>) -> (Report, BTreeSet<Shown>) {
        let (recorder, sights) = recorder(case, self.sees_all);
        let settings = Settings {
            reductions: self.reductions(case),
            is_exact: self.is_exact,
            depth_max,
            ..case.settings().invariant(recorder)
        };
        let checker = case.checker().expect("the first steps go well");
        let from = checker.start();
        let report = if self.is_deep {
            checker.depth_first(&from, &settings, &Alone)
        } else {
            checker.breadth_first(&from, &settings, &Threads(self.threads))
        };
        (report, take(&sights))
    }
}

/// The step that a search objects to; none if it is only a declaration of dead messages that is wrong.
fn objection(report: &Report) -> Option<usize> {
    let is_step = |found: &&synod_checker::Finding| {
        found.subject == Subject::Step && !found.words.contains("was declared dead")
    };
    report.findings.iter().find(is_step).map(|found| found.state.steps())
}

fn is_wrongly_dead(report: &Report) -> bool {
    report.findings.iter().any(|found| found.words.contains("was declared dead"))
}

/// One search, and perhaps the same within a depth.
fn compare(case: &Case, space: &Space, way: Way, depth_max: Option<u32>) {
    let (report, seen) = way.search(case, depth_max);
    let what = || format!("seed {}, {way:?} within {depth_max:?}, {}", case.seed, case.words());
    if is_wrongly_dead(&report) {
        let is_right = way.dead == Declared::Right && case.setting.budgets.crashes == 0;
        assert!(!is_right, "{}: {:?}", what(), report.findings);
        return;
    }
    let limit = depth_max.unwrap_or(u32::MAX);
    let right = case.sights(space, way.sees_all, limit);
    let missed: Vec<&Shown> = right.difference(&seen).take(2).collect();
    let invented: Vec<&Shown> = seen.difference(&right).take(2).collect();
    assert!(missed.is_empty() && invented.is_empty(), "{}: missed {missed:?}, invented {invented:?}", what());
    let objects_at = space.objects_at.filter(|depth| *depth <= limit);
    let objection = objection(&report);
    assert_eq!(objection.is_some(), objects_at.is_some(), "{}", what());
    if !way.is_deep {
        assert_eq!(objection.map(|steps| steps as u32), objects_at, "{}", what());
    }
}

/// A state by what its nodes are, as a goal: it is found where it is nearest.
fn compare_goal(case: &Case, space: &Space, (way, dice): (Way, &mut Rng)) {
    let sight = case.sight(way.sees_all);
    let nearest = |wanted: &Shown| {
        let shown = |state| sight.least(&|name| case.setting.shown(state, name, way.sees_all));
        space.states.iter().position(|state| shown(state) == *wanted).map(|at| space.depths[at])
    };
    let all: Vec<Shown> = case.sights(space, way.sees_all, u32::MAX).into_iter().collect();
    let wanted = dice.pick(&all).expect("there is a first state").clone();
    let depth = nearest(&wanted).expect("it is one of them");
    let property = Property::when("wanted", case.reads(way.sees_all), move |view: &View<'_, Puppet>| {
        sight.least(&|name| seen(view, &sight, name)) == wanted
    });
    let settings = Settings { reductions: way.reductions(case), ..case.settings().goal(property) };
    let checker = case.checker().expect("the first steps go well");
    let report = checker.breadth_first(&checker.start(), &settings, &Threads(way.threads));
    if is_wrongly_dead(&report) || objection(&report).is_some_and(|steps| steps <= depth as usize) {
        return;
    }
    let steps = report.goal().map(|found| found.steps() as u32);
    assert_eq!(steps, Some(depth), "seed {}, {way:?}, {}", case.seed, case.words());
}

/// Walks see nothing that is not there, and find an objection only where one is.
fn compare_walks(case: &Case, space: &Space, dice: &mut Rng) {
    let sees_all = dice.chance(500);
    let (recorder, sights) = recorder(case, sees_all);
    let settings = case.settings().invariant(recorder);
    let checker = case.checker().expect("the first steps go well");
    let walks = Walks { seed: case.seed, count: 20, steps: 12 };
    let report = checker.walk(&checker.start(), &settings, walks, &Alone);
    let (seen, right) = (take(&sights), case.sights(space, sees_all, u32::MAX));
    let invented: Vec<&Shown> = seen.difference(&right).take(2).collect();
    assert!(invented.is_empty(), "seed {}, {}: invented {invented:?}", case.seed, case.words());
    assert!(objection(&report).is_none() || space.objects_at.is_some(), "seed {}", case.seed);
}

/// Whether a goal is reached in the end, in both senses.
fn compare_liveness(case: &Case, dice: &mut Rng) -> Option<bool> {
    let goal = Pruned::Nodes(dice.between(2, 6));
    let space = case.explore(&[goal])?;
    let sight = case.sight(false);
    let property = Property::when("goal", case.reads(false), move |view: &View<'_, Puppet>| {
        goal.holds(&sight.least(&|name| seen(view, &sight, name)))
    });
    let checker = case.checker().ok()?;
    let (settings, from) = (case.settings(), checker.start());
    let mut right = Vec::new();
    for fairness in [Fairness::Possible, Fairness::Weak] {
        let report = checker.eventually(&from, &settings, (&property, fairness), &Alone);
        let holds = match fairness {
            Fairness::Possible => space.is_always_possible(),
            Fairness::Weak => space.is_inevitable(),
        };
        let is_found = report.findings.iter().any(|found| matches!(found.subject, Subject::Eventually(_)));
        assert_eq!(is_found, !holds, "seed {}, {fairness:?}, goal {goal:?}, {}", case.seed, case.words());
        right.push(holds);
    }
    Some(right[1])
}

/// Compares one case in some ways. Whether it was compared.
fn check(seed: u64, ways: usize) -> bool {
    let case = Case::new(seed);
    let mut dice = Rng::new(seed).split("ways");
    let is_begun = case.setting.first().is_some();
    assert_eq!(case.checker().is_ok(), is_begun, "seed {seed}: whether the first steps go well");
    let Some(space) = case.explore(&[]).filter(|space| space.states.len() > 3) else { return false };
    for _ in 0..ways {
        let way = Way::throw(&mut dice, &case);
        let deepest = u64::from(*space.depths.last().expect("there is a first state"));
        let depth_max = dice.chance(250).then(|| dice.below(deepest + 2) as u32);
        compare(&case, &space, way, depth_max);
    }
    match dice.below(3) {
        0 => {
            let way = Way::throw(&mut dice, &case);
            compare_goal(&case, &space, (way, &mut dice));
        }
        1 => compare_walks(&case, &space, &mut dice),
        _ => _ = compare_liveness(&case, &mut dice),
    }
    true
}

/// Compares many cases; so many of them at least are neither too small nor too large.
fn check_all(seeds: std::ops::Range<u64>, least: usize) {
    let (mut compared, mut wrong) = (0, Vec::new());
    for seed in seeds {
        match caught(|| check(seed, 3)) {
            Ok(was_compared) => compared += usize::from(was_compared),
            Err(words) => wrong.push(words),
        }
    }
    let few: Vec<&str> = wrong.iter().take(20).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} of {compared} disagree: {}", wrong.len(), few.join("\n"));
    assert!(compared >= least, "only {compared} were compared");
}

#[test]
fn random_protocols_agree_with_the_naive_explorer() {
    check_all(0..4000, 1800);
}

/// As above, for as long as somebody likes.
#[test]
#[ignore = "takes minutes"]
fn many_random_protocols_agree_with_the_naive_explorer() {
    check_all(1_000_000..1_100_000, 40_000);
}

/// Seeds that disagreed once, each with what was wrong.
#[test]
fn what_once_disagreed_agrees() {
    // A prune looked at what is in flight, where messages without an effect stayed in a bag.
    let crowded = [23_925, 26_715, 29_863];
    // A dead message stood before others on an ordered link, and was never taken away.
    let dead = [24_147, 29_077, 32_371, 55_860, 61_769];
    // A write that changes nothing was never late.
    let late = [29_763, 49_440];
    // On an ordered link a message was lost only when its turn came, though a property looked at what is in flight.
    let lost = [644, 842, 1015];
    for seed in [&crowded[..], &dead, &late, &lost].concat() {
        assert!(check(seed, 3), "seed {seed} is compared");
    }
}
