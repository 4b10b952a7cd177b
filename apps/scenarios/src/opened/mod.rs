//! What the debugger can open: a fresh system of each module, what a search found, and a run of a simulation.

pub mod claims;
mod portraits;
mod readers;
pub(crate) mod systems;

pub use portraits::Shards;
pub use systems::Shape;

use crate::{MODULES, mutants, searches};
use portraits::{Actors, Ballots, Views};
use std::any::Any;
use std::sync::Arc;
use synod_debugger::{Answer, Ask, Desk, Portrait, Setup, Shown, open};
use synod_testkit::{Orders, Scenario, Search, exhibit, play_one, seeker};
use synod_world::{Film, Header, Trace};

/// What the traces of systems by hand call their scenario.
pub(crate) const BY_HAND: &str = "by_hand";

/// Something opened.
pub type Opened = Arc<dyn Desk>;

/// A fresh system of a module.
///
/// # Errors
/// If there is no such module, or no such system of it: what to write.
pub fn by_hand(module: &str, shape: &Shape) -> Result<Opened, String> {
    shape.check()?;
    match module {
        "pingpong" => open(systems::pingpong(shape)?),
        "clientserver" => open(systems::clientserver(shape)?),
        "primarybackup" => open(systems::primarybackup(shape)?),
        "paxos" => open(systems::paxos(shape)?),
        "shardedstore" => open(systems::shardedstore(shape)?),
        _ => Err(format!("--module {module}: no such module; there are {}", MODULES.join(", "))),
    }
}

/// What a trace tells: what a search found, a session by hand, or a run of a simulation, which is run again by its seed.
///
/// # Errors
/// If what it is about is not there, or no longer goes that way: at which step, and why.
pub fn trace(trace: &Trace, mutant: Option<&'static str>, file: &str) -> Result<Opened, String> {
    let header = &trace.header;
    if header.scenario == BY_HAND {
        let shape = shape_of(&header.module, header.stage.as_deref().unwrap_or(""))?;
        let opened = by_hand(&header.module, &shape)?;
        load(&opened, trace)?;
        return Ok(opened);
    }
    if header.stage.is_some() {
        let orders = Orders { mutant, replay: Some(trace.clone()), ..Orders::default() };
        return exhibit(&search_of(header)?, &orders, (&format!("synod debug --trace {file}"), dress));
    }
    let scenario = scenario_of(header)?;
    let seed = header.seed.ok_or("the trace of a run must say its seed")?;
    let opened = run(&scenario, seed)?;
    load(&opened, trace)?;
    Ok(opened)
}

/// The search that a trace is of.
///
/// # Errors
/// If there is none.
pub fn search_of(header: &Header) -> Result<Search, String> {
    let is_meant = |one: &Search| (one.module, one.name) == (&*header.module, &*header.scenario);
    searches::all().into_iter().find(is_meant).ok_or_else(|| gone(header))
}

/// The scenario that a trace is of.
///
/// # Errors
/// If there is none.
pub fn scenario_of(header: &Header) -> Result<Scenario, String> {
    let is_meant = |one: &Scenario| (one.module, one.name) == (&*header.module, &*header.scenario);
    crate::all().into_iter().find(is_meant).ok_or_else(|| gone(header))
}

fn gone(header: &Header) -> String {
    format!("module {} has no scenario `{}` any more", header.module, header.scenario)
}

/// A run of a scenario, by its seed.
///
/// # Errors
/// If it cannot be shown: it is no simulation.
pub fn run(scenario: &Scenario, seed: u64) -> Result<Opened, String> {
    let (reel, ending) = match play_one(scenario, seed, true) {
        Ok(outcome) => (outcome.reel, None),
        Err(failed) => (failed.reel, Some(("the run fails".to_owned(), failed.failure.what))),
    };
    let no_film =
        || format!("{} {} is shown by direct calls: there is no run to open", scenario.module, scenario.name);
    let reel = reel.ok_or_else(no_film)?.0;
    let about = About { scenario, seed, ending };
    let opened = None
        .or_else(|| about.opened::<synod_pingpong::Process>(&reel))
        .or_else(|| about.opened::<searches::clientserver::Node>(&reel))
        .or_else(|| about.opened::<searches::pair::Node>(&reel))
        .or_else(|| about.opened::<searches::group::Node>(&reel))
        .or_else(|| about.opened::<searches::shards::Node>(&reel))
        .or_else(|| about.opened::<synod_shardedstore::Controller>(&reel))
        .or_else(|| about.opened::<crate::shardedstore::Actor>(&reel));
    opened.unwrap_or_else(|| Err("the nodes of this run are of a kind that is not shown".to_owned()))
}

/// Adds the portraits of the nodes that are known here.
fn dress(setup: &mut dyn Any) {
    fn with<N: Shown>(setup: &mut dyn Any, portrait: impl Portrait<N> + 'static) {
        if let Some(setup) = setup.downcast_mut::<Setup<N>>() {
            setup.portrait = Some(Arc::new(portrait));
        }
    }
    with::<searches::pair::Node>(setup, Views);
    with::<searches::group::Node>(setup, Ballots);
    with::<synod_shardedstore::Controller>(setup, Ballots);
    with::<searches::shards::Node>(setup, Shards);
    with::<crate::shardedstore::Actor>(setup, Actors);
}

