//! A server: idle, backup or primary, as the view says.

use crate::pipeline::Pipeline;
use crate::transfer::Transfer;
use crate::{
    Checkpoint, Index, Member, Message, Operation, PING_MS, Process, Replicable, Settings, Timer, View,
    ViewNumber,
};
use synod_clientserver::Server as Replica;
use synod_node::{Context, NodeId};
use synod_stdx::{Wire, mark};

type Ctx<S> = Context<Process<S>>;

/// Serves, stands by, or waits for its turn.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Server<S: Replicable> {
    me: Member,
    view_server: NodeId,
    settings: Settings,
    /// What the application is before the first command.
    initial: S,
    /// The newest view that it has heard of.
    view: View,
    pub(crate) role: Role<S>,
}

/// What a server is in its view.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Role<S: Replicable> {
    /// Nothing: it keeps no state.
    Idle,
    /// To be the backup: so much of the primary's state has arrived.
    Joining {
        /// Its first bytes.
        state: Vec<u8>,
    },
    /// The backup: it has the primary's state, and runs what is forwarded.
    Backup {
        replica: Replica<S>,
        /// It ran every operation of the view up to here.
        taken: Index,
    },
    /// The primary of a view whose backup has not the whole state yet. It answers nothing new.
    Transferring { replica: Replica<S>, pipeline: Pipeline<S::Command>, transfer: Transfer },
    /// The primary. With a backup it runs what the backup has run, and then answers; alone, at once.
    Primary { replica: Replica<S>, pipeline: Pipeline<S::Command> },
}

impl<S: Replicable> Server<S> {
    /// Server `me` of an application that begins as `initial`, in its first life.
    pub fn new(me: NodeId, view_server: NodeId, initial: S, settings: Settings) -> Self {
        let me = Member { id: me, life: 1 };
        Server { me, view_server, settings, initial, view: View::STARTUP, role: Role::Idle }
    }

    /// The newest view that it has heard of.
    pub fn view(&self) -> View {
        self.view
    }

    /// Its name and life.
    pub fn member(&self) -> Member {
        self.me
    }

    /// The state that it keeps, if it is a primary or an initialised backup.
    pub fn replica(&self) -> Option<&Replica<S>> {
        match &self.role {
            Role::Idle | Role::Joining { .. } => None,
            Role::Backup { replica, .. }
            | Role::Transferring { replica, .. }
            | Role::Primary { replica, .. } => Some(replica),
        }
    }

    /// Whether it takes itself for the primary of a view.
    pub fn is_primary(&self) -> bool {
        match self.role {
            Role::Transferring { .. } | Role::Primary { .. } => true,
            Role::Idle | Role::Joining { .. } | Role::Backup { .. } => false,
        }
    }

