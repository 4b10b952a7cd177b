//! What takes long, beside the session: random runs until something holds, searches, smaller branches.

use crate::Shown;
use crate::desk::locked;
use crate::minimise::minimise;
use crate::predicate::Predicate;
use crate::random::choose;
use crate::session::Session;
use crate::setup::{Errand, Sought};
use crate::watch::Watch;
use serde::{Deserialize, Serialize};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use synod_stdx::Rng;
use synod_world::Step;

/// What the page wants done.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Wish {
    /// Random steps until a predicate holds.
    RunUntil {
        /// From this moment on.
        at: u32,
        /// What is to hold.
        predicate: String,
        /// The dice.
        #[serde(default)]
        seed: u64,
        /// At most so many.
        steps_max: Option<u64>,
    },
    /// The nearest moment at which a predicate holds.
    Search {
        /// From this moment on.
        at: u32,
        /// What is to hold.
        predicate: String,
        /// At most so many are seen.
        states_max: Option<u64>,
        /// So many servers may crash, and start again.
        #[serde(default)]
        crashes: u8,
        /// So many messages may be lost.
        #[serde(default)]
        losses: u16,
    },
    /// A shorter branch with the same violation.
    Minimise {
        /// The moment that is violated.
        at: u32,
    },
}

/// So many random steps are taken where nothing else is said.
const STEPS_MAX: u64 = 100_000;
/// So many states are seen where nothing else is said.
const STATES_MAX: u64 = 1_000_000;

/// How far a job is, as the page is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Told {
    state: &'static str,
    done: u64,
    words: String,
    moment: Option<u32>,
}

/// Something that is being done.
pub(crate) struct Job {
    pub(crate) errand: Errand,
    end: Mutex<Option<Told>>,
}

