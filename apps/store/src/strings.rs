//! The commands on strings, as they run.

use crate::Keyspace;
use crate::collection::{Answer, WRONG_TYPE};
use crate::extended::{Extended, Number};
use crate::key::Probe;
use crate::operation::{Expiry, Operation, SetAnswer, When};
use crate::value::Value;
use std::num::NonZeroU64;
use std::sync::Arc;
use synod_resp::{Reply, parse_integer, write_integer};

pub(crate) const NOT_AN_INTEGER_TEXT: &str = "ERR value is not an integer or out of range";
pub(crate) const NOT_AN_INTEGER: Reply = Reply::error(NOT_AN_INTEGER_TEXT);
pub(crate) const NOT_A_FLOAT: Reply = Reply::error("ERR value is not a valid float");
pub(crate) const OVERFLOW: Reply = Reply::error("ERR increment or decrement would overflow");
pub(crate) const NOT_FINITE: Reply = Reply::error("ERR increment would produce NaN or Infinity");
const TOO_LONG: Reply = Reply::error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");

impl Keyspace {
    /// Runs `operation` if it is one that writes strings.
    pub(crate) fn write_string(&mut self, operation: &Operation<'_>, now_ms: u64) -> Option<Reply> {
        self.try_write_string(operation, now_ms).map(|answer| answer.unwrap_or_else(|error| error))
    }

    fn try_write_string(&mut self, operation: &Operation<'_>, now_ms: u64) -> Option<Answer> {
        Some(match operation {
            Operation::Set { .. } => self.set(operation, now_ms)?,
            Operation::GetDel { key } => {
                let probe = Probe::new(key);
                let old = self.string(&probe).map(bulk_or_null);
                if old.as_ref().is_ok_and(|reply| *reply != Reply::Null) {
                    self.remove(&probe);
                }
                old
            }
            Operation::GetEx { key, expiry } => self.get_and_expire(&Probe::new(key), *expiry, now_ms),
            Operation::MSet { pairs } => {
                for (key, value) in pairs.pairs() {
                    self.space.put(&Probe::new(key), Value::string(value), None);
                }
                Ok(Reply::OK)
            }
            Operation::MSetNx { pairs } => {
                let is_free = pairs.pairs().all(|(key, _)| self.find(&Probe::new(key)).is_none());
                if is_free {
                    for (key, value) in pairs.pairs() {
                        self.space.put(&Probe::new(key), Value::string(value), None);
                    }
                }
                Ok(Reply::Integer(is_free.into()))
            }
            Operation::Append { key, value, value_bytes_max } => self.append(key, value, *value_bytes_max),
            Operation::SetRange { key, offset, value, value_bytes_max } => {
                self.set_range(&Probe::new(key), (*offset, *value_bytes_max), value)
            }
            Operation::Add { key, delta } => self.add(&Probe::new(key), *delta),
            Operation::AddFloat { key, delta } => self.add_float(&Probe::new(key), delta),
            _ => return None,
        })
    }

    /// Answers `operation` if it is one that reads strings.
    pub(crate) fn read_string(&self, operation: &Operation<'_>) -> Option<Reply> {
        let answer = match operation {
            Operation::Get { key } | Operation::GetEx { key, .. } => {
                self.string(&Probe::new(key)).map(bulk_or_null)
            }
            Operation::MGet { keys } => {
                // What is no string is told as if it were not there.
                let tell = |key| self.string(&Probe::new(key)).map_or(Reply::Null, bulk_or_null);
                Ok(Reply::Array(keys.iter().map(tell).collect()))
            }
            Operation::StrLen { key } => self
                .string(&Probe::new(key))
                .map(|bytes| Reply::Integer(bytes.map_or(0, |bytes| bytes.len() as i64))),
            Operation::GetRange { key, start, end } => self
                .string(&Probe::new(key))
                .map(|bytes| Reply::bulk(bytes.map_or(&[][..], |bytes| range_of(bytes, *start, *end)))),
            _ => return None,
        };
        Some(answer.unwrap_or_else(|error| error))
    }

    /// The string under a key, if there is one.
    fn string(&self, probe: &Probe<'_>) -> Result<Option<&Arc<[u8]>>, Reply> {
        self.find(probe).map(|entry| entry.value.as_string().ok_or(WRONG_TYPE)).transpose()
    }

    fn set(&mut self, operation: &Operation<'_>, now_ms: u64) -> Option<Answer> {
        let Operation::Set { key, value, when, expiry, answer } = operation else { return None };
        let probe = Probe::new(key);
        let old = self.find(&probe);
        let is_set = match when {
            When::Always => true,
            When::IfAbsent => old.is_none(),
            When::IfPresent => old.is_some(),
        };
        let reply = match answer {
            SetAnswer::Ok if is_set => Reply::OK,
            SetAnswer::Ok => Reply::Null,
            SetAnswer::Old => match self.string(&probe) {
                Ok(old) => bulk_or_null(old),
                Err(error) => return Some(Err(error)),
            },
            SetAnswer::Flag => Reply::Integer(is_set.into()),
        };
        if is_set {
            let kept = old.and_then(|entry| entry.expires_at_ms);
            match (expiry, expiry.deadline_ms(now_ms)) {
                // What is set to expire in the past is gone at once.
                (_, Some(at_ms)) if at_ms <= now_ms => drop(self.space.remove(&probe)),
                (_, Some(at_ms)) => self.space.put(&probe, Value::string(value), NonZeroU64::new(at_ms)),
                (Expiry::Keep, None) => self.space.put(&probe, Value::string(value), kept),
                (_, None) => self.space.put(&probe, Value::string(value), None),
            }
        }
        Some(Ok(reply))
    }

