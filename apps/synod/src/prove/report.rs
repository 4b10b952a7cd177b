//! What came of a run: the verdict, what was tried, what was judged; in words and as JSON.

use super::bounds::{BOUNDS, Bounds, Most};
use super::clients::Shared;
use super::faults::Tried;
use super::findings::Finding;
use super::judge::Judged;
use super::meter::Second;
use super::plan::{Kind, Step};
use super::redis::OfRedis;
use crate::cli::Prove;
use crate::interrupt;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

/// What a run showed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// Nothing was otherwise than promised, and everything was judged.
    Held,
    /// Something was.
    Violated,
    /// Something could not be judged, or was not done.
    NotShown,
}

/// What of one workload was judged.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Judgement {
    pub(super) workload: &'static str,
    pub(super) operations: usize,
    pub(super) histories: usize,
    /// Operations that certainly did not happen.
    pub(super) refused: usize,
    /// Operations of which nobody knows whether they happened.
    pub(super) unknown: usize,
}

/// What came of one kind of fault.
#[derive(Clone, Debug, Serialize)]
pub(super) struct OfKind {
    pub(super) kind: &'static str,
    /// How often it was carried out.
    pub(super) times: usize,
    /// The longest time in which some part of the slots acknowledged nothing.
    pub(super) gap_us: u64,
    /// The longest time from a heal until all was served.
    pub(super) served_after_us: u64,
    /// Why it was not carried out, if it never was.
    pub(super) not_done: Option<String>,
}

/// Everything that a report says.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    /// Why it is not *held*.
    pub(super) reasons: Vec<String>,
    pub(super) seed: u64,
    pub(super) nodes: u16,
    pub(super) ran_us: u64,
    /// Whether it was judged how soon the nodes served again.
    pub(super) is_timed: bool,
    /// The command that draws the same faults again.
    pub(super) command: String,
    pub(super) judgements: Vec<Judgement>,
    pub(super) kinds: Vec<OfKind>,
    pub(super) faults: Vec<Tried>,
    pub(super) findings: Vec<Finding>,
    pub(super) most: Most,
    pub(super) bounds: Most,
    pub(super) seconds: Vec<Second>,
    /// Opens the recordings of the nodes in the debugger, after a violation.
    pub(super) debugger: Option<String>,
    /// What came of the same faults on a Redis Cluster, if somebody asked.
    pub(super) redis: Option<OfRedis>,
}

impl Outcome {
    pub(super) fn of(
        arguments: &Prove,
        (kinds, steps): (&[Kind], &[Step]),
        faults: Vec<Tried>,
        (shared, judged, bounds): (&Shared, &[&dyn Judged], &Bounds),
        data: &Path,
    ) -> Outcome {
        let judgement = |one: &&dyn Judged| {
            let count = one.counted();
            Judgement {
                workload: one.name(),
                operations: count.judged,
                histories: count.pages,
                refused: count.failed,
                unknown: count.unknown,
            }
        };
        let findings = shared.findings.all();
        let kinds: Vec<OfKind> = kinds.iter().map(|kind| of_kind(*kind, steps, &faults)).collect();
        let mut reasons: Vec<String> = Vec::new();
        for one in judged {
            match (one.pages_left(), one.counted().judged) {
                (0, 0) => reasons.push(format!("nothing of the {} was judged", one.name())),
                (0, _) => {}
                (left, _) => reasons
                    .push(format!("{left} histories of the {} were not judged to their end", one.name())),
            }
        }
        reasons.extend(findings.iter().filter(|f| !f.is_violation).map(|f| format!("{}: {}", f.by, f.text)));
        let is_named = !arguments.faults.iter().any(|name| name == "all");
        let missed = |kind: &OfKind| {
            let asked = is_named || steps.iter().any(|step| step.kind.name() == kind.kind);
            let why = kind.not_done.as_ref().filter(|_| asked)?;
            // Without what this machine lacks a run shows what it shows; that is said.
            (!why.starts_with(LEFT_OUT) || is_named).then(|| format!("{}: {why}", kind.kind))
        };
        reasons.extend(kinds.iter().filter_map(missed));
        if interrupt::is_wanted() {
            reasons.push("the run was interrupted".to_owned());
        }
        let is_violated = findings.iter().any(|finding| finding.is_violation);
        let verdict = match (is_violated, reasons.is_empty()) {
            (true, _) => Verdict::Violated,
            (false, true) => Verdict::Held,
            (false, false) => Verdict::NotShown,
        };
        // What a build did is gone through by the same build.
        let program =
            arguments.program.as_ref().map_or("synod".to_owned(), |path| path.display().to_string());
        let recordings = format!("{program} debug {}/node*/flight.rec", data.display());
        Outcome {
            verdict,
            reasons,
            seed: arguments.seed,
            nodes: arguments.nodes,
            ran_us: shared.now_us(),
            is_timed: shared.is_timed,
            command: command(arguments),
            judgements: judged.iter().map(judgement).collect(),
            kinds,
            faults,
            findings,
            most: bounds.most,
            bounds: BOUNDS,
            seconds: shared.meter.seconds(),
            debugger: (is_violated && !arguments.no_record).then_some(recordings),
            redis: None,
        }
    }
}

