//! What a crash may take, and what a failed sync means.

use super::{content, files, fresh, open, payloads, small_segments};
use crate::disk::Disk;
use crate::{Batch, Error};
use synod_stdx::Rng;

#[test]
fn a_failed_sync_poisons_the_writer_for_ever() {
    let (disk, mut journal) = fresh(small_segments(4096));
    journal.appender.append(1, 0, b"kept");
    journal.commit().unwrap();
    disk.fail_syncs(true);
    journal.appender.append(1, 0, b"lost");
    assert!(matches!(journal.commit(), Err(Error::Io { action: "sync", .. })));
    disk.fail_syncs(false);
    assert!(matches!(journal.commit(), Err(Error::Poisoned)));
    assert!(matches!(journal.writer.bind(9), Err(Error::Poisoned)));
    assert!(matches!(journal.writer.write(&mut Batch::default()), Err(Error::Poisoned)));
    assert!(matches!(journal.checkpoint(1, b""), Err(Error::Poisoned)));
    assert_eq!(journal.writer.durable().sequence(), 1);
    disk.crash(&mut Rng::new(0));
    let (_, recovered) = open(disk, small_segments(4096)).unwrap();
    assert_eq!(payloads(&recovered.nodes[&1]), ["kept"]);
}

#[test]
fn what_is_handed_out_after_a_failed_sync_survives_the_next_crash() {
    let (disk, mut journal) = fresh(small_segments(4096));
    journal.appender.append(1, 0, b"doubtful");
    disk.fail_syncs(true);
    journal.commit().unwrap_err();
    disk.fail_syncs(false);
    // The program dies, the machine does not: the record can still be read, and may have been seen by nobody.
    let (_, before) = open(disk.clone(), small_segments(4096)).unwrap();
    assert_eq!(payloads(&before.nodes[&1]), ["doubtful"]);
    disk.crash(&mut Rng::new(0));
    let (_, after) = open(disk, small_segments(4096)).unwrap();
    assert_eq!(after, before);
}

#[test]
fn a_batch_cut_off_in_its_middle_is_dropped_from_there_on() {
    for seed in 0..200 {
        let (disk, mut journal) = fresh(small_segments(8192));
        journal.appender.append(1, 0, b"first");
        journal.commit().unwrap();
        disk.fail_syncs(false);
        let sizes: Vec<usize> = (0..6).map(|at| 200 + 100 * at).collect();
        for size in &sizes {
            journal.appender.append(1, 0, &vec![b'x'; *size]);
        }
        // The write succeeds, the sync never comes.
        disk.power_off_after(1);
        journal.commit().unwrap_err();
        disk.crash(&mut Rng::new(seed));
        let (mut journal, recovered) = open(disk.clone(), small_segments(8192))
            .unwrap_or_else(|error| panic!("seed {seed}: a crash looks like damage: {error}"));
        let log = &recovered.nodes[&1];
        let found: Vec<usize> = log.records[1..].iter().map(|record| record.payload.len()).collect();
        assert_eq!(found, sizes[..found.len()], "seed {seed}");
        // New records take the place of the lost ones, and nothing of those ever comes back.
        journal.appender.append(1, 0, b"next");
        journal.commit().unwrap();
        let (_, again) = open(disk, small_segments(8192)).unwrap();
        assert_eq!(again.nodes[&1].records.len(), log.records.len() + 1, "seed {seed}");
        assert_eq!(again.nodes[&1].records.last().unwrap().payload, b"next", "seed {seed}");
    }
}

#[test]
fn a_crash_during_a_checkpoint_leaves_the_old_one_or_the_new_one() {
    let mut seen = [0, 0];
    for seed in 0..60 {
        for calls in 0..12 {
            let (disk, mut journal) = fresh(small_segments(512));
            journal.appender.append(1, 0, b"before");
            journal.checkpoint(1, b"old").unwrap();
            journal.appender.append(1, 0, b"after");
            journal.commit().unwrap();
            disk.power_off_after(calls);
            let done = journal.checkpoint(1, b"new").is_ok();
            disk.crash(&mut Rng::new(seed));
            let (_, recovered) = open(disk.clone(), small_segments(512))
                .unwrap_or_else(|error| panic!("seed {seed}, {calls} calls: {error}"));
            let log = &recovered.nodes[&1];
            match content(&disk, log).as_deref() {
                Some(b"old") if !done => assert_eq!(payloads(log), ["after"]),
                Some(b"new") => assert!(log.records.is_empty()),
                other => panic!("seed {seed}, {calls} calls: {other:?}"),
            }
            seen[usize::from(log.records.is_empty())] += 1;
            assert!(files(&disk, "").iter().all(|name| !name.ends_with(".tmp")), "{:?}", disk.list());
            assert_eq!(files(&disk, "checkpoint-").len(), 1);
        }
    }
    assert!(seen[0] > 50 && seen[1] > 50, "{seen:?}");
}