    /// What it is, in a word.
    pub fn role_name(&self) -> &'static str {
        match self.role {
            Role::Idle => "idle",
            Role::Joining { .. } => "joining",
            Role::Backup { .. } => "backup",
            Role::Transferring { .. } => "transferring",
            Role::Primary { .. } => "primary",
        }
    }

    /// The last operation of its view that it ran, as backup, or that its backup is known to have run, as primary.
    pub fn taken(&self) -> Index {
        match &self.role {
            Role::Idle | Role::Joining { .. } | Role::Transferring { .. } => 0,
            Role::Backup { taken, .. } => *taken,
            Role::Primary { pipeline, .. } => pipeline.taken(),
        }
    }

    /// How many operations wait for the backup.
    pub fn waiting(&self) -> usize {
        match &self.role {
            Role::Idle | Role::Joining { .. } | Role::Backup { .. } => 0,
            Role::Transferring { pipeline, .. } | Role::Primary { pipeline, .. } => pipeline.len(),
        }
    }

    pub(crate) fn on_start(&mut self, ctx: &mut Ctx<S>) {
        // Nobody hears of this life before it is durable that it began.
        ctx.checkpoint(Checkpoint::Life(self.me.life));
        self.send_ping(ctx);
        ctx.set_timer(Timer::Ping, PING_MS..=PING_MS);
    }

    pub(crate) fn on_recover(&mut self, durable: Option<&Checkpoint>, ctx: &mut Ctx<S>) {
        if let Some(Checkpoint::Life(last)) = durable {
            self.me.life = *last + 1;
        }
        self.on_start(ctx);
    }

    pub(crate) fn on_tick(&mut self, ctx: &mut Ctx<S>) {
        match &mut self.role {
            Role::Idle | Role::Joining { .. } | Role::Backup { .. } => {}
            Role::Transferring { transfer, .. } => {
                transfer.on_tick();
                self.send_transfer(ctx);
            }
            Role::Primary { pipeline, .. } => {
                pipeline.on_tick();
                self.send_forwards(ctx);
            }
        }
        self.send_ping(ctx);
        ctx.set_timer(Timer::Ping, PING_MS..=PING_MS);
    }

    fn send_ping(&self, ctx: &mut Ctx<S>) {
        let number = self.view.number;
        let (acked, is_backup_lost) = match &self.role {
            Role::Idle | Role::Joining { .. } | Role::Backup { .. } => (number, false),
            // The backup lacks something: no acknowledgement, unless it is to be replaced.
            Role::Transferring { transfer, .. } => match transfer.is_backup_lost() {
                true => (number, true),
                false => (number.previous(), false),
            },
            Role::Primary { pipeline, .. } => (number, pipeline.is_backup_lost()),
        };
        ctx.send(self.view_server, Message::Ping { life: self.me.life, acked, is_backup_lost });
    }

    pub(crate) fn on_announce(&mut self, view: View, ctx: &mut Ctx<S>) {
        // A view is announced again and again, and an old one may come late.
        if view.number <= self.view.number {
            return;
        }
        let is_empty = matches!(self.role, Role::Idle | Role::Joining { .. });
        if view.primary == Some(self.me) && is_empty && view.number != ViewNumber::INITIAL {
            // No view server names a server without state as the primary: the announcement is false.
            return;
        }
        self.view = view;
        if view.primary == Some(self.me) {
            self.become_primary(ctx);
        } else if view.backup == Some(self.me) {
            self.role = Role::Joining { state: Vec::new() };
        } else {
            self.role = Role::Idle;
        }
    }

    fn become_primary(&mut self, ctx: &mut Ctx<S>) {
        let (replica, pipeline) = match std::mem::replace(&mut self.role, Role::Idle) {
            Role::Backup { replica, .. } => (replica, Pipeline::default()),
            Role::Primary { replica, pipeline } | Role::Transferring { replica, pipeline, .. } => {
                (replica, pipeline.renewed())
            }
            Role::Idle | Role::Joining { .. } => {
                let (me, number) = (self.me, self.view.number);
                assert_eq!(
                    number,
                    ViewNumber::INITIAL,
                    "{me} is to be primary of {number}, and has no state"
                );
                (Replica::new(self.initial.clone()), Pipeline::default())
            }
        };
        if self.view.backup.is_some() {
            let transfer = Transfer::new(replica.to_bytes());
            self.role = Role::Transferring { replica, pipeline, transfer };
            self.send_transfer(ctx);
        } else {
            self.become_serving(replica, pipeline, ctx);
        }
    }

    /// The backup has the state, or there is none: the view is acknowledged, and what waits is served.
    fn become_serving(&mut self, replica: Replica<S>, pipeline: Pipeline<S::Command>, ctx: &mut Ctx<S>) {
        self.role = Role::Primary { replica, pipeline };
        self.send_ping(ctx);
        self.serve(ctx);
    }

    /// Runs what waits, if there is no backup; forwards it, if there is one.
    fn serve(&mut self, ctx: &mut Ctx<S>) {
        match &mut self.role {
            Role::Primary { replica, pipeline } if self.view.backup.is_none() => {
                for operation in pipeline.take_all() {
                    run_and_answer(replica, &operation, ctx);
                }
            }
            Role::Primary { .. } => self.send_forwards(ctx),
            Role::Idle | Role::Joining { .. } | Role::Backup { .. } | Role::Transferring { .. } => {}
        }
    }

    fn send_transfer(&mut self, ctx: &mut Ctx<S>) {
        let (Role::Transferring { transfer, .. }, Some(backup)) = (&mut self.role, self.view.backup_id())
        else {
            return;
        };
        let total = transfer.total();
        while let Some((offset, bytes)) = transfer.take_unsent(self.settings) {
            ctx.send(backup, Message::Transfer { view: self.view, offset, total, bytes });
        }
    }

    fn send_forwards(&mut self, ctx: &mut Ctx<S>) {
        let (Role::Primary { pipeline, .. }, Some(backup)) = (&mut self.role, self.view.backup_id()) else {
            return;
        };
        while let Some((first, operations)) = pipeline.take_unsent(S::bytes) {
            ctx.send(backup, Message::Forward { view: self.view.number, first, operations });
        }
    }

    /// A client asks. Only a primary listens; a client that hears nothing asks the view server who that is.
    pub(crate) fn on_operation(&mut self, operation: Operation<S::Command>, ctx: &mut Ctx<S>) {
        let (replica, pipeline) = match &mut self.role {
            Role::Idle | Role::Joining { .. } | Role::Backup { .. } => return,
            Role::Transferring { replica, pipeline, .. } | Role::Primary { replica, pipeline } => {
                (replica, pipeline)
            }
        };
        // What has run is on the backup too: to say its result again is to say what already happened.
        if replica.sessions().executed(operation.client) >= operation.last() {
            mark!("primarybackup.answered_again");
            run_and_answer(replica, &operation, ctx);
        } else {
            pipeline.push(operation, self.settings);
            self.serve(ctx);
        }
    }

    pub(crate) fn on_transfer(
        &mut self,
        from: NodeId,
        view: View,
        (offset, total, bytes): (u64, u64, &[u8]),
        ctx: &mut Ctx<S>,
    ) {
        self.on_announce(view, ctx);
        // Of an older view, or not from whom it names.
        if view != self.view || view.primary_id() != Some(from) {
            return;
        }
        let through = match &mut self.role {
            Role::Joining { state } => {
                if offset == state.len() as u64 {
                    state.extend_from_slice(bytes);
                } else {
                    mark!("primarybackup.transfer_out_of_order");
                }
                if (state.len() as u64) < total { state.len() as u64 } else { self.become_backup() }
            }
            // The last answer was lost.
            Role::Backup { .. } => total,
            Role::Idle | Role::Transferring { .. } | Role::Primary { .. } => return,
        };
        ctx.send(from, Message::TransferTaken { view: view.number, through });
    }

    /// The whole state has arrived. Returns how much of it is taken: nothing, if it cannot be read.
    fn become_backup(&mut self) -> u64 {
        let Role::Joining { state } = &mut self.role else { unreachable!("who joins becomes backup") };
        let through = state.len() as u64;
        match Replica::from_bytes(state) {
            Ok(replica) => {
                self.role = Role::Backup { replica, taken: 0 };
                through
            }
            Err(_) => {
                state.clear();
                0
            }
        }
    }

    pub(crate) fn on_transfer_taken(
        &mut self,
        from: NodeId,
        view: ViewNumber,
        through: u64,
        ctx: &mut Ctx<S>,
    ) {
        let is_from_backup = view == self.view.number && self.view.backup_id() == Some(from);
        let Role::Transferring { transfer, .. } = &mut self.role else { return };
        if !is_from_backup {
            return;
        }
        if !transfer.settle(through) {
            return self.send_transfer(ctx);
        }
        if let Role::Transferring { replica, pipeline, .. } = std::mem::replace(&mut self.role, Role::Idle) {
            self.become_serving(replica, pipeline, ctx);
        }
    }

    pub(crate) fn on_forward(
        &mut self,
        from: NodeId,
        (view, first): (ViewNumber, Index),
        operations: &[Operation<S::Command>],
        ctx: &mut Ctx<S>,
    ) {
        let is_from_primary = self.view.primary_id() == Some(from);
        let Role::Backup { replica, taken } = &mut self.role else { return };
        // A former primary may still think that it serves.
        if view != self.view.number || !is_from_primary {
            mark!("primarybackup.forward_of_another_view");
            return;
        }
        // What is missing comes again with all behind it.
        if first > *taken + 1 {
            mark!("primarybackup.forward_out_of_order");
            return;
        }
        for operation in operations.iter().skip((*taken + 1 - first) as usize) {
            replica.run(operation.client, (operation.first, operation.acked_below), &operation.commands);
            *taken += 1;
        }
        ctx.send(from, Message::Taken { view, through: *taken });
    }

    pub(crate) fn on_taken(&mut self, from: NodeId, view: ViewNumber, through: Index, ctx: &mut Ctx<S>) {
        let is_from_backup = view == self.view.number && self.view.backup_id() == Some(from);
        let Role::Primary { replica, pipeline } = &mut self.role else { return };
        if !is_from_backup {
            return;
        }
        for operation in pipeline.settle(through) {
            run_and_answer(replica, &operation, ctx);
        }
        self.send_forwards(ctx);
    }

    pub(crate) fn assert_invariants(&self) {
        self.view.assert_invariants();
        match &self.role {
            Role::Idle => assert!(!self.view.names(self.me), "{} is idle in {}", self.me, self.view),
            Role::Joining { .. } | Role::Backup { .. } => {
                assert_eq!(self.view.backup, Some(self.me), "a backup is the view's");
            }
            Role::Transferring { transfer, pipeline, .. } => {
                assert_eq!(self.view.primary, Some(self.me), "a primary is the view's");
                assert!(self.view.backup.is_some(), "a state goes to a backup");
                transfer.assert_invariants();
                pipeline.assert_invariants(self.settings);
            }
            Role::Primary { pipeline, .. } => {
                assert_eq!(self.view.primary, Some(self.me), "a primary is the view's");
                assert!(self.view.backup.is_some() || pipeline.len() == 0, "who is alone lets nobody wait");
                pipeline.assert_invariants(self.settings);
            }
        }
    }
}

fn run_and_answer<S: Replicable>(
    replica: &mut Replica<S>,
    operation: &Operation<S::Command>,
    ctx: &mut Ctx<S>,
) {
    let Operation { client, first, acked_below, commands } = operation;
    if let Some(answer) = replica.run(*client, (*first, *acked_below), commands) {
        ctx.send(client.node(), Message::Session(answer));
    }
}
