//! Superblock and journal vouch for each other. Each check here is made of a disk that is right, and then of disks that
//! make a mistake: those it must notice.

use super::{OWNER, content, files, open, small_segments};
use crate::disk::Disk;
use crate::format::Manifest;
use crate::superblock::{Content, Found, STARTS_MAX, Watermark, read_copies, write_copies};
use crate::{Disks, Error, Heard, Identity, Journal, MemoryDisk, Opener, Recovered};
use std::collections::BTreeMap;
use std::io;
use synod_stdx::Rng;

/// What a program does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mistake {
    /// Where a file is missing it takes the directory for a new one.
    TakesAbsentForNew,
    /// The superblock says nothing of the journal, and the journal nothing of it.
    BindsNothing,
    /// It writes one copy of the superblock.
    WritesOneCopy,
    /// It numbers its starts by a clock, which reads the same each time.
    NumbersByClock,
}

/// A directory as a program sees it.
#[derive(Clone, Debug)]
struct Seen {
    disk: MemoryDisk,
    /// The directories of the superblock and of the journal.
    all: [MemoryDisk; 2],
    mistake: Option<Mistake>,
}

impl Seen {
    fn leaves_out(&self, name: &str) -> bool {
        self.mistake == Some(Mistake::WritesOneCopy) && name.starts_with("superblock-b")
    }

    /// The superblocks as the program would have them.
    fn superblock(&self, name: &str, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let copy =
            read_copies(&self.disk).expect("the disk can be read").into_iter().find(|copy| copy.name == name);
        let Some(Found::Whole { mut content, watermark }) = copy.map(|copy| copy.found) else {
            return Ok(bytes);
        };
        let mut watermark = watermark.unwrap_or_default();
        match self.mistake {
            Some(Mistake::BindsNothing) => (content.durable, watermark.durable) = (0, 0),
            Some(Mistake::NumbersByClock) => {
                content.starts.iter_mut().for_each(|start| start.number = start.number.min(1));
            }
            Some(Mistake::TakesAbsentForNew | Mistake::WritesOneCopy) | None => return Ok(bytes),
        }
        let aside = MemoryDisk::new();
        write_copies(&aside, &content, &watermark).expect("it takes all");
        aside.read(name)
    }

    fn manifest(&self, bytes: Vec<u8>) -> Vec<u8> {
        match (self.mistake, Manifest::read("manifest", &bytes)) {
            (Some(Mistake::BindsNothing), Ok(manifest)) => Manifest { superblock: 0, ..manifest }.to_bytes(),
            _ => bytes,
        }
    }
}

impl Disk for Seen {
    fn list(&self) -> io::Result<Vec<String>> {
        let names = [self.all[0].list()?, self.all[1].list()?].concat();
        let is_missing = |name: &&str| !names.iter().any(|other| other == name);
        let is_anything_missing = ["superblock-a", "superblock-b", "manifest"].iter().any(is_missing);
        let is_new = self.mistake == Some(Mistake::TakesAbsentForNew) && is_anything_missing;
        if is_new { Ok(Vec::new()) } else { self.disk.list() }
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<()> {
        if self.leaves_out(name) { Ok(()) } else { self.disk.create(name, bytes) }
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let bytes = self.disk.read(name)?;
        match name {
            "superblock-a" | "superblock-b" => self.superblock(name, bytes),
            "manifest" => Ok(self.manifest(bytes)),
            _ => Ok(bytes),
        }
    }

    fn read_part(&self, name: &str, offset: u64, bytes_max: usize) -> io::Result<Vec<u8>> {
        self.disk.read_part(name, offset, bytes_max)
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        self.disk.len(name)
    }

    fn write_at(&self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if self.leaves_out(name) { Ok(()) } else { self.disk.write_at(name, offset, bytes) }
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        if self.leaves_out(name) { Ok(()) } else { self.disk.sync(name) }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        if self.leaves_out(to) { Ok(()) } else { self.disk.rename(from, to) }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.disk.sync_dir()
    }
}

/// Where a process has its files, and what it was told that it may rely on.
#[derive(Clone)]
struct Process {
    home: MemoryDisk,
    journal: MemoryDisk,
    mistake: Option<Mistake>,
    cluster: u64,
    known: Known,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Known {
    records: Vec<Vec<u8>>,
    fact: Vec<u8>,
    start: u64,
}

type Running = Journal<Seen>;

impl Process {
    fn new(mistake: Option<Mistake>) -> Process {
        let (home, journal) = (MemoryDisk::new(), MemoryDisk::new());
        Process { home, journal, mistake, cluster: OWNER.cluster, known: Known::default() }
    }

