//! The bytes on the disk, which later releases must still read.

use super::{OWNER, fresh, open, open_as, small_segments};
use crate::disk::Disk;
use crate::format::{CheckpointHeader, Manifest, Owner, SegmentHeader};
use crate::{Error, Identity, MemoryDisk, Options};

const OWNED: Owner = Owner { identity: OWNER, disk: 0xd15c };

fn hex(bytes: &[u8]) -> String {
    bytes
        .chunks(16)
        .map(|row| row.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n")
        .collect()
}

#[test]
fn a_record_has_these_bytes_in_version_2() {
    let (disk, mut journal) = fresh(small_segments(256));
    journal.appender.append(0x11, 0x22, b"payload");
    journal.commit().unwrap();
    assert_eq!(hex(&disk.read("segment-0000000000000001").unwrap()[..144]), SEGMENT_GOLDEN);
}

const SEGMENT_GOLDEN: &str = "\
53796e6f645365670200000003000000
c1000000000000000100000000000000
bc2cf25d500a8a360100000000000000
0001000000000000000000006f14f120
537952630222000007000000156a2c42
1100000003000000c100000000000000
bc2cf25d500a8a360100000000000000
00000000000000000000000090496705
7061796c6f6164000000000000000000
";

#[test]
fn a_manifest_and_a_checkpoint_have_these_bytes_in_version_2() {
    let manifest = Manifest {
        owner: OWNED,
        first_segment: 2,
        last_segment: 5,
        superblock: 6,
        covered: vec![(1, 10), (9, 11)],
    };
    assert_eq!(hex(&manifest.to_bytes()), MANIFEST_GOLDEN);
    assert_eq!(Manifest::read("manifest", &manifest.to_bytes()).unwrap(), manifest);
    let checkpoint = CheckpointHeader { node: 4, covered: 99 };
    let header = checkpoint.to_bytes(OWNED, 5, crc32fast::hash(b"state"));
    assert_eq!(hex(&header), CHECKPOINT_GOLDEN);
    let disk = MemoryDisk::new();
    disk.create("c", 0).unwrap();
    disk.write_at("c", 0, &[&header[..], b"state"].concat()).unwrap();
    assert_eq!(checkpoint.verify(&disk, "c", OWNED).unwrap().bytes(), 5);
}

const MANIFEST_GOLDEN: &str = "\
53796e6f644d616e0200000003000000
c1000000000000000700000000000000
5cd10000000000000000000000000000
02000000000000000500000000000000
06000000000000000200000001000000
0a00000000000000090000000b000000
00000000b53965d6
";
const CHECKPOINT_GOLDEN: &str = "\
53796e6f6443686b0200000003000000
c100000000000000e73bc0613a10d337
63000000000000000500000000000000
04000000fbd293a30000000020618a25
";

/// Version 3 of a file, with a layout that this release does not know.
fn of_version_3(disk: &MemoryDisk, name: &str) {
    disk.write_at(name, 8, &[3, 0, 0, 0]).unwrap();
}

#[test]
fn a_later_version_is_refused_by_name() {
    let (disk, mut journal) = fresh(small_segments(256));
    journal.appender.append(1, 1, b"x");
    journal.checkpoint(1, b"state").unwrap();
    for name in disk.list().unwrap().into_iter().filter(|name| !name.starts_with("superblock")) {
        let disk = disk.copy();
        of_version_3(&disk, &name);
        let error = open(disk, small_segments(256)).expect_err("version 3");
        assert!(matches!(&error, Error::NewerVersion { file, version: 3 } if *file == name), "{error}");
    }
    let error = Error::NewerVersion { file: "manifest".to_owned(), version: 3 };
    assert_eq!(
        error.to_string(),
        "manifest has format version 3, this release reads up to 2: start the later release again"
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
        let error = open_as(disk.clone(), other, small_segments(256)).expect_err("another owner");
        assert!(
            matches!(error, Error::WrongIdentity { found: OWNER, expected, .. } if expected == other),
            "{error}"
        );
    }
    let other = Identity { node: 4, ..OWNER };
    let error = open_as(disk.clone(), other, small_segments(256)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "superblock-a belongs to n3 incarnation 7 of cluster 00000000000000c1, not to n4 incarnation 7 of cluster \
         00000000000000c1: start with the directory of n4 incarnation 7 of cluster 00000000000000c1, or with an \
         empty one"
    );
    // A later life of the same server is its own.
    let (_, recovered) = open_as(disk, Identity { incarnation: 6, ..OWNER }, small_segments(256)).unwrap();
    assert_eq!(recovered.identity, OWNER);
}

#[test]
fn the_length_of_a_segment_is_the_one_in_its_header() {
    let header = SegmentHeader { number: 1, first_sequence: 1, bytes: 128 };
    let mut bytes = header.to_bytes(OWNED);
    bytes.resize(128, 0);
    assert_eq!(SegmentHeader::read("s", &bytes, OWNED, 1).unwrap(), header);
    assert!(SegmentHeader::read("s", &bytes, OWNED, 2).is_err());
    bytes.push(0);
    assert!(SegmentHeader::read("s", &bytes, OWNED, 1).is_err());
}
