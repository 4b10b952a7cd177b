//! The rows about the configuration service as an application, by direct calls. Slots are numbered from 0 here.

use std::collections::BTreeMap;
use std::sync::Arc;
use synod_node::{NodeId, StateMachine};
use synod_shardedstore::{
    Configuration, ConfigurationCommand as Command, ConfigurationError as Error,
    ConfigurationOutput as Output, ConfigurationService, GroupId, SlotId,
};
use synod_stdx::Rng;
use synod_testkit::{Failed, Kind, Outcome, Play, Scenario, Stage};

/// Rows 1.1 to 1.8.
pub const CONFIGURATIONS: &[Scenario] = &[
    unit("1.1", "joins_moves_and_leaves_are_done", |stage| {
        play(stage, |desk| {
            desk.done(&join(1))?;
            desk.done(&join(2))?;
            desk.done(&move_slot(0, 2))?;
            desk.done(&leave(1))
        })
    }),
    unit("1.2", "without_a_group_there_is_no_configuration", |stage| {
        play(stage, |desk| {
            for number in [None, Some(0)] {
                desk.refused(&Command::Query { number }, Error::NoConfiguration)?;
            }
            Ok(())
        })
    }),
    unit("1.3", "what_cannot_be_is_refused_by_name_and_changes_nothing", refusals),
    unit("1.4", "the_first_group_owns_everything_in_configuration_0", |stage| {
        play(stage, |desk| {
            desk.done(&join(1))?;
            let first = desk.query(Some(0))?;
            let is_whole = first.slots.counts() == BTreeMap::from([(GroupId(1), 10)]);
            holds(is_whole && first.number == 0, format!("{first:?}"))
        })
    }),
    unit("1.5", "joins_and_leaves_balance_within_one_and_move_the_least", balance),
    unit("1.6", "every_configuration_can_be_queried_later_unchanged", history),
    unit("1.7", "a_move_is_kept_until_the_next_join", moves),
    unit("1.8", "the_same_script_gives_the_same_configurations", determinism),
];

const fn unit(number: &'static str, name: &'static str, play: Play) -> Scenario {
    Scenario { seeds: 1, ..super::row(number, name, Kind::Unit, play) }
}

type Step = Result<(), String>;

fn holds(claim: bool, what: impl Into<String>) -> Step {
    if claim { Ok(()) } else { Err(what.into()) }
}

fn join(group: u32) -> Command {
    let members = (3 * group - 2..=3 * group).map(NodeId::server).collect();
    Command::Join { group: GroupId(group), members }
}

fn leave(group: u32) -> Command {
    Command::Leave { group: GroupId(group) }
}

fn slot(number: u16) -> SlotId {
    SlotId::new(number.into()).expect("there are so many")
}

fn move_slot(number: u16, group: u32) -> Command {
    Command::Move { first: slot(number), last: slot(number), group: GroupId(group) }
}

/// A service, and what it said of each configuration when it was new.
struct Desk {
    service: ConfigurationService,
    slot_count: u16,
    seen: Vec<Arc<Configuration>>,
    steps: u64,
}

fn play_with(
    stage: &Stage,
    slot_count: u16,
    script: impl FnOnce(&mut Desk) -> Step,
) -> Result<Outcome, Box<Failed>> {
    let mut desk =
        Desk { service: ConfigurationService::new(slot_count), slot_count, seen: Vec::new(), steps: 0 };
    let result = script(&mut desk);
    stage.conclude_calls(desk.steps, result)
}

fn play(stage: &Stage, script: impl FnOnce(&mut Desk) -> Step) -> Result<Outcome, Box<Failed>> {
    play_with(stage, 10, script)
}

impl Desk {
    fn apply(&mut self, command: &Command) -> Output {
        self.steps += 1;
        self.service.apply(command)
    }

    /// The configuration is read twice, and both must agree.
    fn query(&mut self, number: Option<u64>) -> Result<Arc<Configuration>, String> {
        let query = Command::Query { number };
        let (one, two) = (self.apply(&query), self.apply(&query));
        match (one, two) {
            (Output::Configuration(one), Output::Configuration(two)) if one == two => Ok(one),
            (one, two) => Err(format!("{query:?} was answered {one:?} and {two:?}")),
        }
    }

    /// A change that must be done, in the configuration that is next.
    fn done(&mut self, command: &Command) -> Step {
        let next = self.seen.len() as u64;
        let output = self.apply(command);
        holds(output == Output::Ok(next), format!("{command:?} was answered {output:?}"))?;
        let latest = self.query(None)?;
        holds(latest.number == next, format!("{latest:?} is not number {next}"))?;
        let counted: usize = latest.slots.counts().values().sum();
        holds(counted == usize::from(self.slot_count), format!("not every slot has an owner: {latest:?}"))?;
        self.seen.push(latest);
        Ok(())
    }

    fn refused(&mut self, command: &Command, error: Error) -> Step {
        let before = self.service.clone();
        let output = self.apply(command);
        holds(output == Output::Error(error), format!("{command:?} was answered {output:?}"))?;
        holds(self.service == before, format!("{command:?} was refused, and changed something"))
    }

