//! Paths: whole states rebuilt by taking the steps again; in causal order, and without what need not be there.

use crate::Checkable;
use crate::checker::Checker;
use crate::judge::{Docket, Judge};
use crate::report::{Finding, Subject};
use crate::settings::{Reductions, Settings, Until};
use crate::shared::NOTHING_SEEN;
use crate::state::State;
use crate::stim::{Choice, Stim};
use crate::system::Network;
use crate::worker::{NONE, Successor, Worker};

/// One step of a path, taken again.
pub(crate) struct Taken {
    pub(crate) stim: Stim,
    pub(crate) before: Vec<u32>,
    pub(crate) after: Vec<u32>,
    /// The place that took the step, if one did.
    pub(crate) place: Option<usize>,
    /// The envelopes that left.
    pub(crate) sends: Vec<u32>,
    /// Whether the observer was shown something.
    pub(crate) showed: bool,
    pub(crate) objection: Option<String>,
}

/// Everything may happen: what a stage forbids, a path from several stages may hold.
pub(crate) fn anything<N: Checkable>() -> Settings<N> {
    Settings { reductions: Reductions::none(), is_exact: true, ..Settings::default() }
}

impl<N: Checkable> Checker<N> {
    /// Takes one step, if it can be taken.
    pub(crate) fn follow(&self, worker: &mut Worker<'_, N>, state: &[u32], stim: Stim) -> Option<Taken> {
        if let Some(after) = self.edited(state, stim) {
            let before = state.to_vec();
            let sends = Vec::new();
            return Some(Taken { stim, before, after, place: None, sends, showed: false, objection: None });
        }
        let fingerprint = worker.fingerprint(state);
        let mut successors: Vec<Successor> = Vec::new();
        worker.successors(state, fingerprint, &mut successors);
        let next = *successors.iter().find(|next| next.stim == stim)?;
        let mut after = Vec::new();
        worker.build(state, &next, &mut after);
        let is_step = next.step != NONE;
        Some(Taken {
            stim,
            before: state.to_vec(),
            after,
            place: (next.place != NONE).then_some(next.place as usize),
            sends: if is_step {
                worker.sends(next.step).iter().map(|(id, _)| *id).collect()
            } else {
                Vec::new()
            },
            showed: is_step && worker.known[next.step as usize].seen != NOTHING_SEEN,
            objection: (next.objection != NONE)
                .then(|| worker.objections[next.objection as usize].to_string()),
        })
    }

    /// The state after an edit between stages; `None` if the step is none.
    fn edited(&self, state: &[u32], stim: Stim) -> Option<Vec<u32>> {
        let mut after = state.to_vec();
        let from = self.names().len() + 2;
        match stim.choice() {
            Choice::Drop { envelope } if self.network() == Network::Set => {
                let at = state[from..].iter().position(|other| *other == envelope)?;
                after.remove(from + at);
            }
            Choice::Undrop { envelope } => {
                let at = state[from..].partition_point(|other| *other < envelope);
                after.insert(from + at, envelope);
            }
            Choice::Drop { .. }
            | Choice::Deliver { .. }
            | Choice::Fire { .. }
            | Choice::Act { .. }
            | Choice::Cut { .. } => return None,
        }
        Some(after)
    }

    /// Takes the steps of a path from the first state on; those that cannot be taken are left out.
    pub(crate) fn take_again(&self, path: &[Stim]) -> Vec<Taken> {
        let settings = anything();
        let mut worker = Worker::new(&self.shared, &settings);
        let mut state = self.start().vector.to_vec();
        let mut taken = Vec::new();
        for stim in path {
            if let Some(step) = self.follow(&mut worker, &state, *stim) {
                state.clone_from(&step.after);
                taken.push(step);
            }
        }
        taken
    }

    /// The first violation or goal along a path, if there is one.
    pub(crate) fn find_along(&self, path: &[Stim], settings: &Settings<N>) -> Option<Finding> {
        let everything = Settings {
            invariants: settings.invariants.clone(),
            goals: settings.goals.clone(),
            until: Until::Settled,
            ..anything()
        };
        let mut worker = Worker::new(&self.shared, &everything);
        let mut judge = Judge::new(&worker);
        let docket = Docket::new(everything.invariants.len() + everything.goals.len(), Until::Settled);
        let mut state = self.start();
        let mut found = Vec::new();
        judge.judge(&mut worker, (&docket, 0), &state.vector, &mut found);
        for stim in path {
            if !found.is_empty() {
                break;
            }
            let Some(step) = self.follow(&mut worker, &state.vector, *stim) else { continue };
            if let Some(words) = &step.objection {
                judge.object((&docket, 0), words, &mut found);
            }
            state = state.extended(step.after, &[*stim]);
            judge.judge(&mut worker, (&docket, 0), &state.vector, &mut found);
        }
        let found = found.into_iter().next()?;
        Some(Finding { subject: found.subject, words: found.words, state })
    }