    fn get_and_expire(&mut self, probe: &Probe<'_>, expiry: Expiry, now_ms: u64) -> Answer {
        let reply = bulk_or_null(self.string(probe)?);
        if reply == Reply::Null {
            return Ok(reply);
        }
        match expiry {
            Expiry::At(_) | Expiry::In(_) => self.set_deadline(probe, expiry.deadline_ms(now_ms), now_ms),
            Expiry::Keep => {}
            // A key without an expiry is not modified by taking it away.
            Expiry::Clear if self.find(probe).is_some_and(|entry| entry.expires_at_ms.is_none()) => {}
            Expiry::Clear => {
                self.space.change(probe, |entry| entry.expires_at_ms = None);
            }
        }
        Ok(reply)
    }

    /// Stores a new value and leaves the expiry of a key that is there.
    fn update(&mut self, probe: &Probe<'_>, value: Value) {
        let kept = self.find(probe).and_then(|entry| entry.expires_at_ms);
        self.space.put(probe, value, kept);
    }

    fn append(&mut self, key: &[u8], value: &[u8], value_bytes_max: u64) -> Answer {
        let probe = Probe::new(key);
        let old = self.string(&probe)?.map_or(&[][..], |bytes| &**bytes);
        let length = old.len() + value.len();
        if length as u64 > value_bytes_max {
            return Err(TOO_LONG);
        }
        let whole: Arc<[u8]> = old.iter().chain(value).copied().collect();
        self.update(&probe, Value::String(whole));
        Ok(Reply::Integer(length as i64))
    }

    fn set_range(&mut self, probe: &Probe<'_>, (offset, bytes_max): (u64, u64), value: &[u8]) -> Answer {
        let old = self.string(probe)?.map_or(&[][..], |bytes| &**bytes);
        if value.is_empty() {
            return Ok(Reply::Integer(old.len() as i64));
        }
        let end = match offset.checked_add(value.len() as u64) {
            Some(end) if end <= bytes_max => end as usize,
            Some(_) | None => return Err(TOO_LONG),
        };
        let mut whole = old.to_vec();
        whole.resize(end.max(old.len()), 0);
        whole[offset as usize..end].copy_from_slice(value);
        let length = whole.len() as i64;
        self.update(probe, Value::String(whole.into()));
        Ok(Reply::Integer(length))
    }

    fn add(&mut self, probe: &Probe<'_>, delta: i64) -> Answer {
        let Some(old) = self.string(probe)?.map_or(Some(0), |bytes| parse_integer(bytes)) else {
            return Err(NOT_AN_INTEGER);
        };
        let Some(new) = old.checked_add(delta) else { return Err(OVERFLOW) };
        let mut text = Vec::with_capacity(20);
        write_integer(&mut text, new);
        self.update(probe, Value::string(&text));
        Ok(Reply::Integer(new))
    }

    fn add_float(&mut self, probe: &Probe<'_>, delta: &[u8]) -> Answer {
        let old = match self.string(probe)? {
            None => Some(Number::Finite(Extended::ZERO)),
            Some(bytes) => Extended::parse(bytes),
        };
        let (Some(old), Some(delta)) = (old, Extended::parse(delta)) else { return Err(NOT_A_FLOAT) };
        let (Number::Finite(old), Number::Finite(delta)) = (old, delta) else { return Err(NOT_FINITE) };
        let Some(sum) = old.checked_add(delta) else { return Err(NOT_FINITE) };
        let text: Arc<[u8]> = sum.to_text().into_bytes().into();
        self.update(probe, Value::String(text.clone()));
        Ok(Reply::Bulk(text))
    }
}

fn bulk_or_null(bytes: Option<&Arc<[u8]>>) -> Reply {
    bytes.map_or(Reply::Null, |bytes| Reply::Bulk(bytes.clone()))
}

/// The bytes from `start` to `end`, both included; negative ones count from the end.
fn range_of(bytes: &[u8], start: i64, end: i64) -> &[u8] {
    let length = bytes.len() as i64;
    if start < 0 && end < 0 && start > end {
        return &[];
    }
    let from_front = |index: i64| if index < 0 { index.saturating_add(length).max(0) } else { index };
    let (start, end) = (from_front(start), from_front(end).min(length - 1));
    if start > end || length == 0 { &[] } else { &bytes[start as usize..=end as usize] }
}
