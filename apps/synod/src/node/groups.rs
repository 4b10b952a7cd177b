//! The groups whose members this node runs. They come and go with the configurations, which the node's own member of the
//! configuration service tells it; a member, once started, runs for ever, since a group that left may still have something
//! to say.
//!
//! A file in the data directory names them, written before a member starts: so the next start has them at once, and a
//! member that once ran is never taken for a new one. Where the disk was lost, that file is lost too. Then whatever group
//! is in the first configuration that this life knows had perhaps a member here, which has to rejoin; groups that come
//! later have not.

use super::{Store, places};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use synod_host::{Host, replace_file};
use synod_node::NodeId;
use synod_shardedstore::{
    Configuration, ConfigurationNumber, GroupId, GroupPlan, PART_BYTES, SLOT_COUNT, Server,
};
use synod_store::Keyspace;

const FILE: &str = "groups";

/// A group as this node knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Group {
    members: Vec<NodeId>,
    /// The life in which this node's member has to rejoin; 0 if it began as new.
    incarnation: u64,
}

/// The groups that ever were, as far as this node knows.
pub(super) struct Groups {
    directory: PathBuf,
    nodes: places::Nodes,
    incarnation: u64,
    /// The newest configuration that was looked at.
    seen: Option<ConfigurationNumber>,
    known: BTreeMap<GroupId, Group>,
}

impl Groups {
    /// What the file in `directory` says; nothing where there is none.
    ///
    /// # Errors
    /// If it cannot be read; says what to do.
    pub(super) fn open(directory: &Path, nodes: places::Nodes, incarnation: u64) -> Result<Groups, String> {
        let path = directory.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(format!("{}: {error}; make it readable for this user", path.display())),
        };
        let damaged = || {
            format!(
                "{}: it is damaged; bring this node back with an empty directory and an incarnation one higher",
                path.display()
            )
        };
        let (seen, known) = parse(&text).ok_or_else(damaged)?;
        Ok(Groups { directory: directory.to_owned(), nodes, incarnation, seen, known })
    }

    /// Those that have a member here.
    pub(super) fn here(&self) -> Vec<GroupId> {
        let me = self.nodes.me();
        let here = self.known.iter().filter(|(id, group)| group.members.contains(&places::member(**id, me)));
        here.map(|(id, _)| *id).collect()
    }

    /// This node's member of a group that has one here.
    pub(super) fn member(&self, id: GroupId) -> (NodeId, Store) {
        let (me, group) = (places::member(id, self.nodes.me()), &self.known[&id]);
        let plan = GroupPlan {
            group: id,
            members: &group.members,
            masters: &self.nodes.masters(),
            slot_count: SLOT_COUNT,
            store: Keyspace::new(),
            settings: super::settings(),
            part_bytes: PART_BYTES,
        };
        let server = match group.incarnation {
            // The groups' first leaders are spread over the nodes.
            0 => {
                let first = group.members[(id.0 as usize - 1) % group.members.len()];
                Server::new(me, &plan).with_first(first)
            }
            incarnation => Server::rejoining(me, &plan, incarnation),
        };
        (me, Store::Server(server))
    }

    /// Tells the host where the members of every group are.
    pub(super) fn introduce(&self, host: &Host<Store>) {
        for id in self.known.values().flat_map(|group| &group.members) {
            host.meet(places::node_of(*id), *id);
        }
    }

    /// Takes note of every configuration that there is. Whether there are groups that were not known.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(super) fn learn(&mut self, history: &[Arc<Configuration>]) -> Result<Vec<GroupId>, String> {
        let Some(newest) = history.last().map(|newest| newest.number) else { return Ok(Vec::new()) };
        if self.seen.is_some_and(|seen| seen >= newest) {
            return Ok(Vec::new());
        }
        let incarnation = if self.seen.is_none() { self.incarnation } else { 0 };
        let mut new = Vec::new();
        for (id, members) in history.iter().flat_map(|configuration| &configuration.groups) {
            if !self.known.contains_key(id) {
                self.known.insert(*id, Group { members: members.clone(), incarnation });
                new.push(*id);
            }
        }
        self.seen = Some(newest);
        if !new.is_empty() || incarnation > 0 {
            let text = self.to_text();
            replace_file(&self.directory, FILE, &text)
                .map_err(|error| format!("{}: {error}", self.directory.join(FILE).display()))?;
        }
        Ok(new)
    }

    fn to_text(&self) -> String {
        let mut text =
            format!("seen {}\n", self.seen.map_or_else(|| "-".to_owned(), |seen| seen.to_string()));
        for (id, group) in &self.known {
            let members: Vec<String> = group.members.iter().map(|id| id.to_bits().to_string()).collect();
            text += &format!("group {} {} {}\n", id.0, group.incarnation, members.join(" "));
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
                let incarnation = words.next()?.parse().ok()?;
                let members = words.map(|word| word.parse().ok().map(NodeId::from_bits));
                let members: Vec<NodeId> = members.collect::<Option<_>>()?;
                if members.is_empty() || known.insert(id, Group { members, incarnation }).is_some() {
                    return None;
                }
            }
            _ => return None,
        }
    }
    Some((seen, known))
}
