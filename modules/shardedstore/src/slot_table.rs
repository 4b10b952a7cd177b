//! A map from slots: each has its place in one vector, since whatever is asked of a store asks for its slot several times.

use crate::SlotId;
use crate::slot::SlotRange;
use std::fmt;

/// What is known of some of the slots. Tables of one store with equal entries are equal.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct SlotTable<T> {
    entries: Vec<Option<T>>,
}

impl<T> SlotTable<T> {
    /// A table without entries, for the slots of a store that has `slot_count` of them.
    pub(crate) fn new(slot_count: u16) -> Self {
        SlotTable { entries: std::iter::repeat_with(|| None).take(slot_count.into()).collect() }
    }

    fn place(&mut self, slot: SlotId) -> &mut Option<T> {
        self.entries.get_mut(usize::from(slot.number())).expect("the store has this slot")
    }

    pub(crate) fn find(&self, slot: SlotId) -> Option<&T> {
        self.entries.get(usize::from(slot.number()))?.as_ref()
    }

    pub(crate) fn find_mut(&mut self, slot: SlotId) -> Option<&mut T> {
        self.entries.get_mut(usize::from(slot.number()))?.as_mut()
    }

    pub(crate) fn find_or_insert_with(&mut self, slot: SlotId, new: impl FnOnce() -> T) -> &mut T {
        self.place(slot).get_or_insert_with(new)
    }

    pub(crate) fn insert(&mut self, slot: SlotId, entry: T) {
        *self.place(slot) = Some(entry);
    }

    pub(crate) fn remove(&mut self, slot: SlotId) {
        *self.place(slot) = None;
    }

    pub(crate) fn contains(&self, slot: SlotId) -> bool {
        self.find(slot).is_some()
    }

    /// The entries, in the order of their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SlotId, &T)> {
        (0..).zip(&self.entries).filter_map(|(number, entry)| Some((SlotId::at(number), entry.as_ref()?)))
    }
}

/// A store has thousands of slots, and most are alike: neighbours with equal entries are told as one, as an
/// [`Assignment`](crate::Assignment) tells owners.
impl<T: PartialEq + fmt::Debug> fmt::Debug for SlotTable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        let mut first = 0;
        for run in self.entries.chunk_by(|one, other| one == other) {
            let next = first + run.len();
            if let Some(entry) = &run[0] {
                map.entry(&SlotRange(SlotId::at(first as u16), SlotId::at((next - 1) as u16)), entry);
            }
            first = next;
        }
        map.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_with_equal_entries_are_told_as_one() {
        let mut table = SlotTable::new(16_384);
        assert_eq!(format!("{table:?}"), "{}");
        (0..16_384).for_each(|slot| table.insert(SlotId::at(slot), 'a'));
        assert_eq!(format!("{table:?}"), "{0-16383: 'a'}");
        table.insert(SlotId::at(5), 'b');
        table.remove(SlotId::at(9));
        table.remove(SlotId::at(16_383));
        assert_eq!(format!("{table:?}"), "{0-4: 'a', 5: 'b', 6-8: 'a', 10-16382: 'a'}");
    }
}
