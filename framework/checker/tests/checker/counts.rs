//! Exact counts of small protocols, as other checkers have them.

use crate::models::systems::{Recording, agreed, paxos};
use synod_checker::{Alone, Blind, Checker, Reductions, Report, Settings, Verdict};

fn search_paxos(clients: u32, commuting: bool) -> Report {
    let checker = Checker::new(paxos(clients), Recording::default()).unwrap();
    let reductions = Reductions { commuting, ..Reductions::default() };
    let settings = Settings { reductions, ..Settings::default() };
    checker.breadth_first(&checker.start(), &settings, &Alone)
}

fn counts(report: &Report) -> (u64, u64, u32) {
    assert_eq!(report.verdict, Verdict::Exhausted);
    (report.stats.generated, report.stats.unique, report.stats.depth)
}

#[test]
fn paxos_has_the_states_that_others_count() {
    assert_eq!(counts(&search_paxos(2, false)), (32_971, 16_668, 20));
    let (_, unique, depth) = counts(&search_paxos(2, true));
    assert_eq!((unique, depth), (16_668, 20));
}

#[test]
fn paxos_with_three_clients() {
    let report = search_paxos(3, false);
    println!("{:?}", report.stats);
    assert_eq!(counts(&report), (2_420_477, 1_194_428, 27));
}

fn two_phase(resources: u32) -> Report {
    let system = crate::models::systems::two_phase(resources);
    let settings = Settings::default().invariant(agreed(&system));
    let checker = Checker::new(system, Blind).unwrap();
    checker.breadth_first(&checker.start(), &settings, &Alone)
}

#[test]
fn two_phase_commit_has_the_states_that_others_count() {
    assert_eq!(counts(&two_phase(3)).1, 288);
    assert_eq!(counts(&two_phase(7)).1, 296_448);
}
