//! The view server: who is there, and who serves.

use crate::{CHECK_MS, Checkpoint, Member, Message, Process, Replicable, Timer, View, ViewNumber};
use std::collections::BTreeMap;
use synod_node::{Context, NodeId};
use synod_stdx::mark;

/// What is known of a server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Pulse {
    /// The latest of its lives that was heard of.
    life: u64,
    is_alive: bool,
    /// Since the last look.
    has_pinged: bool,
}

/// Decides who is primary and who is backup. It moves on only when the primary has acknowledged the last view, and
/// promotes nobody but that view's backup.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ViewServer {
    view: View,
    /// The primary of the view has taken its part, and its backup has its state.
    is_acked: bool,
    /// Every server that was ever heard of: as many as the service has.
    servers: BTreeMap<NodeId, Pulse>,
    /// A server that its primary could not reach: not made backup again before the next look.
    avoided: Option<NodeId>,
}

impl Default for ViewServer {
    fn default() -> Self {
        ViewServer { view: View::STARTUP, is_acked: false, servers: BTreeMap::new(), avoided: None }
    }
}

impl ViewServer {
    /// The newest view.
    pub fn view(&self) -> View {
        self.view
    }

    /// Whether the view's primary has acknowledged it.
    pub fn is_acked(&self) -> bool {
        self.is_acked
    }

    pub(crate) fn on_start<S: Replicable>(&mut self, ctx: &mut Context<Process<S>>) {
        ctx.set_timer(Timer::Check, CHECK_MS..=CHECK_MS);
    }

    /// The last view stands. Its members are taken for alive until the second look: they could not ping.
    pub(crate) fn on_recover<S: Replicable>(
        &mut self,
        durable: Option<&Checkpoint>,
        ctx: &mut Context<Process<S>>,
    ) {
        if let Some(Checkpoint::View { view, is_acked }) = durable {
            (self.view, self.is_acked) = (*view, *is_acked);
            for Member { id, life } in [view.primary, view.backup].into_iter().flatten() {
                self.servers.insert(id, Pulse { life, is_alive: true, has_pinged: true });
            }
        }
        self.on_start(ctx);
    }

    pub(crate) fn on_ping<S: Replicable>(
        &mut self,
        from: Member,
        acked: ViewNumber,
        is_backup_lost: bool,
        ctx: &mut Context<Process<S>>,
    ) {
        if self.servers.get(&from.id).is_some_and(|known| known.life > from.life) {
            mark!("primarybackup.ping_of_a_former_life");
            return;
        }
        self.servers.insert(from.id, Pulse { life: from.life, is_alive: true, has_pinged: true });
        if self.view.primary == Some(from) && acked == self.view.number {
            self.become_acked(ctx);
            if is_backup_lost && let Some(lost) = self.view.backup {
                mark!("primarybackup.backup_lost");
                self.avoided = Some(lost.id);
                let backup = self.idle_server();
                self.advance(Some(from), backup, ctx);
            }
        }
        self.maybe_advance(from, ctx);
        self.on_ask(from.id, ctx);
    }

    pub(crate) fn on_ask<S: Replicable>(&self, from: NodeId, ctx: &mut Context<Process<S>>) {
        ctx.send(from, Message::Announce { view: self.view });
    }

    pub(crate) fn on_check<S: Replicable>(&mut self, ctx: &mut Context<Process<S>>) {
        for pulse in self.servers.values_mut() {
            pulse.is_alive &= pulse.has_pinged;
            pulse.has_pinged = false;
        }
        self.avoided = None;
        ctx.set_timer(Timer::Check, CHECK_MS..=CHECK_MS);
    }

    /// Moves to the next view if it may and there is a reason to, now that `pinged` was heard.
    ///
    /// Who is to be primary next must be the one that was heard: whom the last look found alive may have died since,
    /// and whom it found dead may only have lost its pings. So a false suspicion and a death that meet do no harm.
    fn maybe_advance<S: Replicable>(&mut self, pinged: Member, ctx: &mut Context<Process<S>>) {
        if self.view.number == ViewNumber::STARTUP {
            return self.advance(Some(pinged), None, ctx);
        }
        if !self.is_acked {
            return;
        }
        let View { primary, backup, .. } = self.view;
        match (self.is_alive(primary), self.is_alive(backup)) {
            (true, true) => {}
            // Nobody else has the state. The view stands, in case one of the two was only slow.
            (false, false) => {}
            (true, false) => {
                let is_heard = backup.is_none() || primary == Some(pinged);
                let idle = self.idle_server();
                if is_heard && idle != backup {
                    self.advance(primary, idle, ctx);
                }
            }
            (false, true) => {
                if backup == Some(pinged) {
                    mark!("primarybackup.promoted");
                    let idle = self.idle_server();
                    self.advance(backup, idle, ctx);
                }
            }
        }
    }

    fn advance<S: Replicable>(
        &mut self,
        primary: Option<Member>,
        backup: Option<Member>,
        ctx: &mut Context<Process<S>>,
    ) {
        self.view = self.view.next(primary, backup);
        self.is_acked = false;
        self.persist(ctx);
    }

    fn become_acked<S: Replicable>(&mut self, ctx: &mut Context<Process<S>>) {
        if !self.is_acked {
            self.is_acked = true;
            // Or the primary's death, after a crash of this server, would look like one before the acknowledgement.
            self.persist(ctx);
        }
    }

    fn persist<S: Replicable>(&self, ctx: &mut Context<Process<S>>) {
        ctx.checkpoint(Checkpoint::View { view: self.view, is_acked: self.is_acked });
    }

    fn is_alive(&self, member: Option<Member>) -> bool {
        member.is_some_and(|Member { id, life }| {
            self.servers.get(&id).is_some_and(|pulse| pulse.is_alive && pulse.life == life)
        })
    }

    /// Who is there and has no part in the view; the lowest name.
    fn idle_server(&self) -> Option<Member> {
        let alive = self.servers.iter().filter(|(_, pulse)| pulse.is_alive);
        let mut members = alive.map(|(id, pulse)| Member { id: *id, life: pulse.life });
        members.find(|member| !self.view.names(*member) && self.avoided != Some(member.id))
    }

    pub(crate) fn assert_invariants(&self) {
        self.view.assert_invariants();
    }
}
