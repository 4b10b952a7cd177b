//! A protocol that was written a minute ago: a register that counts on disk and tells whoever asks.

use crate::{Claim, Setup, Stage, open};
use std::sync::Arc;
use synod_node::{Context, Durable, Node, NodeId, RequestId};
use synod_stdx::{Malformed, Reader, Wire, Writer};

/// The counter's node.
pub const SERVER: NodeId = NodeId::server(1);

/// Either of the two.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Toy {
    Counter(Counter),
    Client(Client),
}

/// Counts what is added.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Counter {
    pub total: u64,
    pub last: Option<NodeId>,
}

/// Adds, and waits for the total.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Client {
    pub asked: Option<RequestId>,
    pub tries: u64,
}

/// What is said.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Said {
    Add { amount: u64, why: String },
    Total(u64),
}

impl Wire for Said {
    fn encode(&self, out: &mut Writer<'_>) {
        match self {
            Said::Add { amount, why } => (true, (*amount, why.clone())).encode(out),
            Said::Total(total) => (false, *total).encode(out),
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match bool::decode(input)? {
            true => {
                let (amount, why) = Wire::decode(input)?;
                Said::Add { amount, why }
            }
            false => Said::Total(u64::decode(input)?),
        })
    }
}

/// A client's reminder.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Again(pub u64);

impl Node for Toy {
    type Message = Said;
    type Timer = Again;
    type Record = u64;
    type Checkpoint = u64;
    type Request = (u64, String);
    type Response = u64;

    fn on_start(&mut self, _ctx: &mut Context<Self>) {}

    fn on_recover(&mut self, durable: Durable<Self>, _ctx: &mut Context<Self>) {
        if let Toy::Counter(counter) = self {
            counter.total = durable.records.iter().sum();
        }
    }

    fn on_message(&mut self, from: NodeId, message: Said, ctx: &mut Context<Self>) {
        match (self, message) {
            (Toy::Counter(counter), Said::Add { amount, .. }) => {
                assert!(amount != 13, "thirteen is not added");
                counter.total += amount;
                counter.last = Some(from);
                ctx.persist(amount);
                ctx.send(from, Said::Total(counter.total));
            }
            (Toy::Client(client), Said::Total(total)) => {
                if let Some(id) = client.asked.take() {
                    ctx.reply(id, total);
                }
            }
            (Toy::Counter(_), Said::Total(_)) | (Toy::Client(_), Said::Add { .. }) => {}
        }
    }

    fn on_timer(&mut self, _timer: Again, ctx: &mut Context<Self>) {
        if let Toy::Client(client) = self {
            client.tries += 1;
            ctx.set_timer(Again(client.tries), 10..=20);
        }
    }

    fn on_request(&mut self, id: RequestId, (amount, why): (u64, String), ctx: &mut Context<Self>) {
        if let Toy::Client(client) = self {
            client.asked = Some(id);
            ctx.send(SERVER, Said::Add { amount, why });
            ctx.set_timer(Again(0), 10..=20);
        }
    }
}

/// One counter and so many clients, whose users add 1, then 2. The total must stay below ten.
pub fn setup(clients: u32) -> Setup<Toy> {
    let servers = [(SERVER, Toy::Counter(Counter::default()))];
    let clients: Vec<NodeId> = NodeId::clients(clients);
    let nodes = clients.iter().map(|id| (*id, Toy::Client(Client::default())));
    let mut setup = Setup::of("a toy", servers.into_iter().chain(nodes));
    for id in clients {
        let script = |index: u64| (index < 2).then(|| ((index + 1, "by script".to_owned()), None));
        setup.users.insert(id, Arc::new(script));
    }
    let read = |_: NodeId, text: &str| {
        let (amount, why) = text.split_once(' ').unwrap_or((text, ""));
        let amount = amount.parse().map_err(|_| format!("`{amount}` is no number: write how much to add"))?;
        Ok((amount, why.to_owned()))
    };
    setup.reader = Some(("how much to add".to_owned(), Arc::new(read)));
    setup.invariants.push(Claim::new("the total is below ten", |stage: &Stage<Toy>| {
        match stage.world.node(SERVER) {
            Some(Toy::Counter(counter)) if counter.total >= 10 => Err(format!("it is {}", counter.total)),
            Some(_) | None => Ok(()),
        }
    }));
    setup
}

/// The toy, opened.
pub fn opened(clients: u32) -> Arc<dyn crate::Desk> {
    open(setup(clients)).expect("it opens")
}
