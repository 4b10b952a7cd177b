//! Whatever spares work changes no verdict: each search whose space has an end sees the same states without each
//! reduction, with whole states compared, and on two threads; and each mutant is found by as short a trace.

use libtest_mimic::{Arguments, Failed, Trial};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock};
use synod_registry::{mutants, searches};
use synod_testkit::{
    Hunted, Mutant, Orders, Search, Searched, StageReport, Unwatched, Without, hunt, search_one,
    search_report,
};

/// The programs' own, which runs are quicker with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Searches whose spaces are small and have an end: of each module some.
const FINITE: &[(&str, &str)] = &[
    ("pingpong", "4"),
    ("pingpong", "x1"),
    ("pingpong", "x2"),
    ("pingpong", "x3"),
    ("clientserver", "3.7"),
    ("clientserver", "3.8"),
    ("clientserver", "x1"),
    ("clientserver", "x3"),
    ("clientserver", "x4"),
    ("primarybackup", "2.16"),
    ("primarybackup", "x6"),
    ("primarybackup", "x7"),
    ("paxos", "x6"),
    ("paxos", "x10"),
];

/// Mutants that are found late: without reductions their searches take too long for a test.
const LATE: &[&str] = &["takes_accepted_for_chosen", "counts_old_promises", "adopts_the_oldest"];

/// The first so many variants each go without one reduction alone.
const SINGLES: usize = 3;

fn main() -> ExitCode {
    let is_finite = |search: &Search| FINITE.contains(&(search.module, search.number));
    let finite: Vec<Search> = searches().into_iter().filter(is_finite).collect();
    assert_eq!(finite.len(), FINITE.len(), "each of the list is there");
    let is_early = |mutant: &Mutant| !LATE.contains(&mutant.name);
    let mut trials = Vec::new();
    for (at, (name, orders)) in variants().into_iter().enumerate() {
        for search in &finite {
            let (search, orders) = (*search, orders.clone());
            let title = format!("{}::{}::{name}", search.module, search.number);
            trials.push(Trial::test(title, move || agrees(&search, &orders)));
        }
        // Without all reductions each mutant is found, and without one of them: the next, for each mutant after another.
        let is_turn = |(number, _): &(usize, Mutant)| at >= SINGLES || number % SINGLES == at;
        for (_, mutant) in mutants().into_iter().filter(is_early).enumerate().filter(is_turn) {
            let orders = orders.clone();
            let title = format!("{}::{}::{name}", mutant.module, mutant.name);
            trials.push(Trial::test(title, move || finds(&mutant, &orders)));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn variants() -> Vec<(&'static str, Orders)> {
    let without = |without| Orders { without, ..Orders::default() };
    vec![
        ("without_no_ops", without(Without { no_ops: true, ..Without::default() })),
        ("without_commuting", without(Without { commuting: true, ..Without::default() })),
        ("without_symmetry", without(Without { symmetry: true, ..Without::default() })),
        ("without_any", without(Without::ALL)),
        ("exact", Orders { exact: true, ..Orders::default() }),
        ("two_threads", Orders { threads: 2, ..Orders::default() }),
    ]
}

/// What of a stage must be the same; transitions are what reductions spare.
fn essence(report: &StageReport) -> (&str, &str, u64, u32, &[u64]) {
    let stats = &report.stats;
    (&report.stage, &report.verdict, stats.unique, stats.depth, &stats.by_depth)
}

/// What is found with all reductions: looked for once, by whoever asks first.
struct Once<T>(Mutex<BTreeMap<Key, Arc<OnceLock<T>>>>);

/// A module, and a number or a name in it.
type Key = (&'static str, &'static str);

impl<T> Once<T> {
    const fn new() -> Once<T> {
        Once(Mutex::new(BTreeMap::new()))
    }

    fn with<R>(&self, key: Key, find: impl FnOnce() -> T, then: impl FnOnce(&T) -> R) -> R {
        let cell = Arc::clone(self.0.lock().expect("nobody panics with it").entry(key).or_default());
        then(cell.get_or_init(find))
    }
}

static SEARCHED: Once<Searched> = Once::new();
static HUNTED: Once<Hunted> = Once::new();

fn agrees(search: &Search, orders: &Orders) -> Result<(), Failed> {
    let other = search_one(search, orders, &Unwatched);
    let plain = || search_one(search, &Orders::default(), &Unwatched);
    SEARCHED.with((search.module, search.number), plain, |plain| compare(plain, &other, orders))
}

fn compare(plain: &Searched, other: &Searched, orders: &Orders) -> Result<(), Failed> {
    for searched in [plain, other] {
        if !searched.is_shown() {
            return Err(search_report(searched).into());
        }
    }
    for (one, two) in plain.reports.iter().zip(&other.reports) {
        let is_alike = one.stage != "up to their names" || !orders.without.symmetry;
        if is_alike && essence(one) != essence(two) {
            return Err(format!("{:?}\nand\n{:?}", essence(one), essence(two)).into());
        }
    }
    Ok(())
}

fn finds(mutant: &Mutant, orders: &Orders) -> Result<(), Failed> {
    let all = searches();
    let other = hunt(mutant, &all, orders, &Unwatched);
    let plain = || hunt(mutant, &all, &Orders::default(), &Unwatched);
    HUNTED
        .with((mutant.module, mutant.name), plain, |plain| alike(plain, &other))
        .map_err(|problem| Failed::from(format!("{problem}: {}", search_report(&other.searched))))
}

/// The stage that found the mistake: its place among all, what it says is wrong, and by how many steps.
fn finding(hunted: &Hunted) -> Option<(usize, &str, Option<usize>)> {
    let reports = &hunted.searched.reports;
    let stage = reports.iter().position(|report| report.found.is_some())?;
    let found = reports[stage].found.as_ref()?;
    // Random ways are not the shortest: which are gone depends on what is left of all that may happen.
    Some((stage, &found.subject, (reports[stage].how != "walks").then_some(found.steps)))
}

/// Whether both hunts found the same.
fn alike(plain: &Hunted, other: &Hunted) -> Result<(), String> {
    let (Some(one), Some(two)) = (finding(plain), finding(other)) else {
        return Err(format!("{:?} and {:?}", finding(plain), finding(other)));
    };
    let is_same = match one.0.cmp(&two.0) {
        Ordering::Equal => one.1 == two.1 && (one.2 == two.2 || one.2.is_none() || two.2.is_none()),
        // The order in which a stage goes decides how much of its last level it sees before its budget is spent.
        Ordering::Less => is_cut(other, one.0),
        Ordering::Greater => is_cut(plain, two.0),
    };
    if is_same { Ok(()) } else { Err(format!("{one:?} and {two:?}")) }
}

/// Whether this stage ended before it had seen all.
fn is_cut(hunted: &Hunted, stage: usize) -> bool {
    hunted.searched.reports[stage].verdict.starts_with("budget spent")
}
