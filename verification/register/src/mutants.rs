//! Mistakes in `register`.

use std::sync::Arc;
use synod_checker::Substitute;
use synod_node::{Effect, Stimulus, step};
use synod_register::{Message, Participant, Record};
use synod_testkit::Mutant;
use synod_verify::edge::{with_effects, without_timers};

const fn mutant(name: &'static str, what: &'static str, caught_by: &'static str) -> Mutant {
    Mutant { module: "register", name, what, caught_by }
}

/// What can be wrong with it.
pub const MUTANTS: &[Mutant] = &[
    mutant("answers_reads_after_one_phase", "a reader answers before a majority has what it read", "1"),
    mutant("forgets_what_it_acknowledged", "a replica acknowledges what is not on its disk", "3"),
    mutant("never_asks_again", "the client's timer fires, and nothing is sent again", "4"),
];

/// What takes the steps of a mutant.
pub fn substitute(name: &'static str) -> Option<Substitute<Participant>> {
    Some(match name {
        "answers_reads_after_one_phase" => Arc::new(|node, stimulus, ctx| {
            // The second phase of a read ends as soon as it begins.
            let mut begun = Vec::new();
            let is_reading = matches!(node, Participant::Client(client) if client.is_reading());
            with_effects(node, stimulus, ctx, |effect| match effect {
                Effect::Send { to, message: Message::Store { op, .. } } if is_reading => {
                    begun.push((to, Message::Stored { op }));
                    Vec::new()
                }
                other => vec![other],
            });
            for (from, message) in begun {
                step(node, Stimulus::Message { from, message }, ctx);
            }
        }),
        "forgets_what_it_acknowledged" => Arc::new(|node, stimulus, ctx| {
            with_effects(node, stimulus, ctx, |effect| match effect {
                Effect::Persist(Record::Kept { .. }) => Vec::new(),
                other => vec![other],
            });
        }),
        "never_asks_again" => Arc::new(without_timers),
        _ => return None,
    })
}