/// The command that draws the same faults again.
fn command(arguments: &Prove) -> String {
    let names = arguments.faults.join(",");
    let mut command = format!(
        "synod prove --minutes {} --seed {} --nodes {} --faults {names}",
        arguments.minutes, arguments.seed, arguments.nodes
    );
    if let Some(program) = &arguments.program {
        let _ = write!(command, " --program {}", program.display());
    }
    if arguments.untimed {
        command.push_str(" --untimed");
    }
    command
}

/// How the reason begins of what this machine does not have.
const LEFT_OUT: &str = "left out: ";

fn of_kind(kind: Kind, steps: &[Step], faults: &[Tried]) -> OfKind {
    let all = faults.iter().filter(|tried| tried.kind == kind.name());
    let done: Vec<&Tried> = all.clone().filter(|tried| tried.is_done).collect();
    let left_out = all.clone().find_map(|tried| tried.left_out.as_ref());
    let is_planned = steps.iter().any(|step| step.kind == kind);
    let not_done = match (done.is_empty(), left_out) {
        (false, _) => None,
        (true, Some(why)) => Some(format!("{LEFT_OUT}{why}")),
        (true, None) if is_planned => Some("the run did not come to it".to_owned()),
        (true, None) => Some("the run is too short for it".to_owned()),
    };
    OfKind {
        kind: kind.name(),
        times: done.len(),
        gap_us: done.iter().map(|tried| tried.gap_us).max().unwrap_or(0),
        served_after_us: done.iter().map(|tried| tried.served_after_us).max().unwrap_or(0),
        not_done,
    }
}

/// Tells of one fault, when it is over.
pub(super) fn tell_fault(tried: &Tried) {
    let seconds = |us: u64| us as f64 / 1e6;
    let told = match &tried.left_out {
        Some(why) => format!("{:>7.2} s  {:<18} left out: {why}", seconds(tried.planned_us), tried.kind),
        None if !tried.is_done => {
            format!("{:>7.2} s  {:<18} {}; the run ends", seconds(tried.began_us), tried.kind, tried.what)
        }
        None => format!(
            "{:>7.2} s  {:<18} {}; longest gap {} ms, service {} ms after the heal",
            seconds(tried.began_us),
            tried.kind,
            tried.what,
            tried.gap_us / 1_000,
            tried.served_after_us / 1_000
        ),
    };
    // Nobody may be reading.
    let _ = writeln!(io::stdout(), "{told}");
}

