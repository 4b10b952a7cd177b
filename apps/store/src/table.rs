//! Every command in one table: what it is called, how many words it takes, where its keys stand, what runs it. Dispatch,
//! `COMMAND` and its documentation all read it.

use crate::parse::{self, Parsed, Words};
use crate::parse_keys as keys;
use crate::table_session::SESSION_COMMANDS;
use std::ops::Range;
use std::sync::LazyLock;
use synod_resp::{Args, Reply, parse_integer};
use synod_stdx::LookupMap;

/// What is known of a command.
pub(crate) struct CommandSpec {
    /// Its name, in lower case.
    pub(crate) name: &'static str,
    /// How many words it takes, its name included; at least that many if negative.
    pub(crate) arity: i32,
    /// Some of `WRITE`, `READ`, … .
    pub(crate) flags: u32,
    /// The first word that is a key, the last one (negative: from the end), and the step between them; zeros: none.
    pub(crate) keys: (i32, i32, i32),
    /// The word that tells how many keys stand behind it, besides those in `keys`; 0 if there is none.
    pub(crate) counted: u32,
    pub(crate) run: Run,
    /// The version of Redis that has it first; empty for our own.
    pub(crate) since: &'static str,
    pub(crate) summary: &'static str,
}

/// Who runs a command.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// The keyspace, by the operation that the words become.
    Store(for<'a> fn(&Words<'a>) -> Parsed<'a>),
    /// The connection's session.
    Session(SessionCommand),
}

/// The commands that a session answers itself, or gives its own form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SessionCommand {
    Asking,
    Auth,
    Client,
    Cluster,
    Command,
    Config,
    Discard,
    Echo,
    Exec,
    Hello,
    Info,
    Multi,
    Once,
    Ping,
    Quit,
    ReadOnly,
    ReadWrite,
    Reset,
    Select,
    Synod,
    Unwatch,
    Wait,
    Watch,
}

pub(crate) const WRITE: u32 = 1;
pub(crate) const READ: u32 = 1 << 1;
pub(crate) const FAST: u32 = 1 << 2;
/// May grow memory.
pub(crate) const DENY_OOM: u32 = 1 << 3;
pub(crate) const ADMIN: u32 = 1 << 4;
pub(crate) const NO_SCRIPT: u32 = 1 << 5;
pub(crate) const LOADING: u32 = 1 << 6;
pub(crate) const STALE: u32 = 1 << 7;
/// Runs for clients that did not authenticate.
pub(crate) const NO_AUTH: u32 = 1 << 8;
/// Where it belongs: groups, of which a command has at most one.
pub(crate) const KEYSPACE: u32 = 1 << 16;
pub(crate) const STRING: u32 = 1 << 17;
pub(crate) const CONNECTION: u32 = 1 << 18;
pub(crate) const TRANSACTION: u32 = 1 << 19;
pub(crate) const SERVER: u32 = 1 << 20;
pub(crate) const CLUSTER: u32 = 1 << 21;
pub(crate) const HASH: u32 = 1 << 22;
pub(crate) const LIST: u32 = 1 << 23;
pub(crate) const SET: u32 = 1 << 24;
pub(crate) const SORTED_SET: u32 = 1 << 25;
pub(crate) const DANGEROUS: u32 = 1 << 28;
/// Its second word names what it does: a wrong one is an error at the door, also inside a transaction.
pub(crate) const CONTAINER: u32 = 1 << 29;

pub(crate) const NO_KEYS: (i32, i32, i32) = (0, 0, 0);
pub(crate) const ONE_KEY: (i32, i32, i32) = (1, 1, 1);
pub(crate) const ALL_KEYS: (i32, i32, i32) = (1, -1, 1);
pub(crate) const TWO_KEYS: (i32, i32, i32) = (1, 2, 1);

/// A row of a command on keys.
pub(crate) const fn row(
    (name, arity): (&'static str, i32),
    flags: u32,
    keys: (i32, i32, i32),
    parse: for<'a> fn(&Words<'a>) -> Parsed<'a>,
    (since, summary): (&'static str, &'static str),
) -> CommandSpec {
    CommandSpec { name, arity, flags, keys, counted: 0, run: Run::Store(parse), since, summary }
}

const STR_R: u32 = STRING | READ;
const STR_W: u32 = STRING | WRITE;
const KEY_R: u32 = KEYSPACE | READ;
const KEY_W: u32 = KEYSPACE | WRITE;

