//! Fewer steps to the same violation: leave some out, and see whether what is left still leads there.

use crate::Shown;
use crate::replay::Reading;
use crate::setup::Errand;
use crate::stage::Stage;
use std::sync::atomic::Ordering;
use synod_world::TraceEvent;

/// The lines that are enough for a violation of this name; none if not even all of them are.
///
/// Larger pieces are left out first, then smaller ones, down to single steps (Zeller and Hildebrandt, "Simplifying and
/// isolating failure-inducing input", 2002). What cannot happen any more goes with what was left out.
pub(crate) fn minimise<N: Shown>(
    lines: &[TraceEvent],
    mut reading: Reading<N>,
    name: &str,
    errand: &Errand,
) -> Option<Vec<TraceEvent>> {
    let mut kept = still_fails(lines.to_vec(), &mut reading, name)?;
    let mut piece = kept.len().div_ceil(2);
    loop {
        let mut at = 0;
        let mut is_shorter = false;
        while at < kept.len() {
            if errand.is_cancelled.load(Ordering::Relaxed) {
                return Some(kept);
            }
            errand.done.fetch_add(1, Ordering::Relaxed);
            // From the end: what comes last is needed the least often by others.
            let end = kept.len() - at;
            let begin = end.saturating_sub(piece);
            let candidate: Vec<TraceEvent> = kept[..begin].iter().chain(&kept[end..]).cloned().collect();
            match still_fails(candidate, &mut reading, name) {
                Some(fewer) => {
                    kept = fewer;
                    is_shorter = true;
                }
                None => at += piece,
            }
        }
        if piece == 1 && !is_shorter {
            return Some(kept);
        }
        piece = if piece == 1 { 1 } else { piece.div_ceil(2) };
    }
}

/// The lines that were possible, up to the violation; none if there is no such violation.
fn still_fails<N: Shown>(
    lines: Vec<TraceEvent>,
    reading: &mut Reading<N>,
    name: &str,
) -> Option<Vec<TraceEvent>> {
    let setup = reading.begin();
    let mut stage = Stage::new(&setup);
    let mut done = Vec::new();
    for line in lines {
        let Ok(steps) = reading.steps(&stage, &line) else { continue };
        let before = stage.clone();
        let mut is_done = true;
        for step in steps {
            let Ok(taken) = stage.take(&setup, step, 0) else {
                is_done = false;
                break;
            };
            if let Some((violated, _)) = taken.violation.or_else(|| setup.objection(&stage)) {
                done.push(line);
                return (violated == name).then_some(done);
            }
        }
        if is_done {
            done.push(line);
        } else {
            stage = before;
        }
    }
    None
}
