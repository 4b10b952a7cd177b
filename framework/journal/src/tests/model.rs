//! A journal against its dumb twin, with crashes at every call.

use std::collections::BTreeMap;

use super::{content, open};
use crate::{Error, Journal, MemoryDisk, NodeLog, Options, Record, Recovered, Stored, Superblock};
use synod_stdx::Rng;

/// What must come back: lists in memory.
#[derive(Default)]
struct Twin {
    /// Everything appended, whether durable or not, with its node.
    appended: Vec<(u32, Record)>,
    durable: u64,
    /// For each node the checkpoint that is surely there and later ones that may be: (covered, content).
    checkpoints: BTreeMap<u32, Vec<(u64, Vec<u8>)>>,
    /// The fact that was kept last, whether that is durable or not, and the last one that is.
    fact: u64,
    known_fact: u64,
    /// The number of the last start.
    start: u64,
}

impl Twin {
    /// Checks what came back after a crash (or a restart), and goes on from there.
    fn compare(&mut self, (disk, recovered): (&MemoryDisk, &Recovered), last: u64, seed: u64) {
        assert!(
            last >= self.durable,
            "seed {seed}: durable records up to {} came back as {last}",
            self.durable
        );
        assert!(last <= self.appended.len() as u64, "seed {seed}: {last} records were never appended");
        self.appended.truncate(last as usize);
        self.durable = last;
        let mut expected: BTreeMap<u32, NodeLog> = BTreeMap::new();
        for (node, versions) in &mut self.checkpoints {
            let log = recovered.nodes.get(node);
            let content = log.and_then(|log| content(disk, log));
            let found = versions.iter().rposition(|(_, version)| Some(version) == content.as_ref());
            // Version 0 is "none", until one is acknowledged.
            let found = found.or_else(|| (content.is_none() && versions[0].0 == 0).then_some(0));
            let found =
                found.unwrap_or_else(|| panic!("seed {seed}: node {node} came back with {content:?}"));
            versions.drain(..found);
            versions.truncate(1);
            expected.entry(*node).or_default().checkpoint = log.and_then(|log| log.checkpoint.clone());
        }
        for (node, record) in &self.appended {
            let covered = self.checkpoints.get(node).map_or(0, |versions| versions[0].0);
            let log = expected.entry(*node).or_default();
            if record.sequence > covered {
                log.records.push(record.clone());
            }
        }
        expected.retain(|_, log| log.checkpoint.is_some() || !log.records.is_empty());
        let mut nodes = recovered.nodes.clone();
        nodes.retain(|_, log| log.checkpoint.is_some() || !log.records.is_empty());
        assert_eq!(nodes, expected, "seed {seed}");
    }

    fn compare_superblock(&mut self, superblock: &Superblock<MemoryDisk>, seed: u64) {
        let fact =
            superblock.fact("fact").map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().expect("a u64")));
        assert!((self.known_fact..=self.fact).contains(&fact), "seed {seed}: fact {fact} came back");
        (self.fact, self.known_fact) = (fact, fact);
        let start = superblock.starts().last().expect("it has started").number;
        assert!(start > self.start, "seed {seed}: start {start} comes after {}", self.start);
        self.start = start;
    }
}

struct Run {
    seed: u64,
    rng: Rng,
    disk: MemoryDisk,
    journal: Journal<MemoryDisk>,
    twin: Twin,
    options: Options,
    /// Checkpoints that are stored and not yet released.
    held: Vec<Stored>,
    torn: u64,
}

impl Run {
    fn new(seed: u64) -> Run {
        let mut rng = Rng::new(seed);
        let options = Options {
            segment_bytes: rng.between(200, 3000),
            spares_max: rng.below(3) as usize,
            ..Options::default()
        };
        let disk = MemoryDisk::new();
        let (journal, _) = open(disk.clone(), options).unwrap();
        Run { seed, rng, disk, journal, twin: Twin::default(), options, held: Vec::new(), torn: 0 }
    }

