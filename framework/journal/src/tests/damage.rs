//! The damage test: every byte of a directory is flipped, cut at, and zeroed from. What comes back is all there
//! was, or a refusal by name. Never less, never something else.

use std::collections::BTreeMap;

use super::{fresh, open, small_segments};
use crate::disk::Disk;
use crate::{Disks, Error, MemoryDisk, NodeLog, Options, inspect};
use synod_stdx::Rng;

const SEGMENT_BYTES: u64 = 768;

fn options() -> Options {
    Options {
        segment_bytes: SEGMENT_BYTES,
        spares_max: 1,
        describe: |node, _, payload| {
            format!("node {node}, {}", String::from_utf8_lossy(&payload[..9.min(payload.len())]))
        },
        ..Options::default()
    }
}

/// Three segments that are needed, one spare, a checkpoint; batches of one to three records of two nodes.
fn directory() -> MemoryDisk {
    let (disk, mut journal) = fresh(options());
    let mut rng = Rng::new(1);
    for round in 0..22 {
        for part in 0..=rng.below(3) {
            let text = format!("round {round:03} {}", "x".repeat(rng.below(40) as usize));
            journal.appender.append(1 + ((round + part) % 2) as u32, part as u8, text.as_bytes());
        }
        journal.commit().unwrap();
        if round == 9 {
            journal.checkpoint(1, b"what node 1 knows").unwrap();
            journal.checkpoint(2, &[7; 100]).unwrap();
        }
    }
    journal.appender.append(1, 0, b"round 022, alone in its batch");
    journal.commit().unwrap();
    let names = disk.list().unwrap();
    assert_eq!(
        names.len(),
        2 + 1 + 4 + 1 + 2,
        "checkpoints, manifest, segments, spare, superblocks: {names:?}"
    );
    disk.copy()
}

type Nodes = BTreeMap<u32, NodeLog>;

/// An inspection that changes nothing says of the directory what opening it does.
fn inspected(disk: &MemoryDisk) -> Result<(), Error> {
    let calls = disk.calls_made();
    let disks = Disks { home: disk.clone(), journal: disk.clone() };
    let inspection = inspect(&disks, options()).unwrap();
    assert_eq!(disk.calls_made(), calls, "nothing was changed");
    let is_damaged = |(name, found): &(String, Result<String, Error>)| found.is_err() && !is_spared(name);
    if inspection.files.iter().any(is_damaged) {
        assert!(inspection.whole.is_err(), "{:?}", inspection.files);
    }
    inspection.whole
}

fn opened(disk: &MemoryDisk) -> Result<Nodes, Error> {
    Ok(open(disk.clone(), options())?.1.nodes)
}

/// Damages a copy of the directory and opens it twice: all, or (if allowed) all but the last record, or a refusal
/// that names the file. Returns whether it was refused.
fn survives(disk: &MemoryDisk, file: &str, allowed: &[&Nodes], damage: impl Fn(&MemoryDisk)) -> bool {
    let copy = disk.copy();
    damage(&copy);
    let what = || copy.read(file).unwrap_or_default();
    let inspected = inspected(&copy).map_err(|error| error.to_string()).err();
    match opened(&copy) {
        Ok(nodes) => {
            assert!(allowed.contains(&&nodes), "{file} lost or changed records in silence: {:?}", what());
            assert_eq!(opened(&copy).expect("opened before"), nodes, "{file}: the second opening differs");
            assert_eq!(inspected, None, "{file}: the inspection differs");
            false
        }
        Err(Error::Damaged { file: named, .. } | Error::NewerVersion { file: named, .. }) => {
            assert_eq!(named, file, "another file was blamed");
            assert!(inspected.is_some_and(|why| why.contains(file)), "{file}: the inspection differs");
            true
        }
        Err(other) => panic!("{file}: {other}"),
    }
}

fn without_last(nodes: &Nodes) -> Nodes {
    let mut nodes = nodes.clone();
    let last = nodes[&1].records.last().unwrap().clone();
    assert!(last.payload.starts_with(b"round 022"));
    nodes.get_mut(&1).unwrap().records.pop();
    nodes
}

/// Whether a node can do without the file: nobody needs what it holds, or another one holds the same.
fn is_spared(file: &str) -> bool {
    file.starts_with("spare-") || file.starts_with("superblock-")
}

