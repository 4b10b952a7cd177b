//! A map from slots: each has its place in one vector, since whatever is asked of a store asks for its slot several times.

use crate::SlotId;

/// What is known of some of the slots. Tables of one store with equal entries are equal.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
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
