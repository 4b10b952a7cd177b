//! Reality chooses: real processes, sockets, clocks and disks drive the nodes. The shell around the pure core.
//!
//! A [`Host`] runs the protocol nodes of one process, all on one thread: what arrives, what fires and what users ask
//! becomes a stimulus, the node takes its step, its effects go to the journal, the timers and the connections. The step
//! is the one that was simulated and checked; the [`Outbox`](synod_node::Outbox) that holds promises back until they
//! are durable is the simulator's too.
//!
//! # One turn
//! Whatever woke the thread, the nodes take all the steps that can be taken now; then, once, the records that came of
//! it go to the disk thread as one batch, and the messages to each peer as one write. While the disk works on a batch
//! the next one gathers: group commit without a timer. Under load batches grow; an idle host adds no delay.
//!
//! # Between processes
//! Each process dials each other one and sends over the connection that it dialed. A connection begins with a
//! handshake that names protocol version, cluster, both nodes, the sender's incarnation and its start; whoever does not
//! fit is refused with a named reason ([`Refusal`]), counted and logged. After it come frames: length, checksum,
//! sender, receiver, message. A frame that does not check out ends the connection, never the process. A peer that is
//! away or slow loses messages once its buffer is full: the protocols expect that of a network.
//!
//! # Who may come
//! With a [`Key`], peers shake hands by it and all that they say is sealed (`seal.rs`): whoever has not the key is refused, and
//! reads nothing. Without one, whoever reaches the port and knows the cluster's name is a peer.
//!
//! # On disk
//! One journal for all nodes of the process, a superblock beside it (see `synod-journal`), and a file lock. A disk that
//! fails ends the process: nobody knows any more what is durable.
//!
//! A disk that was put back to an older copy as a whole shows nothing of it. So each process keeps which starts of its
//! peers' disks it has seen, and up to which record their journals were durable: each frame says so. A process that dials
//! is told that in the answer, and compares it with its superblock, which has its latest starts. Where the peer has seen
//! what the disk knows nothing of, the process stops before it says another word to that peer, and none ever starts with
//! this disk again. A peer that was away all the time since the copy was made cannot tell.
//!
//! # What is recorded
//! A host may record what comes to its nodes, and a digest of what they do (`recorder.rs`, [`synod_world::Recording`]). The line of
//! a step is with the system before the step is taken, so that the step in which a process ends is there too. A node's
//! [`Resident::built`] says how it was built: with that, what happened can be let happen again elsewhere.
//!
//! # Large states
//! A message that holds a whole state ([`Wire::is_bulky`](synod_stdx::Wire::is_bulky)) goes in numbered parts, between the
//! other frames of its connection (`transfer.rs`, `carrier.rs`). Threads encode and decode it part by part, so that neither
//! the loop nor the memory pays for its size. The receiver acknowledges what it has read; no more than a window of parts is
//! under way, and a connection that broke is followed by one on which the transfer goes on.

mod boot;
mod carrier;
mod clock;
mod core;
mod counters;
mod data;
mod disk;
mod disk_thread;
pub mod frame;
mod guests;
mod host;
mod out;
mod peers;
mod recorder;
mod repeats;
mod retransmission;
mod seal;
#[cfg(test)]
mod tests;
mod transfer;

pub use boot::draw;
pub use core::{Hosted, Resident, TellClock};
pub use counters::Counters;
pub use data::{inspect, prepare, prior, set_aside};
pub use disk::{FileDisk, LOCK};
pub use frame::Refusal;
pub use guests::{Answer, Guest, Introduction, Unanswered, answer_guests, ask_as_guest};
pub use host::{Host, HostConfig, HostError, Opened, Peer, Stopped};
pub use recorder::part_before;
pub use seal::Key;
pub use synod_journal::{Error as DataError, Identity, Inspection, Prior};
