//! The groups whose members this node runs. They come and go with the configurations, which the node's own member of the
//! configuration service tells it; a member, once started, runs for ever, since a group that left may still have something
//! to say.
//!
//! A fact in the superblock of the process names them, kept before a member starts: so the next start has them at once, and
//! a member that once ran is never taken for a new one. Where the disk was lost, that fact is lost too. Then whatever group
//! is in the first configuration that this life knows had perhaps a member here, which has to rejoin; groups that come
//! later have not.
//!
//! Where this node has the place of another in a group, its member begins anew there (`synod_shardedstore`, `homes.rs`): in a
//! life that is numbered by the replacements of that place and, within it, by this node's own lives. A member that was
//! replaced runs on as retired.

use super::blueprint::{Blueprint, Role};
use super::{Store, places};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use synod_host::Host;
use synod_node::NodeId;
use synod_shardedstore::{Configuration, ConfigurationNumber, GroupId, Seats};

/// The name of the fact.
const FACT: &str = "groups";

/// A group as this node knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Group {
    seats: Seats,
    /// The life in which this node's member has to rejoin; 0 if it began as new; none if there is none.
    life: Option<u64>,
}

/// The groups that ever were, as far as this node knows.
pub(super) struct Groups {
    nodes: places::Nodes,
    incarnation: u64,
    /// The newest configuration that was looked at.
    seen: Option<ConfigurationNumber>,
    known: BTreeMap<GroupId, Group>,
}

impl Groups {
    /// What the superblock of `host` says; nothing where this life of the disk has seen no configuration yet.
    ///
    /// # Errors
    /// If it cannot be read; says what to do.
    pub(super) fn open(host: &Host<Store>, nodes: places::Nodes, incarnation: u64) -> Result<Groups, String> {
        let text = String::from_utf8(host.fact(FACT).unwrap_or_default()).ok();
        let unreadable = || {
            format!(
                "the superblock's fact `{FACT}` is intact but cannot be read: start the release that wrote it"
            )
        };
        let (seen, known) = text.as_deref().and_then(parse).ok_or_else(unreadable)?;
        Ok(Groups { nodes, incarnation, seen, known })
    }

    /// Those that have a member here.
    pub(super) fn here(&self) -> Vec<GroupId> {
        self.known.iter().filter(|(_, group)| group.life.is_some()).map(|(id, _)| *id).collect()
    }

    /// This node's member of a group that has one here.
    pub(super) fn member(&self, id: GroupId) -> Blueprint {
        let group = &self.known[&id];
        let homes = |homes: &Vec<NodeId>| homes.iter().map(|id| id.to_bits()).collect();
        let role = Role::Member {
            group: id.0,
            seats: group.seats.all_homes().iter().map(homes).collect(),
            life: group.life.unwrap_or(0),
            next: self.seen.map_or(0, |seen| seen + 1),
        };
        self.nodes.blueprint(role)
    }

    /// Tells the host where the members of every group are.
    pub(super) fn introduce(&self, host: &Host<Store>) {
        for id in self.known.values().flat_map(|group| group.seats.all_homes()).flatten() {
            host.meet(places::node_of(*id), *id);
        }
    }

    /// Takes note of every configuration that there is. If some are new, the groups whose member here begins now.
    ///
    /// # Errors
    /// If `host` cannot keep it: the process must stop.
    pub(super) fn learn(
        &mut self,
        history: &[Arc<Configuration>],
        host: &Host<Store>,
    ) -> Result<Option<Vec<GroupId>>, String> {
        let Some(newest) = history.last().map(|newest| newest.number) else { return Ok(None) };
        if self.seen.is_some_and(|seen| seen >= newest) {
            return Ok(None);
        }
        // What this life has not seen begin may have run before its disk was lost.
        let incarnation = if self.seen.is_none() { self.incarnation } else { 0 };
        let (mut new, mut is_changed) = (Vec::new(), incarnation > 0);
        let ids: BTreeSet<GroupId> =
            history.iter().flat_map(|configuration| configuration.groups.keys()).copied().collect();
        for id in ids {
            let (seats, me) = (Seats::of(id, history), places::member(id, self.nodes.me()));
            let known = self.known.get(&id);
            let life = known.and_then(|known| known.life).or_else(|| {
                let is_first = seats.names().contains(&me);
                let disks_lost = if is_first { incarnation } else { self.incarnation };
                seats.is_home(me).then(|| seats.life(me, disks_lost))
            });
            if life.is_some() && known.is_none_or(|known| known.life.is_none()) {
                new.push(id);
            }
            let group = Group { seats, life };
            is_changed |= known != Some(&group);
            self.known.insert(id, group);
        }
        self.seen = Some(newest);
        if is_changed {
            host.keep(FACT, self.to_text().into_bytes()).map_err(|error| error.to_string())?;
        }
        Ok(Some(new))
    }

    fn to_text(&self) -> String {
        let mut text =
            format!("seen {}\n", self.seen.map_or_else(|| "-".to_owned(), |seen| seen.to_string()));
        for (id, group) in &self.known {
            let homes = |homes: &Vec<NodeId>| {
                homes.iter().map(|id| id.to_bits().to_string()).collect::<Vec<_>>().join(",")
            };
            let seats: Vec<String> = group.seats.all_homes().iter().map(homes).collect();
            let life = group.life.map_or_else(|| "-".to_owned(), |life| life.to_string());
            text += &format!("group {} {life} {}\n", id.0, seats.join(" "));
        }
        text
    }
}

type Parsed = (Option<ConfigurationNumber>, BTreeMap<GroupId, Group>);

fn parse(text: &str) -> Option<Parsed> {
    let (mut seen, mut known) = (None, BTreeMap::new());
    for line in text.lines() {
        let mut words = line.split(' ');
        match words.next()? {
            "seen" => seen = words.next()?.parse().ok(),
            "group" => {
                let id = GroupId(words.next()?.parse().ok()?);
                let life = match words.next()? {
                    "-" => None,
                    life => Some(life.parse().ok()?),
                };
                let home = |word: &str| word.parse().ok().map(NodeId::from_bits);
                let seats = words.map(|word| word.split(',').map(home).collect::<Option<_>>());
                let seats = Seats::of_homes(seats.collect::<Option<_>>()?)?;
                if known.insert(id, Group { seats, life }).is_some() {
                    return None;
                }
            }
            _ => return None,
        }
    }
    Some((seen, known))
}
