//! What the types that hold elements have in common: how a command reaches one, how a scan goes over it.
//!
//! A key without elements does not exist: a command that finds no key works on a collection without elements, one that
//! leaves none removes the key, and one that changed nothing leaves the key's version as it was.

use crate::Keyspace;
use crate::dictionary::{Dictionary, Named, REPEATS_MAX};
use crate::glob::{self, Pattern};
use crate::items::Items;
use crate::key::Probe;
use crate::operation::{Absent, Operation};
use crate::parse::{Parsed, SYNTAX, Words};
use crate::value::{Kind, Value};
use std::ops::Range;
use std::sync::Arc;
use synod_resp::Reply;

pub(crate) const WRONG_TYPE: Reply =
    Reply::error("WRONGTYPE Operation against a key holding the wrong kind of value");
pub(crate) const NO_SUCH_KEY: Reply = Reply::error("ERR no such key");
const OUT_OF_RANGE: Reply = Reply::error("ERR value is out of range");
const NOT_POSITIVE: Reply = Reply::error("ERR value is out of range, must be positive");
/// A command that is said to read, and writes: no version of this program makes one.
pub(crate) const NOT_A_READ: Reply = Reply::error("ERR this command is no read");

/// A type that holds elements.
pub(crate) trait Collection: Clone + Default + 'static {
    /// One without elements, for keys that are absent.
    fn empty() -> &'static Self;
    fn is_empty(&self) -> bool;
    fn of(value: &Value) -> Option<&Arc<Self>>;
    fn of_mut(value: &mut Value) -> Option<&mut Arc<Self>>;
    fn into_value(self) -> Value;
}

/// Implements [`Collection`] for a type that `Value` has a variant of the same name for.
macro_rules! collection {
    ($kind:ident) => {
        impl $crate::collection::Collection for $kind {
            fn empty() -> &'static Self {
                static EMPTY: $kind = $kind::new();
                &EMPTY
            }

            fn is_empty(&self) -> bool {
                self.len() == 0
            }

            fn of(value: &$crate::value::Value) -> Option<&std::sync::Arc<Self>> {
                if let $crate::value::Value::$kind(own) = value { Some(own) } else { None }
            }

            fn of_mut(value: &mut $crate::value::Value) -> Option<&mut std::sync::Arc<Self>> {
                if let $crate::value::Value::$kind(own) = value { Some(own) } else { None }
            }

            fn into_value(self) -> $crate::value::Value {
                $crate::value::Value::$kind(std::sync::Arc::new(self))
            }
        }
    };
}
pub(crate) use collection;

/// An answer; an error is the answer as well.
pub(crate) type Answer = Result<Reply, Reply>;

impl Keyspace {
    /// The collection under a key, one without elements if there is no key.
    pub(crate) fn view<C: Collection>(&self, key: &[u8]) -> Result<&C, Reply> {
        match self.find(&Probe::new(key)) {
            None => Ok(C::empty()),
            Some(entry) => C::of(&entry.value).map(|own| &**own).ok_or(WRONG_TYPE),
        }
    }

    /// Lets `run` change the collection under a key; it also says whether it did.
    pub(crate) fn edit<C: Collection, R>(
        &mut self,
        key: &[u8],
        run: impl FnOnce(&mut C) -> (R, bool),
    ) -> Result<R, Reply> {
        let probe = Probe::new(key);
        if self.find(&probe).is_none() {
            let mut new = C::default();
            let (result, is_changed) = run(&mut new);
            if is_changed && !new.is_empty() {
                self.space.put(&probe, new.into_value(), None);
            }
            return Ok(result);
        }
        let done = self.space.change_if(&probe, |entry| match C::of_mut(&mut entry.value) {
            None => (Err(WRONG_TYPE), false),
            Some(shared) => {
                let own = Arc::make_mut(shared);
                let (result, is_changed) = run(own);
                (Ok((result, own.is_empty())), is_changed)
            }
        });
        let (result, is_empty) = done.unwrap_or(Err(NO_SUCH_KEY))?;
        if is_empty {
            self.space.remove(&probe);
        }
        Ok(result)
    }

    /// Stores a collection under a key, whatever was there; without elements it removes the key.
    pub(crate) fn store<C: Collection>(&mut self, key: &[u8], new: C) {
        let probe = Probe::new(key);
        if new.is_empty() {
            self.space.remove(&probe);
        } else {
            self.space.put(&probe, new.into_value(), None);
        }
    }

