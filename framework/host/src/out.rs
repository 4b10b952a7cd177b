//! What waits to be sent to a peer.

use crate::transfer::Sending;
use std::rc::Rc;
use tokio::sync::Notify;

/// The most bytes that wait for one peer: what comes when more wait is dropped, as a network would.
const OUT_BYTES_MAX: usize = 64 << 20;

/// What waits to be sent to one peer.
pub(crate) struct Out<M> {
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_connected: bool,
    /// How many connections to it there were.
    pub(crate) connection: u64,
    pub(crate) wake: Rc<Notify>,
    /// Messages that hold a state.
    pub(crate) sending: Sending<M>,
    /// Whether a part of one is in `bytes`: the next waits, so that other frames wait behind few.
    pub(crate) has_part: bool,
}

impl<M> Default for Out<M> {
    fn default() -> Self {
        Out {
            bytes: Vec::new(),
            is_connected: false,
            connection: 0,
            wake: Rc::default(),
            sending: Sending::default(),
            has_part: false,
        }
    }
}

impl<M> Out<M> {
    /// Takes all that waits; `taken` is empty before.
    pub(crate) fn take_bytes(&mut self, taken: &mut Vec<u8>) {
        std::mem::swap(taken, &mut self.bytes);
        if std::mem::take(&mut self.has_part) {
            self.sending.wake.notify_one();
        }
    }

    /// Whether more may wait.
    pub(crate) fn has_room(&self) -> bool {
        self.is_connected && self.bytes.len() < OUT_BYTES_MAX
    }
}