/// The commands that the keyspace runs.
static STORE_COMMANDS: &[CommandSpec] = &[
    row(
        ("append", 3),
        STR_W | DENY_OOM | FAST,
        ONE_KEY,
        parse::append,
        ("2.0.0", "Adds bytes at the end of a string."),
    ),
    row(
        ("copy", -3),
        KEY_W | DENY_OOM,
        TWO_KEYS,
        keys::copy,
        ("6.2.0", "Stores a key's value under another key too."),
    ),
    row(("dbsize", 1), KEY_R | FAST, NO_KEYS, keys::db_size, ("1.0.0", "Counts the keys.")),
    row(
        ("decr", 2),
        STR_W | DENY_OOM | FAST,
        ONE_KEY,
        parse::decr,
        ("1.0.0", "Subtracts one from a number."),
    ),
    row(
        ("decrby", 3),
        STR_W | DENY_OOM | FAST,
        ONE_KEY,
        parse::decr_by,
        ("1.0.0", "Subtracts from a number."),
    ),
    row(("del", -2), KEY_W, ALL_KEYS, keys::del, ("1.0.0", "Removes keys.")),
    row(
        ("exists", -2),
        KEY_R | FAST,
        ALL_KEYS,
        keys::exists,
        ("1.0.0", "Counts which of the keys are there."),
    ),
    row(
        ("expire", -3),
        KEY_W | FAST,
        ONE_KEY,
        keys::expire,
        ("1.0.0", "Lets a key expire in so many seconds."),
    ),
    row(
        ("expireat", -3),
        KEY_W | FAST,
        ONE_KEY,
        keys::expire_at,
        ("1.2.0", "Lets a key expire at a second of Unix time."),
    ),
    row(
        ("expiretime", 2),
        KEY_R | FAST,
        ONE_KEY,
        keys::expire_time,
        ("7.0.0", "Tells the second at which a key expires."),
    ),
    row(("flushall", -1), KEY_W | DANGEROUS, NO_KEYS, keys::flush, ("1.0.0", "Removes all keys.")),
    row(
        ("flushdb", -1),
        KEY_W | DANGEROUS,
        NO_KEYS,
        keys::flush,
        ("1.0.0", "Removes all keys of the one database."),
    ),
    row(("get", 2), STR_R | FAST, ONE_KEY, parse::get, ("1.0.0", "Reads a string.")),
    row(("getdel", 2), STR_W | FAST, ONE_KEY, parse::get_del, ("6.2.0", "Reads a string and removes it.")),
    row(
        ("getex", -2),
        STR_W | FAST,
        ONE_KEY,
        parse::get_ex,
        ("6.2.0", "Reads a string and changes its expiry."),
    ),
    row(("getrange", 4), STR_R, ONE_KEY, parse::get_range, ("2.4.0", "Reads a part of a string.")),
    row(
        ("getset", 3),
        STR_W | DENY_OOM | FAST,
        ONE_KEY,
        parse::get_set,
        ("1.0.0", "Sets a string and tells what it was."),
    ),
    row(("incr", 2), STR_W | DENY_OOM | FAST, ONE_KEY, parse::incr, ("1.0.0", "Adds one to a number.")),
    row(("incrby", 3), STR_W | DENY_OOM | FAST, ONE_KEY, parse::incr_by, ("1.0.0", "Adds to a number.")),
    row(
        ("incrbyfloat", 3),
        STR_W | DENY_OOM | FAST,
        ONE_KEY,
        parse::incr_by_float,
        ("2.6.0", "Adds to a number that may have a fraction."),
    ),
    row(
        ("keys", 2),
        KEY_R | DANGEROUS,
        NO_KEYS,
        keys::keys,
        ("1.0.0", "Lists the keys that match a pattern."),
    ),
    row(("mget", -2), STR_R | FAST, ALL_KEYS, parse::mget, ("1.0.0", "Reads several strings at one moment.")),
    row(
        ("mset", -3),
        STR_W | DENY_OOM,
        (1, -1, 2),
        parse::mset,
        ("1.0.1", "Sets several strings at one moment."),
    ),
    row(
        ("msetnx", -3),
        STR_W | DENY_OOM,
        (1, -1, 2),
        parse::mset_nx,
        ("1.0.1", "As MSET, if none of the keys is there."),
    ),
    row(("object", -2), KEY_R | CONTAINER, (2, 2, 1), keys::object, ("2.2.3", "Tells how a key is kept.")),
    row(("persist", 2), KEY_W | FAST, ONE_KEY, keys::persist, ("2.2.0", "Takes a key's expiry away.")),
    row(
        ("pexpire", -3),
        KEY_W | FAST,
        ONE_KEY,
        keys::pexpire,
        ("2.6.0", "Lets a key expire in so many milliseconds."),
    ),
    row(
        ("pexpireat", -3),
        KEY_W | FAST,
        ONE_KEY,
        keys::pexpire_at,
        ("2.6.0", "Lets a key expire at a millisecond of Unix time."),
    ),
    row(
        ("pexpiretime", 2),
        KEY_R | FAST,
        ONE_KEY,
        keys::pexpire_time,
        ("7.0.0", "Tells the millisecond at which a key expires."),
    ),
    row(
        ("psetex", 4),
        STR_W | DENY_OOM,
        ONE_KEY,
        parse::pset_ex,
        ("2.6.0", "Sets a string that expires in so many milliseconds."),
    ),
    row(
        ("pttl", 2),
        KEY_R | FAST,
        ONE_KEY,
        keys::pttl,
        ("2.6.0", "Tells the milliseconds until a key expires."),
    ),
    row(("randomkey", 1), KEY_R, NO_KEYS, keys::random_key, ("1.0.0", "Names some key.")),
    row(
        ("rename", 3),
        KEY_W,
        TWO_KEYS,
        keys::rename,
        ("1.0.0", "Gives a key another name, over any that has it."),
    ),
    row(
        ("renamenx", 3),
        KEY_W | FAST,
        TWO_KEYS,
        keys::rename_nx,
        ("1.0.0", "Gives a key another name that is free."),
    ),
    row(("scan", -2), KEY_R, NO_KEYS, keys::scan, ("2.8.0", "Lists the keys, some at a time.")),
    row(("set", -3), STR_W | DENY_OOM, ONE_KEY, parse::set, ("1.0.0", "Sets a string.")),
    row(
        ("setex", 4),
        STR_W | DENY_OOM,
        ONE_KEY,
        parse::set_ex,
        ("2.0.0", "Sets a string that expires in so many seconds."),
    ),
    row(
        ("setnx", 3),
        STR_W | DENY_OOM | FAST,
        ONE_KEY,
        parse::set_nx,
        ("1.0.0", "Sets a string if the key is not there."),
    ),
    row(
        ("setrange", 4),
        STR_W | DENY_OOM,
        ONE_KEY,
        parse::set_range,
        ("2.2.0", "Writes over a part of a string."),
    ),
    row(("strlen", 2), STR_R | FAST, ONE_KEY, parse::str_len, ("2.2.0", "Tells how long a string is.")),
    row(("substr", 4), STR_R, ONE_KEY, parse::get_range, ("1.0.0", "The old name of GETRANGE.")),
    row(
        ("touch", -2),
        KEY_R | FAST,
        ALL_KEYS,
        keys::exists,
        ("3.2.1", "Counts which of the keys are there."),
    ),
    row(
        ("time", 1),
        SERVER | LOADING | STALE | FAST,
        NO_KEYS,
        keys::time,
        ("2.6.0", "Tells the time by which keys expire."),
    ),
    row(("ttl", 2), KEY_R | FAST, ONE_KEY, keys::ttl, ("1.0.0", "Tells the seconds until a key expires.")),
    row(("type", 2), KEY_R | FAST, ONE_KEY, keys::kind, ("1.0.0", "Tells the type of a key's value.")),
    row(("unlink", -2), KEY_W | FAST, ALL_KEYS, keys::del, ("4.0.0", "Removes keys.")),
];

