//! Searches from any moment that a debugger came to, with the checker.

use crate::crew::{Threads, Watcher};
use crate::shown::Known;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use synod_checker::{
    Ask, Budgets, Checkable, Checker, Moment, NODES_MAX, Network, Position, Progress, Property, Reads,
    Settings, Substitute, System, User, Verdict, View,
};
use synod_debugger::{Errand, Predicate, Script, Seeker, Setup, Sought, Stage};
use synod_node::NodeId;
use synod_stdx::{LookupMap, Tree, kind_of};

/// Who searches on in anything that is opened: for what a person asks, for panics and for answers that a script knows to be
/// wrong. Every node that it names may take steps; whoever else they speak to hears nothing.
pub fn seeker<N: Checkable>(setup: &Setup<N>) -> Arc<dyn Seeker<N>> {
    let known = Known::blind(setup.first.ids().collect());
    Arc::new(Searcher::new(setup, Arc::new(known), Vec::new()))
}

/// Searches from where a debugger is.
pub(crate) struct Searcher<N: Checkable> {
    known: Arc<Known<N>>,
    users: BTreeMap<NodeId, Script<N>>,
    mutant: Option<Substitute<N>>,
    invariants: Vec<Property<N>>,
}

/// Searches for persons use so many threads.
const THREADS: usize = 2;
/// They end when the process has so many bytes.
const MEMORY_BYTES_MAX: u64 = 8 << 30;

impl<N: Checkable> Searcher<N> {
    pub(crate) fn new(setup: &Setup<N>, known: Arc<Known<N>>, invariants: Vec<Property<N>>) -> Self {
        Searcher { known, users: setup.users.clone(), mutant: setup.taker.clone(), invariants }
    }

    /// The system of a moment, in which no more may go wrong than an errand says. Where servers may crash, their writes
    /// may be late: a crash loses them.
    fn system(&self, stage: &Stage<N>, errand: &Errand) -> Result<System<N>, String> {
        let mut system = System::new(Network::Bag);
        system.mutant.clone_from(&self.mutant);
        system.is_part = true;
        system.budgets = Budgets {
            crashes: errand.crashes,
            late_writes: errand.crashes,
            drops: errand.losses,
            ..Budgets::default()
        };
        let ids: Vec<NodeId> = stage.world.ids().collect();
        if ids.len() > NODES_MAX {
            return Err(format!("there are {} nodes, and a search has at most {NODES_MAX}", ids.len()));
        }
        for id in ids {
            if !stage.started.contains(&id) {
                return Err(format!("{id} has not started: a search begins when all have"));
            }
            let node = stage.world.built(id).expect("a node of a world was built").clone();
            match self.user(stage, id) {
                Some(user) => system.add_with_user(id, node, user),
                None => system.add(id, node),
            }
        }
        Ok(system)
    }

    /// The user of a node, which goes on with its script where it is in a moment. Of what it asked before, the script knows
    /// which answers are right.
    fn user(&self, stage: &Stage<N>, id: NodeId) -> Option<User<N>> {
        let script = self.users.get(&id).cloned();
        if script.is_none() && !id.is_client() {
            return None;
        }
        let position = stage.users.get(&id).cloned().unwrap_or_default();
        Some(User::new(move |index| {
            let number = match index.checked_sub(position.asked) {
                Some(later) => position.scripted + later,
                None => {
                    let waiting = position.waiting.iter().find(|waiting| waiting.id.0 == index + 1)?;
                    waiting.scripted?
                }
            };
            let (request, expected) = script.as_ref()?(number)?;
            Some(Ask { request, expected })
        }))
    }
}

/// How far the users are, for a checker.
fn positions<N: Checkable>(stage: &Stage<N>) -> BTreeMap<NodeId, Position> {
    let position = |position: &synod_debugger::Position| Position {
        asked: position.asked,
        answered: position.answered,
        outstanding: position.waiting.iter().map(|waiting| waiting.id).collect(),
        given_up: position.given_up.clone(),
    };
    stage.users.iter().map(|(id, it)| (*id, position(it))).collect()
}

impl<N: Checkable> Seeker<N> for Searcher<N> {
    fn seek(&self, from: &Stage<N>, predicate: &Predicate, errand: &Errand) -> Result<Sought, String> {
        let moment = Moment { world: &from.world, users: positions(from), paused: &from.paused };
        let system = self.system(from, errand)?;
        let names = system.names();
        let checker = Checker::at(system, self.known.witness(from), &moment)?;
        let mut settings = Settings::default().goal(wanted(predicate.clone()));
        settings.is_calm = errand.crashes == 0 && errand.losses == 0;
        settings.states_max = Some(errand.states_max);
        settings.invariants.clone_from(&self.invariants);
        settings.cut_links.extend(&from.cuts);
        // Who is paused stays so, whatever else happens.
        for paused in &from.paused {
            settings.stopped_timers.insert(*paused);
            settings.cut_links.extend(names.iter().map(|sender| (*sender, *paused)));
        }
        let onlooker = Onlooker(errand);
        let crew = Threads::new(THREADS, Some(MEMORY_BYTES_MAX), &onlooker);
        let report = checker.breadth_first(&checker.start(), &settings, &crew);
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

/// A predicate as a goal. What a node looks like is read once, and only if it matters.
fn wanted<N: Checkable>(predicate: Predicate) -> Property<N> {
    let known: Mutex<LookupMap<usize, Arc<Tree>>> = Mutex::new(LookupMap::default());
    Property::when("what was asked for", Reads::Everything, move |view: &View<'_, N>| {
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        // A checker keeps each value once, in its place, as long as the search lasts.
        let tree = |_, node: &N| {
            let place = std::ptr::from_ref(node).addr();
            Arc::clone(known.entry(place).or_insert_with(|| Arc::new(Tree::of(node))))
        };
        let sent = || view.messages().iter().map(|(_, _, message)| kind_of(message)).collect();
        predicate.holds(&predicate.sight(view.all_nodes(), tree, sent))
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
