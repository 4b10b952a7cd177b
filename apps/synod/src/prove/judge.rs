//! The judge: turns the pages of all records, judges each page when it is closed and again when later faults have passed, all
//! while the run goes on.

use super::clients::{Shared, read_page};
use super::record::{Count, Record};
use super::workloads::Workload;
use std::thread::sleep;
use std::time::{Duration, Instant};
use synod_stdx::Rng;

/// How long the keys of a page are in use.
const PAGE: Duration = Duration::from_secs(4);
/// How often the judge looks for pages.
const LOOK: Duration = Duration::from_millis(200);
/// How long the last reads may take, on nodes that all take part.
const LAST_READS_MAX: Duration = Duration::from_secs(30);

/// What a judge can judge.
pub(super) trait Judged: Sync {
    /// What reports call it.
    fn name(&self) -> &'static str;
    /// From now on other keys are used.
    fn turn(&self);
    /// Judges what can be judged now. `is_last`: everything can, since all clients have ended. False if something is left.
    fn judge_due(&self, shared: &Shared, rng: &mut Rng, is_last: bool) -> bool;
    /// How much was judged.
    fn counted(&self) -> Count;
    /// How many parts of the history were not judged for the last time.
    fn pages_left(&self) -> usize;
}

impl<W: Workload> Judged for Record<W> {
    fn name(&self) -> &'static str {
        W::NAME
    }

    fn turn(&self) {
        self.turn_page();
    }

    fn judge_due(&self, shared: &Shared, rng: &mut Rng, is_last: bool) -> bool {
        let (unjudged, old) = self.due(is_last);
        if !is_last {
            unjudged.into_iter().for_each(|page| self.judge(page, false, &shared.findings));
        }
        let mut is_all = true;
        for page in old {
            if read_page(shared, self, page, rng) {
                self.judge(page, true, &shared.findings);
            } else {
                // Some node is away: another time.
                is_all = false;
                if !is_last {
                    break;
                }
            }
        }
        is_all
    }

    fn counted(&self) -> Count {
        self.count()
    }

    fn pages_left(&self) -> usize {
        self.left()
    }
}

/// Judges until the run is done.
pub(super) fn judge_while_running(shared: &Shared, all: &[&dyn Judged], mut rng: Rng) {
    let mut turned = Instant::now();
    while !shared.is_done() {
        sleep(LOOK);
        if turned.elapsed() >= PAGE {
            turned = Instant::now();
            all.iter().for_each(|one| one.turn());
        }
        for one in all {
            one.judge_due(shared, &mut rng, false);
        }
    }
}

/// Reads every key that is still known, and judges everything for the last time. All clients have ended.
pub(super) fn judge_the_rest(shared: &Shared, all: &[&dyn Judged], mut rng: Rng) {
    let deadline = Instant::now() + LAST_READS_MAX;
    loop {
        let mut is_all = true;
        for one in all {
            is_all &= one.judge_due(shared, &mut rng, true);
        }
        if is_all || Instant::now() > deadline || shared.findings.has_violation() {
            return;
        }
        sleep(LOOK);
    }
}
