//! What the nodes take: disk, memory, descriptors; looked at every second, and never more than the bounds.

use super::cluster::{Cluster, disk_bytes};
use super::findings::{Finding, Findings};
use serde::Serialize;
use std::fs;
use std::time::{Duration, Instant};

/// How often it is looked.
const PERIOD: Duration = Duration::from_secs(1);
/// A directory holds at most twice the live data and 256 MiB. The clients here never have more than 64 MiB alive.
const DISK_BYTES_MAX: u64 = (256 + 2 * 64) << 20;
/// What no node's memory exceeds with so little alive, whatever hostile clients announce.
const MEMORY_BYTES_MAX: u64 = 768 << 20;
/// Clients, hostile ones, peers and files together.
const DESCRIPTORS_MAX: u64 = 1_000;

/// The most that any node took, and the bound.
#[derive(Clone, Copy, Default, Debug, Serialize)]
pub(super) struct Most {
    pub(super) disk_bytes: u64,
    pub(super) memory_bytes: u64,
    pub(super) descriptors: u64,
}

/// The bounds.
pub(super) const BOUNDS: Most =
    Most { disk_bytes: DISK_BYTES_MAX, memory_bytes: MEMORY_BYTES_MAX, descriptors: DESCRIPTORS_MAX };

/// Looks at what the nodes take.
pub(super) struct Bounds {
    pub(super) most: Most,
    /// How often it was looked.
    pub(super) looks: u64,
    next: Instant,
}

impl Bounds {
    pub(super) fn new() -> Bounds {
        Bounds { most: Most::default(), looks: 0, next: Instant::now() }
    }

    /// Looks, if it is time to.
    pub(super) fn look(&mut self, places: &Places, now_us: u64, findings: &Findings) {
        if Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + PERIOD;
        self.looks += 1;
        for (number, data, process) in places.nodes() {
            let took = Most {
                disk_bytes: disk_bytes(&data),
                memory_bytes: memory_bytes(process).unwrap_or(0),
                descriptors: fs::read_dir(format!("/proc/{process}/fd"))
                    .map_or(0, |files| files.count() as u64),
            };
            self.most.disk_bytes = self.most.disk_bytes.max(took.disk_bytes);
            self.most.memory_bytes = self.most.memory_bytes.max(took.memory_bytes);
            self.most.descriptors = self.most.descriptors.max(took.descriptors);
            let over = [
                ("bytes of disk", took.disk_bytes, BOUNDS.disk_bytes),
                ("bytes of memory", took.memory_bytes, BOUNDS.memory_bytes),
                ("descriptors", took.descriptors, BOUNDS.descriptors),
            ];
            for (what, took, bound) in over {
                if took > bound {
                    let text = format!("node {number} takes {took} {what}, more than {bound}");
                    findings.add(Finding::violation("bounds", now_us, text));
                }
            }
        }
    }
}

fn memory_bytes(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

/// Where the nodes' data and processes are.
pub(super) struct Places {
    data: Vec<std::path::PathBuf>,
    processes: std::sync::Arc<Vec<std::sync::atomic::AtomicU32>>,
}

impl Places {
    pub(super) fn of(cluster: &Cluster) -> Places {
        let data = cluster.numbers().into_iter().map(|number| cluster.data(number)).collect();
        Places { data, processes: cluster.processes() }
    }

    fn nodes(&self) -> impl Iterator<Item = (usize, std::path::PathBuf, u32)> {
        let ids = self.processes.iter().map(|id| id.load(std::sync::atomic::Ordering::Relaxed));
        let nodes = self.data.iter().cloned().zip(ids);
        (1..).zip(nodes).map(|(number, (data, id))| (number, data, id))
    }
}
