//! A node's directory, spoiled: whoever opens it or looks into it refuses by name, or reads what is there, and goes on.

use super::EPISODE_CASES;
use synod_host::DataError;
use synod_journal::{
    Disk as _, Disks, Identity, Journal, MemoryDisk, Opener, Options, forge_checksums, inspect,
};
use synod_stdx::Rng;
use synod_testkit::{FuzzTarget, mutate};

const OWNER: Identity = Identity { cluster: 7, node: 3, incarnation: 2 };

/// Superblock, manifest, checkpoints and segments of one small directory.
pub fn target() -> FuzzTarget {
    let disk = directory();
    let episode = move |seed| {
        let mut rng = Rng::new(seed);
        for _ in 0..EPISODE_CASES {
            let spoiled = disk.copy();
            spoil(&mut rng, &spoiled);
            // The journal may refuse the directory; it must not panic.
            let _ = use_it(&spoiled).and_then(|()| use_it(&spoiled));
        }
        EPISODE_CASES
    };
    FuzzTarget { name: "disks", episode: Box::new(episode) }
}

fn options() -> Options {
    Options { segment_bytes: 640, spares_max: 1, slack_bytes: 2_000, ..Options::default() }
}

fn opened(disk: &MemoryDisk) -> Result<Journal<MemoryDisk>, DataError> {
    let disks = Disks { home: disk.clone(), journal: disk.clone() };
    let _ = inspect(&disks, options())?;
    let (journal, recovered) = Journal::open(disks, Opener { identity: OWNER, nonce: 1 << 100 }, options())?;
    for file in recovered.nodes.values().filter_map(|log| log.checkpoint.as_ref()) {
        let mut parts = journal.checkpointer.parts(file);
        while !parts.next_part()?.is_empty() {}
    }
    Ok(journal)
}

/// Opens the directory, writes records and stores a checkpoint, as a node does.
fn use_it(disk: &MemoryDisk) -> Result<(), DataError> {
    let mut journal = opened(disk)?;
    for text in ["a record", "and one that is so long that it may not find room in the last segment"] {
        journal.appender.append(1, 0, text.as_bytes());
        journal.commit()?;
    }
    journal.superblock.keep("fact", b"another".to_vec())?;
    journal.checkpoint(2, b"what node 2 knows")
}

/// Several segments that are needed, one spare, two checkpoints, a fact.
fn directory() -> MemoryDisk {
    let disk = MemoryDisk::new();
    let mut journal = opened(&disk).expect("an empty directory");
    let written = (0..24u32).try_for_each(|round| {
        journal.appender.append(1 + round % 2, round as u8, format!("round {round}").as_bytes());
        match round {
            11 => journal.checkpoint(1, b"what node 1 knows")?,
            12 => journal.checkpoint(2, &[7; 100])?,
            _ => drop(journal.commit()?),
        }
        Ok::<_, DataError>(())
    });
    written.and_then(|()| journal.superblock.keep("fact", b"kept".to_vec())).expect("memory refuses nothing");
    disk.copy()
}

/// Spoils one file, or a few. Half of the time its checksums are made right.
fn spoil(rng: &mut Rng, disk: &MemoryDisk) {
    let names = disk.list().expect("memory refuses nothing");
    let other = disk.read(rng.pick(&names).expect("it has files")).expect("it is there");
    for _ in 0..1 + rng.below(3) {
        let name = rng.pick(&names).expect("it has files");
        let is_forged = rng.chance(500);
        // A header is where numbers are: most of what stands behind it is text and zeros.
        let is_front = rng.chance(500);
        disk.rot(name, |bytes| {
            let behind = if is_front { bytes.split_off(bytes.len().min(80)) } else { Vec::new() };
            mutate(rng, bytes, &other);
            bytes.extend(behind);
            if is_forged {
                forge_checksums(bytes);
            }
        });
        if rng.chance(50) {
            let _ = disk.remove(name);
            return;
        }
    }
}
