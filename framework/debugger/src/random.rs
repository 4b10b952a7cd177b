//! Steps that dice choose.

use crate::Shown;
use crate::act::{asks_next, becomes_durable};
use crate::session::Session;
use crate::setup::Setup;
use crate::stage::Stage;
use synod_node::NodeId;
use synod_stdx::Rng;
use synod_world::{Event, Step};

/// A timer is chosen before a delivery so rarely: most are there for when nothing comes.
const TIMER_ODDS: u64 = 12;

impl<N: Shown> Session<N> {
    /// Takes so many steps from a moment on, chosen by a seed: deliveries, timers, requests, writes that become durable.
    /// It ends early where something is violated or nothing can happen. Returns the last moment.
    ///
    /// # Errors
    /// If nothing can happen at all.
    pub(crate) fn random(&mut self, at: u32, steps: u64, seed: u64) -> Result<u32, String> {
        let mut rng = Rng::new(seed);
        let mut moment = at;
        for taken in 0..steps {
            let setup = std::sync::Arc::clone(&self.setup);
            let Some(step) = choose(self.peek(moment), &setup, &mut rng) else {
                if taken == 0 {
                    return Err("nothing can happen here: no message is in flight, no timer waits".to_owned());
                }
                break;
            };
            moment = self.add(moment, step, self.rows[moment as usize].at_us)?;
            if self.violations.contains_key(&moment) {
                break;
            }
        }
        Ok(moment)
    }
}

/// One of the steps that a system takes when nothing goes wrong; none if there is none.
pub(crate) fn choose<N: Shown>(stage: &Stage<N>, setup: &Setup<N>, rng: &mut Rng) -> Option<Step<N>> {
    let nodes: Vec<NodeId> = stage.world.ids().collect();
    if let Some(node) = nodes.iter().find(|node| stage.start_blocked(**node).is_none()) {
        return Some(Step::World(Event::Start(*node)));
    }
    let mut steps = Vec::new();
    let flight = stage.world.flight().filter(|(_, envelope)| stage.delivery_blocked(envelope).is_none());
    steps.extend(flight.map(|(id, _)| Step::World(Event::Deliver(id))));
    for node in &nodes {
        steps.extend(becomes_durable(stage, *node));
        steps.extend(asks_next(stage, setup, *node));
    }
    if steps.is_empty() || rng.below(TIMER_ODDS) == 0 {
        let timers: Vec<Step<N>> = stage
            .world
            .timers()
            .filter(|(id, _)| stage.timer_blocked(*id).is_none())
            .map(|(id, _)| Step::World(Event::Fire(id)))
            .collect();
        if !timers.is_empty() {
            steps = timers;
        }
    }
    if steps.is_empty() {
        return None;
    }
    let chosen = rng.below(steps.len() as u64) as usize;
    Some(steps.swap_remove(chosen))
}
