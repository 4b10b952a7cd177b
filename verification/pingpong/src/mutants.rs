//! Mistakes in `pingpong`.

use std::sync::Arc;
use synod_checker::Substitute;
use synod_node::{Effect, Stimulus, step};
use synod_pingpong::{Message, Process};
use synod_testkit::Mutant;
use synod_verify::edge::{with_effects, without_timers};

/// What can be wrong with it.
pub const MUTANTS: &[Mutant] = &[
    Mutant {
        module: "pingpong",
        name: "any_pong_is_an_answer",
        what: "the client takes a late pong for the answer to its present question",
        caught_by: "4",
    },
    Mutant {
        module: "pingpong",
        name: "never_asks_again",
        what: "the client's timer fires, and nothing is sent again",
        caught_by: "x2",
    },
];

/// What takes the steps of a mutant.
pub fn substitute(name: &'static str) -> Option<Substitute<Process>> {
    Some(match name {
        "any_pong_is_an_answer" => Arc::new(|node, stimulus, ctx| {
            let told = match &stimulus {
                Stimulus::Message { message: Message::Pong { value }, .. } => Some(*value),
                _ => None,
            };
            let Some(told) = told else { return step(node, stimulus, ctx) };
            let Stimulus::Message { from, .. } = stimulus else { return };
            // Whatever it waits for is the answer: questions are numbered from 1000 on.
            for value in 1_000..1_010 {
                let message = Message::Pong { value };
                with_effects(node, Stimulus::Message { from, message }, ctx, |effect| match effect {
                    Effect::Reply { id, .. } => vec![Effect::Reply { id, response: told }],
                    other => vec![other],
                });
            }
        }),
        "never_asks_again" => Arc::new(without_timers),
        _ => return None,
    })
}
