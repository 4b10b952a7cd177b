//! Mistakes in `clientserver`.

use crate::searches::Node;
use std::sync::Arc;
use synod_checker::Substitute;
use synod_clientserver::{ClientId, Message, Process, Server};
use synod_node::{Effect, Stimulus, step};
use synod_testkit::Mutant;
use synod_verify::edge::{with_effects, without_timers};

const fn mutant(name: &'static str, what: &'static str, caught_by: &'static str) -> Mutant {
    Mutant { module: "clientserver", name, what, caught_by }
}

/// What can be wrong with it.
pub const MUTANTS: &[Mutant] = &[
    mutant("runs_what_it_ran", "a request that arrives again runs again", "3.8"),
    mutant("forgets_sessions", "the session table is dropped while a result is not acknowledged", "3.8"),
    mutant("runs_early_requests", "a request runs before one that stands before it", "x1"),
    mutant("answers_by_the_latest_number", "a repeated request is answered under a later one's number", "x1"),
    mutant("answers_once", "a repeated request is not answered: its result is kept no longer", "x3"),
    mutant("never_asks_again", "the client's timer fires, and nothing is sent again", "x3"),
];

/// The last request of a client that the server ran.
fn executed(node: &Node, client: ClientId) -> u64 {
    match node {
        Process::Server(server) => server.sessions().executed(client),
        Process::Client(_) => 0,
    }
}

/// The server with its application, and without its memory of sessions.
fn forget(node: &mut Node) {
    if let Process::Server(server) = node {
        *server = Server::new(server.machine().clone());
    }
}

fn renumbered(effect: Effect<Node>, by: impl Fn(u64) -> u64) -> Vec<Effect<Node>> {
    match effect {
        Effect::Send { to, message: Message::Results { client, first, outputs } } => {
            vec![Effect::Send { to, message: Message::Results { client, first: by(first), outputs } }]
        }
        other => vec![other],
    }
}

/// What takes the steps of a mutant.
pub fn substitute(name: &'static str) -> Option<Substitute<Node>> {
    Some(match name {
        "runs_what_it_ran" => Arc::new(|node, stimulus, ctx| {
            let Stimulus::Message {
                from,
                message: Message::Request { client, first, acked_below, commands },
            } = stimulus
            else {
                return step(node, stimulus, ctx);
            };
            // To a server without memory each is the first.
            forget(node);
            let request = Message::Request { client, first: 1, acked_below, commands };
            let stimulus = Stimulus::Message { from, message: request };
            with_effects(node, stimulus, ctx, |effect| renumbered(effect, |_| first));
        }),
        "forgets_sessions" => Arc::new(|node, stimulus, ctx| {
            step(node, stimulus, ctx);
            forget(node);
        }),
        "runs_early_requests" => Arc::new(|node, stimulus, ctx| {
            let Stimulus::Message {
                from,
                message: Message::Request { client, first, acked_below, commands },
            } = stimulus
            else {
                return step(node, stimulus, ctx);
            };
            let next = executed(node, client) + 1;
            let renamed = if first > next { next } else { first };
            let request = Message::Request { client, first: renamed, acked_below, commands };
            let stimulus = Stimulus::Message { from, message: request };
            with_effects(node, stimulus, ctx, |effect| {
                renumbered(effect, |number| if number == renamed { first } else { number })
            });
        }),
        "answers_by_the_latest_number" => Arc::new(|node, stimulus, ctx| {
            let latest = match &stimulus {
                Stimulus::Message { message: Message::Request { client, first, .. }, .. } => {
                    let executed = executed(node, *client);
                    (*first < executed).then_some(executed)
                }
                _ => None,
            };
            let Some(latest) = latest else { return step(node, stimulus, ctx) };
            with_effects(node, stimulus, ctx, |effect| renumbered(effect, |_| latest));
        }),
        "answers_once" => Arc::new(|node, stimulus, ctx| match &stimulus {
            Stimulus::Message { message: Message::Request { client, first, .. }, .. }
                if *first <= executed(node, *client) => {}
            _ => step(node, stimulus, ctx),
        }),
        "never_asks_again" => Arc::new(without_timers),
        _ => return None,
    })
}
