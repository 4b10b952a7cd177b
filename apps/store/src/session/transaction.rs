//! `MULTI`, `EXEC`, `DISCARD`, `WATCH`, `UNWATCH`.
//!
//! Commands are queued as they were said, and understood when `EXEC` comes: a relative expiry counts from then. The
//! whole transaction is one command in the log. Watching a key is asking for its version; `EXEC` carries the versions,
//! and the state compares them at the moment at which it runs.

use super::{Action, Purpose, Session, about_all_keys, acts_in_transaction, is_about_all_keys, parse_words};
use crate::Environment;
use crate::items::Items;
use crate::operation::Operation;
use crate::table::{self, CommandSpec, Run, SessionCommand};
use synod_resp::{Args, Limits, Parsed, Reply, RequestParser, write_request_header, write_request_part};
use synod_stdx::put_bytes;

/// What `MULTI` collects.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The commands in the protocol's own form.
    requests: Vec<u8>,
    commands: usize,
    is_spoilt: bool,
}

impl Queue {
    /// A command could not be queued: `EXEC` will refuse.
    pub(super) fn spoil(&mut self) {
        self.is_spoilt = true;
        self.requests = Vec::new();
    }

    /// How many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        self.requests.capacity()
    }
}

/// The keys that a connection watches.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// Keys and their versions, in turn, each with its length.
    items: Vec<u8>,
    count: u64,
    /// `WATCH` commands whose versions are not known yet.
    pending: u32,
    /// A `WATCH` failed: it is not known whether its keys changed, so the next `EXEC` must not run.
    is_lost: bool,
}

impl Watched {
    pub(super) fn add(&mut self, keys: &[Box<[u8]>], versions: &[Reply]) -> Reply {
        self.pending -= 1;
        for (key, version) in keys.iter().zip(versions) {
            let Reply::Integer(version) = version else { continue };
            put_bytes(&mut self.items, key);
            put_bytes(&mut self.items, &version.to_le_bytes());
            self.count += 2;
        }
        Reply::OK
    }

    pub(super) fn fail(&mut self) {
        self.pending -= 1;
        self.is_lost = true;
    }

    /// How many bytes they take.
    pub(super) fn bytes(&self) -> usize {
        self.items.capacity()
    }

    /// Forgets all keys, but not that versions are still to come.
    fn clear(&mut self) {
        *self = Watched { pending: self.pending, ..Watched::default() };
    }
}

impl Session {
    pub(super) fn begin_transaction(&mut self) -> Action {
        if self.queue.is_some() {
            return Action::Reply(Reply::error("ERR MULTI calls can not be nested"));
        }
        self.queue = Some(Queue::default());
        Action::Reply(Reply::OK)
    }

    pub(super) fn discard_transaction(&mut self) -> Action {
        if self.queue.is_none() {
            return Action::Reply(Reply::error("ERR DISCARD without MULTI"));
        }
        if self.watched.pending > 0 {
            return Action::Wait;
        }
        self.queue = None;
        self.watched.clear();
        Action::Reply(Reply::OK)
    }

    pub(super) fn enqueue(
        &mut self,
        spec: &CommandSpec,
        args: Args<'_>,
        environment: &Environment<'_>,
    ) -> Action {
        let refusal = match spec.run {
            Run::Session(
                SessionCommand::Hello | SessionCommand::Auth | SessionCommand::Once | SessionCommand::Synod,
            ) => Some(Reply::error("ERR Command not allowed inside a transaction")),
            Run::Session(SessionCommand::Cluster) => {
                Some(Reply::error("ERR CLUSTER inside MULTI is not allowed"))
            }
            Run::Store(_) if spec.has(table::CONTAINER) => parse_words(spec, args, environment).err(),
            Run::Store(_) if is_about_all_keys(spec) => Some(about_all_keys(spec)),
            Run::Store(_) | Run::Session(_) => None,
        };
        if let Some(error) = refusal {
            return self.refuse(error);
        }
        let Some(queue) = &mut self.queue else { return Action::Wait };
        if !queue.is_spoilt {
            let bytes = args.iter().map(|word| word.len() + 16).sum::<usize>();
            let settings = environment.settings;
            if queue.requests.len() + bytes > settings.transaction_bytes_max
                || queue.commands >= settings.transaction_commands_max
            {
                queue.spoil();
                return Action::Reply(Reply::error(
                    "ERR the transaction is over this server's limit; split it into smaller ones",
                ));
            }
            if !environment.facts.may_hold(queue.requests.capacity() + bytes) {
                queue.spoil();
                return Action::Reply(Reply::error(
                    "OOM this server holds as much for its clients as it may; send the transaction again later",
                ));
            }
            write_request_header(&mut queue.requests, args.len());
            args.iter().for_each(|word| write_request_part(&mut queue.requests, word));
            queue.commands += 1;
        }
        Action::Reply(Reply::simple("QUEUED"))
    }

