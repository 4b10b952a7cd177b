//! What the debugger shows of `primarybackup` beside the bare state: views; and what must hold at every moment of a run.

use synod_clientserver::KvStore;
use synod_debugger::{Claim, Portrait, Stage};
use synod_primarybackup::{Process, Replicable, invariants as views};

/// The view that a server is in.
pub struct Views;

impl Portrait<Process<KvStore>> for Views {
    fn term(&self, node: &Process<KvStore>) -> Option<(String, bool)> {
        if let Some(view_server) = node.view_server() {
            return Some((format!("view {}", view_server.view().number.0), false));
        }
        let server = node.server()?;
        Some((format!("view {}", server.view().number.0), server.is_primary()))
    }
}

/// What must hold.
pub fn claims<S: Replicable + 'static>() -> Vec<Claim<Process<S>>> {
    fn running<S: Replicable>(stage: &Stage<Process<S>>) -> impl Iterator<Item = &Process<S>> {
        stage.world.running().map(|(_, node)| node)
    }
    vec![
        Claim::new("a number names one view", |stage| {
            let servers: Vec<_> = running(stage).filter_map(|node| node.server()).collect();
            let view_server = running(stage).find_map(|node| node.view_server());
            view_server.map_or(Ok(()), |known| views::a_number_names_one_view(known, &servers))
        }),
        Claim::new("a backup has what its primary has", |stage| {
            let servers: Vec<_> = running(stage).filter_map(|node| node.server()).collect();
            views::a_backup_has_what_its_primary_has(&servers)
        }),
    ]
}