    fn append(&mut self) {
        let node = self.rng.below(3) as u32;
        let kind = self.rng.below(255) as u8;
        let length = if self.rng.chance(50) { self.rng.below(3000) } else { self.rng.below(150) };
        let payload: Vec<u8> = (0..length).map(|_| self.rng.next_u64() as u8).collect();
        let sequence = self.journal.appender.append(node, kind, &payload);
        assert_eq!(sequence, self.twin.appended.len() as u64 + 1);
        self.twin.appended.push((node, Record { sequence, kind, payload }));
    }

    fn commit(&mut self) -> Result<(), Error> {
        let durable = self.journal.commit()?.sequence();
        assert_eq!(durable, self.twin.appended.len() as u64, "seed {}", self.seed);
        self.twin.durable = durable;
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), Error> {
        self.commit()?;
        let node = self.rng.below(3) as u32;
        let length = self.rng.below(2000);
        let mut content = self.rng.next_u64().to_le_bytes().to_vec();
        content.resize(8 + length as usize, 9);
        let versions = self.twin.checkpoints.entry(node).or_insert_with(|| vec![(0, Vec::new())]);
        versions.push((self.twin.durable, content.clone()));
        self.held.push(self.journal.checkpointer.store(node, self.journal.writer.durable(), &content)?);
        let versions = self.twin.checkpoints.get_mut(&node).expect("just made");
        versions.drain(..versions.len() - 1);
        Ok(())
    }

    /// Keeps a fact beside the journal.
    fn keep(&mut self) -> Result<(), Error> {
        self.twin.fact += 1;
        let number = self.journal.superblock.keep("fact", self.twin.fact.to_le_bytes().to_vec())?;
        self.twin.known_fact = self.twin.fact;
        self.journal.writer.bind(number)
    }

    /// Releases a checkpoint, most often the last one.
    fn release(&mut self) -> Result<(), Error> {
        if self.held.is_empty() {
            return Ok(());
        }
        let at = if self.rng.chance(700) {
            self.held.len() - 1
        } else {
            self.rng.below(self.held.len() as u64) as usize
        };
        self.journal.writer.release(self.held.remove(at))
    }

    /// Opens again, with crashes on the way.
    fn reopen(&mut self) {
        self.held.clear();
        loop {
            if self.rng.chance(300) {
                self.disk.power_off_after(self.rng.below(12));
            }
            match open(self.disk.clone(), self.options) {
                Ok((journal, recovered)) => {
                    self.torn += u64::from(recovered.torn_tail);
                    let found = (&self.disk, &recovered);
                    self.twin.compare(found, journal.writer.durable().sequence(), self.seed);
                    self.twin.compare_superblock(&journal.superblock, self.seed);
                    self.journal = journal;
                    return;
                }
                Err(Error::Io { .. }) => self.disk.crash(&mut self.rng),
                Err(error) => panic!("seed {}: a crash looks like something else: {error}", self.seed),
            }
        }
    }

    fn step(&mut self) {
        let done = match self.rng.below(40) {
            0..20 => {
                self.append();
                Ok(())
            }
            20..32 => self.commit(),
            32..34 => self.keep(),
            34..38 => match self.checkpoint() {
                Ok(()) if self.rng.chance(700) => self.release(),
                done => done,
            },
            38 if self.rng.chance(500) => self.release(),
            38 => {
                self.disk.power_off_after(self.rng.below(16));
                Ok(())
            }
            _ => {
                // The program ends, the machine does not.
                self.reopen();
                Ok(())
            }
        };
        match done {
            Ok(()) => {}
            Err(Error::Io { .. }) => {
                if self.rng.chance(900) {
                    self.disk.crash(&mut self.rng);
                } else {
                    // The program dies of the error, and the disk is well again.
                    self.disk.power_on();
                }
                self.reopen();
            }
            Err(error) => panic!("seed {}: {error}", self.seed),
        }
    }
}

#[test]
fn what_was_acknowledged_survives_every_crash() {
    let mut torn = 0;
    for seed in 0..3_000 {
        let mut run = Run::new(seed);
        for _ in 0..200 {
            run.step();
        }
        run.disk.crash(&mut run.rng);
        run.reopen();
        torn += run.torn;
    }
    assert!(torn > 30, "{torn} torn tails");
    for mark in ["journal.segment_recycled", "journal.segment_adopted"] {
        assert!(synod_stdx::marks::count(mark) > 0, "no run reached {mark}");
    }
}