    fn seen(&self, disk: &MemoryDisk) -> Seen {
        let all = [self.home.clone(), self.journal.clone()];
        Seen { disk: disk.clone(), all, mistake: self.mistake }
    }

    fn open(&self, nonce: u128) -> Result<(Running, Recovered), Error> {
        let disks = Disks { home: self.seen(&self.home), journal: self.seen(&self.journal) };
        let identity = Identity { cluster: self.cluster, ..OWNER };
        Journal::open(disks, Opener { identity, nonce }, small_segments(512))
    }

    /// The directories as they are now, with nothing left to lose.
    fn copy(&self) -> Process {
        Process { home: self.home.copy(), journal: self.journal.copy(), ..self.clone() }
    }

    /// A start. Everything of what it may rely on must be there, and its number must be a new one.
    fn start(&mut self, nonce: u128) -> Result<Running, String> {
        let (journal, recovered) = self.open(nonce).map_err(|error| error.to_string())?;
        let logs = recovered.nodes.values();
        let whole = |log: &crate::NodeLog| {
            let checkpoint = content(&self.journal, log).unwrap_or_default();
            let in_it = checkpoint.chunks(RECORD_BYTES).map(<[u8]>::to_vec);
            in_it.chain(log.records.iter().map(|record| record.payload.clone())).collect::<Vec<_>>()
        };
        let records: Vec<Vec<u8>> = logs.flat_map(whole).collect();
        let fact = journal.superblock.fact("fact").unwrap_or_default();
        let start = journal.superblock.starts().last().map_or(0, |start| start.number);
        if !records.starts_with(&self.known.records) {
            let (found, known) = (records.len(), self.known.records.len());
            return Err(format!("{found} records came back, {known} were acknowledged"));
        }
        if fact < self.known.fact {
            return Err(format!("the fact {fact:?} came back, {:?} was kept", self.known.fact));
        }
        if start <= self.known.start {
            return Err(format!("start {start} comes after start {}", self.known.start));
        }
        self.known = Known { records, fact, start };
        Ok(journal)
    }

    fn append(&mut self, journal: &mut Running, count: usize) -> Result<(), Error> {
        for _ in 0..count {
            let record = format!("{:0width$}", self.known.records.len(), width = RECORD_BYTES).into_bytes();
            journal.appender.append(1, 0, &record);
            journal.commit()?;
            self.known.records.push(record);
        }
        Ok(())
    }

    fn keep(&mut self, journal: &mut Running, fact: u8) -> Result<(), Error> {
        let number = journal.superblock.keep("fact", vec![fact])?;
        self.known.fact = vec![fact];
        journal.writer.bind(number)
    }

    fn checkpoint(&self, journal: &mut Running) -> Result<(), Error> {
        journal.checkpoint(1, &self.known.records.concat())
    }

    /// What a node does in its life, start by start: it is founded, joins, checkpoints, is replaced.
    fn live(&mut self, mut after: impl FnMut(&Process)) -> Result<(), String> {
        let words = |error: Error| error.to_string();
        for (start, fact) in [(1, 1), (2, 2), (3, 3)] {
            let mut journal = self.start(start)?;
            after(self);
            self.append(&mut journal, 4).map_err(words)?;
            after(self);
            self.keep(&mut journal, fact).map_err(words)?;
            after(self);
            self.append(&mut journal, 3).map_err(words)?;
            after(self);
            if start > 1 {
                self.checkpoint(&mut journal).map_err(words)?;
                after(self);
            }
            self.append(&mut journal, 2).map_err(words)?;
            after(self);
        }
        Ok(())
    }

