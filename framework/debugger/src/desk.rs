//! What can be asked of a session, whatever its nodes are.

use crate::Shown;
use crate::act::Act;
use crate::columns::{KINDS, to_bytes};
use crate::job::{self, Job, Wish};
use crate::predicate::{Misread, Predicate};
use crate::session::{BEGINNING, Session};
use crate::setup::Setup;
use crate::watch::Watch;
use crate::words::cut;
use crate::{export, share};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use synod_world::Trace;

/// A question or a wish of the page: see `PROTOCOL.md`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
#[expect(missing_docs, reason = "PROTOCOL.md tells each, as the page sends it")]
pub enum Ask {
    Session,
    Columns {
        from: u32,
    },
    Moment {
        m: u32,
        base: Option<u32>,
    },
    Tree {
        m: u32,
        node: String,
        base: Option<u32>,
    },
    Why {
        m: u32,
        node: String,
        path: String,
    },
    Act {
        at: u32,
        act: Act,
        #[serde(default)]
        quick: bool,
    },
    Random {
        at: u32,
        steps: u64,
        seed: u64,
    },
    Start(Wish),
    Job {
        id: usize,
    },
    Cancel {
        job: usize,
    },
    Predicate {
        predicate: String,
        at: u32,
    },
    Compare {
        a: u32,
        b: u32,
    },
    Head {
        moment: u32,
    },
    Name {
        moment: u32,
        name: String,
    },
    Titles {
        moments: Vec<u32>,
    },
    Find {
        q: String,
        limit: usize,
    },
    Save {
        m: u32,
    },
    Load {
        trace: String,
    },
    Share {
        m: u32,
    },
    Export {
        m: u32,
    },
}

/// What the page is answered.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// A value.
    Json(Value),
    /// Columns.
    Bytes(Vec<u8>),
    /// A file: its name, its media type, what is in it.
    File(String, &'static str, String),
}

/// Why there is no answer, in words that say what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The words.
    pub words: String,
    /// Which character of what was asked is meant, from 0.
    pub column: Option<usize>,
}

impl From<String> for Refusal {
    fn from(words: String) -> Self {
        Refusal { words, column: None }
    }
}

