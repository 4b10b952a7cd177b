//! The log of runs against a dumb twin: a map from slot to proposal.

use crate::{Ballot, Log, Proposal, Run, Slot};
use std::collections::BTreeMap;
use synod_clientserver::ClientId;
use synod_node::NodeId;
use synod_stdx::{Rng, Wire};

type Twin = BTreeMap<u64, (Ballot, u64)>;

fn ballot(round: u64) -> Ballot {
    Ballot { round, node: NodeId::server(1), life: 0 }
}

fn run(first: u64, round: u64, commands: &[u64]) -> Run<u64> {
    let client = ClientId::from_bits(1);
    let proposals = commands.iter().map(|command| Proposal::Command {
        client,
        seq: 1,
        acked_below: 1,
        command: *command,
    });
    Run::new(Slot(first), ballot(round), proposals.collect())
}

fn command(proposal: &Proposal<u64>) -> u64 {
    match proposal {
        Proposal::Command { command, .. } => *command,
        Proposal::Own { .. } | Proposal::Noop => 0,
    }
}

fn check(log: &Log<u64>, twin: &Twin, dropped: u64) {
    log.assert_whole();
    log.assert_invariants();
    for slot in 0..60 {
        let held = log.find(Slot(slot)).map(|(ballot, proposal)| (ballot, command(proposal)));
        assert_eq!(held, twin.get(&slot).copied(), "slot {slot} of {log:?}");
    }
    assert_eq!(log.last().0, twin.keys().next_back().copied().unwrap_or(dropped));
    assert_eq!(log.slots(), twin.len() as u64);
}

#[test]
fn a_log_holds_what_a_map_would() {
    for seed in 0..400 {
        let mut rng = Rng::new(seed);
        let (mut log, mut twin, mut dropped) = (Log::default(), Twin::new(), 0);
        for step in 0..60 {
            let (a, b) = (rng.below(50), rng.below(50));
            match rng.below(10) {
                0 => {
                    log.drop_through(Slot(a));
                    dropped = dropped.max(a);
                    twin.retain(|slot, _| *slot > dropped);
                }
                1 => {
                    let through = a.max(dropped);
                    log.drop_after(Slot(through));
                    twin.retain(|slot, _| *slot <= through);
                }
                2 => {
                    let (low, high) = (a.min(b), a.max(b) + 1);
                    let clipped: Vec<u64> = log
                        .runs(Slot(low), Slot(high))
                        .flat_map(|run| run.proposals().iter().map(command).collect::<Vec<_>>())
                        .collect();
                    let same = log
                        .proposals(Slot(low), Slot(high))
                        .flat_map(|(_, proposals)| proposals)
                        .map(command);
                    assert!(same.eq(clipped.iter().copied()));
                    assert!(clipped.iter().eq(twin.range(low + 1..=high).map(|(_, (_, command))| command)));
                }
                _ => {
                    let first = a + 1;
                    let commands: Vec<u64> = (0..rng.between(1, 8)).map(|n| step * 100 + n).collect();
                    let round = rng.between(1, 4);
                    log.put(&run(first, round, &commands));
                    for (slot, command) in (first..).zip(commands).filter(|(slot, _)| *slot > dropped) {
                        twin.insert(slot, (ballot(round), command));
                    }
                }
            }
            check(&log, &twin, dropped);
            let (from, round) = (a.max(dropped), rng.between(1, 4));
            let same = |slot: &u64| twin.get(slot).is_some_and(|(held, _)| *held == ballot(round));
            let reached = from + (from + 1..).take_while(same).count() as u64;
            assert_eq!(log.contiguous(Slot(from), ballot(round)), Slot(reached));
        }
    }
}

#[test]
fn short_runs_are_joined_and_nothing_else_changes() {
    let (mut log, mut twin) = (Log::default(), Twin::new());
    for slot in 1..=200 {
        // A change of ballot and a gap now and then.
        let round = 1 + slot / 70;
        if slot % 90 == 50 {
            continue;
        }
        log.put(&run(slot, round, &[slot * 7]));
        twin.insert(slot, (ballot(round), slot * 7));
        for slot in 0..=slot {
            let held = log.find(Slot(slot)).map(|(ballot, proposal)| (ballot, command(proposal)));
            assert_eq!(held, twin.get(&slot).copied(), "slot {slot}");
        }
        log.assert_whole();
    }
    let runs = log.runs(Slot(0), Slot(200)).count();
    assert!(runs < 120, "{runs} runs hold 198 slots");
    log.drop_through(Slot(10));
    twin.retain(|slot, _| *slot > 10);
    assert_eq!(log.slots(), twin.len() as u64);
}

/// Found by the checker: were they equal, a server's state would not tell which messages it sends again.
#[test]
fn logs_that_are_cut_otherwise_are_told_apart() {
    let (mut one, mut two) = (Log::default(), Log::default());
    one.put(&run(1, 1, &[1, 2, 3, 4]));
    two.put(&run(3, 1, &[3, 4]));
    two.put(&run(1, 1, &[1, 2]));
    let runs = |log: &Log<u64>| log.runs(Slot::ZERO, Slot(u64::MAX)).count();
    assert_eq!((runs(&one), runs(&two)), (1, 2));
    assert_ne!(one, two);
    two.put(&run(1, 1, &[1, 2, 3, 4]));
    assert_eq!(one, two);
}

#[test]
fn a_run_survives_its_byte_form() {
    let whole = run(7, 3, &[1, 2, 3]);
    assert_eq!(Run::from_bytes(&whole.to_bytes()), Ok(whole.clone()));
    let clipped = whole.clip(Slot(7), Slot(8)).unwrap();
    assert_eq!((clipped.first(), clipped.last()), (Slot(8), Slot(8)));
    assert_eq!(Run::from_bytes(&clipped.to_bytes()), Ok(clipped));
    let mut empty = Vec::new();
    (7u64, 3u64, 0u64).append_to(&mut empty);
    assert!(Run::<u64>::from_bytes(&empty).is_err());
}
