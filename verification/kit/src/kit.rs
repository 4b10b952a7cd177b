//! What a module brings along for command line, tests and debugger: one value.

use crate::Shape;
use std::any::Any;
use std::sync::Arc;
use synod_debugger::{Claim, Desk, Past, Portrait, Setup, Shown, open};
use synod_node::NodeId;
use synod_stdx::Rng;
use synod_testkit::{FuzzTarget, Mutant, Reel, Scenario, Search, episode_of_nodes, seeker};
use synod_world::{Film, Recordable};

/// Something opened in the debugger.
pub type Opened = Arc<dyn Desk>;

/// Makes a fresh system for a person to drive.
pub type ByHand = fn(&Shape) -> Result<Opened, String>;

/// All that there is of a module: the registry has one of each. It is a `static` of the module's crate, so that its functions, and
/// what checker and debugger have for its nodes, are compiled there, and not once more where the registry is.
#[derive(Clone, Copy)]
pub struct Kit {
    /// The module's name.
    pub module: &'static str,
    /// Claims that runs show.
    pub scenarios: &'static [&'static [Scenario]],
    /// Claims that the model checker shows.
    pub searches: &'static [&'static [Search]],
    /// Seeded mistakes that the searches find.
    pub mutants: &'static [&'static [Mutant]],
    /// Seeded mistakes that runs find.
    pub mutants_in_runs: &'static [MutantsInRuns],
    /// How many servers a system by hand usually has.
    pub usual_servers: u32,
    /// A fresh system for a person to drive, if there is one.
    pub by_hand: Option<ByHand>,
    /// Opens a run of one of the scenarios; `None` if its nodes are of no kind that is known here.
    pub show_run: fn(&RunToShow<'_>) -> Option<Result<Opened, String>>,
    /// Adds the portraits of the nodes that are known here to the [`Setup`] of a search.
    pub dress: fn(&mut dyn Any),
    /// Strange messages for the module's nodes.
    pub fuzz_targets: fn() -> Vec<FuzzTarget>,
}

/// Seeded mistakes that runs find.
#[derive(Clone, Copy)]
pub struct MutantsInRuns {
    /// Which ones.
    pub mutants: &'static [Mutant],
    /// How many seeds are tried at most.
    pub seeds: u64,
    /// Tries so many seeds, until one catches the mistake: what was wrong.
    pub caught: fn(&Mutant, u64) -> Option<String>,
}

/// A run of a scenario, for the debugger.
pub struct RunToShow<'a> {
    /// Which one.
    pub scenario: &'a Scenario,
    /// Its seed.
    pub seed: u64,
    /// All its steps.
    pub reel: Reel,
    /// How it ended, if it failed: a title and words.
    pub ending: Option<(String, String)>,
}

impl RunToShow<'_> {
    /// Opens the run, if its nodes are `N`, with what is known of these: a portrait, and what must hold of them.
    pub fn of<N: Shown>(
        &self,
        portrait: Option<Arc<dyn Portrait<N>>>,
        claims: Vec<Claim<N>>,
    ) -> Option<Result<Opened, String>> {
        let film = self.reel.0.downcast_ref::<Film<N>>()?;
        let Scenario { module, name, .. } = self.scenario;
        let mut setup = Setup::of(format!("{module} {name}, seed {}", self.seed), []);
        setup.module = (*module).to_owned();
        setup.scenario = (*name).to_owned();
        setup.seed = Some(self.seed);
        setup.command = format!("synod debug --module {module} --test {name} --seed {}", self.seed);
        setup.first = film.first.clone();
        setup.portrait = portrait;
        setup.invariants.extend(claims);
        setup.past = Past::Steps(film.steps.clone());
        setup.ending.clone_from(&self.ending);
        setup.seeker = Some(seeker(&setup));
        Some(open(setup))
    }
}

/// Adds a portrait to a [`Setup`] of nodes `N`, if this is one.
pub fn dress<N: Shown>(setup: &mut dyn Any, portrait: impl Portrait<N> + 'static) {
    if let Some(setup) = setup.downcast_mut::<Setup<N>>() {
        setup.portrait = Some(Arc::new(portrait));
    }
}

/// Strange messages for the nodes of a system by hand, whose users make the requests in `asks`.
pub fn fuzz_target<N: Shown + Recordable>(
    name: &'static str,
    setup: Setup<N>,
    asks: Vec<(NodeId, &'static str)>,
) -> FuzzTarget {
    let (first, reader) = (setup.first, setup.reader.map(|(_, read)| read));
    let ask = move |rng: &mut Rng| {
        let (node, text) = *rng.pick(&asks)?;
        reader.as_ref()?(node, text).ok().map(|request| (node, request))
    };
    FuzzTarget { name, episode: Box::new(move |seed| episode_of_nodes(&first, &ask, seed)) }
}
