//! How a node follows the configurations: it takes one after the other, keeps it on disk, and then does what it says. It asks
//! the configuration service for the next one where it has no member of it.

use super::backend::{Gateway, Inner};
use super::membership::{FACT, Membership};
use super::requests::Ticket;
use super::{Store, places};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use synod_host::{Host, Peer};
use synod_node::RequestId;
use synod_shardedstore::{
    Addresses, Configuration, ConfigurationCommand, ConfigurationError, ConfigurationOutput, GroupId,
    Request, SERVICE,
};

/// How often it is looked whether groups came.
const CONFIGURATION_ROUND: Duration = Duration::from_millis(20);

/// How often the configuration service is asked for the next configuration, at a node that has no member of it.
const ASKED_ROUND: Duration = Duration::from_millis(250);
/// A node that the configuration service has not heard says again that it is here.
const ANNOUNCED_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A node that was removed is listened to for so long.
const HEARD_OF_WITHIN: Duration = Duration::from_secs(5);

impl Gateway {
    /// Takes the configurations, one after the other, and starts members of groups that come. Runs until the process ends, or
    /// until it must: in words.
    pub(crate) async fn watch_configurations(self) -> String {
        self.introduce();
        loop {
            if let Err(problem) = self.end_retired() {
                return problem;
            }
            let next = self.inner.membership.borrow().next();
            let before = next.checked_sub(1).filter(|_| self.inner.newest.borrow().is_none());
            let wanted = before.unwrap_or(next);
            let known = match self.known_here(wanted) {
                Some(known) => Some(known),
                None if self.is_told_here() => None,
                None => self.ask_for(wanted).await,
            };
            match known {
                Some(known) if before.is_some() => *self.inner.newest.borrow_mut() = Some(known),
                Some(known) => {
                    if let Err(problem) = self.take(&known) {
                        return problem;
                    }
                }
                None => tokio::time::sleep(CONFIGURATION_ROUND).await,
            }
        }
    }

    /// The configuration of this number, if this node's member of the configuration service knows it.
    pub(super) fn known_here(&self, number: u64) -> Option<Arc<Configuration>> {
        let known = self.look_at_service(|member| {
            let is_behind = member.paxos().is_rejoining();
            let at = usize::try_from(number).ok().filter(|_| !is_behind)?;
            member.service().history().get(at).cloned()
        });
        known.flatten()
    }

    /// Whether this node's member of the configuration service will know what comes.
    fn is_told_here(&self) -> bool {
        self.look_at_service(|member| !member.paxos().is_retired() && !member.paxos().is_rejoining())
            .unwrap_or(false)
    }

    /// Asks the configuration service for a configuration; a while passes if there is none.
    pub(super) async fn ask_for(&self, number: u64) -> Option<Arc<Configuration>> {
        match self.configured(ConfigurationCommand::Query { number: Some(number) }).await {
            Some(ConfigurationOutput::Configuration(known)) => Some(known),
            Some(_) | None => {
                tokio::time::sleep(ASKED_ROUND).await;
                None
            }
        }
    }

    /// Takes the next configuration. The membership is on disk before this node acts upon it.
    fn take(&self, next: &Arc<Configuration>) -> Result<(), String> {
        let Inner { host, me, membership, .. } = &*self.inner;
        let change = membership.borrow_mut().take(next);
        self.keep_membership()?;
        *self.inner.newest.borrow_mut() = Some(Arc::clone(next));
        if change.gone.contains(me) {
            return Err(super::removed(*me));
        }
        for node in change.gone {
            tracing::info!(node, "a node was removed from the cluster");
            let (host, inner) = (host.clone(), Rc::downgrade(&self.inner));
            // It shall hear of it from the others.
            tokio::task::spawn_local(async move {
                tokio::time::sleep(HEARD_OF_WITHIN).await;
                let is_gone = |inner: &Inner| !inner.membership.borrow().nodes().contains_key(&node);
                if inner.upgrade().is_some_and(|inner| is_gone(&inner)) {
                    host.remove_peer(node);
                }
            });
        }
        self.introduce();
        for (group, member) in change.begins {
            tracing::info!(%group, "a member of a group starts here");
            host.start_node(membership.borrow().member((group, member)).resident());
        }
        Ok(())
    }

    /// Writes the membership to disk, and returns when it is there.
    fn keep_membership(&self) -> Result<(), String> {
        let text = self.inner.membership.borrow().to_text();
        self.inner.host.keep(FACT, text.into_bytes()).map_err(|error| error.to_string())
    }

