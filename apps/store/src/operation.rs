//! What the keyspace can be asked, as typed values with one byte form.
//!
//! A client's words become an [`Operation`] once, where they arrive: options are understood and numbers are read there.
//! Durations stay durations: they become deadlines where the operation runs, by the time of the log. What is replicated is the operation. The numbers in front are part of the
//! byte form of journals and snapshots: a number is never given to another operation, and fields are never reordered.

use crate::hash::HashOperation;
use crate::items::Items;
use crate::list::ListOperation;
use crate::set::SetOperation;
use crate::sorted_set::SortedSetOperation;
use crate::value::Kind;
use synod_stdx::{Cursor, Malformed, put_bytes, put_u64, put_varint};

/// A part of an operation that has a byte form.
pub(crate) trait Field<'a>: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn take(input: &mut Cursor<'a>) -> Result<Self, Malformed>;
}

/// Whether an operation may change a state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    Read,
    Write,
}

/// Declares the operations on one type of value: number, whether it writes, name, fields. The numbers stand behind the
/// family's own, and the same holds for them.
macro_rules! family {
    ($(#[$family_doc:meta])* $family:ident {
        $($(#[$doc:meta])* $number:literal $access:ident $name:ident { $($field:ident: $kind:ty),* $(,)? },)*
    }) => {
        $(#[$family_doc])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum $family<'a> {
            $($(#[$doc])* $name { $($field: $kind),* },)*
        }

        impl $family<'_> {
            /// Whether it never changes a state.
            pub(crate) fn is_read_only(&self) -> bool {
                let access = match self {
                    $($family::$name { .. } => $crate::operation::Access::$access,)*
                };
                access == $crate::operation::Access::Read
            }
        }

        impl<'a> $crate::operation::Field<'a> for $family<'a> {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $($family::$name { $($field),* } => {
                        out.push($number);
                        $($field.put(out);)*
                    })*
                }
            }

            fn take(input: &mut synod_stdx::Cursor<'a>) -> Result<Self, synod_stdx::Malformed> {
                match input.u8()? {
                    $($number => Ok($family::$name {
                        $($field: $crate::operation::Field::take(input)?),*
                    }),)*
                    _ => Err(synod_stdx::Malformed("an operation of a newer version")),
                }
            }
        }
    };
}
pub(crate) use family;

