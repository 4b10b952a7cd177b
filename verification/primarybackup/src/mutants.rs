//! Mistakes in `primarybackup`.

use crate::searches::pair::Node;
use std::sync::Arc;
use synod_checker::Substitute;
use synod_clientserver::{KvCommand, KvStore, Message as Session, Server as Replica};
use synod_node::{Context, Durable, Effect, NodeId, StateMachine as _, Stimulus, step};
use synod_primarybackup::{Checkpoint, Message, Process, Server, Settings, View, ViewNumber};
use synod_stdx::Wire;
use synod_testkit::Mutant;
use synod_verify::edge::{ask, with_effects};

const fn mutant(name: &'static str, what: &'static str, caught_by: &'static str) -> Mutant {
    Mutant { module: "primarybackup", name, what, caught_by }
}

/// What can be wrong with it.
pub const MUTANTS: &[Mutant] = &[
    mutant("answers_before_the_backup", "a primary answers before its backup has acknowledged", "2.17"),
    mutant("serves_reads_alone", "a primary answers reads from its own state", "x4"),
    mutant("acknowledges_too_early", "a primary acknowledges a view whose backup lacks the state", "2.17"),
    mutant("moves_on_unacknowledged", "the view server takes any ping for an acknowledgement", "2.17"),
    mutant("promotes_idle_servers", "the view server promotes a server that was idle", "2.17"),
    mutant("transfers_no_sessions", "a state goes over without the record of what ran", "x4"),
    mutant("forgets_results", "the results of what ran do not go over", "x8"),
    mutant("applies_out_of_order", "a backup runs forwards as they come", "2.18"),
    mutant("takes_of_old_primaries", "a former backup acknowledges what an old primary forwards", "x4"),
    mutant("counts_old_acknowledgements", "a primary counts acknowledgements of another view", "x10"),
    mutant("comes_back_as_it_was", "a server that restarts does not begin a new life", "x2"),
    mutant("forgets_the_view", "the view server forgets the view in a crash", "x3"),
    mutant("announces_too_early", "a view is announced before it is durable", "x3"),
    mutant("serves_alone_at_once", "a primary whose backup is silent serves without it", "x4"),
    mutant(
        "never_sends_again",
        "a primary waits for its backup, and neither sends again nor gives it up",
        "x8",
    ),
    mutant("never_asks_again", "a client never asks again who serves", "x9"),
];

/// The view that a server is in.
fn view_of(node: &Node) -> Option<View> {
    node.server().map(Server::view)
}

/// Its backup, to a primary.
fn backup_of(node: &Node) -> Option<NodeId> {
    let server = node.server().filter(|server| server.is_primary())?;
    server.view().backup_id()
}

/// The primary believes that its backup took all that it forwarded in `effects`.
fn believe(node: &mut Node, effects: &[Effect<Node>], ctx: &mut Context<Node>) {
    let Some(from) = backup_of(node) else { return };
    for effect in effects {
        if let Effect::Send { message: Message::Forward { view, first, operations }, .. } = effect {
            let through = first + operations.len() as u64 - 1;
            let message = Message::Taken { view: *view, through };
            step(node, Stimulus::Message { from, message }, ctx);
        }
    }
}

/// Lets a server that is a backup be one with another state.
fn with_state(node: &mut Node, me: NodeId, state: &Replica<KvStore>) {
    let Some(view) = view_of(node) else { return };
    let Some(primary) = view.primary_id() else { return };
    let server = Server::new(me, NodeId::server(0), KvStore::default(), Settings::default());
    *node = Process::Server(server);
    let bytes = state.to_bytes();
    let total = bytes.len() as u64;
    let message = Message::Transfer { view, offset: 0, total, bytes: bytes.into() };
    step(node, Stimulus::Message { from: primary, message }, &mut Context::new(me));
}

/// A backup that was just initialised, or is about to be promoted.
fn is_backup(node: &Node) -> bool {
    node.server().is_some_and(|server| server.role_name() == "backup")
}

/// What takes the steps of a mutant.
pub fn substitute(name: &'static str) -> Option<Substitute<Node>> {
    of_primaries(name).or_else(|| of_backups(name)).or_else(|| of_the_rest(name))
}

