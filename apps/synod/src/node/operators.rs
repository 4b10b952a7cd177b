//! What operators ask of the cluster, as commands of the configuration service; and what they are told.

use super::backend::Gateway;
use super::places;
use super::requests::line_of;
use crate::server::Token;
use synod_node::NodeId;
use synod_resp::Reply;
use synod_shardedstore::{Addresses, ConfigurationCommand, GroupId, SERVICE};
use synod_store::{Administration, Outcome};

/// What a node says that has no member of a group which left.
pub(crate) const ASK_ANOTHER: &str = "this node cannot tell whether its slots have moved";
/// So many configurations are told at most.
const HISTORY_MAX: u64 = 1_000;

impl Gateway {
    /// Every configuration that there was, but of many only the last.
    pub(super) async fn tell_history(self, token: Token) {
        let next = self.inner.membership.borrow().next();
        let mut lines = Vec::new();
        for number in next.saturating_sub(HISTORY_MAX)..next {
            let known = match self.known_here(number) {
                Some(known) => Some(known),
                None => self.ask_for(number).await,
            };
            lines.extend(known.map(|known| Reply::bulk(line_of(&known))));
        }
        self.inner.requests.completions.complete(token, Outcome::Done(Reply::Array(lines)));
    }

    /// The command of the configuration service that an operator means.
    pub(super) fn command_of(&self, request: &Administration) -> Result<ConfigurationCommand, String> {
        Ok(match request {
            Administration::JoinGroup { group, nodes } => {
                let all = &self.nodes().numbers;
                if let Some(stranger) = nodes.iter().find(|node| !all.contains(node)) {
                    return Err(format!(
                        "there is no node {stranger}; name some of {all:?}, or none for all"
                    ));
                }
                if group.0 >= places::GROUP_BOUND {
                    return Err(format!("choose a number below {}", places::GROUP_BOUND));
                }
                let nodes = if nodes.is_empty() { all } else { nodes };
                let mut members: Vec<_> = nodes.iter().map(|node| places::member(*group, *node)).collect();
                members.sort_unstable();
                members.dedup();
                ConfigurationCommand::Join { group: *group, members }
            }
            Administration::ReplaceMember { group, old, new } => self.replacement(*group, *old, *new)?,
            Administration::LeaveGroup { group } => ConfigurationCommand::Leave { group: *group },
            Administration::MoveSlots { first, last, group } => {
                ConfigurationCommand::Move { first: *first, last: *last, group: *group }
            }
            Administration::Rebalance => ConfigurationCommand::Balance,
            Administration::AddNode { node, addresses } => {
                ConfigurationCommand::AddNode { node: *node, addresses: addresses.clone() }
            }
            Administration::RemoveNode { node } => self.removal(*node)?,
            Administration::History | Administration::Nodes => ConfigurationCommand::Query { number: None },
        })
    }

    /// The replacement of a member, if there is hope that the group can make it: configurations are taken in order, so one
    /// that waits for nodes that never come back would hold up all that come later.
    fn replacement(&self, group: GroupId, old: u32, new: u32) -> Result<ConfigurationCommand, String> {
        let all = &self.nodes().numbers;
        if let Some(stranger) = [old, new].into_iter().find(|node| !all.contains(node)) {
            return Err(format!("there is no node {stranger}; name some of {all:?}"));
        }
        let members = self.newest().and_then(|newest| newest.members(group).cloned()).unwrap_or_default();
        let is_here = |node: &u32| *node == self.inner.me || self.inner.host.is_connected(*node);
        let others = members.iter().map(|id| places::node_of(*id)).filter(|node| *node != old);
        let away: Vec<u32> = others.clone().filter(|node| !is_here(node)).collect();
        if others.count() - away.len() < members.len() / 2 + 1 && members.len() >= 3 {
            return Err(format!(
                "{group} cannot spare node {old} while node {} is away; bring it back first",
                away.iter().map(u32::to_string).collect::<Vec<_>>().join(" and node ")
            ));
        }
        let (old, new) = (places::member(group, old), places::member(group, new));
        Ok(ConfigurationCommand::Replace { group, old, new })
    }

    /// The removal of a node, if no group that left the store still has slots there. The service looks after the others.
    fn removal(&self, node: u32) -> Result<ConfigurationCommand, String> {
        let newest = self.newest().ok_or("this node does not know the cluster yet; ask again")?;
        let groups = self.inner.membership.borrow().groups_of(node);
        for group in groups.into_iter().filter(|group| newest.members(*group).is_none()) {
            let here = self.groups_here().contains(&group);
            let is_empty = here.then(|| {
                self.look(group, |member| {
                    let state = member.state();
                    let is_told = state.configuration().is_some_and(|known| known.number == newest.number);
                    is_told && state.held().next().is_none()
                })
            });
            match is_empty {
                Some(true) => {}
                Some(false) => {
                    return Err(format!(
                        "{group}, which left, still has slots on node {node}; wait until they have moved"
                    ));
                }
                None => {
                    return Err(format!(
                        "{group}, which left, was on node {node}, and {ASK_ANOTHER}; ask one of its nodes, as node {node} itself"
                    ));
                }
            }
        }
        Ok(ConfigurationCommand::RemoveNode { node })
    }

    /// The nodes in lines: where they are, and what they run.
    pub(super) fn tell_nodes(&self) -> Reply {
        let Some(newest) = self.newest() else {
            return Reply::error("TRYAGAIN this node does not know the cluster yet");
        };
        let line = |(node, addresses): (&u32, &Addresses)| {
            let groups = newest.groups.iter().chain([(&SERVICE, &newest.service)]);
            let has = |members: &Vec<NodeId>| members.iter().any(|id| places::node_of(*id) == *node);
            let runs: Vec<String> = groups
                .filter(|(_, members)| has(members))
                .map(|(group, _)| if *group == SERVICE { "config".to_owned() } else { group.to_string() })
                .collect();
            let is_here = *node == self.inner.me || self.inner.host.is_connected(*node);
            let state = if is_here { "up" } else { "away" };
            let runs = if runs.is_empty() { "-".to_owned() } else { runs.join(",") };
            Reply::bulk(format!(
                "{node}  {state}  peer={}  client={}  {runs}",
                addresses.peer, addresses.client
            ))
        };
        Reply::Array(newest.nodes.iter().map(line).collect())
    }
}
