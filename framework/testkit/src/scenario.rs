//! What a scenario is.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use synod_checker::Checkable;
use synod_simulator::{Failure, Options, Simulator};
use synod_stdx::Rng;
use synod_world::Trace;

/// How a scenario shows its claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// By direct calls; the seed does not matter.
    Unit,
    /// By simulated runs on a network that loses nothing unless the play says so.
    Run,
    /// By simulated runs on a network that loses messages all the time: so many in 1,000.
    Unreliable(u32),
    /// By the model checker.
    Search,
}

impl Kind {
    /// The kind's name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Unit => "unit",
            Kind::Run => "run",
            Kind::Unreliable(_) => "unreliable",
            Kind::Search => "search",
        }
    }
}

/// A named claim about a module, and how it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// The module that it is about.
    pub module: &'static str,
    /// Its number in the module's list, as `2.3`; scenarios beyond the list have a letter, as `x4`.
    pub number: &'static str,
    /// The claim, in words joined by underscores.
    pub name: &'static str,
    /// How it is shown.
    pub kind: Kind,
    /// How many seeds show it by default.
    pub seeds: u64,
    /// Shows it for one seed.
    pub play: Play,
}

/// Shows a claim for one seed, or says what went wrong.
pub type Play = fn(&Stage) -> Result<Outcome, Box<Failed>>;

/// How many seeds show a claim where nothing else is said.
const SEEDS: u64 = 20;

impl Scenario {
    /// A scenario that is shown by the usual number of seeds.
    pub const fn new(
        module: &'static str,
        number: &'static str,
        name: &'static str,
        kind: Kind,
        play: Play,
    ) -> Scenario {
        Scenario { module, number, name, kind, seeds: SEEDS, play }
    }
}

/// What a play is given: everything random follows from the seed.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// The seed.
    pub seed: u64,
    /// The scenario's kind.
    pub kind: Kind,
    /// Whether every event shall be kept for a trace.
    pub record: bool,
}

/// What a play that held says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// How many events happened.
    pub steps: u64,
    /// Virtual microseconds that passed.
    pub virtual_us: u64,
    /// A digest of everything that happened: the same for the same seed.
    pub digest: u64,
    /// What happened, if the stage asked to record it.
    pub trace: Option<Trace>,
    /// The same with its values.
    pub reel: Option<Reel>,
}

/// A [`Film`](synod_world::Film) of nodes of some kind: who knows the kind can have it back.
#[derive(Clone)]
pub struct Reel(pub Arc<dyn Any + Send + Sync>);

impl PartialEq for Reel {
    fn eq(&self, other: &Reel) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Reel {}

impl fmt::Debug for Reel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reel")
    }
}

/// A play that did not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failed {
    /// What went wrong.
    pub failure: Failure,
    /// What happened, if the stage asked to record it.
    pub trace: Option<Trace>,
    /// The same with its values.
    pub reel: Option<Reel>,
}

impl Stage {
    /// The weather of this run, drawn from the seed. An odd seed in three has no duplicates, one in three no late
    /// messages, and so on; loss is the kind's.
    pub fn options(&self) -> Options {
        let mut rng = Rng::new(self.seed).split("weather");
        let mut options = Options { record: self.record, ..Options::default() };
        options.latency_us = [(50, 200), (200, 2_000), (500, 5_000)][rng.below(3) as usize];
        (options.tail_permille, options.tail_us_max) =
            [(0, 0), (10, 20_000), (100, 30_000)][rng.below(3) as usize];
        options.duplicate_permille = [0, 10, 200][rng.below(3) as usize];
        options.disk_us = [(0, 0), (50, 500), (500, 8_000)][rng.below(3) as usize];
        options.clock_skew_permille = [0, 20, 100][rng.below(3) as usize];
        options.loss_permille = match self.kind {
            Kind::Unreliable(permille) => permille,
            Kind::Unit | Kind::Run | Kind::Search => 0,
        };
        options
    }

    /// An empty simulation in this run's weather.
    pub fn simulator<N: synod_node::Node>(&self) -> Simulator<N> {
        Simulator::new(self.seed, self.options())
    }

    /// Ends a play by direct calls, of so many steps.
    ///
    /// # Errors
    /// What went wrong.
    pub fn conclude_calls(&self, steps: u64, result: Result<(), String>) -> Result<Outcome, Box<Failed>> {
        result.map(|()| Outcome { steps, ..Outcome::default() }).map_err(|what| {
            let options = "by direct calls".to_owned();
            let failure = Failure { seed: self.seed, at_us: 0, what, options, last: Vec::new() };
            Box::new(Failed { failure, trace: None, reel: None })
        })
    }

    /// Ends a play: the oracles have their last word.
    ///
    /// # Errors
    /// The first thing that went wrong, now or before.
    pub fn conclude<N: Checkable>(
        &self,
        mut simulator: Simulator<N>,
        result: Result<(), Failure>,
    ) -> Result<Outcome, Box<Failed>> {
        match result.and_then(|()| simulator.finish()) {
            Ok(()) => Ok(Outcome {
                steps: simulator.steps(),
                virtual_us: simulator.now_us(),
                digest: simulator.digest(),
                trace: self.record.then(|| simulator.trace("", "", "")),
                reel: self.record.then(|| Reel(Arc::new(simulator.film()))),
            }),
            Err(failure) => {
                let trace = self.record.then(|| simulator.trace("", "", &failure.what));
                let reel = self.record.then(|| Reel(Arc::new(simulator.film())));
                Err(Box::new(Failed { failure, trace, reel }))
            }
        }
    }
}
