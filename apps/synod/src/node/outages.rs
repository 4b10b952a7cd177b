//! Groups that have no leader with a majority, as far as this node knows: the log says so once that has lasted, now and then
//! while it lasts, and when it is over.

use super::backend::Gateway;
use super::places;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use synod_shardedstore::GroupId;

/// An outage is said when it has lasted so long, and again each time that it has lasted as long once more.
const PAUSE: Duration = Duration::from_secs(10);

struct Outage {
    since: Instant,
    /// When it was said last.
    said: Option<Instant>,
}

/// The outages of the groups that have a member here.
#[derive(Default)]
pub(super) struct Outages {
    groups: BTreeMap<GroupId, Outage>,
}

impl Outages {
    /// Looks at each group, and says what is to be said now.
    pub(super) fn report(&mut self, gateway: &Gateway) {
        for group in gateway.groups_here() {
            let (has_leader, homes) = gateway.look(group, |server| {
                let has_leader = server.paxos().is_happy() || server.paxos().is_retired();
                (has_leader, if has_leader { Vec::new() } else { server.state().seats().homes() })
            });
            if has_leader {
                if let Some(Outage { since, said: Some(_) }) = self.groups.remove(&group) {
                    tracing::info!(%group, seconds = since.elapsed().as_secs(), "the group has a leader again");
                }
                continue;
            }
            let outage = self.groups.entry(group).or_insert(Outage { since: Instant::now(), said: None });
            if outage.said.unwrap_or(outage.since).elapsed() < PAUSE {
                continue;
            }
            outage.said = Some(Instant::now());
            let is_away = |node: &u32| *node != gateway.me() && !gateway.is_connected(*node);
            let away: Vec<u32> = homes.into_iter().map(places::node_of).filter(is_away).collect();
            tracing::warn!(
                %group,
                seconds = outage.since.elapsed().as_secs(),
                nodes_away = ?away,
                "the group has no leader with a majority that this node knows: it serves nothing until a majority of its members is there"
            );
        }
    }
}
