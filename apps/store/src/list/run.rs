//! The commands on lists, as they run.

use super::{End, List, ListOperation};
use crate::Keyspace;
use crate::collection::{Answer, NO_SUCH_KEY, NOT_A_READ, span_of};
use crate::items::Items;
use std::ops::Range;
use std::sync::Arc;
use synod_resp::Reply;

const INDEX_OUT_OF_RANGE: Reply = Reply::error("ERR index out of range");

impl Keyspace {
    pub(crate) fn write_list(&mut self, operation: &ListOperation<'_>) -> Answer {
        match operation {
            ListOperation::Push { key, elements, end, only_if_present } => {
                self.edit(key, |list: &mut List| {
                    if *only_if_present && list.len() == 0 {
                        return (Reply::Integer(0), false);
                    }
                    elements.iter().for_each(|element| list.push(*end, Arc::from(element)));
                    (Reply::Integer(list.len() as i64), true)
                })
            }
            ListOperation::Pop { key, end, count } => self.edit(key, |list: &mut List| match count {
                None => {
                    let popped = list.pop(*end);
                    let is_changed = popped.is_some();
                    (popped.map_or(Reply::Null, Reply::Bulk), is_changed)
                }
                Some(_) if list.len() == 0 => (Reply::NullArray, false),
                Some(count) => (Reply::Array(list.pop_many(*end, *count)), *count > 0),
            }),
            ListOperation::Set { key, index, element } => self.edit(key, |list: &mut List| {
                if list.len() == 0 {
                    return (NO_SUCH_KEY, false);
                }
                match list.index_of(*index).and_then(|index| list.elements.at_mut(index)) {
                    None => (INDEX_OUT_OF_RANGE, false),
                    Some(old) => {
                        *old = Arc::from(*element);
                        (Reply::OK, true)
                    }
                }
            }),
            ListOperation::Insert { key, is_behind, pivot, element } => {
                self.edit(key, |list: &mut List| list.insert(pivot, *is_behind, element))
            }
            ListOperation::Remove { key, count, element } => self.edit(key, |list: &mut List| {
                let removed = list.remove(*count, element);
                (Reply::Integer(removed as i64), removed > 0)
            }),
            ListOperation::Trim { key, start, end } => self.edit(key, |list: &mut List| {
                let kept = span_of(*start, *end, list.len());
                list.elements.remove_range(kept.end..list.len());
                list.elements.remove_range(0..kept.start);
                (Reply::OK, true)
            }),
            ListOperation::Move { from, to, from_end, to_end } => {
                self.move_element((from, *from_end), (to, *to_end))
            }
            ListOperation::PopOfFirst { keys, end, count } => self.pop_of_first(keys, *end, *count),
            // The others read; they come here if they had to keep their place behind a write.
            _ => self.read_list(operation),
        }
    }

    pub(crate) fn read_list(&self, operation: &ListOperation<'_>) -> Answer {
        Ok(match operation {
            ListOperation::Count { key } => Reply::Integer(self.view::<List>(key)?.len() as i64),
            ListOperation::Range { key, start, end } => {
                let list = self.view::<List>(key)?;
                let elements = list.elements.range(span_of(*start, *end, list.len()));
                Reply::Array(elements.map(|element| Reply::Bulk(element.clone())).collect())
            }
            ListOperation::At { key, index } => {
                let list = self.view::<List>(key)?;
                let element = list.index_of(*index).and_then(|index| list.elements.at(index));
                element.map_or(Reply::Null, |element| Reply::Bulk(element.clone()))
            }
            ListOperation::Find { key, element, rank, count, looked_at_max } => {
                let list = self.view::<List>(key)?;
                let mut found = list.find(element, *rank, *looked_at_max);
                match count {
                    None => found.next().map_or(Reply::Null, |index| Reply::Integer(index as i64)),
                    Some(count) => {
                        let count = if *count == 0 { list.len() as u64 } else { *count };
                        let count = usize::try_from(count).unwrap_or(usize::MAX);
                        Reply::Array(found.take(count).map(|index| Reply::Integer(index as i64)).collect())
                    }
                }
            }
            _ => return Err(NOT_A_READ),
        })
    }

