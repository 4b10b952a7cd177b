//! Where records wait for the disk: memory only, cheap, on the thread that runs the nodes.

use crate::format::{HEADER_BYTES, record_bytes};

/// Records on their way to the disk, in order. The bytes are reused from batch to batch.
#[derive(Debug, Default)]
pub struct Batch {
    /// Records as they will be on the disk, except for what only the writer knows of their headers.
    pub(crate) bytes: Vec<u8>,
    pub(crate) first_sequence: u64,
    pub(crate) records: u64,
}

/// What the appender leaves in a header for the writer.
pub(crate) struct Draft {
    pub(crate) kind: u8,
    pub(crate) node: u32,
    pub(crate) length: u32,
}

impl Batch {
    /// Whether it has no record.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// How many bytes it will take on the disk.
    pub fn len_bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.records = 0;
    }

    pub(crate) fn draft(header: &[u8]) -> Draft {
        let word =
            |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        Draft { kind: header[5], length: word(8), node: word(16) }
    }
}

/// Numbers records and keeps them until [`take_batch`](Appender::take_batch).
#[derive(Debug)]
pub struct Appender {
    next_sequence: u64,
    batch: Batch,
}

impl Appender {
    pub(crate) fn new(next_sequence: u64) -> Self {
        Appender { next_sequence, batch: Batch { first_sequence: next_sequence, ..Batch::default() } }
    }

    /// Appends a record of protocol node `node` and returns its sequence number. It is durable once the writer
    /// returned that number or a higher one. `kind` is the caller's.
    ///
    /// # Panics
    /// If the payload does not fit 32 bits of length: a bug of the caller.
    pub fn append(&mut self, node: u32, kind: u8, payload: &[u8]) -> u64 {
        self.append_with(node, kind, |out| out.extend_from_slice(payload))
    }

    /// The same for a payload that `encode` appends to the bytes that it is given, without a copy.
    ///
    /// # Panics
    /// As [`append`](Appender::append), or if `encode` removes bytes.
    pub fn append_with(&mut self, node: u32, kind: u8, encode: impl FnOnce(&mut Vec<u8>)) -> u64 {
        let bytes = &mut self.batch.bytes;
        let start = bytes.len();
        bytes.resize(start + HEADER_BYTES, 0);
        encode(bytes);
        let payload = bytes.len().checked_sub(start + HEADER_BYTES).expect("an encoder only appends");
        let length = u32::try_from(payload).expect("a record has less than 4 GiB");
        bytes.resize(start + record_bytes(payload), 0);
        bytes[start + 5] = kind;
        bytes[start + 8..start + 12].copy_from_slice(&length.to_le_bytes());
        bytes[start + 16..start + 20].copy_from_slice(&node.to_le_bytes());
        self.batch.records += 1;
        self.next_sequence += 1;
        self.next_sequence - 1
    }

    /// The sequence number of the record appended last; that of the journal's last record if there is none.
    pub fn last_sequence(&self) -> u64 {
        self.next_sequence - 1
    }

    /// What waits to be taken.
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// Takes what was appended since the last call, for the writer. `recycled` is an empty batch, best one that the
    /// writer gave back.
    ///
    /// # Panics
    /// If `recycled` has records: they would be lost.
    pub fn take_batch(&mut self, mut recycled: Batch) -> Batch {
        assert!(recycled.is_empty(), "a batch with records is no recycled one");
        recycled.first_sequence = self.next_sequence;
        std::mem::replace(&mut self.batch, recycled)
    }
}
