//! The parts of a history that are decided apart, by the keys that operations share.
//!
//! Linearizability is local (Herlihy and Wing 1990, theorem 1): a history is linearizable if what each object sees is. A set of
//! keys is one object as long as no operation touches keys of it and others beside. So a part is all that is connected:
//! a key, or the keys that transactions join, directly or by way of others.

use std::collections::BTreeMap;

use crate::bytes::Shown;
use crate::history::Call;
use crate::specification::Specification;

/// Calls that are decided together.
pub(crate) struct Part<'a, S: Specification> {
    /// The keys that they touch, in order; none if some operation may touch anything.
    pub(crate) keys: Vec<&'a [u8]>,
    pub(crate) calls: Vec<Call<'a, S::Op, S::Ret>>,
}

impl<S: Specification> Part<'_, S> {
    /// The part as a person calls it, if it has keys.
    pub(crate) fn name(&self) -> Option<String> {
        let first = Shown(self.keys.first()?);
        Some(match self.keys.len() - 1 {
            0 => first.to_string(),
            others => format!("{first} and {others} that transactions join to it"),
        })
    }
}

/// The parts of a history with these calls, in the order of their first keys.
pub(crate) fn parts<'a, S: Specification>(calls: Vec<Call<'a, S::Op, S::Ret>>) -> Vec<Part<'a, S>> {
    let keys_of: Vec<Vec<&'a [u8]>> = calls.iter().map(|call| S::keys(call.op)).collect();
    if calls.is_empty() {
        return Vec::new();
    }
    if keys_of.iter().any(Vec::is_empty) {
        return vec![Part { keys: Vec::new(), calls }];
    }
    let mut numbers: BTreeMap<&[u8], usize> = keys_of.iter().flatten().map(|key| (*key, 0)).collect();
    for (number, (_, of_key)) in numbers.iter_mut().enumerate() {
        *of_key = number;
    }
    // For each key a smaller one that it is joined to, or itself.
    let mut joined: Vec<usize> = (0..numbers.len()).collect();
    for keys in &keys_of {
        let first = smallest(&mut joined, numbers[keys[0]]);
        keys[1..].iter().fold(first, |first, key| {
            let other = smallest(&mut joined, numbers[key]);
            joined[first.max(other)] = first.min(other);
            first.min(other)
        });
    }
    let mut parts: BTreeMap<usize, Part<'a, S>> = BTreeMap::new();
    for (key, number) in &numbers {
        let part = parts.entry(smallest(&mut joined, *number));
        part.or_insert_with(|| Part { keys: Vec::new(), calls: Vec::new() }).keys.push(key);
    }
    for (call, keys) in calls.into_iter().zip(keys_of) {
        let part = parts.get_mut(&smallest(&mut joined, numbers[keys[0]]));
        part.expect("every key has a part").calls.push(call);
    }
    parts.into_values().collect()
}

/// The smallest key that `key` is joined to. Shortens the way there.
fn smallest(joined: &mut [usize], mut key: usize) -> usize {
    while joined[key] != key {
        joined[key] = joined[joined[key]];
        key = joined[key];
    }
    key
}
