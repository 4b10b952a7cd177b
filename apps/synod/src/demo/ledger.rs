//! What a client asks a key-value store, and what must be answered: every append exactly once.

use super::clients::{Clients, Questions};
use std::collections::{BTreeMap, VecDeque};
use synod_clientserver::{KvCommand, KvOutput, Outcome, Text};
use synod_host::Hosted;
use synod_node::{Node, NodeId};

/// How many appends a key takes. The answer to one is the whole value, so that values must not grow for long.
const APPENDS_A_KEY: u64 = 32;

/// A client that appends `0;`, `1;`, `2;` … to keys of its own, and reads the key after each.
///
/// Nobody else writes those keys, and a client's requests run in the order in which it makes them: so there is one right
/// answer to each, and an append that ran twice or never shows in the next answer, and again when all is read back.
#[derive(Debug)]
pub(super) struct Ledger {
    owner: NodeId,
    /// How many appends were asked for, acknowledged, and found when they were read back.
    appends: u64,
    acknowledged: u64,
    found: u64,
    /// The value of the present key once everything that was asked has run.
    value: String,
    is_read_next: bool,
    /// The next key to be read back, once that has begun.
    back: Option<u64>,
    expected: VecDeque<Expected>,
}

#[derive(Debug)]
struct Expected {
    key: u64,
    answer: KvOutput,
    /// How many appends an answer acknowledges or, when it is read back, proves.
    acknowledges: u64,
    proves: u64,
}

impl Ledger {
    /// Of a client that has asked nothing yet.
    pub(super) fn new(owner: NodeId) -> Ledger {
        let (appends, acknowledged, found) = (0, 0, 0);
        let (value, expected) = (String::new(), VecDeque::new());
        Ledger { owner, appends, acknowledged, found, value, is_read_next: false, back: None, expected }
    }

    /// From now on it appends nothing, and reads every key once more.
    fn read_back(&mut self) {
        self.back = Some(0);
    }

    fn name(&self, key: u64) -> String {
        format!("{}/{key}", self.owner)
    }

    fn next_append(&mut self) -> KvCommand {
        let (key, place) = (self.appends / APPENDS_A_KEY, self.appends % APPENDS_A_KEY);
        if place == 0 {
            self.value.clear();
        }
        let token = token(self.appends);
        self.value.push_str(&token);
        self.appends += 1;
        let answer = KvOutput::appended(&self.value);
        self.expected.push_back(Expected { key, answer, acknowledges: 1, proves: 0 });
        KvCommand::append(&self.name(key), &token)
    }

    fn next_read(&mut self) -> KvCommand {
        let key = (self.appends - 1) / APPENDS_A_KEY;
        let answer = KvOutput::value(&self.value);
        self.expected.push_back(Expected { key, answer, acknowledges: 0, proves: 0 });
        KvCommand::get(&self.name(key))
    }

    fn next_back(&mut self, key: u64) -> Option<KvCommand> {
        let first = key * APPENDS_A_KEY;
        let last = (first + APPENDS_A_KEY).min(self.appends);
        if first >= last {
            return None;
        }
        self.back = Some(key + 1);
        let value: String = (first..last).map(token).collect();
        let answer = KvOutput::value(&value);
        self.expected.push_back(Expected { key, answer, acknowledges: 0, proves: last - first });
        Some(KvCommand::get(&self.name(key)))
    }

    fn next_command(&mut self) -> Option<KvCommand> {
        if let Some(key) = self.back {
            return self.next_back(key);
        }
        let is_read = self.is_read_next;
        self.is_read_next = !is_read;
        Some(if is_read { self.next_read() } else { self.next_append() })
    }

    fn on_outcome(&mut self, outcome: Outcome<KvOutput>) -> Result<(), String> {
        let owner = self.owner;
        let Some(expected) = self.expected.pop_front() else {
            return Err(format!("{owner} was answered what it did not ask"));
        };
        match outcome {
            Outcome::Done(answer) if answer == expected.answer => {
                self.acknowledged += expected.acknowledges;
                self.found += expected.proves;
                Ok(())
            }
            Outcome::Done(answer) => {
                let (key, wrong) = (self.name(expected.key), difference(&answer, &expected.answer));
                Err(format!("the servers broke their promise: key {key}: {wrong}"))
            }
            Outcome::MayHaveHappened => Err(format!(
                "the servers have forgotten the session of {owner}: what it was acknowledged may be lost"
            )),
        }
    }
}

fn token(number: u64) -> String {
    format!("{number};")
}

fn text(output: &KvOutput) -> Option<&Text> {
    match output {
        KvOutput::Value(value) | KvOutput::Appended(value) => Some(value),
        KvOutput::PutOk | KvOutput::KeyNotFound => None,
    }
}

