//! The disk's own threads: one makes batches of records durable, one stores checkpoints, one makes segments ahead. Each
//! ends the host's service when the disk fails; nothing is tried again.

use std::sync::mpsc;
use std::thread;
use std::time::Instant;
use synod_journal::{Batch, Checkpointer, Disk, Durable, SpareOrder, Stored, Writer};
use tokio::sync::mpsc::UnboundedSender;

/// What the disk says to the event loop.
pub(crate) enum DiskNews {
    /// A batch is durable; the batch comes back empty.
    Durable {
        /// The last record that is durable.
        durable: Durable,
        /// To be filled again.
        batch: Batch,
        /// How long it took, in microseconds.
        us: u64,
    },
    /// A checkpoint is durable.
    Checkpointed {
        /// Its number.
        number: u64,
        /// Whose it is.
        node: u32,
        /// Its size.
        bytes: usize,
    },
    /// The journal holds more than it should, because of these nodes: each needs a checkpoint.
    Pinned(Vec<u32>),
    /// A segment is wanted ahead.
    Wants(SpareOrder),
    /// The disk failed: in words.
    Failed(String),
}

enum Work {
    Write(Batch),
    Release(Stored),
    Take(SpareOrder),
    Bind(u64),
    Mark,
}

/// Gives a checkpoint's content part by part, as long as it is told to go on.
pub(crate) type Encode = dyn FnOnce(&mut dyn FnMut(&[u8]) -> bool) + Send;

/// A checkpoint to be stored: encoding it is the checkpoint thread's work too.
pub(crate) struct StoreCheckpoint {
    pub(crate) number: u64,
    pub(crate) node: u32,
    pub(crate) covered: Durable,
    pub(crate) encode: Box<Encode>,
}

/// The event loop's end of the threads.
pub(crate) struct DiskThreads {
    work: mpsc::Sender<Work>,
    checkpoints: mpsc::Sender<StoreCheckpoint>,
    spares: mpsc::Sender<SpareOrder>,
}

impl DiskThreads {
    /// Starts the threads. They end when this value is dropped.
    pub(crate) fn start<D: Disk + Clone + Send + 'static>(
        writer: Writer<D>,
        checkpointer: Checkpointer<D>,
        news: UnboundedSender<DiskNews>,
    ) -> std::io::Result<DiskThreads> {
        let (work, work_in) = mpsc::channel();
        let (checkpoints, checkpoints_in) = mpsc::channel();
        let (spares, spares_in) = mpsc::channel();
        let (release, checkpoint_news) = (work.clone(), news.clone());
        let (take, spare_news, maker) = (work.clone(), news.clone(), checkpointer.clone());
        thread::Builder::new()
            .name("journal".into())
            .spawn(move || write_batches(writer, &work_in, &news))?;
        thread::Builder::new().name("spares".into()).spawn(move || {
            give_way();
            make_spares(&maker, &spares_in, (&take, &spare_news));
        })?;
        thread::Builder::new().name("checkpoints".into()).spawn(move || {
            give_way();
            store_checkpoints(&checkpointer, &checkpoints_in, (&release, &checkpoint_news));
        })?;
        Ok(DiskThreads { work, checkpoints, spares })
    }

    pub(crate) fn write(&self, batch: Batch) {
        // A thread that ended has said why before.
        let _ = self.work.send(Work::Write(batch));
    }

    /// Lets the journal know of the superblock of this number.
    pub(crate) fn bind(&self, superblock: u64) {
        let _ = self.work.send(Work::Bind(superblock));
    }

    /// Lets the superblock's watermark move, also where no batch comes.
    pub(crate) fn mark(&self) {
        let _ = self.work.send(Work::Mark);
    }

    pub(crate) fn make_spare(&self, order: SpareOrder) {
        let _ = self.spares.send(order);
    }

    pub(crate) fn checkpoint(&self, checkpoint: StoreCheckpoint) {
        let _ = self.checkpoints.send(checkpoint);
    }
}

/// This thread's work can wait: whoever answers somebody goes first.
pub(crate) fn give_way() {
    const LESS_URGENT: i32 = 10;
    // Under Linux it concerns the calling thread alone. Where it is refused, all are as urgent as before.
    // SAFETY: it takes and returns a number.
    let _ = unsafe { libc::nice(LESS_URGENT) };
}

fn write_batches<D: Disk>(
    mut writer: Writer<D>,
    work: &mpsc::Receiver<Work>,
    news: &UnboundedSender<DiskNews>,
) {
    loop {
        if let Some(order) = writer.order_spare() {
            let _ = news.send(DiskNews::Wants(order));
        }
        let outcome = match work.recv() {
            Err(mpsc::RecvError) => return,
            Ok(Work::Write(mut batch)) => {
                let begin = Instant::now();
                writer.write(&mut batch).map(|durable| {
                    let us = begin.elapsed().as_micros() as u64;
                    let _ = news.send(DiskNews::Durable { durable, batch, us });
                })
            }
            Ok(Work::Release(stored)) => writer.release(stored),
            Ok(Work::Bind(superblock)) => writer.bind(superblock),
            Ok(Work::Mark) => writer.mark(),
            Ok(Work::Take(made)) => {
                writer.take_spare(made);
                Ok(())
            }
        };
        if let Err(error) = outcome {
            let _ = news.send(DiskNews::Failed(error.to_string()));
            return;
        }
        let pinning = writer.pinning();
        if !pinning.is_empty() {
            let _ = news.send(DiskNews::Pinned(pinning));
        }
    }
}

fn make_spares<D: Disk>(
    maker: &Checkpointer<D>,
    orders: &mpsc::Receiver<SpareOrder>,
    (take, news): (&mpsc::Sender<Work>, &UnboundedSender<DiskNews>),
) {
    while let Ok(order) = orders.recv() {
        match maker.make_spare(&order) {
            Ok(()) => {
                let _ = take.send(Work::Take(order));
            }
            Err(error) => {
                let _ = news.send(DiskNews::Failed(error.to_string()));
                return;
            }
        }
    }
}

fn store_checkpoints<D: Disk>(
    checkpointer: &Checkpointer<D>,
    work: &mpsc::Receiver<StoreCheckpoint>,
    (release, news): (&mpsc::Sender<Work>, &UnboundedSender<DiskNews>),
) {
    while let Ok(StoreCheckpoint { number, node, covered, encode }) = work.recv() {
        match checkpointer.store_parts(node, covered, encode) {
            Ok(stored) => {
                let bytes = usize::try_from(stored.bytes()).unwrap_or(usize::MAX);
                let _ = release.send(Work::Release(stored));
                let _ = news.send(DiskNews::Checkpointed { number, node, bytes });
            }
            Err(error) => {
                let _ = news.send(DiskNews::Failed(error.to_string()));
                return;
            }
        }
    }
}
