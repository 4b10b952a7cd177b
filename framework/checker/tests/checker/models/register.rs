//! A register: what its users ask, the client that asks it of servers, and the simplest server there is.
//!
//! With one server this is linearizable. With more it is not: each holds a copy of its own, and nobody keeps them equal.
//!
//! The same system as `single-copy-register` among Stateright's examples, so that counts can be compared: in a network
//! that delivers each message at most once, in any order, beside a [`Recorder`](super::recorder::Recorder), it has
//! 93 states with two clients and 400,233 with four.

use synod_node::{Context, Durable, Node, NodeId, RequestId};

/// What the register holds; nothing before the first write.
pub type Value = Option<char>;

/// What a user asks.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Request {
    /// Writes.
    Put(char),
    /// Reads.
    Get,
}

/// What a user is answered.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Response {
    /// It is written.
    Put,
    /// What was read.
    Get(Value),
}

/// What the user of client `number`, from 1, asks: it writes a letter of its own, then reads.
pub fn requests(number: u32) -> Vec<Request> {
    let letter = char::from_digit(9 + number, 36).expect("there are 26 letters");
    vec![Request::Put(letter.to_ascii_uppercase()), Request::Get]
}

/// A client of several servers: the first request goes to the server that stands where the client stands in its own
/// row, each one after it to the next.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Client {
    number: u32,
    servers: u32,
    asked: u32,
    waiting: Option<RequestId>,
}

impl Client {
    /// Client `number`, from 1, of servers `n1` to `n{servers}`.
    pub fn new(number: u32, servers: u32) -> Self {
        Client { number, servers, asked: 0, waiting: None }
    }

    /// Its user asks: returns the server to be asked.
    ///
    /// # Panics
    /// If it waits for an answer.
    pub fn on_request(&mut self, id: RequestId) -> NodeId {
        assert_eq!(self.waiting, None, "one request at a time");
        let server = NodeId::server((self.number - 1 + self.asked) % self.servers + 1);
        self.asked += 1;
        self.waiting = Some(id);
        server
    }

    /// Whether it asked that, and waits for it no longer.
    pub fn is_past(&self, id: RequestId) -> bool {
        u64::from(self.asked) >= id.0 && self.waiting != Some(id)
    }

    /// A server answers: returns whether its user waits for that.
    pub fn on_answer(&mut self, id: RequestId) -> bool {
        let is_awaited = self.waiting == Some(id);
        if is_awaited {
            self.waiting = None;
        }
        is_awaited
    }
}

/// What client and server say.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// Client to server.
    Ask {
        /// The request's name.
        id: RequestId,
        /// What is asked.
        request: Request,
    },
    /// Server to client.
    Answer {
        /// The request that is answered.
        id: RequestId,
        /// The answer.
        response: Response,
    },
}

/// A node of the system.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum SingleCopy {
    /// Holds a copy.
    Server(Value),
    /// Asks.
    Client(Client),
}

impl SingleCopy {
    /// The nodes of a system.
    pub fn nodes(servers: u32, clients: u32) -> Vec<(NodeId, SingleCopy)> {
        let server = |number| (NodeId::server(number), SingleCopy::Server(None));
        let client = |number| (NodeId::client(number), SingleCopy::Client(Client::new(number, servers)));
        (1..=servers).map(server).chain((1..=clients).map(client)).collect()
    }
}

impl Node for SingleCopy {
    type Message = Message;
    type Timer = ();
    type Record = ();
    type Checkpoint = ();
    type Request = Request;
    type Response = Response;

    fn on_start(&mut self, _ctx: &mut Context<Self>) {}

    fn on_message(&mut self, from: NodeId, message: Message, ctx: &mut Context<Self>) {
        match (self, message) {
            // Every request is carried out, once for each time that it arrives.
            (SingleCopy::Server(value), Message::Ask { id, request }) => {
                let response = match request {
                    Request::Put(letter) => {
                        *value = Some(letter);
                        Response::Put
                    }
                    Request::Get => Response::Get(*value),
                };
                ctx.send(from, Message::Answer { id, response });
            }
            (SingleCopy::Client(client), Message::Answer { id, response }) => {
                if client.on_answer(id) {
                    ctx.reply(id, response);
                }
            }
            (SingleCopy::Server(_), Message::Answer { .. })
            | (SingleCopy::Client(_), Message::Ask { .. }) => {
                unreachable!("clients ask and servers answer")
            }
        }
    }

    fn on_timer(&mut self, (): (), _ctx: &mut Context<Self>) {
        unreachable!("nobody sets a timer")
    }

    fn on_request(&mut self, id: RequestId, request: Request, ctx: &mut Context<Self>) {
        match self {
            SingleCopy::Client(client) => {
                let server = client.on_request(id);
                ctx.send(server, Message::Ask { id, request });
            }
            SingleCopy::Server(_) => unreachable!("users ask clients"),
        }
    }

    fn on_recover(&mut self, _durable: Durable<Self>, _ctx: &mut Context<Self>) {
        unreachable!("nothing here is durable")
    }
}