    /// The error of a command that is wrong, unless its key says otherwise.
    pub(crate) fn refuse(&self, key: &[u8], (kind, absent): (Kind, Absent), text: &[u8]) -> Reply {
        match (self.find(&Probe::new(key)), absent) {
            (None, Absent::Null) => Reply::Null,
            (None, Absent::NoSuchKey) => NO_SUCH_KEY,
            (None, Absent::EmptyScan) => scan_reply(0, Vec::new()),
            (Some(entry), _) if entry.value.kind() != kind => WRONG_TYPE,
            (Some(_), _) | (None, Absent::Refused) => {
                Reply::Error(String::from_utf8_lossy(text).into_owned().into())
            }
        }
    }
}

/// What a scan asks for.
#[derive(Clone, Copy)]
pub(crate) struct Scan<'a> {
    pub(crate) cursor: u64,
    pub(crate) count: u64,
    pub(crate) pattern: Option<&'a [u8]>,
    /// A small collection is told whole, as a stock server does.
    pub(crate) is_whole: bool,
}

impl Scan<'_> {
    /// The next piece of a scan: `tell` appends what is told of an element.
    pub(crate) fn run<V>(
        &self,
        elements: &Dictionary<V>,
        tell: impl Fn(&Named<V>, &mut Vec<Reply>),
    ) -> Reply {
        let (mut told, mut next, mut last) = (Vec::new(), 0, None);
        let (pattern, mut work) = (self.pattern.map(Pattern::new), 0);
        let from = if self.is_whole { 0 } else { self.cursor };
        for (seen, (here, named)) in elements.walk(from).enumerate() {
            // Elements that share a cursor come together, so that none is passed over.
            let is_enough = seen as u64 >= self.count || work >= SCAN_WORK_MAX;
            if !self.is_whole && is_enough && last != Some(here) {
                next = here;
                break;
            }
            last = Some(here);
            work += work_of(pattern.as_ref(), &named.name);
            if pattern.as_ref().is_none_or(|pattern| pattern.matches(&named.name)) {
                tell(named, &mut told);
            }
        }
        scan_reply(next, told)
    }
}

/// A scan ends its step where about as much work was done, however much was asked for: the cursor leads on.
pub(crate) const SCAN_WORK_MAX: u64 = 1 << 21;
/// What it takes to look at an element, besides the matching, in the steps of a pattern.
const LOOK_WORK: u64 = 100;

/// The work of looking at a name.
pub(crate) fn work_of(pattern: Option<&Pattern<'_>>, name: &[u8]) -> u64 {
    LOOK_WORK + pattern.map_or(0, |pattern| pattern.work(name.len()))
}

/// The pattern that is the word at `index`.
pub(crate) fn parse_pattern<'a>(words: &Words<'a>, index: usize) -> Result<&'a [u8], Reply> {
    let pattern = words.word(index);
    let too_long = Reply::error("ERR the pattern is too long: this server matches up to 1024 bytes");
    if pattern.len() <= glob::BYTES_MAX { Ok(pattern) } else { Err(too_long) }
}

fn scan_reply(cursor: u64, elements: Vec<Reply>) -> Reply {
    Reply::Array(vec![Reply::bulk(cursor.to_string()), Reply::Array(elements)])
}

/// The options of a scan.
pub(crate) struct ScanOptions<'a> {
    pub(crate) count: u64,
    pub(crate) pattern: Option<&'a [u8]>,
    /// `TYPE`, which only a scan of keys takes.
    pub(crate) kind: Option<&'a [u8]>,
}

/// The cursor that is the word at `index`.
pub(crate) fn parse_cursor(words: &Words<'_>, index: usize) -> Result<u64, Reply> {
    let text = std::str::from_utf8(words.word(index)).ok();
    text.and_then(|text| text.parse().ok()).ok_or(Reply::error("ERR invalid cursor"))
}

/// The options from the word at `from` on.
pub(crate) fn parse_scan_options<'a>(
    words: &Words<'a>,
    from: usize,
    takes_kind: bool,
) -> Result<ScanOptions<'a>, Reply> {
    let mut options = ScanOptions { count: 10, pattern: None, kind: None };
    for at in (from..words.args.len()).step_by(2) {
        if at + 1 == words.args.len() {
            return Err(SYNTAX);
        }
        if words.is(at, "COUNT") {
            let count = u64::try_from(words.integer(at + 1)?).ok().filter(|count| *count > 0);
            options.count = count.ok_or(SYNTAX)?;
        } else if words.is(at, "MATCH") {
            options.pattern = Some(parse_pattern(words, at + 1)?);
        } else if takes_kind && words.is(at, "TYPE") {
            options.kind = Some(words.word(at + 1));
        } else {
            return Err(SYNTAX);
        }
    }
    Ok(options)
}