/// Every byte of every file.
fn places(disk: &MemoryDisk) -> Vec<(String, u64)> {
    let length = |name: &String| disk.len(name).unwrap();
    disk.list()
        .unwrap()
        .into_iter()
        .flat_map(|name| (0..length(&name)).map(move |at| (name.clone(), at)))
        .collect()
}

#[test]
fn every_flipped_bit_is_harmless_or_refused() {
    let disk = directory();
    let all = opened(&disk.copy()).unwrap();
    let (mut refused, mut places_seen) = (0, 0);
    for (file, at) in places(&disk) {
        for bit in 0..8 {
            places_seen += 1;
            refused += u64::from(survives(&disk, &file, &[&all], |copy| copy.flip(&file, at, bit)));
        }
    }
    assert!(refused * 2 > places_seen, "{refused} of {places_seen} refused");
}

#[test]
fn every_cut_is_harmless_or_refused() {
    let disk = directory();
    let all = opened(&disk.copy()).unwrap();
    for (file, at) in places(&disk) {
        let refused = survives(&disk, &file, &[&all], |copy| copy.truncate(&file, at));
        assert_eq!(refused, !is_spared(&file), "{file} cut at {at}");
    }
}

#[test]
fn every_zeroed_stretch_is_harmless_or_refused() {
    let disk = directory();
    let all = opened(&disk.copy()).unwrap();
    for (file, at) in places(&disk) {
        for bytes in [1, 64, 512] {
            let bytes = bytes.min(disk.len(&file).unwrap() - at);
            survives(&disk, &file, &[&all], |copy| copy.zero(&file, at, bytes));
        }
    }
}

#[test]
fn every_missing_file_is_refused_but_a_spare_or_a_copy() {
    let disk = directory();
    let all = opened(&disk.copy()).unwrap();
    for name in disk.list().unwrap() {
        let refused = survives(&disk, &name, &[&all], |copy| copy.remove(&name).unwrap());
        assert_eq!(refused, !is_spared(&name), "{name}");
    }
}

/// The power failed before anything of the last watermarks was on the disk.
fn without_watermarks(disk: &MemoryDisk) -> MemoryDisk {
    let copy = disk.copy();
    super::files(disk, "superblock-").iter().for_each(|name| copy.zero(name, 0, 512));
    copy
}

#[test]
fn after_a_power_cut_only_the_last_record_can_look_torn() {
    let disk = without_watermarks(&directory());
    let all = opened(&disk.copy()).unwrap();
    let less = without_last(&all);
    let mut torn = 0;
    for (file, at) in places(&disk) {
        let copy = disk.copy();
        copy.flip(&file, at, (at % 8) as u8);
        torn += u64::from(opened(&copy).is_ok_and(|nodes| nodes == less));
        survives(&disk, &file, &[&all, &less], |copy| copy.flip(&file, at, (at % 8) as u8));
    }
    assert_eq!(torn, 64 + 29 + 3, "the header, the payload and the padding of the last record");
}

#[test]
fn a_refusal_names_file_offset_node_and_neighbours() {
    let (disk, mut journal) = fresh(small_segments(1024));
    for text in ["slot 1", "slot 2", "slot 3"] {
        journal.appender.append(9, 0, text.as_bytes());
        journal.commit().unwrap();
    }
    let options = Options {
        describe: |node, _, payload| format!("node {node}, {}", String::from_utf8_lossy(payload)),
        ..small_segments(1024)
    };
    disk.flip("segment-0000000000000001", 64 + 72 + 64, 0);
    let error = open(disk, options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "segment-0000000000000001 is damaged at byte 136 (node 9): record 2 has a broken payload; the last good \
         record before it is 1 (node 9, slot 1), the next good record is 3 (node 9, slot 3); keep the directory \
         for inspection and bring this replica back with an empty one under a new incarnation"
    );
}

#[test]
fn a_checkpoint_proves_that_what_it_covers_was_there() {
    let (disk, mut journal) = fresh(small_segments(1024));
    journal.appender.append(1, 0, b"covered");
    journal.checkpoint(1, b"state").unwrap();
    // Without the refusal the next record would get the same number, and the checkpoint would swallow it.
    let disk = without_watermarks(&disk);
    disk.flip("segment-0000000000000001", 64, 0);
    let error = open(disk, small_segments(1024)).unwrap_err();
    assert!(error.to_string().contains("a checkpoint of node 1 says that it was durable"), "{error}");
}
