//! A system that is searched, as a debugger opens it: the same nodes, users, claims, and the checker to search on with.

use crate::crew::{Threads, Watcher};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use synod_checker::{
    Budgets, Checkable, Checker, Network, Observer, Plain, Progress, Property, Reads, Settings, Substitute,
    System, User, Verdict, View,
};
use synod_debugger::{Claim, Errand, Heard, Past, Predicate, Seeker, Setup, Sight, Sought, Stage};
use synod_node::{Durable, NodeId};
use synod_stdx::{LookupMap, Tree, kind_of};
use synod_world::{TraceEvent, World};

/// What of a system a debugger needs.
pub struct Exhibit<N: Checkable, O: Observer<N>> {
    /// Nodes, users, the network.
    pub system: System<N>,
    /// Who watches the users, before they ask anything.
    pub observer: O,
    /// What must hold.
    pub invariants: Vec<Property<N, O>>,
    /// What is looked for.
    pub goals: Vec<Property<N, O>>,
}

impl<N: Checkable, O: Observer<N>> Exhibit<N, O> {
    /// Ready to be opened, when every node has started and its user has asked what it has first.
    ///
    /// # Errors
    /// What is wrong with these first steps.
    pub fn setup(self, title: &str) -> Result<Setup<N>, String> {
        let Exhibit { system, observer, invariants, goals } = self;
        let mut first = World::default();
        let mut users: BTreeMap<NodeId, User<N>> = BTreeMap::new();
        let mut ids = Vec::new();
        for (id, node, user) in system.nodes() {
            first.add(id, node.clone());
            ids.push(id);
            users.extend(user.map(|user| (id, user.clone())));
        }
        let mut setup = Setup::of(title, []);
        setup.taker = system.mutant.clone().map(|mutant| -> Arc<synod_world::Taker<'static, N>> { mutant });
        setup.partitions = system.partitions.clone();
        for (id, user) in &users {
            let user = user.clone();
            let script = move |index: u64| user.ask(index).map(|ask| (ask.request, ask.expected));
            setup.users.insert(*id, Arc::new(script));
        }
        let begun = system.clone();
        let known = Arc::new(Known { ids, users, observer: observer.clone() });
        setup.hears = true;
        setup.invariants = invariants.iter().map(|property| claim(property.clone(), &known)).collect();
        setup.goals = goals.into_iter().map(|property| claim(property, &known)).collect();
        let watched = Arc::clone(&known);
        setup.invariants.push(Claim::new("what users are told is right", move |stage: &Stage<N>| {
            watched.observed(stage).map(|_| ())
        }));
        let nodes = first.clone();
        setup.seeker = Some(Arc::new(Searcher { nodes, known, mutant: system.mutant, invariants }));
        let checker = Checker::new(begun, observer)?;
        setup.past = Past::Lines(checker.events(&checker.start()));
        setup.first = first;
        Ok(setup)
    }
}

/// What does not change from moment to moment.
struct Known<N: Checkable, O: Observer<N>> {
    ids: Vec<NodeId>,
    users: BTreeMap<NodeId, User<N>>,
    observer: O,
}

impl<N: Checkable, O: Observer<N>> Known<N, O> {
    /// The observer, after what the users saw.
    fn observed(&self, stage: &Stage<N>) -> Result<O, String> {
        let mut observer = self.observer.clone();
        for heard in &stage.heard {
            match heard {
                Heard::Asked(client, id, request) => observer.on_invoke(*client, *id, request),
                Heard::Told(client, id, response) => observer.on_return(*client, *id, response)?,
                Heard::GaveUp(client, id) => observer.on_give_up(*client, *id),
            }
        }
        Ok(observer)
    }
}

fn claim<N: Checkable, O: Observer<N>>(property: Property<N, O>, known: &Arc<Known<N, O>>) -> Claim<N> {
    let known = Arc::clone(known);
    Claim::new(property.name().to_owned(), move |stage: &Stage<N>| {
        // What the observer objects to is another claim's.
        let observer = known.observed(stage).unwrap_or_else(|_| known.observer.clone());
        property.objection(&Seen { stage, known: &known }, &observer).map_or(Ok(()), Err)
    })
}

/// A moment, as properties see it.
struct Seen<'a, N: Checkable, O: Observer<N>> {
    stage: &'a Stage<N>,
    known: &'a Known<N, O>,
}

