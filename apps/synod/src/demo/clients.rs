//! Clients that keep asking: nodes of the demo's own process, each with some requests outstanding.

use super::PATIENCE;
use super::figures::Figures;
use super::places::describe;
use crate::node::{ended, listen};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;
use synod_host::{Host, HostConfig, Hosted, Resident};
use synod_node::{Node, NodeId, RequestId};
use tokio::sync::Notify;
use tokio::time::timeout;

/// What one client asks, and what must be answered. Answers come in the order of the questions.
pub(super) trait Questions<N: Node>: 'static {
    /// The next one; none if there is nothing more to ask.
    fn next(&mut self) -> Option<N::Request>;

    /// The oldest that is not answered is answered.
    ///
    /// # Errors
    /// If the answer is wrong: in words.
    fn on_answer(&mut self, answer: N::Response) -> Result<(), String>;
}

/// What the clients ask.
struct Asking<Q> {
    clients: Vec<Asker<Q>>,
    /// How many requests each keeps outstanding.
    window: usize,
    /// Whether an answer is followed by the next question.
    is_on: bool,
    figures: Figures,
    /// The first thing that was wrong.
    wrong: Option<String>,
}

/// One client.
struct Asker<Q> {
    id: NodeId,
    questions: Q,
    /// What is not answered yet, and when it was asked.
    outstanding: VecDeque<(RequestId, Instant)>,
    asked: u64,
    last_answer: Option<Instant>,
}

impl<Q> Asking<Q> {
    fn on_answer<N: Node>(&mut self, answer: Answer<N>)
    where
        Q: Questions<N>,
    {
        let Answer { client, request, response, at } = answer;
        let asker = self.clients.iter_mut().find(|asker| asker.id == client);
        let asker = asker.expect("a client that runs here");
        let Some((_, asked)) = asker.outstanding.pop_front().filter(|(oldest, _)| *oldest == request) else {
            self.wrong.get_or_insert_with(|| format!("{client} was answered {request} out of order"));
            return;
        };
        asker.last_answer = Some(at);
        self.figures.note(asked, at);
        if let Err(wrong) = asker.questions.on_answer(response) {
            self.wrong.get_or_insert(wrong);
        }
    }

    /// The next request that should be made: of whom, its name and itself.
    fn next<N: Node>(&mut self) -> Option<(NodeId, RequestId, N::Request)>
    where
        Q: Questions<N>,
    {
        let window = self.window;
        let mut free = self.clients.iter_mut().filter(|asker| self.is_on && asker.outstanding.len() < window);
        let (asker, question) = free.find_map(|asker| {
            let question = asker.questions.next()?;
            Some((asker, question))
        })?;
        asker.asked += 1;
        let request = RequestId(asker.asked);
        asker.outstanding.push_back((request, Instant::now()));
        Some((asker.id, request, question))
    }

    fn is_at_rest(&self) -> bool {
        self.clients.iter().all(|asker| asker.outstanding.is_empty())
    }
}

/// A node's answer to its user.
struct Answer<N: Node> {
    client: NodeId,
    request: RequestId,
    response: N::Response,
    at: Instant,
}

/// What the host's sink, the asking task and the demo share.
struct Shared<N: Node, Q> {
    answers: RefCell<VecDeque<Answer<N>>>,
    arrived: Notify,
    asking: RefCell<Asking<Q>>,
    changed: Notify,
}

impl<N: Node, Q: Questions<N>> Shared<N, Q> {
    fn on_wrong(&self, wrong: String) {
        self.asking.borrow_mut().wrong.get_or_insert(wrong);
        self.changed.notify_one();
    }
}

/// The clients, on a host of their own.
pub(super) struct Clients<N: Node, Q> {
    host: Host<N>,
    shared: Rc<Shared<N, Q>>,
}

