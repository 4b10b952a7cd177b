//! Other names for the nodes, for drivers that look for states that are alike. Types whose fields are their own are
//! renamed where they are defined. What is kept in the order of names is put in order again.

use crate::server::{Promise, Role};
use crate::{Checkpoint, Message, Process, Record, Request, Server, Timer};
use synod_node::{NodeId, Rename, StateMachine};

impl<S: StateMachine<Command: Rename, Output: Rename> + Rename> Rename for Process<S> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Process::Server(server) => server.rename(name),
            Process::Client(client) => client.rename(name),
        }
    }
}

impl<S: StateMachine<Command: Rename, Output: Rename> + Rename> Rename for Server<S> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Server {
            me,
            peers,
            settings: _,
            incarnation: _,
            promised,
            log,
            accepted_through: _,
            chosen_through: _,
            replica,
            role,
            liveness,
            clock,
            incarnations,
            unsaved_bytes: _,
            retained: _,
            executed,
        } = self;
        me.rename(name);
        peers.rename(name);
        peers.sort_unstable();
        promised.rename(name);
        log.rename(name);
        replica.rename(name);
        role.rename(name);
        liveness.rename(name);
        clock.rename(name);
        incarnations.rename(name);
        executed.rename(name);
    }
}

impl<S: StateMachine<Command: Rename, Output: Rename> + Rename> Rename for Role<S> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Role::Follower { leader } => leader.rename(name),
            Role::Candidate { promises } => promises.rename(name),
            Role::Leader(leader) => leader.rename(name),
            Role::Rejoining(rejoin) => rejoin.rename(name),
            Role::Retired => {}
        }
    }
}

impl<S: StateMachine<Command: Rename, Output: Rename> + Rename> Rename for Promise<S> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Promise { incarnation: _, chosen_through: _, snapshot, accepted } = self;
        snapshot.rename(name);
        accepted.rename(name);
    }
}

impl<S: StateMachine<Command: Rename, Output: Rename> + Rename> Rename for Message<S> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Message::Submit { client, first: _, acked_below: _, commands } => {
                client.rename(name);
                commands.rename(name);
            }
            Message::Results { client, first: _, outputs } => {
                client.rename(name);
                outputs.rename(name);
            }
            Message::Query { first: _, queries } => queries.rename(name),
            Message::Answers { first: _, outputs } => outputs.rename(name),
            Message::NotLeader { leader } => leader.rename(name),
            Message::Forgotten { client } => client.rename(name),
            Message::Prepare { ballot, chosen_through: _ } => ballot.rename(name),
            Message::Promise {
                ballot,
                incarnation: _,
                incarnations,
                chosen_through: _,
                snapshot,
                accepted,
            } => {
                ballot.rename(name);
                incarnations.rename(name);
                incarnations.sort_unstable();
                snapshot.rename(name);
                accepted.rename(name);
            }
            Message::Rejected { ballot, promised } => {
                ballot.rename(name);
                promised.rename(name);
            }
            Message::Accept { run, ballot, chosen_through: _ } => {
                run.rename(name);
                ballot.rename(name);
            }
            Message::Accepted { ballot, incarnation: _, through: _, executed_through: _ } => {
                ballot.rename(name);
            }
            Message::Snapshot { ballot, replica } => {
                ballot.rename(name);
                replica.rename(name);
            }
            Message::Confirm { ballot, round: _ }
            | Message::Confirmed { ballot, incarnation: _, round: _ } => {
                ballot.rename(name);
            }
            Message::Heartbeat { tick: _ }
            | Message::Rejoin { incarnation: _ }
            | Message::Superseded { incarnation: _ } => {}
            Message::Alive {
                tick: _,
                incarnation: _,
                following,
                happy: _,
                executed_through: _,
                clock: _,
            } => {
                following.rename(name);
            }
            Message::TakeOver { ballot } => ballot.rename(name),
            Message::Welcome { incarnation: _, lives, promised, leading } => {
                lives.rename(name);
                lives.sort_unstable();
                promised.rename(name);
                leading.rename(name);
            }
        }
    }
}

impl Rename for Timer {
    fn rename(&mut self, _name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Timer::Tick | Timer::Retry { command: _, read: _ } => {}
        }
    }
}

impl<C: Rename + Clone> Rename for Record<C> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Record::Promised { ballot, chosen_through: _ } => ballot.rename(name),
            Record::Accepted { run, chosen_through: _ } => run.rename(name),
            Record::Rejoined { node, incarnation: _ } => node.rename(name),
            Record::Time(_) => {}
        }
    }
}

impl<S: StateMachine<Command: Rename, Output: Rename> + Rename> Rename for Checkpoint<S> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        let Checkpoint { incarnation: _, promised, replica, accepted, incarnations, time: _ } = self;
        promised.rename(name);
        replica.rename(name);
        accepted.rename(name);
        incarnations.rename(name);
        incarnations.sort_unstable();
    }
}

impl<C: Rename> Rename for Request<C> {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Request::Commands(commands) | Request::Queries(commands) => commands.rename(name),
            Request::HandOver | Request::Clock(_) => {}
        }
    }
}
