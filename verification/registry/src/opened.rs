//! What the debugger can open: a fresh system of each module, what a search found, and a run of a simulation.

use crate::{KITS, kit, mutants, scenarios, searches};
use std::any::Any;
use synod_debugger::{Answer, Ask};
use synod_testkit::{Orders, Scenario, Search, exhibit, play_one};
pub use synod_verify::Opened;
use synod_verify::by_hand::BY_HAND;
use synod_verify::{RunToShow, Shape};
use synod_world::{Header, Trace};

/// What is usual for a system of a module by hand.
pub fn usual_shape(module: &str) -> Shape {
    Shape::of(kit(module).map_or(1, |kit| kit.usual_servers))
}

/// A fresh system of a module.
///
/// # Errors
/// If there is no such module, or no such system of it: what to write.
pub fn by_hand(module: &str, shape: &Shape) -> Result<Opened, String> {
    shape.check()?;
    match kit(module).and_then(|kit| kit.by_hand) {
        Some(by_hand) => by_hand(shape),
        None => {
            let with_system = KITS.iter().filter(|kit| kit.by_hand.is_some());
            let names: Vec<&str> = with_system.map(|kit| kit.module).collect();
            Err(format!("--module {module}: no such module; there are {}", names.join(", ")))
        }
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
    searches().into_iter().find(is_meant).ok_or_else(|| gone(header))
}

/// The scenario that a trace is of.
///
/// # Errors
/// If there is none.
pub fn scenario_of(header: &Header) -> Result<Scenario, String> {
    let is_meant = |one: &Scenario| (one.module, one.name) == (&*header.module, &*header.scenario);
    scenarios().into_iter().find(is_meant).ok_or_else(|| gone(header))
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
    let run = RunToShow { scenario, seed, reel: reel.ok_or_else(no_film)?, ending };
    let opened = KITS.iter().find_map(|kit| (kit.show_run)(&run));
    opened.unwrap_or_else(|| Err("the nodes of this run are of a kind that is not shown".to_owned()))
}

/// Adds the portraits of the nodes that are known.
fn dress(setup: &mut dyn Any) {
    KITS.iter().for_each(|kit| (kit.dress)(setup));
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
    let mut shape = usual_shape(module);
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
    let all = mutants();
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
