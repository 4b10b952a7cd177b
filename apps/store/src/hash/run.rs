//! The commands on hashes, as they run.

use super::{Hash, HashOperation, Part, Told};
use crate::Keyspace;
use crate::collection::{Answer, NOT_A_READ, Scan};
use crate::extended::{Extended, Number};
use crate::items::Items;
use crate::strings::{NOT_A_FLOAT, NOT_FINITE, OVERFLOW};
use std::sync::Arc;
use synod_resp::{Reply, parse_integer, write_integer};

const NOT_AN_INTEGER: Reply = Reply::error("ERR hash value is not an integer");
const FIELD_NOT_A_FLOAT: Reply = Reply::error("ERR hash value is not a float");

impl Keyspace {
    pub(crate) fn write_hash(&mut self, operation: &HashOperation<'_>) -> Answer {
        match operation {
            HashOperation::Set { key, pairs, answer } => self.edit(key, |hash: &mut Hash| {
                let new = pairs.pairs().filter(|(field, value)| hash.set(field, Arc::from(*value))).count();
                match answer {
                    Told::New => (Reply::Integer(new as i64), true),
                    Told::Ok => (Reply::OK, true),
                }
            }),
            HashOperation::SetNew { key, field, value } => self.edit(key, |hash: &mut Hash| {
                let is_new = !hash.fields.has(field);
                if is_new {
                    hash.set(field, Arc::from(*value));
                }
                (Reply::Integer(is_new.into()), is_new)
            }),
            HashOperation::Delete { key, fields } => self.edit(key, |hash: &mut Hash| {
                let removed = fields.iter().filter(|field| hash.fields.remove(field).is_some()).count();
                (Reply::Integer(removed as i64), removed > 0)
            }),
            HashOperation::Add { key, field, delta } => self.edit(key, |hash: &mut Hash| {
                let sum = hash.add(field, *delta);
                (sum.clone(), !sum.is_error())
            }),
            HashOperation::AddFloat { key, field, delta } => self.edit(key, |hash: &mut Hash| {
                let sum = hash.add_float(field, delta);
                (sum.clone(), !sum.is_error())
            }),
            // The others read; they come here if they had to keep their place behind a write.
            _ => self.read_hash(operation),
        }
    }

    pub(crate) fn read_hash(&self, operation: &HashOperation<'_>) -> Answer {
        Ok(match operation {
            HashOperation::Value { key, field } => self.view::<Hash>(key)?.tell(field),
            HashOperation::Values { key, fields } => self.view::<Hash>(key)?.tell_each(fields),
            HashOperation::All { key, part } => self.view::<Hash>(key)?.tell_all(*part),
            HashOperation::Has { key, field } => {
                Reply::Integer(self.view::<Hash>(key)?.fields.has(field).into())
            }
            HashOperation::Count { key } => Reply::Integer(self.view::<Hash>(key)?.len() as i64),
            HashOperation::ValueLength { key, field } => {
                let value = self.view::<Hash>(key)?.fields.find(field);
                Reply::Integer(value.map_or(0, |value| value.len() as i64))
            }
            HashOperation::Sample { key, random, count, with_values } => {
                let fields = &self.view::<Hash>(key)?.fields;
                let name = |name: &Arc<[u8]>| Reply::Bulk(name.clone());
                match count {
                    None => fields.pick(*random).map_or(Reply::Null, |field| name(&field.name)),
                    Some(count) => {
                        let picked = fields.sample(*random, *count);
                        if *with_values {
                            let pair = |value: &Arc<[u8]>| Reply::Bulk(value.clone());
                            Reply::Pairs(picked.iter().map(|f| (name(&f.name), pair(&f.value))).collect())
                        } else {
                            Reply::Array(picked.iter().map(|field| name(&field.name)).collect())
                        }
                    }
                }
            }
            HashOperation::Scan { key, cursor, count, pattern } => {
                let hash = self.view::<Hash>(key)?;
                let (cursor, count, pattern) = (*cursor, *count, *pattern);
                Scan { cursor, count, pattern, is_whole: hash.is_compact() }.run(
                    &hash.fields,
                    |field, told| {
                        told.push(Reply::Bulk(field.name.clone()));
                        told.push(Reply::Bulk(field.value.clone()));
                    },
                )
            }
            _ => return Err(NOT_A_READ),
        })
    }
}

impl Hash {
    fn tell(&self, field: &[u8]) -> Reply {
        self.fields.find(field).map_or(Reply::Null, |value| Reply::Bulk(value.clone()))
    }

    fn tell_each(&self, fields: &Items<'_>) -> Reply {
        Reply::Array(fields.iter().map(|field| self.tell(field)).collect())
    }

    fn tell_all(&self, part: Part) -> Reply {
        let fields = self.fields.iter();
        match part {
            Part::Fields => Reply::Array(fields.map(|field| Reply::Bulk(field.name.clone())).collect()),
            Part::Values => Reply::Array(fields.map(|field| Reply::Bulk(field.value.clone())).collect()),
            Part::Both => Reply::Map(
                fields
                    .map(|field| (Reply::Bulk(field.name.clone()), Reply::Bulk(field.value.clone())))
                    .collect(),
            ),
        }
    }

    fn add(&mut self, field: &[u8], delta: i64) -> Reply {
        let Some(old) = self.fields.find(field).map_or(Some(0), |value| parse_integer(value)) else {
            return NOT_AN_INTEGER;
        };
        let Some(sum) = old.checked_add(delta) else { return OVERFLOW };
        let mut text = Vec::with_capacity(20);
        write_integer(&mut text, sum);
        self.set(field, text.into());
        Reply::Integer(sum)
    }

    fn add_float(&mut self, field: &[u8], delta: &[u8]) -> Reply {
        let old = match self.fields.find(field) {
            None => Some(Number::Finite(Extended::ZERO)),
            Some(value) => Extended::parse(value),
        };
        let Some(old) = old else { return FIELD_NOT_A_FLOAT };
        let Some(delta) = Extended::parse(delta) else { return NOT_A_FLOAT };
        let (Number::Finite(old), Number::Finite(delta)) = (old, delta) else { return NOT_FINITE };
        let Some(sum) = old.checked_add(delta) else { return NOT_FINITE };
        let text: Arc<[u8]> = sum.to_text().into_bytes().into();
        self.set(field, text.clone());
        Reply::Bulk(text)
    }
}