/// Tells everything.
pub(super) fn tell(outcome: &Outcome, page: &Path, is_json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if is_json {
        return writeln!(out, "{}", serde_json::to_string(outcome)?);
    }
    writeln!(out)?;
    writeln!(
        out,
        "{:<22} {:>10} {:>10} {:>8} {:>8}",
        "history", "operations", "histories", "refused", "unknown"
    )?;
    for Judgement { workload, operations, histories, refused, unknown } in &outcome.judgements {
        writeln!(out, "{workload:<22} {operations:>10} {histories:>10} {refused:>8} {unknown:>8}")?;
    }
    writeln!(out)?;
    writeln!(out, "{:<18} {:>5} {:>16} {:>20}", "fault", "times", "longest gap, ms", "served after, ms")?;
    for kind in &outcome.kinds {
        match &kind.not_done {
            None => writeln!(
                out,
                "{:<18} {:>5} {:>16} {:>20}",
                kind.kind,
                kind.times,
                kind.gap_us / 1_000,
                kind.served_after_us / 1_000
            )?,
            Some(why) => writeln!(out, "{:<18} {:>5}   {why}", kind.kind, 0)?,
        }
    }
    writeln!(out)?;
    let (most, bounds) = (outcome.most, outcome.bounds);
    writeln!(
        out,
        "no node took more than {} MiB of disk (bound {}), {} MiB of memory (bound {}), {} descriptors (bound {})",
        most.disk_bytes >> 20,
        bounds.disk_bytes >> 20,
        most.memory_bytes >> 20,
        bounds.memory_bytes >> 20,
        most.descriptors,
        bounds.descriptors
    )?;
    if let Some(redis) = &outcome.redis {
        tell_redis(redis, &mut out)?;
    }
    writeln!(out, "the page: {}", page.display())?;
    tell_verdict(outcome, &mut out)
}

fn tell_redis(redis: &OfRedis, out: &mut impl io::Write) -> io::Result<()> {
    let OfRedis { version, operations, histories, violated, .. } = redis;
    writeln!(out, "\n{version}, a cluster of six with appendfsync always, under the same seed:")?;
    writeln!(out, "  {}", redis.faults.join("\n  "))?;
    writeln!(out, "  left out: {}", redis.left_out.join(", "))?;
    match &redis.first {
        None if redis.held => writeln!(out, "  {operations} operations are linearizable")?,
        None => writeln!(out, "  nothing is shown: not all histories could be judged")?,
        Some(first) => writeln!(
            out,
            "  {violated} histories are not linearizable, {histories} are; the first of them:\n{first}"
        )?,
    }
    writeln!(out)
}

fn tell_verdict(outcome: &Outcome, out: &mut impl io::Write) -> io::Result<()> {
    for finding in outcome.findings.iter().filter(|finding| finding.is_violation) {
        writeln!(
            out,
            "\nVIOLATED, found by {} at {:.2} s:\n{}",
            finding.by,
            finding.at_us as f64 / 1e6,
            finding.text
        )?;
    }
    if let Some(debugger) = &outcome.debugger {
        writeln!(out, "\nthe nodes' recordings: {debugger}")?;
    }
    let is_shown = outcome.verdict != Verdict::NotShown;
    for reason in outcome.reasons.iter().filter(|_| !is_shown) {
        writeln!(out, "not shown: {reason}")?;
    }
    writeln!(out)?;
    match outcome.verdict {
        Verdict::Held => {
            let operations: usize = outcome.judgements.iter().map(|judgement| judgement.operations).sum();
            let faults = outcome.faults.iter().filter(|tried| tried.is_done).count();
            writeln!(
                out,
                "HELD: {operations} operations in {:.0} s under {faults} faults, seed {}",
                outcome.ran_us as f64 / 1e6,
                outcome.seed
            )
        }
        Verdict::Violated => writeln!(out, "VIOLATED; the same faults again: {}", outcome.command),
        Verdict::NotShown => writeln!(out, "NOT SHOWN; the same faults again: {}", outcome.command),
    }
}
