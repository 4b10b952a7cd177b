//! The bytes on the disk, which later releases must still read.

use super::{OWNER, fresh, small_segments};
use crate::disk::Disk;
use crate::format::{CheckpointHeader, Manifest, SegmentHeader};
use crate::{Error, Identity, Journal, MemoryDisk, Options};

fn hex(bytes: &[u8]) -> String {
    bytes
        .chunks(16)
        .map(|row| row.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n")
        .collect()
}

#[test]
fn a_record_has_these_bytes_in_version_1() {
    let (disk, mut journal) = fresh(small_segments(256));
    journal.appender.append(0x11, 0x22, b"payload");
    journal.commit().unwrap();
    journal.writer.settle().unwrap();
    assert_eq!(hex(&disk.read("segment-0000000000000001").unwrap()[..208]), SEGMENT_GOLDEN);
}

const SEGMENT_GOLDEN: &str = "\
53796e6f645365670100000003000000
c1000000000000000100000000000000
6175dea0cfb4ae730100000000000000
0001000000000000000000006a664e89
537952630122000007000000156a2c42
1100000003000000c100000000000000
6175dea0cfb4ae730100000000000000
000000000000000000000000fb0b3230
7061796c6f6164005379526301ff0000
00000000000000000000000003000000
c1000000000000006175dea0cfb4ae73
02000000000000000100000000000000
0000000056a708470000000000000000
";

#[test]
fn a_manifest_and_a_checkpoint_have_these_bytes_in_version_1() {
    let manifest =
        Manifest { identity: OWNER, first_segment: 2, last_segment: 5, covered: vec![(1, 10), (9, 11)] };
    assert_eq!(hex(&manifest.to_bytes()), MANIFEST_GOLDEN);
    assert_eq!(Manifest::read("manifest", &manifest.to_bytes()).unwrap(), manifest);
    let checkpoint = CheckpointHeader { node: 4, covered: 99 };
    let header = checkpoint.to_bytes(OWNER, b"state");
    assert_eq!(hex(&header), CHECKPOINT_GOLDEN);
    assert_eq!(checkpoint.open("c", [&header[..], b"state"].concat(), OWNER).unwrap(), b"state");
}

const MANIFEST_GOLDEN: &str = "\
53796e6f644d616e0100000003000000
c1000000000000000700000000000000
02000000000000000500000000000000
02000000010000000a00000000000000
090000000b000000000000007f7d314e
";
const CHECKPOINT_GOLDEN: &str = "\
53796e6f6443686b0100000003000000
c1000000000000000700000000000000
63000000000000000500000000000000
04000000fbd293a30000000008d85b01
";

/// Version 2 of a file, with a layout that this release does not know.
fn of_version_2(disk: &MemoryDisk, name: &str) {
    disk.write_at(name, 8, &[2, 0, 0, 0]).unwrap();
}

#[test]
fn a_later_version_is_refused_by_name() {
    let (disk, mut journal) = fresh(small_segments(256));
    journal.appender.append(1, 1, b"x");
    journal.checkpoint(1, b"state").unwrap();
    for name in disk.list().unwrap() {
        let disk = disk.copy();
        of_version_2(&disk, &name);
        let error = Journal::open(disk, OWNER, small_segments(256)).expect_err("version 2");
        assert!(matches!(&error, Error::NewerVersion { file, version: 2 } if *file == name), "{error}");
    }
    let error = Error::NewerVersion { file: "manifest".to_owned(), version: 2 };
    assert_eq!(
        error.to_string(),
        "manifest has format version 2, this release reads up to 1: start the later release again"
    );
}

#[test]
fn a_directory_is_opened_by_its_owner_only() {
    let (disk, journal) = fresh(Options { segment_bytes: 256, ..Options::default() });
    drop(journal);
    for other in [
        Identity { cluster: 0xc2, ..OWNER },
        Identity { node: 4, ..OWNER },
        Identity { incarnation: 8, ..OWNER },
    ] {
        let error = Journal::open(disk.clone(), other, small_segments(256)).expect_err("another owner");
        assert!(matches!(error, Error::WrongIdentity { found: OWNER, expected } if expected == other));
    }
    let error = Journal::open(disk.clone(), Identity { node: 4, ..OWNER }, small_segments(256)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the directory belongs to n3 incarnation 7 of cluster 00000000000000c1, not to n4 incarnation 7 of cluster \
         00000000000000c1: start with the directory of n4 incarnation 7 of cluster 00000000000000c1, or with an \
         empty one"
    );
    assert!(matches!(Journal::format(&disk, OWNER), Err(Error::AlreadyFormatted)));
    assert!(matches!(
        Journal::open(MemoryDisk::new(), OWNER, small_segments(256)).unwrap_err(),
        Error::NotFormatted
    ));
}

#[test]
fn the_length_of_a_segment_is_the_one_in_its_header() {
    let header = SegmentHeader { number: 1, first_sequence: 1, bytes: 128 };
    let mut bytes = header.to_bytes(OWNER);
    bytes.resize(128, 0);
    assert_eq!(SegmentHeader::read("s", &bytes, OWNER, 1).unwrap(), header);
    assert!(SegmentHeader::read("s", &bytes, OWNER, 2).is_err());
    bytes.push(0);
    assert!(SegmentHeader::read("s", &bytes, OWNER, 1).is_err());
}