/// Adds what must hold of the nodes that are known here, for runs, of which a search's claims say nothing.
fn judge(setup: &mut dyn Any) {
    fn with<N: Shown>(setup: &mut dyn Any, claims: Vec<synod_debugger::Claim<N>>) {
        if let Some(setup) = setup.downcast_mut::<Setup<N>>() {
            setup.invariants.extend(claims);
        }
    }
    with::<searches::pair::Node>(setup, claims::of_service());
    with::<searches::group::Node>(setup, claims::of_group());
    with::<synod_shardedstore::Controller>(setup, claims::of_group());
    with::<searches::shards::Node>(setup, claims::of_store(|node: &searches::shards::Node| node));
    with::<crate::shardedstore::Actor>(setup, claims::of_store(crate::shardedstore::Actor::node));
}

/// What is known of a run beside its film.
struct About<'a> {
    scenario: &'a Scenario,
    seed: u64,
    ending: Option<(String, String)>,
}

impl About<'_> {
    fn opened<N: Shown>(&self, reel: &Arc<dyn Any + Send + Sync>) -> Option<Result<Opened, String>> {
        let film = reel.downcast_ref::<Film<N>>()?;
        let Scenario { module, name, .. } = self.scenario;
        let mut setup = Setup::of(format!("{module} {name}, seed {}", self.seed), []);
        setup.module = (*module).to_owned();
        setup.scenario = (*name).to_owned();
        setup.seed = Some(self.seed);
        setup.command = format!("synod debug --module {module} --test {name} --seed {}", self.seed);
        setup.first = film.first.clone();
        dress(&mut setup);
        judge(&mut setup);
        setup.past = synod_debugger::Past::Steps(film.steps.clone());
        setup.ending.clone_from(&self.ending);
        setup.seeker = Some(seeker(&setup));
        Some(open(setup))
    }
}

/// Adds a trace to what is opened, as a branch, and lets pages begin at its end. Returns that moment.
///
/// # Errors
/// If it does not go that way: at which step, and why.
pub fn load(opened: &Opened, trace: &Trace) -> Result<u32, String> {
    let answer = opened.ask(Ask::Load { trace: trace.to_text() }).map_err(|refusal| refusal.words)?;
    let Answer::Json(grown) = answer else { return Err("a trace was answered by a file".to_owned()) };
    let moment = grown["moment"].as_u64().unwrap_or(0) as u32;
    opened.ask(Ask::Head { moment }).map_err(|refusal| refusal.words)?;
    Ok(moment)
}

/// The arguments of a system by hand, read back from a trace.
fn shape_of(module: &str, arguments: &str) -> Result<Shape, String> {
    let mut shape = Shape::usual(module);
    let mut rest = arguments.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once(' ').ok_or_else(|| format!("`{rest}` has no value"))?;
        let (value, after) = match after.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').ok_or_else(|| format!("`{after}` does not end"))?,
            None => after.split_once(' ').unwrap_or((after, "")),
        };
        let number = || value.parse::<u32>().map_err(|_| format!("{name} {value}: no number"));
        match name {
            "--servers" => shape.servers = number()?,
            "--clients" => shape.clients = number()?,
            "--groups" => shape.groups = number()?,
            "--workload" => value.clone_into(&mut shape.workload),
            "--mutant" => shape.mutant = Some(known_mutant(value)?),
            _ => return Err(format!("a system by hand has no {name}")),
        }
        rest = after.trim();
    }
    Ok(shape)
}

/// The name of a seeded mistake.
///
/// # Errors
/// If there is none: those that there are.
pub fn known_mutant(name: &str) -> Result<&'static str, String> {
    let all = mutants::all();
    let found = all.iter().find(|mutant| mutant.name == name).map(|mutant| mutant.name);
    found.ok_or_else(|| {
        let list: Vec<String> = all.iter().map(|it| format!("  {:<12} {}", it.module, it.name)).collect();
        format!("--mutant {name}: no such mistake; there are\n{}", list.join("\n"))
    })
}

/// What a trace ends in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct End {
    /// How many steps it has.
    pub steps: usize,
    /// The name of what is violated, if anything is.
    pub violated: Option<String>,
}

/// Goes the way of a trace again, and tells what it ends in: for tests that a debugger wrote.
///
/// # Errors
/// If it does not go that way any more: at which step, and why.
pub fn replayed(text: &str) -> Result<End, String> {
    let told = Trace::from_text(text).map_err(|error| error.to_string())?;
    let opened = trace(&told, None, "FILE")?;
    let answer = opened.ask(Ask::Session).map_err(|refusal| refusal.words)?;
    let Answer::Json(session) = answer else { return Err("a session was answered by a file".to_owned()) };
    let head = &session["head"];
    let violations = session["violations"].as_array().cloned().unwrap_or_default();
    let violated = violations.iter().find(|violation| violation["moment"] == *head);
    let violated = violated.and_then(|violation| violation["name"].as_str()).map(str::to_owned);
    Ok(End { steps: told.events.len(), violated })
}
