//! A ledger: clients have one line each written down by every server, and are answered by the first that did.
//!
//! Small, and with everything that a search must bear: timers that are free to fire in either order, records, crashes,
//! and servers and clients that are interchangeable. A hasty server answers before the line is durable, and so may
//! forget what it answered for.

use std::collections::BTreeSet;
use synod_checker::{Budgets, Network, Property, Reads, System, User};
use synod_node::{Context, Durable, Node, NodeId, Rename, RequestId};

/// What nodes say.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// Client to server: write this down.
    Ask(RequestId),
    /// Server to client: it is written down.
    Answer(RequestId),
}

/// What a client is reminded of. The two are free to fire in either order.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Timer {
    /// To ask once more.
    Retry,
    /// To be tired.
    Tire,
}

/// A line: who wanted it.
pub type Line = (NodeId, RequestId);

/// A node of the system.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Ledger {
    /// Writes down.
    Server {
        /// What is written down.
        lines: BTreeSet<Line>,
        /// Whether it answers at once.
        is_hasty: bool,
    },
    /// Asks.
    Client {
        /// All servers, in order.
        servers: Vec<NodeId>,
        /// How often it may ask again.
        retries: u8,
        /// What it waits for.
        waiting: Option<RequestId>,
        /// Whether it waited for long.
        is_tired: bool,
    },
}

/// How large a system is, and what it does.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Servers.
    pub servers: u32,
    /// Clients.
    pub clients: u32,
    /// How often each client asks again.
    pub retries: u8,
    /// Whether servers answer before the line is durable.
    pub is_hasty: bool,
}

/// What may go wrong in this network. Where a message comes again and again, a server that waits for its disk has more
/// and more answers waiting behind it: there no write is late, so that the states come to an end.
pub fn finite(network: Network, budgets: &Budgets) -> Budgets {
    let late_writes = if network == Network::Set { 0 } else { budgets.late_writes };
    Budgets { late_writes, ..budgets.clone() }
}

/// A system whose clients have users.
pub fn system(size: Size, network: Network, budgets: Budgets) -> System<Ledger> {
    let mut system = System::new(network);
    system.budgets = budgets;
    let servers = NodeId::servers(size.servers);
    for id in &servers {
        system.add(*id, Ledger::Server { lines: BTreeSet::new(), is_hasty: size.is_hasty });
    }
    for id in NodeId::clients(size.clients) {
        let servers = servers.clone();
        let client = Ledger::Client { servers, retries: size.retries, waiting: None, is_tired: false };
        system.add_with_user(id, client, User::asks(vec![((), None)]));
    }
    system
}

/// What must hold: who was answered has its line at some server, or on its disk.
pub fn lines_are_kept(size: Size) -> Property<Ledger> {
    Property::new("lines are kept", Reads::Everything, move |view| {
        for client in NodeId::clients(size.clients) {
            let line = (client, RequestId(1));
            let has = |id: &NodeId| {
                let node = match view.node(*id) {
                    Some(Ledger::Server { lines, .. }) => lines.contains(&line),
                    Some(Ledger::Client { .. }) | None => false,
                };
                node || view.disk(*id).is_some_and(|disk| disk.records.contains(&line))
            };
            if view.answered(client) > 0 && !NodeId::servers(size.servers).iter().any(has) {
                return Err(format!("{client} was answered, and its line is lost"));
            }
        }
        Ok(())
    })
}

impl Node for Ledger {
    type Message = Message;
    type Timer = Timer;
    type Record = Line;
    type Checkpoint = ();
    type Request = ();
    type Response = ();

    fn on_start(&mut self, _ctx: &mut Context<Self>) {}

    fn on_message(&mut self, from: NodeId, message: Message, ctx: &mut Context<Self>) {
        match (self, message) {
            (Ledger::Server { lines, is_hasty }, Message::Ask(id)) => {
                if lines.insert((from, id)) {
                    ctx.persist((from, id));
                }
                if *is_hasty {
                    ctx.send_early(from, Message::Answer(id));
                } else {
                    ctx.send(from, Message::Answer(id));
                }
            }
            (Ledger::Client { waiting, .. }, Message::Answer(id)) => {
                if *waiting == Some(id) {
                    *waiting = None;
                    ctx.reply(id, ());
                }
            }
            (Ledger::Server { .. }, Message::Answer(_)) | (Ledger::Client { .. }, Message::Ask(_)) => {
                unreachable!("clients ask and servers answer")
            }
        }
    }

    fn on_timer(&mut self, timer: Timer, ctx: &mut Context<Self>) {
        let Ledger::Client { servers, retries, waiting, is_tired } = self else {
            unreachable!("servers set no timer")
        };
        match timer {
            Timer::Retry => {
                if let (Some(id), 1..) = (*waiting, *retries) {
                    *retries -= 1;
                    ctx.broadcast(servers, &Message::Ask(id));
                    ctx.set_timer(Timer::Retry, 10..=20);
                }
            }
            Timer::Tire => *is_tired = waiting.is_some(),
        }
    }

    fn on_request(&mut self, id: RequestId, (): (), ctx: &mut Context<Self>) {
        let Ledger::Client { servers, waiting, .. } = self else { unreachable!("users ask clients") };
        *waiting = Some(id);
        ctx.broadcast(servers, &Message::Ask(id));
        ctx.set_timer(Timer::Retry, 10..=20);
        ctx.set_timer(Timer::Tire, 15..=30);
    }

    fn on_recover(&mut self, durable: Durable<Self>, _ctx: &mut Context<Self>) {
        let Ledger::Server { lines, .. } = self else { unreachable!("clients do not crash") };
        lines.extend(durable.records);
    }
}

impl Rename for Ledger {
    fn rename(&mut self, name: &dyn Fn(NodeId) -> NodeId) {
        match self {
            Ledger::Server { lines, is_hasty: _ } => lines.rename(name),
            Ledger::Client { servers, retries: _, waiting: _, is_tired: _ } => {
                servers.rename(name);
                servers.sort_unstable();
            }
        }
    }
}

impl Rename for Message {
    fn rename(&mut self, _name: &dyn Fn(NodeId) -> NodeId) {}
}

impl Rename for Timer {
    fn rename(&mut self, _name: &dyn Fn(NodeId) -> NodeId) {}
}