    fn move_element(&mut self, (from, from_end): (&[u8], End), (to, to_end): (&[u8], End)) -> Answer {
        if self.view::<List>(from)?.len() == 0 {
            return Ok(Reply::Null);
        }
        if from == to {
            return self.edit(from, |list: &mut List| match list.pop(from_end) {
                None => (Reply::Null, false),
                Some(element) => {
                    list.push(to_end, element.clone());
                    (Reply::Bulk(element), true)
                }
            });
        }
        // Nothing is taken if it cannot be put.
        self.view::<List>(to)?;
        let popped = self.edit(from, |list: &mut List| (list.pop(from_end), true))?;
        let Some(element) = popped else { return Ok(Reply::Null) };
        self.edit(to, |list: &mut List| (list.push(to_end, element.clone()), true))?;
        Ok(Reply::Bulk(element))
    }

    fn pop_of_first(&mut self, keys: &Items<'_>, end: End, count: u64) -> Answer {
        for key in keys.iter() {
            if self.view::<List>(key)?.len() > 0 {
                let popped = self.edit(key, |list: &mut List| (list.pop_many(end, count), count > 0))?;
                return Ok(Reply::Array(vec![Reply::bulk(key), Reply::Array(popped)]));
            }
        }
        Ok(Reply::NullArray)
    }
}

impl List {
    fn push(&mut self, end: End, element: Arc<[u8]>) {
        match end {
            End::Left => self.elements.insert(0, element),
            End::Right => self.elements.push(element),
        }
    }

    fn pop(&mut self, end: End) -> Option<Arc<[u8]>> {
        match end {
            End::Left => self.elements.remove(0),
            End::Right => self.elements.remove(self.len().checked_sub(1)?),
        }
    }

    fn pop_many(&mut self, end: End, count: u64) -> Vec<Reply> {
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.len());
        let bulk = |element: &Arc<[u8]>| Reply::Bulk(element.clone());
        let span: Range<usize> = match end {
            End::Left => 0..count,
            End::Right => self.len() - count..self.len(),
        };
        let elements = self.elements.range(span.clone());
        let popped = match end {
            End::Left => elements.map(bulk).collect(),
            End::Right => elements.rev().map(bulk).collect(),
        };
        self.elements.remove_range(span);
        popped
    }

    /// The index from the front that `index` means, which counts from the end if it is negative.
    fn index_of(&self, index: i64) -> Option<usize> {
        let index = if index < 0 { index.checked_add(self.len() as i64)? } else { index };
        usize::try_from(index).ok().filter(|index| *index < self.len())
    }

    /// Puts `element` beside the first that is equal to `pivot`.
    fn insert(&mut self, pivot: &[u8], is_behind: bool, element: &[u8]) -> (Reply, bool) {
        if self.len() == 0 {
            return (Reply::Integer(0), false);
        }
        match self.elements.iter().position(|other| **other == *pivot) {
            None => (Reply::Integer(-1), false),
            Some(index) => {
                self.elements.insert(index + usize::from(is_behind), Arc::from(element));
                (Reply::Integer(self.len() as i64), true)
            }
        }
    }

    /// The indices of the elements that are equal to `element`, from the `rank`-th on in the direction of its sign.
    fn find<'b>(
        &'b self,
        element: &'b [u8],
        rank: i64,
        looked_at_max: u64,
    ) -> Box<dyn Iterator<Item = usize> + 'b> {
        let is_equal = move |found: &(usize, &Arc<[u8]>)| *found.1.as_ref() == *element;
        let looked_at = match usize::try_from(looked_at_max) {
            Ok(0) | Err(_) => self.len(),
            Ok(max) => max,
        };
        let skipped = usize::try_from(rank.unsigned_abs()).unwrap_or(usize::MAX).saturating_sub(1);
        let elements = self.elements.iter().enumerate();
        if rank < 0 {
            Box::new(elements.rev().take(looked_at).filter(is_equal).skip(skipped).map(|(index, _)| index))
        } else {
            Box::new(elements.take(looked_at).filter(is_equal).skip(skipped).map(|(index, _)| index))
        }
    }

    fn remove(&mut self, count: i64, element: &[u8]) -> usize {
        let most = match usize::try_from(count.unsigned_abs()) {
            Ok(0) | Err(_) => usize::MAX,
            Ok(most) => most,
        };
        let mut indices: Vec<usize> =
            self.find(element, if count < 0 { -1 } else { 1 }, 0).take(most).collect();
        indices.sort_unstable();
        for index in indices.iter().rev() {
            self.elements.remove(*index);
        }
        indices.len()
    }
}
