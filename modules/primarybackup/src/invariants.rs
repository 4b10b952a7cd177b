//! What must always be true of a service, as predicates over its nodes' states. Simulator, checker and debugger share
//! them. Each returns the words of its objection.

use crate::server::Role;
use crate::{Replicable, Server, View, ViewServer};

/// Whoever knows a view of one number knows the same view; nobody knows a newer one than the view server.
///
/// # Errors
/// Names the two views.
pub fn a_number_names_one_view<S: Replicable>(
    view_server: &ViewServer,
    servers: &[&Server<S>],
) -> Result<(), String> {
    let newest = view_server.view();
    for (at, server) in servers.iter().enumerate() {
        let view = server.view();
        let is_known = |other: View| view.number != other.number || view == other;
        let objects_to =
            servers[..at].iter().map(|other| other.view()).chain([newest]).find(|other| !is_known(*other));
        if let Some(other) = objects_to {
            return Err(format!("{} knows {view}, and {other} is known too", server.member()));
        }
        if view.number > newest.number {
            return Err(format!("{} knows {view}, and the newest view is {newest}", server.member()));
        }
    }
    Ok(())
}

/// Of a view's primary and backup that ran equally many of its operations, both have the same state; and the primary has
/// run none that the backup has not.
///
/// # Errors
/// Names the two.
pub fn a_backup_has_what_its_primary_has<S: Replicable>(servers: &[&Server<S>]) -> Result<(), String> {
    for primary in servers {
        let Role::Primary { replica, .. } = &primary.role else { continue };
        let backups = servers
            .iter()
            .filter(|other| other.view() == primary.view() && Some(other.member()) == primary.view().backup);
        for backup in backups {
            let (p, b, view) = (primary.member(), backup.member(), primary.view());
            let Role::Backup { replica: theirs, taken } = &backup.role else {
                return Err(format!("{p} serves in {view}, and {b} has not its state"));
            };
            if *taken < primary.taken() {
                let (more, less) = (primary.taken(), taken);
                return Err(format!("in {view} {p} ran {more} operations, and {b} only {less}"));
            }
            if *taken == primary.taken() && theirs != replica {
                return Err(format!("in {view} {p} and {b} ran {taken} operations each, and differ"));
            }
        }
    }
    Ok(())
}

/// The backup of a view that is acknowledged can take over.
///
/// # Errors
/// Names the view.
pub fn the_backup_of_an_acknowledged_view_is_initialised<S: Replicable>(
    view_server: &ViewServer,
    servers: &[&Server<S>],
) -> Result<(), String> {
    let view = view_server.view();
    let is_lacking = |server: &&&Server<S>| {
        Some(server.member()) == view.backup && server.view() == view && server.replica().is_none()
    };
    match servers.iter().find(is_lacking).filter(|_| view_server.is_acked()) {
        None => Ok(()),
        Some(backup) => Err(format!("{view} is acknowledged, and {} has no state", backup.member())),
    }
}
