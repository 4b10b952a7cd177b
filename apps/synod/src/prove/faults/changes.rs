//! What operators do while clients go on: slots move, members are replaced.

use super::{Conductor, Stop};
use crate::administer::{missing, role_of};
use crate::node::NodeStatus;
use crate::prove::wire::Wire;
use std::time::{Duration, Instant};
use synod_resp::Reply;
use synod_stdx::Rng;

/// An operator waits so long for one node.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// Within this a change is made, and is complete.
const CHANGE_MAX: Duration = Duration::from_secs(60);
/// The group whose members are replaced has so many.
const MEMBERS: usize = 3;
/// So many slots move at most.
const SLOTS_MOVED: u64 = 600;

/// A group that lives on some of the nodes only.
pub(super) struct SmallGroup {
    name: String,
    members: Vec<u32>,
    /// The nodes without a member of it now; some had one before.
    outside: Vec<u32>,
}

impl Conductor<'_> {
    fn said(&self) -> Vec<NodeStatus> {
        self.cluster.numbers().into_iter().filter_map(|number| self.cluster.status(number)).collect()
    }

    /// Tells the store what an operator wants, until it has it. Yields the configuration's number; `None` if it had it already,
    /// maybe from a try whose answer was lost.
    fn operate(&mut self, words: &[String]) -> Result<Option<u64>, Stop> {
        let all: Vec<String> = ["SYNOD".to_owned()].into_iter().chain(words.iter().cloned()).collect();
        let deadline = Instant::now() + CHANGE_MAX;
        let mut last = String::new();
        while Instant::now() < deadline {
            for address in self.cluster.clients() {
                match Wire::open(address, ANSWER_MAX).and_then(|mut wire| wire.ask(&all)) {
                    Some(Reply::Integer(number)) => return Ok(Some(number.cast_unsigned())),
                    Some(Reply::Error(text)) if text.contains("already") => return Ok(None),
                    Some(other) => last = format!("{other:?}"),
                    None => "no answer".clone_into(&mut last),
                }
            }
            self.look()?;
        }
        Err(Stop::Broken(format!("{} is not done: {last}", words.join(" "))))
    }

    /// Makes a change, and waits until every slot is where it must be then.
    fn change(&mut self, words: &[String]) -> Result<Option<u64>, Stop> {
        let configuration = self.operate(words)?;
        self.await_settled(configuration.unwrap_or(0))?;
        Ok(configuration)
    }

    /// Waits until every slot is where the configuration has it.
    fn await_settled(&mut self, configuration: u64) -> Result<(), Stop> {
        let deadline = Instant::now() + CHANGE_MAX;
        while missing(&self.said(), configuration) != Some(0) {
            if Instant::now() > deadline {
                let left = missing(&self.said(), configuration);
                return Err(Stop::Broken(format!(
                    "slots do not arrive: {left:?} of configuration {configuration}"
                )));
            }
            self.look()?;
        }
        Ok(())
    }

    /// Some slots go to another group, and back to balance.
    pub(super) fn slot_move(&mut self, rng: &mut Rng, what: &mut String) -> Result<(), Stop> {
        let mut groups: Vec<u32> = self.cluster.leaders().into_iter().map(|(group, _)| group).collect();
        groups.dedup();
        if groups.len() < 2 {
            return Err(Stop::LeftOut("there is one group only".to_owned()));
        }
        rng.shuffle(&mut groups);
        let first = rng.below(16_384 - SLOTS_MOVED);
        let last = first + rng.between(1, SLOTS_MOVED) - 1;
        for group in groups {
            *what = format!("slots {first} to {last} move to g{group}, and back to balance");
            let words = ["SLOT", "MOVE", &first.to_string(), &last.to_string(), &format!("g{group}")];
            // A group that has them already is no place to move to.
            if self.change(&words.map(str::to_owned))?.is_some() {
                break;
            }
        }
        self.change(&["REBALANCE".to_owned()])?;
        Ok(())
    }

    /// The small group, made the first time.
    fn small_group(&mut self, rng: &mut Rng) -> Result<SmallGroup, Stop> {
        if let Some(group) = self.small_group.take() {
            return Ok(group);
        }
        let mut numbers = self.cluster.numbers();
        if numbers.len() <= MEMBERS {
            return Err(Stop::LeftOut(format!("it needs {} nodes: --nodes {}", MEMBERS + 1, MEMBERS + 1)));
        }
        rng.shuffle(&mut numbers);
        let outside = numbers.split_off(MEMBERS);
        let name = format!("g{}", self.small_group_number);
        let words = ["GROUP".to_owned(), "JOIN".to_owned(), name.clone()].into_iter();
        let words: Vec<String> = words.chain(numbers.iter().map(u32::to_string)).collect();
        self.change(&words)?;
        Ok(SmallGroup { name, members: numbers, outside })
    }

    /// The place of one node in a group goes to another node, which may have had one there before.
    pub(super) fn member_replace(&mut self, rng: &mut Rng, what: &mut String) -> Result<(), Stop> {
        let mut group = self.small_group(rng)?;
        rng.shuffle(&mut group.members);
        rng.shuffle(&mut group.outside);
        let (old, new) = (group.members.pop().unwrap_or(1), group.outside.pop().unwrap_or(1));
        let dies = rng.chance(500);
        let state = if dies { ", which is dead," } else { "" };
        *what = format!("the place of node {old}{state} in {} goes to node {new}", group.name);
        if dies {
            self.cluster.kill(old);
        }
        let words = ["MEMBER", "REPLACE", &group.name, &old.to_string(), &new.to_string()];
        self.operate(&words.map(str::to_owned))?;
        let deadline = Instant::now() + CHANGE_MAX;
        let counts = |role: String| matches!(role.as_str(), "follower" | "candidate" | "leader");
        while !role_of(&self.said(), &group.name, new).is_some_and(counts) {
            if Instant::now() > deadline {
                return Err(Stop::Broken(format!("node {new} does not catch up in {}", group.name)));
            }
            self.look()?;
        }
        group.members.push(new);
        group.outside.push(old);
        self.small_group = Some(group);
        if dies {
            self.cluster.start_node(old)?;
        }
        Ok(())
    }
}