    /// The first violation or goal on the way to `state`, if there is one.
    pub fn found_on_the_way(&self, state: &State, settings: &Settings<N>) -> Option<Finding> {
        self.find_along(&state.path, settings)
    }

    /// A shorter path to the same kind of finding, if steps can be left out one or many at a time. What breadth-first
    /// found is as short as it gets.
    pub fn minimised(&self, finding: &Finding, settings: &Settings<N>) -> Finding {
        let same = |other: &Finding| match (&finding.subject, &other.subject) {
            (Subject::Step, Subject::Step) => true,
            (Subject::Invariant(a), Subject::Invariant(b)) | (Subject::Goal(a), Subject::Goal(b)) => a == b,
            // What never happens is no end of a path: it is left as it is.
            (Subject::Step | Subject::Invariant(_) | Subject::Goal(_) | Subject::Eventually(_), _) => false,
        };
        let mut best = finding.clone();
        let mut width = (best.state.path.len() / 2).max(1);
        loop {
            let mut is_shorter = false;
            let mut at = best.state.path.len();
            while at > 0 {
                let from = at.saturating_sub(width);
                let path: Vec<Stim> = best.state.path[..from]
                    .iter()
                    .chain(&best.state.path[at.min(best.state.path.len())..])
                    .copied()
                    .collect();
                if let Some(found) = self.find_along(&path, settings).filter(&same)
                    && found.state.path.len() < best.state.path.len()
                {
                    best = found;
                    is_shorter = true;
                }
                at = from.min(best.state.path.len());
            }
            match (is_shorter, width) {
                (false, 1) => return best,
                (false, _) => width /= 2,
                (true, _) => {}
            }
        }
    }

    /// The same steps, each as soon after its cause as may be: a message's delivery follows its sending where nothing
    /// else must come between. What each node sees, and in which order, is the same.
    pub fn in_causal_order(&self, state: &State) -> State {
        let taken = self.take_again(&state.path);
        let order = causal_order(&taken);
        let path: Vec<Stim> = order.iter().map(|at| taken[*at].stim).collect();
        let again = self.take_again(&path);
        let is_same = again.len() == taken.len()
            && again.last().map(|step| &step.after) == taken.last().map(|step| &step.after);
        if !is_same {
            return state.clone();
        }
        State { vector: state.vector.clone(), path: path.into(), dropped: state.dropped.clone() }
    }
}

/// Whether `later` must stay behind `earlier`.
fn depends(earlier: &Taken, later: &Taken) -> bool {
    let is_cause = match later.stim.choice() {
        Choice::Deliver { envelope, .. } | Choice::Drop { envelope } => earlier.sends.contains(&envelope),
        Choice::Fire { .. } | Choice::Undrop { .. } | Choice::Act { .. } | Choice::Cut { .. } => false,
    };
    let touches_all = |step: &Taken| match step.stim.choice() {
        Choice::Deliver { is_late, .. } | Choice::Fire { is_late, .. } => is_late,
        Choice::Drop { .. } | Choice::Undrop { .. } | Choice::Act { .. } | Choice::Cut { .. } => true,
    };
    is_cause
        || earlier.place == later.place
        || (earlier.showed && later.showed)
        || touches_all(earlier)
        || touches_all(later)
}

fn causal_order(taken: &[Taken]) -> Vec<usize> {
    let mut causes: Vec<Vec<usize>> = (0..taken.len())
        .map(|at| (0..at).filter(|before| depends(&taken[*before], &taken[at])).collect())
        .collect();
    let mut order: Vec<usize> = Vec::new();
    while order.len() < taken.len() {
        let is_ready = |at: &usize| !order.contains(at) && causes[*at].is_empty();
        let ready: Vec<usize> = (0..taken.len()).filter(is_ready).collect();
        let follows =
            |at: &&usize| order.last().is_some_and(|last| delivers_from(&taken[*last], &taken[**at]));
        let next = *ready.iter().find(follows).or(ready.first()).expect("causes come before effects");
        order.push(next);
        for waiting in &mut causes {
            waiting.retain(|cause| *cause != next);
        }
    }
    order
}

fn delivers_from(last: &Taken, next: &Taken) -> bool {
    match next.stim.choice() {
        Choice::Deliver { envelope, .. } => last.sends.contains(&envelope),
        Choice::Fire { .. }
        | Choice::Drop { .. }
        | Choice::Undrop { .. }
        | Choice::Act { .. }
        | Choice::Cut { .. } => false,
    }
}