    pub(super) fn run_transaction(&mut self, environment: &Environment<'_>) -> Action {
        let Some(queue) = &self.queue else { return Action::Reply(Reply::error("ERR EXEC without MULTI")) };
        if self.watched.pending > 0 {
            return Action::Wait;
        }
        if queue.is_spoilt {
            self.queue = None;
            self.watched.clear();
            let text = "EXECABORT Transaction discarded because of previous errors.";
            return Action::Reply(Reply::error(text));
        }
        if self.watched.is_lost {
            self.queue = None;
            self.watched.clear();
            return Action::Reply(Reply::NullArray);
        }
        // Whether it must wait is known only once it is understood; then nothing may have changed yet.
        let queue = self.queue.take().unwrap_or_default();
        let (steps, count, others) = self.understand(&queue, environment);
        let watches = std::mem::take(&mut self.watched);
        let operation = Operation::Transaction {
            watches: Items::Bytes { count: watches.count, bytes: &watches.items },
            steps: Items::Bytes { count, bytes: &steps },
        };
        if count == 0 && watches.count == 0 {
            return Action::Reply(Reply::Array(others.into_iter().map(|(_, reply)| reply).collect()));
        }
        let action = self.submit(&operation, Purpose::Exec(others));
        if matches!(action, Action::Wait) {
            self.queue = Some(queue);
            self.watched = watches;
        }
        action
    }

    /// The queued commands as operations, how many these are, and the answers of those that are none, by their place.
    fn understand(
        &mut self,
        queue: &Queue,
        environment: &Environment<'_>,
    ) -> (Vec<u8>, u64, Vec<(usize, Reply)>) {
        let limits = Limits { bulk_bytes_max: u64::MAX, request_bytes_max: usize::MAX, ..Limits::default() };
        let mut parser = RequestParser::new(limits, true);
        let (mut steps, mut count, mut others, mut step) = (Vec::new(), 0, Vec::new(), Vec::new());
        for place in 0.. {
            // What was queued is well formed and names commands of the table.
            let Ok(Parsed::Command(args)) = parser.advance(&queue.requests) else { break };
            let Some(spec) = table::find(&args[0]) else { break };
            let parsed = match spec.run {
                Run::Store(_) => parse_words(spec, args, environment),
                Run::Session(SessionCommand::Unwatch) => {
                    others.push((place, Reply::OK));
                    continue;
                }
                Run::Session(command) => {
                    debug_assert!(!acts_in_transaction(spec));
                    others.push((place, self.answer(command, args, environment)));
                    continue;
                }
            };
            step.clear();
            match &parsed {
                Ok(operation) => operation.encode(&mut step),
                Err(Reply::Error(text)) => Operation::Fail { text: text.as_bytes() }.encode(&mut step),
                Err(_) => continue,
            }
            put_bytes(&mut steps, &step);
            count += 1;
        }
        (steps, count, others)
    }

    pub(super) fn watch(&mut self, args: Args<'_>, environment: &Environment<'_>) -> Action {
        if self.queue.is_some() {
            return Action::Reply(Reply::error("ERR WATCH inside MULTI is not allowed"));
        }
        let keys = args.skip(1);
        let bytes = keys.iter().map(|key| key.len() + 16).sum::<usize>();
        if self.watched.items.len() + bytes > environment.settings.transaction_bytes_max {
            return Action::Reply(Reply::error("ERR too many watched keys; UNWATCH first"));
        }
        let operation = Operation::Versions { keys: Items::Words(keys) };
        let purpose = Purpose::Watch(keys.iter().map(Box::from).collect());
        let action = self.submit(&operation, purpose);
        if matches!(action, Action::Submit(..)) {
            self.watched.pending += 1;
        }
        action
    }

    pub(super) fn unwatch(&mut self) -> Action {
        if self.watched.pending > 0 {
            return Action::Wait;
        }
        self.watched.clear();
        Action::Reply(Reply::OK)
    }

    /// Forgets transaction and watched keys.
    pub(super) fn drop_transaction(&mut self) {
        self.queue = None;
        self.watched.clear();
    }
}