fn of_primaries(name: &'static str) -> Option<Substitute<Node>> {
    Some(match name {
        "answers_before_the_backup" => Arc::new(|node, stimulus, ctx| {
            let mut inner = Context::new(ctx.me());
            step(node, stimulus, &mut inner);
            let effects = inner.take_effects();
            effects.iter().cloned().for_each(|effect| ask(effect, ctx));
            believe(node, &effects, ctx);
        }),
        "serves_alone_at_once" => Arc::new(|node, stimulus, ctx| {
            let is_tick = matches!(stimulus, Stimulus::Timer(synod_primarybackup::Timer::Ping));
            step(node, stimulus, ctx);
            let (Some(from), true) = (backup_of(node), is_tick) else { return };
            let Some(server) = node.server().filter(|server| server.waiting() > 0) else { return };
            let (view, through) = (server.view().number, server.taken() + server.waiting() as u64);
            let message = Message::Taken { view, through };
            step(node, Stimulus::Message { from, message }, ctx);
        }),
        "serves_reads_alone" => Arc::new(|node, stimulus, ctx| {
            let Stimulus::Message {
                message: Message::Session(Session::Request { client, first, commands, .. }),
                ..
            } = &stimulus
            else {
                return step(node, stimulus, ctx);
            };
            let server = node.server().filter(|server| server.is_primary());
            match (server.and_then(Server::replica), commands.as_slice()) {
                (Some(replica), [get @ KvCommand::Get { .. }]) => {
                    let outputs = replica.machine().query(get).into_iter().collect();
                    let answer = Session::Results { client: *client, first: *first, outputs };
                    ctx.send(client.node(), Message::Session(answer));
                }
                _ => step(node, stimulus, ctx),
            }
        }),
        "acknowledges_too_early" => Arc::new(|node, stimulus, ctx| {
            let number = view_of(node).map(|view| view.number);
            let is_primary = node.server().is_some_and(Server::is_primary);
            with_effects(node, stimulus, ctx, |effect| match (effect, number) {
                (
                    Effect::Send { to, message: Message::Ping { life, acked, is_backup_lost } },
                    Some(number),
                ) if is_primary => {
                    let acked = acked.max(number);
                    vec![Effect::Send { to, message: Message::Ping { life, acked, is_backup_lost } }]
                }
                (other, _) => vec![other],
            });
        }),
        "counts_old_acknowledgements" => Arc::new(|node, stimulus, ctx| match (stimulus, view_of(node)) {
            (Stimulus::Message { from, message: Message::Taken { through, .. } }, Some(view)) => {
                let message = Message::Taken { view: view.number, through };
                step(node, Stimulus::Message { from, message }, ctx);
            }
            (other, _) => step(node, other, ctx),
        }),
        _ => return None,
    })
}

