//! Forging checksums leaves a sound file unchanged, and makes recovery believe a changed one.

use super::{fresh, open, small_segments};
use crate::{Disk as _, forge_checksums};

/// Sound files keep their bytes; a changed record is recovered once its checksums are forged.
#[test]
fn true_files_are_left_as_they_are_and_false_ones_are_read() {
    let (disk, mut journal) = fresh(small_segments(1_024));
    for round in 0..30 {
        journal.appender.append(1, 0, format!("record {round}").as_bytes());
        journal.commit().unwrap();
        if round == 20 {
            journal.checkpoint(1, b"what node 1 knows").unwrap();
        }
    }
    drop(journal);
    for name in disk.list().unwrap() {
        let bytes = disk.read(&name).unwrap();
        let mut forged = bytes.clone();
        forge_checksums(&mut forged);
        // What a spare held before is nobody's any more.
        assert!(forged == bytes || name.starts_with("spare-"), "{name}");
    }
    // The last record becomes another one, and is believed.
    let last = disk.list().unwrap().into_iter().rfind(|name| name.starts_with("segment-")).unwrap();
    let mut bytes = disk.read(&last).unwrap();
    let at = bytes.windows(9).rposition(|window| window == b"record 29").expect("it is there");
    bytes[at..at + 9].copy_from_slice(b"forged 29");
    forge_checksums(&mut bytes);
    disk.write_at(&last, 0, &bytes).unwrap();
    let (_, recovered) = open(disk, small_segments(1_024)).unwrap();
    assert_eq!(recovered.nodes[&1].records.last().unwrap().payload, b"forged 29");
}
