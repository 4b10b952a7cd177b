//! Seeded mistakes: a check of the checks.
//!
//! A mutant is the module as it is, with one lie at the node's edge: what it is told is changed before its handler
//! sees it, or what it does before the world does. So the modules have no switches, and a mutant is data: a name, a
//! claim about what is wrong, and the search that must find it, by a violation and not by a goal that is missed.

use synod_node::{Context, Effect, Node, Stimulus, step};

/// Lets the node take a step, and each of its effects become what `change` makes of it: none, one or several.
pub fn with_effects<N: Node>(
    node: &mut N,
    stimulus: Stimulus<N>,
    ctx: &mut Context<N>,
    mut change: impl FnMut(Effect<N>) -> Vec<Effect<N>>,
) {
    let mut inner = Context::new(ctx.me());
    step(node, stimulus, &mut inner);
    for effect in inner.take_effects() {
        for effect in change(effect) {
            ask(effect, ctx);
        }
    }
}

/// Takes all steps of a node but those of its timers, which fire in vain.
pub fn without_timers<N: Node>(node: &mut N, stimulus: Stimulus<N>, ctx: &mut Context<N>) {
    match stimulus {
        Stimulus::Timer(_) => {}
        other => step(node, other, ctx),
    }
}

/// Asks for an effect again.
pub fn ask<N: Node>(effect: Effect<N>, ctx: &mut Context<N>) {
    match effect {
        Effect::Send { to, message } => ctx.send(to, message),
        Effect::SendEarly { to, message } => ctx.send_early(to, message),
        Effect::SetTimer { timer, after } => ctx.set_timer(timer, after),
        Effect::Persist(record) => ctx.persist(record),
        Effect::Checkpoint(checkpoint) => ctx.checkpoint(checkpoint),
        Effect::Compact(checkpoint) => ctx.compact(checkpoint),
        Effect::Reply { id, response } => ctx.reply(id, response),
    }
}