impl<N: Hosted, Q: Questions<N>> Clients<N, Q> {
    /// Starts `clients`, each of which will keep `window` requests outstanding. They ask nothing yet.
    pub(super) async fn open(
        config: HostConfig,
        address: SocketAddr,
        clients: Vec<(NodeId, N, Q)>,
        window: usize,
    ) -> Result<Self, String> {
        let (mut nodes, mut askers) = (Vec::new(), Vec::new());
        for (id, node, questions) in clients {
            nodes.push(Resident::unrecorded(id, node));
            askers.push(Asker { id, questions, outstanding: VecDeque::new(), asked: 0, last_answer: None });
        }
        let asking = Asking { clients: askers, window, is_on: false, figures: Figures::new(), wrong: None };
        let shared = Rc::new(Shared {
            answers: RefCell::default(),
            arrived: Notify::new(),
            asking: RefCell::new(asking),
            changed: Notify::new(),
        });
        let sink = Rc::clone(&shared);
        let on_reply = move |client, request, response| {
            sink.answers.borrow_mut().push_back(Answer { client, request, response, at: Instant::now() });
            sink.arrived.notify_one();
        };
        let opened = Host::<N>::open(config, on_reply, describe).map_err(|error| error.to_string())?;
        let host = opened.host();
        let engine = tokio::task::spawn_local(opened.run(nodes, listen("demo", address).await?));
        // The engine's first step puts the nodes in place.
        tokio::task::yield_now().await;
        let (asker, asked) = (Rc::clone(&shared), host.clone());
        tokio::task::spawn_local(async move {
            tokio::select! {
                () = go_on(&asked, &asker) => {}
                end = engine => asker.on_wrong(ended(end)),
            }
        });
        Ok(Clients { host, shared })
    }

    /// From now on each asks, and asks on with each answer.
    pub(super) fn begin(&self) {
        self.shared.asking.borrow_mut().is_on = true;
        ask_on(&self.host, &self.shared);
    }

    /// Begins, and waits until each was answered: connections and sessions are there, and figures begin.
    pub(super) async fn begin_warm(&self) -> Result<(), String> {
        let began = Instant::now();
        self.begin();
        self.answered_since(began).await?;
        self.take_figures();
        Ok(())
    }

    /// Waits until each client was answered after `then`.
    pub(super) async fn answered_since(&self, then: Instant) -> Result<(), String> {
        let is_answered = |asker: &Asker<Q>| asker.last_answer.is_some_and(|at| at > then);
        self.until("some client was not answered", |asking| asking.clients.iter().all(is_answered)).await
    }

    /// Lets nobody ask on, and waits until everything that was asked is answered.
    pub(super) async fn rest(&self) -> Result<(), String> {
        self.shared.asking.borrow_mut().is_on = false;
        self.until("some request was not answered", Asking::is_at_rest).await
    }

    /// Lets each ask until it has nothing more to ask, and waits until all of it is answered.
    pub(super) async fn finish(&self) -> Result<(), String> {
        self.begin();
        self.until("some request was not answered", Asking::is_at_rest).await
    }

    async fn until(&self, problem: &str, is_so: impl Fn(&Asking<Q>) -> bool) -> Result<(), String> {
        let wait = async {
            loop {
                {
                    let asking = self.shared.asking.borrow();
                    if let Some(wrong) = &asking.wrong {
                        return Err(wrong.clone());
                    }
                    if is_so(&asking) {
                        return Ok(());
                    }
                }
                self.shared.changed.notified().await;
            }
        };
        let patience = PATIENCE.as_secs();
        timeout(PATIENCE, wait).await.unwrap_or_else(|_| Err(format!("{problem} within {patience} s")))
    }

    /// What was measured since this was last asked.
    pub(super) fn take_figures(&self) -> Figures {
        self.shared.asking.borrow_mut().figures.take()
    }

    /// How many requests were answered since the figures were last taken.
    pub(super) fn answered(&self) -> u64 {
        self.shared.asking.borrow().figures.answered()
    }

    /// How many messages the clients have sent.
    pub(super) fn messages_sent(&self) -> u64 {
        self.host.counters().frames_sent
    }

    /// Looks at what each client asks.
    pub(super) fn questions<T>(&self, look: impl FnMut(&mut Q) -> T) -> Vec<T> {
        let mut asking = self.shared.asking.borrow_mut();
        asking.clients.iter_mut().map(|asker| &mut asker.questions).map(look).collect()
    }
}

/// Takes answers, and asks on.
async fn go_on<N: Hosted, Q: Questions<N>>(host: &Host<N>, shared: &Shared<N, Q>) {
    loop {
        shared.arrived.notified().await;
        while let Some(answer) = { shared.answers.borrow_mut().pop_front() } {
            shared.asking.borrow_mut().on_answer(answer);
        }
        ask_on(host, shared);
        shared.changed.notify_one();
    }
}

fn ask_on<N: Hosted, Q: Questions<N>>(host: &Host<N>, shared: &Shared<N, Q>) {
    while let Some((client, request, question)) = { shared.asking.borrow_mut().next() } {
        host.request(client, request, question);
    }
}
