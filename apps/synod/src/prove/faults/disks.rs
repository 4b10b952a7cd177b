//! Disks that are slow, full, or lost; power that fails.

use super::{Conductor, Stop, nodes};
use crate::prove::proxy::Weather;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use synod_stdx::Rng;

/// So many threads write beside the nodes, and sync.
const WRITERS: usize = 3;
/// How much each writes between two syncs.
const WRITE_BYTES: usize = 4 << 20;
/// How long a node may go on with a disk that takes nothing more.
const NOTICE_MAX: Duration = Duration::from_secs(5);

/// Writes and syncs until it is told to end. The file is gone then.
fn keep_disk_busy(path: PathBuf, is_over: &AtomicBool) -> std::io::Result<()> {
    let mut file = fs::File::create(&path)?;
    let piece = vec![0x5a; WRITE_BYTES];
    let mut written = 0;
    while !is_over.load(Ordering::Relaxed) {
        file.write_all(&piece)?;
        file.sync_all()?;
        written += WRITE_BYTES;
        if written > 64 * WRITE_BYTES {
            file.set_len(0)?;
            written = 0;
        }
    }
    fs::remove_file(path)
}

impl Conductor<'_> {
    /// Others write to the nodes' disks, and sync, as fast as they take it.
    pub(super) fn slow_disk(
        &mut self,
        lasts: Duration,
        rng: &mut Rng,
        what: &mut String,
    ) -> Result<(), Stop> {
        let node = self.any(rng);
        *what = format!("{WRITERS} writers keep the disk of node {node} busy with syncs");
        let is_over = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let path = self.cluster.place(node).join(format!("busy-{writer}"));
                let is_over = Arc::clone(&is_over);
                std::thread::spawn(move || keep_disk_busy(path, &is_over))
            })
            .collect();
        let held = self.hold(lasts);
        is_over.store(true, Ordering::Relaxed);
        for writer in writers {
            if let Ok(Err(error)) = writer.join() {
                return Err(Stop::LeftOut(format!("the disk cannot be kept busy: {error}")));
            }
        }
        held
    }

    /// The system lets a node write nothing more, as if its disk were full. The node must end, and say why; then there is
    /// room again.
    pub(super) fn full_disk(
        &mut self,
        lasts: Duration,
        rng: &mut Rng,
        what: &mut String,
    ) -> Result<(), Stop> {
        let node = if rng.chance(500) { self.leader(rng) } else { self.any(rng) };
        *what = format!("the disk of node {node} takes nothing more");
        let process = self.cluster.pid(node);
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: a plain system call that reads one structure and writes none.
        let limited =
            unsafe { libc::prlimit(process, libc::RLIMIT_FSIZE, &raw const none, std::ptr::null_mut()) };
        if limited != 0 {
            return Err(Stop::LeftOut(format!("prlimit: {}", std::io::Error::last_os_error())));
        }
        let began = Instant::now();
        let mut ended = None;
        while began.elapsed() < lasts.max(NOTICE_MAX) {
            ended = ended.or_else(|| self.cluster.ended(node));
            if ended.is_some() && began.elapsed() >= lasts {
                break;
            }
            self.glance()?;
        }
        let words = self.cluster.last_words(node);
        match ended {
            None => Err(Stop::Broken(format!("node {node} goes on with a disk that takes nothing"))),
            Some(status) if status.success() => {
                Err(Stop::Broken(format!("node {node} ended as if all were well: {words}")))
            }
            Some(status) => {
                *what = format!("the disk of node {node} takes nothing more; it ended with {status}");
                Ok(self.cluster.start_node(node)?)
            }
        }
    }

    /// A node loses its disk, and comes back with an empty one.
    pub(super) fn lost_disk(
        &mut self,
        lasts: Duration,
        rng: &mut Rng,
        what: &mut String,
    ) -> Result<(), Stop> {
        let node = if rng.chance(500) { self.leader(rng) } else { self.any(rng) };
        let is_told = rng.chance(300);
        let told = if is_told { ", told of it by its file" } else { "" };
        *what = format!("kill -9 of node {node}, whose disk is lost; it comes back with an empty one{told}");
        self.cluster.kill(node);
        self.cluster.lose_disk(node, is_told)?;
        self.hold(lasts)?;
        Ok(self.cluster.start_node(node)?)
    }

    /// A node loses its disk while a minority lags; then only it and the minority are there. Together they are a majority, but
    /// the node knows nothing any more: they must wait for one who does.
    pub(super) fn lost_disk_behind(
        &mut self,
        lasts: Duration,
        rng: &mut Rng,
        what: &mut String,
    ) -> Result<(), Stop> {
        let mut all = self.cluster.numbers();
        rng.shuffle(&mut all);
        let minority = all.len() - (all.len() / 2 + 1);
        let (lagging, rest) = all.split_at(minority);
        let (lost, keepers) = (rest[0], &rest[1..]);
        *what = format!(
            "{} cut off; then node {lost} loses its disk and {} die, and those come back without these",
            nodes(lagging),
            nodes(keepers)
        );
        let network = &self.cluster.network;
        let links = [network.between(lagging, rest), network.between(rest, lagging)].concat();
        network.set(&links, Weather::Cut);
        let held = self.await_service(self.shared.now_us()).and_then(|_| self.hold(lasts));
        for node in rest {
            self.cluster.kill(*node);
        }
        // Else it would ask the others for its incarnation first, and vote for nothing meanwhile.
        self.cluster.lose_disk(lost, true)?;
        self.cluster.network.heal();
        self.cluster.start_node(lost)?;
        let held = held.and_then(|()| self.hold(lasts + Duration::from_secs(1)));
        for node in keepers {
            self.cluster.start_node(*node)?;
        }
        held
    }

    /// All nodes, or a majority, lose their power: what they wrote and did not sync is gone.
    pub(super) fn lose_power(
        &mut self,
        lasts: Duration,
        rng: &mut Rng,
        what: &mut String,
    ) -> Result<(), Stop> {
        if let Some(why) = self.cluster.keeps_power() {
            return Err(Stop::LeftOut(why));
        }
        let chosen = if rng.chance(600) { self.cluster.numbers() } else { self.majority(rng) };
        *what = format!("{} lose their power, and what they did not sync", nodes(&chosen));
        chosen.iter().for_each(|node| self.cluster.signal(*node, libc::SIGKILL));
        for node in &chosen {
            self.cluster.wait_end(*node);
        }
        for node in &chosen {
            self.cluster.lose_unsynced(*node)?;
        }
        self.hold(lasts)?;
        Ok(chosen.into_iter().try_for_each(|node| self.cluster.start_node(node))?)
    }
}
