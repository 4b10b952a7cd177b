//! The client: that of `clientserver`, turned to whoever is primary now.

use crate::{Message, Process, Replicable, Timer, View};
use synod_clientserver::{Backoff, Client as Asking, Process as Inner, Seq};
use synod_node::{Context, Effect, NodeId, RequestId};

/// The first wait before a client asks again, in milliseconds.
const RETRY_FIRST_MS: u64 = 25;
/// The longest wait before a client asks again, in milliseconds: a fail-over is not to be noticed much later.
const RETRY_CAP_MS: u64 = 100;

type Ctx<S> = Context<Process<S>>;

/// A client of the service. It finds the primary through the view server, keeps to it, and asks the view server again
/// when it does not answer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Client<S: Replicable> {
    view_server: NodeId,
    /// The newest view that it has heard of.
    view: View,
    asking: Asking<S>,
}

impl<S: Replicable> Client<S> {
    /// A client named `me` that has asked nothing yet.
    pub fn new(me: NodeId, view_server: NodeId) -> Self {
        let asking = Asking::new(me, view_server).with_backoff(Backoff::new(RETRY_FIRST_MS, RETRY_CAP_MS));
        Client { view_server, view: View::STARTUP, asking }
    }

    /// Whom it takes for the primary.
    pub fn primary(&self) -> Option<NodeId> {
        self.view.primary_id()
    }

    pub(crate) fn on_request(&mut self, id: RequestId, command: S::Command, ctx: &mut Ctx<S>) {
        if self.primary().is_none() {
            ctx.send(self.view_server, Message::Ask);
        }
        self.within(ctx, |asking, inner| asking.on_request(id, command, inner));
    }

    pub(crate) fn on_announce(&mut self, view: View, ctx: &mut Ctx<S>) {
        if view.number <= self.view.number {
            return;
        }
        self.view = view;
        self.within(ctx, Asking::send_again);
    }

    pub(crate) fn on_answer(
        &mut self,
        answer: synod_clientserver::Message<S::Command, S::Output>,
        ctx: &mut Ctx<S>,
    ) {
        self.within(ctx, |asking, inner| asking.on_answer(answer, inner));
    }

    pub(crate) fn on_retry(&mut self, lowest: Seq, ctx: &mut Ctx<S>) {
        // Perhaps a message was lost; perhaps the primary is gone.
        if self.asking.waits_for(lowest) {
            ctx.send(self.view_server, Message::Ask);
        }
        self.within(ctx, |asking, inner| asking.on_retry(lowest, inner));
    }

    /// Lets the inner client act. What it sends goes to the primary; while none is known, nowhere: it will send it again.
    fn within(&mut self, ctx: &mut Ctx<S>, run: impl FnOnce(&mut Asking<S>, &mut Context<Inner<S>>)) {
        let mut inner = Context::new(ctx.me());
        run(&mut self.asking, &mut inner);
        for effect in inner.take_effects() {
            match (effect, self.primary()) {
                (Effect::Send { message, .. } | Effect::SendEarly { message, .. }, Some(primary)) => {
                    ctx.send(primary, Message::Session(message));
                }
                (Effect::Send { .. } | Effect::SendEarly { .. }, None) => {}
                (Effect::SetTimer { timer, after }, _) => ctx.set_timer(Timer::Session(timer), after),
                (Effect::Reply { id, response }, _) => ctx.reply(id, response),
                (Effect::Persist(()) | Effect::Checkpoint(()) | Effect::Compact(()), _) => {
                    unreachable!("a client has nothing durable")
                }
            }
        }
    }

    pub(crate) fn assert_invariants(&self) {
        self.asking.assert_invariants();
    }
}