    /// A process after such a life, and how its directories were on the way.
    fn lived(mistake: Option<Mistake>) -> (Process, Vec<Process>) {
        let mut process = Process::new(mistake);
        let mut moments = Vec::new();
        process.live(|process| moments.push(process.copy())).expect("nothing goes wrong");
        (process, moments)
    }
}

const RECORD_BYTES: usize = 40;

/// Each file of the two directories.
fn all_files(process: &Process) -> Vec<(MemoryDisk, String)> {
    let of = |disk: &MemoryDisk| {
        let names = disk.list().unwrap().into_iter();
        names.map(|name| (disk.clone(), name)).collect::<Vec<_>>()
    };
    [of(&process.home), of(&process.journal)].concat()
}

/// Puts `bytes` where the file `name` is, or takes it away.
fn put(disk: &MemoryDisk, name: &str, bytes: Option<&[u8]>) {
    if disk.list().unwrap().iter().any(|other| other == name) {
        disk.remove(name).unwrap();
    }
    if let Some(bytes) = bytes {
        disk.create(name, 0).unwrap();
        disk.write_at(name, 0, bytes).unwrap();
    }
}

/// A start after something was put back or lost: all is there, or the file is named.
fn start_or_refuse(process: &mut Process, named: &[&str]) -> Result<bool, String> {
    match process.clone().open(99) {
        Ok(_) => process.start(100).map(|_| true),
        Err(error) if named.iter().any(|name| error.to_string().contains(name)) => Ok(false),
        Err(error) => Err(format!("none of {named:?} is named: {error}")),
    }
}

/// A directory in which one file is missing, empty, an older copy of itself, of another server or of another cluster with
/// the same name.
fn files_are_vouched_for(mistake: Option<Mistake>) -> Result<(), String> {
    let (process, moments) = Process::lived(mistake);
    let other_disk = {
        let mut other = Process::new(mistake);
        other.live_with(0xbad).expect("nothing goes wrong");
        other
    };
    let other_cluster = {
        let mut other = Process { cluster: 0xc2, ..Process::new(mistake) };
        other.live(|_| {}).expect("nothing goes wrong");
        other
    };
    let mut counts = BTreeMap::new();
    let mut check = |what: &'static str, name: &str, bytes: Option<&[u8]>| {
        let mut process = process.copy();
        let disk = if name.starts_with("superblock") { &process.home } else { &process.journal };
        put(disk, name, bytes);
        let served = start_or_refuse(&mut process, &[name, "manifest"])
            .map_err(|problem| format!("{name}, {what}: {problem}"))?;
        *counts.entry((what, served)).or_insert(0) += 1;
        Ok::<_, String>(())
    };
    for (_, name) in all_files(&process) {
        check("gone", &name, None)?;
        check("empty", &name, Some(&[]))?;
    }
    for moment in moments.iter().chain([&other_disk, &other_cluster]) {
        for (disk, name) in all_files(moment) {
            check("another copy", &name, Some(&disk.read(&name).unwrap()))?;
        }
    }
    for (what, served) in [("gone", false), ("gone", true), ("another copy", false), ("another copy", true)] {
        assert!(counts.contains_key(&(what, served)), "{what} is never {served}: {counts:?}");
    }
    Ok(())
}

/// One of the two directories is an older copy as a whole.
fn directories_are_vouched_for(mistake: Option<Mistake>) -> Result<(), String> {
    let (process, moments) = Process::lived(mistake);
    let mut refused = [0, 0];
    for (at, moment) in moments.iter().enumerate() {
        let mut mixed = Process { journal: moment.journal.copy(), ..process.copy() };
        let served = start_or_refuse(&mut mixed, &["segment-", "manifest", "checkpoint-"])
            .map_err(|problem| format!("the journal of moment {at}: {problem}"))?;
        refused[0] += u32::from(!served);
        let mut mixed = Process { home: moment.home.copy(), ..process.copy() };
        let served = start_or_refuse(&mut mixed, &["superblock-"])
            .map_err(|problem| format!("the superblock of moment {at}: {problem}"))?;
        refused[1] += u32::from(!served);
    }
    // The last moment is now; the superblock was last changed two moments before it.
    assert!(refused[0] as usize == moments.len() - 1, "{refused:?} of {}", moments.len());
    assert!(refused[1] as usize >= moments.len() - 4, "{refused:?} of {}", moments.len());
    Ok(())
}

/// The process is killed, or the power fails, at each call that changes a file.
fn kills_lose_nothing(mistake: Option<Mistake>) -> Result<(), String> {
    let calls = {
        let mut whole = Process::new(mistake);
        whole.live(|_| {})?;
        whole.home.calls_made() + whole.journal.calls_made()
    };
    for call in 0..calls {
        for seed in 0..6 {
            let mut process = Process::new(mistake);
            // One disk for both: a number of calls is of both.
            process.home = process.journal.clone();
            process.journal.power_off_after(call);
            let died = process.live(|_| {}).is_err();
            assert!(died, "the power goes at call {call} of {calls}");
            match seed {
                0 => process.journal.power_on(),
                seed => process.journal.crash(&mut Rng::new(call * 7 + seed)),
            }
            let trouble = |problem| format!("call {call}, seed {seed}: {problem}");
            let mut journal = process.start(11).map_err(trouble)?;
            process.append(&mut journal, 1).map_err(|error| trouble(error.to_string()))?;
            process.start(12).map_err(trouble)?;
        }
    }
    Ok(())
}

impl Process {
    fn live_with(&mut self, nonce: u128) -> Result<(), String> {
        let mut journal = self.start(nonce)?;
        self.append(&mut journal, 12).map_err(|error| error.to_string())?;
        self.checkpoint(&mut journal).map_err(|error| error.to_string())?;
        self.append(&mut journal, 3).map_err(|error| error.to_string())?;
        self.keep(&mut journal, 9).map_err(|error| error.to_string())
    }
}

type Check = fn(Option<Mistake>) -> Result<(), String>;

#[test]
fn no_file_is_missing_old_or_foreign_in_silence() {
    files_are_vouched_for(None).unwrap();
}

#[test]
fn neither_directory_can_be_put_back_alone() {
    directories_are_vouched_for(None).unwrap();
}

#[test]
fn a_kill_at_any_call_loses_nothing() {
    kills_lose_nothing(None).unwrap();
}

#[test]
fn every_mistake_is_noticed() {
    let checks: [(Mistake, Check); 4] = [
        (Mistake::TakesAbsentForNew, files_are_vouched_for),
        (Mistake::BindsNothing, directories_are_vouched_for),
        (Mistake::WritesOneCopy, one_copy_is_enough),
        (Mistake::NumbersByClock, kills_lose_nothing),
    ];
    for (mistake, check) in checks {
        let noticed = check(Some(mistake)).expect_err("a mistake");
        println!("{mistake:?}: {noticed}");
    }
}

/// Any damage to one copy leaves all that counts.
fn one_copy_is_enough(mistake: Option<Mistake>) -> Result<(), String> {
    let (process, _) = Process::lived(mistake);
    for name in ["superblock-a", "superblock-b"] {
        let Ok(bytes) = process.home.len(name) else { continue };
        for at in (0..bytes).step_by(16) {
            let mut process = process.copy();
            process.home.zero(name, at, 16.min(bytes - at));
            process.start(200).map_err(|problem| format!("{name} zeroed at {at}: {problem}"))?;
            let whole = read_copies(&process.home).unwrap();
            if !whole.iter().all(|copy| matches!(copy.found, Found::Whole { .. })) {
                return Err(format!("{name} zeroed at {at}: it is not written anew"));
            }
        }
    }
    Ok(())
}

#[test]
fn one_copy_of_the_superblock_is_enough() {
    one_copy_is_enough(None).unwrap();
}

#[test]
fn a_number_of_starts_that_would_wrap_is_refused() {
    let disk = MemoryDisk::new();
    drop(open(disk.clone(), small_segments(512)).unwrap());
    let mut content = whole(&disk);
    content.starts.back_mut().unwrap().number = u64::MAX;
    write_copies(&disk, &content, &Watermark::default()).unwrap();
    let error = open(disk, small_segments(512)).unwrap_err();
    assert!(matches!(error, Error::Exhausted { .. }), "{error}");
    assert!(error.to_string().contains("the number of this process's starts can grow no further"), "{error}");
}

fn whole(disk: &MemoryDisk) -> Content {
    let [first, _] = read_copies(disk).unwrap();
    match first.found {
        Found::Whole { content, .. } => content,
        Found::Absent | Found::Damaged(..) | Found::Newer(_) => panic!("it was just written"),
    }
}

#[test]
fn the_latest_starts_are_known_and_no_more() {
    let disk = MemoryDisk::new();
    for round in 1..=STARTS_MAX as u64 + 5 {
        let (mut journal, recovered) = open(disk.clone(), small_segments(512)).unwrap();
        assert_eq!(recovered.is_new, round == 1);
        let starts = journal.superblock.starts();
        assert_eq!(starts.len() as u64, round.min(STARTS_MAX as u64));
        let last = starts.last().unwrap();
        assert_eq!((last.number, last.began), (round, round - 1));
        journal.appender.append(1, 0, b"x");
        journal.commit().unwrap();
    }
}

#[test]
fn what_was_heard_of_peers_moves_with_the_watermark() {
    let disk = MemoryDisk::new();
    let (mut journal, _) = open(disk.clone(), small_segments(512)).unwrap();
    let heard = |peer, disk, durable| Heard { peer, disk, durable };
    for news in [heard(2, 20, 5), heard(3, 30, 9), heard(2, 20, 4), heard(3, 31, 1)] {
        journal.superblock.hear(news);
    }
    journal.writer.mark().unwrap();
    journal.superblock.hear(heard(2, 20, 6));
    drop(journal);
    let (mut journal, _) = open(disk.clone(), small_segments(512)).unwrap();
    assert_eq!(journal.superblock.heard(), [heard(2, 20, 5), heard(3, 31, 1)]);
    // More than have room are forgotten, and nothing else is.
    (4..100).for_each(|peer| journal.superblock.hear(heard(peer, 1, 1)));
    journal.appender.append(1, 0, b"x");
    journal.commit().unwrap();
    let (journal, _) = open(disk, small_segments(512)).unwrap();
    assert_eq!(journal.superblock.heard().len(), 23);
}

#[test]
fn a_superblock_without_a_journal_is_no_new_directory() {
    let (process, _) = Process::lived(None);
    let mut bare = Process { journal: MemoryDisk::new(), ..process.copy() };
    let problem = bare.start(5).unwrap_err();
    assert!(problem.contains("manifest is damaged at byte 0: the file is missing"), "{problem}");
    let mut bare = Process { home: MemoryDisk::new(), ..process.copy() };
    let problem = bare.start(5).unwrap_err();
    assert!(
        problem.contains("both copies of the superblock are missing although there is a journal"),
        "{problem}"
    );
    assert_eq!(files(&bare.home, ""), Vec::<String>::new(), "nothing is made beside it");
}

#[test]
fn a_superblock_has_these_bytes_in_version_2() {
    let disk = MemoryDisk::new();
    let (journal, _) = open(disk.clone(), small_segments(512)).unwrap();
    journal.superblock.hear(Heard { peer: 2, disk: 0xd2, durable: 77 });
    journal.superblock.keep("name", b"bytes".to_vec()).unwrap();
    let bytes = disk.read("superblock-a").unwrap();
    assert_eq!(bytes, disk.read("superblock-b").unwrap());
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(&bytes[..60]), WATERMARK_GOLDEN);
    assert!(bytes[60..508].iter().all(|byte| *byte == 0));
    assert_eq!(hex(&bytes[508..512]), "9bba6675");
    assert_eq!(hex(&bytes[512..]), CONTENT_GOLDEN);
}

const WATERMARK_GOLDEN: &str = "53796e6f6457747202000000010000000df00000000000000000000000000000000000000000000002000000d2000000000000004d00000000000000";
const CONTENT_GOLDEN: &str = "53796e6f64537570020000000eb103b76e0000008417e67b03000000c10000000000000007000000000000000df0000000000000000000000000000003000000000000000100000000000000000100000001000000000000000df00000000000000000000000000000000000000000000001000000040000006e616d65050000006279746573";
