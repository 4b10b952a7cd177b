//! Segments follow each other, go, and come back.

use super::{content, files, fresh, open, payloads, small_segments};
use crate::disk::Disk;
use crate::{Journal, Options};

fn fill(journal: &mut Journal<crate::MemoryDisk>, node: u32, records: usize) {
    for at in 0..records {
        journal.appender.append(node, 0, format!("{at:0100}").as_bytes());
        journal.commit().unwrap();
    }
}

#[test]
fn a_segment_stays_as_long_as_any_node_needs_it() {
    let (disk, mut journal) = fresh(small_segments(1024));
    journal.appender.append(2, 0, b"of a node that writes no checkpoint");
    fill(&mut journal, 1, 20);
    journal.checkpoint(1, b"").unwrap();
    assert_eq!(journal.writer.segments(), files(&disk, "segment-").len());
    assert!(journal.writer.segments() > 3);
    journal.checkpoint(2, b"").unwrap();
    assert_eq!(journal.writer.segments(), 1);
    assert_eq!(files(&disk, "segment-").len(), 1);
    assert_eq!(files(&disk, "spare-").len(), 2);
}

#[test]
fn a_recycled_file_shows_nothing_of_what_it_held() {
    let (disk, mut journal) = fresh(small_segments(1024));
    fill(&mut journal, 1, 20);
    journal.checkpoint(1, b"state").unwrap();
    let spares = files(&disk, "spare-");
    fill(&mut journal, 1, 6);
    assert!(synod_stdx::marks::count("journal.segment_recycled") > 0);
    assert!(files(&disk, "spare-").len() < spares.len());
    let last = files(&disk, "segment-").pop().unwrap();
    assert!(disk.read(&last).unwrap()[300..].iter().any(|byte| *byte != 0), "the file has old bytes");
    let (_, recovered) = open(disk.copy(), small_segments(1024)).unwrap();
    assert_eq!(recovered.nodes[&1].records.len(), 6);
    assert!(!recovered.torn_tail);
}

#[test]
fn a_record_larger_than_a_segment_gets_one_for_itself() {
    let (disk, mut journal) = fresh(small_segments(256));
    let large = "l".repeat(5000);
    journal.appender.append(1, 0, b"small");
    journal.appender.append(1, 0, large.as_bytes());
    journal.appender.append(1, 0, b"small again");
    journal.commit().unwrap();
    let (mut journal, recovered) = open(disk.clone(), small_segments(256)).unwrap();
    assert_eq!(payloads(&recovered.nodes[&1]), ["small", &large, "small again"]);
    journal.checkpoint(1, b"").unwrap();
    for spare in files(&disk, "spare-") {
        assert_eq!(disk.len(&spare).unwrap(), 256, "files of another size are not kept");
    }
}

#[test]
fn another_segment_size_is_no_obstacle() {
    let (disk, mut journal) = fresh(small_segments(512));
    fill(&mut journal, 1, 10);
    let (mut journal, recovered) = open(disk.clone(), small_segments(2048)).unwrap();
    assert_eq!(recovered.nodes[&1].records.len(), 10);
    fill(&mut journal, 1, 30);
    let (_, recovered) = open(disk, small_segments(300)).unwrap();
    assert_eq!(recovered.nodes[&1].records.len(), 40);
}

#[test]
fn a_spare_that_was_made_ahead_is_the_next_segment() {
    let (disk, mut journal) = fresh(small_segments(1024));
    let order = journal.writer.order_spare().expect("there is none");
    assert!(journal.writer.order_spare().is_none(), "one at a time");
    journal.checkpointer.make_spare(&order).unwrap();
    let made = order.name.clone();
    // A crash before it is handed in leaves nothing of it.
    let (again, _) = (disk.copy(), open(disk.copy(), small_segments(1024)).unwrap());
    drop(open(again.clone(), small_segments(1024)).unwrap());
    assert!(!again.list().unwrap().contains(&made));
    journal.writer.take_spare(order);
    assert!(journal.writer.order_spare().is_none(), "there is one");
    fill(&mut journal, 1, 12);
    assert!(journal.writer.segments() > 1);
    assert!(!disk.list().unwrap().contains(&made), "it is a segment now");
    assert!(journal.writer.order_spare().is_some(), "and the next is wanted");
    let (_, recovered) = open(disk.copy(), small_segments(1024)).unwrap();
    assert_eq!(recovered.nodes[&1].records.len(), 12);
}