    /// How many slots changed owner with the last change, and who lost and who got them.
    fn movement(&self) -> Vec<(GroupId, GroupId)> {
        let [.., before, after] = self.seen.as_slice() else { return Vec::new() };
        let owners = |at: u16| Some((before.slots.owner(slot(at))?, after.slots.owner(slot(at))?));
        (0..self.slot_count).filter_map(owners).filter(|(old, new)| old != new).collect()
    }

    fn spread(&self) -> usize {
        let Some(latest) = self.seen.last() else { return 0 };
        let counts = latest.slots.counts();
        let sizes = || latest.groups.keys().map(|group| counts.get(group).copied().unwrap_or(0));
        sizes().max().unwrap_or(0) - sizes().min().unwrap_or(0)
    }
}

fn refusals(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, |desk| {
        desk.done(&join(1))?;
        desk.done(&join(2))?;
        desk.refused(&join(2), Error::GroupExists(GroupId(2)))?;
        desk.refused(&Command::Join { group: GroupId(3), members: Vec::new() }, Error::NoMembers)?;
        desk.refused(&leave(3), Error::NoSuchGroup(GroupId(3)))?;
        let owner = desk.query(None)?.slots.owner(slot(0)).map_or(0, |group| group.0);
        desk.refused(&move_slot(0, owner), Error::OwnsThem(GroupId(owner)))?;
        desk.refused(&move_slot(0, 3), Error::NoSuchGroup(GroupId(3)))?;
        desk.refused(&move_slot(10, 1), Error::NoSuchSlots)?;
        let backwards = Command::Move { first: slot(5), last: slot(4), group: GroupId(1) };
        desk.refused(&backwards, Error::NoSuchSlots)?;
        desk.refused(&Command::Query { number: Some(2) }, Error::NoSuchConfiguration(2))?;
        desk.done(&leave(1))?;
        desk.refused(&leave(2), Error::LastGroup(GroupId(2)))
    })
}

fn balance(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, |desk| {
        desk.done(&join(1))?;
        for count in [2, 3] {
            desk.done(&join(count))?;
            let moved = desk.movement();
            let is_least = moved.len() == 10 / count as usize;
            let is_to_new = moved.iter().all(|(_, new)| *new == GroupId(count));
            holds(is_least && is_to_new && desk.spread() <= 1, format!("{moved:?} moved"))?;
        }
        for leaving in [3, 2] {
            let had = desk.query(None)?.slots.counts()[&GroupId(leaving)];
            desk.done(&leave(leaving))?;
            let moved = desk.movement();
            let is_from_it = moved.iter().all(|(old, _)| *old == GroupId(leaving));
            holds(moved.len() == had && is_from_it && desk.spread() <= 1, format!("{moved:?} moved"))?;
        }
        Ok(())
    })
}

fn history(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, |desk| {
        for command in [join(1), join(2), join(3), leave(3), leave(2)] {
            desk.done(&command)?;
        }
        for number in 0..5 {
            let then = desk.query(Some(number))?;
            let is_same = then == desk.seen[number as usize];
            holds(is_same, format!("{then:?} was {:?}", desk.seen[number as usize]))?;
        }
        Ok(())
    })
}

fn moves(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    play(stage, |desk| {
        desk.done(&join(1))?;
        desk.done(&join(2))?;
        let of_first = |desk: &mut Desk| {
            let latest = desk.query(None)?;
            let mut slots = (0..10).filter(|at| latest.slots.owner(slot(*at)) == Some(GroupId(1)));
            slots.next().ok_or_else(|| "group 1 owns nothing".to_owned())
        };
        for count in 1..=5 {
            let at = of_first(desk)?;
            desk.done(&move_slot(at, 2))?;
            let moved = desk.movement();
            let is_only_it = moved == [(GroupId(1), GroupId(2))];
            holds(is_only_it && desk.spread() <= 1 + 2 * count, format!("{moved:?} moved"))?;
        }
        desk.done(&join(3))?;
        holds(desk.spread() <= 1, format!("not balanced: {:?}", desk.seen.last()))
    })
}

/// A hundred slots, and whatever a seeded script does to them.
fn script(desk: &mut Desk) -> Step {
    let mut rng = Rng::new(18);
    for _ in 0..100 {
        let (group, at) = (rng.between(1, 12) as u32, rng.below(100) as u16);
        let command = match rng.below(3) {
            0 => join(group),
            1 => leave(group),
            _ => move_slot(at, group),
        };
        if let Output::Ok(number) = desk.apply(&command) {
            let latest = desk.query(Some(number))?;
            desk.seen.push(latest);
        }
    }
    holds(desk.seen.len() > 20, "hardly anything was done")
}

fn determinism(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    let mut first: Option<Vec<Arc<Configuration>>> = None;
    let mut last = Outcome::default();
    for _ in 0..10 {
        last = play_with(stage, 100, |desk| {
            script(desk)?;
            let known = first.get_or_insert_with(|| desk.seen.clone());
            holds(*known == desk.seen, "two runs of one script differ")
        })?;
    }
    Ok(last)
}