static BY_NAME: LazyLock<LookupMap<&'static [u8], &'static CommandSpec>> =
    LazyLock::new(|| all().map(|spec| (spec.name.as_bytes(), spec)).collect());

/// The longest name of a command.
const NAME_BYTES_MAX: usize = 16;

impl CommandSpec {
    /// Whether a command of so many words may be this one.
    pub(crate) fn takes(&self, words: usize) -> bool {
        let arity = self.arity.unsigned_abs() as usize;
        if self.arity < 0 { words >= arity } else { words == arity }
    }

    pub(crate) fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    pub(crate) fn wrong_arity(&self) -> Reply {
        Reply::Error(format!("ERR wrong number of arguments for '{}' command", self.name).into())
    }

    /// The keys among a command's words.
    pub(crate) fn keys_of<'a>(&self, args: Args<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (first, last, step) = self.keys;
        let last = if last < 0 { args.len() as i32 + last } else { last };
        let step = step.max(1) as usize;
        let indices = if first == 0 { 0..0 } else { first as usize..last.max(0) as usize + 1 };
        let counted = self.counted_keys(args).unwrap_or(0..0);
        indices.step_by(step).chain(counted).filter_map(move |index| args.get(index))
    }

    /// The indices of the keys whose number a word tells; `None` if that is no number, or more than there can be.
    pub(crate) fn counted_keys(&self, args: Args<'_>) -> Option<Range<usize>> {
        let at = self.counted as usize;
        if at == 0 {
            return Some(0..0);
        }
        let count = usize::try_from(parse_integer(args.get(at)?)?).ok()?;
        (1..args.len() - at).contains(&count).then_some(at + 1..at + 1 + count)
    }
}

/// The command that has this name, in any case.
pub(crate) fn find(name: &[u8]) -> Option<&'static CommandSpec> {
    let mut lower = [0; NAME_BYTES_MAX];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    BY_NAME.get(&*lower).copied()
}

/// All commands, those of the keyspace first.
pub(crate) fn all() -> impl Iterator<Item = &'static CommandSpec> {
    let types =
        [crate::hash::COMMANDS, crate::list::COMMANDS, crate::set::COMMANDS, crate::sorted_set::COMMANDS];
    STORE_COMMANDS.iter().chain(types.into_iter().flatten()).chain(SESSION_COMMANDS)
}