#[test]
fn spares_are_kept_up_to_a_number() {
    let options = Options { spares_max: 0, ..small_segments(512) };
    let (disk, mut journal) = fresh(options);
    fill(&mut journal, 1, 20);
    journal.checkpoint(1, b"").unwrap();
    assert_eq!(disk.list().unwrap().len(), 3 + 2, "{:?}", disk.list());
}

#[test]
fn batches_are_recycled_and_the_parts_live_apart() {
    let (disk, journal) = fresh(small_segments(1 << 16));
    let Journal { mut appender, mut writer, checkpointer, .. } = journal;
    let mut idle = crate::Batch::default();
    for round in 0..10u8 {
        assert_eq!(appender.append_with(5, 1, |out| out.push(round)), u64::from(round) + 1);
        let mut batch = appender.take_batch(idle);
        assert!(appender.batch().is_empty());
        assert_eq!(writer.write(&mut batch).unwrap().sequence(), appender.last_sequence());
        assert!(batch.is_empty() && batch.len_bytes() == 0);
        idle = batch;
    }
    let stored = checkpointer.store(5, writer.durable(), b"ten").unwrap();
    appender.append(5, 1, b"later");
    writer.write(&mut appender.take_batch(idle)).unwrap();
    writer.release(stored).unwrap();
    let (journal, recovered) = open(disk.clone(), small_segments(1 << 16)).unwrap();
    assert_eq!(content(&disk, &recovered.nodes[&5]).as_deref(), Some(&b"ten"[..]));
    assert_eq!(payloads(&recovered.nodes[&5]), ["later"]);
    assert_eq!(journal.appender.last_sequence(), 11);
}

#[test]
fn checkpoints_may_be_released_in_any_order() {
    let (disk, mut journal) = fresh(small_segments(1024));
    fill(&mut journal, 1, 3);
    let old = journal.checkpointer.store(1, journal.writer.durable(), b"old").unwrap();
    fill(&mut journal, 1, 3);
    let new = journal.checkpointer.store(1, journal.writer.durable(), b"new").unwrap();
    journal.writer.release(new).unwrap();
    journal.writer.release(old).unwrap();
    let (_, recovered) = open(disk.clone(), small_segments(1024)).unwrap();
    assert_eq!(content(&disk, &recovered.nodes[&1]).as_deref(), Some(&b"new"[..]));
    assert_eq!(files(&disk, "checkpoint-").len(), 1);
}

/// One node writes much and checkpoints, one wrote once, one writes now and then and has a large state.
#[test]
fn a_node_that_keeps_the_journal_long_is_named_once_and_with_its_checkpoint_the_journal_is_short_again() {
    let options = Options { slack_bytes: 4 * 1024, ..small_segments(1024) };
    let (disk, mut journal) = fresh(options);
    let bytes = |disk: &crate::MemoryDisk| {
        files(disk, "segment-").iter().map(|name| disk.len(name).unwrap()).sum::<u64>()
    };
    journal.appender.append(2, 0, b"once, long ago");
    journal.commit().unwrap();
    let large = vec![9; 3 * 1024];
    journal.checkpoint(3, &large).unwrap();
    let (mut named, mut longest) = (Vec::new(), 0);
    for round in 0..400 {
        fill(&mut journal, 1, 1);
        if round % 50 == 0 {
            fill(&mut journal, 3, 1);
        }
        if round % 10 == 0 {
            journal.checkpoint(1, b"small").unwrap();
        }
        let pinning = journal.writer.pinning();
        for node in &pinning {
            assert!(journal.writer.pinning().is_empty(), "named once");
            journal.checkpoint(*node, if *node == 3 { &large } else { b"" }).unwrap();
        }
        named.extend(pinning);
        longest = longest.max(bytes(&disk));
    }
    assert!(longest <= 4 * 1024 + 3 * 1024 + 5 + 2 * 1024, "{longest} bytes");
    assert_eq!(named.iter().filter(|node| **node == 2).count(), 1, "{named:?}");
    let large_checkpoints = named.iter().filter(|node| **node == 3).count();
    assert!((1..=8).contains(&large_checkpoints), "a large state is not written for each record: {named:?}");
    let (mut journal, _) = open(disk, options).unwrap();
    assert!(journal.writer.pinning().is_empty(), "it is short after a restart, too");
}