/// The error of a command on a key of `kind` that is told only if the key is there.
pub(crate) fn refuse_later<'a>(words: &Words<'a>, kind: Kind, absent: Absent, error: &Reply) -> Parsed<'a> {
    // All such errors are texts that the program knows.
    let text = match error {
        Reply::Error(std::borrow::Cow::Borrowed(text)) => text.as_bytes(),
        _ => b"ERR syntax error",
    };
    Ok(Operation::Refuse { key: words.word(1), kind, absent, text })
}

/// What a client of `HRANDFIELD` and its like asks for.
pub(crate) struct Sample {
    /// How many elements, which may be the same ones if the number is negative; `None` for a single one.
    pub(crate) count: Option<i64>,
    /// Whether each is told with what belongs to it.
    pub(crate) is_paired: bool,
}

/// A count at the third word, and `option` behind it.
pub(crate) fn parse_sample(words: &Words<'_>, option: &str) -> Result<Sample, Reply> {
    if words.args.len() == 2 {
        return Ok(Sample { count: None, is_paired: false });
    }
    let count = words.integer(2)?;
    if count == i64::MIN {
        return Err(Reply::error(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ));
    }
    let is_paired = words.args.len() > 3;
    if words.args.len() > 4 || is_paired && (option.is_empty() || !words.is(3, option)) {
        return Err(SYNTAX);
    }
    if count < -(REPEATS_MAX as i64) || is_paired && count > i64::MAX / 2 {
        return Err(OUT_OF_RANGE);
    }
    Ok(Sample { count: Some(count), is_paired })
}

/// The number at the word at `index`, if it is one and not negative.
pub(crate) fn natural(words: &Words<'_>, index: usize) -> Option<u64> {
    words.integer(index).ok().and_then(|number| u64::try_from(number).ok())
}

/// How many elements a client wants, at the word at `index`.
pub(crate) fn parse_amount(words: &Words<'_>, index: usize) -> Result<u64, Reply> {
    natural(words, index).ok_or(NOT_POSITIVE)
}

/// What a command pops that names several keys.
pub(crate) struct Counted<'a> {
    pub(crate) keys: Items<'a>,
    /// Which of the words stands behind the keys.
    pub(crate) choice: usize,
    pub(crate) count: u64,
}

/// `numkeys key … FIRST|SECOND [COUNT count]`, of `LMPOP` and its like.
pub(crate) fn parse_counted<'a>(words: &Words<'a>, choices: [&str; 2]) -> Result<Counted<'a>, Reply> {
    let keys = parse_key_count(words, 1)?;
    let at = keys.saturating_add(2);
    if at >= words.args.len() {
        return Err(SYNTAX);
    }
    let choice = choices.iter().position(|choice| words.is(at, choice)).ok_or(SYNTAX)?;
    let count = match words.args.len() - at {
        1 => 1,
        3 if words.is(at + 1, "COUNT") => {
            let count = natural(words, at + 2).filter(|count| *count > 0);
            count.ok_or(Reply::error("ERR count should be greater than 0"))?
        }
        _ => return Err(SYNTAX),
    };
    Ok(Counted { keys: Items::Words(words.args.skip(2).take(keys)), choice, count })
}

/// How many keys the word at `index` tells.
pub(crate) fn parse_key_count(words: &Words<'_>, index: usize) -> Result<usize, Reply> {
    let count = natural(words, index).and_then(|count| usize::try_from(count).ok());
    count.filter(|count| *count > 0).ok_or(Reply::error("ERR numkeys should be greater than 0"))
}

/// The indices from `start` to `end`, both included, of `length` elements; negative ones count from the end.
pub(crate) fn span_of(start: i64, end: i64, length: usize) -> Range<usize> {
    let length = length as i64;
    let from_front = |index: i64| if index < 0 { index.saturating_add(length) } else { index };
    let (start, end) = (from_front(start).max(0), from_front(end).min(length - 1));
    if start > end { 0..0 } else { start as usize..end as usize + 1 }
}