/// Declares the operations: number, name, fields.
macro_rules! operations {
    ($($(#[$doc:meta])* $number:literal $name:ident { $($field:ident: $kind:ty),* },)*) => {
        /// One thing to do. See the module's page.
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum Operation<'a> {
            $($(#[$doc])* $name { $($field: $kind),* },)*
        }

        impl<'a> Operation<'a> {
            /// Appends the byte form.
            pub(crate) fn encode(&self, out: &mut Vec<u8>) {
                match self {
                    $(Operation::$name { $($field),* } => {
                        out.push($number);
                        $($field.put(out);)*
                    })*
                }
            }

            /// Reads what `encode` wrote.
            pub(crate) fn decode(input: &mut Cursor<'a>) -> Result<Self, Malformed> {
                match input.u8()? {
                    $($number => Ok(Operation::$name { $($field: Field::take(input)?),* }),)*
                    _ => Err(Malformed("an operation of a newer version")),
                }
            }
        }
    };
}

operations! {
    /// Lets the time go on where `slot` is: keys that are due are removed.
    1 Tick { slot: u64 },
    /// Answers `text` as an error: what a bad command inside a transaction becomes.
    2 Fail { text: &'a [u8] },
    /// The versions of keys, for a later `Transaction`.
    3 Versions { keys: Items<'a> },
    /// All `steps`, if every watched key (key and version in turn) still has its version.
    4 Transaction { watches: Items<'a>, steps: Items<'a> },
    /// `step`, unless the client's `sequence` was run before: then its answer.
    5 Once { client: u64, sequence: u64, step: &'a [u8] },
    /// Answers `text` as an error if the key is there, and null otherwise.
    6 FailIfPresent { key: &'a [u8], text: &'a [u8] },
    10 Get { key: &'a [u8] },
    11 Set { key: &'a [u8], value: &'a [u8], when: When, expiry: Expiry, answer: SetAnswer },
    12 GetDel { key: &'a [u8] },
    13 GetEx { key: &'a [u8], expiry: Expiry },
    14 MGet { keys: Items<'a> },
    15 MSet { pairs: Items<'a> },
    16 MSetNx { pairs: Items<'a> },
    /// `value_bytes_max` is the limit of who proposes, so that every replica decides the same.
    17 Append { key: &'a [u8], value: &'a [u8], value_bytes_max: u64 },
    18 StrLen { key: &'a [u8] },
    19 GetRange { key: &'a [u8], start: i64, end: i64 },
    20 SetRange { key: &'a [u8], offset: u64, value: &'a [u8], value_bytes_max: u64 },
    21 Add { key: &'a [u8], delta: i64 },
    22 AddFloat { key: &'a [u8], delta: &'a [u8] },
    30 Del { keys: Items<'a> },
    31 Exists { keys: Items<'a> },
    32 Type { key: &'a [u8] },
    33 Rename { from: &'a [u8], to: &'a [u8] },
    34 RenameNx { from: &'a [u8], to: &'a [u8] },
    35 Copy { from: &'a [u8], to: &'a [u8], replace: bool },
    /// `random` was drawn by who proposes.
    36 RandomKey { random: u64 },
    37 Keys { pattern: &'a [u8] },
    38 Scan { cursor: u64, count: u64, pattern: Option<&'a [u8]>, kind: Option<&'a [u8]> },
    39 DbSize {},
    40 Flush {},
    /// `at_ms` may lie in the past: the key is removed then.
    41 ExpireAt { key: &'a [u8], at_ms: i64, when: ExpireWhen },
    /// `after_ms` may be negative: the key is removed then.
    49 ExpireIn { key: &'a [u8], after_ms: i64, when: ExpireWhen },
    42 Ttl { key: &'a [u8], form: TtlForm },
    43 Persist { key: &'a [u8] },
    44 Object { key: &'a [u8], aspect: Aspect },
    45 CountInSlot { slot: u64 },
    46 KeysInSlot { slot: u64, count: u64 },
    /// Answers `text` as an error, unless the key is absent or holds another type: what is wrong with a command's words
    /// is told after that by some commands.
    47 Refuse { key: &'a [u8], kind: Kind, absent: Absent, text: &'a [u8] },
    /// `step`, which is about all keys, on the slots from `first` on, as far as they are served where it runs. Answers the
    /// first slot behind these, and what came of it.
    48 Stretch { first: u64, step: &'a [u8] },
    /// Answers the time of the log.
    54 Time {},
    50 Hashes { operation: HashOperation<'a> },
    51 Lists { operation: ListOperation<'a> },
    52 Sets { operation: SetOperation<'a> },
    53 SortedSets { operation: SortedSetOperation<'a> },
}

impl Operation<'_> {
    /// Whether it never changes a state.
    pub(crate) fn is_read_only(&self) -> bool {
        match self {
            Operation::Fail { .. }
            | Operation::FailIfPresent { .. }
            | Operation::Versions { .. }
            | Operation::Get { .. }
            | Operation::MGet { .. }
            | Operation::StrLen { .. }
            | Operation::GetRange { .. }
            | Operation::Exists { .. }
            | Operation::Type { .. }
            | Operation::RandomKey { .. }
            | Operation::Keys { .. }
            | Operation::Scan { .. }
            | Operation::DbSize {}
            | Operation::Ttl { .. }
            | Operation::Time {}
            | Operation::Object { .. }
            | Operation::CountInSlot { .. }
            | Operation::KeysInSlot { .. }
            | Operation::Refuse { .. } => true,
            Operation::Hashes { operation } => operation.is_read_only(),
            Operation::Lists { operation } => operation.is_read_only(),
            Operation::Sets { operation } => operation.is_read_only(),
            Operation::SortedSets { operation } => operation.is_read_only(),
            Operation::GetEx { expiry, .. } => *expiry == Expiry::Keep,
            Operation::Transaction { steps, .. } => steps.iter().all(|step| {
                Operation::decode(&mut Cursor::new(step)).is_ok_and(|operation| operation.is_read_only())
            }),
            Operation::Stretch { step, .. } => {
                Operation::decode(&mut Cursor::new(step)).is_ok_and(|operation| operation.is_read_only())
            }
            Operation::Tick { .. }
            | Operation::Once { .. }
            | Operation::Set { .. }
            | Operation::GetDel { .. }
            | Operation::MSet { .. }
            | Operation::MSetNx { .. }
            | Operation::Append { .. }
            | Operation::SetRange { .. }
            | Operation::Add { .. }
            | Operation::AddFloat { .. }
            | Operation::Del { .. }
            | Operation::Rename { .. }
            | Operation::RenameNx { .. }
            | Operation::Copy { .. }
            | Operation::Flush {}
            | Operation::ExpireAt { .. }
            | Operation::ExpireIn { .. }
            | Operation::Persist { .. } => false,
        }
    }

    /// Whether it is about all keys: more than a command on a few slots can see.
    pub(crate) fn is_about_all_keys(&self) -> bool {
        matches!(
            self,
            Operation::DbSize {} | Operation::Keys { .. } | Operation::RandomKey { .. } | Operation::Flush {}
        )
    }

    /// Whether its answer tells what time it is.
    pub(crate) fn tells_time(&self) -> bool {
        match self {
            Operation::Time {} => true,
            Operation::Ttl { form, .. } => {
                matches!(form, TtlForm::RelativeSeconds | TtlForm::RelativeMs)
            }
            Operation::Transaction { steps, .. } => steps.iter().any(|step| {
                Operation::decode(&mut Cursor::new(step)).is_ok_and(|operation| operation.tells_time())
            }),
            _ => false,
        }
    }

    /// Whether it tells of keys that it does not name.
    pub(crate) fn walks(&self) -> bool {
        self.is_about_all_keys() || matches!(self, Operation::Stretch { .. } | Operation::Scan { .. })
    }

    /// Calls `see` with each key that it names, to read or to write.
    pub(crate) fn for_each_key(&self, see: &mut impl FnMut(&[u8])) {
        match self {
            Operation::Get { key }
            | Operation::Set { key, .. }
            | Operation::GetDel { key }
            | Operation::GetEx { key, .. }
            | Operation::Append { key, .. }
            | Operation::StrLen { key }
            | Operation::GetRange { key, .. }
            | Operation::SetRange { key, .. }
            | Operation::Add { key, .. }
            | Operation::AddFloat { key, .. }
            | Operation::FailIfPresent { key, .. }
            | Operation::Type { key }
            | Operation::ExpireAt { key, .. }
            | Operation::ExpireIn { key, .. }
            | Operation::Ttl { key, .. }
            | Operation::Persist { key }
            | Operation::Object { key, .. }
            | Operation::Refuse { key, .. } => see(key),
            Operation::Hashes { operation } => see(operation.key()),
            Operation::Lists { operation } => operation.for_each_key(see),
            Operation::Sets { operation } => operation.for_each_key(see),
            Operation::SortedSets { operation } => operation.for_each_key(see),
            Operation::Versions { keys }
            | Operation::MGet { keys }
            | Operation::Del { keys }
            | Operation::Exists { keys } => keys.iter().for_each(see),
            Operation::MSet { pairs } | Operation::MSetNx { pairs } => {
                pairs.iter().step_by(2).for_each(see);
            }
            Operation::Rename { from, to }
            | Operation::RenameNx { from, to }
            | Operation::Copy { from, to, .. } => {
                see(from);
                see(to);
            }
            Operation::Transaction { watches, steps } => {
                watches.iter().step_by(2).for_each(&mut *see);
                steps.iter().for_each(|step| for_each_key_of_step(step, see));
            }
            Operation::Once { step, .. } => for_each_key_of_step(step, see),
            Operation::Tick { .. }
            | Operation::Fail { .. }
            | Operation::RandomKey { .. }
            | Operation::Keys { .. }
            | Operation::Scan { .. }
            | Operation::DbSize {}
            | Operation::Flush {}
            | Operation::Stretch { .. }
            | Operation::Time {}
            | Operation::CountInSlot { .. }
            | Operation::KeysInSlot { .. } => {}
        }
    }
}

fn for_each_key_of_step(step: &[u8], see: &mut impl FnMut(&[u8])) {
    match Operation::decode(&mut Cursor::new(step)) {
        // Neither nests: the words of a client cannot make one that does, and none is run.
        Ok(Operation::Transaction { .. } | Operation::Once { .. }) | Err(_) => {}
        Ok(operation) => operation.for_each_key(see),
    }
}

/// What becomes of a key's expiry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expiry {
    /// There is none afterwards.
    Clear,
    /// It stays as it is.
    Keep,
    /// The key expires at this time, in ms since 1970.
    At(u64),
    /// The key expires so many ms after the operation runs.
    In(u64),
}

impl Expiry {
    /// When the key expires, in ms since 1970, if this says so and the operation runs at `now_ms`.
    pub(crate) fn deadline_ms(self, now_ms: u64) -> Option<u64> {
        match self {
            Expiry::Clear | Expiry::Keep => None,
            Expiry::At(at_ms) => Some(at_ms),
            Expiry::In(after_ms) => Some(now_ms.saturating_add(after_ms)),
        }
    }
}

impl<'a> Field<'a> for Expiry {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Expiry::Clear => out.push(0),
            Expiry::Keep => out.push(1),
            Expiry::At(at_ms) => {
                out.push(2);
                put_u64(out, *at_ms);
            }
            Expiry::In(after_ms) => {
                out.push(3);
                put_varint(out, *after_ms);
            }
        }
    }

    fn take(input: &mut Cursor<'a>) -> Result<Self, Malformed> {
        match input.u8()? {
            0 => Ok(Expiry::Clear),
            1 => Ok(Expiry::Keep),
            2 => Ok(Expiry::At(input.u64()?)),
            3 => Ok(Expiry::In(input.varint()?)),
            4.. => Err(Malformed("unknown kind of expiry")),
        }
    }
}

/// Declares an enum without data whose byte form is a number.
macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident { $($(#[$choice_doc:meta])* $choice:ident = $number:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum $name {
            $($(#[$choice_doc])* $choice = $number),*
        }

        impl<'a> $crate::operation::Field<'a> for $name {
            fn put(&self, out: &mut Vec<u8>) {
                out.push(*self as u8);
            }

            fn take(input: &mut synod_stdx::Cursor<'a>) -> Result<Self, synod_stdx::Malformed> {
                match input.u8()? {
                    $($number => Ok($name::$choice),)*
                    _ => Err(synod_stdx::Malformed("unknown choice")),
                }
            }
        }
    )*};
}
pub(crate) use choices;

choices! {
    /// On what condition `SET` sets.
    When {
        Always = 0,
        IfAbsent = 1,
        IfPresent = 2,
    }
    /// What `SET` and its sisters answer.
    SetAnswer {
        /// `OK`, or null if the condition did not hold.
        Ok = 0,
        /// What the key held before, whether or not it was set.
        Old = 1,
        /// Whether it was set, as 1 or 0.
        Flag = 2,
    }
    /// On what condition an expiry is set.
    ExpireWhen {
        Always = 0,
        IfNone = 1,
        IfAny = 2,
        IfLater = 3,
        IfEarlier = 4,
        /// `XX LT`: unlike for `IfEarlier`, there must be one.
        IfAnyAndEarlier = 5,
    }
    /// How the time to live is told.
    TtlForm {
        RelativeSeconds = 0,
        RelativeMs = 1,
        AbsoluteSeconds = 2,
        AbsoluteMs = 3,
    }
    /// What `OBJECT` tells of a key.
    Aspect {
        Encoding = 0,
        IdleTime = 1,
        RefCount = 2,
        Frequency = 3,
    }
    /// What a command that is refused answers if the key is absent.
    Absent {
        Null = 0,
        NoSuchKey = 1,
        /// The end of a scan.
        EmptyScan = 2,
        /// The same error as if the key were there.
        Refused = 3,
    }
}

impl<'a> Field<'a> for &'a [u8] {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(out, self);
    }

    fn take(input: &mut Cursor<'a>) -> Result<Self, Malformed> {
        input.bytes()
    }
}

impl<'a, T: Field<'a>> Field<'a> for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(input: &mut Cursor<'a>) -> Result<Self, Malformed> {
        Ok(if bool::take(input)? { Some(Field::take(input)?) } else { None })
    }
}

impl<'a> Field<'a> for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, *self);
    }

    fn take(input: &mut Cursor<'a>) -> Result<Self, Malformed> {
        input.varint()
    }
}

impl<'a> Field<'a> for i64 {
    fn put(&self, out: &mut Vec<u8>) {
        put_u64(out, self.cast_unsigned());
    }

    fn take(input: &mut Cursor<'a>) -> Result<Self, Malformed> {
        Ok(input.u64()?.cast_signed())
    }
}

impl<'a> Field<'a> for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(input: &mut Cursor<'a>) -> Result<Self, Malformed> {
        match input.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            2.. => Err(Malformed("neither true nor false")),
        }
    }
}