fn of_backups(name: &'static str) -> Option<Substitute<Node>> {
    Some(match name {
        "transfers_no_sessions" => Arc::new(|node, stimulus, ctx| {
            let is_transfer = matches!(stimulus, Stimulus::Message { message: Message::Transfer { .. }, .. });
            let was_backup = is_backup(node);
            step(node, stimulus, ctx);
            let state = node.server().and_then(Server::replica).map(|replica| replica.machine().clone());
            if let (Some(machine), true, false, true) = (state, is_transfer, was_backup, is_backup(node)) {
                with_state(node, ctx.me(), &Replica::new(machine));
            }
        }),
        "applies_out_of_order" => Arc::new(|node, stimulus, ctx| match stimulus {
            Stimulus::Message { from, message: Message::Forward { view, first, operations } }
                if is_backup(node) && node.server().is_some_and(|server| first > server.taken() + 1) =>
            {
                let next = node.server().map_or(1, |server| server.taken() + 1);
                let message = Message::Forward { view, first: next, operations };
                step(node, Stimulus::Message { from, message }, ctx);
            }
            other => step(node, other, ctx),
        }),
        "takes_of_old_primaries" => Arc::new(|node, stimulus, ctx| match (stimulus, view_of(node)) {
            (
                Stimulus::Message { from, message: Message::Forward { view, first, operations } },
                Some(now),
            ) if view < now.number => {
                ctx.send(from, Message::Taken { view, through: first + operations.len() as u64 - 1 });
            }
            (other, _) => step(node, other, ctx),
        }),
        "forgets_results" => Arc::new(|node, stimulus, ctx| {
            // Whoever was backup when a request ran does not answer it again.
            let executed = |node: &Node, client| {
                node.server()
                    .and_then(Server::replica)
                    .map_or(0, |replica| replica.sessions().executed(client))
            };
            let known = match &stimulus {
                Stimulus::Message {
                    message: Message::Session(Session::Request { client, first, .. }),
                    ..
                } => executed(node, *client) >= *first,
                _ => false,
            };
            if !known {
                step(node, stimulus, ctx);
            }
        }),
        "comes_back_as_it_was" => Arc::new(|node, stimulus, ctx| match stimulus {
            Stimulus::Recover(Durable { checkpoint: Some(Checkpoint::Life(life)), records }) if life > 0 => {
                let checkpoint = Some(Checkpoint::Life(life - 1));
                step(node, Stimulus::Recover(Durable { checkpoint, records }), ctx);
            }
            other => step(node, other, ctx),
        }),
        _ => return None,
    })
}

fn of_the_rest(name: &'static str) -> Option<Substitute<Node>> {
    Some(match name {
        "moves_on_unacknowledged" => Arc::new(|node, stimulus, ctx| {
            let newest = node.view_server().map(synod_primarybackup::ViewServer::view);
            match (stimulus, newest) {
                (
                    Stimulus::Message { from, message: Message::Ping { life, is_backup_lost, .. } },
                    Some(View { number, .. }),
                ) => {
                    let message = Message::Ping { life, acked: number, is_backup_lost };
                    step(node, Stimulus::Message { from, message }, ctx);
                }
                (other, _) => step(node, other, ctx),
            }
        }),
        "promotes_idle_servers" => Arc::new(|node, stimulus, ctx| {
            with_effects(node, stimulus, ctx, |effect| match effect {
                Effect::Send {
                    to,
                    message: Message::Announce { view: View { number, primary: Some(_), backup: Some(idle) } },
                } if number > ViewNumber(2) => {
                    let view = View { number, primary: Some(idle), backup: None };
                    vec![Effect::Send { to, message: Message::Announce { view } }]
                }
                other => vec![other],
            });
        }),
        "forgets_the_view" => Arc::new(|node, stimulus, ctx| match stimulus {
            Stimulus::Recover(Durable { checkpoint: Some(Checkpoint::View { .. }), records }) => {
                step(node, Stimulus::Recover(Durable { checkpoint: None, records }), ctx);
            }
            other => step(node, other, ctx),
        }),
        "announces_too_early" => Arc::new(|node, stimulus, ctx| {
            with_effects(node, stimulus, ctx, |effect| match effect {
                Effect::Send { to, message: message @ Message::Announce { .. } } => {
                    vec![Effect::SendEarly { to, message }]
                }
                other => vec![other],
            });
        }),
        "never_sends_again" => Arc::new(|node, stimulus, ctx| {
            let is_tick = matches!(stimulus, Stimulus::Timer(synod_primarybackup::Timer::Ping));
            with_effects(node, stimulus, ctx, |effect| match effect {
                Effect::Send { message: Message::Forward { .. }, .. } if is_tick => Vec::new(),
                Effect::Send { to, message: Message::Ping { life, acked, .. } } => {
                    let message = Message::Ping { life, acked, is_backup_lost: false };
                    vec![Effect::Send { to, message }]
                }
                other => vec![other],
            });
        }),
        "never_asks_again" => Arc::new(|node, stimulus, ctx| {
            let is_retry = matches!(stimulus, Stimulus::Timer(synod_primarybackup::Timer::Session(_)));
            with_effects(node, stimulus, ctx, |effect| match effect {
                Effect::Send { message: Message::Ask, .. } if is_retry => Vec::new(),
                other => vec![other],
            });
        }),
        _ => return None,
    })
}