impl<N: Checkable, O: Observer<N>> Plain<N> for Seen<'_, N, O> {
    fn ids(&self) -> Vec<NodeId> {
        self.known.ids.clone()
    }

    fn node(&self, id: NodeId) -> Option<&N> {
        self.stage.world.node(id)
    }

    fn answered(&self, id: NodeId) -> u64 {
        self.stage.users.get(&id).map_or(0, |position| position.answered)
    }

    fn asked(&self, id: NodeId) -> u64 {
        self.stage.users.get(&id).map_or(0, |position| position.asked)
    }

    fn is_done(&self, id: NodeId) -> bool {
        let position = self.stage.users.get(&id).cloned().unwrap_or_default();
        position.waiting.is_empty()
            && self.known.users.get(&id).is_some_and(|user| user.ask(position.scripted).is_none())
    }

    fn messages(&self) -> Vec<(NodeId, NodeId, N::Message)> {
        let flight = self.stage.world.flight();
        flight.map(|(_, envelope)| (envelope.from, envelope.to, envelope.message.clone())).collect()
    }

    fn timers(&self, id: NodeId) -> Vec<N::Timer> {
        let timers = self.stage.world.timers().filter(|(_, timer)| timer.node == id);
        timers.map(|(_, timer)| timer.timer.clone()).collect()
    }

    fn disk(&self, id: NodeId) -> Option<Durable<N>> {
        self.stage.world.disk(id).cloned()
    }
}

/// Searches from where a debugger is.
struct Searcher<N: Checkable, O: Observer<N>> {
    nodes: World<N>,
    known: Arc<Known<N, O>>,
    mutant: Option<Substitute<N>>,
    invariants: Vec<Property<N, O>>,
}

/// Searches for persons use so many threads.
const THREADS: usize = 2;
/// They end when the process has so many bytes.
const MEMORY_BYTES_MAX: u64 = 8 << 30;
/// On the way that a person went, at most so many steps left writes that were durable later.
const LATE_WRITES_MAX: u8 = 64;

impl<N: Checkable, O: Observer<N>> Seeker<N> for Searcher<N, O> {
    fn seek(
        &self,
        (way, stage): (&[TraceEvent], &Stage<N>),
        predicate: &Predicate,
        errand: &Errand,
    ) -> Result<Sought, String> {
        let way = in_the_checkers_order(&self.known.ids, way)?;
        let mut late_writes = 0;
        let (checker, from) = loop {
            let mut system = self.system(&way, stage, late_writes);
            system.budgets.crashes = system.budgets.crashes.saturating_add(errand.crashes);
            system.budgets.drops = system.budgets.drops.saturating_add(errand.losses);
            let checker = Checker::new(system, self.known.observer.clone())?;
            match checker.retraced(&way) {
                Ok(state) => break (checker, state),
                Err(_) if late_writes < LATE_WRITES_MAX => late_writes = (late_writes * 2).max(1),
                Err(unfit) => {
                    return Err(format!(
                        "the checker cannot go this way: step {}: {}",
                        unfit.step, unfit.why
                    ));
                }
            }
        };
        let mut settings = Settings::default().goal(wanted(predicate.clone()));
        settings.is_calm = errand.crashes == 0 && errand.losses == 0;
        settings.states_max = Some(errand.states_max);
        for invariant in &self.invariants {
            settings = settings.invariant(invariant.clone());
        }
        for link in &stage.cuts {
            settings.cut_links.insert(*link);
        }
        let report = checker.breadth_first(
            &from,
            &settings,
            &Threads::new(THREADS, Some(MEMORY_BYTES_MAX), &Onlooker(errand)),
        );
        let words = report.to_string();
        if let Some(finding) = report.violation() {
            let words = format!("violated: {}: {}", finding.subject, finding.words);
            return Ok(Sought::Found(checker.events(&finding.state), words));
        }
        Ok(match (report.goal(), report.verdict) {
            (Some(state), _) => Sought::Found(checker.events(state), words),
            (None, Verdict::Exhausted) => {
                Sought::Nowhere(format!("it holds in no state after this one ({words})"))
            }
            (None, _) => Sought::Unknown(format!("it was not found, and not every state was seen ({words})")),
        })
    }
}

