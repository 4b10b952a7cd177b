//! The exceptions, each with its reason. A ratchet: the list may only become shorter, and one that covers nothing any
//! more fails its rule.

/// One exception.
pub struct Granted {
    /// The rule's name.
    pub rule: &'static str,
    /// What is excepted: a file, or a file and a name.
    pub place: &'static str,
    /// Why.
    #[expect(dead_code, reason = "for who reads this list")]
    pub reason: &'static str,
}

const fn granted(rule: &'static str, place: &'static str, reason: &'static str) -> Granted {
    Granted { rule, place, reason }
}

const THEIR_WORD: &str =
    "a process is what the papers call a node of either role, not a thing that processes";
const COMMAND: &str = "named after the Redis command that it reads, which begins with GET";

/// Every exception there is.
pub const GRANTED: &[Granted] = &[
    granted("names", "framework/history/src/text.rs process_number", "Jepsen's logs have a `:process` field"),
    granted("names", "modules/pingpong/src/lib.rs Process", THEIR_WORD),
    granted("names", "modules/clientserver/src/lib.rs Process", THEIR_WORD),
    granted("names", "modules/primarybackup/src/lib.rs Process", THEIR_WORD),
    granted("names", "modules/paxos/src/lib.rs Process", THEIR_WORD),
    granted("names", "modules/shardedstore/src/roles.rs Process", THEIR_WORD),
    granted("names", "apps/store/src/parse.rs get_set", COMMAND),
    granted("names", "apps/store/src/parse.rs get_del", COMMAND),
    granted("names", "apps/store/src/parse.rs get_ex", COMMAND),
    granted("names", "apps/store/src/parse.rs get_range", COMMAND),
    granted("names", "apps/store/src/strings.rs get_and_expire", COMMAND),
];