    /// Ends the members here that were replaced and know it. That is on disk before what they wrote is dropped.
    fn end_retired(&self) -> Result<(), String> {
        let Inner { host, membership, .. } = &*self.inner;
        let is_retired = |process: &Store| {
            let of_group = process.server().map(|server| server.paxos().is_retired());
            of_group.or_else(|| process.service().map(|member| member.paxos().is_retired())).unwrap_or(false)
        };
        let replaced = membership.borrow().replaced_here();
        for member in replaced.into_iter().filter(|id| host.runs(*id) && host.look(*id, is_retired)) {
            tracing::info!(%member, "a member that was replaced ends here");
            membership.borrow_mut().end(member);
            self.keep_membership()?;
            host.end_node(member);
        }
        Ok(())
    }

    /// Tells the host and the clients of the configuration service which nodes and members there are.
    fn introduce(&self) {
        let Inner { host, me, cluster, membership, hints, .. } = &*self.inner;
        let membership = membership.borrow();
        introduce(host, *me, &membership, hints);
        *self.inner.nodes.borrow_mut() = Rc::new(places::Nodes::of(cluster, *me, membership.nodes()));
        let number = membership.next().saturating_sub(1);
        let members = membership.here().into_iter().filter(|(group, _)| *group != SERVICE);
        let members = members.map(|(_, member)| member).filter(|member| host.runs(*member));
        for node in [places::controller(*me), places::gateway(*me)].into_iter().chain(members) {
            host.request(node, RequestId::TOLD, Request::Service(number, membership.service()));
        }
    }

    /// Founds the store, if nobody has: `groups` groups on all nodes. The first of the founders does so.
    pub(crate) fn found(&self, groups: u32) {
        let membership = self.inner.membership.borrow();
        let disks = membership.disks();
        if membership.next() > 0 || disks.keys().next() != Some(&self.inner.me) {
            return;
        }
        let members = |group| disks.keys().map(|node| places::member(group, *node)).collect::<Vec<_>>();
        let groups = (1..=groups).map(GroupId).map(|group| (group, members(group))).collect();
        let node =
            |(node, addresses): (&u32, &Addresses)| Some((*node, addresses.clone(), *disks.get(node)?));
        let nodes = membership.nodes().iter().filter_map(node).collect();
        let service = membership.service();
        drop(membership);
        self.configure(Ticket::Own, ConfigurationCommand::Found { groups, nodes, service });
    }

    /// Says to the configuration service that this node is here, with this disk, at these addresses, until it has heard it. Runs
    /// until that is so, or until the process must end: in words.
    pub(crate) async fn announce(self, (disk, incarnation): (u128, u64), own: Addresses) -> Option<String> {
        loop {
            let command = ConfigurationCommand::Attach {
                node: self.inner.me,
                disk,
                is_new: false,
                incarnation,
                addresses: Some(own.clone()),
            };
            match self.configured(command).await {
                Some(ConfigurationOutput::Attached { .. }) => return None,
                Some(ConfigurationOutput::Error(error @ ConfigurationError::FormerDisk(_))) => {
                    return Some(error.to_string());
                }
                Some(ConfigurationOutput::Error(error @ ConfigurationError::NoSuchAddress(_))) => {
                    tracing::error!(peer = %own.peer, client = %own.client, "{error}");
                    return None;
                }
                Some(_) | None => tokio::time::sleep(ANNOUNCED_AGAIN_AFTER).await,
            }
        }
    }

    /// Asks the configuration service, and yields its answer; nothing if none comes in time.
    pub(super) async fn configured(&self, command: ConfigurationCommand) -> Option<ConfigurationOutput> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        self.configure(Ticket::Configured(answer), command);
        answered.await.ok()
    }

    /// While the store is not founded: those who found it, with their disks.
    pub(super) fn founded_with(&self) -> Option<BTreeMap<u32, u128>> {
        let membership = self.inner.membership.borrow();
        (membership.next() == 0).then(|| membership.disks().clone())
    }

    /// The newest configuration that was taken.
    pub(super) fn knows_through(&self) -> Option<u64> {
        self.inner.membership.borrow().next().checked_sub(1)
    }

    /// The membership in words, for a node that comes.
    pub(super) fn membership_text(&self) -> String {
        self.inner.membership.borrow().to_text()
    }
}

/// Tells the host which other nodes there are, and where the members of groups are.
pub(super) fn introduce(host: &Host<Store>, me: u32, membership: &Membership, hints: &[(u32, String)]) {
    for (node, addresses) in membership.nodes().iter().filter(|(node, _)| **node != me) {
        // The file says how this node reaches another, if it does.
        let hint = hints.iter().find(|(hinted, _)| hinted == node).map(|(_, address)| address.clone());
        let address = hint.unwrap_or_else(|| addresses.peer.to_string());
        let nodes = vec![places::service(*node), places::gateway(*node), places::controller(*node)];
        host.add_peer(&Peer { number: *node, address, nodes });
    }
    membership.members().for_each(|(node, id)| host.meet(node, id));
}