impl<N: Checkable, O: Observer<N>> Searcher<N, O> {
    /// The system in which a person went this way: whatever went wrong on it may, and nothing more.
    fn system(&self, way: &[TraceEvent], stage: &Stage<N>, late_writes: u8) -> System<N> {
        let mut system = System::new(Network::Bag);
        system.mutant.clone_from(&self.mutant);
        let count = |is_meant: fn(&TraceEvent) -> bool| way.iter().filter(|line| is_meant(line)).count();
        system.budgets = Budgets {
            crashes: count(|line| matches!(line, TraceEvent::Crash { .. })) as u8,
            late_writes,
            drops: count(|line| matches!(line, TraceEvent::Drop { .. })) as u16,
            give_ups: count(|line| matches!(line, TraceEvent::GiveUp { .. })) as u8,
            pauses: count(|line| matches!(line, TraceEvent::Pause { .. })) as u8,
            cuts: 0,
        };
        for id in &self.known.ids {
            let Some(node) = self.nodes.built(*id).cloned() else { continue };
            let heard = stage.heard.iter().filter_map(|heard| match heard {
                Heard::Asked(client, _, request) if client == id => Some(request.clone()),
                Heard::Asked(..) | Heard::Told(..) | Heard::GaveUp(..) => None,
            });
            let asked: Vec<N::Request> = heard.collect();
            let scripted = stage.users.get(id).map_or(0, |position| position.scripted);
            match self.known.users.get(id) {
                Some(user) => system.add_with_user(*id, node, after(asked, user.clone(), scripted)),
                None => system.add(*id, node),
            }
        }
        system
    }
}

/// A user that asks these, and then goes on with a script from there on.
fn after<N: Checkable>(asked: Vec<N::Request>, script: User<N>, from: u64) -> User<N> {
    User::new(move |index| match asked.get(index as usize) {
        Some(request) => Some(synod_checker::Ask { request: request.clone(), expected: None }),
        None => script.ask(from + index - asked.len() as u64),
    })
}

/// The same way with every start at its beginning, and without what a checker has no word for.
fn in_the_checkers_order(ids: &[NodeId], way: &[TraceEvent]) -> Result<Vec<TraceEvent>, String> {
    let is_start = |line: &&TraceEvent| matches!(line, TraceEvent::Start { .. });
    let starts: Vec<TraceEvent> = way.iter().filter(is_start).cloned().collect();
    let has_started = |id: &&NodeId| {
        let name = id.to_string();
        starts.iter().any(|line| matches!(line, TraceEvent::Start { node, .. } if *node == name))
    };
    if let Some(id) = ids.iter().find(|id| !has_started(id)) {
        return Err(format!("{id} has not started: a search begins when all have"));
    }
    // Which links are cut now is told to the search as it is.
    let is_link =
        |line: &&TraceEvent| matches!(line, TraceEvent::CutLink { .. } | TraceEvent::HealLink { .. });
    let rest = way.iter().filter(|line| !is_start(line) && !is_link(line)).cloned();
    Ok(starts.iter().cloned().chain(rest).collect())
}

/// A predicate as a goal. What a node looks like is read once.
fn wanted<N: Checkable, O: Observer<N>>(predicate: Predicate) -> Property<N, O> {
    let known: Mutex<LookupMap<usize, Arc<Tree>>> = Mutex::new(LookupMap::default());
    let reads_messages = predicate.reads_messages();
    Property::when("what was asked for", Reads::Everything, move |view: &View<'_, N, O>| {
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut nodes = Vec::new();
        for (id, node) in view.all_nodes() {
            let tree = node.map(|node| {
                // A checker keeps each value once, in its place, as long as the search lasts.
                let place = std::ptr::from_ref(node).addr();
                Arc::clone(known.entry(place).or_insert_with(|| Arc::new(Tree::of(node))))
            });
            nodes.push((id, tree));
        }
        let messages = if reads_messages { view.messages() } else { Vec::new() };
        predicate
            .holds(&Sight { nodes, sent: messages.iter().map(|(_, _, message)| kind_of(message)).collect() })
    })
}

/// Tells a debugger's job how far its search is.
struct Onlooker<'a>(&'a Errand);

impl Watcher for Onlooker<'_> {
    fn on_progress(&self, progress: &Progress) {
        self.0.done.store(progress.unique, Ordering::Relaxed);
        self.0.depth.store(u64::from(progress.depth), Ordering::Relaxed);
    }

    fn is_interrupted(&self) -> bool {
        self.0.is_cancelled.load(Ordering::Relaxed)
    }
}