impl From<Misread> for Refusal {
    fn from(misread: Misread) -> Self {
        Refusal { words: misread.words, column: Some(misread.column) }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// A session that answers.
pub trait Desk: Send + Sync {
    /// Answers.
    ///
    /// # Errors
    /// Why it cannot.
    fn ask(&self, ask: Ask) -> Result<Answer, Refusal>;
}

/// The session that begins with what `setup` says has happened.
///
/// # Errors
/// If that cannot have happened: at which step, and why.
pub fn open<N: Shown>(setup: Setup<N>) -> Result<Arc<dyn Desk>, String> {
    let session = Arc::new(Mutex::new(Session::open(setup)?));
    Ok(Arc::new(Table { session, jobs: Mutex::new(Vec::new()) }))
}

struct Table<N: Shown> {
    session: Arc<Mutex<Session<N>>>,
    /// By number, from 1.
    jobs: Mutex<Vec<Arc<Job>>>,
}

/// At most so many titles are told at a time.
const TITLES_MAX: usize = 2_000;
/// So many violations are listed: whoever comes after one is often one too.
const VIOLATIONS_MAX: usize = 1_000;
/// At most so many random steps are taken at a time.
const STEPS_MAX: u64 = 100_000;

impl<N: Shown> Desk for Table<N> {
    fn ask(&self, ask: Ask) -> Result<Answer, Refusal> {
        match ask {
            Ask::Start(wish) => {
                let job = job::start(&self.session, wish)?;
                let mut jobs = locked(&self.jobs);
                jobs.push(job);
                Ok(Answer::Json(json!({"job": jobs.len()})))
            }
            Ask::Job { id } => Ok(Answer::Json(json!(self.job(id)?.told()))),
            Ask::Cancel { job } => {
                self.job(job)?.errand.is_cancelled.store(true, Ordering::Relaxed);
                Ok(Answer::Json(json!({})))
            }
            ask => answer(&mut locked(&self.session), ask),
        }
    }
}

impl<N: Shown> Table<N> {
    fn job(&self, number: usize) -> Result<Arc<Job>, Refusal> {
        let jobs = locked(&self.jobs);
        let job = number.checked_sub(1).and_then(|at| jobs.get(at)).cloned();
        job.ok_or_else(|| Refusal::from(format!("there is no job {number}")))
    }
}

fn answer<N: Shown>(session: &mut Session<N>, ask: Ask) -> Result<Answer, Refusal> {
    let value = match ask {
        Ask::Session => session.info(),
        Ask::Columns { from } => return Ok(Answer::Bytes(session.columns(from))),
        Ask::Moment { m, base } => {
            let base = base.map(|base| session.known(base)).transpose()?;
            let moment = session.known(m)?;
            session.show(moment, base)
        }
        Ask::Tree { m, node, base } => {
            let base = base.map(|base| session.known(base)).transpose()?;
            let moment = session.known(m)?;
            session.tree(moment, &node, base)?
        }
        Ask::Why { m, node, path } => {
            let moment = session.known(m)?;
            session.why(moment, &node, &path)?
        }
        Ask::Predicate { predicate, at } => {
            let predicate = Predicate::read(&predicate)?;
            let at = session.known(at)?;
            let holds = predicate.holds(&Watch::default().sight(session.peek(at), &predicate));
            json!({ "holds": holds })
        }
        Ask::Compare { a, b } => {
            let (a, b) = (session.known(a)?, session.known(b)?);
            session.compare(a, b)
        }
        Ask::Titles { moments } => {
            if moments.len() > TITLES_MAX {
                return Err(Refusal::from(format!("at most {TITLES_MAX} titles are told at a time")));
            }
            moments.iter().try_for_each(|moment| session.known(*moment).map(|_| ()))?;
            json!({"titles": session.titles(&moments).iter().map(|title| cut(title)).collect::<Vec<_>>()})
        }
        Ask::Find { q, limit } => {
            let (moments, is_all) = session.find(&q, limit);
            json!({"moments": moments, "is_all": is_all})
        }
        Ask::Save { m } => {
            let moment = session.known(m)?;
            return Ok(share::file(session, moment));
        }
        Ask::Share { m } => {
            let moment = session.known(m)?;
            share::share(session, moment)
        }
        Ask::Export { m } => {
            let moment = session.known(m)?;
            return export::file(session, moment).map_err(Refusal::from);
        }
        Ask::Act { .. } | Ask::Random { .. } | Ask::Load { .. } | Ask::Head { .. } | Ask::Name { .. } => {
            change(session, ask)?
        }
        Ask::Start(_) | Ask::Job { .. } | Ask::Cancel { .. } => unreachable!("these need no session"),
    };
    Ok(Answer::Json(value))
}

/// What makes new moments, or calls one something.
fn change<N: Shown>(session: &mut Session<N>, ask: Ask) -> Result<Value, Refusal> {
    Ok(match ask {
        Ask::Act { at, act, quick } => {
            let at = session.known(at)?;
            let moment = session.act(at, &act, quick)?;
            session.grown(moment)
        }
        Ask::Random { at, steps, seed } => {
            let at = session.known(at)?;
            let moment = session.random(at, steps.min(STEPS_MAX), seed)?;
            session.grown(moment)
        }
        Ask::Load { trace } => {
            let trace = Trace::from_text(&trace).map_err(|error| format!("this is no trace: {error}"))?;
            let moment = session.replay(0, &trace.events)?;
            session.grown(moment)
        }
        Ask::Head { moment } => {
            session.head = session.known(moment)?;
            json!({})
        }
        Ask::Name { moment, name } => {
            let moment = session.known(moment)?;
            session.name(moment, &name);
            json!({})
        }
        _ => unreachable!("the others change nothing"),
    })
}

impl<N: Shown> Session<N> {
    fn grown(&self, moment: u32) -> Value {
        json!({"moment": moment, "moments": self.moments.len()})
    }

    pub(crate) fn info(&self) -> Value {
        let setup = &self.setup;
        let nodes = self.nodes.iter().map(|id| json!({"name": id.to_string(), "is_client": id.is_client()}));
        let names =
            |claims: &[crate::Claim<N>]| claims.iter().map(|claim| claim.name.clone()).collect::<Vec<_>>();
        let violations = self
            .violations
            .iter()
            .take(VIOLATIONS_MAX)
            .map(|(moment, (name, words))| json!({"moment": moment, "name": name, "words": cut(words)}));
        let branches = self.leaves.iter().map(|leaf| {
            let label = self.labels.get(leaf);
            let name = label.cloned().unwrap_or_else(|| format!("to {leaf}"));
            let violated = self.first_violation(*leaf).and_then(|moment| self.violations.get(&moment));
            json!({
                "leaf": leaf, "name": name, "is_named": label.is_some(),
                "violation": violated.map(|(name, _)| name),
            })
        });
        json!({
            "title": setup.title,
            "command": setup.command,
            "remarks": self.remarks,
            "nodes": nodes.collect::<Vec<_>>(),
            "kinds": KINDS,
            "names": self.names.list(),
            "terms": self.terms.list(),
            "invariants": names(&setup.invariants),
            "goals": names(&setup.goals),
            "branches": branches.collect::<Vec<_>>(),
            "violations": violations.collect::<Vec<_>>(),
            "moments": self.moments.len(),
            "head": self.head,
            "request_help": setup.reader.as_ref().map(|(help, _)| help),
            "can_search": setup.seeker.is_some(),
        })
    }

    pub(crate) fn columns(&self, from: u32) -> Vec<u8> {
        let from = (from as usize).min(self.rows.len());
        to_bytes(&self.rows[from..], from as u32)
    }

    fn name(&mut self, moment: u32, name: &str) {
        let mut leaf = moment;
        while let Some(last) = self.children.get(&leaf).and_then(|children| children.last()) {
            leaf = *last;
        }
        if name.trim().is_empty() {
            self.labels.remove(&leaf);
        } else {
            self.labels.insert(leaf, name.trim().to_owned());
        }
    }

    /// One line about each of these moments.
    pub(crate) fn titles(&mut self, moments: &[u32]) -> Vec<String> {
        let mut titles = Vec::with_capacity(moments.len());
        self.each_title(moments, |_, title| titles.push(title));
        titles
    }

    /// The first moments whose title contains a text, whatever its case, and whether that is all of them.
    fn find(&mut self, text: &str, limit: usize) -> (Vec<u32>, bool) {
        let wanted = text.to_lowercase();
        let mut moments = Vec::new();
        let mut seen = 0;
        let all: Vec<u32> = (1..self.moments.len() as u32).collect();
        self.each_title(&all, |moment, title| {
            let is_meant = title.to_lowercase().contains(&wanted);
            seen += usize::from(is_meant);
            if is_meant && moments.len() < limit {
                moments.push(moment);
            }
        });
        (moments, seen <= limit)
    }

    /// Calls `see` with each of these moments and its title. Moments that follow one another are gone through together.
    fn each_title(&mut self, moments: &[u32], mut see: impl FnMut(u32, String)) {
        let is_next = |one: &u32, next: &u32| self.moments[*next as usize].parent == *one;
        let runs: Vec<&[u32]> = moments.chunk_by(is_next).collect();
        for run in runs {
            if run[0] == 0 {
                see(0, BEGINNING.to_owned());
            }
            self.walk(run, |session, before, moment| {
                let line = session.line(before, moment);
                see(moment, line.map_or_else(String::new, |line| crate::words::title(&line)));
            });
        }
    }
}

/// What a lock guards, also after a panic of who had it: a session is changed only by whole steps, and a job by whole words.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
