//! Nodes that end while their process goes on.

use super::{Core, Due};
use crate::Hosted;
use std::cmp::Reverse;
use synod_node::NodeId;

impl<N: Hosted> Core<N> {
    /// Ends a node that has no part in anything any more, and drops what it wrote.
    pub(crate) fn end(&mut self, id: NodeId) {
        let Some(gone) = self.place(id) else { return };
        self.places.remove(gone);
        let place_now = |place: usize| (place != gone).then(|| place - usize::from(place > gone));
        let timers = std::mem::take(&mut self.timers).into_iter();
        let moved = timers.filter_map(|Reverse(due)| Some(Due { place: place_now(due.place)?, ..due }));
        self.timers = moved.map(Reverse).collect();
        let said = std::mem::take(&mut self.local).into_iter();
        self.local = said.filter_map(|(to, from, said)| Some((place_now(to)?, from, said))).collect();
        self.drop_log(id);
    }

    /// Lets nothing take the place of everything that a node wrote that is no more, as far as it is durable: what is on its way
    /// goes when it is [in the way](crate::disk_thread::DiskNews::Pinned), or at the next start.
    pub(crate) fn drop_log(&mut self, id: NodeId) {
        self.order_checkpoint(id, Box::new(|_| {}));
    }
}
