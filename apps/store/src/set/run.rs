//! The commands on sets, as they run.

use super::{How, Members, Set, SetOperation, combine};
use crate::Keyspace;
use crate::collection::{Answer, NOT_A_READ, Scan};
use crate::dictionary::Named;
use crate::items::Items;
use std::sync::Arc;
use synod_resp::Reply;

impl Members for Set {
    fn count(&self) -> usize {
        self.len()
    }

    fn has(&self, member: &[u8]) -> bool {
        self.members.has(member)
    }

    fn names(&self) -> Box<dyn Iterator<Item = &[u8]> + '_> {
        Box::new(self.members.iter().map(|member| &*member.name))
    }
}

fn bulk(member: &Named<()>) -> Reply {
    Reply::Bulk(member.name.clone())
}

impl Keyspace {
    pub(crate) fn write_set(&mut self, operation: &SetOperation<'_>) -> Answer {
        match operation {
            SetOperation::Add { key, members } => self.edit(key, |set: &mut Set| {
                let added = members.iter().filter(|member| set.add(member)).count();
                (Reply::Integer(added as i64), added > 0)
            }),
            SetOperation::Remove { key, members } => self.edit(key, |set: &mut Set| {
                let removed = members.iter().filter(|member| set.members.remove(member).is_some()).count();
                (Reply::Integer(removed as i64), removed > 0)
            }),
            SetOperation::Move { from, to, member } => self.move_member(from, to, member),
            SetOperation::Pop { key, random, count } => self.edit(key, |set: &mut Set| {
                let popped = set.pop(*random, count.unwrap_or(1));
                let is_changed = !popped.is_empty();
                let mut members = popped.into_iter().map(Reply::Bulk);
                match count {
                    None => (members.next().unwrap_or(Reply::Null), is_changed),
                    Some(_) => (Reply::Set(members.collect()), is_changed),
                }
            }),
            SetOperation::Store { to, keys, how } => {
                let members = self.sets(keys)?;
                let set: Set = combine(&members, *how).collect();
                let count = set.len();
                self.store(to, set);
                Ok(Reply::Integer(count as i64))
            }
            // The others read; they come here if they had to keep their place behind a write.
            _ => self.read_set(operation),
        }
    }

    pub(crate) fn read_set(&self, operation: &SetOperation<'_>) -> Answer {
        Ok(match operation {
            SetOperation::All { key } => {
                Reply::Set(self.view::<Set>(key)?.members.iter().map(bulk).collect())
            }
            SetOperation::Has { key, member } => {
                Reply::Integer(self.view::<Set>(key)?.members.has(member).into())
            }
            SetOperation::HasEach { key, members } => {
                let set = self.view::<Set>(key)?;
                let has = |member| Reply::Integer(set.members.has(member).into());
                Reply::Array(members.iter().map(has).collect())
            }
            SetOperation::Count { key } => Reply::Integer(self.view::<Set>(key)?.len() as i64),
            SetOperation::Sample { key, random, count } => {
                let members = &self.view::<Set>(key)?.members;
                match count {
                    None => members.pick(*random).map_or(Reply::Null, bulk),
                    Some(count) => {
                        Reply::Array(members.sample(*random, *count).into_iter().map(bulk).collect())
                    }
                }
            }
            SetOperation::Combine { keys, how } => {
                Reply::Set(combine(&self.sets(keys)?, *how).map(Reply::bulk).collect())
            }
            SetOperation::CountShared { keys, limit } => {
                let limit = match usize::try_from(*limit) {
                    Ok(0) | Err(_) => usize::MAX,
                    Ok(limit) => limit,
                };
                Reply::Integer(combine(&self.sets(keys)?, How::Intersection).take(limit).count() as i64)
            }
            SetOperation::Scan { key, cursor, count, pattern } => {
                let set = self.view::<Set>(key)?;
                let (cursor, count, pattern) = (*cursor, *count, *pattern);
                let scan = Scan { cursor, count, pattern, is_whole: set.is_compact() };
                scan.run(&set.members, |member, told| told.push(bulk(member)))
            }
            _ => return Err(NOT_A_READ),
        })
    }

    /// The sets under `keys`.
    fn sets(&self, keys: &Items<'_>) -> Result<Vec<&Set>, Reply> {
        keys.iter().map(|key| self.view::<Set>(key)).collect()
    }

    fn move_member(&mut self, from: &[u8], to: &[u8], member: &[u8]) -> Answer {
        let source = self.view::<Set>(from)?;
        if source.len() == 0 {
            return Ok(Reply::Integer(0));
        }
        let is_there = source.members.has(member);
        self.view::<Set>(to)?;
        if is_there && from != to {
            self.edit(from, |set: &mut Set| (set.members.remove(member), true))?;
            self.edit(to, |set: &mut Set| {
                let is_new = set.add(member);
                ((), is_new)
            })?;
        }
        Ok(Reply::Integer(is_there.into()))
    }
}

impl Set {
    /// Takes `count` members out, or as many as there are.
    fn pop(&mut self, random: u64, count: u64) -> Vec<Arc<[u8]>> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        // A single one, or several different ones.
        let picked = self.members.sample(random, count);
        let names: Vec<Arc<[u8]>> = picked.into_iter().map(|member| member.name.clone()).collect();
        if names.len() == self.len() {
            *self = Set::new();
        } else {
            for name in &names {
                self.members.remove(name);
            }
        }
        names
    }
}
