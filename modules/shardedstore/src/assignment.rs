//! Which group owns which slots, and how that changes with the groups.

use crate::slot::SlotRange;
use crate::{GroupId, SLOT_COUNT, SlotId};
use std::collections::BTreeMap;
use std::fmt;
use synod_stdx::{Malformed, Reader, Wire, Writer};

/// Consecutive slots of one owner.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Run {
    /// The first slot.
    pub first: SlotId,
    /// The last slot, not before the first.
    pub last: SlotId,
    /// Who owns them.
    pub owner: GroupId,
}

/// The owner of each slot. Kept as runs: neighbours with one owner are one run, so equal assignments are equal values.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Assignment {
    /// Where each run begins, and its owner; begins with slot 0.
    starts: Vec<(u16, GroupId)>,
    slot_count: u16,
}

impl Assignment {
    /// All of `slot_count` slots to one group.
    ///
    /// # Panics
    /// If there are no slots.
    pub fn whole(slot_count: u16, owner: GroupId) -> Self {
        assert!(slot_count > 0, "an assignment of nothing");
        Assignment { starts: vec![(0, owner)], slot_count }
    }

    fn from_owners(owners: &[GroupId]) -> Self {
        let mut starts: Vec<(u16, GroupId)> = Vec::new();
        for (slot, owner) in (0..).zip(owners) {
            if starts.last().is_none_or(|(_, last)| last != owner) {
                starts.push((slot, *owner));
            }
        }
        Assignment { starts, slot_count: owners.len() as u16 }
    }

    fn owners(&self) -> Vec<GroupId> {
        self.runs().flat_map(|run| (run.first.number()..=run.last.number()).map(move |_| run.owner)).collect()
    }

    /// How many slots there are.
    pub fn slot_count(&self) -> u16 {
        self.slot_count
    }

    /// Who owns `slot`; `None` if there are not so many.
    pub fn owner(&self, slot: SlotId) -> Option<GroupId> {
        let number = slot.number();
        let behind = self.starts.partition_point(|(start, _)| *start <= number);
        (number < self.slot_count).then(|| self.starts[behind - 1].1)
    }

    /// The runs, in the order of their slots.
    pub fn runs(&self) -> impl Iterator<Item = Run> {
        let ends = self.starts.iter().skip(1).map(|(start, _)| *start).chain([self.slot_count]);
        self.starts.iter().zip(ends).map(|((start, owner), end)| Run {
            first: SlotId::at(*start),
            last: SlotId::at(end - 1),
            owner: *owner,
        })
    }

    /// How many slots each of its owners has.
    pub fn counts(&self) -> BTreeMap<GroupId, usize> {
        let mut counts = BTreeMap::new();
        for Run { first, last, owner } in self.runs() {
            *counts.entry(owner).or_default() += usize::from(last.number() - first.number()) + 1;
        }
        counts
    }

    /// The same with the slots from `first` to `last` at `owner`.
    #[must_use]
    pub(crate) fn moved(&self, (first, last): (u16, u16), owner: GroupId) -> Self {
        let mut owners = self.owners();
        owners[usize::from(first)..=usize::from(last)].fill(owner);
        Assignment::from_owners(&owners)
    }

    /// Balanced over `groups`, which are all that there are: two of them differ by one slot at most, and as few slots
    /// move as that allows.
    ///
    /// Of `n` slots and `k` groups, `n mod k` groups get one slot more than the others: those that own most now, the
    /// lower name first. Whoever owns more than its part gives its highest slots; whoever owns less takes them in the
    /// order of names, so that what moves together stays together.
    ///
    /// # Panics
    /// If there are no groups.
    #[must_use]
    pub(crate) fn balanced(&self, groups: &[GroupId]) -> Self {
        assert!(!groups.is_empty(), "slots are owned by somebody");
        let counts = self.counts();
        let owned = |group: &GroupId| counts.get(group).copied().unwrap_or(0);
        let mut by_size: Vec<GroupId> = groups.to_vec();
        by_size.sort_by_key(|group| (std::cmp::Reverse(owned(group)), *group));
        let (part, more) =
            (usize::from(self.slot_count) / groups.len(), usize::from(self.slot_count) % groups.len());
        let parts = by_size.iter().enumerate().map(|(at, group)| (*group, part + usize::from(at < more)));
        let parts: BTreeMap<GroupId, usize> = parts.collect();
        // How many slots each gives; who is no group any more gives all.
        let mut surplus: BTreeMap<GroupId, usize> = counts
            .iter()
            .map(|(group, count)| (*group, count.saturating_sub(parts.get(group).copied().unwrap_or(0))))
            .collect();
        let mut owners = self.owners();
        let mut free: Vec<usize> = Vec::new();
        for at in (0..owners.len()).rev() {
            let left = surplus.get_mut(&owners[at]).expect("each owner is counted");
            if *left > 0 {
                *left -= 1;
                free.push(at);
            }
        }
        let takers = parts
            .iter()
            .flat_map(|(group, part)| std::iter::repeat_n(*group, part.saturating_sub(owned(group))));
        for (at, taker) in free.into_iter().rev().zip(takers) {
            owners[at] = taker;
        }
        Assignment::from_owners(&owners)
    }

    /// How many slots have another owner in `other`.
    pub fn distance(&self, other: &Assignment) -> usize {
        self.owners().iter().zip(other.owners()).filter(|(one, two)| *one != two).count()
    }
}

impl fmt::Debug for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Run { first, last, owner }) in self.runs().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(f, "{comma}{:?}:{owner}", SlotRange(first, last))?;
        }
        Ok(())
    }
}

impl Wire for Assignment {
    fn encode(&self, out: &mut Writer<'_>) {
        u32::from(self.slot_count).encode(out);
        let starts: Vec<(u32, GroupId)> =
            self.starts.iter().map(|(start, owner)| (u32::from(*start), *owner)).collect();
        starts.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let slot_count = u32::decode(input)?;
        let starts = Vec::<(u32, GroupId)>::decode(input)?;
        let is_rising = starts.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 != pair[1].1);
        let is_whole = starts.first().is_some_and(|(start, _)| *start == 0)
            && starts.last().is_some_and(|(start, _)| *start < slot_count);
        let known = u16::try_from(slot_count).ok().filter(|count| *count <= SLOT_COUNT);
        let slot_count = known.ok_or(Malformed("too many slots"))?;
        if !(is_rising && is_whole) {
            return Err(Malformed("no such assignment"));
        }
        Ok(Assignment {
            starts: starts.into_iter().map(|(start, owner)| (start as u16, owner)).collect(),
            slot_count,
        })
    }
}