/// How a job ended: in which state, in which words, and at which moment.
type End = Result<(&'static str, String, Option<u32>), String>;

impl Job {
    pub(crate) fn told(&self) -> Told {
        let end = locked(&self.end).clone();
        let depth = self.errand.depth.load(Ordering::Relaxed);
        let words = if depth > 0 { format!("{depth} steps deep") } else { String::new() };
        let running = Told { state: "running", done: self.done(), words, moment: None };
        end.map_or(running, |end| Told { done: self.done(), ..end })
    }

    fn done(&self) -> u64 {
        self.errand.done.load(Ordering::Relaxed)
    }

    fn is_cancelled(&self) -> bool {
        self.errand.is_cancelled.load(Ordering::Relaxed)
    }

    fn finish(&self, end: End) {
        let (state, words, moment) = match end {
            Ok(end) => end,
            Err(words) => ("failed", words, None),
        };
        let told = Told { state, done: self.done(), words, moment };
        *locked(&self.end) = Some(told);
    }
}

/// Begins what is wished, on a thread of its own.
///
/// # Errors
/// Why it cannot be done.
pub(crate) fn start<N: Shown>(
    session: &Arc<Mutex<Session<N>>>,
    wish: Wish,
) -> Result<Arc<Job>, crate::Refusal> {
    let errand = match &wish {
        Wish::Search { states_max, crashes, losses, .. } => Errand {
            states_max: states_max.unwrap_or(STATES_MAX),
            crashes: *crashes,
            losses: *losses,
            ..Errand::default()
        },
        Wish::RunUntil { .. } | Wish::Minimise { .. } => Errand::default(),
    };
    let predicate = match &wish {
        Wish::RunUntil { predicate, .. } | Wish::Search { predicate, .. } => {
            Some(Predicate::read(predicate)?)
        }
        Wish::Minimise { .. } => None,
    };
    let at = match &wish {
        Wish::RunUntil { at, .. } | Wish::Search { at, .. } | Wish::Minimise { at } => *at,
    };
    locked(session).known(at)?;
    let job = Arc::new(Job { errand, end: Mutex::new(None) });
    let (session, doing) = (Arc::clone(session), Arc::clone(&job));
    let work = move || {
        let end = match (wish, predicate) {
            (Wish::RunUntil { at, seed, steps_max, .. }, Some(predicate)) => {
                run_until(&session, &doing, (at, seed, steps_max.unwrap_or(STEPS_MAX)), &predicate)
            }
            (Wish::Search { at, .. }, Some(predicate)) => search(&session, &doing, at, &predicate),
            (Wish::Minimise { at }, _) => smaller(&session, &doing, at),
            (_, None) => Err("there is no predicate".to_owned()),
        };
        doing.finish(end);
    };
    let spawned = std::thread::Builder::new().name("job".to_owned()).spawn(work);
    spawned.map(|_| job).map_err(|error| crate::Refusal::from(format!("no thread could be started: {error}")))
}

fn run_until<N: Shown>(
    session: &Mutex<Session<N>>,
    job: &Job,
    (at, seed, steps_max): (u32, u64, u64),
    predicate: &Predicate,
) -> End {
    let (mut stage, setup, first) = {
        let mut session = locked(session);
        let first = session.moments.len() as u32;
        ((*session.stage(at)).clone(), Arc::clone(&session.setup), first)
    };
    let mut rng = Rng::new(seed);
    let mut steps: Vec<Step<N>> = Vec::new();
    let mut watch = Watch::default();
    let words = loop {
        if job.is_cancelled() {
            return Ok(("cancelled", format!("after {} steps", steps.len()), None));
        }
        if steps.len() as u64 >= steps_max {
            return Ok((
                "not_found",
                format!("it did not come true in {steps_max} random steps; try another seed"),
                None,
            ));
        }
        let Some(step) = choose(&stage, &setup, &mut rng) else {
            return Ok(("not_found", format!("after {} steps nothing more can happen", steps.len()), None));
        };
        let taken = stage.take(&setup, step.clone(), first + steps.len() as u32)?;
        steps.push(step);
        job.errand.done.store(steps.len() as u64, Ordering::Relaxed);
        if let Some((name, words)) = taken.violation.or_else(|| setup.objection(&stage)) {
            break format!("violated after {} steps: {name}: {words}", steps.len());
        }
        if predicate.holds(&watch.sight(&stage, predicate)) {
            break format!("after {} steps", steps.len());
        }
    };
    let mut session = locked(session);
    let (mut moment, at_us) = (at, session.rows[at as usize].at_us);
    for step in steps {
        moment = session.add(moment, step, at_us)?;
    }
    Ok(("found", words, Some(moment)))
}

fn search<N: Shown>(session: &Mutex<Session<N>>, job: &Job, at: u32, predicate: &Predicate) -> End {
    let (stage, seeker) = {
        let mut session = locked(session);
        (session.stage(at), session.setup.seeker.clone())
    };
    let seeker = seeker.ok_or("there is no checker for what is opened here")?;
    match seeker.seek(&stage, predicate, &job.errand)? {
        Sought::Found(lines, words) => {
            let mut session = locked(session);
            let moment = session.replay(at, &lines)?;
            Ok(("found", words, Some(moment)))
        }
        Sought::Nowhere(words) => Ok(("not_found", words, None)),
        Sought::Unknown(words) if job.is_cancelled() => Ok(("cancelled", words, None)),
        Sought::Unknown(words) => Ok(("not_found", words, None)),
    }
}

fn smaller<N: Shown>(session: &Mutex<Session<N>>, job: &Job, at: u32) -> End {
    let (lines, reading, violation) = {
        let mut session = locked(session);
        let violation = session.violations.get(&at).cloned();
        let violation = violation.ok_or("nothing is violated here: go to a moment with a violation first")?;
        (session.lines(at), session.reading(), violation)
    };
    let Some(kept) = minimise(&lines, reading, &violation.0, &job.errand) else {
        return Err(format!(
            "`{}` is not found again by these steps alone, so none can be left out",
            violation.0
        ));
    };
    if job.is_cancelled() {
        return Ok(("cancelled", String::new(), None));
    }
    let mut session = locked(session);
    let moment = session.replay(0, &kept)?;
    let (before, after) = (lines.len(), kept.len());
    session.labels.insert(moment, format!("minimised: {after} steps of {before}"));
    Ok((
        "found",
        format!("{after} of {before} steps are enough: {} were left out", before - after),
        Some(moment),
    ))
}