/// In what an answer differs from the right one.
fn difference(answer: &KvOutput, right: &KvOutput) -> String {
    let (Some(there), Some(due)) = (text(answer), text(right)) else {
        return format!("{answer:?} was answered, and {right:?} is right");
    };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for token in there.split_terminator(';') {
        *counts.entry(token).or_default() += 1;
    }
    for token in due.split_terminator(';') {
        match counts.remove(token) {
            Some(1) => {}
            Some(count) => return format!("append {token} is there {count} times"),
            None => return format!("append {token} is missing"),
        }
    }
    match counts.keys().next() {
        Some(stranger) => format!("{stranger} is there, and was never appended before this"),
        None => "the appends are there in another order than they were made in".to_owned(),
    }
}

/// For every protocol that serves such a store.
impl<N: Node<Request = KvCommand, Response = Outcome<KvOutput>>> Questions<N> for Ledger {
    fn next(&mut self) -> Option<KvCommand> {
        self.next_command()
    }

    fn on_answer(&mut self, answer: Outcome<KvOutput>) -> Result<(), String> {
        self.on_outcome(answer)
    }
}

/// Waits for all answers, lets the clients read back what they appended, and says how many appends that is.
///
/// # Errors
/// If one that was acknowledged is not there exactly once.
pub(super) async fn read_back<N>(clients: &Clients<N, Ledger>) -> Result<u64, String>
where
    N: Hosted<Request = KvCommand, Response = Outcome<KvOutput>>,
{
    clients.rest().await?;
    clients.questions(Ledger::read_back);
    clients.finish().await?;
    let appends = clients.questions(|ledger| ledger.acknowledged).into_iter().sum();
    let found = clients.questions(|ledger| ledger.found).into_iter().sum::<u64>();
    match appends {
        0 => Err("no append was acknowledged".to_owned()),
        _ if appends == found => Ok(appends),
        _ => Err(format!("{appends} appends were acknowledged, and {found} are there")),
    }
}

#[cfg(test)]
mod tests {
    use super::{APPENDS_A_KEY, Ledger};
    use synod_clientserver::{KvCommand, KvOutput, KvStore, Outcome};
    use synod_node::{NodeId, StateMachine as _};

    /// Lets a client ask `count` times, and read back; a server runs the command of number `at` so often.
    fn check(count: u64, (at, times): (u64, usize)) -> Result<Ledger, String> {
        let (mut store, mut ledger) = (KvStore::default(), Ledger::new(NodeId::client(1)));
        let mut asked = 0;
        loop {
            if asked == count {
                ledger.read_back();
            }
            let Some(command) = ledger.next_command() else { return Ok(ledger) };
            let runs = if asked == at { times } else { 1 };
            let output = (0..runs).map(|_| store.apply(&command)).last();
            // A server that acknowledges without running it: what the client hopes for.
            let output = output.unwrap_or_else(|| ledger.expected[0].answer.clone());
            ledger.on_outcome(Outcome::Done(output))?;
            asked += 1;
        }
    }

    #[test]
    fn appends_that_ran_once_are_found() {
        for appends in [1, APPENDS_A_KEY, 3 * APPENDS_A_KEY + 5] {
            let ledger = check(2 * appends, (0, 1)).unwrap();
            assert_eq!((ledger.acknowledged, ledger.found), (appends, appends));
        }
    }

    #[test]
    fn an_append_that_ran_twice_or_never_is_told() {
        let twice = check(100, (20, 2)).unwrap_err();
        assert!(twice.ends_with("key c1/0: append 10 is there 2 times"), "{twice}");
        let never = check(100, (20, 0)).unwrap_err();
        assert!(never.ends_with("key c1/0: append 10 is missing"), "{never}");
        // The last append of all: only reading back can tell.
        let last = check(41, (40, 0)).unwrap_err();
        assert!(last.ends_with("key c1/0: append 20 is missing"), "{last}");
    }

    #[test]
    fn other_wrong_answers_are_told_too() {
        let mut ledger = Ledger::new(NodeId::client(2));
        assert_eq!(ledger.next_command(), Some(KvCommand::append("c2/0", "0;")));
        let forgotten = ledger.on_outcome(Outcome::MayHaveHappened).unwrap_err();
        assert!(forgotten.contains("forgotten the session of c2"), "{forgotten}");
        ledger.next_command();
        let lost = ledger.on_outcome(Outcome::Done(KvOutput::KeyNotFound)).unwrap_err();
        assert!(lost.contains("KeyNotFound was answered"), "{lost}");
        assert!(ledger.on_outcome(Outcome::Done(KvOutput::PutOk)).unwrap_err().contains("did not ask"));
    }
}
